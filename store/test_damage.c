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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_damage),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
