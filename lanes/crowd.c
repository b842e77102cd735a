/* Connections at a time. crowd.h tells the rules. */
#include "crowd.h"

#include <assert.h>

#define PROBE_FIRST (30 * US_PER_SEC)
#define PROBE_MOST  (240 * US_PER_SEC)

enum { CONNECTIONS_A_PROBE = 60 };

void crowd_init(struct crowd *c, uint32_t start, uint32_t ceiling, mono_us now) {
    *c = (struct crowd){.cap = start, .ceiling = ceiling, .probe_wait = PROBE_FIRST, .grown = now};
}

static bool may_probe(const struct crowd *c, mono_us now) {
    return c->known && c->cap < c->ceiling && now >= c->probe_at &&
           (c->let_in >= CONNECTIONS_A_PROBE || now >= c->probe_at + PROBE_MOST);
}

/* So many at once: in the unknown few, so that few are refused together. */
static uint32_t connecting_most(const struct crowd *c) {
    return c->known ? c->cap + 1 : 1 + c->in / 4;
}

bool crowd_open(struct crowd *c, bool wanted, mono_us now, mono_us *when) {
    *when = NEVER;
    if (now < c->pause_until) {
        *when = c->pause_until;
        return false;
    }
    if (c->open - c->in >= connecting_most(c)) return false;
    if (!c->trying && wanted && may_probe(c, now)) c->trying = true;
    if (c->open >= c->cap + c->trying) {
        if (c->known && now < c->probe_at) *when = c->probe_at;
        return false;
    }
    c->open++;
    return true;
}

void crowd_let_in(struct crowd *c, mono_us rtt, mono_us now) {
    c->in++;
    c->let_in++;
    c->refused = 0;
    if (c->trying && c->in > c->cap) { /* more is taken than was known */
        c->trying = c->known = false;
        c->probe_wait = PROBE_FIRST;
        c->cap = c->in;
    }
    if (!c->known && c->in >= c->cap && now - c->grown >= rtt && c->cap < c->ceiling) {
        c->cap += 1 + c->cap / 4;
        if (c->cap > c->ceiling) c->cap = c->ceiling;
        c->grown = now;
    }
}

void crowd_refused(struct crowd *c, mono_us now) {
    assert(c->open > c->in);
    c->open--;
    bool tried = c->trying && c->in >= c->cap;
    c->trying = false;
    c->let_in = 0;
    uint32_t found = c->in ? c->in : 1;
    if (!c->known || tried) { /* as was to be expected */
        c->probe_wait = tried && c->probe_wait * 3 / 2 < PROBE_MOST ? c->probe_wait * 3 / 2 : c->probe_wait;
        if (!c->known) c->cap = found;
    } else if (now >= c->pause_until) { /* fewer than were let in before: it moved down, or speaks of something else */
        c->refused++;
        c->probe_wait = PROBE_FIRST;
        if (c->refused > 1) found = found * 4 / 5 ? found * 4 / 5 : 1; /* not one by one */
        if (found < c->cap) c->cap = found;
        c->pause_until = now + (US_PER_SEC << (c->refused < 9 ? c->refused - 1 : 8));
    }
    c->known = true;
    c->probe_at = now + c->probe_wait;
}

void crowd_failed(struct crowd *c) {
    assert(c->open > c->in);
    c->open--;
}

void crowd_closed(struct crowd *c) {
    assert(c->in > 0 && c->open > 0);
    c->open--;
    c->in--;
}
