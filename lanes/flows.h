/* How campaigns share a site: which of them is taken from next.
 *
 * A *flow* is what a campaign has waiting at a site. Transactional flows go before bulk ones. Among those of
 * a priority each has a start tag: the least is next, and is moved on by what was taken of it, counted in
 * recipients and divided by its share (start-time fair queueing). Tenants share alike, the campaigns of a
 * tenant by their weights: a flow's share is its weight in the sum of its tenant's at work here, so a
 * tenant's flows together move like one. A flow that begins starts where the site is now: it catches up on
 * nothing. One that runs empty while others wait is remembered until the site has come to its tag: coming
 * back, it pays for what it had. O(log n) in the flows of the site.
 *
 * Within a flow what is due again (WORK_DUE: put off before, and its time has come) goes before what was
 * never begun, three recipients for each of these while both wait: a receiver that puts off and forgets is
 * met again in time, and neither stands still behind the other. Among each of the two the domains take turns,
 * those with something due in the order in which it came. Internal to the backlog. */
#ifndef TSUBAME_FLOWS_H
#define TSUBAME_FLOWS_H

#include "pairs.h"
#include "row.h"

struct backlog;
struct batch;
struct campaign;
struct domain;
struct flow;
struct lane;
struct site;

enum work { WORK_FRESH, WORK_DUE, WORKS };

struct round { /* a place in a ring; next is NULL out of it */
    struct queue *next, *prev;
};

/* What a domain has of a campaign: batches, those that are due again in front. */
struct queue {
    struct pair pair; /* of a domain, whose campaign */
    struct batch *first, *last;
    struct batch *last_due;         /* NULL: none is */
    struct flow *flow;              /* NULL: its domain is under no site, or it is stopped */
    bool stopped;                   /* by an order: under its site, and out of its turn (backlog_stop) */
    uint32_t waiting;               /* recipients */
    struct round in[WORKS];         /* its flow's rings, of those that have such work */
    struct queue *sibling, *before; /* of its domain */
};

/* What a campaign has in a lane. */
struct share {
    struct pair pair; /* of a lane, whose campaign */
    uint32_t flows;
    uint64_t waiting;
    struct share *next, *prev; /* of its lane */
};

/* What a tenant has at a site. */
struct tenant_share {
    uint32_t number, flows;
    uint64_t weights[PRIORITIES]; /* the sum of those of its flows with work */
    struct tenant_share *next;
};

struct flow {
    struct pair pair; /* of a site, whose campaign */
    struct share *share;
    struct tenant_share *tenant;
    struct queue *turn[WORKS]; /* rings of its queues; both NULL: it is empty, and remembered */
    double start;              /* the tag */
    uint64_t order;            /* among equals, who came first */
    uint32_t weight;
    uint32_t place; /* in the heap */
    int32_t owed;   /* recipients to those that are due; they are next while it is not below 0 */
    enum campaign_priority priority;
    struct flow *next; /* among those remembered */
};

/* The flows of a site with work, the least tag first (a heap), and those remembered. */
struct flow_heap {
    struct flow **at;
    uint32_t count, room;
    double now; /* the tag that was taken from last */
    struct flow *past, *past_last;
};

/* The queue joins the flow of its campaign at the site, as the last of the round, or leaves it. Counts of
 * site, lane and share are kept. Without memory: abort. */
void flows_in(struct backlog *b, struct queue *q, struct site *site);
void flows_out(struct backlog *b, struct queue *q);
/* What the queue has was changed, and it is not empty: into the rings of its flow, and out of them. */
void flows_turn(struct queue *q);
/* Who is next, or NULL; and which of its work: of the queue whose turn that is. */
struct flow *flows_first(const struct site *site);
enum work flows_work(const struct flow *f);
/* n recipients were taken of that work of it; the queue has had its turn. */
void flows_charge(struct site *site, struct flow *f, struct queue *q, enum work work, unsigned n);
/* All that is remembered is forgotten: the site goes. */
void flows_done(struct backlog *b, struct site *site);

#endif
