/* The codec of chunk tables: rows packed by the loader, unpacked once a chunk is opened for sending. After
 * decoding every address and value is a cell, so that a slot is found without walking. Pure. */
#include "chunk_table.h"

#include <assert.h>
#include <stdlib.h>

enum { TABLE_VERSION = 1 };

static size_t varint_size(size_t n) {
    size_t bytes = 1;
    for (; n >= 0x80; n >>= 7)
        bytes++;
    return bytes;
}

static char *write_bytes(char *to, struct slice s) {
    size_t n = s.len;
    for (; n >= 0x80; n >>= 7)
        *to++ = (char)(n | 0x80);
    *to++ = (char)n;
    if (s.len) memcpy(to, s.at, s.len);
    return to + s.len;
}

/* As buf_put_bytes for each of them, with the room asked for once. */
bool chunk_row_put(struct buf *out, const struct chunk_columns *columns, struct slice address,
                   const struct slice *values) {
    assert(columns->count <= CHUNK_COLUMNS_MAX);
    size_t size = varint_size(address.len) + address.len;
    for (uint32_t i = 0; i < columns->count; i++)
        if ((int32_t)i != columns->address_column) size += varint_size(values[i].len) + values[i].len;
    char *start = buf_room(out, size), *to = start;
    if (!to) return false;
    to = write_bytes(to, address);
    for (uint32_t i = 0; i < columns->count; i++)
        if ((int32_t)i != columns->address_column) to = write_bytes(to, values[i]);
    assert(to == start + size);
    buf_grew(out, size);
    return true;
}

bool chunk_row_address(struct slice row, struct slice *address) {
    return take_bytes(&row, address);
}

bool chunk_table_encode(const struct chunk_columns *columns, unsigned count, struct slice rows,
                        struct pack *pack, struct buf *scratch, struct buf *out) {
    assert(count > 0 && count <= CHUNK_ROWS_MAX);
    assert(columns->address_column >= -1 && columns->address_column < (int32_t)columns->count);
    buf_reset(scratch);
    return buf_put_varint(scratch, columns->count) &&
           buf_put_varint(scratch, (uint64_t)((int64_t)columns->address_column + 1)) &&
           buf_put_varint(scratch, count) && buf_put_slice(scratch, rows) &&
           scratch->len <= CHUNK_TABLE_MAX && buf_put_u8(out, TABLE_VERSION) &&
           pack_put(pack, buf_slice(scratch), out);
}

struct table_head {
    uint64_t columns, address_column, count;
};

static bool take_head(struct slice *s, struct table_head *h) {
    return take_varint(s, &h->columns) && take_varint(s, &h->address_column) && take_varint(s, &h->count) &&
           h->columns <= CHUNK_COLUMNS_MAX && h->address_column <= h->columns && h->count > 0 &&
           h->count <= CHUNK_ROWS_MAX;
}

static bool take_cell(struct slice *s, const char *text, struct chunk_cell *cell) {
    struct slice bytes;
    if (!take_bytes(s, &bytes)) return false;
    *cell = (struct chunk_cell){(uint32_t)(bytes.at - text), (uint32_t)bytes.len};
    return true;
}

static bool take_rows(struct slice s, const struct chunk_table *t, struct chunk_cell *cell) {
    for (unsigned row = 0; row < t->count; row++) {
        const struct chunk_cell *address = cell++;
        if (!take_cell(&s, t->text, cell - 1)) return false;
        for (uint32_t i = 0; i < t->columns.count; i++, cell++)
            if ((int32_t)i == t->columns.address_column)
                *cell = *address;
            else if (!take_cell(&s, t->text, cell))
                return false;
    }
    return s.len == 0;
}

/* The table, its cells and its text in one object. */
static struct chunk_table *build(struct slice text, struct err *err) {
    struct table_head h;
    struct slice rows = text;
    if (!take_head(&rows, &h)) {
        err_set(err, ERR_CORRUPT, "a chunk table has a damaged head");
        return NULL;
    }
    /* Each cell takes a byte at least, so hostile heads cannot ask for more memory than their bytes justify.
     */
    uint64_t stored = h.count * (1 + h.columns - (h.address_column > 0));
    if (stored > rows.len) {
        err_set(err, ERR_CORRUPT, "a chunk table is shorter than its rows");
        return NULL;
    }
    size_t cells = (size_t)(h.count * (h.columns + 1));
    size_t bytes = sizeof(struct chunk_table) + cells * sizeof(struct chunk_cell) + text.len;
    struct chunk_table *t = malloc(bytes);
    if (!t) {
        err_set(err, ERR_SYSTEM, "no memory for a chunk table");
        return NULL;
    }
    struct chunk_cell *cell = (struct chunk_cell *)(t + 1);
    char *copy = (char *)(cell + cells);
    memcpy(copy, text.at, text.len);
    *t = (struct chunk_table){.columns = {(uint32_t)h.columns, (int32_t)h.address_column - 1},
                              .count = (unsigned)h.count,
                              .bytes = bytes,
                              .text = copy,
                              .cells = cell};
    if (take_rows(slice_make(copy + (rows.at - text.at), rows.len), t, cell)) return t;
    free(t);
    err_set(err, ERR_CORRUPT, "the rows of a chunk table are damaged");
    return NULL;
}

struct chunk_table *chunk_table_decode(struct slice stored, struct pack *pack, struct err *err) {
    uint8_t version;
    struct buf text;
    if (!take_u8(&stored, &version) || version != TABLE_VERSION) {
        err_set(err, ERR_CORRUPT, "a chunk table of a version that is not known");
        return NULL;
    }
    buf_init(&text, CHUNK_TABLE_MAX);
    struct chunk_table *t = NULL;
    if (pack_take(pack, stored, CHUNK_TABLE_MAX, &text, err) == 0) t = build(buf_slice(&text), err);
    buf_done(&text);
    return t;
}

void chunk_table_free(struct chunk_table *t) {
    free(t);
}
