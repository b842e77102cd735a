/* The suppression list's part of the ledger's state. Inside queue/ only. */
#ifndef TSUBAME_SUPPRESS_PRIV_H
#define TSUBAME_SUPPRESS_PRIV_H

#include "suppress_filter.h"
#include "suppression.h"

/* A row changed in a batch that is not durable yet: readers of the store may not see it. */
struct suppress_pending {
    struct suppress_key key;
    bool stale; /* changed once more since: only waits to be freed */
    bool gone;  /* the row is deleted */
    uint64_t hash, batch;
    struct suppress_pending *next;       /* in the order of the changes */
    struct suppress_pending *next_alike; /* in its bucket */
    size_t len;
    char value[];
};

enum { SUPPRESS_BUCKETS = 1024 };

struct suppress_list {
    uint64_t listed, counted;            /* rows; kept in META */
    bool dirty;                          /* META is older */
    struct suppress_filter filter, next; /* next: under construction */
    bool ready;                          /* the filter has all rows */
    bool filling;
    struct suppress_key filled; /* so far, into `next` */
    struct suppress_pending *buckets[SUPPRESS_BUCKETS];
    struct suppress_pending *first, *last;
    struct buf value; /* of the last question */
    struct buf row;   /* scratch for what is put */
    uint64_t asked;
};

struct ledger;
/* ledger.c and recover.c: at open, at seal, when a batch is durable, at the end. */
int suppress_open(struct ledger *l, struct err *err);
void suppress_seal(struct ledger *l);
void suppress_committed(struct ledger *l, uint64_t batch);
void suppress_free(struct ledger *l);

#endif
