/* Opening and closing a store: the directory, the lock of the one writing process, the version row and the
 * migration of older stores. What runs afterwards is in writer.c (batches), kv.c (tables) and segment.c. */
#include "store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MAP     (UINT64_C(64) << 30)
#define DEFAULT_RESERVE (UINT64_C(64) << 20)
#define VERSION_KEY     SLICE("store.version")

const char *store_dir(const struct store *s) {
    return s->dir;
}

bool store_is_read_only(const struct store *s) {
    return s->read_only;
}

/* ---- the directory and the lock ---- */

static int open_dir(struct store *s, const char *dir, struct err *err) {
    if (snprintf(s->dir, sizeof s->dir, "%s", dir) >= (int)sizeof s->dir - 32)
        return err_set(err, ERR_INPUT, "the store's path is too long");
    if (!s->read_only && mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "creating the store %s", dir);
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0 && errno == ENOENT) return err_set(err, ERR_ABSENT, "there is no store at %s", dir);
    if (s->dir_fd < 0) return err_errno(err, errno, "opening the store %s", dir);
    struct stat st;
    if (fstat(s->dir_fd, &st) < 0) return err_errno(err, errno, "the store %s", dir);
    if (st.st_mode & S_IWOTH) /* anybody could put links and files of theirs there */
        return err_set(err, ERR_INPUT, "%s can be written by everybody: no place for a store (chmod o-w)",
                       dir);
    if (s->read_only && faccessat(s->dir_fd, "ledger.mdb", F_OK, 0) < 0)
        return err_set(err, ERR_ABSENT, "there is no store at %s", dir);
    return 0;
}

/* After a final backup the copy goes on; and a backup is a store only when it was restored, which sees to
 * what was sent after it. */
static int refuse_moved(struct store *s, struct err *err) {
    if (faccessat(s->dir_fd, STORE_MANIFEST_FILE, F_OK, 0) == 0)
        return err_set(err, ERR_INPUT, "%s is a backup: `tsubame restore` makes a store of it", s->dir);
    char text[PATH_MAX] = {0};
    int fd = openat(s->dir_fd, STORE_MOVED_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? 0 : err_errno(err, errno, "opening %s/%s", s->dir, STORE_MOVED_FILE);
    ssize_t n = read(fd, text, sizeof text - 1);
    struct slice where = slice_trim(slice_make(text, n > 0 ? (size_t)n : 0));
    close(fd);
    return err_set(
        err, ERR_INPUT,
        "%s was moved: its final backup is %.*s. Going on here as well would send twice. If that copy "
        "will never be used, remove %s/%s",
        s->dir, SLICE_ARG(where), s->dir, STORE_MOVED_FILE);
}

static int lock_dir(struct store *s, struct err *err) {
    if (s->read_only) return 0;
    if (refuse_moved(s, err) < 0) return -1;
    s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) return err_errno(err, errno, "opening the lock of %s", s->dir);
    char pid[32] = {0};
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = pread(s->lock_fd, pid, sizeof pid - 1, 0);
        struct slice who = slice_trim(slice_make(pid, n > 0 ? (size_t)n : 0));
        return err_set(err, ERR_BUSY, "another tsubame runs on the store %s (pid %.*s)", s->dir,
                       SLICE_ARG(who));
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    /* The pid is only for that message. */
    if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) < 0) return 0;
    return 0;
}

/* ---- the version ---- */

/* 1 and the version, 0 when the store is empty, -1. */
static int read_version(struct store_reader *r, const char *dir, unsigned *version, struct err *err) {
    struct slice value;
    uint32_t v;
    int found = store_get(r, TABLE_META, VERSION_KEY, &value, err);
    if (found < 0) return -1;
    if (found) {
        if (!take_u32(&value, &v)) return err_set(err, ERR_CORRUPT, "the version row of %s is damaged", dir);
        *version = v;
        return 1;
    }
    for (int t = 0; t < TABLE_COUNT; t++) {
        uint64_t rows;
        if (store_count(r, (enum store_table)t, &rows, err) < 0) return -1;
        if (rows) return err_set(err, ERR_CORRUPT, "%s holds rows but no version", dir);
    }
    return 0;
}

static int commit_version(struct store *s, struct store_batch *b, unsigned version, struct err *err) {
    char bytes[4] = {(char)version, (char)(version >> 8), (char)(version >> 16), (char)(version >> 24)};
    if (!store_put(b, TABLE_META, VERSION_KEY, slice_make(bytes, sizeof bytes)))
        return err_set(err, ERR_SYSTEM, "the migration to version %u is too large", version);
    for (;;) {
        struct kv_txn *txn;
        int rc = kv_begin(s->kv, &txn);
        if (rc) return kv_fail(err, rc, s->dir);
        rc = batch_apply(b, txn);
        if (rc == 0)
            rc = kv_commit(txn);
        else
            kv_abort(txn);
        if (!kv_map_full(rc)) return rc ? kv_fail(err, rc, s->dir) : 0;
        if ((rc = kv_grow(s->kv))) return kv_fail(err, rc, s->dir);
    }
}

static int migrate_step(struct store *s, const struct store_options *o, unsigned from, struct store_reader *r,
                        struct err *err) {
    const struct store_migration *m = o->migrations;
    while (m < o->migrations + o->migration_count && m->from != from)
        m++;
    if (m == o->migrations + o->migration_count)
        return err_set(err, ERR_INPUT, "%s is a store of version %u, too old for this tsubame (version %u)",
                       s->dir, from, o->version);
    struct store_batch *b = store_batch_new(STORE_BATCH_MAX);
    if (!b) return err_set(err, ERR_SYSTEM, "no memory");
    int status = store_read_begin(r, err);
    if (status == 0) {
        status = m->step(r, b, err);
        store_read_end(r);
    }
    if (status == 0) status = commit_version(s, b, from + 1, err);
    store_batch_free(b);
    return status < 0 ? err_wrap(err, "migrating %s from version %u", s->dir, from) : 0;
}

/* Is there a segment file? A new ledger would take all of them for left over and sweep them away. */
static bool has_segments(struct store *s) {
    int fd = openat(s->dir_fd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    bool has = false;
    if (!d && fd >= 0) close(fd);
    for (struct dirent *e; d && !has && (e = readdir(d));)
        has = e->d_name[0] != '.';
    if (d) closedir(d);
    return has;
}

static int bring_up(struct store *s, const struct store_options *o, struct store_reader *r, struct err *err) {
    for (;;) {
        unsigned version = 0;
        if (store_read_begin(r, err) < 0) return -1;
        int known = read_version(r, s->dir, &version, err);
        store_read_end(r);
        if (known < 0) return -1;
        if (known && version == o->version) return 0;
        if (known && version > o->version)
            return err_set(err, ERR_INPUT,
                           "%s was written by a newer tsubame (store version %u, this one knows %u)", s->dir,
                           version, o->version);
        if (s->read_only)
            return err_set(err, ERR_INPUT,
                           "%s is a store of version %u, this tsubame wants %u: start the "
                           "server once to migrate it",
                           s->dir, version, o->version);
        if (known) {
            if (migrate_step(s, o, version, r, err) < 0) return -1;
            continue;
        }
        if (has_segments(s))
            return err_set(
                err, ERR_CORRUPT,
                "%s/ledger.mdb is empty or was missing, but segments/ holds tables of a ledger: put it back "
                "from a backup (or name another store.path to begin anew)",
                s->dir);
        struct store_batch *b = store_batch_new(4096);
        int status = b ? commit_version(s, b, o->version, err) : err_set(err, ERR_SYSTEM, "no memory");
        store_batch_free(b);
        if (status < 0) return -1;
    }
}

/* ---- open and close ---- */

/* The names of the files, and of the directory itself: without them a power cut could take a store away whose
 * first commits were acknowledged. */
static int sync_names(struct store *s) {
    if (fsync(s->dir_fd) < 0) return -1;
    int parent = openat(s->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0) return errno == EACCES ? 0 : -1;
    int status = fsync(parent);
    close(parent);
    return status;
}

static int open_parts(struct store *s, const char *dir, const struct store_options *o, struct err *err) {
    if (open_dir(s, dir, err) < 0 || lock_dir(s, err) < 0) return -1;
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/ledger.mdb", s->dir);
    s->kv = kv_open(path, o->map_size ? o->map_size : DEFAULT_MAP, s->read_only, err);
    if (!s->kv) return -1;
    struct store_reader *r = kv_reader_open(s->kv, err);
    if (!r) return -1;
    int status = bring_up(s, o, r, err);
    store_reader_free(r);
    if (status < 0 || segments_open(s, err) < 0) return -1;
    if (!s->read_only) {
        space_reserve_take(s);
        if (sync_names(s) < 0) return err_errno(err, errno, "syncing %s", s->dir);
    }
    return writer_start(s, o->queue_slots, err);
}

struct store *store_open(const char *dir, const struct store_options *options, struct err *err) {
    struct store_options o = options ? *options : (struct store_options){0};
    if (o.version == 0) o.version = STORE_VERSION;
    struct store *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    s->dir_fd = s->lock_fd = s->segments_fd = -1;
    s->read_only = o.read_only;
    s->version = o.version;
    s->reserve = o.reserve ? o.reserve : DEFAULT_RESERVE;
    if (open_parts(s, dir, &o, err) == 0) return s;
    store_free(s);
    return NULL;
}

void store_free(struct store *s) {
    if (!s) return;
    writer_stop(s);
    segments_close(s);
    kv_free(s->kv);
    if (s->lock_fd >= 0) close(s->lock_fd);
    if (s->dir_fd >= 0) close(s->dir_fd);
    free(s);
}

struct store_reader *store_reader_open(struct store *s, struct err *err) {
    return kv_reader_open(s->kv, err);
}
