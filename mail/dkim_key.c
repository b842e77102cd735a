/* Keys and digests on OpenSSL, which only this file of the folder knows.
 *
 * RSA blinding locks a key that threads share, so each signer has a copy of its own. Contexts and the digest
 * are fetched once: a look-up for each mail would cost more than hashing one. */
#include "dkim_key.h"

#include "codec.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_FILE_MAX = 64 * 1024, BITS_MIN = 1024, BITS_MAX = 4096, ED25519_PUBLIC = 32 };
_Static_assert(BITS_MAX / 8 <= DKIM_SIGNATURE_MAX, "the longest signature");

struct dkim_key {
    EVP_PKEY *pkey;
    enum dkim_algorithm algorithm;
    unsigned bits;
};

struct dkim_signer {
    enum dkim_algorithm algorithm;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *rsa;   /* initialised for signing, used again and again */
    EVP_MD_CTX *ed25519; /* set up anew each time */
};

struct dkim_digest {
    EVP_MD *sha256;
    EVP_MD_CTX *ctx;
    bool failed;
};

const char *dkim_algorithm_name(enum dkim_algorithm algorithm) {
    return algorithm == DKIM_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256";
}

const char *dkim_algorithm_kind(enum dkim_algorithm algorithm) {
    return algorithm == DKIM_RSA_SHA256 ? "rsa" : "ed25519";
}

/* OpenSSL's own words for what just failed. */
static int complain(struct err *err, enum err_kind kind, const char *what) {
    char reason[160] = "no reason given";
    unsigned long code = ERR_peek_last_error();
    if (code) ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    return err_set(err, kind, "%s: %s", what, reason);
}

/* ---- keys ---- */

static int check_bits(long bits, struct err *err) {
    if (bits >= BITS_MIN && bits <= BITS_MAX) return 0;
    return err_set(err, ERR_INPUT, "DKIM key: %ld bits; 1024 to 4096 are accepted, 2048 is usual", bits);
}

/* Takes pkey over. */
static struct dkim_key *make_key(EVP_PKEY *pkey, struct err *err) {
    int type = EVP_PKEY_get_base_id(pkey), bits = EVP_PKEY_get_bits(pkey);
    struct dkim_key *key = NULL;
    if (type != EVP_PKEY_RSA && type != EVP_PKEY_ED25519)
        err_set(err, ERR_INPUT, "DKIM key: neither RSA nor Ed25519, and there are no others");
    else if ((type == EVP_PKEY_ED25519 || check_bits(bits, err) == 0) && !(key = malloc(sizeof *key)))
        err_set(err, ERR_SYSTEM, "no memory for a DKIM key");
    if (!key) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    *key = (struct dkim_key){pkey, type == EVP_PKEY_RSA ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256,
                             type == EVP_PKEY_RSA ? (unsigned)bits : ED25519_PUBLIC * 8};
    return key;
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
    if (pkey) return make_key(pkey, err);
    complain(err, ERR_INPUT, "DKIM key: not a private key in PEM without passphrase");
    return NULL;
}

struct dkim_key *dkim_key_read_file(const char *path, struct err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        err_errno(err, errno, "DKIM key %s", path);
        if (fd >= 0) close(fd);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_INPUT, "DKIM key %s: it is not a regular file", path);
        close(fd);
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

struct dkim_key *dkim_key_read_public(enum dkim_algorithm algorithm, struct slice bytes, struct err *err) {
    const unsigned char *at = (const unsigned char *)bytes.at;
    EVP_PKEY *pkey = NULL;
    if (bytes.len && bytes.len <= KEY_FILE_MAX)
        pkey = algorithm == DKIM_RSA_SHA256
                   ? d2i_PUBKEY(NULL, &at, (long)bytes.len)
                   : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, at, bytes.len);
    struct dkim_key *key = pkey ? make_key(pkey, err) : NULL;
    if (!pkey) complain(err, ERR_INPUT, "DKIM record: p= is not a public key");
    if (key && key->algorithm != algorithm) {
        err_set(err, ERR_INPUT, "DKIM record: p= is not a key of the kind that k= says");
        dkim_key_free(key);
        return NULL;
    }
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
    return key->algorithm;
}

static int put_public(const struct dkim_key *key, struct buf *out, struct err *err) {
    unsigned char raw[ED25519_PUBLIC], *der = NULL;
    size_t size = sizeof raw;
    if (key->algorithm == DKIM_ED25519_SHA256) { /* the bare key, RFC 8463 section 4.2 */
        if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &size) <= 0)
            return complain(err, ERR_SYSTEM, "DKIM record");
        codec_base64(out, slice_make(raw, size), 0);
        return 0;
    }
    int n = i2d_PUBKEY(key->pkey, &der);
    if (n < 0) return complain(err, ERR_SYSTEM, "DKIM record");
    codec_base64(out, slice_make(der, (size_t)n), 0);
    OPENSSL_free(der);
    return 0;
}

int dkim_key_record(const struct dkim_key *key, struct buf *out, struct err *err) {
    buf_printf(out, "v=DKIM1; k=%s; p=", dkim_algorithm_kind(key->algorithm));
    if (put_public(key, out, err)) return -1;
    return out->failed ? err_set(err, ERR_SYSTEM, "DKIM record: it does not fit") : 0;
}

int dkim_key_generate(enum dkim_algorithm algorithm, unsigned bits, struct buf *pem, struct err *err) {
    bool rsa = algorithm == DKIM_RSA_SHA256;
    if (rsa && check_bits(bits, err)) return -1;
    EVP_PKEY *pkey = rsa ? EVP_RSA_gen(bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    bool made = pkey && bio && PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    long n = made ? BIO_get_mem_data(bio, &text) : 0;
    if (n > 0) buf_put(pem, text, (size_t)n);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    if (n <= 0) return complain(err, ERR_SYSTEM, "making a DKIM key");
    return pem->failed ? err_set(err, ERR_SYSTEM, "DKIM key: it does not fit") : 0;
}

bool dkim_key_verifies(const struct dkim_key *key, const unsigned char hash[DKIM_HASH],
                       struct slice signature) {
    const unsigned char *at = (const unsigned char *)signature.at;
    bool good;
    if (key->algorithm == DKIM_ED25519_SHA256) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        good = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) > 0 &&
               EVP_DigestVerify(ctx, at, signature.len, hash, DKIM_HASH) == 1;
        EVP_MD_CTX_free(ctx);
    } else {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
        good = ctx && EVP_PKEY_verify_init(ctx) > 0 &&
               EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
               EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
               EVP_PKEY_verify(ctx, at, signature.len, hash, DKIM_HASH) == 1;
        EVP_PKEY_CTX_free(ctx);
    }
    ERR_clear_error();
    return good;
}

/* ---- one thread's use of a key ---- */

static bool ready_rsa(struct dkim_signer *s) {
    s->rsa = EVP_PKEY_CTX_new(s->pkey, NULL);
    return s->rsa && EVP_PKEY_sign_init(s->rsa) > 0 &&
           EVP_PKEY_CTX_set_rsa_padding(s->rsa, RSA_PKCS1_PADDING) > 0 &&
           EVP_PKEY_CTX_set_signature_md(s->rsa, EVP_sha256()) > 0;
}

struct dkim_signer *dkim_signer_open(const struct dkim_key *key, struct err *err) {
    struct dkim_signer *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_SYSTEM, "no memory for a DKIM signer");
        return NULL;
    }
    s->algorithm = key->algorithm;
    s->pkey = EVP_PKEY_dup(key->pkey);
    bool ready = s->pkey;
    if (ready)
        ready = s->algorithm == DKIM_RSA_SHA256 ? ready_rsa(s) : (s->ed25519 = EVP_MD_CTX_new()) != NULL;
    if (ready) return s;
    complain(err, ERR_SYSTEM, "DKIM signer");
    dkim_signer_free(s);
    return NULL;
}

void dkim_signer_free(struct dkim_signer *s) {
    if (!s) return;
    EVP_PKEY_CTX_free(s->rsa);
    EVP_MD_CTX_free(s->ed25519);
    EVP_PKEY_free(s->pkey);
    free(s);
}

enum dkim_algorithm dkim_signer_algorithm(const struct dkim_signer *s) {
    return s->algorithm;
}

int dkim_signer_run(struct dkim_signer *s, const unsigned char hash[DKIM_HASH],
                    unsigned char signature[DKIM_SIGNATURE_MAX], size_t *size, struct err *err) {
    *size = DKIM_SIGNATURE_MAX;
    bool done = s->rsa ? EVP_PKEY_sign(s->rsa, signature, size, hash, DKIM_HASH) > 0
                       : EVP_DigestSignInit(s->ed25519, NULL, NULL, NULL, s->pkey) > 0 &&
                             EVP_DigestSign(s->ed25519, signature, size, hash, DKIM_HASH) > 0;
    return done ? 0 : complain(err, ERR_SYSTEM, "DKIM: signing");
}

/* ---- digests ---- */

struct dkim_digest *dkim_digest_open(struct err *err) {
    struct dkim_digest *d = calloc(1, sizeof *d);
    if (d) d->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (d) d->ctx = EVP_MD_CTX_new();
    if (d && d->sha256 && d->ctx) {
        dkim_digest_start(d);
        return d;
    }
    complain(err, ERR_SYSTEM, "DKIM: SHA-256");
    dkim_digest_free(d);
    return NULL;
}

void dkim_digest_free(struct dkim_digest *d) {
    if (!d) return;
    EVP_MD_CTX_free(d->ctx);
    EVP_MD_free(d->sha256);
    free(d);
}

void dkim_digest_start(struct dkim_digest *d) {
    d->failed = EVP_DigestInit_ex2(d->ctx, d->sha256, NULL) <= 0;
}

void dkim_digest_put(struct dkim_digest *d, struct slice bytes) {
    if (bytes.len && !d->failed) d->failed = EVP_DigestUpdate(d->ctx, bytes.at, bytes.len) <= 0;
}

void dkim_digest_copy(struct dkim_digest *to, const struct dkim_digest *from) {
    to->failed = from->failed || EVP_MD_CTX_copy_ex(to->ctx, from->ctx) <= 0;
}

bool dkim_digest_end(struct dkim_digest *d, unsigned char hash[DKIM_HASH]) {
    bool good = !d->failed && EVP_DigestFinal_ex(d->ctx, hash, NULL) > 0;
    d->failed = true; /* until it is started again */
    return good;
}
