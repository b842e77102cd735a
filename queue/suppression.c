/* Encodings of the suppression list. */
#include "suppression.h"

#include "hash.h"
#include "rid.h"

#include <stdio.h>

enum { ROW_VERSION = 1, HASH_SEED = 0x5355 };

static const char *const reasons[] = {"-", "bounce", "complaint", "unsubscribe", "manual"};
static const char *const sources[] = {"-", "command", "import", "reply", "dsn", "complaint", "link"};

_Static_assert(sizeof reasons / sizeof *reasons == SUPPRESS_REASONS, "a name for each");
_Static_assert(sizeof sources / sizeof *sources == SUPPRESS_SOURCES, "a name for each");

const char *suppress_reason_name(enum suppress_reason reason) {
    return (unsigned)reason < SUPPRESS_REASONS ? reasons[reason] : "?";
}

const char *suppress_source_name(enum suppress_source source) {
    return (unsigned)source < SUPPRESS_SOURCES ? sources[source] : "?";
}

static int by_name(const char *const *names, int count, struct slice name) {
    for (int i = 1; i < count; i++)
        if (slice_eq_nocase(slice_of(names[i]), name)) return i;
    return 0;
}

enum suppress_reason suppress_reason_by_name(struct slice name) {
    return (enum suppress_reason)by_name(reasons, SUPPRESS_REASONS, name);
}

enum suppress_source suppress_source_by_name(struct slice name) {
    return (enum suppress_source)by_name(sources, SUPPRESS_SOURCES, name);
}

/* ---- rows ---- */

static struct slice cut(struct slice s, size_t most) {
    if (s.len <= most) return s;
    while (most && ((unsigned char)s.at[most] & 0xC0) == 0x80)
        most--; /* not within a character */
    return slice_make(s.at, most);
}

static void put_time(struct buf *out, wall_us at) {
    buf_put_varint(out, at > 0 ? (uint64_t)(at / US_PER_MS) : 0);
}

static bool take_time(struct slice *rest, wall_us *at) {
    uint64_t ms;
    if (!take_varint(rest, &ms) || ms > (uint64_t)(INT64_MAX / US_PER_MS)) return false;
    *at = (wall_us)ms * US_PER_MS;
    return true;
}

bool suppress_proof_given(const struct suppress_proof *p) {
    return p->rid || p->class || p->code || p->enhanced[0] || p->host.len || p->text.len;
}

static void put_proof(struct buf *out, const struct suppress_proof *p) {
    bool given = suppress_proof_given(p);
    buf_put_u8(out, given);
    if (!given) return;
    buf_put_varint(out, p->rid);
    buf_put_u8(out, p->class);
    buf_put_u16(out, p->code);
    for (int i = 0; i < 3; i++)
        buf_put_u16(out, p->enhanced[i]);
    buf_put_bytes(out, cut(p->host, SUPPRESS_HOST_MAX));
    buf_put_bytes(out, cut(p->text, SUPPRESS_TEXT_MAX));
}

static bool take_proof(struct slice *rest, struct suppress_proof *p) {
    uint8_t given;
    if (!take_u8(rest, &given) || given > 1) return false;
    if (!given) return true;
    return take_varint(rest, &p->rid) && take_u8(rest, &p->class) && take_u16(rest, &p->code) &&
           take_u16(rest, &p->enhanced[0]) && take_u16(rest, &p->enhanced[1]) &&
           take_u16(rest, &p->enhanced[2]) && take_bytes(rest, &p->host) &&
           p->host.len <= SUPPRESS_HOST_MAX && take_bytes(rest, &p->text) &&
           p->text.len <= SUPPRESS_TEXT_MAX && suppress_proof_given(p);
}

bool suppress_row_encode(struct buf *out, const struct suppress_row *row) {
    buf_put_u8(out, ROW_VERSION);
    buf_put_u8(out, (uint8_t)row->reason);
    buf_put_u8(out, (uint8_t)row->source);
    put_time(out, row->at);
    buf_put_u8(out, row->failures);
    put_proof(out, &row->proof);
    return buf_put_bytes(out, cut(row->note, SUPPRESS_NOTE_MAX));
}

int suppress_row_decode(struct slice bytes, struct suppress_row *row, struct err *err) {
    uint8_t version, reason, source;
    *row = (struct suppress_row){0};
    bool ok = take_u8(&bytes, &version) && version == ROW_VERSION && take_u8(&bytes, &reason) && reason &&
              reason < SUPPRESS_REASONS && take_u8(&bytes, &source) && source && source < SUPPRESS_SOURCES &&
              take_time(&bytes, &row->at) && take_u8(&bytes, &row->failures) &&
              take_proof(&bytes, &row->proof) && take_bytes(&bytes, &row->note) &&
              row->note.len <= SUPPRESS_NOTE_MAX && bytes.len == 0;
    if (!ok) return err_set(err, ERR_CORRUPT, "the store holds a broken suppression row");
    row->reason = reason;
    row->source = source;
    return 0;
}

bool suppress_count_encode(struct buf *out, const struct suppress_count *count) {
    buf_put_u8(out, ROW_VERSION);
    buf_put_u8(out, count->failures);
    put_time(out, count->at);
    put_proof(out, &count->proof);
    return !out->failed;
}

int suppress_count_decode(struct slice bytes, struct suppress_count *count, struct err *err) {
    uint8_t version;
    *count = (struct suppress_count){0};
    bool ok = take_u8(&bytes, &version) && version == ROW_VERSION && take_u8(&bytes, &count->failures) &&
              count->failures && take_time(&bytes, &count->at) && take_proof(&bytes, &count->proof) &&
              bytes.len == 0;
    return ok ? 0 : err_set(err, ERR_CORRUPT, "the store holds a broken count of failures");
}

/* ---- keys ---- */

struct suppress_key suppress_key_first(enum suppress_kind kind, uint32_t tenant) {
    struct suppress_key key = {.len = 5};
    key.bytes[0] = (char)kind;
    for (int i = 0; i < 4; i++)
        key.bytes[1 + i] = (char)(tenant >> (24 - 8 * i));
    return key;
}

bool suppress_key_make(struct suppress_key *key, enum suppress_kind kind, uint32_t tenant,
                       struct slice address) {
    if (address.len == 0 || address.len > SUPPRESS_ADDRESS_MAX) return false;
    *key = suppress_key_first(kind, tenant);
    for (size_t i = 0; i < address.len; i++)
        key->bytes[5 + i] = ascii_lower(address.at[i]);
    key->len = (uint16_t)(5 + address.len);
    return true;
}

bool suppress_key_address(struct slice key, enum suppress_kind kind, uint32_t tenant, struct slice *address) {
    struct suppress_key first = suppress_key_first(kind, tenant);
    if (key.len <= 5 || memcmp(key.at, first.bytes, 5) != 0) return false;
    *address = slice_skip(key, 5);
    return true;
}

uint64_t suppress_hash(uint32_t tenant, struct slice address) {
    return hash_nocase(address, HASH_SEED + (uint64_t)tenant);
}

/* ---- changing ---- */

static bool same_proof(const struct suppress_proof *a, const struct suppress_proof *b) {
    return a->rid == b->rid && a->class == b->class && a->code == b->code &&
           memcmp(a->enhanced, b->enhanced, sizeof a->enhanced) == 0 && slice_eq(a->host, b->host) &&
           slice_eq(a->text, b->text);
}

static bool same_row(const struct suppress_row *a, const struct suppress_row *b) {
    return a->reason == b->reason && a->source == b->source && a->at == b->at && a->failures == b->failures &&
           same_proof(&a->proof, &b->proof) && slice_eq(a->note, b->note);
}

bool suppress_merge(const struct suppress_row *was, const struct suppress_row *wanted,
                    enum suppress_source source, wall_us now, struct suppress_row *result) {
    const struct suppress_row fresh = {.reason = SUPPRESS_MANUAL, .source = source, .at = now};
    struct suppress_row r = was ? *was : fresh;
    if (wanted->reason) r.reason = wanted->reason;
    if (wanted->source) r.source = wanted->source;
    if (wanted->at) r.at = wanted->at;
    if (wanted->failures) r.failures = wanted->failures;
    if (wanted->note.at) r.note = cut(wanted->note, SUPPRESS_NOTE_MAX);
    if (suppress_proof_given(&wanted->proof)) {
        r.proof = wanted->proof;
        r.proof.host = cut(r.proof.host, SUPPRESS_HOST_MAX);
        r.proof.text = cut(r.proof.text, SUPPRESS_TEXT_MAX);
    }
    r.at = r.at / US_PER_MS * US_PER_MS;
    bool differs = !was || !same_row(was, &r);
    if (was && differs) { /* somebody's word is newer than what was there */
        if (!wanted->source) r.source = source;
        if (!wanted->at) r.at = now / US_PER_MS * US_PER_MS;
    }
    *result = r;
    return differs;
}

/* ---- for people ---- */

void suppress_put_words(struct buf *out, const struct suppress_proof *p) {
    const char *gap = "";
    if (p->code) buf_printf(out, "%u", p->code), gap = " ";
    if (p->enhanced[0]) {
        char code[24];
        int n = snprintf(code, sizeof code, "%u.%u.%u", p->enhanced[0], p->enhanced[1], p->enhanced[2]);
        if (!slice_starts(p->text, slice_make(code, (size_t)n)))
            buf_printf(out, "%s%s", gap, code), gap = " ";
    }
    if (p->text.len) buf_printf(out, "%s%.*s", gap, SLICE_ARG(p->text));
}

void suppress_put_why(struct buf *out, const struct suppress_row *row) {
    const struct suppress_proof *p = &row->proof;
    buf_put_text(out, suppress_reason_name(row->reason));
    if (row->failures > 1) buf_printf(out, ", %u failures in a row", row->failures);
    if (!suppress_proof_given(p) && !row->note.len) return;
    buf_put_text(out, " (");
    if (suppress_proof_given(p)) {
        if (p->rid) buf_printf(out, "campaign %u: ", chunk_campaign(rid_chunk(p->rid)));
        suppress_put_words(out, p);
    } else {
        buf_put_slice(out, row->note);
    }
    buf_put_c(out, ')');
}
