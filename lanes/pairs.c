/* A hash table with chains. */
#include "pairs.h"

#include "hash.h"

#include <assert.h>
#include <stdlib.h>

bool pairs_init(struct pairs *p, uint64_t seed) {
    *p = (struct pairs){.size = 1024, .seed = seed};
    p->slots = calloc(p->size, sizeof(struct pair *));
    return p->slots != NULL;
}

void pairs_done(struct pairs *p) {
    free(p->slots);
    *p = (struct pairs){0};
}

static struct pair **slot_of(const struct pairs *p, const void *of, const void *whose) {
    uint64_t hash = hash_mix(((uint64_t)(uintptr_t)of ^ p->seed) + hash_mix((uint64_t)(uintptr_t)whose));
    return &p->slots[hash & (p->size - 1)];
}

struct pair *pairs_find(const struct pairs *p, const void *of, const void *whose) {
    struct pair *at = *slot_of(p, of, whose);
    while (at && (at->of != of || at->whose != whose))
        at = at->same_hash;
    return at;
}

/* Going on with fewer slots is slow, not wrong. */
static void grow(struct pairs *p) {
    struct pairs larger = {.size = p->size * 2, .used = p->used, .seed = p->seed};
    larger.slots = calloc(larger.size, sizeof(struct pair *));
    if (!larger.slots) return;
    for (size_t i = 0; i < p->size; i++)
        for (struct pair *at = p->slots[i], *next; at; at = next) {
            struct pair **to = slot_of(&larger, at->of, at->whose);
            next = at->same_hash;
            at->same_hash = *to;
            *to = at;
        }
    free(p->slots);
    *p = larger;
}

void pairs_add(struct pairs *p, struct pair *pair) {
    if (p->used >= p->size) grow(p);
    struct pair **slot = slot_of(p, pair->of, pair->whose);
    pair->same_hash = *slot;
    *slot = pair;
    p->used++;
}

void pairs_drop(struct pairs *p, struct pair *pair) {
    struct pair **at = slot_of(p, pair->of, pair->whose);
    while (*at != pair) {
        assert(*at);
        at = &(*at)->same_hash;
    }
    *at = pair->same_hash;
    p->used--;
}
