/* Runs a template's program for one recipient. */
#include "render.h"

#include "codec.h"
#include "hash.h"
#include "header.h"
#include "program.h"

#include <assert.h>

enum { SCRATCH_MAX = 1024 * 1024, ARENA_MAX = 64 * 1024 };

/* One rendering under way. */
struct run {
    struct renderer *r;
    const struct template *t;
    const struct render_input *in;
    struct buf *out;
    struct qp qp;
    char boundary[20];
    struct err *err;
};

void renderer_init(struct renderer *r) {
    *r = (struct renderer){.date = INT64_MIN};
    buf_init(&r->scratch, SCRATCH_MAX);
    arena_init(&r->arena, ARENA_MAX);
}

void renderer_done(struct renderer *r) {
    buf_done(&r->scratch);
    arena_done(&r->arena);
}

static int complain(const struct run *run, const struct piece *p, const char *what) {
    return err_set(run->err, ERR_INPUT, "%s, line %u, column %u: {{%.*s}}: %s", p->part, p->line, p->place,
                   SLICE_ARG(p->text), what);
}

/* The variable's value for a header. */
static int header_value(const struct run *run, const struct piece *p, struct slice *value) {
    *value = run->in->values[p->column];
    if (!value->at) return complain(run, p, "this recipient has no value for it");
    if (!header_value_safe(*value))
        return complain(run, p, "a line break, a NUL or bytes that are not UTF-8 can't stand in a header");
    return 0;
}

static bool ascii_without_nul(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] == 0 || (unsigned char)s.at[i] >= 0x80) return false;
    return true;
}

static int body_value(const struct run *run, const struct piece *p, struct slice *value) {
    *value = run->in->values[p->column];
    if (!value->at) return complain(run, p, "this recipient has no value for it");
    if (ascii_without_nul(*value)) return 0;
    if (memchr(value->at, 0, value->len)) return complain(run, p, "the value holds a NUL byte");
    return codec_utf8_valid(*value) ? 0 : complain(run, p, "the value is not UTF-8");
}

/* Text and values one behind the other, into scratch; *text is valid until scratch grows. */
static int gather(struct run *run, const struct pieces *pieces, struct slice *text) {
    struct buf *scratch = &run->r->scratch;
    size_t start = scratch->len;
    *text = (struct slice){NULL, 0};
    for (size_t i = 0; i < pieces->count; i++) {
        struct slice value = pieces->at[i].text;
        if (pieces->at[i].variable && header_value(run, &pieces->at[i], &value)) return -1;
        buf_put_slice(scratch, value);
    }
    if (scratch->failed) return err_set(run->err, ERR_INPUT, "a header becomes larger than 1 MB");
    if (scratch->len > start) *text = slice_make(scratch->at + start, scratch->len - start);
    return 0;
}

static int put_text(struct run *run, const struct op *op, enum header_words words) {
    struct slice text;
    buf_reset(&run->r->scratch);
    if (gather(run, &op->pieces, &text)) return -1;
    header_put_text(run->out, op->bytes, text, words);
    return 0;
}

static int put_mailbox(struct run *run, struct slice name, const struct pieces *display,
                       struct slice address) {
    struct slice text;
    buf_reset(&run->r->scratch);
    if (gather(run, display, &text)) return -1;
    header_put_mailbox(run->out, name, text, address);
    return 0;
}

static int put_reply_to(struct run *run, const struct op *op) {
    struct slice text;
    struct address address = {.text = {NULL, 0}};
    buf_reset(&run->r->scratch);
    arena_reset(&run->r->arena);
    if (gather(run, &op->address, &text)) return -1;
    if (address_parse_ascii(text, &run->r->arena, &address, run->err)) return err_wrap(run->err, "reply_to");
    return put_mailbox(run, SLICE("Reply-To"), &op->pieces, address.text);
}

static void put_date(struct run *run) {
    struct renderer *r = run->r;
    if (r->date != run->in->date) { /* mails of a chunk have the same */
        r->date_len = (size_t)clock_rfc5322(run->in->date, r->date_text);
        r->date = run->in->date;
    }
    buf_put_text(run->out, "Date: ");
    buf_put(run->out, r->date_text, r->date_len);
    buf_put(run->out, "\r\n", 2);
}

static int put_message_id(struct run *run) {
    struct slice id = run->in->message_id;
    for (size_t i = 0; i < id.len; i++)
        if (id.at[i] <= ' ' || id.at[i] > '~' || id.at[i] == '<' || id.at[i] == '>')
            return err_set(run->err, ERR_INPUT, "byte %zu of the Message-ID can't stand in one", i + 1);
    if (id.len == 0) return err_set(run->err, ERR_INPUT, "the Message-ID is empty");
    buf_put_text(run->out, id.len > 78 - sizeof "Message-ID: <" ? "Message-ID:\r\n <" : "Message-ID: <");
    buf_put_slice(run->out, id);
    buf_put(run->out, ">\r\n", 3);
    return 0;
}

static void put_list(struct run *run) {
    const struct render_list *list = run->in->list;
    if (!list) return;
    struct buf *out = run->out;
    if (list->unsubscribe.len)
        header_put_text(out, SLICE("List-Unsubscribe"), list->unsubscribe, HEADER_TOKENS);
    if (list->unsubscribe.len && list->one_click)
        buf_put_text(out, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    if (list->list_id.len) header_put_text(out, SLICE("List-Id"), list->list_id, HEADER_TOKENS);
    if (list->feedback_id.len) header_put_text(out, SLICE("Feedback-ID"), list->feedback_id, HEADER_TOKENS);
}

/* "=_" can't occur in quoted-printable, so no text ends a part early. */
static void make_boundary(struct run *run) {
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = hash_bytes(run->in->message_id, 0);
    memcpy(run->boundary, "=_t_", 4);
    for (int i = 0; i < 16; i++)
        run->boundary[4 + i] = digits[hash >> (60 - 4 * i) & 15];
}

static int put_value(struct run *run, const struct op *op) {
    struct slice value;
    if (body_value(run, &op->variable, &value)) return -1;
    if (op->kind == OP_VALUE_HTML)
        qp_put_html(&run->qp, value);
    else
        qp_put(&run->qp, value);
    return 0;
}

static int step(struct run *run, const struct op *op) {
    switch (op->kind) {
    case OP_BYTES: buf_put_slice(run->out, op->bytes); return 0;
    case OP_DATE: put_date(run); return 0;
    case OP_MESSAGE_ID: return put_message_id(run);
    case OP_LIST: put_list(run); return 0;
    case OP_TO: return put_mailbox(run, SLICE("To"), &op->pieces, run->in->to);
    case OP_FROM: return put_mailbox(run, SLICE("From"), &op->pieces, run->t->from.text);
    case OP_REPLY_TO: return put_reply_to(run, op);
    case OP_TEXT: return put_text(run, op, HEADER_TEXT);
    case OP_TOKENS: return put_text(run, op, HEADER_TOKENS);
    case OP_BOUNDARY: buf_put(run->out, run->boundary, sizeof run->boundary); return 0;
    case OP_BODY: qp_begin(&run->qp, run->out); return 0;
    case OP_RUN: qp_put_run(&run->qp, &op->run); return 0;
    case OP_VALUE:
    case OP_VALUE_HTML: return put_value(run, op);
    case OP_CLOSE: qp_close(&run->qp); return 0;
    case OP_END: qp_end(&run->qp); return 0;
    }
    return 0;
}

int render_mail(struct renderer *r, const struct template *t, const struct render_input *in, struct buf *out,
                struct err *err) {
    struct run run = {.r = r, .t = t, .in = in, .out = out, .err = err};
    assert(in->value_count == t->columns);
    make_boundary(&run);
    for (size_t i = 0; i < t->count && !out->failed; i++) /* a bomb costs no more than the room there is */
        if (step(&run, &t->ops[i])) return -1;
    if (!out->failed) return 0;
    return err_set(err, ERR_INPUT, "the mail can't be written, or becomes larger than %zu bytes", out->max);
}
