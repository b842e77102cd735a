/* What stands inside of a template's tags: paths, literals, subexpressions, arguments. */
#include "codec.h"
#include "script_reader.h"

#include <stdarg.h>
#include <stdio.h>

int place_fail(struct place at, struct err *err, const char *format, ...) {
    char text[sizeof err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(err, ERR_INPUT, "%s, line %u, column %u: %s", at.part, at.line, at.column, text);
}

/* Moves on to `to`, counting lines (LF, CRLF, or CR alone) and characters. */
void reader_advance(struct reader *r, size_t to) {
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

struct place reader_here(const struct reader *r) {
    return (struct place){r->part, r->line, r->column};
}

struct slice reader_rest(const struct reader *r) {
    return slice_skip(r->text, r->at);
}

/* The character `ahead` bytes further; NUL at the end (a text holds no NUL). */
char reader_peek(const struct reader *r, size_t ahead) {
    return r->at + ahead < r->text.len ? r->text.at[r->at + ahead] : 0;
}

int reader_no_memory(const struct reader *r) {
    return err_set(r->err, ERR_INPUT, "%s: too many tags: the template does not fit into memory", r->part);
}

void *reader_make(struct reader *r, size_t n) {
    void *made = arena_zalloc(r->arena, n);
    if (!made) reader_no_memory(r);
    return made;
}

void reader_skip_space(struct reader *r) {
    size_t n;
    while ((n = script_space_front(reader_rest(r))) > 0)
        reader_advance(r, r->at + n);
}

bool reader_name_char(char c) {
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
    struct slice all = reader_rest(r);
    size_t n = 1;
    while (n < all.len && all.at[n] != close)
        n += all.at[n] == '\\' && n + 1 < all.len && all.at[n + 1] == close ? 2 : 1;
    if (n >= all.len) return place_fail(reader_here(r), r->err, "this %c is never closed", all.at[0]);
    char *to = reader_make(r, n);
    size_t length = 0;
    if (!to) return -1;
    for (size_t i = 1; i < n; i++) {
        bool escape = all.at[i] == '\\' && i + 1 < n &&
                      (all.at[i + 1] == close || (close == ']' && all.at[i + 1] == '\\'));
        i += escape;
        to[length++] = all.at[i];
    }
    reader_advance(r, r->at + n + 1);
    *out = slice_make(to, length);
    return 0;
}

/* One part of a path. */
static int read_part(struct reader *r, struct slice *part, bool *literal) {
    struct slice all = reader_rest(r);
    size_t n = 0;
    *literal = reader_peek(r, 0) == '[';
    if (*literal) return read_enclosed(r, ']', part);
    if (slice_starts(all, SLICE("..")))
        n = 2;
    else if (slice_starts(all, SLICE(".")))
        n = ends_name(slice_skip(all, 1));
    else
        while (n < all.len && reader_name_char(all.at[n]) && script_space_front(slice_skip(all, n)) == 0)
            n++;
    if (n == 0 || (all.at[0] != '.' && !ends_name(slice_skip(all, n)))) {
        if (n == all.len) return place_fail(r->tag, r->err, "this tag is never closed");
        size_t most = codec_utf8_next(all);
        return place_fail(reader_here(r), r->err, "'%.*s' can't stand here", (int)(most ? most : 1), all.at);
    }
    *part = slice_make(all.at, n);
    reader_advance(r, r->at + n);
    return 0;
}

/* Takes the . or / that leads to another part, and the white space around it; 0 when there is none. */
static char take_separator(struct reader *r) {
    struct reader before = *r;
    reader_skip_space(r);
    char c = reader_peek(r, 0);
    if (c == '/' || (c == '.' && reader_peek(r, 1) != '.' && !ends_name(slice_skip(reader_rest(r), 1)))) {
        reader_advance(r, r->at + 1);
        reader_skip_space(r);
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
    if (!ok) return reader_no_memory(r);
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
    e->data = reader_peek(r, 0) == '@';
    if (e->data) {
        buf_put_c(&text, '@');
        reader_advance(r, r->at + 1);
        reader_skip_space(r);
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
    if (rc == 0 && (!value_take(&packed, &v) || !arena_copy(r->arena, v.bytes, &e->text)))
        rc = reader_no_memory(r);
    buf_done(&text), buf_done(&out);
    if (rc) return place_fail(e->place, r->err, "this number is too large");
    e->kind = EXPR_NUMBER;
    reader_advance(r, r->at + n);
    return 0;
}

static int read_call(struct reader *r, struct expr *e, unsigned depth);

/* A path, a literal or a subexpression. */
int reader_expr(struct reader *r, unsigned depth, struct expr **out) {
    struct expr *e = reader_make(r, sizeof *e);
    char c = reader_peek(r, 0);
    size_t n;
    *out = e;
    if (!e) return -1;
    e->place = reader_here(r);
    if (c == '(') return read_call(r, e, depth);
    if (c == '"' || c == '\'') {
        e->kind = EXPR_TEXT;
        return read_enclosed(r, c, &e->text);
    }
    if ((n = number_length(reader_rest(r))) > 0) return read_number(r, e, n);
    if ((n = word_length(reader_rest(r), &e->kind)) > 0) {
        e->text = slice_make(r->text.at + r->at, n);
        reader_advance(r, r->at + n);
        return 0;
    }
    return read_path(r, e);
}

static bool arguments_end(const struct reader *r) {
    char c = reader_peek(r, 0);
    return c == 0 || c == '}' || c == '~' || c == ')' || c == '|';
}

/* "as |": what stands before block parameters. */
bool reader_before_names(const struct reader *r) {
    struct slice all = reader_rest(r);
    if (!slice_starts(all, SLICE("as"))) return false;
    size_t n = 2, step;
    while ((step = script_space_front(slice_skip(all, n))) > 0)
        n += step;
    return n > 2 && n < all.len && all.at[n] == '|';
}

/* Positional arguments, then key=value. */
int reader_arguments(struct reader *r, unsigned depth, struct argument **params, struct argument **hash) {
    struct argument **last = params, **last_pair = hash;
    for (reader_skip_space(r); !arguments_end(r) && !reader_before_names(r); reader_skip_space(r)) {
        struct argument *a = reader_make(r, sizeof *a);
        struct place at = reader_here(r);
        if (!a || reader_expr(r, depth, &a->value)) return -1;
        struct expr *e = a->value;
        struct reader before = *r;
        bool name =
            e->kind == EXPR_PATH && !e->data && e->count + e->up <= 1 && !strchr("/", reader_peek(r, 0));
        if (name) reader_skip_space(r);
        if (name && reader_peek(r, 0) == '=') {
            a->key = e->text;
            reader_advance(r, r->at + 1);
            reader_skip_space(r);
            if (reader_expr(r, depth, &a->value)) return -1;
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
    reader_advance(r, r->at + 1);
    reader_skip_space(r);
    if (reader_peek(r, 0) == '(')
        return place_fail(reader_here(r), r->err, "a helper's name is expected here");
    if (reader_expr(r, depth + 1, &e->head) || reader_arguments(r, depth + 1, &e->params, &e->hash))
        return -1;
    e->text = e->head->text;
    if (reader_peek(r, 0) != ')') return place_fail(e->place, r->err, "this ( is never closed");
    reader_advance(r, r->at + 1);
    return 0;
}

/* as |a b| */
int reader_names(struct reader *r, struct block_tag *t) {
    struct slice names[8];
    bool literal;
    while (reader_peek(r, 0) != '|')
        reader_advance(r, r->at + 1);
    reader_advance(r, r->at + 1);
    for (reader_skip_space(r); reader_peek(r, 0) != '|'; reader_skip_space(r)) {
        if (t->name_count == sizeof names / sizeof *names)
            return place_fail(reader_here(r), r->err, "too many block parameters");
        if (read_part(r, &names[t->name_count++], &literal)) return -1;
    }
    if (t->name_count == 0)
        return place_fail(reader_here(r), r->err, "a block parameter's name is expected here");
    reader_advance(r, r->at + 1);
    struct slice *kept = reader_make(r, sizeof names);
    if (!kept) return -1;
    memcpy(kept, names, t->name_count * sizeof *names);
    t->names = kept;
    reader_skip_space(r);
    return 0;
}

/* The tag's end: "}}", or "}}}" when triple. */
int reader_close(struct reader *r, bool triple, struct place from, bool *strip) {
    struct slice all = reader_rest(r);
    bool four = slice_starts(all, SLICE("}}}}"));
    bool three = !four && (slice_starts(all, SLICE("}}}")) || slice_starts(all, SLICE("}~}}")));
    bool two = !four && !three && (slice_starts(all, SLICE("}}")) || slice_starts(all, SLICE("~}}")));
    if (triple ? !three : !two) {
        if (all.len == 0) return place_fail(from, r->err, "this tag is never closed");
        return place_fail(reader_here(r), r->err,
                          "%s is expected here, the end of the tag of line %u, column %u",
                          triple ? "}}}" : "}}", from.line, from.column);
    }
    *strip = all.at[triple] == '~';
    reader_advance(r, r->at + 2 + triple + *strip);
    return 0;
}
