/* That a store was restored from a backup taken while work went on: what was sent after that moment is not
 * known in it. One row of TABLE_META, written when it is restored. */
#ifndef TSUBAME_RESTORED_H
#define TSUBAME_RESTORED_H

#include "clock.h"
#include "store.h"

enum { RESTORED_NAMED_MAX = 1000 };

struct restored {
    wall_us taken;                     /* the moment that the backup shows */
    wall_us at;                        /* restored */
    unsigned count;                    /* campaigns that were held for it: the first RESTORED_NAMED_MAX */
    uint32_t held[RESTORED_NAMED_MAX]; /* their numbers */
};

/* False when the batch is full. */
bool restored_put(struct store_batch *b, const struct restored *r);

/* 1, 0 when the store was not restored so, -1 with err. A read is open. */
int restored_get(struct store_reader *reader, struct restored *r, struct err *err);

bool restored_holds(const struct restored *r, uint32_t campaign);

#endif
