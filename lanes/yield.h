/* Do more connections bring more messages, or do they only share what the server, or our own machine, has to
 * give? Pure.
 *
 * Latency says nothing of that: a network may be slow, or a machine busy. It is a reason to ask. What answers
 * is a comparison: some connections fewer, or more, for a while, by the messages that are answered a second.
 * Who brings hardly anything isn't worth having, who brings his share is: fewer are kept only while they
 * bring as much, and more are tried again and again. */
#ifndef TSUBAME_YIELD_H
#define TSUBAME_YIELD_H

#include "clock.h"

#include <stdbool.h>
#include <stdint.h>

struct yield {
    bool trying;  /* `want` instead of `from` */
    bool settled; /* so many are there: what comes counts */
    uint32_t from, want;
    mono_us began;             /* the try */
    mono_us since, at;         /* counting since; up to */
    double in_time, busy_time; /* connections x us */
    uint32_t answers;
    uint32_t cap;             /* as it was when counting began */
    double before, before_in; /* messages a second, and connections, before the try */
    double service;           /* of the last that was counted: a message in a connection, us */
    double service_before;    /* the same before the try */
    double service_told;      /* the same when a try was over */
    bool fewer;               /* the direction of the next try */
    uint32_t streak;          /* tries in a row that were kept */
    mono_us next, wait;       /* the next try, at the earliest */
};

enum yield_step {
    YIELD_NOTHING,
    YIELD_TRY,  /* have `want` connections now */
    YIELD_KEEP, /* they bring as much, or more */
    YIELD_BACK, /* have `from` again: they did */
    YIELD_STOP  /* the same, but it could not be told */
};

/* What is to be known of the connections at a step. */
struct yield_now {
    uint32_t cap, floor, ceiling; /* cap: how many there may be */
    uint32_t in;
    double service;    /* as it is when all goes well, us */
    bool slow;         /* the answers that came lately took long; some that never come are no sign */
    bool bound;        /* their number is by what they bring */
    mono_us disturbed; /* something else held messages or connections back, last */
};

void yield_init(struct yield *y, mono_us now);
/* Before their number changes: so many are in, and so many of them wait for answers. */
void yield_pass(struct yield *y, uint32_t in, uint32_t busy, mono_us now);
void yield_answer(struct yield *y);
/* After answers. */
enum yield_step yield_step(struct yield *y, const struct yield_now *n, mono_us now);
/* Their number was found by other means, or is not one any more. */
void yield_leave(struct yield *y, mono_us now);
/* Is an answer that takes so long a reason to ask? */
bool yield_slow(double service, double known);

#endif
