/* Outcomes into the ledger: what the worker says of one recipient becomes an event, a log line, and, where it
 * is to be tried again, a place in time. */
#include "owner.h"

#include "classify.h"
#include "log.h"

#include <assert.h>
#include <stdlib.h>

static void fill_event(struct event *ev, const struct outcome *o) {
    ev->kind = o->kind;
    ev->stage = o->stage;
    ev->class = o->class;
    ev->code = o->code;
    memcpy(ev->enhanced, o->enhanced, sizeof ev->enhanced);
    ev->text = slice_make(o->text, o->text_len);
}

static void log_outcome(const struct event *ev, struct slice to) {
    log_begin(LOG_LEVEL_INFO, event_name(ev->kind));
    log_number("campaign", chunk_campaign(ev->chunk));
    log_slice("to", to);
    log_slice("provider", ev->provider);
    log_slice("host", ev->host);
    log_number("attempt", ev->attempt);
    log_number("code", ev->code);
    log_text("stage", smtp_stage_name(ev->stage));
    if (ev->class) log_text("class", classify_name(ev->class));
    log_slice("text", ev->text);
    log_end();
}

static void count(struct engine *e, struct lane *lane, const struct event *ev) {
    switch (ev->kind) {
    case EVENT_DELIVERED:
        e->counters.delivered++, lane->delivered++;
        e->counters.tail_delivered += lane->tail;
        break;
    case EVENT_FAILED:
        e->counters.failed++, lane->failed++;
        e->counters.tail_failed += lane->tail;
        break;
    case EVENT_DEFERRED:
        e->counters.deferred++, lane->deferred++;
        e->counters.tail_deferred += lane->tail;
        break;
    case EVENT_UNCERTAIN: e->counters.uncertain++; break;
    case EVENT_RETURNED: e->counters.returned++; break;
    default: break;
    }
}

/* What is deferred in the same second gets the same jitter: so its rows lie together in the retry table, and
 * a commit writes a page or two for them (with a jitter for each recipient it was a page for each). */
static uint64_t jitter_seed(wall_us now) {
    return (uint64_t)(now / US_PER_SEC);
}

static struct retry_options retry_of(const struct engine *e, const struct chunk *chunk) {
    bool urgent = chunk->campaign->row.course.priority == PRIORITY_TRANSACTIONAL;
    return urgent ? retry_soon(&e->options.retry) : e->options.retry;
}

/* When a recipient is tried again. Greylisting names its pause mostly, forgets who comes much later, and
 * wants the same source: a domain's source is fixed. */
static wall_us due_at(const struct engine *e, const struct chunk *chunk, const struct window_item *item,
                      wall_us now) {
    int64_t least = (int64_t)item->outcome.wait_s * US_PER_SEC;
    struct retry_options options = retry_of(e, chunk);
    if (item->outcome.class == CLASSIFY_GREYLISTED && least > 0)
        return now + retry_as_named(&options, item->attempt, jitter_seed(now), least);
    return now + retry_pause(&options, item->attempt, jitter_seed(now), least);
}

/* That many more of its items are settled; with the last of them the window goes. */
static void release(struct engine *e, struct window *w, unsigned items) {
    struct chunk *chunk = w->chunk;
    struct session *s = w->session;
    w->settled += items;
    if (w->settled < w->count) return;
    learning_done(e, w);
    struct window **at = &s->held;
    while (*at != w)
        at = &(*at)->next_held;
    *at = w->next_held;
    free(w);
    feed_let_go(e, chunk);
    if (--s->windows == 0) schedule_settled(e, s);
}

/* What comes back is added to `back`. */
static void settle(struct engine *e, struct window *w, unsigned index, struct slots *back) {
    struct window_item *item = &w->items[index];
    struct lane *lane = w->session->site->lane;
    struct slice to = chunk_table_address(w->table, item->slot);
    wall_us now = time_now(e);
    struct event ev = {.at = clock_wall(),
                       .chunk = w->chunk_id,
                       .slots = slots_one(item->slot),
                       .attempt = item->attempt,
                       .provider = slice_of(lane->name),
                       .host = slice_of(w->session->host)};
    fill_event(&ev, &item->outcome);
    if (event_is_unmade(ev.kind, ev.class, ev.code)) ev.host = (struct slice){0};
    if (ev.kind == EVENT_DEFERRED || ev.kind == EVENT_UNCERTAIN) ev.due = due_at(e, w->chunk, item, now);
    if (ev.kind == EVENT_RETURNED) ev.at = now; /* is its campaign past its end? */
    if (ev.kind == EVENT_RETURNED) ev.attempt = 0, ev.provider = ev.host = ev.text = (struct slice){0};
    hands_settling(e, w, to, &ev);
    ledger_settle(e->ledger, w->chunk, &ev);
    suppress_learn(e, w, item, &ev, to);
    count(e, lane, &ev);
    if (ev.kind == EVENT_RETURNED) {
        slots_add(back, item->slot);
    } else if (e->options.log_outcomes && log_on(LOG_LEVEL_INFO)) {
        log_outcome(&ev, to);
    }
}

static void give_back(struct engine *e, struct window *w, const struct slots *back) {
    if (slots_count(back) && !e->draining) feed_return(e, w->chunk, back);
}

void settle_item(struct engine *e, struct window *w, unsigned index) {
    struct slots back = {{0}};
    learning_item(e, w, &w->items[index]);
    settle(e, w, index, &back);
    give_back(e, w, &back);
    release(e, w, 1);
}

void settle_window(struct engine *e, struct window *w) {
    struct slots back = {{0}};
    if (w->content->shared) /* which may go with the last outcome of its campaign */
        learning_shared(e, w);
    else
        for (unsigned i = 0; i < w->count; i++)
            learning_item(e, w, &w->items[i]);
    for (unsigned i = 0; i < w->count; i++)
        settle(e, w, i, &back);
    give_back(e, w, &back); /* together: so they go together again */
    release(e, w, w->count);
}

void settle_unsent(struct engine *e, struct window *w) {
    for (unsigned i = 0; i < w->count; i++)
        outcome_local(&w->items[i].outcome, EVENT_RETURNED, SMTP_STAGE_NONE, 0, SLICE("not begun"));
    settle_window(e, w);
}

struct settling {
    struct engine *engine;
    const struct outcome *outcome;
    struct slice provider;
};

static void count_waiting(struct engine *e, const struct outcome *o, unsigned n) {
    if (o->kind == EVENT_DEFERRED)
        e->counters.deferred += n;
    else
        e->counters.failed += n;
}

/* Recipients that were never leased: one event for all of a chunk, and each its own pause. */
static void settle_waiting(void *ctx, struct chunk *chunk, const struct slots *slots) {
    struct settling *settling = ctx;
    struct engine *e = settling->engine;
    wall_us now = time_now(e);
    struct event ev = {.at = clock_wall(), .chunk = chunk->id, .attempt = 1, .provider = settling->provider};
    struct slots rest = *slots;
    struct retry_options retry = retry_of(e, chunk);
    fill_event(&ev, settling->outcome);
    if (ledger_suppress_any(e->ledger) && feed_load(e, chunk)) suppress_screen(e, chunk, &rest);
    for (int i = slots_next(&rest, 0); i >= 0; i = slots_next(&rest, (unsigned)i + 1)) {
        if (chunk->states[i] != SLOT_PENDING) continue;
        struct retry_row row = ledger_attempts(e->ledger, chunk_rid(chunk->id, (unsigned)i));
        if (row.attempts == 0) {
            slots_add(&ev.slots, (unsigned)i);
            continue;
        }
        struct event again = ev;
        again.slots = slots_one((unsigned)i);
        again.attempt = (uint16_t)(row.attempts + 1);
        if (ev.kind == EVENT_DEFERRED)
            again.due = now + retry_pause(&retry, again.attempt, jitter_seed(now), 0);
        ledger_settle(e->ledger, chunk, &again);
        count_waiting(e, settling->outcome, 1);
    }
    if (slots_count(&ev.slots)) {
        count_waiting(e, settling->outcome, slots_count(&ev.slots));
        if (ev.kind == EVENT_DEFERRED) ev.due = now + retry_pause(&retry, 1, jitter_seed(now), 0);
        ledger_settle(e->ledger, chunk, &ev);
    }
    feed_let_go(e, chunk);
}

void settle_domain(struct engine *e, struct domain *d, const struct outcome *o) {
    struct settling settling = {e, o,
                                d->site ? slice_of(d->site->lane->name) : slice_make(d->name, d->name_len)};
    if (e->options.log_outcomes && log_on(LOG_LEVEL_INFO)) {
        log_begin(LOG_LEVEL_INFO, event_name(o->kind));
        log_slice("domain", slice_make(d->name, d->name_len));
        log_number("recipients", d->waiting);
        log_text("class", classify_name(o->class));
        log_slice("text", slice_make(o->text, o->text_len));
        log_end();
    }
    if (!d->site && o->kind == EVENT_DEFERRED) jobs_put_off(e);
    backlog_drain(&e->backlog, d, settle_waiting, &settling);
}
