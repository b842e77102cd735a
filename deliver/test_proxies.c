/* The engine behind a proxy, which works, is dead, does not let us in, or does not go everywhere: the mail
 * waits and nobody's reputation suffers. The proxy is a thread here that speaks what net/test_proxy.c has in
 * tables. */
#include "test_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { RELAYS_MAX = 512 };

struct proxy {
    int listener;
    struct net_addr address;
    pthread_t thread;
    pthread_mutex_t lock;
    enum proxy_protocol protocol;
    /* What it does; may change under way. */
    bool refuses_login;
    uint8_t denies; /* 127.0.7.N: reply 2 */
    /* What it has seen. */
    bool closing, cut;
    unsigned taken, source_bad;
    pthread_t relays[RELAYS_MAX];
    unsigned relay_count;
};

struct relay {
    struct proxy *proxy;
    int fd;
};

static bool get(int fd, void *to, size_t n) {
    return n == 0 || recv(fd, to, n, MSG_WAITALL) == (ssize_t)n;
}

static bool put(int fd, const void *from, size_t n) {
    return send(fd, from, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool proxy_says(struct proxy *p, const bool *what) {
    pthread_mutex_lock(&p->lock);
    bool says = *what;
    pthread_mutex_unlock(&p->lock);
    return says;
}

static int connect_to(const uint8_t address[4], const uint8_t port[2]) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    memcpy(&to.sin_addr, address, 4);
    memcpy(&to.sin_port, port, 2);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    return -1;
}

/* SOCKS5 with user "me", password "secret"; the connection onwards, or -1. */
static int meet_socks(struct proxy *p, int fd) {
    uint8_t in[32], code = 0;
    if (!get(fd, in, 4) || memcmp(in, "\5\2\0\2", 4) != 0 || !put(fd, "\5\2", 2)) return -1;
    if (!get(fd, in, 11) || memcmp(in, "\1\2me\6secret", 11) != 0) return -1;
    if (proxy_says(p, &p->refuses_login)) {
        put(fd, "\1\1", 2);
        return -1;
    }
    if (!put(fd, "\1\0", 2) || !get(fd, in, 10) || memcmp(in, "\5\1\0\1", 4) != 0) return -1;
    pthread_mutex_lock(&p->lock);
    if (p->denies && in[7] == p->denies) code = 2;
    pthread_mutex_unlock(&p->lock);
    int to = code ? -1 : connect_to(in + 4, in + 8);
    if (to < 0 && !code) code = 5;
    uint8_t reply[10] = {5, code, 0, 1};
    if (put(fd, reply, sizeof reply)) return to;
    if (to >= 0) close(to);
    return -1;
}

/* PROXY protocol from 198.51.100.7. */
static int meet_haproxy(struct proxy *p, int fd) {
    uint8_t in[28];
    if (!get(fd, in, sizeof in) || memcmp(in, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16) != 0) return -1;
    pthread_mutex_lock(&p->lock);
    p->source_bad += memcmp(in + 16, "\xc6\x33\x64\x07", 4) != 0;
    pthread_mutex_unlock(&p->lock);
    return connect_to(in + 20, in + 26);
}

static bool pass(int from, int to) {
    char bytes[16384];
    ssize_t n = recv(from, bytes, sizeof bytes, 0);
    return n > 0 && put(to, bytes, (size_t)n);
}

static void relay_bytes(struct proxy *p, int near, int far) {
    struct pollfd both[] = {{near, POLLIN, 0}, {far, POLLIN, 0}};
    while (poll(both, 2, 10) >= 0 && !proxy_says(p, &p->cut)) {
        if (both[0].revents && !pass(near, far)) break;
        if (both[1].revents && !pass(far, near)) break;
    }
}

static void *relay_run(void *ctx) {
    struct relay *r = ctx;
    int to = r->proxy->protocol == PROXY_SOCKS5 ? meet_socks(r->proxy, r->fd) : meet_haproxy(r->proxy, r->fd);
    if (to >= 0) relay_bytes(r->proxy, r->fd, to);
    if (to >= 0) close(to);
    close(r->fd);
    free(r);
    return NULL;
}

static void *proxy_run(void *ctx) {
    struct proxy *p = ctx;
    for (;;) {
        int fd = accept(p->listener, NULL, NULL);
        if (fd < 0 || proxy_says(p, &p->closing)) {
            if (fd >= 0) close(fd);
            return NULL;
        }
        struct relay *r = calloc(1, sizeof *r);
        *r = (struct relay){p, fd};
        pthread_mutex_lock(&p->lock);
        assert_true(p->relay_count < RELAYS_MAX);
        assert_int_equal(pthread_create(&p->relays[p->relay_count++], NULL, relay_run, r), 0);
        p->taken++;
        pthread_mutex_unlock(&p->lock);
    }
}

static void proxy_open(struct proxy *p) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(p->address.port)};
    socklen_t len = sizeof a;
    int on = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(p->listener, 64), 0);
    getsockname(p->listener, (struct sockaddr *)&a, &len);
    net_addr_from_sockaddr((struct sockaddr *)&a, &p->address);
    p->closing = p->cut = false;
    assert_int_equal(pthread_create(&p->thread, NULL, proxy_run, p), 0);
}

/* Nobody is let in any more, and every connection through it breaks. */
static void proxy_close(struct proxy *p) {
    if (p->listener < 0) return;
    pthread_mutex_lock(&p->lock);
    p->closing = p->cut = true;
    pthread_mutex_unlock(&p->lock);
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    for (unsigned i = 0; i < p->relay_count; i++)
        pthread_join(p->relays[i], NULL);
    p->relay_count = 0;
    close(p->listener);
    p->listener = -1;
}

struct scene {
    struct world world;
    struct proxy proxy;
    struct host *seven, *eight;
};

static struct scene *scene_open(enum proxy_protocol protocol) {
    struct scene *s = calloc(1, sizeof *s);
    struct world *w = &s->world;
    world_init(w);
    host_open(s->seven = world_host(w, 7));
    host_open(s->eight = world_host(w, 8));
    pthread_mutex_init(&s->proxy.lock, NULL);
    s->proxy.protocol = protocol;
    proxy_open(&s->proxy);
    w->source.proxy = (struct proxy_options){.protocol = protocol, .address = s->proxy.address};
    if (protocol == PROXY_SOCKS5)
        w->source.proxy.user = "me", w->source.proxy.password = "secret";
    else
        net_addr_parse(SLICE("198.51.100.7"), 0, &w->source.address),
            w->source.proxy.source = w->source.address;
    return s;
}

static void scene_close(struct scene *s) {
    if (s->world.engine) world_engine_stop(&s->world, US_PER_SEC);
    proxy_close(&s->proxy);
    world_done(&s->world);
    pthread_mutex_destroy(&s->proxy.lock);
    free(s);
}

static struct source_status source_now(struct world *w) {
    struct source_status status;
    assert_int_equal(engine_sources(w->engine, &status, 1), 1);
    assert_true(status.proxied);
    return status;
}

static struct source_status wait_down(struct world *w) {
    for (unsigned i = 0; i < 1000; i++) {
        struct source_status status = source_now(w);
        if (status.down) return status;
        usleep(10000);
    }
    fail_msg("the source did not go down");
    return source_now(w);
}

static void wait_all(struct world *w, uint32_t id, unsigned delivered) {
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, delivered);
    assert_int_equal(end.tally.deferrals, 0); /* nobody was deferred because of it */
    assert_int_equal(end.tally.failed, 0);
    world_check(w, &end);
    assert_false(source_now(w).down);
}

static void test_goes_through(void **state) {
    (void)state;
    for (enum proxy_protocol p = PROXY_HAPROXY; p <= PROXY_SOCKS5; p++) {
        struct scene *s = scene_open(p);
        world_engine(&s->world);
        wait_all(&s->world, world_many(&s->world, "r", "7.test", 300), 300);
        assert_int_equal(s->proxy.taken, s->seven->opened);
        assert_int_equal(s->proxy.source_bad, 0);
        assert_int_equal(source_now(&s->world).failed, 0);
        scene_close(s);
    }
}

static void test_dead_then_back(void **state) {
    (void)state;
    for (enum proxy_protocol p = PROXY_HAPROXY; p <= PROXY_SOCKS5; p++) {
        struct scene *s = scene_open(p);
        struct world *w = &s->world;
        proxy_close(&s->proxy);
        world_engine(w);
        uint32_t id = world_campaign(w, "a@7.test,x@y.test\nb@8.test,x@y.test\nc@1.7.test,x@y.test\n", false,
                                     600 * US_PER_SEC);
        struct source_status status = wait_down(w);
        assert_non_null(strstr(status.last_error, "connect to proxy 127.0.0.1:"));
        assert_non_null(strstr(status.last_error, "Connection refused"));
        usleep(500000);
        struct lane_status lane;
        assert_true(engine_lanes(w->engine, NULL, &lane, 1) >= 1);
        assert_true(lane.down);
        /* 1 s, then one session: however many lanes there are */
        assert_in_range(source_now(w).failed, 1, 3);
        assert_int_equal(world_now(w, id).tally.deferrals, 0);
        proxy_open(&s->proxy);
        wait_all(w, id, 3);
        scene_close(s);
    }
}

static void test_log_in_refused(void **state) {
    (void)state;
    struct scene *s = scene_open(PROXY_SOCKS5);
    s->proxy.refuses_login = true;
    world_engine(&s->world);
    uint32_t id = world_many(&s->world, "r", "7.test", 10);
    assert_non_null(strstr(wait_down(&s->world).last_error, "it refused user name and password"));
    assert_null(strstr(source_now(&s->world).last_error, "secret"));
    pthread_mutex_lock(&s->proxy.lock);
    s->proxy.refuses_login = false;
    pthread_mutex_unlock(&s->proxy.lock);
    wait_all(&s->world, id, 10);
    scene_close(s);
}

/* One destination is not allowed: the source goes on with the others. */
static void test_not_everywhere(void **state) {
    (void)state;
    struct scene *s = scene_open(PROXY_SOCKS5);
    struct world *w = &s->world;
    s->proxy.denies = 7;
    world_engine(w);
    uint32_t denied = world_many(w, "r", "7.test", 10), allowed = world_many(w, "s", "8.test", 10);
    struct campaign_status end = world_wait(w, allowed, NULL);
    assert_int_equal(end.tally.delivered, 10);
    usleep(700000);
    struct campaign_status now = world_now(w, denied);
    assert_int_equal(now.tally.delivered + now.tally.deferrals, 0);
    assert_false(source_now(w).down);
    pthread_mutex_lock(&s->proxy.lock);
    s->proxy.denies = 0;
    pthread_mutex_unlock(&s->proxy.lock);
    end = world_wait(w, denied, NULL);
    assert_int_equal(end.tally.delivered, 10);
    assert_int_equal(end.tally.deferrals, 0);
    scene_close(s);
}

/* A receiver that is down behind a proxy is a receiver that is down. */
static void test_receiver_down(void **state) {
    (void)state;
    struct scene *s = scene_open(PROXY_SOCKS5);
    struct world *w = &s->world;
    host_close(s->seven);
    world_engine(w);
    uint32_t id = world_campaign(w, "a@7.test,x@y.test\n", false, 1200 * US_PER_MS);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.expired, 1);
    assert_true(end.tally.deferrals > 0);
    assert_false(source_now(w).down);
    assert_int_equal(source_now(w).failed, 0);
    /* the next exchanger is tried through it too */
    end = world_wait(w, world_campaign(w, "a@7.8.two.test,x@y.test\n", false, 600 * US_PER_SEC), NULL);
    assert_int_equal(end.tally.delivered, 1);
    scene_close(s);
}

static bool some_are_there(const struct campaign_status *s) {
    return s->tally.delivered >= 20;
}

/* It breaks under way and stays away a while: as with any broken connection, nothing is lost. */
static void test_breaks_under_way(void **state) {
    (void)state;
    struct scene *s = scene_open(PROXY_SOCKS5);
    struct world *w = &s->world;
    s->seven->slow_ms = 5;
    world_engine(w);
    uint32_t id = world_many(w, "r", "7.test", 300);
    world_wait(w, id, some_are_there);
    proxy_close(&s->proxy);
    wait_down(w);
    proxy_open(&s->proxy);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 300);
    world_check(w, &end);
    scene_close(s);
}

static void test_no_address_of_the_family(void **state) {
    (void)state;
    struct scene *s = scene_open(PROXY_HAPROXY);
    struct world *w = &s->world;
    net_addr_parse(SLICE("2001:db8::7"), 0, &w->source.address);
    w->source.proxy.source = w->source.address;
    world_engine(w);
    uint32_t id = world_campaign(w, "a@7.test,x@y.test\n", false, 1200 * US_PER_MS);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.expired, 1);
    assert_true(end.tally.deferrals > 0);
    assert_int_equal(s->proxy.taken, 0);
    scene_close(s);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_through),
        cmocka_unit_test(test_dead_then_back),
        cmocka_unit_test(test_log_in_refused),
        cmocka_unit_test(test_not_everywhere),
        cmocka_unit_test(test_receiver_down),
        cmocka_unit_test(test_breaks_under_way),
        cmocka_unit_test(test_no_address_of_the_family),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
