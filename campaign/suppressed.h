/* The suppression list as it stands in the store, with or without a running server: for those who only read.
 *
 * Reading goes in pieces of a thousand rows, each in a short transaction of its own, so that ten million rows
 * hold nobody up; rows that come or go meanwhile are seen or not. In the order of the addresses' bytes. */
#ifndef TSUBAME_SUPPRESSED_H
#define TSUBAME_SUPPRESSED_H

#include "store.h"
#include "suppression.h"

/* One row; slices are valid during the call. 0: go on, 1: enough. Called inside a transaction: no waiting. */
typedef int suppressed_fn(void *ctx, struct slice address, const struct suppress_row *row);

/* All of a tenant's from behind `after` (empty: from the first). Between the pieces `pause` is called (NULL:
 * nothing), where the caller may write what it has; not 0 ends it well. -1 with err. */
int suppressed_each(struct store *store, uint32_t tenant, struct slice after, suppressed_fn *each,
                    int (*pause)(void *ctx), void *ctx, struct err *err);

/* What is known of one address. */
struct suppressed {
    bool listed;
    struct suppress_row row;
    bool counted; /* failures in a row, not on the list */
    struct suppress_count count;
    char bytes[SUPPRESS_ROW_MAX]; /* what the slices point into */
};
int suppressed_find(struct store *store, uint32_t tenant, struct slice address, struct suppressed *found,
                    struct err *err);

#endif
