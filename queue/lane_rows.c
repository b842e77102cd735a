/* The table of lanes: what each has learned, in its owner's encoding. Here only how many there are matters.
 *
 * Lanes of providers are as many as are configured. Passing ones, of exchangers that nobody knows, come
 * without end: at a checkpoint the oldest of them go when there are a tenth more than LEDGER_LANES_MOST. */
#include "ledger_priv.h"

enum { VERSION = 1, LANES_SPARE = LEDGER_LANES_MOST / 10 };

static void must(bool ok) {
    if (!ok) abort(); /* as in ledger.c */
}

struct lane_row {
    bool passing;
    wall_us saved;
    struct slice memory;
};

static bool decode(struct slice value, struct lane_row *row) {
    uint8_t version, passing;
    uint64_t saved;
    if (!take_u8(&value, &version) || version != VERSION || !take_u8(&value, &passing) || passing > 1 ||
        !take_u64le(&value, &saved) || value.len > LEDGER_LANE_BYTES)
        return false;
    *row = (struct lane_row){passing, (wall_us)saved, value};
    return true;
}

void ledger_lane_put(struct ledger *l, struct slice key, bool passing, wall_us saved, struct slice memory) {
    assert(key.len && key.len <= STORE_KEY_MAX && memory.len <= LEDGER_LANE_BYTES);
    buf_reset(&l->row);
    buf_put_u8(&l->row, VERSION);
    buf_put_u8(&l->row, passing);
    buf_put_u64le(&l->row, (uint64_t)saved);
    buf_put_slice(&l->row, memory);
    must(!l->row.failed && store_put(ledger_batch(l), TABLE_LANE, key, buf_slice(&l->row)));
    l->lanes_put = true;
}

bool ledger_lane_get(struct ledger *l, struct slice key, struct buf *memory) {
    struct slice value;
    struct lane_row row;
    if (key.len == 0 || key.len > STORE_KEY_MAX || store_read_begin(l->lookup, NULL)) return false;
    bool found = store_get(l->lookup, TABLE_LANE, key, &value, NULL) == 1 && decode(value, &row) &&
                 buf_put_slice(memory, row.memory);
    store_read_end(l->lookup);
    return found;
}

/* ---- the bound ---- */

struct trimming {
    wall_us *saved; /* of the passing ones */
    size_t count, room;
    wall_us until; /* these go */
    size_t left;   /* so many at most */
};

static int weigh(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)l, (void)key;
    struct trimming *t = ctx;
    struct lane_row row;
    if (!decode(value, &row) || !row.passing) return 0;
    if (t->count == t->room) {
        size_t room = t->room ? t->room * 2 : 4096;
        wall_us *more = reallocarray(t->saved, room, sizeof *more);
        if (!more) return err_set(err, ERR_SYSTEM, "out of memory");
        t->saved = more;
        t->room = room;
    }
    t->saved[t->count++] = row.saved;
    return 0;
}

static int drop_old(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)err;
    struct trimming *t = ctx;
    struct lane_row row;
    if (t->left == 0) return 1;
    bool damaged = !decode(value, &row);
    if (!damaged && (!row.passing || row.saved > t->until)) return 0;
    must(store_delete(ledger_batch(l), TABLE_LANE, key));
    t->left -= !damaged;
    return 0;
}

static int by_time(const void *a, const void *b) {
    wall_us x = *(const wall_us *)a, y = *(const wall_us *)b;
    return (x > y) - (x < y);
}

/* What cannot be read or has no memory now is left for the next checkpoint. */
void lane_rows_trim(struct ledger *l) {
    struct trimming t = {0};
    struct err err;
    uint64_t rows = 0;
    if (!l->lanes_put || store_read_begin(l->lookup, NULL)) return;
    int failed = store_count(l->lookup, TABLE_LANE, &rows, NULL);
    store_read_end(l->lookup);
    l->lanes_put = failed;
    if (failed || rows <= LEDGER_LANES_MOST + LANES_SPARE) return;
    if (ledger_each_row(l, TABLE_LANE, store_key_u64(0), weigh, &t, &err) == 0 &&
        t.count > LEDGER_LANES_MOST + LANES_SPARE) {
        qsort(t.saved, t.count, sizeof *t.saved, by_time);
        t.left = t.count - LEDGER_LANES_MOST;
        t.until = t.saved[t.left - 1];
        l->lanes_put = ledger_each_row(l, TABLE_LANE, store_key_u64(0), drop_old, &t, &err) < 0;
    }
    free(t.saved);
}
