/* The suppression list of a ledger: asked before a mail is begun, changed together with outcomes.
 *
 * Changes go into the batch under construction, like all else of the ledger, and are seen by the next
 * question at once. What is asked is answered by a filter in memory (suppress_filter.h) where the address
 * has no row, which is nearly always, and else by the store. Belongs to the ledger's thread. */
#ifndef TSUBAME_SUPPRESS_H
#define TSUBAME_SUPPRESS_H

#include "ledger.h"
#include "suppression.h"

/* Is there anything to ask for? False costs one comparison. */
bool ledger_suppress_any(const struct ledger *l);

/* Is the address on the list? 1 with *row (its slices are valid until the next call of this header), 0, or -1
 * with err: the store can't be read. */
int ledger_suppressed(struct ledger *l, uint32_t tenant, struct slice address, struct suppress_row *row,
                      struct err *err);

enum suppress_change {
    SUPPRESS_UNCHANGED, /* put: on the list already, as wanted; removed: it was not there */
    SUPPRESS_ADDED,
    SUPPRESS_CHANGED,
    SUPPRESS_REMOVED
};

/* Puts an address on the list, or changes its row, by suppress_merge. ERR_INPUT: no address. */
int ledger_suppress_put(struct ledger *l, uint32_t tenant, struct slice address,
                        const struct suppress_row *wanted, enum suppress_source source, wall_us now,
                        enum suppress_change *change, struct err *err);

/* Takes it off the list; its count of failures begins anew too. */
int ledger_suppress_remove(struct ledger *l, uint32_t tenant, struct slice address,
                           enum suppress_change *change, struct err *err);

/* Mail to it failed, though not for certain. With the `after`th such failure in a row it comes on the list
 * (SUPPRESS_ADDED); after 0: nothing is counted. One that is on the list is left as it is. */
int ledger_suppress_failed(struct ledger *l, uint32_t tenant, struct slice address,
                           const struct suppress_proof *proof, unsigned after, wall_us now,
                           enum suppress_change *change, struct err *err);

/* Mail to it arrived: failures are counted anew. Costs a look into the filter, and a row only where there is
 * a count. */
int ledger_suppress_delivered(struct ledger *l, uint32_t tenant, struct slice address, struct err *err);

/* Reads up to `rows` rows into the filter: it is empty after ledger_open, and filled anew when it has become
 * too small; until then the store is asked more often. True while there is more to do; what can't be
 * read leaves all to the store. */
bool ledger_suppress_fill(struct ledger *l, unsigned rows);

struct suppress_stats {
    uint64_t listed, counted; /* rows, with all changes */
    uint64_t asked;           /* questions that went to the store */
    uint64_t filter_bytes;
    bool filling;
};
void ledger_suppress_stats(const struct ledger *l, struct suppress_stats *out);

#endif
