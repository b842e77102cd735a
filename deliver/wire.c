/* A session on the wire: the connection (net/conn.h) and the conversation (smtp/smtp_client.h), fed with the
 * mails of its windows.
 *
 * A wire goes from address to address until one lets it in; then it asks the owner for a window, and for the
 * next one while the present one is under way. A mail is rendered when the conversation wants it (with BDAT
 * that is when it goes out, with DATA one or two before), so that rendered mails do not pile up. It ends when
 * every item of its windows has an outcome, and says so last. */
#include "conn.h"
#include "flight.h"
#include "log.h"
#include "tap.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { FLIGHTS = SMTP_BODIES_MAX, OUTPUT_MAX = 65 << 20 };

struct wire {
    struct worker *worker;
    struct session *session;
    struct wire *prev, *next; /* all of the worker's */
    struct conn *conn;
    struct smtp_client *smtp;
    struct window_queue windows;
    struct flight flights[FLIGHTS];
    unsigned newest; /* window: its size, in parts */
    unsigned target;
    bool plain;   /* TLS failed here although only wished for: without it */
    bool no_bdat; /* not understood although offered: without it */
    bool asked;   /* for a window that has not come */
    mono_us asked_at;
    bool finishing; /* no more windows */
    bool over;      /* the conversation, or the attempt at one, has ended: `leave` draws the consequences */
    enum smtp_why why; /* of that end */
    unsigned depth;    /* calls into the wire under way: what they stand on is not freed below them */
    struct tap *taps;  /* who watches it; NULL: nobody */
    uint64_t sent, content_end; /* bytes of this connection; behind all content that was made */
    bool content_made;          /* and stands in the output */
};

static void try_target(struct wire *wire);

/* ---- outcomes ---- */

static void on_outcome(void *ctx, uint64_t tag, unsigned rcpt, const struct smtp_outcome *said) {
    struct wire *wire = ctx;
    struct flight *flight = &wire->flights[tag];
    struct outcome_rules by = {wire->worker->options->rules, wire->session->provider};
    struct window *window = flight->window;
    unsigned index = flight_item(flight, rcpt);
    outcome_from_session(&window->items[index].outcome, &by, said,
                         wire->session->worked || wire->session->rested);
    /* 421 says that the session is not wanted, whatever it answers. */
    bool answered = said->result == SMTP_REFUSED && !(said->reply && said->reply->code == 421);
    if (said->result == SMTP_DELIVERED || answered) {
        wire->session->worked = true;
        wire->session->rested = false;
    }
    if (wire->taps) tap_outcome(&wire->taps, mail_address(window, index), &window->items[index].outcome);
    if (--flight->count == 0) {
        window->mails += said->begun; /* who is refused here, is so before those that are not */
        flight_land(wire->worker, flight);
    }
    worker_done(wire->worker, window, index);
}

static int on_content(void *ctx, uint64_t tag, struct buf *out) {
    struct wire *wire = ctx;
    struct flight *flight = &wire->flights[tag];
    struct err err;
    int failed = mail_sign(wire->worker, flight->window, &flight->mail, out, &err);
    flight_unload(wire->worker, flight);
    wire->content_made = true;
    return failed;
}

/* ---- windows ---- */

static void ask(struct wire *wire) {
    if (wire->asked || wire->finishing || wire->worker->draining || wire->over) return;
    wire->asked = true;
    wire->asked_at = loop_now(wire->worker->loop);
    worker_tell(wire->worker, MSG_READY, wire->session, 0);
}

/* The next items of the windows into the conversation. False: there are none. */
static bool begin_next(struct wire *wire, struct flight *flight) {
    struct worker *w = wire->worker;
    if (!flight_begin(w, flight, &wire->windows, smtp_client_rcpts(wire->smtp))) return false;
    struct smtp_mail mail = flight_mail(w, flight, (uint64_t)(flight - wire->flights));
    bool taken = smtp_client_add(wire->smtp, &mail, loop_now(w->loop));
    assert(taken);
    return true;
}

/* What of two windows it holds without an outcome, in parts of a window: a recipient of a shared mail is a
 * smaller part. */
static unsigned part_of(const struct window *window, unsigned items) {
    return items * (window->content->shared ? WINDOW_MAX : SHARED_WINDOW_MAX);
}

static bool session_full(const struct wire *wire) {
    return smtp_client_room(wire->smtp) == 0; /* it holds more than there are flights */
}

static void feed(struct wire *wire) {
    for (unsigned i = 0; i < FLIGHTS && !wire->over;) {
        if (wire->flights[i].window)
            i++; /* else one that was refused without a word to the server is not under way */
        else if (smtp_client_wanted(wire->smtp) == 0 || !begin_next(wire, &wire->flights[i]))
            break;
    }
    if (wire->over) return;
    /* Not answered: at most two windows, of which the second comes while the first is under way. The owner
     * makes them small where mails are slow. */
    unsigned held = 0;
    for (unsigned i = 0; i < FLIGHTS; i++)
        if (wire->flights[i].window) held += part_of(wire->flights[i].window, wire->flights[i].count);
    for (struct window *window = wire->windows.first; window; window = window->next)
        held += part_of(window, window->count - window->begun);
    if (session_full(wire))
        windows_give_back(wire->worker, &wire->windows); /* the rest goes by another session */
    else if (wire->finishing && !wire->windows.first)
        smtp_client_finish(wire->smtp, loop_now(wire->worker->loop));
    else if (held <= wire->newest)
        ask(wire);
}

/* ---- the conversation and the connection ---- */

static void wire_end(struct wire *wire) {
    struct worker *w = wire->worker;
    windows_give_back(wire->worker, &wire->windows);
    if (wire->taps) tap_end(&wire->taps, SLICE("the session is over"));
    smtp_client_free(wire->smtp);
    conn_close(wire->conn);
    if (wire->prev)
        wire->prev->next = wire->next;
    else
        w->wires = wire->next;
    if (wire->next) wire->next->prev = wire->prev;
    wire->session->wire = NULL;
    worker_tell(w, MSG_ENDED, wire->session, 0);
    free(wire);
}

/* Mails as there is room, output to the network, then the deadline. */
static void pump(struct wire *wire) {
    while (!wire->over && wire->smtp) {
        if (smtp_client_is_ready(wire->smtp)) feed(wire);
        struct slice out = smtp_client_output(wire->smtp);
        if (wire->over || out.len == 0) break;
        if (wire->content_made) wire->content_end = wire->sent + out.len;
        wire->content_made = false;
        size_t taken = conn_write(wire->conn, out.at, out.len);
        wire->sent += taken;
        if (wire->taps && taken) tap_sent(wire->taps, slice_make(out.at, taken));
        if (taken) smtp_client_wrote(wire->smtp, taken, loop_now(wire->worker->loop));
        if (taken < out.len) break;
    }
    if (!wire->over && wire->smtp) conn_deadline(wire->conn, smtp_client_deadline(wire->smtp));
}

static void drop_conversation(struct wire *wire) {
    smtp_client_free(wire->smtp);
    conn_close(wire->conn);
    wire->smtp = NULL;
    wire->conn = NULL;
    wire->sent = wire->content_end = 0;
    wire->content_made = false;
    if (wire->taps) tap_cut(wire->taps);
}

static bool may_try_next(const struct wire *wire) {
    if (wire->session->ready || wire->finishing || wire->worker->draining || wire->why == SMTP_WHY_DONE ||
        wire->why == SMTP_WHY_CUT)
        return false;
    if (wire->session->fault == FAULT_PROXY) return false;
    return wire->target + 1 < wire->session->target_count &&
           wire->session->end.class != CLASSIFY_RATE_LIMITED;
}

static void move_on(struct wire *wire) {
    struct session *s = wire->session;
    struct session_miss *miss = calloc(1, sizeof *miss), **at = &s->misses;
    if (miss) { /* else nobody learns of it */
        *miss = (struct session_miss){.target = (uint8_t)wire->target, .why = wire->why, .end = s->end};
        while (*at)
            at = &(*at)->next;
        *at = miss;
    }
    wire->target++;
}

/* The conversation is over: the same address without TLS or without BDAT, the next address, or the end. */
static void conclude(struct wire *wire) {
    struct session *s = wire->session;
    bool without_tls =
        wire->why == SMTP_WHY_TLS_FAILED && s->tls == ENGINE_TLS_OPPORTUNISTIC && !wire->plain && !s->ready;
    bool without_bdat = wire->why == SMTP_WHY_CHUNKING && !wire->no_bdat && !wire->worker->draining;
    bool next = may_try_next(wire);
    if (wire->finishing || !(without_tls || without_bdat || next)) {
        wire_end(wire);
        return;
    }
    wire->plain = without_tls || (without_bdat && wire->plain);
    wire->no_bdat = without_bdat;
    if (!without_tls && !without_bdat) move_on(wire);
    drop_conversation(wire);
    wire->over = false;
    try_target(wire);
}

/* Around every call into the wire from outside. */
static void enter(struct wire *wire) {
    wire->depth++;
}
static void leave(struct wire *wire) {
    if (wire->depth == 1) pump(wire);
    if (--wire->depth == 0 && wire->over) conclude(wire);
}

static struct slice host_of(const struct wire *wire) {
    return slice_of(wire->session->host);
}

static void remember_bdat(struct wire *wire, const struct smtp_end *end) {
    hosts_mishandled_bdat(&wire->worker->hosts, host_of(wire), loop_now(wire->worker->loop));
    if (!log_on(LOG_LEVEL_INFO)) return;
    log_begin(LOG_LEVEL_INFO, "bdat-off");
    log_text("host", wire->session->host);
    log_slice("text", end->text);
    log_end();
}

static bool under_way(const struct wire *wire) {
    for (unsigned i = 0; i < FLIGHTS; i++)
        if (wire->flights[i].window) return true;
    return false;
}

static void on_ended(void *ctx, const struct smtp_end *end) {
    struct wire *wire = ctx;
    wire->over = true;
    wire->why = wire->session->why = end->why;
    if (end->chunking_failed) remember_bdat(wire, end);
    /* Also when it met the first mail after a rest on its way. */
    wire->session->quiet = (!wire->windows.first && !under_way(wire)) || wire->session->rested;
    if (!wire->session->ready && !wire->session->fault &&
        (end->why == SMTP_WHY_LOST || end->why == SMTP_WHY_TIMEOUT))
        wire->session->missed |= (uint8_t)(1u << wire->target);
    if (wire->taps) tap_note(wire->taps, "%s: %.*s", smtp_why_name(end->why), SLICE_ARG(end->text));
    struct outcome_rules by = {wire->worker->options->rules, wire->session->provider};
    if (end->why == SMTP_WHY_DONE)
        wire->session->end = (struct outcome){0};
    else
        outcome_from_end(&wire->session->end, &by, end->stage, end->why, end->reply, end->text);
}

/* An end without a conversation. */
static void end_early(struct wire *wire, enum smtp_why why, struct slice text) {
    struct smtp_end end = {.why = why, .stage = SMTP_STAGE_CONNECT, .text = text};
    on_ended(wire, &end);
}

/* Also after every answer. What to ask for is decided by feed, with which every call from outside ends. */
static void on_ready(void *ctx) {
    struct wire *wire = ctx;
    wire->session->ready = true;
}

static void on_start_tls(void *ctx) {
    struct wire *wire = ctx;
    struct session_target *target = &wire->session->targets[wire->target];
    bool required = wire->session->tls == ENGINE_TLS_REQUIRED;
    enum tls_verify verify = required ? TLS_VERIFY_REQUIRE : TLS_VERIFY_RECORD;
    struct err err;
    if (conn_start_tls(wire->conn, wire->worker->tls, slice_of(target->name), verify, &err))
        conn_deadline(wire->conn, loop_now(wire->worker->loop)); /* no memory: let the deadline end it */
}

static const struct smtp_client_events smtp_events = {.outcome = on_outcome,
                                                      .content = on_content,
                                                      .ready = on_ready,
                                                      .start_tls = on_start_tls,
                                                      .ended = on_ended};

static bool may_bdat(const struct wire *wire) {
    return wire->session->bdat && !wire->no_bdat &&
           hosts_takes_bdat(&wire->worker->hosts, host_of(wire), loop_now(wire->worker->loop));
}

static void conn_opened(void *ctx) {
    struct wire *wire = ctx;
    wire->session->proxy_works = true;
    if (wire->taps) tap_note(wire->taps, "connected");
    const struct engine_options *o = wire->worker->options;
    struct session *s = wire->session;
    struct smtp_client_options options = {.helo = slice_of(o->sources[s->source].helo),
                                          .tls = wire->plain                          ? SMTP_TLS_OFF
                                                 : s->tls == ENGINE_TLS_REQUIRED      ? SMTP_TLS_REQUIRED
                                                 : s->tls == ENGINE_TLS_OPPORTUNISTIC ? SMTP_TLS_OPPORTUNISTIC
                                                                                      : SMTP_TLS_OFF,
                                          .pipelining_allowed = true,
                                          .chunking_allowed = may_bdat(wire),
                                          .max_messages = s->max_messages,
                                          .timeout_scale = o->timeout_scale,
                                          .output_max = OUTPUT_MAX};
    wire->smtp = smtp_client_open(&options, &smtp_events, wire, loop_now(wire->worker->loop));
    enter(wire);
    if (!wire->smtp) end_early(wire, SMTP_WHY_CUT, SLICE("out of memory"));
    leave(wire);
}

static void conn_input(void *ctx, struct slice bytes) {
    struct wire *wire = ctx;
    if (wire->taps) tap_received(wire->taps, bytes);
    enter(wire);
    smtp_client_input(wire->smtp, bytes, loop_now(wire->worker->loop));
    leave(wire);
}

static void conn_writable(void *ctx) {
    enter(ctx);
    leave(ctx);
}

static void conn_expired(void *ctx) {
    struct wire *wire = ctx;
    enter(wire);
    smtp_client_tick(wire->smtp, loop_now(wire->worker->loop));
    leave(wire);
}

static void conn_tls_done(void *ctx, const struct tls_info *info) {
    struct wire *wire = ctx;
    enter(wire);
    wire->session->encrypted = info->ok;
    if (wire->taps && info->ok)
        tap_note(wire->taps, "%s, %s%s%s", info->version, info->cipher, info->text[0] ? "; " : "",
                 info->text);
    if (wire->taps && !info->ok) tap_note(wire->taps, "no TLS: %s", info->text);
    smtp_client_tls_done(wire->smtp, info->ok, slice_of(info->text), loop_now(wire->worker->loop));
    leave(wire);
}

static void conn_closed(void *ctx, const struct conn_end_info *info) {
    struct wire *wire = ctx;
    struct slice text = slice_of(info->text);
    wire->session->fault = info->why == CONN_PROXY           ? FAULT_PROXY
                           : info->why == CONN_PROXY_REFUSED ? FAULT_PROXY_REFUSED
                                                             : FAULT_SERVER;
    if (info->why != CONN_PROXY) wire->session->proxy_works = true;
    enter(wire);
    if (wire->smtp)
        smtp_client_lost(wire->smtp, SMTP_WHY_LOST, text, loop_now(wire->worker->loop));
    else
        end_early(wire, info->why == CONN_TIMEOUT ? SMTP_WHY_TIMEOUT : SMTP_WHY_LOST, text);
    leave(wire);
}

static const struct conn_events conn_events = {.opened = conn_opened,
                                               .input = conn_input,
                                               .writable = conn_writable,
                                               .tls_done = conn_tls_done,
                                               .expired = conn_expired,
                                               .closed = conn_closed};

/* Who is spoken to. */
static void name_target(struct wire *wire) {
    struct session *s = wire->session;
    const struct session_target *target = &s->targets[wire->target];
    char address[NET_ADDR_TEXT_MAX];
    s->target = (uint8_t)wire->target;
    s->fault = FAULT_SERVER;
    net_addr_format(&target->address, address);
    snprintf(s->host, sizeof s->host, "%.180s [%s]", target->name, address);
}

static void try_target(struct wire *wire) {
    const struct engine_options *o = wire->worker->options;
    struct session *s = wire->session;
    struct session_target *target = &s->targets[wire->target];
    const struct source_options *source = &o->sources[s->source];
    struct err err = {0};
    if (!s->ready) name_target(wire); /* else it is the same one, and the owner reads its name */
    if (wire->worker->trace_count) tap_session(wire->worker, &wire->taps, NULL, s, 0);
    if (wire->taps) tap_note(wire->taps, "connecting to %s", s->host);
    struct conn_options options = {.remote = net_addr_with_port(target->address, o->port),
                                   .connect_deadline = loop_now(wire->worker->loop) + o->connect_us};
    if (source->proxy.protocol != PROXY_NONE)
        options.proxy = &source->proxy;
    else if (source->bind && source->address.family == target->address.family)
        options.source = source->address;
    wire->conn = conn_open(wire->worker->loop, &options, &conn_events, wire, &err);
    if (wire->conn) return;
    enter(wire);
    end_early(wire, SMTP_WHY_CUT, slice_of(err.text));
    leave(wire);
}

/* ---- what the owner says ---- */

void wire_open(struct worker *w, struct session *s) {
    struct wire *wire = calloc(1, sizeof *wire);
    if (!wire || w->draining) {
        free(wire);
        outcome_local(&s->end, EVENT_RETURNED, SMTP_STAGE_NONE, 0, SLICE("not opened"));
        worker_tell(w, MSG_ENDED, s, 0);
        return;
    }
    *wire = (struct wire){.worker = w, .session = s, .next = w->wires};
    if (w->wires) w->wires->prev = wire;
    w->wires = wire;
    s->wire = wire;
    try_target(wire);
}

/* So many of the bytes that it sends next may be content that was made before. */
static uint64_t content_left(const struct wire *wire) {
    return wire->content_end > wire->sent ? wire->content_end - wire->sent : 0;
}

void wire_trace(struct worker *w, struct trace *t) {
    tap_trace_in(w, t);
    for (struct wire *wire = w->wires; wire; wire = wire->next)
        tap_session(w, &wire->taps, t, wire->session, content_left(wire));
}

void wire_untrace(struct worker *w, struct trace *t) {
    for (struct wire *wire = w->wires; wire; wire = wire->next)
        tap_drop(&wire->taps, t);
    tap_trace_out(w, t);
}

void wire_window(struct worker *w, struct window *window) {
    struct wire *wire = window->session->wire;
    if (!wire || wire->over || w->draining) {
        window_give_back(w, window); /* all of it */
        return;
    }
    /* It may be on its way to the same host again, without BDAT: then the window waits for that. */
    enter(wire);
    wire->asked = false;
    /* A mail that is lost with a connection closed meanwhile goes by another one and has not been tried. */
    wire->session->rested = loop_now(w->loop) - wire->asked_at >= SMTP_REST_US;
    wire->newest = part_of(window, window->count);
    if (w->trace_count) tap_window(w, &wire->taps, window, content_left(wire));
    windows_add(&wire->windows, window);
    leave(wire);
}

void wire_finish(struct worker *w, struct session *s) {
    struct wire *wire = s->wire;
    if (!wire || wire->over) return;
    enter(wire);
    wire->finishing = true;
    if (!wire->smtp)
        end_early(wire, SMTP_WHY_DONE, SLICE("not needed any more"));
    else if (!wire->windows.first) /* else when the last of its windows is begun */
        smtp_client_finish(wire->smtp, loop_now(w->loop));
    leave(wire);
}

void wire_drain_all(struct worker *w) {
    for (struct wire *wire = w->wires, *next; wire; wire = next) {
        next = wire->next;
        windows_give_back(wire->worker, &wire->windows);
        wire_finish(w, wire->session);
    }
}

void wire_cut_all(struct worker *w) {
    static const struct slice text = {"cut: this program ends", 22};
    for (struct wire *wire = w->wires, *next; wire; wire = next) {
        next = wire->next;
        enter(wire);
        wire->finishing = true;
        if (wire->smtp)
            smtp_client_lost(wire->smtp, SMTP_WHY_CUT, text, loop_now(w->loop));
        else
            end_early(wire, SMTP_WHY_CUT, text);
        leave(wire);
    }
}
