/* What machine.c and machine_value.c share: the machine itself. Private to those two. */
#ifndef TSUBAME_MACHINE_INNER_H
#define TSUBAME_MACHINE_INNER_H

#include "machine.h"

enum frame_kind { FRAME_MAIN, FRAME_PLAIN, FRAME_LOOP, FRAME_CALL };

/* A context and what came with it. Indexes are of frames; -1: none. */
struct frame {
    uint8_t kind;
    bool looped; /* @index and the like: the four below say something */
    bool first, last;
    uint32_t index;
    struct thing key;
    struct thing context;
    int32_t outer;       /* what ../ leads to */
    int32_t wrap;        /* the frame around this one in the text */
    int32_t data;        /* the frame whose @index is in force (maybe this one) */
    int32_t data_parent; /* if this one has its own: @../index leads there */
    /* FRAME_LOOP */
    struct thing members; /* what is gone over */
    struct slice rest;    /* of its packed bytes */
    uint32_t left;        /* of its overlay's arguments; they come last */
    uint32_t count;       /* of all members */
    /* FRAME_CALL */
    const struct call *call;
    uint32_t back;  /* the step to go on with */
    int32_t caller; /* the frame that called */
    int32_t block;  /* whose @partial-block was in force */
    uint32_t values, bindings;
    bool indented;
    struct overlay over;
};

struct binding {
    uint32_t name;
    uint32_t start;
    int32_t wrap;
    int32_t hidden; /* the binding of that name before; -1: none */
    bool stored;
};

struct indent {
    struct slice text;
    bool due; /* before the next character */
};

struct machine {
    const struct vocabulary *words;
    const struct slice *columns; /* values by column */
    struct thing *root_words;
    uint32_t root_room;
    bool looked; /* root_words is filled */
    struct overlay root;
    struct thing top;
    struct value tree; /* VALUE_NONE: there is none */
    int64_t work;
    /* One run */
    const struct script *script;
    struct sink *sink;
    struct err *err;
    int32_t frame_count;
    int32_t block;
    uint32_t calls, value_count, binding_count, indent_count;
    int32_t bound[PARTIALS_MAX + 1];
    struct thing temps[TEMPS_MAX];
    struct thing values[SETTINGS_MAX];
    struct binding bindings[BINDINGS_MAX];
    struct indent indents[CALLS_MAX];
    struct frame frames[FRAMES_MAX];
};

/* machine_value.c: "{{path}}: what", with its place, as a failure. */
int machine_complain(const struct machine *m, const struct path *p, const char *what);
/* The frame on top. */
struct frame *machine_top_frame(struct machine *m);
/* What an operand stands for now. 0, or -1 with m->err: it is missing where that is a failure. */
int machine_operand(struct machine *m, const struct operand *o, struct thing *out);

#endif
