/* What a lane has learned, as bytes that outlive a restart, and the key that they are found by. Pure. */
#ifndef TSUBAME_LANE_MEMORY_H
#define TSUBAME_LANE_MEMORY_H

#include "learn.h"

#include "buf.h"

enum { LANE_MEMORY_BYTES = 96, LANE_KEY_BYTES = 420 }; /* at most */

/* Is there anything in it that the profile did not say before? */
bool lane_memory_knows(const struct learn_memory *m, const struct learn_profile *profile);

/* Appends it, with a version in front. */
bool lane_memory_encode(const struct learn_memory *m, struct buf *out);
/* False for whatever does not make sense: another version, bytes missing or too many, numbers that no lane
 * has. *m is then as it was. */
bool lane_memory_decode(struct slice bytes, struct learn_memory *m);

/* Source and provider; for a lane that is not all of a provider, also which mail exchangers (lane_set). */
bool lane_key_encode(struct slice source, struct slice provider, uint64_t set, struct buf *out);
/* The slices point into the key. */
bool lane_key_decode(struct slice key, struct slice *source, struct slice *provider, uint64_t *set);

/* A set of mail exchangers, the same in whatever order and in every run. Begin with 0; never 0 afterwards. */
uint64_t lane_set_add(uint64_t set, struct slice host);

#endif
