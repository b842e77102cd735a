/* A table of things that stand between two others (a domain and a campaign, a lane and a campaign): found
 * again by both. Intrusive: a thing begins with its `struct pair`. */
#ifndef TSUBAME_PAIRS_H
#define TSUBAME_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pair {
    const void *of, *whose;
    struct pair *same_hash;
};

struct pairs {
    struct pair **slots;
    size_t size, used; /* size: a power of two */
    uint64_t seed;
};

bool pairs_init(struct pairs *p, uint64_t seed); /* false without memory */
void pairs_done(struct pairs *p);                /* what is in it stays the caller's */
struct pair *pairs_find(const struct pairs *p, const void *of, const void *whose); /* or NULL */
/* `of` and `whose` are set, and no such pair is there. */
void pairs_add(struct pairs *p, struct pair *pair);
void pairs_drop(struct pairs *p, struct pair *pair); /* it is there */

#endif
