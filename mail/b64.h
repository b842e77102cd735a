/* Base64 bodies (RFC 2045 section 6.8), put in any number of pieces. Lines have 76 characters and end in
 * CRLF. */
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

/* Pads and ends the last line. Without any bytes nothing is written. The CRLF that ends the body is before
 * the boundary's own. */
void b64_end(struct b64 *b);

/* Which encoding suits a body? Judged by its fixed text, values count as nothing: base64 if it is clearly
 * shorter so, as with text mostly of other scripts than Latin. Text that is mostly ASCII stays readable as it
 * is. */
bool b64_suits(struct slice text);

#endif
