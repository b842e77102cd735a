/* A program to try libpowercut on: does the file operations that its arguments name, one after the other, in
 * the current directory, and dies as by kill -9 at the end.
 *
 *     create F | write F OFF TEXT | through F OFF TEXT | append F TEXT | truncate F N | sync F | syncdir D |
 *     rename A B | unlink F | link A B | mkdir D | list D | threads F N COUNT */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void need(int ok, const char *what) {
    if (ok) return;
    perror(what);
    exit(1);
}

static void put(const char *file, int flags, off_t off, const char *text) {
    int fd = open(file, O_WRONLY | flags);
    need(fd >= 0, file);
    ssize_t n = (ssize_t)strlen(text);
    struct iovec part = {(void *)(size_t)text, (size_t)n};
    need((flags & O_APPEND ? writev(fd, &part, 1) : pwrite(fd, text, (size_t)n, off)) == n, "write");
    close(fd);
}

static void sync_of(const char *path, int flags, int (*call)(int)) {
    int fd = open(path, flags);
    need(fd >= 0 && call(fd) == 0, path);
    close(fd);
}

struct work {
    int fd, who, count;
};

/* Each thread writes its own blocks "N.....", syncing every fourth; block numbers are interleaved. */
static void *work(void *given) {
    struct work *w = given;
    char block[512];
    memset(block, 'a' + w->who, sizeof block);
    for (int i = 0; i < w->count; i++) {
        need(pwrite(w->fd, block, sizeof block, (off_t)(i * 8 + w->who) * 512) == sizeof block, "pwrite");
        if (i % 4 == 3) need(fdatasync(w->fd) == 0, "fdatasync");
    }
    return NULL;
}

static void threads(const char *file, int n, int count) {
    pthread_t ids[8];
    struct work works[8];
    int fd = open(file, O_RDWR);
    need(fd >= 0 && n <= 8, file);
    for (int i = 0; i < n; i++) {
        works[i] = (struct work){fd, i, count};
        need(pthread_create(&ids[i], NULL, work, &works[i]) == 0, "thread");
    }
    for (int i = 0; i < n; i++)
        pthread_join(ids[i], NULL);
    close(fd);
}

/* closedir closes what open opened; then its number is that of memory, which is no file of the directory. */
static void list(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    need(dir && closedir(dir) == 0, path);
    need(memfd_create("other", 0) == fd && ftruncate(fd, 16384) == 0, "memfd");
    close(fd);
}

static int one(char **a) {
    if (!strcmp(a[0], "create")) {
        int fd = open(a[1], O_WRONLY | O_CREAT, 0600);
        need(fd >= 0, a[1]);
        close(fd);
        return 2;
    }
    if (!strcmp(a[0], "write")) return put(a[1], 0, strtol(a[2], NULL, 10), a[3]), 4;
    if (!strcmp(a[0], "through")) return put(a[1], O_DSYNC, strtol(a[2], NULL, 10), a[3]), 4;
    if (!strcmp(a[0], "append")) return put(a[1], O_APPEND, 0, a[2]), 3;
    if (!strcmp(a[0], "truncate")) {
        int fd = open(a[1], O_RDWR);
        need(fd >= 0 && ftruncate(fd, strtol(a[2], NULL, 10)) == 0, a[1]);
        close(fd);
        return 3;
    }
    if (!strcmp(a[0], "sync")) return sync_of(a[1], O_RDWR, fdatasync), 2;
    if (!strcmp(a[0], "syncdir")) return sync_of(a[1], O_RDONLY | O_DIRECTORY, fsync), 2;
    if (!strcmp(a[0], "rename")) return need(rename(a[1], a[2]) == 0, a[1]), 3;
    if (!strcmp(a[0], "unlink")) return need(unlink(a[1]) == 0, a[1]), 2;
    if (!strcmp(a[0], "link")) return need(link(a[1], a[2]) == 0, a[1]), 3;
    if (!strcmp(a[0], "mkdir")) return need(mkdir(a[1], 0700) == 0, a[1]), 2;
    if (!strcmp(a[0], "list")) return list(a[1]), 2;
    if (!strcmp(a[0], "threads"))
        return threads(a[1], (int)strtol(a[2], NULL, 10), (int)strtol(a[3], NULL, 10)), 4;
    fprintf(stderr, "unknown operation %s\n", a[0]);
    exit(2);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc;)
        i += one(argv + i);
    raise(SIGKILL);
    return 1;
}
