/* Blocks that the ledger has dropped although the history never got them: history.db was deleted by hand, or
 * replaced by an older copy. They cannot be had back, but everybody who reads must be told. */
#ifndef TSUBAME_HISTORY_GAP_H
#define TSUBAME_HISTORY_GAP_H

#include "buf.h"
#include "err.h"
#include "sql.h"
#include "store.h"

struct history_gap {
    uint64_t first, last; /* blocks, both included; last 0: none are missing */
};

/* What is known from before. */
int history_gap_get(struct sql *db, struct history_gap *gap, struct err *err);
int history_gap_put(struct sql *db, const struct history_gap *gap, struct err *err);

/* Where the ledger's blocks begin (one behind the last when it holds none). A read is open. */
int history_gap_oldest(struct store_reader *r, uint64_t *oldest, struct err *err);

/* Adds to the gap what lies between the cursor and the ledger's oldest block. True when there was anything.
 */
bool history_gap_add(struct history_gap *gap, uint64_t cursor, uint64_t oldest);

/* ERR_CORRUPT when the cursor is beyond all that the ledger ever wrote: its next blocks would be passed over.
 * A read is open. */
int history_gap_check_ahead(struct store_reader *r, uint64_t cursor, struct err *err);

/* A sentence for people. */
void history_gap_put_text(const struct history_gap *gap, struct buf *out);

#endif
