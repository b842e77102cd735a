/* Names and addresses of the fake internet, computed where they can be. */
#include "sim_names.h"

#include "buf.h"
#include "hash.h"

#include <math.h>
#include <stdio.h>

enum { FIRST_ADDRESS = 0x010001 /* 127.1.0.1: what is below belongs to the machine */ };

struct entry {
    struct slice text;
    struct sim_name name;
};

struct sim_names {
    struct entry *slot;
    size_t mask;
};

static struct entry *slot_for(const struct sim_names *names, struct slice text) {
    size_t i = hash_bytes(text, 0) & names->mask;
    while (names->slot[i].text.at && !slice_eq(names->slot[i].text, text))
        i = (i + 1) & names->mask;
    return &names->slot[i];
}

static int add(struct sim_scenario *s, struct slice text, struct sim_name name, struct err *err) {
    struct entry *e = slot_for(s->names, text);
    if (e->text.at && (e->name.kind != SIM_NAME_EMPTY || name.kind == SIM_NAME_EMPTY)) {
        if (name.kind == SIM_NAME_EMPTY) return 0;
        return err_set(err, ERR_INPUT,
                       "%s:%u:1: the name '%.*s' of provider '%.*s' is already used by '%.*s'", s->file,
                       name.provider->line, SLICE_ARG(text), SLICE_ARG(name.provider->name),
                       SLICE_ARG(e->name.provider->name));
    }
    *e = (struct entry){text, name};
    return 0;
}

/* The names above one that exists do exist too, if only as empty ones (RFC 8020). */
static int add_parents(struct sim_scenario *s, const struct sim_provider *p, struct slice text,
                       struct err *err) {
    struct slice label;
    while (slice_cut(&text, '.', &label) && text.len)
        if (add(s, text, (struct sim_name){.kind = SIM_NAME_EMPTY, .provider = p}, err)) return -1;
    return 0;
}

static int add_provider(struct sim_scenario *s, const struct sim_provider *p, struct err *err) {
    for (uint64_t i = 0; p->domain && i < p->domains; i++) {
        struct sim_name name = {SIM_NAME_DOMAIN, p, i, 0};
        if (add(s, p->domain[i], name, err) || add_parents(s, p, p->domain[i], err)) return -1;
    }
    if (!p->domain && add_parents(s, p, p->suffix, err)) return -1;
    if (p->hosters && add_parents(s, p, p->hoster_suffix, err)) return -1;
    for (uint32_t i = 0; i < p->hosts; i++) {
        struct sim_name name = {SIM_NAME_HOST, p, 0, i};
        if (add(s, p->host[i].name, name, err) || add_parents(s, p, p->host[i].name, err)) return -1;
    }
    return 0;
}

/* How many hosts a provider has, where they are not listed ones. */
static uint64_t computed_hosts(const struct sim_provider *p) {
    return (p->hosters ? p->hosters : p->domains) * p->own_hosts;
}

static int give_addresses(struct sim_scenario *s, struct err *err) {
    uint64_t next = FIRST_ADDRESS;
    for (size_t i = 0; i < s->providers; i++) {
        struct sim_provider *p = &s->provider[i];
        uint64_t need = p->dns == SIM_DNS_IMPLICIT ? p->domains : p->host ? p->hosts : computed_hosts(p);
        if (next + need >= SIM_ADDRESSES - 256)
            return err_set(err, ERR_INPUT,
                           "%s:%u:1: provider '%.*s' needs more hosts than 127.0.0.0/8 has left", s->file,
                           p->line, SLICE_ARG(p->name));
        p->first_address = (uint32_t)next;
        p->addresses = (uint32_t)need;
        next += need;
    }
    return 0;
}

int sim_names_build(struct sim_scenario *s, struct err *err) {
    size_t most = 16;
    for (size_t i = 0; i < s->providers; i++)
        most += (s->provider[i].domain ? s->provider[i].domains * 8 : 8) + (size_t)s->provider[i].hosts * 8;
    size_t size = 64;
    while (size < most * 2)
        size *= 2;
    s->names = arena_zalloc(&s->arena, sizeof *s->names);
    struct entry *slots = s->names ? arena_zalloc(&s->arena, size * sizeof *slots) : NULL;
    if (!slots) return err_set(err, ERR_INPUT, "%s: too many names", s->file);
    *s->names = (struct sim_names){slots, size - 1};
    for (size_t i = 0; i < s->providers; i++)
        if (add_provider(s, &s->provider[i], err)) return -1;
    return give_addresses(s, err);
}

/* "d123.tail.test" against a pattern. */
static bool match_number(struct slice prefix, struct slice suffix, uint64_t count, struct slice name,
                         uint64_t *n) {
    if (name.len <= prefix.len + suffix.len || !slice_starts(name, prefix)) return false;
    size_t digits = name.len - prefix.len - suffix.len;
    const char *number = name.at + prefix.len;
    if (memcmp(number + digits, suffix.at, suffix.len) != 0) return false;
    if (number[0] == '0' && digits > 1) return false;
    return slice_to_u64((struct slice){number, digits}, n) && *n < count;
}

static bool match_pattern(const struct sim_provider *p, struct slice name, uint64_t *domain) {
    return match_number(p->prefix, p->suffix, p->domains, name, domain);
}

/* "mx1.REST": the host's number from 0 in *host, REST in *rest. */
static bool match_own_host(const struct sim_provider *p, struct slice name, uint32_t *host,
                           struct slice *rest) {
    uint64_t n;
    if (!p->own_hosts || name.len < 5 || memcmp(name.at, "mx", 2) != 0) return false;
    struct slice after = slice_skip(name, 2), digits;
    if (!slice_cut(&after, '.', &digits) || digits.len == 0 || digits.len > 2 || digits.at[0] == '0')
        return false;
    if (!slice_to_u64(digits, &n) || n > p->own_hosts) return false;
    *host = (uint32_t)n - 1;
    *rest = after;
    return true;
}

static struct sim_name find_listed(const struct sim_scenario *s, struct slice name) {
    const struct entry *e = slot_for(s->names, name);
    return e->text.at ? e->name : (struct sim_name){0};
}

struct sim_name sim_names_find(const struct sim_scenario *s, struct slice name) {
    struct sim_name found = find_listed(s, name);
    if (found.kind) return found;
    for (size_t i = 0; i < s->providers; i++) {
        const struct sim_provider *p = &s->provider[i];
        struct slice rest;
        if (!p->domain && match_pattern(p, name, &found.domain))
            return (struct sim_name){SIM_NAME_DOMAIN, p, found.domain, 0};
        if (!match_own_host(p, name, &found.host, &rest)) continue;
        if (p->hosters) {
            if (match_number(p->hoster_prefix, p->hoster_suffix, p->hosters, rest, &found.domain))
                return (struct sim_name){SIM_NAME_HOST, p, found.domain, found.host};
            continue;
        }
        if (!p->domain && match_pattern(p, rest, &found.domain))
            return (struct sim_name){SIM_NAME_HOST, p, found.domain, found.host};
        struct sim_name listed = find_listed(s, rest);
        if (p->domain && listed.kind == SIM_NAME_DOMAIN && listed.provider == p)
            return (struct sim_name){SIM_NAME_HOST, p, listed.domain, found.host};
    }
    return (struct sim_name){0};
}

struct sim_name sim_names_at(const struct sim_scenario *s, uint32_t address) {
    uint32_t n = address & 0xffffff;
    size_t low = 0, high = s->providers;
    if (address >> 24 != 127) return (struct sim_name){0}; /* the listener hears all of the machine's own */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->provider[mid].first_address + s->provider[mid].addresses <= n)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == s->providers || n < s->provider[low].first_address) return (struct sim_name){0};
    const struct sim_provider *p = &s->provider[low];
    uint32_t at = n - p->first_address;
    if (p->dns == SIM_DNS_IMPLICIT) return (struct sim_name){SIM_NAME_HOST, p, at, 0};
    if (p->host) return (struct sim_name){SIM_NAME_HOST, p, 0, at};
    return (struct sim_name){SIM_NAME_HOST, p, at / p->own_hosts, at % p->own_hosts};
}

uint32_t sim_names_address(const struct sim_name *n) {
    const struct sim_provider *p = n->provider;
    uint64_t at = p->dns == SIM_DNS_IMPLICIT ? n->domain
                  : p->host                  ? n->host
                                             : n->domain * p->own_hosts + n->host;
    return 0x7f000000u + p->first_address + (uint32_t)at;
}

static size_t put_number(char out[256], struct slice prefix, uint64_t n, struct slice suffix) {
    int len = snprintf(out, 256, "%.*s%llu%.*s", SLICE_ARG(prefix), (unsigned long long)n, SLICE_ARG(suffix));
    return len > 0 && len < 256 ? (size_t)len : 255;
}

size_t sim_host_name(const struct sim_name *n, char out[256]) {
    const struct sim_provider *p = n->provider;
    if (p->dns == SIM_DNS_IMPLICIT) return sim_domain_name(p, n->domain, out);
    if (p->host) {
        size_t len = p->host[n->host].name.len;
        memcpy(out, p->host[n->host].name.at, len);
        return len;
    }
    char domain[256];
    size_t len = p->hosters ? put_number(domain, p->hoster_prefix, n->domain, p->hoster_suffix)
                            : sim_domain_name(p, n->domain, domain);
    int written = snprintf(out, 256, "mx%u.%.*s", n->host + 1, (int)len, domain);
    return written > 0 && written < 256 ? (size_t)written : 255;
}

size_t sim_domain_name(const struct sim_provider *p, uint64_t i, char out[256]) {
    if (p->domain) {
        memcpy(out, p->domain[i].at, p->domain[i].len);
        return p->domain[i].len;
    }
    return put_number(out, p->prefix, i, p->suffix);
}

uint32_t sim_mx_count(const struct sim_name *domain) {
    return domain->provider->host ? domain->provider->hosts : domain->provider->own_hosts;
}

struct sim_name sim_mx(const struct sim_name *domain, uint32_t n, uint32_t *preference) {
    const struct sim_provider *p = domain->provider;
    *preference = p->host ? p->host[n].preference : (n + 1) * 10;
    return (struct sim_name){SIM_NAME_HOST, p, sim_owner(domain), n};
}

/* Zipf's law with exponent 1 by the inverse of its continuous form: hoster n has about 1/(n+1) of what the
 * first has. */
uint64_t sim_owner(const struct sim_name *domain) {
    const struct sim_provider *p = domain->provider;
    if (!p->hosters) return domain->domain;
    double roll = (double)(hash_mix(domain->domain + 0x5bd1e995) >> 11) * 0x1p-53;
    double n = (double)p->hosters;
    uint64_t owner = (uint64_t)(p->hoster_sizes == SIM_SIZES_EVEN ? roll * n : exp(roll * log(n + 1)) - 1);
    return owner < p->hosters ? owner : p->hosters - 1;
}
