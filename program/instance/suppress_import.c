/* A file of addresses into the suppression list.
 *
 * Rows are checked as they are read, then sorted, then put into the list: in the order of its table each
 * group of them lies on a few pages, where groups in the order of the file would touch a page for nearly
 * every row and write each of them anew (measured with a million rows: 30 GB). The sorter takes 64-bit keys
 * and is stable, so the rows go through it three times, by bytes 17 to 24 of the address, by 9 to 16, by 1
 * to 8. */
#include "csv.h"
#include "reject.h"
#include "sorter.h"
#include "suppress_csv.h"
#include "suppressing.h"

#include <stdlib.h>

enum { GROUP_BYTES = 256 * 1024, PROGRESS_ROWS = 65536, PASSES = 3, ROW_MAX = CSV_ROW_MAX + 1024 };

struct importing {
    const struct suppress_import *o;
    struct suppressing *to;
    struct csv *csv;
    struct suppress_columns columns;
    struct slice first; /* of a file without a header: its first line */
    struct suppress_counts *counts;
    struct reject reject;
    struct sorter *sorter;
    struct buf row;     /* the cells of one */
    struct arena arena; /* of one row, then of a group */
    size_t bytes;       /* of the group, more or less */
    struct suppress_entry entries[ENGINE_SUPPRESS_MOST];
    size_t count;
};

static int look_around(struct importing *in, uint64_t rows, struct err *err) {
    if (in->o->stop && __atomic_load_n(in->o->stop, __ATOMIC_RELAXED))
        return err_set(err, ERR_BUSY, "importing was stopped: what was done stays done");
    if (in->o->progress && rows % PROGRESS_ROWS == 0) in->o->progress(in->o->ctx, in->counts);
    return 0;
}

/* ---- reading ---- */

/* A single column whose name is an address: there is no header, that is the first of them. */
static bool has_no_header(struct importing *in, const struct slice *names, size_t count) {
    struct address address;
    if (count != 1 || in->o->address_column.len) return false;
    bool is = address_parse(names[0], &in->arena, &address, NULL) == 0;
    arena_reset(&in->arena);
    return is;
}

static int read_header(struct importing *in, struct err *err) {
    const struct slice *names;
    size_t count;
    ptrdiff_t address = 0;
    if (csv_header(in->csv, &names, &count, err)) return -1;
    if (has_no_header(in, names, count)) {
        in->first = names[0];
        count = 0;
    } else if ((address = csv_address_column(names, count, in->o->address_column, err)) < 0) {
        return -1;
    }
    suppress_csv_columns(names, count, address, &in->columns);
    in->columns.reason = in->o->reason;
    return 0;
}

/* Eight bytes of the address as the table has it, as a number. */
static uint64_t digit(struct slice address, unsigned pass) {
    uint64_t value = 0;
    for (size_t i = (size_t)(PASSES - 1 - pass) * 8, end = i + 8; i < end; i++)
        value = value << 8 | (i < address.len ? (unsigned char)ascii_lower(address.at[i]) : 0);
    return value;
}

/* What is sorted: the canonical address, then the cells of all columns that matter. */
static int sort_row(struct importing *in, struct slice address, const struct slice *fields, struct err *err) {
    buf_reset(&in->row);
    buf_put_bytes(&in->row, address);
    for (int i = 0; i < SUPPRESS_COLUMNS; i++)
        if (in->columns.at[i] >= 0) buf_put_bytes(&in->row, fields[in->columns.at[i]]);
    if (in->row.failed) return err_set(err, ERR_SYSTEM, "no memory for a row");
    return sorter_add(in->sorter, digit(address, 0), buf_slice(&in->row), err);
}

static int take_row(struct importing *in, const struct slice *fields, uint64_t line, struct slice raw,
                    struct err *err) {
    struct suppress_row row;
    struct address address;
    struct err why;
    arena_reset(&in->arena);
    in->counts->rows++;
    if (suppress_csv_take(&in->columns, fields, &in->arena, &address, &row, &why) == 0)
        return sort_row(in, address.text, fields, err);
    if (why.kind != ERR_INPUT) return err_set(err, why.kind, "%s", why.text);
    in->counts->rejected++;
    return reject_put(&in->reject, line, why.text, raw, err);
}

static int read_rows(struct importing *in, struct err *err) {
    struct csv_row row;
    int more;
    if (in->first.len && take_row(in, &in->first, 1, in->first, err)) return -1;
    while ((more = csv_next(in->csv, &row, err)) == 1) {
        if (row.bad) in->counts->rows++, in->counts->rejected++;
        if (row.bad ? reject_put(&in->reject, row.line, row.bad, row.raw, err)
                    : take_row(in, row.fields, row.line, row.raw, err))
            return -1;
        if (look_around(in, in->counts->rows, err)) return -1;
    }
    return more < 0 ? -1 : reject_flush(&in->reject, err);
}

/* ---- sorting ---- */

static int sort_again(struct importing *in, unsigned pass, struct err *err) {
    struct sorter *next = sorter_open(in->to->store, 0, err);
    struct slice row, rest, address;
    uint64_t key;
    int more = next ? 1 : -1;
    while (more == 1 && (more = sorter_next(in->sorter, &key, &row, err)) == 1) {
        rest = row;
        if (!take_bytes(&rest, &address))
            more = err_set(err, ERR_CORRUPT, "a row came back broken from sorting");
        else if (sorter_add(next, digit(address, pass), row, err))
            more = -1;
    }
    sorter_free(in->sorter);
    in->sorter = next;
    return more < 0 ? -1 : sorter_finish(next, err);
}

/* ---- putting ---- */

static int apply_group(struct importing *in, struct err *err) {
    if (in->count && suppressing_apply(in->to, SUPPRESS_BY_IMPORT, in->entries, in->count, err)) return -1;
    for (size_t i = 0; i < in->count; i++)
        switch (in->entries[i].change) {
        case SUPPRESS_ADDED: in->counts->added++; break;
        case SUPPRESS_CHANGED: in->counts->changed++; break;
        default: in->counts->unchanged++;
        }
    in->count = in->bytes = 0;
    arena_reset(&in->arena);
    return 0;
}

/* Into the group, with copies of all that it points to. */
static int put_row(struct importing *in, struct slice row, struct err *err) {
    struct suppress_entry *e = &in->entries[in->count];
    struct suppress_columns columns = {.reason = in->columns.reason};
    struct slice fields[SUPPRESS_COLUMNS], canonical;
    struct address address;
    bool ok = arena_copy(&in->arena, row, &row) && take_bytes(&row, &canonical);
    for (int i = 0; i < SUPPRESS_COLUMNS; i++) {
        columns.at[i] = in->columns.at[i] >= 0 ? i : -1;
        if (columns.at[i] >= 0) ok = ok && take_bytes(&row, &fields[i]);
    }
    if (!ok) return err_set(err, ERR_SYSTEM, "out of memory");
    if (suppress_csv_take(&columns, fields, &in->arena, &address, &e->row, err)) return -1;
    e->address = address.text;
    in->count++;
    return in->count < ENGINE_SUPPRESS_MOST ? 0 : apply_group(in, err);
}

static int put_rows(struct importing *in, struct err *err) {
    struct slice row;
    uint64_t key, rows = 0;
    int more;
    arena_reset(&in->arena);
    while ((more = sorter_next(in->sorter, &key, &row, err)) == 1) {
        if (in->bytes + row.len > GROUP_BYTES && apply_group(in, err)) return -1;
        in->bytes += row.len;
        if (put_row(in, row, err) || look_around(in, ++rows, err)) return -1;
    }
    return more < 0 ? -1 : apply_group(in, err);
}

static int run(struct importing *in, struct err *err) {
    in->csv = csv_open(in->o->fd, err);
    if (in->csv && in->o->stop) csv_stop(in->csv, in->o->stop);
    if (!in->csv || read_header(in, err)) return -1;
    in->sorter = sorter_open(in->to->store, 0, err);
    if (!in->sorter || read_rows(in, err) || sorter_finish(in->sorter, err)) return -1;
    for (unsigned pass = 1; pass < PASSES; pass++)
        if (sort_again(in, pass, err)) return -1;
    return put_rows(in, err);
}

int suppress_import(const struct suppress_import *import, struct suppressing *to,
                    struct suppress_counts *counts, struct err *err) {
    struct importing *in = calloc(1, sizeof *in);
    *counts = (struct suppress_counts){0};
    if (!in) return err_set(err, ERR_SYSTEM, "out of memory");
    in->o = import;
    in->to = to;
    in->counts = counts;
    arena_init(&in->arena, GROUP_BYTES * 4 + ROW_MAX);
    buf_init(&in->row, ROW_MAX);
    reject_init(&in->reject, import->rejects);
    int failed = run(in, err);
    sorter_free(in->sorter);
    csv_free(in->csv);
    reject_done(&in->reject);
    buf_done(&in->row);
    arena_done(&in->arena);
    free(in);
    return failed;
}
