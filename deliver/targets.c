/* The order of a session's addresses. */
#include "targets.h"

#include "hash.h"

enum { MOST_A_HOST = 3 };

static bool is_marked(const struct target_marks *m, const struct net_addr *address, mono_us now) {
    for (unsigned i = 0; m && i < TARGET_MARKS; i++)
        if (m->at[i].until > now && net_addr_cmp(&m->at[i].address, address) == 0) return true;
    return false;
}

void target_unmark(struct target_marks *m, const struct net_addr *address) {
    for (unsigned i = 0; m && i < TARGET_MARKS; i++)
        if (net_addr_cmp(&m->at[i].address, address) == 0) m->at[i].until = 0;
}

/* In place of its own earlier mark, else of the oldest. */
void target_mark(struct target_marks *m, const struct net_addr *address, mono_us now) {
    unsigned at = 0;
    target_unmark(m, address);
    for (unsigned i = 1; i < TARGET_MARKS; i++)
        if (m->at[i].until < m->at[at].until) at = i;
    m->at[at].address = *address;
    m->at[at].until = now + TARGET_MARK_US;
}

/* The host's addresses of one family from the `turn`th on. */
static unsigned family_of(const struct mx_host *host, enum net_family family, uint64_t turn,
                          const struct net_addr *out[MX_MAX_ADDRESSES]) {
    const struct net_addr *all[MX_MAX_ADDRESSES];
    unsigned n = 0;
    for (unsigned i = 0; i < host->address_count; i++)
        if (host->addresses[i].family == family) all[n++] = &host->addresses[i];
    for (unsigned i = 0; i < n; i++)
        out[i] = all[(turn + i) % n];
    return n;
}

struct choice {
    enum net_family family;
    const struct target_marks *marks;
    mono_us now;
    unsigned hosts; /* in all */
};

/* The host's addresses as they are to be tried, IPv6 before IPv4 by turns; what is marked stands behind. */
static unsigned addresses_of(const struct choice *c, const struct mx_host *host, uint64_t turn,
                             const struct net_addr *out[MX_MAX_ADDRESSES], unsigned *unmarked) {
    const struct net_addr *six[MX_MAX_ADDRESSES], *four[MX_MAX_ADDRESSES], *all[2 * MX_MAX_ADDRESSES];
    unsigned sixes = c->family == NET_V4 ? 0 : family_of(host, NET_V6, turn, six);
    unsigned fours = c->family == NET_V6 ? 0 : family_of(host, NET_V4, turn, four);
    unsigned count = 0, n = 0;
    for (unsigned i = 0; i < sixes || i < fours; i++) {
        if (i < sixes) all[count++] = six[i];
        if (i < fours) all[count++] = four[i];
    }
    for (unsigned i = 0; i < count; i++)
        if (!is_marked(c->marks, all[i], c->now)) out[n++] = all[i];
    *unmarked = n;
    for (unsigned i = 0; i < count; i++)
        if (is_marked(c->marks, all[i], c->now)) out[n++] = all[i];
    return n;
}

/* So many of its addresses that the next hosts have their turn too, and both families where there are both.
 */
static unsigned share_of(const struct choice *c, const struct net_addr *const *addresses, unsigned count) {
    unsigned share = TARGETS_MAX / c->hosts;
    if (c->hosts == 1) return count;
    if (share > MOST_A_HOST) share = MOST_A_HOST;
    if (share < 2) share = count > 1 && addresses[0]->family != addresses[1]->family ? 2 : 1;
    return share < count ? share : count;
}

/* The hosts of one preference by turns: whose turn it is comes first, the others in a random order, so that
 * not always the same one takes over from a host that is down. */
static void put_in_turn(unsigned order[MX_MAX_HOSTS], unsigned first, unsigned n, uint64_t turn) {
    uint64_t random = hash_mix(turn);
    for (unsigned i = 0; i < n; i++)
        order[i] = first + (unsigned)((turn + i) % n);
    for (unsigned i = n - 1; i > 1; i--) {
        unsigned j = 1 + (unsigned)(random % i), swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
        random = hash_mix(random);
    }
}

/* Hosts first to first + n - 1, of one preference: those with an unmarked address, then the others. */
static unsigned choose_equals(const struct choice *c, const struct mx_answer *mx, unsigned first, unsigned n,
                              uint64_t turn, struct session_target *out, unsigned room) {
    unsigned order[MX_MAX_HOSTS], put = 0;
    put_in_turn(order, first, n, turn);
    for (int marked = 0; marked < 2; marked++)
        for (unsigned i = 0; i < n; i++) {
            const struct net_addr *addresses[MX_MAX_ADDRESSES];
            const struct mx_host *host = &mx->hosts[order[i]];
            unsigned unmarked, count = addresses_of(c, host, turn / n, addresses, &unmarked);
            if ((unmarked == 0) != marked) continue;
            unsigned share = share_of(c, addresses, count);
            for (unsigned a = 0; a < share && put < room; a++, put++) {
                memcpy(out[put].name, host->name, sizeof out[put].name);
                out[put].address = *addresses[a];
            }
        }
    return put;
}

unsigned targets_choose(const struct mx_answer *mx, enum net_family family, const struct target_marks *marks,
                        uint64_t turn, mono_us now, struct session_target out[TARGETS_MAX]) {
    struct choice c = {family, marks, now, mx->host_count};
    unsigned put = 0;
    for (unsigned first = 0, n; first < mx->host_count; first += n, turn = hash_mix(turn)) {
        for (n = 1; first + n < mx->host_count; n++)
            if (mx->hosts[first + n].preference != mx->hosts[first].preference) break;
        put += choose_equals(&c, mx, first, n, turn, out + put, TARGETS_MAX - put);
    }
    return put;
}
