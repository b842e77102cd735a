/* YAML as a tree whose nodes know their place, so that whoever checks a file can say where it is wrong.
 *
 * Reads one document of maps, sequences and scalars on libyaml. Anchors and aliases are refused (an alias
 * makes a small file arbitrarily large), so are duplicate keys, more than 100,000 nodes and a depth over 32.
 * The tree lives in the arena that is handed in. */
#ifndef TSUBAME_YAMLTREE_H
#define TSUBAME_YAMLTREE_H

#include "arena.h"
#include "err.h"

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_LIST };

struct yaml {
    enum yaml_kind kind;
    unsigned line;      /* from 1 */
    unsigned column;    /* from 1 */
    struct slice key;   /* inside a map: the name; else empty */
    struct slice text;  /* scalars */
    bool quoted;        /* scalars: written in quotes, so never a number, a boolean or null */
    struct yaml *first; /* maps and lists: children in the order of the file */
    struct yaml *next;  /* sibling */
    size_t count;       /* children */
};

/* name: the file's name for messages ("tsubame.yaml:12:3: ..."). An empty document is an empty map. Returns
 * the root, or NULL with err (ERR_INPUT). */
struct yaml *yaml_parse(struct slice text, const char *name, struct arena *arena, struct err *err);

/* Reads a file of at most 8 MB and parses it. */
struct yaml *yaml_read(const char *path, struct arena *arena, struct err *err);

/* A map's child by name, or NULL. */
struct yaml *yaml_get(const struct yaml *map, const char *key);

#endif
