/* One way to change the list for both who can. */
#include "suppressing.h"

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
