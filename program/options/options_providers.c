/* The providers in force: those of the configuration and the built-in profiles. One that is named like a
 * built-in one takes from it what it does not say itself. */
#include "options_inner.h"

#include <string.h>

enum { SUFFIXES_MOST = 4096 };

struct making {
    struct reader *r;
    struct options *o;
    struct profile *list;
    struct option_way *ways;
    struct profile *builtin;
    size_t builtin_count;
};

static bool was_given(const struct option_provider *p, const char *field) {
    const struct option *opt = options_find(SLICE("providers"));
    for (size_t f = 0; f < opt->field_count; f++)
        if (strcmp(opt->fields[f].key, field) == 0) return p->place.given >> f & 1;
    return false;
}

static void problem(struct making *m, size_t i, const char *what) {
    const struct option_provider *all = m->o->providers.at;
    options_problem(m->r, &all[i].place, "providers[%zu].%s", i, what);
}

static bool name_is_good(struct making *m, size_t i) {
    const struct option_provider *all = m->o->providers.at, *p = &all[i];
    if (!p->name) {
        problem(m, i, "name is missing");
        return false;
    }
    if (strlen(p->name) > PROFILE_NAME_MAX) problem(m, i, "name: longer than 100 bytes");
    for (size_t j = 0; j < i; j++)
        if (all[j].name && strcmp(p->name, all[j].name) == 0) {
            options_problem(m->r, &p->place, "providers[%zu].name: '%s' is here twice (first in line %u)", i,
                            p->name, all[j].place.line);
            return false;
        }
    return true;
}

/* Of this one and of those before it: each suffix once, and none that swallows the world. */
static void check_suffixes(struct making *m, size_t i) {
    const struct option_provider *all = m->o->providers.at, *p = &all[i];
    for (size_t k = 0; k < p->mx.count; k++) {
        const char *suffix = p->mx.at[k], *why = profile_suffix_fault(slice_of(suffix));
        if (why) options_problem(m->r, &p->place, "providers[%zu].mx: '%s' %s", i, suffix, why);
        for (size_t j = 0; j < i; j++)
            for (size_t n = 0; n < all[j].mx.count; n++)
                if (slice_eq_nocase(slice_of(suffix), slice_of(all[j].mx.at[n])))
                    options_problem(m->r, &p->place, "providers[%zu].mx: '%s' is in providers[%zu] already",
                                    i, suffix, j);
    }
}

/* given: for this provider alone, which goes before what is known; else a bound for all, beside it. 0 is no
 * ceiling. */
static void set_ceiling(struct profile_limit *l, int64_t value, bool given) {
    double most = (double)value;
    struct learn_bounds *b = &l->bounds;
    if (!given && (most == 0 || (b->ceiling > 0 && b->ceiling <= most))) return;
    b->ceiling = most;
    l->from = PROFILE_FROM_OWN;
    l->note = NULL;
    if (most > 0 && b->start > most) b->start = most;
    if (most > 0 && b->floor > most) b->floor = most;
}

static void set_ceilings(struct profile *p, const struct option_limits *l,
                         const struct option_provider *given) {
    set_ceiling(&p->limits[PROFILE_CONNECTIONS], l->connections,
                given && was_given(given, "limits.connections"));
    set_ceiling(&p->limits[PROFILE_PER_CONNECTION], l->messages_per_connection,
                given && was_given(given, "limits.messages_per_connection"));
    set_ceiling(&p->limits[PROFILE_RATE], l->messages_per_second,
                given && was_given(given, "limits.messages_per_second"));
    set_ceiling(&p->limits[PROFILE_NEW_CONNECTIONS], l->connections_per_minute,
                given && was_given(given, "limits.connections_per_minute"));
}

/* The profile under that name, for one of the configuration to stand on. */
static const struct profile *builtin_of(struct making *m, const char *name) {
    return m->o->profiles || strcmp(name, "other") == 0
               ? profile_named(m->builtin, m->builtin_count, slice_of(name))
               : NULL;
}

static int way_tls(const struct options *o, const struct profile *p) {
    return p->wants_tls && o->tls.mode == OPTION_TLS_OFF ? OPTION_TLS_OPPORTUNISTIC : o->tls.mode;
}

static void add_own(struct making *m, size_t i) {
    struct options *o = m->o;
    const struct option_provider *all = o->providers.at, *given = &all[i];
    if (!name_is_good(m, i)) return;
    const struct profile *base = builtin_of(m, given->name);
    bool is_other = strcmp(given->name, "other") == 0;
    struct profile p = base ? *base : (struct profile){0};
    p.name = given->name;
    p.own = true;
    p.file = given->place.file;
    p.line = given->place.line;
    if (given->mx.count) {
        p.suffixes = given->mx.at;
        p.suffix_count = given->mx.count;
    }
    if (is_other && given->mx.count) problem(m, i, "mx: other is whoever nobody knows, and has none");
    if (!is_other && !p.suffix_count) problem(m, i, "mx is missing");
    check_suffixes(m, i);
    if (was_given(given, "by")) p.by_site = given->by == OPTION_BY_SITE;
    set_ceilings(&p, &given->limits, given);
    if (is_other) {
        o->other = p;
        return;
    }
    m->list[o->known_count] = p;
    m->ways[o->known_count++] =
        (struct option_way){was_given(given, "tls") ? given->tls : way_tls(o, &p), given->bdat};
}

static void add_builtin(struct making *m, const struct profile *p) {
    struct options *o = m->o;
    if (p->suffix_count == 0 || profile_named(m->list, o->known_count, slice_of(p->name))) return;
    m->list[o->known_count] = *p;
    set_ceilings(&m->list[o->known_count], &o->limits, NULL);
    m->ways[o->known_count++] = (struct option_way){way_tls(o, p), o->deliver.bdat};
}

void options_make_providers(struct reader *r, struct options *o) {
    struct making m = {.r = r, .o = o};
    struct err err;
    const struct option_provider *all = o->providers.at;
    size_t suffixes = 0;
    for (size_t i = 0; i < o->providers.count; i++)
        suffixes += all[i].mx.count;
    if (suffixes > SUFFIXES_MOST) {
        options_problem(r, &all[0].place, "providers: expected %d mx in all at most, got %zu", SUFFIXES_MOST,
                        suffixes);
        return;
    }
    m.builtin = arena_zalloc(r->arena, PROFILES_MOST * sizeof *m.builtin);
    m.list = options_list_room(r, PROFILES_MOST + o->providers.count, sizeof *m.list);
    m.ways = options_list_room(r, PROFILES_MOST + o->providers.count, sizeof *m.ways);
    if (!m.builtin || !m.list || !m.ways) return;
    if (profile_builtin(r->arena, m.builtin, &m.builtin_count, &err)) {
        options_problem(r, &(struct option_place){"profiles", 0, 0, 0}, "%s", err.text);
        return;
    }
    o->known = m.list;
    o->ways = m.ways;
    o->known_count = 0;
    o->other = *profile_named(m.builtin, m.builtin_count, SLICE("other"));
    set_ceilings(&o->other, &o->limits, NULL);
    for (size_t i = 0; i < o->providers.count; i++)
        add_own(&m, i);
    for (size_t i = 0; i < m.builtin_count && o->profiles; i++)
        add_builtin(&m, &m.builtin[i]);
    for (size_t i = 0; i < o->known_count; i++)
        profile_fill(&o->known[i], &o->other);
}
