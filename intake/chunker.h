/* Cuts sorted audience rows into chunks and puts their tables into a segment.
 *
 * Rows come in the order of their address hashes (sorter.h), so equal domains are neighbours. Of rows with
 * the same address (ASCII case ignored) the first is kept. A chunk has at most 256 recipients, covers a
 * contiguous range of hashes that no other chunk of the campaign overlaps, and never splits rows of one hash.
 * A domain with 32 rows or more gets chunks of its own; smaller ones share. */
#ifndef TSUBAME_CHUNKER_H
#define TSUBAME_CHUNKER_H

#include "chunk_table.h"
#include "segment.h"

enum {
    CHUNKER_OWN_DOMAIN = 32,        /* rows from which a domain has its own chunks */
    CHUNKER_CUT_BYTES = 1024 * 1024 /* of rows: chunks of large rows hold fewer */
};

struct chunk_made {
    uint32_t index; /* 0, 1, 2... in the order of hashes */
    uint16_t count;
    uint64_t first_hash, last_hash;
    struct slice domain; /* the one domain of all its recipients; empty when mixed */
    struct segment_ref table;
};

/* 0, or -1 with err to stop. The table is appended to the segment, not synced. */
typedef int chunker_made_fn(void *ctx, const struct chunk_made *made, struct err *err);
typedef void chunker_duplicate_fn(void *ctx, struct slice address);

struct chunker;

/* segment stays the caller's. duplicate may be NULL. NULL without memory. */
struct chunker *chunker_open(const struct chunk_columns *columns, struct segment_writer *segment,
                             chunker_made_fn *made, chunker_duplicate_fn *duplicate, void *ctx,
                             struct err *err);
void chunker_free(struct chunker *c); /* NULL is fine */

/* row: as chunk_row_put makes them. hash must not fall. */
int chunker_add(struct chunker *c, uint64_t hash, struct slice row, struct err *err);

/* Makes the last chunk. */
int chunker_finish(struct chunker *c, struct err *err);

struct chunker_stats {
    uint64_t kept, duplicates;
    uint32_t chunks;
};
void chunker_stats(const struct chunker *c, struct chunker_stats *out);

#endif
