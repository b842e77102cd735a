/* The glue of loading: audience -> address -> sorter -> chunker -> segment and batches.
 *
 * Chunk rows go to the ledger a thousand chunks at a time, each batch behind a sync of the segment that holds
 * their tables. The batches may be refused: a disk that is nearly full belongs to outcomes. */
#include "load.h"

#include "address.h"
#include "chunker.h"
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
    COLUMNS_TEXT_MAX = 1024 * 1024,
    SHOWN_MAX = 4 * LISTTEXT_LINE_MAX + 1024, /* each byte as \\xHH */
    SAMPLE_MAX = 1024 * 1024
};

struct load {
    struct load_options o;
    struct audience *audience;
    struct chunk_columns columns;
    struct buf columns_text;
    struct arena arena; /* one address */
    struct buf row;
    struct buf shown; /* a rejected row */
    struct reject reject;
    struct arena sample_arena;
    struct load_sample sample;
    bool sample_final;
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

static int read_columns(struct load *l, struct err *err) {
    const struct audience_columns *columns = audience_columns(l->audience);
    l->columns = (struct chunk_columns){(uint32_t)columns->count, (int32_t)columns->address};
    for (size_t i = 0; i < columns->count; i++) {
        if (i) buf_put_c(&l->columns_text, '\n');
        buf_put_slice(&l->columns_text, columns->names[i]);
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
    buf_init(&l->shown, SHOWN_MAX);
    arena_init(&l->sample_arena, SAMPLE_MAX);
    struct audience_options ao = {.fd = options->fd,
                                  .charset = options->charset,
                                  .address_column = options->address_column,
                                  .stop = options->stop};
    l->audience = audience_open(&ao, err);
    if (l->audience && read_columns(l, err) == 0) return l;
    load_free(l);
    return NULL;
}

void load_free(struct load *l) {
    if (!l) return;
    audience_free(l->audience);
    reject_done(&l->reject);
    sorter_free(l->sorter);
    chunker_free(l->chunker);
    segment_writer_free(l->segment);
    store_batch_free(l->batch);
    arena_done(&l->arena);
    buf_done(&l->row);
    buf_done(&l->shown);
    arena_done(&l->sample_arena);
    buf_done(&l->columns_text);
    free(l);
}

const struct slice *load_columns(const struct load *l, size_t *count) {
    *count = l->columns.count;
    return audience_columns(l->audience)->names;
}

struct slice load_columns_text(const struct load *l) {
    return buf_slice(&l->columns_text);
}

/* ---- reading ---- */

static int look_around(struct load *l, uint64_t rows, struct err *err) {
    if (rows % STOP_ROWS == 0 && l->o.stop && __atomic_load_n(l->o.stop, __ATOMIC_RELAXED))
        return err_set(err, ERR_BUSY, "loading was stopped");
    if (rows % PROGRESS_ROWS == 0 && l->o.progress) {
        l->counts.bytes_read = audience_bytes_read(l->audience);
        l->o.progress(l->o.ctx, &l->counts);
    }
    return 0;
}

static int turn_down(struct load *l, const struct audience_row *row, const char *why, struct err *err) {
    if (l->counts.rejected++ == 0) {
        l->first_line = row->line;
        err_set(&l->first_why, ERR_INPUT, "%s", why);
    }
    if (!l->o.reject_path) return 0;
    buf_reset(&l->shown);
    audience_show_raw(l->audience, row->raw, &l->shown);
    return reject_put(&l->reject, row->line, why, buf_slice(&l->shown), err);
}

/* Without memory there is no sample: nobody's mail depends on it. */
static void keep_sample(struct load *l, const struct audience_row *row) {
    if (l->sample.values && row->ascii) return;
    arena_reset(&l->sample_arena);
    bool data = audience_format(l->audience) == AUDIENCE_JSONL; /* the second column is packed */
    struct slice *values = arena_alloc(&l->sample_arena, l->columns.count * sizeof *values);
    bool ok = values != NULL;
    for (uint32_t i = 0; i < l->columns.count && ok; i++)
        ok = arena_copy(&l->sample_arena, data && i == 1 ? row->raw : row->values[i], &values[i]);
    l->sample = (struct load_sample){row->line, ok ? values : NULL};
    l->sample_final = !ok || !row->ascii;
}

static int take_row(struct load *l, const struct audience_row *row, uint64_t seed, struct err *err) {
    struct address address;
    struct err why;
    l->counts.rows++;
    if (row->bad) return turn_down(l, row, row->bad, err);
    arena_reset(&l->arena);
    if (address_parse(row->address, &l->arena, &address, &why) < 0) {
        if (why.kind != ERR_INPUT) return err_set(err, why.kind, "%s", why.text);
        return turn_down(l, row, why.text, err);
    }
    if (!l->sample_final) keep_sample(l, row);
    buf_reset(&l->row);
    if (!chunk_row_put(&l->row, &l->columns, address.text, row->values))
        return err_set(err, ERR_SYSTEM, "no memory for a row");
    return sorter_add(l->sorter, address_hash(seed, &address), buf_slice(&l->row), err);
}

static int read_rows(struct load *l, uint64_t seed, struct err *err) {
    struct audience_row row;
    int more;
    while ((more = audience_next(l->audience, &row, err)) == 1)
        if (take_row(l, &row, seed, err) < 0 || look_around(l, l->counts.rows, err) < 0) return -1;
    l->counts.bytes_read = audience_bytes_read(l->audience);
    if (more < 0) return -1;
    struct buf text;
    buf_init(&text, sizeof l->counts.read_as - 1);
    audience_describe(l->audience, &text);
    if (text.len) memcpy(l->counts.read_as, text.at, text.len);
    buf_done(&text);
    return reject_flush(&l->reject, err);
}

const struct audience *load_audience(const struct load *l) {
    return l->audience;
}

struct load_sample load_sample(const struct load *l) {
    return l->sample;
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
