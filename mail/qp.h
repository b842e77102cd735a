/* Quoted-printable (RFC 2045 section 6.7), written in pieces: what is known before is encoded once, what
 * differs for each recipient is put between.
 *
 * The column is carried from piece to piece, so that no line is longer than 76. Every kind of line break (CR,
 * LF, CRLF) becomes CRLF; a blank before one is encoded, also when the two come from different pieces. A
 * line never starts with "." or "From ", which gateways are known to damage. */
#ifndef TSUBAME_QP_H
#define TSUBAME_QP_H

#include "buf.h"

enum { QP_LINE = 76 };

struct qp {
    struct buf *out;
    size_t start;    /* out->len where this part began */
    unsigned column; /* bytes on the line under way */
};

void qp_begin(struct qp *q, struct buf *out);

/* Encodes text behind what is there. */
void qp_put(struct qp *q, struct slice text);

/* Ends the last line, if it was begun. */
void qp_end(struct qp *q);

/* Makes it safe to put a CRLF of one's own behind it (that of a MIME boundary): guards a blank at the end. */
void qp_close(struct qp *q);

/* A piece encoded before: as it is at the beginning of a line. */
struct qp_run {
    struct slice bytes;
    unsigned first; /* length of its first line */
    unsigned last;  /* column after it, counted from its own last line's start */
    bool one_line;  /* there is no break inside: last == first */
};

/* Encodes text into scratch (appending) and describes it; run->bytes points into scratch and must be
 * set anew when scratch moves. A blank at its very end stays: qp_put_run's successor looks after it. */
void qp_encode_run(struct buf *scratch, struct slice text, struct qp_run *run);

/* One copy, with a soft line break before it when its first line does not fit behind what is there. */
void qp_put_run(struct qp *q, const struct qp_run *run);

#endif
