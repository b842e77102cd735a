/* What a reader can't see but is steered by: removed from names that are shown next to an address or chosen
 * to be opened (display names, file names). There nobody needs it, and a stranger can use it to show another
 * name than is there.
 *
 * Removed: controls (U+0000 to U+001F, U+007F to U+009F), what sets the direction of writing (U+061C, U+200E,
 * U+200F, U+202A to U+202E, U+2066 to U+206F), line and paragraph separators (U+2028, U+2029), and what has
 * no width (U+00AD, U+034F, U+115F, U+1160, U+180E, U+200B, U+2060 to U+2065, U+3164, U+FEFF, U+FFA0, U+FFF9
 * to U+FFFB, tags outside a flag). Names in Arabic or Hebrew are read in their own direction without any of
 * these. Kept: the joiners U+200C and U+200D, which spelling and emoji need, and variation selectors. A tab
 * becomes a blank. */
#ifndef TSUBAME_VISIBLE_H
#define TSUBAME_VISIBLE_H

#include "buf.h"

/* Is there nothing to remove? text is UTF-8. */
bool visible_all(struct slice text);

/* Appends text without it. */
void visible_put(struct buf *out, struct slice text);

#endif
