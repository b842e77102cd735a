/* What lanes have learned is used from the first second after a restart; whose lane a domain is of, also when
 * its exchangers move; and what is written down of changes. */
#include "test_world.h"

#include "lane_memory.h"
#include "note.h"

#include <stdlib.h>
#include <string.h>

static const char *const everything[] = {".test"};
static const char *const seventh[] = {"m7.test"};
static const char *const eighth[] = {"M8.TEST"};

static struct world *open_world(struct provider_options *providers, size_t count) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    world_init(w);
    w->options.providers = providers;
    w->options.provider_count = count;
    w->options.default_profile = (struct learn_profile){
        .connections = {.start = 2}, .rate = {.start = 5000}, .per_connection = {.start = 40}};
    for (size_t i = 0; i < count; i++)
        providers[i].profile = w->options.default_profile;
    return w;
}

static void close_world(struct world *w) {
    world_engine_stop(w, US_PER_SEC);
    world_done(w);
    free(w);
}

static void send_all(struct world *w, const char *name, const char *domain, unsigned count) {
    struct campaign_status end = world_wait(w, world_many(w, name, domain, count), NULL);
    assert_int_equal(end.tally.delivered, count);
    assert_int_equal(end.tally.doubted, 0);
}

static struct host *limited_host(struct world *w, unsigned number) {
    struct host *host = world_host(w, number);
    host->most_sessions = 3;
    host->slow_ms = 8;
    host_open(host);
    return host;
}

/* Notes in the ledger's blocks that speak of that provider. */
static unsigned count_notes(struct world *w, const char *provider) {
    struct store_reader *r = store_reader_open(w->store, NULL);
    struct store_cursor c;
    struct buf scratch;
    unsigned notes = 0;
    buf_init(&scratch, EVENT_BLOCK_MAX);
    assert_true(r && store_read_begin(r, NULL) == 0 && store_cursor_init(&c, r, TABLE_BLOCK, NULL) == 0);
    for (int found = store_cursor_first(&c, NULL); found == 1; found = store_cursor_next(&c, NULL)) {
        struct event_reader reader;
        struct event e;
        struct note n;
        assert_int_equal(event_reader_init(&reader, c.value, &scratch, NULL), 0);
        while (event_reader_next(&reader, &e, NULL) == 1) {
            if (e.kind != EVENT_NOTE) continue;
            assert_true(note_from_event(&e, &n) && n.what == NOTE_LIMIT &&
                        slice_eq(n.source, slice_of(w->source.name)));
            if (!slice_eq(n.provider, slice_of(provider))) continue;
            notes++;
            if (n.dimension == LEARN_CONNECTIONS && n.cause == LEARN_BY_REPLY)
                assert_true(n.code == 421 && n.words.len > 0 && n.to > 0);
        }
    }
    store_cursor_done(&c);
    store_reader_free(r);
    buf_done(&scratch);
    return notes;
}

static void restart(struct provider_options *provider, size_t count, const char *lane) {
    struct world *w = open_world(provider, count);
    struct host *host = limited_host(w, 7);
    world_engine(w);
    send_all(w, "one", "7.test", 1000);
    assert_in_range(host->refused, 1, 4);
    world_engine_stop(w, US_PER_SEC);
    unsigned refused = host->refused, notes = count_notes(w, lane);
    assert_true(notes > 0);
    pthread_mutex_lock(&w->lock);
    host->sessions_top = 0;
    pthread_mutex_unlock(&w->lock);
    world_engine(w);
    send_all(w, "two", "7.test", 500);
    assert_int_equal(host->refused, refused);
    assert_in_range(host->sessions_top, 2, 3); /* what it takes, and no more; the pace may do with fewer */
    world_engine_stop(w, US_PER_SEC);
    assert_int_equal(count_notes(w, lane), notes); /* what was remembered is no change */
    world_engine(w);
    close_world(w);
}

static void test_restart(void **state) {
    (void)state;
    restart(&(struct provider_options){.name = "p", .mx_suffixes = everything, .mx_suffix_count = 1}, 1, "p");
}

static void test_restart_of_a_passing_lane(void **state) {
    (void)state;
    restart(NULL, 0, "m7.test");
}

static void test_restart_of_a_site(void **state) {
    (void)state;
    restart(
        &(struct provider_options){
            .name = "p", .mx_suffixes = everything, .mx_suffix_count = 1, .by_site = true},
        1, "p");
}

/* A passing lane that was done and comes again in the same run. */
static void test_comes_again(void **state) {
    (void)state;
    struct world *w = open_world(NULL, 0);
    struct host *host = limited_host(w, 7);
    world_engine(w);
    send_all(w, "one", "7.test", 1000);
    unsigned refused = host->refused;
    for (unsigned i = 0; i < 500 && engine_lanes(w->engine, NULL, NULL, 0) > 0; i++)
        usleep(10000);
    if (engine_lanes(w->engine, NULL, NULL, 0) == 0) { /* sessions that rest may keep it */
        usleep(100000);
        send_all(w, "two", "7.test", 500);
        assert_int_equal(host->refused, refused);
    }
    close_world(w);
}

static bool has_lane(struct world *w, const char *provider, uint64_t delivered) {
    struct lane_status lanes[8];
    size_t n = engine_lanes(w->engine, provider, lanes, 8);
    for (size_t i = 0; i < n && i < 8; i++)
        if (lanes[i].delivered == delivered) return true;
    return false;
}

/* The longest suffix, whichever stands first; the configuration's own before all others. */
static void test_whose(void **state) {
    (void)state;
    struct provider_options p[] = {{.name = "wide", .mx_suffixes = everything, .mx_suffix_count = 1},
                                   {.name = "seven", .mx_suffixes = seventh, .mx_suffix_count = 1},
                                   {.name = "eight", .mx_suffixes = eighth, .mx_suffix_count = 1}};
    struct world *w = open_world(p, 3);
    for (unsigned i = 7; i <= 9; i++)
        host_open(world_host(w, i));
    world_engine(w);
    send_all(w, "one", "7.test", 10);
    send_all(w, "two", "8.test", 20);
    send_all(w, "three", "9.test", 30);
    assert_true(has_lane(w, "seven", 10) && has_lane(w, "eight", 20) && has_lane(w, "wide", 30));
    world_engine_stop(w, US_PER_SEC);
    p[0].own = true;
    world_engine(w);
    send_all(w, "four", "7.test", 40);
    assert_true(has_lane(w, "wide", 40));
    close_world(w);
}

/* As when its time in the domain table has run out. */
static void forget_domain(struct world *w, const char *domain) {
    struct store_batch *b = store_batch_new(4096);
    assert_true(b && store_delete(b, TABLE_DOMAIN, slice_of(domain)));
    assert_int_equal(store_commit(w->store, b, 0, NULL), 0);
    store_batch_free(b);
}

static void test_exchangers_move(void **state) {
    (void)state;
    struct provider_options p[] = {{.name = "seven", .mx_suffixes = seventh, .mx_suffix_count = 1},
                                   {.name = "eight", .mx_suffixes = eighth, .mx_suffix_count = 1}};
    struct world *w = open_world(p, 2);
    for (unsigned i = 7; i <= 8; i++)
        host_open(world_host(w, i));
    world_wander(w, 7);
    world_engine(w);
    send_all(w, "one", "wanders.test", 10);
    assert_true(has_lane(w, "seven", 10));
    world_wander(w, 8);
    send_all(w, "two", "wanders.test", 5); /* the answer still holds */
    assert_true(has_lane(w, "seven", 15));
    forget_domain(w, "wanders.test");
    send_all(w, "three", "wanders.test", 20);
    assert_true(has_lane(w, "eight", 20) && has_lane(w, "seven", 15));
    close_world(w);
}

/* Bytes that are nonsense: the lane learns anew. */
static void test_damaged_memory(void **state) {
    (void)state;
    struct provider_options p = {.name = "p", .mx_suffixes = everything, .mx_suffix_count = 1};
    struct world *w = open_world(&p, 1);
    struct host *host = limited_host(w, 7);
    struct buf key;
    struct store_batch *b = store_batch_new(4096);
    buf_init(&key, LANE_KEY_BYTES);
    assert_true(lane_key_encode(slice_of(w->source.name), SLICE("p"), 0, &key));
    assert_true(store_put(b, TABLE_LANE, buf_slice(&key), SLICE("\1\0\1\2\3\4\5\6\7\10nonsense")));
    assert_int_equal(store_commit(w->store, b, 0, NULL), 0);
    store_batch_free(b);
    buf_done(&key);
    world_engine(w);
    send_all(w, "one", "7.test", 600);
    assert_in_range(host->refused, 1, 4);
    close_world(w);
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_of_a_passing_lane),
        cmocka_unit_test(test_restart_of_a_site),
        cmocka_unit_test(test_comes_again),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_exchangers_move),
        cmocka_unit_test(test_damaged_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
