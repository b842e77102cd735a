/* Inside of the backlog: domains and batches (backlog.c), sites and lanes (sites.c). */
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

#endif
