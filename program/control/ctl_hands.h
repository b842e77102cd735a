/* Requests about orders: previews, orders given and taken back, the list of them. */
#ifndef TSUBAME_CTL_HANDS_H
#define TSUBAME_CTL_HANDS_H

#include "ctl_answer.h"
#include "offline.h"

/* The user at the other end; "": not known. */
void ctl_who(const struct ctl_asker *asker, char name[OFFLINE_NAME_MAX + 1]);
/* "act": preview, suspend, route, cancel, flush, resume; the parts of a selector; what else belongs to it. */
struct jdoc *ctl_hands(struct ctl_asker *asker, const struct jdoc *request);
struct jdoc *ctl_orders(struct ctl_asker *asker);
void ctl_put_order(struct jdoc *o, const struct order_status *s); /* without how many it touches */
/* How many that mail is, as far as it is counted by then. */
void ctl_put_touch(struct jdoc *o, struct engine *e, const struct selector *of, mono_us until);
/* A campaign is held, goes on or is cancelled by its number, and the audit trail says by whom. */
int ctl_hands_campaign(struct ctl_asker *asker, struct slice what, uint32_t id, struct err *err);

#endif
