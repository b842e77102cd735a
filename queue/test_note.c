/* Notes: they come back from events as they went in, and from nothing else. */
#include "note.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 INT64_C(1700000000123000)

#define TEXT(literal)                                                                                        \
    { (literal), sizeof(literal) - 1 }

static const struct note limit = {.what = NOTE_LIMIT,
                                  .at = T0,
                                  .provider = TEXT("google"),
                                  .source = TEXT("192.0.2.1"),
                                  .words = TEXT("421 4.7.0 try again later"),
                                  .code = 421,
                                  .dimension = 2,
                                  .cause = 5,
                                  .from = 20.5,
                                  .to = 0.001,
                                  .changes = 7};
static const struct note hand = {.what = NOTE_HAND,
                                 .at = T0,
                                 .provider = TEXT("yahoo"),
                                 .words = TEXT("they asked for it"),
                                 .act = NOTE_REROUTED,
                                 .campaign = 4000000000u,
                                 .scope = TEXT("domain example.com"),
                                 .by = TEXT("uid 1000"),
                                 .touched = INT64_C(10000000000)};

static void assert_same(const struct note *a, const struct note *b) {
    assert_int_equal(a->what, b->what);
    assert_true(a->at == b->at && a->code == b->code && a->dimension == b->dimension);
    assert_true(slice_eq(a->provider, b->provider) && slice_eq(a->source, b->source));
    assert_true(slice_eq(a->words, b->words) && slice_eq(a->scope, b->scope) && slice_eq(a->by, b->by));
    assert_true(a->cause == b->cause && a->from == b->from && a->to == b->to);
    assert_true(a->act == b->act && a->campaign == b->campaign && a->touched == b->touched);
    if (a->what == NOTE_LIMIT) assert_int_equal(a->changes, b->changes);
}

/* Through a sealed block, among other events; which opens with another version for it. */
static void notes_come_back(void **state) {
    (void)state;
    struct event_block block;
    struct event_reader reader;
    struct event closed = {.kind = EVENT_CLOSED, .at = T0, .chunk = 5}, e, back;
    struct buf stored, scratch, detail;
    struct note n;
    event_block_init(&block);
    buf_init(&stored, 1 << 20), buf_init(&scratch, EVENT_BLOCK_MAX), buf_init(&detail, 4096);
    assert_true(event_block_add(&block, &closed) && event_block_seal(&block, &stored));
    assert_int_equal(stored.at[1], 1);
    buf_reset(&stored);
    const struct note *const all[] = {&limit, &hand};
    for (int i = 0; i < 2; i++)
        assert_true(note_to_event(all[i], &detail, &e) && event_block_add(&block, &e));
    assert_true(event_block_seal(&block, &stored));
    assert_int_equal(stored.at[1], 2);
    assert_int_equal(event_reader_init(&reader, buf_slice(&stored), &scratch, NULL), 0);
    assert_int_equal(event_reader_next(&reader, &back, NULL), 1);
    assert_false(note_from_event(&back, &n));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(event_reader_next(&reader, &back, NULL), 1);
        assert_true(note_from_event(&back, &n));
        assert_same(all[i], &n);
    }
    assert_int_equal(event_reader_next(&reader, &back, NULL), 0);
    event_block_reset(&block);
    assert_true(event_block_add(&block, &closed));
    buf_reset(&stored);
    assert_true(event_block_seal(&block, &stored));
    assert_int_equal(stored.at[1], 1);
    event_block_done(&block);
    buf_done(&stored), buf_done(&scratch), buf_done(&detail);
}

static void nonsense_is_none(void **state) {
    (void)state;
    struct buf detail, bad;
    struct event e, broken;
    struct note n;
    buf_init(&detail, 4096), buf_init(&bad, 4096);
    const struct note *const all[] = {&limit, &hand};
    for (int i = 0; i < 2; i++) {
        assert_true(note_to_event(all[i], &detail, &e));
        for (size_t len = 0; len < detail.len; len++) {
            broken = e;
            broken.detail.len = len;
            assert_false(note_from_event(&broken, &n));
        }
        buf_reset(&bad);
        buf_put_slice(&bad, e.detail), buf_put_c(&bad, 0);
        broken.detail = buf_slice(&bad);
        assert_false(note_from_event(&broken, &n));
        bad.at[0] = 9;
        broken.detail.len--;
        assert_false(note_from_event(&broken, &n));
    }
    const double values[] = {NAN, -1, INFINITY, 1e300};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct note wrong = limit;
        wrong.to = values[i];
        assert_true(note_to_event(&wrong, &detail, &e));
        assert_false(note_from_event(&e, &n));
    }
    buf_done(&detail), buf_done(&bad);
}

/* A note of a chunk, or with recipients, is no event at all. */
static void notes_have_no_recipients(void **state) {
    (void)state;
    struct buf detail, out;
    struct event e, back;
    buf_init(&detail, 4096), buf_init(&out, 4096);
    for (int wrong = 0; wrong < 3; wrong++) {
        assert_true(note_to_event(&hand, &detail, &e));
        if (wrong == 1) e.chunk = 7;
        if (wrong == 2) e.slots = slots_one(3);
        buf_reset(&out);
        assert_true(event_encode(&out, &e, T0));
        struct slice rest = buf_slice(&out);
        assert_int_equal(event_decode(&rest, T0, &back), wrong == 0);
    }
    assert_string_equal(note_act_name(NOTE_SUSPENDED), "suspended");
    assert_string_equal(note_act_name(NOTE_FORGOTTEN), "forgotten");
    assert_string_equal(note_act_name(200), "?");
    buf_done(&detail), buf_done(&out);
}

static void long_texts_are_cut(void **state) {
    (void)state;
    static char text[4096];
    memset(text, 'x', sizeof text);
    struct slice longer = slice_make(text, sizeof text);
    struct note many = hand, n = {0};
    struct buf detail;
    struct event e, back;
    struct buf out;
    many.scope = many.by = many.source = many.words = many.provider = longer;
    buf_init(&detail, 4096), buf_init(&out, 8192);
    assert_true(note_to_event(&many, &detail, &e) && event_encode(&out, &e, 0));
    struct slice rest = buf_slice(&out);
    assert_true(event_decode(&rest, 0, &back) && note_from_event(&back, &n));
    assert_int_equal(n.scope.len, NOTE_SCOPE_MAX);
    assert_int_equal(n.by.len, NOTE_NAME_MAX);
    assert_int_equal(n.words.len, EVENT_TEXT_MAX);
    buf_done(&detail), buf_done(&out);
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_come_back),
        cmocka_unit_test(nonsense_is_none),
        cmocka_unit_test(notes_have_no_recipients),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
