/* What is known, to be stored; and how far it is trusted when it is loaded again. */
#include "learn_priv.h"

static double rate_known(const struct learn *l) {
    if (!l->pace_by_host) return l->pace.known > 0 ? l->pace.known : l->rate_told;
    double known = 0;
    for (int i = 0; i < LEARN_HOSTS; i++)
        if (l->hosts & 1u << i)
            known += l->pace_by_host[i].known > 0 ? l->pace_by_host[i].known : l->pace_by_host[i].cap;
    return known;
}

static double chance_to_keep(const struct doubt *d) {
    return d->base < LEARN_CHANCE_MOST ? d->base : LEARN_CHANCE_MOST;
}

void learn_store(const struct learn *l, struct learn_memory *m, wall_us wall, mono_us now) {
    uint32_t connections = l->crowd.known && !l->by_host ? l->crowd.cap : 0;
    if (l->by_host)
        for (int i = 0; i < LEARN_HOSTS; i++)
            connections += l->hosts & 1u << i ? l->by_host[i].cap : 0;
    *m = (struct learn_memory){.saved = wall,
                               .connections = connections,
                               .rate = rate_known(l),
                               .burst = l->pace.burst,
                               .per_connection = l->span.limit,
                               .new_connections = l->knock.limit,
                               .quota = l->quota.limit,
                               .quota_used = l->quota.used,
                               .quota_resets = l->quota.resets ? wall + (l->quota.resets - now) : 0,
                               .chance_unsaid = chance_to_keep(&l->pace.doubts[false]),
                               .chance_said = chance_to_keep(&l->pace.doubts[true])};
}

/* 1 for what is fresh, a half after a week. */
static double trust(wall_us age) {
    double t = 1;
    for (; age >= 7 * DAY && t > 0.05; age -= 7 * DAY)
        t /= 2;
    return t * (1 - (double)(age > 0 ? age : 0) / (double)(14 * DAY));
}

static bool sane(double x, double most) {
    return x > 0 && x <= most; /* neither of them holds for what is no number */
}

void learn_load(struct learn *l, const struct learn_memory *m, wall_us wall, mono_us now) {
    double much = trust(wall - m->saved);
    if (m->connections > 0 && m->connections <= l->crowd.ceiling) {
        l->crowd.cap = m->connections < l->crowd.floor ? l->crowd.floor : m->connections;
        l->crowd.known = true;
        l->crowd.probe_at = now + (mono_us)((double)l->crowd.probe_wait * much);
        learn_tell(l, LEARN_CONNECTIONS, 0, l->crowd.cap, LEARN_BY_MEMORY, NULL, now);
    }
    if (sane(m->rate, 1e6)) {
        pace_remember(&l->pace, m->rate, sane(m->burst, 1e9) ? m->burst : 0, much, now);
        l->rate_told = m->rate;
        learn_tell(l, LEARN_RATE, 0, m->rate, LEARN_BY_MEMORY, NULL, now);
    }
    if (m->per_connection > 0) {
        l->span.limit = m->per_connection;
        learn_tell(l, LEARN_PER_CONNECTION, 0, m->per_connection, LEARN_BY_MEMORY, NULL, now);
    }
    if (sane(m->new_connections, 1e6)) {
        l->knock.limit = m->new_connections;
        learn_tell(l, LEARN_NEW_CONNECTIONS, 0, m->new_connections, LEARN_BY_MEMORY, NULL, now);
    }
    if (sane(m->quota, 1e12) || l->quota.ceiling > 0) {
        l->quota.limit = sane(m->quota, 1e12) ? m->quota : 0;
        l->quota.used = m->quota_used >= 0 ? m->quota_used : 0;
        if (m->quota_resets || l->quota.limit > 0) l->quota.resets = now + (m->quota_resets - wall);
        learn_turn_quota(l, now);
        if (l->quota.limit > 0) learn_tell(l, LEARN_QUOTA, 0, l->quota.limit, LEARN_BY_MEMORY, NULL, now);
    }
    if (sane(m->chance_unsaid, 0.5)) doubt_init(&l->pace.doubts[false], m->chance_unsaid, 500 * much + 50);
    if (sane(m->chance_said, 0.5)) doubt_init(&l->pace.doubts[true], m->chance_said, 500 * much + 50);
}
