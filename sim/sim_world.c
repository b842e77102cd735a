/* Decisions of providers, by hash where they can be and by memory where they must. */
#include "sim_world.h"

#include "hash.h"
#include <stdlib.h>

enum { SALT_USER = 1, SALT_ATTEMPTS, SALT_FULL, SALT_DEFER, SALT_MAILBOX = 20, SALT_FAULT = 1000 };

int sim_world_init(struct sim_world *w, const struct sim_scenario *s, uint64_t seed, struct err *err) {
    *w = (struct sim_world){.scenario = s, .seed = seed, .truth.fd = -1};
    sim_clock_begin(&w->clock, s->speed, s->start_s, clock_mono(), clock_wall());
    w->fault_seen = calloc(s->faults + 1, sizeof *w->fault_seen);
    if (w->fault_seen && sim_stats_init(&w->stats, s) == 0) return 0;
    return err_set(err, ERR_SYSTEM, "out of memory");
}

void sim_world_done(struct sim_world *w) {
    sim_table_done(&w->memory);
    sim_table_done(&w->site_of);
    sim_table_done(&w->standing_of);
    sim_stats_done(&w->stats);
    free(w->site);
    free(w->standing);
    free(w->fault_seen);
}

void sim_world_tick(struct sim_world *w, mono_us now, wall_us wall) {
    w->now = sim_clock_at(&w->clock, now);
    w->wall = wall;
    w->sim_wall = sim_clock_wall(&w->clock, w->now);
}

void sim_world_observe(struct sim_world *w, struct sim_observer *o) {
    o->next = w->observers;
    w->observers = o;
    w->wants_content = w->wants_content || o->wants_content;
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
static sim_us first_seen(struct sim_world *w, uint64_t key) {
    uint64_t *at = sim_table_put(&w->memory, key);
    if (*at == 0) *at = (uint64_t)w->now + 1;
    return (sim_us)*at - 1;
}

enum sim_user sim_world_user(struct sim_world *w, const struct sim_provider *p, uint64_t key) {
    enum sim_user kind = sim_user_kind(p, key);
    if (kind != SIM_USER_FULL || p->full_for_s <= 0) return kind;
    sim_us since = first_seen(w, mix(key, SALT_FULL));
    return (double)(w->now - since) >= p->full_for_s * 1e6 ? SIM_USER_FINE : SIM_USER_FULL;
}

uint64_t sim_provider_key(const struct sim_world *w, const struct sim_provider *p) {
    return mix(w->seed, p->index);
}

sim_us sim_world_greylisted(struct sim_world *w, const struct sim_provider *p, uint64_t key, uint32_t client,
                            struct slice from) {
    struct sim_grey_try t = {key, client, from, sim_provider_key(w, p)};
    return sim_greylist_wait(&p->greylist, &w->memory, &t, w->now);
}

bool sim_world_mailbox(struct sim_world *w, uint64_t key, double most) {
    uint64_t hour = (uint64_t)(w->now / (3600 * US_PER_SEC)) + 1, *at;
    at = sim_table_put(&w->memory, mix(key, SALT_MAILBOX));
    if (*at >> 32 != hour) *at = hour << 32;
    if ((double)(*at & UINT32_MAX) >= most) return false;
    ++*at;
    return true;
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

uint64_t sim_host_key(const struct sim_world *w, const struct sim_name *host) {
    return mix(mix(w->seed, host->provider->index), host->domain << 8 ^ host->host);
}

/* Room for one more in a growing array; ends the program without memory. */
static void *grow(void *array, size_t count, size_t *room, size_t size) {
    if (count < *room) return array;
    *room = *room ? *room * 2 : 64;
    void *grown = realloc(array, *room * size);
    if (!grown) abort();
    return grown;
}

static const struct sim_rules *rules_of(const struct sim_name *host) {
    const struct sim_provider *p = host->provider;
    uint32_t group = p->host ? p->host[host->host].group : 0;
    return group ? &p->group[group - 1].rules : &p->rules;
}

size_t sim_world_pool(const struct sim_name *host) {
    const struct sim_provider *p = host->provider;
    return p->first_pool + (p->host ? p->host[host->host].group : 0);
}

/* Which hosts count together: a number that is the same for them. */
static uint64_t together(const struct sim_name *host) {
    const struct sim_provider *p = host->provider;
    uint32_t counts = p->rules.limits.counts;
    if (counts == SIM_COUNTS_PROVIDER) return 0;
    if (counts == SIM_COUNTS_HOST) return (host->domain << 8) + host->host + (UINT64_C(1) << 60);
    return p->host ? p->host[host->host].group : host->domain + (UINT64_C(1) << 50);
}

size_t sim_world_site(struct sim_world *w, const struct sim_name *host, uint32_t client) {
    const struct sim_provider *p = host->provider;
    if (p->rules.limits.client == SIM_CLIENT_NET) client &= 0xffffff00;
    uint64_t *at = sim_table_put(&w->site_of, mix(mix(p->index, together(host)), client));
    if (*at) return (size_t)*at - 1;
    const struct sim_rules *rules =
        p->rules.limits.counts == SIM_COUNTS_PROVIDER ? &p->rules : rules_of(host);
    w->site = grow(w->site, w->sites, &w->sites_room, sizeof *w->site);
    sim_site_begin(&w->site[w->sites], rules, &p->knocking, sim_world_pool(host), w->now,
                   sim_clock_day(w->sim_wall, rules->limits.daily_resets_s));
    *at = w->sites + 1;
    return w->sites++;
}

size_t sim_world_standing(struct sim_world *w, const struct sim_provider *p, uint64_t whom) {
    uint64_t *at = sim_table_put(&w->standing_of, mix(mix(w->seed, p->index), whom));
    if (*at) return (size_t)*at - 1;
    w->standing = grow(w->standing, w->standings, &w->standings_room, sizeof *w->standing);
    w->standing[w->standings] = (struct sim_standing){.at = w->now, .tokens = 1, .tokens_at = w->now};
    *at = w->standings + 1;
    return w->standings++;
}
