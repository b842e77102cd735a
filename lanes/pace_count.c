/* How a server counts, as far as it shows: what it gives at once, and the windows of time after which it is
 * open again. pace.h tells what is made of it. */
#include "pace_priv.h"

#define KNOCKS_APART    (1800 * US_PER_SEC)
#define SHORTEST_WINDOW (3 * US_PER_SEC)
#define HOUR            (3600 * US_PER_SEC)
enum { TELLS_A_WINDOW = 8 }; /* messages taken */

/* The highest average over any stretch of at least `least` up to `until`. */
static double best_average(struct meter *m, mono_us least, double best, mono_us *window, mono_us until,
                           mono_us now) {
    for (int i = 2; i <= METER_SLOTS; i++) {
        mono_us time = (i - 1) * m->width + now % m->width - (now - until);
        if (time < least || time < m->width) continue;
        double rate = (double)meter_sum(m, i * m->width, now) * (double)US_PER_SEC / (double)time;
        if (rate <= best) continue;
        best = rate;
        *window = time;
    }
    return best;
}

static double most_beyond(struct meter *m, double rate, mono_us from, mono_us until, mono_us now) {
    double most = 0;
    for (int i = 1; i <= METER_SLOTS && now - i * m->width >= from; i++) {
        mono_us time = i * m->width - (now - until);
        double beyond =
            time > 0 ? (double)meter_sum(m, i * m->width, now) - rate * (double)time / (double)US_PER_SEC : 0;
        if (beyond > most) most = beyond;
    }
    return most;
}

/* What was taken beyond `known` before the first refusal. */
void pace_note_burst(struct pace *p, mono_us until, mono_us now) {
    if (p->climbed_from > 0 && p->known > p->climbed_from * pace_refuted_at)
        p->burst = 0; /* of another limit */
    double beyond = most_beyond(&p->taken, p->known, p->climb_began - US_PER_SEC, until, now);
    if (beyond > p->burst) p->burst = beyond;
}

/* ---- shut, and open again ---- */

void pace_asked_rest(struct pace *p, mono_us rest) {
    p->rest = pace_later(p->rest, rest);
    if (p->mode == PACE_SHUT) p->door.most = pace_later(p->door.most, rest);
}

void pace_shut(struct pace *p, mono_us rtt, mono_us now) {
    p->mode = PACE_SHUT;
    p->is_new = false;
    if (now - p->opened_last > 2 * (p->opened_last - p->shut_first) + 2 * US_PER_SEC || p->opened_last == 0)
        p->shut_first = now;
    mono_us least = pace_later(pace_later(rtt, pace_time_for(0.7, p->cap)), US_PER_SEC / 2);
    least = pace_later(least, p->window / 20);
    door_shut(&p->door, least, pace_later(KNOCKS_APART, p->rest), now);
    p->counting = now + rtt + rtt / 4 + 20 * US_PER_MS;
}

/* The limit, after it was shut for `time`. From one opening to the next is one window, or a few; the first
 * time it is whatever stretch has the highest average. until: when it opened, about. */
static double shut_average(struct pace *p, mono_us time, mono_us until, mono_us before, mono_us now) {
    mono_us since = now - before;
    struct meter *m = since < (METER_SLOTS - 2) * US_PER_SEC ? &p->taken : &p->taken_long;
    bool few = before > 0 && (p->window == 0 || since < p->window * 5 / 2);
    if (few && since < (METER_SLOTS - 2) * m->width && since > 2 * m->width) {
        if (p->window == 0 || since < p->window) p->window = since;
        return (double)meter_sum(m, since, now) * (double)US_PER_SEC / (double)(until - before);
    }
    mono_us window = p->window;
    time = pace_later(time, window * 9 / 10);
    double average = best_average(&p->taken, time, 0, &p->window, until, now);
    average = best_average(&p->taken_long, pace_later(time, METER_SLOTS * US_PER_SEC), average, &p->window,
                           until, now);
    if (window > 0) p->window = window;
    return average;
}

/* Was so little taken lately that it says nothing of a window? */
static bool next_to_nothing(struct pace *p, mono_us now) {
    return meter_sum(&p->taken_long, METER_SLOTS * p->taken_long.width, now) < TELLS_A_WINDOW;
}

/* What was known holds. Should it be a window after all, the next opening measures it. */
static void after_outage(struct pace *p, mono_us now) {
    p->known = p->known_before;
    p->mode = PACE_GROW;
    p->alarmed = 0;
    p->cuts = p->contrasts = p->took = p->turned = p->said = 0;
    p->tried_share = p->raised_from = p->too_high = 0;
    pace_set_cap(p, p->cap_before / 4);
    p->counting = now;
    p->next = now + PACE_SHORTEST_STEP;
}

void pace_opened(struct pace *p, mono_us rtt, mono_us now) {
    mono_us last = p->door.last, time = last - p->shut_first; /* at least */
    mono_us before = p->opened_last;
    door_opened(&p->door, now);
    p->opened_last = now;
    p->row = 0;
    p->rest = 0;
    p->tokens = 0;
    if (time > HOUR) { /* no rate: a quota, or a ban */
        if (p->known > 0) {
            pace_set_cap(p, p->known / 2);
            p->mode = PACE_GROW;
            p->next = now + PACE_SHORTEST_STEP;
        } else {
            p->mode = PACE_GROW;
            pace_set_cap(p, p->cap / 4);
        }
        return;
    }
    if (before == 0 && p->window == 0 && next_to_nothing(p, now)) {
        after_outage(p, now);
        return;
    }
    double average = shut_average(p, time, now - (now - last) / 2, before, now);
    p->known = p->sent < average ? p->sent : average;
    if (p->window < SHORTEST_WINDOW) p->window = 0; /* as good as a bucket */
    if (p->from == PACE_CLIMB) pace_try_later(p);
    if (p->from == PACE_CLIMB && p->known < p->climbed_from)
        p->known = p->climbed_from; /* which was good for long */
    p->from = PACE_SHUT;
    pace_note_burst(p, p->shut_first, now);
    pace_set_cap(p, p->known * pace_below);
    pace_begin_step(p, PACE_SETTLE, rtt, now);
}

/* In the last window, a second: what a server that counts by such windows takes. */
double pace_window_average(struct pace *p, mono_us now) {
    struct meter *m = p->window < (METER_SLOTS - 2) * US_PER_SEC ? &p->taken : &p->taken_long;
    return (double)meter_sum(m, p->window, now) * (double)US_PER_SEC / (double)p->window;
}
