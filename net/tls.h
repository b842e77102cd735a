/* TLS contexts: who is trusted, which versions, and the sessions to resume. The bytes flow through conn.h.
 *
 * A context belongs to one thread (its loop's). TLS 1.2 at least. It must outlive the connections that use
 * it. */
#ifndef TSUBAME_TLS_H
#define TSUBAME_TLS_H

#include "buf.h"
#include "err.h"

struct tls_client_options {
    const char *ca_file; /* PEM; NULL: the system's default store */
    size_t max_sessions; /* tickets remembered, the least recently used goes first; 0: 512 */
};

struct tls_client_ctx;
struct tls_client_ctx *tls_client_open(const struct tls_client_options *options, struct err *err);
void tls_client_close(struct tls_client_ctx *ctx); /* NULL is fine */

enum tls_verify {
    TLS_VERIFY_RECORD, /* any certificate will do; tls_info says whether it was good (opportunistic) */
    TLS_VERIFY_REQUIRE /* the handshake fails unless chain and host name are good */
};

/* What came of a handshake. The texts are static or live as long as the callback. */
struct tls_info {
    bool ok;
    bool resumed;  /* a session was taken up again: no certificate was sent */
    bool verified; /* the chain leads to a trusted root and the name matches */
    char version[16];
    char cipher[64];
    char text[256]; /* when !ok: why; when ok and !verified: what is wrong with the certificate; else "" */
};

/* The server's side: for the fake internet and for tests. Chain and key as PEM text. */
struct tls_server_ctx;
struct tls_server_ctx *tls_server_open(struct slice cert_pem, struct slice key_pem, struct err *err);
void tls_server_close(struct tls_server_ctx *ctx);

/* A fresh P-256 key and a certificate for the given DNS names (the first is the subject), signed by itself,
 * valid for `days`: appended as PEM. */
int tls_self_signed(const char *const names[], size_t n, int days, struct buf *cert_pem, struct buf *key_pem,
                    struct err *err);

/* The rest is for conn.c. ----------------------------------------------------------------------------------
 */

struct tls; /* one connection */

enum tls_result { TLS_OK, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };

/* fd: a connected, non-blocking socket that stays the caller's. server_name: for SNI and verification; a
 * final dot is dropped; empty: none. session_key: what sessions are remembered under (empty: not at all). */
struct tls *tls_connect(struct tls_client_ctx *ctx, int fd, struct slice server_name, enum tls_verify verify,
                        struct slice session_key, struct err *err);
struct tls *tls_accept(struct tls_server_ctx *ctx, int fd, struct err *err);
void tls_free(struct tls *tls); /* NULL is fine */

enum tls_result tls_handshake(struct tls *tls, struct tls_info *info); /* info is filled on OK and FAILED */
enum tls_result tls_read(struct tls *tls, char *into, size_t room, size_t *got);

/* *put: how many bytes are on their way; after WANT_* the next call must offer the same bytes again, and may
 * offer more behind them. */
enum tls_result tls_write(struct tls *tls, const char *bytes, size_t n, size_t *put);

/* No more output: close_notify. */
void tls_finish(struct tls *tls);

/* Something decrypted or buffered waits: no readiness of the socket will tell. */
bool tls_pending(const struct tls *tls);

/* What TLS_FAILED and TLS_CLOSED of read or write meant. */
const char *tls_why(const struct tls *tls);

#endif
