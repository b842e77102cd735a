/* When a deferred recipient is tried again: exponential spacing with jitter (RFC 5321 section 4.5.4.1). Pure.
 */
#ifndef TSUBAME_RETRY_H
#define TSUBAME_RETRY_H

#include "clock.h"

struct retry_options {
    int64_t first_us; /* after the first attempt */
    int64_t most_us;
    double factor; /* at least 1 */
};

/* The same for mail that somebody waits for: it begins with a fifth of the first pause, and comes to the same
 * longest one. */
struct retry_options retry_soon(const struct retry_options *options);

/* The pause after `attempts` attempts (from 1): first x factor^(attempts - 1), at most `most`, times 0.85
 * to 1.15 by a hash of seed and attempts, so that those deferred together do not come back together.
 * least_us: what the receiver asked for, or 0; the pause is never shorter. */
int64_t retry_pause(const struct retry_options *options, unsigned attempts, uint64_t seed, int64_t least_us);

/* The same where the receiver has named the moment from which on it takes the mail, and will not for ever
 * (greylisting): just after it, be that sooner than `first` or not, by 2 to 15 % and a second. Who puts off
 * for the fourth time is no longer taken at its word: retry_pause, and never sooner than named. */
int64_t retry_as_named(const struct retry_options *options, unsigned attempts, uint64_t seed,
                       int64_t named_us);

#endif
