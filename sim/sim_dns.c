/* DNS packets: the question is read, the answer computed from sim_names and written behind it. */
#include "sim_dns.h"

#include "hash.h"
#include "sim_world.h"

#include <stdio.h>

enum {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_SOA = 6,
    TYPE_PTR = 12,
    TYPE_MX = 15,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
    TYPE_OPT = 41
};
enum { NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED };
enum { SALT_SERVFAIL = 2000, SALT_SILENT, SALT_LAME };

struct question {
    uint16_t id, flags, type, class;
    char name[256]; /* lower case, without a final dot */
    size_t name_len;
    size_t end; /* of the question in the packet */
    bool edns;
    uint16_t udp_size;
};

struct answer {
    char *at;
    size_t len, room;
    bool cut; /* did not fit */
    uint16_t answers, authority;
};

static uint16_t get16(const char *at) {
    return (uint16_t)((unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

static void put(struct answer *a, const void *bytes, size_t n) {
    if (a->cut || n > a->room - a->len) {
        a->cut = true;
        return;
    }
    if (n) memcpy(a->at + a->len, bytes, n);
    a->len += n;
}

static void put16(struct answer *a, unsigned v) {
    char two[2] = {(char)(v >> 8), (char)v};
    put(a, two, 2);
}

static void put32(struct answer *a, uint32_t v) {
    put16(a, v >> 16);
    put16(a, v & 0xffff);
}

static void put_name(struct answer *a, struct slice name) {
    struct slice label;
    while (slice_cut(&name, '.', &label)) {
        char len = (char)label.len;
        if (label.len == 0) continue;
        put(a, &len, 1);
        put(a, label.at, label.len);
    }
    put(a, "", 1);
}

/* A question's name; false when it is malformed. Compression has no place in a question. */
static bool read_name(struct slice packet, struct question *q, size_t *at) {
    for (;;) {
        if (*at >= packet.len) return false;
        size_t len = (unsigned char)packet.at[(*at)++];
        if (len == 0) return true;
        if (len > 63 || *at + len > packet.len || q->name_len + len + 1 > 254) return false;
        if (q->name_len) q->name[q->name_len++] = '.';
        for (size_t i = 0; i < len; i++)
            q->name[q->name_len++] = ascii_lower(packet.at[*at + i]);
        *at += len;
    }
}

/* An OPT record directly behind the question; anything else there is not looked at. */
static void read_edns(struct slice packet, struct question *q) {
    size_t at = q->end;
    if (get16(packet.at + 10) == 0 || packet.len < at + 11 || packet.at[at] != 0) return;
    if (get16(packet.at + at + 1) != TYPE_OPT) return;
    q->edns = true;
    q->udp_size = get16(packet.at + at + 3);
}

static bool read_question(struct slice packet, struct question *q) {
    size_t at = 12;
    if (get16(packet.at + 4) != 1 || !read_name(packet, q, &at) || at + 4 > packet.len) return false;
    q->type = get16(packet.at + at);
    q->class = get16(packet.at + at + 2);
    q->end = at + 4;
    read_edns(packet, q);
    return true;
}

/* A record for the question's name, up to its data. */
static size_t begin_record(struct answer *a, unsigned type, uint32_t ttl) {
    put16(a, 0xc00c);
    put16(a, type);
    put16(a, 1);
    put32(a, ttl);
    put16(a, 0);
    return a->len;
}

static void end_record(struct answer *a, size_t start) {
    if (a->cut) return;
    a->at[start - 2] = (char)((a->len - start) >> 8);
    a->at[start - 1] = (char)(a->len - start);
}

static uint64_t domain_key(const struct sim_name *n, uint64_t seed) {
    return hash_mix(seed ^ hash_mix(n->provider->index << 40 ^ n->domain));
}

static void put_mx(struct answer *a, const struct sim_name *domain, uint64_t seed) {
    const struct sim_provider *p = domain->provider;
    bool lame = p->dns == SIM_DNS_LAME || sim_chance(p->dns_lame, domain_key(domain, seed), SALT_LAME);
    char host[256];
    for (uint32_t i = 0; i < sim_mx_count(domain); i++) {
        uint32_t preference;
        struct sim_name mx = sim_mx(domain, i, &preference);
        size_t len = sim_host_name(&mx, host), start = begin_record(a, TYPE_MX, p->dns_ttl);
        put16(a, preference);
        if (lame) put_name(a, SLICE("no-address-here.invalid"));
        if (!lame) put_name(a, (struct slice){host, len});
        end_record(a, start);
        a->answers++;
        if (lame) return;
    }
}

static void put_address(struct answer *a, const struct sim_name *host, unsigned type) {
    static const char nowhere[16] = {
        [15] = 1}; /* ::1, where nobody listens: refused at once and never on a wire */
    if (type == TYPE_AAAA && host->provider->ipv6 != SIM_IPV6_DEAD) return;
    size_t start = begin_record(a, type, host->provider->dns_ttl);
    if (type == TYPE_A)
        put32(a, sim_names_address(host));
    else
        put(a, nowhere, sizeof nowhere);
    end_record(a, start);
    a->answers++;
}

static void put_text(struct answer *a, const struct sim_provider *p) {
    static const char spf[] = "v=spf1 mx -all";
    size_t start = begin_record(a, TYPE_TXT, p->dns_ttl);
    char len = sizeof spf - 1;
    put(a, &len, 1);
    put(a, spf, sizeof spf - 1);
    end_record(a, start);
    a->answers++;
}

static void put_soa(struct answer *a) {
    put(a, "", 1); /* the root: this server holds all names */
    put16(a, TYPE_SOA);
    put16(a, 1);
    put32(a, 60);
    put16(a, 0);
    size_t start = a->len;
    put_name(a, SLICE("ns.sim.test"));
    put_name(a, SLICE("hostmaster.sim.test"));
    put32(a, 1);
    for (int i = 0; i < 4; i++)
        put32(a, 60);
    end_record(a, start);
    a->authority++;
}

/* "4.3.2.127.in-addr.arpa" */
static bool put_pointer(const struct sim_scenario *s, struct answer *a, struct slice name) {
    uint32_t address = 0;
    struct slice rest = name, label;
    uint64_t part;
    for (int i = 0; i < 4; i++) {
        if (!slice_cut(&rest, '.', &label) || label.len > 3 || !slice_to_u64(label, &part) || part > 255)
            return false;
        address |= (uint32_t)part << 8 * i;
    }
    struct sim_name host = sim_names_at(s, address);
    if (!slice_eq(rest, SLICE("in-addr.arpa")) || address >> 24 != 127 || host.kind != SIM_NAME_HOST)
        return false;
    char text[256];
    size_t len = sim_host_name(&host, text), start = begin_record(a, TYPE_PTR, 300);
    put_name(a, (struct slice){text, len});
    end_record(a, start);
    a->answers++;
    return true;
}

static void answer_domain(struct answer *a, const struct sim_name *n, unsigned type, uint64_t seed) {
    enum sim_dns_mode mode = (enum sim_dns_mode)n->provider->dns;
    bool implicit = mode == SIM_DNS_IMPLICIT;
    if (type == TYPE_MX && mode == SIM_DNS_NULL_MX) {
        size_t start = begin_record(a, TYPE_MX, n->provider->dns_ttl);
        put16(a, 0);
        put(a, "", 1);
        end_record(a, start);
        a->answers++;
    } else if (type == TYPE_MX && !implicit) {
        put_mx(a, n, seed);
    } else if ((type == TYPE_A || type == TYPE_AAAA) && implicit) {
        put_address(a, n, type);
    } else if (type == TYPE_TXT) {
        put_text(a, n->provider);
    }
}

/* The domain that a name belongs to decides how it fails. Returns the response code, -1 for silence. */
static int mood(const struct sim_name *n, uint64_t seed) {
    const struct sim_provider *p = n->provider;
    bool domain = n->kind == SIM_NAME_DOMAIN;
    uint64_t key = domain_key(n, seed);
    if (!domain) return NOERROR;
    if (p->dns == SIM_DNS_SILENT || sim_chance(p->dns_silent, key, SALT_SILENT)) return -1;
    if (p->dns == SIM_DNS_SERVFAIL || sim_chance(p->dns_servfail, key, SALT_SERVFAIL)) return SERVFAIL;
    if (p->dns == SIM_DNS_REFUSED) return REFUSED;
    return p->dns == SIM_DNS_NXDOMAIN ? NXDOMAIN : NOERROR;
}

/* Fills in the records. Returns the response code, -1 for silence. */
static int answer_question(const struct sim_scenario *s, uint64_t seed, const struct question *q,
                           struct answer *a) {
    struct slice name = {q->name, q->name_len};
    if (q->class != 1) return REFUSED;
    if (q->type == TYPE_PTR && put_pointer(s, a, name)) return NOERROR;
    struct sim_name n = sim_names_find(s, name);
    int code = name.len == 0 ? NOERROR : NXDOMAIN;
    if (n.kind == SIM_NAME_DOMAIN || n.kind == SIM_NAME_HOST) code = mood(&n, seed);
    if (n.kind == SIM_NAME_EMPTY) code = NOERROR;
    if (code == NOERROR && n.kind == SIM_NAME_DOMAIN) answer_domain(a, &n, q->type, seed);
    if (code == NOERROR && n.kind == SIM_NAME_HOST && (q->type == TYPE_A || q->type == TYPE_AAAA))
        put_address(a, &n, q->type);
    if ((code == NOERROR || code == NXDOMAIN) && a->answers == 0) put_soa(a);
    return code;
}

static bool truncates(const struct sim_scenario *s, const struct question *q) {
    struct sim_name n = sim_names_find(s, (struct slice){q->name, q->name_len});
    return n.kind >= SIM_NAME_DOMAIN && n.provider->dns_truncate;
}

static void put_header(struct answer *a, const struct question *q, bool cut, unsigned code) {
    unsigned flags =
        0x8480u | (q->flags & 0x7900u) | (cut ? 0x200u : 0) | code; /* QR AA RA, opcode and RD as asked */
    const uint16_t words[6] = {q->id,      (uint16_t)flags, q->end ? 1 : 0,
                               a->answers, a->authority,    q->edns ? 1 : 0};
    for (size_t i = 0; i < 6; i++) {
        a->at[2 * i] = (char)(words[i] >> 8);
        a->at[2 * i + 1] = (char)words[i];
    }
}

static size_t finish(struct answer *a, const struct question *q, bool cut, unsigned code) {
    static const char opt[11] = {0, 0, TYPE_OPT, SIM_DNS_UDP_MAX >> 8, (char)(SIM_DNS_UDP_MAX & 255)};
    if (cut) {
        a->answers = a->authority = 0;
        a->len = q->end;
        a->cut = false;
    }
    if (q->edns) {
        a->room += sizeof opt;
        put(a, opt, sizeof opt);
    }
    put_header(a, q, cut, code);
    return a->len;
}

size_t sim_dns_answer(const struct sim_scenario *s, uint64_t seed, struct slice query, bool udp, char *out,
                      size_t room) {
    struct question q = {0};
    if (query.len < 12 || query.at[2] & 0x80) return 0;
    q.id = get16(query.at);
    q.flags = get16(query.at + 2);
    struct answer a = {.at = out, .len = 12, .room = room};
    if (q.flags >> 11 & 15) return finish(&a, &q, false, NOTIMP);
    if (!read_question(query, &q)) {
        q.end = 0;
        return finish(&a, &q, false, FORMERR);
    }
    size_t most = !udp ? room : !q.edns || q.udp_size < 512 ? 512 : q.udp_size;
    if (most > room) most = room;
    a.room = most - 11; /* what an OPT record takes */
    memcpy(out + 12, query.at + 12, q.end - 12);
    a.len = q.end;
    int code = answer_question(s, seed, &q, &a);
    if (code < 0) return 0;
    return finish(&a, &q, a.cut || (udp && truncates(s, &q)), (unsigned)code);
}
