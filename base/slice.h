/* A slice is a borrowed run of bytes: what every parser takes and returns.
 *
 * It owns nothing, is not terminated by NUL and may hold NUL. It is valid as long as the bytes it points
 * into. The empty slice has len 0; its `at` may be NULL. */
#ifndef TSUBAME_SLICE_H
#define TSUBAME_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *at;
    size_t len;
};

/* The slice of a string literal, without its NUL. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).at

static inline struct slice slice_of(const char *text) {
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline struct slice slice_make(const void *at, size_t len) {
    return (struct slice){(const char *)at, len};
}

/* ASCII only, whatever the locale says (RFC 5321 keywords, domains, header names). */
static inline char ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
static inline bool ascii_digit(char c) {
    return c >= '0' && c <= '9';
}
static inline bool ascii_alpha(char c) {
    c = ascii_lower(c);
    return c >= 'a' && c <= 'z';
}
static inline bool ascii_space(char c) {
    return c == ' ' || c == '\t';
}

static inline bool slice_eq(struct slice a, struct slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Equal but for the case of ASCII letters. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* Order by bytes, a prefix first: <0, 0, >0. */
int slice_cmp(struct slice a, struct slice b);

bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends_nocase(struct slice s, struct slice suffix);

/* Without the first n bytes (all of them when n is larger). */
struct slice slice_skip(struct slice s, size_t n);

/* Without blanks (space, tab, CR, LF) at both ends. */
struct slice slice_trim(struct slice s);

/* Index of the first `c`, or -1. */
ptrdiff_t slice_find(struct slice s, char c);

/* Index of the first `needle`, ASCII case ignored, or -1. An empty needle is found at 0. */
ptrdiff_t slice_find_nocase(struct slice s, struct slice needle);

/* Takes what stands before the first `separator` off the front of *rest, and the separator with it.
 * Without a separator all of *rest is taken. Returns false when *rest is exhausted (its `at` is NULL then),
 * so that "a,,b," yields "a", "", "b", "". */
bool slice_cut(struct slice *rest, char separator, struct slice *piece);

/* Decimal digits only, no sign, no blanks: false on anything else and on overflow. */
bool slice_to_u64(struct slice s, uint64_t *value);

#endif
