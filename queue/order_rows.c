/* The table of standing orders. The row of number 0, which no order has, is the last number that was given.
 */
#include "ledger_priv.h"

static void must(bool ok) {
    if (!ok) abort(); /* as in ledger.c */
}

static void put(struct ledger *l, uint64_t number, struct slice bytes) {
    struct store_key key = store_key_u64(number);
    must(store_put(ledger_batch(l), TABLE_ORDER, store_key_slice(&key), bytes));
}

static int read_last(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)ctx, (void)err;
    uint64_t number, last;
    if (!store_key_number(key, 0, &number)) return 0;
    if (number == 0 && take_u64le(&value, &last)) number = last;
    if (number > l->last_order) l->last_order = number;
    return 0;
}

uint64_t ledger_order_number(struct ledger *l) {
    struct err err;
    if (!l->last_order && ledger_each_row(l, TABLE_ORDER, store_key_u64(0), read_last, NULL, &err) < 0) {
        l->last_order = 0;
        return 0; /* cannot be told now */
    }
    return l->last_order + 1;
}

void ledger_order_put(struct ledger *l, uint64_t number, struct slice bytes) {
    assert(number && bytes.len <= LEDGER_ORDER_BYTES);
    if (number > l->last_order) {
        l->last_order = number;
        buf_reset(&l->row);
        must(buf_put_u64le(&l->row, number));
        put(l, 0, buf_slice(&l->row));
    }
    put(l, number, bytes);
}

void ledger_order_delete(struct ledger *l, uint64_t number) {
    struct store_key key = store_key_u64(number);
    must(store_delete(ledger_batch(l), TABLE_ORDER, store_key_slice(&key)));
}

struct each {
    ledger_order_fn *fn;
    void *ctx;
};

static int tell(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)l;
    const struct each *each = ctx;
    uint64_t number;
    if (!store_key_number(key, 0, &number) || value.len > LEDGER_ORDER_BYTES)
        return err_set(err, ERR_CORRUPT, "the store holds a broken order");
    return number ? each->fn(each->ctx, number, value, err) : 0;
}

int ledger_each_order(struct ledger *l, ledger_order_fn *fn, void *ctx, struct err *err) {
    struct each each = {fn, ctx};
    return ledger_each_row(l, TABLE_ORDER, store_key_u64(0), tell, &each, err) < 0 ? -1 : 0;
}
