/* What template.c and parts.c share while a template is compiled. Private to this folder. */
#ifndef TSUBAME_COMPILER_H
#define TSUBAME_COMPILER_H

#include "program.h"

enum { ENCODED_MAX = 64 * 1024 * 1024 };

struct compiler {
    struct template *t;
    const struct content *content;
    const struct content_partial *text_partials; /* of the text: those of the content, or made from them */
    size_t room;                                 /* ops allocated */
    struct err *err;
};

/* template.c; each 0, or -1 with c->err. */
int compiler_no_memory(struct compiler *c);
int compiler_add(struct compiler *c, struct op op);
int compiler_add_bytes(struct compiler *c, struct slice bytes);
/* The text of one part. part must outlive the template. NULL with c->err. */
const struct script *compiler_text(struct compiler *c, struct slice text, const char *part, bool body,
                                   bool html);
/* Can the template's character set carry what is fixed in this text (tags and all)? */
int compiler_check_charset(struct compiler *c, struct slice text, const char *part);

/* parts.c: MIME-Version, Content-Type and all that follows; marks where the body begins. */
int compile_parts(struct compiler *c);

#endif
