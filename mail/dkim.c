/* Signing a mail: what its header and body hash to, found once; then a signature field for each key. */
#include "dkim.h"

#include "codec.h"
#include "dkim_relax.h"
#include "header.h"

#include <assert.h>
#include <stdlib.h>

enum { FIELDS_MAX = 128, MAIL_MAX = 128 * 1024 * 1024, PIECE = 16 * 1024, LINE = 76 };

struct dkim_body {
    struct dkim_relax relax;
    struct dkim_digest *digest;
    struct buf scratch; /* a canonical piece */
};

struct dkim_mail {
    struct dkim_body *body;
    struct dkim_digest *header; /* the signed fields of the mail */
    struct dkim_digest *whole;  /* and the signature's own */
    unsigned char body_hash[DKIM_HASH];
    struct buf names;   /* "h=...;" as it stands in each signature field */
    struct buf scratch; /* a canonical field */
    struct header_field fields[FIELDS_MAX];
    int8_t which[FIELDS_MAX]; /* index into `signed_fields`, or -1 */
    size_t count;
};

/* Is a field named once more than it occurs, so that none can be added? */
enum once_more { NEVER_MORE, ONCE_MORE, IF_PRESENT };

/* What is signed, in the order of h=. Lists add List-* fields of their own to what they pass on: only what
 * an attacker would add to be clicked on is closed against that. */
static const struct signed_field {
    struct slice name;
    enum once_more more;
} signed_fields[] = {
    {{"From", 4}, ONCE_MORE},
    {{"Sender", 6}, NEVER_MORE},
    {{"Reply-To", 8}, ONCE_MORE},
    {{"To", 2}, ONCE_MORE},
    {{"Cc", 2}, ONCE_MORE},
    {{"Subject", 7}, ONCE_MORE},
    {{"Date", 4}, ONCE_MORE},
    {{"Message-ID", 10}, ONCE_MORE},
    {{"In-Reply-To", 11}, NEVER_MORE},
    {{"References", 10}, NEVER_MORE},
    {{"MIME-Version", 12}, ONCE_MORE},
    {{"Content-Type", 12}, ONCE_MORE},
    {{"Content-Transfer-Encoding", 25}, NEVER_MORE},
    {{"List-Unsubscribe", 16}, IF_PRESENT},
    {{"List-Unsubscribe-Post", 21}, IF_PRESENT},
    {{"List-Id", 7}, NEVER_MORE},
    {{"List-Help", 9}, NEVER_MORE},
    {{"List-Subscribe", 14}, NEVER_MORE},
    {{"List-Post", 9}, NEVER_MORE},
    {{"List-Owner", 10}, NEVER_MORE},
    {{"List-Archive", 12}, NEVER_MORE},
    {{"Feedback-ID", 11}, NEVER_MORE},
    {{"Auto-Submitted", 14}, NEVER_MORE},
};
enum { SIGNED_FIELDS = sizeof signed_fields / sizeof *signed_fields, FROM = 0 };

/* ---- the body ---- */

struct dkim_body *dkim_body_open(struct err *err) {
    struct dkim_body *b = calloc(1, sizeof *b);
    if (!b) {
        err_set(err, ERR_SYSTEM, "no memory for a DKIM body");
        return NULL;
    }
    buf_init(&b->scratch, MAIL_MAX);
    b->digest = dkim_digest_open(err);
    if (b->digest) return b;
    dkim_body_free(b);
    return NULL;
}

void dkim_body_free(struct dkim_body *b) {
    if (!b) return;
    dkim_digest_free(b->digest);
    buf_done(&b->scratch);
    free(b);
}

void dkim_body_start(struct dkim_body *b) {
    b->relax = (struct dkim_relax){0};
    buf_reset(&b->scratch);
    dkim_digest_start(b->digest);
}

static void digest_scratch(struct dkim_body *b) {
    dkim_digest_put(b->digest, buf_slice(&b->scratch));
    if (!b->scratch.failed) b->scratch.len = 0;
}

/* In pieces that stay in the processor's cache between the two. */
void dkim_body_put(struct dkim_body *b, struct slice bytes) {
    while (bytes.len) {
        size_t n = bytes.len < PIECE ? bytes.len : PIECE;
        dkim_relax_body(&b->relax, slice_make(bytes.at, n), &b->scratch);
        digest_scratch(b);
        bytes = slice_skip(bytes, n);
    }
}

void dkim_body_copy(struct dkim_body *to, const struct dkim_body *from) {
    to->relax = from->relax;
    buf_reset(&to->scratch);
    to->scratch.failed = from->scratch.failed;
    dkim_digest_copy(to->digest, from->digest);
}

int dkim_body_finish(struct dkim_body *b, unsigned char hash[DKIM_HASH], struct err *err) {
    dkim_relax_end(&b->relax, &b->scratch);
    digest_scratch(b);
    if (dkim_digest_end(b->digest, hash) && !b->scratch.failed) return 0;
    return err_set(err, ERR_SYSTEM, "DKIM: the body could not be digested");
}

/* ---- the mail ---- */

struct dkim_mail *dkim_mail_open(struct err *err) {
    struct dkim_mail *m = calloc(1, sizeof *m);
    if (!m) {
        err_set(err, ERR_SYSTEM, "no memory for a DKIM mail");
        return NULL;
    }
    buf_init(&m->scratch, MAIL_MAX);
    buf_init(&m->names, DKIM_FIELD_MAX);
    if ((m->body = dkim_body_open(err)) && (m->header = dkim_digest_open(err)) &&
        (m->whole = dkim_digest_open(err)))
        return m;
    dkim_mail_free(m);
    return NULL;
}

void dkim_mail_free(struct dkim_mail *m) {
    if (!m) return;
    dkim_body_free(m->body);
    dkim_digest_free(m->header);
    dkim_digest_free(m->whole);
    buf_done(&m->scratch);
    buf_done(&m->names);
    free(m);
}

static int which_field(struct slice name) {
    for (int i = 0; i < SIGNED_FIELDS; i++)
        if (name.len == signed_fields[i].name.len && slice_eq_nocase(name, signed_fields[i].name)) return i;
    return -1;
}

/* Lists the fields of the mail; *body is what follows them. */
static int read_fields(struct dkim_mail *m, struct slice mail, struct slice *body, struct err *err) {
    bool from = false;
    m->count = 0;
    *body = mail;
    while (m->count < FIELDS_MAX && header_next(body, &m->fields[m->count])) {
        int which = which_field(m->fields[m->count].name);
        from |= which == FROM;
        m->which[m->count++] = (int8_t)which;
    }
    if (m->count == FIELDS_MAX) return err_set(err, ERR_INPUT, "DKIM: more than 127 header fields");
    size_t taken = mail.len - body->len;
    if (taken < 4 || memcmp(mail.at + taken - 4, "\r\n\r\n", 4) != 0)
        return err_set(err, ERR_INPUT, "DKIM: the mail's header has no end");
    return from ? 0 : err_set(err, ERR_INPUT, "DKIM: the mail has no From");
}

/* Puts `text` behind what is there, on a new line if it would become too long. */
static void put_folding(struct buf *out, size_t *column, struct slice text) {
    if (*column + text.len > LINE) {
        buf_put(out, "\r\n\t", 3);
        *column = 1;
    }
    buf_put_slice(out, text);
    *column += text.len;
}

/* The signed fields: their names into m->names, their canonical form into m->header, each name's last one
 * first (RFC 6376 section 5.4.2). */
static void read_header(struct dkim_mail *m) {
    size_t column = 1;
    buf_reset(&m->names);
    put_folding(&m->names, &column, SLICE("h="));
    buf_reset(&m->scratch);
    for (int i = 0; i < SIGNED_FIELDS; i++) {
        int times = 0;
        for (size_t f = m->count; f-- > 0;) {
            if (m->which[f] != i) continue;
            dkim_relax_field(m->fields[f].name, m->fields[f].value, &m->scratch);
            buf_put(&m->scratch, "\r\n", 2);
            times++;
        }
        enum once_more more = signed_fields[i].more;
        for (times += more == ONCE_MORE || (more == IF_PRESENT && times); times; times--) {
            if (m->names.len > 2) put_folding(&m->names, &column, SLICE(":"));
            put_folding(&m->names, &column, signed_fields[i].name);
        }
    }
    buf_put_c(&m->names, ';');
    dkim_digest_start(m->header);
    dkim_digest_put(m->header, buf_slice(&m->scratch));
}

int dkim_mail_read(struct dkim_mail *m, struct slice mail, const struct dkim_body *prefix, size_t prefix_len,
                   struct err *err) {
    struct slice body;
    assert(prefix || prefix_len == 0);
    bool good = read_fields(m, mail, &body, err) == 0;
    if (good && prefix_len > body.len)
        good = err_set(err, ERR_INPUT, "DKIM: the body is shorter than what it is said to begin with") == 0;
    m->count = good ? m->count : 0; /* nothing to sign */
    if (!good) return -1;
    read_header(m);
    if (prefix)
        dkim_body_copy(m->body, prefix);
    else
        dkim_body_start(m->body);
    dkim_body_put(m->body, slice_skip(body, prefix_len));
    int failed = dkim_body_finish(m->body, m->body_hash, err);
    if (!failed && (m->scratch.failed || m->names.failed))
        failed = err_set(err, ERR_SYSTEM, "DKIM: the header does not fit");
    if (failed) m->count = 0;
    return failed;
}

/* ---- a signature ---- */

/* The signature field up to and with "b=". */
static void put_tags(const struct dkim_mail *m, const struct dkim_signer *s, struct slice domain,
                     struct slice selector, int64_t now_s, struct buf *out) {
    size_t start = out->len;
    buf_printf(out, "DKIM-Signature: v=1; a=%s; c=relaxed/relaxed;",
               dkim_algorithm_name(dkim_signer_algorithm(s)));
    bool fits = out->len - start + domain.len + 4 <= LINE;
    buf_put_text(out, fits ? " d=" : "\r\n\td=");
    buf_put_slice(out, domain);
    buf_put_text(out, ";\r\n\ts=");
    buf_put_slice(out, selector);
    buf_put_text(out, "; t=");
    buf_put_u64(out, (uint64_t)now_s);
    buf_put_text(out, ";\r\n\t");
    buf_put_slice(out, buf_slice(&m->names));
    buf_put_text(out, "\r\n\tbh=");
    codec_base64(out, slice_make(m->body_hash, DKIM_HASH), 0);
    buf_put_text(out, ";\r\n\tb=");
}

static void put_signature(struct buf *out, struct slice base64) {
    size_t room = LINE - 3; /* behind "\tb=" */
    while (base64.len) {
        size_t n = base64.len < room ? base64.len : room;
        buf_put(out, base64.at, n);
        base64 = slice_skip(base64, n);
        if (base64.len) buf_put(out, "\r\n\t", 3);
        room = LINE - 1;
    }
    buf_put(out, "\r\n", 2);
}

static bool is_name(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_alpha(s.at[i]) && !ascii_digit(s.at[i]) && !(s.at[i] && strchr(".-_", s.at[i])))
            return false;
    return s.len > 0 && s.len <= 253;
}

/* What the signature is over: the signed fields, then the signature field itself as far as it stands. */
static int hash_with(struct dkim_mail *m, struct slice field, unsigned char hash[DKIM_HASH],
                     struct err *err) {
    size_t name = sizeof "DKIM-Signature" - 1;
    buf_reset(&m->scratch);
    dkim_relax_field(slice_make(field.at, name), slice_skip(field, name + 1), &m->scratch);
    dkim_digest_copy(m->whole, m->header);
    dkim_digest_put(m->whole, buf_slice(&m->scratch));
    if (dkim_digest_end(m->whole, hash) && !m->scratch.failed) return 0;
    return err_set(err, ERR_SYSTEM, "DKIM: the header could not be digested");
}

static int sign(struct dkim_mail *m, struct dkim_signer *s, size_t start, struct buf *out, struct err *err) {
    unsigned char hash[DKIM_HASH], signature[DKIM_SIGNATURE_MAX];
    size_t size;
    if (out->failed) return err_set(err, ERR_SYSTEM, "DKIM: the signature does not fit");
    if (hash_with(m, slice_make(out->at + start, out->len - start), hash, err) ||
        dkim_signer_run(s, hash, signature, &size, err))
        return -1;
    buf_reset(&m->scratch);
    codec_base64(&m->scratch, slice_make(signature, size), 0);
    put_signature(out, buf_slice(&m->scratch));
    return out->failed ? err_set(err, ERR_SYSTEM, "DKIM: the signature does not fit") : 0;
}

int dkim_sign(struct dkim_mail *m, struct dkim_signer *s, struct slice domain, struct slice selector,
              int64_t now_s, struct buf *out, struct err *err) {
    size_t start = out->len;
    if (m->count == 0) return err_set(err, ERR_INPUT, "DKIM: there is no mail to sign");
    if (!is_name(domain) || !is_name(selector))
        return err_set(err, ERR_INPUT, "DKIM: '%.*s' or '%.*s' is not a domain name", SLICE_ARG(domain),
                       SLICE_ARG(selector));
    put_tags(m, s, domain, selector, now_s, out);
    if (sign(m, s, start, out, err) == 0) return 0;
    out->len = start;
    return -1;
}
