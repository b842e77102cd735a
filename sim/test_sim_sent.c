/* What was sent against what was to be sent; and lists in the forms that people have. */
#include "sim_list.h"
#include "sim_sent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void lists_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text, *column, *want; /* addresses with blanks between them */
    } cases[] = {
        {"email\na@x.test\nb@x.test\n", NULL, "a@x.test b@x.test"},
        {"name,Email\r\nAnn,a@x.test\r\n\"B, o\",b@x.test\r\n", NULL, "a@x.test b@x.test"},
        {"name,mail\nAnn,a@x.test\n", "mail", "a@x.test"},
        {"a@x.test\nb@x.test", NULL, "a@x.test b@x.test"}, /* no head line, no last line end */
        {"\xef\xbb\xbf"
         "address,x\na@x.test,1\n",
         NULL, "a@x.test"},
        {"to,note\na@x.test,\"two\nlines, \"\"quoted\"\"\"\n\nb@x.test,\n", NULL, "a@x.test b@x.test"},
        {"n,email\n1\n2,b@x.test\n", NULL, "b@x.test"}, /* a short record */
        {"email,n\n\"\"\"odd\"\" one@x.test\",1\n", NULL, "\"odd\" one@x.test"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim_list l;
        struct slice address;
        struct buf got;
        struct err err = {0};
        buf_init(&got, 1000);
        if (sim_list_open(&l, slice_of(cases[i].text), "l", cases[i].column, &err))
            fail_msg("%zu: %s", i, err.text);
        while (sim_list_next(&l, &address)) {
            if (got.len) buf_put_c(&got, ' ');
            buf_put_slice(&got, address);
        }
        if (!slice_eq(buf_slice(&got), slice_of(cases[i].want)))
            fail_msg("%zu: '%.*s'", i, (int)got.len, got.at);
        sim_list_done(&l);
        buf_done(&got);
    }
    struct sim_list l;
    struct err err = {0};
    assert_int_equal(sim_list_open(&l, SLICE("name,city\nAnn,Graz\n"), "l.csv", NULL, &err), -1);
    assert_non_null(strstr(err.text, "l.csv:1: there is no column 'email"));
    sim_list_done(&l);
}

#define HEAD                 "time_us\tevent\trcpt\tmessage_id\n"
#define ROW(event, rcpt, id) "1\t" event "\t" rcpt "\t" id "\n"

static void what_was_sent_is_judged(void **state) {
    (void)state;
    static const struct {
        const char *list, *truth;
        uint64_t arrived, refused, put_off, never, problem[SIM_SENT_PROBLEMS];
    } cases[] = {
        {"a@x\nb@x\n",
         ROW("accepted", "A@x", "<1>") ROW("accepted-unanswered", "b@x", "<2>"),
         2,
         0,
         0,
         0,
         {0}},
        {"a@x\nb@x\nc@x\n",
         ROW("unknown", "a@x", "") ROW("deferred", "b@x", ""),
         0,
         1,
         1,
         1,
         {[SIM_SENT_MISSING] = 2}},
        {"a@x\n", ROW("deferred", "a@x", "") ROW("accepted", "a@x", "<1>"), 1, 0, 0, 0, {0}},
        {"a@x\n",
         ROW("accepted", "a@x", "<1>") ROW("accepted", "a@x", "<1>"),
         1,
         0,
         0,
         0,
         {[SIM_SENT_RESENT] = 1}},
        {"a@x\n",
         ROW("accepted", "a@x", "<1>") ROW("accepted", "a@x", "<2>"),
         1,
         0,
         0,
         0,
         {[SIM_SENT_TWICE] = 1}},
        {"a@x\na@x\n", ROW("accepted", "a@x", "<1>") ROW("accepted", "a@x", "<2>"), 2, 0, 0, 0, {0}},
        {"a@x\n",
         ROW("accepted", "a@x", "<1>") ROW("accepted", "b@x", "<2>"),
         1,
         0,
         0,
         0,
         {[SIM_SENT_STRANGER] = 1}},
        {"a@x\n", ROW("accepted", "a@x", ""), 1, 0, 0, 0, {[SIM_SENT_NO_ID] = 1}},
        {"a@x\nb@x\n",
         ROW("accepted", "a@x", "<1>") ROW("accepted", "b@x", "<1>"),
         2,
         0,
         0,
         0,
         {[SIM_SENT_SHARED_ID] = 1}},
        {"a@x\n",
         ROW("accepted", "a@x", "<1>") ROW("withdrawn", "a@x", "<1>"),
         0,
         0,
         0,
         0,
         {[SIM_SENT_WITHDRAWN] = 1}},
        {"a@x\n",
         ROW("deferred", "", "") ROW("fault", "a@x", "<1>") ROW("accepted", "a@x", "<1>"),
         1,
         0,
         0,
         0,
         {0}},
    };
    struct sim_sent_findings *f = calloc(1, sizeof *f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char truth[600];
        struct err err = {0};
        snprintf(truth, sizeof truth, HEAD "%s", cases[i].truth);
        if (sim_sent_compare(slice_of(truth), "t", slice_of(cases[i].list), "l", NULL, false, f, &err))
            fail_msg("%zu: %s", i, err.text);
        bool same = f->arrived == cases[i].arrived && f->refused == cases[i].refused &&
                    f->put_off == cases[i].put_off && f->never_seen == cases[i].never;
        bool fine = true;
        for (int p = 0; p < SIM_SENT_PROBLEMS; p++) {
            same = same && f->problem[p] == cases[i].problem[p];
            fine = fine && (!cases[i].problem[p] || p == SIM_SENT_SHARED_ID);
            if (f->problem[p] && !strchr(f->example[p][0], '@')) fail_msg("%zu: no example", i);
        }
        if (!same || sim_sent_ok(f) != fine) fail_msg("case %zu", i);
    }
    f->unique_ids = true;
    free(f);
}

static void what_cannot_be_compared_is_said(void **state) {
    (void)state;
    static const struct {
        const char *truth, *list, *error;
    } cases[] = {{"", "a@x\n", "t: no line with column names"},
                 {"event\trcpt\n", "a@x\n", "t:1: there is no column 'message_id'"},
                 {HEAD ROW("eaten", "a@x", "<1>"), "a@x\n", "t:2: unknown event"},
                 {HEAD, "name\nAnn\n", "l:1: there is no column"}};
    struct sim_sent_findings *f = calloc(1, sizeof *f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        assert_int_equal(sim_sent_compare(slice_of(cases[i].truth), "t", slice_of(cases[i].list), "l", NULL,
                                          false, f, &err),
                         -1);
        if (!strstr(err.text, cases[i].error)) fail_msg("%zu: %s", i, err.text);
    }
    free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(what_was_sent_is_judged),
        cmocka_unit_test(what_cannot_be_compared_is_said),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
