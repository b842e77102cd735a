/* Chunk tables: the addresses and variables of a chunk's recipients, as stored in one segment record.
 *
 * Stored: a version byte, then a packed (zstd) run of
 *     columns varint | address column + 1 varint (0: none) | rows varint | the rows
 * and a row is its address and then its values in the order of the columns, each with its length before it;
 * the value of the address column is not stored again. Pure. */
#ifndef TSUBAME_CHUNK_TABLE_H
#define TSUBAME_CHUNK_TABLE_H

#include "pack.h"

enum {
    CHUNK_ROWS_MAX = 256,
    CHUNK_COLUMNS_MAX = 1024,
    CHUNK_TABLE_MAX = 16 * 1024 * 1024 /* bytes of a table unpacked; also of a stored one */
};

struct chunk_columns {
    uint32_t count;         /* of the values of a row, the address column among them */
    int32_t address_column; /* its value is the address; -1: no such column */
};

/* Appends one row as it stands in a table: what the loader sorts. values: columns.count of them (that of the
 * address column is ignored). False when it does not fit. */
bool chunk_row_put(struct buf *out, const struct chunk_columns *columns, struct slice address,
                   const struct slice *values);

/* The address of such a row; false when the row is malformed. */
bool chunk_row_address(struct slice row, struct slice *address);

/* Packs `count` rows (1 to CHUNK_ROWS_MAX) that stand one after the other in `rows` and appends the stored
 * form to *out; *scratch is reset and used. False when something does not fit, or without memory. */
bool chunk_table_encode(const struct chunk_columns *columns, unsigned count, struct slice rows,
                        struct pack *pack, struct buf *scratch, struct buf *out);

struct chunk_cell {
    uint32_t at, len;
};

struct chunk_table {
    struct chunk_columns columns;
    unsigned count;                 /* rows: slots 0 .. count - 1 */
    size_t bytes;                   /* memory that the table takes */
    const char *text;               /* what the cells point into */
    const struct chunk_cell *cells; /* count x (1 + columns.count): address, values */
};

/* Reads a stored table. Any bytes are safe; anything but a table is ERR_CORRUPT. One heap object, freed by
 * chunk_table_free. NULL with err. */
struct chunk_table *chunk_table_decode(struct slice stored, struct pack *pack, struct err *err);
void chunk_table_free(struct chunk_table *t); /* NULL is fine */

/* slot < count; column < columns.count. Valid as long as the table. */
static inline struct slice chunk_table_cell(const struct chunk_table *t, unsigned slot, unsigned cell) {
    const struct chunk_cell *c = &t->cells[(size_t)slot * (t->columns.count + 1) + cell];
    return (struct slice){t->text + c->at, c->len};
}
static inline struct slice chunk_table_address(const struct chunk_table *t, unsigned slot) {
    return chunk_table_cell(t, slot, 0);
}
static inline struct slice chunk_table_value(const struct chunk_table *t, unsigned slot, unsigned column) {
    return chunk_table_cell(t, slot, column + 1);
}

#endif
