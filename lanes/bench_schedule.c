/* What scheduling costs: 300 lanes of providers and 20,000 tail hosts, ten million recipients queued, over
 * simulated time. Counted is the CPU of all that decides (backlog and learn: which lane, which session, which
 * recipients, how many, and what the answers teach), together with the little that plays the servers; no I/O,
 * no ledger. Prints the CPU microseconds of a message.
 *
 *     bench_schedule QUEUED
 */
#include "backlog.h"
#include "hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LANES = 300,
    DOMAINS_A_LANE = 20,
    TAIL = 20000,
    TAIL_SHARE = 40, /* % of the recipients */
    SESSIONS_MOST = 2000,
    WINDOW = 8,
    WAITING_A_SESSION = 16,
    LANES_A_TURN = 64,
    BIG = 1000,    /* waiting recipients: lanes of that size leave the small ones a quarter of the sessions */
    SEND_SHARE = 3 /* a third of them is sent: the queue stays long */
};

struct session {
    struct site *site;
    struct learn_session learn;
    struct chunk *chunk;
    unsigned taken; /* of its window */
    bool big;
    mono_us granted;
    struct session *next; /* parked, or free */
};

struct happening {
    mono_us at;
    struct session *session; /* comes in, or has the answers of its window */
};

/* What a provider hides: so many connections, so many messages a second, by bucket. */
struct server {
    uint32_t connections, open;
    double rate, tokens;
    mono_us at;
};

struct world {
    struct backlog b;
    struct campaign campaign;
    struct server servers[LANES];
    struct session *sessions, *free;
    unsigned open, open_big;
    struct happening *heap;
    size_t events;
    mono_us now;
    uint64_t taken, refused, random;
};

/* ---- time ---- */

static void later(struct world *w, struct session *s, mono_us delay) {
    struct happening h = {w->now + delay, s};
    size_t i = w->events++;
    for (; i > 0 && h.at < w->heap[(i - 1) / 2].at; i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = h;
}

static struct session *happens(struct world *w) {
    struct happening top = w->heap[0], last = w->heap[--w->events];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->events; i = child) {
        if (child + 1 < w->events && w->heap[child + 1].at < w->heap[child].at) child++;
        if (last.at <= w->heap[child].at) break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    if (top.at > w->now) w->now = top.at;
    return top.session;
}

/* ---- the servers ---- */

static struct server *server_of(struct world *w, const struct lane *lane) {
    return lane->tail ? NULL : &w->servers[lane->source];
}

static bool lets_in(struct server *s) {
    if (!s) return true;
    if (s->open >= s->connections) return false;
    s->open++;
    return true;
}

static bool takes(struct server *s, mono_us now) {
    if (!s) return true;
    s->tokens += (double)(now - s->at) * 1e-6 * s->rate;
    if (s->tokens > s->rate) s->tokens = s->rate;
    s->at = now;
    if (s->tokens < 1) return false;
    s->tokens -= 1;
    return true;
}

/* ---- as the engine does it (deliver/schedule.c) ---- */

static void let_go(void *ctx, struct chunk *chunk) {
    (void)ctx;
    chunk->holds--;
}

static void drop(void *ctx, struct chunk *chunk, const struct slots *slots) {
    (void)slots;
    let_go(ctx, chunk);
}

static void end(struct world *w, struct session *s, const struct learn_reply *refusal) {
    struct lane *lane = s->site->lane;
    struct server *server = server_of(w, lane);
    if (refusal) {
        learn_turned_away(&lane->learn, &s->learn, refusal, w->now);
    } else {
        learn_left(&lane->learn, &s->learn, false, NULL, w->now);
        if (server) server->open--;
    }
    s->site->sessions--;
    w->open--;
    w->open_big -= s->big;
    s->next = w->free;
    w->free = s;
    if (lane->waiting)
        backlog_run(&w->b, lane);
    else
        backlog_site_check(&w->b, s->site);
}

static void serve(struct world *w, struct session *s) {
    struct lane *lane = s->site->lane;
    struct slots slots;
    mono_us when;
    if (!s->site->turn) {
        end(w, s, NULL);
        return;
    }
    unsigned allowed = learn_take(&lane->learn, &s->learn, WINDOW, w->now, &when);
    if (allowed == 0 && when == NEVER) {
        end(w, s, NULL);
    } else if (allowed == 0) {
        s->next = lane->parked;
        lane->parked = s;
        backlog_sleep(&w->b, lane, when);
    } else {
        s->taken = backlog_take(&w->b, s->site, allowed, &s->chunk, &slots, drop, w);
        learn_give_back(&lane->learn, &s->learn, allowed - s->taken);
        s->granted = w->now;
        if (s->taken)
            later(w, s, 25 * US_PER_MS * s->taken);
        else
            end(w, s, NULL);
    }
}

/* A quarter of the sessions is for lanes for which few wait. */
static bool is_full(const struct world *w, bool big) {
    unsigned open = big ? w->open_big : w->open - w->open_big, most = SESSIONS_MOST;
    return w->open >= most || open >= most - most / (big ? 8 : 4);
}

static bool open_for(struct world *w, struct lane *lane, struct site *site) {
    bool big = lane->waiting >= BIG;
    struct learn_session learn;
    mono_us when;
    if (is_full(w, big)) {
        backlog_starve(&w->b, lane, big);
        return false;
    }
    if (!learn_open(&lane->learn, &learn, site->rotation, true, w->now, &when)) {
        mono_us turn = learn_tick(&lane->learn, w->now);
        backlog_sleep(&w->b, lane, when < turn ? when : turn);
        return false;
    }
    struct session *s = w->free;
    w->free = s->next;
    *s = (struct session){.site = site, .learn = learn, .big = big};
    site->rotation ^= 1;
    site->sessions++;
    w->open++;
    w->open_big += big;
    later(w, s, 40 * US_PER_MS);
    return true;
}

static void look_at(struct world *w, struct lane *lane) {
    for (struct session *s = lane->parked, *next; s; s = next) {
        if (s == lane->parked) lane->parked = NULL;
        next = s->next;
        serve(w, s);
    }
    for (unsigned i = 0; i < lane->sites && lane->turn; i++) {
        struct site *site = lane->turn;
        uint32_t deserved = 1 + (site->waiting - 1) / WAITING_A_SESSION;
        lane->turn = site->next;
        while (site->sessions < deserved && !(lane->parked && site->sessions))
            if (!open_for(w, lane, site)) return;
    }
}

static void schedule(struct world *w) {
    struct lane *lane;
    backlog_wake_lanes(&w->b, w->now);
    for (int big = 1; big >= 0; big--) {
        unsigned room = SESSIONS_MOST - w->open;
        while (room-- && !is_full(w, big) && (lane = backlog_next_starving(&w->b, big)))
            backlog_run(&w->b, lane);
    }
    for (int i = 0; i < LANES_A_TURN && (lane = backlog_next_to_run(&w->b)); i++)
        look_at(w, lane);
}

/* ---- what happens ---- */

static void comes_in(struct world *w, struct session *s) {
    static const struct learn_reply full = {.verdict = {.class = CLASSIFY_RATE_LIMITED,
                                                        .scope = CLASSIFY_SCOPE_LANE,
                                                        .hint = CLASSIFY_HINT_FEWER_CONNECTIONS},
                                            .stage = CLASSIFY_AT_SESSION,
                                            .code = 421,
                                            .words = {"too many connections", 20}};
    struct lane *lane = s->site->lane;
    if (!lets_in(server_of(w, lane))) {
        end(w, s, &full);
        return;
    }
    learn_let_in(&lane->learn, &s->learn, w->now);
    backlog_run(&w->b, lane);
    serve(w, s);
}

static void is_answered(struct world *w, struct session *s) {
    static const struct learn_reply good = {.verdict = {.class = CLASSIFY_DELIVERED}, .code = 250},
                                    fast = {.verdict = {.class = CLASSIFY_RATE_LIMITED,
                                                        .scope = CLASSIFY_SCOPE_LANE,
                                                        .hint = CLASSIFY_HINT_SLOWER},
                                            .stage = CLASSIFY_AT_MAIL,
                                            .code = 450,
                                            .words = {"too fast", 8}};
    struct lane *lane = s->site->lane;
    for (unsigned i = 0; i < s->taken; i++) {
        bool taken = takes(server_of(w, lane), w->now);
        learn_answer(&lane->learn, &s->learn, taken ? &good : &fast, w->now - s->granted, w->now);
        w->taken += taken;
        w->refused += !taken;
    }
    s->taken = 0;
    let_go(NULL, s->chunk);
    serve(w, s);
}

/* ---- the queue ---- */

static void add(struct world *w, const char *name, uint64_t recipients) {
    struct domain *d = backlog_domain(&w->b, slice_of(name), 0);
    while (recipients > 0) {
        unsigned n = recipients > CHUNK_SLOTS ? CHUNK_SLOTS : (unsigned)recipients;
        struct chunk *chunk = calloc(1, sizeof *chunk);
        struct slots slots = slots_first(n);
        if (!d || !chunk) abort();
        chunk->campaign = &w->campaign;
        chunk->count = (uint16_t)n;
        ledger_hold(chunk);
        if (!backlog_add(&w->b, d, chunk, &slots, WORK_FRESH)) abort();
        recipients -= n;
    }
}

/* The domains that were added since, under a lane of their own: `number` of the providers, or LANES: tail. */
static void place(struct world *w, unsigned number, const char *name, uint64_t key) {
    static const struct learn_profile unknown = {0};
    bool tail = number == LANES;
    struct lane *lane = backlog_lane_new(&w->b, slice_of(name), tail ? 0 : number, tail);
    if (!lane) abort();
    learn_init(&lane->learn, &unknown, NULL, NULL, w->now);
    struct site *site = backlog_site_new(&w->b, hash_mix(key), lane, SLICE("mx"));
    if (!site) abort();
    for (struct domain *d; (d = backlog_next_to_ask(&w->b));)
        backlog_place(&w->b, d, site, NEVER);
}

static void fill(struct world *w, uint64_t queued) {
    uint64_t tail = queued * TAIL_SHARE / 100;
    char name[64];
    for (unsigned i = 0; i < LANES; i++) {
        for (unsigned k = 0; k < DOMAINS_A_LANE; k++) {
            snprintf(name, sizeof name, "d%u.provider%u.test", k, i);
            add(w, name, (queued - tail) / LANES / DOMAINS_A_LANE);
        }
        snprintf(name, sizeof name, "provider%u", i);
        place(w, i, name, i);
        /* From two a second to thousands, from two connections to fifty. */
        double rate = 2 * (double)(1u << i % 11);
        w->servers[i] = (struct server){.connections = 2 + i % 49, .rate = rate, .tokens = rate};
    }
    for (unsigned i = 0; i < TAIL; i++) {
        snprintf(name, sizeof name, "tail%u.test", i);
        add(w, name, tail / TAIL);
        place(w, LANES, name, LANES + i);
    }
}

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run(struct world *w, uint64_t most) {
    while (w->taken < most) {
        schedule(w);
        mono_us wakes = backlog_next_wake(&w->b);
        if (w->b.run.first) continue;
        if (w->events == 0 && wakes == NEVER) break;
        if (w->events == 0 || wakes < w->heap[0].at) {
            if (wakes > w->now) w->now = wakes;
            continue;
        }
        struct session *s = happens(w);
        if (s->taken)
            is_answered(w, s);
        else
            comes_in(w, s);
    }
}

int main(int argc, char **argv) {
    uint64_t queued = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    static struct world w;
    if (queued < LANES * DOMAINS_A_LANE + TAIL) {
        fputs("bench_schedule: how many recipients are to be queued? At least 26,000\n", stderr);
        return 2;
    }
    w.campaign.row.state = CAMPAIGN_READY;
    w.sessions = calloc(SESSIONS_MOST, sizeof *w.sessions);
    w.heap = calloc(SESSIONS_MOST, sizeof *w.heap);
    if (!w.sessions || !w.heap || backlog_init(&w.b, 1) != 0) abort();
    for (unsigned i = 0; i < SESSIONS_MOST; i++) {
        w.sessions[i].next = w.free;
        w.free = &w.sessions[i];
    }
    fill(&w, queued);
    double begin = cpu_s();
    run(&w, queued / SEND_SHARE);
    double cpu = cpu_s() - begin;
    printf("us_a_message=%.3f taken=%llu refused=%llu simulated_s=%.0f lanes_left=%zu\n",
           cpu * 1e6 / (double)(w.taken + w.refused), (unsigned long long)w.taken,
           (unsigned long long)w.refused, (double)w.now * 1e-6, w.b.lane_count);
    return 0;
}
