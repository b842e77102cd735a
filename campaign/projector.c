/* Gathering and writing: one table of gathers by chunk, one list of rows (campaigns, chunks) to come, one
 * transaction. Everything here runs on one thread; projector_thread.c is the thread. */
#include "projector_inner.h"

#include "hash.h"
#include "notes.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS = 8192, READ_AT_ONCE = 64, SEALED_MAX = EVENT_BLOCK_MAX + 65536, WAITING_ROWS_MAX = 64 << 20 };

static struct gather **bucket(struct projector *p, uint64_t chunk) {
    return &p->buckets[hash_mix(chunk) % BUCKETS];
}

/* Compares the cursor with the ledger's blocks. What is missing is written down, and passed over from here
 * on. */
static int find_gap(struct projector *p, struct err *err) {
    uint64_t oldest = 0;
    if (store_read_begin(p->reader, err)) return -1;
    int failed = history_gap_check_ahead(p->reader, p->cursor.sequence, err) ||
                 history_gap_oldest(p->reader, &oldest, err);
    store_read_end(p->reader);
    if (failed || history_gap_get(p->db, &p->gap, err)) return -1;
    if (!history_gap_add(&p->gap, p->cursor.sequence, oldest)) return 0;
    struct history_cursor next = {oldest - 1, oldest - 1};
    if (p->cursor.newest > next.newest) next.newest = p->cursor.newest;
    if (sql_begin(p->db, err)) return -1;
    if (history_gap_put(p->db, &p->gap, err) || history_cursor_put(p->db, &next, err)) {
        sql_rollback(p->db);
        return -1;
    }
    p->cursor = next;
    return sql_end(p->db, err);
}

struct history_gap projector_gap(const struct projector *p) {
    return p->gap;
}

struct projector *projector_open(struct store *store, const struct projector_options *options,
                                 struct err *err) {
    struct projector *p = calloc(1, sizeof *p);
    if (!p) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    p->store = store;
    p->options = *options;
    buf_init(&p->scratch, EVENT_BLOCK_MAX);
    buf_init(&p->sealed, SEALED_MAX);
    buf_init(&p->rows, WAITING_ROWS_MAX);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->woken, NULL);
    p->buckets = calloc(BUCKETS, sizeof *p->buckets);
    p->db = p->buckets ? history_open(store_dir(store), false, err) : NULL;
    p->reader = p->db ? store_reader_open(store, err) : NULL;
    if (!p->reader || history_cursor_get(p->db, &p->cursor, err) || find_gap(p, err)) {
        if (!p->buckets) err_set(err, ERR_SYSTEM, "out of memory");
        projector_free(p);
        return NULL;
    }
    p->read = p->cursor.sequence;
    p->known = p->cursor.newest;
    p->stats.cursor = p->cursor.sequence;
    return p;
}

static void gather_free(struct gather *g) {
    event_block_done(&g->events);
    free(g);
}

void projector_free(struct projector *p) {
    if (!p) return;
    for (size_t i = 0; p->buckets && i < BUCKETS; i++)
        for (struct gather *g = p->buckets[i], *next; g; g = next) {
            next = g->next;
            gather_free(g);
        }
    free(p->buckets);
    store_reader_free(p->reader);
    sql_free(p->db);
    buf_done(&p->scratch);
    buf_done(&p->sealed);
    buf_done(&p->rows);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->woken);
    free(p);
}

/* The chunk's gather, made when there is none. Blocks that were read before a crash are read again: the rows
 * that were written of them say which events are not to be counted a second time. */
static struct gather *gather_for(struct projector *p, uint64_t chunk, mono_us now, struct err *err) {
    struct gather **place = bucket(p, chunk), *g = *place;
    while (g && g->chunk != chunk)
        g = g->next;
    if (g) return g;
    g = calloc(1, sizeof *g);
    if (!g) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    g->chunk = chunk;
    g->since = now;
    event_block_init(&g->events);
    if (p->read <= p->known && history_chunk_newest(p->db, chunk, &g->skip, err)) {
        gather_free(g);
        return NULL;
    }
    g->next = *place;
    *place = g;
    p->gathers++;
    return g;
}

static int keep_row(struct projector *p, const struct event *e, struct err *err) {
    buf_put_u8(&p->rows, (uint8_t)e->kind);
    buf_put_bytes(&p->rows, e->detail);
    return p->rows.failed ? err_set(err, ERR_SYSTEM, "too many campaigns wait to be written to the history")
                          : 0;
}

/* Where it stands is its key in the history. */
static int keep_note(struct projector *p, const struct event *e, uint32_t n, struct err *err) {
    buf_put_u8(&p->rows, EVENT_NOTE);
    buf_put_varint(&p->rows, p->read);
    buf_put_varint(&p->rows, n);
    if (event_encode(&p->rows, e, 0)) return 0;
    return err_set(err, ERR_SYSTEM, "too many notes wait to be written to the history");
}

static int keep_outcome(struct projector *p, const struct event *e, mono_us now, struct err *err) {
    struct gather *g = gather_for(p, e->chunk, now, err);
    if (!g) return -1;
    if (p->read <= g->skip) return 0;
    size_t before = g->events.bytes.len;
    if (e->kind == EVENT_CLOSED) {
        g->closed = true;
    } else if (!event_block_add(&g->events, e)) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    if (!g->first) g->first = p->read;
    g->last = p->read;
    p->bytes += g->events.bytes.len - before;
    return 0;
}

/* n: its place in the block. */
static int take_event(struct projector *p, const struct event *e, uint32_t n, mono_us now, struct err *err) {
    p->stats.events++;
    switch (e->kind) {
    case EVENT_LEASED:
    case EVENT_RETURNED: return 0; /* told by the live blocks alone: what is under way */
    case EVENT_ACCEPTED:
    case EVENT_CAMPAIGN: return keep_row(p, e, err);
    case EVENT_NOTE: return keep_note(p, e, n, err);
    default: return keep_outcome(p, e, now, err);
    }
}

static int take_block(struct projector *p, struct slice stored, mono_us now, struct err *err) {
    struct event_reader r;
    struct event e;
    uint32_t n = 0;
    int more = event_reader_init(&r, stored, &p->scratch, err);
    while (more == 0 && (more = event_reader_next(&r, &e, err)) == 1)
        more = take_event(p, &e, n++, now, err);
    if (more < 0) err_wrap(err, "block %llu", (unsigned long long)p->read);
    p->stats.blocks++;
    return more < 0 ? -1 : 0;
}

/* Is it time to write before more is read? Rows are copied out of blocks, so the next one must fit. */
static bool is_full(const struct projector *p) {
    return p->bytes + p->rows.len >= 2 * p->options.memory ||
           p->rows.len + EVENT_BLOCK_MAX > WAITING_ROWS_MAX;
}

/* One read transaction: up to READ_AT_ONCE blocks. 1 when there may be more, 0, or -1. p->read is the block
 * at work; a block that failed may be taken in by half, so nothing is written any more until the program is
 * started anew: all of it is in the ledger. */
static int read_some(struct projector *p, mono_us now, struct err *err) {
    struct store_cursor c;
    uint64_t sequence = 0;
    int taken = 0, found;
    if (store_read_begin(p->reader, err)) return -1;
    if (store_cursor_init(&c, p->reader, TABLE_BLOCK, err)) {
        store_read_end(p->reader);
        return -1;
    }
    struct store_key from = store_key_u64(p->read + 1);
    found = store_cursor_seek(&c, store_key_slice(&from), err);
    while (found == 1 && taken < READ_AT_ONCE && !is_full(p)) {
        if (!store_key_number(c.key, 0, &sequence)) {
            found = err_set(err, ERR_CORRUPT, "the store holds a broken block key");
            break;
        }
        p->read = sequence;
        if (take_block(p, c.value, now, err)) {
            p->broken = true;
            if (err) p->why = *err;
            found = -1;
            break;
        }
        taken++;
        found = store_cursor_next(&c, err);
    }
    store_cursor_done(&c);
    store_read_end(p->reader);
    return found;
}

static int fail_broken(const struct projector *p, struct err *err) {
    return err_set(err, p->why.kind, "the history stops before a block that it could not take in: %s",
                   p->why.text);
}

int projector_read(struct projector *p, mono_us now, struct err *err) {
    int more = 1;
    if (p->broken) return fail_broken(p, err);
    while (more == 1 && !is_full(p))
        more = read_some(p, now, err);
    return more;
}

static bool is_due(const struct projector *p, const struct gather *g, mono_us now, bool all) {
    return all || g->closed || now - g->since >= p->options.age_us;
}

static int write_gather(struct projector *p, const struct gather *g, struct err *err) {
    if (g->events.count == 0) return 0;
    buf_reset(&p->sealed);
    if (!event_block_seal(&g->events, &p->sealed)) return err_set(err, ERR_SYSTEM, "out of memory");
    p->stats.rows++;
    return history_part_put(p->db, g->chunk, g->last, buf_slice(&p->sealed), err);
}

static int write_note(struct projector *p, struct slice *rest, struct err *err) {
    uint64_t seq, n;
    struct event e;
    bool whole = take_varint(rest, &seq) && take_varint(rest, &n) && event_decode(rest, 0, &e);
    assert(whole);
    return whole ? notes_put(p->db, seq, (uint32_t)n, &e, err) : 0;
}

static int write_rows(struct projector *p, struct err *err) {
    struct slice rest = buf_slice(&p->rows), detail;
    uint8_t kind;
    while (rest.len && take_u8(&rest, &kind)) {
        int failed = 0;
        if (kind == EVENT_NOTE)
            failed = write_note(p, &rest, err);
        else if (take_bytes(&rest, &detail))
            failed = kind == EVENT_CAMPAIGN ? history_campaign_put(p->db, detail, err)
                                            : history_chunk_put(p->db, detail, err);
        if (failed) return -1;
    }
    return 0;
}

/* What is due goes out; *oldest is the first block that something left behind came from. */
static int write_due(struct projector *p, mono_us now, bool all, uint64_t *oldest, struct err *err) {
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct gather *g = p->buckets[i]; g; g = g->next) {
            if (is_due(p, g, now, all)) {
                if (write_gather(p, g, err)) return -1;
            } else if (g->first && g->first < *oldest) {
                *oldest = g->first;
            }
        }
    return write_rows(p, err);
}

static void forget_written(struct projector *p, mono_us now, bool all) {
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct gather **place = &p->buckets[i], *g; (g = *place);) {
            if (!is_due(p, g, now, all)) {
                place = &g->next;
                continue;
            }
            *place = g->next;
            p->bytes -= g->events.bytes.len;
            p->gathers--;
            gather_free(g);
        }
    buf_reset(&p->rows);
}

/* Would a write change anything? */
static bool has_due(const struct projector *p, mono_us now, bool all) {
    uint64_t oldest = p->read + 1;
    if (p->rows.len) return true;
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct gather *g = p->buckets[i]; g; g = g->next) {
            if (is_due(p, g, now, all)) return true;
            if (g->first && g->first < oldest) oldest = g->first;
        }
    return oldest - 1 > p->cursor.sequence;
}

int projector_write(struct projector *p, mono_us now, bool all, struct err *err) {
    uint64_t oldest = p->read + 1;
    all = all || p->bytes >= p->options.memory;
    if (p->broken) return fail_broken(p, err);
    if (!has_due(p, now, all)) return 0;
    if (sql_begin(p->db, err)) return -1;
    int failed = write_due(p, now, all, &oldest, err);
    struct history_cursor next = {oldest - 1, p->read};
    if (failed || history_cursor_put(p->db, &next, err)) {
        sql_rollback(p->db);
        return -1;
    }
    if (sql_end(p->db, err)) return -1;
    p->stats.writes++;
    p->cursor = next;
    forget_written(p, now, all);
    return 0;
}
