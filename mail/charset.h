/* The character sets that a mail may be written in, made from UTF-8: UTF-8 itself, and ISO-2022-JP (RFC 1468)
 * as Japanese readers may want it.
 *
 * ISO-2022-JP here is ASCII and JIS X 0208 (ESC $ B ... ESC ( B). JIS X 0201's Roman set is never used:
 * readers disagree about its two characters that differ from ASCII, yen sign and overline, which have
 * substitutes. A line and the whole always end in ASCII, so that pieces made one by one can be put one behind
 * the other. The bytes of two-byte characters are printable ASCII: escaping for HTML comes before this, not
 * after. */
#ifndef TSUBAME_CHARSET_H
#define TSUBAME_CHARSET_H

#include "buf.h"
#include "err.h"

enum charset {
    CHARSET_UTF8,
    CHARSET_JIS,     /* ISO-2022-JP; a character that it can't carry is an error */
    CHARSET_JIS_NEAR /* ISO-2022-JP; such a character's substitute is taken where there is one */
};

/* As MIME writes it: "utf-8", "iso-2022-jp". */
const char *charset_name(enum charset c);

/* A character that ISO-2022-JP can't carry. */
struct charset_misfit {
    uint32_t code;
    size_t offset;         /* of its first place: byte, from 0, */
    unsigned line, column; /* line and character in it, from 1 */
    uint32_t count;        /* how often it is there */
    bool replaced;         /* is there a substitute? */
    struct slice near;     /* which, in UTF-8; empty: it is left out (characters without width); static */
};

enum { CHARSET_MISFITS = 256 };

struct charset_misfits {
    struct charset_misfit at[CHARSET_MISFITS]; /* by first place */
    size_t count;
    bool more; /* there are others, for which was no room */
};

/* Lists what of a text ISO-2022-JP can't carry, each character once. What is not UTF-8 is listed as U+FFFD
 * without substitute, a place at a time. A kana with a sound mark behind it counts as the one character that
 * the two are. */
void charset_check(struct slice text, struct charset_misfits *out);

/* Appends text in the character set. A piece is whole: it begins and ends in ASCII. Line breaks stay what
 * they are. -1 with err (which names character, line and column) when the text is not UTF-8 or, in
 * ISO-2022-JP, has a character without a place; out then holds what comes before it. out->failed as always.
 */
int charset_put(struct buf *out, struct slice text, enum charset c, struct err *err);

/* Would charset_put take it? */
bool charset_fits(struct slice text, enum charset c);

/* As many whole characters from the front as take at most `room` bytes in the character set; at least one
 * (a kana and its sound mark are one). What does not fit the character set counts as one byte. */
struct slice charset_fitting(struct slice text, enum charset c, size_t room);

#endif
