/* CP932 (Microsoft's Shift_JIS) to UTF-8: what Japanese spreadsheets write.
 *
 * Characters are one byte (ASCII, half-width katakana) or two. Bytes that end a pair may look like ASCII
 * letters and [ \ ] ^ _ ` { | } ~, never like a comma, semicolon, quote, blank or line end: text can be cut
 * at those before it is decoded. */
#ifndef TSUBAME_CP932_H
#define TSUBAME_CP932_H

#include "buf.h"
#include "err.h"

struct cp932;

/* The table, made at the first call and never changed or freed. Any thread. NULL with err (ERR_SYSTEM) where
 * the system can't convert CP932. */
const struct cp932 *cp932_table(struct err *err);

enum cp932_kind {
    CP932_CHAR,    /* a character that Unicode has */
    CP932_PRIVATE, /* F040 to F9FC: characters (gaiji) that only the sender's computer knows */
    CP932_INVALID
};

/* What stands at the front of text (not empty): how many bytes it takes (an invalid one: 1), and its
 * character (CP932_CHAR only). */
enum cp932_kind cp932_next(const struct cp932 *t, struct slice text, size_t *bytes, uint32_t *rune);

/* Appends text in UTF-8. CP932_CHAR, or what is wrong and in *bad at which byte; *out then has what is before
 * it. out->failed when it did not fit. */
enum cp932_kind cp932_decode(const struct cp932 *t, struct slice text, struct buf *out, size_t *bad);

#endif
