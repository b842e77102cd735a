/* Reading packed values. */
#include "value.h"

bool value_take(struct slice *rest, struct value *out) {
    uint8_t kind;
    uint64_t count = 0;
    *out = (struct value){VALUE_NONE, 0, {NULL, 0}};
    if (!take_u8(rest, &kind) || kind < VALUE_NULL || kind > VALUE_MAP) return false;
    if (kind >= VALUE_LIST && (!take_varint(rest, &count) || count > UINT32_MAX)) return false;
    struct slice bytes = {"", 0};
    if (kind >= VALUE_NUMBER && !take_bytes(rest, &bytes)) return false;
    *out = (struct value){(enum value_kind)kind, (uint32_t)count, bytes};
    return true;
}

bool value_take_member(struct slice *rest, struct slice *key, struct value *out) {
    return take_bytes(rest, key) && value_take(rest, out);
}

struct value value_member(const struct value *map, struct slice key) {
    struct slice rest = map->bytes, at;
    struct value found;
    if (map->kind == VALUE_MAP)
        while (value_take_member(&rest, &at, &found))
            if (slice_eq(at, key)) return found;
    return (struct value){VALUE_NONE, 0, {NULL, 0}};
}

struct value value_item(const struct value *list, uint64_t index) {
    struct slice rest = list->bytes;
    struct value found;
    if (list->kind == VALUE_LIST && index < list->count)
        while (value_take(&rest, &found))
            if (index-- == 0) return found;
    return (struct value){VALUE_NONE, 0, {NULL, 0}};
}

bool value_is_empty(const struct value *v) {
    switch (v->kind) {
    case VALUE_TRUE:
    case VALUE_MAP: return false;
    case VALUE_NUMBER: return slice_eq(v->bytes, SLICE("0"));
    case VALUE_TEXT: return v->bytes.len == 0;
    case VALUE_LIST: return v->count == 0;
    default: return true;
    }
}

bool value_put_text(struct buf *out, struct slice text) {
    return buf_put_u8(out, VALUE_TEXT) && buf_put_bytes(out, text);
}
