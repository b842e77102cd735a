/* The comparison of truth and ledger on hand-made logs: each kind of lie must be found, and nothing else. */
#include "sim_compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define T         "time_us\tevent\tprovider\tserver\tclient\tfrom\trcpt\tmessage_id\tsize\thash\ttls\treply\n"
#define L         "address\tstate\tmessage_id\tcode\tflags\n"
#define OK(a, id) "1\taccepted\tp\t127.1.0.1\t127.0.0.1\tf@x\t" a "\t<" id ">\t10\tabc\tno\t250 ok\n"
#define UNSAID(a, id)                                                                                        \
    "1\taccepted-unanswered\tp\t127.1.0.1\t127.0.0.1\tf@x\t" a "\t<" id ">\t10\tabc\tno\t250 ok\n"
#define UNKNOWN(a)               "1\tunknown\tp\t127.1.0.1\t127.0.0.1\tf@x\t" a "\t\t0\t\tno\t550 no\n"
#define DEFERRED(a)              "1\tdeferred\tp\t127.1.0.1\t127.0.0.1\tf@x\t" a "\t\t0\t\tno\t451 no\n"
#define ROW(a, state, id, flags) a "\t" state "\t" id "\t250\t" flags "\n"

static const struct {
    const char *truth, *ledger;
    int violation; /* the only kind found; -1: none */
    uint64_t count;
    struct sim_compare_options how;
} cases[] = {
    {T, L, -1, 0, {0}},
    {T OK("a@x", "1"), L ROW("a@x", "delivered", "1", ""), -1, 0, {0}},
    {T OK("A@X", "1"), L ROW("a@x", "delivered", "<1>", ""), -1, 0, {0}},
    {T DEFERRED("a@x") OK("a@x", "1"), L ROW("a@x", "delivered", "1", ""), -1, 0, {0}},
    {T, L ROW("a@x", "delivered", "1", ""), SIM_NOT_ACCEPTED, 1, {0}},
    {T DEFERRED("a@x"), L ROW("a@x", "delivered", "1", ""), SIM_NOT_ACCEPTED, 1, {0}},
    {T OK("a@x", "1"), L ROW("a@x", "failed", "1", ""), SIM_LOST, 1, {0}},
    {T OK("a@x", "1"), L ROW("a@x", "expired", "1", ""), SIM_LOST, 1, {0}},
    {T OK("a@x", "1"), L ROW("a@x", "suppressed", "1", ""), SIM_LOST, 1, {0}},
    {T OK("a@x", "1"), L ROW("a@x", "cancelled", "1", ""), SIM_LOST, 1, {0}},
    {T UNSAID("a@x", "1"), L ROW("a@x", "failed", "1", ""), SIM_LOST, 1, {0}},
    {T UNSAID("a@x", "1"), L ROW("a@x", "uncertain", "1", ""), -1, 0, {0}},
    {T UNSAID("a@x", "1"), L ROW("a@x", "failed", "1", "was-uncertain"), -1, 0, {0}},
    {T, L ROW("a@x", "uncertain", "1", ""), -1, 0, {0}},
    {T OK("a@x", "1"), L ROW("a@x", "pending", "1", ""), SIM_STILL_PENDING, 1, {0}},
    {T OK("a@x", "1"), L ROW("a@x", "pending", "1", ""), -1, 0, {.running = true}},
    {T OK("a@x", "1") OK("a@x", "1"), L ROW("a@x", "delivered", "1", ""), SIM_DUPLICATE, 1, {0}},
    {T UNSAID("a@x", "1") OK("a@x", "1"), L ROW("a@x", "delivered", "1", ""), SIM_DUPLICATE, 1, {0}},
    {T UNSAID("a@x", "1") OK("a@x", "1"), L ROW("a@x", "delivered", "1", "x,was-uncertain"), -1, 0, {0}},
    {T OK("b@x", "1"), L, SIM_STRAY, 1, {0}},
    {T OK("b@x", "1") OK("b@x", "2"), L, SIM_STRAY, 2, {0}},
    {T UNKNOWN("a@x"), L ROW("a@x", "failed", "1", ""), -1, 0, {0}},
    {T UNKNOWN("a@x"), L ROW("a@x", "suppressed", "1", ""), SIM_UNKNOWN_USER, 1, {0}},
    {T UNKNOWN("a@x"), L ROW("a@x", "expired", "1", ""), SIM_UNKNOWN_USER, 1, {0}},
    {T UNKNOWN("a@x"),
     L ROW("a@x", "cancelled", "1", "was-uncertain"),
     -1,
     0,
     {0}}, /* a crash lost the answer */
    {T UNKNOWN("a@x"), L ROW("a@x", "pending", "1", ""), -1, 0, {.running = true}},
    {T, L ROW("a@x", "failed", "1", "") ROW("a@x", "failed", "1", ""), SIM_REPEATED, 1, {0}},
    /* two campaigns to one person */
    {T OK("a@x", "1") OK("a@x", "2"),
     L ROW("a@x", "delivered", "1", "") ROW("a@x", "delivered", "2", ""),
     -1,
     0,
     {0}},
    {T OK("a@x", "1"), L ROW("a@x", "", "1", ""), -1, 0, {.allow_missing_states = true}},
    {T OK("a@x", "1") "1\taccepted\tcut off", L ROW("a@x", "delivered", "1", ""), -1, 0, {0}},
};

static void each_lie_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim_findings f;
        struct err err = {0};
        if (sim_compare(slice_of(cases[i].truth), "t", slice_of(cases[i].ledger), "l", cases[i].how, &f,
                        &err))
            fail_msg("case %zu: %s", i, err.text);
        for (int v = 0; v < SIM_VIOLATIONS; v++) {
            uint64_t want = v == cases[i].violation ? cases[i].count : 0;
            if (f.violation[v] != want)
                fail_msg("case %zu: %s: %d", i, sim_violation_names[v], (int)f.violation[v]);
        }
        assert_int_equal(sim_findings_ok(&f), cases[i].violation < 0);
    }
}

static void a_wrong_id_is_wrong_on_both_sides(void **state) {
    (void)state;
    struct sim_findings f;
    struct err err;
    assert_int_equal(sim_compare(SLICE(T OK("a@x", "2")), "t", SLICE(L ROW("a@x", "delivered", "1", "")), "l",
                                 (struct sim_compare_options){0}, &f, &err),
                     0);
    assert_int_equal(f.violation[SIM_WRONG_ID], 1);
    assert_int_equal(f.violation[SIM_NOT_ACCEPTED], 1);
    assert_string_equal(f.example[SIM_WRONG_ID][0], "a@x ledger: delivered, truth: accepted");
}

static void many_examples_are_cut(void **state) {
    (void)state;
    struct buf truth, ledger;
    struct sim_findings f;
    struct err err;
    buf_init(&truth, 1 << 20);
    buf_init(&ledger, 1 << 20);
    buf_put_text(&truth, T);
    buf_put_text(&ledger, "state\tmessage_id\taddress\n"); /* in any order, flags left out */
    for (int i = 0; i < 5000; i++) {
        buf_printf(&truth, "1\taccepted\tp\ts\tc\tf\tu%d@x\t<%d@m>\t1\th\tno\t250\n", i, i);
        buf_printf(&ledger, "%s\t%d@m\tu%d@x\n", i % 100 ? "delivered" : "failed", 4999 - i, 4999 - i);
    }
    assert_int_equal(sim_compare(buf_slice(&truth), "t", buf_slice(&ledger), "l",
                                 (struct sim_compare_options){0}, &f, &err),
                     0);
    assert_int_equal(f.violation[SIM_LOST], 50);
    assert_int_equal(f.ledger[SIM_STATE_DELIVERED], 4950);
    for (int i = 0; i < SIM_EXAMPLES; i++)
        assert_non_null(strstr(f.example[SIM_LOST][i], "@x ledger: failed, truth: accepted"));
    buf_done(&truth);
    buf_done(&ledger);
}

static void bad_files_are_named(void **state) {
    (void)state;
    static const struct {
        const char *truth, *ledger, *error;
    } bad[] = {
        {"", L, "t: no line with column names"},
        {"event\trcpt\n", L, "t:1: there is no column 'message_id'"},
        {T "1\tinvented\t\t\t\t\ta@x\t\t\t\t\t\n", L, "t:2: unknown event"},
        {T, "address\tstate\n", "l:1: there is no column 'message_id'"},
        {T, L ROW("a@x", "delivered", "1", "") ROW("b@x", "asleep", "1", ""), "l:3: 'asleep' is not a state"},
        {T, L ROW("a@x", "", "1", ""), "l:2: '' is not a state"},
        {T, L ROW("a@x", "missing", "1", ""), "l:2: 'missing' is not a state"},
        {T, L ROW("", "failed", "1", ""), "l:2: no address"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sim_findings f;
        struct err err = {0};
        assert_int_equal(sim_compare(slice_of(bad[i].truth), "t", slice_of(bad[i].ledger), "l",
                                     (struct sim_compare_options){0}, &f, &err),
                         -1);
        assert_string_equal(err.text, bad[i].error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lie_is_found),
        cmocka_unit_test(a_wrong_id_is_wrong_on_both_sides),
        cmocka_unit_test(many_examples_are_cut),
        cmocka_unit_test(bad_files_are_named),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
