/* Keys: finding them, and guessing which one was meant. */
#include "options_inner.h"

const struct option *options_find(struct slice key) {
    size_t count;
    const struct option *table = options_table(&count);
    for (size_t i = 0; i < count; i++)
        if (slice_eq(key, slice_of(table[i].key))) return &table[i];
    return NULL;
}

size_t options_index(const char *key) {
    size_t count;
    return (size_t)(options_find(slice_of(key)) - options_table(&count));
}

static bool inside(const char *key, struct slice section) {
    return strncmp(key, section.at, section.len) == 0 && key[section.len] == '.';
}

const char *options_section_key(const struct option *fields, size_t count, struct slice path) {
    for (size_t i = 0; i < count; i++)
        if (path.len && strlen(fields[i].key) > path.len && inside(fields[i].key, path)) return fields[i].key;
    return NULL;
}

bool options_is_section(const struct option *fields, size_t count, struct slice path) {
    return options_section_key(fields, count, path) != NULL;
}

enum { NAME_MOST = 64 };

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* How many letters must be added, dropped or changed (Levenshtein). Lengths at most NAME_MOST. */
static unsigned distance(struct slice a, struct slice b) {
    unsigned row[NAME_MOST + 1];
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned corner = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned change = corner + (ascii_lower(a.at[i - 1]) != ascii_lower(b.at[j - 1]));
            corner = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.len];
}

static struct slice last_word(struct slice path) {
    for (size_t i = path.len; i > 0; i--)
        if (path.at[i - 1] == '.') return slice_skip(path, i);
    return path;
}

/* Whole paths first, sections included; then the last word alone, written in the wrong place. */
const char *options_nearest(const struct option *fields, size_t count, struct slice path) {
    static _Thread_local char section[NAME_MOST + 1];
    const char *best = NULL;
    unsigned best_distance = 1 + (unsigned)(path.len > 8 ? path.len / 4 : 2);
    if (path.len == 0 || path.len > NAME_MOST) return NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice key = slice_of(fields[i].key);
        unsigned d = key.len <= NAME_MOST ? distance(path, key) : best_distance;
        if (d < best_distance) best_distance = d, best = fields[i].key;
        for (size_t dot = 1; dot < key.len && dot <= NAME_MOST; dot++) {
            if (key.at[dot] != '.') continue;
            d = distance(path, slice_make(key.at, dot));
            if (d >= best_distance) continue;
            memcpy(section, key.at, dot);
            section[dot] = 0;
            best_distance = d, best = section;
        }
    }
    for (size_t i = 0; i < count && !best; i++)
        if (slice_eq_nocase(last_word(path), last_word(slice_of(fields[i].key)))) best = fields[i].key;
    return best;
}
