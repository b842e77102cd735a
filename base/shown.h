/* Text that strangers wrote, on its way to a terminal, a log or a table.
 *
 * What could steer a terminal or show a line other than it is - control characters (C0, DEL, and C1 in
 * UTF-8), bytes that are no UTF-8, line and paragraph separators, marks that turn the direction of writing,
 * invisible tags - is no more than a '?' afterwards. Anything else stays. */
#ifndef TSUBAME_SHOWN_H
#define TSUBAME_SHOWN_H

#include "buf.h"

/* Bytes of the character in front of s (not empty), and whether it may be shown. A byte that is no UTF-8 is a
 * character of one byte that may not. */
size_t shown_next(struct slice s, bool *good);

/* Appends the text: one '?' for each character that may not be shown. */
bool shown_put(struct buf *out, struct slice text);

/* The same in place; the text does not grow. */
void shown_clean(char *text);

#endif
