/* Are connections refused by chance, whatever is done? Pure.
 *
 * Counted are attempts with no limit near: not those that were one more than ever. A limit's refusals come
 * one after the other (until something has passed), and get few once one is careful; those of chance do
 * neither: right after a refusal as many are let in as ever, and their share stays. Once that is found each
 * refusal is weighed by that share, and what is refused again and again in the same place is still a limit's
 * doing. */
#ifndef TSUBAME_LUCK_H
#define TSUBAME_LUCK_H

#include "doubt.h"

#include <stdint.h>

struct luck {
    struct doubt doubt;
    double tried, refused;       /* connections; older ones fade */
    double again, again_refused; /* of these: straight after one that was refused */
    uint32_t row;                /* refused, since the last that was let in */
    bool found;                  /* a share that is worth mentioning is refused by chance */
};

void luck_init(struct luck *k);
void luck_let_in(struct luck *k);
/* One was refused, with no limit near. True: now it is found that this is chance. */
bool luck_refused(struct luck *k);
/* Could so many refusals in a row still be chance? Before any is found there is none. */
bool luck_explains(const struct luck *k, uint32_t row);
/* Something else is blamed for what is refused: from now on it is seen whether there is less of it. */
void luck_watch(struct luck *k);
/* Is as much refused as by chance all the same? */
bool luck_stays(const struct luck *k);

#endif
