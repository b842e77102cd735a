/* Content: from a YAML file, and as the payload bytes of the ledger. */
#include "content.h"

#include "address.h"
#include "codec.h"
#include "header.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { VERSION_FIRST = 1, VERSION = 2, PART_MAX = 2 * 1024 * 1024, PATH_LIMIT = 4096 };

/* The payload's tags: numbers are for ever. */
enum tag {
    TAG_FROM_NAME = 1,
    TAG_FROM,
    TAG_TO_NAME,
    TAG_REPLY_TO_NAME,
    TAG_REPLY_TO,
    TAG_SUBJECT,
    TAG_TEXT,
    TAG_HTML,
    TAG_HEADER_NAME, /* its value follows */
    TAG_HEADER_VALUE,
    /* Since version 2, which is written only when one of these is */
    TAG_PARTIAL_NAME, /* its text follows */
    TAG_PARTIAL_TEXT,
    TAG_NO_ESCAPE, /* these two hold nothing */
    TAG_MISSING_EMPTY
};

static struct slice *field_of(struct content *c, uint8_t tag) {
    switch (tag) {
    case TAG_FROM_NAME: return &c->from_name;
    case TAG_FROM: return &c->from;
    case TAG_TO_NAME: return &c->to_name;
    case TAG_REPLY_TO_NAME: return &c->reply_to_name;
    case TAG_REPLY_TO: return &c->reply_to;
    case TAG_SUBJECT: return &c->subject;
    case TAG_TEXT: return &c->text;
    case TAG_HTML: return &c->html;
    default: return NULL;
    }
}

/* What is wrong with a text as such, or NULL. A header takes no line breaks. */
static const char *text_fault(struct slice text, bool header) {
    if (text.len == 0) return NULL;
    if (memchr(text.at, 0, text.len)) return "it holds a NUL byte";
    if (!codec_utf8_valid(text)) return "it is not UTF-8";
    if (header && (memchr(text.at, '\n', text.len) || memchr(text.at, '\r', text.len)))
        return "it holds a line break";
    return NULL;
}

static const char *header_fault(const struct content_header *h) {
    static const char *const own[] = {"From",
                                      "Sender",
                                      "To",
                                      "Cc",
                                      "Bcc",
                                      "Reply-To",
                                      "Subject",
                                      "Date",
                                      "Message-ID",
                                      "MIME-Version",
                                      "Received",
                                      "Return-Path",
                                      "DKIM-Signature",
                                      "ARC-Seal",
                                      "Resent-From",
                                      "Resent-To",
                                      "Delivered-To",
                                      "Resent-Date",
                                      "ARC-Message-Signature",
                                      "ARC-Authentication-Results",
                                      "Authentication-Results"};
    if (!header_name_valid(h->name)) return "this is not a header's name";
    if (slice_starts_nocase(h->name, SLICE("Content-"))) return "this header is written by tsubame itself";
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (slice_eq_nocase(h->name, slice_of(own[i])))
            return "this header is written by tsubame itself or must not be in a mail that is sent";
    return text_fault(h->value, true);
}

/* Is the From address one, and without variables? */
static int check_from(struct slice from, struct err *err) {
    struct arena arena;
    struct address address;
    if (from.len == 0) return err_set(err, ERR_INPUT, "an address is required");
    if (slice_find(from, '{') >= 0 && slice_find_nocase(from, SLICE("{{")) >= 0)
        return err_set(err, ERR_INPUT, "the address can't have variables (the display name can)");
    arena_init(&arena, 64 * 1024);
    int rc = address_parse_ascii(from, &arena, &address, err);
    arena_done(&arena);
    return rc ? err_wrap(err, "'%.*s'", SLICE_ARG(from)) : 0;
}

int content_check(const struct content *c, struct err *err) {
    const struct {
        const char *key;
        struct slice text;
        bool header;
    } texts[] = {
        {"from", c->from_name, true},    {"to_name", c->to_name, true}, {"reply_to", c->reply_to_name, true},
        {"reply_to", c->reply_to, true}, {"subject", c->subject, true}, {"text", c->text, false},
        {"html", c->html, false},
    };
    if (check_from(c->from, err)) return err_wrap(err, "from");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *fault = text_fault(texts[i].text, texts[i].header);
        if (fault) return err_set(err, ERR_INPUT, "%s: %s", texts[i].key, fault);
    }
    if (c->text.len == 0 && c->html.len == 0)
        return err_set(err, ERR_INPUT, "neither text nor html is there");
    if (c->header_count > CONTENT_HEADERS_MAX) return err_set(err, ERR_INPUT, "more than 64 headers");
    for (size_t i = 0; i < c->header_count; i++) {
        const char *fault = header_fault(&c->headers[i]);
        if (fault) return err_set(err, ERR_INPUT, "headers: %.*s: %s", SLICE_ARG(c->headers[i].name), fault);
    }
    if (c->partial_count > CONTENT_PARTIALS_MAX) return err_set(err, ERR_INPUT, "more than 64 partials");
    for (size_t i = 0; i < c->partial_count; i++) {
        const char *fault = text_fault(c->partials[i].text, false);
        if (!fault) fault = text_fault(c->partials[i].name, true);
        if (fault)
            return err_set(err, ERR_INPUT, "partials: %.*s: %s", SLICE_ARG(c->partials[i].name), fault);
    }
    return 0;
}

/* "\"A \\\"B\\\"\"" without quotes and backslashes. */
static bool unquote(struct slice quoted, struct arena *arena, struct slice *out) {
    struct slice inside = slice_make(quoted.at + 1, quoted.len - 2);
    char *to = arena_alloc(arena, inside.len + 1);
    size_t n = 0;
    if (!to) return false;
    for (size_t i = 0; i < inside.len; i++) {
        if (inside.at[i] == '"') return false;
        if (inside.at[i] == '\\' && ++i == inside.len) return false;
        to[n++] = inside.at[i];
    }
    *out = slice_make(to, n);
    return true;
}

bool content_split_mailbox(struct slice text, struct arena *arena, struct slice *name,
                           struct slice *address) {
    text = slice_trim(text);
    *name = (struct slice){NULL, 0};
    *address = text;
    if (text.len == 0 || text.at[text.len - 1] != '>')
        return slice_find(text, '<') < 0 && slice_find(text, '>') < 0;
    const char *open = memrchr(text.at, '<', text.len);
    if (!open) return false;
    *address = slice_trim(slice_make(open + 1, (size_t)(text.at + text.len - 1 - (open + 1))));
    *name = slice_trim(slice_make(text.at, (size_t)(open - text.at)));
    if (name->len >= 2 && name->at[0] == '"' && name->at[name->len - 1] == '"')
        return unquote(*name, arena, name);
    return true;
}

/* Reading a file: where we are, for messages. */
struct reader {
    const char *name;
    const char *folder;
    struct arena *arena;
    struct content *out;
    struct err *err;
};

static int complain(const struct reader *r, const struct yaml *node, const char *what) {
    return err_set(r->err, ERR_INPUT, "%s:%u:%u: %.*s: %s", r->name, node->line, node->column,
                   SLICE_ARG(node->key), what);
}

static int need_text(const struct reader *r, const struct yaml *node, bool header) {
    if (node->kind != YAML_SCALAR)
        return complain(r, node, "text is expected here (in quotes, when it starts with a brace)");
    const char *fault = text_fault(node->text, header);
    return fault ? complain(r, node, fault) : 0;
}

static int read_mailbox(const struct reader *r, const struct yaml *node, struct slice *name,
                        struct slice *address) {
    if (need_text(r, node, true)) return -1;
    if (!content_split_mailbox(node->text, r->arena, name, address))
        return complain(r, node, "expected \"address\" or \"Name <address>\"");
    return address->len ? 0 : complain(r, node, "an address is required");
}

static int read_from(const struct reader *r, const struct yaml *node) {
    if (read_mailbox(r, node, &r->out->from_name, &r->out->from)) return -1;
    if (check_from(r->out->from, r->err))
        return err_wrap(r->err, "%s:%u:%u: from", r->name, node->line, node->column);
    return 0;
}

static int read_headers(const struct reader *r, const struct yaml *map) {
    if (map->kind != YAML_MAP) return complain(r, map, "a map of names to texts is expected here");
    if (map->count > CONTENT_HEADERS_MAX) return complain(r, map, "more than 64 headers");
    struct content_header *headers = arena_alloc(r->arena, (map->count + 1) * sizeof *headers);
    if (!headers) return err_set(r->err, ERR_SYSTEM, "%s: no memory", r->name);
    size_t n = 0;
    for (const struct yaml *node = map->first; node; node = node->next) {
        if (need_text(r, node, true)) return -1;
        headers[n] = (struct content_header){node->key, node->text};
        const char *fault = header_fault(&headers[n++]);
        if (fault) return complain(r, node, fault);
    }
    r->out->headers = headers;
    r->out->header_count = n;
    return 0;
}

static int read_partials(const struct reader *r, const struct yaml *map) {
    if (map->kind != YAML_MAP) return complain(r, map, "a map of names to texts is expected here");
    if (map->count > CONTENT_PARTIALS_MAX) return complain(r, map, "more than 64 partials");
    struct content_partial *partials = arena_alloc(r->arena, (map->count + 1) * sizeof *partials);
    if (!partials) return err_set(r->err, ERR_SYSTEM, "%s: no memory", r->name);
    size_t n = 0;
    for (const struct yaml *node = map->first; node; node = node->next) {
        if (need_text(r, node, false)) return -1;
        partials[n++] = (struct content_partial){node->key, node->text};
    }
    r->out->partials = partials;
    r->out->partial_count = n;
    return 0;
}

/* One of two words; *second: is it the second one? */
static int read_choice(const struct reader *r, const struct yaml *node, const char *first, const char *second,
                       bool *is_second) {
    char text[64];
    if (need_text(r, node, true)) return -1;
    *is_second = slice_eq(node->text, slice_of(second));
    if (*is_second || slice_eq(node->text, slice_of(first))) return 0;
    snprintf(text, sizeof text, "expected %s or %s", first, second);
    return complain(r, node, text);
}

/* All of fd into the arena, without a BOM. */
static int read_all(int fd, struct arena *arena, struct slice *out) {
    char *bytes = arena_alloc(arena, PART_MAX + 1);
    if (!bytes) return ENOMEM;
    size_t have = 0;
    for (;;) {
        ssize_t n = read(fd, bytes + have, PART_MAX + 1 - have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) break;
        have += (size_t)n;
        if (have > PART_MAX) return EFBIG;
    }
    *out = slice_make(bytes, have);
    if (slice_starts(*out, SLICE("\xEF\xBB\xBF"))) *out = slice_skip(*out, 3);
    return 0;
}

static int read_part_file(const struct reader *r, const struct yaml *node, struct slice *part) {
    char path[PATH_LIMIT];
    if (need_text(r, node, true)) return -1;
    if (!r->folder) return complain(r, node, "files can't be named here");
    if (part->len) return complain(r, node, "this part is there already");
    bool absolute = node->text.len && node->text.at[0] == '/';
    int n = snprintf(path, sizeof path, "%s%s%.*s", absolute ? "" : r->folder, absolute ? "" : "/",
                     SLICE_ARG(node->text));
    if (n < 0 || n >= PATH_LIMIT) return complain(r, node, "the path is too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int errnum = fd < 0 ? errno : read_all(fd, r->arena, part);
    if (fd >= 0) close(fd);
    if (errnum == EFBIG) return complain(r, node, "the file is larger than 2 MB");
    if (errnum)
        return err_errno(r->err, errnum, "%s:%u:%u: %.*s: %s", r->name, node->line, node->column,
                         SLICE_ARG(node->key), path);
    const char *fault = text_fault(*part, false);
    if (!fault && part->len == 0) fault = "the file is empty";
    return fault ? complain(r, node, fault) : 0;
}

static int read_plain(const struct reader *r, const struct yaml *node, struct slice *to, bool header) {
    if (need_text(r, node, header)) return -1;
    if (to->len) return complain(r, node, "this part is there already");
    *to = node->text;
    return 0;
}

static int read_key(const struct reader *r, const struct yaml *node) {
    struct content *c = r->out;
    if (slice_eq(node->key, SLICE("from"))) return read_from(r, node);
    if (slice_eq(node->key, SLICE("reply_to"))) return read_mailbox(r, node, &c->reply_to_name, &c->reply_to);
    if (slice_eq(node->key, SLICE("to_name"))) return read_plain(r, node, &c->to_name, true);
    if (slice_eq(node->key, SLICE("subject"))) return read_plain(r, node, &c->subject, true);
    if (slice_eq(node->key, SLICE("text"))) return read_plain(r, node, &c->text, false);
    if (slice_eq(node->key, SLICE("html"))) return read_plain(r, node, &c->html, false);
    if (slice_eq(node->key, SLICE("text_file"))) return read_part_file(r, node, &c->text);
    if (slice_eq(node->key, SLICE("html_file"))) return read_part_file(r, node, &c->html);
    if (slice_eq(node->key, SLICE("headers"))) return read_headers(r, node);
    if (slice_eq(node->key, SLICE("partials"))) return read_partials(r, node);
    if (slice_eq(node->key, SLICE("escape"))) return read_choice(r, node, "html", "none", &c->no_escape);
    if (slice_eq(node->key, SLICE("missing")))
        return read_choice(r, node, "error", "empty", &c->missing_empty);
    return complain(
        r, node,
        "unknown key (known are from, to_name, reply_to, subject, text, html, text_file, html_file, "
        "headers, partials, escape, missing)");
}

int content_from_yaml(const struct yaml *root, const char *name, const char *folder, struct arena *arena,
                      struct content *out, struct err *err) {
    struct reader r = {name, folder, arena, out, err};
    *out = (struct content){.header_count = 0};
    if (root->kind != YAML_MAP) return err_set(err, ERR_INPUT, "%s:%u: a map is expected", name, root->line);
    for (const struct yaml *node = root->first; node; node = node->next)
        if (read_key(&r, node)) return -1;
    if (!yaml_get(root, "from")) return err_set(err, ERR_INPUT, "%s: the key 'from' is missing", name);
    if (!yaml_get(root, "subject")) return err_set(err, ERR_INPUT, "%s: the key 'subject' is missing", name);
    if (out->text.len == 0 && out->html.len == 0)
        return err_set(err, ERR_INPUT, "%s: one of the keys text, html, text_file, html_file is required",
                       name);
    return 0;
}

int content_read(const char *path, struct arena *arena, struct content *out, struct err *err) {
    struct yaml *root = yaml_read(path, arena, err);
    if (!root) return -1;
    const char *slash = strrchr(path, '/');
    struct slice folder = slash ? slice_make(path, (size_t)(slash - path) + (slash == path)) : SLICE(".");
    const char *at = arena_string(arena, folder);
    if (!at) return err_set(err, ERR_SYSTEM, "%s: no memory", path);
    return content_from_yaml(root, path, at, arena, out, err);
}

static void put_field(struct buf *out, enum tag tag, struct slice value) {
    buf_put_u8(out, (uint8_t)tag);
    buf_put_bytes(out, value);
}

void content_encode(const struct content *c, struct buf *out) {
    struct content copy = *c;
    size_t start = out->len;
    bool first = c->partial_count == 0 && !c->no_escape && !c->missing_empty;
    buf_put_u8(out, first ? VERSION_FIRST : VERSION);
    for (int tag = TAG_FROM_NAME; tag <= TAG_HTML; tag++) {
        struct slice *field = field_of(&copy, (uint8_t)tag);
        if (field->len) put_field(out, (enum tag)tag, *field);
    }
    for (size_t i = 0; i < c->header_count; i++) {
        put_field(out, TAG_HEADER_NAME, c->headers[i].name);
        put_field(out, TAG_HEADER_VALUE, c->headers[i].value);
    }
    for (size_t i = 0; i < c->partial_count; i++) {
        put_field(out, TAG_PARTIAL_NAME, c->partials[i].name);
        put_field(out, TAG_PARTIAL_TEXT, c->partials[i].text);
    }
    if (c->no_escape) put_field(out, TAG_NO_ESCAPE, SLICE(""));
    if (c->missing_empty) put_field(out, TAG_MISSING_EMPTY, SLICE(""));
    if (out->len - start > CONTENT_MAX) out->failed = true;
}

static int corrupt(struct err *err) {
    return err_set(err, ERR_CORRUPT, "a stored message content is damaged");
}

int content_decode(struct slice bytes, struct arena *arena, struct content *out, struct err *err) {
    uint8_t version, tag;
    *out = (struct content){.header_count = 0};
    if (bytes.len > CONTENT_MAX || !take_u8(&bytes, &version)) return corrupt(err);
    if (version < VERSION_FIRST || version > VERSION)
        return err_set(err, ERR_INPUT, "a stored message content has version %u; this program knows %d",
                       version, VERSION);
    struct content_header *headers = arena_alloc(arena, CONTENT_HEADERS_MAX * sizeof *headers);
    struct content_partial *partials = arena_alloc(arena, CONTENT_PARTIALS_MAX * sizeof *partials);
    if (!headers || !partials) return err_set(err, ERR_SYSTEM, "no memory for a message content");
    out->headers = headers;
    out->partials = partials;
    while (take_u8(&bytes, &tag)) {
        struct slice *field = field_of(out, tag), value;
        if (!take_bytes(&bytes, &value)) return corrupt(err);
        if (field && !field->at) {
            *field = value;
        } else if (tag == TAG_HEADER_NAME && out->header_count < CONTENT_HEADERS_MAX) {
            struct content_header *h = &headers[out->header_count++];
            h->name = value;
            if (!take_u8(&bytes, &tag) || tag != TAG_HEADER_VALUE || !take_bytes(&bytes, &h->value))
                return corrupt(err);
        } else if (tag == TAG_PARTIAL_NAME && version > 1 && out->partial_count < CONTENT_PARTIALS_MAX) {
            struct content_partial *p = &partials[out->partial_count++];
            p->name = value;
            if (!take_u8(&bytes, &tag) || tag != TAG_PARTIAL_TEXT || !take_bytes(&bytes, &p->text))
                return corrupt(err);
        } else if (tag == TAG_NO_ESCAPE && version > 1) {
            out->no_escape = true;
        } else if (tag == TAG_MISSING_EMPTY && version > 1) {
            out->missing_empty = true;
        } else {
            return corrupt(err);
        }
    }
    return 0;
}
