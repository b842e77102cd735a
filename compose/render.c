/* Runs a template's program for one recipient. */
#include "render.h"

#include "b64.h"
#include "codec.h"
#include "header.h"
#include "machine.h"
#include "mime_param.h"
#include "program.h"

#include <assert.h>

enum {
    SCRATCH_MAX = 1024 * 1024,   /* bytes of a header */
    BODY_MAX = 32 * 1024 * 1024, /* of a part before it is encoded */
    ARENA_MAX = 64 * 1024,
    KEEP_MAX = 1024 * 1024, /* a larger one is given back after its mail */
    LINE_7BIT = 998,        /* bytes of a line (RFC 5322 section 2.1.1) */
    URL_MAX = 800           /* bytes of a URL in a header, encoded: it can't be folded */
};

/* One rendering under way. */
struct run {
    struct renderer *r;
    const struct template *t;
    const struct render_input *in;
    struct buf *out;
    struct err *err;
};

void renderer_init(struct renderer *r) {
    *r = (struct renderer){.date = INT64_MIN};
    buf_init(&r->scratch, SCRATCH_MAX);
    buf_init(&r->body, BODY_MAX);
    arena_init(&r->arena, ARENA_MAX);
}

void renderer_done(struct renderer *r) {
    buf_done(&r->scratch);
    buf_done(&r->body);
    arena_done(&r->arena);
    machine_free(r->machine);
}

/* Can the mail's character set carry it? Else a failure that names the character. */
static int check_charset(struct run *run, struct slice text) {
    if (charset_fits(text, run->t->charset)) return 0;
    struct buf unused;
    buf_init(&unused, SCRATCH_MAX);
    int rc = charset_put(&unused, text, run->t->charset, run->err);
    buf_done(&unused);
    return rc ? err_wrap(run->err, "'%.*s'", text.len < 100 ? (int)text.len : 0, text.at) : 0;
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
    return check_charset(run, *text);
}

static int put_text(struct run *run, const struct op *op, enum header_words words) {
    struct slice text = {NULL, 0};
    buf_reset(&run->r->scratch);
    if (gather(run, op->script, &text)) return -1;
    header_put_text_in(run->out, op->bytes, text, words, run->t->charset);
    return 0;
}

static int put_mailbox(struct run *run, struct slice name, const struct script *display,
                       struct slice address) {
    struct slice text = {NULL, 0};
    buf_reset(&run->r->scratch);
    if (gather(run, display, &text)) return -1;
    header_put_mailbox_in(run->out, name, text, address, run->t->charset);
    return 0;
}

static int put_reply_to(struct run *run, const struct op *op) {
    struct slice text = {NULL, 0};
    struct address address = {.text = {NULL, 0}};
    buf_reset(&run->r->scratch);
    arena_reset(&run->r->arena);
    if (gather(run, op->other, &text)) return -1;
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

/* A URI with everything that can't stand in one, would end it here, or would make an encoded word of it, in
 * percent encoding (RFC 3986). */
static int put_uri(struct run *run, struct buf *out, struct slice uri, const char *key) {
    size_t start = out->len;
    for (size_t i = 0; i < uri.len; i++) {
        char c = uri.at[i];
        bool word = c == '?' && i && uri.at[i - 1] == '=';
        if (c > ' ' && c < 0x7f && !strchr("<>\"\\^`{|},", c) && !word)
            buf_put_c(out, c);
        else
            codec_escape(out, '%', c);
    }
    if (out->len - start <= URL_MAX) return 0;
    return err_set(run->err, ERR_INPUT, "list, %s: longer than %d bytes", key, URL_MAX);
}

static int put_unsubscribe_url(struct run *run, const struct op *op, struct buf *value) {
    struct slice url;
    if (gather(run, op->script, &url)) return -1;
    url = slice_trim(url);
    bool https = slice_starts_nocase(url, SLICE("https://"));
    if (!https && (run->t->one_click || !slice_starts_nocase(url, SLICE("http://"))))
        return err_set(run->err, ERR_INPUT, "list, unsubscribe_url: '%.*s' does not begin with https://",
                       url.len < 200 ? (int)url.len : 200, url.at);
    buf_put_c(value, '<');
    int rc = put_uri(run, value, url, "unsubscribe_url");
    buf_put_c(value, '>');
    return rc;
}

/* An address within a URI: nothing in it begins another part of that (RFC 6068 section 2). */
static void put_mailto(struct buf *out, struct slice address) {
    buf_put_text(out, "mailto:");
    for (size_t i = 0; i < address.len; i++) {
        if (strchr("%?&=#/<>\"\\^`{|},", address.at[i]))
            codec_escape(out, '%', address.at[i]);
        else
            buf_put_c(out, address.at[i]);
    }
}

/* An address, or a URI that says more (mailto:leave@example.com?subject=...). */
static int put_unsubscribe_mail(struct run *run, const struct op *op, struct buf *value) {
    struct slice mail;
    struct address address;
    int rc = 0;
    if (gather(run, op->other, &mail)) return -1;
    mail = slice_trim(mail);
    buf_put_text(value, value->len ? ", <" : "<");
    arena_reset(&run->r->arena);
    if (slice_starts_nocase(mail, SLICE("mailto:")) && slice_find(mail, '@') > 0) {
        rc = put_uri(run, value, mail, "unsubscribe_mail");
    } else if (address_parse_ascii(mail, &run->r->arena, &address, run->err) == 0) {
        put_mailto(value, address.text);
    } else {
        rc = err_wrap(run->err, "list, unsubscribe_mail: '%.*s'", mail.len < 200 ? (int)mail.len : 200,
                      mail.at);
    }
    buf_put_c(value, '>');
    return rc;
}

/* RFC 2369 section 3.2, RFC 8058. */
static int put_unsubscribe(struct run *run, const struct op *op) {
    struct buf value;
    buf_init(&value, SCRATCH_MAX);
    buf_reset(&run->r->scratch);
    int rc = op->script ? put_unsubscribe_url(run, op, &value) : 0;
    if (rc == 0 && op->other) rc = put_unsubscribe_mail(run, op, &value);
    if (rc == 0) header_put_text(run->out, SLICE("List-Unsubscribe"), buf_slice(&value), HEADER_TOKENS);
    if (rc == 0 && run->t->one_click)
        buf_put_text(run->out, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    buf_done(&value);
    return rc;
}

/* ---- bodies ---- */

static int put_qp(struct run *run, const struct op *op) {
    struct qp qp;
    struct sink sink = {.kind = SINK_QP, .out = run->out, .qp = &qp};
    qp_begin(&qp, run->out);
    if (machine_run(run->r->machine, op->script, &sink, run->err)) return -1;
    if (op->last)
        qp_end(&qp);
    else
        qp_close(&qp);
    return 0;
}

/* A part's text as it is, before it is encoded. */
static int gather_body(struct run *run, const struct op *op, struct slice *text) {
    struct buf *body = &run->r->body;
    struct sink sink = {.kind = SINK_TEXT, .out = body};
    *text = (struct slice){NULL, 0};
    buf_reset(body);
    if (machine_run(run->r->machine, op->script, &sink, run->err)) return -1;
    if (body->failed) return err_set(run->err, ERR_INPUT, "a part becomes larger than %zu bytes", body->max);
    *text = buf_slice(body);
    return 0;
}

static void put_base64(struct buf *out, struct slice bytes, bool is_text) {
    struct b64 b;
    b64_begin(&b, out);
    if (is_text)
        b64_put_text(&b, bytes);
    else
        b64_put(&b, bytes);
    b64_end(&b);
}

static int put_base64_text(struct run *run, const struct op *op) {
    struct slice text = {NULL, 0};
    if (gather_body(run, op, &text)) return -1;
    put_base64(run->out, text, true);
    return 0;
}

/* May it stand in 7bit as it is: no line is too long, none looks like the end of the part or (to a gateway)
 * like an mbox entry? */
static bool suits_7bit(struct slice text, const char *boundary) {
    size_t start = 0; /* of the line under way */
    if (text.len && memmem(text.at, text.len, boundary, 4)) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (i == start && slice_starts(slice_skip(text, i), SLICE("From "))) return false;
        if (text.at[i] == '\r' || text.at[i] == '\n') start = i + 1;
        if (i + 1 - start > LINE_7BIT) return false;
    }
    return true;
}

/* Line breaks of every kind as CRLF. Returns whether it ends in one (or is empty). */
static bool put_lines(struct buf *out, struct slice text) {
    bool ended = true;
    for (size_t i = 0, n; i < text.len && !out->failed; i += n) {
        struct slice rest = slice_skip(text, i);
        for (n = 0; n < rest.len && rest.at[n] != '\r' && rest.at[n] != '\n';)
            n++;
        buf_put(out, rest.at, n);
        ended = n < rest.len;
        if (!ended) break;
        buf_put(out, "\r\n", 2);
        n += slice_starts(slice_skip(rest, n), SLICE("\r\n")) ? 2 : 1;
    }
    return ended;
}

/* As it is, in 7 bits, as readers of this character set know it; in base64 where that can't be. */
static int put_jis(struct run *run, const struct op *op) {
    struct slice text = {NULL, 0};
    struct buf jis;
    if (gather_body(run, op, &text)) return -1;
    buf_init(&jis, BODY_MAX);
    int rc = charset_put(&jis, text, run->t->charset, run->err);
    if (jis.failed) run->out->failed = true;
    if (rc == 0 && suits_7bit(buf_slice(&jis), run->t->boundary)) {
        buf_put_text(run->out, "Content-Transfer-Encoding: 7bit\r\n\r\n");
        if (!put_lines(run->out, buf_slice(&jis)) && op->last) buf_put(run->out, "\r\n", 2);
    } else if (rc == 0) {
        buf_put_text(run->out, "Content-Transfer-Encoding: base64\r\n\r\n");
        put_base64(run->out, buf_slice(&jis), true);
    }
    buf_done(&jis);
    return rc;
}

/* A recipient's own file: a whole part. */
static int put_file(struct run *run, const struct op *op) {
    const struct render_input *in = run->in;
    struct buf *out = run->out, *body = &run->r->body;
    struct slice path = {NULL, 0}, name = {NULL, 0};
    buf_reset(&run->r->scratch);
    buf_reset(body);
    if (gather(run, op->other, &name)) return -1;
    if (!mime_param_valid(name) || name.len == 0)
        return err_set(run->err, ERR_INPUT, "attachments, name: it is empty or longer than %d bytes",
                       MIME_PARAM_MAX);
    mime_put_field(out, SLICE("Content-Type"), op->bytes, SLICE("name"), name);
    buf_put_text(out, "Content-Transfer-Encoding: base64\r\n");
    mime_put_field(out, SLICE("Content-Disposition"), SLICE("attachment"), SLICE("filename"), name);
    buf_put_text(out, "\r\n");
    buf_reset(&run->r->scratch);
    if (gather(run, op->script, &path)) return -1;
    if (!in->file) return err_set(run->err, ERR_INPUT, "personal files can't be read here");
    if (in->file(in->file_ctx, path, body, run->err)) return err_wrap(run->err, "attachments, personal");
    put_base64(out, buf_slice(body), false);
    return 0;
}

/* RFC 2919: the identifier stays as it is, whatever stands before it. */
static int put_list_id(struct run *run, const struct op *op) {
    struct slice text, name, id;
    buf_reset(&run->r->scratch);
    arena_reset(&run->r->arena);
    if (gather(run, op->script, &text)) return -1;
    if (!content_split_mailbox(text, &run->r->arena, &name, &id) || !content_is_list_id(id))
        return err_set(run->err, ERR_INPUT, "list, id: '%.*s' is not \"Name <news.example.com>\"",
                       text.len < 200 ? (int)text.len : 200, text.at);
    struct buf angles;
    buf_init(&angles, 300);
    buf_printf(&angles, "<%.*s>", SLICE_ARG(id));
    header_put_mailbox_in(run->out, SLICE("List-Id"), name, name.len ? id : buf_slice(&angles),
                          run->t->charset);
    buf_done(&angles);
    return 0;
}

static int step(struct run *run, const struct op *op) {
    switch (op->kind) {
    case OP_BYTES: buf_put_slice(run->out, op->bytes); return 0;
    case OP_DATE: put_date(run); return 0;
    case OP_MESSAGE_ID: return put_message_id(run);
    case OP_TO: return put_mailbox(run, SLICE("To"), op->script, run->in->to);
    case OP_FROM: return put_mailbox(run, SLICE("From"), op->script, run->t->from.text);
    case OP_REPLY_TO: return put_reply_to(run, op);
    case OP_TEXT: return put_text(run, op, HEADER_TEXT);
    case OP_TOKENS: return put_text(run, op, HEADER_TOKENS);
    case OP_LIST_ID: return put_list_id(run, op);
    case OP_UNSUBSCRIBE: return put_unsubscribe(run, op);
    case OP_QP: return put_qp(run, op);
    case OP_BASE64: return put_base64_text(run, op);
    case OP_JIS: return put_jis(run, op);
    case OP_FILE: return put_file(run, op);
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
    int rc = 0;
    for (size_t i = 0; i < t->count && rc == 0 && !out->failed; i++) /* a bomb costs no more than the room */
        rc = step(&run, &t->ops[i]);
    if (r->body.cap > KEEP_MAX) {
        buf_done(&r->body);
        buf_init(&r->body, BODY_MAX);
    }
    if (rc) return -1;
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
