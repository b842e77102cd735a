/* Relaxed canonicalisation (RFC 6376 sections 3.4.2 and 3.4.4). Pure: bytes to bytes.
 *
 * A body may come in any pieces; what is written does not depend on where they were cut. Lines end in CRLF; a
 * CR or LF alone is an ordinary byte. */
#ifndef TSUBAME_DKIM_RELAX_H
#define TSUBAME_DKIM_RELAX_H

#include "buf.h"

/* Where we are in a body; zeroed at its start. What may yet be dropped is not written but remembered here, so
 * the state may be copied to go on from the same place twice. */
struct dkim_relax {
    uint64_t line_ends; /* CRLFs seen: written only when something other than line ends follows */
    bool blank;         /* blanks seen: written as one, unless the line ends here */
    bool cr;            /* a CR was the last byte: it is the half of a line end, or an ordinary byte */
    bool begun;         /* something was written */
};

/* The next piece, canonical, appended to out: at most what `in` has and the line ends that were withheld. */
void dkim_relax_body(struct dkim_relax *r, struct slice in, struct buf *out);
/* The end of the body. Afterwards r is spent. */
void dkim_relax_end(struct dkim_relax *r, struct buf *out);

/* One header field, without a CRLF at its end: at most name.len + 1 + value.len bytes. */
void dkim_relax_field(struct slice name, struct slice value, struct buf *out);

#endif
