/* Hashes that are not secrets: XXH3 with a seed. For what must not be forged see queue/rid.h. */
#ifndef TSUBAME_HASH_H
#define TSUBAME_HASH_H

#include "slice.h"

uint64_t hash_bytes(struct slice s, uint64_t seed);

/* The hash of the bytes with ASCII letters lowered; s.len at most 1024, beyond that only the first 1024
 * count. */
uint64_t hash_nocase(struct slice s, uint64_t seed);

/* A well-mixed function of x: deterministic jitter, sampling. */
uint64_t hash_mix(uint64_t x);

/* XXH64 with seed 0 over bytes that come in pieces, however they are cut: what `xxhsum -H64` prints. */
struct hash_stream {
    uint64_t state[11];
};
void hash_stream_init(struct hash_stream *h);
void hash_stream_add(struct hash_stream *h, struct slice s);
uint64_t hash_stream_end(const struct hash_stream *h);

#endif
