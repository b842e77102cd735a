/* Runs a template's program for one recipient. */
#include "render.h"

#include "hash.h"
#include "header.h"
#include "machine.h"
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
    machine_free(r->machine);
}

/* A header's text, behind what is in scratch already; *text is valid until scratch grows. */
static int gather(struct run *run, const struct script *script, struct slice *text) {
    struct buf *scratch = &run->r->scratch;
    struct sink sink = {.kind = SINK_TEXT, .header = true, .out = scratch};
    size_t start = scratch->len;
    *text = (struct slice){NULL, 0};
    if (machine_run(run->r->machine, script, &sink, run->err)) return -1;
    if (scratch->failed) return err_set(run->err, ERR_INPUT, "a header becomes larger than 1 MB");
    if (scratch->len > start) *text = slice_make(scratch->at + start, scratch->len - start);
    return 0;
}

static int put_text(struct run *run, const struct op *op, enum header_words words) {
    struct slice text;
    buf_reset(&run->r->scratch);
    if (gather(run, op->script, &text)) return -1;
    header_put_text(run->out, op->bytes, text, words);
    return 0;
}

static int put_mailbox(struct run *run, struct slice name, const struct script *display,
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
    if (gather(run, op->address, &text)) return -1;
    if (address_parse_ascii(text, &run->r->arena, &address, run->err)) return err_wrap(run->err, "reply_to");
    return put_mailbox(run, SLICE("Reply-To"), op->script, address.text);
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

static int put_body(struct run *run, const struct op *op) {
    struct sink sink = {.kind = SINK_QP, .out = run->out, .qp = &run->qp};
    qp_begin(&run->qp, run->out);
    return machine_run(run->r->machine, op->script, &sink, run->err);
}

static int step(struct run *run, const struct op *op) {
    switch (op->kind) {
    case OP_BYTES: buf_put_slice(run->out, op->bytes); return 0;
    case OP_DATE: put_date(run); return 0;
    case OP_MESSAGE_ID: return put_message_id(run);
    case OP_LIST: put_list(run); return 0;
    case OP_TO: return put_mailbox(run, SLICE("To"), op->script, run->in->to);
    case OP_FROM: return put_mailbox(run, SLICE("From"), op->script, run->t->from.text);
    case OP_REPLY_TO: return put_reply_to(run, op);
    case OP_TEXT: return put_text(run, op, HEADER_TEXT);
    case OP_TOKENS: return put_text(run, op, HEADER_TOKENS);
    case OP_BOUNDARY: buf_put(run->out, run->boundary, sizeof run->boundary); return 0;
    case OP_BODY: return put_body(run, op);
    case OP_CLOSE: qp_close(&run->qp); return 0;
    case OP_END: qp_end(&run->qp); return 0;
    }
    return 0;
}

static int begin(struct renderer *r, const struct template *t, const struct render_input *in,
                 struct err *err) {
    assert(in->value_count == t->words.column_count);
    if (!r->machine) r->machine = machine_new();
    if (r->machine && machine_begin(r->machine, &t->words, in->values)) return 0;
    return err_set(err, ERR_SYSTEM, "no memory to render a mail");
}

int render_mail(struct renderer *r, const struct template *t, const struct render_input *in, struct buf *out,
                struct err *err) {
    struct run run = {.r = r, .t = t, .in = in, .out = out, .err = err};
    if (begin(r, t, in, err)) return -1;
    make_boundary(&run);
    for (size_t i = 0; i < t->count && !out->failed; i++) /* a bomb costs no more than the room there is */
        if (step(&run, &t->ops[i])) return -1;
    if (!out->failed) return 0;
    return err_set(err, ERR_INPUT, "the mail can't be written, or becomes larger than %zu bytes", out->max);
}

int render_part(struct renderer *r, const struct template *t, const struct render_input *in,
                enum render_part part, struct buf *out, struct err *err) {
    static const char *const names[] = {"subject", "text", "html"};
    const struct script *const scripts[] = {t->subject, t->text, t->html};
    struct sink sink = {.kind = SINK_TEXT, .header = part == RENDER_SUBJECT, .out = out};
    if (!scripts[part]) return err_set(err, ERR_ABSENT, "there is no %s in this template", names[part]);
    if (begin(r, t, in, err) || machine_run(r->machine, scripts[part], &sink, err)) return -1;
    if (!out->failed) return 0;
    return err_set(err, ERR_INPUT, "%s: becomes larger than %zu bytes", names[part], out->max);
}
