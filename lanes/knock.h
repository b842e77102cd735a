/* New connections a minute: found from how many were let in before one is refused. Pure.
 *
 * Kept as an even pace, which is right for servers that count by minutes and for those that fill a bucket.
 * While it binds and all goes well it is raised a little each minute, after a pause that grows with each
 * failure. */
#ifndef TSUBAME_KNOCK_H
#define TSUBAME_KNOCK_H

#include "door.h"
#include "meter.h"

struct knock {
    double limit; /* a minute; 0: none known */
    double floor, ceiling;
    double blamed; /* the limit before the last refusal, 0: none */
    double before; /* the limit before it was raised; 0: it was not */
    double high;   /* so many were refused, when that was tried; 0: not known */
    double tokens;
    mono_us filled;
    struct door door;    /* refused: when to try again */
    struct meter let_in; /* by 2 s */
    mono_us quiet;       /* it had to be left alone for so long before it let anybody in; 0: never */
    mono_us counting; /* since then, `counted` were let in: the first one ever, or the last time it opened */
    uint32_t counted;
    bool unsure;    /* the limit is by what was let in before it refused: when it opens it shows better */
    mono_us failed; /* the last try of more */
    mono_us raise_at, raise_wait;
    bool staying_away;
    bool bound; /* it held a connection back since the last raise */
};

/* start: 0: none known. */
void knock_init(struct knock *k, double start, double floor, double ceiling, mono_us now);
bool knock_may(struct knock *k, mono_us now, mono_us *when); /* changes nothing but the time */
void knock_opened(struct knock *k, mono_us now);             /* a connection is being opened */
void knock_moved(struct knock *k); /* an attempt goes on to another host: that is a connection too */
void knock_let_in(struct knock *k, mono_us now);
/* May a refusal now speak of new connections: were there any to speak of? */
bool knock_fits(struct knock *k, mono_us now);
/* Refused for their number in a minute. */
void knock_refused(struct knock *k, mono_us now);

/* It refuses though there are few: for how long it does is found by trying, and remembered. */
void knock_stay_away(struct knock *k, mono_us now);

/* The last refusals were about something else. */
void knock_pardon(struct knock *k);
/* All of them were: it goes on without a limit, or with that of the start. */
void knock_forget(struct knock *k, double start, mono_us now);

#endif
