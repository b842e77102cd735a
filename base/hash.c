/* Seeded hashing on xxHash. */
#include "hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(struct slice s, uint64_t seed) {
    return XXH3_64bits_withSeed(s.at, s.len, seed);
}

uint64_t hash_nocase(struct slice s, uint64_t seed) {
    char low[1024];
    size_t n = s.len < sizeof low ? s.len : sizeof low;
    for (size_t i = 0; i < n; i++)
        low[i] = ascii_lower(s.at[i]);
    return XXH3_64bits_withSeed(low, n, seed);
}

uint64_t hash_mix(uint64_t x) {
    return XXH3_64bits(&x, sizeof x);
}
