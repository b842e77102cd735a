/* Fixing the moment: campaigns, keys and the blocks that the history has not (wholly) got. */
#include "view_inner.h"

#include <stdlib.h>

enum { LIVE_MAX = 1 << 30, CAMPAIGNS_MAX = 256 << 20, RECORD_BYTES = 64 << 20 };

struct view *view_open(struct store *store, struct err *err) {
    struct view *v = calloc(1, sizeof *v);
    if (!v) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    v->store = store;
    buf_init(&v->campaign_bytes, CAMPAIGNS_MAX);
    buf_init(&v->live, LIVE_MAX);
    buf_init(&v->bytes, RECORD_BYTES);
    buf_init(&v->domain, 256);
    v->pack = pack_new(1);
    if (!v->pack) err_set(err, ERR_SYSTEM, "out of memory");
    v->reader = v->pack ? store_reader_open(store, err) : NULL;
    if (!v->reader) {
        view_free(v);
        return NULL;
    }
    return v;
}

void view_free(struct view *v) {
    if (!v) return;
    for (size_t i = 0; i < v->part_count; i++)
        buf_done(&v->parts[i]);
    free(v->parts);
    free(v->campaigns);
    free(v->removed);
    free(v->events);
    free(v->accepted);
    buf_done(&v->campaign_bytes);
    buf_done(&v->live);
    buf_done(&v->bytes);
    buf_done(&v->domain);
    chunk_table_free(v->table);
    pack_free(v->pack);
    store_reader_free(v->reader);
    sql_free(v->db);
    free(v);
}

/* Room for one more item; -1 without memory. */
static int grow(void **items, size_t *room, size_t count, size_t size, struct err *err) {
    if (count < *room) return 0;
    size_t wanted = *room ? *room * 2 : 64;
    void *bigger = reallocarray(*items, wanted, size);
    if (!bigger) return err_set(err, ERR_SYSTEM, "out of memory");
    *items = bigger;
    *room = wanted;
    return 0;
}

/* Each row of a table from a key on, until `each` returns other than 0. */
static int each_row(struct view *v, enum store_table table, uint64_t from,
                    int (*each)(struct view *v, uint64_t key, struct slice value, void *ctx, struct err *err),
                    void *ctx, struct err *err) {
    struct store_cursor c;
    struct store_key key = store_key_u64(from);
    if (store_cursor_init(&c, v->reader, table, err)) return -1;
    int found = store_cursor_seek(&c, store_key_slice(&key), err);
    while (found == 1) {
        uint64_t number;
        if (!store_key_number(c.key, 0, &number))
            found = err_set(err, ERR_CORRUPT, "the store holds a broken key");
        else
            found = each(v, number, c.value, ctx, err) ? -1 : store_cursor_next(&c, err);
    }
    store_cursor_done(&c);
    return found;
}

static int take_campaign(struct view *v, uint64_t key, struct slice value, void *ctx, struct err *err) {
    (void)key, (void)ctx;
    if (grow((void **)&v->campaigns, &v->campaign_room, v->campaign_count, sizeof *v->campaigns, err))
        return -1;
    if (campaign_row_decode(value, &v->campaigns[v->campaign_count], err)) return -1;
    v->campaign_count++;
    return 0;
}

/* The names of the rows are borrowed from the transaction: give them a home. */
static int settle_campaigns(struct view *v, struct err *err) {
    size_t total = 1;
    for (size_t i = 0; i < v->campaign_count; i++)
        total += v->campaigns[i].name.len + v->campaigns[i].columns.len;
    buf_reset(&v->campaign_bytes);
    if (!buf_room(&v->campaign_bytes, total)) return err_set(err, ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < v->campaign_count; i++) {
        struct slice *texts[] = {&v->campaigns[i].name, &v->campaigns[i].columns};
        for (size_t k = 0; k < 2; k++) {
            size_t at = v->campaign_bytes.len;
            buf_put_slice(&v->campaign_bytes, *texts[k]);
            texts[k]->at = v->campaign_bytes.at + at;
        }
    }
    for (size_t i = 0; i < v->campaign_count / 2; i++) {
        struct campaign_row row = v->campaigns[i];
        v->campaigns[i] = v->campaigns[v->campaign_count - 1 - i];
        v->campaigns[v->campaign_count - 1 - i] = row;
    }
    return 0;
}

static struct campaign_row *campaign_by_id(struct view *v, uint32_t id) {
    size_t low = 0, high = v->campaign_count; /* the store's order: rising */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (v->campaigns[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->campaign_count && v->campaigns[low].id == id ? &v->campaigns[low] : NULL;
}

/* What recovery would make of the stored tally (queue/recover.c): the blocks since the checkpoint over it. */
static int count_event(struct view *v, const struct event *e, struct err *err) {
    struct campaign_row *c = campaign_by_id(v, chunk_campaign(e->chunk)), row;
    if (!c) return 0;
    if (e->kind != EVENT_CAMPAIGN) {
        tally_fold(&c->tally, e);
        return 0;
    }
    if (campaign_row_decode(e->detail, &row, err)) return -1;
    c->tally = row.tally;
    return 0;
}

static int keep_event(struct view *v, uint64_t seq, const struct event *e, struct err *err) {
    bool row = e->kind == EVENT_ACCEPTED;
    if (e->kind == EVENT_CAMPAIGN || e->kind == EVENT_CLOSED || e->kind == EVENT_NOTE) return 0;
    struct live_event l = {.chunk = e->chunk, .seq = seq, .at = v->live.len};
    if (!event_encode(&v->live, e, 0)) return err_set(err, ERR_SYSTEM, "out of memory");
    l.len = v->live.len - l.at;
    struct live_event **list = row ? &v->accepted : &v->events;
    size_t *count = row ? &v->accepted_count : &v->event_count;
    if (grow((void **)list, row ? &v->accepted_room : &v->event_room, *count, sizeof l, err)) return -1;
    (*list)[(*count)++] = l;
    return 0;
}

struct taking {
    uint32_t only;
    uint64_t checkpoint, cursor;
};

static int take_block(struct view *v, uint64_t seq, struct slice value, void *ctx, struct err *err) {
    const struct taking *t = ctx;
    struct event_reader r;
    struct event e;
    int more = event_reader_init(&r, value, &v->bytes, err);
    while (more == 0 && (more = event_reader_next(&r, &e, err)) == 1) {
        bool wanted = seq > t->cursor && (t->only == 0 || chunk_campaign(e.chunk) == t->only);
        more = wanted ? keep_event(v, seq, &e, err) : 0;
        if (more == 0 && seq > t->checkpoint) more = count_event(v, &e, err);
    }
    if (more < 0) err_wrap(err, "block %llu", (unsigned long long)seq);
    return more < 0 ? -1 : 0;
}

static int by_chunk(const void *a, const void *b) {
    const struct live_event *x = a, *y = b;
    if (x->chunk != y->chunk) return x->chunk < y->chunk ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int read_meta(struct view *v, struct taking *t, struct err *err) {
    struct slice value;
    int found = store_get(v->reader, TABLE_META, SLICE("checkpoint"), &value, err);
    if (found == 1) store_key_number(value, 0, &t->checkpoint);
    if (found >= 0) found = store_get(v->reader, TABLE_META, SLICE("rid-key-1"), &value, err);
    if (found == 1 && value.len == RID_KEY_BYTES) {
        v->keys[0].id = 1;
        memcpy(v->keys[0].secret, value.at, RID_KEY_BYTES);
        v->key_count = 1;
    }
    return found < 0 ? -1 : 0;
}

static void sort_live(struct view *v) {
    if (v->event_count) qsort(v->events, v->event_count, sizeof *v->events, by_chunk);
    if (v->accepted_count) qsort(v->accepted, v->accepted_count, sizeof *v->accepted, by_chunk);
}

/* The cursor as it is before the blocks are looked at: what it passes later is left out again by view_read.c,
 * which compares each part's last block. */
static int open_history(struct view *v, uint64_t *cursor, struct err *err) {
    struct history_cursor c = {0};
    if (v->reading) sql_rollback(v->db);
    v->reading = false;
    if (!v->db) {
        v->db = history_open(store_dir(v->store), true, err);
        if (!v->db && err->kind != ERR_ABSENT) return -1;
    }
    if (v->db && history_cursor_get(v->db, &c, err)) return -1;
    *cursor = c.sequence;
    return 0;
}

/* The transaction's moment is its first read. Whatever the cursor has passed since the blocks were read is no
 * gap: so it is compared as it is now. */
static int begin_history(struct view *v, uint64_t oldest, struct err *err) {
    struct history_cursor now = {0};
    v->gap = (struct history_gap){0};
    if (v->db && sql_exec(v->db, "BEGIN", err)) return -1;
    v->reading = v->db != NULL;
    if (v->db && (history_cursor_get(v->db, &now, err) || history_gap_get(v->db, &v->gap, err))) return -1;
    history_gap_add(&v->gap, now.sequence, oldest);
    free(v->removed);
    v->removed = NULL;
    v->removed_count = 0;
    return v->db ? history_removed_list(v->db, &v->removed, &v->removed_count, err) : 0;
}

const struct history_removed *view_all_removed(const struct view *v, size_t *count) {
    *count = v->removed_count;
    return v->removed;
}

const struct history_removed *view_removed(const struct view *v, uint32_t campaign) {
    size_t low = 0, high = v->removed_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (v->removed[middle].campaign < campaign)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->removed_count && v->removed[low].campaign == campaign ? &v->removed[low] : NULL;
}

int view_begin(struct view *v, uint32_t only, struct err *err) {
    struct taking t = {.only = only};
    uint64_t oldest = 0;
    v->campaign_count = v->event_count = v->accepted_count = 0;
    buf_reset(&v->live);
    if (open_history(v, &t.cursor, err) || store_read_begin(v->reader, err)) return -1;
    uint64_t from = t.cursor;
    int failed = read_meta(v, &t, err) || history_gap_oldest(v->reader, &oldest, err) ||
                 each_row(v, TABLE_CAMPAIGN, 0, take_campaign, NULL, err);
    if (t.checkpoint < from) from = t.checkpoint;
    failed = failed || each_row(v, TABLE_BLOCK, from + 1, take_block, &t, err) || settle_campaigns(v, err);
    store_read_end(v->reader);
    if (failed) return -1;
    sort_live(v);
    return begin_history(v, oldest, err);
}

struct history_gap view_gap(const struct view *v) {
    return v->gap;
}

const struct campaign_row *view_campaigns(const struct view *v, size_t *count) {
    *count = v->campaign_count;
    return v->campaigns;
}

const struct campaign_row *view_campaign(const struct view *v, struct slice name) {
    uint64_t number;
    bool numeric = slice_to_u64(name, &number);
    for (size_t i = 0; i < v->campaign_count; i++)
        if (slice_eq(v->campaigns[i].name, name)) return &v->campaigns[i];
    for (size_t i = 0; i < v->campaign_count && numeric; i++)
        if (v->campaigns[i].id == number) return &v->campaigns[i];
    return NULL;
}

const struct rid_key *view_keys(const struct view *v, size_t *count) {
    *count = v->key_count;
    return v->keys;
}
