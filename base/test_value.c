/* Packed values: from JSON, walked, damaged. */
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROOM = 1 << 20 };

static void pack_json(struct buf *packed, struct slice json) {
    struct err err = {0};
    buf_init(packed, ROOM);
    if (value_put_json(json, packed, &err)) fail_msg("%.*s: %s", SLICE_ARG(json), err.text);
}

/* How a number is printed: as JavaScript's String(x) has it. */
static void test_numbers(void **state) {
    (void)state;
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"0", "0"},
        {"-0.0", "0"},
        {"1.0", "1"},
        {"-17", "-17"},
        {"1.5", "1.5"},
        {"0.1", "0.1"},
        {"100", "100"},
        {"1e2", "100"},
        {"1e21", "1e+21"},
        {"123456789012345680000", "123456789012345680000"},
        {"1234567890123456789", "1234567890123456789"},
        {"9223372036854775808", "9223372036854776000"},
        {"0.000001", "0.000001"},
        {"0.0000001", "1e-7"},
        {"1.5e-9", "1.5e-9"},
        {"-2.5e30", "-2.5e+30"},
        {"0.3", "0.3"},
        {"3.141592653589793", "3.141592653589793"},
        {"5e-324", "5e-324"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf packed;
        struct value v;
        pack_json(&packed, slice_of(cases[i].json));
        struct slice rest = buf_slice(&packed);
        assert_true(value_take(&rest, &v));
        assert_int_equal(rest.len, 0);
        assert_int_equal(v.kind, VALUE_NUMBER);
        if (!slice_eq(v.bytes, slice_of(cases[i].text)))
            fail_msg("%s: printed %.*s, not %s", cases[i].json, SLICE_ARG(v.bytes), cases[i].text);
        buf_done(&packed);
    }
}

static void test_tree(void **state) {
    (void)state;
    struct buf packed;
    pack_json(&packed, SLICE("{\"name\":\"Anna\",\"n\":null,\"yes\":true,\"list\":[1,\"two\",{\"three\":3}],"
                             "\"name\":\"Bert\",\"empty\":{},\"none\":[],\"no\":false,\"t\":\"\"}"));
    struct slice rest = buf_slice(&packed);
    struct value v, inner;
    assert_true(value_take(&rest, &v));
    assert_int_equal(v.kind, VALUE_MAP);
    assert_int_equal(v.count, 8);
    inner = value_member(&v, SLICE("name"));
    assert_true(slice_eq(inner.bytes, SLICE("Bert")));
    assert_int_equal(value_member(&v, SLICE("nam")).kind, VALUE_NONE);
    assert_int_equal(value_member(&inner, SLICE("name")).kind, VALUE_NONE);
    inner = value_member(&v, SLICE("list"));
    assert_int_equal(inner.count, 3);
    assert_true(slice_eq(value_item(&inner, 1).bytes, SLICE("two")));
    assert_int_equal(value_item(&inner, 3).kind, VALUE_NONE);
    struct value third = value_item(&inner, 2);
    assert_true(slice_eq(value_member(&third, SLICE("three")).bytes, SLICE("3")));
    static const struct {
        const char *key;
        bool empty;
    } truths[] = {{"name", false}, {"n", true},  {"yes", false}, {"list", false}, {"empty", false},
                  {"none", true},  {"no", true}, {"t", true},    {"absent", true}};
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
        inner = value_member(&v, slice_of(truths[i].key));
        if (value_is_empty(&inner) != truths[i].empty) fail_msg("%s", truths[i].key);
    }
    buf_done(&packed);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *json, *says;
    } cases[] = {{"", "line 1"},
                 {"{", "line 1"},
                 {"{\"a\":\n1,}", "line 2, column 3"},
                 {"{} {}", "line 1, column 4"},
                 {"\"\\u0000\"", "NUL"},
                 {"\"\xff\"", "unable to decode"},
                 {"1e999", "overflow"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf packed;
        struct err err = {0};
        buf_init(&packed, ROOM);
        assert_int_equal(value_put_json(slice_of(cases[i].json), &packed, &err), -1);
        assert_int_equal(err.kind, ERR_INPUT);
        if (slice_find_nocase(slice_of(err.text), slice_of(cases[i].says)) < 0)
            fail_msg("%s: %s", cases[i].json, err.text);
        buf_done(&packed);
    }
}

static void test_depth_and_size(void **state) {
    (void)state;
    struct buf json, packed;
    struct err err = {0};
    buf_init(&json, ROOM);
    for (int more = 0; more < 2; more++) {
        buf_reset(&json);
        for (int i = 0; i < VALUE_DEPTH_MAX + more; i++)
            buf_put_c(&json, '[');
        for (int i = 0; i < VALUE_DEPTH_MAX + more; i++)
            buf_put_c(&json, ']');
        buf_init(&packed, ROOM);
        assert_int_equal(value_put_json(buf_slice(&json), &packed, &err), more ? -1 : 0);
        buf_done(&packed);
    }
    buf_init(&packed, 16);
    assert_int_equal(value_put_json(SLICE("[\"0123456789\",\"0123456789\"]"), &packed, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    buf_done(&packed);
    buf_done(&json);
}

static void walk(const struct value *v, unsigned depth) {
    struct slice rest = v->bytes, key;
    struct value member;
    if (depth > VALUE_DEPTH_MAX) return;
    if (v->kind == VALUE_LIST)
        while (value_take(&rest, &member))
            walk(&member, depth + 1);
    if (v->kind == VALUE_MAP)
        while (value_take_member(&rest, &key, &member))
            walk(&member, depth + 1);
}

/* Every byte changed in every bit, and every end that comes too early, is walked without harm. */
static void test_damage(void **state) {
    (void)state;
    struct buf packed;
    pack_json(&packed, SLICE("{\"a\":[1,2,{\"b\":\"text\"}],\"c\":{\"d\":null}}"));
    for (size_t i = 0; i < packed.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct value v;
            packed.at[i] = (char)(packed.at[i] ^ (1 << bit));
            struct slice rest = buf_slice(&packed);
            if (value_take(&rest, &v)) walk(&v, 0);
            rest = slice_make(packed.at, i);
            if (value_take(&rest, &v)) walk(&v, 0);
            packed.at[i] = (char)(packed.at[i] ^ (1 << bit));
        }
    buf_done(&packed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_tree),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_depth_and_size),
                                       cmocka_unit_test(test_damage)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
