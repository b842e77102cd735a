/* libpowercut.so: preloaded into a program, it notes how to undo what was written but not synced.
 *
 * Environment: POWERCUT_DIR, the data directory (absolute), and POWERCUT_JOURNAL, a directory outside it on
 * the same file system. After kill -9, powercut-undo makes of the data directory what a power cut could have
 * left: contents survive by fsync or fdatasync of their file (or O_SYNC, O_DSYNC), names by fsync of their
 * directory. That is harsher than ext4, and what POSIX promises.
 *
 * Below the calls that are stood in for: write, pwrite, writev, pwritev, ftruncate, truncate, fallocate,
 * open, creat, rename, unlink, link, mkdir, rmdir, fsync, fdatasync, sync, syncfs, close. Not seen: writes
 * through a shared mapping, stdio's own buffers, io_uring; sync_file_range promises nothing and is let
 * through.
 *
 * A change and its record are one step under a lock, for each file; names have one lock for all. */
#undef _FORTIFY_SOURCE   /* its wrappers have the names that are defined here */
#undef _FILE_OFFSET_BITS /* it renames open to open64: here both are meant */
#include "powertrack.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FDS = 65536 };

static struct {
    struct track *by_fd[FDS];
    dev_t dev[FDS];
    bool through[FDS]; /* opened with O_SYNC or O_DSYNC */
} fds;

/* Some close without close (closedir), and then the number is another's: a socket's, a memfd's. */
static struct track *of_fd(int fd) {
    struct track *t = power_on() && fd >= 0 && fd < FDS ? fds.by_fd[fd] : NULL;
    struct stat st;
    int saved = errno;
    if (t && (fstat(fd, &st) || st.st_ino != t->ino || st.st_dev != fds.dev[fd])) t = fds.by_fd[fd] = NULL;
    errno = saved;
    return t;
}

/* --- Contents ------------------------------------------------------------------------------------------ */

/* Notes what stands in [off, off + len) now. The track's lock is held. */
static void note_range(struct track *t, int fd, off_t off, size_t len) {
    char path[64];
    struct stat st;
    if (fstat(fd, &st)) power_broken("fstat");
    size_t have = off >= st.st_size ? 0 : (size_t)(st.st_size - off);
    if (have > len) have = len;
    char *old = malloc(have + 1);
    if (!old) power_broken("memory");
    if (have) {
        /* fd may be open for writing only. */
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int reader = real.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        if (reader < 0 || pread(reader, old, have, off) != (ssize_t)have) power_broken("reading old bytes");
        real.close(reader);
    }
    track_append(t,
                 (struct power_record){.kind = POWER_WRITE,
                                       .off = (uint64_t)off,
                                       .len = len,
                                       .old_size = (uint64_t)st.st_size,
                                       .payload = (uint32_t)have},
                 old);
    free(old);
}

struct change {
    struct track *t;
    int fd;
    off_t off;
    uint64_t before; /* end of the journal before the record */
};

static struct change change_begin(struct track *t, int fd, off_t off, size_t len) {
    struct change c = {t, fd, off, 0};
    pthread_mutex_lock(&c.t->lock);
    if (off < 0) { /* at the file's own position */
        struct stat st;
        c.off = fcntl(fd, F_GETFL) & O_APPEND ? (fstat(fd, &st), st.st_size) : lseek(fd, 0, SEEK_CUR);
    }
    c.before = c.t->end;
    note_range(c.t, fd, c.off, len);
    return c;
}

static void change_end(struct change c, ssize_t done) {
    int saved = errno;
    if (fds.through[c.fd] && done > 0) {
        if (c.before == c.t->valid_from)
            track_forget(c.t);
        else
            track_append(
                c.t, (struct power_record){.kind = POWER_PIN, .off = (uint64_t)c.off, .len = (uint64_t)done},
                "");
    }
    pthread_mutex_unlock(&c.t->lock);
    errno = saved;
}

static size_t total(const struct iovec *parts, int n) {
    size_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += parts[i].iov_len;
    return sum;
}

#define CHANGED(fd, off, len, call)                                                                          \
    do {                                                                                                     \
        struct track *t_ = of_fd(fd);                                                                        \
        if (!t_) return call;                                                                                \
        struct change c_ = change_begin(t_, fd, off, len);                                                   \
        ssize_t done_ = call;                                                                                \
        change_end(c_, done_);                                                                               \
        return done_;                                                                                        \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t n) {
    CHANGED(fd, -1, n, real.write(fd, bytes, n));
}
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t off) {
    CHANGED(fd, off, n, real.pwrite(fd, bytes, n, off));
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t off) {
    return pwrite(fd, bytes, n, off);
}
ssize_t writev(int fd, const struct iovec *parts, int n) {
    CHANGED(fd, -1, total(parts, n), real.writev(fd, parts, n));
}
ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t off) {
    CHANGED(fd, off, total(parts, n), real.pwritev(fd, parts, n, off));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int n, off_t off) {
    return pwritev(fd, parts, n, off);
}

/* Shrinking loses bytes, growing loses the old size: the record holds both. */
int ftruncate(int fd, off_t size) {
    struct stat st;
    struct track *t = of_fd(fd);
    if (!t || fstat(fd, &st)) return real.ftruncate(fd, size);
    size_t lost = st.st_size > size ? (size_t)(st.st_size - size) : 0;
    struct change c = change_begin(t, fd, size, lost);
    int rc = real.ftruncate(fd, size);
    change_end(c, 0);
    return rc;
}
int ftruncate64(int fd, off_t size) {
    return ftruncate(fd, size);
}
int fallocate(int fd, int mode, off_t off, off_t len) {
    struct track *t = of_fd(fd);
    if (!t) return real.fallocate(fd, mode, off, len);
    struct change c = change_begin(t, fd, off, mode & ~FALLOC_FL_KEEP_SIZE ? (size_t)len : 0);
    int rc = real.fallocate(fd, mode, off, len);
    change_end(c, 0);
    return rc;
}
int fallocate64(int fd, int mode, off_t off, off_t len) {
    return fallocate(fd, mode, off, len);
}
int posix_fallocate(int fd, off_t off, off_t len) {
    return fallocate(fd, 0, off, len) ? errno : 0;
}
int posix_fallocate64(int fd, off_t off, off_t len) {
    return posix_fallocate(fd, off, len);
}

/* --- Syncing ------------------------------------------------------------------------------------------- */

/* Only what was noted before the call counts: another thread may write meanwhile. */
static int synced(int fd, int (*call)(int)) {
    struct track *t = of_fd(fd);
    if (!t) return call(fd);
    pthread_mutex_t *lock = t->dir ? &power_names : &t->lock;
    pthread_mutex_lock(lock);
    uint64_t upto = t->end;
    pthread_mutex_unlock(lock);
    int rc = call(fd);
    int saved = errno;
    pthread_mutex_lock(lock);
    if (rc == 0 && upto > t->valid_from && upto <= t->end) track_durable(t, upto);
    pthread_mutex_unlock(lock);
    errno = saved;
    return rc;
}
int fsync(int fd) {
    return synced(fd, real.fsync);
}
int fdatasync(int fd) {
    return synced(fd, real.fdatasync);
}

void sync(void) {
    real.sync();
    if (power_on()) track_all_durable();
}
int syncfs(int fd) {
    int rc = real.syncfs(fd);
    if (power_on() && rc == 0) track_all_durable();
    return rc;
}

/* --- Names --------------------------------------------------------------------------------------------- */

static void opened(int fd, int flags, bool created) {
    struct stat st;
    if (fd < 0 || fd >= FDS || fstat(fd, &st) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) return;
    struct track *t = track_get(st.st_ino, S_ISDIR(st.st_mode));
    if (created) { /* the inode's number may have been another file's before */
        pthread_mutex_lock(&t->lock);
        track_forget(t);
        pthread_mutex_unlock(&t->lock);
    }
    fds.through[fd] = (flags & (O_DSYNC | O_SYNC)) != 0;
    fds.dev[fd] = st.st_dev;
    fds.by_fd[fd] = t;
}

static int open_tracked(int at, const char *path, const char *full, int flags, mode_t mode) {
    bool named = (flags & O_TMPFILE) != O_TMPFILE;
    pthread_mutex_lock(&power_names);
    bool created = named && flags & O_CREAT && faccessat(AT_FDCWD, full, F_OK, AT_EACCESS) != 0;
    if (created) power_note(POWER_CREATE, full, NULL, NULL);
    int fd = real.openat(at, path, flags & ~O_TRUNC, mode);
    int saved = errno;
    if (fd >= 0) opened(fd, flags, created || !named);
    pthread_mutex_unlock(&power_names);
    if (fd >= 0 && flags & O_TRUNC && ftruncate(fd, 0)) {
        close(fd);
        return -1;
    }
    errno = saved;
    return fd;
}

int openat(int at, const char *path, int flags, ...) {
    char full[PATH_MAX];
    mode_t mode = 0;
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    if (!power_path(at, path, full)) return real.openat(at, path, flags, mode);
    return open_tracked(at, path, full, flags, mode);
}
int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
    va_end(args);
    return openat(AT_FDCWD, path, flags, mode);
}
__attribute__((alias("open"))) int open64(const char *path, int flags, ...);
__attribute__((alias("openat"))) int openat64(int at, const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int at, const char *path, int flags);
int __openat64_2(int at, const char *path, int flags);
int __open_2(const char *path, int flags) {
    return openat(AT_FDCWD, path, flags);
}
int __open64_2(const char *path, int flags) {
    return openat(AT_FDCWD, path, flags);
}
int __openat_2(int at, const char *path, int flags) {
    return openat(at, path, flags);
}
int __openat64_2(int at, const char *path, int flags) {
    return openat(at, path, flags);
}
int creat(const char *path, mode_t mode) {
    return openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) {
    return creat(path, mode);
}

int close(int fd) {
    if (of_fd(fd)) fds.by_fd[fd] = NULL;
    return real.close(fd);
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    char a[PATH_MAX], b[PATH_MAX], kept[PATH_MAX] = "";
    struct stat st;
    if (!power_path(from_at, from, a) || !power_path(to_at, to, b))
        return real.renameat(from_at, from, to_at, to);
    pthread_mutex_lock(&power_names);
    if (lstat(a, &st) == 0) {
        if (lstat(b, &st) == 0 && S_ISREG(st.st_mode)) power_keep(b, kept);
        power_note(POWER_RENAME, a, b, kept);
    }
    int rc = real.renameat(from_at, from, to_at, to);
    int saved = errno;
    pthread_mutex_unlock(&power_names);
    errno = saved;
    return rc;
}
int rename(const char *from, const char *to) {
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int at, const char *path, int flags) {
    char full[PATH_MAX], kept[PATH_MAX];
    struct stat st;
    if (!power_path(at, path, full)) return real.unlinkat(at, path, flags);
    pthread_mutex_lock(&power_names);
    if (flags & AT_REMOVEDIR) {
        power_note(POWER_RMDIR, full, NULL, NULL);
    } else if (lstat(full, &st) == 0 && S_ISREG(st.st_mode)) {
        power_keep(full, kept);
        power_note(POWER_UNLINK, full, kept, NULL);
    }
    int rc = real.unlinkat(at, path, flags);
    int saved = errno;
    pthread_mutex_unlock(&power_names);
    errno = saved;
    return rc;
}
int unlink(const char *path) {
    return unlinkat(AT_FDCWD, path, 0);
}
int rmdir(const char *path) {
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* A new name, by whatever call, goes away again. */
#define NAMED(kind, at, path, call)                                                                          \
    do {                                                                                                     \
        char full_[PATH_MAX];                                                                                \
        if (!power_path(at, path, full_)) return call;                                                       \
        pthread_mutex_lock(&power_names);                                                                    \
        if (faccessat(AT_FDCWD, full_, F_OK, AT_EACCESS)) power_note(kind, full_, NULL, NULL);               \
        int rc_ = call, saved_ = errno;                                                                      \
        pthread_mutex_unlock(&power_names);                                                                  \
        errno = saved_;                                                                                      \
        return rc_;                                                                                          \
    } while (0)

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    NAMED(POWER_CREATE, to_at, to, real.linkat(from_at, from, to_at, to, flags));
}
int link(const char *from, const char *to) {
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int mkdirat(int at, const char *path, mode_t mode) {
    NAMED(POWER_MKDIR, at, path, real.mkdirat(at, path, mode));
}
int mkdir(const char *path, mode_t mode) {
    return mkdirat(AT_FDCWD, path, mode);
}
