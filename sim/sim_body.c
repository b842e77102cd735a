/* Contents: lines up to the final dot, checked, hashed and judged. */
#include "sim_smtp.h"

enum { MIDWAY = 200 };

void sim_body_start(struct sim_session *s) {
    sim_digest_start(&s->digest, s->world->sha256);
    s->phase = SIM_PHASE_BODY;
    s->size = 0;
    s->in_header = true;
    s->mid_line = s->long_line = s->bare_lf = s->bare_cr = s->body_struck = s->want_id = false;
    s->message_id_len = 0;
}

static void keep_message_id(struct sim_session *s, struct slice value) {
    value = slice_trim(value);
    s->want_id = value.len == 0;
    if (value.len > SIM_MESSAGE_ID_MAX) value.len = SIM_MESSAGE_ID_MAX;
    if (value.len) memcpy(s->message_id, value.at, value.len);
    s->message_id_len = (uint32_t)value.len;
}

/* A line of the header, with its line end. */
static void header_line(struct sim_session *s, struct slice line) {
    if (line.len <= 2) {
        s->in_header = false;
    } else if (s->want_id && ascii_space(line.at[0])) {
        keep_message_id(s, line);
    } else if (line.at[0] == 'm' || line.at[0] == 'M') {
        s->want_id = false;
        if (s->message_id_len == 0 && slice_starts_nocase(line, SLICE("Message-ID:")))
            keep_message_id(s, slice_skip(line, 11));
    } else {
        s->want_id = false;
    }
}

/* Does the line end as it must? */
static bool check_line(struct sim_session *s, struct slice line) {
    bool whole = line.len >= 2 && line.at[line.len - 2] == '\r';
    if (!whole) s->bare_lf = true;
    size_t text = line.len >= 2 ? line.len - 2 : 0;
    if (text > SIM_TEXT_LINE_MAX) s->long_line = true;
    if (text && memchr(line.at, '\r', text)) s->bare_cr = true;
    return whole;
}

/* The lines from `in` in one run of hashing, but for the dots that were put in front. */
static size_t take_lines(struct sim_session *s, struct slice in, bool *ended) {
    size_t at = 0, run = 0;
    while (at < in.len) {
        const char *lf = memchr(in.at + at, '\n', in.len - at);
        if (!lf) break;
        struct slice line = {in.at + at, (size_t)(lf - in.at) + 1 - at};
        bool dot = !s->mid_line && line.at[0] == '.';
        if (dot && line.len == 3 && line.at[1] == '\r') {
            *ended = true;
            break;
        }
        if (dot) {
            sim_digest_add(&s->digest, (struct slice){in.at + run, at - run});
            s->size += at - run;
            run = at + 1;
            line = slice_skip(line, 1);
        }
        s->mid_line = !check_line(s, line); /* only CR LF ends a line: a dot behind a bare LF is content */
        if (s->in_header) header_line(s, line);
        at = (size_t)(lf - in.at) + 1;
    }
    sim_digest_add(&s->digest, (struct slice){in.at + run, at - run});
    s->size += at - run;
    return at;
}

/* A fault midway: the transaction ends here, whatever the client still sends. */
static bool strike_midway(struct sim_session *s) {
    if (s->body_struck || s->size < MIDWAY || !(s->provider->faulty_steps >> SIM_STEP_BODY & 1)) return false;
    s->body_struck = true;
    uint64_t key = s->rcpt[0].key;
    uint32_t attempt = sim_world_attempts(s->world, key);
    const struct sim_fault *f = sim_world_fault(s->world, s->provider, SIM_STEP_BODY, true, key, attempt);
    bool early = f;
    if (!f) f = sim_world_fault(s->world, s->provider, SIM_STEP_BODY, false, key, attempt);
    if (!f) return false;
    sim_world_hit(s->world, key);
    sim_say_make(s,
                 early ? SLICE("554 5.6.0 Error: content refused midway") : SLICE("451 4.3.0 Error midway"),
                 (struct slice){0});
    if (early) {
        buf_put_slice(&s->out, buf_slice(&s->text));
        s->answered_early |= 1u << SIM_STEP_BODY;
    } else {
        sim_say_send(s, SIM_STEP_BODY, f);
        if (s->want == SIM_WANT_INPUT) s->want = SIM_WANT_CLOSE;
    }
    for (uint32_t i = 0; i < s->rcpts; i++)
        sim_say_truth(s, SIM_EVENT_FAULT, &s->rcpt[i], false);
    return !early;
}

size_t sim_body_take(struct sim_session *s, struct slice in, bool *ended) {
    size_t taken = take_lines(s, in, ended);
    if (strike_midway(s)) {
        *ended = false;
        return taken;
    }
    if (*ended) {
        if (!sim_say_paced(s, s->provider->data_ms)) {
            *ended = false;
            return taken;
        }
        return taken + 3;
    }
    /* A line without end must not fill the memory: takes it in pieces, but for a CR that may start a line
     * end. */
    size_t rest = in.len - taken;
    if (rest > SIM_TEXT_LINE_MAX + 2) {
        size_t piece = rest - 1;
        sim_digest_add(&s->digest, (struct slice){in.at + taken, piece});
        s->size += piece;
        s->long_line = s->mid_line = true;
        taken += piece;
    }
    return taken;
}

static void refuse(struct sim_session *s, enum sim_event event) {
    const struct sim_fault *none = NULL;
    sim_say_send(s, SIM_STEP_DOT, none);
    for (uint32_t i = 0; i < s->rcpts; i++)
        sim_say_truth(s, event, &s->rcpt[i], true);
}

/* What is wrong with the content itself, or NULL. */
static const char *content_error(const struct sim_session *s) {
    if (s->bare_lf) return "550 5.5.2 Error: bare <LF> received";
    if (s->bare_cr) return "550 5.5.2 Error: bare <CR> received";
    if (s->long_line) return "550 5.6.0 Error: a line of more than 998 characters";
    return NULL;
}

static bool refused(struct sim_session *s) {
    const struct sim_provider *p = s->provider;
    struct slice rcpt = {s->envelope.at + s->rcpt[0].at, s->rcpt[0].len};
    const char *error = content_error(s);
    enum sim_event event = SIM_EVENT_REFUSED;
    enum sim_reply what;
    if (error) {
        sim_say_make(s, slice_of(error), rcpt);
        refuse(s, event);
        return true;
    }
    if (p->size && s->size > p->size) {
        what = SIM_SAY_SIZE;
    } else if (p->unknown_at == SIM_AT_DATA && sim_user_kind(p, s->rcpt[0].key) == SIM_USER_UNKNOWN) {
        what = SIM_SAY_UNKNOWN;
        event = SIM_EVENT_UNKNOWN;
    } else if (sim_world_defers(s->world, p->defer_data, s->rcpt[0].key, SIM_AT_DATA)) {
        what = SIM_SAY_DEFER_DATA;
    } else {
        return false;
    }
    sim_say_make(s, sim_manner_text(p, what), rcpt);
    refuse(s, s->text.at[0] == '4' ? SIM_EVENT_DEFERRED : event);
    return true;
}

/* Is a message kept whose answer a fault spoils? */
static bool kept(const struct sim_fault *f, uint64_t key, uint32_t attempt) {
    if (f->kind == SIM_FAULT_421) return false;
    if (f->kind == SIM_FAULT_OVERSIZED || f->kind == SIM_FAULT_FLOOD) return true; /* they begin with 250 */
    if (f->keeps != SIM_KEEPS_SOMETIMES) return f->keeps == SIM_KEEPS_ALWAYS;
    return hash_mix(key + attempt) & 1;
}

static void accept(struct sim_session *s) {
    uint64_t key = s->rcpt[0].key;
    uint32_t attempt = sim_world_attempts(s->world, key);
    const struct sim_fault *f = sim_world_fault(s->world, s->provider, SIM_STEP_DOT, false, key, attempt);
    enum sim_event event = SIM_EVENT_ACCEPTED;
    sim_say_make(s, sim_manner_text(s->provider, SIM_SAY_ACCEPTED),
                 (struct slice){s->envelope.at + s->rcpt[0].at, s->rcpt[0].len});
    if (f) {
        event = kept(f, key, attempt) ? SIM_EVENT_UNANSWERED : SIM_EVENT_FAULT;
        sim_world_hit(s->world, key);
    }
    sim_say_send(s, SIM_STEP_DOT, f);
    for (uint32_t i = 0; i < s->rcpts; i++)
        sim_say_truth(s, event, &s->rcpt[i], true);
}

void sim_body_end(struct sim_session *s) {
    s->phase = SIM_PHASE_COMMANDS;
    if (s->answered_early >> SIM_STEP_BODY & 1)
        s->answered_early &= ~(1u << SIM_STEP_BODY);
    else if ((s->answered_early >> SIM_STEP_DOT & 1) || !refused(s))
        accept(s);
    sim_smtp_forget(s);
    sim_say_ahead(s, SIM_STEP_QUIT, SIM_SAY_QUIT);
}
