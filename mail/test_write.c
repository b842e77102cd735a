/* Header fields and quoted-printable: exact bytes for the cases that matter, properties for all others. */
#include "codec.h"
#include "header.h"
#include "qp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct field_case {
    const char *value;
    enum header_words words;
    const char *out;
};

#define X10 "xxxxxxxxxx"

static const struct field_case fields[] = {
    {"Hello", HEADER_TEXT, "Subject: Hello\r\n"},
    {"", HEADER_TEXT, "Subject:\r\n"},
    {"été", HEADER_TEXT, "Subject: =?utf-8?B?w6l0w6k=?=\r\n"},
    {"un été chaud", HEADER_TEXT, "Subject: =?utf-8?B?dW4gw6l0w6kgY2hhdWQ=?=\r\n"},
    {"a long text with one é only", HEADER_TEXT, "Subject: =?utf-8?Q?a_long_text_with_one_=C3=A9_only?=\r\n"},
    {" lead", HEADER_TEXT, "Subject: =?utf-8?Q?_lead?=\r\n"},
    {"trail ", HEADER_TEXT, "Subject: =?utf-8?Q?trail_?=\r\n"},
    {"tab\there", HEADER_TEXT, "Subject: =?utf-8?Q?tab=09here?=\r\n"},
    {"=?utf-8?Q?x?=", HEADER_TEXT, "Subject: =?utf-8?B?PT91dGYtOD9RP3g/PQ==?=\r\n"},
    {"inner  blanks", HEADER_TEXT, "Subject: inner  blanks\r\n"},
    {X10 X10 X10 " " X10 X10 X10 " " X10 " tail", HEADER_TEXT,
     "Subject: " X10 X10 X10 " " X10 X10 X10 "\r\n " X10 " tail\r\n"},
    {X10 X10 X10 X10 X10 X10 X10 X10, HEADER_TOKENS, "Subject: " X10 X10 X10 X10 X10 X10 X10 X10 "\r\n"},
    {X10 X10 X10 X10 X10 X10 X10 X10, HEADER_TEXT,
     "Subject: =?utf-8?Q?" X10 X10 X10 X10 X10 "xxxxx?=\r\n =?utf-8?Q?" X10 X10 "xxxxx?=\r\n"},
};

static void test_fields(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct buf out;
        buf_init(&out, 4096);
        header_put_text(&out, SLICE("Subject"), slice_of(fields[i].value), fields[i].words);
        if (!slice_eq(buf_slice(&out), slice_of(fields[i].out)))
            fail_msg("%s: %.*s", fields[i].value, SLICE_ARG(buf_slice(&out)));
        buf_done(&out);
    }
}

struct mailbox_case {
    const char *display, *out;
};

static const struct mailbox_case mailboxes[] = {
    {"", "To: a@b.c\r\n"},
    {"  ", "To: a@b.c\r\n"},
    {"Anna Karenina", "To: Anna Karenina <a@b.c>\r\n"},
    {"Karenina, Anna", "To: \"Karenina, Anna\" <a@b.c>\r\n"},
    {"A \"Q\" \\", "To: \"A \\\"Q\\\" \\\\\" <a@b.c>\r\n"},
    {"x <evil@e.e>", "To: \"x <evil@e.e>\" <a@b.c>\r\n"},
    {"山田", "To: =?utf-8?B?5bGx55Sw?= <a@b.c>\r\n"},
    {"a@b.c", "To: \"a@b.c\" <a@b.c>\r\n"},
    {"é" X10 X10 X10 X10 X10, "To: =?utf-8?Q?=C3=A9" X10 X10 X10 X10 X10 "?=\r\n <a@b.c>\r\n"},
    {"é" X10 X10 X10 X10 "xxxxxx", "To: =?utf-8?Q?=C3=A9" X10 X10 X10 X10 "xxxxxx?= <a@b.c>\r\n"},
    {"é" X10 X10 X10 X10 "xxxxxxx", "To: =?utf-8?Q?=C3=A9" X10 X10 X10 X10 "xxxxxxx?=\r\n <a@b.c>\r\n"},
    {"=?utf-8?Q?x?=", "To: =?utf-8?B?PT91dGYtOD9RP3g/PQ==?= <a@b.c>\r\n"},
};

static void test_mailboxes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof mailboxes / sizeof *mailboxes; i++) {
        struct buf out;
        buf_init(&out, 4096);
        header_put_mailbox(&out, SLICE("To"), slice_of(mailboxes[i].display), SLICE("a@b.c"));
        if (!slice_eq(buf_slice(&out), slice_of(mailboxes[i].out)))
            fail_msg("%s: %.*s", mailboxes[i].display, SLICE_ARG(buf_slice(&out)));
        buf_done(&out);
    }
}

/* What must never be written: the buffer fails instead. */
static void test_injection(void **state) {
    (void)state;
    const struct slice bad[] = {SLICE("a\rb"), SLICE("a\nb"), SLICE("a\r\nBcc: x@y.z"), SLICE("a\0b"),
                                SLICE("\xff"), SLICE("\n"),   SLICE("a\r\n b")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out;
        buf_init(&out, 4096);
        header_put_text(&out, SLICE("Subject"), bad[i], HEADER_TEXT);
        assert_true(out.failed);
        buf_reset(&out);
        header_put_text(&out, SLICE("X-A"), bad[i], HEADER_TOKENS);
        assert_true(out.failed);
        buf_reset(&out);
        header_put_mailbox(&out, SLICE("To"), bad[i], SLICE("a@b.c"));
        assert_true(out.failed);
        buf_reset(&out);
        header_put_mailbox(&out, SLICE("To"), SLICE(""), bad[i]);
        assert_true(out.failed);
        buf_reset(&out);
        header_put_text(&out, bad[i], SLICE("x"), HEADER_TEXT);
        assert_true(out.failed);
        buf_done(&out);
    }
    assert_false(header_name_valid(SLICE("")));
    assert_false(header_name_valid(SLICE("a:b")));
    assert_false(header_name_valid(SLICE("a b")));
    assert_true(header_name_valid(SLICE("X-Any_thing!")));
}

static void test_reading(void **state) {
    (void)state;
    struct slice rest =
        SLICE("From: a\r\nX-Long: one\r\n two\r\n\tthree\r\nEmpty:\r\nBlank : x\r\n\r\nbody: no\r\n");
    const struct slice want[][2] = {{SLICE("From"), SLICE(" a")},
                                    {SLICE("X-Long"), SLICE(" one\r\n two\r\n\tthree")},
                                    {SLICE("Empty"), SLICE("")},
                                    {SLICE("Blank"), SLICE(" x")}};
    struct header_field f;
    for (size_t i = 0; i < 4; i++) {
        assert_true(header_next(&rest, &f));
        assert_true(slice_eq(f.name, want[i][0]));
        assert_true(slice_eq(f.value, want[i][1]));
    }
    assert_false(header_next(&rest, &f));
    assert_true(slice_eq(rest, SLICE("body: no\r\n")));
    const struct slice none[] = {SLICE(""),       SLICE("no colon\r\n"), SLICE(": x\r\n"),   SLICE("A: x"),
                                 SLICE("A: x\n"), SLICE(" A: x\r\n"),    SLICE("A b: x\r\n")};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        rest = none[i];
        assert_false(header_next(&rest, &f));
        assert_int_equal(rest.len, none[i].len);
    }
}

struct qp_case {
    const char *in, *out;
};

static const struct qp_case qps[] = {
    {"", ""},
    {"Hello", "Hello\r\n"},
    {"a=b", "a=3Db\r\n"},
    {"é", "=C3=A9\r\n"},
    {"a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd\r\n"},
    {"\n", "\r\n"},
    {"end \nnext\t\n", "end=20\r\nnext=09\r\n"},
    {"end  ", "end =20\r\n"},
    {".dot\n..\n.", "=2Edot\r\n=2E.\r\n=2E\r\n"},
    {"From me\nFromage\n From x\nFrom", "=46rom me\r\nFromage\r\n From x\r\n=46rom\r\n"},
    {"a\x01\x7f", "a=01=7F\r\n"},
    {X10 X10 X10 X10 X10 X10 X10 "12345", X10 X10 X10 X10 X10 X10 X10 "12345\r\n"},
    {X10 X10 X10 X10 X10 X10 X10 "123456", X10 X10 X10 X10 X10 X10 X10 "12345=\r\n6\r\n"},
    {X10 X10 X10 X10 X10 X10 X10 "123é", X10 X10 X10 X10 X10 X10 X10 "123=\r\n=C3=A9\r\n"},
    {X10 X10 X10 X10 X10 X10 X10 "1234 \n", X10 X10 X10 X10 X10 X10 X10 "1234=\r\n=20\r\n"},
    {X10 X10 X10 X10 X10 X10 X10 "123 \n", X10 X10 X10 X10 X10 X10 X10 "123=20\r\n"},
};

static void test_qp(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof qps / sizeof *qps; i++) {
        struct buf out;
        struct qp q;
        buf_init(&out, 4096);
        qp_begin(&q, &out);
        qp_put(&q, slice_of(qps[i].in));
        qp_end(&q);
        if (!slice_eq(buf_slice(&out), slice_of(qps[i].out)))
            fail_msg("%s: %.*s", qps[i].in, SLICE_ARG(buf_slice(&out)));
        buf_done(&out);
    }
}

/* RFC 2045's decoder, strict: also checks what must hold of each line. */
static void unqp(struct slice in, struct buf *out) {
    size_t column = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        struct slice rest = slice_skip(in, i);
        if (slice_starts(rest, SLICE("\r\n"))) {
            assert_true(column == 0 || !ascii_space(in.at[i - 1]));
            buf_put_text(out, "\r\n");
            i++, column = 0;
            continue;
        }
        assert_true((c >= ' ' && c <= '~') || c == '\t');
        if (column == 0) assert_false(c == '.' || slice_starts(rest, SLICE("From ")));
        assert_true(++column <= QP_LINE);
        if (c != '=') {
            buf_put_c(out, c);
        } else if (slice_starts(rest, SLICE("=\r\n"))) {
            i += 2, column = 0;
        } else {
            assert_true(rest.len >= 3 && codec_unhex(out, slice_make(rest.at + 1, 2)));
            i += 2, column += 2;
            assert_true(column <= QP_LINE);
        }
    }
}

static void normalise(struct slice in, struct buf *out) {
    for (size_t i = 0; i < in.len; i++) {
        if (in.at[i] == '\r' && i + 1 < in.len && in.at[i + 1] == '\n') continue;
        if (in.at[i] == '\r' || in.at[i] == '\n')
            buf_put_text(out, "\r\n");
        else
            buf_put_c(out, in.at[i]);
    }
}

/* Pieces, encoded before or not, decode to their sum, whatever stands at the seams. */
static void test_seams(void **state) {
    (void)state;
    static const char thirty[] = X10 X10 X10, seventy[] = X10 X10 X10 X10 X10 X10 X10;
    static const char *const bits[] = {"a",     " ",   "\t", "\n",   "\r\n", ".",     "=",  "é",
                                       "From ", "Fro", "m ", "word", thirty, seventy, "  ", "日本語"};
    uint32_t seed = 5;
    for (int round = 0; round < 3000; round++) {
        struct buf out, plain, want, got, scratch;
        struct qp q;
        buf_init(&out, 1 << 16), buf_init(&plain, 1 << 16), buf_init(&want, 1 << 16);
        buf_init(&got, 1 << 16), buf_init(&scratch, 1 << 16);
        qp_begin(&q, &out);
        for (int piece = 0; piece < 12; piece++) {
            buf_reset(&plain), buf_reset(&scratch);
            for (uint32_t n = (seed >> 8) % 6; n; n--) {
                seed = seed * 1664525 + 1013904223;
                buf_put_text(&plain, bits[seed >> 24 & 15]);
            }
            seed = seed * 1664525 + 1013904223;
            normalise(buf_slice(&plain), &want);
            struct qp_run run;
            qp_encode_run(&scratch, buf_slice(&plain), &run);
            if (seed >> 30)
                qp_put_run(&q, &run);
            else
                qp_put(&q, buf_slice(&plain));
            assert_true(q.column < QP_LINE);
        }
        size_t n = want.len;
        bool open = n && want.at[n - 1] != '\n';
        qp_end(&q);
        unqp(buf_slice(&out), &got);
        assert_int_equal(got.len, n + (open ? 2 : 0));
        assert_memory_equal(got.at, want.at, n);
        buf_done(&out), buf_done(&plain), buf_done(&want), buf_done(&got), buf_done(&scratch);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),  cmocka_unit_test(test_mailboxes), cmocka_unit_test(test_injection),
        cmocka_unit_test(test_reading), cmocka_unit_test(test_qp),        cmocka_unit_test(test_seams),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("write", tests, NULL, NULL);
}
