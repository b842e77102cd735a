/* One way to change the list for both who can, and the import on top of it. */
#include "suppressing.h"

#include "csv.h"
#include "reject.h"
#include "suppress_csv.h"

#include <stdlib.h>

/* ---- changing ---- */

int suppressing_open(struct suppressing *s, struct store *store, struct err *err) {
    *s = (struct suppressing){.store = store, .ledger = ledger_open(store, clock_wall(), err)};
    return s->ledger ? 0 : -1;
}

void suppressing_close(struct suppressing *s) {
    ledger_free(s->ledger);
    *s = (struct suppressing){0};
}

static int commit(struct suppressing *s, struct err *err) {
    uint64_t sequence;
    struct store_batch *b = ledger_seal(s->ledger, false, 0, &sequence);
    if (!b) return ledger_has_changes(s->ledger) ? err_set(err, ERR_SYSTEM, "out of memory") : 0;
    int failed = store_commit(s->store, b, 0, err);
    if (!failed) ledger_committed(s->ledger);
    store_batch_free(b);
    return failed;
}

static int apply_here(struct suppressing *s, enum suppress_source source, struct suppress_entry *entries,
                      size_t count, struct err *err) {
    wall_us now = clock_wall();
    if (source && store_check_room(s->store, err)) return -1;
    while (ledger_suppress_fill(s->ledger, 65536))
        continue;
    for (size_t i = 0; i < count; i++) {
        struct suppress_entry *e = &entries[i];
        if (source ? ledger_suppress_put(s->ledger, 0, e->address, &e->row, source, now, &e->change, err)
                   : ledger_suppress_remove(s->ledger, 0, e->address, &e->change, err))
            return -1;
    }
    return commit(s, err);
}

int suppressing_apply(struct suppressing *s, enum suppress_source source, struct suppress_entry *entries,
                      size_t count, struct err *err) {
    if (!s->engine) return apply_here(s, source, entries, count, err);
    return source ? engine_suppress(s->engine, 0, source, entries, count, err)
                  : engine_unsuppress(s->engine, 0, entries, count, err);
}

/* ---- a file ---- */

enum { GROUP_BYTES = 256 * 1024, PROGRESS_ROWS = 65536 };

struct importing {
    const struct suppress_import *o;
    struct suppressing *to;
    struct csv *csv;
    struct suppress_columns columns;
    struct slice first; /* of a file without a header: its first line */
    struct suppress_counts *counts;
    struct reject reject;
    struct arena arena; /* of the group */
    size_t bytes;       /* of it, more or less */
    struct suppress_entry entries[ENGINE_SUPPRESS_MOST];
    size_t count;
};

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

/* The fields are gone with the next row: the group has copies. */
static bool keep(struct importing *in, struct slice *s) {
    if (!s->at) return true;
    in->bytes += s->len + 8;
    return arena_copy(&in->arena, *s, s);
}

static int take_row(struct importing *in, const struct slice *fields, uint64_t line, struct slice raw,
                    struct err *err) {
    struct suppress_entry *e = &in->entries[in->count];
    struct address address;
    struct err why;
    if (suppress_csv_take(&in->columns, fields, &in->arena, &address, &e->row, &why)) {
        if (why.kind != ERR_INPUT) return err_set(err, why.kind, "%s", why.text);
        in->counts->rejected++;
        in->bytes += 2 * ADDRESS_MAX; /* of the arena, until the group is through */
        if (reject_put(&in->reject, line, why.text, raw, err)) return -1;
        return in->bytes < GROUP_BYTES ? 0 : apply_group(in, err);
    }
    e->address = address.text;
    if (!keep(in, &e->row.note) || !keep(in, &e->row.proof.host) || !keep(in, &e->row.proof.text))
        return err_set(err, ERR_SYSTEM, "out of memory");
    in->bytes += address.text.len * 2 + 16;
    in->count++;
    return in->count < ENGINE_SUPPRESS_MOST && in->bytes < GROUP_BYTES ? 0 : apply_group(in, err);
}

static int look_around(struct importing *in, struct err *err) {
    if (in->o->stop && __atomic_load_n(in->o->stop, __ATOMIC_RELAXED))
        return err_set(err, ERR_BUSY, "importing was stopped: what was done stays done");
    if (in->o->progress && in->counts->rows % PROGRESS_ROWS == 0) in->o->progress(in->o->ctx, in->counts);
    return 0;
}

static int take_rows(struct importing *in, struct err *err) {
    struct csv_row row;
    int more;
    if (in->first.len) {
        in->counts->rows++;
        if (take_row(in, &in->first, 1, in->first, err)) return -1;
    }
    while ((more = csv_next(in->csv, &row, err)) == 1) {
        in->counts->rows++;
        if (row.bad) in->counts->rejected++;
        if (row.bad ? reject_put(&in->reject, row.line, row.bad, row.raw, err)
                    : take_row(in, row.fields, row.line, row.raw, err))
            return -1;
        if (look_around(in, err)) return -1;
    }
    return more < 0 || apply_group(in, err) || reject_flush(&in->reject, err) ? -1 : 0;
}

int suppress_import(const struct suppress_import *import, struct suppressing *to,
                    struct suppress_counts *counts, struct err *err) {
    struct importing *in = calloc(1, sizeof *in);
    *counts = (struct suppress_counts){0};
    if (!in) return err_set(err, ERR_SYSTEM, "out of memory");
    in->o = import;
    in->to = to;
    in->counts = counts;
    arena_init(&in->arena, 4 << 20);
    reject_init(&in->reject, import->rejects);
    in->csv = csv_open(import->fd, err);
    if (in->csv && import->stop) csv_stop(in->csv, import->stop);
    int failed = !in->csv || read_header(in, err) || take_rows(in, err) ? -1 : 0;
    csv_free(in->csv);
    reject_done(&in->reject);
    arena_done(&in->arena);
    free(in);
    return failed;
}
