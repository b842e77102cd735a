/* Inside of the backlog: domains and batches (backlog.c), sites and lanes (sites.c), lanes that sleep
 * (sleepers.c), campaigns at a site (flows.c). */
#ifndef TSUBAME_BACKLOG_PRIV_H
#define TSUBAME_BACKLOG_PRIV_H

#include "backlog.h"
#include "hash.h"

#include <assert.h>
#include <stdlib.h>

/* The queue is empty; and its first batch of that work, or of all, is taken off: the hold on the chunk is the
 * caller's, and an empty queue the caller's to free. */
void backlog_queue_free(struct backlog *b, struct queue *q);
struct batch backlog_pop_of(struct backlog *b, struct queue *q, enum work work);
struct batch backlog_pop(struct backlog *b, struct queue *q);

static inline struct domain *queue_domain(const struct queue *q) {
    return (struct domain *)(uintptr_t)q->pair.of;
}

/* What is waiting at the site has changed: into its lane's rings or out of them, and whose turn it is. */
void backlog_site_turn(struct site *site);
void backlog_sites_done(struct backlog *b);
/* A tail lane without sites goes when no list has it any more. */
bool backlog_free_if_dead(struct backlog *b, struct lane *lane);
void backlog_rouse(struct backlog *b, struct lane *lane); /* one that sleeps is awake, and in no list */

#endif
