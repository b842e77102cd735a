/* UDP by recvmmsg and sendmmsg; TCP connections are few and short. */
#include "sim_dnsd.h"

#include "sim_dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, BATCHES = 8, QUERY_MAX = 1024, TCP_IDLE_S = 10, TCP_CONNS = 256 };

struct tcp_conn {
    struct sim_watch watch; /* first */
    struct sim_timer timer;
    struct sim_dnsd *owner;
    char query[2 + QUERY_MAX];
    size_t have;
    struct tcp_conn *next, *prev;
};

struct sim_dnsd {
    struct sim_watch udp; /* first */
    struct sim_watch tcp;
    struct sim_loop *loop;
    struct sim_world *world;
    struct tcp_conn *conns;
    size_t count;
    uint16_t port;
    uint64_t queries;
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec in_vec[BATCH], out_vec[BATCH];
    struct sockaddr_in peer[BATCH];
    char query[BATCH][QUERY_MAX], answer[BATCH][SIM_DNS_UDP_MAX];
    char big[2 + SIM_DNS_TCP_MAX];
};

static void prepare(struct sim_dnsd *d) {
    for (size_t i = 0; i < BATCH; i++) {
        d->in_vec[i] = (struct iovec){d->query[i], QUERY_MAX};
        d->in[i].msg_hdr = (struct msghdr){.msg_name = &d->peer[i],
                                           .msg_namelen = sizeof d->peer[i],
                                           .msg_iov = &d->in_vec[i],
                                           .msg_iovlen = 1};
    }
}

/* Answers a batch of queries. False: no more have come. */
static bool answer_some(struct sim_dnsd *d) {
    struct sim_watch *w = &d->udp;
    prepare(d);
    int n = recvmmsg(w->fd, d->in, BATCH, MSG_DONTWAIT, NULL);
    unsigned answers = 0;
    for (int i = 0; i < n; i++) {
        struct slice query = {d->query[i], d->in[i].msg_len};
        size_t len =
            sim_dns_answer(d->world->scenario, d->world->seed, query, true, d->answer[i], SIM_DNS_UDP_MAX);
        d->queries++;
        if (!len) continue;
        d->out_vec[answers] = (struct iovec){d->answer[i], len};
        d->out[answers].msg_hdr = (struct msghdr){.msg_name = &d->peer[i],
                                                  .msg_namelen = d->in[i].msg_hdr.msg_namelen,
                                                  .msg_iov = &d->out_vec[answers],
                                                  .msg_iovlen = 1};
        answers++;
    }
    for (unsigned sent = 0; sent < answers;) {
        int k = sendmmsg(w->fd, d->out + sent, answers - sent, MSG_DONTWAIT);
        sent += k > 0 ? (unsigned)k : 1; /* one that can't be sent is lost, as on a network */
    }
    return n == BATCH;
}

static void on_udp(struct sim_watch *w, uint32_t events) {
    (void)events;
    for (int i = 0; i < BATCHES && answer_some((struct sim_dnsd *)w); i++) {
    }
}

static void close_tcp(struct tcp_conn *c) {
    struct sim_dnsd *d = c->owner;
    sim_loop_unset(d->loop, &c->timer);
    close(c->watch.fd);
    if (c->next) c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        d->conns = c->next;
    d->count--;
    free(c);
}

static void on_idle(struct sim_timer *t) {
    close_tcp((struct tcp_conn *)(void *)((char *)t - offsetof(struct tcp_conn, timer)));
}

/* Answers the whole questions that are there; false when the connection is of no more use. */
static bool answer_tcp(struct tcp_conn *c) {
    struct sim_dnsd *d = c->owner;
    for (;;) {
        size_t len = (size_t)(unsigned char)c->query[0] << 8 | (unsigned char)c->query[1];
        if (c->have < 2 || (len <= QUERY_MAX && c->have < 2 + len)) return true;
        if (len > QUERY_MAX) return false;
        size_t n = sim_dns_answer(d->world->scenario, d->world->seed, (struct slice){c->query + 2, len},
                                  false, d->big + 2, SIM_DNS_TCP_MAX);
        d->queries++;
        d->big[0] = (char)(n >> 8);
        d->big[1] = (char)n;
        if (n && send(c->watch.fd, d->big, n + 2, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n + 2)
            return false;
        c->have -= 2 + len;
        memmove(c->query, c->query + 2 + len, c->have);
    }
}

static void on_tcp(struct sim_watch *w, uint32_t events) {
    struct tcp_conn *c = (struct tcp_conn *)w;
    (void)events;
    ssize_t n = recv(w->fd, c->query + c->have, sizeof c->query - c->have, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) c->have += (size_t)n;
    if (n <= 0 || !answer_tcp(c)) close_tcp(c);
}

static void on_tcp_listener(struct sim_watch *w, uint32_t events) {
    struct sim_dnsd *d = (struct sim_dnsd *)(void *)((char *)w - offsetof(struct sim_dnsd, tcp));
    (void)events;
    int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct tcp_conn *c = d->count < TCP_CONNS ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        close(fd);
        return;
    }
    c->watch = (struct sim_watch){fd, on_tcp};
    c->timer.due = on_idle;
    c->owner = d;
    c->next = d->conns;
    if (c->next) c->next->prev = c;
    d->conns = c;
    d->count++;
    sim_loop_set(d->loop, &c->timer, d->loop->now + TCP_IDLE_S * US_PER_SEC);
    if (sim_loop_watch(d->loop, &c->watch, false, NULL)) close_tcp(c);
}

static int bind_to(int type, uint32_t address, uint16_t port) {
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
    int one = 1, room = 4 << 20, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (type == SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && (type == SOCK_DGRAM || listen(fd, 128) == 0))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* One port for both, also when any will do. */
static int bind_both(struct sim_dnsd *d, uint32_t address, uint16_t port) {
    for (int tries = 0; tries < 20; tries++) {
        struct sockaddr_in at = {0};
        socklen_t len = sizeof at;
        d->udp.fd = bind_to(SOCK_DGRAM, address, port);
        if (d->udp.fd < 0 || getsockname(d->udp.fd, (struct sockaddr *)&at, &len) < 0) return -1;
        d->port = ntohs(at.sin_port);
        d->tcp.fd = bind_to(SOCK_STREAM, address, d->port);
        if (d->tcp.fd >= 0 || port) break;
        close(d->udp.fd);
        d->udp.fd = -1;
    }
    return d->tcp.fd < 0 ? -1 : 0;
}

struct sim_dnsd *sim_dnsd_open(struct sim_loop *l, struct sim_world *w, uint32_t address, uint16_t port,
                               struct err *err) {
    struct sim_dnsd *d = calloc(1, sizeof *d);
    if (!d) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    d->loop = l;
    d->world = w;
    d->udp = (struct sim_watch){-1, on_udp};
    d->tcp = (struct sim_watch){-1, on_tcp_listener};
    if (bind_both(d, address, port))
        err_errno(err, errno, "DNS port %u", port);
    else if (sim_loop_watch(l, &d->udp, false, err) == 0 && sim_loop_watch(l, &d->tcp, false, err) == 0) {
        l->urgent = &d->udp; /* whoever asks gives up long before all of a turn have shaken hands */
        return d;
    }
    sim_dnsd_free(d);
    return NULL;
}

uint16_t sim_dnsd_port(const struct sim_dnsd *d) {
    return d->port;
}

uint64_t sim_dnsd_queries(const struct sim_dnsd *d) {
    return d->queries;
}

void sim_dnsd_free(struct sim_dnsd *d) {
    if (!d) return;
    d->loop->urgent = NULL;
    for (struct tcp_conn *c = d->conns, *next; c; c = next) {
        next = c->next;
        close_tcp(c);
    }
    if (d->udp.fd >= 0) close(d->udp.fd);
    if (d->tcp.fd >= 0) close(d->tcp.fd);
    free(d);
}
