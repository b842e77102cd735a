/* What a server's reply, or a failure before one, means for a mail, its recipient and the way it took.
 *
 * One engine over rules that are data (rules/README.md): compiled once, immutable from then on, shared by all
 * threads. Conservative: `hard` only where the reply says for certain that there is no such user or domain;
 * a 4xx never is. Classes and actions are those of the project's bounce taxonomy. */
#ifndef TSUBAME_CLASSIFY_H
#define TSUBAME_CLASSIFY_H

#include "err.h"
#include "slice.h"

/* Stored in the ledger: numbers don't change. */
enum classify_class {
    CLASSIFY_NONE = 0,
    CLASSIFY_INVALID_RECIPIENT = 1,
    CLASSIFY_INVALID_DOMAIN = 2,
    CLASSIFY_SUPPRESSED = 3,
    CLASSIFY_INACTIVE_MAILBOX = 4,
    CLASSIFY_RECIPIENT_REFUSED = 5,
    CLASSIFY_MAILBOX_FULL = 6,
    CLASSIFY_MESSAGE_TOO_LARGE = 7,
    CLASSIFY_CONTENT_REJECTED = 8,
    CLASSIFY_MALWARE_REJECTED = 9,
    CLASSIFY_AUTH_FAILURE = 10,
    CLASSIFY_SENDER_REJECTED = 11,
    CLASSIFY_REPUTATION_BLOCK = 12,
    CLASSIFY_POLICY_BLOCK = 13,
    CLASSIFY_RELAY_DENIED = 14,
    CLASSIFY_RATE_LIMITED = 15,
    CLASSIFY_GREYLISTED = 16,
    CLASSIFY_NETWORK_FAILURE = 17,
    CLASSIFY_REMOTE_FAILURE = 18,
    CLASSIFY_UNDETERMINED = 19,
    CLASSIFY_COMPLAINT = 20,
    CLASSIFY_UNSUBSCRIBE = 21,
    CLASSIFY_FEEDBACK_INFO = 22,
    CLASSIFY_AUTO_REPLY = 23,
    CLASSIFY_DELIVERED = 24,
    CLASSIFY_NOT_A_BOUNCE = 25,
    CLASSIFY_CLASSES
};
const char *classify_name(enum classify_class class);    /* "invalid-recipient"; "-" for none */
enum classify_class classify_by_name(struct slice name); /* CLASSIFY_NONE when there is none such */

enum classify_hardness { CLASSIFY_NOT_BOUNCED, CLASSIFY_SOFT, CLASSIFY_HARD };
const char *classify_hardness_name(enum classify_hardness hardness); /* "none", "soft", "hard" */

enum classify_action {
    CLASSIFY_DO_NOTHING,
    CLASSIFY_RETRY,
    CLASSIFY_SLOW,             /* the lane: fewer or slower */
    CLASSIFY_PAUSE_ALERT,      /* something of ours is wrong: tell a person */
    CLASSIFY_SUPPRESS_AFTER_N, /* the address, when it goes on */
    CLASSIFY_SUPPRESS_NOW,
    CLASSIFY_ACTIONS
};
const char *classify_action_name(enum classify_action action);

/* Whom the answer is about. */
enum classify_scope {
    CLASSIFY_SCOPE_RECIPIENT, /* this recipient only */
    CLASSIFY_SCOPE_MESSAGE,   /* this content, whoever gets it */
    CLASSIFY_SCOPE_SENDER,    /* our sender, domain or authentication */
    CLASSIFY_SCOPE_LANE,      /* this source address at this provider */
    CLASSIFY_SCOPE_HOST,      /* this one host of theirs: another may do */
    CLASSIFY_SCOPES
};
const char *classify_scope_name(enum classify_scope scope);

/* What the answer asks of whoever steers the lane. */
enum classify_hint {
    CLASSIFY_HINT_NONE,
    CLASSIFY_HINT_SLOWER,                /* fewer messages or recipients per unit of time */
    CLASSIFY_HINT_FEWER_CONNECTIONS,     /* at a time */
    CLASSIFY_HINT_FEWER_NEW_CONNECTIONS, /* per unit of time */
    CLASSIFY_HINT_FEWER_PER_CONNECTION,  /* messages; no reason to slow down */
    CLASSIFY_HINT_FEWER_RECIPIENTS,      /* in one transaction */
    CLASSIFY_HINT_ONE_MAILBOX,           /* only this recipient waits; the lane goes on */
    CLASSIFY_HINT_PAUSE,                 /* the lane stands still for wait_s */
    CLASSIFY_HINT_STOP_SOURCE,           /* this source is blocked there: stop it, tell a person */
    CLASSIFY_HINT_STOP_IDENTITY,         /* this sender domain is refused there: stop it, tell a person */
    CLASSIFY_HINTS
};
const char *classify_hint_name(enum classify_hint hint); /* "-", "slower", "fewer-connections", ... */

/* Where the answer came. */
enum classify_stage {
    CLASSIFY_AT_UNKNOWN,
    CLASSIFY_AT_SESSION, /* greeting, EHLO, STARTTLS, AUTH */
    CLASSIFY_AT_MAIL,
    CLASSIFY_AT_RCPT,
    CLASSIFY_AT_DATA, /* DATA and the end of data */
    CLASSIFY_STAGES
};
/* "RCPT", "rcpt to", "end of data", "-", in any case. False when it is none. */
bool classify_stage_by_name(struct slice name, enum classify_stage *stage);

/* What decided, where it was no reply. */
enum classify_local {
    CLASSIFY_REPLY = 0,       /* nothing: there was a reply */
    CLASSIFY_CONNECT_FAILED,  /* no connection, to none of the hosts */
    CLASSIFY_CONNECTION_LOST, /* in the session */
    CLASSIFY_TIMED_OUT,       /* in the session */
    CLASSIFY_PROTOCOL_ERROR,  /* the peer does not speak SMTP as it should */
    CLASSIFY_TLS_UNAVAILABLE, /* required, but missing or failing */
    CLASSIFY_DNS_TEMPORARY,   /* no answer, SERVFAIL, bogus */
    CLASSIFY_DNS_NO_DOMAIN,   /* NXDOMAIN */
    CLASSIFY_DNS_NO_HOST,     /* the domain has neither MX nor address, or its exchangers have none */
    CLASSIFY_DNS_NULL_MX,     /* RFC 7505 */
    CLASSIFY_BAD_ADDRESS,     /* malformed: never tried */
    CLASSIFY_TOO_LARGE,       /* above the SIZE that the server offers */
    CLASSIFY_CONTENT_FAILED,  /* could not be rendered or signed */
    CLASSIFY_EXPIRED,         /* tried for as long as allowed */
    CLASSIFY_ON_SUPPRESSION_LIST
};

struct classify_input {
    enum classify_stage stage;
    unsigned provider;    /* of classify_provider(); 0: unknown */
    int code;             /* 0: none, a text that stands in a bounce only */
    uint16_t enhanced[3]; /* 0.0.0: none given; then one that stands in the text counts */
    struct slice text;    /* the reply's words, any bytes; only its first kilobyte is read */
};

struct classify_verdict {
    enum classify_class class;
    enum classify_hardness hardness;
    enum classify_action action;
    enum classify_scope scope;
    enum classify_hint hint;
    bool permanent;   /* failed: not tried again. Else deferred. Not the same as hard. */
    uint32_t wait_s;  /* the least pause that is known to make sense, or that the reply names; 0: as usual */
    const char *rule; /* what decided, for people: "recipient:41 {user} {missing}"; lives as long as the rules
                         (for ever, where there was no reply) */
};

struct classify_rules;

/* The built-in rules, and before them those of `extra` (a text as rules/README.md describes; empty: none).
 * `name` stands for it in errors and verdicts. Returns NULL with err ("name:line: what was expected"). The
 * built-in rules alone fail only without memory. classify_rules_free frees; no verdict's rule may be read
 * then. */
struct classify_rules *classify_rules_open(struct slice extra, const char *name, struct err *err);
/* The same from a file; NULL for none. */
struct classify_rules *classify_rules_load(const char *path, struct err *err);
void classify_rules_free(struct classify_rules *rules);

/* The number of a provider: by its name, or by the name of one of its mail exchangers. 0: no rule knows it.
 */
unsigned classify_provider(const struct classify_rules *rules, struct slice name);

/* Pure; any thread. */
struct classify_verdict classify(const struct classify_rules *rules, const struct classify_input *input);
/* What was decided without a reply; not CLASSIFY_REPLY. */
struct classify_verdict classify_local(enum classify_local local);

/* A reply as one text: its code and enhanced code, wherever they stand, and its words ("550-5.1.1 gone",
 * "smtp; 550 ... (#5.1.1)", words alone). Sets input's code, enhanced and text; the text is part of `reply`.
 */
void classify_read(struct slice reply, struct classify_input *input);

#endif
