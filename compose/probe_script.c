/* For tests: renders templates as they come, one JSON object a line on standard input:
 *
 *     {"template": TEXT, "data": TREE, "partials": {NAME: TEXT}, "part": "html"|"text"|"subject",
 *      "escape": BOOL, "lenient": BOOL, "mail": BOOL}
 *
 * and for each of them "ok LENGTH\n" and so many bytes, or "error TEXT\n". With mail the bytes are the whole
 * mail, else the one part before it is encoded; then too the mail is made, and must fail with it. */
#include "render.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 64 << 20, MAIL_MAX = 8 << 20 };

static const struct slice columns[] = {{"email", 5}, {DATA_COLUMN, 2}};

struct request {
    struct content content;
    struct content_partial partials[CONTENT_PARTIALS_MAX];
    struct slice data; /* packed */
    enum render_part part;
    bool mail;
};

static bool is_true(const struct value *map, struct slice key) {
    return value_member(map, key).kind == VALUE_TRUE;
}

static int read_request(const struct value *map, struct request *q, struct err *err) {
    struct slice rest = map->bytes, key, part = value_member(map, SLICE("part")).bytes;
    struct slice text = value_member(map, SLICE("template")).bytes;
    struct value v;
    *q = (struct request){.content = {.from = SLICE("a@example.org"), .subject = SLICE("s")}};
    q->part = slice_eq(part, SLICE("subject")) ? RENDER_SUBJECT
              : slice_eq(part, SLICE("text"))  ? RENDER_TEXT
                                               : RENDER_HTML;
    *(q->part == RENDER_SUBJECT ? &q->content.subject
      : q->part == RENDER_TEXT  ? &q->content.text
                                : &q->content.html) = text;
    if (q->part == RENDER_SUBJECT) q->content.text = SLICE("t");
    q->content.no_escape = !is_true(map, SLICE("escape"));
    q->content.missing_empty = is_true(map, SLICE("lenient"));
    q->mail = is_true(map, SLICE("mail"));
    q->content.no_auto_text = !is_true(map, SLICE("auto_text"));
    while (take_bytes(&rest, &key)) {
        struct slice before = rest;
        if (!value_take(&rest, &v)) break;
        if (slice_eq(key, SLICE("data"))) q->data = slice_make(before.at, (size_t)(rest.at - before.at));
        if (!slice_eq(key, SLICE("partials"))) continue;
        struct slice inside = v.bytes, name;
        struct value body;
        while (value_take_member(&inside, &name, &body)) {
            if (q->content.partial_count == CONTENT_PARTIALS_MAX)
                return err_set(err, ERR_INPUT, "too many partials");
            q->partials[q->content.partial_count++] = (struct content_partial){name, body.bytes};
        }
    }
    q->content.partials = q->partials;
    return 0;
}

static int answer(struct renderer *r, struct request *q, struct buf *out, struct err *err) {
    struct buf mail;
    struct slice values[] = {SLICE("u@example.net"), q->data};
    struct render_input in = {
        .to = values[0], .values = values, .value_count = 2, .message_id = SLICE("1@example.org"), .date = 1};
    if (q->part != RENDER_SUBJECT &&
        value_is_empty(
            &(struct value){VALUE_TEXT, 0, q->part == RENDER_TEXT ? q->content.text : q->content.html}))
        return 0; /* an empty part is none */
    struct template *t = template_compile(&q->content, columns, 2, err);
    if (!t) return -1;
    buf_init(&mail, MAIL_MAX);
    struct err other;
    int failed = render_part(r, t, &in, q->part, out, err);
    if (!render_mail(r, t, &in, &mail, &other) == !!failed) {
        fprintf(stderr, "the part and the mail differ: %s / %s\n", err->text, other.text);
        exit(2);
    }
    if (!failed && q->mail) {
        buf_reset(out);
        buf_put_slice(out, buf_slice(&mail));
    }
    buf_done(&mail);
    template_free(t);
    return failed;
}

int main(void) {
    struct renderer r;
    struct buf packed, out;
    struct err err;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    renderer_init(&r);
    buf_init(&packed, LINE_MAX_BYTES), buf_init(&out, MAIL_MAX);
    while ((n = getline(&line, &room, stdin)) > 0) {
        static struct request q;
        struct value map;
        buf_reset(&packed), buf_reset(&out);
        struct slice rest;
        int failed = value_put_json(slice_make(line, (size_t)n), &packed, &err);
        rest = buf_slice(&packed);
        if (!failed && (!value_take(&rest, &map) || map.kind != VALUE_MAP))
            failed = err_set(&err, ERR_INPUT, "an object is expected");
        if (!failed) failed = read_request(&map, &q, &err);
        if (!failed) failed = answer(&r, &q, &out, &err);
        if (failed) {
            printf("error %s\n", err.text);
        } else {
            printf("ok %zu\n", out.len);
            if (out.len) fwrite(out.at, 1, out.len, stdout);
        }
        fflush(stdout);
    }
    free(line);
    buf_done(&packed), buf_done(&out);
    renderer_done(&r);
    return 0;
}
