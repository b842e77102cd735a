/* How many messages a second a lane may send: found from what is taken and what is refused. Pure.
 *
 *     GROW     nothing known: doubled while it binds and nothing is refused
 *     RETREAT  refused: down at once, further down while refusals go on
 *     HOLD     just below what is known
 *     CLIMB    upward in growing steps, until the next refusal or far beyond what was known
 *
 * In an overload the share that is taken tells the limit, whatever the server's burst: what is sent a second
 * times that share. Where nothing is taken for a while the server counts by windows of time: whichever stretch of
 * time before it opens again has the highest average is such a window, and that average the limit. */
#ifndef TSUBAME_PACE_H
#define TSUBAME_PACE_H

#include "meter.h"

#include <stdbool.h>

enum pace_mode { PACE_GROW, PACE_RETREAT, PACE_HOLD, PACE_CLIMB };

struct pace {
    double cap; /* messages a second */
    double floor, ceiling;
    double known; /* the limit as found; 0: not */
    double step;  /* of a climb: 0.02 is 2 % */
    enum pace_mode mode, from; /* from: the mode before a retreat */
    mono_us next;              /* when the mode's next step may be taken */
    mono_us quiet;             /* nothing is sent before */
    mono_us counting;          /* answers count from then on: what was sent before the last step is not of it */
    uint32_t took, turned;     /* of the step: accepted, refused */
    mono_us shut;              /* since when nothing at all is accepted; 0: something is */
    mono_us probe_wait;        /* from a failed climb to the next one */
    double tokens;
    mono_us filled;
    struct meter granted;
    struct meter taken, taken_long; /* by seconds, by minutes */
};

void pace_init(struct pace *p, double start, double floor, double ceiling, mono_us now);

/* How many of `want` may be sent now; they count as sent. 0: *when says when to ask again. */
unsigned pace_take(struct pace *p, unsigned want, mono_us now, mono_us *when);
void pace_give_back(struct pace *p, unsigned n);

void pace_accepted(struct pace *p, mono_us now);
/* One message was refused for the rate. rtt: from handing a window out to its answers, about. */
void pace_refused(struct pace *p, mono_us rtt, mono_us now);
/* Now and then, and after answers. */
void pace_step(struct pace *p, mono_us rtt, mono_us now);

#endif
