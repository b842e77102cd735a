/* Shared mails: one transaction takes many recipients, and each has its own outcome all the same. */
#include "test_world.h"

#include <stdlib.h>
#include <string.h>

struct shared_case {
    const char *name;
    unsigned count, unknown, later; /* recipients, and how many of them are called so */
    struct host host;
    struct world_ceilings limits;
    unsigned most;     /* transactions */
    unsigned least_ms; /* it takes, at its rate */
};

static const struct shared_case cases[] = {
    {"all in a few", 200, 0, 0, {0}, {.connections = 1}, 5, 0},
    {"some refused, some for now", 100, 10, 10, {0}, {.connections = 1}, 6, 0},
    {"all refused", 20, 20, 0, {0}, {.connections = 1}, 0, 0},
    {"the server says its limit",
     100,
     0,
     0,
     {.rcpt_max = 10, .says_limits = true},
     {.connections = 1},
     12,
     0},
    {"it only keeps it", 100, 0, 0, {.rcpt_max = 10}, {.connections = 1}, 12, 0},
    {"one at a time", 30, 0, 0, {.rcpt_max = 1}, {.connections = 1}, 30, 0},
    {"two messages in a connection", 200, 0, 0, {0}, {.connections = 2, .messages_per_connection = 2}, 10, 0},
    {"fifty messages a second", 200, 0, 0, {0}, {.connections = 1, .messages_per_second = 50}, 10, 0},
    {"each transaction counts for the rate",
     200,
     0,
     0,
     {.rcpt_max = 1},
     {.connections = 1, .messages_per_second = 50},
     200,
     1500},
    {"the end is never answered", 100, 0, 0, {.drop = DROP_AFTER_DOT, .drops = 1}, {.connections = 1}, 10, 0},
    {"hangs up before the end", 100, 0, 0, {.drop = DROP_AT_DATA, .drops = 1}, {.connections = 1}, 60, 0},
};

static uint32_t start(struct world *w, const struct shared_case *c) {
    struct buf rows;
    buf_init(&rows, 1 << 20);
    for (unsigned i = 0; i < c->count; i++) {
        char line[64];
        const char *kind = i < c->unknown ? "unknown" : i < c->unknown + c->later ? "later" : "r";
        int n = snprintf(line, sizeof line, "%s%u@7.test,x@y.test\n", kind, i);
        buf_put(&rows, line, (size_t)n);
    }
    buf_put_u8(&rows, 0);
    uint32_t id = world_campaign(w, rows.at, false, 600 * US_PER_SEC);
    buf_done(&rows);
    return id;
}

/* Every mail of a chunk has the same Message-ID; these campaigns are one chunk. */
static void one_identity(struct world *w) {
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 1; i < w->taken_count; i++)
        assert_string_equal(w->taken[i].message_id, w->taken[0].message_id);
    pthread_mutex_unlock(&w->lock);
}

static void run_case(const struct shared_case *c) {
    struct world *w = calloc(1, sizeof *w);
    world_init(w);
    w->shared = true;
    print_message("# %s\n", c->name);
    struct host *host = world_host(w, 7);
    host->rcpt_max = c->host.rcpt_max, host->says_limits = c->host.says_limits;
    host->drop = c->host.drop, host->drops = c->host.drops;
    host_open(host);
    w->options.default_profile = world_profile(c->limits);
    world_engine(w);
    mono_us began = clock_mono();
    struct campaign_status end = world_wait(w, start(w, c), NULL);
    assert_true(clock_mono() - began >= c->least_ms * US_PER_MS);
    world_check(w, &end);
    one_identity(w);
    assert_int_equal(end.tally.delivered, c->count - c->unknown);
    assert_int_equal(end.tally.failed, c->unknown);
    if (c->host.drop == DROP_NEVER) {
        assert_int_equal(end.tally.deferrals, c->later);
        assert_int_equal(end.tally.doubted, 0);
    }
    if (c->host.drop == DROP_AFTER_DOT) assert_in_range(end.tally.doubted, 1, 50);
    world_engine_stop(w, US_PER_SEC);
    if (host->transactions > c->most) fail_msg("%u transactions", host->transactions);
    world_done(w);
    free(w);
}

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_case(&cases[i]);
}

/* A shared campaign and others, at the same exchanger at the same time. */
static void test_beside_others(void **state) {
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w);
    host_open(world_host(w, 7));
    world_engine(w);
    w->shared = true;
    uint32_t shared = world_many(w, "s", "7.test", 400);
    w->shared = false;
    uint32_t single = world_many(w, "r", "7.test", 200);
    struct campaign_status a = world_wait(w, shared, NULL), b = world_wait(w, single, NULL);
    assert_int_equal(a.tally.delivered, 400);
    assert_int_equal(b.tally.delivered, 200);
    assert_int_equal(a.tally.deferrals + b.tally.deferrals, 0);
    a.tally.delivered += 200, a.tally.planned += 200;
    world_check(w, &a);
    world_engine_stop(w, US_PER_SEC);
    world_done(w);
    free(w);
}

/* Each goes alone, and is refused without a word to the server: nothing of the server's moves the next on. */
static void test_beyond_ascii(void **state) {
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w);
    w->shared = true;
    w->options.default_profile = world_profile((struct world_ceilings){.connections = 1});
    host_open(world_host(w, 7));
    world_engine(w);
    struct campaign_status end = world_wait(w, world_many(w, "\xc3\xbc", "7.test", 50), NULL);
    assert_int_equal(end.tally.failed, 50);
    world_engine_stop(w, US_PER_SEC);
    world_done(w);
    free(w);
}

static bool some_are_there(const struct campaign_status *s) {
    return s->tally.delivered >= 50;
}

/* Cut at any moment, no more is in doubt than two windows of each session. */
static void test_stop_at_once(void **state) {
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w);
    w->shared = true;
    struct host *host = world_host(w, 7);
    host->slow_ms = 40;
    host_open(host);
    w->options.default_profile = world_profile((struct world_ceilings){.connections = 2});
    world_engine(w);
    uint32_t id = world_many(w, "r", "7.test", 1500);
    for (int round = 0; round < 3; round++) {
        world_wait(w, id, some_are_there);
        world_engine_stop(w, 0);
        world_engine(w);
        assert_true(world_now(w, id).tally.doubted <= 2u * 2 * 50 * (unsigned)(round + 1));
    }
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 1500);
    world_check(w, &end);
    world_engine_stop(w, US_PER_SEC);
    world_done(w);
    free(w);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_beside_others),
        cmocka_unit_test(test_beyond_ascii),
        cmocka_unit_test(test_stop_at_once),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
