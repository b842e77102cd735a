/* What a shared mail (docs/mail.md) may be. Private to this folder. */
#ifndef TSUBAME_SHARED_H
#define TSUBAME_SHARED_H

#include "address.h"
#include "script.h"

/* Do the keys fit each other? 0, or -1 with err, which names the key. */
int shared_check(const struct content *c, struct err *err);

/* What stands in To: name and address, or, with no address, a name that is the whole value ("Staff:;"). */
int shared_to(const struct content *c, struct arena *arena, struct slice *name, struct address *address,
              struct err *err);

/* 0 when it prints the same for everybody; else -1 with err and the place of the first variable. */
int shared_check_script(const struct script *s, const char *part, struct err *err);

#endif
