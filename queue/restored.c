/* The row: a version byte, two times, the count and the numbers. */
#include "restored.h"

#define KEY SLICE("restored")

bool restored_put(struct store_batch *b, const struct restored *r) {
    struct buf row;
    buf_init(&row, 64 + 5 * RESTORED_NAMED_MAX);
    buf_put_u8(&row, 1);
    buf_put_u64le(&row, (uint64_t)r->taken);
    buf_put_u64le(&row, (uint64_t)r->at);
    buf_put_varint(&row, r->count);
    for (unsigned i = 0; i < r->count; i++)
        buf_put_varint(&row, r->held[i]);
    bool put = !row.failed && store_put(b, TABLE_META, KEY, buf_slice(&row));
    buf_done(&row);
    return put;
}

static bool take(struct slice row, struct restored *r) {
    uint8_t version;
    uint64_t taken, at, count;
    if (!take_u8(&row, &version) || version != 1 || !take_u64le(&row, &taken) || !take_u64le(&row, &at) ||
        !take_varint(&row, &count) || count > RESTORED_NAMED_MAX)
        return false;
    *r = (struct restored){.taken = (wall_us)taken, .at = (wall_us)at, .count = (unsigned)count};
    for (unsigned i = 0; i < r->count; i++) {
        uint64_t id;
        if (!take_varint(&row, &id) || id > UINT32_MAX) return false;
        r->held[i] = (uint32_t)id;
    }
    return row.len == 0;
}

int restored_get(struct store_reader *reader, struct restored *r, struct err *err) {
    struct slice row;
    int found = store_get(reader, TABLE_META, KEY, &row, err);
    if (found == 1 && !take(row, r))
        return err_set(err, ERR_CORRUPT, "the row about the restored backup is damaged");
    return found;
}

bool restored_holds(const struct restored *r, uint32_t campaign) {
    for (unsigned i = 0; i < r->count; i++)
        if (r->held[i] == campaign) return true;
    return false;
}
