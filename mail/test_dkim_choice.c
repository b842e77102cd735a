/* Which keys sign: by the From domain and the time. */
#include "dkim_choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define RSA DKIM_RSA_SHA256
#define ED  DKIM_ED25519_SHA256

static const struct dkim_rule rules[] = {
    /* 0 */ {{"example.com", 11}, RSA, 0, 200, false},
    /* 1 */ {{"example.com", 11}, RSA, 100, NEVER, false},
    /* 2 */ {{"example.com", 11}, ED, 150, NEVER, false},
    /* 3 */ {{"News.Example.com", 16}, RSA, 0, 300, false},
    /* 4 */ {{"esp.example", 11}, RSA, 0, NEVER, true},
    /* 5 */ {{"esp.example", 11}, ED, 0, NEVER, false},
    /* 6 */ {{"other.example", 13}, ED, 0, NEVER, true},
};
enum { RULES = sizeof rules / sizeof *rules };

static const struct {
    const char *from;
    wall_us now;
    size_t count, first, second;
    bool aligned;
    wall_us since, until;
} cases[] = {
    /* A rotation: the newer key takes over while the older is still valid, to the microsecond. */
    {"example.com", 0, 1, 0, 0, true, 0, 100},
    {"example.com", 99, 1, 0, 0, true, 0, 100},
    {"example.com", 100, 1, 1, 0, true, 100, 150},
    {"example.com", 150, 2, 1, 2, true, 150, 200},
    {"example.com", 200, 2, 1, 2, true, 200, 300},
    {"example.com", 1000, 2, 1, 2, true, 300, NEVER},
    /* The nearest domain signs, alone; when its keys are over, its parent. */
    {"news.example.com", 0, 1, 3, 0, true, 0, 100},
    {"a.NEWS.example.COM", 299, 1, 3, 0, true, 200, 300},
    {"news.example.com", 300, 2, 1, 2, true, 300, NEVER},
    {"shop.example.com", 160, 2, 1, 2, true, 150, 200},
    /* Whole labels only, and no child signs for its parent. */
    {"badexample.com", 0, 1, 4, 0, false, 0, 100},
    {"com", 0, 1, 4, 0, false, 0, 100},
    /* For any From: of the first such domain, only keys that say so. Its own From takes all of its keys. */
    {"elsewhere.example", 0, 1, 4, 0, false, 0, 100},
    {"esp.example", 0, 2, 4, 5, true, 0, 100},
    {"x.other.example", 0, 1, 6, 0, true, 0, 100},
};

static void chosen(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dkim_choice c = dkim_choose(rules, RULES, slice_of(cases[i].from), cases[i].now);
        bool right = c.count == cases[i].count && c.aligned == cases[i].aligned &&
                     c.rules[0] == cases[i].first && (c.count < 2 || c.rules[1] == cases[i].second) &&
                     c.since == cases[i].since && c.until == cases[i].until;
        if (!right)
            fail_msg("case %zu (%s at %lld): %zu keys, %zu and %zu, from %lld to %lld", i, cases[i].from,
                     (long long)cases[i].now, c.count, c.rules[0], c.rules[1], (long long)c.since,
                     (long long)c.until);
    }
}

/* What is chosen at one moment is what is chosen at every moment that it is said to hold for. */
static void holds(void **state) {
    (void)state;
    for (wall_us now = 0; now < 400; now++) {
        struct dkim_choice c = dkim_choose(rules, RULES, SLICE("example.com"), now);
        assert_true(c.since <= now && now < c.until);
        for (wall_us t = c.since < 0 ? 0 : c.since; t < c.until && t < 400; t++) {
            struct dkim_choice d = dkim_choose(rules, RULES, SLICE("example.com"), t);
            assert_int_equal(d.count, c.count);
            assert_memory_equal(d.rules, c.rules, c.count * sizeof *c.rules);
        }
    }
}

static void edges(void **state) {
    (void)state;
    struct dkim_choice none = dkim_choose(NULL, 0, SLICE("example.com"), 5);
    assert_int_equal(none.count, 0);
    assert_true(none.until == NEVER);
    static const struct dkim_rule later[] = {{{"example.com", 11}, RSA, 100, 200, true}};
    assert_int_equal(dkim_choose(later, 1, SLICE("example.com"), 99).count, 0);
    assert_true(dkim_choose(later, 1, SLICE("example.com"), 99).until == 100);
    assert_int_equal(dkim_choose(later, 1, SLICE("example.com"), 200).count, 0);
    static const struct dkim_rule twins[] = {{{"example.com", 11}, RSA, 0, NEVER, false},
                                             {{"example.com", 11}, RSA, 0, NEVER, false}};
    assert_int_equal(dkim_choose(twins, 2, SLICE("example.com"), 1).rules[0], 0);
    assert_false(dkim_domain_covers(SLICE(""), SLICE("example.com")));
    assert_false(dkim_domain_covers(SLICE("example.com"), SLICE("")));
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {cmocka_unit_test(chosen), cmocka_unit_test(holds),
                                       cmocka_unit_test(edges)};
    return cmocka_run_group_tests_name("dkim-choice", tests, NULL, NULL);
}
