/* Fuzz target: text from HTML. Besides memory: the text is UTF-8 without controls, has only whole tokens, no
 * line ends in a blank of a collapsed run before it, and no more than one line is left free where nothing is
 * preformatted. */
#include "html_text.h"

#include "codec.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Behind a token's opening character: digits and the closing one. */
static size_t token_at(struct slice text) {
    size_t n = strlen(HTML_TOKEN_OPEN);
    while (n < text.len && ascii_digit(text.at[n]))
        n++;
    assert(n > strlen(HTML_TOKEN_OPEN) && slice_starts(slice_skip(text, n), SLICE(HTML_TOKEN_CLOSE)));
    return n + strlen(HTML_TOKEN_CLOSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice html = slice_make(data, size);
    struct buf out;
    struct err err;
    buf_init(&out, 16 << 20);
    int rc = html_to_text(html, &out, &err);
    assert(rc == 0 || err.text[0]);
    if (rc == 0) {
        bool pre =
            slice_find_nocase(html, SLICE("<pre")) >= 0 || slice_find_nocase(html, SLICE("<listing")) >= 0;
        struct slice text = buf_slice(&out);
        assert(!out.failed && codec_utf8_valid(text));
        for (size_t i = 0; i < text.len; i++) {
            struct slice rest = slice_skip(text, i);
            unsigned char c = (unsigned char)text.at[i];
            assert((c >= ' ' && c != 0x7F) || c == '\n' || (pre && c == '\t'));
            assert(pre || !slice_starts(rest, SLICE("\n\n\n")) ||
                   slice_find_nocase(html, SLICE("tsubame:")) >= 0);
            if (slice_starts(rest, SLICE(HTML_TOKEN_OPEN)))
                i += token_at(rest) - 1;
            else
                assert(!slice_starts(rest, SLICE(HTML_TOKEN_CLOSE)));
        }
        assert(text.len == 0 || pre || text.at[text.len - 1] == '\n' ||
               slice_starts(slice_skip(text, text.len - 3), SLICE(HTML_TOKEN_CLOSE)));
    }
    buf_done(&out);
    return 0;
}
