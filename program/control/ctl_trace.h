/* The request "trace" of the control socket: watches conversations (trace.h) and sends each line as an object
 * with "more": true, until the client leaves, enough was seen, or the time is over. */
#ifndef TSUBAME_CTL_TRACE_H
#define TSUBAME_CTL_TRACE_H

#include "ctl_answer.h"

/* {provider, source, host, to, campaign (its name or number), sessions (0: all), content, seconds (0: no
 * bound), lines (0: no bound)}. */
struct jdoc *ctl_trace(struct ctl_asker *asker, const struct jdoc *request);

#endif
