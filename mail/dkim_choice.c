/* The keys for a From domain at a time. */
#include "dkim_choice.h"

bool dkim_domain_covers(struct slice domain, struct slice of) {
    if (domain.len == of.len) return slice_eq_nocase(domain, of);
    return domain.len && domain.len < of.len && of.at[of.len - domain.len - 1] == '.' &&
           slice_ends_nocase(of, domain);
}

static bool valid(const struct dkim_rule *r, wall_us now) {
    return now >= r->from && now < r->until;
}

/* The rule whose domain signs, or NULL. */
static const struct dkim_rule *leader(const struct dkim_rule *rules, size_t count, struct slice from,
                                      wall_us now) {
    const struct dkim_rule *near = NULL, *any = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct dkim_rule *r = &rules[i];
        if (!valid(r, now)) continue;
        if (dkim_domain_covers(r->domain, from) && (!near || r->domain.len > near->domain.len)) near = r;
        if (r->any_from && !any) any = r;
    }
    return near ? near : any;
}

static void narrow(struct dkim_choice *c, wall_us change, wall_us now) {
    if (change <= now && change > c->since) c->since = change;
    if (change > now && change < c->until) c->until = change;
}

struct dkim_choice dkim_choose(const struct dkim_rule *rules, size_t count, struct slice from_domain,
                               wall_us now) {
    struct dkim_choice c = {.since = INT64_MIN, .until = NEVER};
    const struct dkim_rule *lead = leader(rules, count, from_domain, now), *best[DKIM_ALGORITHMS] = {NULL};
    c.aligned = lead && dkim_domain_covers(lead->domain, from_domain);
    for (size_t i = 0; i < count; i++) {
        const struct dkim_rule *r = &rules[i];
        narrow(&c, r->from, now);
        narrow(&c, r->until, now);
        if (!lead || !valid(r, now) || !slice_eq_nocase(r->domain, lead->domain)) continue;
        if (!c.aligned && !r->any_from) continue;
        if (!best[r->algorithm] || r->from > best[r->algorithm]->from) best[r->algorithm] = r;
    }
    for (int a = 0; a < DKIM_ALGORITHMS; a++)
        if (best[a]) c.rules[c.count++] = (size_t)(best[a] - rules);
    return c;
}
