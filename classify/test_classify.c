/* Verdicts in tables: class, permanence, hardness, scope, action, hint, wait. What words mean is in
 * test_replies.c. */
#include "classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { S = CLASSIFY_AT_SESSION, M = CLASSIFY_AT_MAIL, R = CLASSIFY_AT_RCPT, D = CLASSIFY_AT_DATA };

static struct classify_rules *rules;

static const struct reply_case {
    int stage, code;
    uint16_t enhanced[3];
    const char *text, *class;
    bool permanent;
    enum classify_hardness hardness;
    enum classify_scope scope;
} replies[] = {
#define SOFT      CLASSIFY_SOFT
#define HARD      CLASSIFY_HARD
#define RECIPIENT CLASSIFY_SCOPE_RECIPIENT
#define MESSAGE   CLASSIFY_SCOPE_MESSAGE
#define SENDER    CLASSIFY_SCOPE_SENDER
#define LANE      CLASSIFY_SCOPE_LANE
#define HOST      CLASSIFY_SCOPE_HOST
    {D, 250, {2, 0, 0}, "queued", "delivered", false, CLASSIFY_NOT_BOUNCED, RECIPIENT},
    /* nobody there */
    {R, 550, {5, 1, 1}, "no such user", "invalid-recipient", true, HARD, RECIPIENT},
    {R, 550, {5, 1, 1}, "", "invalid-recipient", true, HARD, RECIPIENT},
    {R, 550, {0}, "User unknown", "invalid-recipient", true, HARD, RECIPIENT},
    {R, 550, {0}, "sorry, no mailbox here by that name (#5.1.1)", "invalid-recipient", true, HARD, RECIPIENT},
    {R, 550, {5, 1, 2}, "Bad destination system", "invalid-domain", true, HARD, RECIPIENT},
    {R, 550, {5, 1, 1}, "<spam@rbl.example>: User unknown", "invalid-recipient", true, HARD, RECIPIENT},
    {D, 550, {5, 1, 1}, "user unknown", "invalid-recipient", true, HARD, RECIPIENT},
    /* perhaps nobody there: never hard */
    {R, 450, {4, 1, 1}, "User unknown in virtual alias table", "invalid-recipient", false, SOFT, RECIPIENT},
    {D, 550, {0}, "Unknown user", "recipient-refused", true, SOFT, RECIPIENT},
    {R,
     550,
     {0},
     "Requested action not taken: mailbox unavailable",
     "invalid-recipient",
     true,
     HARD,
     RECIPIENT},
    {R, 550, {0}, "mailbox unavailable", "invalid-recipient", true, SOFT, RECIPIENT},
    {R, 550, {0}, "", "recipient-refused", true, SOFT, RECIPIENT},
    {R, 550, {5, 1, 1}, "listed at zen.spamhaus.org", "reputation-block", true, SOFT, LANE},
    {R,
     550,
     {5, 1, 1},
     "203.0.113.222 has sent to too many recipients this hour",
     "rate-limited",
     false,
     SOFT,
     LANE},
    {R, 550, {5, 1, 1}, "Refused due to recipient preferences", "recipient-refused", true, SOFT, RECIPIENT},
    {M, 550, {5, 1, 8}, "Domain of sender address does not exist", "sender-rejected", true, SOFT, SENDER},
    {S, 550, {5, 1, 1}, "user unknown", "invalid-recipient", false, SOFT, RECIPIENT},
    /* full, inactive */
    {R, 552, {5, 2, 2}, "over quota", "mailbox-full", true, SOFT, RECIPIENT},
    {R, 452, {4, 2, 2}, "The account is over quota", "mailbox-full", false, SOFT, RECIPIENT},
    {R, 550, {5, 2, 1}, "disabled", "inactive-mailbox", true, SOFT, RECIPIENT},
    /* what the providers are known to say */
    {D, 421, {4, 7, 28}, "unusual rate of unsolicited mail", "reputation-block", false, SOFT, LANE},
    {R,
     450,
     {4, 2, 1},
     "The user is\nreceiving mail at a rate that prevents",
     "rate-limited",
     false,
     SOFT,
     RECIPIENT},
    {M,
     421,
     {4, 7, 0},
     "[TSS04] Messages from 192.0.2.1 temporarily deferred",
     "reputation-block",
     false,
     SOFT,
     LANE},
    {M, 421, {0}, "Max message per connection reached", "rate-limited", false, SOFT, LANE},
    {S, 553, {5, 7, 1}, "[BL21] Connections will not be accepted", "reputation-block", false, SOFT, LANE},
    {M,
     451,
     {4, 7, 650},
     "temporarily rate limited due to IP reputation",
     "reputation-block",
     false,
     SOFT,
     LANE},
    {M,
     550,
     {5, 7, 1},
     "part of their network is on our block list (S3150)",
     "reputation-block",
     true,
     SOFT,
     LANE},
    {D, 550, {5, 7, 515}, "Access denied", "auth-failure", true, SOFT, SENDER},
    {D,
     550,
     {5, 7, 515},
     "sending domain does not meet the required level",
     "auth-failure",
     true,
     SOFT,
     SENDER},
    {D, 550, {0}, "Ip frequency limited", "rate-limited", false, SOFT, LANE},
    {D, 550, {0}, "Connection frequency limited", "rate-limited", false, SOFT, LANE},
    {M, 550, {0}, "RP:ORQ", "rate-limited", false, SOFT, LANE},
    {S, 553, {0}, "VS98-IP0 deferred", "rate-limited", false, SOFT, LANE},
    {R, 450, {4, 2, 0}, "Greylisted, see http://example.org", "greylisted", false, SOFT, RECIPIENT},
    {D, 554, {5, 7, 1}, "rejected due to example.jp's DMARC policy", "auth-failure", true, SOFT, SENDER},
    {D, 552, {5, 3, 4}, "Message too large", "message-too-large", true, SOFT, MESSAGE},
    {D, 550, {0}, "virus found", "malware-rejected", true, SOFT, MESSAGE},
    {R, 554, {5, 7, 1}, "Relay access denied", "relay-denied", true, SOFT, HOST},
    /* the code alone */
    {S, 554, {0}, "", "reputation-block", false, SOFT, LANE},
    {S, 421, {0}, "", "remote-failure", false, SOFT, HOST},
    {M, 503, {0}, "bad sequence", "remote-failure", false, SOFT, HOST},
    {M, 550, {0}, "", "sender-rejected", true, SOFT, SENDER},
    {D, 554, {0}, "", "content-rejected", true, SOFT, MESSAGE},
    {R, 499, {0}, "", "undetermined", false, SOFT, RECIPIENT},
    {R, 354, {0}, "", "undetermined", false, SOFT, RECIPIENT},
};

static void test_replies(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        const struct reply_case *c = &replies[i];
        struct classify_input in = {
            .stage = (enum classify_stage)c->stage, .code = c->code, .text = slice_of(c->text)};
        memcpy(in.enhanced, c->enhanced, sizeof in.enhanced);
        struct classify_verdict v = classify(rules, &in);
        if (strcmp(classify_name(v.class), c->class) != 0 || v.permanent != c->permanent ||
            v.hardness != c->hardness || v.scope != c->scope)
            fail_msg("%d %s: %s by '%s', %s, hardness %d, scope %s", c->code, c->text, classify_name(v.class),
                     v.rule, v.permanent ? "permanent" : "temporary", (int)v.hardness,
                     classify_scope_name(v.scope));
        assert_non_null(v.rule);
    }
}

static void test_actions(void **state) {
    (void)state;
    static const struct {
        int code;
        const char *text;
        enum classify_action action;
        bool waits;
    } table[] = {
        {550, "User unknown", CLASSIFY_SUPPRESS_NOW, false},
        {450, "User unknown", CLASSIFY_RETRY, false},
        {550, "mailbox unavailable", CLASSIFY_SUPPRESS_AFTER_N, false},
        {552, "mailbox full", CLASSIFY_SUPPRESS_AFTER_N, false},
        {452, "mailbox full", CLASSIFY_RETRY, false},
        {421, "too many connections", CLASSIFY_SLOW, false},
        {421, "[TSS04] deferred", CLASSIFY_SLOW, true},
        {451, "[BS02]", CLASSIFY_SLOW, true},
        {450, "is receiving mail at a rate that", CLASSIFY_RETRY, false},
        {550, "listed at zen.spamhaus.org", CLASSIFY_PAUSE_ALERT, false},
        {450, "listed at zen.spamhaus.org", CLASSIFY_SLOW, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct classify_input in = {
            .stage = CLASSIFY_AT_RCPT, .code = table[i].code, .text = slice_of(table[i].text)};
        struct classify_verdict v = classify(rules, &in);
        if (v.action != table[i].action)
            fail_msg("%d %s: %s", table[i].code, table[i].text, classify_action_name(v.action));
        assert_int_equal(v.wait_s > 0, table[i].waits);
    }
}

static void test_without_reply(void **state) {
    (void)state;
    for (int local = CLASSIFY_CONNECT_FAILED; local <= CLASSIFY_ON_SUPPRESSION_LIST; local++) {
        struct classify_verdict v = classify_local((enum classify_local)local);
        assert_true(v.class != CLASSIFY_NONE && v.rule);
        bool hard = local == CLASSIFY_DNS_NO_DOMAIN || local == CLASSIFY_DNS_NULL_MX ||
                    local == CLASSIFY_BAD_ADDRESS || local == CLASSIFY_ON_SUPPRESSION_LIST;
        assert_int_equal(v.hardness == CLASSIFY_HARD, hard);
        assert_int_equal(v.permanent, local >= CLASSIFY_DNS_NO_DOMAIN);
    }
}

/* What steers a lane: reply, provider, and what is asked for. */
static void test_hints(void **state) {
    (void)state;
    static const struct {
        int stage;
        const char *reply, *provider, *class, *hint;
        enum classify_scope scope;
        bool permanent;
        uint32_t wait_s;
    } table[] = {
        {D, "421 4.7.28 our system has detected an unusual rate of unsolicited mail", "google",
         "reputation-block", "slower", LANE, false, 0},
        {R, "450 4.2.1 the user is receiving mail at a rate that prevents", "google", "rate-limited",
         "one-mailbox", RECIPIENT, false, 0},
        {R, "452 4.2.2 over quota", "google", "mailbox-full", "one-mailbox", RECIPIENT, false, 0},
        {D, "421 4.7.0 has detected that this message is suspicious", "google", "content-rejected", "slower",
         MESSAGE, false, 0},
        {M, "421 4.7.0 [TSS04] Messages temporarily deferred", "yahoo", "reputation-block", "pause", LANE,
         false, 7200},
        {M, "421 4.7.0 [IPTS04] Messages temporarily deferred", "yahoo", "reputation-block", "pause", LANE,
         false, 14400},
        {M, "421 4.7.0 [TS02] Messages temporarily deferred", "yahoo", "reputation-block", "slower", LANE,
         false, 0},
        {M, "421 Max message per connection reached", "yahoo", "rate-limited", "fewer-per-connection", LANE,
         false, 0},
        {M, "553 5.7.1 [BL21] Connections will not be accepted", "yahoo", "reputation-block", "stop-source",
         LANE, true, 0},
        {M, "451 4.7.650 has been temporarily rate limited due to IP reputation", "outlook",
         "reputation-block", "slower", LANE, false, 0},
        {S, "421 exceeded the maximum number of connections", "outlook", "rate-limited", "fewer-connections",
         LANE, false, 0},
        {M, "421 exceeded maximum number of messages per connection", "outlook", "rate-limited",
         "fewer-per-connection", LANE, false, 0},
        {R, "451 4.7.500 Server busy", "office365", "remote-failure", "slower", LANE, false, 0},
        {R, "550 Access denied, please try again later", "outlook", "rate-limited", "slower", LANE, false, 0},
        {M, "550 5.7.1 part of their network is on our block list", "outlook", "reputation-block",
         "stop-source", LANE, true, 0},
        {D, "550 5.7.515 Access denied, sending domain x", "outlook", "auth-failure", "stop-identity", SENDER,
         true, 0},
        {M, "451 [BS02] later", "apple", "rate-limited", "pause", LANE, false, 900},
        {S, "421 Trop de connexions OFR005_104", "orange", "rate-limited", "fewer-connections", LANE, false,
         0},
        {S, "421 Trop de connexions LPN105_104", "laposte", "rate-limited", "fewer-connections", LANE, false,
         0},
        {S, "421 Too many connections", "gmx", "rate-limited", "fewer-connections", LANE, false, 0},
        {M, "550 Domain frequency limited", "qq", "rate-limited", "slower", LANE, false, 0},
        {M, "550 Connection frequency limited", "qq", "rate-limited", "fewer-new-connections", LANE, false,
         0},
        {D, "550 RP:ORQ", "netease", "rate-limited", "pause", LANE, false, 12 * 3600},
        {S, "554 HL:ITC", "netease", "rate-limited", "slower", LANE, false, 3600},
        {M, "553 VS98-IP0 deferred", "yahoo.co.jp", "rate-limited", "pause", LANE, false, 3600},
        {S, "421 RL000001 too many", "comcast", "rate-limited", "fewer-new-connections", LANE, false, 0},
        {R, "451 greylisted, try again in 300 seconds", "", "greylisted", "-", RECIPIENT, false, 300},
        {R, "450 Greylisted for 5 minutes", "", "greylisted", "-", RECIPIENT, false, 300},
        {R, "451 greylisting, come back in 00:04:52", "", "greylisted", "-", RECIPIENT, false, 292},
        {R, "450 Greylisted at 2026-03-04 02:12:45, see 10.0.0.5 id 5s9x", "", "greylisted", "-", RECIPIENT,
         false, 0},
        {R, "450 greylist 900000 seconds", "", "greylisted", "-", RECIPIENT, false, 0},
        {R, "452 4.5.3 too many recipients", "", "rate-limited", "fewer-recipients", LANE, false, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct classify_input in = {.stage = (enum classify_stage)table[i].stage,
                                    .provider = classify_provider(rules, slice_of(table[i].provider))};
        classify_read(slice_of(table[i].reply), &in);
        struct classify_verdict v = classify(rules, &in);
        if (strcmp(classify_name(v.class), table[i].class) != 0 || v.scope != table[i].scope ||
            strcmp(classify_hint_name(v.hint), table[i].hint) != 0 || v.permanent != table[i].permanent ||
            v.wait_s != table[i].wait_s)
            fail_msg("%s: %s, %s, scope %s, %s, wait %u by '%s'", table[i].reply, classify_name(v.class),
                     classify_hint_name(v.hint), classify_scope_name(v.scope),
                     v.permanent ? "permanent" : "temporary", v.wait_s, v.rule);
    }
}

static void test_providers(void **state) {
    (void)state;
    unsigned google = classify_provider(rules, SLICE("google"));
    assert_int_not_equal(google, 0);
    assert_int_equal(classify_provider(rules, SLICE("GMAIL-SMTP-IN.l.google.com")), google);
    assert_int_not_equal(classify_provider(rules, SLICE("yahoo")),
                         classify_provider(rules, SLICE("yahoo.co.jp")));
    assert_int_equal(classify_provider(rules, SLICE("mx.notgoogle.com")), 0);
    assert_int_equal(classify_provider(rules, SLICE("")), 0);
    assert_int_equal(classify_provider(rules, SLICE("docomo.ne.jp")),
                     classify_provider(rules, SLICE("docomo")));
}

static void test_read(void **state) {
    (void)state;
    static const struct {
        const char *reply;
        int code;
        uint16_t enhanced[3];
    } table[] = {
        {"550 5.1.1 gone", 550, {5, 1, 1}},
        {"550-5.1.1 gone", 550, {5, 1, 1}},
        {"550", 550, {0}},
        {"550 sorry (#5.7.17)", 550, {5, 7, 17}},
        {"550 from 5.1.1.9 refused", 550, {0}},
        {"550 host 15.1.1", 550, {0}},
        {"554 4.4.7 expired", 554, {4, 4, 7}},
        {"421 2.0.0 then 4.7.0", 421, {4, 7, 0}},
        {"5.1.0 - Unknown address", 0, {5, 1, 0}},
        {"host mx.example.org[192.0.2.7] said: 550 5.1.1 no", 550, {5, 1, 1}},
        {"smtp; 452 4.2.2 full", 452, {4, 2, 2}},
        {"Gone for 550 days", 0, {0}},
        {"5500 no code", 0, {0}},
        {"", 0, {0}},
        {"999 no code", 0, {0}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct classify_input in = {0};
        classify_read(slice_of(table[i].reply), &in);
        if (in.code != table[i].code || memcmp(in.enhanced, table[i].enhanced, sizeof in.enhanced) != 0)
            fail_msg("'%s': %d %u.%u.%u", table[i].reply, in.code, in.enhanced[0], in.enhanced[1],
                     in.enhanced[2]);
    }
}

static void test_stages(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int stage;
    } table[] = {{"RCPT", R},        {"rcpt to", R}, {"MAIL_FROM", M}, {"Data", D},
                 {"end-of-data", D}, {"EHLO", S},    {"connect", S},   {"-", 0},
                 {"QUIT", 0},        {".", D},       {"", 0},          {"  mail ", M}};
    enum classify_stage stage;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_true(classify_stage_by_name(slice_of(table[i].name), &stage));
        assert_int_equal(stage, table[i].stage);
    }
    assert_false(classify_stage_by_name(SLICE("550"), &stage));
    assert_false(classify_stage_by_name(SLICE("a stage with a very long name indeed"), &stage));
}

static void test_names(void **state) {
    (void)state;
    for (int i = 1; i < CLASSIFY_CLASSES; i++)
        assert_int_equal(classify_by_name(slice_of(classify_name((enum classify_class)i))), i);
    assert_int_equal(classify_by_name(SLICE("nonsense")), CLASSIFY_NONE);
    assert_int_equal(classify_by_name(SLICE("-")), CLASSIFY_NONE);
    assert_string_equal(classify_name(CLASSIFY_NONE), "-");
    assert_string_equal(classify_name(CLASSIFY_CLASSES), "-");
}

static void test_hostile_text(void **state) {
    (void)state;
    static char big[20000];
    memset(big, '<', sizeof big);
    for (size_t n = 0; n < sizeof big; n += 997) {
        struct classify_input in = {.stage = CLASSIFY_AT_RCPT, .code = 550, .text = slice_make(big, n)};
        assert_int_equal(classify(rules, &in).class, CLASSIFY_RECIPIENT_REFUSED);
    }
    memset(big, '@', sizeof big);
    struct classify_input in = {.stage = CLASSIFY_AT_RCPT, .code = 550, .text = slice_make(big, sizeof big)};
    assert_int_equal(classify(rules, &in).class, CLASSIFY_RECIPIENT_REFUSED);
    in.text = (struct slice){NULL, 0};
    assert_int_equal(classify(rules, &in).class, CLASSIFY_RECIPIENT_REFUSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),       cmocka_unit_test(test_actions),
        cmocka_unit_test(test_hints),         cmocka_unit_test(test_read),
        cmocka_unit_test(test_without_reply), cmocka_unit_test(test_providers),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_stages),
        cmocka_unit_test(test_hostile_text),
    };
    struct err err;
    rules = classify_rules_load(NULL, &err);
    if (!rules) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    classify_rules_free(rules);
    return failed;
}
