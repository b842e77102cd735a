/* The audit trail of limits: nothing that matters is left out, and no lane floods it. */
#include "lane_audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define T0 (INT64_C(1700000000) * US_PER_SEC)

struct told {
    unsigned count;
    uint64_t changes;
    struct note last;
    char provider[LANE_AUDIT_NAME + 1], words[LEARN_WORDS + 1];
};

static void take(void *ctx, const struct note *n) {
    struct told *t = ctx;
    t->count++;
    t->changes += n->changes;
    t->last = *n;
    snprintf(t->provider, sizeof t->provider, "%.*s", SLICE_ARG(n->provider));
    snprintf(t->words, sizeof t->words, "%.*s", SLICE_ARG(n->words));
}

static void change(struct lane_audit *a, const char *provider, enum learn_dimension d, double from, double to,
                   const char *words, mono_us now) {
    struct learn_change c = {
        .at = now, .dimension = d, .from = from, .to = to, .cause = LEARN_BY_REPLY, .code = 421};
    c.words = slice_of(words);
    lane_audit_change(a, slice_of(provider), SLICE("source"), &c, T0 + now, now);
}

static void first_at_once_then_gathered(void **state) {
    (void)state;
    struct lane_audit a;
    struct told told = {0};
    mono_us now = 100 * US_PER_SEC;
    lane_audit_init(&a, take, &told, now);
    assert_true(lane_audit_tick(&a, T0, now) == NEVER);
    change(&a, "google", LEARN_RATE, 20, 10, "421 slower", now);
    assert_int_equal(told.count, 1);
    assert_true(told.last.from == 20 && told.last.to == 10 && told.last.code == 421);
    assert_true(told.last.at == T0 + now && told.last.dimension == LEARN_RATE && told.last.changes == 1);
    assert_string_equal(told.words, "421 slower");
    change(&a, "google", LEARN_CONNECTIONS, 5, 4, "421 too many", now); /* another dimension */
    change(&a, "yahoo", LEARN_RATE, 5, 4, "421 TS01", now);             /* another lane */
    assert_int_equal(told.count, 3);
    for (int i = 0; i < 9; i++) /* every second for nine seconds */
        change(&a, "google", LEARN_RATE, 10 - i, 9 - i, i == 8 ? "the last" : "not told",
               now + (i + 1) * US_PER_SEC);
    assert_int_equal(told.count, 3);
    assert_true(lane_audit_tick(&a, T0 + now, now + 9 * US_PER_SEC) == now + LANE_AUDIT_APART);
    assert_int_equal(told.count, 3);
    now += LANE_AUDIT_APART;
    assert_true(lane_audit_tick(&a, T0 + now, now) == NEVER);
    assert_int_equal(told.count, 4);
    assert_true(told.last.from == 10 && told.last.to == 1 && told.last.changes == 9);
    assert_true(told.last.at == T0 + now - US_PER_SEC); /* when it happened, not when it was told */
    assert_string_equal(told.words, "the last");
    lane_audit_done(&a);
}

static void memory_is_no_change(void **state) {
    (void)state;
    struct lane_audit a;
    struct told told = {0};
    struct learn_change c = {.at = 1, .dimension = LEARN_RATE, .to = 5, .cause = LEARN_BY_MEMORY};
    lane_audit_init(&a, take, &told, 1);
    lane_audit_change(&a, SLICE("google"), SLICE("s"), &c, T0, 1);
    lane_audit_flush(&a, T0, 2);
    assert_int_equal(told.count, 0);
    lane_audit_done(&a);
}

/* One lane, a hundred changes a second for ten minutes; the last word is told. */
static void a_restless_lane(void **state) {
    (void)state;
    struct lane_audit a;
    struct told told = {0};
    mono_us now = US_PER_SEC;
    unsigned changes = 0;
    lane_audit_init(&a, take, &told, now);
    for (int s = 0; s < 600; s++) {
        for (int i = 0; i < 100; i++, changes++)
            change(&a, "google", LEARN_RATE, changes, changes + 1, "x", now += US_PER_SEC / 100);
        lane_audit_tick(&a, T0 + now, now);
    }
    assert_in_range(told.count, 55, 62);
    lane_audit_flush(&a, T0, now);
    assert_true(told.last.to == changes);
    assert_int_equal(told.changes, changes);
    lane_audit_done(&a);
}

/* Thousands of lanes at once: so many at once, then evenly, and none is forgotten. */
static void many_lanes(void **state) {
    (void)state;
    struct lane_audit a;
    struct told told = {0};
    mono_us now = US_PER_SEC;
    char name[32];
    lane_audit_init(&a, take, &told, now);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "mx%d.example", i);
        change(&a, name, LEARN_CONNECTIONS, 2, 1, "421", now);
    }
    assert_int_equal(told.count, LANE_AUDIT_BURST);
    for (int s = 0; s < 100; s++)
        lane_audit_tick(&a, T0, now += US_PER_SEC);
    assert_in_range(told.count, LANE_AUDIT_BURST + 95 * LANE_AUDIT_RATE,
                    LANE_AUDIT_BURST + 101 * LANE_AUDIT_RATE);
    mono_us next = 0;
    for (int s = 0; s < 300 && next != NEVER; s++)
        next = lane_audit_tick(&a, T0, now += US_PER_SEC);
    assert_int_equal(told.count, 3000);
    assert_int_equal(a.lost, 0);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "mx%d.example", i);
        change(&a, name, LEARN_RATE, 2, 1, "421", now);
    }
    assert_true(a.count <= LANE_AUDIT_MOST && a.lost > 10000);
    lane_audit_flush(&a, T0, now);
    assert_int_equal(told.count + a.lost, 23000);
    lane_audit_done(&a);
}

static void strange_values(void **state) {
    (void)state;
    struct lane_audit a;
    struct told told = {0};
    char longer[1000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    lane_audit_init(&a, take, &told, 1);
    change(&a, longer, LEARN_RATE, -1, 0.0 / 0.0, longer, 1);
    assert_int_equal(told.count, 1);
    assert_true(told.last.from == 0 && told.last.to == 0);
    assert_int_equal(strlen(told.provider), LANE_AUDIT_NAME);
    struct buf detail;
    struct event e;
    struct note back;
    buf_init(&detail, 4096);
    assert_true(note_to_event(&told.last, &detail, &e) && note_from_event(&e, &back));
    buf_done(&detail);
    assert_string_equal(learn_cause_name(LEARN_BY_DOUBT), "refutation");
    assert_string_equal(learn_cause_name(77), "?");
    lane_audit_done(&a);
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_at_once_then_gathered),
        cmocka_unit_test(memory_is_no_change),
        cmocka_unit_test(a_restless_lane),
        cmocka_unit_test(many_lanes),
        cmocka_unit_test(strange_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
