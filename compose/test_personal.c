/* Personal files: what leads out of the folder leads nowhere. */
#include "personal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/tsubame-personal-XXXXXX";
static int folder = -1;

static void put_file(const char *name, const char *text) {
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static int make(void **state) {
    (void)state;
    if (!mkdtemp(root) || (folder = open(root, O_RDONLY | O_DIRECTORY)) < 0) return -1;
    if (mkdirat(folder, "in", 0700) || symlinkat("/etc", folder, "out") ||
        symlinkat("a.txt", folder, "in/link") || mkfifoat(folder, "pipe", 0600))
        return -1;
    put_file("a.txt", "first");
    put_file("in/b.txt", "second");
    put_file("empty", "");
    int big = openat(folder, "big", O_WRONLY | O_CREAT, 0600);
    bool grown = big >= 0 && ftruncate(big, PERSONAL_FILE_MAX + 1) == 0;
    close(big);
    return grown ? 0 : -1;
}

static int clear(void **state) {
    (void)state;
    static const char *const names[] = {"in/b.txt", "in/link", "out", "pipe", "a.txt", "empty", "big"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlinkat(folder, names[i], 0);
    unlinkat(folder, "in", AT_REMOVEDIR);
    close(folder);
    return rmdir(root);
}

static const struct {
    const char *path, *text, *error;
} cases[] = {
    {"a.txt", "first", NULL},
    {"in/b.txt", "second", NULL},
    {"empty", "", NULL},
    {"", NULL, "a path of 1 to 1,024 bytes"},
    {"none", NULL, "there is no such file"},
    {"in", NULL, "it is not a regular file"},
    {"in/", NULL, "a path below the folder"},
    {"../a.txt", NULL, "a path below the folder"},
    {"in/../a.txt", NULL, "a path below the folder"},
    {"in/./b.txt", NULL, "a path below the folder"},
    {"in//b.txt", NULL, "a path below the folder"},
    {"/etc/passwd", NULL, "a path below the folder"},
    {"out/passwd", NULL, "Not a directory"},
    {"in/link", NULL, "it leads through a symbolic link"},
    {"a.txt/b", NULL, "Not a directory"},
    {"pipe", NULL, "it is not a regular file"},
    {"big", NULL, "it is larger than 25 MB"},
};

static void test_paths(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 2 * PERSONAL_FILE_MAX);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {.text = ""};
        buf_reset(&out);
        int rc = personal_read(folder, slice_of(cases[i].path), &out, &err);
        if (rc != (cases[i].text ? 0 : -1)) fail_msg("%s: %d, %s", cases[i].path, rc, err.text);
        if (cases[i].text && !slice_eq(buf_slice(&out), slice_of(cases[i].text)))
            fail_msg("%s", cases[i].path);
        if (cases[i].error && !strstr(err.text, cases[i].error)) fail_msg("%s: %s", cases[i].path, err.text);
        if (rc) assert_int_equal(err.kind, ERR_INPUT);
    }
    struct err err = {.text = ""};
    assert_int_equal(personal_read(-1, SLICE("a.txt"), &out, &err), -1);
    assert_non_null(strstr(err.text, "attachments.folder"));
    assert_int_equal(personal_read(folder, SLICE("a.txt\0b"), &out, &err), -1);
    char far[PERSONAL_PATH_MAX + 1];
    memset(far, 'y', sizeof far);
    assert_int_equal(personal_read(folder, slice_make(far, PERSONAL_PATH_MAX), &out, &err), -1);
    assert_non_null(strstr(err.text, "yyy...': File name too long"));
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("personal", tests, make, clear);
}
