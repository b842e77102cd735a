/* Misbehaving peers: each step of the conversation x each fault x pipelined or not x DATA or BDAT x TLS or
 * not x where in the session, and a connection cut after every single byte. What must come of each mail is
 * said by rule (expected), and checked against what the server of this test has really seen. */
#include "smtp_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAILS = 4 };

enum fault {
    FAULT_NONE,
    FAULT_DROP,
    FAULT_STALL,
    FAULT_HALF_DROP,
    FAULT_HALF_STALL,
    FAULT_EARLY, /* the answer comes twice: once before its question */
    FAULT_GARBAGE,
    FAULT_CLOSING,
    FAULT_OVERSIZED,
    FAULT_WRONG_CLASS,
    FAULT_TEMPORARY,
    FAULT_PERMANENT,
    FAULT_UNKNOWN, /* "what command?", to BDAT */
    FAULTS
};
static const char *const fault_names[] = {
    "none", "drop",      "stall",       "half, drop", "half, stall", "early",          "garbage",
    "421",  "oversized", "wrong class", "4xx",        "5xx",         "unknown command"};

struct plan {
    enum smtp_stage stage;
    unsigned mail; /* where the stage is a mail's */
    enum fault fault;
    bool pipelining, chunking, tls, lenient_data; /* lenient: DATA gets 354 though there is no recipient */
    size_t step;                                  /* bytes handed to the client at once */
    size_t cut;                                   /* bytes that the network takes at all */
};

/* ---- the server ---- */

struct server {
    const struct plan *plan;
    struct buf in, out;
    unsigned mails;    /* MAIL commands so far */
    size_t chunk_left; /* octets of a BDAT */
    bool in_chunk;
    bool tls_on, has_sender, has_rcpt, in_data, dead, dropped, empty_data;
    bool dot_seen[MAILS + 1], taken[MAILS + 1];
};

static bool of_mail(enum smtp_stage stage) {
    return (stage >= SMTP_STAGE_MAIL && stage <= SMTP_STAGE_DOT) || stage == SMTP_STAGE_BDAT;
}

static unsigned mail_now(const struct server *s) {
    return s->mails ? s->mails - 1 : 0;
}

static bool hits(const struct server *s, enum smtp_stage stage, unsigned mail) {
    return stage == s->plan->stage && (!of_mail(stage) || mail == s->plan->mail);
}

static void put_oversized(struct server *s, const char *normal) {
    for (int i = 0; i < 100; i++)
        buf_printf(&s->out, "%.3s-and so on\r\n", normal);
    buf_printf(&s->out, "%.3s end\r\n", normal);
}

static void put_fault(struct server *s, enum smtp_stage stage, const char *normal) {
    s->dead = true;
    switch (s->plan->fault) {
    case FAULT_HALF_DROP:
    case FAULT_HALF_STALL:
        s->dropped = s->plan->fault == FAULT_HALF_DROP;
        buf_put(&s->out, normal, strlen(normal) / 2);
        break;
    case FAULT_DROP: s->dropped = true; break;
    case FAULT_STALL: break;
    case FAULT_GARBAGE: buf_put_text(&s->out, "\x16\x03\x01 what?\r\n"); break;
    case FAULT_CLOSING: buf_put_text(&s->out, "421 4.3.2 closing\r\n"); break;
    case FAULT_WRONG_CLASS:
        buf_put_text(&s->out, stage == SMTP_STAGE_DATA ? "250 ok\r\n" : "354 go\r\n");
        break;
    case FAULT_OVERSIZED: put_oversized(s, normal), s->dead = false; break;
    case FAULT_TEMPORARY: buf_put_text(&s->out, "450 4.2.0 later\r\n"), s->dead = false; break;
    case FAULT_UNKNOWN: buf_put_text(&s->out, "502 5.5.1 what?\r\n"), s->dead = false; break;
    case FAULT_PERMANENT: buf_put_text(&s->out, "550 5.0.0 never\r\n"), s->dead = false; break;
    default: buf_put_text(&s->out, normal), s->dead = false;
    }
}

static const char *normal_reply(enum smtp_stage stage) {
    return stage == SMTP_STAGE_DATA                                       ? "354 go ahead\r\n"
           : stage == SMTP_STAGE_QUIT                                     ? "221 2.0.0 bye\r\n"
           : stage == SMTP_STAGE_STARTTLS || stage == SMTP_STAGE_GREETING ? "220 2.0.0 mx\r\n"
                                                                          : "250 2.0.0 fine\r\n";
}

/* The answer to `stage`; and where the plan wants the next one early, that too. True: a good answer. */
static bool reply(struct server *s, enum smtp_stage stage, const char *normal, enum smtp_stage next) {
    if (s->dead) return false;
    bool hit = hits(s, stage, mail_now(s));
    if (hit)
        put_fault(s, stage, normal);
    else
        buf_put_text(&s->out, normal);
    unsigned next_mail = next == SMTP_STAGE_MAIL ? s->mails : mail_now(s);
    if (s->plan->fault == FAULT_EARLY && hits(s, next, next_mail)) buf_put_text(&s->out, normal_reply(next));
    enum fault f = s->plan->fault;
    bool spoiled = hit && f != FAULT_NONE && f != FAULT_OVERSIZED && f != FAULT_EARLY;
    return !spoiled && normal[0] <= '3';
}

static void on_ehlo(struct server *s, bool esmtp) {
    char text[128];
    bool offer = s->plan->tls && !s->tls_on && esmtp;
    snprintf(text, sizeof text, "250-mx\r\n%s%s%s250 ENHANCEDSTATUSCODES\r\n",
             s->plan->chunking ? "250-CHUNKING\r\n" : "", s->plan->pipelining ? "250-PIPELINING\r\n" : "",
             offer ? "250-STARTTLS\r\n" : "");
    /* HELO, and EHLO under TLS, are not the step that the plan spoils. */
    if (!esmtp || s->tls_on) {
        if (!s->dead) buf_put_text(&s->out, esmtp ? text : "250 mx\r\n");
        if (s->plan->fault == FAULT_EARLY && hits(s, SMTP_STAGE_MAIL, 0))
            buf_put_text(&s->out, normal_reply(SMTP_STAGE_MAIL));
        return;
    }
    reply(s, SMTP_STAGE_EHLO, text, offer ? SMTP_STAGE_STARTTLS : SMTP_STAGE_MAIL);
}

/* With a plan for RSET the first mail's recipient and DATA are refused, so that there is one. */
static bool wants_rset(const struct server *s) {
    return s->plan->stage == SMTP_STAGE_RSET && s->mails == 1;
}

static void on_data(struct server *s) {
    bool refused = !s->has_sender || (!s->has_rcpt && !s->plan->lenient_data) || wants_rset(s);
    const char *normal = refused ? "503 5.5.1 no valid recipients\r\n" : normal_reply(SMTP_STAGE_DATA);
    enum smtp_stage next = wants_rset(s) ? SMTP_STAGE_RSET : refused ? SMTP_STAGE_NONE : SMTP_STAGE_DOT;
    s->in_data = reply(s, SMTP_STAGE_DATA, normal, next);
    s->empty_data = true;
}

static void on_end_of_data(struct server *s) {
    unsigned mail = mail_now(s);
    bool real = s->has_rcpt;
    s->in_data = false;
    if (real) s->dot_seen[mail] = true;
    enum smtp_stage next = s->mails == MAILS ? SMTP_STAGE_QUIT : SMTP_STAGE_MAIL;
    bool good = reply(s, SMTP_STAGE_DOT,
                      real ? normal_reply(SMTP_STAGE_DOT) : "554 5.5.1 no valid recipients\r\n", next);
    if (real) s->taken[mail] = good;
    s->has_sender = s->has_rcpt = false;
}

static void on_bdat(struct server *s, struct slice line) {
    struct slice rest = slice_trim(line), word = {0};
    uint64_t octets = 0;
    assert_true(s->plan->chunking && slice_cut(&rest, ' ', &word) && slice_cut(&rest, ' ', &word));
    assert_true(slice_to_u64(word, &octets) && slice_eq(rest, SLICE("LAST")));
    s->chunk_left = octets;
    s->in_chunk = true;
}

static void put_content(struct buf *out, unsigned mail) {
    buf_printf(out, "Subject: mail %u\r\n\r\n.\r\nDATA\r\n.x\r\n", mail);
}

static void on_end_of_chunk(struct server *s, struct slice content) {
    struct buf want;
    unsigned mail = mail_now(s);
    bool real = s->has_rcpt;
    buf_init(&want, 1000);
    put_content(&want, mail);
    assert_true(slice_eq(content, buf_slice(&want)));
    buf_done(&want);
    s->in_chunk = false;
    bool known = s->plan->fault != FAULT_UNKNOWN || !hits(s, SMTP_STAGE_BDAT, mail);
    if (real && known && !s->dead) s->dot_seen[mail] = true;
    enum smtp_stage next = s->mails == MAILS ? SMTP_STAGE_QUIT : SMTP_STAGE_MAIL;
    bool good = reply(s, SMTP_STAGE_BDAT,
                      real ? normal_reply(SMTP_STAGE_BDAT) : "503 5.5.1 no valid recipients\r\n", next);
    if (real) s->taken[mail] = good;
    s->has_sender = s->has_rcpt = false;
}

static void on_command(struct server *s, struct slice line) {
    if (slice_starts(line, SLICE("EHLO "))) {
        on_ehlo(s, true);
    } else if (slice_starts(line, SLICE("HELO "))) {
        on_ehlo(s, false);
    } else if (slice_starts(line, SLICE("STARTTLS"))) {
        reply(s, SMTP_STAGE_STARTTLS, normal_reply(SMTP_STAGE_STARTTLS), SMTP_STAGE_TLS);
    } else if (slice_starts(line, SLICE("MAIL "))) {
        s->mails++;
        assert_true(s->mails <= MAILS);
        s->has_sender = reply(s, SMTP_STAGE_MAIL, s->has_sender ? "503 5.5.1 nested\r\n" : "250 2.1.0 ok\r\n",
                              SMTP_STAGE_RCPT);
    } else if (slice_starts(line, SLICE("RCPT "))) {
        const char *normal = !s->has_sender  ? "503 5.5.1 sender?\r\n"
                             : wants_rset(s) ? "550 5.1.1 no\r\n"
                                             : "250 2.1.5 ok\r\n";
        bool rset_next = wants_rset(s) && !s->plan->pipelining;
        enum smtp_stage next = rset_next           ? SMTP_STAGE_RSET
                               : s->plan->chunking ? SMTP_STAGE_BDAT
                                                   : SMTP_STAGE_DATA;
        s->has_rcpt = reply(s, SMTP_STAGE_RCPT, normal, next);
    } else if (slice_starts(line, SLICE("BDAT "))) {
        on_bdat(s, line);
    } else if (slice_starts(line, SLICE("DATA"))) {
        on_data(s);
    } else if (slice_starts(line, SLICE("RSET"))) {
        s->has_sender = s->has_rcpt = false;
        reply(s, SMTP_STAGE_RSET, "250 2.0.0 ok\r\n", SMTP_STAGE_MAIL);
    } else if (slice_starts(line, SLICE("QUIT"))) {
        reply(s, SMTP_STAGE_QUIT, normal_reply(SMTP_STAGE_QUIT), SMTP_STAGE_NONE);
    } else {
        fail_msg("the client said '%.*s'", SLICE_ARG(line));
    }
}

static void server_takes(struct server *s, struct slice bytes) {
    buf_put_slice(&s->in, bytes);
    for (;;) {
        if (s->in_chunk) {
            if (s->in.len < s->chunk_left) return;
            on_end_of_chunk(s, slice_make(s->in.at, s->chunk_left));
            buf_drop_front(&s->in, s->chunk_left);
        }
        ptrdiff_t lf = slice_find(buf_slice(&s->in), '\n');
        if (lf < 0) return;
        struct slice line = slice_make(s->in.at, (size_t)lf + 1);
        if (!s->in_data)
            on_command(s, line);
        else if (slice_eq(line, SLICE(".\r\n")))
            on_end_of_data(s);
        buf_drop_front(&s->in, (size_t)lf + 1);
    }
}

/* ---- the run ---- */

struct run {
    const struct plan *plan;
    struct server server;
    struct smtp_client *client;
    mono_us now;
    enum smtp_result results[MAILS];
    enum smtp_why why;
    unsigned outcomes;
    size_t taken; /* bytes by the network */
    bool tls_wanted, over;
};

static void on_outcome(void *ctx, uint64_t tag, unsigned rcpt, const struct smtp_outcome *o) {
    (void)rcpt;
    struct run *r = ctx;
    if (r->results[tag]) fail_msg("a second outcome of mail %d", (int)tag);
    r->results[tag] = o->result;
    r->outcomes++;
    if (o->result == SMTP_DELIVERED || (o->result == SMTP_REFUSED && o->why == SMTP_WHY_NONE))
        assert_non_null(o->reply);
}

static int on_content(void *ctx, uint64_t tag, struct buf *out) {
    (void)ctx;
    put_content(out, (unsigned)tag);
    return 0;
}

static void on_ready(void *ctx) {
    (void)ctx;
}

static void on_tls(void *ctx) {
    ((struct run *)ctx)->tls_wanted = true;
}

static void on_ended(void *ctx, const struct smtp_end *end) {
    struct run *r = ctx;
    assert_false(r->over);
    r->over = true;
    r->why = end->why;
}

static void handshake(struct run *r) {
    bool hit = r->plan->stage == SMTP_STAGE_TLS;
    r->tls_wanted = false;
    if (hit && (r->plan->fault == FAULT_STALL || r->plan->fault == FAULT_HALF_STALL)) {
        r->now = smtp_client_deadline(r->client);
        smtp_client_tick(r->client, r->now);
    } else if (hit && (r->plan->fault == FAULT_DROP || r->plan->fault == FAULT_HALF_DROP)) {
        smtp_client_lost(r->client, SMTP_WHY_LOST, SLICE("closed"), r->now);
    } else {
        r->server.tls_on = !(hit && r->plan->fault != FAULT_NONE);
        smtp_client_tls_done(r->client, r->server.tls_on, SLICE("bad"), r->now);
    }
}

/* One turn: the network takes output, the server answers, the client reads. False: nothing moved. */
static bool turn(struct run *r) {
    struct slice out = smtp_client_output(r->client);
    size_t n = out.len < r->plan->cut - r->taken ? out.len : r->plan->cut - r->taken;
    if (n) {
        server_takes(&r->server, slice_make(out.at, n));
        r->taken += n;
        smtp_client_wrote(r->client, n, r->now);
    }
    if (r->taken == r->plan->cut) { /* what the server says now is lost on the way */
        smtp_client_lost(r->client, SMTP_WHY_LOST, SLICE("cut"), r->now);
        return true;
    }
    struct slice in = buf_slice(&r->server.out);
    for (size_t i = 0; i < in.len && !r->over; i += r->plan->step)
        smtp_client_input(r->client,
                          slice_make(in.at + i, in.len - i < r->plan->step ? in.len - i : r->plan->step),
                          r->now);
    buf_reset(&r->server.out);
    if (r->tls_wanted && !r->over) handshake(r);
    return n || in.len;
}

static void play(struct run *r) {
    static const struct smtp_client_events events = {on_outcome, on_content, on_ready, on_tls, on_ended};
    struct smtp_client_options options = {.helo = SLICE("me.example"),
                                          .pipelining_allowed = true,
                                          .chunking_allowed = true,
                                          .tls = r->plan->tls ? SMTP_TLS_OPPORTUNISTIC : SMTP_TLS_OFF};
    r->server = (struct server){.plan = r->plan};
    buf_init(&r->server.in, 1 << 16);
    buf_init(&r->server.out, 1 << 16);
    r->client = smtp_client_open(&options, &events, r, r->now = 1);
    reply(&r->server, SMTP_STAGE_GREETING, normal_reply(SMTP_STAGE_GREETING), SMTP_STAGE_EHLO);
    for (unsigned i = 0; i < MAILS; i++) {
        static const struct slice to = {"t@example.net", 13};
        struct smtp_mail mail = {.tag = i, .from = SLICE("f@example.org"), .to = &to, .to_count = 1};
        assert_true(smtp_client_add(r->client, &mail, r->now));
    }
    smtp_client_finish(r->client, r->now);
    while (!r->over) {
        if (turn(r) || r->over) continue;
        if (r->server.dropped) {
            smtp_client_lost(r->client, SMTP_WHY_LOST, SLICE("closed"), r->now);
        } else {
            assert_true(smtp_client_deadline(r->client) != NEVER);
            r->now = smtp_client_deadline(r->client);
            smtp_client_tick(r->client, r->now);
        }
    }
    assert_int_equal(smtp_client_pending(r->client), 0);
    smtp_client_free(r->client);
    buf_done(&r->server.in);
    buf_done(&r->server.out);
}

/* ---- what must come of it ---- */

static bool ends_session(const struct plan *p) {
    if (p->fault == FAULT_NONE || p->stage == SMTP_STAGE_QUIT) return false;
    if (p->fault == FAULT_UNKNOWN) return p->mail == 0;
    if (p->fault == FAULT_TEMPORARY || p->fault == FAULT_PERMANENT)
        return p->stage == SMTP_STAGE_GREETING || p->stage == SMTP_STAGE_TLS || p->stage == SMTP_STAGE_RSET ||
               (p->stage == SMTP_STAGE_EHLO && p->fault == FAULT_TEMPORARY);
    return true;
}

/* By BDAT without waiting: what is not answered may have been taken. */
static bool streams(const struct plan *p) {
    return p->pipelining && p->chunking;
}

static enum smtp_result spoiled(const struct plan *p) {
    bool dot = p->stage == SMTP_STAGE_DOT || p->stage == SMTP_STAGE_BDAT;
    switch (p->fault) {
    case FAULT_CLOSING:
    case FAULT_TEMPORARY:
    case FAULT_PERMANENT: return SMTP_REFUSED;
    case FAULT_UNKNOWN: return SMTP_NOT_SENT;
    case FAULT_OVERSIZED: return dot ? SMTP_DELIVERED : streams(p) ? SMTP_UNCERTAIN : SMTP_NOT_SENT;
    case FAULT_EARLY: return SMTP_NOT_SENT;
    default: return dot || streams(p) ? SMTP_UNCERTAIN : SMTP_NOT_SENT;
    }
}

/* Of a mail behind the one at which the session ended: the first goes alone, then all that are left here. */
static enum smtp_result behind(const struct plan *p, unsigned mail) {
    if (!streams(p)) return SMTP_NOT_SENT;
    if (p->stage == SMTP_STAGE_RSET) return mail == 1 ? SMTP_UNCERTAIN : SMTP_NOT_SENT;
    return of_mail(p->stage) && p->mail > 0 ? SMTP_UNCERTAIN : SMTP_NOT_SENT;
}

static enum smtp_result expected(const struct plan *p, unsigned mail) {
    enum smtp_result good = p->stage == SMTP_STAGE_RSET && mail == 0 ? SMTP_REFUSED : SMTP_DELIVERED;
    if (p->fault == FAULT_NONE) return good;
    if (p->stage == SMTP_STAGE_RSET && mail == 0) return good;
    if (of_mail(p->stage) && mail < p->mail) return good;
    if (of_mail(p->stage) && mail == p->mail) return spoiled(p);
    return ends_session(p) ? behind(p, mail) : good;
}

static enum smtp_why expected_why(const struct plan *p) {
    if (!ends_session(p)) return SMTP_WHY_DONE;
    if (p->stage == SMTP_STAGE_TLS && p->fault > FAULT_EARLY) return SMTP_WHY_TLS_FAILED;
    switch (p->fault) {
    case FAULT_DROP:
    case FAULT_HALF_DROP: return SMTP_WHY_LOST;
    case FAULT_STALL:
    case FAULT_HALF_STALL: return SMTP_WHY_TIMEOUT;
    case FAULT_CLOSING: return SMTP_WHY_CLOSING;
    case FAULT_UNKNOWN: return SMTP_WHY_CHUNKING;
    case FAULT_TEMPORARY:
    case FAULT_PERMANENT: return p->stage == SMTP_STAGE_RSET ? SMTP_WHY_PROTOCOL : SMTP_WHY_REFUSED;
    default: return SMTP_WHY_PROTOCOL;
    }
}

static void check_plan(const struct plan *p) {
    struct run r = {.plan = p};
    char what[200];
    /* An answer too many among many that are under way: nobody can tell which it is. */
    bool lost_count = streams(p) && p->fault == FAULT_EARLY;
    play(&r);
    snprintf(what, sizeof what, "%s at %s of mail %u, %s, %s, %s, %s, steps of %zu", fault_names[p->fault],
             smtp_stage_name(p->stage), p->mail, p->pipelining ? "pipelined" : "one at a time",
             p->chunking ? "BDAT" : "DATA", p->tls ? "TLS" : "clear",
             p->lenient_data ? "lone dots" : "no lone dots", p->step);
    for (unsigned i = 0; i < MAILS; i++) {
        if (r.results[i] != expected(p, i) && !lost_count)
            fail_msg("%s: mail %u is %s, expected %s", what, i, smtp_result_name(r.results[i]),
                     smtp_result_name(expected(p, i)));
        if (r.results[i] == SMTP_DELIVERED && !r.server.taken[i])
            fail_msg("%s: mail %u delivered, but never taken", what, i);
        if (r.results[i] == SMTP_NOT_SENT && r.server.dot_seen[i])
            fail_msg("%s: mail %u not sent, but arrived", what, i);
    }
    bool early_quit = p->stage == SMTP_STAGE_QUIT && p->fault == FAULT_EARLY;
    if (r.why != expected_why(p) && !early_quit && !lost_count)
        fail_msg("%s: ended by %s", what, smtp_why_name(r.why));
}

/* Does the plan's stage come at all, and can this fault strike there? */
static bool possible(const struct plan *p) {
    bool content = p->stage == SMTP_STAGE_DATA || p->stage == SMTP_STAGE_DOT;
    if (!p->tls && (p->stage == SMTP_STAGE_STARTTLS || p->stage == SMTP_STAGE_TLS)) return false;
    if (p->chunking ? content : p->stage == SMTP_STAGE_BDAT) return false;
    if (p->fault == FAULT_UNKNOWN && p->stage != SMTP_STAGE_BDAT) return false;
    return p->fault != FAULT_EARLY || p->stage != SMTP_STAGE_GREETING; /* nothing comes before */
}

static void test_faults(void **state) {
    (void)state;
    static const unsigned which[] = {0, 1, MAILS - 1};
    struct plan p = {.cut = SIZE_MAX};
    unsigned runs = 0;
    for (unsigned bits = 0; bits < 32; bits++) {
        p.pipelining = bits & 1;
        p.tls = bits & 2;
        p.lenient_data = bits & 4;
        p.step = bits & 8 ? 1 : SIZE_MAX / 2;
        p.chunking = bits & 16;
        for (p.stage = SMTP_STAGE_GREETING; p.stage <= SMTP_STAGE_BDAT; p.stage++) {
            for (p.fault = FAULT_NONE; p.fault < FAULTS; p.fault++) {
                if (!possible(&p)) continue;
                for (unsigned i = 0; i < 3; i++, runs++) {
                    p.mail = which[i];
                    check_plan(&p);
                }
            }
        }
    }
    assert_true(runs > 8000);
}

/* The network takes so many bytes and no more, and no later answer comes through. */
static void test_every_cut(void **state) {
    (void)state;
    for (int bits = 0; bits < 4; bits++) {
        bool whole = false;
        unsigned uncertain = 0;
        for (size_t cut = 1; !whole; cut++) {
            struct plan p = {.pipelining = bits & 1, .chunking = bits & 2, .step = SIZE_MAX / 2, .cut = cut};
            struct run r = {.plan = &p};
            play(&r);
            whole = r.why == SMTP_WHY_DONE && r.outcomes == MAILS && r.results[MAILS - 1] == SMTP_DELIVERED &&
                    r.taken < cut;
            for (unsigned i = 0; i < MAILS; i++) {
                bool seen = r.server.dot_seen[i];
                if (r.results[i] == SMTP_UNCERTAIN) uncertain++;
                if (seen != (r.results[i] == SMTP_DELIVERED || r.results[i] == SMTP_UNCERTAIN))
                    fail_msg("cut after %zu: mail %u is %s", cut, i, smtp_result_name(r.results[i]));
            }
        }
        /* Pipelined, the rest of the group behind the dot is in doubt too; one at a time only the cut right
         * behind it. */
        assert_true(uncertain >= MAILS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults), cmocka_unit_test(test_every_cut)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
