/* Refusals told from those that always come. doubt.h tells how. */
#include "doubt.h"

#include <math.h>

static const double overload = 0.3;  /* share refused by a limit that is worth a step */
static const double more = 0.2;      /* the same, of what is not refused by chance, where that is much */
static const double memory = 3000;   /* answers */
static const double taken = -0.3567; /* ln(1 - overload) */

void doubt_init(struct doubt *d, double base, double seen) {
    *d = (struct doubt){.base = base, .seen = seen};
}

/* The share that an overload would refuse, chance and all. */
static double beyond(double base) {
    double share = base + (1 - base) * more;
    return share > overload ? share : overload;
}

void doubt_taken(struct doubt *d) {
    double share = beyond(d->base);
    d->score += share > overload ? log((1 - share) / (1 - d->base)) : taken;
    if (d->score < 0) d->score = 0;
}

bool doubt_refused(struct doubt *d, double messages) {
    double base = d->base > 1 / memory ? d->base : 1 / memory;
    double gain = log(beyond(base) / base);
    d->score += gain > 0.2 ? gain : 0.2; /* however much is refused: if nothing is taken any more it shows */
    if (d->score < log(messages < 40 ? 40 : messages > 1e8 ? 1e8 : messages)) return false;
    d->score = 0;
    return true;
}

void doubt_learn(struct doubt *d, double refused, double n) {
    if (n <= 0) return;
    d->base = (d->base * d->seen + refused) / (d->seen + n);
    d->seen = d->seen + n < memory ? d->seen + n : memory;
}

bool doubt_many(double base, double refused, double n, double sigmas) {
    double expected = base * n;
    return refused > expected + sigmas * sqrt(expected) + 0.5;
}
