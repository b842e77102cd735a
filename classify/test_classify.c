/* Verdicts in tables, and the score on the collection of real replies where it is at hand. */
#include "classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { S = CLASSIFY_AT_SESSION, M = CLASSIFY_AT_MAIL, R = CLASSIFY_AT_RCPT, D = CLASSIFY_AT_DATA };

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
    {D, 550, {0}, "Unknown user", "invalid-recipient", true, SOFT, RECIPIENT},
    {R,
     550,
     {0},
     "Requested action not taken: mailbox unavailable",
     "invalid-recipient",
     true,
     SOFT,
     RECIPIENT},
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
    {D, 550, {5, 7, 515}, "Access denied", "policy-block", true, SOFT, LANE},
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
        struct classify_verdict v = classify(&in);
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
        {550, "invalid recipient", CLASSIFY_SUPPRESS_AFTER_N, false},
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
        struct classify_verdict v = classify(&in);
        if (v.action != table[i].action)
            fail_msg("%d %s: %s", table[i].code, table[i].text, classify_action_name(v.action));
        assert_int_equal(v.wait_s > 0, table[i].waits);
    }
}

static void test_without_reply(void **state) {
    (void)state;
    for (int local = CLASSIFY_CONNECT_FAILED; local <= CLASSIFY_ON_SUPPRESSION_LIST; local++) {
        struct classify_input in = {.local = (enum classify_local)local};
        struct classify_verdict v = classify(&in);
        assert_true(v.class != CLASSIFY_NONE && v.rule);
        bool hard = local == CLASSIFY_DNS_NO_DOMAIN || local == CLASSIFY_DNS_NULL_MX ||
                    local == CLASSIFY_BAD_ADDRESS || local == CLASSIFY_ON_SUPPRESSION_LIST;
        assert_int_equal(v.hardness == CLASSIFY_HARD, hard);
        assert_int_equal(v.permanent, local >= CLASSIFY_DNS_NO_DOMAIN);
    }
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
        assert_int_equal(classify(&in).class, CLASSIFY_RECIPIENT_REFUSED);
    }
    memset(big, '@', sizeof big);
    struct classify_input in = {.stage = CLASSIFY_AT_RCPT, .code = 550, .text = slice_make(big, sizeof big)};
    assert_int_equal(classify(&in).class, CLASSIFY_RECIPIENT_REFUSED);
    in.text = (struct slice){NULL, 0};
    assert_int_equal(classify(&in).class, CLASSIFY_RECIPIENT_REFUSED);
}

/* ---- the collection ---- */

enum { SKIPPED = 77 }; /* meson's exit code for a test that was skipped */

struct score {
    unsigned rows, right, hard, hard_found, false_hard;
};

static bool among(struct slice list, struct slice name) {
    struct slice one;
    while (slice_cut(&list, '|', &one))
        if (slice_eq(one, name)) return true;
    return false;
}

static enum classify_stage stage_of(struct slice s) {
    if (slice_eq(s, SLICE("RCPT"))) return CLASSIFY_AT_RCPT;
    if (slice_eq(s, SLICE("MAIL"))) return CLASSIFY_AT_MAIL;
    if (slice_eq(s, SLICE("DATA"))) return CLASSIFY_AT_DATA;
    return CLASSIFY_AT_UNKNOWN; /* EHLO, QUIT there: of the sender's log, not of the reply */
}

static void read_enhanced(struct slice s, uint16_t out[3]) {
    struct slice part;
    uint64_t n;
    for (int i = 0; i < 3 && slice_cut(&s, '.', &part); i++)
        out[i] = slice_to_u64(part, &n) && n < 1000 ? (uint16_t)n : 0;
}

static void judge(struct slice line, struct score *score) {
    struct slice field[11];
    for (int i = 0; i < 11; i++)
        if (!slice_cut(&line, '\t', &field[i])) return;
    struct classify_input in = {.stage = stage_of(field[3]), .text = field[10]};
    uint64_t code = 0;
    if (!slice_to_u64(field[1], &code)) return; /* no SMTP reply: not for this function */
    in.code = (int)code;
    read_enhanced(field[2], in.enhanced);
    struct classify_verdict v = classify(&in);
    bool right = among(field[4], slice_of(classify_name(v.class)));
    bool hard = slice_eq(field[5], SLICE("hard"));
    score->rows++;
    score->right += right;
    score->hard += hard;
    score->hard_found += hard && v.hardness == CLASSIFY_HARD;
    if (v.hardness == CLASSIFY_HARD && slice_eq(field[5], SLICE("soft"))) {
        score->false_hard++;
        printf("# false hard by '%s': %.*s\n", v.rule, SLICE_ARG(field[10]));
    }
    if (!right && getenv("CLASSIFY_VERBOSE"))
        printf("# %.*s taken for %s by '%s': %.*s\n", SLICE_ARG(field[4]), classify_name(v.class), v.rule,
               SLICE_ARG(field[10]));
}

static FILE *collection;

static void test_collection(void **state) {
    (void)state;
    char line[16384];
    struct score score = {0};
    assert_non_null(fgets(line, sizeof line, collection)); /* the names of the columns */
    while (fgets(line, sizeof line, collection))
        judge(slice_trim(slice_of(line)), &score);
    printf("# %u replies: class right %u (%u%%); hard found %u of %u; false hard %u\n", score.rows,
           score.right, score.rows ? score.right * 100 / score.rows : 0, score.hard_found, score.hard,
           score.false_hard);
    assert_true(score.rows > 100);
    assert_int_equal(score.false_hard, 0);
}

/* `test_classify collection`: a test of its own, because the collection may be absent; then the exit code
 * says so. */
static int run_collection(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_collection)};
    char path[4096];
    const char *shared = getenv("TSUBAME_SHARED");
    snprintf(path, sizeof path, "%s/corpora/smtp-responses/labels.tsv",
             shared ? shared : SOURCE_ROOT "/../shared");
    collection = fopen(path, "rb");
    if (!collection) {
        printf("the collection of replies is not here (%s)\n", path);
        return SKIPPED;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fclose(collection);
    return failed;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),       cmocka_unit_test(test_actions),
        cmocka_unit_test(test_without_reply), cmocka_unit_test(test_names),
        cmocka_unit_test(test_hostile_text),
    };
    if (argc == 2 && strcmp(argv[1], "collection") == 0) return run_collection();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
