/* Which addresses surely have no row of suppression: a Bloom filter of one cache line an address.
 *
 * Answers nearly every question without the store: "maybe" for those that were added, and wrongly for about
 * one in two hundred others while it holds no more than suppress_filter_room() addresses. Nothing can be
 * taken out; a new one is filled instead. Memory: 64 bytes for 40 addresses, SUPPRESS_FILTER_MAX at most,
 * whatever is added. */
#ifndef TSUBAME_SUPPRESS_FILTER_H
#define TSUBAME_SUPPRESS_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUPPRESS_FILTER_MAX = 16 << 20 };

struct suppress_filter {
    uint64_t (*lines)[8]; /* NULL: nothing was added and nothing is there */
    uint64_t mask;
    uint64_t added;
};

/* Room for so many addresses, as far as the bound allows. False without memory. */
bool suppress_filter_init(struct suppress_filter *f, uint64_t addresses);
void suppress_filter_done(struct suppress_filter *f);

/* How many it is good for. */
uint64_t suppress_filter_room(const struct suppress_filter *f);
bool suppress_filter_can_grow(const struct suppress_filter *f);

/* Hashes are suppress_hash's. */
void suppress_filter_add(struct suppress_filter *f, uint64_t hash);
bool suppress_filter_maybe(const struct suppress_filter *f, uint64_t hash);

#endif
