/* Open addressing over an array in the order of arrival. */
#include "counting.h"

#include "clock.h"
#include "hash.h"

#include <stdlib.h>

void counting_init(struct counting *c) {
    *c = (struct counting){.other = {.next_due = NEVER}};
}

void counting_done(struct counting *c) {
    for (size_t i = 0; i < c->count; i++)
        free(c->all[i].name);
    free(c->all);
    free(c->places);
    *c = (struct counting){0};
}

static size_t place_of(const struct counting *c, struct slice name) {
    size_t at = hash_bytes(name, 0) & (c->place_count - 1);
    while (c->places[at] && !slice_eq(slice_of(c->all[c->places[at] - 1].name), name))
        at = (at + 1) & (c->place_count - 1);
    return at;
}

/* At least twice as many places as names. */
static bool grow(struct counting *c) {
    size_t places = c->place_count ? c->place_count * 2 : 256, room = places / 2;
    struct counted *all = realloc(c->all, room * sizeof *all);
    if (!all) return false;
    c->all = all;
    uint32_t *fresh = calloc(places, sizeof *fresh);
    if (!fresh) return false;
    free(c->places);
    c->places = fresh;
    c->place_count = places;
    c->room = room;
    for (size_t i = 0; i < c->count; i++)
        c->places[place_of(c, slice_of(c->all[i].name))] = (uint32_t)i + 1;
    return true;
}

struct counted *counting_of(struct counting *c, struct slice name) {
    if (c->count == c->room && (c->count >= COUNTING_NAMES_MAX || !grow(c))) {
        size_t known = c->places ? place_of(c, name) : 0;
        return c->places && c->places[known] ? &c->all[c->places[known] - 1] : &c->other;
    }
    size_t at = place_of(c, name);
    if (c->places[at]) return &c->all[c->places[at] - 1];
    char *copy = malloc(name.len + 1);
    if (!copy) return &c->other;
    if (name.len) memcpy(copy, name.at, name.len);
    copy[name.len] = 0;
    c->all[c->count] = (struct counted){.name = copy, .next_due = NEVER};
    c->places[at] = (uint32_t)++c->count;
    return &c->all[c->count - 1];
}

static int by_number(const void *a, const void *b) {
    const struct counted *x = a, *y = b;
    uint64_t p = x->waiting + x->under_way + x->deferred, q = y->waiting + y->under_way + y->deferred;
    return p != q ? (p < q) - (p > q) : strcmp(x->name, y->name);
}

void counting_sort(struct counting *c) {
    if (c->count) qsort(c->all, c->count, sizeof *c->all, by_number);
    free(c->places);
    c->places = NULL;
    c->place_count = c->room = 0;
}
