/* Addresses: what comes out canonical, what is refused and at which byte. */
#include "address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct accepted {
    const char *in, *out;
};

static const struct accepted accepted[] = {
    {"a@example.com", "a@example.com"},
    {"John.Doe+tag@Example.COM", "John.Doe+tag@example.com"},
    {"!#$%&'*+-/=?^_`{|}~@x.org", "!#$%&'*+-/=?^_`{|}~@x.org"},
    {"\"john\"@example.com", "john@example.com"},
    {"\"jo\\hn\"@example.com", "john@example.com"},
    {"\"a@b\"@example.com", "\"a@b\"@example.com"},
    {"\"a\\\"b\"@example.com", "\"a\\\"b\"@example.com"},
    {"\"a\\\\b\"@example.com", "\"a\\\\b\"@example.com"},
    {"\"a..b\"@example.com", "\"a..b\"@example.com"},
    {"a..b@docomo.ne.jp", "\"a..b\"@docomo.ne.jp"},
    {"ab.@DOCOMO.ne.jp", "\"ab.\"@docomo.ne.jp"},
    {"ab.@ezweb.ne.jp", "\"ab.\"@ezweb.ne.jp"},
    {"a.b@docomo.ne.jp", "a.b@docomo.ne.jp"},
    {"x@xn--r8jz45g.jp", "x@xn--r8jz45g.jp"},
    {"x@例え.jp", "x@xn--r8jz45g.jp"},
    {"x@BÜCHER.example", "x@xn--bcher-kva.example"},
    {"x@straße.de", "x@xn--strae-oqa.de"},
    {"x@例え。jp", "x@xn--r8jz45g.jp"},
    {"x@1.2.3.4a", "x@1.2.3.4a"},
    {"x@3com.com", "x@3com.com"},
    {"用户@例え.jp", "用户@xn--r8jz45g.jp"},
    {"Jose\u0301@x.org", "Jos\u00e9@x.org"}, /* normal form C */
    {"\"a用\"@x.org", "a用@x.org"},
    {"\"a,用\"@x.org", "\"a,用\"@x.org"},
    {"あ..い@docomo.ne.jp", NULL}, /* that carrier gave out no such ones */
    {"用.户@x.org", "用.户@x.org"},
};

struct refused {
    const char *in;
    size_t len; /* 0: strlen */
    const char *text;
};

static const struct refused refused[] = {
    {"", 0, "byte 1: the address is empty"},
    {"a", 0, "byte 1: @ is missing"},
    {"@example.com", 0, "byte 1: the local part is missing"},
    {"\"\"@example.com", 0, "byte 1: the local part is missing"},
    {"a@", 0, "byte 3: the domain is missing"},
    {"a@localhost", 0, "byte 11: the domain has no dot"},
    {"a@b@example.com", 0, "byte 4: a second @"},
    {"a b@example.com", 0, "byte 2: a blank"},
    {" a@example.com", 0, "byte 1: a blank"},
    {"a@example.com\r\nRCPT TO:<b@x>", 0, "byte 14: a line break"},
    {"a@example.com\n", 0, "byte 14: a line break"},
    {"a\0b@example.com", 15, "byte 2: a NUL"},
    {"a\x01"
     "b@example.com",
     0, "byte 2: a control character"},
    {"a@exa\x7fmple.com", 0, "byte 6: a control character"},
    {"<a@example.com>", 0, "byte 1: a name with <address>"},
    {"a>@example.com", 0, "byte 2: an angle bracket"},
    {"\"a b\"@example.com", 0, "byte 3: a blank"},
    {"\"a\\>b\"@example.com", 0, "byte 4: an angle bracket"},
    {"\"ab@example.com", 0, "byte 1: the quote is not closed"},
    {"\"ab\\", 0, "byte 1: the quote is not closed"},
    {"\"ab\"c@example.com", 0, "byte 5: @ is missing behind the closing quote"},
    {"\"ab\"", 0, "byte 4: @ is missing behind the closing quote"},
    {".a@example.com", 0, "byte 1: a dot at"},
    {"a.@example.com", 0, "byte 2: a dot at"},
    {"a..b@example.com", 0, "byte 3: a dot at"},
    {".a@docomo.ne.jp", 0, "byte 1: a dot at"},
    {"a..b@mail.docomo.ne.jp", 0, "byte 3: a dot at"},
    {"a,b@example.com", 0, "byte 2: a character that needs quotes"},
    {"a@[127.0.0.1]", 0, "byte 3: address literals"},
    {"a@127.0.0.1", 0, "byte 11: an IP address"},
    {"a@ex..com", 0, "byte 6: an empty label"},
    {"a@.com", 0, "byte 3: an empty label"},
    {"a@ex.com.", 0, "byte 9: a dot at the end"},
    {"a@-ex.com", 0, "byte 3: a domain label starts"},
    {"a@ex-.com", 0, "byte 6: a domain label ends"},
    {"a@ex.com-", 0, "byte 9: a domain label ends"},
    {"a@ex_a.com", 0, "byte 5: a character that a domain"},
    {"a@ex(a).com", 0, "byte 5: a character that a domain"},
    {"用户\u3000@example.com", 0, "byte 7: a blank in the local part"},
    {"\"用 户\"@example.com", 0, "byte 5: a blank"},
    {"用\u200b户@example.com", 0, "byte 4: an invisible character in the local part"},
    {"\u202euser@example.com", 0, "byte 1: an invisible character in the local part"},
    {"x\xc2\x85y@example.com", 0, "byte 2: a control character in the local part"},
    {"x\xee\x80\x80y@example.com", 0, "byte 2: a character that Unicode does not define in the local part"},
    {"x\xcd\xb8@example.com", 0, "byte 2: a character that Unicode does not define in the local part"},
    {"\xffx@example.com", 0, "byte 1: not UTF-8 in the local part"},
    {"ａｎｎａ@example.com", 0, "byte 1: a full-width character where a plain one belongs in the local part"},
    {"用户..x@example.com", 0, "byte 8: a dot at"},
    {"用,户@example.com", 0, "byte 4: a character that needs quotes"},
    {"用户用户用户用户用户用户用户用户用户用户用户@example.com", 0, "byte 65: the local part is longer"},
    {"a@example.com; b@example.com", 0, "byte 1: several addresses where one belongs"},
    {"a@example.com,b@example.com", 0, "byte 1: several addresses where one belongs"},
    {"mailto:a@example.com", 0, "byte 1: mailto: before the address"},
    {"Anna <a@example.com>", 0, "byte 1: a name with <address>"},
    {"a＠example.com", 0, "byte 2: a full-width @"},
    {"a@\xff\xfe.jp", 0, "byte 3: not an international domain name: it is not UTF-8"},
    {"a@例＠.jp", 0, "byte 3: not an international domain name"},
};

static void test_accepted(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        struct arena arena;
        struct address a;
        struct err err = {.text = ""};
        arena_init(&arena, 4096);
        int failed = address_parse(slice_of(accepted[i].in), &arena, &a, &err);
        assert_int_equal(failed, accepted[i].out ? 0 : -1);
        if (failed) {
            arena_done(&arena);
            continue;
        }
        bool ascii = true;
        for (size_t k = 0; k < a.text.len; k++)
            ascii &= (unsigned char)a.text.at[k] < 0x80;
        assert_int_equal(a.utf8, !ascii);
        assert_int_equal(address_parse_ascii(slice_of(accepted[i].in), &arena, &a, &err), ascii ? 0 : -1);
        assert_int_equal(a.text.len, strlen(accepted[i].out));
        assert_memory_equal(a.text.at, accepted[i].out, a.text.len);
        assert_int_equal(a.local.len + 1 + a.domain.len, a.text.len);
        assert_ptr_equal(a.local.at, a.text.at);
        assert_ptr_equal(a.domain.at, a.text.at + a.local.len + 1);
        arena_done(&arena);
    }
}

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct refused *r = &refused[i];
        struct arena arena;
        struct address a;
        struct err err = {.text = ""};
        arena_init(&arena, 4096);
        struct slice in = slice_make(r->in, r->len ? r->len : strlen(r->in));
        if (address_parse(in, &arena, &a, &err) == 0) fail_msg("taken: %s", r->in);
        assert_int_equal(err.kind, ERR_INPUT);
        if (!slice_starts(slice_of(err.text), slice_of(r->text)))
            fail_msg("%s: '%s' instead of '%s'", r->in, err.text, r->text);
        arena_done(&arena);
    }
}

/* a...a@b...b.com with so many bytes in each half; taken? */
static bool takes(size_t local, size_t domain, bool quoted) {
    char text[1024];
    struct arena arena;
    struct address a;
    size_t n = 0;
    if (quoted) text[n++] = '"', text[n++] = ',';
    memset(text + n, 'a', local - 3 * quoted);
    n += local - 3 * quoted;
    if (quoted) text[n++] = '"';
    text[n++] = '@';
    for (size_t i = 0; i < domain; i++)
        text[n++] = i + 4 == domain || (i % 60 == 59 && i + 4 < domain) ? '.' : 'b';
    arena_init(&arena, 4096);
    bool ok = address_parse(slice_make(text, n), &arena, &a, NULL) == 0;
    arena_done(&arena);
    return ok;
}

static void test_lengths(void **state) {
    (void)state;
    assert_true(takes(64, 20, false));
    assert_false(takes(65, 20, false));
    assert_true(takes(64, 20, true));
    assert_false(takes(65, 20, true));
    assert_true(takes(64, 189, false));
    assert_false(takes(64, 190, false));
    assert_true(takes(10, 243, false));
    assert_false(takes(10, 244, false));
    struct arena arena;
    struct address a;
    struct err err;
    arena_init(&arena, 4096);
    char label[] = "a@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.com";
    assert_int_equal(address_parse(slice_of(label), &arena, &a, &err), -1);
    assert_string_equal(err.text, "byte 66: a domain label longer than 63 bytes");
    arena_done(&arena);
    arena_init(&arena, 4);
    assert_int_equal(address_parse(SLICE("a@example.com"), &arena, &a, &err), -1);
    assert_int_equal(err.kind, ERR_SYSTEM);
    arena_done(&arena);
}

static uint64_t hash_of(const char *text) {
    struct arena arena;
    struct address a;
    arena_init(&arena, 4096);
    assert_int_equal(address_parse(slice_of(text), &arena, &a, NULL), 0);
    uint64_t hash = address_hash(7, &a);
    arena_done(&arena);
    return hash;
}

static void test_hash(void **state) {
    (void)state;
    assert_true(hash_of("anna@example.com") == hash_of("ANNA@Example.com"));
    assert_true(hash_of("anna@example.com") != hash_of("anne@example.com"));
    assert_true(hash_of("anna@example.com") >> 40 == hash_of("bob@example.com") >> 40);
    assert_true(hash_of("anna@example.com") >> 40 != hash_of("anna@example.org") >> 40);
    assert_true((hash_of("anna@example.com") & 0xffffffffff) != (hash_of("anna@example.org") & 0xffffffffff));
}

static void test_domain(void **state) {
    (void)state;
    struct arena arena;
    struct slice out;
    struct err err;
    arena_init(&arena, 4096);
    assert_int_equal(address_parse_domain(SLICE("BÜCHER.example"), &arena, &out, &err), 0);
    assert_true(slice_eq(out, SLICE("xn--bcher-kva.example")));
    assert_int_equal(address_parse_domain(SLICE("a b.example"), &arena, &out, &err), -1);
    assert_string_equal(err.text, "byte 2: a blank");
    arena_done(&arena);
}

static void test_trim(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"a@b.c", "a@b.c"},
        {"", ""},
        {" \t\r\n", ""},
        {"\u3000a@b.c\u00a0 ", "a@b.c"},
        {"\ufeffa@b.c\u200b", "a@b.c"},
        {"\u202aa@b.c\u202c", "a@b.c"},
        {"a\u3000b", "a\u3000b"},
        {"\xe3\x80", "\xe3\x80"},
        {"あ", "あ"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice got = address_trim(slice_of(cases[i][0]));
        if (!slice_eq(got, slice_of(cases[i][1]))) fail_msg("%zu: '%.*s'", i, SLICE_ARG(got));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted), cmocka_unit_test(test_trim), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_hash), cmocka_unit_test(test_domain),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
