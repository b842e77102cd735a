/* Writes text line by line for html_text.c: collapses blanks, holds line breaks back until something follows,
 * puts the prefixes of quotations and lists before lines. Private to this folder. */
#ifndef TSUBAME_HTML_LINES_H
#define TSUBAME_HTML_LINES_H

#include "buf.h"

enum { LINES_PREFIX = 120, LINES_BLOCKS = 64 };

enum lines_token { LINES_VALUE, LINES_OPEN, LINES_ELSE, LINES_CLOSE };

/* In rising order: the stronger one wins. */
enum lines_gap {
    GAP_NONE,
    GAP_SPACE,
    GAP_BREAK, /* with a line break in the source: nothing between two characters of Chinese or Japanese */
    GAP_HARD   /* a no-break space: a blank always */
};

/* Where we are on the page. */
struct lines_place {
    unsigned breaks;   /* line breaks wanted before the next word; 2: a line left free */
    unsigned newlines; /* that the text ends with, 0 to 2 */
    bool open;         /* something is on the line under way */
    enum lines_gap gap;
    unsigned wide; /* ideographic spaces wanted before the next word */
    uint32_t last; /* the last character */
};

struct lines {
    struct buf *out;
    struct lines_place now;
    bool begun;      /* there is a word or a token */
    unsigned flat;   /* above 0: line breaks are blanks (in cells of a row) */
    uint32_t joiner; /* U+200C or U+200D held back until a letter follows */
    struct {
        char c;
        bool once;  /* on the next line only, then a blank */
        bool quote; /* also on lines left free */
    } prefix[LINES_PREFIX];
    size_t prefix_len;
    size_t low; /* the shortest prefix since the last word */
    struct {
        struct lines_place start, merged;
        bool inside; /* its breaks come before its content, not behind */
    } blocks[LINES_BLOCKS];
    size_t depth; /* of blocks; may exceed LINES_BLOCKS, then those are not looked after */
};

void lines_begin(struct lines *l, struct buf *out);

/* Text of the page, UTF-8; with tokens of attributes as they are. pre: blanks and line breaks count. */
void lines_text(struct lines *l, struct slice text, bool pre);

/* A value: a word; or a mark of a block. block_next: what follows the mark starts a line of its own. */
void lines_token(struct lines *l, uint32_t number, enum lines_token kind, bool block_next);

/* The next word begins a line; count 2: with a free line before it. */
void lines_break(struct lines *l, unsigned count);

/* <br> */
void lines_newline(struct lines *l);

/* A blank before the next word. */
void lines_blank(struct lines *l);

/* Behind the last word, before the breaks that are wanted: a blank and s, which is one word. */
void lines_append(struct lines *l, struct slice s);

/* Adds to the prefix of lines; once: a list's mark. Returns what lines_pop takes to undo it. */
size_t lines_push(struct lines *l, struct slice text, bool once);
void lines_pop(struct lines *l, size_t mark);

/* The last line's end. */
void lines_end(struct lines *l);

#endif
