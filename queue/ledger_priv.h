/* Inside of the ledger, shared by ledger.c (changes), recover.c (start) and sweep.c (cancel, expire, due). */
#ifndef TSUBAME_LEDGER_PRIV_H
#define TSUBAME_LEDGER_PRIV_H

#include "ledger.h"
#include "suppress_priv.h"

#include <assert.h>
#include <stdlib.h>

enum { BATCH_MAX = 32 << 20, LEDGER_KEYS_MAX = 4, LEDGER_IN_FLIGHT = 64 };

/* First half of the keys in META of recipients that were leased from the retry table: "leasedrt". */
#define LEASED_RETRIES UINT64_C(0x6c65617365647274)

/* A recipient taken from the retry table: at work, or `gone`: settled, but its old row may still be seen by
 * readers until batch number `batch` is durable. */
struct retry_entry {
    struct retry_work work;
    bool gone;
    uint64_t batch;
};

struct retry_gone {
    uint64_t rid;
    wall_us due;
    uint64_t batch;
};

/* By rid: open addressing, linear probing. */
struct retry_map {
    struct retry_entry *slots; /* rid 0: empty (no recipient has it: campaigns start at 1) */
    size_t size, used;
};
struct retry_entry *retry_map_find(const struct retry_map *m, uint64_t rid);
struct retry_entry *retry_map_add(struct retry_map *m, uint64_t rid); /* NULL without memory */
void retry_map_drop(struct retry_map *m, uint64_t rid);

struct ledger {
    struct store *store;
    struct store_reader *reader;
    struct store_reader *lookup; /* for one row while `reader` walks a table */
    struct campaign *campaigns;  /* the newest first */
    struct campaign **by_id;
    size_t by_id_size;
    uint32_t next_campaign;
    uint64_t sequence;   /* of the newest sealed block */
    uint64_t checkpoint; /* recovery starts behind this block */
    uint64_t deleted;    /* blocks up to here are gone */
    struct event_block block;
    struct store_batch *batch;
    struct buf row; /* scratch */
    struct chunk *dirty;
    struct retry_map work;
    struct retry_gone *gone; /* a queue: those to drop from `work` when their batch is durable */
    size_t gone_first, gone_count, gone_room;
    uint64_t batch_building; /* number of the batch under construction; sealed ones are lower */
    uint64_t batch_durable;
    wall_us least_due[LEDGER_IN_FLIGHT]; /* by batch number: the earliest retry row that it puts */
    wall_us scanned_due;                 /* the retry table has been read up to this key */
    uint64_t scanned_rid;
    struct rid_key keys[LEDGER_KEYS_MAX];
    size_t key_count;
    struct suppress_list suppress;
    bool lanes_put;      /* rows of lanes, since they were counted */
    uint64_t last_order; /* the highest number of an order; 0: not read yet, or none */
    uint64_t found_uncertain;
    uint64_t chunk_count;
    uint64_t blocks, block_bytes;
    void (*forget)(void *ctx, struct chunk *chunk);
    void *forget_ctx;
    void (*done)(void *ctx, struct campaign *c);
    void *done_ctx;
};

/* lane_rows.c: at a checkpoint. */
void lane_rows_trim(struct ledger *l);

/* The batch under construction. */
struct store_batch *ledger_batch(struct ledger *l);
/* Waiting to be sealed. */
size_t ledger_unsealed_bytes(const struct ledger *l);
/* Appends the event and folds it into its campaign's tally. */
void ledger_note(struct ledger *l, const struct event *e);
void ledger_put_campaign(struct ledger *l, struct campaign *c);
void ledger_note_campaign(struct ledger *l, struct campaign *c, wall_us now);
struct chunk *ledger_chunk_new(struct campaign *c, const struct chunk_row *row);
/* The chunk in memory, or brought back from its row; NULL with err. */
struct chunk *ledger_chunk_get(struct ledger *l, uint64_t id, struct err *err);
void ledger_mark_dirty(struct ledger *l, struct chunk *chunk);
void ledger_retry_put(struct ledger *l, uint64_t rid, wall_us due, const struct retry_row *row);
/* Deletes the row and leaves a `gone` entry behind. */
void ledger_retry_delete(struct ledger *l, uint64_t rid, wall_us due);
/* The entry at work for this rid, or NULL. */
struct retry_work *ledger_at_work(const struct ledger *l, uint64_t rid);
/* A recipient that waits in the retry table only is settled. */
void ledger_settle_deferred(struct ledger *l, uint64_t rid, wall_us due, bool doubt, enum event_kind kind,
                            wall_us now);
/* Closes it when nothing of it waits or is leased, forgets it when nothing needs it, ends its campaign when
 * that is through. */
void ledger_chunk_check(struct ledger *l, struct chunk *chunk, wall_us now);
void ledger_campaign_check(struct ledger *l, struct campaign *c, wall_us now);
struct campaign *ledger_campaign_add(struct ledger *l, const struct campaign_row *row);
void ledger_campaign_free(struct ledger *l, struct campaign *c);
/* Out of memory with all its chunks, whatever they hold. */
void ledger_drop_chunks(struct ledger *l, struct campaign *c);
/* The chunk where it is in memory, else NULL. */
struct chunk *ledger_chunk_in_memory(struct ledger *l, uint64_t id);
/* Calls `each` for the rows of a table from `from` on, while it returns 0; 1 ends it well, -1 with err. A
 * read is under way meanwhile. */
typedef int ledger_row_fn(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err);
int ledger_each_row(struct ledger *l, enum store_table table, struct store_key from, ledger_row_fn *each,
                    void *ctx, struct err *err);
int ledger_each_row_from(struct ledger *l, enum store_table table, struct slice from, ledger_row_fn *each,
                         void *ctx, struct err *err);

#endif
