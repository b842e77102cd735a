/* What a climb into the unknown has shown so far: is it a limit that refuses, or chance? Pure; fixed size.
 *
 * A limit that is passed refuses the share 1 - limit/pace, and nothing below; chance refuses the same share
 * at any pace. So all paces of the climb are weighed together: how likely are their answers with a limit
 * below the pace in question, and how likely with none up to it? What was taken before the first refusal may
 * have been the server's burst, and only tells how much is refused by chance. */
#ifndef TSUBAME_PACE_EVIDENCE_H
#define TSUBAME_PACE_EVIDENCE_H

#include <stdint.h>

enum { EVIDENCE_PACES = 12 };

struct evidence {
    struct evidence_at {
        double pace; /* messages a second */
        float took, turned;
    } at[EVIDENCE_PACES];
    uint32_t count, oldest;
    float before;          /* taken, before the first refusal */
    uint32_t took, turned; /* of the step that is under way */
};

void evidence_clear(struct evidence *t);
/* The answers under way were to messages sent at that pace, a second. */
void evidence_add(struct evidence *t, double pace);
/* The highest of its paces that is below that one; 0: none. */
double evidence_next(const struct evidence *t, double below);
/* How much likelier (as a logarithm) are the answers without a limit below `pace` than with one; *base: the
 * share that is refused by chance then, *beside: the same with a limit, *n: of so many answers. */
double evidence_weigh(const struct evidence *t, double pace, double *base, double *beside, double *n);

#endif
