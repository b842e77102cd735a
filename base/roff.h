/* Manual pages: text and tables written as roff with the man macros, for groff and mandoc alike.
 *
 * What goes in is plain text as --help prints it: paragraphs are parted by an empty line, lines that begin
 * with two blanks stand as they are, and `words in backquotes` are what is typed. Nothing in it is taken for
 * roff. */
#ifndef TSUBAME_ROFF_H
#define TSUBAME_ROFF_H

#include "buf.h"

/* Before all else. date: "2026-11-25". version: of tsubame. */
void roff_title(struct buf *out, const char *name, unsigned section, const char *date, const char *version);
/* The section NAME, which whatis(1) and apropos(1) read. */
void roff_name(struct buf *out, const char *name, const char *summary);
void roff_section(struct buf *out, const char *heading);
void roff_subsection(struct buf *out, const char *heading);

/* Paragraphs and blocks; text need not end with a line's end. */
void roff_text(struct buf *out, struct slice text);
/* Lines that stay as they are, two blanks less where all of them begin so. */
void roff_lines(struct buf *out, struct slice lines);

/* An entry of a list: its term in bold (and what stands behind it in italics, or NULL), then one paragraph.
 */
void roff_entry(struct buf *out, const char *term, const char *value, struct slice text);
/* One more paragraph of the same entry. */
void roff_more(struct buf *out, struct slice text);

/* "name(section)" as of another page, by itself on a line; more: a comma follows. */
void roff_reference(struct buf *out, const char *name, unsigned section, bool more);

#endif
