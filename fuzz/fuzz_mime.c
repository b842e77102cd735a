/* Fuzz target: the writers of header fields. Whatever the values are, exactly one field comes out, with its
 * own name, in lines of printable ASCII that are not too long; or nothing is said to have been written. */
#include "codec.h"
#include "header.h"
#include "mime_param.h"
#include "visible.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_field(struct buf *out, struct slice name, size_t longest) {
    if (out->failed) {
        buf_reset(out);
        return;
    }
    struct slice rest = buf_slice(out);
    struct header_field f;
    assert(header_next(&rest, &f) && rest.len == 0 && slice_eq(f.name, name));
    size_t column = 0;
    for (size_t i = 0; i < out->len; i++) {
        char c = out->at[i];
        assert((c >= ' ' && c <= '~') || c == '\r' || c == '\n');
        if (c == '\n') assert(i && out->at[i - 1] == '\r');
        column = c == '\n' ? 0 : column + 1;
        assert(column <= longest + 1);
    }
    buf_reset(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = slice_make(data, size), first, rest = text;
    struct buf out;
    buf_init(&out, 1 << 24);
    for (enum charset c = CHARSET_UTF8; c <= CHARSET_JIS_NEAR; c++) {
        header_put_text_in(&out, SLICE("Subject"), text, HEADER_TEXT, c);
        one_field(&out, SLICE("Subject"), 78);
        header_put_text_in(&out, SLICE("X-Tokens"), text, HEADER_TOKENS, c);
        one_field(&out, SLICE("X-Tokens"), 998);
        header_put_mailbox_in(&out, SLICE("To"), text, SLICE("user@example.org"), c);
        one_field(&out, SLICE("To"), 78);
    }
    mime_put_field(&out, SLICE("Content-Disposition"), SLICE("attachment"), SLICE("filename"), text);
    assert(out.failed == !mime_param_valid(text));
    one_field(&out, SLICE("Content-Disposition"), 998);
    if (slice_cut(&rest, '\n', &first) && rest.at) {
        mime_put_field(&out, SLICE("Content-Type"), first, SLICE("name"), rest);
        one_field(&out, SLICE("Content-Type"), 998);
    }
    visible_put(&out, text);
    if (!codec_utf8_valid(text)) buf_reset(&out); /* what is between two halves of a character may go */
    assert(visible_all(buf_slice(&out)) && out.len <= size);
    assert(out.len == 0 || !visible_all(text) || slice_eq(buf_slice(&out), text));
    buf_done(&out);
    return 0;
}
