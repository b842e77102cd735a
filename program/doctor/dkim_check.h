/* What a person should know about the configured DKIM keys before a receiver says it. */
#ifndef TSUBAME_DKIM_CHECK_H
#define TSUBAME_DKIM_CHECK_H

#include "options.h"

/* Reads the key files. A line for each fault to `problems` (no key, two keys under one selector) and for each
 * thing that works but should not stay so to `warnings` (short keys, files that others may read, keys that
 * are never used, times without a key): "tsubame.yaml:9:3: dkim[0]: ...". */
void dkim_check(const struct options *o, wall_us now, struct buf *problems, struct buf *warnings);

/* Does mail from this domain (canonical) get a signature, and one that aligns? If not, or not for as long as
 * can be seen, a text without a line end. With no keys at all nothing is said. */
void dkim_check_from(const struct options *o, struct slice from_domain, wall_us now, struct buf *warning);

/* Appends a warning for each thing that is wrong with the file as a place for a private key. */
void dkim_check_file(const char *path, struct buf *out);

#endif
