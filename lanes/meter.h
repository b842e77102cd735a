/* Counts by time: how many in the last so many seconds. Pure; fixed size.
 *
 * A ring of slots of `width` microseconds. What is asked for is rounded to whole slots, the running one
 * included. */
#ifndef TSUBAME_METER_H
#define TSUBAME_METER_H

#include "clock.h"

enum { METER_SLOTS = 128 };

struct meter {
    mono_us width;
    int64_t head; /* number of the running slot */
    int64_t first;
    uint32_t count[METER_SLOTS];
};

void meter_init(struct meter *m, mono_us width, mono_us now);
void meter_add(struct meter *m, uint32_t n, mono_us now);
/* So many of those counted last were none. */
void meter_take_back(struct meter *m, uint32_t n);
/* In the last `span` (at most METER_SLOTS slots). */
uint64_t meter_sum(struct meter *m, mono_us span, mono_us now);
/* The same a second, over the time since the beginning where that is shorter than `span`. */
double meter_rate(struct meter *m, mono_us span, mono_us now);

#endif
