/* Which segment files are still named: by chunks and payloads of the ledger, by chunks of the history. */
#ifndef TSUBAME_SWEEP_SEGMENTS_H
#define TSUBAME_SWEEP_SEGMENTS_H

#include "err.h"
#include "store.h"

/* Deletes the segment files that nothing names (a load that was given up, a crash). Returns how many, or -1
 * with err. Any thread; beside everything else. */
int sweep_segments(struct store *store, struct err *err);

#endif
