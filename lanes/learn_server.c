/* A server with hidden limits. learn_server.h tells which. */
#include "learn_server.h"

#include "hash.h"

#include <stdlib.h>

enum { RING = 1 << 17 };
#define WORLD_DAY (INT64_C(86400) * US_PER_SEC)

void server_init(struct server *v, const struct world_limits *limits, uint64_t seed) {
    *v = (struct server){.limit = *limits, .first = *limits, .random = hash_mix(seed)};
    if (!(v->ring = malloc(RING * sizeof *v->ring))) abort();
    v->tokens = limits->burst;
    for (int i = 0; i < LEARN_HOSTS; i++)
        v->host_tokens[i] = limits->burst;
    v->new_tokens = limits->new_a_minute / 3;
}

void server_done(struct server *v) {
    free(v->ring);
}

double server_chance(struct server *v) {
    v->random = hash_mix(v->random + 0x9e3779b97f4a7c15u);
    return (double)(v->random >> 11) * 0x1p-53;
}

/* ---- limits that move ---- */

double server_factor(struct server *v, mono_us now) {
    const struct world_limits *m = &v->first;
    double f = 1;
    if (m->changes_at > 0 && (double)now >= m->changes_at * 1e6) f = m->factor;
    int steps = 0;
    while (steps < WORLD_STEPS && m->steps[steps] > 0)
        steps++;
    if (m->step_s > 0 && steps > 0) f *= m->steps[(int64_t)((double)now / (m->step_s * 1e6)) % steps];
    return f;
}

static void change(struct server *v, mono_us now) {
    struct world_limits *m = &v->limit;
    const struct world_limits *first = &v->first;
    if (first->factor == 0 && first->step_s == 0) return;
    double f = server_factor(v, now);
    v->changed = first->changes_at > 0 && (double)now >= first->changes_at * 1e6;
    m->connections = (uint32_t)(first->connections * f);
    m->rate = first->rate * f;
    for (int i = 0; i < LEARN_HOSTS; i++)
        m->host_rate[i] = first->host_rate[i] * f;
    m->window_n = first->window_n * f;
    m->new_a_minute = first->new_a_minute * f;
}

/* ---- connections ---- */

static bool bucket_empty(double *tokens, mono_us *filled, double rate, double burst, mono_us now) {
    *tokens += (double)(now - *filled) / 1e6 * rate;
    if (*tokens > burst) *tokens = burst;
    *filled = now;
    return *tokens < 1;
}

bool server_down(const struct server *v, unsigned host, mono_us now) {
    double s = (double)now / 1e6;
    return v->limit.outage_for > 0 && s >= v->limit.outage_from &&
           s < v->limit.outage_from + v->limit.outage_for &&
           (v->limit.outage_hosts == 0 || v->limit.outage_hosts & 1u << host);
}

static bool too_many_new(struct server *v, mono_us now) {
    const struct world_limits *m = &v->limit;
    if (m->new_a_minute == 0) return false;
    if (m->new_count == COUNT_BUCKET) {
        v->new_tokens += (double)(now - v->new_filled) / 60e6 * m->new_a_minute;
        if (v->new_tokens > m->new_a_minute / 3) v->new_tokens = m->new_a_minute / 3;
        v->new_filled = now;
        if (v->new_tokens < 1) return true;
        v->new_tokens -= 1;
        return false;
    }
    double minute = m->new_s > 0 ? m->new_s : 60;
    if ((double)(now - v->new_from) >= minute * 1e6) { /* as anvil(8): what is refused counts */
        v->new_from = now;
        v->new_used = 0;
    }
    return ++v->new_used > m->new_a_minute * minute / 60;
}

enum turned server_connect(struct server *v, unsigned host, mono_us now) {
    change(v, now);
    const struct world_limits *m = &v->limit;
    enum turned t = LET_IN;
    if (now < v->banned_until)
        t = BANNED;
    else if (too_many_new(v, now))
        t = TOO_MANY_NEW;
    else if ((m->connections && v->in >= m->connections) ||
             (m->host_connections[host] && v->host_in[host] >= m->host_connections[host]))
        t = TOO_MANY;
    else if (m->at_door && bucket_empty(&v->tokens, &v->filled, m->rate, m->burst, now))
        t = TURNED_FOR_RATE;
    else if (m->connect_chance > 0 && server_chance(v) < m->connect_chance)
        t = TURNED_BY_CHANCE;
    if (t != LET_IN && m->ban_s > 0) v->banned_until = now + (mono_us)(m->ban_s * 1e6);
    if (t != LET_IN) return t;
    v->in++;
    v->host_in[host]++;
    return LET_IN;
}

void server_left(struct server *v, unsigned host) {
    v->in--;
    v->host_in[host]--;
}

/* ---- messages ---- */

static bool window_full(struct server *v, mono_us now) {
    const struct world_limits *m = &v->limit;
    if (m->window_n > 0 && m->window == COUNT_FIXED) {
        int64_t no = (int64_t)((double)now / (m->window_s * 1e6));
        if (no != v->window_no) v->window_used = 0;
        v->window_no = no;
        if (v->window_used >= m->window_n) return true;
        v->window_used++;
    } else if (m->window_n > 0) {
        while (v->ring_tail < v->ring_head &&
               (double)(now - v->ring[v->ring_tail % RING]) >= m->window_s * 1e6)
            v->ring_tail++;
        bool full = (double)(v->ring_head - v->ring_tail) >= m->window_n;
        if (full && (!m->counts_refused || v->ring_head - v->ring_tail >= RING)) return true;
        v->ring[v->ring_head++ % RING] = now;
        return full;
    }
    return false;
}

static double rate_now(const struct server *v) {
    const struct world_limits *m = &v->limit;
    return m->unknown_hurts > 0 && v->unknown_share > m->unknown_hurts ? m->rate / 2 : m->rate;
}

static bool too_fast(struct server *v, unsigned host, mono_us now) {
    const struct world_limits *m = &v->limit;
    if (now < v->penalty_until) return true;
    double *all = &v->tokens, *one = &v->host_tokens[host], none = -m->burst;
    bool empty = m->rate > 0 && bucket_empty(all, &v->filled, rate_now(v), m->burst, now);
    if (m->host_rate[host] > 0 && bucket_empty(one, &v->host_filled[host], m->host_rate[host], m->burst, now))
        empty = true;
    if (!empty && window_full(v, now)) empty = true;
    if (m->at_door) {
        if (*all > none) *all -= 1;
        return false;
    }
    if (empty && m->penalty_s > 0) v->penalty_until = now + (mono_us)(m->penalty_s * 1e6);
    if (empty && !m->counts_refused) return true;
    if (m->rate > 0 && *all > none) *all -= 1;
    if (m->host_rate[host] > 0 && *one > none) *one -= 1;
    return empty;
}

/* How much later than else a tarpit answers. */
static mono_us tarpit(double *due, double rate, double burst, mono_us now) {
    if (rate == 0) return 0;
    double least = (double)now - burst / rate * 1e6;
    *due = (*due > least ? *due : least) + 1e6 / rate;
    return *due > (double)now ? (mono_us)(*due - (double)now) : 0;
}

static bool over_quota(struct server *v, mono_us now) {
    const struct world_limits *m = &v->limit;
    if (m->quota == 0) return false;
    if (m->quota_from_first) {
        if (v->day_used == 0 || now - v->day_began >= WORLD_DAY) {
            v->day_used = 0;
            v->day_began = now;
        }
    } else {
        if (now / WORLD_DAY != v->day) v->day_used = 0;
        v->day = now / WORLD_DAY;
    }
    return v->day_used >= m->quota;
}

enum answer server_message(struct server *v, unsigned host, unsigned nth, mono_us age, mono_us *slower,
                           mono_us now) {
    change(v, now);
    const struct world_limits *m = &v->limit;
    *slower = 0;
    if (m->per_connection && nth > m->per_connection) return TOO_DEEP;
    if (over_quota(v, now)) return OVER_QUOTA;
    if (m->beyond == BEYOND_SLOWS) {
        mono_us other = tarpit(&v->host_due[host], m->host_rate[host], m->burst, now);
        *slower = tarpit(&v->due, rate_now(v), m->burst, now);
        if (other > *slower) *slower = other;
    } else if (too_fast(v, host, now)) {
        return m->beyond == BEYOND_SILENT ? SILENCE : TOO_FAST;
    }
    if (m->slows_above > 0 && v->in > m->slows_above) {
        double much = v->in / m->slows_above;
        *slower += (mono_us)((much * much - 1) * m->service_s * 1e6);
    }
    if ((double)now >= m->late_from * 1e6 && (double)now < (m->late_from + m->late_for) * 1e6)
        *slower += (mono_us)(m->late_s * 1e6);
    if (server_chance(v) < m->chance) return BY_CHANCE;
    bool unknown = server_chance(v) < m->unknown;
    v->unknown_share += ((unknown ? 1 : 0) - v->unknown_share) / 200;
    if (unknown) return UNKNOWN;
    if (m->greylist_s > 0 && (double)age < m->greylist_s * 1e6) return GREY;
    v->day_used++;
    return server_chance(v) < m->greylisted ? GREY : TAKEN;
}

/* ---- what it says ---- */

static struct learn_reply grey(enum classify_stage stage) {
    return (struct learn_reply){.verdict = {.class = CLASSIFY_GREYLISTED},
                                .stage = stage,
                                .code = 450,
                                .words = SLICE("4.7.1 greylisted, try again later")};
}

struct learn_reply server_says(const struct server *v, enum answer a) {
    const struct world_limits *m = &v->limit;
    enum classify_stage stage = m->stage ? m->stage : CLASSIFY_AT_RCPT;
    struct learn_reply r = {.stage = stage, .code = 250, .words = SLICE("ok")};
    r.verdict.class = CLASSIFY_DELIVERED;
    switch (a) {
    case TAKEN: return r;
    case UNKNOWN:
        r.code = 550;
        r.verdict = (struct classify_verdict){.class = CLASSIFY_INVALID_RECIPIENT, .permanent = true};
        r.words = SLICE("5.1.1 no such user");
        return r;
    case GREY: return grey(stage);
    case LOST:
    case SILENCE: return (struct learn_reply){.verdict = {.class = CLASSIFY_NETWORK_FAILURE}, .stage = stage};
    default: break;
    }
    if (a == TOO_FAST && m->says_greylisted) return grey(stage);
    r.code = a == TOO_DEEP || (m->hangs_up && a != BY_CHANCE) ? 421 : 451;
    r.verdict = (struct classify_verdict){.class = CLASSIFY_UNDETERMINED};
    r.words = SLICE("4.3.2 try again later");
    if (m->generic || a == BY_CHANCE) return r;
    r.verdict = (struct classify_verdict){.class = CLASSIFY_RATE_LIMITED, .scope = CLASSIFY_SCOPE_LANE};
    r.verdict.hint = a == TOO_DEEP ? CLASSIFY_HINT_FEWER_PER_CONNECTION : CLASSIFY_HINT_SLOWER;
    if (a == TOO_FAST && m->asks_rest_s) {
        r.verdict.hint = CLASSIFY_HINT_PAUSE;
        r.verdict.wait_s = m->asks_rest_s;
    }
    r.words = a == TOO_DEEP     ? SLICE("4.7.0 too many messages in this connection")
              : a == OVER_QUOTA ? SLICE("4.7.0 daily limit reached")
                                : SLICE("4.7.28 rate limited");
    return r;
}

struct learn_reply server_turns_away(const struct server *v, enum turned t) {
    struct learn_reply r = {
        .stage = CLASSIFY_AT_SESSION, .code = 421, .words = SLICE("4.3.2 try again later")};
    r.verdict = (struct classify_verdict){.class = CLASSIFY_UNDETERMINED};
    if (v->limit.generic || t == TURNED_BY_CHANCE) return r;
    r.verdict.class = CLASSIFY_RATE_LIMITED;
    if (t == TOO_MANY || (t == TOO_MANY_NEW && v->limit.says_connections)) {
        r.verdict.hint = CLASSIFY_HINT_FEWER_CONNECTIONS;
        r.words = SLICE("4.7.0 too many connections");
    } else if (t == TOO_MANY_NEW) {
        r.verdict.hint = CLASSIFY_HINT_FEWER_NEW_CONNECTIONS;
        r.words = SLICE("4.7.0 connection rate limit exceeded");
    } else if (t == TURNED_FOR_RATE) {
        r.verdict.hint = CLASSIFY_HINT_SLOWER;
        r.words = SLICE("4.7.28 rate limited");
    }
    return r;
}
