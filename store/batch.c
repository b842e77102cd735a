/* Batches of changes and the keys of rows. A batch is a run of encoded operations in one bounded buffer, so
 * building one costs no allocation a row, and the writer reads it front to back. */
#include "store_priv.h"

#include <assert.h>
#include <stdlib.h>

enum { OP_PUT = 1, OP_DELETE, OP_RANGE };

static struct store_key key_of(const uint64_t *numbers, size_t count) {
    struct store_key k = {.len = count * 8};
    for (size_t i = 0; i < k.len; i++)
        k.bytes[i] = (char)(numbers[i / 8] >> (8 * (7 - i % 8)));
    return k;
}

struct store_key store_key_u64(uint64_t a) {
    return key_of(&a, 1);
}

struct store_key store_key_pair(uint64_t a, uint64_t b) {
    return key_of((uint64_t[]){a, b}, 2);
}

struct store_key store_key_three(uint64_t a, uint64_t b, uint64_t c) {
    return key_of((uint64_t[]){a, b, c}, 3);
}

bool store_key_number(struct slice key, size_t index, uint64_t *value) {
    if (key.len < 8 || index > key.len / 8 - 1) return false;
    *value = 0;
    for (size_t i = 0; i < 8; i++)
        *value = *value << 8 | (unsigned char)key.at[index * 8 + i];
    return true;
}

struct store_batch *store_batch_new(size_t max) {
    assert(max <= STORE_BATCH_MAX);
    struct store_batch *b = calloc(1, sizeof *b);
    if (b) buf_init(&b->ops, max);
    return b;
}

void store_batch_free(struct store_batch *b) {
    if (!b) return;
    buf_done(&b->ops);
    free(b);
}

void store_batch_reset(struct store_batch *b) {
    buf_reset(&b->ops);
    b->lost = false;
}

size_t store_batch_bytes(const struct store_batch *b) {
    return b->ops.len;
}

bool store_batch_empty(const struct store_batch *b) {
    return b->ops.len == 0;
}

/* An operation is in the buffer whole or not at all. */
static bool begin_op(struct store_batch *b, int kind, enum store_table t, struct slice key) {
    assert(t < TABLE_COUNT && key.len <= STORE_KEY_MAX);
    return !b->lost && buf_put_u8(&b->ops, (uint8_t)kind) && buf_put_u8(&b->ops, (uint8_t)t) &&
           buf_put_bytes(&b->ops, key);
}

static bool end_op(struct store_batch *b, size_t start, bool whole) {
    if (whole) return true;
    b->ops.len = start;
    b->lost = true;
    return false;
}

bool store_put(struct store_batch *b, enum store_table t, struct slice key, struct slice value) {
    assert(key.len > 0 && value.len <= STORE_VALUE_MAX);
    size_t start = b->ops.len;
    return end_op(b, start, begin_op(b, OP_PUT, t, key) && buf_put_bytes(&b->ops, value));
}

bool store_delete(struct store_batch *b, enum store_table t, struct slice key) {
    assert(key.len > 0);
    return end_op(b, b->ops.len, begin_op(b, OP_DELETE, t, key));
}

bool store_delete_range(struct store_batch *b, enum store_table t, struct slice from, struct slice to,
                        uint32_t most) {
    assert(to.len <= STORE_KEY_MAX);
    size_t start = b->ops.len;
    return end_op(b, start,
                  begin_op(b, OP_RANGE, t, from) && buf_put_bytes(&b->ops, to) &&
                      buf_put_varint(&b->ops, most));
}

static int apply_one(struct slice *ops, struct kv_txn *txn) {
    uint8_t kind = 0, table = 0;
    struct slice key = {0}, other = {0};
    uint64_t most = 0;
    bool whole = take_u8(ops, &kind) && take_u8(ops, &table) && take_bytes(ops, &key) &&
                 (kind == OP_DELETE || take_bytes(ops, &other)) &&
                 (kind != OP_RANGE || take_varint(ops, &most));
    assert(whole && table < TABLE_COUNT);
    if (kind == OP_PUT) return kv_put(txn, (enum store_table)table, key, other);
    if (kind == OP_DELETE) return kv_delete(txn, (enum store_table)table, key);
    assert(kind == OP_RANGE);
    return kv_delete_range(txn, (enum store_table)table, key, other, (uint32_t)most);
}

int batch_apply(const struct store_batch *b, struct kv_txn *txn) {
    struct slice ops = buf_slice(&b->ops);
    int rc = 0;
    while (ops.len > 0 && rc == 0)
        rc = apply_one(&ops, txn);
    return rc;
}
