/* The template language (docs/templates.md): one text of a mail, compiled into a flat list of steps. Knows
 * nothing of mails. Private to this folder.
 *
 * script_compile makes it, machine_run (machine.h) runs it. */
#ifndef TSUBAME_SCRIPT_H
#define TSUBAME_SCRIPT_H

#include "content.h"
#include "qp.h"
#include "value.h"

enum {
    SCRIPT_TEXT_MAX = 4 * 1024 * 1024,
    NAMES_MAX = 10000,  /* different names at the top level of one template */
    PARTIALS_MAX = 256, /* different partials of one template */
    TEMPS_MAX = 128     /* values of subexpressions at a time */
};

/* Where something was written: "html, line 12, column 7". */
struct place {
    const char *part;
    uint32_t line;   /* of the part's text, from 1 */
    uint32_t column; /* in characters, from 1 */
};

/* "PART, line N, column N: " and the rest, as ERR_INPUT. Always -1. */
int place_fail(struct place at, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A name that is looked up in a recipient's data, and the column of that name (or -1). */
struct word {
    struct slice text;
    int32_t column;
};

/* What all texts of one template share: the names that they use, each looked up once for each mail. */
struct vocabulary {
    struct arena *arena; /* where all of it lives; the columns' names too */
    const struct slice *columns;
    size_t column_count;
    int32_t data; /* the column that holds a tree (DATA_COLUMN), or -1 */
    struct word *words;
    uint32_t count, room;
    uint32_t *table; /* open addressing over words: index + 1; size is a power of two */
    uint32_t table_size;
    bool any_column; /* columns may be asked for by computed names */
};

/* The index of that word, added when it is new; UINT32_MAX without memory or past NAMES_MAX. */
uint32_t vocabulary_word(struct vocabulary *v, struct slice name);
/* The same, never added: UINT32_MAX when it is not there. */
uint32_t vocabulary_find(const struct vocabulary *v, struct slice name);
/* The column of that name, or -1. */
int32_t vocabulary_column(const struct vocabulary *v, struct slice name);

enum path_base {
    PATH_CONTEXT, /* this, or further up */
    PATH_ROOT,
    PATH_INDEX, /* @index, @key, @first, @last of a loop */
    PATH_KEY,
    PATH_FIRST,
    PATH_LAST,
    PATH_BLOCK,    /* @partial-block: is there one? */
    PATH_OTHER,    /* any other @name: there is nothing */
    PATH_PARAM,    /* a block parameter: the value */
    PATH_PARAM_KEY /* the second one: key or index */
};

/* Where a value is found. */
struct path {
    struct slice text; /* as written */
    struct place place;
    uint8_t base;
    bool strict;   /* of a tag that prints or a section: its last part must be there */
    bool soft;     /* a context that is null counts as an empty map (inside if and unless) */
    uint16_t up;   /* contexts, loops or blocks outwards */
    uint32_t word; /* parts[0] in the vocabulary */
    uint32_t count;
    const struct slice *parts;
};

enum operand_kind { OPERAND_NONE, OPERAND_PATH, OPERAND_LITERAL, OPERAND_TEMP };

struct operand {
    uint8_t kind;
    uint8_t temp;
    union {
        const struct path *path;
        const struct value *literal;
    };
};

struct setting { /* key=value of a partial's call */
    struct slice key;
    struct operand value;
};

struct inline_partial {
    uint32_t name;
    uint32_t start; /* its first step */
};

struct call {
    struct place place;
    struct slice text;      /* the partial's name */
    uint32_t name;          /* UINT32_MAX: @partial-block */
    struct operand context; /* OPERAND_NONE: the present one */
    const struct setting *settings;
    uint32_t setting_count;
    struct slice indent;
    bool has_block;
    uint32_t block;                       /* its first step */
    const struct inline_partial *inlines; /* that stand in the block: seen by a stored partial */
    uint32_t inline_count;
};

struct fixed_text {
    struct slice text;
    struct qp_run qp;
};

enum step_kind {
    STEP_TEXT,    /* text */
    STEP_PRINT,   /* a */
    STEP_LOOKUP,  /* temp = member b of a */
    STEP_EVAL,    /* a, for its failure only */
    STEP_IF,      /* a (b: includeZero): to target if it is no */
    STEP_UNLESS,  /* a (b: includeZero): to target if it is yes */
    STEP_JUMP,    /* to target */
    STEP_WITH,    /* a: to target if it is empty, else it becomes the context */
    STEP_EACH,    /* a: to target if there is nothing, else its first member becomes the context */
    STEP_SECTION, /* a: the one or the other, as {{#a}} has it */
    STEP_NEXT,    /* the block's end: to target with the next member, or the block is left */
    STEP_BIND,    /* a partial is defined: name, target */
    STEP_UNBIND,  /* the last `target` of those are forgotten */
    STEP_CALL,
    STEP_RETURN
};

struct step {
    uint8_t kind;
    bool escape; /* STEP_PRINT: for HTML, where the script is HTML */
    bool inner;  /* STEP_BIND: in an if or the like, of whose context it is */
    uint8_t temp;
    uint32_t target;
    uint32_t name;
    struct operand a, b;
    union {
        const struct fixed_text *text;
        const struct call *call;
    };
};

struct script {
    struct step *steps; /* ends with STEP_RETURN */
    uint32_t count;
    bool lenient;              /* what is missing is empty */
    uint32_t stored;           /* so many partials, the first names, are stored ones */
    const uint32_t *stored_at; /* their first steps */
    uint32_t partials;         /* how many names of partials there are */
};

struct script_options {
    struct slice text;
    const char *part; /* lives as long as the script */
    bool encode;      /* fixed texts are encoded as quoted-printable too */
    bool escape;      /* {{x}} is escaped for HTML */
    bool lenient;
    const struct content_partial *partials; /* that all texts may use */
    size_t partial_count;
};

/* Everything of the script lives in the vocabulary's arena. 0, or -1 with err. */
int script_compile(const struct script_options *options, struct vocabulary *words, struct script *out,
                   struct err *err);

/* Is it the same for everybody? Then *text is what it prints (in the arena; NULL at without memory). */
bool script_fixed(const struct script *s, struct arena *arena, struct slice *text);

#endif
