/* What may stand at the end of a command line that is being typed: the arithmetic behind `tsubame complete`.
 */
#ifndef TSUBAME_COMPLETING_H
#define TSUBAME_COMPLETING_H

#include "command.h"

enum completing_kind {
    COMPLETING_WORDS,   /* those found */
    COMPLETING_NOSPACE, /* the same, and more belongs behind each: "deliver.port=" */
    COMPLETING_FILES,
    COMPLETING_FOLDERS,
    COMPLETING_CAMPAIGNS /* the names of campaigns, which begin with what is typed */
};

/* words: those behind the program's name, the last being the one under the cursor (it may be empty).
 * "--name=value" may come as one word or, as bash parts it, as three. Each candidate that begins with what is
 * typed is appended to `out` as a line, its explanation behind a tab. *typed is what campaigns must begin
 * with. */
enum completing_kind completing(const char *const *words, size_t count, struct buf *out, struct slice *typed);

/* "words", "nospace", "files", "folders": the first line of the answer. */
const char *completing_name(enum completing_kind kind);

#endif
