/* OpenSSL for the fake internet: TLS for its hosts with certificates made on the spot, and digests of
 * contents.
 *
 * At start a certificate authority is made; each host gets a certificate for its name when it is first asked
 * for TLS. */
#ifndef TSUBAME_SIM_CRYPTO_H
#define TSUBAME_SIM_CRYPTO_H

#include "buf.h"
#include "err.h"
#include "hash.h"

struct sim_tls_maker; /* the authority, and the certificates made so far */
struct sim_tls_conn;  /* one TLS session on a socket */

/* dir: where ca.pem is written, or NULL. NULL with err. */
struct sim_tls_maker *sim_tls_open(const char *dir, struct err *err);
void sim_tls_free(struct sim_tls_maker *m);

/* The server's end of TLS on fd for a host. kind: enum sim_certificate; version: 0 for any, 1 for 1.0 to 4
 * for 1.3 only. fd stays the caller's. NULL without
 * memory. */
struct sim_tls_conn *sim_tls_accept(struct sim_tls_maker *m, int fd, struct slice host, int kind,
                                    int version);
void sim_tls_conn_free(struct sim_tls_conn *c);

/* As read(2) and write(2): bytes, 0 at the end, -1 on failure, -2 when the socket must be waited for. */
long sim_tls_read(struct sim_tls_conn *c, void *to, size_t n);
long sim_tls_write(struct sim_tls_conn *c, const void *from, size_t n);
void sim_tls_goodbye(struct sim_tls_conn *c); /* sends close_notify if that goes without waiting */

/* A digest of bytes that come in pieces: XXH64, or SHA-256 when asked for. */
struct sim_digest {
    struct hash_stream xx;
    void *sha; /* NULL: XXH64 */
};
void sim_digest_start(struct sim_digest *d, bool sha256); /* may follow another start */
void sim_digest_add(struct sim_digest *d, struct slice s);
size_t sim_digest_end(struct sim_digest *d, char hex[65]); /* returns the length of the text */
void sim_digest_done(struct sim_digest *d);

#endif
