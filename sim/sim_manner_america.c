/* Words of the big providers of America, and of the hosted mail that companies use.
 * They follow what is known of real replies in form and meaning; hosts and links are made up. */
#include "sim_words.h"

const char *const sim_words_google[SIM_SAYS] = {
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
    [SIM_SAY_DEFER_RCPT] = "451 4.3.0 Temporary server error, please try again later. {id} - gsmtp",
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
    [SIM_SAY_GREYLISTED] = "451 4.7.1 Greylisted, please try again later. {id} - gsmtp",
    [SIM_SAY_CONNECTION_RATE] = ("421 4.7.0 Too many new connections from [{client}], try again later, "
                                 "closing connection. {id} - gsmtp"),
    [SIM_SAY_DAILY] =
        ("421-4.7.28 Gmail has detected an unusual rate of mail originating from your\n"
         "421-4.7.28 sending domain today; it has been temporarily rate limited. To see\n"
         "421 4.7.28 how to send in bulk go to https://support.google.test/mail/answer/81126 {id} - gsmtp"),
    [SIM_SAY_MAILBOX] = ("450-4.2.1 The user you are trying to contact is receiving mail at a rate that\n"
                         "450-4.2.1 prevents additional messages from being delivered. Please resend your\n"
                         "450 4.2.1 message at a later time. {id} - gsmtp"),
    [SIM_SAY_REPUTATION] = ("421-4.7.0 This message is suspicious due to the very low reputation of the\n"
                            "421-4.7.0 sending IP address [{client}]. To protect users it was put off; see\n"
                            "421 4.7.0 https://support.google.test/mail/answer/188131 {id} - gsmtp"),
    [SIM_SAY_BLOCKED] =
        ("550-5.7.1 [{client}] Our system has detected an unusual rate of unsolicited\n"
         "550-5.7.1 mail originating from your IP address. Mail sent from it has been\n"
         "550 5.7.1 blocked; see https://support.google.test/mail/?p=UnsolicitedIPError {id} - gsmtp"),
    [SIM_SAY_CONTENT] = ("550-5.7.1 [{client}] This message is likely unsolicited mail and was blocked to\n"
                         "550 5.7.1 reduce spam; see "
                         "https://support.google.test/mail/?p=UnsolicitedMessageError {id} - gsmtp"),
    [SIM_SAY_REFUSE_DATA] = ("550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n"
                             "550 5.7.26 It must authenticate with either SPF or DKIM. {id} - gsmtp"),
};

const char *const sim_words_outlook[SIM_SAYS] = {
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
    [SIM_SAY_CONNECTION_RATE] =
        ("451 4.7.652 The mail server [{client}] has exceeded the maximum number of connections. (S3115) "
         "[{host}]"),
    [SIM_SAY_DAILY] = ("451 4.7.651 The mail server [{client}] has sent more than its daily limit of "
                       "messages. (S774) [{host}]"),
    [SIM_SAY_MAILBOX] =
        "450 4.7.3 The recipient <{rcpt}> has exceeded their limit for messages received [{host}]",
    [SIM_SAY_REPUTATION] =
        ("451 4.7.650 The mail server [{client}] has been temporarily rate limited due to IP reputation. "
         "See https://postmaster.outlook.test (S3114) [{host}]"),
    [SIM_SAY_BLOCKED] = ("550 5.7.1 Unfortunately, messages from [{client}] weren't sent. Please contact "
                         "your Internet service "
                         "provider since part of their network is on our block list (S3140). [{host}]"),
    [SIM_SAY_CONTENT] = "554 5.7.1 Your message was identified as spam and rejected [{host}]",
    [SIM_SAY_REFUSE_DATA] =
        ("550 5.7.515 Access denied, sending domain does not meet the required authentication level. "
         "[{host}]"),
};

const char *const sim_words_office365[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} Microsoft ESMTP MAIL Service ready",
    [SIM_SAY_HELLO] = "250 {host} Hello [{client}]",
    [SIM_SAY_MAIL] = "250 2.1.0 Sender OK",
    [SIM_SAY_RCPT] = "250 2.1.5 Recipient OK",
    [SIM_SAY_DATA] = "354 Start mail input; end with <CRLF>.<CRLF>",
    [SIM_SAY_ACCEPTED] = "250 2.6.0 <{id}@{host}> Queued mail for delivery",
    [SIM_SAY_UNKNOWN] = "550 5.4.1 Recipient address rejected: Access denied. [{host}]",
    [SIM_SAY_FULL] = "452 4.2.2 The recipient's mailbox is full (QuotaExceeded) [{host}]",
    [SIM_SAY_GREYLISTED] = "451 4.7.1 Greylisted, please try again later [{host}]",
    [SIM_SAY_DEFER_RCPT] =
        "451 4.7.500 Server busy. Please try again later from [{client}]. (S77719) [{host}]",
    [SIM_SAY_DEFER_DATA] = "451 4.3.2 Temporary server error. Please try again later ATTR2 [{host}]",
    [SIM_SAY_CONNECTIONS] =
        ("421 4.3.2 The maximum number of concurrent server connections has exceeded a limit, closing "
         "transmission channel [{host}]"),
    [SIM_SAY_CONNECTION_RATE] =
        "451 4.7.652 The mail server [{client}] has exceeded the maximum number of connections. [{host}]",
    [SIM_SAY_MESSAGES] = "421 4.5.0 exceeded maximum number of messages per connection [{host}]",
    [SIM_SAY_RATE] = "451 4.7.500 Access denied, please try again later (S775) [{host}]",
    [SIM_SAY_DAILY] =
        "550 5.7.508 Access denied, [{client}] has exceeded permitted limits within a day [{host}]",
    [SIM_SAY_MAILBOX] =
        "450 4.7.3 The recipient <{rcpt}> has exceeded their limit for messages received per hour [{host}]",
    [SIM_SAY_REPUTATION] =
        ("451 4.7.550 Access denied, please try again later: mail from [{client}] is being slowed down "
         "[{host}]"),
    [SIM_SAY_BLOCKED] =
        ("550 5.7.606 Access denied, banned sending IP [{client}]. To request removal from this list visit "
         "https://sender.office.test/ [{host}]"),
    [SIM_SAY_CONTENT] = "554 5.7.1 Your message was identified as spam and rejected [{host}]",
    [SIM_SAY_REFUSE_CONNECT] = "550 5.7.511 Access denied, banned sender [{client}] [{host}]",
    [SIM_SAY_REFUSE_RCPT] =
        "550 5.7.133 Sender not authenticated for this group; the recipient refuses it [{host}]",
    [SIM_SAY_REFUSE_DATA] = ("550 5.7.509 Access denied, sending domain does not pass DMARC verification and "
                             "has a policy of reject"),
    [SIM_SAY_SHUTDOWN] = "421 4.3.2 Service not active [{host}]",
    [SIM_SAY_QUIT] = "221 2.0.0 Service closing transmission channel",
};

const char *const sim_words_yahoo[SIM_SAYS] = {
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
    [SIM_SAY_CONNECTIONS] = "421 4.7.0 Too many concurrent connections from {client}, closing channel",
    [SIM_SAY_MESSAGES] = "421 Max message per connection reached, closing transmission channel",
    [SIM_SAY_RATE] =
        ("421 4.7.0 [TSS04] Messages from {client} temporarily deferred due to unexpected volume or user "
         "complaints - 4.16.55.1; see https://postmaster.yahoo.test/error-codes"),
    [SIM_SAY_SHUTDOWN] = "421 4.3.2 Service not available, closing transmission channel",
    [SIM_SAY_QUIT] = "221 service closing transmission channel",
    [SIM_SAY_GREYLISTED] = "451 4.7.1 Greylisted, try again later",
    [SIM_SAY_CONNECTION_RATE] = "421 4.7.0 [GL01] Too many new connections from {client}, try again later",
    [SIM_SAY_DAILY] =
        "421 4.7.0 [TSS04] Messages from {client} temporarily deferred due to unexpected volume; daily limit",
    [SIM_SAY_MAILBOX] = "450 User {rcpt} is receiving mail too quickly, try again later",
    [SIM_SAY_REPUTATION] = ("421 4.7.0 [TSS05] Messages from {client} temporarily deferred due to user "
                            "complaints - 4.16.55.1; see "
                            "https://postmaster.yahoo.test/error-codes"),
    [SIM_SAY_BLOCKED] =
        "553 5.7.1 [BL21] Connections will not be accepted from {client}, because the ip is in a block list",
    [SIM_SAY_CONTENT] = "554 5.7.9 Message not accepted for policy reasons: spam content. [PH01]",
    [SIM_SAY_REFUSE_DATA] =
        "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahoo.test",
};

const char *const sim_words_apple[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} -- Server ESMTP",
    [SIM_SAY_ACCEPTED] = "250 2.5.0 Ok. {id}",
    [SIM_SAY_UNKNOWN] = "550 5.1.1 <{rcpt}>: user does not exist",
    [SIM_SAY_FULL] = "552 5.2.2 <{rcpt}>: user is over quota",
    [SIM_SAY_DEFER_RCPT] = "451 4.3.0 <{rcpt}>: Temporary lookup failure",
    [SIM_SAY_DEFER_DATA] = "451 4.3.0 Temporary failure, please try again later",
    [SIM_SAY_RATE] = "451 4.7.1 [BS02] Mail from IP {client} was deferred due to volume",
    [SIM_SAY_CONNECTIONS] =
        "421 4.7.1 Too many connections from {client}, please reduce concurrent connections",
    [SIM_SAY_CONNECTION_RATE] = "421 4.7.1 Too many connection attempts from {client}, try again later",
    [SIM_SAY_MESSAGES] = "421 4.7.1 Too many messages in this connection, closing",
    [SIM_SAY_DAILY] = "451 4.7.1 [HCM1] Mail from IP {client} was deferred due to excessive volume today",
    [SIM_SAY_MAILBOX] = "450 4.2.1 <{rcpt}>: mailbox is receiving too many messages, try again later",
    [SIM_SAY_REPUTATION] = "421 4.7.1 [CS01] Mail from IP {client} was deferred, message rejected for now",
    [SIM_SAY_BLOCKED] = "554 5.7.1 Messages from {client} are blocked because of its poor reputation",
    [SIM_SAY_CONTENT] = "554 5.7.1 [CS01] Message rejected due to local policy: spam content",
    [SIM_SAY_REFUSE_DATA] = "554 5.7.1 Your message was rejected due to the domain's DMARC policy",
};

const char *const sim_words_comcast[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} {host} ESMTP server ready",
    [SIM_SAY_ACCEPTED] = "250 2.0.0 {id} mail accepted for delivery",
    [SIM_SAY_UNKNOWN] = "550 5.1.1 Not our Customer",
    [SIM_SAY_CONNECTIONS] = "421 4.1.0 {host} Too many sessions opened",
    [SIM_SAY_CONNECTION_RATE] = "421 {host} Throttled - RL000002 try again later",
    [SIM_SAY_RATE] = "452 4.1.0 Requested action aborted: too many messages, try again later",
    [SIM_SAY_FULL] = "552 5.2.2 <{rcpt}> mailbox full",
    [SIM_SAY_DEFER_RCPT] = "451 4.3.0 Temporary lookup failure",
    [SIM_SAY_MESSAGES] = "421 4.1.0 {host} Too many messages in this connection",
    [SIM_SAY_DAILY] = "452 4.1.0 Daily limit of messages reached: try again later - RL000009",
    [SIM_SAY_REPUTATION] = "421 4.1.0 {host} Throttled - RL000010 poor reputation of {client}",
    [SIM_SAY_BLOCKED] = "554 5.7.1 {host} {client} blocked: poor reputation. BL000001",
    [SIM_SAY_CONTENT] = "554 5.7.1 Message identified as spam. PH000001",
};

const char *const sim_words_mimecast[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP ready",
    [SIM_SAY_ACCEPTED] = "250 SmtpThread-{id}@{host} Received OK [{id}]",
    [SIM_SAY_UNKNOWN] = "550 5.1.1 Invalid Recipient - https://community.mimecast.test/docs/550 [{id}]",
    [SIM_SAY_FULL] = "452 4.2.2 Mailbox full [{id}]",
    [SIM_SAY_GREYLISTED] =
        "451 Internal resource temporarily unavailable, greylisted, try again later [{id}]",
    [SIM_SAY_DEFER_RCPT] = "451 Internal resources are temporarily unavailable [{id}]",
    [SIM_SAY_DEFER_DATA] = "451 Internal resources are temporarily unavailable [{id}]",
    [SIM_SAY_CONNECTIONS] = "421 Maximum number of concurrent connections exceeded [{id}]",
    [SIM_SAY_CONNECTION_RATE] = "451 Too many connection attempts from {client} [{id}]",
    [SIM_SAY_MESSAGES] = "421 Maximum number of messages per connection exceeded [{id}]",
    [SIM_SAY_RATE] = "451 Account inbounds throttled: message rate of {client} exceeded [{id}]",
    [SIM_SAY_DAILY] = "451 Daily limit of messages from {client} reached [{id}]",
    [SIM_SAY_REPUTATION] = "451 IP reputation of {client} is poor, temporarily deferred [{id}]",
    [SIM_SAY_BLOCKED] = "554 5.7.1 {client} is blocked by a local list: poor reputation [{id}]",
    [SIM_SAY_CONTENT] = "554 Email rejected due to security policies: spam signature [{id}]",
    [SIM_SAY_REFUSE_CONNECT] = "554 Host network not allowed by policy [{id}]",
    [SIM_SAY_REFUSE_DATA] = "550 Rejected by header based Anti-Spoofing policy [{id}]",
};
