/* Replies: texts filled in, paced, and spoilt by faults. */
#include "sim_smtp.h"

#include "codec.h"
#include "sim_latency.h"

enum { OVERSIZED = 200000, FLOOD_LINES = 20000 };

static void put_client(struct buf *b, uint32_t a) {
    buf_printf(b, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void put_id(struct sim_session *s) {
    uint64_t id = hash_mix(s->world->seed ^ hash_mix(s->number << 20 ^ s->commands));
    codec_hex(&s->text, slice_make(&id, 6));
}

/* What is left of the greylisting, by the client's clock. */
static int64_t real_seconds(const struct sim_session *s) {
    return (sim_clock_real(&s->world->clock, s->grey_wait) + US_PER_SEC - 1) / US_PER_SEC;
}

static void put_place(struct sim_session *s, struct slice name, struct slice rcpt) {
    char host[256];
    if (slice_eq(name, SLICE("host")))
        buf_put(&s->text, host, sim_host_name(&s->host, host));
    else if (slice_eq(name, SLICE("client")))
        put_client(&s->text, s->client);
    else if (slice_eq(name, SLICE("from")))
        buf_put(&s->text, s->envelope.at, s->from_len);
    else if (slice_eq(name, SLICE("rcpt")))
        buf_put_slice(&s->text, rcpt);
    else if (slice_eq(name, SLICE("id")))
        put_id(s);
    else if (slice_eq(name, SLICE("seconds")))
        buf_put_u64(&s->text, (uint64_t)real_seconds(s));
}

/* "250 2.1.0 Ok" without the enhanced code. */
static struct slice without_enhanced(struct sim_session *s, struct slice line) {
    if (line.len < 9 || !ascii_digit(line.at[4]) || line.at[5] != '.') return line;
    size_t end = 6;
    while (end < line.len && (ascii_digit(line.at[end]) || line.at[end] == '.'))
        end++;
    if (end == line.len || line.at[end] != ' ') return line;
    buf_put(&s->text, line.at, 4);
    return slice_skip(line, end + 1);
}

static void put_line(struct sim_session *s, struct slice line, struct slice rcpt) {
    struct slice piece;
    if (!s->provider->enhanced) line = without_enhanced(s, line);
    while (slice_cut(&line, '{', &piece)) {
        buf_put_slice(&s->text, piece);
        struct slice name;
        if (line.at && slice_cut(&line, '}', &name)) put_place(s, name, rcpt);
    }
    buf_put(&s->text, "\r\n", 2);
}

void sim_say_make(struct sim_session *s, struct slice text, struct slice rcpt) {
    struct slice line;
    buf_reset(&s->text);
    while (slice_cut(&text, '\n', &line))
        put_line(s, line, rcpt);
}

static void put_oversized(struct sim_session *s, bool lines) {
    char xs[1000];
    memset(xs, 'x', sizeof xs);
    for (size_t i = 0; lines && i < FLOOD_LINES; i++) {
        buf_put(&s->out, s->text.at, 3);
        buf_put_text(&s->out, "-and one more line of this reply\r\n");
    }
    buf_put(&s->out, s->text.at, 3);
    buf_put_c(&s->out, ' ');
    for (size_t i = 0; !lines && i < OVERSIZED / sizeof xs; i++)
        buf_put(&s->out, xs, sizeof xs);
    buf_put_text(&s->out, "\r\n");
}

static void spoil(struct sim_session *s, const struct sim_fault *f) {
    switch (f->kind) {
    case SIM_FAULT_NONE:
    case SIM_FAULT_EARLY:
    case SIM_FAULT_KINDS: break;
    case SIM_FAULT_DROP: s->want = SIM_WANT_CLOSE; break;
    case SIM_FAULT_RESET: s->want = SIM_WANT_RESET; break;
    case SIM_FAULT_STALL: s->want = SIM_WANT_STALL; break;
    case SIM_FAULT_HALF:
    case SIM_FAULT_HALF_STALL:
        buf_put(&s->out, s->text.at, s->text.len / 2 > 7 ? 7 : s->text.len / 2);
        s->want = f->kind == SIM_FAULT_HALF ? SIM_WANT_CLOSE : SIM_WANT_STALL;
        break;
    case SIM_FAULT_GARBAGE: buf_put_slice(&s->out, SLICE("\x16\x03\xff{not smtp\x80\x00}\r\n")); break;
    case SIM_FAULT_421:
        sim_say_make(s, sim_manner_text(s->provider, s->manner, SIM_SAY_SHUTDOWN), (struct slice){0});
        buf_put_slice(&s->out, buf_slice(&s->text));
        s->want = SIM_WANT_CLOSE;
        break;
    case SIM_FAULT_OVERSIZED:
    case SIM_FAULT_FLOOD: put_oversized(s, f->kind == SIM_FAULT_FLOOD); break;
    }
}

void sim_say_send(struct sim_session *s, enum sim_step step, const struct sim_fault *fault) {
    if (s->answered_early >> step & 1) {
        s->answered_early &= ~(1u << step);
        return;
    }
    if (fault)
        spoil(s, fault);
    else
        buf_put_slice(&s->out, buf_slice(&s->text));
    if (s->text.at && s->text.len > 3 && memcmp(s->text.at, "421", 3) == 0 && !fault)
        s->want = SIM_WANT_CLOSE;
}

/* Before an address is known, an occasion is the connection and how far it has come. */
static uint64_t occasion(const struct sim_session *s) {
    return hash_mix(s->number ^ hash_mix(s->world->seed + s->messages));
}

void sim_say(struct sim_session *s, enum sim_step step, enum sim_reply what) {
    const struct sim_fault *f = sim_world_fault(s->world, s->provider, step, false, occasion(s), 0);
    sim_say_make(s, sim_manner_text(s->provider, s->manner, what), (struct slice){0});
    sim_say_send(s, step, f);
    if (f) sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, NULL, false);
}

void sim_say_text(struct sim_session *s, const char *text) {
    sim_say_make(s, slice_of(text), (struct slice){0});
    buf_put_slice(&s->out, buf_slice(&s->text));
    sim_say_truth(s, SIM_EVENT_REFUSED, SIM_CAUSE_PROTOCOL, NULL, false);
    if (++s->errors >= 20) s->want = SIM_WANT_CLOSE;
}

void sim_say_ahead(struct sim_session *s, enum sim_step next, enum sim_reply what) {
    if (s->want != SIM_WANT_INPUT) return;
    if (!sim_world_fault(s->world, s->provider, next, true, occasion(s), 0)) return;
    sim_say_make(s, sim_manner_text(s->provider, s->manner, what), SLICE("you"));
    buf_put_slice(&s->out, buf_slice(&s->text));
    s->answered_early |= 1u << next;
    sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, NULL, false);
}

static struct slice last_line(struct slice text) {
    if (text.len >= 2) text.len -= 2;
    for (size_t i = text.len; i > 0; i--)
        if (text.at[i - 1] == '\n') return slice_skip(text, i);
    return text;
}

static void write_truth(struct sim_session *s, struct sim_truth_line *line) {
    struct sim_counts *counts = &s->world->stats.pool[s->pool].total;
    line->time = s->world->wall;
    line->sim_time = s->world->sim_wall;
    line->provider = s->provider->name;
    line->server = s->server;
    line->client = s->client;
    line->tls = s->secure;
    line->reply = last_line(buf_slice(&s->text));
    counts->event[line->event]++;
    if (line->cause) counts->cause[line->cause]++;
    sim_truth_add(&s->world->truth, line);
}

void sim_say_truth(struct sim_session *s, enum sim_event event, enum sim_cause cause,
                   const struct sim_rcpt *rcpt, bool content) {
    char hex[65];
    struct sim_truth_line line = {.event = event, .cause = cause, .from = {s->envelope.at, s->from_len}};
    if (rcpt) line.rcpt = (struct slice){s->envelope.at + rcpt->at, rcpt->len};
    if (content) {
        line.message_id = (struct slice){s->message_id, s->message_id_len};
        line.size = s->size;
        line.hash = (struct slice){hex, sim_digest_end(&s->digest, hex)};
    }
    write_truth(s, &line);
}

void sim_say_withdrawn(struct sim_session *s) {
    struct slice rest = buf_slice(&s->brought);
    struct sim_truth_line line = {.event = SIM_EVENT_WITHDRAWN,
                                  .cause = SIM_CAUSE_LIMIT + SIM_LIMIT_SESSION_RECIPIENTS};
    while (rest.len && take_bytes(&rest, &line.from) && take_bytes(&rest, &line.rcpt) &&
           take_bytes(&rest, &line.message_id))
        write_truth(s, &line);
    buf_reset(&s->brought);
}

void sim_say_refusal(struct sim_session *s, enum sim_step step, enum sim_reply what, struct slice rcpt,
                     bool closes) {
    sim_say_make(s, sim_manner_text(s->provider, s->manner, what), rcpt);
    sim_say_send(s, step, NULL);
    if (closes && s->want == SIM_WANT_INPUT) s->want = SIM_WANT_CLOSE;
}

enum sim_event sim_say_event(const struct sim_session *s, enum sim_cause cause) {
    if (s->text.len && s->text.at[0] == '4') return SIM_EVENT_DEFERRED;
    return cause == SIM_CAUSE_UNKNOWN ? SIM_EVENT_UNKNOWN : SIM_EVENT_REFUSED;
}

bool sim_say_paced(struct sim_session *s, double ms) {
    const struct sim_latency *l = &s->provider->latency;
    ms += l->tarpit_ms * s->commands;
    if (ms <= 0 || s->waited) {
        s->waited = false;
        return true;
    }
    uint64_t roll = hash_mix(s->world->seed ^ hash_mix(s->number << 24 ^ s->commands ^ s->size));
    s->wait_us = (int64_t)sim_latency_us(l, ms, roll, s->host_key);
    s->want = SIM_WANT_WAIT;
    s->waited = true;
    return false;
}
