/* Content: lists, settings and files, from YAML into the payload and back. */
#include "content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "from: a@b.c\nsubject: s\nhtml: <p>\n"

/* Errors: what is written, and how the message about it begins. */
static const struct {
    const char *yaml, *error;
} wrong[] = {
    {HEAD "charset: utf-16\n", "t.yaml:4:10: charset: utf-8 or iso-2022-jp is expected"},
    {HEAD "encoding: 7bit\n", "t.yaml:4:11: encoding: auto, quoted-printable or base64"},
    {HEAD "substitute: perhaps\n", "t.yaml:4:13: substitute: true or false"},
    {HEAD "auto_text: 'true'\n", "t.yaml:4:12: auto_text: true or false"},
    {HEAD "list: x\n", "t.yaml:4:7: list: a map is expected"},
    {HEAD "list: {url: x}\n", "t.yaml:4:13: url: unknown key (known are id,"},
    {HEAD "list: {unsubscribe_url: 'ftp://x'}\n",
     "t.yaml: list, unsubscribe_url: a URL that begins with https"},
    {HEAD "list: {one_click: true}\n", "t.yaml: list, one_click: it needs an unsubscribe_url"},
    {HEAD "list: {unsubscribe_url: 'http://x', one_click: true}\n", "t.yaml: list, one_click: it needs"},
    {HEAD "list: {id: \"a\\nb\"}\n", "t.yaml:4:12: id: it holds a line break"},
    {HEAD "list: {id: a.b}\nheaders: {list-id: c}\n",
     "t.yaml: headers: list-id: it is written by another key"},
    {HEAD "list: {unsubscribe_mail: u@b.c}\nheaders: {List-Unsubscribe-Post: c}\n",
     "t.yaml: headers: List-U"},
    {HEAD "shared: maybe\n", "t.yaml:4:9: shared: true or false"},
    {HEAD "to: a@b.c\n", "t.yaml: to: only a mail that says shared: true has it"},
    {HEAD "shared: true\nto_name: x\n", "t.yaml: to_name: a shared mail names no recipient"},
    {HEAD "shared: true\nto: 'A <a b>'\n", "t.yaml: to: byte 2: a blank"},
    {HEAD "shared: true\nto: '<a@b.c'\n", "t.yaml: to: expected \"Name <address>\""},
    {HEAD "shared: true\nto: 'a, b:;'\n", "t.yaml: to: byte 3: a blank"},
    {HEAD "shared: true\nattachments: [{personal: x, name: y}]\n",
     "t.yaml: attachments, file 1: a shared mail can't"},
    {HEAD "attachments: a.pdf\n", "t.yaml:4:14: attachments: a list of files"},
    {HEAD "attachments: [a.pdf]\n", "T/t.yaml:4:15: T/a.pdf: No such file"},
    {HEAD "attachments: [.]\n", "T/t.yaml:4:15: T/.: Is a directory"},
    {HEAD "attachments: [{name: x}]\n", "t.yaml:4:15: one of the keys 'file' and 'personal'"},
    {HEAD "attachments: [{file: f.txt, personal: x}]\n", "t.yaml:4:15: one of the keys"},
    {HEAD "attachments: [{file: f.txt, cid: x}]\n",
     "t.yaml:4:34: cid: unknown key (known are file, personal"},
    {HEAD "attachments: [{file: f.txt, type: pdf}]\n", "t.yaml:4:15: the type is no media type"},
    {HEAD "attachments: [{file: f.txt, type: message/rfc822}]\n", "t.yaml:4:15: the type is no media"},
    {HEAD "attachments: [{file: f.txt, type: 'a/b; c=d'}]\n", "t.yaml:4:15: the type is no media"},
    {HEAD "attachments: [{file: f.txt, name: \"a\\r\\nb\"}]\n", "t.yaml:4:35: name: it holds a line break"},
    {HEAD "inline: [{personal: x}]\n", "t.yaml:4:21: personal: unknown key (known are file, cid"},
    {HEAD "inline: [{file: f.txt, cid: 'a b'}]\n", "t.yaml:4:10: the cid is 1 to 128"},
    {HEAD "inline: [f.txt, f.txt]\n", "t.yaml: inline: two files have the cid f.txt"},
    {"from: a@b.c\nsubject: s\ntext: t\ninline: [f.txt]\n", "t.yaml: inline: there is no HTML"},
};

static char folder[] = "/tmp/tsubame-content-XXXXXX";
static char file_path[64], yaml_path[64];

static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(file_path, sizeof file_path, "%s/f.txt", folder);
    snprintf(yaml_path, sizeof yaml_path, "%s/t.yaml", folder);
    write_text(file_path, "inside");
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(file_path);
    unlink(yaml_path);
    return rmdir(folder);
}

static void put(struct buf *b, struct slice text) {
    if (!buf_put_slice(b, text)) fail_msg("no room");
}

/* `from` with every T/ replaced by the folder. */
static struct slice placed(struct buf *b, const char *from) {
    buf_reset(b);
    for (const char *at = from; *at; at++) {
        if (at[0] == 'T' && at[1] == '/')
            put(b, slice_of(folder));
        else
            put(b, slice_make(at, 1));
    }
    return buf_slice(b);
}

static void test_wrong(void **state) {
    (void)state;
    struct buf expected;
    buf_init(&expected, 4096);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct arena arena;
        struct err err = {.text = ""};
        struct content content;
        arena_init(&arena, CONTENT_ROOM);
        write_text(yaml_path, wrong[i].yaml);
        if (content_read(yaml_path, &arena, &content, &err) == 0) fail_msg("taken: %s", wrong[i].yaml);
        bool whole = wrong[i].error[0] == 'T';
        struct slice said = slice_of(err.text), want = placed(&expected, wrong[i].error);
        if (!whole && said.len > strlen(folder)) said = slice_skip(said, strlen(folder) + 1);
        if (!slice_starts(said, want)) fail_msg("%s\ninstead of %.*s", err.text, SLICE_ARG(want));
        arena_done(&arena);
    }
    buf_done(&expected);
}

static void same_file(const struct content_file *a, const struct content_file *b) {
    assert_int_equal(a->is_inline, b->is_inline);
    assert_true(slice_eq(a->name, b->name) && slice_eq(a->type, b->type) && slice_eq(a->cid, b->cid));
    assert_true(slice_eq(a->path, b->path) && slice_eq(a->bytes, b->bytes));
}

static void test_round_trip(void **state) {
    (void)state;
    struct arena arena;
    struct buf bytes, cut;
    struct content in, out;
    struct err err = {.text = ""};
    arena_init(&arena, CONTENT_ROOM);
    buf_init(&bytes, 1 << 16), buf_init(&cut, 1 << 16);
    write_text(yaml_path, HEAD
               "list:\n  id: L <l.b.c>\n  unsubscribe_url: https://b.c/{{x}}\n  unsubscribe_mail: u@b.c\n"
               "  one_click: true\n  feedback_id: a:b\nauto_text: false\nauto_submitted: true\n"
               "charset: ISO-2022-JP\nsubstitute: true\nencoding: base64\n"
               "attachments:\n  - f.txt\n  - {personal: 'p/{{n}}.pdf', name: '請求 {{n}}.pdf'}\n"
               "inline:\n  - {file: f.txt, cid: logo, type: image/png, name: l.png}\n");
    if (content_read(yaml_path, &arena, &in, &err)) fail_msg("%s", err.text);
    content_encode(&in, &bytes);
    assert_false(bytes.failed);
    assert_int_equal(content_decode(buf_slice(&bytes), &arena, &out, &err), 0);
    assert_true(slice_eq(out.list_id, SLICE("L <l.b.c>")) && slice_eq(out.feedback_id, SLICE("a:b")));
    assert_true(slice_eq(out.unsubscribe_url, SLICE("https://b.c/{{x}}")));
    assert_true(slice_eq(out.unsubscribe_mail, SLICE("u@b.c")));
    assert_true(out.one_click && out.auto_submitted && out.no_auto_text && out.substitute);
    assert_int_equal(out.charset, CONTENT_ISO_2022_JP);
    assert_int_equal(out.encoding, CONTENT_BASE64);
    assert_int_equal(out.file_count, 3);
    for (size_t i = 0; i < 3; i++)
        same_file(&in.files[i], &out.files[i]);
    assert_true(slice_eq(out.files[0].bytes, SLICE("inside")));
    assert_true(slice_eq(out.files[0].name, SLICE("f.txt")) &&
                slice_eq(out.files[0].type, SLICE("text/plain")));
    assert_true(slice_eq(out.files[1].type, SLICE("application/pdf")) && out.files[1].bytes.len == 0);
    assert_true(slice_eq(out.files[2].cid, SLICE("logo")));
    for (size_t n = 0; n < bytes.len; n++) {
        buf_reset(&cut);
        put(&cut, slice_make(bytes.at, n));
        arena_reset(&arena);
        if (content_decode(buf_slice(&cut), &arena, &out, &err)) assert_int_equal(err.kind, ERR_CORRUPT);
    }
    buf_done(&bytes), buf_done(&cut);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrong), cmocka_unit_test(test_round_trip)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("content", tests, make_folder, remove_folder);
}
