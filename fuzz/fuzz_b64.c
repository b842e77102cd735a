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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = slice_make(data, size), piece;
    struct buf out, want, scratch;
    struct b64 b;
    struct b64_run run;
    buf_init(&out, 1 << 24), buf_init(&want, 1 << 24), buf_init(&scratch, 1 << 24);
    b64_begin(&b, &out);
    b64_suits(rest);
    for (unsigned i = 0; rest.len && slice_cut(&rest, 0, &piece); i++) {
        buf_reset(&scratch);
        b64_encode_run(&scratch, piece, &run);
        if (i % 3 == 0)
            b64_put_run(&b, &run);
        else if (i % 3 == 1)
            b64_put_text(&b, piece);
        else
            b64_put(&b, piece);
        buf_put_slice(&want, i % 3 == 2 ? piece : run.text);
    }
    b64_end(&b);
    assert(!out.failed && b.held == 0);
    check(buf_slice(&out), buf_slice(&want));
    buf_done(&out), buf_done(&want), buf_done(&scratch);
    return 0;
}
