/* What stands still gets going again: tries that come to nothing, outages that are no limit, what is kept of
 * it.
 */
#include "buf.h"
#include "lane_memory.h"
#include "learn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SEC  US_PER_SEC
#define HOUR (3600 * SEC)

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

static void enter(struct learn *l, struct learn_session *s, mono_us now) {
    mono_us when;
    assert_true(learn_open(l, s, 0, true, now, &when));
    learn_let_in(l, s, now);
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
        cmocka_unit_test(an_outage_at_the_start_is_no_limit),
        cmocka_unit_test(a_try_that_was_none_is_made_again),
        cmocka_unit_test(a_quota_is_tried_again_soon),
        cmocka_unit_test(a_quota_is_refuted),
        cmocka_unit_test(much_chance_is_kept),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
