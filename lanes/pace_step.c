/* The steps of a pace, when one is due: downward, aside to see whether it is chance, upward. */
#include "pace_priv.h"

#include <math.h>

enum { A_FEW = 32 /* answers */ };

static const double refuted_in_windows_at = 1.06;

/* ---- downward ---- */

static void cut(struct pace *p, mono_us rtt, mono_us now) {
    static const double few[] = {20, 6, 3,
                                 2}; /* answers taken that are assumed, so that one refusal is not all */
    double guess = p->from == PACE_GROW ? 4 : few[p->cuts < 3 ? p->cuts : 3];
    uint32_t n = p->took + p->turned;
    double share = (p->took + guess) / (n + guess) / (1 - pace_base(p));
    p->cuts++;
    p->dips = false;
    p->contrasts = 0;
    p->tried_share = p->too_high = p->raised_from = 0;
    double to = p->cap * (share < 1 ? share : 1) * pace_below;
    /* What has just opened comes in lumps: shares mislead, but not twice. */
    double least = p->window > 0 && p->cuts < 2 ? pace_window_average(p, now) * 0.97 : 0;
    pace_set_cap(p, to > least ? to : least < p->cap ? least : p->cap);
    pace_begin_step(p, PACE_SETTLE, rtt, now);
    p->next = pace_later(p->next, p->counting + pace_time_for(8, p->cap));
}

/* Where a climb fails the limit is somewhere between what was held before and there; how much of it was the
 * server's burst can't be seen. Half way up is held next; should that be refused, it is not tried again so
 * soon. */
static void raise_known(struct pace *p, double clean) {
    double to = (p->known + clean) / 2;
    if (p->too_high > 0 && to > (p->known + p->too_high) / 2) to = (p->known + p->too_high) / 2;
    if (++p->raises % 8 == 0) p->too_high = 0;
    if (to < p->known * 1.005) return;
    p->raised_from = p->known;
    p->known = to;
}

/* What was raised was refused. */
static void lower_again(struct pace *p, mono_us rtt, mono_us now) {
    p->too_high = p->known;
    p->known = p->raised_from;
    p->raised_from = 0;
    p->cuts++;
    pace_set_cap(p, p->known * 0.95);
    pace_begin_step(p, PACE_SETTLE, rtt, now);
    p->from = PACE_SHUT; /* known stays as it is */
}

/* A climb from what is known failed. */
static void back_to_known(struct pace *p, mono_us rtt, mono_us now) {
    bool high = p->cap > 1.06 * p->known;
    if (p->excess > p->burst) p->burst = p->excess;
    pace_try_later(p);
    if (p->window == 0) raise_known(p, high ? p->clean : p->clean * 0.99);
    p->cuts++;
    pace_set_cap(p, p->known * 0.93);
    pace_begin_step(p, PACE_SETTLE, rtt, now);
    p->next +=
        pace_time_for(2 / 0.07, p->cap) < 5 * US_PER_SEC ? pace_time_for(2 / 0.07, p->cap) : 5 * US_PER_SEC;
}

/* ---- a limit, or chance, of a new lane ---- */

static const double sure = 2.5;  /* as a logarithm of odds */
static const double slowest = 1; /* message a second that is waited for */
enum { TRIES = 6 };

/* If nothing that a new lane has seen is a limit's doing: back to where it was, and on. */
static bool goes_on(struct pace *p, mono_us rtt, mono_us now) {
    double base, beside, n, to = evidence_next(&p->evidence, INFINITY);
    if (!p->is_new || to == 0) return false;
    while (evidence_weigh(&p->evidence, to, &base, &beside, &n) < sure)
        if ((to = evidence_next(&p->evidence, to)) < p->sent * 0.95) return false;
    p->found_chance = true;
    doubt_init(&p->doubts[false], base, n);
    p->proven = base + 2 * sqrt(base / n);
    p->known = p->too_high = p->raised_from = p->burst = 0;
    p->cuts = p->contrasts = p->took = p->turned = p->said = 0;
    p->tried_share = 0;
    p->mode = PACE_GROW;
    pace_set_cap(p, to);
    p->counting = now + rtt;
    p->next = now + pace_step_time(p, rtt) + PACE_SHORTEST_STEP / 2;
    return true;
}

/* Still refused, and it is not clear by what: with half of the pace a limit refuses nothing, or would have
 * refused more than half before. */
static void halve(struct pace *p, mono_us rtt, mono_us now) {
    double to = p->cap > 0.7 * p->sent ? p->sent / 2 : p->cap / 2;
    p->cuts++;
    pace_set_cap(p, to);
    pace_begin_step(p, PACE_SETTLE, rtt, now);
    p->next = pace_later(p->next, p->counting + pace_time_for(8, p->cap));
}

/* What a new lane's step down has shown. False: nothing of this kind. */
static bool settled_new(struct pace *p, mono_us rtt, mono_us now) {
    double base, beside, n;
    uint32_t answers = p->took + p->turned;
    if (!p->is_new || p->dips || answers == 0) return false;
    if (goes_on(p, rtt, now)) return true;
    double chance = evidence_weigh(&p->evidence, p->sent, &base, &beside, &n);
    if (p->found_chance && chance < 0) { /* it was a limit after all, and the base is less */
        p->found_chance = false;
        doubt_init(&p->doubts[false], beside, 100);
        p->proven = beside < 0.003 ? 0.003 : beside;
    }
    if (chance < -sure || base > 0.2) return false; /* so much is asked about more closely */
    if (chance > (base > 0.15 ? 0.7 : 1.5) && p->cap > 2.5 * slowest &&
        base > pace_base(p)) { /* likelier than not */
        p->found_chance = true;
        doubt_init(&p->doubts[false], base, n);
    }
    if (!doubt_many(pace_base(p), p->turned, answers, 2.5)) {
        if (p->tries >= TRIES) return false;
        p->tries++;
        p->known = 0;
        p->cuts = p->contrasts = 0;
        pace_climb_from(p, chance > -1 ? 0.2 : 0.05, rtt, now);
        return true;
    }
    if (p->turned * 3 > answers || p->cuts > 4) return false;
    if (p->cap < 2 * slowest && chance > -1 &&
        p->tries < TRIES) { /* that would take long: upward it shows, too */
        p->tries++;
        p->cuts = 0;
        pace_set_cap(p, p->sent);
        pace_climb_from(p, 0.2, rtt, now);
    } else {
        halve(p, rtt, now);
    }
    return true;
}

/* Refused so often in a row that chance would not bring it in ten million messages. */
static bool takes_nothing(const struct pace *p) {
    double by_chance = pace_asked(p) < 0.5 ? pace_asked(p) : 0.5;
    return p->took == 0 && p->row >= 4 && p->row * log(by_chance) < -16;
}

static void listened(struct pace *p, mono_us rtt, mono_us now) {
    pace_note_evidence(p, p->sent, now);
    if (takes_nothing(p)) {
        pace_shut(p, rtt, now);
    } else if (goes_on(p, rtt, now)) {
        return;
    } else if (p->from == PACE_CLIMB && p->known > 0) {
        back_to_known(p, rtt, now);
    } else if (p->from == PACE_HOLD && p->raised_from > 0) {
        lower_again(p, rtt, now);
    } else {
        if (p->from == PACE_CLIMB && p->clean < p->cap) pace_set_cap(p, p->clean);
        cut(p, rtt, now);
    }
}

static bool is_most(const struct pace *p) {
    return p->turned * 5 > (p->took + p->turned) * 3;
}

/* Slowed by more than was refused, a limit would refuse nothing any more, chance as many as before. */
static bool by_chance(const struct pace *p) {
    uint32_t n = p->took + p->turned;
    double known = pace_is_noisy(p) ? pace_trusted(p) : 0, above = p->tried_share - known;
    return above > 0 && p->turned >= 2 && p->turned > (known + above / 2) * n && !is_most(p);
}

static void was_chance(struct pace *p, mono_us rtt, mono_us now) {
    double n = p->took + p->turned, before = pace_base(p), share = p->tried_share;
    bool much = share > 0.07;
    struct doubt *d = &p->doubts[p->said > p->turned / 2];
    if (d->seen > (much ? n / 4 : n))
        d->seen =
            much ? n / 4 : n; /* this was looked at closely: it counts for more than what came by the way */
    if (much)
        share = p->turned / n; /* what was refused before may be a limit's in part */
    else
        doubt_learn(d, share * n, n);
    double deviation = 2 * sqrt(share / n);
    p->proven = share + (much && deviation < share / 2 ? deviation : share / 2);
    if (p->tried_share > p->proven) p->tried_cap *= (1 - p->tried_share) / (1 - p->proven);
    pace_learn_base(p);
    p->cuts = p->contrasts = 0;
    pace_set_cap(p, p->tried_cap);
    if (pace_is_noisy(p) &&
        before < p->tried_share / 2) { /* whatever is known was found while chance was believed a limit */
        p->known = p->too_high = p->raised_from = p->burst = 0;
        p->mode = PACE_GROW;
        p->next = now + pace_step_time(p, rtt);
    } else if (p->from == PACE_GROW || p->known_before == 0) {
        p->mode = p->from == PACE_GROW ? PACE_GROW : PACE_CLIMB;
        p->next = now + pace_step_time(p, rtt);
    } else {
        p->known = p->tried_cap / pace_below;
        pace_hold(p, now);
    }
    p->tried_share = 0;
}

/* What is held was found while much was refused; was all of that chance? With a fifth less it shows: if it
 * was a limit, less is refused then. */
static void dip(struct pace *p, mono_us rtt, mono_us now) {
    double b = pace_base(p);
    p->tried_cap = p->cap;
    pace_set_cap(p, p->cap * 0.8);
    pace_begin_step(p, PACE_SETTLE, rtt, now);
    p->next = pace_later(p->next, p->counting + pace_time_for(9 * b / (1 - b) / 0.04, p->cap));
    p->dips = p->dipped = true;
}

static void dipped(struct pace *p, mono_us now) {
    double n = p->took + p->turned, b = pace_base(p), share = p->turned / n;
    p->dips = false;
    if (share >= b - 2 * sqrt(b * (1 - b) / n)) {
        pace_learn_base(p);
    } else {
        doubt_init(&p->doubts[false], (p->turned - p->said + 0.1) / n, n);
        doubt_init(&p->doubts[true], (p->said + 0.1) / n, n);
        p->proven = share + 2 * sqrt((share + 1 / n) / n);
        p->known = p->tried_cap * (1 - b) / (1 - share);
        p->too_high = p->raised_from = 0;
    }
    pace_hold(p, now);
}

static void settled(struct pace *p, mono_us rtt, mono_us now) {
    uint32_t n = p->took + p->turned;
    pace_note_evidence(p, p->cap, now);
    if (takes_nothing(p)) {
        pace_shut(p, rtt, now);
    } else if (settled_new(p, rtt, now)) {
        return;
    } else if (p->dips && n > 0 && !doubt_many(pace_base(p), p->turned, n, 2.5)) {
        dipped(p, now);
    } else if (n == 0) {
        p->next = now + PACE_SHORTEST_STEP;
    } else if (p->contrasts > 0 && by_chance(p)) {
        /* Asked twice; once where it is much, and it was far faster when it began. */
        if (p->contrasts < 2 && !(!pace_is_noisy(p) && p->tried_share > 0.1 && p->cap < p->sent / 2))
            pace_contrast(p, rtt, now);
        else /* much slower, and still as many */
            was_chance(p, rtt, now);
    } else if (doubt_many(pace_base(p), p->turned, n, 2.5)) {
        bool too_few = n < A_FEW / 2;
        if (too_few && p->cuts >= 4 && !is_most(p)) { /* slower and slower, and still: how much is it? */
            p->next = now + pace_time_for(A_FEW * 0.5 - n, p->cap);
        } else if (!too_few && (p->turned * 5 < n || (p->cuts >= 2 && !is_most(p))) && p->contrasts < 2) {
            p->tried_share = (double)p->turned / n;
            p->tried_cap = p->cap;
            p->contrasts = 0;
            pace_contrast(p, rtt, now);
        } else {
            if (p->from != PACE_GROW) p->from = PACE_HOLD;
            cut(p, rtt, now);
        }
    } else if (p->from == PACE_GROW) {
        pace_learn_base(p);
        p->known = 0;
        p->cuts = 0;
        pace_climb_from(p, 0.05, rtt, now);
    } else {
        if (p->from != PACE_SHUT && (p->from != PACE_CLIMB || p->known == 0)) {
            p->known = p->cap / pace_below * (p->contrasts == 2 ? 1.1 : 1);
            p->contrasts = 0;
            if (p->known_before == 0) pace_note_burst(p, p->alarmed, now);
        }
        if (n >= A_FEW) pace_learn_base(p); /* of a few one is easily a fifth */
        pace_hold(p, now);
    }
}

/* ---- upward ---- */

static void grow(struct pace *p, mono_us rtt, mono_us now) {
    pace_note_evidence(p, p->cap, now);
    pace_learn_base(p);
    p->next = now + pace_step_time(p, rtt) + PACE_SHORTEST_STEP / 2;
    if (!pace_binds(p, now)) return;
    if (p->known > 0 && p->cap * 2 >= p->known * pace_below)
        pace_hold(p, now);
    else
        pace_set_cap(p, p->cap * 2);
}

static void climb(struct pace *p, mono_us rtt, mono_us now) {
    mono_us lasted = now - p->stepped;
    pace_note_evidence(p, p->cap, now);
    p->stepped = now;
    p->next = now + pace_step_time(p, rtt);
    if (!pace_binds(p, now)) return;
    if (pace_is_noisy(p)) {
        if (p->known > 0 && doubt_many(pace_base(p), p->turned, p->took + p->turned, 2)) {
            back_to_known(p, rtt, now);
            return;
        }
        pace_learn_base(p);
        p->next = now + pace_later(pace_step_time(p, rtt), pace_noisy_step_time(p));
    }
    p->clean = p->cap;
    if (p->climbed_from > 0 && p->cap > p->climbed_from)
        p->excess += (p->cap - p->climbed_from) * (double)lasted / (double)US_PER_SEC;
    if (p->known > 0) {
        if (p->cap < p->known * (p->window > 0 ? refuted_in_windows_at : pace_refuted_at)) {
            pace_set_cap(p, p->cap * (1 + p->step));
        } else if (p->window > 0 ? now - p->climb_began > p->window * 3 / 2
                                 : p->excess > 1.5 * p->burst + 3) {
            p->known = 0;
            p->probe_wait = PACE_PROBE_FIRST;
            p->probe_messages = pace_messages_a_probe;
            p->too_high = p->raised_from = 0;
        }
    }
    if (p->known == 0 && p->window > 0) { /* that it is too much will show late */
        pace_set_cap(p, p->cap * 1.25);
        p->next = pace_later(p->next, now + p->window / 2);
    } else if (p->known == 0) {
        pace_set_cap(p, p->cap * (1 + p->step));
        if (p->step < 0.3) p->step *= 1.3;
    }
}

void pace_step(struct pace *p, mono_us rtt, mono_us now) {
    if (now < p->next) return;
    switch (p->mode) {
    case PACE_GROW: grow(p, rtt, now); break;
    case PACE_LISTEN: listened(p, rtt, now); break;
    case PACE_SETTLE: settled(p, rtt, now); break;
    case PACE_HOLD:
        pace_note_evidence(p, p->cap, now);
        p->next = now + PACE_SHORTEST_STEP;
        if (!pace_binds(p, now) || p->cap >= p->ceiling) {
            if (p->took > A_FEW * A_FEW) pace_learn_base(p);
            break;
        }
        if (!doubt_many(pace_base(p), p->turned, p->took + p->turned, 1))
            pace_learn_base(p); /* more may be the limit's doing */
        if (pace_is_noisy(p) && !p->dipped) {
            dip(p, rtt, now);
            break;
        }
        p->dipped = p->is_new = false;
        pace_climb_from(p, 0.02, rtt, now);
        break;
    case PACE_CLIMB: climb(p, rtt, now); break;
    case PACE_SHUT: break;
    }
}
