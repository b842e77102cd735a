/* Seeded hashing on xxHash. */
#include "hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(struct slice s, uint64_t seed) {
    return XXH3_64bits_withSeed(s.at, s.len, seed);
}

/* ascii_lower of eight bytes: in each, bit 7 of `upper` says that it is one of A to Z. */
static uint64_t lower8(uint64_t bytes) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t seven = bytes & 0x7f * ones;
    uint64_t upper = ~bytes & 0x80 * ones & ((seven + (0x80 - 'A') * ones) ^ (seven + (0x7f - 'Z') * ones));
    return bytes | upper >> 2;
}

uint64_t hash_nocase(struct slice s, uint64_t seed) {
    char low[1024];
    size_t n = s.len < sizeof low ? s.len : sizeof low, i = 0;
    for (uint64_t bytes; i + sizeof bytes <= n; i += sizeof bytes) {
        memcpy(&bytes, s.at + i, sizeof bytes);
        bytes = lower8(bytes);
        memcpy(low + i, &bytes, sizeof bytes);
    }
    for (; i < n; i++)
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
