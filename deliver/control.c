/* What other threads ask of the engine: each question is a call that travels to the owner thread, is answered
 * there, and, where it changed something, comes back when the change is durable. */
#include "owner.h"

#include "content.h"
#include "log.h"
#include "note.h"
#include "segment.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct call {
    int (*run)(struct engine *e, struct call *call); /* on the owner thread */
    void *in, *out;
    uint32_t id;
    bool flag;
    size_t count;
    struct err err;
    int result;
    bool durable;   /* answered only when what it changed is */
    uint64_t batch; /* that batch */
    struct call *next;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool answered;
};

static void answer(struct call *call) {
    pthread_mutex_lock(&call->lock);
    call->answered = true;
    pthread_cond_signal(&call->done);
    pthread_mutex_unlock(&call->lock);
}

void control_call(struct engine *e, struct call *call) {
    if (e->final)
        call->result = err_set(&call->err, ERR_BUSY, "the engine is ending");
    else
        call->result = call->run(e, call);
    if (call->result < 0 || !call->durable || !ledger_has_changes(e->ledger)) {
        answer(call);
        return;
    }
    call->batch = ledger_building(e->ledger);
    call->next = e->calls;
    e->calls = call;
    e->hurry = true;
}

static void answer_some(struct engine *e, bool all) {
    uint64_t durable = ledger_durable(e->ledger);
    for (struct call **at = &e->calls; *at;) {
        struct call *call = *at;
        if (!all && call->batch > durable) {
            at = &call->next;
            continue;
        }
        *at = call->next;
        if (call->batch > durable)
            call->result = err_set(&call->err, ERR_SYSTEM, "the engine ended before this was durable");
        answer(call); /* it is gone now */
    }
}

void control_durable(struct engine *e) {
    answer_some(e, false);
}

void control_abort(struct engine *e) {
    answer_some(e, true);
}

/* On the asking thread. */
static int ask(struct engine *e, struct call *call, struct err *err) {
    struct msg msg = {.kind = MSG_CALL, .at = call};
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->done, NULL);
    if (mailbox_put(&e->in, &msg)) {
        pthread_mutex_lock(&call->lock);
        while (!call->answered)
            pthread_cond_wait(&call->done, &call->lock);
        pthread_mutex_unlock(&call->lock);
    } else {
        call->result = err_set(&call->err, ERR_BUSY, "the engine is busy");
    }
    pthread_mutex_destroy(&call->lock);
    pthread_cond_destroy(&call->done);
    if (call->result < 0 && err) *err = call->err;
    return call->result;
}

struct errand {
    int (*run)(struct engine *e, void *ctx, struct err *err);
    void *ctx;
};

static int run_errand(struct engine *e, struct call *call) {
    const struct errand *errand = call->in;
    return errand->run(e, errand->ctx, &call->err);
}

int control_ask(struct engine *e, int (*run)(struct engine *e, void *ctx, struct err *err), void *ctx,
                bool durable, struct err *err) {
    struct errand errand = {run, ctx};
    struct call call = {.run = run_errand, .in = &errand, .durable = durable};
    return ask(e, &call, err);
}

/* ---- campaigns ---- */

struct begin {
    struct campaign_row *row;
    struct slice stored; /* payload row */
};

static int run_begin(struct engine *e, struct call *call) {
    struct begin *begin = call->in;
    if (begin->row->expires < NEVER - STEADY_MOST)
        begin->row->expires += time_now(e) - clock_wall(); /* by the clock that it is compared with */
    struct campaign *c = ledger_begin(e->ledger, begin->row, clock_wall(), &call->err);
    if (!c) return -1;
    ledger_payload_put(e->ledger, c->row.payload, begin->stored);
    struct slice name = begin->row->name, columns = begin->row->columns;
    *begin->row = c->row;
    begin->row->name = name, begin->row->columns = columns; /* the caller's own */
    return 0;
}

/* Small content lies in the ledger, large in a segment that the ledger names. */
enum { INLINE_MAX = 64 * 1024 };

int engine_campaign_begin(struct engine *e, struct campaign_row *row, struct slice payload, struct err *err) {
    struct segment_writer *writer = NULL;
    struct segment_ref ref;
    struct buf stored;
    buf_init(&stored, INLINE_MAX + 64);
    int failed = 0;
    if (payload.len <= INLINE_MAX) {
        buf_put_u8(&stored, 0);
        buf_put_slice(&stored, payload);
    } else {
        writer = segment_writer_open(e->store, err);
        failed = !writer || segment_append(writer, payload, &ref, err) || segment_sync(writer, err);
        buf_put_u8(&stored, 1);
        if (!failed) segment_ref_put(&stored, ref);
    }
    if (!failed && stored.failed) failed = err_set(err, ERR_SYSTEM, "out of memory");
    struct begin begin = {row, buf_slice(&stored)};
    struct call call = {.run = run_begin, .in = &begin, .durable = true};
    if (!failed) failed = ask(e, &call, err);
    segment_writer_free(writer); /* the record has its name now */
    buf_done(&stored);
    return failed ? -1 : 0;
}

static struct campaign *find(struct engine *e, struct call *call) {
    struct campaign *c = ledger_campaign(e->ledger, call->id);
    if (!c) err_set(&call->err, ERR_ABSENT, "there is no campaign number %u", call->id);
    return c;
}

static void flush(void *ctx) {
    commit_now(ctx, false);
}

static int run_ready(struct engine *e, struct call *call) {
    struct campaign *c = find(e, call);
    if (!c) return -1;
    if (c->row.state != CAMPAIGN_LOADING)
        return err_set(&call->err, ERR_INPUT, "campaign %u is not loading", call->id);
    if (ledger_ready(e->ledger, c, (uint32_t)call->count, call->in, call->flag, clock_wall(), flush, e,
                     &call->err))
        return -1;
    control_look(e, c);
    return call->flag ? 0 : ledger_each_chunk(e->ledger, c, feed_chunk, e, &call->err);
}

int engine_campaign_ready(struct engine *e, uint32_t id, uint32_t chunks, const struct tally *tally,
                          bool held, struct err *err) {
    struct tally copy = *tally;
    struct call call = {
        .run = run_ready, .id = id, .count = chunks, .in = &copy, .flag = held, .durable = true};
    return ask(e, &call, err);
}

static int run_abandon(struct engine *e, struct call *call) {
    struct campaign *c = find(e, call);
    if (!c) return -1;
    if (c->row.state != CAMPAIGN_LOADING)
        return err_set(&call->err, ERR_INPUT, "campaign %u is not loading", call->id);
    ledger_abandon(e->ledger, c, clock_wall());
    return 0;
}

int engine_campaign_abandon(struct engine *e, uint32_t id, struct err *err) {
    struct call call = {.run = run_abandon, .id = id, .durable = true};
    return ask(e, &call, err);
}

void control_hold(struct engine *e, struct campaign *c) {
    if (c->row.state != CAMPAIGN_HELD) ledger_set_state(e->ledger, c, CAMPAIGN_HELD, clock_wall());
    e->purge_due = true;
}

static int run_hold(struct engine *e, struct call *call) {
    struct campaign *c = ledger_under_way(e->ledger, call->id, &call->err);
    if (!c) return -1;
    control_hold(e, c);
    return 0;
}

int engine_campaign_hold(struct engine *e, uint32_t id, struct err *err) {
    struct call call = {.run = run_hold, .id = id, .durable = true};
    return ask(e, &call, err);
}

int control_resume(struct engine *e, struct campaign *c, struct err *err) {
    if (c->row.state != CAMPAIGN_HELD) return 0;
    feed_purge(e); /* nothing of it may be there twice */
    ledger_set_state(e->ledger, c, CAMPAIGN_READY, clock_wall());
    e->next_due = 0;
    return ledger_each_chunk(e->ledger, c, feed_chunk, e, err);
}

static int run_resume(struct engine *e, struct call *call) {
    struct campaign *c = ledger_under_way(e->ledger, call->id, &call->err);
    return c ? control_resume(e, c, &call->err) : -1;
}

int engine_campaign_resume(struct engine *e, uint32_t id, struct err *err) {
    struct call call = {.run = run_resume, .id = id, .durable = true};
    return ask(e, &call, err);
}

/* ---- the course ---- */

void control_look(struct engine *e, struct campaign *c) {
    ledger_set_waits(e->ledger, c, c->row.course.not_before > time_now(e));
}

/* All of it that waits comes into the backlog; nothing of it is there. */
static int feed_all(struct engine *e, struct campaign *c, struct err *err) {
    if (!backlog_may_go(c)) return 0;
    e->next_due = 0;
    return ledger_each_chunk(e->ledger, c, feed_chunk, e, err);
}

struct changing {
    struct campaign_change change;
    struct slice by;
};

static void note_change(struct engine *e, const struct campaign *c, const struct changing *in) {
    struct buf scope;
    buf_init(&scope, 1024);
    campaign_change_say(&in->change, &scope);
    struct note n = {.what = NOTE_HAND,
                     .at = clock_wall(),
                     .act = NOTE_CHANGED,
                     .campaign = c->row.id,
                     .scope = buf_slice(&scope),
                     .by = in->by,
                     .touched = tally_pending(&c->row.tally)};
    ledger_remark(e->ledger, &n);
    buf_done(&scope);
}

/* What is changed decides where it stands in the backlog: so it leaves that and comes in anew. A deadline
 * decides nothing. */
static int run_change(struct engine *e, struct call *call) {
    const struct changing *in = call->in;
    const struct campaign_change *change = &in->change;
    struct campaign *c = ledger_under_way(e->ledger, call->id, &call->err);
    if (!c) return -1;
    struct campaign_row row = c->row;
    if (campaign_course_change(&row, change, clock_wall(), &call->err)) return -1;
    bool moves = change->priority || change->weight || change->not_before;
    if (moves) {
        ledger_set_waits(e->ledger, c, true);
        feed_purge(e);
    }
    int failed = ledger_set_course(e->ledger, c, change, clock_wall(), &call->err);
    if (!failed) note_change(e, c, in);
    if (!moves) return failed;
    control_look(e, c);
    return feed_all(e, c, &call->err) || failed ? -1 : 0;
}

int engine_campaign_change(struct engine *e, uint32_t id, const struct campaign_change *change,
                           struct slice by, struct err *err) {
    struct changing in = {*change, by};
    struct call call = {.run = run_change, .id = id, .in = &in, .durable = true};
    return ask(e, &call, err);
}

static int run_note(struct engine *e, struct call *call) {
    ledger_remark(e->ledger, call->in);
    return 0;
}

int engine_note(struct engine *e, const struct note *n, struct err *err) {
    struct note copy = *n;
    struct call call = {.run = run_note, .in = &copy};
    return ask(e, &call, err);
}

/* The time of those that waited for it may have come. */
static void begin_some(struct engine *e, struct err *err) {
    for (struct campaign *c = ledger_campaigns(e->ledger); c; c = c->next) {
        if (!c->waits || c->row.ended) continue;
        control_look(e, c);
        if (c->waits) continue;
        log_begin(LOG_LEVEL_INFO, "campaign-begins");
        log_number("campaign", c->row.id);
        log_end();
        feed_all(e, c, err);
    }
}

static int run_cancel(struct engine *e, struct call *call) {
    struct campaign *c = ledger_under_way(e->ledger, call->id, &call->err);
    if (!c) return -1;
    ledger_set_state(e->ledger, c, CAMPAIGN_CANCELLED, clock_wall());
    e->purge_due = e->sweep_due = true;
    return 0;
}

int engine_campaign_cancel(struct engine *e, uint32_t id, struct err *err) {
    struct call call = {.run = run_cancel, .id = id, .durable = true};
    return ask(e, &call, err);
}

static int run_suppress(struct engine *e, struct call *call) {
    return suppress_apply(e, call->in, &call->err);
}

int engine_suppress(struct engine *e, uint32_t tenant, enum suppress_source source,
                    struct suppress_entry *entries, size_t count, struct err *err) {
    struct suppress_request request = {tenant, source, false, entries, count};
    struct call call = {.run = run_suppress, .in = &request, .durable = true};
    assert(count <= ENGINE_SUPPRESS_MOST);
    return store_check_room(e->store, err) || ask(e, &call, err) ? -1 : 0;
}

int engine_unsuppress(struct engine *e, uint32_t tenant, struct suppress_entry *entries, size_t count,
                      struct err *err) {
    struct suppress_request request = {tenant, SUPPRESS_NO_SOURCE, true, entries, count};
    struct call call = {.run = run_suppress, .in = &request, .durable = true};
    assert(count <= ENGINE_SUPPRESS_MOST);
    return ask(e, &call, err);
}

static bool past_end(const struct campaign *c, wall_us now) {
    return !c->row.ended && (c->row.state == CAMPAIGN_READY || c->row.state == CAMPAIGN_HELD) &&
           now >= c->row.expires && tally_pending(&c->row.tally) > c->leased;
}

/* Campaigns past their end begin to expire; sweeps go on. One that waits for a commit is seen to when that
 * has come, others at once. */
void control_expire(struct engine *e) {
    wall_us now = time_now(e);
    struct err err = {0};
    e->sweep_due = false;
    begin_some(e, &err);
    for (struct campaign *c = ledger_campaigns(e->ledger); c && !commit_late(e); c = c->next) {
        if (!c->sweeping && past_end(c, now)) {
            ledger_sweep_start(e->ledger, c);
            e->purge_due = true;
        }
        if (!c->sweeping || !ledger_sweep(e->ledger, c, 256, clock_wall(), &err)) continue;
        bool waits = c->sweep >= c->row.chunks && ledger_durable(e->ledger) < c->sweep_after;
        e->sweep_due = true;
        if (!waits) loop_wake_send(e->wake);
    }
    if (err.kind) log_say(LOG_LEVEL_ERROR, "sweep", "error", err.text, NULL);
}

/* ---- what is shown ---- */

static void show_campaign(const struct campaign *c, struct campaign_status *out) {
    *out = (struct campaign_status){.id = c->row.id,
                                    .state = c->row.state,
                                    .tally = c->row.tally,
                                    .leased = c->leased,
                                    .deferred = c->row.tally.deferred,
                                    .course = c->row.course,
                                    .waits = c->waits,
                                    .expires = c->row.expires,
                                    .created = c->row.created,
                                    .ready = c->row.ready,
                                    .ended = c->row.ended};
    snprintf(out->name, sizeof out->name, "%.*s", SLICE_ARG(c->row.name));
}

static int run_campaigns(struct engine *e, struct call *call) {
    struct campaign_status *out = call->out;
    size_t n = 0;
    for (struct campaign *c = ledger_campaigns(e->ledger); c; c = c->next, n++)
        if (n < call->count) show_campaign(c, &out[n]);
    call->count = n;
    return 0;
}

/* A list of at most so many, as `run` makes it; how many there are. */
static size_t ask_list(struct engine *e, int (*run)(struct engine *e, struct call *call), void *in, void *out,
                       size_t most) {
    struct call call = {.run = run, .in = in, .out = out, .count = most};
    return ask(e, &call, NULL) ? 0 : call.count;
}

size_t engine_campaigns(struct engine *e, struct campaign_status *out, size_t most) {
    return ask_list(e, run_campaigns, NULL, out, most);
}

static int run_campaign(struct engine *e, struct call *call) {
    struct campaign *c = find(e, call);
    if (!c) return -1;
    show_campaign(c, call->out);
    return 0;
}

int engine_campaign(struct engine *e, uint32_t id, struct campaign_status *out, struct err *err) {
    struct call call = {.run = run_campaign, .id = id, .out = out};
    return ask(e, &call, err);
}

static int run_find(struct engine *e, struct call *call) {
    const struct slice *name = call->in;
    uint64_t number;
    struct campaign *c = ledger_campaigns(e->ledger);
    while (c && !slice_eq(c->row.name, *name))
        c = c->next;
    if (!c && slice_to_u64(*name, &number) && number <= UINT32_MAX)
        c = ledger_campaign(e->ledger, (uint32_t)number);
    if (!c)
        return err_set(&call->err, ERR_ABSENT, "there is no campaign '%.*s'",
                       name->len > 128 ? 128 : (int)name->len, name->len ? name->at : "");
    show_campaign(c, call->out);
    return 0;
}

int engine_campaign_find(struct engine *e, struct slice name, struct campaign_status *out, struct err *err) {
    struct call call = {.run = run_find, .in = &name, .out = out};
    return ask(e, &call, err);
}

static int run_plan(struct engine *e, struct call *call) {
    struct campaign *c = find(e, call);
    struct plan *plan = call->out;
    if (!c) return -1;
    show_campaign(c, &plan->campaign);
    return plan_make(e, c, plan);
}

int engine_plan(struct engine *e, uint32_t id, struct plan *plan, struct err *err) {
    struct call call = {.run = run_plan, .id = id, .out = plan};
    *plan = (struct plan){0};
    return ask(e, &call, err);
}

static int run_lanes(struct engine *e, struct call *call) {
    struct lane_status *out = call->out;
    const char *provider = call->in;
    size_t n = 0;
    for (struct lane *lane = e->backlog.lanes; lane; lane = lane->next) {
        if (provider && strcmp(lane->name, provider) != 0) continue;
        if (n < call->count) lane_show(e, lane, &out[n]);
        n++;
    }
    call->count = n;
    return 0;
}

size_t engine_lanes(struct engine *e, const char *provider, struct lane_status *out, size_t most) {
    return ask_list(e, run_lanes, (void *)(uintptr_t)provider, out, most);
}

static int run_sources(struct engine *e, struct call *call) {
    struct source_status *out = call->out;
    for (size_t i = 0; i < e->options.source_count && i < call->count; i++) {
        const struct source *source = &e->sources[i];
        out[i] = (struct source_status){.proxied = e->options.sources[i].proxy.protocol != PROXY_NONE,
                                        .down = source->failures > 0,
                                        .failed = source->failed};
        snprintf(out[i].name, sizeof out[i].name, "%s", e->options.sources[i].name);
        snprintf(out[i].last_error, sizeof out[i].last_error, "%.255s", source->last_error);
    }
    call->count = e->options.source_count;
    return 0;
}

size_t engine_sources(struct engine *e, struct source_status *out, size_t most) {
    return ask_list(e, run_sources, NULL, out, most);
}

static int run_counters(struct engine *e, struct call *call) {
    struct engine_counters *out = call->out;
    struct ledger_counters ledger;
    ledger_counters(e->ledger, &ledger);
    struct suppress_stats suppress;
    ledger_suppress_stats(e->ledger, &suppress);
    *out = e->counters;
    out->suppress_listed = suppress.listed;
    out->suppress_counted = suppress.counted;
    out->suppress_asked = suppress.asked;
    out->sessions_open = e->session_count;
    if (e->lag_before > out->lag_us) out->lag_us = e->lag_before;
    out->retries_waiting = ledger.retries_at_work;
    out->blocks = ledger.blocks;
    out->block_bytes = ledger.block_bytes;
    out->stalled = e->stalled;
    snprintf(out->stall_text, sizeof out->stall_text, "%s", e->stall_text);
    return 0;
}

void engine_counters(struct engine *e, struct engine_counters *out) {
    struct call call = {.run = run_counters, .out = out};
    *out = (struct engine_counters){0};
    ask(e, &call, NULL);
}

/* ---- the projector ---- */

struct on_commit {
    void (*wake)(void *ctx, uint64_t sequence);
    void *ctx;
};

static int run_on_commit(struct engine *e, struct call *call) {
    const struct on_commit *set = call->in;
    e->on_commit = set->wake;
    e->on_commit_ctx = set->ctx;
    return 0;
}

void engine_on_commit(struct engine *e, void (*wake)(void *ctx, uint64_t sequence), void *ctx) {
    struct on_commit set = {wake, ctx};
    struct call call = {.run = run_on_commit, .in = &set};
    ask(e, &call, NULL);
}
