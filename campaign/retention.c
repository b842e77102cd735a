/* Choosing what goes, and the steps in which it goes. */
#include "retention.h"

#include "history.h"
#include "notes.h"
#include "sweep_segments.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNKS_A_STEP = 64, PAGES_A_STEP = 256, NOTES_A_STEP = 1000 };

struct retention {
    struct store *store;
    struct sql *db;
    struct store_reader *reader;
    struct retention_manners manners;
};

struct retention *retention_open(struct store *store, struct err *err) {
    struct retention *r = calloc(1, sizeof *r);
    if (!r) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    r->store = store;
    r->db = history_open(store_dir(store), false, err);
    r->reader = r->db ? store_reader_open(store, err) : NULL;
    if (r->reader) return r;
    retention_free(r);
    return NULL;
}

void retention_free(struct retention *r) {
    if (!r) return;
    store_reader_free(r->reader);
    sql_free(r->db);
    free(r);
}

void retention_behave(struct retention *r, const struct retention_manners *manners) {
    r->manners = *manners;
}

/* After a step that began at `began`. True: no further. */
static bool rest(struct retention *r, mono_us began) {
    if (r->manners.stop && r->manners.stop(r->manners.ctx)) return true;
    if (r->manners.pause) r->manners.pause(r->manners.ctx, clock_mono() - began);
    return false;
}

/* ---- choosing ---- */

/* Do rows of its chunks stand in the ledger? They go when the history has seen the campaign's end. */
static int is_settled(struct retention *r, uint32_t id, bool *settled, struct err *err) {
    struct store_key first = store_key_u64((uint64_t)id << 28);
    struct store_cursor c;
    uint64_t key = 0;
    if (store_cursor_init(&c, r->reader, TABLE_CHUNK, err)) return -1;
    int found = store_cursor_seek(&c, store_key_slice(&first), err);
    *settled = found == 0 || (found == 1 && store_key_number(c.key, 0, &key) && key >> 28 != id);
    store_cursor_done(&c);
    return found < 0 ? -1 : 0;
}

static void take_row(struct retention_campaign *to, const struct campaign_row *row) {
    *to = (struct retention_campaign){.id = row->id, .ended = row->ended, .recipients = row->tally.planned};
    snprintf(to->name, sizeof to->name, "%.*s", SLICE_ARG(row->name));
}

static bool has_mark(const struct history_removed *marks, size_t count, uint32_t id) {
    for (size_t i = 0; i < count; i++)
        if (marks[i].campaign == id) return true;
    return false;
}

struct listing {
    const struct history_removed *marks;
    size_t mark_count;
    struct retention_campaign *all;
    size_t count, room;
};

static int list_row(struct retention *r, struct listing *l, struct slice value, struct err *err) {
    struct campaign_row row;
    if (campaign_row_decode(value, &row, err)) return -1;
    if (has_mark(l->marks, l->mark_count, row.id)) return 0;
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        struct retention_campaign *more = reallocarray(l->all, room, sizeof *more);
        if (!more) return err_set(err, ERR_SYSTEM, "out of memory");
        l->all = more;
        l->room = room;
    }
    struct retention_campaign *c = &l->all[l->count++];
    take_row(c, &row);
    return c->ended ? is_settled(r, c->id, &c->settled, err) : 0;
}

static int by_end(const void *a, const void *b) {
    const struct retention_campaign *x = a, *y = b;
    wall_us p = x->ended ? x->ended : NEVER, q = y->ended ? y->ended : NEVER;
    if (p != q) return p < q ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int list_all(struct retention *r, struct listing *l, struct err *err) {
    struct store_cursor c;
    if (store_read_begin(r->reader, err)) return -1;
    int found = store_cursor_init(&c, r->reader, TABLE_CAMPAIGN, err);
    if (found == 0) {
        found = store_cursor_first(&c, err);
        while (found == 1)
            found = list_row(r, l, c.value, err) ? -1 : store_cursor_next(&c, err);
        store_cursor_done(&c);
    }
    store_read_end(r->reader);
    return found;
}

int retention_list(struct retention *r, struct retention_campaign **list, size_t *count, struct err *err) {
    struct history_removed *marks;
    struct listing l = {0};
    *list = NULL;
    *count = 0;
    if (history_removed_list(r->db, &marks, &l.mark_count, err)) return -1;
    l.marks = marks;
    int failed = list_all(r, &l, err);
    free(marks);
    if (failed) {
        free(l.all);
        return -1;
    }
    if (l.count) qsort(l.all, l.count, sizeof *l.all, by_end);
    *list = l.all;
    *count = l.count;
    return 0;
}

static int sum(struct sql *db, const char *literal, uint32_t campaign, uint64_t *to, struct err *err) {
    struct sql_stmt *st = sql_prepare(db, literal, err);
    if (!st) return -1;
    sql_bind_int(st, 1, campaign);
    if (sql_step(st, err) != 1) return -1;
    *to += (uint64_t)sql_int(st, 0);
    sql_reset(st);
    return 0;
}

int retention_weigh(struct retention *r, struct retention_campaign *c, struct err *err) {
    c->bytes = 0;
    return sum(r->db, "SELECT COALESCE(SUM(length), 0) FROM chunk WHERE campaign = ?", c->id, &c->bytes,
               err) ||
                   sum(r->db, "SELECT COALESCE(SUM(LENGTH(events)), 0) FROM history WHERE campaign = ?",
                       c->id, &c->bytes, err)
               ? -1
               : 0;
}

int retention_size(struct retention *r, uint64_t *bytes, struct err *err) {
    struct sql_space s;
    uint64_t segments;
    if (sql_space(r->db, &s, err) || segment_bytes(r->store, &segments, err)) return -1;
    *bytes = (s.pages - s.free_pages) * s.page_bytes + segments;
    return 0;
}

/* ---- removing ---- */

/* In a transaction of its own. */
static int put_mark(struct retention *r, const struct history_removed *mark, struct err *err) {
    if (sql_begin(r->db, err)) return -1;
    if (history_removed_put(r->db, mark, err)) {
        sql_rollback(r->db);
        return -1;
    }
    return sql_end(r->db, err);
}

static int delete_below(struct retention *r, const char *literal, uint32_t campaign, int64_t end,
                        struct err *err) {
    struct sql_stmt *st = sql_prepare(r->db, literal, err);
    if (!st) return -1;
    sql_bind_int(st, 1, campaign);
    sql_bind_int(st, 2, end);
    return sql_run(st, err);
}

static int delete_step(struct retention *r, uint32_t campaign, int64_t end, struct err *err) {
    if (sql_begin(r->db, err)) return -1;
    if (delete_below(r, "DELETE FROM history WHERE campaign = ? AND chunk < ?", campaign, end, err) ||
        delete_below(r, "DELETE FROM chunk WHERE campaign = ? AND idx < ?", campaign, end, err)) {
        sql_rollback(r->db);
        return -1;
    }
    return sql_end(r->db, err);
}

static int lower(struct retention *r, const char *literal, uint32_t campaign, int64_t *chunk,
                 struct err *err) {
    struct sql_stmt *st = sql_prepare(r->db, literal, err);
    if (!st) return -1;
    sql_bind_int(st, 1, campaign);
    if (sql_step(st, err) != 1) return -1;
    if (!sql_is_null(st, 0) && sql_int(st, 0) < *chunk) *chunk = sql_int(st, 0);
    sql_reset(st);
    return 0;
}

/* The lowest chunk that is left; beyond RID_CHUNK_MAX: none. */
static int lowest(struct retention *r, uint32_t campaign, int64_t *chunk, struct err *err) {
    *chunk = (int64_t)RID_CHUNK_MAX + 1;
    return lower(r, "SELECT MIN(idx) FROM chunk WHERE campaign = ?", campaign, chunk, err) ||
                   lower(r, "SELECT MIN(chunk) FROM history WHERE campaign = ?", campaign, chunk, err)
               ? -1
               : 0;
}

static int delete_rows(struct retention *r, uint32_t campaign, struct err *err) {
    for (;;) {
        mono_us began = clock_mono();
        int64_t next;
        if (lowest(r, campaign, &next, err)) return -1;
        if (next > (int64_t)RID_CHUNK_MAX) return 0;
        if (delete_step(r, campaign, next + CHUNKS_A_STEP, err)) return -1;
        if (rest(r, began)) return 1;
    }
}

static int give_back(struct retention *r, struct err *err) {
    for (;;) {
        struct sql_space before, after;
        mono_us began = clock_mono();
        if (sql_space(r->db, &before, err)) return -1;
        if (before.free_pages == 0) return 0;
        if (sql_give_back(r->db, PAGES_A_STEP, err) || sql_space(r->db, &after, err)) return -1;
        if (after.free_pages >= before.free_pages) return 0; /* an old file, or a write beside this one */
        if (rest(r, began)) return 1;
    }
}

static int delete_content(struct retention *r, uint32_t campaign, struct err *err) {
    struct store_key key = store_key_u64(campaign); /* a payload has the number of its campaign */
    struct store_batch *b = store_batch_new(4096);
    if (!b || !store_delete(b, TABLE_PAYLOAD, store_key_slice(&key))) {
        store_batch_free(b);
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    int failed = store_commit(r->store, b, 0, err);
    store_batch_free(b);
    return failed;
}

/* From wherever it was left. */
static int finish(struct retention *r, struct history_removed *mark, struct err *err) {
    int left = delete_rows(r, mark->campaign, err);
    if (left == 0) left = give_back(r, err);
    if (left) return left;
    mark->complete = true;
    return delete_content(r, mark->campaign, err) || put_mark(r, mark, err) ||
                   sweep_segments(r->store, err) < 0
               ? -1
               : 0;
}

int retention_remove(struct retention *r, const struct retention_campaign *c, enum removed_why why,
                     wall_us now, struct err *err) {
    struct history_removed mark = {.campaign = c->id, .at = now, .why = why, .recipients = c->recipients};
    mono_us began = clock_mono();
    if (!c->ended)
        return err_set(err, ERR_INPUT, "campaign %u is under way: only what has ended can be removed", c->id);
    if (!c->settled)
        return err_set(err, ERR_BUSY, "campaign %u has just ended: the history is not through with it yet",
                       c->id);
    if (put_mark(r, &mark, err)) return -1;
    return rest(r, began) ? 1 : finish(r, &mark, err);
}

int retention_forget_notes(struct retention *r, wall_us before, bool dry, uint64_t *gone, struct err *err) {
    *gone = 0;
    if (dry) return notes_count(r->db, before, gone, err);
    for (;;) {
        mono_us began = clock_mono();
        uint64_t some;
        if (notes_forget(r->db, before, NOTES_MOST, NOTES_A_STEP, &some, err)) return -1;
        *gone += some;
        if (some == 0) return 0;
        if (rest(r, began)) return 1;
    }
}

static int finish_begun(struct retention *r, struct err *err) {
    struct history_removed *marks;
    size_t count;
    if (history_removed_list(r->db, &marks, &count, err)) return -1;
    int left = 0;
    for (size_t i = 0; i < count && !left; i++)
        if (!marks[i].complete) left = finish(r, &marks[i], err);
    free(marks);
    return left;
}

int retention_turn(struct retention *r, const struct retention_rules *rules, wall_us now,
                   void (*removed)(void *ctx, const struct retention_campaign *c, enum removed_why why),
                   void *ctx, struct retention_result *result, struct err *err) {
    struct retention_campaign *all;
    size_t count;
    *result = (struct retention_result){0};
    uint64_t notes;
    int left = finish_begun(r, err);
    if (!left)
        left = retention_forget_notes(r, rules->keep_us ? now - rules->keep_us : 0, false, &notes, err);
    if (left || (!rules->keep_us && !rules->max_bytes)) return left;
    if (retention_list(r, &all, &count, err)) return -1;
    if (rules->max_bytes) left = retention_size(r, &result->bytes, err);
    for (size_t i = 0; i < count && all[i].ended && !left; i++) {
        bool old = rules->keep_us && now - all[i].ended >= rules->keep_us;
        bool over = rules->max_bytes && result->bytes > rules->max_bytes;
        if (!old && !over) break; /* those behind ended later */
        if (!all[i].settled) continue;
        enum removed_why why = old ? REMOVED_BY_AGE : REMOVED_BY_SIZE;
        left = retention_weigh(r, &all[i], err);
        if (!left) left = retention_remove(r, &all[i], why, now, err);
        if (!left) removed(ctx, &all[i], why);
        if (!left && rules->max_bytes) left = retention_size(r, &result->bytes, err);
    }
    free(all);
    result->over = rules->max_bytes && result->bytes > rules->max_bytes;
    return left;
}
