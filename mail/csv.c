/* The CSV reader. A line without a quote, as nearly all are, is cut at its commas by memchr; a line with one
 * is read field by field and may go on over further lines.
 *
 * What holds: the row under way lies in one piece in the buffer from `start`, and nothing in the buffer is
 * changed while it may have to be read again. */
#include "csv.h"

#include "arena.h"
#include "codec.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER = 2 * CSV_ROW_MAX, READ_AT_LEAST = 64 * 1024, NAMES_MAX = 2 * CSV_ROW_MAX, LOOK_MS = 200 };

struct csv {
    int fd; /* -1: bytes */
    const int *stop;
    struct slice bytes;
    char *buffer;
    size_t start; /* of the row under way */
    size_t end;   /* of what has been read */
    bool eof;
    bool begun;       /* the BOM has been looked for */
    bool skipping;    /* inside an overlong line of which nothing more is wanted */
    uint64_t line;    /* of buffer[start] */
    uint64_t gone;    /* bytes of the file before buffer[0] */
    size_t looked;    /* how far into the buffer the row under way was read */
    uint64_t suspect; /* place in the file up to which a bad row was read: lines before it are rows by
                       * themselves, so that a file full of open quotes is read twice at most */
    size_t columns;   /* 0: the first row is yet to come */
    char *unescaped;  /* fields with "" in them, written here */
    size_t unescaped_len;
    size_t count;
    struct slice fields[CSV_COLUMNS_MAX];
    struct arena arena; /* the names */
    struct slice *names;
    char why[96];
};

static struct csv *open_any(struct err *err) {
    struct csv *c = calloc(1, sizeof *c);
    char *buffer = malloc(BUFFER);
    char *unescaped = malloc(CSV_ROW_MAX);
    if (!c || !buffer || !unescaped) {
        free(c), free(buffer), free(unescaped);
        err_set(err, ERR_SYSTEM, "no memory to read CSV");
        return NULL;
    }
    c->buffer = buffer;
    c->unescaped = unescaped;
    c->fd = -1;
    c->line = 1;
    arena_init(&c->arena, NAMES_MAX);
    return c;
}

struct csv *csv_open(int fd, struct err *err) {
    struct csv *c = open_any(err);
    if (c) c->fd = fd;
    return c;
}

struct csv *csv_open_bytes(struct slice bytes, struct err *err) {
    struct csv *c = open_any(err);
    if (c) c->bytes = bytes;
    return c;
}

void csv_free(struct csv *c) {
    if (!c) return;
    arena_done(&c->arena);
    free(c->buffer);
    free(c->unescaped);
    free(c);
}

uint64_t csv_bytes_read(const struct csv *c) {
    return c->gone + c->start;
}

void csv_stop(struct csv *c, const int *stop) {
    c->stop = stop;
}

/* Until there is something to read or somebody wants to stop: then -1 with ECANCELED. */
static int wait_for_bytes(struct csv *c) {
    struct pollfd look = {.fd = c->fd, .events = POLLIN};
    while (poll(&look, 1, LOOK_MS) <= 0) {
        if (!__atomic_load_n(c->stop, __ATOMIC_RELAXED)) continue;
        errno = ECANCELED;
        return -1;
    }
    return 0;
}

/* Up to `most` bytes to `to`; 0 at the end, -1 with errno. */
static ssize_t read_some(struct csv *c, char *to, size_t most) {
    if (c->fd < 0) {
        size_t n = c->bytes.len < most ? c->bytes.len : most;
        if (n) memcpy(to, c->bytes.at, n);
        c->bytes = slice_skip(c->bytes, n);
        return (ssize_t)n;
    }
    for (;;) {
        if (c->stop && wait_for_bytes(c)) return -1;
        ssize_t n = read(c->fd, to, most);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN)) return n;
        if (errno == EAGAIN) poll(&(struct pollfd){.fd = c->fd, .events = POLLIN}, 1, LOOK_MS);
    }
}

/* Moves the row under way to the front and reads on behind it. */
static int refill(struct csv *c, struct err *err) {
    memmove(c->buffer, c->buffer + c->start, c->end - c->start);
    c->gone += c->start;
    c->end -= c->start;
    c->start = 0;
    size_t had = c->end;
    while (!c->eof && c->end < BUFFER && c->end - had < READ_AT_LEAST) {
        ssize_t n = read_some(c, c->buffer + c->end, BUFFER - c->end);
        if (n < 0 && errno == ECANCELED) return err_set(err, ERR_BUSY, "reading was stopped");
        if (n < 0) return err_errno(err, errno, "reading CSV near line %llu", (unsigned long long)c->line);
        if (n == 0) c->eof = true;
        c->end += (size_t)n;
    }
    if (!c->begun && slice_starts(slice_make(c->buffer, c->end), SLICE("\xEF\xBB\xBF"))) c->start = 3;
    c->begun = true;
    return 0;
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
        const char *comma = rest.len ? memchr(rest.at, ',', rest.len) : NULL;
        size_t n = comma ? (size_t)(comma - rest.at) : rest.len;
        enum progress p = add_field(c, slice_make(rest.at, n));
        if (p != WHOLE || !comma) return p;
        rest = slice_make(comma + 1, rest.len - n - 1);
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
    const char *b = c->buffer;
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

/* Index of the comma or line feed that ends the plain field which starts at `at`, or c->end. */
static size_t plain_end(const struct csv *c, size_t at) {
    while (at < c->end && c->buffer[at] != ',' && c->buffer[at] != '\n')
        at++;
    return at;
}

/* A row with quotes in it, from c->start; *used is its length with the line end, raw what is before it. */
static enum progress quoted_row(struct csv *c, size_t *used, struct slice *raw) {
    const char *b = c->buffer;
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

static bool ascii_only(struct slice s) {
    size_t i = 0;
    uint64_t seen = 0, word;
    for (; i + sizeof word <= s.len; i += sizeof word) {
        memcpy(&word, s.at + i, sizeof word);
        seen |= word;
    }
    for (; i < s.len; i++)
        seen |= (unsigned char)s.at[i];
    return (seen & UINT64_C(0x8080808080808080)) == 0;
}

/* What can be wrong with a row that is whole. */
static enum progress check_row(struct csv *c, struct slice raw) {
    if (raw.len > CSV_ROW_MAX) return bad(c, "the row is longer than 256 KB", 0);
    if (raw.len && memchr(raw.at, 0, raw.len)) return bad(c, "a NUL byte", 0);
    if (!ascii_only(raw) && !codec_utf8_valid(raw)) return bad(c, "not UTF-8", 0);
    if (c->columns && c->count != c->columns) {
        snprintf(c->why, sizeof c->why, "%zu field%s instead of %zu", c->count, c->count == 1 ? "" : "s",
                 c->columns);
        return BAD;
    }
    return WHOLE;
}

/* Consumes the first line of the bad row; its raw text is that line. */
static void hand_out_bad(struct csv *c, struct csv_row *row) {
    char *from = c->buffer + c->start;
    size_t have = c->end - c->start;
    const char *lf = memchr(from, '\n', have);
    size_t n = lf ? (size_t)(lf - from) : have;
    struct slice raw = without_cr(slice_make(from, n));
    if (raw.len > CSV_ROW_MAX) raw.len = CSV_ROW_MAX;
    *row = (struct csv_row){.line = c->line, .bad = c->why, .raw = raw};
    c->start += n + (lf != NULL);
    c->line += lf != NULL;
    c->skipping = !lf && !c->eof;
}

static void hand_out(struct csv *c, size_t used, struct slice raw, struct csv_row *row) {
    *row = (struct csv_row){.line = c->line, .fields = c->fields, .count = c->count, .raw = raw};
    const char *at = c->buffer + c->start, *end = at + used;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        c->line++;
        at++;
    }
    c->start += used;
}

/* Drops what is left of an overlong line. */
static void skip_line(struct csv *c) {
    const char *lf = memchr(c->buffer + c->start, '\n', c->end - c->start);
    c->start = lf ? (size_t)(lf - c->buffer) + 1 : c->end;
    c->line += lf != NULL;
    c->skipping = !lf && !c->eof;
}

/* A row with quotes whose first line is of `line` bytes, with its line end. */
static enum progress row_with_quotes(struct csv *c, size_t line, size_t *used, struct slice *raw) {
    size_t end = c->end;
    bool eof = c->eof;
    bool alone = c->gone + c->start + line <= c->suspect;
    if (alone) c->end = c->start + line, c->eof = true;
    c->looked = c->start;
    enum progress p = quoted_row(c, used, raw);
    c->end = end, c->eof = eof;
    if (p == MORE && end - c->start > CSV_ROW_MAX) {
        c->looked = end;
        p = bad(c, "the row is longer than 256 KB", 0);
    }
    if (p == BAD && c->gone + c->looked > c->suspect) c->suspect = c->gone + c->looked;
    return p;
}

/* Tries to make a row of what is in the buffer. */
static enum progress try_row(struct csv *c, size_t *used, struct slice *raw) {
    const char *from = c->buffer + c->start;
    size_t have = c->end - c->start;
    const char *lf = memchr(from, '\n', have);
    c->count = c->unescaped_len = 0;
    if (!lf && !c->eof) return have > CSV_ROW_MAX ? bad(c, "the row is longer than 256 KB", 0) : MORE;
    struct slice line = slice_make(from, lf ? (size_t)(lf - from) : have);
    enum progress p;
    if (line.len > CSV_ROW_MAX + 1) return bad(c, "the row is longer than 256 KB", 0);
    if (memchr(line.at, '"', line.len)) {
        p = row_with_quotes(c, line.len + (lf != NULL), used, raw);
    } else {
        *used = line.len + (lf != NULL);
        *raw = without_cr(line);
        p = cut_line(c, *raw);
    }
    if (p == WHOLE && raw->len == 0) return WHOLE;
    return p == WHOLE ? check_row(c, *raw) : p;
}

static int next_row(struct csv *c, struct csv_row *row, struct err *err) {
    for (;;) {
        size_t used = 0;
        struct slice raw = {NULL, 0};
        if (c->skipping) skip_line(c);
        enum progress p = MORE;
        if (c->begun && c->start < c->end && !c->skipping) p = try_row(c, &used, &raw);
        if (p == WHOLE && raw.len) {
            hand_out(c, used, raw, row);
            return 1;
        }
        if (p == BAD) {
            hand_out_bad(c, row);
            return 1;
        }
        if (p == WHOLE) {
            c->start += used; /* an empty line */
            c->line++;
        } else if (c->eof) {
            return 0;
        } else if (refill(c, err)) {
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
    int got = next_row(c, &row, err);
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

ptrdiff_t csv_find_column(const struct slice *names, size_t count, struct slice wanted) {
    for (size_t i = 0; i < count; i++)
        if (slice_eq_nocase(names[i], wanted)) return (ptrdiff_t)i;
    return -1;
}

ptrdiff_t csv_address_column(const struct slice *names, size_t count, struct slice wanted, struct err *err) {
    /* The surest first: "address" may well be a street's. */
    static const char *const usual[] = {
        "email",    "e-mail",       "email address",   "e-mail address", "email_address", "emailaddress",
        "mail",     "mail address", "mail_address",    "mailaddress",    "e_mail",        "メールアドレス",
        "メルアド", "eメール",      "Eメールアドレス", "電子メール",     "メール",        "recipient",
        "to",       "address",      "アドレス",
    };
    ptrdiff_t at = -1;
    if (wanted.len) at = csv_find_column(names, count, wanted);
    for (size_t i = 0; wanted.len == 0 && at < 0 && i < sizeof usual / sizeof *usual; i++)
        at = csv_find_column(names, count, slice_of(usual[i]));
    if (at >= 0) return at;
    char list[320];
    size_t n = 0;
    for (size_t i = 0; i < count && n + names[i].len + 3 < sizeof list; i++) {
        if (n) list[n++] = ',', list[n++] = ' ';
        memcpy(list + n, names[i].at, names[i].len);
        n += names[i].len;
    }
    if (wanted.len)
        return err_set(err, ERR_INPUT, "line 1: no column is called '%.*s'; there are: %.*s",
                       SLICE_ARG(wanted), (int)n, list);
    if (count == 1 && (slice_find(names[0], ';') >= 0 || slice_find(names[0], '\t') >= 0))
        return err_set(err, ERR_INPUT,
                       "line 1: there is but one column, '%.*s': columns are separated by commas here",
                       (int)n, list);
    return err_set(err, ERR_INPUT,
                   "line 1: no column looks like the address (email, mail, address...); there are: %.*s",
                   (int)n, list);
}
