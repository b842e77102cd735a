/* The ledger's tables: what is put is there, in order, after a restart; versions, openers, growth, threads.
 */
#include "clock.h"
#include "store.h"
#include "store_test_dir.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct store_options SMALL = {.reserve = 1 << 20};

static struct store *open_ok(const char *dir, const struct store_options *o) {
    struct err err = {0};
    struct store *s = store_open(dir, o, &err);
    if (!s) fail_msg("%s", err.text);
    return s;
}

static void put_number(struct store_batch *b, enum store_table t, uint64_t key, const char *value) {
    struct store_key k = store_key_u64(key);
    assert_true(store_put(b, t, store_key_slice(&k), slice_of(value)));
}

static void commit_ok(struct store *s, struct store_batch *b) {
    struct err err = {0};
    if (store_commit(s, b, 0, &err) < 0) fail_msg("%s", err.text);
    store_batch_reset(b);
}

static uint64_t rows(struct store *s, enum store_table t) {
    struct store_reader *r = store_reader_open(s, NULL);
    uint64_t count = 0;
    assert_int_equal(store_read_begin(r, NULL), 0);
    assert_int_equal(store_count(r, t, &count, NULL), 0);
    store_read_end(r);
    store_reader_free(r);
    return count;
}

static void test_keys(void **state) {
    (void)state;
    struct store_key small = store_key_pair(1, 255), large = store_key_pair(1, 256),
                     three = store_key_three(1, 2, 3);
    assert_true(slice_cmp(store_key_slice(&small), store_key_slice(&large)) < 0);
    uint64_t n;
    assert_true(store_key_number(store_key_slice(&large), 1, &n) && n == 256);
    assert_true(store_key_number(store_key_slice(&three), 2, &n) && n == 3);
    assert_false(store_key_number(store_key_slice(&large), 2, &n));
    assert_false(store_key_number(SLICE("short"), 0, &n));
    assert_false(store_key_number(store_key_slice(&large), SIZE_MAX, &n));
}

static void check_walk(struct store_reader *r) {
    struct store_cursor c;
    uint64_t key;
    assert_int_equal(store_cursor_init(&c, r, TABLE_BLOCK, NULL), 0);
    struct store_key from = store_key_u64(150);
    assert_int_equal(store_cursor_seek(&c, store_key_slice(&from), NULL), 1);
    for (uint64_t want = 150; want < 1000; want++) {
        assert_true(store_key_number(c.key, 0, &key) && key == want);
        assert_int_equal(store_cursor_next(&c, NULL), want < 999 ? 1 : 0);
    }
    assert_int_equal(store_cursor_last(&c, NULL), 1);
    assert_true(store_key_number(c.key, 0, &key) && key == 999);
    assert_int_equal(store_cursor_prev(&c, NULL), 1);
    assert_true(store_key_number(c.key, 0, &key) && key == 998);
    assert_int_equal(store_cursor_first(&c, NULL), 1);
    assert_true(store_key_number(c.key, 0, &key) && key == 0);
    assert_int_equal(store_cursor_prev(&c, NULL), 0);
    from = store_key_u64(1000);
    assert_int_equal(store_cursor_seek(&c, store_key_slice(&from), NULL), 0);
    store_cursor_done(&c);
}

static void test_rows_survive(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct store *s = open_ok(in_dir(&d, "s"), &SMALL);
    struct stat st;
    assert_int_equal(stat(in_dir(&d, "s"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(in_dir(&d, "s/reserve"), &st), 0);
    assert_int_equal(st.st_size, 1 << 20);
    struct store_batch *b = store_batch_new(1 << 20);
    for (uint64_t i = 1000; i-- > 0;)
        put_number(b, TABLE_BLOCK, i, "block");
    commit_ok(s, b);
    put_number(b, TABLE_CHUNK, 5, "first");
    put_number(b, TABLE_CHUNK, 5, "second");
    put_number(b, TABLE_CHUNK, 6, "gone");
    struct store_key k = store_key_u64(6);
    assert_true(store_delete(b, TABLE_CHUNK, store_key_slice(&k)));
    k = store_key_u64(7);
    assert_true(store_delete(b, TABLE_CHUNK, store_key_slice(&k)));
    commit_ok(s, b);
    store_free(s);

    s = open_ok(in_dir(&d, "s"), &SMALL);
    struct store_reader *r = store_reader_open(s, NULL);
    assert_int_equal(store_read_begin(r, NULL), 0);
    check_walk(r);
    struct slice value;
    k = store_key_u64(5);
    assert_int_equal(store_get(r, TABLE_CHUNK, store_key_slice(&k), &value, NULL), 1);
    assert_true(slice_eq(value, SLICE("second")));
    k = store_key_u64(6);
    assert_int_equal(store_get(r, TABLE_CHUNK, store_key_slice(&k), &value, NULL), 0);
    store_reader_free(r);
    store_batch_free(b);
    store_free(s);
    test_dir_remove(&d);
}

static void delete_range(struct store *s, uint64_t from, uint64_t to, uint32_t most) {
    struct store_batch *b = store_batch_new(4096);
    struct store_key f = store_key_u64(from), t = store_key_u64(to);
    assert_true(store_delete_range(b, TABLE_RETRY, store_key_slice(&f),
                                   to ? store_key_slice(&t) : (struct slice){0}, most));
    commit_ok(s, b);
    store_batch_free(b);
}

static void test_ranges(void **state) {
    (void)state;
    enum { N = 20000 };
    struct test_dir d = test_dir_make();
    struct store *s = open_ok(in_dir(&d, "s"), &SMALL);
    struct store_batch *b = store_batch_new(8 << 20);
    for (uint64_t i = 0; i < N; i++)
        put_number(b, TABLE_RETRY, i,
                   i % 7 ? "a short one" : "one that is a good deal longer than the others are");
    commit_ok(s, b);
    delete_range(s, 5000, 15000, 100);
    assert_int_equal(rows(s, TABLE_RETRY), N - 100);
    delete_range(s, 0, 5000, 0);
    assert_int_equal(rows(s, TABLE_RETRY), N - 5100);
    delete_range(s, 15000, 0, 0);
    assert_int_equal(rows(s, TABLE_RETRY), 9900);
    struct store_reader *r = store_reader_open(s, NULL);
    assert_int_equal(store_read_begin(r, NULL), 0);
    struct store_cursor c;
    uint64_t key;
    assert_int_equal(store_cursor_init(&c, r, TABLE_RETRY, NULL), 0);
    assert_int_equal(store_cursor_first(&c, NULL), 1);
    for (uint64_t want = 5100; want < 15000; want++) {
        assert_true(store_key_number(c.key, 0, &key) && key == want);
        assert_int_equal(store_cursor_next(&c, NULL), want < 14999);
    }
    store_cursor_done(&c);
    store_reader_free(r);
    delete_range(s, 0, 0, 0);
    assert_int_equal(rows(s, TABLE_RETRY), 0);
    store_batch_free(b);
    store_free(s);
    test_dir_remove(&d);
}

/* A reader keeps its view while the writer goes on, and sees the news when it begins again. */
static void test_views(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct store *s = open_ok(in_dir(&d, "s"), &SMALL);
    struct store_batch *b = store_batch_new(4096);
    struct store_reader *r = store_reader_open(s, NULL);
    assert_int_equal(store_read_begin(r, NULL), 0);
    put_number(b, TABLE_DOMAIN, 1, "x");
    commit_ok(s, b);
    uint64_t count;
    assert_int_equal(store_count(r, TABLE_DOMAIN, &count, NULL), 0);
    assert_int_equal(count, 0);
    store_read_end(r);
    assert_int_equal(store_read_begin(r, NULL), 0);
    assert_int_equal(store_count(r, TABLE_DOMAIN, &count, NULL), 0);
    assert_int_equal(count, 1);
    store_reader_free(r);
    store_batch_free(b);
    store_free(s);
    test_dir_remove(&d);
}

static void test_map_grows(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct store_options o = {.reserve = 1 << 20, .map_size = 1 << 20};
    struct store *s = open_ok(in_dir(&d, "s"), &o);
    static char large[100000];
    struct store_batch *b = store_batch_new(1 << 20);
    for (uint64_t i = 0; i < 100; i++) {
        struct store_key k = store_key_u64(i);
        assert_true(store_put(b, TABLE_PAYLOAD, store_key_slice(&k), slice_make(large, sizeof large)));
        commit_ok(s, b);
    }
    struct store_stats stats;
    store_stats(s, &stats);
    assert_true(stats.map_size > 10 << 20);
    assert_int_equal(stats.commits, 100);
    assert_int_equal(rows(s, TABLE_PAYLOAD), 100);
    store_batch_free(b);
    store_free(s);
    s = open_ok(in_dir(&d, "s"), &o);
    assert_int_equal(rows(s, TABLE_PAYLOAD), 100);
    store_free(s);
    test_dir_remove(&d);
}

static void test_full_batch(void **state) {
    (void)state;
    struct store_batch *b = store_batch_new(64);
    put_number(b, TABLE_META, 1, "fits");
    size_t len = store_batch_bytes(b);
    struct store_key k = store_key_u64(2);
    assert_false(store_put(b, TABLE_META, store_key_slice(&k),
                           slice_of("this value is much too long for a batch "
                                    "which may hold only sixty-four bytes")));
    assert_int_equal(store_batch_bytes(b), len); /* no half operation */
    assert_false(store_put(b, TABLE_META, store_key_slice(&k), SLICE("")));
    store_batch_reset(b);
    assert_true(store_batch_empty(b));
    assert_true(store_put(b, TABLE_META, store_key_slice(&k), SLICE("")));
    store_batch_free(b);
}

/* ---- openers ---- */

static void test_two_writers(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct store *s = open_ok(in_dir(&d, "s"), &SMALL);
    struct err err = {0};
    char want[64];
    snprintf(want, sizeof want, "(pid %ld)", (long)getpid());
    assert_null(store_open(in_dir(&d, "s"), &SMALL, &err));
    assert_int_equal(err.kind, ERR_BUSY);
    assert_non_null(strstr(err.text, "another tsubame runs on the store"));
    assert_non_null(strstr(err.text, want));
    store_free(s);
    store_free(open_ok(in_dir(&d, "s"), &SMALL));
    test_dir_remove(&d);
}

/* In a process of its own: reads one row, while the parent goes on writing. */
static int read_beside(const char *dir) {
    struct err err;
    struct slice value;
    struct store_key k = store_key_u64(1);
    struct store *s = store_open(dir, &(struct store_options){.read_only = true}, &err);
    if (!s) return 1;
    struct store_reader *r = store_reader_open(s, &err);
    if (!r || store_read_begin(r, &err) < 0) return 2;
    if (store_get(r, TABLE_META, store_key_slice(&k), &value, &err) != 1) return 3;
    if (!slice_eq(value, SLICE("seen"))) return 4;
    store_reader_free(r);
    if (store_check_room(s, &err) < 0) return 5;
    store_free(s);
    return 0;
}

static void test_reader_process(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    assert_null(store_open(in_dir(&d, "s"), &(struct store_options){.read_only = true}, &err));
    assert_int_equal(err.kind, ERR_ABSENT);
    struct store *s = open_ok(in_dir(&d, "s"), &SMALL);
    struct store_batch *b = store_batch_new(4096);
    put_number(b, TABLE_META, 1, "seen");
    commit_ok(s, b);
    pid_t pid = fork();
    if (pid == 0) _exit(read_beside(in_dir(&d, "s")));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    put_number(b, TABLE_META, 2, "more");
    commit_ok(s, b);
    store_batch_free(b);
    store_free(s);
    test_dir_remove(&d);
}

/* ---- versions ---- */

/* Version 0, made up: domains were stored under their text in TABLE_META as "d:NAME". */
static int from_zero(struct store_reader *in, struct store_batch *out, struct err *err) {
    struct store_cursor c;
    if (store_cursor_init(&c, in, TABLE_META, err) < 0) return -1;
    for (int more = store_cursor_seek(&c, SLICE("d:"), err); more == 1 && slice_starts(c.key, SLICE("d:"));
         more = store_cursor_next(&c, err)) {
        store_put(out, TABLE_DOMAIN, slice_skip(c.key, 2), c.value);
        store_delete(out, TABLE_META, c.key);
    }
    store_cursor_done(&c);
    return 0;
}

static int from_one(struct store_reader *in, struct store_batch *out, struct err *err) {
    struct slice value;
    if (store_get(in, TABLE_DOMAIN, SLICE("example.com"), &value, err) != 1)
        return err_set(err, ERR_CORRUPT, "the first step has not been done");
    store_put(out, TABLE_CURSOR, SLICE("from-one"), value);
    return 0;
}

static int refuses(struct store_reader *in, struct store_batch *out, struct err *err) {
    (void)in, (void)out;
    return err_set(err, ERR_CORRUPT, "row 7 makes no sense");
}

static void make_version_zero(const char *dir) {
    struct store *s = open_ok(dir, &SMALL);
    struct store_batch *b = store_batch_new(4096);
    store_put(b, TABLE_META, SLICE("store.version"), SLICE("\0\0\0\0"));
    store_put(b, TABLE_META, SLICE("d:example.com"), SLICE("google"));
    store_put(b, TABLE_META, SLICE("d:example.org"), SLICE("tail"));
    commit_ok(s, b);
    store_batch_free(b);
    store_free(s);
}

static void refused(const char *dir, const struct store_options *o, enum err_kind kind, const char *part1,
                    const char *part2) {
    struct err err = {0};
    assert_null(store_open(dir, o, &err));
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, part1) || !strstr(err.text, part2)) fail_msg("%s", err.text);
}

static void test_migration(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    const char *dir = in_dir(&d, "s");
    make_version_zero(dir);
    refused(dir, NULL, ERR_INPUT, "version 0", "version 1");
    refused(dir, &(struct store_options){.read_only = true}, ERR_INPUT, "version 0", "migrate");
    struct store_migration broken = {0, refuses};
    refused(dir, &(struct store_options){.migrations = &broken, .migration_count = 1}, ERR_CORRUPT,
            "from version 0", "row 7");
    struct store_migration steps[] = {{1, from_one}, {0, from_zero}};
    struct store_options o = {.reserve = 1 << 20, .version = 2, .migrations = steps, .migration_count = 2};
    struct store *s = open_ok(dir, &o);
    assert_int_equal(rows(s, TABLE_DOMAIN), 2);
    assert_int_equal(rows(s, TABLE_CURSOR), 1);
    assert_int_equal(rows(s, TABLE_META), 1);
    store_free(s);
    refused(dir, NULL, ERR_INPUT, "version 2", "knows 1");
    store_free(open_ok(dir, &o));
    test_dir_remove(&d);
}

/* ---- threads ---- */

enum { THREADS = 4, EACH = 200 };

struct submitter {
    struct store *store;
    unsigned number;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned acknowledged;
    unsigned failed;
};

static void acknowledged(void *ctx, int status, const struct err *err) {
    struct submitter *me = ctx;
    (void)err;
    pthread_mutex_lock(&me->lock);
    me->acknowledged++;
    if (status < 0) me->failed++;
    pthread_cond_signal(&me->changed);
    pthread_mutex_unlock(&me->lock);
}

/* Each writes its own keys and one that all share: the last in the order of submission wins. */
static void *submit_many(void *arg) {
    struct submitter *me = arg;
    for (unsigned i = 0; i < EACH; i++) {
        struct store_batch *b = store_batch_new(4096);
        put_number(b, TABLE_PROGRESS, (uint64_t)me->number << 32 | i, "row");
        struct store_key k = store_key_u64(UINT64_MAX - me->number);
        char text[16];
        int n = snprintf(text, sizeof text, "%u", i);
        store_put(b, TABLE_PROGRESS, store_key_slice(&k), slice_make(text, (size_t)n));
        struct err err;
        while (store_submit(me->store, b, i % 3 ? STORE_MAY_WAIT : 0, acknowledged, me, &err) < 0)
            usleep(100);
        pthread_mutex_lock(&me->lock);
        while (me->acknowledged < i + 1)
            pthread_cond_wait(&me->changed, &me->lock);
        pthread_mutex_unlock(&me->lock);
        store_batch_free(b);
    }
    return NULL;
}

static void *read_many(void *arg) {
    struct store *s = arg;
    struct store_reader *r = store_reader_open(s, NULL);
    for (int i = 0; i < 2000; i++) {
        uint64_t count;
        if (store_read_begin(r, NULL) < 0 || store_count(r, TABLE_PROGRESS, &count, NULL) < 0) return s;
        store_read_end(r);
        struct store_health health;
        store_health(s, &health);
        if (health.state != STORE_FINE) return s;
    }
    store_reader_free(r);
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    /* A small map and queue: growing and pushing back happen under way. */
    struct store_options o = {.reserve = 1 << 20, .map_size = 1 << 17, .queue_slots = 2};
    struct store *s = open_ok(in_dir(&d, "s"), &o);
    struct submitter all[THREADS];
    pthread_t threads[THREADS + 1];
    for (unsigned i = 0; i < THREADS; i++) {
        all[i] = (struct submitter){.store = s, .number = i};
        pthread_mutex_init(&all[i].lock, NULL);
        pthread_cond_init(&all[i].changed, NULL);
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &all[i]), 0);
    }
    assert_int_equal(pthread_create(&threads[THREADS], NULL, read_many, s), 0);
    for (unsigned i = 0; i <= THREADS; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    assert_int_equal(rows(s, TABLE_PROGRESS), THREADS * EACH + THREADS);
    struct store_stats stats;
    store_stats(s, &stats);
    assert_int_equal(stats.batches, THREADS * EACH);
    assert_true(stats.commits < stats.batches); /* they went together */
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(all[i].failed, 0);
    struct store_reader *r = store_reader_open(s, NULL);
    struct slice value;
    struct store_key k = store_key_u64(UINT64_MAX);
    assert_int_equal(store_read_begin(r, NULL), 0);
    assert_int_equal(store_get(r, TABLE_PROGRESS, store_key_slice(&k), &value, NULL), 1);
    assert_true(slice_eq(value, SLICE("199")));
    store_reader_free(r);
    store_free(s);
    test_dir_remove(&d);
}

/* Closing commits what was submitted before. */
static void test_close_commits(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct store *s = open_ok(in_dir(&d, "s"), &SMALL);
    struct err err = {0};
    for (uint64_t i = 0; i < 50; i++) {
        struct store_batch *b = store_batch_new(4096);
        put_number(b, TABLE_CURSOR, i, "x");
        assert_int_equal(store_submit(s, b, STORE_MAY_WAIT, NULL, NULL, &err), 0);
    }
    store_free(s);
    s = open_ok(in_dir(&d, "s"), &SMALL);
    assert_int_equal(rows(s, TABLE_CURSOR), 50);
    store_free(s);
    test_dir_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),          cmocka_unit_test(test_rows_survive),
        cmocka_unit_test(test_ranges),        cmocka_unit_test(test_views),
        cmocka_unit_test(test_map_grows),     cmocka_unit_test(test_full_batch),
        cmocka_unit_test(test_two_writers),   cmocka_unit_test(test_reader_process),
        cmocka_unit_test(test_migration),     cmocka_unit_test(test_threads),
        cmocka_unit_test(test_close_commits),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
