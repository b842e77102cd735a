/* Profiles: the built-in ones, whose a host is, and every way in which a profile may be wrong. */
#include "profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct set {
    struct arena arena;
    struct profile *list;
    size_t count;
    struct err err;
};

static struct set *set_new(void) {
    struct set *s = calloc(1, sizeof *s);
    assert_non_null(s);
    arena_init(&s->arena, 16 << 20);
    s->list = calloc(PROFILES_MOST, sizeof *s->list);
    assert_non_null(s->list);
    return s;
}

static void set_free(struct set *s) {
    arena_done(&s->arena);
    free(s->list);
    free(s);
}

static struct set *builtin(void) {
    struct set *s = set_new();
    if (profile_builtin(&s->arena, s->list, &s->count, &s->err)) fail_msg("%s", s->err.text);
    return s;
}

/* What rules of replies say of a provider must be of the same provider. */
static void test_rules_agree(void **state) {
    (void)state;
    struct set *s = builtin();
    struct err err;
    struct classify_rules *rules = classify_rules_load(NULL, &err);
    assert_non_null(rules);
    assert_true(s->count > 20);
    for (size_t i = 0; i < s->count; i++) {
        const struct profile *p = &s->list[i];
        if (p->suffix_count == 0) {
            assert_string_equal(p->name, "other");
            continue;
        }
        unsigned number = classify_provider(rules, slice_of(p->name));
        if (!number) fail_msg("no rule knows the provider %s", p->name);
        for (size_t j = 0; j < p->suffix_count; j++) {
            char host[300];
            snprintf(host, sizeof host, "%s%s", p->suffixes[j][0] == '.' ? "mx1" : "", p->suffixes[j]);
            if (classify_provider(rules, slice_of(host)) != number)
                fail_msg("%s is not %s's for the rules", host, p->name);
        }
    }
    classify_rules_free(rules);
    set_free(s);
}

static void test_hosts(void **state) {
    (void)state;
    static const struct {
        const char *host, *name;
    } table[] = {
        {"aspmx.l.google.com", "google"},
        {"ALT1.GMAIL-SMTP-IN.L.GOOGLE.COM.", "google"},
        {"aspmx2.googlemail.com", "google"},
        {"google.com", NULL},
        {"notgoogle.com", NULL},
        {"mx.evilgoogle.com", NULL},
        {"aspmx.l.google.com.evil.example", NULL},
        {"hotmail-com.olc.protection.outlook.com", "outlook"},
        {"example-com.mail.protection.outlook.com", "office365"},
        {"example-com.a-v1.mx.microsoft", "office365-dane"},
        {"mta5.am0.yahoodns.net", "yahoo"},
        {"mx1.mail.yahoo.co.jp", "yahoo.co.jp"},
        {"eu-smtp-inbound-1.mimecast.com", "mimecast"},
        {"mfsmax.docomo.ne.jp", "docomo"},
        {"lsean.ezweb.ne.jp", "au"},
        {"mx.au.com", "au"},
        {"mx.softbank.ne.jp", "softbank"},
        {"mx.i.softbank.jp", "softbank"},
        {"smtp-in.orange.fr", "orange"},
        {"mx-ha02.web.de", "gmx"},
        {"mx3.qq.com", "qq"},
        {"", NULL},
        {".", NULL},
        {"com", NULL},
    };
    struct set *s = builtin();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct profile *p = profile_of_host(s->list, s->count, slice_of(table[i].host));
        if (!p != !table[i].name || (p && strcmp(p->name, table[i].name) != 0))
            fail_msg("%s: %s, not %s", table[i].host, p ? p->name : "nobody",
                     table[i].name ? table[i].name : "nobody");
    }
    set_free(s);
}

/* The longest suffix, wherever it stands; the configuration's before the built-in ones. */
static void test_longest_wins(void **state) {
    (void)state;
    struct set *s = set_new();
    static const char text[] = "providers:\n"
                               "- {name: short, mx: .big.example}\n"
                               "- {name: long, mx: .eu.big.example}\n"
                               "- {name: host, mx: [mx1.eu.big.example, MX9.Big.Example]}\n"
                               "- {name: mine, mx: .example.org}\n"
                               "- {name: theirs, mx: .very.long.example.org}\n";
    static const struct {
        const char *host, *name;
    } table[] = {{"a.big.example", "short"},       {"a.eu.big.example", "long"},
                 {"mx1.eu.big.example", "host"},   {"mx9.big.example", "host"},
                 {"x.mx1.eu.big.example", "long"}, {"a.very.long.example.org", "mine"}};
    if (profile_read(slice_of(text), "t", &s->arena, s->list, &s->count, &s->err))
        fail_msg("%s", s->err.text);
    profile_named(s->list, s->count, SLICE("mine"))->own = true;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(profile_of_host(s->list, s->count, slice_of(table[i].host))->name, table[i].name);
    set_free(s);
}

/* Starts are starts, published rules are ceilings. */
static void test_numbers(void **state) {
    (void)state;
    struct set *s = builtin();
    static const struct {
        const char *name;
        double connections, connections_ceiling, per_connection, per_connection_ceiling, rate,
            a_minute_ceiling;
    } table[] = {
        {"google", 5, 0, 50, 0, 0, 0},        {"yahoo", 0, 0, 20, 20, 0, 0},
        {"outlook", 5, 0, 50, 0, 0, 0},       {"apple", 10, 10, 5, 5, 0, 0},
        {"orange", 2, 3, 100, 0, 0, 16},      {"docomo", 1, 0, 0, 100, 1, 0},
        {"mimecast", 10, 10, 100, 100, 0, 0}, {"yahoo.co.jp", 2, 0, 20, 0, 10, 0},
        {"cisco", 0, 0, 0, 0, 0, 0},          {"comcast", 25, 25, 1000, 1000, 0, 166},
        {"other", 4, 0, 100, 0, 10, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct profile *p = profile_named(s->list, s->count, slice_of(table[i].name));
        assert_non_null(p);
        struct learn_profile l = profile_learn(p);
        if (l.connections.start != table[i].connections ||
            l.connections.ceiling != table[i].connections_ceiling ||
            l.per_connection.start != table[i].per_connection ||
            l.per_connection.ceiling != table[i].per_connection_ceiling || l.rate.start != table[i].rate ||
            l.new_connections.ceiling != table[i].a_minute_ceiling)
            fail_msg("%s is not as written down", table[i].name);
    }
    assert_true(profile_named(s->list, s->count, SLICE("mimecast"))->by_site);
    assert_true(profile_named(s->list, s->count, SLICE("google"))->wants_tls);
    assert_false(profile_named(s->list, s->count, SLICE("yahoo"))->wants_tls);
    for (size_t i = 0; i < s->count; i++) /* all that is not the provider's own word is a start alone */
        for (int n = 0; n < PROFILE_SESSION_RECIPIENTS; n++)
            if (s->list[i].limits[n].bounds.ceiling > 0)
                assert_int_equal(s->list[i].limits[n].from, PROFILE_FROM_PROVIDER);
    set_free(s);
}

static void test_silence_is_filled(void **state) {
    (void)state;
    struct set *s = builtin();
    const struct profile *other = profile_named(s->list, s->count, SLICE("other"));
    for (size_t i = 0; i < s->count; i++) {
        struct profile p = s->list[i];
        profile_fill(&p, other);
        for (int n = 0; n < PROFILE_NUMBERS; n++)
            if (profile_bounds_fault((enum profile_number)n, &p.limits[n].bounds)) fail_msg("%s", p.name);
        struct learn_profile before = profile_learn(&s->list[i]), after = profile_learn(&p);
        assert_true(after.rate.start > 0 && after.connections.start > 0 && after.per_connection.start > 0);
        if (before.rate.start > 0) assert_true(before.rate.start == after.rate.start);
        assert_true(before.connections.ceiling == after.connections.ceiling);
        if (strcmp(p.name, "docomo") == 0) assert_true(after.per_connection.start == 100);
        if (strcmp(p.name, "yahoo") == 0) assert_true(after.connections.start == 4);
    }
    set_free(s);
}

/* A whole controller on each of them: it sends, and keeps the ceilings. */
static void test_controller_takes_them(void **state) {
    (void)state;
    struct set *s = builtin();
    for (size_t i = 0; i < s->count; i++) {
        struct learn_profile p = profile_learn(&s->list[i]);
        struct learn l;
        struct learn_session sessions[64];
        mono_us when, now = 1;
        unsigned open = 0;
        learn_init(&l, &p, NULL, NULL, now);
        while (open < 64 && learn_open(&l, &sessions[open], 0, true, now, &when))
            learn_let_in(&l, &sessions[open++], now);
        assert_true(open >= 1);
        if (p.connections.ceiling > 0) assert_true(open <= p.connections.ceiling);
        assert_true(learn_take(&l, &sessions[0], 1, now, &when) == 1);
        learn_done(&l);
    }
    set_free(s);
}

#define ONE(rest) "providers:\n- name: a\n  mx: .a.example\n" rest
static void test_faults(void **state) {
    (void)state;
    static const struct {
        const char *text, *fault;
    } table[] = {
        {"", "t:1:1: expected a list `providers:`"},
        {"[]", "t:1:1: expected a list `providers:`"},
        {"providers: 3", "t:1:12: expected a list `providers:`"},
        {"providers: []\nmore: 1", "t:2:7: unknown key 'more'"},
        {"providers: [x]", "t:1:13: expected a section with a name, got 'x'"},
        {"providers:\n- mx: .a.example", "t:2:3: expected a name of letters, digits, '-', '_' and '.'"},
        {"providers:\n- name: 'a b'", "t:2:9: expected a name of letters, digits, '-', '_' and '.'"},
        {"providers:\n- name: a", "t:2:3: a: mx is missing: whose mail exchangers?"},
        {ONE("- {name: a, mx: .b.example}"), "t:4:10: 'a' is here twice (first in t:2)"},
        {ONE("- {name: b, mx: .A.example}"), "t:4:17: b: mx: '.A.example' is a's already (t:2)"},
        {"providers:\n- {name: a, mx: [.a.example, .a.example]}",
         "t:2:30: a: mx: '.a.example' is a's already (t:2)"},
        {"providers:\n- {name: a, mx: []}",
         "t:2:17: a: mx: expected a list of 1 to 64 names, and 4096 in all"},
        {"providers:\n- {name: a, mx: '.'}", "t:2:17: a: mx: '.' all names end so"},
        {"providers:\n- {name: a, mx: ''}", "t:2:17: a: mx: 'nothing' is empty"},
        {"providers:\n- {name: a, mx: .com}",
         "t:2:17: a: mx: '.com' has one label only: too many names end so"},
        {"providers:\n- {name: a, mx: com}",
         "t:2:17: a: mx: 'com' has one label only: too many names end so"},
        {"providers:\n- {name: a, mx: .co.jp}",
         "t:2:17: a: mx: '.co.jp' is a registry: too many names end so"},
        {"providers:\n- {name: a, mx: .COM.au}",
         "t:2:17: a: mx: '.COM.au' is a registry: too many names end so"},
        {"providers:\n- {name: a, mx: ..a.b}", "t:2:17: a: mx: '..a.b' is no name of hosts"},
        {"providers:\n- {name: a, mx: '.a b.c'}", "t:2:17: a: mx: '.a b.c' is no name of hosts"},
        {"providers:\n- {name: a, mx: '*.b.c'}", "t:2:17: a: mx: '*.b.c' is no name of hosts"},
        {"providers:\n- {name: a, mx: .a.example.}",
         "t:2:17: a: mx: '.a.example.' is no name: the dot at its end"},
        {"providers:\n- {name: a, mx: [[x]]}", "t:2:18: a: mx: 'a list' is no name"},
        {ONE("  tls: maybe"), "t:4:8: a: tls: expected wanted, got 'maybe'"},
        {ONE("  by: host"), "t:4:7: a: by: expected site, got 'host'"},
        {ONE("  limit: 3"), "t:4:10: a: unknown key 'limit'"},
        {ONE("  connections: 3"),
         "t:4:16: a: connections: expected {start: 5, from: field} or the like, got '3'"},
        {ONE("  connections: {start: 3}"), "t:4:16: a: connections: `from` is missing: who says so?"},
        {ONE("  connections: {from: field}"),
         "t:4:16: a: connections: expected a floor, a start or a ceiling"},
        {ONE("  connections: {start: 3, from: me}"),
         "t:4:33: a: from: expected shaping, community, provider, field or own, got 'me'"},
        {ONE("  connections: {start: 0, from: field}"), "t:4:24: a: connections.start: must be more than 0"},
        {ONE("  connections: {start: -1, from: field}"),
         "t:4:24: a: connections.start: expected a number such as 10 or 0.5, got '-1'"},
        {ONE("  connections: {start: .nan, from: field}"),
         "t:4:24: a: connections.start: expected a number such as 10 or 0.5, got '.nan'"},
        {ONE("  connections: {start: 1e3, from: field}"),
         "t:4:24: a: connections.start: expected a number such as 10 or 0.5, got '1e3'"},
        {ONE("  connections: {start: '3', from: field}"),
         "t:4:24: a: connections.start: expected a number such as 10 or 0.5, got '3'"},
        {ONE("  connections: {start: 2., from: field}"),
         "t:4:24: a: connections.start: expected a number such as 10 or 0.5, got '2.'"},
        {ONE("  connections: {start: 2.5, from: field}"), "t:4:16: a: connections: must be a whole number"},
        {ONE("  connections: {start: 99999, from: field}"),
         "t:4:16: a: connections: is more than any provider takes"},
        {ONE("  connections: {start: 9999999999999999, from: field}"),
         "t:4:24: a: connections.start: expected a number such as 10 or 0.5, got '9999999999999999'"},
        {ONE("  messages_per_second: {start: 0.0001, from: field}"),
         "t:4:24: a: messages_per_second: must be 0.001 at least"},
        {ONE("  connections: {floor: 5, ceiling: 4, from: field}"),
         "t:4:16: a: connections: the floor is above the ceiling"},
        {ONE("  connections: {start: 5, ceiling: 4, from: field}"),
         "t:4:16: a: connections: the start is above the ceiling"},
        {ONE("  connections: {start: 5, floor: 6, from: field}"),
         "t:4:16: a: connections: the start is below the floor"},
        {ONE("  messages_per_day: {start: 5, from: field}"),
         "t:4:21: a: messages_per_day: takes a ceiling only"},
        {ONE("  recipients_per_session: {floor: 5, from: field}"),
         "t:4:27: a: recipients_per_session: takes a ceiling only"},
        {ONE("  connections: {start: 5, most: 6, from: field}"),
         "t:4:33: a: connections.most: unknown key (floor, start, ceiling, from, note)"},
        {ONE("  connections: {start: 5, note: [], from: field}"),
         "t:4:33: a: note: expected 1 to 200 bytes of text, got 'a list'"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct set *s = set_new();
        if (profile_read(slice_of(table[i].text), "t", &s->arena, s->list, &s->count, &s->err) == 0)
            fail_msg("taken: %s", table[i].text);
        assert_string_equal(s->err.text, table[i].fault);
        assert_int_equal(s->err.kind, ERR_INPUT);
        set_free(s);
    }
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_agree),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_longest_wins),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_silence_is_filled),
        cmocka_unit_test(test_controller_takes_them),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
