/* The ledger in memory: campaigns and live chunks, and the one way in which their state changes.
 *
 * Every change is an event: ledger_lease, ledger_settle and their like put one into the block under
 * construction, change the state in memory, and add the rows that must change with it to a batch. ledger_seal
 * turns all of that into one batch for the writer. Nothing may be done in the world on account of a change (a
 * mail sent, a client answered) before the batch that holds it is durable.
 *
 * A crash loses what was not sealed and committed. ledger_open brings back the state of the last checkpoint
 * and folds the blocks since; a recipient leased without a later event is then uncertain, and no other is.
 *
 * Belongs to one thread. No clock inside. docs/ledger.md tells the states and the transactions. */
#ifndef TSUBAME_LEDGER_H
#define TSUBAME_LEDGER_H

#include "course.h"
#include "store.h"

struct ledger;
struct chunk;

struct campaign {
    struct campaign_row row;       /* its slices are owned by the ledger; change it only through the ledger */
    uint64_t leased;               /* part of what is pending */
    struct chunk **chunks;         /* by index; NULL: closed, or not in memory */
    uint32_t live;                 /* chunks that are not closed */
    uint32_t sweep;                /* next chunk that cancelling or expiring looks at; chunks: done */
    uint64_t swept_due, swept_rid; /* and the place in the retry table */
    bool sweeping;
    bool waits; /* for its not_before: nothing of it is begun (ledger_set_waits) */
    uint64_t
        sweep_after; /* the batch that must be durable before the retry table shows all of this campaign */
    bool dirty;      /* the stored row is older than this */
    bool rows_kept;  /* ended, but its chunk rows are still in the store */
    uint64_t rows_needed; /* until readers have come to this block */
    void *user;           /* the owner's: compiled content */
    struct campaign *next;
};

/* A chunk in memory: live, or closed and brought back because some of its recipients are due again. */
struct chunk {
    uint64_t id;
    struct campaign *campaign;
    struct segment_ref table;
    uint64_t first_hash, last_hash;
    uint16_t count;
    uint16_t pending; /* slots waiting here: neither leased, deferred nor final */
    uint16_t leased;
    bool closed;
    bool dirty;
    uint32_t holds;              /* what keeps it in memory besides: ledger_hold */
    uint8_t states[CHUNK_SLOTS]; /* enum slot_state */
    void *user;                  /* the owner's: decoded table */
    struct chunk *next_dirty;
};

/* What was known of a recipient from the retry table while it is at work again. */
struct retry_work {
    uint64_t rid;
    wall_us due; /* its row's key */
    struct retry_row row;
};

/* Recovers. `now` is stamped on the events that recovery itself makes (what it finds uncertain). The store
 * stays the caller's. NULL with err. */
struct ledger *ledger_open(struct store *store, wall_us now, struct err *err);
void ledger_free(struct ledger *l); /* what was not sealed is lost */

/* What recovery made of recipients that were leased when the process ended. */
uint64_t ledger_found_uncertain(const struct ledger *l);

const struct rid_key *ledger_keys(const struct ledger *l, size_t *count);

struct campaign *ledger_campaigns(struct ledger *l); /* the newest first; follow `next` */
struct campaign *ledger_campaign(struct ledger *l, uint32_t id);
/* The same, for one whose course may still be changed: loaded, neither cancelled nor at its end. NULL with
 * err: ERR_ABSENT or ERR_INPUT. */
struct campaign *ledger_under_way(struct ledger *l, uint32_t id, struct err *err);

/* Every live chunk, once after ledger_open and once for a campaign when it is adopted: `row` is valid during
 * the call. */
typedef void ledger_chunk_fn(void *ctx, struct chunk *chunk, const struct chunk_row *row);
int ledger_each_chunk(struct ledger *l, struct campaign *only, ledger_chunk_fn *fn, void *ctx,
                      struct err *err);

/* A new campaign under loading: id, created, hash_seed and the payload's key are filled in. Its chunk rows
 * are put into the store by the loader, with ids campaign << 28 | 0.. . NULL with err (a name in use; name
 * and columns longer than LEDGER_TEXTS_MAX together: ERR_INPUT). */
enum { LEDGER_TEXTS_MAX = 256 * 1024 };
struct campaign *ledger_begin(struct ledger *l, const struct campaign_row *row, wall_us now, struct err *err);

/* The loader is through: reads its chunk rows, writes the accepted events (`flush` is called whenever a block
 * is full and must seal and submit), and makes it ready or held. -1 with err: still loading. */
int ledger_ready(struct ledger *l, struct campaign *c, uint32_t chunks, const struct tally *tally, bool held,
                 wall_us now, void (*flush)(void *ctx), void *ctx, struct err *err);

/* Removes a campaign that is loading; c is gone. */
void ledger_abandon(struct ledger *l, struct campaign *c, wall_us now);

/* READY <-> HELD; CANCELLED begins a sweep. The caller has checked that the change makes sense. */
void ledger_set_state(struct ledger *l, struct campaign *c, enum campaign_state state, wall_us now);

/* Changes its course (campaign_course_change). Nothing of it may be in the owner's hands that goes by the old
 * one. -1 with err, and nothing is changed. */
int ledger_set_course(struct ledger *l, struct campaign *c, const struct campaign_change *change, wall_us now,
                      struct err *err);
/* Does it wait for its not_before? While it does, those of it that are due again are passed over, as when it
 * is held. Not stored: the owner compares not_before with its clock. */
void ledger_set_waits(struct ledger *l, struct campaign *c, bool waits);

/* Begins to settle everything that waits as expired (READY or HELD) or cancelled. ledger_sweep does it piece
 * by piece, at most `work` chunks and 64 x work retry rows a call; true while there is more. */
void ledger_sweep_start(struct ledger *l, struct campaign *c);
bool ledger_sweep(struct ledger *l, struct campaign *c, unsigned work, wall_us now, struct err *err);

/* Leases waiting slots (all of them must be SLOT_PENDING). */
void ledger_lease(struct ledger *l, struct chunk *chunk, const struct slots *slots, wall_us now);

/* What came of leased slots, or of waiting slots (failed, suppressed, deferred: without a lease). e->slots,
 * e->chunk, e->at set; e->attempt 0 (none was made) leaves the count of attempts as it is. Campaigns that are
 * cancelled or past their end turn RETURNED and DEFERRED into CANCELLED and EXPIRED, and UNCERTAIN into one
 * that is not sent again. On return *e says what became of it (kind, due, doubt). */
void ledger_settle(struct ledger *l, struct chunk *chunk, struct event *e);

/* Attempts made at this recipient so far, and whether an earlier one ended uncertain. */
struct retry_row ledger_attempts(const struct ledger *l, uint64_t rid);

/* Brings up to `most` recipients whose time has come back to work: fn is told chunk by chunk which slots wait
 * again. Expired and cancelled ones are settled instead. Returns how many, or -1 with err: those that could
 * be woken were told of; rows that cannot be read now come with a later call, broken ones (ERR_CORRUPT) are
 * told of and stay where they are until the campaign's sweep. *next_due: when to ask again (NEVER). */
typedef void ledger_due_fn(void *ctx, struct chunk *chunk, const struct slots *slots);
int ledger_due(struct ledger *l, wall_us now, unsigned most, ledger_due_fn *fn, void *ctx, wall_us *next_due,
               struct err *err);

/* The same, but ledger_due does not come back to them before ledger_due_anew: for those that an order stands
 * in the way of. */
void ledger_pass_over(struct ledger *l, struct chunk *chunk, const struct slots *slots, wall_us now);
void ledger_due_anew(struct ledger *l);

/* The retry table, whatever is due: what is to become of those that wait there. From *place (0 at first) on,
 * at most `most` rows a call. campaign: may something become of its recipients? slot: of that one; the chunk
 * is held meanwhile. woken is told of those that wait in their chunks again. Held campaigns' are not woken.
 * at_work (may be NULL) is told of those that cannot be judged here: taken from the table already, or settled
 * so lately that their old row is still seen and a new one perhaps not yet.
 * 1: there is more, 0: that was all, -1 with err. */
enum ledger_verdict { LEDGER_LEAVE, LEDGER_WAKE, LEDGER_CANCEL };
struct ledger_judge {
    bool (*campaign)(void *ctx, struct campaign *c);
    enum ledger_verdict (*slot)(void *ctx, struct chunk *chunk, unsigned slot);
    void (*at_work)(void *ctx, struct chunk *chunk, unsigned slot);
    ledger_due_fn *woken;
    void (*leave)(void *ctx, struct chunk *chunk); /* before its hold goes; NULL: nothing to do */
    void *ctx;
};
struct ledger_place {
    uint64_t due, rid;
};
int ledger_retries(struct ledger *l, struct ledger_place *place, unsigned most,
                   const struct ledger_judge *judge, wall_us now, struct err *err);

/* The one domain of all recipients of a chunk, appended; nothing when it is mixed. -1 with err. */
int ledger_chunk_domain(struct ledger *l, const struct chunk *chunk, struct buf *domain, struct err *err);

/* Keeps a chunk in memory although nothing of it waits (its decoded table is in use), and lets it go. */
void ledger_hold(struct chunk *chunk);
void ledger_release(struct ledger *l, struct chunk *chunk);
/* Called before a chunk leaves memory, for `user`. */
void ledger_on_forget(struct ledger *l, void (*forget)(void *ctx, struct chunk *chunk), void *ctx);
void ledger_on_done(struct ledger *l, void (*done)(void *ctx, struct campaign *c), void *ctx);

/* Events in the block under construction, and whether a batch has anything to commit. */
uint32_t ledger_unsealed(const struct ledger *l);
bool ledger_has_changes(const struct ledger *l);

/* Turns all changes since the last seal into a batch (the caller submits it and frees it when done) and
 * numbers its block. checkpoint: the batch also writes all progress, so that recovery starts here. Blocks up
 * to `projected` that no recovery needs any more are deleted. NULL when there is nothing to write or no
 * memory (the changes are kept for the next call). */
struct store_batch *ledger_seal(struct ledger *l, bool checkpoint, uint64_t projected, uint64_t *sequence);
/* Would a checkpoint write anything that the last one did not? */
bool ledger_checkpoint_due(const struct ledger *l, uint64_t projected);

/* The number of the batch that the next changes go into; sealed batches have lower ones. And the newest
 * durable one. */
uint64_t ledger_building(const struct ledger *l);
uint64_t ledger_durable(const struct ledger *l);

/* The oldest sealed batch is durable. Call once for each, in order. */
void ledger_committed(struct ledger *l);

/* Recipients taken from the retry table that were never leased go back there until ledger_due meets them
 * again. */
void ledger_unwake(struct ledger *l, struct chunk *chunk, const struct slots *slots, wall_us now);

/* A campaign's payload, as it is stored: the content, or the name of the segment record that holds it. */
void ledger_payload_put(struct ledger *l, uint64_t key, struct slice stored);
bool ledger_payload_get(struct ledger *l, uint64_t key, struct buf *stored, struct err *err);

/* The domain table: mail exchangers once looked up (mx.h's encoding), until `expires`. */
bool ledger_domain_get(struct ledger *l, struct slice domain, wall_us now, struct buf *answer);
void ledger_domain_put(struct ledger *l, struct slice domain, wall_us expires, struct slice answer);

/* Puts a note into the block under construction, for the audit trail. */
struct note;
void ledger_remark(struct ledger *l, const struct note *n);

/* What a lane has learned, by a key of its owner's making and in an encoding of its owner's. passing: a lane
 * of exchangers that nobody knows; of these the LEDGER_LANES_MOST that were saved last are kept, and at most
 * a tenth more. */
enum { LEDGER_LANES_MOST = 20000, LEDGER_LANE_BYTES = 512 };
void ledger_lane_put(struct ledger *l, struct slice key, bool passing, wall_us saved, struct slice memory);
/* Appends it; false: there is none that is durable. */
bool ledger_lane_get(struct ledger *l, struct slice key, struct buf *memory);

/* Standing orders, in an encoding of their owner's: at most LEDGER_ORDER_BYTES each. ledger_order_number
 * gives a number that none ever had, from 1 on; no two calls without a put in between. */
enum { LEDGER_ORDER_BYTES = 4096 };
uint64_t ledger_order_number(struct ledger *l);
void ledger_order_put(struct ledger *l, uint64_t number, struct slice bytes);
void ledger_order_delete(struct ledger *l, uint64_t number);
/* All that are durable, by number. */
typedef int ledger_order_fn(void *ctx, uint64_t number, struct slice bytes, struct err *err);
int ledger_each_order(struct ledger *l, ledger_order_fn *fn, void *ctx, struct err *err);

struct ledger_counters {
    uint64_t blocks, block_bytes, sequence, retries_at_work, chunks;
};
void ledger_counters(const struct ledger *l, struct ledger_counters *out);

#endif
