/* The history: history.db in the store's folder, what the projector makes of the ledger's blocks.
 *
 *     note      the audit trail (notes.h); seq and n: the block and the place in it that it stands at
 *     removed   campaigns whose chunks and outcomes were taken out (history_removed.h)
 *     cursor    row 1: every block up to `sequence` is in here; none after `newest` is. Row 2, if any: the
 * gap (history_gap.h) campaign  the newest row of each campaign (queue/row.h) chunk     where each chunk's
 * addresses lie; (campaign, first_hash) finds the chunk of an address history   the outcomes of a chunk, in
 * order: one row when it closed, more for what came later. `seq` is the newest block that went into the row:
 * events of the chunk in blocks up to it are not counted again
 *
 * A row of history.events is a sealed event block (queue/event.h). */
#ifndef TSUBAME_HISTORY_H
#define TSUBAME_HISTORY_H

#include "err.h"
#include "row.h"
#include "sql.h"
#include "store.h"

struct history_cursor {
    uint64_t sequence;
    uint64_t newest;
};

/* Opens (and creates, unless read_only) history.db in `dir`. read_only and not there: ERR_ABSENT. NULL with
 * err. */
struct sql *history_open(const char *dir, bool read_only, struct err *err);

/* An empty history gives zeros. */
int history_cursor_get(struct sql *db, struct history_cursor *cursor, struct err *err);
int history_cursor_put(struct sql *db, const struct history_cursor *cursor, struct err *err);

/* detail: an encoded campaign_row or chunk_row (checked here). Putting the same again changes nothing. */
int history_campaign_put(struct sql *db, struct slice detail, struct err *err);
int history_chunk_put(struct sql *db, struct slice detail, struct err *err);

int history_part_put(struct sql *db, uint64_t chunk, uint64_t seq, struct slice events, struct err *err);

/* The newest block that the chunk's parts hold; 0 without parts. */
int history_chunk_newest(struct sql *db, uint64_t chunk, uint64_t *seq, struct err *err);

/* For segment_sweep: adds every segment file that a chunk of the history names. */
int history_mark_segments(struct sql *db, struct segment_set *live, struct err *err);

/* Hashes are unsigned, SQL integers are not: this keeps the order. */
static inline int64_t history_hash(uint64_t hash) {
    return (int64_t)(hash ^ UINT64_C(1) << 63);
}

/* A row of the statement: idx, first_hash, last_hash, count, domain, file, offset, len from column 0. domain
 * is borrowed from the statement. */
struct chunk_row history_chunk_row(struct sql_stmt *st, uint32_t campaign);
#define HISTORY_CHUNK_COLUMNS "idx, first_hash, last_hash, count, domain, file, place, length"

#endif
