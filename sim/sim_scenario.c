/* Scenarios: a table of keys drives reading, checking and printing. */
#include "sim_scenario.h"

#include "buf.h"
#include "sim_keys.h"
#include "sim_manner.h"
#include "sim_names.h"
#include "yamltree.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARENA_MAX = 512 << 20, DOMAINS_MAX = 8000000, PROVIDERS_MAX = 100000, LABELS_MAX = 8 };

static const struct sim_provider defaults = {.weight = 1,
                                             .dns_ttl = 300,
                                             .size = 36700160,
                                             .jitter = 0.5,
                                             .greylist_s = 3,
                                             .pipelining = true,
                                             .say_size = true,
                                             .eightbit = true,
                                             .enhanced = true};

struct reader {
    struct sim_scenario *s;
    struct sim_provider start; /* what a provider starts with: the defaults of the file */
    struct err *err;
};

static int fail(struct reader *r, const struct yaml *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct reader *r, const struct yaml *at, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(r->err, ERR_INPUT, "%s:%u:%u: %s", r->s->file, at->line, at->column, text);
}

static int want_kind(struct reader *r, const struct yaml *node, enum yaml_kind kind) {
    static const char *const words[] = {"one value", "a map (key: value)", "a list"};
    if (node->kind == kind) return 0;
    return fail(r, node, "'%.*s' must be %s", SLICE_ARG(node->key), words[kind]);
}

static int unknown_key(struct reader *r, const struct yaml *node, const char *where) {
    return fail(r, node, "unknown key '%.*s' in %s", SLICE_ARG(node->key), where);
}

/* A decimal number such as 12 or 0.05: no sign, no exponent. */
static bool to_real(struct slice s, double *value) {
    struct slice rest = s, whole, part = {0};
    uint64_t n = 0, m = 0;
    slice_cut(&rest, '.', &whole);
    bool point = rest.at != NULL;
    part = rest;
    if (!slice_to_u64(whole, &n) || (point && (part.len > 15 || !slice_to_u64(part, &m)))) return false;
    *value = (double)n + (point ? (double)m / pow(10, (double)part.len) : 0);
    return true;
}

static int read_number(struct reader *r, const struct yaml *node, double most, uint32_t *value) {
    uint64_t n;
    if (want_kind(r, node, YAML_SCALAR)) return -1;
    if (!slice_to_u64(node->text, &n) || (double)n > most)
        return fail(r, node, "'%.*s' must be a whole number from 0 to %.0f", SLICE_ARG(node->key), most);
    *value = (uint32_t)n;
    return 0;
}

static int read_real(struct reader *r, const struct yaml *node, double most, double *value) {
    if (want_kind(r, node, YAML_SCALAR)) return -1;
    if (!to_real(node->text, value) || *value > most)
        return fail(r, node, "'%.*s' must be a number from 0 to %g", SLICE_ARG(node->key), most);
    return 0;
}

static int read_word(struct reader *r, const struct yaml *node, const char *const *words, uint32_t *value) {
    char list[256] = "";
    size_t len = 0;
    if (want_kind(r, node, YAML_SCALAR)) return -1;
    for (uint32_t i = 0; words[i]; i++) {
        if (slice_eq(node->text, slice_of(words[i]))) {
            *value = i;
            return 0;
        }
        int n = snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", words[i]);
        if (n > 0 && (size_t)n < sizeof list - len) len += (size_t)n;
    }
    return fail(r, node, "'%.*s' must be one of: %s", SLICE_ARG(node->key), list);
}

/* Printable ASCII: it stands in a reply. */
static int read_text(struct reader *r, const struct yaml *node, size_t most, struct slice *value) {
    if (want_kind(r, node, YAML_SCALAR)) return -1;
    bool ok = node->text.len <= most;
    for (size_t i = 0; ok && i < node->text.len; i++)
        ok = node->text.at[i] >= ' ' && node->text.at[i] <= '~' && !strchr("{}", node->text.at[i]);
    if (!ok)
        return fail(r, node, "'%.*s' must be at most %zu printable characters", SLICE_ARG(node->key), most);
    *value = node->text;
    return 0;
}

static int read_key(struct reader *r, const struct yaml *node, const struct sim_key *k,
                    struct sim_provider *p) {
    void *at = (char *)p + k->offset;
    uint32_t word = 0;
    switch (k->kind) {
    case SIM_KEY_NUMBER: return read_number(r, node, k->most, at);
    case SIM_KEY_REAL:
    case SIM_KEY_SHARE: return read_real(r, node, k->most, at);
    case SIM_KEY_WORD: return read_word(r, node, k->words, at);
    case SIM_KEY_TEXT: return read_text(r, node, (size_t)k->most, at);
    case SIM_KEY_BOOL: break;
    }
    if (read_word(r, node, sim_bool_names, &word)) return -1;
    *(bool *)at = word;
    return 0;
}

static const struct sim_key *find_key(const char *section, struct slice name) {
    for (size_t i = 0; i < sim_key_count; i++) {
        bool here =
            section ? sim_keys[i].section && strcmp(section, sim_keys[i].section) == 0 : !sim_keys[i].section;
        if (here && slice_eq(name, slice_of(sim_keys[i].name))) return &sim_keys[i];
    }
    return NULL;
}

static const char *find_section(struct slice name) {
    for (size_t i = 0; i < sim_key_count; i++)
        if (sim_keys[i].section && slice_eq(name, slice_of(sim_keys[i].section))) return sim_keys[i].section;
    return NULL;
}

static int read_section(struct reader *r, const struct yaml *map, const char *section,
                        struct sim_provider *p) {
    char where[64];
    snprintf(where, sizeof where, "'%s'", section);
    if (want_kind(r, map, YAML_MAP)) return -1;
    for (const struct yaml *c = map->first; c; c = c->next) {
        const struct sim_key *k = find_key(section, c->key);
        if (!k) return unknown_key(r, c, where);
        if (read_key(r, c, k, p)) return -1;
    }
    return 0;
}

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
    return fail(r, at, "'%.*s' is not a domain name (lower case, such as mx1.example.test)", SLICE_ARG(name));
}

/* "d{}.tail.test" in two. */
static int read_pattern(struct reader *r, const struct yaml *at, struct slice text, struct slice *prefix,
                        struct slice *suffix) {
    ptrdiff_t open = slice_find(text, '{');
    if (open < 0 || (size_t)open + 3 > text.len || text.at[open + 1] != '}' || text.at[open + 2] != '.')
        return fail(r, at, "'%.*s' must hold {} at the end of its first label (d{}.tail.test)",
                    SLICE_ARG(text));
    *prefix = (struct slice){text.at, (size_t)open};
    *suffix = slice_skip(text, (size_t)open + 2);
    if (memchr(prefix->at, '.', prefix->len))
        return fail(r, at, "'%.*s' must hold {} in its first label", SLICE_ARG(text));
    if (prefix->len > 40) return fail(r, at, "'%.*s' is too long", SLICE_ARG(text));
    return check_name(r, at, *prefix, true) || check_name(r, at, slice_skip(*suffix, 1), false) ? -1 : 0;
}

static int read_domains(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (node->kind == YAML_LIST) {
        p->domain = arena_zalloc(&r->s->arena, (node->count + 1) * sizeof *p->domain);
        if (!p->domain) return fail(r, node, "too many domains");
        for (const struct yaml *c = node->first; c; c = c->next) {
            if (want_kind(r, c, YAML_SCALAR) || check_name(r, c, c->text, false)) return -1;
            p->domain[p->domains++] = c->text;
        }
        return p->domains ? 0 : fail(r, node, "'domains' is empty");
    }
    uint32_t count = 0;
    if (node->kind != YAML_MAP)
        return fail(r, node, "'domains' must be a list, or a map of pattern and count");
    for (const struct yaml *c = node->first; c; c = c->next) {
        if (slice_eq(c->key, SLICE("pattern"))) {
            if (want_kind(r, c, YAML_SCALAR) || read_pattern(r, c, c->text, &p->prefix, &p->suffix))
                return -1;
        } else if (slice_eq(c->key, SLICE("count"))) {
            if (read_number(r, c, DOMAINS_MAX, &count)) return -1;
        } else {
            return unknown_key(r, c, "'domains' (known: pattern, count)");
        }
    }
    if (!count || !p->suffix.len) return fail(r, node, "'domains' needs pattern and a count from 1");
    p->domains = count;
    return 0;
}

static int read_host(struct reader *r, const struct yaml *node, struct sim_host *host) {
    host->preference = 10;
    host->name = node->text;
    if (node->kind == YAML_LIST) return want_kind(r, node, YAML_SCALAR);
    for (const struct yaml *c = node->first; c; c = c->next) {
        if (slice_eq(c->key, SLICE("name"))) {
            if (want_kind(r, c, YAML_SCALAR)) return -1;
            host->name = c->text;
        } else if (slice_eq(c->key, SLICE("preference"))) {
            if (read_number(r, c, 65535, &host->preference)) return -1;
        } else {
            return unknown_key(r, c, "a host (known: name, preference)");
        }
    }
    return check_name(r, node, host->name, false);
}

static int read_hosts(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (node->kind == YAML_MAP) {
        const struct yaml *own = node->first;
        if (!own || own->next || !slice_eq(own->key, SLICE("own")))
            return fail(r, node, "'hosts' must be a list, or a map with the key own (hosts for each domain)");
        if (read_number(r, own, 9, &p->own_hosts)) return -1;
        return p->own_hosts ? 0 : fail(r, own, "'own' must be a whole number from 1 to 9");
    }
    if (want_kind(r, node, YAML_LIST)) return -1;
    if (node->count == 0 || node->count > SIM_HOSTS_MAX)
        return fail(r, node, "'hosts' must list 1 to %d hosts", SIM_HOSTS_MAX);
    p->host = arena_zalloc(&r->s->arena, node->count * sizeof *p->host);
    if (!p->host) return fail(r, node, "too many hosts");
    for (const struct yaml *c = node->first; c; c = c->next)
        if (read_host(r, c, &p->host[p->hosts++])) return -1;
    return 0;
}

static int read_fault_key(struct reader *r, const struct yaml *c, struct sim_fault *f) {
    static const char *const at_name = "a fault (known: step, do, chance, every, first, attempts, keeps)";
    uint32_t word = 0;
    int rc;
    if (slice_eq(c->key, SLICE("step"))) {
        rc = read_word(r, c, sim_step_names, &word);
        f->step = (enum sim_step)word;
    } else if (slice_eq(c->key, SLICE("do"))) {
        rc = read_word(r, c, sim_fault_names, &word);
        f->kind = (enum sim_fault_kind)word;
    } else if (slice_eq(c->key, SLICE("keeps"))) {
        rc = read_word(r, c, sim_keeps_names, &word);
        f->keeps = (enum sim_keeps)word;
    } else if (slice_eq(c->key, SLICE("chance"))) {
        rc = read_real(r, c, 1, &f->chance);
    } else if (slice_eq(c->key, SLICE("every"))) {
        rc = read_number(r, c, 1e9, &f->every);
    } else if (slice_eq(c->key, SLICE("first"))) {
        rc = read_number(r, c, 1e9, &f->first);
    } else if (slice_eq(c->key, SLICE("attempts"))) {
        rc = read_number(r, c, 1000, &f->attempts);
    } else {
        rc = unknown_key(r, c, at_name);
    }
    return rc;
}

static int read_fault(struct reader *r, const struct yaml *node, struct sim_fault *f) {
    if (want_kind(r, node, YAML_MAP)) return -1;
    f->chance = 1;
    if (!yaml_get(node, "step") || !yaml_get(node, "do"))
        return fail(r, node, "a fault needs 'step' and 'do'");
    for (const struct yaml *c = node->first; c; c = c->next)
        if (read_fault_key(r, c, f)) return -1;
    bool early = f->step >= SIM_STEP_EHLO;
    if (f->kind == SIM_FAULT_EARLY && !early) return fail(r, node, "'early' needs a step after the greeting");
    bool bare = f->step == SIM_STEP_CONNECT || f->step == SIM_STEP_TLS;
    if (bare && f->kind != SIM_FAULT_DROP && f->kind != SIM_FAULT_RESET && f->kind != SIM_FAULT_STALL &&
        !(f->step == SIM_STEP_TLS && (f->kind == SIM_FAULT_GARBAGE || f->kind == SIM_FAULT_EARLY)))
        return fail(r, node, "'%s' cannot happen at '%s'", sim_fault_names[f->kind], sim_step_names[f->step]);
    f->id = r->s->faults++;
    return 0;
}

static int read_faults(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (want_kind(r, node, YAML_LIST)) return -1;
    if (node->count > SIM_FAULTS_MAX) return fail(r, node, "at most %d faults", SIM_FAULTS_MAX);
    p->fault = arena_zalloc(&r->s->arena, (node->count + 1) * sizeof *p->fault);
    if (!p->fault) return fail(r, node, "too many faults");
    p->faults = 0;
    p->faulty_steps = 0;
    for (const struct yaml *c = node->first; c; c = c->next) {
        if (read_fault(r, c, &p->fault[p->faults])) return -1;
        p->faulty_steps |= 1u << p->fault[p->faults++].step;
    }
    return 0;
}

/* "250 text", lines divided by \n, all with the same code. */
static bool is_reply(struct slice text) {
    struct slice line, code = {text.at, 3};
    if (text.len < 4 || text.len > 2000) return false;
    while (slice_cut(&text, '\n', &line)) {
        char divider = text.at ? '-' : ' ';
        if (line.len < 4 || memcmp(line.at, code.at, 3) != 0 || line.at[3] != divider) return false;
        if (line.at[0] < '2' || line.at[0] > '5' || !ascii_digit(line.at[1]) || !ascii_digit(line.at[2]))
            return false;
    }
    return true;
}

static int read_replies(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    uint32_t which = 0;
    if (want_kind(r, node, YAML_MAP)) return -1;
    for (const struct yaml *c = node->first; c; c = c->next) {
        for (which = 0; sim_reply_names[which]; which++)
            if (slice_eq(c->key, slice_of(sim_reply_names[which]))) break;
        if (!sim_reply_names[which]) return unknown_key(r, c, "'replies'");
        if (want_kind(r, c, YAML_SCALAR)) return -1;
        if (!is_reply(c->text))
            return fail(r, c, "'%.*s' must be a reply such as \"550 5.1.1 no such user\"", SLICE_ARG(c->key));
        p->reply[which] = c->text;
    }
    return 0;
}

/* What the defaults may hold too. */
static int read_setting(struct reader *r, const struct yaml *c, struct sim_provider *p, const char *where) {
    const char *section = find_section(c->key);
    const struct sim_key *k = find_key(NULL, c->key);
    if (section) return read_section(r, c, section, p);
    if (k) return read_key(r, c, k, p);
    if (slice_eq(c->key, SLICE("faults"))) return read_faults(r, c, p);
    if (slice_eq(c->key, SLICE("replies"))) return read_replies(r, c, p);
    return unknown_key(r, c, where);
}

static int read_provider(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (want_kind(r, node, YAML_MAP)) return -1;
    size_t index = p->index;
    *p = r->start;
    p->index = index;
    p->line = node->line;
    for (const struct yaml *c = node->first; c; c = c->next) {
        int rc;
        if (slice_eq(c->key, SLICE("name"))) {
            rc = want_kind(r, c, YAML_SCALAR);
            p->name = c->text;
        } else if (slice_eq(c->key, SLICE("domains"))) {
            rc = read_domains(r, c, p);
        } else if (slice_eq(c->key, SLICE("hosts"))) {
            rc = read_hosts(r, c, p);
        } else {
            rc = read_setting(r, c, p, "a provider");
        }
        if (rc) return -1;
    }
    if (!p->name.len || p->name.len > 64)
        return fail(r, node, "a provider needs a 'name' of 1 to 64 characters");
    if (memchr(p->name.at, '\t', p->name.len)) return fail(r, node, "a tab in a provider's name");
    if (!p->domains) return fail(r, node, "provider '%.*s' needs 'domains'", SLICE_ARG(p->name));
    if (!p->host && !p->own_hosts) p->own_hosts = 1;
    if (p->unknown + p->full > 1) return fail(r, node, "'unknown' and 'full' together are more than 1");
    return 0;
}

static int read_providers(struct reader *r, const struct yaml *node) {
    struct sim_scenario *s = r->s;
    if (want_kind(r, node, YAML_LIST)) return -1;
    if (node->count == 0 || node->count > PROVIDERS_MAX)
        return fail(r, node, "'providers' must list 1 to %d providers", PROVIDERS_MAX);
    s->provider = arena_zalloc(&s->arena, node->count * sizeof *s->provider);
    if (!s->provider) return fail(r, node, "too many providers");
    for (const struct yaml *c = node->first; c; c = c->next) {
        struct sim_provider *p = &s->provider[s->providers];
        p->index = s->providers++;
        if (read_provider(r, c, p)) return -1;
    }
    return 0;
}

static int read_root(struct reader *r, const struct yaml *root) {
    const struct yaml *start = yaml_get(root, "defaults"), *list = yaml_get(root, "providers");
    uint32_t seed = 1;
    if (root->kind != YAML_MAP || !list) return fail(r, root, "a scenario needs a list of 'providers'");
    for (const struct yaml *c = root->first; c; c = c->next) {
        if (c == start || c == list) continue;
        if (!slice_eq(c->key, SLICE("seed")))
            return unknown_key(r, c, "a scenario (known: seed, defaults, providers)");
        if (read_number(r, c, 4294967295.0, &seed)) return -1;
    }
    r->s->seed = seed;
    if (start && want_kind(r, start, YAML_MAP)) return -1;
    for (const struct yaml *c = start ? start->first : NULL; c; c = c->next)
        if (read_setting(r, c, &r->start, "'defaults'")) return -1;
    return read_providers(r, list) || sim_names_build(r->s, r->err) ? -1 : 0;
}

static int build(struct sim_scenario *s, struct yaml *root, struct err *err) {
    struct reader r = {.s = s, .start = defaults, .err = err};
    return root ? read_root(&r, root) : -1;
}

int sim_scenario_parse(struct sim_scenario *s, struct slice text, const char *name, struct err *err) {
    *s = (struct sim_scenario){.file = name};
    arena_init(&s->arena, ARENA_MAX);
    return build(s, yaml_parse(text, name, &s->arena, err), err);
}

int sim_scenario_read(struct sim_scenario *s, const char *path, struct err *err) {
    *s = (struct sim_scenario){.file = path};
    arena_init(&s->arena, ARENA_MAX);
    return build(s, yaml_read(path, &s->arena, err), err);
}

void sim_scenario_done(struct sim_scenario *s) {
    arena_done(&s->arena);
}
