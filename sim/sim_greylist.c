/* First tries and acquaintances in one table, under different salts. */
#include "sim_greylist.h"

#include "hash.h"

enum { SALT_SHARE = 0x67726579, SALT_FIRST, SALT_KNOWN };

static struct slice domain_of(struct slice from) {
    for (size_t i = from.len; i > 0; i--)
        if (from.at[i - 1] == '@') return slice_skip(from, i);
    return from;
}

static uint64_t net_of(uint32_t client) {
    return hash_mix((client >> 8) + (UINT64_C(0x4e6574) << 32));
}

/* Who is known or not. */
static uint64_t who(const struct sim_greylist *g, const struct sim_grey_try *t) {
    if (g->by == SIM_GREY_FROM_DOMAIN) return hash_nocase(domain_of(t->from), t->provider);
    return hash_mix(net_of(t->client) ^ t->provider);
}

static uint64_t what(const struct sim_greylist *g, const struct sim_grey_try *t) {
    if (g->by != SIM_GREY_TRIPLET) return who(g, t);
    return hash_nocase(t->from, hash_mix(net_of(t->client) ^ t->address));
}

sim_us sim_greylist_wait(const struct sim_greylist *g, struct sim_table *memory, const struct sim_grey_try *t,
                         sim_us now) {
    if (g->share <= 0) return 0;
    if ((double)(hash_mix(t->address ^ SALT_SHARE) >> 11) * 0x1p-53 >= g->share) return 0;
    if (g->whitelist_after) {
        const uint64_t *mails = sim_table_get(memory, hash_mix(who(g, t) ^ SALT_KNOWN));
        if (mails && *mails >= g->whitelist_after) return 0;
    }
    uint64_t *first = sim_table_put(memory, hash_mix(what(g, t) ^ SALT_FIRST));
    sim_us delay = (sim_us)(g->delay_s * 1e6), window = (sim_us)(g->window_s * 1e6);
    sim_us since = now - ((sim_us)*first - 1);
    if (*first == 0 || (window > 0 && since > window)) { /* new, or came back too late */
        *first = (uint64_t)now + 1;
        since = 0;
    }
    return since < delay ? delay - since : 0;
}

void sim_greylist_accepted(const struct sim_greylist *g, struct sim_table *memory,
                           const struct sim_grey_try *t) {
    if (g->share > 0 && g->whitelist_after) ++*sim_table_put(memory, hash_mix(who(g, t) ^ SALT_KNOWN));
}
