/* What the commands that change the course of mail share: which mail, how many that touches, and are you
 * sure? */
#ifndef TSUBAME_HANDS_HERE_H
#define TSUBAME_HANDS_HERE_H

#include "command.h"

#define HANDS_SELECTOR                                                                                       \
    {"campaign", 0, "CAMPAIGN", "of this campaign, by name or number"},                                      \
        {"provider", 'p', "PROVIDER", "to this provider, as `tsubame status` names it"},                     \
        {"domain", 'd', "DOMAIN", "to this domain; *.DOMAIN: to those below it"},                            \
        {"source", 's', "SOURCE", "from this source"},                                                       \
        {"identity", 'i', "IDENTITY", "with this From address, or From domain"}, {                           \
        "tenant", 0, "N", "of this tenant, by number"                                                        \
    }
#define HANDS_COMMON                                                                                         \
    {"reason", 'r', "TEXT", "why, for the audit trail and `tsubame orders`"},                                \
        {"dry-run", 'n', NULL, "show how many it touches, and do nothing"}, {                                \
        "yes", 'y', NULL, "do not ask"                                                                       \
    }

/* Was a part of a selector given, or an order's number? */
bool hands_asked(const struct invocation *in);
/* Preview, question, act: an exit_code. */
int hands_run(struct invocation *in, const char *act);

#endif
