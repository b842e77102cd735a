/* Domains and their batches: what waits, found by name and by where it goes. */
#include "backlog_priv.h"

int backlog_init(struct backlog *b, uint64_t seed) {
    *b = (struct backlog){.seed = seed, .domain_slots = 1024, .site_slots = 1024};
    b->domains = calloc(b->domain_slots, sizeof *b->domains);
    b->sites = calloc(b->site_slots, sizeof *b->sites);
    if (b->domains && b->sites) return 0;
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
    d->state = DOMAIN_UNKNOWN;
    d->asked = false;
    d->next = NULL;
    d->prev = b->asking_last;
    if (b->asking_last)
        b->asking_last->next = d;
    else
        b->asking = d;
    b->asking_last = d;
}

static void queue_to_ask_first(struct backlog *b, struct domain *d) {
    d->state = DOMAIN_UNKNOWN;
    d->asked = false;
    d->prev = NULL;
    d->next = b->asking;
    if (b->asking)
        b->asking->prev = d;
    else
        b->asking_last = d;
    b->asking = d;
}

struct domain *backlog_next_to_ask(struct backlog *b) {
    struct domain *d = b->asking;
    if (!d) return NULL;
    b->asking = d->next;
    if (d->next)
        d->next->prev = NULL;
    else
        b->asking_last = NULL;
    d->next = d->prev = NULL;
    d->asked = true;
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

static struct domain *find_domain(const struct backlog *b, struct slice name, uint64_t hash) {
    struct domain *d = b->domains[hash & (b->domain_slots - 1)];
    while (d && !(d->hash == hash && slice_eq(slice_make(d->name, d->name_len), name)))
        d = d->same_hash;
    return d;
}

const struct domain *backlog_domain_find(const struct backlog *b, struct slice name) {
    return find_domain(b, name, hash_bytes(name, b->seed));
}

struct domain *backlog_domain(struct backlog *b, struct slice name) {
    if (name.len > 253) return NULL;
    uint64_t hash = hash_bytes(name, b->seed);
    struct domain *known = find_domain(b, name, hash);
    if (known) return known;
    if (b->domain_count >= b->domain_slots) grow(b);
    struct domain *d = calloc(1, sizeof *d + name.len + 1);
    if (!d) return NULL;
    d->hash = hash;
    d->name_len = (uint8_t)name.len;
    if (name.len) memcpy(d->name, name.at, name.len);
    struct domain **bucket = &b->domains[hash & (b->domain_slots - 1)];
    d->same_hash = *bucket;
    *bucket = d;
    b->domain_count++;
    queue_to_ask(b, d);
    return d;
}

static void unlink_asking(struct backlog *b, struct domain *d) {
    if (d->prev)
        d->prev->next = d->next;
    else
        b->asking = d->next;
    if (d->next)
        d->next->prev = d->prev;
    else
        b->asking_last = d->prev;
}

void backlog_domain_check(struct backlog *b, struct domain *d) {
    if (d->first || d->asked) return;
    if (d->state == DOMAIN_WAITING)
        unlink_waiting(b, d);
    else if (d->state == DOMAIN_UNKNOWN)
        unlink_asking(b, d);
    else if (d->site)
        backlog_ring_out(d);
    struct domain **at = &b->domains[d->hash & (b->domain_slots - 1)];
    while (*at != d)
        at = &(*at)->same_hash;
    *at = d->same_hash;
    b->domain_count--;
    free(d);
}

/* ---- batches ---- */

static void count(struct backlog *b, struct domain *d, int64_t change) {
    d->waiting += (uint32_t)change;
    b->recipients += (uint64_t)change;
    if (!d->site) return;
    d->site->waiting += (uint32_t)change;
    d->site->lane->waiting += (uint32_t)change;
}

static struct batch *new_batch(struct chunk *chunk, const struct slots *slots) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch) *batch = (struct batch){.chunk = chunk, .slots = *slots};
    return batch;
}

static void added(struct backlog *b, struct domain *d, const struct slots *slots) {
    if (d->site && !d->next) backlog_ring_in(d);
    count(b, d, slots_count(slots));
    if (d->site) backlog_run(b, d->site->lane);
}

bool backlog_add(struct backlog *b, struct domain *d, struct chunk *chunk, const struct slots *slots) {
    struct batch *batch = new_batch(chunk, slots);
    if (!batch) return false;
    if (d->last)
        d->last->next = batch;
    else
        d->first = batch;
    d->last = batch;
    added(b, d, slots);
    return true;
}

bool backlog_put_back(struct backlog *b, struct domain *d, struct chunk *chunk, const struct slots *slots) {
    struct batch *batch = new_batch(chunk, slots);
    if (!batch) return false;
    batch->next = d->first;
    d->first = batch;
    if (!d->last) d->last = batch;
    added(b, d, slots);
    return true;
}

/* Takes the first batch off; its hold on the chunk is the caller's. */
static struct batch pop(struct backlog *b, struct domain *d) {
    struct batch *first = d->first, copy = *first;
    d->first = first->next;
    if (!d->first) d->last = NULL;
    count(b, d, -(int64_t)slots_count(&copy.slots));
    if (!d->first && d->site) backlog_ring_out(d);
    free(first);
    return copy;
}

void backlog_drain(struct backlog *b, struct domain *d,
                   void (*fn)(void *, struct chunk *, const struct slots *), void *ctx) {
    while (d->first) {
        struct batch batch = pop(b, d);
        fn(ctx, batch.chunk, &batch.slots);
    }
}

static bool may_go(const struct chunk *chunk) {
    return chunk->campaign->row.state == CAMPAIGN_READY && !chunk->campaign->sweeping;
}

/* Those of the batch that may go out now. */
static struct slots live_slots(const struct batch *batch) {
    struct slots live = {{0}};
    if (!may_go(batch->chunk)) return live;
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

unsigned backlog_take(struct backlog *b, struct site *site, unsigned most, struct chunk **chunk,
                      struct slots *slots, void (*drop)(void *, struct chunk *, const struct slots *),
                      void *ctx) {
    while (site->turn) {
        struct domain *d = site->turn;
        struct batch batch = pop(b, d);
        struct slots live = live_slots(&batch);
        unsigned n = slots_count(&live);
        if (n == 0) {
            drop(ctx, batch.chunk, &batch.slots);
            backlog_domain_check(b, d);
            continue;
        }
        *slots = move_slots(&live, most);
        *chunk = batch.chunk;
        n = slots_count(slots);
        if (slots_count(&live)) {
            ledger_hold(batch.chunk); /* the rest keeps a hold, the caller gets one */
            if (!backlog_put_back(b, d, batch.chunk, &live)) abort();
        }
        if (site->turn == d) site->turn = d->next;
        backlog_domain_check(b, d);
        return n;
    }
    return 0;
}

static void purge_domain(struct backlog *b, struct domain *d,
                         void (*drop)(void *, struct chunk *, const struct slots *), void *ctx) {
    struct batch **at = &d->first, *batch;
    d->last = NULL;
    while ((batch = *at)) {
        if (may_go(batch->chunk)) {
            d->last = batch;
            at = &batch->next;
            continue;
        }
        *at = batch->next;
        count(b, d, -(int64_t)slots_count(&batch->slots));
        drop(ctx, batch->chunk, &batch->slots);
        free(batch);
    }
    if (d->first) return;
    struct site *site = d->site;
    if (site) backlog_ring_out(d);
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
            while (d->first)
                release(ctx, pop(b, d).chunk);
            b->domains[i] = d->same_hash;
            free(d);
        }
    backlog_sites_done(b);
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
    site->waiting += d->waiting;
    site->lane->waiting += d->waiting;
    if (d->first) backlog_ring_in(d);
    backlog_run(b, site->lane);
}

void backlog_unplace(struct backlog *b, struct domain *d) {
    assert(d->state == DOMAIN_PLACED);
    if (d->next) backlog_ring_out(d);
    d->site->waiting -= d->waiting;
    d->site->lane->waiting -= d->waiting;
    d->site = NULL;
    queue_to_ask_first(b, d);
}

void backlog_ask_first(struct backlog *b, struct domain *d) {
    if (d->state != DOMAIN_UNKNOWN || d->asked || b->asking == d) return;
    unlink_asking(b, d);
    queue_to_ask_first(b, d);
}
