/* A server with hidden limits, and a model of the engine: sessions that ask for windows of eight messages. */
#include "learn_world.h"

#include "hash.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSIONS = 128, WINDOW = 8, RING = 1 << 17, LOOKS = 100 };

/* ---- the server ---- */

struct server {
    struct world_limits limit;
    unsigned in, host_in[LEARN_HOSTS];
    double tokens;
    mono_us filled;
    int64_t window_no;
    double window_used;
    mono_us *ring; /* times of messages taken, for sliding windows */
    uint64_t ring_head, ring_tail;
    double new_tokens;
    mono_us new_filled, new_from;
    double new_used;
    int64_t day;
    double day_used;
    mono_us banned_until;
    bool changed;
    uint64_t random;
    double unknown_share;
};

static double chance(struct server *v) {
    v->random = hash_mix(v->random + 0x9e3779b97f4a7c15u);
    return (double)(v->random >> 11) * 0x1p-53;
}

static void change(struct server *v, mono_us now) {
    struct world_limits *m = &v->limit;
    if (v->changed || m->changes_at == 0 || (double)now < m->changes_at * 1e6) return;
    v->changed = true;
    m->connections = (uint32_t)(m->connections * m->factor);
    m->rate *= m->factor;
    m->window_n *= m->factor;
    m->new_a_minute *= m->factor;
}

static bool server_down(const struct server *v, mono_us now) {
    double s = (double)now / 1e6;
    return v->limit.outage_for > 0 && s >= v->limit.outage_from &&
           s < v->limit.outage_from + v->limit.outage_for;
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
    if (now - v->new_from >= 60 * US_PER_SEC) { /* as anvil(8): what is refused counts */
        v->new_from = now;
        v->new_used = 0;
    }
    return ++v->new_used > m->new_a_minute;
}

enum turned { LET_IN, TOO_MANY, TOO_MANY_NEW, BANNED, UNREACHABLE };

static enum turned server_connect(struct server *v, unsigned host, mono_us now) {
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
    if (t != LET_IN && m->ban_s > 0) v->banned_until = now + (mono_us)(m->ban_s * 1e6);
    if (t != LET_IN) return t;
    v->in++;
    v->host_in[host]++;
    return LET_IN;
}

static bool too_fast(struct server *v, mono_us now) {
    const struct world_limits *m = &v->limit;
    if (m->rate > 0) {
        double rate = m->rate;
        if (m->unknown_hurts > 0 && v->unknown_share > m->unknown_hurts) rate /= 2;
        v->tokens += (double)(now - v->filled) / 1e6 * rate;
        if (v->tokens > m->burst) v->tokens = m->burst;
        v->filled = now;
        if (v->tokens < 1) return true;
    }
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
        if ((double)(v->ring_head - v->ring_tail) >= m->window_n) return true;
        v->ring[v->ring_head++ % RING] = now;
    }
    if (m->rate > 0) v->tokens -= 1;
    return false;
}

enum answer { TAKEN, UNKNOWN, GREY, BY_CHANCE, TOO_FAST, TOO_DEEP, OVER_QUOTA, LOST };

static enum answer server_message(struct server *v, unsigned nth, mono_us now) {
    change(v, now);
    const struct world_limits *m = &v->limit;
    if (m->per_connection && nth > m->per_connection) return TOO_DEEP;
    if (m->quota > 0) {
        int64_t day = now / (INT64_C(86400) * US_PER_SEC);
        if (day != v->day) v->day_used = 0;
        v->day = day;
        if (v->day_used >= m->quota) return OVER_QUOTA;
    }
    if (too_fast(v, now)) return TOO_FAST;
    double x = chance(v);
    if (x < m->chance) return BY_CHANCE;
    x = chance(v);
    bool unknown = x < m->unknown;
    v->unknown_share += ((unknown ? 1 : 0) - v->unknown_share) / 200;
    if (unknown) return UNKNOWN;
    v->day_used++;
    return chance(v) < m->greylisted ? GREY : TAKEN;
}

static struct learn_reply say(const struct server *v, enum answer a) {
    struct learn_reply r = {.stage = CLASSIFY_AT_RCPT, .code = 250, .words = SLICE("ok")};
    r.verdict.class = CLASSIFY_DELIVERED;
    bool hint = !v->limit.generic;
    switch (a) {
    case TAKEN: return r;
    case UNKNOWN:
        r.code = 550;
        r.verdict = (struct classify_verdict){.class = CLASSIFY_INVALID_RECIPIENT, .permanent = true};
        r.words = SLICE("5.1.1 no such user");
        return r;
    case GREY:
        r.code = 450;
        r.verdict = (struct classify_verdict){.class = CLASSIFY_GREYLISTED};
        r.words = SLICE("4.7.1 greylisted");
        return r;
    default: break;
    }
    r.code = a == TOO_DEEP || v->limit.hangs_up ? 421 : 451;
    r.verdict = (struct classify_verdict){.class = CLASSIFY_UNDETERMINED};
    r.words = SLICE("4.3.2 try again later");
    if (!hint || a == BY_CHANCE) {
        if (a == BY_CHANCE) r.code = 451;
        return r;
    }
    r.verdict = (struct classify_verdict){.class = CLASSIFY_RATE_LIMITED, .scope = CLASSIFY_SCOPE_LANE};
    r.verdict.hint = a == TOO_DEEP ? CLASSIFY_HINT_FEWER_PER_CONNECTION : CLASSIFY_HINT_SLOWER;
    r.words = a == TOO_DEEP     ? SLICE("4.7.0 too many messages in this connection")
              : a == OVER_QUOTA ? SLICE("4.7.0 daily limit reached")
                                : SLICE("4.7.28 rate limited");
    return r;
}

static struct learn_reply say_turned(const struct server *v, enum turned t) {
    struct learn_reply r = {
        .stage = CLASSIFY_AT_SESSION, .code = 421, .words = SLICE("4.3.2 try again later")};
    r.verdict = (struct classify_verdict){.class = CLASSIFY_UNDETERMINED};
    if (v->limit.generic) return r;
    r.verdict.class = CLASSIFY_RATE_LIMITED;
    if (t == TOO_MANY) {
        r.verdict.hint = CLASSIFY_HINT_FEWER_CONNECTIONS;
        r.words = SLICE("4.7.0 too many connections");
    } else if (t == TOO_MANY_NEW) {
        r.verdict.hint = CLASSIFY_HINT_FEWER_NEW_CONNECTIONS;
        r.words = SLICE("4.7.0 connection rate limit exceeded");
    }
    return r;
}

/* ---- events ---- */

enum kind { ARRIVED, CONNECTED, ANSWERED, HUNG_UP, GONE };
struct happening {
    mono_us at;
    uint64_t order;
    uint16_t session;
    uint16_t generation;
    uint8_t kind, answer;
    mono_us granted;
};

struct session {
    struct learn_session learn;
    uint16_t generation;
    bool used, in, server_closed, waiting;
    unsigned unsent, flying, lost;
    unsigned nth; /* messages that the server saw in it */
    mono_us granted;
    enum turned turned;
};

struct world {
    const struct world_case *c;
    struct server server;
    struct learn learn;
    struct session s[SESSIONS];
    struct happening *heap;
    size_t count, room;
    uint64_t order;
    mono_us now, wake;
    bool ended; /* a session, in this turn */
    unsigned host_turn;
    uint64_t connects, refused_connects, answered, throttled, delivered;
    uint64_t random;
};

static bool before(const struct happening *a, const struct happening *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct world *w, struct happening h) {
    if (w->count == w->room) {
        w->room = w->room ? 2 * w->room : 1024;
        w->heap = realloc(w->heap, w->room * sizeof *w->heap);
        if (!w->heap) abort();
    }
    h.order = w->order++;
    size_t i = w->count++;
    for (; i > 0 && before(&h, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = h;
}

static struct happening pop(struct world *w) {
    struct happening top = w->heap[0], last = w->heap[--w->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->count) break;
        if (child + 1 < w->count && before(&w->heap[child + 1], &w->heap[child])) child++;
        if (!before(&w->heap[child], &last)) break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    if (w->count) w->heap[i] = last;
    return top;
}

static mono_us trip(struct world *w) {
    w->random = hash_mix(w->random + 0x9e3779b97f4a7c15u);
    return (mono_us)(w->c->rtt_ms * 1e3 * (0.9 + 0.2 * (double)(w->random >> 11) * 0x1p-53));
}

/* ---- the engine ---- */

static void wake_at(struct world *w, mono_us when) {
    if (when != NEVER && when < w->wake) w->wake = when > w->now ? when : w->now + 1000;
}

static void after(struct world *w, struct session *s, enum kind kind, enum answer a, mono_us delay,
                  mono_us granted) {
    push(w, (struct happening){.at = w->now + delay,
                               .session = (uint16_t)(s - w->s),
                               .generation = s->generation,
                               .kind = (uint8_t)kind,
                               .answer = (uint8_t)a,
                               .granted = granted});
}

/* Half a round trip later the server knows. */
static void server_forgets(struct world *w, struct session *s) {
    if (!s->in) return;
    s->in = false;
    push(w, (struct happening){
                .at = w->now + (mono_us)(w->c->rtt_ms * 450), .kind = GONE, .session = s->learn.host});
}

static void end_session(struct world *w, struct session *s, bool by_server, const struct learn_reply *reply) {
    learn_give_back(&w->learn, &s->learn, s->unsent + s->lost);
    learn_left(&w->learn, &s->learn, by_server, reply, w->now);
    server_forgets(w, s);
    s->used = false;
    s->generation++;
    w->ended = true;
}

static void send_more(struct world *w, struct session *s) {
    while (s->unsent > 0 && s->flying < w->c->depth && !s->server_closed) {
        s->unsent--;
        s->flying++;
        enum answer a = server_message(&w->server, ++s->nth, w->now);
        bool refused = a >= TOO_FAST;
        const struct world_limits *m = &w->server.limit;
        if ((a == TOO_DEEP && m->close != CLOSE_STAYS) || (refused && m->hangs_up)) s->server_closed = true;
        mono_us there_and_back = trip(w);
        after(w, s, ANSWERED, a, there_and_back, s->granted);
        if (m->close == CLOSE_SILENT && m->per_connection && s->nth == m->per_connection) {
            s->server_closed = true;
            after(w, s, HUNG_UP, 0, there_and_back + 1000, 0);
        }
    }
}

static void serve(struct world *w, struct session *s) {
    while (!s->server_closed) {
        send_more(w, s);
        if (s->unsent > 0) return;
        mono_us when;
        unsigned n = learn_take(&w->learn, &s->learn, WINDOW, w->now, &when);
        s->waiting = n == 0 && when != NEVER;
        if (n == 0) {
            if (when == NEVER && s->flying == 0)
                end_session(w, s, false, NULL);
            else
                wake_at(w, when);
            return;
        }
        s->granted = w->now;
        s->unsent = n;
    }
}

static bool all_busy(const struct world *w) {
    for (int i = 0; i < SESSIONS; i++)
        if (w->s[i].used && w->s[i].learn.in && w->s[i].waiting) return false;
    return true;
}

static unsigned count_used(const struct world *w) {
    unsigned n = 0;
    for (int i = 0; i < SESSIONS; i++)
        n += w->s[i].used;
    return n;
}

static void open_sessions(struct world *w) {
    unsigned most = w->c->connections ? w->c->connections : 20, hosts = w->c->hosts ? w->c->hosts : 1,
             failed = 0;
    unsigned used = count_used(w);
    for (int i = 0; i < SESSIONS && used < most; i++) {
        struct session *s = &w->s[i];
        if (s->used) continue;
        bool busy = all_busy(w);
        if (!busy) return;
        uint16_t generation = s->generation;
        *s = (struct session){.generation = generation};
        mono_us when;
        unsigned host = w->host_turn++ % hosts;
        if (!learn_open(&w->learn, &s->learn, host, busy, w->now, &when)) {
            wake_at(w, when);
            if (++failed >= hosts) return;
            i--;
            continue;
        }
        s->used = true;
        used++;
        w->connects++;
        after(w, s, ARRIVED, 0, trip(w) / 2, 0);
    }
}

static void arrived(struct world *w, struct session *s) {
    s->turned =
        server_down(&w->server, w->now) ? UNREACHABLE : server_connect(&w->server, s->learn.host, w->now);
    s->in = s->turned == LET_IN;
    after(w, s, CONNECTED, 0, trip(w) / 2, 0);
}

static void connected(struct world *w, struct session *s) {
    if (s->turned == UNREACHABLE) {
        learn_unreachable(&w->learn, &s->learn, w->now);
    } else {
        enum turned t = s->turned;
        if (t == LET_IN) {
            learn_let_in(&w->learn, &s->learn, w->now);
            serve(w, s);
            return;
        }
        struct learn_reply reply = say_turned(&w->server, t);
        w->refused_connects++;
        learn_turned_away(&w->learn, &s->learn, &reply, w->now);
    }
    s->used = false;
    s->generation++;
}

static void answered(struct world *w, struct session *s, enum answer a, mono_us granted) {
    s->flying--;
    struct learn_reply reply = say(&w->server, a);
    w->answered++;
    w->throttled += a >= TOO_FAST;
    w->delivered += a == TAKEN || a == UNKNOWN || a == GREY || a == BY_CHANCE;
    bool closes = s->server_closed && a >= TOO_FAST && reply.code == 421;
    learn_answer(&w->learn, &s->learn, &reply, w->now - granted, w->now);
    if (closes)
        end_session(w, s, true, &reply);
    else if (!s->server_closed)
        serve(w, s);
}

static void lose_all(struct world *w) {
    for (int i = 0; i < SESSIONS; i++) {
        struct session *s = &w->s[i];
        if (!s->used || !s->learn.in) continue;
        struct learn_reply lost = {.verdict = {.class = CLASSIFY_NETWORK_FAILURE}, .stage = CLASSIFY_AT_DATA};
        for (; s->flying > 0; s->flying--)
            learn_answer(&w->learn, &s->learn, &lost, 0, w->now);
        end_session(w, s, false, NULL);
    }
}

static void happen(struct world *w, const struct happening *h) {
    struct session *s = &w->s[h->session];
    if (h->kind == GONE) {
        w->server.in--;
        w->server.host_in[h->session]--;
        return;
    }
    if (!s->used || s->generation != h->generation) return;
    switch ((enum kind)h->kind) {
    case ARRIVED: arrived(w, s); break;
    case CONNECTED: connected(w, s); break;
    case ANSWERED: answered(w, s, (enum answer)h->answer, h->granted); break;
    case HUNG_UP: end_session(w, s, true, NULL); break;
    case GONE: break;
    }
}

static void serve_waiting(struct world *w) {
    for (int i = 0; i < SESSIONS; i++)
        if (w->s[i].used && w->s[i].learn.in && w->s[i].waiting && w->s[i].unsent == 0) serve(w, &w->s[i]);
}

/* ---- what is measured ---- */

struct measure {
    uint64_t delivered_half, answered_change;
    double sum_in, sum_in_time;
    uint64_t at_look[16]; /* delivered, a second apart */
    uint64_t sent_look[16];
    unsigned looks, named, looked;
    mono_us moved;
    bool has_moved;
};

static double capacity(const struct world *w) {
    double c = w->c->capacity;
    return w->server.changed && w->c->limits.factor > 0 ? c * w->c->limits.factor : c;
}

static bool names_cause(struct world *w, enum learn_dimension cause) {
    struct learn_state state;
    learn_explain(&w->learn, &state, w->now);
    if (cause == LEARN_PER_CONNECTION)
        return state.limit[cause] >= w->server.limit.per_connection - 1 &&
               state.limit[cause] <= w->server.limit.per_connection;
    return state.bound == cause;
}

/* Once a second of the world's time. */
static void look(struct world *w, struct measure *m, struct world_result *r, mono_us end, bool verbose) {
    unsigned i = m->looks++ % 16;
    uint64_t ten_ago = m->at_look[(i + 16 - 10) % 16], three_sent = m->sent_look[(i + 16 - 3) % 16];
    m->at_look[i] = w->delivered;
    m->sent_look[i] = w->answered;
    double cap = capacity(w), rate = (double)(w->delivered - ten_ago) / 10,
           sent = (double)(w->answered - three_sent) / 3;
    if (m->looks > 10 && cap > 0 && r->first_s < 0 && rate >= 0.8 * cap) r->first_s = (double)w->now / 1e6;
    if (cap == 0 && r->first_s < 0 && w->c->limits.connections &&
        w->server.in >= 0.8 * w->c->limits.connections)
        r->first_s = (double)w->now / 1e6;
    if (w->server.changed && !m->has_moved) {
        if (m->moved == 0) {
            m->moved = w->now;
            m->answered_change = w->answered;
        }
        bool up = w->c->limits.factor > 1;
        if (cap > 0 ? (up ? rate >= 0.9 * cap : sent <= 1.1 * cap + 0.2) && w->now - m->moved > US_PER_SEC
            : up    ? w->server.in >= 0.9 * w->server.limit.connections
                    : w->server.in <= 1.1 * w->server.limit.connections) {
            m->has_moved = true;
            r->moved_s = (double)w->now / 1e6 - w->c->limits.changes_at;
            r->moved_n = (double)(w->answered - m->answered_change);
        }
    }
    if (w->now * 2 >= end && m->looks % ((unsigned)(end / US_PER_SEC / 2 / LOOKS) + 1) == 0) {
        m->looked++;
        m->named += names_cause(w, w->c->cause);
    }
    if (verbose) {
        struct learn_state state;
        learn_explain(&w->learn, &state, w->now);
        printf("%6.0f in %2u cap %u%s rate %.2f cap %.2f known %.2f mode %d burst %.0f span %u/%u knock %.1f "
               "quota %.0f/%.0f "
               "bound %s base %.4f/%.4f deliv %lu throttled %lu turned %lu/%lu\n",
               (double)w->now / 1e6, w->server.in, w->learn.crowd.cap, w->learn.crowd.known ? "!" : "?", rate,
               w->learn.pace.cap, w->learn.pace.known, w->learn.pace.mode, w->learn.pace.burst,
               w->learn.span.limit, w->learn.span.candidate, w->learn.knock.limit, w->learn.quota.used,
               w->learn.quota.limit, learn_dimension_name(state.bound), w->learn.pace.doubts[0].base,
               w->learn.pace.doubts[1].base, w->delivered, w->throttled, w->refused_connects, w->connects);
    }
}

static void tell(void *ctx, const struct learn_change *c) {
    (void)ctx;
    printf("  %.1f %s %.2f -> %.2f cause %d %d %.*s\n", (double)c->at / 1e6,
           learn_dimension_name(c->dimension), c->from, c->to, c->cause, c->code, SLICE_ARG(c->words));
}

void world_run(const struct world_case *c, uint64_t seed, bool verbose, struct world_result *r) {
    struct world *w = calloc(1, sizeof *w);
    struct measure m = {0};
    if (!w || !(w->server.ring = malloc(RING * sizeof *w->server.ring))) abort();
    mono_us end = (mono_us)(c->hours * 3600e6), second = 0;
    *r = (struct world_result){.first_s = -1, .moved_s = -1, .moved_n = -1};
    w->c = c;
    w->server.limit = c->limits;
    w->server.tokens = c->limits.burst;
    w->server.new_tokens = c->limits.new_a_minute / 3;
    w->server.random = hash_mix(seed);
    w->random = hash_mix(seed + 1);
    learn_init(&w->learn, &c->profile, verbose ? tell : NULL, NULL, 0);
    bool was_down = false, half = false;
    double in_time = 0;
    uint64_t connects_half = 0;
    (void)connects_half;
    while (w->now < end) {
        mono_us next = w->wake < second ? w->wake : second;
        bool timer = w->count == 0 || next < w->heap[0].at;
        mono_us at = timer ? next : w->heap[0].at;
        if (at > w->now && half) {
            m.sum_in += (double)w->server.in * (double)(at - w->now);
            in_time += (double)(at - w->now);
        }
        if (at > w->now) w->now = at;
        r->events++;
        if (!timer) {
            struct happening h = pop(w);
            happen(w, &h);
            if (h.kind != ANSWERED || w->ended) open_sessions(w);
            w->ended = false;
        }
        if (w->now >= w->wake) {
            w->wake = NEVER;
            serve_waiting(w);
            open_sessions(w);
            wake_at(w, learn_tick(&w->learn, w->now));
        }
        if (w->now >= second) {
            second += US_PER_SEC;
            look(w, &m, r, end, verbose);
            bool down = server_down(&w->server, w->now);
            if (down && !was_down) lose_all(w);
            was_down = down;
            wake_at(w, w->now + US_PER_SEC);
        }
        if (!half && w->now * 2 >= end) {
            half = true;
            m.delivered_half = w->delivered;
        }
    }
    double seconds = (double)end / 2e6;
    r->rate = (double)(w->delivered - m.delivered_half) / seconds;
    r->concurrency = in_time > 0 ? m.sum_in / in_time : 0;
    r->use = capacity(w) > 0               ? r->rate / capacity(w)
             : w->server.limit.connections ? r->concurrency / w->server.limit.connections
                                           : 1;
    r->deferred = w->answered ? (double)w->throttled / (double)w->answered : 0;
    r->turned = w->connects ? (double)w->refused_connects / (double)w->connects : 0;
    r->delivered = w->delivered;
    r->refused = w->throttled;
    r->attempts = w->connects;
    r->named = m.looked ? (double)m.named / m.looked : 0;
    learn_done(&w->learn);
    free(w->heap);
    free(w->server.ring);
    free(w);
}
