/* CSV: rows, bad rows and where reading goes on, bounds, and the same through pipes that give little. */
#include "buf.h"
#include "csv.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Everything that comes out, as text: "2[a|b] 3!reason{raw} end". */
static void tell(struct csv *c, struct buf *out) {
    const struct slice *names;
    struct csv_row row;
    struct err err = {.text = ""};
    size_t count;
    if (csv_header(c, &names, &count, &err)) {
        buf_printf(out, "error %send", err.text);
        return;
    }
    while (csv_next(c, &row, &err) == 1) {
        if (row.bad) {
            buf_printf(out, "%d!%s{%.*s} ", (int)row.line, row.bad, SLICE_ARG(row.raw));
            continue;
        }
        buf_printf(out, "%d[", (int)row.line);
        for (size_t i = 0; i < row.count; i++)
            buf_printf(out, "%s%.*s", i ? "|" : "", SLICE_ARG(row.fields[i]));
        buf_put_text(out, "] ");
    }
    buf_put_text(out, "end");
}

struct story {
    const char *in;
    size_t len; /* 0: strlen */
    const char *out;
};

static const struct story stories[] = {
    {"", 0, "error the file is empty: its first row must name the columnsend"},
    {"a,b\n1,2\n", 0, "2[1|2] end"},
    {"\xEF\xBB\xBF"
     "a,b\r\n1,2\r\n3,4",
     0, "2[1|2] 3[3|4] end"},
    {"a,b\n,\n\n\r\n1,\n", 0, "2[|] 5[1|] end"},
    {"a,b\n\"1\",\"x,y\"\n", 0, "2[1|x,y] end"},
    {"a,b\n\"1\"\"2\",\"\"\"\"\"\"\r\n", 0, "2[1\"2|\"\"] end"},
    {"a,b\n\"x\ny\r\nz\",2\n3,4\n", 0, "2[x\ny\r\nz|2] 5[3|4] end"},
    {"a,b\n1,5\" pipe\n", 0, "2[1|5\" pipe] end"},
    {"a,b\n1\n1,2,3\n3,4\n", 0, "2!1 field instead of 2{1} 3!3 fields instead of 2{1,2,3} 4[3|4] end"},
    {"a,b\n\"1\"x,2\n3,4\n", 0, "2!text after the closing quote of field 1{\"1\"x,2} 3[3|4] end"},
    {"a,b\n1,\"open\n3,4\n5,\"6\"\n", 0,
     "2!text after the closing quote of field 2{1,\"open} 3[3|4] 4[5|6] end"},
    {"a,b\n1,\"open\n3,4\n", 0, "2!the quote is not closed: field 2{1,\"open} 3[3|4] end"},
    {"a,b\n1,\"open", 0, "2!the quote is not closed: field 2{1,\"open} end"},
    {"a,b\n1,\"\"", 0, "2[1|] end"},
    {"a,b\n1,\"2\"\r", 0, "2[1|2] end"},
    {"a,b\n1,\"2\"\r3\n", 0, "2!text after the closing quote of field 2{1,\"2\"\r3} end"},
    {"a,b\n1,\xff\n3,4\n", 0, "2!not UTF-8{1,\xff} 3[3|4] end"},
    {"a,b\n1,\"\xc0\xaf\"\né,4\n", 0, "2!not UTF-8{1,\"\xc0\xaf\"} 3[é|4] end"},
    {"a,b\n1,x\0y\n3,4\n", 14, NULL},
    {"a,b\n1,x\ry\n3,4\n", 0, "2!a carriage return without a line feed{1,x\ry} 3[3|4] end"},
    {"a,b\r1,2\r3,4\r", 0,
     "error line 1: the row that names the columns: a carriage return without a line feedend"},
    {"a,a\n1,2\n", 0, "error line 1: two columns are called 'a'end"},
    {"a,,\n1,2,3\n", 0, "2[1|2|3] end"},
    {" a , b\n1, 2 \n", 0, "2[1| 2 ] end"},
    {"\n\na,b\n1,2\n", 0, "4[1|2] end"},
    {"a\n1\n\"\"\n", 0, "2[1] 3[] end"},
    {"名前,メール\n山田,y@例え.jp\n", 0, "2[山田|y@例え.jp] end"},
    /* CP932; its pairs may end in bytes that are \ or | elsewhere */
    {"a,b\n1,2\n1,\x8e\x52\x93\x63\n", 0, "2[1|2] 3[1|山田] end"},
    {"a,b\n\x95\x5c,\"\x83\x5c\"\"\x83\x7c\"\n", 0, "2[表|ソ\"ポ] end"},
    {"\x96\xbc,b\n\xcb\xdf\xb1,\xfb\xfc\n", 0, "2[ﾋﾟｱ|髙] end"},
    {"a,b\n\x8e\x52,\"x\n\x93\x63\"\n", 0, "2[山|x\n田] end"},
    {"a,b\n1,\"x\n\x93\x63\x8e\x52\"\n", 0, "2[1|x\n田山] end"},
    {"a,b\n\x8e\x52\x93\x63,2\n1,\xf0\x40\n1,\x81\n1,\x85\xff\n1,\xa0\n3,4\n", 0,
     "2[山田|2] 3!a character that only the sender's computer knows (gaiji): field 2{1,\xf0\x40} "
     "4!not CP932 (Shift_JIS): field 2{1,\x81} 5!not CP932 (Shift_JIS): field 2{1,\x85\xff} "
     "6!not CP932 (Shift_JIS): field 2{1,\xa0} 7[3|4] end"},
    /* one line of another charset makes no difference */
    {"a,b\n1,\x8e\x52\x93\x63\né,1\nü,ö\n", 0, "2!not UTF-8{1,\x8e\x52\x93\x63} 3[é|1] 4[ü|ö] end"},
    {"\xEF\xBB\xBF"
     "a,b\n1,\x8e\x52\x93\x63\n",
     0, "2!not UTF-8{1,\x8e\x52\x93\x63} end"},
    /* nor is Latin-1 taken for it */
    {"a,b\n1,M\xfcller\n2,Bj\xf6rn\n3,M\xe1ria\n", 0,
     "2!not UTF-8{1,M\xfcller} 3!not UTF-8{2,Bj\xf6rn} 4!not UTF-8{3,M\xe1ria} end"},
    {"\xff\xfe"
     "a,b\n",
     0, "error the file is UTF-16 (Excel calls it Unicode text): save it as \"CSV UTF-8\"end"},
    {"PK\x03\x04...", 0, "error the file is a workbook (xlsx) or a zip archive: save it as \"CSV UTF-8\"end"},
    /* other separators */
    {"a;b\n1,5;2\n", 0, "2[1,5|2] end"},
    {"\r\n\na;b\n1;\"x;y\"\n", 0, "4[1|x;y] end"},
    {"a\tb;c\n1\t2;\n", 0, "2[1\t2|] end"},
    {"a\tb\n1\t\"2\"\n", 0, "2[1|2] end"},
    {"\"a,x\";b\n1;2\n", 0, "2[1|2] end"},
    {"a;b,c\n1;2,3\n", 0, "2[1;2|3] end"},
};

static void test_stories(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        const struct story *s = &stories[i];
        struct buf out;
        buf_init(&out, 4096);
        struct csv *c = csv_open_bytes(slice_make(s->in, s->len ? s->len : strlen(s->in)), NULL);
        tell(c, &out);
        struct slice got = buf_slice(&out);
        bool right = s->out ? slice_eq(got, slice_of(s->out))
                            : slice_eq(got, SLICE("2!a NUL byte{1,x} 3[3|4] end")); /* %.*s ends at the NUL */
        if (!right) fail_msg("story %zu: %.*s\ninstead of %s", i, SLICE_ARG(got), s->out);
        csv_free(c);
        buf_done(&out);
    }
}

/* A file of awkward rows, some of them bad, of about `size` bytes. */
static void make_file(struct buf *out, size_t size, unsigned seed) {
    static const char *const bits[] = {"a",          "\"",   "\"\"",     ",",
                                       "\n",         "\r\n", "é",        "xyz@example.com",
                                       "\"q\"",      "\r",   "\"m\nn\"", "\x8e\x52\x93\x63",
                                       "0123456789", "\n",   ",",        "\"a,b\""};
    buf_put_text(out, "email,b,c\n");
    while (out->len < size) {
        seed = seed * 1103515245 + 12345;
        buf_put_text(out, bits[seed >> 16 & 15]);
    }
}

/* The same bytes through a pipe whose reads are short give the same rows. */
static void test_pipes(void **state) {
    (void)state;
    struct buf file, direct, piped;
    buf_init(&file, 1 << 20);
    buf_init(&direct, 16 << 20);
    buf_init(&piped, 16 << 20);
    make_file(&file, 700000, 1);
    struct csv *c = csv_open_bytes(buf_slice(&file), NULL);
    tell(c, &direct);
    assert_int_equal(csv_bytes_read(c), file.len);
    csv_free(c);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        for (size_t at = 0; at < file.len;) {
            size_t n = 1 + at % 4093;
            if (n > file.len - at) n = file.len - at;
            ssize_t w = write(ends[1], file.at + at, n);
            if (w < 0) _exit(1);
            at += (size_t)w;
        }
        _exit(0);
    }
    close(ends[1]);
    c = csv_open(ends[0], NULL);
    tell(c, &piped);
    csv_free(c);
    close(ends[0]);
    assert_false(direct.failed);
    assert_int_equal(direct.len, piped.len);
    assert_memory_equal(direct.at, piped.at, direct.len);
    assert_true(direct.len > 100000);
    buf_done(&file), buf_done(&direct), buf_done(&piped);
}

/* Index of each line's start; returns how many lines there are. */
static size_t find_lines(struct slice file, size_t *starts) {
    size_t n = 1;
    starts[0] = 0;
    for (size_t i = 0; i < file.len; i++)
        if (file.at[i] == '\n') starts[n++] = i + 1;
    return n;
}

/* Each row's raw text is what the file has from its line on, and no line but empty ones lies between two
 * rows: so the file of rejects and the rows that were taken make up the whole. */
static void test_nothing_lost(void **state) {
    (void)state;
    static size_t starts[32768];
    for (unsigned seed = 1; seed < 50; seed++) {
        struct buf file;
        const struct slice *names;
        struct csv_row row;
        size_t count, line = 2;
        buf_init(&file, 1 << 20);
        make_file(&file, 20000, seed);
        buf_put_text(&file, "\nlast,1,2");
        size_t lines = find_lines(buf_slice(&file), starts);
        struct csv *c = csv_open_bytes(buf_slice(&file), NULL);
        assert_int_equal(csv_header(c, &names, &count, NULL), 0);
        while (csv_next(c, &row, NULL) == 1) {
            for (; line < row.line; line++)
                assert_true(
                    slice_trim(slice_make(file.at + starts[line - 1], starts[line] - starts[line - 1])).len ==
                    0);
            assert_int_equal(line, row.line);
            assert_memory_equal(row.raw.at, file.at + starts[line - 1], row.raw.len);
            for (size_t i = 0; i < row.raw.len; i++)
                line += row.raw.at[i] == '\n';
            line++;
        }
        assert_int_equal(line, lines + 1);
        csv_free(c);
        buf_done(&file);
    }
}

static char *fill(char *to, char c, size_t n) {
    memset(to, c, n);
    return to + n;
}

static void test_bounds(void **state) {
    (void)state;
    size_t room = 4 << 20;
    char *text = malloc(room), *to = text;
    struct csv_row row;
    const struct slice *names;
    size_t count;
    to = fill(to, 'n', 1), *to++ = ',', *to++ = 'm', *to++ = '\n';
    to = fill(to, 'x', 65536), *to++ = ',', *to++ = '\n';                           /* 2: as long as may be */
    to = fill(to, 'x', 65537), *to++ = ',', *to++ = '\n';                           /* 3 */
    *to++ = '"', to = fill(to, 'y', 65536), *to++ = '"', *to++ = ',', *to++ = '\n'; /* 4: may be */
    *to++ = '"', to = fill(to, 'y', 65537), *to++ = '"', *to++ = ',', *to++ = '\n'; /* 5 */
    to = fill(to, 'z', 1 << 20), *to++ = '\n';                                      /* 6: many buffers long */
    *to++ = '"', to = fill(to, '\n', 200000), *to++ = '"', *to++ = '\n'; /* 7 and the empty lines */
    *to++ = 'a', *to++ = ',', *to++ = 'b', *to++ = '\n';
    struct csv *c = csv_open_bytes(slice_make(text, (size_t)(to - text)), NULL);
    assert_int_equal(csv_header(c, &names, &count, NULL), 0);
    static const char *const expected[] = {NULL,
                                           "more than 64 KB in field 1",
                                           NULL,
                                           "more than 64 KB in field 1",
                                           "the row is longer than 256 KB",
                                           "the quote is not closed within 64 KB: field 1"};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(csv_next(c, &row, NULL), 1);
        assert_int_equal(row.line, i + 2);
        if (expected[i])
            assert_string_equal(row.bad, expected[i]);
        else
            assert_null(row.bad);
        assert_true(row.raw.len <= CSV_ROW_MAX);
    }
    assert_int_equal(csv_next(c, &row, NULL), 1); /* the quote that closed it now opens one */
    assert_string_equal(row.bad, "the quote is not closed: field 1");
    assert_int_equal(csv_next(c, &row, NULL), 1);
    assert_null(row.bad);
    assert_int_equal(row.line, 7 + 200000 + 1);
    assert_int_equal(csv_next(c, &row, NULL), 0);
    assert_int_equal(csv_next(c, &row, NULL), 0);
    csv_free(c);
    free(text);
}

static void test_columns_bound(void **state) {
    (void)state;
    char text[1024];
    struct err err;
    const struct slice *names;
    size_t count;
    memset(text, ',', 256);
    text[256] = '\n';
    struct csv *c = csv_open_bytes(slice_make(text, 255), NULL);
    assert_int_equal(csv_header(c, &names, &count, &err), 0);
    assert_int_equal(count, 256);
    csv_free(c);
    c = csv_open_bytes(slice_make(text, 256), NULL);
    assert_int_equal(csv_header(c, &names, &count, &err), -1);
    assert_string_equal(err.text, "line 1: the row that names the columns: more than 256 fields");
    csv_free(c);
}

static void test_unreadable(void **state) {
    (void)state;
    struct err err;
    const struct slice *names;
    size_t count;
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    struct csv *c = csv_open(fd, &err);
    assert_int_equal(csv_header(c, &names, &count, &err), -1);
    assert_int_equal(err.kind, ERR_SYSTEM);
    csv_free(c);
    csv_free(NULL);
    close(fd);
}

static int stopped;

static void stop_now(int signum) {
    (void)signum;
    stopped = 1;
}

/* A pipe on which nothing more comes, blocking or not, is given up when somebody wants to stop. */
static void test_stop(void **state) {
    (void)state;
    for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        struct err err;
        const struct slice *names;
        size_t count;
        int ends[2];
        stopped = 0;
        assert_int_equal(pipe2(ends, flags), 0);
        assert_int_equal(write(ends[1], "email\na@b.test\n", 15), 15);
        struct csv *c = csv_open(ends[0], &err);
        csv_stop(c, &stopped);
        signal(SIGALRM, stop_now);
        ualarm(20000, 0);
        assert_int_equal(csv_header(c, &names, &count, &err), -1);
        assert_int_equal(err.kind, ERR_BUSY);
        assert_int_equal(stopped, 1);
        csv_free(c);
        close(ends[0]);
        close(ends[1]);
    }
}

static void test_address_column(void **state) {
    (void)state;
    const struct slice a[] = {SLICE("Address"), SLICE("name"), SLICE("E-Mail")};
    const struct slice b[] = {SLICE("氏名"), SLICE("メールアドレス")};
    const struct slice n[] = {SLICE("name"), SLICE("phone")};
    struct err err;
    assert_int_equal(csv_address_column(a, 3, SLICE(""), &err), 2);
    assert_int_equal(csv_address_column(a, 2, SLICE(""), &err), 0);
    assert_int_equal(csv_address_column(a, 3, SLICE("NAME"), &err), 1);
    assert_int_equal(csv_address_column(b, 2, SLICE(""), &err), 1);
    assert_int_equal(csv_address_column(n, 2, SLICE(""), &err), -1);
    assert_string_equal(
        err.text,
        "line 1: no column looks like the address (email, mail, address...); there are: name, phone");
    assert_int_equal(csv_address_column(n, 2, SLICE("mail"), &err), -1);
    assert_string_equal(err.text, "line 1: no column is called 'mail'; there are: name, phone");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_nothing_lost),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_columns_bound),  cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_address_column), cmocka_unit_test(test_stop),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
