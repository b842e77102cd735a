/* Borrowed runs of bytes: comparison, search, cutting. No allocation, no locale. */
#include "slice.h"

bool slice_eq_nocase(struct slice a, struct slice b) {
    return a.len == b.len && slice_starts_nocase(a, b);
}

int slice_cmp(struct slice a, struct slice b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.at, b.at, common) : 0;
    if (order) return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool slice_starts(struct slice s, struct slice prefix) {
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

bool slice_starts_nocase(struct slice s, struct slice prefix) {
    if (s.len < prefix.len) return false;
    for (size_t i = 0; i < prefix.len; i++)
        if (ascii_lower(s.at[i]) != ascii_lower(prefix.at[i])) return false;
    return true;
}

bool slice_ends_nocase(struct slice s, struct slice suffix) {
    return s.len >= suffix.len && slice_starts_nocase(slice_skip(s, s.len - suffix.len), suffix);
}

struct slice slice_skip(struct slice s, size_t n) {
    if (n >= s.len) return (struct slice){s.at ? s.at + s.len : NULL, 0};
    return (struct slice){s.at + n, s.len - n};
}

static bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s) {
    while (s.len && blank(s.at[0]))
        s.at++, s.len--;
    while (s.len && blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

ptrdiff_t slice_find(struct slice s, char c) {
    const char *hit = s.len ? memchr(s.at, c, s.len) : NULL;
    return hit ? hit - s.at : -1;
}

ptrdiff_t slice_find_nocase(struct slice s, struct slice needle) {
    for (size_t i = 0; i + needle.len <= s.len; i++)
        if (slice_starts_nocase(slice_make(s.at + i, s.len - i), needle)) return (ptrdiff_t)i;
    return -1;
}

bool slice_cut(struct slice *rest, char separator, struct slice *piece) {
    if (!rest->at) return false;
    ptrdiff_t at = slice_find(*rest, separator);
    if (at < 0) {
        *piece = *rest;
        *rest = (struct slice){NULL, 0};
    } else {
        *piece = slice_make(rest->at, (size_t)at);
        *rest = slice_make(rest->at + at + 1, rest->len - (size_t)at - 1);
    }
    return true;
}

bool slice_to_u64(struct slice s, uint64_t *value) {
    uint64_t v = 0;
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_digit(s.at[i])) return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(s.at[i] - '0'), &v))
            return false;
    }
    *value = v;
    return true;
}
