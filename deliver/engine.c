/* The engine: starts the owner thread and the workers, runs the owner's loop, brings all to an end.
 *
 * Each turn of the loop takes what came, feeds the backlog, looks up domains, gives lanes sessions and
 * sessions windows, and seals what changed. Ending: no new work, workers drain (or are cut when grace is
 * over), a last checkpoint, then the loop stops. */
#include "owner.h"

#include "log.h"
#include "pack.h"

#include <assert.h>
#include <stdlib.h>

enum { TAKE_AT_ONCE = 256, CALLS_ROOM = 1024, FILL_A_TURN = 2048 };

void engine_tell(struct worker *w, enum msg_kind kind, void *at) {
    struct msg msg = {.kind = kind, .at = at};
    bool fits = mailbox_put(&w->in, &msg);
    assert(fits);
}

/* ---- the end ---- */

static void tell_all(struct engine *e, enum msg_kind kind) {
    for (unsigned i = 0; i < e->options.workers; i++)
        engine_tell(&e->workers[i], kind, NULL);
}

static void grace_over(void *ctx) {
    struct engine *e = ctx;
    e->quiet = 0;
    tell_all(e, MSG_CUT);
}

static void drain(struct engine *e) {
    if (e->draining) return;
    e->draining = true;
    e->quiet = 0;
    tell_all(e, e->grace_us > 0 ? MSG_DRAIN : MSG_CUT);
    if (e->grace_us > 0) loop_timer_start(&e->grace_timer, loop_now(e->loop) + e->grace_us);
}

/* Every worker is quiet and every window settled: write all down and go. */
static void end_when_quiet(struct engine *e) {
    if (!e->draining || e->quiet < e->options.workers || e->waiting || e->windows_out || e->session_count)
        return;
    if (!e->final) {
        if (e->in_flight >= FLIGHT_MAX) return;
        remembering_end(e);
        commit_now(e, true);
        e->final = !e->unsubmitted;
    }
    if (!e->final || e->in_flight) return;
    control_abort(e);
    loop_stop(e->loop);
}

/* ---- messages ---- */

static void handle(struct engine *e, const struct msg *msg) {
    struct window *w;
    switch (msg->kind) {
    case MSG_READY: schedule_ready(e, msg->at); break;
    case MSG_DONE:
        w = msg->at;
        if (msg->index == WINDOW_ALL || w->settled + 1 == w->count) e->windows_out--;
        if (msg->index == WINDOW_ALL)
            settle_window(e, w);
        else
            settle_item(e, w, msg->index);
        break;
    case MSG_ENDED: schedule_ended(e, msg->at); break;
    case MSG_QUIET: e->quiet++; break;
    case MSG_COMMITTED: commit_done(e, msg->index == 0); break;
    case MSG_CALL: control_call(e, msg->at); break;
    case MSG_STOP: drain(e); break;
    default: assert(false && "a message for a worker");
    }
}

static void woken(void *ctx) {
    struct engine *e = ctx;
    struct msg msgs[TAKE_AT_ONCE];
    size_t n;
    while ((n = mailbox_take(&e->in, msgs, TAKE_AT_ONCE)) > 0)
        for (size_t i = 0; i < n; i++)
            handle(e, &msgs[i]);
}

/* How late is this tick? The worst of this window and of the one before is what is shown. */
static void note_lag(struct engine *e, mono_us now) {
    int64_t lag = e->tick_due && now > e->tick_due ? now - e->tick_due : 0;
    if (now >= e->lag_changes) {
        e->lag_before = e->counters.lag_us;
        e->counters.lag_us = 0;
        e->lag_changes = now + LAG_WINDOW_US;
    }
    if (lag > e->counters.lag_us) e->counters.lag_us = lag;
}

static void tick(void *ctx) {
    struct engine *e = ctx;
    mono_us now = loop_now(e->loop);
    note_lag(e, now);
    backlog_wake_domains(&e->backlog, now);
    commit_watch(e);
    resting_tick(e);
    remembering_tick(e);
    if (time_now(e) >= e->next_due || now >= e->expiry_at) feed_retries(e);
    if (now >= e->expiry_at) {
        e->expiry_at = now + US_PER_SEC;
        time_watch(e);
        e->sweep_due = true;
    }
    e->tick_due = NEVER;
}

/* Is there anything that the tick has to look at often? What is not among these comes by a message. */
static bool is_busy(const struct engine *e) {
    return e->backlog.waiting || e->resting || e->in_flight || e->unsubmitted || e->hands.jobs;
}

/* The next tick: soon while something waits for a time, else when a retry is due, and once a second. */
static void set_tick(struct engine *e) {
    mono_us now = loop_now(e->loop), due = now + IDLE_TICK_US;
    wall_us retry = e->next_due - time_now(e);
    if (retry < IDLE_TICK_US) due = now + (retry > TICK_US ? retry : TICK_US);
    if (is_busy(e)) due = now + TICK_US;
    if (due >= e->tick_due) return;
    e->tick_due = due;
    loop_timer_start(&e->tick_timer, due);
}

static void lanes_time(void *ctx) {
    struct engine *e = ctx;
    backlog_wake_lanes(&e->backlog, loop_now(e->loop));
}

/* Those that wake about the same time wake together. */
static void set_lanes_timer(struct engine *e) {
    mono_us next = backlog_next_wake(&e->backlog), soonest = loop_now(e->loop) + WAKE_US;
    if (next == NEVER) return;
    if (next < soonest) next = soonest;
    if (e->lanes_timer.due > next) loop_timer_start(&e->lanes_timer, next);
}

static void seal_time(void *ctx) {
    ((struct engine *)ctx)->hurry = true;
}

/* Commits come through again: whoever was told that there is nothing to do now asks again. */
static void go_on(struct engine *e) {
    e->held_back = false;
    e->sweep_due = true;
    for (struct lane *lane = e->backlog.lanes; lane; lane = lane->next)
        backlog_run(&e->backlog, lane);
}

static void each_turn(void *ctx) {
    struct engine *e = ctx;
    if (!e->draining) {
        if (ledger_suppress_fill(e->ledger, FILL_A_TURN)) loop_wake_send(e->wake);
        if (e->held_back && !commit_late(e)) go_on(e);
        if (e->sweep_due) control_expire(e);
        if (e->purge_due) feed_purge(e);
        hands_turn(e);
        feed_mixed(e);
        resolve_some(e);
        schedule_lanes(e);
    }
    commit_turn(e);
    end_when_quiet(e);
    set_tick(e);
    set_lanes_timer(e);
    log_flush();
}

/* ---- start and stop ---- */

static void *run(void *ctx) {
    struct engine *e = ctx;
    loop_run(e->loop);
    return NULL;
}

int engine_set_dkim(struct engine *e, const struct dkim_options *keys, size_t count, struct err *err) {
    struct keyring *ring = keyring_read(keys, count, err);
    if (ring) keyring_hang(&e->keys, ring);
    return ring ? 0 : -1;
}

static int read_keys(struct engine *e, struct err *err) {
    int failed = engine_set_dkim(e, e->options.dkim, e->options.dkim_count, err);
    e->options.dkim = NULL; /* the caller's, and not kept */
    return failed;
}

static int open_resolver(struct engine *e, struct err *err) {
    struct resolver_options options = {.servers = e->options.dns_servers,
                                       .server_count = e->options.dns_server_count,
                                       .trust_anchor = e->options.dns_trust_anchor,
                                       .seed = e->backlog.seed};
    e->resolver = resolver_open(e->loop, &options, err);
    return e->resolver ? 0 : -1;
}

static int open_ledger(struct engine *e, struct err *err) {
    e->ledger = ledger_open(e->store, time_now(e), err);
    if (!e->ledger) return -1;
    ledger_on_forget(e->ledger, feed_forget, e);
    ledger_on_done(e->ledger, feed_campaign_done, e);
    for (struct campaign *c = ledger_campaigns(e->ledger); c; c = c->next)
        control_look(e, c);
    if (hands_init(e, err)) return -1;
    return ledger_each_chunk(e->ledger, NULL, feed_chunk, e, err);
}

static int start_workers(struct engine *e, struct err *err) {
    size_t count;
    e->workers = calloc(e->options.workers, sizeof *e->workers);
    if (!e->workers) return err_set(err, ERR_SYSTEM, "out of memory");
    for (unsigned i = 0; i < e->options.workers; i++) {
        if (worker_start(&e->workers[i], &e->options, ledger_keys(e->ledger, &count), &e->keys, &e->in,
                         err) == 0)
            continue;
        while (i > 0)
            worker_stop(&e->workers[--i]);
        free(e->workers);
        e->workers = NULL;
        return -1;
    }
    return 0;
}

static void engine_free(struct engine *e) {
    resolver_close(e->resolver);
    resolve_done(e);
    if (e->ledger) feed_done(e);
    ledger_free(e->ledger);
    suppress_done(e);
    remembering_done(e);
    source_done(e);
    keyring_hook_done(&e->keys);
    pack_free(e->pack);
    buf_done(&e->scratch);
    if (e->loop) loop_wake_close(e->wake);
    mailbox_done(&e->in);
    loop_close(e->loop);
    free(e);
}

/* Room for every message that what is handed out can bring back: each session two windows, its readiness and
 * its end. */
static size_t mailbox_room(const struct engine_options *o) {
    return (size_t)o->max_sessions * (2 * WINDOW_MAX + 4) + CALLS_ROOM + FLIGHT_ROOM + o->workers * 4;
}

static int build(struct engine *e, struct err *err) {
    e->scratch.max = CHUNK_TABLE_MAX + 4096;
    if (backlog_init(&e->backlog, (uint64_t)clock_wall())) return err_set(err, ERR_SYSTEM, "out of memory");
    remembering_init(e);
    if (!(e->pack = pack_new(1))) return err_set(err, ERR_SYSTEM, "out of memory");
    if (!(e->loop = loop_open(err)) || !(e->wake = loop_wake_open(e->loop, woken, e, err))) return -1;
    if (mailbox_init(&e->in, mailbox_room(&e->options), sizeof(struct msg), loop_wake_send, e->wake))
        return err_set(err, ERR_SYSTEM, "out of memory");
    loop_timer_init(&e->seal_timer, e->loop, seal_time, e);
    loop_timer_init(&e->tick_timer, e->loop, tick, e);
    loop_timer_init(&e->lanes_timer, e->loop, lanes_time, e);
    loop_timer_init(&e->grace_timer, e->loop, grace_over, e);
    loop_timer_start(&e->tick_timer, loop_now(e->loop));
    loop_each_turn(e->loop, each_turn, e);
    return read_keys(e, err) || source_init(e, err) || suppress_init(e, err) || time_init(e, err) ||
                   open_resolver(e, err) || open_ledger(e, err) || start_workers(e, err)
               ? -1
               : 0;
}

struct engine *engine_start(const struct engine_options *options, struct store *store, struct err *err) {
    struct engine *e = calloc(1, sizeof *e);
    if (!e) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    e->options = *options;
    e->store = store;
    keyring_hook_init(&e->keys, NULL);
    bool built = build(e, err) == 0;
    if (built) {
        int failed = pthread_create(&e->thread, NULL, run, e);
        if (!failed) return e;
        err_errno(err, failed, "start the engine");
        for (unsigned i = 0; i < e->options.workers; i++)
            worker_stop(&e->workers[i]);
        free(e->workers);
    }
    engine_free(e);
    return NULL;
}

void engine_stop(struct engine *e, int64_t grace_us) {
    struct msg msg = {.kind = MSG_STOP};
    e->grace_us = grace_us; /* read by the owner when the message has come */
    bool fits = mailbox_put(&e->in, &msg);
    assert(fits);
    pthread_join(e->thread, NULL);
    for (unsigned i = 0; i < e->options.workers; i++)
        worker_stop(&e->workers[i]);
    free(e->workers);
    engine_free(e);
}

const struct rid_key *engine_rid_keys(const struct engine *e, size_t *count) {
    return ledger_keys(e->ledger, count);
}

void engine_projected(struct engine *e, uint64_t sequence) {
    atomic_store(&e->projected, sequence);
}

uint64_t engine_committed(struct engine *e) {
    return atomic_load(&e->committed);
}
