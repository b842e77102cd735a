/* Fuzz target: base64 bodies. The input is cut into pieces at its zero bytes and put in each of the ways;
 * what comes out must decode to what went in, in lines of 76. */
#include "b64.h"

#include "codec.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice body, struct slice want) {
    struct buf digits, got;
    struct slice line;
    buf_init(&digits, 1 << 24), buf_init(&got, 1 << 24);
    while (body.len && slice_cut(&body, '\n', &line)) {
        assert(line.len > 1 && line.at[line.len - 1] == '\r' && line.len - 1 <= B64_LINE);
        assert(line.len - 1 == B64_LINE || body.len == 0);
        buf_put(&digits, line.at, line.len - 1);
    }
    assert(codec_unbase64(&got, buf_slice(&digits)) && slice_eq(buf_slice(&got), want));
    buf_done(&digits), buf_done(&got);
}

/* Every kind of line break as CRLF. */
static void put_crlf(struct buf *out, struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        bool cr = text.at[i] == '\r', lf = text.at[i] == '\n';
        if (lf && i && text.at[i - 1] == '\r') continue;
        if (cr || lf)
            buf_put_text(out, "\r\n");
        else
            buf_put_c(out, text.at[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = slice_make(data, size), piece;
    struct buf out, want;
    struct b64 b;
    buf_init(&out, 1 << 24), buf_init(&want, 1 << 24);
    b64_begin(&b, &out);
    b64_suits(rest);
    for (unsigned i = 0; rest.len && slice_cut(&rest, 0, &piece); i++) {
        if (i % 2)
            b64_put(&b, piece);
        else
            b64_put_text(&b, piece);
        if (i % 2)
            buf_put_slice(&want, piece);
        else
            put_crlf(&want, piece);
    }
    b64_end(&b);
    assert(!out.failed && b.held == 0);
    check(buf_slice(&out), buf_slice(&want));
    buf_done(&out), buf_done(&want);
    return 0;
}
