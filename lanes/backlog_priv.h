/* Inside of the backlog: domains and batches (backlog.c), sites and lanes (sites.c), lanes that sleep
 * (sleepers.c). */
#ifndef TSUBAME_BACKLOG_PRIV_H
#define TSUBAME_BACKLOG_PRIV_H

#include "backlog.h"
#include "hash.h"

#include <assert.h>
#include <stdlib.h>

/* Into and out of its site's ring of domains with work. next is NULL outside. */
void backlog_ring_in(struct domain *d);
void backlog_ring_out(struct domain *d);
void backlog_sites_done(struct backlog *b);
/* A tail lane without sites goes when no list has it any more. */
bool backlog_free_if_dead(struct backlog *b, struct lane *lane);
void backlog_rouse(struct backlog *b, struct lane *lane); /* one that sleeps is awake, and in no list */

#endif
