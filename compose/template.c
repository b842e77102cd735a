/* The compiler: content into a flat program. Everything that is the same for all recipients is encoded here.
 */
#include "compiler.h"
#include "hash.h"
#include "header.h"
#include "shared.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 1024, ARENA_MAX = 256 * 1024 * 1024, FIELD_MAX = 16 * 1024 * 1024 };

int compiler_no_memory(struct compiler *c) {
    return err_set(c->err, ERR_SYSTEM, "no memory for the template");
}

int compiler_add(struct compiler *c, struct op op) {
    struct template *t = c->t;
    if (t->count == c->room) {
        size_t room = c->room ? c->room * 2 : 32;
        struct op *more = arena_alloc(&t->arena, room * sizeof *more);
        if (!more) return compiler_no_memory(c);
        if (t->count) memcpy(more, t->ops, t->count * sizeof *more);
        t->ops = more;
        c->room = room;
    }
    t->ops[t->count++] = op;
    return 0;
}

static int add_kind(struct compiler *c, enum op_kind kind) {
    return compiler_add(c, (struct op){.kind = kind});
}

int compiler_add_bytes(struct compiler *c, struct slice bytes) {
    struct op op = {.kind = OP_BYTES};
    if (!arena_copy(&c->t->arena, bytes, &op.bytes)) return compiler_no_memory(c);
    return compiler_add(c, op);
}

/* What ISO-2022-JP can't carry, for a person: where it is, and what could stand for it. */
static int complain_of_misfits(struct compiler *c, const struct charset_misfits *list, const char *part) {
    struct buf said;
    buf_init(&said, 400);
    for (size_t i = 0; i < list->count; i++) {
        const struct charset_misfit *m = &list->at[i];
        struct buf one;
        buf_init(&one, 100);
        buf_printf(&one, "%sU+%04X (line %u, column %u", i ? ", " : "", (unsigned)m->code, m->line,
                   m->column);
        if (m->replaced && m->near.len) buf_printf(&one, "; near: %.*s", SLICE_ARG(m->near));
        if (m->replaced && !m->near.len) buf_put_text(&one, "; can be left out");
        buf_put_text(&one, ")");
        bool fits = said.len + one.len + 8 <= said.max && buf_put_slice(&said, buf_slice(&one));
        buf_done(&one);
        if (!fits) {
            buf_put_text(&said, " ...");
            break;
        }
    }
    err_set(c->err, ERR_INPUT, "%s: ISO-2022-JP can't carry %.*s", part, SLICE_ARG(buf_slice(&said)));
    buf_done(&said);
    return -1;
}

int compiler_check_charset(struct compiler *c, struct slice text, const char *part) {
    if (charset_fits(text, c->t->charset)) return 0;
    struct charset_misfits *list = malloc(sizeof *list);
    if (!list) return compiler_no_memory(c);
    charset_check(text, list);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (c->t->charset == CHARSET_JIS || !list->at[i].replaced) list->at[kept++] = list->at[i];
    list->count = kept;
    complain_of_misfits(c, list, part);
    free(list);
    return -1;
}

const struct script *compiler_text(struct compiler *c, struct slice text, const char *part, bool body,
                                   bool html) {
    struct script *s = arena_zalloc(&c->t->arena, sizeof *s);
    struct script_options options = {.text = text,
                                     .part = part,
                                     .encode = body && c->t->charset == CHARSET_UTF8,
                                     .escape = html && !c->content->no_escape,
                                     .lenient = c->content->missing_empty,
                                     .partials = html ? c->content->partials : c->text_partials,
                                     .partial_count = c->content->partial_count};
    if (!s) {
        compiler_no_memory(c);
        return NULL;
    }
    if (compiler_check_charset(c, text, part)) return NULL;
    if (script_compile(&options, &c->t->words, s, c->err)) return NULL;
    return c->content->shared && shared_check_script(s, part, c->err) ? NULL : s;
}

static const struct script *compile_header(struct compiler *c, struct slice text, const char *part) {
    return compiler_text(c, text, part, false, false);
}

/* A field that is the same for everybody, as bytes. */
static int add_fixed_field(struct compiler *c, struct slice name, struct slice text,
                           const struct address *address, enum header_words words) {
    struct buf field;
    buf_init(&field, FIELD_MAX);
    if (!header_value_safe(text)) {
        field.failed = true;
    } else if (address) {
        header_put_mailbox_in(&field, name, text, address->text, c->t->charset);
    } else {
        header_put_text_in(&field, name, text, words, c->t->charset);
    }
    int rc = field.failed ? err_set(c->err, ERR_INPUT, "the header %.*s can't be written", SLICE_ARG(name))
                          : compiler_add_bytes(c, buf_slice(&field));
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
                                      : compiler_add(c, op);
}

static int add_shared_to(struct compiler *c) {
    struct slice name;
    struct address address;
    if (shared_to(c->content, &c->t->arena, &name, &address, c->err)) return -1;
    return add_fixed_field(c, SLICE("To"), name, address.text.len ? &address : NULL, HEADER_TOKENS);
}

static int add_to(struct compiler *c) {
    if (c->content->shared) return add_shared_to(c);
    struct op op = {.kind = OP_TO, .script = compile_header(c, c->content->to_name, "to_name")};
    return op.script ? compiler_add(c, op) : -1;
}

static int add_reply_to(struct compiler *c) {
    struct op op = {.kind = OP_REPLY_TO};
    struct address address;
    struct slice name, text;
    if (c->content->reply_to.len == 0) return 0;
    op.script = compile_header(c, c->content->reply_to_name, "reply_to");
    op.other = op.script ? compile_header(c, c->content->reply_to, "reply_to") : NULL;
    if (!op.other) return -1;
    if (!fixed(c, op.other, &text)) return compiler_add(c, op);
    if (address_parse_ascii(text, &c->t->arena, &address, c->err)) return err_wrap(c->err, "reply_to");
    return fixed(c, op.script, &name) ? add_fixed_field(c, SLICE("Reply-To"), name, &address, HEADER_TEXT)
                                      : compiler_add(c, op);
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
    if (!arena_copy(&c->t->arena, name, &op.bytes)) return compiler_no_memory(c);
    return compiler_add(c, op);
}

static int add_custom_headers(struct compiler *c) {
    const struct script *script;
    for (size_t i = 0; i < c->content->header_count; i++) {
        const struct content_header *h = &c->content->headers[i];
        char part[96];
        int n = snprintf(part, sizeof part, "headers, %.*s", SLICE_ARG(h->name));
        const char *kept = arena_string(&c->t->arena, slice_make(part, (size_t)n));
        if (!kept) return compiler_no_memory(c);
        if (add_text_field(c, h->name, h->value, kept, HEADER_TOKENS, &script)) return -1;
    }
    return 0;
}

static int add_unsubscribe(struct compiler *c) {
    const struct content *in = c->content;
    struct op op = {.kind = OP_UNSUBSCRIBE};
    if (in->unsubscribe_url.len &&
        !(op.script = compile_header(c, in->unsubscribe_url, "list, unsubscribe_url")))
        return -1;
    if (in->unsubscribe_mail.len &&
        !(op.other = compile_header(c, in->unsubscribe_mail, "list, unsubscribe_mail")))
        return -1;
    return op.script || op.other ? compiler_add(c, op) : 0;
}

/* What bulk mail owes its readers; what is not configured is not promised. */
static int add_list(struct compiler *c) {
    const struct content *in = c->content;
    const struct script *script;
    struct op id = {.kind = OP_LIST_ID};
    if (in->list_id.len && (!(id.script = compile_header(c, in->list_id, "list, id")) || compiler_add(c, id)))
        return -1;
    if (add_unsubscribe(c)) return -1;
    if (in->feedback_id.len &&
        add_text_field(c, SLICE("Feedback-ID"), in->feedback_id, "list, feedback_id", HEADER_TOKENS, &script))
        return -1;
    return in->auto_submitted ? compiler_add_bytes(c, SLICE("Auto-Submitted: auto-generated\r\n")) : 0;
}

static int copy_columns(struct compiler *c, const struct slice *names, size_t count) {
    struct vocabulary *words = &c->t->words;
    if (count > COLUMNS_MAX) return err_set(c->err, ERR_INPUT, "more than 1024 columns");
    struct slice *copies = arena_alloc(&c->t->arena, (count + 1) * sizeof *copies);
    if (!copies) return compiler_no_memory(c);
    *words = (struct vocabulary){.arena = &c->t->arena, .columns = copies, .column_count = count, .data = -1};
    for (size_t i = 0; i < count; i++) {
        if (!arena_copy(&c->t->arena, names[i], &copies[i])) return compiler_no_memory(c);
        if (slice_eq(names[i], SLICE(DATA_COLUMN))) words->data = (int32_t)i;
    }
    return 0;
}

static int list_used(struct compiler *c) {
    struct template *t = c->t;
    const struct vocabulary *words = &t->words;
    bool *used = arena_zalloc(&t->arena, words->column_count + 1);
    t->used = arena_alloc(&t->arena, (words->column_count + 1) * sizeof *t->used);
    if (!t->used || !used) return compiler_no_memory(c);
    for (uint32_t i = 0; i < words->count; i++)
        if (words->words[i].column >= 0) used[words->words[i].column] = true;
    for (size_t i = 0; i < words->column_count; i++)
        if (used[i] || words->any_column || (int32_t)i == words->data) t->used[t->used_count++] = (uint32_t)i;
    return 0;
}

/* "=_" can't occur in quoted-printable, nor "_" in base64: no text ends a part early. (For ISO-2022-JP see
 * render.c.) The same in all mails, so that their bodies begin alike. */
static void begin(struct compiler *c) {
    static const char digits[] = "0123456789abcdef";
    const struct content *in = c->content;
    struct template *t = c->t;
    t->charset = in->charset == CONTENT_UTF_8 ? CHARSET_UTF8
                 : in->substitute             ? CHARSET_JIS_NEAR
                                              : CHARSET_JIS;
    t->one_click = in->one_click;
    t->shared = in->shared;
    uint64_t hash = hash_bytes(in->html, hash_bytes(in->text, hash_bytes(in->subject, 0)));
    memcpy(t->boundary, "=_t_", 4);
    for (int i = 0; i < 16; i++)
        t->boundary[4 + i] = digits[hash >> (60 - 4 * i) & 15];
}

static int compile(struct compiler *c, const struct slice *names, size_t count) {
    const struct content *in = c->content;
    if (content_check(in, c->err) || copy_columns(c, names, count)) return -1;
    begin(c);
    for (size_t i = 0; i < in->partial_count; i++)
        if (compiler_check_charset(c, in->partials[i].text, "partials")) return -1;
    if (add_kind(c, OP_DATE) || add_from(c) || add_to(c) || add_reply_to(c) ||
        add_text_field(c, SLICE("Subject"), in->subject, "subject", HEADER_TEXT, &c->t->subject) ||
        add_kind(c, OP_MESSAGE_ID) || add_list(c) || add_custom_headers(c) || compile_parts(c))
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
    struct compiler c = {.t = t, .content = content, .text_partials = content->partials, .err = err};
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

bool template_shared(const struct template *t) {
    return t->shared;
}

struct slice template_prefix(const struct template *t) {
    return t->prefix;
}
