/* The client session: an ordered queue of the questions that wait for their answers, and what becomes of the
 * mails.
 *
 * Flow: input -> reply reader -> the front question's step takes it (smtp_steps.c) -> mails are answered, new
 * groups are put into the output. Whatever ends the session goes through smtp_end_session, which settles
 * every mail left. Holds: replies are taken in the order of the questions, and never before the question was
 * handed to the network; a mail is DELIVERED only by the 25x to its own dot, and NOT_SENT only when its dot
 * was not handed over whole. Nothing is allocated for a mail once the buffers have grown. */
#include "smtp_session.h"
#include "smtp_wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static mono_us scaled(const struct smtp_client *c, int seconds) {
    return (mono_us)(c->options.timeout_scale * (double)seconds * (double)US_PER_SEC);
}

/* ---- questions ---- */

static struct question *front(struct smtp_client *c) {
    return &c->questions[c->question_head];
}

void smtp_ask(struct smtp_client *c, enum step_id step, int slot) {
    if (c->phase == PHASE_OVER) return;
    assert(c->question_count < QUESTIONS);
    size_t before = c->out.len;
    if (c->queued == c->wrote) c->progress = c->now;
    if (smtp_steps[step].send) smtp_steps[step].send(c, slot < 0 ? NULL : &c->held[slot]);
    if (c->phase == PHASE_OVER) return;
    c->queued += c->out.len - before;
    c->questions[(c->question_head + c->question_count++) % QUESTIONS] =
        (struct question){step, slot, c->queued};
    if (slot >= 0) c->held[slot].questions++;
    if (c->out.failed)
        smtp_end_session(c, SMTP_WHY_CUT, smtp_steps[step].stage, NULL,
                         SLICE("no memory for the session's output"));
}

static enum smtp_stage stage_now(struct smtp_client *c) {
    if (c->phase == PHASE_TLS) return SMTP_STAGE_TLS;
    return c->question_count ? smtp_steps[front(c)->step].stage : SMTP_STAGE_NONE;
}

/* ---- mails ---- */

static struct held *held_at(struct smtp_client *c, unsigned i) {
    return &c->held[(c->held_head + i) % SMTP_CLIENT_MAILS];
}

static void release_held(struct smtp_client *c) {
    while (c->held_count && c->held[c->held_head].state == HELD_ANSWERED &&
           c->held[c->held_head].questions == 0) {
        c->held_head = (c->held_head + 1) % SMTP_CLIENT_MAILS;
        c->held_count--;
    }
}

/* The one place that calls `outcome`. The slot may be another mail's when it returns. */
static void answer(struct smtp_client *c, struct held *h, struct smtp_outcome outcome) {
    static const struct slice wordless = {"(no text)", 9};
    uint64_t tag = h->mail.tag;
    assert(h->state != HELD_ANSWERED);
    if (outcome.text.len == 0) outcome.text = outcome.reply ? outcome.reply->text : wordless;
    if (outcome.text.len == 0) outcome.text = wordless;
    h->state = HELD_ANSWERED;
    c->want = true;
    release_held(c);
    c->events.outcome(c->ctx, tag, &outcome);
}

void smtp_answer_by_reply(struct smtp_client *c, int slot, enum smtp_result result,
                          const struct smtp_reply *reply) {
    struct held *h = &c->held[slot];
    answer(c, h, (struct smtp_outcome){.result = result, .stage = h->stage, .begun = true, .reply = reply});
}

/* What becomes of a mail when the session is over before its answer. */
static void settle(struct smtp_client *c, struct held *h) {
    bool left = h->state == HELD_DOTTED && h->dot_end <= c->wrote;
    answer(c, h,
           (struct smtp_outcome){.result = left ? SMTP_UNCERTAIN : SMTP_NOT_SENT,
                                 .stage = h->state == HELD_WAITING ? c->end.stage : h->stage,
                                 /* one mail's content says nothing about the others */
                                 .why = c->end.why == SMTP_WHY_CONTENT ? SMTP_WHY_CUT : c->end.why,
                                 .begun = h->state != HELD_WAITING,
                                 .reply = c->end.reply,
                                 .text = c->end.text});
}

void smtp_answer_without_content(struct smtp_client *c, int slot) {
    struct held *h = &c->held[slot];
    answer(c, h,
           (struct smtp_outcome){.result = SMTP_NOT_SENT,
                                 .stage = h->stage,
                                 .why = SMTP_WHY_CONTENT,
                                 .begun = true,
                                 .text = SLICE("the content could not be made")});
}

void smtp_end_session(struct smtp_client *c, enum smtp_why why, enum smtp_stage stage,
                      const struct smtp_reply *reply, struct slice text) {
    if (c->phase == PHASE_OVER) return;
    if (c->phase == PHASE_QUIT) why = SMTP_WHY_DONE; /* all is answered, however it ends */
    c->end = (struct smtp_end){.why = why, .stage = stage};
    if (reply) {
        c->end_reply = *reply;
        c->end.reply = &c->end_reply;
        if (text.len == 0) text = reply->text;
    }
    /* Kept here, for `ended` comes when the caller's text may be gone. */
    if (text.len == 0) text = slice_of(smtp_why_name(why));
    if (text.at != c->words) snprintf(c->words, sizeof c->words, "%.*s", SLICE_ARG(text));
    c->end.text = slice_of(c->words);
    c->phase = PHASE_OVER;
    c->question_count = 0;
    for (unsigned i = 0; i < c->held_count; i++)
        held_at(c, i)->questions = 0;
    release_held(c);
    while (c->held_count)
        settle(c, held_at(c, 0));
}

void smtp_protocol_error(struct smtp_client *c, const char *what, enum smtp_stage stage,
                         const struct smtp_reply *reply) {
    int n = snprintf(c->words, sizeof c->words, "%s at %s", what, smtp_stage_name(stage));
    if (reply && n > 0 && (size_t)n < sizeof c->words)
        snprintf(c->words + n, sizeof c->words - (size_t)n, ": %d %.*s", reply->code,
                 (int)(reply->text.len < 200 ? reply->text.len : 200), reply->text.at ? reply->text.at : "");
    smtp_end_session(c, SMTP_WHY_PROTOCOL, stage, reply, slice_of(c->words));
}

/* ---- replies ---- */

static void closing(struct smtp_client *c, enum smtp_stage stage, const struct smtp_reply *reply) {
    smtp_end_session(c, SMTP_WHY_CLOSING, stage, reply, SLICE(""));
}

/* Before its question was handed over whole. A refusal in the middle of the content is one all the same,
 * since the dot will never leave. */
static void take_early(struct smtp_client *c, const struct smtp_reply *reply) {
    struct question q = *front(c);
    enum smtp_stage stage = smtp_steps[q.step].stage;
    if (q.step == STEP_DOT && reply->code >= 400 && c->held[q.slot].state == HELD_DOTTED)
        smtp_answer_by_reply(c, q.slot, SMTP_REFUSED, reply);
    if (reply->code == 421)
        closing(c, stage, reply);
    else
        smtp_protocol_error(c, "a reply before its question", stage, reply);
}

static void take_unasked(struct smtp_client *c, const struct smtp_reply *reply) {
    if (reply->code == 421)
        closing(c, SMTP_STAGE_NONE, reply);
    else
        smtp_protocol_error(c, "a reply without a question", SMTP_STAGE_NONE, reply);
}

/* 421 answers the front question and ends all. */
static void take_closing(struct smtp_client *c, struct question q, const struct smtp_reply *reply) {
    if (q.slot >= 0 && c->held[q.slot].state != HELD_ANSWERED)
        smtp_answer_by_reply(c, q.slot, SMTP_REFUSED, reply);
    closing(c, smtp_steps[q.step].stage, reply);
}

/* QUIT has gone out, perhaps behind the last content; once that is answered nothing is at stake any more. */
static void note_quit(struct smtp_client *c) {
    if (c->phase == PHASE_READY && c->quitting && c->held_count == 0) c->phase = PHASE_QUIT;
}

static void take_reply(struct smtp_client *c, const struct smtp_reply *reply) {
    if (c->question_count == 0) {
        take_unasked(c, reply);
        return;
    }
    struct question q = *front(c);
    if (q.end > c->wrote) {
        take_early(c, reply);
        return;
    }
    c->question_head = (c->question_head + 1) % QUESTIONS;
    c->question_count--;
    c->asked = c->now;
    if (q.slot >= 0) c->held[q.slot].questions--;
    if (reply->code == 421 && q.step != STEP_QUIT) {
        take_closing(c, q, reply);
        return;
    }
    /* The code of an oversized reply is sure, so it may decide; but nothing is built on such a server. */
    bool decides = q.step == STEP_DOT || (q.slot >= 0 && reply->code >= 400);
    if (!reply->oversized || decides) smtp_steps[q.step].take(c, q.slot, reply);
    if (reply->oversized) smtp_protocol_error(c, "an oversized reply", smtp_steps[q.step].stage, reply);
    release_held(c);
    note_quit(c);
}

/* ---- what goes out next ---- */

static struct held *first_waiting(struct smtp_client *c) {
    for (unsigned i = 0; i < c->held_count; i++)
        if (held_at(c, i)->state == HELD_WAITING) return held_at(c, i);
    return NULL;
}

/* Begins one mail, or says why not. True when there may be more to begin. */
static bool begin_next(struct smtp_client *c) {
    if (c->phase != PHASE_READY || c->current != NO_SLOT) return false;
    if (!c->pipelining && c->question_count) return false;
    struct held *h = first_waiting(c);
    if (!h) return false;
    int slot = (int)(h - c->held);
    const struct smtp_reply *refusal = smtp_mail_refusal(&c->caps, &h->mail);
    if (refusal) {
        answer(
            c, h,
            (struct smtp_outcome){
                .result = SMTP_REFUSED, .stage = SMTP_STAGE_MAIL, .why = SMTP_WHY_LOCAL, .reply = refusal});
        return true;
    }
    if (c->transaction) {
        c->transaction = false;
        smtp_ask(c, STEP_RSET, NO_SLOT);
        if (!c->pipelining) return false;
    }
    h->state = HELD_BEGUN;
    h->stage = SMTP_STAGE_MAIL;
    c->current = slot;
    c->begun++;
    smtp_ask(c, STEP_MAIL, slot);
    if (c->pipelining) {
        smtp_ask(c, STEP_RCPT, slot);
        smtp_ask(c, STEP_DATA, slot);
    }
    return true;
}

/* Is all said but QUIT? It may stand in one group with the last content (RFC 2920 section 3.1), so that a
 * session costs no round trip more than its mails. Not before the server has taken DATA, or refused it. */
static bool quit_is_next(struct smtp_client *c) {
    if (!c->pipelining) return c->held_count == 0 && c->question_count == 0;
    if (c->current != NO_SLOT) return false;
    for (unsigned i = 0; i < c->held_count; i++)
        if (held_at(c, i)->state != HELD_DOTTED && held_at(c, i)->state != HELD_ANSWERED) return false;
    return true;
}

static void pump(struct smtp_client *c) {
    while (c->phase == PHASE_READY) {
        while (begin_next(c)) {
        }
        if (!c->want || smtp_client_room(c) == 0) break;
        c->want = false;
        c->events.ready(c->ctx);
    }
    if (c->phase == PHASE_SETUP && c->finishing && c->held_count == 0)
        smtp_end_session(c, SMTP_WHY_DONE, SMTP_STAGE_NONE, NULL, SLICE(""));
    bool spent = c->options.max_messages && c->begun >= c->options.max_messages;
    if (c->phase == PHASE_READY && !c->quitting && (c->finishing || spent) && quit_is_next(c)) {
        smtp_ask(c, STEP_QUIT, NO_SLOT);
        c->quitting = true;
    }
    note_quit(c);
}

static void enter(struct smtp_client *c, mono_us now) {
    c->depth++;
    if (now > c->now) c->now = now;
}

/* `ended` may free the client, and `start_tls` may fail at once: always the last statement. */
static void leave(struct smtp_client *c) {
    if (c->depth == 1) pump(c);
    if (--c->depth > 0) return;
    if (c->phase == PHASE_OVER) {
        struct smtp_end end = c->end;
        c->events.ended(c->ctx, &end);
    } else if (c->tls_due) {
        c->tls_due = false;
        c->events.start_tls(c->ctx);
    }
}

/* ---- inputs ---- */

void smtp_client_input(struct smtp_client *c, struct slice bytes, mono_us now) {
    assert(c->depth == 0);
    if (c->phase == PHASE_OVER) return;
    enter(c, now);
    while (bytes.len && c->phase != PHASE_OVER) {
        struct smtp_reply reply;
        if (c->phase == PHASE_TLS) {
            /* RFC 3207 section 4.2 and CVE-2011-0411: what was sent in clear must not be read as if under
             * TLS. */
            smtp_protocol_error(c, "bytes in clear behind the answer to STARTTLS", SMTP_STAGE_STARTTLS, NULL);
            break;
        }
        switch (smtp_reader_take(&c->reader, &bytes, &reply)) {
        case SMTP_READ_MORE: break;
        case SMTP_READ_REPLY: take_reply(c, &reply); break;
        case SMTP_READ_BAD: smtp_protocol_error(c, "garbage instead of a reply", stage_now(c), NULL); break;
        }
    }
    leave(c);
}

void smtp_client_lost(struct smtp_client *c, enum smtp_why why, struct slice text, mono_us now) {
    assert(c->depth == 0);
    assert(why == SMTP_WHY_LOST || why == SMTP_WHY_TIMEOUT || why == SMTP_WHY_CUT);
    if (c->phase == PHASE_OVER) return;
    enter(c, now);
    smtp_end_session(c, why, stage_now(c), NULL, text);
    leave(c);
}

void smtp_client_tick(struct smtp_client *c, mono_us now) {
    assert(c->depth == 0);
    if (c->phase == PHASE_OVER || now < smtp_client_deadline(c)) return;
    enter(c, now);
    const char *what = c->queued > c->wrote ? "the network took nothing for too long" : "no answer in time";
    snprintf(c->words, sizeof c->words, "%s at %s", what, smtp_stage_name(stage_now(c)));
    smtp_end_session(c, SMTP_WHY_TIMEOUT, stage_now(c), NULL, slice_of(c->words));
    leave(c);
}

void smtp_client_tls_done(struct smtp_client *c, bool ok, struct slice text, mono_us now) {
    assert(c->depth == 0);
    if (c->phase != PHASE_TLS) return;
    enter(c, now);
    if (ok) {
        c->phase = PHASE_SETUP;
        c->tls_on = true;
        c->caps = (struct smtp_caps){.esmtp = false};
        smtp_reader_reset(&c->reader);
        smtp_ask(c, STEP_EHLO, NO_SLOT);
    } else {
        smtp_end_session(c, SMTP_WHY_TLS_FAILED, SMTP_STAGE_TLS, NULL, text);
    }
    leave(c);
}

bool smtp_client_add(struct smtp_client *c, const struct smtp_mail *mail, mono_us now) {
    if (smtp_client_room(c) == 0) return false;
    enter(c, now);
    *held_at(c, c->held_count++) = (struct held){.mail = *mail, .state = HELD_WAITING};
    leave(c);
    return true;
}

void smtp_client_finish(struct smtp_client *c, mono_us now) {
    if (c->phase == PHASE_OVER) return;
    enter(c, now);
    c->finishing = true;
    leave(c);
}

void smtp_client_wrote(struct smtp_client *c, size_t n, mono_us now) {
    assert(c->depth == 0);
    if (c->phase == PHASE_OVER || n == 0) return;
    assert(n <= c->out.len - c->out_at);
    uint64_t before = c->wrote;
    if (now > c->now) c->now = now;
    c->wrote += n;
    c->out_at += n;
    c->progress = c->now;
    if (c->question_count && front(c)->end > before && front(c)->end <= c->wrote) c->asked = c->now;
    if (c->out_at < c->out.len) return;
    c->out_at = 0;
    buf_reset(&c->out);
    if (c->out.cap > OUTPUT_KEPT) {
        size_t max = c->out.max;
        buf_done(&c->out);
        buf_init(&c->out, max);
    }
}

/* ---- questions of the caller ---- */

struct slice smtp_client_output(const struct smtp_client *c) {
    if (c->phase == PHASE_OVER) return (struct slice){NULL, 0};
    return slice_skip(buf_slice(&c->out), c->out_at);
}

mono_us smtp_client_deadline(const struct smtp_client *c) {
    if (c->phase == PHASE_OVER) return NEVER;
    if (c->phase == PHASE_TLS) return c->asked + scaled(c, TLS_SECONDS);
    mono_us deadline = NEVER;
    if (c->queued > c->wrote) deadline = c->progress + scaled(c, WRITE_SECONDS);
    if (c->question_count) {
        const struct question *q = &c->questions[c->question_head];
        mono_us answer_by = c->asked + scaled(c, smtp_steps[q->step].seconds);
        if (q->end <= c->wrote && answer_by < deadline) deadline = answer_by;
    }
    return deadline;
}

unsigned smtp_client_room(const struct smtp_client *c) {
    if (c->phase == PHASE_OVER || c->phase == PHASE_QUIT || c->finishing) return 0;
    unsigned room = SMTP_CLIENT_MAILS - c->held_count;
    if (c->options.max_messages == 0) return room;
    unsigned taken = c->begun;
    for (unsigned i = 0; i < c->held_count; i++)
        taken += c->held[(c->held_head + i) % SMTP_CLIENT_MAILS].state == HELD_WAITING;
    unsigned left = taken < c->options.max_messages ? c->options.max_messages - taken : 0;
    return left < room ? left : room;
}

unsigned smtp_client_pending(const struct smtp_client *c) {
    unsigned n = 0;
    for (unsigned i = 0; i < c->held_count; i++)
        n += c->held[(c->held_head + i) % SMTP_CLIENT_MAILS].state != HELD_ANSWERED;
    return n;
}

const struct smtp_caps *smtp_client_caps(const struct smtp_client *c) {
    return &c->caps;
}

bool smtp_client_is_ready(const struct smtp_client *c) {
    return c->phase == PHASE_READY;
}

/* ---- life ---- */

struct smtp_client *smtp_client_open(const struct smtp_client_options *options,
                                     const struct smtp_client_events *events, void *ctx, mono_us now) {
    struct smtp_client *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->options = *options;
    c->events = *events;
    c->ctx = ctx;
    c->now = now;
    c->asked = now;
    c->current = NO_SLOT;
    if (c->options.timeout_scale <= 0) c->options.timeout_scale = 1;
    assert(options->helo.len > 0 && options->helo.len <= HELO_MAX);
    for (size_t i = 0; i < options->helo.len; i++) /* nothing that would end the command */
        c->helo[i] = options->helo.at[i] > ' ' && options->helo.at[i] < 0x7f ? options->helo.at[i] : '-';
    buf_init(&c->out, options->output_max ? options->output_max : OUTPUT_DEFAULT);
    smtp_reader_init(&c->reader);
    smtp_ask(c, STEP_GREETING, NO_SLOT);
    return c;
}

void smtp_client_free(struct smtp_client *c) {
    if (!c) return;
    buf_done(&c->out);
    smtp_reader_done(&c->reader);
    free(c);
}
