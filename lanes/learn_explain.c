/* What bounds a lane, as data. */
#include "learn_priv.h"

const char *learn_dimension_name(enum learn_dimension d) {
    static const char *const names[LEARN_DIMENSIONS] = {"nothing",        "connections",     "rate",
                                                        "per-connection", "new-connections", "quota",
                                                        "pause",          "refused",         "outage"};
    return d < LEARN_DIMENSIONS ? names[d] : "?";
}

static bool held_back(const struct learn *l, enum learn_dimension d, mono_us within, mono_us now) {
    return now - l->denied[d] <= within;
}

static bool crowd_known(const struct learn *l) {
    if (!l->by_host) return l->crowd.known || l->crowd.cap >= l->crowd.ceiling;
    for (int i = 0; i < LEARN_HOSTS; i++)
        if (l->hosts & 1u << i && l->by_host[i].known) return true;
    return false;
}

static bool is_binding(struct pace *p, mono_us now) {
    return p->mode == PACE_LISTEN || p->mode == PACE_SETTLE || p->mode == PACE_SHUT ||
           (p->known > 0 && pace_binds(p, now));
}

/* Does a rate hold it back; of one of its hosts, if each has its own? */
static bool rate_binds(struct learn *l, mono_us now) {
    if (!l->pace_by_host) return is_binding(&l->pace, now);
    for (unsigned i = 0; i < LEARN_HOSTS; i++)
        if (l->hosts & 1u << i && is_binding(&l->pace_by_host[i], now)) return true;
    return false;
}

/* The one that would have to be higher for the lane to be faster. */
static enum learn_dimension bound(struct learn *l, mono_us now) {
    if (l->gate.kind != LEARN_NOTHING) return l->gate.kind;
    const struct pace *p = &l->pace;
    if (p->mode == PACE_SHUT) return p->door.last - p->door.since > SHUT_IS_QUOTA ? LEARN_QUOTA : LEARN_RATE;
    if (held_back(l, LEARN_QUOTA, US_PER_SEC, now)) return LEARN_QUOTA;
    if (rate_binds(l, now)) return LEARN_RATE;
    double a_minute = l->knock.limit;
    if (a_minute > 0 && held_back(l, LEARN_NEW_CONNECTIONS, (mono_us)(130e6 / a_minute), now))
        return LEARN_NEW_CONNECTIONS;
    if (crowd_known(l) && held_back(l, LEARN_CONNECTIONS, 10 * US_PER_SEC, now)) return LEARN_CONNECTIONS;
    if (!l->pace_by_host && pace_binds(&l->pace, now)) return LEARN_RATE;
    return LEARN_NOTHING;
}

static void connections(const struct learn *l, struct learn_state *state) {
    double known = 0, kept = 0;
    mono_us next = NEVER;
    for (int i = 0; i < (l->by_host ? LEARN_HOSTS : 1); i++) {
        const struct crowd *c = l->by_host ? &l->by_host[i] : &l->crowd;
        if (l->by_host && !(l->hosts & 1u << i)) continue;
        kept += c->cap;
        if (c->known) known += c->cap;
        if (c->known && c->probe_at < next) next = c->probe_at;
    }
    state->limit[LEARN_CONNECTIONS] = known;
    state->kept[LEARN_CONNECTIONS] = kept;
    if (state->bound != LEARN_CONNECTIONS) return;
    state->next_try = next;
    state->next_value = kept + 1;
}

static void rates(struct learn *l, struct learn_state *state, mono_us now) {
    state->rate_by_host = true;
    for (unsigned i = 0; i < LEARN_HOSTS; i++) {
        const struct pace *p = &l->pace_by_host[i];
        if (!(l->hosts & 1u << i)) continue;
        state->limit[LEARN_RATE] += p->known;
        state->kept[LEARN_RATE] += p->mode == PACE_SHUT ? 0 : p->cap;
        mono_us next = p->mode == PACE_SHUT ? p->door.next : p->next;
        if (state->bound == LEARN_RATE && next < state->next_try) state->next_try = next > now ? next : now;
    }
    state->next_value = state->kept[LEARN_RATE] * 1.02;
}

static void rate(struct learn *l, struct learn_state *state, mono_us now) {
    const struct pace *p = &l->pace;
    state->limit[LEARN_RATE] = p->known > 0 ? p->known : p->mode == PACE_CLIMB ? l->rate_told : 0;
    state->kept[LEARN_RATE] = p->mode == PACE_SHUT ? 0 : p->cap;
    if (state->bound != LEARN_RATE) return;
    state->next_try = p->mode == PACE_SHUT ? p->door.next : p->next > now ? p->next : now;
    state->next_value = p->mode == PACE_SHUT ? p->known : p->cap * 1.02;
}

void learn_explain(struct learn *l, struct learn_state *state, mono_us now) {
    *state = (struct learn_state){.bound = bound(l, now), .next_try = NEVER, .by_host = l->by_host != NULL};
    connections(l, state);
    if (l->pace_by_host)
        rates(l, state, now);
    else
        rate(l, state, now);
    state->limit[LEARN_PER_CONNECTION] = state->kept[LEARN_PER_CONNECTION] = l->span.limit;
    state->limit[LEARN_NEW_CONNECTIONS] = l->knock.limit;
    state->kept[LEARN_NEW_CONNECTIONS] = l->knock.limit * 0.97;
    state->limit[LEARN_QUOTA] = state->kept[LEARN_QUOTA] = l->quota.limit;
    enum learn_dimension d = state->bound;
    if (d == LEARN_NEW_CONNECTIONS) {
        state->next_try = l->knock.door.shut ? l->knock.door.next : l->knock.raise_at;
        state->next_value = l->knock.door.shut ? l->knock.limit : l->knock.limit * 1.08;
    } else if (d == LEARN_QUOTA && l->gate.kind == LEARN_NOTHING) {
        state->next_try = l->pace.mode == PACE_SHUT ? l->pace.door.next
                          : l->quota.resets         ? l->quota.resets
                                                    : NEVER;
        state->next_value = l->quota.limit;
    }
    if (l->gate.kind != LEARN_NOTHING) {
        state->limit[d] =
            d == LEARN_QUOTA ? l->quota.limit : (double)(now - l->gate.door.since) / (double)US_PER_SEC;
        state->next_try = l->gate.door.next;
        state->next_value = 1;
    }
    if (l->why && l->why[d].at > 0) state->why = &l->why[d];
}

uint32_t learn_sessions(const struct learn *l) {
    uint32_t n = 0;
    for (int i = 0; i < LEARN_HOSTS; i++)
        n += l->open[i];
    return n;
}

double learn_rate(struct learn *l, mono_us span, mono_us now) {
    double rate = 0;
    if (!l->pace_by_host) return meter_rate(&l->pace.taken, span, now);
    for (int i = 0; i < LEARN_HOSTS; i++)
        rate += meter_rate(&l->pace_by_host[i].taken, span, now);
    return rate;
}
