/* Fuzz target: templates and data.
 *
 * The first byte: escaping, what is missing, whether the data is JSON or packed bytes as they come (damaged
 * ones must do no harm). Then the data up to a NUL, then a partial up to a NUL, then the template. What
 * compiles is rendered as part and as mail: both succeed or fail alike, and twice gives the same. */
#include "render.h"
#include "value.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slice columns[] = {{"email", 5}, {DATA_COLUMN, 2}, {"First Name", 10}};
enum { COLUMNS = 3, OUT_MAX = 1 << 18 };

static void render(const struct template *t, struct slice packed, struct buf *first, struct buf *second) {
    struct slice values[COLUMNS] = {SLICE("u@x.y"), packed, SLICE("Anna")};
    struct render_input in = {.to = values[0],
                              .values = values,
                              .value_count = COLUMNS,
                              .message_id = SLICE("1@example.org"),
                              .date = 1};
    struct renderer r;
    struct err err;
    renderer_init(&r);
    int failed = render_part(&r, t, &in, RENDER_HTML, first, &err);
    assert(failed == 0 || (err.kind == ERR_INPUT && err.text[0]));
    buf_reset(first);
    failed = render_mail(&r, t, &in, first, &err);
    int again = render_mail(&r, t, &in, second, &err);
    assert(failed == again && (failed || slice_eq(buf_slice(first), buf_slice(second))));
    renderer_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest, json, partial;
    struct buf packed, first, second;
    struct err err;
    if (size == 0) return 0;
    rest = slice_make(data + 1, size - 1);
    if (!slice_cut(&rest, 0, &json)) return 0;
    if (!slice_cut(&rest, 0, &partial)) return 0;
    struct content_partial partials[] = {{SLICE("p"), partial}};
    struct content content = {.from = SLICE("a@b.c"),
                              .subject = SLICE("s"),
                              .html = rest,
                              .partials = partials,
                              .partial_count = 1,
                              .no_escape = data[0] & 1,
                              .missing_empty = data[0] & 2};
    buf_init(&packed, 1 << 20), buf_init(&first, OUT_MAX), buf_init(&second, OUT_MAX);
    struct template *t = rest.len ? template_compile(&content, columns, COLUMNS, &err) : NULL;
    bool raw = data[0] & 4;
    if (t && (raw || value_put_json(json, &packed, &err) == 0))
        render(t, raw ? json : buf_slice(&packed), &first, &second);
    template_free(t);
    buf_done(&packed), buf_done(&first), buf_done(&second);
    return 0;
}
