/* The suppression list's requests at the control socket. */
#ifndef TSUBAME_CTL_SUPPRESS_H
#define TSUBAME_CTL_SUPPRESS_H

#include "instance.h"
#include "talk.h"

/* The answer to {"do": "suppress"}: {"ok": true, "changes": [{"address", "change"}]} in the order of the
 * request. */
struct jdoc *ctl_suppress(struct instance *in, const struct jdoc *request);

/* The answer to {"do": "suppress-import"}: counts; tells of its progress meanwhile. Not 0 in *stop: given up;
 * set here when the client has left. */
struct jdoc *ctl_suppress_import(struct instance *in, struct talk *w, const struct jdoc *request, int *stop);

/* {"added": ..} and back. */
struct suppress_counts;
void ctl_suppress_put_counts(struct jdoc *o, const struct suppress_counts *c);
void ctl_suppress_take_counts(const struct jdoc *o, struct suppress_counts *c);

const char *ctl_suppress_change_name(enum suppress_change change);

#endif
