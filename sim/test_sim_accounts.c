/* The pure parts that count and remember: clock, limits, windows, greylists, standing, latencies. */
#include "sim_greylist.h"
#include "sim_latency.h"
#include "sim_limits.h"
#include "sim_reputation.h"
#include "sim_window.h"

#include "hash.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define S US_PER_SEC

static void the_clock_runs_as_fast_as_told(void **state) {
    (void)state;
    const wall_us noon = 20000 * US_PER_DAY + 12 * 3600 * S;
    struct sim_clock c;
    sim_clock_begin(&c, 60, 23 * 3600, 500 * S, noon);
    assert_int_equal(sim_clock_at(&c, 500 * S), 0);
    assert_int_equal(sim_clock_at(&c, 501 * S), 60 * S);
    assert_int_equal(sim_clock_of_day(sim_clock_wall(&c, 60 * S)), (23 * 3600 + 60) * S);
    assert_int_equal(sim_clock_real(&c, 60 * S), S);
    assert_int_equal(sim_clock_real(&c, 1), 1); /* never nothing: a loop must move on */
    int64_t today = sim_clock_day(c.start, 0);
    assert_int_equal(sim_clock_day(sim_clock_wall(&c, 3599 * S), 0), today);
    assert_int_equal(sim_clock_day(sim_clock_wall(&c, 3600 * S), 0), today + 1);
    assert_int_equal(sim_clock_day(sim_clock_wall(&c, 3600 * S), 2 * 3600), today);
    sim_clock_begin(&c, 1, -1, 0, noon);
    assert_int_equal(sim_clock_wall(&c, 5), noon + 5);
}

static void limits_change_with_time(void **state) {
    (void)state;
    struct sim_change change[2] = {{.at_s = 10, .limits.most = {[SIM_LIMIT_RATE] = 5}},
                                   {.at_s = 20, .limits.most = {[SIM_LIMIT_RATE] = 20}}};
    struct sim_rules r = {.limits.most = {[SIM_LIMIT_RATE] = 10}, .change = change, .changes = 2};
    static const struct {
        double from, to, over;
    } cases[] = {{0, 10, 100}, {0, 5, 50},   {5, 15, 75}, {0, 30, 350},
                 {12, 14, 10}, {25, 26, 20}, {20, 20, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double over =
            sim_limits_over(&r, SIM_LIMIT_RATE, (sim_us)(cases[i].from * 1e6), (sim_us)(cases[i].to * 1e6));
        if (fabs(over - cases[i].over) > 1e-9) fail_msg("case %zu: %g", i, over);
    }
    assert_true(sim_limits_now(&r, 10 * S - 1)->most[SIM_LIMIT_RATE] == 10);
    assert_true(sim_limits_now(&r, 10 * S)->most[SIM_LIMIT_RATE] == 5);
    assert_true(sim_limits_now(&r, 20 * S)->most[SIM_LIMIT_RATE] == 20);
}

static struct sim_site site_of(const struct sim_rules *r, const struct sim_knocking *k) {
    struct sim_site s;
    sim_site_begin(&s, r, k, 0, 0, 7);
    return s;
}

static void rates_are_kept_exactly(void **state) {
    (void)state;
    static const struct {
        double rate;
        uint32_t burst;
        double window_s;
        int low, high; /* of messages in ten seconds, asked for every millisecond */
    } cases[] = {
        {10, 1, 0, 99, 101},        {10, 0, 0, 108, 110}, {10, 50, 0, 148, 150}, {0.5, 0, 0, 5, 6},
        {1000, 0, 0, 10000, 10001}, {10, 0, 1, 100, 100}, {10, 0, 4, 120, 120}, /* three windows have begun */
        {0.1, 0, 60, 6, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim_rules r = {.limits = {.most = {[SIM_LIMIT_RATE] = cases[i].rate},
                                         .burst = cases[i].burst,
                                         .window_s = cases[i].window_s}};
        struct sim_knocking k = {0};
        struct sim_site s = site_of(&r, &k);
        int taken = 0;
        for (sim_us t = 0; t < 10 * S; t += 1000)
            taken += sim_site_take_rate(&s, t);
        if (taken < cases[i].low || taken > cases[i].high) fail_msg("case %zu: %d", i, taken);
    }
}

static void connections_and_quotas_are_counted(void **state) {
    (void)state;
    struct sim_rules r = {
        .limits.most = {
            [SIM_LIMIT_CONNECTIONS] = 2, [SIM_LIMIT_CONNECTIONS_PER_MINUTE] = 4, [SIM_LIMIT_DAILY] = 3}};
    struct sim_knocking k = {0};
    struct sim_site s = site_of(&r, &k);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sim_site_connect(&s, 0), SIM_LIMITS);
        s.connections++;
    }
    assert_int_equal(sim_site_connect(&s, 0), SIM_LIMIT_CONNECTIONS);
    s.connections = 0;
    assert_int_equal(sim_site_connect(&s, 0), SIM_LIMITS);
    assert_int_equal(sim_site_connect(&s, 0), SIM_LIMITS);
    assert_int_equal(sim_site_connect(&s, 0), SIM_LIMIT_CONNECTIONS_PER_MINUTE);
    assert_int_equal(sim_site_connect(&s, 15 * S), SIM_LIMITS); /* one comes back each 15 seconds */
    for (int i = 0; i < 3; i++)
        assert_true(sim_site_book(&s, 0, 7));
    assert_false(sim_site_book(&s, 0, 7));
    sim_site_unbook(&s);
    assert_true(sim_site_book(&s, 0, 7));
    assert_false(sim_site_quota_left(&s, 0, 7));
    assert_true(sim_site_book(&s, 0, 8)); /* the next day */
    assert_int_equal(s.today, 1);
}

static void knocking_lengthens_the_block(void **state) {
    (void)state;
    struct sim_rules r = {0};
    struct sim_knocking k = {.after = 3, .block_s = 30, .longest_s = 70};
    struct sim_site s = site_of(&r, &k);
    sim_site_refused(&s, 0);
    sim_site_refused(&s, 61 * S); /* another minute: counts anew */
    sim_site_refused(&s, 62 * S);
    assert_false(sim_site_knock(&s, 63 * S));
    sim_site_refused(&s, 63 * S);
    assert_true(s.blocked_until == 93 * S);
    assert_false(sim_site_knock(&s, 93 * S)); /* who waits is let in */
    s.blocked_until = 93 * S;
    assert_true(sim_site_knock(&s, 92 * S));
    assert_true(s.blocked_until == (92 + 60) * S);
    assert_true(sim_site_knock(&s, 100 * S));
    assert_true(s.blocked_until == (100 + 70) * S); /* the longest */
}

static void windows_open_and_close(void **state) {
    (void)state;
    struct sim_window window[] = {
        {.at_s = 10, .for_s = 5, .hosts = 1},
        {.at_s = 100, .for_s = 10, .every_s = 60, .how = SIM_WINDOW_421},
        {.daily = true, .at_s = 23 * 3600 + 3000, .for_s = 1200, .how = SIM_WINDOW_DROP}};
    const struct sim_provider p = {.window = window, .windows = 3};
    const wall_us midnight = 20000 * US_PER_DAY;
    static const struct {
        int64_t at, of_day;
        uint32_t host;
        int open; /* -1: none */
    } cases[] = {{9, 0, 0, 2},       {10, 1000, 0, 0},  {10, 1000, 1, -1},
                 {15, 1000, 0, -1},  {100, 1000, 0, 1}, {109, 1000, 5, 1},
                 {110, 1000, 0, -1}, {165, 1000, 0, 1}, {0, 23 * 3600 + 3000, 0, 2},
                 {0, 599, 0, 2},     {0, 600, 0, -1},   {0, 23 * 3600 + 2999, 0, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sim_window *w =
            sim_window_now(&p, cases[i].host, cases[i].at * S, midnight + cases[i].of_day * S);
        if (w != (cases[i].open < 0 ? NULL : &window[cases[i].open])) fail_msg("case %zu", i);
    }
}

static void greylists_remember_whom_they_should(void **state) {
    (void)state;
    /* a second try after so many seconds, with so much changed: is it let in? */
    static const struct {
        enum sim_grey_by by;
        double after;
        bool other_rcpt, other_host, other_net, other_from, other_domain, in;
    } cases[] = {
        {SIM_GREY_TRIPLET, 29, .in = false},
        {SIM_GREY_TRIPLET, 31, .in = true},
        {SIM_GREY_TRIPLET, 31, .other_host = true, .in = true}, /* the same /24 */
        {SIM_GREY_TRIPLET, 31, .other_net = true, .in = false},
        {SIM_GREY_TRIPLET, 31, .other_rcpt = true, .in = false},
        {SIM_GREY_TRIPLET, 31, .other_from = true, .in = false},
        {SIM_GREY_TRIPLET, 601, .in = false}, /* too late */
        {SIM_GREY_CLIENT, 31, .other_rcpt = true, .other_from = true, .in = true},
        {SIM_GREY_CLIENT, 31, .other_net = true, .in = false},
        {SIM_GREY_FROM_DOMAIN, 31, .other_net = true, .other_rcpt = true, .other_from = true, .in = true},
        {SIM_GREY_FROM_DOMAIN, 31, .other_domain = true, .in = false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim_greylist g = {.share = 1, .delay_s = 30, .window_s = 600, .by = cases[i].by};
        struct sim_table memory = {0};
        struct sim_grey_try t = {1, 0x7f000001, SLICE("a@x.test"), 99};
        assert_true(sim_greylist_wait(&g, &memory, &t, 0) == 30 * S);
        if (cases[i].other_rcpt) t.address = 2;
        if (cases[i].other_host) t.client++;
        if (cases[i].other_net) t.client += 256;
        if (cases[i].other_from) t.from = SLICE("b@X.test");
        if (cases[i].other_domain) t.from = SLICE("a@y.test");
        bool in = sim_greylist_wait(&g, &memory, &t, (sim_us)(cases[i].after * 1e6)) == 0;
        if (in != cases[i].in) fail_msg("case %zu", i);
        sim_table_done(&memory);
    }
}

static void who_is_known_is_not_greylisted(void **state) {
    (void)state;
    struct sim_greylist g = {.share = 1, .delay_s = 30, .whitelist_after = 2};
    struct sim_table memory = {0};
    struct sim_grey_try t = {1, 0x7f000001, SLICE("a@x.test"), 99};
    sim_greylist_accepted(&g, &memory, &t);
    assert_true(sim_greylist_wait(&g, &memory, &t, 0) > 0);
    sim_greylist_accepted(&g, &memory, &t);
    t.address = 3;
    assert_true(sim_greylist_wait(&g, &memory, &t, 0) == 0);
    t.client += 256;
    assert_true(sim_greylist_wait(&g, &memory, &t, 0) > 0);
    sim_table_done(&memory);
}

static void standing_moves_with_unknown_users(void **state) {
    (void)state;
    struct sim_reputation r = {.memory_s = 3600,
                               .least = 50,
                               .slow = 0.05,
                               .slow_rate = 2,
                               .defer = 0.1,
                               .block = 0.2,
                               .block_s = 600};
    static const struct {
        int users, unknown;
        enum sim_mood mood;
    } cases[] = {{40, 9, SIM_MOOD_FINE}, /* too few to judge */
                 {98, 2, SIM_MOOD_FINE},   {94, 6, SIM_MOOD_SLOW},  {89, 11, SIM_MOOD_DEFER},
                 {79, 21, SIM_MOOD_BLOCK}, {960, 40, SIM_MOOD_FINE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim_standing s = {.tokens = 1};
        for (int n = 0; n < cases[i].users + cases[i].unknown; n++)
            sim_standing_note(&s, &r, n < cases[i].users ? SIM_SEEN_USER : SIM_SEEN_UNKNOWN, n * 1000);
        if (sim_standing_mood(&s, &r, S) != cases[i].mood) fail_msg("case %zu", i);
    }
}

static void standing_recovers(void **state) {
    (void)state;
    struct sim_reputation r = {.memory_s = 60,
                               .least = 10,
                               .slow = 0.05,
                               .slow_rate = 2,
                               .block = 0.5,
                               .block_s = 600,
                               .unknown = 1000};
    struct sim_standing s = {.tokens = 1};
    for (int n = 0; n < 100; n++)
        sim_standing_note(&s, &r, n < 90 ? SIM_SEEN_USER : SIM_SEEN_UNKNOWN, 0);
    assert_int_equal(sim_standing_mood(&s, &r, 0), SIM_MOOD_SLOW);
    int taken = 0;
    for (sim_us t = 0; t < 10 * S; t += 10000)
        taken += sim_standing_take(&s, &r, t);
    assert_in_range(taken, 19, 22);
    for (int n = 0; n < 100; n++) /* later mail outweighs what is half forgotten */
        sim_standing_note(&s, &r, SIM_SEEN_USER, 120 * S);
    assert_int_equal(sim_standing_mood(&s, &r, 120 * S), SIM_MOOD_FINE);
    for (int n = 0; n < 300; n++)
        sim_standing_note(&s, &r, SIM_SEEN_UNKNOWN, 121 * S);
    assert_int_equal(sim_standing_mood(&s, &r, 121 * S), SIM_MOOD_BLOCK);
    assert_int_equal(sim_standing_mood(&s, &r, 720 * S), SIM_MOOD_BLOCK);
    assert_int_equal(sim_standing_mood(&s, &r, 722 * S), SIM_MOOD_FINE);
}

static void traps_jumps_and_counts_count(void **state) {
    (void)state;
    struct sim_reputation r = {.memory_s = 3600, .least = 10, .defer = 0.1, .trap_weight = 50, .block_s = 60};
    struct sim_standing s = {0};
    for (int n = 0; n < 400; n++)
        sim_standing_note(&s, &r, n ? SIM_SEEN_USER : SIM_SEEN_TRAP, 0);
    assert_int_equal(sim_standing_mood(&s, &r, 0), SIM_MOOD_DEFER); /* 50 of 400 */
    s = (struct sim_standing){0};
    r = (struct sim_reputation){
        .memory_s = 3600, .least = 10, .slow = 0.05, .jump = 3, .jump_from = 100, .jump_weight = 0.1};
    for (int hour = 0; hour < 4; hour++) /* a steady sender grows slowly... */
        for (int n = 0; n < 90 + 10 * hour; n++)
            sim_standing_note(&s, &r, SIM_SEEN_USER, hour * 3600 * S);
    assert_int_equal(sim_standing_mood(&s, &r, 3 * 3600 * S), SIM_MOOD_FINE);
    for (int n = 0; n < 1000; n++) /* ...and then all at once */
        sim_standing_note(&s, &r, SIM_SEEN_USER, 4 * 3600 * S);
    assert_int_equal(sim_standing_mood(&s, &r, 4 * 3600 * S), SIM_MOOD_SLOW);
    assert_int_equal(sim_standing_mood(&s, &r, 5 * 3600 * S), SIM_MOOD_FINE);
    s = (struct sim_standing){0};
    r = (struct sim_reputation){.memory_s = 3600, .unknown = 20, .block_s = 60};
    for (int n = 0; n < 1000; n++)
        sim_standing_note(&s, &r, n % 50 ? SIM_SEEN_USER : SIM_SEEN_UNKNOWN, 0);
    assert_int_equal(sim_standing_mood(&s, &r, 0), SIM_MOOD_BLOCK);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void latencies_have_their_distribution(void **state) {
    (void)state;
    static const struct {
        struct sim_latency l;
        double low, p50, p99, high; /* of 100 ms, in ms */
    } cases[] = {{{.jitter = 0}, 100, 100, 100, 100},
                 {{.jitter = 0.5}, 75, 100, 124.5, 125},
                 {{.tail = 10}, 0, 100, 1000, 1e9},
                 {{.jitter = 0, .slow = 1, .slow_factor = 20}, 2000, 2000, 2000, 2000}};
    static double ms[20000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t n = 0; n < 20000; n++)
            ms[n] = sim_latency_us(&cases[i].l, 100, hash_mix(n), 5) / 1000;
        qsort(ms, 20000, sizeof *ms, by_size);
        bool ok = ms[0] >= cases[i].low - 1e-6 && ms[19999] <= cases[i].high + 1e-6 &&
                  fabs(ms[10000] - cases[i].p50) < 0.03 * cases[i].p50 &&
                  fabs(ms[19800] - cases[i].p99) < 0.1 * cases[i].p99;
        if (!ok) fail_msg("case %zu: %g %g %g %g", i, ms[0], ms[10000], ms[19800], ms[19999]);
    }
    struct sim_latency some = {.slow = 0.1, .slow_factor = 20};
    int slow = 0;
    for (uint64_t host = 0; host < 10000; host++)
        slow += sim_latency_us(&some, 100, 1, host) > 1e6;
    assert_in_range(slow, 900, 1100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_runs_as_fast_as_told),
        cmocka_unit_test(limits_change_with_time),
        cmocka_unit_test(rates_are_kept_exactly),
        cmocka_unit_test(connections_and_quotas_are_counted),
        cmocka_unit_test(knocking_lengthens_the_block),
        cmocka_unit_test(windows_open_and_close),
        cmocka_unit_test(greylists_remember_whom_they_should),
        cmocka_unit_test(who_is_known_is_not_greylisted),
        cmocka_unit_test(standing_moves_with_unknown_users),
        cmocka_unit_test(standing_recovers),
        cmocka_unit_test(traps_jumps_and_counts_count),
        cmocka_unit_test(latencies_have_their_distribution),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
