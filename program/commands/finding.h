/* The campaign that a command is about: asked of a running server, else read from the store. */
#ifndef TSUBAME_FINDING_H
#define TSUBAME_FINDING_H

#include "command.h"
#include "engine.h"

/* The one that the first operand names, as it stands. An exit code. */
int finding_campaign(struct invocation *in, struct campaign_status *c);
void finding_copy(struct campaign_status *to, const struct campaign_row *row, wall_us now);
/* Shows it, or prints it as JSON. An exit code. */
int finding_tell(const struct invocation *in, const struct campaign_status *c);

#endif
