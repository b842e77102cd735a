/* Conversations as lines: what is shown, what is only counted, what is never shown. */
#include "transcript.h"

#include "buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* "> " and "< " in front of each line. */
static void note(void *ctx, enum transcript_kind kind, struct slice text, uint64_t left_out) {
    buf_put_text(ctx, kind == TRANSCRIPT_SENT ? "> " : "< ");
    buf_put_slice(ctx, text);
    if (left_out) buf_printf(ctx, "+%llu", (unsigned long long)left_out);
    buf_put_c(ctx, '\n');
}

struct conversation {
    const char *name;
    bool content;
    uint64_t skip;
    const char *said[12]; /* ">..." sent, "<..." received */
    const char *shown;
};

/* Each part in pieces of `piece` bytes. */
static void play(const struct conversation *c, size_t piece) {
    struct transcript t;
    struct buf out;
    buf_init(&out, 1 << 20);
    transcript_init(&t, c->content, c->skip, note, &out);
    for (size_t i = 0; c->said[i]; i++)
        for (struct slice rest = slice_of(c->said[i] + 1); rest.len;) {
            struct slice some = slice_make(rest.at, rest.len < piece ? rest.len : piece);
            if (c->said[i][0] == '>')
                transcript_sent(&t, some);
            else
                transcript_received(&t, some);
            rest = slice_skip(rest, some.len);
        }
    transcript_end(&t);
    buf_put_c(&out, 0);
    if (strcmp(out.at, c->shown) != 0) print_message("%s, in pieces of %zu\n", c->name, piece);
    assert_string_equal(out.at, c->shown);
    buf_done(&out);
}

static void conversations_as_lines(void **state) {
    (void)state;
    static const struct conversation all[] = {
        {"lines",
         false,
         0,
         {"<220-a\r\n220 b\r\n", ">EHLO x\r\n", "<250-a\r\n250 PIPELINING\r\n"},
         "< 220-a\n< 220 b\n> EHLO x\n< 250-a\n< 250 PIPELINING\n"},
        {"content is counted, its end and doubled dots not",
         false,
         0,
         {">MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", "<250 ok\r\n250 ok\r\n354 go\r\n",
          ">Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n", "<250 taken\r\n221 bye\r\n"},
         "> MAIL FROM:<a@b>\n> RCPT TO:<c@d>\n> DATA\n< 250 ok\n< 250 ok\n< 354 go\n> [20 bytes]\n> QUIT\n< "
         "250 "
         "taken\n"
         "< 221 bye\n"},
        {"or shown",
         true,
         0,
         {">DATA\r\n", "<354 go\r\n", ">Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n"},
         "> DATA\n< 354 go\n> Subject: x\n> \n> ..dot\n> .\n> QUIT\n"},
        {"a chunk",
         false,
         0,
         {">BDAT 11 LAST\r\nQUIT\r\n.\r\n\r\nRSET\r\n"},
         "> BDAT 11 LAST\n> [11 bytes]\n> RSET\n"},
        {"chunks, and a command behind",
         false,
         0,
         {">BDAT 6 LAST\r\nQUIT\r\nBDAT 0 LAST\r\nRSET\r\n"},
         "> BDAT 6 LAST\n> [6 bytes]\n> BDAT 0 LAST\n> RSET\n"},
        {"a chunk that is shown",
         true,
         0,
         {">BDAT 8 LAST\r\na\r\nb c\r\nRSET\r\n"},
         "> BDAT 8 LAST\n> a\n> b c\n> RSET\n"},
        {"no end of the content",
         false,
         0,
         {">DATA\r\n", "<354 go\r\n", ">12345"},
         "> DATA\n< 354 go\n> [5 bytes, not to its end]\n"},
        {"no recipient: the end alone",
         false,
         0,
         {"<354 go\r\n", ">.\r\nRSET\r\n"},
         "< 354 go\n> [0 bytes]\n> RSET\n"},
        {"a 354 out of place hides, and shows nothing",
         false,
         0,
         {">MAIL FROM:<a@b>\r\n", "<354 what\r\n", ">QUIT\r\n"},
         "> MAIL FROM:<a@b>\n< 354 what\n> [6 bytes, not to its end]\n"},
        {"almost the end",
         false,
         0,
         {"<354 go\r\n", ">.\n.\r.\r\n\r\n.\r\r\n.x\r\n.\r\nQUIT\r\n"},
         "< 354 go\n> [17 bytes]\n> QUIT\n"},
        {"secrets",
         false,
         0,
         {">AUTH PLAIN c2VjcmV0\r\n", "<334 go on\r\n", ">bW9yZQ==\r\n", "<235 in\r\n",
          ">MAIL FROM:<a@b>\r\n"},
         "> AUTH [left out]\n< 334 go on\n> [left out]\n< 235 in\n> MAIL FROM:<a@b>\n"},
        {"secrets, in small letters",
         true,
         0,
         {">auth login\r\nc2VjcmV0\r\n"},
         "> AUTH [left out]\n> [left out]\n"},
        {"joined in the middle of content", false, 7, {">ontent\nNOOP\r\n"}, "> NOOP\n"},
        {"joined before a 354",
         false,
         0,
         {"<354 go\r\n", ">a\r\n.\r\nMAIL\r\n"},
         "< 354 go\n> [3 bytes]\n> MAIL\n"},
        {"nothing", false, 0, {NULL}, ""},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (size_t piece = 1; piece < 40; piece += piece < 4 ? 1 : 13)
            play(&all[i], piece);
}

static void long_lines_are_cut(void **state) {
    (void)state;
    struct transcript t;
    struct buf out;
    char a[1000];
    memset(a, 'a', sizeof a);
    buf_init(&out, 1 << 16);
    transcript_init(&t, false, 0, note, &out);
    transcript_received(&t, slice_make(a, sizeof a));
    transcript_received(&t, SLICE("\r\n250 x\r\n"));
    buf_put_c(&out, 0);
    assert_int_equal(strlen(out.at), 2 + TRANSCRIPT_LINE + strlen("+521\n< 250 x\n"));
    assert_string_equal(out.at + 2 + TRANSCRIPT_LINE, "+521\n< 250 x\n");
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_as_lines),
        cmocka_unit_test(long_lines_are_cut),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
