/* Compression of byte runs in memory: Zstandard frames that carry their size and a checksum.
 *
 * A pack holds the working memory of both directions (about 1 MB once used), so that thousands of small runs
 * cost no allocation each. For one thread at a time. */
#ifndef TSUBAME_PACK_H
#define TSUBAME_PACK_H

#include "buf.h"
#include "err.h"

struct pack;

/* level: 1 (fast) to 19, or below 0 for less packing in less time. NULL without memory. */
struct pack *pack_new(int level);
void pack_free(struct pack *p); /* NULL is fine */

/* Appends the frame of `bytes` to *out. False when it does not fit, or without memory. */
bool pack_put(struct pack *p, struct slice bytes, struct buf *out);

/* Appends what the one frame in `frame` holds to *out: at most `most` bytes, by what the frame itself says
 * before anything is unpacked. 0, or -1 with err: ERR_CORRUPT for anything but such a frame. */
int pack_take(struct pack *p, struct slice frame, size_t most, struct buf *out, struct err *err);

/* What pack_take would append; false when it is not a frame or does not say. */
bool pack_size(struct slice frame, uint64_t *size);

#endif
