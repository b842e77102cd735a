/* The steps of the conversation, in its order: what each sends, how long it waits, how it takes its answer.
 *
 * Holds: a step changes the session only through smtp_session.h; after smtp_answer_by_reply or
 * smtp_end_session it touches nothing any more. */
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

static void take_greeting(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    (void)slot;
    if (reply->code == 220)
        smtp_ask(c, STEP_EHLO, NO_SLOT);
    else if (negative(reply))
        smtp_end_session(c, SMTP_WHY_REFUSED, SMTP_STAGE_GREETING, reply, SLICE(""));
    else
        wrong_class(c, SMTP_STAGE_GREETING, reply);
}

static void send_ehlo(struct smtp_client *c, const struct held *h) {
    (void)h;
    buf_put_slice(&c->out, SLICE("EHLO "));
    buf_put_text(&c->out, c->helo);
    buf_put_slice(&c->out, SLICE("\r\n"));
}

static void send_helo(struct smtp_client *c, const struct held *h) {
    (void)h;
    buf_put_slice(&c->out, SLICE("HELO "));
    buf_put_text(&c->out, c->helo);
    buf_put_slice(&c->out, SLICE("\r\n"));
}

/* The server is known now: TLS first where it is wanted. */
static void greeted(struct smtp_client *c) {
    if (c->tls_on || c->options.tls == SMTP_TLS_OFF)
        set_up(c);
    else if (c->caps.starttls)
        smtp_ask(c, STEP_STARTTLS, NO_SLOT);
    else if (c->options.tls == SMTP_TLS_REQUIRED)
        smtp_end_session(c, SMTP_WHY_TLS_MISSING, SMTP_STAGE_EHLO, NULL,
                         SLICE("TLS is required, but the server does not offer STARTTLS"));
    else
        set_up(c);
}

static void take_ehlo(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    (void)slot;
    if (positive(reply)) {
        c->caps = (struct smtp_caps){.esmtp = true};
        smtp_caps_parse(&c->caps, reply->text);
        c->pipelining = c->caps.pipelining && c->options.pipelining_allowed;
        greeted(c);
    } else if (reply->code >= 500) {
        smtp_ask(c, STEP_HELO, NO_SLOT);
    } else if (negative(reply)) {
        smtp_end_session(c, SMTP_WHY_REFUSED, SMTP_STAGE_EHLO, reply, SLICE(""));
    } else {
        wrong_class(c, SMTP_STAGE_EHLO, reply);
    }
}

static void take_helo(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    (void)slot;
    c->caps = (struct smtp_caps){.esmtp = false};
    c->pipelining = false;
    if (positive(reply))
        greeted(c);
    else if (negative(reply))
        smtp_end_session(c, SMTP_WHY_REFUSED, SMTP_STAGE_EHLO, reply, SLICE(""));
    else
        wrong_class(c, SMTP_STAGE_EHLO, reply);
}

static void send_starttls(struct smtp_client *c, const struct held *h) {
    (void)h;
    buf_put_slice(&c->out, SLICE("STARTTLS\r\n"));
}

static void take_starttls(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    (void)slot;
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

static void send_mail(struct smtp_client *c, const struct held *h) {
    smtp_put_mail(&c->out, &c->caps, &h->mail);
}

/* Refused before its content: the mail has its outcome; what was pipelined behind is still answered. */
static void refuse(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    if (!c->pipelining) c->current = NO_SLOT;
    if (c->held[slot].state != HELD_ANSWERED) smtp_answer_by_reply(c, slot, SMTP_REFUSED, reply);
}

static void take_mail(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    if (positive(reply)) {
        c->held[slot].stage = SMTP_STAGE_RCPT;
        c->transaction = true;
        if (!c->pipelining) smtp_ask(c, STEP_RCPT, slot);
    } else if (negative(reply)) {
        refuse(c, slot, reply);
    } else {
        wrong_class(c, SMTP_STAGE_MAIL, reply);
    }
}

static void send_rcpt(struct smtp_client *c, const struct held *h) {
    buf_put_slice(&c->out, SLICE("RCPT TO:<"));
    buf_put_slice(&c->out, h->mail.to);
    buf_put_slice(&c->out, SLICE(">\r\n"));
}

static void take_rcpt(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    if (positive(reply)) {
        c->held[slot].stage = SMTP_STAGE_DATA;
        c->transaction = true;
        if (!c->pipelining) smtp_ask(c, STEP_DATA, slot);
    } else if (negative(reply)) {
        refuse(c, slot, reply);
    } else {
        wrong_class(c, SMTP_STAGE_RCPT, reply);
    }
}

static void send_data(struct smtp_client *c, const struct held *h) {
    (void)h;
    buf_put_slice(&c->out, SLICE("DATA\r\n"));
}

static void take_data(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    struct held *h = &c->held[slot];
    if (reply->code == 354) {
        c->current = NO_SLOT;
        c->transaction = false;
        if (h->state != HELD_ANSWERED) h->stage = SMTP_STAGE_DOT;
        smtp_ask(c, STEP_DOT, slot);
    } else if (negative(reply)) {
        c->current = NO_SLOT;
        if (h->state != HELD_ANSWERED) smtp_answer_by_reply(c, slot, SMTP_REFUSED, reply);
    } else {
        wrong_class(c, SMTP_STAGE_DATA, reply);
    }
}

/* The content with its end in one write; or the end alone when the recipient was refused and DATA still
 * taken. */
static void send_content(struct smtp_client *c, const struct held *h) {
    struct held *mine = &c->held[h - c->held];
    size_t start = c->out.len;
    if (h->state != HELD_ANSWERED) {
        int failed = c->events.content(c->ctx, h->mail.tag, &c->out);
        assert(c->out.len >= start);
        if (failed || c->out.failed) {
            c->out.len = start;
            c->out.failed = false;
            smtp_answer_without_content(c, (int)(h - c->held));
            smtp_end_session(c, SMTP_WHY_CONTENT, SMTP_STAGE_DOT, NULL,
                             SLICE("the content of a mail could not be made"));
            return;
        }
    }
    smtp_put_end(&c->out, start);
    if (mine->state != HELD_ANSWERED) mine->state = HELD_DOTTED;
    mine->dot_end = c->queued + (c->out.len - start);
}

static void take_dot(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    bool lone = c->held[slot].state == HELD_ANSWERED;
    if (positive(reply)) {
        if (!lone) smtp_answer_by_reply(c, slot, SMTP_DELIVERED, reply);
    } else if (negative(reply)) {
        if (!lone) smtp_answer_by_reply(c, slot, SMTP_REFUSED, reply);
    } else {
        wrong_class(c, SMTP_STAGE_DOT, reply);
    }
}

static void send_rset(struct smtp_client *c, const struct held *h) {
    (void)h;
    buf_put_slice(&c->out, SLICE("RSET\r\n"));
}

static void take_rset(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    (void)slot;
    if (!positive(reply)) smtp_protocol_error(c, "RSET refused", SMTP_STAGE_RSET, reply);
}

static void send_quit(struct smtp_client *c, const struct held *h) {
    (void)h;
    buf_put_slice(&c->out, SLICE("QUIT\r\n"));
}

static void take_quit(struct smtp_client *c, int slot, const struct smtp_reply *reply) {
    (void)slot;
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
    [STEP_RSET] = {SMTP_STAGE_RSET, 300, send_rset, take_rset},
    [STEP_QUIT] = {SMTP_STAGE_QUIT, 5, send_quit, take_quit},
};
