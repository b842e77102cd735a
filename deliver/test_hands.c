/* The engine under people's hands: what is suspended is not sent and all else is, what is cancelled is
 * counted, routes are gone, waiting is cut short; and all of it across a restart. */
#include "test_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR (3600 * US_PER_SEC)
enum { MANY = 12000 };

static struct world *open_world(unsigned slow_ms) {
    struct world *w = calloc(1, sizeof *w);
    world_init(w);
    for (unsigned n = 7; n <= 8; n++) {
        struct host *host = world_host(w, n);
        host->slow_ms = slow_ms;
        host_open(host);
    }
    return w;
}

static void close_world(struct world *w) {
    if (w->engine) world_engine_stop(w, US_PER_SEC);
    world_done(w);
    free(w);
}

static unsigned taken_by(struct world *w, unsigned host) {
    unsigned n = 0;
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < w->taken_count; i++)
        n += w->taken[i].host == host;
    pthread_mutex_unlock(&w->lock);
    return n;
}

static struct engine_hand hand_of(enum order_kind kind, struct selector of) {
    return (struct engine_hand){.kind = kind, .of = of, .by = SLICE("anna"), .reason = SLICE("a test")};
}

static uint64_t order(struct world *w, enum order_kind kind, struct selector of, const char *to) {
    struct engine_hand hand = hand_of(kind, of);
    struct err err = {0};
    uint64_t number;
    hand.to = slice_of(to);
    if (engine_order(w->engine, &hand, &number, &err)) fail_msg("%s", err.text);
    return number;
}

static void end_order(struct world *w, uint64_t number) {
    struct engine_hand hand = hand_of(ORDER_SUSPEND, (struct selector){0});
    struct err err = {0};
    if (engine_order_end(w->engine, number, &hand, &err)) fail_msg("%s", err.text);
}

static struct engine_touch touch(struct world *w, struct selector of) {
    struct engine_touch t;
    struct buf texts;
    struct err err = {0};
    buf_init(&texts, 4096);
    if (engine_touch(w->engine, &of, &texts, NEVER, &t, &err)) fail_msg("%s", err.text);
    buf_done(&texts);
    return t;
}

static size_t orders(struct world *w) {
    struct order_status one;
    return engine_orders(w->engine, &one, 1);
}

static void wait_for(struct world *w, bool (*seen)(struct world *w)) {
    for (unsigned i = 0; i < 2000 && !seen(w); i++)
        usleep(10000);
    assert_true(seen(w));
}

static bool some_at_7(struct world *w) {
    return taken_by(w, 7) >= 10;
}
static bool all_at_8(struct world *w) {
    return taken_by(w, 8) == 300;
}
static bool no_orders(struct world *w) {
    return orders(w) == 0;
}

/* Rows at two domains by turns: chunks of both. */
static char *mixed_rows(const char *a, const char *b, unsigned each) {
    size_t room = each * 80 + 1, len = 0;
    char *rows = malloc(room);
    for (unsigned i = 0; i < each; i++)
        len += (size_t)snprintf(rows + len, room - len, "%s%u@7.test,x@y.test\n%s%u@8.test,x@y.test\n", a, i,
                                b, i);
    return rows;
}

/* ---- suspended ---- */

static const struct selector provider_7 = {.provider = {"m7.test", 7}}, domain_7 = {.domain = {"7.test", 6}};

/* From the moment of the answer at most those arrive that were on the wire: one for each of four sessions. */
static void test_suspended_while_sessions_are_open(void **state) {
    (void)state;
    struct world *w = open_world(3);
    world_engine(w);
    uint32_t seven = world_many(w, "a", "7.test", 300), eight = world_many(w, "b", "8.test", 300);
    wait_for(w, some_at_7);
    mono_us before = clock_mono();
    uint64_t number = order(w, ORDER_SUSPEND, provider_7, "");
    print_message("# suspended within %lld us\n", (long long)(clock_mono() - before));
    unsigned then = taken_by(w, 7);
    wait_for(w, all_at_8);
    usleep(200000);
    unsigned now = taken_by(w, 7);
    assert_true(now - then <= 4 * 8); /* four sessions, and what each had begun */
    assert_true(now < 300);
    struct campaign_status at = world_now(w, seven);
    assert_int_equal(at.leased, 0);
    struct engine_touch t = touch(w, provider_7);
    assert_int_equal(t.recipients, tally_pending(&at.tally));
    assert_int_equal(t.maybe, 0);
    assert_int_equal(orders(w), 1);
    end_order(w, number);
    struct campaign_status end = world_wait(w, seven, NULL);
    assert_int_equal(end.tally.delivered, 300);
    assert_int_equal(world_wait(w, eight, NULL).tally.delivered, 300);
    assert_int_equal(w->taken_count, 600);
    close_world(w);
}

/* Given before there is anything, in chunks of several domains, over a restart; and the time of it ends. */
static void test_suspended_over_a_restart(void **state) {
    (void)state;
    struct world *w = open_world(0);
    world_engine(w);
    order(w, ORDER_SUSPEND, domain_7, "");
    char *rows = mixed_rows("a", "b", 300);
    uint32_t id = world_campaign(w, rows, false, HOUR);
    wait_for(w, all_at_8);
    assert_int_equal(taken_by(w, 7), 0);
    world_engine_stop(w, US_PER_SEC);
    world_engine(w);
    usleep(200000);
    assert_int_equal(taken_by(w, 7), 0);
    assert_int_equal(orders(w), 1);
    struct engine_hand hand = hand_of(ORDER_SUSPEND, domain_7);
    struct err err;
    uint64_t number;
    hand.until = clock_wall() + 300 * US_PER_MS; /* instead of the first */
    assert_int_equal(engine_order(w->engine, &hand, &number, &err), 0);
    assert_int_equal(number, 2);
    assert_int_equal(orders(w), 1);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 600);
    world_check(w, &end);
    assert_int_equal(orders(w), 0);
    free(rows);
    close_world(w);
}

/* An order of nothing but a campaign holds it, and is over when it is resumed. */
static void test_campaign(void **state) {
    (void)state;
    struct world *w = open_world(3);
    struct err err = {0};
    world_engine(w);
    uint32_t id = world_many(w, "a", "7.test", 300);
    wait_for(w, some_at_7);
    struct selector of = {.campaign = id};
    order(w, ORDER_SUSPEND, of, "");
    assert_int_equal(world_now(w, id).state, CAMPAIGN_HELD);
    assert_true(touch(w, of).recipients > 0 && touch(w, of).maybe == 0);
    struct engine_hand hand = hand_of(ORDER_SUSPEND, of);
    assert_int_equal(engine_resume(w->engine, id, &hand, &err), 0);
    assert_int_equal(orders(w), 0);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 300);
    world_check(w, &end);
    close_world(w);
}

static void test_identity(void **state) {
    (void)state;
    struct world *w = open_world(0);
    world_engine(w);
    struct selector other = {.identity = SLICE("nobody.test")}, ours = {.identity = SLICE("sender.test")};
    order(w, ORDER_SUSPEND, other, "");
    struct campaign_status end = world_wait(w, world_many(w, "a", "7.test", 5), NULL);
    assert_int_equal(end.tally.delivered, 5);
    uint64_t number = order(w, ORDER_SUSPEND, ours, "");
    uint32_t id = world_many(w, "b", "7.test", 5);
    usleep(200000);
    assert_int_equal(taken_by(w, 7), 5);
    assert_int_equal(touch(w, ours).recipients, 5);
    end_order(w, number);
    end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 5);
    close_world(w);
}

/* ---- cancelled ---- */

static bool has_deferred(const struct campaign_status *s) {
    return s->tally.deferred == 40 && s->tally.delivered == 40;
}

/* Chunks of two domains, all of one deferred: out of the retry table with them. */
static void test_cancelled_in_the_retry_table(void **state) {
    (void)state;
    struct world *w = open_world(0);
    w->options.retry = (struct retry_options){HOUR, HOUR, 2};
    world_engine(w);
    char *rows = mixed_rows("grey", "b", 40);
    uint32_t id = world_campaign(w, rows, false, 5 * HOUR);
    world_wait(w, id, has_deferred);
    struct engine_touch t = touch(w, domain_7);
    assert_true(t.recipients == 40 && t.maybe == 0 && t.leased == 0);
    t = touch(w, provider_7);
    assert_true(t.recipients == 40 && t.maybe == 0 && t.campaigns == 1);
    order(w, ORDER_CANCEL, domain_7, "");
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.cancelled, 40);
    assert_int_equal(end.tally.delivered, 40);
    world_check(w, &end);
    wait_for(w, no_orders);
    free(rows);
    close_world(w);
}

/* By provider, begun, and the engine ends at once: the next start goes on. What comes later is not meant. */
static void test_cancelled_over_a_restart(void **state) {
    (void)state;
    struct world *w = open_world(3);
    world_engine(w);
    char *rows = mixed_rows("a", "b", 300);
    uint32_t id = world_campaign(w, rows, false, HOUR);
    wait_for(w, some_at_7);
    order(w, ORDER_CANCEL, provider_7, "");
    world_engine_stop(w, 0);
    world_engine(w);
    struct campaign_status end = world_wait(w, id, NULL);
    const struct tally *t = &end.tally; /* who was on the wire is uncertain, and not sent to again */
    assert_true(t->cancelled > 0 && t->delivered + t->cancelled + t->uncertain == 600);
    assert_true(t->cancelled + taken_by(w, 7) >= 300 && t->delivered >= 300 - t->uncertain);
    uint32_t later = world_many(w, "c", "7.test", 20);
    end = world_wait(w, later, NULL);
    assert_int_equal(end.tally.delivered, 20);
    wait_for(w, no_orders);
    free(rows);
    close_world(w);
}

static bool one_deferred(const struct campaign_status *s) {
    return s->tally.deferred == 1;
}
static bool many_deferred(const struct campaign_status *s) {
    return s->tally.deferred == MANY;
}

static void flush(struct world *w, struct selector of) {
    struct engine_hand hand = hand_of(ORDER_SUSPEND, of);
    struct err err = {0};
    if (engine_flush(w->engine, &hand, &err)) fail_msg("%s", err.text);
}

/* A cancellation by provider has long to do in the retry table. Meanwhile one whose provider nobody knows yet
 * is taken out of it: it is over when that one is settled, too. */
static void test_cancelled_while_woken(void **state) {
    (void)state;
    struct world *w = open_world(0);
    w->options.retry = (struct retry_options){HOUR / 10, HOUR / 10, 2};
    world_engine(w);
    uint32_t many = world_many(w, "over", "7.test", MANY);
    world_wait(w, many, many_deferred);
    world_engine_stop(w, US_PER_SEC);
    w->options.retry = (struct retry_options){HOUR, HOUR, 2}; /* its row is the last */
    world_dns(w, true, false);
    world_engine(w);
    uint32_t one = world_campaign(w, "r@x.7.test,x@y.test\n", false, 9 * HOUR);
    world_wait(w, one, one_deferred);
    world_dns(w, false, true);
    order(w, ORDER_CANCEL, provider_7, "");
    flush(w, (struct selector){.domain = SLICE("x.7.test")});
    world_wait(w, many, NULL);
    usleep(300000);
    assert_int_equal(orders(w), 1);
    world_dns(w, false, false);
    for (unsigned i = 0; i < 100 && !world_now(w, one).ended; i++) {
        flush(w, (struct selector){.domain = SLICE("x.7.test")}); /* a question may have been given up */
        usleep(200000);
    }
    struct campaign_status end = world_wait(w, one, NULL);
    assert_int_equal(end.tally.cancelled, 1);
    assert_int_equal(world_now(w, many).tally.cancelled, MANY);
    assert_int_equal(world_taken(w, "r@x.7.test", false), 0);
    wait_for(w, no_orders);
    close_world(w);
}

/* ---- routed, flushed ---- */

static uint64_t delivered_from(struct world *w, const char *source) {
    struct lane_status lanes[16];
    uint64_t n = 0;
    size_t count = engine_lanes(w->engine, NULL, lanes, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        if (strcmp(lanes[i].source, source) == 0) n += lanes[i].delivered;
    return n;
}

static void test_routed(void **state) {
    (void)state;
    struct world *w = open_world(3);
    struct provider_options provider = {.name = "seven",
                                        .mx_suffixes = (const char *const[]){"m7.test"},
                                        .mx_suffix_count = 1,
                                        .profile = w->options.default_profile};
    struct source_options sources[2] = {{.name = "a", .helo = "a.test"}, {.name = "b", .helo = "b.test"}};
    w->options.providers = &provider, w->options.provider_count = 1;
    w->options.sources = sources, w->options.source_count = 2;
    world_engine(w);
    uint32_t id = world_many(w, "a", "7.test", 300);
    wait_for(w, some_at_7);
    const char *other = delivered_from(w, "a") ? "b" : "a", *own = *other == 'a' ? "b" : "a";
    struct selector seven = {.provider = SLICE("seven")};
    uint64_t number = order(w, ORDER_ROUTE, seven, other);
    world_wait(w, id, NULL);
    uint64_t there = delivered_from(w, other), here = delivered_from(w, own);
    assert_true(there > 100 && here + there == 300);
    end_order(w, number);
    struct campaign_status end = world_wait(w, world_many(w, "b", "7.test", 20), NULL);
    assert_int_equal(end.tally.delivered, 20);
    assert_int_equal(delivered_from(w, own), here + 20);
    close_world(w);
}

static bool five_deferred(const struct campaign_status *s) {
    return s->tally.deferred == 5;
}

static void test_flushed(void **state) {
    static const char *const greys[] = {
        "grey1@7.test,x@y.test\ngrey2@7.test,x@y.test\ngrey3@7.test,x@y.test\ngrey4@7.test,x@y.test\n"
        "grey5@7.test,x@y.test\n",
        "grey1@8.test,x@y.test\ngrey2@8.test,x@y.test\ngrey3@8.test,x@y.test\ngrey4@8.test,x@y.test\n"
        "grey5@8.test,x@y.test\n"};
    (void)state;
    struct world *w = open_world(0);
    w->options.retry = (struct retry_options){HOUR, HOUR, 2};
    world_engine(w);
    uint32_t id = world_campaign(w, greys[0], false, 5 * HOUR),
             left = world_campaign(w, greys[1], false, 5 * HOUR);
    world_wait(w, id, five_deferred);
    world_wait(w, left, five_deferred);
    flush(w, domain_7);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 5);
    assert_int_equal(world_now(w, left).tally.deferred, 5);
    close_world(w);
}

/* ---- what is refused ---- */

static void test_refused(void **state) {
    (void)state;
    struct world *w = open_world(0);
    struct err err;
    struct buf texts;
    struct engine_touch t;
    uint64_t number;
    world_engine(w);
    buf_init(&texts, 4096);
    struct selector nothing = {0}, no_source = {.source = SLICE("x")}, no_campaign = {.campaign = 9};
    assert_int_equal(engine_touch(w->engine, &nothing, &texts, NEVER, &t, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_int_equal(engine_touch(w->engine, &no_source, &texts, NEVER, &t, &err), -1);
    assert_int_equal(err.kind, ERR_ABSENT);
    assert_int_equal(engine_touch(w->engine, &no_campaign, &texts, NEVER, &t, &err), -1);
    assert_int_equal(err.kind, ERR_ABSENT);
    assert_true(touch(w, provider_7).strange);
    struct engine_hand hand = hand_of(ORDER_ROUTE, domain_7);
    hand.to = SLICE("x");
    assert_int_equal(engine_order(w->engine, &hand, &number, &err), -1);
    assert_int_equal(err.kind, ERR_ABSENT);
    assert_int_equal(engine_order_end(w->engine, 5, &hand, &err), -1);
    assert_int_equal(err.kind, ERR_ABSENT);
    hand = hand_of(ORDER_SUSPEND, domain_7);
    hand.until = clock_wall() - US_PER_SEC;
    assert_int_equal(engine_order(w->engine, &hand, &number, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    buf_done(&texts);
    close_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suspended_while_sessions_are_open),
        cmocka_unit_test(test_suspended_over_a_restart),
        cmocka_unit_test(test_campaign),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_cancelled_in_the_retry_table),
        cmocka_unit_test(test_cancelled_over_a_restart),
        cmocka_unit_test(test_cancelled_while_woken),
        cmocka_unit_test(test_routed),
        cmocka_unit_test(test_flushed),
        cmocka_unit_test(test_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
