/* Tests of the resolver against a DNS server made of hand-made packets, on the same loop. */
#include "dns.h"
#include "dnsname.h"
#include "dnswire.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { TYPE_TXT = 16, REPLY_MAX = 16384 };

/* --- the server --- */

struct record {
    const char *owner;
    uint16_t type;
    uint32_t ttl;
    uint16_t preference;
    const char *data; /* a name, or an address as text */
};

static const struct record zone[] = {
    {"ok.test", DNS_MX, 3600, 20, "b.ok.test"},
    {"ok.test", DNS_MX, 3600, 10, "a.ok.test"},
    {"a.ok.test", DNS_A, 1800, 0, "127.0.0.11"},
    {"a.ok.test", DNS_A, 1800, 0, "127.0.0.12"},
    {"a.ok.test", DNS_AAAA, 1800, 0, "2001:db8::1"},
    {"b.ok.test", DNS_A, 3600, 0, "127.0.0.13"},
    {"implicit.test", DNS_A, 600, 0, "127.0.0.20"},
    {"null.test", DNS_MX, 700, 0, "."},
    {"null.test", DNS_A, 700, 0, "127.0.0.20"},
    {"mixed.test", DNS_MX, 700, 0, "."},
    {"mixed.test", DNS_MX, 700, 10, "b.ok.test"},
    {"empty.test", TYPE_TXT, 700, 0, ""},
    {"noaddr.test", DNS_MX, 700, 10, "gone.test"},
    {"partial.test", DNS_MX, 700, 10, "gone.test"},
    {"partial.test", DNS_MX, 700, 20, "b.ok.test"},
    {"literal.test", DNS_MX, 700, 10, "192.0.2.1"},
    {"cname.test", DNS_CNAME, 500, 0, "ok.test"},
    {"mxcname.test", DNS_MX, 700, 10, "alias.test"},
    {"alias.test", DNS_CNAME, 400, 0, "b.ok.test"},
    {"dangling.test", DNS_CNAME, 500, 0, "gone.test"},
    {"loop1.test", DNS_CNAME, 500, 0, "loop2.test"},
    {"loop2.test", DNS_CNAME, 500, 0, "loop1.test"},
    {"zero.test", DNS_MX, 700, 10, "zerohost.test"},
    {"zerohost.test", DNS_A, 700, 0, "0.0.0.0"},
    {"zerohost.test", DNS_AAAA, 700, 0, "::ffff:127.0.0.1"},
    {"space.test", DNS_MX, 700, 10, "a b.test"},
    {"brief.test", DNS_MX, 5, 10, "b.ok.test"},
    {"halfdown.test", DNS_MX, 4000, 10, "servfail.test"},
    {"halfdown.test", DNS_MX, 4000, 20, "b.ok.test"},
    {"alldown.test", DNS_MX, 4000, 10, "servfail.test"},
    {"twice.test", DNS_MX, 4000, 10, "B.ok.test"},
    {"twice.test", DNS_MX, 4000, 10, "b.OK.test"},
    {"equal.test", DNS_MX, 4000, 5, "a.ok.test"},
    {"equal.test", DNS_MX, 4000, 5, "b.ok.test"},
    {"equal.test", DNS_MX, 4000, 5, "implicit.test"},
    {"equal.test", DNS_MX, 4000, 5, "null.test"},
};
enum { ZONE = sizeof zone / sizeof *zone };

struct server {
    int fd;
    struct net_addr addr;
    struct loop_poll *poll;
    unsigned asked;
};

static void put_be16(struct buf *b, unsigned v) {
    buf_put_u8(b, (uint8_t)(v >> 8));
    buf_put_u8(b, (uint8_t)v);
}

static void put_name(struct buf *b, const char *name) {
    struct slice rest = slice_of(name), label;
    if (strcmp(name, ".") != 0)
        while (slice_cut(&rest, '.', &label)) {
            buf_put_u8(b, (uint8_t)label.len);
            buf_put_slice(b, label);
        }
    buf_put_u8(b, 0);
}

static void put_head(struct buf *b, const char *owner, unsigned type, uint32_t ttl) {
    put_name(b, owner);
    put_be16(b, type);
    put_be16(b, 1);
    put_be16(b, ttl >> 16);
    put_be16(b, ttl & 0xffff);
}

static void put_record(struct buf *b, const struct record *r) {
    struct buf data;
    uint8_t bytes[16];
    buf_init(&data, 1000);
    if (r->type == DNS_MX) put_be16(&data, r->preference);
    if (r->type == DNS_MX || r->type == DNS_CNAME) put_name(&data, r->data);
    if (r->type == DNS_A && inet_pton(AF_INET, r->data, bytes) == 1) buf_put(&data, bytes, 4);
    if (r->type == DNS_AAAA && inet_pton(AF_INET6, r->data, bytes) == 1) buf_put(&data, bytes, 16);
    put_head(b, r->owner, r->type, r->ttl);
    put_be16(b, (unsigned)data.len);
    buf_put_slice(b, buf_slice(&data));
    buf_done(&data);
}

static void put_soa(struct buf *b, uint32_t minimum) {
    put_head(b, "test", DNS_SOA, 900);
    put_be16(b, 22);
    put_name(b, ".");
    put_name(b, ".");
    for (int i = 0; i < 4; i++)
        buf_put(b, "\0\0\0\1", 4);
    put_be16(b, minimum >> 16);
    put_be16(b, minimum & 0xffff);
}

/* Answers of the zone, CNAMEs followed; *known: the last name has records of some type. */
static unsigned put_answers(struct buf *b, const char *name, unsigned type, bool *known) {
    unsigned count = 0;
    for (int hop = 0; hop < 4; hop++) {
        const char *next = NULL;
        *known = false;
        for (size_t i = 0; i < ZONE; i++) {
            if (!slice_eq_nocase(slice_of(zone[i].owner), slice_of(name))) continue;
            *known = true;
            if (zone[i].type == DNS_CNAME) next = zone[i].data;
            if (zone[i].type != type && zone[i].type != DNS_CNAME) continue;
            put_record(b, &zone[i]);
            count++;
        }
        if (!next) break;
        name = next;
    }
    return count;
}

static unsigned put_many(struct buf *b, const char *name) {
    for (unsigned i = 0; i < 200; i++) {
        char host[300];
        snprintf(host, sizeof host, "h%u.%s", i, name);
        put_record(b, &(struct record){name, DNS_MX, 3600, (uint16_t)(1000 - i), host});
    }
    return 200;
}

static bool begins(const char *name, const char *with) {
    return strncmp(name, with, strlen(with)) == 0;
}

/* What misbehaves is told by the name; true when it was one of these. */
static bool misbehave(struct buf *b, const char *name, unsigned type, unsigned *count, unsigned *flags) {
    static const char *const names[] = {"servfail", "refused",   "many.",    "h1",   "other.",
                                        "badlen.",  "longname.", "pointer.", "lies."};
    bool special = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        special |= begins(name, names[i]);
    if (begins(name, "servfail")) *flags |= 2;
    if (begins(name, "refused")) *flags |= 5;
    if (begins(name, "many.") && type == DNS_MX) *count = put_many(b, name);
    if (begins(name, "h1") && type == DNS_A) {
        put_record(b, &(struct record){name, DNS_A, 3600, 0, "127.0.0.30"});
        *count = 1;
    }
    if (begins(name, "other.") && type == DNS_MX) {
        put_record(b, &(struct record){"elsewhere.test", DNS_MX, 3600, 1, "b.ok.test"});
        *count = 1;
    }
    if (begins(name, "badlen.")) {
        put_head(b, name, type, 3600);
        put_be16(b, 1);
        buf_put_u8(b, 7);
        *count = 1;
    }
    if (begins(name, "longname.")) { /* labels that make 300 bytes */
        put_head(b, name, DNS_MX, 3600);
        put_be16(b, 303);
        put_be16(b, 1);
        for (int i = 0; i < 5; i++) {
            buf_put_u8(b, 59);
            for (int k = 0; k < 59; k++)
                buf_put_c(b, 'x');
        }
        buf_put_u8(b, 0);
        *count = 1;
    }
    if (begins(name, "pointer.")) { /* a name that points at itself */
        put_head(b, name, DNS_MX, 3600);
        put_be16(b, 4);
        put_be16(b, 1);
        put_be16(b, 0xc000 | (unsigned)(b->len + 12));
        *count = 1;
    }
    if (begins(name, "lies.")) *count = 9; /* counts nine records, holds none */
    return special;
}

static size_t read_question(const uint8_t *query, size_t n, char name[256], unsigned *type) {
    size_t at = 12, len = 0;
    while (at < n && query[at] != 0) {
        size_t label = query[at++];
        if (at + label >= n || len + label + 2 > 255) return 0;
        if (len > 0) name[len++] = '.';
        for (; label > 0; label--)
            name[len++] = ascii_lower((char)query[at++]);
    }
    name[len] = '\0';
    if (at + 5 > n) return 0;
    *type = (unsigned)query[at + 1] << 8 | query[at + 2];
    return at + 5;
}

static void make_reply(struct buf *b, const uint8_t *query, const char *name, unsigned type, size_t end) {
    unsigned flags = 0x8180, count = 0;
    bool known = true;
    struct buf body;
    buf_init(&body, REPLY_MAX);
    buf_put(&body, query + 12, end - 12);
    if (!misbehave(&body, name, type, &count, &flags)) count = put_answers(&body, name, type, &known);
    if (!known) flags |= 3;
    bool negative = count == 0 && (flags & 0xf) != 2 && (flags & 0xf) != 5;
    if (negative) put_soa(&body, begins(name, "implicit") ? 90 : 120);
    buf_put(b, query, 2);
    if (begins(name, "wrongid")) b->at[0] = (char)~b->at[0];
    put_be16(b, flags);
    put_be16(b, 1);
    put_be16(b, count);
    put_be16(b, negative ? 1 : 0);
    put_be16(b, 0);
    buf_put_slice(b, buf_slice(&body));
    buf_done(&body);
    if (begins(name, "cut.")) b->len = b->len > 20 ? 20 : b->len;
    if (begins(name, "garbage.")) memset(b->at + 2, 0xa5, b->len - 2);
}

/* False when no question waits. */
static bool serve_one(struct server *s) {
    uint8_t query[2048];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    char name[256];
    unsigned type;
    ssize_t n = recvfrom(s->fd, query, sizeof query, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
    size_t end = n > 0 ? read_question(query, (size_t)n, name, &type) : 0;
    if (end == 0) return n >= 0;
    s->asked++;
    if (begins(name, "silent")) return true;
    struct buf b;
    buf_init(&b, REPLY_MAX);
    make_reply(&b, query, name, type, end);
    sendto(s->fd, b.at, b.len, 0, (struct sockaddr *)&from, from_len);
    buf_done(&b);
    return true;
}

static void serve(void *ctx, unsigned events) {
    (void)events;
    while (serve_one(ctx))
        ;
}

static void server_open(struct server *s, struct loop *loop) {
    struct sockaddr_storage at;
    struct net_addr any;
    struct err err;
    assert_true(net_addr_parse(SLICE("127.0.0.1"), 0, &any));
    socklen_t n = net_addr_to_sockaddr(&any, &at);
    *s = (struct server){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, n), 0);
    n = sizeof at;
    getsockname(s->fd, (struct sockaddr *)&at, &n);
    net_addr_from_sockaddr((struct sockaddr *)&at, &s->addr);
    s->poll = loop_poll_open(loop, s->fd, serve, s, &err);
    assert_non_null(s->poll);
    loop_poll_set(s->poll, LOOP_READ);
}

static void server_close(struct server *s) {
    loop_poll_close(s->poll, NULL);
    close(s->fd);
}

/* --- asking --- */

struct bench {
    struct loop *loop;
    struct server server;
    struct resolver *resolver;
};

static void bench_open(struct bench *b, struct resolver_options options) {
    struct err err = {.text = ""};
    b->loop = loop_open(&err);
    assert_non_null(b->loop);
    server_open(&b->server, b->loop);
    options.servers = &b->server.addr;
    options.server_count = 1;
    if (!options.timeout_ms) options.timeout_ms = 1500;
    b->resolver = resolver_open(b->loop, &options, &err);
    if (!b->resolver) fail_msg("%s", err.text);
}

static void bench_close(struct bench *b) {
    resolver_close(b->resolver);
    server_close(&b->server);
    loop_close(b->loop);
}

struct asked {
    struct loop *loop;
    struct mx_answer answer;
    int calls;
};

static void keep(void *ctx, const struct mx_answer *answer) {
    struct asked *a = ctx;
    a->answer = *answer;
    a->calls++;
    loop_stop(a->loop);
}

static const struct mx_answer *ask(struct bench *b, struct slice domain, struct asked *a) {
    *a = (struct asked){.loop = b->loop};
    assert_int_equal(resolver_mx(b->resolver, domain, keep, a), 0);
    assert_int_equal(a->calls, 0);
    loop_run(b->loop);
    assert_int_equal(a->calls, 1);
    assert_int_equal(resolver_pending(b->resolver), 0);
    return &a->answer;
}

static void describe_hosts(const struct mx_answer *a, struct buf *out) {
    buf_reset(out);
    for (size_t h = 0; h < a->host_count; h++) {
        buf_printf(out, "%s%u %s", h ? "; " : "", a->hosts[h].preference, a->hosts[h].name);
        for (size_t i = 0; i < a->hosts[h].address_count; i++) {
            char text[NET_ADDR_TEXT_MAX];
            net_addr_format(&a->hosts[h].addresses[i], text);
            buf_printf(out, " %s", text);
        }
    }
    buf_put_c(out, '\0');
}

static void find_exchangers(bool no_stub) {
    static const struct {
        const char *domain;
        enum mx_status status;
        const char *hosts, *text;
        uint32_t ttl_low, ttl_high;
    } cases[] = {
        {"ok.test", MX_OK, "10 a.ok.test 2001:db8::1 127.0.0.12 127.0.0.11; 20 b.ok.test 127.0.0.13", "",
         1700, 1800},
        {"OK.Test.", MX_OK, "10 a.ok.test 2001:db8::1 127.0.0.12 127.0.0.11; 20 b.ok.test 127.0.0.13", "",
         1700, 1800},
        {"implicit.test", MX_IMPLICIT, "0 implicit.test 127.0.0.20", "implicit.test has no MX", 80, 90},
        {"null.test", MX_NULL, "", "null MX", 690, 700},
        {"mixed.test", MX_OK, "10 b.ok.test 127.0.0.13", "", 690, 700},
        {"gone.test", MX_NO_DOMAIN, "", "NXDOMAIN for gone.test", 110, 120},
        {"empty.test", MX_NO_MAIL, "", "neither MX nor address for empty.test", 60, 300},
        {"noaddr.test", MX_NO_MAIL, "", "no mail exchanger has an address for noaddr.test", 60, 300},
        {"partial.test", MX_OK, "20 b.ok.test 127.0.0.13", "", 690, 700},
        {"literal.test", MX_NO_MAIL, "", "an exchanger is an address", 60, 300},
        {"cname.test", MX_OK, "10 a.ok.test 2001:db8::1 127.0.0.11 127.0.0.12; 20 b.ok.test 127.0.0.13", "",
         490, 500},
        {"mxcname.test", MX_OK, "10 alias.test 127.0.0.13", "", 390, 400},
        {"dangling.test", MX_NO_DOMAIN, "", "NXDOMAIN", 60, 500},
        {"loop1.test", MX_TEMPORARY, "", "no DNS answer now for loop1.test", 60, 60},
        {"zero.test", MX_NO_MAIL, "", "no mail exchanger has an address", 60, 300},
        {"space.test", MX_NO_MAIL, "", "malformed", 60, 300},
        {"brief.test", MX_OK, "10 b.ok.test 127.0.0.13", "", 60, 60},
        {"halfdown.test", MX_OK, "20 b.ok.test 127.0.0.13", "", 290, 300},
        {"alldown.test", MX_TEMPORARY, "", "no DNS answer now", 60, 60},
        {"twice.test", MX_OK, "10 b.ok.test 127.0.0.13", "", 3500, 3600},
    };
    struct bench b;
    struct buf hosts;
    static struct asked asked;
    bench_open(&b, (struct resolver_options){.seed = 1, .no_stub = no_stub});
    buf_init(&hosts, 10000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct mx_answer *a = ask(&b, slice_of(cases[i].domain), &asked);
        describe_hosts(a, &hosts);
        if (a->status != cases[i].status || strcmp(hosts.at, cases[i].hosts) != 0 ||
            !strstr(a->text, cases[i].text) || (cases[i].text[0] == '\0') != (a->text[0] == '\0') ||
            a->ttl_s < cases[i].ttl_low || a->ttl_s > cases[i].ttl_high)
            fail_msg("%s: status %d, hosts '%s', text '%s', ttl %u", cases[i].domain, (int)a->status,
                     hosts.at, a->text, a->ttl_s);
    }
    buf_done(&hosts);
    bench_close(&b);
}

static void exchangers_are_found(void **state) {
    (void)state;
    find_exchangers(false);
}

static void exchangers_are_found_by_libunbound_alone(void **state) {
    (void)state;
    find_exchangers(true);
}

static void meet_hostile_answers(bool no_stub) {
    static const char *const domains[] = {"garbage.test",  "cut.test",     "wrongid.test",  "silent.test",
                                          "servfail.test", "refused.test", "longname.test", "pointer.test",
                                          "badlen.test",   "lies.test"};
    struct bench b;
    static struct asked asked;
    bench_open(&b, (struct resolver_options){.timeout_ms = 400, .no_stub = no_stub});
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
        const struct mx_answer *a = ask(&b, slice_of(domains[i]), &asked);
        if (a->status != MX_TEMPORARY || a->host_count != 0 || !a->text[0])
            fail_msg("%s: status %d, %d hosts, %s", domains[i], (int)a->status, a->host_count, a->text);
    }
    const struct mx_answer *a = ask(&b, SLICE("other.test"), &asked);
    assert_int_equal(a->host_count, 0);
    assert_int_not_equal(a->status, MX_OK);
    bench_close(&b);
}

static void hostile_answers_give_no_hosts(void **state) {
    (void)state;
    meet_hostile_answers(false);
}

static void hostile_answers_to_libunbound_give_no_hosts(void **state) {
    (void)state;
    meet_hostile_answers(true);
}

static void the_best_of_many_exchangers_are_kept(void **state) {
    struct bench b;
    static struct asked asked;
    (void)state;
    bench_open(&b, (struct resolver_options){.no_ipv6 = true});
    const struct mx_answer *a = ask(&b, SLICE("many.test"), &asked); /* too long for the stub: asked twice */
    assert_int_equal(a->status, MX_OK);
    assert_int_equal(a->host_count, MX_MAX_HOSTS);
    assert_string_equal(a->hosts[0].name, "h199.many.test");
    for (size_t i = 1; i < a->host_count; i++)
        assert_true(a->hosts[i - 1].preference < a->hosts[i].preference);
    assert_int_equal(b.server.asked, 2 + MX_MAX_HOSTS); /* nothing for the 184 others, no AAAA */
    bench_close(&b);
}

static void stop_at(void *ctx) {
    loop_stop(ctx);
}

static void run_for(struct loop *loop, mono_us us) {
    struct loop_timer t;
    loop_timer_init(&t, loop, stop_at, loop);
    loop_timer_start(&t, clock_mono() + us);
    loop_run(loop);
    loop_timer_stop(&t);
}

static void count_any(void *ctx, const struct mx_answer *answer) {
    (void)answer;
    ++*(int *)ctx;
}

/* The stub's patience is 1.5 s; after three losses it rests and libunbound, which retries sooner, is asked at
 * once. */
static void a_silent_server_is_left_to_libunbound(void **state) {
    struct bench b;
    static struct asked asked;
    int calls = 0;
    (void)state;
    bench_open(&b, (struct resolver_options){.timeout_ms = 1800});
    for (int i = 0; i < 3; i++)
        assert_int_equal(resolver_mx(b.resolver, SLICE("silent.test"), count_any, &calls), 0);
    mono_us start = clock_mono();
    while (calls < 3 && clock_mono() < start + 5 * US_PER_SEC)
        run_for(b.loop, 20 * US_PER_MS);
    assert_int_equal(calls, 3);
    unsigned before = b.server.asked;
    assert_true(before > 3); /* libunbound has asked too */
    assert_int_equal(ask(&b, SLICE("ok.test"), &asked)->status, MX_OK);
    bench_close(&b);
}

static void many_at_once_wait_in_line(void **state) {
    struct bench b;
    int calls = 0;
    (void)state;
    bench_open(&b, (struct resolver_options){.seed = 5});
    for (int i = 0; i < 700; i++) /* more than the stub's slots, fewer than look-ups */
        assert_int_equal(
            resolver_mx(b.resolver, i % 2 ? SLICE("ok.test") : SLICE("gone.test"), count_any, &calls), 0);
    mono_us start = clock_mono();
    while (calls < 700 && clock_mono() < start + 5 * US_PER_SEC)
        run_for(b.loop, 20 * US_PER_MS);
    assert_int_equal(calls, 700);
    assert_int_equal(b.server.asked, 700 + 350 * 4);
    bench_close(&b);
}

static void what_is_no_domain_is_not_asked(void **state) {
    char label[80], name[300];
    struct bench b;
    static struct asked asked;
    (void)state;
    memset(label, 'a', sizeof label);
    memset(name, 'a', sizeof name);
    for (size_t i = 50; i < sizeof name; i += 50)
        name[i] = '.';
    const struct slice domains[] = {SLICE(""),
                                    SLICE("."),
                                    SLICE("a..test"),
                                    SLICE(".a.test"),
                                    SLICE("[127.0.0.1]"),
                                    SLICE("192.0.2.1"),
                                    SLICE("a b.test"),
                                    SLICE("a\0b.test"),
                                    SLICE("a\r\nb.test"),
                                    SLICE("b\xc3\xbc.test"),
                                    slice_make(label, 64),
                                    slice_make(name, 254)};
    bench_open(&b, (struct resolver_options){.seed = 1});
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        assert_int_equal(ask(&b, domains[i], &asked)->status, MX_NO_DOMAIN);
    assert_int_equal(b.server.asked, 0);
    bench_close(&b);
}

static void equal_preferences_are_ordered_by_the_seed(void **state) {
    struct buf first, again;
    static struct asked asked;
    unsigned orders = 0;
    (void)state;
    buf_init(&first, 10000);
    buf_init(&again, 10000);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        for (int round = 0; round < 2; round++) {
            struct bench b;
            bench_open(&b, (struct resolver_options){.seed = seed, .no_ipv6 = true});
            const struct mx_answer *a = ask(&b, SLICE("equal.test"), &asked);
            assert_int_equal(a->host_count, 4);
            describe_hosts(a, &again);
            bench_close(&b);
            if (round == 1) assert_string_equal(first.at, again.at);
            if (seed == 1 || strcmp(first.at, again.at) != 0) orders++;
            buf_reset(&first);
            buf_put_slice(&first, buf_slice(&again));
        }
    }
    assert_true(orders > 2);
    buf_done(&first);
    buf_done(&again);
}

static void count_call(void *ctx, const struct mx_answer *answer) {
    assert_int_equal(answer->status, MX_TEMPORARY);
    ++*(int *)ctx;
}

static void the_queue_is_bounded_and_drains(void **state) {
    struct bench b;
    int calls = 0;
    (void)state;
    bench_open(&b, (struct resolver_options){.most_lookups = 2, .most_waiting = 3, .timeout_ms = 100});
    for (int i = 0; i < 5; i++) {
        char name[32];
        int n = snprintf(name, sizeof name, "silent%d.test", i);
        assert_int_equal(resolver_mx(b.resolver, slice_make(name, (size_t)n), count_call, &calls), 0);
    }
    assert_int_equal(resolver_mx(b.resolver, SLICE("silent6.test"), count_call, &calls), -1);
    assert_int_equal(resolver_pending(b.resolver), 5);
    mono_us start = clock_mono();
    while (calls < 5 && clock_mono() < start + 5 * US_PER_SEC)
        run_for(b.loop, 5 * US_PER_MS);
    assert_int_equal(calls, 5);
    assert_true(clock_mono() - start >= 290 * US_PER_MS); /* two, two, one */
    assert_int_equal(resolver_pending(b.resolver), 0);
    bench_close(&b); /* with answers still under way inside libunbound */
}

static void closing_drops_what_is_under_way(void **state) {
    struct bench b;
    int calls = 0;
    (void)state;
    bench_open(&b, (struct resolver_options){.most_lookups = 2});
    for (int i = 0; i < 4; i++)
        assert_int_equal(resolver_mx(b.resolver, SLICE("silent.test"), count_call, &calls), 0);
    run_for(b.loop, 20 * US_PER_MS);
    bench_close(&b);
    assert_int_equal(calls, 0);
}

static void close_inside(void *ctx, const struct mx_answer *answer) {
    struct bench *b = ctx;
    (void)answer;
    resolver_close(b->resolver);
    b->resolver = NULL;
    loop_stop(b->loop);
}

static void a_callback_may_close(void **state) {
    struct bench b;
    (void)state;
    for (int round = 0; round < 2; round++) {
        bench_open(&b, (struct resolver_options){.timeout_ms = 100});
        struct slice domain = round ? SLICE("silent.test") : SLICE("ok.test");
        assert_int_equal(resolver_mx(b.resolver, domain, close_inside, &b), 0);
        assert_int_equal(resolver_mx(b.resolver, SLICE("silent2.test"), close_inside, &b), 0);
        loop_run(b.loop);
        bench_close(&b);
    }
}

static void forged_answers_are_bogus(void **state) {
    char path[] = "/tmp/test_dns_anchor_XXXXXX";
    static const char anchor[] =
        "test. IN DS 12345 8 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
    struct bench b;
    static struct asked asked;
    (void)state;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, anchor, sizeof anchor - 1), sizeof anchor - 1);
    close(fd);
    bench_open(&b, (struct resolver_options){.trust_anchor = path, .timeout_ms = 5000});
    const struct mx_answer *a = ask(&b, SLICE("ok.test"), &asked);
    assert_int_equal(a->status, MX_BOGUS);
    assert_non_null(strstr(a->text, "ok.test"));
    bench_close(&b);
    unlink(path);
}

static void bad_options_are_refused(void **state) {
    struct err err = {.text = ""};
    (void)state;
    struct loop *loop = loop_open(&err);
    struct resolver_options ports = {.port_low = 2000, .port_high = 1000};
    assert_null(resolver_open(loop, &ports, &err));
    assert_non_null(strstr(err.text, "2000"));
    loop_close(loop);
}

/* --- the packet reader, on its own --- */

static void ignore_record(void *ctx, const struct dnswire_record *record) {
    (void)record;
    ++*(int *)ctx;
}

static void packets_are_read_within_their_bounds(void **state) {
    struct buf b;
    uint32_t ttl;
    int records = 0;
    (void)state;
    buf_init(&b, 1000);
    buf_put(&b, "\x12\x34\x81\x80\0\1\0\2\0\0\0\0", 12);
    put_name(&b, "ok.test");
    put_be16(&b, DNS_MX);
    put_be16(&b, 1);
    put_record(&b, &zone[0]);
    put_record(&b, &zone[1]);
    assert_int_equal(dnswire_read(buf_slice(&b), DNS_MX, &ttl, ignore_record, &records), DNSWIRE_DATA);
    assert_int_equal(records, 2);
    assert_int_equal(ttl, 3600);
    assert_int_equal(dnswire_read(buf_slice(&b), DNS_A, &ttl, ignore_record, &records), DNSWIRE_MALFORMED);
    uint8_t cut[] = "\0\1\x83\x80\0\1\0\0\0\0\0\0\1a\0\0\17\0\1"; /* TC: no records, but there were some */
    struct slice none = slice_make(cut, sizeof cut - 1);
    assert_int_equal(dnswire_read(none, DNS_MX, &ttl, ignore_record, &records), DNSWIRE_MALFORMED);
    cut[2] = 0x81;
    assert_int_equal(dnswire_read(none, DNS_MX, &ttl, ignore_record, &records), DNSWIRE_NO_DATA);
    for (size_t n = 0; n < b.len;
         n++) { /* cut anywhere: on the heap, so that the sanitizer sees a step too far */
        char *copy = malloc(n + 1);
        memcpy(copy, b.at, n);
        copy = realloc(copy, n ? n : 1);
        assert_int_equal(dnswire_read(slice_make(copy, n), DNS_MX, &ttl, ignore_record, &records),
                         DNSWIRE_MALFORMED);
        free(copy);
    }
    for (size_t at = 0; at < b.len; at++) { /* every byte wrong in every way: it must only end */
        char was = b.at[at];
        for (int v = 0; v < 256; v++) {
            b.at[at] = (char)v;
            dnswire_read(buf_slice(&b), DNS_MX, &ttl, ignore_record, &records);
        }
        b.at[at] = was;
    }
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchangers_are_found),
        cmocka_unit_test(exchangers_are_found_by_libunbound_alone),
        cmocka_unit_test(hostile_answers_give_no_hosts),
        cmocka_unit_test(hostile_answers_to_libunbound_give_no_hosts),
        cmocka_unit_test(a_silent_server_is_left_to_libunbound),
        cmocka_unit_test(many_at_once_wait_in_line),
        cmocka_unit_test(the_best_of_many_exchangers_are_kept),
        cmocka_unit_test(what_is_no_domain_is_not_asked),
        cmocka_unit_test(equal_preferences_are_ordered_by_the_seed),
        cmocka_unit_test(the_queue_is_bounded_and_drains),
        cmocka_unit_test(closing_drops_what_is_under_way),
        cmocka_unit_test(a_callback_may_close),
        cmocka_unit_test(forged_answers_are_bogus),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(packets_are_read_within_their_bounds),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
