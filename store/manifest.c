/* Writing, reading and checking the list of a backup's files. Names from a manifest are compared with the few
 * forms that there are, so that none leads out of the folder. */
#include "manifest.h"

#include "hash.h"
#include "store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 256 * 1024 };
#define FILE_NAME STORE_MANIFEST_FILE

/* ---- files ---- */

struct file_sum {
    uint64_t size;
    uint64_t hash;
};

static int write_all(int fd, const char *at, size_t n) {
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return -1;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

/* Reads `from`, to its end or until there is more than `most`; writes it to `to` unless that is -1. -1 with
 * errno; *writing says on which side. */
static int pass(int from, uint64_t most, int to, struct file_sum *sum, bool *writing) {
    struct hash_stream hash;
    char *step = malloc(STEP);
    ssize_t n = step ? 0 : -1;
    *sum = (struct file_sum){0};
    *writing = false;
    hash_stream_init(&hash);
    while (step && ((n = read(from, step, STEP)) > 0 || (n < 0 && errno == EINTR))) {
        if (n < 0) continue;
        hash_stream_add(&hash, slice_make(step, (size_t)n));
        sum->size += (uint64_t)n;
        if (sum->size > most) {
            n = 0;
            break;
        }
        if (to < 0 || write_all(to, step, (size_t)n) == 0) continue;
        *writing = true;
        n = -1;
        break;
    }
    int why = errno;
    free(step);
    errno = why;
    sum->hash = hash_stream_end(&hash);
    if (n == 0 && to >= 0 && fsync(to) < 0) return *writing = true, -1;
    return n < 0 ? -1 : 0;
}

/* A device or a FIFO in its place has no end, or makes one wait. */
static int open_regular(int dir_fd, const char *name, struct err *err) {
    struct stat st;
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return err_set(err, ERR_CORRUPT, "%s is missing", name);
    if (fd < 0 && errno != ELOOP) return err_errno(err, errno, "opening %s", name);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) return fd;
    if (fd >= 0) close(fd);
    return err_set(err, ERR_CORRUPT, "%s is no regular file", name);
}

static int copy_file(int dir_fd, const char *name, uint64_t most, int to_fd, struct file_sum *sum,
                     struct err *err) {
    int from = open_regular(dir_fd, name, err);
    if (from < 0) return -1;
    int to = to_fd < 0 ? -1 : openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool writing = true;
    int failed = to_fd >= 0 && to < 0 ? -1 : pass(from, most, to, sum, &writing);
    int why = errno;
    if (to >= 0) close(to);
    close(from);
    return failed ? err_errno(err, why, writing ? "writing the copy of %s" : "reading %s", name) : 0;
}

/* ---- writing ---- */

static int put_file(struct buf *out, int dir_fd, const char *name, struct backup_facts *facts,
                    struct err *err) {
    struct file_sum sum = {0};
    if (copy_file(dir_fd, name, UINT64_MAX, -1, &sum, err) < 0) return -1;
    buf_printf(out, "file %016" PRIx64 " %" PRIu64 " %s\n", sum.hash, sum.size, name);
    facts->files++;
    facts->bytes += sum.size;
    return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}
static int no_dot(const struct dirent *e) {
    return e->d_name[0] != '.';
}

static int put_segments(struct buf *out, int dir_fd, struct backup_facts *facts, struct err *err) {
    struct dirent **names;
    int n = scandirat(dir_fd, "segments", &names, no_dot, by_name);
    if (n < 0) return err_errno(err, errno, "reading segments/");
    int status = 0;
    for (int i = 0; i < n; i++) {
        char name[MANIFEST_NAME_MAX];
        snprintf(name, sizeof name, "segments/%.40s", names[i]->d_name);
        if (status == 0) status = put_file(out, dir_fd, name, facts, err);
        free(names[i]);
    }
    free(names);
    return status;
}

static uint64_t hash_of(struct slice s) {
    struct hash_stream hash;
    hash_stream_init(&hash);
    hash_stream_add(&hash, s);
    return hash_stream_end(&hash);
}

static int put_all(struct buf *out, int dir_fd, struct backup_facts *facts, struct err *err) {
    facts->files = facts->bytes = 0;
    buf_printf(out, "tsubame-backup 1\nstore-version %u\ntaken %" PRId64 "\nfinal %s\n", facts->version,
               facts->taken, facts->final ? "yes" : "no");
    if (put_file(out, dir_fd, "ledger.mdb", facts, err) < 0) return -1;
    if (faccessat(dir_fd, "history.db", F_OK, 0) == 0 && put_file(out, dir_fd, "history.db", facts, err) < 0)
        return -1;
    if (put_segments(out, dir_fd, facts, err) < 0) return -1;
    buf_printf(out, "end %016" PRIx64 "\n", hash_of(buf_slice(out)));
    return out->failed ? err_set(err, ERR_SYSTEM, "too many files for a backup, or no memory") : 0;
}

int manifest_write(int dir_fd, struct backup_facts *facts, struct err *err) {
    struct buf text;
    buf_init(&text, MANIFEST_MAX);
    int status = put_all(&text, dir_fd, facts, err);
    int fd = status < 0 ? -1 : openat(dir_fd, FILE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (status == 0 && (fd < 0 || write_all(fd, text.at, text.len) < 0 || fsync(fd) < 0))
        status = err_errno(err, errno, "writing %s", FILE_NAME);
    if (fd >= 0) close(fd);
    buf_done(&text);
    return status;
}

/* ---- checking ---- */

/* The rest of a line that opens with this word; false when it does not. */
static bool field(struct slice *rest, const char *word, struct slice *value) {
    struct slice line, w = slice_of(word);
    if (!slice_cut(rest, '\n', &line) || !slice_starts(line, w) || line.len <= w.len || line.at[w.len] != ' ')
        return false;
    *value = slice_skip(line, w.len + 1);
    return true;
}

static bool number(struct slice *rest, const char *word, uint64_t *value) {
    struct slice text;
    return field(rest, word, &text) && slice_to_u64(text, value);
}

/* So many hexadecimal digits in lower case. */
static bool hex(struct slice text, size_t digits, uint64_t *value) {
    *value = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : 16;
        if (digit == 16) return false;
        *value = *value << 4 | digit;
    }
    return text.len == digits;
}

/* ledger.mdb, history.db, segments/NNNNNNNN.seg. */
static bool name_is_ours(struct slice name) {
    static const char start[] = "segments/", end[] = ".seg";
    if (slice_eq(name, SLICE("ledger.mdb")) || slice_eq(name, SLICE("history.db"))) return true;
    if (name.len != sizeof start - 1 + 8 + sizeof end - 1 || !slice_starts(name, slice_of(start)))
        return false;
    uint64_t number;
    return hex(slice_make(name.at + sizeof start - 1, 8), 8, &number) &&
           slice_eq(slice_skip(name, name.len - (sizeof end - 1)), slice_of(end));
}

/* The lines before the files, and the end. What stands between is left in *files. */
static bool read_facts(struct slice text, struct backup_facts *facts, struct slice *files) {
    static const size_t END = sizeof "end 0123456789abcdef\n" - 1;
    struct slice final, end;
    uint64_t format, version, taken, hash;
    if (text.len < END) return false;
    struct slice body = slice_make(text.at, text.len - END), tail = slice_skip(text, body.len);
    if (!field(&tail, "end", &end) || tail.len || !hex(end, 16, &hash) || hash != hash_of(body)) return false;
    if (!number(&body, "tsubame-backup", &format) || format != 1 ||
        !number(&body, "store-version", &version) || !number(&body, "taken", &taken) ||
        !field(&body, "final", &final) || version > UINT32_MAX)
        return false;
    *facts = (struct backup_facts){
        .version = (unsigned)version, .taken = (wall_us)taken, .final = slice_eq(final, SLICE("yes"))};
    *files = body;
    return true;
}

static int check_file(int dir_fd, int to_fd, struct slice line, struct backup_facts *facts, struct err *err) {
    struct slice hash_text, size_text;
    struct file_sum want = {0}, is = {0};
    char name[MANIFEST_NAME_MAX];
    if (!slice_cut(&line, ' ', &hash_text) || !slice_cut(&line, ' ', &size_text) ||
        !hex(hash_text, 16, &want.hash) || !slice_to_u64(size_text, &want.size) || !name_is_ours(line) ||
        (facts->files == 0) != slice_eq(line, SLICE("ledger.mdb"))) /* there is one, and it comes first */
        return err_set(err, ERR_CORRUPT, "its %s is damaged", FILE_NAME);
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(line));
    if (copy_file(dir_fd, name, want.size, to_fd, &is, err) < 0) return -1;
    if (is.size > want.size)
        return err_set(err, ERR_CORRUPT, "%s has more than %" PRIu64 " bytes", name, want.size);
    if (is.size < want.size)
        return err_set(err, ERR_CORRUPT, "%s has %" PRIu64 " bytes, not %" PRIu64, name, is.size, want.size);
    if (is.hash != want.hash) return err_set(err, ERR_CORRUPT, "%s is damaged: its hash is another", name);
    facts->files++;
    facts->bytes += is.size;
    return 0;
}

static int read_text(int dir_fd, struct buf *text, struct err *err) {
    int fd = openat(dir_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_ABSENT, "it has no %s: no backup, or one that was cut short", FILE_NAME);
    if (fd < 0) return err_errno(err, errno, "opening %s", FILE_NAME);
    ssize_t n = 1;
    while (n > 0) {
        char *room = buf_room(text, 65536);
        n = room ? read(fd, room, 65536) : -1;
        if (n > 0) buf_grew(text, (size_t)n);
    }
    int why = text->failed ? EFBIG : errno;
    close(fd);
    return n < 0 ? err_errno(err, why, "reading %s", FILE_NAME) : 0;
}

int manifest_check(int dir_fd, const char *dir, int to_fd, struct backup_facts *facts, struct err *err) {
    struct buf text;
    struct slice files = {0}, line;
    buf_init(&text, MANIFEST_MAX);
    int status = read_text(dir_fd, &text, err);
    if (status == 0 && !read_facts(buf_slice(&text), facts, &files))
        status = err_set(err, ERR_CORRUPT, "its %s is damaged, or of a newer tsubame", FILE_NAME);
    while (status == 0 && files.len)
        status = field(&files, "file", &line) ? check_file(dir_fd, to_fd, line, facts, err)
                                              : err_set(err, ERR_CORRUPT, "its %s is damaged", FILE_NAME);
    if (status == 0 && facts->files == 0)
        status = err_set(err, ERR_CORRUPT, "its %s names no ledger", FILE_NAME);
    buf_done(&text);
    return status < 0 ? err_wrap(err, "the backup %s", dir) : 0;
}
