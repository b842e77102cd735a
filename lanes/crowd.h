/* How many connections at a time a lane may have: found from which are let in and which are refused. Pure.
 *
 * It grows by a quarter while all are busy and let in. A refused connection with `in` others says what the limit
 * is: it stays there, and tries one more now and then, not more often than once for so many connections let in
 * (a refusal costs the server patience, and us a connection). */
#ifndef TSUBAME_CROWD_H
#define TSUBAME_CROWD_H

#include "clock.h"

#include <stdbool.h>
#include <stdint.h>

struct crowd {
    uint32_t cap, ceiling;
    uint32_t open;        /* connecting, too */
    uint32_t in;          /* let in */
    bool known;           /* cap was found by a refusal */
    bool trying;          /* one more than known is on its way */
    uint32_t let_in;      /* since the last refusal */
    uint32_t refused;     /* in a row */
    mono_us pause_until;  /* after a refusal */
    mono_us probe_at;
    mono_us probe_wait;
    mono_us grown;        /* the last step */
};

void crowd_init(struct crowd *c, uint32_t start, uint32_t ceiling, mono_us now);

/* May one more be opened? Then it counts. wanted: all that are in are busy and work waits. If not, *when says
 * when to ask again; NEVER: when one has closed. */
bool crowd_open(struct crowd *c, bool wanted, mono_us now, mono_us *when);
void crowd_let_in(struct crowd *c, mono_us rtt, mono_us now);
/* Refused for their number; it was not let in. */
void crowd_refused(struct crowd *c, mono_us now);
/* Not let in for another reason. */
void crowd_failed(struct crowd *c);
void crowd_closed(struct crowd *c); /* one that was in */

#endif
