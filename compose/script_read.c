/* The template language's reader: text into a tree of nodes. The grammar is that of Handlebars 4. */
#include "codec.h"
#include "script_node.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

struct reader {
    struct slice text;
    const char *part;
    const struct vocabulary *words;
    struct arena *arena;
    size_t at;
    uint32_t line, column; /* of at */
    struct place tag;      /* where the present tag begins */
    struct err *err;
};

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

struct block_tag {
    struct expr *head;
    struct argument *params, *hash;
    const struct slice *names;
    size_t name_count;
    struct strip strip;
};

int place_fail(struct place at, struct err *err, const char *format, ...) {
    char text[sizeof err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(err, ERR_INPUT, "%s, line %u, column %u: %s", at.part, at.line, at.column, text);
}

/* Moves on to `to`, counting lines (LF, CRLF, or CR alone) and characters. */
static void advance(struct reader *r, size_t to) {
    for (; r->at < to; r->at++) {
        char c = r->text.at[r->at];
        bool crlf = c == '\r' && r->at + 1 < r->text.len && r->text.at[r->at + 1] == '\n';
        if (c == '\n' || (c == '\r' && !crlf)) {
            r->line++;
            r->column = 1;
        } else if ((c & 0xC0) != 0x80) {
            r->column++;
        }
    }
}

static struct place here(const struct reader *r) {
    return (struct place){r->part, r->line, r->column};
}

static struct slice rest(const struct reader *r) {
    return slice_skip(r->text, r->at);
}

/* The character `ahead` bytes further; NUL at the end (a text holds no NUL). */
static char peek(const struct reader *r, size_t ahead) {
    return r->at + ahead < r->text.len ? r->text.at[r->at + ahead] : 0;
}

static int no_memory(const struct reader *r) {
    return err_set(r->err, ERR_INPUT, "%s: too many tags: the template does not fit into memory", r->part);
}

static void *make(struct reader *r, size_t n) {
    void *made = arena_zalloc(r->arena, n);
    if (!made) no_memory(r);
    return made;
}

/* --- Inside a tag --- */

static void skip_space(struct reader *r) {
    size_t n;
    while ((n = script_space_front(rest(r))) > 0)
        advance(r, r->at + n);
}

static bool name_char(char c) {
    return (unsigned char)c > ' ' && !strchr("!\"#%&'()*+,./;<=>@[\\]^`{|}~", c);
}

static bool ends_literal(char c) {
    return c == '~' || c == '}' || c == ')' || (c > 0 && (c == ' ' || (c >= '\t' && c <= '\r')));
}

static bool ends_name(struct slice rest) {
    return rest.len && (strchr("=~}/.)|", rest.at[0]) || script_space_front(rest) > 0);
}

/* What is inside quotes or brackets, the backslash before `close` (and, in brackets, before another) taken
 * away. */
static int read_enclosed(struct reader *r, char close, struct slice *out) {
    struct slice all = rest(r);
    size_t n = 1;
    while (n < all.len && all.at[n] != close)
        n += all.at[n] == '\\' && n + 1 < all.len && all.at[n + 1] == close ? 2 : 1;
    if (n >= all.len) return place_fail(here(r), r->err, "this %c is never closed", all.at[0]);
    char *to = make(r, n);
    size_t length = 0;
    if (!to) return -1;
    for (size_t i = 1; i < n; i++) {
        bool escape = all.at[i] == '\\' && i + 1 < n &&
                      (all.at[i + 1] == close || (close == ']' && all.at[i + 1] == '\\'));
        i += escape;
        to[length++] = all.at[i];
    }
    advance(r, r->at + n + 1);
    *out = slice_make(to, length);
    return 0;
}

/* One part of a path. */
static int read_part(struct reader *r, struct slice *part, bool *literal) {
    struct slice all = rest(r);
    size_t n = 0;
    *literal = peek(r, 0) == '[';
    if (*literal) return read_enclosed(r, ']', part);
    if (slice_starts(all, SLICE("..")))
        n = 2;
    else if (slice_starts(all, SLICE(".")))
        n = ends_name(slice_skip(all, 1));
    else
        while (n < all.len && name_char(all.at[n]) && script_space_front(slice_skip(all, n)) == 0)
            n++;
    if (n == 0 || (all.at[0] != '.' && !ends_name(slice_skip(all, n)))) {
        if (n == all.len) return place_fail(r->tag, r->err, "this tag is never closed");
        size_t most = codec_utf8_next(all);
        return place_fail(here(r), r->err, "'%.*s' can't stand here", (int)(most ? most : 1), all.at);
    }
    *part = slice_make(all.at, n);
    advance(r, r->at + n);
    return 0;
}

/* Takes the . or / that leads to another part, and the white space around it; 0 when there is none. */
static char take_separator(struct reader *r) {
    struct reader before = *r;
    skip_space(r);
    char c = peek(r, 0);
    if (c == '/' || (c == '.' && peek(r, 1) != '.' && !ends_name(slice_skip(rest(r), 1)))) {
        advance(r, r->at + 1);
        skip_space(r);
        return c;
    }
    *r = before;
    return 0;
}

static bool says_this(struct slice text) {
    if (text.len && text.at[0] == '.') return true;
    for (size_t i = 0; i + 4 <= text.len; i++) {
        char after = i + 4 < text.len ? text.at[i + 4] : ' ';
        if (memcmp(text.at + i, "this", 4) == 0 && !ascii_alpha(after) && !ascii_digit(after) && after != '_')
            return true;
    }
    return false;
}

enum { PARTS_MAX = 64 };

static int finish_path(struct reader *r, struct expr *e, const struct slice *parts, struct buf *text) {
    struct slice *kept = arena_alloc(r->arena, (e->count + 1) * sizeof *kept);
    bool ok = kept && !text->failed && arena_copy(r->arena, buf_slice(text), &e->text);
    buf_done(text);
    if (!ok) return no_memory(r);
    if (e->count) memcpy(kept, parts, e->count * sizeof *kept);
    e->parts = kept;
    e->scoped = says_this(e->text);
    return 0;
}

static int read_path(struct reader *r, struct expr *e) {
    struct slice parts[PARTS_MAX], part = {NULL, 0};
    struct buf text;
    bool literal;
    e->kind = EXPR_PATH;
    buf_init(&text, SCRIPT_TEXT_MAX + 64);
    e->data = peek(r, 0) == '@';
    if (e->data) {
        buf_put_c(&text, '@');
        advance(r, r->at + 1);
        skip_space(r);
    }
    for (;;) {
        if (read_part(r, &part, &literal)) break;
        buf_put_slice(&text, part);
        bool up = slice_eq(part, SLICE(".."));
        if (!literal && (up || slice_eq(part, SLICE(".")) || slice_eq(part, SLICE("this")))) {
            if (e->count) {
                place_fail(e->place, r->err, "'%.*s' can stand only in front of a path", SLICE_ARG(part));
                break;
            }
            e->up += up;
        } else if (e->count == PARTS_MAX) {
            place_fail(e->place, r->err, "a path of more than %d parts", PARTS_MAX);
            break;
        } else {
            parts[e->count++] = part;
        }
        char separator = take_separator(r);
        if (!separator) return finish_path(r, e, parts, &text);
        buf_put_c(&text, separator);
    }
    buf_done(&text);
    return -1;
}

/* How long the number in front is, when it is one. */
static size_t number_length(struct slice text) {
    size_t n = text.len && text.at[0] == '-', from = n;
    while (n < text.len && ascii_digit(text.at[n]))
        n++;
    if (n == from) return 0;
    if (n + 1 < text.len && text.at[n] == '.' && ascii_digit(text.at[n + 1]))
        for (n++; n < text.len && ascii_digit(text.at[n]);)
            n++;
    return n < text.len && ends_literal(text.at[n]) ? n : 0;
}

static size_t word_length(struct slice text, enum expr_kind *kind) {
    static const struct {
        struct slice word;
        enum expr_kind kind;
    } words[] = {{{"true", 4}, EXPR_TRUE},
                 {{"false", 5}, EXPR_FALSE},
                 {{"undefined", 9}, EXPR_UNDEFINED},
                 {{"null", 4}, EXPR_NULL}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = words[i].word.len;
        if (!slice_starts(text, words[i].word) || n >= text.len || !ends_literal(text.at[n])) continue;
        *kind = words[i].kind;
        return n;
    }
    return 0;
}

/* A number as JavaScript prints it: what {{12.50}} asks for is called "12.5". */
static int read_number(struct reader *r, struct expr *e, size_t n) {
    struct slice digits = slice_make(r->text.at + r->at, n), packed;
    struct buf text, out;
    struct value v;
    bool minus = digits.at[0] == '-';
    digits = slice_skip(digits, minus);
    while (digits.len > 1 && digits.at[0] == '0' && ascii_digit(digits.at[1]))
        digits = slice_skip(digits, 1);
    buf_init(&text, n + 8), buf_init(&out, 4096);
    if (minus) buf_put_c(&text, '-');
    buf_put_slice(&text, digits);
    int rc = value_put_json(buf_slice(&text), &out, r->err);
    packed = buf_slice(&out);
    if (rc == 0 && (!value_take(&packed, &v) || !arena_copy(r->arena, v.bytes, &e->text))) rc = no_memory(r);
    buf_done(&text), buf_done(&out);
    if (rc) return place_fail(e->place, r->err, "this number is too large");
    e->kind = EXPR_NUMBER;
    advance(r, r->at + n);
    return 0;
}

static int read_call(struct reader *r, struct expr *e, unsigned depth);

/* A path, a literal or a subexpression. */
static int read_expr(struct reader *r, unsigned depth, struct expr **out) {
    struct expr *e = make(r, sizeof *e);
    char c = peek(r, 0);
    size_t n;
    *out = e;
    if (!e) return -1;
    e->place = here(r);
    if (c == '(') return read_call(r, e, depth);
    if (c == '"' || c == '\'') {
        e->kind = EXPR_TEXT;
        return read_enclosed(r, c, &e->text);
    }
    if ((n = number_length(rest(r))) > 0) return read_number(r, e, n);
    if ((n = word_length(rest(r), &e->kind)) > 0) {
        e->text = slice_make(r->text.at + r->at, n);
        advance(r, r->at + n);
        return 0;
    }
    return read_path(r, e);
}

static bool arguments_end(const struct reader *r) {
    char c = peek(r, 0);
    return c == 0 || c == '}' || c == '~' || c == ')' || c == '|';
}

/* "as |": what stands before block parameters. */
static bool before_names(const struct reader *r) {
    struct slice all = rest(r);
    if (!slice_starts(all, SLICE("as"))) return false;
    size_t n = 2, step;
    while ((step = script_space_front(slice_skip(all, n))) > 0)
        n += step;
    return n > 2 && n < all.len && all.at[n] == '|';
}

/* Positional arguments, then key=value. */
static int read_arguments(struct reader *r, unsigned depth, struct argument **params,
                          struct argument **hash) {
    struct argument **last = params, **last_pair = hash;
    for (skip_space(r); !arguments_end(r) && !before_names(r); skip_space(r)) {
        struct argument *a = make(r, sizeof *a);
        struct place at = here(r);
        if (!a || read_expr(r, depth, &a->value)) return -1;
        struct expr *e = a->value;
        struct reader before = *r;
        bool name = e->kind == EXPR_PATH && !e->data && e->count + e->up <= 1 && !strchr("/", peek(r, 0));
        if (name) skip_space(r);
        if (name && peek(r, 0) == '=') {
            a->key = e->text;
            advance(r, r->at + 1);
            skip_space(r);
            if (read_expr(r, depth, &a->value)) return -1;
            *last_pair = a;
            last_pair = &a->next;
            continue;
        }
        *r = before;
        if (*hash) return place_fail(at, r->err, "after key=value only key=value can follow");
        *last = a;
        last = &a->next;
    }
    return 0;
}

static int read_call(struct reader *r, struct expr *e, unsigned depth) {
    e->kind = EXPR_CALL;
    if (depth == EXPR_DEPTH_MAX)
        return place_fail(e->place, r->err, "more than %d subexpressions in each other", EXPR_DEPTH_MAX);
    advance(r, r->at + 1);
    skip_space(r);
    if (peek(r, 0) == '(') return place_fail(here(r), r->err, "a helper's name is expected here");
    if (read_expr(r, depth + 1, &e->head) || read_arguments(r, depth + 1, &e->params, &e->hash)) return -1;
    e->text = e->head->text;
    if (peek(r, 0) != ')') return place_fail(e->place, r->err, "this ( is never closed");
    advance(r, r->at + 1);
    return 0;
}

/* as |a b| */
static int read_names(struct reader *r, struct block_tag *t) {
    struct slice names[8];
    bool literal;
    while (peek(r, 0) != '|')
        advance(r, r->at + 1);
    advance(r, r->at + 1);
    for (skip_space(r); peek(r, 0) != '|'; skip_space(r)) {
        if (t->name_count == sizeof names / sizeof *names)
            return place_fail(here(r), r->err, "too many block parameters");
        if (read_part(r, &names[t->name_count++], &literal)) return -1;
    }
    if (t->name_count == 0) return place_fail(here(r), r->err, "a block parameter's name is expected here");
    advance(r, r->at + 1);
    struct slice *kept = make(r, sizeof names);
    if (!kept) return -1;
    memcpy(kept, names, t->name_count * sizeof *names);
    t->names = kept;
    skip_space(r);
    return 0;
}

/* The tag's end: "}}", or "}}}" when triple. */
static int read_close(struct reader *r, bool triple, struct place from, bool *strip) {
    struct slice all = rest(r);
    bool four = slice_starts(all, SLICE("}}}}"));
    bool three = !four && (slice_starts(all, SLICE("}}}")) || slice_starts(all, SLICE("}~}}")));
    bool two = !four && !three && (slice_starts(all, SLICE("}}")) || slice_starts(all, SLICE("~}}")));
    if (triple ? !three : !two) {
        if (all.len == 0) return place_fail(from, r->err, "this tag is never closed");
        return place_fail(here(r), r->err, "%s is expected here, the end of the tag of line %u, column %u",
                          triple ? "}}}" : "}}", from.line, from.column);
    }
    *strip = all.at[triple] == '~';
    advance(r, r->at + 2 + triple + *strip);
    return 0;
}

/* --- Tags --- */

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
    struct slice all = rest(r);
    struct tag t = {.kind = TAG_END};
    if (all.len == 0) return t;
    if (slice_starts(all, SLICE("{{{{"))) return (struct tag){TAG_RAW_BLOCK, 4, {false, false}};
    t.strip.open = peek(r, 2) == '~';
    size_t n = 2 + t.strip.open;
    char c = peek(r, n), d = peek(r, n + 1);
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
    struct node *n = make(r, sizeof *n);
    if (!n) return NULL;
    n->kind = kind;
    n->place = at;
    append(body, n);
    return n;
}

static int add_text(struct reader *r, struct body *body, size_t from, size_t to) {
    if (from == to) return 0;
    struct node *n = add(r, body, NODE_TEXT, here(r));
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
    struct place at = here(r);
    bool dashes = slice_starts(slice_skip(rest(r), t->length), SLICE("--"));
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
    advance(r, end + 2);
    return 0;
}

/* A column whose name could not be a path ("First Name") may stand in a tag alone. */
static struct expr *whole_column(struct reader *r, bool triple) {
    enum { LONGEST = 256 };
    struct slice all = rest(r);
    size_t n = 0;
    bool odd = false;
    while (n < all.len && n < LONGEST && !strchr("{}~\r\n", all.at[n]))
        odd |= !name_char(all.at[n++]);
    struct slice name = slice_trim(slice_make(all.at, n));
    if (!odd || name.len == 0 || !slice_starts(slice_skip(all, n), triple ? SLICE("}}}") : SLICE("}}")))
        return NULL;
    if (memchr(name.at, ' ', name.len) == NULL || vocabulary_column(r->words, name) < 0) return NULL;
    struct expr *e = make(r, sizeof *e);
    struct slice *part = make(r, sizeof *part);
    if (!e || !part) return NULL;
    *part = name;
    *e = (struct expr){.kind = EXPR_PATH, .place = here(r), .text = name, .parts = part, .count = 1};
    advance(r, r->at + n);
    return e;
}

static int read_print(struct reader *r, struct body *body, const struct tag *t) {
    struct place at = here(r);
    bool triple = t->kind == TAG_TRIPLE;
    struct node *n = add(r, body, NODE_PRINT, at);
    if (!n) return -1;
    n->raw = t->kind != TAG_PRINT;
    n->open.open = t->strip.open;
    advance(r, r->at + t->length);
    n->head = whole_column(r, triple);
    if (n->head) return read_close(r, triple, at, &n->open.close);
    skip_space(r);
    if (peek(r, 0) == '}' || peek(r, 0) == '~') return place_fail(at, r->err, "no name between the braces");
    if (peek(r, 0) == '(') return place_fail(here(r), r->err, "a name is expected here");
    if (read_expr(r, 0, &n->head) || read_arguments(r, 0, &n->params, &n->hash)) return -1;
    n->head->place = at;
    return read_close(r, triple, at, &n->open.close);
}

static int read_partial(struct reader *r, struct body *body, const struct tag *t) {
    struct place at = here(r);
    struct node *n = add(r, body, NODE_PARTIAL, at);
    if (!n) return -1;
    n->open.open = t->strip.open;
    advance(r, r->at + t->length);
    skip_space(r);
    if (read_expr(r, 0, &n->head) || read_arguments(r, 0, &n->params, &n->hash)) return -1;
    return read_close(r, false, at, &n->open.close);
}

/* What stands in a block's opening tag behind {{# */
static int read_block_tag(struct reader *r, const struct tag *t, bool names, struct block_tag *out) {
    struct place at = here(r);
    *out = (struct block_tag){.strip = {t->strip.open, false}};
    advance(r, r->at + t->length);
    skip_space(r);
    if (peek(r, 0) == '}' || peek(r, 0) == '~') return place_fail(at, r->err, "no name between the braces");
    if (read_expr(r, 0, &out->head) || read_arguments(r, 0, &out->params, &out->hash)) return -1;
    out->head->place = at;
    if (names && before_names(r) && read_names(r, out)) return -1;
    return read_close(r, false, at, &out->strip.close);
}

static int read_body(struct reader *r, unsigned depth, struct body **out, struct tag *end);

static struct body *one_node(struct reader *r, struct node *node) {
    struct body *b = make(r, sizeof *b);
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
        struct place at = here(r);
        if (links + depth > NODE_CHAIN_MAX)
            return place_fail(at, r->err, "more than %d {{else ...}} in one block", NODE_CHAIN_MAX);
        if (read_block_tag(r, end, true, &t)) return -1;
        struct node *next = make(r, sizeof *next);
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
    advance(r, r->at + end->length);
    return read_body(r, depth + 1, inverse, end);
}

static int read_end(struct reader *r, struct node *block, const struct tag *end) {
    struct place at = here(r);
    struct expr *name = NULL;
    assert(block->head);
    if (end->kind == TAG_END)
        return place_fail(block->place, r->err, "this block ('%.*s') is never closed",
                          SLICE_ARG(block->head->text));
    if (end->kind != TAG_CLOSE)
        return place_fail(at, r->err, "a second {{else}}, or one that can't stand here");
    block->close.open = end->strip.open;
    advance(r, r->at + end->length);
    skip_space(r);
    if (read_expr(r, 0, &name) || !name) return -1;
    if (!slice_eq(name->text, block->head->text) || name->kind != block->head->kind)
        return place_fail(at, r->err, "'%.*s' is closed here, but '%.*s' of line %u, column %u is open",
                          SLICE_ARG(name->text), SLICE_ARG(block->head->text), block->place.line,
                          block->place.column);
    skip_space(r);
    return read_close(r, false, at, &block->close.close);
}

static int read_block(struct reader *r, struct body *body, const struct tag *t, unsigned depth) {
    struct place at = here(r);
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
    struct place at = here(r);
    struct node *n = add(r, body, NODE_BLOCK, at);
    if (!n || !(n->program = make(r, sizeof *n->program))) return -1;
    (void)depth;
    advance(r, r->at + 4);
    skip_space(r);
    if (read_expr(r, 0, &n->head) || read_arguments(r, 0, &n->params, &n->hash)) return -1;
    if (!slice_starts(rest(r), SLICE("}}}}")))
        return place_fail(here(r), r->err, "}}}} is expected here, the end of the tag of line %u, column %u",
                          at.line, at.column);
    advance(r, r->at + 4);
    for (unsigned inside = 1; inside;) {
        size_t braces = find(r, r->at, SLICE("{{{{"));
        if (braces == r->text.len) return place_fail(at, r->err, "this raw block is never closed");
        if (add_text(r, n->program, r->at, braces)) return -1;
        advance(r, braces);
        bool close = peek(r, 4) == '/';
        size_t end = braces + 4 + close;
        while (close && end < r->text.len && name_char(r->text.at[end]))
            end++;
        close = close && slice_starts(slice_skip(r->text, end), SLICE("}}}}"));
        inside = close ? inside - 1 : inside + (peek(r, 4) != '/');
        struct slice name = slice_make(r->text.at + braces + 5, close ? end - braces - 5 : 0);
        size_t to = close ? end + 4 : braces + 4;
        if (inside && add_text(r, n->program, braces, to)) return -1;
        if (!inside && !slice_eq(name, n->head->text))
            return place_fail(here(r), r->err, "'%.*s' is closed here, but '%.*s' is open", SLICE_ARG(name),
                              SLICE_ARG(n->head->text));
        advance(r, to);
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
        advance(r, braces);
        if (slashes != 1) return 0;
        size_t end = escaped_end(r, braces);
        if (add_text(r, body, braces, end)) return -1;
        advance(r, end);
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
        return place_fail(here(r), r->err, "decorators are not known here, but for {{#*inline \"name\"}}");
    default: return read_block(r, body, t, depth);
    }
}

/* Up to a tag that is not the body's own ({{/x}}, {{else}} or the end), which is at r->at then. */
static int read_body(struct reader *r, unsigned depth, struct body **out, struct tag *end) {
    struct body *body = *out = make(r, sizeof *body);
    if (!body) return -1;
    for (;;) {
        if (read_text(r, body)) return -1;
        r->tag = here(r);
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
    return place_fail(here(&r), err, "%s",
                      end.kind == TAG_CLOSE ? "nothing is open that could be closed here"
                                            : "{{else}} outside of a block");
}
