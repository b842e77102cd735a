/* The projector: reads the ledger's blocks behind its cursor and writes the history.
 *
 * Outcomes are gathered for each chunk and written when the chunk closes, when they have waited for `age`, or
 * when all together hold more than `memory`. Rows and cursor go in one transaction, and each row says which
 * block it ends with: whatever happens, every event is in the history exactly once. The cursor stays behind
 * the oldest event not written.
 *
 * Holds of history.db as its only writer. A failed write (a full disk) loses nothing: it is tried again, and
 * reading stops while too much waits. */
#ifndef TSUBAME_PROJECTOR_H
#define TSUBAME_PROJECTOR_H

#include "clock.h"
#include "err.h"
#include "history_gap.h"
#include "store.h"

struct projector;

struct projector_options {
    int64_t pace_us; /* the least between two writes */
    int64_t age_us;
    size_t memory;
};

/* The store stays the caller's, and open until projector_free. NULL with err; ERR_CORRUPT when the history is
 * of another ledger. */
struct projector *projector_open(struct store *store, const struct projector_options *options,
                                 struct err *err);
void projector_free(
    struct projector *p); /* what is gathered and not written stays in the ledger; NULL is fine */

/* By hand, without a thread. projector_read takes in the blocks that are there: 0 all of them, 1 as many as
 * memory allows before a write, -1 with err. projector_write writes what is due at `now` (all: everything).
 */
int projector_read(struct projector *p, mono_us now, struct err *err);
int projector_write(struct projector *p, mono_us now, bool all, struct err *err);

/* Every block up to this is in the history, but for the gap. */
uint64_t projector_cursor(struct projector *p);

/* What the history will never have, found now or before. */
struct history_gap projector_gap(const struct projector *p);

struct projector_stats {
    uint64_t cursor, blocks, events, rows, writes, failures;
    uint64_t gathered_bytes, gathered_chunks;
};

/* As a thread. `moved` is called by it whenever the cursor moved. */
int projector_start(struct projector *p, void (*moved)(void *ctx, uint64_t sequence), void *ctx,
                    struct err *err);
/* There are blocks up to `sequence`. Any thread, does not block; fits engine_on_commit. p is a struct
 * projector. */
void projector_wake(void *p, uint64_t sequence);
/* Once back, `moved` is not called any more. The thread goes on. */
void projector_detach(struct projector *p);
/* Takes in what is there, writes all of it, ends the thread. -1 with err when something could not be written
 * (it stays in the ledger for the next start). */
int projector_stop(struct projector *p, struct err *err);
/* Any thread. error: the last failure while it lasts, else "". */
void projector_stats(struct projector *p, struct projector_stats *stats, struct err *error);

#endif
