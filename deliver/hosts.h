/* What a worker remembers of hosts: those that mishandled BDAT, and how many mails a host takes in a session
 * when it has shown that without saying it (LIMITS, RFC 9422, is what says it). Kept for a time, and bounded:
 * the least recently used are forgotten, and shown again what they do not take. */
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

/* Most mails of a session with it; 0: not known. */
unsigned hosts_mails_max(const struct hosts *h, struct slice host, mono_us now);
/* A busy session ended at a MAIL, after so many others: with 421, or without a word (not `said`), which
 * connections do for other reasons too and so counts only when it comes after as many as the last time. The
 * number holds for an hour, and for a day when it is shown again after that; 0 mails show nothing. */
void hosts_ended_at_mail(struct hosts *h, struct slice host, unsigned mails, bool said, mono_us now);

#endif
