/* How a session begins: who is let in, EHLO, STARTTLS; and hosts that are out of service. */
#include "sim_gate.h"
#include "sim_window.h"

enum { SALT_DEAD = 0x64656164, EHLO_MAX = 8192 };

bool sim_out_of_service(struct sim_session *s) {
    const struct sim_provider *p = s->provider;
    const struct sim_window dead = {.how = SIM_WINDOW_REFUSE}, *w = NULL;
    if (p->windows) w = sim_window_now(p, p->host ? s->host.host : 0, s->world->now, s->world->sim_wall);
    if (!w && sim_chance(p->dead, s->host_key, SALT_DEAD)) w = &dead;
    if (!w) return false;
    buf_reset(&s->text);
    enum sim_event event = SIM_EVENT_FAULT;
    switch (w->how) {
    case SIM_WINDOW_REFUSE: s->want = SIM_WANT_RESET; break;
    case SIM_WINDOW_DROP: s->want = SIM_WANT_CLOSE; break;
    case SIM_WINDOW_TIMEOUT: s->want = SIM_WANT_STALL; break;
    case SIM_WINDOW_421:
        sim_say_refusal(s, SIM_STEP_GREETING, SIM_SAY_SHUTDOWN, (struct slice){0}, true);
        event = SIM_EVENT_DEFERRED;
        break;
    }
    sim_say_truth(s, event, SIM_CAUSE_MAINTENANCE, NULL, false);
    return true;
}

void sim_greet(struct sim_session *s) {
    s->phase = SIM_PHASE_COMMANDS;
    if (sim_out_of_service(s)) {
        sim_gate_away(s);
        return;
    }
    struct sim_verdict v = sim_gate_connect(s);
    const struct sim_fault *f = sim_world_fault(s->world, s->provider, SIM_STEP_CONNECT, false,
                                                hash_mix(s->world->seed + s->number), 0);
    if (f) {
        s->want = f->kind == SIM_FAULT_DROP    ? SIM_WANT_CLOSE
                  : f->kind == SIM_FAULT_RESET ? SIM_WANT_RESET
                                               : SIM_WANT_STALL;
        sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, NULL, false);
        return;
    }
    if (v.cause) {
        sim_say_refusal(s, SIM_STEP_GREETING, v.say, (struct slice){0}, true);
        sim_say_truth(s, sim_say_event(s, v.cause), v.cause, NULL, false);
        return;
    }
    sim_say(s, SIM_STEP_GREETING, SIM_SAY_GREETING);
    sim_say_ahead(s, SIM_STEP_EHLO, SIM_SAY_HELLO);
}

static bool offers_tls(const struct sim_session *s) {
    return s->provider->tls != SIM_TLS_OFF && !s->secure;
}

static void make_ehlo(struct sim_session *s) {
    const struct sim_provider *p = s->provider;
    struct buf lines;
    buf_init(&lines, EHLO_MAX);
    struct slice first = sim_manner_text(p, s->manner, SIM_SAY_HELLO);
    buf_put_text(&lines, "250-");
    buf_put_slice(&lines, slice_skip(first, 4));
    if (p->pipelining) buf_put_text(&lines, "\n250-PIPELINING");
    if (p->say_size) buf_printf(&lines, "\n250-SIZE %u", p->rules.limits.size);
    if (offers_tls(s)) buf_put_text(&lines, "\n250-STARTTLS");
    if (p->enhanced) buf_put_text(&lines, "\n250-ENHANCEDSTATUSCODES");
    if (p->eightbit) buf_put_text(&lines, "\n250-8BITMIME");
    if (p->chunking != SIM_CHUNKING_OFF) buf_put_text(&lines, "\n250-CHUNKING");
    if (p->smtputf8) buf_put_text(&lines, "\n250-SMTPUTF8");
    if (p->limits.len) buf_printf(&lines, "\n250-LIMITS %.*s", SLICE_ARG(p->limits));
    buf_put_text(&lines, "\n250 HELP");
    sim_say_make(s, buf_slice(&lines), (struct slice){0});
    buf_done(&lines);
}

static void hello(struct sim_session *s, struct slice arg, bool esmtp) {
    if (arg.len == 0) {
        sim_say_text(s, "501 5.5.4 Syntax: EHLO hostname");
        return;
    }
    const struct sim_fault *f =
        sim_world_fault(s->world, s->provider, SIM_STEP_EHLO, false, hash_mix(s->world->seed - s->number), 0);
    if (esmtp)
        make_ehlo(s);
    else
        sim_say_make(s, sim_manner_text(s->provider, s->manner, SIM_SAY_HELLO), (struct slice){0});
    s->greeted = true;
    s->esmtp = esmtp;
    sim_smtp_forget(s);
    sim_say_send(s, SIM_STEP_EHLO, f);
    if (f) sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, NULL, false);
    sim_say_ahead(s, SIM_STEP_MAIL, SIM_SAY_MAIL);
}

void sim_do_ehlo(struct sim_session *s, struct slice arg) {
    hello(s, arg, true);
}
void sim_do_helo(struct sim_session *s, struct slice arg) {
    hello(s, arg, false);
}

void sim_do_starttls(struct sim_session *s, struct slice arg) {
    if (!offers_tls(s)) {
        sim_say_text(s, s->secure ? "503 5.5.1 TLS already active" : "502 5.5.1 STARTTLS is not offered");
        return;
    }
    if (arg.len) {
        sim_say_text(s, "501 5.5.4 Syntax: STARTTLS");
        return;
    }
    uint64_t key = hash_mix(s->world->seed + 2 * s->number);
    const struct sim_fault *f = sim_world_fault(s->world, s->provider, SIM_STEP_STARTTLS, false, key, 0);
    sim_say_make(s, SLICE("220 2.0.0 Ready to start TLS"), (struct slice){0});
    sim_say_send(s, SIM_STEP_STARTTLS, f);
    if (f) {
        sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, NULL, false);
        if (f->kind != SIM_FAULT_OVERSIZED && f->kind != SIM_FAULT_FLOOD)
            return; /* those are long, but say 220 */
    }
    s->want = SIM_WANT_TLS;
    if (sim_world_fault(s->world, s->provider, SIM_STEP_TLS, true, key, 0))
        buf_put_slice(&s->out, SLICE("250 2.0.0 said in the clear\r\n"));
    f = sim_world_fault(s->world, s->provider, SIM_STEP_TLS, false, key, 0);
    if (!f) return;
    sim_say_truth(s, SIM_EVENT_FAULT, SIM_CAUSE_FAULT, NULL, false);
    if (f->kind == SIM_FAULT_GARBAGE)
        s->tls_garbage = true;
    else
        s->want = f->kind == SIM_FAULT_STALL   ? SIM_WANT_STALL
                  : f->kind == SIM_FAULT_RESET ? SIM_WANT_RESET
                                               : SIM_WANT_CLOSE;
}
