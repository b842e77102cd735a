/* Spacing of attempts. */
#include "retry.h"

#include "hash.h"

struct retry_options retry_soon(const struct retry_options *options) {
    struct retry_options soon = *options;
    soon.first_us /= 5;
    return soon;
}

enum { BELIEVED = 3 /* attempts */ };

/* From 0 to 1. */
static double chance(uint64_t seed, unsigned attempts) {
    return (double)(hash_mix(seed ^ attempts) >> 11) * 0x1p-53;
}

int64_t retry_pause(const struct retry_options *options, unsigned attempts, uint64_t seed, int64_t least_us) {
    double pause = (double)options->first_us;
    for (unsigned i = 1; i < attempts && pause < (double)options->most_us; i++)
        pause *= options->factor;
    if (pause > (double)options->most_us) pause = (double)options->most_us;
    int64_t jittered = (int64_t)(pause * (0.85 + 0.3 * chance(seed, attempts)));
    return jittered > least_us ? jittered : least_us;
}

int64_t retry_as_named(const struct retry_options *options, unsigned attempts, uint64_t seed,
                       int64_t named_us) {
    if (attempts > BELIEVED) return retry_pause(options, attempts, seed, named_us);
    return (int64_t)((double)named_us * (1.02 + 0.13 * chance(seed, attempts))) + US_PER_SEC;
}
