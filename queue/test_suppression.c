/* Tests of the suppression list's rows, keys and filter. */
#include "suppress_filter.h"
#include "suppression.h"

#include "hash.h"
#include "rid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS US_PER_MS

static const struct suppress_row full_row = {
    .reason = SUPPRESS_COMPLAINT,
    .source = SUPPRESS_BY_DSN,
    .at = INT64_C(1700000000123000),
    .failures = 3,
    .proof = {.rid = UINT64_C(3) << 36 | 5 << 8 | 7,
              .class = 1,
              .code = 550,
              .enhanced = {5, 1, 1},
              .host = {"mx.example.com [192.0.2.1]", 26},
              .text = {"5.1.1 no such user", 18}},
    .note = {"asked by phone", 14},
};

static bool same(const struct suppress_row *a, const struct suppress_row *b) {
    const struct suppress_proof *p = &a->proof, *q = &b->proof;
    return a->reason == b->reason && a->source == b->source && a->at == b->at && a->failures == b->failures &&
           p->rid == q->rid && p->class == q->class && p->code == q->code &&
           memcmp(p->enhanced, q->enhanced, sizeof p->enhanced) == 0 && slice_eq(p->host, q->host) &&
           slice_eq(p->text, q->text) && slice_eq(a->note, b->note);
}

static void rows_come_back(void **state) {
    (void)state;
    struct buf out;
    struct suppress_row back;
    struct err err;
    buf_init(&out, SUPPRESS_ROW_MAX);
    assert_true(suppress_row_encode(&out, &full_row));
    assert_int_equal(suppress_row_decode(buf_slice(&out), &back, &err), 0);
    assert_true(same(&full_row, &back));
    for (size_t n = 0; n < out.len; n++) {
        assert_int_equal(suppress_row_decode(slice_make(out.at, n), &back, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    static const struct {
        size_t at;
        char value;
    } wrong[] = {{0, 2}, {1, 0}, {1, 5}, {2, 0}, {2, 7}}; /* version, reason, source */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char old = out.at[wrong[i].at];
        out.at[wrong[i].at] = wrong[i].value;
        assert_int_equal(suppress_row_decode(buf_slice(&out), &back, &err), -1);
        out.at[wrong[i].at] = old;
    }
    buf_put_c(&out, 0);
    assert_int_equal(suppress_row_decode(buf_slice(&out), &back, &err), -1);
    buf_done(&out);
}

/* Whatever a server says, the row stays small, and no character is cut in two. */
static void long_words_are_cut(void **state) {
    (void)state;
    struct buf text, out;
    struct suppress_row row = full_row, back;
    struct err err;
    buf_init(&text, 8192);
    for (int i = 0; i < 2000; i++)
        buf_put_text(&text, "\xe3\x81\x82");
    row.note = row.proof.text = row.proof.host = buf_slice(&text);
    buf_init(&out, SUPPRESS_ROW_MAX);
    assert_true(suppress_row_encode(&out, &row));
    assert_int_equal(suppress_row_decode(buf_slice(&out), &back, &err), 0);
    assert_int_equal(back.note.len, SUPPRESS_NOTE_MAX / 3 * 3);
    assert_int_equal(back.proof.text.len, SUPPRESS_TEXT_MAX / 3 * 3);
    assert_int_equal(back.proof.host.len, SUPPRESS_HOST_MAX / 3 * 3);
    buf_done(&out);
    buf_done(&text);
}

static void counts_come_back(void **state) {
    (void)state;
    struct suppress_count count = {.failures = 2, .at = 5 * MS, .proof = full_row.proof}, back;
    struct buf out;
    struct err err;
    buf_init(&out, SUPPRESS_ROW_MAX);
    assert_true(suppress_count_encode(&out, &count));
    assert_int_equal(suppress_count_decode(buf_slice(&out), &back, &err), 0);
    assert_true(back.failures == 2 && back.at == 5 * MS && back.proof.rid == count.proof.rid);
    out.at[1] = 0; /* no failure is no count */
    assert_int_equal(suppress_count_decode(buf_slice(&out), &back, &err), -1);
    buf_done(&out);
}

static void keys(void **state) {
    (void)state;
    struct suppress_key a, b;
    struct slice address;
    char longest[SUPPRESS_ADDRESS_MAX + 1];
    memset(longest, 'x', sizeof longest);
    assert_true(suppress_key_make(&a, SUPPRESS_LISTED, 7, SLICE("Anna.B@example.com")));
    assert_true(suppress_key_make(&b, SUPPRESS_LISTED, 7, SLICE("aNNA.b@example.com")));
    assert_true(slice_eq(suppress_key_slice(&a), suppress_key_slice(&b)));
    assert_true(suppress_hash(7, SLICE("Anna.B@example.com")) ==
                suppress_hash(7, SLICE("anna.b@example.com")));
    assert_true(suppress_hash(7, SLICE("a@b.c")) != suppress_hash(8, SLICE("a@b.c")));
    assert_true(suppress_key_address(suppress_key_slice(&a), SUPPRESS_LISTED, 7, &address));
    assert_true(slice_eq(address, SLICE("anna.b@example.com")));
    assert_false(suppress_key_address(suppress_key_slice(&a), SUPPRESS_LISTED, 8, &address));
    assert_false(suppress_key_address(suppress_key_slice(&a), SUPPRESS_COUNTED, 7, &address));
    assert_false(suppress_key_make(&a, SUPPRESS_LISTED, 0, SLICE("")));
    assert_false(suppress_key_make(&a, SUPPRESS_LISTED, 0, slice_make(longest, sizeof longest)));
    assert_true(suppress_key_make(&a, SUPPRESS_LISTED, 0, slice_make(longest, SUPPRESS_ADDRESS_MAX)));
    struct suppress_key first = suppress_key_first(SUPPRESS_LISTED, 7);
    assert_true(slice_cmp(suppress_key_slice(&first), suppress_key_slice(&b)) < 0);
}

static void names(void **state) {
    (void)state;
    for (int i = 1; i < SUPPRESS_REASONS; i++)
        assert_int_equal(suppress_reason_by_name(slice_of(suppress_reason_name((enum suppress_reason)i))), i);
    for (int i = 1; i < SUPPRESS_SOURCES; i++)
        assert_int_equal(suppress_source_by_name(slice_of(suppress_source_name((enum suppress_source)i))), i);
    assert_int_equal(suppress_reason_by_name(SLICE("BOUNCE")), SUPPRESS_BOUNCE);
    assert_int_equal(suppress_reason_by_name(SLICE("-")), SUPPRESS_NO_REASON);
    assert_int_equal(suppress_reason_by_name(SLICE("")), SUPPRESS_NO_REASON);
}

static void merging(void **state) {
    (void)state;
    struct suppress_row r, wanted = {0};
    assert_true(suppress_merge(NULL, &wanted, SUPPRESS_BY_IMPORT, 9 * MS + 1, &r));
    assert_true(r.reason == SUPPRESS_MANUAL && r.source == SUPPRESS_BY_IMPORT && r.at == 9 * MS);
    /* Nothing said of one that is there: nothing changes. */
    assert_false(suppress_merge(&full_row, &wanted, SUPPRESS_BY_COMMAND, 9, &r));
    assert_true(same(&full_row, &r));
    assert_false(suppress_merge(&full_row, &full_row, SUPPRESS_BY_COMMAND, 9, &r));
    /* Another reason: since now, by whoever says so; the proof and the note stay. */
    wanted.reason = SUPPRESS_BOUNCE;
    assert_true(suppress_merge(&full_row, &wanted, SUPPRESS_BY_COMMAND, 10 * MS, &r));
    assert_true(r.reason == SUPPRESS_BOUNCE && r.source == SUPPRESS_BY_COMMAND && r.at == 10 * MS);
    assert_true(slice_eq(r.note, full_row.note) && r.proof.code == 550);
    /* A note that is taken away. */
    wanted = (struct suppress_row){.note = SLICE("")};
    assert_true(suppress_merge(&full_row, &wanted, SUPPRESS_BY_COMMAND, 10 * MS, &r));
    assert_int_equal(r.note.len, 0);
    wanted = (struct suppress_row){.at = 12 * MS};
    assert_true(suppress_merge(&full_row, &wanted, SUPPRESS_BY_IMPORT, 10 * MS, &r));
    assert_true(r.at == 12 * MS && r.reason == SUPPRESS_COMPLAINT);
}

static void in_words(void **state) {
    (void)state;
    struct suppress_row note = {.reason = SUPPRESS_MANUAL, .note = SLICE("moved")},
                        bare = {.reason = SUPPRESS_UNSUBSCRIBE};
    const struct {
        const struct suppress_row *row;
        const char *says;
    } cases[] = {{&full_row, "complaint, 3 failures in a row (campaign 3: 550 5.1.1 no such user)"},
                 {&note, "manual (moved)"},
                 {&bare, "unsubscribe"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        buf_init(&out, 4096);
        suppress_put_why(&out, cases[i].row);
        assert_true(slice_eq(buf_slice(&out), slice_of(cases[i].says)));
        buf_done(&out);
    }
}

/* ---- the filter ---- */

static uint64_t hash_of(unsigned i) {
    char text[64];
    int n = snprintf(text, sizeof text, "person%u@d%u.example.com", i, i % 97);
    return suppress_hash(0, slice_make(text, (size_t)n));
}

static void filter_of(unsigned count, uint64_t room, unsigned wrong_most) {
    struct suppress_filter f;
    unsigned wrong = 0;
    assert_true(suppress_filter_init(&f, room));
    for (unsigned i = 0; i < count; i++)
        suppress_filter_add(&f, hash_of(i));
    for (unsigned i = 0; i < count; i++)
        assert_true(suppress_filter_maybe(&f, hash_of(i)));
    for (unsigned i = 0; i < 100000; i++)
        wrong += suppress_filter_maybe(&f, hash_of(1000000000 + i));
    print_message("# %u addresses in room for %llu: %u of 100000 others looked up\n", count,
                  (unsigned long long)suppress_filter_room(&f), wrong);
    assert_true(wrong <= wrong_most);
    assert_true((f.mask + 1) * 64 <= SUPPRESS_FILTER_MAX);
    suppress_filter_done(&f);
}

static void filter(void **state) {
    (void)state;
    struct suppress_filter none = {0};
    assert_false(suppress_filter_maybe(&none, 5));
    suppress_filter_add(&none, 5);
    assert_true(suppress_filter_can_grow(&none) && suppress_filter_room(&none) == 0);
    filter_of(0, 0, 0);
    filter_of(2560, 0, 1000); /* full */
    filter_of(100000, 100000, 1000);
    struct suppress_filter large;
    assert_true(suppress_filter_init(&large, UINT64_C(1) << 60)); /* bounded all the same */
    assert_false(suppress_filter_can_grow(&large));
    assert_true(suppress_filter_room(&large) >= 10000000);
    suppress_filter_done(&large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(long_words_are_cut),
        cmocka_unit_test(counts_come_back),
        cmocka_unit_test(keys),
        cmocka_unit_test(names),
        cmocka_unit_test(merging),
        cmocka_unit_test(in_words),
        cmocka_unit_test(filter),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
