/* Reading the suppression list piece by piece. */
#include "suppressed.h"

enum { PIECE = 1000 };

struct walk {
    struct store_reader *reader;
    uint32_t tenant;
    struct suppress_key at;
    bool skip; /* the row at `at` itself is not wanted */
    bool over; /* nothing behind it */
    suppressed_fn *each;
    void *ctx;
};

static int one(struct walk *w, const struct store_cursor *cursor, struct err *err) {
    struct suppress_row row;
    struct slice address;
    if (!suppress_key_address(cursor->key, SUPPRESS_LISTED, w->tenant, &address)) return 1;
    if (address.len > SUPPRESS_ADDRESS_MAX)
        return err_set(err, ERR_CORRUPT, "the store holds a broken key of the suppression list");
    if (w->skip && slice_eq(cursor->key, suppress_key_slice(&w->at))) return 0;
    if (suppress_row_decode(cursor->value, &row, err)) return -1;
    memcpy(w->at.bytes, cursor->key.at, cursor->key.len);
    w->at.len = (uint16_t)cursor->key.len;
    w->skip = true;
    return w->each(w->ctx, address, &row);
}

static int piece(struct walk *w, struct err *err) {
    struct store_cursor cursor;
    if (store_read_begin(w->reader, err)) return -1;
    int found = store_cursor_init(&cursor, w->reader, TABLE_SUPPRESSION, err);
    if (found == 0) {
        found = store_cursor_seek(&cursor, suppress_key_slice(&w->at), err);
        for (int n = 0; found == 1 && n < PIECE; n++) {
            int verdict = one(w, &cursor, err);
            found = verdict < 0 ? -1 : verdict ? 0 : store_cursor_next(&cursor, err);
        }
        store_cursor_done(&cursor);
    }
    store_read_end(w->reader);
    w->over = found == 0;
    return found < 0 ? -1 : 0;
}

int suppressed_each(struct store *store, uint32_t tenant, struct slice after, suppressed_fn *each,
                    int (*pause)(void *), void *ctx, struct err *err) {
    struct walk w = {.tenant = tenant, .each = each, .ctx = ctx, .skip = after.len > 0};
    if (after.len && !suppress_key_make(&w.at, SUPPRESS_LISTED, tenant, after))
        return err_set(err, ERR_INPUT, "an address has at most %d bytes", SUPPRESS_ADDRESS_MAX);
    if (!after.len) w.at = suppress_key_first(SUPPRESS_LISTED, tenant);
    w.reader = store_reader_open(store, err);
    if (!w.reader) return -1;
    int failed = 0;
    while (!failed && !w.over) {
        failed = piece(&w, err);
        if (!failed && pause && pause(ctx)) break;
    }
    store_reader_free(w.reader);
    return failed;
}

static int find(struct store_reader *r, enum suppress_kind kind, uint32_t tenant, struct slice address,
                struct suppressed *found, struct err *err) {
    struct suppress_key key;
    struct slice value;
    if (!suppress_key_make(&key, kind, tenant, address)) return 0;
    int is = store_get(r, TABLE_SUPPRESSION, suppress_key_slice(&key), &value, err);
    if (is != 1) return is;
    if (value.len > sizeof found->bytes)
        return err_set(err, ERR_CORRUPT, "the store holds a suppression row that is too long");
    memcpy(found->bytes, value.at, value.len);
    value.at = found->bytes;
    if (kind == SUPPRESS_LISTED) {
        found->listed = true;
        return suppress_row_decode(value, &found->row, err);
    }
    found->counted = true;
    return suppress_count_decode(value, &found->count, err);
}

int suppressed_find(struct store *store, uint32_t tenant, struct slice address, struct suppressed *found,
                    struct err *err) {
    found->listed = found->counted = false;
    struct store_reader *r = store_reader_open(store, err);
    if (!r) return -1;
    int failed = store_read_begin(r, err);
    if (!failed) {
        failed = find(r, SUPPRESS_LISTED, tenant, address, found, err);
        if (!failed && !found->listed) failed = find(r, SUPPRESS_COUNTED, tenant, address, found, err);
        store_read_end(r);
    }
    store_reader_free(r);
    return failed;
}
