/* Segment files: records appended, synced, read by place, and swept away when nothing names them.
 *
 * A record is a header (magic, length, checksum) and its bytes. The checksum is seeded with file and offset,
 * so a record read from the wrong place does not pass. Files of open writers are pinned: their records may
 * not be named by the ledger yet. */
#include "store_priv.h"

#include "hash.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT32_C(0x31677354) /* "Tsg1" */

enum { HEADER_BYTES = 16, WRITE_BUFFER = 256 * 1024, NAME_MAX_BYTES = 16 };

struct segment_writer {
    struct store *store;
    int fd; /* -1: the next append begins a file */
    uint32_t file;
    uint64_t written;   /* bytes of this file handed to the system */
    struct buf pending; /* behind them */
    bool dirty;         /* since the last sync */
    bool new_name;      /* the directory does not surely hold the file yet */
    uint32_t *files;    /* pinned by this writer */
    size_t file_count;
};

struct segment_set {
    uint32_t *files;
    size_t count;
    size_t room;
};

bool segment_ref_put(struct buf *b, struct segment_ref ref) {
    return buf_put_u32(b, ref.file) && buf_put_u32(b, ref.offset) && buf_put_u32(b, ref.len);
}

bool segment_ref_take(struct slice *s, struct segment_ref *ref) {
    return take_u32(s, &ref->file) && take_u32(s, &ref->offset) && take_u32(s, &ref->len);
}

static void name_of(uint32_t file, char name[NAME_MAX_BYTES]) {
    snprintf(name, NAME_MAX_BYTES, "%08x.seg", (unsigned)file);
}

/* The number in "0000001f.seg", or 0. */
static uint32_t number_of(const char *name) {
    uint32_t file = 0;
    for (int i = 0; i < 8; i++) {
        char c = name[i];
        if (!ascii_digit(c) && !(c >= 'a' && c <= 'f')) return 0;
        file = file << 4 | (uint32_t)(ascii_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return strcmp(name + 8, ".seg") == 0 ? file : 0;
}

static bool u32_add(uint32_t **list, size_t *count, size_t *room, uint32_t value) {
    if (*count == *room) {
        size_t more = *room ? *room * 2 : 16;
        uint32_t *bigger = realloc(*list, more * sizeof *bigger);
        if (!bigger) return false;
        *list = bigger;
        *room = more;
    }
    (*list)[(*count)++] = value;
    return true;
}

static bool u32_has(const uint32_t *list, size_t count, uint32_t value) {
    for (size_t i = 0; i < count; i++)
        if (list[i] == value) return true;
    return false;
}

bool segment_set_add(struct segment_set *set, uint32_t file) {
    if (set->count && set->files[set->count - 1] == file) return true;
    return u32_has(set->files, set->count, file) || u32_add(&set->files, &set->count, &set->room, file);
}

/* ---- the folder ---- */

/* Calls each(ctx, name, number) for every segment file; stops at its first -1. */
static int for_each_file(struct store *s, int (*each)(void *ctx, const char *name, uint32_t file), void *ctx,
                         struct err *err) {
    int fd = openat(s->segments_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int why = errno;
        if (fd >= 0) close(fd);
        return err_errno(err, why, "reading %s/segments", s->dir);
    }
    int status = 0;
    for (struct dirent *e; status == 0 && (e = readdir(d));)
        if (number_of(e->d_name)) status = each(ctx, e->d_name, number_of(e->d_name));
    closedir(d);
    return status;
}

static int note_highest(void *ctx, const char *name, uint32_t file) {
    uint32_t *next = ctx;
    (void)name;
    if (file >= *next) *next = file + 1;
    return 0;
}

int segments_open(struct store *s, struct err *err) {
    pthread_mutex_init(&s->segments.lock, NULL);
    pthread_mutex_init(&s->segments.sweep, NULL);
    s->segments.next = 1;
    if (!s->read_only && mkdirat(s->dir_fd, "segments", 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "creating %s/segments", s->dir);
    s->segments_fd = openat(s->dir_fd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->segments_fd < 0) return err_errno(err, errno, "opening %s/segments", s->dir);
    return for_each_file(s, note_highest, &s->segments.next, err);
}

void segments_close(struct store *s) {
    if (s->segments_fd < 0) return;
    close(s->segments_fd);
    free(s->segments.pinned);
    pthread_mutex_destroy(&s->segments.lock);
    pthread_mutex_destroy(&s->segments.sweep);
}

/* ---- writing ---- */

struct segment_writer *segment_writer_open(struct store *s, struct err *err) {
    assert(!s->read_only);
    struct segment_writer *w = calloc(1, sizeof *w);
    if (!w) {
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    *w = (struct segment_writer){.store = s, .fd = -1};
    buf_init(&w->pending, WRITE_BUFFER);
    return w;
}

static void unpin(struct segment_files *f, uint32_t file) {
    for (size_t i = 0; i < f->pinned_count; i++)
        if (f->pinned[i] == file) {
            f->pinned[i] = f->pinned[--f->pinned_count];
            return;
        }
}

void segment_writer_free(struct segment_writer *w) {
    if (!w) return;
    struct segment_files *f = &w->store->segments;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < w->file_count; i++)
        unpin(f, w->files[i]);
    pthread_mutex_unlock(&f->lock);
    if (w->fd >= 0) close(w->fd);
    buf_done(&w->pending);
    free(w->files);
    free(w);
}

static int begin_file(struct segment_writer *w, struct err *err) {
    struct segment_files *f = &w->store->segments;
    uint32_t *files = realloc(w->files, (w->file_count + 1) * sizeof *files);
    if (!files) return err_set(err, ERR_SYSTEM, "no memory");
    w->files = files;
    pthread_mutex_lock(&f->lock);
    uint32_t file = f->next;
    bool pinned = u32_add(&f->pinned, &f->pinned_count, &f->pinned_room, file);
    if (pinned) f->next++;
    pthread_mutex_unlock(&f->lock);
    if (!pinned) return err_set(err, ERR_SYSTEM, "no memory");
    w->files[w->file_count++] = file;
    char name[NAME_MAX_BYTES];
    name_of(file, name);
    w->fd = openat(w->store->segments_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (w->fd < 0) return err_errno(err, errno, "creating segment %s", name);
    w->file = file;
    w->written = 0;
    w->new_name = true;
    return 0;
}

/* On failure the bytes stay pending: the same place is written again. */
static int write_out(struct segment_writer *w, struct slice bytes, struct err *err) {
    if (store_check_room(w->store, err) < 0) return -1;
    for (size_t done = 0; done < bytes.len;) {
        ssize_t n = pwrite(w->fd, bytes.at + done, bytes.len - done, (off_t)(w->written + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return err_errno(err, errno, "writing segment %08x of %s", (unsigned)w->file, w->store->dir);
        done += (size_t)n;
    }
    w->written += bytes.len;
    w->dirty = true;
    return 0;
}

static int flush(struct segment_writer *w, struct err *err) {
    if (w->pending.len == 0) return 0;
    if (write_out(w, buf_slice(&w->pending), err) < 0) return -1;
    buf_reset(&w->pending);
    return 0;
}

static uint64_t seed_of(uint32_t file, uint32_t offset) {
    return (uint64_t)file << 32 | offset;
}

static void put_header(char h[HEADER_BYTES], uint32_t len, uint64_t sum) {
    for (int i = 0; i < 4; i++)
        h[i] = (char)(MAGIC >> (8 * i)), h[4 + i] = (char)(len >> (8 * i));
    for (int i = 0; i < 8; i++)
        h[8 + i] = (char)(sum >> (8 * i));
}

int segment_append(struct segment_writer *w, struct slice record, struct segment_ref *ref, struct err *err) {
    assert(record.len > 0 && record.len <= SEGMENT_RECORD_MAX);
    if (w->fd >= 0 && w->written + w->pending.len >= SEGMENT_FILE_MAX) {
        if (segment_sync(w, err) < 0) return -1;
        close(w->fd);
        w->fd = -1;
    }
    if (w->fd < 0 && begin_file(w, err) < 0) return -1;
    size_t whole = HEADER_BYTES + record.len;
    if (w->pending.len + whole > WRITE_BUFFER && flush(w, err) < 0) return -1;
    struct segment_ref at = {w->file, (uint32_t)(w->written + w->pending.len), (uint32_t)record.len};
    char header[HEADER_BYTES];
    put_header(header, at.len, hash_bytes(record, seed_of(at.file, at.offset)));
    if (whole <= WRITE_BUFFER) {
        if (!buf_room(&w->pending, whole)) {
            w->pending.failed = false;
            return err_set(err, ERR_SYSTEM, "no memory");
        }
        buf_put(&w->pending, header, sizeof header);
        buf_put_slice(&w->pending, record);
    } else {
        if (write_out(w, slice_make(header, sizeof header), err) < 0) return -1;
        if (write_out(w, record, err) < 0) {
            w->written -= HEADER_BYTES;
            return -1;
        }
    }
    *ref = at;
    return 0;
}

int segment_sync(struct segment_writer *w, struct err *err) {
    if (flush(w, err) < 0) return -1;
    if (!w->dirty) return 0;
    if (fdatasync(w->fd) < 0 || (w->new_name && fsync(w->store->segments_fd) < 0)) {
        int why = errno;
        close(w->fd); /* what the file now holds is unknown: go on in another */
        w->fd = -1;
        return err_errno(err, why, "syncing segment %08x of %s", (unsigned)w->file, w->store->dir);
    }
    w->dirty = w->new_name = false;
    return 0;
}

/* ---- reading ---- */

static int read_all(int fd, char *to, size_t n, uint64_t offset) {
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, to + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) return 1;
        done += (size_t)got;
    }
    return 0;
}

static int check_record(const char *at, struct segment_ref ref) {
    struct slice h = slice_make(at, HEADER_BYTES);
    uint32_t magic, len;
    uint64_t sum;
    return take_u32(&h, &magic) && take_u32(&h, &len) && take_u64le(&h, &sum) && magic == MAGIC &&
                   len == ref.len &&
                   sum == hash_bytes(slice_make(at + HEADER_BYTES, ref.len), seed_of(ref.file, ref.offset))
               ? 0
               : -1;
}

int segment_read(struct store *s, struct segment_ref ref, struct buf *out, struct err *err) {
    char name[NAME_MAX_BYTES];
    name_of(ref.file, name);
    if (ref.len == 0 || ref.len > SEGMENT_RECORD_MAX)
        return err_set(err, ERR_CORRUPT, "segment %s: a reference of %u bytes", name, (unsigned)ref.len);
    size_t whole = HEADER_BYTES + (size_t)ref.len;
    char *to = buf_room(out, whole);
    if (!to) return err_set(err, ERR_SYSTEM, "no room for %u bytes of segment %s", (unsigned)ref.len, name);
    int fd = openat(s->segments_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_CORRUPT, "segment %s of %s is missing", name, s->dir);
    if (fd < 0) return err_errno(err, errno, "opening segment %s", name);
    int status = read_all(fd, to, whole, ref.offset);
    int why = errno;
    close(fd);
    if (status < 0) return err_errno(err, why, "reading segment %s", name);
    if (status > 0 || check_record(to, ref) < 0)
        return err_set(err, ERR_CORRUPT, "segment %s of %s is damaged at offset %u", name, s->dir,
                       (unsigned)ref.offset);
    memmove(to, to + HEADER_BYTES, ref.len);
    buf_grew(out, ref.len);
    return 0;
}

struct summing {
    struct store *store;
    uint64_t bytes;
};

static int add_size(void *ctx, const char *name, uint32_t file) {
    struct summing *sum = ctx;
    struct stat st;
    (void)file;
    if (fstatat(sum->store->segments_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        sum->bytes += (uint64_t)st.st_size;
    return 0; /* one that has just been swept away counts for nothing */
}

int segment_bytes(struct store *s, uint64_t *bytes, struct err *err) {
    struct summing sum = {s, 0};
    int failed = for_each_file(s, add_size, &sum, err);
    *bytes = sum.bytes;
    return failed;
}

/* ---- sweeping and copying ---- */

static int add_candidate(void *ctx, const char *name, uint32_t file) {
    struct segment_set *set = ctx;
    (void)name;
    return u32_add(&set->files, &set->count, &set->room, file) ? 0 : -1;
}

/* The files that exist and that no writer has open. Whatever names one of them is committed already. */
static int candidates(struct store *s, struct segment_set *set, struct err *err) {
    if (for_each_file(s, add_candidate, set, err) < 0) return -1;
    pthread_mutex_lock(&s->segments.lock);
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++)
        if (!u32_has(s->segments.pinned, s->segments.pinned_count, set->files[i]))
            set->files[kept++] = set->files[i];
    set->count = kept;
    pthread_mutex_unlock(&s->segments.lock);
    return 0;
}

static int sweep_locked(struct store *s, struct segment_set *dead, struct segment_set *live,
                        int (*mark)(void *, struct store_reader *, struct segment_set *, struct err *),
                        void *ctx, struct err *err) {
    if (candidates(s, dead, err) < 0) return -1;
    if (dead->count == 0) return 0;
    /* The view is taken after the candidates are known: a writer that ended before has committed its names.
     */
    struct store_reader *r = store_reader_open(s, err);
    if (!r) return -1;
    int status = store_read_begin(r, err);
    if (status == 0) status = mark(ctx, r, live, err);
    store_reader_free(r);
    if (status < 0) return -1;
    int deleted = 0;
    for (size_t i = 0; i < dead->count; i++) {
        char name[NAME_MAX_BYTES];
        name_of(dead->files[i], name);
        if (u32_has(live->files, live->count, dead->files[i])) continue;
        if (unlinkat(s->segments_fd, name, 0) < 0) return err_errno(err, errno, "deleting segment %s", name);
        deleted++;
    }
    return deleted;
}

int segment_sweep(struct store *s,
                  int (*mark)(void *ctx, struct store_reader *r, struct segment_set *live, struct err *err),
                  void *ctx, struct err *err) {
    if (pthread_mutex_trylock(&s->segments.sweep) != 0) return 0;
    struct segment_set dead = {0}, live = {0};
    int status = sweep_locked(s, &dead, &live, mark, ctx, err);
    pthread_mutex_unlock(&s->segments.sweep);
    free(dead.files);
    free(live.files);
    return status;
}

struct copying {
    struct store *store;
    int target_fd;
    struct err *err;
};

static int copy_bytes(int from, int to) {
    off_t left = lseek(from, 0, SEEK_END);
    if (left < 0 || lseek(from, 0, SEEK_SET) < 0) return -1;
    while (left > 0) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)left, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) break;
        if (n < 0) return -1;
        if (n == 0) break;
        left -= n;
    }
    static const size_t STEP = 64 * 1024;
    char *step = left > 0 ? malloc(STEP) : NULL;
    if (left > 0 && !step) return -1;
    ssize_t n = 0;
    while (left > 0 && (n = read(from, step, STEP)) > 0) {
        ssize_t done = write(to, step, (size_t)n);
        if (done != n) {
            if (done >= 0) errno = ENOSPC;
            n = -1;
            break;
        }
        left -= n;
    }
    free(step);
    return n < 0 ? -1 : fdatasync(to);
}

static int copy_one(void *ctx, const char *name, uint32_t file) {
    struct copying *c = ctx;
    (void)file;
    int from = openat(c->store->segments_fd, name, O_RDONLY | O_CLOEXEC);
    if (from < 0) return err_errno(c->err, errno, "opening segment %s", name);
    int to = openat(c->target_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int status = to < 0 ? -1 : copy_bytes(from, to);
    int why = errno;
    if (to >= 0) close(to);
    close(from);
    return status < 0 ? err_errno(c->err, why, "copying segment %s", name) : 0;
}

int segments_copy(struct store *s, int target_fd, struct err *err) {
    struct copying c = {s, target_fd, err};
    if (for_each_file(s, copy_one, &c, err) < 0) return -1;
    return fsync(target_fd) < 0 ? err_errno(err, errno, "syncing the copied segments") : 0;
}
