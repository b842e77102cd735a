/* What providers say: the texts of a server's replies in each provider's manner.
 *
 * A text is a whole reply, its lines divided by '\n', with {host}, {client}, {from}, {rcpt}, {id} and
 * {seconds} (what is left of a greylisting) to fill in. A scenario overrides single texts under `replies`. */
#ifndef TSUBAME_SIM_MANNER_H
#define TSUBAME_SIM_MANNER_H

#include "sim_scenario.h"

enum sim_reply {
    SIM_SAY_GREETING,
    SIM_SAY_HELLO, /* the first line to EHLO, and all of HELO */
    SIM_SAY_MAIL,
    SIM_SAY_RCPT,
    SIM_SAY_DATA,
    SIM_SAY_ACCEPTED,
    SIM_SAY_UNKNOWN,
    SIM_SAY_FULL,
    SIM_SAY_GREYLISTED,
    SIM_SAY_GREYLISTED_FOR, /* the same, and names {seconds} */
    SIM_SAY_DEFER_RCPT,
    SIM_SAY_DEFER_DATA,
    SIM_SAY_CONNECTIONS,     /* too many at a time */
    SIM_SAY_CONNECTION_RATE, /* too many a minute */
    SIM_SAY_KNOCKING,        /* blocked for connecting again and again */
    SIM_SAY_MESSAGES,        /* too many in a connection */
    SIM_SAY_RATE,            /* too many a second, or slowed for its reputation */
    SIM_SAY_DAILY,           /* the quota of the day is used up */
    SIM_SAY_MAILBOX,         /* one recipient gets too many */
    SIM_SAY_RECIPIENTS,
    SIM_SAY_SESSION_RECIPIENTS,
    SIM_SAY_SIZE,
    SIM_SAY_REPUTATION, /* put off for it */
    SIM_SAY_BLOCKED,
    SIM_SAY_CONTENT,
    SIM_SAY_REFUSE_CONNECT,
    SIM_SAY_REFUSE_RCPT,
    SIM_SAY_REFUSE_DATA,
    SIM_SAY_TLS_REQUIRED,
    SIM_SAY_SHUTDOWN, /* the 421 of faults, maintenance and defer.connect */
    SIM_SAY_QUIT,
    SIM_SAY_RELAY, /* not a domain of this host */
    SIM_SAYS
};
_Static_assert((int)SIM_SAYS <= (int)SIM_REPLIES_MAX, "room for every reply");

extern const char *const sim_manner_names[]; /* ended by NULL */
extern const char *const sim_reply_names[];  /* ended by NULL, indexed by enum sim_reply */

/* The manner of a host of p, by a hash that stands for the host. */
uint32_t sim_manner_of(const struct sim_provider *p, uint64_t host_key);

/* The text that p gives, its own or the manner's or the plain one. Never empty. */
struct slice sim_manner_text(const struct sim_provider *p, uint32_t manner, enum sim_reply what);

#endif
