/* One face for the readers of lists. */
#include "audience.h"

#include "address.h"
#include "csv.h"
#include "jsonl.h"
#include "value.h"

#include <stdlib.h>

struct audience {
    struct listtext text;
    struct csv *csv; /* one of the two */
    struct jsonl *jsonl;
    struct audience_columns columns;
    struct slice names[2], values[2]; /* of JSON lines */
};

/* ---- opening ---- */

/* What the text begins with, behind blanks and empty lines. */
static struct slice front(const struct listtext *t) {
    return slice_trim(slice_make(t->buffer + t->start, t->end - t->start));
}

static bool is_json_array(struct slice text) {
    if (!slice_starts(text, SLICE("["))) return false;
    text = slice_trim(slice_skip(text, 1));
    return text.len == 0 || text.at[0] == '{';
}

/* A file without a header: its first person must not be lost as the name of a column. */
static int check_header(const struct audience *a, struct err *err) {
    struct arena arena;
    struct address found;
    int failed = 0;
    arena_init(&arena, 64 * 1024);
    for (size_t i = 0; i < a->columns.count && !failed; i++) {
        struct slice name = a->columns.names[i];
        if (slice_find(name, '@') >= 0 && address_parse(address_trim(name), &arena, &found, NULL) == 0)
            failed =
                err_set(err, ERR_INPUT, "the first row must name the columns, but it holds an address: %.*s",
                        SLICE_ARG(name));
        arena_reset(&arena);
        if (slice_eq(name, SLICE(DATA_COLUMN)))
            failed = err_set(err, ERR_INPUT, "column %zu is called '" DATA_COLUMN "': give it a name", i + 1);
        if (slice_find(name, '\n') >= 0)
            failed = err_set(err, ERR_INPUT, "the name of column %zu has a line break in it", i + 1);
    }
    arena_done(&arena);
    return failed;
}

static int open_csv(struct audience *a, const struct audience_options *o, struct err *err) {
    a->csv = csv_open_text(&a->text, err);
    if (!a->csv || csv_header(a->csv, &a->columns.names, &a->columns.count, err) || check_header(a, err))
        return -1;
    ptrdiff_t at = csv_address_column(a->columns.names, a->columns.count, o->address_column, err);
    if (at < 0) return -1;
    a->columns.address = (size_t)at;
    return 0;
}

static int open_jsonl(struct audience *a, const struct audience_options *o, struct err *err) {
    if (a->text.charset == LIST_CP932)
        return err_set(err, ERR_INPUT, "JSON lines are in UTF-8 (RFC 8259), not in another charset");
    a->text.charset = LIST_UTF8;
    a->jsonl = jsonl_open(&a->text, err);
    if (!a->jsonl || jsonl_begin(a->jsonl, o->address_column, &a->names[0], err)) return -1;
    if (slice_find(a->names[0], '\n') >= 0 || slice_eq(a->names[0], SLICE(DATA_COLUMN)))
        return err_set(err, ERR_INPUT, "the key of the addresses can't be called so");
    a->names[1] = SLICE(DATA_COLUMN);
    a->columns = (struct audience_columns){a->names, 2, 0};
    return 0;
}

static int open_any(struct audience *a, const struct audience_options *o, struct err *err) {
    while (!a->text.eof && front(&a->text).len < 2 && a->text.end < LISTTEXT_BUFFER)
        if (listtext_fill(&a->text, err)) return -1;
    struct slice text = front(&a->text);
    if (is_json_array(text))
        return err_set(err, ERR_INPUT,
                       "this is one JSON array: write one object a line (for instance `jq -c '.[]' FILE`)");
    return slice_starts(text, SLICE("{")) ? open_jsonl(a, o, err) : open_csv(a, o, err);
}

struct audience *audience_open(const struct audience_options *o, struct err *err) {
    struct audience *a = calloc(1, sizeof *a);
    if (!a) {
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    int failed = listtext_init(&a->text, o->fd, (struct slice){NULL, 0}, o->charset, err);
    a->text.stop = o->stop;
    if (!failed && open_any(a, o, err) == 0) return a;
    audience_free(a);
    return NULL;
}

void audience_free(struct audience *a) {
    if (!a) return;
    csv_free(a->csv);
    jsonl_free(a->jsonl);
    listtext_done(&a->text);
    free(a);
}

/* ---- reading ---- */

static int next_csv(struct audience *a, struct audience_row *row, struct err *err) {
    struct csv_row r;
    int more = csv_next(a->csv, &r, err);
    if (more == 1)
        *row = (struct audience_row){
            .line = r.line, .values = r.fields, .bad = r.bad, .raw = r.raw, .ascii = r.ascii};
    return more;
}

static int next_jsonl(struct audience *a, struct audience_row *row, struct err *err) {
    struct jsonl_row r;
    int more = jsonl_next(a->jsonl, &r, err);
    if (more != 1) return more;
    a->values[0] = r.address;
    a->values[1] = r.value;
    *row =
        (struct audience_row){.line = r.line, .values = r.bad ? NULL : a->values, .bad = r.bad, .raw = r.raw};
    return 1;
}

int audience_next(struct audience *a, struct audience_row *row, struct err *err) {
    int more = a->csv ? next_csv(a, row, err) : next_jsonl(a, row, err);
    if (more == 1 && !row->bad) row->address = address_trim(row->values[a->columns.address]);
    return more;
}

/* ---- questions ---- */

const struct audience_columns *audience_columns(const struct audience *a) {
    return &a->columns;
}

uint64_t audience_bytes_read(const struct audience *a) {
    return a->text.gone + a->text.start;
}

enum audience_format audience_format(const struct audience *a) {
    return a->csv ? AUDIENCE_CSV : AUDIENCE_JSONL;
}

char audience_separator(const struct audience *a) {
    return a->csv ? csv_separator(a->csv) : 0;
}

enum list_charset audience_charset(const struct audience *a) {
    return a->text.charset;
}

void audience_describe(const struct audience *a, struct buf *out) {
    char separator = audience_separator(a);
    buf_printf(out, "%s in %s", a->csv ? "CSV" : "JSON lines", list_charset_name(a->text.charset));
    if (separator == ';') buf_put_text(out, ", separated by semicolons");
    if (separator == '\t') buf_put_text(out, ", separated by tabs");
}

void audience_show_raw(const struct audience *a, struct slice raw, struct buf *out) {
    listtext_show(&a->text, raw, out);
}
