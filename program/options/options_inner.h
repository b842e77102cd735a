/* What the files of options_*.c share. */
#ifndef TSUBAME_OPTIONS_INNER_H
#define TSUBAME_OPTIONS_INNER_H

#include "options.h"
#include "yamltree.h"

/* One reading of one source: a file, or a --set. */
struct reader {
    struct arena *arena;
    struct buf *problems;
    unsigned count;                          /* problems so far */
    const char *name;                        /* of the file, or "--set" */
    bool places;                             /* lines and columns mean something */
    struct slice folder;                     /* of the file, with its slash; empty: paths stay as they are */
    const struct yaml *records[OPTION_MOST]; /* lists of records met, read after all else */
};

/* A table being filled: the whole one, or a record's. */
struct level {
    const struct option *fields;
    size_t count;
    void *base;
    struct option_place *places; /* by index: where each was given */
    const char *shown;           /* what stands before its keys in messages: "", "providers[2]." */
};

void options_problem(struct reader *r, const struct option_place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct option_place options_place(const struct reader *r, const struct yaml *node);

/* options_value.c */
void options_set_value(struct reader *r, const struct level *l, const struct option *opt,
                       const struct yaml *node);
size_t options_list_items(struct reader *r, const struct level *l, const struct option *opt,
                          const struct yaml *node, const struct yaml **first);
void *options_list_room(struct reader *r, size_t n, size_t size);
char *options_keep(struct reader *r, struct slice text);

/* options_check.c: what spans several options, and the defaults that follow from others. */
void options_check(struct reader *r, struct options *o);
bool options_domain_good(struct slice name);

/* options_providers.c: the configuration's providers and the built-in ones become one list. */
void options_make_providers(struct reader *r, struct options *o);

/* options_names.c: keys and how near they are to what was written. */
const struct option *options_find(struct slice key);
size_t options_index(const char *key); /* the key is one of the table */
bool options_is_section(const struct option *fields, size_t count, struct slice path);
const char *options_section_key(const struct option *fields, size_t count, struct slice path);
/* The key or section that was probably meant, or NULL. Valid until the next call on this thread. */
const char *options_nearest(const struct option *fields, size_t count, struct slice path);

/* options_print.c: "from 1 to 65535", "at least 1s". */
void option_put_range(const struct option *opt, struct buf *out);
/* "A whole number from 1 to 65535. Default: 25." */
void option_put_kind(const struct option *opt, struct buf *out);

#endif
