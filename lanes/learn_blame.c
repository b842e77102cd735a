/* Which limit does a refusal speak of?
 *
 * Where its words say so, of that one. Else what decides is the state: whichever dimension stands at a height
 * that it had not proven before. A connection that is refused while as many are in as ever were speaks of
 * their number; one that is refused with fewer in, after more new ones in a minute than before, speaks of
 * those; if none is in and nothing was taken, the lane is refused altogether. A message that is refused
 * deeper in a connection than any before it may have met the end of the connection: that is shown by the next
 * one that ends there. Else it speaks of the pace, where doubt.h tells it from chance. */
#include "learn_priv.h"
#include "replytext.h"

#include <stdlib.h>

#define REFUSED_FIRST (2 * US_PER_SEC)
#define REFUSED_MOST  (300 * US_PER_SEC)
#define CLEARED       (600 * US_PER_SEC)
#define STOPPED       (3600 * US_PER_SEC)
#define LONG_AGO      (30 * US_PER_SEC)
#define LONELY        (2 * US_PER_SEC)

enum { STUCK = 3, WONDER = 3, WONDER_LONG = 9 }; /* refusals: in a row; connections that tell a number */

/* A pause that only our own rules know for words like these is no order: who says so may mean a rate. */
static bool is_named(const struct learn_reply *reply) {
    return reply->verdict.hint == CLASSIFY_HINT_STOP_SOURCE || replytext_wait_s(reply->words) > 0;
}

/* For how long to stay away in the end, should nothing else help; 0: it did not say. */
static mono_us rest_asked(const struct learn_reply *reply) {
    return reply->verdict.hint == CLASSIFY_HINT_PAUSE ? (mono_us)reply->verdict.wait_s * US_PER_SEC : 0;
}

enum suspect learn_suspect(const struct learn_reply *reply) {
    const struct classify_verdict *v = &reply->verdict;
    switch (v->hint) {
    case CLASSIFY_HINT_SLOWER:
    case CLASSIFY_HINT_FEWER_RECIPIENTS: return SUSPECT_PACE;
    case CLASSIFY_HINT_FEWER_CONNECTIONS: return SUSPECT_CROWD;
    case CLASSIFY_HINT_FEWER_NEW_CONNECTIONS: return SUSPECT_KNOCK;
    case CLASSIFY_HINT_FEWER_PER_CONNECTION: return SUSPECT_SPAN;
    case CLASSIFY_HINT_PAUSE:
    case CLASSIFY_HINT_STOP_SOURCE: return is_named(reply) ? SUSPECT_PAUSE : SUSPECT_PACE;
    case CLASSIFY_HINT_ONE_MAILBOX: return SUSPECT_NOTHING;
    default: break;
    }
    if (reply->code == 0) return SUSPECT_NOTHING;
    if (v->class == CLASSIFY_GREYLISTED) return SUSPECT_GREY;
    if (reply->code == 421 || v->class == CLASSIFY_RATE_LIMITED) return SUSPECT_ANY;
    if (v->permanent || reply->code >= 500) return SUSPECT_NOBODY;
    switch (v->class) {
    case CLASSIFY_UNDETERMINED:
    case CLASSIFY_REMOTE_FAILURE:
    case CLASSIFY_NETWORK_FAILURE:
    case CLASSIFY_POLICY_BLOCK:
    case CLASSIFY_REPUTATION_BLOCK: return SUSPECT_ANY;
    default: return SUSPECT_NOBODY;
    }
}

static void note(struct learn *l, enum learn_dimension d, double from, double to,
                 const struct learn_reply *reply, mono_us now) {
    struct learn_change c = {.at = now, .dimension = d, .from = from, .to = to, .cause = LEARN_BY_SILENCE};
    if (reply && reply->code) {
        c.cause = LEARN_BY_REPLY;
        c.code = reply->code;
        c.words = reply->words;
    }
    learn_note(l, &c);
}

/* ---- groups of servers ---- */

void learn_split(struct learn *l, mono_us now) {
    l->by_host = calloc(LEARN_HOSTS, sizeof *l->by_host);
    if (!l->by_host) return;
    for (unsigned i = 0; i < LEARN_HOSTS; i++) {
        struct crowd *c = &l->by_host[i];
        crowd_init(c, l->in[i] > 2 ? l->in[i] : 2, 1, l->crowd.ceiling, now);
        c->open = l->open[i];
        c->in = c->peak = l->in[i];
        if (!(l->full & 1u << i) || c->in == 0) continue;
        c->known = true;
        c->cap = c->in;
        c->probe_at = now + c->probe_wait;
    }
    l->full = 0;
}

/* Where one host has refused for its rate, and as many as that would be are taken by another without a word,
 * it is no rate of both. */
static bool refuses_alone(const struct learn *l, unsigned host) {
    const struct learn_share *one = &l->share[host];
    for (unsigned i = 0; i < LEARN_HOSTS; i++) {
        const struct learn_share *other = &l->share[i];
        double expected = (other->taken + other->turned) * one->turned / (one->taken + one->turned);
        if (i != host && one->turned >= 4 && expected >= 6 && other->turned * 8 < expected) return true;
    }
    return false;
}

static void split_pace(struct learn *l, mono_us now) {
    l->pace_by_host = calloc(LEARN_HOSTS, sizeof *l->pace_by_host);
    if (!l->pace_by_host) return;
    unsigned hosts = 0;
    for (unsigned i = 0; i < LEARN_HOSTS; i++)
        hosts += l->hosts >> i & 1;
    for (unsigned i = 0; i < LEARN_HOSTS; i++) {
        struct pace *p = &l->pace_by_host[i];
        pace_init(p, l->pace.cap / hosts, l->pace.floor, l->profile.rate.ceiling, now);
        p->doubts[false] = l->pace.doubts[false];
        p->doubts[true] = l->pace.doubts[true];
    }
    pace_init(&l->pace, l->pace.ceiling, l->pace.floor, l->profile.rate.ceiling, now);
}

bool learn_share(struct learn *l, unsigned host, bool taken, mono_us now) {
    struct learn_share *s = &l->share[host];
    if (l->pace_by_host) return false;
    *(taken ? &s->taken : &s->turned) += 1;
    if (s->taken > 2000)
        for (unsigned i = 0; i < LEARN_HOSTS; i++) {
            l->share[i].taken /= 2;
            l->share[i].turned /= 2;
        }
    if (taken || (l->hosts & (l->hosts - 1)) == 0 || !refuses_alone(l, host)) return false;
    split_pace(l, now);
    return l->pace_by_host != NULL;
}

/* ---- connections ---- */

static void pause_for(struct learn *l, const struct learn_reply *reply, mono_us now) {
    mono_us wait = (mono_us)reply->verdict.wait_s * US_PER_SEC;
    if (wait == 0) wait = reply->verdict.hint == CLASSIFY_HINT_STOP_SOURCE ? STOPPED : 60 * US_PER_SEC;
    if (wait > DAY) wait = DAY;
    if (l->gate.kind == LEARN_PAUSE && l->gate.door.next >= now + wait / 2) return;
    learn_shut(l, LEARN_PAUSE, wait, wait, reply, now);
}

static enum learn_dimension blame_crowd(struct learn *l, struct learn_session *s,
                                        const struct learn_reply *reply, mono_us now) {
    struct crowd *c = learn_crowd(l, s->host);
    uint32_t before = c->known ? c->cap : 0;
    if (!l->by_host) {
        if (now - l->full_at > SOON && !l->elsewhere) l->full = 0;
        l->full |= (uint8_t)(1u << s->host);
        l->full_with = c->in;
        l->full_at = now;
        if (learn_tried_elsewhere(l, s)) {
            c->open--;
            return LEARN_CONNECTIONS;
        }
    }
    l->crowd_at = now;
    crowd_refused(c, now);
    if (l->knock.quiet > 0) { /* it punishes who knocks */
        knock_stay_away(&l->knock, now);
        mono_us rarely = l->knock.quiet * 40;
        if (c->probe_wait < rarely) c->probe_wait = rarely;
        c->probe_at = now + c->probe_wait;
    }
    if (c->cap != before) note(l, LEARN_CONNECTIONS, before, c->cap, reply, now);
    return LEARN_CONNECTIONS;
}

static enum learn_dimension blame_knock(struct learn *l, struct crowd *c, bool said,
                                        const struct learn_reply *reply, mono_us now) {
    double before = l->knock.limit;
    if (l->knock.door.shut) {
        crowd_failed(c);
        knock_refused(&l->knock, now);
        return LEARN_NEW_CONNECTIONS;
    }
    /* What was blamed on the number of connections before was this. */
    if (!said && before == 0 && c->known) crowd_forget(c, now);
    crowd_failed(c);
    if (l->luck.found) luck_watch(&l->luck);
    knock_refused(&l->knock, now);
    if (l->knock.limit < before || before == 0)
        note(l, LEARN_NEW_CONNECTIONS, before, l->knock.limit, reply, now);
    return LEARN_NEW_CONNECTIONS;
}

static enum learn_dimension refused_altogether(struct learn *l, struct crowd *c,
                                               const struct learn_reply *reply, mono_us now) {
    mono_us rest = rest_asked(reply);
    crowd_failed(c);
    learn_shut(l, LEARN_REFUSED, REFUSED_FIRST, rest > REFUSED_MOST ? rest : REFUSED_MOST, reply, now);
    return LEARN_REFUSED;
}

/* What was blamed on their number, or on new ones in a minute, was chance. */
static void forget_new(struct learn *l, mono_us now) {
    double limit = l->knock.limit;
    knock_forget(&l->knock, l->profile.new_connections.start, now);
    if (l->knock.limit != limit)
        learn_tell(l, LEARN_NEW_CONNECTIONS, limit, l->knock.limit, LEARN_BY_DOUBT, NULL, now);
}

static void forget_blame(struct learn *l, mono_us now) {
    forget_new(l, now);
    for (unsigned i = 0; i < (l->by_host ? LEARN_HOSTS : 1); i++) {
        struct crowd *c = learn_crowd(l, i);
        if (c->known) learn_tell(l, LEARN_CONNECTIONS, c->cap, 0, LEARN_BY_DOUBT, NULL, now);
        crowd_forget(c, now);
    }
}

/* Some servers turn away one in a hundred, or in five, whatever is done. When more new ones were just tried
 * two say enough. top: it was one more than ever. */
static bool by_chance(struct learn *l, struct crowd *c, bool top, mono_us now) {
    if (top) return luck_explains(&l->luck, ++c->topped);
    bool shut = l->knock.door.shut;
    if (l->knock.staying_away) return false; /* it punishes who knocks: that comes in rows */
    if (luck_refused(&l->luck)) {
        forget_blame(l, now);
        return true;
    }
    if (l->knock.limit > 0 && luck_stays(&l->luck)) forget_new(l, now);
    if (c->in == 0) return luck_explains(&l->luck, l->luck.row);
    double bearable = l->luck.found ? 1e6 : l->knock.before > 0 ? 40 : 3000;
    return !shut && !doubt_refused(&l->luck.doubt, bearable);
}

/* Some say "too many connections" of new ones in a minute, too (Postfix). So these words are believed with as
 * many open as ever were, or when the number is known for long: then it has moved. Else what was refused once
 * more, with fewer, is told by the state, as if there were no words. */
static bool may_be_number(struct learn *l, const struct crowd *c, mono_us now) {
    if (crowd_fits(c, now)) return true;
    if (!c->known || l->knock.limit > 0) return false;
    if (now - l->crowd_at > LONG_AGO) l->moves_at = now;
    return now - l->moves_at < 2 * SOON;
}

enum learn_dimension learn_blame_connection(struct learn *l, struct learn_session *s,
                                            const struct learn_reply *reply, mono_us now) {
    struct crowd *c = learn_crowd(l, s->host);
    switch (learn_suspect(reply)) {
    case SUSPECT_CROWD:
        if (c->in == 0 && !knock_fits(&l->knock, now)) {
            l->turned_at = now;
            return refused_altogether(l, c, reply, now);
        }
        if (c->in > 0 && may_be_number(l, c, now)) {
            l->turned_at = now;
            return blame_crowd(l, s, reply, now);
        }
        break;
    case SUSPECT_KNOCK: return blame_knock(l, c, true, reply, now);
    case SUSPECT_PAUSE:
        crowd_failed(c);
        pause_for(l, reply, now);
        return LEARN_PAUSE;
    default: break;
    }
    if (learn_in(l) == 0 && reply->code == 0) { /* who hangs up on everybody is as good as away */
        crowd_failed(c);
        learn_shut(l, LEARN_OUTAGE, OUTAGE_FIRST, OUTAGE_MOST, reply, now);
        return LEARN_OUTAGE;
    }
    if (learn_in(l) == 0 && l->pace.mode == PACE_SHUT && now - l->cleared_at > CLEARED) {
        l->cleared_at = now; /* neither messages nor connections are taken: that is no matter of the pace */
        pace_clear(&l->pace, now);
        return refused_altogether(l, c, reply, now);
    }
    bool soon = now - l->turned_at < SOON,
         top = !l->knock.door.shut && (l->luck.found ? crowd_tops(c) : crowd_fits(c, now));
    l->turned_at = now;
    if (l->luck.found && by_chance(l, c, top, now)) {
        crowd_failed(c);
        return LEARN_NOTHING;
    }
    if (soon && c->in > 0 && c->known && c->open <= c->cap && l->crowd_at > now - 2 * SOON) {
        /* Just after one too many, and this is none: it was on its way, or the server punishes knocking. */
        crowd_failed(c);
        knock_stay_away(&l->knock, now);
        return LEARN_NEW_CONNECTIONS;
    }
    if (top) return blame_crowd(l, s, reply, now);
    if (crowd_wonder(c, l->luck.found ? WONDER_LONG : WONDER, now)) {
        knock_pardon(&l->knock);
        return blame_crowd(l, s, reply, now);
    }
    if (!l->luck.found && by_chance(l, c, false, now)) {
        crowd_failed(c);
        return LEARN_NOTHING;
    }
    if (knock_fits(&l->knock, now)) return blame_knock(l, c, false, reply, now);
    if (c->in > 0) return blame_crowd(l, s, reply, now);
    return refused_altogether(l, c, reply, now);
}

/* That others of its connections are in while it refuses one speaks of their number. If none is it is the
 * host that does not want any, or is ill: another takes it, and the lane is not at fault. */
void learn_blame_host(struct learn *l, struct learn_session *s, const struct learn_reply *reply,
                      mono_us now) {
    struct crowd *c = learn_crowd(l, s->host);
    enum suspect suspect = reply ? learn_suspect(reply) : SUSPECT_NOTHING;
    bool number = suspect == SUSPECT_CROWD || (suspect == SUSPECT_ANY && crowd_fits(c, now));
    if (number && l->in[s->host] > 0) {
        l->turned_at = now;
        blame_crowd(l, s, reply, now);
    } else {
        crowd_failed(c);
        learn_tried_elsewhere(l, s);
    }
}

/* ---- messages ---- */

static bool blame_span(struct learn *l, struct learn_session *s, bool said, const struct learn_reply *reply,
                       mono_us now) {
    uint32_t before = l->span.limit;
    mono_us suspected = l->span.began;
    if (s->stuck > 1 || said || (reply && reply->code == 421)) s->ended = true;
    if (s->stuck > 1 || !span_ended(&l->span, s->answered, said, s->let_in, now)) return false;
    s->ended = true;
    note(l, LEARN_PER_CONNECTION, before, l->span.limit, reply, now);
    if (!said) pace_forgive(learn_pace(l, s->host), suspected, now);
    return true;
}

/* The first message of a new connection, while older ones go on: it is the connection that is one too many.
 */
static bool is_late_refusal(struct learn *l, const struct learn_session *s, mono_us now) {
    const struct pace *p = learn_pace(l, s->host);
    return s->in && s->answered == 0 && l->crowd.in > 1 && l->taken_at > s->let_in &&
           now - l->refused_at > LONELY && (p->mode == PACE_HOLD || p->known == 0);
}

static void out_late(struct learn *l, struct learn_session *s, const struct learn_reply *reply, mono_us now) {
    struct crowd *c = learn_crowd(l, s->host);
    s->in = false;
    s->ended = true;
    l->in[s->host]--;
    l->open[s->host]--;
    c->in--;
    learn_blame_connection(l, s, reply, now);
}

static void blame_pace(struct learn *l, unsigned host, bool said, const struct learn_reply *reply,
                       mono_us rtt, mono_us now) {
    struct pace *p = learn_pace(l, host);
    double cap = p->cap;
    pace_asked_rest(p, rest_asked(reply));
    if (learn_share(l, host, false, now) || pace_refused(p, said, rtt, now) != PACE_ALARM) return;
    if (!l->why) l->why = calloc(LEARN_DIMENSIONS, sizeof *l->why);
    if (!l->why) return;
    struct learn_why *why = &l->why[LEARN_RATE]; /* told when it is known how far down it goes */
    size_t len = reply->words.len < LEARN_WORDS - 1 ? reply->words.len : LEARN_WORDS - 1;
    memcpy(why->words, reply->words.at, len);
    why->words[len] = '\0';
    why->code = reply->code;
    why->at = now;
    why->value = cap;
}

void learn_blame_message(struct learn *l, struct learn_session *s, const struct learn_reply *reply,
                         mono_us rtt, mono_us now) {
    enum suspect suspect = learn_suspect(reply);
    bool others = now - l->refused_at > LONELY;
    switch (suspect) {
    case SUSPECT_PAUSE: pause_for(l, reply, now); break;
    case SUSPECT_SPAN:
        if (!s->ended) blame_span(l, s, true, reply, now);
        break;
    case SUSPECT_CROWD:
    case SUSPECT_KNOCK:
        if (s->in && learn_crowd(l, s->host)->in > 0) out_late(l, s, reply, now);
        break;
    default:
        if (l->gate.kind != LEARN_NOTHING) {
            if (s->probe) door_refused(&l->gate.door, now); /* else it was sent before */
            break;
        }
        if (suspect == SUSPECT_ANY && reply->code == 421 && is_late_refusal(l, s, now)) {
            out_late(l, s, reply, now);
            break;
        }
        if (s->ended) break; /* the rest of a window that met the end of its connection */
        if (l->span.limit > 0 && s->answered == l->span.limit) { /* let in before that was known */
            s->ended = true;
            span_confirmed(&l->span);
            break;
        }
        if (++s->stuck >= STUCK) s->ended = true; /* whatever it is: a new connection tells */
        if (l->quota.limit > 0 && l->quota.used >= l->quota.limit) {
            learn_shut(l, LEARN_QUOTA, l->quota.resets - now, 900 * US_PER_SEC, reply, now);
            break;
        }
        if ((suspect == SUSPECT_ANY || reply->code == 421) && span_fits(&l->span, s->answered)) {
            bool calm = suspect == SUSPECT_ANY && learn_pace(l, s->host)->mode == PACE_HOLD && others &&
                        !l->span.refuted;
            if (blame_span(l, s, false, reply, now) || calm) break;
        }
        blame_pace(l, s->host, suspect == SUSPECT_PACE, reply, rtt, now);
        break;
    }
    l->refused_at = now;
}

void learn_blame_end(struct learn *l, struct learn_session *s, const struct learn_reply *reply, mono_us now) {
    if (l->span.limit > 0 && s->answered == l->span.limit) {
        span_confirmed(&l->span);
        return;
    }
    enum suspect suspect = reply ? learn_suspect(reply) : SUSPECT_ANY;
    if (suspect == SUSPECT_PAUSE)
        pause_for(l, reply, now);
    else if (suspect == SUSPECT_SPAN || (suspect == SUSPECT_ANY && span_fits(&l->span, s->answered)))
        blame_span(l, s, suspect == SUSPECT_SPAN, reply, now);
}
