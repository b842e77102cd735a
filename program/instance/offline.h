/* Changing a campaign without a server: the ledger alone is opened, nothing is sent. */
#ifndef TSUBAME_OFFLINE_H
#define TSUBAME_OFFLINE_H

#include "course.h"
#include "err.h"
#include "row.h"
#include "store.h"

enum offline_change { OFFLINE_HOLD, OFFLINE_RESUME, OFFLINE_CANCEL };

/* The name of that user, or "uid N": who is told to have done it (`by` below). */
enum { OFFLINE_NAME_MAX = 255 };
void offline_user(unsigned uid, char name[OFFLINE_NAME_MAX + 1]);

/* Durable on return, with its place in the audit trail. *row->tally is what holds after it (its slices are
 * not set). ERR_ABSENT: no such campaign; ERR_INPUT: at its end, loading, or cancelled already. */
int offline_apply(struct store *store, uint32_t id, enum offline_change change, struct slice by,
                  struct campaign_row *row, struct err *err);

/* The same: its course. ERR_INPUT also as campaign_course_change. */
int offline_course(struct store *store, uint32_t id, const struct campaign_change *change, struct slice by,
                   struct campaign_row *row, struct err *err);

/* Brings the history up to the ledger and lets the ledger drop what it kept for it. memory: as
 * history.memory. */
int offline_settle(struct store *store, int64_t memory, struct err *err);

#endif
