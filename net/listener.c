/* Listening sockets. A failing accept for lack of descriptors pauses the listener: the waiting connection
 * keeps the socket ready, and the loop would spin. */
#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 64, BACKLOG = 1024 };
static const mono_us PAUSE_US = 100 * US_PER_MS;

struct listener {
    struct loop_poll *poll;
    struct loop_timer resume;
    listener_accept *accept;
    void *ctx;
    struct net_addr addr;
    int fd;
    bool closed;
};

static void on_ready(void *ctx, unsigned events) {
    struct listener *l = ctx;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN && !l->closed; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            l->accept(l->ctx, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            loop_poll_set(l->poll, 0);
            loop_timer_start(&l->resume, loop_now(l->resume.loop) + PAUSE_US);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

static void on_resume(void *ctx) {
    struct listener *l = ctx;
    loop_poll_set(l->poll, LOOP_READ);
}

/* Owns fd from here on. */
static struct listener *begin(struct loop *loop, int fd, listener_accept *accept, void *ctx,
                              struct err *err) {
    struct listener *l = calloc(1, sizeof *l);
    if (!l) {
        close(fd);
        err_set(err, ERR_SYSTEM, "out of memory");
        return NULL;
    }
    l->fd = fd;
    l->accept = accept;
    l->ctx = ctx;
    loop_timer_init(&l->resume, loop, on_resume, l);
    l->poll = loop_poll_open(loop, fd, on_ready, l, err);
    if (!l->poll) {
        close(fd);
        free(l);
        return NULL;
    }
    loop_poll_set(l->poll, LOOP_READ);
    return l;
}

struct listener *listener_open_tcp(struct loop *loop, const struct net_addr *addr, listener_accept *accept,
                                   void *ctx, struct err *err) {
    struct sockaddr_storage to;
    char text[NET_ADDR_TEXT_MAX];
    socklen_t n = net_addr_to_sockaddr(addr, &to);
    net_addr_format_port(addr, text);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) {
        err_errno(err, errno, "cannot listen on %s", text);
        return NULL;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (to.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&to, n) != 0 || listen(fd, BACKLOG) != 0) {
        err_errno(err, errno, "cannot listen on %s", text);
        close(fd);
        return NULL;
    }
    struct listener *l = begin(loop, fd, accept, ctx, err);
    n = sizeof to;
    if (l && getsockname(fd, (struct sockaddr *)&to, &n) == 0)
        net_addr_from_sockaddr((struct sockaddr *)&to, &l->addr);
    return l;
}

const struct net_addr *listener_addr(const struct listener *l) {
    return &l->addr;
}

void listener_close(struct listener *l) {
    if (!l || l->closed) return;
    l->closed = true;
    loop_timer_stop(&l->resume);
    loop_poll_close(l->poll, free);
    close(l->fd);
}
