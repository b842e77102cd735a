/* Single turns of a lane that learns: what a reply means, what is remembered, how it is told. The figures are
 * in test_learn.c. */
#include "buf.h"
#include "test_learn_turn.h"

#include <stdio.h>

/* ---- what a reply means ---- */

static void one_mailbox_and_content_are_no_limits(void **state) {
    (void)state;
    const struct learn_reply replies[] = {
        no(450, "4.2.1 receiving mail at a rate", CLASSIFY_RATE_LIMITED, CLASSIFY_HINT_ONE_MAILBOX),
        no(452, "4.2.2 over quota", CLASSIFY_MAILBOX_FULL, CLASSIFY_HINT_ONE_MAILBOX),
        no(451, "greylisted", CLASSIFY_GREYLISTED, CLASSIFY_HINT_NONE),
        no(550, "5.7.1 spam", CLASSIFY_CONTENT_REJECTED, CLASSIFY_HINT_NONE),
        no(550, "5.1.1 no such user", CLASSIFY_INVALID_RECIPIENT, CLASSIFY_HINT_NONE),
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct learn l;
        struct learn_session s;
        mono_us now = 0;
        learn_init(&l, &anything, NULL, NULL, 0);
        enter(&l, &s, now);
        for (; now < 60 * SEC; now += SEC / 5) {
            answer(&l, &s, &replies[i], now);
            learn_tick(&l, now);
        }
        assert_true(l.pace.known == 0 && l.pace.cap >= 10);
        assert_int_equal(l.gate.kind, LEARN_NOTHING);
        learn_done(&l);
    }
}

/* ---- sessions that go on by themselves ---- */

static void an_ill_host_is_no_limit(void **state) {
    (void)state;
    const struct learn_reply refusals[] = {no(421, "not now", CLASSIFY_UNDETERMINED, CLASSIFY_HINT_NONE),
                                           no(421, "busy", CLASSIFY_REMOTE_FAILURE, CLASSIFY_HINT_NONE)};
    for (size_t i = 0; i < 3; i++) {
        struct learn l;
        struct learn_session s[4];
        struct learn_reply yes = ok();
        mono_us when, now = 0;
        learn_init(&l, &anything, NULL, NULL, 0);
        for (int turn = 0; turn < 200; turn++, now += SEC / 10) {
            struct learn_session *one = &s[turn % 4];
            if (turn >= 4) learn_left(&l, one, false, NULL, now);
            while (!learn_open(&l, one, 0, true, now, &when))
                now += SEC / 10;
            learn_moved(&l, one, 1, i < 2 ? &refusals[i] : NULL, now);
            assert_int_equal(l.gate.kind, LEARN_NOTHING);
            learn_let_in(&l, one, now);
            answer(&l, one, &yes, now);
        }
        assert_true(l.knock.limit == 0 && !l.crowd.known && !l.by_host && l.in_flight == 0);
        for (int k = 0; k < 4; k++)
            learn_left(&l, &s[k], false, NULL, now);
        assert_int_equal(learn_sessions(&l), 0);
        learn_done(&l);
    }
}

/* One host is full, the next takes it: each counts for itself. If that refuses, too, it is their number. */
static void a_full_host_is_left_for_another(void **state) {
    (void)state;
    for (int second = 0; second < 2; second++) {
        struct learn l;
        struct learn_session s[8];
        struct learn_reply full = no(421, "not now", CLASSIFY_UNDETERMINED, CLASSIFY_HINT_NONE);
        mono_us when, now = 0;
        unsigned in = 0;
        learn_init(&l, &anything, NULL, NULL, 0);
        for (; in < 3; now += SEC)
            if (learn_open(&l, &s[in], 0, true, now, &when)) learn_let_in(&l, &s[in++], now);
        while (!learn_open(&l, &s[3], 0, true, now, &when))
            now += SEC;
        learn_moved(&l, &s[3], 1, &full, now);
        if (second) {
            assert_int_equal(learn_turned_away(&l, &s[3], &full, now), LEARN_CONNECTIONS);
            assert_true(!l.by_host && l.crowd.known && l.crowd.cap == 3);
        } else {
            learn_let_in(&l, &s[3], now);
            assert_true(l.by_host && l.by_host[0].known && l.by_host[0].cap == 3 && l.by_host[1].in == 1);
            learn_left(&l, &s[3], false, NULL, now);
        }
        while (in > 0)
            learn_left(&l, &s[--in], false, NULL, now);
        assert_int_equal(learn_sessions(&l), 0);
        learn_done(&l);
    }
}

static void what_is_dropped_is_counted_out(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s;
    mono_us when, now = 0;
    learn_init(&l, &anything, NULL, NULL, 0);
    for (int i = 0; i < 100; i++, now += SEC) {
        assert_true(learn_open(&l, &s, (unsigned)i, true, now, &when));
        learn_dropped(&l, &s, now);
        assert_int_equal(learn_sessions(&l), 0);
    }
    assert_true(l.gate.kind == LEARN_NOTHING && l.knock.limit == 0 && !l.crowd.known);
    learn_done(&l);
}

/* ---- messages without an answer ---- */

static void messages_add_up(void **state) {
    (void)state;
    struct learn_profile fast = {.rate = {.start = 100, .ceiling = 100}};
    struct learn l;
    struct learn_session s;
    struct learn_reply yes = ok();
    mono_us when, now = SEC;
    learn_init(&l, &fast, NULL, NULL, 0);
    enter(&l, &s, now);
    unsigned n = learn_take(&l, &s, 3, now + SEC, &when);
    assert_true(n > 1);
    learn_give_back(&l, &s, 1);
    learn_unanswered(&l, &s, n - 1);
    assert_int_equal(l.in_flight, 0);
    assert_int_equal(s.answered, 0);

    now += 10 * SEC; /* what was more than was asked for is waited for: 490 at 100 a second */
    assert_int_equal(learn_take(&l, &s, 1, now, &when), 1);
    learn_charge(&l, &s, 490, now);
    assert_int_equal(learn_take(&l, &s, 8, now, &when), 0);
    assert_true(when > now + 4 * SEC && when < now + 6 * SEC);
    for (int i = 0; i < 491; i++)
        learn_answer(&l, &s, &yes, SEC / 10, now);
    assert_int_equal(l.in_flight, 0);
    assert_int_equal(learn_take(&l, &s, 8, when, &when), 1);
    learn_done(&l);
}

/* Who asks for much and gives most of it back is bounded by his work, not by the pace: that must not grow. */
static void what_is_given_back_does_not_raise_the_pace(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s;
    struct learn_reply yes = ok();
    mono_us when;
    learn_init(&l, &anything, NULL, NULL, 0);
    enter(&l, &s, 0);
    for (mono_us now = SEC; now < 60 * SEC; now += SEC / 2) {
        unsigned n = learn_take(&l, &s, 8, now, &when);
        if (n > 1) learn_give_back(&l, &s, n - 1);
        if (n) learn_answer(&l, &s, &yes, SEC / 20, now);
        learn_tick(&l, now);
    }
    assert_true(l.pace.cap <= 10);
    learn_done(&l);
}

static void nothing_is_opened_for_nothing(void **state) {
    (void)state;
    struct learn_profile slow = {.rate = {.start = 1.0 / 60, .ceiling = 1.0 / 60}, .quota = {.ceiling = 2}};
    struct learn l;
    struct learn_session s;
    struct learn_reply yes = ok();
    mono_us when, now = 0;
    learn_init(&l, &slow, NULL, NULL, 0);
    for (int i = 0; i < 2; i++) {
        while (!learn_open(&l, &s, 0, true, now, &when)) {
            assert_true(when > now && when != NEVER);
            now = when;
        }
        learn_let_in(&l, &s, now);
        while (answer(&l, &s, &yes, now) == 0)
            now += SEC;
        learn_left(&l, &s, false, NULL, now);
        assert_false(learn_open(&l, &s, 0, true, now, &when));
        assert_true(when >= now + 40 * SEC);
    }
    now += 3600 * SEC; /* two are all it may send a day */
    assert_false(learn_open(&l, &s, 0, true, now, &when));
    learn_done(&l);
}

/* All connections hang, and as many are open as it may have: one more each 20 s, to see whether it is back.
 */
static void silence_is_looked_into(void **state) {
    (void)state;
    struct learn_profile two = {.connections = {.start = 2, .ceiling = 5}};
    struct learn l;
    struct learn_session s[8];
    mono_us when, now = SEC;
    unsigned in = 0, more = 0;
    learn_init(&l, &two, NULL, NULL, 0);
    l.crowd.known = true;
    l.crowd.probe_at = NEVER;
    while (in < 2)
        if (learn_open(&l, &s[in], 0, true, now += SEC, &when)) learn_let_in(&l, &s[in++], now);
    now += 70 * SEC;
    assert_false(learn_open(&l, &s[2], 0, true, now, &when)); /* they are idle, and do not hang */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(learn_take(&l, &s[i], 1, now += SEC, &when), 1);
    assert_false(learn_open(&l, &s[2], 0, true, now, &when)); /* nor is it long that they are asked */
    for (mono_us end = now + 70 * SEC; now < end; now = when < end ? when : end) {
        if (!learn_open(&l, &s[in + more], 0, true, now, &when)) {
            mono_us turn = learn_tick(&l, now);
            when = when < turn ? when : turn;
            continue;
        }
        assert_true(s[in + more++].afresh);
        when = now + SEC;
    }
    assert_int_equal(more, 3);
    learn_let_in(&l, &s[2], now);
    assert_false(learn_open(&l, &s[7], 0, true, now + SEC, &when));
    learn_dropped(&l, &s[3], now);
    learn_dropped(&l, &s[4], now);
    learn_left(&l, &s[2], false, NULL, now);
    assert_int_equal(learn_sessions(&l), 2);
    learn_done(&l);
}

/* Who hangs up on everybody is away; that takes neither messages nor connections is no matter of the pace. */
static void who_refuses_everything_is_away(void **state) {
    (void)state;
    struct learn_reply hangs_up = {.verdict = {.class = CLASSIFY_NETWORK_FAILURE}, .words = SLICE("reset")};
    struct learn_reply not_now = no(421, "not now", CLASSIFY_UNDETERMINED, CLASSIFY_HINT_NONE);
    struct learn_reply yes = ok();
    struct learn l;
    struct learn_session s;
    mono_us when, now = SEC;
    learn_init(&l, &anything, NULL, NULL, 0);
    assert_true(learn_open(&l, &s, 0, true, now, &when));
    assert_int_equal(learn_turned_away(&l, &s, &hangs_up, now), LEARN_OUTAGE);
    assert_int_equal(l.gate.kind, LEARN_OUTAGE);
    learn_done(&l);

    learn_init(&l, &anything, NULL, NULL, 0);
    enter(&l, &s, now);
    for (; now < 20 * SEC; now += SEC / 10)
        answer(&l, &s, &yes, now);
    double cap = l.pace.cap;
    for (mono_us end = now + 20 * SEC; now < end && l.pace.mode != PACE_SHUT; now += SEC / 10) {
        mono_us later;
        if (s.ended) learn_left(&l, &s, true, NULL, now);
        if (!s.in && learn_open(&l, &s, 0, true, now, &later)) learn_let_in(&l, &s, now);
        if (s.in) answer(&l, &s, &not_now, now);
        learn_tick(&l, now);
    }
    assert_int_equal(l.pace.mode, PACE_SHUT);
    learn_left(&l, &s, true, NULL, now);
    while (!learn_open(&l, &s, 0, true, now, &when))
        now = when < now + SEC ? when : now + SEC;
    assert_int_equal(learn_turned_away(&l, &s, &not_now, now), LEARN_REFUSED);
    assert_true(l.pace.cap == cap && l.pace.mode == PACE_GROW);
    learn_done(&l);
}

/* ---- bounds ---- */

static void a_profile_bounds_what_is_learned(void **state) {
    (void)state;
    struct learn_profile p = {.connections = {.floor = 1, .start = 9, .ceiling = 2},
                              .rate = {.start = 50, .ceiling = 20},
                              .per_connection = {.ceiling = 3}};
    struct learn l;
    struct learn_session s[4];
    mono_us when, now = 0;
    unsigned sent = 0, in = 0;
    learn_init(&l, &p, NULL, NULL, 0);
    for (int i = 0; i < 4; i++)
        if (learn_open(&l, &s[in], 0, true, now, &when)) learn_let_in(&l, &s[in++], now);
    assert_int_equal(in, 2);
    for (unsigned n; (n = learn_take(&l, &s[0], 8, now, &when)) > 0 || when != NEVER; now += SEC / 10)
        sent += n;
    assert_int_equal(sent, 3); /* and the session has no more */
    assert_true(l.pace.cap <= 20);
    learn_done(&l);
}

/* ---- memory ---- */

static void what_is_known_outlives_a_restart(void **state) {
    (void)state;
    static const struct {
        int64_t days;
        double least, most; /* of the rate that it begins with */
    } rows[] = {{0, 0.95, 1}, {7, 0.4, 0.6}, {28, 0.03, 0.2}};
    const struct learn_memory kept = {
        .saved = 1, .connections = 5, .rate = 40, .per_connection = 50, .new_connections = 30, .quota = 1000};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct learn l;
        struct learn_memory again;
        mono_us now = 12345;
        wall_us wall = kept.saved + rows[i].days * 86400 * SEC;
        learn_init(&l, &anything, NULL, NULL, now);
        learn_load(&l, &kept, wall, now);
        assert_true(l.pace.cap >= rows[i].least * 40 && l.pace.cap <= rows[i].most * 40);
        assert_int_equal(l.crowd.cap, 5);
        learn_store(&l, &again, wall, now);
        assert_true(again.rate == 40 && again.connections == 5 && again.per_connection == 50 &&
                    again.new_connections == 30 && again.quota == 1000);
        learn_done(&l);
    }
}

static void nonsense_is_not_remembered(void **state) {
    (void)state;
    const struct learn_memory bad = {.connections = 4000000000u,
                                     .rate = -1,
                                     .burst = 1e300,
                                     .new_connections = 0.0 / 1e-300 - 5,
                                     .quota = -3,
                                     .chance_said = 7};
    struct learn l;
    learn_init(&l, &anything, NULL, NULL, 0);
    learn_load(&l, &bad, 0, 0);
    assert_true(l.pace.known == 0 && !l.crowd.known && l.knock.limit == 0 && l.quota.limit == 0);
    assert_true(l.pace.doubts[true].base < 0.01);
    learn_done(&l);
}

/* ---- how it is told ---- */

static char told[8][160];
static int told_count;
static void note(void *ctx, const struct learn_change *c) {
    (void)ctx;
    if (told_count < 8)
        snprintf(told[told_count++], sizeof told[0], "%s %g %g %d %.*s", learn_dimension_name(c->dimension),
                 c->from, c->to, c->code, SLICE_ARG(c->words));
}

static void a_refused_connection_is_told(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s[8];
    mono_us when, now = 100 * SEC;
    unsigned in = 0;
    struct learn_reply many =
        no(421, "too many\r\n connections", CLASSIFY_RATE_LIMITED, CLASSIFY_HINT_FEWER_CONNECTIONS);
    told_count = 0;
    learn_init(&l, &anything, note, NULL, now);
    for (; in < 5; now += SEC)
        if (learn_open(&l, &s[in], 0, true, now, &when)) learn_let_in(&l, &s[in++], now);
    while (!learn_open(&l, &s[5], 0, true, now, &when))
        now += SEC;
    learn_turned_away(&l, &s[5], &many, now);
    assert_int_equal(told_count, 1);
    assert_string_equal(told[0], "connections 0 5 421 too many\r\n connections");
    learn_open(&l, &s[5], 0, true, now + SEC, &when);

    struct learn_state why;
    struct buf out;
    buf_init(&out, 1000);
    learn_explain(&l, &why, now + SEC);
    learn_sentence(&why, SLICE("google"), SLICE("192.0.2.1"), (14 * 3600 + 120) * SEC, now + SEC, &out);
    static const char expected[] =
        "google takes 5 connections at a time from 192.0.2.1: more was refused at 14:01 with "
        "\"421 too many connections\". Next try with 6 at 14:02.";
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.at, expected, sizeof expected - 1);
    buf_done(&out);
    learn_done(&l);
}

/* Its neighbours are served meanwhile: it was one too many. */
static void silence_at_the_door_is_told(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s[8];
    mono_us when, now = 100 * SEC;
    unsigned in = 0;
    learn_init(&l, &anything, NULL, NULL, now);
    for (; in < 5; now += SEC)
        if (learn_open(&l, &s[in], 0, true, now, &when)) learn_let_in(&l, &s[in++], now);
    while (!learn_open(&l, &s[5], 0, true, now, &when))
        now += SEC;
    learn_unreachable(&l, &s[5], now + 30 * SEC);
    assert_int_equal(l.gate.kind, LEARN_NOTHING);
    assert_true(l.crowd.known);
    assert_int_equal(l.crowd.cap, 5);
    learn_open(&l, &s[5], 0, true, now + 31 * SEC, &when);

    struct learn_state why;
    struct buf out;
    buf_init(&out, 1000);
    learn_explain(&l, &why, now + 31 * SEC);
    learn_sentence(&why, SLICE("google"), SLICE("192.0.2.1"), (14 * 3600 + 120) * SEC, now + 31 * SEC, &out);
    static const char expected[] =
        "google takes 5 connections at a time from 192.0.2.1: its server ended the "
        "connection or did not answer at 14:01.";
    assert_in_range(out.len, sizeof expected - 1, 1000);
    assert_memory_equal(out.at, expected, sizeof expected - 1);
    buf_done(&out);
    learn_done(&l);
}

/* ---- what connections bring ---- */

/* Messages a second of so many connections. */
static double eight_at_work(uint32_t n) {
    return n < 8 ? 20 * n : 160;
}
static double slow_network(uint32_t n) {
    return 2 * n;
}
static double falls_above_eight(uint32_t n) {
    return n <= 8 ? 20 * n : 160 - 12 * (n - 8);
}

struct yielded {
    uint32_t last, least;
    double share; /* of what as many as at first would have brought */
};

/* Twenty minutes, beginning with 12, of a lane whose answers took 40 ms once. */
static struct yielded weigh(double (*rate)(uint32_t)) {
    struct yield y;
    struct yield_now n = {
        .cap = 12, .floor = 1, .ceiling = 100, .in = 12, .service = 40e3, .disturbed = -NEVER / 2};
    struct yielded got = {.least = 12};
    double at = 0, answers = 0;
    bool bound_before = false;
    yield_init(&y, 0);
    while (at < 1200e6) {
        at += 1e6 / rate(n.cap);
        answers++;
        yield_pass(&y, n.cap, n.cap, (mono_us)at);
        yield_answer(&y);
        n.slow = n.cap / rate(n.cap) * 1e6 > 70e3;
        switch (yield_step(&y, &n, (mono_us)at)) {
        case YIELD_TRY:
            bound_before = n.bound;
            n.cap = y.want;
            n.bound = true;
            break;
        case YIELD_BACK:
        case YIELD_STOP:
            n.cap = y.from;
            n.bound = bound_before;
            break;
        default: break;
        }
        n.in = n.cap;
        if (n.cap < got.least) got.least = n.cap;
    }
    got.last = n.cap;
    got.share = answers / (1200 * rate(12));
    return got;
}

static void connections_are_kept_for_what_they_bring(void **state) {
    (void)state;
    struct yielded flat = weigh(eight_at_work), falling = weigh(falls_above_eight),
                   slow = weigh(slow_network);
    assert_in_range(flat.last, 7, 9);
    assert_true(flat.share > 0.97);
    assert_in_range(falling.last, 7, 9);
    assert_true(falling.share > 1.3);
    assert_true(slow.least >= 9); /* latency as such is no reason */
    assert_true(slow.share > 0.97);
}

/* Of four that are in, two are let go when half of them bring as much. */
static void what_brings_nothing_is_let_go(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s[4];
    mono_us when;
    learn_init(&l, &(struct learn_profile){.connections = {.start = 4}, .rate = {.start = 100}}, NULL, NULL,
               0);
    for (int i = 0; i < 4; i++)
        enter(&l, &s[i], 0);
    crowd_try(&l.crowd, 2);
    assert_int_equal(learn_take(&l, &s[0], 1, SEC, &when), 0);
    assert_true(when == NEVER);
    assert_int_equal(learn_take(&l, &s[1], 1, SEC, &when), 0);
    assert_int_equal(learn_take(&l, &s[2], 1, SEC, &when), 1);
    learn_left(&l, &s[0], false, NULL, SEC);
    assert_int_equal(learn_take(&l, &s[3], 1, SEC, &when), 1);
    learn_left(&l, &s[1], false, NULL, SEC);
    assert_int_equal(l.crowd.in, 2);
    assert_int_equal(l.leaving, 0);
    crowd_back(&l.crowd, SEC);
    assert_int_equal(l.crowd.cap, 4);
    assert_false(l.crowd.known);
    struct learn_reply yes = ok();
    learn_answer(&l, &s[2], &yes, SEC, 2 * SEC);
    learn_answer(&l, &s[3], &yes, SEC, 2 * SEC);
    assert_int_equal(l.busy, 0);
    learn_done(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_mailbox_and_content_are_no_limits),
        cmocka_unit_test(an_ill_host_is_no_limit),
        cmocka_unit_test(a_full_host_is_left_for_another),
        cmocka_unit_test(what_is_dropped_is_counted_out),
        cmocka_unit_test(messages_add_up),
        cmocka_unit_test(what_is_given_back_does_not_raise_the_pace),
        cmocka_unit_test(nothing_is_opened_for_nothing),
        cmocka_unit_test(silence_is_looked_into),
        cmocka_unit_test(who_refuses_everything_is_away),
        cmocka_unit_test(a_profile_bounds_what_is_learned),
        cmocka_unit_test(what_is_known_outlives_a_restart),
        cmocka_unit_test(nonsense_is_not_remembered),
        cmocka_unit_test(a_refused_connection_is_told),
        cmocka_unit_test(connections_are_kept_for_what_they_bring),
        cmocka_unit_test(what_brings_nothing_is_let_go),
        cmocka_unit_test(silence_at_the_door_is_told),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
