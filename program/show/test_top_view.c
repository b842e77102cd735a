/* Frames of `tsubame top` at several sizes, and the columns that they stand in. */
#include "top_view.h"

#include "cells.h"
#include "shown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- cells ---- */

static void cells_are_counted(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t cells;
    } cases[] = {{"", 0},
                 {"abc", 3},
                 {"\xe7\x87\x95", 2},             /* 燕 */
                 {"e\xcc\x81", 1},                /* e with a combining accent */
                 {"\xe3\x82\xab\xe3\x82\x99", 2}, /* KA with a combining voice mark */
                 {"\xf0\x9f\x90\xa6", 2},         /* a bird */
                 {"\xef\xbd\xb1", 1},             /* half-width A */
                 {"\xef\xbc\xa1", 2},             /* full-width A */
                 {"\x1b[2J", 4},                  /* as '?' and the rest */
                 {"\xff\xfe", 2},
                 {"\xe2\x80\xae"
                  "x",
                  2}}; /* turns the direction: '?' */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(cells_of(slice_of(cases[i].text)), cases[i].cells);
}

static void cells_fit(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t width;
        enum cells_side side;
        const char *put;
    } cases[] = {{"abc", 5, CELLS_LEFT, "abc  "},
                 {"abc", 5, CELLS_RIGHT, "  abc"},
                 {"abc", 3, CELLS_LEFT, "abc"},
                 {"abcd", 3, CELLS_LEFT, "ab\xe2\x80\xa6"},
                 {"abcd", 3, CELLS_RIGHT, "ab\xe2\x80\xa6"},
                 {"abc", 1, CELLS_LEFT, "\xe2\x80\xa6"},
                 {"abc", 0, CELLS_LEFT, ""},
                 {"\xe7\x87\x95\xe7\x87\x95", 4, CELLS_LEFT, "\xe7\x87\x95\xe7\x87\x95"},
                 {"\xe7\x87\x95\xe7\x87\x95", 3, CELLS_LEFT, "\xe7\x87\x95\xe2\x80\xa6"},
                 {"\xe7\x87\x95\xe7\x87\x95", 2, CELLS_LEFT, "\xe2\x80\xa6 "},
                 {"a\x1b[31m", 6, CELLS_LEFT, "a?[31m"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, 1024);
        cells_put(&out, slice_of(cases[i].text), cases[i].width, cases[i].side);
        assert_int_equal(cells_of(buf_slice(&out)), cases[i].width);
        buf_put_c(&out, 0);
        assert_string_equal(out.at, cases[i].put);
        buf_done(&out);
    }
}

static void lines_are_broken(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t width;
        const char *lines[6];
    } cases[] = {{"a bc def", 4, {"a bc", "def"}},
                 {"a bc def", 3, {"a", "bc", "def"}},
                 {"abcdefg h", 3, {"abc", "def", "g h"}},
                 {"  a  ", 9, {"a"}},
                 {"\xe7\x87\x95\xe7\x87\x95 x", 3, {"\xe7\x87\x95", "\xe7\x87\x95", "x"}},
                 {"\xe7\x87\x95x", 1, {"\xe7\x87\x95", "x"}},
                 {"", 5, {NULL}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice rest = slice_of(cases[i].text), line;
        size_t n = 0;
        for (; cells_line(&rest, cases[i].width, &line); n++) {
            assert_non_null(cases[i].lines[n]);
            assert_true(slice_eq(line, slice_of(cases[i].lines[n])));
        }
        assert_null(cases[i].lines[n]);
    }
}

/* ---- frames ---- */

#define TEXT(literal)                                                                                        \
    { literal, sizeof(literal) - 1 }

static struct lane_view lanes[] = {
    {.provider = TEXT("google"),
     .source = TEXT("s1"),
     .bound_by = TEXT("connections"),
     .next_try = TEXT("2026-11-25T14:10:05.000Z"),
     .why = TEXT("google takes 5 connections at a time from s1: more was refused at 14:02 with \"421 too "
                 "many\". Next "
                 "try with 6 at 14:10."),
     .last_reply = TEXT("mx.google.test: 421 \x1b]0;owned\x07too many"),
     .waiting = 1234567,
     .sessions = 5,
     .delivered = 90,
     .deferred = 10,
     .rate = 12.34,
     .sessions_limit = 5},
    {.provider = TEXT("\xe3\x83\x89\xe3\x82\xb3\xe3\x83\xa2\xe3\x83\xbb\xe3\x83\xa1\xe3\x83\xbc\xe3\x83\xab"),
     .source = TEXT("s1"),
     .waiting = 10,
     .sessions = 1,
     .delivered = 7,
     .rate = 0.5,
     .rate_limit = 1},
    {.provider = TEXT("a-very-long-name-of-a-mail-exchanger.that.never.ends.example.net"),
     .source = TEXT("s2"),
     .down = true,
     .bound_by = TEXT("outage"),
     .waiting = 3},
};
static const double history[] = {0, 1, 2, 4, 8};

static struct top_frame frame(void) {
    return (struct top_frame){.time = TEXT("2026-11-25T14:03:07.123Z"),
                              .campaigns = 2,
                              .pending = 1234580,
                              .under_way = 40,
                              .deferred = 17,
                              .sessions = 6,
                              .delivered = 97,
                              .refused = 10,
                              .rate = 12.84,
                              .history = history,
                              .history_count = 5,
                              .lanes = lanes,
                              .lane_count = 3,
                              .sort = "waiting"};
}

/* Style bytes in front, blanks at the end of lines left out. */
static void expect(const struct top_frame *f, size_t width, size_t height, const char *const *lines) {
    struct buf out;
    struct slice rest, line;
    size_t n = 0;
    buf_init(&out, 1 << 20);
    top_layout(f, width, height, &out);
    rest = buf_slice(&out);
    for (; slice_cut(&rest, '\n', &line) && line.len; n++) {
        assert_int_equal(cells_of(slice_skip(line, 1)), width);
        while (line.len > 1 && line.at[line.len - 1] == ' ')
            line.len--;
        if (!lines[n] || !slice_eq(line, slice_of(lines[n])))
            print_message("line %zu is wrong: '%.*s'\n", n, SLICE_ARG(line));
        assert_non_null(lines[n]);
        assert_true(slice_eq(line, slice_of(lines[n])));
    }
    assert_null(lines[n]);
    buf_done(&out);
}

static void at_80_columns(void **state) {
    (void)state;
    struct top_frame f = frame();
    static const char *const lines[] = {
        "btsubame  14:03:07 UTC  2 campaigns  1,234,580 pending  40 under way  17 deferred",
        " 12.8 messages/s ▁▂▃▅█  6 sessions  97 delivered  10 deferrals  0 failed",
        " ",
        "bLANE                          WAITING SESSIONS       MSG/S DEFER BOUND BY",
        "rgoogle                      1,234,567      5/5        12.3   10% connections",
        " ドコモ・メール                     10        1    0.50/1.0    0% -",
        "!a-very-long-name-of-a-ma…           3        0           0    0% shut: outage",
        " ",
        " google takes 5 connections at a time from s1: more was refused at 14:02 with",
        " \"421 too many\". Next try with 6 at 14:10. Last refusal: mx.google.test: 421",
        " ?]0;owned?too many",
        NULL};
    expect(&f, 80, 24, lines);
}

static void at_200_columns(void **state) {
    (void)state;
    struct top_frame f = frame();
    f.keys = true;
    f.selected = 1;
    f.trouble = SLICE("the disk is full\x1b[2J");
    static const char *const lines[] = {
        "btsubame  14:03:07 UTC  2 campaigns  1,234,580 pending  40 under way  17 deferred",
        " 12.8 messages/s ▁▂▃▅█  6 sessions  97 delivered  10 deferrals  0 failed",
        "!Trouble: the disk is full?[2J",
        " ",
        "bLANE                                 SOURCE           WAITING SESSIONS       MSG/S DEFER "
        "BOUND BY        NEXT TRY    DELIVERED LAST REPLY",
        " google                               s1             1,234,567      5/5        12.3   10% "
        "connections     14:10:05           90 mx.google.test: 421 ?]0;owned?too many",
        "rドコモ・メール                       s1                    10        1    0.50/1.0    0% -  "
        "             -                   7",
        "!a-very-long-name-of-a-mail-exchange… s2                     3        0           0    0% "
        "shut: outage    -                   0",
        " ",
        " ",
        " ドコモ・メール from s1: nothing holds it back but the work.",
        "dq quit  ↑↓ choose  sort: w [waiting] r rate d deferred s sessions p provider",
        NULL};
    expect(&f, 200, 12, lines);
}

/* What is due already is not shown with a time that is over; the curve leaves the figures their room. */
static void due_now(void **state) {
    (void)state;
    struct top_frame f = frame();
    struct buf out;
    struct lane_view v = lanes[0];
    buf_init(&out, 4096);
    v.now = SLICE("2026-11-25T14:10:06.000Z");
    lane_view_row(&out, &v, 120);
    assert_true(slice_find(buf_slice(&out), ':') < 0);
    buf_reset(&out);
    v.now = SLICE("2026-11-25T14:10:04.000Z");
    lane_view_row(&out, &v, 120);
    assert_true(slice_find(buf_slice(&out), ':') > 0);
    buf_reset(&out);
    f.delivered = f.refused = f.failed = 23456;
    top_layout(&f, 80, 24, &out);
    struct slice rest = buf_slice(&out), line;
    slice_cut(&rest, '\n', &line);
    slice_cut(&rest, '\n', &line);
    assert_true(memmem(line.at, line.len, "failed", 6) != NULL);
    buf_done(&out);
}

/* An explanation that is too long ends with an ellipsis. */
static void long_reasons(void **state) {
    (void)state;
    struct top_frame f = frame();
    struct buf out;
    char words[1000];
    for (size_t i = 0; i < sizeof words; i++)
        words[i] = i % 7 == 6 ? ' ' : 'w';
    lanes[1].why = slice_make(words, sizeof words);
    f.selected = 1;
    buf_init(&out, 1 << 20);
    top_layout(&f, 80, 20, &out);
    lanes[1].why = (struct slice){0};
    static const char end[] = "\xe2\x80\xa6\n";
    assert_true(out.len > 4 && memcmp(out.at + out.len - 4, end, 4) == 0);
    buf_done(&out);
}

static void small_windows(void **state) {
    (void)state;
    struct top_frame f = frame();
    f.keys = true;
    static const char *const three[] = {"btsubame  14:03:07 UTC  2 camp…", "rgoogle                    12.3",
                                        "d... and 2 lanes more, for whi…", NULL};
    expect(&f, 30, 3, three);
}

/* Whatever the size: so many lines and cells, and nothing that steers. */
static void any_size(void **state) {
    (void)state;
    struct top_frame f = frame();
    f.more_lanes = 5;
    f.note = SLICE("a note");
    f.notes = 2;
    for (size_t width = 1; width < 260; width += width < 12 ? 1 : 7)
        for (size_t height = 0; height < 60; height += height < 16 ? 1 : 9) {
            struct buf out;
            struct slice rest, line;
            size_t n = 0;
            f.keys = height % 2;
            f.selected = height % 3;
            buf_init(&out, 1 << 20);
            top_layout(&f, width, height, &out);
            rest = buf_slice(&out);
            for (; slice_cut(&rest, '\n', &line) && line.len; n++) {
                assert_int_equal(cells_of(slice_skip(line, 1)), width);
                for (size_t i = 0; i < line.len; i++)
                    assert_true((unsigned char)line.at[i] >= ' ');
            }
            assert_true(n <= height);
            buf_done(&out);
        }
}

/* A lane far below is shown when it is chosen. */
static void the_chosen_lane_is_seen(void **state) {
    (void)state;
    static struct lane_view many[100];
    static char names[100][8];
    struct top_frame f = frame();
    for (unsigned i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "lane%u", i);
        many[i] = (struct lane_view){.provider = slice_of(names[i])};
    }
    f.lanes = many;
    f.lane_count = 100;
    f.keys = true;
    f.more_lanes = 7;
    f.more_waiting = 1000;
    many[99].waiting = 234;
    for (f.selected = 0; f.selected < 100; f.selected += 9) {
        struct buf out;
        char wanted[16];
        buf_init(&out, 1 << 20);
        top_layout(&f, 80, 24, &out);
        snprintf(wanted, sizeof wanted, "rlane%zu ", f.selected);
        assert_true(slice_find_nocase(buf_slice(&out), slice_of(wanted)) >= 0);
        const char *more =
            f.selected == 99 ? " lanes more, for which 1,000 wait" : " lanes more, for which 1,234 wait";
        assert_true(slice_find_nocase(buf_slice(&out), slice_of(more)) >= 0);
        buf_done(&out);
    }
}

static void a_lost_server_is_told(void **state) {
    (void)state;
    struct top_frame f = frame();
    struct buf out;
    f.lost = "The server does not answer since 14:04:00 UTC";
    f.trouble = SLICE("old trouble");
    buf_init(&out, 1 << 20);
    top_layout(&f, 80, 24, &out);
    assert_true(slice_find_nocase(buf_slice(&out), SLICE("!The server does not answer")) > 0);
    assert_int_equal(slice_find_nocase(buf_slice(&out), SLICE("old trouble")), -1);
    assert_true(slice_find_nocase(buf_slice(&out), SLICE("\ndgoogle")) > 0);
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_counted),
        cmocka_unit_test(cells_fit),
        cmocka_unit_test(lines_are_broken),
        cmocka_unit_test(at_80_columns),
        cmocka_unit_test(at_200_columns),
        cmocka_unit_test(due_now),
        cmocka_unit_test(long_reasons),
        cmocka_unit_test(small_windows),
        cmocka_unit_test(any_size),
        cmocka_unit_test(the_chosen_lane_is_seen),
        cmocka_unit_test(a_lost_server_is_told),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
