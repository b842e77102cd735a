/* Decisions of providers, by hash where they can be and by memory where they must. */
#include "sim_world.h"

#include "hash.h"
#include "sim_manner.h"

#include <stdlib.h>

enum { SALT_USER = 1, SALT_GREYLIST, SALT_ATTEMPTS, SALT_FULL, SALT_DEFER, SALT_FAULT = 1000 };

struct sim_site {
    uint32_t connections;
    double connection_tokens, message_tokens;
    mono_us connection_at, message_at;
};

int sim_world_init(struct sim_world *w, const struct sim_scenario *s, uint64_t seed, struct err *err) {
    *w = (struct sim_world){.scenario = s, .seed = seed, .truth.fd = -1};
    w->fault_seen = calloc(s->faults + 1, sizeof *w->fault_seen);
    return w->fault_seen ? 0 : err_set(err, ERR_SYSTEM, "out of memory");
}

void sim_world_done(struct sim_world *w) {
    sim_table_done(&w->memory);
    sim_table_done(&w->site_of);
    free(w->site);
    free(w->fault_seen);
}

static uint64_t mix(uint64_t a, uint64_t b) {
    return hash_mix(a ^ hash_mix(b + 0x9e3779b97f4a7c15u));
}

bool sim_chance(double share, uint64_t key, uint64_t salt) {
    if (share <= 0) return false;
    return (double)(mix(key, salt) >> 11) * 0x1p-53 < share;
}

uint64_t sim_address_key(uint64_t seed, const struct sim_provider *p, struct slice address) {
    return hash_nocase(address, mix(seed, p->index));
}

enum sim_user sim_user_kind(const struct sim_provider *p, uint64_t key) {
    if (p->unknown + p->full <= 0) return SIM_USER_FINE;
    double u = (double)(mix(key, SALT_USER) >> 11) * 0x1p-53;
    if (u < p->unknown) return SIM_USER_UNKNOWN;
    return u < p->unknown + p->full ? SIM_USER_FULL : SIM_USER_FINE;
}

/* The time at which something was first seen. */
static mono_us first_seen(struct sim_world *w, uint64_t key) {
    uint64_t *at = sim_table_put(&w->memory, key);
    if (*at == 0) *at = (uint64_t)w->mono + 1;
    return (mono_us)*at - 1;
}

enum sim_user sim_world_user(struct sim_world *w, const struct sim_provider *p, uint64_t key) {
    enum sim_user kind = sim_user_kind(p, key);
    if (kind != SIM_USER_FULL || p->full_for_s <= 0) return kind;
    mono_us since = first_seen(w, mix(key, SALT_FULL));
    return (double)(w->mono - since) >= p->full_for_s * 1e6 ? SIM_USER_FINE : SIM_USER_FULL;
}

bool sim_world_greylisted(struct sim_world *w, const struct sim_provider *p, uint64_t key, uint32_t client,
                          struct slice from) {
    if (!sim_chance(p->greylist, key, SALT_GREYLIST)) return false;
    mono_us since = first_seen(w, mix(hash_nocase(from, key), client + ((uint64_t)SALT_GREYLIST << 32)));
    return (double)(w->mono - since) < p->greylist_s * 1e6;
}

uint32_t sim_world_attempts(const struct sim_world *w, uint64_t key) {
    const uint64_t *n = w->memory.used ? sim_table_get(&w->memory, mix(key, SALT_ATTEMPTS)) : NULL;
    return n ? (uint32_t)*n : 0;
}

void sim_world_hit(struct sim_world *w, uint64_t key) {
    ++*sim_table_put(&w->memory, mix(key, SALT_ATTEMPTS));
}

bool sim_world_defers(struct sim_world *w, double share, uint64_t key, enum sim_stage stage) {
    if (share <= 0) return false;
    uint64_t attempt = sim_world_attempts(w, key);
    if (!sim_chance(share, mix(key, attempt), SALT_DEFER + (uint64_t)stage)) return false;
    sim_world_hit(w, key);
    return true;
}

static bool strikes(struct sim_world *w, const struct sim_fault *f, uint64_t key, uint32_t attempt) {
    uint64_t seen = w->fault_seen[f->id]++;
    if (f->first && seen >= f->first) return false;
    if (f->attempts && attempt >= f->attempts) return false;
    if (f->every) return seen % f->every == f->every - 1;
    return sim_chance(f->chance, mix(key, attempt), SALT_FAULT + f->id);
}

const struct sim_fault *sim_world_fault(struct sim_world *w, const struct sim_provider *p, enum sim_step step,
                                        bool early, uint64_t key, uint32_t attempt) {
    if (!(p->faulty_steps >> step & 1)) return NULL;
    for (size_t i = 0; i < p->faults; i++) {
        const struct sim_fault *f = &p->fault[i];
        if (f->step != step || f->kind == SIM_FAULT_NONE || (f->kind == SIM_FAULT_EARLY) != early) continue;
        if (!strikes(w, f, key, attempt)) continue;
        w->faults++;
        return f;
    }
    return NULL;
}

static size_t find_site(struct sim_world *w, const struct sim_name *host, uint32_t client) {
    uint64_t domain = host->provider->host ? 0 : host->domain + 1;
    uint64_t *at = sim_table_put(&w->site_of, mix(mix(host->provider->index, domain), client));
    if (*at) return (size_t)*at - 1;
    if (w->sites == w->sites_room) {
        size_t room = w->sites_room ? w->sites_room * 2 : 64;
        struct sim_site *grown = realloc(w->site, room * sizeof *grown);
        if (!grown) abort();
        w->site = grown;
        w->sites_room = room;
    }
    w->site[w->sites] = (struct sim_site){.connection_at = w->mono, .message_at = w->mono};
    w->site[w->sites].connection_tokens = host->provider->connections_per_minute;
    double first = host->provider->burst > 0 ? host->provider->burst : host->provider->rate;
    w->site[w->sites].message_tokens =
        first < 1 ? 1 : first; /* a message every ten seconds begins with one */
    *at = w->sites + 1;
    return w->sites++;
}

/* A token bucket: a second's worth of `rate` flows in each second, up to `most`. */
static bool take_token(double *tokens, mono_us *at, mono_us now, double rate, double most) {
    if (most < 1) most = 1;
    *tokens += (double)(now - *at) * 1e-6 * rate;
    *at = now;
    if (*tokens > most) *tokens = most;
    if (*tokens < 1) return false;
    *tokens -= 1;
    return true;
}

size_t sim_site_enter(struct sim_world *w, const struct sim_name *host, uint32_t client, int *refusal) {
    const struct sim_provider *p = host->provider;
    *refusal = 0;
    if (!p->connections && !p->connections_per_minute && p->rate <= 0) return SIM_NO_SITE;
    size_t i = find_site(w, host, client);
    struct sim_site *site = &w->site[i];
    double minute = p->connections_per_minute;
    if (p->connections && site->connections >= p->connections)
        *refusal = SIM_SAY_CONNECTIONS;
    else if (minute > 0 &&
             !take_token(&site->connection_tokens, &site->connection_at, w->mono, minute / 60, minute))
        *refusal = SIM_SAY_CONNECTION_RATE;
    site->connections++;
    return i;
}

void sim_site_leave(struct sim_world *w, size_t site) {
    if (site != SIM_NO_SITE) w->site[site].connections--;
}

bool sim_site_message(struct sim_world *w, const struct sim_provider *p, size_t site) {
    if (site == SIM_NO_SITE || p->rate <= 0) return true;
    struct sim_site *s = &w->site[site];
    return take_token(&s->message_tokens, &s->message_at, w->mono, p->rate, p->burst ? p->burst : p->rate);
}
