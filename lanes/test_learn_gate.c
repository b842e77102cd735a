/* What stands still gets going again: pauses, outages that are no limit, quotas, and what is kept of them. */
#include "buf.h"
#include "lane_memory.h"
#include "test_learn_turn.h"

#define HOUR (3600 * SEC)

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

/* A tenth of a second: a session where there is none, and up to `most` messages answered so. How many. */
static unsigned go_on(struct learn *l, struct learn_session *s, const struct learn_reply *reply,
                      unsigned most, mono_us now) {
    mono_us when;
    if (s->ended) learn_left(l, s, false, NULL, now);
    if (!s->in && learn_open(l, s, 0, true, now, &when)) learn_let_in(l, s, now);
    unsigned n = s->in ? learn_take(l, s, most, now, &when) : 0;
    for (unsigned i = 0; i < n; i++)
        learn_answer(l, s, reply, SEC / 20, now + SEC / 20);
    learn_tick(l, now + SEC / 20);
    return n;
}

/* Everything is refused for minutes, right from the start: that says nothing of a pace. */
static void an_outage_at_the_start_is_no_limit(void **state) {
    (void)state;
    static const double knowns[] = {0, 50}; /* nothing, and a pace from before the restart */
    static const int lengths[] = {60, 600, 1800};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < 3; i++) {
            struct learn l;
            struct learn_session s = {0};
            struct learn_reply yes = ok(),
                               later = no(451, "4.3.0 try later", CLASSIFY_UNDETERMINED, CLASSIFY_HINT_NONE);
            struct learn_memory m = {.rate = knowns[k]};
            mono_us now = SEC, end = now + lengths[i] * SEC;
            learn_init(&l, &anything, NULL, NULL, 0);
            learn_load(&l, &m, 0, now);
            unsigned refused = 0, taken = 0;
            for (; now < end; now += SEC / 10)
                refused += go_on(&l, &s, &later, 4, now);
            assert_in_range(refused, 4, 60);
            for (end = now + lengths[i] * SEC / 2 + 120 * SEC; now < end; now += SEC / 10)
                go_on(&l, &s, &yes, 4, now);
            for (end = now + 60 * SEC; now < end; now += SEC / 10)
                taken += go_on(&l, &s, &yes, 4, now);
            assert_true(taken >= 60 * 20);
            learn_done(&l);
        }
}

/* The one that was to try whether a pause is over does not come to it: the pause does not begin anew. */
static void a_try_that_was_none_is_made_again(void **state) {
    (void)state;
    enum { UNREACHABLE, DROPPED, LEFT, FULL_MAILBOX, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct learn l;
        struct learn_session s;
        mono_us when, now = SEC;
        struct learn_reply yes = ok(), full = no(452, "4.2.2 over quota", CLASSIFY_MAILBOX_FULL,
                                                 CLASSIFY_HINT_ONE_MAILBOX);
        struct learn_reply wait =
            no(421, "come back in 4 hours", CLASSIFY_REPUTATION_BLOCK, CLASSIFY_HINT_PAUSE);
        wait.verdict.wait_s = 4 * 3600;
        learn_init(&l, &anything, NULL, NULL, 0);
        enter(&l, &s, now);
        assert_int_equal(learn_take(&l, &s, 1, now, &when), 1);
        learn_answer(&l, &s, &wait, SEC / 10, now);
        learn_left(&l, &s, false, NULL, now);
        now += 4 * HOUR;
        assert_true(learn_open(&l, &s, 0, true, now, &when));
        switch (way) {
        case UNREACHABLE: learn_unreachable(&l, &s, now); break;
        case DROPPED: learn_dropped(&l, &s, now); break;
        case LEFT:
            learn_let_in(&l, &s, now);
            learn_left(&l, &s, false, NULL, now);
            break;
        default:
            learn_let_in(&l, &s, now);
            assert_int_equal(learn_take(&l, &s, 8, now, &when), 1);
            learn_answer(&l, &s, &full, SEC / 10, now);
            learn_left(&l, &s, false, NULL, now);
        }
        mono_us until = now + 1800 * SEC;
        while (now < until && !learn_open(&l, &s, 0, true, now, &when))
            now += SEC;
        assert_true(now < until);
        learn_let_in(&l, &s, now);
        assert_int_equal(learn_take(&l, &s, 8, now, &when), 1);
        learn_answer(&l, &s, &yes, SEC / 10, now);
        assert_int_equal(l.gate.kind, LEARN_NOTHING);
        learn_done(&l);
    }
}

/* At the reset of a quota the first try is lost: the next is made in a quarter of an hour, not a day later.
 */
static void a_quota_is_tried_again_soon(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s;
    mono_us when, now = SEC;
    struct learn_reply over = no(451, "too much", CLASSIFY_UNDETERMINED, CLASSIFY_HINT_NONE);
    struct learn_memory m = {.rate = 10, .quota = 100, .quota_used = 100, .quota_resets = 20 * HOUR};
    learn_init(&l, &anything, NULL, NULL, 0);
    learn_load(&l, &m, 0, now);
    enter(&l, &s, now);
    unsigned n = learn_take(&l, &s, 8, now, &when);
    assert_int_equal(n, 1);
    learn_answer(&l, &s, &over, SEC / 10, now);
    assert_int_equal(l.gate.kind, LEARN_QUOTA);
    assert_int_equal(learn_take(&l, &s, 8, now + 19 * HOUR, &when), 0);
    now += 20 * HOUR;
    assert_int_equal(learn_take(&l, &s, 8, now, &when), 1);
    learn_answer(&l, &s, &over, SEC / 10, now); /* by chance, say */
    assert_int_equal(learn_take(&l, &s, 8, now + 901 * SEC, &when), 1);
    learn_done(&l);
}

/* What lets through far more than its quota has none. */
static void a_quota_is_refuted(void **state) {
    (void)state;
    struct learn l;
    struct learn_session s = {0};
    struct learn_reply yes = ok();
    struct learn_memory m = {.rate = 10, .quota = 1000, .quota_used = 1000, .quota_resets = 20 * HOUR};
    mono_us now = SEC;
    learn_init(&l, &anything, NULL, NULL, 0);
    learn_load(&l, &m, 0, now);
    unsigned taken = 0;
    for (mono_us end = now + 60 * SEC; now < end && l.quota.limit > 0; now += SEC / 10)
        taken += go_on(&l, &s, &yes, 8, now);
    assert_int_equal((int)l.quota.limit, 0);
    assert_in_range(taken, 50, 90);
    learn_done(&l);
}

/* Most is refused by chance: what else is known is kept all the same. */
static void much_chance_is_kept(void **state) {
    (void)state;
    struct learn l;
    struct learn_memory m = {.rate = 10, .quota = 1000, .quota_used = 7, .quota_resets = 20 * HOUR}, kept,
                        back;
    struct buf bytes;
    learn_init(&l, &anything, NULL, NULL, 0);
    learn_load(&l, &m, 0, SEC);
    l.pace.doubts[false].base = 0.58;
    learn_store(&l, &kept, 0, SEC);
    assert_true(kept.chance_unsaid == LEARN_CHANCE_MOST);
    buf_init(&bytes, LANE_MEMORY_BYTES);
    assert_true(lane_memory_encode(&kept, &bytes));
    assert_true(lane_memory_decode(buf_slice(&bytes), &back));
    assert_int_equal((int)back.quota, 1000);
    buf_done(&bytes);
    learn_done(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_is_kept_and_probed_with_one),
        cmocka_unit_test(a_person_may_knock),
        cmocka_unit_test(what_is_under_way_does_not_move_a_pause),
        cmocka_unit_test(what_is_under_way_does_not_open_a_shut_pace),
        cmocka_unit_test(a_rest_that_is_not_named_is_no_order),
        cmocka_unit_test(an_outage_is_probed_and_what_was_known_stays),

        cmocka_unit_test(an_outage_at_the_start_is_no_limit),
        cmocka_unit_test(a_try_that_was_none_is_made_again),
        cmocka_unit_test(a_quota_is_tried_again_soon),
        cmocka_unit_test(a_quota_is_refuted),
        cmocka_unit_test(much_chance_is_kept),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
