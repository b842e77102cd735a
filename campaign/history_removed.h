/* Campaigns whose chunks and outcomes were taken out of the history on purpose (retention.h). Their sums
 * stay, in the ledger; everybody who reads is told when and why the rest went. */
#ifndef TSUBAME_HISTORY_REMOVED_H
#define TSUBAME_HISTORY_REMOVED_H

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "sql.h"

/* Stored: numbers are never given a new meaning. */
enum removed_why { REMOVED_BY_AGE = 1, REMOVED_BY_SIZE = 2, REMOVED_BY_HAND = 3 };
const char *removed_why_name(enum removed_why why); /* "history.keep" */

struct history_removed {
    uint32_t campaign;
    wall_us at;
    enum removed_why why;
    uint64_t recipients;
    bool complete; /* false: rows of it are still there */
};

/* All of them, by the campaign's number; *list is the caller's to free. */
int history_removed_list(struct sql *db, struct history_removed **list, size_t *count, struct err *err);

/* The first mark that is put stays; only `complete` changes. */
int history_removed_put(struct sql *db, const struct history_removed *removed, struct err *err);

/* A clause for people: "its recipients were removed from the history on ... (history.keep)". */
void history_removed_put_text(const struct history_removed *removed, struct buf *out);
/* The same as ERR_ABSENT; -1. */
int history_removed_fail(const struct history_removed *removed, struct err *err);

#endif
