/* The pace of a lane. pace.h tells the modes. */
#include "pace_priv.h"

#include <math.h>

#define PROBE_FIRST (30 * US_PER_SEC)
#define PROBE_MOST  (120 * US_PER_SEC)
#define LONG_SLOT   (45 * US_PER_SEC)

enum { A_FEW = 32 /* answers */, WINDOW = 8 /* messages that one asks for */ };

static const double refuted_in_windows_at = 1.06;
static const double messages_a_probe = 200, messages_most = 350;

mono_us pace_time_for(double messages, double a_second) {
    return (mono_us)(messages / a_second * (double)US_PER_SEC);
}

mono_us pace_later(mono_us a, mono_us b) {
    return a > b ? a : b;
}

void pace_init(struct pace *p, double start, double floor, double ceiling, mono_us now) {
    *p = (struct pace){.cap = start, .floor = floor, .ceiling = ceiling > 0 ? ceiling : 1e6, .tokens = 1};
    p->filled = p->stepped = now;
    p->next = now + PACE_SHORTEST_STEP;
    p->probe_wait = PROBE_FIRST;
    p->probe_messages = messages_a_probe;
    p->proven = 0.003;
    doubt_init(&p->doubts[false], 0.002, 100);
    doubt_init(&p->doubts[true], 0.0005, 1000);
    meter_init(&p->taken, US_PER_SEC, now);
    meter_init(&p->taken_long, LONG_SLOT, now);
    p->climb_began = now;
    meter_init(&p->granted, 250 * US_PER_MS, now);
}

/* ---- permits ---- */

static void fill(struct pace *p, mono_us now) {
    double most = p->cap * 0.1 < WINDOW ? p->cap * 0.1 : WINDOW;
    most = most < 1 ? 1 : most + p->cap * 0.05;
    p->tokens += (double)(now - p->filled) / (double)US_PER_SEC * p->cap;
    if (p->tokens > most) p->tokens = most;
    p->filled = now;
}

unsigned pace_take(struct pace *p, unsigned want, mono_us now, mono_us *when) {
    fill(p, now);
    if (want == 0) return 0;
    if (p->mode == PACE_SHUT) {
        if (!door_knock(&p->door, now, when)) return 0;
        meter_add(&p->granted, 1, now);
        return 1;
    }
    if (now < p->quiet) {
        *when = p->quiet;
        return 0;
    }
    unsigned whole = p->tokens > 0 ? (unsigned)p->tokens : 0, n = want < whole ? want : whole;
    p->tokens -= n;
    meter_add(&p->granted, n, now);
    if (n == 0) *when = now + pace_time_for(1 - p->tokens, p->cap) + 1;
    return n;
}

mono_us pace_ready(const struct pace *p, mono_us now) {
    mono_us at = now;
    if (p->mode == PACE_SHUT)
        at = p->door.next;
    else if (p->tokens < 1)
        at = pace_later(p->quiet, p->filled + pace_time_for(1 - p->tokens, p->cap));
    return pace_later(at, now);
}

void pace_give_back(struct pace *p, unsigned n, bool knock) {
    p->tokens += n;
    meter_take_back(&p->granted, n);
    if (p->mode == PACE_SHUT && n > 0 && knock) p->door.next = 0;
}

void pace_charge(struct pace *p, unsigned n, mono_us now) {
    fill(p, now);
    p->tokens -= n;
    meter_add(&p->granted, n, now);
}

/* ---- steps ---- */

void pace_set_cap(struct pace *p, double cap) {
    if (cap < p->floor) cap = p->floor;
    if (cap > p->ceiling) cap = p->ceiling;
    p->cap = cap;
}

/* A step is long enough that its answers are in and that it brought a few messages. */
static mono_us step_time(const struct pace *p, mono_us rtt) {
    return pace_later(pace_later(2 * rtt, pace_time_for(5, p->cap)), PACE_SHORTEST_STEP);
}

bool pace_binds(struct pace *p, mono_us now) {
    return meter_rate(&p->granted, 2 * US_PER_SEC + pace_time_for(4, p->cap), now) >= 0.75 * p->cap;
}

static double base(const struct pace *p) {
    return p->doubts[false].base + p->doubts[true].base;
}

/* So much is refused by chance that a little more doesn't show at once. */
static bool is_noisy(const struct pace *p) {
    return base(p) > 0.09;
}

static void hold(struct pace *p, mono_us now) {
    p->mode = PACE_HOLD;
    p->cuts = p->contrasts = p->took = p->turned = p->said = 0;
    p->counting = now;
    pace_set_cap(p, p->known * pace_below);
    double messages = p->probe_messages * (is_noisy(p) && p->probe_wait > PROBE_FIRST ? 1 + 30 * base(p) : 1);
    p->next = now + pace_later(pace_later(p->probe_wait, 3 * p->window), pace_time_for(messages, p->cap));
}

void pace_begin_step(struct pace *p, enum pace_mode mode, mono_us rtt, mono_us now) {
    p->mode = mode;
    p->took = p->turned = p->said = 0;
    p->counting = now + rtt + rtt / 4 + 20 * US_PER_MS;
    p->next = p->counting + step_time(p, rtt);
}

/* Until it would show, by three standard deviations, that of all above the last pace nothing was taken. */
static mono_us noisy_step_time(const struct pace *p) {
    double b = base(p);
    return pace_time_for(9 * b / (1 - b) / (p->step * p->step), p->cap);
}

static void climb_from(struct pace *p, double step, mono_us rtt, mono_us now) {
    p->mode = PACE_CLIMB;
    p->step = step;
    p->clean = p->cap;
    p->climbed_from = p->known;
    p->raised_from = 0;
    p->climb_began = now;
    p->took = p->turned = p->said = 0;
    p->excess = 0;
    p->stepped = now;
    p->next = now + (step > 0.02 ? 0 : step_time(p, rtt));
    if (!is_noisy(p) || p->known == 0) return;
    p->step = base(p) < 0.3 ? 0.02 + 0.4 * base(p) : 0.14;
    pace_set_cap(p, p->cap * (1 + p->step));
    p->counting = now + rtt + rtt / 4;
    p->next = p->counting + noisy_step_time(p);
}

void pace_remember(struct pace *p, double known, double burst, double trust, mono_us now) {
    p->known = known;
    p->burst = burst;
    hold(p, now);
    if (trust >= 0.9) return;
    p->mode = PACE_GROW; /* up to what was known */
    pace_set_cap(p, known * trust);
    p->next = now + PACE_SHORTEST_STEP;
}

void pace_clear(struct pace *p, mono_us now) {
    if (p->mode != PACE_SHUT || p->alarmed == 0) return;
    p->mode = PACE_LISTEN;
    p->row = 0;
    p->door.shut = false;
    pace_forgive(p, p->alarmed, now);
}

void pace_forgive(struct pace *p, mono_us since, mono_us now) {
    if (p->alarmed == 0 || p->alarmed < since || p->mode == PACE_SHUT) return;
    p->alarmed = 0;
    p->known = p->known_before;
    pace_set_cap(p, p->cap_before);
    p->quiet = now;
    p->cuts = 0;
    p->next = now + PACE_SHORTEST_STEP;
    if (p->known > 0)
        hold(p, now);
    else
        p->mode = PACE_GROW;
}

/* A climb failed. */
void pace_try_later(struct pace *p) {
    p->probe_wait = p->probe_wait * 3 / 2 < PROBE_MOST ? p->probe_wait * 3 / 2 : PROBE_MOST;
    if (p->probe_messages < messages_most) p->probe_messages *= 1.2;
}

/* ---- answers ---- */

/* The answers of this step came while no limit was near. */
static void learn_base(struct pace *p) {
    uint32_t n = p->took + p->turned;
    doubt_learn(&p->doubts[false], p->turned - p->said, n);
    doubt_learn(&p->doubts[true], p->said, n);
    double b = base(p);
    if (is_noisy(p) && p->proven > 0.05 && b > p->proven) { /* the rest would be a limit's that creeps in */
        p->doubts[false].base *= p->proven / b;
        p->doubts[true].base *= p->proven / b;
    }
    p->took = p->turned = p->said = 0;
}

void pace_accepted(struct pace *p, mono_us sent, mono_us now) {
    meter_add(&p->taken, 1, now);
    meter_add(&p->taken_long, 1, now);
    doubt_taken(&p->doubts[false]);
    doubt_taken(&p->doubts[true]);
    p->row = 0;
    if (now >= p->counting) {
        p->took++;
        if (p->mode == PACE_SHUT && sent >= p->door.since) pace_opened(p, 0, now);
    }
}

static void alarm(struct pace *p, mono_us rtt, mono_us now) {
    p->cap_before = p->cap;
    if (!pace_binds(p, now)) { /* what was sent counts, not what might have been */
        double sent = meter_rate(&p->granted, 3 * US_PER_SEC, now);
        if (sent > 0 && sent < p->cap) pace_set_cap(p, sent);
    }
    p->sent = p->cap;
    p->from = p->mode;
    p->alarmed = now;
    p->known_before = p->known;
    p->mode = PACE_LISTEN;
    p->took = p->said = 0;
    p->turned = 1;
    p->counting = now;
    p->quiet = p->next = now + rtt + rtt / 4;
}

/* A share that would be no news. */
static double asked(const struct pace *p) {
    return p->contrasts > 0 && p->tried_share > 0.1 && p->tried_share > base(p) ? p->tried_share : base(p);
}

/* The share that is known to be chance. */
static double trusted(const struct pace *p) {
    return base(p) < p->proven ? base(p) : p->proven;
}

/* Few, but for too long: known is a little too high, or something is refused by chance. */
static bool creeping(const struct pace *p) {
    if (p->mode == PACE_HOLD && p->raised_from > 0)
        return doubt_many(base(p), p->turned, p->took + p->turned, base(p) < 0.003 ? 1.5 : 2.5);
    return (p->mode == PACE_HOLD || (p->mode == PACE_CLIMB && p->known > 0)) && p->turned >= 3 &&
           doubt_many(trusted(p), p->turned, p->took + p->turned, 3);
}

/* To tell whether a small share is refused by chance or because the pace is a little too high: a little lower
 * than it would have to be then, and long enough that a share like that would show. */
static void contrast(struct pace *p, mono_us rtt, mono_us now) {
    double slower = p->contrasts++ == 0 ? 0.95 : 0.8;
    double above = p->tried_share - trusted(p) > 0 ? p->tried_share - trusted(p) : 0;
    double allowed =
        (1 - p->tried_share) / (1 - trusted(p)); /* of the pace, were it a limit that refuses the rest */
    pace_set_cap(p, p->cap * (allowed < 1 ? allowed : 1) * slower);
    pace_begin_step(p, PACE_SETTLE, rtt, now);
    double least = 8 / p->tried_share,
           messages = above > 0.02 ? least * p->tried_share * p->tried_share / (above * above) : 0;
    if (messages > 300) messages = 300;
    p->next = pace_later(p->next, p->counting + pace_time_for(messages > least ? messages : least, p->cap));
}

enum pace_verdict pace_refused(struct pace *p, bool said, mono_us rtt, mono_us now) {
    p->row++;
    bool counts = now >= p->counting; /* else it was sent before the last change */
    if (counts || p->mode == PACE_LISTEN) {
        p->turned++;
        p->said += said;
    }
    switch (p->mode) {
    case PACE_LISTEN: return PACE_KNOWN;
    case PACE_SHUT: door_refused(&p->door, now); return PACE_KNOWN;
    case PACE_SETTLE:
        if (p->turned >= 3 && p->turned > (p->took + p->turned) / 5 &&
            doubt_many(asked(p), p->turned, p->took + p->turned, 3))
            p->next = now; /* no doubt about it */
        return PACE_KNOWN;
    default: break;
    }
    if (!counts) return PACE_CHANCE;
    /* One false alarm in a hundred seconds, but where much is refused by chance there are more chances. */
    double often = p->doubts[said].base / 0.003;
    if (often > 20) often = 20;
    if (doubt_refused(&p->doubts[said], 100 * p->cap * (1 + often * often))) {
        /* It may have been chance: if this comes often, at whatever pace, it adds up. */
        if (p->mode == PACE_HOLD && p->raised_from == 0) learn_base(p);
        alarm(p, rtt, now);
        return PACE_ALARM;
    }
    if (!creeping(p)) return PACE_CHANCE;
    double share = (double)p->turned / (p->took + p->turned);
    bool climbing = p->mode == PACE_CLIMB;
    alarm(p, rtt, now);
    if (climbing || p->raised_from > 0 || share > 0.6) return PACE_ALARM;
    p->quiet = now;
    p->tried_share = share;
    p->tried_cap = p->cap;
    p->contrasts = 0;
    p->cuts++;
    contrast(p, rtt, now);
    return PACE_ALARM;
}

/* ---- downward ---- */

static void cut(struct pace *p, mono_us rtt, mono_us now) {
    static const double few[] = {20, 6, 3,
                                 2}; /* answers taken that are assumed, so that one refusal is not all */
    double guess = p->from == PACE_GROW ? 4 : few[p->cuts < 3 ? p->cuts : 3];
    uint32_t n = p->took + p->turned;
    double share = (p->took + guess) / (n + guess) / (1 - base(p));
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

/* Refused so often in a row that chance would not bring it in ten million messages. */
static bool takes_nothing(const struct pace *p) {
    double by_chance = asked(p) < 0.5 ? asked(p) : 0.5;
    return p->took == 0 && p->row >= 4 && p->row * log(by_chance) < -16;
}

static void listened(struct pace *p, mono_us rtt, mono_us now) {
    if (takes_nothing(p)) {
        pace_shut(p, rtt, now);
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
    double known = is_noisy(p) ? trusted(p) : 0, above = p->tried_share - known;
    return above > 0 && p->turned >= 2 && p->turned > (known + above / 2) * n && !is_most(p);
}

static void was_chance(struct pace *p, mono_us rtt, mono_us now) {
    double n = p->took + p->turned, before = base(p), share = p->tried_share;
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
    learn_base(p);
    p->cuts = p->contrasts = 0;
    pace_set_cap(p, p->tried_cap);
    if (is_noisy(p) &&
        before < p->tried_share / 2) { /* whatever is known was found while chance was believed a limit */
        p->known = p->too_high = p->raised_from = p->burst = 0;
        p->mode = PACE_GROW;
        p->next = now + step_time(p, rtt);
    } else if (p->from == PACE_GROW || p->known_before == 0) {
        p->mode = p->from == PACE_GROW ? PACE_GROW : PACE_CLIMB;
        p->next = now + step_time(p, rtt);
    } else {
        p->known = p->tried_cap / pace_below;
        hold(p, now);
    }
    p->tried_share = 0;
}

/* What is held was found while much was refused; was all of that chance? With a fifth less it shows: if it
 * was a limit, less is refused then. */
static void dip(struct pace *p, mono_us rtt, mono_us now) {
    double b = base(p);
    p->tried_cap = p->cap;
    pace_set_cap(p, p->cap * 0.8);
    pace_begin_step(p, PACE_SETTLE, rtt, now);
    p->next = pace_later(p->next, p->counting + pace_time_for(9 * b / (1 - b) / 0.04, p->cap));
    p->dips = p->dipped = true;
}

static void dipped(struct pace *p, mono_us now) {
    double n = p->took + p->turned, b = base(p), share = p->turned / n;
    p->dips = false;
    if (share >= b - 2 * sqrt(b * (1 - b) / n)) {
        learn_base(p);
    } else {
        doubt_init(&p->doubts[false], (p->turned - p->said + 0.1) / n, n);
        doubt_init(&p->doubts[true], (p->said + 0.1) / n, n);
        p->proven = share + 2 * sqrt((share + 1 / n) / n);
        p->known = p->tried_cap * (1 - b) / (1 - share);
        p->too_high = p->raised_from = 0;
    }
    hold(p, now);
}

static void settled(struct pace *p, mono_us rtt, mono_us now) {
    uint32_t n = p->took + p->turned;
    if (takes_nothing(p)) {
        pace_shut(p, rtt, now);
    } else if (p->dips && n > 0 && !doubt_many(base(p), p->turned, n, 2.5)) {
        dipped(p, now);
    } else if (n == 0) {
        p->next = now + PACE_SHORTEST_STEP;
    } else if (p->contrasts > 0 && by_chance(p)) {
        /* Asked twice; once where it is much, and it was far faster when it began. */
        if (p->contrasts < 2 && !(!is_noisy(p) && p->tried_share > 0.1 && p->cap < p->sent / 2))
            contrast(p, rtt, now);
        else /* much slower, and still as many */
            was_chance(p, rtt, now);
    } else if (doubt_many(base(p), p->turned, n, 2.5)) {
        bool too_few = n < A_FEW / 2;
        if (too_few && p->cuts >= 4 && !is_most(p)) { /* slower and slower, and still: how much is it? */
            p->next = now + pace_time_for(A_FEW / 2 - n, p->cap);
        } else if (!too_few && (p->turned * 5 < n || (p->cuts >= 2 && !is_most(p))) && p->contrasts < 2) {
            p->tried_share = (double)p->turned / n;
            p->tried_cap = p->cap;
            p->contrasts = 0;
            contrast(p, rtt, now);
        } else {
            if (p->from != PACE_GROW) p->from = PACE_HOLD;
            cut(p, rtt, now);
        }
    } else if (p->from == PACE_GROW) {
        learn_base(p);
        p->known = 0;
        p->cuts = 0;
        climb_from(p, 0.05, rtt, now);
    } else {
        if (p->from != PACE_SHUT && (p->from != PACE_CLIMB || p->known == 0)) {
            p->known = p->cap / pace_below * (p->contrasts == 2 ? 1.1 : 1);
            p->contrasts = 0;
            if (p->known_before == 0) pace_note_burst(p, p->alarmed, now);
        }
        if (n >= A_FEW) learn_base(p); /* of a few one is easily a fifth */
        hold(p, now);
    }
}

/* ---- upward ---- */

static void grow(struct pace *p, mono_us rtt, mono_us now) {
    learn_base(p);
    p->next = now + step_time(p, rtt) + PACE_SHORTEST_STEP / 2;
    if (!pace_binds(p, now)) return;
    if (p->known > 0 && p->cap * 2 >= p->known * pace_below)
        hold(p, now);
    else
        pace_set_cap(p, p->cap * 2);
}

static void climb(struct pace *p, mono_us rtt, mono_us now) {
    mono_us lasted = now - p->stepped;
    p->stepped = now;
    p->next = now + step_time(p, rtt);
    if (!pace_binds(p, now)) return;
    if (is_noisy(p)) {
        if (p->known > 0 && doubt_many(base(p), p->turned, p->took + p->turned, 2)) {
            back_to_known(p, rtt, now);
            return;
        }
        learn_base(p);
        p->next = now + pace_later(step_time(p, rtt), noisy_step_time(p));
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
            p->probe_wait = PROBE_FIRST;
            p->probe_messages = messages_a_probe;
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
        p->next = now + PACE_SHORTEST_STEP;
        if (!pace_binds(p, now) || p->cap >= p->ceiling) {
            if (p->took > A_FEW * A_FEW) learn_base(p);
            break;
        }
        if (!doubt_many(base(p), p->turned, p->took + p->turned, 1))
            learn_base(p); /* more may be the limit's doing */
        if (is_noisy(p) && !p->dipped) {
            dip(p, rtt, now);
            break;
        }
        p->dipped = false;
        climb_from(p, 0.02, rtt, now);
        break;
    case PACE_CLIMB: climb(p, rtt, now); break;
    case PACE_SHUT: break;
    }
}
