/* powercut-undo DIR JOURNAL [--seed N]: after kill -9, makes of DIR what a power cut could have left.
 *
 * Without a seed all that was not synced is undone. With one, chance decides for each block of 4096 bytes
 * whether it stays, goes, or stands as it was after some of the writes (disks reorder), for each file whether
 * its new size stays, and up to where the changes of names got (file systems keep their order). The journal
 * is empty afterwards. Shared memory files of SQLite (*-shm) are removed, as a restart does. */
#include "powerjournal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096 };

struct range {
    uint64_t from, to;
};

struct entry {
    struct power_record r;
    uint64_t at; /* of its payload */
};

struct journal {
    int fd;
    uint64_t ino;
    struct entry *entries;
    size_t count;
};

struct named {
    struct power_record r;
    char *names;
};

static struct {
    const char *dir, *journal;
    bool chance;
    uint64_t seed;
    struct named *names;
    size_t name_count;
    uint64_t ranges_undone, names_undone, files;
} undo;

static void die(const char *what) {
    fprintf(stderr, "powercut-undo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *grown(void *array, size_t count, size_t size) {
    if (count & (count - 1)) return array; /* doubles at powers of two */
    void *more = realloc(array, (count ? count * 2 : 1) * size);
    if (!more) die("memory");
    return more;
}

/* splitmix64 over seed, a and b. */
static uint64_t chance(uint64_t a, uint64_t b) {
    uint64_t x = undo.seed + a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* --- Reading ------------------------------------------------------------------------------------------- */

static void read_journal(const char *path, struct journal *j) {
    struct power_head head;
    struct power_record r;
    memset(j, 0, sizeof *j);
    j->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (j->fd < 0) die(path);
    if (pread(j->fd, &head, sizeof head, 0) != sizeof head || head.magic != POWER_MAGIC) return;
    for (uint64_t at = head.valid_from; pread(j->fd, &r, sizeof r, (off_t)at) == sizeof r;) {
        if (r.magic != POWER_RECORD) break;
        at += sizeof r;
        char *payload = malloc(r.payload + 1);
        if (!payload) die("memory");
        bool whole = pread(j->fd, payload, r.payload, (off_t)at) == (ssize_t)r.payload &&
                     power_check(r, payload) == r.check;
        free(payload);
        if (!whole) break;
        j->entries = grown(j->entries, j->count, sizeof *j->entries);
        j->entries[j->count++] = (struct entry){r, at};
        at += r.payload;
    }
}

static char *payload_of(const struct journal *j, const struct entry *e) {
    char *bytes = malloc(e->r.payload + 1);
    if (!bytes || pread(j->fd, bytes, e->r.payload, (off_t)e->at) != (ssize_t)e->r.payload) die("payload");
    bytes[e->r.payload] = 0;
    return bytes;
}

/* --- Contents ------------------------------------------------------------------------------------------ */

/* Which file has the inode now: below DIR, or kept in the journal directory. */
static uint64_t wanted;
static char found[PATH_MAX];
static int match(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)at;
    if (type != FTW_F || st->st_ino != wanted) return 0;
    snprintf(found, sizeof found, "%s", path);
    return 1;
}
static bool find_inode(uint64_t ino) {
    wanted = ino;
    return nftw(undo.dir, match, 32, FTW_PHYS) == 1 || nftw(undo.journal, match, 32, FTW_PHYS) == 1;
}

/* From which entry on the writes to a block are lost. */
static size_t lost_from(const struct journal *j, uint64_t block) {
    if (!undo.chance) return 0;
    uint64_t h = chance(j->ino, block);
    switch (h % 3) {
    case 0: return j->count;
    case 1: return 0;
    default: return (size_t)((h >> 8) % (j->count + 1));
    }
}

/* Puts back [from, to) of entry i, but for what was pinned after it. */
static void put_back(int fd, const struct entry *e, const char *old, struct range part,
                     const struct range *pins, size_t pin_count) {
    for (size_t p = 0; p < pin_count; p++) {
        if (pins[p].to <= part.from || pins[p].from >= part.to) continue;
        if (pins[p].from > part.from)
            put_back(fd, e, old, (struct range){part.from, pins[p].from}, pins, pin_count);
        part.from = pins[p].to;
        if (part.from >= part.to) return;
    }
    static const char zeros[BLOCK];
    for (uint64_t at = part.from; at < part.to;) {
        uint64_t known = e->r.off + e->r.payload, n = part.to - at;
        const char *bytes = zeros;
        if (at < known) {
            bytes = old + (at - e->r.off);
            if (n > known - at) n = known - at;
        } else if (n > BLOCK) {
            n = BLOCK;
        }
        if (pwrite(fd, bytes, n, (off_t)at) != (ssize_t)n) die("putting back");
        at += n;
    }
    undo.ranges_undone++;
}

static void undo_write(int fd, const struct journal *j, size_t i, const struct range *pins,
                       size_t pin_count) {
    const struct entry *e = &j->entries[i];
    char *old = payload_of(j, e);
    uint64_t end = e->r.off + e->r.len;
    for (uint64_t at = e->r.off; at < end;) {
        uint64_t next = (at / BLOCK + 1) * BLOCK;
        if (next > end) next = end;
        if (i >= lost_from(j, at / BLOCK)) put_back(fd, e, old, (struct range){at, next}, pins, pin_count);
        at = next;
    }
    free(old);
}

static void undo_file(struct journal *j) {
    struct range *pins = NULL;
    size_t pin_count = 0;
    struct stat st;
    if (!j->count || !find_inode(j->ino)) return;
    int fd = open(found, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) die(found);
    uint64_t size = (uint64_t)st.st_size, least = 0;
    for (size_t i = j->count; i-- > 0;) {
        const struct power_record *r = &j->entries[i].r;
        if (r->kind == POWER_PIN) {
            pins = grown(pins, pin_count, sizeof *pins);
            pins[pin_count++] = (struct range){r->off, r->off + r->len};
            if (r->off + r->len > least) least = r->off + r->len;
        } else {
            undo_write(fd, j, i, pins, pin_count);
            size = r->old_size;
        }
    }
    if (size < least) size = least;
    if (undo.chance && chance(j->ino, UINT64_MAX) & 1) size = (uint64_t)st.st_size;
    if (ftruncate(fd, (off_t)size)) die(found);
    close(fd);
    free(pins);
    undo.files++;
}

/* --- Names --------------------------------------------------------------------------------------------- */

static void gather_names(struct journal *j) {
    for (size_t i = 0; i < j->count; i++) {
        undo.names = grown(undo.names, undo.name_count, sizeof *undo.names);
        undo.names[undo.name_count++] = (struct named){j->entries[i].r, payload_of(j, &j->entries[i])};
    }
}

static int by_seq(const void *a, const void *b) {
    uint64_t x = ((const struct named *)a)->r.seq, y = ((const struct named *)b)->r.seq;
    return (x > y) - (x < y);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st, (void)type, (void)at;
    return remove(path);
}

static bool there(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

/* A process killed before the change itself leaves a record of what did not happen: then nothing is to do. */
static void undo_name(const struct named *n) {
    const char *a = n->names, *b = a + strlen(a) + 1;
    switch (n->r.kind) {
    case POWER_CREATE: unlink(a); break;
    case POWER_MKDIR: nftw(a, remove_entry, 32, FTW_DEPTH | FTW_PHYS); break;
    case POWER_RMDIR: mkdir(a, 0700); break;
    case POWER_UNLINK:
        if (!there(a) && link(b, a)) die(a);
        break;
    case POWER_RENAME: {
        const char *kept = b + strlen(b) + 1;
        if (there(a)) return;
        if (rename(b, a) && errno != ENOENT) die(a);
        if (*kept && link(kept, b)) die(b);
        break;
    }
    default: errno = EINVAL; die("journal");
    }
    undo.names_undone++;
}

static void undo_names(void) {
    qsort(undo.names, undo.name_count, sizeof *undo.names, by_seq);
    size_t stay = undo.chance && undo.name_count ? chance(7, 7) % (undo.name_count + 1) : 0;
    for (size_t i = undo.name_count; i-- > stay;)
        undo_name(&undo.names[i]);
}

/* --- All of it ----------------------------------------------------------------------------------------- */

static void each_journal(char kind, void (*act)(struct journal *)) {
    DIR *dir = opendir(undo.journal);
    struct dirent *e;
    if (!dir) die(undo.journal);
    while ((e = readdir(dir))) {
        char path[PATH_MAX];
        struct journal j;
        if (e->d_name[0] != kind || e->d_name[1] != '-') continue;
        snprintf(path, sizeof path, "%s/%s", undo.journal, e->d_name);
        read_journal(path, &j);
        j.ino = strtoull(e->d_name + 2, NULL, 10);
        act(&j);
        free(j.entries);
        close(j.fd);
    }
    closedir(dir);
}

static int empty_entry(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st, (void)type;
    return at->level ? remove(path) : 0;
}

static int remove_shm(const char *path, const struct stat *st, int type, struct FTW *at) {
    size_t n = strlen(path);
    (void)st, (void)at;
    return type == FTW_F && n > 4 && !strcmp(path + n - 4, "-shm") ? unlink(path) : 0;
}

int main(int argc, char **argv) {
    if (argc == 5 && !strcmp(argv[3], "--seed")) {
        undo.chance = true;
        undo.seed = strtoull(argv[4], NULL, 10);
    } else if (argc != 3) {
        fprintf(stderr, "usage: powercut-undo DIR JOURNAL [--seed N]\n");
        return 2;
    }
    undo.dir = argv[1];
    undo.journal = argv[2];
    each_journal('f', undo_file);
    each_journal('d', gather_names);
    undo_names();
    nftw(undo.dir, remove_shm, 32, FTW_PHYS);
    nftw(undo.journal, empty_entry, 32, FTW_DEPTH | FTW_PHYS);
    printf("files=%llu ranges=%llu names=%llu of %zu\n", (unsigned long long)undo.files,
           (unsigned long long)undo.ranges_undone, (unsigned long long)undo.names_undone, undo.name_count);
    return 0;
}
