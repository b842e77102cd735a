/* Encodings of the ledger's rows, and the tally's arithmetic. Pure. */
#include "row.h"

enum { ROW_VERSION = 1, CAMPAIGN_VERSION = 2 /* 1: without a course */ };

static int corrupt(struct err *err, const char *row) {
    return err_set(err, ERR_CORRUPT, "the store holds a broken %s row", row);
}

static bool take_version(struct slice *rest) {
    uint8_t version;
    return take_u8(rest, &version) && version == ROW_VERSION;
}

static bool take_time64(struct slice *rest, wall_us *t) {
    uint64_t v;
    return take_u64le(rest, &v) && (*t = (wall_us)v, true);
}

const char *campaign_state_name(enum campaign_state state) {
    static const char *const names[] = {"?", "loading", "ready", "held", "cancelled", "done"};
    return (unsigned)state < sizeof names / sizeof *names ? names[state] : names[0];
}

uint64_t tally_pending(const struct tally *t) {
    return t->planned - t->delivered - t->failed - t->suppressed - t->cancelled - t->expired - t->uncertain;
}

/* How an event moves recipients into or out of the retry table: `due` marks those that stand in it. */
static int64_t deferred_change(const struct event *e) {
    int64_t n = slots_count(&e->slots);
    if (!e->due) return 0;
    if (e->kind == EVENT_LEASED || event_is_final(e->kind)) return -n;
    if (e->kind == EVENT_RETURNED || e->kind == EVENT_DEFERRED || e->kind == EVENT_UNCERTAIN) return n;
    return 0;
}

void tally_fold(struct tally *t, const struct event *e) {
    uint64_t n = slots_count(&e->slots);
    t->deferred += (uint64_t)deferred_change(e);
    switch (e->kind) {
    case EVENT_DELIVERED: t->delivered += n; break;
    case EVENT_FAILED: t->failed += n; break;
    case EVENT_SUPPRESSED: t->suppressed += n; break;
    case EVENT_CANCELLED: t->cancelled += n; break;
    case EVENT_EXPIRED: t->expired += n; break;
    case EVENT_DEFERRED: t->deferrals += n; break;
    case EVENT_UNCERTAIN:
        t->doubted += n;
        if (!e->due) t->uncertain += n;
        break;
    default: break;
    }
}

static void put_tally(struct buf *out, const struct tally *t) {
    const uint64_t all[] = {t->planned,    t->delivered, t->failed,    t->suppressed,
                            t->cancelled,  t->expired,   t->uncertain, t->rejected,
                            t->duplicates, t->deferrals, t->doubted,   t->deferred};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_put_varint(out, all[i]);
}

static bool take_tally(struct slice *rest, struct tally *t) {
    uint64_t *const all[] = {&t->planned,    &t->delivered, &t->failed,    &t->suppressed,
                             &t->cancelled,  &t->expired,   &t->uncertain, &t->rejected,
                             &t->duplicates, &t->deferrals, &t->doubted,   &t->deferred};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!take_varint(rest, all[i])) return false;
    return true;
}

static void put_course(struct buf *out, const struct campaign_course *c) {
    buf_put_u8(out, (uint8_t)c->priority);
    buf_put_u16(out, (uint16_t)(c->weight ? c->weight : WEIGHT_DEFAULT));
    buf_put_u64le(out, (uint64_t)c->not_before);
    buf_put_u64le(out, (uint64_t)c->deadline);
}

static bool take_course(struct slice *rest, struct campaign_course *c) {
    uint8_t priority;
    uint16_t weight;
    bool ok = take_u8(rest, &priority) && priority < PRIORITIES && take_u16(rest, &weight) && weight >= 1 &&
              weight <= WEIGHT_MOST && take_time64(rest, &c->not_before) && c->not_before >= 0 &&
              take_time64(rest, &c->deadline) && c->deadline >= 0;
    if (!ok) return false;
    c->priority = priority;
    c->weight = weight;
    return true;
}

bool campaign_row_encode(struct buf *out, const struct campaign_row *row) {
    buf_put_u8(out, CAMPAIGN_VERSION);
    buf_put_u32(out, row->id);
    buf_put_u32(out, row->tenant);
    buf_put_u8(out, (uint8_t)row->state);
    buf_put_u8(out, row->hold_uncertain);
    const wall_us times[] = {row->created, row->ready, row->expires, row->ended};
    for (size_t i = 0; i < 4; i++)
        buf_put_u64le(out, (uint64_t)times[i]);
    buf_put_u64le(out, row->payload);
    buf_put_u32(out, row->chunks);
    buf_put_u64le(out, row->hash_seed);
    buf_put_bytes(out, row->name);
    buf_put_bytes(out, row->columns);
    put_tally(out, &row->tally);
    put_course(out, &row->course);
    return !out->failed;
}

int campaign_row_decode(struct slice bytes, struct campaign_row *row, struct err *err) {
    uint8_t version, state, hold;
    *row = (struct campaign_row){.course.weight = WEIGHT_DEFAULT};
    bool ok = take_u8(&bytes, &version) && version >= 1 && version <= CAMPAIGN_VERSION &&
              take_u32(&bytes, &row->id) && take_u32(&bytes, &row->tenant) && take_u8(&bytes, &state) &&
              state >= CAMPAIGN_LOADING && state <= CAMPAIGN_DONE && take_u8(&bytes, &hold) && hold <= 1 &&
              take_time64(&bytes, &row->created) && take_time64(&bytes, &row->ready) &&
              take_time64(&bytes, &row->expires) && take_time64(&bytes, &row->ended) &&
              take_u64le(&bytes, &row->payload) && take_u32(&bytes, &row->chunks) &&
              row->chunks <= RID_CHUNK_MAX + 1 && take_u64le(&bytes, &row->hash_seed) &&
              take_bytes(&bytes, &row->name) && take_bytes(&bytes, &row->columns) &&
              take_tally(&bytes, &row->tally) && (version == 1 || take_course(&bytes, &row->course)) &&
              bytes.len == 0;
    if (!ok) return corrupt(err, "campaign");
    row->state = state;
    row->hold_uncertain = hold;
    return 0;
}

bool chunk_row_encode(struct buf *out, const struct chunk_row *row) {
    buf_put_u8(out, ROW_VERSION);
    buf_put_u64le(out, row->id);
    buf_put_u16(out, row->count);
    segment_ref_put(out, row->table);
    buf_put_u64le(out, row->first_hash);
    buf_put_u64le(out, row->last_hash);
    buf_put_bytes(out, row->domain);
    return !out->failed;
}

int chunk_row_decode(struct slice bytes, struct chunk_row *row, struct err *err) {
    *row = (struct chunk_row){0};
    bool ok = take_version(&bytes) && take_u64le(&bytes, &row->id) && row->id < UINT64_C(1) << 56 &&
              take_u16(&bytes, &row->count) && row->count >= 1 && row->count <= CHUNK_SLOTS &&
              segment_ref_take(&bytes, &row->table) && take_u64le(&bytes, &row->first_hash) &&
              take_u64le(&bytes, &row->last_hash) && take_bytes(&bytes, &row->domain) &&
              row->domain.len <= 255 && bytes.len == 0;
    if (!ok) return corrupt(err, "chunk");
    return 0;
}

bool retry_row_encode(struct buf *out, const struct retry_row *row) {
    buf_put_u8(out, ROW_VERSION);
    buf_put_u16(out, row->attempts);
    buf_put_u8(out, row->doubt);
    return buf_put_u64le(out, (uint64_t)row->first);
}

int retry_row_decode(struct slice bytes, struct retry_row *row, struct err *err) {
    uint8_t doubt;
    bool ok = take_version(&bytes) && take_u16(&bytes, &row->attempts) && take_u8(&bytes, &doubt) &&
              doubt <= 1 && take_time64(&bytes, &row->first) && bytes.len == 0;
    if (!ok) return corrupt(err, "retry");
    row->doubt = doubt;
    return 0;
}

bool progress_encode(struct buf *out, const uint8_t states[CHUNK_SLOTS], unsigned count) {
    buf_put_u8(out, ROW_VERSION);
    for (unsigned i = 0; i < count; i += 2)
        buf_put_u8(out, (uint8_t)(states[i] | (i + 1 < count ? states[i + 1] << 4 : 0)));
    return !out->failed;
}

int progress_decode(struct slice bytes, uint8_t states[CHUNK_SLOTS], unsigned count, struct err *err) {
    if (!take_version(&bytes) || bytes.len != (count + 1) / 2) return corrupt(err, "progress");
    for (unsigned i = 0; i < count; i++) {
        states[i] = (uint8_t)((unsigned char)bytes.at[i / 2] >> (i % 2 * 4) & 15);
        if (states[i] > SLOT_FINAL) return corrupt(err, "progress");
    }
    return 0;
}
