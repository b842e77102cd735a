/* Sockets of the fake hosts. A connection with something to do is on the work list; each turn handles the
 * list once: read, feed, and after the truth log is written, send and act. */
#include "sim_server.h"

#include "sim_smtp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 128 << 10, ACCEPTS = 256, CLOSE_WAIT_S = 5 };

struct conn {
    struct sim_watch watch; /* first: the loop hands it back */
    struct sim_timer timer;
    struct sim_server *server;
    struct sim_session session;
    struct sim_tls_conn *tls;
    char *rest; /* read, not yet taken */
    size_t rest_len;
    struct conn *next;          /* on the work list */
    struct conn *older, *newer; /* all of them */
    size_t sent;                /* of session.out */
    bool queued, readable, hung_up, ended, waiting, closing, dead;
    bool full; /* the session stopped for want of room for answers */
};

struct sim_server {
    struct sim_watch watch; /* the listener */
    struct sim_loop *loop;
    struct sim_world *world;
    struct sim_tls_maker *tls;
    struct conn *work, **work_end;
    struct conn *all;
    struct conn *graves; /* freed at the end of the turn: events may still name them */
    uint16_t port;
    char read[READ_SIZE];
};

static void enqueue(struct conn *c) {
    if (c->queued || c->dead) return;
    c->queued = true;
    c->next = NULL;
    *c->server->work_end = c;
    c->server->work_end = &c->next;
}

static void bury(struct conn *c, bool reset) {
    if (c->dead) return;
    c->dead = true;
    struct linger now = {1, 0};
    if (reset) setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (c->tls && !reset) sim_tls_goodbye(c->tls);
    sim_loop_unset(c->server->loop, &c->timer);
    sim_tls_conn_free(c->tls);
    close(c->watch.fd);
    sim_smtp_done(&c->session);
    free(c->rest);
    if (c->older) c->older->newer = c->newer;
    if (c->newer)
        c->newer->older = c->older;
    else
        c->server->all = c->older;
    c->older = c->server->graves;
    c->server->graves = c;
}

static void on_ready(struct sim_watch *w, uint32_t events) {
    struct conn *c = (struct conn *)w;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) c->hung_up = true;
    if (events & EPOLLIN || c->hung_up) c->readable = true;
    enqueue(c);
}

static void on_timer(struct sim_timer *t) {
    struct conn *c = (struct conn *)(void *)((char *)t - offsetof(struct conn, timer));
    c->waiting = false;
    if (c->closing)
        bury(c, true);
    else
        enqueue(c);
}

static void welcome(struct sim_server *s, int fd, const struct sockaddr_in *peer) {
    struct sockaddr_in self = {0};
    socklen_t len = sizeof self;
    int one = 1;
    if (getsockname(fd, (struct sockaddr *)&self, &len) < 0) goto refuse;
    struct sim_name host = sim_names_at(s->world->scenario, ntohl(self.sin_addr.s_addr));
    struct conn *c = host.kind == SIM_NAME_HOST ? calloc(1, sizeof *c) : NULL;
    if (!c) goto refuse;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->watch = (struct sim_watch){fd, on_ready};
    c->timer.due = on_timer;
    c->server = s;
    sim_smtp_init(&c->session, s->world, &host, ntohl(self.sin_addr.s_addr), ntohl(peer->sin_addr.s_addr));
    c->older = s->all;
    if (s->all) s->all->newer = c;
    s->all = c;
    if (sim_loop_watch(s->loop, &c->watch, true, NULL) < 0)
        bury(c, true);
    else
        enqueue(c);
    return;
refuse:
    close(fd); /* no such host here: as near to a refused connection as one listener gets */
}

static void on_listener(struct sim_watch *w, uint32_t events) {
    struct sim_server *s = (struct sim_server *)w;
    (void)events;
    for (int i = 0; i < ACCEPTS; i++) {
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof peer;
        int fd = accept4(w->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        welcome(s, fd, &peer);
    }
}

/* Reads once. Returns bytes, 0 for none. Sets ended. */
static size_t read_some(struct conn *c, char *to, size_t room) {
    long n;
    if (!c->readable || c->ended || room == 0) return 0;
    if (c->tls) {
        n = sim_tls_read(c->tls, to, room);
        if (n == -2) c->readable = false;
    } else {
        do
            n = recv(c->watch.fd, to, room, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN) {
            c->readable = false;
            return 0;
        }
        /* A short read has emptied the socket and what comes later is a new edge; but an end may be there
         * already. */
        if (n > 0 && (size_t)n < room && !c->hung_up) c->readable = false;
    }
    if (n == 0 || n == -1) c->ended = true;
    return n > 0 ? (size_t)n : 0;
}

static void keep_rest(struct conn *c, const char *at, size_t len) {
    if (len == 0) {
        free(c->rest);
        c->rest = NULL;
    } else {
        char *kept = at == c->rest ? c->rest : malloc(len);
        if (!kept) abort();
        if (kept != c->rest) {
            memcpy(kept, at, len);
            free(c->rest);
        }
        c->rest = kept;
    }
    c->rest_len = len;
}

/* What is held back and what can be read goes to the session; it says what comes next. */
static void feed(struct conn *c) {
    struct sim_server *s = c->server;
    size_t have = c->rest_len, taken;
    if (have) memcpy(s->read, c->rest, have);
    have += read_some(c, s->read + have, sizeof s->read - have);
    taken = sim_smtp_feed(&c->session, (struct slice){s->read, have});
    keep_rest(c, s->read + taken, have - taken);
    c->full = have > taken && c->session.out.len > READ_SIZE;
    if (c->session.want == SIM_WANT_WAIT) {
        c->waiting = true;
        sim_loop_set(s->loop, &c->timer, s->loop->now + sim_clock_real(&s->world->clock, c->session.wait_us));
    }
}

static void handle(struct conn *c) {
    enum sim_want want = c->session.want;
    if (c->closing || want == SIM_WANT_STALL) {
        while (c->readable && !c->ended) /* thrown away: we only look for the end */
            read_some(c, c->server->read, sizeof c->server->read);
    } else if (!c->waiting && (want == SIM_WANT_INPUT || want == SIM_WANT_WAIT) && c->session.out.len == 0) {
        feed(c);
    }
    if (c->ended && c->session.out.len == 0 && !c->waiting) bury(c, false);
}

/* Sends what there is. False when it must wait, or the connection broke. */
static bool send_out(struct conn *c) {
    struct buf *out = &c->session.out;
    while (c->sent < out->len) {
        long n = c->tls ? sim_tls_write(c->tls, out->at + c->sent, out->len - c->sent)
                        : send(c->watch.fd, out->at + c->sent, out->len - c->sent, MSG_NOSIGNAL);
        if (n > 0) {
            c->sent += (size_t)n;
            continue;
        }
        bool wait = c->tls ? n == -2 : errno == EAGAIN || errno == EINTR;
        if (!wait) bury(c, false);
        return false;
    }
    c->sent = 0;
    buf_reset(out);
    return true;
}

static void start_tls(struct conn *c) {
    char host[256];
    if (c->session.tls_garbage) {
        buf_put_slice(&c->session.out, SLICE("\x15\x03\x01\xff\xff no TLS here \x01\x02"));
        c->session.tls_garbage = false;
        c->session.want = SIM_WANT_CLOSE;
        enqueue(c);
        return;
    }
    if (c->rest_len) { /* commands sent in the clear before TLS stood (RFC 3207, injection) */
        bury(c, false);
        return;
    }
    struct slice name = {host, sim_host_name(&c->session.host, host)};
    const struct sim_provider *p = c->session.provider;
    c->tls = sim_tls_accept(c->server->tls, c->watch.fd, name, (int)p->certificate, (int)p->tls_version);
    if (!c->tls) {
        bury(c, true);
        return;
    }
    sim_smtp_secured(&c->session);
    c->readable = true;
    enqueue(c);
}

/* Half-closes and waits for the client to close too, so that what was sent is not lost to a reset. */
static void start_close(struct conn *c) {
    if (c->ended) {
        bury(c, false);
        return;
    }
    if (c->tls) sim_tls_goodbye(c->tls);
    shutdown(c->watch.fd, SHUT_WR);
    c->closing = true;
    sim_loop_set(c->server->loop, &c->timer, c->server->loop->now + CLOSE_WAIT_S * US_PER_SEC);
    if (c->readable) enqueue(c);
}

static void act(struct conn *c) {
    if (c->dead || c->closing || !send_out(c)) return;
    switch (c->session.want) {
    case SIM_WANT_TLS: start_tls(c); return;
    case SIM_WANT_CLOSE: start_close(c); return;
    case SIM_WANT_RESET: bury(c, true); return;
    case SIM_WANT_STALL:
    case SIM_WANT_WAIT:
    case SIM_WANT_INPUT: break;
    }
    if ((c->readable || c->full) && !c->waiting) enqueue(c);
}

int sim_server_turn(struct sim_server *s, struct err *err) {
    struct conn *list = s->work;
    sim_world_tick(s->world, s->loop->now, clock_wall());
    s->work = NULL;
    s->work_end = &s->work;
    for (struct conn *c = list; c; c = c->next)
        if (!c->dead) handle(c);
    if (s->world->failed) {
        *err = s->world->err;
        return -1;
    }
    if (s->world->truth.lines.len && sim_truth_flush(&s->world->truth, err)) return -1;
    for (struct conn *c = list, *next; c; c = next) {
        next = c->next;
        c->queued = false;
        act(c);
    }
    while (s->graves) {
        struct conn *c = s->graves;
        s->graves = c->older;
        free(c);
    }
    return 0;
}

bool sim_server_more(const struct sim_server *s) {
    return s->work;
}

struct sim_server *sim_server_open(struct sim_loop *l, struct sim_world *w, struct sim_tls_maker *tls,
                                   uint16_t port, struct err *err) {
    struct sim_server *s = calloc(1, sizeof *s);
    int one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof at;
    if (!s) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    s->loop = l;
    s->world = w;
    s->tls = tls;
    s->work_end = &s->work;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    s->watch = (struct sim_watch){fd, on_listener};
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* Only loopback can reach it. Where that is not to be had, calls by other addresses are hung up on. */
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
        err_errno(err, errno, "SMTP port %u", port);
        sim_server_free(s);
        return NULL;
    }
    s->port = ntohs(at.sin_port);
    if (sim_loop_watch(l, &s->watch, false, err) == 0) return s;
    sim_server_free(s);
    return NULL;
}

uint16_t sim_server_port(const struct sim_server *s) {
    return s->port;
}

void sim_server_free(struct sim_server *s) {
    if (!s) return;
    while (s->all)
        bury(s->all, false);
    while (s->graves) {
        struct conn *c = s->graves;
        s->graves = c->older;
        free(c);
    }
    if (s->watch.fd >= 0) close(s->watch.fd);
    free(s);
}
