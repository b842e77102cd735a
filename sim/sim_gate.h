/* The policy at each gate of a conversation: who is let in, which message may begin, which recipient is
 * taken. Between the session, which knows the conversation, and the accounts, which know the client. */
#ifndef TSUBAME_SIM_GATE_H
#define TSUBAME_SIM_GATE_H

#include "sim_smtp.h"

/* A connection has come. Counts it; what is let in is given back with sim_gate_leave. */
struct sim_verdict sim_gate_connect(struct sim_session *s);
void sim_gate_away(struct sim_session *s); /* the same at a host that does not serve */
void sim_gate_leave(struct sim_session *s);

/* A message at this gate (mail, rcpt, data or dot). */
struct sim_verdict sim_gate_message(struct sim_session *s, enum sim_gate gate);

/* One more recipient, whose domain is served here. Sets s->grey_wait. */
struct sim_verdict sim_gate_rcpt(struct sim_session *s, uint64_t key);

/* The content is there, and right in form. */
struct sim_verdict sim_gate_content(struct sim_session *s);

/* The message was accepted. */
void sim_gate_accepted(struct sim_session *s);
/* The transaction has ended, with or without that. */
void sim_gate_forget(struct sim_session *s);

#endif
