/* The machine's values: the recipient's data, and what paths and operands stand for in the present frames. */
#include "machine_inner.h"

#include <stdlib.h>

/* --- The top level of the data --- */

bool machine_begin(struct machine *m, const struct vocabulary *words, const struct slice *values) {
    m->words = words;
    m->columns = values;
    m->looked = false;
    m->work = WORK_MAX;
    m->tree = (struct value){VALUE_NONE, 0, {NULL, 0}};
    if (words->count > m->root_room) {
        struct thing *more = realloc(m->root_words, words->count * sizeof *more);
        if (!more) return false;
        m->root_words = more;
        m->root_room = words->count;
    }
    struct slice packed = words->data >= 0 ? values[words->data] : SLICE("");
    if (words->data < 0 || !packed.at || !value_take(&packed, &m->tree)) m->tree.kind = VALUE_NONE;
    m->root = (struct overlay){.base = {m->tree, NULL}};
    m->top = (struct thing){m->tree, &m->root};
    if (m->tree.kind == VALUE_NONE) m->top.v = (struct value){VALUE_MAP, 0, {"", 0}};
    return true;
}

static struct thing column_thing(const struct machine *m, int32_t column) {
    struct thing t = {{VALUE_NONE, 0, {NULL, 0}}, NULL};
    if (column >= 0 && m->columns[column].at) t.v = value_of_text(m->columns[column]);
    return t;
}

struct thing machine_column(const struct machine *m, struct slice name) {
    return column_thing(m, vocabulary_column(m->words, name));
}

/* Looks up all names that the template uses in one pass over the tree; columns stand in for what is not
 * there. */
static void look_up_words(struct machine *m) {
    struct slice rest = m->tree.bytes, key;
    struct value v;
    uint32_t word;
    m->looked = true;
    for (uint32_t i = 0; i < m->words->count; i++)
        m->root_words[i] = column_thing(m, m->words->words[i].column);
    if (m->tree.kind != VALUE_MAP) {
        for (uint32_t i = 0; i < m->words->count && m->tree.kind != VALUE_NONE; i++)
            m->root_words[i] = thing_member(m, &m->top, m->words->words[i].text, &m->work);
        return;
    }
    for (; value_take_member(&rest, &key, &v); m->work--)
        if ((word = vocabulary_find(m->words, key)) != UINT32_MAX)
            m->root_words[word] = (struct thing){v, NULL};
}

const struct thing *machine_root_word(struct machine *m, uint32_t word) {
    if (!m->looked) look_up_words(m);
    return &m->root_words[word];
}

const struct thing *machine_root(const struct machine *m) {
    return &m->top;
}

/* --- Values --- */

int machine_complain(const struct machine *m, const struct path *p, const char *what) {
    return place_fail(p->place, m->err, "{{%.*s}}: %s", SLICE_ARG(p->text), what);
}

static int missing(const struct machine *m, const struct path *p, uint32_t part) {
    if (p->count <= 1) return machine_complain(m, p, "this recipient has no value for it");
    return place_fail(p->place, m->err, "{{%.*s}}: this recipient has no value for it ('%.*s' is missing)",
                      SLICE_ARG(p->text), SLICE_ARG(p->parts[part]));
}

struct frame *machine_top_frame(struct machine *m) {
    return &m->frames[m->frame_count - 1];
}

/* The frame whose @index and the like are meant, or NULL. *beyond: there are not so many loops around. */
static const struct frame *data_frame(struct machine *m, unsigned up, bool *beyond) {
    int32_t at = machine_top_frame(m)->data;
    for (; up && at >= 0; up--)
        at = m->frames[at].data_parent;
    *beyond = up > 0;
    return at >= 0 && m->frames[at].looped ? &m->frames[at] : NULL;
}

static struct thing boolean(bool yes) {
    return (struct thing){{yes ? VALUE_TRUE : VALUE_FALSE, 0, {NULL, 0}}, NULL};
}

static const struct frame *frame_around(struct machine *m, unsigned up) {
    int32_t at = m->frame_count - 1;
    while (up-- && at >= 0)
        at = m->frames[at].wrap;
    return at >= 0 ? &m->frames[at] : NULL;
}

/* Where the path begins: VALUE_NONE when there is no such thing. */
static struct thing base_of(struct machine *m, const struct path *p, bool *beyond) {
    struct thing none = {{VALUE_NONE, 0, {NULL, 0}}, NULL};
    const struct frame *f;
    int32_t at = m->frame_count - 1;
    switch (p->base) {
    case PATH_CONTEXT:
        for (unsigned up = p->up; up && at >= 0; up--)
            at = m->frames[at].outer;
        if (at < 0) return none;
        if (p->soft && p->up == 0 && m->frames[at].context.v.kind <= VALUE_NULL)
            return (struct thing){{VALUE_MAP, 0, {"", 0}}, NULL};
        return m->frames[at].context;
    case PATH_ROOT: data_frame(m, p->up, beyond); return *beyond ? none : m->top;
    case PATH_PARAM:
    case PATH_PARAM_KEY:
        f = frame_around(m, p->up);
        return !f ? none : p->base == PATH_PARAM ? f->context : f->key;
    case PATH_BLOCK: data_frame(m, p->up, beyond); return m->block >= 0 && !*beyond ? boolean(true) : none;
    default: break;
    }
    f = data_frame(m, p->up, beyond);
    if (!f || p->base == PATH_OTHER) return none;
    if (p->base == PATH_FIRST) return boolean(f->first);
    if (p->base == PATH_LAST) return boolean(f->last);
    if (p->base == PATH_KEY) return f->key;
    return (struct thing){{VALUE_NUMBER, f->index, {NULL, 0}}, NULL};
}

static struct thing member(struct machine *m, const struct thing *of, const struct path *p, uint32_t part) {
    if (part == 0 && of->over == &m->root && p->word != UINT32_MAX) return *machine_root_word(m, p->word);
    return thing_member(m, of, p->parts[part], &m->work);
}

/* May a tag look in here for its last part? As JavaScript's `in` behind a test for truth. */
static bool searchable(const struct thing *t) {
    return t->v.kind >= VALUE_LIST;
}

static bool sees_falsy(const struct path *p) {
    return p->base >= PATH_ROOT && p->base <= PATH_OTHER; /* @root.a.b: a falsy a is what it all is */
}

static int path_value(struct machine *m, const struct path *p, struct thing *out) {
    bool strict = !m->script->lenient, beyond = false;
    *out = base_of(m, p, &beyond);
    if (beyond && strict) return machine_complain(m, p, "there are not so many loops around this");
    if (p->count == 0) {
        bool data = p->base > PATH_ROOT && p->base < PATH_PARAM;
        return data && strict && p->strict && out->v.kind == VALUE_NONE ? missing(m, p, 0) : 0;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        bool last = i + 1 == p->count && p->strict;
        if (!strict && (out->v.kind <= VALUE_NULL || (sees_falsy(p) && !thing_true(out)))) return 0;
        if (strict && (out->v.kind <= VALUE_NULL || (last && !searchable(out))))
            return missing(m, p, i && out->v.kind <= VALUE_NULL ? i - 1 : i);
        *out = member(m, out, p, i);
        if (strict && last && out->v.kind == VALUE_NONE) return missing(m, p, i);
    }
    return 0;
}

int machine_operand(struct machine *m, const struct operand *o, struct thing *out) {
    switch (o->kind) {
    case OPERAND_PATH: return path_value(m, o->path, out);
    case OPERAND_LITERAL: *out = (struct thing){*o->literal, NULL}; return 0;
    case OPERAND_TEMP: *out = m->temps[o->temp]; return 0;
    default: *out = (struct thing){{VALUE_NONE, 0, {NULL, 0}}, NULL}; return 0;
    }
}
