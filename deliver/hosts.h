/* What a worker remembers of hosts: those that mishandled BDAT, for a day. Bounded: the least recently used
 * are forgotten, and tried with BDAT again. */
#ifndef TSUBAME_HOSTS_H
#define TSUBAME_HOSTS_H

#include "clock.h"
#include "slice.h"

struct lru;

struct hosts {
    struct lru *without_bdat; /* by "name [address]"; NULL before the first */
};

/* {0} is an empty one. */
void hosts_done(struct hosts *h);

bool hosts_takes_bdat(const struct hosts *h, struct slice host, mono_us now);
void hosts_mishandled_bdat(struct hosts *h, struct slice host, mono_us now);

#endif
