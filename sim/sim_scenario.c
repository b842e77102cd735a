/* Scenarios: the whole of one, and one provider. A table of keys (sim_keys.c) drives reading, checking and
 * printing. */
#include "sim_scenario.h"

#include "sim_names.h"
#include "sim_read.h"

enum { ARENA_MAX = 512 << 20, PROVIDERS_MAX = 100000 };

static const struct sim_provider defaults = {
    .weight = 1,
    .dns_ttl = 300,
    .rules.limits = {.size = 36700160,
                     .gate = {[SIM_LIMIT_MESSAGES] = SIM_GATE_MAIL,
                              [SIM_LIMIT_RATE] = SIM_GATE_MAIL,
                              [SIM_LIMIT_DAILY] = SIM_GATE_MAIL,
                              [SIM_LIMIT_MAILBOX] = SIM_GATE_RCPT,
                              [SIM_LIMIT_RECIPIENTS] = SIM_GATE_RCPT,
                              [SIM_LIMIT_SESSION_RECIPIENTS] = SIM_GATE_RCPT}},
    .knocking = {.block_s = 60, .longest_s = 3600},
    .latency = {.jitter = 0.5, .slow_factor = 10},
    .greylist = {.delay_s = 3},
    .reputation = {.memory_s = 3600,
                   .least = 100,
                   .slow_rate = 1,
                   .block_s = 3600,
                   .trap_weight = 50,
                   .jump_from = 1000,
                   .jump_weight = 0.1},
    .pipelining = true,
    .say_size = true,
    .eightbit = true,
    .enhanced = true};

/* What the defaults may hold too. */
static int read_setting(struct reader *r, const struct yaml *c, struct sim_provider *p, const char *where) {
    bool done;
    if (read_keys(r, c, p, &done)) return -1;
    if (done) return 0;
    if (slice_eq(c->key, SLICE("faults"))) return read_faults(r, c, p);
    if (slice_eq(c->key, SLICE("replies"))) return read_replies(r, c, p);
    if (slice_eq(c->key, SLICE("manners"))) return read_manners(r, c, p);
    if (slice_eq(c->key, SLICE("changes"))) {
        p->changes_node = c;
        return 0;
    }
    if (slice_eq(c->key, SLICE("maintenance"))) {
        p->windows_node = c;
        return 0;
    }
    return read_unknown_key(r, c, where);
}

static int read_own_key(struct reader *r, const struct yaml *c, struct sim_provider *p) {
    if (slice_eq(c->key, SLICE("name"))) {
        p->name = c->text;
        return read_want(r, c, YAML_SCALAR);
    }
    if (slice_eq(c->key, SLICE("domains"))) return read_domains(r, c, p);
    if (slice_eq(c->key, SLICE("hosts"))) return read_hosts(r, c, p);
    if (slice_eq(c->key, SLICE("groups"))) {
        p->groups_node = c;
        return 0;
    }
    return read_setting(r, c, p, "a provider");
}

static bool limits_anything(const struct sim_rules *rules) {
    for (int i = 0; i < SIM_LIMITS; i++) {
        if (rules->limits.most[i] > 0) return true;
        for (size_t c = 0; c < rules->changes; c++)
            if (rules->change[c].limits.most[i] > 0) return true;
    }
    return false;
}

/* Does anything ever ask what a client did before? */
static bool keeps_account(const struct sim_provider *p) {
    for (uint32_t g = 0; g < p->groups; g++)
        if (limits_anything(&p->group[g].rules)) return true;
    return p->knocking.after > 0 || limits_anything(&p->rules);
}

static int check_provider(struct reader *r, const struct yaml *node, const struct sim_provider *p) {
    if (!p->name.len || p->name.len > 64)
        return read_fail(r, node, "a provider needs a 'name' of 1 to 64 characters");
    if (!read_is_plain(p->name, false))
        return read_fail(r, node, "a provider's name must be printable, without quotes and backslashes");
    if (!p->domains) return read_fail(r, node, "provider '%.*s' needs 'domains'", SLICE_ARG(p->name));
    if (p->unknown + p->full > 1) return read_fail(r, node, "'unknown' and 'full' together are more than 1");
    if (p->rules.limits.gate[SIM_LIMIT_MESSAGES] == SIM_GATE_GREETING)
        return read_fail(r, node, "'messages_at' cannot be the greeting: there is no message yet");
    if (p->dns == SIM_DNS_IMPLICIT && p->hosters)
        return read_fail(r, node, "'implicit' domains have no exchangers: 'hosts' cannot be shared");
    if (p->reputation.memory_s <= 0) return read_fail(r, node, "the 'memory' of a reputation cannot be 0");
    return 0;
}

static int read_provider(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (read_want(r, node, YAML_MAP)) return -1;
    size_t index = p->index;
    *p = r->start;
    p->index = index;
    p->line = node->line;
    for (const struct yaml *c = node->first; c; c = c->next)
        if (read_own_key(r, c, p)) return -1;
    if (check_provider(r, node, p)) return -1;
    if (!p->host && !p->own_hosts) p->own_hosts = 1;
    if (read_last(r, node, p)) return -1;
    p->limited = keeps_account(p);
    p->first_pool = r->s->pools;
    r->s->pools += 1 + p->groups;
    return 0;
}

static int read_providers(struct reader *r, const struct yaml *node) {
    struct sim_scenario *s = r->s;
    if (read_want(r, node, YAML_LIST)) return -1;
    if (node->count == 0 || node->count > PROVIDERS_MAX)
        return read_fail(r, node, "'providers' must list 1 to %d providers", PROVIDERS_MAX);
    s->provider = arena_zalloc(&s->arena, node->count * sizeof *s->provider);
    if (!s->provider) return read_fail(r, node, "too many providers");
    for (const struct yaml *c = node->first; c; c = c->next) {
        struct sim_provider *p = &s->provider[s->providers];
        p->index = s->providers++;
        if (read_provider(r, c, p)) return -1;
    }
    return 0;
}

static int read_clock_keys(struct reader *r, const struct yaml *node) {
    if (read_want(r, node, YAML_MAP)) return -1;
    for (const struct yaml *c = node->first; c; c = c->next) {
        if (slice_eq(c->key, SLICE("speed"))) {
            if (read_real(r, c, 100000, &r->s->speed)) return -1;
            if (r->s->speed < 0.01) return read_fail(r, c, "'speed' must be a number from 0.01 to 100000");
        } else if (slice_eq(c->key, SLICE("start"))) {
            if (read_clock(r, c, &r->s->start_s)) return -1;
        } else {
            return read_unknown_key(r, c, "'time' (known: speed, start)");
        }
    }
    return 0;
}

static int read_root(struct reader *r, const struct yaml *root) {
    const struct yaml *start = yaml_get(root, "defaults"), *list = yaml_get(root, "providers");
    uint32_t seed = 1;
    if (root->kind != YAML_MAP || !list) return read_fail(r, root, "a scenario needs a list of 'providers'");
    for (const struct yaml *c = root->first; c; c = c->next) {
        if (c == start || c == list) continue;
        if (slice_eq(c->key, SLICE("time"))) {
            if (read_clock_keys(r, c)) return -1;
            continue;
        }
        if (!slice_eq(c->key, SLICE("seed")))
            return read_unknown_key(r, c, "a scenario (known: seed, time, defaults, providers)");
        if (read_number(r, c, 4294967295.0, &seed)) return -1;
    }
    r->s->seed = seed;
    if (start && read_want(r, start, YAML_MAP)) return -1;
    for (const struct yaml *c = start ? start->first : NULL; c; c = c->next)
        if (read_setting(r, c, &r->start, "'defaults'")) return -1;
    return read_providers(r, list) || sim_names_build(r->s, r->err) ? -1 : 0;
}

static int build(struct sim_scenario *s, struct yaml *root, struct err *err) {
    struct reader r = {.s = s, .start = defaults, .err = err};
    return root ? read_root(&r, root) : -1;
}

int sim_scenario_parse(struct sim_scenario *s, struct slice text, const char *name, struct err *err) {
    *s = (struct sim_scenario){.file = name, .speed = 1, .start_s = -1};
    arena_init(&s->arena, ARENA_MAX);
    return build(s, yaml_parse(text, name, &s->arena, err), err);
}

int sim_scenario_read(struct sim_scenario *s, const char *path, struct err *err) {
    *s = (struct sim_scenario){.file = path, .speed = 1, .start_s = -1};
    arena_init(&s->arena, ARENA_MAX);
    return build(s, yaml_read(path, &s->arena, err), err);
}

void sim_scenario_done(struct sim_scenario *s) {
    arena_done(&s->arena);
}
