/* Tests of fair shares in the backlog: tables of campaigns that want to be sent at once, a random model that
 * counts beside it, and, with --time, what a message costs. */
#include "backlog.h"
#include "hash.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { CAMPAIGNS = 16, CHUNKS = 64 };

struct world {
    struct backlog b;
    struct campaign campaigns[CAMPAIGNS];
    struct chunk *chunks; /* CHUNKS of each campaign, all slots free to be used again */
    uint64_t holds;
};

static void world_open(struct world *w) {
    *w = (struct world){0};
    assert_int_equal(backlog_init(&w->b, 42), 0);
    w->chunks = calloc((size_t)CAMPAIGNS * CHUNKS, sizeof *w->chunks);
    for (unsigned c = 0; c < CAMPAIGNS; c++) {
        w->campaigns[c].row =
            (struct campaign_row){.id = c + 1, .state = CAMPAIGN_READY, .course.weight = WEIGHT_DEFAULT};
        for (unsigned i = 0; i < CHUNKS; i++)
            w->chunks[c * CHUNKS + i] =
                (struct chunk){.campaign = &w->campaigns[c], .id = c * CHUNKS + i, .count = 256};
    }
}

static void let_go(void *ctx, struct chunk *chunk) {
    (void)ctx;
    assert_true(chunk->holds > 0);
    chunk->holds--;
}

static void drop(void *ctx, struct chunk *chunk, const struct slots *slots) {
    uint64_t *dropped = ctx;
    if (dropped) *dropped += slots_count(slots);
    let_go(NULL, chunk);
}

static void world_done(struct world *w) {
    backlog_done(&w->b, let_go, NULL);
    for (unsigned i = 0; i < CAMPAIGNS * CHUNKS; i++)
        assert_int_equal(w->chunks[i].holds, 0);
    free(w->chunks);
}

static struct domain *put_work(struct world *w, unsigned campaign, const char *domain, unsigned chunk,
                               unsigned n, enum work work) {
    struct chunk *c = &w->chunks[campaign * CHUNKS + chunk % CHUNKS];
    struct slots slots = slots_first(n);
    struct domain *d = backlog_domain(&w->b, slice_of(domain), 0);
    ledger_hold(c);
    assert_true(d && backlog_add(&w->b, d, c, &slots, work));
    return d;
}

static struct domain *put(struct world *w, unsigned campaign, const char *domain, unsigned chunk,
                          unsigned n) {
    return put_work(w, campaign, domain, chunk, n, WORK_FRESH);
}

static struct site *place_all(struct world *w, uint64_t key) {
    struct lane *lane = backlog_lane(&w->b, SLICE("google"), 0);
    if (!lane) lane = backlog_lane_new(&w->b, SLICE("google"), 0, false);
    struct site *site = backlog_site(&w->b, key);
    if (!site) site = backlog_site_new(&w->b, key, lane, SLICE("mx"));
    for (struct domain *d; (d = backlog_next_to_ask(&w->b));)
        backlog_place(&w->b, d, site, NEVER);
    return site;
}

/* Whose the next window is; n: how many. CAMPAIGNS: there is none. */
static unsigned take(struct world *w, struct site *site, unsigned most, unsigned *n) {
    struct chunk *chunk;
    struct slots slots;
    *n = backlog_take(&w->b, site, most, &chunk, &slots, drop, NULL);
    if (!*n) return CAMPAIGNS;
    let_go(NULL, chunk);
    return chunk->campaign->row.id - 1;
}

static void take_many(struct world *w, struct site *site, unsigned windows, uint64_t got[CAMPAIGNS]) {
    memset(got, 0, CAMPAIGNS * sizeof *got);
    for (unsigned i = 0; i < windows; i++) {
        unsigned n, c = take(w, site, 8, &n);
        if (c < CAMPAIGNS) got[c] += n;
    }
}

/* Each has its domains full; what it gets of 4,000 recipients. */
static void shares_follow_weights(void **state) {
    (void)state;
    static const struct {
        const char *what;
        struct {
            uint32_t weight, tenant;
            unsigned domains;
        } campaigns[4];
        double want[4];
    } cases[] = {
        {"alike", {{100, 1, 1}, {100, 1, 1}}, {0.5, 0.5}},
        {"three to one", {{300, 1, 1}, {100, 1, 1}}, {0.75, 0.25}},
        {"a thousand to one", {{1000, 1, 1}, {1, 1, 1}}, {0.999, 0.001}},
        {"many domains are not more", {{100, 1, 40}, {100, 1, 1}}, {0.5, 0.5}},
        {"tenants first",
         {{100, 1, 1}, {100, 1, 3}, {100, 1, 1}, {100, 2, 1}},
         {1 / 6., 1 / 6., 1 / 6., 0.5}},
        {"a tenant's weights are its own", {{1000, 1, 1}, {100, 2, 1}}, {0.5, 0.5}},
        {"and divide what it has", {{300, 1, 2}, {100, 1, 1}, {7, 2, 1}}, {0.375, 0.125, 0.5}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        uint64_t got[CAMPAIGNS];
        world_open(&w);
        for (unsigned c = 0; c < 4 && cases[i].campaigns[c].domains; c++) {
            w.campaigns[c].row.tenant = cases[i].campaigns[c].tenant;
            w.campaigns[c].row.course.weight = cases[i].campaigns[c].weight;
            for (unsigned d = 0; d < cases[i].campaigns[c].domains; d++) {
                char name[32];
                snprintf(name, sizeof name, "d%u.test", d);
                for (unsigned chunk = 0; chunk < 20; chunk++)
                    put(&w, c, name, chunk, 256);
            }
        }
        struct site *site = place_all(&w, 1);
        take_many(&w, site, 500, got);
        for (unsigned c = 0; c < 4; c++)
            if (fabs((double)got[c] - cases[i].want[c] * 4000) > 16) {
                print_error("%s: campaign %u got %llu of 4000, not %.3f\n", cases[i].what, c,
                            (unsigned long long)got[c], cases[i].want[c]);
                fail();
            }
        world_done(&w);
    }
}

static void domains_of_a_campaign_take_turns(void **state) {
    (void)state;
    struct world w;
    world_open(&w);
    static const char *const names[] = {"a.test", "b.test", "c.test"};
    for (unsigned d = 0; d < 3; d++)
        put(&w, 0, names[d], d, d == 1 ? 8 : 64);
    put(&w, 1, "a.test", 9, 64);
    struct site *site = place_all(&w, 1);
    static const unsigned want[] = {0, 1, 2, 0, 2, 0, 2}; /* chunk = domain; b has one window */
    for (size_t i = 0; i < sizeof want / sizeof *want;) {
        struct chunk *chunk;
        struct slots slots;
        assert_int_equal(backlog_take(&w.b, site, 8, &chunk, &slots, drop, NULL), 8);
        let_go(NULL, chunk);
        if (chunk->campaign == &w.campaigns[0]) assert_int_equal(chunk->id, want[i++]);
    }
    world_done(&w);
}

/* The work of the windows, d: due, f: fresh; a chunk of 40 and above is of what is due. */
static void due_and_fresh_take_turns(void **state) {
    (void)state;
    static const struct {
        const char *what;
        unsigned fresh, due; /* batches */
        unsigned fresh_n, due_n, most;
        const char *want;
    } cases[] = {
        {"three to one", 9, 9, 8, 8, 8, "dfdddfdddfddffffff"},
        {"recipients count, not windows", 3, 24, 8, 1, 8, "dfdddddddddddddddddddddddff"},
        {"alone they are not held up", 0, 5, 8, 8, 8, "ddddd"},
        {"and owe nothing for long", 5, 0, 8, 8, 8, "fffff"},
        {"parts of a batch", 1, 1, 24, 24, 8, "dfddff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        char got[64] = "";
        world_open(&w);
        for (unsigned k = 0; k < cases[i].fresh; k++)
            put(&w, 0, "a.test", k, cases[i].fresh_n);
        struct site *site = place_all(&w, 1);
        for (unsigned k = 0; k < cases[i].due; k++)
            put_work(&w, 0, "a.test", 40 + k, cases[i].due_n, WORK_DUE);
        place_all(&w, 1);
        struct chunk *chunk;
        struct slots slots;
        size_t len = 0;
        uint64_t last[WORKS] = {0};
        while (len < sizeof got - 1 && backlog_take(&w.b, site, cases[i].most, &chunk, &slots, drop, NULL)) {
            bool due = chunk->id >= 40;
            assert_true(chunk->id >= last[due]); /* the oldest first */
            last[due] = chunk->id;
            got[len++] = due ? 'd' : 'f';
            let_go(NULL, chunk);
        }
        if (strcmp(got, cases[i].want) != 0) {
            print_error("%s: %s, not %s\n", cases[i].what, got, cases[i].want);
            fail();
        }
        world_done(&w);
    }
}

/* Of a thousand domains with much to send one has somebody who is due: he does not wait for a round. */
static void who_is_due_waits_for_no_round(void **state) {
    (void)state;
    struct world w;
    unsigned n;
    world_open(&w);
    for (unsigned d = 0; d < 1000; d++) {
        char name[32];
        snprintf(name, sizeof name, "d%u.test", d);
        put(&w, 0, name, d, 16);
        if (d % 10 == 0) put(&w, 1, name, d, 16);
    }
    struct site *site = place_all(&w, 1);
    for (unsigned i = 0; i < 100; i++)
        take(&w, site, 8, &n);
    put_work(&w, 0, "d990.test", 63, 1, WORK_DUE);
    unsigned windows = 0;
    for (struct chunk *chunk = NULL; chunk != &w.chunks[63] && windows < 100; windows++) {
        struct slots slots;
        assert_true(backlog_take(&w.b, site, 1, &chunk, &slots, drop, NULL));
        let_go(NULL, chunk);
    }
    assert_in_range(windows, 1, 4);
    /* The share of a campaign is no larger for it. */
    uint64_t got[CAMPAIGNS];
    for (unsigned i = 0; i < 30; i++)
        put_work(&w, 0, "d990.test", 30 + i, 8, WORK_DUE);
    take_many(&w, site, 40, got);
    assert_in_range(got[0], 152, 168);
    assert_in_range(got[1], 152, 168);
    world_done(&w);
}

/* Nor does a receiver whose every mail is put off keep the others from being begun. */
static void who_is_fresh_does_not_starve(void **state) {
    (void)state;
    struct world w;
    struct chunk *chunk;
    struct slots slots;
    unsigned fresh = 0, due = 0;
    world_open(&w);
    for (unsigned i = 0; i < 40; i++)
        put(&w, 0, "a.test", i % 32, 64);
    struct site *site = place_all(&w, 1);
    put_work(&w, 0, "b.test", 40, 8, WORK_DUE);
    place_all(&w, 1);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned n = backlog_take(&w.b, site, 8, &chunk, &slots, drop, NULL);
        let_go(NULL, chunk);
        if (chunk->id < 40) {
            fresh += n;
            continue;
        }
        due += n;
        put_work(&w, 0, "b.test", 40, 8, WORK_DUE); /* again at once */
        place_all(&w, 1);
    }
    assert_in_range(due, 5900, 6100);
    assert_in_range(fresh, 1900, 2100);
    world_done(&w);
}

static void transactional_goes_first(void **state) {
    (void)state;
    struct world w;
    unsigned n;
    world_open(&w);
    w.campaigns[1].row.course.priority = w.campaigns[2].row.course.priority = PRIORITY_TRANSACTIONAL;
    w.campaigns[1].row.course.weight = 1;
    for (unsigned i = 0; i < 20; i++)
        put(&w, 0, "a.test", i, 256);
    struct site *site = place_all(&w, 1);
    assert_false(backlog_urgent(site));
    assert_null(site->lane->urgent);
    assert_int_equal(take(&w, site, 8, &n), 0);
    put(&w, 1, "a.test", 0, 3); /* into the same domain, behind 5,112 */
    put(&w, 2, "b.test", 0, 1);
    assert_ptr_equal(backlog_to_ask(&w.b), backlog_domain(&w.b, SLICE("b.test"), 0));
    place_all(&w, 1);
    assert_true(backlog_urgent(site));
    assert_ptr_equal(site->lane->urgent, site);
    assert_ptr_equal(backlog_next_chunk(site), &w.chunks[CHUNKS]);
    assert_int_equal(take(&w, site, 8, &n), 1);
    assert_int_equal(n, 3);
    assert_int_equal(take(&w, site, 8, &n), 2);
    assert_int_equal(n, 1);
    assert_false(backlog_urgent(site));
    assert_null(site->lane->urgent);
    assert_int_equal(take(&w, site, 8, &n), 0);
    world_done(&w);
}

static void urgent_domains_are_asked_first(void **state) {
    (void)state;
    struct world w;
    world_open(&w);
    w.campaigns[1].row.course.priority = PRIORITY_TRANSACTIONAL;
    struct domain *a = put(&w, 0, "a.test", 0, 1), *b = put(&w, 0, "b.test", 1, 1);
    backlog_ask_first(&w.b, b);
    put(&w, 1, "a.test", 0, 1);
    struct domain *c = put(&w, 1, "c.test", 1, 1);
    put(&w, 1, "c.test", 2, 1);
    backlog_ask_first(&w.b, b);
    struct domain *want[] = {a, c, b, NULL};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_ptr_equal(backlog_next_to_ask(&w.b), want[i]);
    world_done(&w);
}

static void who_comes_late_catches_up_on_nothing(void **state) {
    (void)state;
    struct world w;
    uint64_t got[CAMPAIGNS];
    world_open(&w);
    for (unsigned i = 0; i < 40; i++)
        put(&w, 0, "a.test", i, 256);
    struct site *site = place_all(&w, 1);
    take_many(&w, site, 500, got); /* 4,000 alone */
    for (unsigned i = 0; i < 10; i++)
        put(&w, 1, "b.test", i, 256);
    place_all(&w, 1);
    take_many(&w, site, 20, got);
    assert_in_range(got[1], 72, 88); /* half, from the first window on */
    assert_in_range(got[0], 72, 88);
    world_done(&w);
}

/* One that has little at a time comes back before it is forgotten what it had: it gets no more than its
 * share. */
static void who_comes_in_bits_gets_its_share(void **state) {
    (void)state;
    struct world w;
    uint64_t got[2] = {0};
    world_open(&w);
    w.campaigns[0].row.course.weight = 900;
    for (unsigned i = 0; i < 60; i++)
        put(&w, 0, "a.test", i, 256);
    struct site *site = place_all(&w, 1);
    for (unsigned i = 0; i < 1000; i++) {
        if (!site->flows[PRIORITY_BULK].at[0] || site->flows[PRIORITY_BULK].count < 2) {
            put(&w, 1, "b.test", i, 8); /* again as soon as it has nothing */
            place_all(&w, 1);
        }
        unsigned n, c = take(&w, site, 8, &n);
        got[c] += n;
    }
    assert_in_range(got[1], 700, 900); /* a tenth of 8,000 */
    world_done(&w);
}

/* A change of course: what is in the backlog leaves it and comes back. */
static void a_campaign_that_waits_leaves(void **state) {
    (void)state;
    struct world w;
    uint64_t dropped = 0;
    unsigned n;
    world_open(&w);
    for (unsigned i = 0; i < 4; i++) {
        put(&w, 0, "a.test", i, 256);
        put(&w, 1, "a.test", i, 256);
    }
    struct site *site = place_all(&w, 1);
    take(&w, site, 8, &n);
    w.campaigns[1].waits = true;
    backlog_purge(&w.b, drop, &dropped);
    assert_true(dropped == 4 * 256 || dropped == 4 * 256 - 8);
    assert_int_equal(w.b.recipients + dropped, 8 * 256 - 8);
    assert_int_equal(site->waiting, w.b.recipients);
    assert_int_equal(take(&w, site, 8, &n), 0);
    w.campaigns[1].waits = false;
    w.campaigns[1].row.course.priority = PRIORITY_TRANSACTIONAL;
    put(&w, 1, "a.test", 9, 16);
    assert_int_equal(take(&w, site, 8, &n), 1);
    assert_int_equal(take(&w, site, 8, &n), 1);
    assert_int_equal(take(&w, site, 8, &n), 0);
    world_done(&w);
}

/* ---- against a count kept beside it ---- */

/* What each campaign has waiting by site, and how long one with work had to wait for its turn. */
struct model {
    uint64_t in, out, dropped;
    uint64_t waiting[CAMPAIGNS];
};

static void check_sums(struct world *w, const struct model *m) {
    uint64_t sum = 0, shares[CAMPAIGNS] = {0};
    for (unsigned c = 0; c < CAMPAIGNS; c++)
        sum += m->waiting[c];
    assert_int_equal(sum, w->b.recipients);
    for (struct lane *lane = w->b.lanes; lane; lane = lane->next)
        for (struct share *s = lane->shares; s; s = s->next)
            shares[((const struct campaign *)s->pair.whose)->row.id - 1] += s->waiting;
    for (unsigned c = 0; c < CAMPAIGNS; c++)
        assert_true(shares[c] <= m->waiting[c]); /* the rest is not placed */
}

static void model_drop(void *ctx, struct chunk *chunk, const struct slots *slots) {
    struct model *m = ctx;
    m->dropped += slots_count(slots);
    m->waiting[chunk->campaign->row.id - 1] -= slots_count(slots);
    let_go(NULL, chunk);
}

static void random_put(struct world *w, struct model *m, uint64_t random) {
    unsigned c = (unsigned)(random >> 8) % CAMPAIGNS, n = 1 + (unsigned)(random >> 24) % 40;
    char name[32];
    snprintf(name, sizeof name, "d%u.test", (unsigned)(random >> 40) % 30);
    put_work(w, c, name, (unsigned)(random >> 16), n, random >> 60 == 0 ? WORK_DUE : WORK_FRESH);
    m->in += n;
    m->waiting[c] += n;
}

static void random_move(struct world *w, struct model *m, uint64_t random) {
    struct domain *d;
    if (random % 7 == 0 && (d = backlog_next_to_ask(&w->b))) {
        uint64_t key = 1 + hash_bytes(slice_make(d->name, d->name_len), 0) % 5;
        struct lane *lane = backlog_lane(&w->b, SLICE("google"), 0);
        if (!lane) lane = backlog_lane_new(&w->b, SLICE("google"), 0, false);
        struct site *site = backlog_site(&w->b, key);
        backlog_place(&w->b, d, site ? site : backlog_site_new(&w->b, key, lane, SLICE("mx")), NEVER);
    }
    if (random % 101 == 0) { /* a course is changed, or a campaign waits */
        struct campaign *c = &w->campaigns[(random >> 20) % CAMPAIGNS];
        c->waits = true;
        backlog_purge(&w->b, model_drop, m);
        assert_int_equal(m->waiting[c->row.id - 1], 0);
        c->row.course.priority = (random >> 30) % 4 == 0;
        c->row.course.weight = 1 + (uint32_t)(random >> 33) % WEIGHT_MOST;
        c->waits = false;
    }
    struct site *site = backlog_site(&w->b, 1 + random % 5);
    if (site && site->turn && random % 53 == 0) backlog_unplace(&w->b, site->turn);
    if (site && site->turn && random % 59 == 0) {
        d = site->turn;
        backlog_drain(&w->b, d, model_drop, m);
        backlog_domain_check(&w->b, d);
    }
    if (site) backlog_site_check(&w->b, site);
}

/* Of what may be taken at the site, is it of the priority that goes first? */
static bool is_of_the_first(const struct site *site, const struct campaign *c) {
    return !site->flows[PRIORITY_TRANSACTIONAL].count || c->row.course.priority == PRIORITY_TRANSACTIONAL;
}

static void what_goes_in_comes_out_once(void **state) {
    (void)state;
    struct world w;
    struct model m = {0};
    uint64_t random = 11;
    world_open(&w);
    for (unsigned c = 0; c < CAMPAIGNS; c++)
        w.campaigns[c].row.tenant = c % 3;
    for (unsigned step = 0; step < 30000; step++) {
        random = hash_mix(random + step);
        if (random % 3 == 0) random_put(&w, &m, random);
        random_move(&w, &m, hash_mix(random));
        struct site *site = backlog_site(&w.b, 1 + (random >> 50) % 5);
        struct chunk *chunk;
        struct slots slots;
        if (!site || !site->turn) continue;
        const struct chunk *next = backlog_next_chunk(site);
        assert_true(is_of_the_first(site, next->campaign));
        unsigned n =
            backlog_take(&w.b, site, 1 + (unsigned)(random >> 11) % 20, &chunk, &slots, model_drop, &m);
        if (!n) continue;
        assert_ptr_equal(chunk, next);
        m.out += n;
        m.waiting[chunk->campaign->row.id - 1] -= n;
        let_go(NULL, chunk);
        backlog_site_check(&w.b, site);
        if (step % 500 == 0) check_sums(&w, &m);
    }
    assert_true(m.out > 20000 && m.dropped > 1000);
    assert_int_equal(m.in - m.out - m.dropped, w.b.recipients);
    world_done(&w);
}

/* Random campaigns of a site, always with work: each gets what its weight says, and none waits longer for its
 * turn than its share explains. */
static void nobody_starves(void **state) {
    (void)state;
    enum { WINDOWS = 6000 };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w;
        uint64_t got[CAMPAIGNS] = {0}, random = hash_mix(seed);
        unsigned since[CAMPAIGNS] = {0}, longest[CAMPAIGNS] = {0}, n, tenants = 1 + (unsigned)random % 4;
        double weights[4] = {0};
        bool there[4] = {0};
        world_open(&w);
        unsigned count = 4 + (unsigned)(random >> 8) % (CAMPAIGNS - 4), used = 0;
        for (unsigned c = 0; c < count; c++) {
            struct campaign_row *row = &w.campaigns[c].row;
            random = hash_mix(random);
            row->tenant = (uint32_t)random % tenants;
            row->course.weight = 20 + (uint32_t)(random >> 20) % 300;
            weights[row->tenant] += row->course.weight;
            used += !there[row->tenant];
            there[row->tenant] = true;
            put(&w, c, "a.test", 0, 256);
        }
        struct site *site = place_all(&w, 1);
        for (unsigned i = 0; i < WINDOWS; i++) {
            unsigned c = take(&w, site, 8, &n);
            got[c] += n;
            for (unsigned k = 0; k < count; k++)
                since[k] = k == c ? 0 : since[k] + 1;
            for (unsigned k = 0; k < count; k++)
                if (since[k] > longest[k]) longest[k] = since[k];
            if (got[c] % 256 == 128) put(&w, c, "a.test", i, 256); /* it never runs empty */
        }
        for (unsigned c = 0; c < count; c++) {
            const struct campaign_row *row = &w.campaigns[c].row;
            double share = row->course.weight / weights[row->tenant] / used;
            assert_true(fabs((double)got[c] - share * WINDOWS * 8) <= 0.02 * share * WINDOWS * 8 + 24);
            assert_true(longest[c] <= 1 / share + count + 2);
        }
        world_done(&w);
    }
}

/* ---- what it costs ---- */

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Ten million recipients for 300 lanes of one large site and 20,000 of a small one: added, looked up, taken
 * in windows of eight. */
static int measure(unsigned campaigns) {
    enum { LANES = 300, TAIL = 20000, CHUNK_COUNT = 40000 };
    struct world w;
    struct chunk *chunks = calloc(CHUNK_COUNT, sizeof *chunks);
    struct site **sites = calloc(LANES + TAIL, sizeof(struct site *));
    world_open(&w);
    double begun = cpu_s();
    uint64_t in = 0, out = 0;
    for (unsigned i = 0; i < CHUNK_COUNT; i++) {
        bool large = i % 8 != 0;
        chunks[i] = (struct chunk){.campaign = &w.campaigns[i % campaigns], .id = i, .count = 256};
        for (unsigned at = 0; at < 256; at += large ? 256 : 2) {
            char name[40];
            uint64_t random = hash_mix(i * 256 + at);
            snprintf(name, sizeof name, "d%u.test",
                     large ? (unsigned)random % (LANES * 10) : (unsigned)random % TAIL);
            if (!large) name[0] = 't';
            struct slots slots = {{0}};
            for (unsigned s = at; s < at + (large ? 256 : 2); s++)
                slots_add(&slots, s);
            ledger_hold(&chunks[i]);
            struct domain *d = backlog_domain(&w.b, slice_of(name), 0);
            if (!backlog_add(&w.b, d, &chunks[i], &slots, WORK_FRESH)) abort();
            in += slots_count(&slots);
        }
    }
    double added = cpu_s();
    for (struct domain *d; (d = backlog_next_to_ask(&w.b));) {
        unsigned number = (unsigned)strtoul(d->name + 1, NULL, 10);
        unsigned at = d->name[0] == 't' ? LANES + number : number / 10;
        if (!sites[at]) {
            struct lane *lane = backlog_lane_new(&w.b, slice_of(d->name), 0, at >= LANES);
            sites[at] = backlog_site_new(&w.b, at + 1, lane, SLICE("mx"));
        }
        backlog_place(&w.b, d, sites[at], NEVER);
    }
    double placed = cpu_s();
    uint64_t windows = 0;
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < LANES + TAIL; i++) {
            struct chunk *chunk;
            struct slots slots;
            unsigned n = sites[i] ? backlog_take(&w.b, sites[i], 8, &chunk, &slots, drop, NULL) : 0;
            if (!n) {
                sites[i] = NULL; /* it is through */
                continue;
            }
            let_go(NULL, chunk);
            more = true;
            out += n;
            windows++;
        }
    }
    double taken = cpu_s();
    printf("%u campaigns, %llu recipients: added %.3f us, placed %.3f us, taken %.3f us a message (%.3f us a "
           "window), together %.3f\n",
           campaigns, (unsigned long long)out, (added - begun) * 1e6 / (double)in,
           (placed - added) * 1e6 / (double)in, (taken - placed) * 1e6 / (double)out,
           (taken - placed) * 1e6 / (double)windows, (taken - begun) * 1e6 / (double)out);
    world_done(&w);
    free(chunks);
    free(sites);
    return in == out ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--time") == 0) return measure(1) | measure(10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(domains_of_a_campaign_take_turns),
        cmocka_unit_test(due_and_fresh_take_turns),
        cmocka_unit_test(who_is_due_waits_for_no_round),
        cmocka_unit_test(who_is_fresh_does_not_starve),
        cmocka_unit_test(transactional_goes_first),
        cmocka_unit_test(urgent_domains_are_asked_first),
        cmocka_unit_test(who_comes_late_catches_up_on_nothing),
        cmocka_unit_test(who_comes_in_bits_gets_its_share),
        cmocka_unit_test(a_campaign_that_waits_leaves),
        cmocka_unit_test(what_goes_in_comes_out_once),
        cmocka_unit_test(nobody_starves),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
