/* What happens to many recipients without a session: those that are due again, and those of a campaign that
 * is cancelled or past its end, settled piece by piece so that the owner is never long away. */
#include "ledger_priv.h"

void ledger_set_state(struct ledger *l, struct campaign *c, enum campaign_state state, wall_us now) {
    c->row.state = state;
    ledger_note_campaign(l, c, now);
    if (state == CAMPAIGN_HELD) return;
    if (state == CAMPAIGN_READY) l->scanned_due = 0, l->scanned_rid = 0; /* what came due while held */
    if (state == CAMPAIGN_CANCELLED) ledger_sweep_start(l, c);
}

int ledger_set_course(struct ledger *l, struct campaign *c, const struct campaign_change *change, wall_us now,
                      struct err *err) {
    if (campaign_course_change(&c->row, change, now, err)) return -1;
    ledger_note_campaign(l, c, now);
    return 0;
}

void ledger_set_waits(struct ledger *l, struct campaign *c, bool waits) {
    if (c->waits && !waits) l->scanned_due = 0, l->scanned_rid = 0; /* what came due meanwhile */
    c->waits = waits;
}

void ledger_sweep_start(struct ledger *l, struct campaign *c) {
    c->sweeping = true;
    c->sweep = 0;
    c->swept_due = c->swept_rid = 0;
    c->sweep_after = l->batch ? l->batch_building : l->batch_building - 1;
}

struct chunk *ledger_chunk_get(struct ledger *l, uint64_t id, struct err *err) {
    struct campaign *c = ledger_campaign(l, chunk_campaign(id));
    uint32_t index = (uint32_t)(id & RID_CHUNK_MAX);
    if (!c || index >= c->row.chunks)
        return err_set(err, ERR_CORRUPT, "a retry row names no chunk that is known"), NULL;
    if (c->chunks[index]) return c->chunks[index];
    struct store_key key = store_key_u64(id);
    struct chunk_row row;
    struct slice value;
    if (store_read_begin(l->lookup, err)) return NULL;
    int found = store_get(l->lookup, TABLE_CHUNK, store_key_slice(&key), &value, err);
    struct chunk *chunk =
        found == 1 && chunk_row_decode(value, &row, err) == 0 ? ledger_chunk_new(c, &row) : NULL;
    store_read_end(l->lookup);
    if (!chunk)
        return found == 0 ? (err_set(err, ERR_CORRUPT, "a retry row names a chunk that is gone"), NULL)
                          : NULL;
    memset(chunk->states, SLOT_FINAL, sizeof chunk->states);
    chunk->pending = 0;
    chunk->closed = true;
    l->chunk_count++;
    return chunk;
}

enum { READ_AT_ONCE = 4096 };

static enum event_kind sweep_kind(const struct campaign *c) {
    return c->row.state == CAMPAIGN_CANCELLED ? EVENT_CANCELLED : EVENT_EXPIRED;
}

static void sweep_chunk(struct ledger *l, struct chunk *chunk, wall_us now) {
    struct event e = {.kind = sweep_kind(chunk->campaign), .at = now, .chunk = chunk->id};
    for (unsigned slot = 0; slot < chunk->count; slot++)
        if (chunk->states[slot] == SLOT_PENDING) slots_add(&e.slots, slot);
    if (slots_count(&e.slots)) ledger_settle(l, chunk, &e);
}

struct retry_found {
    uint64_t rid;
    wall_us due;
    struct retry_row row;
    bool damaged; /* the row tells nothing; in doubt, to be honest */
};

/* Reads rows of the retry table from a key on, into an array. Returns how many, or -1. *next_due: of the
 * first row behind them, if any. damage, if not NULL, says what was wrong with a row: it stands in no other's
 * way. */
static int read_retries(struct ledger *l, wall_us due, uint64_t rid, wall_us until, struct retry_found *out,
                        unsigned room, wall_us *next_due, struct err *damage, struct err *err) {
    struct store_key from = store_key_pair((uint64_t)due, rid);
    struct store_cursor cursor;
    unsigned n = 0;
    *next_due = NEVER;
    if (store_read_begin(l->reader, err)) return -1;
    int found = store_cursor_init(&cursor, l->reader, TABLE_RETRY, err);
    if (found == 0) {
        found = store_cursor_seek(&cursor, store_key_slice(&from), err);
        for (; found == 1; found = store_cursor_next(&cursor, err)) {
            uint64_t key_due, key_rid;
            if (!store_key_number(cursor.key, 0, &key_due) || !store_key_number(cursor.key, 1, &key_rid) ||
                !key_rid) {
                err_set(damage, ERR_CORRUPT, "the store holds a broken retry key");
                continue;
            }
            if ((wall_us)key_due > until || n == room) {
                *next_due = (wall_us)key_due;
                break;
            }
            struct retry_found *f = &out[n++];
            *f = (struct retry_found){.rid = key_rid, .due = (wall_us)key_due};
            f->damaged = retry_row_decode(cursor.value, &f->row, damage) != 0;
            if (f->damaged) f->row = (struct retry_row){.doubt = true};
        }
        store_cursor_done(&cursor);
    }
    store_read_end(l->reader);
    return found < 0 ? -1 : (int)n;
}

/* Is it at work, or settled with its old row still in sight? */
static bool taken(const struct ledger *l, const struct retry_found *f) {
    struct retry_entry *entry = retry_map_find(&l->work, f->rid);
    return entry && entry->work.due == f->due;
}

/* Does it wait in one of the campaign's chunks? What names a chunk that there is not was told by ledger_due.
 */
static bool is_of(const struct campaign *c, const struct retry_found *f) {
    uint64_t chunk = rid_chunk(f->rid);
    return chunk_campaign(chunk) == c->row.id && (chunk & RID_CHUNK_MAX) < c->row.chunks;
}

static int sweep_retries(struct ledger *l, struct campaign *c, unsigned room, wall_us now, struct err *err) {
    struct retry_found *found = malloc(room * sizeof *found);
    wall_us next;
    if (!found) return err_set(err, ERR_SYSTEM, "out of memory");
    int n = read_retries(l, (wall_us)c->swept_due, c->swept_rid, NEVER, found, room, &next, NULL, err);
    for (int i = 0; i < n; i++) {
        if (is_of(c, &found[i]) && !taken(l, &found[i]))
            ledger_settle_deferred(l, found[i].rid, found[i].due, found[i].row.doubt, sweep_kind(c), now);
        c->swept_due = (uint64_t)found[i].due, c->swept_rid = found[i].rid + 1;
    }
    free(found);
    return n < 0 ? -1 : n == (int)room;
}

bool ledger_sweep(struct ledger *l, struct campaign *c, unsigned work, wall_us now, struct err *err) {
    if (!c->sweeping) return false;
    unsigned room = work < READ_AT_ONCE / 64 ? (work ? work : 1) * 64 : READ_AT_ONCE;
    for (; work && c->sweep < c->row.chunks; c->sweep++) {
        struct chunk *chunk = c->chunks[c->sweep];
        if (!chunk || !chunk->pending) continue;
        work--;
        sweep_chunk(l, chunk, now);
    }
    if (c->sweep < c->row.chunks || l->batch_durable < c->sweep_after) return true;
    int more = sweep_retries(l, c, room, now, err);
    if (more == 0) {
        c->sweeping = false;
        ledger_campaign_check(l, c, now);
    }
    return more > 0;
}

static int by_rid(const void *a, const void *b) {
    uint64_t x = ((const struct retry_found *)a)->rid, y = ((const struct retry_found *)b)->rid;
    return (x > y) - (x < y);
}

/* One recipient whose time has come: 1 when it waits in its chunk again, -1 with err. */
static int wake(struct ledger *l, const struct retry_found *f, wall_us now, struct chunk **chunk,
                struct err *err) {
    struct campaign *c = ledger_campaign(l, chunk_campaign(rid_chunk(f->rid)));
    if (!c) { /* of a campaign that is gone: nothing to do for it */
        ledger_retry_delete(l, f->rid, f->due);
        return 0;
    }
    if ((c->row.state == CAMPAIGN_CANCELLED || now >= c->row.expires) && is_of(c, f)) {
        ledger_settle_deferred(l, f->rid, f->due, f->row.doubt, sweep_kind(c), now);
        ledger_campaign_check(l, c, now);
        return 0;
    }
    if (c->row.state == CAMPAIGN_HELD || c->waits) return 0;
    if (f->damaged)
        return err_set(
            err, ERR_CORRUPT,
            "the retry row of recipient %llu of chunk %llu of campaign %u is damaged: it waits until "
            "the campaign ends",
            (unsigned long long)rid_slot(f->rid), (unsigned long long)(rid_chunk(f->rid) & RID_CHUNK_MAX),
            c->row.id);
    *chunk = ledger_chunk_get(l, rid_chunk(f->rid), err);
    if (!*chunk) return -1;
    if (rid_slot(f->rid) >= (*chunk)->count)
        return err_set(err, ERR_CORRUPT, "a retry row names a recipient that its chunk does not have");
    struct retry_entry *entry = retry_map_add(&l->work, f->rid);
    if (!entry) return err_set(err, ERR_SYSTEM, "out of memory");
    entry->work = (struct retry_work){.rid = f->rid, .due = f->due, .row = f->row};
    (*chunk)->states[rid_slot(f->rid)] = SLOT_PENDING;
    (*chunk)->pending++;
    return 1;
}

int ledger_due(struct ledger *l, wall_us now, unsigned most, ledger_due_fn *fn, void *ctx, wall_us *next_due,
               struct err *err) {
    if (most > READ_AT_ONCE) most = READ_AT_ONCE;
    struct retry_found *found = malloc(most * sizeof *found);
    if (!found) return err_set(err, ERR_SYSTEM, "out of memory");
    struct err reason = {0};
    int n = read_retries(l, l->scanned_due, l->scanned_rid, now, found, most, next_due, &reason, err),
        woken = 0;
    wall_us from_due = l->scanned_due;
    uint64_t from_rid = l->scanned_rid;
    bool failed = n < 0 || reason.kind, again = false;
    if (n > 0) l->scanned_due = found[n - 1].due, l->scanned_rid = found[n - 1].rid + 1;
    if (n > 0) qsort(found, (size_t)n, sizeof *found, by_rid);
    struct chunk *chunk = NULL;
    struct slots slots = {{0}};
    for (int i = 0; i < n; i++) {
        struct chunk *home = NULL;
        int woke = taken(l, &found[i]) ? 0 : wake(l, &found[i], now, &home, &reason);
        if (woke < 0) failed = true, again |= reason.kind != ERR_CORRUPT;
        if (woke <= 0) continue;
        if (chunk && home != chunk) {
            fn(ctx, chunk, &slots);
            slots = (struct slots){{0}};
        }
        chunk = home;
        slots_add(&slots, rid_slot(found[i].rid));
        woken++;
    }
    if (chunk) fn(ctx, chunk, &slots);
    free(found);
    if (reason.kind && err) *err = reason;
    if (again) l->scanned_due = from_due, l->scanned_rid = from_rid;
    return failed ? -1 : woken;
}

static void unwake(struct ledger *l, struct chunk *chunk, const struct slots *slots, bool again,
                   wall_us now) {
    for (int slot = slots_next(slots, 0); slot >= 0; slot = slots_next(slots, (unsigned)slot + 1)) {
        uint64_t rid = chunk_rid(chunk->id, (unsigned)slot);
        struct retry_work *work = ledger_at_work(l, rid);
        if (chunk->states[slot] != SLOT_PENDING || !work) continue;
        /* While held or waiting it is passed over; its going on reads the table from its beginning. */
        if (again && chunk->campaign->row.state == CAMPAIGN_READY && !chunk->campaign->waits &&
            work->due <= l->scanned_due)
            l->scanned_due = work->due, l->scanned_rid = 0;
        retry_map_drop(&l->work, rid);
        chunk->states[slot] = SLOT_DEFERRED;
        chunk->pending--;
        ledger_mark_dirty(l, chunk);
    }
    ledger_chunk_check(l, chunk, now);
}

void ledger_unwake(struct ledger *l, struct chunk *chunk, const struct slots *slots, wall_us now) {
    unwake(l, chunk, slots, true, now);
}

void ledger_pass_over(struct ledger *l, struct chunk *chunk, const struct slots *slots, wall_us now) {
    unwake(l, chunk, slots, false, now);
}

void ledger_due_anew(struct ledger *l) {
    l->scanned_due = 0, l->scanned_rid = 0;
}

/* ---- what people want of them ---- */

struct judging {
    const struct ledger_judge *judge;
    struct chunk *chunk; /* held; of the row before */
    struct slots woken;
    wall_us now;
};

static void leave_chunk(struct ledger *l, struct judging *j) {
    if (!j->chunk) return;
    if (slots_count(&j->woken)) j->judge->woken(j->judge->ctx, j->chunk, &j->woken);
    j->woken = (struct slots){{0}};
    if (j->judge->leave) j->judge->leave(j->judge->ctx, j->chunk);
    ledger_release(l, j->chunk);
    j->chunk = NULL;
}

static int judge_row(struct ledger *l, struct judging *j, const struct retry_found *f, struct err *err) {
    uint64_t id = rid_chunk(f->rid);
    struct campaign *c = ledger_campaign(l, chunk_campaign(id));
    bool at_work = taken(l, f);
    if (!c || !is_of(c, f) || c->row.ended || (at_work && !j->judge->at_work) ||
        !j->judge->campaign(j->judge->ctx, c))
        return 0;
    if (!j->chunk || j->chunk->id != id) {
        leave_chunk(l, j);
        struct chunk *chunk = ledger_chunk_get(l, id, err);
        if (!chunk) return -1;
        ledger_hold(chunk);
        j->chunk = chunk;
    }
    if (rid_slot(f->rid) >= j->chunk->count) return 0; /* told by ledger_due */
    if (at_work) {
        j->judge->at_work(j->judge->ctx, j->chunk, rid_slot(f->rid));
        return 0;
    }
    enum ledger_verdict verdict = j->judge->slot(j->judge->ctx, j->chunk, rid_slot(f->rid));
    if (verdict == LEDGER_CANCEL) {
        ledger_settle_deferred(l, f->rid, f->due, f->row.doubt, EVENT_CANCELLED, j->now);
        ledger_campaign_check(l, c, j->now);
    } else if (verdict == LEDGER_WAKE && !f->damaged && c->row.state == CAMPAIGN_READY && !c->waits) {
        struct chunk *home;
        int woke = wake(l, f, j->now, &home, err);
        if (woke > 0) slots_add(&j->woken, rid_slot(f->rid));
        return woke < 0 ? -1 : 0;
    }
    return 0;
}

int ledger_retries(struct ledger *l, struct ledger_place *place, unsigned most,
                   const struct ledger_judge *judge, wall_us now, struct err *err) {
    if (most > READ_AT_ONCE) most = READ_AT_ONCE;
    struct retry_found *found = malloc(most * sizeof *found);
    struct judging j = {.judge = judge, .now = now};
    wall_us next;
    if (!found) return err_set(err, ERR_SYSTEM, "out of memory");
    int n = read_retries(l, (wall_us)place->due, place->rid, NEVER, found, most, &next, NULL, err),
        failed = 0;
    if (n > 0) *place = (struct ledger_place){(uint64_t)found[n - 1].due, found[n - 1].rid + 1};
    if (n > 0) qsort(found, (size_t)n, sizeof *found, by_rid);
    for (int i = 0; i < n; i++)
        failed |= judge_row(l, &j, &found[i], err);
    leave_chunk(l, &j);
    free(found);
    return n < 0 || failed ? -1 : n == (int)most;
}

int ledger_chunk_domain(struct ledger *l, const struct chunk *chunk, struct buf *domain, struct err *err) {
    struct store_key key = store_key_u64(chunk->id);
    struct chunk_row row;
    struct slice value;
    if (store_read_begin(l->lookup, err)) return -1;
    int found = store_get(l->lookup, TABLE_CHUNK, store_key_slice(&key), &value, err);
    bool good = found == 1 && chunk_row_decode(value, &row, err) == 0 && buf_put_slice(domain, row.domain);
    store_read_end(l->lookup);
    if (found == 0) return err_set(err, ERR_CORRUPT, "a chunk's row is gone");
    return good ? 0 : -1;
}
