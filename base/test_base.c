/* Tests of base/: tables of input and what must come out. */
#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "codec.h"
#include "err.h"
#include "hash.h"
#include "log.h"
#include "mailbox.h"
#include "shown.h"
#include "slice.h"
#include "yamltree.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_slice(struct slice got, const char *want) {
    if (!slice_eq(got, slice_of(want))) fail_msg("got '%.*s', want '%s'", SLICE_ARG(got), want);
}

static void slices_are_cut(void **state) {
    (void)state;
    struct slice rest = SLICE("a,,b,"), piece;
    const char *const want[] = {"a", "", "b", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_true(slice_cut(&rest, ',', &piece));
        assert_slice(piece, want[i]);
    }
    assert_false(slice_cut(&rest, ',', &piece));
}

static void numbers_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } cases[] = {{"0", true, 0},
                 {"18446744073709551615", true, UINT64_MAX},
                 {"18446744073709551616", false, 0},
                 {"", false, 0},
                 {"-1", false, 0},
                 {"1 ", false, 0},
                 {"0x1", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 0;
        assert_int_equal(slice_to_u64(slice_of(cases[i].text), &value), cases[i].ok);
        if (cases[i].ok) assert_true(value == cases[i].value);
    }
}

static void a_buffer_stops_at_its_maximum(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    assert_true(buf_put_text(&b, "hello"));
    assert_false(buf_put_c(&b, '!'));
    assert_false(buf_put(&b, "", 0));
    assert_slice(buf_slice(&b), "hello");
    buf_reset(&b);
    assert_true(buf_put_u64(&b, 65535));
    assert_slice(buf_slice(&b), "65535");
    buf_drop_front(&b, 2);
    assert_slice(buf_slice(&b), "535");
    buf_done(&b);
}

static void binary_numbers_come_back(void **state) {
    (void)state;
    static const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX};
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        buf_put_varint(&b, values[i]);
        buf_put_u64le(&b, values[i]);
    }
    buf_put_bytes(&b, SLICE("x\0y"));
    struct slice s = buf_slice(&b), bytes;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint64_t v;
        assert_true(take_varint(&s, &v) && v == values[i]);
        assert_true(take_u64le(&s, &v) && v == values[i]);
    }
    assert_true(take_bytes(&s, &bytes) && bytes.len == 3 && s.len == 0);
    struct slice overlong = SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), lying = SLICE("\x05"
                                                                                             "abc");
    uint64_t v;
    assert_false(take_varint(&overlong, &v));
    assert_false(take_bytes(&lying, &bytes));
    buf_done(&b);
}

static void codecs_follow_rfc4648(void **state) {
    (void)state;
    static const struct {
        const char *plain, *base32, *base64, *hex;
    } cases[] = {{"", "", "", ""},
                 {"f", "my", "Zg==", "66"},
                 {"fo", "mzxq", "Zm8=", "666f"},
                 {"foo", "mzxw6", "Zm9v", "666f6f"},
                 {"foob", "mzxw6yq", "Zm9vYg==", "666f6f62"},
                 {"fooba", "mzxw6ytb", "Zm9vYmE=", "666f6f6261"},
                 {"foobar", "mzxw6ytboi", "Zm9vYmFy", "666f6f626172"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 100);
        codec_base32(&b, slice_of(cases[i].plain));
        assert_slice(buf_slice(&b), cases[i].base32);
        buf_reset(&b);
        codec_base64(&b, slice_of(cases[i].plain), 0);
        assert_slice(buf_slice(&b), cases[i].base64);
        buf_reset(&b);
        codec_hex(&b, slice_of(cases[i].plain));
        assert_slice(buf_slice(&b), cases[i].hex);
        buf_reset(&b);
        assert_true(codec_unbase32(&b, slice_of(cases[i].base32)));
        assert_slice(buf_slice(&b), cases[i].plain);
        buf_reset(&b);
        assert_true(codec_unbase64(&b, slice_of(cases[i].base64)));
        assert_slice(buf_slice(&b), cases[i].plain);
        buf_reset(&b);
        assert_true(codec_unhex(&b, slice_of(cases[i].hex)));
        assert_slice(buf_slice(&b), cases[i].plain);
        buf_done(&b);
    }
    static const char *const bad32[] = {"m", "mz1", "mz", "mzxw6yr"}, *const bad64[] = {
                                                                          "Zg=", "Zh==", "Z===", "Zg==Zg=="};
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < 4; i++) {
        assert_false(codec_unbase32(&b, slice_of(bad32[i])));
        assert_false(codec_unbase64(&b, slice_of(bad64[i])));
    }
    buf_done(&b);
}

static void utf8_is_judged(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {{"", true},          {"caf\xc3\xa9", true},   {"\xf0\x9f\x90\xa6", true},
                 {"\xc0\xaf", false}, {"\xed\xa0\x80", false}, {"\xf4\x90\x80\x80", false},
                 {"\xe3\x81", false}, {"\x80", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(codec_utf8_valid(slice_of(cases[i].text)), cases[i].valid);
}

static void dates_are_written(void **state) {
    (void)state;
    char text[CLOCK_TEXT_MAX];
    clock_rfc5322(INT64_C(1000000000) * US_PER_SEC, text);
    assert_string_equal(text, "Sun, 09 Sep 2001 01:46:40 +0000");
    clock_rfc3339(INT64_C(1000000000) * US_PER_SEC + 5999, text);
    assert_string_equal(text, "2001-09-09T01:46:40.005Z");
}

static void an_arena_keeps_its_bound(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 10000);
    for (int i = 0; i < 9; i++)
        assert_non_null(arena_alloc(&a, 1000));
    assert_non_null(arena_alloc(&a, 999));
    assert_null(arena_alloc(&a, 8));
    arena_reset(&a);
    assert_string_equal(arena_string(&a, SLICE("kept")), "kept");
    arena_done(&a);
}

static void a_full_mailbox_refuses(void **state) {
    (void)state;
    struct mailbox m;
    int out[4];
    assert_int_equal(mailbox_init(&m, 3, sizeof(int), NULL, NULL), 0);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            assert_true(mailbox_put(&m, &i));
        assert_false(mailbox_put(&m, &round));
        assert_int_equal(mailbox_take(&m, out, 2), 2);
        assert_int_equal(mailbox_wait(&m, out + 2, 2, -1), 1);
        for (int i = 0; i < 3; i++)
            assert_int_equal(out[i], i);
        assert_int_equal(mailbox_wait(&m, out, 4, 1), 0);
    }
    mailbox_done(&m);
}

static void yaml_errors_name_their_place(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {{"a: 1\na: 2\n", "t.yaml:2:1: the key 'a' is here twice (first in line 1)"},
                 {"a: *b\n", "t.yaml:1:4: aliases are not taken here"},
                 {"[1]: 2\n", "t.yaml:1:1: a key must be a plain word"},
                 {"a: 1\n---\nb: 2\n", "t.yaml:2:1: one document a file"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        struct err err = {0};
        arena_init(&a, 1 << 20);
        assert_null(yaml_parse(slice_of(cases[i].text), "t.yaml", &a, &err));
        assert_string_equal(err.text, cases[i].error);
        arena_done(&a);
    }
}

static void yaml_becomes_a_tree(void **state) {
    (void)state;
    struct arena a;
    struct err err = {0};
    arena_init(&a, 1 << 20);
    struct yaml *root = yaml_parse(SLICE("dns:\n  servers: [127.0.0.1, 'x']\n  n: 5\n"), "t", &a, &err);
    assert_non_null(root);
    struct yaml *servers = yaml_get(yaml_get(root, "dns"), "servers");
    assert_int_equal(servers->count, 2);
    assert_slice(servers->first->text, "127.0.0.1");
    assert_true(servers->first->next->quoted);
    assert_int_equal(yaml_get(yaml_get(root, "dns"), "n")->line, 3);
    assert_int_equal(yaml_parse(SLICE(""), "t", &a, &err)->count, 0);
    arena_done(&a);
}

static void hashes_without_case(void **state) {
    (void)state;
    char one[256 + 13], other[sizeof one];
    for (size_t i = 0; i < sizeof one; i++) {
        one[i] = (char)i;
        other[i] = ascii_lower(one[i]);
    }
    for (size_t n = 0; n <= sizeof one; n++)
        assert_true(hash_nocase(slice_make(one, n), 3) == hash_bytes(slice_make(other, n), 3));
}

static void a_hash_in_pieces_is_the_hash_of_the_whole(void **state) {
    (void)state;
    struct hash_stream h;
    hash_stream_init(&h);
    assert_true(hash_stream_end(&h) == 0xef46db3751d8e999); /* the published value for no bytes */
    char text[100];
    memset(text, 'x', sizeof text);
    hash_stream_add(&h, slice_make(text, sizeof text));
    uint64_t whole = hash_stream_end(&h);
    hash_stream_init(&h);
    for (size_t i = 0; i < sizeof text; i += 7)
        hash_stream_add(&h, slice_make(text + i, i + 7 < sizeof text ? 7 : sizeof text - i));
    assert_true(hash_stream_end(&h) == whole);
}

/* What strangers wrote, and what of it may be seen. */
static void texts_of_strangers_steer_nothing(void **state) {
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain, \xe5\xa4\xaa\xe9\x83\x8e \xf0\x9f\x90\xa6",
         "plain, \xe5\xa4\xaa\xe9\x83\x8e \xf0\x9f\x90\xa6"},
        {"a\033[31m\007\b\177", "a?[31m???"},
        {"one\r\ntwo\tthree", "one??two?three"},
        {"\x9b"
         "31m \xc2\x9b"
         "31m",
         "?31m ?31m"},
        {"\xff\xfe\xc0\xaf\xed\xa0\x80", "???????"},
        {"\xe2\x80\xaegpj.exe\xe2\x80\xac \xe2\x81\xa6x\xe2\x81\xa9 \xd8\x9c", "?gpj.exe? ?x? ?"},
        {"\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xf3\xa0\x81\x81", "????"},
        {"cut \xe5\xa4", "cut ??"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        char text[100];
        struct err err;
        buf_init(&b, 100);
        shown_put(&b, slice_of(cases[i].text));
        assert_true(slice_eq(buf_slice(&b), slice_of(cases[i].shown)));
        buf_done(&b);
        snprintf(text, sizeof text, "%s", cases[i].text);
        shown_clean(text);
        assert_string_equal(text, cases[i].shown);
        err_set(&err, ERR_INPUT, "%s", cases[i].text);
        assert_string_equal(err.text, cases[i].shown);
        err_wrap(&err, "%s", cases[i].text);
        err_errno(&err, 2, "%s", cases[i].text);
        assert_int_equal(strncmp(err.text, cases[i].shown, strlen(cases[i].shown)), 0);
    }
}

static void *say_and_end(void *arg) {
    (void)arg;
    log_say(LOG_LEVEL_INFO, "last-words", NULL); /* gathered: nobody flushes */
    return NULL;
}

static void a_thread_that_ends_leaves_its_lines(void **state) {
    char line[200] = {0};
    int ends[2];
    pthread_t thread;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    log_setup(ends[1], LOG_LEVEL_INFO);
    assert_int_equal(pthread_create(&thread, NULL, say_and_end, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(ends[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, " event=last-words\n"));
    log_setup(STDERR_FILENO, LOG_LEVEL_WARN);
    close(ends[0]);
}

static void a_log_line_is_one_line(void **state) {
    char line[1000] = {0};
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    log_setup(ends[1], LOG_LEVEL_INFO);
    log_say(LOG_LEVEL_WARN, "x", "a", "1\nts=forged level=error", "b",
            "\033[2J\xc2\x9b\xff \xe2\x80\xae\xc3\xa9", "c", "q\"q", NULL);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, " event=x a=\"1\\nts=forged level=error\""
                                 " b=\"\\x1b[2J\\xc2\\x9b\\xff \\xe2\\x80\\xae\xc3\xa9\" c=\"q\\\"q\"\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    log_setup(STDERR_FILENO, LOG_LEVEL_WARN);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_are_cut),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(a_buffer_stops_at_its_maximum),
        cmocka_unit_test(binary_numbers_come_back),
        cmocka_unit_test(codecs_follow_rfc4648),
        cmocka_unit_test(utf8_is_judged),
        cmocka_unit_test(dates_are_written),
        cmocka_unit_test(an_arena_keeps_its_bound),
        cmocka_unit_test(a_full_mailbox_refuses),
        cmocka_unit_test(hashes_without_case),
        cmocka_unit_test(a_hash_in_pieces_is_the_hash_of_the_whole),
        cmocka_unit_test(yaml_errors_name_their_place),
        cmocka_unit_test(yaml_becomes_a_tree),
        cmocka_unit_test(texts_of_strangers_steer_nothing),
        cmocka_unit_test(a_log_line_is_one_line),
        cmocka_unit_test(a_thread_that_ends_leaves_its_lines),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
