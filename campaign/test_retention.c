/* Retention on a history made by hand: what goes, what stays, wherever it is broken off. */
#include "history.h"
#include "report.h"
#include "retention.h"

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { CHUNKS = 300, CAMPAIGNS = 4, UNDER_WAY = 4, OUTCOME_BYTES = 3000 };
static const wall_us T0 = INT64_C(1800000000) * US_PER_SEC;
#define DAY (86400 * US_PER_SEC)

struct world {
    char dir[64];
    struct store *store;
    struct retention *retention;
    unsigned steps_left; /* until the work is broken off */
    unsigned removed;
    enum removed_why why;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static bool count_down(void *ctx) {
    struct world *w = ctx;
    return w->steps_left-- == 0;
}

static void open_world(struct world *w) {
    struct err err;
    struct store_options options = {.map_size = 64 << 20, .reserve = 1 << 20};
    struct retention_manners manners = {count_down, NULL, w};
    w->store = store_open(w->dir, &options, &err);
    if (!w->store) fail_msg("%s", err.text);
    w->retention = retention_open(w->store, &err);
    if (!w->retention) fail_msg("%s", err.text);
    w->steps_left = 1000000;
    retention_behave(w->retention, &manners);
}

static void close_world(struct world *w) {
    retention_free(w->retention);
    store_free(w->store);
}

static void put(struct world *w, enum store_table table, uint64_t key, struct slice value) {
    struct err err;
    struct store_batch *b = store_batch_new(1 << 20);
    struct store_key k = store_key_u64(key);
    assert_true(store_put(b, table, store_key_slice(&k), value));
    if (store_commit(w->store, b, 0, &err)) fail_msg("%s", err.text);
    store_batch_free(b);
}

static void put_chunks(struct world *w, struct sql *db, uint32_t id, struct segment_writer *segments) {
    struct err err;
    struct buf row;
    char noise[OUTCOME_BYTES];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 7);
    buf_init(&row, 4096);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        struct chunk_row chunk = {.id = (uint64_t)id << 28 | i, .count = 1, .first_hash = i, .last_hash = i};
        assert_int_equal(segment_append(segments, slice_make(noise, sizeof noise), &chunk.table, &err), 0);
        buf_reset(&row);
        assert_true(chunk_row_encode(&row, &chunk));
        assert_int_equal(history_chunk_put(db, buf_slice(&row), &err), 0);
        assert_int_equal(history_part_put(db, chunk.id, 1, slice_make(noise, sizeof noise), &err), 0);
        if (id == UNDER_WAY) put(w, TABLE_CHUNK, chunk.id, buf_slice(&row));
    }
    buf_done(&row);
}

/* Campaign n ended n days after T0; the last has not, and its chunks are in the ledger. */
static void put_campaign(struct world *w, struct sql *db, uint32_t id) {
    struct err err;
    struct buf row;
    char name[16];
    buf_init(&row, 4096);
    struct segment_writer *segments = segment_writer_open(w->store, &err);
    snprintf(name, sizeof name, "c%u", id);
    struct campaign_row c = {.id = id,
                             .state = id == UNDER_WAY ? CAMPAIGN_READY : CAMPAIGN_DONE,
                             .name = slice_of(name),
                             .created = T0,
                             .ready = T0,
                             .expires = T0 + 5 * DAY,
                             .ended = id == UNDER_WAY ? 0 : T0 + id * DAY,
                             .payload = id,
                             .chunks = CHUNKS,
                             .tally = {.planned = CHUNKS, .delivered = CHUNKS}};
    assert_true(campaign_row_encode(&row, &c));
    put(w, TABLE_CAMPAIGN, id, buf_slice(&row));
    put(w, TABLE_PAYLOAD, id, SLICE("\0content"));
    assert_int_equal(sql_begin(db, &err), 0);
    assert_int_equal(history_campaign_put(db, buf_slice(&row), &err), 0);
    put_chunks(w, db, id, segments);
    assert_int_equal(sql_end(db, &err), 0);
    assert_int_equal(segment_sync(segments, &err), 0);
    segment_writer_free(segments);
    buf_done(&row);
}

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof *w);
    struct err err;
    snprintf(w->dir, sizeof w->dir, "/tmp/tsubame-retention-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    open_world(w);
    struct sql *db = history_open(w->dir, false, &err);
    for (uint32_t id = 1; id <= CAMPAIGNS; id++)
        put_campaign(w, db, id);
    sql_free(db);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    close_world(w);
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

static void note_removed(void *ctx, const struct retention_campaign *c, enum removed_why why) {
    struct world *w = ctx;
    assert_true(c->bytes >= CHUNKS * 2 * OUTCOME_BYTES);
    w->removed++;
    w->why = why;
}

static int turn(struct world *w, int64_t keep, uint64_t most, wall_us now, struct retention_result *result) {
    struct err err;
    int left = retention_turn(w->retention, &(struct retention_rules){keep, most}, now, note_removed, w,
                              result, &err);
    if (left < 0) fail_msg("%s", err.text);
    return left;
}

static uint64_t rows_of(struct world *w, uint32_t id) {
    struct err err;
    struct sql *db = history_open(w->dir, true, &err);
    struct sql_stmt *st = sql_prepare(db,
                                      "SELECT (SELECT COUNT(*) FROM chunk WHERE campaign = ?) + (SELECT "
                                      "COUNT(*) FROM history WHERE campaign = ?)",
                                      &err);
    sql_bind_int(st, 1, id);
    sql_bind_int(st, 2, id);
    assert_int_equal(sql_step(st, &err), 1);
    uint64_t n = (uint64_t)sql_int(st, 0);
    sql_reset(st);
    sql_free(db);
    return n;
}

static bool has_content(struct world *w, uint32_t id) {
    struct err err;
    struct store_reader *reader = store_reader_open(w->store, &err);
    struct store_key key = store_key_u64(id);
    struct slice value;
    assert_int_equal(store_read_begin(reader, &err), 0);
    bool has = store_get(reader, TABLE_PAYLOAD, store_key_slice(&key), &value, &err) == 1;
    store_read_end(reader);
    store_reader_free(reader);
    return has;
}

static void is_whole(struct world *w, uint32_t id) {
    assert_int_equal(rows_of(w, id), 2 * CHUNKS);
    assert_true(has_content(w, id));
}

/* What a reader is told of one that is removed, or on its way: the ledger's sums, the date, no recipients. */
static void is_told(struct world *w, uint32_t id) {
    struct err err;
    struct view *v = view_open(w->store, &err);
    struct report report;
    struct chunk_row row;
    assert_int_equal(view_begin(v, 0, &err), 0);
    char name[16];
    snprintf(name, sizeof name, "%u", id);
    const struct campaign_row *c = view_campaign(v, slice_of(name));
    assert_non_null(c);
    const struct history_removed *removed = view_removed(v, id);
    assert_non_null(removed);
    assert_int_equal(removed->recipients, CHUNKS);
    assert_int_equal(view_chunk_first(v, id, 0, &row, &err), 0);
    assert_int_equal(view_hash_first(v, id, 5, &row, &err), 0);
    assert_int_equal(report_make(v, c, &report, &err), 0);
    assert_int_equal(report.tally.delivered, CHUNKS);
    assert_int_equal(report.removed.campaign, id);
    report_done(&report);
    assert_int_equal(report_recipients(v, c, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_ABSENT);
    assert_non_null(strstr(err.text, "removed from the history on 20"));
    view_free(v);
}

static void is_gone(struct world *w, uint32_t id) {
    assert_int_equal(rows_of(w, id), 0);
    assert_false(has_content(w, id));
    is_told(w, id);
}

static void what_is_old_goes_and_its_space_comes_back(void **state) {
    struct world *w = *state;
    struct retention_result result;
    uint64_t before, after;
    struct err err;
    assert_int_equal(retention_size(w->retention, &before, &err), 0);
    assert_int_equal(turn(w, 10 * DAY, 0, T0 + 10 * DAY, &result), 0);
    assert_int_equal(w->removed, 0); /* the first ended 9 days ago */
    assert_int_equal(turn(w, 10 * DAY, 0, T0 + 12 * DAY, &result), 0);
    assert_int_equal(w->removed, 2);
    assert_int_equal(w->why, REMOVED_BY_AGE);
    is_gone(w, 1), is_gone(w, 2), is_whole(w, 3), is_whole(w, UNDER_WAY);
    assert_int_equal(retention_size(w->retention, &after, &err), 0);
    assert_true(before - after > 2 * CHUNKS * 2 * OUTCOME_BYTES);
    struct sql *db = history_open(w->dir, false, &err);
    struct sql_space space;
    assert_int_equal(sql_space(db, &space, &err), 0);
    assert_true(space.free_pages < space.pages / 50); /* given back, not only free */
    sql_free(db);
    assert_int_equal(turn(w, 10 * DAY, 0, T0 + 12 * DAY, &result), 0);
    assert_int_equal(w->removed, 2);
}

static void the_size_takes_the_oldest_and_never_what_is_under_way(void **state) {
    struct world *w = *state;
    struct retention_result result;
    uint64_t size;
    struct err err;
    assert_int_equal(retention_size(w->retention, &size, &err), 0);
    assert_int_equal(turn(w, 0, size, T0 + 5 * DAY, &result), 0);
    assert_int_equal(w->removed, 0);
    assert_int_equal(turn(w, 0, size - 1, T0 + 5 * DAY, &result), 0);
    assert_int_equal(w->removed, 1);
    assert_int_equal(w->why, REMOVED_BY_SIZE);
    assert_false(result.over);
    is_gone(w, 1), is_whole(w, 2);
    assert_int_equal(turn(w, 0, 1, T0 + 5 * DAY, &result), 0);
    assert_int_equal(w->removed, 3);
    assert_true(result.over);
    is_gone(w, 2), is_gone(w, 3), is_whole(w, UNDER_WAY);
}

static void what_the_history_has_not_finished_stays(void **state) {
    struct world *w = *state;
    struct retention_result result;
    struct retention_campaign *all;
    struct err err;
    size_t count;
    struct chunk_row needed = {.id = UINT64_C(1) << 28 | 7, .count = 1, .table = {1, 0, 1}};
    struct buf row;
    buf_init(&row, 4096);
    assert_true(chunk_row_encode(&row, &needed));
    put(w, TABLE_CHUNK, needed.id, buf_slice(&row)); /* the ledger still needs it */
    buf_done(&row);
    assert_int_equal(turn(w, DAY, 0, T0 + 30 * DAY, &result), 0);
    assert_int_equal(w->removed, 2);
    is_whole(w, 1), is_gone(w, 2);
    assert_int_equal(retention_list(w->retention, &all, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(all[0].id, 1);
    assert_int_equal(retention_remove(w->retention, &all[0], REMOVED_BY_HAND, T0, &err), -1);
    assert_int_equal(err.kind, ERR_BUSY);
    assert_int_equal(all[1].id, UNDER_WAY);
    assert_int_equal(retention_remove(w->retention, &all[1], REMOVED_BY_HAND, T0, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    free(all);
}

/* Broken off after each of its steps in turn, the store opened anew: readers are told the same at once,
 * others are whole, and the next turn ends it. */
static void broken_off_anywhere_it_goes_on(void **state) {
    struct world *w = *state;
    struct retention_result result;
    unsigned breaks = 0;
    for (int left = 1; left; breaks++) {
        w->steps_left = 0; /* one step, and out */
        left = turn(w, 10 * DAY, 0, T0 + 11 * DAY, &result);
        is_told(w, 1);
        is_whole(w, 2);
        close_world(w);
        open_world(w);
        assert_true(breaks < 1000);
    }
    assert_true(breaks > CHUNKS / 64);
    assert_int_equal(turn(w, 10 * DAY, 0, T0 + 11 * DAY, &result), 0);
    is_gone(w, 1), is_whole(w, 2), is_whole(w, 3);
}

static void a_clock_that_jumps_is_not_believed_at_once(void **state) {
    (void)state;
    struct retention_clock c = {T0, 0, NEVER};
    mono_us hour = 3600 * US_PER_SEC;
    assert_int_equal(retention_now(&c, T0 + hour, hour), T0 + hour);
    assert_int_equal(retention_now(&c, T0 + 400 * DAY, 2 * hour), T0 + 2 * hour);
    assert_int_equal(retention_now(&c, T0 + 400 * DAY, 20 * hour), T0 + 20 * hour);
    assert_int_equal(retention_now(&c, T0 + 21 * hour, 21 * hour), T0 + 21 * hour); /* mended */
    assert_int_equal(retention_now(&c, T0 + 400 * DAY, 22 * hour), T0 + 22 * hour);
    assert_int_equal(retention_now(&c, T0 + 401 * DAY, 46 * hour), T0 + 401 * DAY); /* so it is */
    assert_int_equal(retention_now(&c, T0, 47 * hour), T0); /* back: nothing is older by it */
}

struct told {
    pthread_mutex_t lock;
    unsigned removed, turns;
};

static void tell_removed(void *ctx, const struct retention_campaign *c, enum removed_why why) {
    struct told *t = ctx;
    (void)c, (void)why;
    pthread_mutex_lock(&t->lock);
    t->removed++;
    pthread_mutex_unlock(&t->lock);
}

static void tell_turn(void *ctx, const struct retention_result *result, const struct err *err) {
    struct told *t = ctx;
    (void)result;
    if (err) fail_msg("%s", err->text);
    pthread_mutex_lock(&t->lock);
    t->turns++;
    pthread_mutex_unlock(&t->lock);
}

static void wait_until(struct told *t, unsigned removed) {
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&t->lock);
        bool there = t->removed >= removed && t->turns;
        pthread_mutex_unlock(&t->lock);
        if (there) return;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    fail_msg("the thread did nothing");
}

static void a_thread_does_it_and_takes_new_rules(void **state) {
    struct world *w = *state;
    struct told told = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct retention_told calls = {tell_removed, tell_turn, &told};
    struct err err;
    struct retention_thread *t =
        retention_start(w->store, &(struct retention_rules){0, 0}, 3600 * US_PER_SEC, &calls, &err);
    wait_until(&told, 0);
    assert_int_equal(told.removed, 0);
    retention_set(t, &(struct retention_rules){0, 1});
    wait_until(&told, 3);
    retention_stop(t);
    is_gone(w, 3), is_whole(w, UNDER_WAY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_old_goes_and_its_space_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_size_takes_the_oldest_and_never_what_is_under_way, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_history_has_not_finished_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_off_anywhere_it_goes_on, set_up, tear_down),
        cmocka_unit_test(a_clock_that_jumps_is_not_believed_at_once),
        cmocka_unit_test_setup_teardown(a_thread_does_it_and_takes_new_rules, set_up, tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
