/* What lanes have learned is kept in the ledger, and given to the lane again when it is made anew; what they
 * change goes into the audit trail. docs/lanes.md, "What is kept", tells the rules. */
#include "owner.h"

#include "lane_memory.h"
#include "log.h"

#include <stdio.h>

#define SAVE_APART (10 * US_PER_SEC) /* of one lane, after a change */
#define REFRESH    (60 * US_PER_SEC) /* of one that is at work, for its count of the day */
#define LOOK_APART (5 * US_PER_SEC)
enum { SAVES_A_LOOK = 1000 };

static struct slice source_name(const struct engine *e, const struct lane *lane) {
    return slice_of(e->options.sources[lane->source].name);
}

/* ---- memory ---- */

static void save(struct engine *e, struct lane *lane, mono_us now) {
    struct learn_memory m;
    struct buf key, bytes;
    wall_us wall = time_now(e);
    lane->unsaved = false;
    lane->saved_at = now;
    learn_store(&lane->learn, &m, wall, now);
    if (!lane_memory_knows(&m, &lane->learn.profile)) return;
    buf_init(&key, LANE_KEY_BYTES);
    buf_init(&bytes, LANE_MEMORY_BYTES);
    if (lane_key_encode(source_name(e, lane), slice_of(lane->name), lane->set, &key) &&
        lane_memory_encode(&m, &bytes))
        ledger_lane_put(e->ledger, buf_slice(&key), lane->tail, wall, buf_slice(&bytes));
    buf_done(&key);
    buf_done(&bytes);
}

void remembering_load(struct engine *e, struct lane *lane) {
    struct learn_memory m;
    struct buf key, bytes;
    mono_us now = loop_now(e->loop);
    lane->saved_at = now - SAVE_APART; /* what it finds first is kept at once */
    buf_init(&key, LANE_KEY_BYTES);
    buf_init(&bytes, LEDGER_LANE_BYTES);
    if (lane_key_encode(source_name(e, lane), slice_of(lane->name), lane->set, &key) &&
        ledger_lane_get(e->ledger, buf_slice(&key), &bytes) && lane_memory_decode(buf_slice(&bytes), &m))
        learn_load(&lane->learn, &m, time_now(e), now);
    lane->unsaved = false;
    buf_done(&key);
    buf_done(&bytes);
}

/* A passing lane is done: it will be back, with the next mail that goes there. */
static void gone(void *ctx, struct lane *lane) {
    struct engine *e = ctx;
    mono_us now = loop_now(e->loop);
    if (lane->unsaved || now - lane->saved_at >= REFRESH) save(e, lane, now);
}

static bool is_due(const struct lane *lane, mono_us now) {
    mono_us since = now - lane->saved_at;
    if (lane->unsaved) return since >= SAVE_APART;
    return !lane->tail && since >= REFRESH && lane->learn.taken_at > lane->saved_at;
}

/* ---- the audit trail ---- */

static void tell(void *ctx, const struct note *n) {
    struct engine *e = ctx;
    ledger_remark(e->ledger, n);
}

void remembering_changed(struct engine *e, struct lane *lane, const struct learn_change *change) {
    lane->unsaved = true;
    lane_audit_change(&e->audit, slice_of(lane->name), source_name(e, lane), change, clock_wall(),
                      loop_now(e->loop));
}

static void say_lost(struct engine *e) {
    if (e->audit.lost == e->audit_lost) return;
    log_begin(LOG_LEVEL_WARN, "changes-lost");
    log_number("count", (int64_t)(e->audit.lost - e->audit_lost));
    log_end();
    e->audit_lost = e->audit.lost;
}

/* ---- with the engine ---- */

void remembering_init(struct engine *e) {
    lane_audit_init(&e->audit, tell, e, clock_mono());
    e->backlog.gone = gone;
    e->backlog.gone_ctx = e;
}

void remembering_done(struct engine *e) {
    lane_audit_done(&e->audit);
}

void remembering_tick(struct engine *e) {
    mono_us now = loop_now(e->loop);
    unsigned saved = 0;
    if (now >= e->audit_at) {
        e->audit_at = lane_audit_tick(&e->audit, clock_wall(), now);
        if (e->audit_at > now + US_PER_SEC) e->audit_at = now + US_PER_SEC;
    }
    if (now < e->remember_at) return;
    e->remember_at = now + LOOK_APART;
    say_lost(e);
    for (struct lane *lane = e->backlog.lanes; lane && saved < SAVES_A_LOOK; lane = lane->next)
        if (is_due(lane, now)) {
            save(e, lane, now);
            saved++;
        }
}

/* Before the last checkpoint. */
void remembering_end(struct engine *e) {
    mono_us now = loop_now(e->loop);
    lane_audit_flush(&e->audit, clock_wall(), now);
    for (struct lane *lane = e->backlog.lanes; lane; lane = lane->next)
        if (lane->unsaved || lane->learn.taken_at > lane->saved_at) save(e, lane, now);
}
