/* The requests "lanes" and "explain" of the control socket: what each lane does, and why. */
#ifndef TSUBAME_CTL_LANES_H
#define TSUBAME_CTL_LANES_H

#include "instance.h"
#include "jdoc.h"

/* {sort, most (0: all), provider, source}: the first ones, the rest summed up, and what the server has
 * counted. Sorts: waiting, rate, deferred, sessions, provider. */
struct jdoc *ctl_lanes(struct instance *in, const struct jdoc *request);

/* {what, source}: the lanes of a provider, of a mail exchanger, or of a domain. */
struct jdoc *ctl_explain(struct instance *in, const struct jdoc *request);

#endif
