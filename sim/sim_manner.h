/* What providers say: the texts of a server's replies in each provider's manner.
 *
 * A text is a whole reply, its lines divided by '\n', with {host}, {client}, {from}, {rcpt}, {id} to fill in.
 * A scenario overrides single texts under `replies`. */
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
    SIM_SAY_DEFER_RCPT,
    SIM_SAY_DEFER_DATA,
    SIM_SAY_CONNECTIONS, /* too many at a time */
    SIM_SAY_CONNECTION_RATE,
    SIM_SAY_MESSAGES, /* too many in a connection */
    SIM_SAY_RATE,     /* too many a second */
    SIM_SAY_RECIPIENTS,
    SIM_SAY_SESSION_RECIPIENTS,
    SIM_SAY_SIZE,
    SIM_SAY_TLS_REQUIRED,
    SIM_SAY_SHUTDOWN, /* the 421 of a fault */
    SIM_SAY_QUIT,
    SIM_SAY_RELAY, /* not a domain of this host */
    SIM_SAYS
};
_Static_assert((int)SIM_SAYS <= (int)SIM_REPLIES_MAX, "room for every reply");

extern const char *const sim_manner_names[]; /* ended by NULL */
extern const char *const sim_reply_names[];  /* ended by NULL, indexed by enum sim_reply */

/* The text that p gives, its own or its manner's or the plain one. Never empty. */
struct slice sim_manner_text(const struct sim_provider *p, enum sim_reply what);

#endif
