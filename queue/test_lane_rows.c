/* What lanes have learned, in the store: it survives, and passing lanes don't fill it. */
#include "test_ledger_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct world world;

static struct slice key_of(unsigned i, char *text, size_t size) {
    return slice_make(text, (size_t)snprintf(text, size, "key %u", i));
}

static bool has(const char *key, const char *memory) {
    struct buf out;
    buf_init(&out, 1024);
    bool found = ledger_lane_get(world.ledger, slice_of(key), &out);
    if (found && memory) assert_true(slice_eq(buf_slice(&out), slice_of(memory)));
    buf_done(&out);
    return found;
}

static void rows_survive(void **state) {
    (void)state;
    world_open(&world, 1);
    assert_false(has("google", NULL));
    ledger_lane_put(world.ledger, SLICE("google"), false, 5, SLICE("first"));
    ledger_lane_put(world.ledger, SLICE("google"), false, 6, SLICE("second"));
    world_commit_all(&world);
    assert_true(has("google", "second"));
    ledger_lane_put(world.ledger, SLICE("yahoo"), false, 7, SLICE("lost"));
    world_crash(&world);
    assert_true(has("google", "second"));
    assert_false(has("yahoo", NULL));
    world_close(&world);
}

static void put(unsigned first, unsigned count, bool passing) {
    char text[32];
    for (unsigned i = first; i < first + count; i++)
        ledger_lane_put(world.ledger, key_of(i, text, sizeof text), passing, 1000 + i, SLICE("m"));
    world_commit_all(&world);
}

static unsigned count_rows(void) {
    struct store_reader *r = store_reader_open(world.store, NULL);
    uint64_t n = 0;
    assert_true(r && store_read_begin(r, NULL) == 0 && store_count(r, TABLE_LANE, &n, NULL) == 0);
    store_reader_free(r);
    return (unsigned)n;
}

static void checkpoint(void) {
    world_seal(&world, true);
    world_commit_all(&world);
}

static void passing_ones_are_bounded(void **state) {
    (void)state;
    world_open(&world, 1);
    put(1000000, 100, false); /* older than all others by their numbers would be wrong: kept whatever comes */
    ledger_lane_put(world.ledger, SLICE("old provider"), false, 1, SLICE("m"));
    put(0, LEDGER_LANES_MOST + LEDGER_LANES_MOST / 10 - 200, true);
    checkpoint();
    assert_int_equal(count_rows(), LEDGER_LANES_MOST + LEDGER_LANES_MOST / 10 - 200 + 101);
    put(50000, 400, true);
    checkpoint();
    assert_int_equal(count_rows(), LEDGER_LANES_MOST + 101);
    assert_true(has("old provider", "m"));
    assert_true(has("key 1000000", "m"));
    assert_true(has("key 50399", "m"));
    assert_false(has("key 0", NULL));
    assert_false(has("key 2199", NULL));
    assert_true(has("key 2200", "m"));
    checkpoint();
    assert_int_equal(count_rows(), LEDGER_LANES_MOST + 101);
    world_close(&world);
}

/* Damaged rows are nothing, and go when the others are looked through. */
static void damaged_rows_are_nothing(void **state) {
    (void)state;
    static const char *const rows[] = {"", "\1", "\2\0\1\1\1\1\1\1\1\1", "\1\7\1\1\1\1\1\1\1\1",
                                       "\1\1\1\1\1"};
    static const size_t lens[] = {0, 1, 11, 11, 6};
    world_open(&world, 1);
    struct store_batch *b = store_batch_new(4096);
    char text[32];
    for (unsigned i = 0; i < 5; i++)
        assert_true(store_put(b, TABLE_LANE, key_of(i, text, sizeof text), slice_make(rows[i], lens[i])));
    assert_int_equal(store_commit(world.store, b, 0, NULL), 0);
    store_batch_free(b);
    for (unsigned i = 0; i < 5; i++)
        assert_false(has(key_of(i, text, sizeof text).at, NULL));
    put(100, LEDGER_LANES_MOST + LEDGER_LANES_MOST / 10 + 1, true);
    checkpoint();
    assert_int_equal(count_rows(), LEDGER_LANES_MOST);
    world_close(&world);
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_survive),
        cmocka_unit_test(passing_ones_are_bounded),
        cmocka_unit_test(damaged_rows_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
