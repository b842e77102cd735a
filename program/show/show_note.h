/* Changes of the audit trail (note.h) for people and programs: `changes` and `explain`. */
#ifndef TSUBAME_SHOW_NOTE_H
#define TSUBAME_SHOW_NOTE_H

#include "jdoc.h"
#include "note.h"

/* A line, and one more with the reply's words or the reason where there are any. */
void show_note(struct buf *out, const struct note *n, bool colour);
void show_note_json(struct jdoc *to, const struct note *n);
/* The note that an object tells of; texts live as long as the object. False: it tells of none. */
bool show_note_read(struct note *n, const struct jdoc *o);

#endif
