/* What waits to be sent, by where it goes: batches of a chunk's recipients under their domain, domains under
 * the site (a set of mail exchangers) that takes their mail, sites under lanes. Pure bookkeeping: no I/O, no
 * clock; who calls decides.
 *
 *     lane (source x provider: limits)  <-  site (mail exchangers)  <-  domain  <-  batch (slots of one
 * chunk)
 *
 * Which of them is taken next is decided at the site, by priority and then by fair shares: flows.h.
 *
 * A domain without batches and a site without domains and sessions are forgotten: tail lanes come and go. */
#ifndef TSUBAME_BACKLOG_H
#define TSUBAME_BACKLOG_H

#include "buf.h"
#include "flows.h"
#include "learn.h"
#include "ledger.h"

struct batch {
    struct chunk *chunk; /* held (ledger_hold) while the batch lives */
    struct slots slots;  /* some of them may have been settled meanwhile: check the chunk's states */
    struct batch *next;
    bool due; /* WORK_DUE */
};

enum domain_state {
    DOMAIN_UNKNOWN, /* its exchangers are to be looked up: in the queue `asking`, or asked */
    DOMAIN_PLACED,  /* under a site */
    DOMAIN_WAITING  /* the look-up failed for now: not before `again` */
};

struct domain {
    uint64_t hash;
    struct domain *same_hash;
    struct queue *queues; /* one for each campaign that has something here */
    struct queue own;     /* the first of them has its place here; pair.of is NULL while it is free */
    unsigned source;      /* where its mail is to go from: a name has a domain for each */
    uint32_t waiting;     /* recipients in its batches */
    enum domain_state state;
    bool asked;  /* a look-up is under way */
    bool urgent; /* in the queue of those to be asked before all others */
    uint8_t failures;
    mono_us again;
    mono_us placed_until; /* then its exchangers are looked up anew */
    struct site *site;
    struct domain *next, *prev; /* in the list of those that wait or ask */
    uint8_t name_len;
    char name[];
};

struct site {
    uint64_t key; /* hash of its host names */
    struct site *same_key;
    struct lane *lane;
    struct domain *turn; /* whose turn it is; NULL: there is no work */
    struct flow_heap flows[PRIORITIES];
    struct tenant_share *tenants;
    uint32_t waiting;  /* recipients */
    uint32_t stopped;  /* those that orders keep, not part of `waiting` */
    uint32_t sessions; /* open or connecting */
    uint32_t connecting;
    uint32_t rotation;
    uint8_t failures; /* in a row, without a session that worked */
    mono_us failing_since, down_until;
    void *idle;               /* sessions that wait for work: the engine's */
    void *marks;              /* addresses where nobody was: the engine's, freed with the site */
    struct site *next, *prev; /* in its lane's ring */
    struct site *next_urgent,
        *prev_urgent; /* among those with transactional work; prev of the first is NULL */
    bool urgent;      /* it is one of them */
    struct slice mx;  /* mx_answer, encoded; the site's own */
};

struct lane {
    char name[128];
    struct learn learn;          /* what it may do; begun by whoever makes the lane */
    uint32_t hosts[LEARN_HOSTS]; /* hashes of the exchangers' names, as learn numbers them; 0: none yet */
    void *user;                  /* the engine's */
    int tls;                     /* enum engine_tls */
    bool bdat;
    mono_us paced_at; /* its pace held a session back last */
    float each_us;    /* for a mail, in the session that was looked at last */
    unsigned source;
    uint64_t set;      /* of a lane that is not all of a provider: which exchangers (lane_set_add); else 0 */
    bool unsaved;      /* it has learned something since it was kept: the engine's */
    mono_us saved_at;  /* the same */
    bool tail;         /* lives as long as its one site */
    struct site *turn; /* ring of its sites with work */
    struct site *urgent, *urgent_last; /* those of them with transactional work: to be looked at first */
    struct share *shares;              /* what campaigns have waiting in it */
    uint32_t sites;
    uint32_t waiting, stopped; /* recipients, as at a site */
    uint32_t counted;          /* by whom last: the engine's */
    uint64_t delivered, deferred, failed;
    char last_error[448];
    uint32_t resting; /* of its sessions: kept with nothing to do */
    void *parked;     /* sessions that wait for the lane's rate: the engine's */
    mono_us wake;     /* it sleeps until then */
    size_t sleeper;   /* its place among the sleepers, from 1; 0: it is awake */
    bool queued, starving, starving_urgent;
    struct lane *next, *prev;  /* all lanes */
    struct lane *next_in_list; /* of the run queue */
    struct lane *next_starving, *next_starving_urgent;
};

struct lane_list {
    struct lane *first, *last;
};

struct domain_list {
    struct domain *first, *last;
};

struct backlog {
    uint64_t seed;
    struct domain **domains;
    size_t domain_slots, domain_count;
    bool walked; /* backlog_each is under way: the buckets stay as they are */
    struct site **sites;
    size_t site_slots, site_count;
    struct pairs pairs; /* queues, flows and shares */
    uint64_t flow_order;
    struct lane *lanes; /* all */
    size_t lane_count;
    struct domain_list asking[PRIORITIES]; /* FIFOs of domains to look up */
    struct domain *waiting;                /* those whose look-up failed, unordered */
    struct lane_list run;                  /* lanes that may have something to do */
    struct lane **sleepers;                /* lanes that wait for a time: a heap, the first to wake on top */
    size_t sleeping, sleepers_room;
    struct lane_list starving[2];     /* lanes that wait for a session: small ones, big ones */
    struct lane_list starving_urgent; /* those of them with transactional work */
    size_t starving_count[2];
    uint64_t recipients;
    void (*gone)(void *ctx, struct lane *lane); /* called before a tail lane is freed; may be NULL */
    void *gone_ctx;
};

int backlog_init(struct backlog *b, uint64_t seed); /* 0, or -1 without memory */
/* Releases all batches (ledger_release through `release`). */
void backlog_done(struct backlog *b, void (*release)(void *ctx, struct chunk *chunk), void *ctx);

/* The domain of that name (lower case, at most 253 bytes) for mail from that source, made when new. NULL
 * without memory. */
struct domain *backlog_domain(struct backlog *b, struct slice name, unsigned source);
/* The same, but NULL when there is none. */
struct domain *backlog_domain_known(const struct backlog *b, struct slice name, unsigned source);

/* Adds recipients behind those of their campaign that wait with such work (flows.h); takes over the caller's
 * hold on the chunk. A new domain joins the queue of those to look up; a placed one puts its lane into the
 * run queue. False without memory (nothing changed). */
bool backlog_add(struct backlog *b, struct domain *d, struct chunk *chunk, const struct slots *slots,
                 enum work work);

/* The next domain to look up, or NULL: those with transactional mail first. */
struct domain *backlog_to_ask(const struct backlog *b);
/* The same; it counts as asked from then on. */
struct domain *backlog_next_to_ask(struct backlog *b);
/* Its look-up failed for now: it waits until `again`. */
void backlog_postpone(struct backlog *b, struct domain *d, mono_us again);
/* Those whose time has come join the queue again. Returns the earliest time that remains, or NEVER. */
mono_us backlog_wake_domains(struct backlog *b, mono_us now);

/* The site for a set of exchangers: `key` is the hash of its sorted host names, mx its encoded answer
 * (replaces the old one). lane: where it belongs when it is new. NULL without memory. */
struct site *backlog_site(struct backlog *b, uint64_t key);
struct site *backlog_site_new(struct backlog *b, uint64_t key, struct lane *lane, struct slice mx);
/* A newer answer for the same hosts: their addresses may have moved. */
void backlog_site_refresh(struct site *site, struct slice mx);
/* The domain's batches go to the site's exchangers until `until`. */
void backlog_place(struct backlog *b, struct domain *d, struct site *site, mono_us until);
/* The domain is taken from its site and is the next to be looked up. */
void backlog_unplace(struct backlog *b, struct domain *d);
/* Much goes there: if it is to be looked up, then next. */
void backlog_ask_first(struct backlog *b, struct domain *d);

/* Lanes of providers are found again by name and source; tail lanes are not. */
struct lane *backlog_lane(struct backlog *b, struct slice name, unsigned source); /* NULL: none */
struct lane *backlog_lane_new(struct backlog *b, struct slice name, unsigned source, bool tail);

/* Takes up to `most` waiting recipients of one chunk from the site, as flows.h says whose: only slots that
 * are SLOT_PENDING and whose campaign may go. What is stale is dropped on the way through `drop` (which gets
 * the hold back). Returns the number; the caller holds *chunk (a hold of its own). A domain without more is
 * forgotten.
 */
unsigned backlog_take(struct backlog *b, struct site *site, unsigned most, struct chunk **chunk,
                      struct slots *slots,
                      void (*drop)(void *ctx, struct chunk *chunk, const struct slots *slots), void *ctx);
/* The chunk that the next window would be of, or NULL. */
const struct chunk *backlog_next_chunk(const struct site *site);
/* Has it transactional work? */
static inline bool backlog_urgent(const struct site *site) {
    return site->flows[PRIORITY_TRANSACTIONAL].count > 0;
}
/* Puts recipients back in front of those of their campaign with such work (a window that was not sent). Takes
 * over the caller's hold. */
bool backlog_put_back(struct backlog *b, struct domain *d, struct chunk *chunk, const struct slots *slots,
                      enum work work);
/* Drops whatever belongs to campaigns that may not go: not `ready`, being swept, or waiting for their time.
 */
void backlog_purge(struct backlog *b, void (*drop)(void *ctx, struct chunk *chunk, const struct slots *slots),
                   void *ctx);
/* Takes everything of a domain that is not stopped: fn gets each batch with its hold. */
void backlog_drain(struct backlog *b, struct domain *d,
                   void (*fn)(void *ctx, struct chunk *chunk, const struct slots *slots), void *ctx);
/* ---- orders (stops.c): what a domain has of a campaign can be stopped, moved or taken out as a whole ----
 */

/* NULL: it has nothing of it. */
struct queue *backlog_queue(struct backlog *b, const struct domain *d, const struct campaign *c);
static inline struct domain *backlog_queue_domain(const struct queue *q) {
    return (struct domain *)(uintptr_t)q->pair.of;
}
/* It leaves its site's rounds, or comes back as the last of the round; only under a site. */
void backlog_stop(struct backlog *b, struct queue *q);
void backlog_go(struct backlog *b, struct queue *q);
/* Batches that `which` says yes to are taken out: `drop` gets the hold. An empty queue goes (its domain and
 * site are the caller's to check): true. */
bool backlog_take_out(struct backlog *b, struct queue *q, bool (*which)(void *ctx, const struct batch *batch),
                      void (*drop)(void *ctx, struct chunk *chunk, const struct slots *slots), void *ctx);
/* All of it goes to the end of what another domain has of its campaign; the queue is gone. False without
 * memory, and some may be where it was. */
bool backlog_move(struct backlog *b, struct queue *q, struct domain *to);
/* Calls fn for every queue of the `buckets` from *bucket on, which is moved on; fn may do any of the above
 * with it, and domains and sites that are left empty are forgotten. True: there are more. */
bool backlog_each(struct backlog *b, size_t *bucket, size_t buckets, void (*fn)(void *ctx, struct queue *q),
                  void *ctx);
/* The same for the queues of a domain, which may be gone afterwards. */
void backlog_each_of(struct backlog *b, struct domain *d, void (*fn)(void *ctx, struct queue *q), void *ctx);
/* Domains whose look-up failed are looked up again now, where `which` says yes. */
void backlog_ask_again(struct backlog *b, bool (*which)(void *ctx, const struct domain *d), void *ctx);

/* Forgets the domain if nothing waits under it and nobody asks for it. */
void backlog_domain_check(struct backlog *b, struct domain *d);
/* May mails of the campaign be begun? */
static inline bool backlog_may_go(const struct campaign *c) {
    return c->row.state == CAMPAIGN_READY && !c->sweeping && !c->waits;
}
/* Forgets the site (and its tail lane) if nothing needs it. */
void backlog_site_check(struct backlog *b, struct site *site);

void backlog_run(struct backlog *b, struct lane *lane);                  /* into the run queue, once */
struct lane *backlog_next_to_run(struct backlog *b);                     /* out of it, or NULL */
void backlog_sleep(struct backlog *b, struct lane *lane, mono_us until); /* wakes into the run queue */
void backlog_wake_lanes(struct backlog *b, mono_us now);
mono_us backlog_next_wake(const struct backlog *b); /* NEVER: nobody sleeps */

/* There is no session left for the lane: it waits for one behind others of its kind (once), whatever else it
 * does meanwhile. One with transactional work waits among those alone. */
void backlog_starve(struct backlog *b, struct lane *lane, bool big);
struct lane *backlog_next_starving(struct backlog *b, bool big); /* out of that queue, or NULL */
struct lane *backlog_next_urgent(struct backlog *b); /* the same of those with transactional work */

#endif
