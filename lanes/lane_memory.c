/* Encoding of learn_memory: a version byte, times, counts as varints, numbers as the bits of a double. */
#include "lane_memory.h"

#include "hash.h"

#include <string.h>

enum { VERSION = 1, NAME_MOST = 128, HASHED = 16 };
#define DAY         (INT64_C(86400) * US_PER_SEC)
#define LATEST_SAVE (INT64_C(253402300800) * US_PER_SEC) /* year 10000 */

static const double counts_most = 1e6, rate_most = 1e6, burst_most = 1e9, quota_most = 1e12;

#define MUCH_CHANCE 0.02 /* from here on a lane without it would take chance for a limit */

bool lane_memory_knows(const struct learn_memory *m, const struct learn_profile *p) {
    return m->connections > 0 || m->rate > 0 || m->quota > 0 || (m->quota_used > 0 && p->quota.ceiling > 0) ||
           (m->per_connection > 0 && m->per_connection != p->per_connection.start) ||
           (m->new_connections > 0 && m->new_connections != p->new_connections.start) ||
           m->chance_unsaid > MUCH_CHANCE || m->chance_said > MUCH_CHANCE;
}

static void put_number(struct buf *out, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    buf_put_u64le(out, bits);
}

bool lane_memory_encode(const struct learn_memory *m, struct buf *out) {
    buf_put_u8(out, VERSION);
    buf_put_u64le(out, (uint64_t)m->saved);
    buf_put_varint(out, m->connections);
    put_number(out, m->rate);
    put_number(out, m->burst);
    buf_put_varint(out, m->per_connection);
    put_number(out, m->new_connections);
    put_number(out, m->quota);
    put_number(out, m->quota_used);
    buf_put_u64le(out, (uint64_t)m->quota_resets);
    put_number(out, m->chance_unsaid);
    put_number(out, m->chance_said);
    return !out->failed;
}

/* From 0 to most; what is no number is neither. */
static bool take_number(struct slice *rest, double most, double *x) {
    uint64_t bits;
    if (!take_u64le(rest, &bits)) return false;
    memcpy(x, &bits, sizeof bits);
    return *x >= 0 && *x <= most;
}

static bool take_count(struct slice *rest, uint32_t *n) {
    uint64_t wide;
    if (!take_varint(rest, &wide) || (double)wide > counts_most) return false;
    *n = (uint32_t)wide;
    return true;
}

static bool take_time(struct slice *rest, wall_us *t) {
    uint64_t bits;
    if (!take_u64le(rest, &bits)) return false;
    *t = (wall_us)bits;
    return *t >= 0 && *t < LATEST_SAVE;
}

bool lane_memory_decode(struct slice rest, struct learn_memory *m) {
    struct learn_memory r = {0};
    uint8_t version;
    if (!take_u8(&rest, &version) || version != VERSION || !take_time(&rest, &r.saved) ||
        !take_count(&rest, &r.connections) || !take_number(&rest, rate_most, &r.rate) ||
        !take_number(&rest, burst_most, &r.burst) || !take_count(&rest, &r.per_connection) ||
        !take_number(&rest, counts_most, &r.new_connections) || !take_number(&rest, quota_most, &r.quota) ||
        !take_number(&rest, quota_most, &r.quota_used) || !take_time(&rest, &r.quota_resets) ||
        !take_number(&rest, LEARN_CHANCE_MOST, &r.chance_unsaid) ||
        !take_number(&rest, LEARN_CHANCE_MOST, &r.chance_said) || rest.len)
        return false;
    /* A quota begins anew within a day of whenever this was written. */
    if (r.quota_resets && (r.quota_resets < r.saved - 2 * DAY || r.quota_resets > r.saved + 2 * DAY))
        return false;
    *m = r;
    return true;
}

/* Long names, which nobody has, go in as their beginning and a hash of the whole. */
static void put_name(struct buf *out, struct slice name) {
    char text[NAME_MOST + HASHED];
    if (name.len <= NAME_MOST) {
        buf_put_bytes(out, name);
        return;
    }
    uint64_t hash = hash_bytes(name, 1);
    memcpy(text, name.at, NAME_MOST);
    for (int i = 0; i < HASHED; i++)
        text[NAME_MOST + i] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
    buf_put_bytes(out, slice_make(text, sizeof text));
}

bool lane_key_encode(struct slice source, struct slice provider, uint64_t set, struct buf *out) {
    put_name(out, source);
    put_name(out, provider);
    if (set) buf_put_u64le(out, set);
    return !out->failed;
}

bool lane_key_decode(struct slice key, struct slice *source, struct slice *provider, uint64_t *set) {
    *set = 0;
    return take_bytes(&key, source) && source->len <= NAME_MOST + HASHED && take_bytes(&key, provider) &&
           provider->len <= NAME_MOST + HASHED && (key.len == 0 || (take_u64le(&key, set) && key.len == 0));
}

uint64_t lane_set_add(uint64_t set, struct slice host) {
    char lower[256];
    size_t n = host.len < sizeof lower ? host.len : sizeof lower;
    for (size_t i = 0; i < n; i++)
        lower[i] = ascii_lower(host.at[i]);
    set += hash_mix(hash_bytes(slice_make(lower, n), 0) | 1);
    return set ? set : 1;
}
