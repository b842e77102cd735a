/* The engine's clock of days: what retries and the end of campaigns go by. Its reading is kept in the store
 * with every checkpoint, so that a wall clock put back between two runs does not make everything wait. */
#include "owner.h"

#include "log.h"

#include <assert.h>

#define KEY     SLICE("clock")
#define NOTABLE (60 * US_PER_SEC)

int time_init(struct engine *e, struct err *err) {
    struct slice value;
    uint64_t known = 0;
    struct store_reader *r = store_reader_open(e->store, err);
    if (!r) return -1;
    int found = store_read_begin(r, err) ? -1 : store_get(r, TABLE_META, KEY, &value, err);
    if (found == 1 && !store_key_number(value, 0, &known)) known = 0;
    store_reader_free(r);
    steady_init(&e->steady, clock_boot(), clock_wall(), (wall_us)known);
    return found < 0 ? -1 : 0;
}

wall_us time_now(struct engine *e) {
    return steady_read(&e->steady, clock_boot(), clock_wall());
}

void time_put(struct engine *e, struct store_batch *batch) {
    struct store_key now = store_key_u64((uint64_t)time_now(e));
    bool put = store_put(batch, TABLE_META, KEY, store_key_slice(&now));
    assert(put);
}

void time_watch(struct engine *e) {
    wall_us wall = clock_wall();
    int64_t off = wall - steady_read(&e->steady, clock_boot(), wall);
    bool notable = off > NOTABLE || off < -NOTABLE;
    if (notable && !e->clock_off) {
        log_begin(LOG_LEVEL_WARN, "clock-jumped");
        log_number("seconds", off / US_PER_SEC);
        log_text("note", "retries and expiry follow slowly, dates at once");
        log_end();
    }
    e->clock_off = notable;
}
