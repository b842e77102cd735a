/* Quoted-printable in pieces: the body writer of compose/.
 *
 * What holds between pieces: the column is at most 75, so that a soft break's "=" always fits. */
#include "qp.h"

#include "codec.h"

#include <assert.h>

enum { FULL = QP_LINE - 1 }; /* a line that goes on needs a column for its "=" */

/* Bytes that stand for themselves inside a line: printable ASCII but "=", and blanks. */
static bool literal(char c) {
    return (c >= ' ' && c <= '~' && c != '=') || c == '\t';
}

static void put_escape(struct qp *q, char c) {
    codec_escape(q->out, '=', c);
    q->column += 3;
}

static void soft_break(struct qp *q) {
    buf_put(q->out, "=\r\n", 3);
    q->column = 0;
}

/* A blank at the end of a line would be lost on the way: written over as =20 or =09. */
static void guard_blank(struct qp *q) {
    if (q->column == 0 || q->out->failed) return;
    char last = q->out->at[q->out->len - 1];
    if (!ascii_space(last)) return;
    q->out->len--;
    q->column--;
    if (q->column + 3 > QP_LINE) soft_break(q);
    put_escape(q, last);
}

static void hard_break(struct qp *q) {
    guard_blank(q);
    buf_put(q->out, "\r\n", 2);
    q->column = 0;
}

void qp_begin(struct qp *q, struct buf *out) {
    *q = (struct qp){.out = out, .start = out->len};
}

/* Would this line start look to a gateway like the end of the mail or of an mbox entry? */
static bool risky_start(struct slice rest) {
    size_t n = rest.len < 5 ? rest.len : 5;
    return rest.at[0] == '.' || memcmp(rest.at, "From ", n) == 0;
}

/* The literal bytes at the front of text, as far as the line has room: copied. Returns how many. */
static size_t put_literals(struct qp *q, struct slice text) {
    size_t room = FULL - q->column;
    size_t most = text.len < room ? text.len : room;
    size_t n = 0;
    while (n < most && literal(text.at[n]))
        n++;
    buf_put(q->out, text.at, n);
    q->column += (unsigned)n;
    return n;
}

void qp_put(struct qp *q, struct slice text) {
    while (text.len && !q->out->failed) {
        char c = text.at[0];
        size_t used = 1;
        if (c == '\r' || c == '\n') {
            hard_break(q);
            if (c == '\r' && text.len > 1 && text.at[1] == '\n') used = 2;
        } else if (!literal(c) || (q->column == 0 && risky_start(text))) {
            if (q->column + 3 > FULL) soft_break(q);
            put_escape(q, c);
        } else if (q->column == FULL) {
            soft_break(q);
            used = 0; /* seen again as the start of a line */
        } else {
            used = put_literals(q, text);
        }
        text = slice_skip(text, used);
    }
}

void qp_end(struct qp *q) {
    if (q->column) hard_break(q);
}

void qp_close(struct qp *q) {
    guard_blank(q);
}

void qp_encode_run(struct buf *scratch, struct slice text, struct qp_run *run) {
    struct qp q;
    qp_begin(&q, scratch);
    qp_put(&q, text);
    if (scratch->failed) return;
    struct slice bytes = slice_make(scratch->at + q.start, scratch->len - q.start);
    ptrdiff_t cr = slice_find(bytes, '\r');
    *run = (struct qp_run){.bytes = bytes, .last = q.column, .one_line = cr < 0};
    run->first = cr < 0 ? q.column : (unsigned)cr;
    assert(run->first <= QP_LINE && run->last <= FULL);
}

void qp_put_run(struct qp *q, const struct qp_run *run) {
    if (run->bytes.len == 0) return;
    if (run->first == 0)
        guard_blank(q); /* it starts with a line break */
    else if (q->column + run->first > (run->one_line ? FULL : QP_LINE))
        soft_break(q);
    buf_put_slice(q->out, run->bytes);
    q->column = run->one_line ? q->column + run->last : run->last;
}
