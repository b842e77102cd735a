/* Domains and their batches: what waits, found by name and by where it goes. */
#include "backlog_priv.h"

int backlog_init(struct backlog *b, uint64_t seed) {
    *b = (struct backlog){.seed = seed, .domain_slots = 1024, .site_slots = 1024};
    b->domains = calloc(b->domain_slots, sizeof *b->domains);
    b->sites = calloc(b->site_slots, sizeof *b->sites);
    if (b->domains && b->sites && pairs_init(&b->pairs, seed)) return 0;
    free(b->domains);
    free(b->sites);
    return -1;
}

/* Twice the buckets once there are as many domains as buckets; going on with fewer is slow, not wrong. */
static void grow(struct backlog *b) {
    size_t slots = b->domain_slots * 2;
    struct domain **domains = calloc(slots, sizeof *domains);
    if (!domains) return;
    for (size_t i = 0; i < b->domain_slots; i++)
        for (struct domain *d = b->domains[i], *next; d; d = next) {
            next = d->same_hash;
            d->same_hash = domains[d->hash & (slots - 1)];
            domains[d->hash & (slots - 1)] = d;
        }
    free(b->domains);
    b->domains = domains;
    b->domain_slots = slots;
}

/* ---- the queue of those to look up ---- */

static void queue_to_ask(struct backlog *b, struct domain *d) {
    struct domain_list *list = &b->asking[d->urgent];
    d->state = DOMAIN_UNKNOWN;
    d->asked = false;
    d->next = NULL;
    d->prev = list->last;
    if (list->last)
        list->last->next = d;
    else
        list->first = d;
    list->last = d;
}

static void queue_to_ask_first(struct backlog *b, struct domain *d) {
    struct domain_list *list = &b->asking[d->urgent];
    d->state = DOMAIN_UNKNOWN;
    d->asked = false;
    d->prev = NULL;
    d->next = list->first;
    if (list->first)
        list->first->prev = d;
    else
        list->last = d;
    list->first = d;
}

static void unlink_asking(struct backlog *b, struct domain *d) {
    struct domain_list *list = &b->asking[d->urgent];
    if (d->prev)
        d->prev->next = d->next;
    else
        list->first = d->next;
    if (d->next)
        d->next->prev = d->prev;
    else
        list->last = d->prev;
    d->next = d->prev = NULL;
}

struct domain *backlog_to_ask(const struct backlog *b) {
    struct domain *d = b->asking[PRIORITY_TRANSACTIONAL].first;
    return d ? d : b->asking[PRIORITY_BULK].first;
}

struct domain *backlog_next_to_ask(struct backlog *b) {
    struct domain *d = backlog_to_ask(b);
    if (!d) return NULL;
    unlink_asking(b, d);
    d->asked = true;
    d->urgent = false;
    return d;
}

static void unlink_waiting(struct backlog *b, struct domain *d) {
    if (d->prev)
        d->prev->next = d->next;
    else
        b->waiting = d->next;
    if (d->next) d->next->prev = d->prev;
    d->next = d->prev = NULL;
}

void backlog_postpone(struct backlog *b, struct domain *d, mono_us again) {
    assert(d->state == DOMAIN_UNKNOWN && d->asked);
    d->state = DOMAIN_WAITING;
    d->asked = false;
    d->again = again;
    d->prev = NULL;
    d->next = b->waiting;
    if (d->next) d->next->prev = d;
    b->waiting = d;
}

mono_us backlog_wake_domains(struct backlog *b, mono_us now) {
    mono_us earliest = NEVER;
    for (struct domain *d = b->waiting, *next; d; d = next) {
        next = d->next;
        if (d->again > now) {
            if (d->again < earliest) earliest = d->again;
            continue;
        }
        unlink_waiting(b, d);
        queue_to_ask(b, d);
    }
    return earliest;
}

/* ---- domains ---- */

static uint64_t hash_of(const struct backlog *b, struct slice name, unsigned source) {
    return hash_bytes(name, b->seed + source);
}

struct domain *backlog_domain_known(const struct backlog *b, struct slice name, unsigned source) {
    uint64_t hash = hash_of(b, name, source);
    struct domain *d = b->domains[hash & (b->domain_slots - 1)];
    while (d && !(d->hash == hash && d->source == source && slice_eq(slice_make(d->name, d->name_len), name)))
        d = d->same_hash;
    return d;
}

struct domain *backlog_domain(struct backlog *b, struct slice name, unsigned source) {
    if (name.len > 253) return NULL;
    struct domain *d = backlog_domain_known(b, name, source);
    if (d) return d;
    if (b->domain_count >= b->domain_slots && !b->walked) grow(b);
    uint64_t hash = hash_of(b, name, source);
    if (!(d = calloc(1, sizeof *d + name.len + 1))) return NULL;
    d->hash = hash;
    d->source = source;
    d->name_len = (uint8_t)name.len;
    if (name.len) memcpy(d->name, name.at, name.len);
    struct domain **bucket = &b->domains[hash & (b->domain_slots - 1)];
    d->same_hash = *bucket;
    *bucket = d;
    b->domain_count++;
    queue_to_ask(b, d);
    return d;
}

void backlog_domain_check(struct backlog *b, struct domain *d) {
    if (d->queues || d->asked) return;
    if (d->state == DOMAIN_WAITING)
        unlink_waiting(b, d);
    else if (d->state == DOMAIN_UNKNOWN)
        unlink_asking(b, d);
    struct domain **at = &b->domains[d->hash & (b->domain_slots - 1)];
    while (*at != d)
        at = &(*at)->same_hash;
    *at = d->same_hash;
    b->domain_count--;
    free(d);
}

/* ---- batches ---- */

static void count(struct backlog *b, struct queue *q, int64_t change) {
    struct domain *d = queue_domain(q);
    q->waiting += (uint32_t)change;
    d->waiting += (uint32_t)change;
    b->recipients += (uint64_t)change;
    if (!d->site) return;
    if (q->stopped) {
        d->site->stopped += (uint32_t)change;
        d->site->lane->stopped += (uint32_t)change;
        return;
    }
    q->flow->share->waiting += (uint64_t)change;
    d->site->waiting += (uint32_t)change;
    d->site->lane->waiting += (uint32_t)change;
}

struct queue *backlog_queue(struct backlog *b, const struct domain *d, const struct campaign *c) {
    if (d->own.pair.whose == c && d->own.pair.of) return (struct queue *)(uintptr_t)&d->own;
    return (struct queue *)pairs_find(&b->pairs, d, c);
}

/* The domain's queue for that campaign, made when new; NULL without memory. */
static struct queue *queue_for(struct backlog *b, struct domain *d, const struct campaign *c) {
    struct queue *q = backlog_queue(b, d, c);
    if (q) return q;
    q = d->own.pair.of ? malloc(sizeof *q) : &d->own;
    if (!q) return NULL;
    *q = (struct queue){.pair = {.of = d, .whose = c}, .sibling = d->queues};
    if (q->sibling) q->sibling->before = q;
    d->queues = q;
    pairs_add(&b->pairs, &q->pair);
    return q;
}

/* It is empty. */
void backlog_queue_free(struct backlog *b, struct queue *q) {
    struct domain *d = queue_domain(q);
    assert(!q->first && !q->waiting);
    if (q->flow) flows_out(b, q);
    if (q->before)
        q->before->sibling = q->sibling;
    else
        d->queues = q->sibling;
    if (q->sibling) q->sibling->before = q->before;
    pairs_drop(&b->pairs, &q->pair);
    if (q == &d->own)
        *q = (struct queue){0};
    else
        free(q);
}

static void ask_urgently(struct backlog *b, struct domain *d) {
    if (d->state != DOMAIN_UNKNOWN || d->asked || d->urgent) return;
    unlink_asking(b, d);
    d->urgent = true;
    queue_to_ask(b, d);
}

/* Between those that are due and those that are not: a batch of either kind. */
static void link_batch(struct queue *q, struct batch *batch, bool in_front) {
    struct batch *before = in_front ? batch->due ? NULL : q->last_due : batch->due ? q->last_due : q->last;
    struct batch **at = before ? &before->next : &q->first;
    batch->next = *at;
    *at = batch;
    if (q->last == before) q->last = batch;
    if (batch->due && q->last_due == before) q->last_due = batch;
}

static bool put(struct backlog *b, struct domain *d, struct chunk *chunk, const struct slots *slots,
                enum work work, bool in_front) {
    struct batch *batch = calloc(1, sizeof *batch);
    struct queue *q = batch ? queue_for(b, d, chunk->campaign) : NULL;
    if (!q) {
        free(batch);
        return false;
    }
    *batch = (struct batch){.chunk = chunk, .slots = *slots, .due = work == WORK_DUE};
    link_batch(q, batch, in_front);
    if (chunk->campaign->row.course.priority == PRIORITY_TRANSACTIONAL) ask_urgently(b, d);
    if (d->site && !q->flow && !q->stopped) flows_in(b, q, d->site);
    count(b, q, slots_count(slots));
    if (q->flow) flows_turn(q);
    if (d->site) backlog_run(b, d->site->lane);
    return true;
}

bool backlog_add(struct backlog *b, struct domain *d, struct chunk *chunk, const struct slots *slots,
                 enum work work) {
    return put(b, d, chunk, slots, work, false);
}

bool backlog_put_back(struct backlog *b, struct domain *d, struct chunk *chunk, const struct slots *slots,
                      enum work work) {
    return put(b, d, chunk, slots, work, true);
}

/* The link to the queue's first batch of that work. */
static struct batch **first_of(struct queue *q, enum work work) {
    return work == WORK_FRESH && q->last_due ? &q->last_due->next : &q->first;
}

struct batch backlog_pop_of(struct backlog *b, struct queue *q, enum work work) {
    struct batch **at = first_of(q, work), *batch = *at, copy = *batch;
    *at = batch->next;
    if (q->last_due == batch) q->last_due = NULL;
    if (q->last == batch) q->last = q->last_due;
    count(b, q, -(int64_t)slots_count(&copy.slots));
    if (q->first && q->flow) flows_turn(q);
    free(batch);
    return copy;
}

struct batch backlog_pop(struct backlog *b, struct queue *q) {
    return backlog_pop_of(b, q, q->last_due ? WORK_DUE : WORK_FRESH);
}

void backlog_drain(struct backlog *b, struct domain *d,
                   void (*fn)(void *, struct chunk *, const struct slots *), void *ctx) {
    for (struct queue *q = d->queues, *next; q; q = next) {
        next = q->sibling;
        if (q->stopped) continue;
        while (q->first) {
            struct batch batch = backlog_pop(b, q);
            fn(ctx, batch.chunk, &batch.slots);
        }
        backlog_queue_free(b, q);
    }
}

/* Those of the batch that may go out now. */
static struct slots live_slots(const struct batch *batch) {
    struct slots live = {{0}};
    if (!backlog_may_go(batch->chunk->campaign)) return live;
    for (int i = slots_next(&batch->slots, 0); i >= 0; i = slots_next(&batch->slots, (unsigned)i + 1))
        if (batch->chunk->states[i] == SLOT_PENDING) slots_add(&live, (unsigned)i);
    return live;
}

/* The first `most` of a set move from `from` into the result. */
static struct slots move_slots(struct slots *from, unsigned most) {
    struct slots moved = {{0}};
    for (int i = slots_next(from, 0); i >= 0 && most; i = slots_next(from, (unsigned)i + 1), most--) {
        slots_add(&moved, (unsigned)i);
        slots_drop(from, (unsigned)i);
    }
    return moved;
}

const struct chunk *backlog_next_chunk(const struct site *site) {
    const struct flow *f = flows_first(site);
    return f ? (*first_of(f->turn[flows_work(f)], flows_work(f)))->chunk : NULL;
}

/* An empty queue goes, and its domain with it when it was the last. */
static void forget_empty(struct backlog *b, struct queue *q) {
    struct domain *d = queue_domain(q);
    if (q->first) return;
    backlog_queue_free(b, q);
    backlog_domain_check(b, d);
}

unsigned backlog_take(struct backlog *b, struct site *site, unsigned most, struct chunk **chunk,
                      struct slots *slots, void (*drop)(void *, struct chunk *, const struct slots *),
                      void *ctx) {
    struct flow *f;
    while ((f = flows_first(site))) {
        enum work work = flows_work(f);
        struct queue *q = f->turn[work];
        struct batch *batch = *first_of(q, work);
        struct slots live = live_slots(batch);
        if (slots_count(&live) == 0) {
            struct batch stale = backlog_pop_of(b, q, work);
            drop(ctx, stale.chunk, &stale.slots);
            forget_empty(b, q);
            continue;
        }
        unsigned before = slots_count(&batch->slots), rest;
        *slots = move_slots(&live, most);
        *chunk = batch->chunk;
        if ((rest = slots_count(&live))) {
            ledger_hold(batch->chunk); /* the rest keeps a hold, the caller gets one */
            batch->slots = live;
            count(b, q, (int64_t)rest - before);
        } else {
            backlog_pop_of(b, q, work);
        }
        unsigned n = slots_count(slots);
        flows_charge(site, f, q, work, n);
        forget_empty(b, q);
        return n;
    }
    return 0;
}

static void purge_domain(struct backlog *b, struct domain *d,
                         void (*drop)(void *, struct chunk *, const struct slots *), void *ctx) {
    struct site *site = d->site;
    bool any = false;
    for (struct queue *q = d->queues, *next; q; q = next) {
        next = q->sibling;
        if (backlog_may_go(q->first->chunk->campaign)) continue;
        any = true;
        while (q->first) {
            struct batch batch = backlog_pop(b, q);
            drop(ctx, batch.chunk, &batch.slots);
        }
        backlog_queue_free(b, q);
    }
    if (!any || d->queues) return;
    backlog_domain_check(b, d);
    if (site) backlog_site_check(b, site);
}

void backlog_purge(struct backlog *b, void (*drop)(void *, struct chunk *, const struct slots *), void *ctx) {
    for (size_t i = 0; i < b->domain_slots; i++)
        for (struct domain *d = b->domains[i], *next; d; d = next) {
            next = d->same_hash;
            purge_domain(b, d, drop, ctx);
        }
}

void backlog_done(struct backlog *b, void (*release)(void *, struct chunk *), void *ctx) {
    for (size_t i = 0; i < b->domain_slots; i++)
        while (b->domains[i]) {
            struct domain *d = b->domains[i];
            for (struct queue *q = d->queues, *next; q; q = next) {
                next = q->sibling;
                while (q->first)
                    release(ctx, backlog_pop(b, q).chunk);
                backlog_queue_free(b, q);
            }
            b->domains[i] = d->same_hash;
            free(d);
        }
    backlog_sites_done(b);
    pairs_done(&b->pairs);
    free(b->domains);
    free(b->sites);
}

/* ---- where a domain's mail goes ---- */

void backlog_place(struct backlog *b, struct domain *d, struct site *site, mono_us until) {
    assert(d->state == DOMAIN_UNKNOWN && d->asked);
    d->state = DOMAIN_PLACED;
    d->asked = false;
    d->failures = 0;
    d->placed_until = until;
    d->site = site;
    for (struct queue *q = d->queues; q; q = q->sibling)
        flows_in(b, q, site);
    backlog_run(b, site->lane);
}

void backlog_unplace(struct backlog *b, struct domain *d) {
    assert(d->state == DOMAIN_PLACED);
    for (struct queue *q = d->queues; q; q = q->sibling) {
        if (q->stopped) backlog_go(b, q); /* whoever places it again asks the orders again */
        d->urgent |= q->flow->priority == PRIORITY_TRANSACTIONAL;
        flows_out(b, q);
    }
    d->site = NULL;
    queue_to_ask_first(b, d);
}

void backlog_ask_first(struct backlog *b, struct domain *d) {
    if (d->state != DOMAIN_UNKNOWN || d->asked || b->asking[d->urgent].first == d) return;
    unlink_asking(b, d);
    queue_to_ask_first(b, d);
}
