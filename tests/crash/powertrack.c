/* libpowercut's journals: which files there are, what was noted of each, when it became durable.
 *
 * A record is written before its change; a process that is killed in between leaves a record that undoes
 * nothing. A journal is emptied when all it held became durable. */
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

enum { TRACKS = 4096 };

static struct {
    bool on;
    char dir[PATH_MAX], journal[PATH_MAX];
    size_t dir_len;
    pthread_mutex_t tracks_lock;
    struct track *tracks[TRACKS];
    size_t track_count;
    uint64_t seq;
    unsigned keeps;
} cut = {.tracks_lock = PTHREAD_MUTEX_INITIALIZER};
pthread_mutex_t power_names = PTHREAD_MUTEX_INITIALIZER;
struct real_calls real;

bool power_on(void) {
    return cut.on;
}

_Noreturn void power_broken(const char *what) {
    fprintf(stderr, "libpowercut: %s: %s\n", what, strerror(errno));
    abort();
}

#define FIND(name) *(void **)(&real.name) = dlsym(RTLD_NEXT, #name)

__attribute__((constructor(101))) static void find(void) {
    FIND(openat);
    FIND(close);
    FIND(pwrite);
    FIND(write);
    FIND(writev);
    FIND(pwritev);
    FIND(ftruncate);
    FIND(fallocate);
    FIND(renameat);
    FIND(unlinkat);
    FIND(linkat);
    FIND(mkdirat);
    FIND(fsync);
    FIND(fdatasync);
    FIND(sync);
    FIND(syncfs);
}

__attribute__((constructor(102))) static void start(void) {
    const char *dir = getenv("POWERCUT_DIR"), *journal = getenv("POWERCUT_JOURNAL");
    if (!dir || !journal) return;
    if (!realpath(dir, cut.dir)) power_broken(dir);
    if (!realpath(journal, cut.journal)) power_broken(journal);
    cut.dir_len = strlen(cut.dir);
    cut.keeps = (unsigned)getpid() << 12;
    cut.on = true;
}

/* --- Journals ------------------------------------------------------------------------------------------ */

static uint64_t next_seq(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    uint64_t last = __atomic_load_n(&cut.seq, __ATOMIC_RELAXED), next;
    do
        next = now > last ? now : last + 1;
    while (!__atomic_compare_exchange_n(&cut.seq, &last, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return next;
}

static void put_head(struct track *t) {
    struct power_head head = {POWER_MAGIC, t->valid_from};
    if (real.pwrite(t->journal, &head, sizeof head, 0) != sizeof head) power_broken("journal head");
}

/* Makes the journal empty: nothing is to be undone. */
void track_forget(struct track *t) {
    t->valid_from = t->end = sizeof(struct power_head);
    put_head(t);
    if (real.ftruncate(t->journal, (off_t)t->end)) power_broken("journal");
}

/* Reads the record at `at`; false at the end and on a torn one. payload must hold PATH_MAX * 3 or be NULL. */
static bool read_names(struct track *t, uint64_t at, struct power_record *r, char *payload) {
    return pread(t->journal, r, sizeof *r, (off_t)at) == sizeof *r && r->magic == POWER_RECORD &&
           r->payload <= PATH_MAX * 3 &&
           pread(t->journal, payload, r->payload, (off_t)(at + sizeof *r)) == (ssize_t)r->payload;
}

void track_append(struct track *t, struct power_record r, const void *payload) {
    r.magic = POWER_RECORD;
    r.seq = next_seq();
    r.check = power_check(r, payload);
    struct iovec parts[2] = {{&r, sizeof r}, {(void *)(uintptr_t)payload, r.payload}};
    ssize_t want = (ssize_t)(sizeof r + r.payload);
    if (real.pwritev(t->journal, parts, 2, (off_t)t->end) != want) power_broken("journal");
    t->end += (uint64_t)want;
}

static struct track *track_open(ino_t ino, bool dir) {
    struct track *t = calloc(1, sizeof *t);
    char path[PATH_MAX + 40];
    if (!t || cut.track_count == TRACKS) power_broken("too many files");
    snprintf(path, sizeof path, "%s/%c-%llu", cut.journal, dir ? 'd' : 'f', (unsigned long long)ino);
    t->ino = ino;
    t->dir = dir;
    t->journal = real.openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (t->journal < 0) power_broken(path);
    pthread_mutex_init(&t->lock, NULL);
    /* A process killed earlier left a journal: what it had not synced is still not synced. */
    struct power_head head;
    struct stat st;
    if (pread(t->journal, &head, sizeof head, 0) == sizeof head && head.magic == POWER_MAGIC &&
        fstat(t->journal, &st) == 0 && st.st_size > (off_t)head.valid_from) {
        struct power_record r;
        t->valid_from = t->end = head.valid_from;
        while (pread(t->journal, &r, sizeof r, (off_t)t->end) == sizeof r && r.magic == POWER_RECORD &&
               (off_t)(t->end + sizeof r + r.payload) <= st.st_size)
            t->end += sizeof r + r.payload;
    } else {
        track_forget(t);
    }
    cut.tracks[cut.track_count++] = t;
    return t;
}

struct track *track_get(ino_t ino, bool dir) {
    struct track *found = NULL;
    pthread_mutex_lock(&cut.tracks_lock);
    for (size_t i = 0; i < cut.track_count && !found; i++)
        if (cut.tracks[i]->ino == ino && cut.tracks[i]->dir == dir) found = cut.tracks[i];
    if (!found) found = track_open(ino, dir);
    pthread_mutex_unlock(&cut.tracks_lock);
    return found;
}

void track_durable(struct track *t, uint64_t upto) {
    struct power_record r;
    char names[PATH_MAX * 3];
    for (uint64_t at = t->valid_from; t->dir && at < upto && read_names(t, at, &r, names);
         at += sizeof r + r.payload) {
        const char *kept = names;
        for (int skip = r.kind == POWER_RENAME ? 2 : 1; skip; skip--)
            kept += strlen(kept) + 1;
        if ((r.kind == POWER_RENAME || r.kind == POWER_UNLINK) && *kept) real.unlinkat(AT_FDCWD, kept, 0);
    }
    if (upto == t->end) {
        track_forget(t);
    } else if (upto > t->valid_from) {
        t->valid_from = upto;
        put_head(t);
    }
}

void track_all_durable(void) {
    pthread_mutex_lock(&power_names);
    pthread_mutex_lock(&cut.tracks_lock);
    for (size_t i = 0; i < cut.track_count; i++) {
        struct track *t = cut.tracks[i];
        pthread_mutex_lock(&t->lock);
        track_durable(t, t->end);
        pthread_mutex_unlock(&t->lock);
    }
    pthread_mutex_unlock(&cut.tracks_lock);
    pthread_mutex_unlock(&power_names);
}

/* --- Paths --------------------------------------------------------------------------------------------- */

bool power_path(int at, const char *path, char out[PATH_MAX]) {
    char joined[PATH_MAX], fd_link[64], *slash;
    int n;
    if (!cut.on || !path || !*path) return false;
    if (*path == '/' || at == AT_FDCWD) {
        n = snprintf(joined, sizeof joined, *path == '/' ? "%s" : "./%s", path);
    } else {
        char base[PATH_MAX];
        snprintf(fd_link, sizeof fd_link, "/proc/self/fd/%d", at);
        ssize_t len = readlink(fd_link, base, sizeof base - 1);
        if (len < 0) return false;
        base[len] = 0;
        n = snprintf(joined, sizeof joined, "%s/%s", base, path);
    }
    if (n < 0 || n >= (int)sizeof joined) return false;
    while (n > 1 && joined[n - 1] == '/')
        joined[--n] = 0;
    if (realpath(joined, out)) {
        struct stat st;
        if (lstat(joined, &st) || !S_ISLNK(st.st_mode)) goto inside;
    }
    slash = strrchr(joined, '/');
    *slash = 0;
    if (!realpath(*joined ? joined : "/", out)) return false;
    size_t len = strlen(out);
    if (len + strlen(slash + 1) + 2 > PATH_MAX) return false;
    out[len] = '/';
    memcpy(out + len + 1, slash + 1, strlen(slash + 1) + 1);
inside:
    return strncmp(out, cut.dir, cut.dir_len) == 0 && (out[cut.dir_len] == '/' || !out[cut.dir_len]);
}

/* The journal of the directory that holds `path` (absolute). */
static struct track *parent(const char *path) {
    char dir[PATH_MAX];
    struct stat st;
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = 0;
    if (stat(dir, &st)) power_broken(dir);
    return track_get(st.st_ino, true);
}

void power_note(enum power_kind kind, const char *a, const char *b, const char *c) {
    char payload[PATH_MAX * 3];
    size_t n = 0;
    const char *names[3] = {a, b, c};
    for (int i = 0; i < 3 && names[i]; i++) {
        memcpy(payload + n, names[i], strlen(names[i]) + 1);
        n += strlen(names[i]) + 1;
    }
    struct track *t = parent(kind == POWER_RENAME ? b : a);
    track_append(t, (struct power_record){.kind = kind, .payload = (uint32_t)n}, payload);
}

void power_keep(const char *path, char kept[PATH_MAX]) {
    for (;;) {
        snprintf(kept, PATH_MAX, "%.3000s/keep-%u", cut.journal, cut.keeps++);
        if (real.linkat(AT_FDCWD, path, AT_FDCWD, kept, 0) == 0) return;
        if (errno != EEXIST) power_broken("keeping what is removed (is the journal on another file system?)");
    }
}
