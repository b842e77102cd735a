/* Replies and failures into verdicts: first by what was decided without a reply, then by the reply's words,
 * then by its enhanced code, then by code and stage. The tables are in rules/.
 *
 * Holds: `hard` needs a row marked certain and a 5xx; nothing that a server says before MAIL is the
 * recipient's fault, so it is never permanent. */
#include "classify.h"

#include <assert.h>

enum {
    CERTAIN = 1,
    CERTAIN_AT_RCPT = 2,
    DEFER = 4,
    THIS_RECIPIENT = 8,
    HOURS = 16,
    MINUTES = 32,
};

enum { TEXT_MAX = 1024, WAIT_HOURS = 2 * 3600, WAIT_MINUTES = 15 * 60 };

/* What a class means unless a row says otherwise. In the order of enum classify_class. */
static const struct class_row {
    const char *name;
    enum classify_hardness hardness; /* of a final failure */
    enum classify_action action;
    enum classify_scope scope;
} classes[CLASSIFY_CLASSES] = {
    {"-", CLASSIFY_NOT_BOUNCED, CLASSIFY_DO_NOTHING, CLASSIFY_SCOPE_RECIPIENT},
    {"invalid-recipient", CLASSIFY_HARD, CLASSIFY_SUPPRESS_NOW, CLASSIFY_SCOPE_RECIPIENT},
    {"invalid-domain", CLASSIFY_HARD, CLASSIFY_SUPPRESS_NOW, CLASSIFY_SCOPE_RECIPIENT},
    {"suppressed", CLASSIFY_HARD, CLASSIFY_SUPPRESS_NOW, CLASSIFY_SCOPE_RECIPIENT},
    {"inactive-mailbox", CLASSIFY_SOFT, CLASSIFY_SUPPRESS_AFTER_N, CLASSIFY_SCOPE_RECIPIENT},
    {"recipient-refused", CLASSIFY_SOFT, CLASSIFY_SUPPRESS_AFTER_N, CLASSIFY_SCOPE_RECIPIENT},
    {"mailbox-full", CLASSIFY_SOFT, CLASSIFY_SUPPRESS_AFTER_N, CLASSIFY_SCOPE_RECIPIENT},
    {"message-too-large", CLASSIFY_SOFT, CLASSIFY_PAUSE_ALERT, CLASSIFY_SCOPE_MESSAGE},
    {"content-rejected", CLASSIFY_SOFT, CLASSIFY_PAUSE_ALERT, CLASSIFY_SCOPE_MESSAGE},
    {"malware-rejected", CLASSIFY_SOFT, CLASSIFY_PAUSE_ALERT, CLASSIFY_SCOPE_MESSAGE},
    {"auth-failure", CLASSIFY_SOFT, CLASSIFY_PAUSE_ALERT, CLASSIFY_SCOPE_SENDER},
    {"sender-rejected", CLASSIFY_SOFT, CLASSIFY_PAUSE_ALERT, CLASSIFY_SCOPE_SENDER},
    {"reputation-block", CLASSIFY_SOFT, CLASSIFY_SLOW, CLASSIFY_SCOPE_LANE},
    {"policy-block", CLASSIFY_SOFT, CLASSIFY_PAUSE_ALERT, CLASSIFY_SCOPE_LANE},
    {"relay-denied", CLASSIFY_SOFT, CLASSIFY_PAUSE_ALERT, CLASSIFY_SCOPE_HOST},
    {"rate-limited", CLASSIFY_SOFT, CLASSIFY_SLOW, CLASSIFY_SCOPE_LANE},
    {"greylisted", CLASSIFY_SOFT, CLASSIFY_RETRY, CLASSIFY_SCOPE_RECIPIENT},
    {"network-failure", CLASSIFY_SOFT, CLASSIFY_RETRY, CLASSIFY_SCOPE_HOST},
    {"remote-failure", CLASSIFY_SOFT, CLASSIFY_RETRY, CLASSIFY_SCOPE_HOST},
    {"undetermined", CLASSIFY_SOFT, CLASSIFY_RETRY, CLASSIFY_SCOPE_RECIPIENT},
    {"complaint", CLASSIFY_NOT_BOUNCED, CLASSIFY_SUPPRESS_NOW, CLASSIFY_SCOPE_RECIPIENT},
    {"unsubscribe", CLASSIFY_NOT_BOUNCED, CLASSIFY_SUPPRESS_NOW, CLASSIFY_SCOPE_RECIPIENT},
    {"feedback-info", CLASSIFY_NOT_BOUNCED, CLASSIFY_DO_NOTHING, CLASSIFY_SCOPE_RECIPIENT},
    {"auto-reply", CLASSIFY_NOT_BOUNCED, CLASSIFY_DO_NOTHING, CLASSIFY_SCOPE_RECIPIENT},
    {"delivered", CLASSIFY_NOT_BOUNCED, CLASSIFY_DO_NOTHING, CLASSIFY_SCOPE_RECIPIENT},
    {"not-a-bounce", CLASSIFY_NOT_BOUNCED, CLASSIFY_DO_NOTHING, CLASSIFY_SCOPE_RECIPIENT},
};

const char *classify_name(enum classify_class class) {
    return class > CLASSIFY_NONE && class < CLASSIFY_CLASSES ? classes[class].name : "-";
}

enum classify_class classify_by_name(struct slice name) {
    for (int i = CLASSIFY_NONE + 1; i < CLASSIFY_CLASSES; i++)
        if (slice_eq(name, slice_of(classes[i].name))) return (enum classify_class)i;
    return CLASSIFY_NONE;
}

const char *classify_action_name(enum classify_action action) {
    static const char *const names[] = {"none",        "retry", "slow-isp", "pause-alert", "suppress-after-n",
                                        "suppress-now"};
    return action <= CLASSIFY_SUPPRESS_NOW ? names[action] : "?";
}

const char *classify_scope_name(enum classify_scope scope) {
    static const char *const names[] = {"recipient", "message", "sender", "lane", "host"};
    return scope <= CLASSIFY_SCOPE_HOST ? names[scope] : "?";
}

/* ---- the tables ---- */

struct text_row {
    int code;
    struct slice words;
    const char *rule;
    enum classify_class class;
    unsigned how;
};

#define TEXT(code, words, class, how) {code, {words, sizeof(words) - 1}, "text: " words, class, how},
static const struct text_row texts[] = {
#include "replies.inc"
};
#undef TEXT

struct enhanced_row {
    uint16_t class, subject, first, last;
    const char *rule;
    enum classify_class outcome;
    unsigned how;
};

#define ENHANCED(class, subject, first, last, outcome, how)                                                  \
    {class, subject, first, last, "enhanced code x." #subject "." #first ".." #last, outcome, how},
static const struct enhanced_row codes[] = {
#include "enhanced.inc"
};
#undef ENHANCED

/* Where neither words nor enhanced code say anything: by code and stage. Code 4 or 5: any other of that
 * class. */
static const struct code_row {
    int code;
    enum classify_stage stage; /* CLASSIFY_AT_UNKNOWN: any */
    const char *rule;
    enum classify_class class;
    unsigned how;
} plain[] = {
    {421, CLASSIFY_AT_UNKNOWN, "code 421", CLASSIFY_REMOTE_FAILURE, 0},
    {450, CLASSIFY_AT_RCPT, "code 450 to RCPT", CLASSIFY_UNDETERMINED, 0},
    {452, CLASSIFY_AT_RCPT, "code 452 to RCPT", CLASSIFY_MAILBOX_FULL, 0},
    {452, CLASSIFY_AT_UNKNOWN, "code 452", CLASSIFY_REMOTE_FAILURE, 0},
    {451, CLASSIFY_AT_UNKNOWN, "code 451", CLASSIFY_REMOTE_FAILURE, 0},
    {454, CLASSIFY_AT_UNKNOWN, "code 454", CLASSIFY_REMOTE_FAILURE, 0},
    {500, CLASSIFY_AT_UNKNOWN, "code 500", CLASSIFY_REMOTE_FAILURE, 0},
    {501, CLASSIFY_AT_UNKNOWN, "code 501", CLASSIFY_REMOTE_FAILURE, 0},
    {502, CLASSIFY_AT_UNKNOWN, "code 502", CLASSIFY_REMOTE_FAILURE, 0},
    {503, CLASSIFY_AT_UNKNOWN, "code 503", CLASSIFY_REMOTE_FAILURE, DEFER},
    {504, CLASSIFY_AT_UNKNOWN, "code 504", CLASSIFY_REMOTE_FAILURE, 0},
    {521, CLASSIFY_AT_UNKNOWN, "code 521", CLASSIFY_INVALID_DOMAIN, 0},
    {530, CLASSIFY_AT_UNKNOWN, "code 530", CLASSIFY_REMOTE_FAILURE, 0},
    {535, CLASSIFY_AT_UNKNOWN, "code 535", CLASSIFY_POLICY_BLOCK, 0},
    {538, CLASSIFY_AT_UNKNOWN, "code 538", CLASSIFY_REMOTE_FAILURE, 0},
    {552, CLASSIFY_AT_MAIL, "code 552 to MAIL", CLASSIFY_MESSAGE_TOO_LARGE, 0},
    {552, CLASSIFY_AT_UNKNOWN, "code 552", CLASSIFY_MAILBOX_FULL, 0},
    {556, CLASSIFY_AT_UNKNOWN, "code 556", CLASSIFY_INVALID_DOMAIN, 0},
    {5, CLASSIFY_AT_SESSION, "5xx before MAIL", CLASSIFY_REPUTATION_BLOCK, 0},
    {5, CLASSIFY_AT_MAIL, "5xx to MAIL", CLASSIFY_SENDER_REJECTED, 0},
    {5, CLASSIFY_AT_RCPT, "5xx to RCPT", CLASSIFY_RECIPIENT_REFUSED, 0},
    {5, CLASSIFY_AT_DATA, "5xx to the content", CLASSIFY_CONTENT_REJECTED, 0},
    {5, CLASSIFY_AT_UNKNOWN, "5xx", CLASSIFY_UNDETERMINED, 0},
    {4, CLASSIFY_AT_UNKNOWN, "4xx", CLASSIFY_UNDETERMINED, 0},
};

static bool code_fits(int row, int code) {
    return row == 0 || row == code || row == code / 100;
}

/* Are all words, cut at `*`, in the text, one after the other? */
static bool words_fit(struct slice words, struct slice text) {
    struct slice part;
    while (slice_cut(&words, '*', &part)) {
        const char *hit = memmem(text.at, text.len, part.at, part.len);
        if (!hit) return false;
        text = slice_skip(text, (size_t)(hit - text.at) + part.len);
    }
    return true;
}

/* Servers write "(#5.1.1)" behind their words too. */
static void find_enhanced(struct slice text, int code, uint16_t out[3]) {
    for (ptrdiff_t hash; (hash = slice_find(text, '#')) >= 0;) {
        text = slice_skip(text, (size_t)hash + 1);
        if (text.len < 5 || text.at[0] - '0' != code / 100 || text.at[1] != '.' || text.at[3] != '.')
            continue;
        if (!ascii_digit(text.at[2]) || !ascii_digit(text.at[4])) continue;
        if (text.len > 5 && ascii_digit(text.at[5])) continue;
        out[0] = (uint16_t)(text.at[0] - '0');
        out[1] = (uint16_t)(text.at[2] - '0');
        out[2] = (uint16_t)(text.at[4] - '0');
        return;
    }
}

/* ---- verdicts ---- */

static struct classify_verdict verdict(const struct classify_input *in, enum classify_class class,
                                       unsigned how, const char *rule) {
    const struct class_row *row = &classes[class];
    struct classify_verdict v = {
        .class = class, .hardness = row->hardness, .action = row->action, .scope = row->scope, .rule = rule};
    bool certain = (how & CERTAIN) || ((how & CERTAIN_AT_RCPT) && in->stage == CLASSIFY_AT_RCPT);
    v.permanent = in->code >= 500 && !(how & DEFER) && in->stage != CLASSIFY_AT_SESSION;
    if (v.hardness == CLASSIFY_HARD && !(certain && v.permanent)) {
        v.hardness = CLASSIFY_SOFT;
        v.action = v.permanent ? CLASSIFY_SUPPRESS_AFTER_N : CLASSIFY_RETRY;
    }
    if (v.action == CLASSIFY_SUPPRESS_AFTER_N && !v.permanent) v.action = CLASSIFY_RETRY;
    if (class == CLASSIFY_REPUTATION_BLOCK && in->code >= 500 && !(how & DEFER))
        v.action = CLASSIFY_PAUSE_ALERT;
    if (how & THIS_RECIPIENT) {
        v.scope = CLASSIFY_SCOPE_RECIPIENT;
        v.action = CLASSIFY_RETRY;
    }
    if (how & HOURS) v.wait_s = WAIT_HOURS;
    if (how & MINUTES) v.wait_s = WAIT_MINUTES;
    return v;
}

static bool ends_token(char c) {
    return c == ' ' || c == '<' || c == '>' || c == '(' || c == ')' || c == '[' || c == ']' || c == ',' ||
           c == ';';
}

/* The text as the tables want it: lower case, one line, a blank in front, and without addresses, whose words
 * (<spam@...>) say nothing. */
static struct slice normalise(struct slice text, char out[TEXT_MAX]) {
    size_t n = text.len < TEXT_MAX - 1 ? text.len : TEXT_MAX - 1, token = 1;
    bool address = false;
    out[0] = ' ';
    for (size_t i = 0; i <= n; i++) {
        char c = i == n || text.at[i] == '\n' ? ' ' : ascii_lower(text.at[i]);
        if (ends_token(c)) {
            if (address) memset(out + token, ' ', i + 1 - token);
            address = false;
            token = i + 2;
        }
        if (c == '@') address = true;
        if (i < n) out[i + 1] = c;
    }
    return slice_make(out, n + 1);
}

static struct classify_verdict by_reply(const struct classify_input *in) {
    char lower[TEXT_MAX];
    struct slice text = normalise(in->text, lower);
    uint16_t enhanced[3];
    memcpy(enhanced, in->enhanced, sizeof enhanced);
    if (!enhanced[0]) find_enhanced(text, in->code, enhanced);
    /* An enhanced code that is certain makes certain what the words only make likely. */
    unsigned sure = 0;
    const struct enhanced_row *by_code = NULL;
    for (size_t i = 0; i < sizeof codes / sizeof *codes && !by_code && enhanced[0]; i++)
        if ((codes[i].class == 0 || codes[i].class == enhanced[0]) && codes[i].subject == enhanced[1] &&
            codes[i].first <= enhanced[2] && enhanced[2] <= codes[i].last)
            by_code = &codes[i];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!code_fits(texts[i].code, in->code) || !words_fit(texts[i].words, text)) continue;
        if (by_code && by_code->outcome == texts[i].class) sure = by_code->how & CERTAIN;
        return verdict(in, texts[i].class, texts[i].how | sure, texts[i].rule);
    }
    if (by_code) return verdict(in, by_code->outcome, by_code->how, by_code->rule);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (code_fits(plain[i].code, in->code) &&
            (plain[i].stage == CLASSIFY_AT_UNKNOWN || plain[i].stage == in->stage))
            return verdict(in, plain[i].class, plain[i].how, plain[i].rule);
    return verdict(in, CLASSIFY_UNDETERMINED, 0, "no rule");
}

/* What was decided without a reply. */
static const struct local_row {
    enum classify_class class;
    enum classify_hardness hardness;
    enum classify_action action;
    enum classify_scope scope;
    bool permanent;
    const char *rule;
} locals[] = {
    [CLASSIFY_CONNECT_FAILED] = {CLASSIFY_NETWORK_FAILURE, CLASSIFY_SOFT, CLASSIFY_RETRY, CLASSIFY_SCOPE_HOST,
                                 false, "no connection"},
    [CLASSIFY_CONNECTION_LOST] = {CLASSIFY_NETWORK_FAILURE, CLASSIFY_SOFT, CLASSIFY_RETRY,
                                  CLASSIFY_SCOPE_HOST, false, "connection lost"},
    [CLASSIFY_TIMED_OUT] = {CLASSIFY_NETWORK_FAILURE, CLASSIFY_SOFT, CLASSIFY_RETRY, CLASSIFY_SCOPE_HOST,
                            false, "timed out"},
    [CLASSIFY_PROTOCOL_ERROR] = {CLASSIFY_REMOTE_FAILURE, CLASSIFY_SOFT, CLASSIFY_RETRY, CLASSIFY_SCOPE_HOST,
                                 false, "protocol error"},
    [CLASSIFY_TLS_UNAVAILABLE] = {CLASSIFY_REMOTE_FAILURE, CLASSIFY_SOFT, CLASSIFY_RETRY, CLASSIFY_SCOPE_HOST,
                                  false, "TLS required"},
    [CLASSIFY_DNS_TEMPORARY] = {CLASSIFY_NETWORK_FAILURE, CLASSIFY_SOFT, CLASSIFY_RETRY,
                                CLASSIFY_SCOPE_RECIPIENT, false, "DNS: no answer"},
    [CLASSIFY_DNS_NO_DOMAIN] = {CLASSIFY_INVALID_DOMAIN, CLASSIFY_HARD, CLASSIFY_SUPPRESS_NOW,
                                CLASSIFY_SCOPE_RECIPIENT, true, "DNS: no such domain"},
    [CLASSIFY_DNS_NO_HOST] = {CLASSIFY_INVALID_DOMAIN, CLASSIFY_SOFT, CLASSIFY_SUPPRESS_AFTER_N,
                              CLASSIFY_SCOPE_RECIPIENT, true, "DNS: no mail exchanger"},
    [CLASSIFY_DNS_NULL_MX] = {CLASSIFY_INVALID_DOMAIN, CLASSIFY_HARD, CLASSIFY_SUPPRESS_NOW,
                              CLASSIFY_SCOPE_RECIPIENT, true, "DNS: null MX"},
    [CLASSIFY_BAD_ADDRESS] = {CLASSIFY_INVALID_RECIPIENT, CLASSIFY_HARD, CLASSIFY_SUPPRESS_NOW,
                              CLASSIFY_SCOPE_RECIPIENT, true, "malformed address"},
    [CLASSIFY_TOO_LARGE] = {CLASSIFY_MESSAGE_TOO_LARGE, CLASSIFY_SOFT, CLASSIFY_PAUSE_ALERT,
                            CLASSIFY_SCOPE_MESSAGE, true, "above the offered SIZE"},
    [CLASSIFY_CONTENT_FAILED] = {CLASSIFY_CONTENT_REJECTED, CLASSIFY_SOFT, CLASSIFY_PAUSE_ALERT,
                                 CLASSIFY_SCOPE_MESSAGE, true, "could not be rendered"},
    [CLASSIFY_EXPIRED] = {CLASSIFY_NETWORK_FAILURE, CLASSIFY_SOFT, CLASSIFY_SUPPRESS_AFTER_N,
                          CLASSIFY_SCOPE_RECIPIENT, true, "expired"},
    [CLASSIFY_ON_SUPPRESSION_LIST] = {CLASSIFY_SUPPRESSED, CLASSIFY_HARD, CLASSIFY_SUPPRESS_NOW,
                                      CLASSIFY_SCOPE_RECIPIENT, true, "on the suppression list"},
};

struct classify_verdict classify(const struct classify_input *in) {
    if (in->local != CLASSIFY_REPLY) {
        assert(in->local <= CLASSIFY_ON_SUPPRESSION_LIST);
        const struct local_row *row = &locals[in->local];
        return (struct classify_verdict){row->class, row->hardness, row->action, row->scope, row->permanent,
                                         0,          row->rule};
    }
    if (in->code >= 200 && in->code < 300) return verdict(in, CLASSIFY_DELIVERED, 0, "2xx");
    return by_reply(in);
}
