/* From what an SMTP session says of a mail to what the owner is told: the verdict, and the receiver's words.
 * Pure. */
#include "classify.h"
#include "codec.h"
#include "worker.h"

static char plain_byte(unsigned char byte, bool utf8) {
    if (byte < 0x20 || byte == 0x7f) return ' ';
    return utf8 || byte < 0x80 ? (char)byte : '?';
}

/* The words are shown to people, on terminals too, and written as JSON: control characters become blanks,
 * what is not UTF-8 '?'. */
static void keep_text(struct outcome *o, struct slice text) {
    if (text.len > EVENT_TEXT_MAX) {
        text.len = EVENT_TEXT_MAX;
        while (text.len && ((unsigned char)text.at[text.len] & 0xC0) == 0x80)
            text.len--;
    }
    bool valid = codec_utf8_valid(text);
    for (size_t i = 0; i < text.len; i++)
        o->text[i] = plain_byte((unsigned char)text.at[i], valid);
    o->text_len = (uint16_t)text.len;
}

void outcome_local(struct outcome *o, enum event_kind kind, enum smtp_stage stage, uint8_t class,
                   struct slice text) {
    *o = (struct outcome){.kind = (uint8_t)kind, .stage = (uint8_t)stage, .class = class};
    keep_text(o, text);
}

enum classify_stage outcome_where(enum smtp_stage stage) {
    switch (stage) {
    case SMTP_STAGE_GREETING:
    case SMTP_STAGE_EHLO:
    case SMTP_STAGE_STARTTLS: return CLASSIFY_AT_SESSION;
    case SMTP_STAGE_MAIL: return CLASSIFY_AT_MAIL;
    case SMTP_STAGE_RCPT: return CLASSIFY_AT_RCPT;
    case SMTP_STAGE_DATA:
    case SMTP_STAGE_BDAT:
    case SMTP_STAGE_DOT: return CLASSIFY_AT_DATA;
    default: return CLASSIFY_AT_UNKNOWN;
    }
}

static enum classify_local reason(enum smtp_why why, enum smtp_stage stage, int code) {
    switch (why) {
    case SMTP_WHY_TIMEOUT: return CLASSIFY_TIMED_OUT;
    case SMTP_WHY_PROTOCOL: return CLASSIFY_PROTOCOL_ERROR;
    case SMTP_WHY_TLS_MISSING:
    case SMTP_WHY_TLS_FAILED: return CLASSIFY_TLS_UNAVAILABLE;
    case SMTP_WHY_CONTENT: return CLASSIFY_CONTENT_FAILED;
    case SMTP_WHY_LOCAL: return code == 552 ? CLASSIFY_TOO_LARGE : CLASSIFY_REPLY;
    case SMTP_WHY_LOST:
    case SMTP_WHY_CUT:
        return stage == SMTP_STAGE_CONNECT ? CLASSIFY_CONNECT_FAILED : CLASSIFY_CONNECTION_LOST;
    default: return CLASSIFY_REPLY;
    }
}

static struct classify_verdict judge(struct outcome *o, const struct outcome_rules *by, enum smtp_stage stage,
                                     enum smtp_why why, const struct smtp_reply *reply, struct slice text) {
    struct classify_input input = {.stage = outcome_where(stage), .provider = by->provider, .text = text};
    if (reply) {
        input.code = reply->code;
        memcpy(input.enhanced, reply->enhanced, sizeof input.enhanced);
    }
    enum classify_local local = reason(why, stage, input.code);
    struct classify_verdict verdict =
        local == CLASSIFY_REPLY ? classify(by->rules, &input) : classify_local(local);
    *o = (struct outcome){.stage = (uint8_t)stage,
                          .class = (uint8_t)verdict.class,
                          .scope = (uint8_t)verdict.scope,
                          .action = (uint8_t)verdict.action,
                          .hint = (uint8_t)verdict.hint,
                          .wait_s = verdict.wait_s,
                          .code = (uint16_t)input.code};
    memcpy(o->enhanced, input.enhanced, sizeof o->enhanced);
    keep_text(o, text);
    return verdict;
}

void outcome_from_session(struct outcome *o, const struct outcome_rules *by, const struct smtp_outcome *said,
                          bool worked) {
    struct classify_verdict verdict = judge(o, by, said->stage, said->why, said->reply, said->text);
    switch (said->result) {
    case SMTP_DELIVERED:
        o->kind = EVENT_DELIVERED;
        o->class = CLASSIFY_DELIVERED;
        break;
    case SMTP_REFUSED:
        /* 421 to MAIL in a session that has worked is about the session (often: enough messages), not this
         * mail. */
        if (worked && o->code == 421 && said->stage == SMTP_STAGE_MAIL)
            o->kind = EVENT_RETURNED;
        else
            o->kind = verdict.permanent ? EVENT_FAILED : EVENT_DEFERRED;
        break;
    case SMTP_UNCERTAIN: o->kind = EVENT_UNCERTAIN; break;
    case SMTP_NOT_SENT:
        /* A mail on which a session ends again and again must not go round for ever: once it was the first of
         * its session and was begun, it is deferred, and so counted and spaced. */
        if (said->why == SMTP_WHY_CONTENT)
            o->kind = EVENT_FAILED;
        else if (said->why == SMTP_WHY_LIMIT || said->why == SMTP_WHY_CHUNKING)
            o->kind = EVENT_RETURNED; /* another transaction takes it, or the next session, without BDAT */
        else
            o->kind = said->begun && !worked ? EVENT_DEFERRED : EVENT_RETURNED;
        break;
    }
    o->begun = said->begun;
    o->heard = said->begun && said->why != SMTP_WHY_LOCAL &&
               (said->result == SMTP_DELIVERED || said->result == SMTP_REFUSED);
}

void outcome_from_end(struct outcome *o, const struct outcome_rules *by, enum smtp_stage stage,
                      enum smtp_why why, const struct smtp_reply *reply, struct slice text) {
    judge(o, by, stage, why, reply, text);
    o->kind = EVENT_DEFERRED;
}
