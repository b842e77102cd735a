/* Tests of the ledger's rows, the tally, and the map of retries. */
#include "hash.h"
#include "ledger_priv.h"
#include "row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct campaign_row full_row = {
    .id = 12,
    .tenant = 3,
    .state = CAMPAIGN_HELD,
    .name = {"spring \xc3\xa9", 9},
    .created = 1,
    .ready = INT64_C(1700000000123456),
    .expires = NEVER,
    .ended = 4,
    .hold_uncertain = true,
    .payload = UINT64_MAX,
    .chunks = 70000,
    .hash_seed = UINT64_C(0x8000000000000001),
    .columns = {"email\nname", 10},
    .tally = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, UINT64_MAX},
    .course = {PRIORITY_TRANSACTIONAL, 1000, INT64_C(1700000000000001), INT64_C(1800000000000002)},
};

static bool same_course(const struct campaign_course *a, const struct campaign_course *b) {
    return a->priority == b->priority && a->weight == b->weight && a->not_before == b->not_before &&
           a->deadline == b->deadline;
}

static void campaign_rows_come_back(void **state) {
    (void)state;
    struct buf out;
    struct campaign_row back;
    struct err err;
    buf_init(&out, 1024);
    assert_true(campaign_row_encode(&out, &full_row));
    assert_int_equal(campaign_row_decode(buf_slice(&out), &back, &err), 0);
    const struct campaign_row *a = &full_row;
    assert_true(back.id == a->id && back.tenant == a->tenant && back.state == a->state);
    assert_true(slice_eq(back.name, a->name) && slice_eq(back.columns, a->columns));
    assert_true(back.created == a->created && back.ready == a->ready && back.expires == a->expires);
    assert_true(back.ended == a->ended && back.hold_uncertain && back.payload == a->payload);
    assert_true(back.chunks == a->chunks && back.hash_seed == a->hash_seed);
    assert_memory_equal(&back.tally, &a->tally, sizeof a->tally);
    assert_true(same_course(&back.course, &a->course));
    for (size_t n = 0; n < out.len; n++) {
        assert_int_equal(campaign_row_decode(slice_make(out.at, n), &back, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    static const struct {
        size_t at;
        char value;
    } wrong[] = {
        {0, 3}, {9, 0}, {9, 6}, {10, 2}, {54, 127}}; /* version, states, hold, chunks past their number */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char old = out.at[wrong[i].at];
        out.at[wrong[i].at] = wrong[i].value;
        assert_int_equal(campaign_row_decode(buf_slice(&out), &back, &err), -1);
        out.at[wrong[i].at] = old;
    }
    assert_int_equal(campaign_row_decode(buf_slice(&out), &back, &err), 0);
    buf_put_c(&out, 0);
    assert_int_equal(campaign_row_decode(buf_slice(&out), &back, &err), -1);
    buf_done(&out);
    buf_init(&out, 40);
    assert_false(campaign_row_encode(&out, &full_row));
    buf_done(&out);
    assert_string_equal(campaign_state_name(CAMPAIGN_DONE), "done");
    assert_string_equal(campaign_state_name((enum campaign_state)9), "?");
}

/* As the release before wrote it: version 1, no course. */
static void campaign_rows_of_before_are_read(void **state) {
    (void)state;
    static const unsigned char stored[] = {1,    12,   0,    0,    0,    3,    0,    0,    0, 2,
                                           1, /* to hold */
                                           1,    0,    0,    0,    0,    0,    0,    0,    2, 0,
                                           0,    0,    0,    0,    0,    0, /* created, ready */
                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 4, 0,
                                           0,    0,    0,    0,    0,    0, /* expires, ended */
                                           12,   0,    0,    0,    0,    0,    0,    0,    3, 0,
                                           0,    0, /* payload, chunks */
                                           9,    0,    0,    0,    0,    0,    0,    0x80, 6, 's',
                                           'p',  'r',  'i',  'n',  'g', /* seed, name */
                                           5,    'e',  'm',  'a',  'i',  'l',  0x80, 1,    2, 3,
                                           4,    5,    6,    7,    8,    9,    10,   11,   12};
    struct campaign_row row;
    struct err err = {0};
    struct slice bytes = slice_make((const char *)stored, sizeof stored);
    assert_int_equal(campaign_row_decode(bytes, &row, &err), 0);
    assert_true(row.id == 12 && row.tenant == 3 && row.state == CAMPAIGN_READY && row.hold_uncertain);
    assert_true(row.created == 1 && row.ready == 2 && row.expires == NEVER && row.ended == 4);
    assert_true(row.payload == 12 && row.chunks == 3 && row.hash_seed == UINT64_C(0x8000000000000009));
    assert_true(slice_eq(row.name, SLICE("spring")) && slice_eq(row.columns, SLICE("email")));
    assert_true(row.tally.planned == 128 && row.tally.delivered == 2 && row.tally.deferred == 12);
    struct campaign_course want = {PRIORITY_BULK, WEIGHT_DEFAULT, 0, 0};
    assert_true(same_course(&row.course, &want));
    struct buf out; /* and is written as one of now */
    struct campaign_row back;
    buf_init(&out, 1024);
    assert_true(campaign_row_encode(&out, &row));
    assert_int_equal(campaign_row_decode(buf_slice(&out), &back, &err), 0);
    assert_true(back.id == 12 && same_course(&back.course, &want));
    buf_done(&out);
    for (size_t n = 0; n < sizeof stored; n++)
        assert_int_equal(campaign_row_decode(slice_make(bytes.at, n), &row, &err), -1);
}

static void courses_that_cannot_be_are_broken(void **state) {
    (void)state;
    static const struct {
        size_t from_end;
        char value;
    } wrong[] = {{19, PRIORITIES}, {17, 4}, {9, -1}, {1, -1}}; /* priority, weight, times before 1970 */
    struct buf out;
    struct campaign_row back;
    buf_init(&out, 1024);
    assert_true(campaign_row_encode(&out, &full_row));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *at = out.at + out.len - wrong[i].from_end, old = *at;
        *at = wrong[i].value;
        assert_int_equal(campaign_row_decode(buf_slice(&out), &back, NULL), -1);
        *at = old;
    }
    memset(out.at + out.len - 18, 0, 2); /* no weight */
    assert_int_equal(campaign_row_decode(buf_slice(&out), &back, NULL), -1);
    buf_done(&out);
}

static void chunk_rows_come_back(void **state) {
    (void)state;
    struct buf out;
    struct chunk_row back, row = {.id = (UINT64_C(1) << 56) - 1,
                                  .count = 256,
                                  .table = {1, 2, 3},
                                  .first_hash = 4,
                                  .last_hash = UINT64_MAX,
                                  .domain = SLICE("example.com")};
    struct err err;
    buf_init(&out, 1024);
    assert_true(chunk_row_encode(&out, &row));
    assert_int_equal(chunk_row_decode(buf_slice(&out), &back, &err), 0);
    assert_true(back.id == row.id && back.count == 256 && slice_eq(back.domain, row.domain));
    assert_true(back.table.file == 1 && back.table.offset == 2 && back.table.len == 3);
    assert_true(back.first_hash == 4 && back.last_hash == UINT64_MAX);
    for (size_t n = 0; n < out.len; n++)
        assert_int_equal(chunk_row_decode(slice_make(out.at, n), &back, &err), -1);
    buf_put_c(&out, 0);
    assert_int_equal(chunk_row_decode(buf_slice(&out), &back, &err), -1);
    char long_name[256] = {0};
    const struct chunk_row wrong[] = {{.id = 1, .count = 0},
                                      {.id = 1, .count = 257},
                                      {.id = UINT64_C(1) << 56, .count = 1},
                                      {.id = 1, .count = 1, .domain = {long_name, 256}}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        buf_reset(&out);
        assert_true(chunk_row_encode(&out, &wrong[i]));
        assert_int_equal(chunk_row_decode(buf_slice(&out), &back, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    buf_done(&out);
}

static void retry_rows_come_back(void **state) {
    (void)state;
    struct buf out;
    struct retry_row back, row = {.attempts = 65535, .doubt = true, .first = -1};
    buf_init(&out, 64);
    assert_true(retry_row_encode(&out, &row));
    assert_int_equal(retry_row_decode(buf_slice(&out), &back, NULL), 0);
    assert_true(back.attempts == 65535 && back.doubt && back.first == -1);
    for (size_t n = 0; n < out.len; n++)
        assert_int_equal(retry_row_decode(slice_make(out.at, n), &back, NULL), -1);
    out.at[3] = 2; /* doubt is yes or no */
    assert_int_equal(retry_row_decode(buf_slice(&out), &back, NULL), -1);
    buf_done(&out);
}

static void progress_comes_back(void **state) {
    (void)state;
    struct buf out;
    uint8_t states[CHUNK_SLOTS], back[CHUNK_SLOTS];
    buf_init(&out, 1024);
    for (unsigned count = 0; count <= CHUNK_SLOTS; count++) {
        for (unsigned i = 0; i < count; i++)
            states[i] = (uint8_t)(hash_mix(count * 1000 + i) & 3);
        buf_reset(&out);
        assert_true(progress_encode(&out, states, count));
        assert_int_equal(out.len, 1 + (count + 1) / 2);
        assert_int_equal(progress_decode(buf_slice(&out), back, count, NULL), 0);
        if (count) assert_memory_equal(states, back, count);
        assert_int_equal(progress_decode(buf_slice(&out), back, count + 2, NULL), -1);
        assert_int_equal(progress_decode(slice_make(out.at, out.len - 1), back, count, NULL), -1);
        if (!count) continue;
        out.at[1] = 4; /* no such state */
        assert_int_equal(progress_decode(buf_slice(&out), back, count, NULL), -1);
    }
    buf_done(&out);
}

static void the_tally_folds(void **state) {
    (void)state;
    static const struct {
        enum event_kind kind;
        wall_us due;
        size_t field; /* that grows; 0: none */
        int deferred;
    } cases[] = {
        {EVENT_ACCEPTED, 0, 0, 0},
        {EVENT_LEASED, 0, 0, 0},
        {EVENT_LEASED, 9, 0, -1},
        {EVENT_RETURNED, 0, 0, 0},
        {EVENT_RETURNED, 9, 0, 1},
        {EVENT_DELIVERED, 0, offsetof(struct tally, delivered), 0},
        {EVENT_FAILED, 0, offsetof(struct tally, failed), 0},
        {EVENT_FAILED, 9, offsetof(struct tally, failed), -1},
        {EVENT_SUPPRESSED, 9, offsetof(struct tally, suppressed), -1},
        {EVENT_CANCELLED, 9, offsetof(struct tally, cancelled), -1},
        {EVENT_EXPIRED, 9, offsetof(struct tally, expired), -1},
        {EVENT_DEFERRED, 9, offsetof(struct tally, deferrals), 1},
        {EVENT_UNCERTAIN, 9, offsetof(struct tally, doubted), 1},
        {EVENT_CLOSED, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tally t = {.planned = 100, .deferred = 10}, want = t;
        struct event e = {.kind = cases[i].kind, .due = cases[i].due};
        if (e.kind != EVENT_CLOSED) e.slots = slots_first(3);
        if (cases[i].field) *(uint64_t *)((char *)&want + cases[i].field) += 3;
        want.deferred += (uint64_t)(3 * cases[i].deferred);
        tally_fold(&t, &e);
        assert_memory_equal(&t, &want, sizeof t);
    }
    struct tally t = {.planned = 5};
    struct event held = {.kind = EVENT_UNCERTAIN, .slots = slots_first(2)};
    tally_fold(&t, &held);
    assert_true(t.uncertain == 2 && t.doubted == 2 && t.deferred == 0 && tally_pending(&t) == 3);
}

/* Against an array: rids from a small range, so that they meet. */
static void the_map_of_retries_is_a_map(void **state) {
    (void)state;
    enum { RANGE = 3000, STEPS = 60000 };
    static wall_us naive[RANGE];
    memset(naive, 0, sizeof naive);
    struct retry_map m = {0};
    size_t used = 0;
    for (uint64_t i = 0; i < STEPS; i++) {
        uint64_t rid = 1 + hash_mix(i) % (RANGE - 1), phase = i / 10000;
        if (hash_mix(i + STEPS) % 10 < (phase % 2 ? 3 : 7)) {
            struct retry_entry *entry = retry_map_add(&m, rid);
            assert_true(entry && entry->work.rid == rid && entry->work.due == 0 && !entry->gone);
            entry->work.due = (wall_us)i + 1;
            used += naive[rid] == 0;
            naive[rid] = (wall_us)i + 1;
        } else {
            retry_map_drop(&m, rid);
            used -= naive[rid] != 0;
            naive[rid] = 0;
        }
        assert_int_equal(m.used, used);
        for (uint64_t k = 1; k < RANGE && i % 500 == 0; k++) {
            struct retry_entry *entry = retry_map_find(&m, k);
            assert_true((entry != NULL) == (naive[k] != 0) && (!entry || entry->work.due == naive[k]));
        }
    }
    for (uint64_t k = 1; k < RANGE; k++)
        retry_map_drop(&m, k);
    assert_int_equal(m.used, 0);
    for (size_t i = 0; i < m.size; i++)
        assert_true(m.slots[i].work.rid == 0);
    free(m.slots);
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(campaign_rows_come_back),
        cmocka_unit_test(campaign_rows_of_before_are_read),
        cmocka_unit_test(courses_that_cannot_be_are_broken),
        cmocka_unit_test(chunk_rows_come_back),
        cmocka_unit_test(retry_rows_come_back),
        cmocka_unit_test(progress_comes_back),
        cmocka_unit_test(the_tally_folds),
        cmocka_unit_test(the_map_of_retries_is_a_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
