/* Connections at a time. crowd.h tells the rules. */
#include "crowd.h"

#include <assert.h>

#define PROBE_FIRST (30 * US_PER_SEC)
#define PROBE_MOST  (240 * US_PER_SEC)

#define FRESH       (30 * US_PER_SEC)
#define TRIAL       (120 * US_PER_SEC)

enum { CONNECTIONS_A_PROBE = 60 };

void crowd_init(struct crowd *c, uint32_t start, uint32_t floor, uint32_t ceiling, mono_us now) {
    *c = (struct crowd){
        .cap = start, .floor = floor, .ceiling = ceiling, .probe_wait = PROBE_FIRST, .grown = now};
}

static bool may_probe(const struct crowd *c, mono_us now) {
    return c->known && !c->eased && c->cap < c->ceiling && now >= c->probe_at &&
           (c->let_in >= CONNECTIONS_A_PROBE || now >= c->probe_at + PROBE_MOST);
}

static bool all_let_in(const struct crowd *c) {
    return c->in >= c->cap || (c->open >= c->cap && c->let_in >= c->cap);
}

/* While nothing was refused: by a quarter, once as many were let in and a round trip has passed. */
static void grow(struct crowd *c, mono_us now) {
    if (c->known || c->held || !all_let_in(c) || now - c->grown < c->rtt || c->cap >= c->ceiling) return;
    c->cap += 1 + c->cap / 4;
    if (c->cap > c->ceiling) c->cap = c->ceiling;
    c->grown = now;
    c->let_in = 0;
}

bool crowd_open(struct crowd *c, bool wanted, mono_us now, mono_us *when) {
    *when = NEVER;
    if (wanted) grow(c, now);
    if (now < c->pause_until) {
        *when = c->pause_until;
        return false;
    }
    if (!c->trying && wanted && may_probe(c, now)) c->trying = true;
    if (c->open >= c->cap + c->trying) {
        if (c->known && now < c->probe_at) *when = c->probe_at;
        if (!c->known && all_let_in(c) && c->cap < c->ceiling) *when = c->grown + c->rtt;
        return false;
    }
    c->open++;
    return true;
}

void crowd_let_in(struct crowd *c, mono_us rtt) {
    c->trial.taken++;
    if (c->in > c->trial.most_taken) c->trial.most_taken = c->in;
    c->in++;
    c->let_in++;
    c->refused = 0;
    if (c->in > c->peak || (c->known && c->in > c->cap)) c->topped = 0;
    if (c->in > c->peak) c->peak = c->in;
    if (c->known && !c->eased && c->in > c->cap) { /* more is taken than was known */
        c->trying = c->known = false;
        c->probe_wait = PROBE_FIRST;
        c->cap = c->in;
    }
    c->rtt = rtt;
}

bool crowd_wonder(struct crowd *c, uint32_t least, mono_us now) {
    struct crowd_trial *t = &c->trial;
    uint32_t others = c->open - 1;
    if (t->refused == 0 || now - t->since > TRIAL)
        *t = (struct crowd_trial){.since = now, .least_refused = others};
    t->refused++;
    if (others < t->least_refused) t->least_refused = others;
    return others > 0 && t->refused >= least && t->taken >= least && t->least_refused > t->most_taken;
}

static void set_cap(struct crowd *c, uint32_t cap) {
    c->cap = cap < c->floor ? c->floor : cap;
    if (c->peak > c->cap) c->peak = c->cap;
}

/* Just found, and a refusal with not many fewer: the server's count and ours differ by those that come and
 * go. */
static bool is_fresh(const struct crowd *c, mono_us now) {
    return c->known && c->refined < 3 &&
           (now - c->found <= c->rtt * 3 / 2 || (now - c->found <= FRESH && c->open * 3 > c->cap * 2));
}

bool crowd_tops(const struct crowd *c) {
    return c->open > 1 && c->open > (c->known ? c->cap : c->peak);
}

bool crowd_fits(const struct crowd *c, mono_us now) {
    return crowd_tops(c) || (c->open > 1 && c->known && is_fresh(c, now));
}

void crowd_refused(struct crowd *c, mono_us now) {
    assert(c->open > c->in);
    c->open--;
    bool tried = c->trying && c->open >= c->cap;
    uint32_t found = c->open > 0 ? c->open : 1; /* the server counts those on their way, too */
    c->trying = c->eased = false;
    c->let_in = 0;
    if (found < c->cap && c->trial.refused > 0 && c->trial.least_refused > 0) found = c->trial.least_refused;
    c->trial.refused = c->topped = 0;
    if (!c->known) {
        set_cap(c, found);
        c->refined = 0;
        c->found = now;
    } else if (tried) { /* as was to be expected */
        if (c->probe_wait * 3 / 2 < PROBE_MOST) c->probe_wait = c->probe_wait * 3 / 2;
    } else if (is_fresh(c, now)) { /* they came together, or it was found a little too high */
        if (found < c->cap) set_cap(c, found);
        if (now - c->found > c->rtt * 3 / 2) c->pause_until = now + (US_PER_SEC << c->refined++);
    } else if (now >= c->pause_until && found < c->cap) { /* fewer than were let in before: it moved down */
        c->refused++;
        c->probe_wait = PROBE_FIRST;
        if (c->refused > 1) found = found * 4 / 5 ? found * 4 / 5 : 1; /* not one by one */
        set_cap(c, found);
        c->pause_until = now + (US_PER_SEC << (c->refused < 9 ? c->refused - 1 : 8));
    }
    c->known = true;
    c->probe_at = now + c->probe_wait;
}

void crowd_try(struct crowd *c, uint32_t cap) {
    c->before = (struct crowd_before){c->cap, c->known, c->eased};
    c->cap = cap;
    c->known = c->eased = true;
    c->trying = false;
}

void crowd_back(struct crowd *c, mono_us now) {
    if (!c->eased) return;
    c->cap = c->before.cap;
    c->known = c->before.known;
    c->eased = c->before.eased;
    c->grown = now;
}

void crowd_forget(struct crowd *c, mono_us now) {
    c->known = c->trying = c->eased = false;
    c->refused = c->topped = 0;
    c->pause_until = 0;
    c->peak = c->in;
    c->grown = now;
}

void crowd_failed(struct crowd *c) {
    assert(c->open > c->in);
    c->open--;
    c->trying = c->trying && c->open > c->in;
}

void crowd_closed(struct crowd *c) {
    assert(c->in > 0 && c->open > 0);
    c->open--;
    c->in--;
}
