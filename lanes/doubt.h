/* Is a refusal a sign of a limit, or one of those that always come? Pure.
 *
 * Some servers refuse one message in a hundred whatever is done. That share is learned (the base), and what
 * comes above it is told apart by a cumulative sum of log-likelihood ratios: each refusal adds
 * ln(overload/base), each message taken adds ln(1 - overload). When the sum reaches the threshold this is
 * no chance. So where nothing is ever refused one refusal says enough, and where one in twenty is, it takes
 * several close together. The base is learned only from answers that the caller vouches for: those that came
 * while the lane was well below any limit. */
#ifndef TSUBAME_DOUBT_H
#define TSUBAME_DOUBT_H

#include <stdbool.h>
#include <stdint.h>

struct doubt {
    double base; /* share refused for no reason of ours */
    double seen; /* answers that it rests on; older ones fade */
    double score;
};

/* base: to begin with, as if known from `seen` answers. */
void doubt_init(struct doubt *d, double base, double seen);
void doubt_taken(struct doubt *d);
/* True: this is no chance; the score begins anew. messages: one false alarm in so many is bearable. */
bool doubt_refused(struct doubt *d, double messages);
/* Of n answers so many were refused while there was no limit near. */
void doubt_learn(struct doubt *d, double refused, double n);
/* Are so many of n more than the base brings? */
bool doubt_many(double base, double refused, double n, double sigmas);

#endif
