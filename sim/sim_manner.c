/* Tables of reply texts. They follow what the big providers are known to answer, in form and in words; hosts
 * and links are made up. */
#include "sim_manner.h"

const char *const sim_reply_names[] = {"greeting",
                                       "hello",
                                       "mail",
                                       "rcpt",
                                       "data",
                                       "accepted",
                                       "unknown",
                                       "full",
                                       "greylisted",
                                       "defer_rcpt",
                                       "defer_data",
                                       "connections",
                                       "connection_rate",
                                       "messages",
                                       "rate",
                                       "recipients",
                                       "session_recipients",
                                       "size",
                                       "tls_required",
                                       "shutdown",
                                       "quit",
                                       "relay",
                                       NULL};

const char *const sim_manner_names[] = {"plain",   "google",   "outlook", "yahoo", "apple", "docomo",
                                        "au",      "yahoo-jp", "orange",  "gmx",   "qq",    "netease",
                                        "comcast", "exim",     "postfix", NULL};

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
};

static const char *const google[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP {id} - gsmtp",
    [SIM_SAY_HELLO] = "250 {host} at your service, [{client}]",
    [SIM_SAY_MAIL] = "250 2.1.0 OK {id} - gsmtp",
    [SIM_SAY_RCPT] = "250 2.1.5 OK {id} - gsmtp",
    [SIM_SAY_DATA] = "354 Go ahead {id} - gsmtp",
    [SIM_SAY_ACCEPTED] = "250 2.0.0 OK  {id} - gsmtp",
    [SIM_SAY_UNKNOWN] = ("550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
                         "550-5.1.1 double-checking the recipient's email address for typos or\n"
                         "550-5.1.1 unnecessary spaces. For more information, go to\n"
                         "550 5.1.1  https://support.google.test/mail/?p=NoSuchUser {id} - gsmtp"),
    [SIM_SAY_FULL] = ("452-4.2.2 The recipient's inbox is out of storage space and inactive. Please\n"
                      "452-4.2.2 direct the recipient to\n"
                      "452 4.2.2  https://support.google.test/mail/?p=OverQuotaTemp {id} - gsmtp"),
    [SIM_SAY_DEFER_RCPT] =
        ("450-4.2.1 The user you are trying to contact is receiving mail at a rate that\n"
         "450-4.2.1 prevents additional messages from being delivered. Please resend your\n"
         "450 4.2.1 message at a later time. {id} - gsmtp"),
    [SIM_SAY_DEFER_DATA] = "451 4.3.0 Mail server temporarily rejected message. {id} - gsmtp",
    [SIM_SAY_CONNECTIONS] = "421 4.7.0 Too many connections from [{client}], closing. {id} - gsmtp",
    [SIM_SAY_RATE] =
        ("421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating\n"
         "421-4.7.28 from your IP address. To protect our users from spam, mail sent from\n"
         "421-4.7.28 your IP address has been temporarily rate limited. For more\n"
         "421 4.7.28  information, go to https://support.google.test/mail/answer/81126 {id} - gsmtp"),
    [SIM_SAY_TLS_REQUIRED] = "530 5.7.0 Must issue a STARTTLS command first. {id} - gsmtp",
    [SIM_SAY_SHUTDOWN] = "421 4.3.0 Temporary System Problem. Try again later. {id} - gsmtp",
    [SIM_SAY_QUIT] = "221 2.0.0 closing connection {id} - gsmtp",
};

static const char *const outlook[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} Microsoft ESMTP MAIL Service ready",
    [SIM_SAY_HELLO] = "250 {host} Hello [{client}]",
    [SIM_SAY_MAIL] = "250 2.1.0 Sender OK",
    [SIM_SAY_RCPT] = "250 2.1.5 Recipient OK",
    [SIM_SAY_DATA] = "354 Start mail input; end with <CRLF>.<CRLF>",
    [SIM_SAY_ACCEPTED] = "250 2.6.0 <{id}@{host}> Queued mail for delivery",
    [SIM_SAY_UNKNOWN] = "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).",
    [SIM_SAY_FULL] = "552 5.2.2 Requested mail action aborted: mailbox full (QuotaExceeded) [{host}]",
    [SIM_SAY_DEFER_RCPT] =
        "451 4.7.500 Server busy. Please try again later from [{client}]. (S77719) [{host}]",
    [SIM_SAY_DEFER_DATA] = "451 4.3.2 Temporary server error. Please try again later ATTR2 [{host}]",
    [SIM_SAY_CONNECTIONS] =
        ("421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing "
         "transmission channel [{host}]"),
    [SIM_SAY_MESSAGES] = "421 4.5.0 exceeded maximum number of messages per connection [{host}]",
    [SIM_SAY_RATE] =
        ("451 4.7.650 The mail server [{client}] has been temporarily rate limited due to IP reputation. "
         "For e-mail delivery information, see https://postmaster.outlook.test (S775) [{host}]"),
    [SIM_SAY_SHUTDOWN] = "421 4.3.2 Service not active [{host}]",
    [SIM_SAY_QUIT] = "221 2.0.0 Service closing transmission channel",
};

static const char *const yahoo[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP ready",
    [SIM_SAY_HELLO] = "250 {host}",
    [SIM_SAY_MAIL] = "250 sender <{from}> ok",
    [SIM_SAY_RCPT] = "250 recipient <{rcpt}> ok",
    [SIM_SAY_DATA] = "354 go ahead",
    [SIM_SAY_ACCEPTED] = "250 ok dirdel",
    [SIM_SAY_UNKNOWN] =
        "554 30 Sorry, your message to {rcpt} cannot be delivered. This mailbox is disabled (554.30).",
    [SIM_SAY_FULL] = "552 1 Requested mail action aborted, mailbox not found or over quota ({rcpt})",
    [SIM_SAY_DEFER_RCPT] = "451 4.3.2 Internal error reading data",
    [SIM_SAY_DEFER_DATA] = "451 Message temporarily deferred - [170]",
    [SIM_SAY_CONNECTIONS] =
        "421 4.7.1 [TS03] All messages from {client} will be deferred; Retrying will not help",
    [SIM_SAY_MESSAGES] = "421 Max message per connection reached, closing transmission channel",
    [SIM_SAY_RATE] =
        ("421 4.7.0 [TSS04] Messages from {client} temporarily deferred due to unexpected volume or user "
         "complaints - 4.16.55.1; see https://postmaster.yahoo.test/error-codes"),
    [SIM_SAY_SHUTDOWN] = "421 4.3.2 Service not available, closing transmission channel",
    [SIM_SAY_QUIT] = "221 service closing transmission channel",
};

static const char *const apple[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} -- Server ESMTP",
    [SIM_SAY_ACCEPTED] = "250 2.5.0 Ok. {id}",
    [SIM_SAY_UNKNOWN] = "550 5.1.1 <{rcpt}>: user does not exist",
    [SIM_SAY_FULL] = "552 5.2.2 <{rcpt}>: user is over quota",
    [SIM_SAY_DEFER_RCPT] = "451 4.7.1 Service unavailable [BS02] - try again later",
    [SIM_SAY_DEFER_DATA] = "421 4.7.0 [HCM1] Message deferred, please try again later",
    [SIM_SAY_RATE] = "451 4.7.1 [BS02] Mail from IP {client} was deferred due to volume",
};

static const char *const docomo[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP service ready",
    [SIM_SAY_UNKNOWN] = "550 Unknown user {rcpt}",
    [SIM_SAY_FULL] = "552 Mailbox full",
    [SIM_SAY_DEFER_RCPT] = "451 {host} Resource temporarily unavailable",
    [SIM_SAY_CONNECTIONS] = "421 {host} Service not available, too many connections",
    [SIM_SAY_RATE] = "452 Too many mails received, try again later",
    [SIM_SAY_SESSION_RECIPIENTS] = "554 Transaction failed: too many recipients in a session",
    [SIM_SAY_QUIT] = "221 {host} closing connection",
};

static const char *const au[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP KDDI",
    [SIM_SAY_UNKNOWN] = "550 <{rcpt}>: User unknown",
    [SIM_SAY_CONNECTIONS] = "421 {host} too many sessions, closing",
    [SIM_SAY_RATE] = "451 too many mails, try again later",
};

static const char *const yahoo_jp[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP YSmtpProxy",
    [SIM_SAY_ACCEPTED] = "250 ok dirdel",
    [SIM_SAY_UNKNOWN] = "550 Requested action not taken: mailbox unavailable [{rcpt}]",
    [SIM_SAY_RATE] = "453 VS98-IP0 deferred - see http://mail.yahoo-jp.test/deferral",
    [SIM_SAY_CONNECTIONS] = "421 VS98-IP1 too many connections",
};

static const char *const orange[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP ABO **************************",
    [SIM_SAY_UNKNOWN] =
        "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_418 [418]",
    [SIM_SAY_FULL] = "552 5.2.2 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]",
    [SIM_SAY_CONNECTIONS] =
        ("421 {host} Service refuse. Trop de connexions, veuillez verifier votre configuration. "
         "Too many connections, slow down. OFR005_104 [104]"),
    [SIM_SAY_RATE] =
        ("421 4.7.0 Service refuse. Veuillez essayer plus tard. Service refused, please try later. "
         "OFR004_104 [104]"),
};

static const char *const gmx[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} (mx) Nemesis ESMTP Service ready",
    [SIM_SAY_ACCEPTED] = "250 Requested mail action okay, completed: id={id}",
    [SIM_SAY_UNKNOWN] = "550 Requested action not taken: mailbox unavailable",
    [SIM_SAY_FULL] = "552 Requested mail action aborted: exceeded storage allocation Quota exceeded.",
    [SIM_SAY_DEFER_RCPT] =
        "450 Requested mail action not taken: mailbox unavailable, Mail server temporarily busy",
    [SIM_SAY_CONNECTIONS] = "421 Service not available, Too many connections from {client}",
    [SIM_SAY_RATE] = "421 Service not available, rate limit exceeded for {client}",
};

static const char *const qq[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} MX QQ Mail Server.",
    [SIM_SAY_ACCEPTED] = "250 Ok: queued as {id}",
    [SIM_SAY_UNKNOWN] = "550 Mailbox unavailable or access denied [{id}]",
    [SIM_SAY_CONNECTIONS] = "421 Connection frequency limited [{client}]",
    [SIM_SAY_RATE] = "550 Ip frequency limited [{id} IP: {client}]",
};

static const char *const netease[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} Anti-spam GT for Coremail System",
    [SIM_SAY_ACCEPTED] = "250 Mail OK queued as {id}",
    [SIM_SAY_UNKNOWN] = "550 User not found: {rcpt}",
    [SIM_SAY_CONNECTIONS] = "421 Too many connections",
    [SIM_SAY_RATE] = "451 DT:SPM {id}, please try again",
};

static const char *const comcast[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} {host} ESMTP server ready",
    [SIM_SAY_ACCEPTED] = "250 2.0.0 {id} mail accepted for delivery",
    [SIM_SAY_UNKNOWN] = "550 5.1.1 Not our Customer",
    [SIM_SAY_CONNECTIONS] = "421 4.1.0 {host} Too many sessions opened",
    [SIM_SAY_CONNECTION_RATE] = "421 {host} Throttled - RL000002 try again later",
    [SIM_SAY_RATE] = "452 4.1.0 Requested action aborted: try again later - RL000001",
};

static const char *const exim[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP Exim 4.96",
    [SIM_SAY_HELLO] = "250 {host} Hello [{client}]",
    [SIM_SAY_MAIL] = "250 OK",
    [SIM_SAY_RCPT] = "250 Accepted",
    [SIM_SAY_DATA] = "354 Enter message, ending with \".\" on a line by itself",
    [SIM_SAY_ACCEPTED] = "250 OK id={id}",
    [SIM_SAY_UNKNOWN] = "550 Unrouteable address",
    [SIM_SAY_FULL] = "552 mailbox is full",
    [SIM_SAY_GREYLISTED] = "451 {host} Greylisted, please try again in a moment",
    [SIM_SAY_QUIT] = "221 {host} closing connection",
};

static const char *const postfix[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP Postfix (Debian/GNU)",
    [SIM_SAY_HELLO] = "250 {host}",
};

static const char *const *const manners[] = {plain,  google,  outlook,  yahoo,  apple,
                                             docomo, au,      yahoo_jp, orange, gmx,
                                             qq,     netease, comcast,  exim,   postfix};
_Static_assert(sizeof manners / sizeof *manners + 1 == sizeof sim_manner_names / sizeof *sim_manner_names,
               "a name for each manner");
_Static_assert(sizeof sim_reply_names / sizeof *sim_reply_names == SIM_SAYS + 1, "a name for each reply");

struct slice sim_manner_text(const struct sim_provider *p, enum sim_reply what) {
    if (p->reply[what].len) return p->reply[what];
    const char *text = manners[p->manner][what];
    return slice_of(text ? text : plain[what]);
}
