/* Sums by name: how many wait for each domain, say. */
#ifndef TSUBAME_COUNTING_H
#define TSUBAME_COUNTING_H

#include "slice.h"

enum { COUNTING_NAMES_MAX = 1 << 20 }; /* what has another name then goes into `other` */

struct counted {
    uint64_t waiting, under_way, deferred;
    int64_t next_due; /* the earliest, wall_us; NEVER: none */
    char *name;
};

struct counting {
    struct counted *all;
    size_t count, room;
    uint32_t *places; /* index + 1 in all, by hash */
    size_t place_count;
    struct counted other;
};

void counting_init(struct counting *c);
void counting_done(struct counting *c);
/* The one of that name, made when new; `other` when there is no more room, or no memory. Valid until the next
 * call. */
struct counted *counting_of(struct counting *c, struct slice name);
/* The most first; equal ones by name. Nothing can be looked up any more. */
void counting_sort(struct counting *c);

#endif
