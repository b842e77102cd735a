/* Base64 bodies, parameters, what can't be seen in names, headers in ISO-2022-JP. */
#include "b64.h"
#include "codec.h"
#include "header.h"
#include "mime_param.h"
#include "visible.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect(struct buf *out, const char *want) {
    if (out->failed || !slice_eq(buf_slice(out), slice_of(want)))
        fail_msg("wanted %s, got %.*s", want, SLICE_ARG(buf_slice(out)));
    buf_reset(out);
}

static void test_b64(void **state) {
    (void)state;
    struct buf out;
    struct b64 b;
    buf_init(&out, 4096);
    b64_begin(&b, &out), b64_end(&b);
    expect(&out, "");
    b64_begin(&b, &out), b64_put(&b, SLICE("a")), b64_end(&b);
    expect(&out, "YQ==\r\n");
    b64_begin(&b, &out), b64_put(&b, SLICE("a")), b64_put(&b, SLICE("bcd")), b64_put(&b, SLICE("e")),
        b64_end(&b);
    expect(&out, "YWJjZGU=\r\n");
    b64_begin(&b, &out), b64_put_text(&b, SLICE("a\nb\rc\r\nd")), b64_end(&b);
    expect(&out, "YQ0KYg0KYw0KZA==\r\n");
    b64_begin(&b, &out);
    for (int i = 0; i < 57; i++)
        b64_put(&b, SLICE("\0"));
    b64_end(&b); /* a full line is ended once */
    expect(&out, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n");
    buf_done(&out);
}

/* Pieces, cut anywhere, are the same as all at once. */
static void test_b64_seams(void **state) {
    (void)state;
    static const char bytes[] =
        "Aa0 日本語のテキスト\n=?é\n0123456789012345678901234567890123456789012345678901234567890123456789";
    uint32_t seed = 7;
    for (int round = 0; round < 2000; round++) {
        struct buf out, whole, want;
        struct b64 b;
        buf_init(&out, 1 << 16), buf_init(&whole, 1 << 16), buf_init(&want, 1 << 16);
        b64_begin(&b, &out);
        for (int piece = 0; piece < 10; piece++) {
            seed = seed * 1664525 + 1013904223;
            struct slice text = slice_make(bytes, (seed >> 8) % sizeof bytes);
            buf_put_slice(&whole, text);
            b64_put(&b, text);
        }
        b64_end(&b);
        codec_base64(&want, buf_slice(&whole), B64_LINE);
        if (want.len) buf_put_text(&want, "\r\n");
        assert_true(slice_eq(buf_slice(&out), buf_slice(&want)));
        buf_done(&out), buf_done(&whole), buf_done(&want);
    }
}

static void test_b64_suits(void **state) {
    (void)state;
    assert_false(b64_suits(SLICE("")));
    assert_false(b64_suits(SLICE("t")));
    assert_false(b64_suits(SLICE("Plain text, with a = and an é.\r\n")));
    assert_false(b64_suits(SLICE("Viele Grüße aus München, schönes Wochenende!")));
    assert_true(b64_suits(SLICE("こんにちは。今日のお知らせです。")));
    assert_true(b64_suits(SLICE("Привет, это новости.")));
    assert_false(b64_suits(SLICE("<table width=600><tr><td style='padding:0'>今日</td></tr></table>")));
}

#define NAME20 "abcdefghijklmnopqrst"

static const struct {
    const char *text, *out;
} params[] = {
    {"", "X: attachment\r\n"},
    {"report.pdf", "X: attachment; filename=report.pdf\r\n"},
    {"the report.pdf", "X: attachment; filename=\"the report.pdf\"\r\n"},
    {"a;b=c.txt", "X: attachment; filename=\"a;b=c.txt\"\r\n"},
    {"Résumé.pdf",
     "X: attachment;\r\n filename*=utf-8''R%C3%A9sum%C3%A9.pdf;\r\n filename=\"R_sum_.pdf\"\r\n"},
    {"a\"b\\c.txt", "X: attachment;\r\n filename*=utf-8''a%22b%5Cc.txt;\r\n filename=\"a_b_c.txt\"\r\n"},
    {"=?utf-8?Q?x?=",
     "X: attachment;\r\n filename*=utf-8''%3D%3Futf-8%3FQ%3Fx%3F%3D;\r\n filename=\"=_utf-8_Q_x_=\"\r\n"},
    {" x", "X: attachment;\r\n filename*=utf-8''%20x;\r\n filename=\" x\"\r\n"},
    {"100%.txt", "X: attachment;\r\n filename*=utf-8''100%25.txt;\r\n filename=\"100_.txt\"\r\n"},
    {"exe\xE2\x80\xAE"
     "fdp.x\xE2\x80\x8B\t",
     "X: attachment;\r\n filename*=utf-8''exefdp.x%20;\r\n filename=\"exefdp.x \"\r\n"},
    {NAME20 NAME20 NAME20 "xy", "X: attachment;\r\n filename=" NAME20 NAME20 NAME20 "xy\r\n"},
    {NAME20 NAME20 NAME20 NAME20,
     "X: attachment;\r\n filename*0*=utf-8''" NAME20 NAME20 "abcdefghijklm;\r\n filename*1*=nopqrst" NAME20
     ";\r\n filename=\"" NAME20 NAME20 NAME20 NAME20 "\"\r\n"},
};

static void test_params(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        mime_put_field(&out, SLICE("X"), SLICE("attachment"), SLICE("filename"), slice_of(params[i].text));
        expect(&out, params[i].out);
    }
    const struct slice bad[] = {SLICE("a\rb"), SLICE("a\nb"), SLICE("a\r\nBcc: x"), SLICE("a\0b"),
                                SLICE("\xff")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(mime_param_valid(bad[i]));
        mime_put_field(&out, SLICE("X"), SLICE("a/b"), SLICE("name"), bad[i]);
        assert_true(out.failed);
        buf_reset(&out);
        assert_false(mime_value_valid(bad[i]));
        mime_put_field(&out, SLICE("X"), bad[i], SLICE("name"), SLICE("x"));
        assert_true(out.failed);
        buf_reset(&out);
    }
    assert_true(mime_value_valid(SLICE("application/vnd.ms-excel")) && mime_value_valid(SLICE("inline")));
    assert_false(mime_value_valid(SLICE("")) || mime_value_valid(SLICE("a/")) ||
                 mime_value_valid(SLICE("a/b; c=d")) || mime_value_valid(SLICE("a/b/c")) ||
                 mime_value_valid(SLICE("a b")));
    buf_done(&out);
}

static const struct {
    const char *text, *seen;
} names[] = {
    {"Anna", "Anna"},
    {"\xE2\x80\xAE"
     "annA\xE2\x80\xAC",
     "annA"},
    {"a\xE2\x81\xA6"
     "b\xE2\x81\xA9\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C"
     "c",
     "abc"},
    {"a\xE2\x80\x8B\xEF\xBB\xBF\xC2\xAD"
     "b",
     "ab"},
    {"a\tb\x01\x7f\xC2\x85", "a b"},
    {"👩\xE2\x80\x8D👧 می\xE2\x80\x8Cخواهم שלום ❤\xEF\xB8\x8F",
     "👩\xE2\x80\x8D👧 می\xE2\x80\x8Cخواهم שלום ❤\xEF\xB8\x8F"},
    {"🏴\xF3\xA0\x81\xA7\xF3\xA0\x81\xBF x\xF3\xA0\x81\xA7", "🏴\xF3\xA0\x81\xA7\xF3\xA0\x81\xBF x"},
};

static void test_visible(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(visible_all(slice_of(names[i].text)), strcmp(names[i].text, names[i].seen) == 0);
        visible_put(&out, slice_of(names[i].text));
        expect(&out, names[i].seen);
    }
    header_put_mailbox(&out, SLICE("To"),
                       SLICE("\xE2\x80\xAE"
                             "annA"),
                       SLICE("a@b.c"));
    expect(&out, "To: annA <a@b.c>\r\n");
    header_put_mailbox(&out, SLICE("To"), SLICE("\xE2\x80\xAE\xE2\x80\x8B"), SLICE("a@b.c"));
    expect(&out, "To: a@b.c\r\n");
    buf_done(&out);
}

static void test_jis_headers(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    header_put_text_in(&out, SLICE("Subject"), SLICE("plain"), HEADER_TEXT, CHARSET_JIS);
    expect(&out, "Subject: plain\r\n");
    header_put_text_in(&out, SLICE("Subject"), SLICE("日本"), HEADER_TEXT, CHARSET_JIS);
    expect(&out, "Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n");
    header_put_mailbox_in(&out, SLICE("To"), SLICE("㈱日本"), SLICE("a@b.c"), CHARSET_JIS_NEAR);
    expect(&out, "To: =?iso-2022-jp?B?KBskQjN0GyhCKRskQkZ8S1wbKEI=?= <a@b.c>\r\n");
    header_put_text_in(&out, SLICE("Subject"), SLICE("これは一行に入らない長い件名です。二行になります"),
                       HEADER_TEXT, CHARSET_JIS);
    expect(&out, "Subject: =?iso-2022-jp?B?GyRCJDMkbCRPMGw5VCRLRn4kaSRKJCREOSQkN29MPiRHGyhC?=\r\n"
                 " =?iso-2022-jp?B?GyRCJDkhI0ZzOVQkSyRKJGokXiQ5GyhC?=\r\n");
    header_put_text_in(&out, SLICE("Subject"), SLICE("①"), HEADER_TEXT, CHARSET_JIS);
    assert_true(out.failed);
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_b64),       cmocka_unit_test(test_b64_seams),
                                       cmocka_unit_test(test_b64_suits), cmocka_unit_test(test_params),
                                       cmocka_unit_test(test_visible),   cmocka_unit_test(test_jis_headers)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("mime", tests, NULL, NULL);
}
