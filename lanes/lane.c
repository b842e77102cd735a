/* Limits of a lane: token buckets and a count. */
#include "lane.h"

#include <assert.h>

#define SHORTEST_PAUSE (1 * US_PER_SEC)
#define LONGEST_PAUSE  (300 * US_PER_SEC)

static void bucket_init(struct bucket *b, double per_us, mono_us now) {
    double burst = per_us * 0.1 * (double)US_PER_SEC;
    b->rate = per_us;
    b->most = burst > 1 ? burst : 1;
    b->tokens = b->most;
    b->filled = now;
}

static void bucket_fill(struct bucket *b, mono_us now) {
    if (now <= b->filled) return;
    b->tokens += (double)(now - b->filled) * b->rate;
    if (b->tokens > b->most) b->tokens = b->most;
    b->filled = now;
}

static unsigned bucket_take(struct bucket *b, unsigned want, mono_us now, mono_us *when) {
    if (b->rate == 0) return want;
    bucket_fill(b, now);
    unsigned whole = b->tokens > 0 ? (unsigned)b->tokens : 0, n = want < whole ? want : whole;
    b->tokens -= n;
    if (n == 0) *when = now + (mono_us)((1 - b->tokens) / b->rate) + 1;
    return n;
}

void lane_gate_init(struct lane_gate *g, const struct lane_limits *limits, mono_us now) {
    *g = (struct lane_gate){.limits = *limits};
    bucket_init(&g->messages, limits->messages_per_second / (double)US_PER_SEC, now);
    bucket_init(&g->connects, limits->connections_per_minute / (60.0 * (double)US_PER_SEC), now);
}

bool lane_gate_open(struct lane_gate *g, mono_us now, mono_us *when) {
    *when = NEVER;
    if (g->limits.connections && g->open >= g->limits.connections) return false;
    if (now < g->pause_until) {
        *when = g->pause_until;
        return false;
    }
    if (bucket_take(&g->connects, 1, now, when) == 0) return false;
    g->open++;
    return true;
}

void lane_gate_closed(struct lane_gate *g) {
    assert(g->open > 0);
    g->open--;
}

unsigned lane_gate_take(struct lane_gate *g, unsigned want, mono_us now, mono_us *when) {
    *when = NEVER;
    return bucket_take(&g->messages, want, now, when);
}

void lane_gate_give_back(struct lane_gate *g, unsigned messages) {
    g->messages.tokens += messages;
    if (g->messages.tokens > g->messages.most) g->messages.tokens = g->messages.most;
}

void lane_gate_charge(struct lane_gate *g, unsigned messages) {
    if (g->messages.rate != 0) g->messages.tokens -= messages;
}

void lane_gate_refused(struct lane_gate *g, mono_us now) {
    if (now < g->pause_until) return; /* the same event, seen by several sessions */
    unsigned doublings = g->refusals < 16 ? g->refusals : 16;
    mono_us pause = SHORTEST_PAUSE << doublings;
    g->pause_until = now + (pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE);
    g->refusals++;
}

void lane_gate_accepted(struct lane_gate *g) {
    g->refusals = 0;
}
