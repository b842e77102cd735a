/* Content files, the stored payload, templates and what becomes of them: the cases that are not a matter of
 * round trips (those are in test_mails.py). */
#include "render.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const struct slice columns[] = {{"email", 5}, {"name", 4}, {"First Name", 10}};
enum { COLUMNS = 3 };

static struct content parse(struct arena *arena, const char *yaml) {
    struct err err = {.text = ""};
    struct content content;
    struct yaml *root = yaml_parse(slice_of(yaml), "t.yaml", arena, &err);
    if (!root) fail_msg("%s", err.text);
    if (content_from_yaml(root, "t.yaml", NULL, arena, &content, &err)) fail_msg("%s", err.text);
    return content;
}

/* The mail of a template for these values, or the text of the error, NUL-terminated in out. */
static void render(const char *yaml, const struct slice *values, struct buf *out) {
    struct arena arena;
    struct err err = {.text = ""};
    struct renderer r;
    arena_init(&arena, 1 << 20);
    renderer_init(&r);
    struct content content = parse(&arena, yaml);
    struct template *t = template_compile(&content, columns, COLUMNS, &err);
    arena_done(&arena); /* the template keeps nothing of it */
    struct render_input in = {.to = values[0],
                              .values = values,
                              .value_count = COLUMNS,
                              .message_id = SLICE("id.1@example.org"),
                              .date = INT64_C(1700000000000000)};
    if (!t || render_mail(&r, t, &in, out, &err)) {
        buf_reset(out);
        buf_put_text(out, err.text);
    }
    buf_put_c(out, 0);
    template_free(t);
    renderer_done(&r);
}

struct file_case {
    const char *yaml, *error;
};

static const struct file_case files[] = {
    {"from: a@b.c\nsubject: s\ntext: t\ncolour: red\n", "t.yaml:4:9: colour: unknown key (known are from,"},
    {"from: a@b.c\nsubject: s\n", "t.yaml: one of the keys text, html, text_file, html_file is required"},
    {"subject: s\ntext: t\n", "t.yaml: the key 'from' is missing"},
    {"from: a@b.c\ntext: t\n", "t.yaml: the key 'subject' is missing"},
    {"from: 'A <a b@b.c>'\nsubject: s\ntext: t\n", "t.yaml:1:7: from: 'a b@b.c': byte 2: a blank"},
    {"from: 'A <>'\nsubject: s\ntext: t\n", "t.yaml:1:7: from: an address is required"},
    {"from: 'A <a@b.c'\nsubject: s\ntext: t\n", "t.yaml:1:7: from: expected \"address\" or"},
    {"from: '{{name}}'\nsubject: s\ntext: t\n", "t.yaml:1:7: from: the address can't have variables"},
    {"from: a@b.c\nsubject: {{name}}\ntext: t\n", "t.yaml:2:"},
    {"from: a@b.c\nsubject: [x]\ntext: t\n", "t.yaml:2:10: subject: text is expected here"},
    {"from: a@b.c\nsubject: \"a\\nBcc: x@y.z\"\ntext: t\n", "t.yaml:2:10: subject: it holds a line break"},
    {"from: a@b.c\nsubject: \"a\\0\"\ntext: t\n", "t.yaml:2:10: NUL in a value"},
    {"from: a@b.c\nsubject: s\ntext: \"a\\0\"\n", "t.yaml:3:7: NUL in a value"},
    {"from: a@b.c\nsubject: s\ntext_file: x.txt\n", "t.yaml:3:12: text_file: files can't be named here"},
    {"from: a@b.c\nsubject: s\ntext: t\nheaders: x\n", "t.yaml:4:10: headers: a map of names to texts"},
    {"from: a@b.c\nsubject: s\ntext: t\nheaders:\n  Bcc: x@y.z\n",
     "t.yaml:5:8: Bcc: this header is written by"},
    {"from: a@b.c\nsubject: s\ntext: t\nheaders:\n  content-type: x\n",
     "t.yaml:5:17: content-type: this header"},
    {"from: a@b.c\nsubject: s\ntext: t\nheaders:\n  \"X: y\": x\n",
     "t.yaml:5:11: X: y: this is not a header's"},
    {"from: a@b.c\nsubject: s\ntext: t\nheaders:\n  X-A: \"a\\r\\nB: c\"\n",
     "t.yaml:5:8: X-A: it holds a line"},
    {"- a\n", "t.yaml:1: a map is expected"},
};

static void test_files(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct arena arena;
        struct err err = {.text = ""};
        struct content content;
        arena_init(&arena, 1 << 20);
        struct yaml *root = yaml_parse(slice_of(files[i].yaml), "t.yaml", &arena, &err);
        if (root && content_from_yaml(root, "t.yaml", NULL, &arena, &content, &err) == 0)
            fail_msg("taken: %s", files[i].yaml);
        assert_int_equal(err.kind, ERR_INPUT);
        if (!slice_starts(slice_of(err.text), slice_of(files[i].error)))
            fail_msg("%s\ninstead of %s", err.text, files[i].error);
        arena_done(&arena);
    }
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_parts_in_files(void **state) {
    (void)state;
    char folder[] = "/tmp/tsubame-content-XXXXXX", path[128];
    struct arena arena;
    struct content content;
    struct err err;
    assert_non_null(mkdtemp(folder));
    arena_init(&arena, 64 << 20);
    snprintf(path, sizeof path, "%s/b.html", folder);
    write_file(path, "\xEF\xBB\xBF<p>Hi");
    snprintf(path, sizeof path, "%s/t.yaml", folder);
    write_file(path, "from: a@b.c\nsubject: s\nhtml_file: b.html\n");
    assert_int_equal(content_read(path, &arena, &content, &err), 0);
    assert_true(slice_eq(content.html, SLICE("<p>Hi")));
    write_file(path, "from: a@b.c\nsubject: s\nhtml_file: c.html\n");
    assert_int_equal(content_read(path, &arena, &content, &err), -1);
    assert_non_null(strstr(err.text, "t.yaml:3:12: html_file: "));
    assert_non_null(strstr(err.text, "No such file"));
    write_file(path, "from: a@b.c\nsubject: s\nhtml: x\nhtml_file: b.html\n");
    assert_int_equal(content_read(path, &arena, &content, &err), -1);
    assert_non_null(strstr(err.text, "t.yaml:4:12: html_file: this part is there already"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(content_read(path, &arena, &content, &err), -1);
    snprintf(path, sizeof path, "%s/b.html", folder);
    unlink(path);
    rmdir(folder);
    arena_done(&arena);
}

static void test_payload(void **state) {
    (void)state;
    struct arena arena;
    struct buf bytes;
    struct content in, out;
    struct err err;
    arena_init(&arena, 16 << 20);
    buf_init(&bytes, 1 << 16);
    in = parse(&arena,
               "from: A <a@b.c>\nsubject: s {{name}}\ntext: t\nhtml: h\nreply_to: R <r@b.c>\nto_name: n\n"
               "headers:\n  X-A: 1\n  X-B: ''\n");
    content_encode(&in, &bytes);
    assert_false(bytes.failed);
    assert_int_equal(content_decode(buf_slice(&bytes), &arena, &out, &err), 0);
    assert_true(slice_eq(out.from_name, SLICE("A")) && slice_eq(out.from, SLICE("a@b.c")));
    assert_true(slice_eq(out.to_name, SLICE("n")) && slice_eq(out.subject, SLICE("s {{name}}")));
    assert_true(slice_eq(out.reply_to_name, SLICE("R")) && slice_eq(out.reply_to, SLICE("r@b.c")));
    assert_true(slice_eq(out.text, SLICE("t")) && slice_eq(out.html, SLICE("h")));
    assert_int_equal(out.header_count, 2);
    assert_true(slice_eq(out.headers[0].value, SLICE("1")) && slice_eq(out.headers[1].name, SLICE("X-B")));
    /* Cut anywhere it is damaged, or (between two fields) content that the compiler refuses or takes. */
    for (size_t n = 0; n < bytes.len; n++)
        if (content_decode(slice_make(bytes.at, n), &arena, &out, &err) == 0)
            template_free(template_compile(&out, columns, COLUMNS, &err));
    bytes.at[0] = 4;
    assert_int_equal(content_decode(buf_slice(&bytes), &arena, &out, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    const struct slice damaged[] = {SLICE(""),
                                    SLICE("\1\x63\1x"),
                                    SLICE("\1\2\5a"),
                                    SLICE("\1\2\1a\2\1b"),
                                    SLICE("\1\x9\1a\x9\1b"),
                                    SLICE("\1\x9\1a"),
                                    SLICE("\1\xa\1a")};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        assert_int_equal(content_decode(damaged[i], &arena, &out, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    buf_done(&bytes);
    arena_done(&arena);
}

#define HEAD   "from: a@b.c\nsubject: s\n"
#define SHARED HEAD "shared: true\n"

static const struct file_case templates[] = {
    {HEAD "text: 'Hi {{nmae}}'\n",
     "text, line 1, column 4: no column is called 'nmae' (there are: email, name, First"},
    {HEAD "html: |\n  <p>\n  é{{x}}\n", "html, line 2, column 2: no column is called 'x'"},
    {HEAD "text: 'Hi {{name'\n", "text, line 1, column 4: this tag is never closed"},
    {HEAD "text: 'Hi {{{name}}'\n",
     "text, line 1, column 11: }}} is expected here, the end of the tag of line 1, column 4"},
    {HEAD "text: 'Hi {{ }}'\n", "text, line 1, column 4: no name between the braces"},
    {HEAD "text: 'Hi {{#if name}}'\n", "text, line 1, column 4: this block ('if') is never closed"},
    {HEAD "text: \"Hi {{na\\nme}}\"\n", "text, line 1, column 4: no helper is called 'na'"},
    {"from: a@b.c\nsubject: '{{Name}}'\ntext: t\n", "subject, line 1, column 1: no column is called 'Name'"},
    {HEAD "text: t\nheaders:\n  X-A: '1{{y}}'\n", "headers, X-A, line 1, column 2: no column is called 'y'"},
    {HEAD "text: t\nreply_to: a b@c.d\n", "reply_to: byte 2: a blank"},
    {SHARED "text: 'Hi {{name}}'\n",
     "text, line 1, column 4: {{name}}: a shared mail is the same for everybody"},
    {SHARED "html: '<p>{{#if name}}x{{/if}}'\n", "html, line 1, column 10: {{name}}: a shared mail is"},
    {SHARED "html: '<p>{{#each name}}x{{/each}}'\n", "html, line 1, column 12: {{name}}: a shared mail is"},
    {SHARED "text: t\nlist: {unsubscribe_url: 'https://x.example/{{email}}'}\n",
     "list, unsubscribe_url, line 1, column 19: {{email}}: a shared mail is"},
    {SHARED "text: t\nreply_to: '{{email}}'\n", "reply_to, line 1, column 1: {{email}}: a shared mail is"},
    {SHARED "text: t\nheaders: {X-A: '{{email}}'}\n", "headers, X-A, line 1, column 1: {{email}}: a shared"},
    {SHARED "text: '{{> p}}'\npartials: {p: 'a {{email}}'}\n",
     "partials, p, line 1, column 3: {{email}}: a shared"},
    {"from: '{{name}} <a@b.c>'\nsubject: s\ntext: t\nshared: true\n",
     "from, line 1, column 1: {{name}}: a shared mail is"},
    {"from: a@b.c\nsubject: '{{name}}'\ntext: t\nshared: true\n",
     "subject, line 1, column 1: {{name}}: a shared mail is"},
    {"from: '{{z}} <a@b.c>'\nsubject: s\ntext: t\n", "from, line 1, column 1: no column is called 'z'"},
};

static void test_templates(void **state) {
    (void)state;
    const struct slice values[COLUMNS] = {SLICE("u@x.y"), SLICE("n"), SLICE("f")};
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        struct buf out;
        buf_init(&out, 1 << 16);
        render(templates[i].yaml, values, &out);
        if (!slice_starts(buf_slice(&out), slice_of(templates[i].error)))
            fail_msg("%s\ninstead of %s", out.at, templates[i].error);
        buf_done(&out);
    }
}

#define HTML_HEAD "from: a@b.c\nsubject: s\n"
#define LIST_HEAD "from: a@b.c\nsubject: s\ntext: t\nlist:\n  "

/* What stands in the mail, or in the error, when the column `name` is this. */
static const struct {
    const char *yaml, *name, *has;
} mails[] = {
    /* A shared mail names nobody, or whom it says. */
    {SHARED "text: Hello.\n", "n", "\r\nTo: undisclosed-recipients:;\r\n"},
    {SHARED "text: Hello.\nto: 'All of us:;'\n", "n", "\r\nTo: All of us:;\r\n"},
    {SHARED "text: Hello.\nto: staff@b.c\n", "n", "\r\nTo: staff@b.c\r\n"},
    {SHARED "text: Hello.\nto: 'Staff, all <staff@b.c>'\n", "n", "\r\nTo: \"Staff, all\" <staff@b.c>\r\n"},
    {SHARED "text: '{{> p}}!'\npartials: {p: 'Hello'}\n", "n", "\r\n\r\nHello!"},
    /* The text that is made from the HTML: partials are HTML too. */
    {HTML_HEAD "html: '<p>A</p>{{> foot}}'\npartials: {foot: '<p>{{name}}, <b>Kobe</b></p>'}\n", "N",
     "quoted-printable\r\n\r\nA\r\n\r\nN, Kobe\r\n"},
    {HTML_HEAD "html: '<p>A {{> foot x=1}}'\npartials: {foot: '<b>{{name}}{{x}}</b>'}\n", "N",
     "\r\n\r\nA N1\r\n"},
    {HTML_HEAD "html: '{{#> wrap}}<i>in</i>{{/wrap}}'\npartials: {wrap: '<b>{{> @partial-block}}</b>'}\n",
     "N", "\r\n\r\nin\r\n"},
    {HTML_HEAD "html: '{{> a}}'\npartials: {a: 'x{{#if nobody}}{{> a}}{{/if}}'}\n", "N", "\r\n\r\nx\r\n"},
    /* Backslashes and braces that are text stay so. */
    {HTML_HEAD "html: 'C:\\<b>{{name}}</b>'\n", "N", "\r\n\r\nC:\\N\r\n"},
    {HTML_HEAD "html: 'C:\\\\{{name}}'\n", "N", "\r\n\r\nC:\\N\r\n"},
    {HTML_HEAD "html: 'a \\&#123;&#123;name}}'\n", "N", "\r\n\r\na \\{{name}}\r\n"},
    {HTML_HEAD "html: '\\{{name}} <b>{{name}}</b>'\n", "N", "\r\n\r\n{{name}} N\r\n"},
    /* List-Id: what programs read is never encoded. */
    {LIST_HEAD "id: '\xE7\x87\x95 <news.b.c>'\n", "N", "\r\nList-Id: =?utf-8?B?54eV?= <news.b.c>\r\n"},
    {LIST_HEAD "id: 'News of {{name}} <news.b.c>'\n", "N, O", "\r\nList-Id: \"News of N, O\" <news.b.c>\r\n"},
    {LIST_HEAD "id: news.b.c\n", "N", "\r\nList-Id: <news.b.c>\r\n"},
    {LIST_HEAD "id: '{{name}}'\n", "n.b.c", "\r\nList-Id: <n.b.c>\r\n"},
    {LIST_HEAD "id: '{{name}}'\n", "a> <b", "list, id: 'a> <b' is not"},
    /* List-Unsubscribe: data stay within the address that they are part of. */
    {LIST_HEAD "unsubscribe_mail: 'u{{name}}@b.c'\n", "x", "\r\nList-Unsubscribe: <mailto:ux@b.c>\r\n"},
    {LIST_HEAD "unsubscribe_mail: '{{name}}@b.c'\n", "a?cc=e%b",
     "\r\nList-Unsubscribe: <mailto:a%3Fcc%3De%25b@b.c>\r\n"},
    {LIST_HEAD "unsubscribe_mail: '{{name}}'\n", "nobody",
     "list, unsubscribe_mail: 'nobody': byte 6: @ is missing"},
    {LIST_HEAD "unsubscribe_mail: 'mailto:u@b.c?subject={{name}}'\n", "a b",
     "\r\nList-Unsubscribe: <mailto:u@b.c?subject=a%20b>\r\n"},
    {LIST_HEAD "unsubscribe_url: 'https://b.c/?a={{name}}'\n",
     "?x?=", "\r\nList-Unsubscribe: <https://b.c/?a=%3Fx?=>\r\n"},
};

static void test_mails(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++) {
        struct slice values[COLUMNS];
        struct buf out;
        for (size_t k = 0; k < COLUMNS; k++)
            values[k] = SLICE("v@example.org");
        for (size_t k = 0; k < COLUMNS; k++)
            if (slice_eq(columns[k], SLICE("name"))) values[k] = slice_of(mails[i].name);
        buf_init(&out, 1 << 20);
        render(mails[i].yaml, values, &out);
        if (!strstr(out.at, mails[i].has)) fail_msg("%zu: %s\nin\n%s", i, mails[i].has, out.at);
        buf_done(&out);
    }
}

/* An address to unsubscribe at that no line can hold is no reason to hide it in encoded words. */
static void test_long_url(void **state) {
    (void)state;
    char name[1000];
    struct slice values[COLUMNS];
    struct buf out;
    memset(name, 'x', sizeof name);
    for (size_t k = 0; k < COLUMNS; k++)
        values[k] = slice_make(name, sizeof name);
    values[0] = SLICE("v@example.org");
    buf_init(&out, 1 << 20);
    render(LIST_HEAD "unsubscribe_url: 'https://b.c/{{name}}'\n", values, &out);
    assert_string_equal(out.at, "list, unsubscribe_url: longer than 800 bytes");
    buf_done(&out);
}

static void test_whole_mail(void **state) {
    (void)state;
    struct buf out;
    const struct slice values[COLUMNS] = {SLICE("u@x.y"), SLICE("A & \"B\""), SLICE("日本")};
    buf_init(&out, 1 << 16);
    render(
        "from: '{{First Name}} <A@B.c>'\nsubject: 'Hi {{name}}'\nto_name: '{{name}}'\nreply_to: '{{email}}'\n"
        "headers:\n  X-Who: '{{email}}'\ntext: '{{name}} {{{name}}} \\{{name}}'\nhtml: '<b>{{name}} "
        "{{{name}}}'\n",
        values, &out);
    assert_string_equal(out.at, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                                "From: =?utf-8?B?5pel5pys?= <A@b.c>\r\n"
                                "To: \"A & \\\"B\\\"\" <u@x.y>\r\n"
                                "Reply-To: u@x.y\r\n"
                                "Subject: Hi A & \"B\"\r\n"
                                "Message-ID: <id.1@example.org>\r\n"
                                "X-Who: u@x.y\r\n"
                                "MIME-Version: 1.0\r\n"
                                "Content-Type: multipart/alternative;\r\n"
                                " boundary=\"=_t_36ce906bf8808e31a\"\r\n\r\n"
                                "--=_t_36ce906bf8808e31a\r\n"
                                "Content-Type: text/plain; charset=utf-8\r\n"
                                "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                                "A & \"B\" A & \"B\" {{name}}\r\n"
                                "--=_t_36ce906bf8808e31a\r\n"
                                "Content-Type: text/html; charset=utf-8\r\n"
                                "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                                "<b>A &amp; &quot;B&quot; A & \"B\"\r\n"
                                "--=_t_36ce906bf8808e31a--\r\n");
    buf_done(&out);
}

struct value_case {
    const char *yaml;
    struct slice name;
    const char *out;
};

static const struct value_case values_cases[] = {
    {HEAD "text: \"a\\n b {{name}}\"\n",
     {NULL, 0},
     "text, line 2, column 4: {{name}}: this recipient has no value"},
    {"from: a@b.c\nsubject: '{{name}}'\ntext: t\n",
     {NULL, 0},
     "subject, line 1, column 1: {{name}}: this recipient"},
    {"from: a@b.c\nsubject: '{{name}}'\ntext: t\n",
     {"a\r\nB: c", 7},
     "subject, line 1, column 1: {{name}}: a line break"},
    {"from: a@b.c\nsubject: '{{name}}'\ntext: t\n",
     {"a\0", 2},
     "subject, line 1, column 1: {{name}}: a line break"},
    {HEAD "text: t\nto_name: '{{name}}'\n", {"a\nb", 3}, "to_name, line 1, column 1: {{name}}: a line break"},
    {HEAD "text: t\nheaders:\n  X-A: '{{name}}'\n",
     {"a\rb", 3},
     "headers, X-A, line 1, column 1: {{name}}: a line"},
    {HEAD "text: '{{name}}'\n", {"a\0b", 3}, "text, line 1, column 1: {{name}}: the value holds a NUL"},
    {HEAD "text: '{{name}}'\n", {"\xff", 1}, "text, line 1, column 1: {{name}}: the value is not UTF-8"},
    {HEAD "text: t\nreply_to: '{{name}}'\n", {"x y", 3}, "reply_to: byte 2: a blank"},
    {HEAD "text: t\nreply_to: '{{name}}'\n", {"", 0}, "reply_to: byte 1: the address is empty"},
    {HEAD "text: '{{name}}.'\n", {"", 0}, "Date: "},
};

static void test_values(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof values_cases / sizeof *values_cases; i++) {
        struct buf out;
        const struct slice values[COLUMNS] = {SLICE("u@x.y"), values_cases[i].name, {NULL, 0}};
        buf_init(&out, 1 << 16);
        render(values_cases[i].yaml, values, &out);
        if (!slice_starts(buf_slice(&out), slice_of(values_cases[i].out)))
            fail_msg("%s\ninstead of %s", out.at, values_cases[i].out);
        buf_done(&out);
    }
}

static void test_limits(void **state) {
    (void)state;
    struct arena arena;
    struct err err;
    struct renderer r;
    struct buf out;
    size_t count;
    arena_init(&arena, 1 << 20);
    renderer_init(&r);
    struct content content = parse(&arena, HEAD "text: '{{First Name}}{{email}}'\n");
    struct template *t = template_compile(&content, columns, COLUMNS, &err);
    const uint32_t *used = template_columns(t, &count);
    assert_int_equal(count, 2);
    assert_int_equal(used[0], 0);
    assert_int_equal(used[1], 2);
    assert_true(slice_eq(template_from(t)->domain, SLICE("b.c")));
    char *large = calloc(1, 300000);
    memset(large, 'x', 300000);
    const struct slice values[COLUMNS] = {SLICE("u@x.y"), {NULL, 0}, slice_make(large, 300000)};
    struct render_input in = {
        .to = values[0], .values = values, .value_count = COLUMNS, .message_id = SLICE("i@d"), .date = 0};
    buf_init(&out, 100000);
    assert_int_equal(render_mail(&r, t, &in, &out, &err), -1);
    assert_non_null(strstr(err.text, "100000"));
    buf_done(&out);
    buf_init(&out, 1 << 20);
    assert_int_equal(render_mail(&r, t, &in, &out, &err), 0);
    const struct slice ids[] = {SLICE(""), SLICE("a b@c"), SLICE("a\r\n@c"), SLICE("a>@c")};
    for (size_t i = 0; i < 4; i++) {
        in.message_id = ids[i];
        assert_int_equal(render_mail(&r, t, &in, &out, &err), -1);
    }
    buf_done(&out);
    free(large);
    template_free(t);
    template_free(NULL);
    renderer_done(&r);
    arena_done(&arena);
}

/* A small template that would make gigabytes: given up as soon as the room is used up. */
static void test_bomb(void **state) {
    (void)state;
    enum { TIMES = 20000, VALUE = 64000 };
    struct arena arena;
    struct err err;
    struct renderer r;
    struct buf out, yaml;
    char *value = malloc(VALUE);
    memset(value, 'x', VALUE);
    buf_init(&yaml, 1 << 20);
    buf_put_text(&yaml, HEAD "text: '");
    for (int i = 0; i < TIMES; i++)
        buf_put_text(&yaml, "{{name}}");
    buf_put(&yaml, "'\n", 3);
    arena_init(&arena, 8 << 20);
    renderer_init(&r);
    struct content content = parse(&arena, yaml.at);
    struct template *t = template_compile(&content, columns, COLUMNS, &err);
    assert_non_null(t);
    const struct slice values[COLUMNS] = {SLICE("u@x.y"), slice_make(value, VALUE), {NULL, 0}};
    struct render_input in = {
        .to = values[0], .values = values, .value_count = COLUMNS, .message_id = SLICE("i@d"), .date = 0};
    buf_init(&out, 1 << 20);
    clock_t before = clock();
    assert_int_equal(render_mail(&r, t, &in, &out, &err), -1);
    assert_true(clock() - before < CLOCKS_PER_SEC / 2); /* all of it takes seconds */
    assert_non_null(strstr(err.text, "becomes larger than 1048576 bytes"));
    buf_done(&out);
    buf_done(&yaml);
    template_free(t);
    renderer_done(&r);
    arena_done(&arena);
    free(value);
}

/* A template for one tree; columns are email and the tree. *out: the text part, or the error. */
static void render_tree(const struct content *content, const char *json, struct buf *out) {
    static const struct slice names[] = {{"email", 5}, {"name", 4}, {DATA_COLUMN, 2}};
    struct err err = {.text = ""};
    struct buf packed;
    struct renderer r;
    buf_init(&packed, 1 << 22);
    renderer_init(&r);
    if (json && value_put_json(slice_of(json), &packed, &err)) fail_msg("%s", err.text);
    struct slice values[] = {SLICE("u@x.y"), SLICE("column"), buf_slice(&packed)};
    struct template *t = template_compile(content, names, json ? 3 : 2, &err);
    struct render_input in = {
        .to = values[0], .values = values, .value_count = json ? 3 : 2, .message_id = SLICE("i@d")};
    if (!t || render_part(&r, t, &in, content->html.len ? RENDER_HTML : RENDER_TEXT, out, &err)) {
        buf_reset(out);
        buf_put_text(out, err.text);
    }
    buf_put_c(out, 0);
    template_free(t);
    renderer_done(&r);
    buf_done(&packed);
}

struct tree_case {
    const char *text, *json, *out;
};

/* What tests/test_templates.py does not show: what is different here, and what errors say. json NULL: without
 * a tree. */
static const struct tree_case trees[] = {
    /* The tree first, then columns; the same from further in, and through @root */
    {"{{name}}", "{\"name\":\"tree\"}", "tree"},
    {"{{name}}", "{}", "column"},
    {"{{#each l}}{{../name}}{{@root.name}}{{/each}}", "{\"l\":[1]}", "columncolumn"},
    {"{{#each l}}{{name}}{{/each}}", "{\"l\":[{}]}",
     "text, line 1, column 12: {{name}}: this recipient has no value"},
    {"{{lookup this 'name'}}{{lookup @root 'email'}}", "{}", "columnu@x.y"},
    {"{{#each this}}{{@key}}{{/each}}", "{\"a\":1}", "a"},
    {"{{this}}", NULL, "[object Object]"},
    /* Numbers behind a dot */
    {"{{l.0}}{{l.1.a}}{{#if l.0}}yes{{/if}}", "{\"l\":[1,{\"a\":2}]}", "12yes"},
    /* Strictness */
    {"{{a.b}}", "{\"a\":{}}",
     "text, line 1, column 1: {{a.b}}: this recipient has no value for it ('b' is missing)"},
    {"{{a.b.c}}", "{\"a\":{}}",
     "text, line 1, column 1: {{a.b.c}}: this recipient has no value for it ('b' is missing)"},
    {"x\n {{#if a.b}}{{/if}}", "{}",
     "text, line 2, column 8: {{a.b}}: this recipient has no value for it ('a' is missing)"},
    {"{{#if a}}1{{else}}2{{/if}}{{#each a}}{{else}}3{{/each}}{{#with a}}{{else}}4{{/with}}", "{}", "234"},
    {"{{#a}}{{/a}}", "{}", "text, line 1, column 1: {{a}}: this recipient has no value for it"},
    {"{{^a}}{{/a}}", "{}", "text, line 1, column 1: {{a}}: this recipient has no value for it"},
    {"[{{a}}{{b}}]", "{\"a\":null,\"b\":\"\"}", "[]"},
    {"{{#each l as |x|}}{{x.nmae}}{{/each}}", "{\"l\":[{}]}",
     "text, line 1, column 19: {{x.nmae}}: this recipient"},
    {"{{@index}}", "{}", "text, line 1, column 1: {{@index}}: this recipient has no value for it"},
    {"{{@../index}}", "{}", "text, line 1, column 1: {{@../index}}: there are not so many loops"},
    /* Without a tree what can never be there is refused at once */
    {"{{#if nmae}}{{/if}}", NULL,
     "text, line 1, column 7: no column is called 'nmae' (there are: email, name)"},
    {"{{@root.nmae}}", NULL, "text, line 1, column 1: no column is called 'nmae'"},
    {"{{#with name}}{{.}}{{/with}}{{#if name}}!{{/if}}", NULL, "column!"},
    /* Mistakes */
    {"{{#if a}}\n{{/each}}", "{}",
     "text, line 2, column 1: 'each' is closed here, but 'if' of line 1, column 1 is open"},
    {"a {{/if}}", "{}", "text, line 1, column 3: nothing is open that could be closed here"},
    {"{{else}}", "{}", "text, line 1, column 1: {{else}} outside of a block"},
    {"{{#if a}}{{else}}{{else}}{{/if}}", "{}", "text, line 1, column 18: a second {{else}}"},
    {"{{upper name}}", "{}", "text, line 1, column 1: no helper is called 'upper' (there are: if,"},
    {"{{#if}}{{/if}}", "{}", "text, line 1, column 1: 'if' takes one argument"},
    {"{{if a}}", "{}", "text, line 1, column 1: 'if' is written as a block: {{#if ...}}"},
    {"{{> footer}}", "{}", "text, line 1, column 5: no partial is called 'footer'"},
    {"{{#if a}}{{#*inline \"p\"}}{{/inline}}{{/if}}{{> p}}", "{}",
     "text, line 1, column 44: the partial 'p' is not defined here"},
    {"{{#each l as |x|}}{{#*inline \"p\"}}{{x}}{{/inline}}{{/each}}", "{}",
     "text, line 1, column 35: the block parameter 'x' can't be seen in an inline partial: hand it over, as "
     "in {{> name x=x}}"},
    {"{{!-- never", "{}", "text, line 1, column 1: this comment is never closed"},
    {"{{\"never}}", "{}", "text, line 1, column 3: this \" is never closed"},
    {"{{* x}}", "{}", "text, line 1, column 1: decorators are not known here"},
    {"{{{{a}}}}", "{}", "text, line 1, column 1: this raw block is never closed"},
    {"{{@foo}}", "{}", "text, line 1, column 1: there is no @foo (there are: @root,"},
    {"{{> (lookup a b)}}", "{}", "text, line 1, column 5: a partial's name can't be computed here"},
    /* Limits */
    {"{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}", "{}",
     "text, line 1, column 17: more than 32 partials in each other"},
};

static void test_trees(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        struct buf out;
        struct content content = {
            .from = SLICE("a@b.c"), .subject = SLICE("s"), .text = slice_of(trees[i].text)};
        buf_init(&out, 1 << 16);
        render_tree(&content, trees[i].json, &out);
        if (!slice_starts(buf_slice(&out), slice_of(trees[i].out)))
            fail_msg("%s: %s\ninstead of %s", trees[i].text, out.at, trees[i].out);
        buf_done(&out);
    }
}

/* The keys partials, escape and missing, written, stored and read. */
static void test_keys(void **state) {
    (void)state;
    static const struct tree_case cases[] = {
        {HEAD "html: '{{a}}{{{a}}}{{&a}}'\n", "{\"a\":\"<\"}", "&lt;<<"},
        {HEAD "html: '{{a}}'\nescape: none\n", "{\"a\":\"<\"}", "<"},
        {HEAD "html: '{{a}}'\nescape: html\n", "{\"a\":\"<\"}", "&lt;"},
        {HEAD "text: '{{a}}'\n", "{\"a\":\"<\"}", "<"},
        {HEAD "text: '[{{b}}{{b.c}}{{#b}}{{/b}}]'\nmissing: empty\n", "{}", "[]"},
        {HEAD "text: '[{{b}}]'\nmissing: error\n", "{}", "text, line 1, column 2: {{b}}"},
        {HEAD "text: '{{> f x=1}}{{> f x=2}}'\npartials:\n  f: '({{x}}{{name}})'\n", "{}",
         "(1column)(2column)"},
        {HEAD "text: '{{> f}}'\npartials:\n  f: '{{x}}'\n", "{}", "partials, f, line 1, column 1: {{x}}"},
        {HEAD "text: '{{> f}}'\npartials:\n  f: '{{/x}}'\n", "{}",
         "partials, f, line 1, column 1: nothing is open"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena;
        struct buf out, bytes;
        struct err err;
        struct content again;
        arena_init(&arena, 1 << 20);
        buf_init(&out, 1 << 16), buf_init(&bytes, 1 << 16);
        struct content content = parse(&arena, cases[i].text);
        content_encode(&content, &bytes);
        assert_int_equal(bytes.at[0], 3);
        assert_int_equal(content_decode(buf_slice(&bytes), &arena, &again, &err), 0);
        render_tree(&again, cases[i].json, &out);
        if (!slice_starts(buf_slice(&out), slice_of(cases[i].out)))
            fail_msg("%s: %s\ninstead of %s", cases[i].text, out.at, cases[i].out);
        buf_done(&out), buf_done(&bytes);
        arena_done(&arena);
    }
}

/* `times` times the piece, between before and after. */
static void repeat(struct buf *out, const char *before, const char *piece, unsigned times,
                   const char *after) {
    buf_init(out, SIZE_MAX / 2);
    buf_put_text(out, before);
    for (unsigned i = 0; i < times; i++)
        buf_put_text(out, piece);
    buf_put_text(out, after);
}

/* Templates and data that would cost much: what they may, they cost quickly, and what not is refused. */
static void test_hostile(void **state) {
    (void)state;
    static const struct {
        const char *before, *piece, *after;
        unsigned times;
        const char *json, *says; /* NULL: it may work out or not, but soon */
    } cases[] = {
        {"", "{{#if a}}", "", 65, "{}", "more than 64 blocks in each other"},
        {"", "(", "", 20, "{}", ""},
        {"{{lookup ", "(lookup ", "", 20, "{}", "more than 16 subexpressions"},
        {"{{#if a}}", "{{else if a}}", "{{/if}}", 300, "{}", "more than 256 {{else ...}}"},
        {"{{", "a.", "a}}", 100, "{}", "a path of more than 64 parts"},
        {"", "{{", "", 200000, "{}", "text, line 1"},
        {"", "{{!--", "", 200000, "{}", "this comment is never closed"},
        {"", "{{a}}", "", 100000, "{}", NULL},
        {"", "\\{{a ", "", 100000, "{}", NULL},
        {"", " \t", "{{~a~}}", 1000000, "{\"a\":1}", "1"},
        {"", "{{#if a}}{{else}} {{/if}}\n", "", 20000, "{\"a\":1}", NULL},
        {"", "{{#*inline 'x'}}{{/inline}}{{> x}}", "", 2000, "{}", NULL},
        {"{{#each l}}{{#each ../l}}{{#each @root.l}}{{#each @root.l}}{{#each @root.l}}{{#each "
         "@root.l}}{{#each @root.l}}",
         "{{@key}}", "{{/each}}{{/each}}{{/each}}{{/each}}{{/each}}{{/each}}{{/each}}", 1,
         "{\"l\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}", NULL},
        {"{{#each l}}{{#each ../l}}{{#each @root.l}}{{#each @root.l}}{{#each @root.l}}{{#each "
         "@root.l}}{{#each @root.l}}",
         "", "{{/each}}{{/each}}{{/each}}{{/each}}{{/each}}{{/each}}{{/each}}", 1,
         "{\"l\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}", "the template does more than 20000000 steps"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text, out;
        repeat(&text, cases[i].before, cases[i].piece, cases[i].times, cases[i].after);
        struct content content = {.from = SLICE("a@b.c"), .subject = SLICE("s"), .text = buf_slice(&text)};
        buf_init(&out, 1 << 20);
        clock_t before = clock();
        render_tree(&content, cases[i].json, &out);
        if (clock() - before > 6 * CLOCKS_PER_SEC) fail_msg("case %zu took too long", i);
        if (cases[i].says && !strstr(out.at, cases[i].says)) fail_msg("case %zu: %.300s", i, out.at);
        buf_done(&text), buf_done(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),      cmocka_unit_test(test_parts_in_files),
        cmocka_unit_test(test_payload),    cmocka_unit_test(test_templates),
        cmocka_unit_test(test_mails),      cmocka_unit_test(test_long_url),
        cmocka_unit_test(test_whole_mail), cmocka_unit_test(test_values),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_trees),      cmocka_unit_test(test_keys),
        cmocka_unit_test(test_hostile),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("compose", tests, NULL, NULL);
}
