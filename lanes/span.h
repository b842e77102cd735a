/* How many messages a connection takes: found from where in a connection it ends. Pure.
 *
 * Two connections of which the second was opened after the first had ended, both refused (or closed) behind
 * the same number of messages, are no chance; with small numbers it takes three. Words that name it need no
 * second. Costs nothing to keep, so it is asked for more only now and then. */
#ifndef TSUBAME_SPAN_H
#define TSUBAME_SPAN_H

#include "clock.h"

#include <stdbool.h>
#include <stdint.h>

struct span {
    uint32_t limit; /* 0: none known */
    uint32_t floor, ceiling;
    uint32_t proven;    /* the most that a connection took, since the limit was found */
    uint32_t candidate; /* where the last one ended */
    mono_us ended;      /* when */
    mono_us began;      /* when the first one ended there */
    bool refuted;       /* a connection took more than the last candidate: it was something else */
    uint32_t matches;   /* further ones that ended there */
    bool sure;          /* it was said, or ended there again when more was tried */
    uint32_t kept;      /* connections that were filled to the limit, since the last try for more */
    mono_us tried;
};

void span_init(struct span *s, uint32_t start, uint32_t floor, uint32_t ceiling);
/* For a new connection: the most messages for it; 0: any number. */
uint32_t span_for(struct span *s, mono_us now);
/* A connection has taken n by now. */
void span_taken(struct span *s, uint32_t n);
/* One that was let in at `let_in` ended behind n messages, the server's doing; said: it said so. True: the
 * limit is another now. */
bool span_ended(struct span *s, uint32_t n, bool said, mono_us let_in, mono_us now);
/* One that was let go on ended at the limit all the same. */
void span_confirmed(struct span *s);
/* Would an end behind n fit: is nothing known that speaks against it? */
bool span_fits(const struct span *s, uint32_t n);

#endif
