/* What a script asks of values, with JavaScript's answers. */
#include "codec.h"
#include "machine.h"

#include <stdio.h>

static struct thing nothing(void) {
    return (struct thing){{VALUE_NONE, 0, {NULL, 0}}, NULL};
}

static struct thing number(uint32_t n) {
    return (struct thing){{VALUE_NUMBER, n, {NULL, 0}}, NULL};
}

static struct thing plain(struct value v) {
    return (struct thing){v, NULL};
}

bool thing_is_zero(const struct thing *t) {
    return t->v.kind == VALUE_NUMBER && (t->v.bytes.at ? slice_eq(t->v.bytes, SLICE("0")) : t->v.count == 0);
}

bool thing_true(const struct thing *t) {
    switch (t->v.kind) {
    case VALUE_TRUE:
    case VALUE_LIST:
    case VALUE_MAP: return true;
    case VALUE_NUMBER: return !thing_is_zero(t);
    case VALUE_TEXT: return t->v.bytes.len > 0;
    default: return false;
    }
}

bool thing_empty(const struct thing *t) {
    if (t->v.kind == VALUE_LIST) return t->v.count == 0;
    return !thing_true(t) && !thing_is_zero(t);
}

bool thing_same(const struct thing *a, const struct thing *b) {
    char left[24], right[24];
    if (a->v.kind <= VALUE_NULL || b->v.kind <= VALUE_NULL)
        return a->v.kind <= VALUE_NULL && b->v.kind <= VALUE_NULL;
    if (a->v.kind >= VALUE_LIST || b->v.kind >= VALUE_LIST)
        return a->v.kind == b->v.kind && a->v.bytes.at == b->v.bytes.at && a->over == b->over;
    if (a->v.kind <= VALUE_TRUE && b->v.kind <= VALUE_TRUE) return a->v.kind == b->v.kind;
    if (a->v.kind <= VALUE_TRUE || b->v.kind <= VALUE_TRUE) return false;
    return slice_eq(thing_text(a, left), thing_text(b, right));
}

struct slice thing_text(const struct thing *t, char room[24]) {
    switch (t->v.kind) {
    case VALUE_FALSE: return SLICE("false");
    case VALUE_TRUE: return SLICE("true");
    case VALUE_NUMBER:
        if (t->v.bytes.at) return t->v.bytes;
        return slice_make(room, (size_t)snprintf(room, 24, "%u", t->v.count));
    case VALUE_TEXT: return t->v.bytes;
    case VALUE_MAP: return SLICE("[object Object]");
    default: return (struct slice){"", 0};
    }
}

/* "0", "17", not "017". */
static bool index_of(struct slice key, uint64_t *index) {
    return slice_to_u64(key, index) && (key.len == 1 || key.at[0] != '0') && *index < UINT32_MAX;
}

/* Length in UTF-16 units, as JavaScript counts. */
static uint32_t text_length(struct slice text) {
    uint32_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((text.at[i] & 0xC0) != 0x80) + ((unsigned char)text.at[i] >= 0xF0);
    return n;
}

/* The character at that index (in UTF-16 units); half of one is U+FFFD. */
static struct thing text_at(struct slice text, uint64_t index) {
    while (text.len) {
        size_t n = codec_utf8_next(text);
        if (n == 0) break;
        if (n == 4 && index < 2) return plain(value_of_text(SLICE("\xEF\xBF\xBD")));
        if (index == 0) return plain(value_of_text(slice_make(text.at, n)));
        index -= n == 4 ? 2 : 1;
        text = slice_skip(text, n);
    }
    return nothing();
}

static struct thing map_member(const struct value *map, struct slice key, int64_t *work) {
    struct slice rest = map->bytes, at;
    struct value found;
    while (*work > 0 && value_take_member(&rest, &at, &found)) {
        --*work;
        if (slice_eq(at, key)) return plain(found);
    }
    return nothing();
}

struct thing thing_member(const struct machine *m, const struct thing *of, struct slice key, int64_t *work) {
    uint64_t index;
    const struct overlay *over = of->over;
    *work -= 1;
    if (over && !over->settings) {
        struct thing found = thing_member(m, &over->base, key, work);
        return found.v.kind == VALUE_NONE ? machine_column(m, key) : found;
    }
    for (uint32_t i = 0; over && i < over->count; i++)
        if (slice_eq(over->settings[i].key, key)) return over->values[i];
    if (over) return thing_member(m, &over->base, key, work);
    if (of->v.kind == VALUE_MAP) return map_member(&of->v, key, work);
    if (of->v.kind == VALUE_LIST) {
        if (index_of(key, &index)) {
            *work -= (int64_t)(index < of->v.count ? index : 0);
            return plain(value_item(&of->v, index));
        }
        return slice_eq(key, SLICE("length")) ? number(of->v.count) : nothing();
    }
    if (of->v.kind != VALUE_TEXT) return nothing();
    *work -= (int64_t)(of->v.bytes.len / 16);
    if (slice_eq(key, SLICE("length"))) return number(text_length(of->v.bytes));
    return index_of(key, &index) ? text_at(of->v.bytes, index) : nothing();
}
