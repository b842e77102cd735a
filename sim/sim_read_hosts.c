/* Domains, hosts and their manners. */
#include "sim_manner.h"
#include "sim_read.h"

enum { DOMAINS_MAX = 8000000, HOSTERS_MAX = 1000000, LABELS_MAX = 8 };

/* A host or domain name: lower case letters, digits, hyphens; at least two labels, at most eight. */
static int check_name(struct reader *r, const struct yaml *at, struct slice name, bool part) {
    size_t labels = 0;
    struct slice rest = name, label;
    bool ok = name.len <= 200;
    while (ok && slice_cut(&rest, '.', &label)) {
        ok = label.len <= 63 && (part || label.len > 0) && ++labels <= LABELS_MAX;
        for (size_t i = 0; ok && i < label.len; i++)
            ok = (label.at[i] >= 'a' && label.at[i] <= 'z') || ascii_digit(label.at[i]) ||
                 (label.at[i] == '-' && (part || (i > 0 && i + 1 < label.len)));
    }
    if (ok && (part || labels >= 2)) return 0;
    return read_fail(r, at, "'%.*s' is not a domain name (lower case, such as mx1.example.test)",
                     SLICE_ARG(name));
}

/* "d{}.tail.test" in two. */
static int read_pattern(struct reader *r, const struct yaml *at, struct slice text, struct slice *prefix,
                        struct slice *suffix) {
    ptrdiff_t open = slice_find(text, '{');
    if (open < 0 || (size_t)open + 3 > text.len || text.at[open + 1] != '}' || text.at[open + 2] != '.')
        return read_fail(r, at, "'%.*s' must hold {} at the end of its first label (d{}.tail.test)",
                         SLICE_ARG(text));
    *prefix = (struct slice){text.at, (size_t)open};
    *suffix = slice_skip(text, (size_t)open + 2);
    if (memchr(prefix->at, '.', prefix->len))
        return read_fail(r, at, "'%.*s' must hold {} in its first label", SLICE_ARG(text));
    if (prefix->len > 40) return read_fail(r, at, "'%.*s' is too long", SLICE_ARG(text));
    return check_name(r, at, *prefix, true) || check_name(r, at, slice_skip(*suffix, 1), false) ? -1 : 0;
}

int read_domains(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (node->kind == YAML_LIST) {
        p->domain = arena_zalloc(&r->s->arena, (node->count + 1) * sizeof *p->domain);
        if (!p->domain) return read_fail(r, node, "too many domains");
        for (const struct yaml *c = node->first; c; c = c->next) {
            if (read_want(r, c, YAML_SCALAR) || check_name(r, c, c->text, false)) return -1;
            p->domain[p->domains++] = c->text;
        }
        return p->domains ? 0 : read_fail(r, node, "'domains' is empty");
    }
    uint32_t count = 0;
    if (node->kind != YAML_MAP)
        return read_fail(r, node, "'domains' must be a list, or a map of pattern and count");
    for (const struct yaml *c = node->first; c; c = c->next) {
        if (slice_eq(c->key, SLICE("pattern"))) {
            if (read_want(r, c, YAML_SCALAR) || read_pattern(r, c, c->text, &p->prefix, &p->suffix))
                return -1;
        } else if (slice_eq(c->key, SLICE("count"))) {
            if (read_number(r, c, DOMAINS_MAX, &count)) return -1;
        } else {
            return read_unknown_key(r, c, "'domains' (known: pattern, count)");
        }
    }
    if (!count || !p->suffix.len) return read_fail(r, node, "'domains' needs pattern and a count from 1");
    p->domains = count;
    return 0;
}

static int read_host(struct reader *r, const struct yaml *node, struct sim_host *host) {
    host->preference = 10;
    host->name = node->text;
    if (node->kind == YAML_LIST) return read_want(r, node, YAML_SCALAR);
    for (const struct yaml *c = node->first; c; c = c->next) {
        if (slice_eq(c->key, SLICE("name"))) {
            if (read_want(r, c, YAML_SCALAR)) return -1;
            host->name = c->text;
        } else if (slice_eq(c->key, SLICE("preference"))) {
            if (read_number(r, c, 65535, &host->preference)) return -1;
        } else if (slice_eq(c->key, SLICE("group"))) {
            if (read_want(r, c, YAML_SCALAR)) return -1;
            host->group_name = c->text;
        } else {
            return read_unknown_key(r, c, "a host (known: name, preference, group)");
        }
    }
    return check_name(r, node, host->name, false);
}

static int read_host_key(struct reader *r, const struct yaml *c, struct sim_provider *p) {
    uint32_t n;
    if (slice_eq(c->key, SLICE("own")) || slice_eq(c->key, SLICE("each"))) {
        if (read_number(r, c, 9, &p->own_hosts)) return -1;
        if (p->own_hosts) return 0;
        return read_fail(r, c, "'%.*s' must be a whole number from 1 to 9", SLICE_ARG(c->key));
    }
    if (slice_eq(c->key, SLICE("shared"))) {
        if (read_number(r, c, HOSTERS_MAX, &n)) return -1;
        p->hosters = n;
        return n ? 0 : read_fail(r, c, "'shared' must be a whole number from 1 to %d", HOSTERS_MAX);
    }
    if (slice_eq(c->key, SLICE("pattern")))
        return read_want(r, c, YAML_SCALAR) ||
                       read_pattern(r, c, c->text, &p->hoster_prefix, &p->hoster_suffix)
                   ? -1
                   : 0;
    if (slice_eq(c->key, SLICE("sizes"))) return read_word(r, c, sim_sizes_names, &p->hoster_sizes);
    if (slice_eq(c->key, SLICE("dead"))) return read_real(r, c, 1, &p->dead);
    return read_unknown_key(r, c, "'hosts' (known: own, shared, pattern, each, sizes, dead)");
}

int read_hosts(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (node->kind == YAML_MAP) {
        for (const struct yaml *c = node->first; c; c = c->next)
            if (read_host_key(r, c, p)) return -1;
        if (!p->hosters != !p->hoster_suffix.len)
            return read_fail(r, node, "'hosts' needs shared and pattern together");
        if (p->hosters && yaml_get(node, "own"))
            return read_fail(r, node, "'own' is for hosts of each domain, 'each' for those of a hoster");
        if (!p->own_hosts) p->own_hosts = 1;
        return 0;
    }
    if (read_want(r, node, YAML_LIST)) return -1;
    if (node->count == 0 || node->count > SIM_HOSTS_MAX)
        return read_fail(r, node, "'hosts' must list 1 to %d hosts", SIM_HOSTS_MAX);
    p->host = arena_zalloc(&r->s->arena, node->count * sizeof *p->host);
    if (!p->host) return read_fail(r, node, "too many hosts");
    for (const struct yaml *c = node->first; c; c = c->next)
        if (read_host(r, c, &p->host[p->hosts++])) return -1;
    return 0;
}

int read_manners(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    double sum = 0;
    if (read_want(r, node, YAML_MAP)) return -1;
    if (node->count == 0 || node->count > SIM_MANNERS_MAX)
        return read_fail(r, node, "'manners' must name 1 to %d manners, with their shares", SIM_MANNERS_MAX);
    p->manners = arena_zalloc(&r->s->arena, node->count * sizeof *p->manners);
    if (!p->manners) return read_fail(r, node, "too many manners");
    p->manner_count = 0;
    for (const struct yaml *c = node->first; c; c = c->next) {
        struct sim_share *share = &p->manners[p->manner_count++];
        while (sim_manner_names[share->what] && !slice_eq(c->key, slice_of(sim_manner_names[share->what])))
            share->what++;
        if (!sim_manner_names[share->what]) return read_unknown_key(r, c, "'manners'");
        if (read_real(r, c, 1e6, &share->upto)) return -1;
        share->upto = sum += share->upto;
    }
    if (sum <= 0) return read_fail(r, node, "all shares of 'manners' are 0");
    for (size_t i = 0; i < p->manner_count; i++)
        p->manners[i].upto /= sum;
    return 0;
}
