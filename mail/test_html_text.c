/* Text from HTML, in a table. In the expectations "{N}" is a token. */
#include "html_text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V(n)     "<!--tsubame:" #n "-->"
#define OPEN(n)  "<!--tsubame:" #n ":open-->"
#define ELSE(n)  "<!--tsubame:" #n ":else-->"
#define CLOSE(n) "<!--tsubame:" #n ":close-->"
#define ATTR(n)  HTML_TOKEN_OPEN #n HTML_TOKEN_CLOSE

static const struct {
    const char *html, *text;
} cases[] = {
    {"", ""},
    {"   ", ""},
    {"<p>One\n  two\t three</p>", "One two three\n"},
    {"<p>One</p><p>Two</p>three", "One\n\nTwo\n\nthree\n"},
    {"<h1>Head</h1>a<div>b</div>c", "Head\n\na\nb\nc\n"},
    {"a<br>b<br><br><br>c", "a\nb\n\nc\n"},
    {"<p>a<br></p><p>b</p>", "a\n\nb\n"},
    {"<b>a</b><i>b</i> <u>c</u>", "ab c\n"},
    {"&lt;b&gt; &amp; &eacute; &#8364;&nbsp;5", "<b> & é € 5\n"},
    /* what is hidden */
    {"<head><title>t</title><style>s</style></head><script>x</script>a<!-- c -->b", "ab\n"},
    {"<div style='display:none'>x</div><div style='DISPLAY : None !important'>x</div><p hidden>x</p>a",
     "a\n"},
    {"<div style='max-height:0;overflow:hidden'>x</div><span style='opacity:0'>x</span>a", "a\n"},
    {"<span style='font-size:0px'>x</span><div style='font-size:0'>a<div "
     "style='font-size:13px'>b</div></div>",
     "b\n"},
    {"<div style='max-height:0.5em'>a</div><i style='font-size:0.8em'>b</i>", "a\nb\n"},
    {"a&#8203;b&shy;c&zwnj;&nbsp;&zwnj;&nbsp;&#65279;", "abc\n"},
    {"<p>&nbsp;&zwnj;&nbsp;&zwnj;</p>a", "a\n"},
    {"می\xE2\x80\x8Cخواهم 👩\xE2\x80\x8D👧", "می\xE2\x80\x8Cخواهم 👩\xE2\x80\x8D👧\n"},
    /* Chinese and Japanese: a line break in the source is no blank */
    {"<p>日本\n  語 と\nabc\n。</p>", "日本語 と abc 。\n"},
    {"<p>\xE3\x80\x80日\xE3\x80\x80本\xE3\x80\x80</p><p>\xE3\x80\x80</p>x",
     "\xE3\x80\x80日\xE3\x80\x80本\n\nx\n"},
    {"한국\n어", "한국 어\n"},
    /* links and images */
    {"<a href='https://e.com/a?b=1&amp;c=2'>Read on</a>.", "Read on <https://e.com/a?b=1&c=2>.\n"},
    {"<a href='https://e.com/'>https://e.com</a> x", "https://e.com x\n"},
    {"<a href='https://e.com/'>e.com</a>", "e.com <https://e.com/>\n"},
    {"<a href='mailto:a@b.c?subject=x'>a@b.c</a> <a href='mailto:a@b.c'>mail</a>", "a@b.c mail <a@b.c>\n"},
    {"<a href='tel:+123'>(1) 23</a> <a href='#top'>up</a> <a name=x>n</a> <a href='javascript:x()'>j</a>",
     "(1) 23 up n j\n"},
    {"<p>a</p><a href='https://x/'><img src=p alt=' An  image '></a>", "a\n\nAn image <https://x/>\n"},
    {"<p>a</p><a href='https://x/'><img src=p></a>", "a\n\n<https://x/>\n"},
    {"<a href='https://x/'><div>Button</div></a>next", "Button <https://x/>\nnext\n"},
    {"<a href=' https://x/a b\n<c> '>t</a>", "t <https://x/a%20b%3Cc%3E>\n"},
    {"<img alt='' src=x><img src=x>a", "a\n"},
    /* lists and quotations */
    {"<ul><li>a<li>b</ul>", "- a\n- b\n"},
    {"x<ul><li>a<ol><li>b<li>c</ol>d</ul>y", "x\n\n- a\n  1. b\n  2. c\n  d\n\ny\n"},
    {"<ol start=9><li>a<li>b<li value=20>c</ol>", "9. a\n10. b\n20. c\n"},
    {"<ul><li><p>a</p><p>b</p><li></ul>", "- a\n\n  b\n"},
    {"<blockquote><p>a</p><p>b<blockquote>c</blockquote></blockquote>d", "> a\n>\n> b\n>\n> > c\n\nd\n"},
    {"<dl><dt>t<dd>d</dl>", "t\n  d\n"},
    {"a<hr>b", "a\n\n--------------------\n\nb\n"},
    {"<pre>a\n  b\n\n\tc</pre>d", "a\n  b\n\n\tc\n\nd\n"},
    /* tables */
    {"<table><tr><th>A<th>B<tr><td>1<td>2<br>3<tr><td><td>4</table>", "A | B\n1 | 2 3\n| 4\n"},
    {"<table><tr><td>a<td>b</table>", "a | b\n"},
    {"<table role=presentation><tr><td>a<td>b<tr><td>c</table>", "a\nb\n\nc\n"},
    {"<table><tr><td><table><tr><td>a</table><td><p>b</table>", "a\n\nb\n"},
    {"<table><caption>c</caption><tr><td>a<td>b</table>", "c\na | b\n"},
    /* tokens */
    {"<p>Hi " V(1) ",</p>", "Hi {1},\n"},
    {"<p>" V(1) "</p><p> " V(2) " " V(3) "</p>", "{1}\n\n{2} {3}\n"},
    {"<a href='https://x/" ATTR(7) "'>go " V(8) "</a>", "go {8} <https://x/{7}>\n"},
    {"<a href='" ATTR(7) "'>" V(7) "</a>", "{7}\n"},
    {"<img alt='" ATTR(3) "'>", "{3}\n"},
    {"<ul>" OPEN(1) "<li>" V(2) "</li>" CLOSE(3) "</ul>x", "{1}\n\n- {2}{3}\n\nx\n"},
    {"<p>a</p><ul>" OPEN(1) "<li>" V(2) "</li>" CLOSE(3) "</ul>x", "a{1}\n\n- {2}{3}\n\nx\n"},
    {"<ol>" OPEN(1) "<li>a</li>" CLOSE(3) "</ol>", "{1}\n\n- a{3}\n"},
    {"<p>w</p>" OPEN(1) "<p>x</p>" ELSE(2) "y" CLOSE(3) "z", "w{1}\n\nx{2}\n\ny{3}\n\nz\n"},
    {"a " OPEN(1) "b " CLOSE(2) "c", "a {1}b {2}c\n"},
    {"a" OPEN(1) " b" CLOSE(2) " c", "a{1} b{2} c\n"},
    {"<p>w</p>" OPEN(1) V(2) "<br>" CLOSE(3) "<p>x", "w\n\n{1}{2}\n{3}\n\nx\n"},
    {"<p>w</p>" OPEN(1) V(2) "<p>d</p>" CLOSE(3) "x", "w\n\n{1}{2}\n\nd\n\n{3}x\n"},
    {"<table><tr><td>a<td>b</tr>" OPEN(1) "<tr><td>" V(2) "<td>c</tr>" CLOSE(3) "</table>",
     "a | b{1}\n{2} | c{3}\n"},
    {"<table><tr><td>a</td>" OPEN(1) "<td>b</td>" CLOSE(2) "<td>c</table>", "a{1} | b{2} | c\n"},
    {"<blockquote>" OPEN(1) "<p>a</p>" CLOSE(2) "</blockquote>", "{1}\n\n> a{2}\n"},
    {"<title>" V(1) "</title>a<div style='display:none'>" V(2) "</div>", "a\n"},
    {"a\xEE\x80\x80"
     "b\xEE\x80\x81"
     "c<!--tsubame:x--><!--tsubame:1:z--><!--tsubame:1234567890-->",
     "abc\n"},
};

/* Tokens for people. */
static void show(struct slice text, struct buf *out) {
    for (size_t i = 0; i < text.len; i++) {
        struct slice rest = slice_skip(text, i);
        bool open = slice_starts(rest, SLICE(HTML_TOKEN_OPEN)),
             close = slice_starts(rest, SLICE(HTML_TOKEN_CLOSE));
        buf_put_c(out, open ? '{' : close ? '}' : text.at[i]);
        if (open || close) i += 2;
    }
}

static void test_cases(void **state) {
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out, shown;
        struct err err;
        buf_init(&out, 1 << 16), buf_init(&shown, 1 << 16);
        assert_int_equal(html_to_text(slice_of(cases[i].html), &out, &err), 0);
        show(buf_slice(&out), &shown);
        if (!slice_eq(buf_slice(&shown), slice_of(cases[i].text))) {
            print_error("%s\n  wanted: %s\n  got: %.*s\n", cases[i].html, cases[i].text,
                        SLICE_ARG(buf_slice(&shown)));
            wrong++;
        }
        buf_done(&out), buf_done(&shown);
    }
    assert_int_equal(wrong, 0);
}

static int convert_many(const char *bit, size_t count, struct err *err) {
    struct buf html, out;
    buf_init(&html, 4 << 20), buf_init(&out, 4 << 20);
    for (size_t i = 0; i < count; i++)
        buf_put_text(&html, bit);
    int rc = html_to_text(buf_slice(&html), &out, err);
    buf_done(&html), buf_done(&out);
    return rc;
}

static void test_bounds(void **state) {
    (void)state;
    struct err err;
    struct buf small;
    assert_int_equal(convert_many("<div>", 100000, &err), -1);
    assert_non_null(strstr(err.text, "within one another"));
    assert_int_equal(convert_many("<div>", HTML_DEPTH, &err), 0);
    assert_int_equal(convert_many("<br>", HTML_TAGS + 1, &err), -1);
    assert_non_null(strstr(err.text, "tags"));
    assert_int_equal(convert_many("<p a a a a a a a", 300, &err), -1);
    assert_non_null(strstr(err.text, "attributes"));
    assert_int_equal(convert_many("12345678", HTML_MAX / 8 + 1, &err), -1);
    assert_non_null(strstr(err.text, "larger"));
    assert_int_equal(convert_many("\xff", 1, &err), -1);
    assert_non_null(strstr(err.text, "UTF-8"));
    assert_int_equal(convert_many("<!--", 400000, &err), 0);
    assert_int_equal(convert_many(OPEN(1), 40000, &err), 0);
    buf_init(&small, 4);
    assert_int_equal(html_to_text(SLICE("<p>longer"), &small, &err), 0);
    assert_true(small.failed);
    buf_done(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_bounds)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("html_text", tests, NULL, NULL);
}
