/* Text into a part's encoding. */
#include "sink.h"

#include "escape.h"

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

/* Is nothing in it that has an entity? Nearly always so. */
static bool plain(struct slice text) {
    static const bool special[256] = {
        ['&'] = true, ['<'] = true, ['>'] = true, ['"'] = true, ['\''] = true, ['`'] = true, ['='] = true};
    for (size_t i = 0; i < text.len; i++)
        if (special[(unsigned char)text.at[i]]) return false;
    return true;
}

void sink_escaped(struct sink *s, struct slice text) {
    size_t from = 0;
    if (plain(text)) {
        sink_text(s, text);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        struct slice name = escape_entity(text.at[i]);
        if (name.len == 0) continue;
        sink_text(s, slice_make(text.at + from, i - from));
        sink_text(s, name);
        from = i + 1;
    }
    if (from < text.len) sink_text(s, slice_skip(text, from));
}
