/* The machine that runs scripts: output, frames, steps. */
#include "machine_inner.h"

#include "codec.h"
#include "header.h"

#include <stdlib.h>

struct machine *machine_new(void) {
    return calloc(1, sizeof(struct machine));
}

void machine_free(struct machine *m) {
    if (!m) return;
    free(m->root_words);
    free(m);
}

/* --- Output --- */

/* The indent of each partial under way in front of the line's first character. */
static void put_indents(struct machine *m) {
    for (uint32_t i = 0; i < m->indent_count; i++) {
        if (m->indents[i].due) sink_text(m->sink, m->indents[i].text);
        m->indents[i].due = false;
    }
}

static void put_indented(struct machine *m, struct slice text, bool escape) {
    while (text.len) {
        ptrdiff_t end = slice_find(text, '\n');
        struct slice line = slice_make(text.at, end < 0 ? text.len : (size_t)end + 1);
        put_indents(m);
        m->work -= m->indent_count;
        if (escape)
            sink_escaped(m->sink, line);
        else
            sink_text(m->sink, line);
        for (uint32_t i = 0; i < m->indent_count && end >= 0; i++)
            m->indents[i].due = true;
        text = slice_skip(text, line.len);
    }
}

static void put(struct machine *m, struct slice text, bool escape) {
    if (m->indent_count)
        put_indented(m, text, escape);
    else if (escape)
        sink_escaped(m->sink, text);
    else
        sink_text(m->sink, text);
}

static void put_fixed(struct machine *m, const struct fixed_text *text) {
    if (m->indent_count)
        put_indented(m, text->text, false);
    else
        sink_fixed(m->sink, text);
}

static bool ascii_without_nul(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] == 0 || (unsigned char)s.at[i] >= 0x80) return false;
    return true;
}

static const char *text_fault(const struct machine *m, struct slice text) {
    if (m->sink->header)
        return header_value_safe(text)
                   ? NULL
                   : "a line break, a NUL or bytes that are not UTF-8 can't stand in a header";
    if (ascii_without_nul(text)) return NULL;
    if (memchr(text.at, 0, text.len)) return "the value holds a NUL byte";
    return codec_utf8_valid(text) ? NULL : "the value is not UTF-8";
}

static const char *print(struct machine *m, const struct thing *t, bool escape, unsigned depth);

/* A list is its members with commas between. */
static const char *print_list(struct machine *m, const struct value *list, bool escape, unsigned depth) {
    struct slice rest = list->bytes;
    struct thing member = {.over = NULL};
    bool more = false;
    if (depth == VALUE_DEPTH_MAX) return "the value is nested too deeply";
    for (; m->work > 0 && !m->sink->out->failed && value_take(&rest, &member.v); more = true, m->work--) {
        if (more) put(m, SLICE(","), false);
        const char *fault = print(m, &member, escape, depth + 1);
        if (fault) return fault;
    }
    return NULL;
}

/* NULL, or what is wrong with the value. */
static const char *print(struct machine *m, const struct thing *t, bool escape, unsigned depth) {
    char room[24];
    if (t->v.kind == VALUE_LIST) return print_list(m, &t->v, escape, depth);
    struct slice text = thing_text(t, room);
    if (text.len == 0) return NULL;
    if (t->v.kind == VALUE_TEXT || t->v.kind == VALUE_NUMBER) {
        const char *fault = text_fault(m, text);
        if (fault) return fault;
    }
    put(m, text, escape);
    return NULL;
}

static int print_step(struct machine *m, const struct step *s) {
    struct thing t;
    if (machine_operand(m, &s->a, &t)) return -1;
    const char *fault = print(m, &t, s->escape, 0);
    if (!fault) return 0;
    if (s->a.kind == OPERAND_PATH) return machine_complain(m, s->a.path, fault);
    return err_set(m->err, ERR_INPUT, "{{lookup}}: %s", fault);
}

/* --- Frames --- */

static int push(struct machine *m, const struct operand *blame, enum frame_kind kind, struct thing context,
                struct frame **out) {
    if (m->frame_count == FRAMES_MAX) {
        if (blame && blame->kind == OPERAND_PATH)
            place_fail(blame->path->place, m->err, "more than %d blocks in each other", FRAMES_MAX);
        else
            err_set(m->err, ERR_INPUT, "more than %d blocks in each other", FRAMES_MAX);
        return -1;
    }
    int32_t below = m->frame_count - 1;
    struct frame *f = *out = &m->frames[m->frame_count++];
    f->kind = (uint8_t)kind;
    f->looped = false;
    f->key = (struct thing){{VALUE_NONE, 0, {NULL, 0}}, NULL};
    f->context = context;
    f->wrap = f->outer = below;
    f->data = below >= 0 ? m->frames[below].data : -1;
    if (below >= 0 && thing_same(&context, &m->frames[below].context)) f->outer = m->frames[below].outer;
    return 0;
}

/* Is there an argument laid over the map with that key? */
static const struct thing *laid_over(const struct overlay *o, struct slice key) {
    for (uint32_t i = 0; o && o->settings && i < o->count; i++)
        if (slice_eq(o->settings[i].key, key)) return &o->values[i];
    return NULL;
}

/* The packed thing under all that is laid over it. */
static const struct thing *bottom(const struct thing *t) {
    while (t->over)
        t = &t->over->base;
    return t;
}

/* Does this argument stand for a member that is in the map already? */
static bool replaces(struct machine *m, const struct overlay *o, uint32_t i) {
    struct thing there = thing_member(m, &o->base, o->settings[i].key, &m->work);
    return there.v.kind != VALUE_NONE;
}

/* The next member into the loop's context. False when there is none. */
static bool next_member(struct machine *m, struct frame *f) {
    struct slice key;
    struct thing member = {.over = NULL};
    const struct overlay *o = f->members.over && f->members.over->settings ? f->members.over : NULL;
    m->work--;
    if (bottom(&f->members)->v.kind == VALUE_LIST && !o) {
        if (!value_take(&f->rest, &member.v)) return false;
        f->key = (struct thing){{VALUE_NUMBER, f->index, {NULL, 0}}, NULL};
    } else if (value_take_member(&f->rest, &key, &member.v)) {
        const struct thing *over = laid_over(o, key);
        if (over) member = *over;
        f->key = (struct thing){value_of_text(key), NULL};
    } else {
        while (o && f->left && replaces(m, o, f->left - 1))
            f->left--;
        if (!o || f->left == 0) return false;
        member = o->values[--f->left];
        f->key = (struct thing){value_of_text(o->settings[f->left].key), NULL};
    }
    f->context = member;
    f->first = f->index == 0;
    f->last = f->index + 1 == f->count;
    return true;
}

static int begin_loop(struct machine *m, const struct step *s, const struct thing *t, uint32_t *at) {
    struct frame *f;
    int32_t below = m->frame_count - 1;
    const struct overlay *o = t->over && t->over->settings ? t->over : NULL;
    if (push(m, &s->a, FRAME_LOOP, *t, &f)) return -1;
    f->data_parent = f->data;
    f->data = m->frame_count - 1;
    f->looped = true;
    f->members = *t;
    const struct value *under = &bottom(t)->v;
    bool packed = under->kind == VALUE_MAP || (under->kind == VALUE_LIST && !o);
    f->rest = packed ? under->bytes : SLICE("");
    f->left = o ? o->count : 0;
    f->count = packed ? under->count : 0;
    f->index = 0;
    for (uint32_t i = 0; i < f->left; i++)
        f->count += !replaces(m, o, i);
    if (!next_member(m, f)) {
        m->frame_count--;
        *at = s->target;
        return 0;
    }
    f->outer = thing_same(&f->context, &m->frames[below].context) ? m->frames[below].outer : below;
    return 0;
}

/* The end of a block that is a frame: its next round, or on. */
static void end_block(struct machine *m, const struct step *s, uint32_t *at) {
    struct frame *f = machine_top_frame(m);
    if (f->kind == FRAME_LOOP) {
        f->index++;
        if (next_member(m, f)) {
            const struct frame *below = &m->frames[f->wrap];
            f->outer = thing_same(&f->context, &below->context) ? below->outer : f->wrap;
            *at = s->target;
            return;
        }
    }
    m->frame_count--;
}

static bool loops(const struct thing *t) {
    return t->v.kind == VALUE_LIST || t->v.kind == VALUE_MAP;
}

static int begin_block(struct machine *m, const struct step *s, uint32_t *at) {
    struct thing t;
    struct frame *f;
    if (machine_operand(m, &s->a, &t)) return -1;
    switch (s->kind) {
    case STEP_EACH:
        if (loops(&t)) return begin_loop(m, s, &t, at);
        break;
    case STEP_WITH:
        if (!thing_empty(&t)) return push(m, &s->a, FRAME_PLAIN, t, &f);
        break;
    default:
        if (t.v.kind == VALUE_TRUE) return push(m, &s->a, FRAME_PLAIN, machine_top_frame(m)->context, &f);
        if (t.v.kind == VALUE_LIST && t.v.count) return begin_loop(m, s, &t, at);
        if (t.v.kind > VALUE_TRUE && t.v.kind != VALUE_LIST) return push(m, &s->a, FRAME_PLAIN, t, &f);
        break;
    }
    *at = s->target;
    return 0;
}

static int test(struct machine *m, const struct step *s, uint32_t *at) {
    struct thing t, zero;
    if (machine_operand(m, &s->a, &t) || machine_operand(m, &s->b, &zero)) return -1;
    bool yes = !thing_empty(&t) && (thing_true(&t) || thing_true(&zero));
    if (yes != (s->kind == STEP_IF)) *at = s->target;
    return 0;
}

static int look_up(struct machine *m, const struct step *s) {
    struct thing of, key;
    char room[24];
    if (machine_operand(m, &s->a, &of) || machine_operand(m, &s->b, &key)) return -1;
    if (!thing_true(&of)) {
        m->temps[s->temp] = of;
        return 0;
    }
    struct slice name = key.v.kind == VALUE_NONE   ? SLICE("undefined")
                        : key.v.kind == VALUE_NULL ? SLICE("null")
                                                   : thing_text(&key, room);
    m->temps[s->temp] = thing_member(m, &of, name, &m->work);
    return 0;
}

/* --- Partials --- */

static int bind(struct machine *m, uint32_t name, uint32_t start, int32_t wrap, bool stored) {
    if (m->binding_count == BINDINGS_MAX)
        return err_set(m->err, ERR_INPUT, "more than %d inline partials at a time", BINDINGS_MAX);
    m->bindings[m->binding_count] = (struct binding){name, start, wrap, m->bound[name], stored};
    m->bound[name] = (int32_t)m->binding_count++;
    return 0;
}

static void unbind(struct machine *m, uint32_t count) {
    while (count--) {
        const struct binding *b = &m->bindings[--m->binding_count];
        m->bound[b->name] = b->hidden;
    }
}

/* What a call leads to. */
struct target {
    uint32_t start;
    int32_t wrap;
    int32_t block; /* whose @partial-block is in force inside; FRAMES_MAX: the call's own */
    bool stored;
};

static int find_target(struct machine *m, const struct call *call, struct target *t) {
    if (call->name == UINT32_MAX && m->block >= 0) {
        const struct frame *f = &m->frames[m->block];
        *t = (struct target){f->call->block, f->caller, f->block, false};
    } else if (call->name < PARTIALS_MAX && m->bound[call->name] >= 0) {
        const struct binding *b = &m->bindings[m->bound[call->name]];
        *t = (struct target){b->start, b->wrap, call->has_block ? FRAMES_MAX : m->block, b->stored};
    } else if (call->has_block) {
        *t = (struct target){call->block, m->frame_count - 1, m->block, false};
    } else {
        return place_fail(call->place, m->err, "the partial '%.*s' is not defined here",
                          SLICE_ARG(call->text));
    }
    return 0;
}

/* The arguments' values, as the caller sees them. */
static int take_settings(struct machine *m, const struct call *call) {
    if (m->value_count + call->setting_count > SETTINGS_MAX)
        return place_fail(call->place, m->err, "partials with more than %d arguments at a time",
                          SETTINGS_MAX);
    struct thing *values = &m->values[m->value_count];
    for (uint32_t i = 0; i < call->setting_count; i++) {
        if (machine_operand(m, &call->settings[i].value, &values[i])) return -1;
        if (values[i].v.kind == VALUE_NONE) values[i].v.kind = VALUE_NULL; /* given, so it is there */
    }
    m->value_count += call->setting_count;
    return 0;
}

static int enter(struct machine *m, const struct call *call, const struct target *t, struct thing context,
                 uint32_t *at) {
    struct frame *f;
    int32_t caller = m->frame_count - 1;
    if (m->calls == CALLS_MAX)
        return place_fail(call->place, m->err, "more than %d partials in each other", CALLS_MAX);
    uint32_t values = m->value_count;
    if (take_settings(m, call)) return -1;
    if (push(m, NULL, FRAME_CALL, context, &f)) {
        err_wrap(m->err, "%s, line %u", call->place.part, call->place.line);
        return -1;
    }
    f->call = call;
    f->caller = caller;
    f->back = *at;
    f->block = m->block;
    f->values = values;
    f->bindings = m->binding_count;
    f->indented = call->indent.len > 0;
    if (call->setting_count) {
        f->over = (struct overlay){call->settings, &m->values[values], call->setting_count, context};
        f->context = (struct thing){{VALUE_MAP, 0, {"", 0}}, &f->over};
    }
    f->wrap = f->outer = t->wrap;
    if (t->wrap >= 0 && thing_same(&f->context, &m->frames[t->wrap].context))
        f->outer = m->frames[t->wrap].outer;
    if (t->block == FRAMES_MAX || call->name == UINT32_MAX || call->has_block) {
        const struct frame *d = f->data >= 0 ? &m->frames[f->data] : NULL;
        f->looped = d && d->looped;
        if (d) f->first = d->first, f->last = d->last, f->index = d->index, f->key = d->key;
        f->data_parent = f->data;
        f->data = m->frame_count - 1;
    }
    m->block = t->block == FRAMES_MAX ? m->frame_count - 1 : t->block;
    if (f->indented) m->indents[m->indent_count++] = (struct indent){call->indent, true};
    m->calls++;
    for (uint32_t i = 0; t->stored && i < call->inline_count; i++)
        if (bind(m, call->inlines[i].name, call->inlines[i].start, caller, false)) return -1;
    *at = t->start;
    return 0;
}

static int call_partial(struct machine *m, const struct step *s, uint32_t *at) {
    struct thing context = machine_top_frame(m)->context;
    struct target t = {.start = 0};
    if (s->call->context.kind != OPERAND_NONE && machine_operand(m, &s->call->context, &context)) return -1;
    if (find_target(m, s->call, &t)) return -1;
    return enter(m, s->call, &t, context, at);
}

static void leave_partial(struct machine *m, uint32_t *at) {
    struct frame *f = machine_top_frame(m);
    unbind(m, m->binding_count - f->bindings);
    m->value_count = f->values;
    m->block = f->block;
    m->indent_count -= f->indented;
    m->calls--;
    *at = f->back;
    m->frame_count--;
}

/* --- Steps --- */

/* One step that is not output. *at: the next one. */
static int step(struct machine *m, const struct step *s, uint32_t *at) {
    struct thing dropped;
    switch ((enum step_kind)s->kind) {
    case STEP_LOOKUP: return look_up(m, s);
    case STEP_EVAL: return machine_operand(m, &s->a, &dropped);
    case STEP_IF:
    case STEP_UNLESS: return test(m, s, at);
    case STEP_JUMP: *at = s->target; return 0;
    case STEP_WITH:
    case STEP_EACH:
    case STEP_SECTION: return begin_block(m, s, at);
    case STEP_NEXT: end_block(m, s, at); return 0;
    case STEP_BIND:
        return bind(m, s->name, s->target, s->inner ? m->frame_count - 1 : machine_top_frame(m)->wrap, false);
    case STEP_UNBIND: unbind(m, s->target); return 0;
    case STEP_CALL: return call_partial(m, s, at);
    default: return 0;
    }
}

static int begin(struct machine *m, const struct script *s, struct sink *sink, struct err *err) {
    struct frame *f;
    m->script = s;
    m->sink = sink;
    m->err = err;
    m->frame_count = 0;
    m->block = -1;
    m->calls = m->value_count = m->binding_count = m->indent_count = 0;
    for (uint32_t i = 0; i < s->partials; i++)
        m->bound[i] = -1;
    push(m, NULL, FRAME_MAIN, m->top, &f);
    f->wrap = f->outer = -1;
    for (uint32_t i = 0; i < s->stored; i++)
        if (bind(m, i, s->stored_at[i], -1, true)) return -1;
    return 0;
}

int machine_run(struct machine *m, const struct script *s, struct sink *sink, struct err *err) {
    if (begin(m, s, sink, err)) return -1;
    for (uint32_t at = 0; !sink->out->failed;) {
        const struct step *now = &s->steps[at++];
        if (--m->work < 0)
            return err_set(err, ERR_INPUT,
                           "the template does more than %d steps for this recipient: loops in loops?",
                           WORK_MAX);
        int rc = 0;
        if (now->kind == STEP_TEXT)
            put_fixed(m, now->text);
        else if (now->kind == STEP_PRINT)
            rc = print_step(m, now);
        else if (now->kind != STEP_RETURN)
            rc = step(m, now, &at);
        else if (m->frame_count == 1)
            return 0;
        else
            leave_partial(m, &at);
        if (rc) return -1;
    }
    return 0;
}
