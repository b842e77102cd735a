/* A growing byte buffer with a mandatory maximum: what every writer writes into.
 *
 * The maximum is not optional: a buffer fed by a peer or a template would else grow without end. Failure is
 * sticky: once a write did not fit (or memory ran out) `failed` is set, that write and all later ones change
 * nothing, and the caller checks once at the end. What is in the buffer is not terminated by NUL.
 *
 * Owner: whoever called buf_init; buf_done frees. */
#ifndef TSUBAME_BUF_H
#define TSUBAME_BUF_H

#include "slice.h"

#include <stdarg.h>

struct buf {
    char *at;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

/* max: most bytes it may ever hold. Allocates nothing yet. */
void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);

/* Empties it and clears `failed`; keeps the memory. */
void buf_reset(struct buf *b);

/* Room for n more bytes; the pointer to them or NULL (then `failed` is set). They count only after buf_grew.
 */
char *buf_room(struct buf *b, size_t n);
static inline void buf_grew(struct buf *b, size_t n) {
    b->len += n;
}

bool buf_put(struct buf *b, const void *bytes, size_t n);
bool buf_put_slice(struct buf *b, struct slice s);
bool buf_put_c(struct buf *b, char c);
bool buf_put_text(struct buf *b, const char *text);
bool buf_put_u64(struct buf *b, uint64_t value); /* in decimal */
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Removes the first n bytes (n <= len), moving the rest down. */
void buf_drop_front(struct buf *b, size_t n);

static inline struct slice buf_slice(const struct buf *b) {
    return (struct slice){b->at, b->len};
}

/* Binary encodings of the ledger: little-endian fixed, LEB128 variable, length-prefixed bytes. */
bool buf_put_u8(struct buf *b, uint8_t v);
bool buf_put_u16(struct buf *b, uint16_t v);
bool buf_put_u32(struct buf *b, uint32_t v);
bool buf_put_u64le(struct buf *b, uint64_t v);
bool buf_put_varint(struct buf *b, uint64_t v);
bool buf_put_bytes(struct buf *b, struct slice s); /* varint length, then the bytes */

/* The readers: false when the slice is too short or the varint malformed; *s is then unspecified. */
bool take_u8(struct slice *s, uint8_t *v);
bool take_u16(struct slice *s, uint16_t *v);
bool take_u32(struct slice *s, uint32_t *v);
bool take_u64le(struct slice *s, uint64_t *v);
bool take_varint(struct slice *s, uint64_t *v);
bool take_bytes(struct slice *s, struct slice *bytes);

#endif
