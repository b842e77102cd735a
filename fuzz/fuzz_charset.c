/* Fuzz target: ISO-2022-JP. What comes out is well-formed, ends in ASCII at every line's end; what is refused
 * is on the list of misfits and what is on no list is taken; pieces add up to the whole. */
#include "charset.h"

#include "codec.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_stream(struct slice s) {
    bool wide = false;
    for (size_t i = 0; i < s.len;) {
        struct slice rest = slice_skip(s, i);
        unsigned char c = (unsigned char)s.at[i];
        assert(c < 0x80 && c != 0x0E && c != 0x0F);
        size_t n = 1;
        if (c == 0x1B) {
            assert(slice_starts(rest, wide ? SLICE("\x1b(B") : SLICE("\x1b$B")));
            wide = !wide, n = 3;
        } else if (wide) {
            assert(c > ' ' && c < 0x7F && rest.len > 1 && rest.at[1] > ' ' && rest.at[1] < 0x7F);
            n = 2;
        }
        i += n;
    }
    assert(!wide);
}

static void whole(struct slice text, enum charset c) {
    struct buf out, pieces;
    struct err err;
    buf_init(&out, 1 << 22), buf_init(&pieces, 1 << 22);
    bool fits = charset_fits(text, c);
    assert((charset_put(&out, text, c, &err) == 0) == fits && !out.failed);
    if (c != CHARSET_UTF8) {
        check_stream(buf_slice(&out));
    }
    for (size_t room = 1; fits && text.len; room = room % 48 + 7) {
        struct slice piece = charset_fitting(text, c, room);
        size_t before = pieces.len;
        assert(piece.len && charset_put(&pieces, piece, c, NULL) == 0);
        assert(pieces.len - before <= (room < 32 ? 32 : room));
        text = slice_skip(text, piece.len);
    }
    buf_done(&out), buf_done(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct charset_misfits list;
    struct slice text = slice_make(data, size);
    size_t replaced = 0;
    charset_check(text, &list);
    for (size_t i = 0; i < list.count; i++) {
        assert(list.at[i].offset < size && list.at[i].count && list.at[i].line && list.at[i].column);
        assert(list.at[i].replaced || list.at[i].near.len == 0);
        if (list.at[i].replaced) assert(charset_fits(list.at[i].near, CHARSET_JIS));
        replaced += list.at[i].replaced;
    }
    assert(charset_fits(text, CHARSET_JIS) == (list.count == 0));
    if (!list.more) assert(charset_fits(text, CHARSET_JIS_NEAR) == (replaced == list.count));
    whole(text, CHARSET_UTF8), whole(text, CHARSET_JIS), whole(text, CHARSET_JIS_NEAR);
    return 0;
}
