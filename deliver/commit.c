/* Paced group commits: what changed is sealed every 20 ms or 512 events, and 5 ms while a session waits for
 * its window; handed to the writer; and when it is durable the windows leased in it go out and the callers
 * that wait for it are answered. While commits do not come through nothing new is leased. */
#include "owner.h"

#include "log.h"

#include <assert.h>
#include <stdio.h>

/* On the writer's thread. */
static void on_done(void *ctx, int status, const struct err *err) {
    (void)err;
    struct engine *e = ctx;
    struct msg msg = {.kind = MSG_COMMITTED, .index = status != 0};
    bool fits = mailbox_put(&e->in, &msg);
    assert(fits);
}

static void submit(struct engine *e, struct store_batch *batch) {
    struct err err = {0};
    e->unsubmitted = NULL;
    if (store_submit(e->store, batch, 0, on_done, e, &err)) {
        e->unsubmitted = batch; /* the writer is behind: later */
        return;
    }
    e->in_flight_batches[(e->in_flight_first + e->in_flight) % FLIGHT_ROOM] = batch;
    if (e->in_flight++ == 0) e->flight_since = loop_now(e->loop);
}

void commit_now(struct engine *e, bool checkpoint) {
    if (e->unsubmitted) {
        submit(e, e->unsubmitted);
        if (e->unsubmitted) return;
    }
    uint64_t sequence, number = ledger_building(e->ledger);
    struct store_batch *batch = ledger_seal(e->ledger, checkpoint, atomic_load(&e->projected), &sequence);
    if (checkpoint) {
        e->checkpoint_at = loop_now(e->loop) + CHECKPOINT_US;
        e->checkpoint_by = loop_now(e->loop) + IDLE_CHECKPOINT_US;
    }
    if (!batch) return;
    if (checkpoint) time_put(e, batch);
    e->sealed_sequence[number % FLIGHT_ROOM] = sequence;
    submit(e, batch);
}

/* When nothing happens, once in a while for the engine's clock. */
static bool checkpoint_due(const struct engine *e, mono_us now) {
    return now >= e->checkpoint_at && (now >= e->checkpoint_by || ledger_has_changes(e->ledger) ||
                                       ledger_checkpoint_due(e->ledger, atomic_load(&e->projected)));
}

/* Is anybody kept waiting by the commit? */
void commit_turn(struct engine *e) {
    if (e->in_flight >= FLIGHT_MAX || e->final) return;
    mono_us now = loop_now(e->loop);
    bool checkpoint = checkpoint_due(e, now);
    if (e->unsubmitted || e->hurry || ledger_unsealed(e->ledger) >= SEAL_EVENTS || checkpoint) {
        e->hurry = false;
        commit_now(e, checkpoint);
    } else if (ledger_has_changes(e->ledger)) {
        mono_us due = now + (e->waiting ? LEASE_US : SEAL_US);
        if (due < e->seal_timer.due) loop_timer_start(&e->seal_timer, due);
    }
}

static void release_windows(struct engine *e, uint64_t durable) {
    while (e->waiting && e->waiting->batch <= durable) {
        struct window *w = e->waiting;
        e->waiting = w->next;
        if (!e->waiting) e->waiting_last = NULL;
        w->next = NULL;
        if (e->draining)
            settle_unsent(e, w);
        else if (atomic_load_explicit(&w->halted, memory_order_relaxed))
            schedule_take_back(e, w);
        else
            schedule_send(e, w);
    }
}

void commit_done(struct engine *e, bool durable) {
    struct store_batch *batch = e->in_flight_batches[e->in_flight_first];
    e->in_flight_first = (e->in_flight_first + 1) % FLIGHT_ROOM;
    e->in_flight--;
    e->flight_since = loop_now(e->loop);
    store_batch_free(batch);
    if (!durable) { /* the store is closing under us: nothing later will be durable either */
        snprintf(e->stall_text, sizeof e->stall_text, "the store refused a commit");
        e->stalled = true;
        return;
    }
    ledger_committed(e->ledger);
    uint64_t number = ledger_durable(e->ledger), sequence = e->sealed_sequence[number % FLIGHT_ROOM];
    atomic_store(&e->committed, sequence);
    if (e->on_commit) e->on_commit(e->on_commit_ctx, sequence);
    release_windows(e, number);
    control_durable(e);
}

void commit_watch(struct engine *e) {
    bool late = e->in_flight && loop_now(e->loop) - e->flight_since > STALL_US;
    if (late == e->stalled) return;
    e->stalled = late;
    struct store_health health;
    store_health(e->store, &health);
    snprintf(e->stall_text, sizeof e->stall_text, "%.250s", late ? health.text : "");
    log_say(LOG_LEVEL_WARN, late ? "commits-stalled" : "commits-resumed", "error", e->stall_text, NULL);
}

bool commit_late(struct engine *e) {
    if (!e->stalled && ledger_unsealed(e->ledger) < UNSEALED_MAX) return false;
    e->held_back = true;
    return true;
}
