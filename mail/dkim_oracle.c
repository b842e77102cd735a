/* The plain verifier. */
#include "dkim_oracle.h"

#include "codec.h"
#include "header.h"

#include <stdlib.h>

enum { ROOM = 64 << 20, FIELDS = 256, TAG_ROOM = 8192 };

static bool is_white(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t line_length(struct slice s) {
    for (size_t i = 0; i + 1 < s.len; i++)
        if (s.at[i] == '\r' && s.at[i + 1] == '\n') return i;
    return s.len;
}

void dkim_oracle_body(struct slice body, struct buf *out) {
    size_t start = out->len, kept = out->len; /* kept: behind the last line that is not empty */
    while (body.len) {
        size_t n = line_length(body), end = n, begun = out->len;
        while (end && ascii_space(body.at[end - 1]))
            end--;
        for (size_t i = 0; i < end; i++) {
            bool blank = ascii_space(body.at[i]);
            if (blank && i && ascii_space(body.at[i - 1])) continue;
            buf_put_c(out, blank ? ' ' : body.at[i]);
        }
        bool empty = out->len == begun;
        buf_put(out, "\r\n", 2);
        if (!empty) kept = out->len;
        body = slice_skip(body, n + 2);
    }
    if (out->len > start) out->len = kept;
}

/* The value of a tag without any blanks, into out; false when it is not there. */
static bool tag(struct slice value, const char *name, struct buf *out) {
    struct slice piece;
    buf_reset(out);
    while (slice_cut(&value, ';', &piece)) {
        struct slice key;
        slice_cut(&piece, '=', &key);
        if (!slice_eq(slice_trim(key), slice_of(name))) continue;
        for (size_t i = 0; i < piece.len; i++)
            if (!is_white(piece.at[i])) buf_put_c(out, piece.at[i]);
        return true;
    }
    return false;
}

/* Runs of blanks to one, none at the ends or beside the colon, the name in small letters. */
static void relax(const struct header_field *f, struct slice value, struct buf *out) {
    for (size_t i = 0; i < f->name.len; i++)
        buf_put_c(out, ascii_lower(f->name.at[i]));
    buf_put_c(out, ':');
    value = slice_trim(value);
    for (size_t i = 0; i < value.len; i++)
        if (!is_white(value.at[i]))
            buf_put_c(out, value.at[i]);
        else if (!is_white(value.at[i - 1]))
            buf_put_c(out, ' ');
}

/* The field's value with what stands in b= taken out. */
static void without_signature(struct slice value, struct buf *out) {
    struct slice piece, rest = value;
    bool first = true;
    while (slice_cut(&rest, ';', &piece)) {
        struct slice key, after = piece;
        slice_cut(&after, '=', &key);
        bool b = slice_eq(slice_trim(key), SLICE("b"));
        if (!first) buf_put_c(out, ';');
        buf_put_slice(out, b ? slice_make(piece.at, key.len + 1) : piece);
        first = false;
    }
}

static bool hash_of(const struct buf *bytes, unsigned char hash[DKIM_HASH]) {
    struct dkim_digest *d = dkim_digest_open(NULL);
    if (!d) abort();
    dkim_digest_put(d, buf_slice(bytes));
    bool good = dkim_digest_end(d, hash);
    dkim_digest_free(d);
    return good && !bytes->failed;
}

struct parts {
    struct header_field fields[FIELDS];
    bool used[FIELDS];
    size_t count;
    struct slice body;
    const struct header_field *signature;
    struct buf text, value, tag;
};

static const char *take_apart(struct parts *p, struct slice mail, struct slice selector) {
    p->body = mail;
    while (p->count < FIELDS && header_next(&p->body, &p->fields[p->count]))
        p->count++;
    for (size_t i = 0; i < p->count && !p->signature; i++)
        if (slice_eq_nocase(p->fields[i].name, SLICE("DKIM-Signature")) &&
            tag(p->fields[i].value, "s", &p->tag) && slice_eq(buf_slice(&p->tag), selector)) {
            p->signature = &p->fields[i];
            p->used[i] = true;
        }
    return p->signature ? NULL : "no such signature";
}

static const char *check_body(struct parts *p) {
    unsigned char hash[DKIM_HASH];
    buf_reset(&p->text);
    buf_reset(&p->value);
    dkim_oracle_body(p->body, &p->text);
    if (!tag(p->signature->value, "bh", &p->tag) || !codec_unbase64(&p->value, buf_slice(&p->tag)))
        return "bh= is not base64";
    if (!hash_of(&p->text, hash) || !slice_eq(buf_slice(&p->value), slice_make(hash, sizeof hash)))
        return "bh= is not the body's hash";
    return NULL;
}

static void put_signed_fields(struct parts *p) {
    struct slice name, names = buf_slice(&p->tag);
    while (slice_cut(&names, ':', &name))
        for (size_t i = p->count; i-- > 0;) {
            if (p->used[i] || !slice_eq_nocase(p->fields[i].name, name)) continue;
            p->used[i] = true;
            relax(&p->fields[i], p->fields[i].value, &p->text);
            buf_put(&p->text, "\r\n", 2);
            break;
        }
}

static const char *check_header(struct parts *p, const struct dkim_key *key) {
    unsigned char hash[DKIM_HASH];
    buf_reset(&p->text);
    if (!tag(p->signature->value, "h", &p->tag)) return "no h=";
    put_signed_fields(p);
    buf_reset(&p->value);
    without_signature(p->signature->value, &p->value);
    relax(p->signature, buf_slice(&p->value), &p->text);
    buf_reset(&p->value);
    if (!tag(p->signature->value, "b", &p->tag) || !codec_unbase64(&p->value, buf_slice(&p->tag)))
        return "b= is not base64";
    bool good = hash_of(&p->text, hash) && dkim_key_verifies(key, hash, buf_slice(&p->value));
    return good ? NULL : "b= is not the key's";
}

const char *dkim_oracle_verify(struct slice mail, struct slice selector, const struct dkim_key *key) {
    struct parts *p = calloc(1, sizeof *p);
    if (!p) abort();
    buf_init(&p->text, ROOM);
    buf_init(&p->value, ROOM);
    buf_init(&p->tag, TAG_ROOM);
    const char *wrong = take_apart(p, mail, selector);
    if (!wrong && (!tag(p->signature->value, "a", &p->tag) ||
                   !slice_eq(buf_slice(&p->tag), slice_of(dkim_algorithm_name(dkim_key_algorithm(key))))))
        wrong = "a= is of another algorithm";
    if (!wrong &&
        (!tag(p->signature->value, "c", &p->tag) || !slice_eq(buf_slice(&p->tag), SLICE("relaxed/relaxed"))))
        wrong = "c= is not relaxed/relaxed";
    if (!wrong) wrong = check_body(p);
    if (!wrong) wrong = check_header(p, key);
    buf_done(&p->text);
    buf_done(&p->value);
    buf_done(&p->tag);
    free(p);
    return wrong;
}
