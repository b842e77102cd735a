/* A blocked Bloom filter: the low bits of the hash choose a line of 512 bits, six bits of that are set. */
#include "suppress_filter.h"

#include <stdlib.h>
#include <string.h>

enum { LINE = 64, ADDRESSES_A_LINE = 40, LINES_LEAST = 64, BITS = 6 };

bool suppress_filter_init(struct suppress_filter *f, uint64_t addresses) {
    uint64_t lines = LINES_LEAST;
    while (lines * ADDRESSES_A_LINE < addresses && lines * LINE < SUPPRESS_FILTER_MAX)
        lines *= 2;
    *f = (struct suppress_filter){.mask = lines - 1};
    f->lines = aligned_alloc(LINE, lines * LINE);
    if (f->lines) memset(f->lines, 0, lines * LINE);
    return f->lines != NULL;
}

void suppress_filter_done(struct suppress_filter *f) {
    free(f->lines);
    *f = (struct suppress_filter){0};
}

uint64_t suppress_filter_room(const struct suppress_filter *f) {
    return f->lines ? (f->mask + 1) * ADDRESSES_A_LINE : 0;
}

bool suppress_filter_can_grow(const struct suppress_filter *f) {
    return !f->lines || (f->mask + 1) * LINE < SUPPRESS_FILTER_MAX;
}

/* The places of the six bits, nine bits each; the line was chosen by the low ones. */
static uint64_t places(uint64_t hash) {
    hash ^= hash >> 32;
    return hash * UINT64_C(0x9e3779b97f4a7c15) >> 10;
}

void suppress_filter_add(struct suppress_filter *f, uint64_t hash) {
    if (!f->lines) return;
    uint64_t *line = f->lines[hash & f->mask], at = places(hash);
    for (int i = 0; i < BITS; i++, at >>= 9)
        line[at >> 6 & 7] |= UINT64_C(1) << (at & 63);
    f->added++;
}

bool suppress_filter_maybe(const struct suppress_filter *f, uint64_t hash) {
    if (!f->lines) return false;
    const uint64_t *line = f->lines[hash & f->mask];
    uint64_t at = places(hash);
    for (int i = 0; i < BITS; i++, at >>= 9)
        if (!(line[at >> 6 & 7] >> (at & 63) & 1)) return false;
    return true;
}
