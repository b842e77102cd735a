/* The template language's reader: text into a tree of nodes. The grammar is that of Handlebars 4. */
#include "script_reader.h"

#include <assert.h>

enum tag_kind {
    TAG_PRINT, /* {{ */
    TAG_AMP,   /* {{& */
    TAG_TRIPLE,
    TAG_RAW_BLOCK,
    TAG_BLOCK,
    TAG_INVERSE_BLOCK, /* {{^x */
    TAG_DECORATOR,     /* {{* */
    TAG_INLINE,        /* {{#* */
    TAG_PARTIAL,
    TAG_PARTIAL_BLOCK,
    TAG_COMMENT,
    TAG_CLOSE,
    TAG_ELSE, /* {{else}} or {{^}}, the whole of it */
    TAG_ELSE_CHAIN,
    TAG_END /* of the text: none */
};

struct tag {
    enum tag_kind kind;
    size_t length; /* of what opens it */
    struct strip strip;
};

static size_t skip_blanks(struct slice text, size_t from) {
    size_t n;
    while ((n = script_space_front(slice_skip(text, from))) > 0)
        from += n;
    return from;
}

/* Is this "{{else}}" or "{{^}}" with what may stand between? n: what is known already. */
static bool whole_else(struct slice all, size_t n, struct tag *t) {
    n = skip_blanks(all, n);
    bool strip = n < all.len && all.at[n] == '~';
    if (!slice_starts(slice_skip(all, n + strip), SLICE("}}"))) return false;
    t->kind = TAG_ELSE;
    t->length = n + strip + 2;
    t->strip.close = strip;
    return true;
}

static bool else_word(struct slice all, size_t n, struct tag *t) {
    n = skip_blanks(all, n);
    if (!slice_starts(slice_skip(all, n), SLICE("else"))) return false;
    n += 4;
    if (whole_else(all, n, t)) return true;
    char after = n < all.len ? all.at[n] : ' ';
    if (ascii_alpha(after) || ascii_digit(after) || after == '_') return false;
    t->kind = TAG_ELSE_CHAIN;
    t->length = n;
    return true;
}

/* What tag stands at r->at. */
static struct tag look(const struct reader *r) {
    struct slice all = reader_rest(r);
    struct tag t = {.kind = TAG_END};
    if (all.len == 0) return t;
    if (slice_starts(all, SLICE("{{{{"))) return (struct tag){TAG_RAW_BLOCK, 4, {false, false}};
    t.strip.open = reader_peek(r, 2) == '~';
    size_t n = 2 + t.strip.open;
    char c = reader_peek(r, n), d = reader_peek(r, n + 1);
    if (c == '^' && whole_else(all, n + 1, &t)) return t;
    if (else_word(all, n, &t)) return t;
    static const char marks[] = ">#/^{&!*";
    static const enum tag_kind kinds[] = {TAG_PARTIAL, TAG_BLOCK, TAG_CLOSE,   TAG_INVERSE_BLOCK,
                                          TAG_TRIPLE,  TAG_AMP,   TAG_COMMENT, TAG_DECORATOR};
    const char *mark = c ? strchr(marks, c) : NULL;
    t.kind = mark ? kinds[mark - marks] : TAG_PRINT;
    t.length = n + (mark != NULL);
    if (t.kind == TAG_BLOCK && (d == '>' || d == '*')) {
        t.kind = d == '>' ? TAG_PARTIAL_BLOCK : TAG_INLINE;
        t.length++;
    }
    return t;
}

static void append(struct body *body, struct node *node) {
    node->prev = body->last;
    if (body->last)
        body->last->next = node;
    else
        body->first = node;
    body->last = node;
}

static struct node *add(struct reader *r, struct body *body, enum node_kind kind, struct place at) {
    struct node *n = reader_make(r, sizeof *n);
    if (!n) return NULL;
    n->kind = kind;
    n->place = at;
    append(body, n);
    return n;
}

static int add_text(struct reader *r, struct body *body, size_t from, size_t to) {
    if (from == to) return 0;
    struct node *n = add(r, body, NODE_TEXT, reader_here(r));
    if (!n) return -1;
    n->original = n->value = slice_make(r->text.at + from, to - from);
    return 0;
}

/* Index of the next `mark` from `from` on, or the end. */
static size_t find(const struct reader *r, size_t from, struct slice mark) {
    if (from >= r->text.len) return r->text.len;
    const char *at = memmem(r->text.at + from, r->text.len - from, mark.at, mark.len);
    return at ? (size_t)(at - r->text.at) : r->text.len;
}

static int read_comment(struct reader *r, struct body *body, const struct tag *t) {
    struct place at = reader_here(r);
    bool dashes = slice_starts(slice_skip(reader_rest(r), t->length), SLICE("--"));
    size_t end = r->at + t->length, from = end;
    if (dashes) {
        for (;; end++) {
            end = find(r, end, SLICE("--"));
            if (end == r->text.len) break;
            struct slice after = slice_skip(r->text, end + 2);
            if (slice_starts(after, SLICE("}}")) || slice_starts(after, SLICE("~}}"))) break;
        }
        if (end < r->text.len) end += 2 + (r->text.at[end + 2] == '~');
    } else {
        end = find(r, from, SLICE("}}"));
    }
    if (end == r->text.len) return place_fail(at, r->err, "this comment is never closed");
    struct node *n = add(r, body, NODE_COMMENT, at);
    if (!n) return -1;
    n->open = (struct strip){t->strip.open, r->text.at[end - 1] == '~'};
    reader_advance(r, end + 2);
    return 0;
}

/* A column whose name could not be a path ("First Name") may stand in a tag alone. */
static struct expr *whole_column(struct reader *r, bool triple) {
    enum { LONGEST = 256 };
    struct slice all = reader_rest(r);
    size_t n = 0;
    bool odd = false;
    while (n < all.len && n < LONGEST && !strchr("{}~\r\n", all.at[n]))
        odd |= !reader_name_char(all.at[n++]);
    struct slice name = slice_trim(slice_make(all.at, n));
    if (!odd || name.len == 0 || !slice_starts(slice_skip(all, n), triple ? SLICE("}}}") : SLICE("}}")))
        return NULL;
    if (memchr(name.at, ' ', name.len) == NULL || vocabulary_column(r->words, name) < 0) return NULL;
    struct expr *e = reader_make(r, sizeof *e);
    struct slice *part = reader_make(r, sizeof *part);
    if (!e || !part) return NULL;
    *part = name;
    *e = (struct expr){.kind = EXPR_PATH, .place = reader_here(r), .text = name, .parts = part, .count = 1};
    reader_advance(r, r->at + n);
    return e;
}

static int read_print(struct reader *r, struct body *body, const struct tag *t) {
    struct place at = reader_here(r);
    bool triple = t->kind == TAG_TRIPLE;
    struct node *n = add(r, body, NODE_PRINT, at);
    if (!n) return -1;
    n->raw = t->kind != TAG_PRINT;
    n->open.open = t->strip.open;
    reader_advance(r, r->at + t->length);
    n->head = whole_column(r, triple);
    if (n->head) return reader_close(r, triple, at, &n->open.close);
    reader_skip_space(r);
    if (reader_peek(r, 0) == '}' || reader_peek(r, 0) == '~')
        return place_fail(at, r->err, "no name between the braces");
    if (reader_peek(r, 0) == '(') return place_fail(reader_here(r), r->err, "a name is expected here");
    if (reader_expr(r, 0, &n->head) || reader_arguments(r, 0, &n->params, &n->hash)) return -1;
    n->head->place = at;
    return reader_close(r, triple, at, &n->open.close);
}

static int read_partial(struct reader *r, struct body *body, const struct tag *t) {
    struct place at = reader_here(r);
    struct node *n = add(r, body, NODE_PARTIAL, at);
    if (!n) return -1;
    n->open.open = t->strip.open;
    reader_advance(r, r->at + t->length);
    reader_skip_space(r);
    if (reader_expr(r, 0, &n->head) || reader_arguments(r, 0, &n->params, &n->hash)) return -1;
    return reader_close(r, false, at, &n->open.close);
}

/* What stands in a block's opening tag behind {{# */
static int read_block_tag(struct reader *r, const struct tag *t, bool names, struct block_tag *out) {
    struct place at = reader_here(r);
    *out = (struct block_tag){.strip = {t->strip.open, false}};
    reader_advance(r, r->at + t->length);
    reader_skip_space(r);
    if (reader_peek(r, 0) == '}' || reader_peek(r, 0) == '~')
        return place_fail(at, r->err, "no name between the braces");
    if (reader_expr(r, 0, &out->head) || reader_arguments(r, 0, &out->params, &out->hash)) return -1;
    out->head->place = at;
    if (names && reader_before_names(r) && reader_names(r, out)) return -1;
    return reader_close(r, false, at, &out->strip.close);
}

static int read_body(struct reader *r, unsigned depth, struct body **out, struct tag *end);

static struct body *one_node(struct reader *r, struct node *node) {
    struct body *b = reader_make(r, sizeof *b);
    if (b) append(b, node);
    return b;
}

static void set_head(struct node *n, const struct block_tag *t) {
    n->head = t->head;
    n->params = t->params;
    n->hash = t->hash;
    n->open = t->strip;
}

/* What follows a block's body up to its close: {{else if}} links, {{else}}. On return the close is next. */
static int read_inverse(struct reader *r, struct node *block, struct body **inverse, unsigned depth,
                        struct tag *end) {
    struct node *link = block;
    for (unsigned links = 0; end->kind == TAG_ELSE_CHAIN; links++) {
        struct block_tag t;
        struct place at = reader_here(r);
        if (links + depth > NODE_CHAIN_MAX)
            return place_fail(at, r->err, "more than %d {{else ...}} in one block", NODE_CHAIN_MAX);
        if (read_block_tag(r, end, true, &t)) return -1;
        struct node *next = reader_make(r, sizeof *next);
        if (!next || !(*inverse = one_node(r, next))) return -1;
        next->kind = NODE_BLOCK;
        next->place = at;
        set_head(next, &t);
        (*inverse)->chained = true;
        link->inverse_strip = t.strip;
        next->close = t.strip; /* as Handlebars has it; the first link's becomes that of the block's close */
        if (read_body(r, depth + 1, &next->program, end)) return -1;
        next->program->params = t.names;
        next->program->param_count = t.name_count;
        inverse = &next->inverse;
        link = next;
    }
    if (end->kind != TAG_ELSE) return 0;
    link->inverse_strip = end->strip;
    reader_advance(r, r->at + end->length);
    return read_body(r, depth + 1, inverse, end);
}

static int read_end(struct reader *r, struct node *block, const struct tag *end) {
    struct place at = reader_here(r);
    struct expr *name = NULL;
    assert(block->head);
    if (end->kind == TAG_END)
        return place_fail(block->place, r->err, "this block ('%.*s') is never closed",
                          SLICE_ARG(block->head->text));
    if (end->kind != TAG_CLOSE)
        return place_fail(at, r->err, "a second {{else}}, or one that can't stand here");
    block->close.open = end->strip.open;
    reader_advance(r, r->at + end->length);
    reader_skip_space(r);
    if (reader_expr(r, 0, &name) || !name) return -1;
    if (!slice_eq(name->text, block->head->text) || name->kind != block->head->kind)
        return place_fail(at, r->err, "'%.*s' is closed here, but '%.*s' of line %u, column %u is open",
                          SLICE_ARG(name->text), SLICE_ARG(block->head->text), block->place.line,
                          block->place.column);
    reader_skip_space(r);
    return reader_close(r, false, at, &block->close.close);
}

static int read_block(struct reader *r, struct body *body, const struct tag *t, unsigned depth) {
    struct place at = reader_here(r);
    struct block_tag head;
    struct body *program, *inverse = NULL;
    struct tag end;
    bool plain = t->kind == TAG_BLOCK || t->kind == TAG_INVERSE_BLOCK;
    enum node_kind kind = plain ? NODE_BLOCK : t->kind == TAG_INLINE ? NODE_INLINE : NODE_PARTIAL_BLOCK;
    if (depth == NODE_DEPTH_MAX)
        return place_fail(at, r->err, "more than %d blocks in each other", NODE_DEPTH_MAX);
    struct node *n = add(r, body, kind, at);
    if (!n || read_block_tag(r, t, kind == NODE_BLOCK, &head)) return -1;
    set_head(n, &head);
    if (read_body(r, depth + 1, &program, &end)) return -1;
    program->params = head.names;
    program->param_count = head.name_count;
    bool inverts = plain && (end.kind == TAG_ELSE || (end.kind == TAG_ELSE_CHAIN && t->kind == TAG_BLOCK));
    if (inverts && read_inverse(r, n, &inverse, depth, &end)) return -1;
    n->program = t->kind == TAG_INVERSE_BLOCK ? inverse : program;
    n->inverse = t->kind == TAG_INVERSE_BLOCK ? program : inverse;
    if (read_end(r, n, &end)) return -1;
    if (inverse && inverse->chained) inverse->first->close = n->close;
    return 0;
}

/* {{{{name}}}} text {{{{/name}}}} */
static int read_raw_block(struct reader *r, struct body *body, unsigned depth) {
    struct place at = reader_here(r);
    struct node *n = add(r, body, NODE_BLOCK, at);
    if (!n || !(n->program = reader_make(r, sizeof *n->program))) return -1;
    (void)depth;
    reader_advance(r, r->at + 4);
    reader_skip_space(r);
    if (reader_expr(r, 0, &n->head) || reader_arguments(r, 0, &n->params, &n->hash)) return -1;
    if (!slice_starts(reader_rest(r), SLICE("}}}}")))
        return place_fail(reader_here(r), r->err,
                          "}}}} is expected here, the end of the tag of line %u, column %u", at.line,
                          at.column);
    reader_advance(r, r->at + 4);
    for (unsigned inside = 1; inside;) {
        size_t braces = find(r, r->at, SLICE("{{{{"));
        if (braces == r->text.len) return place_fail(at, r->err, "this raw block is never closed");
        if (add_text(r, n->program, r->at, braces)) return -1;
        reader_advance(r, braces);
        bool close = reader_peek(r, 4) == '/';
        size_t end = braces + 4 + close;
        while (close && end < r->text.len && reader_name_char(r->text.at[end]))
            end++;
        close = close && slice_starts(slice_skip(r->text, end), SLICE("}}}}"));
        inside = close ? inside - 1 : inside + (reader_peek(r, 4) != '/');
        struct slice name = slice_make(r->text.at + braces + 5, close ? end - braces - 5 : 0);
        size_t to = close ? end + 4 : braces + 4;
        if (inside && add_text(r, n->program, braces, to)) return -1;
        if (!inside && !slice_eq(name, n->head->text))
            return place_fail(reader_here(r), r->err, "'%.*s' is closed here, but '%.*s' is open",
                              SLICE_ARG(name), SLICE_ARG(n->head->text));
        reader_advance(r, to);
    }
    return 0;
}

/* How many backslashes stand right before `at`, from `from` on. */
static size_t backslashes(const struct reader *r, size_t from, size_t at) {
    size_t n = 0;
    while (n < 2 && at - n > from && r->text.at[at - n - 1] == '\\')
        n++;
    return n;
}

/* After \{{ everything up to the next braces (or the backslash before them) is text. */
static size_t escaped_end(const struct reader *r, size_t from) {
    size_t braces = find(r, from + 2, SLICE("{{"));
    return braces == r->text.len ? braces : braces - backslashes(r, from + 2, braces);
}

/* The text up to the next tag, which is then at r->at. */
static int read_text(struct reader *r, struct body *body) {
    for (;;) {
        size_t from = r->at, braces = find(r, from, SLICE("{{"));
        size_t slashes = braces < r->text.len ? backslashes(r, from, braces) : 0;
        /* \{{ is a literal {{, \\{{ a backslash and then a tag. */
        if (add_text(r, body, from, braces - (slashes > 0))) return -1;
        reader_advance(r, braces);
        if (slashes != 1) return 0;
        size_t end = escaped_end(r, braces);
        if (add_text(r, body, braces, end)) return -1;
        reader_advance(r, end);
    }
}

static int read_tag(struct reader *r, struct body *body, const struct tag *t, unsigned depth) {
    switch (t->kind) {
    case TAG_PRINT:
    case TAG_AMP:
    case TAG_TRIPLE: return read_print(r, body, t);
    case TAG_COMMENT: return read_comment(r, body, t);
    case TAG_PARTIAL: return read_partial(r, body, t);
    case TAG_RAW_BLOCK: return read_raw_block(r, body, depth);
    case TAG_DECORATOR:
        return place_fail(reader_here(r), r->err,
                          "decorators are not known here, but for {{#*inline \"name\"}}");
    default: return read_block(r, body, t, depth);
    }
}

/* Up to a tag that is not the body's own ({{/x}}, {{else}} or the end), which is at r->at then. */
static int read_body(struct reader *r, unsigned depth, struct body **out, struct tag *end) {
    struct body *body = *out = reader_make(r, sizeof *body);
    if (!body) return -1;
    for (;;) {
        if (read_text(r, body)) return -1;
        r->tag = reader_here(r);
        *end = look(r);
        if (end->kind >= TAG_CLOSE) return 0;
        if (read_tag(r, body, end, depth)) return -1;
    }
}

int script_read(struct slice text, const char *part, const struct vocabulary *words, struct arena *arena,
                struct body **out, struct err *err) {
    struct reader r = {text, part, words, arena, 0, 1, 1, {part, 1, 1}, err};
    struct tag end;
    if (text.len > SCRIPT_TEXT_MAX) return err_set(err, ERR_INPUT, "%s: larger than 4 MB", part);
    if (read_body(&r, 0, out, &end)) return -1;
    if (end.kind == TAG_END) return 0;
    return place_fail(reader_here(&r), err, "%s",
                      end.kind == TAG_CLOSE ? "nothing is open that could be closed here"
                                            : "{{else}} outside of a block");
}
