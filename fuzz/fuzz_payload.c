/* Fuzz target: stored message contents, the template compiler and the renderer.
 *
 * The first byte chooses the values. What decodes is compiled and rendered; a mail that comes out must be
 * one: 7 bits, lines ended by CRLF and within their lengths, the headers that Tsubame writes exactly once,
 * the same again the second time. */
#include "header.h"
#include "render.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slice columns[] = {{"email", 5}, {"name", 4}, {"a b", 3}};
static const struct slice choices[][3] = {
    {{"u@x.y", 5}, {"Anna", 4}, {"", 0}},
    {{"u@x.y", 5}, {"a\r\nBcc: x@y.z", 13}, {" \t", 2}},
    {{"u@x.y", 5}, {"\xE6\x97\xA5\xE6\x9C\xAC <b>=?", 12}, {".\nFrom ", 7}},
    {{"u@x.y", 5}, {NULL, 0}, {"\"\\,;<>", 6}},
};

static void check_header(struct slice *rest) {
    static const struct slice once[] = {{"Date", 4},          {"From", 4},        {"To", 2},
                                        {"Subject", 7},       {"Message-ID", 10}, {"MIME-Version", 12},
                                        {"Content-Type", 12}, {"Bcc", 3}};
    enum { ONCE = sizeof once / sizeof *once };
    size_t seen[ONCE] = {0};
    struct header_field f;
    while (header_next(rest, &f)) {
        assert(f.whole.len < 998 || memchr(f.whole.at, '\n', 998));
        for (size_t i = 0; i < ONCE; i++)
            seen[i] += slice_eq_nocase(f.name, once[i]);
    }
    for (size_t i = 0; i < ONCE; i++)
        assert(seen[i] == (i < ONCE - 1));
}

static void check_mail(struct slice mail) {
    size_t column = 0;
    struct slice rest = mail;
    for (size_t i = 0; i < mail.len; i++) {
        char c = mail.at[i];
        assert((c >= ' ' && c <= '~') || c == '\t' || c == '\r' || c == '\n');
        if (c == '\r') assert(i + 1 < mail.len && mail.at[i + 1] == '\n');
        if (c == '\n') assert(i && mail.at[i - 1] == '\r');
        column = c == '\n' ? 0 : column + 1;
        assert(column <= 999);
    }
    check_header(&rest);
    column = 0;
    for (size_t i = 0; i < rest.len; i++) {
        column = rest.at[i] == '\n' ? 0 : column + 1;
        assert(column <= 77 && !(column == 1 && rest.at[i] == '.'));
        if (rest.at[i] == '\r' && column > 1) assert(!ascii_space(rest.at[i - 1]));
    }
}

static void render_twice(const struct template *t, const struct slice *values) {
    struct renderer r;
    struct buf first, second;
    struct err err;
    renderer_init(&r);
    buf_init(&first, 1 << 20), buf_init(&second, 1 << 20);
    struct render_input in = {
        .to = values[0], .values = values, .value_count = 3, .message_id = SLICE("1@example.org"), .date = 1};
    if (render_mail(&r, t, &in, &first, &err) == 0) {
        check_mail(buf_slice(&first));
        assert(render_mail(&r, t, &in, &second, &err) == 0 &&
               slice_eq(buf_slice(&first), buf_slice(&second)));
    }
    renderer_done(&r);
    buf_done(&first), buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct content content, again;
    struct err err;
    struct buf bytes;
    if (size == 0) return 0;
    arena_init(&arena, 8 << 20);
    buf_init(&bytes, CONTENT_MAX * 2);
    if (content_decode(slice_make(data + 1, size - 1), &arena, &content, &err) == 0) {
        content_encode(&content, &bytes);
        assert(bytes.failed || content_decode(buf_slice(&bytes), &arena, &again, &err) == 0);
        struct template *t = template_compile(&content, columns, 3, &err);
        if (t) render_twice(t, choices[data[0] % 4]);
        template_free(t);
    }
    buf_done(&bytes);
    arena_done(&arena);
    return 0;
}
