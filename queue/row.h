/* The rows of the ledger's tables: what they hold and how they are encoded.
 *
 * Every row opens with a version byte; decoding checks bounds and gives ERR_CORRUPT on anything else. Slices
 * of a decoded row point into the bytes that it was decoded from. */
#ifndef TSUBAME_ROW_H
#define TSUBAME_ROW_H

#include "event.h"
#include "rid.h"
#include "segment.h"

enum campaign_state {
    CAMPAIGN_LOADING = 1, /* nothing of it goes out; found so at start, it is removed */
    CAMPAIGN_READY,       /* under way */
    CAMPAIGN_HELD,        /* by a person, until resumed */
    CAMPAIGN_CANCELLED,   /* what was not on the wire is cancelled */
    CAMPAIGN_DONE         /* nothing pending */
};
const char *campaign_state_name(enum campaign_state state);

/* planned = delivered + failed + suppressed + cancelled + expired + pending + uncertain, at every moment.
 * `failed` counts rows that were rejected at load (`rejected`) too. `duplicates` were dropped before
 * planning. */
struct tally {
    uint64_t planned, delivered, failed, suppressed, cancelled, expired, uncertain;
    uint64_t rejected;   /* part of failed */
    uint64_t duplicates; /* not part of planned */
    uint64_t deferrals;  /* temporary refusals so far (events, not recipients) */
    uint64_t doubted;    /* attempts that ended uncertain, ever */
    uint64_t deferred;   /* part of pending: waiting for another attempt in the retry table */
};
uint64_t tally_pending(const struct tally *t);
/* Adds what an event means for the tally of its campaign. Additive: no earlier state is needed, because
 * events of recipients that stand in the retry table carry their row's `due`. */
void tally_fold(struct tally *t, const struct event *e);

/* How a campaign is to be treated among others (course.h changes it). {0} is the default: bulk, of weight
 * WEIGHT_DEFAULT, at once, no deadline. */
enum campaign_priority { PRIORITY_BULK, PRIORITY_TRANSACTIONAL, PRIORITIES };
enum { WEIGHT_DEFAULT = 100, WEIGHT_MOST = 1000 };
struct campaign_course {
    enum campaign_priority priority;
    uint32_t weight;    /* among those of its priority: 1 to WEIGHT_MOST; 0 stands for WEIGHT_DEFAULT */
    wall_us not_before; /* nothing of it is begun earlier; 0: at once */
    wall_us deadline;   /* a wish: when it should be through; 0: none */
};

struct campaign_row {
    uint32_t id; /* 1.. */
    uint32_t tenant;
    enum campaign_state state;
    struct slice name; /* as given by a person: unique among campaigns that are not done */
    wall_us created;
    wall_us ready;        /* 0 while loading */
    wall_us expires;      /* what is pending then is expired */
    wall_us ended;        /* 0 while pending */
    bool hold_uncertain;  /* true: uncertain recipients wait for a person; false: they are sent again */
    uint64_t payload;     /* key in TABLE_PAYLOAD */
    uint32_t chunks;      /* how many chunks it has: 0 .. chunks - 1 */
    uint64_t hash_seed;   /* of its address hashes */
    struct slice columns; /* names of the variables, joined by \n */
    struct tally tally;
    struct campaign_course course;
};
bool campaign_row_encode(struct buf *out, const struct campaign_row *row);
/* Rows of earlier releases, which know of no course, have the default one. */
int campaign_row_decode(struct slice bytes, struct campaign_row *row, struct err *err);

struct chunk_row {
    uint64_t id;              /* chunk id: campaign << 28 | index */
    uint16_t count;           /* 1 .. CHUNK_SLOTS */
    struct segment_ref table; /* where its rows lie (chunk_table.h) */
    uint64_t first_hash, last_hash;
    struct slice domain; /* the one domain of all its recipients; empty when mixed */
};
bool chunk_row_encode(struct buf *out, const struct chunk_row *row);
int chunk_row_decode(struct slice bytes, struct chunk_row *row, struct err *err);

/* TABLE_RETRY: key (due, rid). */
struct retry_row {
    uint16_t attempts; /* made so far */
    bool doubt;
    wall_us first; /* first attempt */
};
bool retry_row_encode(struct buf *out, const struct retry_row *row);
int retry_row_decode(struct slice bytes, struct retry_row *row, struct err *err);

/* TABLE_PROGRESS: the states of a chunk that is part done, four bits a slot; of a closed chunk just that
 * (count 0). */
enum slot_state { SLOT_PENDING, SLOT_LEASED, SLOT_DEFERRED, SLOT_FINAL };
bool progress_encode(struct buf *out, const uint8_t states[CHUNK_SLOTS], unsigned count);
int progress_decode(struct slice bytes, uint8_t states[CHUNK_SLOTS], unsigned count, struct err *err);

#endif
