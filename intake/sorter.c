/* The external merge sort.
 *
 * In memory: the rows one behind the other, and an index of (hash, place). On disk: one unnamed file; a run
 * is a sequence of frames, each two lengths and a packed 64 KB of rows, so that merging reads every run
 * through one small buffer. When there are too many runs to merge at once, all of them are merged into one
 * first. */
#include "sorter.h"

#include "pack.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FRAME_BYTES = 64 * 1024,
    FRAME_HEAD = 8,
    FRAME_MAX = FRAME_BYTES + SORTER_ROW_MAX + 64,
    RUNS_MAX = 256,
    MEMORY_MIN = 64 * 1024,
    RADIX_BITS = 11,
    RADIX = 1 << RADIX_BITS,
    AHEAD = 8,                    /* rows that lie anywhere are asked for before their turn */
    RUN_LEVEL = -5,               /* runs are read again at once: speed, not size */
    CHECK_BYTES = 4 * 1024 * 1024 /* written between looks at the room on the disk */
};

struct item {
    uint64_t hash;
    uint32_t at, len;
};

struct run {
    uint64_t next, end; /* of the file: frames not read yet */
    struct buf frame;   /* unpacked */
    struct slice rest;  /* of the frame */
    uint64_t hash;      /* the row in front */
    struct slice row;
};

struct sorter {
    struct store *store;
    size_t memory;
    char *rows;
    size_t used, room;
    struct item *items;
    size_t count, item_room;
    int fd;
    uint64_t end; /* of the file */
    uint64_t unchecked;
    struct pack *pack;
    struct buf raw, packed; /* a frame on its way in or out */
    struct run *runs;
    size_t run_count;
    size_t *heap; /* runs by the row in front */
    size_t heap_count;
    bool merging;
    bool given; /* the run on top has been handed out and must move on */
    size_t next_item;
    struct sorter_stats stats;
};

struct sorter *sorter_open(struct store *store, size_t memory, struct err *err) {
    struct sorter *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    *s = (struct sorter){.store = store, .memory = memory ? memory : SORTER_MEMORY, .fd = -1};
    if (s->memory < MEMORY_MIN) s->memory = MEMORY_MIN;
    buf_init(&s->raw, FRAME_MAX);
    buf_init(&s->packed, FRAME_MAX + FRAME_MAX / 128 + 1024);
    return s;
}

static void drop_runs(struct sorter *s) {
    for (size_t i = 0; i < s->run_count; i++)
        buf_done(&s->runs[i].frame);
    s->run_count = 0;
}

void sorter_free(struct sorter *s) {
    if (!s) return;
    drop_runs(s);
    if (s->fd >= 0) close(s->fd);
    pack_free(s->pack);
    buf_done(&s->raw);
    buf_done(&s->packed);
    free(s->runs);
    free(s->heap);
    free(s->rows);
    free(s->items);
    free(s);
}

void sorter_stats(const struct sorter *s, struct sorter_stats *out) {
    *out = s->stats;
}

/* ---- writing runs ---- */

static int open_file(struct sorter *s, struct err *err) {
    if (s->fd >= 0) return 0;
    const char *dir = store_dir(s->store);
    s->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        char path[4096 + 32];
        snprintf(path, sizeof path, "%s/sort-XXXXXX", dir);
        s->fd = mkostemp(path, O_CLOEXEC);
        if (s->fd >= 0) unlink(path);
    }
    if (s->fd < 0) return err_errno(err, errno, "sorting the audience: a temporary file in %s", dir);
    if (!s->pack) s->pack = pack_new(RUN_LEVEL);
    if (!s->runs) s->runs = calloc(RUNS_MAX + 1, sizeof *s->runs);
    if (!s->heap) s->heap = calloc(RUNS_MAX + 1, sizeof *s->heap);
    if (!s->pack || !s->runs || !s->heap) return err_set(err, ERR_SYSTEM, "sorting the audience: no memory");
    return 0;
}

static int write_all(struct sorter *s, struct slice bytes, struct err *err) {
    while (bytes.len) {
        ssize_t n = pwrite(s->fd, bytes.at, bytes.len, (off_t)s->end);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(err, errno, "sorting the audience: writing to %s", store_dir(s->store));
        s->end += (size_t)n;
        s->stats.written += (size_t)n;
        bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

/* Writes the frame gathered in s->raw. */
static int write_frame(struct sorter *s, struct err *err) {
    if (s->raw.len == 0) return 0;
    if (s->unchecked >= CHECK_BYTES || s->stats.written == 0) {
        if (store_check_room(s->store, err) < 0) return err_wrap(err, "sorting the audience");
        s->unchecked = 0;
    }
    buf_reset(&s->packed);
    buf_put_u64le(&s->packed, 0);
    if (!pack_put(s->pack, buf_slice(&s->raw), &s->packed))
        return err_set(err, ERR_SYSTEM, "sorting the audience: no memory");
    size_t packed = s->packed.len - FRAME_HEAD;
    for (int i = 0; i < 4; i++) {
        s->packed.at[i] = (char)(s->raw.len >> (8 * i));
        s->packed.at[4 + i] = (char)(packed >> (8 * i));
    }
    s->unchecked += s->packed.len;
    buf_reset(&s->raw);
    return write_all(s, buf_slice(&s->packed), err);
}

static int put_row(struct sorter *s, uint64_t hash, struct slice row, struct err *err) {
    buf_put_u64le(&s->raw, hash);
    if (!buf_put_bytes(&s->raw, row)) return err_set(err, ERR_SYSTEM, "sorting the audience: no memory");
    return s->raw.len >= FRAME_BYTES ? write_frame(s, err) : 0;
}

/* One pass of the radix sort: by the digit at `shift`, equal ones in the order in which they stand. False
 * when all have the same digit: nothing was moved. */
static bool radix_pass(const struct item *from, struct item *to, size_t count, unsigned shift) {
    uint32_t at[RADIX] = {0}, sum = 0;
    for (size_t i = 0; i < count; i++)
        at[from[i].hash >> shift & (RADIX - 1)]++;
    if (at[from[0].hash >> shift & (RADIX - 1)] == count) return false;
    for (unsigned d = 0; d < RADIX; d++) {
        uint32_t n = at[d];
        at[d] = sum;
        sum += n;
    }
    for (size_t i = 0; i < count; i++)
        to[at[from[i].hash >> shift & (RADIX - 1)]++] = from[i];
    return true;
}

/* By hash, equal ones in the order in which they came. */
static int sort_items(struct sorter *s, struct err *err) {
    if (s->count < 2) return 0;
    struct item *from = s->items, *to = malloc(s->count * sizeof *to), *spare = to;
    if (!to) return err_set(err, ERR_SYSTEM, "sorting the audience: no memory");
    for (unsigned shift = 0; shift < 64; shift += RADIX_BITS) {
        if (!radix_pass(from, to, s->count, shift)) continue;
        struct item *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != s->items) memcpy(s->items, from, s->count * sizeof *from);
    free(spare);
    return 0;
}

static int merge_into_one(struct sorter *s, struct err *err);

static int write_run(struct sorter *s, struct err *err) {
    if (open_file(s, err) < 0) return -1;
    if (s->run_count == RUNS_MAX && merge_into_one(s, err) < 0) return -1;
    if (sort_items(s, err)) return -1;
    uint64_t start = s->end;
    for (size_t i = 0; i < s->count; i++) {
        const struct item *it = &s->items[i];
        if (i + AHEAD < s->count) __builtin_prefetch(s->rows + it[AHEAD].at);
        if (put_row(s, it->hash, slice_make(s->rows + it->at, it->len), err) < 0) return -1;
    }
    if (write_frame(s, err) < 0) return -1;
    s->runs[s->run_count++] = (struct run){.next = start, .end = s->end};
    s->stats.runs++;
    s->used = s->count = 0;
    return 0;
}

static bool grow(void **at, size_t *room, size_t need, size_t first, size_t size) {
    if (need <= *room) return true;
    size_t more = *room ? *room : first;
    while (more < need)
        more *= 2;
    void *bigger = realloc(*at, more * size);
    if (!bigger) return false;
    *at = bigger;
    *room = more;
    return true;
}

int sorter_add(struct sorter *s, uint64_t hash, struct slice row, struct err *err) {
    assert(!s->merging && row.len <= SORTER_ROW_MAX);
    size_t takes =
        s->used + row.len + 2 * (s->count + 1) * sizeof *s->items; /* sorting takes as much again */
    if (takes > s->memory && s->count && write_run(s, err) < 0) return -1;
    void *rows = s->rows, *items = s->items;
    bool ok = grow(&rows, &s->room, s->used + row.len, 4096, 1);
    s->rows = rows;
    ok = ok && grow(&items, &s->item_room, s->count + 1, 64, sizeof *s->items);
    s->items = items;
    if (!ok) return err_set(err, ERR_SYSTEM, "sorting the audience: no memory");
    if (row.len) memcpy(s->rows + s->used, row.at, row.len);
    s->items[s->count++] = (struct item){hash, (uint32_t)s->used, (uint32_t)row.len};
    s->used += row.len;
    s->stats.rows++;
    return 0;
}

/* ---- merging ---- */

static int read_all(struct sorter *s, char *to, size_t n, uint64_t at, struct err *err) {
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(s->fd, to + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return err_errno(err, errno, "sorting the audience: reading from %s", store_dir(s->store));
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "sorting the audience: the temporary file has been cut");
        done += (size_t)got;
    }
    return 0;
}

static int read_frame(struct sorter *s, struct run *r, struct err *err) {
    char head[FRAME_HEAD];
    uint32_t raw = 0, packed = 0;
    if (read_all(s, head, sizeof head, r->next, err) < 0) return -1;
    struct slice h = slice_make(head, sizeof head);
    if (!take_u32(&h, &raw) || !take_u32(&h, &packed) || packed > s->packed.max)
        return err_set(err, ERR_CORRUPT, "sorting the audience: the temporary file is damaged");
    buf_reset(&s->packed);
    char *to = buf_room(&s->packed, packed);
    if (!to) return err_set(err, ERR_SYSTEM, "sorting the audience: no memory");
    if (read_all(s, to, packed, r->next + FRAME_HEAD, err) < 0) return -1;
    buf_reset(&r->frame);
    if (pack_take(s->pack, slice_make(to, packed), raw, &r->frame, err) < 0)
        return err_wrap(err, "sorting the audience");
    r->next += FRAME_HEAD + packed;
    r->rest = buf_slice(&r->frame);
    return 0;
}

/* 1: a row is in front; 0: the run is at its end; -1. */
static int advance(struct sorter *s, struct run *r, struct err *err) {
    if (r->rest.len == 0 && r->next == r->end) {
        buf_done(&r->frame);
        return 0;
    }
    if (r->rest.len == 0 && read_frame(s, r, err) < 0) return -1;
    if (!take_u64le(&r->rest, &r->hash) || !take_bytes(&r->rest, &r->row))
        return err_set(err, ERR_CORRUPT, "sorting the audience: the temporary file is damaged");
    return 1;
}

static bool before(const struct sorter *s, size_t a, size_t b) {
    uint64_t x = s->runs[a].hash, y = s->runs[b].hash;
    return x != y ? x < y : a < b; /* earlier runs hold earlier rows */
}

static void sift_down(struct sorter *s, size_t at) {
    size_t moved = s->heap[at];
    for (size_t child; (child = at * 2 + 1) < s->heap_count; at = child) {
        if (child + 1 < s->heap_count && before(s, s->heap[child + 1], s->heap[child])) child++;
        if (!before(s, s->heap[child], moved)) break;
        s->heap[at] = s->heap[child];
    }
    s->heap[at] = moved;
}

static int start_merge(struct sorter *s, struct err *err) {
    s->heap_count = 0;
    s->given = false;
    for (size_t i = 0; i < s->run_count; i++) {
        buf_init(&s->runs[i].frame, FRAME_MAX);
        int more = advance(s, &s->runs[i], err);
        if (more < 0) return -1;
        if (more) s->heap[s->heap_count++] = i;
    }
    for (size_t i = s->heap_count / 2; i-- > 0;)
        sift_down(s, i);
    return 0;
}

/* As sorter_next, from the runs. */
static int next_merged(struct sorter *s, uint64_t *hash, struct slice *row, struct err *err) {
    if (s->given) {
        int more = advance(s, &s->runs[s->heap[0]], err);
        if (more < 0) return -1;
        if (!more) s->heap[0] = s->heap[--s->heap_count];
        if (s->heap_count) sift_down(s, 0);
        s->given = false;
    }
    if (s->heap_count == 0) return 0;
    const struct run *r = &s->runs[s->heap[0]];
    *hash = r->hash;
    *row = r->row;
    s->given = true;
    return 1;
}

static int merge_into_one(struct sorter *s, struct err *err) {
    uint64_t start = s->end, hash;
    struct slice row;
    if (start_merge(s, err) < 0) return -1;
    int more;
    while ((more = next_merged(s, &hash, &row, err)) == 1)
        if (put_row(s, hash, row, err) < 0) return -1;
    if (more < 0 || write_frame(s, err) < 0) return -1;
    drop_runs(s);
    /* What has been merged is not needed any more. */
    (void)!fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)start);
    s->runs[s->run_count++] = (struct run){.next = start, .end = s->end};
    return 0;
}

int sorter_finish(struct sorter *s, struct err *err) {
    assert(!s->merging);
    s->merging = true;
    if (s->fd < 0) {
        return sort_items(s, err);
    }
    if (s->count && write_run(s, err) < 0) return -1;
    free(s->rows);
    free(s->items);
    s->rows = NULL;
    s->items = NULL;
    s->used = s->count = s->room = s->item_room = 0;
    return start_merge(s, err);
}

int sorter_next(struct sorter *s, uint64_t *hash, struct slice *row, struct err *err) {
    assert(s->merging);
    if (s->fd >= 0) return next_merged(s, hash, row, err);
    if (s->next_item == s->count) return 0;
    const struct item *it = &s->items[s->next_item++];
    *hash = it->hash;
    *row = slice_make(s->rows + it->at, it->len);
    return 1;
}
