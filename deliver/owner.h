/* Inside of the engine: the owner thread's state, and the files that work on it.
 *
 *     engine.c    start, stop, the loop, messages
 *     feed.c      chunks and retries into the backlog; tables and contents in memory
 *     resolve.c   domains to sites
 *     doubt.c     whether the DNS is believed
 *     schedule.c  lanes to sessions
 *     serve.c     sessions to windows
 *     sessions.c  the beginning and the end of a session
 *     resting.c   sessions kept with nothing to do
 *     learning.c  what they meet with, told to their lane
 *     lane_show.c lanes for people
 *     remembering.c what they have learned, kept; the audit trail
 *     overtake.c  a session of bulk ends for transactional mail
 *     source.c    proxies that do not work
 *     settle.c    outcomes into the ledger
 *     suppress.c  the suppression list before and after them
 *     commit.c    seal, submit, release of windows
 *     control.c   what other threads ask
 *     inspect.c   what waits, and where it is bound
 *     trace.c     who watches conversations
 *     plan.c      when a campaign will be through
 *     hands.c     orders that stand: what they stop, and where it goes from
 *     aside.c     what an order keeps out of the backlog
 *     hands_jobs.c  cancelling and flushing, a piece at a time
 *     hands_ask.c what people ask of all that
 *     time.c      the clock that retries and expiry go by
 *
 * All of it runs on the owner thread, save the public functions of engine.h. */
#ifndef TSUBAME_OWNER_H
#define TSUBAME_OWNER_H

#include "chunk_table.h"
#include "dns.h"
#include "engine.h"
#include "keyring.h"
#include "lane_audit.h"
#include "orders.h"
#include "steady.h"
#include "suppress.h"
#include "worker.h"

#include <stdatomic.h>

enum {
    FLIGHT_MAX = 2, /* batches submitted and not durable: more would only queue up */
    FLIGHT_ROOM = 64,
    SEAL_EVENTS = 512,              /* events that are committed without waiting for the time */
    UNSEALED_MAX = 8 * SEAL_EVENTS, /* more than that: nothing new before a commit has come through */
    MIXED_A_TURN = 64,
    MIXED_BYTES_MAX = 24 << 20,    /* tables of chunks of many domains, taken apart at a time */
    MIXED_BYTES_URGENT = 32 << 20, /* the same for transactional mail */
    RETRIES_AT_WORK_MAX = 8192,    /* recipients taken from the retry table at a time */
    LANES_A_TURN = 256,
    BIG_WAITING = 64,   /* a lane for which so many wait counts as big */
    LANES_AHEAD = 1000, /* small lanes that may wait for a session: then no more domains are looked up */
    DEFER_INSTEAD = 512 /* a domain with fewer waiting has them deferred when its way is blocked */
};
#define SEAL_US            (20 * US_PER_MS)
#define LEASE_US           (5 * US_PER_MS) /* while a session waits for its window */
#define TICK_US            (50 * US_PER_MS)
#define WAKE_US            (2 * US_PER_MS)
#define IDLE_TICK_US       US_PER_SEC
#define CHECKPOINT_US      (5 * US_PER_SEC)
#define IDLE_CHECKPOINT_US (60 * US_PER_SEC)
#define LAG_WINDOW_US      (15 * US_PER_SEC)
#define STALL_US           (3 * US_PER_SEC)

struct feed_item {
    struct chunk *chunk; /* held */
    struct feed_item *next;
};
struct feed_list {
    struct feed_item *first, *last;
};

/* What chunk->user is. */
struct opened {
    struct chunk_table *table; /* NULL: not in memory now */
    bool mixed;                /* its bytes are counted */
    bool listed;               /* set aside: held for it */
    struct slots aside;        /* those of its recipients that are */
    struct chunk *next_aside;
};

struct call;

struct aside_list {
    struct chunk *first, *last;
};

struct job;

/* Orders by people. */
struct hands {
    struct orders orders;
    struct job *jobs;
    struct aside_list aside, anew; /* kept by orders; to be looked at again */
    size_t identities;             /* so many others besides the orders ask for them */
    wall_us next_end;              /* of an order */
    bool over_due;                 /* a campaign has ended: orders about it alone are over */
    uint32_t counting;             /* the last count of what an order touches */
};

/* A look-up under way. */
struct question {
    struct engine *engine;
    struct domain *domain;
    struct question *prev, *next;
};

/* What is known of a source's proxy. All zero without one. */
struct source {
    unsigned failures; /* in a row */
    mono_us failed_at; /* the last of them */
    mono_us down_until;
    uint64_t failed; /* sessions, since start */
    char last_error[EVENT_TEXT_MAX + 1];
};

/* doubt.c: is NXDOMAIN to be believed? */
struct dns_doubt {
    struct engine *engine;
    unsigned row;               /* NXDOMAINs since the last domain that was there */
    bool asking, lies;          /* the good one is asked again; it was gone */
    mono_us vouched_at;         /* it was there; 0: not asked, or gone */
    char good[MX_NAME_MAX + 1]; /* a domain that was there lately */
};

struct engine {
    struct engine_options options;
    struct store *store;
    pthread_t thread;
    struct loop *loop;
    struct loop_wake *wake;
    struct mailbox in;
    struct loop_timer seal_timer, tick_timer, grace_timer;
    struct loop_timer lanes_timer; /* when the next lane wakes */
    struct ledger *ledger;
    struct backlog backlog;
    struct resolver *resolver;
    struct keyring_hook keys;
    struct worker *workers;
    unsigned turn;     /* the next worker to get a session */
    unsigned quiet;    /* workers that have said so */
    struct pack *pack; /* for reading chunk tables */
    struct buf scratch;

    struct source *sources;   /* by their index in the options */
    struct session *sessions; /* all */
    uint32_t session_count, big_sessions;
    struct session *resting, *resting_last; /* with nothing to do, the longest first */
    uint32_t resting_count;
    uint32_t ending; /* sessions told to finish that are not gone */
    struct question *questions;
    struct dns_doubt doubt;
    struct feed_list mixed[PRIORITIES];    /* chunks of many domains, not taken apart yet */
    size_t mixed_bytes;                    /* of the tables of such chunks */
    struct window *waiting, *waiting_last; /* for their commit */
    unsigned windows_out;                  /* with workers */

    struct store_batch *unsubmitted;                    /* the writer's queue was full */
    struct store_batch *in_flight_batches[FLIGHT_ROOM]; /* a queue */
    unsigned in_flight_first, in_flight;
    bool hurry;     /* somebody waits for the next commit */
    bool held_back; /* something was not done because commits are late */
    bool purge_due; /* a campaign is not to go on: out of the backlog with it */
    bool sweep_due;
    mono_us flight_since;                 /* the oldest of them */
    mono_us checkpoint_at, checkpoint_by; /* the next: when there is something for it; at the latest */
    bool stalled;
    char stall_text[256];
    struct steady steady;
    bool clock_off;   /* the wall clock is elsewhere, and it was said */
    wall_us next_due; /* of the retry table, by time_now */
    mono_us expiry_at;
    struct call *calls; /* that wait for their batch */
    struct hands hands;
    struct recent *recent;

    bool draining; /* no new work */
    bool final;    /* the last checkpoint is being written */
    int64_t grace_us;

    atomic_uint_fast64_t projected, committed;
    atomic_uint traces; /* under way, or not let go of by all workers (trace.c) */
    void (*on_commit)(void *ctx, uint64_t sequence);
    void *on_commit_ctx;
    uint64_t sealed_sequence[FLIGHT_ROOM]; /* by batch number */
    struct lane_audit audit;
    uint64_t audit_lost;           /* as it was logged */
    mono_us audit_at, remember_at; /* when to look again */
    struct engine_counters counters;
    mono_us tick_due;
    int64_t lag_before;  /* the worst of the window before this one */
    mono_us lag_changes; /* when a new window begins */
};

/* feed.c */
struct chunk_table *feed_table(const struct chunk *chunk); /* loaded */
void feed_purge(struct engine *e);
void feed_chunk(void *ctx, struct chunk *chunk, const struct chunk_row *row);
void feed_mixed(struct engine *e);
void feed_retries(struct engine *e);
void feed_return(struct engine *e, struct chunk *chunk, const struct slots *slots);
void feed_drop(void *ctx, struct chunk *chunk, const struct slots *slots);
void feed_forget(void *ctx, struct chunk *chunk);
void feed_campaign_done(void *ctx, struct campaign *c);
void feed_done(struct engine *e);
bool feed_is_loaded(const struct chunk *chunk); /* its table */
void feed_due(void *ctx, struct chunk *chunk, const struct slots *slots);
void feed_count_mixed(struct engine *e, struct chunk *chunk); /* its table counts among those of mixed ones */
/* As ledger_release; a table that nobody needs any more is not kept. */
void feed_let_go(struct engine *e, struct chunk *chunk);
/* The table goes that was loaded just to look into it (feed_is_loaded was false before). */
void feed_put_away(struct engine *e, struct chunk *chunk);
/* The From address of the campaign's mails. NULL: its content cannot be read, and it is held. */
const struct address *feed_from(struct engine *e, struct campaign *c);
/* The chunk's table and its campaign's content; false (the campaign is then held) when they can't be read. */
bool feed_load(struct engine *e, struct chunk *chunk);
/* The campaign can't go on: what is stored is not what it must be. */
void feed_hold_broken(struct engine *e, struct campaign *c, const struct err *err);

/* resolve.c */
void resolve_some(struct engine *e);
void resolve_done(struct engine *e);
/* The configured provider that these exchangers are of, or NULL. */
const char *resolve_provider(const struct engine *e, const struct mx_answer *mx);
/* Always the same source for a domain, after a restart too: greylisting looks at it. */
unsigned resolve_source(const struct engine *e, struct slice domain);
/* The name of the lane of a domain, as far as it is known; empty: not yet. `scratch` is reset; the name may
 * point into it, and is valid until the backlog changes. */
struct slice resolve_lane(struct engine *e, struct slice domain, unsigned source, struct buf *scratch);

/* Looks at an answer for a domain; NXDOMAIN that is not believed becomes MX_TEMPORARY. */
void doubt_answer(struct engine *e, struct slice domain, struct mx_answer *mx);

/* schedule.c */
void schedule_lanes(struct engine *e);
/* Lanes for which few wait come and go by the thousand; they and the big ones leave each other room. */
bool lane_is_big(const struct lane *lane);

/* serve.c */
void schedule_ready(struct engine *e, struct session *s);
/* Those that wait for their lane's rate ask again, those with transactional mail to send first. */
void serve_parked(struct engine *e, struct lane *lane, mono_us now);
/* Those that wait at the site for work get it. True: there is more work, and nobody waits. */
bool serve_idle(struct engine *e, struct site *site, mono_us now);
/* Domains whose mail exchangers are old news leave their turn. */
void serve_refresh(struct engine *e, struct site *site, mono_us now);
void schedule_unlist(struct engine *e, struct session *s); /* from the lists of those that wait */
void schedule_finish(struct engine *e, struct session *s); /* once */
void schedule_send(struct engine *e, struct window *w);
void schedule_take_back(struct engine *e, struct window *w); /* instead: it was halted before it was sent */

/* sessions.c */
/* To where the lane let it be opened. False without memory. */
bool session_open(struct engine *e, struct site *site, const struct learn_session *learn,
                  const struct session_target *targets, unsigned n);
/* What it has learned of its addresses on its way in, or before it gave up. */
void session_targets(struct site *site, const struct session *s, mono_us now);
void schedule_settled(struct engine *e, struct session *s); /* its last window is */
void schedule_ended(struct engine *e, struct session *s);
void schedule_gone(struct engine *e, struct session *s); /* ended, and its last window is settled */
/* Nothing works at the site. */
void site_failed(struct engine *e, struct site *site, const struct outcome *why);

/* hands.c */
enum fate { FATE_GO, FATE_STOP, FATE_CANCEL };
int hands_init(struct engine *e, struct err *err); /* before chunks are fed */
void hands_done(struct engine *e);
/* The domain of that name whose source is the one that mail of this campaign goes from. NULL without memory.
 */
struct domain *hands_domain(struct engine *e, struct slice name, struct campaign *c);
/* Recipients on their way into the backlog: true when an order keeps them out of it (the hold is taken over;
 * the domain, if it was made for them, is gone). */
bool hands_keep(struct engine *e, struct domain *d, struct chunk *chunk, const struct slots *slots);
/* What has just come into the backlog is stopped if an order says so. */
void hands_stop(struct engine *e, struct queue *q);
void hands_placed(struct engine *e, struct domain *d); /* the domain may be gone afterwards */
/* An outcome that would be tried again: cancelled when that was ordered. */
void hands_settling(struct engine *e, const struct window *w, struct slice to, struct event *ev);
void hands_turn(struct engine *e);
/* All or one order has changed: the backlog is looked through. NULL: one was taken back. */
void hands_review(struct engine *e, const struct order *added);
void hands_drop(struct engine *e, uint64_t number); /* the order is over, whatever for */
/* What is known of mail; source: where it goes from. */
struct subject hands_subject(struct engine *e, struct campaign *c, struct slice domain, unsigned source,
                             struct slice provider);
struct slice hands_domain_of(struct slice address);
/* Recipients with sessions, without an outcome yet. */
typedef void under_way_fn(void *ctx, struct campaign *c, struct session *s, struct slice domain,
                          uint32_t recipients);
void hands_each_under_way(struct engine *e, under_way_fn *fn, void *ctx);

/* aside.c */
void aside_put(struct engine *e, struct chunk *chunk,
               const struct slots *slots); /* all loaded or not at work */
void aside_anew(struct engine *e);
void aside_feed(struct engine *e);
void aside_purge(struct engine *e);
void aside_done(struct engine *e);

/* hands_jobs.c */
void jobs_cancel(struct engine *e, const struct order *o); /* an order of the set; again at every start */
/* What fits waits for no later time. -1 with err without memory. */
int jobs_flush(struct engine *e, const struct selector *of, struct err *err);
/* Counts whom a cancellation would find now, some milliseconds a call; true: there is more. untold: of whom
 * it cannot be said now. NULL without memory. Its end may come on any thread. */
struct job *jobs_count(struct engine *e, const struct selector *of);
bool jobs_count_some(struct job *job, uint64_t *found, uint64_t *untold);
void jobs_count_end(struct job *job);
void jobs_turn(struct engine *e);
void jobs_done(struct engine *e);
/* How many were cancelled so far, and how many came to another end that were on the wire: since start. */
void jobs_progress(const struct engine *e, uint64_t order, uint64_t *done, uint64_t *finished);
/* One that the cancellation names came back from a session. */
void jobs_settled(struct engine *e, uint64_t order, bool cancelled);
/* Recipients whose provider is not known were put off until later. */
void jobs_put_off(struct engine *e);

/* resting.c */
void resting_in(struct engine *e, struct session *s); /* it is idle and has no window */
void resting_out(struct engine *e, struct session *s);
/* The session that has rested longest ends: of that lane (NULL: of any), of that kind. */
void resting_make_place(struct engine *e, const struct lane *lane, bool any_kind, bool big);
void resting_tick(struct engine *e);

/* learning.c: what becomes of sessions and mails, as their lane's controller is told. */
void learning_begin(struct engine *e, struct lane *lane, const struct learn_profile *profile);
unsigned learning_host(struct lane *lane, const char *name); /* an exchanger's number, for learn_open */
void learning_in(struct engine *e, struct session *s);       /* the session was let in */
/* It is over. Where it never was in: what that is put down to. */
enum learn_dimension learning_out(struct engine *e, struct session *s);
void learning_item(struct engine *e, struct window *w, const struct window_item *item); /* settled */
void learning_shared(struct engine *e, struct window *w); /* the same of a whole shared window */
void learning_done(struct engine *e, struct window *w);   /* all of it is settled */

/* lane_show.c */
void lane_show(struct engine *e, struct lane *lane, struct lane_status *out);
/* It has learned something: for people, and for whoever keeps it. */
void lane_changed(struct engine *e, struct lane *lane, const struct learn_change *change);

/* remembering.c */
void remembering_init(struct engine *e); /* behind the backlog and the ledger */
void remembering_done(struct engine *e);
void remembering_load(struct engine *e, struct lane *lane); /* a new one, after learning_begin */
void remembering_changed(struct engine *e, struct lane *lane, const struct learn_change *change);
void remembering_tick(struct engine *e);
void remembering_end(struct engine *e); /* before the last checkpoint */
/* overtake.c: transactional mail waits for a session of that lane (NULL: of any), and there is no place: one
 * that has bulk mail ends, unless one is ending there already. */
void overtake(struct engine *e, const struct lane *lane);

/* source.c */
int source_init(struct engine *e, struct err *err);
void source_done(struct engine *e);
bool source_is_down(const struct engine *e, unsigned source, mono_us now);
bool source_all_down(const struct engine *e, mono_us now);
void source_opens(struct engine *e, unsigned source, mono_us now);
void source_failed(struct engine *e, const struct session *s);
void source_refused(struct engine *e, const struct session *s);
void source_works(struct engine *e, const struct session *s); /* its proxy has let it through */

/* settle.c */
void settle_item(struct engine *e, struct window *w, unsigned index);
void settle_window(struct engine *e, struct window *w); /* all items of it */
void settle_unsent(struct engine *e, struct window *w);
/* Everything that waits under a domain, without an attempt: failed, or deferred. */
void settle_domain(struct engine *e, struct domain *d, const struct outcome *o);

/* suppress.c */
int suppress_init(struct engine *e, struct err *err);
void suppress_done(struct engine *e);
/* Those of the waiting slots that are on the list are settled as suppressed and leave the set. The chunk is
 * held, its table loaded. False (the campaign is then held) when the list can't be read. */
bool suppress_screen(struct engine *e, struct chunk *chunk, struct slots *slots);
void suppress_note_grant(const struct engine *e, struct window *w);
/* What the outcome says of the address; after ledger_settle, into the same batch. */
void suppress_learn(struct engine *e, const struct window *w, const struct window_item *item,
                    const struct event *ev, struct slice to);
struct suppress_request {
    uint32_t tenant;
    enum suppress_source source;
    bool remove;
    struct suppress_entry *entries;
    size_t count;
};
int suppress_apply(struct engine *e, const struct suppress_request *r, struct err *err);

/* commit.c */
void commit_turn(struct engine *e);
void commit_now(struct engine *e, bool checkpoint);
void commit_done(struct engine *e, bool durable);
void commit_watch(struct engine *e);
/* Are commits late, so that nothing new is to be begun? Remembers that it was asked. */
bool commit_late(struct engine *e);

/* time.c: time_now is what is due and what expires compared with; people are told clock_wall(). */
int time_init(struct engine *e, struct err *err);
wall_us time_now(struct engine *e);
void time_put(struct engine *e, struct store_batch *batch);
void time_watch(struct engine *e);

/* plan.c */
int plan_make(struct engine *e, const struct campaign *c, struct plan *plan);

/* control.c */
void control_call(struct engine *e, struct call *call);
void control_durable(struct engine *e);
void control_abort(struct engine *e);
void control_expire(struct engine *e);
/* Runs it on the owner thread, from another one, which waits. durable: until what it changed is. -1 with err:
 * what it says, or ERR_BUSY. */
int control_ask(struct engine *e, int (*run)(struct engine *e, void *ctx, struct err *err), void *ctx,
                bool durable, struct err *err);
/* Does the campaign have to wait for its not_before? */
void control_look(struct engine *e, struct campaign *c);
/* On the owner thread: the campaign is held, or goes on. */
void control_hold(struct engine *e, struct campaign *c);
int control_resume(struct engine *e, struct campaign *c, struct err *err);

void engine_tell(struct worker *w, enum msg_kind kind, void *at);

#endif
