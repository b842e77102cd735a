/* The steps of the conversation, in its order: what each sends, how long it waits, how it takes its answer.
 *
 * Holds: a step changes the session only through smtp_session.h; after it has answered a mail's last
 * recipient, or ended the session, it touches nothing of them any more. */
#include "smtp_session.h"
#include "smtp_wire.h"

#include <assert.h>

static bool positive(const struct smtp_reply *reply) {
    return reply->code >= 250 && reply->code <= 259;
}
static bool negative(const struct smtp_reply *reply) {
    return reply->code >= 400;
}

static void wrong_class(struct smtp_client *c, enum smtp_stage stage, const struct smtp_reply *reply) {
    smtp_protocol_error(c, "an answer of the wrong class", stage, reply);
}

static void set_up(struct smtp_client *c) {
    c->phase = PHASE_READY;
    c->want = true;
}

static void take_greeting(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    (void)q;
    if (reply->code == 220)
        smtp_ask(c, STEP_EHLO, NO_SLOT, 0);
    else if (negative(reply))
        smtp_end_session(c, SMTP_WHY_REFUSED, SMTP_STAGE_GREETING, reply, SLICE(""));
    else
        wrong_class(c, SMTP_STAGE_GREETING, reply);
}

static bool send_ehlo(struct smtp_client *c, const struct question *q) {
    (void)q;
    buf_put_slice(&c->out, SLICE("EHLO "));
    buf_put_text(&c->out, c->helo);
    buf_put_slice(&c->out, SLICE("\r\n"));
    return true;
}

static bool send_helo(struct smtp_client *c, const struct question *q) {
    (void)q;
    buf_put_slice(&c->out, SLICE("HELO "));
    buf_put_text(&c->out, c->helo);
    buf_put_slice(&c->out, SLICE("\r\n"));
    return true;
}

/* The server is known now: TLS first where it is wanted. */
static void greeted(struct smtp_client *c) {
    if (c->tls_on || c->options.tls == SMTP_TLS_OFF)
        set_up(c);
    else if (c->caps.starttls)
        smtp_ask(c, STEP_STARTTLS, NO_SLOT, 0);
    else if (c->options.tls == SMTP_TLS_REQUIRED)
        smtp_end_session(c, SMTP_WHY_TLS_MISSING, SMTP_STAGE_EHLO, NULL,
                         SLICE("TLS is required, but the server does not offer STARTTLS"));
    else
        set_up(c);
}

static void take_ehlo(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    (void)q;
    if (positive(reply)) {
        c->caps = (struct smtp_caps){.esmtp = true};
        smtp_caps_parse(&c->caps, reply->text);
        c->pipelining = c->caps.pipelining && c->options.pipelining_allowed;
        c->chunking = c->caps.chunking && c->options.chunking_allowed;
        greeted(c);
    } else if (reply->code >= 500) {
        smtp_ask(c, STEP_HELO, NO_SLOT, 0);
    } else if (negative(reply)) {
        smtp_end_session(c, SMTP_WHY_REFUSED, SMTP_STAGE_EHLO, reply, SLICE(""));
    } else {
        wrong_class(c, SMTP_STAGE_EHLO, reply);
    }
}

static void take_helo(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    (void)q;
    c->caps = (struct smtp_caps){.esmtp = false};
    c->pipelining = c->chunking = false;
    if (positive(reply))
        greeted(c);
    else if (negative(reply))
        smtp_end_session(c, SMTP_WHY_REFUSED, SMTP_STAGE_EHLO, reply, SLICE(""));
    else
        wrong_class(c, SMTP_STAGE_EHLO, reply);
}

static bool send_starttls(struct smtp_client *c, const struct question *q) {
    (void)q;
    return buf_put_slice(&c->out, SLICE("STARTTLS\r\n"));
}

static void take_starttls(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    (void)q;
    if (reply->code == 220) {
        c->phase = PHASE_TLS;
        c->tls_due = true;
        c->asked = c->now;
    } else if (!negative(reply)) {
        wrong_class(c, SMTP_STAGE_STARTTLS, reply);
    } else if (c->options.tls == SMTP_TLS_REQUIRED) {
        smtp_end_session(c, SMTP_WHY_TLS_MISSING, SMTP_STAGE_STARTTLS, reply, SLICE(""));
    } else {
        set_up(c);
    }
}

static bool send_mail(struct smtp_client *c, const struct question *q) {
    const struct held *h = &c->held[q->slot];
    smtp_put_mail(&c->out, &c->caps, &h->mail, h->open);
    return true;
}

/* Recipients refused before the content. What was pipelined behind is still answered; else, when none is
 * left, the mail is through. (Of streamed groups only a MAIL that went alone is `current`.) */
static void refuse(struct smtp_client *c, int slot, uint64_t rcpts, const struct smtp_reply *reply) {
    if ((!c->pipelining || smtp_streams(c)) && !(c->held[slot].open & ~rcpts)) c->current = NO_SLOT;
    smtp_answer_by_reply(c, slot, rcpts, SMTP_REFUSED, reply);
}

/* The next recipient to be named: those refused are not open, those named before taken. */
static uint64_t unnamed(const struct held *h) {
    return h->open & ~h->taken;
}

static void ask_next(struct smtp_client *c, int slot) {
    const struct held *h = &c->held[slot];
    if (unnamed(h))
        smtp_ask(c, STEP_RCPT, slot, (unsigned)__builtin_ctzll(unnamed(h)));
    else
        smtp_ask_content(c, slot);
}

static void take_mail(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    c->mails++;
    if (positive(reply)) {
        c->held[q->slot].stage = SMTP_STAGE_RCPT;
        c->transaction = true;
        if (!c->pipelining)
            ask_next(c, q->slot);
        else if (smtp_streams(c) && c->current == q->slot)
            smtp_stream_behind(c, q->slot);
    } else if (negative(reply)) {
        refuse(c, q->slot, UINT64_MAX, reply);
    } else {
        wrong_class(c, SMTP_STAGE_MAIL, reply);
    }
}

static bool send_rcpt(struct smtp_client *c, const struct question *q) {
    buf_put_slice(&c->out, SLICE("RCPT TO:<"));
    buf_put_slice(&c->out, c->held[q->slot].mail.to[q->rcpt]);
    buf_put_slice(&c->out, SLICE(">\r\n"));
    return true;
}

/* "Too many recipients", not something about this one (RFC 5321 section 4.5.3.1.10, which has 552 taken for
 * 452): where there are enhanced codes they tell a full mailbox from it. */
static bool too_many(const struct smtp_reply *reply) {
    const uint16_t *e = reply->enhanced;
    bool bare = e[0] == 0, said = e[1] == 5 && e[2] == 3;
    return (reply->code == 452 && (bare || said)) || (reply->code == 552 && said);
}

static void take_rcpt(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    struct held *h = &c->held[q->slot];
    uint64_t bit = (uint64_t)1 << q->rcpt;
    bool last = !(unnamed(h) & ~bit) && h->open, all = !(h->open & ~bit);
    enum smtp_stage next = c->chunking ? SMTP_STAGE_BDAT : SMTP_STAGE_DATA;
    if (positive(reply)) {
        h->taken |= bit & h->open;
        c->transaction = true;
    } else if (negative(reply) && h->taken && too_many(reply)) {
        smtp_answer(c, q->slot, bit,
                    (struct smtp_outcome){.result = SMTP_NOT_SENT,
                                          .stage = SMTP_STAGE_RCPT,
                                          .why = SMTP_WHY_LIMIT,
                                          .begun = true,
                                          .reply = reply});
    } else if (negative(reply)) {
        refuse(c, q->slot, bit, reply);
        if (all) return;
    } else {
        wrong_class(c, SMTP_STAGE_RCPT, reply);
        return;
    }
    if (last) h->stage = next;
    if (!c->pipelining) ask_next(c, q->slot);
}

static bool send_data(struct smtp_client *c, const struct question *q) {
    (void)q;
    return buf_put_slice(&c->out, SLICE("DATA\r\n"));
}

static void take_data(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    struct held *h = &c->held[q->slot];
    if (reply->code == 354) {
        c->current = NO_SLOT;
        c->transaction = false;
        if (h->open) h->stage = SMTP_STAGE_DOT;
        smtp_ask(c, STEP_DOT, q->slot, 0);
    } else if (negative(reply)) {
        c->current = NO_SLOT;
        smtp_answer_by_reply(c, q->slot, UINT64_MAX, SMTP_REFUSED, reply);
    } else {
        wrong_class(c, SMTP_STAGE_DATA, reply);
    }
}

/* The content behind what stands in the output. False: it can't be made, and nothing was added. */
static bool put_content(struct smtp_client *c, const struct held *h) {
    size_t start = c->out.len;
    int failed = c->events.content(c->ctx, h->mail.tag, &c->out);
    assert(c->out.len >= start);
    if (!failed && !c->out.failed) return true;
    c->out.len = start;
    c->out.failed = false;
    return false;
}

static void note_body(struct smtp_client *c, struct held *h, size_t start) {
    h->state = HELD_BODY;
    h->body_end = c->queued + (c->out.len - start);
}

/* The content with its end in one write; or the end alone when all recipients were refused and DATA still
 * taken. */
static bool send_content(struct smtp_client *c, const struct question *q) {
    struct held *h = &c->held[q->slot];
    size_t start = c->out.len;
    if (h->open && !put_content(c, h)) {
        smtp_fail_content(c, q->slot);
        smtp_end_session(c, SMTP_WHY_CONTENT, SMTP_STAGE_DOT, NULL,
                         SLICE("the content of a mail could not be made"));
        return false;
    }
    smtp_put_end(&c->out, start);
    note_body(c, h, start);
    return true;
}

/* Of recipients whose content was answered. */
static void take_content(struct smtp_client *c, int slot, enum smtp_stage stage,
                         const struct smtp_reply *reply) {
    if (positive(reply))
        smtp_answer_by_reply(c, slot, UINT64_MAX, SMTP_DELIVERED, reply);
    else if (negative(reply))
        smtp_answer_by_reply(c, slot, UINT64_MAX, SMTP_REFUSED, reply);
    else
        wrong_class(c, stage, reply);
}

static void take_dot(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    take_content(c, q->slot, SMTP_STAGE_DOT, reply);
}

/* One chunk: the content lies here whole, so that cutting it would only make more answers of one. */
static bool send_bdat(struct smtp_client *c, const struct question *q) {
    struct held *h = &c->held[q->slot];
    size_t start = c->out.len;
    if (!put_content(c, h)) return false;
    smtp_put_chunk(&c->out, start);
    if (c->out.failed) {
        c->out.len = start;
        c->out.failed = false;
        return false;
    }
    note_body(c, h, start);
    c->bodies++;
    c->bdat_sent = c->transaction = true;
    return true;
}

/* The server says that it does not know the command. What it did with the content, which it may have read as
 * commands, nobody knows: the session must end here. When it has taken one before, it is in step: what is on
 * its way is answered too, and the next session does without BDAT. */
static bool unknown_command(const struct smtp_reply *reply) {
    return reply->code >= 500 && reply->code <= 504;
}

static void take_bdat(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    bool taken = c->held[q->slot].taken, unknown = unknown_command(reply);
    if (unknown && taken) {
        smtp_answer(c, q->slot, UINT64_MAX,
                    (struct smtp_outcome){.result = SMTP_NOT_SENT,
                                          .stage = SMTP_STAGE_BDAT,
                                          .why = SMTP_WHY_CHUNKING,
                                          .begun = true,
                                          .reply = reply});
        if (c->bdat_proven)
            c->bdat_refused = c->finishing = true;
        else
            smtp_end_session(c, SMTP_WHY_CHUNKING, SMTP_STAGE_BDAT, reply, SLICE(""));
        return;
    }
    if (!unknown && (positive(reply) || negative(reply))) c->bdat_proven = true;
    /* The transaction is over, unless nobody was taken: then some servers still hold the sender. */
    if (taken && q->slot == c->last) c->transaction = false;
    take_content(c, q->slot, SMTP_STAGE_BDAT, reply);
}

static bool send_rset(struct smtp_client *c, const struct question *q) {
    (void)q;
    return buf_put_slice(&c->out, SLICE("RSET\r\n"));
}

static void take_rset(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    (void)q;
    if (!positive(reply)) smtp_protocol_error(c, "RSET refused", SMTP_STAGE_RSET, reply);
}

static bool send_quit(struct smtp_client *c, const struct question *q) {
    (void)q;
    return buf_put_slice(&c->out, SLICE("QUIT\r\n"));
}

static void take_quit(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    (void)q;
    smtp_end_session(c, SMTP_WHY_DONE, SMTP_STAGE_QUIT, reply, SLICE(""));
}

const struct smtp_step smtp_steps[STEP_QUIT + 1] = {
    [STEP_GREETING] = {SMTP_STAGE_GREETING, 300, NULL, take_greeting},
    [STEP_EHLO] = {SMTP_STAGE_EHLO, 300, send_ehlo, take_ehlo},
    [STEP_HELO] = {SMTP_STAGE_EHLO, 300, send_helo, take_helo},
    [STEP_STARTTLS] = {SMTP_STAGE_STARTTLS, 300, send_starttls, take_starttls},
    [STEP_MAIL] = {SMTP_STAGE_MAIL, 300, send_mail, take_mail},
    [STEP_RCPT] = {SMTP_STAGE_RCPT, 300, send_rcpt, take_rcpt},
    [STEP_DATA] = {SMTP_STAGE_DATA, 120, send_data, take_data},
    [STEP_DOT] = {SMTP_STAGE_DOT, 600, send_content, take_dot},
    [STEP_BDAT] = {SMTP_STAGE_BDAT, 600, send_bdat, take_bdat},
    [STEP_RSET] = {SMTP_STAGE_RSET, 300, send_rset, take_rset},
    [STEP_QUIT] = {SMTP_STAGE_QUIT, 5, send_quit, take_quit},
};
