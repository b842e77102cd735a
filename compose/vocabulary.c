/* The names that a template looks up: each gets a number once, so that a mail looks it up once. */
#include "hash.h"
#include "script.h"

static uint32_t *slot_of(const struct vocabulary *v, struct slice name) {
    uint32_t at = (uint32_t)hash_bytes(name, 0) & (v->table_size - 1);
    while (v->table[at] && !slice_eq(v->words[v->table[at] - 1].text, name))
        at = (at + 1) & (v->table_size - 1);
    return &v->table[at];
}

static bool grow(struct vocabulary *v) {
    uint32_t room = v->room ? v->room * 2 : 32, old = v->count;
    struct word *words = arena_alloc(v->arena, room * sizeof *words);
    uint32_t *table = arena_zalloc(v->arena, (size_t)room * 2 * sizeof *table);
    if (!words || !table) return false;
    if (old) memcpy(words, v->words, old * sizeof *words);
    v->words = words;
    v->room = room;
    v->table = table;
    v->table_size = room * 2;
    for (uint32_t i = 0; i < old; i++)
        *slot_of(v, words[i].text) = i + 1;
    return true;
}

uint32_t vocabulary_find(const struct vocabulary *v, struct slice name) {
    return v->table_size ? *slot_of(v, name) - 1 : UINT32_MAX;
}

int32_t vocabulary_column(const struct vocabulary *v, struct slice name) {
    for (size_t i = 0; i < v->column_count; i++)
        if ((int32_t)i != v->data && slice_eq(v->columns[i], name)) return (int32_t)i;
    return -1;
}

uint32_t vocabulary_word(struct vocabulary *v, struct slice name) {
    struct word word;
    uint32_t found = vocabulary_find(v, name);
    if (found != UINT32_MAX) return found;
    if (v->count == NAMES_MAX || (v->count == v->room && !grow(v))) return UINT32_MAX;
    if (!arena_copy(v->arena, name, &word.text)) return UINT32_MAX;
    word.column = vocabulary_column(v, name);
    v->words[v->count++] = word;
    *slot_of(v, name) = v->count;
    return v->count - 1;
}
