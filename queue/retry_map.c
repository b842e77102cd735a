/* The recipients taken from the retry table, by rid. Grows by doubling, deletes by shifting back. */
#include "hash.h"
#include "ledger_priv.h"

static size_t place(const struct retry_map *m, uint64_t rid) {
    return (size_t)hash_mix(rid) & (m->size - 1);
}

struct retry_entry *retry_map_find(const struct retry_map *m, uint64_t rid) {
    if (m->size == 0) return NULL;
    for (size_t i = place(m, rid);; i = (i + 1) & (m->size - 1)) {
        if (m->slots[i].work.rid == rid) return &m->slots[i];
        if (m->slots[i].work.rid == 0) return NULL;
    }
}

static struct retry_entry *insert(struct retry_map *m, uint64_t rid) {
    size_t i = place(m, rid);
    while (m->slots[i].work.rid)
        i = (i + 1) & (m->size - 1);
    m->slots[i] = (struct retry_entry){.work = {.rid = rid}};
    return &m->slots[i];
}

static bool grow(struct retry_map *m) {
    struct retry_map larger = {.size = m->size ? m->size * 2 : 256, .used = m->used};
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (!larger.slots) return false;
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].work.rid) *insert(&larger, m->slots[i].work.rid) = m->slots[i];
    free(m->slots);
    *m = larger;
    return true;
}

struct retry_entry *retry_map_add(struct retry_map *m, uint64_t rid) {
    struct retry_entry *old = retry_map_find(m, rid);
    if (old) {
        *old = (struct retry_entry){.work = {.rid = rid}};
        return old;
    }
    if (m->used * 4 >= m->size * 3 && !grow(m)) return NULL;
    m->used++;
    return insert(m, rid);
}

void retry_map_drop(struct retry_map *m, uint64_t rid) {
    struct retry_entry *entry = retry_map_find(m, rid);
    if (!entry) return;
    size_t hole = (size_t)(entry - m->slots);
    m->used--;
    for (size_t i = (hole + 1) & (m->size - 1); m->slots[i].work.rid; i = (i + 1) & (m->size - 1)) {
        size_t home = place(m, m->slots[i].work.rid);
        if (((i - home) & (m->size - 1)) < ((i - hole) & (m->size - 1)))
            continue; /* its home lies behind the hole */
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (struct retry_entry){0};
}
