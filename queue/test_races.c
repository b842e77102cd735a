/* Tests of the ledger: the races that were thought of, each by itself and told in order. The world checks
 * every event against the reference model as it goes (test_ledger_world.h). */
#include "test_ledger_world.h"

#include "ledger_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct world world;

static int open_world(void **state) {
    (void)state;
    world_open(&world, 1);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    world_close(&world);
    return 0;
}

static struct campaign *loaded(unsigned chunks, unsigned count, wall_us lasts) {
    struct load load = {.chunks = chunks, .count = count, .lasts = lasts};
    struct campaign *c = world_load(&world, &load);
    world_commit_all(&world);
    return c;
}

static struct chunk *leased(struct campaign *c, unsigned index) {
    struct chunk *chunk = c->chunks[index];
    struct slots all = slots_first(chunk->count);
    world_lease(&world, chunk, &all);
    world_commit_all(&world);
    return chunk;
}

static void settle_one(struct chunk *chunk, unsigned slot, enum event_kind kind, wall_us delay) {
    struct slots one = slots_one(slot);
    world_settle(&world, chunk, &one, kind, delay);
}

static void lease_one(struct chunk *chunk, unsigned slot) {
    struct slots one = slots_one(slot);
    world_lease(&world, chunk, &one);
}

static void checkpoint(void) {
    world_seal(&world, true);
    world_commit_all(&world);
}

static void an_empty_campaign_is_through_at_once(void **state) {
    (void)state;
    struct load load = {.rejected = 7, .duplicates = 2, .lasts = US_PER_SEC};
    struct campaign *c = world_load(&world, &load);
    assert_int_equal(c->row.state, CAMPAIGN_DONE);
    assert_int_equal(c->row.tally.failed, 7);
    assert_int_equal(tally_pending(&c->row.tally), 0);
    world_commit_all(&world);
    world_crash(&world);
    world_finish(&world);
}

static unsigned ended;
static void on_done(void *ctx, struct campaign *c) {
    (void)ctx;
    assert_true(c->row.ended);
    ended++;
}

static void a_campaign_ends_with_its_last_chunk(void **state) {
    (void)state;
    struct campaign *c = loaded(2, 3, 60 * US_PER_SEC);
    ended = 0;
    ledger_on_done(world.ledger, on_done, NULL);
    for (unsigned k = 0; k < 2; k++) {
        struct chunk *chunk = leased(c, k);
        for (unsigned s = 0; s < 3; s++) {
            assert_int_equal(ended, 0);
            settle_one(chunk, s, EVENT_DELIVERED, 0);
        }
    }
    assert_int_equal(ended, 1);
    assert_int_equal(c->row.state, CAMPAIGN_DONE);
    assert_int_equal(c->live, 0);
    world_crash(&world);                                       /* the outcomes are lost, the leases are not */
    assert_int_equal(ledger_found_uncertain(world.ledger), 3); /* of the first chunk they were sealed */
    world_finish(&world);
}

static void cancelling_decides_about_what_is_on_the_wire(void **state) {
    (void)state;
    struct campaign *c = loaded(1, 8, 60 * US_PER_SEC);
    struct chunk *chunk = c->chunks[0];
    struct slots some = slots_first(5);
    world_lease(&world, chunk, &some);
    world_commit_all(&world);
    world_set_state(&world, c, CAMPAIGN_CANCELLED);
    assert_true(world_sweep(&world, c, 8) == true); /* not yet durable what it waits for */
    settle_one(chunk, 0, EVENT_DELIVERED, 0);
    settle_one(chunk, 1, EVENT_RETURNED, 0);
    settle_one(chunk, 2, EVENT_DEFERRED, US_PER_SEC);
    settle_one(chunk, 3, EVENT_UNCERTAIN, US_PER_SEC);
    assert_false(c->row.ended);
    settle_one(chunk, 4, EVENT_FAILED, 0);
    assert_true(c->row.ended);
    struct tally t = c->row.tally;
    assert_true(t.delivered == 1 && t.cancelled == 2 + 3 && t.uncertain == 1 && t.failed == 1);
    assert_int_equal(c->row.state, CAMPAIGN_CANCELLED);
    world_finish(&world);
}

/* Their rows are not in sight yet when the sweep begins, and nobody asks what is due. */
static void a_sweep_takes_rows_that_come_into_sight_late(void **state) {
    (void)state;
    for (int cancel = 0; cancel < 2; cancel++) {
        struct campaign *c = loaded(1, 4, 20 * US_PER_SEC);
        struct chunk *chunk = leased(c, 0);
        for (unsigned s = 0; s < 4; s++)
            settle_one(chunk, s, EVENT_DEFERRED, US_PER_SEC);
        if (cancel) {
            world_set_state(&world, c, CAMPAIGN_CANCELLED);
        } else {
            world.now += 30 * US_PER_SEC;
            ledger_sweep_start(world.ledger, c);
        }
        assert_true(world_sweep(&world, c, 1));
        assert_false(c->row.ended);
        world_commit_all(&world);
        while (world_sweep(&world, c, 1)) {
        }
        assert_true(c->row.ended);
        assert_int_equal(cancel ? c->row.tally.cancelled : c->row.tally.expired, 4);
        world_commit_all(&world);
        world_rows(&world, TABLE_RETRY, 0);
    }
    world_finish(&world);
}

static void a_sweep_with_nothing_to_wait_for_ends(void **state) {
    (void)state;
    struct campaign *c = loaded(1, 2, 20 * US_PER_SEC);
    struct chunk *chunk = leased(c, 0);
    settle_one(chunk, 0, EVENT_DEFERRED, 90 * US_PER_SEC); /* past the end: expired at once */
    settle_one(chunk, 1, EVENT_DEFERRED, 10 * US_PER_SEC);
    assert_int_equal(c->row.tally.expired, 1);
    world_commit_all(&world);
    world.now += 30 * US_PER_SEC;
    ledger_sweep_start(world.ledger, c);
    assert_false(world_sweep(&world, c, 4)); /* with no batch under construction */
    assert_int_equal(c->row.tally.expired, 2);
    assert_true(c->row.ended);
    world_finish(&world);
}

static void what_comes_back_past_the_end_is_expired(void **state) {
    (void)state;
    struct campaign *c = loaded(1, 2, 20 * US_PER_SEC);
    struct chunk *chunk = leased(c, 0);
    world.now += 30 * US_PER_SEC;
    ledger_sweep_start(world.ledger, c);
    assert_false(world_sweep(&world, c, 4));
    settle_one(chunk, 0, EVENT_RETURNED, 0);
    settle_one(chunk, 1, EVENT_UNCERTAIN, US_PER_SEC);
    assert_true(c->row.ended && c->row.tally.expired == 1 && c->row.tally.uncertain == 1);
    world_finish(&world);
}

static void a_retry_may_fall_on_the_time_of_the_last(void **state) {
    (void)state;
    struct campaign *c = loaded(1, 1, 600 * US_PER_SEC);
    settle_one(leased(c, 0), 0, EVENT_DEFERRED, 5 * US_PER_SEC);
    world_commit_all(&world);
    for (int round = 0; round < 5; round++) {
        wall_us due = world.model.campaigns[0].chunk[0].slots[0].due;
        if (world.now < due) world.now = due;
        assert_int_equal(world_due(&world, 10), 1);
        lease_one(c->chunks[0], 0);
        world_commit_all(&world);
        settle_one(c->chunks[0], 0, EVENT_DEFERRED, due - world.now); /* the very same key */
        if (round % 2) world_commit_all(&world);
        world_due(&world, 10); /* neither row may be taken for the other */
        world_commit_all(&world);
        world_verify_store(&world);
    }
    world_finish(&world);
}

/* The row is deleted in a batch that is not durable: readers still see it. */
static void a_row_that_is_going_wakes_nobody(void **state) {
    (void)state;
    struct campaign *c = loaded(2, 1, 600 * US_PER_SEC);
    settle_one(leased(c, 0), 0, EVENT_DEFERRED, US_PER_SEC);
    world_commit_all(&world);
    world.now += 5 * US_PER_SEC;
    assert_int_equal(world_due(&world, 10), 1);
    lease_one(c->chunks[0], 0);
    world_commit_all(&world);
    settle_one(c->chunks[0], 0, EVENT_DELIVERED, 0);
    for (int sealed = 0; sealed < 2; sealed++) {
        world_set_state(&world, c, CAMPAIGN_HELD);
        world_set_state(&world, c, CAMPAIGN_READY); /* reads the whole table again */
        assert_int_equal(world_due(&world, 10), 0);
        world_seal(&world, sealed);
    }
    world_crash(&world); /* the outcome is lost with it */
    assert_int_equal(ledger_found_uncertain(world.ledger), 1);
    world_finish(&world);
}

/* Rows that become visible behind the place that has been read. */
static void late_rows_are_read_again(void **state) {
    (void)state;
    struct campaign *c = loaded(1, 2, 600 * US_PER_SEC);
    struct chunk *chunk = leased(c, 0);
    settle_one(chunk, 0, EVENT_DEFERRED, 20 * US_PER_SEC);
    world_commit_all(&world);
    settle_one(chunk, 1, EVENT_DEFERRED, 10 * US_PER_SEC);
    world.now += 25 * US_PER_SEC;
    assert_int_equal(world_due(&world, 10), 1);
    world_commit_all(&world);
    assert_int_equal(world_due(&world, 10), 1);
    world_finish(&world);
}

static void what_came_due_while_held_comes_with_resume(void **state) {
    (void)state;
    struct campaign *c = loaded(1, 3, 600 * US_PER_SEC);
    struct chunk *chunk = leased(c, 0);
    settle_one(chunk, 0, EVENT_DEFERRED, 10 * US_PER_SEC);
    settle_one(chunk, 1, EVENT_DEFERRED, 10 * US_PER_SEC);
    world_commit_all(&world);
    world_set_state(&world, c, CAMPAIGN_HELD);
    settle_one(chunk, 2, EVENT_RETURNED, 0); /* while held: waits */
    world.now += 25 * US_PER_SEC;
    assert_int_equal(world_due(&world, 1), 0);
    world_set_state(&world, c, CAMPAIGN_READY);
    assert_int_equal(world_due(&world, 1), 2);
    world_finish(&world);
}

/* Given back by whoever cannot use them: met again at once, or with resume. */
static void what_is_put_back_comes_again(void **state) {
    (void)state;
    struct campaign *c = loaded(1, 2, 600 * US_PER_SEC);
    struct chunk *chunk = leased(c, 0);
    settle_one(chunk, 0, EVENT_DEFERRED, US_PER_SEC);
    settle_one(chunk, 1, EVENT_DEFERRED, 2 * US_PER_SEC);
    world_commit_all(&world);
    world.now += 5 * US_PER_SEC;
    assert_int_equal(world_due(&world, 10), 2);
    world_unwake(&world, c->chunks[0]);
    assert_int_equal(world_due(&world, 1), 2);
    world_set_state(&world, c, CAMPAIGN_HELD);
    world_unwake(&world, c->chunks[0]);
    assert_int_equal(world_due(&world, 10), 0);
    world_set_state(&world, c, CAMPAIGN_READY);
    assert_int_equal(world_due(&world, 10), 2);
    world_finish(&world);
}

static unsigned forgotten;
static void on_forget(void *ctx, struct chunk *chunk) {
    (void)ctx, (void)chunk;
    forgotten++;
}

static void a_chunk_stays_while_it_is_held(void **state) {
    (void)state;
    struct campaign *c = loaded(1, 1, 600 * US_PER_SEC);
    ledger_on_forget(world.ledger, on_forget, NULL);
    forgotten = 0;
    settle_one(leased(c, 0), 0, EVENT_DEFERRED, US_PER_SEC);
    checkpoint();
    assert_true(forgotten == 1 && !c->chunks[0]);
    world.now += 5 * US_PER_SEC;
    assert_int_equal(world_due(&world, 10), 1);
    struct chunk *chunk = c->chunks[0];
    assert_true(chunk->closed);
    ledger_hold(chunk);
    lease_one(chunk, 0);
    world_commit_all(&world);
    settle_one(chunk, 0, EVENT_DEFERRED, US_PER_SEC);
    checkpoint();
    assert_true(forgotten == 1 && c->chunks[0] == chunk);
    ledger_release(world.ledger, chunk);
    assert_true(forgotten == 2 && !c->chunks[0]);
    world_finish(&world);
}

static void recovery_twice_counts_once(void **state) {
    (void)state;
    struct campaign *c = loaded(2, 6, 600 * US_PER_SEC);
    settle_one(leased(c, 0), 0, EVENT_DEFERRED, US_PER_SEC);
    world_commit_all(&world);
    world.now += 5 * US_PER_SEC;
    world_due(&world, 10);
    lease_one(c->chunks[0], 0);
    checkpoint(); /* leased from the retry table, over a checkpoint */
    for (int i = 0; i < 3; i++) {
        world_crash(&world);
        assert_int_equal(ledger_found_uncertain(world.ledger), 6);
        assert_int_equal(ledger_campaign(world.ledger, 1)->row.tally.doubted, 6);
    }
    world_commit_all(&world);
    world_crash(&world); /* now it is durable what recovery found */
    assert_int_equal(ledger_found_uncertain(world.ledger), 0);
    assert_int_equal(ledger_campaign(world.ledger, 1)->row.tally.doubted, 6);
    world_finish(&world);
}

static void uncertain_ones_wait_for_a_person_if_wanted(void **state) {
    (void)state;
    struct load load = {.chunks = 1, .count = 4, .lasts = 600 * US_PER_SEC, .hold_uncertain = true};
    struct campaign *c = world_load(&world, &load);
    struct chunk *chunk = leased(c, 0);
    settle_one(chunk, 0, EVENT_UNCERTAIN, US_PER_SEC);
    settle_one(chunk, 1, EVENT_DEFERRED, US_PER_SEC);
    world_commit_all(&world);
    world.now += 5 * US_PER_SEC;
    assert_int_equal(world_due(&world, 10), 1);
    lease_one(chunk, 1);
    world_commit_all(&world);
    world_crash(&world);
    assert_int_equal(ledger_found_uncertain(world.ledger), 3);
    c = ledger_campaign(world.ledger, 1);
    assert_true(c->row.ended && c->row.tally.uncertain == 4 && c->row.tally.deferred == 0);
    world_finish(&world);
}

/* The rows of an ended campaign are there until readers have come to its end, over restarts too. */
static void rows_stay_until_history_has_them(void **state) {
    (void)state;
    struct campaign *c = loaded(2, 2, 600 * US_PER_SEC);
    for (unsigned k = 0; k < 2; k++) {
        struct chunk *chunk = leased(c, k);
        settle_one(chunk, 0, EVENT_DELIVERED, 0);
        settle_one(chunk, 1, EVENT_DELIVERED, 0);
    }
    assert_true(c->row.ended);
    checkpoint();
    world_rows(&world, TABLE_CHUNK, 2);
    world_crash(&world);
    checkpoint();
    world_rows(&world, TABLE_CHUNK, 2);
    world_read(&world);
    checkpoint();
    world_rows(&world, TABLE_CHUNK, 0);
    world_rows(&world, TABLE_PROGRESS, 0);
    world_finish(&world);
}

static void deferring_without_a_lease_keeps_the_count(void **state) {
    (void)state;
    struct campaign *c = loaded(1, 2, 600 * US_PER_SEC);
    struct chunk *chunk = c->chunks[0];
    struct event e = {.kind = EVENT_DEFERRED, .at = world.now, .chunk = chunk->id, .slots = slots_one(0)};
    e.due = world.now + US_PER_SEC;
    ledger_settle(world.ledger, chunk, &e); /* its domain has no answer: no attempt was made */
    world_tap(&world);
    world_commit_all(&world);
    world_verify(&world);
    world_verify_store(&world);
    assert_int_equal(c->row.tally.deferred, 1);
    for (int round = 0; round < 3; round++) {
        world.now += 5 * US_PER_SEC;
        assert_int_equal(world_due(&world, 10), 1);
        world.woken[0][0][0] = false;
        e.kind = EVENT_DEFERRED, e.slots = slots_one(0), e.at = world.now, e.due = world.now + US_PER_SEC;
        ledger_settle(world.ledger, chunk, &e);
        world_tap(&world);
        world_commit_all(&world);
        world_verify(&world);
        assert_int_equal(c->row.tally.deferred, 1);
    }
    world.now += 5 * US_PER_SEC;
    assert_int_equal(world_due(&world, 10), 1);
    assert_int_equal(ledger_attempts(world.ledger, chunk_rid(chunk->id, 0)).attempts, 0);
    world_finish(&world);
}

#define RACE(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        RACE(an_empty_campaign_is_through_at_once),
        RACE(a_campaign_ends_with_its_last_chunk),
        RACE(cancelling_decides_about_what_is_on_the_wire),
        RACE(a_sweep_takes_rows_that_come_into_sight_late),
        RACE(a_sweep_with_nothing_to_wait_for_ends),
        RACE(what_comes_back_past_the_end_is_expired),
        RACE(a_retry_may_fall_on_the_time_of_the_last),
        RACE(a_row_that_is_going_wakes_nobody),
        RACE(late_rows_are_read_again),
        RACE(what_came_due_while_held_comes_with_resume),
        RACE(what_is_put_back_comes_again),
        RACE(a_chunk_stays_while_it_is_held),
        RACE(recovery_twice_counts_once),
        RACE(uncertain_ones_wait_for_a_person_if_wanted),
        RACE(rows_stay_until_history_has_them),
        RACE(deferring_without_a_lease_keeps_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
