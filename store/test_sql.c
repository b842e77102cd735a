/* The SQLite wrapper: statements, transactions, versions, errors, snapshots. */
#include "sql.h"
#include "store_test_dir.h"

#include <sys/stat.h>

static const char *const STEPS[] = {"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, bytes BLOB)",
                                    "ALTER TABLE t ADD COLUMN n INTEGER; UPDATE t SET n = id * 2"};

static struct sql *open_ok(const char *path, unsigned steps) {
    struct err err = {0};
    struct sql *db =
        sql_open(path, &(struct sql_options){.migrations = STEPS, .migration_count = steps}, &err);
    if (!db) fail_msg("%s", err.text);
    return db;
}

static void insert(struct sql *db, int64_t id, struct slice name, struct slice bytes) {
    struct err err = {0};
    struct sql_stmt *st = sql_prepare(db, "INSERT INTO t (id, name, bytes) VALUES (?1, ?2, ?3)", &err);
    assert_non_null(st);
    sql_bind_int(st, 1, id);
    sql_bind_text(st, 2, name);
    if (bytes.len)
        sql_bind_blob(st, 3, bytes);
    else
        sql_bind_null(st, 3);
    if (sql_run(st, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(sql_changes(db), 1);
}

static int64_t count(struct sql *db) {
    struct sql_stmt *st = sql_prepare(db, "SELECT count(*) FROM t", NULL);
    assert_int_equal(sql_step(st, NULL), 1);
    int64_t n = sql_int(st, 0);
    sql_reset(st);
    return n;
}

static void test_rows(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    struct sql *db = open_ok(in_dir(&d, "h.db"), 1);
    struct stat st;
    assert_int_equal(stat(in_dir(&d, "h.db"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    insert(db, 1, SLICE("one"), SLICE("a\0b"));
    insert(db, -5, SLICE(""), (struct slice){0});
    struct sql_stmt *q = sql_prepare(db, "SELECT id, name, bytes FROM t ORDER BY id", &err);
    assert_int_equal(sql_step(q, &err), 1);
    assert_int_equal(sql_int(q, 0), -5);
    assert_int_equal(sql_bytes(q, 1).len, 0);
    assert_false(sql_is_null(q, 1));
    assert_true(sql_is_null(q, 2));
    assert_int_equal(sql_step(q, &err), 1);
    assert_true(slice_eq(sql_bytes(q, 1), SLICE("one")));
    assert_true(slice_eq(sql_bytes(q, 2), SLICE("a\0b")));
    assert_int_equal(sql_step(q, &err), 0);
    assert_int_equal(sql_step(q, &err), 1); /* after the end it begins again */
    sql_reset(q);

    struct sql_stmt *twice = sql_prepare(db, "INSERT INTO t (id) VALUES (1)", &err);
    assert_int_equal(sql_run(twice, &err), -1);
    assert_non_null(strstr(err.text, "UNIQUE"));
    assert_null(sql_prepare(db, "SELECT nothing FROM nowhere", &err));
    assert_non_null(strstr(err.text, "nowhere"));
    assert_int_equal(sql_exec(db, "so this is not SQL", &err), -1);
    sql_free(db);
    test_dir_remove(&d);
}

static void test_transactions(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    struct sql *db = open_ok(in_dir(&d, "h.db"), 1);
    assert_int_equal(sql_begin(db, &err), 0);
    insert(db, 1, SLICE("x"), SLICE("y"));
    sql_rollback(db);
    assert_int_equal(count(db), 0);
    assert_int_equal(sql_begin(db, &err), 0);
    insert(db, 1, SLICE("x"), SLICE("y"));
    assert_int_equal(sql_end(db, &err), 0);
    assert_int_equal(count(db), 1);

    struct sql *reader = sql_open(in_dir(&d, "h.db"), &(struct sql_options){.read_only = true}, &err);
    assert_non_null(reader);
    assert_int_equal(sql_begin(db, &err), 0); /* a writer does not disturb it */
    insert(db, 2, SLICE("x"), SLICE("y"));
    assert_int_equal(count(reader), 1);
    assert_int_equal(sql_end(db, &err), 0);
    assert_int_equal(count(reader), 2);
    assert_int_equal(sql_exec(reader, "DELETE FROM t", &err), -1);
    sql_free(reader);
    sql_free(db);
    test_dir_remove(&d);
}

static void test_versions(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    struct sql_options o = {.read_only = true, .migrations = STEPS, .migration_count = 2};
    assert_null(sql_open(in_dir(&d, "h.db"), &o, &err));
    assert_int_equal(err.kind, ERR_ABSENT);
    struct sql *db = open_ok(in_dir(&d, "h.db"), 1);
    insert(db, 21, SLICE("x"), SLICE("y"));
    sql_free(db);
    assert_null(sql_open(in_dir(&d, "h.db"), &o, &err));
    assert_non_null(strstr(err.text, "has schema 1"));
    db = open_ok(in_dir(&d, "h.db"), 2);
    struct sql_stmt *q = sql_prepare(db, "SELECT n FROM t", &err);
    assert_int_equal(sql_step(q, &err), 1);
    assert_int_equal(sql_int(q, 0), 42);
    sql_free(db);
    o = (struct sql_options){.migrations = STEPS, .migration_count = 1};
    assert_null(sql_open(in_dir(&d, "h.db"), &o, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "schema 2, this one knows 1"));

    const char *const bad[] = {STEPS[0], "ALTER TABLE t ADD COLUMN n INTEGER; SELECT * FROM nowhere"};
    o = (struct sql_options){.migrations = bad, .migration_count = 2};
    assert_null(sql_open(in_dir(&d, "g.db"), &o, &err));
    sql_free(open_ok(in_dir(&d, "g.db"), 1)); /* the bad step left nothing behind */
    sql_free(open_ok(in_dir(&d, "g.db"), 2));
    test_dir_remove(&d);
}

static void test_not_a_database(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    FILE *f = fopen(in_dir(&d, "h.db"), "we");
    for (int i = 0; i < 500; i++)
        fputs("this is no database, whatever its name says\n", f);
    fclose(f);
    assert_null(sql_open(in_dir(&d, "h.db"), NULL, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_null(sql_open(in_dir(&d, "no/such/h.db"), NULL, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    test_dir_remove(&d);
}

/* A snapshot is of the moment when it was taken, whatever happens until it is copied. */
static void test_snapshot(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    assert_null(sql_snapshot_take(in_dir(&d, "h.db"), &err));
    assert_int_equal(err.kind, ERR_ABSENT);
    struct sql *db = open_ok(in_dir(&d, "h.db"), 1);
    insert(db, 1, SLICE("before"), SLICE("y"));
    struct sql_snapshot *snap = sql_snapshot_take(in_dir(&d, "h.db"), &err);
    if (!snap) fail_msg("%s", err.text);
    for (int i = 2; i < 2000; i++)
        insert(db, i, SLICE("after"), SLICE("y"));
    if (sql_snapshot_copy(snap, in_dir(&d, "copy.db"), &err) < 0) fail_msg("%s", err.text);
    sql_snapshot_free(snap);
    struct sql *copy = open_ok(in_dir(&d, "copy.db"), 1);
    assert_int_equal(count(copy), 1);
    assert_int_equal(count(db), 1999);
    sql_free(copy);
    sql_free(db);
    test_dir_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_versions), cmocka_unit_test(test_not_a_database),
        cmocka_unit_test(test_snapshot),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
