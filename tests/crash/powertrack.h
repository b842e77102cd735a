/* What libpowercut knows: the files and directories below the data directory, each with its undo journal. */
#ifndef TSUBAME_POWERTRACK_H
#define TSUBAME_POWERTRACK_H

#include "powerjournal.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The C library's own calls, past the ones that this library stands in for. */
struct real_calls {
    int (*openat)(int, const char *, int, ...);
    int (*close)(int);
    ssize_t (*pwrite)(int, const void *, size_t, off_t);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*writev)(int, const struct iovec *, int);
    ssize_t (*pwritev)(int, const struct iovec *, int, off_t);
    int (*ftruncate)(int, off_t);
    int (*fallocate)(int, int, off_t, off_t);
    int (*renameat)(int, const char *, int, const char *);
    int (*unlinkat)(int, const char *, int);
    int (*linkat)(int, const char *, int, const char *, int);
    int (*mkdirat)(int, const char *, mode_t);
    int (*fsync)(int);
    int (*fdatasync)(int);
    void (*sync)(void);
    int (*syncfs)(int);
};
extern struct real_calls real;

/* Contents change under the track's lock, names under power_names for all. Never freed: there are few. */
struct track {
    ino_t ino;
    bool dir;
    int journal;
    uint64_t end;        /* of the journal */
    uint64_t valid_from; /* as in its head: records before it are durable */
    pthread_mutex_t lock;
};
extern pthread_mutex_t power_names;

bool power_on(void);

/* Says what is wrong on standard error and aborts: a test kit must not go on half blind. */
_Noreturn void power_broken(const char *what);

/* The track of an inode; made, with what an earlier process left in its journal, when there is none. */
struct track *track_get(ino_t ino, bool dir);
void track_forget(struct track *t); /* nothing is to be undone */
void track_append(struct track *t, struct power_record r, const void *payload);
void track_durable(struct track *t, uint64_t upto); /* what was noted before `upto` is durable */
void track_all_durable(void);

/* The absolute path with its directory resolved; false when it is not below the data directory. */
bool power_path(int at, const char *path, char out[PATH_MAX]);

/* Notes a change of names, b and c may be NULL; power_names is held. */
void power_note(enum power_kind kind, const char *a, const char *b, const char *c);

/* A second name for what is about to lose its own, so that it can come back. */
void power_keep(const char *path, char kept[PATH_MAX]);

#endif
