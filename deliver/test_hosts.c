/* What is remembered of hosts, and for how long. */
#include "hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define DAY ((mono_us)24 * 3600 * US_PER_SEC)

static void test_bdat(void **state) {
    (void)state;
    struct hosts h = {0};
    assert_true(hosts_takes_bdat(&h, SLICE("a"), 0));
    hosts_mishandled_bdat(&h, SLICE("a"), 0);
    assert_false(hosts_takes_bdat(&h, SLICE("a"), 1));
    assert_false(hosts_takes_bdat(&h, SLICE("a"), DAY - 1));
    assert_true(hosts_takes_bdat(&h, SLICE("b"), 1));
    assert_true(hosts_takes_bdat(&h, SLICE("a"), DAY));
    hosts_done(&h);
}

/* However many there are, few are remembered. */
static void test_bounded(void **state) {
    (void)state;
    struct hosts h = {0};
    for (unsigned i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "h%u", i);
        hosts_mishandled_bdat(&h, slice_of(name), 0);
    }
    assert_true(hosts_takes_bdat(&h, SLICE("h0"), 1));
    assert_false(hosts_takes_bdat(&h, SLICE("h4999"), 1));
    hosts_done(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bdat), cmocka_unit_test(test_bounded)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
