/* The client session: an ordered queue of the questions that wait for their answers, and what becomes of the
 * mails.
 *
 * Flow: input -> reply reader -> the front question's step takes it (smtp_steps.c) -> mails are answered, new
 * groups are put into the output (smtp_group.c). Whatever ends the session goes through smtp_end_session,
 * which settles every mail left. Holds: replies are taken in the order of the questions, and never before the
 * question was handed to the network; a recipient is DELIVERED only by the 25x to its own content, and
 * NOT_SENT only when the content was not handed over whole, or the server said so. Nothing is allocated for a
 * mail once the buffers have grown. */
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

bool smtp_ask(struct smtp_client *c, enum step_id step, int slot, unsigned rcpt) {
    if (c->phase == PHASE_OVER) return false;
    assert(c->question_count < QUESTIONS);
    struct question q = {.step = (uint8_t)step, .slot = (int8_t)slot, .rcpt = (uint8_t)rcpt};
    size_t before = c->out.len;
    if (c->queued == c->wrote) c->progress = c->now;
    if (smtp_steps[step].send && !smtp_steps[step].send(c, &q)) return false;
    if (c->out.failed) {
        smtp_end_session(c, SMTP_WHY_CUT, smtp_steps[step].stage, NULL,
                         SLICE("no memory for the session's output"));
        return false;
    }
    c->queued += c->out.len - before;
    q.end = c->queued;
    c->questions[(c->question_head + c->question_count++) % QUESTIONS] = q;
    if (slot >= 0) c->held[slot].questions++;
    return true;
}

static enum smtp_stage stage_now(struct smtp_client *c) {
    if (c->phase == PHASE_TLS) return SMTP_STAGE_TLS;
    return c->question_count ? smtp_steps[front(c)->step].stage : SMTP_STAGE_NONE;
}

/* ---- mails ---- */

static void release_held(struct smtp_client *c) {
    while (c->held_count && c->held[c->held_head].open == 0 && c->held[c->held_head].questions == 0) {
        c->held_head = (c->held_head + 1) % SMTP_CLIENT_MAILS;
        c->held_count--;
    }
}

/* The one place that calls `outcome`. While a recipient is open the slot stays the mail's. */
void smtp_answer(struct smtp_client *c, int slot, uint64_t rcpts, struct smtp_outcome outcome) {
    static const struct slice wordless = {"(no text)", 9};
    struct held *h = &c->held[slot];
    uint64_t tag = h->mail.tag, left = h->open & rcpts;
    if (outcome.text.len == 0) outcome.text = outcome.reply ? outcome.reply->text : wordless;
    if (outcome.text.len == 0) outcome.text = wordless;
    while (left) {
        unsigned rcpt = (unsigned)__builtin_ctzll(left);
        left &= left - 1;
        h->open &= ~((uint64_t)1 << rcpt);
        c->want = true;
        if (!left) release_held(c);
        c->events.outcome(c->ctx, tag, rcpt, &outcome);
    }
}

void smtp_answer_by_reply(struct smtp_client *c, int slot, uint64_t rcpts, enum smtp_result result,
                          const struct smtp_reply *reply) {
    smtp_answer(
        c, slot, rcpts,
        (struct smtp_outcome){.result = result, .stage = c->held[slot].stage, .begun = true, .reply = reply});
}

void smtp_fail_content(struct smtp_client *c, int slot) {
    smtp_answer(c, slot, UINT64_MAX,
                (struct smtp_outcome){.result = SMTP_NOT_SENT,
                                      .stage = c->held[slot].stage,
                                      .why = SMTP_WHY_CONTENT,
                                      .begun = c->held[slot].state != HELD_WAITING,
                                      .text = SLICE("the content could not be made")});
}

/* What becomes of a mail when the session is over before its answer. */
static void settle(struct smtp_client *c, struct held *h) {
    bool left = h->state == HELD_BODY && h->body_end <= c->wrote;
    enum smtp_stage body = c->chunking ? SMTP_STAGE_BDAT : SMTP_STAGE_DOT;
    smtp_answer(c, (int)(h - c->held), UINT64_MAX,
                (struct smtp_outcome){.result = left ? SMTP_UNCERTAIN : SMTP_NOT_SENT,
                                      .stage = left                       ? body
                                               : h->state == HELD_WAITING ? c->end.stage
                                                                          : h->stage,
                                      /* one mail's content says nothing about the others */
                                      .why = c->end.why == SMTP_WHY_CONTENT ? SMTP_WHY_CUT : c->end.why,
                                      .begun = h->state != HELD_WAITING,
                                      .reply = c->end.reply,
                                      .text = c->end.text});
}

/* Did the session end as if the host mishandled BDAT? Bytes out of step are held against it whenever one was
 * sent; silence and a lost connection only when the first got no answer, or several bodies got none in all
 * the time there was: connections are lost for many reasons. */
static bool chunking_at_fault(const struct smtp_client *c, enum smtp_why why) {
    if (c->bdat_refused) return true;
    switch (why) {
    case SMTP_WHY_CHUNKING: return true;
    case SMTP_WHY_PROTOCOL: return c->bdat_sent;
    case SMTP_WHY_LOST: return c->bodies && !c->bdat_proven;
    case SMTP_WHY_TIMEOUT: return c->queued == c->wrote && c->bodies > (c->bdat_proven ? 1 : 0);
    default: return false;
    }
}

void smtp_end_session(struct smtp_client *c, enum smtp_why why, enum smtp_stage stage,
                      const struct smtp_reply *reply, struct slice text) {
    if (c->phase == PHASE_OVER) return;
    if (c->phase == PHASE_QUIT) why = SMTP_WHY_DONE; /* all is answered, however it ends */
    c->end = (struct smtp_end){
        .why = why, .stage = stage, .mails = c->mails, .chunking_failed = chunking_at_fault(c, why)};
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
        smtp_held_at(c, i)->questions = 0;
    release_held(c);
    while (c->held_count)
        settle(c, smtp_held_at(c, 0));
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
 * since its end will never leave. */
static void take_early(struct smtp_client *c, const struct smtp_reply *reply) {
    struct question q = *front(c);
    enum smtp_stage stage = smtp_steps[q.step].stage;
    if ((q.step == STEP_DOT || q.step == STEP_BDAT) && reply->code >= 400) {
        if (reply->code != 421)
            smtp_steps[q.step].take(c, &q, reply);
        else
            smtp_answer_by_reply(c, q.slot, UINT64_MAX, SMTP_REFUSED, reply);
    }
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

static uint64_t about(const struct question *q) {
    return q->step == STEP_RCPT ? (uint64_t)1 << q->rcpt : UINT64_MAX;
}

/* 421 answers the front question and ends all. */
static void take_closing(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply) {
    if (q->slot >= 0) smtp_answer_by_reply(c, q->slot, about(q), SMTP_REFUSED, reply);
    closing(c, smtp_steps[q->step].stage, reply);
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
    if (q.step == STEP_BDAT) c->bodies--;
    if (reply->code == 421 && q.step != STEP_QUIT) {
        take_closing(c, &q, reply);
        return;
    }
    /* The code of an oversized reply is sure, so it may decide; but nothing is built on such a server. */
    bool decides = q.step == STEP_DOT || q.step == STEP_BDAT || (q.slot >= 0 && reply->code >= 400);
    if (!reply->oversized || decides) smtp_steps[q.step].take(c, &q, reply);
    if (reply->oversized) smtp_protocol_error(c, "an oversized reply", smtp_steps[q.step].stage, reply);
    release_held(c);
    smtp_note_quit(c);
}

/* ---- inputs ---- */

static void enter(struct smtp_client *c, mono_us now) {
    c->depth++;
    if (now > c->now) c->now = now;
}

/* `ended` may free the client, and `start_tls` may fail at once: always the last statement. */
static void leave(struct smtp_client *c) {
    if (c->depth == 1) smtp_pump(c);
    if (--c->depth > 0) return;
    if (c->phase == PHASE_OVER) {
        struct smtp_end end = c->end;
        c->events.ended(c->ctx, &end);
    } else if (c->tls_due) {
        c->tls_due = false;
        c->events.start_tls(c->ctx);
    }
}

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
        smtp_ask(c, STEP_EHLO, NO_SLOT, 0);
    } else {
        smtp_end_session(c, SMTP_WHY_TLS_FAILED, SMTP_STAGE_TLS, NULL, text);
    }
    leave(c);
}

bool smtp_client_add(struct smtp_client *c, const struct smtp_mail *mail, mono_us now) {
    assert(mail->to_count >= 1 && mail->to_count <= SMTP_RCPTS_MAX);
    if (smtp_client_room(c) == 0) return false;
    enter(c, now);
    *smtp_held_at(c, c->held_count++) =
        (struct held){.mail = *mail, .state = HELD_WAITING, .open = UINT64_MAX >> (64 - mail->to_count)};
    leave(c);
    return true;
}

void smtp_client_finish(struct smtp_client *c, mono_us now) {
    if (c->phase == PHASE_OVER) return;
    enter(c, now);
    c->finishing = true;
    leave(c);
}

/* What was handed over leaves the buffer; a large one goes, a small one too when no mail is held. */
static void shrink_output(struct smtp_client *c) {
    size_t kept = c->held_count ? OUTPUT_KEPT : OUTPUT_IDLE;
    if (c->out_at < c->out.len) {
        if (c->out_at < OUTPUT_AHEAD || c->out_at < c->out.len - c->out_at) return;
        buf_drop_front(&c->out, c->out_at); /* moves less than was handed over since */
        c->out_at = 0;
        return;
    }
    c->out_at = 0;
    buf_reset(&c->out);
    if (c->out.cap <= kept) return;
    size_t max = c->out.max;
    buf_done(&c->out);
    buf_init(&c->out, max);
}

void smtp_client_wrote(struct smtp_client *c, size_t n, mono_us now) {
    assert(c->depth == 0);
    if (c->phase == PHASE_OVER || n == 0) return;
    assert(n <= c->out.len - c->out_at);
    enter(c, now);
    uint64_t before = c->wrote;
    c->wrote += n;
    c->out_at += n;
    c->progress = c->now;
    if (c->question_count && front(c)->end > before && front(c)->end <= c->wrote) c->asked = c->now;
    shrink_output(c);
    leave(c); /* there may be room for the next body */
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

static const struct held *held_of(const struct smtp_client *c, unsigned i) {
    return &c->held[(c->held_head + i) % SMTP_CLIENT_MAILS];
}

static unsigned waiting(const struct smtp_client *c) {
    unsigned n = 0;
    for (unsigned i = 0; i < c->held_count; i++)
        n += smtp_waits(held_of(c, i));
    return n;
}

unsigned smtp_client_room(const struct smtp_client *c) {
    if (c->phase == PHASE_OVER || c->phase == PHASE_QUIT || c->finishing) return 0;
    unsigned room = SMTP_CLIENT_MAILS - c->held_count, most = smtp_mails_max(c);
    if (most == 0) return room;
    unsigned taken = c->begun + waiting(c), left = taken < most ? most - taken : 0;
    return left < room ? left : room;
}

unsigned smtp_client_wanted(const struct smtp_client *c) {
    unsigned room = smtp_client_room(c), held = waiting(c), most = 3;
    if (c->phase != PHASE_READY) return 0;
    if (smtp_streams(c)) {
        held += c->bodies;
        most = smtp_may_stream(c) ? smtp_bodies_max(c) : 0;
    } else {
        held = smtp_client_pending(c);
    }
    unsigned wanted = held < most ? most - held : 0;
    return wanted < room ? wanted : room;
}

unsigned smtp_client_rcpts(const struct smtp_client *c) {
    uint32_t most = c->caps.rcpt_max;
    return most && most < SMTP_RCPTS_MAX ? most : SMTP_RCPTS_MAX;
}

unsigned smtp_client_pending(const struct smtp_client *c) {
    unsigned n = 0;
    for (unsigned i = 0; i < c->held_count; i++)
        n += held_of(c, i)->open != 0;
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
    c->current = c->last = NO_SLOT;
    if (c->options.timeout_scale <= 0) c->options.timeout_scale = 1;
    assert(options->helo.len > 0 && options->helo.len <= HELO_MAX);
    for (size_t i = 0; i < options->helo.len; i++) /* nothing that would end the command */
        c->helo[i] = options->helo.at[i] > ' ' && options->helo.at[i] < 0x7f ? options->helo.at[i] : '-';
    buf_init(&c->out, options->output_max ? options->output_max : OUTPUT_DEFAULT);
    smtp_reader_init(&c->reader);
    smtp_ask(c, STEP_GREETING, NO_SLOT, 0);
    return c;
}

void smtp_client_free(struct smtp_client *c) {
    if (!c) return;
    buf_done(&c->out);
    smtp_reader_done(&c->reader);
    free(c);
}
