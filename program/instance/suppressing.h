/* Changing the suppression list: in the engine that runs here, or, without one, in the ledger of an open
 * store. And taking a file of addresses into it. */
#ifndef TSUBAME_SUPPRESSING_H
#define TSUBAME_SUPPRESSING_H

#include "engine.h"

struct suppressing {
    struct store *store;
    struct engine *engine; /* or: */
    struct ledger *ledger;
};

/* Without an engine: the ledger is opened (recovering what there is). The store stays the caller's. */
int suppressing_open(struct suppressing *s, struct store *store, struct err *err);
void suppressing_close(struct suppressing *s);

/* Durable on return, at most ENGINE_SUPPRESS_MOST at a time. source SUPPRESS_NO_SOURCE: takes them off. */
int suppressing_apply(struct suppressing *s, enum suppress_source source, struct suppress_entry *entries,
                      size_t count, struct err *err);

/* rows = added + changed + unchanged + rejected. */
struct suppress_counts {
    uint64_t rows, added, changed, unchanged, rejected;
};

struct suppress_import {
    int fd;                      /* CSV with a header, or one address a line */
    struct slice address_column; /* empty: found by its name */
    enum suppress_reason reason; /* of rows that name none; SUPPRESS_NO_REASON: as suppress_merge has it */
    const char *rejects;         /* where rows that cannot be used go, with line and reason; NULL: nowhere */
    const int *stop;             /* atomic; not 0: given up (what was done stays done) */
    void (*progress)(void *ctx, const struct suppress_counts *so_far); /* now and then; may be NULL */
    void *ctx;
};

/* Memory does not depend on the size of the file. *counts says how far it came, in any case. What is in the
 * list as the file has it is left untouched, so that an import may be done again. */
int suppress_import(const struct suppress_import *import, struct suppressing *to,
                    struct suppress_counts *counts, struct err *err);

#endif
