/* Paths, literals and calls, from nodes to operands of steps. */
#include "script_emitter.h"

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

bool emit_is_param(const struct emitter *e, const struct site *site, const struct expr *x) {
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
    if (!emit_is_param(e, site, x)) return 0;
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
    if (!parts || !arena_copy(e->arena, x->text, &p->text)) return emit_no_memory(e);
    for (size_t i = skip; i < x->count; i++)
        if (!arena_copy(e->arena, x->parts[i], &parts[i - skip])) return emit_no_memory(e);
    p->parts = parts;
    p->count = (uint32_t)(x->count - skip);
    return 0;
}

/* strict: of a tag that prints, or a section. */
static int make_path(struct emitter *e, const struct site *site, const struct expr *x, bool strict,
                     const struct path **out) {
    struct path *p = arena_zalloc(e->arena, sizeof *p);
    if (!p) return emit_no_memory(e);
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
    if (!v || !arena_copy(e->arena, x->text, &v->bytes)) return emit_no_memory(e);
    if (!v->bytes.at) v->bytes = SLICE("");
    v->kind = kinds[x->kind];
    out->kind = OPERAND_LITERAL;
    out->literal = v;
    return 0;
}

int emit_hash(struct emitter *e, const struct site *site, const struct argument *hash, struct slice wanted,
              struct operand *found) {
    for (; hash; hash = hash->next) {
        struct operand o;
        if (emit_operand(e, site, hash->value, &o)) return -1;
        if (found && found->kind == OPERAND_NONE && slice_eq(hash->key, wanted))
            *found = o; /* of two the first counts */
        else if (o.kind == OPERAND_PATH &&
                 emit_add(e, (struct step){.kind = STEP_EVAL, .a = o}) == UINT32_MAX)
            return -1;
    }
    return 0;
}

/* Does the head name a helper? */
enum helper emit_helper_of(const struct emitter *e, const struct site *site, const struct expr *head) {
    static const char *const names[] = {"if", "unless", "each", "with", "lookup", "log"};
    if (head->kind == EXPR_PATH && (head->scoped || head->up || head->count != 1 || head->data))
        return HELPER_NONE;
    if (emit_is_param(e, site, head)) return HELPER_NONE;
    struct slice name = head->kind == EXPR_PATH ? head->parts[0] : head->text;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_eq(name, slice_of(names[i]))) return (enum helper)(HELPER_IF + i);
    return HELPER_NONE;
}

int emit_no_helper(const struct emitter *e, const struct expr *head) {
    return place_fail(head->place, e->err,
                      "no helper is called '%.*s' (there are: if, unless, each, with, lookup, log)",
                      SLICE_ARG(head->text));
}

size_t emit_count(const struct argument *a) {
    size_t n = 0;
    for (; a; a = a->next)
        n++;
    return n;
}

/* {{lookup a b}} and {{log ...}}: *out is what they are. */
int emit_call(struct emitter *e, const struct site *site, const struct expr *head,
              const struct argument *params, const struct argument *hash, struct operand *out) {
    enum helper helper = emit_helper_of(e, site, head);
    unsigned temps = e->temps;
    if (helper == HELPER_NONE) return emit_no_helper(e, head);
    if (helper < HELPER_LOOKUP)
        return place_fail(head->place, e->err, "'%.*s' is written as a block: {{#%.*s ...}}",
                          SLICE_ARG(head->text), SLICE_ARG(head->text));
    *out = (struct operand){.kind = OPERAND_NONE};
    if (helper == HELPER_LOG) {
        if (emit_hash(e, site, params, SLICE(""), NULL) || emit_hash(e, site, hash, SLICE(""), NULL))
            return -1;
        e->temps = temps;
        return 0;
    }
    if (!params || !params->next || params->next->next)
        return place_fail(head->place, e->err, "lookup takes a list or map and a name: {{lookup list name}}");
    struct step step = {.kind = STEP_LOOKUP};
    if (emit_operand(e, site, params->value, &step.a) ||
        emit_operand(e, site, params->next->value, &step.b) || emit_hash(e, site, hash, SLICE(""), NULL))
        return -1;
    e->temps = temps;
    if (e->temps == TEMPS_MAX) return place_fail(head->place, e->err, "too many subexpressions");
    e->words->any_column = true;
    step.temp = (uint8_t)e->temps++;
    *out = (struct operand){.kind = OPERAND_TEMP, .temp = step.temp};
    return emit_add(e, step) == UINT32_MAX ? -1 : 0;
}

/* An argument: missing is no failure. */
int emit_operand(struct emitter *e, const struct site *site, const struct expr *x, struct operand *out) {
    *out = (struct operand){.kind = OPERAND_PATH};
    if (x->kind == EXPR_PATH) return make_path(e, site, x, false, &out->path);
    if (x->kind != EXPR_CALL) return make_literal(e, x, out);
    return emit_call(e, site, x->head, x->params, x->hash, out);
}

/* What stands in front: {{"a b"}} and {{12}} ask for the names "a b" and "12". */
int emit_head(struct emitter *e, const struct site *site, const struct expr *head, struct operand *out) {
    struct expr copy = *head;
    if (head->kind != EXPR_PATH) {
        copy.kind = EXPR_PATH;
        copy.parts = &head->text;
        copy.count = 1;
    }
    out->kind = OPERAND_PATH;
    return make_path(e, site, &copy, true, &out->path);
}
