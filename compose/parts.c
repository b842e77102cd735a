/* The compiler's half for the body: how the parts of a mail lie in each other, and how each is encoded.
 *
 *     multipart/mixed                  when there are attachments
 *         multipart/alternative        when there is text and HTML
 *             text/plain
 *             multipart/related        when the HTML shows pictures of the mail
 *                 text/html
 *                 pictures
 *         attachments */
#include "auto_text.h"
#include "b64.h"
#include "compiler.h"
#include "mime_param.h"
#include "qp.h"

enum level { MIXED = 'm', ALTERNATIVE = 'a', RELATED = 'r' };

/* ---- boundaries ---- */

static int add_boundary(struct compiler *c, enum level level, const char *before, const char *after) {
    struct buf line;
    buf_init(&line, 256);
    buf_printf(&line, "%s%.*s%c%s", before, BOUNDARY_LEN - 1, c->t->boundary, (char)level, after);
    int rc = compiler_add_bytes(c, buf_slice(&line));
    buf_done(&line);
    return rc;
}

static int open_multipart(struct compiler *c, enum level level) {
    const char *type = level == MIXED ? "Content-Type: multipart/mixed;\r\n boundary=\""
                       : level == ALTERNATIVE
                           ? "Content-Type: multipart/alternative;\r\n boundary=\""
                           : "Content-Type: multipart/related; type=\"text/html\";\r\n boundary=\"";
    return add_boundary(c, level, type, "\"\r\n\r\n");
}

static int next_part(struct compiler *c, enum level level, bool first) {
    return add_boundary(c, level, first ? "--" : "\r\n--", "\r\n");
}

static int close_multipart(struct compiler *c, enum level level) {
    return add_boundary(c, level, "\r\n--", "--\r\n");
}

/* ---- texts ---- */

static bool wants_base64(const struct compiler *c, struct slice text) {
    if (c->content->encoding != CONTENT_AUTO) return c->content->encoding == CONTENT_BASE64;
    return b64_suits(text);
}

/* A text that is the same for everybody is encoded now. */
static int add_fixed_body(struct compiler *c, struct slice text, bool base64, bool last) {
    struct buf encoded;
    buf_init(&encoded, ENCODED_MAX);
    if (base64) {
        struct b64 b;
        b64_begin(&b, &encoded);
        b64_put_text(&b, text);
        b64_end(&b);
    } else {
        struct qp q;
        qp_begin(&q, &encoded);
        qp_put(&q, text);
        if (last)
            qp_end(&q);
        else
            qp_close(&q);
    }
    int rc = encoded.failed ? compiler_no_memory(c) : compiler_add_bytes(c, buf_slice(&encoded));
    buf_done(&encoded);
    return rc;
}

static int add_body(struct compiler *c, const struct script *script, bool base64, bool last) {
    struct slice fixed;
    if (script_fixed(script, &c->t->arena, &fixed))
        return fixed.at ? add_fixed_body(c, fixed, base64, last) : compiler_no_memory(c);
    return compiler_add(c, (struct op){.kind = base64 ? OP_BASE64 : OP_QP, .script = script, .last = last});
}

/* last: the mail ends with it. */
static int add_text(struct compiler *c, struct slice text, bool html, bool last) {
    const char *part = html ? "html" : "text";
    const struct script *script = compiler_text(c, text, part, true, html);
    if (!script) return -1;
    *(html ? &c->t->html : &c->t->text) = script;
    struct buf type;
    buf_init(&type, 256);
    buf_printf(&type, "Content-Type: text/%s; charset=%s\r\n", html ? "html" : "plain",
               charset_name(c->t->charset));
    int rc = compiler_add_bytes(c, buf_slice(&type));
    buf_done(&type);
    if (rc) return -1;
    if (c->t->charset != CHARSET_UTF8)
        return compiler_add(c, (struct op){.kind = OP_JIS, .script = script, .last = last});
    bool base64 = wants_base64(c, text);
    if (compiler_add_bytes(c, base64 ? SLICE("Content-Transfer-Encoding: base64\r\n\r\n")
                                     : SLICE("Content-Transfer-Encoding: quoted-printable\r\n\r\n")))
        return -1;
    return add_body(c, script, base64, last);
}

/* ---- files ---- */

/* A file that is the same for everybody, whole. */
static int add_file(struct compiler *c, const struct content_file *f) {
    struct buf part;
    struct b64 b;
    buf_init(&part, ENCODED_MAX);
    mime_put_field(&part, SLICE("Content-Type"), f->type, SLICE("name"), f->name);
    buf_put_text(&part, "Content-Transfer-Encoding: base64\r\n");
    mime_put_field(&part, SLICE("Content-Disposition"), f->is_inline ? SLICE("inline") : SLICE("attachment"),
                   SLICE("filename"), f->name);
    if (f->is_inline) buf_printf(&part, "Content-ID: <%.*s>\r\n", SLICE_ARG(f->cid));
    buf_put_text(&part, "\r\n");
    b64_begin(&b, &part);
    b64_put(&b, f->bytes);
    b64_end(&b);
    int rc = part.failed ? err_set(c->err, ERR_INPUT, "the file %.*s can't be attached", SLICE_ARG(f->name))
                         : compiler_add_bytes(c, buf_slice(&part));
    buf_done(&part);
    return rc;
}

static int add_personal_file(struct compiler *c, const struct content_file *f) {
    struct op op = {.kind = OP_FILE};
    op.script = compiler_text(c, f->path, "attachments, personal", false, false);
    op.other = op.script ? compiler_text(c, f->name, "attachments, name", false, false) : NULL;
    if (!op.other) return -1;
    return arena_copy(&c->t->arena, f->type, &op.bytes) ? compiler_add(c, op) : compiler_no_memory(c);
}

static size_t count_files(const struct content *in, bool are_inline) {
    size_t n = 0;
    for (size_t i = 0; i < in->file_count; i++)
        n += in->files[i].is_inline == are_inline;
    return n;
}

static int add_files(struct compiler *c, enum level level, bool are_inline) {
    const struct content *in = c->content;
    for (size_t i = 0; i < in->file_count; i++) {
        const struct content_file *f = &in->files[i];
        if (f->is_inline != are_inline) continue;
        if (next_part(c, level, false)) return -1;
        if (f->path.len ? add_personal_file(c, f) : add_file(c, f)) return -1;
    }
    return close_multipart(c, level);
}

/* ---- the tree ---- */

static int add_html(struct compiler *c, bool last) {
    if (!count_files(c->content, true)) return add_text(c, c->content->html, true, last);
    if (open_multipart(c, RELATED) || next_part(c, RELATED, true) ||
        add_text(c, c->content->html, true, false))
        return -1;
    return add_files(c, RELATED, true);
}

static int add_readable(struct compiler *c, struct slice text, bool last) {
    if (c->content->html.len == 0) return add_text(c, text, false, last);
    if (text.len == 0) return add_html(c, last);
    if (open_multipart(c, ALTERNATIVE) || next_part(c, ALTERNATIVE, true) ||
        add_text(c, text, false, false) || next_part(c, ALTERNATIVE, false) || add_html(c, false))
        return -1;
    return close_multipart(c, ALTERNATIVE);
}

static int add_tree(struct compiler *c, struct slice text) {
    if (!count_files(c->content, false)) return add_readable(c, text, true);
    if (open_multipart(c, MIXED) || next_part(c, MIXED, true) || add_readable(c, text, false)) return -1;
    return add_files(c, MIXED, false);
}

static int make_text(struct compiler *c, struct slice html, struct slice *text) {
    struct buf made;
    buf_init(&made, CONTENT_TEXT_MAX);
    int rc = auto_text(html, &made, c->err);
    if (rc == 0 && !arena_copy(&c->t->arena, buf_slice(&made), text)) rc = compiler_no_memory(c);
    buf_done(&made);
    return rc;
}

/* The partials of a text that is made from HTML are made from those of the HTML, where these have markup. */
static int make_partials(struct compiler *c) {
    const struct content *in = c->content;
    struct content_partial *made = arena_alloc(&c->t->arena, (in->partial_count + 1) * sizeof *made);
    if (!made) return compiler_no_memory(c);
    for (size_t i = 0; i < in->partial_count; i++) {
        struct slice text = in->partials[i].text;
        made[i] = in->partials[i];
        if (slice_find(text, '<') < 0 && slice_find(text, '&') < 0) continue;
        if (make_text(c, text, &made[i].text))
            return err_wrap(c->err, "partials, %.*s", SLICE_ARG(made[i].name));
        /* What calls it looks after the line. */
        if (made[i].text.len && made[i].text.at[made[i].text.len - 1] == '\n') made[i].text.len--;
    }
    c->text_partials = made;
    return 0;
}

/* The text part: as written, or made from the HTML. In the arena, because errors name its places. */
static int choose_text(struct compiler *c, struct slice *text) {
    const struct content *in = c->content;
    *text = in->text;
    if (in->text.len || in->no_auto_text) return 0;
    /* What is wrong with the HTML is said of the HTML. */
    if (!compiler_text(c, in->html, "html", false, true)) return -1;
    if (make_text(c, in->html, text) == 0 && make_partials(c) == 0 &&
        compiler_text(c, *text, "text made from the html", false, false))
        return 0;
    return err_wrap(c->err, "no text can be made from the html (give a text, or say auto_text: false)");
}

/* What the bodies of all mails have in front: all bytes up to the first op that is another, and of a
 * quoted-printable text the whole lines of its first stretch. */
static int find_prefix(struct compiler *c, size_t first) {
    struct template *t = c->t;
    struct buf prefix;
    size_t i = first;
    buf_init(&prefix, ENCODED_MAX);
    for (; i < t->count && t->ops[i].kind == OP_BYTES; i++)
        buf_put_slice(&prefix, t->ops[i].bytes);
    const struct step *step = i < t->count && t->ops[i].kind == OP_QP ? t->ops[i].script->steps : NULL;
    if (step && step->kind == STEP_TEXT) {
        struct slice run = step->text->qp.bytes;
        const char *end = run.len ? memrchr(run.at, '\n', run.len) : NULL;
        if (end) buf_put(&prefix, run.at, (size_t)(end + 1 - run.at));
    }
    /* The header's last lines may be among these bytes. */
    struct slice all = buf_slice(&prefix);
    const char *body = all.len ? memmem(all.at, all.len, "\r\n\r\n", 4) : NULL;
    if (body) all = slice_skip(all, (size_t)(body + 4 - all.at));
    int rc = body && !prefix.failed && !arena_copy(&t->arena, all, &t->prefix) ? compiler_no_memory(c) : 0;
    buf_done(&prefix);
    return rc;
}

int compile_parts(struct compiler *c) {
    struct slice text;
    size_t first = c->t->count;
    if (choose_text(c, &text) || compiler_add_bytes(c, SLICE("MIME-Version: 1.0\r\n")) || add_tree(c, text))
        return -1;
    return find_prefix(c, first);
}
