/* Look-ups of single records against a DNS server of a table, on the same loop. */
#include "records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { REPLY_MAX = 4096, FLAG_NXDOMAIN = 3, FLAG_SERVFAIL = 2 };

struct entry {
    const char *owner;
    uint16_t type;
    const char *data; /* the rdata, in bytes */
    size_t len;
    unsigned rcode;
};
#define DATA(bytes) (bytes), sizeof(bytes) - 1

static const struct entry zone[] = {
    {"one.test", DNS_TXT, DATA("\5hello"), 0},
    {"split.test", DNS_TXT, DATA("\4v=DK\5IM1; \0\3p=A"), 0},
    {"two.test", DNS_TXT, DATA("\6v=spf1"), 0},
    {"two.test", DNS_TXT, DATA("\5other"), 0},
    {"empty.test", DNS_TXT, DATA("\0"), 0},
    {"long.test", DNS_TXT, DATA("\11short"), 0},
    {"nothing.test", DNS_TXT, DATA(""), 0},
    {"4.3.2.1.in-addr.arpa", DNS_PTR, DATA("\2mx\3ONE\4test\0"), 0},
    {"odd.test", DNS_PTR, DATA("\3a b\4test\0"), 0},
    {"short.test", DNS_PTR, DATA("\2mx"), 0},
    {"tail.test", DNS_PTR, DATA("\2mx\0xx"), 0},
    {"host.test", DNS_A, DATA("\xc0\0\2\7"), 0},
    {"host.test", DNS_A, DATA("\177\0\0\1"), 0},
    {"host.test", DNS_AAAA, DATA("\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), 0},
    {"host.test", DNS_MX, DATA("\0\12\2mx\3one\4test\0"), 0},
    {"down.test", DNS_TXT, NULL, 0, FLAG_SERVFAIL},
};

struct bench {
    struct loop *loop;
    struct loop_poll *poll;
    struct records *records;
    int fd;
    bool silent;
    unsigned calls;
    char got[1024];
};

static void put_be16(struct buf *b, unsigned v) {
    buf_put_u8(b, (uint8_t)(v >> 8));
    buf_put_u8(b, (uint8_t)v);
}

/* The dotted name of the question, and where the question ends. */
static size_t read_question(const uint8_t *query, size_t n, struct buf *name, unsigned *type) {
    size_t at = 12;
    while (at < n && query[at]) {
        if (name->len) buf_put_c(name, '.');
        buf_put(name, query + at + 1, query[at]);
        at += (size_t)query[at] + 1;
    }
    assert_true(at + 5 <= n);
    *type = (unsigned)query[at + 1] << 8 | query[at + 2];
    return at + 5;
}

static void make_reply(struct buf *out, const uint8_t *query, size_t n) {
    struct buf name, records;
    unsigned type, count = 0, rcode = FLAG_NXDOMAIN;
    buf_init(&name, 256);
    buf_init(&records, REPLY_MAX);
    size_t end = read_question(query, n, &name, &type);
    for (size_t i = 0; i < sizeof zone / sizeof zone[0]; i++) {
        if (!slice_eq_nocase(slice_of(zone[i].owner), buf_slice(&name))) continue;
        rcode = zone[i].rcode;
        if (zone[i].type != type || rcode) continue;
        put_be16(&records, 0xc00c);
        put_be16(&records, type);
        put_be16(&records, 1);
        buf_put(&records, "\0\0\1\0", 4);
        put_be16(&records, (unsigned)zone[i].len);
        buf_put(&records, zone[i].data, zone[i].len);
        count++;
    }
    buf_put(out, query, 2);
    put_be16(out, 0x8180 | rcode);
    put_be16(out, 1);
    put_be16(out, count);
    buf_put(out, "\0\0\0\0", 4);
    buf_put(out, query + 12, end - 12);
    buf_put_slice(out, buf_slice(&records));
    buf_done(&name);
    buf_done(&records);
}

static void serve(void *ctx, unsigned events) {
    struct bench *b = ctx;
    uint8_t query[2048];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    (void)events;
    ssize_t n;
    while ((n = recvfrom(b->fd, query, sizeof query, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len)) >
           0) {
        struct buf reply;
        buf_init(&reply, REPLY_MAX);
        make_reply(&reply, query, (size_t)n);
        if (!b->silent) sendto(b->fd, reply.at, reply.len, 0, (struct sockaddr *)&from, from_len);
        buf_done(&reply);
    }
}

static void bench_open(struct bench *b, bool no_stub) {
    struct sockaddr_storage at;
    struct net_addr addr;
    struct err err = {.text = ""};
    *b = (struct bench){.loop = loop_open(&err)};
    assert_true(net_addr_parse(SLICE("127.0.0.1"), 0, &addr));
    socklen_t n = net_addr_to_sockaddr(&addr, &at);
    b->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(b->fd, (struct sockaddr *)&at, n), 0);
    n = sizeof at;
    getsockname(b->fd, (struct sockaddr *)&at, &n);
    net_addr_from_sockaddr((struct sockaddr *)&at, &addr);
    b->poll = loop_poll_open(b->loop, b->fd, serve, b, &err);
    assert_non_null(b->poll);
    loop_poll_set(b->poll, LOOP_READ);
    struct resolver_options options = {
        .servers = &addr, .server_count = 1, .timeout_ms = 1000, .no_stub = no_stub, .no_ipv6 = true};
    b->records = records_open(b->loop, &options, &err);
    if (!b->records) fail_msg("%s", err.text);
}

static void bench_close(struct bench *b) {
    records_close(b->records);
    loop_poll_close(b->poll, NULL);
    close(b->fd);
    loop_close(b->loop);
}

/* "found: a|b", "none:", "no-name:", "temporary: why" */
static void write_down(void *ctx, const struct records_answer *answer) {
    static const char *const names[] = {"found", "none", "no-name", "temporary", "bogus"};
    struct bench *b = ctx;
    struct buf text;
    buf_init(&text, sizeof b->got - 1);
    buf_printf(&text, "%s:", names[answer->status]);
    for (size_t i = 0; i < answer->count; i++)
        buf_printf(&text, "%s%.*s", i ? "|" : " ", SLICE_ARG(answer->values[i]));
    snprintf(b->got, sizeof b->got, "%.*s", SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
    b->calls++;
    loop_stop(b->loop);
}

static void look_up(struct bench *b, const char *name, uint16_t type) {
    unsigned before = b->calls;
    assert_int_equal(records_ask(b->records, slice_of(name), type, write_down, b), 0);
    assert_int_equal(b->calls, before); /* never from within */
    loop_run(b->loop);
    assert_int_equal(b->calls, before + 1);
}

static const struct {
    const char *name;
    uint16_t type;
    const char *answer;
} cases[] = {
    {"one.test", DNS_TXT, "found: hello"},
    {"ONE.test.", DNS_TXT, "found: hello"},
    {"split.test", DNS_TXT, "found: v=DKIM1; p=A"},
    {"two.test", DNS_TXT, "found: v=spf1|other"},
    {"empty.test", DNS_TXT, "found: "},
    {"one.test", DNS_A, "none:"},
    {"gone.test", DNS_TXT, "no-name:"},
    {"not a name", DNS_TXT, "no-name:"},
    {"down.test", DNS_TXT, "temporary:"},
    {"4.3.2.1.in-addr.arpa", DNS_PTR, "found: mx.one.test"},
    {"odd.test", DNS_PTR, "found: "},
    {"host.test", DNS_A, "found: 192.0.2.7|127.0.0.1"},
    {"host.test", DNS_AAAA, "found: 2001:db8::1"},
    {"host.test", DNS_MX, "found: 10 mx.one.test"},
    /* rdata that is not what it says */
    {"long.test", DNS_TXT, "temporary:"},
    {"nothing.test", DNS_TXT, "temporary:"},
    {"short.test", DNS_PTR, "temporary:"},
    {"tail.test", DNS_PTR, "temporary:"},
};

/* libunbound turns the records of an answer round. */
static bool is_turned(const char *got, const char *answer) {
    char turned[1024];
    const char *first = answer + strlen("found: "), *bar = strchr(answer, '|');
    if (!bar) return false;
    snprintf(turned, sizeof turned, "found: %s|%.*s", bar + 1, (int)(bar - first), first);
    return strcmp(got, turned) == 0;
}

static void look_all_up(bool no_stub) {
    struct bench b;
    bench_open(&b, no_stub);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        look_up(&b, cases[i].name, cases[i].type);
        bool turned = no_stub && is_turned(b.got, cases[i].answer);
        if (strcmp(b.got, cases[i].answer) != 0 && !turned)
            fail_msg("%s: '%s', not '%s'", cases[i].name, b.got, cases[i].answer);
    }
    bench_close(&b);
}

static void records_are_read(void **state) {
    (void)state;
    look_all_up(false);
}

static void records_are_read_by_libunbound(void **state) {
    (void)state;
    look_all_up(true);
}

static void a_silent_server_is_waited_for_no_longer_than_the_timeout(void **state) {
    struct bench b;
    (void)state;
    bench_open(&b, true);
    b.silent = true;
    mono_us began = clock_mono();
    look_up(&b, "one.test", DNS_TXT);
    assert_string_equal(b.got, "temporary:");
    assert_true(clock_mono() - began < 3 * US_PER_SEC);
    assert_true(clock_mono() - began > 900 * US_PER_MS);
    bench_close(&b); /* the question is still with libunbound */
    assert_int_equal(b.calls, 1);
}

static void closing_drops_what_is_under_way(void **state) {
    struct bench b;
    (void)state;
    bench_open(&b, false);
    for (int i = 0; i < 10; i++)
        assert_int_equal(records_ask(b.records, SLICE("one.test"), DNS_TXT, write_down, &b), 0);
    bench_close(&b);
    assert_int_equal(b.calls, 0);
}

static void reverse_names(void **state) {
    static const char *const pairs[][2] = {
        {"192.0.2.1", "1.2.0.192.in-addr.arpa"},
        {"2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char name[DNS_NAME_MAX + 1];
        struct net_addr addr;
        assert_true(net_addr_parse(slice_of(pairs[i][0]), 0, &addr));
        records_reverse_name(&addr, name);
        assert_string_equal(name, pairs[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read),
        cmocka_unit_test(records_are_read_by_libunbound),
        cmocka_unit_test(a_silent_server_is_waited_for_no_longer_than_the_timeout),
        cmocka_unit_test(closing_drops_what_is_under_way),
        cmocka_unit_test(reverse_names),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
