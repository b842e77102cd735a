/* Removing the recipients of ended campaigns when a person asks: what `tsubame prune` and the server share.
 */
#ifndef TSUBAME_PRUNING_H
#define TSUBAME_PRUNING_H

#include "jdoc.h"
#include "retention.h"

struct pruning {
    int64_t older_us;                      /* -1: of any age, and a campaign is named */
    char campaign[RETENTION_NAME_MAX + 1]; /* name (of several the newest) or number; "": all of that age */
    bool dry;                              /* nothing is removed */
};

struct jdoc *pruning_to_json(const struct pruning *p); /* a request for the server */
int pruning_from_json(struct pruning *p, const struct jdoc *request, struct err *err);

/* Removes, or with `dry` only says what would be. Adds to the reply "campaigns" (id, name, ended, recipients,
 * bytes), "kept" (those that are old enough and have just ended: later) and "notes" (how many of the audit
 * trail; only by age alone). The store's writer is this
 * process. -1 with err: what was removed before stays so; ERR_BUSY: stopped in between, it goes on by itself
 * in a server. */
int pruning_run(const struct pruning *p, struct store *store, bool (*stop)(void *ctx), void *ctx,
                struct jdoc *reply, struct err *err);

#endif
