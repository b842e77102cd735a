/* The pace of a lane. pace.h tells the modes. */
#include "pace.h"

#define SHORTEST_STEP (1 * US_PER_SEC)
#define PROBE_FIRST   (20 * US_PER_SEC)
#define PROBE_MOST    (120 * US_PER_SEC)

static const double below = 0.985;    /* of what is known: where it holds */
static const double unknown_at = 1.2; /* of what is known: refuted when this is taken */

void pace_init(struct pace *p, double start, double floor, double ceiling, mono_us now) {
    *p = (struct pace){.cap = start, .floor = floor, .ceiling = ceiling, .mode = PACE_GROW, .tokens = 1};
    p->filled = p->next = now;
    p->probe_wait = PROBE_FIRST;
    meter_init(&p->taken, US_PER_SEC, now);
    meter_init(&p->taken_long, 60 * US_PER_SEC, now);
    meter_init(&p->granted, 250 * US_PER_MS, now);
}

/* ---- permits ---- */

static void fill(struct pace *p, mono_us now) {
    double most = p->cap * 0.1 > 1 ? p->cap * 0.1 : 1;
    p->tokens += (double)(now - p->filled) / (double)US_PER_SEC * p->cap;
    if (p->tokens > most) p->tokens = most;
    p->filled = now;
}

unsigned pace_take(struct pace *p, unsigned want, mono_us now, mono_us *when) {
    fill(p, now);
    if (now < p->quiet) {
        *when = p->quiet;
        return 0;
    }
    unsigned whole = (unsigned)p->tokens, n = want < whole ? want : whole;
    p->tokens -= n;
    meter_add(&p->granted, n, now);
    if (n == 0) *when = now + (mono_us)((1 - p->tokens) / p->cap * (double)US_PER_SEC) + 1;
    return n;
}

void pace_give_back(struct pace *p, unsigned n) {
    p->tokens += n;
}

/* ---- steps ---- */

static void set_cap(struct pace *p, double cap) {
    if (cap < p->floor) cap = p->floor;
    if (cap > p->ceiling) cap = p->ceiling;
    p->cap = cap;
}

/* A step is long enough that its answers are in and that it brought a few messages. */
static mono_us step_time(const struct pace *p, mono_us rtt) {
    mono_us t = 2 * rtt, few = (mono_us)(4 / p->cap * (double)US_PER_SEC);
    if (t < few) t = few;
    return t < SHORTEST_STEP ? SHORTEST_STEP : t;
}

/* Is it the pace that bounds the lane, and not the work or the connections? */
static bool binds(struct pace *p, mono_us now) {
    return meter_rate(&p->granted, 2 * US_PER_SEC, now) >= 0.8 * p->cap;
}

static void hold(struct pace *p, mono_us now) {
    p->mode = PACE_HOLD;
    mono_us messages = (mono_us)(150 / p->cap * (double)US_PER_SEC);
    p->next = now + (p->probe_wait > messages ? p->probe_wait : messages);
}

static void begin_step(struct pace *p, mono_us rtt, mono_us now) {
    p->took = p->turned = 0;
    p->counting = now + rtt + rtt / 4 + 20 * US_PER_MS;
    p->next = p->counting + step_time(p, rtt);
}

/* Sends nothing for a round trip: the answers that are on their way tell how bad it is. */
static void listen(struct pace *p, mono_us rtt, mono_us now) {
    p->took = p->turned = 0;
    p->counting = now;
    p->next = now + rtt + rtt / 4;
    p->quiet = p->next;
}

static double best_average(struct meter *m, mono_us least, mono_us now) {
    double best = 0;
    for (int i = 2; i <= METER_SLOTS; i++) {
        double rate = i * m->width >= least ? meter_rate(m, i * m->width, now) : 0;
        if (rate > best) best = rate;
    }
    return best;
}

/* Open again after nothing was accepted for a while. */
static void opened(struct pace *p, mono_us now) {
    mono_us shut = now - p->shut;
    p->shut = 0;
    if (shut > 62 * METER_SLOTS * US_PER_SEC / 2 && p->known > 0) {
        p->mode = PACE_GROW;
        set_cap(p, p->known / 4);
        p->next = now + SHORTEST_STEP;
        return;
    }
    double by_seconds = best_average(&p->taken, shut, now), by_minutes = best_average(&p->taken_long, shut, now);
    p->known = by_seconds > by_minutes ? by_seconds : by_minutes;
    set_cap(p, p->known * 0.97);
    hold(p, now);
}

void pace_accepted(struct pace *p, mono_us now) {
    meter_add(&p->taken, 1, now);
    meter_add(&p->taken_long, 1, now);
    if (now >= p->counting) p->took++;
    if (p->shut && now >= p->counting) opened(p, now);
}

/* Knocks, less and less often: a seventh of the time that it has been shut. */
static void knock(struct pace *p, mono_us now) {
    double wait = (double)(now - p->shut) / (double)US_PER_SEC / 7;
    set_cap(p, 1 / (wait > 0.5 ? wait : 0.5));
}

void pace_refused(struct pace *p, mono_us rtt, mono_us now) {
    if (p->mode != PACE_RETREAT) {
        p->from = p->mode;
        p->mode = PACE_RETREAT;
        listen(p, rtt, now);
        p->turned++;
    } else if (now >= p->counting) {
        p->turned++;
        if (p->took + p->turned >= 8 && p->turned > p->took) p->next = now; /* no doubt about it */
        if (p->shut) knock(p, now);
    }
}

static void retreat_over(struct pace *p, mono_us now) {
    if (p->from == PACE_GROW) {
        p->mode = PACE_CLIMB;
        p->step = 0.05;
        p->next = now;
        return;
    }
    bool same = p->known > 0 && p->cap > 0.9 * p->known && p->cap < 1.1 * p->known;
    p->known = p->cap;
    p->probe_wait = !same ? PROBE_FIRST : p->probe_wait * 3 / 2 < PROBE_MOST ? p->probe_wait * 3 / 2 : PROBE_MOST;
    hold(p, now);
}

static void retreat(struct pace *p, mono_us rtt, mono_us now) {
    unsigned n = p->took + p->turned;
    if (n == 0 || p->shut) {
        p->next = now + SHORTEST_STEP;
    } else if (p->turned == 0) {
        retreat_over(p, now);
    } else if (p->took == 0 && p->turned >= 4) {
        p->shut = now - step_time(p, rtt);
        p->counting = now + rtt + rtt / 4 + 20 * US_PER_MS;
        knock(p, now);
    } else {
        double guess = p->from == PACE_GROW ? 4 : 20, share = (p->took + guess) / (n + guess);
        set_cap(p, p->cap * share * 0.985);
        begin_step(p, rtt, now);
    }
}

static void grow(struct pace *p, mono_us rtt, mono_us now) {
    p->next = now + step_time(p, rtt);
    if (!binds(p, now)) return;
    if (p->known > 0 && p->cap * 2 >= p->known * below) {
        set_cap(p, p->known * below);
        hold(p, now);
    } else {
        set_cap(p, p->cap * 2);
    }
}

static void climb(struct pace *p, mono_us rtt, mono_us now) {
    if (p->known > 0 && p->cap > p->known * unknown_at) p->known = 0;
    if (p->known == 0 && p->step < 0.25) p->step *= 1.2;
    set_cap(p, p->cap * (1 + p->step));
    p->next = now + step_time(p, rtt);
}

void pace_step(struct pace *p, mono_us rtt, mono_us now) {
    if (now < p->next) return;
    switch (p->mode) {
    case PACE_GROW:
        grow(p, rtt, now);
        break;
    case PACE_RETREAT: retreat(p, rtt, now); break;
    case PACE_HOLD:
        if (!binds(p, now)) break;
        p->mode = PACE_CLIMB;
        p->step = 0.02;
        climb(p, rtt, now);
        break;
    case PACE_CLIMB:
        if (binds(p, now)) climb(p, rtt, now);
        break;
    }
}
