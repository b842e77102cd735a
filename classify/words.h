/* The words of a reply, folded so that spelling does not matter.
 *
 * Words are runs of letters and digits; all else parts them. Case, accents and apostrophes are taken off
 * ("Bloqué" is "bloque", "doesn't" is "doesnt", Cyrillic is small). In scripts that part no words each
 * character is one. Bytes that are no UTF-8 are read as Latin-1, ISO-2022-JP's two-byte runs are one
 * unreadable word. Mail addresses are left out altogether, for their words say nothing. Labels of a dotted
 * name (mx.example.com) are words of a kind of their own, so that "spam" in a host's name is not the word
 * spam.
 *
 * A word is known by a 64-bit hash: nobody gains by making two words meet, since whoever could do so could as
 * well have written the other word. */
#ifndef TSUBAME_WORDS_H
#define TSUBAME_WORDS_H

#include "slice.h"

enum { WORDS_MOST = 127, WORDS_TEXT_MAX = 1024 };

struct words {
    unsigned count;
    uint64_t at[WORDS_MOST]; /* the lowest bit is set in labels of dotted names */
};

/* Of the first WORDS_TEXT_MAX bytes, at most WORDS_MOST words. */
void words_split(struct slice text, struct words *words);

static inline bool words_dotted(uint64_t word) {
    return word & 1;
}
static inline uint64_t words_as_label(uint64_t word) {
    return word | 1;
}

#endif
