/* Contents: lines up to the final dot, or chunks up to the last, checked, hashed and judged. */
#include "sim_gate.h"

#include <stdlib.h>

enum { MIDWAY = 200 };

void sim_body_start(struct sim_session *s) {
    sim_digest_start(&s->digest, s->world->sha256);
    s->phase = SIM_PHASE_BODY;
    s->size = 0;
    s->in_header = true;
    s->mid_line = s->long_line = s->bare_lf = s->bare_cr = s->body_struck = s->want_id = false;
    s->header_8bit = s->open_end = false;
    buf_reset(&s->line);
    s->message_id_len = 0;
    buf_reset(&s->content);
}

/* Content, without the dots that were put in front. */
static void add_content(struct sim_session *s, struct slice part) {
    sim_digest_add(&s->digest, part);
    s->size += part.len;
    if (s->world->wants_content) buf_put_slice(&s->content, part);
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
    unsigned char bits = 0;
    for (size_t i = 0; i < line.len; i++)
        bits |= (unsigned char)line.at[i];
    if (bits & 0x80) s->header_8bit = true;
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
            add_content(s, (struct slice){in.at + run, at - run});
            run = at + 1;
            line = slice_skip(line, 1);
        }
        s->mid_line = !check_line(s, line); /* only CR LF ends a line: a dot behind a bare LF is content */
        if (s->in_header) header_line(s, line);
        at = (size_t)(lf - in.at) + 1;
    }
    add_content(s, (struct slice){in.at + run, at - run});
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
        sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, &s->rcpt[i], false);
    return !early;
}

/* A slow reader takes a tenth of a second's worth, then rests. */
static struct slice sip(const struct sim_session *s, struct slice in) {
    double piece = s->provider->latency.read / 10;
    if (piece < 2 * SIM_TEXT_LINE_MAX) piece = 2 * SIM_TEXT_LINE_MAX;
    if ((double)in.len > piece) in.len = (size_t)piece;
    return in;
}

static size_t take_content(struct sim_session *s, struct slice in, bool *ended) {
    size_t taken = take_lines(s, in, ended);
    if (strike_midway(s)) {
        *ended = false;
        return taken;
    }
    if (*ended) {
        if (!sim_say_paced(s, s->provider->latency.data_ms)) {
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
        add_content(s, (struct slice){in.at + taken, piece});
        s->long_line = s->mid_line = true;
        taken += piece;
    }
    return taken;
}

static enum sim_step last_step(const struct sim_session *s) {
    return s->chunks ? SIM_STEP_BDAT : SIM_STEP_DOT;
}

/* What is wrong with the content itself, or NULL. */
static const char *content_error(const struct sim_session *s) {
    if (s->bare_lf) return "550 5.5.2 Error: bare <LF> received";
    if (s->bare_cr) return "550 5.5.2 Error: bare <CR> received";
    if (s->long_line) return "550 5.6.0 Error: a line of more than 998 characters";
    if (s->open_end) return "550 5.6.0 Error: the last line has no end";
    if (s->header_8bit && !s->utf8) return "550 5.6.7 Error: a header in UTF-8 without SMTPUTF8";
    return NULL;
}

static bool refused(struct sim_session *s) {
    struct slice rcpt = {s->envelope.at + s->rcpt[0].at, s->rcpt[0].len};
    const char *error = content_error(s);
    struct sim_verdict v = {.cause = SIM_CAUSE_PROTOCOL};
    if (error) {
        sim_say_make(s, slice_of(error), rcpt);
        sim_say_send(s, last_step(s), NULL);
    } else {
        v = sim_gate_content(s);
        if (!v.cause) return false;
        sim_say_refusal(s, last_step(s), v.say, rcpt, v.closes);
    }
    for (uint32_t i = 0; i < s->rcpts; i++)
        sim_say_truth(s, sim_say_event(s, v.cause), v.cause, &s->rcpt[i], true);
    return true;
}

/* Is a message kept whose answer a fault spoils? */
static bool kept(const struct sim_fault *f, uint64_t key, uint32_t attempt) {
    if (f->kind == SIM_FAULT_421) return false;
    if (f->kind == SIM_FAULT_OVERSIZED || f->kind == SIM_FAULT_FLOOD) return true; /* they begin with 250 */
    if (f->keeps != SIM_KEEPS_SOMETIMES) return f->keeps == SIM_KEEPS_ALWAYS;
    return hash_mix(key + attempt) & 1;
}

static void show_observers(struct sim_session *s) {
    struct sim_world *w = s->world;
    struct slice few[16], *rcpt = few;
    if (s->rcpts > 16) rcpt = malloc(s->rcpts * sizeof *rcpt);
    if (!rcpt || s->content.failed) abort();
    for (uint32_t i = 0; i < s->rcpts; i++)
        rcpt[i] = (struct slice){s->envelope.at + s->rcpt[i].at, s->rcpt[i].len};
    struct sim_mail mail = {.host = &s->host,
                            .client = s->client,
                            .secure = s->secure,
                            .real = w->wall,
                            .simulated = w->sim_wall,
                            .from = {s->envelope.at, s->from_len},
                            .rcpt = rcpt,
                            .rcpts = s->rcpts,
                            .message_id = {s->message_id, s->message_id_len},
                            .content = buf_slice(&s->content)};
    for (struct sim_observer *o = w->observers; o && !w->failed; o = o->next)
        w->failed = o->accepted(o, &mail, &w->err) != 0;
    if (rcpt != few) free(rcpt);
}

/* Notes what may be withdrawn later. */
static void note_brought(struct sim_session *s) {
    for (uint32_t i = 0; i < s->rcpts; i++) {
        buf_put_bytes(&s->brought, (struct slice){s->envelope.at, s->from_len});
        buf_put_bytes(&s->brought, (struct slice){s->envelope.at + s->rcpt[i].at, s->rcpt[i].len});
        buf_put_bytes(&s->brought, (struct slice){s->message_id, s->message_id_len});
    }
    if (s->brought.failed) abort();
}

static void accept(struct sim_session *s) {
    uint64_t key = s->rcpt[0].key;
    uint32_t attempt = sim_world_attempts(s->world, key);
    const struct sim_fault *f = sim_world_fault(s->world, s->provider, last_step(s), false, key, attempt);
    enum sim_event event = SIM_EVENT_ACCEPTED;
    sim_say_make(s, sim_manner_text(s->provider, s->manner, SIM_SAY_ACCEPTED),
                 (struct slice){s->envelope.at + s->rcpt[0].at, s->rcpt[0].len});
    if (f) {
        event = kept(f, key, attempt) ? SIM_EVENT_UNANSWERED : SIM_EVENT_FAULT;
        sim_world_hit(s->world, key);
    }
    sim_say_send(s, last_step(s), f);
    for (uint32_t i = 0; i < s->rcpts; i++)
        sim_say_truth(s, event, f ? SIM_CAUSE_FAULT : SIM_CAUSE_NONE, &s->rcpt[i], true);
    if (event == SIM_EVENT_FAULT) return;
    sim_gate_accepted(s);
    if (s->provider->rules.limits.session_voids) note_brought(s);
    if (s->world->observers) show_observers(s);
}

void sim_body_end(struct sim_session *s) {
    s->phase = SIM_PHASE_COMMANDS;
    if (s->answered_early >> SIM_STEP_BODY & 1)
        s->answered_early &= ~(1u << SIM_STEP_BODY);
    else if ((s->answered_early >> last_step(s) & 1) || !refused(s))
        accept(s);
    sim_smtp_forget(s);
    sim_say_ahead(s, SIM_STEP_QUIT, SIM_SAY_QUIT);
}

/* ---- chunks ---- */

/* The answer to a chunk that is not the last. */
static void answer_chunk(struct sim_session *s) {
    uint64_t key = s->rcpt[0].key;
    const struct sim_fault *f =
        sim_world_fault(s->world, s->provider, SIM_STEP_BDAT, false, key, sim_world_attempts(s->world, key));
    sim_say_make(s, SLICE("250 2.0.0 Ok: chunk received"), (struct slice){0});
    sim_say_send(s, SIM_STEP_BDAT, f);
    if (!f) return;
    sim_world_hit(s->world, key);
    s->chunk_failed = true;
    for (uint32_t i = 0; i < s->rcpts; i++)
        sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, &s->rcpt[i], false);
}

/* A limit that answers where DATA would: the content of the first chunk is thrown away. */
static void refuse_chunk(struct sim_session *s) {
    struct sim_verdict v = s->chunk_refusal;
    s->chunk_refusal = (struct sim_verdict){0};
    sim_say_refusal(s, SIM_STEP_BDAT, v.say, (struct slice){0}, v.closes);
    for (uint32_t i = 0; i < s->rcpts; i++)
        sim_say_truth(s, sim_say_event(s, v.cause), v.cause, &s->rcpt[i], false);
    if (s->chunk_last)
        sim_smtp_forget(s);
    else
        s->chunk_failed = true;
}

static void end_chunk(struct sim_session *s) {
    s->phase = SIM_PHASE_COMMANDS;
    if (s->chunk_refusal.cause) {
        refuse_chunk(s);
    } else if (s->chunk_error) { /* in a group this is nobody's error */
        buf_put_text(&s->out, s->chunk_error);
        if (s->chunk_last) sim_smtp_forget(s);
    } else if (s->chunk_last) {
        s->open_end = s->line.len > 0;
        sim_body_end(s);
    } else {
        answer_chunk(s);
    }
}

void sim_chunk_start(struct sim_session *s, uint64_t octets, bool last, const char *error) {
    s->chunk_refusal = (struct sim_verdict){0};
    if (!error && !s->chunks) {
        s->chunk_refusal = sim_gate_message(s, SIM_GATE_DATA);
        if (s->chunk_refusal.cause) error = "";
        sim_body_start(s);
        s->chunks = true;
    }
    s->phase = SIM_PHASE_CHUNK;
    s->chunk_left = octets;
    s->chunk_last = last;
    s->chunk_error = error;
    if (octets == 0) end_chunk(s);
}

static void take_line(struct sim_session *s, struct slice line) {
    check_line(s, line);
    if (s->in_header) header_line(s, line);
}

/* As they are, without dots; a line may go on in the next chunk. */
static void take_octets(struct sim_session *s, struct slice in) {
    add_content(s, in);
    while (in.len) {
        const char *lf = memchr(in.at, '\n', in.len);
        struct slice piece = {in.at, lf ? (size_t)(lf - in.at) + 1 : in.len};
        in = slice_skip(in, piece.len);
        if (lf && s->line.len == 0) {
            take_line(s, piece);
            continue;
        }
        if (!buf_put_slice(&s->line, piece)) {
            s->long_line = true;
            buf_reset(&s->line);
        } else if (lf) {
            take_line(s, buf_slice(&s->line));
            buf_reset(&s->line);
        }
    }
}

static size_t take_chunk(struct sim_session *s, struct slice in) {
    bool whole = in.len >= s->chunk_left;
    size_t n = whole ? (size_t)s->chunk_left : in.len;
    /* The last octet stays until the answer is due. */
    if (whole && s->chunk_last && !s->chunk_error && !sim_say_paced(s, s->provider->latency.data_ms)) n--;
    if (!s->chunk_error) take_octets(s, slice_make(in.at, n));
    s->chunk_left -= n;
    if (!s->chunk_error && n && strike_midway(s)) return n;
    if (s->chunk_left) return n;
    if (in.len > n && !s->provider->pipelining) {
        sim_say_text(s, "554 5.5.0 Error: improper command pipelining");
        s->want = SIM_WANT_CLOSE;
    } else {
        end_chunk(s);
    }
    return n;
}

/* ---- slowly ---- */

/* What was taken slowly is waited for, unless something else has to be done first. */
static size_t rest_after(struct sim_session *s, size_t taken) {
    if (taken && s->want == SIM_WANT_INPUT && s->phase != SIM_PHASE_COMMANDS) {
        s->wait_us = (int64_t)((double)taken * 1e6 / s->provider->latency.read);
        s->want = SIM_WANT_WAIT;
    }
    return taken;
}

size_t sim_body_take(struct sim_session *s, struct slice in, bool *ended) {
    if (s->provider->latency.read <= 0) return take_content(s, in, ended);
    size_t taken = take_content(s, sip(s, in), ended);
    return *ended ? taken : rest_after(s, taken);
}

size_t sim_chunk_take(struct sim_session *s, struct slice in) {
    if (s->provider->latency.read <= 0) return take_chunk(s, in);
    return rest_after(s, take_chunk(s, sip(s, in)));
}
