/* Orders: what a selector names, which order decides, and that a row is what was ordered. */
#include "orders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct subject mail = {.campaign = 7,
                                    .tenant = 2,
                                    .domain = {"shop.example.org", 16},
                                    .provider = {"google", 6},
                                    .source = {"a", 1},
                                    .identity = {"News@example.com", 16}};

static struct selector of(const char *provider, const char *domain, const char *source,
                          const char *identity) {
    return (struct selector){.provider = slice_of(provider),
                             .domain = slice_of(domain),
                             .source = slice_of(source),
                             .identity = slice_of(identity)};
}

static void test_fits(void **state) {
    static const struct {
        const char *provider, *domain, *source, *identity;
        enum selector_fit fit;
    } cases[] = {
        {"google", "", "", "", FIT_YES},
        {"yahoo", "", "", "", FIT_NOT},
        {"googl", "", "", "", FIT_NOT},
        {"", "shop.example.org", "", "", FIT_YES},
        {"", "example.org", "", "", FIT_NOT},
        {"", "*.example.org", "", "", FIT_YES},
        {"", "*.shop.example.org", "", "", FIT_NOT},
        {"", "*.op.example.org", "", "", FIT_NOT},
        {"", "", "a", "", FIT_YES},
        {"", "", "b", "", FIT_NOT},
        {"", "", "", "news@example.com", FIT_YES},
        {"", "", "", "example.com", FIT_YES},
        {"", "", "", "ample.com", FIT_NOT},
        {"", "", "", "com", FIT_NOT},
        {"google", "*.example.org", "a", "example.com", FIT_YES},
        {"google", "*.example.org", "b", "example.com", FIT_NOT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct selector s = of(cases[i].provider, cases[i].domain, cases[i].source, cases[i].identity);
        if (selector_fits(&s, &mail) != cases[i].fit) fail_msg("case %zu", i);
    }
    struct selector google = of("google", "", "", "");
    struct subject unknown = mail;
    unknown.provider = (struct slice){0};
    assert_int_equal(selector_fits(&google, &unknown), FIT_MAYBE);
    google.campaign = 8;
    assert_int_equal(selector_fits(&google, &unknown), FIT_NOT);
    struct selector tenant = {.by_tenant = true};
    assert_int_equal(selector_fits(&tenant, &mail), FIT_NOT);
    tenant.tenant = 2;
    assert_int_equal(selector_fits(&tenant, &mail), FIT_YES);
}

static void test_check(void **state) {
    static const struct {
        const char *provider, *domain;
        bool good;
    } cases[] = {
        {"", "", false},           {"google", "", true},        {"goo gle", "", false},
        {"", "example.org", true}, {"", "*.Example.org", true}, {"", "*", false},
        {"", "*.", false},         {"", "a..b", false},         {"", ".a", false},
        {"", "a.", false},         {"", "x*.a", false},         {"", "me@a.b", false},
        {"", "*.*.a", false},      {"a\nb", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct selector s = of(cases[i].provider, cases[i].domain, "", "");
        struct buf texts;
        struct err err = {0};
        buf_init(&texts, 4096);
        if ((selector_check(&s, &texts, &err) == 0) != cases[i].good) fail_msg("case %zu: %s", i, err.text);
        if (i == 4) assert_true(slice_eq(s.domain, SLICE("*.example.org")));
        buf_done(&texts);
    }
}

static void test_which_order(void **state) {
    (void)state;
    struct orders all = {0};
    struct order suspend = {.number = 1, .kind = ORDER_SUSPEND, .of = of("google", "", "", "")};
    struct order cancel = {
        .number = 2, .kind = ORDER_CANCEL, .of = of("", "*.example.org", "", ""), .newest = 7};
    struct order first = {.number = 3, .kind = ORDER_ROUTE, .of = of("google", "", "", ""), .to = SLICE("b")};
    struct order last = {
        .number = 4, .kind = ORDER_ROUTE, .of = of("", "", "a", ""), .to = SLICE("c"), .until = 9};
    assert_null(orders_stop(&all, &mail));
    assert_non_null(orders_add(&all, &suspend));
    assert_int_equal(orders_stop(&all, &mail)->number, 1);
    assert_null(orders_route(&all, &mail));
    assert_non_null(orders_add(&all, &cancel));
    assert_int_equal(orders_stop(&all, &mail)->number, 2);
    struct subject later = mail;
    later.campaign = 8; /* came after the cancellation */
    assert_int_equal(orders_stop(&all, &later)->number, 1);
    orders_find(&all, 2)->spared[orders_find(&all, 2)->spared_count++] = 7; /* was loading then */
    assert_int_equal(orders_stop(&all, &mail)->number, 1);
    assert_int_equal(orders_next_end(&all), NEVER);
    assert_true(orders_add(&all, &first) && orders_add(&all, &last));
    assert_int_equal(orders_next_end(&all), 9);
    assert_int_equal(orders_route(&all, &mail)->number, 4);
    orders_drop(&all, 4);
    assert_int_equal(orders_route(&all, &mail)->number, 3);
    orders_drop(&all, 1);
    orders_drop(&all, 99);
    assert_true(!orders_find(&all, 1) && all.count == 2);
    orders_done(&all);
}

static void test_bound(void **state) {
    (void)state;
    struct orders all = {0};
    struct order o = {.kind = ORDER_SUSPEND, .of = of("", "a.test", "", "")};
    for (o.number = 1; o.number <= ORDERS_MOST; o.number++)
        assert_non_null(orders_add(&all, &o));
    assert_null(orders_add(&all, &o));
    orders_done(&all);
}

static void test_row(void **state) {
    (void)state;
    struct order o = {.number = 5,
                      .kind = ORDER_ROUTE,
                      .of = of("google", "a.test", "s", "x@y.test"),
                      .to = SLICE("b"),
                      .by = SLICE("anna"),
                      .reason = SLICE("blocked"),
                      .at = 12,
                      .until = 99,
                      .newest = 3};
    struct order back;
    struct buf row;
    struct err err;
    o.of.campaign = 70000, o.of.by_tenant = true, o.of.tenant = 4;
    buf_init(&row, 4096);
    assert_true(order_encode(&row, &o));
    assert_int_equal(order_decode(buf_slice(&row), 5, &back, &err), 0);
    assert_true(selector_same(&o.of, &back.of) && back.kind == ORDER_ROUTE && slice_eq(back.to, o.to) &&
                slice_eq(back.by, o.by) && slice_eq(back.reason, o.reason) && back.at == 12 &&
                back.until == 99 && back.newest == 3 && back.number == 5);
    for (size_t n = 0; n < row.len; n++)
        assert_int_equal(order_decode(slice_make(row.at, n), 5, &back, &err), -1);
    row.at[1] = 9; /* no such kind */
    assert_int_equal(order_decode(buf_slice(&row), 5, &back, &err), -1);
    buf_reset(&row);
    selector_say(&o.of, &row);
    assert_true(slice_eq(buf_slice(&row), SLICE("campaign 70000, provider google, domain a.test, source s, "
                                                "identity x@y.test, tenant 4")));
    buf_done(&row);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fits), cmocka_unit_test(test_check),
                                       cmocka_unit_test(test_which_order), cmocka_unit_test(test_bound),
                                       cmocka_unit_test(test_row)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
