/* What a lane's sessions and messages met with. */
#include "learn_priv.h"

#include <assert.h>

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
    yield_pass(&l->yield, c->in, l->busy, now);
    s->in = true;
    s->let_in = now;
    luck_let_in(&l->luck);
    l->in[s->host]++;
    double limit = l->knock.limit;
    knock_let_in(&l->knock, now);
    if (limit > 0 && l->knock.limit > limit)
        learn_tell(l, LEARN_NEW_CONNECTIONS, limit, l->knock.limit, LEARN_BY_TRYING, NULL, now);
    if (learn_tried_elsewhere(l, s) && !l->by_host && c->in + 1 > c->cap) {
        c->in++;
        learn_split(l, now);
    } else if (!l->by_host && l->full && !(l->full & 1u << s->host) && c->in >= l->full_with &&
               now - l->full_at < SOON) {
        c->in++; /* one host refused with as many in, and this one does not */
        learn_split(l, now);
    } else {
        crowd_let_in(c, learn_rtt(l));
        if (known && !c->known) {
            l->full = 0;
            learn_tell(l, LEARN_CONNECTIONS, before, c->cap, LEARN_BY_TRYING, NULL, now);
        }
    }
    if (l->gate.kind == LEARN_OUTAGE || l->gate.kind == LEARN_REFUSED) learn_open_gate(l, now);
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
    learn_no_try(l, s);
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
    learn_no_try(l, s);
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
    if (s->surplus) l->leaving--;
    s->surplus = false;
    if (!s->in) return;
    if (s->granted == 0) learn_no_try(l, s);
    yield_pass(&l->yield, l->crowd.in, l->busy, now);
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
static void learn_latency(struct learn *l, mono_us took, mono_us alone) {
    double diff = (double)took - l->latency;
    smooth(&l->latency, (double)took);
    smooth(&l->spread, diff < 0 ? -diff : diff);
    if (l->service == 0) l->service = (double)alone;
    smooth(&l->service, (double)alone);
    if (l->service_known == 0 || l->service < l->service_known)
        l->service_known = l->service;
    else
        l->service_known += (l->service - l->service_known) / 20000;
    l->crowd.held = !l->by_host && yield_slow(l->service, l->service_known);
}

/* What held the lane back last, other than the number of its connections. */
static mono_us disturbed_at(struct learn *l, mono_us now) {
    static const enum learn_dimension others[] = {LEARN_NEW_CONNECTIONS, LEARN_QUOTA, LEARN_PAUSE,
                                                  LEARN_REFUSED, LEARN_OUTAGE};
    mono_us last = -NEVER / 2;
    if (l->pace_by_host || l->pace.mode == PACE_LISTEN || l->pace.mode == PACE_SHUT ||
        pace_binds(&l->pace, now))
        return now;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (l->denied[others[i]] > last) last = l->denied[others[i]];
    return last;
}

/* Are fewer connections, or more, as good? */
static void weigh_connections(struct learn *l, mono_us now) {
    struct crowd *c = &l->crowd;
    struct yield *y = &l->yield;
    struct yield_now n = {.cap = c->cap,
                          .floor = c->floor,
                          .ceiling = c->ceiling,
                          .in = c->in,
                          .service = l->service_known,
                          .slow = c->held,
                          .bound = c->eased,
                          .disturbed = disturbed_at(l, now)};
    yield_pass(y, c->in, l->busy, now);
    yield_answer(y);
    if (l->by_host) return;
    switch (yield_step(y, &n, now)) {
    case YIELD_TRY: crowd_try(c, y->want); break;
    case YIELD_KEEP:
        learn_tell(l, LEARN_CONNECTIONS, y->from, c->cap,
                   y->want < y->from ? LEARN_BY_LATENCY : LEARN_BY_TRYING, NULL, now);
        break;
    case YIELD_BACK:
        if (y->want < y->from && y->service > 0) l->service_known = y->service_before;
        crowd_back(c, now);
        break;
    case YIELD_STOP: crowd_back(c, now); break;
    case YIELD_NOTHING: break;
    }
    if (c->eased) c->probe_at = y->next > now ? y->next : now;
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
        if (shut > SHUT_IS_QUOTA) learn_quota_found(l, now);
        learn_tell_again(l, LEARN_RATE, 0, p->cap, LEARN_BY_RETURN, now);
    }
    l->quota.used++;
    if (l->quota.ceiling > 0 && l->quota.resets == 0) l->quota.resets = now + DAY;
    learn_beyond_quota(&l->quota);
    l->taken_at = now;
    if (now - took >= l->gate.door.since)
        learn_open_gate(l, now); /* else it was sent before the gate was shut */
}

void learn_answer(struct learn *l, struct learn_session *s, const struct learn_reply *reply, mono_us took,
                  mono_us now) {
    assert(l->in_flight > 0);
    l->now = l->heard_at = now;
    learn_land(l, s, 1, now);
    if (reply->verdict.class == CLASSIFY_DELIVERED) {
        mono_us alone = now - s->answered_at;
        learn_latency(l, took, alone < took ? alone : took);
        taken(l, s, took, now);
    } else {
        switch (learn_suspect(reply)) {
        case SUSPECT_NOBODY: taken(l, s, took, now); break;
        case SUSPECT_NOTHING:
            s->answered++;
            learn_no_try(l, s);
            break;
        case SUSPECT_GREY: taken(l, s, took, now); break;
        default: learn_blame_message(l, s, reply, learn_rtt(l), now); break;
        }
    }
    s->answered_at = now;
    learn_step_pace(l, learn_pace(l, s->host), now);
    weigh_connections(l, now);
}
