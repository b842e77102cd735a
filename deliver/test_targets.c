/* The order of a session's addresses: tables of exchangers, and how often each comes first. */
#include "targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW = 1000000, TURNS = 1200 };

/* "10 a 192.0.2.1 2001:db8::1 / 20 b 192.0.2.2" */
static struct mx_answer exchangers(const char *text) {
    struct mx_answer mx = {.status = MX_OK};
    struct slice rest = slice_of(text), host, word;
    while (slice_cut(&rest, '/', &host)) {
        struct mx_host *h = &mx.hosts[mx.host_count++];
        unsigned words = 0;
        host = slice_trim(host);
        for (; slice_cut(&host, ' ', &word); words++) {
            if (words == 0)
                h->preference = (uint16_t)strtoul(word.at, NULL, 10);
            else if (words == 1)
                memcpy(h->name, word.at, word.len);
            else
                assert_true(net_addr_parse(word, 0, &h->addresses[h->address_count++]));
        }
    }
    return mx;
}

static void mark_all(struct target_marks *marks, const char *text) {
    struct slice rest = slice_of(text), word;
    struct net_addr a;
    while (slice_cut(&rest, ' ', &word))
        if (word.len && net_addr_parse(word, 0, &a)) target_mark(marks, &a, NOW);
}

static void put_targets(const struct session_target *t, unsigned n, char out[512]) {
    size_t at = 0;
    out[0] = 0;
    for (unsigned i = 0; i < n; i++) {
        char address[NET_ADDR_TEXT_MAX];
        net_addr_format(&t[i].address, address);
        at += (size_t)snprintf(out + at, 512 - at, "%s%s=%s", i ? " " : "", t[i].name, address);
    }
}

static const struct {
    const char *name, *mx, *marked;
    enum net_family family;
    uint64_t turn;
    const char *order;
} cases[] = {
    {"by preference", "10 a 192.0.2.1 / 20 b 192.0.2.2", "", NET_NONE, 0, "a=192.0.2.1 b=192.0.2.2"},
    {"whose turn it is", "10 a 192.0.2.1 / 10 b 192.0.2.2", "", NET_NONE, 1, "b=192.0.2.2 a=192.0.2.1"},
    {"and again", "10 a 192.0.2.1 / 10 b 192.0.2.2", "", NET_NONE, 2, "a=192.0.2.1 b=192.0.2.2"},
    {"both families by turns", "10 a 192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2", "", NET_NONE, 0,
     "a=2001:db8::1 a=192.0.2.1 a=2001:db8::2 a=192.0.2.2"},
    {"a host's addresses have their turn", "10 a 192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2", "", NET_NONE,
     1, "a=2001:db8::2 a=192.0.2.2 a=2001:db8::1 a=192.0.2.1"},
    {"when all hosts had theirs", "10 a 192.0.2.1 192.0.2.11 / 10 b 192.0.2.2 192.0.2.12", "", NET_NONE, 2,
     "a=192.0.2.11 a=192.0.2.1 b=192.0.2.12 b=192.0.2.2"},
    {"one family", "10 a 192.0.2.1 2001:db8::1 / 20 b 2001:db8::2", "", NET_V4, 0, "a=192.0.2.1"},
    {"the other", "10 a 192.0.2.1 2001:db8::1 / 20 b 2001:db8::2", "", NET_V6, 0,
     "a=2001:db8::1 b=2001:db8::2"},
    {"none of that family", "10 a 192.0.2.1", "", NET_V6, 0, ""},
    {"what failed stands behind its equals", "10 a 192.0.2.1 / 10 b 192.0.2.2 / 20 c 192.0.2.3", "192.0.2.1",
     NET_NONE, 0, "b=192.0.2.2 a=192.0.2.1 c=192.0.2.3"},
    {"and behind the host's other addresses", "10 a 192.0.2.1 2001:db8::1", "2001:db8::1", NET_NONE, 0,
     "a=192.0.2.1 a=2001:db8::1"},
    {"a host stays as long as one address does", "10 a 192.0.2.1 2001:db8::1 / 10 b 192.0.2.2", "2001:db8::1",
     NET_NONE, 0, "a=192.0.2.1 a=2001:db8::1 b=192.0.2.2"},
    {"all of them failed", "10 a 192.0.2.1 / 10 b 192.0.2.2", "192.0.2.1 192.0.2.2", NET_NONE, 0,
     "a=192.0.2.1 b=192.0.2.2"},
    {"never before a better preference", "10 a 192.0.2.1 / 20 b 192.0.2.2", "192.0.2.1", NET_NONE, 0,
     "a=192.0.2.1 b=192.0.2.2"},
    {"many addresses leave room for the next host",
     "10 a 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 / 20 b 192.0.2.6", "", NET_NONE, 0,
     "a=192.0.2.1 a=192.0.2.2 a=192.0.2.3 b=192.0.2.6"},
    {"many hosts: one address each",
     "1 a 192.0.2.1 192.0.2.11 / 2 b 192.0.2.2 / 3 c 192.0.2.3 / "
     "4 d 192.0.2.4 / 5 e 192.0.2.5",
     "", NET_NONE, 0, "a=192.0.2.1 b=192.0.2.2 c=192.0.2.3 d=192.0.2.4 e=192.0.2.5"},
    {"but both families",
     "1 a 192.0.2.1 2001:db8::1 / 2 b 192.0.2.2 2001:db8::2 / 3 c 192.0.2.3 / "
     "4 d 192.0.2.4 / 5 e 192.0.2.5 / 6 f 192.0.2.6 / 7 g 192.0.2.7",
     "", NET_NONE, 0,
     "a=2001:db8::1 a=192.0.2.1 b=2001:db8::2 b=192.0.2.2 c=192.0.2.3 d=192.0.2.4 e=192.0.2.5 f=192.0.2.6"},
};

static void test_orders(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mx_answer mx = exchangers(cases[i].mx);
        struct target_marks marks = {0};
        struct session_target out[TARGETS_MAX];
        char order[512];
        mark_all(&marks, cases[i].marked);
        unsigned n = targets_choose(&mx, cases[i].family, &marks, cases[i].turn, NOW + 1, out);
        put_targets(out, n, order);
        if (strcmp(order, cases[i].order) != 0) print_error("%s\n", cases[i].name);
        assert_string_equal(order, cases[i].order);
    }
}

/* How often the host `name` stands at place `at`, over many turns. */
static unsigned times_at(const struct mx_answer *mx, const struct target_marks *marks, unsigned at,
                         const char *name) {
    unsigned times = 0;
    for (uint64_t turn = 0; turn < TURNS; turn++) {
        struct session_target out[TARGETS_MAX];
        assert_true(targets_choose(mx, NET_NONE, marks, turn, NOW, out) > at);
        times += strcmp(out[at].name, name) == 0;
    }
    return times;
}

static void test_spread(void **state) {
    (void)state;
    struct mx_answer mx = exchangers("10 a 192.0.2.1 / 10 b 192.0.2.2 / 10 c 192.0.2.3 / 20 d 192.0.2.4 / "
                                     "20 e 192.0.2.5");
    struct target_marks marks = {0};
    for (size_t i = 0; i < 3; i++) {
        const char *name = mx.hosts[i].name;
        assert_int_equal(times_at(&mx, NULL, 0, name), TURNS / 3);
        assert_in_range(times_at(&mx, NULL, 1, name), TURNS / 3 - 80, TURNS / 3 + 80);
    }
    assert_in_range(times_at(&mx, NULL, 3, "d"), TURNS / 2 - 120, TURNS / 2 + 120); /* at every level */
    mark_all(&marks, "192.0.2.1"); /* its share goes to both others alike */
    assert_int_equal(times_at(&mx, &marks, 0, "a"), 0);
    assert_in_range(times_at(&mx, &marks, 0, "b"), TURNS / 2 - 80, TURNS / 2 + 80);
}

static void test_marks(void **state) {
    (void)state;
    struct mx_answer mx = exchangers("10 a 192.0.2.1 / 10 b 192.0.2.2");
    struct target_marks marks = {0};
    struct session_target out[TARGETS_MAX];
    mark_all(&marks, "192.0.2.1");
    targets_choose(&mx, NET_NONE, &marks, 0, NOW + TARGET_MARK_US - 1, out);
    assert_string_equal(out[0].name, "b");
    targets_choose(&mx, NET_NONE, &marks, 0, NOW + TARGET_MARK_US, out); /* forgotten */
    assert_string_equal(out[0].name, "a");
    target_unmark(&marks, &mx.hosts[0].addresses[0]);
    targets_choose(&mx, NET_NONE, &marks, 0, NOW + 1, out);
    assert_string_equal(out[0].name, "a");
    mark_all(&marks, "192.0.2.1");
    for (unsigned i = 0; i < TARGET_MARKS; i++) { /* the oldest makes room */
        struct net_addr other = {.family = NET_V4, .bytes = {198, 51, 100, (uint8_t)i}};
        targets_choose(&mx, NET_NONE, &marks, 0, NOW + 2, out);
        assert_string_equal(out[0].name, "b");
        target_mark(&marks, &other, NOW + 1);
    }
    targets_choose(&mx, NET_NONE, &marks, 0, NOW + 2, out);
    assert_string_equal(out[0].name, "a");
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_marks),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
