/* delay-relay LISTEN TO RTT_MS: a network path of a given round trip on loopback, for measuring.
 *
 * Takes TCP connections on port LISTEN of every local address and passes their bytes to port TO of the same
 * address, each direction late by half the round trip; the connection itself is made late by a whole one, as
 * a handshake would be. Bandwidth is not limited. Prints "ready" when it listens; ends on SIGTERM.
 *
 * All delays are equal, so what was read waits in one line for all connections, in the order of reading. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, HELD_MAX = 8 * 1024 * 1024, EVENTS = 256 };

struct link;

/* One end of a relayed connection. Bytes for it that are due but do not fit its socket wait in first..last.
 */
struct end {
    struct link *link;
    struct end *peer;
    int fd; /* -1 when closed */
    bool connected, eof;
    size_t held; /* bytes read from it and not yet written to the peer */
    struct piece *first, *last;
};

struct link {
    struct end client, server;
    unsigned refs;               /* pieces in the line, and the link itself while an end is open */
    struct link *before, *after; /* all links; `after` alone in the list of dead ones */
    struct sockaddr_in to;
};

/* Bytes on the way to an end; len 0 is the end of them; `opening` makes the connection to the server. */
struct piece {
    struct piece *next;
    struct end *to;
    int64_t due_ns;
    bool opening;
    size_t len, done;
    char bytes[];
};

struct line {
    struct piece *first, *last;
};

static struct {
    int epoll, listener;
    int64_t one_way_ns;
    uint16_t port;
    struct line bytes, openings;
    struct link *all;
    struct link *dead; /* freed after the events of this turn, which may name its ends */
} relay;

static void need(bool ok, const char *what) {
    if (ok) return;
    perror(what);
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void watch(struct end *e) {
    struct epoll_event want = {.data.ptr = e};
    if (e->fd < 0) return;
    if (e->connected && !e->eof && e->held < HELD_MAX) want.events |= EPOLLIN;
    if (!e->connected || e->first) want.events |= EPOLLOUT;
    epoll_ctl(relay.epoll, EPOLL_CTL_MOD, e->fd, &want);
}

static void add(struct end *e, int fd) {
    struct epoll_event want = {.data.ptr = e};
    int one = 1;
    e->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    need(epoll_ctl(relay.epoll, EPOLL_CTL_ADD, fd, &want) == 0, "epoll_ctl");
}

static void unref(struct link *l) {
    if (--l->refs) return;
    *(l->before ? &l->before->after : &relay.all) = l->after;
    if (l->after) l->after->before = l->before;
    l->after = relay.dead;
    relay.dead = l;
}

static void drop_pieces(struct end *e) {
    while (e->first) {
        struct piece *p = e->first;
        e->first = p->next;
        unref(e->link);
        free(p);
    }
}

/* Both ends at once: a reset on one side is one on the other. */
static void close_link(struct link *l) {
    bool open = l->client.fd >= 0;
    struct end *ends[2] = {&l->client, &l->server};
    for (int i = 0; i < 2; i++) {
        if (ends[i]->fd >= 0) close(ends[i]->fd);
        ends[i]->fd = -1;
        drop_pieces(ends[i]);
    }
    if (open) unref(l);
}

static void put_in_line(struct line *line, struct piece *p, struct end *to, int64_t delay_ns) {
    p->next = NULL;
    p->to = to;
    p->due_ns = now_ns() + delay_ns;
    to->link->refs++;
    if (line->last)
        line->last->next = p;
    else
        line->first = p;
    line->last = p;
}

static struct piece *piece_new(size_t len) {
    struct piece *p = malloc(sizeof *p + len);
    need(p != NULL, "memory");
    p->len = p->done = 0;
    p->opening = false;
    return p;
}

static void flush(struct end *e) {
    while (e->first) {
        struct piece *p = e->first;
        if (p->len == 0) {
            shutdown(e->fd, SHUT_WR);
        } else {
            ssize_t n = send(e->fd, p->bytes + p->done, p->len - p->done, MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN) break;
            if (n < 0) {
                close_link(e->link);
                return;
            }
            p->done += (size_t)n;
            e->peer->held -= (size_t)n;
            if (p->done < p->len) break;
        }
        e->first = p->next;
        unref(e->link);
        bool finished = p->len == 0 && e->eof;
        free(p);
        if (finished && !e->first && e->peer->eof) {
            close_link(e->link);
            return;
        }
    }
    watch(e);
    watch(e->peer);
}

static void read_some(struct end *e) {
    struct piece *p = piece_new(PIECE);
    ssize_t n = recv(e->fd, p->bytes, PIECE, 0);
    if (n < 0) {
        free(p);
        if (errno != EAGAIN) close_link(e->link);
        return;
    }
    p->len = (size_t)n;
    e->held += (size_t)n;
    e->eof = n == 0;
    struct piece *fitting = realloc(p, sizeof *p + p->len);
    put_in_line(&relay.bytes, fitting ? fitting : p, e->peer, relay.one_way_ns);
    watch(e);
}

static void open_server(struct end *e) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        close_link(e->link);
        return;
    }
    add(e, fd);
    if (connect(fd, (struct sockaddr *)&e->link->to, sizeof e->link->to) < 0 && errno != EINPROGRESS)
        close_link(e->link);
    else
        watch(e);
}

static void connected(struct end *e) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        close_link(e->link);
        return;
    }
    e->connected = true;
    flush(e);
}

static void accept_all(void) {
    for (;;) {
        socklen_t size = sizeof(struct sockaddr_in);
        int fd = accept4(relay.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        struct link *l = calloc(1, sizeof *l);
        need(l != NULL, "memory");
        l->client = (struct end){.link = l, .peer = &l->server, .connected = true};
        l->server = (struct end){.link = l, .peer = &l->client, .fd = -1};
        l->refs = 1;
        l->after = relay.all;
        if (l->after) l->after->before = l;
        relay.all = l;
        getsockname(fd, (struct sockaddr *)&l->to, &size);
        l->to.sin_port = htons(relay.port);
        add(&l->client, fd);
        watch(&l->client);
        struct piece *p = piece_new(0);
        p->opening = true;
        put_in_line(&relay.openings, p, &l->server, 2 * relay.one_way_ns);
    }
}

/* Frees what is under way; its links are closed. */
static void drop_line(struct line *line) {
    while (line->first) {
        struct piece *p = line->first;
        line->first = p->next;
        unref(p->to->link);
        free(p);
    }
}

static struct piece *take_due(struct line *line, int64_t now) {
    struct piece *p = line->first;
    if (!p || p->due_ns > now) return NULL;
    line->first = p->next;
    if (!line->first) line->last = NULL;
    return p;
}

/* What is due goes to its end: into its waiting list, and as far as the socket takes it, out. */
static void deliver(struct piece *p) {
    struct end *e = p->to;
    struct link *l = e->link;
    bool gone = l->client.fd < 0;
    if (gone || p->opening) {
        free(p);
        if (!gone) open_server(e);
        unref(l);
        return;
    }
    p->next = NULL;
    if (e->first)
        e->last->next = p;
    else
        e->first = p;
    e->last = p;
    if (e->connected) flush(e);
}

static void bury(void) {
    while (relay.dead) {
        struct link *l = relay.dead;
        relay.dead = l->after;
        free(l);
    }
}

static void turn(void) {
    struct epoll_event events[EVENTS];
    int64_t now = now_ns(), next = INT64_MAX;
    struct piece *p;
    while ((p = take_due(&relay.openings, now)))
        deliver(p);
    while ((p = take_due(&relay.bytes, now)))
        deliver(p);
    if (relay.openings.first) next = relay.openings.first->due_ns;
    if (relay.bytes.first && relay.bytes.first->due_ns < next) next = relay.bytes.first->due_ns;
    int64_t wait = next == INT64_MAX ? 1000000000 : next > now_ns() ? next - now_ns() : 0;
    struct timespec t = {wait / 1000000000, wait % 1000000000};
    int n = epoll_pwait2(relay.epoll, events, EVENTS, &t, NULL);
    for (int i = 0; i < n; i++) {
        struct end *e = events[i].data.ptr;
        if (!e) {
            accept_all();
            continue;
        }
        if (e->fd >= 0 && !e->connected) connected(e);
        if (e->fd >= 0 && events[i].events & EPOLLOUT && e->first) flush(e);
        if (e->fd >= 0 && events[i].events & EPOLLIN && !e->eof) read_some(e);
        if (e->fd >= 0 && events[i].events & EPOLLERR) close_link(e->link);
        /* Told of again and again: what is read from it already may still be on its way to the other. */
        if (e->fd >= 0 && events[i].events & EPOLLHUP && e->eof)
            epoll_ctl(relay.epoll, EPOLL_CTL_DEL, e->fd, NULL);
    }
    bury();
}

static volatile sig_atomic_t stopped;
static void stop(int sign) {
    (void)sign;
    stopped = 1;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: delay-relay LISTEN-PORT TO-PORT RTT-MS\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sigaction on_term = {.sa_handler = stop};
    sigaction(SIGTERM, &on_term, NULL);
    relay.port = (uint16_t)strtoul(argv[2], NULL, 10);
    relay.one_way_ns = (int64_t)(strtod(argv[3], NULL) * 1e6 / 2);
    relay.epoll = epoll_create1(EPOLL_CLOEXEC);
    relay.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10))};
    int one = 1;
    setsockopt(relay.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    need(bind(relay.listener, (struct sockaddr *)&any, sizeof any) == 0, "bind");
    need(listen(relay.listener, 4096) == 0, "listen");
    struct epoll_event want = {.events = EPOLLIN};
    need(epoll_ctl(relay.epoll, EPOLL_CTL_ADD, relay.listener, &want) == 0, "epoll_ctl");
    printf("ready\n");
    fflush(stdout);
    while (!stopped)
        turn();
    for (struct link *l = relay.all, *after; l; l = after) {
        after = l->after;
        close_link(l);
    }
    drop_line(&relay.bytes);
    drop_line(&relay.openings);
    bury();
    return 0;
}
