/* A session begins and ends: what is counted then, and what its end says of the site. */
#include "owner.h"

#include "log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define DOWN_FIRST  US_PER_SEC
#define DOWN_MOST   (20 * US_PER_SEC)
#define PATIENCE_US (120 * US_PER_SEC) /* so long those of a site where many wait stay where they are */

/* As the rules of replies know it: by its name in the configuration, else by its mail exchanger's. */
static unsigned provider_of(const struct engine *e, const struct site *site, const char *host) {
    unsigned named = classify_provider(e->options.rules, slice_of(site->lane->name));
    return named ? named : classify_provider(e->options.rules, slice_of(host));
}

bool session_open(struct engine *e, struct site *site, const struct learn_session *learn,
                  const struct session_target *targets, unsigned n) {
    mono_us now = loop_now(e->loop);
    struct session *s = calloc(1, sizeof *s);
    struct session_target *own = s ? malloc(n * sizeof *own) : NULL;
    if (!own) {
        free(s);
        return false;
    }
    memcpy(own, targets, n * sizeof *own);
    *s = (struct session){.worker = &e->workers[e->turn++ % e->options.workers],
                          .site = site,
                          .lane = site->lane->name,
                          .source = site->lane->source,
                          .provider = provider_of(e, site, targets[0].name),
                          .tls = site->lane->tls,
                          .bdat = site->lane->bdat,
                          .max_messages = learn->span,
                          .learn = *learn,
                          .each_us = site->lane->each_us,
                          .opened_at = now,
                          .target_count = n,
                          .targets = own,
                          .big = lane_is_big(site->lane),
                          .next = e->sessions};
    if (e->sessions) e->sessions->prev = s;
    e->sessions = s;
    e->session_count++;
    e->big_sessions += s->big;
    e->counters.sessions_opened++;
    site->sessions++;
    site->connecting++;
    source_opens(e, s->source, now);
    engine_tell(s->worker, MSG_OPEN, s);
    return true;
}

/* What a session has learned of its addresses on its way in, or before it gave up. */
void session_targets(struct site *site, const struct session *s, mono_us now) {
    if (s->missed && !site->marks) site->marks = calloc(1, sizeof(struct target_marks));
    if (!site->marks) return;
    for (unsigned i = 0; i < s->target_count; i++)
        if (s->missed & 1u << i) target_mark(site->marks, &s->targets[i].address, now);
    if (s->ready) target_unmark(site->marks, &s->targets[s->target].address);
}

static mono_us down_pause(const struct site *site) {
    mono_us pause = site->failures > 5 ? DOWN_MOST : DOWN_FIRST << (site->failures - 1);
    return pause < DOWN_MOST ? pause : DOWN_MOST;
}

/* Nothing works there: few recipients are deferred, with the reason in the ledger; many wait where they are.
 * So do many of one site in small domains, for a while: it may be an outage that is over soon. */
void site_failed(struct engine *e, struct site *site, const struct outcome *why) {
    mono_us now = loop_now(e->loop);
    if (site->failures == 0) site->failing_since = now;
    if (site->failures < UINT8_MAX) site->failures++;
    site->down_until = now + down_pause(site);
    bool patient = site->waiting > DEFER_INSTEAD && now - site->failing_since < PATIENCE_US;
    while (!patient && site->turn && site->turn->waiting <= DEFER_INSTEAD) {
        struct domain *d = site->turn;
        settle_domain(e, d, why);
        backlog_domain_check(&e->backlog, d);
    }
    if (site->turn) backlog_sleep(&e->backlog, site->lane, site->down_until);
}

/* Said of the source, and not of the site: its recipients wait where they are. */
static void proxy_fault(struct engine *e, struct session *s) {
    if (s->fault == FAULT_PROXY) {
        source_failed(e, s);
    } else {
        source_refused(e, s);
        mono_us pause = retry_pause(&e->options.retry, 1, s->site->key, 0);
        s->site->down_until = loop_now(e->loop) + (pause < DOWN_MOST ? pause : DOWN_MOST);
    }
}

static void note_failure(struct engine *e, struct session *s) {
    struct lane *lane = s->site->lane;
    snprintf(lane->last_error, sizeof lane->last_error, "%.200s: %.*s", s->host, s->end.text_len,
             s->end.text);
    e->counters.sessions_failed++;
    if (!log_on(LOG_LEVEL_INFO)) return;
    log_begin(LOG_LEVEL_INFO, "session-failed");
    log_text("provider", lane->name);
    log_text("host", s->host);
    log_number("code", s->end.code);
    log_slice("text", slice_make(s->end.text, s->end.text_len));
    log_end();
}

/* The worker has forgotten the session; windows that were on their way to it are still coming back. */
void schedule_ended(struct engine *e, struct session *s) {
    s->ended = true;
    s->blamed = learning_out(e, s);
    schedule_unlist(e, s);
    if (s->windows == 0) schedule_gone(e, s);
}

void schedule_settled(struct engine *e, struct session *s) {
    if (s->ended)
        schedule_gone(e, s);
    else if (s->idle)
        resting_in(e, s);
}

void schedule_gone(struct engine *e, struct session *s) {
    struct site *site = s->site;
    struct lane *lane = site->lane;
    assert(s->ended && s->windows == 0);
    if (s->prev)
        s->prev->next = s->next;
    else
        e->sessions = s->next;
    if (s->next) s->next->prev = s->prev;
    e->session_count--;
    e->big_sessions -= s->big;
    e->ending -= s->finishing;
    site->sessions--;
    if (!s->ready_seen) {
        site->connecting--;
        session_targets(site, s, loop_now(e->loop));
    }
    /* A server that ends a session which had nothing to do has done nothing wrong; but one that lets us in
     * and closes before it has had anything of what was granted has. */
    bool rightly = s->granted == 0 || (s->quiet && (s->worked || s->rested));
    bool failed = s->end.kind == EVENT_DEFERRED && !(s->ready_seen && rightly);
    if (failed) note_failure(e, s);
    if (s->proxy_works && s->fault != FAULT_PROXY) source_works(e, s);
    if (failed && s->fault) {
        proxy_fault(e, s);
    } else if (s->worked || s->rested || (s->ready_seen && !failed)) {
        site->failures = 0;
    } else if (failed && !e->draining) {
        /* Else it was one too many of the lane's, which is no fault of the site. */
        if (site->sessions == 0 && s->blamed != LEARN_CONNECTIONS && s->blamed != LEARN_NEW_CONNECTIONS)
            site_failed(e, site, &s->end);
    }
    if (lane->waiting) backlog_run(&e->backlog, lane); /* another site of it may want the place */
    if (!site->waiting) backlog_site_check(&e->backlog, site);
    engine_tell(s->worker, MSG_FORGET, s);
}
