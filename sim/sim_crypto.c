/* OpenSSL's part: an authority made at start, one key for all hosts, a certificate for each host and kind
 * when asked for. */
#include "sim_crypto.h"

#include "codec.h"
#include "sim_scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { CACHE = 4096 /* certificates kept; a newer one of the same slot takes its place */ };

struct cached {
    uint64_t name; /* hash of kind and host */
    X509 *certificate;
};

struct sim_tls_maker {
    SSL_CTX *ctx;
    EVP_PKEY *ca_key, *key;
    X509 *ca;
    long serial;
    struct cached cache[CACHE];
};

struct sim_tls_conn {
    SSL *ssl;
};

static int ssl_fail(struct err *err, const char *what) {
    char text[200];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    return err_set(err, ERR_SYSTEM, "%s: %s", what, text);
}

static bool add_ext(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    return ok;
}

/* ca, ca_key: who signs; NULL for one that signs itself. */
static X509 *make_certificate(struct sim_tls_maker *m, const char *name, X509 *ca, EVP_PKEY *ca_key,
                              EVP_PKEY *key, bool expired) {
    X509 *cert = X509_new();
    char alt[300];
    if (!cert) return NULL;
    X509 *issuer = ca ? ca : cert;
    bool authority = !ca && ca_key != m->key;
    bool ok = X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), ++m->serial) &&
              X509_gmtime_adj(X509_getm_notBefore(cert), expired ? -400L * 86400 : -86400) &&
              X509_gmtime_adj(X509_getm_notAfter(cert), expired ? -30L * 86400 : 365L * 86400) &&
              X509_set_pubkey(cert, key);
    X509_NAME *subject = X509_get_subject_name(cert);
    int len = (int)strlen(name);
    ok = ok && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
                                          len > 64 ? 64 : len, -1, 0);
    ok = ok && X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    ok = ok &&
         add_ext(cert, issuer, NID_basic_constraints, authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (authority) {
        ok = ok && add_ext(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
        ok = ok && add_ext(cert, issuer, NID_subject_key_identifier, "hash");
    } else {
        snprintf(alt, sizeof alt, "DNS:%s", name);
        ok = ok && add_ext(cert, issuer, NID_subject_alt_name, alt);
    }
    ok = ok && X509_sign(cert, ca_key, EVP_sha256());
    if (ok) return cert;
    X509_free(cert);
    return NULL;
}

static int write_ca(const struct sim_tls_maker *m, const char *dir, struct err *err) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/ca.pem", dir);
    if (n < 0 || (size_t)n >= sizeof path) return err_set(err, ERR_INPUT, "%s: the path is too long", dir);
    if (mkdir(dir, 0755) < 0 && errno != EEXIST) return err_errno(err, errno, "%s", dir);
    FILE *file = fopen(path, "we");
    if (!file) return err_errno(err, errno, "%s", path);
    int ok = PEM_write_X509(file, m->ca);
    if (fclose(file) != 0 || !ok) return err_set(err, ERR_SYSTEM, "%s: cannot be written", path);
    return 0;
}

static int make_all(struct sim_tls_maker *m, const char *dir, struct err *err) {
    static const unsigned char context[] = "tsubame-sim";
    m->ca_key = EVP_EC_gen("P-256");
    m->key = EVP_EC_gen("P-256");
    m->ctx = SSL_CTX_new(TLS_server_method());
    if (!m->ca_key || !m->key || !m->ctx) return ssl_fail(err, "TLS");
    m->ca = make_certificate(m, "Tsubame simulator authority", NULL, m->ca_key, m->ca_key, false);
    if (!m->ca) return ssl_fail(err, "making a certificate");
    SSL_CTX_set_mode(m->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_min_proto_version(m->ctx, TLS1_2_VERSION);
    SSL_CTX_set_session_id_context(m->ctx, context, sizeof context - 1);
    return dir ? write_ca(m, dir, err) : 0;
}

struct sim_tls_maker *sim_tls_open(const char *dir, struct err *err) {
    struct sim_tls_maker *m = calloc(1, sizeof *m);
    if (!m) {
        err_set(err, ERR_SYSTEM, "out of memory");
        return NULL;
    }
    if (make_all(m, dir, err)) {
        sim_tls_free(m);
        return NULL;
    }
    return m;
}

void sim_tls_free(struct sim_tls_maker *m) {
    if (!m) return;
    for (size_t i = 0; i < CACHE; i++)
        X509_free(m->cache[i].certificate);
    X509_free(m->ca);
    EVP_PKEY_free(m->ca_key);
    EVP_PKEY_free(m->key);
    SSL_CTX_free(m->ctx);
    free(m);
}

static X509 *certificate_for(struct sim_tls_maker *m, struct slice host, int kind) {
    uint64_t name = hash_bytes(host, (uint64_t)kind + 1);
    struct cached *c = &m->cache[name % CACHE];
    char text[256];
    if (c->certificate && c->name == name) return c->certificate;
    if (host.len >= sizeof text) return NULL;
    memcpy(text, host.at, host.len);
    text[host.len] = 0;
    bool self = kind == SIM_CERT_SELF_SIGNED;
    X509 *made =
        make_certificate(m, kind == SIM_CERT_WRONG_NAME ? "somebody.else.test" : text, self ? NULL : m->ca,
                         self ? m->key : m->ca_key, m->key, kind == SIM_CERT_EXPIRED);
    if (!made) return NULL;
    X509_free(c->certificate);
    *c = (struct cached){name, made};
    return made;
}

/* TLS 1.0 and 1.1 need the ciphers that OpenSSL no longer offers by itself. */
static bool set_version(SSL *ssl, int version) {
    static const int versions[] = {0, TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
    if (version == 0) return true;
    if (versions[version] < TLS1_2_VERSION && !SSL_set_cipher_list(ssl, "DEFAULT:@SECLEVEL=0")) return false;
    return SSL_set_min_proto_version(ssl, versions[version]) == 1 &&
           SSL_set_max_proto_version(ssl, versions[version]) == 1;
}

struct sim_tls_conn *sim_tls_accept(struct sim_tls_maker *m, int fd, struct slice host, int kind,
                                    int version) {
    struct sim_tls_conn *c = calloc(1, sizeof *c);
    X509 *cert = certificate_for(m, host, kind);
    if (c && cert) c->ssl = SSL_new(m->ctx);
    if (c && c->ssl && SSL_use_certificate(c->ssl, cert) == 1 && SSL_use_PrivateKey(c->ssl, m->key) == 1 &&
        SSL_set_fd(c->ssl, fd) == 1 && set_version(c->ssl, version)) {
        SSL_set_accept_state(c->ssl);
        return c;
    }
    sim_tls_conn_free(c);
    return NULL;
}

void sim_tls_conn_free(struct sim_tls_conn *c) {
    if (!c) return;
    SSL_free(c->ssl);
    free(c);
}

static long verdict(struct sim_tls_conn *c, int rc) {
    if (rc > 0) return rc;
    int error = SSL_get_error(c->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return -2;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

long sim_tls_read(struct sim_tls_conn *c, void *to, size_t n) {
    ERR_clear_error();
    return verdict(c, SSL_read(c->ssl, to, (int)(n > 1 << 20 ? 1 << 20 : n)));
}

long sim_tls_write(struct sim_tls_conn *c, const void *from, size_t n) {
    ERR_clear_error();
    return verdict(c, SSL_write(c->ssl, from, (int)(n > 1 << 20 ? 1 << 20 : n)));
}

void sim_tls_goodbye(struct sim_tls_conn *c) {
    ERR_clear_error();
    if (SSL_is_init_finished(c->ssl)) SSL_shutdown(c->ssl);
}

void sim_digest_start(struct sim_digest *d, bool sha256) {
    hash_stream_init(&d->xx);
    if (!sha256) return;
    if (!d->sha) d->sha = EVP_MD_CTX_new();
    if (!d->sha || !EVP_DigestInit_ex(d->sha, EVP_sha256(), NULL)) abort();
}

void sim_digest_add(struct sim_digest *d, struct slice s) {
    if (d->sha)
        EVP_DigestUpdate(d->sha, s.at, s.len);
    else
        hash_stream_add(&d->xx, s);
}

size_t sim_digest_end(struct sim_digest *d, char hex[65]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 8;
    if (d->sha) {
        EVP_MD_CTX *copy = EVP_MD_CTX_new(); /* the digest may be asked for once for each recipient */
        if (!copy || !EVP_MD_CTX_copy_ex(copy, d->sha) || !EVP_DigestFinal_ex(copy, sum, &n)) abort();
        EVP_MD_CTX_free(copy);
    } else {
        uint64_t h = hash_stream_end(&d->xx);
        for (int i = 0; i < 8; i++)
            sum[i] = (unsigned char)(h >> (56 - 8 * i));
    }
    for (unsigned i = 0; i < n; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    return n * 2;
}

void sim_digest_done(struct sim_digest *d) {
    EVP_MD_CTX_free(d->sha);
    d->sha = NULL;
}
