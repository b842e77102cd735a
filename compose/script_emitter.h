/* What script_emit.c and script_operand.c share: a script under construction. Private to those two.
 *
 * Functions that return int: 0, or -1 with e->err. */
#ifndef TSUBAME_SCRIPT_EMITTER_H
#define TSUBAME_SCRIPT_EMITTER_H

#include "script_node.h"

/* The blocks around what is being written: whose parameters may be named. */
struct scope {
    const struct scope *outer;
    const struct slice *params;
    size_t param_count;
    bool frame; /* a block of its own at run time */
    bool wall;  /* an inline partial: what is further out can't be seen */
};

/* Where we are. */
struct site {
    const struct scope *scope;
    bool root;  /* the context is surely the top level of the data */
    bool soft;  /* inside an if: a context that is null counts as an empty map */
    bool inner; /* the body is not a block of its own at run time */
};

struct emitter {
    const struct script_options *options;
    struct vocabulary *words;
    struct arena *arena; /* of the script */
    struct arena *nodes;
    struct script *out;
    uint32_t room;
    struct slice names[PARTIALS_MAX]; /* of partials */
    uint32_t name_count;
    unsigned temps;
    struct err *err;
};

/* ---- script_emit.c ---- */

int emit_no_memory(const struct emitter *e);
/* Appends a step; its index, or UINT32_MAX with e->err. */
uint32_t emit_add(struct emitter *e, struct step step);

/* ---- script_operand.c ---- */

enum helper { HELPER_NONE, HELPER_IF, HELPER_UNLESS, HELPER_EACH, HELPER_WITH, HELPER_LOOKUP, HELPER_LOG };

/* Does the head name a helper (and no block parameter)? */
enum helper emit_helper_of(const struct emitter *e, const struct site *site, const struct expr *head);
/* "no helper is called ...": always -1. */
int emit_no_helper(const struct emitter *e, const struct expr *head);
/* Is it the name of a block parameter that can be seen here? */
bool emit_is_param(const struct emitter *e, const struct site *site, const struct expr *x);
size_t emit_count(const struct argument *a);

/* An argument: missing is no failure. */
int emit_operand(struct emitter *e, const struct site *site, const struct expr *x, struct operand *out);
/* What stands in front of a tag: {{"a b"}} and {{12}} ask for the names "a b" and "12". */
int emit_head(struct emitter *e, const struct site *site, const struct expr *head, struct operand *out);
/* {{lookup a b}} and {{log ...}}: *out is what they are. */
int emit_call(struct emitter *e, const struct site *site, const struct expr *head,
              const struct argument *params, const struct argument *hash, struct operand *out);
/* All key=value of a call are evaluated, for their failures; *found becomes the one that is wanted. found
 * NULL: none is. */
int emit_hash(struct emitter *e, const struct site *site, const struct argument *hash, struct slice wanted,
              struct operand *found);

#endif
