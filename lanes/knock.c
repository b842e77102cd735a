/* New connections a minute. knock.h tells the rule. */
#include "knock.h"

#define MINUTE      (60 * US_PER_SEC)
#define RAISE_FIRST (3 * MINUTE)
#define RAISE_MOST  (30 * MINUTE)
#define LEAST_PAUSE (2 * US_PER_SEC)
#define MOST_PAUSE  (600 * US_PER_SEC)

static const double below = 0.98;

void knock_init(struct knock *k, double start, double floor, double ceiling, mono_us now) {
    *k = (struct knock){.limit = start, .floor = floor, .ceiling = ceiling, .tokens = 1};
    k->filled = now;
    k->raise_wait = RAISE_FIRST;
    k->raise_at = now + RAISE_FIRST;
    meter_init(&k->let_in, 2 * US_PER_SEC, now);
}

/* What is kept: the least of what is known and what the profile allows; 0: any number. */
static double kept(const struct knock *k) {
    double limit = k->limit * below;
    if (k->limit > 0 && limit < k->floor) limit = k->floor;
    return k->ceiling > 0 && (limit == 0 || limit > k->ceiling) ? k->ceiling : limit;
}

static void raise_limit(struct knock *k, mono_us now) {
    if (k->limit == 0 || !k->bound || k->door.shut || now < k->raise_at) return;
    k->bound = false;
    k->raise_at = now + MINUTE;
    if (k->before > 0 && k->limit < k->high) k->before = 0; /* that was good for long */
    double half = (k->limit + k->high) / 2;
    bool narrowed = k->before == 0 && k->high > 0 && half < k->limit * 1.08;
    if (k->before == 0) k->before = k->limit;
    if (narrowed && half > k->limit * 1.01) {
        k->limit = half;
        k->raise_at = now + k->raise_wait;
        return;
    }
    k->high = 0;
    k->limit *= k->limit < k->before * 1.25 ? 1.08 : 1.5;
    if (k->limit < k->before + 1) k->limit = k->before + 1;
}

bool knock_may(struct knock *k, mono_us now, mono_us *when) {
    if (k->door.shut && now < k->door.next) {
        *when = k->door.next;
        return false;
    }
    double limit = kept(k);
    if (limit == 0) return true;
    double most = limit / 60 > 1 ? limit / 60 : 1;
    k->tokens += (double)(now - k->filled) / (double)MINUTE * limit;
    if (k->tokens > most) k->tokens = most;
    k->filled = now;
    if (k->tokens >= 1 || (k->door.shut && k->ceiling == 0)) return true;
    k->bound = true;
    raise_limit(k, now);
    *when = now + (mono_us)((1 - k->tokens) / limit * (double)MINUTE) + 1;
    return false;
}

void knock_moved(struct knock *k) {
    k->tokens -= 1;
    if (k->tokens < 0 && k->ceiling == 0) k->tokens = 0;
}

void knock_opened(struct knock *k, mono_us now) {
    mono_us when;
    knock_moved(k);
    if (k->door.shut) door_knock(&k->door, now, &when);
}

/* From one opening to the next is one of the server's minutes, however long these are, or a few. */
static void look_back(struct knock *k, mono_us now) {
    double average = k->counted / ((double)(now - k->counting) / (double)MINUTE);
    if (k->unsure && now > k->counting && average > k->limit) k->limit = average;
    k->unsure = false;
    k->counting = now;
    k->counted = 0;
}

void knock_let_in(struct knock *k, mono_us now) {
    if (k->counting == 0) k->counting = now;
    meter_add(&k->let_in, 1, now);
    uint32_t minute = (uint32_t)meter_sum(&k->let_in, MINUTE, now);
    if (k->door.shut) {
        mono_us alone = now - k->door.last;
        if (k->staying_away && k->door.knocks > 1 && alone > k->quiet) k->quiet = alone;
        if (!k->staying_away) look_back(k, now);
        k->staying_away = false;
        door_opened(&k->door, now);
    }
    k->counted++;
    if (k->limit > 0 && minute > k->limit) k->limit = minute;
}

bool knock_fits(struct knock *k, mono_us now) {
    uint32_t minute = (uint32_t)meter_sum(&k->let_in, MINUTE, now);
    return k->door.shut || minute >= 3;
}

void knock_refused(struct knock *k, mono_us now) {
    if (k->door.shut) {
        door_refused(&k->door, now);
        return;
    }
    uint32_t minute = (uint32_t)meter_sum(&k->let_in, MINUTE, now);
    k->blamed = k->limit;
    if (k->before > 0) {
        k->high = k->limit;
        k->limit = k->before;
        k->failed = now;
        k->raise_wait = k->raise_wait * 3 / 2 < RAISE_MOST ? k->raise_wait * 3 / 2 : RAISE_MOST;
    } else if (k->limit == 0 || minute < k->limit * 0.8) {
        k->limit = minute > 0 ? minute : 1;
        k->raise_wait = RAISE_FIRST;
        k->high = 0;
        k->unsure = true;
    } else if (k->failed == 0 || now - k->failed > MINUTE) { /* else it is still counted */
        k->limit *= below;
    }
    k->before = 0;
    k->tokens = 0;
    k->raise_at = now + k->raise_wait;
    door_shut(&k->door, LEAST_PAUSE, MOST_PAUSE, now);
}

void knock_stay_away(struct knock *k, mono_us now) {
    k->staying_away = true;
    if (k->door.shut)
        door_refused(&k->door, now);
    else
        door_shut(&k->door, k->quiet > LEAST_PAUSE ? k->quiet : LEAST_PAUSE, MOST_PAUSE, now);
}

void knock_pardon(struct knock *k) {
    if (!k->door.shut && k->limit == 0) return;
    k->limit = k->blamed;
    k->before = 0;
    k->door.shut = false;
}

void knock_forget(struct knock *k, double start, mono_us now) {
    k->limit = start;
    k->blamed = k->before = k->high = 0;
    k->quiet = k->failed = 0;
    k->raise_wait = RAISE_FIRST;
    k->raise_at = now + RAISE_FIRST;
    k->staying_away = k->unsure = k->door.shut = false;
}
