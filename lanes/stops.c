/* Orders in the backlog: queues that are stopped keep their place under their site and lane, counted there,
 * but stand in no round: who is not stopped never meets them. */
#include "backlog_priv.h"

void backlog_stop(struct backlog *b, struct queue *q) {
    struct site *site = queue_domain(q)->site;
    assert(site);
    if (q->stopped) return;
    flows_out(b, q);
    q->stopped = true;
    site->stopped += q->waiting;
    site->lane->stopped += q->waiting;
}

void backlog_go(struct backlog *b, struct queue *q) {
    struct site *site = queue_domain(q)->site;
    if (!q->stopped) return;
    q->stopped = false;
    site->stopped -= q->waiting;
    site->lane->stopped -= q->waiting;
    flows_in(b, q, site);
    backlog_run(b, site->lane);
}

bool backlog_take_out(struct backlog *b, struct queue *q, bool (*which)(void *, const struct batch *),
                      void (*drop)(void *, struct chunk *, const struct slots *), void *ctx) {
    struct batch *rest = NULL, **end = &rest, *last = NULL, *last_due = NULL;
    /* Each is popped, so that all is counted; those that stay are put together again. */
    while (q->first) {
        struct batch *first = q->first;
        if (!which || which(ctx, first)) {
            struct batch batch = backlog_pop(b, q);
            drop(ctx, batch.chunk, &batch.slots);
            continue;
        }
        q->first = first->next;
        if (q->last_due == first) q->last_due = NULL;
        if (first->due) last_due = first;
        first->next = NULL;
        *end = last = first;
        end = &first->next;
    }
    q->first = rest;
    q->last = last;
    q->last_due = last_due;
    if (q->first && q->flow) flows_turn(q);
    if (q->first) return false;
    backlog_queue_free(b, q);
    return true;
}

bool backlog_move(struct backlog *b, struct queue *q, struct domain *to) {
    while (q->first) {
        struct batch batch = backlog_pop(b, q);
        enum work work = batch.due ? WORK_DUE : WORK_FRESH;
        if (backlog_add(b, to, batch.chunk, &batch.slots, work)) continue;
        if (!backlog_put_back(b, queue_domain(q), batch.chunk, &batch.slots, work)) abort();
        return false;
    }
    backlog_queue_free(b, q);
    return true;
}

void backlog_each_of(struct backlog *b, struct domain *d, void (*fn)(void *, struct queue *), void *ctx) {
    struct site *site = d->site;
    for (struct queue *q = d->queues, *next; q; q = next) {
        next = q->sibling;
        fn(ctx, q);
    }
    if (d->queues) return;
    backlog_domain_check(b, d);
    if (site) backlog_site_check(b, site);
}

bool backlog_each(struct backlog *b, size_t *bucket, size_t buckets, void (*fn)(void *, struct queue *),
                  void *ctx) {
    b->walked = true;
    for (; buckets && *bucket < b->domain_slots; buckets--, ++*bucket)
        for (struct domain *d = b->domains[*bucket], *next; d; d = next) {
            next = d->same_hash;
            if (d->queues) backlog_each_of(b, d, fn, ctx);
        }
    b->walked = false;
    return *bucket < b->domain_slots;
}

void backlog_ask_again(struct backlog *b, bool (*which)(void *, const struct domain *), void *ctx) {
    for (struct domain *d = b->waiting; d; d = d->next)
        if (which(ctx, d)) d->again = 0;
}
