/* What a worker remembers of hosts: those that mishandled BDAT. Kept for a time, and bounded: the least
 * recently used are forgotten, and asked again. */
#ifndef TSUBAME_HOSTS_H
#define TSUBAME_HOSTS_H

#include "clock.h"
#include "slice.h"

struct lru;

struct hosts {
    struct lru *known; /* by "name [address]"; NULL before the first */
};

/* {0} is an empty one. */
void hosts_done(struct hosts *h);

bool hosts_takes_bdat(const struct hosts *h, struct slice host, mono_us now);
/* It is not spoken to with BDAT for a day. */
void hosts_mishandled_bdat(struct hosts *h, struct slice host, mono_us now);

#endif
