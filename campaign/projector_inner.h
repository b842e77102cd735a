/* What projector.c and projector_thread.c share. */
#ifndef TSUBAME_PROJECTOR_INNER_H
#define TSUBAME_PROJECTOR_INNER_H

#include "history.h"
#include "projector.h"

#include <pthread.h>

/* Outcomes of one chunk that are not in the history yet. */
struct gather {
    uint64_t chunk;
    uint64_t skip;        /* events of blocks up to this are there already */
    uint64_t first, last; /* the blocks that these events came from; 0: none yet */
    mono_us since;
    bool closed;
    struct event_block events;
    struct gather *next;
};

struct projector {
    struct store *store;
    struct projector_options options;
    struct sql *db;
    struct store_reader *reader;
    struct history_cursor cursor; /* as written */
    struct history_gap gap;
    uint64_t read;  /* the newest block taken in */
    uint64_t known; /* blocks up to this may be in the history in part */
    bool broken;    /* the block at `read` could not be taken in */
    struct err why; /* it could not */
    struct gather **buckets;
    size_t gathers;
    size_t bytes;
    struct buf scratch, sealed;
    struct buf rows; /* campaigns, chunks and notes to come: kind and detail; kind, block, place, event */

    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t woken;
    uint64_t committed, seen; /* as told by projector_wake; as the thread last saw it */
    bool idle;                /* the thread waits for a wake-up */
    bool stopping;
    void (*moved)(void *ctx, uint64_t sequence);
    void *ctx;
    struct projector_stats
        stats; /* events, blocks, rows, writes are the thread's own; shown copies are `shown` */
    struct projector_stats shown;
    struct err error;
};

#endif
