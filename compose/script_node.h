/* A template's text as a tree of nodes, between script_read.c (which makes it), script_trim.c (which takes
 * white space away) and script_emit.c (which turns it into steps). Private to those three; it lives in an
 * arena that is given up once the steps are there. */
#ifndef TSUBAME_SCRIPT_NODE_H
#define TSUBAME_SCRIPT_NODE_H

#include "arena.h"
#include "err.h"
#include "script.h"

enum {
    NODE_DEPTH_MAX = 64,  /* blocks in blocks */
    NODE_CHAIN_MAX = 256, /* {{else if}} in one block */
    EXPR_DEPTH_MAX = 16   /* subexpressions in subexpressions */
};

enum expr_kind {
    EXPR_PATH,
    EXPR_TEXT,
    EXPR_NUMBER,
    EXPR_TRUE,
    EXPR_FALSE,
    EXPR_NULL,
    EXPR_UNDEFINED,
    EXPR_CALL
};

struct argument {
    struct argument *next;
    struct slice key; /* of key=value */
    struct expr *value;
};

/* A path, a literal, or (in brackets) a call with arguments. */
struct expr {
    enum expr_kind kind;
    struct place place;
    struct slice text;         /* as written, but for brackets and quotes */
    bool data;                 /* @... */
    bool scoped;               /* with this, . or .. in front: never a helper nor a block parameter */
    unsigned up;               /* how many .. */
    const struct slice *parts; /* without those */
    size_t count;
    struct expr *head; /* of a call */
    struct argument *params;
    struct argument *hash;
};

enum node_kind {
    NODE_TEXT,
    NODE_COMMENT,
    NODE_PRINT,
    NODE_BLOCK,
    NODE_PARTIAL,
    NODE_PARTIAL_BLOCK,
    NODE_INLINE
};

/* Is there a ~ at the tag's left, at its right? */
struct strip {
    bool open, close;
};

struct body {
    struct node *first, *last;
    const struct slice *params; /* as |a b| */
    size_t param_count;
    bool chained; /* the one node is an {{else if}} */
};

struct node {
    enum node_kind kind;
    struct node *prev, *next;
    struct place place;
    /* NODE_TEXT */
    struct slice original, value;
    bool left_stripped, right_stripped;
    /* all others */
    bool raw; /* {{{x}}} or {{&x}} */
    struct strip open, inverse_strip, close;
    struct expr *head;
    struct argument *params;
    struct argument *hash;
    struct body *program, *inverse; /* either may be NULL */
    struct slice indent;            /* of a partial alone on its line */
};

/* 0, or -1 with err (the place in front). columns: a tag that is exactly a column's name, though it could
 * not be a path, is that column. */
int script_read(struct slice text, const char *part, const struct vocabulary *words, struct arena *arena,
                struct body **out, struct err *err);

/* White space control: ~, and tags that stand alone on their lines. */
void script_trim(struct body *root);

/* Bytes of the white space character (as JavaScript has it, U+3000 and the like too) in front, at the end; 0
 * if there is none. */
size_t script_space_front(struct slice text);
size_t script_space_back(struct slice text);

#endif
