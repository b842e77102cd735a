/* Changes of the ledger: each is an event in the block, a change in memory, and the rows that go with it.
 *
 * In the flow: the engine leases and settles here; ledger_seal hands what has gathered to the writer. What
 * holds: the tally is the fold of the events; a retry row is there exactly while its recipient is deferred or
 * taken from it. */
#include "ledger_priv.h"

#include "note.h"

enum { ROLL_AT = 512 * 1024, DELETE_AT_ONCE = 8192, LEASED_IN_ROW = 16384 };

/* Running out of memory while recording what has already happened: ending is the one safe answer, because a
 * restart finds everything that was committed. */
static void must(bool ok) {
    if (!ok) abort();
}

static struct store_batch *batch(struct ledger *l) {
    if (!l->batch) {
        must((l->batch = store_batch_new(BATCH_MAX)) != NULL);
        l->least_due[l->batch_building % LEDGER_IN_FLIGHT] = NEVER;
    }
    return l->batch;
}

struct store_batch *ledger_batch(struct ledger *l) {
    return batch(l);
}

static void put(struct ledger *l, enum store_table table, struct store_key key, struct slice value) {
    must(store_put(batch(l), table, store_key_slice(&key), value));
}

/* The block under construction becomes a row of the batch. */
static void roll_block(struct ledger *l) {
    if (l->block.count == 0) return;
    buf_reset(&l->row);
    must(event_block_seal(&l->block, &l->row));
    put(l, TABLE_BLOCK, store_key_u64(++l->sequence), buf_slice(&l->row));
    l->blocks++;
    l->block_bytes += l->row.len;
    event_block_reset(&l->block);
}

void ledger_note(struct ledger *l, const struct event *e) {
    if (l->block.bytes.len + e->detail.len >= ROLL_AT) roll_block(l); /* a row holds STORE_VALUE_MAX */
    must(event_block_add(&l->block, e));
    struct campaign *c = ledger_campaign(l, chunk_campaign(e->chunk));
    if (!c) return;
    tally_fold(&c->row.tally, e);
    c->dirty = true;
}

void ledger_put_campaign(struct ledger *l, struct campaign *c) {
    buf_reset(&l->row);
    must(campaign_row_encode(&l->row, &c->row));
    put(l, TABLE_CAMPAIGN, store_key_u64(c->row.id), buf_slice(&l->row));
    c->dirty = false;
}

void ledger_note_campaign(struct ledger *l, struct campaign *c, wall_us now) {
    struct buf row;
    buf_init(&row, 1 << 20);
    must(campaign_row_encode(&row, &c->row));
    struct event e = {
        .kind = EVENT_CAMPAIGN, .at = now, .chunk = (uint64_t)c->row.id << 28, .detail = buf_slice(&row)};
    ledger_note(l, &e);
    buf_done(&row);
    ledger_put_campaign(l, c);
}

void ledger_remark(struct ledger *l, const struct note *n) {
    struct buf detail;
    struct event e;
    buf_init(&detail, 4096);
    must(note_to_event(n, &detail, &e));
    ledger_note(l, &e);
    buf_done(&detail);
}

struct campaign *ledger_campaigns(struct ledger *l) {
    return l->campaigns;
}

struct campaign *ledger_campaign(struct ledger *l, uint32_t id) {
    return id < l->by_id_size ? l->by_id[id] : NULL;
}

struct campaign *ledger_under_way(struct ledger *l, uint32_t id, struct err *err) {
    struct campaign *c = ledger_campaign(l, id);
    if (!c) return err_set(err, ERR_ABSENT, "there is no campaign number %u", id), NULL;
    if (!c->row.ended && c->row.state != CAMPAIGN_LOADING && c->row.state != CAMPAIGN_CANCELLED) return c;
    err_set(err, ERR_INPUT, "campaign %u is %s", id,
            c->row.ended                       ? "at its end already"
            : c->row.state == CAMPAIGN_LOADING ? "still loading"
                                               : "cancelled already");
    return NULL;
}

/* ---- retries ---- */

struct retry_work *ledger_at_work(const struct ledger *l, uint64_t rid) {
    struct retry_entry *entry = retry_map_find(&l->work, rid);
    return entry && !entry->gone ? &entry->work : NULL;
}

struct retry_row ledger_attempts(const struct ledger *l, uint64_t rid) {
    struct retry_work *work = ledger_at_work(l, rid);
    return work ? work->row : (struct retry_row){0};
}

void ledger_retry_put(struct ledger *l, uint64_t rid, wall_us due, const struct retry_row *row) {
    buf_reset(&l->row);
    must(retry_row_encode(&l->row, row));
    put(l, TABLE_RETRY, store_key_pair((uint64_t)due, rid), buf_slice(&l->row));
    wall_us *least = &l->least_due[l->batch_building % LEDGER_IN_FLIGHT];
    if (due < *least) *least = due;
}

static void queue_gone(struct ledger *l, uint64_t rid, wall_us due) {
    if (l->gone_count == l->gone_room) {
        size_t room = l->gone_room ? l->gone_room * 2 : 1024;
        struct retry_gone *gone = malloc(room * sizeof *gone);
        must(gone != NULL);
        for (size_t i = 0; i < l->gone_count; i++)
            gone[i] = l->gone[(l->gone_first + i) % l->gone_room];
        free(l->gone);
        l->gone = gone, l->gone_room = room, l->gone_first = 0;
    }
    l->gone[(l->gone_first + l->gone_count++) % l->gone_room] =
        (struct retry_gone){rid, due, l->batch_building};
}

void ledger_retry_delete(struct ledger *l, uint64_t rid, wall_us due) {
    struct store_key key = store_key_pair((uint64_t)due, rid);
    must(store_delete(batch(l), TABLE_RETRY, store_key_slice(&key)));
    struct retry_entry *entry = retry_map_add(&l->work, rid);
    must(entry != NULL);
    *entry = (struct retry_entry){.work = {.rid = rid, .due = due}, .gone = true, .batch = l->batch_building};
    queue_gone(l, rid, due);
}

void ledger_committed(struct ledger *l) {
    uint64_t number = ++l->batch_durable;
    assert(number < l->batch_building);
    while (l->gone_count && l->gone[l->gone_first].batch <= number) {
        struct retry_gone *gone = &l->gone[l->gone_first];
        struct retry_entry *entry = retry_map_find(&l->work, gone->rid);
        if (entry && entry->gone && entry->work.due == gone->due) retry_map_drop(&l->work, gone->rid);
        l->gone_first = (l->gone_first + 1) % l->gone_room;
        l->gone_count--;
    }
    suppress_committed(l, number);
    /* Rows that came into sight behind the place that was read already: read again from there. */
    wall_us least = l->least_due[number % LEDGER_IN_FLIGHT];
    if (least <= l->scanned_due) l->scanned_due = least, l->scanned_rid = 0;
}

/* ---- chunks ---- */

void ledger_mark_dirty(struct ledger *l, struct chunk *chunk) {
    if (chunk->dirty) return;
    chunk->dirty = true;
    chunk->next_dirty = l->dirty;
    l->dirty = chunk;
}

static void close_chunk(struct ledger *l, struct chunk *chunk, wall_us now) {
    struct event e = {.kind = EVENT_CLOSED, .at = now, .chunk = chunk->id};
    ledger_note(l, &e);
    chunk->closed = true;
    chunk->campaign->live--;
    buf_reset(&l->row);
    must(progress_encode(&l->row, chunk->states, 0));
    put(l, TABLE_PROGRESS, store_key_u64(chunk->id), buf_slice(&l->row));
}

/* Out of memory with it when nothing needs it there. */
static void forget_chunk(struct ledger *l, struct chunk *chunk) {
    if (!chunk->closed || chunk->pending || chunk->leased || chunk->holds || chunk->dirty) return;
    if (l->forget) l->forget(l->forget_ctx, chunk);
    chunk->campaign->chunks[chunk->id & RID_CHUNK_MAX] = NULL;
    l->chunk_count--;
    free(chunk);
}

void ledger_chunk_check(struct ledger *l, struct chunk *chunk, wall_us now) {
    struct campaign *c = chunk->campaign;
    if (!chunk->closed && chunk->pending == 0 && chunk->leased == 0) close_chunk(l, chunk, now);
    forget_chunk(l, chunk);
    ledger_campaign_check(l, c, now);
}

void ledger_campaign_check(struct ledger *l, struct campaign *c, wall_us now) {
    if (c->row.ended || c->row.state == CAMPAIGN_LOADING || tally_pending(&c->row.tally) || c->leased ||
        c->live)
        return;
    if (c->row.state != CAMPAIGN_CANCELLED) c->row.state = CAMPAIGN_DONE;
    c->row.ended = now;
    ledger_note_campaign(l, c, now);
    c->rows_kept = true;
    c->rows_needed = l->sequence + 1;
    if (l->done) l->done(l->done_ctx, c);
}

void ledger_hold(struct chunk *chunk) {
    chunk->holds++;
}

void ledger_release(struct ledger *l, struct chunk *chunk) {
    assert(chunk->holds > 0);
    chunk->holds--;
    forget_chunk(l, chunk);
}

void ledger_on_forget(struct ledger *l, void (*forget)(void *, struct chunk *), void *ctx) {
    l->forget = forget, l->forget_ctx = ctx;
}

void ledger_on_done(struct ledger *l, void (*done)(void *, struct campaign *), void *ctx) {
    l->done = done, l->done_ctx = ctx;
}

/* ---- leasing and settling ---- */

void ledger_lease(struct ledger *l, struct chunk *chunk, const struct slots *slots, wall_us now) {
    struct event e = {.kind = EVENT_LEASED, .at = now, .chunk = chunk->id};
    unsigned n = slots_count(slots);
    for (int slot = slots_next(slots, 0); slot >= 0; slot = slots_next(slots, (unsigned)slot + 1)) {
        assert(chunk->states[slot] == SLOT_PENDING);
        chunk->states[slot] = SLOT_LEASED;
        struct retry_work *work = ledger_at_work(l, chunk_rid(chunk->id, (unsigned)slot));
        if (!work) {
            slots_add(&e.slots, (unsigned)slot);
            continue;
        }
        struct event again = {.kind = EVENT_LEASED,
                              .at = now,
                              .chunk = chunk->id,
                              .slots = slots_one((unsigned)slot),
                              .due = work->due};
        ledger_note(l, &again);
    }
    if (slots_count(&e.slots)) ledger_note(l, &e);
    assert(chunk->pending >= n);
    chunk->pending = (uint16_t)(chunk->pending - n);
    chunk->leased = (uint16_t)(chunk->leased + n);
    chunk->campaign->leased += n;
    ledger_mark_dirty(l, chunk);
}

/* What was said of a campaign meanwhile decides about what would be tried again. */
static void apply_campaign(const struct campaign *c, struct event *e) {
    bool again = e->kind == EVENT_DEFERRED || (e->kind == EVENT_UNCERTAIN && e->due);
    /* A due time is a key in the retry table and stands in events too, which keep milliseconds. */
    e->due = again ? (e->due + US_PER_MS - 1) / US_PER_MS * US_PER_MS : 0;
    if (c->row.state == CAMPAIGN_CANCELLED) {
        if (e->kind == EVENT_RETURNED || e->kind == EVENT_DEFERRED)
            e->kind = EVENT_CANCELLED, e->due = 0;
        else if (e->kind == EVENT_UNCERTAIN)
            e->due = 0;
    } else if (e->kind == EVENT_UNCERTAIN && c->row.hold_uncertain) {
        e->due = 0;
    } else if (again && e->due >= c->row.expires) {
        e->due = 0;
        if (e->kind == EVENT_DEFERRED) e->kind = EVENT_EXPIRED;
    } else if (e->kind == EVENT_RETURNED && e->at >= c->row.expires) {
        e->kind = EVENT_EXPIRED;
    }
}

/* One slot leaves LEASED or PENDING. */
static bool take_slot(struct chunk *chunk, unsigned slot) {
    bool leased = chunk->states[slot] == SLOT_LEASED;
    assert(leased || chunk->states[slot] == SLOT_PENDING);
    if (leased)
        chunk->leased--, chunk->campaign->leased--;
    else
        chunk->pending--;
    return leased;
}

static void settle_slot(struct ledger *l, struct chunk *chunk, unsigned slot, struct event *e,
                        struct retry_work *work) {
    uint64_t rid = chunk_rid(chunk->id, slot);
    if (work && chunk->states[slot] == SLOT_PENDING && !event_is_final(e->kind)) {
        struct slots one = slots_one(slot); /* the fold knows only one way out of the retry table for these */
        ledger_lease(l, chunk, &one, e->at);
    }
    bool leased = take_slot(chunk, slot);
    e->doubt = work && work->row.doubt;
    if (e->kind == EVENT_RETURNED) {
        assert(leased);
        chunk->states[slot] = SLOT_PENDING;
        chunk->pending++;
        e->due = work ? work->due : 0;
        return;
    }
    bool again = (e->kind == EVENT_DEFERRED || e->kind == EVENT_UNCERTAIN) && e->due;
    struct retry_row row = {.attempts = e->attempt || !work ? e->attempt : work->row.attempts,
                            .first = work ? work->row.first : e->at,
                            .doubt = e->doubt || e->kind == EVENT_UNCERTAIN};
    wall_us old_due = work ? work->due : 0;
    if (work) {
        if (again && e->due == old_due)
            e->due += US_PER_MS; /* the old key is deleted, the new one must be another */
        ledger_retry_delete(l, rid, old_due);
    }
    chunk->states[slot] = again ? SLOT_DEFERRED : SLOT_FINAL;
    if (again)
        ledger_retry_put(l, rid, e->due, &row);
    else if (work && !leased)
        e->due = old_due; /* settled out of the retry table */
}

void ledger_settle(struct ledger *l, struct chunk *chunk, struct event *e) {
    struct event fresh = *e, last;
    fresh.slots = (struct slots){{0}};
    assert(e->kind != EVENT_DEFERRED || e->due > 0);
    apply_campaign(chunk->campaign, &fresh);
    last = fresh;
    for (int slot = slots_next(&e->slots, 0); slot >= 0; slot = slots_next(&e->slots, (unsigned)slot + 1)) {
        struct retry_work *work = ledger_at_work(l, chunk_rid(chunk->id, (unsigned)slot));
        if (work) {
            struct event again = fresh;
            again.slots = slots_one((unsigned)slot);
            settle_slot(l, chunk, (unsigned)slot, &again, work);
            ledger_note(l, &again);
            last = again;
        } else {
            settle_slot(l, chunk, (unsigned)slot, &fresh, NULL);
            slots_add(&fresh.slots, (unsigned)slot);
            last = fresh;
        }
    }
    if (slots_count(&fresh.slots)) ledger_note(l, &fresh);
    last.slots = e->slots;
    *e = last;
    ledger_mark_dirty(l, chunk);
    ledger_chunk_check(l, chunk, e->at);
}

void ledger_settle_deferred(struct ledger *l, uint64_t rid, wall_us due, bool doubt, enum event_kind kind,
                            wall_us now) {
    struct event e = {.kind = kind,
                      .at = now,
                      .chunk = rid_chunk(rid),
                      .slots = slots_one(rid_slot(rid)),
                      .doubt = doubt,
                      .due = due};
    struct campaign *c = ledger_campaign(l, chunk_campaign(e.chunk));
    ledger_note(l, &e);
    ledger_retry_delete(l, rid, due);
    struct chunk *chunk = c->chunks[e.chunk & RID_CHUNK_MAX];
    if (!chunk || chunk->closed) return;
    chunk->states[rid_slot(rid)] = SLOT_FINAL;
    ledger_mark_dirty(l, chunk);
}

/* ---- sealing ---- */

uint32_t ledger_unsealed(const struct ledger *l) {
    return l->block.count;
}

size_t ledger_unsealed_bytes(const struct ledger *l) {
    return l->block.bytes.len + (l->batch ? store_batch_bytes(l->batch) : 0);
}

bool ledger_has_changes(const struct ledger *l) {
    return l->block.count || (l->batch && !store_batch_empty(l->batch));
}

/* What is kept of a live chunk: recipients taken from the retry table are still there, as far as a restart is
 * concerned. */
static void put_progress(struct ledger *l, struct chunk *chunk) {
    uint8_t states[CHUNK_SLOTS];
    for (unsigned i = 0; i < chunk->count; i++) {
        bool taken = chunk->states[i] < SLOT_DEFERRED && ledger_at_work(l, chunk_rid(chunk->id, i));
        states[i] = taken ? SLOT_DEFERRED : chunk->states[i];
    }
    buf_reset(&l->row);
    must(progress_encode(&l->row, states, chunk->count));
    put(l, TABLE_PROGRESS, store_key_u64(chunk->id), buf_slice(&l->row));
}

static void put_leased_row(struct ledger *l, uint64_t number) {
    struct store_key key = store_key_pair(LEASED_RETRIES, number);
    must(!l->row.failed);
    put(l, TABLE_META, key, buf_slice(&l->row));
    buf_reset(&l->row);
}

/* Recipients leased from the retry table: (rid, due) pairs, which no chunk's progress shows. */
static void put_leased_retries(struct ledger *l) {
    struct store_key first = store_key_pair(LEASED_RETRIES, 0), end = store_key_u64(LEASED_RETRIES + 1);
    uint64_t count = 0;
    must(store_delete_range(batch(l), TABLE_META, store_key_slice(&first), store_key_slice(&end), 0));
    buf_reset(&l->row);
    for (size_t i = 0; i < l->work.size; i++) {
        struct retry_entry *entry = &l->work.slots[i];
        if (!entry->work.rid || entry->gone) continue;
        struct campaign *c = ledger_campaign(l, chunk_campaign(rid_chunk(entry->work.rid)));
        struct chunk *chunk = c ? c->chunks[rid_chunk(entry->work.rid) & RID_CHUNK_MAX] : NULL;
        if (!chunk || chunk->states[rid_slot(entry->work.rid)] != SLOT_LEASED) continue;
        buf_put_u64le(&l->row, entry->work.rid);
        buf_put_u64le(&l->row, (uint64_t)entry->work.due);
        if (++count % LEASED_IN_ROW == 0) put_leased_row(l, count / LEASED_IN_ROW);
    }
    if (l->row.len) put_leased_row(l, count / LEASED_IN_ROW + 1);
}

/* The rows of an ended campaign's chunks go when history has them. */
static void drop_rows(struct ledger *l, struct campaign *c) {
    struct store_key first = store_key_u64((uint64_t)c->row.id << 28);
    struct store_key last = store_key_u64((uint64_t)(c->row.id + 1) << 28);
    must(store_delete_range(batch(l), TABLE_CHUNK, store_key_slice(&first), store_key_slice(&last), 0));
    must(store_delete_range(batch(l), TABLE_PROGRESS, store_key_slice(&first), store_key_slice(&last), 0));
    c->rows_kept = false;
}

static void write_checkpoint(struct ledger *l, uint64_t projected) {
    struct chunk *chunk = l->dirty, *next;
    l->dirty = NULL;
    for (; chunk; chunk = next) {
        next = chunk->next_dirty;
        chunk->dirty = false;
        if (!chunk->closed)
            put_progress(l, chunk);
        else
            forget_chunk(l, chunk);
    }
    for (struct campaign *c = l->campaigns; c; c = c->next) {
        if (c->dirty) ledger_put_campaign(l, c);
        if (c->rows_kept && projected >= c->rows_needed) drop_rows(l, c);
    }
    put_leased_retries(l);
    lane_rows_trim(l);
    struct store_key at = store_key_u64(l->sequence);
    must(store_put(batch(l), TABLE_META, SLICE("checkpoint"), store_key_slice(&at)));
    uint64_t until = projected < l->sequence ? projected : l->sequence;
    if (until > l->deleted) {
        struct store_key from = store_key_u64(l->deleted + 1), to = store_key_u64(until + 1);
        if (until - l->deleted > DELETE_AT_ONCE)
            to = store_key_u64((until = l->deleted + DELETE_AT_ONCE) + 1);
        must(store_delete_range(batch(l), TABLE_BLOCK, store_key_slice(&from), store_key_slice(&to), 0));
        l->deleted = until;
    }
    l->checkpoint = l->sequence;
}

bool ledger_checkpoint_due(const struct ledger *l, uint64_t projected) {
    uint64_t until = projected < l->sequence ? projected : l->sequence;
    if (l->sequence != l->checkpoint || l->dirty || until > l->deleted) return true;
    for (const struct campaign *c = l->campaigns; c; c = c->next)
        if (c->dirty || (c->rows_kept && projected >= c->rows_needed)) return true;
    return false;
}

struct store_batch *ledger_seal(struct ledger *l, bool checkpoint, uint64_t projected, uint64_t *sequence) {
    *sequence = l->sequence;
    if (l->batch_building - l->batch_durable >= LEDGER_IN_FLIGHT - 1) return NULL;
    roll_block(l);
    suppress_seal(l);
    if (checkpoint) write_checkpoint(l, projected);
    *sequence = l->sequence;
    if (!l->batch || store_batch_empty(l->batch)) return NULL;
    struct store_batch *sealed = l->batch;
    l->batch = NULL;
    l->batch_building++;
    return sealed;
}

uint64_t ledger_building(const struct ledger *l) {
    return l->batch_building;
}

uint64_t ledger_durable(const struct ledger *l) {
    return l->batch_durable;
}

void ledger_payload_put(struct ledger *l, uint64_t key, struct slice stored) {
    put(l, TABLE_PAYLOAD, store_key_u64(key), stored);
}

bool ledger_payload_get(struct ledger *l, uint64_t key, struct buf *stored, struct err *err) {
    struct store_key at = store_key_u64(key);
    struct slice value;
    if (store_read_begin(l->lookup, err)) return false;
    int found = store_get(l->lookup, TABLE_PAYLOAD, store_key_slice(&at), &value, err);
    if (found == 0) err_set(err, ERR_CORRUPT, "the content of the campaign is gone");
    bool ok =
        found == 1 && (buf_put_slice(stored, value) || (err_set(err, ERR_SYSTEM, "out of memory"), false));
    store_read_end(l->lookup);
    return ok;
}

/* ---- the domain table ---- */

void ledger_domain_put(struct ledger *l, struct slice domain, wall_us expires, struct slice answer) {
    buf_reset(&l->row);
    buf_put_u64le(&l->row, (uint64_t)expires);
    must(buf_put_slice(&l->row, answer) && store_put(batch(l), TABLE_DOMAIN, domain, buf_slice(&l->row)));
}

bool ledger_domain_get(struct ledger *l, struct slice domain, wall_us now, struct buf *answer) {
    struct slice value;
    uint64_t expires;
    if (store_read_begin(l->lookup, NULL)) return false;
    bool found = store_get(l->lookup, TABLE_DOMAIN, domain, &value, NULL) == 1 &&
                 take_u64le(&value, &expires) && (wall_us)expires > now && buf_put_slice(answer, value);
    store_read_end(l->lookup);
    return found;
}

void ledger_counters(const struct ledger *l, struct ledger_counters *out) {
    *out = (struct ledger_counters){.blocks = l->blocks,
                                    .block_bytes = l->block_bytes,
                                    .sequence = l->sequence,
                                    .retries_at_work = l->work.used,
                                    .chunks = l->chunk_count};
}

uint64_t ledger_found_uncertain(const struct ledger *l) {
    return l->found_uncertain;
}

const struct rid_key *ledger_keys(const struct ledger *l, size_t *count) {
    *count = l->key_count;
    return l->keys;
}
