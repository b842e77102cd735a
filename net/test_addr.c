/* Tests of the plain data of net/: addresses, answers of the resolver, names, the bounded map. */
#include "addr.h"
#include "dnsname.h"
#include "lru.h"
#include "mx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void addresses_are_read_and_written(void **state) {
    static const struct {
        const char *text, *ip, *with_port;
    } good[] = {
        {"127.0.0.1", "127.0.0.1", "127.0.0.1:25"},
        {"127.0.0.1:5353", "127.0.0.1", "127.0.0.1:5353"},
        {"255.255.255.255:65535", "255.255.255.255", "255.255.255.255:65535"},
        {"::1", "::1", "[::1]:25"},
        {"[::1]", "::1", "[::1]:25"},
        {"[2001:DB8::25]:1", "2001:db8::25", "[2001:db8::25]:1"},
        {"2001:db8:0:0:0:0:0:25", "2001:db8::25", "[2001:db8::25]:25"},
    };
    static const char *const bad[] = {
        "",          "127.0.0",      "127.0.0.1:",    "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+1",
        "256.0.0.1", "01.2.3.4",     "1.2.3.4.5",     "localhost",   " 127.0.0.1",      "127.0.0.1 ",
        "[::1",      "[]",           "[127.0.0.1]",   "[::1]25",     "[::1]:",          "::1%lo",
        ":::",       "[::1]:123456", "1.2.3.4:00025", "[::1]:25:26"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct net_addr a, b, c;
        char text[NET_ADDR_TEXT_MAX];
        assert_true(net_addr_parse(slice_of(good[i].text), 25, &a));
        assert_int_equal(net_addr_format(&a, text), strlen(good[i].ip));
        assert_string_equal(text, good[i].ip);
        assert_int_equal(net_addr_format_port(&a, text), strlen(good[i].with_port));
        assert_string_equal(text, good[i].with_port);
        assert_true(net_addr_parse(slice_of(text), 0, &b));
        assert_memory_equal(&a, &b, sizeof a);
        struct sockaddr_storage s;
        assert_true(net_addr_to_sockaddr(&a, &s) > 0);
        assert_true(net_addr_from_sockaddr((struct sockaddr *)&s, &c));
        assert_memory_equal(&a, &c, sizeof a);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct net_addr a;
        if (net_addr_parse(slice_of(bad[i]), 25, &a)) fail_msg("'%s' was taken", bad[i]);
    }
    struct net_addr a;
    assert_false(net_addr_parse(SLICE("1.2.3.4\0"), 25, &a));
}

static void addresses_are_judged(void **state) {
    static const struct {
        const char *text;
        bool loopback, usable;
    } cases[] = {{"127.0.0.1", true, true},   {"127.255.3.4", true, true},       {"128.0.0.1", false, true},
                 {"::1", true, true},         {"::ffff:127.0.0.1", true, false}, {"::2", false, true},
                 {"0.0.0.0", false, false},   {"0.1.2.3", false, false},         {"::", false, false},
                 {"224.0.0.1", false, false}, {"255.255.255.255", false, false}, {"ff02::1", false, false},
                 {"10.0.0.1", false, true},   {"2001:db8::1", false, true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_addr a;
        assert_true(net_addr_parse(slice_of(cases[i].text), 0, &a));
        if (net_addr_is_loopback(&a) != cases[i].loopback || net_addr_is_usable(&a) != cases[i].usable)
            fail_msg("%s", cases[i].text);
    }
    struct net_addr a, b;
    assert_true(net_addr_parse(SLICE("1.2.3.4:5"), 0, &a) && net_addr_parse(SLICE("1.2.3.4:6"), 0, &b));
    assert_true(net_addr_cmp(&a, &b) < 0 && net_addr_cmp(&b, &a) > 0 && net_addr_cmp(&a, &a) == 0);
    assert_true(net_addr_parse(SLICE("::1"), 0, &b) && net_addr_cmp(&a, &b) < 0);
}

static void fill_answer(struct mx_answer *a) {
    memset(a, 0, sizeof *a);
    a->status = MX_OK;
    a->ttl_s = 86400;
    a->host_count = MX_MAX_HOSTS;
    for (size_t h = 0; h < MX_MAX_HOSTS; h++) {
        a->hosts[h].preference = (uint16_t)(h * 4000);
        a->hosts[h].address_count = (uint8_t)(1 + h % MX_MAX_ADDRESSES);
        snprintf(a->hosts[h].name, sizeof a->hosts[h].name, "mx%zu.example.test", h);
        for (size_t i = 0; i < a->hosts[h].address_count; i++)
            assert_true(net_addr_parse(i % 2 ? SLICE("2001:db8::7") : SLICE("127.0.0.7"), 0,
                                       &a->hosts[h].addresses[i]));
    }
}

static void answers_come_back_from_their_encoding(void **state) {
    static struct mx_answer a, b;
    struct buf out;
    (void)state;
    buf_init(&out, 10000);
    fill_answer(&a);
    mx_answer_encode(&a, &out);
    assert_false(out.failed);
    assert_true(mx_answer_decode(buf_slice(&out), &b));
    assert_memory_equal(&a, &b, sizeof a);
    for (size_t n = 0; n < out.len; n++) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, out.at, n);
        assert_false(mx_answer_decode(slice_make(copy, n), &b));
        free(copy);
    }
    buf_put_c(&out, 'x');
    assert_false(mx_answer_decode(buf_slice(&out), &b));
    for (size_t at = 0; at < out.len; at++)
        for (int v = 0; v < 256; v++) {
            char was = out.at[at];
            out.at[at] = (char)v;
            if (mx_answer_decode(slice_make(out.at, out.len - 1), &b))
                assert_true(b.host_count <= MX_MAX_HOSTS);
            out.at[at] = was;
        }
    buf_reset(&out);
    a = (struct mx_answer){.status = MX_NO_DOMAIN, .ttl_s = 60, .text = "NXDOMAIN for a.test"};
    mx_answer_encode(&a, &out);
    assert_true(mx_answer_decode(buf_slice(&out), &b));
    assert_int_equal(b.status, MX_NO_DOMAIN);
    assert_string_equal(b.text, a.text);
    buf_done(&out);
}

static unsigned dropped;

static void drop(void *value) {
    dropped++;
    free(value);
}

static void the_least_recently_used_goes_first(void **state) {
    (void)state;
    dropped = 0;
    struct lru *lru = lru_open(3, drop);
    assert_non_null(lru);
    lru_put(lru, SLICE("a"), malloc(1));
    lru_put(lru, SLICE("b"), malloc(1));
    lru_put(lru, SLICE("c"), malloc(1));
    assert_non_null(lru_get(lru, SLICE("a")));
    lru_put(lru, SLICE("d"), malloc(1));
    assert_null(lru_get(lru, SLICE("b")));
    assert_non_null(lru_get(lru, SLICE("a")));
    lru_put(lru, SLICE("c"), malloc(1)); /* in place of the older one */
    assert_int_equal(dropped, 2);
    assert_int_equal(lru_count(lru), 3);
    lru_remove(lru, SLICE("c"));
    lru_remove(lru, SLICE("c"));
    assert_int_equal(lru_count(lru), 2);
    for (unsigned i = 0; i < 1000; i++)
        lru_put(lru, slice_make(&i, sizeof i), malloc(1));
    assert_int_equal(lru_count(lru), 3);
    lru_close(lru);
    assert_int_equal(dropped, 1005);
}

static void public_addresses_are_known(void **state) {
    static const char *const inside[] = {
        "0.0.0.0",       "0.1.2.3",           "10.0.0.0",        "10.255.255.255",
        "100.64.0.1",    "100.127.255.255",   "127.0.0.1",       "127.255.255.254",
        "169.254.1.1",   "172.16.0.1",        "172.31.255.1",    "192.0.0.8",
        "192.0.2.1",     "192.168.0.1",       "192.168.255.1",   "198.18.0.1",
        "198.19.255.1",  "198.51.100.7",      "203.0.113.1",     "224.0.0.1",
        "239.1.2.3",     "240.0.0.1",         "255.255.255.255", "::",
        "::1",           "::7f00:1",          "::ffff:8.8.8.8",  "::ffff:127.0.0.1",
        "fc00::1",       "fdff::1",           "fe80::1",         "fec0::1",
        "ff02::1",       "64:ff9b::10.0.0.1", "64:ff9b:1::1",    "100::1",
        "2001::1",       "2001:1ff::1",       "2001:db8::1",     "2002:7f00:1::1",
        "2002:c0a8:1::", "3fff:fff::1",       "4000::1"};
    static const char *const outside[] = {
        "1.1.1.1",      "9.255.255.255",   "11.0.0.1",        "100.63.255.255", "100.128.0.1",
        "126.1.1.1",    "128.0.0.1",       "169.253.1.1",     "172.15.1.1",     "172.32.0.1",
        "192.0.1.1",    "192.0.3.1",       "192.167.1.1",     "192.169.0.1",    "198.17.1.1",
        "198.20.0.1",   "198.51.101.1",    "203.0.114.1",     "223.1.1.1",      "2001:200::1",
        "2001:db7::1",  "2001:db9::1",     "2606:4700::1111", "2a00:1450::1a",  "2002:808:808::1",
        "3fff:1000::1", "64:ff9b::8.8.8.8"};
    struct net_addr a = {0};
    (void)state;
    assert_false(net_addr_is_public(&a));
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        if (!net_addr_parse(slice_of(inside[i]), 0, &a) || net_addr_is_public(&a)) fail_msg("%s", inside[i]);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (!net_addr_parse(slice_of(outside[i]), 0, &a) || !net_addr_is_public(&a))
            fail_msg("%s", outside[i]);
}

static void set_host(struct mx_host *host, const char *name, const char *const *addresses) {
    *host = (struct mx_host){.preference = 10};
    memcpy(host->name, name, strlen(name) + 1);
    for (; *addresses; addresses++)
        assert_true(net_addr_parse(slice_of(*addresses), 0, &host->addresses[host->address_count++]));
}

static void private_exchangers_are_dropped(void **state) {
    struct mx_answer a = {.status = MX_OK, .ttl_s = 300, .host_count = 3};
    (void)state;
    set_host(&a.hosts[0], "mx1.a.test", (const char *const[]){"fd00::1", "10.0.0.1", NULL});
    set_host(&a.hosts[1], "mx2.a.test",
             (const char *const[]){"::1", "2606:4700::1", "127.0.0.1", "1.1.1.1", NULL});
    set_host(&a.hosts[2], "mx3.a.test", (const char *const[]){"9.9.9.9", NULL});
    struct mx_answer all = a;
    assert_true(mx_answer_keep_public(&a));
    assert_int_equal(a.status, MX_OK);
    assert_int_equal(a.host_count, 2);
    assert_string_equal(a.hosts[0].name, "mx2.a.test");
    assert_int_equal(a.hosts[0].address_count, 2);
    assert_memory_equal(&a.hosts[0].addresses[0], &all.hosts[1].addresses[1], sizeof(struct net_addr));
    assert_memory_equal(&a.hosts[0].addresses[1], &all.hosts[1].addresses[3], sizeof(struct net_addr));
    assert_string_equal(a.hosts[1].name, "mx3.a.test");
    assert_false(mx_answer_keep_public(&a)); /* nothing more to drop */
    struct mx_answer none = all;
    none.host_count = 1;
    assert_true(mx_answer_keep_public(&none));
    assert_int_equal(none.status, MX_NO_MAIL);
    assert_int_equal(none.host_count, 0);
    assert_string_equal(none.text, "mx1.a.test is on no public address: fd00::1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(addresses_are_judged),
        cmocka_unit_test(answers_come_back_from_their_encoding),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(public_addresses_are_known),
        cmocka_unit_test(private_exchangers_are_dropped),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
