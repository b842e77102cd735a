/* The commands of SMTP as a strict server takes them. Each command has a handler in one table; limits and
 * users are sim_world's, texts and faults sim_say's, contents sim_body's. */
#include "codec.h"
#include "sim_gate.h"

#include <stdlib.h>

enum {
    OUT_MAX = 4 << 20,
    TEXT_MAX = 8192,
    RCPTS_MAX = 10000,
    ENVELOPE_MAX = (RCPTS_MAX + 2) * 256,
    BROUGHT_MAX = 64 << 20,
    CONTENT_MAX = 128 << 20
};

void sim_smtp_init(struct sim_session *s, struct sim_world *w, const struct sim_name *host, uint32_t server,
                   uint32_t client) {
    *s = (struct sim_session){.world = w,
                              .provider = host->provider,
                              .host = *host,
                              .server = server,
                              .client = client,
                              .number = ++w->connections,
                              .host_key = sim_host_key(w, host),
                              .pool = sim_world_pool(host),
                              .over = SIM_LIMITS,
                              .site = SIM_NO_SITE};
    s->manner = sim_manner_of(s->provider, s->host_key);
    buf_init(&s->brought, BROUGHT_MAX);
    buf_init(&s->content, CONTENT_MAX);
    buf_init(&s->out, OUT_MAX);
    buf_init(&s->text, TEXT_MAX);
    buf_init(&s->envelope, ENVELOPE_MAX);
    buf_init(&s->line, SIM_TEXT_LINE_MAX + 2);
}

void sim_smtp_done(struct sim_session *s) {
    sim_gate_leave(s);
    buf_done(&s->brought);
    buf_done(&s->content);
    buf_done(&s->out);
    buf_done(&s->text);
    buf_done(&s->envelope);
    buf_done(&s->line);
    free(s->rcpt);
    sim_digest_done(&s->digest);
}

void sim_smtp_forget(struct sim_session *s) {
    sim_gate_forget(s);
    s->has_from = s->utf8 = s->chunks = s->chunk_failed = false;
    s->refused_rcpt = s->refused_mail = false;
    s->rcpts = 0;
    s->from_len = 0;
    buf_reset(&s->envelope);
}

void sim_smtp_secured(struct sim_session *s) {
    s->secure = true;
    s->greeted = s->esmtp = false;
    s->want = SIM_WANT_INPUT;
    sim_smtp_forget(s);
}

static bool knows_utf8(const struct sim_session *s) {
    return s->esmtp && s->provider->smtputf8;
}

/* The parameters of MAIL: an error's text or NULL. */
static const char *mail_params(struct sim_session *s, struct slice params, bool *too_big) {
    struct slice one;
    while (params.at && slice_cut(&params, ' ', &one)) {
        uint64_t size;
        if (one.len == 0) continue;
        if (s->esmtp && s->provider->say_size && slice_starts_nocase(one, SLICE("SIZE="))) {
            if (!slice_to_u64(slice_skip(one, 5), &size)) return "501 5.5.4 Bad SIZE";
            if (s->provider->rules.limits.size && size > s->provider->rules.limits.size) *too_big = true;
        } else if (knows_utf8(s) && slice_eq_nocase(one, SLICE("SMTPUTF8"))) {
            s->utf8 = true;
        } else if (!s->esmtp || !s->provider->eightbit ||
                   (!slice_eq_nocase(one, SLICE("BODY=8BITMIME")) &&
                    !slice_eq_nocase(one, SLICE("BODY=7BIT")))) {
            return "555 5.5.4 Unsupported option";
        }
    }
    return NULL;
}

static struct sim_verdict mail_verdict(struct sim_session *s, bool too_big) {
    if (s->provider->tls == SIM_TLS_REQUIRE && !s->secure)
        return (struct sim_verdict){SIM_CAUSE_TLS, SIM_SAY_TLS_REQUIRED, false};
    if (too_big) return (struct sim_verdict){SIM_CAUSE_SIZE, SIM_SAY_SIZE, false};
    return sim_gate_message(s, SIM_GATE_MAIL);
}

/* What comes behind a refused command in one group is nobody's error, and not worth a line in the log. */
static void say_follows(struct sim_session *s, const char *text) {
    sim_say_make(s, slice_of(text), (struct slice){0});
    buf_put_slice(&s->out, buf_slice(&s->text));
}

static void do_mail(struct sim_session *s, struct slice arg) {
    struct slice from;
    bool too_big = false;
    if (!s->greeted || s->has_from) {
        sim_say_text(s, s->greeted ? "503 5.5.1 Nested MAIL command" : "503 5.5.1 Say EHLO first");
        return;
    }
    if (!sim_take_path(&arg, SLICE("FROM:"), &from) || (from.len && !sim_address_ok(from, knows_utf8(s)))) {
        sim_say_text(s, "501 5.1.7 Syntax: MAIL FROM:<address>");
        return;
    }
    s->utf8 = false;
    const char *error = mail_params(s, arg, &too_big);
    if (!error && !s->utf8 && sim_beyond_ascii(from)) error = "553 5.6.7 The address needs SMTPUTF8";
    if (error) {
        sim_say_text(s, error);
        return;
    }
    buf_put_slice(&s->envelope, from);
    s->from_len = (uint32_t)from.len;
    struct sim_verdict v = {0};
    if (!(s->answered_early >> SIM_STEP_MAIL & 1)) v = mail_verdict(s, too_big);
    if (v.cause) {
        sim_say_refusal(s, SIM_STEP_MAIL, v.say, (struct slice){0}, v.closes);
        sim_say_truth(s, sim_say_event(s, v.cause), v.cause, NULL, false);
        sim_smtp_forget(s);
        s->refused_mail = true;
        return;
    }
    s->has_from = true;
    s->messages++;
    sim_say(s, SIM_STEP_MAIL, SIM_SAY_MAIL);
    sim_say_ahead(s, SIM_STEP_RCPT, SIM_SAY_RCPT);
}

/* Does this host take mail for the domain? */
static bool serves(const struct sim_session *s, struct slice address) {
    char low[256];
    size_t at = address.len;
    while (at > 0 && address.at[at - 1] != '@')
        at--;
    struct slice domain = slice_skip(address, at);
    if (domain.len > sizeof low) return false;
    for (size_t i = 0; i < domain.len; i++)
        low[i] = ascii_lower(domain.at[i]);
    struct sim_name name = sim_names_find(s->world->scenario, (struct slice){low, domain.len});
    if (name.kind != SIM_NAME_DOMAIN || name.provider != s->provider) return false;
    return s->provider->host || sim_owner(&name) == s->host.domain;
}

static struct sim_verdict rcpt_verdict(struct sim_session *s, struct slice address, uint64_t key) {
    if (!serves(s, address)) return (struct sim_verdict){SIM_CAUSE_RELAY, SIM_SAY_RELAY, false};
    if (s->rcpts >= RCPTS_MAX)
        return (struct sim_verdict){SIM_CAUSE_LIMIT + SIM_LIMIT_RECIPIENTS, SIM_SAY_RECIPIENTS, false};
    return sim_gate_rcpt(s, key);
}

static struct sim_rcpt *add_rcpt(struct sim_session *s, struct slice address, uint64_t key) {
    if (s->rcpts == s->rcpts_room) {
        uint32_t room = s->rcpts_room ? s->rcpts_room * 2 : 4;
        struct sim_rcpt *grown = realloc(s->rcpt, room * sizeof *grown);
        if (!grown) abort();
        s->rcpt = grown;
        s->rcpts_room = room;
    }
    struct sim_rcpt *r = &s->rcpt[s->rcpts];
    *r = (struct sim_rcpt){key, (uint32_t)s->envelope.len, (uint32_t)address.len};
    buf_put_slice(&s->envelope, address);
    if (s->envelope.failed) abort();
    return r;
}

/* The recipient is in the envelope, not yet counted: answers, and counts it when it is taken. */
static void judge_rcpt(struct sim_session *s, const struct sim_rcpt *r, struct slice address) {
    struct sim_verdict v = {0};
    if (!(s->answered_early >> SIM_STEP_RCPT & 1)) v = rcpt_verdict(s, address, r->key);
    if (v.cause) {
        sim_say_refusal(s, SIM_STEP_RCPT, v.say, address, v.closes);
        sim_say_truth(s, sim_say_event(s, v.cause), v.cause, r, false);
        if (s->voided) sim_say_withdrawn(s);
        s->refused_rcpt = true;
        s->envelope.len = r->at;
        return;
    }
    sim_say_make(s, sim_manner_text(s->provider, s->manner, SIM_SAY_RCPT), address);
    uint32_t attempt = sim_world_attempts(s->world, r->key);
    const struct sim_fault *f = sim_world_fault(s->world, s->provider, SIM_STEP_RCPT, false, r->key, attempt);
    if (f) sim_world_hit(s->world, r->key);
    sim_say_send(s, SIM_STEP_RCPT, f);
    if (f) sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, r, false);
    s->rcpts++;
    s->session_recipients++;
}

static void do_rcpt(struct sim_session *s, struct slice arg) {
    struct slice to;
    if (!s->has_from && s->refused_mail) {
        say_follows(s, "503 5.5.1 Need MAIL command");
        return;
    }
    if (!s->has_from || s->chunks) {
        sim_say_text(s, s->chunks ? "503 5.5.1 RCPT after BDAT" : "503 5.5.1 Need MAIL command");
        return;
    }
    if (!sim_take_path(&arg, SLICE("TO:"), &to) || !sim_address_ok(to, s->utf8)) {
        sim_say_text(s, "501 5.1.3 Syntax: RCPT TO:<address>");
        return;
    }
    if (slice_trim(arg).len) {
        sim_say_text(s, "555 5.5.4 Unsupported option");
        return;
    }
    const struct sim_rcpt *r = add_rcpt(s, to, sim_address_key(s->world->seed, s->provider, to));
    judge_rcpt(s, r, (struct slice){s->envelope.at + r->at, r->len});
    if (s->rcpts) sim_say_ahead(s, SIM_STEP_DATA, SIM_SAY_DATA);
    if (s->rcpts && s->provider->chunking) sim_say_ahead(s, SIM_STEP_BDAT, SIM_SAY_ACCEPTED);
}

static void do_data(struct sim_session *s, struct slice arg) {
    if (s->rcpts == 0 && (s->refused_rcpt || s->refused_mail)) {
        say_follows(s, s->has_from ? "554 5.5.1 No valid recipients" : "503 5.5.1 Need MAIL command");
        return;
    }
    if (!s->has_from || s->rcpts == 0) {
        sim_say_text(s, s->has_from ? "554 5.5.1 No valid recipients" : "503 5.5.1 Need RCPT command");
        return;
    }
    if (arg.len || s->chunks) {
        sim_say_text(s, s->chunks ? "503 5.5.1 DATA after BDAT" : "501 5.5.4 Syntax: DATA");
        return;
    }
    struct sim_verdict v = sim_gate_message(s, SIM_GATE_DATA);
    if (v.cause) {
        sim_say_refusal(s, SIM_STEP_DATA, v.say, (struct slice){0}, v.closes);
        for (uint32_t i = 0; i < s->rcpts; i++)
            sim_say_truth(s, sim_say_event(s, v.cause), v.cause, &s->rcpt[i], false);
        sim_smtp_forget(s);
        return;
    }
    uint64_t key = s->rcpt[0].key;
    const struct sim_fault *f =
        sim_world_fault(s->world, s->provider, SIM_STEP_DATA, false, key, sim_world_attempts(s->world, key));
    if (f) sim_world_hit(s->world, key);
    sim_say_make(s, sim_manner_text(s->provider, s->manner, SIM_SAY_DATA), (struct slice){0});
    sim_say_send(s, SIM_STEP_DATA, f);
    if (f) {
        for (uint32_t i = 0; i < s->rcpts; i++)
            sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, &s->rcpt[i], false);
    }
    sim_body_start(s);
    if (!f) sim_say_ahead(s, SIM_STEP_DOT, SIM_SAY_ACCEPTED);
}

static void do_bdat(struct sim_session *s, struct slice arg) {
    struct slice size;
    uint64_t octets = 0;
    if (!s->esmtp || s->provider->chunking != SIM_CHUNKING_ON) {
        sim_say_text(s, "502 5.5.1 Error: command not implemented");
        return;
    }
    arg = slice_trim(arg);
    bool ok = slice_cut(&arg, ' ', &size) && slice_to_u64(size, &octets) && octets < 1u << 31;
    struct slice last = slice_trim(arg);
    if (!ok || (last.len && !slice_eq_nocase(last, SLICE("LAST")))) {
        sim_say_text(s, "501 5.5.4 Syntax: BDAT size [LAST]");
        s->want = SIM_WANT_CLOSE; /* where the content ends nobody knows */
        return;
    }
    const char *error = !s->has_from      ? "503 5.5.1 Need MAIL command\r\n"
                        : s->rcpts == 0   ? "554 5.5.1 No valid recipients\r\n"
                        : s->chunk_failed ? "503 5.5.1 A chunk before has failed\r\n"
                                          : NULL;
    sim_chunk_start(s, octets, last.len > 0, error);
}

static void do_rset(struct sim_session *s, struct slice arg) {
    (void)arg;
    sim_smtp_forget(s);
    sim_say_make(s, SLICE("250 2.0.0 Ok"), (struct slice){0});
    const struct sim_fault *f =
        sim_world_fault(s->world, s->provider, SIM_STEP_RSET, false, hash_mix(s->number ^ s->commands), 0);
    sim_say_send(s, SIM_STEP_RSET, f);
    if (f) sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, NULL, false);
}

static void do_noop(struct sim_session *s, struct slice arg) {
    (void)arg;
    sim_say_make(s, SLICE("250 2.0.0 Ok"), (struct slice){0});
    buf_put_slice(&s->out, buf_slice(&s->text));
}

static void do_vrfy(struct sim_session *s, struct slice arg) {
    (void)arg;
    sim_say_make(s, SLICE("252 2.1.5 Send some mail, I'll try my best"), (struct slice){0});
    buf_put_slice(&s->out, buf_slice(&s->text));
}

static void do_quit(struct sim_session *s, struct slice arg) {
    (void)arg;
    sim_say(s, SIM_STEP_QUIT, SIM_SAY_QUIT);
    if (s->want == SIM_WANT_INPUT) s->want = SIM_WANT_CLOSE;
}

static const struct command {
    const char *verb;
    void (*handle)(struct sim_session *s, struct slice arg);
    bool last; /* of a group sent without waiting (RFC 2920 section 3.1) */
} commands[] = {{"MAIL", do_mail, false}, {"RCPT", do_rcpt, false},    {"DATA", do_data, true},
                {"RSET", do_rset, false}, {"EHLO", sim_do_ehlo, true}, {"HELO", sim_do_helo, true},
                {"QUIT", do_quit, true},  {"NOOP", do_noop, true},     {"STARTTLS", sim_do_starttls, true},
                {"VRFY", do_vrfy, true},  {"BDAT", do_bdat, false}};

static const struct command *find_command(struct slice verb) {
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (slice_eq_nocase(verb, slice_of(commands[i].verb))) return &commands[i];
    return NULL;
}

static bool clean(const struct sim_session *s, struct slice line) {
    bool beyond = false;
    for (size_t i = 0; i < line.len; i++) {
        beyond |= (unsigned char)line.at[i] >= 0x80;
        if (((unsigned char)line.at[i] < 0x80) && (line.at[i] < ' ' || line.at[i] > '~')) return false;
    }
    return !beyond || (knows_utf8(s) && codec_utf8_valid(line));
}

/* line: without its line end. more: bytes came with it that a client that waits would not have sent yet. */
static void command(struct sim_session *s, struct slice line, bool more) {
    struct slice rest = line, verb;
    s->commands++;
    s->world->commands++;
    if (s->provider->windows && sim_out_of_service(s)) return;
    if (!clean(s, line)) {
        sim_say_text(s, "500 5.5.2 Error: control or 8-bit characters in a command");
        return;
    }
    slice_cut(&rest, ' ', &verb);
    const struct command *c = find_command(verb);
    /* Behind BDAT stands its content: sim_chunk_take sees what comes behind that. */
    bool may_pipeline = c && !c->last && s->esmtp && (s->provider->pipelining || c->handle == do_bdat);
    if (more && !may_pipeline) {
        sim_say_text(s, "554 5.5.0 Error: improper command pipelining");
        s->want = SIM_WANT_CLOSE;
        return;
    }
    if (!c) {
        sim_say_text(s, "500 5.5.1 Error: command not recognized");
        return;
    }
    c->handle(s, slice_trim(rest));
}

/* One command from the front of `in`; returns bytes taken, 0 when there is none whole. */
static size_t take_command(struct sim_session *s, struct slice in) {
    const char *lf = memchr(in.at, '\n', in.len);
    size_t len = lf ? (size_t)(lf - in.at) + 1 : in.len;
    if (!lf && len <= SIM_LINE_MAX) return 0;
    if (!sim_say_paced(s, s->provider->latency.command_ms)) return 0;
    if (len > SIM_LINE_MAX) {
        sim_say_text(s, "500 5.5.2 Error: line too long");
        s->want = SIM_WANT_CLOSE;
        return len;
    }
    if (len < 2 || in.at[len - 2] != '\r') {
        sim_say_text(s, "500 5.5.2 Error: bare <LF> received");
        return len;
    }
    command(s, (struct slice){in.at, len - 2}, in.len > len);
    return len;
}

static bool greeting_due(struct sim_session *s, struct slice in) {
    if (s->phase != SIM_PHASE_GREETING || !sim_say_paced(s, s->provider->latency.connect_ms)) return false;
    if (in.len) {
        sim_say_text(s, "554 5.5.0 Error: spoke before the greeting");
        s->want = SIM_WANT_CLOSE;
        return false;
    }
    sim_greet(s);
    return true;
}

size_t sim_smtp_feed(struct sim_session *s, struct slice in) {
    size_t taken = 0, step = 1;
    s->want = SIM_WANT_INPUT;
    if (s->phase == SIM_PHASE_GREETING && !greeting_due(s, in)) return 0;
    while (s->want == SIM_WANT_INPUT && step > 0 && taken < in.len && s->out.len < OUT_MAX / 2) {
        struct slice rest = slice_skip(in, taken);
        if (s->phase == SIM_PHASE_BODY) {
            bool ended = false;
            step = sim_body_take(s, rest, &ended);
            if (ended) sim_body_end(s);
        } else if (s->phase == SIM_PHASE_CHUNK) {
            step = sim_chunk_take(s, rest);
        } else {
            step = take_command(s, rest);
        }
        taken += step;
    }
    return taken;
}
