/* Open addressing with linear probing. */
#include "sim_table.h"

#include <stdio.h>
#include <stdlib.h>

void sim_table_init(struct sim_table *t) {
    *t = (struct sim_table){0};
}

void sim_table_done(struct sim_table *t) {
    free(t->entry);
    *t = (struct sim_table){0};
}

static struct sim_table_entry *find(const struct sim_table *t, uint64_t key) {
    size_t i = key & (t->size - 1);
    while (t->entry[i].key && t->entry[i].key != key)
        i = (i + 1) & (t->size - 1);
    return &t->entry[i];
}

static void grow(struct sim_table *t) {
    struct sim_table old = *t;
    t->size = old.size ? old.size * 2 : 1024;
    t->entry = calloc(t->size, sizeof *t->entry);
    if (!t->entry) {
        fputs("tsubame-sim: out of memory\n", stderr);
        abort();
    }
    for (size_t i = 0; i < old.size; i++)
        if (old.entry[i].key) *find(t, old.entry[i].key) = old.entry[i];
    free(old.entry);
}

uint64_t *sim_table_get(const struct sim_table *t, uint64_t key) {
    if (t->size == 0) return NULL;
    struct sim_table_entry *e = find(t, key ? key : 1);
    return e->key ? &e->value : NULL;
}

uint64_t *sim_table_put(struct sim_table *t, uint64_t key) {
    if (key == 0) key = 1;
    if ((t->used + 1) * 4 > t->size * 3) grow(t);
    struct sim_table_entry *e = find(t, key);
    if (!e->key) {
        e->key = key;
        t->used++;
    }
    return &e->value;
}
