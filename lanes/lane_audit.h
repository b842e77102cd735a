/* Changes of limits on their way into the audit trail (queue/note.h), so few that a restless lane floods
 * nothing. Pure: who calls keeps the time and writes the notes.
 *
 * The first change of a lane's dimension is told at once. What changes again within LANE_AUDIT_APART is
 * gathered and told as one when that has passed: what it was before the first of them, and all else of the
 * last, with how many there were. All lanes together tell LANE_AUDIT_RATE a second, and LANE_AUDIT_BURST at
 * once; beyond that changes are gathered until their turn comes. */
#ifndef TSUBAME_LANE_AUDIT_H
#define TSUBAME_LANE_AUDIT_H

#include "learn.h"
#include "note.h"

#define LANE_AUDIT_APART (10 * US_PER_SEC)
enum { LANE_AUDIT_RATE = 10, LANE_AUDIT_BURST = 200, LANE_AUDIT_MOST = 4096, LANE_AUDIT_NAME = 128 };

struct lane_audit_entry;
struct lane_audit {
    struct lane_audit_entry *entries; /* those that changed lately */
    uint64_t *keys;                   /* of each */
    size_t count, room, waiting;      /* waiting: with something that is not told */
    size_t turn;                      /* who is looked at first when not all can be told */
    double tokens;
    mono_us filled;
    uint64_t lost; /* changes that found no room: LANE_AUDIT_MOST others are on their way */
    void (*tell)(void *ctx, const struct note *n);
    void *ctx;
};

/* tell: the note is valid during the call. */
void lane_audit_init(struct lane_audit *a, void (*tell)(void *ctx, const struct note *n), void *ctx,
                     mono_us now);
void lane_audit_done(struct lane_audit *a); /* what is gathered is gone */

/* What was only remembered from before (LEARN_BY_MEMORY) is no change, and is not told. wall: of now. */
void lane_audit_change(struct lane_audit *a, struct slice provider, struct slice source,
                       const struct learn_change *change, wall_us wall, mono_us now);
/* Tells what is due. Returns when to call again; NEVER: after the next change. */
mono_us lane_audit_tick(struct lane_audit *a, wall_us wall, mono_us now);
/* Tells all that is gathered: before the end. */
void lane_audit_flush(struct lane_audit *a, wall_us wall, mono_us now);

const char *learn_cause_name(unsigned cause); /* "reply", "trying"; "?" for none of them */

#endif
