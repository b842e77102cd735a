/* The cursor of the history against the blocks that the ledger still has. In order, a block is dropped only
 * when the cursor has passed it (ledger_seal), so the ledger's oldest is never beyond the next one wanted. */
#include "history_gap.h"

/* In the cursor table, beside the cursor itself (history.c): sequence and newest are the gap's ends. */
#define GAP_ROW "2"

int history_gap_get(struct sql *db, struct history_gap *gap, struct err *err) {
    *gap = (struct history_gap){0};
    struct sql_stmt *st = sql_prepare(db, "SELECT sequence, newest FROM cursor WHERE id = " GAP_ROW, err);
    int found = st ? sql_step(st, err) : -1;
    if (found == 1) {
        *gap = (struct history_gap){(uint64_t)sql_int(st, 0), (uint64_t)sql_int(st, 1)};
        sql_reset(st);
    }
    return found < 0 ? -1 : 0;
}

int history_gap_put(struct sql *db, const struct history_gap *gap, struct err *err) {
    struct sql_stmt *st =
        sql_prepare(db,
                    "INSERT INTO cursor (id, sequence, newest) VALUES (" GAP_ROW ", ?, ?) ON CONFLICT (id) "
                    "DO UPDATE SET sequence = excluded.sequence, newest = excluded.newest",
                    err);
    if (!st) return -1;
    sql_bind_int(st, 1, (int64_t)gap->first);
    sql_bind_int(st, 2, (int64_t)gap->last);
    return sql_run(st, err);
}

/* The newest block that a checkpoint has made superfluous; 0: none yet. */
static int checkpoint(struct store_reader *r, uint64_t *sequence, struct err *err) {
    struct slice value;
    *sequence = 0;
    int found = store_get(r, TABLE_META, SLICE("checkpoint"), &value, err);
    if (found == 1 && !store_key_number(value, 0, sequence))
        return err_set(err, ERR_CORRUPT, "the store holds a broken checkpoint");
    return found < 0 ? -1 : 0;
}

/* The first block at or behind `from`: 1, 0 when there is none, -1. */
static int block_from(struct store_reader *r, uint64_t from, uint64_t *sequence, struct err *err) {
    struct store_cursor c;
    struct store_key key = store_key_u64(from);
    if (store_cursor_init(&c, r, TABLE_BLOCK, err)) return -1;
    int found = store_cursor_seek(&c, store_key_slice(&key), err);
    if (found == 1 && !store_key_number(c.key, 0, sequence))
        found = err_set(err, ERR_CORRUPT, "the store holds a broken block key");
    store_cursor_done(&c);
    return found;
}

int history_gap_oldest(struct store_reader *r, uint64_t *oldest, struct err *err) {
    uint64_t passed;
    int found = block_from(r, 0, oldest, err);
    if (found) return found < 0 ? -1 : 0;
    if (checkpoint(r, &passed, err)) return -1;
    *oldest = passed + 1;
    return 0;
}

bool history_gap_add(struct history_gap *gap, uint64_t cursor, uint64_t oldest) {
    if (oldest <= cursor + 1) return false;
    if (!gap->last || cursor + 1 < gap->first) gap->first = cursor + 1;
    if (oldest - 1 > gap->last) gap->last = oldest - 1;
    return true;
}

int history_gap_check_ahead(struct store_reader *r, uint64_t cursor, struct err *err) {
    uint64_t passed, sequence;
    if (cursor == 0) return 0;
    int found = block_from(r, cursor, &sequence, err);
    if (found) return found < 0 ? -1 : 0;
    if (checkpoint(r, &passed, err)) return -1;
    if (cursor <= passed) return 0;
    return err_set(err, ERR_CORRUPT,
                   "history.db has block %llu, which the ledger beside it never wrote: they do not belong "
                   "together. Put back the history.db of this ledger, or move this one away",
                   (unsigned long long)cursor);
}

void history_gap_put_text(const struct history_gap *gap, struct buf *out) {
    buf_printf(
        out,
        "the history lacks blocks %llu to %llu of the ledger, whose history.db was deleted or replaced "
        "by an older one: what happened in them is missing in reports",
        (unsigned long long)gap->first, (unsigned long long)gap->last);
}
