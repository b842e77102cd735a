/* Content as the payload bytes of the ledger: a version, then tagged fields. */
#include "codec.h"
#include "content.h"

/* Version 1 knew the tags up to TAG_HEADER_VALUE, version 2 those up to TAG_FILE and no SHARED. */
enum { VERSION = 3 };

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
    TAG_PARTIAL_NAME, /* its text follows */
    TAG_PARTIAL_TEXT,
    TAG_LIST_ID,
    TAG_UNSUBSCRIBE_URL,
    TAG_UNSUBSCRIBE_MAIL,
    TAG_FEEDBACK_ID,
    TAG_SETTINGS, /* see put_settings */
    TAG_FILE,     /* see put_file */
    TAG_TO
};

enum setting {
    ONE_CLICK = 1,
    AUTO_SUBMITTED = 2,
    NO_AUTO_TEXT = 4,
    SUBSTITUTE = 8,
    NO_ESCAPE = 16,
    MISSING_EMPTY = 32,
    SHARED = 64
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
    case TAG_LIST_ID: return &c->list_id;
    case TAG_UNSUBSCRIBE_URL: return &c->unsubscribe_url;
    case TAG_UNSUBSCRIBE_MAIL: return &c->unsubscribe_mail;
    case TAG_FEEDBACK_ID: return &c->feedback_id;
    case TAG_TO: return &c->to;
    default: return NULL;
    }
}

static void put_field(struct buf *out, enum tag tag, struct slice value) {
    buf_put_u8(out, (uint8_t)tag);
    buf_put_bytes(out, value);
}

/* A byte each: flags, charset, encoding. Left out when nothing is set. */
static void put_settings(const struct content *c, struct buf *out) {
    unsigned flags = (c->one_click ? ONE_CLICK : 0u) | (c->auto_submitted ? AUTO_SUBMITTED : 0u) |
                     (c->no_auto_text ? NO_AUTO_TEXT : 0u) | (c->substitute ? SUBSTITUTE : 0u) |
                     (c->no_escape ? NO_ESCAPE : 0u) | (c->missing_empty ? MISSING_EMPTY : 0u) |
                     (c->shared ? SHARED : 0u);
    const char bytes[3] = {(char)flags, (char)c->charset, (char)c->encoding};
    if (flags || c->charset || c->encoding) put_field(out, TAG_SETTINGS, slice_make(bytes, sizeof bytes));
}

static bool take_settings(struct content *c, struct slice bytes) {
    uint8_t flags, charset, encoding;
    if (!take_u8(&bytes, &flags) || !take_u8(&bytes, &charset) || !take_u8(&bytes, &encoding) || bytes.len ||
        charset > CONTENT_ISO_2022_JP || encoding > CONTENT_BASE64)
        return false;
    c->one_click = flags & ONE_CLICK;
    c->auto_submitted = flags & AUTO_SUBMITTED;
    c->no_auto_text = flags & NO_AUTO_TEXT;
    c->substitute = flags & SUBSTITUTE;
    c->no_escape = flags & NO_ESCAPE;
    c->missing_empty = flags & MISSING_EMPTY;
    c->shared = flags & SHARED;
    c->charset = (enum content_charset)charset;
    c->encoding = (enum content_encoding)encoding;
    return true;
}

/* Inline or not (one byte), then name, type, cid, path and bytes, each with its length. */
static void put_file(const struct content_file *f, struct buf *out) {
    const struct slice parts[] = {f->name, f->type, f->cid, f->path, f->bytes};
    size_t length = 1;
    struct buf sizes;
    buf_init(&sizes, 64);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_reset(&sizes);
        buf_put_varint(&sizes, parts[i].len);
        length += sizes.len + parts[i].len;
    }
    buf_done(&sizes);
    buf_put_u8(out, TAG_FILE);
    buf_put_varint(out, length);
    buf_put_u8(out, f->is_inline);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        buf_put_bytes(out, parts[i]);
}

static bool take_file(struct content_file *f, struct slice bytes) {
    uint8_t is_inline;
    if (!take_u8(&bytes, &is_inline) || is_inline > 1 || !take_bytes(&bytes, &f->name) ||
        !take_bytes(&bytes, &f->type) || !take_bytes(&bytes, &f->cid) || !take_bytes(&bytes, &f->path) ||
        !take_bytes(&bytes, &f->bytes))
        return false;
    f->is_inline = is_inline;
    return bytes.len == 0;
}

void content_encode(const struct content *c, struct buf *out) {
    struct content copy = *c;
    size_t start = out->len;
    buf_put_u8(out, VERSION);
    for (int tag = TAG_FROM_NAME; tag <= TAG_FEEDBACK_ID; tag++) {
        struct slice *field = field_of(&copy, (uint8_t)tag);
        if (field && field->len) put_field(out, (enum tag)tag, *field);
    }
    if (c->to.len) put_field(out, TAG_TO, c->to);
    put_settings(c, out);
    for (size_t i = 0; i < c->header_count; i++) {
        put_field(out, TAG_HEADER_NAME, c->headers[i].name);
        put_field(out, TAG_HEADER_VALUE, c->headers[i].value);
    }
    for (size_t i = 0; i < c->partial_count; i++) {
        put_field(out, TAG_PARTIAL_NAME, c->partials[i].name);
        put_field(out, TAG_PARTIAL_TEXT, c->partials[i].text);
    }
    for (size_t i = 0; i < c->file_count; i++)
        put_file(&c->files[i], out);
    if (out->len - start > CONTENT_MAX) out->failed = true;
}

static int corrupt(struct err *err) {
    return err_set(err, ERR_CORRUPT, "a stored message content is damaged");
}

struct decoder {
    struct content *out;
    struct content_header *headers;
    struct content_partial *partials;
    struct content_file *files;
};

static bool take_header(struct decoder *d, struct slice *rest, struct slice name) {
    uint8_t tag;
    if (d->out->header_count == CONTENT_HEADERS_MAX) return false;
    struct content_header *h = &d->headers[d->out->header_count++];
    h->name = name;
    return take_u8(rest, &tag) && tag == TAG_HEADER_VALUE && take_bytes(rest, &h->value);
}

static bool take_partial(struct decoder *d, struct slice *rest, struct slice name) {
    uint8_t tag;
    if (d->out->partial_count == CONTENT_PARTIALS_MAX) return false;
    struct content_partial *p = &d->partials[d->out->partial_count++];
    p->name = name;
    return take_u8(rest, &tag) && tag == TAG_PARTIAL_TEXT && take_bytes(rest, &p->text);
}

static bool take_field(struct decoder *d, struct slice *rest) {
    struct content *c = d->out;
    struct slice value;
    uint8_t tag;
    if (!take_u8(rest, &tag) || !take_bytes(rest, &value)) return false;
    struct slice *field = field_of(c, tag);
    if (field) {
        if (field->at) return false;
        *field = value;
        return true;
    }
    if (tag == TAG_HEADER_NAME) return take_header(d, rest, value);
    if (tag == TAG_PARTIAL_NAME) return take_partial(d, rest, value);
    if (tag == TAG_SETTINGS) return take_settings(c, value);
    if (tag != TAG_FILE || c->file_count == CONTENT_FILES_MAX) return false;
    return take_file(&d->files[c->file_count++], value);
}

int content_decode(struct slice bytes, struct arena *arena, struct content *out, struct err *err) {
    uint8_t version;
    *out = (struct content){.header_count = 0};
    if (bytes.len > CONTENT_MAX || !take_u8(&bytes, &version) || version == 0) return corrupt(err);
    if (version > VERSION)
        return err_set(err, ERR_INPUT, "a stored message content has version %u; this program knows %d",
                       version, VERSION);
    struct decoder d = {out, arena_alloc(arena, CONTENT_HEADERS_MAX * sizeof *d.headers),
                        arena_alloc(arena, CONTENT_PARTIALS_MAX * sizeof *d.partials),
                        arena_zalloc(arena, CONTENT_FILES_MAX * sizeof *d.files)};
    if (!d.headers || !d.partials || !d.files)
        return err_set(err, ERR_SYSTEM, "no memory for a message content");
    out->headers = d.headers;
    out->partials = d.partials;
    out->files = d.files;
    while (bytes.len)
        if (!take_field(&d, &bytes)) return corrupt(err);
    return 0;
}
