/* The compiler: content into a flat program. Everything that is the same for all recipients is encoded here.
 */
#include "header.h"
#include "program.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 1024, ARENA_MAX = 64 * 1024 * 1024, ENCODED_MAX = 16 * 1024 * 1024 };

struct compiler {
    struct template *t;
    const struct content *content;
    struct columns columns; /* copies in the template's arena */
    bool *used;
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

static int parse(struct compiler *c, struct slice text, const char *part, struct pieces *out) {
    assert(c->used);
    if (pieces_parse(text, part, &c->columns, &c->t->arena, out, c->err)) return -1;
    for (size_t i = 0; i < out->count; i++)
        if (out->at[i].variable) c->used[out->at[i].column] = true;
    return 0;
}

/* A field that is the same for everybody, as bytes. part: for the message when it can't be written. */
static int add_fixed_field(struct compiler *c, struct slice name, const struct pieces *display,
                           const struct address *address, enum header_words words) {
    struct buf text, field;
    buf_init(&text, CONTENT_MAX);
    buf_init(&field, ENCODED_MAX);
    pieces_join(display, &text);
    if (address)
        header_put_mailbox(&field, name, buf_slice(&text), address->text);
    else
        header_put_text(&field, name, buf_slice(&text), words);
    int rc = text.failed || field.failed
                 ? err_set(c->err, ERR_INPUT, "the header %.*s can't be written", SLICE_ARG(name))
                 : add_bytes(c, buf_slice(&field));
    buf_done(&text);
    buf_done(&field);
    return rc;
}

static int add_from(struct compiler *c) {
    struct template *t = c->t;
    struct op op = {.kind = OP_FROM};
    if (address_parse_ascii(c->content->from, &t->arena, &t->from, c->err)) return err_wrap(c->err, "from");
    if (parse(c, c->content->from_name, "from", &op.pieces)) return -1;
    if (pieces_fixed(&op.pieces)) return add_fixed_field(c, SLICE("From"), &op.pieces, &t->from, HEADER_TEXT);
    return add(c, op);
}

static int add_to(struct compiler *c) {
    struct op op = {.kind = OP_TO};
    return parse(c, c->content->to_name, "to_name", &op.pieces) ? -1 : add(c, op);
}

static int add_reply_to(struct compiler *c) {
    struct op op = {.kind = OP_REPLY_TO};
    struct address address;
    if (c->content->reply_to.len == 0) return 0;
    if (parse(c, c->content->reply_to_name, "reply_to", &op.pieces) ||
        parse(c, c->content->reply_to, "reply_to", &op.address))
        return -1;
    if (!pieces_fixed(&op.address)) return add(c, op);
    if (address_parse_ascii(c->content->reply_to, &c->t->arena, &address, c->err))
        return err_wrap(c->err, "reply_to");
    if (pieces_fixed(&op.pieces))
        return add_fixed_field(c, SLICE("Reply-To"), &op.pieces, &address, HEADER_TEXT);
    return add(c, op);
}

/* part: where the text was written; it becomes part of messages, so it lives in the arena. */
static int add_text_field(struct compiler *c, struct slice name, struct slice value, const char *part,
                          enum header_words words) {
    struct op op = {.kind = words == HEADER_TEXT ? OP_TEXT : OP_TOKENS};
    if (parse(c, value, part, &op.pieces)) return -1;
    if (pieces_fixed(&op.pieces)) return add_fixed_field(c, name, &op.pieces, NULL, words);
    if (!arena_copy(&c->t->arena, name, &op.bytes)) return no_memory(c);
    return add(c, op);
}

static int add_custom_headers(struct compiler *c) {
    for (size_t i = 0; i < c->content->header_count; i++) {
        const struct content_header *h = &c->content->headers[i];
        char part[96];
        int n = snprintf(part, sizeof part, "headers, %.*s", SLICE_ARG(h->name));
        const char *kept = arena_string(&c->t->arena, slice_make(part, (size_t)n));
        if (!kept) return no_memory(c);
        if (add_text_field(c, h->name, h->value, kept, HEADER_TOKENS)) return -1;
    }
    return 0;
}

static int add_run(struct compiler *c, struct slice text) {
    struct buf encoded;
    struct op op = {.kind = OP_RUN};
    buf_init(&encoded, ENCODED_MAX);
    qp_encode_run(&encoded, text, &op.run);
    bool kept = !encoded.failed && arena_copy(&c->t->arena, buf_slice(&encoded), &op.run.bytes);
    buf_done(&encoded);
    return kept ? add(c, op) : no_memory(c);
}

/* The pieces of a body; neighbouring texts (of which an escape makes two) become one run. */
static int add_body(struct compiler *c, const struct pieces *pieces, bool html) {
    struct buf text;
    int rc = add_kind(c, OP_BODY);
    buf_init(&text, CONTENT_MAX);
    for (size_t i = 0; i <= pieces->count && rc == 0; i++) {
        bool end = i == pieces->count;
        const struct piece *p = end ? NULL : &pieces->at[i];
        if (!end && !p->variable) {
            buf_put_slice(&text, p->text);
            continue;
        }
        if (text.failed) rc = no_memory(c);
        if (rc == 0 && text.len) rc = add_run(c, buf_slice(&text));
        buf_reset(&text);
        if (rc == 0 && !end)
            rc = add(c, (struct op){.kind = html && !p->raw ? OP_VALUE_HTML : OP_VALUE, .variable = *p});
    }
    buf_done(&text);
    return rc;
}

#define ENCODING "Content-Transfer-Encoding: quoted-printable\r\n\r\n"

static int add_part(struct compiler *c, struct slice text, bool html) {
    struct pieces pieces;
    if (parse(c, text, html ? "html" : "text", &pieces)) return -1;
    if (add_bytes(c, html ? SLICE("Content-Type: text/html; charset=utf-8\r\n" ENCODING)
                          : SLICE("Content-Type: text/plain; charset=utf-8\r\n" ENCODING)))
        return -1;
    return add_body(c, &pieces, html);
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
    struct arena *arena = &c->t->arena;
    if (count > COLUMNS_MAX) return err_set(c->err, ERR_INPUT, "more than 1024 columns");
    struct slice *copies = arena_alloc(arena, (count + 1) * sizeof *copies);
    c->used = arena_zalloc(arena, count + 1);
    if (!copies || !c->used) return no_memory(c);
    for (size_t i = 0; i < count; i++)
        if (!arena_copy(arena, names[i], &copies[i])) return no_memory(c);
    c->columns = (struct columns){copies, count};
    c->t->columns = count;
    return 0;
}

static int list_used(struct compiler *c) {
    struct template *t = c->t;
    t->used = arena_alloc(&t->arena, (c->columns.count + 1) * sizeof *t->used);
    if (!t->used) return no_memory(c);
    for (size_t i = 0; i < c->columns.count; i++)
        if (c->used[i]) t->used[t->used_count++] = (uint32_t)i;
    return 0;
}

static int compile(struct compiler *c, const struct slice *names, size_t count) {
    const struct content *in = c->content;
    if (content_check(in, c->err) || copy_columns(c, names, count)) return -1;
    if (add_kind(c, OP_DATE) || add_from(c) || add_to(c) || add_reply_to(c) ||
        add_text_field(c, SLICE("Subject"), in->subject, "subject", HEADER_TEXT) ||
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
