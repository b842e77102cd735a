/* The glue of loading: csv -> address -> sorter -> chunker -> segment and batches.
 *
 * Chunk rows go to the ledger a thousand chunks at a time, each batch behind a sync of the segment that holds
 * their tables. The batches may be refused: a disk that is nearly full belongs to outcomes. */
#include "load.h"

#include "address.h"
#include "chunker.h"
#include "csv.h"
#include "reject.h"
#include "sorter.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum {
    PROGRESS_ROWS = 65536,
    STOP_ROWS = 1024,
    BATCH_CHUNKS = 1024,
    BATCH_BYTES = 4 * 1024 * 1024,
    COLUMNS_TEXT_MAX = 1024 * 1024
};

struct load {
    struct load_options o;
    struct csv *csv;
    const struct slice *names;
    struct chunk_columns columns;
    struct buf columns_text;
    struct arena arena; /* one address */
    struct buf row;
    struct reject reject;
    struct sorter *sorter;
    struct segment_writer *segment;
    struct chunker *chunker;
    struct store_batch *batch;
    unsigned batched; /* chunks in it */
    uint32_t campaign;
    struct load_counts counts;
    uint64_t first_line; /* of the first row turned down */
    struct err first_why;
};

struct tally load_tally(const struct load_counts *counts) {
    return (struct tally){.planned = counts->kept + counts->rejected,
                          .failed = counts->rejected,
                          .rejected = counts->rejected,
                          .duplicates = counts->duplicates};
}

static int read_header(struct load *l, struct err *err) {
    size_t count;
    if (csv_header(l->csv, &l->names, &count, err) < 0) return -1;
    ptrdiff_t address = csv_address_column(l->names, count, l->o.address_column, err);
    if (address < 0) return -1;
    l->columns = (struct chunk_columns){(uint32_t)count, (int32_t)address};
    for (size_t i = 0; i < count; i++) {
        if (slice_find(l->names[i], '\n') >= 0)
            return err_set(err, ERR_INPUT, "the name of column %zu has a line break in it", i + 1);
        if (i) buf_put_c(&l->columns_text, '\n');
        buf_put_slice(&l->columns_text, l->names[i]);
    }
    return l->columns_text.failed ? err_set(err, ERR_INPUT, "the names of the columns are too long") : 0;
}

struct load *load_open(const struct load_options *options, struct err *err) {
    struct load *l = calloc(1, sizeof *l);
    if (!l) {
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    l->o = *options;
    arena_init(&l->arena, 4096);
    buf_init(&l->row, SORTER_ROW_MAX);
    buf_init(&l->columns_text, COLUMNS_TEXT_MAX);
    reject_init(&l->reject, options->reject_path);
    l->csv = csv_open(options->fd, err);
    if (l->csv && options->stop) csv_stop(l->csv, options->stop);
    if (l->csv && read_header(l, err) == 0) return l;
    load_free(l);
    return NULL;
}

void load_free(struct load *l) {
    if (!l) return;
    csv_free(l->csv);
    reject_done(&l->reject);
    sorter_free(l->sorter);
    chunker_free(l->chunker);
    segment_writer_free(l->segment);
    store_batch_free(l->batch);
    arena_done(&l->arena);
    buf_done(&l->row);
    buf_done(&l->columns_text);
    free(l);
}

const struct slice *load_columns(const struct load *l, size_t *count) {
    *count = l->columns.count;
    return l->names;
}

struct slice load_columns_text(const struct load *l) {
    return buf_slice(&l->columns_text);
}

/* ---- reading ---- */

static int look_around(struct load *l, uint64_t rows, struct err *err) {
    if (rows % STOP_ROWS == 0 && l->o.stop && __atomic_load_n(l->o.stop, __ATOMIC_RELAXED))
        return err_set(err, ERR_BUSY, "loading was stopped");
    if (rows % PROGRESS_ROWS == 0 && l->o.progress) {
        l->counts.bytes_read = csv_bytes_read(l->csv);
        l->o.progress(l->o.ctx, &l->counts);
    }
    return 0;
}

static int turn_down(struct load *l, const struct csv_row *row, const char *why, struct err *err) {
    if (l->counts.rejected++ == 0) {
        l->first_line = row->line;
        err_set(&l->first_why, ERR_INPUT, "%s", why);
    }
    return reject_put(&l->reject, row->line, why, row->raw, err);
}

static int take_row(struct load *l, const struct csv_row *row, uint64_t seed, struct err *err) {
    struct address address;
    struct err why;
    l->counts.rows++;
    if (row->bad) return turn_down(l, row, row->bad, err);
    assert(row->count == l->columns.count);
    arena_reset(&l->arena);
    struct slice text = slice_trim(row->fields[l->columns.address_column]);
    if (address_parse(text, &l->arena, &address, &why) < 0) {
        if (why.kind != ERR_INPUT) return err_set(err, why.kind, "%s", why.text);
        return turn_down(l, row, why.text, err);
    }
    buf_reset(&l->row);
    if (!chunk_row_put(&l->row, &l->columns, address.text, row->fields))
        return err_set(err, ERR_SYSTEM, "no memory for a row");
    return sorter_add(l->sorter, address_hash(seed, &address), buf_slice(&l->row), err);
}

static int read_rows(struct load *l, uint64_t seed, struct err *err) {
    struct csv_row row;
    int more;
    while ((more = csv_next(l->csv, &row, err)) == 1)
        if (take_row(l, &row, seed, err) < 0 || look_around(l, l->counts.rows, err) < 0) return -1;
    l->counts.bytes_read = csv_bytes_read(l->csv);
    if (more < 0) return -1;
    return reject_flush(&l->reject, err);
}

/* ---- cutting ---- */

/* The tables first, then the rows that name them. */
static int commit_chunks(struct load *l, struct err *err) {
    if (store_batch_empty(l->batch)) return 0;
    if (segment_sync(l->segment, err) < 0) return -1;
    struct err why = {0};
    while (store_commit(l->o.store, l->batch, STORE_MAY_WAIT | STORE_MAY_REFUSE, &why) < 0) {
        if (why.kind != ERR_BUSY) return err_set(err, why.kind, "%s", why.text);
        if (l->o.stop && __atomic_load_n(l->o.stop, __ATOMIC_RELAXED))
            return err_set(err, ERR_BUSY, "loading was stopped");
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    store_batch_reset(l->batch);
    l->batched = 0;
    return 0;
}

static int chunk_is_made(void *ctx, const struct chunk_made *made, struct err *err) {
    struct load *l = ctx;
    if (made->index > RID_CHUNK_MAX)
        return err_set(err, ERR_INPUT, "the audience is too large for a campaign");
    struct chunk_row row = {.id = (uint64_t)l->campaign << 28 | made->index,
                            .count = made->count,
                            .table = made->table,
                            .first_hash = made->first_hash,
                            .last_hash = made->last_hash,
                            .domain = made->domain};
    struct store_key key = store_key_u64(row.id);
    buf_reset(&l->row);
    if (!chunk_row_encode(&l->row, &row) ||
        !store_put(l->batch, TABLE_CHUNK, store_key_slice(&key), buf_slice(&l->row)))
        return err_set(err, ERR_SYSTEM, "no memory for the row of a chunk");
    return ++l->batched < BATCH_CHUNKS ? 0 : commit_chunks(l, err);
}

static int cut_rows(struct load *l, struct err *err) {
    struct slice row;
    uint64_t hash, rows = 0;
    struct chunker_stats stats;
    int more;
    l->counts.phase = LOAD_CUTTING;
    while ((more = sorter_next(l->sorter, &hash, &row, err)) == 1) {
        if (chunker_add(l->chunker, hash, row, err) < 0) return -1;
        if (++rows % STOP_ROWS) continue;
        chunker_stats(l->chunker, &stats);
        l->counts.kept = stats.kept;
        l->counts.duplicates = stats.duplicates;
        l->counts.chunks = stats.chunks;
        if (look_around(l, rows, err) < 0) return -1;
    }
    if (more < 0 || chunker_finish(l->chunker, err) < 0 || commit_chunks(l, err) < 0) return -1;
    chunker_stats(l->chunker, &stats);
    l->counts.kept = stats.kept;
    l->counts.duplicates = stats.duplicates;
    l->counts.chunks = stats.chunks;
    return 0;
}

static int open_parts(struct load *l, struct err *err) {
    l->sorter = sorter_open(l->o.store, l->o.memory, err);
    l->segment = l->sorter ? segment_writer_open(l->o.store, err) : NULL;
    if (!l->segment) return -1;
    l->chunker = chunker_open(&l->columns, l->segment, chunk_is_made, NULL, l, err);
    l->batch = store_batch_new(BATCH_BYTES);
    if (l->chunker && !l->batch) return err_set(err, ERR_SYSTEM, "no memory");
    return l->chunker ? 0 : -1;
}

int load_run(struct load *l, uint32_t campaign, uint64_t hash_seed, struct load_counts *counts,
             struct err *err) {
    assert(!l->sorter && campaign > 0 && campaign <= RID_CAMPAIGN_MAX);
    l->campaign = campaign;
    int status = open_parts(l, err);
    if (status == 0) status = read_rows(l, hash_seed, err);
    if (status == 0 && l->counts.rows == 0)
        status = err_set(err, ERR_INPUT, "there is no row below the names of the columns");
    if (status == 0 && l->counts.rows == l->counts.rejected)
        status =
            err_set(err, ERR_INPUT, "none of the %llu rows can be used; the first, line %llu: %s",
                    (unsigned long long)l->counts.rows, (unsigned long long)l->first_line, l->first_why.text);
    if (status == 0) status = sorter_finish(l->sorter, err);
    if (status == 0) status = cut_rows(l, err);
    *counts = l->counts;
    return status;
}
