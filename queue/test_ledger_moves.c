/* The made-up engine of the ledger's tests: loading, leasing, settling, waking, and driving all to its end,
 * each with what must come of it. */
#include "test_ledger_world.h"

#include "ledger_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CHECK(w, what)                                                                                       \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            fail_msg("seed %llu, draw %llu: not " #what, (unsigned long long)(w)->seed,                      \
                     (unsigned long long)(w)->draws);                                                        \
    } while (0)

/* As the loader does: chunk rows go to the store by a way of their own, when the campaign itself is there. */
static uint64_t put_chunks(struct world *w, uint32_t id, const struct load *load) {
    struct store_batch *b = store_batch_new(1 << 20);
    struct buf row;
    struct err err = {0};
    uint64_t recipients = 0;
    assert_non_null(b);
    buf_init(&row, 1024);
    for (unsigned k = 0; k < load->chunks; k++) {
        struct chunk_row chunk = {.id = (uint64_t)id << 28 | k,
                                  .count =
                                      (uint16_t)(load->count ? load->count : 1 + world_draw(w, MODEL_SLOTS)),
                                  .table = {1, k, 10},
                                  .domain = SLICE("example.com")};
        struct store_key key = store_key_u64(chunk.id);
        buf_reset(&row);
        assert_true(chunk_row_encode(&row, &chunk));
        assert_true(store_put(b, TABLE_CHUNK, store_key_slice(&key), buf_slice(&row)));
        recipients += chunk.count;
    }
    if (load->chunks) assert_int_equal(store_commit(w->store, b, 0, &err), 0);
    store_batch_free(b);
    buf_done(&row);
    return recipients;
}

static void flush(void *ctx) {
    struct world *w = ctx;
    world_tap(w);
    world_seal(w, world_draw(w, 2));
}

struct campaign *world_load(struct world *w, const struct load *load) {
    struct err err = {0};
    char name[32];
    snprintf(name, sizeof name, "campaign %u", w->names++);
    struct campaign_row row = {.tenant = 1,
                               .name = slice_of(name),
                               .columns = SLICE("email\nname"),
                               .expires = w->now + load->lasts,
                               .hold_uncertain = load->hold_uncertain};
    struct campaign *c = ledger_begin(w->ledger, &row, w->now, &err);
    CHECK(w, c && c->row.id > w->highest_durable_id);
    CHECK(w, !ledger_begin(w->ledger, &row, w->now, &err) && err.kind == ERR_INPUT);
    struct model_campaign *m = model_campaign(&w->model, c->row.id);
    m->expires = row.expires, m->hold_uncertain = row.hold_uncertain;
    world_commit_all(w);
    struct tally tally = {
        .rejected = load->rejected, .failed = load->rejected, .duplicates = load->duplicates};
    tally.planned = put_chunks(w, c->row.id, load) + load->rejected;
    if (load->crash_before_ready) {
        world_crash(w);
        return NULL;
    }
    if (ledger_ready(w->ledger, c, load->chunks, &tally, load->held, w->now, flush, w, &err))
        fail_msg("%s", err.text);
    world_tap(w);
    CHECK(w, (c->row.ended != 0) == (load->chunks == 0));
    return c;
}

struct chunk *world_chunk(struct world *w, uint32_t campaign, unsigned index) {
    struct campaign *c = ledger_campaign(w->ledger, campaign);
    return c && index < c->row.chunks ? c->chunks[index] : NULL;
}

static unsigned index_of(const struct world *w, const struct chunk *chunk) {
    for (unsigned i = 0; i < w->model.count; i++)
        if (w->model.campaigns[i].id == chunk_campaign(chunk->id)) return i;
    fail_msg("no such campaign");
    return 0;
}

void world_lease(struct world *w, struct chunk *chunk, const struct slots *slots) {
    unsigned i = index_of(w, chunk), k = (unsigned)(chunk->id & RID_CHUNK_MAX);
    ledger_lease(w->ledger, chunk, slots, w->now);
    world_tap(w);
    for (int s = slots_next(slots, 0); s >= 0; s = slots_next(slots, (unsigned)s + 1)) {
        CHECK(w, w->model.campaigns[i].chunk[k].slots[s].state == MODEL_LEASED);
        w->woken[i][k][s] = false;
    }
}

/* What the contract says must come of it. */
static enum event_kind expected(const struct world *w, const struct campaign *c, enum event_kind kind,
                                wall_us due, bool *again) {
    *again = false;
    if (c->row.state == CAMPAIGN_CANCELLED && (kind == EVENT_RETURNED || kind == EVENT_DEFERRED))
        return EVENT_CANCELLED;
    if (kind == EVENT_RETURNED) return w->now >= c->row.expires ? EVENT_EXPIRED : kind;
    if (kind == EVENT_DEFERRED) {
        *again = due < c->row.expires;
        return *again ? kind : EVENT_EXPIRED;
    }
    if (kind == EVENT_UNCERTAIN)
        *again = c->row.state != CAMPAIGN_CANCELLED && !c->row.hold_uncertain && due < c->row.expires;
    return kind;
}

static void check_slot(struct world *w, const struct model_recipient *before, const struct model_recipient *r,
                       enum event_kind kind, bool again) {
    if (kind == EVENT_RETURNED)
        CHECK(w, r->due == before->due && r->state == (before->due ? MODEL_DEFERRED : MODEL_PENDING));
    else if (again)
        CHECK(w, r->state == MODEL_DEFERRED && r->due > w->now && r->due != before->due &&
                     r->attempts == before->attempts + 1);
    else
        CHECK(w, r->state == MODEL_FINAL && r->fate == kind && r->due == 0);
}

/* Only what was leased durably may have come to the receiver; a second time only where there was doubt. */
static void arrive(struct world *w, unsigned i, unsigned k, int s, enum event_kind kind) {
    if (kind != EVENT_DELIVERED && !(kind == EVENT_UNCERTAIN && world_draw(w, 2))) return;
    const struct model_recipient *r = &w->model.campaigns[i].chunk[k].slots[s];
    CHECK(w, w->durable.campaigns[i].chunk[k].slots[s].state == MODEL_LEASED);
    if (w->arrived[i][k][s]) {
        CHECK(w, r->doubt);
        w->second_copies++;
    }
    w->arrived[i][k][s] = true;
}

void world_settle(struct world *w, struct chunk *chunk, const struct slots *slots, enum event_kind kind,
                  wall_us delay) {
    unsigned i = index_of(w, chunk), k = (unsigned)(chunk->id & RID_CHUNK_MAX);
    struct model_chunk before = w->model.campaigns[i].chunk[k];
    struct event e = {.kind = kind, .at = w->now, .chunk = chunk->id, .slots = *slots};
    if (kind == EVENT_DEFERRED || kind == EVENT_UNCERTAIN) e.due = w->now + delay;
    int first = slots_next(slots, 0);
    e.attempt = (uint16_t)(ledger_attempts(w->ledger, chunk_rid(chunk->id, (unsigned)first)).attempts + 1);
    e.text = SLICE("250 2.0.0 taken"), e.code = 250;
    bool again;
    enum event_kind want =
        expected(w, chunk->campaign, kind, (e.due + US_PER_MS - 1) / US_PER_MS * US_PER_MS, &again);
    bool returned = want == EVENT_RETURNED;
    for (int s = first; s >= 0; s = slots_next(slots, (unsigned)s + 1)) {
        CHECK(w, before.slots[s].attempts + 1 == e.attempt);
        arrive(w, i, k, s, kind);
        w->woken[i][k][s] = returned && before.slots[s].due;
    }
    ledger_settle(w->ledger, chunk, &e);
    world_tap(w);
    CHECK(w, e.kind == want && memcmp(&e.slots, slots, sizeof *slots) == 0);
    for (int s = first; s >= 0; s = slots_next(slots, (unsigned)s + 1))
        check_slot(w, &before.slots[s], &w->model.campaigns[i].chunk[k].slots[s], want, again);
}

static void woke(void *ctx, struct chunk *chunk, const struct slots *slots) {
    struct world *w = ctx;
    world_tap(w);
    unsigned i = index_of(w, chunk), k = (unsigned)(chunk->id & RID_CHUNK_MAX);
    const struct model_campaign *c = &w->model.campaigns[i];
    CHECK(w, c->state == CAMPAIGN_READY && w->now < c->expires && slots_count(slots) > 0);
    for (int s = slots_next(slots, 0); s >= 0; s = slots_next(slots, (unsigned)s + 1)) {
        const struct model_recipient *r = &c->chunk[k].slots[s];
        CHECK(w, r->state == MODEL_DEFERRED && r->due <= w->now && !w->woken[i][k][s]);
        CHECK(w, chunk->states[s] == SLOT_PENDING);
        struct retry_row row = ledger_attempts(w->ledger, chunk_rid(chunk->id, (unsigned)s));
        CHECK(w, row.attempts == r->attempts && row.doubt == r->doubt);
        w->woken[i][k][s] = true;
    }
}

/* Nobody whose durable row is due was passed over. */
static void check_all_woken(struct world *w) {
    for (unsigned i = 0; i < w->durable.count; i++) {
        const struct model_campaign *c = &w->model.campaigns[i];
        if (c->gone || c->state != CAMPAIGN_READY || w->now >= c->expires) continue; /* the sweep's work */
        for (unsigned k = 0; k < c->chunks; k++)
            for (unsigned s = 0; s < c->chunk[k].count; s++) {
                const struct model_recipient *now = &c->chunk[k].slots[s],
                                             *then = &w->durable.campaigns[i].chunk[k].slots[s];
                bool seen = now->state == MODEL_DEFERRED && now->due == then->due && now->due <= w->now;
                if (seen) CHECK(w, w->woken[i][k][s]);
            }
    }
}

unsigned world_due(struct world *w, unsigned most) {
    struct err err = {0};
    wall_us next = 0;
    unsigned total = 0, turns = 0;
    do {
        int n = ledger_due(w->ledger, w->now, most, woke, w, &next, &err);
        if (n < 0) fail_msg("%s", err.text);
        world_tap(w);
        total += (unsigned)n;
        CHECK(w, ++turns < 2000);
    } while (next <= w->now);
    if (!w->untold) check_all_woken(w);
    return total;
}

void world_unwake(struct world *w, struct chunk *chunk) {
    unsigned i = index_of(w, chunk), k = (unsigned)(chunk->id & RID_CHUNK_MAX);
    struct slots all = slots_first(chunk->count);
    ledger_unwake(w->ledger, chunk, &all, w->now);
    world_tap(w);
    memset(w->woken[i][k], 0, sizeof w->woken[i][k]);
    world_verify(w);
}

void world_set_state(struct world *w, struct campaign *c, enum campaign_state state) {
    ledger_set_state(w->ledger, c, state, w->now);
    world_tap(w);
}

bool world_sweep(struct world *w, struct campaign *c, unsigned work) {
    struct err err = {0};
    bool more = ledger_sweep(w->ledger, c, work, w->now, &err);
    CHECK(w, err.kind == ERR_NONE);
    world_tap(w);
    return more;
}

static void finish_campaign(struct world *w, struct campaign *c) {
    if (c->row.state == CAMPAIGN_HELD) world_set_state(w, c, CAMPAIGN_READY);
    if (w->now >= c->row.expires && !c->sweeping) ledger_sweep_start(w->ledger, c);
    for (uint32_t k = 0; k < c->row.chunks; k++) {
        struct chunk *chunk = c->chunks[k];
        for (unsigned s = 0; chunk && s < chunk->count; s++) {
            struct slots one = slots_one(s);
            if (chunk->states[s] == SLOT_PENDING) world_lease(w, chunk, &one);
        }
    }
    world_commit_all(w);
    for (uint32_t k = 0; k < c->row.chunks; k++)
        for (unsigned s = 0; s < MODEL_SLOTS; s++) {
            struct slots one = slots_one(s);
            struct chunk *chunk = c->chunks[k];
            if (chunk && s < chunk->count && chunk->states[s] == SLOT_LEASED)
                world_settle(w, chunk, &one, EVENT_DELIVERED, 0);
        }
    while (world_sweep(w, c, 3))
        world_commit_all(w);
}

static void check_finished(struct world *w) {
    for (unsigned i = 0; i < w->model.count; i++) {
        const struct model_campaign *m = &w->model.campaigns[i];
        if (m->gone) continue;
        CHECK(w, m->ended);
        struct tally t = model_tally(m);
        CHECK(w, t.planned == t.delivered + t.failed + t.suppressed + t.cancelled + t.expired + t.uncertain);
        for (unsigned k = 0; k < m->chunks; k++)
            for (unsigned s = 0; s < m->chunk[k].count; s++)
                CHECK(w, m->chunk[k].slots[s].state == MODEL_FINAL);
    }
    CHECK(w, ledger_campaigns(w->ledger) || w->model.count == 0 || w->model.campaigns[0].gone);
}

void world_finish(struct world *w) {
    memset(w->held, 0, sizeof w->held);
    for (struct campaign *c = ledger_campaigns(w->ledger); c; c = c->next)
        for (uint32_t k = 0; k < c->row.chunks; k++)
            while (c->chunks[k] && c->chunks[k]->holds)
                ledger_release(w->ledger, c->chunks[k]);
    bool open = true;
    for (unsigned turn = 0; open; turn++) {
        CHECK(w, turn < 40);
        world_commit_all(w);
        w->now += 10 * US_PER_SEC;
        world_due(w, 1 + world_draw(w, 50));
        open = false;
        for (struct campaign *c = ledger_campaigns(w->ledger); c; c = c->next)
            if (!c->row.ended) finish_campaign(w, c), open = true;
        world_verify(w);
    }
    check_finished(w);
    world_commit_all(w);
    world_read(w);
    world_seal(w, true);
    world_commit_all(w);
    world_verify_store(w);
    world_crash(w);
    model_same(&w->model, &w->durable, w->seed);
    world_seal(w, true);
    world_commit_all(w);
    struct ledger_counters counters;
    ledger_counters(w->ledger, &counters);
    CHECK(w, counters.chunks == 0 && counters.retries_at_work == 0);
    world_rows(w, TABLE_RETRY, 0);
    world_rows(w, TABLE_CHUNK, 0);
    world_rows(w, TABLE_PROGRESS, 0);
}
