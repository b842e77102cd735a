/* What connections bring. yield.h tells the rule. */
#include "yield.h"

#define WAIT_FIRST  (5 * US_PER_SEC)
#define WAIT_MOST   (240 * US_PER_SEC)
#define COUNT_LEAST (2 * US_PER_SEC)
#define COUNT_MOST  (30 * US_PER_SEC)
#define SETTLE_MOST (30 * US_PER_SEC)

enum { ANSWERS = 300, ANSWERS_LEAST = 30 };

/* Of its share must a further connection bring; one that brings less is not kept. */
static const double worth = 0.2, worth_keeping = 0.05;
static const double busy_least = 0.7; /* else there was no work for them */

void yield_init(struct yield *y, mono_us now) {
    *y = (struct yield){.since = now, .at = now, .wait = WAIT_FIRST, .fewer = true};
}

bool yield_slow(double service, double known) {
    return known > 0 && service > 1.5 * known + 10e3;
}

void yield_pass(struct yield *y, uint32_t in, uint32_t busy, mono_us now) {
    if (now <= y->at) return;
    double us = (double)(now - y->at);
    y->in_time += us * in;
    y->busy_time += us * busy;
    y->at = now;
}

void yield_answer(struct yield *y) {
    y->answers++;
}

static void count_anew(struct yield *y, mono_us now) {
    y->since = y->at = now;
    y->in_time = y->busy_time = 0;
    y->answers = 0;
}

void yield_leave(struct yield *y, mono_us now) {
    y->trying = false;
    y->streak = 0;
    y->next = now + y->wait;
    count_anew(y, now);
}

static void wait_longer(struct yield *y) {
    y->wait = y->wait * 3 / 2 < WAIT_MOST ? y->wait * 3 / 2 : WAIT_MOST;
}

/* A few times as long as a message takes, and as many messages as tell a few per cent. */
static bool counted(const struct yield *y, double service, mono_us now) {
    mono_us time = now - y->since, least = (mono_us)(service * 4);
    if (least > COUNT_MOST) least = COUNT_MOST;
    if (time < least || time < COUNT_LEAST) return false;
    return y->answers >= ANSWERS ||
           (time >= COUNT_MOST && (y->answers >= ANSWERS_LEAST || time >= 4 * COUNT_MOST));
}

static enum yield_step give_up(struct yield *y, mono_us now) {
    wait_longer(y);
    yield_leave(y, now);
    return YIELD_STOP;
}

static enum yield_step begin(struct yield *y, uint32_t from, uint32_t want, mono_us now) {
    y->trying = true;
    y->settled = false;
    y->from = from;
    y->want = want;
    y->began = now;
    return YIELD_TRY;
}

/* All is as usual: is there a reason to try fewer, or more? */
static enum yield_step consider(struct yield *y, const struct yield_now *n, double rate, double in,
                                mono_us now) {
    uint32_t from = (uint32_t)(in + 0.99), step, want;
    bool slow = n->slow && yield_slow(y->service, n->service);
    y->before = rate;
    y->before_in = in;
    y->service_before = y->service;
    count_anew(y, now);
    if (from > n->cap) from = n->cap;
    bool faster = n->bound && y->service < 0.7 * y->service_told;
    if ((now < y->next && !faster) || (!slow && !n->bound)) return YIELD_NOTHING;
    step = slow ? from / 5 : from / 8;
    if (step == 0) step = 1;
    if (slow)
        y->fewer = true;
    else if (faster)
        y->fewer = false;
    if (!slow) step <<= y->streak < 2 ? y->streak : 2;
    want = !y->fewer ? from + step : from > step ? from - step : 1;
    if (want < n->floor) want = n->floor;
    if (want > n->ceiling) want = n->ceiling;
    if (want == from) {
        y->fewer = !y->fewer;
        return YIELD_NOTHING;
    }
    return begin(y, from, want, now);
}

static enum yield_step compare(struct yield *y, double rate, double in, mono_us now) {
    double more = (in - y->before_in) / y->before_in, gain = (rate - y->before) / y->before;
    bool kept = gain > more * (y->fewer ? worth_keeping : worth), told = y->fewer ? more < 0 : more > 0;
    if (!told) return give_up(y, now);
    y->trying = false;
    y->service_told = y->service;
    count_anew(y, now);
    if (kept) {
        y->streak++;
        y->wait = WAIT_FIRST;
        y->next = now;
        return YIELD_KEEP;
    }
    y->fewer = !y->fewer;
    y->next = now + (y->streak > 0 ? 0 : y->wait);
    y->streak = 0;
    wait_longer(y);
    return YIELD_BACK;
}

enum yield_step yield_step(struct yield *y, const struct yield_now *n, mono_us now) {
    bool disturbed = n->disturbed >= y->since || (!y->trying && n->cap != y->cap);
    double service = y->service > n->service ? y->service : n->service;
    y->cap = n->cap;
    if (y->trying && n->cap != y->want) {
        yield_leave(y, now);
        return YIELD_NOTHING;
    }
    if (disturbed) {
        if (y->trying) return give_up(y, now);
        count_anew(y, now);
        return YIELD_NOTHING;
    }
    if (y->trying && !y->settled) {
        bool there = y->fewer ? n->in <= y->want : n->in >= y->want;
        if (there && now - y->began > (mono_us)(2 * service)) {
            y->settled = true;
            count_anew(y, now);
        } else if (now - y->began > SETTLE_MOST + (mono_us)(10 * service)) {
            return give_up(y, now);
        }
        return YIELD_NOTHING;
    }
    if (!counted(y, service, now)) return YIELD_NOTHING;
    double time = (double)(now - y->since), rate = y->answers / time * 1e6, in = y->in_time / time;
    bool idle = y->busy_time < busy_least * y->in_time || y->answers == 0;
    if (y->answers > 0) y->service = y->busy_time / y->answers;
    if (idle && y->trying) return give_up(y, now);
    if (idle) {
        count_anew(y, now);
        return YIELD_NOTHING;
    }
    return y->trying ? compare(y, rate, in, now) : consider(y, n, rate, in, now);
}
