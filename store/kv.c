/* The ledger's tables on LMDB.
 *
 * One environment, one named database a table, full sync at each commit (LMDB's default: the pages are synced
 * before the meta page that makes them count is written). No read-ahead: rows are touched here and there in a
 * file that may be far larger than memory. Readers are not tied to threads (MDB_NOTLS); a lock shared by all
 * read transactions of this process and taken alone by kv_grow keeps the map still under them. */
#include "kv.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const TABLE_NAMES[TABLE_COUNT] = {
    [TABLE_META] = "meta",     [TABLE_PAYLOAD] = "payload",   [TABLE_CAMPAIGN] = "campaign",
    [TABLE_CHUNK] = "chunk",   [TABLE_PROGRESS] = "progress", [TABLE_RETRY] = "retry",
    [TABLE_BLOCK] = "block",   [TABLE_DOMAIN] = "domain",     [TABLE_SUPPRESSION] = "suppression",
    [TABLE_CURSOR] = "cursor", [TABLE_LANE] = "lane",         [TABLE_ORDER] = "order"};

enum { READERS_MAX = 254, COPY_STEP = 4 * 1024 * 1024 };

struct kv {
    MDB_env *env;
    MDB_dbi tables[TABLE_COUNT];
    bool lacking[TABLE_COUNT]; /* read_only: of an older version, which did not have it; as good as empty */
    pthread_rwlock_t map;
    uint64_t map_size; /* atomic */
};

struct kv_txn {
    struct kv *kv;
    MDB_txn *txn;
};

struct store_reader {
    struct kv *kv;
    MDB_txn *txn; /* kept between transactions, reset */
    bool active;
};

static MDB_val val_of(struct slice s) {
    return (MDB_val){.mv_size = s.len, .mv_data = (void *)(uintptr_t)s.at};
}

static struct slice slice_of_val(MDB_val v) {
    return slice_make(v.mv_data, v.mv_size);
}

int kv_fail(struct err *err, int rc, const char *what) {
    if (rc > 0) return err_errno(err, rc, "%s", what);
    bool damage =
        rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH;
    if (rc == MDB_PANIC)
        return err_set(err, ERR_SYSTEM, "%s: an earlier write to the ledger failed; restart the server",
                       what);
    return err_set(err, damage ? ERR_CORRUPT : ERR_SYSTEM, "%s: %s", what, mdb_strerror(rc));
}

static int open_tables(struct kv *kv, bool read_only) {
    MDB_txn *txn;
    int rc = mdb_txn_begin(kv->env, NULL, read_only ? MDB_RDONLY : 0, &txn);
    if (rc) return rc;
    for (int t = 0; t < TABLE_COUNT && rc == 0; t++) {
        rc = mdb_dbi_open(txn, TABLE_NAMES[t], read_only ? 0 : MDB_CREATE, &kv->tables[t]);
        kv->lacking[t] = rc == MDB_NOTFOUND && t > TABLE_CURSOR;
        if (kv->lacking[t]) rc = 0;
    }
    if (rc == 0) return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

/* How long the file is, and ought to be. */
struct length {
    off_t is, due;
    unsigned page;
};

static int length_of(struct kv *kv, struct length *l) {
    MDB_envinfo info;
    MDB_stat pages;
    struct stat st;
    mdb_filehandle_t fd;
    int rc = mdb_env_info(kv->env, &info);
    if (rc == 0) rc = mdb_env_stat(kv->env, &pages);
    if (rc == 0) rc = mdb_env_get_fd(kv->env, &fd);
    if (rc) return rc;
    if (fstat(fd, &st) < 0) return errno;
    *l = (struct length){st.st_size, (off_t)((info.me_last_pgno + 1) * pages.ms_psize), pages.ms_psize};
    return 0;
}

/* A file that ends before its last page would be a bus error at the first read there. LMDB leaves such files
 * when a transaction takes pages at the end and frees them again: these are never written. It also comes from
 * damage: then read_all finds zeros. fallocate, because it never makes a file shorter that another process
 * has just made longer. */
static int lengthen(const char *path, const struct length *l) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return errno;
    int rc = fallocate(fd, 0, l->is, l->due - l->is) < 0 ? errno : 0;
    close(fd);
    return rc;
}

/* The next time it is to be found damaged again. Only for whoever holds the store's lock: beside a writer in
 * another process the new pages may hold its data by now. */
static void shorten(const char *path, const struct length *l) {
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    if (fstat(fd, &st) == 0 && st.st_size == l->due) (void)!ftruncate(fd, l->is);
    close(fd);
}

/* A large value lies behind the header of a page of its own, of which LMDB does not look at everything. */
static bool is_zeroed(const MDB_val *v, unsigned page) {
    enum { HEADER = 16 };
    static const char zeros[HEADER];
    return (uintptr_t)v->mv_data % page == HEADER && v->mv_size > page / 2 &&
           memcmp((const char *)v->mv_data - HEADER, zeros, HEADER) == 0;
}

/* Looks at all pages: what a file lacked reads as zeros, which are no page. */
static int read_all(struct kv *kv, unsigned page) {
    MDB_txn *txn;
    int rc = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);
    if (rc) return rc;
    for (int t = -1; t < TABLE_COUNT && rc == 0; t++) { /* -1: the list of free pages */
        MDB_cursor *c;
        MDB_val k, v;
        if (t >= 0 && kv->lacking[t]) continue;
        rc = mdb_cursor_open(txn, t < 0 ? 0 : kv->tables[t], &c);
        if (rc) break;
        while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0)
            if (is_zeroed(&v, page)) break;
        mdb_cursor_close(c);
        rc = rc == MDB_NOTFOUND ? 0 : rc == 0 ? MDB_CORRUPTED : rc;
    }
    mdb_txn_abort(txn);
    return rc;
}

/* Of a file that was too short. */
static int open_lengthened(struct kv *kv, const char *path, const struct length *l, bool read_only) {
    int rc = lengthen(path, l);
    if (rc) return rc;
    rc = open_tables(kv, read_only);
    if (rc == 0) rc = read_all(kv, l->page);
    if (rc && !read_only) shorten(path, l);
    return rc;
}

static int open_env(struct kv *kv, const char *path, uint64_t map_size, unsigned flags) {
    int rc = mdb_env_create(&kv->env);
    if (rc) return rc;
    if ((rc = mdb_env_set_maxdbs(kv->env, TABLE_COUNT)) ||
        (rc = mdb_env_set_maxreaders(kv->env, READERS_MAX)) || (rc = mdb_env_set_mapsize(kv->env, map_size)))
        return rc;
    rc = mdb_env_open(kv->env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD | flags, 0600);
    struct length length = {0};
    if (rc == 0) rc = length_of(kv, &length);
    if (rc) return rc;
    int dead;
    mdb_reader_check(kv->env, &dead); /* slots of readers that were killed would pin their pages */
    MDB_envinfo info;
    mdb_env_info(kv->env, &info);
    kv->map_size = info.me_mapsize;
    bool read_only = flags & MDB_RDONLY;
    return length.is < length.due ? open_lengthened(kv, path, &length, read_only)
                                  : open_tables(kv, read_only);
}

static struct kv *open_with(const char *path, uint64_t map_size, unsigned flags, struct err *err) {
    struct kv *kv = calloc(1, sizeof *kv);
    if (!kv) {
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    pthread_rwlock_init(&kv->map, NULL);
    struct stat st;
    if ((flags & MDB_RDONLY) && stat(path, &st) == 0 && st.st_size == 0) {
        err_set(err, ERR_CORRUPT, "%s is empty", path);
        kv_free(kv);
        return NULL;
    }
    int rc = open_env(kv, path, map_size, flags);
    if (rc == 0) return kv;
    if (rc == MDB_NOTFOUND)
        err_set(err, ERR_CORRUPT, "%s lacks a table that this version needs", path);
    else
        kv_fail(err, rc, path);
    kv_free(kv);
    return NULL;
}

struct kv *kv_open(const char *path, uint64_t map_size, bool read_only, struct err *err) {
    return open_with(path, map_size, read_only ? MDB_RDONLY : 0, err);
}

void kv_free(struct kv *kv) {
    if (!kv) return;
    if (kv->env) mdb_env_close(kv->env);
    pthread_rwlock_destroy(&kv->map);
    free(kv);
}

/* ---- writing ---- */

int kv_begin(struct kv *kv, struct kv_txn **txn) {
    *txn = calloc(1, sizeof **txn);
    if (!*txn) return ENOMEM;
    (*txn)->kv = kv;
    int rc = mdb_txn_begin(kv->env, NULL, 0, &(*txn)->txn);
    if (rc) {
        free(*txn);
        *txn = NULL;
    }
    return rc;
}

int kv_put(struct kv_txn *txn, enum store_table t, struct slice key, struct slice value) {
    MDB_val k = val_of(key), v = val_of(value);
    return mdb_put(txn->txn, txn->kv->tables[t], &k, &v, 0);
}

int kv_delete(struct kv_txn *txn, enum store_table t, struct slice key) {
    MDB_val k = val_of(key);
    int rc = mdb_del(txn->txn, txn->kv->tables[t], &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int kv_delete_range(struct kv_txn *txn, enum store_table t, struct slice from, struct slice to,
                    uint32_t most) {
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn->txn, txn->kv->tables[t], &c);
    if (rc) return rc;
    MDB_val k = val_of(from), v;
    rc = mdb_cursor_get(c, &k, &v, from.len ? MDB_SET_RANGE : MDB_FIRST);
    for (uint32_t n = 0; rc == 0 && (most == 0 || n < most); n++) {
        if (to.len && slice_cmp(slice_of_val(k), to) >= 0) break;
        rc = mdb_cursor_del(c, 0);
        /* After a deletion NEXT is what moved up into the place. */
        if (rc == 0) rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int kv_commit(struct kv_txn *txn) {
    int rc = mdb_txn_commit(txn->txn);
    free(txn);
    return rc;
}

void kv_abort(struct kv_txn *txn) {
    mdb_txn_abort(txn->txn);
    free(txn);
}

bool kv_map_full(int rc) {
    return rc == MDB_MAP_FULL;
}

bool kv_broken(int rc) {
    return rc == MDB_PANIC;
}

static int set_map(struct kv *kv, uint64_t size) {
    pthread_rwlock_wrlock(&kv->map);
    int rc = mdb_env_set_mapsize(kv->env, size);
    MDB_envinfo info;
    mdb_env_info(kv->env, &info);
    __atomic_store_n(&kv->map_size, info.me_mapsize, __ATOMIC_RELAXED);
    pthread_rwlock_unlock(&kv->map);
    return rc;
}

int kv_grow(struct kv *kv) {
    return set_map(kv, kv_map_size(kv) * 2);
}

uint64_t kv_map_size(struct kv *kv) {
    return __atomic_load_n(&kv->map_size, __ATOMIC_RELAXED);
}

/* ---- reading ---- */

struct store_reader *kv_reader_open(struct kv *kv, struct err *err) {
    struct store_reader *r = calloc(1, sizeof *r);
    if (!r)
        err_set(err, ERR_SYSTEM, "no memory");
    else
        r->kv = kv;
    return r;
}

void store_reader_free(struct store_reader *r) {
    if (!r) return;
    store_read_end(r);
    if (r->txn) mdb_txn_abort(r->txn);
    free(r);
}

static int begin_read(struct store_reader *r) {
    return r->txn ? mdb_txn_renew(r->txn) : mdb_txn_begin(r->kv->env, NULL, MDB_RDONLY, &r->txn);
}

int store_read_begin(struct store_reader *r, struct err *err) {
    for (;;) {
        pthread_rwlock_rdlock(&r->kv->map);
        int rc = begin_read(r);
        if (rc == 0) {
            r->active = true;
            return 0;
        }
        pthread_rwlock_unlock(&r->kv->map);
        /* Another process has made the map larger: take over its size. */
        if (rc == MDB_MAP_RESIZED) rc = set_map(r->kv, 0);
        if (rc) return kv_fail(err, rc, "reading the ledger");
    }
}

void store_read_end(struct store_reader *r) {
    if (!r->active) return;
    mdb_txn_reset(r->txn);
    r->active = false;
    pthread_rwlock_unlock(&r->kv->map);
}

int store_get(struct store_reader *r, enum store_table t, struct slice key, struct slice *value,
              struct err *err) {
    MDB_val k = val_of(key), v;
    int rc = r->kv->lacking[t] ? MDB_NOTFOUND : mdb_get(r->txn, r->kv->tables[t], &k, &v);
    if (rc == MDB_NOTFOUND) return 0;
    if (rc) return kv_fail(err, rc, TABLE_NAMES[t]);
    *value = slice_of_val(v);
    return 1;
}

int store_count(struct store_reader *r, enum store_table t, uint64_t *count, struct err *err) {
    MDB_stat stat = {0};
    int rc = r->kv->lacking[t] ? 0 : mdb_stat(r->txn, r->kv->tables[t], &stat);
    if (rc) return kv_fail(err, rc, TABLE_NAMES[t]);
    *count = stat.ms_entries;
    return 0;
}

int store_cursor_init(struct store_cursor *c, struct store_reader *r, enum store_table t, struct err *err) {
    MDB_cursor *at = NULL;
    int rc = r->kv->lacking[t] ? 0 : mdb_cursor_open(r->txn, r->kv->tables[t], &at);
    *c = (struct store_cursor){.at = rc ? NULL : at};
    return rc ? kv_fail(err, rc, TABLE_NAMES[t]) : 0;
}

void store_cursor_done(struct store_cursor *c) {
    if (c->at) mdb_cursor_close(c->at);
    c->at = NULL;
}

static int move(struct store_cursor *c, MDB_cursor_op op, struct slice to, struct err *err) {
    MDB_val k = val_of(to), v;
    if (!c->at) return 0; /* of a table that is lacking */
    int rc = mdb_cursor_get(c->at, &k, &v, op);
    if (rc == MDB_NOTFOUND) return 0;
    if (rc) return kv_fail(err, rc, "reading the ledger");
    c->key = slice_of_val(k);
    c->value = slice_of_val(v);
    return 1;
}

int store_cursor_seek(struct store_cursor *c, struct slice key, struct err *err) {
    return key.len ? move(c, MDB_SET_RANGE, key, err) : store_cursor_first(c, err);
}

int store_cursor_first(struct store_cursor *c, struct err *err) {
    return move(c, MDB_FIRST, (struct slice){0}, err);
}

int store_cursor_last(struct store_cursor *c, struct err *err) {
    return move(c, MDB_LAST, (struct slice){0}, err);
}

int store_cursor_next(struct store_cursor *c, struct err *err) {
    return move(c, MDB_NEXT, (struct slice){0}, err);
}

int store_cursor_prev(struct store_cursor *c, struct err *err) {
    return move(c, MDB_PREV, (struct slice){0}, err);
}

/* ---- the copy ---- */

/* LMDB's own copy takes its view when it likes; a backup must fix it in one moment with other files, so the
 * rows are copied through a reader that stands already. In key order they pack the pages full. */
static int copy_table(struct store_reader *r, MDB_dbi from, struct kv *to, MDB_dbi into) {
    MDB_cursor *c;
    MDB_txn *txn = NULL;
    MDB_val k, v;
    size_t step = 0;
    int rc = mdb_cursor_open(r->txn, from, &c);
    if (rc) return rc;
    while (rc == 0 && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
        if (!txn && (rc = mdb_txn_begin(to->env, NULL, 0, &txn))) break;
        rc = mdb_put(txn, into, &k, &v, MDB_APPEND);
        step += k.mv_size + v.mv_size;
        if (rc == 0 && step >= COPY_STEP) {
            rc = mdb_txn_commit(txn);
            txn = NULL;
            step = 0;
        }
    }
    mdb_cursor_close(c);
    if (rc == MDB_NOTFOUND)
        rc = txn ? mdb_txn_commit(txn) : 0;
    else if (txn)
        mdb_txn_abort(txn);
    return rc;
}

int kv_copy(struct store_reader *r, const char *path, struct err *err) {
    struct kv *to = open_with(path, kv_map_size(r->kv), MDB_NOSYNC, err);
    if (!to) return -1;
    int rc = 0;
    for (int t = 0; t < TABLE_COUNT && rc == 0; t++)
        if (!r->kv->lacking[t]) rc = copy_table(r, r->kv->tables[t], to, to->tables[t]);
    if (rc == 0) rc = mdb_env_sync(to->env, 1);
    kv_free(to);
    return rc ? kv_fail(err, rc, path) : 0;
}
