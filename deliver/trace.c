/* A trace is shared by its reader and the workers; whoever lets go of it last frees it. So nobody waits for
 * anybody: the reader says that it is over, and goes. */
#include "owner.h"

#include "tap.h"
#include "transcript.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct trace {
    struct trace_filter filter;
    struct mailbox lines;
    atomic_uint holders;
    atomic_uint met, ended; /* sessions */
    atomic_uint_fast64_t left_out;
    atomic_uint *open; /* the engine's count of traces */
};

struct tap {
    struct tap *next;
    struct trace *trace;
    const struct session *session;
    mono_us since;
    struct loop *loop;
    uint32_t number;
    bool over; /* it has had what was asked for */
    struct transcript transcript;
};

/* ---- the reader's side ---- */

static void let_go(struct trace *t) {
    if (atomic_fetch_sub(&t->holders, 1) > 1) return;
    atomic_fetch_sub(t->open, 1);
    mailbox_done(&t->lines);
    free(t);
}

struct trace *trace_open(struct engine *e, const struct trace_filter *filter, struct err *err) {
    if (atomic_fetch_add(&e->traces, 1) >= TRACE_MOST) {
        atomic_fetch_sub(&e->traces, 1);
        return err_set(err, ERR_BUSY, "%d traces are under way already", TRACE_MOST), NULL;
    }
    struct trace *t = calloc(1, sizeof *t);
    if (!t || mailbox_init(&t->lines, TRACE_LINES, sizeof(struct trace_line), NULL, NULL)) {
        free(t);
        atomic_fetch_sub(&e->traces, 1);
        return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    }
    t->filter = *filter;
    t->open = &e->traces;
    atomic_store(&t->holders, e->options.workers + 1);
    for (unsigned i = 0; i < e->options.workers; i++)
        engine_tell(&e->workers[i], MSG_TRACE, t);
    return t;
}

size_t trace_wait(struct trace *t, struct trace_line *lines, size_t most, int timeout_ms,
                  uint64_t *left_out) {
    size_t n = mailbox_wait(&t->lines, lines, most, timeout_ms);
    *left_out = n < most ? atomic_exchange(&t->left_out, 0) : 0; /* they come behind all that are there */
    return n;
}

bool trace_is_over(struct trace *t) {
    return t->filter.sessions && atomic_load(&t->ended) >= t->filter.sessions;
}

void trace_close(struct engine *e, struct trace *t) {
    if (!t) return;
    for (unsigned i = 0; i < e->options.workers; i++)
        engine_tell(&e->workers[i], MSG_UNTRACE, t);
    let_go(t);
}

void trace_who(const struct trace_line *line, struct slice *lane, struct slice *source, struct slice *host) {
    struct slice rest = slice_make(line->text, line->len);
    struct slice *parts[] = {lane, source, host};
    for (unsigned i = 0; i < 3; i++)
        if (!slice_cut(&rest, 0, parts[i])) *parts[i] = SLICE("");
}

/* ---- the workers' side ---- */

static void tell(struct tap *tap, enum trace_kind kind, struct slice text, uint64_t left_out) {
    struct trace_line line;
    size_t n = text.len < sizeof line.text ? text.len : sizeof line.text;
    mono_us now = loop_now(tap->loop);
    line.at = clock_wall();
    line.since = now > tap->since ? now - tap->since : 0;
    line.session = tap->number;
    line.kind = (uint8_t)kind;
    line.tls = tap->session->encrypted;
    line.len = (uint16_t)n;
    left_out += text.len - n;
    line.left_out = left_out < UINT32_MAX ? (uint32_t)left_out : UINT32_MAX;
    if (n) memcpy(line.text, text.at, n);
    memset(line.text + n, 0, sizeof line.text - n);
    if (!mailbox_put(&tap->trace->lines, &line)) atomic_fetch_add(&tap->trace->left_out, 1);
}

static void tell_said(void *ctx, enum transcript_kind kind, struct slice text, uint64_t left_out) {
    tell(ctx, kind == TRANSCRIPT_SENT ? TRACE_SENT : TRACE_RECEIVED, text, left_out);
}

static void tell_who(struct tap *tap, struct worker *w) {
    struct buf text;
    buf_init(&text, TRACE_TEXT);
    buf_put_text(&text, tap->session->lane);
    buf_put_c(&text, 0);
    buf_put_text(&text, w->options->sources[tap->session->source].name);
    buf_put_c(&text, 0);
    buf_put_text(&text, tap->session->host);
    tell(tap, TRACE_BEGIN, buf_slice(&text), 0);
    buf_done(&text);
}

static bool same(const char *wanted, const char *is) {
    return !wanted[0] || slice_eq_nocase(slice_of(wanted), slice_of(is));
}

/* "mx1.example.com [192.0.2.1]": either part of it. */
static bool same_host(const char *wanted, const char *is) {
    struct slice rest = slice_of(is), name;
    if (same(wanted, is)) return true;
    slice_cut(&rest, ' ', &name);
    return slice_eq_nocase(slice_of(wanted), name) ||
           (rest.len > 2 && slice_eq_nocase(slice_of(wanted), slice_make(rest.at + 1, rest.len - 2)));
}

static bool same_session(const struct worker *w, const struct trace_filter *f, const struct session *s) {
    return same(f->lane, s->lane) && same(f->source, w->options->sources[s->source].name) &&
           same_host(f->host, s->host);
}

static bool same_recipient(const struct trace_filter *f, struct slice to) {
    struct slice wanted = slice_of(f->to);
    if (slice_find(wanted, '@') >= 0) return slice_eq_nocase(wanted, to);
    return to.len > wanted.len && to.at[to.len - wanted.len - 1] == '@' && slice_ends_nocase(to, wanted);
}

static bool same_window(const struct trace_filter *f, const struct window *window) {
    if (f->campaign && chunk_campaign(window->chunk_id) != f->campaign) return false;
    if (!f->to[0]) return true;
    for (unsigned i = 0; i < window->count; i++)
        if (same_recipient(f, mail_address(window, i))) return true;
    return false;
}

static bool has_tap(const struct tap *taps, const struct trace *t) {
    while (taps && taps->trace != t)
        taps = taps->next;
    return taps != NULL;
}

static void join(struct worker *w, struct tap **taps, struct trace *t, const struct session *s,
                 uint64_t skip) {
    unsigned number = atomic_fetch_add(&t->met, 1) + 1;
    struct tap *tap = !t->filter.sessions || number <= t->filter.sessions ? malloc(sizeof *tap) : NULL;
    if (!tap) {
        atomic_fetch_sub(&t->met, 1);
        return;
    }
    *tap = (struct tap){
        .next = *taps, .trace = t, .session = s, .since = s->opened_at, .loop = w->loop, .number = number};
    transcript_init(&tap->transcript, t->filter.content, skip, tell_said, tap);
    *taps = tap;
    tell_who(tap, w);
}

void tap_session(struct worker *w, struct tap **taps, struct trace *only, const struct session *s,
                 uint64_t skip) {
    for (unsigned i = 0; i < w->trace_count; i++) {
        struct trace *t = w->traces[i];
        const struct trace_filter *f = &t->filter;
        if ((only && t != only) || f->to[0] || f->campaign || has_tap(*taps, t)) continue;
        if (same_session(w, f, s)) join(w, taps, t, s, skip);
    }
}

void tap_window(struct worker *w, struct tap **taps, const struct window *window, uint64_t skip) {
    for (unsigned i = 0; i < w->trace_count; i++) {
        struct trace *t = w->traces[i];
        const struct trace_filter *f = &t->filter;
        if ((!f->to[0] && !f->campaign) || has_tap(*taps, t)) continue;
        if (same_session(w, f, window->session) && same_window(f, window))
            join(w, taps, t, window->session, skip);
    }
}

void tap_sent(struct tap *taps, struct slice bytes) {
    for (; taps; taps = taps->next)
        transcript_sent(&taps->transcript, bytes);
}

void tap_received(struct tap *taps, struct slice bytes) {
    for (; taps; taps = taps->next)
        transcript_received(&taps->transcript, bytes);
}

void tap_note(struct tap *taps, const char *format, ...) {
    char text[TRACE_TEXT];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    for (; taps; taps = taps->next)
        tell(taps, TRACE_NOTE, slice_make(text, len), 0);
}

void tap_cut(struct tap *taps) {
    for (; taps; taps = taps->next)
        transcript_end(&taps->transcript);
}

static void leave(struct tap **at, struct slice why) {
    struct tap *tap = *at;
    *at = tap->next;
    tell(tap, TRACE_END, why, 0);
    atomic_fetch_add(&tap->trace->ended, 1);
    free(tap);
}

void tap_outcome(struct tap **taps, struct slice to, const struct outcome *o) {
    tap_note(*taps, "%.*s: %s: %.*s", SLICE_ARG(to), event_name(o->kind), o->text_len, o->text);
    for (struct tap **at = taps; *at;) {
        const struct trace_filter *f = &(*at)->trace->filter;
        bool last = strchr(f->to, '@') && same_recipient(f, to);
        if (last)
            leave(at, SLICE("this was the mail that was asked for"));
        else
            at = &(*at)->next;
    }
}

void tap_end(struct tap **taps, struct slice why) {
    tap_cut(*taps);
    while (*taps)
        leave(taps, why);
}

void tap_drop(struct tap **taps, struct trace *t) {
    for (struct tap **at = taps; *at; at = &(*at)->next) {
        struct tap *tap = *at;
        if (tap->trace != t) continue;
        *at = tap->next;
        free(tap);
        return;
    }
}

void tap_trace_in(struct worker *w, struct trace *t) {
    w->traces[w->trace_count++] = t; /* TRACE_MOST in all of the engine */
}

void tap_trace_out(struct worker *w, struct trace *t) {
    unsigned i = 0;
    while (w->traces[i] != t)
        i++;
    w->traces[i] = w->traces[--w->trace_count];
    let_go(t);
}
