/* The controller of a lane: permits, events, and what is told about changes. learn.h tells the whole,
 * learn_blame.c what a refusal speaks of, learn_explain.c how it is put into words. */
#include "learn_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LATENCY_FIRST (200.0 * US_PER_MS)
#define KNOCKS_APART  (120 * US_PER_SEC) /* at most, at a gate */
#define LONG_BEFORE   (10 * US_PER_SEC)
#define SILENCE       (20 * US_PER_SEC)
#define EASE_AGAIN    (30 * US_PER_SEC)

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
    doubt_init(&l->turned_away, 0.01, 1000);
    l->taken_at = l->refused_at = l->eased = now;
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

static void note(struct learn *l, enum learn_dimension d, double from, double to, enum learn_cause cause,
                 const struct learn_reply *reply, mono_us now) {
    struct learn_change c = {.at = now, .dimension = d, .from = from, .to = to, .cause = cause};
    if (reply) {
        c.code = reply->code;
        c.words = reply->words;
    }
    learn_note(l, &c);
}

/* What was said about that dimension last stays with it. */
static void note_again(struct learn *l, enum learn_dimension d, double from, double to,
                       enum learn_cause cause, mono_us now) {
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

static mono_us rtt(const struct learn *l) {
    double t = l->latency + 2 * l->spread;
    return t < 5e3 ? 5000 : t > 60e6 ? 60 * US_PER_SEC : (mono_us)t;
}

/* ---- the pace ---- */

static void step_pace(struct learn *l, struct pace *p, mono_us now) {
    enum pace_mode mode = p->mode;
    double cap = p->cap;
    if (now < p->next) return;
    pace_step(p, rtt(l), now);
    if (p->mode == mode) return;
    if (mode == PACE_LISTEN && (p->mode == PACE_SETTLE || p->mode == PACE_SHUT))
        note_again(l, LEARN_RATE, cap, p->mode == PACE_SHUT ? 0 : p->cap, LEARN_BY_REPLY, now);
    else if (p->mode == PACE_HOLD && mode == PACE_SETTLE)
        l->rate_told = p->known;
    else if (mode == PACE_HOLD || mode == PACE_CLIMB)
        return;
}

static void tell_climb(struct learn *l, const struct pace *p, mono_us now) {
    if (p->mode != PACE_CLIMB || l->rate_told == 0 || p->cap < 1.25 * l->rate_told) return;
    note_again(l, LEARN_RATE, l->rate_told, p->cap, LEARN_BY_TRYING, now);
    l->rate_told = p->cap;
}

static mono_us step_paces(struct learn *l, mono_us now) {
    mono_us next = NEVER;
    for (unsigned i = 0; i < (l->pace_by_host ? LEARN_HOSTS : 1); i++) {
        struct pace *p = learn_pace(l, i);
        if (l->pace_by_host && !(l->hosts & 1u << i)) continue;
        step_pace(l, p, now);
        tell_climb(l, p, now);
        mono_us at = p->mode == PACE_SHUT ? p->door.next : p->next;
        if (at < next) next = at;
    }
    return next;
}

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
    return l->gate.kind != LEARN_NOTHING || mode == PACE_LISTEN || mode == PACE_SHUT;
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
    note(l, kind, 0, (double)least / (double)US_PER_SEC,
         reply && reply->code ? LEARN_BY_REPLY : LEARN_BY_SILENCE, reply, now);
}

static void open_gate(struct learn *l, mono_us now) {
    if (l->gate.kind == LEARN_NOTHING) return;
    mono_us shut = door_opened(&l->gate.door, now);
    note_again(l, l->gate.kind, (double)shut / (double)US_PER_SEC, 0, LEARN_BY_RETURN, now);
    l->gate.kind = LEARN_NOTHING;
}

/* ---- quota ---- */

static void turn_quota(struct learn *l, mono_us now) {
    struct learn_quota *q = &l->quota;
    if (q->resets == 0 || now < q->resets) return;
    q->resets += ((now - q->resets) / DAY + 1) * DAY;
    q->used = 0;
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

static void quota_found(struct learn *l, mono_us now) {
    struct learn_quota *q = &l->quota;
    if (q->limit == 0 || q->used < q->limit) {
        note_again(l, LEARN_QUOTA, q->limit, q->used, LEARN_BY_REPLY, now);
        q->limit = q->used;
    }
    q->used = 0;
    q->resets = now + DAY;
}

/* ---- permits ---- */

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
    turn_quota(l, now);
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
    if (!gate_lets_open(l, s, now, when)) return false;
    if (!crowd_lets_open(l, s, wanted, now, when)) return false;
    knock_opened(&l->knock, now);
    s->span = span_for(&l->span, now);
    l->hosts |= (uint8_t)(1u << s->host);
    l->open[s->host]++;
    return true;
}

unsigned learn_take(struct learn *l, struct learn_session *s, unsigned want, mono_us now, mono_us *when) {
    *when = NEVER;
    l->now = now;
    step_pace(l, learn_pace(l, s->host), now);
    turn_quota(l, now);
    if (s->span == 0 && s->granted <= l->span.limit) s->span = l->span.limit;
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
    l->in_flight += n;
    return n;
}

void learn_give_back(struct learn *l, struct learn_session *s, unsigned n) {
    assert(n <= s->granted);
    assert(n <= l->in_flight);
    s->granted -= n;
    l->in_flight -= n;
    give_back_pace(l, s, n);
    /* The try was none; who does not come to it is not let in again and again for it. */
    if (s->probe && l->gate.kind != LEARN_NOTHING && l->gate.door.next > l->now + OUTAGE_MOST)
        l->gate.door.next = l->now + OUTAGE_MOST;
}

void learn_unanswered(struct learn *l, struct learn_session *s, unsigned n) {
    assert(n <= s->granted && n <= l->in_flight);
    l->in_flight -= n;
}

void learn_charge(struct learn *l, struct learn_session *s, unsigned n, mono_us now) {
    s->granted += n;
    l->in_flight += n;
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
    mono_us next = step_paces(l, now);
    turn_quota(l, now);
    if (l->gate.kind != LEARN_NOTHING && l->gate.door.next < next) next = l->gate.door.next;
    if (l->in_flight > 0 && l->heard_at + SILENCE < next) next = l->heard_at + SILENCE;
    return next > now ? next : now + US_PER_SEC;
}

/* ---- connections ---- */

bool learn_tried_elsewhere(struct learn *l, struct learn_session *s) {
    bool was = s->elsewhere;
    if (was) l->elsewhere = s->elsewhere = false;
    return was;
}

void learn_let_in(struct learn *l, struct learn_session *s, mono_us now) {
    struct crowd *c = learn_crowd(l, s->host);
    l->heard_at = now;
    uint32_t before = c->cap;
    bool known = c->known;
    s->in = true;
    s->let_in = now;
    doubt_taken(&l->turned_away);
    l->in[s->host]++;
    double limit = l->knock.limit;
    knock_let_in(&l->knock, now);
    if (limit > 0 && l->knock.limit > limit)
        note(l, LEARN_NEW_CONNECTIONS, limit, l->knock.limit, LEARN_BY_TRYING, NULL, now);
    if (learn_tried_elsewhere(l, s) && !l->by_host && c->in + 1 > c->cap) {
        c->in++;
        learn_split(l, now);
    } else if (!l->by_host && l->full && !(l->full & 1u << s->host) && c->in >= l->full_with &&
               now - l->full_at < SOON) {
        c->in++; /* one host refused with as many in, and this one does not */
        learn_split(l, now);
    } else {
        crowd_let_in(c, rtt(l));
        if (known && !c->known) {
            l->full = 0;
            note(l, LEARN_CONNECTIONS, before, c->cap, LEARN_BY_TRYING, NULL, now);
        }
    }
    if (l->gate.kind == LEARN_OUTAGE || l->gate.kind == LEARN_REFUSED) open_gate(l, now);
}

static void not_in(struct learn *l, struct learn_session *s) {
    assert(!s->in && l->open[s->host] > 0);
    l->open[s->host]--;
    s->ended = true;
}

enum learn_dimension learn_turned_away(struct learn *l, struct learn_session *s,
                                       const struct learn_reply *reply, mono_us now) {
    l->now = l->heard_at = now;
    not_in(l, s);
    enum learn_dimension blamed = learn_blame_connection(l, s, reply, now);
    learn_tried_elsewhere(l, s);
    return blamed;
}

void learn_dropped(struct learn *l, struct learn_session *s, mono_us now) {
    l->now = now;
    not_in(l, s);
    crowd_failed(learn_crowd(l, s->host));
    learn_tried_elsewhere(l, s);
}

void learn_moved(struct learn *l, struct learn_session *s, unsigned host, const struct learn_reply *reply,
                 mono_us now) {
    l->now = now;
    not_in(l, s);
    learn_blame_host(l, s, reply, now);
    s->ended = false;
    s->host = (uint8_t)(host % LEARN_HOSTS);
    l->hosts |= (uint8_t)(1u << s->host);
    l->open[s->host]++;
    learn_crowd(l, s->host)->open++;
    knock_moved(&l->knock);
}

enum learn_dimension learn_unreachable(struct learn *l, struct learn_session *s, mono_us now) {
    l->now = now;
    not_in(l, s);
    if (l->in[s->host] > 0) { /* it is there: some servers say nothing to who is one too many */
        struct learn_reply silence = {.verdict = {.class = CLASSIFY_NETWORK_FAILURE},
                                      .stage = CLASSIFY_AT_SESSION};
        enum learn_dimension blamed = learn_blame_connection(l, s, &silence, now);
        learn_tried_elsewhere(l, s);
        return blamed;
    }
    crowd_failed(learn_crowd(l, s->host));
    learn_tried_elsewhere(l, s);
    if (learn_in(l) == 0 && (l->gate.kind == LEARN_NOTHING || l->gate.kind == LEARN_OUTAGE))
        learn_shut(l, LEARN_OUTAGE, OUTAGE_FIRST, OUTAGE_MOST, NULL, now);
    return LEARN_OUTAGE;
}

void learn_left(struct learn *l, struct learn_session *s, bool by_server, const struct learn_reply *reply,
                mono_us now) {
    l->now = now;
    if (!s->in) return;
    s->in = false;
    l->in[s->host]--;
    l->open[s->host]--;
    crowd_closed(learn_crowd(l, s->host));
    if (by_server && !s->ended) learn_blame_end(l, s, reply, now);
    s->ended = true;
}

/* ---- messages ---- */

static void smooth(double *mean, double x) {
    *mean += (x - *mean) / 16;
}

/* took: since it was granted; alone: since the answer before it in the same session, where that was later. */
static void learn_latency(struct learn *l, mono_us took, mono_us alone, mono_us now) {
    double diff = (double)took - l->latency;
    smooth(&l->latency, (double)took);
    smooth(&l->spread, diff < 0 ? -diff : diff);
    if (l->service == 0) l->service = (double)alone;
    smooth(&l->service, (double)alone);
    if (l->service_known == 0 || l->service < l->service_known)
        l->service_known = l->service;
    else
        l->service_known += (l->service - l->service_known) / 20000;
    if (l->service < 3 * l->service_known + 5e5 || now - l->eased < EASE_AGAIN || l->crowd.in < 2 ||
        l->by_host)
        return;
    l->eased = now;
    uint32_t before = l->crowd.cap;
    crowd_ease(&l->crowd, now);
    note(l, LEARN_CONNECTIONS, before, l->crowd.cap, LEARN_BY_LATENCY, NULL, now);
}

static void taken(struct learn *l, struct learn_session *s, mono_us took, mono_us now) {
    struct pace *p = learn_pace(l, s->host);
    bool was_shut = p->mode == PACE_SHUT;
    mono_us shut = p->door.last - p->door.since; /* for at least that long */
    s->answered++;
    s->stuck = 0;
    span_taken(&l->span, s->answered);
    pace_accepted(p, now - took, now);
    learn_share(l, s->host, true, now);
    if (was_shut && p->mode != PACE_SHUT) {
        if (shut > SHUT_IS_QUOTA) quota_found(l, now);
        note_again(l, LEARN_RATE, 0, p->cap, LEARN_BY_RETURN, now);
    }
    l->quota.used++;
    if (l->quota.ceiling > 0 && l->quota.resets == 0) l->quota.resets = now + DAY;
    if (l->quota.limit > 0 && l->quota.used > l->quota.limit) l->quota.limit = l->quota.used;
    l->taken_at = now;
    if (now - took >= l->gate.door.since) open_gate(l, now); /* else it was sent before the gate was shut */
}

void learn_answer(struct learn *l, struct learn_session *s, const struct learn_reply *reply, mono_us took,
                  mono_us now) {
    assert(l->in_flight > 0);
    l->now = l->heard_at = now;
    l->in_flight--;
    if (reply->verdict.class == CLASSIFY_DELIVERED) {
        mono_us alone = now - s->answered_at;
        learn_latency(l, took, alone < took ? alone : took, now);
        taken(l, s, took, now);
    } else {
        switch (learn_suspect(reply)) {
        case SUSPECT_NOBODY: taken(l, s, took, now); break;
        case SUSPECT_NOTHING: s->answered++; break;
        case SUSPECT_GREY: taken(l, s, took, now); break;
        default: learn_blame_message(l, s, reply, rtt(l), now); break;
        }
    }
    s->answered_at = now;
    step_pace(l, learn_pace(l, s->host), now);
}

/* ---- memory ---- */

static double rate_known(const struct learn *l) {
    if (!l->pace_by_host) return l->pace.known > 0 ? l->pace.known : l->rate_told;
    double known = 0;
    for (int i = 0; i < LEARN_HOSTS; i++)
        if (l->hosts & 1u << i)
            known += l->pace_by_host[i].known > 0 ? l->pace_by_host[i].known : l->pace_by_host[i].cap;
    return known;
}

void learn_store(const struct learn *l, struct learn_memory *m, wall_us wall, mono_us now) {
    uint32_t connections = l->crowd.known && !l->by_host ? l->crowd.cap : 0;
    if (l->by_host)
        for (int i = 0; i < LEARN_HOSTS; i++)
            connections += l->hosts & 1u << i ? l->by_host[i].cap : 0;
    *m = (struct learn_memory){.saved = wall,
                               .connections = connections,
                               .rate = rate_known(l),
                               .burst = l->pace.burst,
                               .per_connection = l->span.limit,
                               .new_connections = l->knock.limit,
                               .quota = l->quota.limit,
                               .quota_used = l->quota.used,
                               .quota_resets = l->quota.resets ? wall + (l->quota.resets - now) : 0,
                               .chance_unsaid = l->pace.doubts[false].base,
                               .chance_said = l->pace.doubts[true].base};
}

/* 1 for what is fresh, a half after a week. */
static double trust(wall_us age) {
    double t = 1;
    for (; age >= 7 * DAY && t > 0.05; age -= 7 * DAY)
        t /= 2;
    return t * (1 - (double)(age > 0 ? age : 0) / (double)(14 * DAY));
}

static bool sane(double x, double most) {
    return x > 0 && x <= most; /* neither of them holds for what is no number */
}

void learn_load(struct learn *l, const struct learn_memory *m, wall_us wall, mono_us now) {
    double much = trust(wall - m->saved);
    if (m->connections > 0 && m->connections <= l->crowd.ceiling) {
        l->crowd.cap = m->connections < l->crowd.floor ? l->crowd.floor : m->connections;
        l->crowd.known = true;
        l->crowd.probe_at = now + (mono_us)((double)l->crowd.probe_wait * much);
        note(l, LEARN_CONNECTIONS, 0, l->crowd.cap, LEARN_BY_MEMORY, NULL, now);
    }
    if (sane(m->rate, 1e6)) {
        pace_remember(&l->pace, m->rate, sane(m->burst, 1e9) ? m->burst : 0, much, now);
        l->rate_told = m->rate;
        note(l, LEARN_RATE, 0, m->rate, LEARN_BY_MEMORY, NULL, now);
    }
    if (m->per_connection > 0) {
        l->span.limit = m->per_connection;
        note(l, LEARN_PER_CONNECTION, 0, m->per_connection, LEARN_BY_MEMORY, NULL, now);
    }
    if (sane(m->new_connections, 1e6)) {
        l->knock.limit = m->new_connections;
        note(l, LEARN_NEW_CONNECTIONS, 0, m->new_connections, LEARN_BY_MEMORY, NULL, now);
    }
    if (sane(m->quota, 1e12) || l->quota.ceiling > 0) {
        l->quota.limit = sane(m->quota, 1e12) ? m->quota : 0;
        l->quota.used = m->quota_used >= 0 ? m->quota_used : 0;
        if (m->quota_resets || l->quota.limit > 0) l->quota.resets = now + (m->quota_resets - wall);
        turn_quota(l, now);
        if (l->quota.limit > 0) note(l, LEARN_QUOTA, 0, l->quota.limit, LEARN_BY_MEMORY, NULL, now);
    }
    if (sane(m->chance_unsaid, 0.5)) doubt_init(&l->pace.doubts[false], m->chance_unsaid, 500 * much + 50);
    if (sane(m->chance_said, 0.5)) doubt_init(&l->pace.doubts[true], m->chance_said, 500 * much + 50);
}
