/* One non-blocking stream connection on a loop: TCP or Unix, in clear or under TLS.
 *
 * It holds no output: the caller keeps what the kernel (or TLS) did not take and offers it again when
 * `writable` comes. Input goes to the caller as it arrives. TCP_NODELAY is set: write whole things.
 *
 * Ownership: conn_open, conn_adopt -> the caller, who ends it with conn_close, also after `closed` came. */
#ifndef TSUBAME_CONN_H
#define TSUBAME_CONN_H

#include "addr.h"
#include "listener.h"
#include "loop.h"
#include "proxy.h"
#include "tls.h"

struct conn;

enum conn_end {
    CONN_EOF,     /* the peer ended the stream (in TLS: with or without saying so) */
    CONN_RESET,   /* reset, broken pipe, unreachable while open: see the text */
    CONN_REFUSED, /* while connecting: refused, unreachable, no route, source address not usable */
    CONN_TIMEOUT, /* while connecting: the connect deadline passed or the kernel gave up; a proxy that has
                     been asked and does not answer waits for the remote address in its turn */
    CONN_TLS,     /* bad TLS after the handshake: alert, bad record */
    CONN_PROXY,   /* before `opened`: the proxy can't be reached, does not let us in, or is none */
    CONN_PROXY_REFUSED /* the same: it would not, or could not, connect to this remote address */
};

struct conn_end_info {
    enum conn_end why;
    int error;      /* errno, or 0 */
    char text[256]; /* for people: "connect to 127.0.0.1:25: Connection refused" */
};

/* Any may be NULL; the table outlives the connection. ctx is the one handed to conn_open. All may call any
 * conn function, conn_close too. */
struct conn_events {
    void (*opened)(void *ctx); /* connected; not for adopted connections. Through an HAProxy: to the proxy,
                                  which closes when the remote address can't be reached. */
    void (*input)(void *ctx, struct slice bytes); /* len > 0; valid during the call */
    void (*writable)(void *ctx);                  /* after conn_write took less than offered */
    void (*tls_done)(void *ctx, const struct tls_info *info);
    void (*expired)(void *ctx); /* the deadline of conn_deadline passed; still open */
    void (*closed)(void *ctx, const struct conn_end_info *end); /* the last one; then conn_close */
};

struct conn_options {
    struct net_addr remote;            /* with port */
    struct net_addr source;            /* to bind; NET_NONE: the kernel's choice. Its port is usually 0. */
    mono_us connect_deadline;          /* absolute, what is said to a proxy included; NEVER: the kernel's */
    const struct proxy_options *proxy; /* connects there, and on to `remote` through it; NULL: directly.
                                          Outlives the time until `opened`; `source` is for the direct way. */
    unsigned send_buffer;              /* SO_SNDBUF, 0: the kernel's choice */
};

/* Starts connecting; `opened` or `closed` follows, never from within. NULL with err only for lack of
 * descriptors or memory (a source address that can't be bound is reported through `closed`). */
struct conn *conn_open(struct loop *loop, const struct conn_options *options,
                       const struct conn_events *events, void *ctx, struct err *err);

/* Takes over a connected stream socket (made non-blocking); on failure fd stays the caller's. */
struct conn *conn_adopt(struct loop *loop, int fd, const struct conn_events *events, void *ctx,
                        struct err *err);

/* No callback comes any more; the memory goes at the end of the turn, so that a second call in the same turn
 * is harmless. What conn_write took is still delivered by the kernel. NULL is fine. */
void conn_close(struct conn *c);

/* How many of the n bytes were taken. Less than n: `writable` will come; offer the remaining bytes again
 * then, the same ones in front (TLS insists). 0 before opened, during a handshake and after the end. An error
 * shows itself as `closed` later, when what the peer had said before has been read: a server's last words
 * matter. */
size_t conn_write(struct conn *c, const void *bytes, size_t n);

/* No more output: the peer reads the end (in TLS: close_notify too). Input goes on. */
void conn_finish(struct conn *c);

/* Calls `expired` at that time, once; NEVER takes it back. Setting it again and again is cheap. */
void conn_deadline(struct conn *c, mono_us at);

/* Stops and starts reading: for back-pressure. Starts on. */
void conn_read(struct conn *c, bool on);

/* Begins TLS on an open connection; no output may be pending. `tls_done` follows, never from within, unless
 * the deadline comes first (then `expired`). After tls_done with !ok nothing more comes: conn_close. The
 * session is remembered for server_name and the remote address. -1 with err for lack of memory. */
int conn_start_tls(struct conn *c, struct tls_client_ctx *ctx, struct slice server_name,
                   enum tls_verify verify, struct err *err);
int conn_accept_tls(struct conn *c, struct tls_server_ctx *ctx, struct err *err);

const struct net_addr *conn_remote(const struct conn *c);
const struct net_addr *conn_local(const struct conn *c); /* known from `opened` on */
uint64_t conn_bytes_in(const struct conn *c);            /* payload, under TLS too */
uint64_t conn_bytes_out(const struct conn *c);

#endif
