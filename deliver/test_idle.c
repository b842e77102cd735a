/* Sessions that are kept while there is nothing to do: used again by whatever comes for the same exchangers,
 * ended when others want their place, and lost without harm when the server closes them. */
#include "test_world.h"

#include <stdlib.h>
#include <string.h>

static struct world *open_world(int64_t idle_us) {
    struct world *w = calloc(1, sizeof *w);
    world_init(w);
    w->options.idle_us = idle_us;
    return w;
}

static void close_world(struct world *w) {
    world_engine_stop(w, US_PER_SEC);
    world_done(w);
    free(w);
}

static struct engine_counters counters_of(struct world *w) {
    struct engine_counters c;
    engine_counters(w->engine, &c);
    return c;
}

static void send_all(struct world *w, const char *name, const char *domain, unsigned count) {
    struct campaign_status end = world_wait(w, world_many(w, name, domain, count), NULL);
    assert_int_equal(end.tally.delivered, count);
    assert_int_equal(end.tally.deferrals, 0);
    assert_int_equal(end.tally.doubted, 0);
}

static bool wait_open(struct world *w, unsigned sessions) {
    for (unsigned i = 0; i < 300; i++) {
        if (counters_of(w).sessions_open == sessions) return true;
        usleep(10000);
    }
    return false;
}

/* The second begins while the sessions of the first are idle; domains share the exchanger. */
static void test_campaigns_share(void **state) {
    (void)state;
    struct world *w = open_world(30 * US_PER_SEC);
    struct host *host = world_host(w, 7);
    host_open(host);
    world_engine(w);
    uint32_t a = world_many(w, "a", "7.test", 100), b = world_many(w, "b", "x.7.test", 100);
    assert_int_equal(world_wait(w, a, NULL).tally.delivered, 100);
    assert_int_equal(world_wait(w, b, NULL).tally.delivered, 100);
    uint64_t opened = counters_of(w).sessions_opened;
    assert_in_range(opened, 1, 4);
    for (unsigned i = 0; i < 3; i++) {
        char name[8];
        usleep(150000);
        snprintf(name, sizeof name, "%c", 'c' + (int)i);
        send_all(w, name, i == 1 ? "y.7.test" : "7.test", 40);
    }
    assert_int_equal(counters_of(w).sessions_opened, opened);
    assert_int_equal(host->opened, opened);
    close_world(w);
}

static void test_the_server_closes(void **state) {
    (void)state;
    struct world *w = open_world(30 * US_PER_SEC);
    struct host *host = world_host(w, 7);
    host->idle_ms =
        1200; /* more than SMTP_REST_US: also a session that has never had a mail has rested by then */
    host_open(host);
    world_engine(w);
    for (unsigned i = 0; i < 6; i++) { /* at every moment around the server's end */
        char name[8];
        snprintf(name, sizeof name, "%c", 'a' + (int)i);
        send_all(w, name, "7.test", 20);
        usleep(1170000 + i * 12000);
    }
    struct lane_status lane;
    assert_true(wait_open(w, 0));
    assert_int_equal(counters_of(w).sessions_failed, 0);
    assert_int_equal(counters_of(w).deferred, 0);
    if (engine_lanes(w->engine, NULL, &lane, 1)) assert_string_equal(lane.last_error, "");
    close_world(w);
}

static void test_not_kept_for_long(void **state) {
    (void)state;
    static const struct {
        int64_t idle_us;
        unsigned idle_sessions;
    } cases[] = {{0, 100}, {300 * US_PER_MS, 100}, {30 * US_PER_SEC, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = open_world(cases[i].idle_us);
        host_open(world_host(w, 7));
        w->options.idle_sessions = cases[i].idle_sessions;
        world_engine(w);
        send_all(w, "a", "7.test", 40);
        assert_true(wait_open(w, 0));
        close_world(w);
    }
}

static void test_not_too_many(void **state) {
    (void)state;
    struct world *w = open_world(30 * US_PER_SEC);
    for (unsigned i = 0; i < 6; i++)
        host_open(world_host(w, 7 + i));
    w->options.idle_sessions = 2;
    world_engine(w);
    for (unsigned i = 0; i < 6; i++) {
        char domain[16];
        snprintf(domain, sizeof domain, "%u.test", 7 + i);
        send_all(w, "a", domain, 2);
    }
    assert_true(wait_open(w, 2));
    uint64_t opened = counters_of(w).sessions_opened;
    send_all(w, "b", "12.test", 2); /* the latest stay */
    assert_int_equal(counters_of(w).sessions_opened, opened);
    close_world(w);
}

/* All places are taken by idle sessions: they make room at once, not when their time is over. */
static void test_others_want_the_place(void **state) {
    (void)state;
    struct world *w = open_world(60 * US_PER_SEC);
    for (unsigned i = 0; i < 9; i++)
        host_open(world_host(w, 7 + i));
    w->options.max_sessions = 3;
    world_engine(w);
    mono_us began = clock_mono();
    for (unsigned i = 0; i < 9; i++) {
        char domain[16];
        snprintf(domain, sizeof domain, "%u.test", 7 + i);
        send_all(w, "a", domain, 3);
    }
    send_all(w, "b", "7.test", 200); /* a big one in the place of small ones */
    assert_true(clock_mono() - began < 10 * US_PER_SEC);
    close_world(w);
}

/* The same where it is the provider's connections that are taken. */
static void test_another_site_wants_it(void **state) {
    (void)state;
    static const char *const suffixes[] = {".test"};
    struct provider_options provider = {.name = "p",
                                        .mx_suffixes = suffixes,
                                        .mx_suffix_count = 1,
                                        .profile = world_profile((struct world_ceilings){.connections = 1})};
    struct world *w = open_world(60 * US_PER_SEC);
    host_open(world_host(w, 7));
    host_open(world_host(w, 8));
    w->options.providers = &provider;
    w->options.provider_count = 1;
    world_engine(w);
    mono_us began = clock_mono();
    send_all(w, "a", "7.test", 10);
    send_all(w, "b", "8.test", 10);
    send_all(w, "c", "7.test", 10);
    assert_true(clock_mono() - began < 10 * US_PER_SEC);
    assert_int_equal(counters_of(w).sessions_opened, 3);
    close_world(w);
}

/* Lanes each of which would open a thousand: they are held back by the places that there are, share them, and
 * nobody is deferred for the want of one. */
static void test_lanes_want_more_than_there_is(void **state) {
    (void)state;
    enum { LANES = 6, PLACES = 12, EACH = 150 };
    struct world *w = open_world(200 * US_PER_MS);
    struct host *hosts[LANES];
    uint32_t ids[LANES];
    w->options.max_sessions = PLACES;
    w->options.default_profile.connections = (struct learn_bounds){.start = 1000};
    for (unsigned i = 0; i < LANES; i++) {
        hosts[i] = world_host(w, 7 + i);
        hosts[i]->slow_ms = 4;
        host_open(hosts[i]);
    }
    world_engine(w);
    for (unsigned i = 0; i < LANES; i++) {
        char domain[16];
        snprintf(domain, sizeof domain, "%u.test", 7 + i);
        ids[i] = world_many(w, "a", domain, EACH);
    }
    uint64_t most = 0;
    for (unsigned done = 0; done < LANES;) {
        uint64_t open = counters_of(w).sessions_open;
        if (open > most) most = open;
        done += world_now(w, ids[done]).ended != 0;
        usleep(2000);
    }
    assert_in_range(most, PLACES / 2, PLACES);
    for (unsigned i = 0; i < LANES; i++) {
        struct campaign_status end = world_now(w, ids[i]);
        assert_int_equal(end.tally.delivered, EACH);
        assert_int_equal(end.tally.deferrals, 0);
        assert_in_range(hosts[i]->sessions_top, 1, PLACES);
    }
    assert_int_equal(counters_of(w).sessions_failed, 0);
    close_world(w);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_campaigns_share),
        cmocka_unit_test(test_the_server_closes),
        cmocka_unit_test(test_not_kept_for_long),
        cmocka_unit_test(test_not_too_many),
        cmocka_unit_test(test_others_want_the_place),
        cmocka_unit_test(test_another_site_wants_it),
        cmocka_unit_test(test_lanes_want_more_than_there_is),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
