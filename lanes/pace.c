/* The pace of a lane: permits, answers, and what a step begins with. pace.h tells the modes, pace_step.c the
 * steps. */
#include "pace_priv.h"

#include <math.h>

#define PROBE_MOST (120 * US_PER_SEC)
#define LONG_SLOT  (45 * US_PER_SEC)

enum { WINDOW = 8 /* messages that one asks for */ };

static const double messages_most = 350;

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
    p->probe_wait = PACE_PROBE_FIRST;
    p->probe_messages = pace_messages_a_probe;
    p->proven = 0.003;
    pace_is_new(p);
    doubt_init(&p->doubts[false], 0.002, 100);
    doubt_init(&p->doubts[true], 0.0005, 1000);
    meter_init(&p->taken, US_PER_SEC, now);
    meter_init(&p->taken_long, LONG_SLOT, now);
    p->climb_began = now;
    meter_init(&p->granted, 250 * US_PER_MS, now);
}

void pace_is_new(struct pace *p) {
    p->is_new = true;
    p->found_chance = false;
    p->tries = 0;
    evidence_clear(&p->evidence);
}

void pace_note_evidence(struct pace *p, double pace, mono_us now) {
    if (!p->is_new) return;
    if (p->mode != PACE_LISTEN && !pace_binds(p, now))
        p->evidence.took = p->evidence.turned = 0; /* it was slower than that */
    else
        evidence_add(&p->evidence, pace);
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
mono_us pace_step_time(const struct pace *p, mono_us rtt) {
    return pace_later(pace_later(2 * rtt, pace_time_for(5, p->cap)), PACE_SHORTEST_STEP);
}

bool pace_binds(struct pace *p, mono_us now) {
    return meter_rate(&p->granted, 2 * US_PER_SEC + pace_time_for(4, p->cap), now) >= 0.75 * p->cap;
}

double pace_base(const struct pace *p) {
    return p->doubts[false].base + p->doubts[true].base;
}

/* So much is refused by chance that a little more doesn't show at once. */
bool pace_is_noisy(const struct pace *p) {
    return pace_base(p) > 0.09;
}

void pace_hold(struct pace *p, mono_us now) {
    p->mode = PACE_HOLD;
    p->cuts = p->contrasts = p->took = p->turned = p->said = 0;
    p->counting = now;
    pace_set_cap(p, p->known * pace_below);
    double messages = p->probe_messages *
                      (pace_is_noisy(p) && p->probe_wait > PACE_PROBE_FIRST ? 1 + 30 * pace_base(p) : 1);
    p->next = now + pace_later(pace_later(p->probe_wait, 3 * p->window), pace_time_for(messages, p->cap));
}

void pace_begin_step(struct pace *p, enum pace_mode mode, mono_us rtt, mono_us now) {
    p->mode = mode;
    p->took = p->turned = p->said = 0;
    p->counting = now + rtt + rtt / 4 + 20 * US_PER_MS;
    p->next = p->counting + pace_step_time(p, rtt);
}

/* Until it would show, by three standard deviations, that of all above the last pace nothing was taken. */
mono_us pace_noisy_step_time(const struct pace *p) {
    double b = pace_base(p);
    return pace_time_for(9 * b / (1 - b) / (p->step * p->step), p->cap);
}

void pace_climb_from(struct pace *p, double step, mono_us rtt, mono_us now) {
    p->mode = PACE_CLIMB;
    p->step = step;
    p->clean = p->cap;
    p->climbed_from = p->known;
    p->raised_from = 0;
    p->climb_began = now;
    p->took = p->turned = p->said = 0;
    p->excess = 0;
    p->stepped = now;
    p->next = now + (step > 0.02 ? 0 : pace_step_time(p, rtt));
    if (!pace_is_noisy(p) || p->known == 0) return;
    p->step = pace_base(p) < 0.3 ? 0.02 + 0.4 * pace_base(p) : 0.14;
    pace_set_cap(p, p->cap * (1 + p->step));
    p->counting = now + rtt + rtt / 4;
    p->next = p->counting + pace_noisy_step_time(p);
}

void pace_remember(struct pace *p, double known, double burst, double trust, mono_us now) {
    p->known = known;
    p->burst = burst;
    p->is_new = false;
    pace_hold(p, now);
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
        pace_hold(p, now);
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
void pace_learn_base(struct pace *p) {
    uint32_t n = p->took + p->turned;
    doubt_learn(&p->doubts[false], p->turned - p->said, n);
    doubt_learn(&p->doubts[true], p->said, n);
    double b = pace_base(p);
    if (pace_is_noisy(p) && p->proven > 0.05 &&
        b > p->proven) { /* the rest would be a limit's that creeps in */
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
        p->evidence.took++;
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
    p->mode = PACE_LISTEN;
    pace_note_evidence(p, p->sent, now);
    p->alarmed = now;
    p->known_before = p->known;
    p->took = p->said = 0;
    p->turned = 1;
    p->counting = now;
    p->quiet = p->next = now + rtt + rtt / 4;
}

/* A share that would be no news. */
double pace_asked(const struct pace *p) {
    return p->contrasts > 0 && p->tried_share > 0.1 && p->tried_share > pace_base(p) ? p->tried_share
                                                                                     : pace_base(p);
}

/* The share that is known to be chance. */
double pace_trusted(const struct pace *p) {
    return pace_base(p) < p->proven ? pace_base(p) : p->proven;
}

/* Few, but for too long: known is a little too high, or something is refused by chance. */
static bool creeping(const struct pace *p) {
    if (p->mode == PACE_HOLD && p->raised_from > 0)
        return doubt_many(pace_base(p), p->turned, p->took + p->turned, pace_base(p) < 0.003 ? 1.5 : 2.5);
    return (p->mode == PACE_HOLD || (p->mode == PACE_CLIMB && p->known > 0)) && p->turned >= 3 &&
           doubt_many(pace_trusted(p), p->turned, p->took + p->turned, 3);
}

/* To tell whether a small share is refused by chance or because the pace is a little too high: a little lower
 * than it would have to be then, and long enough that a share like that would show. */
void pace_contrast(struct pace *p, mono_us rtt, mono_us now) {
    double slower = p->contrasts++ == 0 ? 0.95 : 0.8;
    double above = p->tried_share - pace_trusted(p) > 0 ? p->tried_share - pace_trusted(p) : 0;
    double allowed =
        (1 - p->tried_share) / (1 - pace_trusted(p)); /* of the pace, were it a limit that refuses the rest */
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
        p->evidence.turned++;
        if (said) p->is_new = false; /* its words say that it is a limit */
        p->said += said;
    }
    switch (p->mode) {
    case PACE_LISTEN: return PACE_KNOWN;
    case PACE_SHUT: door_refused(&p->door, now); return PACE_KNOWN;
    case PACE_SETTLE:
        if (p->turned >= 3 && p->turned > (p->took + p->turned) / 5 &&
            doubt_many(pace_asked(p), p->turned, p->took + p->turned, 3))
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
        if (p->mode == PACE_HOLD && p->raised_from == 0) pace_learn_base(p);
        alarm(p, rtt, now);
        return PACE_ALARM;
    }
    if (!creeping(p)) return PACE_CHANCE;
    double share = (double)p->turned / (p->took + p->turned);
    bool climbing = p->mode == PACE_CLIMB || (p->is_new && p->tries > 0);
    alarm(p, rtt, now);
    if (climbing || p->raised_from > 0 || share > 0.6) return PACE_ALARM;
    p->quiet = now;
    p->tried_share = share;
    p->tried_cap = p->cap;
    p->contrasts = 0;
    p->cuts++;
    pace_contrast(p, rtt, now);
    return PACE_ALARM;
}
