/* How many messages a second a lane may send: found from what is taken and what is refused. Pure.
 *
 *     GROW    nothing known: doubled while it binds and nothing is refused
 *     LISTEN  refused: nothing is sent for a round trip; the answers that are on their way tell how bad it is
 *     SETTLE  a lower pace is tried out, and further down while too much is refused
 *     HOLD    just below what is known
 *     CLIMB   upward in steps, until the next refusal or far beyond what was known
 *     SHUT    nothing at all is taken: one message at a time, seldom
 *
 * In an overload the share that is taken tells the limit, whatever the server's burst: what is sent a second
 * times that share. Where nothing is taken for a while the server counts by windows of time: whichever
 * stretch of time before it opens again has the highest average is such a window, and that average the limit.
 * A climb that fails has used up what the server gives at once (its burst): what was taken beyond the known
 * pace before it failed is remembered, and a later climb proves nothing before it took more. */
#ifndef TSUBAME_PACE_H
#define TSUBAME_PACE_H

#include "door.h"
#include "doubt.h"
#include "meter.h"
#include "pace_evidence.h"

enum pace_mode { PACE_GROW, PACE_LISTEN, PACE_SETTLE, PACE_HOLD, PACE_CLIMB, PACE_SHUT };

/* What a refusal meant. */
enum pace_verdict {
    PACE_CHANCE, /* one of those that always come */
    PACE_ALARM,  /* the pace is above the limit */
    PACE_KNOWN   /* that is being seen to */
};

struct pace {
    double cap; /* messages a second */
    double floor, ceiling;
    double known;         /* the limit as found; 0: not */
    double clean;         /* the step of a climb before this one */
    double step;          /* of a climb: 0.02 is 2 % */
    double climbed_from;  /* `known` when the last climb began */
    double burst, excess; /* messages beyond that: which a server took before it refused; in this climb */
    mono_us window;       /* it counts by windows of about that length; 0: it does not seem so */
    double sent;          /* what was really sent a second when the alarm came */
    enum pace_mode mode, from; /* from: the mode before LISTEN */
    double raised_from;        /* `known` before it was raised and not yet held for long; 0: it was not */
    double too_high;           /* what was refused when it was held; 0: none known */
    uint32_t raises;
    mono_us next; /* when the mode's next step may be taken */
    mono_us stepped;
    mono_us quiet;    /* nothing is sent before */
    mono_us counting; /* answers count from then on: what was sent before the last step is not of it */
    uint32_t took, turned, said; /* of the step: taken, refused, of these with words that name the rate */
    bool dips, dipped;  /* it goes below what is held, to see whether less is refused; it did the last time */
    uint32_t contrasts; /* steps that asked whether it is chance */
    double tried_share, tried_cap; /* of the step before, where that was long enough to tell; 0: it was not */
    double
        proven; /* share: so much is refused by chance, as a contrast has shown; more is only thought to be */
    uint32_t row;    /* refused in a row */
    uint32_t cuts;   /* since the last HOLD */
    mono_us alarmed; /* the last alarm, and how it was before */
    double cap_before, known_before;
    struct door door;
    mono_us rest; /* for so long it should stay away, say our rules of its words: not before much else was
                     tried */
    mono_us shut_first, opened_last; /* of a row of SHUTs, one soon after the other */
    mono_us climb_began;
    mono_us probe_wait;    /* from a failed climb to the next one, at least */
    double probe_messages; /* and messages */
    double tokens;
    mono_us filled;
    struct doubt doubts[2]; /* refusals in words that say little; in words that name the rate */
    bool is_new;            /* of the climb into the unknown, and what was found by it: */
    bool found_chance;      /* nothing but chance was seen in it */
    uint32_t tries;         /* how often it went on upward, as it was not sure */
    struct evidence evidence;
    struct meter granted;
    struct meter taken, taken_long; /* by seconds, by minutes and a half */
};

/* In messages a second; ceiling 0: none. */
void pace_init(struct pace *p, double start, double floor, double ceiling, mono_us now);
/* From earlier; trust: 1 for what is fresh, less for what is old. */
void pace_remember(struct pace *p, double known, double burst, double trust, mono_us now);
/* The alarms since then were about something else. */
void pace_forgive(struct pace *p, mono_us since, mono_us now);

/* It was shut for another reason: all is as it was before. */
void pace_clear(struct pace *p, mono_us now);

/* How many of `want` may be sent now; they count as sent. 0: *when says when to ask again. */
unsigned pace_take(struct pace *p, unsigned want, mono_us now, mono_us *when);
/* When the next message may be sent: now, or later. */
mono_us pace_ready(const struct pace *p, mono_us now);
/* They were not sent after all. knock: one of them was the try at a pace that is shut. */
void pace_give_back(struct pace *p, unsigned n, bool knock);
/* So many more were sent than were asked for. */
void pace_charge(struct pace *p, unsigned n, mono_us now);

/* A message that was sent then was taken. What was under way when the pace was shut says nothing of whether
 * it is open again. */
void pace_accepted(struct pace *p, mono_us sent, mono_us now);
/* One message was refused, maybe for the rate. rtt: from handing a window out to its answers, about. */
/* Its words are those of a server that wants to be left alone for so long (0: they are not), though it does
 * not say so. If nothing is taken for long, knocks get as rare as that. */
void pace_asked_rest(struct pace *p, mono_us rest);
enum pace_verdict pace_refused(struct pace *p, bool said, mono_us rtt, mono_us now);
/* Now and then, and after answers. */
void pace_step(struct pace *p, mono_us rtt, mono_us now);
/* Is it the pace that bounds the lane, and not the work or the connections? */
bool pace_binds(struct pace *p, mono_us now);

#endif
