/* A thin wrapper of SQLite: connections, statements prepared once, transactions, schema versions.
 *
 * A connection is for one thread. WAL, synchronous=NORMAL (a power cut may lose the last transactions, never
 * consistency; whoever must not lose them keeps a cursor inside the same file, or asks for `durable`), 5 s
 * busy time-out, no memory mapping. The SQL given here stays in what SQLite and PostgreSQL both understand.
 */
#ifndef TSUBAME_SQL_H
#define TSUBAME_SQL_H

#include "err.h"

struct sql;
struct sql_stmt;

struct sql_options {
    bool read_only;
    bool durable;                  /* synchronous=FULL */
    const char *const *migrations; /* [i] (one or more statements) turns schema version i into i + 1 */
    unsigned migration_count;      /* the version wanted; a file of a newer one is refused (ERR_INPUT) */
    unsigned cache_kb;             /* page cache; 0: 2,000 */
    bool shrinks;                  /* a new file can give freed pages back (sql_give_back) */
};

/* Opens or creates (mode 0600) and migrates, each step in a transaction of its own. With read_only the file
 * must be there (ERR_ABSENT) and of the wanted version. NULL with err. options may be NULL. */
struct sql *sql_open(const char *path, const struct sql_options *options, struct err *err);
void sql_free(struct sql *db); /* NULL is fine; rolls back what is open */

/* Runs statements without results. */
int sql_exec(struct sql *db, const char *text, struct err *err);

/* The prepared statement for this text, which must be a literal: it is kept by its address until sql_free.
 * Comes reset and without bindings. NULL with err. */
struct sql_stmt *sql_prepare(struct sql *db, const char *literal, struct err *err);

/* index from 1. Slices are borrowed until sql_reset or the next sql_prepare of the statement. Binding outside
 * of the statement's parameters is a bug (assert). */
void sql_bind_int(struct sql_stmt *st, int index, int64_t value);
void sql_bind_real(struct sql_stmt *st, int index, double value);
void sql_bind_text(struct sql_stmt *st, int index, struct slice text);
void sql_bind_blob(struct sql_stmt *st, int index, struct slice bytes);
void sql_bind_null(struct sql_stmt *st, int index);

/* 1: a row; 0: done (and reset); -1 with err (and reset). ERR_BUSY when another connection held the lock too
 * long. */
int sql_step(struct sql_stmt *st, struct err *err);

/* For statements without rows: step, expect the end. */
int sql_run(struct sql_stmt *st, struct err *err);

/* column from 0; slices are valid until the next step or reset. NULL reads as 0 or the empty slice. */
int64_t sql_int(struct sql_stmt *st, int column);
double sql_real(struct sql_stmt *st, int column);
struct slice sql_bytes(struct sql_stmt *st, int column);
bool sql_is_null(struct sql_stmt *st, int column);

void sql_reset(struct sql_stmt *st);

int sql_begin(struct sql *db, struct err *err); /* takes the write lock at once */
int sql_end(struct sql *db, struct err *err);   /* commits; on failure the transaction is rolled back */
void sql_rollback(struct sql *db);

uint64_t sql_changes(const struct sql *db); /* rows changed by the last statement */

/* How much of the file is in use. */
struct sql_space {
    uint64_t page_bytes, pages, free_pages;
};
int sql_space(struct sql *db, struct sql_space *space, struct err *err);

/* Gives up to so many free pages back to the disk, in a transaction of its own; the file is shorter when the
 * write-ahead log has been worked into it. Without effect on files that were not made with `shrinks`: theirs
 * are used again. */
int sql_give_back(struct sql *db, unsigned pages, struct err *err);

/* Two steps of a consistent copy: fix the state now, copy it later. Only for files in WAL mode. The snapshot
 * is of the file at `path`; ERR_ABSENT when there is none. */
struct sql_snapshot;
struct sql_snapshot *sql_snapshot_take(const char *path, struct err *err);
int sql_snapshot_copy(struct sql_snapshot *snap, const char *target, struct err *err);
void sql_snapshot_free(struct sql_snapshot *snap);

#endif
