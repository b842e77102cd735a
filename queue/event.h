/* Events: the records of the ledger, and the packed blocks that they are kept in.
 *
 * An event says what happened to a set of recipients of one chunk. State is the fold of the events; whatever
 * shows mail to a person reads blocks in the order of their sequence numbers, with a cursor of its own.
 * docs/ledger.md has the table of states and of the transactions that move between them. */
#ifndef TSUBAME_EVENT_H
#define TSUBAME_EVENT_H

#include "buf.h"
#include "clock.h"
#include "err.h"

enum event_kind {
    EVENT_ACCEPTED = 1, /* the chunk's recipients were taken in: `detail` is the chunk row (queue/row.h) */
    EVENT_LEASED,       /* handed to a session; until the next event of the recipient it may be on the wire */
    EVENT_RETURNED,     /* handed back unsent: pending again */
    EVENT_DELIVERED,    /* the receiver took it: `text` is its own words */
    EVENT_DEFERRED,     /* temporary refusal: tried again at `due` */
    EVENT_UNCERTAIN,    /* the end was not answered; due > 0: sent again then; due == 0: held for a person */
    EVENT_FAILED,       /* refused for good, or could not be rendered */
    EVENT_SUPPRESSED,
    EVENT_CANCELLED,
    EVENT_EXPIRED,
    EVENT_CLOSED,   /* nothing of the chunk is pending outside the retry table any more; no slots */
    EVENT_CAMPAIGN, /* a campaign changed: chunk is campaign << 28, `detail` its row (queue/row.h) */
    EVENT_NOTE      /* the audit trail (note.h): of no chunk, changes no state; no slots */
};

/* Is the recipient's fate decided by this kind? */
bool event_is_final(enum event_kind kind);
/* Did it fail because there was no mail to send: a value or file of this recipient is missing? Then the text
 * is ours, and no receiver has said anything. */
bool event_is_unmade(enum event_kind kind, uint8_t class, unsigned code);
const char *event_name(enum event_kind kind); /* "delivered"; "?" for none of them */

/* Which recipients of a chunk: a set of slots. */
struct slots {
    uint64_t bits[4];
};
static inline struct slots slots_one(unsigned slot) {
    struct slots s = {{0}};
    s.bits[slot >> 6] = UINT64_C(1) << (slot & 63);
    return s;
}
static inline void slots_add(struct slots *s, unsigned slot) {
    s->bits[slot >> 6] |= UINT64_C(1) << (slot & 63);
}
static inline void slots_drop(struct slots *s, unsigned slot) {
    s->bits[slot >> 6] &= ~(UINT64_C(1) << (slot & 63));
}
static inline bool slots_has(const struct slots *s, unsigned slot) {
    return s->bits[slot >> 6] >> (slot & 63) & 1;
}
static inline unsigned slots_count(const struct slots *s) {
    unsigned n = 0;
    for (int i = 0; i < 4; i++)
        n += (unsigned)__builtin_popcountll(s->bits[i]);
    return n;
}
/* The lowest slot in the set at or above `from`, or -1. for (int i = slots_next(s, 0); i >= 0; i =
 * slots_next(s, i + 1)) */
int slots_next(const struct slots *s, unsigned from);
/* The set {0 .. count - 1}, count at most 256. */
struct slots slots_first(unsigned count);

enum { EVENT_TEXT_MAX = 480, EVENT_HOST_MAX = 255 };

struct event {
    enum event_kind kind;
    wall_us at;           /* kept to the millisecond */
    uint64_t chunk;       /* chunk id */
    struct slots slots;   /* empty for EVENT_CLOSED, EVENT_CAMPAIGN and EVENT_NOTE */
    uint8_t stage;        /* enum smtp_stage of the answer; 0 where none */
    uint8_t class;        /* enum classify_class; 0 where none */
    uint16_t code;        /* SMTP code, 0 where none */
    uint16_t enhanced[3]; /* 0.0.0 where none */
    uint16_t attempt;     /* from 1; 0 where none was made */
    bool doubt;           /* an earlier attempt ended uncertain: this may be its second copy */
    wall_us due; /* EVENT_DEFERRED, EVENT_UNCERTAIN: when again. On other kinds: the key in the retry table
                    that the recipient stands at or was taken from. Kept to the millisecond */
    struct slice provider; /* lane's provider, empty where unknown; borrowed */
    struct slice host;     /* who answered, "mx1.example.com [192.0.2.1]"; borrowed */
    struct slice text;     /* the receiver's words, or ours; cut at EVENT_TEXT_MAX; borrowed */
    struct slice detail;   /* EVENT_ACCEPTED, EVENT_CAMPAIGN, EVENT_NOTE; borrowed */
};

/* A block under construction: its events in order, with times relative to the first. Owner calls
 * event_block_init/done; reset after sealing. */
struct event_block {
    struct buf bytes;
    uint32_t count;
    wall_us base;
    bool notes; /* one at least is an EVENT_NOTE */
};

enum { EVENT_BLOCK_MAX = 4 << 20 };

void event_block_init(struct event_block *b);
void event_block_done(struct event_block *b);
void event_block_reset(struct event_block *b);

/* False (block unchanged) when it would pass EVENT_BLOCK_MAX or memory runs out. */
bool event_block_add(struct event_block *b, const struct event *e);

/* The block as stored: header with a check of all the rest, content (zstd where that is smaller). Appends to
 * out. */
bool event_block_seal(const struct event_block *b, struct buf *out);

/* Reads a stored block: checks it, unpacks into `scratch` (reset first; it must outlive the reader and hold
 * EVENT_BLOCK_MAX), then yields events whose slices point into scratch. Hostile bytes give ERR_CORRUPT, never
 * more. */
struct event_reader {
    struct slice rest;
    uint32_t left;
    wall_us base;
};
int event_reader_init(struct event_reader *r, struct slice stored, struct buf *scratch, struct err *err);
/* 1 with *e filled, 0 at the end, -1 with err. */
int event_reader_next(struct event_reader *r, struct event *e, struct err *err);

/* One event by itself (history keeps its own lists in the same encoding). `base` is the time it is relative
 * to. */
bool event_encode(struct buf *out, const struct event *e, wall_us base);
/* Takes one event off the front of *rest; false when it is malformed. */
bool event_decode(struct slice *rest, wall_us base, struct event *e);

#endif
