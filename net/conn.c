/* Connections: a state machine around one non-blocking socket.
 *
 *     CONNECTING -> (PROXY ->) OPEN -> HANDSHAKE -> OPEN -> ENDED        (conn_close leads out of any state)
 *
 * Nothing is called from within a function of the interface: what is found out there (a source address that
 * can't be bound, a broken pipe) is told from the `soon` timer, in this turn or the next. A failed write does
 * not end the connection: first what the peer had said before is read, because a server's last words (421)
 * decide what becomes of the mail. */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum state { CONNECTING, PROXY, OPEN, HANDSHAKE, ENDED };

enum { READS_A_TURN = 4 };

struct conn {
    struct loop *loop;
    struct loop_poll *poll;
    struct loop_timer deadline;
    struct loop_timer soon; /* until it is open: the connect deadline */
    const struct conn_events *events;
    void *ctx;
    struct tls *tls;
    struct proxy_talk *talk; /* until the proxy has done its part */
    uint64_t in, out;
    struct net_addr remote, local, proxy; /* proxy: NET_NONE without one */
    const char *failed_at;                /* what failed before or beside reading, with `error` */
    int error;
    int fd;
    uint8_t state;
    bool closing;
    bool reading;
    bool blocked;          /* conn_write took less than offered */
    bool needs_write;      /* the handshake or a TLS read waits until the socket takes bytes */
    bool write_needs_read; /* a TLS write waits for bytes to come */
};

static void set_interest(struct conn *c) {
    unsigned interest = 0;
    if (c->state == CONNECTING)
        interest = c->failed_at ? 0 : LOOP_WRITE;
    else if (c->state == PROXY)
        interest = proxy_output(c->talk).len ? LOOP_WRITE : LOOP_READ;
    else if (c->state == HANDSHAKE)
        interest = c->needs_write ? LOOP_WRITE : LOOP_READ;
    else if (c->state == OPEN)
        interest = (c->reading || c->write_needs_read ? LOOP_READ : 0) |
                   ((c->blocked && !c->write_needs_read) || c->needs_write ? LOOP_WRITE : 0);
    loop_poll_set(c->poll, interest);
}

/* --- the end --- */

/* "connect to 192.0.2.1:25: Connection refused", "connect to proxy 192.0.2.9:1080: ..." */
static void describe_end(const struct conn *c, struct conn_end_info *end, const char *text) {
    char remote[NET_ADDR_TEXT_MAX], proxy[NET_ADDR_TEXT_MAX], reason[96];
    bool by_proxy = end->why == CONN_PROXY || end->why == CONN_PROXY_REFUSED,
         far = c->proxy.family && !by_proxy;
    net_addr_format_port(&c->remote, remote);
    net_addr_format_port(&c->proxy, proxy);
    if (!text) text = strerror_r(end->error, reason, sizeof reason);
    snprintf(end->text, sizeof end->text, "%s%s%s%s%s%s: %s",
             end->why == CONN_REFUSED || end->why == CONN_TIMEOUT || c->state == CONNECTING ? "connect to "
                                                                                            : "",
             by_proxy ? "proxy " : "",
             by_proxy    ? proxy
             : remote[0] ? remote
                         : "local socket",
             far ? " through proxy " : "", far ? proxy : "", c->failed_at ? c->failed_at : "", text);
}

static void stop_talk(struct conn *c) {
    if (c->talk) proxy_talk_done(c->talk);
    free(c->talk);
    c->talk = NULL;
}

static void finish(struct conn *c, enum conn_end why, int error, const char *text) {
    struct conn_end_info end = {.why = why, .error = error};
    describe_end(c, &end, text);
    c->state = ENDED;
    stop_talk(c);
    loop_timer_stop(&c->deadline);
    loop_timer_stop(&c->soon);
    set_interest(c);
    if (c->events->closed) c->events->closed(c->ctx, &end);
}

/* errno of a connect that failed. */
static void connect_failed(struct conn *c, int error) {
    enum conn_end why = c->proxy.family ? CONN_PROXY : error == ETIMEDOUT ? CONN_TIMEOUT : CONN_REFUSED;
    finish(c, why, error, NULL);
}

static void connect_late(struct conn *c) {
    bool remote = c->state == PROXY && c->talk->socks.asked;
    finish(c, c->proxy.family && !remote ? CONN_PROXY : CONN_TIMEOUT, ETIMEDOUT, NULL);
}

/* --- input --- */

static void read_ended(struct conn *c) {
    if (c->failed_at)
        finish(c, CONN_RESET, c->error, NULL);
    else
        finish(c, CONN_EOF, 0, "the peer closed the connection");
}

/* Both return true when bytes were handed on and more may be there at once. */
static bool read_clear(struct conn *c) {
    char *into = loop_scratch(c->loop);
    ssize_t n = recv(c->fd, into, LOOP_SCRATCH, 0);
    if (n > 0) {
        c->in += (uint64_t)n;
        if (c->events->input) c->events->input(c->ctx, slice_make(into, (size_t)n));
        return c->failed_at || n == LOOP_SCRATCH;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR) && !c->failed_at) return false;
    if (n < 0 && !c->failed_at)
        finish(c, CONN_RESET, errno, NULL);
    else
        read_ended(c);
    return false;
}

static bool read_tls(struct conn *c) {
    char *into = loop_scratch(c->loop);
    size_t n = 0;
    enum tls_result r = tls_read(c->tls, into, LOOP_SCRATCH, &n);
    c->needs_write = r == TLS_WANT_WRITE;
    if (n > 0) {
        c->in += n;
        if (c->events->input) c->events->input(c->ctx, slice_make(into, n));
        return !c->closing && (c->failed_at || n == LOOP_SCRATCH || tls_pending(c->tls));
    }
    if ((r == TLS_WANT_READ || r == TLS_WANT_WRITE) && !c->failed_at) return false;
    if (r == TLS_FAILED && !c->failed_at)
        finish(c, CONN_TLS, 0, tls_why(c->tls));
    else
        read_ended(c);
    return false;
}

static bool can_read(const struct conn *c) {
    return c->state == OPEN && !c->closing && (c->reading || c->failed_at);
}

static void read_input(struct conn *c) {
    bool more = true;
    for (int i = 0; more && i < READS_A_TURN && can_read(c); i++)
        more = c->tls ? read_tls(c) : read_clear(c);
    if (!can_read(c)) return;
    if (more && (c->tls || c->failed_at)) /* what TLS holds makes no socket readable */
        loop_timer_start(&c->soon, loop_now(c->loop));
    set_interest(c);
}

/* --- TLS --- */

static void step_handshake(struct conn *c) {
    struct tls_info info;
    enum tls_result r = tls_handshake(c->tls, &info);
    if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) {
        c->needs_write = r == TLS_WANT_WRITE;
        set_interest(c);
        return;
    }
    c->needs_write = false;
    c->state = r == TLS_OK ? OPEN : ENDED;
    if (r != TLS_OK) loop_timer_stop(&c->deadline);
    set_interest(c);
    if (c->events->tls_done) c->events->tls_done(c->ctx, &info);
    read_input(c); /* what came right behind the handshake is read ahead already */
}

static int begin_tls(struct conn *c, struct tls *tls) {
    if (!tls) return -1;
    assert(c->state == OPEN && !c->tls);
    c->tls = tls;
    c->state = HANDSHAKE;
    c->blocked = c->needs_write = false;
    set_interest(c);
    loop_timer_start(&c->soon, loop_now(c->loop));
    return 0;
}

int conn_start_tls(struct conn *c, struct tls_client_ctx *ctx, struct slice server_name,
                   enum tls_verify verify, struct err *err) {
    char address[NET_ADDR_TEXT_MAX];
    int n = net_addr_format_port(&c->remote, address);
    return begin_tls(c, tls_connect(ctx, c->fd, server_name, verify, slice_make(address, (size_t)n), err));
}

int conn_accept_tls(struct conn *c, struct tls_server_ctx *ctx, struct err *err) {
    return begin_tls(c, tls_accept(ctx, c->fd, err));
}

/* --- events of the loop --- */

static void learn_local(struct conn *c) {
    struct sockaddr_storage at;
    socklen_t n = sizeof at;
    if (getsockname(c->fd, (struct sockaddr *)&at, &n) == 0)
        net_addr_from_sockaddr((struct sockaddr *)&at, &c->local);
}

static void now_open(struct conn *c) {
    loop_timer_stop(&c->soon);
    stop_talk(c);
    c->state = OPEN;
    learn_local(c);
    set_interest(c);
    if (c->events->opened) c->events->opened(c->ctx);
}

/* --- through a proxy --- */

static void talk_ended(struct conn *c, enum socks5_result result) {
    static const enum conn_end why[] = {
        [SOCKS5_TARGET] = CONN_REFUSED, [SOCKS5_REFUSED] = CONN_PROXY_REFUSED, [SOCKS5_BROKEN] = CONN_PROXY};
    char text[SOCKS5_TEXT_MAX];
    memcpy(text, c->talk->socks.text, sizeof text);
    finish(c, why[result], 0, text);
}

/* The proxy ended the connection before it has let us through: with a request before it, it is this remote
 * address that it does not want. */
static void talk_lost(struct conn *c, int error) {
    finish(c, c->talk->socks.asked ? CONN_PROXY_REFUSED : CONN_PROXY, error,
           error ? NULL : "it closed the connection instead of an answer");
}

/* False: nothing more can be done now. */
static bool talk_write(struct conn *c) {
    struct slice out = proxy_output(c->talk);
    ssize_t n = send(c->fd, out.at, out.len, MSG_NOSIGNAL);
    if (n > 0) proxy_wrote(c->talk, (size_t)n);
    if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) talk_lost(c, errno);
    return n > 0;
}

static bool talk_read(struct conn *c) {
    char *into = loop_scratch(c->loop);
    size_t most = proxy_wants(c->talk) < LOOP_SCRATCH ? proxy_wants(c->talk) : LOOP_SCRATCH;
    ssize_t n = recv(c->fd, into, most, 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) talk_lost(c, n == 0 ? 0 : errno);
        return false;
    }
    enum socks5_result result = proxy_input(c->talk, slice_make(into, (size_t)n));
    if (result == SOCKS5_CONNECTED)
        now_open(c);
    else if (result != SOCKS5_MORE)
        talk_ended(c, result);
    return result == SOCKS5_MORE;
}

static void step_talk(struct conn *c) {
    bool more = true;
    while (more) {
        if (proxy_output(c->talk).len)
            more = talk_write(c);
        else if (proxy_wants(c->talk))
            more = talk_read(c);
        else
            break;
    }
    if (more)
        now_open(c);
    else if (!c->closing && c->state == PROXY)
        set_interest(c);
}

static void finish_connect(struct conn *c) {
    int error = 0;
    socklen_t n = sizeof error;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0) error = errno;
    if (error != 0) {
        connect_failed(c, error);
        return;
    }
    if (!c->talk) {
        now_open(c);
        return;
    }
    c->state = PROXY;
    step_talk(c);
}

static void on_ready(void *ctx, unsigned events) {
    struct conn *c = ctx;
    if (c->closing || c->state == ENDED) return;
    if (c->state == CONNECTING) {
        finish_connect(c);
        return;
    }
    if (c->state == PROXY) {
        step_talk(c);
        return;
    }
    if (c->state == HANDSHAKE) {
        step_handshake(c);
        return;
    }
    bool retry = c->blocked && (events & (c->write_needs_read ? LOOP_READ : LOOP_WRITE));
    if ((events & LOOP_READ) || c->needs_write) read_input(c);
    if (!retry || c->closing || c->state != OPEN || !c->blocked) return;
    c->blocked = c->write_needs_read = false;
    set_interest(c);
    if (c->events->writable) c->events->writable(c->ctx);
}

static void on_soon(void *ctx) {
    struct conn *c = ctx;
    if (c->state == CONNECTING) {
        if (c->failed_at)
            connect_failed(c, c->error);
        else
            connect_late(c);
    } else if (c->state == PROXY) {
        connect_late(c);
    } else if (c->state == HANDSHAKE) {
        step_handshake(c);
    } else {
        read_input(c);
    }
}

static void on_deadline(void *ctx) {
    struct conn *c = ctx;
    if (c->events->expired) c->events->expired(c->ctx);
}

/* --- opening --- */

static struct conn *new_conn(struct loop *loop, int fd, const struct conn_events *events, void *ctx,
                             struct err *err) {
    struct conn *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(err, ERR_SYSTEM, "out of memory");
        return NULL;
    }
    c->poll = loop_poll_open(loop, fd, on_ready, c, err);
    if (!c->poll) {
        free(c);
        return NULL;
    }
    c->loop = loop;
    c->fd = fd;
    c->events = events;
    c->ctx = ctx;
    c->reading = true;
    loop_timer_init(&c->deadline, loop, on_deadline, c);
    loop_timer_init(&c->soon, loop, on_soon, c);
    return c;
}

/* Binds and connects; what fails is told soon. */
static void start_connect(struct conn *c, const struct conn_options *o) {
    struct sockaddr_storage at;
    int on = 1;
    if (o->send_buffer) {
        int size = (int)o->send_buffer;
        setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    socklen_t n = o->proxy ? 0 : net_addr_to_sockaddr(&o->source, &at);
    if (n > 0 && o->source.port == 0) /* so that ports run out only for each peer, not for each source */
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (n > 0 && bind(c->fd, (struct sockaddr *)&at, n) != 0) {
        c->failed_at = ": source address";
    } else {
        n = net_addr_to_sockaddr(o->proxy ? &o->proxy->address : &o->remote, &at);
        if (connect(c->fd, (struct sockaddr *)&at, n) != 0 && errno != EINPROGRESS) c->failed_at = "";
    }
    c->error = errno;
    loop_timer_start(&c->soon, c->failed_at ? loop_now(c->loop) : o->connect_deadline);
    set_interest(c);
}

static int start_talk(struct conn *c, const struct conn_options *o, struct err *err) {
    c->proxy = o->proxy->address;
    c->talk = malloc(sizeof *c->talk);
    if (!c->talk) return err_set(err, ERR_SYSTEM, "out of memory");
    if (proxy_talk_init(c->talk, o->proxy, &o->remote)) return 0;
    return err_set(err, ERR_INPUT, "the proxy's source address is not of the remote address's family");
}

struct conn *conn_open(struct loop *loop, const struct conn_options *options,
                       const struct conn_events *events, void *ctx, struct err *err) {
    const struct net_addr *to = options->proxy ? &options->proxy->address : &options->remote;
    assert(options->remote.family != NET_NONE && options->remote.port != 0);
    int family = to->family == NET_V4 ? AF_INET : AF_INET6, on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_errno(err, errno, "cannot open a socket");
        return NULL;
    }
    struct conn *c = new_conn(loop, fd, events, ctx, err);
    if (!c) {
        close(fd);
        return NULL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->remote = options->remote;
    if (options->proxy && start_talk(c, options, err)) {
        conn_close(c);
        return NULL;
    }
    start_connect(c, options);
    return c;
}

struct conn *conn_adopt(struct loop *loop, int fd, const struct conn_events *events, void *ctx,
                        struct err *err) {
    struct conn *c = new_conn(loop, fd, events, ctx, err);
    if (!c) return NULL;
    struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof at;
    int on = 1;
    if (getpeername(fd, (struct sockaddr *)&at, &n) == 0)
        net_addr_from_sockaddr((struct sockaddr *)&at, &c->remote);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    learn_local(c);
    c->state = OPEN;
    set_interest(c);
    return c;
}

static void release(void *ctx) {
    struct conn *c = ctx;
    free(c);
}

void conn_close(struct conn *c) {
    if (!c || c->closing) return;
    c->closing = true;
    loop_timer_stop(&c->deadline);
    loop_timer_stop(&c->soon);
    if (c->tls && c->state == OPEN && !c->failed_at) tls_finish(c->tls);
    tls_free(c->tls);
    c->tls = NULL;
    stop_talk(c);
    loop_poll_close(c->poll, release);
    close(c->fd);
}

/* --- output and the rest of the interface --- */

static void write_failed(struct conn *c, int error) {
    c->failed_at = "";
    c->error = error;
    loop_timer_start(&c->soon, loop_now(c->loop));
}

size_t conn_write(struct conn *c, const void *bytes, size_t n) {
    if (c->closing || c->state != OPEN || c->failed_at || n == 0) return 0;
    size_t put = 0;
    if (c->tls) {
        enum tls_result r = tls_write(c->tls, bytes, n, &put);
        if (r == TLS_FAILED || r == TLS_CLOSED) write_failed(c, EPIPE);
        c->write_needs_read = r == TLS_WANT_READ;
    } else {
        ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) write_failed(c, errno);
        put = sent > 0 ? (size_t)sent : 0;
    }
    c->out += put;
    c->blocked = put < n && !c->failed_at;
    set_interest(c);
    return put;
}

void conn_finish(struct conn *c) {
    if (c->closing || c->state != OPEN) return;
    if (c->tls) tls_finish(c->tls);
    shutdown(c->fd, SHUT_WR);
}

void conn_deadline(struct conn *c, mono_us at) {
    if (!c->closing && c->state != ENDED) loop_timer_start(&c->deadline, at);
}

void conn_read(struct conn *c, bool on) {
    if (c->closing || c->reading == on) return;
    c->reading = on;
    if (c->state != OPEN) return;
    if (on && c->tls) loop_timer_start(&c->soon, loop_now(c->loop));
    set_interest(c);
}

const struct net_addr *conn_remote(const struct conn *c) {
    return &c->remote;
}
const struct net_addr *conn_local(const struct conn *c) {
    return &c->local;
}
uint64_t conn_bytes_in(const struct conn *c) {
    return c->in;
}
uint64_t conn_bytes_out(const struct conn *c) {
    return c->out;
}
