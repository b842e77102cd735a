/* From the store to the ledger in memory: the state of the last checkpoint, the blocks since, and a verdict
 * on what was under way when the process ended. */
#include "ledger_priv.h"

static struct slice own(struct slice s) {
    char *at = malloc(s.len + 1);
    if (!at) abort();
    if (s.len) memcpy(at, s.at, s.len);
    at[s.len] = 0;
    return slice_make(at, s.len);
}

struct campaign *ledger_campaign_add(struct ledger *l, const struct campaign_row *row) {
    struct campaign *c = calloc(1, sizeof *c);
    if (!c) abort();
    c->row = *row;
    c->row.name = own(row->name);
    c->row.columns = own(row->columns);
    c->chunks = calloc(row->chunks ? row->chunks : 1, sizeof *c->chunks);
    if (!c->chunks) abort();
    c->rows_kept = row->ended != 0;
    c->next = l->campaigns;
    l->campaigns = c;
    if (row->id >= l->by_id_size) {
        size_t size = (size_t)row->id * 2 + 64;
        struct campaign **by_id = realloc(l->by_id, size * sizeof *by_id);
        if (!by_id) abort();
        memset(by_id + l->by_id_size, 0, (size - l->by_id_size) * sizeof *by_id);
        l->by_id = by_id;
        l->by_id_size = size;
    }
    l->by_id[row->id] = c;
    if (row->id >= l->next_campaign) l->next_campaign = row->id + 1;
    return c;
}

void ledger_drop_chunks(struct ledger *l, struct campaign *c) {
    struct chunk **at = &l->dirty;
    while (*at)
        if ((*at)->campaign == c)
            *at = (*at)->next_dirty;
        else
            at = &(*at)->next_dirty;
    for (uint32_t i = 0; i < c->row.chunks; i++) {
        if (!c->chunks[i]) continue;
        if (l->forget) l->forget(l->forget_ctx, c->chunks[i]);
        l->chunk_count--;
        free(c->chunks[i]);
        c->chunks[i] = NULL;
    }
    c->live = 0;
}

void ledger_campaign_free(struct ledger *l, struct campaign *c) {
    struct campaign **at = &l->campaigns;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    l->by_id[c->row.id] = NULL;
    ledger_drop_chunks(l, c);
    free(c->chunks);
    free((char *)c->row.name.at);
    free((char *)c->row.columns.at);
    free(c);
}

struct chunk *ledger_chunk_new(struct campaign *c, const struct chunk_row *row) {
    struct chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk) abort();
    chunk->id = row->id;
    chunk->campaign = c;
    chunk->table = row->table;
    chunk->first_hash = row->first_hash;
    chunk->last_hash = row->last_hash;
    chunk->count = row->count;
    chunk->pending = row->count; /* all SLOT_PENDING, which is 0 */
    c->chunks[row->id & RID_CHUNK_MAX] = chunk;
    return chunk;
}

int ledger_each_row(struct ledger *l, enum store_table table, struct store_key from, ledger_row_fn *each,
                    void *ctx, struct err *err) {
    return ledger_each_row_from(l, table, store_key_slice(&from), each, ctx, err);
}

int ledger_each_row_from(struct ledger *l, enum store_table table, struct slice from, ledger_row_fn *each,
                         void *ctx, struct err *err) {
    struct store_cursor cursor;
    if (store_read_begin(l->reader, err)) return -1;
    int found = store_cursor_init(&cursor, l->reader, table, err);
    if (found == 0) {
        found = store_cursor_seek(&cursor, from, err);
        while (found == 1) {
            int verdict = each(l, cursor.key, cursor.value, ctx, err);
            if (verdict) {
                found = verdict < 0 ? -1 : 0;
                break;
            }
            found = store_cursor_next(&cursor, err);
        }
        store_cursor_done(&cursor);
    }
    store_read_end(l->reader);
    return found;
}

static int load_campaign(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)key, (void)ctx;
    struct campaign_row row;
    if (campaign_row_decode(value, &row, err)) return -1;
    if (row.id == 0 || row.id > RID_CAMPAIGN_MAX || ledger_campaign(l, row.id))
        return err_set(err, ERR_CORRUPT, "the store holds a broken campaign number");
    ledger_campaign_add(l, &row);
    return 0;
}

static int load_chunk(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)key, (void)ctx;
    struct chunk_row row;
    if (chunk_row_decode(value, &row, err)) return -1;
    struct campaign *c = ledger_campaign(l, chunk_campaign(row.id));
    if (!c || (row.id & RID_CHUNK_MAX) >= c->row.chunks) return 0; /* left by a load that was given up */
    if (c->row.ended) return 0;
    ledger_chunk_new(c, &row);
    c->live++;
    l->chunk_count++;
    return 0;
}

struct chunk *ledger_chunk_in_memory(struct ledger *l, uint64_t id) {
    struct campaign *c = ledger_campaign(l, chunk_campaign(id));
    return c && (id & RID_CHUNK_MAX) < c->row.chunks ? c->chunks[id & RID_CHUNK_MAX] : NULL;
}

static void recount(struct chunk *chunk) {
    chunk->pending = chunk->leased = 0;
    for (unsigned i = 0; i < chunk->count; i++) {
        chunk->pending = (uint16_t)(chunk->pending + (chunk->states[i] == SLOT_PENDING));
        chunk->leased = (uint16_t)(chunk->leased + (chunk->states[i] == SLOT_LEASED));
    }
}

static int load_progress(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)ctx;
    uint64_t id;
    if (!store_key_number(key, 0, &id))
        return err_set(err, ERR_CORRUPT, "the store holds a broken progress key");
    struct chunk *chunk = ledger_chunk_in_memory(l, id);
    if (!chunk) return 0;
    if (value.len == 1) { /* closed */
        chunk->campaign->chunks[id & RID_CHUNK_MAX] = NULL;
        chunk->campaign->live--;
        l->chunk_count--;
        free(chunk);
        return 0;
    }
    if (progress_decode(value, chunk->states, chunk->count, err)) return -1;
    recount(chunk);
    return 0;
}

/* Folds what an event means for the slots of a chunk in memory. Recipients leased from the retry table stay
 * DEFERRED here and are remembered in the map until their next event. */
static int replay_event(struct ledger *l, const struct event *e, struct err *err) {
    struct campaign *c = ledger_campaign(l, chunk_campaign(e->chunk));
    if (!c) return 0; /* a note; or of a load that was given up */
    c->dirty = true;
    if (e->kind == EVENT_CAMPAIGN) {
        /* The stored row may be of any moment since the checkpoint; from here on its tally is known. */
        struct campaign_row row;
        if (campaign_row_decode(e->detail, &row, err)) return -1;
        c->row.tally = row.tally;
        return 0;
    }
    tally_fold(&c->row.tally, e);
    struct chunk *chunk = ledger_chunk_in_memory(l, e->chunk);
    for (int slot = slots_next(&e->slots, 0); slot >= 0; slot = slots_next(&e->slots, (unsigned)slot + 1)) {
        uint64_t rid = chunk_rid(e->chunk, (unsigned)slot);
        bool taken = e->kind == EVENT_LEASED && e->due;
        if (taken) {
            struct retry_entry *entry = retry_map_add(&l->work, rid);
            if (!entry) abort();
            entry->work.due = e->due;
        } else {
            retry_map_drop(&l->work, rid);
        }
        if (!chunk || slot >= chunk->count) continue;
        bool deferred = taken || (e->due && !event_is_final(e->kind));
        chunk->states[slot] = deferred                    ? SLOT_DEFERRED
                              : e->kind == EVENT_LEASED   ? SLOT_LEASED
                              : e->kind == EVENT_RETURNED ? SLOT_PENDING
                              : e->kind == EVENT_ACCEPTED ? chunk->states[slot]
                                                          : SLOT_FINAL;
    }
    if (chunk) {
        recount(chunk);
        ledger_mark_dirty(l, chunk);
    }
    return 0;
}

static int replay_block(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    struct buf *scratch = ctx;
    struct event_reader reader;
    struct event e;
    if (!store_key_number(key, 0, &l->sequence))
        return err_set(err, ERR_CORRUPT, "the store holds a broken block key");
    if (event_reader_init(&reader, value, scratch, err)) return -1;
    int got;
    while ((got = event_reader_next(&reader, &e, err)) == 1)
        if (replay_event(l, &e, err)) return -1;
    return got;
}

static int first_block(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)value, (void)ctx, (void)err;
    uint64_t first;
    if (store_key_number(key, 0, &first) && first) l->deleted = first - 1;
    return 1;
}

static int load_leased_retries(struct ledger *l, struct slice key, struct slice list, void *ctx,
                               struct err *err) {
    (void)ctx;
    uint64_t table, rid, due;
    if (!store_key_number(key, 0, &table) || table != LEASED_RETRIES) return 1;
    while (list.len) {
        if (!take_u64le(&list, &rid) || !take_u64le(&list, &due) || rid == 0)
            return err_set(err, ERR_CORRUPT, "the store holds a broken list of leased retries");
        struct retry_entry *entry = retry_map_add(&l->work, rid);
        if (!entry) return err_set(err, ERR_SYSTEM, "out of memory");
        entry->work.due = (wall_us)due;
    }
    return 0;
}

/* META: keys (made once), the checkpoint, the recipients leased from the retry table at it. */
static int load_meta(struct ledger *l, struct err *err) {
    struct slice value;
    uint64_t next;
    if (store_read_begin(l->reader, err)) return -1;
    int found = store_get(l->reader, TABLE_META, SLICE("rid-key-1"), &value, err);
    if (found == 1 && value.len != RID_KEY_BYTES)
        found = err_set(err, ERR_CORRUPT, "the store holds a broken key of identities");
    if (found == 1) memcpy(l->keys[0].secret, value.at, RID_KEY_BYTES);
    bool have_key = found == 1;
    if (found >= 0) found = store_get(l->reader, TABLE_META, SLICE("checkpoint"), &value, err);
    if (found == 1) store_key_number(value, 0, &l->checkpoint);
    if (found >= 0) found = store_get(l->reader, TABLE_META, SLICE("next-campaign"), &value, err);
    if (found == 1 && store_key_number(value, 0, &next) && next > l->next_campaign &&
        next <= (uint64_t)RID_CAMPAIGN_MAX + 1)
        l->next_campaign = (uint32_t)next;
    store_read_end(l->reader);
    if (found < 0) return -1;
    l->keys[0].id = 1;
    l->key_count = 1;
    if (have_key) return 0;
    rid_key_make(&l->keys[0]);
    struct store_batch *b = store_batch_new(4096);
    int failed =
        !b || !store_put(b, TABLE_META, SLICE("rid-key-1"), slice_make(l->keys[0].secret, RID_KEY_BYTES)) ||
        store_commit(l->store, b, 0, err);
    store_batch_free(b);
    return failed ? -1 : 0;
}

/* ---- the verdict ---- */

static struct event uncertain(const struct campaign *c, uint64_t chunk, wall_us now) {
    bool again = !c->row.hold_uncertain && c->row.state != CAMPAIGN_CANCELLED && now < c->row.expires;
    return (struct event){.kind = EVENT_UNCERTAIN,
                          .at = now,
                          .chunk = chunk,
                          .attempt = 1,
                          .due = again ? now / US_PER_MS * US_PER_MS : 0,
                          .text = SLICE("the program ended while this mail was under way")};
}

static void judge_chunk(struct ledger *l, struct chunk *chunk, wall_us now) {
    if (!chunk->leased) return;
    struct event e = uncertain(chunk->campaign, chunk->id, now);
    struct retry_row row = {.attempts = 1, .doubt = true, .first = now};
    for (unsigned slot = 0; slot < chunk->count; slot++) {
        if (chunk->states[slot] != SLOT_LEASED) continue;
        slots_add(&e.slots, slot);
        chunk->states[slot] = e.due ? SLOT_DEFERRED : SLOT_FINAL;
        if (e.due) ledger_retry_put(l, chunk_rid(chunk->id, slot), e.due, &row);
    }
    l->found_uncertain += slots_count(&e.slots);
    chunk->leased = 0;
    ledger_note(l, &e);
    ledger_mark_dirty(l, chunk);
}

static int judge_retry(struct ledger *l, const struct retry_work *work, wall_us now, struct err *err) {
    struct campaign *c = ledger_campaign(l, chunk_campaign(rid_chunk(work->rid)));
    struct store_key key = store_key_pair((uint64_t)work->due, work->rid);
    struct retry_row row = {.first = now};
    struct slice value;
    if (!c) return 0;
    if (store_read_begin(l->reader, err)) return -1;
    int found = store_get(l->reader, TABLE_RETRY, store_key_slice(&key), &value, err);
    if (found == 1) found = retry_row_decode(value, &row, err) ? -1 : 1;
    store_read_end(l->reader);
    if (found < 0) return -1;
    struct event e = uncertain(c, rid_chunk(work->rid), now);
    e.slots = slots_one(rid_slot(work->rid));
    struct chunk *chunk = ledger_chunk_in_memory(l, e.chunk);
    if (chunk && !e.due) {
        chunk->states[rid_slot(work->rid)] = SLOT_FINAL;
        ledger_mark_dirty(l, chunk);
    }
    e.attempt = row.attempts = (uint16_t)(row.attempts + 1);
    e.doubt = row.doubt;
    row.doubt = true;
    l->found_uncertain++;
    uint64_t rid = work->rid;
    ledger_retry_delete(l, rid, work->due);
    if (e.due) ledger_retry_put(l, rid, e.due, &row);
    ledger_note(l, &e);
    return 0;
}

/* Whatever was leased and has no later event is uncertain, and nothing else is. */
static int judge(struct ledger *l, wall_us now, struct err *err) {
    size_t count = 0;
    struct retry_work *works = malloc((l->work.used + 1) * sizeof *works);
    if (!works) return err_set(err, ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < l->work.size; i++)
        if (l->work.slots[i].work.rid) works[count++] = l->work.slots[i].work;
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        retry_map_drop(&l->work, works[i].rid);
        failed = judge_retry(l, &works[i], now, err);
    }
    free(works);
    if (failed) return -1;
    for (struct campaign *c = l->campaigns; c; c = c->next)
        for (uint32_t i = 0; i < c->row.chunks; i++)
            if (c->chunks[i]) judge_chunk(l, c->chunks[i], now);
    return 0;
}

/* Chunks and campaigns that were through but for the event that says so; loads that were cut off; sweeps to
 * go on with. */
static void tidy(struct ledger *l, wall_us now) {
    for (struct campaign *c = l->campaigns, *next; c; c = next) {
        next = c->next;
        if (c->row.state == CAMPAIGN_LOADING) {
            ledger_abandon(l, c, now);
            continue;
        }
        c->rows_needed = l->sequence; /* of one that had ended before: readers may not have come to it yet */
        for (uint32_t i = 0; i < c->row.chunks; i++)
            if (c->chunks[i]) ledger_chunk_check(l, c->chunks[i], now);
        ledger_campaign_check(l, c, now);
        if (c->row.state == CAMPAIGN_CANCELLED && !c->row.ended) ledger_sweep_start(l, c);
    }
}

static int recover(struct ledger *l, wall_us now, struct err *err) {
    struct buf scratch;
    buf_init(&scratch, EVENT_BLOCK_MAX);
    int failed = load_meta(l, err) ||
                 ledger_each_row(l, TABLE_CAMPAIGN, store_key_u64(0), load_campaign, NULL, err) ||
                 ledger_each_row(l, TABLE_CHUNK, store_key_u64(0), load_chunk, NULL, err) ||
                 ledger_each_row(l, TABLE_PROGRESS, store_key_u64(0), load_progress, NULL, err);
    l->sequence = l->deleted = l->checkpoint;
    if (!failed)
        failed =
            ledger_each_row(l, TABLE_BLOCK, store_key_u64(0), first_block, NULL, err) ||
            ledger_each_row(l, TABLE_META, store_key_u64(LEASED_RETRIES), load_leased_retries, NULL, err) ||
            ledger_each_row(l, TABLE_BLOCK, store_key_u64(l->checkpoint + 1), replay_block, &scratch, err) ||
            judge(l, now, err);
    buf_done(&scratch);
    if (failed) return -1;
    tidy(l, now);
    return 0;
}

struct ledger *ledger_open(struct store *store, wall_us now, struct err *err) {
    if (!rid_begin()) return err_set(err, ERR_SYSTEM, "libsodium does not start"), NULL;
    struct ledger *l = calloc(1, sizeof *l);
    if (!l) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    l->store = store;
    l->next_campaign = 1;
    l->batch_building = 1;
    event_block_init(&l->block);
    buf_init(&l->row, 2 << 20);
    l->reader = store_reader_open(store, err);
    l->lookup = store_reader_open(store, err);
    if (l->reader && l->lookup && suppress_open(l, err) == 0 && recover(l, now, err) == 0) return l;
    ledger_free(l);
    return NULL;
}

void ledger_free(struct ledger *l) {
    if (!l) return;
    while (l->campaigns)
        ledger_campaign_free(l, l->campaigns);
    store_reader_free(l->reader);
    store_reader_free(l->lookup);
    store_batch_free(l->batch);
    suppress_free(l);
    event_block_done(&l->block);
    buf_done(&l->row);
    free(l->by_id);
    free(l->work.slots);
    free(l->gone);
    rid_key_forget(l->keys, sizeof l->keys / sizeof l->keys[0]);
    free(l);
}
