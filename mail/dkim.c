/* DKIM signatures on OpenSSL, which only this file of the folder knows.
 *
 * The body is canonicalised into scratch memory and digested in one go, the header likewise; contexts and
 * the digest are fetched once per signer. RSA_blinding locks a key that threads share, so each signer has a
 * copy of its own. */
#include "dkim.h"

#include "codec.h"
#include "header.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    KEY_FILE_MAX = 64 * 1024,
    BITS_MIN = 1024,
    BITS_MAX = 4096,
    SIGNATURE_MAX = BITS_MAX / 8,
    DIGEST = 32,
    FIELDS_MAX = 128,
    MAIL_MAX = 128 * 1024 * 1024,
    LINE = 76
};

struct dkim_key {
    EVP_PKEY *pkey;
    unsigned bits;
};

struct dkim_signer {
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *rsa; /* initialised for signing, used again and again */
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    struct buf scratch; /* canonical body, then canonical header */
    struct header_field fields[FIELDS_MAX];
    int8_t which[FIELDS_MAX]; /* index into `signed_fields`, or -1 */
    size_t count;
};

/* What is signed, in the order of h=; `once_more`: named once more than it occurs. */
static const struct signed_field {
    struct slice name;
    bool once_more;
} signed_fields[] = {
    {{"From", 4}, true},
    {{"Reply-To", 8}, true},
    {{"To", 2}, true},
    {{"Cc", 2}, false},
    {{"Subject", 7}, true},
    {{"Date", 4}, true},
    {{"Message-ID", 10}, true},
    {{"MIME-Version", 12}, true},
    {{"Content-Type", 12}, true},
    {{"Content-Transfer-Encoding", 25}, false},
    {{"List-Unsubscribe", 16}, false},
    {{"List-Unsubscribe-Post", 21}, false},
    {{"List-Id", 7}, false},
    {{"List-Help", 9}, false},
    {{"List-Subscribe", 14}, false},
    {{"List-Post", 9}, false},
    {{"List-Owner", 10}, false},
    {{"List-Archive", 12}, false},
    {{"Feedback-ID", 11}, false},
    {{"Auto-Submitted", 14}, false},
};
enum { SIGNED_FIELDS = sizeof signed_fields / sizeof *signed_fields, FROM = 0 };

/* OpenSSL's own words for what just failed. */
static int complain(struct err *err, enum err_kind kind, const char *what) {
    char reason[160] = "no reason given";
    unsigned long code = ERR_peek_last_error();
    if (code) ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    return err_set(err, kind, "%s: %s", what, reason);
}

static int no_passphrase(char *to, int size, int writing, void *ctx) {
    (void)to, (void)size, (void)writing, (void)ctx;
    return -1;
}

struct dkim_key *dkim_key_read(struct slice pem, struct err *err) {
    if (pem.len > KEY_FILE_MAX) {
        err_set(err, ERR_INPUT, "DKIM key: larger than 64 KB");
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(pem.len ? pem.at : "", (int)pem.len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (!pkey) {
        complain(err, ERR_INPUT, "DKIM key: not a private key in PEM without passphrase");
        return NULL;
    }
    int bits = EVP_PKEY_get_bits(pkey);
    struct dkim_key *key = NULL;
    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)
        err_set(err, ERR_INPUT, "DKIM key: only RSA keys are signed with as yet");
    else if (bits < BITS_MIN || bits > BITS_MAX)
        err_set(err, ERR_INPUT, "DKIM key: %d bits; 1024 to 4096 are accepted, 2048 is usual", bits);
    else if (!(key = malloc(sizeof *key)))
        err_set(err, ERR_SYSTEM, "no memory for a DKIM key");
    if (key)
        *key = (struct dkim_key){.pkey = pkey, .bits = (unsigned)bits};
    else
        EVP_PKEY_free(pkey);
    return key;
}

struct dkim_key *dkim_key_read_file(const char *path, struct err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_errno(err, errno, "DKIM key %s", path);
        return NULL;
    }
    char bytes[KEY_FILE_MAX + 1];
    size_t have = 0;
    ssize_t n;
    do {
        n = read(fd, bytes + have, sizeof bytes - have);
        if (n > 0) have += (size_t)n;
    } while ((n > 0 && have < sizeof bytes) || (n < 0 && errno == EINTR));
    int errnum = errno;
    close(fd);
    struct dkim_key *key = NULL;
    if (n < 0)
        err_errno(err, errnum, "DKIM key %s", path);
    else if (!(key = dkim_key_read(slice_make(bytes, have), err)))
        err_wrap(err, "%s", path);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return key;
}

void dkim_key_free(struct dkim_key *key) {
    if (!key) return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

unsigned dkim_key_bits(const struct dkim_key *key) {
    return key->bits;
}

enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *key) {
    (void)key; /* dkim_key_read takes no other */
    return DKIM_RSA_SHA256;
}

int dkim_key_record(const struct dkim_key *key, struct buf *out, struct err *err) {
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key->pkey, &der);
    if (n < 0) return complain(err, ERR_SYSTEM, "DKIM record");
    buf_put_text(out, "v=DKIM1; k=rsa; p=");
    codec_base64(out, slice_make(der, (size_t)n), 0);
    OPENSSL_free(der);
    return out->failed ? err_set(err, ERR_SYSTEM, "DKIM record: it does not fit") : 0;
}

int dkim_key_generate(unsigned bits, struct buf *pem, struct err *err) {
    if (bits < BITS_MIN || bits > BITS_MAX)
        return err_set(err, ERR_INPUT, "DKIM key: %u bits; 1024 to 4096 are accepted, 2048 is usual", bits);
    EVP_PKEY *pkey = EVP_RSA_gen(bits);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool made = pkey && bio && PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    long n = made ? BIO_get_mem_data(bio, &text) : 0;
    if (n > 0) buf_put(pem, text, (size_t)n);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    if (n <= 0) return complain(err, ERR_SYSTEM, "making a DKIM key");
    return pem->failed ? err_set(err, ERR_SYSTEM, "DKIM key: it does not fit") : 0;
}

struct dkim_signer *dkim_signer_open(const struct dkim_key *key, struct err *err) {
    struct dkim_signer *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_SYSTEM, "no memory for a DKIM signer");
        return NULL;
    }
    buf_init(&s->scratch, MAIL_MAX);
    s->pkey = EVP_PKEY_dup(key->pkey);
    s->rsa = s->pkey ? EVP_PKEY_CTX_new(s->pkey, NULL) : NULL;
    s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    s->digest = EVP_MD_CTX_new();
    if (!s->rsa || !s->sha256 || !s->digest || EVP_PKEY_sign_init(s->rsa) <= 0 ||
        EVP_PKEY_CTX_set_rsa_padding(s->rsa, RSA_PKCS1_PADDING) <= 0 ||
        EVP_PKEY_CTX_set_signature_md(s->rsa, s->sha256) <= 0) {
        complain(err, ERR_SYSTEM, "DKIM signer");
        dkim_signer_free(s);
        return NULL;
    }
    return s;
}

void dkim_signer_free(struct dkim_signer *s) {
    if (!s) return;
    EVP_PKEY_CTX_free(s->rsa);
    EVP_PKEY_free(s->pkey);
    EVP_MD_CTX_free(s->digest);
    EVP_MD_free(s->sha256);
    buf_done(&s->scratch);
    free(s);
}

/* Sixteen bytes at a time: gcc and clang make of it what the machine has. */
typedef unsigned char vector __attribute__((vector_size(16)));

/* Index of the first byte from `at` on that relaxed canonicalisation may change: a tab, or a blank followed
 * by a blank or a line end. In doubt it is named too; s.len when there is none. */
static size_t next_change(struct slice s, size_t at) {
    vector here, next;
    while (at + sizeof here + 1 <= s.len) {
        memcpy(&here, s.at + at, sizeof here);
        memcpy(&next, s.at + at + 1, sizeof next);
        vector hit = (vector)((here == ' ') & (next <= ' ')) | (vector)(here == '\t');
        uint64_t halves[2];
        memcpy(halves, &hit, sizeof halves);
        if (halves[0] | halves[1]) break;
        at += sizeof here;
    }
    for (; at < s.len; at++) {
        bool end = at + 1 == s.len || (unsigned char)s.at[at + 1] <= ' ';
        if (s.at[at] == '\t' || (s.at[at] == ' ' && end)) return at;
    }
    return s.len;
}

/* RFC 6376 section 3.4.4. */
static void relax_body(struct slice body, struct buf *out) {
    size_t at = 0, start = out->len;
    while (at < body.len) {
        size_t change = next_change(body, at);
        buf_put(out, body.at + at, change - at);
        at = change;
        while (at < body.len && ascii_space(body.at[at]))
            at++;
        bool line_end = at == body.len || slice_starts(slice_skip(body, at), SLICE("\r\n"));
        if (at > change && !line_end) buf_put_c(out, ' ');
    }
    if (out->failed) return;
    if (out->len > start && !(out->len - start >= 2 && memcmp(out->at + out->len - 2, "\r\n", 2) == 0))
        buf_put(out, "\r\n", 2);
    while (out->len - start >= 4 && memcmp(out->at + out->len - 4, "\r\n\r\n", 4) == 0)
        out->len -= 2;
    if (out->len - start == 2) out->len = start;
}

/* RFC 6376 section 3.4.2, without the CRLF at the end. */
static void relax_field(struct slice name, struct slice value, struct buf *out) {
    char *to = buf_room(out, name.len + 1 + value.len);
    if (!to) return;
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++)
        to[n++] = ascii_lower(name.at[i]);
    to[n++] = ':';
    bool blank = false, begun = false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            blank = begun;
            continue;
        }
        if (blank) to[n++] = ' ';
        to[n++] = c;
        blank = false;
        begun = true;
    }
    buf_grew(out, n);
}

static int which_field(struct slice name) {
    for (int i = 0; i < SIGNED_FIELDS; i++)
        if (name.len == signed_fields[i].name.len && slice_eq_nocase(name, signed_fields[i].name)) return i;
    return -1;
}

/* Lists the fields of the mail; *body is what follows them. */
static int read_fields(struct dkim_signer *s, struct slice mail, struct slice *body, struct err *err) {
    bool from = false;
    s->count = 0;
    *body = mail;
    while (s->count < FIELDS_MAX && header_next(body, &s->fields[s->count])) {
        int which = which_field(s->fields[s->count].name);
        from |= which == FROM;
        s->which[s->count++] = (int8_t)which;
    }
    if (s->count == FIELDS_MAX) return err_set(err, ERR_INPUT, "DKIM: more than 127 header fields");
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

static void put_names(const struct dkim_signer *s, struct buf *out) {
    size_t column = 1;
    bool first = true;
    buf_put(out, "\r\n\t", 3);
    put_folding(out, &column, SLICE("h="));
    for (int i = 0; i < SIGNED_FIELDS; i++) {
        int times = signed_fields[i].once_more;
        for (size_t f = 0; f < s->count; f++)
            times += s->which[f] == i;
        for (; times; times--) {
            if (!first) put_folding(out, &column, SLICE(":"));
            put_folding(out, &column, signed_fields[i].name);
            first = false;
        }
    }
    buf_put_c(out, ';');
}

/* The signature field up to and with "b=". */
static void put_tags(const struct dkim_signer *s, struct slice domain, struct slice selector, int64_t now_s,
                     struct slice body_hash, struct buf *out) {
    size_t column = sizeof "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;" - 1;
    buf_put_text(out, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;");
    bool fits = column + domain.len + 4 <= LINE;
    buf_put_text(out, fits ? " d=" : "\r\n\td=");
    buf_put_slice(out, domain);
    buf_put_text(out, ";\r\n\ts=");
    buf_put_slice(out, selector);
    buf_put_text(out, "; t=");
    buf_put_u64(out, (uint64_t)now_s);
    buf_put_c(out, ';');
    put_names(s, out);
    buf_put_text(out, "\r\n\tbh=");
    codec_base64(out, body_hash, 0);
    buf_put_text(out, ";\r\n\tb=");
}

static bool digest(struct dkim_signer *s, struct slice bytes, unsigned char out[DIGEST]) {
    return EVP_DigestInit_ex2(s->digest, s->sha256, NULL) &&
           EVP_DigestUpdate(s->digest, bytes.at, bytes.len) && EVP_DigestFinal_ex(s->digest, out, NULL);
}

/* The signed fields in canonical form, each name's last one first, then the signature field itself. */
static void relax_header(struct dkim_signer *s, struct slice signature_field) {
    for (int i = 0; i < SIGNED_FIELDS; i++)
        for (size_t f = s->count; f-- > 0;) {
            if (s->which[f] != i) continue;
            relax_field(s->fields[f].name, s->fields[f].value, &s->scratch);
            buf_put(&s->scratch, "\r\n", 2);
        }
    size_t name = sizeof "DKIM-Signature" - 1;
    relax_field(slice_make(signature_field.at, name), slice_skip(signature_field, name + 1), &s->scratch);
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

int dkim_sign(struct dkim_signer *s, struct slice domain, struct slice selector, struct slice mail,
              int64_t now_s, struct buf *out, struct err *err) {
    struct slice body;
    unsigned char hash[DIGEST], signature[SIGNATURE_MAX];
    size_t size = sizeof signature, start = out->len;
    if (!is_name(domain) || !is_name(selector))
        return err_set(err, ERR_INPUT, "DKIM: '%.*s' or '%.*s' is not a domain name", SLICE_ARG(domain),
                       SLICE_ARG(selector));
    if (read_fields(s, mail, &body, err)) return -1;
    buf_reset(&s->scratch);
    relax_body(body, &s->scratch);
    if (s->scratch.failed || !digest(s, buf_slice(&s->scratch), hash))
        return complain(err, ERR_SYSTEM, "DKIM: digesting the body");
    put_tags(s, domain, selector, now_s, slice_make(hash, sizeof hash), out);
    buf_reset(&s->scratch);
    if (!out->failed) relax_header(s, slice_make(out->at + start, out->len - start));
    if (out->failed || s->scratch.failed) return err_set(err, ERR_SYSTEM, "DKIM: the signature does not fit");
    if (!digest(s, buf_slice(&s->scratch), hash) ||
        EVP_PKEY_sign(s->rsa, signature, &size, hash, sizeof hash) <= 0)
        return complain(err, ERR_SYSTEM, "DKIM: signing");
    buf_reset(&s->scratch);
    codec_base64(&s->scratch, slice_make(signature, size), 0);
    put_signature(out, buf_slice(&s->scratch));
    return out->failed ? err_set(err, ERR_SYSTEM, "DKIM: the signature does not fit") : 0;
}
