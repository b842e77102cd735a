/* The audit trail in the history: every note once, whatever crashes, and in order, wherever it lies. */
#include "notes.h"

#include "history.h"
#include "projector.h"
#include "retention.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define T0 (INT64_C(1800000000) * US_PER_SEC)

struct world {
    char dir[64];
    struct store *store;
    struct event_block block;
    uint64_t sequence;
    unsigned said;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int setup(void **state) {
    static struct world w;
    struct err err;
    struct store_options options = {.map_size = 64 << 20, .reserve = 1 << 20};
    w = (struct world){.dir = "/tmp/tsubame-notes-XXXXXX"};
    assert_non_null(mkdtemp(w.dir));
    w.store = store_open(w.dir, &options, &err);
    if (!w.store) fail_msg("%s", err.text);
    event_block_init(&w.block);
    *state = &w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    event_block_done(&w->block);
    store_free(w->store);
    return nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void add(struct world *w, const struct note *n) {
    struct buf detail;
    struct event e;
    buf_init(&detail, 4096);
    assert_true(note_to_event(n, &detail, &e) && event_block_add(&w->block, &e));
    buf_done(&detail);
}

/* The i-th one: its number stands in `to`. */
static void say(struct world *w) {
    unsigned i = w->said++;
    struct note n = {.what = NOTE_LIMIT,
                     .at = T0 + (wall_us)i * US_PER_SEC,
                     .provider = i % 2 ? SLICE("yahoo") : SLICE("google"),
                     .source = i % 3 ? SLICE("a") : SLICE("b"),
                     .words = SLICE("421 slower"),
                     .code = 421,
                     .dimension = 2,
                     .from = 0.5,
                     .to = i,
                     .changes = 1 + i};
    if (i % 5 == 4) n = (struct note){.what = NOTE_HAND, .at = n.at, .act = NOTE_HELD, .touched = i, .to = i};
    add(w, &n);
}

static void seal(struct world *w) {
    struct err err;
    struct buf out;
    struct store_key key = store_key_u64(++w->sequence);
    struct store_batch *b = store_batch_new(1 << 20);
    buf_init(&out, 1 << 20);
    assert_true(event_block_seal(&w->block, &out) &&
                store_put(b, TABLE_BLOCK, store_key_slice(&key), buf_slice(&out)));
    assert_int_equal(store_commit(w->store, b, 0, &err), 0);
    event_block_reset(&w->block);
    store_batch_free(b);
    buf_done(&out);
}

static void drop_blocks(struct world *w, uint64_t until) {
    struct err err;
    struct store_batch *b = store_batch_new(1 << 20);
    struct store_key from = store_key_u64(0), to = store_key_u64(until + 1);
    assert_true(store_delete_range(b, TABLE_BLOCK, store_key_slice(&from), store_key_slice(&to), 0));
    assert_int_equal(store_commit(w->store, b, 0, &err), 0);
    store_batch_free(b);
}

static struct projector *project(struct world *w, bool write) {
    struct err err;
    struct projector_options options = {1000, US_PER_SEC, 1 << 20};
    struct projector *p = projector_open(w->store, &options, &err);
    if (!p) fail_msg("%s", err.text);
    assert_int_equal(projector_read(p, 1, &err), 0);
    if (write) assert_int_equal(projector_write(p, 1, true, &err), 0);
    return p;
}

/* Numbers of those that are found. */
static size_t find(struct world *w, const struct notes_wanted *wanted, unsigned *numbers) {
    struct arena arena;
    struct note *list;
    size_t count;
    struct err err;
    arena_init(&arena, 1 << 20);
    if (notes_read(w->store, wanted, &arena, &list, &count, &err)) fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (unsigned)((list[i].at - T0) / US_PER_SEC);
    for (size_t i = 0; i < count; i++)
        if (list[i].what == NOTE_HAND)
            assert_true(list[i].act == NOTE_HELD && list[i].touched == numbers[i]);
        else
            assert_true(list[i].to == numbers[i] && list[i].from == 0.5 && list[i].code == 421 &&
                        list[i].changes == 1 + numbers[i] && slice_eq(list[i].words, SLICE("421 slower")));
    arena_done(&arena);
    return count;
}

static void expect_all(struct world *w) {
    unsigned numbers[400];
    size_t n = find(w, &(struct notes_wanted){0}, numbers);
    assert_int_equal(n, w->said);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(numbers[i], i);
}

/* In blocks alone, in both, in the history alone; taken in twice after a crash. */
static void once_and_in_order(void **state) {
    struct world *w = *state;
    expect_all(w); /* there is no history at all */
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 7; i++) {
            say(w);
            if (i % 3 == 2) seal(w);
        }
        seal(w);
        expect_all(w);
        projector_free(project(w, false)); /* dies before it writes */
        expect_all(w);
        projector_free(project(w, round % 2 == 0));
        expect_all(w);
        if (round == 2) drop_blocks(w, w->sequence);
        expect_all(w);
    }
}

/* An outcome that waits holds the cursor back: the notes behind it are written, and read again after a crash.
 */
static void behind_what_waits(void **state) {
    struct world *w = *state;
    struct err err;
    struct event e = {.kind = EVENT_DELIVERED, .at = T0, .chunk = UINT64_C(1) << 28, .slots = slots_one(1)};
    struct projector_options options = {1000, 1000 * US_PER_SEC, 1 << 20};
    assert_true(event_block_add(&w->block, &e));
    for (int i = 0; i < 5; i++) {
        say(w);
        seal(w);
    }
    for (int i = 0; i < 3; i++) {
        struct projector *p = projector_open(w->store, &options, &err);
        assert_true(p && projector_read(p, 1, &err) == 0 && projector_write(p, 1, false, &err) == 0);
        assert_int_equal(projector_cursor(p), 0);
        projector_free(p);
        expect_all(w);
        say(w);
        seal(w);
        expect_all(w);
    }
}

static void only_what_is_wanted(void **state) {
    struct world *w = *state;
    for (int i = 0; i < 60; i++) {
        say(w);
        if (i % 9 == 8) seal(w);
        if (i == 35) projector_free(project(w, true));
    }
    seal(w);
    static const struct {
        const char *provider, *source;
        unsigned since;
        enum note_what what;
        size_t most;
        size_t count;
        unsigned first, last;
    } table[] = {
        {"", "", 0, 0, 0, 60, 0, 59},         {"google", "", 0, 0, 0, 24, 0, 58},
        {"Google", "", 30, 0, 0, 12, 30, 58}, {"yahoo", "B", 0, 0, 0, 8, 3, 57},
        {"", "", 0, NOTE_HAND, 0, 12, 4, 59}, {"", "", 0, 0, 10, 10, 50, 59},
        {"google", "", 0, 0, 1, 1, 58, 58},   {"", "", 0, 0, 31, 31, 29, 59},
        {"nobody", "", 0, 0, 0, 0, 0, 0},     {"", "", 100, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        unsigned numbers[100];
        struct notes_wanted wanted = {slice_of(table[i].provider), slice_of(table[i].source),
                                      T0 + table[i].since * US_PER_SEC, table[i].what, table[i].most};
        size_t n = find(w, &wanted, numbers);
        if (n != table[i].count || (n && (numbers[0] != table[i].first || numbers[n - 1] != table[i].last)))
            fail_msg("line %zu: %zu, from %u to %u", i, n, n ? numbers[0] : 0, n ? numbers[n - 1] : 0);
    }
}

static void old_ones_go(void **state) {
    struct world *w = *state;
    struct err err;
    uint64_t gone;
    for (int i = 0; i < 300; i++)
        say(w);
    seal(w);
    projector_free(project(w, true));
    struct retention *r = retention_open(w->store, &err);
    assert_non_null(r);
    assert_int_equal(retention_forget_notes(r, T0 + 40 * US_PER_SEC, true, &gone, &err), 0);
    assert_int_equal(gone, 40);
    expect_all(w);
    assert_int_equal(retention_forget_notes(r, 0, false, &gone, &err), 0);
    assert_int_equal(gone, 0);
    expect_all(w);
    assert_int_equal(retention_forget_notes(r, T0 + 40 * US_PER_SEC, false, &gone, &err), 0);
    assert_int_equal(gone, 40);
    unsigned numbers[400];
    assert_int_equal(find(w, &(struct notes_wanted){0}, numbers), 260);
    assert_int_equal(numbers[0], 40);
    struct retention_rules rules = {.keep_us = 250 * US_PER_SEC};
    struct retention_result result;
    assert_int_equal(retention_turn(r, &rules, T0 + 300 * US_PER_SEC, NULL, NULL, &result, &err), 0);
    assert_int_equal(find(w, &(struct notes_wanted){0}, numbers), 250);
    retention_free(r);
    struct sql *db = history_open(w->dir, false, &err); /* by their number */
    for (size_t left = 250; left > 100;) {
        assert_int_equal(notes_forget(db, 0, 100, 70, &gone, &err), 0);
        left -= gone;
        assert_true(gone > 0 && gone <= 70);
        assert_int_equal(find(w, &(struct notes_wanted){0}, numbers), left);
    }
    assert_int_equal(notes_forget(db, 0, 100, 70, &gone, &err), 0);
    assert_int_equal(gone, 0);
    assert_int_equal(numbers[0], 200);
    sql_free(db);
}

/* Not understood, it stops nothing. */
static void strange_notes_are_left_out(void **state) {
    struct world *w = *state;
    struct event e = {.kind = EVENT_NOTE, .at = T0, .detail = SLICE("\x63 of a later version")};
    say(w);
    assert_true(event_block_add(&w->block, &e));
    say(w);
    seal(w);
    expect_all(w);
    projector_free(project(w, true));
    expect_all(w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        T(once_and_in_order), T(behind_what_waits),          T(only_what_is_wanted),
        T(old_ones_go),       T(strange_notes_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
