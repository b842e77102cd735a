/* Lanes of the whole engine find out what their servers take: what sessions meet with comes to the controller
 * as it happened, and nothing of it is counted twice or forgotten. */
#include "test_world.h"

#include <stdlib.h>
#include <string.h>

static const char *const suffixes[] = {".test"};

struct lane_world {
    struct world world;
    struct provider_options provider;
};

/* The lane is a provider's, so that it outlives its work. */
static struct lane_world *open_world(struct learn_profile profile) {
    struct lane_world *l = calloc(1, sizeof *l);
    world_init(&l->world);
    l->provider = (struct provider_options){
        .name = "p", .mx_suffixes = suffixes, .mx_suffix_count = 1, .profile = profile};
    l->world.options.providers = &l->provider;
    l->world.options.provider_count = 1;
    return l;
}

static struct lane_status lane_of(struct lane_world *l) {
    struct lane_status lane;
    assert_int_equal(engine_lanes(l->world.engine, "p", &lane, 1), 1);
    return lane;
}

/* Everything that was granted came to something, and every session was counted out. */
static void close_world(struct lane_world *l) {
    struct lane_status lane = lane_of(l);
    for (unsigned i = 0; i < 300 && lane.sessions > 0; i++) {
        usleep(10000);
        lane = lane_of(l);
    }
    assert_int_equal(lane.sessions, 0);
    assert_int_equal(lane.in_flight, 0);
    world_engine_stop(&l->world, US_PER_SEC);
    world_done(&l->world);
    free(l);
}

static struct campaign_status send_all(struct lane_world *l, const char *domain, unsigned count) {
    struct campaign_status end = world_wait(&l->world, world_many(&l->world, "r", domain, count), NULL);
    assert_int_equal(end.tally.delivered, count);
    world_check(&l->world, &end);
    return end;
}

static void test_rate(void **state) {
    (void)state;
    struct lane_world *l =
        open_world((struct learn_profile){.connections = {.start = 2, .ceiling = 4}, .rate = {.start = 100}});
    struct host *host = world_host(&l->world, 7);
    host->per_second = 25;
    host_open(host);
    world_engine(&l->world);
    send_all(l, "7.test", 220);
    struct lane_status lane = lane_of(l);
    assert_true(lane.kept[LEARN_RATE] > 15 && lane.kept[LEARN_RATE] < 30);
    assert_in_range(host->turned_away, 1, 40); /* of 220 */
    assert_int_equal(lane.since.cause, LEARN_BY_REPLY);
    close_world(l);
}

static void test_connections(void **state) {
    (void)state;
    struct lane_world *l = open_world((struct learn_profile){
        .connections = {.start = 2}, .rate = {.start = 5000}, .per_connection = {.start = 40}});
    struct host *host = world_host(&l->world, 7);
    host->most_sessions = 3;
    host->slow_ms = 8;
    host_open(host);
    world_engine(&l->world);
    struct campaign_status end = send_all(l, "7.test", 1500);
    assert_int_equal(end.tally.deferrals, 0);
    struct lane_status lane = lane_of(l);
    assert_true(lane.limit[LEARN_CONNECTIONS] == 3);
    assert_int_equal(host->sessions_top, 4);
    assert_in_range(host->refused, 1, 4);
    close_world(l);
}

static void test_per_connection(void **state) {
    (void)state;
    struct lane_world *l = open_world((struct learn_profile){.connections = {.start = 2, .ceiling = 2},
                                                             .rate = {.start = 5000},
                                                             .per_connection = {.start = 100}});
    struct host *host = world_host(&l->world, 7);
    host->session_mails = 12;
    host_open(host);
    world_engine(&l->world);
    struct campaign_status end = send_all(l, "7.test", 400);
    assert_int_equal(end.tally.deferrals, 0);
    assert_true(lane_of(l).limit[LEARN_PER_CONNECTION] == 12);
    assert_in_range(host->turned_away, 2, 5);
    close_world(l);
}

/* ---- what is no limit ---- */

static bool two_hundred_are_there(const struct campaign_status *s) {
    return s->tally.delivered >= 200;
}

static void be_away(struct host *host, bool away) {
    pthread_mutex_lock(&host->world->lock);
    host->away = away;
    pthread_mutex_unlock(&host->world->lock);
    if (away)
        host_close(host);
    else
        host_open(host);
}

/* Many wait where they are, and go on when it is over, as fast as before. */
static void test_outage(void **state) {
    (void)state;
    struct lane_world *l = open_world(
        (struct learn_profile){.connections = {.start = 3, .ceiling = 3}, .rate = {.start = 5000}});
    struct host *host = world_host(&l->world, 7);
    host->slow_ms = 10;
    host_open(host);
    world_engine(&l->world);
    uint32_t id = world_many(&l->world, "r", "7.test", 1500);
    world_wait(&l->world, id, two_hundred_are_there);
    be_away(host, true);
    usleep(2500000);
    struct lane_status lane = lane_of(l);
    assert_true(lane.down);
    assert_int_equal(lane.bound, LEARN_OUTAGE);
    assert_non_null(strstr(lane.sentence, "can't be reached"));
    uint64_t before = world_now(&l->world, id).tally.delivered;
    be_away(host, false);
    mono_us back = clock_mono();
    struct campaign_status now;
    do {
        usleep(20000);
        now = world_now(&l->world, id);
    } while (now.tally.delivered < before + 200 && clock_mono() - back < 10 * US_PER_SEC);
    assert_true(clock_mono() - back < 9 * US_PER_SEC);
    struct campaign_status end = world_wait(&l->world, id, NULL);
    assert_int_equal(end.tally.delivered, 1500);
    assert_true(end.tally.deferrals <= 3); /* what was under way as the first of its session */
    lane = lane_of(l);
    assert_false(lane.down);
    assert_true(lane.limit[LEARN_RATE] == 0 && lane.limit[LEARN_CONNECTIONS] == 0);
    world_check(&l->world, &end);
    close_world(l);
}

/* The first exchanger wants nobody, or is not there: sessions go on to the second, and nothing is limited. */
static void test_first_host_is_ill(void **state) {
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        struct learn_profile profile = world_profile((struct world_ceilings){.connections = 3});
        profile.per_connection.start = 10;
        struct lane_world *l = open_world(profile);
        struct host *first = world_host(&l->world, 7), *second = world_host(&l->world, 8);
        first->unwelcome = true;
        host_open(first);
        if (closed) host_close(first);
        host_open(second);
        world_engine(&l->world);
        struct campaign_status end = send_all(l, "7.8.two.test", 300);
        assert_int_equal(end.tally.deferrals, 0);
        struct lane_status lane = lane_of(l);
        assert_false(lane.down);
        for (int d = LEARN_CONNECTIONS; d < LEARN_DIMENSIONS; d++)
            if (d != LEARN_PER_CONNECTION) assert_true(lane.limit[d] == 0);
        close_world(l);
    }
}

/* What is cut in the middle is not taken for an answer. */
static void test_cut_short(void **state) {
    (void)state;
    static const struct {
        enum drop drop;
        unsigned stalls_after;
    } cases[] = {{DROP_AT_DATA, 0}, {DROP_AFTER_DOT, 0}, {DROP_NEVER, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int shared = 0; shared < 2; shared++) {
            struct lane_world *l = open_world(world_profile((struct world_ceilings){.connections = 2}));
            struct host *host = world_host(&l->world, 7);
            host->drop = cases[i].drop, host->drops = 5;
            host->stalls_after = shared ? 0 : cases[i].stalls_after;
            host_open(host);
            l->world.shared = shared;
            world_engine(&l->world);
            send_all(l, "7.test", 200);
            struct lane_status lane = lane_of(l);
            assert_true(lane.limit[LEARN_RATE] == 0 && lane.limit[LEARN_PER_CONNECTION] == 0);
            close_world(l);
        }
    }
}

/* How late the last of those came back that were refused once. */
static mono_us slowest_return(const struct world *w) {
    mono_us most = 0;
    for (unsigned i = 0; i < w->taken_count; i++)
        for (unsigned k = 0; k < w->seen_count; k++) {
            if (strcmp(w->taken[i].to, w->seen[k]) != 0) continue;
            mono_us took = w->taken[i].at - w->seen_at[k];
            if (took > most) most = took;
        }
    return most;
}

/* Who was put off is not behind all that was never begun, although the lane is too slow for both. */
static void test_retries_come_in_time(void **state) {
    (void)state;
    struct learn_profile profile = world_profile((struct world_ceilings){.connections = 2});
    profile.rate = (struct learn_bounds){.start = 150, .ceiling = 150};
    struct lane_world *l = open_world(profile);
    host_open(world_host(&l->world, 7));
    world_engine(&l->world);
    struct buf rows;
    buf_init(&rows, 1 << 20);
    for (unsigned i = 0; i < 900; i++) {
        char line[64];
        int n = snprintf(line, sizeof line, "%s%u@7.test,a@sender.test\n", i % 30 == 0 ? "grey" : "r", i);
        buf_put(&rows, line, (size_t)n);
    }
    buf_put_u8(&rows, 0);
    struct campaign_status end =
        world_wait(&l->world, world_campaign(&l->world, rows.at, false, 600 * US_PER_SEC), NULL);
    buf_done(&rows);
    assert_int_equal(end.tally.delivered, 900);
    assert_int_equal(end.tally.deferrals, 30);
    assert_true(slowest_return(&l->world) < 1500 * US_PER_MS); /* 300 ms is when they are due */
    world_check(&l->world, &end);
    close_world(l);
}

static unsigned turned_away(struct host *host) {
    pthread_mutex_lock(&host->world->lock);
    unsigned n = host->turned_away;
    pthread_mutex_unlock(&host->world->lock);
    return n;
}

/* A server has had enough and says for how long: what was granted and not begun is not sent to be refused,
 * and nothing goes there before that time, whatever becomes of what was under way. */
static void test_a_pause_calls_back(void **state) {
    (void)state;
    struct learn_profile profile = world_profile((struct world_ceilings){.connections = 4});
    struct lane_world *l = open_world(profile);
    struct host *host = world_host(&l->world, 7);
    host->slow_ms = 10;
    host->takes = 300;
    host_open(host);
    world_engine(&l->world);
    uint32_t id = world_many(&l->world, "r", "7.test", 600);
    for (unsigned i = 0; i < 500 && turned_away(host) == 0; i++)
        usleep(10000);
    usleep(500000);
    unsigned refused = turned_away(host);
    assert_in_range(refused, 1, 28); /* what four sessions had begun; twice as many were granted */
    struct lane_status lane = lane_of(l);
    assert_int_equal(lane.bound, LEARN_PAUSE);
    assert_int_equal(lane.in_flight, 0);
    usleep(2000000);
    assert_int_equal(turned_away(host), refused);
    assert_int_equal(world_now(&l->world, id).tally.delivered, host->transactions);
    pthread_mutex_lock(&l->world.lock);
    host->takes = 0;
    pthread_mutex_unlock(&l->world.lock);
    struct campaign_status end = world_wait(&l->world, id, NULL);
    assert_int_equal(end.tally.delivered, 600);
    world_check(&l->world, &end);
    close_world(l);
}

/* A window holds no more than goes out in about a quarter of a second. */
static void test_slow_windows_are_small(void **state) {
    (void)state;
    struct lane_world *l = open_world(world_profile((struct world_ceilings){.connections = 1}));
    struct host *host = world_host(&l->world, 7);
    host->slow_ms = 200;
    host_open(host);
    world_engine(&l->world);
    uint32_t id = world_many(&l->world, "r", "7.test", 24);
    unsigned most = 0;
    struct campaign_status now;
    do {
        usleep(20000);
        now = world_now(&l->world, id);
        if (now.leased > most) most = (unsigned)now.leased;
    } while (!now.ended);
    assert_in_range(most, 2, 4); /* two windows of two */
    assert_int_equal(now.tally.delivered, 24);
    close_world(l);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_per_connection),
        cmocka_unit_test(test_outage),
        cmocka_unit_test(test_first_host_is_ill),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_slow_windows_are_small),
        cmocka_unit_test(test_retries_come_in_time),
        cmocka_unit_test(test_a_pause_calls_back),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
