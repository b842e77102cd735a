/* Whose a store is: what one user leaves in it the other must be able to open. */
#ifndef TSUBAME_STORE_OWNER_H
#define TSUBAME_STORE_OWNER_H

#include "err.h"
#include "options.h"

/* Before the store of the options is opened. Root becomes its owner for good; where it is yet to be made (not
 * when read_only) it is made as a folder of run.user's, and root becomes that one. For others nothing
 * changes; those who may not open it get ERR_INPUT, with what to do. */
int store_owner_become(const struct options *o, bool read_only, struct err *err);

#endif
