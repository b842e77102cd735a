/* What is no store of ours: links and folders of strangers, ledgers cut short or gone. */
#include "store.h"
#include "store_test_dir.h"

#include <fcntl.h>
#include <sys/stat.h>

static const struct store_options SMALL = {.reserve = 1 << 20};

static struct store *open_ok(const char *dir, const struct store_options *o) {
    struct err err = {0};
    struct store *s = store_open(dir, o, &err);
    if (!s) fail_msg("%s", err.text);
    return s;
}

/* A directory in which anybody can put a link of the lock's name. */
static void test_strangers(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    char victim[300], lock[300];
    snprintf(victim, sizeof victim, "%s", in_dir(&d, "victim"));
    snprintf(lock, sizeof lock, "%s", in_dir(&d, "s/lock"));
    int fd = open(victim, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    store_free(open_ok(in_dir(&d, "s"), &SMALL));
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(symlink(victim, lock), 0);
    assert_null(store_open(in_dir(&d, "s"), &SMALL, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    struct stat st;
    assert_int_equal(stat(victim, &st), 0);
    assert_int_equal(st.st_size, 8);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(chmod(in_dir(&d, "s"), 0777), 0);
    assert_null(store_open(in_dir(&d, "s"), &SMALL, &err));
    assert_non_null(strstr(err.text, "can be written by everybody"));
    assert_int_equal(chmod(in_dir(&d, "s"), 0750), 0);
    store_free(open_ok(in_dir(&d, "s"), &SMALL));
    test_dir_remove(&d);
}

static void put_one(struct store *s) {
    struct store_batch *b = store_batch_new(STORE_BATCH_MAX);
    struct err err;
    static char big[100000];
    assert_true(store_put(b, TABLE_PAYLOAD, SLICE("key"), slice_make(big, sizeof big)));
    assert_int_equal(store_commit(s, b, STORE_MAY_WAIT, &err), 0);
    store_batch_free(b);
}

/* A ledger that was cut short, and one that is gone while tables of it are there: neither is taken for a
 * store. */
static void test_damage(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    struct err err = {0};
    char ledger[300];
    snprintf(ledger, sizeof ledger, "%s", in_dir(&d, "s/ledger.mdb"));
    struct store *s = open_ok(in_dir(&d, "s"), &SMALL);
    put_one(s);
    store_free(s);
    struct stat st;
    assert_int_equal(stat(ledger, &st), 0);
    for (int read_only = 0; read_only < 2; read_only++) {
        assert_int_equal(truncate(ledger, st.st_size / 4096 / 2 * 4096), 0);
        assert_null(store_open(in_dir(&d, "s"), &(struct store_options){.read_only = read_only}, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_non_null(strstr(err.text, "ledger.mdb"));
    }
    int fd = open(in_dir(&d, "s/segments/00000001.seg"), O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(truncate(ledger, 0), 0);
    assert_null(store_open(in_dir(&d, "s"), &(struct store_options){.read_only = true}, &err));
    assert_non_null(strstr(err.text, "ledger.mdb is empty"));
    assert_null(store_open(in_dir(&d, "s"), &SMALL, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(access(in_dir(&d, "s/segments/00000001.seg"), F_OK), 0);
    test_dir_remove(&d);
}

static unsigned next_random(unsigned *state) {
    *state = *state * 1103515245 + 12345;
    return *state >> 16 & 0x7fff;
}

/* Puts and deletes at random, and remembers what must be there. */
static void change(struct store *s, unsigned *random, uint32_t sizes[300]) {
    static char bytes[40000];
    struct store_batch *b = store_batch_new(STORE_BATCH_MAX);
    struct err err;
    memset(bytes, 'x', sizeof bytes);
    for (unsigned n = next_random(random) % 200; n > 0; n--) {
        unsigned at = next_random(random) % 300;
        struct store_key key = store_key_u64(at);
        if (next_random(random) % 2) {
            sizes[at] = 1 + (next_random(random) % 3 ? next_random(random) % 1500 : next_random(random));
            assert_true(store_put(b, TABLE_PAYLOAD, store_key_slice(&key), slice_make(bytes, sizes[at])));
        } else {
            sizes[at] = 0;
            assert_true(store_delete(b, TABLE_PAYLOAD, store_key_slice(&key)));
        }
    }
    if (!store_batch_empty(b)) assert_int_equal(store_commit(s, b, STORE_MAY_WAIT, &err), 0);
    store_batch_free(b);
}

static void check_all(struct store *s, const uint32_t sizes[300]) {
    struct err err;
    struct store_reader *r = store_reader_open(s, &err);
    assert_non_null(r);
    assert_int_equal(store_read_begin(r, &err), 0);
    for (unsigned at = 0; at < 300; at++) {
        struct store_key key = store_key_u64(at);
        struct slice value;
        int found = store_get(r, TABLE_PAYLOAD, store_key_slice(&key), &value, &err);
        assert_int_equal(found, sizes[at] > 0);
        if (found) assert_int_equal(value.len, sizes[at]);
    }
    store_read_end(r);
    store_reader_free(r);
}

/* LMDB may leave a file that ends before its last page, which is no damage. */
static void test_short_by_itself(void **state) {
    (void)state;
    struct test_dir d = test_dir_make();
    unsigned random = 41;
    for (int round = 0; round < 20; round++) {
        uint32_t sizes[300] = {0};
        char name[16];
        snprintf(name, sizeof name, "r%d", round);
        struct store *s = open_ok(in_dir(&d, name), &SMALL);
        for (int i = 0; i < 40; i++) {
            change(s, &random, sizes);
            struct store *other = open_ok(in_dir(&d, name), &(struct store_options){.read_only = true});
            if (i % 8 == 0) check_all(other, sizes);
            store_free(other);
        }
        store_free(s);
        s = open_ok(in_dir(&d, name), &SMALL);
        check_all(s, sizes);
        store_free(s);
    }
    test_dir_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_short_by_itself),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
