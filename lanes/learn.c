/* The controller of a lane: its parts, what is told about changes, its gate and its quota. learn.h tells the
 * whole, learn_permits.c what may be sent, learn_events.c what came of it, learn_blame.c what a refusal
 * speaks of, learn_memory.c what outlives a restart, learn_explain.c how it is put into words. */
#include "learn_priv.h"

#include <stdlib.h>
#include <string.h>

enum { BEYOND_LEAST = 20 }; /* messages */

#define LATENCY_FIRST (200.0 * US_PER_MS)

enum { CONNECTIONS_MOST = 1000 };

/* ---- beginning and end ---- */

static uint32_t whole(double value, uint32_t none) {
    return value >= 1 ? value < 1e9 ? (uint32_t)value : 1000000000 : none;
}

static void crowd_begin(struct crowd *c, const struct learn_bounds *b, mono_us now) {
    uint32_t most = whole(b->ceiling, CONNECTIONS_MOST), least = whole(b->floor, 1),
             start = whole(b->start, 2);
    if (least > most) least = most;
    crowd_init(c, start > most ? most : start < least ? least : start, least, most, now);
}

void learn_init(struct learn *l, const struct learn_profile *profile, learn_changed *changed, void *ctx,
                mono_us now) {
    const struct learn_profile *p = profile;
    *l = (struct learn){.profile = *profile, .changed = changed, .ctx = ctx, .latency = LATENCY_FIRST};
    double start = p->rate.start > 0 ? p->rate.start : 2;
    if (p->rate.ceiling > 0 && start > p->rate.ceiling) start = p->rate.ceiling;
    pace_init(&l->pace, start, p->rate.floor > 0 ? p->rate.floor : 1.0 / 300, p->rate.ceiling, now);
    crowd_begin(&l->crowd, &p->connections, now);
    knock_init(&l->knock, p->new_connections.start, p->new_connections.floor, p->new_connections.ceiling,
               now);
    span_init(&l->span, whole(p->per_connection.start, 0), whole(p->per_connection.floor, 1),
              whole(p->per_connection.ceiling, 0));
    l->quota.ceiling = p->quota.ceiling;
    luck_init(&l->luck);
    l->taken_at = l->refused_at = now;
    yield_init(&l->yield, now);
    l->turned_at = l->crowd_at = l->moves_at = l->cleared_at = -NEVER / 2;
    l->heard_at = now;
    for (int i = 0; i < LEARN_DIMENSIONS; i++)
        l->denied[i] = -NEVER / 2;
}

void learn_done(struct learn *l) {
    free(l->by_host);
    free(l->pace_by_host);
    free(l->why);
    l->by_host = NULL;
    l->pace_by_host = NULL;
    l->why = NULL;
}

/* ---- what is told ---- */

void learn_note(struct learn *l, const struct learn_change *change) {
    if (!l->why) l->why = calloc(LEARN_DIMENSIONS, sizeof *l->why);
    if (l->why) {
        struct learn_why *why = &l->why[change->dimension];
        size_t len = change->words.len < LEARN_WORDS - 1 ? change->words.len : LEARN_WORDS - 1;
        if (change->words.at != why->words) {
            why->code = change->code;
            memcpy(why->words, change->words.at ? change->words.at : "", len);
            why->words[len] = '\0';
        }
        why->at = change->at;
        why->value = change->to;
        why->cause = change->cause;
    }
    if (l->changed) l->changed(l->ctx, change);
}

void learn_tell(struct learn *l, enum learn_dimension d, double from, double to, enum learn_cause cause,
                const struct learn_reply *reply, mono_us now) {
    struct learn_change c = {.at = now, .dimension = d, .from = from, .to = to, .cause = cause};
    if (reply) {
        c.code = reply->code;
        c.words = reply->words;
    }
    learn_note(l, &c);
}

/* What was said about that dimension last stays with it. */
void learn_tell_again(struct learn *l, enum learn_dimension d, double from, double to, enum learn_cause cause,
                      mono_us now) {
    struct learn_change c = {.at = now, .dimension = d, .from = from, .to = to, .cause = cause};
    if (l->why && cause == LEARN_BY_REPLY) {
        c.code = l->why[d].code;
        c.words = slice_of(l->why[d].words);
    }
    learn_note(l, &c);
}

uint32_t learn_in(const struct learn *l) {
    uint32_t n = 0;
    for (int i = 0; i < LEARN_HOSTS; i++)
        n += l->in[i];
    return n;
}

struct crowd *learn_crowd(struct learn *l, unsigned host) {
    return l->by_host ? &l->by_host[host] : &l->crowd;
}

struct pace *learn_pace(struct learn *l, unsigned host) {
    return l->pace_by_host ? &l->pace_by_host[host] : &l->pace;
}

mono_us learn_rtt(const struct learn *l) {
    double t = l->latency + 2 * l->spread;
    return t < 5e3 ? 5000 : t > 60e6 ? 60 * US_PER_SEC : (mono_us)t;
}

/* ---- the pace ---- */

void learn_step_pace(struct learn *l, struct pace *p, mono_us now) {
    enum pace_mode mode = p->mode;
    double cap = p->cap;
    if (now < p->next) return;
    pace_step(p, learn_rtt(l), now);
    if (p->mode == mode) return;
    if (mode == PACE_LISTEN && (p->mode == PACE_SETTLE || p->mode == PACE_SHUT))
        learn_tell_again(l, LEARN_RATE, cap, p->mode == PACE_SHUT ? 0 : p->cap, LEARN_BY_REPLY, now);
    else if (p->mode == PACE_HOLD && mode == PACE_SETTLE)
        l->rate_told = p->known;
    else if (mode == PACE_HOLD || mode == PACE_CLIMB)
        return;
}

static void tell_climb(struct learn *l, const struct pace *p, mono_us now) {
    if (p->mode != PACE_CLIMB || l->rate_told == 0 || p->cap < 1.25 * l->rate_told) return;
    learn_tell_again(l, LEARN_RATE, l->rate_told, p->cap, LEARN_BY_TRYING, now);
    l->rate_told = p->cap;
}

mono_us learn_step_paces(struct learn *l, mono_us now) {
    mono_us next = NEVER;
    for (unsigned i = 0; i < (l->pace_by_host ? LEARN_HOSTS : 1); i++) {
        struct pace *p = learn_pace(l, i);
        if (l->pace_by_host && !(l->hosts & 1u << i)) continue;
        learn_step_pace(l, p, now);
        tell_climb(l, p, now);
        mono_us at = p->mode == PACE_SHUT ? p->door.next : p->next;
        if (at < next) next = at;
    }
    return next;
}

/* ---- the gate ---- */

void learn_shut(struct learn *l, enum learn_dimension kind, mono_us least, mono_us most,
                const struct learn_reply *reply, mono_us now) {
    /* What comes to nothing in a pause that was asked for was under way, and does not shorten it. */
    if (l->gate.kind == LEARN_PAUSE && kind != LEARN_PAUSE && now < l->gate.door.next) return;
    if (l->gate.kind == kind && kind != LEARN_PAUSE) {
        door_refused(&l->gate.door, now);
        return;
    }
    l->gate.kind = kind;
    door_shut(&l->gate.door, least, most, now);
    learn_tell(l, kind, 0, (double)least / (double)US_PER_SEC,
               reply && reply->code ? LEARN_BY_REPLY : LEARN_BY_SILENCE, reply, now);
}

void learn_open_gate(struct learn *l, mono_us now) {
    if (l->gate.kind == LEARN_NOTHING) return;
    mono_us shut = door_opened(&l->gate.door, now);
    learn_tell_again(l, l->gate.kind, (double)shut / (double)US_PER_SEC, 0, LEARN_BY_RETURN, now);
    l->gate.kind = LEARN_NOTHING;
}

/* ---- quota ---- */

void learn_turn_quota(struct learn *l, mono_us now) {
    struct learn_quota *q = &l->quota;
    if (q->resets == 0 || now < q->resets) return;
    q->resets += ((now - q->resets) / DAY + 1) * DAY;
    q->used = q->beyond = 0;
}

/* A quota that lets through much more than it was taken for is none: what was taken for its end was an
 * outage. */
void learn_beyond_quota(struct learn_quota *q) {
    if (q->limit == 0 || q->used <= q->limit) return;
    bool refuted = ++q->beyond > BEYOND_LEAST + q->limit / 20;
    q->limit = refuted ? 0 : q->used;
    if (refuted) q->beyond = 0;
}

void learn_quota_found(struct learn *l, mono_us now) {
    struct learn_quota *q = &l->quota;
    if (q->limit == 0 || q->used < q->limit) {
        learn_tell_again(l, LEARN_QUOTA, q->limit, q->used, LEARN_BY_REPLY, now);
        q->limit = q->used;
    }
    q->used = q->beyond = 0;
    q->resets = now + DAY;
}
