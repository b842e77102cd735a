/* Tests of courses: what may be set, and what a change does to the rest of the row. */
#include "buf.h"
#include "course.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define S US_PER_SEC

static void names_come_back(void **state) {
    (void)state;
    enum campaign_priority p;
    for (int i = 0; i < PRIORITIES; i++) {
        assert_true(campaign_priority_parse(slice_of(campaign_priority_name((enum campaign_priority)i)), &p));
        assert_int_equal(p, i);
    }
    assert_false(campaign_priority_parse(SLICE("Bulk"), &p));
    assert_false(campaign_priority_parse(SLICE(""), &p));
    assert_string_equal(campaign_priority_name(PRIORITIES), "?");
}

/* Now is second 1000; the campaign was ready at 900 and ends at 2000. */
static void changes_are_checked_and_kept(void **state) {
    (void)state;
    static const struct {
        const char *error; /* part of it; NULL: none */
        struct campaign_course was;
        struct campaign_change change;
        struct campaign_course want;
        wall_us expires;
    } cases[] = {
        {NULL, {0, 100, 0, 0}, {.weight = true, .to.weight = 1000}, {0, 1000, 0, 0}, 2000 * S},
        {NULL, {0, 100, 0, 0}, {.priority = true, .to.priority = 1}, {1, 100, 0, 0}, 2000 * S},
        {"1 to 1000", {0, 100, 0, 0}, {.weight = true, .to.weight = 1001}, {0, 100, 0, 0}, 2000 * S},
        /* the end moves with the beginning, both ways; a beginning in the past is none */
        {NULL,
         {0, 100, 0, 0},
         {.not_before = true, .to.not_before = 1500 * S},
         {0, 100, 1500 * S, 0},
         2600 * S},
        {NULL, {0, 100, 1500 * S, 0}, {.not_before = true}, {0, 100, 0, 0}, 1400 * S},
        {NULL, {0, 100, 0, 0}, {.not_before = true, .to.not_before = 10 * S}, {0, 100, 10 * S, 0}, 2000 * S},
        {NULL, {0, 100, 0, 0}, {.deadline = true, .to.deadline = 1001 * S}, {0, 100, 0, 1001 * S}, 2000 * S},
        {"has passed", {0, 100, 0, 0}, {.deadline = true, .to.deadline = 1000 * S}, {0, 100, 0, 0}, 2000 * S},
        {NULL, {0, 100, 0, 500 * S}, {.weight = true, .to.weight = 1}, {0, 1, 0, 500 * S}, 2000 * S},
        {NULL, {0, 100, 0, 500 * S}, {.deadline = true}, {0, 100, 0, 0}, 2000 * S},
        {"not after",
         {0, 100, 0, 1400 * S},
         {.not_before = true, .to.not_before = 1400 * S},
         {0, 100, 0, 1400 * S},
         2000 * S},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct campaign_row row = {.ready = 900 * S, .expires = 2000 * S, .course = cases[i].was};
        struct err err = {0};
        int failed = campaign_course_change(&row, &cases[i].change, 1000 * S, &err);
        const struct campaign_course *a = &row.course, *b = &cases[i].want;
        assert_int_equal(failed, cases[i].error ? -1 : 0);
        if (cases[i].error) assert_non_null(strstr(err.text, cases[i].error));
        assert_true(a->priority == b->priority && a->weight == b->weight && a->not_before == b->not_before &&
                    a->deadline == b->deadline);
        assert_true(row.expires == cases[i].expires);
    }
    struct campaign_row forever = {.expires = NEVER};
    struct campaign_change later = {.not_before = true, .to.not_before = 5000 * S};
    assert_int_equal(campaign_course_change(&forever, &later, 0, NULL), 0);
    assert_true(forever.expires == NEVER);
}

static void changes_are_said(void **state) {
    (void)state;
    static const struct {
        const char *said;
        struct campaign_change change;
    } cases[] = {
        {"", {0}},
        {"priority transactional", {.priority = true, .to.priority = PRIORITY_TRANSACTIONAL}},
        {"weight 300, deadline none", {.weight = true, .deadline = true, .to.weight = 300}},
        {"priority bulk, weight 1, not before 1970-01-01T00:00:05.000Z, deadline 1970-01-01T00:00:09.000Z",
         {true, true, true, true, {PRIORITY_BULK, 1, 5 * US_PER_SEC, 9 * US_PER_SEC}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf said;
        buf_init(&said, 1024);
        campaign_change_say(&cases[i].change, &said);
        if (!slice_eq(buf_slice(&said), slice_of(cases[i].said)))
            fail_msg("%.*s", SLICE_ARG(buf_slice(&said)));
        buf_done(&said);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_back),
        cmocka_unit_test(changes_are_checked_and_kept),
        cmocka_unit_test(changes_are_said),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
