/* The plain words, and whose words a host speaks. */
#include "sim_manner.h"

#include "hash.h"
#include "sim_words.h"

const char *const sim_reply_names[] = {"greeting",
                                       "hello",
                                       "mail",
                                       "rcpt",
                                       "data",
                                       "accepted",
                                       "unknown",
                                       "full",
                                       "greylisted",
                                       "greylisted_for",
                                       "defer_rcpt",
                                       "defer_data",
                                       "connections",
                                       "connection_rate",
                                       "knocking",
                                       "messages",
                                       "rate",
                                       "daily",
                                       "mailbox",
                                       "recipients",
                                       "session_recipients",
                                       "size",
                                       "reputation",
                                       "blocked",
                                       "content",
                                       "refuse_connect",
                                       "refuse_rcpt",
                                       "refuse_data",
                                       "tls_required",
                                       "shutdown",
                                       "quit",
                                       "relay",
                                       NULL};

const char *const sim_manner_names[] = {"plain",   "google",   "outlook", "office365", "yahoo",
                                        "apple",   "docomo",   "au",      "softbank",  "yahoo-jp",
                                        "orange",  "free",     "gmx",     "qq",        "netease",
                                        "comcast", "mimecast", "exim",    "postfix",   NULL};

static const char *const plain[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP",
    [SIM_SAY_HELLO] = "250 {host} at your service",
    [SIM_SAY_MAIL] = "250 2.1.0 Ok",
    [SIM_SAY_RCPT] = "250 2.1.5 Ok",
    [SIM_SAY_DATA] = "354 End data with <CR><LF>.<CR><LF>",
    [SIM_SAY_ACCEPTED] = "250 2.0.0 Ok: queued as {id}",
    [SIM_SAY_UNKNOWN] = "550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown",
    [SIM_SAY_FULL] = "552 5.2.2 <{rcpt}>: user is over quota",
    [SIM_SAY_GREYLISTED] = "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, try again later",
    [SIM_SAY_DEFER_RCPT] = "451 4.3.0 <{rcpt}>: Temporary lookup failure",
    [SIM_SAY_DEFER_DATA] = "451 4.3.0 Error: queue file write error",
    [SIM_SAY_CONNECTIONS] = "421 4.7.0 {host} Error: too many connections from {client}",
    [SIM_SAY_CONNECTION_RATE] =
        "421 4.7.0 {host} Error: too many connections in the last minute from {client}",
    [SIM_SAY_MESSAGES] = "421 4.7.0 {host} Too many messages in this connection, closing",
    [SIM_SAY_RATE] = "450 4.7.1 Error: too much mail from {client}",
    [SIM_SAY_RECIPIENTS] = "452 4.5.3 Error: too many recipients",
    [SIM_SAY_SESSION_RECIPIENTS] = "554 5.5.3 Too many recipients in this session",
    [SIM_SAY_SIZE] = "552 5.3.4 Error: message file too big",
    [SIM_SAY_TLS_REQUIRED] = "530 5.7.0 Must issue a STARTTLS command first",
    [SIM_SAY_SHUTDOWN] = "421 4.3.2 {host} Service not available, closing transmission channel",
    [SIM_SAY_QUIT] = "221 2.0.0 Bye",
    [SIM_SAY_RELAY] = "554 5.7.1 <{rcpt}>: Relay access denied",
    [SIM_SAY_GREYLISTED_FOR] =
        "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, try again in {seconds} seconds",
    [SIM_SAY_DAILY] = "450 4.7.1 Error: daily limit of messages from {client} reached, try again tomorrow",
    [SIM_SAY_MAILBOX] = "450 4.2.1 <{rcpt}>: mailbox is receiving too many messages, try again later",
    [SIM_SAY_KNOCKING] = "421 4.7.0 {host} Error: too many connection attempts from {client}",
    [SIM_SAY_REPUTATION] = "451 4.7.1 Mail from {client} temporarily deferred because of its poor reputation",
    [SIM_SAY_BLOCKED] = "554 5.7.1 {client} is blocked because of its poor reputation",
    [SIM_SAY_CONTENT] = "550 5.7.1 Message content rejected as spam",
    [SIM_SAY_REFUSE_CONNECT] = "554 5.7.1 {host}: Client host [{client}] rejected: Access denied",
    [SIM_SAY_REFUSE_RCPT] = "550 5.7.1 <{rcpt}>: Recipient refuses mail from this sender",
    [SIM_SAY_REFUSE_DATA] = "554 5.6.0 Transaction failed: message rejected by policy",
};

static const char *const *const manners[] = {plain,
                                             sim_words_google,
                                             sim_words_outlook,
                                             sim_words_office365,
                                             sim_words_yahoo,
                                             sim_words_apple,
                                             sim_words_docomo,
                                             sim_words_au,
                                             sim_words_softbank,
                                             sim_words_yahoo_jp,
                                             sim_words_orange,
                                             sim_words_free,
                                             sim_words_gmx,
                                             sim_words_qq,
                                             sim_words_netease,
                                             sim_words_comcast,
                                             sim_words_mimecast,
                                             sim_words_exim,
                                             sim_words_postfix};
_Static_assert(sizeof manners / sizeof *manners + 1 == sizeof sim_manner_names / sizeof *sim_manner_names,
               "a name for each manner");
_Static_assert(sizeof sim_reply_names / sizeof *sim_reply_names == SIM_SAYS + 1, "a name for each reply");

uint32_t sim_manner_of(const struct sim_provider *p, uint64_t host_key) {
    double roll = (double)(hash_mix(host_key ^ 0x6d616e6e) >> 11) * 0x1p-53;
    for (size_t i = 0; i < p->manner_count; i++)
        if (roll < p->manners[i].upto) return p->manners[i].what;
    return p->manner;
}

struct slice sim_manner_text(const struct sim_provider *p, uint32_t manner, enum sim_reply what) {
    if (p->reply[what].len) return p->reply[what];
    const char *text = manners[manner][what];
    return slice_of(text ? text : plain[what]);
}
