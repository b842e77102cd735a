/* The steady clock against jumps of the wall clock. */
#include "steady.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HOUR (3600 * US_PER_SEC)
#define DAY  (24 * HOUR)
#define T0   (1790000000 * US_PER_SEC)

/* Runs for `hours` in steps of a second; the wall clock is `jump` off from the beginning. */
static wall_us run(struct steady *s, int64_t jump, int64_t hours, int64_t *least, int64_t *most) {
    wall_us last = s->at;
    mono_us boot = s->boot;
    *least = INT64_MAX, *most = INT64_MIN;
    for (int64_t i = 1; i <= hours * 3600; i++) {
        wall_us now = steady_read(s, boot + i * US_PER_SEC, T0 + jump + i * US_PER_SEC);
        if (now - last < *least) *least = now - last;
        if (now - last > *most) *most = now - last;
        last = now;
    }
    return last;
}

static const struct {
    int64_t jump, hours; /* and where it stands then, from the wall clock */
    int64_t off, least, most;
} cases[] = {
    {0, 24, 0, US_PER_SEC, US_PER_SEC},
    {DAY, 12, -12 * HOUR, 2 * US_PER_SEC, 2 * US_PER_SEC}, /* put forward: twice as fast */
    {DAY, 25, 0, US_PER_SEC, 2 * US_PER_SEC},
    {-DAY, 24, 12 * HOUR, US_PER_SEC / 2, US_PER_SEC / 2}, /* put back: half as fast */
    {-DAY, 49, 0, US_PER_SEC / 2, US_PER_SEC},
};

static void jumps(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct steady s;
        int64_t least, most;
        steady_init(&s, 5, T0, 0);
        wall_us end = run(&s, cases[i].jump, cases[i].hours, &least, &most);
        wall_us wall = T0 + cases[i].jump + cases[i].hours * HOUR;
        if (end - wall != cases[i].off || least != cases[i].least || most != cases[i].most)
            fail_msg("case %zu: off %lld, steps %lld to %lld", i, (long long)(end - wall), (long long)least,
                     (long long)most);
    }
}

static void limits(void **state) {
    (void)state;
    struct steady s;
    steady_init(&s, 0, T0, T0 + DAY); /* put back while it did not run */
    assert_int_equal(s.at, T0 + DAY);
    steady_init(&s, 0, T0, T0 - DAY); /* it did not run for a day, or was put forward */
    assert_int_equal(s.at, T0);
    steady_init(&s, 0, T0, T0 + 3650 * DAY);
    assert_int_equal(s.at, T0 + STEADY_MOST);
    assert_int_equal(steady_read(&s, 1, T0 + 3650 * DAY), T0 + 3650 * DAY - STEADY_MOST);
    assert_int_equal(steady_read(&s, 0, T0 + 3650 * DAY),
                     T0 + 3650 * DAY - STEADY_MOST); /* boot never goes back */
    steady_init(&s, 0, T0, 0);                       /* suspended for a day: time has passed */
    assert_int_equal(steady_read(&s, DAY, T0 + DAY), T0 + DAY);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(jumps), cmocka_unit_test(limits)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
