/* Tests of forecasts: tables worked out by hand, and against the backlog itself taking window by window. */
#include "backlog.h"
#include "forecast.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BULK   PRIORITY_BULK
#define URGENT PRIORITY_TRANSACTIONAL

static void times_are_right(void **state) {
    (void)state;
    static const struct {
        const char *what;
        struct forecast_flow flows[4];
        size_t count, of;
        double rate, want;
    } cases[] = {
        {"alone", {{1, BULK, 100, 1000}}, 1, 0, 10, 100},
        {"nothing waits", {{1, BULK, 100, 0}, {1, BULK, 100, 9}}, 2, 0, 10, 0},
        {"no rate", {{1, BULK, 100, 1}}, 1, 0, 0, INFINITY},
        {"two alike", {{1, BULK, 100, 1000}, {1, BULK, 100, 1000}}, 2, 0, 10, 200},
        {"the other is short", {{1, BULK, 100, 1000}, {1, BULK, 100, 100}}, 2, 0, 10, 110},
        {"it is short itself", {{1, BULK, 100, 100}, {1, BULK, 100, 1000}}, 2, 0, 10, 20},
        {"three to one", {{1, BULK, 300, 300}, {1, BULK, 100, 1000}}, 2, 0, 10, 40},
        {"behind transactional", {{1, BULK, 1000, 100}, {1, URGENT, 1, 500}}, 2, 0, 10, 60},
        {"transactional itself", {{1, URGENT, 1, 100}, {1, BULK, 1000, 5000}}, 2, 0, 10, 10},
        {"tenants share alike",
         {{1, BULK, 100, 100}, {2, BULK, 100, 900}, {2, BULK, 100, 900}},
         3,
         0,
         10,
         20},
        {"one of a tenant's two",
         {{2, BULK, 100, 100}, {2, BULK, 100, 900}, {1, BULK, 1, 900}},
         3,
         0,
         10,
         40},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double got = forecast_empty(cases[i].flows, cases[i].count, cases[i].of, cases[i].rate);
        if (got == cases[i].want || fabs(got - cases[i].want) < 1e-6 * cases[i].want) continue;
        print_error("%s: %g s instead of %g\n", cases[i].what, got, cases[i].want);
        fail();
    }
}

static void what_helps_is_told(void **state) {
    (void)state;
    static const struct forecast_flow flows[] = {
        {1, BULK, 100, 1000}, {1, BULK, 100, 4000}, {1, URGENT, 1, 500}};
    static const struct {
        double rate, within;
        enum forecast_help want;
    } cases[] = {
        {10, 250, FORECAST_GOOD},   /* 50 s of transactional, then half of 10 a second */
        {10, 249, FORECAST_WEIGHT}, /* ten elevenths: 160 s */
        {10, 161, FORECAST_WEIGHT},   {10, 155, FORECAST_PRIORITY}, /* its weight of 100 against 1: 101 s */
        {10, 102, FORECAST_PRIORITY}, {10, 99, FORECAST_MORE},      {0, 1e9, FORECAST_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(forecast_help(flows, 3, 0, cases[i].rate, cases[i].within), cases[i].want);
}

static void let_go(void *ctx, struct chunk *chunk) {
    (void)ctx;
    chunk->holds--;
}

static void drop(void *ctx, struct chunk *chunk, const struct slots *slots) {
    (void)ctx, (void)slots;
    chunk->holds--;
}

/* The backlog does what was foretold, up to the size of windows. */
static void the_backlog_keeps_to_it(void **state) {
    (void)state;
    static const struct forecast_flow flows[] = {{1, BULK, 100, 2560},
                                                 {1, BULK, 300, 5120},
                                                 {2, BULK, 50, 1280},
                                                 {2, URGENT, 100, 512},
                                                 {3, BULK, 9, 7680}};
    enum { COUNT = sizeof flows / sizeof *flows };
    struct campaign campaigns[COUNT];
    struct chunk chunks[COUNT];
    uint64_t left[COUNT], taken = 0, ended[COUNT] = {0};
    struct backlog b;
    assert_int_equal(backlog_init(&b, 1), 0);
    struct domain *d = backlog_domain(&b, SLICE("a.test"), 0);
    for (unsigned c = 0; c < COUNT; c++) {
        campaigns[c] = (struct campaign){.row = {.id = c,
                                                 .state = CAMPAIGN_READY,
                                                 .tenant = flows[c].tenant,
                                                 .course = {flows[c].priority, flows[c].weight, 0, 0}}};
        chunks[c] = (struct chunk){.campaign = &campaigns[c], .id = c, .count = 256};
        left[c] = flows[c].waiting;
        for (uint64_t n = 0; n < left[c]; n += 256) {
            struct slots all = slots_first(256);
            ledger_hold(&chunks[c]);
            assert_true(backlog_add(&b, d, &chunks[c], &all, WORK_FRESH));
        }
    }
    struct lane *lane = backlog_lane_new(&b, SLICE("l"), 0, false);
    struct site *site = backlog_site_new(&b, 1, lane, SLICE("mx"));
    assert_ptr_equal(backlog_next_to_ask(&b), d);
    backlog_place(&b, d, site, NEVER);
    struct chunk *chunk;
    struct slots slots;
    for (unsigned n; (n = backlog_take(&b, site, 8, &chunk, &slots, drop, NULL));) {
        unsigned c = chunk->campaign->row.id;
        let_go(NULL, chunk);
        taken += n;
        left[c] -= n;
        if (!left[c]) ended[c] = taken;
    }
    for (unsigned c = 0; c < COUNT; c++)
        assert_true(fabs((double)ended[c] - forecast_empty(flows, COUNT, c, 1)) <= 8 * COUNT);
    backlog_done(&b, let_go, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_right),
        cmocka_unit_test(what_helps_is_told),
        cmocka_unit_test(the_backlog_keeps_to_it),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
