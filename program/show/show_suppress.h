/* How the suppression list is shown to people, and the same as JSON. */
#ifndef TSUBAME_SHOW_SUPPRESS_H
#define TSUBAME_SHOW_SUPPRESS_H

#include "jdoc.h"
#include "suppressed.h"

/* {"address", "reason", "since", "source", ...}: what `list` and `show` print. */
void show_suppress_json(struct jdoc *o, struct slice address, const struct suppress_row *row);

/* One line of `list`. */
void show_suppress_line(struct buf *out, struct slice address, const struct suppress_row *row);

/* All that is known of an address: listed, counted, or neither. */
void show_suppress(struct buf *out, struct slice address, const struct suppressed *found);

#endif
