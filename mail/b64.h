/* Base64 bodies (RFC 2045 section 6.8) in pieces, as qp.h does quoted-printable: what is known before is
 * encoded once, what differs for each recipient is put between. Lines have 76 characters and end in CRLF. */
#ifndef TSUBAME_B64_H
#define TSUBAME_B64_H

#include "buf.h"

enum { B64_LINE = 76 };

struct b64 {
    struct buf *out;
    unsigned column; /* characters on the line under way */
    unsigned held;   /* bytes that wait for the rest of their three: 0 to 2 */
    unsigned char bytes[3];
};

void b64_begin(struct b64 *b, struct buf *out);

/* Encodes bytes behind what is there: as they are (attachments). */
void b64_put(struct b64 *b, struct slice bytes);

/* The same for text: every kind of line break (CR, LF, CRLF) becomes CRLF, as in qp_put. */
void b64_put_text(struct b64 *b, struct slice text);

/* Text with what HTML takes for itself replaced by entities (escape.h). */
void b64_put_html(struct b64 *b, struct slice text);

/* Pads and ends the last line. Without any bytes nothing is written. The CRLF that ends the body is before
 * the boundary's own. */
void b64_end(struct b64 *b);

/* A stretch of text encoded before: once for each place in a group of three at which it may begin. */
struct b64_run {
    struct slice text;     /* with CRLF */
    struct slice three[3]; /* text without its first n bytes, in whole groups, without line breaks */
};

/* Encodes text (line breaks become CRLF) into scratch, appending: about five times its length. The slices
 * point into scratch and stay true only as long as it does not move; b64_run_move sets them anew. */
void b64_encode_run(struct buf *scratch, struct slice text, struct b64_run *run);

/* The run was copied: `bytes` is the copy of all that b64_encode_run had appended. */
void b64_run_move(struct b64_run *run, struct slice bytes);

/* Exactly b64_put(run->text), by copying. */
void b64_put_run(struct b64 *b, const struct b64_run *run);

/* Which encoding suits a body? Judged by its fixed text, values count as nothing: base64 if it is clearly
 * shorter so, as with text mostly of other scripts than Latin. Text that is mostly ASCII stays readable as it
 * is. */
bool b64_suits(struct slice text);

#endif
