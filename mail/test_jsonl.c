/* JSON lines: rows, bad lines, where the address is found, bounds. */
#include "jsonl.h"

#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* "key: 1[address|bytes of the value] 2!reason{raw} end" */
static void tell(struct slice in, const char *wanted, struct buf *out) {
    struct listtext text;
    struct err err = {.text = ""};
    struct slice key;
    struct jsonl_row row;
    assert_int_equal(listtext_init(&text, -1, in, LIST_UTF8, &err), 0);
    struct jsonl *j = jsonl_open(&text, &err);
    int more = jsonl_begin(j, slice_of(wanted), &key, &err);
    if (more == 0) buf_printf(out, "%.*s: ", SLICE_ARG(key));
    while (more == 0 && jsonl_next(j, &row, &err) == 1) {
        if (row.bad) {
            buf_printf(out, "%d!%s{%.*s} ", (int)row.line, row.bad, SLICE_ARG(row.raw));
            continue;
        }
        struct value map;
        struct slice rest = row.value;
        assert_true(value_take(&rest, &map) && rest.len == 0 && map.kind == VALUE_MAP);
        buf_printf(out, "%d[%.*s|%u] ", (int)row.line, SLICE_ARG(row.address), map.count);
    }
    buf_printf(out, "%send", err.text);
    jsonl_free(j);
    listtext_done(&text);
}

static void test_stories(void **state) {
    (void)state;
    static const struct {
        const char *in, *wanted, *out;
    } stories[] = {
        {"", "", "no line is a JSON object that can be used: the file is emptyend"},
        {"{\"email\":\"a@b.c\"}\n", "", "email: 1[a@b.c|1] end"},
        {"\xEF\xBB\xBF{\"email\":\"a@b.c\"}", "", "email: 1[a@b.c|1] end"},
        {"\n \r\n{\"n\":1,\"Mail\":\"a@b.c\"}\r\n\n{\"n\":[1,{}],\"Mail\":\"d\"}", "",
         "Mail: 3[a@b.c|2] 5[d|2] end"},
        {"{\"to\":\"x\",\"email\":\"y\"}\n", "", "email: 1[y|2] end"},
        {"{\"to\":\"x\",\"email\":\"y\"}\n", "to", "to: 1[x|2] end"},
        {"{\"a\":{\"b\":{\"c\":\"x\"}}}\n{\"a\":3}\n{\"a\":{\"b\":{\"c\":4}}}\n{\"a.b.c\":\"y\"}", "a.b.c",
         "a.b.c: 1[x|1] 2!there is no 'a.b.c'{{\"a\":3}} 3!'a.b.c' is not a text{{\"a\":{\"b\":{\"c\":4}}}} "
         "4[y|1] end"},
        {"{\"email\":null}\n{broken\n{\"mail\":\"x\"}\n", "",
         "mail: 1!there is no 'mail'{{\"email\":null}} 2!column 7: string or '}' expected near "
         "'broken'{{broken} 3[x|1] end"},
        {"{\"email\":\"x\"}\n[\"email\"]\n{\"email\":\"x\"} {}\n{\"email\":\"\xff\"}\n3\n", "",
         "email: 1[x|1] 2!not a JSON object{[\"email\"]} 3!column 15: end of file expected near "
         "'{'{{\"email\":\"x\"} {}} "
         "4!column 10: unable to decode byte 0xff near '\"'{{\"email\":\"\xff\"}} 5!not a JSON object{3} "
         "end"},
        {"{\"name\":\"x\",\"phone\":\"1\"}\n", "",
         "no key of the objects looks like the address (email, mail, address...); there are: name, phoneend"},
        {"{\"name\":\"x\"}\n", "mail.to", "no object in the first lines has a text under 'mail.to'end"},
        {"{]\n", "",
         "no line is a JSON object that can be used: column 2: string or '}' expected near ']'end"},
    };
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        struct buf out;
        buf_init(&out, 65536);
        tell(slice_of(stories[i].in), stories[i].wanted, &out);
        if (!slice_eq(buf_slice(&out), slice_of(stories[i].out)))
            fail_msg("story %zu: %.*s\ninstead of %s", i, SLICE_ARG(buf_slice(&out)), stories[i].out);
        buf_done(&out);
    }
}

/* A line of that many bytes in all. */
static void put_line(struct buf *b, size_t bytes) {
    static const char front[] = "{\"email\":\"a\",\"x\":\"", back[] = "\"}";
    buf_put_text(b, front);
    for (size_t i = sizeof front - 1 + sizeof back - 1; i < bytes; i++)
        buf_put_c(b, 'x');
    buf_put_text(b, back);
    buf_put_c(b, '\n');
}

static void test_bounds(void **state) {
    (void)state;
    struct buf in;
    struct listtext text;
    struct slice key;
    struct jsonl_row row;
    static const size_t sizes[] = {
        100, LISTTEXT_LINE_MAX, LISTTEXT_LINE_MAX + 1, LISTTEXT_LINE_MAX + 3, 3 << 20, 50};
    buf_init(&in, 8 << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        put_line(&in, sizes[i]);
    assert_int_equal(listtext_init(&text, -1, buf_slice(&in), LIST_UTF8, NULL), 0);
    struct jsonl *j = jsonl_open(&text, NULL);
    assert_int_equal(jsonl_begin(j, SLICE(""), &key, NULL), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(jsonl_next(j, &row, NULL), 1);
        assert_int_equal(row.line, i + 1);
        assert_int_equal(row.bad != NULL, sizes[i] > LISTTEXT_LINE_MAX);
        if (row.bad) assert_string_equal(row.bad, "the line is longer than 256 KB");
        assert_true(row.raw.len == (sizes[i] < LISTTEXT_LINE_MAX ? sizes[i] : LISTTEXT_LINE_MAX));
    }
    assert_int_equal(jsonl_next(j, &row, NULL), 0);
    assert_int_equal(text.gone + text.start, in.len);
    jsonl_free(j);
    jsonl_free(NULL);
    listtext_done(&text);
    buf_done(&in);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stories), cmocka_unit_test(test_bounds)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("jsonl", tests, NULL, NULL);
}
