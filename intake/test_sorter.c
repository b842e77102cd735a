/* The external sort: order, stability, bounds of memory and disk. */
#include "sorter.h"

#include "hash.h"
#include "store_test_dir.h"

static struct store *open_ok(struct test_dir *d) {
    struct err err = {0};
    struct store *s = store_open(in_dir(d, "s"), &(struct store_options){.reserve = 1 << 20}, &err);
    if (!s) fail_msg("%s", err.text);
    return s;
}

/* Row i of a case: its hash repeats, its length varies, and it says which it is. */
static uint64_t make_row(uint64_t i, uint64_t distinct, size_t pad, char text[2048], size_t *len) {
    uint64_t hash = hash_mix(hash_mix(i) % distinct);
    int n = snprintf(text, 2048, "%llu:%llu:", (unsigned long long)hash, (unsigned long long)i);
    *len = (size_t)n + (pad ? hash_mix(i ^ 77) % pad : 0);
    memset(text + n, 'x', *len - (size_t)n);
    return hash;
}

static void check_case(uint64_t rows, uint64_t distinct, size_t pad, size_t memory, bool on_disk) {
    struct test_dir d = test_dir_make();
    struct store *store = open_ok(&d);
    struct err err = {0};
    char text[2048];
    size_t len;
    struct sorter *s = sorter_open(store, memory, &err);
    for (uint64_t i = 0; i < rows; i++) {
        uint64_t hash = make_row(i, distinct, pad, text, &len);
        assert_int_equal(sorter_add(s, hash, slice_make(text, len), &err), 0);
    }
    assert_int_equal(sorter_finish(s, &err), 0);
    uint64_t hash, last = 0, last_i = 0, count = 0, sum = 0;
    struct slice row, piece;
    int more;
    while ((more = sorter_next(s, &hash, &row, &err)) == 1) {
        uint64_t i = 0, said = 0;
        struct slice rest = row;
        assert_true(slice_cut(&rest, ':', &piece) && slice_to_u64(piece, &said));
        assert_true(slice_cut(&rest, ':', &piece) && slice_to_u64(piece, &i));
        assert_int_equal(said, hash);
        assert_int_equal(make_row(i, distinct, pad, text, &len), hash);
        assert_true(slice_eq(row, slice_make(text, len)));
        assert_true(count == 0 || hash > last || (hash == last && i > last_i));
        last = hash, last_i = i, sum += i, count++;
    }
    assert_int_equal(more, 0);
    assert_int_equal(sorter_next(s, &hash, &row, &err), 0);
    assert_int_equal(count, rows);
    assert_int_equal(sum, rows ? rows * (rows - 1) / 2 : 0);
    struct sorter_stats stats;
    sorter_stats(s, &stats);
    assert_int_equal(stats.rows, rows);
    assert_int_equal(stats.runs > 0, on_disk);
    assert_int_equal(stats.written > 0, on_disk);
    sorter_free(s);
    store_free(store);
    test_dir_remove(&d);
}

static void test_in_memory(void **state) {
    (void)state;
    check_case(0, 1, 0, 0, false);
    check_case(1, 1, 0, 0, false);
    check_case(5000, 5000, 100, 0, false);
    check_case(5000, 7, 100, 0, false);
}

static void test_on_disk(void **state) {
    (void)state;
    check_case(20000, 20000, 100, 256 * 1024, true);
    check_case(20000, 13, 100, 256 * 1024, true);
    check_case(3000, 3000, 2000, 64 * 1024, true);
}

/* More runs than are merged at once. */
static void test_many_runs(void **state) {
    (void)state;
    check_case(400000, 300000, 60, 64 * 1024, true);
}

static void test_large_rows(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct store *store = open_ok(&d);
    struct err err = {0};
    char *large = calloc(1, SORTER_ROW_MAX);
    struct sorter *s = sorter_open(store, 64 * 1024, &err);
    for (uint64_t i = 0; i < 5; i++) {
        large[0] = (char)i;
        assert_int_equal(sorter_add(s, 100 - i, slice_make(large, SORTER_ROW_MAX), &err), 0);
    }
    assert_int_equal(sorter_add(s, 50, (struct slice){0}, &err), 0);
    assert_int_equal(sorter_finish(s, &err), 0);
    uint64_t hash;
    struct slice row;
    assert_int_equal(sorter_next(s, &hash, &row, &err), 1);
    assert_true(hash == 50 && row.len == 0);
    for (uint64_t i = 5; i-- > 0;) {
        assert_int_equal(sorter_next(s, &hash, &row, &err), 1);
        assert_true(hash == 100 - i && row.len == SORTER_ROW_MAX && row.at[0] == (char)i);
    }
    assert_int_equal(sorter_next(s, &hash, &row, &err), 0);
    sorter_free(s);
    free(large);
    store_free(store);
    test_dir_remove(&d);
}

/* A disk with less room than the store keeps back: a clear refusal. */
static void test_no_space(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    struct store *store =
        store_open(in_dir(&d, "s"), &(struct store_options){.reserve = UINT64_C(1) << 60}, &err);
    assert_non_null(store);
    struct sorter *s = sorter_open(store, 64 * 1024, &err);
    int status = 0;
    for (uint64_t i = 0; i < 10000 && status == 0; i++)
        status = sorter_add(s, hash_mix(i), SLICE("a row of an audience"), &err);
    assert_int_equal(status, -1);
    assert_int_equal(err.kind, ERR_SPACE);
    assert_non_null(strstr(err.text, "sorting the audience"));
    sorter_free(s);
    store_free(store);
    test_dir_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_memory), cmocka_unit_test(test_on_disk),
                                       cmocka_unit_test(test_many_runs), cmocka_unit_test(test_large_rows),
                                       cmocka_unit_test(test_no_space)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
