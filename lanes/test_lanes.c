/* Tests of lanes/: pauses, and the backlog against counts kept beside it. */
#include "hash.h"
#include "retry.h"
#include "test_backlog_world.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- retries ---- */

static void retries_are_spaced(void **state) {
    (void)state;
    struct retry_options o = {.first_us = 60 * US_PER_SEC, .most_us = 3600 * US_PER_SEC, .factor = 2};
    static const int64_t middle[] = {60, 120, 240, 480, 960, 1920, 3600, 3600};
    for (unsigned attempt = 1; attempt <= 8; attempt++) {
        int64_t least = INT64_MAX, most = 0;
        for (uint64_t seed = 0; seed < 1000; seed++) {
            int64_t pause = retry_pause(&o, attempt, seed, 0);
            assert_true(pause == retry_pause(&o, attempt, seed, 0));
            if (pause < least) least = pause;
            if (pause > most) most = pause;
        }
        int64_t m = middle[attempt - 1] * US_PER_SEC;
        assert_true(least >= m * 85 / 100 && least < m * 86 / 100);
        assert_true(most <= m * 115 / 100 && most > m * 114 / 100);
    }
    assert_true(retry_pause(&o, 1, 5, 7200 * US_PER_SEC) ==
                7200 * US_PER_SEC); /* what the receiver asked for */
    assert_true(retry_pause(&o, 60000, 5, 0) <= 3600 * US_PER_SEC * 115 / 100);
}

/* A receiver that names a pause takes the mail then, and may have forgotten it when much more time has
 * passed. */
static void a_named_pause_is_kept_to(void **state) {
    (void)state;
    struct retry_options o = {.first_us = 300 * US_PER_SEC, .most_us = 3600 * US_PER_SEC, .factor = 2};
    static const struct {
        unsigned attempts;
        int64_t named, least, most; /* seconds */
    } cases[] = {
        {1, 30, 31, 37},       {2, 30, 31, 37}, {3, 30, 31, 37},     {1, 300, 306, 347},
        {1, 7200, 7344, 8282}, {1, 1, 2, 3},    {4, 30, 2040, 2760}, /* it does not keep to it itself: spaced
                                                                        as ever */
        {4, 7200, 7200, 7200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint64_t seed = 0; seed < 200; seed++) {
            int64_t pause = retry_as_named(&o, cases[i].attempts, seed, cases[i].named * US_PER_SEC);
            assert_true(pause >= cases[i].least * US_PER_SEC && pause <= cases[i].most * US_PER_SEC);
        }
}

/* ---- the backlog ---- */

static void domains_take_turns(void **state) {
    (void)state;
    struct world w;
    world_open(&w, 1);
    world_add(&w, "a.test", 0, slots_first(20));
    world_add(&w, "b.test", 1, slots_first(20));
    world_add(&w, "a.test", 2, slots_first(5));
    struct site *site = world_place_all(&w, 1, "google");
    assert_int_equal(w.b.domain_count, 2);
    assert_int_equal(site->waiting, 45);
    assert_int_equal(site->lane->waiting, 45);
    assert_ptr_equal(backlog_next_to_run(&w.b), site->lane);
    assert_null(backlog_next_to_run(&w.b));
    static const struct {
        unsigned chunk, count;
    } want[] = {{0, 8}, {1, 8}, {0, 8}, {1, 8}, {0, 4}, {1, 4}, {2, 5}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct chunk *chunk;
        struct slots slots;
        assert_int_equal(backlog_take(&w.b, site, 8, &chunk, &slots, world_drop, &w), want[i].count);
        assert_ptr_equal(chunk, &w.chunks[want[i].chunk]);
        world_let_go(NULL, chunk);
    }
    struct chunk *chunk;
    struct slots slots;
    assert_int_equal(backlog_take(&w.b, site, 8, &chunk, &slots, world_drop, &w), 0);
    assert_int_equal(w.b.domain_count, 0); /* forgotten */
    assert_int_equal(site->waiting, 0);
    backlog_site_check(&w.b, site);
    assert_int_equal(w.b.site_count, 0);
    assert_int_equal(w.b.lane_count, 1); /* a provider's lane stays */
    world_done(&w);
}

static void stale_recipients_are_dropped_on_the_way(void **state) {
    (void)state;
    struct world w;
    world_open(&w, 1);
    world_add(&w, "a.test", 0, slots_first(10));
    world_add(&w, "a.test", 1, slots_first(10));
    struct site *site = world_place_all(&w, 1, "google");
    for (unsigned i = 0; i < 10; i++)
        w.chunks[0].states[i] = i == 3 ? SLOT_PENDING : SLOT_FINAL;
    struct chunk *chunk;
    struct slots slots;
    assert_int_equal(backlog_take(&w.b, site, 8, &chunk, &slots, world_drop, &w), 1);
    assert_true(slots_has(&slots, 3));
    world_let_go(NULL, chunk);
    w.campaigns[0].row.state = CAMPAIGN_HELD;
    assert_int_equal(backlog_take(&w.b, site, 8, &chunk, &slots, world_drop, &w), 0);
    assert_int_equal(w.dropped, 10);
    assert_int_equal(w.b.recipients, 0);
    world_done(&w);
}

static void what_comes_back_goes_first(void **state) {
    (void)state;
    struct world w;
    world_open(&w, 1);
    world_add(&w, "a.test", 0, slots_first(4));
    struct site *site = world_place_all(&w, 1, "google");
    struct slots back = slots_one(7), slots;
    struct chunk *chunk;
    ledger_hold(&w.chunks[5]);
    assert_true(
        backlog_put_back(&w.b, backlog_domain(&w.b, SLICE("a.test"), 0), &w.chunks[5], &back, WORK_FRESH));
    assert_int_equal(backlog_take(&w.b, site, 8, &chunk, &slots, world_drop, &w), 1);
    assert_ptr_equal(chunk, &w.chunks[5]);
    world_let_go(NULL, chunk);
    world_done(&w);
}

static void domains_wait_and_are_asked_again(void **state) {
    (void)state;
    struct world w;
    world_open(&w, 1);
    struct domain *d = world_add(&w, "slow.test", 0, slots_first(1));
    assert_ptr_equal(backlog_next_to_ask(&w.b), d);
    assert_null(backlog_next_to_ask(&w.b));
    backlog_postpone(&w.b, d, 100);
    assert_true(backlog_wake_domains(&w.b, 99) == 100);
    assert_null(backlog_next_to_ask(&w.b));
    assert_true(backlog_wake_domains(&w.b, 100) == NEVER);
    assert_ptr_equal(backlog_next_to_ask(&w.b), d);
    struct lane *lane = backlog_lane_new(&w.b, SLICE("mx.slow.test"), 0, true);
    struct site *site = backlog_site_new(&w.b, 9, lane, SLICE("mx"));
    backlog_place(&w.b, d, site, 1000);
    backlog_unplace(&w.b, d);
    assert_int_equal(site->waiting, 0);
    assert_null(backlog_next_to_run(&w.b) == lane ? site->turn : NULL);
    backlog_site_check(&w.b, site);
    assert_int_equal(w.b.lane_count, 0); /* a tail lane goes with its site */
    assert_ptr_equal(backlog_next_to_ask(&w.b), d);
    world_done(&w);
}

static void lanes_sleep_and_wake(void **state) {
    (void)state;
    struct world w;
    world_open(&w, 1);
    struct lane *a = backlog_lane_new(&w.b, SLICE("a"), 0, false);
    struct lane *b = backlog_lane_new(&w.b, SLICE("b"), 1, false);
    assert_null(backlog_lane(&w.b, SLICE("b"), 0)); /* of another source */
    assert_ptr_equal(backlog_lane(&w.b, SLICE("b"), 1), b);
    backlog_run(&w.b, a);
    backlog_run(&w.b, a);
    backlog_sleep(&w.b, b, 50);
    backlog_sleep(&w.b, b, 70); /* the earlier time holds */
    assert_ptr_equal(backlog_next_to_run(&w.b), a);
    assert_null(backlog_next_to_run(&w.b));
    backlog_wake_lanes(&w.b, 49);
    assert_null(backlog_next_to_run(&w.b));
    backlog_wake_lanes(&w.b, 50);
    assert_ptr_equal(backlog_next_to_run(&w.b), b);
    backlog_sleep(&w.b, b, 1000);
    backlog_run(&w.b, b); /* work came: the sleep ends at the next look */
    backlog_wake_lanes(&w.b, 51);
    assert_ptr_equal(backlog_next_to_run(&w.b), b);
    world_done(&w);
}

static void a_held_campaign_leaves_at_once(void **state) {
    (void)state;
    struct world w;
    struct campaign other = {.row = {.state = CAMPAIGN_HELD}};
    world_open(&w, 1);
    for (unsigned i = 32; i < 64; i++)
        w.chunks[i].campaign = &other;
    world_add(&w, "a.test", 0, slots_first(10));
    world_add(&w, "a.test", 32, slots_first(7));
    world_add(&w, "a.test", 1, slots_first(10));
    world_add(&w, "b.test", 33, slots_first(9));
    struct lane *tail = backlog_lane_new(&w.b, SLICE("mx.b.test"), 0, true);
    struct site *a = world_place_all(&w, 1, "google");
    struct domain *b = backlog_domain(&w.b, SLICE("b.test"), 0);
    backlog_unplace(&w.b, b);
    assert_ptr_equal(backlog_next_to_ask(&w.b), b);
    backlog_place(&w.b, b, backlog_site_new(&w.b, 2, tail, SLICE("mx")), NEVER);
    world_add(&w, "c.test", 34, slots_first(3)); /* not looked up yet */
    backlog_purge(&w.b, world_drop, &w);
    assert_int_equal(w.dropped, 19);
    assert_int_equal(w.b.recipients, 20);
    assert_int_equal(a->waiting, 20);
    assert_int_equal(w.b.domain_count, 1);
    assert_int_equal(w.b.site_count, 1);
    assert_null(backlog_next_to_ask(&w.b));
    world_add(&w, "a.test", 2, slots_first(1)); /* behind what is left */
    assert_int_equal(a->waiting, 21);
    w.campaigns[0].sweeping = true;
    backlog_purge(&w.b, world_drop, &w);
    assert_int_equal(w.b.recipients, 0);
    assert_int_equal(w.b.site_count, 0);
    while (backlog_next_to_run(&w.b))
        ;
    assert_int_equal(w.b.lane_count, 1); /* the tail's is gone */
    world_done(&w);
}

static void big_domains_are_asked_first(void **state) {
    (void)state;
    struct world w;
    world_open(&w, 1);
    struct domain *a = world_add(&w, "a.test", 0, slots_first(1)),
                  *b = world_add(&w, "b.test", 1, slots_first(1)),
                  *c = world_add(&w, "c.test", 2, slots_first(1));
    backlog_ask_first(&w.b, c);
    backlog_ask_first(&w.b, c);
    assert_ptr_equal(backlog_next_to_ask(&w.b), c);
    backlog_ask_first(&w.b, c); /* asked already */
    assert_ptr_equal(backlog_next_to_ask(&w.b), a);
    assert_ptr_equal(backlog_next_to_ask(&w.b), b);
    assert_null(backlog_next_to_ask(&w.b));
    world_done(&w);
}

static void lanes_wait_for_sessions_in_turn(void **state) {
    (void)state;
    struct world w;
    struct lane *lanes[4];
    world_open(&w, 1);
    for (unsigned i = 0; i < 4; i++)
        lanes[i] = backlog_lane_new(&w.b, SLICE("l"), i, i == 1);
    for (unsigned i = 0; i < 4; i++)
        backlog_starve(&w.b, lanes[i], i == 3);
    backlog_starve(&w.b, lanes[0], false); /* once */
    backlog_run(&w.b, lanes[0]);           /* and runs beside it */
    assert_int_equal(w.b.starving_count[0], 3);
    assert_ptr_equal(backlog_next_to_run(&w.b), lanes[0]);
    assert_ptr_equal(backlog_next_starving(&w.b, true), lanes[3]);
    assert_null(backlog_next_starving(&w.b, true));
    assert_ptr_equal(backlog_next_starving(&w.b, false), lanes[0]);
    assert_ptr_equal(backlog_next_starving(&w.b, false), lanes[2]); /* the tail's had no site any more */
    assert_null(backlog_next_starving(&w.b, false));
    assert_int_equal(w.b.starving_count[0], 0);
    assert_int_equal(w.b.lane_count, 3);
    world_done(&w);
}

/* Random work on many domains and sites: what is taken is what was put in, once each. */
static void nothing_is_lost_or_doubled(void **state) {
    (void)state;
    struct world w;
    uint64_t in = 0, out = 0, random = 7;
    world_open(&w, 1);
    for (unsigned step = 0; step < 20000; step++) {
        random = hash_mix(random);
        unsigned chunk = (unsigned)(random >> 8) % 64, slot = (unsigned)(random >> 16) % 256,
                 of = (unsigned)(random >> 32) % 40;
        uint64_t key = 1 + of % 7;
        char name[32];
        snprintf(name, sizeof name, "d%u.test", of);
        if (random % 3 && w.chunks[chunk].states[slot] == SLOT_PENDING) {
            w.chunks[chunk].states[slot] = SLOT_LEASED; /* in the backlog once only */
            in++;
            world_add(&w, name, chunk, slots_one(slot));
        }
        for (struct domain *d; random % 5 == 0 && (d = backlog_next_to_ask(&w.b));) {
            struct site *site = backlog_site(&w.b, key);
            if (!site) {
                struct lane *lane = backlog_lane_new(&w.b, slice_of(name), 0, true);
                site = backlog_site_new(&w.b, key, lane, SLICE("mx"));
            }
            backlog_place(&w.b, d, site, NEVER);
        }
        struct site *site = backlog_site(&w.b, key);
        struct chunk *from;
        struct slots slots;
        if (!site) continue;
        for (struct queue *q = site->turn ? site->turn->queues : NULL; q;
             q = q->sibling) /* they may go out */
            for (struct batch *batch = q->first; batch; batch = batch->next)
                for (int i = slots_next(&batch->slots, 0); i >= 0;
                     i = slots_next(&batch->slots, (unsigned)i + 1))
                    batch->chunk->states[i] = SLOT_PENDING;
        unsigned n = backlog_take(&w.b, site, 1 + (unsigned)(random % 8), &from, &slots, world_drop, &w);
        out += n;
        if (n == 0) {
            backlog_site_check(&w.b, site);
            continue;
        }
        for (int i = slots_next(&slots, 0); i >= 0; i = slots_next(&slots, (unsigned)i + 1)) {
            assert_int_equal(from->states[i], SLOT_PENDING);
            from->states[i] = SLOT_FINAL;
        }
        world_let_go(NULL, from);
    }
    assert_true(out > 1000);
    assert_int_equal(in - out - w.dropped, w.b.recipients);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_are_spaced),
        cmocka_unit_test(a_named_pause_is_kept_to),
        cmocka_unit_test(domains_take_turns),
        cmocka_unit_test(stale_recipients_are_dropped_on_the_way),
        cmocka_unit_test(what_comes_back_goes_first),
        cmocka_unit_test(domains_wait_and_are_asked_again),
        cmocka_unit_test(lanes_sleep_and_wake),
        cmocka_unit_test(a_held_campaign_leaves_at_once),
        cmocka_unit_test(big_domains_are_asked_first),
        cmocka_unit_test(lanes_wait_for_sessions_in_turn),
        cmocka_unit_test(nothing_is_lost_or_doubled),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
