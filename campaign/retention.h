/* Retention: what is known of each recipient of campaigns that ended long ago leaves the store, and its space
 * is given back; the sums of the campaign stay in the ledger.
 *
 * A campaign is removed in steps, each a short transaction of its own beside the projector and whoever reads:
 *
 *     1. the mark (history_removed.h): from here on nobody is shown its recipients
 *     2. its chunks and outcomes, some dozens of chunks at a time; freed pages go back to the disk
 *     3. its content, from the ledger
 *     4. the mark says that it is complete; segment files that nothing names any more are deleted
 *
 * Notes of the audit trail belong to no campaign: they go by their own age, by the same rule.
 *
 * A crash in between leaves the mark, and the next turn goes on from there. Only a campaign is touched that
 * has ended and whose chunks have left the ledger, which is so when every block of it is in the history. */
#ifndef TSUBAME_RETENTION_H
#define TSUBAME_RETENTION_H

#include "history_removed.h"
#include "store.h"

struct retention;

/* As the writing process of the store, which stays the caller's and open. For one thread; there may be
 * several. NULL with err. */
struct retention *retention_open(struct store *store, struct err *err);
void retention_free(struct retention *r); /* NULL is fine */

/* Asked between steps: true ends the work there, as a crash would. pause: how long to leave the disk to
 * others after a step that took so many microseconds; NULL: not at all. */
struct retention_manners {
    bool (*stop)(void *ctx);
    void (*pause)(void *ctx, int64_t us);
    void *ctx;
};
void retention_behave(struct retention *r, const struct retention_manners *manners);

enum { RETENTION_NAME_MAX = 128 };
struct retention_campaign {
    uint32_t id;
    char name[RETENTION_NAME_MAX];
    wall_us ended;       /* 0: it has not */
    uint64_t recipients; /* that were planned */
    uint64_t bytes;      /* that it takes in history and segments, about */
    bool settled;        /* it can be removed */
};

/* The campaigns that are not removed, those that ended first in front, those under way last. *list is the
 * caller's to free. bytes is only filled in by retention_weigh. */
int retention_list(struct retention *r, struct retention_campaign **list, size_t *count, struct err *err);
int retention_weigh(struct retention *r, struct retention_campaign *c, struct err *err);

/* Removes one. 0, 1 when it was stopped in between, -1 with err (ERR_INPUT: it is under way; ERR_BUSY: the
 * history is not yet through with it). */
int retention_remove(struct retention *r, const struct retention_campaign *c, enum removed_why why,
                     wall_us now, struct err *err);

/* Notes of the audit trail that are older than `before`; and beyond so many (notes.h) the oldest in any case.
 * 0, 1 when it was stopped in between, -1 with err. *gone: how many went; dry: would go. */
int retention_forget_notes(struct retention *r, wall_us before, bool dry, uint64_t *gone, struct err *err);

/* History and segments together, freed pages left out. */
int retention_size(struct retention *r, uint64_t *bytes, struct err *err);

struct retention_rules {
    int64_t keep_us;    /* since the campaign ended; 0: for ever */
    uint64_t max_bytes; /* of retention_size; 0: without limit */
};

struct retention_result {
    uint64_t bytes; /* what remains; 0 when no limit is set */
    bool over;      /* above the limit, and nothing can be removed */
};

/* Ends what was begun, then does what the rules ask, the oldest first, each told to `removed`. As
 * retention_remove. */
int retention_turn(struct retention *r, const struct retention_rules *rules, wall_us now,
                   void (*removed)(void *ctx, const struct retention_campaign *c, enum removed_why why),
                   void *ctx, struct retention_result *result, struct err *err);

/* ---- as a thread (retention_thread.c) ---- */

struct retention_thread;

/* Both are called on the thread. turned: after each turn; err is NULL when it went well. */
struct retention_told {
    void (*removed)(void *ctx, const struct retention_campaign *c, enum removed_why why);
    void (*turned)(void *ctx, const struct retention_result *result, const struct err *err);
    void *ctx;
};

/* A turn at once, then one every pace_us (without rules: none). A clock that jumps forward is not believed
 * before a day has passed: what it would remove is gone for good. */
struct retention_thread *retention_start(struct store *store, const struct retention_rules *rules,
                                         int64_t pace_us, const struct retention_told *told, struct err *err);
void retention_set(struct retention_thread *t, const struct retention_rules *rules); /* and a turn at once */
void retention_stop(struct retention_thread *t); /* waits for the step under way; NULL is fine */

/* The time that ages are measured by. Pure. */
struct retention_clock {
    wall_us wall;   /* believed at */
    mono_us mono;   /* this moment */
    mono_us doubts; /* since when the clock has been ahead; NEVER: it is not */
};
enum { RETENTION_JUMP_S = 3600, RETENTION_DOUBT_S = 86400 };
wall_us retention_now(struct retention_clock *c, wall_us wall, mono_us mono);

#endif
