/* Words of France and Germany, and of the two servers that most of the small ones run.
 * They follow what is known of real replies in form and meaning; hosts and links are made up. */
#include "sim_words.h"

const char *const sim_words_orange[SIM_SAYS] = {
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
    [SIM_SAY_DEFER_RCPT] = ("451 4.3.0 Erreur temporaire. Veuillez essayer plus tard. Temporary failure, try "
                            "later. OFR_999 [999]"),
    [SIM_SAY_DEFER_DATA] = ("451 4.3.0 Erreur temporaire. Veuillez essayer plus tard. Temporary failure, try "
                            "later. OFR_999 [999]"),
    [SIM_SAY_CONNECTION_RATE] =
        ("421 {host} Service refuse. Trop de connexions par heure. Too many connections per hour. "
         "OFR005_105 [105]"),
    [SIM_SAY_MESSAGES] =
        "421 4.7.0 Trop de messages par connexion. Too many messages per connection. OFR_109 [109]",
    [SIM_SAY_DAILY] =
        "421 4.7.0 Service refuse. Limite de messages par jour. Daily limit of messages. OFR004_106 [106]",
    [SIM_SAY_REPUTATION] =
        ("421 4.7.0 Service refuse. Reputation de {client} insuffisante. Poor reputation, try later. "
         "OFR007_107 [107]"),
    [SIM_SAY_BLOCKED] =
        ("550 5.7.1 {host} Adresse IP source bloquee pour incident de spam. Client host blocked for spamming "
         "issues. OFR006_102 [102]"),
    [SIM_SAY_CONTENT] = "550 5.7.1 Mail rejete. Contenu indesirable. Message rejected as spam. OFR_506 [506]",
    [SIM_SAY_QUIT] = "221 2.0.0 {host} ABO closing connection",
};

const char *const sim_words_free[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP",
    [SIM_SAY_ACCEPTED] = "250 2.0.0 Ok: queued as {id}",
    [SIM_SAY_UNKNOWN] = "550 5.1.1 user unknown (UserSearch)",
    [SIM_SAY_FULL] = "552 5.2.2 Boite aux lettres pleine, mailbox full",
    [SIM_SAY_GREYLISTED] = "451 too many errors or new client, greylisted: veuillez reessayer plus tard",
    [SIM_SAY_DEFER_RCPT] = "451 4.3.0 Erreur temporaire, veuillez reessayer plus tard",
    [SIM_SAY_DEFER_DATA] = "451 4.3.0 Erreur temporaire, veuillez reessayer plus tard",
    [SIM_SAY_CONNECTIONS] = "421 4.7.0 Trop de connexions simultanees de {client}, too many connections",
    [SIM_SAY_CONNECTION_RATE] =
        "421 4.7.0 Too many connection attempts from {client}, connexions trop frequentes",
    [SIM_SAY_MESSAGES] = "421 4.7.0 Trop de messages par connexion, too many messages per connection",
    [SIM_SAY_RATE] = "451 4.7.1 Too many messages from {client}, slow down: trop de messages",
    [SIM_SAY_DAILY] = "451 4.7.1 Daily limit of messages from {client} reached: limite journaliere atteinte",
    [SIM_SAY_REPUTATION] = "451 4.7.1 {client} : mauvaise reputation, poor reputation, reessayez plus tard",
    [SIM_SAY_BLOCKED] = "550 5.7.1 {client} est bloquee pour spam, your IP is blocked for spam",
    [SIM_SAY_CONTENT] = "550 5.7.1 spam detected, message refuse",
};

const char *const sim_words_gmx[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} (mx) Nemesis ESMTP Service ready",
    [SIM_SAY_ACCEPTED] = "250 Requested mail action okay, completed: id={id}",
    [SIM_SAY_UNKNOWN] = "550 Requested action not taken: mailbox unavailable",
    [SIM_SAY_FULL] = "552 Requested mail action aborted: exceeded storage allocation Quota exceeded.",
    [SIM_SAY_DEFER_RCPT] =
        "451 Requested action aborted: local error in processing, Mail server temporarily busy",
    [SIM_SAY_CONNECTIONS] = "421 Service not available, Too many connections from {client}",
    [SIM_SAY_RATE] = "421 Service not available, rate limit exceeded for {client}",
    [SIM_SAY_GREYLISTED] = "451 Requested action aborted: Greylisted, please try again later",
    [SIM_SAY_DEFER_DATA] = "451 Requested action aborted: local error in processing",
    [SIM_SAY_CONNECTION_RATE] = "421 Service not available, Too many new connections from {client}",
    [SIM_SAY_MESSAGES] = "421 Service not available, Too many messages in this session",
    [SIM_SAY_DAILY] = "421 Service not available, daily limit exceeded for {client}",
    [SIM_SAY_REPUTATION] = "421 Service not available, Bad reputation of {client}, try again later",
    [SIM_SAY_BLOCKED] =
        "554 Transaction failed, Reject due to policy restrictions. {client} is on a block list",
    [SIM_SAY_CONTENT] = "554 Transaction failed, Message rejected as spam",
    [SIM_SAY_REFUSE_DATA] = "554 Transaction failed, Reject due to policy restrictions",
};

const char *const sim_words_exim[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP Exim 4.96",
    [SIM_SAY_HELLO] = "250 {host} Hello [{client}]",
    [SIM_SAY_MAIL] = "250 OK",
    [SIM_SAY_RCPT] = "250 Accepted",
    [SIM_SAY_DATA] = "354 Enter message, ending with \".\" on a line by itself",
    [SIM_SAY_ACCEPTED] = "250 OK id={id}",
    [SIM_SAY_UNKNOWN] = "550 Unrouteable address",
    [SIM_SAY_FULL] = "552 mailbox is full",
    [SIM_SAY_GREYLISTED] = "451 {host} Greylisted, please try again in a moment",
    [SIM_SAY_CONNECTIONS] =
        "421 {host}: Too many concurrent SMTP connections from this IP address; try later",
    [SIM_SAY_QUIT] = "221 {host} closing connection",
};

const char *const sim_words_postfix[SIM_SAYS] = {
    [SIM_SAY_GREETING] = "220 {host} ESMTP Postfix (Debian/GNU)",
    [SIM_SAY_HELLO] = "250 {host}",
    [SIM_SAY_CONNECTION_RATE] =
        "421 4.7.0 {host} Error: too many connections from {client}", /* says the same */
};
