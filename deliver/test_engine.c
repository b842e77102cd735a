/* The whole engine in process: real sockets, a store, servers that misbehave in one way each. Every scenario
 * ends with the ledger's equation and a comparison with what the servers took. */
#include "test_world.h"
#include "tls.h"

#include <stdlib.h>
#include <string.h>

#define HOUR (3600 * US_PER_SEC)

static struct world *open_world(void) {
    struct world *w = calloc(1, sizeof *w);
    world_init(w);
    return w;
}

static void close_world(struct world *w) {
    if (w->engine) world_engine_stop(w, US_PER_SEC);
    world_done(w);
    free(w);
}

/* ---- one recipient or two, one way to go wrong ---- */

struct scenario {
    const char *name, *rows;
    struct host host; /* 127.0.7.7 */
    bool second;      /* 127.0.7.8 is open and fine */
    bool closed;      /* 127.0.7.7 is not open */
    bool hold_uncertain;
    enum engine_tls tls;
    int64_t lasts_ms;                               /* 0: an hour */
    unsigned delivered, failed, expired, uncertain; /* the end of it */
    unsigned deferrals, doubted;                    /* at least; 0: none */
};

static const struct scenario scenarios[] = {
    {"delivered", "a@7.test,x@y.test\nb@7.test,x@y.test\n", .delivered = 2},
    {"unknown user", "unknown@7.test,x@y.test\nb@7.test,x@y.test\n", .delivered = 1, .failed = 1},
    {"refused for now, then taken", "later@7.test,x@y.test\n", .delivered = 1, .deferrals = 1},
    {"greylisted, then taken", "grey@7.test,x@y.test\nb@7.test,x@y.test\n", .delivered = 2, .deferrals = 1},
    {"the first exchanger refuses connections", "a@7.8.two.test,x@y.test\n", .closed = true, .second = true,
     .delivered = 1},
    {"the first exchanger hangs up", "a@7.8.two.test,x@y.test\n", .second = true,
     .host = {.drop = DROP_AT_GREETING, .drops = 1000}, .delivered = 1},
    {"nobody is there, until the end", "a@7.test,x@y.test\n", .closed = true, .lasts_ms = 1500, .expired = 1,
     .deferrals = 1},
    {"no such domain", "a@nx.test,x@y.test\nb@7.test,x@y.test\n", .delivered = 1, .failed = 1},
    {"a domain without mail", "a@null.test,x@y.test\n", .failed = 1},
    {"the end of data is never answered: again", "a@7.test,x@y.test\n",
     .host = {.drop = DROP_AFTER_DOT, .drops = 1}, .delivered = 1, .doubted = 1},
    {"the end of data is never answered: held", "a@7.test,x@y.test\n", .hold_uncertain = true,
     .host = {.drop = DROP_AFTER_DOT, .drops = 1}, .uncertain = 1, .doubted = 1},
    {"hangs up before the end of data", "a@7.test,x@y.test\n", .host = {.drop = DROP_AT_DATA, .drops = 1},
     .delivered = 1, .deferrals = 1},
    {"TLS required and missing", "a@7.test,x@y.test\n", .tls = ENGINE_TLS_REQUIRED, .lasts_ms = 1500,
     .expired = 1, .deferrals = 1},
    {"TLS wished for and failing", "a@7.test,x@y.test\n", .tls = ENGINE_TLS_OPPORTUNISTIC,
     .host = {.starttls = true}, .delivered = 1},
    {"one mail can't be made", "a@7.test,x@y.test\nb@7.test,none\nc@7.test,x@y.test\n", .delivered = 2,
     .failed = 1},
};

static void run_scenario(const struct scenario *s) {
    struct world *w = open_world();
    struct host *host = world_host(w, 7), *second = world_host(w, 8);
    print_message("# %s\n", s->name);
    host->starttls = s->host.starttls;
    host->drop = s->host.drop, host->drops = s->host.drops;
    host_open(host);
    if (s->second) host_open(second);
    if (s->closed) host_close(host);
    w->options.default_tls = s->tls;
    world_engine(w);
    uint32_t id = world_campaign(w, s->rows, s->hold_uncertain, s->lasts_ms ? s->lasts_ms * US_PER_MS : HOUR);
    struct campaign_status end = world_wait(w, id, NULL);
    world_check(w, &end);
    assert_int_equal(end.tally.delivered, s->delivered);
    assert_int_equal(end.tally.failed, s->failed);
    assert_int_equal(end.tally.expired, s->expired);
    assert_int_equal(end.tally.uncertain, s->uncertain);
    if (s->deferrals)
        assert_true(end.tally.deferrals >= s->deferrals);
    else
        assert_int_equal(end.tally.deferrals, 0);
    assert_int_equal(end.tally.doubted, s->doubted);
    close_world(w);
}

/* ---- certificates ---- */

/* Required TLS goes to a good certificate only; any other counts as no TLS at all, and nothing is sent. */
static void test_certificates(void **state) {
    static const struct {
        const char *name; /* that the certificate is for; the host is m7.test */
        enum engine_tls tls;
        bool trusted;
        unsigned delivered, expired;
    } cases[] = {
        {"m7.test", ENGINE_TLS_REQUIRED, true, 1, 0},
        {"m7.test", ENGINE_TLS_REQUIRED, false, 0, 1},
        {"m8.test", ENGINE_TLS_REQUIRED, true, 0, 1},
        {"m8.test", ENGINE_TLS_OPPORTUNISTIC, false, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf cert, key;
        struct err err = {.text = ""};
        struct world *w = open_world();
        struct host *host = world_host(w, 7);
        char path[4096];
        buf_init(&cert, 65536), buf_init(&key, 65536);
        if (tls_self_signed(&cases[i].name, 1, 30, &cert, &key, &err) != 0) fail_msg("%s", err.text);
        host->starttls = true;
        host->certificate = buf_slice(&cert), host->key = buf_slice(&key);
        snprintf(path, sizeof path, "%s", in_dir(&w->dir, "trusted.pem"));
        FILE *file = fopen(path, "w");
        assert_true(file && fwrite(cert.at, cert.len, 1, file) == 1 && fclose(file) == 0);
        w->options.default_tls = cases[i].tls;
        if (cases[i].trusted) w->options.tls_ca_file = path;
        host_open(host);
        world_engine(w);
        uint32_t id =
            world_campaign(w, "a@7.test,x@y.test\n", false, cases[i].expired ? 1500 * US_PER_MS : HOUR);
        struct campaign_status end = world_wait(w, id, NULL);
        world_check(w, &end);
        assert_int_equal(end.tally.delivered, cases[i].delivered);
        assert_int_equal(end.tally.expired, cases[i].expired);
        assert_int_equal(w->taken_count, cases[i].delivered);
        close_world(w);
        buf_done(&cert), buf_done(&key);
    }
}

static void test_one_by_one(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        run_scenario(&scenarios[i]);
}

/* ---- limits ---- */

struct limits_case {
    const char *name;
    struct world_ceilings limits;
    struct host host;
    unsigned count;
    int64_t least_ms;
    unsigned bad_agents;
};

static const struct limits_case limits_cases[] = {
    {"421 after seven mails", {.connections = 3}, {.session_mails = 7}, 300, 0, 0},
    {"ten messages in a connection", {.connections = 3, .messages_per_connection = 10}, {0}, 300, 0, 0},
    {"three in a connection, fewer than a window",
     {.connections = 2, .messages_per_connection = 3},
     {0},
     50,
     0,
     0},
    {"mails that can't be made use up a connection",
     {.connections = 1, .messages_per_connection = 5},
     {0},
     60,
     0,
     30},
    {"two connections", {.connections = 2}, {.slow_ms = 2}, 200, 0, 0},
    {"the server takes two sessions, we try four",
     {.connections = 4},
     {.most_sessions = 2, .slow_ms = 2},
     200,
     0,
     0},
    {"fifty a second", {.connections = 3, .messages_per_second = 50}, {0}, 100, 1600, 0},
    {"sixty connections a minute",
     {.connections_per_minute = 60, .messages_per_connection = 20},
     {0},
     50,
     1500,
     0},
};

static uint32_t campaign_of(struct world *w, const struct limits_case *c) {
    struct buf rows;
    buf_init(&rows, 1 << 20);
    for (unsigned i = 0; i < c->count; i++) {
        char line[64];
        int n = snprintf(line, sizeof line, "r%u@7.test,%s\n", i, i < c->bad_agents ? "none" : "x@y.test");
        buf_put(&rows, line, (size_t)n);
    }
    buf_put_u8(&rows, 0);
    uint32_t id = world_campaign(w, rows.at, false, HOUR);
    buf_done(&rows);
    return id;
}

static void test_limits(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof limits_cases / sizeof *limits_cases; i++) {
        const struct limits_case *c = &limits_cases[i];
        struct world *w = open_world();
        struct host *host = world_host(w, 7);
        print_message("# %s\n", c->name);
        host->session_mails = c->host.session_mails;
        host->most_sessions = c->host.most_sessions;
        host->slow_ms = c->host.slow_ms;
        host_open(host);
        w->options.default_profile = world_profile(c->limits);
        world_engine(w);
        mono_us began = clock_mono();
        struct campaign_status end = world_wait(w, campaign_of(w, c), NULL);
        int64_t took = clock_mono() - began;
        /* Three in a row that end there show it; as many run side by side as are allowed. */
        assert_true(host->turned_away <= 3 * c->limits.connections);
        world_check(w, &end);
        assert_int_equal(end.tally.delivered, c->count - c->bad_agents);
        assert_int_equal(end.tally.failed, c->bad_agents);
        close_world(w);
        assert_true(took >= c->least_ms * US_PER_MS);
    }
}

/* The same, seen from the server. */
static void test_limits_are_kept(void **state) {
    (void)state;
    struct world *w = open_world();
    struct host *host = world_host(w, 7);
    host->slow_ms = 1;
    host_open(host);
    w->options.default_profile =
        world_profile((struct world_ceilings){.connections = 3, .messages_per_connection = 11});
    world_engine(w);
    struct campaign_status end = world_wait(w, world_many(w, "r", "7.test", 400), NULL);
    world_check(w, &end);
    assert_int_equal(end.tally.delivered, 400);
    world_engine_stop(w, US_PER_SEC);
    pthread_mutex_lock(&w->lock);
    assert_in_range(host->sessions_top, 2,
                    4); /* a server may see the next one before it has done with the last */
    assert_in_range(host->mails_top, 2, 11);
    assert_true(host->opened >= 400 / 11);
    pthread_mutex_unlock(&w->lock);
    close_world(w);
}

/* ---- hosts of equal preference ---- */

/* 200 mails to two of them, five in a connection; how many connections each has seen. */
static void send_to_equals(enum drop first_drops, unsigned opened[2]) {
    struct world *w = open_world();
    struct host *first = world_host(w, 7), *second = world_host(w, 8);
    first->drop = first_drops, first->drops = 1000;
    host_open(first);
    host_open(second);
    w->options.default_profile =
        world_profile((struct world_ceilings){.connections = 2, .messages_per_connection = 5});
    world_engine(w);
    struct campaign_status end = world_wait(w, world_many(w, "r", "7.8.equal.test", 200), NULL);
    assert_int_equal(end.tally.delivered, 200);
    assert_int_equal(end.tally.deferrals, 0);
    world_check(w, &end);
    world_engine_stop(w, US_PER_SEC);
    pthread_mutex_lock(&w->lock);
    opened[0] = first->opened, opened[1] = second->opened;
    pthread_mutex_unlock(&w->lock);
    close_world(w);
}

static void test_equal_hosts(void **state) {
    (void)state;
    unsigned opened[2];
    send_to_equals(DROP_NEVER, opened);
    assert_true(opened[0] + opened[1] >= 40);
    assert_in_range(opened[0], opened[1] - 2, opened[1] + 2);
    send_to_equals(DROP_AT_GREETING, opened);
    assert_in_range(opened[0], 1, 2); /* by the two sessions that found out; then it is not tried first */
    assert_true(opened[1] >= 40);
}

/* ---- hosts that come back ---- */

static bool some_deferred(const struct campaign_status *s) {
    return s->tally.deferrals > 0;
}

static void test_down_then_back(void **state) {
    (void)state;
    struct world *w = open_world();
    struct host *host = world_host(w, 7);
    host_open(host); /* for its port */
    host_close(host);
    world_engine(w);
    uint32_t few = world_many(w, "r", "7.test", 20);
    world_wait(w, few, some_deferred);
    uint32_t many = world_many(w, "s", "x.7.test", 700); /* beside so many the few would wait, too */
    host_open(host);
    struct campaign_status a = world_wait(w, few, NULL), b = world_wait(w, many, NULL);
    assert_int_equal(a.tally.delivered, 20);
    assert_int_equal(b.tally.delivered, 700);
    a.tally.delivered += 700, a.tally.planned += 700;
    world_check(w, &a);
    close_world(w);
}

static void test_dns_comes_back(void **state) {
    (void)state;
    struct world *w = open_world();
    host_open(world_host(w, 7));
    world_dns(w, true, false);
    world_engine(w);
    uint32_t id = world_many(w, "r", "7.test", 20);
    world_wait(w, id, some_deferred);
    world_dns(w, false, false);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 20);
    world_check(w, &end);
    close_world(w);
}

/* ---- what people do meanwhile ---- */

static bool fifty_are_there(const struct campaign_status *s) {
    return s->tally.delivered >= 50;
}
static bool none_leased(const struct campaign_status *s) {
    return s->leased == 0;
}

static struct world *slow_world(unsigned *number) {
    struct world *w = open_world();
    struct host *host = world_host(w, 7);
    host->slow_ms = 40;
    host_open(host);
    world_engine(w);
    *number = world_many(w, "r", "7.test", 400);
    return w;
}

static void test_hold_and_resume(void **state) {
    (void)state;
    uint32_t id;
    struct err err = {0};
    struct world *w = slow_world(&id);
    world_wait(w, id, fifty_are_there);
    assert_int_equal(engine_campaign_hold(w->engine, id, &err), 0);
    struct campaign_status held = world_wait(w, id, none_leased);
    assert_true(held.tally.delivered < 400);
    usleep(300000);
    struct campaign_status later = world_now(w, id);
    assert_int_equal(later.tally.delivered, held.tally.delivered);
    assert_int_equal(later.state, CAMPAIGN_HELD);
    for (int i = 0; i < 3; i++) { /* nothing of it comes twice */
        assert_int_equal(engine_campaign_resume(w->engine, id, &err), 0);
        if (i < 2) assert_int_equal(engine_campaign_hold(w->engine, id, &err), 0);
    }
    struct lane_status lane;
    assert_int_equal(engine_lanes(w->engine, NULL, &lane, 1), 1);
    assert_true(lane.waiting <= 400);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 400);
    world_check(w, &end);
    close_world(w);
}

static void test_cancel(void **state) {
    (void)state;
    uint32_t id;
    struct err err = {0};
    struct world *w = slow_world(&id);
    struct campaign_status now = world_wait(w, id, fifty_are_there);
    assert_true(now.leased <= 4 * 2 * 8); /* two windows for each of four sessions */
    assert_int_equal(engine_campaign_cancel(w->engine, id, &err), 0);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.state, CAMPAIGN_CANCELLED);
    assert_true(end.tally.cancelled > 0);
    assert_int_equal(end.tally.cancelled + end.tally.delivered, 400);
    world_check(w, &end);
    assert_int_equal(engine_campaign_cancel(w->engine, id, &err), -1);
    assert_int_equal(engine_campaign_hold(w->engine, 12345, &err), -1);
    assert_int_equal(err.kind, ERR_ABSENT);
    close_world(w);
}

static void test_two_campaigns(void **state) {
    (void)state;
    struct world *w = open_world();
    host_open(world_host(w, 7));
    host_open(world_host(w, 8));
    world_engine(w);
    uint32_t a = world_many(w, "a", "7.test", 300), b = world_many(w, "b", "8.test", 300);
    struct campaign_status first = world_wait(w, a, NULL), second = world_wait(w, b, NULL);
    assert_int_equal(second.tally.delivered, 300);
    first.tally.delivered += 300, first.tally.planned += 300;
    world_check(w, &first);
    struct campaign_status both[3];
    assert_int_equal(engine_campaigns(w->engine, both, 3), 2);
    assert_int_equal(both[0].id, b);
    close_world(w);
}

/* More hosts than sessions, and a big one among them. */
static void test_fewer_sessions_than_hosts(void **state) {
    (void)state;
    struct world *w = open_world();
    struct buf rows;
    host_open(world_host(w, 7));
    for (unsigned i = 0; i < 12; i++)
        host_open(world_host(w, 20 + i));
    w->options.max_sessions = 6;
    world_engine(w);
    buf_init(&rows, 1 << 20);
    for (unsigned i = 0; i < 400; i++) {
        char line[64];
        int n = snprintf(line, sizeof line, "r%u@%u.test,x@y.test\n", i, i < 250 ? 7 : 20 + i % 12);
        buf_put(&rows, line, (size_t)n);
    }
    buf_put_u8(&rows, 0);
    struct campaign_status end = world_wait(w, world_campaign(w, rows.at, false, HOUR), NULL);
    buf_done(&rows);
    assert_int_equal(end.tally.delivered, 400);
    world_check(w, &end);
    close_world(w);
}

static unsigned all_taken(struct world *w) {
    pthread_mutex_lock(&w->lock);
    unsigned n = w->taken_count;
    pthread_mutex_unlock(&w->lock);
    return n;
}

static bool wait_stalled(struct world *w, bool stalled, struct engine_counters *counters) {
    for (unsigned i = 0; i < 1000; i++) {
        engine_counters(w->engine, counters);
        if (counters->stalled == stalled) return true;
        usleep(10000);
    }
    return false;
}

static void test_full_disk(void **state) {
    (void)state;
    uint32_t id;
    struct engine_counters counters;
    struct world *w = slow_world(&id);
    world_wait(w, id, fifty_are_there);
    world_disk(true);
    bool stalled = wait_stalled(w, true, &counters);
    usleep(1000000); /* what was leased before is sent */
    unsigned before = all_taken(w);
    usleep(300000);
    unsigned after = all_taken(w);
    world_disk(false);
    assert_true(stalled);
    assert_non_null(strstr(counters.stall_text, "No space left"));
    assert_int_equal(before, after); /* nothing goes out whose lease is not written down */
    assert_true(after < 400);
    assert_true(wait_stalled(w, false, &counters));
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 400);
    assert_int_equal(end.tally.doubted, 0);
    world_check(w, &end);
    close_world(w);
}

/* ---- the end and the next start ---- */

static void stop_and_go_on(int64_t grace_us, unsigned doubts_most) {
    uint32_t id;
    struct world *w = slow_world(&id);
    for (int round = 0; round < 3; round++) {
        world_wait(w, id, fifty_are_there);
        mono_us began = clock_mono();
        world_engine_stop(w, grace_us);
        assert_true(clock_mono() - began < 5 * US_PER_SEC);
        world_engine(w);
        struct campaign_status s = world_now(w, id);
        assert_true(s.tally.doubted <= doubts_most * (unsigned)(round + 1));
    }
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 400);
    world_check(w, &end);
    close_world(w);
}

static void test_stop_with_grace(void **state) {
    (void)state;
    stop_and_go_on(10 * US_PER_SEC, 0);
}

static void test_stop_at_once(void **state) {
    (void)state;
    stop_and_go_on(0, 4 * 3); /* what was in the pipeline of four sessions */
}

static void test_stop_while_looking_up(void **state) {
    (void)state;
    struct world *w = open_world();
    host_open(world_host(w, 7));
    world_dns(w, false, true);
    world_engine(w);
    uint32_t id = world_many(w, "r", "7.test", 5);
    usleep(50000);
    world_engine_stop(w, US_PER_SEC);
    world_dns(w, false, false);
    world_engine(w);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.delivered, 5);
    world_check(w, &end);
    close_world(w);
}

/* The next window comes while the session is on its way back to a host that does not know BDAT. */
static void test_bdat_unknown(void **state) {
    (void)state;
    struct world *w = open_world();
    struct host *host = world_host(w, 7);
    host->bdat_unknown = true;
    host->greet_ms = 300;
    host_open(host);
    w->options.default_bdat = true;
    w->options.default_profile = world_profile((struct world_ceilings){.connections = 1});
    world_engine(w);
    struct campaign_status end = world_wait(w, world_many(w, "p", "7.test", 60), NULL);
    world_check(w, &end);
    assert_int_equal(end.tally.delivered, 60);
    assert_int_equal(end.tally.deferrals, 0);
    close_world(w);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_by_one),      cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_limits_are_kept),
        cmocka_unit_test(test_equal_hosts),     cmocka_unit_test(test_bdat_unknown),
        cmocka_unit_test(test_down_then_back),  cmocka_unit_test(test_dns_comes_back),
        cmocka_unit_test(test_hold_and_resume), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_two_campaigns),   cmocka_unit_test(test_fewer_sessions_than_hosts),
        cmocka_unit_test(test_full_disk),       cmocka_unit_test(test_stop_with_grace),
        cmocka_unit_test(test_stop_at_once),    cmocka_unit_test(test_stop_while_looking_up),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
