/* The history on blocks made by hand: everything exactly once whatever happens in between, and views that say
 * the same before, during and after the projector's work. */
#include "history.h"
#include "projector.h"
#include "report.h"
#include "sweep_segments.h"

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { CHUNKS = 5, PER_CHUNK = 40, LAST_CHUNK = 7, RECIPIENTS = (CHUNKS - 1) * PER_CHUNK + LAST_CHUNK };
enum { CAMPAIGN = 3, SEED = 77 };

struct world {
    char dir[64];
    struct store *store;
    uint64_t sequence;
    struct event_block block;
    struct tally tally;
    struct campaign_row row;
    char addresses[RECIPIENTS][48]; /* in the order of their hashes */
    struct segment_writer *segments;
};

static const int64_t T0 = INT64_C(1800000000) * US_PER_SEC;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void open_store(struct world *w) {
    struct err err;
    struct store_options options = {.map_size = 256 << 20, .reserve = 1 << 20};
    w->store = store_open(w->dir, &options, &err);
    if (!w->store) fail_msg("%s", err.text);
}

static void put_row(struct world *w, enum store_table table, uint64_t key, struct slice value) {
    struct err err;
    struct store_batch *b = store_batch_new(8 << 20);
    struct store_key k = store_key_u64(key);
    assert_true(store_put(b, table, store_key_slice(&k), value));
    if (store_commit(w->store, b, 0, &err)) fail_msg("%s", err.text);
    store_batch_free(b);
}

static void note(struct world *w, const struct event *e) {
    assert_true(event_block_add(&w->block, e));
    if (e->kind != EVENT_CAMPAIGN) tally_fold(&w->tally, e);
}

/* The block under construction becomes durable. */
static void seal(struct world *w) {
    struct buf out;
    buf_init(&out, 8 << 20);
    assert_true(event_block_seal(&w->block, &out));
    put_row(w, TABLE_BLOCK, ++w->sequence, buf_slice(&out));
    event_block_reset(&w->block);
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

static uint64_t hash_of(const char *text) {
    char room[1024];
    struct arena arena;
    struct address a;
    (void)room;
    arena_init(&arena, 1 << 16);
    assert_int_equal(address_parse(slice_of(text), &arena, &a, NULL), 0);
    uint64_t h = address_hash(SEED, &a);
    arena_done(&arena);
    return h;
}

static int by_hash(const void *a, const void *b) {
    uint64_t x = hash_of(a), y = hash_of(b);
    return x < y ? -1 : x > y;
}

static unsigned count_of(unsigned chunk) {
    return chunk + 1 < CHUNKS ? PER_CHUNK : LAST_CHUNK;
}

static uint64_t id_of(unsigned chunk) {
    return (uint64_t)CAMPAIGN << 28 | chunk;
}

static void accept_chunk(struct world *w, unsigned chunk) {
    static const struct chunk_columns columns = {1, 0};
    struct buf rows, scratch, stored, encoded;
    struct pack *pack = pack_new(1);
    struct err err;
    buf_init(&rows, 1 << 20), buf_init(&scratch, 1 << 20), buf_init(&stored, 1 << 20),
        buf_init(&encoded, 4096);
    for (unsigned i = 0; i < count_of(chunk); i++) {
        struct slice a = slice_of(w->addresses[chunk * PER_CHUNK + i]);
        assert_true(chunk_row_put(&rows, &columns, a, &a));
    }
    assert_true(chunk_table_encode(&columns, count_of(chunk), buf_slice(&rows), pack, &scratch, &stored));
    struct chunk_row row = {.id = id_of(chunk),
                            .count = (uint16_t)count_of(chunk),
                            .first_hash = hash_of(w->addresses[chunk * PER_CHUNK]),
                            .last_hash = hash_of(w->addresses[chunk * PER_CHUNK + count_of(chunk) - 1])};
    assert_int_equal(segment_append(w->segments, buf_slice(&stored), &row.table, &err), 0);
    assert_int_equal(segment_sync(w->segments, &err), 0);
    assert_true(chunk_row_encode(&encoded, &row));
    struct event e = {.kind = EVENT_ACCEPTED, .at = T0, .chunk = row.id, .slots = slots_first(row.count)};
    e.detail = buf_slice(&encoded);
    note(w, &e);
    pack_free(pack);
    buf_done(&rows), buf_done(&scratch), buf_done(&stored), buf_done(&encoded);
}

static void write_campaign(struct world *w) {
    struct buf b;
    buf_init(&b, 4096);
    w->row.tally = w->tally;
    assert_true(campaign_row_encode(&b, &w->row));
    put_row(w, TABLE_CAMPAIGN, CAMPAIGN, buf_slice(&b));
    struct store_key at = store_key_u64(w->sequence);
    struct err err;
    struct store_batch *batch = store_batch_new(4096);
    assert_true(store_put(batch, TABLE_META, SLICE("checkpoint"), store_key_slice(&at)));
    assert_int_equal(store_commit(w->store, batch, 0, &err), 0);
    store_batch_free(batch);
    buf_done(&b);
}

static int setup(void **state) {
    struct world *w = calloc(1, sizeof *w);
    struct err err;
    snprintf(w->dir, sizeof w->dir, "/tmp/tsubame-campaign-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    open_store(w);
    event_block_init(&w->block);
    for (int i = 0; i < RECIPIENTS; i++)
        snprintf(w->addresses[i], sizeof w->addresses[i], "person%d@domain%d.example", i, i % 9);
    qsort(w->addresses, RECIPIENTS, sizeof w->addresses[0], by_hash);
    w->segments = segment_writer_open(w->store, &err);
    assert_non_null(w->segments);
    w->row = (struct campaign_row){.id = CAMPAIGN,
                                   .state = CAMPAIGN_READY,
                                   .name = SLICE("spring"),
                                   .chunks = CHUNKS,
                                   .hash_seed = SEED,
                                   .created = T0};
    w->tally = (struct tally){.planned = RECIPIENTS + 2, .failed = 2, .rejected = 2, .duplicates = 5};
    write_campaign(w);
    for (unsigned c = 0; c < CHUNKS; c++)
        accept_chunk(w, c);
    seal(w);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    segment_writer_free(w->segments);
    event_block_done(&w->block);
    store_free(w->store);
    nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

static struct event outcome(enum event_kind kind, unsigned chunk, unsigned slot) {
    struct event e = {
        .kind = kind, .at = T0 + slot * US_PER_SEC, .chunk = id_of(chunk), .slots = slots_one(slot)};
    if (kind == EVENT_LEASED || kind == EVENT_RETURNED) return e;
    e.attempt = 1;
    e.provider = chunk % 2 ? SLICE("odd") : SLICE("even");
    e.host = SLICE("mx1.example [192.0.2.1]");
    if (kind == EVENT_DELIVERED) e.code = 250, e.text = SLICE("2.0.0 queued");
    if (kind == EVENT_FAILED) e.code = 550, e.enhanced[0] = 5, e.enhanced[1] = 1, e.enhanced[2] = 1;
    if (kind == EVENT_FAILED) e.text = SLICE("5.1.1 user unknown"), e.class = 1;
    if (kind == EVENT_DEFERRED) e.code = 451, e.due = T0 + 99 * US_PER_SEC, e.text = SLICE("4.7.1 come back");
    return e;
}

static void say(struct world *w, enum event_kind kind, unsigned chunk, unsigned slot) {
    struct event e = outcome(kind, chunk, slot);
    note(w, &e);
}

static void say_doubt(struct world *w, unsigned chunk, unsigned slot, bool again) {
    struct event e = outcome(EVENT_UNCERTAIN, chunk, slot);
    if (again) e.due = T0 + 5 * US_PER_SEC;
    note(w, &e);
}

static void close_chunk(struct world *w, unsigned chunk) {
    struct event e = {.kind = EVENT_CLOSED, .at = T0, .chunk = id_of(chunk)};
    note(w, &e);
}

static struct projector *open_projector(struct world *w, size_t memory) {
    struct projector_options options = {.pace_us = 1000, .age_us = 30 * US_PER_SEC, .memory = memory};
    struct err err;
    struct projector *p = projector_open(w->store, &options, &err);
    if (!p) fail_msg("%s", err.text);
    return p;
}

static void step(struct projector *p, mono_us now, bool all) {
    struct err err;
    if (projector_read(p, now, &err) < 0 || projector_write(p, now, all, &err)) fail_msg("%s", err.text);
}

/* Everything a view says must equal what was said. */
static void expect_equal(struct world *w) {
    struct err err;
    struct report r;
    struct view *v = view_open(w->store, &err);
    assert_non_null(v);
    if (view_begin(v, 0, &err)) fail_msg("%s", err.text);
    const struct campaign_row *row = view_campaign(v, SLICE("spring"));
    assert_non_null(row);
    if (report_make(v, row, &r, &err)) fail_msg("%s", err.text);
    if (report_compare(&r, &w->tally, &err)) fail_msg("against what was said: %s", err.text);
    if (report_compare(&r, &row->tally, &err)) fail_msg("against the ledger: %s", err.text);
    uint64_t sum = 0;
    for (size_t i = 0; i < r.provider_count; i++)
        sum += r.providers[i].total;
    assert_int_equal(sum, RECIPIENTS);
    report_done(&r);
    view_free(v);
}

static void early_events(struct world *w) {
    for (unsigned i = 0; i < PER_CHUNK; i++) {
        say(w, EVENT_LEASED, 0, i);
        say(w, i % 8 ? EVENT_DELIVERED : EVENT_FAILED, 0, i);
    }
    close_chunk(w, 0);
    say(w, EVENT_LEASED, 1, 0);
    say(w, EVENT_DELIVERED, 1, 0);
    say(w, EVENT_LEASED, 1, 1);
    seal(w);
    say(w, EVENT_DEFERRED, 1, 1);
    say(w, EVENT_LEASED, 1, 2);
    say(w, EVENT_RETURNED, 1, 2);
    say_doubt(w, 2, 3, true);
    say_doubt(w, 2, 4, false);
    seal(w);
}

static void views_agree_all_along(void **state) {
    struct world *w = *state;
    expect_equal(w); /* no history at all */
    early_events(w);
    expect_equal(w);
    struct projector *p = open_projector(w, 1 << 20);
    step(p, 0, false); /* chunk 0 is closed: written; the others wait */
    assert_int_equal(projector_cursor(p), 1);
    expect_equal(w);
    step(p, 31 * US_PER_SEC, false); /* too old to wait */
    assert_int_equal(projector_cursor(p), 3);
    write_campaign(w); /* a checkpoint goes before */
    drop_blocks(w, 3);
    say(w, EVENT_DELIVERED, 2, 3);
    say(w, EVENT_CANCELLED, 4, 1);
    seal(w);
    expect_equal(w);
    step(p, 32 * US_PER_SEC, true);
    assert_int_equal(projector_cursor(p), 4);
    expect_equal(w);
    projector_free(p);
    expect_equal(w);
}

/* A crash after every write: what was read and not written is read again, what was written is not counted
 * twice. */
static void crashes_lose_and_double_nothing(void **state) {
    struct world *w = *state;
    for (unsigned turn = 0; turn < 12; turn++) {
        struct projector *p = open_projector(w, 1 << 20);
        for (unsigned c = 0; c < CHUNKS; c++)
            if ((turn + c) % 3)
                say(w, turn % 5 == 2 ? EVENT_DEFERRED : EVENT_DELIVERED, c, turn % LAST_CHUNK);
        if (turn % 2) close_chunk(w, turn % CHUNKS);
        seal(w);
        /* a slot delivered again is no more than delivered: recount the tally from what stands there */
        step(p, 0, turn % 4 == 3);
        projector_free(p); /* as a crash: what waits is forgotten */
        struct projector *again = open_projector(w, 1 << 20);
        step(again, 0, false);
        projector_free(again);
    }
    struct err err;
    struct sql *db = history_open(w->dir, true, &err);
    struct buf scratch;
    unsigned seen = 0, said = 0;
    buf_init(&scratch, EVENT_BLOCK_MAX);
    struct projector *p = open_projector(w, 1 << 20);
    step(p, 0, true);
    struct sql_stmt *st = sql_prepare(db, "SELECT events FROM history", &err);
    while (sql_step(st, &err) == 1) {
        struct event_reader r;
        struct event e;
        assert_int_equal(event_reader_init(&r, sql_bytes(st, 0), &scratch, &err), 0);
        while (event_reader_next(&r, &e, &err) == 1)
            seen++;
    }
    for (unsigned turn = 0; turn < 12; turn++)
        for (unsigned c = 0; c < CHUNKS; c++)
            said += (turn + c) % 3 != 0;
    assert_int_equal(seen, said);
    buf_done(&scratch);
    sql_free(db);
    projector_free(p);
}

static void memory_is_bounded(void **state) {
    struct world *w = *state;
    struct projector *p = open_projector(w, 2000);
    struct projector_stats stats;
    struct err err;
    for (unsigned c = 0; c < CHUNKS; c++) {
        for (unsigned i = 0; i < count_of(c); i++)
            say(w, EVENT_DELIVERED, c, i);
        seal(w);
    }
    int more;
    unsigned turns = 0;
    do {
        more = projector_read(p, 0, &err);
        assert_true(more >= 0);
        assert_int_equal(projector_write(p, 0, false, &err), 0);
        turns++;
    } while (more == 1);
    step(p, 0, true);
    assert_true(turns >= 1);
    projector_stats(p, &stats, &err);
    expect_equal(w);
    projector_free(p);
}

static void moved(void *ctx, uint64_t sequence) {
    __atomic_store_n((uint64_t *)ctx, sequence, __ATOMIC_RELAXED);
}

static void as_a_thread(void **state) {
    struct world *w = *state;
    struct err err;
    uint64_t cursor = 99;
    struct projector *p = open_projector(w, 1 << 20);
    assert_int_equal(projector_start(p, moved, &cursor, &err), 0);
    early_events(w);
    projector_wake(p, w->sequence);
    for (int i = 0; i < 200 && __atomic_load_n(&cursor, __ATOMIC_RELAXED) < 1; i++)
        usleep(10000);
    assert_true(__atomic_load_n(&cursor, __ATOMIC_RELAXED) >= 1);
    expect_equal(w);
    say(w, EVENT_DELIVERED, 3, 0);
    seal(w);
    projector_detach(p);
    cursor = 1234;
    if (projector_stop(p, &err)) fail_msg("%s", err.text);
    assert_int_equal(cursor, 1234);
    assert_int_equal(projector_cursor(p), w->sequence);
    projector_free(p);
    expect_equal(w);
}

static struct history_gap gap_seen(struct world *w) {
    struct err err;
    struct view *v = view_open(w->store, &err);
    if (view_begin(v, 0, &err)) fail_msg("%s", err.text);
    struct history_gap gap = view_gap(v);
    view_free(v);
    return gap;
}

static void remove_history(struct world *w) {
    static const char *const files[] = {"history.db", "history.db-wal", "history.db-shm"};
    for (int i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
        if (remove(path) && i == 0) fail_msg("%s", path);
    }
}

static void a_deleted_history_is_noticed(void **state) {
    struct world *w = *state;
    early_events(w);
    struct projector *p = open_projector(w, 1 << 20);
    step(p, 0, true);
    assert_int_equal(projector_gap(p).last, 0);
    projector_free(p);
    remove_history(w); /* all blocks are there: it is made anew */
    p = open_projector(w, 1 << 20);
    step(p, 0, true);
    assert_int_equal(projector_gap(p).last, 0);
    projector_free(p);
    write_campaign(w); /* a checkpoint: blocks may go */
    drop_blocks(w, w->sequence - 1);
    expect_equal(w);
    assert_int_equal(gap_seen(w).last, 0);
    remove_history(w);
    struct history_gap gap = gap_seen(w); /* nobody has opened it since */
    assert_int_equal(gap.first, 1);
    assert_int_equal(gap.last, w->sequence - 1);
    for (int turn = 0; turn < 2; turn++) { /* it is not forgotten when the cursor has moved on */
        p = open_projector(w, 1 << 20);
        assert_int_equal(projector_gap(p).first, 1);
        assert_int_equal(projector_gap(p).last, gap.last);
        step(p, 0, true);
        assert_int_equal(projector_cursor(p), w->sequence);
        projector_free(p);
        assert_int_equal(gap_seen(w).last, gap.last);
        say(w, EVENT_DELIVERED, 3, (unsigned)turn);
        seal(w);
    }
    drop_blocks(w, w->sequence); /* none is left: the checkpoint tells where they were */
    write_campaign(w);
    assert_int_equal(gap_seen(w).last, w->sequence);
}

static void a_history_of_another_ledger_is_refused(void **state) {
    struct world *w = *state;
    struct projector_options options = {.pace_us = 1000, .age_us = 1000, .memory = 1 << 20};
    struct err err;
    early_events(w);
    struct projector *p = open_projector(w, 1 << 20);
    step(p, 0, true);
    projector_free(p);
    struct store_key from = store_key_u64(2), to = store_key_u64(w->sequence + 1);
    struct store_batch *b = store_batch_new(1 << 20); /* as if ledger.mdb were an older copy */
    assert_true(store_delete_range(b, TABLE_BLOCK, store_key_slice(&from), store_key_slice(&to), 0));
    assert_int_equal(store_commit(w->store, b, 0, &err), 0);
    store_batch_free(b);
    assert_null(projector_open(w->store, &options, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_non_null(strstr(err.text, "do not belong together"));
}

static void broken_block(void **state) {
    struct world *w = *state;
    struct err err;
    say(w, EVENT_DELIVERED, 0, 0);
    seal(w);
    put_row(w, TABLE_BLOCK, ++w->sequence, SLICE("nonsense"));
    struct projector *p = open_projector(w, 1 << 20);
    assert_int_equal(projector_read(p, 0, &err), -1);
    assert_string_equal(err.text, "block 3: event block: not one");
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(turn ? projector_read(p, 0, &err) : projector_write(p, 0, true, &err), -1);
        assert_string_equal(err.text,
                            "the history stops before a block that it could not take in: block 3: event "
                            "block: not one");
    }
    assert_int_equal(projector_cursor(p), 0);
    projector_free(p);
    struct view *v = view_open(w->store, &err);
    assert_int_equal(view_begin(v, 0, &err), -1);
    assert_string_equal(err.text, "block 3: event block: not one");
    view_free(v);
}

static void gather_events(void *ctx, const struct event *e) {
    buf_printf(ctx, "%s ", event_name(e->kind));
}

static void find(struct world *w, const char *text, const char *history, enum fate fate) {
    struct err err;
    struct arena arena;
    struct address a;
    struct buf said;
    struct report_recipient r;
    struct view *v = view_open(w->store, &err);
    arena_init(&arena, 1 << 16);
    buf_init(&said, 4096);
    assert_int_equal(view_begin(v, 0, &err), 0);
    assert_int_equal(address_parse(slice_of(text), &arena, &a, &err), 0);
    int found = report_find(v, view_campaign(v, SLICE("3")), &a, &r, gather_events, &said, &err);
    assert_int_equal(found, history ? 1 : 0);
    if (found) {
        buf_put_c(&said, 0);
        assert_string_equal(said.at, history);
        assert_int_equal(r.slot->fate, fate);
        assert_true(slice_eq_nocase(r.address, slice_of(text)));
    }
    buf_done(&said);
    arena_done(&arena);
    view_free(v);
}

static void every_address_is_found(void **state) {
    struct world *w = *state;
    early_events(w);
    struct projector *p = open_projector(w, 1 << 20);
    for (int turn = 0; turn < 2; turn++) {
        find(w, w->addresses[PER_CHUNK + 1], turn ? "deferred " : "leased deferred ", FATE_PENDING);
        find(w, w->addresses[2 * PER_CHUNK + 4], "uncertain ", FATE_UNCERTAIN);
        find(w, w->addresses[RECIPIENTS - 1], "", FATE_PENDING);
        find(w, "nobody@domain1.example", NULL, 0);
        for (int i = 3; i < RECIPIENTS; i += 17) {
            struct err err;
            struct arena arena;
            struct address a;
            struct report_recipient r;
            struct view *v = view_open(w->store, &err);
            arena_init(&arena, 1 << 16);
            assert_int_equal(view_begin(v, 0, &err), 0);
            assert_int_equal(address_parse(slice_of(w->addresses[i]), &arena, &a, &err), 0);
            assert_int_equal(report_find(v, view_campaign(v, SLICE("spring")), &a, &r, NULL, NULL, &err), 1);
            assert_int_equal(r.rid, chunk_rid(id_of((unsigned)i / PER_CHUNK), (unsigned)i % PER_CHUNK));
            arena_done(&arena);
            view_free(v);
        }
        step(p, 0, true);
    }
    projector_free(p);
}

static int list_one(void *ctx, const struct report_recipient *r) {
    buf_printf(ctx, "%.*s %s%s\n", SLICE_ARG(r->address), fate_name(r->slot->fate),
               r->slot->doubted ? " doubt" : "");
    return 0;
}

static void recipients_are_all_listed(void **state) {
    struct world *w = *state;
    struct err err;
    struct buf list;
    buf_init(&list, 1 << 20);
    early_events(w);
    struct view *v = view_open(w->store, &err);
    assert_int_equal(view_begin(v, CAMPAIGN, &err), 0);
    assert_int_equal(report_recipients(v, view_campaign(v, SLICE("spring")), list_one, &list, &err), 0);
    buf_put_c(&list, 0);
    for (int i = 0; i < RECIPIENTS; i++) {
        const char *word = i == 2 * PER_CHUNK + 3            ? "pending doubt"
                           : i == 2 * PER_CHUNK + 4          ? "uncertain doubt"
                           : i < PER_CHUNK && i % 8 == 0     ? "failed"
                           : i < PER_CHUNK || i == PER_CHUNK ? "delivered"
                                                             : "pending";
        char line[128];
        snprintf(line, sizeof line, "%s %s\n", w->addresses[i], word);
        if (!strstr(list.at, line)) fail_msg("missing: %s", line);
    }
    view_free(v);
    buf_done(&list);
}

static void named_segments_stay(void **state) {
    struct world *w = *state;
    struct err err;
    struct segment_ref ref;
    struct segment_writer *stray = segment_writer_open(w->store, &err);
    assert_int_equal(segment_append(stray, SLICE("nobody names this"), &ref, &err), 0);
    assert_int_equal(segment_sync(stray, &err), 0);
    struct projector *p = open_projector(w, 1 << 20);
    early_events(w);
    step(p, 0, true);
    segment_writer_free(stray);
    segment_writer_free(w->segments); /* from here on only rows keep the files */
    w->segments = NULL;
    assert_int_equal(sweep_segments(w->store, &err), 1);
    assert_int_equal(sweep_segments(w->store, &err), 0);
    find(w, w->addresses[2 * PER_CHUNK + 4], "uncertain ", FATE_UNCERTAIN);
    projector_free(p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        T(views_agree_all_along),
        T(crashes_lose_and_double_nothing),
        T(memory_is_bounded),
        T(as_a_thread),
        T(broken_block),
        T(a_deleted_history_is_noticed),
        T(a_history_of_another_ledger_is_refused),
        T(every_address_is_found),
        T(recipients_are_all_listed),
        T(named_segments_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
