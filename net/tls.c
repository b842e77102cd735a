/* TLS for connections, on OpenSSL. conn.c says when; here is what.
 *
 * OpenSSL reads and writes the socket through a BIO of our own, because its own one writes with write(),
 * which raises SIGPIPE. Reading ahead and buffers that are given back between records keep both the system
 * calls and the memory of an idle connection few. Sessions are remembered by server name, address and kind of
 * verification, so that one taken up unverified never passes for a verified one. */
#include "tls.h"

#include "lru.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { DEFAULT_SESSIONS = 512, NAME_MAX_LEN = 253, KEY_MAX = 400 };

struct tls_client_ctx {
    SSL_CTX *ssl;
    struct lru *sessions;
};

struct tls_server_ctx {
    SSL_CTX *ssl;
};

struct tls {
    SSL *ssl;
    struct tls_client_ctx *client; /* NULL on a server's side */
    int fd;
    int error; /* errno of the last failed system call */
    enum tls_verify verify;
    bool named;
    bool broken;           /* no close_notify any more */
    enum tls_result later; /* an end found behind bytes that were handed out first */
    char why[160];
    size_t key_len;
    char key[];
};

/* --- the BIO --- */

static pthread_once_t bio_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *bio_method;

static int bio_result(BIO *bio, struct tls *tls, ssize_t n, int retry) {
    BIO_clear_retry_flags(bio);
    if (n >= 0) return (int)n;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    else
        tls->error = errno;
    return -1;
}

static int bio_write(BIO *bio, const char *bytes, int n) {
    struct tls *tls = BIO_get_data(bio);
    return bio_result(bio, tls, send(tls->fd, bytes, (size_t)n, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static int bio_read(BIO *bio, char *into, int room) {
    struct tls *tls = BIO_get_data(bio);
    ssize_t n = recv(tls->fd, into, (size_t)room, 0);
    int got = bio_result(bio, tls, n, BIO_FLAGS_READ);
    if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return got;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

static void make_bio_method(void) {
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tsubame socket");
    if (!m) return;
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_ctrl(m, bio_ctrl);
    bio_method = m;
}

/* --- errors --- */

/* The oldest error in OpenSSL's queue of this thread tells most; the queue is emptied. */
static const char *library_error(void) {
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    return text ? text : "unknown error";
}

static int library_failed(struct err *err, const char *what) {
    return err_set(err, ERR_SYSTEM, "%s: %s", what, library_error());
}

/* --- contexts --- */

static SSL_CTX *new_context(const SSL_METHOD *method, struct err *err) {
    pthread_once(&bio_once, make_bio_method);
    SSL_CTX *ssl = bio_method ? SSL_CTX_new(method) : NULL;
    if (!ssl) {
        library_failed(err, "cannot set up TLS");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_read_ahead(ssl, 1);
    return ssl;
}

static void drop_session(void *session) {
    SSL_SESSION_free(session);
}

static int on_new_session(SSL *ssl, SSL_SESSION *session) {
    struct tls *tls = SSL_get_app_data(ssl);
    if (tls->key_len == 0) return 0;
    lru_put(tls->client->sessions, slice_make(tls->key, tls->key_len), session);
    return 1; /* the session is ours now */
}

struct tls_client_ctx *tls_client_open(const struct tls_client_options *options, struct err *err) {
    struct tls_client_ctx *ctx = calloc(1, sizeof *ctx);
    if (!ctx) {
        err_set(err, ERR_SYSTEM, "out of memory");
        return NULL;
    }
    ctx->ssl = new_context(TLS_client_method(), err);
    ctx->sessions = lru_open(options->max_sessions ? options->max_sessions : DEFAULT_SESSIONS, drop_session);
    if (!ctx->ssl || !ctx->sessions) goto fail;
    int ok = options->ca_file ? SSL_CTX_load_verify_file(ctx->ssl, options->ca_file)
                              : SSL_CTX_set_default_verify_paths(ctx->ssl);
    if (ok != 1) {
        err_set(err, ERR_INPUT, "cannot read certificates from %s: %s",
                options->ca_file ? options->ca_file : "the default store", library_error());
        goto fail;
    }
    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx->ssl, on_new_session);
    return ctx;
fail:
    if (ctx->ssl && !ctx->sessions) err_set(err, ERR_SYSTEM, "out of memory");
    tls_client_close(ctx);
    return NULL;
}

void tls_client_close(struct tls_client_ctx *ctx) {
    if (!ctx) return;
    lru_close(ctx->sessions);
    SSL_CTX_free(ctx->ssl);
    free(ctx);
}

static int use_certificates(SSL_CTX *ssl, struct slice pem) {
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int ok = cert ? SSL_CTX_use_certificate(ssl, cert) : 0;
    X509_free(cert);
    while (ok == 1 && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        ok = SSL_CTX_add0_chain_cert(ssl, cert) == 1;
    if (ok == 1) ERR_clear_error(); /* "no start line" ends the chain */
    BIO_free(bio);
    return ok;
}

static int use_key(SSL_CTX *ssl, struct slice pem) {
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    int ok = key ? SSL_CTX_use_PrivateKey(ssl, key) : 0;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok == 1 && SSL_CTX_check_private_key(ssl) == 1;
}

struct tls_server_ctx *tls_server_open(struct slice cert_pem, struct slice key_pem, struct err *err) {
    struct tls_server_ctx *ctx = calloc(1, sizeof *ctx);
    if (!ctx) {
        err_set(err, ERR_SYSTEM, "out of memory");
        return NULL;
    }
    ctx->ssl = new_context(TLS_server_method(), err);
    if (ctx->ssl && (!use_certificates(ctx->ssl, cert_pem) || !use_key(ctx->ssl, key_pem))) {
        err_set(err, ERR_INPUT, "cannot use the certificate and key: %s", library_error());
        SSL_CTX_free(ctx->ssl);
        ctx->ssl = NULL;
    }
    if (!ctx->ssl) {
        free(ctx);
        return NULL;
    }
    SSL_CTX_set_num_tickets(ctx->ssl, 1);
    return ctx;
}

void tls_server_close(struct tls_server_ctx *ctx) {
    if (!ctx) return;
    SSL_CTX_free(ctx->ssl);
    free(ctx);
}

/* --- connections --- */

static struct tls *new_tls(SSL_CTX *ctx, int fd, struct slice key, struct err *err) {
    ERR_clear_error();
    struct tls *tls = calloc(1, sizeof *tls + key.len);
    SSL *ssl = tls ? SSL_new(ctx) : NULL;
    BIO *bio = ssl ? BIO_new(bio_method) : NULL;
    if (!bio) {
        SSL_free(ssl);
        free(tls);
        library_failed(err, "cannot begin TLS");
        return NULL;
    }
    tls->ssl = ssl;
    tls->fd = fd;
    tls->key_len = key.len;
    if (key.len > 0) memcpy(tls->key, key.at, key.len);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, tls);
    return tls;
}

/* An address is no name for SNI (RFC 6066 section 3), and what is too long or holds NUL is no name at all. */
static bool name_text(struct slice name, char out[NAME_MAX_LEN + 1]) {
    if (name.len > 0 && name.at[name.len - 1] == '.') name.len--;
    if (name.len == 0 || name.len > NAME_MAX_LEN || slice_find(name, '\0') >= 0) return false;
    memcpy(out, name.at, name.len);
    out[name.len] = '\0';
    return true;
}

static size_t cache_key(struct slice name, struct slice session_key, enum tls_verify verify,
                        char out[KEY_MAX]) {
    if (session_key.len == 0 || session_key.len > 100 || name.len > NAME_MAX_LEN + 1) return 0;
    int n = snprintf(out, KEY_MAX, "%d %.*s %.*s", (int)verify, SLICE_ARG(name), SLICE_ARG(session_key));
    return n > 0 && n < KEY_MAX ? (size_t)n : 0;
}

struct tls *tls_connect(struct tls_client_ctx *ctx, int fd, struct slice server_name, enum tls_verify verify,
                        struct slice session_key, struct err *err) {
    char key[KEY_MAX], name[NAME_MAX_LEN + 1];
    size_t key_len = cache_key(server_name, session_key, verify, key);
    struct tls *tls = new_tls(ctx->ssl, fd, slice_make(key, key_len), err);
    if (!tls) return NULL;
    tls->client = ctx;
    tls->verify = verify;
    tls->named = name_text(server_name, name);
    if (tls->named) {
        SSL_set_tlsext_host_name(tls->ssl, name);
        SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        tls->named = SSL_set1_host(tls->ssl, name) == 1;
    }
    if (verify == TLS_VERIFY_REQUIRE) {
        SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, NULL);
    } else {
        SSL_set_verify(tls->ssl, SSL_VERIFY_NONE, NULL);
        SSL_set_security_level(tls->ssl, 0); /* weak is still better than the plain text that else follows */
    }
    SSL_SESSION *session = key_len ? lru_get(ctx->sessions, slice_make(key, key_len)) : NULL;
    if (session && SSL_SESSION_is_resumable(session)) SSL_set_session(tls->ssl, session);
    SSL_set_connect_state(tls->ssl);
    ERR_clear_error();
    return tls;
}

struct tls *tls_accept(struct tls_server_ctx *ctx, int fd, struct err *err) {
    struct tls *tls = new_tls(ctx->ssl, fd, slice_make(NULL, 0), err);
    if (tls) SSL_set_accept_state(tls->ssl);
    return tls;
}

void tls_free(struct tls *tls) {
    if (!tls) return;
    SSL_free(tls->ssl);
    free(tls);
}

void tls_finish(struct tls *tls) {
    if (tls->broken || !SSL_is_init_finished(tls->ssl)) return;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
    tls->broken = true;
}

bool tls_pending(const struct tls *tls) {
    return SSL_has_pending(tls->ssl) == 1;
}

const char *tls_why(const struct tls *tls) {
    return tls->why;
}

static enum tls_result result(struct tls *tls, int rc) {
    int code = SSL_get_error(tls->ssl, rc);
    if (code == SSL_ERROR_WANT_READ) return TLS_WANT_READ;
    if (code == SSL_ERROR_WANT_WRITE) return TLS_WANT_WRITE;
    if (code == SSL_ERROR_ZERO_RETURN) {
        snprintf(tls->why, sizeof tls->why, "the peer closed the connection");
        ERR_clear_error();
        return TLS_CLOSED;
    }
    tls->broken = true;
    if (code == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) {
        char text[100] = "the peer closed the connection";
        const char *shown = tls->error ? strerror_r(tls->error, text, sizeof text) : text;
        snprintf(tls->why, sizeof tls->why, "%s", shown);
    } else {
        snprintf(tls->why, sizeof tls->why, "%s", library_error());
    }
    return TLS_FAILED;
}

static void describe(struct tls *tls, struct tls_info *info) {
    SSL *ssl = tls->ssl;
    info->ok = true;
    info->resumed = SSL_session_reused(ssl) == 1;
    snprintf(info->version, sizeof info->version, "%s", SSL_get_version(ssl));
    snprintf(info->cipher, sizeof info->cipher, "%s", SSL_get_cipher_name(ssl));
    if (!tls->client) return;
    long verdict = SSL_get_verify_result(ssl);
    bool has_cert = SSL_get0_peer_certificate(ssl) != NULL;
    info->verified = verdict == X509_V_OK && has_cert && tls->named;
    if (info->verified) return;
    const char *text = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                       : has_cert           ? "no host name to check it against"
                                            : "the server sent no certificate";
    snprintf(info->text, sizeof info->text, "%s", text);
}

static void describe_failure(struct tls *tls, struct tls_info *info) {
    long verdict = tls->client ? SSL_get_verify_result(tls->ssl) : X509_V_OK;
    if (tls->client && tls->verify == TLS_VERIFY_REQUIRE && verdict != X509_V_OK)
        snprintf(info->text, sizeof info->text, "TLS handshake: certificate: %s",
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(info->text, sizeof info->text, "TLS handshake: %s", tls->why);
    /* A ticket that the server chokes on must not be offered again. */
    if (tls->key_len > 0) lru_remove(tls->client->sessions, slice_make(tls->key, tls->key_len));
}

enum tls_result tls_handshake(struct tls *tls, struct tls_info *info) {
    *info = (struct tls_info){.ok = false};
    if (tls->client && tls->verify == TLS_VERIFY_REQUIRE && !tls->named) {
        snprintf(info->text, sizeof info->text, "TLS handshake: no host name to verify");
        return TLS_FAILED;
    }
    ERR_clear_error();
    int rc = SSL_do_handshake(tls->ssl);
    if (rc == 1) {
        describe(tls, info);
        return TLS_OK;
    }
    enum tls_result r = result(tls, rc);
    if (r == TLS_CLOSED) r = TLS_FAILED;
    if (r == TLS_FAILED) describe_failure(tls, info);
    return r;
}

enum tls_result tls_read(struct tls *tls, char *into, size_t room, size_t *got) {
    *got = 0;
    if (tls->later != TLS_OK) return tls->later;
    ERR_clear_error();
    while (*got < room) { /* each call gives one record at most */
        size_t n = 0;
        int rc = SSL_read_ex(tls->ssl, into + *got, room - *got, &n);
        *got += n;
        if (rc == 1) continue;
        enum tls_result r = result(tls, rc);
        if (*got == 0) return r;
        if (r == TLS_CLOSED || r == TLS_FAILED) tls->later = r;
        return TLS_OK;
    }
    return TLS_OK;
}

enum tls_result tls_write(struct tls *tls, const char *bytes, size_t n, size_t *put) {
    *put = 0;
    ERR_clear_error();
    while (*put < n) {
        size_t done = 0;
        int rc = SSL_write_ex(tls->ssl, bytes + *put, n - *put, &done);
        if (rc != 1) return result(tls, rc);
        *put += done;
    }
    return TLS_OK;
}

/* --- certificates for the fake internet and for tests --- */

static bool add_names(X509 *cert, const char *const names[], size_t n) {
    struct buf text;
    buf_init(&text, 65536);
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%sDNS:%s", i ? "," : "", names[i]);
    buf_put_c(&text, '\0');
    X509V3_CTX v3;
    X509V3_set_ctx(&v3, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = text.failed ? NULL : X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, text.at);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    buf_done(&text);
    return ok;
}

static bool fill_certificate(X509 *cert, EVP_PKEY *key, const char *const names[], size_t n, int days) {
    X509_NAME *subject = X509_get_subject_name(cert);
    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set_int64(X509_get_serialNumber(cert), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -86400) &&
           X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * days) && X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)names[0], -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1 && add_names(cert, names, n) &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

static bool put_pem(BIO *bio, bool written, struct buf *out) {
    char *bytes = NULL;
    long n = written ? BIO_get_mem_data(bio, &bytes) : 0;
    return n > 0 && buf_put(out, bytes, (size_t)n);
}

int tls_self_signed(const char *const names[], size_t n, int days, struct buf *cert_pem, struct buf *key_pem,
                    struct err *err) {
    assert(n > 0);
    ERR_clear_error();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    bool ok =
        key && cert && cert_bio && key_bio && fill_certificate(cert, key, names, n, days) &&
        put_pem(cert_bio, PEM_write_bio_X509(cert_bio, cert) == 1, cert_pem) &&
        put_pem(key_bio, PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1, key_pem);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok ? 0 : library_failed(err, "cannot make a certificate");
}
