/* The schema of the history and its rows. Written by the projector alone, read by reports. */
#include "history.h"

#include <limits.h>
#include <stdio.h>

static const char *const migrations[] = {
    "CREATE TABLE cursor (id INTEGER PRIMARY KEY, sequence BIGINT NOT NULL, newest BIGINT NOT NULL);"
    "CREATE TABLE campaign (id BIGINT PRIMARY KEY, name TEXT NOT NULL, row BLOB NOT NULL);"
    "CREATE TABLE chunk (campaign BIGINT NOT NULL, idx BIGINT NOT NULL, first_hash BIGINT NOT NULL,"
    " last_hash BIGINT NOT NULL, count INTEGER NOT NULL, domain TEXT NOT NULL, file BIGINT NOT NULL,"
    " place BIGINT NOT NULL, length BIGINT NOT NULL, PRIMARY KEY (campaign, idx));"
    "CREATE INDEX chunk_hash ON chunk (campaign, first_hash);"
    "CREATE INDEX chunk_file ON chunk (file);"
    "CREATE TABLE history (campaign BIGINT NOT NULL, chunk BIGINT NOT NULL, seq BIGINT NOT NULL,"
    " events BLOB NOT NULL, PRIMARY KEY (campaign, chunk, seq));",
    "CREATE TABLE removed (campaign BIGINT PRIMARY KEY, at BIGINT NOT NULL, why INTEGER NOT NULL,"
    " recipients BIGINT NOT NULL, complete INTEGER NOT NULL);",
    "CREATE TABLE note (seq BIGINT NOT NULL, n INTEGER NOT NULL, at BIGINT NOT NULL, what INTEGER NOT NULL,"
    " provider TEXT NOT NULL, source TEXT NOT NULL, words TEXT NOT NULL, code INTEGER NOT NULL,"
    " dimension INTEGER NOT NULL, cause INTEGER NOT NULL, was DOUBLE PRECISION NOT NULL,"
    " became DOUBLE PRECISION NOT NULL, changes BIGINT NOT NULL, act INTEGER NOT NULL, campaign BIGINT NOT "
    "NULL,"
    " scope TEXT NOT NULL, by_whom TEXT NOT NULL, touched BIGINT NOT NULL, PRIMARY KEY (seq, n));"
    "CREATE INDEX note_at ON note (at);"
    "CREATE INDEX note_provider ON note (provider COLLATE NOCASE, seq);",
};

struct sql *history_open(const char *dir, bool read_only, struct err *err) {
    char path[PATH_MAX];
    struct sql_options options = {.read_only = read_only,
                                  .durable = true, /* the ledger drops blocks that the cursor has passed */
                                  .shrinks = true,
                                  .migrations = migrations,
                                  .migration_count = sizeof migrations / sizeof migrations[0]};
    if (snprintf(path, sizeof path, "%s/history.db", dir) >= (int)sizeof path)
        return err_set(err, ERR_INPUT, "%s: the path is too long", dir), NULL;
    return sql_open(path, &options, err);
}

int history_cursor_get(struct sql *db, struct history_cursor *cursor, struct err *err) {
    *cursor = (struct history_cursor){0};
    struct sql_stmt *st = sql_prepare(db, "SELECT sequence, newest FROM cursor WHERE id = 1", err);
    int found = st ? sql_step(st, err) : -1;
    if (found == 1) {
        cursor->sequence = (uint64_t)sql_int(st, 0);
        cursor->newest = (uint64_t)sql_int(st, 1);
        sql_reset(st);
    }
    return found < 0 ? -1 : 0;
}

int history_cursor_put(struct sql *db, const struct history_cursor *cursor, struct err *err) {
    struct sql_stmt *st =
        sql_prepare(db,
                    "INSERT INTO cursor (id, sequence, newest) VALUES (1, ?, ?) ON CONFLICT (id) "
                    "DO UPDATE SET sequence = excluded.sequence, newest = excluded.newest",
                    err);
    if (!st) return -1;
    sql_bind_int(st, 1, (int64_t)cursor->sequence);
    sql_bind_int(st, 2, (int64_t)cursor->newest);
    return sql_run(st, err);
}

/* Loading was given up: what may be here of it goes. Nothing of it was sent, so it has no outcomes. */
static int drop_campaign(struct sql *db, uint32_t id, struct err *err) {
    static const char *const statements[] = {"DELETE FROM chunk WHERE campaign = ?",
                                             "DELETE FROM campaign WHERE id = ?"};
    for (size_t i = 0; i < 2; i++) {
        struct sql_stmt *st = sql_prepare(db, statements[i], err);
        if (!st) return -1;
        sql_bind_int(st, 1, id);
        if (sql_run(st, err)) return -1;
    }
    return 0;
}

int history_campaign_put(struct sql *db, struct slice detail, struct err *err) {
    struct campaign_row row;
    if (campaign_row_decode(detail, &row, err)) return -1;
    if (row.state == CAMPAIGN_LOADING && row.ended) return drop_campaign(db, row.id, err);
    struct sql_stmt *st =
        sql_prepare(db,
                    "INSERT INTO campaign (id, name, row) VALUES (?, ?, ?) ON CONFLICT (id) "
                    "DO UPDATE SET name = excluded.name, row = excluded.row",
                    err);
    if (!st) return -1;
    sql_bind_int(st, 1, row.id);
    sql_bind_text(st, 2, row.name);
    sql_bind_blob(st, 3, detail);
    return sql_run(st, err);
}

int history_chunk_put(struct sql *db, struct slice detail, struct err *err) {
    struct chunk_row row;
    if (chunk_row_decode(detail, &row, err)) return -1;
    struct sql_stmt *st =
        sql_prepare(db,
                    "INSERT INTO chunk (campaign, " HISTORY_CHUNK_COLUMNS ") "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (campaign, idx) DO NOTHING",
                    err);
    if (!st) return -1;
    sql_bind_int(st, 1, chunk_campaign(row.id));
    sql_bind_int(st, 2, (int64_t)(row.id & RID_CHUNK_MAX));
    sql_bind_int(st, 3, history_hash(row.first_hash));
    sql_bind_int(st, 4, history_hash(row.last_hash));
    sql_bind_int(st, 5, row.count);
    sql_bind_text(st, 6, row.domain);
    sql_bind_int(st, 7, row.table.file);
    sql_bind_int(st, 8, row.table.offset);
    sql_bind_int(st, 9, row.table.len);
    return sql_run(st, err);
}

struct chunk_row history_chunk_row(struct sql_stmt *st, uint32_t campaign) {
    return (struct chunk_row){
        .id = (uint64_t)campaign << 28 | (uint64_t)sql_int(st, 0),
        .first_hash = (uint64_t)sql_int(st, 1) ^ UINT64_C(1) << 63,
        .last_hash = (uint64_t)sql_int(st, 2) ^ UINT64_C(1) << 63,
        .count = (uint16_t)sql_int(st, 3),
        .domain = sql_bytes(st, 4),
        .table = {(uint32_t)sql_int(st, 5), (uint32_t)sql_int(st, 6), (uint32_t)sql_int(st, 7)},
    };
}

int history_part_put(struct sql *db, uint64_t chunk, uint64_t seq, struct slice events, struct err *err) {
    struct sql_stmt *st =
        sql_prepare(db, "INSERT INTO history (campaign, chunk, seq, events) VALUES (?, ?, ?, ?)", err);
    if (!st) return -1;
    sql_bind_int(st, 1, chunk_campaign(chunk));
    sql_bind_int(st, 2, (int64_t)(chunk & RID_CHUNK_MAX));
    sql_bind_int(st, 3, (int64_t)seq);
    sql_bind_blob(st, 4, events);
    return sql_run(st, err);
}

int history_chunk_newest(struct sql *db, uint64_t chunk, uint64_t *seq, struct err *err) {
    *seq = 0;
    struct sql_stmt *st =
        sql_prepare(db, "SELECT MAX(seq) FROM history WHERE campaign = ? AND chunk = ?", err);
    if (!st) return -1;
    sql_bind_int(st, 1, chunk_campaign(chunk));
    sql_bind_int(st, 2, (int64_t)(chunk & RID_CHUNK_MAX));
    int found = sql_step(st, err);
    if (found == 1) *seq = (uint64_t)sql_int(st, 0);
    sql_reset(st);
    return found < 0 ? -1 : 0;
}

/* From file to file along the index: chunks are many, files few. */
int history_mark_segments(struct sql *db, struct segment_set *live, struct err *err) {
    struct sql_stmt *st = sql_prepare(db, "SELECT COALESCE(MIN(file), 0) FROM chunk WHERE file > ?", err);
    int64_t file = 0;
    if (!st) return -1;
    do {
        sql_bind_int(st, 1, file);
        if (sql_step(st, err) != 1) return -1;
        file = sql_int(st, 0);
        sql_reset(st);
        if (file && !segment_set_add(live, (uint32_t)file)) return err_set(err, ERR_SYSTEM, "out of memory");
    } while (file);
    return 0;
}
