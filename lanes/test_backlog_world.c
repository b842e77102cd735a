#include "test_backlog_world.h"

#include <assert.h>

void world_open(struct world *w, unsigned campaigns) {
    assert(campaigns > 0 && campaigns <= WORLD_CAMPAIGNS);
    *w = (struct world){0};
    for (unsigned i = 0; i < campaigns; i++) {
        w->campaigns[i].row.id = i + 1;
        w->campaigns[i].row.state = CAMPAIGN_READY;
    }
    for (unsigned i = 0; i < WORLD_CHUNKS; i++) {
        w->chunks[i].campaign = &w->campaigns[i % campaigns];
        w->chunks[i].id = i;
        w->chunks[i].count = 256;
    }
    assert_int_equal(backlog_init(&w->b, 42), 0);
}

void world_done(struct world *w) {
    backlog_done(&w->b, world_let_go, NULL);
    for (unsigned i = 0; i < WORLD_CHUNKS; i++)
        assert_int_equal(w->chunks[i].holds, 0);
}

void world_let_go(void *ctx, struct chunk *chunk) {
    (void)ctx;
    assert_true(chunk->holds > 0);
    chunk->holds--;
}

void world_drop(void *world, struct chunk *chunk, const struct slots *slots) {
    ((struct world *)world)->dropped += slots_count(slots);
    world_let_go(NULL, chunk);
}

struct domain *world_add(struct world *w, const char *name, unsigned chunk, struct slots slots) {
    struct domain *d = backlog_domain(&w->b, slice_of(name), 0);
    ledger_hold(&w->chunks[chunk]);
    assert_true(backlog_add(&w->b, d, &w->chunks[chunk], &slots, WORK_FRESH));
    return d;
}

struct site *world_place_all(struct world *w, uint64_t key, const char *lane_name) {
    struct lane *lane = backlog_lane(&w->b, slice_of(lane_name), 0);
    if (!lane) lane = backlog_lane_new(&w->b, slice_of(lane_name), 0, false);
    struct site *site = backlog_site_new(&w->b, key, lane, SLICE("mx"));
    for (struct domain *d; (d = backlog_next_to_ask(&w->b));)
        backlog_place(&w->b, d, site, NEVER);
    return site;
}
