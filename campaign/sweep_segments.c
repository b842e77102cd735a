/* Marks what is named. The ledger is read first, the history after: a chunk leaves the ledger only when the
 * history has it, so whatever was gone from the one is in the other. */
#include "sweep_segments.h"

#include "history.h"

static int mark_row(enum store_table table, struct slice value, struct segment_set *live, struct err *err) {
    struct segment_ref ref = {0};
    struct chunk_row row;
    uint8_t where = 0;
    if (table == TABLE_CHUNK) {
        if (chunk_row_decode(value, &row, err)) return -1;
        ref = row.table;
    } else if (!take_u8(&value, &where) || (where == 1 && !segment_ref_take(&value, &ref))) {
        return err_set(err, ERR_CORRUPT, "the store holds a broken payload row");
    }
    return ref.file == 0 || segment_set_add(live, ref.file) ? 0 : err_set(err, ERR_SYSTEM, "out of memory");
}

static int mark_table(struct store_reader *r, enum store_table table, struct segment_set *live,
                      struct err *err) {
    struct store_cursor c;
    if (store_cursor_init(&c, r, table, err)) return -1;
    int found = store_cursor_first(&c, err);
    while (found == 1)
        found = mark_row(table, c.value, live, err) ? -1 : store_cursor_next(&c, err);
    store_cursor_done(&c);
    return found;
}

static int mark(void *ctx, struct store_reader *r, struct segment_set *live, struct err *err) {
    struct store *store = ctx;
    if (mark_table(r, TABLE_CHUNK, live, err) || mark_table(r, TABLE_PAYLOAD, live, err)) return -1;
    struct sql *db = history_open(store_dir(store), true, err);
    if (!db) return err->kind == ERR_ABSENT ? 0 : -1;
    int failed = history_mark_segments(db, live, err);
    sql_free(db);
    return failed;
}

int sweep_segments(struct store *store, struct err *err) {
    return segment_sweep(store, mark, store, err);
}
