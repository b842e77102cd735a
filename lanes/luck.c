/* Connections refused by chance. luck.h tells how they are told apart. */
#include "luck.h"

#include <math.h>

static const double first = 0.01, first_seen = 1000; /* assumed of every server */
static const double worth = 0.08;                    /* limits that are kept refuse less */
static const double fading = 200;                    /* attempts */
static const double doubtful = 0.002;                /* not by chance, if that is how seldom it would be */

enum { REFUSED_LEAST = 12, AGAIN_LEAST = 8, STAYS_LEAST = 60 };

void luck_init(struct luck *k) {
    *k = (struct luck){0};
    doubt_init(&k->doubt, first, first_seen);
}

static void count(struct luck *k, bool refused) {
    k->tried++;
    k->refused += refused;
    if (k->row > 0) {
        k->again++;
        k->again_refused += refused;
    }
    if (k->tried > fading) {
        k->tried /= 2;
        k->refused /= 2;
        k->again /= 2;
        k->again_refused /= 2;
    }
    if (!k->found) return;
    doubt_learn(&k->doubt, refused, 1);
    if (k->doubt.base > worth / 2) return;
    k->found = false; /* it is over */
    doubt_init(&k->doubt, first, first_seen);
}

void luck_let_in(struct luck *k) {
    count(k, false);
    doubt_taken(&k->doubt);
    k->row = 0;
}

bool luck_refused(struct luck *k) {
    count(k, true);
    k->row++;
    double share = k->refused / k->tried;
    if (k->found || k->refused < REFUSED_LEAST || k->again < AGAIN_LEAST || share < worth ||
        k->again_refused > k->again * (1.5 * share + 0.1))
        return false;
    k->found = true;
    doubt_init(&k->doubt, share, k->tried);
    return true;
}

bool luck_explains(const struct luck *k, uint32_t row) {
    return k->found && pow(k->doubt.base, row) >= doubtful;
}

void luck_watch(struct luck *k) {
    k->tried = k->refused = k->again = k->again_refused = 0;
}

bool luck_stays(const struct luck *k) {
    return k->found && k->tried >= STAYS_LEAST && k->refused >= k->tried * k->doubt.base * 0.7;
}
