/* The format of rules: what is read, what is told where, what goes before what. */
#include "classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct classify_rules *open_rules(const char *text) {
    struct err err = {0};
    struct classify_rules *rules = classify_rules_open(slice_of(text), "own", &err);
    if (!rules) fail_msg("%s\n%s", text, err.text);
    return rules;
}

static struct classify_verdict ask(const struct classify_rules *rules, enum classify_stage stage,
                                   const char *provider, const char *reply) {
    struct classify_input in = {.stage = stage, .provider = classify_provider(rules, slice_of(provider))};
    classify_read(slice_of(reply), &in);
    return classify(rules, &in);
}

static void test_own_first(void **state) {
    (void)state;
    struct classify_rules *rules = open_rules("# mine\n"
                                              "provider acme .acme.example\n"
                                              "define GONE-AWAY = moved (away|house) | emigrated\n"
                                              "\n"
                                              "invalid-recipient certain at=rcpt : {GONE-AWAY}\n"
                                              "mailbox-full\n"
                                              "  code=550\n"
                                              "  : user unknown ... honestly\n"
                                              "rate-limited defer wait=30m provider=acme code=554\n");
    struct classify_verdict v = ask(rules, CLASSIFY_AT_RCPT, "", "550 she emigrated");
    assert_int_equal(v.class, CLASSIFY_INVALID_RECIPIENT);
    assert_int_equal(v.hardness, CLASSIFY_HARD);
    assert_string_equal(v.rule, "own:5 {GONE-AWAY}");
    assert_int_equal(ask(rules, CLASSIFY_AT_RCPT, "", "550 moved house").class, CLASSIFY_INVALID_RECIPIENT);
    assert_int_not_equal(ask(rules, CLASSIFY_AT_DATA, "", "550 moved house").class,
                         CLASSIFY_INVALID_RECIPIENT);
    assert_int_equal(ask(rules, CLASSIFY_AT_RCPT, "", "550 user unknown").class, CLASSIFY_INVALID_RECIPIENT);
    assert_int_equal(ask(rules, CLASSIFY_AT_RCPT, "", "550 user unknown, honestly").class,
                     CLASSIFY_MAILBOX_FULL);
    v = ask(rules, CLASSIFY_AT_DATA, "mx1.acme.example", "554 virus found");
    assert_int_equal(v.class, CLASSIFY_RATE_LIMITED);
    assert_int_equal(v.wait_s, 1800);
    assert_false(v.permanent);
    assert_int_equal(ask(rules, CLASSIFY_AT_DATA, "", "554 virus found").class, CLASSIFY_MALWARE_REJECTED);
    classify_rules_free(rules);
}

/* pattern, text, whether it fits */
static void test_patterns(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool fits;
    } table[] = {
        {"qq ww", "xx qq ww yy", true},
        {"qq ww", "qq-WW", true},
        {"qq ww", "qq <a@b.example> ww", true},
        {"qq ww", "qq xx ww", false},
        {"qq ww", "ww qq", false},
        {"qq", "qqq", false},
        {"qq .. ww", "qq 1 2 3 4 5 6 ww", true},
        {"qq .. ww", "qq 1 2 3 4 5 6 7 ww", false},
        {"qq .. ww", "qq 1 2 3 4 5 6 7 qq ww", true},
        {"qq ... ww", "qq 1 2 3 4 5 6 7 8 9 ww", true},
        {"qq ... ww", "ww 1 qq", false},
        {"{qq | rr} {ww | ss tt}", "rr ss tt", true},
        {"{qq | rr} {ww | ss tt}", "rr ss", false},
        {"qq !{ww}", "qq", true},
        {"qq !{ww}", "qq xx ww", false},
        {"!{ww} qq", "ww qq", false},
        {"qq !{ww} .. rr", "qq xx rr", true},
        {"b(a|o|)q", "boq", true},
        {"b(a|o|)q", "bq", true},
        {"b(a|o|)q", "biq", false},
        {"qu\xC3\xA9rk", "QUERK", true},
        {"querk", "qu\xC3\xA9rk", true},
        {"querk", "qu\xE9rk", true},
        {"isnt querk", "isn't querk", true},
        {"isnt querk", "isn\xE2\x80\x99t querk", true},
        {".querk", "mx.querk.example", true},
        {".querk", "querk", false},
        {"querk", "mx.querk.example", false},
        {"querk", "end.Querk", true},
        {"\xE4\xB8\x8D\xE5\xAD\x98", "\xE7\x94\xA8\xE4\xB8\x8D\xE5\xAD\x98\xE5\x9C\xA8", true},
        {"ЖУК", "жук", true},
        {"qq", "\xEF\xBC\xB1\xEF\xBC\xB1", true},
        {"qq ww", "qq\x1B$Bww\x1B(B ww", false},
        {"qq", "\x1B$Bqq qq\x1B(B", false},
        {"qq", "xx@qq.example", false},
        {"qq ww ee rr", "qq ww qq ww ee rr", true},
        {"qq", "", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[256];
        snprintf(text, sizeof text, "feedback-info : %s\n", table[i].pattern);
        struct classify_rules *rules = open_rules(text);
        struct classify_input in = {.code = 450, .text = slice_of(table[i].text)};
        bool fits = classify(rules, &in).class == CLASSIFY_FEEDBACK_INFO;
        if (fits != table[i].fits)
            fail_msg("'%s' %s '%s'", table[i].pattern, fits ? "fits" : "does not fit", table[i].text);
        classify_rules_free(rules);
    }
}

static void test_conditions(void **state) {
    (void)state;
    static const struct {
        const char *conditions, *reply;
        enum classify_stage stage;
        bool fits;
    } table[] = {
        {"code=4xx", "450 x", 0, true},
        {"code=4xx", "550 x", 0, false},
        {"code=551,550", "550 x", 0, true},
        {"enhanced=5.1.1", "550 5.1.1 x", 0, true},
        {"enhanced=*.1.*", "450 4.1.8 x", 0, true},
        {"enhanced=*.1.*", "450 4.2.8 x", 0, false},
        {"enhanced=4.7.650-659", "450 4.7.655 x", 0, true},
        {"enhanced=4.7.650-659", "450 4.7.660 x", 0, false},
        {"enhanced=none", "450 x", 0, true},
        {"enhanced=none", "450 4.1.8 x", 0, false},
        {"enhanced=none,*.1.*", "450 4.1.8 x", 0, true},
        {"at=rcpt", "450 x", CLASSIFY_AT_RCPT, true},
        {"at=rcpt", "450 x", CLASSIFY_AT_DATA, false},
        {"at=-", "450 x", CLASSIFY_AT_UNKNOWN, true},
        {"at=-,data", "450 x", CLASSIFY_AT_DATA, true},
        {"code=450 at=mail", "450 x", CLASSIFY_AT_MAIL, true},
        {"provider=google", "450 x", 0, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[256];
        snprintf(text, sizeof text, "feedback-info %s\n", table[i].conditions);
        struct classify_rules *rules = open_rules(text);
        bool fits = ask(rules, table[i].stage, "", table[i].reply).class == CLASSIFY_FEEDBACK_INFO;
        if (fits != table[i].fits)
            fail_msg("'%s' %s '%s'", table[i].conditions, fits ? "fits" : "does not fit", table[i].reply);
        classify_rules_free(rules);
    }
}

static void test_faults(void **state) {
    (void)state;
    static const struct {
        const char *text, *told;
    } table[] = {
        {"user-unknown : x", "own:1: expected a class, define, provider or stage, got 'user-unknown'"},
        {"\n\nmailbox-full : {NOBODY-KNOWS}",
         "own:3: expected the name of a family that is defined before, got '{NOBODY-KNOWS}'"},
        {"mailbox-full code=600 : x",
         "own:1: code: expected 4xx, 5xx or a reply code such as 550, got '600'"},
        {"mailbox-full code= : x", "own:1: code: expected 4xx, 5xx or a reply code such as 550, got ''"},
        {"mailbox-full enhanced=5.1 : x",
         "own:1: enhanced: expected a code such as 5.1.1, *.7.* or 4.7.650-659, or none, got '5.1'"},
        {"mailbox-full at=lunch : x", "own:1: at: expected session, mail, rcpt, data or -, got 'lunch'"},
        {"mailbox-full wait=2d : x",
         "own:1: wait: expected a time such as 300s, 15m or 2h, at most 168h, got '2d'"},
        {"mailbox-full wait=99999h : x",
         "own:1: wait: expected a time such as 300s, 15m or 2h, at most 168h, got '99999h'"},
        {"mailbox-full hint=faster : x", "own:1: hint: expected one such as slower or pause, got 'faster'"},
        {"mailbox-full scope=world : x",
         "own:1: scope: expected recipient, message, sender, lane or host, got 'world'"},
        {"mailbox-full action=suppress-now : x",
         "own:1: action: suppress-now is what a certain refusal gets; say certain instead"},
        {"mailbox-full provider=acme : x",
         "own:1: provider: expected one that a line `provider` names before this one, got 'acme'"},
        {"mailbox-full :", "own:1: expected a pattern with words behind ':'"},
        {"mailbox-full : !{x}", "own:1: expected a pattern with words behind ':'"},
        {"mailbox-full : ---", "own:1: expected words, got '---'"},
        {"mailbox-full : {x", "own:1: expected a '}'"},
        {"mailbox-full : x}", "own:1: expected a '{' before '}'"},
        {"mailbox-full : a(b", "own:1: expected a ')' behind 'a(b'"},
        {"mailbox-full : .. x", "own:1: expected words before '..'"},
        {"define lower = x",
         "own:1: expected `define NAME = words | words`, the name in capitals, got 'lower'"},
        {"define A-NAME = x\ndefine A-NAME = y", "own:2: expected a new name: 'A-NAME' is defined already"},
        {"define A-NAME = {OTHER-NAME}", "own:1: expected the name of a family, got 'OTHER-NAME'"},
        {"provider acme mx.acme.example",
         "own:1: expected a suffix such as .example.com, got 'mx.acme.example'"},
        {"stage lunch : x", "own:1: expected `stage session|mail|rcpt|data ... : words`"},
        {"  mailbox-full : x",
         "own:1: expected a line that begins at its edge before one that goes on with it"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct err err = {0};
        struct classify_rules *rules = classify_rules_open(slice_of(table[i].text), "own", &err);
        assert_null(rules);
        assert_string_equal(err.text, table[i].told);
        assert_int_equal(err.kind, ERR_INPUT);
    }
}

static void test_bounds(void **state) {
    (void)state;
    enum { LARGE = 1 << 20 };
    char *text = malloc(LARGE);
    struct err err = {0};
    assert_non_null(text);
    memset(text, 'x', LARGE);
    memcpy(text, "mailbox-full : ", 15);
    assert_null(classify_rules_open(slice_make(text, LARGE), "own", &err)); /* one endless line */
    for (size_t i = 0; i + 16 <= LARGE; i += 16)
        memcpy(text + i, "mailbox-full: x\n", 16);
    assert_null(classify_rules_open(slice_make(text, LARGE), "own", &err));
    for (size_t i = 0; i + 16 <= LARGE; i += 16)
        memcpy(text + i, "mailbox-full :x\n", 16);
    assert_null(classify_rules_open(slice_make(text, LARGE), "own", &err));
    for (size_t i = 0; i + 17 <= LARGE; i += 17)
        memcpy(text + i, "mailbox-full : x\n", 17);
    assert_null(classify_rules_open(slice_make(text, LARGE - LARGE % 17), "own", &err)); /* too many rules */
    assert_non_null(strstr(err.text, "expected at most"));
    const char *many = "mailbox-full : (a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)\n";
    assert_null(classify_rules_open(slice_of(many), "own", &err));
    assert_null(classify_rules_load("/nonexistent/rules", &err));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_first), cmocka_unit_test(test_patterns), cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_faults),    cmocka_unit_test(test_bounds),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
