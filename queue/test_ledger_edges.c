/* Tests of the ledger at size and at its edges: loads that are flushed piece by piece, full chunks, blocks
 * that roll, batches that pile up, a store that is damaged. Without the model: counted by the tally. */
#include "ledger.h"

#include "hash.h"
#include "ledger_priv.h"
#include "test_ledger_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct world world;

static int open_world(void **state) {
    (void)state;
    world_open(&world, 1);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    world_close(&world);
    return 0;
}

/* Seals and commits all there is. */
static void commit(bool checkpoint) {
    struct err err = {0};
    uint64_t sequence;
    struct store_batch *b = ledger_seal(world.ledger, checkpoint, 0, &sequence);
    if (!b) return;
    if (store_commit(world.store, b, 0, &err)) fail_msg("%s", err.text);
    store_batch_free(b);
    ledger_committed(world.ledger);
}

static void reopen(void) {
    struct err err = {0};
    ledger_free(world.ledger);
    world.ledger = ledger_open(world.store, world.now, &err);
    if (!world.ledger) fail_msg("%s", err.text);
}

static void put_row(enum store_table table, struct slice key, struct slice value) {
    struct store_batch *b = store_batch_new(1 << 20);
    assert_true(store_put(b, table, key, value));
    assert_int_equal(store_commit(world.store, b, 0, NULL), 0);
    store_batch_free(b);
}

static struct campaign *begin(const char *name) {
    struct err err = {0};
    struct campaign_row row = {.name = slice_of(name), .expires = NEVER};
    struct campaign *c = ledger_begin(world.ledger, &row, world.now, &err);
    if (!c) fail_msg("%s", err.text);
    commit(false);
    return c;
}

static void put_chunks(const struct campaign *c, uint32_t first, uint32_t chunks, unsigned count) {
    struct store_batch *b = store_batch_new(32 << 20);
    struct buf row;
    buf_init(&row, 1024);
    for (uint32_t k = first; k < first + chunks; k++) {
        struct chunk_row chunk = {
            .id = (uint64_t)c->row.id << 28 | k, .count = (uint16_t)count, .table = {1, k, 9}};
        chunk.first_hash = hash_mix(k), chunk.last_hash = hash_mix(~(uint64_t)k);
        struct store_key key = store_key_u64(chunk.id);
        buf_reset(&row);
        assert_true(chunk_row_encode(&row, &chunk));
        assert_true(store_put(b, TABLE_CHUNK, store_key_slice(&key), buf_slice(&row)));
    }
    assert_int_equal(store_commit(world.store, b, 0, NULL), 0);
    store_batch_free(b);
    buf_done(&row);
}

static unsigned flushes;
static void flush(void *ctx) {
    (void)ctx;
    commit(flushes++ % 2 == 0);
}

static struct campaign *load(const char *name, uint32_t chunks, unsigned count) {
    struct err err = {0};
    struct campaign *c = begin(name);
    struct tally tally = {.planned = (uint64_t)chunks * count};
    put_chunks(c, 0, chunks, count);
    flushes = 0;
    if (ledger_ready(world.ledger, c, chunks, &tally, false, world.now, flush, NULL, &err))
        fail_msg("%s", err.text);
    return c;
}

/* A load of many chunks is flushed on the way, with checkpoints, and cut off before its end. */
static void a_large_load_may_be_cut_off(void **state) {
    (void)state;
    enum { CHUNKS = 250000 };
    struct err err = {0};
    struct campaign *c = begin("large");
    struct tally tally = {.planned = CHUNKS + 1}; /* found out at the end only */
    flushes = 0;
    put_chunks(c, 0, CHUNKS, 1);
    assert_int_equal(ledger_ready(world.ledger, c, CHUNKS, &tally, false, world.now, flush, NULL, &err), -1);
    assert_true(flushes >= 1); /* with a checkpoint */
    commit(false);             /* and events after it */
    reopen();
    assert_null(ledger_campaign(world.ledger, 1));
    assert_int_equal(ledger_found_uncertain(world.ledger), 0);
    commit(true);
    world_rows(&world, TABLE_CHUNK, 0);
    world_rows(&world, TABLE_CAMPAIGN, 0);
    c = load("large", CHUNKS, 1);
    assert_int_equal(c->row.id, 2); /* numbers are not given twice */
    commit(false);
    reopen();
    c = ledger_campaign(world.ledger, 2);
    assert_true(c && c->live == CHUNKS && tally_pending(&c->row.tally) == CHUNKS);
}

static void a_load_that_breaks_its_promise_is_refused(void **state) {
    (void)state;
    struct err err = {0};
    struct campaign *c = begin("short");
    struct tally tally = {.planned = 30};
    put_chunks(c, 0, 3, 10);
    put_chunks(c, 4, 1, 10); /* a gap */
    assert_int_equal(ledger_ready(world.ledger, c, 5, &tally, false, world.now, flush, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(ledger_ready(world.ledger, c, 2, &tally, false, world.now, flush, NULL, &err), -1);
    tally.planned = 31;
    put_chunks(c, 3, 1, 1);
    assert_int_equal(ledger_ready(world.ledger, c, 3, &tally, false, world.now, flush, NULL, &err), -1);
    struct ledger_counters counters;
    ledger_counters(world.ledger, &counters);
    assert_int_equal(counters.chunks, 0);
    assert_int_equal(c->row.state, CAMPAIGN_LOADING);
    commit(true);
    ledger_abandon(world.ledger, c, world.now);
    commit(true);
    world_rows(&world, TABLE_CHUNK, 0);
    assert_null(ledger_campaigns(world.ledger));
}

static void count_woken(void *ctx, struct chunk *chunk, const struct slots *slots) {
    assert_int_equal(chunk->count, 256);
    *(uint64_t *)ctx += slots_count(slots);
}

static void lease_all(struct campaign *c, uint32_t chunks) {
    for (uint32_t k = 0; k < chunks; k++) {
        struct slots all = slots_first(256);
        ledger_lease(world.ledger, c->chunks[k], &all, world.now);
    }
}

/* Full chunks, more leased retries than one row holds, and blocks that roll within one batch. */
static void many_retries_are_leased_over_a_crash(void **state) {
    (void)state;
    enum { CHUNKS = 70, ALL = CHUNKS * 256 };
    struct err err = {0};
    struct campaign *c = load("many", CHUNKS, 256);
    lease_all(c, CHUNKS);
    commit(false);
    for (uint32_t k = 0; k < CHUNKS; k++)
        for (unsigned s = 0; s < 256; s++) {
            uint64_t words[50];
            for (unsigned i = 0; i < 50; i++)
                words[i] = hash_mix((uint64_t)k << 32 | s << 8 | i);
            struct event e = {
                .kind = EVENT_DEFERRED, .at = world.now, .chunk = c->chunks[k]->id, .attempt = 1};
            e.slots = slots_one(s), e.due = world.now + 1, e.text = slice_make(words, sizeof words);
            ledger_settle(world.ledger, c->chunks[k], &e);
        }
    assert_int_equal(c->live, 0);
    commit(false);
    struct ledger_counters counters;
    ledger_counters(world.ledger, &counters);
    assert_true(counters.sequence > 10 && counters.blocks == counters.sequence);
    world.now += US_PER_SEC;
    reopen();
    c = ledger_campaign(world.ledger, 1);
    assert_true(c->row.tally.deferred == ALL && c->row.tally.deferrals == ALL && c->live == 0);
    uint64_t woken = 0;
    wall_us next = 0;
    while (ledger_due(world.ledger, world.now, 5000, count_woken, &woken, &next, &err) > 0) {
    }
    assert_true(woken == ALL && next == NEVER);
    lease_all(c, CHUNKS);
    commit(true);
    reopen();
    assert_int_equal(ledger_found_uncertain(world.ledger), ALL);
    c = ledger_campaign(world.ledger, 1);
    assert_true(c->row.tally.doubted == ALL && c->row.tally.deferred == ALL &&
                tally_pending(&c->row.tally) == ALL);
    commit(true);
    reopen();
    assert_int_equal(ledger_found_uncertain(world.ledger), 0);
    world_rows(&world, TABLE_RETRY, ALL);
}

/* As many batches as may be under way; more changes gather in the next. */
static void batches_pile_up_only_so_far(void **state) {
    (void)state;
    struct store_batch *batches[LEDGER_IN_FLIGHT];
    unsigned n = 0;
    uint64_t sequence;
    struct campaign *c = load("piled", 1, 200);
    commit(false);
    for (unsigned s = 0; s < 100; s++) {
        struct slots one = slots_one(s);
        ledger_lease(world.ledger, c->chunks[0], &one, world.now);
        struct store_batch *b = ledger_seal(world.ledger, false, 0, &sequence);
        if (!b) continue;
        assert_true(n < LEDGER_IN_FLIGHT);
        batches[n++] = b;
    }
    assert_true(n >= 32 && n < LEDGER_IN_FLIGHT);
    assert_int_equal(ledger_unsealed(world.ledger), 100 - n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(store_commit(world.store, batches[i], 0, NULL), 0);
        store_batch_free(batches[i]);
        ledger_committed(world.ledger);
    }
    commit(false);
    assert_false(ledger_has_changes(world.ledger));
    reopen();
    assert_int_equal(ledger_found_uncertain(world.ledger), 100);
}

static void domains_are_kept_until_they_expire(void **state) {
    (void)state;
    struct buf answer;
    buf_init(&answer, 1024);
    assert_false(ledger_domain_get(world.ledger, SLICE("example.com"), world.now, &answer));
    ledger_domain_put(world.ledger, SLICE("example.com"), world.now + 10, SLICE("10 mx.example.com"));
    assert_true(ledger_has_changes(world.ledger) && ledger_unsealed(world.ledger) == 0);
    commit(false);
    assert_true(ledger_domain_get(world.ledger, SLICE("example.com"), world.now + 9, &answer));
    assert_true(slice_eq(buf_slice(&answer), SLICE("10 mx.example.com")));
    assert_false(ledger_domain_get(world.ledger, SLICE("example.com"), world.now + 10, &answer));
    buf_done(&answer);
}

static void payloads_are_kept(void **state) {
    (void)state;
    struct buf stored;
    struct err err = {0};
    buf_init(&stored, 1024);
    assert_false(ledger_payload_get(world.ledger, 7, &stored, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    ledger_payload_put(world.ledger, 7, SLICE("a mail"));
    commit(false);
    assert_true(ledger_payload_get(world.ledger, 7, &stored, &err));
    assert_true(slice_eq(buf_slice(&stored), SLICE("a mail")));
    buf_done(&stored);
    struct campaign *a = begin("a"), *b = begin("b");
    assert_true(a->row.payload && b->row.payload && a->row.payload != b->row.payload); /* each its own */
    buf_init(&stored, 3);                                                              /* no room */
    assert_false(ledger_payload_get(world.ledger, 7, &stored, &err));
    buf_done(&stored);
}

static void identities_outlive_a_restart(void **state) {
    (void)state;
    char text[RID_TEXT_LEN];
    size_t count;
    uint32_t tenant;
    uint64_t rid;
    rid_encode(ledger_keys(world.ledger, &count), 4, 99, text);
    reopen();
    const struct rid_key *keys = ledger_keys(world.ledger, &count);
    assert_true(count == 1 && keys[0].id == 1);
    assert_true(rid_decode(keys, count, slice_make(text, sizeof text), &tenant, &rid) && rid == 99);
}

static void names_and_columns_are_bounded(void **state) {
    (void)state;
    struct err err = {0};
    char *large = calloc(1, LEDGER_TEXTS_MAX + 1);
    struct campaign_row row = {.name = SLICE("n"), .columns = slice_make(large, LEDGER_TEXTS_MAX)};
    assert_null(ledger_begin(world.ledger, &row, world.now, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    row.columns.len--;
    for (int i = 0; i < 6; i++) { /* each event of it brings its row along */
        char name[2] = {(char)('a' + i), 0};
        row.name = slice_of(name);
        struct campaign *c = ledger_begin(world.ledger, &row, world.now, &err);
        assert_non_null(c);
        commit(false);
        struct tally tally = {0};
        assert_int_equal(ledger_ready(world.ledger, c, 0, &tally, false, world.now, flush, NULL, &err), 0);
    }
    commit(true);
    reopen();
    assert_int_equal(ledger_campaign(world.ledger, 6)->row.state, CAMPAIGN_DONE);
    free(large);
}

/* Damage is told, not guessed around. */
static void a_damaged_store_is_refused(void **state) {
    (void)state;
    static const enum store_table tables[] = {TABLE_CAMPAIGN, TABLE_CHUNK, TABLE_PROGRESS, TABLE_BLOCK};
    struct campaign *c = load("good", 2, 10);
    commit(false);
    struct slots one = slots_one(3);
    ledger_lease(world.ledger, c->chunks[0], &one, world.now);
    commit(false);
    ledger_free(world.ledger);
    world.ledger = NULL;
    struct store_key keys[] = {store_key_u64(1), store_key_u64((uint64_t)1 << 28),
                               store_key_u64((uint64_t)1 << 28), store_key_u64(2)};
    struct store_reader *r = store_reader_open(world.store, NULL);
    for (size_t i = 0; i < 4; i++) {
        struct err err = {0};
        struct buf old;
        struct slice value;
        buf_init(&old, 1 << 20);
        assert_int_equal(store_read_begin(r, NULL), 0);
        bool there = store_get(r, tables[i], store_key_slice(&keys[i]), &value, NULL) == 1;
        if (there) buf_put_slice(&old, value);
        store_read_end(r);
        assert_int_equal(there, tables[i] != TABLE_PROGRESS);
        put_row(tables[i], store_key_slice(&keys[i]), SLICE("\x01 damage"));
        assert_null(ledger_open(world.store, world.now, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        uint8_t fresh[CHUNK_SLOTS] = {0};
        if (!there) progress_encode(&old, fresh, 10);
        put_row(tables[i], store_key_slice(&keys[i]), buf_slice(&old));
        buf_done(&old);
    }
    store_reader_free(r);
    world.ledger = ledger_open(world.store, world.now, NULL);
    assert_non_null(world.ledger);
    assert_int_equal(ledger_found_uncertain(world.ledger), 1);
}

static void a_retry_row_without_a_home_is_told(void **state) {
    (void)state;
    struct err err = {0};
    wall_us next;
    uint64_t woken = 0;
    struct buf row;
    struct campaign *c = load("home", 1, 10);
    commit(false);
    buf_init(&row, 64);
    struct retry_row retry = {.attempts = 1, .first = 1};
    assert_true(retry_row_encode(&row, &retry));
    const uint64_t rids[] = {rid_make(9, 0, 0), rid_make(c->row.id, 0, 10)};
    for (size_t i = 0; i < 2; i++) {
        struct store_key key = store_key_pair(1000 + i, rids[i]);
        put_row(TABLE_RETRY, store_key_slice(&key), buf_slice(&row));
    }
    /* of no campaign: dropped; of a slot that its chunk does not have: an error, once, and it stays */
    assert_int_equal(ledger_due(world.ledger, world.now, 10, count_woken, &woken, &next, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    commit(false);
    assert_int_equal(ledger_due(world.ledger, world.now, 10, count_woken, &woken, &next, &err), 0);
    world_rows(&world, TABLE_RETRY, 1);
    buf_done(&row);
}

static void count_any(void *ctx, struct chunk *chunk, const struct slots *slots) {
    (void)chunk;
    *(uint64_t *)ctx += slots_count(slots);
}

/* What the row said is gone, but not whom it is about: it stands in nobody's way, and is settled in the end.
 */
static void a_damaged_retry_row_blocks_nobody(void **state) {
    (void)state;
    struct err err = {0};
    wall_us next, due[2];
    uint64_t woken = 0;
    struct campaign *c = load("damaged", 1, 10);
    uint32_t id = c->row.id;
    commit(false);
    for (unsigned slot = 0; slot < 2; slot++) {
        struct event e = {.kind = EVENT_DEFERRED,
                          .at = world.now,
                          .chunk = c->chunks[0]->id,
                          .slots = slots_one(slot),
                          .due = world.now + (slot + 1) * US_PER_SEC};
        ledger_lease(world.ledger, c->chunks[0], &e.slots, world.now);
        ledger_settle(world.ledger, c->chunks[0], &e);
        due[slot] = e.due;
    }
    commit(true);
    struct store_key key = store_key_pair((uint64_t)due[0], rid_make(c->row.id, 0, 0));
    put_row(TABLE_RETRY, store_key_slice(&key), SLICE("\x01 damage"));
    struct store_key short_key = store_key_u64(7), far = store_key_pair(8, rid_make(c->row.id, 3, 0));
    put_row(TABLE_RETRY, store_key_slice(&short_key), SLICE("not a key"));
    put_row(TABLE_RETRY, store_key_slice(&far), SLICE("\x01 of a chunk that there is not"));
    assert_int_equal(ledger_due(world.ledger, due[1], 10, count_any, &woken, &next, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(woken, 1); /* the other one */
    assert_int_equal(ledger_due(world.ledger, due[1], 10, count_any, &woken, &next, &err), 0); /* told once */
    reopen();
    c = ledger_campaign(world.ledger, id);
    ledger_set_state(world.ledger, c, CAMPAIGN_CANCELLED, world.now);
    for (bool more = true; more; commit(false)) {
        err.kind = ERR_NONE;
        more = ledger_sweep(world.ledger, c, 100, world.now, &err);
        assert_int_equal(err.kind, ERR_NONE);
    }
    assert_int_equal(c->row.tally.cancelled, 10);
    assert_int_equal(tally_pending(&c->row.tally), 0);
    assert_true(c->row.ended);
    world_rows(&world, TABLE_RETRY, 2); /* those that are about nobody */
}

struct judged {
    unsigned judged, at_work;
};

static bool any_campaign(void *ctx, struct campaign *c) {
    (void)ctx, (void)c;
    return true;
}

static enum ledger_verdict leave(void *ctx, struct chunk *chunk, unsigned slot) {
    (void)chunk, (void)slot;
    ((struct judged *)ctx)->judged++;
    return LEDGER_LEAVE;
}

static void count_at_work(void *ctx, struct chunk *chunk, unsigned slot) {
    (void)chunk, (void)slot;
    ((struct judged *)ctx)->at_work++;
}

static struct judged judge_all(void) {
    struct judged all = {0};
    struct err err = {0};
    const struct ledger_judge how = {
        .campaign = any_campaign, .slot = leave, .at_work = count_at_work, .ctx = &all};
    struct ledger_place place = {0};
    int more;
    while ((more = ledger_retries(world.ledger, &place, 4, &how, world.now, &err)) == 1) {
    }
    assert_int_equal(more, 0);
    return all;
}

/* Each row of the retry table is either judged, or its recipient is told of as at work: also one that was put
 * off again this moment, while its old row is still the one that is seen. */
static void those_at_work_are_told_of(void **state) {
    (void)state;
    struct load load = {.chunks = 1, .count = 10, .lasts = 3600 * US_PER_SEC};
    struct campaign *c = world_load(&world, &load);
    struct chunk *chunk = c->chunks[0];
    struct slots all = slots_first(10), three = slots_first(3), one = slots_one(0);
    struct err err = {0};
    wall_us next;
    uint64_t woken = 0;
    ledger_hold(chunk);
    ledger_lease(world.ledger, chunk, &all, world.now);
    struct event e = {
        .kind = EVENT_DEFERRED, .at = world.now, .chunk = chunk->id, .attempt = 1, .slots = three};
    e.due = world.now + US_PER_SEC;
    ledger_settle(world.ledger, chunk, &e);
    e.slots = all;
    for (unsigned i = 0; i < 3; i++)
        slots_drop(&e.slots, i);
    e.due = world.now + 100 * US_PER_SEC;
    ledger_settle(world.ledger, chunk, &e);
    commit(false);
    struct judged seen = judge_all();
    assert_true(seen.judged == 10 && seen.at_work == 0);
    assert_int_equal(ledger_due(world.ledger, world.now + 2 * US_PER_SEC, 10, count_any, &woken, &next, &err),
                     3);
    seen = judge_all();
    assert_true(seen.judged == 7 && seen.at_work == 3);
    ledger_lease(world.ledger, chunk, &one, world.now);
    e.slots = one;
    e.due = world.now + 50 * US_PER_SEC;
    ledger_settle(world.ledger, chunk, &e);
    seen = judge_all();
    assert_true(seen.judged == 7 && seen.at_work == 3);
    commit(false);
    seen = judge_all();
    assert_true(seen.judged == 8 && seen.at_work == 2);
    ledger_release(world.ledger, chunk);
}

/* A server at rest writes nothing: a checkpoint is due after something happened, once. */
static void test_checkpoint_due(void **state) {
    (void)state;
    commit(true);
    assert_false(ledger_checkpoint_due(world.ledger, 0));
    struct err err = {0};
    struct campaign *c = begin("a");
    struct tally none = {0};
    if (ledger_ready(world.ledger, c, 0, &none, true, world.now, NULL, NULL, &err)) fail_msg("%s", err.text);
    commit(false);
    assert_true(ledger_checkpoint_due(world.ledger, 0));
    commit(true);
    assert_false(ledger_checkpoint_due(world.ledger, 0));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        CASE(test_checkpoint_due),
        CASE(a_large_load_may_be_cut_off),
        CASE(a_load_that_breaks_its_promise_is_refused),
        CASE(many_retries_are_leased_over_a_crash),
        CASE(batches_pile_up_only_so_far),
        CASE(domains_are_kept_until_they_expire),
        CASE(payloads_are_kept),
        CASE(identities_outlive_a_restart),
        CASE(names_and_columns_are_bounded),
        CASE(a_damaged_store_is_refused),
        CASE(a_retry_row_without_a_home_is_told),
        CASE(a_damaged_retry_row_blocks_nobody),
        CASE(those_at_work_are_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
