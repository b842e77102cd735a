/* What a lane may do now: open a session, send a message. */
#include "learn_priv.h"

#include <assert.h>

#define LONG_BEFORE (10 * US_PER_SEC)
#define SILENCE     (20 * US_PER_SEC)

/* Beyond what all hosts may get together there is only the ceiling of the profile. */
static bool is_bounded(const struct learn *l) {
    return l->pace_by_host && l->profile.rate.ceiling > 0;
}

static unsigned take_pace(struct learn *l, unsigned host, unsigned want, mono_us now, mono_us *when) {
    bool bounded = is_bounded(l);
    if (bounded) want = pace_take(&l->pace, want, now, when);
    unsigned n = pace_take(learn_pace(l, host), want, now, when);
    if (bounded) pace_give_back(&l->pace, want - n, false);
    return n;
}

static void give_back_pace(struct learn *l, const struct learn_session *s, unsigned n) {
    pace_give_back(learn_pace(l, s->host), n, s->knock);
    if (is_bounded(l)) pace_give_back(&l->pace, n, false);
}

bool learn_stands_still(const struct learn *l, unsigned host) {
    enum pace_mode mode = (l->pace_by_host ? &l->pace_by_host[host] : &l->pace)->mode;
    return l->gate.kind != LEARN_NOTHING || mode == PACE_SHUT; /* who listens wants the answers */
}

static double quota_kept(const struct learn_quota *q) {
    return q->ceiling > 0 && (q->limit == 0 || q->limit > q->ceiling) ? q->ceiling : q->limit;
}

/* How many the quota has room for; behind it one at a time, to see whether it is more today. */
static unsigned within_quota(struct learn *l, unsigned want) {
    double most = quota_kept(&l->quota);
    if (most == 0) return want;
    double left = most - l->quota.used - l->in_flight;
    if (left >= want) return want;
    l->denied[LEARN_QUOTA] = l->now;
    if (left >= 1) return (unsigned)left;
    bool more = l->in_flight == 0 && (l->quota.ceiling == 0 || most < l->quota.ceiling);
    return more && want > 0 ? 1 : 0;
}

static bool deny(struct learn *l, enum learn_dimension d, mono_us now) {
    l->denied[d] = now;
    return false;
}

static bool gate_lets_open(struct learn *l, struct learn_session *s, mono_us now, mono_us *when) {
    if (l->gate.kind == LEARN_NOTHING) return true;
    if (learn_sessions(l) > 0 && l->gate.kind != LEARN_OUTAGE) return deny(l, l->gate.kind, now);
    if (!door_knock(&l->gate.door, now, when)) return deny(l, l->gate.kind, now);
    s->probe = true;
    return true;
}

bool learn_hosts_differ(const struct learn *l) {
    return l->by_host || l->pace_by_host || l->full;
}

/* While all together are known to be full by the word of one host: does another take more? */
static bool may_try_elsewhere(const struct learn *l, unsigned host) {
    return !l->by_host && l->full && !(l->full & 1u << host) && !l->elsewhere && l->crowd.known &&
           l->crowd.open == l->crowd.cap && l->crowd.in == l->crowd.open;
}

static bool crowd_lets_open(struct learn *l, struct learn_session *s, bool wanted, mono_us now,
                            mono_us *when) {
    struct crowd *c = learn_crowd(l, s->host);
    if (learn_sessions(l) >= l->crowd.ceiling) return deny(l, LEARN_CONNECTIONS, now); /* of all hosts */
    if (crowd_open(c, wanted, now, when)) return true;
    if (wanted && may_try_elsewhere(l, s->host)) {
        l->elsewhere = s->elsewhere = true;
        c->open++;
        return true;
    }
    /* All that are open hang: is the server back, and only they are dead? */
    if (wanted && l->in_flight > 0 && now - l->heard_at >= SILENCE) {
        l->heard_at = now;
        s->afresh = true;
        c->open++;
        return true;
    }
    return deny(l, LEARN_CONNECTIONS, now);
}

/* A session that could send nothing for a while would be opened for nothing. */
static bool worth_opening(struct learn *l, struct pace *p, uint32_t open, mono_us now, mono_us *when) {
    if (p->mode == PACE_SHUT && open > 0) return deny(l, LEARN_RATE, now);
    mono_us ready = pace_ready(p, now);
    if (ready > now + LONG_BEFORE) {
        *when = ready - LONG_BEFORE;
        return deny(l, LEARN_RATE, now);
    }
    learn_turn_quota(l, now);
    if (within_quota(l, 1) > 0) return true;
    *when = l->in_flight == 0 && l->quota.resets ? l->quota.resets : now + US_PER_SEC;
    return false;
}

bool learn_open(struct learn *l, struct learn_session *s, unsigned host, bool wanted, mono_us now,
                mono_us *when) {
    *when = NEVER;
    l->now = now;
    *s = (struct learn_session){.host = (uint8_t)(host % LEARN_HOSTS)};
    struct pace *p = learn_pace(l, s->host);
    if (!worth_opening(l, p, l->pace_by_host ? l->open[s->host] : learn_sessions(l), now, when)) return false;
    if (l->pace_by_host && !pace_binds(p, now)) wanted = true; /* those that wait are other hosts' */
    if (!knock_may(&l->knock, now, when)) return deny(l, LEARN_NEW_CONNECTIONS, now);
    mono_us next = l->gate.door.next;
    if (!gate_lets_open(l, s, now, when)) return false;
    if (!crowd_lets_open(l, s, wanted, now, when)) {
        l->gate.door.next = next; /* nobody knocked */
        return false;
    }
    knock_opened(&l->knock, now);
    s->span = span_for(&l->span, now);
    l->hosts |= (uint8_t)(1u << s->host);
    l->open[s->host]++;
    return true;
}

static void fly(struct learn *l, struct learn_session *s, unsigned n, mono_us now) {
    yield_pass(&l->yield, l->crowd.in, l->busy, now);
    if (n > 0 && s->flying == 0) l->busy++;
    s->flying += n;
    l->in_flight += n;
}

void learn_land(struct learn *l, struct learn_session *s, unsigned n, mono_us now) {
    yield_pass(&l->yield, l->crowd.in, l->busy, now);
    if (n > 0 && s->flying == n) l->busy--;
    s->flying -= n;
    l->in_flight -= n;
}

/* Fewer bring as much, or that is being tried. */
static bool is_surplus(const struct learn *l, const struct learn_session *s) {
    return !l->by_host && l->crowd.eased && s->in && !s->ended && l->crowd.in > l->crowd.cap + l->leaving;
}

unsigned learn_take(struct learn *l, struct learn_session *s, unsigned want, mono_us now, mono_us *when) {
    *when = NEVER;
    l->now = now;
    learn_step_pace(l, learn_pace(l, s->host), now);
    learn_turn_quota(l, now);
    if (s->span == 0 && s->granted <= l->span.limit) s->span = l->span.limit;
    if (is_surplus(l, s)) {
        s->ended = s->surplus = true;
        l->leaving++;
    }
    if (s->ended || (s->span && s->granted >= s->span)) return 0;
    if (s->span && s->span - s->granted < want) want = s->span - s->granted;
    if (l->gate.kind != LEARN_NOTHING) {
        if ((!s->probe || s->granted > 0) && !door_knock(&l->gate.door, now, when)) {
            deny(l, l->gate.kind, now);
            return 0;
        }
        s->probe = true;
        want = 1;
    }
    unsigned room = within_quota(l, want);
    if (room == 0) {
        *when = now + US_PER_SEC;
        if (l->quota.ceiling > 0 && l->quota.resets == 0) l->quota.resets = now + DAY;
        if (l->in_flight == 0 && l->quota.resets) *when = l->quota.resets;
        return 0;
    }
    unsigned n = take_pace(l, s->host, room, now, when);
    if (n == 0) deny(l, LEARN_RATE, now);
    s->knock = n > 0 && learn_pace(l, s->host)->mode == PACE_SHUT;
    if (l->in_flight == 0) l->heard_at = now; /* nobody had anything to answer */
    s->granted += n;
    fly(l, s, n, now);
    return n;
}

void learn_no_try(struct learn *l, const struct learn_session *s) {
    if (s->probe && l->gate.kind != LEARN_NOTHING && l->gate.door.next > l->now + OUTAGE_MOST)
        l->gate.door.next = l->now + OUTAGE_MOST;
}

void learn_give_back(struct learn *l, struct learn_session *s, unsigned n) {
    assert(n <= s->granted);
    assert(n <= l->in_flight);
    s->granted -= n;
    learn_land(l, s, n, l->now);
    give_back_pace(l, s, n);
    learn_no_try(l, s);
}

void learn_unanswered(struct learn *l, struct learn_session *s, unsigned n) {
    assert(n <= s->granted && n <= l->in_flight);
    learn_land(l, s, n, l->now);
}

void learn_charge(struct learn *l, struct learn_session *s, unsigned n, mono_us now) {
    s->granted += n;
    fly(l, s, n, now);
    pace_charge(learn_pace(l, s->host), n, now);
    if (is_bounded(l)) pace_charge(&l->pace, n, now);
}

static bool knock_now(struct door *d, mono_us now) {
    if (d->next > now) d->next = now;
    return true;
}

bool learn_knock(struct learn *l, mono_us now) {
    bool any = l->gate.kind != LEARN_NOTHING && knock_now(&l->gate.door, now);
    if (l->knock.door.shut) any = knock_now(&l->knock.door, now);
    for (unsigned i = 0; i < (l->pace_by_host ? LEARN_HOSTS : 1); i++) {
        struct pace *p = learn_pace(l, i);
        if (p->mode == PACE_SHUT) any = knock_now(&p->door, now);
    }
    return any;
}

mono_us learn_tick(struct learn *l, mono_us now) {
    l->now = now;
    mono_us next = learn_step_paces(l, now);
    learn_turn_quota(l, now);
    if (l->gate.kind != LEARN_NOTHING && l->gate.door.next < next) next = l->gate.door.next;
    if (l->in_flight > 0 && l->heard_at + SILENCE < next) next = l->heard_at + SILENCE;
    return next > now ? next : now + US_PER_SEC;
}
