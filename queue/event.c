/* Encoding of events and of the packed blocks that the ledger keeps. Pure.
 *
 * event: kind u8, flags u8, time (zigzag varint of milliseconds after the base), chunk varint, slots, then
 * what the flags announce: the answer, the due time, the detail. A block: magic, version (2 where
 * notes are in it, which older programs would take for damage), flags, base,
 * counts, check (XXH3 of all the rest), content as stored. Strings are written out each time: zstd over the
 * block names repeats more cheaply than a table of ours would. */
#include "event.h"

#include "hash.h"

#include <zstd.h>

enum { HAS_ANSWER = 1, HAS_DUE = 2, HAS_DETAIL = 4, DOUBT = 8, ALL_FLAGS = 15 };
enum { SLOTS_LISTED_MAX = 8, SLOTS_BITMAP = 255 };
enum {
    BLOCK_MAGIC = 0x42,
    BLOCK_VERSION = 1,
    BLOCK_WITH_NOTES = 2,
    BLOCK_ZSTD = 1,
    ZSTD_LEVEL = 1,
    WORTH_PACKING = 512
};

static const char *const names[] = {"?",        "accepted",  "leased",   "returned",   "delivered",
                                    "deferred", "uncertain", "failed",   "suppressed", "cancelled",
                                    "expired",  "closed",    "campaign", "note"};

bool event_is_final(enum event_kind kind) {
    return kind == EVENT_DELIVERED || (kind >= EVENT_FAILED && kind <= EVENT_EXPIRED);
}

bool event_is_unmade(enum event_kind kind, uint8_t class, unsigned code) {
    return kind == EVENT_FAILED && class == 0 && code == 0;
}

const char *event_name(enum event_kind kind) {
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : names[0];
}

int slots_next(const struct slots *s, unsigned from) {
    for (unsigned word = from >> 6; word < 4; word++) {
        uint64_t bits = s->bits[word];
        if (word == from >> 6) bits &= ~UINT64_C(0) << (from & 63);
        if (bits) return (int)(word * 64) + __builtin_ctzll(bits);
    }
    return -1;
}

struct slots slots_first(unsigned count) {
    struct slots s = {{0}};
    for (unsigned word = 0; word < 4; word++) {
        unsigned low = word * 64;
        if (count >= low + 64)
            s.bits[word] = ~UINT64_C(0);
        else if (count > low)
            s.bits[word] = (UINT64_C(1) << (count - low)) - 1;
    }
    return s;
}

static uint64_t zigzag(int64_t v) {
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}
static int64_t unzigzag(uint64_t v) {
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static void put_time(struct buf *out, wall_us t, wall_us base) {
    buf_put_varint(out, zigzag(t / US_PER_MS - base / US_PER_MS));
}

static bool take_time(struct slice *rest, wall_us base, wall_us *t) {
    uint64_t v;
    int64_t ms;
    if (!take_varint(rest, &v)) return false;
    return !__builtin_add_overflow(base / US_PER_MS, unzigzag(v), &ms) &&
           !__builtin_mul_overflow(ms, US_PER_MS, t);
}

static void put_slots(struct buf *out, const struct slots *s) {
    unsigned n = slots_count(s);
    if (n > SLOTS_LISTED_MAX) {
        buf_put_u8(out, SLOTS_BITMAP);
        for (int i = 0; i < 4; i++)
            buf_put_u64le(out, s->bits[i]);
        return;
    }
    buf_put_u8(out, (uint8_t)n);
    for (int i = slots_next(s, 0); i >= 0; i = slots_next(s, (unsigned)i + 1))
        buf_put_u8(out, (uint8_t)i);
}

static bool take_slots(struct slice *rest, struct slots *s) {
    uint8_t n, slot;
    *s = (struct slots){{0}};
    if (!take_u8(rest, &n)) return false;
    if (n == SLOTS_BITMAP) {
        for (int i = 0; i < 4; i++)
            if (!take_u64le(rest, &s->bits[i])) return false;
        return true;
    }
    if (n > SLOTS_LISTED_MAX) return false;
    for (unsigned i = 0; i < n; i++) {
        if (!take_u8(rest, &slot)) return false;
        slots_add(s, slot);
    }
    return slots_count(s) == n;
}

/* Not in the middle of a UTF-8 sequence; what is none is cut all the same. */
static struct slice cut(struct slice s, size_t most) {
    if (s.len <= most) return s;
    size_t at = most;
    while (at > most - 3 && ((unsigned char)s.at[at] & 0xC0) == 0x80)
        at--;
    s.len = ((unsigned char)s.at[at] & 0xC0) == 0x80 ? most : at;
    return s;
}

static void put_answer(struct buf *out, const struct event *e) {
    buf_put_u8(out, e->stage);
    buf_put_u8(out, e->class);
    buf_put_u16(out, e->code);
    for (int i = 0; i < 3; i++)
        buf_put_varint(out, e->enhanced[i]);
    buf_put_varint(out, e->attempt);
    buf_put_bytes(out, cut(e->provider, EVENT_HOST_MAX));
    buf_put_bytes(out, cut(e->host, EVENT_HOST_MAX));
    buf_put_bytes(out, cut(e->text, EVENT_TEXT_MAX));
}

static bool take_small(struct slice *rest, uint16_t *v) {
    uint64_t wide;
    return take_varint(rest, &wide) && wide <= UINT16_MAX && (*v = (uint16_t)wide, true);
}

static bool take_answer(struct slice *rest, struct event *e) {
    if (!take_u8(rest, &e->stage) || !take_u8(rest, &e->class) || !take_u16(rest, &e->code)) return false;
    for (int i = 0; i < 3; i++)
        if (!take_small(rest, &e->enhanced[i])) return false;
    return take_small(rest, &e->attempt) && take_bytes(rest, &e->provider) &&
           e->provider.len <= EVENT_HOST_MAX && take_bytes(rest, &e->host) && e->host.len <= EVENT_HOST_MAX &&
           take_bytes(rest, &e->text) && e->text.len <= EVENT_TEXT_MAX;
}

bool event_encode(struct buf *out, const struct event *e, wall_us base) {
    bool answer =
        e->stage || e->class || e->code || e->attempt || e->provider.len || e->host.len || e->text.len;
    unsigned flags = (answer ? HAS_ANSWER : 0) | (e->due ? HAS_DUE : 0) | (e->detail.len ? HAS_DETAIL : 0) |
                     (e->doubt ? DOUBT : 0);
    size_t before = out->len;
    buf_put_u8(out, (uint8_t)e->kind);
    buf_put_u8(out, (uint8_t)flags);
    put_time(out, e->at, base);
    buf_put_varint(out, e->chunk);
    put_slots(out, &e->slots);
    if (answer) put_answer(out, e);
    if (e->due) put_time(out, e->due, base);
    if (e->detail.len) buf_put_bytes(out, e->detail);
    if (out->failed) out->len = before;
    return !out->failed;
}

bool event_decode(struct slice *rest, wall_us base, struct event *e) {
    uint8_t kind, flags;
    *e = (struct event){0};
    if (!take_u8(rest, &kind) || kind < EVENT_ACCEPTED || kind > EVENT_NOTE) return false;
    if (!take_u8(rest, &flags) || flags & ~ALL_FLAGS) return false;
    e->kind = kind;
    e->doubt = flags & DOUBT;
    return take_time(rest, base, &e->at) && take_varint(rest, &e->chunk) && e->chunk < UINT64_C(1) << 56 &&
           take_slots(rest, &e->slots) && (!(flags & HAS_ANSWER) || take_answer(rest, e)) &&
           (!(flags & HAS_DUE) || take_time(rest, base, &e->due)) &&
           (!(flags & HAS_DETAIL) || take_bytes(rest, &e->detail)) &&
           (e->kind != EVENT_NOTE || (e->chunk == 0 && slots_count(&e->slots) == 0));
}

void event_block_init(struct event_block *b) {
    *b = (struct event_block){0};
    buf_init(&b->bytes, EVENT_BLOCK_MAX);
}

void event_block_done(struct event_block *b) {
    buf_done(&b->bytes);
}

void event_block_reset(struct event_block *b) {
    buf_reset(&b->bytes);
    b->count = 0;
    b->notes = false;
}

bool event_block_add(struct event_block *b, const struct event *e) {
    if (b->count == 0) b->base = e->at / US_PER_MS * US_PER_MS;
    if (!event_encode(&b->bytes, e, b->base)) {
        b->bytes.failed = false; /* what was in it before is whole */
        return false;
    }
    b->count++;
    b->notes |= e->kind == EVENT_NOTE;
    return true;
}

/* The header before the check, then the check over it and over what follows as it is stored. */
enum { HEADER = 19, CHECK = 8 };

static uint64_t check_of(struct slice header, struct slice content) {
    return hash_bytes(content, hash_bytes(header, 0));
}

bool event_block_seal(const struct event_block *b, struct buf *out) {
    struct slice plain = buf_slice(&b->bytes);
    size_t start = out->len, bound = plain.len >= WORTH_PACKING ? ZSTD_compressBound(plain.len) : plain.len;
    buf_put_u8(out, BLOCK_MAGIC);
    buf_put_u8(out, b->notes ? BLOCK_WITH_NOTES : BLOCK_VERSION);
    buf_put_u8(out, 0);
    buf_put_u64le(out, (uint64_t)b->base);
    buf_put_u32(out, b->count);
    buf_put_u32(out, (uint32_t)plain.len);
    buf_put_u64le(out, 0);
    char *to = buf_room(out, bound + 1);
    if (!to) return false;
    size_t packed =
        plain.len >= WORTH_PACKING ? ZSTD_compress(to, bound, plain.at, plain.len, ZSTD_LEVEL) : SIZE_MAX;
    if (!ZSTD_isError(packed) && packed < plain.len) {
        out->at[start + 2] = BLOCK_ZSTD;
        buf_grew(out, packed);
    } else {
        buf_put_slice(out, plain);
    }
    uint64_t sum =
        check_of(slice_make(out->at + start, HEADER), slice_skip(buf_slice(out), start + HEADER + CHECK));
    for (int i = 0; i < CHECK; i++)
        out->at[start + HEADER + (size_t)i] = (char)(sum >> (8 * i));
    return true;
}

static int corrupt(struct err *err, const char *what) {
    return err_set(err, ERR_CORRUPT, "event block: %s", what);
}

/* The content, unpacked into scratch. */
static int unpack(struct slice stored, bool packed, uint32_t length, struct buf *scratch, struct err *err) {
    if (!packed && stored.len != length) return corrupt(err, "of another length than it says");
    char *to = buf_room(scratch, length ? length : 1);
    if (!to) return err_set(err, ERR_SYSTEM, "out of memory");
    if (!packed) return buf_put_slice(scratch, stored), 0;
    size_t n = ZSTD_decompress(to, length, stored.at, stored.len);
    if (ZSTD_isError(n) || n != length) return corrupt(err, "cannot be unpacked");
    buf_grew(scratch, n);
    return 0;
}

int event_reader_init(struct event_reader *r, struct slice stored, struct buf *scratch, struct err *err) {
    struct slice header = {stored.at, HEADER};
    uint8_t magic, version, flags;
    uint32_t length;
    uint64_t base, sum;
    *r = (struct event_reader){0};
    buf_reset(scratch);
    if (!take_u8(&stored, &magic) || magic != BLOCK_MAGIC) return corrupt(err, "not one");
    if (!take_u8(&stored, &version) || (version != BLOCK_VERSION && version != BLOCK_WITH_NOTES))
        return corrupt(err, "of an unknown version");
    if (!take_u8(&stored, &flags) || flags > BLOCK_ZSTD || !take_u64le(&stored, &base) ||
        !take_u32(&stored, &r->left) || !take_u32(&stored, &length) || !take_u64le(&stored, &sum) ||
        length > EVENT_BLOCK_MAX)
        return corrupt(err, "broken header");
    if (check_of(header, stored) != sum) return corrupt(err, "content does not match its check");
    if (unpack(stored, flags & BLOCK_ZSTD, length, scratch, err)) return -1;
    r->rest = buf_slice(scratch);
    r->base = (wall_us)base;
    return 0;
}

int event_reader_next(struct event_reader *r, struct event *e, struct err *err) {
    if (r->left == 0) return r->rest.len ? corrupt(err, "bytes behind its last event") : 0;
    if (!event_decode(&r->rest, r->base, e)) return corrupt(err, "broken event");
    r->left--;
    return 1;
}
