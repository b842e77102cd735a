/* libyaml's events, gathered into a tree. The only file that knows libyaml. */
#include "yamltree.h"

#include "buf.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

enum { MAX_NODES = 100000, MAX_DEPTH = 32, MAX_FILE = 8 << 20 };

struct reader {
    yaml_parser_t parser;
    const char *name;
    struct arena *arena;
    struct err *err;
    size_t nodes;
};

static int fail(struct reader *r, yaml_mark_t at, const char *what) {
    return err_set(r->err, ERR_INPUT, "%s:%zu:%zu: %s", r->name, at.line + 1, at.column + 1, what);
}

static int next_event(struct reader *r, yaml_event_t *event) {
    if (yaml_parser_parse(&r->parser, event)) return 0;
    yaml_mark_t at = r->parser.problem_mark;
    if (r->parser.buffer.pointer && *r->parser.buffer.pointer == '\t')
        return fail(r, at, "a tab: YAML wants blanks at the beginning of a line");
    return fail(r, at, r->parser.problem ? r->parser.problem : "is not YAML");
}

static struct yaml *new_node(struct reader *r, const yaml_event_t *event, enum yaml_kind kind) {
    struct yaml *node = ++r->nodes <= MAX_NODES ? arena_zalloc(r->arena, sizeof *node) : NULL;
    if (!node) {
        fail(r, event->start_mark, "the file is too large");
        return NULL;
    }
    node->kind = kind;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    return node;
}

static struct yaml *read_node(struct reader *r, yaml_event_t *event, unsigned depth);

static struct yaml *read_scalar(struct reader *r, yaml_event_t *event) {
    struct yaml *node = new_node(r, event, YAML_SCALAR);
    struct slice text = slice_make(event->data.scalar.value, event->data.scalar.length);
    if (!node) return NULL;
    if (text.len && memchr(text.at, 0, text.len)) return fail(r, event->start_mark, "NUL in a value"), NULL;
    if (!arena_copy(r->arena, text, &node->text))
        return fail(r, event->start_mark, "the file is too large"), NULL;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return node;
}

static void append(struct yaml *parent, struct yaml **last, struct yaml *child) {
    if (*last)
        (*last)->next = child;
    else
        parent->first = child;
    *last = child;
    parent->count++;
}

/* A map's key has been read into *event: takes it and leaves its value's first event there. */
static int read_key(struct reader *r, const struct yaml *map, yaml_event_t *event, struct slice *key) {
    if (event->type != YAML_SCALAR_EVENT) return fail(r, event->start_mark, "a key must be a plain word");
    struct slice name = slice_make(event->data.scalar.value, event->data.scalar.length);
    for (const struct yaml *c = map->first; c; c = c->next)
        if (slice_eq(c->key, name)) {
            char what[128];
            snprintf(what, sizeof what, "the key '%.*s' is here twice (first in line %u)",
                     name.len > 64 ? 64 : (int)name.len, name.at, c->line);
            return fail(r, event->start_mark, what);
        }
    if (!arena_copy(r->arena, name, key)) return fail(r, event->start_mark, "the file is too large");
    yaml_event_delete(event);
    return next_event(r, event);
}

static int read_children(struct reader *r, struct yaml *parent, yaml_event_type_t end, unsigned depth) {
    struct yaml *last = NULL;
    for (;;) {
        yaml_event_t event;
        struct slice key = {0};
        if (next_event(r, &event)) return -1;
        if (event.type == end) {
            yaml_event_delete(&event);
            return 0;
        }
        struct yaml *child = NULL;
        if (parent->kind != YAML_MAP || read_key(r, parent, &event, &key) == 0)
            child = read_node(r, &event, depth + 1);
        yaml_event_delete(&event);
        if (!child) return -1;
        child->key = key;
        append(parent, &last, child);
    }
}

static struct yaml *read_node(struct reader *r, yaml_event_t *event, unsigned depth) {
    if (depth > MAX_DEPTH) return fail(r, event->start_mark, "nested too deeply"), NULL;
    if (event->type == YAML_ALIAS_EVENT)
        return fail(r, event->start_mark, "aliases are not taken here"), NULL;
    if (event->type == YAML_SCALAR_EVENT) return read_scalar(r, event);
    bool map = event->type == YAML_MAPPING_START_EVENT;
    if (!map && event->type != YAML_SEQUENCE_START_EVENT)
        return fail(r, event->start_mark, "a value is missing"), NULL;
    struct yaml *node = new_node(r, event, map ? YAML_MAP : YAML_LIST);
    if (!node || read_children(r, node, map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT, depth))
        return NULL;
    return node;
}

/* Reads events up to the first of the kind wanted; what stands before may only open streams and documents. */
static struct yaml *read_document(struct reader *r) {
    struct yaml *root = NULL;
    for (bool ended = false; !ended;) {
        yaml_event_t event;
        if (next_event(r, &event)) return NULL;
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT: break;
        case YAML_DOCUMENT_START_EVENT:
            if (root) {
                fail(r, event.start_mark, "one document a file");
                yaml_event_delete(&event);
                return NULL;
            }
            break;
        case YAML_STREAM_END_EVENT: ended = true; break;
        default:
            root = read_node(r, &event, 0);
            if (!root) {
                yaml_event_delete(&event);
                return NULL;
            }
        }
        yaml_event_delete(&event);
    }
    if (root && !(root->kind == YAML_SCALAR && root->text.len == 0 && !root->quoted)) return root;
    root = arena_zalloc(r->arena, sizeof *root);
    if (root) *root = (struct yaml){.kind = YAML_MAP, .line = 1, .column = 1};
    return root;
}

struct yaml *yaml_parse(struct slice text, const char *name, struct arena *arena, struct err *err) {
    struct reader r = {.name = name, .arena = arena, .err = err};
    if (!yaml_parser_initialize(&r.parser)) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.at ? text.at : ""), text.len);
    struct yaml *root = read_document(&r);
    yaml_parser_delete(&r.parser);
    return root;
}

struct yaml *yaml_read(const char *path, struct arena *arena, struct err *err) {
    FILE *file = fopen(path, "re");
    if (!file) return err_errno(err, errno, "%s", path), NULL;
    struct buf text;
    buf_init(&text, MAX_FILE);
    for (;;) {
        char *to = buf_room(&text, 4096);
        size_t n = to ? fread(to, 1, 4096, file) : 0;
        if (n == 0) break;
        buf_grew(&text, n);
    }
    int failed = ferror(file) ? errno : 0;
    fclose(file);
    struct yaml *root = NULL;
    if (failed)
        err_errno(err, failed, "%s", path);
    else if (text.failed)
        err_set(err, ERR_INPUT, "%s: larger than %d bytes", path, MAX_FILE);
    else
        root = yaml_parse(buf_slice(&text), path, arena, err);
    buf_done(&text);
    return root;
}

struct yaml *yaml_get(const struct yaml *map, const char *key) {
    if (map->kind != YAML_MAP) return NULL;
    for (struct yaml *c = map->first; c; c = c->next)
        if (slice_eq(c->key, slice_of(key))) return c;
    return NULL;
}
