/* Bounded byte buffers and the binary encodings of the ledger. */
#include "buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b) {
    free(b->at);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b) {
    b->len = 0;
    b->failed = false;
}

static bool grow(struct buf *b, size_t need) {
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap *= 2;
    if (cap > b->max) cap = b->max;
    char *at = realloc(b->at, cap);
    if (!at) return false;
    b->at = at;
    b->cap = cap;
    return true;
}

char *buf_room(struct buf *b, size_t n) {
    if (b->failed) return NULL;
    if (n > b->max - b->len || (b->len + n > b->cap && !grow(b, b->len + n))) {
        b->failed = true;
        return NULL;
    }
    return b->at + b->len;
}

bool buf_put(struct buf *b, const void *bytes, size_t n) {
    if (n == 0) return !b->failed;
    char *to = buf_room(b, n);
    if (!to) return false;
    memcpy(to, bytes, n);
    b->len += n;
    return true;
}

bool buf_put_slice(struct buf *b, struct slice s) {
    return buf_put(b, s.at, s.len);
}

bool buf_put_c(struct buf *b, char c) {
    return buf_put(b, &c, 1);
}

bool buf_put_text(struct buf *b, const char *text) {
    return buf_put(b, text, strlen(text));
}

bool buf_put_u64(struct buf *b, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    return buf_put(b, digits + at, sizeof digits - at);
}

bool buf_vprintf(struct buf *b, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *to = n < 0 ? NULL : buf_room(b, (size_t)n + 1); /* vsnprintf writes a NUL, which does not count */
    if (to) {
        vsnprintf(to, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return to != NULL;
}

bool buf_printf(struct buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    bool ok = buf_vprintf(b, format, args);
    va_end(args);
    return ok;
}

void buf_drop_front(struct buf *b, size_t n) {
    assert(n <= b->len);
    if (n == 0) return;
    memmove(b->at, b->at + n, b->len - n);
    b->len -= n;
}

static bool put_le(struct buf *b, uint64_t v, size_t bytes) {
    char *to = buf_room(b, bytes);
    if (!to) return false;
    for (size_t i = 0; i < bytes; i++)
        to[i] = (char)(v >> (8 * i));
    b->len += bytes;
    return true;
}

bool buf_put_u8(struct buf *b, uint8_t v) {
    return put_le(b, v, 1);
}
bool buf_put_u16(struct buf *b, uint16_t v) {
    return put_le(b, v, 2);
}
bool buf_put_u32(struct buf *b, uint32_t v) {
    return put_le(b, v, 4);
}
bool buf_put_u64le(struct buf *b, uint64_t v) {
    return put_le(b, v, 8);
}

bool buf_put_varint(struct buf *b, uint64_t v) {
    char bytes[10];
    size_t n = 0;
    while (v >= 0x80)
        bytes[n++] = (char)(v | 0x80), v >>= 7;
    bytes[n++] = (char)v;
    return buf_put(b, bytes, n);
}

bool buf_put_bytes(struct buf *b, struct slice s) {
    return buf_put_varint(b, s.len) && buf_put_slice(b, s);
}

static bool take_le(struct slice *s, uint64_t *v, size_t bytes) {
    if (s->len < bytes) return false;
    *v = 0;
    for (size_t i = 0; i < bytes; i++)
        *v |= (uint64_t)(unsigned char)s->at[i] << (8 * i);
    *s = slice_skip(*s, bytes);
    return true;
}

bool take_u8(struct slice *s, uint8_t *v) {
    uint64_t wide;
    return take_le(s, &wide, 1) && (*v = (uint8_t)wide, true);
}
bool take_u16(struct slice *s, uint16_t *v) {
    uint64_t wide;
    return take_le(s, &wide, 2) && (*v = (uint16_t)wide, true);
}
bool take_u32(struct slice *s, uint32_t *v) {
    uint64_t wide;
    return take_le(s, &wide, 4) && (*v = (uint32_t)wide, true);
}
bool take_u64le(struct slice *s, uint64_t *v) {
    return take_le(s, v, 8);
}

bool take_varint(struct slice *s, uint64_t *v) {
    *v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;
        if (!take_u8(s, &byte)) return false;
        if (shift == 63 && byte > 1) return false;
        *v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return true;
    }
    return false;
}

bool take_bytes(struct slice *s, struct slice *bytes) {
    uint64_t n;
    if (!take_varint(s, &n) || n > s->len) return false;
    *bytes = slice_make(s->at, (size_t)n);
    *s = slice_skip(*s, (size_t)n);
    return true;
}
