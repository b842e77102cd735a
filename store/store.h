/* The durable state of one server: one directory, one writer thread, any number of readers.
 *
 *     ledger.mdb (+ -lock)   the tables below, in LMDB
 *     segments/NNNNNNNN.seg  large bytes (store/segment.h)
 *     history.db             what the projector makes of the ledger (store/sql.h); opened by its owner
 *     reserve                space set aside for outcomes when the disk is full
 *     lock                   held by the one process that writes; its pid is inside
 *     moved                  only after a final backup: nobody writes here any more; says where it went
 *
 * Changes travel as batches: built by any thread, handed to the writer thread, which applies all that wait in
 * ONE transaction, in the order in which they were submitted, syncs, and then tells each submitter. A batch
 * is durable as a whole or not at all, and no batch is durable before one submitted earlier.
 *
 * Full disk: batches that may be refused (intake) are refused while little space is left; all others are kept
 * in memory, the reserve is given up for them, and the commit is tried again every half second, for ever. */
#ifndef TSUBAME_STORE_H
#define TSUBAME_STORE_H

#include "buf.h"
#include "clock.h"
#include "err.h"

#define STORE_VERSION 1

/* The order is stored in no file (tables have names), new ones go to the end. */
enum store_table {
    TABLE_META,
    TABLE_PAYLOAD,
    TABLE_CAMPAIGN,
    TABLE_CHUNK,
    TABLE_PROGRESS,
    TABLE_RETRY,
    TABLE_BLOCK,
    TABLE_DOMAIN,
    TABLE_SUPPRESSION,
    TABLE_CURSOR,
    TABLE_LANE,
    TABLE_ORDER,
    TABLE_COUNT
};

enum {
    STORE_KEY_MAX = 511,           /* bytes; a key has at least one */
    STORE_VALUE_MAX = 1024 * 1024, /* longer ones hold the writer: they belong in a segment */
    STORE_BATCH_MAX = 64 * 1024 * 1024,
    STORE_QUEUE_SLOTS = 4096 /* batches that may wait when options say nothing */
};

struct store;
struct store_batch;
struct store_reader;

/* One step of a migration: what turns version `from` into from + 1. It reads the old rows through `in` and
 * puts the changes into `out`; they are committed together with the new version number. */
struct store_migration {
    unsigned from;
    int (*step)(struct store_reader *in, struct store_batch *out, struct err *err);
};

struct store_options {
    uint64_t map_size;  /* address space for the ledger; it grows by itself. 0: 64 GB */
    uint64_t reserve;   /* bytes set aside, and the free space below which intake is refused. 0: 64 MB */
    bool read_only;     /* beside a running server; nothing is created, locked or migrated */
    size_t queue_slots; /* batches that may wait for the writer. 0: STORE_QUEUE_SLOTS */
    unsigned version;   /* what the caller's rows mean. 0: STORE_VERSION */
    const struct store_migration *migrations; /* may be NULL; a missing step makes an old store unreadable */
    size_t migration_count;
};

/* Opens, and creates with mode 0700 where there is nothing (not when read_only: ERR_ABSENT). A store of a
 * newer version is refused (ERR_INPUT), of an older one migrated. A second writer gets ERR_BUSY with the pid
 * of the first. options may be NULL. The writer thread runs from here until store_free. NULL with err on
 * failure. */
struct store *store_open(const char *dir, const struct store_options *options, struct err *err);

/* Commits what waits, ends the writer thread, closes. What cannot be committed (a full disk) is given back to
 * its submitters with their `done` and an error. Readers and segment writers must be freed before.
 * NULL is fine. */
void store_free(struct store *s);

const char *store_dir(const struct store *s);
bool store_is_read_only(const struct store *s);

/* ---- keys: big-endian, so that their order in the table is numeric ---- */

struct store_key {
    char bytes[24];
    size_t len;
};

struct store_key store_key_u64(uint64_t a);
struct store_key store_key_pair(uint64_t a, uint64_t b);
struct store_key store_key_three(uint64_t a, uint64_t b, uint64_t c);
static inline struct slice store_key_slice(const struct store_key *k) {
    return (struct slice){k->bytes, k->len};
}

/* The number at place `index` (0, 1, 2) of such a key; false when the key is too short. */
bool store_key_number(struct slice key, size_t index, uint64_t *value);

/* ---- batches ---- */

enum store_batch_flags {
    STORE_MAY_WAIT = 1,  /* the writer may wait up to 2 ms for company */
    STORE_MAY_REFUSE = 2 /* intake: refused (ERR_SPACE) when the disk is nearly full, not kept */
};

/* max: bytes of keys and values it may hold (at most STORE_BATCH_MAX; the writer commits about 4 MB at a time
 * with good effect, more costs memory). NULL without memory. A batch belongs to one thread at a time. */
struct store_batch *store_batch_new(size_t max);
void store_batch_free(struct store_batch *b); /* NULL is fine */
void store_batch_reset(struct store_batch *b);
size_t store_batch_bytes(const struct store_batch *b);
bool store_batch_empty(const struct store_batch *b);

/* Applied in the order of the calls. False when the batch is full (sticky until reset: store_submit asserts
 * that none was lost). Deleting what is not there is fine. */
bool store_put(struct store_batch *b, enum store_table t, struct slice key, struct slice value);
bool store_delete(struct store_batch *b, enum store_table t, struct slice key);

/* Deletes the rows from <= key < to (to empty: to the end of the table), at most `most` of them (0: all; the
 * transaction holds every page that it touches in memory, so give a bound where rows are many). */
bool store_delete_range(struct store_batch *b, enum store_table t, struct slice from, struct slice to,
                        uint32_t most);

/* Called ON THE WRITER THREAD, in the order of submission; must not block: post to a mailbox. status 0 is
 * durable; -1 with err: the batch had no effect (refused, or the store was closed). From submit until `done`
 * is called the batch belongs to the writer, then it is its submitter's again. */
typedef void store_done_fn(void *ctx, int status, const struct err *err);

/* Hands the batch over. done may be NULL: then the writer frees the batch. 0, or -1 with err and the batch
 * still the caller's: ERR_BUSY (the queue is full) or ERR_SPACE (STORE_MAY_REFUSE and the disk is nearly
 * full). Any thread. */
int store_submit(struct store *s, struct store_batch *b, unsigned flags, store_done_fn *done, void *ctx,
                 struct err *err);

/* Submits and waits until it is durable; the batch is the caller's again. For start-up, tools and tests;
 * never on the writer thread. */
int store_commit(struct store *s, struct store_batch *b, unsigned flags, struct err *err);

/* ---- how it fares ---- */

enum store_state {
    STORE_FINE,
    STORE_LOW,   /* little space: intake is refused */
    STORE_STUCK, /* commits fail and are tried again; nothing is lost, nothing moves */
    STORE_BROKEN /* the same for ever: after a failed write of its root LMDB wants the file opened anew. What
                    is durable stands; whoever runs the process should end it at once */
};

struct store_health {
    enum store_state state;
    bool reserve_held;
    char text[256]; /* the last error, empty when fine */
};

void store_health(struct store *s, struct store_health *out);

struct store_stats {
    uint64_t commits;
    uint64_t batches;
    uint64_t bytes;     /* keys and values handed in */
    uint64_t commit_us; /* wall time in transactions, sync included */
    uint64_t cpu_us;    /* CPU of the writer thread in them */
    uint64_t retries;   /* commits that failed and were tried again */
    uint64_t waiting;   /* batches in the queue now */
    uint64_t map_size;
};

void store_stats(struct store *s, struct store_stats *out);

/* 0 when there is room for more intake, -1 with ERR_SPACE when not. Whoever writes large files beside the
 * ledger (segments, sorter runs) asks every few megabytes. */
int store_check_room(struct store *s, struct err *err);

/* ---- reading ---- */

/* A reader is for one thread at a time and is cheap to begin again (at most 254 of them over all processes).
 * A transaction begins and ends on the same thread and sees one consistent state; keep it short: while it
 * lives no page is reused, and the map cannot grow. */
struct store_reader *store_reader_open(struct store *s, struct err *err);
void store_reader_free(struct store_reader *r); /* NULL is fine */

int store_read_begin(struct store_reader *r, struct err *err);
void store_read_end(struct store_reader *r); /* closes its cursors' transaction; slices end here */

/* 1 and the value (valid until store_read_end), 0 when absent, -1 with err. */
int store_get(struct store_reader *r, enum store_table t, struct slice key, struct slice *value,
              struct err *err);

/* Rows in the table. */
int store_count(struct store_reader *r, enum store_table t, uint64_t *count, struct err *err);

/* A place in a table; embedded, lives inside one read transaction: init after store_read_begin, done before
 * store_read_end. Moves return 1 with key and value set, 0 at the end, -1 with err. */
struct store_cursor {
    void *at;
    struct slice key;
    struct slice value;
};

int store_cursor_init(struct store_cursor *c, struct store_reader *r, enum store_table t, struct err *err);
void store_cursor_done(struct store_cursor *c);
int store_cursor_seek(struct store_cursor *c, struct slice key, struct err *err); /* first row >= key */
int store_cursor_first(struct store_cursor *c, struct err *err);
int store_cursor_last(struct store_cursor *c, struct err *err);
int store_cursor_next(struct store_cursor *c, struct err *err);
int store_cursor_prev(struct store_cursor *c, struct err *err);

/* ---- backup ---- */

/* What a backup says of itself. */
struct backup_facts {
    wall_us taken;    /* the moment that it shows */
    bool final;       /* the store that it was taken of was closed for good with it */
    unsigned version; /* of the store */
    uint64_t files, bytes;
};

/* A consistent copy into the directory `target` (which must not exist or be empty) while all goes on, with a
 * list of its files and their hashes (manifest.h). Only the writing process can take it. Takes as long as
 * copying and reading it once takes. final: nothing may be changed any more, and this store is not opened
 * again for writing, so that the copy can go on where it stood. On failure nothing is left. */
int store_backup(struct store *s, const char *target, bool final, struct err *err);

/* Reads all of a backup and compares it with its list. ERR_ABSENT: no backup; ERR_CORRUPT: damaged. */
int store_backup_check(const char *backup, struct backup_facts *facts, struct err *err);

/* The same, copying it to `partial`, which must not exist: a store that can be opened. On failure nothing is
 * left. */
int store_restore_copy(const char *backup, const char *partial, struct backup_facts *facts, struct err *err);

/* Puts such a store, closed again, to `dir` (absent or empty) by one rename. On failure it is still at
 * `partial`. ERR_INPUT: something is at dir. */
int store_restore_place(const char *partial, const char *dir, struct err *err);

/* Deletes a store that is not wanted: the files in it and in segments/, and nothing deeper. */
void store_remove(const char *dir);

#endif
