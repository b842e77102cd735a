/* An arena: many small allocations with one lifetime (a request, a session, a message).
 *
 * Nothing is freed singly; arena_done frees all. Blocks are 8-byte aligned. Every allocation fails (NULL)
 * past the maximum, so that what a peer can make us hold is bounded. Owner: whoever called arena_init. */
#ifndef TSUBAME_ARENA_H
#define TSUBAME_ARENA_H

#include "slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the newest first */
    size_t used;                /* bytes handed out in all */
    size_t max;
};

void arena_init(struct arena *a, size_t max);
void arena_done(struct arena *a);
void arena_reset(struct arena *a); /* frees all but one block */

void *arena_alloc(struct arena *a, size_t n);        /* not cleared; NULL past the maximum */
void *arena_zalloc(struct arena *a, size_t n);       /* cleared */
char *arena_string(struct arena *a, struct slice s); /* a copy with a NUL behind it */
bool arena_copy(struct arena *a, struct slice s, struct slice *copy);

#endif
