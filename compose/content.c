/* Content: what makes it fit to be sent. */
#include "content_inner.h"
#include "shared.h"

#include "address.h"
#include "codec.h"
#include "header.h"
#include "mime_param.h"

/* What is wrong with a text as such, or NULL. A header takes no line breaks. */
const char *content_text_fault(struct slice text, bool header) {
    if (text.len == 0) return NULL;
    if (memchr(text.at, 0, text.len)) return "it holds a NUL byte";
    if (!codec_utf8_valid(text)) return "it is not UTF-8";
    if (header && (memchr(text.at, '\n', text.len) || memchr(text.at, '\r', text.len)))
        return "it holds a line break";
    return NULL;
}

const char *content_header_fault(const struct content_header *h) {
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
    return content_text_fault(h->value, true);
}

/* Is the From address one, and without variables? */
int content_check_from(struct slice from, struct err *err) {
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

/* Headers that Tsubame writes when it is asked to. */
static bool header_is_ours(const struct content *c, struct slice name) {
    return (c->list_id.len && slice_eq_nocase(name, SLICE("List-Id"))) ||
           (c->feedback_id.len && slice_eq_nocase(name, SLICE("Feedback-ID"))) ||
           (c->auto_submitted && slice_eq_nocase(name, SLICE("Auto-Submitted"))) ||
           ((c->unsubscribe_url.len || c->unsubscribe_mail.len) &&
            (slice_eq_nocase(name, SLICE("List-Unsubscribe")) ||
             slice_eq_nocase(name, SLICE("List-Unsubscribe-Post"))));
}

static int check_partials(const struct content *c, struct err *err) {
    if (c->partial_count > CONTENT_PARTIALS_MAX) return err_set(err, ERR_INPUT, "more than 64 partials");
    for (size_t i = 0; i < c->partial_count; i++) {
        const char *fault = content_text_fault(c->partials[i].text, false);
        if (!fault) fault = content_text_fault(c->partials[i].name, true);
        if (fault)
            return err_set(err, ERR_INPUT, "partials: %.*s: %s", SLICE_ARG(c->partials[i].name), fault);
    }
    return 0;
}

bool content_is_list_id(struct slice id) {
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        bool dot = c == '.' && i && i + 1 < id.len && id.at[i - 1] != '.';
        if (!dot && !ascii_alpha(c) && !ascii_digit(c) && (c == 0 || !strchr("!#$%&'*+-/=?^_`{|}~", c)))
            return false;
    }
    return id.len <= 255 && slice_find(id, '.') > 0;
}

/* With variables it is checked for each mail. */
static int check_unsubscribe_mail(struct slice mail, struct err *err) {
    struct arena arena;
    struct address address;
    if (mail.len == 0 || slice_find_nocase(mail, SLICE("{{")) >= 0) return 0;
    if (slice_starts_nocase(mail, SLICE("mailto:")) && slice_find(mail, '@') > 0) return 0;
    arena_init(&arena, 64 * 1024);
    int rc = address_parse_ascii(mail, &arena, &address, err);
    arena_done(&arena);
    return rc ? err_wrap(err, "list, unsubscribe_mail: '%.*s'", SLICE_ARG(mail)) : 0;
}

/* RFC 8058 section 3.1: one click needs an https URI. What nobody answers is not promised. */
static int check_list(const struct content *c, struct err *err) {
    struct slice url = c->unsubscribe_url;
    bool open = slice_starts(url, SLICE("{{"));
    if (c->list_id.len && slice_find_nocase(c->list_id, SLICE("{{")) < 0) {
        struct arena arena;
        struct slice name, id;
        arena_init(&arena, 64 * 1024);
        bool good = content_split_mailbox(c->list_id, &arena, &name, &id) && content_is_list_id(id);
        arena_done(&arena);
        if (!good) return err_set(err, ERR_INPUT, "list, id: \"Name <news.example.com>\" is expected");
    }
    if (url.len && !open && !slice_starts_nocase(url, SLICE("https://")) &&
        !slice_starts_nocase(url, SLICE("http://")))
        return err_set(err, ERR_INPUT, "list, unsubscribe_url: a URL that begins with https:// is expected");
    if (c->one_click && !open && !slice_starts_nocase(url, SLICE("https://")))
        return err_set(
            err, ERR_INPUT,
            "list, one_click: it needs an unsubscribe_url that begins with https:// and takes a POST");
    return check_unsubscribe_mail(c->unsubscribe_mail, err);
}

/* A media type that can be sent in base64. */
static bool is_file_type(struct slice type) {
    return slice_find(type, '/') > 0 && !slice_starts_nocase(type, SLICE("multipart/")) &&
           !slice_starts_nocase(type, SLICE("message/"));
}

static bool is_cid(struct slice cid) {
    for (size_t i = 0; i < cid.len; i++)
        if (!ascii_alpha(cid.at[i]) && !ascii_digit(cid.at[i]) && !memchr("_.+-@", cid.at[i], 5))
            return false;
    return cid.len > 0 && cid.len <= 128;
}

const char *content_file_fault(const struct content_file *f) {
    if (f->name.len == 0) return "a name is required";
    if (content_text_fault(f->name, true)) return "the name must be UTF-8 on one line";
    if (!f->path.len && !mime_param_valid(f->name)) return "the name is longer than 255 bytes";
    if (f->name.len > 1024) return "the name is longer than 1,024 bytes";
    if (!mime_value_valid(f->type) || !is_file_type(f->type))
        return "the type is no media type such as application/pdf";
    if (f->is_inline && !is_cid(f->cid)) return "the cid is 1 to 128 letters, digits and any of _ . + - @";
    if (f->is_inline && f->path.len) return "a personal file can't be shown inline";
    if (f->path.len && content_text_fault(f->path, true)) return "the path must be UTF-8 on one line";
    return NULL;
}

static int check_files(const struct content *c, struct err *err) {
    if (c->file_count > CONTENT_FILES_MAX) return err_set(err, ERR_INPUT, "more than 64 attached files");
    for (size_t i = 0; i < c->file_count; i++) {
        const char *fault = content_file_fault(&c->files[i]);
        if (fault) return err_set(err, ERR_INPUT, "file %zu: %s", i + 1, fault);
        if (!c->files[i].is_inline) continue;
        if (c->html.len == 0) return err_set(err, ERR_INPUT, "inline: there is no HTML to show them");
        for (size_t j = 0; j < i; j++)
            if (slice_eq(c->files[i].cid, c->files[j].cid))
                return err_set(err, ERR_INPUT, "inline: two files have the cid %.*s",
                               SLICE_ARG(c->files[i].cid));
    }
    return 0;
}

int content_check(const struct content *c, struct err *err) {
    const struct {
        const char *key;
        struct slice text;
        bool header;
    } texts[] = {
        {"from", c->from_name, true},
        {"to", c->to, true},
        {"to_name", c->to_name, true},
        {"reply_to", c->reply_to_name, true},
        {"reply_to", c->reply_to, true},
        {"subject", c->subject, true},
        {"text", c->text, false},
        {"html", c->html, false},
        {"list, id", c->list_id, true},
        {"list, unsubscribe_url", c->unsubscribe_url, true},
        {"list, unsubscribe_mail", c->unsubscribe_mail, true},
        {"list, feedback_id", c->feedback_id, true},
    };
    if (content_check_from(c->from, err)) return err_wrap(err, "from");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *fault = content_text_fault(texts[i].text, texts[i].header);
        if (fault) return err_set(err, ERR_INPUT, "%s: %s", texts[i].key, fault);
    }
    if (c->text.len == 0 && c->html.len == 0)
        return err_set(err, ERR_INPUT, "neither text nor html is there");
    if (c->header_count > CONTENT_HEADERS_MAX) return err_set(err, ERR_INPUT, "more than 64 headers");
    for (size_t i = 0; i < c->header_count; i++) {
        const char *fault = content_header_fault(&c->headers[i]);
        if (fault) return err_set(err, ERR_INPUT, "headers: %.*s: %s", SLICE_ARG(c->headers[i].name), fault);
        if (header_is_ours(c, c->headers[i].name))
            return err_set(err, ERR_INPUT, "headers: %.*s: it is written by another key of this file",
                           SLICE_ARG(c->headers[i].name));
    }
    return shared_check(c, err) || check_partials(c, err) || check_list(c, err) || check_files(c, err) ? -1
                                                                                                       : 0;
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
