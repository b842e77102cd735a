/* The text part of a template that has only HTML: a template in the same language.
 *
 * Tags stay tags: a value stands where the HTML shows it (in the address of a link too), a block stays around
 * what it repeats or leaves out. Comments and what stands in hidden parts go. `~` has had its effect and is
 * dropped. Partials are called as before: the text needs its own, made in the same way. */
#ifndef TSUBAME_AUTO_TEXT_H
#define TSUBAME_AUTO_TEXT_H

#include "buf.h"
#include "err.h"

/* Appends the text to out. -1 with err: the HTML is too large or too deep for it, or a tag is not closed
 * (which the compiler of the html part says better). */
int auto_text(struct slice html, struct buf *out, struct err *err);

#endif
