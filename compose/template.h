/* A template: content compiled once for a set of columns into a flat program, which render.h runs for each
 * recipient. Immutable; shared by all threads.
 *
 * The language is described in docs/templates.md. Variables are looked up in the recipient's tree (the column
 * DATA_COLUMN, see value.h), if there is one, then among the columns. Without a tree an unknown name is an
 * error already here, as is everything else that can never be right. An error names the part, line and
 * column: "html, line 12, column 7: no column is called 'nmae' (there are: email, name)". */
#ifndef TSUBAME_TEMPLATE_H
#define TSUBAME_TEMPLATE_H

#include "address.h"
#include "content.h"

struct template;

/* columns: names of what render_input.values holds, in that order; at most 1024. Nothing of the arguments is
 * kept. NULL with err: a person's mistake (ERR_INPUT) or no memory. */
struct template *template_compile(const struct content *c, const struct slice *columns, size_t count,
                                  struct err *err);
void template_free(struct template *t);

/* The columns that the template uses, as indexes in rising order; the rest of values may be left NULL. */
const uint32_t *template_columns(const struct template *t, size_t *count);

/* The From address (canonical): its domain is what DKIM signs for. Valid as long as t. */
const struct address *template_from(const struct template *t);

/* Is it the same for every recipient, To included, so that one transaction may take many? */
bool template_shared(const struct template *t);

/* With what the body of every mail begins (behind the empty line), perhaps nothing: its hash can be begun
 * once. Valid as long as t. */
struct slice template_prefix(const struct template *t);

#endif
