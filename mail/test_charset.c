/* ISO-2022-JP: exact bytes, the misfits of all of CP932, errors with their places. */
#include "charset.h"

#include "codec.h"

#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define W "\x1b$B"
#define A "\x1b(B"

static const struct {
    const char *text;
    enum charset charset;
    const char *out; /* NULL: refused */
} pieces[] = {
    {"abc", CHARSET_JIS, "abc"},
    {"日本", CHARSET_JIS, W "F|K\\" A},
    {"a日b", CHARSET_JIS, "a" W "F|" A "b"},
    {"日\r\n本", CHARSET_JIS, W "F|" A "\r\n" W "K\\" A},
    {"①", CHARSET_JIS, NULL},
    {"①", CHARSET_JIS_NEAR, "(1)"},
    {"㈱", CHARSET_JIS_NEAR, "(" W "3t" A ")"},
    {"髙﨑", CHARSET_JIS_NEAR, W "9b:j" A},
    {"Ⅳⅳ", CHARSET_JIS_NEAR, "IViv"},
    {"㎡№℡", CHARSET_JIS_NEAR, "m2No.TEL"},
    {"～−－", CHARSET_JIS_NEAR, W "!A!]!]" A},
    {"∥‖—―", CHARSET_JIS_NEAR, W "!B!B!=!=" A},
    {"¥￥", CHARSET_JIS_NEAR, W "!o!o" A},
    {"ｱｰ｡", CHARSET_JIS_NEAR, W "%\"!<!#" A},
    {"ｶﾞﾊﾟｱﾞ", CHARSET_JIS_NEAR, W "%,%Q%\"!+" A},
    {"か\xE3\x82\x99", CHARSET_JIS, W "$," A},
    {"ｶﾞ", CHARSET_JIS, NULL},
    {"José", CHARSET_JIS_NEAR, "Jose"},
    {"葛\xF3\xA0\x84\x80", CHARSET_JIS_NEAR, W "3k" A},
    {"😀", CHARSET_JIS_NEAR, NULL},
    {"\x1b$B", CHARSET_JIS, NULL},
    {"a\x1b\x0e\x0f", CHARSET_JIS_NEAR, "a"},
    {"\xff", CHARSET_JIS_NEAR, NULL},
    {"\xff", CHARSET_UTF8, NULL},
    {"é", CHARSET_UTF8, "é"},
};

static void test_put(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct buf out;
        struct err err;
        buf_init(&out, 4096);
        int rc = charset_put(&out, slice_of(pieces[i].text), pieces[i].charset, &err);
        assert_int_equal(rc, pieces[i].out ? 0 : -1);
        assert_int_equal(charset_fits(slice_of(pieces[i].text), pieces[i].charset), pieces[i].out != NULL);
        if (pieces[i].out && !slice_eq(buf_slice(&out), slice_of(pieces[i].out)))
            fail_msg("%s: %.*s", pieces[i].text, SLICE_ARG(buf_slice(&out)));
        buf_done(&out);
    }
}

static void test_errors(void **state) {
    (void)state;
    struct buf out;
    struct err err;
    buf_init(&out, 4096);
    assert_int_equal(charset_put(&out, SLICE("日\r\n本 😀"), CHARSET_JIS, &err), -1);
    assert_string_equal(err.text, "line 2, character 3: iso-2022-jp can't carry U+1F600 (😀)");
    assert_int_equal(charset_put(&out, SLICE("①"), CHARSET_JIS, &err), -1);
    assert_non_null(strstr(err.text, "substitute"));
    assert_int_equal(charset_put(&out, SLICE("a\n\xff"), CHARSET_UTF8, &err), -1);
    assert_string_equal(err.text, "line 2, character 1: this is not UTF-8");
    buf_done(&out);
}

static void test_check(void **state) {
    (void)state;
    static struct charset_misfits list;
    charset_check(SLICE("a①\r\n日①😀ｶﾞ\xE2\x80\x8B"), &list);
    assert_int_equal(list.count, 4);
    assert_false(list.more);
    assert_int_equal(list.at[0].code, 0x2460);
    assert_int_equal(list.at[0].count, 2);
    assert_int_equal(list.at[0].offset, 1);
    assert_true(slice_eq(list.at[0].near, SLICE("(1)")));
    assert_int_equal(list.at[1].code, 0x1F600);
    assert_int_equal(list.at[1].line, 2);
    assert_int_equal(list.at[1].column, 3);
    assert_false(list.at[1].replaced);
    assert_true(slice_eq(list.at[2].near, SLICE("ガ")));
    assert_true(list.at[3].replaced && list.at[3].near.len == 0);
}

/* n bytes through iconv; 0 if it has none. */
static size_t through(iconv_t cd, const char *from, size_t n, char *to, size_t room) {
    char *in = (char *)from, *out = to;
    size_t left = room;
    iconv(cd, NULL, NULL, NULL, NULL);
    if (iconv(cd, &in, &n, &out, &left) != 0 || n || iconv(cd, NULL, NULL, &out, &left) != 0) return 0;
    return room - left;
}

/* Every character that a text in CP932 may have: carried as the C library's ISO-2022-JP carries it, or
 * listed. */
static void test_cp932(void **state) {
    (void)state;
    static struct charset_misfits list;
    iconv_t utf8 = iconv_open("UTF-8", "CP932"), jis = iconv_open("ISO-2022-JP", "UTF-8");
    if (utf8 == (iconv_t)-1 || jis == (iconv_t)-1) skip();
    size_t characters = 0, carried = 0, replaced = 0;
    for (unsigned code = 0x80; code < 0x10000; code++) {
        char bytes[2] = {(char)(code >> 8), (char)code}, text[16], want[32];
        size_t n = code < 0x100 ? through(utf8, bytes + 1, 1, text, sizeof text)
                                : through(utf8, bytes, 2, text, sizeof text);
        if (n == 0 || (code >= 0x100 && codec_utf8_next(slice_make(text, n)) != n)) continue;
        struct slice s = slice_make(text, n);
        if (n == 3 && memcmp(text, "\xEE\x80\x80", 3) >= 0 && memcmp(text, "\xEF\xA4\x80", 3) < 0)
            continue; /* for private use: U+E000 to U+F8FF */
        struct buf out;
        buf_init(&out, 64);
        characters++;
        charset_check(s, &list);
        bool fits = charset_put(&out, s, CHARSET_JIS, NULL) == 0;
        assert_int_equal(list.count, fits ? 0 : 1);
        size_t length = through(jis, text, n, want, sizeof want);
        bool roman = length > 3 && memcmp(want, "\x1b(J", 3) == 0;
        if (fits != (length > 0 && !roman)) fail_msg("CP932 %04X: %d, %zu", code, fits, length);
        if (fits) assert_true(slice_eq(buf_slice(&out), slice_make(want, length)));
        carried += fits;
        replaced += !fits && list.at[0].replaced;
        buf_done(&out);
    }
    iconv_close(utf8), iconv_close(jis);
    print_message("# CP932: %zu characters, %zu carried, %zu with substitute\n", characters, carried,
                  replaced);
    assert_true(characters > 7400 && carried > 6800 && replaced > 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_put), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_check), cmocka_unit_test(test_cp932)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("charset", tests, NULL, NULL);
}
