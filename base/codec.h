/* Text encodings of bytes. Encoders append to a buf (sticky failure); decoders reject anything not canonical.
 */
#ifndef TSUBAME_CODEC_H
#define TSUBAME_CODEC_H

#include "buf.h"

void codec_hex(struct buf *out, struct slice bytes);
bool codec_unhex(struct buf *out, struct slice text);

/* mark and two upper-case digits: "=3D" of quoted-printable, "%3D" of URIs. */
void codec_escape(struct buf *out, char mark, char c);

/* RFC 4648 section 6 in lower case without padding: survives case folding. Decoding takes either case, and
 * refuses characters outside the alphabet and bits left over that are not zero. */
void codec_base32(struct buf *out, struct slice bytes);
bool codec_unbase32(struct buf *out, struct slice text);

/* RFC 4648 section 4 with padding. line: characters a line before CRLF is inserted (a multiple of 4), 0 for
 * none; no CRLF follows the last line. Decoding ignores no characters: strip white space before. */
void codec_base64(struct buf *out, struct slice bytes, size_t line);
bool codec_unbase64(struct buf *out, struct slice text);

/* Is this well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF)? */
bool codec_utf8_valid(struct slice text);

/* Bytes of the well-formed character in front, or 0. */
size_t codec_utf8_next(struct slice text);

#endif
