/* The suppression list at work: recipients on it are settled before they are leased, outcomes put addresses
 * on it, and workers hear of additions.
 *
 * Asked at three places, all on the owner's thread: when a chunk of many domains is taken apart (so that no
 * session is opened for nobody), when a domain is settled as a whole, and, last, when a window is granted.
 * Between the grant and the mail's first byte lies at most the worker's queue: for additions in that time
 * there is the notice board `recent`, which costs the worker one comparison while nothing was added. */
#include "owner.h"

#include "classify.h"
#include "log.h"

#include <stdlib.h>

/* ---- the notice board ---- */

enum { RECENT_PLACES = 1 << 16 };

/* Additions are numbered; each writes its number at the place that its address hashes to. Whoever was granted
 * when `count` was N looks again only when his place has a number above N. Two addresses at one place cost
 * one needless look at the list, no more: the next grant has a higher N. */
struct recent {
    atomic_uint count;
    atomic_uint at[RECENT_PLACES];
};

int suppress_init(struct engine *e, struct err *err) {
    e->recent = calloc(1, sizeof *e->recent);
    return e->recent ? 0 : err_set(err, ERR_SYSTEM, "out of memory");
}

void suppress_done(struct engine *e) {
    free(e->recent);
}

static void tell_workers(struct engine *e, uint32_t tenant, struct slice address) {
    unsigned number = atomic_load_explicit(&e->recent->count, memory_order_relaxed) + 1;
    uint64_t place = suppress_hash(tenant, address) % RECENT_PLACES;
    atomic_store_explicit(&e->recent->at[place], number, memory_order_relaxed);
    atomic_store_explicit(&e->recent->count, number, memory_order_release);
}

void suppress_note_grant(const struct engine *e, struct window *w) {
    w->recent = e->recent;
    w->recent_seen = atomic_load_explicit(&e->recent->count, memory_order_relaxed);
}

bool suppress_is_recent(const struct window *w, struct slice address) {
    if (atomic_load_explicit(&w->recent->count, memory_order_acquire) == w->recent_seen) return false;
    uint64_t place = suppress_hash(w->tenant, address) % RECENT_PLACES;
    unsigned number = atomic_load_explicit(&w->recent->at[place], memory_order_relaxed);
    return number && (int)(number - w->recent_seen) > 0; /* the count may come round */
}

/* ---- before sending ---- */

static void settle_one(struct engine *e, struct chunk *chunk, unsigned slot, struct slice to,
                       const struct suppress_row *row) {
    char since[CLOCK_TEXT_MAX];
    struct buf text;
    clock_rfc3339(row->at, since);
    buf_init(&text, 4096);
    buf_printf(&text, "on the suppression list since %s: ", since);
    suppress_put_why(&text, row);
    struct event ev = {.kind = EVENT_SUPPRESSED,
                       .at = clock_wall(),
                       .chunk = chunk->id,
                       .slots = slots_one(slot),
                       .class = CLASSIFY_SUPPRESSED,
                       .text = buf_slice(&text)};
    ledger_settle(e->ledger, chunk, &ev);
    e->counters.suppressed++;
    if (e->options.log_outcomes && log_on(LOG_LEVEL_INFO)) {
        log_begin(LOG_LEVEL_INFO, event_name(ev.kind));
        log_number("campaign", chunk_campaign(chunk->id));
        log_slice("to", to);
        log_slice("text", ev.text);
        log_end();
    }
    buf_done(&text);
}

bool suppress_screen(struct engine *e, struct chunk *chunk, struct slots *slots) {
    struct suppress_row row;
    struct err err;
    if (!ledger_suppress_any(e->ledger)) return true;
    const struct chunk_table *table = feed_table(chunk);
    uint32_t tenant = chunk->campaign->row.tenant;
    for (int i = slots_next(slots, 0); i >= 0; i = slots_next(slots, (unsigned)i + 1)) {
        struct slice to = chunk_table_address(table, (unsigned)i);
        int is = ledger_suppressed(e->ledger, tenant, to, &row, &err);
        if (is < 0) {
            feed_hold_broken(e, chunk->campaign, &err);
            return false;
        }
        if (is == 0 || chunk->states[i] != SLOT_PENDING) continue;
        settle_one(e, chunk, (unsigned)i, to, &row);
        slots_drop(slots, (unsigned)i);
    }
    return true;
}

/* ---- after an answer ---- */

/* No such user, for certain. That of a whole domain is nothing that one of its own servers can know. */
static bool is_certain(const struct event *ev, const struct outcome *o) {
    return ev->kind == EVENT_FAILED && o->action == CLASSIFY_SUPPRESS_NOW &&
           o->scope == CLASSIFY_SCOPE_RECIPIENT && o->class != CLASSIFY_INVALID_DOMAIN;
}

/* A failure in the end, of what belongs to the address: not each refusal on the way there. */
static bool is_counted(const struct event *ev, const struct outcome *o) {
    if (o->scope != CLASSIFY_SCOPE_RECIPIENT) return false;
    if (ev->kind == EVENT_FAILED)
        return o->action == CLASSIFY_SUPPRESS_AFTER_N || o->action == CLASSIFY_SUPPRESS_NOW;
    return ev->kind == EVENT_EXPIRED &&
           (o->class == CLASSIFY_MAILBOX_FULL || o->class == CLASSIFY_INACTIVE_MAILBOX ||
            o->class == CLASSIFY_RECIPIENT_REFUSED);
}

static void added(struct engine *e, uint32_t tenant, struct slice to, enum suppress_reason reason) {
    e->counters.suppress_added[reason]++;
    tell_workers(e, tenant, to);
}

void suppress_learn(struct engine *e, const struct window *w, const struct window_item *item,
                    const struct event *ev, struct slice to) {
    struct suppress_row wanted = {.reason = SUPPRESS_BOUNCE,
                                  .proof = {.rid = chunk_rid(w->chunk_id, item->slot),
                                            .class = ev->class,
                                            .code = ev->code,
                                            .enhanced = {ev->enhanced[0], ev->enhanced[1], ev->enhanced[2]},
                                            .host = ev->host,
                                            .text = ev->text}};
    enum suppress_change change = SUPPRESS_UNCHANGED;
    struct err err;
    struct ledger *l = e->ledger;
    int failed = 0;
    if (!e->options.suppress_auto) return;
    if (ev->kind == EVENT_DELIVERED)
        failed = ledger_suppress_delivered(l, w->tenant, to, &err);
    else if (is_certain(ev, &item->outcome))
        failed = ledger_suppress_put(l, w->tenant, to, &wanted, SUPPRESS_BY_REPLY, ev->at, &change, &err);
    else if (is_counted(ev, &item->outcome))
        failed = ledger_suppress_failed(l, w->tenant, to, &wanted.proof, e->options.suppress_after, ev->at,
                                        &change, &err);
    if (change == SUPPRESS_ADDED) added(e, w->tenant, to, wanted.reason);
    if (failed) log_say(LOG_LEVEL_ERROR, "suppression-list", "error", err.text, NULL);
}

/* ---- by request ---- */

int suppress_apply(struct engine *e, const struct suppress_request *r, struct err *err) {
    wall_us now = clock_wall();
    for (size_t i = 0; i < r->count; i++) {
        struct suppress_entry *entry = &r->entries[i];
        struct slice to = entry->address;
        if (r->remove ? ledger_suppress_remove(e->ledger, r->tenant, to, &entry->change, err)
                      : ledger_suppress_put(e->ledger, r->tenant, to, &entry->row, r->source, now,
                                            &entry->change, err))
            return -1;
        if (entry->change == SUPPRESS_ADDED)
            added(e, r->tenant, to, entry->row.reason ? entry->row.reason : SUPPRESS_MANUAL);
    }
    return 0;
}
