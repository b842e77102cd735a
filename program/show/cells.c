/* The widths are those of Unicode's East_Asian_Width (W and F) and of its non-spacing marks, for the scripts
 * that replies and names come in; the C library's own table depends on a locale. */
#include "cells.h"

#include "shown.h"

struct range {
    uint32_t first, last;
};

static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2614, 0x2615},   {0x26a1, 0x26a1},
    {0x26bd, 0x26be},   {0x26d4, 0x26d4},   {0x2705, 0x2705},   {0x274c, 0x274c},   {0x2753, 0x2755},
    {0x2757, 0x2757},   {0x2b50, 0x2b50},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x1f1e6, 0x1f1ff}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f7e0, 0x1f7eb}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
};
static const struct range none[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf},   {0x05c1, 0x05c2},
    {0x05c4, 0x05c5}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0670, 0x0670},   {0x06d6, 0x06dc},
    {0x06df, 0x06e4}, {0x0900, 0x0902}, {0x093a, 0x093a}, {0x093c, 0x093c},   {0x0941, 0x0948},
    {0x094d, 0x094d}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},   {0x1160, 0x11ff},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200c, 0x200d}, {0x20d0, 0x20ff},   {0x302a, 0x302d},
    {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0x1f3fb, 0x1f3ff},
};

static bool is_in(const struct range *ranges, size_t count, uint32_t c) {
    for (size_t i = 0; i < count && ranges[i].first <= c; i++)
        if (c <= ranges[i].last) return true;
    return false;
}

static uint32_t code_point(const char *at, size_t n) {
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)at[0] & first[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)at[i] & 0x3f);
    return c;
}

static size_t width_of(uint32_t c) {
    if (c < 0x300) return 1;
    if (is_in(none, sizeof none / sizeof none[0], c)) return 0;
    return is_in(wide, sizeof wide / sizeof wide[0], c) ? 2 : 1;
}

/* The next character: its bytes, and its cells. */
static size_t next(struct slice text, size_t *cells) {
    bool good;
    size_t n = shown_next(text, &good);
    *cells = good ? width_of(code_point(text.at, n)) : 1;
    return n;
}

size_t cells_of(struct slice text) {
    size_t sum = 0, cells;
    while (text.len) {
        text = slice_skip(text, next(text, &cells));
        sum += cells;
    }
    return sum;
}

/* As much of its beginning as fits. */
static struct slice head(struct slice text, size_t width, size_t *used) {
    size_t cells, n = 0;
    *used = 0;
    while (n < text.len) {
        size_t bytes = next(slice_skip(text, n), &cells);
        if (*used + cells > width) break;
        *used += cells;
        n += bytes;
    }
    return slice_make(text.at, n);
}

static void pad(struct buf *out, size_t n) {
    while (n--)
        buf_put_c(out, ' ');
}

void cells_put(struct buf *out, struct slice text, size_t width, enum cells_side side) {
    size_t used;
    struct slice part = head(text, width, &used);
    if (part.len < text.len && width) {
        part = head(text, width - 1, &used);
        shown_put(out, part);
        buf_put_text(out, "\u2026");
        pad(out, width - 1 - used);
        return;
    }
    if (side == CELLS_RIGHT) pad(out, width - used);
    shown_put(out, part);
    if (side == CELLS_LEFT) pad(out, width - used);
}

bool cells_line(struct slice *rest, size_t width, struct slice *line) {
    size_t used;
    *rest = slice_trim(*rest);
    if (!rest->len) return false;
    *line = head(*rest, width, &used);
    if (line->len < rest->len) {
        size_t at = line->len;
        while (at > 0 && rest->at[at] != ' ')
            at--;
        if (at) line->len = at;
    }
    if (!line->len) { /* one cell, and a character of two */
        size_t cells;
        line->len = next(*rest, &cells);
    }
    *rest = slice_skip(*rest, line->len);
    return true;
}
