/* Text in columns of a terminal: East Asian and emoji characters take two cells, marks that combine take
 * none. */
#ifndef TSUBAME_CELLS_H
#define TSUBAME_CELLS_H

#include "buf.h"

/* Cells of what shown_put makes of the text. */
size_t cells_of(struct slice text);

enum cells_side { CELLS_LEFT, CELLS_RIGHT };

/* Exactly `width` cells: cut (with an ellipsis) or padded. What may not be shown is a '?'. */
void cells_put(struct buf *out, struct slice text, size_t width, enum cells_side side);

/* The first line of the text when it is broken at blanks into lines of at most `width` (>= 1) cells; taken
 * off *rest, and the blanks behind it. False at the end of the text. */
bool cells_line(struct slice *rest, size_t width, struct slice *line);

#endif
