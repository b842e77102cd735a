/* Text to roff: nothing in it becomes a request or an escape, and its shape is found again. */
#include "roff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect(const char *text, const char *roff) {
    struct buf out;
    buf_init(&out, 65536);
    roff_text(&out, slice_of(text));
    buf_put_c(&out, 0);
    assert_string_equal(out.at, roff);
    buf_done(&out);
}

static void text_is_only_text(void **state) {
    (void)state;
    static const struct {
        const char *text, *roff;
    } cases[] = {
        {"a b", ".PP\na b\n"},
        {"a\nb\n", ".PP\na b\n"},
        {"a\n\nb\n", ".PP\na\n.PP\nb\n"},
        {".br is a word", ".PP\n\\&.br is a word\n"},
        {"'quoted'", ".PP\n\\&\\(aqquoted\\(aq\n"},
        {"a \\fB b", ".PP\na \\efB b\n"},
        {"~/x ^ \"y\"", ".PP\n\\(ti/x \\(ha \\(dqy\\(dq\n"},
        {"well-known --dry-run (-t)", ".PP\nwell-known \\-\\-dry\\-run (\\-t)\n"},
        {"see `send --to x` now", ".PP\nsee \\fBsend \\-\\-to x\\fR now\n"},
        {"an open `one", ".PP\nan open \\fBone\\fR\n"},
        {"", ""},
        {"\n\n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(cases[i].text, cases[i].roff);
}

static void long_lines_are_folded_before_dots(void **state) {
    (void)state;
    struct buf text, out;
    struct slice line, rest;
    buf_init(&text, 65536);
    buf_init(&out, 65536);
    for (int i = 0; i < 200; i++)
        buf_put_text(&text, i % 3 ? "word " : ".so 'x' ");
    roff_text(&out, buf_slice(&text));
    rest = buf_slice(&out);
    slice_cut(&rest, '\n', &line);
    assert_true(slice_eq(line, slice_of(".PP")));
    unsigned lines = 0;
    while (slice_cut(&rest, '\n', &line)) {
        if (line.len) assert_true(line.at[0] != '.' && line.at[0] != '\'');
        lines++;
    }
    assert_true(lines > 10);
    buf_done(&text);
    buf_done(&out);
}

static void blocks_stay_and_tables_become_lists(void **state) {
    (void)state;
    expect("so:\n\n  .x \\n\n    'y'\n\nend",
           ".PP\nso:\n.PP\n.in +4n\n.EX\n\\&.x \\en\n\\&  \\(aqy\\(aq\n.EE\n.in\n.PP\nend\n");
    expect("  one    first\n  two b  second\n         goes on\n",
           ".TP\n\\fBone\\fR\nfirst\n.TP\n\\fBtwo b\\fR\nsecond goes on\n");
    expect("  --to FILE  first\n  --from FIL second\n",
           ".TP\n\\fB\\-\\-to FILE\\fR\nfirst\n.TP\n\\fB\\-\\-from FIL\\fR\nsecond\n");
    /* Columns that differ are no table. */
    expect("  a  b\n  ccc  d\n", ".PP\n.in +4n\n.EX\na  b\nccc  d\n.EE\n.in\n");
}

static void pages_begin_as_man_wants_it(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 65536);
    roff_title(&out, "tsubame-send", 1, "2026-11-25", "1");
    roff_name(&out, "tsubame-send", "it's sent");
    roff_section(&out, "OPTIONS");
    roff_text(&out, slice_of("no paragraph behind a heading"));
    roff_entry(&out, "-t, --to", "FILE", slice_of(".whom"));
    roff_reference(&out, "tsubame.yaml", 5, true);
    buf_put_c(&out, 0);
    assert_string_equal(out.at, ".TH TSUBAME\\-SEND 1 2026-11-25 \"tsubame 1\"\n.nr HY 0\n.ad l\n"
                                ".SH NAME\ntsubame\\-send \\- it\\(aqs sent\n"
                                ".SH OPTIONS\nno paragraph behind a heading\n"
                                ".TP\n\\fB\\-t, \\-\\-to\\fR \\fIFILE\\fR\n\\&.whom\n"
                                ".BR tsubame.yaml (5),\n");
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_only_text),
        cmocka_unit_test(long_lines_are_folded_before_dots),
        cmocka_unit_test(blocks_stay_and_tables_become_lists),
        cmocka_unit_test(pages_begin_as_man_wants_it),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
