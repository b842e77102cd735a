/* Cutting sorted rows into chunks.
 *
 * At most one chunk's rows wait here. The front part of them (`shared` rows) belongs to small domains that
 * are complete; the rest to the domain that is coming in. Once that one has 32 rows the shared part is cut
 * off, and the domain goes on by itself. Domains are told apart by the high 24 bits of the hash; where two
 * domains share these, a chunk may hold both, and says that it is mixed. */
#include "chunker.h"

#include <assert.h>
#include <stdlib.h>

enum {
    DOMAIN_SHIFT = 40,
    ROWS_MAX_BYTES = CHUNK_TABLE_MAX - 64,
    TABLE_LEVEL = -1 /* a fifth larger than with 1, for half the time of a load */
};

struct waiting_row {
    uint64_t hash;
    uint32_t at, len;
};

struct chunker {
    struct chunk_columns columns;
    struct segment_writer *segment;
    chunker_made_fn *made;
    chunker_duplicate_fn *duplicate;
    void *ctx;
    struct pack *pack;
    struct waiting_row rows[CHUNK_ROWS_MAX];
    unsigned count;
    unsigned shared; /* rows in front, of small domains that are complete */
    bool own;        /* the domain coming in has chunks of its own */
    struct buf bytes;
    struct buf scratch, stored;
    struct chunker_stats stats;
};

struct chunker *chunker_open(const struct chunk_columns *columns, struct segment_writer *segment,
                             chunker_made_fn *made, chunker_duplicate_fn *duplicate, void *ctx,
                             struct err *err) {
    struct chunker *c = calloc(1, sizeof *c);
    struct pack *pack = c ? pack_new(TABLE_LEVEL) : NULL;
    if (!pack) {
        free(c);
        err_set(err, ERR_SYSTEM, "no memory");
        return NULL;
    }
    *c = (struct chunker){.columns = *columns,
                          .segment = segment,
                          .made = made,
                          .duplicate = duplicate,
                          .ctx = ctx,
                          .pack = pack};
    buf_init(&c->bytes, ROWS_MAX_BYTES);
    buf_init(&c->scratch, CHUNK_TABLE_MAX);
    buf_init(&c->stored, CHUNK_TABLE_MAX + CHUNK_TABLE_MAX / 128 + 1024);
    return c;
}

void chunker_free(struct chunker *c) {
    if (!c) return;
    pack_free(c->pack);
    buf_done(&c->bytes);
    buf_done(&c->scratch);
    buf_done(&c->stored);
    free(c);
}

void chunker_stats(const struct chunker *c, struct chunker_stats *out) {
    *out = c->stats;
}

static struct slice address_of(const struct chunker *c, unsigned i) {
    struct slice address = {0};
    bool ok = chunk_row_address(slice_make(c->bytes.at + c->rows[i].at, c->rows[i].len), &address);
    assert(ok);
    (void)ok;
    return address;
}

/* What stands behind the last @ (a quoted local part may hold one). */
static struct slice domain_of(struct slice address) {
    size_t at = address.len;
    while (at > 0 && address.at[at - 1] != '@')
        at--;
    return slice_skip(address, at);
}

static struct slice common_domain(const struct chunker *c, unsigned n) {
    struct slice first = domain_of(address_of(c, 0));
    for (unsigned i = 1; i < n; i++)
        if (!slice_eq_nocase(domain_of(address_of(c, i)), first)) return (struct slice){0};
    return first;
}

/* Makes a chunk of the first n waiting rows. */
static int make_chunk(struct chunker *c, unsigned n, struct err *err) {
    if (n == 0) return 0;
    const struct waiting_row *last = &c->rows[n - 1];
    struct slice rows = slice_make(c->bytes.at, last->at + last->len);
    struct chunk_made m = {.index = c->stats.chunks,
                           .count = (uint16_t)n,
                           .first_hash = c->rows[0].hash,
                           .last_hash = last->hash,
                           .domain = common_domain(c, n)};
    buf_reset(&c->stored);
    if (!chunk_table_encode(&c->columns, n, rows, c->pack, &c->scratch, &c->stored))
        return err_set(err, ERR_SYSTEM, "no memory for a chunk of %zu bytes", rows.len);
    if (segment_append(c->segment, buf_slice(&c->stored), &m.table, err) < 0 || c->made(c->ctx, &m, err) < 0)
        return -1;
    c->stats.chunks++;
    buf_drop_front(&c->bytes, rows.len);
    for (unsigned i = n; i < c->count; i++) {
        c->rows[i - n] = c->rows[i];
        c->rows[i - n].at -= (uint32_t)rows.len;
    }
    c->count -= n;
    c->shared -= c->shared < n ? c->shared : n;
    return 0;
}

/* How many waiting rows to cut off so that one with this hash finds room: as many as possible, but no domain
 * that may still turn out small is torn, and rows of one hash stay together. */
static unsigned cut_for(const struct chunker *c, uint64_t hash) {
    if (!c->own && c->shared) return c->shared;
    unsigned n = c->count;
    while (n > 0 && c->rows[n - 1].hash == hash)
        n--;
    return n;
}

static int make_room(struct chunker *c, uint64_t hash, size_t len, struct err *err) {
    while (c->count && (c->count == CHUNK_ROWS_MAX || c->bytes.len + len > CHUNKER_CUT_BYTES)) {
        unsigned n = cut_for(c, hash);
        if (n == 0 && c->count < CHUNK_ROWS_MAX) return 0;
        if (n == 0) return err_set(err, ERR_INPUT, "more than %d addresses have one hash", CHUNK_ROWS_MAX);
        if (make_chunk(c, n, err) < 0) return -1;
    }
    return 0;
}

/* The address has come already: among the last rows, those of the same hash. */
static bool is_duplicate(const struct chunker *c, uint64_t hash, struct slice address) {
    for (unsigned i = c->count; i > 0 && c->rows[i - 1].hash == hash; i--)
        if (slice_eq_nocase(address_of(c, i - 1), address)) return true;
    return false;
}

static bool put_row(struct chunker *c, uint64_t hash, struct slice row) {
    struct waiting_row w = {hash, (uint32_t)c->bytes.len, (uint32_t)row.len};
    if (!buf_put_slice(&c->bytes, row)) return false;
    c->rows[c->count++] = w;
    c->stats.kept++;
    return true;
}

int chunker_add(struct chunker *c, uint64_t hash, struct slice row, struct err *err) {
    struct slice address;
    if (!chunk_row_address(row, &address)) return err_set(err, ERR_CORRUPT, "a sorted row is damaged");
    if (is_duplicate(c, hash, address)) {
        c->stats.duplicates++;
        if (c->duplicate) c->duplicate(c->ctx, address);
        return 0;
    }
    uint64_t last = c->count ? c->rows[c->count - 1].hash : 0;
    assert(hash >= last);
    if (c->count && hash >> DOMAIN_SHIFT != last >> DOMAIN_SHIFT) {
        if (c->own && make_chunk(c, c->count, err) < 0) return -1;
        c->own = false;
        c->shared = c->count;
    }
    if (make_room(c, hash, row.len, err) < 0) return -1;
    if (!put_row(c, hash, row)) return err_set(err, ERR_INPUT, "the rows of one address hash are too large");
    if (!c->own && c->count - c->shared >= CHUNKER_OWN_DOMAIN) {
        c->own = true;
        return make_chunk(c, c->shared, err);
    }
    return 0;
}

int chunker_finish(struct chunker *c, struct err *err) {
    return make_chunk(c, c->count, err);
}
