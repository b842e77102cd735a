/* What the tests of a lane's single turns share: replies, and a session that is let in. */
#ifndef TSUBAME_TEST_LEARN_TURN_H
#define TSUBAME_TEST_LEARN_TURN_H

#include "learn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SEC US_PER_SEC

static const struct learn_profile anything = {.rate = {.start = 10}};

static inline struct learn_reply ok(void) {
    struct learn_reply r = {.code = 250, .stage = CLASSIFY_AT_DATA, .words = SLICE("ok")};
    r.verdict.class = CLASSIFY_DELIVERED;
    return r;
}

static inline struct learn_reply no(int code, const char *words, enum classify_class class,
                                    enum classify_hint hint) {
    struct learn_reply r = {.code = code, .stage = CLASSIFY_AT_RCPT, .words = slice_of(words)};
    r.verdict.class = class;
    r.verdict.hint = hint;
    return r;
}

/* Opens a session that is let in. */
static inline void enter(struct learn *l, struct learn_session *s, mono_us now) {
    mono_us when;
    assert_true(learn_open(l, s, 0, true, now, &when));
    learn_let_in(l, s, now);
}

static inline unsigned answer(struct learn *l, struct learn_session *s, const struct learn_reply *r,
                              mono_us now) {
    mono_us when;
    unsigned n = learn_take(l, s, 1, now, &when);
    if (n) learn_answer(l, s, r, 50 * US_PER_MS, now);
    return n;
}

#endif
