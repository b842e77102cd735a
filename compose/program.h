/* The flat program that a template is, as template.c writes and render.c runs it. Private to this folder. */
#ifndef TSUBAME_PROGRAM_H
#define TSUBAME_PROGRAM_H

#include "script.h"
#include "template.h"

enum op_kind {
    OP_BYTES,      /* copy bytes: finished header lines */
    OP_DATE,       /* the Date field */
    OP_MESSAGE_ID, /* the Message-ID field */
    OP_LIST,       /* the fields of render_list */
    OP_TO,         /* the To field; script: display name */
    OP_FROM,       /* a From field whose display name has variables */
    OP_REPLY_TO,   /* a Reply-To field with variables; script: display name, address: address */
    OP_TEXT,       /* a field of text with variables (HEADER_TEXT); bytes: its name */
    OP_TOKENS,     /* a field of tokens with variables (HEADER_TOKENS); bytes: its name */
    OP_BOUNDARY,   /* the boundary's text */
    OP_BODY,       /* a quoted-printable part; script: its text */
    OP_CLOSE,      /* the part ends before a boundary */
    OP_END         /* the part ends, and with it the mail */
};

struct op {
    enum op_kind kind;
    struct slice bytes;
    const struct script *script;
    const struct script *address;
};

struct template {
    struct arena arena; /* everything below */
    struct op *ops;
    size_t count;
    struct vocabulary words;
    const struct script *subject;
    const struct script *text, *html; /* NULL: no such part */
    uint32_t *used;
    size_t used_count;
    struct address from;
};

#endif
