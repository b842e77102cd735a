/* Lines of a trace, from the engine's mailbox to the client. A client that reads slowly holds up this thread
 * alone. */
#include "ctl_trace.h"

#include "ctl_hands.h"
#include "log.h"
#include "note.h"
#include "trace.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { AT_ONCE = 64, LOOK_MS = 200 };

struct telling {
    struct ctl_asker *asker;
    struct trace *trace;
    uint64_t lines, most, left_out;
    mono_us until;
};

static const char *kind_name(enum trace_kind kind) {
    static const char *const names[] = {[TRACE_BEGIN] = "begin",
                                        [TRACE_NOTE] = "note",
                                        [TRACE_SENT] = "sent",
                                        [TRACE_RECEIVED] = "received",
                                        [TRACE_END] = "end"};
    return names[kind];
}

static struct jdoc *line_json(const struct trace_line *line) {
    struct jdoc *o = jdoc_object();
    char time[CLOCK_TEXT_MAX];
    struct slice lane, source, host;
    jdoc_put_bool(o, "more", true);
    jdoc_put_number(o, "session", line->session);
    jdoc_put_text(o, "time", slice_make(time, (size_t)clock_rfc3339(line->at, time)));
    jdoc_put_real(o, "seconds", (double)line->since / 1e6);
    jdoc_put_text(o, "what", slice_of(kind_name(line->kind)));
    jdoc_put_bool(o, "tls", line->tls);
    if (line->kind == TRACE_BEGIN) {
        trace_who(line, &lane, &source, &host);
        jdoc_put_text(o, "provider", lane);
        jdoc_put_text(o, "source", source);
        jdoc_put_text(o, "host", host);
        return o;
    }
    jdoc_put_text(o, "text", slice_make(line->text, line->len));
    if (line->left_out) jdoc_put_number(o, "bytes_left_out", line->left_out);
    return o;
}

static bool tell_left_out(struct telling *t, uint64_t n) {
    struct jdoc *o = jdoc_object();
    t->left_out += n;
    jdoc_put_bool(o, "more", true);
    jdoc_put_text(o, "what", SLICE("left-out"));
    jdoc_put_number(o, "lines", (int64_t)n);
    return ctl_reply(t->asker->talk, o) == 0;
}

static bool has_left(const struct ctl_asker *asker) {
    struct pollfd p = {.fd = asker->talk->fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* False: enough. */
static bool tell_some(struct telling *t, struct trace_line *lines) {
    uint64_t left_out;
    bool over = trace_is_over(t->trace); /* asked first: what came before its end is here then */
    size_t n = trace_wait(t->trace, lines, AT_ONCE, over ? 0 : LOOK_MS, &left_out);
    for (size_t i = 0; i < n; i++) {
        if (ctl_reply(t->asker->talk, line_json(&lines[i]))) return false;
        if (++t->lines == t->most) return false;
    }
    if (left_out && !tell_left_out(t, left_out)) return false;
    return !(over && n == 0) && clock_mono() < t->until && !has_left(t->asker) &&
           !__atomic_load_n(t->asker->stop, __ATOMIC_RELAXED);
}

static int copy(char *to, size_t room, const struct jdoc *request, const char *key, struct err *err) {
    struct slice text = jdoc_text(request, key);
    if (text.len >= room) return err_set(err, ERR_INPUT, "trace: %s is too long", key);
    snprintf(to, room, "%.*s", SLICE_ARG(text));
    return 0;
}

static int read_filter(struct trace_filter *f, struct instance *in, const struct jdoc *request,
                       struct err *err) {
    struct slice campaign = jdoc_text(request, "campaign");
    struct campaign_status c;
    int64_t sessions = jdoc_number(request, "sessions", 1);
    *f = (struct trace_filter){.content = jdoc_bool(request, "content", false)};
    if (copy(f->lane, sizeof f->lane, request, "provider", err) ||
        copy(f->source, sizeof f->source, request, "source", err) ||
        copy(f->host, sizeof f->host, request, "host", err) || copy(f->to, sizeof f->to, request, "to", err))
        return -1;
    if (sessions < 0 || sessions > INT32_MAX)
        return err_set(err, ERR_INPUT, "trace: sessions is no number of them");
    f->sessions = (unsigned)sessions;
    if (!campaign.len) return 0;
    if (engine_campaign_find(in->engine, campaign, &c, err)) return -1;
    f->campaign = c.id;
    return 0;
}

static void say_part(struct buf *out, const char *what, const char *value) {
    if (value[0]) buf_printf(out, "%s%s %s", out->len ? ", " : "", what, value);
}

/* Addresses, and mails perhaps, are shown: who asked stands in the audit trail, */
static void note_trace(struct engine *e, const struct trace_filter *f, const char *by) {
    struct buf scope;
    struct err err;
    buf_init(&scope, 2048);
    say_part(&scope, "provider", f->lane);
    say_part(&scope, "source", f->source);
    say_part(&scope, "host", f->host);
    say_part(&scope, "to", f->to);
    if (f->content) buf_printf(&scope, "%swith the mails' content", scope.len ? ", " : "");
    struct note n = {.what = NOTE_HAND,
                     .at = clock_wall(),
                     .provider = slice_of(f->lane),
                     .source = slice_of(f->source),
                     .act = NOTE_TRACED,
                     .campaign = f->campaign,
                     .scope = buf_slice(&scope),
                     .by = slice_of(by)};
    if (engine_note(e, &n, &err)) log_say(LOG_LEVEL_ERROR, "trace", "error", err.text, NULL);
    buf_done(&scope);
}

/* and in the log. */
static void log_trace(const struct trace_filter *f, const char *by) {
    if (!log_on(LOG_LEVEL_INFO)) return;
    log_begin(LOG_LEVEL_INFO, "trace");
    log_text("by", by);
    log_text("provider", f->lane);
    log_text("source", f->source);
    log_text("host", f->host);
    log_text("to", f->to);
    log_number("campaign", f->campaign);
    log_text("content", f->content ? "shown" : "left out");
    log_end();
}

struct jdoc *ctl_trace(struct ctl_asker *asker, const struct jdoc *request) {
    struct engine *e = asker->instance->engine;
    struct trace_filter filter;
    struct err err;
    char by[OFFLINE_NAME_MAX + 1];
    int64_t seconds = jdoc_number(request, "seconds", 0), most = jdoc_number(request, "lines", 0);
    if (read_filter(&filter, asker->instance, request, &err)) return talk_refusal(&err);
    struct telling t = {.asker = asker,
                        .most = most > 0 ? (uint64_t)most : UINT64_MAX,
                        .until =
                            seconds > 0 && seconds < INT32_MAX ? clock_mono() + seconds * US_PER_SEC : NEVER};
    struct trace_line *lines = calloc(AT_ONCE, sizeof *lines);
    if (!lines) err_set(&err, ERR_SYSTEM, "out of memory");
    t.trace = lines ? trace_open(e, &filter, &err) : NULL;
    if (!t.trace) {
        free(lines);
        return talk_refusal(&err);
    }
    ctl_who(asker, by);
    note_trace(e, &filter, by);
    log_trace(&filter, by);
    while (tell_some(&t, lines))
        ;
    trace_close(e, t.trace);
    free(lines);
    struct jdoc *o = jdoc_object();
    jdoc_put_bool(o, "ok", true);
    jdoc_put_number(o, "lines", (int64_t)t.lines);
    jdoc_put_number(o, "left_out", (int64_t)t.left_out);
    return o;
}
