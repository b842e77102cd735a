/* From a tree of YAML to struct options. Every problem is written down with its place and reading goes on, so
 * that a person sees all of them at once. */
#include "options_inner.h"

#include "shown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_MAX = 64 << 20, PATH_MAX_TEXT = 200, PROBLEMS_MOST = 25 };

void options_problem(struct reader *r, const struct option_place *at, const char *format, ...) {
    if (r->count++ >= PROBLEMS_MOST) return;
    option_put_place(at, r->problems);
    struct buf text; /* quotes the file, and is one line */
    va_list args;
    buf_init(&text, 65536);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    shown_put(r->problems, buf_slice(&text));
    buf_put_c(r->problems, '\n');
    buf_done(&text);
}

struct option_place options_place(const struct reader *r, const struct yaml *node) {
    return (struct option_place){r->name, r->places ? node->line : 0, node->column, 0};
}

static void set_default(struct reader *r, const struct level *l, const struct option *opt,
                        struct options *whole) {
    if (!opt->fallback) return;
    if (opt->fallback[0] != '@') {
        struct yaml node = {.kind = YAML_SCALAR, .text = slice_of(opt->fallback)};
        options_set_value(r, l, opt, &node);
        return;
    }
    const struct option *from = options_find(slice_of(opt->fallback + 1));
    size_t size = opt->type == OPTION_BOOL   ? sizeof(bool)
                  : opt->type == OPTION_ENUM ? sizeof(int)
                                             : sizeof(int64_t);
    memcpy((char *)l->base + opt->offset, (char *)whole + from->offset, size);
}

/* The list of records that the path leads into, as if it were a section; or NULL. */
static const struct option *inside_list(const struct level *l, struct slice path) {
    for (size_t i = 0; i < l->count; i++) {
        struct slice key = slice_of(l->fields[i].key);
        if (l->fields[i].type == OPTION_RECORDS && path.len > key.len && path.at[key.len] == '.' &&
            slice_starts(path, key))
            return &l->fields[i];
    }
    return NULL;
}

static void unknown(struct reader *r, const struct level *l, const struct yaml *node, struct slice path) {
    struct option_place at = options_place(r, node);
    const char *near = options_nearest(l->fields, l->count, path);
    int n = path.len > 80 ? 80 : (int)path.len;
    const struct option *list = inside_list(l, path);
    if (list)
        options_problem(r, &at, "%s%.*s: %s is a list of sections: - %s: ...", l->shown, n, path.at,
                        list->key, list->fields[0].key);
    else if (near)
        options_problem(r, &at, "%s%.*s: unknown key (did you mean %s%s?)", l->shown, n, path.at, l->shown,
                        near);
    else
        options_problem(r, &at, "%s%.*s: unknown key (`tsubame config defaults` lists all)", l->shown, n,
                        path.at);
}

/* What the option's value was, or NULL when it was not given. Problems with the place itself are written
 * down. */
static const struct option *claim(struct reader *r, struct level *l, const struct yaml *node,
                                  struct slice path) {
    for (size_t i = 0; i < l->count; i++) {
        if (!slice_eq(path, slice_of(l->fields[i].key))) continue;
        if (l->places[i].file && l->places[i].line && r->places) {
            struct option_place at = options_place(r, node);
            options_problem(r, &at, "%s%s is here twice (first in line %u)", l->shown, l->fields[i].key,
                            l->places[i].line);
            return NULL;
        }
        l->places[i] = options_place(r, node);
        return &l->fields[i];
    }
    return NULL;
}

static void read_map(struct reader *r, struct level *l, const struct yaml *map, struct slice prefix);

static void read_child(struct reader *r, struct level *l, const struct yaml *node, struct slice path) {
    struct option_place at = options_place(r, node);
    unsigned before = r->count;
    const struct option *opt = claim(r, l, node, path);
    if (opt && opt->type == OPTION_RECORDS)
        r->records[opt - l->fields] = node;
    else if (opt)
        options_set_value(r, l, opt, node);
    else if (r->count != before)
        return;
    else if (!options_is_section(l->fields, l->count, path))
        unknown(r, l, node, path);
    else if (node->kind == YAML_MAP)
        read_map(r, l, node, path);
    else if (node->kind != YAML_SCALAR || node->text.len || node->quoted)
        options_problem(r, &at, "%s%.*s: expected a section with keys of its own, such as %s%s", l->shown,
                        SLICE_ARG(path), l->shown, options_section_key(l->fields, l->count, path));
}

static void read_map(struct reader *r, struct level *l, const struct yaml *map, struct slice prefix) {
    for (const struct yaml *node = map->first; node; node = node->next) {
        char path[PATH_MAX_TEXT];
        size_t n = prefix.len ? prefix.len + 1 : 0;
        if (n + node->key.len > sizeof path) {
            unknown(r, l, node, node->key);
            continue;
        }
        if (n) {
            memcpy(path, prefix.at, prefix.len);
            path[prefix.len] = '.';
        }
        memcpy(path + n, node->key.at, node->key.len);
        read_child(r, l, node, slice_make(path, n + node->key.len));
    }
}

static void read_records(struct reader *r, const struct level *l, const struct option *opt,
                         const struct yaml *node) {
    struct option_records *to = (void *)((char *)l->base + opt->offset);
    const struct yaml *item = NULL;
    size_t n = options_list_items(r, l, opt, node, &item);
    char *at = options_list_room(r, n, opt->record_size);
    *to = (struct option_records){at, at ? n : 0};
    if (!at) return;
    for (size_t i = 0; item && i < to->count; i++, item = item->next) {
        char shown[64];
        struct buf name;
        buf_init(&name, sizeof shown - 1);
        buf_printf(&name, "%s[%zu].", opt->key, i);
        memcpy(shown, name.at, name.len);
        shown[name.len] = 0;
        buf_done(&name);
        struct option_place places[OPTION_MOST] = {{0}}, here = options_place(r, item);
        struct level inner = {opt->fields, opt->field_count, at + i * opt->record_size, places, shown};
        memcpy(inner.base, &here, sizeof here); /* a record opens with its place */
        for (size_t f = 0; f < inner.count; f++)
            set_default(r, &inner, &inner.fields[f], l->base);
        if (item->kind == YAML_MAP)
            read_map(r, &inner, item, (struct slice){0});
        else
            options_problem(r, &here, "%s[%zu]: expected a section with keys such as %s", opt->key, i,
                            opt->fields[0].key);
        for (size_t f = 0; f < inner.count && f < 64; f++)
            here.given |= (uint64_t)(places[f].file != NULL) << f;
        memcpy(inner.base, &here, sizeof here);
    }
}

static void read_tree(struct reader *r, struct options *o, const struct yaml *root) {
    size_t count;
    const struct option *table = options_table(&count);
    struct level l = {table, count, o, o->origin, ""};
    if (root->kind != YAML_MAP) {
        struct option_place at = options_place(r, root);
        options_problem(r, &at, "expected keys such as deliver.port, got a %s",
                        root->kind == YAML_LIST ? "list" : "single value");
        return;
    }
    memset(r->records, 0, sizeof r->records);
    read_map(r, &l, root, (struct slice){0});
    for (size_t i = 0; i < count; i++)
        if (r->records[i]) read_records(r, &l, &table[i], r->records[i]);
}

static struct options *options_new(struct buf *problems) {
    struct options *o = calloc(1, sizeof *o);
    struct arena *arena = o ? calloc(1, sizeof *arena) : NULL;
    if (!arena) {
        buf_put_text(problems, "out of memory\n");
        free(o);
        return NULL;
    }
    arena_init(arena, ARENA_MAX);
    o->arena = arena;
    struct reader r = {.arena = arena, .problems = problems, .name = "default"};
    size_t count;
    const struct option *table = options_table(&count);
    struct level l = {table, count, o, o->origin, ""};
    for (size_t i = 0; i < count; i++)
        set_default(&r, &l, &table[i], o);
    return o;
}

void options_free(struct options *o) {
    if (!o) return;
    arena_done(o->arena);
    free(o->arena);
    free(o);
}

/* "key=value" over what is there. A value in brackets is YAML, anything else is taken as it stands. */
static void read_set(struct reader *r, struct options *o, const char *set) {
    struct slice value = slice_of(set), key;
    slice_cut(&value, '=', &key);
    struct option_place at = {r->name, 0, 0, 0};
    if (!value.at) {
        options_problem(r, &at, "expected KEY=VALUE such as deliver.port=2525, got '%s'", set);
        return;
    }
    struct yaml *node = NULL;
    struct err err;
    char last = value.len ? value.at[value.len - 1] : 0;
    if (value.len && ((value.at[0] == '[' && last == ']') || (value.at[0] == '{' && last == '}'))) {
        node = yaml_parse(value, key.len ? "value" : "--set", r->arena, &err);
        if (!node) options_problem(r, &at, "%.*s: %s", SLICE_ARG(key), err.text);
    } else {
        node = arena_zalloc(r->arena, sizeof *node);
        if (node) *node = (struct yaml){.kind = YAML_SCALAR, .text = value, .quoted = value.len == 0};
    }
    if (!node) {
        r->count++;
        return;
    }
    node->key = key;
    struct yaml root = {.kind = YAML_MAP, .first = node, .count = 1};
    read_tree(r, o, &root);
}

static struct slice folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slice_make(path, (size_t)(slash - path) + 1) : (struct slice){0};
}

/* Paths that are defaults lie beside the file too, so that a program started anywhere finds the same store.
 */
static void settle_paths(struct reader *r, struct options *o) {
    size_t count;
    const struct option *table = options_table(&count);
    struct level l = {table, count, o, o->origin, ""};
    for (size_t i = 0; i < count; i++)
        if (table[i].type == OPTION_PATH && !o->origin[i].file) set_default(r, &l, &table[i], o);
}

static struct options *finish(struct reader *r, struct options *o) {
    if (r->count == 0) options_check(r, o);
    if (r->count > PROBLEMS_MOST) buf_printf(r->problems, "... and %u more\n", r->count - PROBLEMS_MOST);
    if (r->count == 0 && !r->problems->failed) return o;
    if (r->problems->len == 0) buf_put_text(r->problems, "the configuration is too large\n");
    options_free(o);
    return NULL;
}

static void start_file(struct reader *r, struct options *o, const char *name) {
    r->name = o->file = options_keep(r, slice_of(name));
    r->places = true;
    if (r->name) r->folder = folder_of(r->name);
}

struct options *options_parse(struct slice text, const char *name, struct buf *problems) {
    struct options *o = options_new(problems);
    if (!o) return NULL;
    struct reader r = {.arena = o->arena, .problems = problems};
    struct err err;
    start_file(&r, o, name);
    struct yaml *root = yaml_parse(text, name, o->arena, &err);
    if (root) {
        read_tree(&r, o, root);
        settle_paths(&r, o);
    } else {
        buf_printf(problems, "%s\n", err.text);
        r.count++;
    }
    return finish(&r, o);
}

struct options *options_load(const char *file, const char *const *sets, size_t set_count,
                             struct buf *problems) {
    struct options *o = options_new(problems);
    if (!o) return NULL;
    struct reader r = {.arena = o->arena, .problems = problems};
    struct err err;
    if (file) {
        start_file(&r, o, file);
        struct yaml *root = yaml_read(file, o->arena, &err);
        if (root) {
            read_tree(&r, o, root);
            settle_paths(&r, o);
        } else {
            buf_printf(problems, "%s\n", err.text);
            r.count++;
        }
    }
    r.name = "--set";
    r.places = false;
    r.folder = (struct slice){0};
    for (size_t i = 0; i < set_count; i++)
        read_set(&r, o, sets[i]);
    return finish(&r, o);
}
