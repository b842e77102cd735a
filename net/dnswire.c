/* DNS answers. The packets come from libunbound, which has checked them; nothing is taken on trust all the
 * same: every read is bounded by the packet, pointers only lead backwards, and a chain of CNAMEs is walked in
 * the order of the records, so that it ends. Pure. */
#include "dnswire.h"

#include "buf.h"

enum { CLASS_IN = 1, HEADER = 12, FLAG_RESPONSE = 0x8000, FLAG_CUT = 0x0200, NAME_MAX_BYTES = 255 };

/* A name in wire form, lower case, uncompressed. */
struct name {
    size_t len;
    uint8_t bytes[NAME_MAX_BYTES];
};

struct reader {
    struct slice packet;
    size_t at;
};

struct rr {
    struct name owner;
    uint16_t type;
    uint16_t class;
    uint32_t ttl_s;
    size_t data; /* where the rdata begins */
    size_t len;
};

static uint8_t byte_at(const struct reader *r, size_t at) {
    return (uint8_t)r->packet.at[at];
}

static bool take_be(struct reader *r, size_t bytes, uint32_t *v) {
    if (r->packet.len - r->at < bytes) return false;
    *v = 0;
    for (size_t i = 0; i < bytes; i++)
        *v = *v << 8 | byte_at(r, r->at++);
    return true;
}

static bool take_be16(struct reader *r, uint16_t *v) {
    uint32_t wide;
    return take_be(r, 2, &wide) && (*v = (uint16_t)wide, true);
}

/* Advances behind the name where it stands, following compression; pointers must lead backwards. */
static bool take_name(struct reader *r, struct name *name) {
    size_t at = r->at, limit = r->packet.len;
    bool jumped = false;
    name->len = 0;
    for (;;) {
        if (at >= limit) return false;
        uint8_t n = byte_at(r, at);
        if (n >= 0xc0) {
            if (at + 1 >= limit) return false;
            size_t to = (size_t)(n & 0x3f) << 8 | byte_at(r, at + 1);
            if (!jumped) r->at = at + 2;
            if (to >= at) return false;
            limit = at; /* and each jump further back than the one before */
            at = to;
            jumped = true;
            continue;
        }
        if (n > 63 || at + n >= limit || name->len + n + 1 > sizeof name->bytes) return false;
        name->bytes[name->len++] = n;
        for (size_t i = 1; i <= n; i++)
            name->bytes[name->len++] = (uint8_t)ascii_lower((char)byte_at(r, at + i));
        at += (size_t)n + 1;
        if (n == 0) break;
    }
    if (!jumped) r->at = at;
    return true;
}

static bool take_rr(struct reader *r, struct rr *rr) {
    uint16_t len;
    if (!take_name(r, &rr->owner) || !take_be16(r, &rr->type) || !take_be16(r, &rr->class)) return false;
    if (!take_be(r, 4, &rr->ttl_s) || !take_be16(r, &len) || r->packet.len - r->at < len) return false;
    if (rr->ttl_s > INT32_MAX) rr->ttl_s = 0; /* RFC 2181 section 8 */
    rr->data = r->at;
    rr->len = len;
    r->at += len;
    return true;
}

static bool same_name(const struct name *a, const struct name *b) {
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static bool host_char(uint8_t c) {
    return ascii_alpha((char)c) || ascii_digit((char)c) || c == '-' || c == '_';
}

/* False when the name holds what no host name holds. */
static bool name_to_text(const struct name *name, char out[254]) {
    size_t len = 0;
    for (size_t at = 0; name->bytes[at] != 0;) {
        size_t n = name->bytes[at++];
        if (len > 0) out[len++] = '.';
        for (; n > 0; n--, at++) {
            if (!host_char(name->bytes[at])) return false;
            out[len++] = (char)name->bytes[at];
        }
    }
    out[len] = '\0';
    return true;
}

/* A name or MX inside rdata: it must end where the rdata ends. */
static bool rdata_name(const struct reader *r, const struct rr *rr, size_t skip, struct name *name) {
    struct reader inner = {r->packet, rr->data + skip};
    return skip <= rr->len && take_name(&inner, name) && inner.at == rr->data + rr->len;
}

/* Strings with their lengths, to the end of the rdata. */
static bool read_strings(const struct reader *r, const struct rr *rr, struct slice *strings) {
    size_t at = rr->data, end = rr->data + rr->len;
    while (at < end)
        at += (size_t)byte_at(r, at) + 1;
    *strings = slice_make(r->packet.at + rr->data, rr->len);
    return rr->len > 0 && at == end;
}

static bool read_record(const struct reader *r, const struct rr *rr, struct dnswire_record *out) {
    *out = (struct dnswire_record){.preference = 0};
    if (rr->type == DNS_MX || rr->type == DNS_PTR) {
        struct name name;
        struct reader inner = {r->packet, rr->data};
        size_t before = rr->type == DNS_MX ? 2 : 0;
        if (rr->len <= before || (before && !take_be16(&inner, &out->preference))) return false;
        if (!rdata_name(r, rr, before, &name)) return false;
        out->name_bad = !name_to_text(&name, out->name);
        if (out->name_bad) out->name[0] = '\0';
        return true;
    }
    if (rr->type == DNS_TXT) return read_strings(r, rr, &out->strings);
    out->address = (const uint8_t *)r->packet.at + rr->data;
    return rr->len == (rr->type == DNS_A ? 4 : 16);
}

/* The time that an absence may be remembered: RFC 2308 section 5. */
static uint32_t negative_ttl(struct reader *r, unsigned authorities) {
    struct rr rr;
    for (unsigned i = 0; i < authorities && take_rr(r, &rr); i++) {
        if (rr.type != DNS_SOA || rr.len < 4) continue;
        struct reader inner = {r->packet, rr.data + rr.len - 4};
        uint32_t minimum;
        if (!take_be(&inner, 4, &minimum)) return 0;
        return minimum < rr.ttl_s ? minimum : rr.ttl_s;
    }
    return 0;
}

/* Returns how many records were found, or -1. */
static int read_answers(struct reader *r, unsigned answers, uint16_t type, struct name *name, uint32_t *ttl_s,
                        void (*each)(void *ctx, const struct dnswire_record *record), void *ctx) {
    int found = 0;
    struct rr rr;
    for (unsigned i = 0; i < answers; i++) {
        struct dnswire_record record;
        if (!take_rr(r, &rr)) return -1;
        bool wanted = rr.type == type || (rr.type == DNS_CNAME && found == 0);
        if (!wanted || rr.class != CLASS_IN || !same_name(&rr.owner, name)) continue;
        if (rr.ttl_s < *ttl_s) *ttl_s = rr.ttl_s;
        if (rr.type == DNS_CNAME) {
            if (!rdata_name(r, &rr, 0, name)) return -1;
            continue;
        }
        if (!read_record(r, &rr, &record)) return -1;
        each(ctx, &record);
        found++;
    }
    return found;
}

enum dnswire_kind dnswire_read(struct slice packet, uint16_t type, uint32_t *ttl_s,
                               void (*each)(void *ctx, const struct dnswire_record *record), void *ctx) {
    struct reader r = {packet, 0};
    uint16_t id, flags, questions, answers, authorities, additional, qtype, qclass;
    struct name name;
    *ttl_s = 0;
    bool whole = take_be16(&r, &id) && take_be16(&r, &flags) && take_be16(&r, &questions) &&
                 take_be16(&r, &answers) && take_be16(&r, &authorities) && take_be16(&r, &additional);
    if (!whole || !(flags & FLAG_RESPONSE) || questions != 1) return DNSWIRE_MALFORMED;
    if (!take_name(&r, &name) || !take_be16(&r, &qtype) || !take_be16(&r, &qclass)) return DNSWIRE_MALFORMED;
    if (qtype != type || qclass != CLASS_IN) return DNSWIRE_MALFORMED;
    unsigned rcode = flags & 0xf;
    if (rcode != 0 && rcode != 3) return DNSWIRE_FAILED;
    uint32_t ttl = UINT32_MAX;
    int found = read_answers(&r, answers, type, &name, &ttl, each, ctx);
    if (found < 0) return DNSWIRE_MALFORMED;
    if (found > 0 && rcode == 0) {
        *ttl_s = ttl;
        return DNSWIRE_DATA;
    }
    /* What is not there may be what was cut off: libunbound does so when all does not fit in 64 KB. */
    if (flags & FLAG_CUT) return DNSWIRE_MALFORMED;
    *ttl_s = negative_ttl(&r, authorities);
    return rcode == 3 ? DNSWIRE_NO_NAME : DNSWIRE_NO_DATA;
}
