/* What must survive: a kill at any moment, and a disk that fills up. */
#include "clock.h"
#include "segment.h"
#include "store.h"
#include "store_test_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* ---- kill -9 ---- */

struct teller {
    struct store_batch *batch;
    uint64_t number;
    int fd;
};

/* Tells the parent, which may take it as a promise. */
static void tell(void *ctx, int status, const struct err *err) {
    struct teller *t = ctx;
    (void)err;
    if (status < 0 || write(t->fd, &t->number, sizeof t->number) != sizeof t->number) _exit(9);
    store_batch_free(t->batch);
    free(t);
}

/* Writes rows 0, 1, 2... each with its record in a segment, until it is killed. */
static void submit_for_ever(const char *dir, uint64_t first, int fd) {
    struct err err;
    struct store *s = store_open(dir, &(struct store_options){.reserve = 1 << 20}, &err);
    struct segment_writer *w = s ? segment_writer_open(s, &err) : NULL;
    if (!w) _exit(8);
    struct buf row;
    buf_init(&row, 4096);
    for (uint64_t i = first;; i++) {
        struct segment_ref ref;
        char text[64];
        int n = snprintf(text, sizeof text, "the record of row %llu", (unsigned long long)i);
        if (segment_append(w, slice_make(text, (size_t)n), &ref, &err) < 0 || segment_sync(w, &err) < 0)
            _exit(7);
        buf_reset(&row);
        segment_ref_put(&row, ref);
        struct teller *t = malloc(sizeof *t);
        *t = (struct teller){store_batch_new(4096), i, fd};
        struct store_key k = store_key_u64(i);
        store_put(t->batch, TABLE_BLOCK, store_key_slice(&k), buf_slice(&row));
        while (store_submit(s, t->batch, 0, tell, t, &err) < 0)
            usleep(50);
    }
}

/* Every row up to the last promised one is there and its record readable; returns how many there are. */
static uint64_t check_rows(const char *dir, uint64_t promised) {
    struct err err = {0};
    struct store *s = store_open(dir, &(struct store_options){.reserve = 1 << 20}, &err);
    if (!s) fail_msg("%s", err.text);
    struct store_reader *r = store_reader_open(s, &err);
    struct store_cursor c;
    struct buf record;
    uint64_t count = 0, key;
    buf_init(&record, 4096);
    assert_int_equal(store_read_begin(r, &err), 0);
    assert_int_equal(store_cursor_init(&c, r, TABLE_BLOCK, &err), 0);
    for (int more = store_cursor_first(&c, &err); more == 1; more = store_cursor_next(&c, &err), count++) {
        assert_true(store_key_number(c.key, 0, &key) && key == count);
        struct segment_ref ref;
        struct slice value = c.value;
        char want[64];
        snprintf(want, sizeof want, "the record of row %llu", (unsigned long long)count);
        buf_reset(&record);
        assert_true(segment_ref_take(&value, &ref));
        if (segment_read(s, ref, &record, &err) < 0) fail_msg("%s", err.text);
        assert_true(slice_eq(buf_slice(&record), slice_of(want)));
    }
    assert_true(count >= promised);
    store_cursor_done(&c);
    store_reader_free(r);
    buf_done(&record);
    store_free(s);
    return count;
}

static void test_kill(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    uint64_t first = 0;
    for (int round = 0; round < 8; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            submit_for_ever(in_dir(&d, "s"), first, ends[1]);
        }
        close(ends[1]);
        uint64_t last = first, number;
        int wanted = 20 + 37 * round;
        for (int n = 0; read(ends[0], &number, sizeof number) == sizeof number; n++) {
            assert_true(number == first || number == last + 1); /* in order */
            last = number;
            if (n == wanted) kill(pid, SIGKILL);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        close(ends[0]);
        first = check_rows(in_dir(&d, "s"), last + 1);
    }
    test_dir_remove(&d);
}

/* ---- a full disk ---- */

enum { SKIPPED = 77, DISK = 16 << 20, RESERVE = 1 << 20 };

#define MUST(what)                                                                                           \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #what, err.text);                                \
            return 1;                                                                                        \
        }                                                                                                    \
    } while (0)

static bool fill(const char *path, size_t step) {
    static char junk[1 << 20];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    while (write(fd, junk, step) > 0)
        continue;
    bool full = errno == ENOSPC;
    close(fd);
    return full;
}

struct outcome {
    int done; /* atomic */
    int status;
};

static void outcome_done(void *ctx, int status, const struct err *err) {
    struct outcome *o = ctx;
    (void)err;
    o->status = status;
    __atomic_store_n(&o->done, 1, __ATOMIC_RELEASE);
}

static bool wait_done(struct outcome *o, int ms) {
    for (int i = 0; i < ms && !__atomic_load_n(&o->done, __ATOMIC_ACQUIRE); i++)
        usleep(1000);
    return __atomic_load_n(&o->done, __ATOMIC_ACQUIRE);
}

static struct store_batch *big_batch(uint64_t key, size_t bytes) {
    static char value[200 * 1024];
    struct store_batch *b = store_batch_new(32 << 20);
    for (size_t n = 0; n < bytes; n += sizeof value) {
        struct store_key k = store_key_pair(key, n);
        store_put(b, TABLE_BLOCK, store_key_slice(&k), slice_make(value, sizeof value));
    }
    return b;
}

static enum store_state state_of(struct store *s) {
    struct store_health h;
    store_health(s, &h);
    return h.state;
}

static int refuses_intake(struct store *s) {
    struct err err = {0};
    struct segment_ref ref;
    struct store_batch *b = big_batch(1, 1);
    MUST(store_commit(s, b, STORE_MAY_REFUSE | STORE_MAY_WAIT, &err) < 0 && err.kind == ERR_SPACE);
    MUST(strstr(err.text, "nearly full"));
    store_batch_free(b);
    struct segment_writer *w = segment_writer_open(s, &err);
    MUST(w && segment_append(w, SLICE("chunk"), &ref, &err) == 0);
    MUST(segment_sync(w, &err) < 0 && err.kind == ERR_SPACE);
    segment_writer_free(w);
    return 0;
}

/* Fills the disk in two steps: first intake ends, then commits themselves; all comes back with space. */
static int on_small_disk(void) {
    struct err err = {0};
    struct store *s = store_open("/mnt/s", &(struct store_options){.reserve = RESERVE}, &err);
    MUST(s);
    MUST(state_of(s) == STORE_FINE && store_check_room(s, &err) == 0);
    MUST(fill("/mnt/junk", 64 * 1024));
    MUST(state_of(s) == STORE_LOW);
    if (refuses_intake(s)) return 1;

    struct outcome small = {0}, large = {0}, intake = {0};
    struct store_batch *b1 = big_batch(2, 300 * 1024), *b2 = big_batch(3, 3 << 20);
    MUST(store_submit(s, b1, 0, outcome_done, &small, &err) == 0);
    MUST(wait_done(&small, 3000) && small.status == 0); /* out of the reserve */
    struct store_health h;
    store_health(s, &h);
    MUST(!h.reserve_held);
    MUST(store_submit(s, b2, 0, outcome_done, &large, &err) == 0);
    MUST(!wait_done(&large, 700));
    MUST(state_of(s) == STORE_STUCK);
    store_health(s, &h);
    MUST(strstr(h.text, "No space left"));

    MUST(unlink("/mnt/junk") == 0);
    MUST(wait_done(&large, 5000) && large.status == 0);
    for (int i = 0; i < 3000 && state_of(s) != STORE_FINE; i++)
        usleep(1000);
    MUST(state_of(s) == STORE_FINE);
    struct store_batch *b3 = big_batch(4, 1);
    MUST(store_submit(s, b3, STORE_MAY_REFUSE, outcome_done, &intake, &err) == 0);
    MUST(wait_done(&intake, 3000) && intake.status == 0);
    store_batch_free(b1), store_batch_free(b2), store_batch_free(b3);
    store_free(s);
    return 0;
}

/* A store that is closed while it is stuck gives back what it could not write, and opens again. */
static int close_when_stuck(void) {
    struct err err = {0};
    struct outcome lost = {0};
    struct store *s = store_open("/mnt/s2", &(struct store_options){.reserve = RESERVE}, &err);
    MUST(s);
    MUST(fill("/mnt/junk", 4096));
    struct store_batch *b = big_batch(5, 10 << 20);
    MUST(store_submit(s, b, 0, outcome_done, &lost, &err) == 0);
    store_free(s);
    MUST(lost.done && lost.status < 0);
    store_batch_free(b);
    s = store_open("/mnt/s2", &(struct store_options){.reserve = RESERVE}, &err);
    MUST(s);
    store_free(s);
    return 0;
}

static int in_own_mounts(void) {
    char size[32];
    snprintf(size, sizeof size, "size=%d", DISK);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/mnt", "tmpfs", 0, size) < 0)
        return SKIPPED;
    int status = on_small_disk();
    if (status) return status;
    unlink("/mnt/s/ledger.mdb");
    return close_when_stuck();
}

/* `test_store_crash full-disk`: a test of its own, because it may lack the privileges; then the exit code
 * says so. */
static int full_disk(void) {
    pid_t pid = fork();
    if (pid == 0) exit(in_own_mounts());
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 1;
    if (WEXITSTATUS(status) == SKIPPED) printf("mounting a small disk needs privileges\n");
    return WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    if (argc == 2 && strcmp(argv[1], "full-disk") == 0) return full_disk();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
