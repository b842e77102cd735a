/* A model of the engine, with sessions that ask for windows of eight messages, and what is measured. */
#include "learn_world.h"

#include "hash.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNHEARD_S 30.0 /* no greeting */

enum { SESSIONS = 128, WINDOW = 8, LOOKS = 100 };

/* ---- events ---- */

enum kind { ARRIVED, CONNECTED, ANSWERED, HUNG_UP, TIMED_OUT, GONE };
struct happening {
    mono_us at;
    uint64_t order;
    uint16_t session;
    uint16_t generation;
    uint8_t kind, answer;
    mono_us granted;
    mono_us first; /* when its recipient was tried first */
};

struct session {
    struct learn_session learn;
    uint16_t generation;
    bool used, in, server_closed, waiting;
    bool silent; /* nothing is answered any more */
    unsigned unsent, flying, lost;
    unsigned nth; /* messages that the server saw in it */
    mono_us granted;
    enum turned turned;
};

struct again {
    mono_us first, due;
};
enum { AGAIN = 1 << 17 };

struct world {
    const struct world_case *c;
    struct server server;
    struct learn learn;
    struct session s[SESSIONS];
    struct happening *heap;
    size_t count, room;
    uint64_t order;
    mono_us now, wake;
    bool ended;          /* a session, in this turn */
    struct again *again; /* recipients that were greylisted: ring */
    size_t again_head, again_tail;
    unsigned host_turn, serve_turn;
    double work; /* messages that came and are not sent */
    mono_us batch_at;
    double batch_s;
    uint64_t connects, refused_connects, answered, throttled, delivered;
    double took; /* s, of all answers */
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
    double jitter = w->c->jitter > 0 ? w->c->jitter : 0.1;
    return (mono_us)(w->c->rtt_ms * 1e3 * (1 - jitter + 2 * jitter * (double)(w->random >> 11) * 0x1p-53));
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

/* The server hears of it before it hears of a connection in its place. */
static void server_forgets(struct world *w, struct session *s) {
    if (!s->in) return;
    s->in = false;
    mono_us later = (mono_us)(w->c->rtt_ms * 1e3 * (1 - (w->c->jitter > 0 ? w->c->jitter : 0.1)) / 2 +
                              w->c->limits.linger_s * 1e6);
    push(w, (struct happening){.at = w->now + later, .kind = GONE, .session = s->learn.host});
}

static void end_session(struct world *w, struct session *s, bool by_server, const struct learn_reply *reply) {
    learn_give_back(&w->learn, &s->learn, s->unsent + s->lost);
    w->work += s->unsent + s->lost;
    learn_left(&w->learn, &s->learn, by_server, reply, w->now);
    server_forgets(w, s);
    s->used = false;
    s->generation++;
    w->ended = true;
}

/* Is there work? */
static bool busy(const struct world *w) {
    if (w->c->batch > 0) return w->work >= 1;
    double period = w->c->busy_s + w->c->idle_s;
    if (period == 0) return true;
    double at = (double)w->now / 1e6;
    return at - period * floor(at / period) < w->c->busy_s;
}

/* When the next recipient was tried first: those who were put off come before new ones. */
static mono_us next_recipient(struct world *w) {
    struct again *a = &w->again[w->again_head % AGAIN];
    if (w->again_head == w->again_tail || a->due > w->now) return w->now;
    w->again_head++;
    return a->first;
}

static void put_off(struct world *w, mono_us first) {
    if (w->again_tail - w->again_head == AGAIN) return;
    double retry = w->c->retry_s > 0 ? w->c->retry_s : 300;
    w->again[w->again_tail++ % AGAIN] = (struct again){first, w->now + (mono_us)(retry * 1e6)};
}

static void send_one(struct world *w, struct session *s) {
    const struct world_limits *m = &w->server.limit;
    mono_us first = next_recipient(w), slower;
    enum answer a = server_message(&w->server, s->learn.host, ++s->nth, w->now - first, &slower, w->now);
    bool refused = a >= TOO_FAST;
    s->unsent--;
    s->flying++;
    if (s->silent || a == SILENCE) {
        if (!s->silent)
            after(w, s, TIMED_OUT, 0, (mono_us)((w->c->timeout_s > 0 ? w->c->timeout_s : 60) * 1e6),
                  s->granted);
        s->silent = true;
        return;
    }
    if ((a == TOO_DEEP && m->close != CLOSE_STAYS) || (refused && m->hangs_up)) s->server_closed = true;
    mono_us there_and_back = trip(w) + slower;
    push(w, (struct happening){.at = w->now + there_and_back,
                               .session = (uint16_t)(s - w->s),
                               .generation = s->generation,
                               .kind = ANSWERED,
                               .answer = (uint8_t)a,
                               .granted = s->granted,
                               .first = first});
    if (m->close == CLOSE_SILENT && m->per_connection && s->nth == m->per_connection) {
        s->server_closed = true;
        after(w, s, HUNG_UP, 0, there_and_back + 1000, 0);
    }
}

static void send_more(struct world *w, struct session *s) {
    while (s->unsent > 0 && s->flying < w->c->depth && !s->server_closed)
        send_one(w, s);
}

#define NEW_FOR (60 * US_PER_SEC)

/* Of the work that comes in batches; how long does one take? */
static void handed_out(struct world *w, unsigned n) {
    w->work -= n;
    double took = (double)(w->now - w->batch_at) / 1e6;
    if (w->batch_at >= NEW_FOR && took > w->batch_s) w->batch_s = took;
}

static void batch_comes(struct world *w, mono_us second) {
    if (w->c->batch == 0 || fmod((double)second / 1e6, w->c->batch_s) >= 1) return;
    if (w->work < 1) w->batch_at = second;
    w->work += w->c->batch;
    wake_at(w, w->now);
}

static void serve(struct world *w, struct session *s) {
    while (!s->server_closed) {
        send_more(w, s);
        if (s->unsent > 0) return;
        mono_us when;
        s->waiting = false;
        if (!busy(w)) {
            if (s->flying == 0) end_session(w, s, false, NULL);
            return;
        }
        unsigned want = w->c->batch > 0 && w->work < WINDOW ? (unsigned)w->work : WINDOW;
        unsigned n = learn_take(&w->learn, &s->learn, want, w->now, &when);
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
        if (w->c->batch > 0) handed_out(w, n);
    }
}

/* Of that host; of all hosts, where they don't differ. A host that was not seen yet is wanted. */
static bool all_busy(const struct world *w, unsigned host) {
    if (!(w->learn.hosts & 1u << host)) return true;
    for (int i = 0; i < SESSIONS; i++)
        if (w->s[i].used && w->s[i].learn.in && w->s[i].waiting &&
            (!w->learn.pace_by_host || w->s[i].learn.host == host))
            return false;
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
    if (!busy(w)) return;
    for (int i = 0; i < SESSIONS && used < most; i++) {
        struct session *s = &w->s[i];
        if (s->used) continue;
        unsigned host = w->host_turn++ % hosts;
        bool wanted = all_busy(w, host);
        uint16_t generation = s->generation;
        *s = (struct session){.generation = generation};
        mono_us when = NEVER;
        if (!wanted || !learn_open(&w->learn, &s->learn, host, wanted, w->now, &when)) {
            wake_at(w, when);
            if (++failed >= hosts) return;
            i--;
            continue;
        }
        failed = 0;
        s->used = true;
        used++;
        w->connects++;
        after(w, s, ARRIVED, 0, trip(w) / 2, 0);
    }
}

static void arrived(struct world *w, struct session *s) {
    s->turned = server_down(&w->server, s->learn.host, w->now)
                    ? UNREACHABLE
                    : server_connect(&w->server, s->learn.host, w->now);
    s->in = s->turned == LET_IN;
    mono_us later = s->in ? (mono_us)(w->server.limit.greeting_s * 1e6) : 0;
    if (s->turned != LET_IN && s->turned != UNREACHABLE && w->server.limit.unheard)
        later = (mono_us)(UNHEARD_S * 1e6);
    after(w, s, CONNECTED, 0, trip(w) / 2 + later, 0);
}

static void connected(struct world *w, struct session *s) {
    if (s->turned == UNREACHABLE || (s->turned != LET_IN && w->server.limit.unheard)) {
        if (s->turned != UNREACHABLE) w->refused_connects++;
        learn_unreachable(&w->learn, &s->learn, w->now);
    } else {
        enum turned t = s->turned;
        if (t == LET_IN) {
            learn_let_in(&w->learn, &s->learn, w->now);
            serve(w, s);
            return;
        }
        struct learn_reply reply = server_turns_away(&w->server, t);
        w->refused_connects++;
        learn_turned_away(&w->learn, &s->learn, &reply, w->now);
    }
    s->used = false;
    s->generation++;
}

static void answered(struct world *w, struct session *s, const struct happening *h) {
    enum answer a = (enum answer)h->answer;
    mono_us granted = h->granted;
    s->flying--;
    struct learn_reply reply = server_says(&w->server, a);
    w->answered++;
    w->throttled += a >= TOO_FAST;
    if (a == GREY) put_off(w, h->first);
    w->took += (double)(w->now - granted) / 1e6;
    w->delivered += a == TAKEN || a == UNKNOWN || a == GREY || a == BY_CHANCE;
    bool closes = s->server_closed && a >= TOO_FAST && reply.code == 421;
    learn_answer(&w->learn, &s->learn, &reply, w->now - granted, w->now);
    if (closes)
        end_session(w, s, true, &reply);
    else if (!s->server_closed)
        serve(w, s);
}

/* Nothing is heard from it any more: at once, or after so long. */
static void lose(struct world *w, struct session *s, mono_us took) {
    struct learn_reply lost = server_says(&w->server, LOST);
    w->answered += s->flying;
    if (took > 0) w->throttled += s->flying;
    for (; s->flying > 0; s->flying--)
        learn_answer(&w->learn, &s->learn, &lost, took, w->now);
    end_session(w, s, false, NULL);
}

/* An outage begins. */
static void lose_all(struct world *w) {
    for (int i = 0; i < SESSIONS; i++)
        if (w->s[i].used && w->s[i].learn.in && server_down(&w->server, w->s[i].learn.host, w->now))
            lose(w, &w->s[i], 0);
}

static void happen(struct world *w, const struct happening *h) {
    struct session *s = &w->s[h->session];
    if (h->kind == GONE) {
        server_left(&w->server, h->session);
        return;
    }
    if (!s->used || s->generation != h->generation) return;
    switch ((enum kind)h->kind) {
    case ARRIVED: arrived(w, s); break;
    case CONNECTED: connected(w, s); break;
    case ANSWERED: answered(w, s, h); break;
    case HUNG_UP: end_session(w, s, true, NULL); break;
    case TIMED_OUT: lose(w, s, w->now - h->granted); break;
    case GONE: break;
    }
}

/* In turn, so that a pace is shared evenly. */
static void serve_waiting(struct world *w) {
    unsigned first = w->serve_turn;
    for (unsigned n = 0; n < SESSIONS; n++) {
        struct session *s = &w->s[(first + n) % SESSIONS];
        if (!s->used || !s->learn.in || !s->waiting || s->unsent > 0) continue;
        uint32_t granted = s->learn.granted;
        serve(w, s);
        if (s->learn.granted != granted) w->serve_turn = (first + n + 1) % SESSIONS;
    }
}

/* ---- what is measured ---- */

struct measure {
    uint64_t delivered_half, answered_half, answered_change;
    double took_half, capacity; /* s; messages, or connections by seconds, in the second half */
    double sum_in, sum_in_time;
    uint64_t at_look[16]; /* delivered, a second apart */
    uint64_t sent_look[16];
    unsigned looks, named, looked;
    mono_us moved;
    bool has_moved;
};

/* Messages a second, as of now; where it is by connections, these. */
static double capacity(struct world *w) {
    double c = w->c->capacity > 0 ? w->c->capacity : w->c->limits.connections;
    if (!busy(w) && w->c->batch == 0) return 0;
    c *= server_factor(&w->server, w->now);
    return w->c->limits.unknown_hurts > 0 && w->server.unknown_share > w->c->limits.unknown_hurts ? c / 2 : c;
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
    bool by_messages = w->c->capacity > 0;
    double have = by_messages ? rate : w->server.in;
    if ((m->looks > 10 || !by_messages) && cap > 0 && r->first_s < 0 && have >= 0.8 * cap)
        r->first_s = (double)w->now / 1e6;
    if (w->now * 2 >= end && w->now < end) m->capacity += cap;
    if (w->server.changed && !m->has_moved) {
        if (m->moved == 0) {
            m->moved = w->now;
            m->answered_change = w->answered;
        }
        bool up = w->c->limits.factor > 1;
        if (by_messages ? (up ? rate >= 0.9 * cap : sent <= 1.1 * cap + 0.2) && w->now - m->moved > US_PER_SEC
            : up        ? w->server.in >= 0.9 * w->server.limit.connections
                        : w->server.in <= 1.1 * w->server.limit.connections) {
            m->has_moved = true;
            r->moved_s = (double)w->now / 1e6 - w->c->limits.changes_at;
            r->moved_n = (double)(w->answered - m->answered_change);
        }
    }
    if (w->now * 2 >= end && busy(w) && m->looks % ((unsigned)(end / US_PER_SEC / 2 / LOOKS) + 1) == 0) {
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
    if (!w || !(w->again = malloc(AGAIN * sizeof *w->again))) abort();
    mono_us end = (mono_us)(c->hours * 3600e6), second = 0;
    *r = (struct world_result){.first_s = -1, .moved_s = -1, .moved_n = -1};
    w->c = c;
    w->batch_s = -1;
    server_init(&w->server, &c->limits, seed);
    w->random = hash_mix(seed + 1);
    learn_init(&w->learn, &c->profile, verbose ? tell : NULL, NULL, 0);
    bool half = false;
    double in_time = 0;
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
            batch_comes(w, second);
            second += US_PER_SEC;
            look(w, &m, r, end, verbose);
            lose_all(w);
            wake_at(w, w->now + US_PER_SEC);
        }
        if (!half && w->now * 2 >= end) {
            half = true;
            m.delivered_half = w->delivered;
            m.answered_half = w->answered;
            m.took_half = w->took;
        }
    }
    double seconds = (double)end / 2e6, got = (double)(w->delivered - m.delivered_half);
    r->rate = got / seconds;
    r->concurrency = in_time > 0 ? m.sum_in / in_time : 0;
    if (c->capacity == 0) got = r->concurrency * seconds;
    r->use = m.capacity > 0 ? got / m.capacity : 1;
    if (w->answered > m.answered_half)
        r->latency_s = (w->took - m.took_half) / (double)(w->answered - m.answered_half);
    r->deferred = w->answered ? (double)w->throttled / (double)w->answered : 0;
    r->turned = w->connects ? (double)w->refused_connects / (double)w->connects : 0;
    r->delivered = w->delivered;
    r->refused = w->throttled;
    r->attempts = w->connects;
    r->batch_s = w->batch_s;
    r->named =
        m.looked ? (double)m.named / m.looked : w->c->batch > 0; /* who is seldom at work is seldom bound */
    learn_done(&w->learn);
    free(w->heap);
    server_done(&w->server);
    free(w->again);
    free(w);
}
