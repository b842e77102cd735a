/* From nodes to steps. What differs from Handlebars on purpose is said in docs/templates.md. */
#include "script_node.h"

#include <stdio.h>

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

static int no_memory(const struct emitter *e) {
    return err_set(e->err, ERR_INPUT, "%s: the template does not fit into memory", e->options->part);
}

static uint32_t add(struct emitter *e, struct step step) {
    struct script *s = e->out;
    if (s->count == e->room) {
        uint32_t room = e->room ? e->room * 2 : 16;
        struct step *more = arena_alloc(e->arena, room * sizeof *more);
        if (!more) {
            no_memory(e);
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
    return add(e, (struct step){.kind = (uint8_t)kind, .target = target}) == UINT32_MAX ? -1 : 0;
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

/* --- Paths and other values --- */

static int unknown_column(const struct emitter *e, const struct expr *x, struct slice name) {
    char list[256];
    size_t n = 0;
    for (size_t i = 0; i < e->words->column_count; i++) {
        struct slice known = e->words->columns[i];
        if (n + known.len + 2 > sizeof list) break;
        if (n) list[n++] = ',', list[n++] = ' ';
        memcpy(list + n, known.at, known.len);
        n += known.len;
    }
    return place_fail(x->place, e->err, "no column is called '%.*s' (there are: %.*s)",
                      name.len > 64 ? 64 : (int)name.len, name.at, (int)n, list);
}

/* Finds a block parameter of that name; *up: so many blocks outwards. */
static const struct scope *find_param(const struct scope *scope, struct slice name, unsigned *up,
                                      size_t *which, bool *walled) {
    *up = 0;
    *walled = false;
    for (; scope; scope = scope->outer) {
        for (size_t i = 0; i < scope->param_count; i++)
            if (slice_eq(scope->params[i], name)) {
                *which = i;
                return scope;
            }
        *up += scope->frame;
        *walled |= scope->wall;
    }
    return NULL;
}

static bool is_param(const struct emitter *e, const struct site *site, const struct expr *x) {
    unsigned up = 0;
    size_t which = 0;
    bool walled = false;
    (void)e;
    return x->kind == EXPR_PATH && !x->data && !x->scoped && x->up == 0 && x->count &&
           find_param(site->scope, x->parts[0], &up, &which, &walled);
}

static int base_of_data(struct path *p, struct slice name) {
    static const struct {
        struct slice name;
        enum path_base base;
    } bases[] = {{{"root", 4}, PATH_ROOT},   {{"index", 5}, PATH_INDEX}, {{"key", 3}, PATH_KEY},
                 {{"first", 5}, PATH_FIRST}, {{"last", 4}, PATH_LAST},   {{"partial-block", 13}, PATH_BLOCK}};
    p->base = PATH_OTHER;
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++)
        if (slice_eq(name, bases[i].name)) p->base = (uint8_t)bases[i].base;
    return 0;
}

static int set_base(struct emitter *e, const struct site *site, const struct expr *x, struct path *p) {
    unsigned up = 0;
    size_t which = 0;
    bool walled = false;
    p->up = (uint16_t)x->up;
    p->base = PATH_CONTEXT;
    if (x->data) {
        if (x->count == 0) return place_fail(x->place, e->err, "a name is expected behind @");
        return base_of_data(p, x->parts[0]);
    }
    if (!is_param(e, site, x)) return 0;
    const struct scope *scope = find_param(site->scope, x->parts[0], &up, &which, &walled);
    if (walled)
        return place_fail(
            x->place, e->err,
            "the block parameter '%.*s' can't be seen in an inline partial: hand it over, as in "
            "{{> name %.*s=%.*s}}",
            SLICE_ARG(x->parts[0]), SLICE_ARG(x->parts[0]), SLICE_ARG(x->parts[0]));
    if (which > 1 || !scope->frame)
        return place_fail(x->place, e->err, "there is no value for the block parameter '%.*s'",
                          SLICE_ARG(x->parts[0]));
    p->base = which ? PATH_PARAM_KEY : PATH_PARAM;
    p->up = (uint16_t)up;
    return 0;
}

static int copy_parts(struct emitter *e, const struct expr *x, struct path *p) {
    size_t skip = p->base != PATH_CONTEXT;
    struct slice *parts = arena_alloc(e->arena, (x->count + 1) * sizeof *parts);
    if (!parts || !arena_copy(e->arena, x->text, &p->text)) return no_memory(e);
    for (size_t i = skip; i < x->count; i++)
        if (!arena_copy(e->arena, x->parts[i], &parts[i - skip])) return no_memory(e);
    p->parts = parts;
    p->count = (uint32_t)(x->count - skip);
    return 0;
}

/* strict: of a tag that prints, or a section. */
static int make_path(struct emitter *e, const struct site *site, const struct expr *x, bool strict,
                     const struct path **out) {
    struct path *p = arena_zalloc(e->arena, sizeof *p);
    if (!p) return no_memory(e);
    *out = p;
    p->place = x->place;
    p->strict = strict;
    p->soft = site->soft;
    p->word = UINT32_MAX;
    struct expr self = *x;
    if (x->count && x->parts[0].len == 0) { /* {{''}}: as Handlebars has it, the context */
        self.count = 0;
        self.data = false;
        x = &self;
    }
    if (x->up > UINT16_MAX) return place_fail(x->place, e->err, "too many ..");
    if (set_base(e, site, x, p) || copy_parts(e, x, p)) return -1;
    if (p->base == PATH_OTHER && strict && !e->options->lenient)
        return place_fail(x->place, e->err,
                          "there is no %.*s (there are: @root, @index, @key, @first, @last)",
                          SLICE_ARG(x->text));
    bool top = (p->base == PATH_CONTEXT || p->base == PATH_ROOT) && p->count;
    if (!top) return 0;
    bool sure = p->base == PATH_ROOT || (site->root && p->up == 0);
    p->word = vocabulary_word(e->words, p->parts[0]);
    if (p->word == UINT32_MAX) return place_fail(x->place, e->err, "more than %d different names", NAMES_MAX);
    if (sure && e->words->data < 0 && !e->options->lenient && e->words->words[p->word].column < 0)
        return unknown_column(e, x, p->parts[0]);
    return 0;
}

static int make_literal(struct emitter *e, const struct expr *x, struct operand *out) {
    static const enum value_kind kinds[] = {VALUE_NONE,  VALUE_TEXT, VALUE_NUMBER, VALUE_TRUE,
                                            VALUE_FALSE, VALUE_NULL, VALUE_NONE,   VALUE_NONE};
    struct value *v = arena_zalloc(e->arena, sizeof *v);
    if (!v || !arena_copy(e->arena, x->text, &v->bytes)) return no_memory(e);
    if (!v->bytes.at) v->bytes = SLICE("");
    v->kind = kinds[x->kind];
    out->kind = OPERAND_LITERAL;
    out->literal = v;
    return 0;
}

static int make_operand(struct emitter *e, const struct site *site, const struct expr *x,
                        struct operand *out);

static int eval_hash(struct emitter *e, const struct site *site, const struct argument *hash,
                     struct slice wanted, struct operand *found) {
    for (; hash; hash = hash->next) {
        struct operand o;
        if (make_operand(e, site, hash->value, &o)) return -1;
        if (found && found->kind == OPERAND_NONE && slice_eq(hash->key, wanted))
            *found = o; /* of two the first counts */
        else if (o.kind == OPERAND_PATH && add(e, (struct step){.kind = STEP_EVAL, .a = o}) == UINT32_MAX)
            return -1;
    }
    return 0;
}

enum helper { HELPER_NONE, HELPER_IF, HELPER_UNLESS, HELPER_EACH, HELPER_WITH, HELPER_LOOKUP, HELPER_LOG };

/* Does the head name a helper? */
static enum helper helper_of(const struct emitter *e, const struct site *site, const struct expr *head) {
    static const char *const names[] = {"if", "unless", "each", "with", "lookup", "log"};
    if (head->kind == EXPR_PATH && (head->scoped || head->up || head->count != 1 || head->data))
        return HELPER_NONE;
    if (is_param(e, site, head)) return HELPER_NONE;
    struct slice name = head->kind == EXPR_PATH ? head->parts[0] : head->text;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_eq(name, slice_of(names[i]))) return (enum helper)(HELPER_IF + i);
    return HELPER_NONE;
}

static int no_helper(const struct emitter *e, const struct expr *head) {
    return place_fail(head->place, e->err,
                      "no helper is called '%.*s' (there are: if, unless, each, with, lookup, log)",
                      SLICE_ARG(head->text));
}

static size_t count_of(const struct argument *a) {
    size_t n = 0;
    for (; a; a = a->next)
        n++;
    return n;
}

/* {{lookup a b}} and {{log ...}}: *out is what they are. */
static int make_call(struct emitter *e, const struct site *site, const struct expr *head,
                     const struct argument *params, const struct argument *hash, struct operand *out) {
    enum helper helper = helper_of(e, site, head);
    unsigned temps = e->temps;
    if (helper == HELPER_NONE) return no_helper(e, head);
    if (helper < HELPER_LOOKUP)
        return place_fail(head->place, e->err, "'%.*s' is written as a block: {{#%.*s ...}}",
                          SLICE_ARG(head->text), SLICE_ARG(head->text));
    *out = (struct operand){.kind = OPERAND_NONE};
    if (helper == HELPER_LOG) {
        if (eval_hash(e, site, params, SLICE(""), NULL) || eval_hash(e, site, hash, SLICE(""), NULL))
            return -1;
        e->temps = temps;
        return 0;
    }
    if (!params || !params->next || params->next->next)
        return place_fail(head->place, e->err, "lookup takes a list or map and a name: {{lookup list name}}");
    struct step step = {.kind = STEP_LOOKUP};
    if (make_operand(e, site, params->value, &step.a) ||
        make_operand(e, site, params->next->value, &step.b) || eval_hash(e, site, hash, SLICE(""), NULL))
        return -1;
    e->temps = temps;
    if (e->temps == TEMPS_MAX) return place_fail(head->place, e->err, "too many subexpressions");
    e->words->any_column = true;
    step.temp = (uint8_t)e->temps++;
    *out = (struct operand){.kind = OPERAND_TEMP, .temp = step.temp};
    return add(e, step) == UINT32_MAX ? -1 : 0;
}

/* An argument: missing is no failure. */
static int make_operand(struct emitter *e, const struct site *site, const struct expr *x,
                        struct operand *out) {
    *out = (struct operand){.kind = OPERAND_PATH};
    if (x->kind == EXPR_PATH) return make_path(e, site, x, false, &out->path);
    if (x->kind != EXPR_CALL) return make_literal(e, x, out);
    return make_call(e, site, x->head, x->params, x->hash, out);
}

/* What stands in front: {{"a b"}} and {{12}} ask for the names "a b" and "12". */
static int make_head(struct emitter *e, const struct site *site, const struct expr *head,
                     struct operand *out) {
    struct expr copy = *head;
    if (head->kind != EXPR_PATH) {
        copy.kind = EXPR_PATH;
        copy.parts = &head->text;
        copy.count = 1;
    }
    out->kind = OPERAND_PATH;
    return make_path(e, site, &copy, true, &out->path);
}

/* --- Nodes --- */

static int emit_body(struct emitter *e, struct site site, const struct body *body);

static int emit_text(struct emitter *e, struct slice text) {
    struct fixed_text *t = arena_zalloc(e->arena, sizeof *t);
    struct buf encoded;
    if (!t || !arena_copy(e->arena, text, &t->text)) return no_memory(e);
    if (e->options->encode) {
        buf_init(&encoded, (size_t)SCRIPT_TEXT_MAX * 4);
        qp_encode_run(&encoded, text, &t->qp);
        bool kept = !encoded.failed && arena_copy(e->arena, buf_slice(&encoded), &t->qp.bytes);
        buf_done(&encoded);
        if (!kept) return no_memory(e);
    }
    return add(e, (struct step){.kind = STEP_TEXT, .text = t}) == UINT32_MAX ? -1 : 0;
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
    int rc = text.failed ? no_memory(e) : text.len ? emit_text(e, buf_slice(&text)) : 0;
    buf_done(&text);
    return rc;
}

static int emit_print(struct emitter *e, const struct site *site, const struct node *n) {
    struct step step = {.kind = STEP_PRINT, .escape = e->options->escape && !n->raw};
    bool call = (n->params || n->hash) && !is_param(e, site, n->head);
    e->temps = 0;
    if (call || helper_of(e, site, n->head)) {
        if (make_call(e, site, n->head, n->params, n->hash, &step.a)) return -1;
        if (step.a.kind == OPERAND_NONE) return 0;
    } else if (make_head(e, site, n->head, &step.a)) {
        return -1;
    }
    return add(e, step) == UINT32_MAX ? -1 : 0;
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
        if (make_head(e, site, n->head, &step.a)) return -1;
    } else {
        if (!n->params || n->params->next)
            return place_fail(n->place, e->err, "'%.*s' takes one argument", SLICE_ARG(n->head->text));
        if (make_operand(e, site, n->params->value, &step.a) ||
            eval_hash(e, site, n->hash, SLICE("includeZero"),
                      helper == HELPER_IF || helper == HELPER_UNLESS ? &step.b : NULL))
            return -1;
    }
    *open = add(e, step);
    return *open == UINT32_MAX ? -1 : 0;
}

static int emit_block(struct emitter *e, const struct site *site, const struct node *n) {
    enum helper helper = helper_of(e, site, n->head);
    bool test = helper == HELPER_IF || helper == HELPER_UNLESS;
    uint32_t open = 0, leave = 0;
    if (helper == HELPER_NONE && (n->params || n->hash) && !is_param(e, site, n->head))
        return no_helper(e, n->head);
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
        leave = add(e, (struct step){.kind = STEP_JUMP});
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
    uint32_t over = add(e, (struct step){.kind = STEP_JUMP});
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
        if (add(e, bind) == UINT32_MAX) return -1;
        ++*count;
    }
    return 0;
}

static int emit_settings(struct emitter *e, const struct site *site, const struct node *n,
                         struct call *call) {
    struct setting *settings = arena_alloc(e->arena, (count_of(n->hash) + 1) * sizeof *settings);
    if (!settings) return no_memory(e);
    for (const struct argument *a = n->hash; a; a = a->next) {
        uint32_t at = 0;
        while (at < call->setting_count && !slice_eq(settings[at].key, a->key))
            at++;
        if (at == 256) return place_fail(n->place, e->err, "more than 256 arguments");
        struct operand value;
        if (make_operand(e, site, a->value, &value)) return -1;
        if (a->value->kind == EXPR_UNDEFINED) continue; /* as if it were not written */
        if (at < call->setting_count) continue;         /* of two the first counts */
        settings[at].value = value;
        if (!arena_copy(e->arena, a->key, &settings[at].key)) return no_memory(e);
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
    if (!list) return no_memory(e);
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
    if (!call) return no_memory(e);
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
        return no_memory(e);
    if (n->kind == NODE_PARTIAL_BLOCK && emit_call_block(e, site, n, call)) return -1;
    if (!block && call->name == UINT32_MAX) call->name = PARTIALS_MAX; /* never bound: the block it is */
    e->temps = 0;
    if (n->params && make_operand(e, site, n->params->value, &call->context)) return -1;
    if (emit_settings(e, site, n, call)) return -1;
    return add(e, (struct step){.kind = STEP_CALL, .call = call}) == UINT32_MAX ? -1 : 0;
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
        if (!kept) return no_memory(e);
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
    if (!stored || !starts) return no_memory(e);
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
