/* Requests about orders: previews, orders given and taken back, the list of them. */
#ifndef TSUBAME_CTL_HANDS_H
#define TSUBAME_CTL_HANDS_H

#include "ctl_answer.h"

/* "act": preview, suspend, route, cancel, flush, resume; the parts of a selector; what else belongs to it. */
struct jdoc *ctl_hands(struct ctl_asker *asker, const struct jdoc *request);
struct jdoc *ctl_orders(struct ctl_asker *asker);
/* A campaign is held, goes on or is cancelled by its number, and the audit trail says by whom. */
int ctl_hands_campaign(struct ctl_asker *asker, struct slice what, uint32_t id, struct err *err);

#endif
