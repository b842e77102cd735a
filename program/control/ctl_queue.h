/* The request "queue" of the control socket: what waits, by campaign, provider, domain or age. */
#ifndef TSUBAME_CTL_QUEUE_H
#define TSUBAME_CTL_QUEUE_H

#include "instance.h"
#include "jdoc.h"
#include "talk.h"

/* {by, campaign (its name or number), provider, domain, most}. */
struct jdoc *ctl_queue(struct instance *in, const struct jdoc *request);

#endif
