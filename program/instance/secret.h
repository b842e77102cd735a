/* Secrets that lie in files of their own, so that a configuration can be shown. */
#ifndef TSUBAME_SECRET_H
#define TSUBAME_SECRET_H

#include "err.h"

#include <stddef.h>

/* The first line of a file, without its end: 1 to most bytes, no NUL. The caller frees it with secret_free.
 * NULL with err, which says nothing of what is in the file. */
char *secret_read(const char *path, size_t most, struct err *err);
void secret_free(char *secret); /* wipes it; NULL is fine */

#endif
