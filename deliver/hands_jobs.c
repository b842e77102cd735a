/* Work on many recipients that people have ordered, done a few milliseconds a turn: what a cancellation names
 * is settled, chunk by chunk and then in the retry table; what is to be flushed is woken out of the retry
 * table.
 *
 * A cancellation stands as an order while this goes on, so nothing that it names is begun, and what comes
 * back from sessions is cancelled as it comes. It is over after a pass that met nobody of it on the wire or
 * just taken from the retry table, and no domain whose provider is still to be found, where it asks for one;
 * else there is another pass. After a
 * restart the first pass begins anew: who is settled already is not met again. A flush is forgotten with the
 * process.
 *
 * The same pass without doing anything counts whom a cancellation would find, for who asks before. */
#include "owner.h"

#include "log.h"
#include "note.h"

#include <stdlib.h>

enum {
    ROWS_AT_ONCE = 512,
    ROWS_JUDGED = 16 /* each may be of a chunk that must be read from the disk */
};
#define BUDGET_US   (4 * US_PER_MS)
#define FIRST_PAUSE (1 * US_PER_SEC)
#define MOST_PAUSE  (60 * US_PER_SEC)

enum job_kind { JOB_CANCEL, JOB_FLUSH, JOB_COUNT };

struct job {
    struct job *next;
    struct engine *engine;
    enum job_kind kind;
    uint64_t order;    /* JOB_CANCEL: its number; else 0 */
    struct orders own; /* all others hold theirs themselves */
    uint64_t after;    /* the retry table shows all when this batch is durable */
    uint32_t campaign; /* the pass has come to this one, from above; 0: all chunks are done */
    uint32_t chunk;    /* and in it to this one */
    struct ledger_place place;
    bool again; /* this pass was not the last */
    unsigned passes;
    mono_us not_before;
    uint64_t done;
    uint64_t untold;       /* JOB_COUNT: of whom it cannot be said now; done: those who are named */
    uint64_t finished;     /* were on the wire when it was ordered, and came to their end there */
    uint64_t domain_chunk; /* whose domain that is */
    uint64_t loaded;       /* the chunk whose table was loaded for this; 0: none */
    struct slice seen;     /* in that chunk: the domain that was judged last, */
    int seen_fit;          /* and how */
    struct buf domain, scratch;
    struct err err;
};

static const struct order *order_of(const struct job *job) {
    return job->order ? orders_find(&job->engine->hands.orders, job->order) : job->own.at[0];
}

static void begin_pass(struct job *job) {
    const struct campaign *newest = ledger_campaigns(job->engine->ledger);
    job->campaign = job->kind != JOB_FLUSH && newest ? newest->row.id : 0;
    job->chunk = 0;
    job->place = (struct ledger_place){0, 0};
    job->again = false;
    job->after = ledger_building(job->engine->ledger);
    if (!ledger_has_changes(job->engine->ledger)) job->after--;
}

static struct job *job_new(struct engine *e, enum job_kind kind) {
    struct job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    job->engine = e;
    job->kind = kind;
    buf_init(&job->domain, 1024);
    buf_init(&job->scratch, 64 * 1024);
    return job;
}

static void list_in(struct job *job) {
    job->next = job->engine->hands.jobs;
    job->engine->hands.jobs = job;
}

static void job_free(struct job *job) {
    if (job->kind == JOB_FLUSH) job->engine->hands.identities -= job->own.identities;
    orders_done(&job->own);
    buf_done(&job->domain);
    buf_done(&job->scratch);
    free(job);
}

void jobs_cancel(struct engine *e, const struct order *o) {
    struct job *job = job_new(e, JOB_CANCEL);
    if (!job) abort(); /* no memory: a restart finds the order */
    job->order = o->number;
    list_in(job);
    begin_pass(job);
}

void jobs_done(struct engine *e) {
    for (struct job *job = e->hands.jobs, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    e->hands.jobs = NULL;
}

static struct job *job_of(const struct engine *e, uint64_t order) {
    struct job *job = e->hands.jobs;
    while (job && job->order != order)
        job = job->next;
    return job;
}

void jobs_progress(const struct engine *e, uint64_t order, uint64_t *done, uint64_t *finished) {
    const struct job *job = job_of(e, order);
    *done = job ? job->done : 0;
    *finished = job ? job->finished : 0;
}

void jobs_settled(struct engine *e, uint64_t order, bool cancelled) {
    struct job *job = job_of(e, order);
    if (job) *(cancelled ? &job->done : &job->finished) += 1;
}

/* Their new rows may lie where a pass has been already. */
void jobs_put_off(struct engine *e) {
    for (struct job *job = e->hands.jobs; job; job = job->next)
        if (job->order && order_of(job) && order_of(job)->of.provider.len) job->again = true;
}

/* ---- what fits ---- */

static bool concerns(struct job *job, struct campaign *c) {
    const struct order *o = order_of(job);
    if (c->row.ended || c->row.state == CAMPAIGN_LOADING || c->row.state == CAMPAIGN_CANCELLED || c->sweeping)
        return false;
    struct subject s = hands_subject(job->engine, c, (struct slice){0}, 0, (struct slice){0});
    struct order whole = *o; /* what it says of campaigns */
    whole.of.domain = whole.of.provider = whole.of.source = (struct slice){0};
    return order_fits(&whole, &s) == FIT_YES;
}

static enum selector_fit fit_of(struct job *job, struct campaign *c, struct slice domain) {
    const struct order *o = order_of(job);
    struct engine *e = job->engine;
    struct subject s = hands_subject(e, c, domain, resolve_source(e, domain), (struct slice){0});
    enum selector_fit fit = order_fits(o, &s);
    struct domain *d = o->of.source.len || (o->of.provider.len && fit == FIT_MAYBE)
                           ? hands_domain(e, domain, c) /* from where, by the orders */
                           : NULL;
    if (!d) return fit;
    s.source = slice_of(e->options.sources[d->source].name);
    s.provider = resolve_lane(e, domain, d->source, &job->scratch);
    fit = order_fits(o, &s);
    backlog_domain_check(&e->backlog, d);
    return fit;
}

/* The one domain of the chunk's recipients; empty: of many. The chunk is held. */
static bool load_domain(struct job *job, struct chunk *chunk) {
    if (job->domain_chunk == chunk->id) return true;
    buf_reset(&job->domain);
    job->domain_chunk = 0;
    job->seen = (struct slice){0};
    if (ledger_chunk_domain(job->engine->ledger, chunk, &job->domain, &job->err)) return false;
    job->domain_chunk = chunk->id;
    return true;
}

/* Neighbours mostly have the same domain. */
static int fit_again(struct job *job, struct campaign *c, struct slice domain) {
    if (job->seen.at && slice_eq(job->seen, domain)) return job->seen_fit;
    job->seen_fit = (int)fit_of(job, c, domain);
    job->seen = domain;
    return job->seen_fit;
}

/* -1: it cannot be told now. */
static bool load_table(struct job *job, struct chunk *chunk) {
    bool was_loaded = feed_is_loaded(chunk);
    if (!feed_load(job->engine, chunk)) return false;
    if (!was_loaded) job->loaded = chunk->id;
    return true;
}

/* Goes on to another chunk. What was loaded only to be looked into does not stay: there may be thousands. */
static void leave(void *ctx, struct chunk *chunk) {
    struct job *job = ctx;
    if (job->loaded == chunk->id) feed_put_away(job->engine, chunk);
    job->loaded = job->domain_chunk = 0;
}

static int fit_of_slot(struct job *job, struct chunk *chunk, unsigned slot) {
    if (!load_domain(job, chunk)) return -1;
    struct slice domain = buf_slice(&job->domain);
    if (domain.len) return fit_again(job, chunk->campaign, domain);
    if (selector_is_whole(&order_of(job)->of)) return FIT_YES;
    if (!load_table(job, chunk)) return -1;
    return fit_again(job, chunk->campaign, hands_domain_of(chunk_table_address(feed_table(chunk), slot)));
}

/* ---- cancelling ---- */

static void cancel_in(struct job *job, struct chunk *chunk) {
    struct engine *e = job->engine;
    struct event ev = {.kind = EVENT_CANCELLED, .at = clock_wall(), .chunk = chunk->id};
    job->domain_chunk = 0; /* what was seen of its table may be gone */
    ledger_hold(chunk);
    for (unsigned slot = 0; slot < chunk->count; slot++) {
        if (chunk->states[slot] > SLOT_LEASED) continue;
        int fit = fit_of_slot(job, chunk, slot);
        if (fit == FIT_YES && chunk->states[slot] == SLOT_PENDING)
            slots_add(&ev.slots, slot);
        else if (fit != FIT_NOT)
            job->again = true; /* on the wire, or not known yet */
    }
    job->done += slots_count(&ev.slots);
    if (slots_count(&ev.slots)) ledger_settle(e->ledger, chunk, &ev);
    leave(job, chunk);
    feed_let_go(e, chunk);
}

static void count_one(struct job *job, int fit) {
    if (fit == FIT_YES)
        job->done++;
    else if (fit != FIT_NOT)
        job->untold++;
}

static void count_in(struct job *job, struct chunk *chunk) {
    job->domain_chunk = 0;
    ledger_hold(chunk);
    for (unsigned slot = 0; slot < chunk->count; slot++)
        if (chunk->states[slot] == SLOT_PENDING) count_one(job, fit_of_slot(job, chunk, slot));
    leave(job, chunk);
    feed_let_go(job->engine, chunk);
}

/* Nothing new is settled while commits are late. */
static bool is_late(const struct job *job) {
    return job->kind != JOB_COUNT && commit_late(job->engine);
}

/* True: all chunks were looked at. */
static bool go_through_chunks(struct job *job, mono_us until) {
    struct engine *e = job->engine;
    for (; job->campaign; job->campaign--, job->chunk = 0) {
        struct campaign *c = ledger_campaign(e->ledger, job->campaign);
        if (!c || !concerns(job, c)) continue;
        for (; job->chunk < c->row.chunks; job->chunk++) {
            if (clock_mono() >= until || is_late(job)) return false;
            struct chunk *chunk = c->chunks[job->chunk];
            if (!chunk || !(chunk->pending || chunk->leased)) continue;
            if (job->kind == JOB_COUNT)
                count_in(job, chunk);
            else
                cancel_in(job, chunk);
        }
    }
    return true;
}

/* ---- the retry table ---- */

static bool concerns_campaign(void *ctx, struct campaign *c) {
    return concerns(ctx, c);
}

static enum ledger_verdict judge(void *ctx, struct chunk *chunk, unsigned slot) {
    struct job *job = ctx;
    int fit = fit_of_slot(job, chunk, slot);
    if (job->kind == JOB_COUNT) {
        count_one(job, fit);
        return LEDGER_LEAVE;
    }
    if (fit == FIT_YES) {
        job->done++;
        return job->order ? LEDGER_CANCEL : LEDGER_WAKE;
    }
    if (fit != FIT_NOT) job->again = true;
    return LEDGER_LEAVE;
}

/* It is on its way into the backlog, or came from there this moment: the next pass sees what became of it. */
static void at_work(void *ctx, struct chunk *chunk, unsigned slot) {
    struct job *job = ctx;
    if (!job->again && fit_of_slot(job, chunk, slot) != FIT_NOT) job->again = true;
}

static void woken(void *ctx, struct chunk *chunk, const struct slots *slots) {
    feed_due(((struct job *)ctx)->engine, chunk, slots);
}

/* Room for so many more at work? A cancelled one takes none. */
static unsigned room(const struct job *job) {
    struct ledger_counters counters;
    ledger_counters(job->engine->ledger, &counters);
    if (job->kind != JOB_FLUSH) return ROWS_JUDGED;
    if (counters.retries_at_work >= RETRIES_AT_WORK_MAX) return 0;
    unsigned left = RETRIES_AT_WORK_MAX - (unsigned)counters.retries_at_work;
    return left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
}

/* 1: there is more; 0: that was all; -1: nothing can be done now. */
static int go_through_retries(struct job *job, mono_us until) {
    struct engine *e = job->engine;
    const struct ledger_judge how = {
        .campaign = concerns_campaign,
        .slot = judge,
        .at_work = job->order ? at_work : NULL, /* what a flush wants of it has come about */
        .woken = woken,
        .leave = job->kind == JOB_FLUSH ? NULL : leave, /* who is woken is written to from there */
        .ctx = job};
    if (ledger_durable(e->ledger) < job->after) {
        e->hurry = true;
        return -1;
    }
    while (clock_mono() < until) {
        unsigned most = room(job);
        if (!most || is_late(job)) return -1;
        job->domain_chunk = 0;
        struct ledger_place was = job->place;
        int more = ledger_retries(e->ledger, &job->place, most, &how, clock_wall(), &job->err);
        if (more < 0) {
            log_say(LOG_LEVEL_ERROR, "hands", "error", job->err.text, NULL);
            job->again = true;
            job->untold++; /* so it is not exact */
            if (was.due == job->place.due && was.rid == job->place.rid) {
                job->not_before = loop_now(e->loop) + FIRST_PAUSE;
                return -1;
            }
        }
        if (more == 0) return 0;
    }
    return 1;
}

/* ---- turns ---- */

/* A cancellation's end stands in the audit trail as its beginning does. */
static void note_done(const struct job *job) {
    const struct order *o = order_of(job);
    struct buf scope, words;
    buf_init(&scope, 4096);
    buf_init(&words, 128);
    selector_say(&o->of, &scope);
    if (job->finished)
        buf_printf(&words, "%llu were on the wire, and came to their end there",
                   (unsigned long long)job->finished);
    struct note n = {.what = NOTE_HAND,
                     .at = clock_wall(),
                     .provider = o->of.provider,
                     .source = o->of.source,
                     .words = buf_slice(&words),
                     .act = NOTE_CANCEL_DONE,
                     .campaign = o->of.campaign,
                     .scope = buf_slice(&scope),
                     .by = o->by,
                     .touched = job->done};
    ledger_remark(job->engine->ledger, &n);
    buf_done(&scope);
    buf_done(&words);
}

static void say_done(const struct job *job) {
    if (job->order) note_done(job);
    log_begin(LOG_LEVEL_INFO, job->order ? "cancel-done" : "flush-done");
    if (job->order) log_number("order", (int64_t)job->order);
    log_number("recipients", (int64_t)job->done);
    if (job->order) log_number("on-the-wire", (int64_t)job->finished);
    log_end();
}

/* A pass is over. True: the job is, too. */
static bool end_pass(struct job *job, mono_us now) {
    if (!job->order || !job->again) {
        say_done(job);
        return true;
    }
    unsigned doublings = job->passes < 6 ? job->passes++ : 6;
    mono_us pause = FIRST_PAUSE << doublings;
    job->not_before = now + (pause < MOST_PAUSE ? pause : MOST_PAUSE);
    begin_pass(job);
    return false;
}

/* True: it is done. */
static bool step(struct job *job, mono_us now) {
    mono_us until = clock_mono() + BUDGET_US;
    if (!order_of(job)) return true; /* its campaign is at its end */
    if (now < job->not_before) return false;
    int more = go_through_chunks(job, until) ? go_through_retries(job, until) : 1;
    if (more > 0) loop_wake_send(job->engine->wake);
    return more == 0 && end_pass(job, now);
}

void jobs_turn(struct engine *e) {
    mono_us now = loop_now(e->loop);
    for (struct job **at = &e->hands.jobs; *at;) {
        struct job *job = *at;
        if (!step(job, now)) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        if (job->order && orders_find(&e->hands.orders, job->order)) hands_drop(e, job->order);
        job_free(job);
    }
}

/* ---- flushing ---- */

static void flush_queue(void *ctx, struct queue *q) {
    struct job *job = ctx;
    struct domain *d = backlog_queue_domain(q);
    struct campaign *c = q->first->chunk->campaign;
    struct slice lane = d->site ? slice_of(d->site->lane->name) : (struct slice){0};
    struct subject s = hands_subject(job->engine, c, slice_make(d->name, d->name_len), d->source, lane);
    enum selector_fit fit = order_fits(order_of(job), &s);
    if (d->state == DOMAIN_WAITING && fit != FIT_NOT) d->again = 0;
    if (!d->site || fit != FIT_YES) return;
    d->site->down_until = 0;
    learn_knock(&d->site->lane->learn, loop_now(job->engine->loop));
    backlog_run(&job->engine->backlog, d->site->lane);
}

/* With an order of its own about that mail. NULL without memory. */
static struct job *job_about(struct engine *e, enum job_kind kind, const struct selector *of) {
    struct job *job = job_new(e, kind);
    struct order o = {.kind = ORDER_SUSPEND, .of = *of};
    if (job && !orders_add(&job->own, &o)) {
        job_free(job);
        job = NULL;
    }
    if (!job) return NULL;
    if (kind == JOB_FLUSH) e->hands.identities += job->own.identities;
    begin_pass(job);
    return job;
}

int jobs_flush(struct engine *e, const struct selector *of, struct err *err) {
    struct job *job = job_about(e, JOB_FLUSH, of);
    size_t bucket = 0;
    if (!job) return err_set(err, ERR_SYSTEM, "out of memory");
    list_in(job);
    backlog_each(&e->backlog, &bucket, SIZE_MAX, flush_queue, job);
    return 0;
}

/* ---- counting ---- */

struct job *jobs_count(struct engine *e, const struct selector *of) {
    return job_about(e, JOB_COUNT, of);
}

bool jobs_count_some(struct job *job, uint64_t *found, uint64_t *untold) {
    mono_us until = clock_mono() + BUDGET_US;
    job->engine->hands.identities += job->own.identities;
    int more = go_through_chunks(job, until) ? go_through_retries(job, until) : 1;
    job->engine->hands.identities -= job->own.identities;
    *found = job->done;
    *untold = job->untold;
    return more != 0;
}

void jobs_count_end(struct job *job) {
    if (job) job_free(job);
}
