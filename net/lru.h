/* A bounded map from bytes to pointers that forgets the least recently used. Not for several threads. */
#ifndef TSUBAME_LRU_H
#define TSUBAME_LRU_H

#include "slice.h"

struct lru;

/* most: entries, at least 1. drop is called for each value that leaves. NULL without memory. */
struct lru *lru_open(size_t most, void (*drop)(void *value));
void lru_close(struct lru *lru); /* drops all; NULL is fine */

/* The value, now the most recently used, or NULL. It stays the map's. */
void *lru_get(struct lru *lru, struct slice key);

/* Takes the value over, in place of an older one. Without memory the value is dropped at once. */
void lru_put(struct lru *lru, struct slice key, void *value);
void lru_remove(struct lru *lru, struct slice key);
size_t lru_count(const struct lru *lru);

#endif
