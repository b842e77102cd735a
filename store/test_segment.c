/* Segment files: what comes back is what was put, or an error; sweeping; and the backup of a store at work.
 */
#include "hash.h"
#include "segment.h"
#include "sql.h"
#include "store.h"
#include "store_test_dir.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const struct store_options SMALL = {.reserve = 1 << 20};

static struct store *open_ok(const char *dir) {
    struct err err = {0};
    struct store *s = store_open(dir, &SMALL, &err);
    if (!s) fail_msg("%s", err.text);
    return s;
}

static struct segment_ref append_ok(struct segment_writer *w, struct slice record) {
    struct err err = {0};
    struct segment_ref ref = {0};
    if (segment_append(w, record, &ref, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(ref.len, record.len);
    return ref;
}

/* Record i: i-dependent bytes, of sizes around the buffer's. */
static struct slice record_of(unsigned i, struct buf *b) {
    static const size_t SIZES[] = {1, 100, 20000, 262128, 262129, 300000};
    buf_reset(b);
    for (size_t n = 0; n < SIZES[i % 6]; n++)
        buf_put_u8(b, (uint8_t)(n * 31 + i));
    return buf_slice(b);
}

static void test_round_trip(void **state) {
    (void)state;
    enum { N = 60 };
    struct test_dir d = test_dir_make();
    struct store *s = open_ok(in_dir(&d, "s"));
    struct err err = {0};
    struct buf b, got;
    struct segment_ref refs[N];
    buf_init(&b, 1 << 20);
    buf_init(&got, 1 << 20);
    struct segment_writer *w = segment_writer_open(s, &err);
    for (unsigned i = 0; i < N; i++)
        refs[i] = append_ok(w, record_of(i, &b));
    assert_int_equal(segment_sync(w, &err), 0);
    assert_int_equal(segment_sync(w, &err), 0);
    segment_writer_free(w);
    for (unsigned i = 0; i < N; i++) {
        struct buf row;
        struct segment_ref back;
        buf_init(&row, 100);
        assert_true(segment_ref_put(&row, refs[i]));
        assert_int_equal(row.len, SEGMENT_REF_BYTES);
        struct slice rest = buf_slice(&row);
        assert_true(segment_ref_take(&rest, &back) && rest.len == 0);
        buf_done(&row);
        buf_reset(&got);
        buf_put_text(&got, "before ");
        assert_int_equal(segment_read(s, back, &got, &err), 0);
        assert_true(slice_eq(slice_skip(buf_slice(&got), 7), record_of(i, &b)));
    }
    store_free(s);
    buf_done(&b);
    buf_done(&got);
    test_dir_remove(&d);
}

static void flip(const char *path, off_t at) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char c;
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static void corrupt(struct store *s, struct segment_ref ref) {
    struct err err = {0};
    struct buf got;
    buf_init(&got, 1 << 20);
    assert_int_equal(segment_read(s, ref, &got, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(got.len, 0);
    buf_done(&got);
}

static void test_damage(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct store *s = open_ok(in_dir(&d, "s"));
    struct err err = {0};
    struct buf got;
    struct segment_writer *w = segment_writer_open(s, &err);
    struct segment_ref a = append_ok(w, SLICE("first record")), b = append_ok(w, SLICE("other record"));
    assert_int_equal(segment_sync(w, &err), 0);
    segment_writer_free(w);
    const char *path = in_dir(&d, "s/segments/00000001.seg");
    for (off_t at = 0; at < 16 + 12; at++) { /* each byte of header and record counts */
        flip(path, at);
        corrupt(s, a);
        flip(path, at);
    }
    corrupt(s, (struct segment_ref){a.file, a.offset + 1, a.len});
    corrupt(s, (struct segment_ref){a.file, a.offset, a.len - 1});
    corrupt(s, (struct segment_ref){a.file, a.offset, 0});
    corrupt(s, (struct segment_ref){a.file, a.offset, UINT32_MAX});
    corrupt(s, (struct segment_ref){a.file + 1, a.offset, a.len}); /* no such file */
    corrupt(s, (struct segment_ref){a.file, 1 << 20, a.len});      /* past its end */
    buf_init(&got, 100);
    assert_int_equal(segment_read(s, a, &got, &err), 0);
    assert_int_equal(truncate(path, b.offset + 20), 0); /* torn */
    corrupt(s, b);
    /* A whole record of another file in the same place is foreign. */
    w = segment_writer_open(s, &err);
    struct segment_ref c = append_ok(w, SLICE("third record"));
    assert_int_equal(c.file, 2);
    assert_int_equal(segment_sync(w, &err), 0);
    segment_writer_free(w);
    assert_int_equal(rename(in_dir(&d, "s/segments/00000002.seg"), path), 0);
    corrupt(s, (struct segment_ref){1, c.offset, c.len});
    buf_done(&got);
    store_free(s);
    test_dir_remove(&d);
}

/* After a restart a new file is begun, whatever the old ones end with. */
static void test_restart(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    struct buf got;
    struct store *s = open_ok(in_dir(&d, "s"));
    struct segment_writer *w = segment_writer_open(s, &err);
    struct segment_ref a = append_ok(w, SLICE("kept"));
    assert_int_equal(segment_sync(w, &err), 0);
    segment_writer_free(w);
    store_free(s);
    int fd = open(in_dir(&d, "s/segments/00000001.seg"), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "rubbish", 7), 7);
    close(fd);
    s = open_ok(in_dir(&d, "s"));
    w = segment_writer_open(s, &err);
    struct segment_ref b = append_ok(w, SLICE("new"));
    assert_int_equal(b.file, 2);
    assert_int_equal(segment_sync(w, &err), 0);
    segment_writer_free(w);
    buf_init(&got, 100);
    assert_int_equal(segment_read(s, a, &got, &err), 0);
    assert_int_equal(segment_read(s, b, &got, &err), 0);
    assert_true(slice_eq(buf_slice(&got), SLICE("keptnew")));
    buf_done(&got);
    store_free(s);
    test_dir_remove(&d);
}

/* The rows of TABLE_CHUNK are references. */
static int mark_chunks(void *ctx, struct store_reader *r, struct segment_set *live, struct err *err) {
    struct store_cursor c;
    struct segment_ref ref;
    int *fails = ctx;
    if (fails && *fails) return err_set(err, ERR_CORRUPT, "as asked");
    if (store_cursor_init(&c, r, TABLE_CHUNK, err) < 0) return -1;
    int more = store_cursor_first(&c, err);
    bool good = true;
    for (; more == 1 && good; more = store_cursor_next(&c, err)) {
        struct slice row = c.value;
        good = segment_ref_take(&row, &ref) && segment_set_add(live, ref.file);
    }
    store_cursor_done(&c);
    return good ? more : -1;
}

static void put_ref(struct store *s, uint64_t key, struct segment_ref ref) {
    struct err err = {0};
    struct buf row;
    buf_init(&row, 100);
    segment_ref_put(&row, ref);
    struct store_batch *b = store_batch_new(4096);
    struct store_key k = store_key_u64(key);
    assert_true(store_put(b, TABLE_CHUNK, store_key_slice(&k), buf_slice(&row)));
    if (store_commit(s, b, 0, &err) < 0) fail_msg("%s", err.text);
    store_batch_free(b);
    buf_done(&row);
}

static void test_sweep(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    struct store *s = open_ok(in_dir(&d, "s"));
    struct segment_ref refs[4];
    for (int i = 0; i < 3; i++) {
        struct segment_writer *w = segment_writer_open(s, &err);
        refs[i] = append_ok(w, SLICE("x"));
        assert_int_equal(segment_sync(w, &err), 0);
        segment_writer_free(w);
    }
    struct segment_writer *open = segment_writer_open(s, &err);
    refs[3] = append_ok(open, SLICE("not named yet"));
    assert_int_equal(segment_sync(open, &err), 0);
    put_ref(s, 1, refs[1]);
    int fails = 1;
    assert_int_equal(segment_sweep(s, mark_chunks, &fails, &err), -1);
    assert_string_equal(err.text, "as asked");
    assert_int_equal(access(in_dir(&d, "s/segments/00000001.seg"), F_OK), 0);
    assert_int_equal(segment_sweep(s, mark_chunks, NULL, &err), 2);
    assert_int_equal(access(in_dir(&d, "s/segments/00000001.seg"), F_OK), -1);
    assert_int_equal(access(in_dir(&d, "s/segments/00000002.seg"), F_OK), 0);
    assert_int_equal(access(in_dir(&d, "s/segments/00000004.seg"), F_OK), 0);
    segment_writer_free(open);
    assert_int_equal(segment_sweep(s, mark_chunks, NULL, &err), 1);
    assert_int_equal(access(in_dir(&d, "s/segments/00000004.seg"), F_OK), -1);
    store_free(s);
    test_dir_remove(&d);
}

/* ---- backup ---- */

static const char *const HISTORY[] = {"CREATE TABLE seen (block INTEGER PRIMARY KEY);"
                                      "CREATE TABLE place (name TEXT PRIMARY KEY, block INTEGER NOT NULL);"
                                      "INSERT INTO place VALUES ('next', 0)"};

struct load {
    struct store *store;
    const char *history;
    int stop;      /* atomic */
    uint64_t made; /* atomic: blocks and chunks committed */
    bool failed;
    bool projecting; /* its tables are there */
};

/* Block i and chunk i (with a record in a segment) in one batch, as fast as it goes; a sweep now and then. */
static void *make_blocks(void *arg) {
    struct load *l = arg;
    struct err err;
    struct segment_writer *w = NULL;
    struct buf row;
    buf_init(&row, 4096);
    for (uint64_t i = 0; !__atomic_load_n(&l->stop, __ATOMIC_RELAXED); i++) {
        struct segment_ref ref;
        if (i % 20 == 0) {
            segment_writer_free(w);
            w = segment_writer_open(l->store, &err);
        }
        if (segment_append(w, SLICE("the chunk's table"), &ref, &err) < 0 || segment_sync(w, &err) < 0) break;
        struct store_batch *b = store_batch_new(65536);
        struct store_key k = store_key_u64(i), old = store_key_u64(i > 100 ? i - 100 : 0);
        buf_reset(&row);
        segment_ref_put(&row, ref);
        store_put(b, TABLE_CHUNK, store_key_slice(&k), buf_slice(&row));
        store_delete(b, TABLE_CHUNK, store_key_slice(&old));
        store_put(b, TABLE_BLOCK, store_key_slice(&k), SLICE("events"));
        if (store_commit(l->store, b, 0, &err) < 0) break;
        store_batch_free(b);
        __atomic_store_n(&l->made, i + 1, __ATOMIC_RELEASE);
        if (i % 20 == 10 && segment_sweep(l->store, mark_chunks, NULL, &err) < 0) break;
    }
    l->failed = !__atomic_load_n(&l->stop, __ATOMIC_RELAXED);
    segment_writer_free(w);
    buf_done(&row);
    return NULL;
}

static int project_one(struct sql *db, struct store_reader *r, uint64_t *next, struct err *err) {
    struct store_cursor c;
    struct store_key k = store_key_u64(*next);
    uint64_t found = 0;
    if (store_read_begin(r, err) < 0 || store_cursor_init(&c, r, TABLE_BLOCK, err) < 0) return -1;
    int more = store_cursor_seek(&c, store_key_slice(&k), err);
    if (more == 1 && (!store_key_number(c.key, 0, &found) || found != *next)) more = -1; /* a gap */
    store_cursor_done(&c);
    store_read_end(r);
    if (more != 1) return more;
    struct sql_stmt *st = sql_prepare(db, "INSERT INTO seen VALUES (?1)", err);
    sql_bind_int(st, 1, (int64_t)found);
    if (sql_begin(db, err) < 0 || sql_run(st, err) < 0) return -1;
    st = sql_prepare(db, "UPDATE place SET block = ?1 WHERE name = 'next'", err);
    sql_bind_int(st, 1, (int64_t)++ * next);
    return sql_run(st, err) < 0 ? -1 : sql_end(db, err);
}

/* A projector: block by block into history, and what history has is dropped from the ledger at once. */
static void *project(void *arg) {
    struct load *l = arg;
    struct err err = {0};
    struct sql_options o = {.migrations = HISTORY, .migration_count = 1};
    struct sql *db = sql_open(l->history, &o, &err);
    struct store_reader *r = store_reader_open(l->store, &err);
    uint64_t next = 0;
    __atomic_store_n(&l->projecting, true, __ATOMIC_RELEASE);
    while (db && r && !__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
        int status = project_one(db, r, &next, &err);
        if (status < 0) break;
        struct store_batch *b = store_batch_new(4096);
        struct store_key from = store_key_u64(0), to = store_key_u64(next);
        store_delete_range(b, TABLE_BLOCK, store_key_slice(&from), store_key_slice(&to), 0);
        if (store_commit(l->store, b, 0, &err) < 0) break;
        store_batch_free(b);
    }
    if (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) l->failed = true;
    store_reader_free(r);
    sql_free(db);
    return NULL;
}

/* In the copy: every reference resolves; history and blocks join without gap or overlap. */
static void check_backup(const char *dir, const char *history) {
    struct err err = {0};
    struct store *s = open_ok(dir);
    struct store_reader *r = store_reader_open(s, &err);
    struct store_cursor c;
    struct buf got;
    uint64_t chunks = 0, last_chunk = 0, first_block, last_block;
    buf_init(&got, 1 << 20);
    assert_int_equal(store_read_begin(r, &err), 0);
    assert_int_equal(store_cursor_init(&c, r, TABLE_CHUNK, &err), 0);
    for (int more = store_cursor_first(&c, &err); more == 1; more = store_cursor_next(&c, &err), chunks++) {
        struct segment_ref ref;
        struct slice row = c.value;
        assert_true(segment_ref_take(&row, &ref) && store_key_number(c.key, 0, &last_chunk));
        if (segment_read(s, ref, &got, &err) < 0) fail_msg("%s", err.text);
        buf_reset(&got);
    }
    assert_true(chunks > 0);
    store_cursor_done(&c);

    struct sql *db = sql_open(history, &(struct sql_options){.read_only = true}, &err);
    if (!db) fail_msg("%s", err.text);
    struct sql_stmt *st = sql_prepare(db, "SELECT block, (SELECT count(*) FROM seen) FROM place", &err);
    if (!st) fail_msg("%s", err.text);
    assert_int_equal(sql_step(st, &err), 1);
    uint64_t next = (uint64_t)sql_int(st, 0);
    assert_int_equal(sql_int(st, 1), next);
    sql_free(db);

    assert_int_equal(store_cursor_init(&c, r, TABLE_BLOCK, &err), 0);
    assert_true(next <= last_chunk + 1); /* never ahead of the ledger */
    if (store_cursor_first(&c, &err) == 1) {
        assert_true(store_key_number(c.key, 0, &first_block) && first_block <= next);
        assert_int_equal(store_cursor_last(&c, &err), 1);
        assert_true(store_key_number(c.key, 0, &last_block));
        assert_int_equal(last_block, last_chunk);
    } else {
        assert_int_equal(next, last_chunk + 1);
    }
    store_cursor_done(&c);
    store_reader_free(r);
    store_free(s);
    buf_done(&got);
}

static void restore_ok(const char *backup, const char *partial, const char *to) {
    struct backup_facts facts, checked;
    struct err err;
    if (store_backup_check(backup, &checked, &err) < 0) fail_msg("%s", err.text);
    if (store_restore_copy(backup, partial, &facts, &err) < 0) fail_msg("%s", err.text);
    assert_memory_equal(&facts, &checked, sizeof facts);
    if (store_restore_place(partial, to, &err) < 0) fail_msg("%s", err.text);
}

static void test_backup(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    char history[200];
    snprintf(history, sizeof history, "%s", in_dir(&d, "s/history.db"));
    struct load l = {.store = open_ok(in_dir(&d, "s")), .history = history};
    pthread_t maker, projector;
    assert_int_equal(pthread_create(&maker, NULL, make_blocks, &l), 0);
    assert_int_equal(pthread_create(&projector, NULL, project, &l), 0);
    while (!__atomic_load_n(&l.projecting, __ATOMIC_ACQUIRE)) /* else there are no tables to copy */
        usleep(1000);
    for (int i = 0; i < 5; i++) {
        uint64_t from = __atomic_load_n(&l.made, __ATOMIC_ACQUIRE);
        while (__atomic_load_n(&l.made, __ATOMIC_ACQUIRE) < from + 30)
            usleep(1000);
        char name[16], again[16], copy[32];
        snprintf(name, sizeof name, "copy%d", i);
        snprintf(copy, sizeof copy, "again%d/history.db", i);
        if (store_backup(l.store, in_dir(&d, name), false, &err) < 0) fail_msg("%s", err.text);
        snprintf(again, sizeof again, "again%d", i);
        restore_ok(in_dir(&d, name), in_dir(&d, "partial"), in_dir(&d, again));
        check_backup(in_dir(&d, again), in_dir(&d, copy));
    }
    assert_int_equal(store_backup(l.store, in_dir(&d, "copy0"), false, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    __atomic_store_n(&l.stop, 1, __ATOMIC_RELAXED);
    pthread_join(maker, NULL);
    pthread_join(projector, NULL);
    assert_false(l.failed);
    store_free(l.store);
    test_dir_remove(&d);
}

/* Without a history, into an empty directory that is there; then under a name whose half is left. */
static void test_backup_plain(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    struct store *s = open_ok(in_dir(&d, "s"));
    assert_int_equal(mkdir(in_dir(&d, "empty"), 0700), 0);
    if (store_backup(s, in_dir(&d, "empty"), false, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(mkdir(in_dir(&d, "half.partial"), 0700), 0);
    assert_int_equal(store_backup(s, in_dir(&d, "half"), false, &err), -1);
    assert_non_null(strstr(err.text, "half.partial"));
    store_free(s);
    assert_null(store_open(in_dir(&d, "empty"), NULL, &err)); /* a backup is no store */
    assert_int_equal(err.kind, ERR_INPUT);
    restore_ok(in_dir(&d, "empty"), in_dir(&d, "partial"), in_dir(&d, "again"));
    store_free(open_ok(in_dir(&d, "again")));
    test_dir_remove(&d);
}

static void put(const char *path, const char *text, long at) {
    FILE *f = fopen(path, at < 0 ? "w" : "r+");
    assert_non_null(f);
    assert_int_equal(at > 0 ? fseek(f, at, SEEK_SET) : 0, 0);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

static void refused(struct test_dir *d, const char *why) {
    struct backup_facts facts;
    struct err err = {0};
    assert_int_equal(store_backup_check(in_dir(d, "b"), &facts, &err), -1);
    if (!strstr(err.text, why)) fail_msg("expected '%s': %s", why, err.text);
    assert_int_equal(store_restore_copy(in_dir(d, "b"), in_dir(d, "partial"), &facts, &err), -1);
    assert_int_not_equal(access(in_dir(d, "partial"), F_OK), 0); /* nothing is left */
}

/* A backup that is not what its list says is none; one of another place than the store's is not read. */
static void test_backup_damage(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    char text[4096];
    struct store *s = open_ok(in_dir(&d, "s"));
    struct segment_writer *w = segment_writer_open(s, &err);
    struct segment_ref ref;
    assert_int_equal(segment_append(w, SLICE("some bytes"), &ref, &err), 0);
    assert_int_equal(segment_sync(w, &err), 0);
    segment_writer_free(w);
    assert_int_equal(store_backup(s, in_dir(&d, "b"), false, &err), 0);
    FILE *f = fopen(in_dir(&d, "b/MANIFEST"), "r");
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fclose(f);
    put(in_dir(&d, "b/segments/00000001.seg"), "X", 20);
    refused(&d, "its hash is another");
    assert_int_equal(truncate(in_dir(&d, "b/segments/00000001.seg"), 5), 0);
    refused(&d, "has 5 bytes");
    assert_int_equal(unlink(in_dir(&d, "b/segments/00000001.seg")), 0);
    refused(&d, "segments/00000001.seg is missing");
    for (size_t i = 0; i < n; i++) { /* any changed byte of the list */
        char was = text[i];
        text[i] ^= 1;
        put(in_dir(&d, "b/MANIFEST"), text, -1);
        text[i] = was;
        struct backup_facts facts;
        assert_int_equal(store_backup_check(in_dir(&d, "b"), &facts, &err), -1);
    }
    assert_int_equal(truncate(in_dir(&d, "b/MANIFEST"), (off_t)n / 2), 0);
    refused(&d, "MANIFEST is damaged");
    assert_int_equal(unlink(in_dir(&d, "b/MANIFEST")), 0);
    refused(&d, "no backup");
    store_free(s);
    test_dir_remove(&d);
}

/* A backup in the store itself would go with it. */
static void test_backup_inside(void **state) {
    (void)state;
    static const char *const places[] = {"s/b", "s/segments/b", "link/b", "s/segments"};
    struct test_dir d = test_dir_make();
    struct err err = {0};
    struct store *s = open_ok(in_dir(&d, "s"));
    assert_int_equal(symlink("s/segments", in_dir(&d, "link")), 0);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_int_equal(store_backup(s, in_dir(&d, places[i]), false, &err), -1);
        if (!strstr(err.text, "inside the store")) fail_msg("%s: %s", places[i], err.text);
    }
    assert_int_equal(access(in_dir(&d, "s/segments"), F_OK), 0);
    assert_int_equal(store_backup(s, in_dir(&d, "beside"), false, &err), 0);
    assert_int_equal(store_backup(s, in_dir(&d, "s2"), false, &err), 0);
    store_free(s);
    assert_int_equal(unlink(in_dir(&d, "link")), 0);
    test_dir_remove(&d);
}

/* A list as somebody could make it who means harm: its own hash is right. */
static void put_list(struct test_dir *d, const char *files) {
    char text[1024];
    struct hash_stream hash;
    int n = snprintf(text, sizeof text, "tsubame-backup 1\nstore-version 1\ntaken 1\nfinal no\n%s", files);
    hash_stream_init(&hash);
    hash_stream_add(&hash, slice_make(text, (size_t)n));
    snprintf(text + n, sizeof text - (size_t)n, "end %016llx\n", (unsigned long long)hash_stream_end(&hash));
    put(in_dir(d, "b/MANIFEST"), text, -1);
}

static void test_backup_crafted(void **state) {
    (void)state;
#define EMPTY  "ef46db3751d8e999" /* the hash of nothing */
#define LEDGER "file " EMPTY " 0 ledger.mdb\n"
    static const struct {
        const char *files, *why;
    } lists[] = {
        {"", "names no ledger"},
        {"file " EMPTY " 0 history.db\n", "MANIFEST is damaged"},
        {LEDGER LEDGER, "MANIFEST is damaged"},
        {LEDGER "file " EMPTY " 0 ../outside\n", "MANIFEST is damaged"},
        {LEDGER "file " EMPTY " 0 /etc/passwd\n", "MANIFEST is damaged"},
        {LEDGER "file " EMPTY " 0 segments/../../../x.seg\n", "MANIFEST is damaged"},
        {LEDGER "file " EMPTY " 0 segments/00000001.seg/\n", "MANIFEST is damaged"},
        {LEDGER "file " EMPTY " 18446744073709551616 history.db\n", "MANIFEST is damaged"},
        {LEDGER "file " EMPTY " -1 history.db\n", "MANIFEST is damaged"},
        {LEDGER "file " EMPTY " 18446744073709551615 history.db\n", "has 0 bytes, not 18446744073709551615"},
        {LEDGER "file " EMPTY " 0 segments/00000001.seg\n", "no regular file"}, /* a symbolic link */
        {LEDGER "file " EMPTY " 0 segments/00000002.seg\n", "no regular file"}, /* a FIFO */
        {LEDGER "file " EMPTY " 0 segments/00000003.seg\n", "no regular file"}, /* a folder */
        {LEDGER "file " EMPTY " 0 segments/00000004.seg\n", "no regular file"}, /* a device without an end */
        {LEDGER "file " EMPTY " 5 segments/00000005.seg\n", "has more than 5 bytes"},
    };
    struct test_dir d = test_dir_make();
    bool devices = true;
    assert_int_equal(mkdir(in_dir(&d, "b"), 0700), 0);
    assert_int_equal(mkdir(in_dir(&d, "b/segments"), 0700), 0);
    put(in_dir(&d, "b/ledger.mdb"), "", -1);
    put(in_dir(&d, "b/history.db"), "", -1);
    assert_int_equal(symlink("../history.db", in_dir(&d, "b/segments/00000001.seg")), 0);
    assert_int_equal(mkfifo(in_dir(&d, "b/segments/00000002.seg"), 0600), 0);
    assert_int_equal(mkdir(in_dir(&d, "b/segments/00000003.seg"), 0700), 0);
    if (mknod(in_dir(&d, "b/segments/00000004.seg"), S_IFCHR | 0600, makedev(1, 5))) devices = false;
    put(in_dir(&d, "b/segments/00000005.seg"), "123456", -1);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (!devices && strstr(lists[i].files, "4.seg")) continue;
        put_list(&d, lists[i].files);
        refused(&d, lists[i].why);
    }
    assert_int_equal(rmdir(in_dir(&d, "b/segments/00000003.seg")), 0);
    test_dir_remove(&d);
#undef LEDGER
#undef EMPTY
}

/* After a final backup only the copy goes on. */
static void test_backup_final(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    struct backup_facts facts;
    struct store *s = open_ok(in_dir(&d, "s"));
    assert_int_equal(store_backup(s, in_dir(&d, "b"), true, &err), 0);
    store_free(s);
    assert_null(store_open(in_dir(&d, "s"), NULL, &err));
    assert_non_null(strstr(err.text, "was moved"));
    s = store_open(in_dir(&d, "s"), &(struct store_options){.read_only = true}, &err);
    if (!s) fail_msg("%s", err.text);
    store_free(s);
    assert_int_equal(store_backup_check(in_dir(&d, "b"), &facts, &err), 0);
    assert_true(facts.final);
    restore_ok(in_dir(&d, "b"), in_dir(&d, "partial"), in_dir(&d, "again"));
    store_free(open_ok(in_dir(&d, "again")));
    assert_int_equal(store_restore_copy(in_dir(&d, "b"), in_dir(&d, "partial"), &facts, &err), 0);
    assert_int_equal(store_restore_place(in_dir(&d, "partial"), in_dir(&d, "again"), &err),
                     -1); /* not empty */
    test_dir_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_damage),
        cmocka_unit_test(test_restart),       cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_backup),        cmocka_unit_test(test_backup_plain),
        cmocka_unit_test(test_backup_damage), cmocka_unit_test(test_backup_crafted),
        cmocka_unit_test(test_backup_inside), cmocka_unit_test(test_backup_final),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
