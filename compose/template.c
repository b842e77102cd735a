/* The compiler: content into a flat program. Everything that is the same for all recipients is encoded here.
 */
#include "header.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 1024, ARENA_MAX = 192 * 1024 * 1024, ENCODED_MAX = 16 * 1024 * 1024 };

struct compiler {
    struct template *t;
    const struct content *content;
    size_t room; /* ops allocated */
    struct err *err;
};

static int no_memory(struct compiler *c) {
    return err_set(c->err, ERR_SYSTEM, "no memory for the template");
}

static int add(struct compiler *c, struct op op) {
    struct template *t = c->t;
    if (t->count == c->room) {
        size_t room = c->room ? c->room * 2 : 32;
        struct op *more = arena_alloc(&t->arena, room * sizeof *more);
        if (!more) return no_memory(c);
        if (t->count) memcpy(more, t->ops, t->count * sizeof *more);
        t->ops = more;
        c->room = room;
    }
    t->ops[t->count++] = op;
    return 0;
}

static int add_kind(struct compiler *c, enum op_kind kind) {
    return add(c, (struct op){.kind = kind});
}

static int add_bytes(struct compiler *c, struct slice bytes) {
    struct op op = {.kind = OP_BYTES};
    if (!arena_copy(&c->t->arena, bytes, &op.bytes)) return no_memory(c);
    return add(c, op);
}

/* The text of one part. part must outlive the template. */
static const struct script *compile_text(struct compiler *c, struct slice text, const char *part, bool body,
                                         bool html) {
    struct script *s = arena_zalloc(&c->t->arena, sizeof *s);
    struct script_options options = {.text = text,
                                     .part = part,
                                     .encode = body,
                                     .escape = html && !c->content->no_escape,
                                     .lenient = c->content->missing_empty,
                                     .partials = c->content->partials,
                                     .partial_count = c->content->partial_count};
    if (!s) {
        no_memory(c);
        return NULL;
    }
    return script_compile(&options, &c->t->words, s, c->err) ? NULL : s;
}

static const struct script *compile_header(struct compiler *c, struct slice text, const char *part) {
    return compile_text(c, text, part, false, false);
}

/* A field that is the same for everybody, as bytes. */
static int add_fixed_field(struct compiler *c, struct slice name, struct slice text,
                           const struct address *address, enum header_words words) {
    struct buf field;
    buf_init(&field, ENCODED_MAX);
    if (!header_value_safe(text)) {
        field.failed = true;
    } else if (address) {
        header_put_mailbox(&field, name, text, address->text);
    } else {
        header_put_text(&field, name, text, words);
    }
    int rc = field.failed ? err_set(c->err, ERR_INPUT, "the header %.*s can't be written", SLICE_ARG(name))
                          : add_bytes(c, buf_slice(&field));
    buf_done(&field);
    return rc;
}

static bool fixed(const struct compiler *c, const struct script *s, struct slice *text) {
    return script_fixed(s, &c->t->arena, text);
}

static int add_from(struct compiler *c) {
    struct template *t = c->t;
    struct op op = {.kind = OP_FROM};
    struct slice name;
    if (address_parse_ascii(c->content->from, &t->arena, &t->from, c->err)) return err_wrap(c->err, "from");
    op.script = compile_header(c, c->content->from_name, "from");
    if (!op.script) return -1;
    return fixed(c, op.script, &name) ? add_fixed_field(c, SLICE("From"), name, &t->from, HEADER_TEXT)
                                      : add(c, op);
}

static int add_to(struct compiler *c) {
    struct op op = {.kind = OP_TO, .script = compile_header(c, c->content->to_name, "to_name")};
    return op.script ? add(c, op) : -1;
}

static int add_reply_to(struct compiler *c) {
    struct op op = {.kind = OP_REPLY_TO};
    struct address address;
    struct slice name, text;
    if (c->content->reply_to.len == 0) return 0;
    op.script = compile_header(c, c->content->reply_to_name, "reply_to");
    op.address = op.script ? compile_header(c, c->content->reply_to, "reply_to") : NULL;
    if (!op.address) return -1;
    if (!fixed(c, op.address, &text)) return add(c, op);
    if (address_parse_ascii(text, &c->t->arena, &address, c->err)) return err_wrap(c->err, "reply_to");
    return fixed(c, op.script, &name) ? add_fixed_field(c, SLICE("Reply-To"), name, &address, HEADER_TEXT)
                                      : add(c, op);
}

/* part: where the text was written; it becomes part of messages, so it lives in the arena. *out: the script.
 */
static int add_text_field(struct compiler *c, struct slice name, struct slice value, const char *part,
                          enum header_words words, const struct script **out) {
    struct op op = {.kind = words == HEADER_TEXT ? OP_TEXT : OP_TOKENS};
    struct slice text;
    op.script = *out = compile_header(c, value, part);
    if (!op.script) return -1;
    if (fixed(c, op.script, &text)) return add_fixed_field(c, name, text, NULL, words);
    if (!arena_copy(&c->t->arena, name, &op.bytes)) return no_memory(c);
    return add(c, op);
}

static int add_custom_headers(struct compiler *c) {
    const struct script *script;
    for (size_t i = 0; i < c->content->header_count; i++) {
        const struct content_header *h = &c->content->headers[i];
        char part[96];
        int n = snprintf(part, sizeof part, "headers, %.*s", SLICE_ARG(h->name));
        const char *kept = arena_string(&c->t->arena, slice_make(part, (size_t)n));
        if (!kept) return no_memory(c);
        if (add_text_field(c, h->name, h->value, kept, HEADER_TOKENS, &script)) return -1;
    }
    return 0;
}

#define ENCODING "Content-Transfer-Encoding: quoted-printable\r\n\r\n"

static int add_part(struct compiler *c, struct slice text, bool html) {
    struct op op = {.kind = OP_BODY, .script = compile_text(c, text, html ? "html" : "text", true, html)};
    if (!op.script) return -1;
    *(html ? &c->t->html : &c->t->text) = op.script;
    if (add_bytes(c, html ? SLICE("Content-Type: text/html; charset=utf-8\r\n" ENCODING)
                          : SLICE("Content-Type: text/plain; charset=utf-8\r\n" ENCODING)))
        return -1;
    return add(c, op);
}

static int add_parts(struct compiler *c) {
    const struct content *in = c->content;
    if (add_bytes(c, SLICE("MIME-Version: 1.0\r\n"))) return -1;
    if (in->text.len == 0 || in->html.len == 0) {
        bool html = in->html.len > 0;
        return add_part(c, html ? in->html : in->text, html) || add_kind(c, OP_END) ? -1 : 0;
    }
    if (add_bytes(c, SLICE("Content-Type: multipart/alternative;\r\n boundary=\"")) ||
        add_kind(c, OP_BOUNDARY) || add_bytes(c, SLICE("\"\r\n\r\n--")) || add_kind(c, OP_BOUNDARY) ||
        add_bytes(c, SLICE("\r\n")) || add_part(c, in->text, false) || add_kind(c, OP_CLOSE) ||
        add_bytes(c, SLICE("\r\n--")) || add_kind(c, OP_BOUNDARY) || add_bytes(c, SLICE("\r\n")) ||
        add_part(c, in->html, true) || add_kind(c, OP_CLOSE) || add_bytes(c, SLICE("\r\n--")) ||
        add_kind(c, OP_BOUNDARY) || add_bytes(c, SLICE("--\r\n")))
        return -1;
    return 0;
}

static int copy_columns(struct compiler *c, const struct slice *names, size_t count) {
    struct vocabulary *words = &c->t->words;
    if (count > COLUMNS_MAX) return err_set(c->err, ERR_INPUT, "more than 1024 columns");
    struct slice *copies = arena_alloc(&c->t->arena, (count + 1) * sizeof *copies);
    if (!copies) return no_memory(c);
    *words = (struct vocabulary){.arena = &c->t->arena, .columns = copies, .column_count = count, .data = -1};
    for (size_t i = 0; i < count; i++) {
        if (!arena_copy(&c->t->arena, names[i], &copies[i])) return no_memory(c);
        if (slice_eq(names[i], SLICE(DATA_COLUMN))) words->data = (int32_t)i;
    }
    return 0;
}

static int list_used(struct compiler *c) {
    struct template *t = c->t;
    const struct vocabulary *words = &t->words;
    bool *used = arena_zalloc(&t->arena, words->column_count + 1);
    t->used = arena_alloc(&t->arena, (words->column_count + 1) * sizeof *t->used);
    if (!t->used || !used) return no_memory(c);
    for (uint32_t i = 0; i < words->count; i++)
        if (words->words[i].column >= 0) used[words->words[i].column] = true;
    for (size_t i = 0; i < words->column_count; i++)
        if (used[i] || words->any_column || (int32_t)i == words->data) t->used[t->used_count++] = (uint32_t)i;
    return 0;
}

static int compile(struct compiler *c, const struct slice *names, size_t count) {
    const struct content *in = c->content;
    if (content_check(in, c->err) || copy_columns(c, names, count)) return -1;
    if (add_kind(c, OP_DATE) || add_from(c) || add_to(c) || add_reply_to(c) ||
        add_text_field(c, SLICE("Subject"), in->subject, "subject", HEADER_TEXT, &c->t->subject) ||
        add_kind(c, OP_MESSAGE_ID) || add_kind(c, OP_LIST) || add_custom_headers(c) || add_parts(c))
        return -1;
    return list_used(c);
}

struct template *template_compile(const struct content *content, const struct slice *columns, size_t count,
                                  struct err *err) {
    struct template *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(err, ERR_SYSTEM, "no memory for the template");
        return NULL;
    }
    arena_init(&t->arena, ARENA_MAX);
    struct compiler c = {.t = t, .content = content, .err = err};
    if (compile(&c, columns, count) == 0) return t;
    template_free(t);
    return NULL;
}

void template_free(struct template *t) {
    if (!t) return;
    arena_done(&t->arena);
    free(t);
}

const uint32_t *template_columns(const struct template *t, size_t *count) {
    *count = t->used_count;
    return t->used;
}

const struct address *template_from(const struct template *t) {
    return &t->from;
}
