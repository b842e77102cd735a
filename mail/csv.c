/* The CSV reader. A line without a quote, as nearly all are, is cut at its separators by memchr; a line with
 * one is read field by field and may go on over further lines.
 *
 * What holds: the row under way lies in one piece in the buffer from `start`, and nothing in the buffer is
 * changed while it may have to be read again. */
#include "csv.h"

#include "arena.h"
#include "codec.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAMES_MAX = 2 * CSV_ROW_MAX };

struct csv {
    struct listtext *text;
    struct listtext own;
    const char *b; /* the text's buffer */
    size_t start;  /* of the row under way: text->start */
    size_t end;    /* how far may be looked, and whether nothing comes behind it */
    bool eof;
    char separator;   /* 0 until the first row is seen */
    bool skipping;    /* inside an overlong line of which nothing more is wanted */
    size_t looked;    /* how far into the buffer the row under way was read */
    uint64_t suspect; /* place in the file up to which a bad row was read: lines before it are rows by
                       * themselves, so that a file full of open quotes is read twice at most */
    size_t columns;   /* 0: the first row is yet to come */
    char *unescaped;  /* fields with "" in them, written here */
    size_t unescaped_len;
    struct buf decoded; /* the fields of a row in CP932, in UTF-8 */
    size_t count;
    struct slice fields[CSV_COLUMNS_MAX];
    struct arena arena; /* the names */
    struct slice *names;
    char why[96];
};

struct csv *csv_open_text(struct listtext *text, struct err *err) {
    struct csv *c = calloc(1, sizeof *c);
    char *unescaped = malloc(CSV_ROW_MAX);
    if (!c || !unescaped) {
        free(c), free(unescaped);
        err_set(err, ERR_SYSTEM, "no memory to read CSV");
        return NULL;
    }
    c->text = text;
    c->unescaped = unescaped;
    buf_init(&c->decoded, CSV_ROW_MAX);
    arena_init(&c->arena, NAMES_MAX);
    return c;
}

/* So much that the fields don't move. */
static int make_room(struct csv *c, struct err *err) {
    if (c->text->charset != LIST_CP932 || c->decoded.at || buf_room(&c->decoded, CSV_ROW_MAX)) return 0;
    return err_set(err, ERR_SYSTEM, "no memory to read CSV");
}

static struct csv *open_own(int fd, struct slice bytes, struct err *err) {
    struct csv *c = csv_open_text(NULL, err);
    if (c && listtext_init(&c->own, fd, bytes, LIST_UNKNOWN, err)) {
        csv_free(c);
        return NULL;
    }
    if (c) c->text = &c->own;
    return c;
}

struct csv *csv_open(int fd, struct err *err) {
    return open_own(fd, (struct slice){NULL, 0}, err);
}

struct csv *csv_open_bytes(struct slice bytes, struct err *err) {
    return open_own(-1, bytes, err);
}

void csv_free(struct csv *c) {
    if (!c) return;
    listtext_done(&c->own);
    arena_done(&c->arena);
    buf_done(&c->decoded);
    free(c->unescaped);
    free(c);
}

uint64_t csv_bytes_read(const struct csv *c) {
    return c->text->gone + c->text->start;
}

char csv_separator(const struct csv *c) {
    return c->separator;
}

void csv_stop(struct csv *c, const int *stop) {
    c->text->stop = stop;
}

static struct slice without_cr(struct slice line) {
    if (line.len && line.at[line.len - 1] == '\r') line.len--;
    return line;
}

/* How reading a row went: it is whole, more bytes are needed, or c->why says what is wrong. */
enum progress { WHOLE, MORE, BAD };

static enum progress bad(struct csv *c, const char *what, size_t field) {
    if (field)
        snprintf(c->why, sizeof c->why, "%s %zu", what, field);
    else
        snprintf(c->why, sizeof c->why, "%s", what);
    return BAD;
}

static enum progress add_field(struct csv *c, struct slice field) {
    if (c->count == CSV_COLUMNS_MAX) return bad(c, "more than 256 fields", 0);
    if (field.len > CSV_FIELD_MAX) return bad(c, "more than 64 KB in field", c->count + 1);
    c->fields[c->count++] = field;
    return WHOLE;
}

/* A line without quotes. */
static enum progress cut_line(struct csv *c, struct slice line) {
    if (memchr(line.at, '\r', line.len)) return bad(c, "a carriage return without a line feed", 0);
    struct slice rest = line;
    for (;;) {
        const char *cut = rest.len ? memchr(rest.at, c->separator, rest.len) : NULL;
        size_t n = cut ? (size_t)(cut - rest.at) : rest.len;
        enum progress p = add_field(c, slice_make(rest.at, n));
        if (p != WHOLE || !cut) return p;
        rest = slice_make(cut + 1, rest.len - n - 1);
    }
}

/* The inside of a quoted field with each "" made one: into the side buffer, which a row can't overfill. */
static struct slice unescape(struct csv *c, struct slice inside) {
    char *to = c->unescaped + c->unescaped_len;
    size_t n = 0;
    for (size_t i = 0; i < inside.len; i++) {
        to[n++] = inside.at[i];
        if (inside.at[i] == '"') i++;
    }
    c->unescaped_len += n;
    return slice_make(to, n);
}

/* The quoted field that starts at `at`; *after is the index behind its closing quote. */
static enum progress quoted_field(struct csv *c, size_t at, size_t *after) {
    const char *b = c->b;
    size_t i = at + 1;
    bool escapes = false;
    for (;;) {
        size_t left = c->end - i, window = left < CSV_FIELD_MAX + 2 ? left : CSV_FIELD_MAX + 2;
        const char *quote = memchr(b + i, '"', window);
        c->looked = quote ? (size_t)(quote - b) + 1 : i + window;
        if (!quote && window < left)
            return bad(c, "the quote is not closed within 64 KB: field", c->count + 1);
        if (!quote && c->eof) return bad(c, "the quote is not closed: field", c->count + 1);
        if (!quote) return MORE;
        i = (size_t)(quote - b) + 1;
        if (i == c->end && !c->eof) return MORE;
        if (i == c->end || b[i] != '"') break;
        escapes = true;
        i++;
    }
    if (i - c->start > CSV_ROW_MAX) return bad(c, "the row is longer than 256 KB", 0);
    struct slice inside = slice_make(b + at + 1, i - at - 2);
    *after = i;
    return add_field(c, escapes ? unescape(c, inside) : inside);
}

/* Index of the separator or line feed that ends the plain field which starts at `at`, or c->end. */
static size_t plain_end(const struct csv *c, size_t at) {
    while (at < c->end && c->b[at] != c->separator && c->b[at] != '\n')
        at++;
    return at;
}

/* A row with quotes in it, from c->start; *used is its length with the line end, raw what is before it. */
static enum progress quoted_row(struct csv *c, size_t *used, struct slice *raw) {
    const char *b = c->b;
    size_t at = c->start;
    for (;;) {
        bool quoted = at < c->end && b[at] == '"';
        size_t end = at;
        enum progress p = quoted ? quoted_field(c, at, &end) : WHOLE;
        if (p != WHOLE) return p;
        size_t stop = plain_end(c, end); /* behind a closing quote that is where it has to be, but for a CR */
        if (stop > c->looked) c->looked = stop;
        if (stop == c->end && !c->eof) return MORE;
        if (stop - c->start > CSV_ROW_MAX + 1) return bad(c, "the row is longer than 256 KB", 0);
        bool last = stop == c->end || b[stop] == '\n';
        struct slice plain = slice_make(b + end, stop - end);
        if (last) plain = without_cr(plain);
        if (quoted && plain.len) return bad(c, "text after the closing quote of field", c->count);
        if (memchr(plain.at, '\r', plain.len)) return bad(c, "a carriage return without a line feed", 0);
        if (!quoted && (p = add_field(c, plain)) != WHOLE) return p;
        if (last) {
            *raw = slice_make(b + c->start, (size_t)(plain.at + plain.len - (b + c->start)));
            *used = stop - c->start + (stop < c->end);
            return WHOLE;
        }
        at = stop + 1;
    }
}

/* ';' or a tab when the row that names the columns has such a one outside of quotes, and no comma. */
static char guess_separator(struct slice line) {
    size_t commas = 0, semicolons = 0, tabs = 0;
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        char ch = line.at[i];
        quoted ^= ch == '"';
        if (quoted) continue;
        commas += ch == ',';
        semicolons += ch == ';';
        tabs += ch == '\t';
    }
    return commas || !(semicolons || tabs) ? ',' : semicolons >= tabs ? ';' : '\t';
}

/* The fields of a row in CP932 become UTF-8, in the side buffer. */
static enum progress decode(struct csv *c) {
    buf_reset(&c->decoded);
    for (size_t i = 0; i < c->count; i++) {
        size_t start = c->decoded.len, at = 0;
        enum cp932_kind kind = cp932_decode(c->text->cp932, c->fields[i], &c->decoded, &at);
        if (c->decoded.failed) return bad(c, "the row is longer than 256 KB", 0);
        if (kind == CP932_INVALID) return bad(c, "not CP932 (Shift_JIS): field", i + 1);
        if (kind == CP932_PRIVATE)
            return bad(c, "a character that only the sender's computer knows (gaiji): field", i + 1);
        if (c->decoded.len - start > CSV_FIELD_MAX) return bad(c, "more than 64 KB in field", i + 1);
        c->fields[i] = slice_make(c->decoded.at + start, c->decoded.len - start);
    }
    return WHOLE;
}

/* What can be wrong with a row that is whole. */
static enum progress check_row(struct csv *c, struct slice raw) {
    if (raw.len > CSV_ROW_MAX) return bad(c, "the row is longer than 256 KB", 0);
    if (memchr(raw.at, 0, raw.len)) return bad(c, "a NUL byte", 0);
    if (c->columns && c->count != c->columns) {
        snprintf(c->why, sizeof c->why, "%zu field%s instead of %zu", c->count, c->count == 1 ? "" : "s",
                 c->columns);
        return BAD;
    }
    if (listtext_is_ascii(c->text, raw.len)) return WHOLE;
    if (c->text->charset == LIST_CP932) return decode(c);
    return codec_utf8_valid(raw) ? WHOLE : bad(c, "not UTF-8", 0);
}

static void consume(struct csv *c, size_t bytes) {
    c->text->start = c->start += bytes;
}

/* Consumes the first line of the bad row; its raw text is that line. */
static void hand_out_bad(struct csv *c, struct csv_row *row) {
    const char *from = c->b + c->start;
    size_t have = c->end - c->start;
    const char *lf = memchr(from, '\n', have);
    size_t n = lf ? (size_t)(lf - from) : have;
    struct slice raw = without_cr(slice_make(from, n));
    if (raw.len > CSV_ROW_MAX) raw.len = CSV_ROW_MAX;
    *row = (struct csv_row){
        .line = c->text->line, .bad = c->why, .raw = raw, .ascii = listtext_is_ascii(c->text, raw.len)};
    consume(c, n + (lf != NULL));
    c->text->line += lf != NULL;
    c->skipping = !lf && !c->eof;
}

/* first: bytes of the row's first line, with its end. */
static void hand_out(struct csv *c, size_t first, size_t used, struct slice raw, struct csv_row *row) {
    *row = (struct csv_row){.line = c->text->line,
                            .fields = c->fields,
                            .count = c->count,
                            .raw = raw,
                            .ascii = listtext_is_ascii(c->text, raw.len)};
    c->text->line += first && c->b[c->start + first - 1] == '\n';
    const char *at = c->b + c->start + first, *end = c->b + c->start + used;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        c->text->line++;
        at++;
    }
    consume(c, used);
}

/* Drops what is left of an overlong line. */
static void skip_line(struct csv *c) {
    const char *lf = memchr(c->b + c->start, '\n', c->end - c->start);
    consume(c, (lf ? (size_t)(lf - c->b) + 1 : c->end) - c->start);
    c->text->line += lf != NULL;
    c->skipping = !lf && !c->eof;
}

/* A row with quotes whose first line is of `line` bytes, with its line end. */
static enum progress row_with_quotes(struct csv *c, size_t line, size_t *used, struct slice *raw) {
    size_t end = c->end;
    bool eof = c->eof;
    bool alone = c->text->gone + c->start + line <= c->suspect;
    if (alone) c->end = c->start + line, c->eof = true;
    c->looked = c->start;
    enum progress p = quoted_row(c, used, raw);
    c->end = end, c->eof = eof;
    if (p == MORE && end - c->start > CSV_ROW_MAX) {
        c->looked = end;
        p = bad(c, "the row is longer than 256 KB", 0);
    }
    if (p == BAD && c->text->gone + c->looked > c->suspect) c->suspect = c->text->gone + c->looked;
    return p;
}

/* Tries to make a row of what begins with that line, which has its end or is the file's last. */
static enum progress try_row(struct csv *c, struct slice line, size_t *used, struct slice *raw) {
    c->count = c->unescaped_len = 0;
    if (line.len > CSV_ROW_MAX + 2) return bad(c, "the row is longer than 256 KB", 0);
    if (memchr(line.at, '"', line.len)) return row_with_quotes(c, line.len, used, raw);
    *used = line.len;
    if (line.len && line.at[line.len - 1] == '\n') line.len--;
    *raw = without_cr(line);
    return cut_line(c, *raw);
}

/* Looks at the buffer as it is now; true when the line under way is complete, or can't become so. */
static bool look(struct csv *c, struct slice *line) {
    struct listtext *t = c->text;
    c->b = t->buffer, c->start = t->start, c->end = t->end, c->eof = t->eof;
    size_t have = c->end - c->start;
    const char *lf = have ? memchr(c->b + c->start, '\n', have) : NULL;
    *line = slice_make(c->b + c->start, lf ? (size_t)(lf - c->b) + 1 - c->start : have);
    return have && (lf || c->eof || have > CSV_ROW_MAX + 2);
}

/* Must the charset be known for the n bytes in front? */
static bool undecided(struct csv *c, size_t n) {
    return c->text->charset == LIST_UNKNOWN && !listtext_is_ascii(c->text, n);
}

static int next_row(struct csv *c, struct csv_row *row, struct err *err) {
    for (;;) {
        size_t used = 0;
        struct slice line, raw = {NULL, 0};
        bool ready = look(c, &line);
        if (c->skipping && line.len) {
            skip_line(c);
            continue;
        }
        enum progress p = MORE;
        bool decide = ready && undecided(c, line.len);
        if (ready && !decide) {
            if (!c->separator && line.at[0] != '\n' && line.at[0] != '\r')
                c->separator = guess_separator(line);
            p = try_row(c, line, &used, &raw);
            decide = p == WHOLE && undecided(c, raw.len);
        }
        if (decide) {
            if (listtext_decide(c->text, err) < 0 || make_room(c, err)) return -1;
            continue;
        }
        if (p == WHOLE && raw.len) p = check_row(c, raw);
        if (p == WHOLE && raw.len) {
            hand_out(c, line.len, used, raw, row);
            return 1;
        }
        if (p == BAD) {
            hand_out_bad(c, row);
            return 1;
        }
        if (p == WHOLE) {
            consume(c, used); /* an empty line */
            c->text->line++;
        } else if (c->eof) {
            return 0;
        } else if (listtext_fill(c->text, err)) {
            return -1;
        }
    }
}

static int keep_names(struct csv *c, const struct csv_row *row, struct err *err) {
    c->names = arena_alloc(&c->arena, row->count * sizeof *c->names);
    if (!c->names) return err_set(err, ERR_SYSTEM, "no memory for the names of columns");
    for (size_t i = 0; i < row->count; i++) {
        if (!arena_copy(&c->arena, slice_trim(row->fields[i]), &c->names[i]))
            return err_set(err, ERR_SYSTEM, "no memory for the names of columns");
        for (size_t j = 0; j < i; j++)
            if (c->names[i].len && slice_eq(c->names[i], c->names[j]))
                return err_set(err, ERR_INPUT, "line %llu: two columns are called '%.*s'",
                               (unsigned long long)row->line, SLICE_ARG(c->names[i]));
    }
    c->columns = row->count;
    return 0;
}

int csv_header(struct csv *c, const struct slice **names, size_t *count, struct err *err) {
    assert(c->columns == 0);
    struct csv_row row;
    int got = make_room(c, err) ? -1 : next_row(c, &row, err);
    if (got < 0) return -1;
    if (got == 0) return err_set(err, ERR_INPUT, "the file is empty: its first row must name the columns");
    if (row.bad)
        return err_set(err, ERR_INPUT, "line %llu: the row that names the columns: %s",
                       (unsigned long long)row.line, row.bad);
    if (keep_names(c, &row, err)) return -1;
    *names = c->names;
    *count = c->columns;
    return 0;
}

int csv_next(struct csv *c, struct csv_row *row, struct err *err) {
    assert(c->columns != 0);
    return next_row(c, row, err);
}
