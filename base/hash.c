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

_Static_assert(sizeof(struct hash_stream) == sizeof(XXH64_state_t), "room for the state");

void hash_stream_init(struct hash_stream *h) {
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    memcpy(h, &state, sizeof state);
}

void hash_stream_add(struct hash_stream *h, struct slice s) {
    if (s.len) XXH64_update((XXH64_state_t *)(void *)h, s.at, s.len);
}

uint64_t hash_stream_end(const struct hash_stream *h) {
    return XXH64_digest((const XXH64_state_t *)(const void *)h);
}
