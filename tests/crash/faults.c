/* libfaults.so: preloaded into a program, it lets the machine around it fail while it runs.
 *
 * Environment: FAULTS, a file that is mapped; a test writes into it at any time:
 *     int64  seconds that the wall clock is off by
 *     int32  error of writes, fsync and the like on files whose path contains the text below; 0: none
 *     char   that text, NUL-terminated, 64 bytes at most
 * The clock: clock_gettime(CLOCK_REALTIME), gettimeofday, time. The files: write, pwrite, writev, pwritev,
 * fsync, fdatasync, ftruncate. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct faults {
    int64_t seconds;
    int32_t error;
    char path[64];
};

static const struct faults *faults(void) {
    static const struct faults none;
    static const struct faults *at;
    if (at) return at;
    const char *name = getenv("FAULTS");
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *at, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    return at = map == MAP_FAILED ? &none : map;
}

static void *next(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

/* ---- the clock ---- */

int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) *(void **)&real = next("clock_gettime");
    int status = real(id, t);
    if (status == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += faults()->seconds;
    return status;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}

/* ---- files ---- */

static int fails(int fd) {
    char link[64], path[PATH_MAX];
    const struct faults *f = faults();
    if (f->error == 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    if (!strstr(path, f->path)) return 0;
    errno = f->error;
    return 1;
}

#define STAND_IN(result, name, params, args)                                                                 \
    result name params {                                                                                     \
        static result(*real) params;                                                                         \
        if (!real) *(void **)&real = next(#name);                                                            \
        return fails(fd) ? -1 : real args;                                                                   \
    }

STAND_IN(ssize_t, write, (int fd, const void *at, size_t n), (fd, at, n))
STAND_IN(ssize_t, pwrite, (int fd, const void *at, size_t n, off_t off), (fd, at, n, off))
STAND_IN(ssize_t, pwrite64, (int fd, const void *at, size_t n, off64_t off), (fd, at, n, off))
STAND_IN(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
STAND_IN(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t off), (fd, v, n, off))
STAND_IN(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t off), (fd, v, n, off))
STAND_IN(int, fsync, (int fd), (fd))
STAND_IN(int, fdatasync, (int fd), (fd))
STAND_IN(int, ftruncate, (int fd, off_t n), (fd, n))
STAND_IN(int, ftruncate64, (int fd, off64_t n), (fd, n))
