/* The suppression list on the ledger's thread.
 *
 * A question goes: filter, changes that are not durable yet, store. A change goes: a row into the batch under
 * construction, the same row among the changes that are not durable, the hash into the filter. The numbers of
 * rows stand in META and are written with the batch that changes them, so nothing is ever counted by walking.
 */
#include "suppress.h"

#include "ledger_priv.h"

#define COUNTS_KEY SLICE("suppressed")

static void must(bool ok) {
    if (!ok) abort(); /* as in ledger.c */
}

/* ---- changes that are not durable ---- */

static struct suppress_pending **bucket(struct suppress_list *s, uint64_t hash) {
    return &s->buckets[(hash >> 20) % SUPPRESS_BUCKETS];
}

static struct suppress_pending **find_pending(struct suppress_list *s, uint64_t hash,
                                              const struct suppress_key *key) {
    struct suppress_pending **at = bucket(s, hash);
    while (*at && !slice_eq(suppress_key_slice(&(*at)->key), suppress_key_slice(key)))
        at = &(*at)->next_alike;
    return at;
}

static void drop_alike(struct suppress_list *s, struct suppress_pending *p) {
    if (p->stale) return;
    struct suppress_pending **at = find_pending(s, p->hash, &p->key);
    *at = p->next_alike;
    p->stale = true;
}

static void remember(struct ledger *l, uint64_t hash, const struct suppress_key *key, struct slice value,
                     bool gone) {
    struct suppress_list *s = &l->suppress;
    struct suppress_pending *before = *find_pending(s, hash, key);
    if (before) drop_alike(s, before);
    struct suppress_pending *p = malloc(sizeof *p + value.len);
    must(p != NULL);
    *p = (struct suppress_pending){
        .key = *key, .hash = hash, .gone = gone, .batch = l->batch_building, .len = value.len};
    if (value.len) memcpy(p->value, value.at, value.len);
    struct suppress_pending **at = bucket(s, hash);
    p->next_alike = *at;
    *at = p;
    if (s->last)
        s->last->next = p;
    else
        s->first = p;
    s->last = p;
}

void suppress_committed(struct ledger *l, uint64_t batch) {
    struct suppress_list *s = &l->suppress;
    while (s->first && s->first->batch <= batch) {
        struct suppress_pending *p = s->first;
        s->first = p->next;
        if (!s->first) s->last = NULL;
        drop_alike(s, p);
        free(p);
    }
}

/* ---- rows ---- */

static void put_row(struct ledger *l, uint64_t hash, const struct suppress_key *key, struct slice value) {
    struct suppress_list *s = &l->suppress;
    must(store_put(ledger_batch(l), TABLE_SUPPRESSION, suppress_key_slice(key), value));
    remember(l, hash, key, value, false);
    suppress_filter_add(&s->filter, hash);
    suppress_filter_add(&s->next, hash);
    s->dirty = true;
}

static void delete_row(struct ledger *l, uint64_t hash, const struct suppress_key *key) {
    must(store_delete(ledger_batch(l), TABLE_SUPPRESSION, suppress_key_slice(key)));
    remember(l, hash, key, (struct slice){0}, true);
    l->suppress.dirty = true;
}

/* 1 with *value (valid until the next question), 0, -1. */
static int get_row(struct ledger *l, uint64_t hash, const struct suppress_key *key, struct slice *value,
                   struct err *err) {
    struct suppress_list *s = &l->suppress;
    struct suppress_pending *p = *find_pending(s, hash, key);
    struct slice found;
    int is = 1;
    if (p && p->gone) return 0;
    buf_reset(&s->value);
    if (p) {
        must(buf_put(&s->value, p->value, p->len));
    } else {
        s->asked++;
        if (store_read_begin(l->lookup, err)) return -1;
        is = store_get(l->lookup, TABLE_SUPPRESSION, suppress_key_slice(key), &found, err);
        if (is == 1 && !buf_put_slice(&s->value, found))
            is = err_set(err, ERR_CORRUPT, "the store holds a suppression row that is too long");
        store_read_end(l->lookup);
    }
    *value = buf_slice(&s->value);
    return is;
}

static bool surely_none(const struct suppress_list *s, uint64_t hash) {
    return s->ready && !suppress_filter_maybe(&s->filter, hash);
}

/* ---- questions ---- */

bool ledger_suppress_any(const struct ledger *l) {
    return l->suppress.listed > 0;
}

static int get_listed(struct ledger *l, uint64_t hash, uint32_t tenant, struct slice address,
                      struct suppress_row *row, struct err *err) {
    struct suppress_key key;
    struct slice value;
    if (!l->suppress.listed || surely_none(&l->suppress, hash)) return 0;
    if (!suppress_key_make(&key, SUPPRESS_LISTED, tenant, address)) return 0;
    int is = get_row(l, hash, &key, &value, err);
    return is == 1 && suppress_row_decode(value, row, err) ? -1 : is;
}

static int get_count(struct ledger *l, uint64_t hash, uint32_t tenant, struct slice address,
                     struct suppress_count *count, struct err *err) {
    struct suppress_key key;
    struct slice value;
    if (!l->suppress.counted || surely_none(&l->suppress, hash)) return 0;
    if (!suppress_key_make(&key, SUPPRESS_COUNTED, tenant, address)) return 0;
    int is = get_row(l, hash, &key, &value, err);
    return is == 1 && suppress_count_decode(value, count, err) ? -1 : is;
}

int ledger_suppressed(struct ledger *l, uint32_t tenant, struct slice address, struct suppress_row *row,
                      struct err *err) {
    if (!l->suppress.listed) return 0;
    return get_listed(l, suppress_hash(tenant, address), tenant, address, row, err);
}

/* ---- changes ---- */

static int no_address(struct slice address, struct err *err) {
    return err_set(err, ERR_INPUT, "an address has 1 to %d bytes, not %zu", SUPPRESS_ADDRESS_MAX,
                   address.len);
}

static int drop_count(struct ledger *l, uint64_t hash, uint32_t tenant, struct slice address,
                      struct err *err) {
    struct suppress_count count;
    struct suppress_key key;
    int is = get_count(l, hash, tenant, address, &count, err);
    if (is != 1 || !suppress_key_make(&key, SUPPRESS_COUNTED, tenant, address)) return is < 0 ? -1 : 0;
    delete_row(l, hash, &key);
    l->suppress.counted--;
    return 0;
}

int ledger_suppress_put(struct ledger *l, uint32_t tenant, struct slice address,
                        const struct suppress_row *wanted, enum suppress_source source, wall_us now,
                        enum suppress_change *change, struct err *err) {
    struct suppress_list *s = &l->suppress;
    struct suppress_row was, row;
    struct suppress_key key;
    if (!suppress_key_make(&key, SUPPRESS_LISTED, tenant, address)) return no_address(address, err);
    uint64_t hash = suppress_hash(tenant, address);
    int is = get_listed(l, hash, tenant, address, &was, err);
    if (is < 0) return -1;
    *change = SUPPRESS_UNCHANGED;
    if (!suppress_merge(is ? &was : NULL, wanted, source, now, &row)) return 0;
    buf_reset(&s->row);
    must(suppress_row_encode(&s->row, &row)); /* `was`, in s->value, is not needed any more */
    if (drop_count(l, hash, tenant, address, err)) return -1;
    put_row(l, hash, &key, buf_slice(&s->row));
    s->listed += !is;
    *change = is ? SUPPRESS_CHANGED : SUPPRESS_ADDED;
    return 0;
}

int ledger_suppress_remove(struct ledger *l, uint32_t tenant, struct slice address,
                           enum suppress_change *change, struct err *err) {
    struct suppress_row was;
    struct suppress_key key;
    if (!suppress_key_make(&key, SUPPRESS_LISTED, tenant, address)) return no_address(address, err);
    uint64_t hash = suppress_hash(tenant, address);
    int is = get_listed(l, hash, tenant, address, &was, err);
    if (is < 0 || drop_count(l, hash, tenant, address, err)) return -1;
    *change = is ? SUPPRESS_REMOVED : SUPPRESS_UNCHANGED;
    if (!is) return 0;
    delete_row(l, hash, &key);
    l->suppress.listed--;
    return 0;
}

int ledger_suppress_failed(struct ledger *l, uint32_t tenant, struct slice address,
                           const struct suppress_proof *proof, unsigned after, wall_us now,
                           enum suppress_change *change, struct err *err) {
    struct suppress_list *s = &l->suppress;
    struct suppress_count count = {0};
    struct suppress_row row;
    struct suppress_key key;
    *change = SUPPRESS_UNCHANGED;
    if (after == 0) return 0;
    if (!suppress_key_make(&key, SUPPRESS_COUNTED, tenant, address)) return no_address(address, err);
    uint64_t hash = suppress_hash(tenant, address);
    int listed = get_listed(l, hash, tenant, address, &row, err);
    int counted = listed ? 0 : get_count(l, hash, tenant, address, &count, err);
    if (listed || counted < 0) return listed < 0 || counted < 0 ? -1 : 0;
    count.failures = count.failures < UINT8_MAX ? (uint8_t)(count.failures + 1) : UINT8_MAX;
    if (count.failures >= after) {
        struct suppress_row wanted = {.reason = SUPPRESS_BOUNCE, .failures = count.failures, .proof = *proof};
        return ledger_suppress_put(l, tenant, address, &wanted, SUPPRESS_BY_REPLY, now, change, err);
    }
    count.at = now;
    count.proof = *proof;
    buf_reset(&s->row);
    must(suppress_count_encode(&s->row, &count));
    put_row(l, hash, &key, buf_slice(&s->row));
    s->counted += !counted;
    return 0;
}

int ledger_suppress_delivered(struct ledger *l, uint32_t tenant, struct slice address, struct err *err) {
    if (!l->suppress.counted) return 0;
    return drop_count(l, suppress_hash(tenant, address), tenant, address, err);
}

/* ---- the filter ---- */

static uint64_t rows(const struct suppress_list *s) {
    return s->listed + s->counted;
}

static bool too_small(const struct suppress_list *s) {
    return s->filter.added > suppress_filter_room(&s->filter) && suppress_filter_can_grow(&s->filter);
}

static void begin_filling(struct suppress_list *s) {
    if (!suppress_filter_init(&s->next, rows(s) * 2)) return;   /* no memory: the store is asked */
    for (struct suppress_pending *p = s->first; p; p = p->next) /* the store may not show these yet */
        suppress_filter_add(&s->next, p->hash);
    s->filled = (struct suppress_key){.len = 1}; /* before all keys */
    s->filling = true;
}

static void end_filling(struct suppress_list *s) {
    suppress_filter_done(&s->filter);
    s->filter = s->next;
    s->next = (struct suppress_filter){0};
    s->ready = true;
    s->filling = false;
}

struct filling {
    unsigned left;
    bool more;
};

static int fill_one(struct ledger *l, struct slice key, struct slice value, void *ctx, struct err *err) {
    (void)value;
    struct filling *filling = ctx;
    struct suppress_list *s = &l->suppress;
    if (filling->left == 0) return filling->more = true, 1;
    if (key.len <= 5 || key.len > sizeof s->filled.bytes)
        return err_set(err, ERR_CORRUPT, "the store holds a broken key of the suppression list");
    uint32_t tenant = 0;
    for (int i = 1; i < 5; i++)
        tenant = tenant << 8 | (unsigned char)key.at[i];
    suppress_filter_add(&s->next, suppress_hash(tenant, slice_skip(key, 5)));
    memcpy(s->filled.bytes, key.at, key.len);
    s->filled.len = (uint16_t)key.len;
    filling->left--;
    return 0;
}

bool ledger_suppress_fill(struct ledger *l, unsigned most) {
    struct suppress_list *s = &l->suppress;
    struct filling filling = {.left = most};
    struct err err;
    if (!s->filling && (s->ready ? too_small(s) : rows(s) > 0)) begin_filling(s);
    if (!s->filling) return false;
    if (ledger_each_row_from(l, TABLE_SUPPRESSION, suppress_key_slice(&s->filled), fill_one, &filling, &err) <
        0) {
        suppress_filter_done(&s->next);
        s->filling = false;
        return false;
    }
    if (!filling.more) end_filling(s);
    return filling.more;
}

void ledger_suppress_stats(const struct ledger *l, struct suppress_stats *out) {
    const struct suppress_list *s = &l->suppress;
    *out = (struct suppress_stats){.listed = s->listed,
                                   .counted = s->counted,
                                   .asked = s->asked,
                                   .filter_bytes = s->filter.lines ? (s->filter.mask + 1) * 64 : 0,
                                   .filling = s->filling};
}

/* ---- with the ledger ---- */

int suppress_open(struct ledger *l, struct err *err) {
    struct suppress_list *s = &l->suppress;
    struct slice value;
    uint64_t listed = 0, counted = 0;
    buf_init(&s->value, SUPPRESS_ROW_MAX);
    buf_init(&s->row, SUPPRESS_ROW_MAX);
    if (store_read_begin(l->lookup, err)) return -1;
    int found = store_get(l->lookup, TABLE_META, COUNTS_KEY, &value, err);
    if (found == 1 && !(store_key_number(value, 0, &listed) && store_key_number(value, 1, &counted)))
        found = err_set(err, ERR_CORRUPT, "the store holds a broken count of the suppression list");
    store_read_end(l->lookup);
    if (found < 0) return -1;
    s->listed = listed;
    s->counted = counted;
    /* With no rows the filter is as good as full. Without memory for it the store is asked. */
    if (rows(s) == 0) s->ready = suppress_filter_init(&s->filter, 0);
    return 0;
}

void suppress_seal(struct ledger *l) {
    struct suppress_list *s = &l->suppress;
    if (!s->dirty) return;
    struct store_key counts = store_key_pair(s->listed, s->counted);
    must(store_put(ledger_batch(l), TABLE_META, COUNTS_KEY, store_key_slice(&counts)));
    s->dirty = false;
}

void suppress_free(struct ledger *l) {
    struct suppress_list *s = &l->suppress;
    for (struct suppress_pending *p = s->first, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    suppress_filter_done(&s->filter);
    suppress_filter_done(&s->next);
    buf_done(&s->value);
    buf_done(&s->row);
}
