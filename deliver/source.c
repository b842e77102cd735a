/* Sources whose connections go through a proxy. When the proxy does not work, that is nobody's fault but the
 * source's: its lanes sleep, no site counts as down, no recipient is deferred. After a pause that grows one
 * session tries it again, whichever lane comes first; when that one gets through, all go on. */
#include "owner.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>

enum { DOUBLINGS_MAX = 6 };
#define FIRST_PAUSE (1 * US_PER_SEC)
#define MOST_PAUSE  (60 * US_PER_SEC)

int source_init(struct engine *e, struct err *err) {
    e->sources = calloc(e->options.source_count, sizeof *e->sources);
    return e->sources ? 0 : err_set(err, ERR_SYSTEM, "out of memory");
}

void source_done(struct engine *e) {
    free(e->sources);
}

bool source_is_down(const struct engine *e, unsigned source, mono_us now) {
    return e->sources[source].down_until > now;
}

bool source_all_down(const struct engine *e, mono_us now) {
    for (unsigned i = 0; i < e->options.source_count; i++)
        if (!source_is_down(e, i, now)) return false;
    return true;
}

static void wait_longer(struct source *source, mono_us now) {
    unsigned doublings = source->failures < DOUBLINGS_MAX ? source->failures : DOUBLINGS_MAX;
    mono_us wait = FIRST_PAUSE << (doublings ? doublings - 1 : 0);
    source->down_until = now + (wait < MOST_PAUSE ? wait : MOST_PAUSE);
}

/* While it is not known to work again, one session at a time. */
void source_opens(struct engine *e, unsigned source, mono_us now) {
    if (e->sources[source].failures) wait_longer(&e->sources[source], now);
}

static void say(const struct engine *e, unsigned source, enum log_level level, const char *event,
                const char *text) {
    char proxy[NET_ADDR_TEXT_MAX];
    if (!log_on(level)) return;
    net_addr_format_port(&e->options.sources[source].proxy.address, proxy);
    log_begin(level, event);
    log_text("source", e->options.sources[source].name);
    log_text("proxy", proxy);
    if (*text) log_text("text", text);
    log_end();
}

void source_failed(struct engine *e, const struct session *s) {
    struct source *source = &e->sources[s->source];
    mono_us now = loop_now(e->loop);
    source->failed++;
    if (source->failures && s->opened_at < source->failed_at) return; /* the same event, seen by several */
    source->failures++;
    source->failed_at = now;
    wait_longer(source, now);
    snprintf(source->last_error, sizeof source->last_error, "%.*s", s->end.text_len, s->end.text);
    say(e, s->source, LOG_LEVEL_WARN, "proxy-failed", source->last_error);
}

/* Only for this receiver: the source goes on. */
void source_refused(struct engine *e, const struct session *s) {
    e->sources[s->source].failed++;
    if (!log_on(LOG_LEVEL_WARN)) return;
    log_begin(LOG_LEVEL_WARN, "proxy-refused");
    log_text("source", e->options.sources[s->source].name);
    log_text("host", s->host);
    log_slice("text", slice_make(s->end.text, s->end.text_len));
    log_end();
}

void source_works(struct engine *e, const struct session *s) {
    unsigned source = s->source;
    if (e->sources[source].failures == 0 || s->opened_at < e->sources[source].failed_at) return;
    e->sources[source].failures = 0;
    e->sources[source].down_until = 0;
    say(e, source, LOG_LEVEL_INFO, "proxy-works", "");
    for (struct lane *lane = e->backlog.lanes; lane; lane = lane->next)
        if (lane->source == source) backlog_run(&e->backlog, lane);
}
