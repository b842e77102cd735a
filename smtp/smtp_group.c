/* What goes out next: which mail may begin, in what group, and when QUIT.
 *
 * A group is RSET (where a transaction may be open), MAIL, the RCPTs and DATA, or BDAT with the content. With
 * DATA one mail stands between its MAIL and its content at a time. BDAT groups follow each other without any
 * answer, as long as few bodies are unanswered and little output waits: a slow network shall not fill the
 * memory. After a rest the server may be gone: there MAIL goes alone, and with its answer the rest of its
 * group and all that follows, so that no content is handed to a connection that nobody reads any more. */
#include "smtp_session.h"
#include "smtp_wire.h"

unsigned smtp_mails_max(const struct smtp_client *c) {
    unsigned own = c->options.max_messages, theirs = c->caps.mail_max;
    return own && theirs ? (own < theirs ? own : theirs) : own + theirs;
}

unsigned smtp_bodies_max(const struct smtp_client *c) {
    unsigned most = c->options.bodies_max;
    if (!c->bdat_proven) return 1;
    return most && most < SMTP_BODIES_MAX ? most : SMTP_BODIES_MAX;
}

bool smtp_may_stream(const struct smtp_client *c) {
    return c->out.len - c->out_at <= OUTPUT_AHEAD;
}

static bool spent(const struct smtp_client *c) {
    unsigned most = smtp_mails_max(c);
    return most && c->begun >= most;
}

static struct held *first_waiting(struct smtp_client *c) {
    for (unsigned i = 0; i < c->held_count; i++)
        if (smtp_waits(smtp_held_at(c, i))) return smtp_held_at(c, i);
    return NULL;
}

/* ---- what this server does not take ---- */

static void refuse_here(struct smtp_client *c, int slot, uint64_t rcpts, const struct smtp_reply *reply) {
    smtp_answer(c, slot, rcpts,
                (struct smtp_outcome){
                    .result = SMTP_REFUSED, .stage = SMTP_STAGE_MAIL, .why = SMTP_WHY_LOCAL, .reply = reply});
}

static void put_off(struct smtp_client *c, int slot, uint64_t rcpts, struct slice text) {
    smtp_answer(c, slot, rcpts,
                (struct smtp_outcome){
                    .result = SMTP_NOT_SENT, .stage = SMTP_STAGE_MAIL, .why = SMTP_WHY_LIMIT, .text = text});
}

/* Recipients that can't be named to this server. False: nobody is left, and the slot may be another's. */
static bool screen_rcpts(struct smtp_client *c, int slot) {
    struct held *h = &c->held[slot];
    for (unsigned i = 0; i < h->mail.to_count; i++) {
        uint64_t bit = (uint64_t)1 << i;
        const struct smtp_reply *refusal = h->open & bit ? smtp_rcpt_refusal(&c->caps, h->mail.to[i]) : NULL;
        bool last = h->open == bit;
        if (refusal) refuse_here(c, slot, bit, refusal);
        if (refusal && last) return false;
    }
    return true;
}

/* RFC 9422 counts domains over the session. Recipients come sorted by domain, so changes are counted, which
 * are never fewer. Tells the recipients that are one domain too many. */
static uint64_t count_domains(struct smtp_client *c, const struct held *h) {
    uint64_t over = 0;
    uint32_t most = c->caps.rcpt_domain_max;
    for (unsigned i = 0; most && i < h->mail.to_count; i++) {
        uint64_t bit = (uint64_t)1 << i, domain = smtp_domain_hash(h->mail.to[i]);
        if (!(h->open & bit)) continue;
        bool same = c->domains && domain == c->domain;
        if (!same && c->domains >= most) {
            over |= bit;
            continue;
        }
        c->domains += !same;
        c->domain = domain;
    }
    return over;
}

/* Recipients above the limits of LIMITS. False as above. */
static bool limit_rcpts(struct smtp_client *c, int slot) {
    struct held *h = &c->held[slot];
    uint64_t over = count_domains(c, h), rest = h->open & ~over;
    if (over) c->finishing = true; /* whatever comes next would mostly be of yet another domain */
    for (unsigned n = smtp_client_rcpts(c); n && rest; n--)
        rest &= rest - 1;
    over |= rest;
    bool all = over == h->open;
    if (over) put_off(c, slot, over, SLICE("more recipients or domains than the server takes at once"));
    return !all;
}

/* ---- groups ---- */

static bool may_begin(const struct smtp_client *c) {
    if (c->phase != PHASE_READY || c->quitting || c->current != NO_SLOT) return false;
    if (!c->pipelining) return c->question_count == 0;
    if (c->question_count + MAIL_QUESTIONS > QUESTIONS) return false;
    return !c->chunking || (c->bodies < smtp_bodies_max(c) && smtp_may_stream(c));
}

static void ask_rcpts(struct smtp_client *c, int slot) {
    uint64_t left = c->held[slot].open;
    for (; left; left &= left - 1)
        smtp_ask(c, STEP_RCPT, slot, (unsigned)__builtin_ctzll(left));
}

/* The group of a mail by BDAT, with MAIL or behind its answer. When the content can't be made nothing of it
 * was said. */
static void stream(struct smtp_client *c, int slot, bool with_mail) {
    struct held *h = &c->held[slot];
    size_t len = c->out.len;
    uint64_t queued = c->queued;
    unsigned questions = c->question_count;
    if (with_mail) smtp_ask(c, STEP_MAIL, slot, 0);
    ask_rcpts(c, slot);
    if (smtp_ask(c, STEP_BDAT, slot, 0) || c->phase == PHASE_OVER) return;
    c->out.len = len;
    c->queued = queued;
    c->question_count = questions;
    h->questions = 0;
    if (with_mail) {
        h->state = HELD_WAITING;
        c->begun--;
    }
    smtp_fail_content(c, slot);
}

void smtp_stream_behind(struct smtp_client *c, int slot) {
    c->current = NO_SLOT;
    stream(c, slot, false);
}

static bool has_rested(const struct smtp_client *c) {
    return c->question_count == 0 && c->now - c->asked >= SMTP_REST_US;
}

/* Begins one mail, or says why not. True when there may be more to begin. */
static bool begin_next(struct smtp_client *c) {
    struct held *h = may_begin(c) ? first_waiting(c) : NULL;
    if (!h) return false;
    int slot = (int)(h - c->held);
    if (spent(c)) { /* more were added before the server told its limit */
        put_off(c, slot, UINT64_MAX, SLICE("more mails than the server takes in a session"));
        return true;
    }
    bool alone = smtp_streams(c) && has_rested(c);
    if (c->transaction) {
        c->transaction = false;
        smtp_ask(c, STEP_RSET, NO_SLOT, 0);
        if (!c->pipelining) return false;
    }
    if (!screen_rcpts(c, slot)) return true;
    const struct smtp_reply *refusal = smtp_mail_refusal(&c->caps, &h->mail);
    if (refusal) refuse_here(c, slot, UINT64_MAX, refusal);
    if (refusal || !limit_rcpts(c, slot)) return true;
    h->state = HELD_BEGUN;
    h->stage = SMTP_STAGE_MAIL;
    c->last = slot;
    c->begun++;
    if (smtp_streams(c) && !alone) {
        stream(c, slot, true);
        return true;
    }
    c->current = slot;
    smtp_ask(c, STEP_MAIL, slot, 0);
    if (c->pipelining && !alone) {
        ask_rcpts(c, slot);
        smtp_ask(c, STEP_DATA, slot, 0);
    }
    return true;
}

void smtp_ask_content(struct smtp_client *c, int slot) {
    if (!c->chunking) {
        smtp_ask(c, STEP_DATA, slot, 0);
        return;
    }
    c->current = NO_SLOT;
    if (!smtp_ask(c, STEP_BDAT, slot, 0) && c->phase != PHASE_OVER) smtp_fail_content(c, slot);
}

/* ---- the end ---- */

/* Is all said but QUIT? It may stand in one group with the last content (RFC 2920 section 3.1), so that a
 * session costs no round trip more than its mails. Not before the server has taken DATA, or refused it. */
static bool quit_is_next(struct smtp_client *c) {
    if (!c->pipelining) return c->held_count == 0 && c->question_count == 0;
    if (c->current != NO_SLOT || c->question_count == QUESTIONS) return false;
    for (unsigned i = 0; i < c->held_count; i++)
        if (smtp_held_at(c, i)->state != HELD_BODY && smtp_held_at(c, i)->open) return false;
    return true;
}

/* QUIT has gone out, perhaps behind the last content; once that is answered nothing is at stake any more. */
void smtp_note_quit(struct smtp_client *c) {
    if (c->phase == PHASE_READY && c->quitting && c->held_count == 0) c->phase = PHASE_QUIT;
}

void smtp_pump(struct smtp_client *c) {
    while (c->phase == PHASE_READY) {
        while (begin_next(c)) {
        }
        if (!c->want || smtp_client_room(c) == 0) break;
        c->want = false;
        c->events.ready(c->ctx);
    }
    if (c->phase == PHASE_SETUP && c->finishing && c->held_count == 0)
        smtp_end_session(c, SMTP_WHY_DONE, SMTP_STAGE_NONE, NULL, SLICE(""));
    if (c->phase == PHASE_READY && !c->quitting && (c->finishing || spent(c)) && quit_is_next(c)) {
        smtp_ask(c, STEP_QUIT, NO_SLOT, 0);
        c->quitting = true;
    }
    smtp_note_quit(c);
}
