/* Runs scripts over one recipient's data. Private to this folder.
 *
 * No recursion over the script: blocks and partials are frames on a stack of its own. What a run may cost is
 * bounded by work done, whatever template and data say. */
#ifndef TSUBAME_MACHINE_H
#define TSUBAME_MACHINE_H

#include "sink.h"

enum {
    FRAMES_MAX = 256,       /* blocks and partials in each other while a mail is rendered */
    CALLS_MAX = 32,         /* partials in each other */
    SETTINGS_MAX = 1024,    /* their arguments */
    BINDINGS_MAX = 1024,    /* inline partials defined at a time */
    WORK_MAX = 20 * 1000000 /* steps run and members looked at, for one mail: about 0.2 s */
};

/* A value as the script sees it: a packed one, or a map with something laid over it. A number whose bytes.at
 * is NULL is its count. */
struct thing {
    struct value v;
    const struct overlay *over; /* NULL: as it is packed */
};

/* What a map is looked up in before itself: the arguments of a partial; or, of the top level, the columns
 * behind it (settings is NULL then). */
struct overlay {
    const struct setting *settings;
    const struct thing *values;
    uint32_t count;
    struct thing base;
};

struct machine;

/* NULL without memory. */
struct machine *machine_new(void);
void machine_free(struct machine *m);

/* A mail begins: the data of its recipient, by column. Everything given is kept until the next one. False
 * without memory. */
bool machine_begin(struct machine *m, const struct vocabulary *words, const struct slice *values);

/* Runs the script into the sink. 0, or -1 with err (ERR_INPUT: a rendering failure, with its place). Ends
 * early, with 0, when the sink's buffer has failed: the caller looks at that. */
int machine_run(struct machine *m, const struct script *s, struct sink *sink, struct err *err);

/* --- What things are (things.c) --- */

/* The member of that key, of a list also by index and "length", of a text too; VALUE_NONE if there is none.
 * Takes what it costs off *work. */
struct thing thing_member(const struct machine *m, const struct thing *of, struct slice key, int64_t *work);
bool thing_true(const struct thing *t);  /* as JavaScript has it */
bool thing_empty(const struct thing *t); /* for #if and #with, 0 aside: what is not true, and [] */
bool thing_is_zero(const struct thing *t);
bool thing_same(const struct thing *a, const struct thing *b); /* would ../ skip the one for the other? */
struct slice thing_text(const struct thing *t, char room[24]); /* of all but lists */

/* The value of a top-level name (by its number in the vocabulary). */
const struct thing *machine_root_word(struct machine *m, uint32_t word);
const struct thing *machine_root(const struct machine *m);
/* What a column of that name holds; VALUE_NONE if there is none. */
struct thing machine_column(const struct machine *m, struct slice name);

#endif
