/* An external merge sort of rows by a 64-bit hash: an audience of any size in bounded memory.
 *
 * Rows gather in memory; when the bound is reached they are sorted and written as a run, packed, to a
 * temporary file without a name in the store's directory, and the runs are merged in the end. What fits in
 * memory never touches the disk. Equal hashes come out in the order in which they went in. For one thread. */
#ifndef TSUBAME_SORTER_H
#define TSUBAME_SORTER_H

#include "store.h"

enum { SORTER_MEMORY = 32 * 1024 * 1024, SORTER_ROW_MAX = 1024 * 1024 };

struct sorter;

/* memory: bytes for rows, their index and its sorting before a run is written; 0: SORTER_MEMORY; at least 64
 * KB. Merging takes about 64 KB a run. NULL without memory. */
struct sorter *sorter_open(struct store *store, size_t memory, struct err *err);
void sorter_free(struct sorter *s); /* NULL is fine; at any time; the temporary file goes with it */

/* Takes a copy of the row (at most SORTER_ROW_MAX bytes). -1 with err: ERR_SPACE when the disk is nearly full
 * (the store's reserve is left alone); the sorter is then only to be freed. */
int sorter_add(struct sorter *s, uint64_t hash, struct slice row, struct err *err);

/* No more rows come. */
int sorter_finish(struct sorter *s, struct err *err);

/* The next row in the order of hashes: 1 (*row is valid until the next call), 0 at the end, -1 with err. */
int sorter_next(struct sorter *s, uint64_t *hash, struct slice *row, struct err *err);

struct sorter_stats {
    uint64_t rows;
    uint64_t runs;    /* written to disk */
    uint64_t written; /* bytes of them */
};
void sorter_stats(const struct sorter *s, struct sorter_stats *out);

#endif
