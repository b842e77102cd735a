/* Lanes that wait for a time: a binary heap, so that which is next is known and ten thousand others cost
 * nothing. */
#include "backlog_priv.h"

#include <stdlib.h>

static void put(struct backlog *b, size_t at, struct lane *lane) {
    b->sleepers[at] = lane;
    lane->sleeper = at + 1;
}

/* Finds the place of a lane that stands at `at`, upward or downward. */
static void settle(struct backlog *b, size_t at) {
    struct lane *lane = b->sleepers[at];
    for (size_t up; at > 0 && lane->wake < b->sleepers[up = (at - 1) / 2]->wake; at = up)
        put(b, at, b->sleepers[up]);
    for (size_t child; (child = 2 * at + 1) < b->sleeping; at = child) {
        if (child + 1 < b->sleeping && b->sleepers[child + 1]->wake < b->sleepers[child]->wake) child++;
        if (lane->wake <= b->sleepers[child]->wake) break;
        put(b, at, b->sleepers[child]);
    }
    put(b, at, lane);
}

static bool make_room(struct backlog *b) {
    if (b->sleeping < b->sleepers_room) return true;
    size_t room = b->sleepers_room ? 2 * b->sleepers_room : 64;
    struct lane **more = realloc(b->sleepers, room * sizeof(struct lane *));
    if (!more) return false;
    b->sleepers = more;
    b->sleepers_room = room;
    return true;
}

void backlog_sleep(struct backlog *b, struct lane *lane, mono_us until) {
    if (lane->queued) return; /* it is looked at anyway */
    if (lane->sleeper) {
        if (until >= lane->wake) return;
    } else if (make_room(b)) {
        b->sleepers[b->sleeping] = lane;
        lane->sleeper = ++b->sleeping;
    } else {
        backlog_run(b, lane); /* without memory it does not sleep */
        return;
    }
    lane->wake = until;
    settle(b, lane->sleeper - 1);
}

void backlog_rouse(struct backlog *b, struct lane *lane) {
    size_t at = lane->sleeper - 1;
    struct lane *last = b->sleepers[--b->sleeping];
    lane->sleeper = 0;
    if (last == lane) return;
    put(b, at, last);
    settle(b, at);
}

mono_us backlog_next_wake(const struct backlog *b) {
    return b->sleeping ? b->sleepers[0]->wake : NEVER;
}

void backlog_wake_lanes(struct backlog *b, mono_us now) {
    while (b->sleeping && b->sleepers[0]->wake <= now) {
        struct lane *lane = b->sleepers[0];
        backlog_rouse(b, lane);
        if (!backlog_free_if_dead(b, lane)) backlog_run(b, lane);
    }
}
