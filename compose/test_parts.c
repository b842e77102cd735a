/* How a mail is built of parts: its tree, encodings and list headers, read back by a small strict reader. */
#include "b64.h"
#include "codec.h"
#include "header.h"
#include "render.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct slice columns[] = {{"email", 5}, {"name", 4}};
enum { COLUMNS = 2 };

/* ---- making a mail ---- */

static int personal(void *ctx, struct slice path, struct buf *out, struct err *err) {
    (void)ctx, (void)err;
    buf_put_text(out, "file of ");
    return buf_put_slice(out, path) ? 0 : -1;
}

/* The mail, or the text of the error. True for a mail. */
static bool make(const struct content *content, struct slice name, struct buf *out, struct buf *prefix) {
    struct err err = {.text = ""};
    struct renderer r;
    const struct slice values[COLUMNS] = {SLICE("x@y.test"), name};
    struct render_input in = {.to = values[0],
                              .values = values,
                              .value_count = COLUMNS,
                              .message_id = SLICE("i@b.test"),
                              .file = personal};
    renderer_init(&r);
    buf_reset(out);
    struct template *t = template_compile(content, columns, COLUMNS, &err);
    bool made = t && render_mail(&r, t, &in, out, &err) == 0;
    if (!made) buf_reset(out), buf_put_text(out, err.text);
    if (made && prefix) buf_reset(prefix), buf_put_slice(prefix, template_prefix(t));
    template_free(t);
    renderer_done(&r);
    return made;
}

/* ---- reading it ---- */

/* The value of a field, unfolded by the reader's eye only; empty when it is not there. */
static struct slice field(struct slice mail, struct slice name, struct slice *body) {
    struct header_field f;
    struct slice value = {NULL, 0};
    while (header_next(&mail, &f))
        if (slice_eq_nocase(f.name, name)) value = slice_trim(f.value);
    if (body) *body = mail;
    return value;
}

static int hex(char c) {
    static const char digits[] = "0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    assert_non_null(at);
    return (int)(at - digits);
}

static void decode(struct slice encoding, struct slice body, struct buf *out) {
    if (slice_eq(encoding, SLICE("base64"))) {
        struct buf digits;
        struct slice line;
        buf_init(&digits, 1 << 20);
        while (body.len && slice_cut(&body, '\n', &line)) {
            assert_true(line.len && line.at[line.len - 1] == '\r' && line.len - 1 <= B64_LINE);
            buf_put(&digits, line.at, line.len - 1);
        }
        assert_true(codec_unbase64(out, buf_slice(&digits)));
        buf_done(&digits);
        return;
    }
    bool qp = slice_eq(encoding, SLICE("quoted-printable"));
    assert_true(qp || slice_eq(encoding, SLICE("7bit")));
    for (size_t i = 0; i < body.len; i++) {
        struct slice rest = slice_skip(body, i);
        if (!qp || body.at[i] != '=') {
            buf_put_c(out, body.at[i]);
        } else {
            assert_true(rest.len > 2);
            if (rest.at[1] != '\r') buf_put_c(out, (char)(hex(rest.at[1]) << 4 | hex(rest.at[2])));
            i += 2;
        }
    }
}

/* "mixed(alternative(plain[...],html[...]),pdf[...])": types, and what is in the leaves, decoded. */
static void show(struct slice entity, bool texts, struct buf *out) {
    struct slice body, type = field(entity, SLICE("Content-Type"), &body);
    ptrdiff_t slash = slice_find(type, '/'), semicolon = slice_find(type, ';');
    assert_true(slash > 0);
    if (semicolon < 0) semicolon = (ptrdiff_t)type.len;
    struct slice sub = slice_make(type.at + slash + 1, (size_t)(semicolon - slash - 1));
    buf_put_slice(out, sub);
    if (!slice_starts(type, SLICE("multipart/"))) {
        buf_put_c(out, '[');
        if (texts) decode(field(entity, SLICE("Content-Transfer-Encoding"), NULL), body, out);
        buf_put_c(out, ']');
        return;
    }
    ptrdiff_t at = slice_find_nocase(type, SLICE("boundary=\""));
    struct slice boundary = slice_skip(type, (size_t)at + 10);
    boundary.len = (size_t)slice_find(boundary, '"');
    struct buf mark;
    buf_init(&mark, 256);
    buf_printf(&mark, "\r\n--%.*s", SLICE_ARG(boundary));
    assert_true(slice_starts(body, slice_skip(buf_slice(&mark), 2)));
    body = slice_skip(body, mark.len - 2 + 2); /* nothing stands before the first */
    buf_put_c(out, '(');
    for (bool more = true, first = true; more; first = false) {
        const char *end = memmem(body.at, body.len, mark.at, mark.len);
        assert_non_null(end);
        struct slice part = slice_make(body.at, (size_t)(end - body.at));
        if (!first) buf_put_c(out, ',');
        show(part, texts, out);
        body = slice_skip(body, part.len + mark.len);
        more = !slice_starts(body, SLICE("--\r\n"));
        if (more) assert_true(slice_starts(body, SLICE("\r\n")));
        body = slice_skip(body, more ? 2 : 4);
    }
    assert_int_equal(body.len, 0);
    buf_put_c(out, ')');
    buf_done(&mark);
}

/* No line longer than RFC 5322 allows, all in CRLF and 7 bits. */
static void check_lines(struct slice mail) {
    struct slice line;
    while (mail.len && slice_cut(&mail, '\n', &line)) {
        assert_true(line.len && line.len <= 999 && line.at[line.len - 1] == '\r');
        for (size_t i = 0; i + 1 < line.len; i++)
            assert_true(line.at[i] != '\r' && line.at[i] > 0);
    }
}

/* ---- the tree ---- */

static const struct content_file all_files[] = {
    {false, {"a.pdf", 5}, {"application/pdf", 15}, {NULL, 0}, {NULL, 0}, {"PDF", 3}},
    {false, {"{{name}}.zip", 12}, {"application/zip", 15}, {NULL, 0}, {"{{name}}", 8}, {NULL, 0}},
    {true, {"l.png", 5}, {"image/png", 9}, {"logo", 4}, {NULL, 0}, {"PNG", 3}},
};
enum { TEXT = 1, HTML = 2, FILE_ALL = 4, FILE_OWN = 8, PICTURE = 16 };

static const struct {
    unsigned has;
    const char *tree;
} trees[] = {
    {TEXT, "plain[t Anna]"},
    {HTML, "html[<p>Anna]"},
    {TEXT | HTML, "alternative(plain[t Anna],html[<p>Anna])"},
    {TEXT | FILE_ALL, "mixed(plain[t Anna],pdf[PDF])"},
    {TEXT | FILE_OWN, "mixed(plain[t Anna],zip[file of Anna])"},
    {TEXT | FILE_ALL | FILE_OWN, "mixed(plain[t Anna],pdf[PDF],zip[file of Anna])"},
    {HTML | FILE_ALL, "mixed(html[<p>Anna],pdf[PDF])"},
    {HTML | FILE_OWN, "mixed(html[<p>Anna],zip[file of Anna])"},
    {HTML | FILE_ALL | FILE_OWN, "mixed(html[<p>Anna],pdf[PDF],zip[file of Anna])"},
    {HTML | PICTURE, "related(html[<p>Anna],png[PNG])"},
    {HTML | PICTURE | FILE_ALL, "mixed(related(html[<p>Anna],png[PNG]),pdf[PDF])"},
    {HTML | PICTURE | FILE_OWN, "mixed(related(html[<p>Anna],png[PNG]),zip[file of Anna])"},
    {HTML | PICTURE | FILE_ALL | FILE_OWN,
     "mixed(related(html[<p>Anna],png[PNG]),pdf[PDF],zip[file of Anna])"},
    {TEXT | HTML | FILE_ALL, "mixed(alternative(plain[t Anna],html[<p>Anna]),pdf[PDF])"},
    {TEXT | HTML | FILE_OWN, "mixed(alternative(plain[t Anna],html[<p>Anna]),zip[file of Anna])"},
    {TEXT | HTML | FILE_ALL | FILE_OWN,
     "mixed(alternative(plain[t Anna],html[<p>Anna]),pdf[PDF],zip[file of Anna])"},
    {TEXT | HTML | PICTURE, "alternative(plain[t Anna],related(html[<p>Anna],png[PNG]))"},
    {TEXT | HTML | PICTURE | FILE_ALL,
     "mixed(alternative(plain[t Anna],related(html[<p>Anna],png[PNG])),pdf[PDF])"},
    {TEXT | HTML | PICTURE | FILE_OWN,
     "mixed(alternative(plain[t Anna],related(html[<p>Anna],png[PNG])),zip[file of Anna])"},
    {TEXT | HTML | PICTURE | FILE_ALL | FILE_OWN,
     "mixed(alternative(plain[t Anna],related(html[<p>Anna],png[PNG])),pdf[PDF],zip[file of Anna])"},
};

static struct content content_with(unsigned has, struct content_file *files) {
    struct content c = {.from = SLICE("a@b.test"), .subject = SLICE("s"), .no_auto_text = true};
    if (has & TEXT) c.text = SLICE("t {{name}}");
    if (has & HTML) c.html = SLICE("<p>{{name}}");
    for (size_t i = 0; i < 3; i++)
        if (has & (unsigned)FILE_ALL << i) files[c.file_count++] = all_files[i];
    c.files = files;
    return c;
}

/* A text that its mail ends with has a line's end of its own. */
static void drop_breaks(struct buf *b) {
    size_t n = 0;
    for (size_t i = 0; i < b->len; i++)
        if (b->at[i] != '\r' && b->at[i] != '\n') b->at[n++] = b->at[i];
    b->len = n;
}

static void test_trees(void **state) {
    (void)state;
    struct buf mail, shown;
    unsigned wrong = 0;
    buf_init(&mail, 1 << 20), buf_init(&shown, 1 << 16);
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
        for (int form = 0; form < 6; form++) {
            struct content_file files[3];
            struct content c = content_with(trees[i].has, files);
            c.encoding = (enum content_encoding)(form % 3);
            c.charset = (enum content_charset)(form / 3);
            if (!make(&c, SLICE("Anna"), &mail, NULL)) fail_msg("%.*s", SLICE_ARG(buf_slice(&mail)));
            check_lines(buf_slice(&mail));
            buf_reset(&shown);
            show(buf_slice(&mail), true, &shown);
            drop_breaks(&shown);
            if (slice_eq(buf_slice(&shown), slice_of(trees[i].tree))) continue;
            print_error("wanted %s\ngot %.*s\n", trees[i].tree, SLICE_ARG(buf_slice(&shown)));
            wrong++;
        }
    buf_done(&mail), buf_done(&shown);
    assert_int_equal(wrong, 0);
}

/* ---- encodings ---- */

static const struct {
    enum content_encoding encoding;
    enum content_charset charset;
    bool substitute;
    const char *text, *name;
    const char *encoded; /* header line and body as they are in the mail */
} bodies[] = {
    {CONTENT_AUTO, CONTENT_UTF_8, false, "Hi {{name}}", "\xC3\xA9", "quoted-printable\r\n\r\nHi =C3=A9\r\n"},
    {CONTENT_AUTO, CONTENT_UTF_8, false, "日本 {{name}}", "語", "base64\r\n\r\n5pel5pysIOiqng==\r\n"},
    {CONTENT_AUTO, CONTENT_UTF_8, false, "日本", "", "base64\r\n\r\n5pel5pys\r\n"},
    {CONTENT_QUOTED_PRINTABLE, CONTENT_UTF_8, false, "日{{name}}", "a\nb",
     "quoted-printable\r\n\r\n=E6=97=A5a\r\nb\r\n"},
    {CONTENT_BASE64, CONTENT_UTF_8, false, "a\n{{name}}", "b", "base64\r\n\r\nYQ0KYg==\r\n"},
    {CONTENT_AUTO, CONTENT_ISO_2022_JP, false, "日{{name}}\nx", "本",
     "7bit\r\n\r\n\x1b$BF|K\\\x1b(B\r\nx\r\n"},
    {CONTENT_AUTO, CONTENT_ISO_2022_JP, false, "{{name}}", "a\rb\r\n\nc\n",
     "7bit\r\n\r\na\r\nb\r\n\r\nc\r\n"},
    {CONTENT_AUTO, CONTENT_ISO_2022_JP, true, "{{name}}", "①", "7bit\r\n\r\n(1)\r\n"},
    /* what could be taken for something else */
    {CONTENT_AUTO, CONTENT_ISO_2022_JP, false, "a\n{{name}}", "From b", "base64\r\n\r\nYQ0KRnJvbSBi\r\n"},
    {CONTENT_AUTO, CONTENT_ISO_2022_JP, false, "{{name}}", "--=_t_0", "base64\r\n\r\nLS09X3RfMA==\r\n"},
    {CONTENT_AUTO, CONTENT_ISO_2022_JP, false, "{{name}}", "a From b", "7bit\r\n\r\na From b\r\n"},
    {CONTENT_QUOTED_PRINTABLE, CONTENT_UTF_8, false, "{{name}}", "--=_t_0",
     "quoted-printable\r\n\r\n--=3D_t_0\r\n"},
};

static void test_bodies(void **state) {
    (void)state;
    struct buf mail;
    unsigned wrong = 0;
    buf_init(&mail, 1 << 20);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct content c = {.from = SLICE("a@b.test"),
                            .subject = SLICE("s"),
                            .text = slice_of(bodies[i].text),
                            .encoding = bodies[i].encoding,
                            .charset = bodies[i].charset,
                            .substitute = bodies[i].substitute};
        make(&c, slice_of(bodies[i].name), &mail, NULL);
        const char *at = memmem(mail.at, mail.len, "Encoding: ", 10);
        struct slice got =
            at ? slice_make(at + 10, (size_t)(mail.at + mail.len - at - 10)) : buf_slice(&mail);
        if (slice_eq(got, slice_of(bodies[i].encoded))) continue;
        print_error("%s\n  wanted: %s\n  got: %.*s\n", bodies[i].text, bodies[i].encoded, SLICE_ARG(got));
        wrong++;
    }
    buf_done(&mail);
    assert_int_equal(wrong, 0);
}

/* Lines of every length around what 7bit can carry arrive as they were: nothing is broken. */
static const struct {
    const char *piece;
    size_t bytes; /* of it alone, in ISO-2022-JP */
} pieces[] = {{"a", 1}, {"日", 2}, {"a日", 9}, {"aП", 9}, {"a日 ", 10}};

static void test_long_lines(void **state) {
    (void)state;
    struct buf mail, shown, name, want;
    buf_init(&mail, 1 << 20), buf_init(&shown, 1 << 20), buf_init(&name, 1 << 16), buf_init(&want, 1 << 16);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (size_t n = 1; n * pieces[i].bytes<2200; n += n * pieces[i].bytes> 900 ? 1 : 50) {
            struct content c = {.from = SLICE("a@b.test"),
                                .subject = SLICE("s"),
                                .text = SLICE("{{name}}"),
                                .charset = CONTENT_ISO_2022_JP};
            buf_reset(&name), buf_reset(&want), buf_reset(&shown);
            for (size_t k = 0; k < n; k++)
                buf_put_text(&name, pieces[i].piece);
            assert_true(make(&c, buf_slice(&name), &mail, NULL));
            check_lines(buf_slice(&mail));
            buf_put_text(&want, "plain[");
            charset_put(&want, buf_slice(&name), CHARSET_JIS, NULL);
            struct slice plain = slice_skip(buf_slice(&want), 6);
            bool fits = plain.len <= 998;
            assert_true(slice_eq(field(buf_slice(&mail), SLICE("Content-Transfer-Encoding"), NULL),
                                 fits ? SLICE("7bit") : SLICE("base64")));
            if (fits) buf_put_text(&want, "\r\n");
            buf_put_text(&want, "]");
            show(buf_slice(&mail), true, &shown);
            assert_true(slice_eq(buf_slice(&shown), buf_slice(&want)));
        }
    buf_done(&mail), buf_done(&shown), buf_done(&name), buf_done(&want);
}

/* ---- files ---- */

static void test_files(void **state) {
    (void)state;
    static const char *const wanted[] = {
        "Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename=a.pdf\r\n\r\nUERG\r\n",
        "Content-Type: application/zip; name=Anna.zip\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename=Anna.zip\r\n\r\nZmlsZSBvZiBBbm5h\r\n",
        "Content-Type: image/png; name=l.png\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: inline; filename=l.png\r\nContent-ID: <logo>\r\n\r\nUE5H\r\n"};
    struct content_file files[3];
    struct content c = content_with(TEXT | HTML | PICTURE | FILE_ALL | FILE_OWN, files);
    struct buf mail;
    buf_init(&mail, 1 << 20);
    assert_true(make(&c, SLICE("Anna"), &mail, NULL));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!memmem(mail.at, mail.len, wanted[i], strlen(wanted[i]))) fail_msg("%s is not there", wanted[i]);
    assert_false(make(&c, SLICE(""), &mail, NULL) && !memmem(mail.at, mail.len, "filename=.zip", 13));
    assert_false(make(&c, SLICE("a\r\nX: y"), &mail, NULL));
    assert_true(make(&c, SLICE("\"; x=\"y"), &mail, NULL));
    static const char name[] = "filename*=utf-8''%22%3B%20x%3D%22y.zip;\r\n filename=\"_; x=_y.zip\"\r\n";
    assert_non_null(memmem(mail.at, mail.len, name, strlen(name)));
    buf_done(&mail);
}

/* ---- list headers ---- */

static const struct {
    const char *id, *url, *mail;
    bool one_click;
    const char *name, *headers; /* or the error */
} lists[] = {
    {"News <news.b.test>", "", "", false, "", "List-Id: News <news.b.test>\r\n"},
    {"news.b.test", "", "", false, "", "List-Id: <news.b.test>\r\n"},
    {"<news.b.test>", "", "", false, "", "List-Id: <news.b.test>\r\n"},
    {"{{name}} <news.b.test>", "", "", false, "燕", "List-Id: =?utf-8?B?54eV?= <news.b.test>\r\n"},
    {"燕 <news.b.test>", "", "", false, "", "List-Id: =?utf-8?B?54eV?= <news.b.test>\r\n"},
    {"<{{name}}.b.test>", "", "", false, "a b", "list, id: '<a b.b.test>' is not"},
    {"News", "", "", false, "", "list, id: \"Name <news.example.com>\" is expected"},
    {"", "https://b.test/u?{{name}}", "", true, "a=b&c",
     "List-Unsubscribe: <https://b.test/u?a=b&c>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"},
    {"", "https://b.test/{{name}}", "", false, "é >,<%41",
     "List-Unsubscribe: <https://b.test/%C3%A9%20%3E%2C%3C%41>\r\n"},
    {"", "https://b.test/{{name}}", "", false, "?t=?utf-8?B?",
     "List-Unsubscribe: <https://b.test/?t=%3Futf-8?B?>\r\n"},
    {"", "http://b.test/", "", false, "", "List-Unsubscribe: <http://b.test/>\r\n"},
    {"", "http://b.test/", "", true, "", "list, one_click: it needs an unsubscribe_url"},
    {"", "", "", true, "", "list, one_click: it needs an unsubscribe_url"},
    {"", "{{name}}", "", true, "http://b.test/", "list, unsubscribe_url: 'http://b.test/' does not begin"},
    {"", "{{name}}", "", false, "", "list, unsubscribe_url: '' does not begin"},
    {"", "ftp://b.test", "", false, "", "list, unsubscribe_url: a URL that begins with https://"},
    {"", "https://b.test/{{name}}", "", false, "a\r\nX: y", "list, unsubscribe_url, line 1, column 16"},
    {"", "", "u@b.test", false, "", "List-Unsubscribe: <mailto:u@b.test>\r\n"},
    {"", "", "mailto:u@b.test?subject={{name}}", false, "a b",
     "List-Unsubscribe: <mailto:u@b.test?subject=a%20b>\r\n"},
    {"", "", "{{name}}", false, " ", "list, unsubscribe_mail: '': byte 1: the address is empty"},
    {"", "https://b.test/", "u+{{name}}@b.test", true, "7",
     "List-Unsubscribe: <https://b.test/>, <mailto:u+7@b.test>\r\nList-Unsubscribe-Post: "
     "List-Unsubscribe=One-Click\r\n"},
};

/* The List- fields of a mail. */
static void list_fields(struct slice mail, struct buf *out) {
    struct header_field f;
    buf_reset(out);
    while (header_next(&mail, &f))
        if (slice_starts(f.name, SLICE("List-"))) buf_put_slice(out, f.whole);
}

static void test_lists(void **state) {
    (void)state;
    struct buf mail, fields;
    unsigned wrong = 0;
    buf_init(&mail, 1 << 20), buf_init(&fields, 1 << 16);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct content c = {.from = SLICE("a@b.test"),
                            .subject = SLICE("s"),
                            .text = SLICE("t"),
                            .list_id = slice_of(lists[i].id),
                            .unsubscribe_url = slice_of(lists[i].url),
                            .unsubscribe_mail = slice_of(lists[i].mail),
                            .one_click = lists[i].one_click};
        bool made = make(&c, slice_of(lists[i].name), &mail, NULL);
        if (made) list_fields(buf_slice(&mail), &fields);
        struct slice got = buf_slice(made ? &fields : &mail);
        bool right =
            made ? slice_eq(got, slice_of(lists[i].headers)) : slice_starts(got, slice_of(lists[i].headers));
        if (right) continue;
        print_error("wanted: %s\n  got: %.*s\n", lists[i].headers, SLICE_ARG(got));
        wrong++;
    }
    buf_done(&mail), buf_done(&fields);
    assert_int_equal(wrong, 0);
}

/* A URL can't be folded: one that is too long for a line is refused, not written as encoded words. */
static void test_long_url(void **state) {
    (void)state;
    struct buf mail, name;
    struct content c = {.from = SLICE("a@b.test"),
                        .subject = SLICE("s"),
                        .text = SLICE("t"),
                        .unsubscribe_url = SLICE("https://b.test/{{name}}")};
    buf_init(&mail, 1 << 20), buf_init(&name, 1 << 16);
    for (size_t n = 1; n < 1200; n++) {
        buf_put_c(&name, 'a');
        bool made = make(&c, buf_slice(&name), &mail, NULL);
        assert_int_equal(made, 15 + n <= 800);
        if (!made) continue;
        check_lines(buf_slice(&mail));
        assert_null(memmem(mail.at, mail.len, "=?", 2));
    }
    buf_done(&mail), buf_done(&name);
}

/* ---- what all bodies begin with ---- */

static const char *const fronts[] = {
    "Dear {{name}},\n",
    "{{name}}",
    "One line\nand {{name}}\n",
    "Blank \n \n{{name}} ",
    "no break {{name}}",
    "{{#if name}}Yes{{else}}No{{/if}}",
    "x\n{{#each this}}y\n{{/each}}",
    "a\n{{! c }}\n  {{~name}}",
    ".dot\nFrom x\n{{name}}",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345\n{{name}}",
    "01234567890123456789012345678901234567890123456789012345678901234567890123456789 {{name}}",
    "0123456789012345678901234567890123456789012345678901234567890123456789012 {{name}}",
    "same for all",
    "日本語\n{{name}}",
    "日{{name}}",
};
static const char *const front_names[] = {
    "",  "a",    "\n", " ",      "\r\n",
    ".", "日本", "=",  "a\nb\n", "01234567890123456789012345678901234567890123456789012345678901234567890"};

static void check_prefix(const struct content *c, const char *text) {
    struct buf mail, prefix, first;
    buf_init(&mail, 1 << 20), buf_init(&prefix, 1 << 20), buf_init(&first, 1 << 20);
    for (size_t k = 0; k < sizeof front_names / sizeof *front_names; k++) {
        if (!make(c, slice_of(front_names[k]), &mail, &prefix)) {
            if (k == 2 || k == 4 || k == 8) continue; /* a line break, where a file's name has it */
            fail_msg("%s: %.*s", text, SLICE_ARG(buf_slice(&mail)));
        }
        const char *body = memmem(mail.at, mail.len, "\r\n\r\n", 4);
        assert_non_null(body);
        struct slice rest = slice_make(body + 4, (size_t)(mail.at + mail.len - body - 4));
        if (!slice_starts(rest, buf_slice(&prefix)))
            fail_msg("%s with '%s': '%.*s' does not begin with '%.*s'", text, front_names[k], SLICE_ARG(rest),
                     SLICE_ARG(buf_slice(&prefix)));
        if (k == 0) buf_put_slice(&first, buf_slice(&prefix));
        assert_true(slice_eq(buf_slice(&prefix), buf_slice(&first)));
    }
    buf_done(&mail), buf_done(&prefix), buf_done(&first);
}

static void test_prefix(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++)
        for (unsigned has = TEXT; has < 32; has++)
            for (int form = 0; form < 4; form++) {
                struct content_file files[3];
                struct content c = content_with(has, files);
                if (!(has & (TEXT | HTML)) || ((has & PICTURE) && !(has & HTML))) continue;
                if (has & TEXT) c.text = slice_of(fronts[i]);
                if (has & HTML) c.html = slice_of(fronts[i]);
                c.encoding = form < 3 ? (enum content_encoding)form : CONTENT_AUTO;
                c.charset = form == 3 ? CONTENT_ISO_2022_JP : CONTENT_UTF_8;
                check_prefix(&c, fronts[i]);
            }
}

/* And it is worth having: a text's fixed lines, and a multipart's beginning, are in it. */
static void test_prefix_is_there(void **state) {
    (void)state;
    struct buf mail, prefix;
    struct content c = {
        .from = SLICE("a@b.test"), .subject = SLICE("s"), .text = SLICE("One\nTwo\nThree {{name}}")};
    buf_init(&mail, 1 << 20), buf_init(&prefix, 1 << 20);
    assert_true(make(&c, SLICE("x"), &mail, &prefix));
    assert_true(slice_eq(buf_slice(&prefix), SLICE("One\r\nTwo\r\n")));
    c.text = SLICE("One");
    assert_true(make(&c, SLICE("x"), &mail, &prefix));
    assert_true(slice_eq(buf_slice(&prefix), SLICE("One\r\n")));
    c.html = SLICE("<p>Two</p>");
    assert_true(make(&c, SLICE("x"), &mail, &prefix));
    assert_non_null(memmem(prefix.at, prefix.len, "<p>Two</p>", 10));
    buf_done(&mail), buf_done(&prefix);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),      cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_files),
        cmocka_unit_test(test_lists),      cmocka_unit_test(test_long_url),
        cmocka_unit_test(test_prefix),     cmocka_unit_test(test_prefix_is_there),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
