/* What became of the recipients of one chunk: the fold of its events in order. Pure. */
#ifndef TSUBAME_FOLD_H
#define TSUBAME_FOLD_H

#include "event.h"
#include "rid.h"

/* The words of the ledger's equation; one for each recipient at each moment. */
enum fate {
    FATE_PENDING,
    FATE_DELIVERED,
    FATE_FAILED,
    FATE_SUPPRESSED,
    FATE_CANCELLED,
    FATE_EXPIRED,
    FATE_UNCERTAIN
};
enum { FATES = FATE_UNCERTAIN + 1 };
const char *fate_name(enum fate fate); /* "delivered" */

struct fold_slot {
    enum fate fate;
    bool leased;         /* pending, and on the wire as far as is known */
    bool deferred;       /* pending, and tried before: again at `due` */
    uint16_t lost;       /* attempts at it that ended uncertain */
    bool doubted;        /* an attempt at it ended uncertain: the receiver may have two copies */
    bool told;           /* an answer is below */
    struct event answer; /* the last one (slots, chunk and detail are not of interest); its slices are those
                            folded in */
};

struct fold {
    unsigned count;
    struct fold_slot slots[CHUNK_SLOTS];
};

void fold_init(struct fold *f, unsigned count); /* at most CHUNK_SLOTS, all pending */

/* Slots beyond the count are ignored. The event's slices must outlive the fold. */
void fold_event(struct fold *f, const struct event *e);

#endif
