/* The reply reader, the EHLO list, commands and dot-stuffing, in tables. */
#include "smtp_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct reply_case {
    const char *name, *bytes;
    enum smtp_read read;
    int code;
    uint16_t enhanced[3];
    const char *text;
    size_t left; /* bytes behind the reply */
};

static const struct reply_case cases[] = {
    {"one line", "250 ok\r\n", SMTP_READ_REPLY, 250, {0}, "ok", 0},
    {"code alone", "250\r\n", SMTP_READ_REPLY, 250, {0}, "", 0},
    {"code and blank", "250 \r\n", SMTP_READ_REPLY, 250, {0}, "", 0},
    {"LF alone", "354 go\n", SMTP_READ_REPLY, 354, {0}, "go", 0},
    {"next reply left", "250 a\r\n250 b\r\n", SMTP_READ_REPLY, 250, {0}, "a", 7},
    {"lines", "250-a\r\n250-b\r\n250 c\r\n", SMTP_READ_REPLY, 250, {0}, "a\nb\nc", 0},
    {"indented lines", "250- 9 byte chunk\r\n250  OK\r\n", SMTP_READ_REPLY, 250, {0}, "9 byte chunk\nOK", 0},
    {"enhanced, indented", "550-  5.1.1 no\r\n550 5.1.1  x\r\n", SMTP_READ_REPLY, 550, {5, 1, 1}, "no\nx", 0},
    {"lines without text", "250-\r\n250\r\n", SMTP_READ_REPLY, 250, {0}, "\n", 0},
    {"enhanced", "550 5.1.1 no such user\r\n", SMTP_READ_REPLY, 550, {5, 1, 1}, "no such user", 0},
    {"enhanced alone", "250 2.0.0\r\n", SMTP_READ_REPLY, 250, {2, 0, 0}, "", 0},
    {"enhanced on each line", "550-5.7.1 a\r\n550 5.7.1 b\r\n", SMTP_READ_REPLY, 550, {5, 7, 1}, "a\nb", 0},
    {"enhanced on one line", "421-4.7.28 a\r\n421 b\r\n", SMTP_READ_REPLY, 421, {4, 7, 28}, "a\nb", 0},
    {"enhanced, last wins", "451-4.7.1 a\r\n451 4.7.650 b\r\n", SMTP_READ_REPLY, 451, {4, 7, 650}, "a\nb", 0},
    {"enhanced of another class", "250 5.1.1 x\r\n", SMTP_READ_REPLY, 250, {0}, "5.1.1 x", 0},
    {"no enhanced in 3yz", "354 3.0.0 x\r\n", SMTP_READ_REPLY, 354, {0}, "3.0.0 x", 0},
    {"enhanced too long", "550 5.1.1234 x\r\n", SMTP_READ_REPLY, 550, {0}, "5.1.1234 x", 0},
    {"an address, not a code", "550 5.1.2.3 x\r\n", SMTP_READ_REPLY, 550, {0}, "5.1.2.3 x", 0},
    {"controls", "550 a\033[2J\tb\x7f\r\n", SMTP_READ_REPLY, 550, {0}, "a?[2J b?", 0},
    {"beyond ASCII", "550 \xe3\x81\x82\r\n", SMTP_READ_REPLY, 550, {0}, "\xe3\x81\x82", 0},
    {"half", "250 o", SMTP_READ_MORE, 0, {0}, "", 0},
    {"half of lines", "250-a\r\n25", SMTP_READ_MORE, 0, {0}, "", 0},
    {"nothing", "", SMTP_READ_MORE, 0, {0}, "", 0},
    {"empty line", "\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"words", "hello\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"HTTP", "HTTP/1.1 400 Bad Request\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"two digits", "25\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"four digits", "2500 x\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"code too low", "199 x\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"code too high", "600 x\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"glued text", "250ok\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"blank in front", " 250 ok\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"code changes", "250-a\r\n251 b\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
    {"text between lines", "250-a\r\nmore\r\n250 b\r\n", SMTP_READ_BAD, 0, {0}, "", 0},
};

static enum smtp_read read_in_steps(struct smtp_reader *r, struct slice bytes, size_t step,
                                    struct smtp_reply *reply, size_t *left) {
    enum smtp_read got = SMTP_READ_MORE;
    size_t at = 0;
    while (at < bytes.len && got == SMTP_READ_MORE) {
        struct slice piece = slice_make(bytes.at + at, bytes.len - at < step ? bytes.len - at : step);
        size_t before = piece.len;
        got = smtp_reader_take(r, &piece, reply);
        at += before - piece.len;
    }
    *left = bytes.len - at;
    return got;
}

static void test_replies(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step <= 64; step++) {
            struct smtp_reader r;
            struct smtp_reply reply = {0};
            size_t left;
            smtp_reader_init(&r);
            enum smtp_read got = read_in_steps(&r, slice_of(cases[i].bytes), step, &reply, &left);
            if (got != cases[i].read) fail_msg("%s, steps of %zu: read %d", cases[i].name, step, (int)got);
            if (got == SMTP_READ_REPLY) {
                assert_int_equal(reply.code, cases[i].code);
                assert_memory_equal(reply.enhanced, cases[i].enhanced, sizeof reply.enhanced);
                if (!slice_eq(reply.text, slice_of(cases[i].text)))
                    fail_msg("%s: text '%.*s'", cases[i].name, SLICE_ARG(reply.text));
                assert_int_equal(left, cases[i].left);
                assert_false(reply.oversized);
            }
            if (got == SMTP_READ_MORE) assert_int_equal(smtp_reader_partial(&r), cases[i].bytes[0] != 0);
            smtp_reader_done(&r);
        }
    }
}

static void test_nul_is_garbage(void **state) {
    (void)state;
    struct smtp_reader r;
    struct smtp_reply reply;
    size_t left = 0;
    smtp_reader_init(&r);
    assert_int_equal(read_in_steps(&r, SLICE("250 a\0b\r\n"), 100, &reply, &left), SMTP_READ_BAD);
    struct slice more = SLICE("250 ok\r\n");
    assert_int_equal(smtp_reader_take(&r, &more, &reply), SMTP_READ_BAD);
    smtp_reader_reset(&r);
    more = SLICE("250 ok\r\n");
    assert_int_equal(smtp_reader_take(&r, &more, &reply), SMTP_READ_REPLY);
    smtp_reader_done(&r);
}

/* lines of `width` bytes of text, the last of them ending the reply */
static void put_reply(struct buf *b, unsigned lines, size_t width) {
    for (unsigned i = 1; i <= lines; i++) {
        buf_put_text(b, i < lines ? "250-" : "250 ");
        for (size_t k = 0; k < width; k++)
            buf_put_c(b, 'x');
        buf_put_text(b, "\r\n");
    }
}

static void test_bounds(void **state) {
    (void)state;
    static const struct {
        unsigned lines;
        size_t width;
        bool oversized;
        enum smtp_read read;
    } bounds[] = {
        {64, 10, false, SMTP_READ_REPLY},   {65, 10, true, SMTP_READ_REPLY},
        {1, 2043, false, SMTP_READ_REPLY},  {1, 2045, true, SMTP_READ_REPLY},
        {8, 2043, false, SMTP_READ_REPLY},  {9, 2043, true, SMTP_READ_REPLY},
        {1, 200000, true, SMTP_READ_REPLY}, {1, 300000, true, SMTP_READ_BAD},
        {20000, 10, true, SMTP_READ_BAD},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        for (size_t step = 1; step < 1u << 20; step *= 37) {
            struct smtp_reader r;
            struct smtp_reply reply = {0};
            struct buf b;
            size_t left;
            buf_init(&b, 1 << 20);
            put_reply(&b, bounds[i].lines, bounds[i].width);
            smtp_reader_init(&r);
            assert_int_equal(read_in_steps(&r, buf_slice(&b), step, &reply, &left), bounds[i].read);
            if (bounds[i].read == SMTP_READ_REPLY) {
                assert_int_equal(reply.code, 250);
                assert_int_equal(reply.oversized, bounds[i].oversized);
                assert_true(reply.text.len <= SMTP_REPLY_TEXT_MAX);
            }
            assert_true(r.line.cap <= SMTP_REPLY_LINE_MAX && r.text.cap <= SMTP_REPLY_TEXT_MAX);
            smtp_reader_done(&r);
            buf_done(&b);
        }
    }
}

static void test_caps(void **state) {
    (void)state;
    struct smtp_caps caps = {.esmtp = true};
    smtp_caps_parse(
        &caps,
        SLICE("PIPELINING STARTTLS\npipelining\nSIZE 1000\n8BITMIME \nAUTH PLAIN LOGIN\nX\n\nCHUNKING"));
    assert_true(caps.pipelining && caps.size && caps.eightbitmime && caps.chunking);
    assert_false(caps.starttls || caps.smtputf8 || caps.enhanced);
    assert_int_equal(caps.size_max, 1000);
    caps = (struct smtp_caps){.esmtp = true};
    smtp_caps_parse(&caps, SLICE("mx\nSIZE\nSTARTTLS\nSMTPUTF8\nENHANCEDSTATUSCODES\nPIPELININGX"));
    assert_true(caps.size && caps.starttls && caps.smtputf8 && caps.enhanced);
    assert_false(caps.pipelining);
    assert_int_equal(caps.size_max, 0);
    smtp_caps_parse(&caps, SLICE("mx\nSIZE 99999999999999999999999"));
    assert_int_equal(caps.size_max, 0);
}

static void test_limits(void **state) {
    (void)state;
    static const struct {
        const char *line;
        uint32_t mails, rcpts, domains;
    } table[] = {
        {"LIMITS MAILMAX=20 RCPTMAX=1 RCPTDOMAINMAX=3", 20, 1, 3},
        {"limits rcptmax=100", 0, 100, 0},
        {"LIMITS", 0, 0, 0},
        {"LIMITS MAILMAX RCPTMAX= RCPTDOMAINMAX=x", 0, 0, 0},
        {"LIMITS MAILMAX=0 RCPTMAX=-1", 0, 0, 0},
        {"LIMITS MAILMAX=1000000 RCPTMAX=99999999999999999999999", 0, 0, 0},
        {"LIMITS FOO=3  RCPTMAX=999999 MAILMAXX=2", 0, 999999, 0},
        {"LIMITSMAILMAX=3", 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct smtp_caps caps = {.esmtp = true};
        char text[200];
        snprintf(text, sizeof text, "mx\n%s", table[i].line);
        smtp_caps_parse(&caps, slice_of(text));
        assert_int_equal(caps.mail_max, table[i].mails);
        assert_int_equal(caps.rcpt_max, table[i].rcpts);
        assert_int_equal(caps.rcpt_domain_max, table[i].domains);
    }
}

static void test_chunks(void **state) {
    (void)state;
    static const struct {
        const char *content, *want;
    } table[] = {
        {"", "BDAT 0 LAST\r\n"},           {"a\r\n", "BDAT 3 LAST\r\na\r\n"},
        {"a", "BDAT 3 LAST\r\na\r\n"},     {".\r\n..b\r\n", "BDAT 8 LAST\r\n.\r\n..b\r\n"},
        {"a\n", "BDAT 4 LAST\r\na\n\r\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf b;
        buf_init(&b, 100);
        buf_put_text(&b, "x\r\n");
        buf_put_text(&b, table[i].content);
        smtp_put_chunk(&b, 3);
        assert_true(slice_eq(slice_skip(buf_slice(&b), 3), slice_of(table[i].want)));
        buf_done(&b);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct smtp_caps plain = {.esmtp = true, .size = true, .size_max = 1000};
    static const struct smtp_caps rich = {.esmtp = true, .eightbitmime = true, .smtputf8 = true};
    const struct {
        const struct smtp_caps *caps;
        struct smtp_mail mail;
        struct slice to;
        int code, subject, detail;
    } table[] = {
        {&plain, {.from = SLICE("a@b"), .size = 1000}, SLICE("c@d"), 0, 0, 0},
        {&plain, {.from = SLICE("")}, SLICE("c@d"), 0, 0, 0},
        {&plain, {.from = SLICE("a@b"), .size = 1001}, SLICE("c@d"), 552, 3, 4},
        {&plain, {.from = SLICE("a@b"), .eightbit = true}, SLICE("c@d"), 554, 6, 3},
        {&plain, {.from = SLICE("a@b")}, SLICE("\xc3\xa4@d"), 553, 6, 7},
        {&rich, {.from = SLICE("a@b"), .size = 9999, .eightbit = true}, SLICE("\xc3\xa4@d"), 0, 0, 0},
        {&rich, {.from = SLICE("a@b")}, SLICE(""), 553, 1, 3},
        {&rich, {.from = SLICE("a@b")}, SLICE("c@d\r\nRSET"), 553, 1, 3},
        {&rich, {.from = SLICE("a@b\nX")}, SLICE("c@d"), 553, 1, 7},
        {&rich, {.from = SLICE("a@b")}, SLICE("c@d\0"), 553, 1, 3},
        {&rich, {.from = SLICE("a@b> SIZE=1")}, SLICE("c@d"), 553, 1, 7},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct smtp_reply *r = smtp_rcpt_refusal(table[i].caps, table[i].to);
        if (!r) r = smtp_mail_refusal(table[i].caps, &table[i].mail);
        assert_int_equal(r ? r->code : 0, table[i].code);
        if (!r) continue;
        assert_int_equal(r->enhanced[1], table[i].subject);
        assert_int_equal(r->enhanced[2], table[i].detail);
        assert_int_equal(r->text.len, strlen(r->text.at));
    }
}

static void test_mail_command(void **state) {
    (void)state;
    static const struct smtp_caps rich = {
        .esmtp = true, .size = true, .eightbitmime = true, .smtputf8 = true};
    static const struct smtp_caps poor = {.esmtp = false};
    const struct slice to[] = {SLICE("c@d"), SLICE("\xc3\xa4@d")};
    struct smtp_mail mail = {.from = SLICE("a@b"), .to = to, .to_count = 2, .size = 77, .eightbit = true};
    struct buf b;
    buf_init(&b, 1000);
    smtp_put_mail(&b, &rich, &mail, 3);
    assert_true(slice_eq(buf_slice(&b), SLICE("MAIL FROM:<a@b> SIZE=77 BODY=8BITMIME SMTPUTF8\r\n")));
    buf_reset(&b);
    smtp_put_mail(&b, &rich, &mail, 1); /* whose address needs it is not asked for */
    assert_true(slice_eq(buf_slice(&b), SLICE("MAIL FROM:<a@b> SIZE=77 BODY=8BITMIME\r\n")));
    buf_reset(&b);
    mail = (struct smtp_mail){.from = SLICE(""), .to = to, .to_count = 1, .size = 77};
    smtp_put_mail(&b, &poor, &mail, 1);
    assert_true(slice_eq(buf_slice(&b), SLICE("MAIL FROM:<>\r\n")));
    buf_done(&b);
}

static void check_end(const char *before, const char *content, const char *want) {
    struct buf b;
    buf_init(&b, 1000);
    buf_put_text(&b, before);
    buf_put_text(&b, content);
    smtp_put_end(&b, strlen(before));
    if (b.failed || b.len != strlen(before) + strlen(want) ||
        memcmp(b.at + strlen(before), want, strlen(want)) != 0)
        fail_msg("'%s' became '%.*s'", content, (int)b.len, b.at);
    buf_done(&b);
}

static void test_dots(void **state) {
    (void)state;
    check_end("", "", ".\r\n");
    check_end("RSET\r\n", "", ".\r\n");
    check_end("", "a\r\n", "a\r\n.\r\n");
    check_end("", "a", "a\r\n.\r\n");
    check_end("", ".", "..\r\n.\r\n");
    check_end("\n", ".a\r\n", "..a\r\n.\r\n");
    check_end("", "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n");
    check_end("x", ".\r\n.\r\n..\r\n a.b.\r\n.", "..\r\n..\r\n...\r\n a.b.\r\n..\r\n.\r\n");
    check_end("", "a\n.\nb\r\n", "a\n..\nb\r\n.\r\n");
    check_end("", "a.\r\nb.c\r\n...", "a.\r\nb.c\r\n....\r\n.\r\n");
}

/* Against a stuffing that works byte by byte, on made-up contents full of line ends and dots. */
static void test_dots_at_random(void **state) {
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 3000; round++) {
        char content[200], want[500];
        size_t n = 0, w = 0, len = (size_t)round % sizeof content;
        for (; n < len; n++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            content[n] = "\r\n.x"[seed >> 62];
        }
        for (size_t i = 0; i < n; i++) {
            if (content[i] == '.' && (i == 0 || content[i - 1] == '\n')) want[w++] = '.';
            want[w++] = content[i];
        }
        bool ended = n == 0 || (n >= 2 && content[n - 2] == '\r' && content[n - 1] == '\n');
        const char *end = ended ? ".\r\n" : "\r\n.\r\n";
        while (*end)
            want[w++] = *end++;
        struct buf b;
        buf_init(&b, 1000);
        buf_put(&b, content, n);
        smtp_put_end(&b, 0);
        assert_int_equal(b.len, w);
        assert_memory_equal(b.at, want, w);
        buf_done(&b);
    }
}

static void test_dots_without_room(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 6);
    buf_put_text(&b, ".\r\n.");
    smtp_put_end(&b, 0);
    assert_true(b.failed);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_nul_is_garbage),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_mail_command),
        cmocka_unit_test(test_dots),
        cmocka_unit_test(test_dots_at_random),
        cmocka_unit_test(test_dots_without_room),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
