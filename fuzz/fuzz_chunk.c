/* Chunk tables: stored bytes, and (behind a first byte) unpacked ones packed here, since no fuzzer guesses a
 * checksum. What decodes is encoded again to the same cells. */
#include "chunk_table.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice stored, struct pack *pack) {
    struct err err;
    struct chunk_table *t = chunk_table_decode(stored, pack, &err);
    if (!t) return;
    struct buf rows, scratch, again;
    struct slice *values = calloc(t->columns.count + 1, sizeof *values);
    buf_init(&rows, CHUNK_TABLE_MAX), buf_init(&scratch, CHUNK_TABLE_MAX),
        buf_init(&again, CHUNK_TABLE_MAX + 1024);
    if (!values) abort();
    for (unsigned slot = 0; slot < t->count; slot++) {
        for (unsigned i = 0; i < t->columns.count; i++)
            values[i] = chunk_table_value(t, slot, i);
        if (!chunk_row_put(&rows, &t->columns, chunk_table_address(t, slot), values)) abort();
    }
    if (!chunk_table_encode(&t->columns, t->count, buf_slice(&rows), pack, &scratch, &again)) abort();
    struct chunk_table *u = chunk_table_decode(buf_slice(&again), pack, &err);
    if (!u || u->count != t->count || u->columns.count != t->columns.count) abort();
    for (unsigned slot = 0; slot < t->count; slot++)
        for (unsigned i = 0; i <= t->columns.count; i++)
            if (!slice_eq(chunk_table_cell(t, slot, i), chunk_table_cell(u, slot, i))) abort();
    chunk_table_free(u);
    chunk_table_free(t);
    free(values);
    buf_done(&rows), buf_done(&scratch), buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    struct pack *pack = pack_new(1);
    if (!pack) abort();
    struct buf stored;
    buf_init(&stored, CHUNK_TABLE_MAX + 1024);
    if (data[0] & 1) {
        check(slice_make(data + 1, size - 1), pack);
    } else {
        buf_put_u8(&stored, 1);
        if (pack_put(pack, slice_make(data + 1, size - 1), &stored)) check(buf_slice(&stored), pack);
    }
    buf_done(&stored);
    pack_free(pack);
    return 0;
}
