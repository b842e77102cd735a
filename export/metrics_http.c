/* The only file that knows libmicrohttpd: one page, made anew for each request. */
#include "metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* One address has half of the connections: a slow client must not keep all others away. */
enum { CONNECTIONS = 16, TIMEOUT_S = 10, PAGE_MAX = 32 << 20 };

struct metrics_server {
    struct MHD_Daemon *daemon;
    uint16_t port;
    pthread_mutex_t lock;
    void (*fill)(void *ctx, struct buf *out);
    void *ctx;
};

static enum MHD_Result respond(struct MHD_Connection *c, unsigned status, const char *type,
                               struct slice body) {
    struct MHD_Response *r =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.at, MHD_RESPMEM_MUST_COPY);
    if (!r) return MHD_NO;
    MHD_add_response_header(r, "Content-Type", type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(r, "Allow", "GET, HEAD");
    enum MHD_Result done = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return done;
}

static enum MHD_Result metrics_page(struct metrics_server *m, struct MHD_Connection *c) {
    struct buf page;
    enum MHD_Result done;
    buf_init(&page, PAGE_MAX);
    pthread_mutex_lock(&m->lock);
    bool ready = m->fill != NULL;
    if (ready) m->fill(m->ctx, &page);
    pthread_mutex_unlock(&m->lock);
    if (!ready)
        done = respond(c, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", SLICE("starting or stopping\n"));
    else if (page.failed)
        done = respond(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain", SLICE("out of memory\n"));
    else
        done = respond(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&page));
    buf_done(&page);
    return done;
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state) {
    static int seen;
    (void)version, (void)data;
    if (!*state) { /* the headers have come; a body is not wanted */
        *state = &seen;
        return MHD_YES;
    }
    if (*size) {
        *size = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return respond(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", SLICE("GET only\n"));
    if (strcmp(url, "/metrics") == 0) return metrics_page(ctx, c);
    if (strcmp(url, "/") == 0) return respond(c, MHD_HTTP_OK, "text/plain", SLICE("tsubame: see /metrics\n"));
    return respond(c, MHD_HTTP_NOT_FOUND, "text/plain", SLICE("not here; see /metrics\n"));
}

/* Bound here and not by the library, so that a failure has its reason. */
static int bind_to(const struct net_addr *at, uint16_t *port, struct err *err) {
    struct sockaddr_storage addr;
    socklen_t size = net_addr_to_sockaddr(at, &addr);
    char text[NET_ADDR_TEXT_MAX];
    int on = 1;
    net_addr_format_port(at, text);
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_errno(err, errno, "metrics.listen: %s", text);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&addr, size) || listen(fd, 16)) {
        err_errno(err, errno, "metrics.listen: %s", text);
        close(fd);
        return -1;
    }
    struct net_addr bound;
    size = sizeof addr;
    if (getsockname(fd, (struct sockaddr *)&addr, &size) == 0 &&
        net_addr_from_sockaddr((struct sockaddr *)&addr, &bound))
        *port = bound.port;
    return fd;
}

struct metrics_server *metrics_open(const struct net_addr *listen, struct err *err) {
    struct metrics_server *m = calloc(1, sizeof *m);
    if (!m) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    pthread_mutex_init(&m->lock, NULL);
    int fd = bind_to(listen, &m->port, err);
    if (fd >= 0) {
        m->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, handle, m,
                                     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
                                     MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS / 2,
                                     MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_END);
        if (!m->daemon) {
            close(fd);
            err_set(err, ERR_SYSTEM, "metrics.listen: the HTTP server could not be started");
        }
    }
    if (m->daemon) return m;
    metrics_close(m);
    return NULL;
}

void metrics_ready(struct metrics_server *m, void (*fill)(void *ctx, struct buf *out), void *ctx) {
    pthread_mutex_lock(&m->lock);
    m->fill = fill;
    m->ctx = ctx;
    pthread_mutex_unlock(&m->lock);
}

void metrics_close(struct metrics_server *m) {
    if (!m) return;
    if (m->daemon) MHD_stop_daemon(m->daemon); /* closes the socket */
    pthread_mutex_destroy(&m->lock);
    free(m);
}

uint16_t metrics_port(const struct metrics_server *m) {
    return m->port;
}
