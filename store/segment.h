/* Segment files: append-only, for bytes too large for the ledger (chunk tables, big payloads).
 *
 * A record is named by a segment_ref, kept in a ledger row. The rule that makes names good after a crash:
 * append, segment_sync, and only then submit the batch that names the records. A writer always starts a new
 * file, so what a crash left behind is never appended to; a file that no row names is deleted by
 * segment_sweep. Each record carries its length and a checksum seeded with its place, so a torn, damaged or
 * foreign record is an error (ERR_CORRUPT) and never data. */
#ifndef TSUBAME_SEGMENT_H
#define TSUBAME_SEGMENT_H

#include "store.h"

enum {
    SEGMENT_REF_BYTES = 12,
    SEGMENT_FILE_MAX = 256 * 1024 * 1024, /* a new file is begun past this */
    SEGMENT_RECORD_MAX = 64 * 1024 * 1024
};

struct segment_ref {
    uint32_t file; /* from 1; 0 names nothing */
    uint32_t offset;
    uint32_t len;
};

/* In ledger rows. */
bool segment_ref_put(struct buf *b, struct segment_ref ref);
bool segment_ref_take(struct slice *s, struct segment_ref *ref);

struct segment_writer;

/* For one thread. Keep it open until the batches that name its records are committed: while it is open
 * segment_sweep leaves its files alone. No file is made before the first append. NULL with err. */
struct segment_writer *segment_writer_open(struct store *s, struct err *err);

/* What was not synced may be lost. NULL is fine. */
void segment_writer_free(struct segment_writer *w);

/* record: 1 byte to SEGMENT_RECORD_MAX. On failure (ERR_SPACE) earlier records are untouched, and the next
 * append may be tried. Never dips into the store's reserve: a nearly full disk refuses. */
int segment_append(struct segment_writer *w, struct slice record, struct segment_ref *ref, struct err *err);

/* All that was appended is durable, the file names too. */
int segment_sync(struct segment_writer *w, struct err *err);

/* Appends the record's bytes to *out (whose maximum must allow them). Sees what was synced; any thread. */
int segment_read(struct store *s, struct segment_ref ref, struct buf *out, struct err *err);

/* What all segment files take. Any thread. */
int segment_bytes(struct store *s, uint64_t *bytes, struct err *err);

/* A set of file numbers. */
struct segment_set;
bool segment_set_add(struct segment_set *set, uint32_t file); /* false without memory */

/* Deletes the files that nothing names. `mark` must add the file of every segment_ref that it finds in the
 * tables through r (begun by the sweep, at the right moment); -1 from it stops the sweep. Returns the number
 * of files deleted, or -1 with err. While a backup runs nothing is deleted (0). */
int segment_sweep(struct store *s,
                  int (*mark)(void *ctx, struct store_reader *r, struct segment_set *live, struct err *err),
                  void *ctx, struct err *err);

#endif
