/* A lane: source x provider, and the fixed limits that it keeps. Pure: `now` is handed in.
 *
 * Two token buckets (messages, new connections) and a count of open sessions. A bucket holds what a tenth of
 * a second may bring, at least one, so that a lane that was idle does not start with a burst. */
#ifndef TSUBAME_LANE_H
#define TSUBAME_LANE_H

#include "clock.h"

#include <stdbool.h>

/* 0 means unlimited. */
struct lane_limits {
    uint32_t connections; /* at a time */
    uint32_t messages_per_connection;
    uint32_t messages_per_second;
    uint32_t connections_per_minute;
};

struct bucket {
    double rate; /* tokens a microsecond; 0: unlimited */
    double most;
    double tokens; /* below 0: owed */
    mono_us filled;
};

struct lane_gate {
    struct lane_limits limits;
    uint32_t open; /* sessions, connecting ones too */
    struct bucket messages;
    struct bucket connects;
    mono_us pause_until; /* no new connection before */
    uint32_t refusals;   /* connections refused in a row */
};

void lane_gate_init(struct lane_gate *g, const struct lane_limits *limits, mono_us now);

/* May a session be opened now? If so it counts as open. If not, *when is the time to ask again, NEVER when
 * only the end of another session can help. */
bool lane_gate_open(struct lane_gate *g, mono_us now, mono_us *when);
void lane_gate_closed(struct lane_gate *g);

/* How many of `want` messages may be sent now; they count as sent. 0: *when says when to ask again. */
unsigned lane_gate_take(struct lane_gate *g, unsigned want, mono_us now, mono_us *when);
void lane_gate_give_back(struct lane_gate *g, unsigned messages);
/* So many more were sent than were asked for: the next ones wait for it. */
void lane_gate_charge(struct lane_gate *g, unsigned messages);

/* A connection was refused (or accepted): the next ones wait, longer each time, from 1 s to 5 min. */
void lane_gate_refused(struct lane_gate *g, mono_us now);
void lane_gate_accepted(struct lane_gate *g);

#endif
