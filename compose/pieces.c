/* The template language's reader: text with {{name}} into pieces. Knows nothing of mails. */
#include "program.h"

#include <stdio.h>

enum { TEMPLATE_TEXT_MAX = 4 * 1024 * 1024 };

struct reader {
    struct slice text;
    const char *part;
    const struct columns *columns;
    struct arena *arena;
    struct pieces *out;
    size_t room; /* pieces allocated */
    size_t at;
    size_t line_start;
    unsigned line;
    struct err *err;
};

/* Moves on to `to`, counting lines (LF, CRLF, or CR alone). */
static void advance(struct reader *r, size_t to) {
    for (; r->at < to; r->at++) {
        char c = r->text.at[r->at];
        bool crlf = c == '\r' && r->at + 1 < r->text.len && r->text.at[r->at + 1] == '\n';
        if (c != '\n' && (c != '\r' || crlf)) continue;
        r->line++;
        r->line_start = r->at + 1;
    }
}

/* Characters, not bytes: what an editor shows. */
static unsigned place(const struct reader *r) {
    unsigned n = 1;
    for (size_t i = r->line_start; i < r->at; i++)
        n += (r->text.at[i] & 0xC0) != 0x80;
    return n;
}

static int complain(struct reader *r, const char *what) {
    return err_set(r->err, ERR_INPUT, "%s, line %u, column %u: %s", r->part, r->line, place(r), what);
}

static int add(struct reader *r, struct piece piece) {
    if (r->out->count == r->room) {
        size_t room = r->room ? r->room * 2 : 8;
        struct piece *more = arena_alloc(r->arena, room * sizeof *more);
        if (!more) return err_set(r->err, ERR_SYSTEM, "%s: no memory for the template", r->part);
        if (r->out->count) memcpy(more, r->out->at, r->out->count * sizeof *more);
        r->out->at = more;
        r->room = room;
    }
    r->out->at[r->out->count++] = piece;
    return 0;
}

static int add_text(struct reader *r, size_t from, size_t to) {
    if (from == to) return 0;
    struct piece piece = {.line = r->line, .place = 1, .part = r->part};
    if (!arena_copy(r->arena, slice_make(r->text.at + from, to - from), &piece.text))
        return err_set(r->err, ERR_SYSTEM, "%s: no memory for the template", r->part);
    return add(r, piece);
}

static int unknown_column(struct reader *r, struct slice name) {
    char list[256];
    size_t n = 0;
    for (size_t i = 0; i < r->columns->count; i++) {
        struct slice known = r->columns->names[i];
        if (n + known.len + 2 > sizeof list) break;
        if (n) list[n++] = ',', list[n++] = ' ';
        memcpy(list + n, known.at, known.len);
        n += known.len;
    }
    return err_set(r->err, ERR_INPUT, "%s, line %u, column %u: no column is called '%.*s' (there are: %.*s)",
                   r->part, r->line, place(r), name.len > 64 ? 64 : (int)name.len, name.at, (int)n, list);
}

/* The tag that starts at r->at; moves behind it. */
static int read_tag(struct reader *r) {
    struct slice rest = slice_skip(r->text, r->at);
    bool raw = slice_starts(rest, SLICE("{{{"));
    size_t mark = raw ? 3 : 2;
    struct slice inside = slice_skip(rest, mark);
    size_t n = 0;
    while (n < inside.len && !(inside.at[n] && strchr("{}\r\n", inside.at[n])))
        n++;
    if (!slice_starts(slice_skip(inside, n), raw ? SLICE("}}}") : SLICE("}}")))
        return complain(r, raw ? "'{{{' without '}}}'" : "'{{' without '}}'");
    struct slice name = slice_trim(slice_make(inside.at, n));
    if (name.len == 0) return complain(r, "no name between the braces");
    if (strchr("#/^>!&", name.at[0]))
        return complain(r, "only {{name}} and {{{name}}} are known here; write \\{{ for braces");
    for (size_t i = 0; i < r->columns->count; i++) {
        if (!slice_eq(name, r->columns->names[i])) continue;
        struct piece piece = {.text = r->columns->names[i],
                              .variable = true,
                              .raw = raw,
                              .column = (uint32_t)i,
                              .line = r->line,
                              .place = place(r),
                              .part = r->part};
        advance(r, r->at + mark + n + mark);
        return add(r, piece);
    }
    return unknown_column(r, name);
}

/* How many backslashes stand right before `at`, from `from` on. */
static size_t backslashes(const struct reader *r, size_t from, size_t at) {
    size_t n = 0;
    while (at - n > from && r->text.at[at - n - 1] == '\\')
        n++;
    return n;
}

/* Index of the next "{{" from r->at on, or the end. */
static size_t next_braces(const struct reader *r) {
    size_t at = r->at;
    while (at < r->text.len) {
        const char *brace = memchr(r->text.at + at, '{', r->text.len - at);
        if (!brace) break;
        at = (size_t)(brace - r->text.at);
        if (at + 1 < r->text.len && brace[1] == '{') return at;
        at++;
    }
    return r->text.len;
}

int pieces_parse(struct slice text, const char *part, const struct columns *columns, struct arena *arena,
                 struct pieces *out, struct err *err) {
    struct reader r = {text, part, columns, arena, out, 0, 0, 0, 1, err};
    *out = (struct pieces){NULL, 0};
    if (text.len > TEMPLATE_TEXT_MAX) return err_set(err, ERR_INPUT, "%s: larger than 4 MB", part);
    while (r.at < text.len) {
        size_t from = r.at, braces = next_braces(&r);
        size_t slashes = braces < text.len ? backslashes(&r, from, braces) : 0;
        /* As in Handlebars: \{{ is a literal {{, \\{{ a backslash and then a tag. */
        if (add_text(&r, from, braces - (slashes > 0))) return -1;
        advance(&r, braces);
        if (braces == text.len) break;
        if (slashes == 1) {
            if (add_text(&r, braces, braces + 2)) return -1;
            advance(&r, braces + 2);
        } else if (read_tag(&r)) {
            return -1;
        }
    }
    return 0;
}

bool pieces_fixed(const struct pieces *p) {
    for (size_t i = 0; i < p->count; i++)
        if (p->at[i].variable) return false;
    return true;
}

void pieces_join(const struct pieces *p, struct buf *out) {
    for (size_t i = 0; i < p->count; i++)
        buf_put_slice(out, p->at[i].text);
}
