/* What is remembered of hosts, and for how long. */
#include "hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { HOUR = 3600 };

/* A session of `host` ends at MAIL after so many; then so many are known of it. */
struct end {
    int at_s;
    const char *host;
    unsigned mails;
    bool said;
    unsigned known;
};

static const struct end ends[] = {
    {0, "a", 0, true, 0},                         /* not even one */
    {1, "a", 7, true, 7},  {2, "a", 9, true, 7},  /* what another session was told changes nothing, but for
                                                     less */
    {3, "a", 5, true, 5},  {4, "b", 3, false, 0}, /* connections are lost for many reasons */
    {5, "b", 4, false, 0}, {6, "b", 4, false, 4}, {7, "c", 1, false, 0}, {8, "c", 1, true, 1},
};

static void test_mails(void **state) {
    (void)state;
    struct hosts h = {0};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const struct end *e = &ends[i];
        mono_us now = e->at_s * US_PER_SEC;
        hosts_ended_at_mail(&h, slice_of(e->host), e->mails, e->said, now);
        assert_int_equal(hosts_mails_max(&h, slice_of(e->host), now), e->known);
    }
    assert_int_equal(hosts_mails_max(&h, SLICE("d"), 0), 0);
    hosts_done(&h);
}

static unsigned known_at(const struct hosts *h, int64_t s) {
    return hosts_mails_max(h, SLICE("a"), s * US_PER_SEC);
}

static void test_for_how_long(void **state) {
    (void)state;
    struct hosts h = {0};
    hosts_ended_at_mail(&h, SLICE("a"), 7, true, 0);
    hosts_ended_at_mail(&h, SLICE("a"), 7, true, US_PER_SEC); /* was open then */
    assert_int_equal(known_at(&h, HOUR - 1), 7);
    assert_int_equal(known_at(&h, HOUR), 0);
    hosts_ended_at_mail(&h, SLICE("a"), 7, true, (mono_us)2 * HOUR * US_PER_SEC);
    assert_int_equal(known_at(&h, 26 * HOUR - 1), 7);
    assert_int_equal(known_at(&h, 26 * HOUR), 0);
    hosts_ended_at_mail(&h, SLICE("a"), 20, true, (mono_us)27 * HOUR * US_PER_SEC); /* it has grown */
    assert_int_equal(known_at(&h, 28 * HOUR - 1), 20);
    assert_int_equal(known_at(&h, 28 * HOUR), 0);
    hosts_done(&h);
}

static void test_bdat(void **state) {
    (void)state;
    struct hosts h = {0};
    assert_true(hosts_takes_bdat(&h, SLICE("a"), 0));
    hosts_ended_at_mail(&h, SLICE("a"), 7, true, 0);
    assert_true(hosts_takes_bdat(&h, SLICE("a"), 0));
    hosts_mishandled_bdat(&h, SLICE("a"), 0);
    assert_false(hosts_takes_bdat(&h, SLICE("a"), 1));
    assert_int_equal(known_at(&h, 0), 7);
    assert_true(hosts_takes_bdat(&h, SLICE("b"), 1));
    assert_true(hosts_takes_bdat(&h, SLICE("a"), (mono_us)24 * HOUR * US_PER_SEC));
    hosts_done(&h);
}

/* However many there are, few are remembered. */
static void test_bounded(void **state) {
    (void)state;
    struct hosts h = {0};
    for (unsigned i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "h%u", i);
        hosts_ended_at_mail(&h, slice_of(name), 1, true, 0);
    }
    assert_int_equal(hosts_mails_max(&h, SLICE("h0"), 0), 0);
    assert_int_equal(hosts_mails_max(&h, SLICE("h4999"), 0), 1);
    hosts_done(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mails), cmocka_unit_test(test_for_how_long),
                                       cmocka_unit_test(test_bdat), cmocka_unit_test(test_bounded)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
