/* The names of classes, actions, scopes, hints and stages, and what was decided without a reply. */
#include "taxonomy.h"

#include <assert.h>

/* In the order of enum classify_class. */
static const struct class_row classes[CLASSIFY_CLASSES] = {
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

const struct class_row *class_row(enum classify_class class) {
    return &classes[class];
}

const char *classify_name(enum classify_class class) {
    return class > CLASSIFY_NONE && class < CLASSIFY_CLASSES ? classes[class].name : "-";
}

enum classify_class classify_by_name(struct slice name) {
    for (int i = CLASSIFY_NONE + 1; i < CLASSIFY_CLASSES; i++)
        if (slice_eq(name, slice_of(classes[i].name))) return (enum classify_class)i;
    return CLASSIFY_NONE;
}

const char *classify_hardness_name(enum classify_hardness hardness) {
    static const char *const names[] = {"none", "soft", "hard"};
    return hardness <= CLASSIFY_HARD ? names[hardness] : "?";
}

const char *classify_action_name(enum classify_action action) {
    static const char *const names[CLASSIFY_ACTIONS] = {
        "none", "retry", "slow-isp", "pause-alert", "suppress-after-n", "suppress-now"};
    return action < CLASSIFY_ACTIONS ? names[action] : "?";
}

const char *classify_scope_name(enum classify_scope scope) {
    static const char *const names[CLASSIFY_SCOPES] = {"recipient", "message", "sender", "lane", "host"};
    return scope < CLASSIFY_SCOPES ? names[scope] : "?";
}

const char *classify_hint_name(enum classify_hint hint) {
    static const char *const names[CLASSIFY_HINTS] = {"-",
                                                      "slower",
                                                      "fewer-connections",
                                                      "fewer-new-connections",
                                                      "fewer-per-connection",
                                                      "fewer-recipients",
                                                      "one-mailbox",
                                                      "pause",
                                                      "stop-source",
                                                      "stop-identity"};
    return hint < CLASSIFY_HINTS ? names[hint] : "?";
}

static const struct {
    const char *name;
    enum classify_stage stage;
} stages[] = {
    {"-", CLASSIFY_AT_UNKNOWN},        {"", CLASSIFY_AT_UNKNOWN},
    {"unknown", CLASSIFY_AT_UNKNOWN},  {"quit", CLASSIFY_AT_UNKNOWN},
    {"rset", CLASSIFY_AT_UNKNOWN},     {"noop", CLASSIFY_AT_UNKNOWN},
    {"vrfy", CLASSIFY_AT_UNKNOWN},     {"session", CLASSIFY_AT_SESSION},
    {"connect", CLASSIFY_AT_SESSION},  {"connection", CLASSIFY_AT_SESSION},
    {"conn", CLASSIFY_AT_SESSION},     {"greeting", CLASSIFY_AT_SESSION},
    {"banner", CLASSIFY_AT_SESSION},   {"helo", CLASSIFY_AT_SESSION},
    {"ehlo", CLASSIFY_AT_SESSION},     {"lhlo", CLASSIFY_AT_SESSION},
    {"starttls", CLASSIFY_AT_SESSION}, {"auth", CLASSIFY_AT_SESSION},
    {"mail", CLASSIFY_AT_MAIL},        {"mail from", CLASSIFY_AT_MAIL},
    {"from", CLASSIFY_AT_MAIL},        {"sender", CLASSIFY_AT_MAIL},
    {"rcpt", CLASSIFY_AT_RCPT},        {"rcpt to", CLASSIFY_AT_RCPT},
    {"to", CLASSIFY_AT_RCPT},          {"recipient", CLASSIFY_AT_RCPT},
    {"data", CLASSIFY_AT_DATA},        {"bdat", CLASSIFY_AT_DATA},
    {"dot", CLASSIFY_AT_DATA},         {".", CLASSIFY_AT_DATA},
    {"eod", CLASSIFY_AT_DATA},         {"eom", CLASSIFY_AT_DATA},
    {"end of data", CLASSIFY_AT_DATA}, {"end of message", CLASSIFY_AT_DATA},
    {"content", CLASSIFY_AT_DATA},     {"message", CLASSIFY_AT_DATA},
};

bool classify_stage_by_name(struct slice name, enum classify_stage *stage) {
    char plain[32];
    if (name.len >= sizeof plain) return false;
    for (size_t i = 0; i < name.len; i++)
        plain[i] = name.at[i] == '_' || (name.at[i] == '-' && name.len > 1) ? ' ' : ascii_lower(name.at[i]);
    struct slice wanted = slice_trim(slice_make(plain, name.len));
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (slice_eq(wanted, slice_of(stages[i].name))) {
            *stage = stages[i].stage;
            return true;
        }
    return false;
}

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

struct classify_verdict classify_local(enum classify_local local) {
    assert(local > CLASSIFY_REPLY && local <= CLASSIFY_ON_SUPPRESSION_LIST);
    const struct local_row *row = &locals[local];
    return (struct classify_verdict){.class = row->class,
                                     .hardness = row->hardness,
                                     .action = row->action,
                                     .scope = row->scope,
                                     .permanent = row->permanent,
                                     .rule = row->rule};
}
