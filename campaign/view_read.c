/* Reading the moment chunk by chunk: rows out of the history and the live blocks, outcomes folded, addresses
 * unpacked. */
#include "view_inner.h"

#include <stdlib.h>

size_t view_live_find(const struct live_event *events, size_t count, uint64_t chunk) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (events[middle].chunk < chunk)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool view_live_decode(const struct view *v, const struct live_event *l, struct event *e) {
    struct slice bytes = slice_make(v->live.at + l->at, l->len);
    return event_decode(&bytes, 0, e);
}

/* The next chunk row that is only in the live blocks, at or after v->next. */
static bool live_row(struct view *v, struct chunk_row *row) {
    size_t i = view_live_find(v->accepted, v->accepted_count, v->next);
    struct event e;
    return i < v->accepted_count && chunk_campaign(v->accepted[i].chunk) == v->campaign &&
           view_live_decode(v, &v->accepted[i], &e) && chunk_row_decode(e.detail, row, NULL) == 0;
}

/* The statement's strings go with its next step. */
static void keep_domain(struct view *v, struct chunk_row *row) {
    buf_reset(&v->domain);
    buf_put_slice(&v->domain, row->domain);
    row->domain = buf_slice(&v->domain);
}

int view_chunk_first(struct view *v, uint32_t campaign, uint32_t from, struct chunk_row *row,
                     struct err *err) {
    v->campaign = campaign;
    v->next = (uint64_t)campaign << 28 | from;
    return view_chunk_next(v, row, err);
}

int view_chunk_next(struct view *v, struct chunk_row *row, struct err *err) {
    int found = 0;
    if (view_removed(v, v->campaign)) return 0; /* what is left of it is on its way out */
    if (v->db) {
        struct sql_stmt *st =
            sql_prepare(v->db,
                        "SELECT " HISTORY_CHUNK_COLUMNS " FROM chunk WHERE campaign = ? AND idx >= ? "
                        "ORDER BY idx LIMIT 1",
                        err);
        if (!st) return -1;
        sql_bind_int(st, 1, v->campaign);
        sql_bind_int(st, 2, (int64_t)(v->next & RID_CHUNK_MAX));
        found = sql_step(st, err);
        if (found < 0) return -1;
        if (found == 1) {
            *row = history_chunk_row(st, v->campaign);
            keep_domain(v, row);
            sql_reset(st);
        }
    }
    struct chunk_row live;
    if (live_row(v, &live) && (!found || live.id < row->id)) {
        *row = live;
        found = 1;
    }
    v->next = found ? row->id + 1 : v->next;
    return found;
}

/* Chunks are cut from the audience in the order of its hashes, so those that may hold a hash lie together:
 * the last one that begins below it, and those that begin with it. */
static int history_hash_row(struct view *v, struct chunk_row *row, struct err *err) {
    if (!v->db) return 0;
    struct sql_stmt *st = sql_prepare(v->db,
                                      "SELECT " HISTORY_CHUNK_COLUMNS " FROM chunk WHERE campaign = ? AND "
                                      "first_hash <= ? AND last_hash >= ? AND idx >= ? AND idx >= "
                                      "COALESCE((SELECT idx FROM chunk WHERE campaign = ? AND first_hash < ? "
                                      "ORDER BY first_hash DESC, idx DESC LIMIT 1), 0) "
                                      "ORDER BY idx LIMIT 1",
                                      err);
    if (!st) return -1;
    int64_t hash = history_hash(v->hash);
    sql_bind_int(st, 1, v->campaign);
    sql_bind_int(st, 2, hash);
    sql_bind_int(st, 3, hash);
    sql_bind_int(st, 4, (int64_t)(v->next & RID_CHUNK_MAX));
    sql_bind_int(st, 5, v->campaign);
    sql_bind_int(st, 6, hash);
    int found = sql_step(st, err);
    if (found == 1) {
        *row = history_chunk_row(st, v->campaign);
        keep_domain(v, row);
        sql_reset(st);
    }
    return found;
}

static bool live_hash_row(struct view *v, struct chunk_row *row) {
    struct event e;
    for (size_t i = view_live_find(v->accepted, v->accepted_count, v->next);
         i < v->accepted_count && chunk_campaign(v->accepted[i].chunk) == v->campaign; i++)
        if (view_live_decode(v, &v->accepted[i], &e) && chunk_row_decode(e.detail, row, NULL) == 0 &&
            row->first_hash <= v->hash && v->hash <= row->last_hash)
            return true;
    return false;
}

int view_hash_first(struct view *v, uint32_t campaign, uint64_t hash, struct chunk_row *row,
                    struct err *err) {
    v->campaign = campaign;
    v->next = (uint64_t)campaign << 28;
    v->hash = hash;
    return view_hash_next(v, row, err);
}

int view_hash_next(struct view *v, struct chunk_row *row, struct err *err) {
    struct chunk_row live;
    if (view_removed(v, v->campaign)) return 0;
    int found = history_hash_row(v, row, err);
    if (found < 0) return -1;
    if (live_hash_row(v, &live) && (!found || live.id < row->id)) {
        *row = live;
        found = 1;
    }
    v->next = found ? row->id + 1 : v->next;
    return found;
}

/* A buffer that keeps the unpacked part number `i` until the next chunk. */
static struct buf *part(struct view *v, size_t i, struct err *err) {
    if (i == v->part_count) {
        struct buf *more = reallocarray(v->parts, i + 1, sizeof *more);
        if (!more) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
        v->parts = more;
        buf_init(&v->parts[v->part_count++], EVENT_BLOCK_MAX);
    }
    return &v->parts[i];
}

typedef void each_fn(void *ctx, const struct event *e);

static int read_part(struct view *v, size_t i, struct slice stored, each_fn *each, void *ctx,
                     struct err *err) {
    struct event_reader r;
    struct event e;
    struct buf *bytes = part(v, i, err);
    int more = bytes ? event_reader_init(&r, stored, bytes, err) : -1;
    while (more == 0 && (more = event_reader_next(&r, &e, err)) == 1) {
        each(ctx, &e);
        more = 0;
    }
    return more;
}

static int read_history(struct view *v, uint64_t chunk, uint64_t *newest, each_fn *each, void *ctx,
                        struct err *err) {
    struct sql_stmt *st = sql_prepare(
        v->db, "SELECT seq, events FROM history WHERE campaign = ? AND chunk = ? ORDER BY seq", err);
    if (!st) return -1;
    sql_bind_int(st, 1, chunk_campaign(chunk));
    sql_bind_int(st, 2, (int64_t)(chunk & RID_CHUNK_MAX));
    int found;
    for (size_t i = 0; (found = sql_step(st, err)) == 1; i++) {
        *newest = (uint64_t)sql_int(st, 0);
        if (read_part(v, i, sql_bytes(st, 1), each, ctx, err)) {
            sql_reset(st);
            return -1;
        }
    }
    return found;
}

int view_events(struct view *v, const struct chunk_row *row, each_fn *each, void *ctx, struct err *err) {
    uint64_t newest = 0;
    if (v->db && read_history(v, row->id, &newest, each, ctx, err)) {
        return err_wrap(err, "chunk %llu of campaign %u", (unsigned long long)(row->id & RID_CHUNK_MAX),
                        chunk_campaign(row->id));
    }
    size_t i = view_live_find(v->events, v->event_count, row->id);
    for (; i < v->event_count && v->events[i].chunk == row->id; i++) {
        struct event e;
        if (v->events[i].seq > newest && view_live_decode(v, &v->events[i], &e)) each(ctx, &e);
    }
    return 0;
}

static void fold_each(void *ctx, const struct event *e) {
    fold_event(ctx, e);
}

int view_fold(struct view *v, const struct chunk_row *row, struct fold *fold, struct err *err) {
    fold_init(fold, row->count);
    return view_events(v, row, fold_each, fold, err);
}

/* A table that can't be read may have been removed since the view's moment: then that is what is said. */
static void explain_missing(struct view *v, uint32_t campaign, struct err *err) {
    struct history_removed *all;
    size_t count;
    struct sql *now = history_open(store_dir(v->store), true, NULL);
    if (!now) return;
    if (history_removed_list(now, &all, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++)
            if (all[i].campaign == campaign) history_removed_fail(&all[i], err);
        free(all);
    }
    sql_free(now);
}

const struct chunk_table *view_table(struct view *v, const struct chunk_row *row, struct err *err) {
    chunk_table_free(v->table);
    v->table = NULL;
    buf_reset(&v->bytes);
    if (segment_read(v->store, row->table, &v->bytes, err) == 0)
        v->table = chunk_table_decode(buf_slice(&v->bytes), v->pack, err);
    if (!v->table) {
        err_wrap(err, "the addresses of chunk %llu", (unsigned long long)(row->id & RID_CHUNK_MAX));
        explain_missing(v, chunk_campaign(row->id), err);
    } else if (v->table->count < row->count) {
        err_set(err, ERR_CORRUPT, "chunk %llu has %u addresses, not %u",
                (unsigned long long)(row->id & RID_CHUNK_MAX), v->table->count, row->count);
        return NULL;
    }
    return v->table;
}

/* As deliver/ stores it: 0 and the content, or 1 and the name of the segment record that holds it. */
static int unwrap_payload(struct view *v, struct slice stored, struct err *err) {
    struct segment_ref ref;
    uint8_t where;
    if (!take_u8(&stored, &where) || where > 1 || (where == 1 && !segment_ref_take(&stored, &ref)))
        return err_set(err, ERR_CORRUPT, "the store holds a broken payload row");
    if (where == 1) return segment_read(v->store, ref, &v->bytes, err);
    return buf_put_slice(&v->bytes, stored) ? 0 : err_set(err, ERR_SYSTEM, "out of memory");
}

int view_payload(struct view *v, const struct campaign_row *row, struct slice *payload, struct err *err) {
    struct store_key key = store_key_u64(row->payload);
    struct slice value;
    if (store_read_begin(v->reader, err)) return -1;
    buf_reset(&v->bytes);
    int found = store_get(v->reader, TABLE_PAYLOAD, store_key_slice(&key), &value, err);
    if (found == 1 && unwrap_payload(v, value, err)) found = -1;
    store_read_end(v->reader);
    if (found == 0) return err_set(err, ERR_ABSENT, "the content of campaign %u is gone", row->id);
    *payload = buf_slice(&v->bytes);
    return found < 0 ? -1 : 0;
}
