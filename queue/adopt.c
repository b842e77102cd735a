/* The beginning and the end of loading a campaign: its number and row before, its chunks taken over and told
 * of when the loader is through. The loader itself writes the chunk rows, by a way of its own. */
#include "ledger_priv.h"

struct each_chunk {
    struct campaign *only;
    ledger_chunk_fn *fn;
    void *ctx;
};

static int tell_chunk(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)key;
    struct each_chunk *each = ctx;
    struct chunk_row row;
    if (chunk_row_decode(value, &row, err)) return -1;
    if (each->only && chunk_campaign(row.id) != each->only->row.id) return 1;
    struct chunk *chunk = ledger_chunk_in_memory(l, row.id);
    if (chunk && !chunk->closed && chunk->pending) each->fn(each->ctx, chunk, &row);
    return 0;
}

int ledger_each_chunk(struct ledger *l, struct campaign *only, ledger_chunk_fn *fn, void *ctx,
                      struct err *err) {
    struct each_chunk each = {only, fn, ctx};
    return ledger_each_row(l, TABLE_CHUNK, store_key_u64(only ? (uint64_t)only->row.id << 28 : 0), tell_chunk,
                           &each, err);
}

struct campaign *ledger_begin(struct ledger *l, const struct campaign_row *row, wall_us now,
                              struct err *err) {
    for (struct campaign *c = l->campaigns; c; c = c->next)
        if (!c->row.ended && slice_eq(c->row.name, row->name))
            return err_set(err, ERR_INPUT, "a campaign named '%.*s' is under way already (number %u)",
                           SLICE_ARG(row->name), c->row.id),
                   NULL;
    if (row->name.len + row->columns.len > LEDGER_TEXTS_MAX)
        return err_set(err, ERR_INPUT, "a campaign's name and columns are longer than %d bytes",
                       LEDGER_TEXTS_MAX),
               NULL;
    if (l->next_campaign > RID_CAMPAIGN_MAX)
        return err_set(err, ERR_INPUT, "no campaign numbers are left"), NULL;
    struct campaign_row fresh = *row;
    fresh.id = l->next_campaign;
    fresh.payload = fresh.id;
    fresh.state = CAMPAIGN_LOADING;
    fresh.created = now;
    fresh.chunks = 0;
    fresh.ready = fresh.ended = 0;
    fresh.tally = (struct tally){0};
    fresh.hash_seed = rid_random();
    struct campaign *c = ledger_campaign_add(l, &fresh);
    ledger_put_campaign(l, c);
    /* A number is never given twice, not even that of a load that was given up. */
    struct store_key next = store_key_u64(l->next_campaign);
    if (!store_put(l->batch, TABLE_META, SLICE("next-campaign"), store_key_slice(&next))) abort();
    return c;
}

struct adoption {
    struct campaign *c;
    wall_us now;
    uint64_t recipients;
    uint32_t next; /* chunk to go on with; those of a campaign have no gaps */
};

enum { FLUSH_AT = BATCH_MAX / 8 };

static int adopt_chunk(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)key;
    struct adoption *adoption = ctx;
    struct campaign *c = adoption->c;
    struct chunk_row row;
    if (chunk_row_decode(value, &row, err)) return -1;
    if (chunk_campaign(row.id) != c->row.id) return 1;
    uint32_t index = (uint32_t)(row.id & RID_CHUNK_MAX);
    if (index >= c->row.chunks || index != adoption->next++)
        return err_set(err, ERR_CORRUPT, "chunk %u of %u was not announced", index, c->row.chunks);
    ledger_chunk_new(c, &row);
    c->live++;
    l->chunk_count++;
    adoption->recipients += row.count;
    struct event e = {.kind = EVENT_ACCEPTED,
                      .at = adoption->now,
                      .chunk = row.id,
                      .slots = slots_first(row.count),
                      .detail = value};
    ledger_note(l, &e);
    return ledger_unsealed_bytes(l) > FLUSH_AT; /* not flushed here: a read is under way */
}

static int adopt(struct ledger *l, struct adoption *adoption, void (*flush)(void *), void *ctx,
                 struct err *err) {
    uint64_t first = (uint64_t)adoption->c->row.id << 28;
    do {
        if (ledger_unsealed_bytes(l) > FLUSH_AT) flush(ctx);
        if (ledger_each_row(l, TABLE_CHUNK, store_key_u64(first | adoption->next), adopt_chunk, adoption,
                            err))
            return -1;
    } while (ledger_unsealed_bytes(l) > FLUSH_AT && adoption->next < adoption->c->row.chunks);
    return 0;
}

int ledger_ready(struct ledger *l, struct campaign *c, uint32_t chunks, const struct tally *tally, bool held,
                 wall_us now, void (*flush)(void *), void *ctx, struct err *err) {
    struct adoption adoption = {.c = c, .now = now};
    struct chunk **room = calloc(chunks ? chunks : 1, sizeof *room);
    if (!room) return err_set(err, ERR_SYSTEM, "out of memory");
    free(c->chunks);
    c->chunks = room;
    c->row.chunks = chunks;
    int failed = adopt(l, &adoption, flush, ctx, err);
    if (!failed && (c->live != chunks || adoption.recipients + tally->rejected != tally->planned))
        failed = err_set(err, ERR_CORRUPT,
                         "the load promised %u chunks with %llu recipients, %u with %llu are there", chunks,
                         (unsigned long long)(tally->planned - tally->rejected), c->live,
                         (unsigned long long)adoption.recipients);
    if (failed) {
        ledger_drop_chunks(l, c);
        return -1;
    }
    c->row.tally = *tally;
    c->row.ready = now;
    c->row.state = held ? CAMPAIGN_HELD : CAMPAIGN_READY;
    ledger_note_campaign(l, c, now);
    ledger_campaign_check(l, c, now); /* an empty one is through at once */
    return 0;
}

void ledger_abandon(struct ledger *l, struct campaign *c, wall_us now) {
    struct store_key first = store_key_u64((uint64_t)c->row.id << 28),
                     last = store_key_u64((uint64_t)(c->row.id + 1) << 28);
    struct store_key id = store_key_u64(c->row.id), payload = store_key_u64(c->row.payload);
    c->row.ended = now; /* loading and ended: readers of the ledger drop what they have of it */
    ledger_note_campaign(l, c, now);
    bool ok = store_delete_range(l->batch, TABLE_CHUNK, store_key_slice(&first), store_key_slice(&last), 0) &&
              store_delete(l->batch, TABLE_CAMPAIGN, store_key_slice(&id)) &&
              store_delete(l->batch, TABLE_PAYLOAD, store_key_slice(&payload));
    if (!ok) abort();
    ledger_campaign_free(l, c);
}
