/* Text into a part's encoding. */
#include "sink.h"

void sink_fixed(struct sink *s, const struct fixed_text *text) {
    if (s->kind == SINK_QP)
        qp_put_run(s->qp, &text->qp);
    else
        buf_put_slice(s->out, text->text);
}

void sink_text(struct sink *s, struct slice text) {
    if (s->kind == SINK_QP)
        qp_put(s->qp, text);
    else
        buf_put_slice(s->out, text);
}

void sink_escaped(struct sink *s, struct slice text) {
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        struct slice name = qp_html_entity(text.at[i]);
        if (name.len == 0) continue;
        sink_text(s, slice_make(text.at + from, i - from));
        sink_text(s, name);
        from = i + 1;
    }
    if (from < text.len) sink_text(s, slice_skip(text, from));
}
