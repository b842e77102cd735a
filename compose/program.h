/* The flat program that a template is, as template.c and parts.c write and render.c runs it. Private to this
 * folder. */
#ifndef TSUBAME_PROGRAM_H
#define TSUBAME_PROGRAM_H

#include "charset.h"
#include "script.h"
#include "template.h"

enum op_kind {
    OP_BYTES,       /* copy bytes: what is the same for everybody */
    OP_DATE,        /* the Date field */
    OP_MESSAGE_ID,  /* the Message-ID field */
    OP_TO,          /* the To field; script: display name */
    OP_FROM,        /* a From field whose display name has variables */
    OP_REPLY_TO,    /* a Reply-To field with variables; script: display name, other: address */
    OP_TEXT,        /* a field of text with variables (HEADER_TEXT); bytes: its name */
    OP_TOKENS,      /* a field of tokens with variables (HEADER_TOKENS); bytes: its name */
    OP_LIST_ID,     /* List-Id; script: "Name <identifier>" */
    OP_UNSUBSCRIBE, /* List-Unsubscribe and its partner; script: URL, other: mailbox (NULL: none) */
    OP_QP,          /* a quoted-printable body; script: its text */
    OP_BASE64,      /* a body in base64 */
    OP_JIS,         /* a body in ISO-2022-JP, and the field that says how it is encoded */
    OP_FILE         /* a recipient's file as a part; script: path, other: name, bytes: type */
};

struct op {
    enum op_kind kind;
    bool last; /* a body: nothing follows it */
    struct slice bytes;
    const struct script *script;
    const struct script *other;
};

enum { BOUNDARY_LEN = 21 }; /* "=_t_", 16 digits, a letter for the level */

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
    enum charset charset;
    bool one_click;
    bool shared;
    char boundary[BOUNDARY_LEN]; /* all but the letter */
    struct slice prefix;         /* with what every mail's body begins */
};

#endif
