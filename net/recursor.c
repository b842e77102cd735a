/* libunbound inside our loop. Its threaded mode passes every question and answer through a pipe and two
 * threads; here its sockets and timers hang on our loop by the interface that it has for that
 * (unbound-event.h), and a question costs what libunbound itself costs.
 *
 * Its sockets come and go with each question, so they lie in an epoll set of our own, of which the loop
 * watches one descriptor. */
#include "recursor.h"

#include "stub.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include <unbound-event.h>
#include <unbound.h>

enum { EVENTS_A_TURN = 64, CLASS_IN = 1, DEFAULT_CACHE_MB = 24, SOCKETS = 512, SEC_BOGUS = 1 };

struct recursor {
    struct ub_event_base base; /* the first: libunbound hands it back */
    struct loop *loop;
    struct loop_poll *poll;
    struct ub_ctx *ub;
    struct stub *stub; /* NULL: not all servers are on this host */
    bool closing;
    int epoll;
    int batch_count;
    struct epoll_event batch[EVENTS_A_TURN];
};

/* One of libunbound's events, with the meaning that libevent gives them. */
struct event {
    struct ub_event ub; /* the first */
    struct recursor *owner;
    struct loop_timer timer;
    void (*call)(int fd, short bits, void *arg);
    void *arg;
    int fd;
    short bits;
    bool watched; /* in the epoll set */
    mono_us every;
};

struct question {
    struct recursor *owner;
    const char *name;
    recursor_done *done;
    void *ctx;
    uint16_t type;
};

/* --- events --- */

static struct event *event_of(struct ub_event *ub) {
    return (struct event *)ub;
}

static int stop_event(struct ub_event *ub) {
    struct event *e = event_of(ub);
    loop_timer_stop(&e->timer);
    if (e->watched) epoll_ctl(e->owner->epoll, EPOLL_CTL_DEL, e->fd, NULL);
    e->watched = false;
    for (int i = 0; i < e->owner->batch_count; i++) /* what is reported but not yet served */
        if (e->owner->batch[i].data.ptr == e) e->owner->batch[i].data.ptr = NULL;
    return 0;
}

static mono_us of_timeval(const struct timeval *tv) {
    return (mono_us)tv->tv_sec * US_PER_SEC + tv->tv_usec;
}

static int start_event(struct ub_event *ub, struct timeval *tv) {
    struct event *e = event_of(ub);
    bool io = e->fd >= 0 && (e->bits & (UB_EV_READ | UB_EV_WRITE));
    if (io) {
        struct epoll_event ee = {.data.ptr = e};
        if (e->bits & UB_EV_READ) ee.events |= EPOLLIN;
        if (e->bits & UB_EV_WRITE) ee.events |= EPOLLOUT;
        if (epoll_ctl(e->owner->epoll, e->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, e->fd, &ee) != 0)
            return -1;
        e->watched = true;
    }
    e->every = tv && (e->bits & UB_EV_TIMEOUT) ? of_timeval(tv) : 0;
    if (tv && (e->bits & UB_EV_TIMEOUT))
        loop_timer_start(&e->timer, loop_now(e->owner->loop) + of_timeval(tv));
    return 0;
}

/* As libevent does: one that does not persist is stopped before its call, one that does starts its time
 * anew. After the call the event may be gone. */
static void serve(struct event *e, short bits) {
    if (!(e->bits & UB_EV_PERSIST))
        stop_event(&e->ub);
    else if (e->every > 0)
        loop_timer_start(&e->timer, loop_now(e->owner->loop) + e->every);
    e->call(e->fd, bits, e->arg);
}

static void on_timer(void *ctx) {
    serve(ctx, UB_EV_TIMEOUT);
}

static void on_epoll(void *ctx, unsigned ready) {
    struct recursor *r = ctx;
    (void)ready;
    int n = epoll_wait(r->epoll, r->batch, EVENTS_A_TURN, 0);
    r->batch_count = n > 0 ? n : 0;
    for (int i = 0; i < r->batch_count; i++) {
        struct event *e = r->batch[i].data.ptr;
        if (!e) continue;
        uint32_t got = r->batch[i].events;
        bool broken = got & (EPOLLERR | EPOLLHUP);
        short bits = (short)((got & EPOLLIN || broken ? e->bits & UB_EV_READ : 0) |
                             (got & EPOLLOUT || broken ? e->bits & UB_EV_WRITE : 0));
        r->batch[i].data.ptr = NULL;
        serve(e, bits);
    }
    r->batch_count = 0;
}

static void add_bits(struct ub_event *ub, short bits) {
    event_of(ub)->bits |= bits;
}

static void del_bits(struct ub_event *ub, short bits) {
    event_of(ub)->bits = (short)(event_of(ub)->bits & ~bits);
}

static void set_fd(struct ub_event *ub, int fd) {
    event_of(ub)->fd = fd;
}

static void free_event(struct ub_event *ub) {
    stop_event(ub);
    free(event_of(ub));
}

static int start_timer(struct ub_event *ub, struct ub_event_base *base, void (*call)(int, short, void *),
                       void *arg, struct timeval *tv) {
    struct event *e = event_of(ub);
    (void)base;
    e->call = call;
    e->arg = arg;
    e->bits = UB_EV_TIMEOUT;
    return start_event(ub, tv);
}

static int no_signal(struct ub_event *ub, struct timeval *tv) {
    (void)ub;
    (void)tv;
    return -1;
}

static int stop_no_signal(struct ub_event *ub) {
    (void)ub;
    return -1;
}

static void no_windows(struct ub_event *ub) {
    (void)ub;
}

static void no_windows_block(struct ub_event *ub, int bits) {
    (void)ub;
    (void)bits;
}

static struct ub_event_vmt event_methods = {
    .add_bits = add_bits,
    .del_bits = del_bits,
    .set_fd = set_fd,
    .free = free_event,
    .add = start_event,
    .del = stop_event,
    .add_timer = start_timer,
    .del_timer = stop_event,
    .add_signal = no_signal,
    .del_signal = stop_no_signal,
    .winsock_unregister_wsaevent = no_windows,
    .winsock_tcp_wouldblock = no_windows_block,
};

static struct ub_event *new_event(struct ub_event_base *base, int fd, short bits,
                                  void (*call)(int, short, void *), void *arg) {
    struct recursor *r = (struct recursor *)base;
    struct event *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->ub = (struct ub_event){UB_EVENT_MAGIC, &event_methods};
    e->owner = r;
    e->call = call;
    e->arg = arg;
    e->fd = fd;
    e->bits = bits;
    loop_timer_init(&e->timer, r->loop, on_timer, e);
    return &e->ub;
}

static void free_base(struct ub_event_base *base) {
    (void)base; /* ours: recursor_close */
}

static int no_dispatch(struct ub_event_base *base) {
    (void)base;
    return 0;
}

static int no_exit(struct ub_event_base *base, struct timeval *tv) {
    (void)base;
    (void)tv;
    return 0;
}

static struct ub_event *no_new_signal(struct ub_event_base *base, int fd, void (*call)(int, short, void *),
                                      void *arg) {
    return new_event(base, fd, UB_EV_SIGNAL, call, arg);
}

static struct ub_event *no_wsaevent(struct ub_event_base *base, void *event, void (*call)(int, short, void *),
                                    void *arg) {
    (void)base;
    (void)event;
    (void)call;
    (void)arg;
    return NULL;
}

static struct ub_event_base_vmt base_methods = {
    .free = free_base,
    .dispatch = no_dispatch,
    .loopexit = no_exit,
    .new_event = new_event,
    .new_signal = no_new_signal,
    .winsock_register_wsaevent = no_wsaevent,
};

/* --- setting up --- */

static int set(struct ub_ctx *ub, const char *option, const char *value, struct err *err) {
    int rc = ub_ctx_set_option(ub, option, value);
    if (rc == 0) return 0;
    return err_set(err, ERR_SYSTEM, "resolver option %s %s: %s", option, value, ub_strerror(rc));
}

static int set_number(struct ub_ctx *ub, const char *option, size_t value, struct err *err) {
    char text[32];
    snprintf(text, sizeof text, "%zu", value);
    return set(ub, option, text, err);
}

static int set_ports(struct ub_ctx *ub, uint16_t low, uint16_t high, struct err *err) {
    char range[32];
    if (low == 0 && high == 0) return 0;
    if (low > high) return err_set(err, ERR_INPUT, "resolver: ports %u to %u make no range", low, high);
    if (set(ub, "outgoing-port-avoid:", "0-65535", err) != 0) return -1;
    snprintf(range, sizeof range, "%u-%u", low, high);
    return set(ub, "outgoing-port-permit:", range, err);
}

static int set_options(struct ub_ctx *ub, const struct resolver_options *o, struct err *err) {
    static const char *const fixed[][2] = {
        {"do-not-query-localhost:", "no"}, /* a server on a loopback address was named on purpose */
        {"infra-keep-probing:", "yes"},    /* one lost answer must not silence the only server for minutes */
        {"infra-host-ttl:", "60"},         {"cache-max-ttl:", "86400"},   {"cache-max-negative-ttl:", "3600"},
        {"edns-buffer-size:", "1232"},     {"qname-minimisation:", "no"}, {"use-syslog:", "no"},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (set(ub, fixed[i][0], fixed[i][1], err) != 0) return -1;
    size_t cache = (o->cache_mb ? o->cache_mb : DEFAULT_CACHE_MB) << 20;
    if (set_number(ub, "msg-cache-size:", cache / 3, err) != 0) return -1;
    if (set_number(ub, "rrset-cache-size:", cache - cache / 3, err) != 0) return -1;
    if (set_number(ub, "outgoing-range:", SOCKETS, err) != 0) return -1;
    if (set_number(ub, "num-queries-per-thread:", 4096, err) != 0) return -1;
    if (o->no_ipv6 && set(ub, "do-ip6:", "no", err) != 0) return -1;
    if (set_ports(ub, o->port_low, o->port_high, err) != 0) return -1;
    if (!o->trust_anchor) return set(ub, "module-config:", "iterator", err);
    int rc = ub_ctx_add_ta_file(ub, o->trust_anchor);
    if (rc == 0) return 0;
    return err_set(err, ERR_INPUT, "trust anchor %s: %s", o->trust_anchor, ub_strerror(rc));
}

static int set_servers(struct ub_ctx *ub, const struct resolver_options *o, struct err *err) {
    int rc = o->server_count == 0 ? ub_ctx_resolvconf(ub, NULL) : 0;
    if (rc != 0) return err_set(err, ERR_SYSTEM, "cannot read /etc/resolv.conf: %s", ub_strerror(rc));
    for (size_t i = 0; i < o->server_count; i++) {
        char ip[NET_ADDR_TEXT_MAX], text[NET_ADDR_TEXT_MAX + 8];
        unsigned port = o->servers[i].port ? o->servers[i].port : 53;
        net_addr_format(&o->servers[i], ip);
        snprintf(text, sizeof text, "%s@%u", ip, port);
        rc = ub_ctx_set_fwd(ub, text);
        if (rc != 0) return err_set(err, ERR_INPUT, "DNS server %s: %s", text, ub_strerror(rc));
    }
    return 0;
}

/* libunbound answers for some names itself (RFC 6761); the server that was named may know better. This ends
 * the setting of options. */
static int free_special_names(struct ub_ctx *ub, struct err *err) {
    static const char *const names[] = {"test.", "invalid.", "home.arpa."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int rc = ub_ctx_zone_remove(ub, names[i]);
        if (rc != 0) return err_set(err, ERR_SYSTEM, "resolver: %s", ub_strerror(rc));
    }
    return 0;
}

static int open_epoll(struct recursor *r, struct err *err) {
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll < 0) return err_errno(err, errno, "resolver");
    r->poll = loop_poll_open(r->loop, r->epoll, on_epoll, r, err);
    if (!r->poll) return -1;
    loop_poll_set(r->poll, LOOP_READ);
    return 0;
}

/* The short way, when nobody can come in between and nothing is to be validated. */
static int open_stub(struct recursor *r, const struct resolver_options *o, struct err *err) {
    if (o->server_count == 0 || o->trust_anchor || o->no_stub) return 0;
    for (size_t i = 0; i < o->server_count; i++)
        if (!net_addr_is_loopback(&o->servers[i])) return 0;
    struct net_addr server = net_addr_with_port(o->servers[0], o->servers[0].port ? o->servers[0].port : 53);
    r->stub = stub_open(r->loop, &server, o->seed, err);
    return r->stub ? 0 : -1;
}

struct recursor *recursor_open(struct loop *loop, const struct resolver_options *options, struct err *err) {
    struct recursor *r = calloc(1, sizeof *r);
    if (!r) {
        err_set(err, ERR_SYSTEM, "out of memory");
        return NULL;
    }
    r->base = (struct ub_event_base){UB_EVENT_MAGIC, &base_methods};
    r->loop = loop;
    r->epoll = -1;
    r->ub = ub_ctx_create_ub_event(&r->base);
    int rc = r->ub ? 0 : err_set(err, ERR_SYSTEM, "cannot start the resolver: out of memory or randomness");
    if (rc == 0) ub_ctx_debugout(r->ub, NULL); /* libraries do not log */
    if (rc == 0) rc = open_epoll(r, err);
    if (rc == 0) rc = set_options(r->ub, options, err);
    if (rc == 0) rc = set_servers(r->ub, options, err);
    if (rc == 0) rc = free_special_names(r->ub, err);
    if (rc == 0) rc = open_stub(r, options, err);
    if (rc == 0) return r;
    recursor_close(r);
    return NULL;
}

void recursor_close(struct recursor *r) {
    if (!r) return;
    r->closing = true;
    stub_close(r->stub);
    if (r->ub) ub_ctx_delete(r->ub);
    int epoll = r->epoll;
    if (r->poll)
        loop_poll_close(r->poll, free);
    else
        free(r);
    if (epoll >= 0) close(epoll);
}

/* --- asking --- */

static void answered(void *ctx, int rcode, void *packet, int len, int sec, char *why_bogus, int limited) {
    struct question *q = ctx;
    struct question copy = *q;
    (void)limited;
    free(q);
    if (sec == SEC_BOGUS)
        copy.done(copy.ctx, RECURSOR_BOGUS, slice_make(NULL, 0), why_bogus ? why_bogus : "");
    else if (rcode != 0 || !packet || len <= 0)
        copy.done(copy.ctx, RECURSOR_FAILED, slice_make(NULL, 0), rcode == 2 ? "SERVFAIL" : "no answer");
    else
        copy.done(copy.ctx, RECURSOR_ANSWER, slice_make(packet, (size_t)len), "");
}

static bool ask_libunbound(struct question *q) {
    return ub_resolve_event(q->owner->ub, q->name, q->type, CLASS_IN, q, answered, NULL) == 0;
}

static void stub_answered(void *ctx, struct slice packet) {
    struct question *q = ctx;
    struct question copy = *q;
    if (packet.len == 0 && !copy.owner->closing && ask_libunbound(q)) return;
    free(q);
    copy.done(copy.ctx, packet.len ? RECURSOR_ANSWER : RECURSOR_FAILED, packet,
              packet.len ? "" : "no answer");
}

bool recursor_ask(struct recursor *r, const char *name, uint16_t type, recursor_done *done, void *ctx) {
    struct question *q = malloc(sizeof *q);
    if (!q) return false;
    *q = (struct question){r, name, done, ctx, type};
    if (r->stub && stub_ask(r->stub, name, type, stub_answered, q)) return true;
    if (ask_libunbound(q)) return true;
    free(q);
    return false;
}
