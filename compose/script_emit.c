/* From nodes to steps. What differs from Handlebars on purpose is said in docs/templates.md. */
#include "script_emitter.h"

#include <stdio.h>

int emit_no_memory(const struct emitter *e) {
    return err_set(e->err, ERR_INPUT, "%s: the template does not fit into memory", e->options->part);
}

uint32_t emit_add(struct emitter *e, struct step step) {
    struct script *s = e->out;
    if (s->count == e->room) {
        uint32_t room = e->room ? e->room * 2 : 16;
        struct step *more = arena_alloc(e->arena, room * sizeof *more);
        if (!more) {
            emit_no_memory(e);
            return UINT32_MAX;
        }
        if (s->count) memcpy(more, s->steps, s->count * sizeof *more);
        s->steps = more;
        e->room = room;
    }
    s->steps[s->count] = step;
    return s->count++;
}

static int add_plain(struct emitter *e, enum step_kind kind, uint32_t target) {
    return emit_add(e, (struct step){.kind = (uint8_t)kind, .target = target}) == UINT32_MAX ? -1 : 0;
}

static void aim(struct emitter *e, uint32_t step) {
    e->out->steps[step].target = e->out->count;
}

/* --- Names of partials --- */

static uint32_t find_name(const struct emitter *e, struct slice name) {
    for (uint32_t i = 0; i < e->name_count; i++)
        if (slice_eq(e->names[i], name)) return i;
    return UINT32_MAX;
}

static int add_name(struct emitter *e, struct slice name) {
    if (find_name(e, name) != UINT32_MAX) return 0;
    if (e->name_count == PARTIALS_MAX)
        return err_set(e->err, ERR_INPUT, "%s: more than %d partials", e->options->part, PARTIALS_MAX);
    e->names[e->name_count++] = name;
    return 0;
}

static int inline_name(const struct emitter *e, const struct node *n, struct slice *name) {
    const struct argument *a = n->params;
    if (!slice_eq(n->head->text, SLICE("inline")))
        return place_fail(n->place, e->err, "no decorator is called '%.*s' (there is: inline)",
                          SLICE_ARG(n->head->text));
    if (!a || a->next || n->hash || (a->value->kind != EXPR_TEXT && a->value->kind != EXPR_NUMBER))
        return place_fail(n->place, e->err,
                          "an inline partial has one name in quotes: {{#*inline \"name\"}}");
    *name = a->value->text;
    return 0;
}

/* Notes the names of all inline partials, so that a call of what is nowhere can be refused. */
static int note_names(struct emitter *e, const struct body *body) {
    struct slice name = {NULL, 0};
    for (const struct node *n = body ? body->first : NULL; n; n = n->next) {
        if (n->kind == NODE_INLINE && (inline_name(e, n, &name) || add_name(e, name))) return -1;
        if (note_names(e, n->program) || note_names(e, n->inverse)) return -1;
    }
    return 0;
}

/* --- Nodes --- */

static int emit_body(struct emitter *e, struct site site, const struct body *body);

static int emit_text(struct emitter *e, struct slice text) {
    struct fixed_text *t = arena_zalloc(e->arena, sizeof *t);
    struct buf encoded;
    if (!t || !arena_copy(e->arena, text, &t->text)) return emit_no_memory(e);
    if (e->options->encode) {
        buf_init(&encoded, (size_t)SCRIPT_TEXT_MAX * 4);
        qp_encode_run(&encoded, text, &t->qp);
        bool kept = !encoded.failed && arena_copy(e->arena, buf_slice(&encoded), &t->qp.bytes);
        buf_done(&encoded);
        if (!kept) return emit_no_memory(e);
    }
    return emit_add(e, (struct step){.kind = STEP_TEXT, .text = t}) == UINT32_MAX ? -1 : 0;
}

/* Neighbours become one text, also over comments and definitions between them. */
static int emit_texts(struct emitter *e, const struct node **n) {
    struct buf text;
    const struct node *at = *n, *last = at;
    buf_init(&text, SCRIPT_TEXT_MAX);
    for (; at && (at->kind == NODE_TEXT || at->kind == NODE_COMMENT || at->kind == NODE_INLINE);
         at = at->next) {
        if (at->kind == NODE_TEXT) buf_put_slice(&text, at->value);
        last = at;
    }
    *n = last;
    int rc = text.failed ? emit_no_memory(e) : text.len ? emit_text(e, buf_slice(&text)) : 0;
    buf_done(&text);
    return rc;
}

static int emit_print(struct emitter *e, const struct site *site, const struct node *n) {
    struct step step = {.kind = STEP_PRINT, .escape = e->options->escape && !n->raw};
    bool call = (n->params || n->hash) && !emit_is_param(e, site, n->head);
    e->temps = 0;
    if (call || emit_helper_of(e, site, n->head)) {
        if (emit_call(e, site, n->head, n->params, n->hash, &step.a)) return -1;
        if (step.a.kind == OPERAND_NONE) return 0;
    } else if (emit_head(e, site, n->head, &step.a)) {
        return -1;
    }
    return emit_add(e, step) == UINT32_MAX ? -1 : 0;
}

static struct scope scope_of(const struct site *site, const struct body *body, bool frame) {
    return (struct scope){.outer = site->scope,
                          .params = body ? body->params : NULL,
                          .param_count = body ? body->param_count : 0,
                          .frame = frame};
}

/* The block's opening step: its argument and, of if, includeZero. */
static int emit_open(struct emitter *e, const struct site *site, const struct node *n, enum helper helper,
                     uint32_t *open) {
    static const enum step_kind kinds[] = {[HELPER_NONE] = STEP_SECTION,
                                           [HELPER_IF] = STEP_IF,
                                           [HELPER_UNLESS] = STEP_UNLESS,
                                           [HELPER_EACH] = STEP_EACH,
                                           [HELPER_WITH] = STEP_WITH};
    struct step step = {.kind = (uint8_t)kinds[helper]};
    e->temps = 0;
    if (helper == HELPER_NONE) {
        if (emit_head(e, site, n->head, &step.a)) return -1;
    } else {
        if (!n->params || n->params->next)
            return place_fail(n->place, e->err, "'%.*s' takes one argument", SLICE_ARG(n->head->text));
        if (emit_operand(e, site, n->params->value, &step.a) ||
            emit_hash(e, site, n->hash, SLICE("includeZero"),
                      helper == HELPER_IF || helper == HELPER_UNLESS ? &step.b : NULL))
            return -1;
    }
    *open = emit_add(e, step);
    return *open == UINT32_MAX ? -1 : 0;
}

static int emit_block(struct emitter *e, const struct site *site, const struct node *n) {
    enum helper helper = emit_helper_of(e, site, n->head);
    bool test = helper == HELPER_IF || helper == HELPER_UNLESS;
    uint32_t open = 0, leave = 0;
    if (helper == HELPER_NONE && (n->params || n->hash) && !emit_is_param(e, site, n->head))
        return emit_no_helper(e, n->head);
    if (helper >= HELPER_LOOKUP)
        return place_fail(n->place, e->err, "'%.*s' is no block: {{%.*s ...}}", SLICE_ARG(n->head->text),
                          SLICE_ARG(n->head->text));
    if (emit_open(e, site, n, helper, &open)) return -1;
    struct scope inside = scope_of(site, n->program, !test), other = scope_of(site, n->inverse, false);
    struct site in = {&inside, test && site->root, test, test};
    struct site out = {&other, site->root, site->soft || helper != HELPER_NONE, true};
    if (test) in.soft = true;
    if (emit_body(e, in, n->program)) return -1;
    if (!test && add_plain(e, STEP_NEXT, open + 1)) return -1;
    if (n->inverse) {
        leave = emit_add(e, (struct step){.kind = STEP_JUMP});
        if (leave == UINT32_MAX) return -1;
    }
    aim(e, open);
    if (!n->inverse) return 0;
    if (emit_body(e, out, n->inverse)) return -1;
    aim(e, leave);
    return 0;
}

/* A body that is called, jumped over where it stands. *start: its first step. */
static int emit_routine(struct emitter *e, struct site site, const struct body *body, uint32_t *start) {
    uint32_t over = emit_add(e, (struct step){.kind = STEP_JUMP});
    if (over == UINT32_MAX) return -1;
    *start = e->out->count;
    if (emit_body(e, site, body) || add_plain(e, STEP_RETURN, 0)) return -1;
    aim(e, over);
    return 0;
}

/* Defines the inline partials that stand in this body; *count: how many. */
static int emit_inlines(struct emitter *e, const struct site *site, const struct body *body,
                        uint32_t *count) {
    *count = 0;
    for (const struct node *n = body->first; n; n = n->next) {
        struct slice name = {NULL, 0};
        uint32_t start = 0;
        if (n->kind != NODE_INLINE) continue;
        struct scope scope = {.outer = site->scope, .frame = true, .wall = true};
        if (inline_name(e, n, &name) ||
            emit_routine(e, (struct site){&scope, false, false, false}, n->program, &start))
            return -1;
        struct step bind = {
            .kind = STEP_BIND, .inner = site->inner, .target = start, .name = find_name(e, name)};
        if (emit_add(e, bind) == UINT32_MAX) return -1;
        ++*count;
    }
    return 0;
}

static int emit_settings(struct emitter *e, const struct site *site, const struct node *n,
                         struct call *call) {
    struct setting *settings = arena_alloc(e->arena, (emit_count(n->hash) + 1) * sizeof *settings);
    if (!settings) return emit_no_memory(e);
    for (const struct argument *a = n->hash; a; a = a->next) {
        uint32_t at = 0;
        while (at < call->setting_count && !slice_eq(settings[at].key, a->key))
            at++;
        if (at == 256) return place_fail(n->place, e->err, "more than 256 arguments");
        struct operand value;
        if (emit_operand(e, site, a->value, &value)) return -1;
        if (a->value->kind == EXPR_UNDEFINED) continue; /* as if it were not written */
        if (at < call->setting_count) continue;         /* of two the first counts */
        settings[at].value = value;
        if (!arena_copy(e->arena, a->key, &settings[at].key)) return emit_no_memory(e);
        call->setting_count++;
    }
    call->settings = settings;
    return 0;
}

/* The block of {{#> name}}: what stands in it, and the inline partials that it defines for the called one. */
static int emit_call_block(struct emitter *e, const struct site *site, const struct node *n,
                           struct call *call) {
    struct scope scope = {.outer = site->scope, .frame = true};
    uint32_t first = e->out->count + 1, count = 0, at = 0;
    struct site in = {&scope, false, false, false};
    if (emit_routine(e, in, n->program, &call->block)) return -1;
    call->has_block = true;
    for (const struct node *m = n->program->first; m; m = m->next)
        count += m->kind == NODE_INLINE;
    struct inline_partial *list = arena_alloc(e->arena, (count + 1) * sizeof *list);
    if (!list) return emit_no_memory(e);
    for (uint32_t i = first; i < e->out->count && at < count; i++) { /* they are bound first of all */
        const struct step *s = &e->out->steps[i];
        if (s->kind == STEP_JUMP) i = s->target - 1;
        if (s->kind == STEP_BIND) list[at++] = (struct inline_partial){s->name, s->target};
    }
    call->inlines = list;
    call->inline_count = at;
    return 0;
}

static int emit_partial(struct emitter *e, const struct site *site, const struct node *n) {
    struct call *call = arena_zalloc(e->arena, sizeof *call);
    const struct expr *head = n->head;
    if (!call) return emit_no_memory(e);
    call->place = n->place;
    if (head->kind == EXPR_CALL)
        return place_fail(head->place, e->err, "a partial's name can't be computed here");
    bool block = head->kind == EXPR_PATH && head->data;
    if (block && !slice_eq(head->text, SLICE("@partial-block")))
        return place_fail(head->place, e->err, "no partial is called '%.*s'", SLICE_ARG(head->text));
    call->name = block ? UINT32_MAX : find_name(e, head->text);
    if (!block && call->name == UINT32_MAX && n->kind == NODE_PARTIAL)
        return place_fail(head->place, e->err, "no partial is called '%.*s'", SLICE_ARG(head->text));
    if (n->params && n->params->next)
        return place_fail(n->place, e->err, "a partial takes one context at most");
    if (!arena_copy(e->arena, head->text, &call->text) || !arena_copy(e->arena, n->indent, &call->indent))
        return emit_no_memory(e);
    if (n->kind == NODE_PARTIAL_BLOCK && emit_call_block(e, site, n, call)) return -1;
    if (!block && call->name == UINT32_MAX) call->name = PARTIALS_MAX; /* never bound: the block it is */
    e->temps = 0;
    if (n->params && emit_operand(e, site, n->params->value, &call->context)) return -1;
    if (emit_settings(e, site, n, call)) return -1;
    return emit_add(e, (struct step){.kind = STEP_CALL, .call = call}) == UINT32_MAX ? -1 : 0;
}

static int emit_node(struct emitter *e, const struct site *site, const struct node **n) {
    switch ((*n)->kind) {
    case NODE_TEXT:
    case NODE_COMMENT:
    case NODE_INLINE: return emit_texts(e, n);
    case NODE_PRINT: return emit_print(e, site, *n);
    case NODE_BLOCK: return emit_block(e, site, *n);
    case NODE_PARTIAL:
    case NODE_PARTIAL_BLOCK: return emit_partial(e, site, *n);
    }
    return 0;
}

static int emit_body(struct emitter *e, struct site site, const struct body *body) {
    uint32_t inlines;
    if (!body) return 0;
    if (emit_inlines(e, &site, body, &inlines)) return -1;
    for (const struct node *n = body->first; n; n = n->next)
        if (emit_node(e, &site, &n)) return -1;
    return inlines ? add_plain(e, STEP_UNBIND, inlines) : 0;
}

/* --- The whole --- */

static int read_all(struct emitter *e, struct body **main_body, struct body **stored) {
    const struct script_options *o = e->options;
    for (size_t i = 0; i < o->partial_count; i++) {
        char part[96];
        if (add_name(e, o->partials[i].name)) return -1;
        int n = snprintf(part, sizeof part, "partials, %.*s", SLICE_ARG(o->partials[i].name));
        const char *kept =
            arena_string(e->arena, slice_make(part, (size_t)n < sizeof part ? (size_t)n : sizeof part - 1));
        if (!kept) return emit_no_memory(e);
        if (script_read(o->partials[i].text, kept, e->words, e->nodes, &stored[i], e->err)) return -1;
        script_trim(stored[i]);
    }
    if (script_read(o->text, o->part, e->words, e->nodes, main_body, e->err)) return -1;
    script_trim(*main_body);
    for (size_t i = 0; i < o->partial_count; i++)
        if (note_names(e, stored[i])) return -1;
    return note_names(e, *main_body);
}

static bool calls_partials(const struct body *body) {
    for (const struct node *n = body ? body->first : NULL; n; n = n->next)
        if (n->kind == NODE_PARTIAL || n->kind == NODE_PARTIAL_BLOCK || calls_partials(n->program) ||
            calls_partials(n->inverse))
            return true;
    return false;
}

static int emit_all(struct emitter *e) {
    const struct script_options *o = e->options;
    struct body *main_body = NULL, **stored = arena_zalloc(e->nodes, (o->partial_count + 1) * sizeof *stored);
    uint32_t *starts = arena_zalloc(e->arena, (o->partial_count + 1) * sizeof *starts);
    if (!stored || !starts) return emit_no_memory(e);
    if (o->partial_count > PARTIALS_MAX)
        return err_set(e->err, ERR_INPUT, "more than %d partials", PARTIALS_MAX);
    if (read_all(e, &main_body, stored)) return -1;
    if (emit_body(e, (struct site){NULL, true, false, false}, main_body) || add_plain(e, STEP_RETURN, 0))
        return -1;
    struct scope scope = {.frame = true, .wall = true};
    bool wanted = calls_partials(main_body);
    for (size_t i = 0; i < o->partial_count && wanted; i++) {
        starts[i] = e->out->count;
        if (emit_body(e, (struct site){&scope, false, false, false}, stored[i]) ||
            add_plain(e, STEP_RETURN, 0))
            return -1;
    }
    e->out->stored = wanted ? (uint32_t)o->partial_count : 0;
    e->out->stored_at = starts;
    e->out->partials = e->name_count;
    return 0;
}

enum { NODES_MAX = 192 << 20 };

int script_compile(const struct script_options *options, struct vocabulary *words, struct script *out,
                   struct err *err) {
    struct arena nodes;
    *out = (struct script){.lenient = options->lenient};
    arena_init(&nodes, NODES_MAX);
    struct emitter e = {
        .options = options, .words = words, .arena = words->arena, .nodes = &nodes, .out = out, .err = err};
    int rc = emit_all(&e);
    arena_done(&nodes);
    return rc;
}

bool script_fixed(const struct script *s, struct arena *arena, struct slice *text) {
    struct buf joined;
    for (uint32_t i = 0; i + 1 < s->count; i++)
        if (s->steps[i].kind != STEP_TEXT) return false;
    buf_init(&joined, SCRIPT_TEXT_MAX);
    for (uint32_t i = 0; i + 1 < s->count; i++)
        buf_put_slice(&joined, s->steps[i].text->text);
    bool kept = !joined.failed && arena_copy(arena, buf_slice(&joined), text);
    if (!kept) *text = (struct slice){NULL, 0};
    buf_done(&joined);
    return true;
}
