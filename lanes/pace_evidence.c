/* A limit, or chance? pace_evidence.h tells how it is weighed. */
#include "pace_evidence.h"

#include <math.h>

static const float enough = 48; /* answers at a pace; older ones fade */
static const float before_most = 200;
static const double near = 1.1;   /* paces that are as good as the same */
static const double finer = 1.15; /* from one limit that is tried to the next */

void evidence_clear(struct evidence *t) {
    *t = (struct evidence){0};
}

static struct evidence_at *find(struct evidence *t, double pace) {
    for (uint32_t i = 0; i < t->count; i++)
        if (pace < t->at[i].pace * near && pace * near > t->at[i].pace) return &t->at[i];
    struct evidence_at *p = &t->at[t->count < EVIDENCE_PACES ? t->count++ : t->oldest++ % EVIDENCE_PACES];
    *p = (struct evidence_at){.pace = pace};
    return p;
}

void evidence_add(struct evidence *t, double pace) {
    if (t->count == 0 && t->turned == 0) {
        t->before = t->before + (float)t->took < before_most ? t->before + (float)t->took : before_most;
    } else if (t->took + t->turned > 0) {
        struct evidence_at *p = find(t, pace);
        p->took += (float)t->took;
        p->turned += (float)t->turned;
        float n = p->took + p->turned;
        if (n > enough) {
            p->took *= enough / n;
            p->turned *= enough / n;
        }
    }
    t->took = t->turned = 0;
}

double evidence_next(const struct evidence *t, double below) {
    double highest = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (t->at[i].pace > highest && t->at[i].pace < below) highest = t->at[i].pace;
    return highest;
}

/* Of the answers, with that limit (0: none) and so much refused by chance. */
static double likelihood(const struct evidence *t, double limit, double base) {
    double sum = t->before * log(1 - base);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct evidence_at *p = &t->at[i];
        double takes = 1 - base;
        if (limit > 0 && p->pace > limit) takes *= limit / p->pace;
        sum += p->took * log(takes) + p->turned * log(1 - takes);
    }
    return sum;
}

double evidence_weigh(const struct evidence *t, double pace, double *base, double *beside, double *n) {
    static const double bases[] = {0.0005, 0.005, 0.01, 0.02, 0.035, 0.05, 0.07,
                                   0.1,    0.13,  0.17, 0.22, 0.3,   0.4,  0.5};
    double least = pace, none = -INFINITY, some = -INFINITY;
    *n = t->before;
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->at[i].pace < least) least = t->at[i].pace;
        *n += t->at[i].took + t->at[i].turned;
    }
    for (unsigned i = 0; i < sizeof bases / sizeof *bases; i++) {
        double alone = likelihood(t, 0, bases[i]);
        if (alone > none) {
            none = alone;
            *base = bases[i];
        }
        double down = 1.02; /* nearer ones first: what is a little too fast is refused a little */
        double limit = pace / down;
        while (limit > least / 2) {
            double with = likelihood(t, limit, bases[i]);
            if (with > some) {
                some = with;
                *beside = bases[i];
            }
            if (down < finer) down *= 1.02;
            limit /= down;
        }
    }
    return none - some;
}
