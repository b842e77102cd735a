/* Profiles from text. Every fault is told with its place and with what was expected there. */
#include "profile.h"

#include "buf.h"
#include "yamltree.h"

#include <string.h>

enum { SUFFIXES_MOST = 4096, SHOWN_MOST = 60 };

struct reading {
    struct arena *arena;
    const char *file;
    struct profile *list;
    size_t *count;
    size_t suffixes;  /* of all */
    const char *name; /* of the provider at hand, or NULL */
    struct err *err;
};

static int fault(struct reading *r, const struct yaml *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fault(struct reading *r, const struct yaml *at, const char *format, ...) {
    struct buf text;
    va_list args;
    buf_init(&text, 400);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    err_set(r->err, ERR_INPUT, "%s:%u:%u: %s%s%.*s", r->file, at->line, at->column, r->name ? r->name : "",
            r->name ? ": " : "", SLICE_ARG(text.failed ? SLICE("is wrong") : buf_slice(&text)));
    buf_done(&text);
    return -1;
}

static int no_memory(struct reading *r) {
    return err_set(r->err, ERR_SYSTEM, "%s: out of memory for profiles", r->file);
}

static struct slice part(struct slice s) {
    if (s.len > SHOWN_MOST) s.len = SHOWN_MOST;
    return s;
}

/* What a scalar was, for a message. */
static struct slice shown(const struct yaml *node) {
    if (node->kind == YAML_MAP) return SLICE("a section");
    if (node->kind == YAML_LIST) return SLICE("a list");
    return node->text.len ? part(node->text) : SLICE("nothing");
}

/* Digits with at most one point, no more than a double holds exactly. */
static bool take_number(const struct yaml *node, double *value) {
    double scale = 1;
    bool point = false;
    unsigned digits = 0;
    *value = 0;
    if (node->kind != YAML_SCALAR || node->quoted) return false;
    for (size_t i = 0; i < node->text.len; i++) {
        char c = node->text.at[i];
        if (c == '.' && !point && digits) {
            point = true;
            continue;
        }
        if (!ascii_digit(c) || ++digits > 15) return false;
        *value = *value * 10 + (c - '0');
        if (point) scale *= 10;
    }
    *value /= scale;
    return digits > 0 && node->text.at[node->text.len - 1] != '.';
}

static int read_text(struct reading *r, const struct yaml *node, size_t most, const char **to) {
    if (node->kind != YAML_SCALAR || node->text.len == 0 || node->text.len > most)
        return fault(r, node, "%.*s: expected 1 to %zu bytes of text, got '%.*s'", SLICE_ARG(part(node->key)),
                     most, SLICE_ARG(shown(node)));
    *to = arena_string(r->arena, node->text);
    return *to ? 0 : no_memory(r);
}

static int read_from(struct reading *r, const struct yaml *node, enum profile_origin *to) {
    for (int o = PROFILE_FROM_NOBODY + 1; o < PROFILE_ORIGINS && node->kind == YAML_SCALAR; o++)
        if (slice_eq(node->text, slice_of(profile_origin_name((enum profile_origin)o)))) {
            *to = (enum profile_origin)o;
            return 0;
        }
    return fault(r, node, "from: expected shaping, community, provider, field or own, got '%.*s'",
                 SLICE_ARG(shown(node)));
}

static int read_bound(struct reading *r, const struct yaml *node, const char *limit, double *to) {
    if (!take_number(node, to))
        return fault(r, node, "%s.%.*s: expected a number such as 10 or 0.5, got '%.*s'", limit,
                     SLICE_ARG(part(node->key)), SLICE_ARG(shown(node)));
    return *to > 0 ? 0 : fault(r, node, "%s.%.*s: must be more than 0", limit, SLICE_ARG(part(node->key)));
}

static int read_limit(struct reading *r, const struct yaml *node, enum profile_number n, struct profile *p) {
    const char *limit = profile_number_key(n);
    struct profile_limit *l = &p->limits[n];
    if (node->kind != YAML_MAP)
        return fault(r, node, "%s: expected {start: 5, from: field} or the like, got '%.*s'", limit,
                     SLICE_ARG(shown(node)));
    for (const struct yaml *c = node->first; c; c = c->next) {
        int failed = slice_eq(c->key, SLICE("floor"))     ? read_bound(r, c, limit, &l->bounds.floor)
                     : slice_eq(c->key, SLICE("start"))   ? read_bound(r, c, limit, &l->bounds.start)
                     : slice_eq(c->key, SLICE("ceiling")) ? read_bound(r, c, limit, &l->bounds.ceiling)
                     : slice_eq(c->key, SLICE("from"))    ? read_from(r, c, &l->from)
                     : slice_eq(c->key, SLICE("note"))    ? read_text(r, c, PROFILE_NOTE_MAX, &l->note)
                                                          : fault(r, c,
                                                                  "%s.%.*s: unknown key (floor, start, "
                                                                     "ceiling, from, note)",
                                                                  limit, SLICE_ARG(part(c->key)));
        if (failed) return -1;
    }
    if (l->bounds.floor == 0 && l->bounds.start == 0 && l->bounds.ceiling == 0)
        return fault(r, node, "%s: expected a floor, a start or a ceiling", limit);
    if (l->from == PROFILE_FROM_NOBODY) return fault(r, node, "%s: `from` is missing: who says so?", limit);
    const char *why = profile_bounds_fault(n, &l->bounds);
    return why ? fault(r, node, "%s: %s", limit, why) : 0;
}

static int is_taken(struct reading *r, const struct yaml *at, struct slice suffix, const struct profile *p) {
    for (const struct profile *o = r->list; o <= p; o++)
        for (size_t j = 0; j < o->suffix_count; j++)
            if (slice_eq_nocase(suffix, slice_of(o->suffixes[j])))
                return fault(r, at, "mx: '%.*s' is %s's already (%s:%u)", SLICE_ARG(part(suffix)), o->name,
                             o->file, o->line);
    return 0;
}

static int read_suffixes(struct reading *r, const struct yaml *node, struct profile *p) {
    const struct yaml *item = node->kind == YAML_LIST ? node->first : node;
    size_t n = node->kind == YAML_LIST ? node->count : 1;
    if (node->kind == YAML_MAP || n == 0 || n > PROFILE_SUFFIXES_MOST || (r->suffixes += n) > SUFFIXES_MOST)
        return fault(r, node, "mx: expected a list of 1 to %d names, and %d in all", PROFILE_SUFFIXES_MOST,
                     SUFFIXES_MOST);
    const char **to = arena_zalloc(r->arena, n * sizeof *to);
    if (!to) return no_memory(r);
    p->suffixes = to;
    for (; p->suffix_count < n; item = node->kind == YAML_LIST ? item->next : NULL) {
        const char *why = item->kind == YAML_SCALAR ? profile_suffix_fault(item->text) : "is no name";
        if (why) return fault(r, item, "mx: '%.*s' %s", SLICE_ARG(shown(item)), why);
        if (is_taken(r, item, item->text, p)) return -1;
        char *text = arena_string(r->arena, item->text);
        if (!text) return no_memory(r);
        for (char *c = text; *c; c++)
            *c = ascii_lower(*c);
        to[p->suffix_count++] = text;
    }
    return 0;
}

/* The only word that the key takes. */
static int read_word(struct reading *r, const struct yaml *node, const char *word, bool *to) {
    *to = node->kind == YAML_SCALAR && slice_eq(node->text, slice_of(word));
    return *to ? 0
               : fault(r, node, "%.*s: expected %s, got '%.*s'", SLICE_ARG(part(node->key)), word,
                       SLICE_ARG(shown(node)));
}

static int read_key(struct reading *r, const struct yaml *node, struct profile *p) {
    if (slice_eq(node->key, SLICE("name"))) return 0;
    if (slice_eq(node->key, SLICE("mx"))) return read_suffixes(r, node, p);
    if (slice_eq(node->key, SLICE("tls"))) return read_word(r, node, "wanted", &p->wants_tls);
    if (slice_eq(node->key, SLICE("by"))) return read_word(r, node, "site", &p->by_site);
    for (int n = 0; n < PROFILE_NUMBERS; n++)
        if (slice_eq(node->key, slice_of(profile_number_key((enum profile_number)n))))
            return read_limit(r, node, (enum profile_number)n, p);
    return fault(r, node, "unknown key '%.*s'", SLICE_ARG(part(node->key)));
}

static bool good_name(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_alpha(s.at[i]) && !ascii_digit(s.at[i]) && !strchr("-_.", s.at[i])) return false;
    return s.len > 0 && s.len <= PROFILE_NAME_MAX;
}

static int read_provider(struct reading *r, const struct yaml *node) {
    r->name = NULL;
    if (node->kind != YAML_MAP)
        return fault(r, node, "expected a section with a name, got '%.*s'", SLICE_ARG(shown(node)));
    const struct yaml *name = yaml_get(node, "name");
    if (!name || name->kind != YAML_SCALAR || !good_name(name->text))
        return fault(r, name ? name : node, "expected a name of letters, digits, '-', '_' and '.'");
    if (*r->count == PROFILES_MOST) return fault(r, node, "expected %d providers at most", PROFILES_MOST);
    const struct profile *before = profile_named(r->list, *r->count, name->text);
    if (before)
        return fault(r, name, "'%s' is here twice (first in %s:%u)", before->name, before->file,
                     before->line);
    struct profile *p = &r->list[*r->count];
    *p = (struct profile){.file = r->file, .line = node->line};
    p->name = r->name = arena_string(r->arena, name->text);
    if (!p->name) return no_memory(r);
    for (const struct yaml *c = node->first; c; c = c->next)
        if (read_key(r, c, p)) return -1;
    if (p->suffix_count == 0 && strcmp(p->name, "other") != 0)
        return fault(r, node, "mx is missing: whose mail exchangers?");
    ++*r->count;
    return 0;
}

int profile_read(struct slice text, const char *file, struct arena *arena, struct profile *list,
                 size_t *count, struct err *err) {
    struct reading r = {.arena = arena, .file = file, .list = list, .count = count, .err = err};
    for (size_t i = 0; i < *count; i++)
        r.suffixes += list[i].suffix_count;
    struct yaml *root = yaml_parse(text, file, arena, err);
    if (!root) return -1;
    struct yaml *all = root->kind == YAML_MAP ? yaml_get(root, "providers") : NULL;
    if (!all || all->kind != YAML_LIST) return fault(&r, all ? all : root, "expected a list `providers:`");
    for (const struct yaml *c = root->first; c; c = c->next)
        if (c != all) return fault(&r, c, "unknown key '%.*s'", SLICE_ARG(part(c->key)));
    for (const struct yaml *c = all->first; c; c = c->next)
        if (read_provider(&r, c)) return -1;
    return 0;
}

int profile_builtin(struct arena *arena, struct profile *list, size_t *count, struct err *err) {
    for (size_t i = 0; i < profile_text_count; i++)
        if (profile_read(slice_make(profile_text[i].text, profile_text[i].len), profile_text[i].name, arena,
                         list, count, err))
            return -1;
    return 0;
}
