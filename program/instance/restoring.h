/* A backup made into a store again. */
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

#endif
