/* A directory for a test, removed with all that is in it. */
#ifndef TSUBAME_STORE_TEST_DIR_H
#define TSUBAME_STORE_TEST_DIR_H

#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

struct test_dir {
    char path[64];
};

static inline struct test_dir test_dir_make(void) {
    struct test_dir d = {.path = "/tmp/tsubame-store-XXXXXX"};
    assert_non_null(mkdtemp(d.path));
    return d;
}

/* Valid for the next seven calls; the test's main thread only. */
static inline const char *in_dir(struct test_dir *d, const char *name) {
    static char texts[8][200];
    static unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%s/%s", d->path, name);
    return text;
}

static inline int test_dir_remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline void test_dir_remove(struct test_dir *d) {
    nftw(d->path, test_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
