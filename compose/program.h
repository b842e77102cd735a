/* The flat program that a template is, as template.c writes and render.c runs it. Private to this folder. */
#ifndef TSUBAME_PROGRAM_H
#define TSUBAME_PROGRAM_H

#include "qp.h"
#include "template.h"

/* A stretch of text as it was written, or a variable. */
struct piece {
    struct slice text; /* of a variable: its column's name */
    bool variable;
    bool raw;         /* {{{name}}}: not escaped in HTML */
    uint32_t column;  /* index into the values */
    unsigned line;    /* of the part's text, from 1 */
    unsigned place;   /* column in that line, in characters, from 1 */
    const char *part; /* "subject", "html", ... */
};

struct pieces {
    struct piece *at;
    size_t count;
};

enum op_kind {
    OP_BYTES,      /* copy bytes: finished header lines */
    OP_DATE,       /* the Date field */
    OP_MESSAGE_ID, /* the Message-ID field */
    OP_LIST,       /* the fields of render_list */
    OP_TO,         /* the To field; pieces: display name */
    OP_FROM,       /* a From field whose display name has variables */
    OP_REPLY_TO,   /* a Reply-To field with variables; pieces: display name, address: address */
    OP_TEXT,       /* a field of text with variables (HEADER_TEXT); bytes: its name */
    OP_TOKENS,     /* a field of tokens with variables (HEADER_TOKENS); bytes: its name */
    OP_BOUNDARY,   /* the boundary's text */
    OP_BODY,       /* a quoted-printable part begins */
    OP_RUN,        /* a stretch of it, encoded */
    OP_VALUE,      /* a variable in it */
    OP_VALUE_HTML, /* the same, escaped for HTML */
    OP_CLOSE,      /* the part ends before a boundary */
    OP_END         /* the part ends, and with it the mail */
};

struct op {
    enum op_kind kind;
    struct slice bytes;
    struct pieces pieces;
    struct pieces address;
    struct qp_run run;
    struct piece variable;
};

struct template {
    struct arena arena; /* everything below */
    struct op *ops;
    size_t count;
    size_t columns; /* how many values there are */
    uint32_t *used;
    size_t used_count;
    struct address from;
};

/* Cuts text into pieces; part and the column names (copies) must outlive them. 0, or -1 with err. */
struct columns {
    const struct slice *names;
    size_t count;
};
int pieces_parse(struct slice text, const char *part, const struct columns *columns, struct arena *arena,
                 struct pieces *out, struct err *err);
bool pieces_fixed(const struct pieces *p);

/* Joins pieces without variables. out->len grows. */
void pieces_join(const struct pieces *p, struct buf *out);

#endif
