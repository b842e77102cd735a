/* Words of Japan and China.
 * They follow what is known of real replies in form and meaning; hosts and links are made up. */
#include "sim_words.h"

const char *const sim_words_docomo[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP service ready",
    [SIM_SAY_UNKNOWN] = "550 Unknown user {rcpt}",
    [SIM_SAY_FULL] = "552 Mailbox full",
    [SIM_SAY_DEFER_RCPT] = "451 {host} Resource temporarily unavailable",
    [SIM_SAY_CONNECTIONS] = "421 {host} Service not available, too many connections",
    [SIM_SAY_RATE] = "452 Too many mails received, try again later",
    [SIM_SAY_SESSION_RECIPIENTS] = "554 Transaction failed: too many recipients in a session",
    [SIM_SAY_QUIT] = "221 {host} closing connection",
    [SIM_SAY_MESSAGES] = "421 {host} Too many messages in this connection, closing",
    [SIM_SAY_CONNECTION_RATE] = "421 {host} Too many connection attempts, try again later",
    [SIM_SAY_DEFER_DATA] = "451 {host} Requested action aborted: error in processing",
    [SIM_SAY_DAILY] = "452 Too many mails received today, try again tomorrow",
    [SIM_SAY_REPUTATION] = "421 {host} Mail from {client} refused for now: too many unknown users",
    [SIM_SAY_BLOCKED] = "550 {host} {client} is blocked because of spam",
    [SIM_SAY_CONTENT] = "550 Message rejected: unsolicited mail",
};

const char *const sim_words_au[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP KDDI",
    [SIM_SAY_UNKNOWN] = "550 <{rcpt}>: User unknown",
    [SIM_SAY_CONNECTIONS] = "421 {host} too many concurrent sessions, closing",
    [SIM_SAY_RATE] = "451 too many mails, try again later",
    [SIM_SAY_FULL] = "552 <{rcpt}>: Mailbox full",
    [SIM_SAY_DEFER_RCPT] = "451 Requested action aborted: local error in processing",
    [SIM_SAY_DEFER_DATA] = "451 Requested action aborted: local error in processing",
    [SIM_SAY_CONNECTION_RATE] = "421 {host} too many connection attempts, closing",
    [SIM_SAY_MESSAGES] = "421 {host} too many messages in a session, closing",
    [SIM_SAY_DAILY] = "451 too many mails today, daily limit, try again later",
    [SIM_SAY_REPUTATION] = "421 {host} mail from {client} is restricted for now: too many unknown users",
    [SIM_SAY_BLOCKED] = "550 {host} {client} is blocked because of spam",
    [SIM_SAY_CONTENT] = "550 message rejected as spam",
};

const char *const sim_words_softbank[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} SMTP Server ready",
    [SIM_SAY_UNKNOWN] = "550 Invalid recipient: <{rcpt}>",
    [SIM_SAY_FULL] = "552 <{rcpt}>: mailbox is full",
    [SIM_SAY_DEFER_RCPT] = "451 Temporary failure, try again later",
    [SIM_SAY_DEFER_DATA] = "451 Temporary failure, try again later",
    [SIM_SAY_CONNECTIONS] = "421 {host} Too many concurrent connections from {client}",
    [SIM_SAY_CONNECTION_RATE] = "421 {host} Too many connection attempts from {client}",
    [SIM_SAY_MESSAGES] = "421 {host} Too many messages per session",
    [SIM_SAY_RATE] = "452 Too many messages from {client} at a time, slow down",
    [SIM_SAY_DAILY] = "452 Daily limit of messages from {client} reached",
    [SIM_SAY_REPUTATION] = "421 {host} Mail from {client} is restricted for now: too many unknown users",
    [SIM_SAY_BLOCKED] = "554 {host} {client} is blocked because of spam",
    [SIM_SAY_CONTENT] = "550 Message rejected as spam",
};

const char *const sim_words_yahoo_jp[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP YSmtpProxy",
    [SIM_SAY_ACCEPTED] = "250 ok dirdel",
    [SIM_SAY_UNKNOWN] = "550 Requested action not taken: mailbox unavailable [{rcpt}]",
    [SIM_SAY_RATE] = "553 VS98-IP0 deferred - see http://mail.yahoo-jp.test/deferral",
    [SIM_SAY_CONNECTIONS] = "421 Too many concurrent connections from {client}",
    [SIM_SAY_FULL] = "552 sorry, the recipient's mailbox is full [{rcpt}]",
    [SIM_SAY_DEFER_RCPT] = "451 Temporary internal error, try again later",
    [SIM_SAY_DEFER_DATA] = "451 Temporary internal error, try again later",
    [SIM_SAY_CONNECTION_RATE] = "421 Too many connection attempts from {client}",
    [SIM_SAY_MESSAGES] = "421 Too many messages in this session",
    [SIM_SAY_DAILY] = "553 VS98-IP0 deferred - daily limit, see http://mail.yahoo-jp.test/deferral",
    [SIM_SAY_REPUTATION] = "553 VS98-IP0 deferred - see http://mail.yahoo-jp.test/deferral",
    [SIM_SAY_BLOCKED] = "554 Mail from {client} is blocked as spam, see http://mail.yahoo-jp.test/deferral",
    [SIM_SAY_CONTENT] = "554 Message not allowed - Email not accepted for policy reasons: spam",
};

const char *const sim_words_qq[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} MX QQ Mail Server.",
    [SIM_SAY_ACCEPTED] = "250 Ok: queued as {id}",
    [SIM_SAY_UNKNOWN] = "550 Mailbox not found [{id}]",
    [SIM_SAY_CONNECTIONS] = "421 Too many concurrent connections [{client}]",
    [SIM_SAY_RATE] = "550 Ip frequency limited [{id} IP: {client}]",
    [SIM_SAY_FULL] = "552 Mailbox is full, 收件人邮箱已满 [{id}]",
    [SIM_SAY_DEFER_RCPT] = "451 System busy, 系统繁忙 [{id}]",
    [SIM_SAY_DEFER_DATA] = "451 System busy, 系统繁忙 [{id}]",
    [SIM_SAY_CONNECTION_RATE] = "550 Connection frequency limited [{id} IP: {client}]",
    [SIM_SAY_MESSAGES] = "421 Too many messages in one connection [{id}]",
    [SIM_SAY_DAILY] = "550 Domain frequency limited, 发信频率受限 [{id} IP: {client}]",
    [SIM_SAY_MAILBOX] = "450 Recipient is receiving too many messages, mailbox busy [{id}]",
    [SIM_SAY_REPUTATION] = "550 Sender frequency limited [{id} IP: {client}]",
    [SIM_SAY_BLOCKED] = "550 IP {client} is blocked for spam, 该IP被拒绝 [{id}]",
    [SIM_SAY_CONTENT] = "550 Mail content denied as spam, 邮件内容被拒绝 [{id}]",
};

const char *const sim_words_netease[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} Anti-spam GT for Coremail System",
    [SIM_SAY_ACCEPTED] = "250 Mail OK queued as {id}",
    [SIM_SAY_UNKNOWN] = "550 User not found: {rcpt}",
    [SIM_SAY_CONNECTIONS] = "421 Too many connections",
    [SIM_SAY_RATE] = "451 RP:CEL {id}, too many messages, 发送频率过高",
    [SIM_SAY_FULL] = "552 Mailbox full: {rcpt}, 邮箱已满",
    [SIM_SAY_GREYLISTED] = "451 GL {id}, greylisted, please try again later",
    [SIM_SAY_DEFER_RCPT] = "451 System busy, 系统繁忙 {id}",
    [SIM_SAY_DEFER_DATA] = "451 System busy, 系统繁忙 {id}",
    [SIM_SAY_CONNECTION_RATE] = "554 HL:ITC {id}, too many new connections from {client}",
    [SIM_SAY_MESSAGES] = "421 Too many messages in this connection",
    [SIM_SAY_DAILY] = "550 RP:ORQ {id}, daily quota of {client} exceeded",
    [SIM_SAY_REPUTATION] = "451 Poor reputation of {client}, IP信誉不佳, please try again later {id}",
    [SIM_SAY_BLOCKED] = "554 HL:REP {id}, {client} is blocked: reputation",
    [SIM_SAY_CONTENT] = "554 DT:SPM {id}, content rejected",
};
