/* How many connections at a time a lane may have: found from which are let in and which are refused. Pure.
 *
 * It grows by a quarter while all are busy and let in. A refused connection with `in` others says what the
 * limit is: it stays there, and tries one more now and then, not more often than once for so many connections
 * let in (a refusal costs the server patience, and us a connection). */
#ifndef TSUBAME_CROWD_H
#define TSUBAME_CROWD_H

#include "clock.h"

#include <stdbool.h>
#include <stdint.h>

struct crowd {
    uint32_t cap, floor, ceiling;
    uint32_t open; /* connecting, too */
    uint32_t in;   /* let in */
    uint32_t peak; /* the most that were in since the last refusal that was due to them */
    bool known;    /* cap was found by a refusal */
    bool trying;   /* one more than known is on its way */
    bool eased;    /* cap is what is worth having: more would be let in */
    bool held;     /* it does not grow for now */
    struct crowd_before {
        uint32_t cap;
        bool known, eased;
    } before;            /* crowd_try */
    uint32_t let_in;     /* since the last refusal, or the last step */
    uint32_t refined;    /* refusals soon after it was found */
    uint32_t refused;    /* in a row */
    uint32_t topped;     /* more than ever was refused so often, which may have been chance */
    struct crowd_trial { /* refusals with fewer connections than are known to be good: are they told apart by
                            their number? */
        mono_us since;
        uint32_t refused, taken;            /* connections */
        uint32_t least_refused, most_taken; /* with so many others */
    } trial;
    mono_us pause_until; /* after a refusal */
    mono_us probe_at;
    mono_us probe_wait;
    mono_us grown; /* the last step */
    mono_us found; /* when a refusal told the limit last */
    mono_us rtt;   /* as of the last that was let in */
};

/* floor: at least 1. */
void crowd_init(struct crowd *c, uint32_t start, uint32_t floor, uint32_t ceiling, mono_us now);

/* May one more be opened? Then it counts. wanted: all that are in are busy and work waits. If not, *when says
 * when to ask again; NEVER: when one has closed. */
bool crowd_open(struct crowd *c, bool wanted, mono_us now, mono_us *when);
void crowd_let_in(struct crowd *c, mono_us rtt);
/* Would a refusal now speak of their number: are at least as many in as ever were? */
bool crowd_fits(const struct crowd *c, mono_us now);
/* The same, strictly: are more? */
bool crowd_tops(const struct crowd *c);
/* Refused with fewer than that. True: such refusals (as many as `least`) came with more others than those
 * that were let in meanwhile, so it is their number after all. */
bool crowd_wonder(struct crowd *c, uint32_t least, mono_us now);
/* Refused for their number; it was not let in. */
void crowd_refused(struct crowd *c, mono_us now);
/* So many, to see what they bring. crowd_back undoes it, if no refusal told another number meanwhile. */
void crowd_try(struct crowd *c, uint32_t cap);
void crowd_back(struct crowd *c, mono_us now);
/* What was found is wrong after all: refusals were for another reason. */
void crowd_forget(struct crowd *c, mono_us now);
/* Not let in for another reason. */
void crowd_failed(struct crowd *c);
void crowd_closed(struct crowd *c); /* one that was in */

#endif
