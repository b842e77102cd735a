/* A backup made into a store again, and what people are told of it. */
#ifndef TSUBAME_RESTORING_H
#define TSUBAME_RESTORING_H

#include "engine.h"
#include "options.h"
#include "restored.h"

struct restoring {
    const char *backup;
    const char *dir;
    bool resume; /* hold nothing */
    struct backup_facts facts;
    struct restored restored; /* at 0: nothing had to be held */
};

/* Checks, copies, holds what is unfinished unless the backup is final (or resume), gives the store to
 * run.user, puts it to `dir`, which must be absent or empty. On failure nothing is left. */
int restoring_run(struct restoring *r, const struct options *o, struct err *err);

/* Why campaigns are held: a sentence, when any of them still is. False: nothing was put. */
bool restoring_put_note(struct buf *out, struct store *store, const struct campaign_status *all,
                        size_t count);

#endif
