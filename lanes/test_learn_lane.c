/* Single turns of a lane that learns: what a reply means, what is remembered, how it is told. The figures are
 * in test_learn.c. */
#include "buf.h"
#include "learn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SEC US_PER_SEC

static const struct learn_profile anything = {.rate = {.start = 10}};

static struct learn_reply ok(void) {
    struct learn_reply r = {.code = 250, .stage = CLASSIFY_AT_DATA, .words = SLICE("ok")};
    r.verdict.class = CLASSIFY_DELIVERED;
    return r;
}

static struct learn_reply no(int code, const char *words, enum classify_class class,
                             enum classify_hint hint) {
    struct learn_reply r = {.code = code, .stage = CLASSIFY_AT_RCPT, .words = slice_of(words)};
    r.verdict.class = class;
    r.verdict.hint = hint;
    return r;
}

/* Opens a session that is let in. */
static void enter(struct learn *l, struct learn_session *s, mono_us now) {
    mono_us when;
    assert_true(learn_open(l, s, 0, true, now, &when));
    learn_let_in(l, s, now);
}

static unsigned answer(struct learn *l, struct learn_session *s, const struct learn_reply *r, mono_us now) {
    mono_us when;
    unsigned n = learn_take(l, s, 1, now, &when);
    if (n) learn_answer(l, s, r, 50 * US_PER_MS, now);
    return n;
}

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

static void a_pause_is_kept_and_probed_with_one(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s, other;
    mono_us when, now = SEC;
    struct learn_reply yes = ok(), wait = no(421, "deferred, try again in 2 hours", CLASSIFY_REPUTATION_BLOCK,
                                             CLASSIFY_HINT_PAUSE);
    wait.verdict.wait_s = 7200;
    learn_init(&l, &anything, NULL, NULL, 0);
    enter(&l, &s, now);
    assert_int_equal(answer(&l, &s, &yes, now), 1);
    now += SEC;
    assert_int_equal(answer(&l, &s, &wait, now), 1);
    assert_int_equal(learn_take(&l, &s, 8, now + 7199 * SEC, &when), 0);
    assert_true(when == now + 7200 * SEC);
    assert_false(learn_open(&l, &other, 0, true, now + 7199 * SEC, &when));
    now += 7200 * SEC;
    assert_int_equal(learn_take(&l, &s, 8, now, &when), 1); /* one to see */
    assert_int_equal(learn_take(&l, &s, 8, now, &when), 0);
    learn_answer(&l, &s, &yes, SEC / 10, now);
    assert_int_equal(l.gate.kind, LEARN_NOTHING);
    assert_true(learn_take(&l, &s, 8, now + SEC, &when) > 0);
    learn_done(&l);
}

/* Whatever is shut is asked once, by what was refused then shut again, and nothing else has changed. */
static void a_person_may_knock(void **state) {
    (void)state;
    enum { PAUSE, CONNECTIONS, RATE, OPEN, DOORS };
    for (int door = 0; door < DOORS; door++) {
        struct learn l;
        struct learn_session s, next;
        struct learn_memory before, after;
        mono_us when, now = SEC;
        struct learn_reply wait =
            no(421, "try again in 2 hours", CLASSIFY_REPUTATION_BLOCK, CLASSIFY_HINT_PAUSE);
        wait.verdict.wait_s = 7200;
        learn_init(&l, &anything, NULL, NULL, 0);
        l.crowd.cap = 7, l.crowd.known = true;
        l.pace.known = 12;
        enter(&l, &s, now);
        now += 5 * SEC;
        if (door == PAUSE) assert_int_equal(answer(&l, &s, &wait, now), 1);
        if (door == CONNECTIONS) door_shut(&l.knock.door, 7200 * SEC, 7200 * SEC, now);
        if (door == RATE) l.pace.mode = PACE_SHUT, door_shut(&l.pace.door, 7200 * SEC, 7200 * SEC, now);
        now += SEC;
        bool opens = door == CONNECTIONS;
        if (door != OPEN)
            assert_false(opens ? learn_open(&l, &next, 0, true, now, &when)
                               : learn_take(&l, &s, 8, now, &when) > 0);
        learn_store(&l, &before, 0, now);
        assert_true(learn_knock(&l, now) == (door != OPEN));
        learn_store(&l, &after, 0, now);
        assert_true(before.connections == after.connections && before.rate == after.rate &&
                    before.new_connections == after.new_connections && before.quota == after.quota);
        if (door == OPEN) {
            assert_true(learn_take(&l, &s, 8, now, &when) > 0);
        } else if (opens) {
            assert_true(learn_open(&l, &next, 0, true, now, &when));
        } else {
            assert_int_equal(learn_take(&l, &s, 8, now, &when), 1);
            assert_int_equal(learn_take(&l, &s, 8, now, &when), 0);
            learn_answer(&l, &s, &wait, SEC / 10, now);
            assert_int_equal(learn_take(&l, &s, 8, now + 7000 * SEC, &when), 0);
        }
        learn_done(&l);
    }
}

/* A pause begins while much is under way: whatever becomes of that, it is neither shorter nor longer, and
 * nothing is granted before its time. */
static void what_is_under_way_does_not_move_a_pause(void **state) {
    (void)state;
    enum {
        TAKEN,
        PAUSE,
        REFUSED,
        CLOSED,
        TURNED_AWAY,
        TURNED_AWAY_NAMED,
        UNREACHABLE,
        GIVEN_BACK,
        BROKEN,
        WAYS
    };
    for (int way = 0; way < WAYS; way++)
        for (int alone = 0; alone < 2; alone++) { /* is the other session still in? */
            struct learn l;
            struct learn_session a, b, c;
            mono_us when, now = SEC;
            struct learn_reply yes = ok(),
                               later = no(451, "later", CLASSIFY_UNDETERMINED, CLASSIFY_HINT_NONE),
                               many = no(421, "too many", CLASSIFY_RATE_LIMITED,
                                         CLASSIFY_HINT_FEWER_CONNECTIONS),
                               quota = no(550, "daily quota, try again in 2 hours", CLASSIFY_RATE_LIMITED,
                                          CLASSIFY_HINT_PAUSE);
            quota.verdict.wait_s = 7200;
            learn_init(&l, &anything, NULL, NULL, 0);
            enter(&l, &a, now);
            enter(&l, &b, now);
            assert_true(learn_open(&l, &c, 0, true, now, &when));
            now += 5 * SEC;
            unsigned mine = learn_take(&l, &a, 8, now, &when);
            now += SEC;
            unsigned n = learn_take(&l, &b, 8, now, &when);
            assert_true(mine && n);
            now += SEC;
            learn_answer(&l, &a, &quota, SEC, now);
            mono_us until = now + 7200 * SEC;
            if (alone) learn_left(&l, &a, false, NULL, now);
            for (unsigned i = 0; i < n; i++) {
                now += SEC / 2;
                switch (way) {
                case TAKEN: learn_answer(&l, &b, &yes, 2 * SEC + i * SEC / 2, now); break;
                case PAUSE: learn_answer(&l, &b, &quota, 2 * SEC + i * SEC / 2, now); break;
                case REFUSED: learn_answer(&l, &b, &later, 2 * SEC + i * SEC / 2, now); break;
                case GIVEN_BACK: learn_give_back(&l, &b, 1); break;
                case BROKEN: learn_unanswered(&l, &b, 1); break;
                default: break;
                }
                learn_tick(&l, now);
            }
            if (alone || way == CLOSED || way == BROKEN) learn_left(&l, &b, way == CLOSED, NULL, now);
            if (way == TURNED_AWAY) learn_turned_away(&l, &c, &later, now);
            if (way == TURNED_AWAY_NAMED) learn_turned_away(&l, &c, &many, now);
            if (way == UNREACHABLE) learn_unreachable(&l, &c, now);
            if (way < CLOSED) learn_let_in(&l, &c, now);
            assert_int_equal(l.gate.kind, LEARN_PAUSE);
            assert_true(l.gate.door.next == until);
            if (!alone) assert_int_equal(learn_take(&l, &a, 8, until - SEC, &when), 0);
            assert_false(learn_open(&l, &c, 0, true, until - SEC, &when));
            learn_done(&l);
        }
}

/* The same where the pace was shut because nothing was taken any more. A try that was sent since then tells.
 */
static void what_is_under_way_does_not_open_a_shut_pace(void **state) {
    (void)state;
    struct learn l;
    struct learn_session a, b, c;
    mono_us when, now = SEC;
    struct learn_reply yes = ok(), later = no(451, "later", CLASSIFY_RATE_LIMITED, CLASSIFY_HINT_SLOWER);
    learn_init(&l, &(struct learn_profile){.rate = {.start = 100}, .connections = {.start = 4}}, NULL, NULL,
               0);
    enter(&l, &a, now);
    enter(&l, &b, now);
    enter(&l, &c, now);
    now += 2 * SEC;
    assert_int_equal(learn_take(&l, &b, 4, now, &when), 4);
    now += SEC;
    assert_int_equal(learn_take(&l, &a, 3, now, &when), 3);
    assert_int_equal(learn_take(&l, &c, 3, now, &when), 3);
    for (unsigned i = 0; i < 6; i++)
        learn_answer(&l, i % 2 ? &a : &c, &later, SEC / 10, now += SEC / 100);
    while (l.pace.mode != PACE_SHUT && now < 10 * SEC)
        learn_tick(&l, now += SEC / 10);
    assert_int_equal(l.pace.mode, PACE_SHUT);
    assert_true(learn_stands_still(&l, 0));
    now += SEC;
    mono_us next = l.pace.door.next;
    learn_answer(&l, &b, &yes, 5 * SEC, now);
    learn_give_back(&l, &b, 2);
    assert_int_equal(l.pace.mode, PACE_SHUT);
    assert_true(l.pace.door.next == next);
    now = next > now ? next : now;
    assert_int_equal(learn_take(&l, &b, 8, now, &when), 1);
    learn_give_back(&l, &b, 1); /* that try was not sent: there is another at once */
    assert_int_equal(learn_take(&l, &b, 8, now, &when), 1);
    learn_answer(&l, &b, &yes, SEC / 10, now + SEC / 10);
    assert_int_not_equal(l.pace.mode, PACE_SHUT);
    assert_false(learn_stands_still(&l, 0));
    learn_done(&l);
}

/* Two hours stand in our rules, not in the reply: it is a refusal of the rate, as others are. */
static void a_rest_that_is_not_named_is_no_order(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s;
    mono_us when, now = 0;
    struct learn_reply yes = ok(),
                       slower = no(421, "4.7.0 [TSS04] temporarily deferred due to unexpected volume",
                                   CLASSIFY_REPUTATION_BLOCK, CLASSIFY_HINT_PAUSE);
    slower.verdict.wait_s = 7200;
    learn_init(&l, &anything, NULL, NULL, 0);
    enter(&l, &s, now);
    unsigned taken = 0;
    bool stepped_down = false;
    for (int i = 0; now < 120 * SEC; now += SEC / 5) {
        if (s.ended) {
            learn_left(&l, &s, true, NULL, now);
            while (!learn_open(&l, &s, 0, true, now, &when))
                now += SEC / 5;
            learn_let_in(&l, &s, now);
        }
        bool refused = i >= 20 && i < 24;
        unsigned n = answer(&l, &s, refused ? &slower : &yes, now);
        i += (int)n;
        if (now > 10 * SEC && !refused) taken += n;
        learn_tick(&l, now);
        assert_int_equal(l.gate.kind, LEARN_NOTHING);
        stepped_down |= refused && n && l.pace.mode == PACE_LISTEN;
    }
    assert_true(stepped_down);
    assert_in_range(taken, 250, 1000);

    unsigned asked = 0;
    mono_us last = now, longest = 0;
    for (mono_us end = now + 40 * 3600 * SEC; now < end; now += SEC) { /* it is meant: nothing helps */
        if (s.ended) learn_left(&l, &s, true, NULL, now);
        if (!s.in && learn_open(&l, &s, 0, true, now, &when)) learn_let_in(&l, &s, now);
        if (s.in && answer(&l, &s, &slower, now) > 0) {
            if (now - last > longest) longest = now - last;
            last = now;
            asked++;
        }
        learn_tick(&l, now);
    }
    assert_in_range(asked, 10, 80);
    assert_true(longest >= 7200 * SEC && longest < 7300 * SEC);
    learn_done(&l);
}

static void an_outage_is_probed_and_what_was_known_stays(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s;
    mono_us when, now = 0;
    unsigned tries = 0;
    learn_init(&l, &anything, NULL, NULL, 0);
    l.crowd.cap = 7;
    l.crowd.known = true;
    while (now < 600 * SEC) {
        if (!learn_open(&l, &s, 0, true, now, &when)) {
            assert_true(when > now && when != NEVER);
            now = when;
            continue;
        }
        tries++;
        struct learn_session second;
        assert_true(l.gate.kind == LEARN_NOTHING || !learn_open(&l, &second, 0, true, now, &when));
        learn_unreachable(&l, &s, now);
    }
    assert_in_range(tries, 25, 60); /* at most 20 s apart in the end */
    struct learn_state why;
    learn_explain(&l, &why, now);
    assert_int_equal(why.bound, LEARN_OUTAGE);
    enter(&l, &s, now + 20 * SEC);
    assert_int_equal(l.gate.kind, LEARN_NOTHING);
    assert_int_equal(l.crowd.cap, 7);
    learn_done(&l);
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
        cmocka_unit_test(a_pause_is_kept_and_probed_with_one),
        cmocka_unit_test(a_person_may_knock),
        cmocka_unit_test(what_is_under_way_does_not_move_a_pause),
        cmocka_unit_test(what_is_under_way_does_not_open_a_shut_pace),
        cmocka_unit_test(a_rest_that_is_not_named_is_no_order),
        cmocka_unit_test(an_outage_is_probed_and_what_was_known_stays),
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
