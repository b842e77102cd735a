/* A consistent backup while everything runs.
 *
 * Three kinds of files must fit together in the copy:
 *   - Every segment_ref in the copied ledger must resolve. Segments are synced before the ledger names them
 * and are never changed, so segments copied AFTER the ledger's view was fixed hold all that it names, as long
 *     as none is deleted meanwhile: the backup holds the sweep lock.
 *   - history.db must not be ahead of the ledger: a restored server would give the same block numbers to
 * other events, and the projector would pass them over.
 *   - history.db must not be so far behind that the ledger has dropped blocks which it still needs.
 * For the last two both views are fixed in one moment in which the writer cannot commit (its gate is held):
 * no block is in history that is not in the ledger's view, since the projector reads only committed blocks;
 * and what the ledger's view has dropped was dropped because history had it already. The moment takes
 * microseconds, the copying afterwards disturbs nobody: SQLite's snapshot lies in its log, LMDB keeps the
 * pages of an open view (so the ledger grows a little while a backup runs).
 *
 * The copy is built beside the target, gets its manifest last and is renamed at the end: a backup that was
 * cut short is none. A final one closes the store that it was taken of: a file `moved` keeps it from being
 * opened by a writer, because two that go on from the same state would both send what is pending. */
#include "manifest.h"
#include "sql.h"
#include "store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct backup {
    struct store *store;
    char partial[PATH_MAX];
    int dir_fd;
    bool made; /* the partial copy is ours to remove */
    struct store_reader *ledger;
    struct sql_snapshot *history;
    struct backup_facts facts;
};

static int path_in(const char *dir, const char *name, char path[PATH_MAX], struct err *err) {
    if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return err_set(err, ERR_INPUT, "path too long");
    return 0;
}

static bool same(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A backup in the store would go with it, and be in the way of segments. Looked for among the folders above
 * the copy, so that no name or link hides it. */
static int refuse_inside(const struct backup *b, struct err *err) {
    struct stat store, at, below = {0};
    int fd = openat(b->dir_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int failed = fstat(b->store->dir_fd, &store);
    while (!failed && fd >= 0 && fstat(fd, &at) == 0 && !same(&at, &store) && !same(&at, &below)) {
        int above = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = above;
        below = at;
    }
    bool inside = fd >= 0 && !failed && same(&at, &store);
    if (fd >= 0) close(fd);
    return inside ? err_set(err, ERR_INPUT, "%s would be inside the store: a backup belongs elsewhere",
                            b->partial)
                  : 0;
}

static int make_target(struct backup *b, const char *target, struct err *err) {
    if (snprintf(b->partial, sizeof b->partial, "%s.partial", target) >= (int)sizeof b->partial - 32)
        return err_set(err, ERR_INPUT, "the backup's path is too long");
    if (mkdir(b->partial, 0700) < 0)
        return err_errno(err, errno, "creating %s%s", b->partial,
                         errno == EEXIST ? " (left by a backup that was cut short? remove it)" : "");
    b->made = true;
    b->dir_fd = open(b->partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->dir_fd < 0 || mkdirat(b->dir_fd, "segments", 0700) < 0)
        return err_errno(err, errno, "creating %s", b->partial);
    if (refuse_inside(b, err) < 0) return -1;
    /* rename() replaces an empty directory, and nothing else */
    if (access(target, F_OK) == 0 && rmdir(target) < 0)
        return err_set(err, ERR_INPUT, "%s is there already and not an empty directory", target);
    return 0;
}

static int fix_views(struct backup *b, struct err *err) {
    char path[PATH_MAX];
    if (path_in(b->store->dir, "history.db", path, err) < 0) return -1;
    b->ledger = store_reader_open(b->store, err);
    if (!b->ledger) return -1;
    struct err why = {0};
    pthread_mutex_lock(&b->store->writer.gate);
    b->history = sql_snapshot_take(path, &why);
    b->facts.taken = clock_wall();
    int status = b->history || why.kind == ERR_ABSENT ? store_read_begin(b->ledger, err) : -1;
    pthread_mutex_unlock(&b->store->writer.gate);
    if (status < 0 && !b->history && why.kind != ERR_ABSENT && err) *err = why;
    return status;
}

static int copy_files(struct backup *b, struct err *err) {
    char path[PATH_MAX];
    if (path_in(b->partial, "ledger.mdb", path, err) < 0 || kv_copy(b->ledger, path, err) < 0) return -1;
    store_read_end(b->ledger); /* its pages may be used again */
    if (path_in(b->partial, "history.db", path, err) < 0) return -1;
    if (b->history && sql_snapshot_copy(b->history, path, err) < 0) return -1;
    int fd = openat(b->dir_fd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_errno(err, errno, "opening %s/segments", b->partial);
    int status = segments_copy(b->store, fd, err);
    close(fd);
    if (status == 0 && fsync(b->dir_fd) < 0) status = err_errno(err, errno, "syncing %s", b->partial);
    return status;
}

int store_sync_parent(const char *path, struct err *err) {
    char parent[PATH_MAX];
    if (path_in(path, "..", parent, err) < 0) return -1;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 ? -1 : fsync(fd);
    int why = errno;
    if (fd >= 0) close(fd);
    return status < 0 ? err_errno(err, why, "syncing %s", parent) : 0;
}

static void remove_files(int dir_fd) {
    DIR *d = fdopendir(dir_fd);
    if (!d) close(dir_fd);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') unlinkat(dirfd(d), e->d_name, 0);
    if (d) closedir(d);
}

void store_remove(const char *dir) {
    char segments[PATH_MAX];
    if (path_in(dir, "segments", segments, NULL) < 0) return;
    const char *const folders[] = {segments, dir};
    for (int i = 0; i < 2; i++) {
        int fd = open(folders[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) remove_files(fd);
        rmdir(folders[i]);
    }
}

/* From here on only the copy goes on. */
static int close_for_good(const struct backup *b, const char *target, struct err *err) {
    size_t len = strlen(target);
    int fd = openat(b->store->dir_fd, STORE_MOVED_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int failed =
        fd < 0 || write(fd, target, len) != (ssize_t)len || fsync(fd) < 0 || fsync(b->store->dir_fd) < 0;
    int why = errno;
    if (fd >= 0) close(fd);
    return failed ? err_errno(err, why, "closing %s for good", b->store->dir) : 0;
}

static int finish(struct backup *b, const char *target, struct err *err) {
    if (manifest_write(b->dir_fd, &b->facts, err) < 0) return -1;
    if (fsync(b->dir_fd) < 0) return err_errno(err, errno, "syncing %s", b->partial);
    if (b->facts.final && close_for_good(b, target, err) < 0) return -1;
    if (rename(b->partial, target) < 0) return err_errno(err, errno, "renaming %s to %s", b->partial, target);
    return store_sync_parent(target, err);
}

int store_backup(struct store *s, const char *target, bool final, struct err *err) {
    if (s->read_only)
        return err_set(err, ERR_INPUT, "a backup is taken by the process that writes the store");
    struct backup b = {.store = s, .dir_fd = -1, .facts = {.version = s->version, .final = final}};
    int status = make_target(&b, target, err);
    if (status == 0) {
        pthread_mutex_lock(&s->segments.sweep);
        status = fix_views(&b, err);
        if (status == 0) status = copy_files(&b, err);
        pthread_mutex_unlock(&s->segments.sweep);
        store_reader_free(b.ledger);
        sql_snapshot_free(b.history);
        if (status == 0) status = finish(&b, target, err);
        if (status < 0 && final) unlinkat(s->dir_fd, STORE_MOVED_FILE, 0);
    }
    if (b.dir_fd >= 0) close(b.dir_fd);
    if (status < 0 && b.made) store_remove(b.partial);
    return status < 0 ? err_wrap(err, "backup of %s", s->dir) : 0;
}
