/* The made-up engine of the ledger's tests: the parts that seal, commit, crash, read and compare. */
#include "test_ledger_world.h"

#include "hash.h"
#include "ledger_priv.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define CHECK(w, what)                                                                                       \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            fail_msg("seed %llu, draw %llu: not " #what, (unsigned long long)(w)->seed,                      \
                     (unsigned long long)(w)->draws);                                                        \
    } while (0)

unsigned world_draw(struct world *w, unsigned limit) {
    return (unsigned)(hash_mix(w->seed << 32 | ++w->draws) % limit);
}

static void forgotten(void *ctx, struct chunk *chunk) {
    struct world *w = ctx;
    CHECK(w, chunk->holds == 0 || w->ledger == NULL);
}

static void start(struct world *w) {
    struct err err = {0};
    w->ledger = ledger_open(w->store, w->now, &err);
    if (!w->ledger) fail_msg("seed %llu: %s", (unsigned long long)w->seed, err.text);
    ledger_on_forget(w->ledger, forgotten, w);
    w->tapped = 0;
}

void world_open(struct world *w, uint64_t seed) {
    struct err err = {0};
    *w = (struct world){.seed = seed, .now = INT64_C(1700000000123456)};
    bool shm = access("/dev/shm", W_OK) == 0;
    snprintf(w->dir, sizeof w->dir, "%s/tsubame-ledger-XXXXXX", shm ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    struct store_options options = {.map_size = 64 << 20, .reserve = 4096};
    w->store = store_open(w->dir, &options, &err);
    if (!w->store) fail_msg("%s", err.text);
    start(w);
}

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void lose_flights(struct world *w) {
    for (unsigned i = 0; i < w->in_flight; i++)
        store_batch_free(w->flights[i].batch);
    w->in_flight = w->untold = 0;
}

static void stop(struct world *w) {
    struct ledger *l = w->ledger;
    w->ledger = NULL;
    memset(w->held, 0, sizeof w->held);
    lose_flights(w);
    ledger_free(l);
}

void world_close(struct world *w) {
    stop(w);
    store_free(w->store);
    nftw(w->dir, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
}

void world_tap(struct world *w) {
    struct slice rest = slice_skip(buf_slice(&w->ledger->block.bytes), w->tapped);
    struct event e;
    while (rest.len) {
        CHECK(w, event_decode(&rest, w->ledger->block.base, &e));
        model_take(&w->model, &e, w->seed);
    }
    w->tapped = w->ledger->block.bytes.len;
}

void world_seal(struct world *w, bool checkpoint) {
    CHECK(w, w->tapped == w->ledger->block.bytes.len);
    if (w->in_flight == WORLD_IN_FLIGHT) world_commit_oldest(w);
    struct flight *f = &w->flights[w->in_flight];
    bool any = ledger_has_changes(w->ledger) || checkpoint;
    f->batch = ledger_seal(w->ledger, checkpoint, w->read_until, &f->sequence);
    CHECK(w, any == (f->batch != NULL));
    w->tapped = 0;
    if (!f->batch) return;
    CHECK(w, !ledger_has_changes(w->ledger) && ledger_unsealed(w->ledger) == 0);
    f->model = w->model;
    w->in_flight++;
}

void world_commit_oldest(struct world *w) {
    struct err err = {0};
    if (!w->in_flight) return;
    struct flight *f = &w->flights[0];
    if (store_commit(w->store, f->batch, 0, &err)) fail_msg("%s", err.text);
    store_batch_free(f->batch);
    w->durable = f->model;
    w->durable_sequence = f->sequence;
    w->in_flight--;
    memmove(w->flights, w->flights + 1, w->in_flight * sizeof *w->flights);
    for (unsigned i = 0; i < w->durable.count; i++)
        if (w->durable.campaigns[i].id > w->highest_durable_id)
            w->highest_durable_id = w->durable.campaigns[i].id;
    w->untold++;
    if (world_draw(w, 3)) world_tell(w); /* else the owner hears of it later than its readers could see it */
}

void world_tell(struct world *w) {
    for (; w->untold; w->untold--)
        ledger_committed(w->ledger);
}

void world_commit_all(struct world *w) {
    world_seal(w, false);
    while (w->in_flight)
        world_commit_oldest(w);
    world_tell(w);
}

/* Only recipients that were leased have changed, and all of them have. */
static void verify_verdict(struct world *w) {
    for (unsigned i = 0; i < w->durable.count; i++) {
        const struct model_campaign *before = &w->durable.campaigns[i], *after = &w->model.campaigns[i];
        if (before->state == CAMPAIGN_LOADING) CHECK(w, after->gone);
        if (after->gone) continue;
        for (unsigned k = 0; k < before->chunks; k++)
            for (unsigned s = 0; s < before->chunk[k].count; s++) {
                const struct model_recipient *b = &before->chunk[k].slots[s], *a = &after->chunk[k].slots[s];
                bool again = !before->hold_uncertain && before->state != CAMPAIGN_CANCELLED &&
                             w->now < before->expires;
                if (b->state != MODEL_LEASED)
                    CHECK(w, a->state == b->state && a->due == b->due && a->attempts == b->attempts);
                else if (again)
                    CHECK(w, a->state == MODEL_DEFERRED && a->due <= w->now && a->doubt &&
                                 a->attempts == b->attempts + 1);
                else
                    CHECK(w, a->state == MODEL_FINAL && a->fate == EVENT_UNCERTAIN);
            }
    }
}

void world_crash(struct world *w) {
    stop(w);
    w->crashes++;
    memset(w->woken, 0, sizeof w->woken);
    w->model = w->durable;
    world_verify_store(w);
    start(w);
    world_tap(w);
    CHECK(w, ledger_found_uncertain(w->ledger) == model_count(&w->durable, MODEL_LEASED));
    verify_verdict(w);
    world_verify(w);
}

void world_read(struct world *w) {
    struct err err = {0};
    struct store_reader *r = store_reader_open(w->store, &err);
    struct store_cursor cursor;
    struct buf scratch;
    buf_init(&scratch, EVENT_BLOCK_MAX);
    CHECK(w, r && store_read_begin(r, &err) == 0 && store_cursor_init(&cursor, r, TABLE_BLOCK, &err) == 0);
    struct store_key from = store_key_u64(w->read_until + 1);
    int found = store_cursor_seek(&cursor, store_key_slice(&from), &err);
    for (; found == 1; found = store_cursor_next(&cursor, &err)) {
        struct event_reader reader;
        struct event e;
        uint64_t sequence = 0;
        CHECK(w, store_key_number(cursor.key, 0, &sequence) && sequence == w->read_until + 1);
        CHECK(w, event_reader_init(&reader, cursor.value, &scratch, &err) == 0);
        int got;
        while ((got = event_reader_next(&reader, &e, &err)) == 1)
            model_take(&w->history, &e, w->seed);
        CHECK(w, got == 0);
        w->read_until = sequence;
    }
    CHECK(w, found == 0 && w->read_until == w->durable_sequence);
    store_cursor_done(&cursor);
    store_read_end(r);
    store_reader_free(r);
    buf_done(&scratch);
    model_same(&w->durable, &w->history, w->seed);
}

static void verify_chunk(struct world *w, const struct model_chunk *m, const bool *woken, struct chunk *chunk,
                         bool ended) {
    unsigned pending = 0, leased = 0;
    for (unsigned s = 0; s < m->count; s++) {
        const struct model_recipient *r = &m->slots[s];
        bool waits = r->state == MODEL_PENDING || (r->state == MODEL_DEFERRED && woken[s]);
        enum slot_state want = waits                        ? SLOT_PENDING
                               : r->state == MODEL_LEASED   ? SLOT_LEASED
                               : r->state == MODEL_DEFERRED ? SLOT_DEFERRED
                                                            : SLOT_FINAL;
        pending += want == SLOT_PENDING;
        leased += want == SLOT_LEASED;
        if (!chunk) continue;
        if (m->closed && want >= SLOT_DEFERRED)
            CHECK(w, chunk->states[s] >= SLOT_DEFERRED);
        else
            CHECK(w, chunk->states[s] == want);
    }
    if (!chunk) {
        CHECK(w, pending == 0 && leased == 0 && (m->closed || ended));
        return;
    }
    CHECK(w, chunk->pending == pending && chunk->leased == leased && chunk->closed == m->closed);
    CHECK(w, m->closed || pending || leased);
    CHECK(w, !m->closed || pending || leased || chunk->dirty || chunk->holds);
}

void world_verify(struct world *w) {
    for (unsigned i = 0; i < w->model.count; i++) {
        const struct model_campaign *m = &w->model.campaigns[i];
        struct campaign *c = ledger_campaign(w->ledger, m->id);
        if (m->gone) {
            CHECK(w, !c);
            continue;
        }
        if (!c) {
            fail_msg("campaign %u is gone", m->id);
            return;
        }
        CHECK(w, c->row.id == m->id && c->row.state == m->state);
        if (m->state == CAMPAIGN_LOADING) continue;
        struct tally want = model_tally(m);
        unsigned live = 0, leased = 0;
        CHECK(w, tally_same(&c->row.tally, &want));
        CHECK(w, c->row.chunks == m->chunks && (c->row.ended != 0) == m->ended);
        for (unsigned k = 0; k < m->chunks; k++) {
            verify_chunk(w, &m->chunk[k], w->woken[i][k], c->chunks[k], m->ended);
            live += !m->chunk[k].closed;
            leased += c->chunks[k] ? c->chunks[k]->leased : 0;
        }
        CHECK(w, c->live == live && c->leased == leased);
        CHECK(w, m->ended == (tally_pending(&want) == 0));
    }
}

/* Does the retry row stand for a recipient of the durable model, with what is known of it? */
static void verify_retry(struct world *w, struct slice key, struct slice value) {
    uint64_t due = 0, rid = 0;
    struct retry_row row;
    CHECK(w, store_key_number(key, 0, &due) && store_key_number(key, 1, &rid));
    CHECK(w, retry_row_decode(value, &row, NULL) == 0);
    const struct model_campaign *c = model_campaign(&w->durable, chunk_campaign(rid_chunk(rid)));
    const struct model_chunk *chunk = &c->chunk[rid_chunk(rid) & RID_CHUNK_MAX];
    const struct model_recipient *r = &chunk->slots[rid_slot(rid)];
    CHECK(w, r->due == (wall_us)due && (r->state == MODEL_DEFERRED || r->state == MODEL_LEASED));
    CHECK(w, r->attempts == row.attempts && r->doubt == row.doubt && row.first > 0);
}

void world_verify_store(struct world *w) {
    struct err err = {0};
    struct store_reader *r = store_reader_open(w->store, &err);
    struct store_cursor cursor;
    uint64_t rows = 0, want = 0;
    CHECK(w, r && store_read_begin(r, &err) == 0 && store_cursor_init(&cursor, r, TABLE_RETRY, &err) == 0);
    for (int found = store_cursor_first(&cursor, &err); found == 1;
         found = store_cursor_next(&cursor, &err)) {
        verify_retry(w, cursor.key, cursor.value);
        rows++;
    }
    for (unsigned i = 0; i < w->durable.count; i++)
        for (unsigned k = 0; k < w->durable.campaigns[i].chunks; k++)
            for (unsigned s = 0; s < w->durable.campaigns[i].chunk[k].count; s++)
                want += w->durable.campaigns[i].chunk[k].slots[s].due != 0;
    CHECK(w, rows == want);
    store_cursor_done(&cursor);
    store_read_end(r);
    store_reader_free(r);
}

void world_rows(struct world *w, enum store_table table, uint64_t want) {
    struct err err = {0};
    uint64_t rows = 0;
    struct store_reader *r = store_reader_open(w->store, &err);
    CHECK(w, r && store_read_begin(r, &err) == 0 && store_count(r, table, &rows, &err) == 0);
    if (rows != want)
        fail_msg("seed %llu: table %d has %llu rows, not %llu", (unsigned long long)w->seed, (int)table,
                 (unsigned long long)rows, (unsigned long long)want);
    store_read_end(r);
    store_reader_free(r);
}
