/* The reader of a template's text, shared by script_read.c (text and tags) and script_expr.c (what stands
 * inside of a tag). Private to those two. */
#ifndef TSUBAME_SCRIPT_READER_H
#define TSUBAME_SCRIPT_READER_H

#include "script_node.h"

struct reader {
    struct slice text;
    const char *part;
    const struct vocabulary *words;
    struct arena *arena;
    size_t at;
    uint32_t line, column; /* of at */
    struct place tag;      /* where the present tag begins */
    struct err *err;
};

struct block_tag {
    struct expr *head;
    struct argument *params, *hash;
    const struct slice *names;
    size_t name_count;
    struct strip strip;
};

/* Moves on to `to`, counting lines (LF, CRLF, or CR alone) and characters. */
void reader_advance(struct reader *r, size_t to);
struct place reader_here(const struct reader *r);
struct slice reader_rest(const struct reader *r);
/* The character `ahead` bytes further; NUL at the end (a text holds no NUL). */
char reader_peek(const struct reader *r, size_t ahead);
/* From the arena, cleared; NULL with err. */
void *reader_make(struct reader *r, size_t n);
int reader_no_memory(const struct reader *r);
void reader_skip_space(struct reader *r);

/* May this byte stand in a name? */
bool reader_name_char(char c);

/* A path, a literal or a subexpression. The readers below return 0, or -1 with err. */
int reader_expr(struct reader *r, unsigned depth, struct expr **out);
/* Positional arguments, then key=value. */
int reader_arguments(struct reader *r, unsigned depth, struct argument **params, struct argument **hash);
/* Do block parameters ("as |a b|") stand here? And their names, into the tag. */
bool reader_before_names(const struct reader *r);
int reader_names(struct reader *r, struct block_tag *t);
/* The end of the tag that began at `from`: "}}", or "}}}" when triple. *strip: is there a ~? */
int reader_close(struct reader *r, bool triple, struct place from, bool *strip);

#endif
