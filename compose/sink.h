/* Where the text of one part goes while a script runs: gathered as it is, or encoded on the way.
 *
 * The one place that knows body encodings: another encoding is another kind here, with its state, and (if
 * fixed texts can be encoded before) its form of fixed_text. */
#ifndef TSUBAME_SINK_H
#define TSUBAME_SINK_H

#include "script.h"

enum sink_kind {
    SINK_TEXT, /* as it is, into out */
    SINK_QP    /* quoted-printable, through qp (begun by the caller) */
};

struct sink {
    enum sink_kind kind;
    bool header; /* what may not stand in a header is a failure */
    struct buf *out;
    struct qp *qp;
};

void sink_fixed(struct sink *s, const struct fixed_text *text);
void sink_text(struct sink *s, struct slice text);

/* With & < > " ' ` = as entities. */
void sink_escaped(struct sink *s, struct slice text);

#endif
