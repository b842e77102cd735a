/* The SQLite wrapper. Statements live in a small list of the connection, found by the address of their text:
 * a program has a few dozen, and prepares each once. */
#include "sql.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUSY_MS = 5000, STATEMENTS_MAX = 256 };

struct sql_stmt {
    struct sql *db;
    sqlite3_stmt *at;
    const char *text;
};

struct sql {
    sqlite3 *at;
    struct sql_stmt *statements[STATEMENTS_MAX];
    size_t count;
    bool in_transaction;
};

static int fail(struct sql *db, struct err *err, const char *what) {
    int code = sqlite3_errcode(db->at) & 0xff;
    enum err_kind kind = ERR_SYSTEM;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) kind = ERR_BUSY;
    if (code == SQLITE_FULL) kind = ERR_SPACE;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) kind = ERR_CORRUPT;
    return err_set(err, kind, "%s: %s", what, sqlite3_errmsg(db->at));
}

/* ---- open ---- */

static int open_file(struct sql *db, const char *path, bool read_only, struct err *err) {
    if (read_only && access(path, F_OK) < 0) return err_set(err, ERR_ABSENT, "there is no %s", path);
    if (!read_only) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* for its mode */
        if (fd < 0) return err_errno(err, errno, "opening %s", path);
        close(fd);
    }
    int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int rc = sqlite3_open_v2(path, &db->at, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (!db->at) return err_set(err, ERR_SYSTEM, "no memory");
    if (rc != SQLITE_OK) return fail(db, err, path);
    sqlite3_busy_timeout(db->at, BUSY_MS);
    return 0;
}

static int set_up(struct sql *db, const struct sql_options *o, struct err *err) {
    char text[160];
    /* Counts only before the first page is written. */
    if (o->shrinks && !o->read_only && sql_exec(db, "PRAGMA auto_vacuum=INCREMENTAL", err) < 0) return -1;
    if (!o->read_only && sql_exec(db, "PRAGMA journal_mode=WAL", err) < 0) return -1;
    snprintf(text, sizeof text,
             "PRAGMA synchronous=%s; PRAGMA mmap_size=0; PRAGMA cache_size=-%u; PRAGMA "
             "foreign_keys=ON",
             o->durable ? "FULL" : "NORMAL", o->cache_kb ? o->cache_kb : 2000);
    return sql_exec(db, text, err);
}

static int user_version(struct sql *db, unsigned *version, struct err *err) {
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(db->at, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
        return fail(db, err, "reading the schema's version");
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) *version = (unsigned)sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? 0 : fail(db, err, "reading the schema's version");
}

static int migrate_one(struct sql *db, const char *step, unsigned to, struct err *err) {
    char text[64];
    snprintf(text, sizeof text, "PRAGMA user_version=%u", to);
    if (sql_begin(db, err) < 0) return -1;
    unsigned now = 0;
    if (user_version(db, &now, err) < 0) goto undo;
    if (now >= to) return sql_end(db, err); /* another process was faster */
    if (sql_exec(db, step, err) < 0 || sql_exec(db, text, err) < 0) goto undo;
    return sql_end(db, err);
undo:
    sql_rollback(db);
    return -1;
}

static int bring_up(struct sql *db, const char *path, const struct sql_options *o, struct err *err) {
    unsigned version = 0;
    if (user_version(db, &version, err) < 0) return -1;
    if (version > o->migration_count)
        return err_set(err, ERR_INPUT, "%s was written by a newer tsubame (schema %u, this one knows %u)",
                       path, version, o->migration_count);
    if (version < o->migration_count && o->read_only)
        return err_set(err, ERR_INPUT, "%s has schema %u, this tsubame wants %u: start the server once", path,
                       version, o->migration_count);
    for (; version < o->migration_count; version++)
        if (migrate_one(db, o->migrations[version], version + 1, err) < 0)
            return err_wrap(err, "migrating %s to schema %u", path, version + 1);
    return 0;
}

struct sql *sql_open(const char *path, const struct sql_options *options, struct err *err) {
    static const struct sql_options NONE;
    const struct sql_options *o = options ? options : &NONE;
    struct sql *db = calloc(1, sizeof *db);
    if (!db) {
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    if (open_file(db, path, o->read_only, err) == 0) {
        if (set_up(db, o, err) == 0 && (o->migration_count == 0 || bring_up(db, path, o, err) == 0))
            return db;
        if (err && !strstr(err->text, path)) err_wrap(err, "%s", path);
    }
    sql_free(db);
    return NULL;
}

void sql_free(struct sql *db) {
    if (!db) return;
    for (size_t i = 0; i < db->count; i++) {
        sqlite3_finalize(db->statements[i]->at);
        free(db->statements[i]);
    }
    sqlite3_close(db->at);
    free(db);
}

/* ---- statements ---- */

int sql_exec(struct sql *db, const char *text, struct err *err) {
    return sqlite3_exec(db->at, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(db, err, "SQL");
}

struct sql_stmt *sql_prepare(struct sql *db, const char *literal, struct err *err) {
    for (size_t i = 0; i < db->count; i++)
        if (db->statements[i]->text == literal) {
            sql_reset(db->statements[i]);
            sqlite3_clear_bindings(db->statements[i]->at);
            return db->statements[i];
        }
    assert(db->count < STATEMENTS_MAX); /* texts made at run time do not belong here */
    struct sql_stmt *st = calloc(1, sizeof *st);
    if (!st) {
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    *st = (struct sql_stmt){.db = db, .text = literal};
    if (sqlite3_prepare_v3(db->at, literal, -1, SQLITE_PREPARE_PERSISTENT, &st->at, NULL) != SQLITE_OK) {
        fail(db, err, literal);
        free(st);
        return NULL;
    }
    db->statements[db->count++] = st;
    return st;
}

void sql_bind_int(struct sql_stmt *st, int index, int64_t value) {
    int rc = sqlite3_bind_int64(st->at, index, value);
    assert(rc == SQLITE_OK);
    (void)rc;
}

void sql_bind_real(struct sql_stmt *st, int index, double value) {
    int rc = sqlite3_bind_double(st->at, index, value);
    assert(rc == SQLITE_OK);
    (void)rc;
}

void sql_bind_text(struct sql_stmt *st, int index, struct slice text) {
    int rc = sqlite3_bind_text64(st->at, index, text.at ? text.at : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
    assert(rc == SQLITE_OK);
    (void)rc;
}

void sql_bind_blob(struct sql_stmt *st, int index, struct slice bytes) {
    int rc = sqlite3_bind_blob64(st->at, index, bytes.at ? bytes.at : "", bytes.len, SQLITE_STATIC);
    assert(rc == SQLITE_OK);
    (void)rc;
}

void sql_bind_null(struct sql_stmt *st, int index) {
    int rc = sqlite3_bind_null(st->at, index);
    assert(rc == SQLITE_OK);
    (void)rc;
}

int sql_step(struct sql_stmt *st, struct err *err) {
    int rc = sqlite3_step(st->at);
    if (rc == SQLITE_ROW) return 1;
    if (rc != SQLITE_DONE) fail(st->db, err, st->text);
    sql_reset(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

int sql_run(struct sql_stmt *st, struct err *err) {
    int status = sql_step(st, err);
    assert(status <= 0);
    return status;
}

int64_t sql_int(struct sql_stmt *st, int column) {
    return sqlite3_column_int64(st->at, column);
}

double sql_real(struct sql_stmt *st, int column) {
    return sqlite3_column_double(st->at, column);
}

struct slice sql_bytes(struct sql_stmt *st, int column) {
    const void *at = sqlite3_column_blob(st->at, column);
    return slice_make(at, (size_t)sqlite3_column_bytes(st->at, column));
}

bool sql_is_null(struct sql_stmt *st, int column) {
    return sqlite3_column_type(st->at, column) == SQLITE_NULL;
}

void sql_reset(struct sql_stmt *st) {
    sqlite3_reset(st->at);
}

uint64_t sql_changes(const struct sql *db) {
    return (uint64_t)sqlite3_changes64(db->at);
}

/* ---- transactions ---- */

int sql_begin(struct sql *db, struct err *err) {
    assert(!db->in_transaction);
    if (sql_exec(db, "BEGIN IMMEDIATE", err) < 0) return -1;
    db->in_transaction = true;
    return 0;
}

int sql_end(struct sql *db, struct err *err) {
    assert(db->in_transaction);
    if (sql_exec(db, "COMMIT", err) < 0) {
        sql_rollback(db);
        return -1;
    }
    db->in_transaction = false;
    return 0;
}

void sql_rollback(struct sql *db) {
    /* SQLite may have rolled back by itself (a full disk) */
    if (!sqlite3_get_autocommit(db->at)) sqlite3_exec(db->at, "ROLLBACK", NULL, NULL, NULL);
    db->in_transaction = false;
}

/* ---- space ---- */

static int pragma_number(struct sql *db, const char *literal, uint64_t *value, struct err *err) {
    struct sql_stmt *st = sql_prepare(db, literal, err);
    int found = st ? sql_step(st, err) : -1;
    if (found == 1) {
        *value = (uint64_t)sql_int(st, 0);
        sql_reset(st);
    }
    return found == 1 ? 0 : -1;
}

int sql_space(struct sql *db, struct sql_space *space, struct err *err) {
    return pragma_number(db, "PRAGMA page_size", &space->page_bytes, err) ||
                   pragma_number(db, "PRAGMA page_count", &space->pages, err) ||
                   pragma_number(db, "PRAGMA freelist_count", &space->free_pages, err)
               ? -1
               : 0;
}

int sql_give_back(struct sql *db, unsigned pages, struct err *err) {
    char text[64];
    snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%u)", pages);
    return sql_exec(db, text, err);
}

/* ---- copies ---- */

struct sql_snapshot {
    struct sql *db;
};

struct sql_snapshot *sql_snapshot_take(const char *path, struct err *err) {
    struct sql_snapshot *snap = calloc(1, sizeof *snap);
    if (!snap) {
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    snap->db = sql_open(path, &(struct sql_options){.read_only = true}, err);
    /* In WAL mode the first read fixes what the transaction sees. */
    if (snap->db && sql_exec(snap->db, "BEGIN; SELECT count(*) FROM sqlite_master", err) == 0) return snap;
    sql_snapshot_free(snap);
    return NULL;
}

int sql_snapshot_copy(struct sql_snapshot *snap, const char *target, struct err *err) {
    struct sql to = {0};
    if (open_file(&to, target, false, err) < 0) {
        sqlite3_close(to.at);
        return -1;
    }
    sqlite3_backup *b = sqlite3_backup_init(to.at, "main", snap->db->at, "main");
    int status = 0;
    /* All pages in one step: a step begins no view of its own when the source has one. */
    if (!b || sqlite3_backup_step(b, -1) != SQLITE_DONE) status = fail(b ? snap->db : &to, err, "copying");
    if (b && sqlite3_backup_finish(b) != SQLITE_OK && status == 0) status = fail(&to, err, "copying");
    sqlite3_close(to.at);
    return status;
}

void sql_snapshot_free(struct sql_snapshot *snap) {
    if (!snap) return;
    sql_free(snap->db);
    free(snap);
}
