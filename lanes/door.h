/* A door that is shut: when to knock. Pure.
 *
 * The pause between two knocks grows with the time that it has been shut, so that one which opens after any
 * time at all is found open a little later, at the cost of few knocks; and a server that shuts for longer
 * when somebody knocks is left alone long enough in the end. */
#ifndef TSUBAME_DOOR_H
#define TSUBAME_DOOR_H

#include "clock.h"

#include <stdbool.h>

struct door {
    bool shut;
    mono_us since;
    mono_us next;        /* when to knock */
    mono_us last;        /* the last knock that was refused */
    mono_us least, most; /* between two knocks */
    uint32_t knocks;
};

void door_shut(struct door *d, mono_us least, mono_us most, mono_us now);
/* May one knock now? Then the next one waits; it is told with door_refused or door_opened. */
bool door_knock(struct door *d, mono_us now, mono_us *when);
void door_refused(struct door *d, mono_us now);
/* Somebody was let in. Returns for how long it was shut. */
mono_us door_opened(struct door *d, mono_us now);

#endif
