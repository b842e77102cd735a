/* The ledger by hand: state changed, sweep run to its end, checkpoint written. */
#include "offline.h"

#include "clock.h"
#include "ledger.h"
#include "note.h"
#include "orders.h"
#include "projector.h"

#include <pwd.h>
#include <stdio.h>

enum { SWEEP_AT_ONCE = 1024 };

static int commit_projected(struct store *store, struct ledger *l, bool checkpoint, uint64_t projected,
                            struct err *err) {
    uint64_t sequence;
    struct store_batch *b = ledger_seal(l, checkpoint, projected, &sequence);
    if (!b) return ledger_has_changes(l) ? err_set(err, ERR_SYSTEM, "out of memory") : 0;
    int failed = store_commit(store, b, 0, err);
    if (!failed) ledger_committed(l);
    store_batch_free(b);
    return failed;
}

static int commit(struct store *store, struct ledger *l, bool checkpoint, struct err *err) {
    return commit_projected(store, l, checkpoint, 0, err);
}

void offline_user(unsigned uid, char name[OFFLINE_NAME_MAX + 1]) {
    struct passwd entry, *found = NULL;
    char room[4096];
    getpwuid_r(uid, &entry, room, sizeof room, &found);
    if (found)
        snprintf(name, OFFLINE_NAME_MAX + 1, "%s", found->pw_name);
    else
        snprintf(name, OFFLINE_NAME_MAX + 1, "uid %u", uid);
}

static void remark(struct ledger *l, const struct campaign *c, enum note_act act, struct slice scope,
                   struct slice by) {
    struct note n = {.what = NOTE_HAND,
                     .at = clock_wall(),
                     .act = (uint8_t)act,
                     .campaign = c->row.id,
                     .scope = scope,
                     .by = by,
                     .touched = tally_pending(&c->row.tally)};
    ledger_remark(l, &n);
}

static int sweep(struct store *store, struct ledger *l, struct campaign *c, struct err *err) {
    bool more = true;
    err->kind = ERR_NONE;
    while (more) {
        more = ledger_sweep(l, c, SWEEP_AT_ONCE, clock_wall(), err);
        if (err->kind != ERR_NONE || commit(store, l, false, err)) return -1;
    }
    return 0;
}

struct resuming {
    struct ledger *ledger;
    uint32_t campaign;
};

/* What a running server suspended it by. */
static int end_order(void *ctx, uint64_t number, struct slice bytes, struct err *err) {
    const struct resuming *r = ctx;
    struct order o;
    if (order_decode(bytes, number, &o, err)) return -1;
    if (o.kind == ORDER_SUSPEND && selector_is_campaign(&o.of) && o.of.campaign == r->campaign)
        ledger_order_delete(r->ledger, number);
    return 0;
}

static int apply(struct store *store, struct ledger *l, uint32_t id, enum offline_change change,
                 struct slice by, struct campaign_row *row, struct err *err) {
    static const enum campaign_state states[] = {[OFFLINE_HOLD] = CAMPAIGN_HELD,
                                                 [OFFLINE_RESUME] = CAMPAIGN_READY,
                                                 [OFFLINE_CANCEL] = CAMPAIGN_CANCELLED};
    static const enum note_act acts[] = {
        [OFFLINE_HOLD] = NOTE_SUSPENDED, [OFFLINE_RESUME] = NOTE_RESUMED, [OFFLINE_CANCEL] = NOTE_CANCELLED};
    struct campaign *c = ledger_under_way(l, id, err);
    if (!c) return -1;
    if (c->row.state != states[change]) {
        char scope[32];
        snprintf(scope, sizeof scope, "campaign %u", id);
        remark(l, c, acts[change], slice_of(scope), by);
        ledger_set_state(l, c, states[change], clock_wall());
    }
    struct resuming r = {l, id};
    if (change == OFFLINE_RESUME && ledger_each_order(l, end_order, &r, err)) return -1;
    if (change == OFFLINE_CANCEL && sweep(store, l, c, err)) return -1;
    if (commit(store, l, true, err)) return -1;
    *row = c->row;
    row->name = row->columns = (struct slice){0};
    return 0;
}

int offline_apply(struct store *store, uint32_t id, enum offline_change change, struct slice by,
                  struct campaign_row *row, struct err *err) {
    struct ledger *l = ledger_open(store, clock_wall(), err);
    if (!l) return -1;
    int failed = apply(store, l, id, change, by, row, err);
    ledger_free(l);
    return failed;
}

static int change_course(struct store *store, struct ledger *l, uint32_t id,
                         const struct campaign_change *change, struct slice by, struct campaign_row *row,
                         struct err *err) {
    struct campaign *c = ledger_under_way(l, id, err);
    struct buf scope;
    if (!c || ledger_set_course(l, c, change, clock_wall(), err)) return -1;
    buf_init(&scope, 1024);
    campaign_change_say(change, &scope);
    remark(l, c, NOTE_CHANGED, buf_slice(&scope), by);
    buf_done(&scope);
    if (commit(store, l, true, err)) return -1;
    *row = c->row;
    row->name = row->columns = (struct slice){0};
    return 0;
}

int offline_course(struct store *store, uint32_t id, const struct campaign_change *change, struct slice by,
                   struct campaign_row *row, struct err *err) {
    struct ledger *l = ledger_open(store, clock_wall(), err);
    int failed = l ? change_course(store, l, id, change, by, row, err) : -1;
    ledger_free(l);
    return failed;
}

int offline_settle(struct store *store, int64_t memory, struct err *err) {
    struct projector_options options = {0, 0, (size_t)memory};
    struct projector *p = projector_open(store, &options, err);
    int failed = p ? projector_stop(p, err) : -1;
    uint64_t cursor = failed ? 0 : projector_cursor(p);
    projector_free(p);
    struct ledger *l = failed ? NULL : ledger_open(store, clock_wall(), err);
    if (!l) return -1;
    failed = commit_projected(store, l, true, cursor, err);
    ledger_free(l);
    return failed;
}
