/* The parts put together: a store, the engine on it, the projector beside it. What `serve` and `send` run. */
#ifndef TSUBAME_INSTANCE_H
#define TSUBAME_INSTANCE_H

#include "engine.h"
#include "options.h"
#include "projector.h"
#include "retention.h"
#include "stopwatch.h"

struct instance {
    const struct options *options;
    struct store *store;
    struct engine *engine;
    struct projector *projector;
    struct retention_thread *retention;
    bool over_size; /* as it was logged last */
    struct classify_rules *rules;
    struct engine_options engine_options;
    struct provider_options *providers;
    struct source_options *sources;
    int personal_folder; /* -1: none */
    struct dkim_options *dkim;
    struct stopwatch stopwatch;
};

/* Opens the store (creating it), recovers, starts the threads. Unfinished campaigns go on at once. The
 * options must outlive it. -1 with err: nothing is left open. */
int instance_open(struct instance *in, const struct options *o, struct err *err);

/* What is under way is finished within `grace_us`, all is written, everything ends. While the disk is full
 * that takes until there is room: the log says so. -1 with err when the history could not be written (it will
 * be at the next start). */
int instance_close(struct instance *in, int64_t grace_us, struct err *err);

/* Ends the process, with a line in the log, when the ledger can only go on in a new one (STORE_BROKEN): a
 * restart finds everything as it is durable. To be called every few seconds. */
void instance_watch(const struct instance *in);

/* The store alone. read_only: beside whoever has it open. Root becomes its owner for good (store_owner.h). */
struct store *instance_store(const struct options *o, bool read_only, struct err *err);

/* The keys of these options in place of those that sign. -1 with err: the old ones stay. */
int instance_set_dkim(struct instance *in, const struct options *o, struct err *err);

/* What history.keep and history.max_size ask, from now on. */
void instance_set_retention(struct instance *in, const struct options *o);

/* The log's line for a campaign whose recipients were removed. */
void instance_say_removed(const struct retention_campaign *c, enum removed_why why);

/* Descriptors that are needed besides those of sessions. */
enum { INSTANCE_FILES_BESIDE = 200 };

/* Raises the limit of open files to what the options need. -1 with err (what to do) when it cannot be. */
int instance_raise_files(const struct options *o, struct err *err);

#endif
