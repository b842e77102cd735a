/* The bounded map under the TLS sessions: a hash table of chains, and a ring in the order of use. */
#include "lru.h"

#include "hash.h"

#include <assert.h>
#include <stdlib.h>

struct ring {
    struct ring *newer, *older;
};

struct entry {
    struct ring ring; /* the first: a pointer to it is one to the entry */
    struct entry *chain;
    void *value;
    uint64_t hash;
    size_t key_len;
    char key[];
};

struct lru {
    struct ring ring; /* ring.older is the newest, ring.newer the oldest */
    struct entry **heads;
    size_t mask;
    size_t count;
    size_t most;
    uint64_t seed;
    void (*drop)(void *value);
};

struct lru *lru_open(size_t most, void (*drop)(void *value)) {
    assert(most > 0);
    struct lru *lru = calloc(1, sizeof *lru);
    if (!lru) return NULL;
    size_t heads = 16;
    while (heads < most)
        heads *= 2;
    lru->heads = calloc(heads, sizeof(struct entry *));
    if (!lru->heads) {
        free(lru);
        return NULL;
    }
    lru->mask = heads - 1;
    lru->most = most;
    lru->drop = drop;
    lru->seed = hash_mix((uintptr_t)lru);
    lru->ring.newer = lru->ring.older = &lru->ring;
    return lru;
}

static struct entry **find(struct lru *lru, struct slice key, uint64_t hash) {
    struct entry **at = &lru->heads[hash & lru->mask];
    while (*at && !((*at)->hash == hash && slice_eq(slice_make((*at)->key, (*at)->key_len), key)))
        at = &(*at)->chain;
    return at;
}

static void leave_ring(struct ring *r) {
    r->newer->older = r->older;
    r->older->newer = r->newer;
}

static void enter_ring(struct lru *lru, struct ring *r) {
    r->newer = &lru->ring;
    r->older = lru->ring.older;
    r->older->newer = r;
    lru->ring.older = r;
}

static void remove_at(struct lru *lru, struct entry **at) {
    struct entry *e = *at;
    *at = e->chain;
    leave_ring(&e->ring);
    lru->count--;
    lru->drop(e->value);
    free(e);
}

void lru_close(struct lru *lru) {
    if (!lru) return;
    for (size_t i = 0; i <= lru->mask; i++)
        while (lru->heads[i])
            remove_at(lru, &lru->heads[i]);
    free(lru->heads);
    free(lru);
}

void *lru_get(struct lru *lru, struct slice key) {
    struct entry *e = *find(lru, key, hash_bytes(key, lru->seed));
    if (!e) return NULL;
    leave_ring(&e->ring);
    enter_ring(lru, &e->ring);
    return e->value;
}

void lru_put(struct lru *lru, struct slice key, void *value) {
    uint64_t hash = hash_bytes(key, lru->seed);
    struct entry **at = find(lru, key, hash);
    if (*at) remove_at(lru, at);
    struct entry *e = malloc(sizeof *e + key.len);
    if (!e) {
        lru->drop(value);
        return;
    }
    if (lru->count == lru->most) {
        struct entry *oldest = (struct entry *)lru->ring.newer;
        remove_at(lru, find(lru, slice_make(oldest->key, oldest->key_len), oldest->hash));
    }
    *e = (struct entry){.value = value, .hash = hash, .key_len = key.len};
    if (key.len > 0) memcpy(e->key, key.at, key.len);
    e->chain = lru->heads[hash & lru->mask];
    lru->heads[hash & lru->mask] = e;
    enter_ring(lru, &e->ring);
    lru->count++;
}

void lru_remove(struct lru *lru, struct slice key) {
    struct entry **at = find(lru, key, hash_bytes(key, lru->seed));
    if (*at) remove_at(lru, at);
}

size_t lru_count(const struct lru *lru) {
    return lru->count;
}
