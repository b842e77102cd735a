/* The table `note` of the history, and the notes of blocks behind it.
 *
 * A row's key is the place of its event in the ledger, so that blocks which are taken in again after a crash
 * change nothing. */
#include "notes.h"

#include "history.h"

#include <stdlib.h>

#define COLUMNS                                                                                              \
    "at, what, provider, source, words, code, dimension, cause, was, became, changes, act, campaign, "       \
    "scope, "                                                                                                \
    "by_whom, touched"

static void bind(struct sql_stmt *st, const struct note *n) {
    sql_bind_int(st, 3, n->at);
    sql_bind_int(st, 4, n->what);
    sql_bind_text(st, 5, n->provider);
    sql_bind_text(st, 6, n->source);
    sql_bind_text(st, 7, n->words);
    sql_bind_int(st, 8, n->code);
    sql_bind_int(st, 9, n->dimension);
    sql_bind_int(st, 10, n->cause);
    sql_bind_real(st, 11, n->from);
    sql_bind_real(st, 12, n->to);
    sql_bind_int(st, 13, n->changes);
    sql_bind_int(st, 14, n->act);
    sql_bind_int(st, 15, n->campaign);
    sql_bind_text(st, 16, n->scope);
    sql_bind_text(st, 17, n->by);
    sql_bind_int(st, 18, (int64_t)n->touched);
}

int notes_put(struct sql *db, uint64_t seq, uint32_t n, const struct event *e, struct err *err) {
    struct note note;
    if (!note_from_event(e, &note)) return 0;
    struct sql_stmt *st =
        sql_prepare(db,
                    "INSERT INTO note (seq, n, " COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
                    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq, n) DO NOTHING",
                    err);
    if (!st) return -1;
    sql_bind_int(st, 1, (int64_t)seq);
    sql_bind_int(st, 2, n);
    bind(st, &note);
    return sql_run(st, err);
}

/* ---- forgetting ---- */

static int one_number(struct sql *db, const char *literal, int64_t bound, int64_t *value, struct err *err) {
    struct sql_stmt *st = sql_prepare(db, literal, err);
    if (!st) return -1;
    sql_bind_int(st, 1, bound);
    if (sql_step(st, err) != 1) return -1;
    *value = sql_int(st, 0);
    sql_reset(st);
    return 0;
}

int notes_count(struct sql *db, wall_us before, uint64_t *count, struct err *err) {
    int64_t n;
    if (one_number(db, "SELECT COUNT(*) FROM note WHERE at < ?", before, &n, err)) return -1;
    *count = (uint64_t)n;
    return 0;
}

static int delete_some(struct sql *db, const char *literal, int64_t bound, int64_t most, struct err *err) {
    struct sql_stmt *st = sql_prepare(db, literal, err);
    if (!st || sql_begin(db, err)) return -1;
    sql_bind_int(st, 1, bound);
    sql_bind_int(st, 2, most);
    if (sql_run(st, err)) {
        sql_rollback(db);
        return -1;
    }
    return sql_end(db, err);
}

int notes_forget(struct sql *db, wall_us before, uint64_t most, unsigned step, uint64_t *gone,
                 struct err *err) {
    uint64_t old = 0;
    int64_t all;
    *gone = 0;
    if (notes_count(db, before, &old, err) ||
        one_number(db, "SELECT COUNT(*) FROM note WHERE at >= ?", INT64_MIN, &all, err))
        return -1;
    if (old) {
        *gone = old < step ? old : step;
        return delete_some(db,
                           "DELETE FROM note WHERE (seq, n) IN (SELECT seq, n FROM note WHERE at < ? ORDER "
                           "BY at LIMIT ?)",
                           before, (int64_t)*gone, err);
    }
    if ((uint64_t)all <= most) return 0;
    *gone = (uint64_t)all - most < step ? (uint64_t)all - most : step;
    return delete_some(db,
                       "DELETE FROM note WHERE (seq, n) IN (SELECT seq, n FROM note WHERE seq >= ? ORDER BY "
                       "seq, n LIMIT ?)",
                       0, (int64_t)*gone, err);
}

/* ---- reading ---- */

struct gathering {
    const struct notes_wanted *wanted;
    struct arena *arena;
    struct note *list; /* a ring: the oldest make place */
    size_t count, first, most;
};

static bool is_wanted(const struct notes_wanted *w, const struct note *n) {
    return n->at >= w->since && (!w->what || n->what == w->what) &&
           (!w->provider.len || slice_eq_nocase(w->provider, n->provider)) &&
           (!w->source.len || slice_eq_nocase(w->source, n->source));
}

static bool keep(struct arena *arena, struct note *to, const struct note *from) {
    *to = *from;
    return arena_copy(arena, from->provider, &to->provider) && arena_copy(arena, from->source, &to->source) &&
           arena_copy(arena, from->words, &to->words) && arena_copy(arena, from->scope, &to->scope) &&
           arena_copy(arena, from->by, &to->by);
}

static int add(struct gathering *g, const struct note *n, struct err *err) {
    size_t at = (g->first + g->count) % g->most;
    if (g->count < g->most)
        g->count++;
    else
        g->first = (g->first + 1) % g->most;
    return keep(g->arena, &g->list[at], n) ? 0 : err_set(err, ERR_SYSTEM, "out of memory for notes");
}

static int take_block(struct gathering *g, struct slice stored, struct buf *scratch, struct err *err) {
    struct event_reader r;
    struct event e;
    struct note n;
    int more = event_reader_init(&r, stored, scratch, err);
    while (more == 0 && (more = event_reader_next(&r, &e, err)) == 1)
        more = note_from_event(&e, &n) && is_wanted(g->wanted, &n) ? add(g, &n, err) : 0;
    return more < 0 ? -1 : 0;
}

/* A row that was written by a later version may say more than is known here: it is shown as far as it goes.
 */
static struct note row(struct sql_stmt *st) {
    return (struct note){.at = sql_int(st, 0),
                         .what = (enum note_what)sql_int(st, 1),
                         .provider = sql_bytes(st, 2),
                         .source = sql_bytes(st, 3),
                         .words = sql_bytes(st, 4),
                         .code = (uint16_t)sql_int(st, 5),
                         .dimension = (uint8_t)sql_int(st, 6),
                         .cause = (uint8_t)sql_int(st, 7),
                         .from = sql_real(st, 8),
                         .to = sql_real(st, 9),
                         .changes = (uint32_t)sql_int(st, 10),
                         .act = (uint8_t)sql_int(st, 11),
                         .campaign = (uint32_t)sql_int(st, 12),
                         .scope = sql_bytes(st, 13),
                         .by = sql_bytes(st, 14),
                         .touched = (uint64_t)sql_int(st, 15)};
}

static int read_history(struct gathering *g, struct sql *db, struct err *err) {
    const struct notes_wanted *w = g->wanted;
    struct sql_stmt *st = sql_prepare(
        db,
        "SELECT " COLUMNS " FROM (SELECT * FROM note WHERE at >= ?1 AND (?2 = 0 OR what = ?2) AND "
        "(?3 = '' OR provider = ?3 COLLATE NOCASE) AND (?4 = '' OR source = ?4 "
        "COLLATE NOCASE) ORDER BY seq DESC, n DESC LIMIT ?5) ORDER BY seq, n",
        err);
    int found;
    if (!st) return -1;
    sql_bind_int(st, 1, w->since);
    sql_bind_int(st, 2, w->what);
    sql_bind_text(st, 3, w->provider);
    sql_bind_text(st, 4, w->source);
    sql_bind_int(st, 5, (int64_t)g->most);
    while ((found = sql_step(st, err)) == 1) {
        struct note n = row(st);
        if (add(g, &n, err)) {
            sql_reset(st);
            return -1;
        }
    }
    return found < 0 ? -1 : 0;
}

/* Blocks from behind `seq` on. */
static int read_blocks(struct gathering *g, struct store_reader *r, uint64_t seq, struct err *err) {
    struct store_cursor c;
    struct buf scratch;
    struct store_key from = store_key_u64(seq + 1);
    if (store_cursor_init(&c, r, TABLE_BLOCK, err)) return -1;
    buf_init(&scratch, EVENT_BLOCK_MAX);
    int found = store_cursor_seek(&c, store_key_slice(&from), err);
    while (found == 1)
        found = take_block(g, c.value, &scratch, err) ? -1 : store_cursor_next(&c, err);
    buf_done(&scratch);
    store_cursor_done(&c);
    return found;
}

/* The ledger's moment is fixed first: what the history takes in meanwhile is in those blocks too, and left
 * out there. All notes of blocks up to cursor.newest are in the history. */
static int read_both(struct gathering *g, struct store_reader *r, struct sql *db, struct err *err) {
    struct history_cursor cursor = {0};
    if (store_read_begin(r, err)) return -1;
    int failed = db && (sql_exec(db, "BEGIN", err) || history_cursor_get(db, &cursor, err) ||
                        read_history(g, db, err));
    if (db) sql_rollback(db);
    if (!failed) failed = read_blocks(g, r, cursor.newest, err);
    store_read_end(r);
    return failed ? -1 : 0;
}

/* In order from the first on. */
static void unroll(struct gathering *g, struct note *to) {
    for (size_t i = 0; i < g->count; i++)
        to[i] = g->list[(g->first + i) % g->most];
}

int notes_read(struct store *store, const struct notes_wanted *wanted, struct arena *arena,
               struct note **list, size_t *count, struct err *err) {
    size_t most = wanted->most && wanted->most < NOTES_READ_MOST ? wanted->most : NOTES_READ_MOST;
    struct gathering g = {.wanted = wanted, .arena = arena, .most = most};
    struct err absent;
    *list = NULL;
    *count = 0;
    struct sql *db = history_open(store_dir(store), true, &absent);
    if (!db && absent.kind != ERR_ABSENT) {
        if (err) *err = absent;
        return -1;
    }
    struct store_reader *r = store_reader_open(store, err);
    g.list = r ? calloc(most, sizeof *g.list) : NULL;
    int failed = !r ? -1 : !g.list ? err_set(err, ERR_SYSTEM, "out of memory") : read_both(&g, r, db, err);
    if (!failed) {
        *list = arena_zalloc(arena, (g.count + 1) * sizeof **list);
        if (*list) unroll(&g, *list);
        if (!*list) failed = err_set(err, ERR_SYSTEM, "out of memory for notes");
    }
    if (!failed) *count = g.count;
    free(g.list);
    store_reader_free(r);
    sql_free(db);
    return failed;
}
