/* JSON in and out: a thin face of jansson, which only jdoc.c knows.
 *
 * Building never fails by halves: without memory a put is dropped and jdoc_write says so. */
#ifndef TSUBAME_JDOC_H
#define TSUBAME_JDOC_H

#include "buf.h"
#include "err.h"

struct jdoc; /* a value */

struct jdoc *jdoc_object(void); /* NULL without memory; all calls take that */
struct jdoc *jdoc_list(void);
void jdoc_free(struct jdoc *j);

/* Text that is not UTF-8 goes in with each bad byte as U+FFFD. */
void jdoc_put_text(struct jdoc *object, const char *key, struct slice text);
void jdoc_put_number(struct jdoc *object, const char *key, int64_t value);
void jdoc_put_real(struct jdoc *object, const char *key, double value);
void jdoc_put_bool(struct jdoc *object, const char *key, bool value);
void jdoc_put_null(struct jdoc *object, const char *key);

/* New and empty, owned by the parent. */
struct jdoc *jdoc_child_object(struct jdoc *object, const char *key);
struct jdoc *jdoc_child_list(struct jdoc *object, const char *key);
struct jdoc *jdoc_item_object(struct jdoc *list);
void jdoc_item_take(struct jdoc *list, struct jdoc *item); /* the item is the list's from then on */
void jdoc_item_text(struct jdoc *list, struct slice text);

/* Appends it on one line, or indented; a line end behind it. False (and out->failed) without memory. */
bool jdoc_write(const struct jdoc *j, bool indented, struct buf *out);

/* One object, at most 64 levels deep, without duplicate keys. NULL with err (ERR_INPUT). */
struct jdoc *jdoc_parse(struct slice text, struct err *err);

/* What is absent or of another type gives the fallback. Texts live as long as the object. */
struct slice jdoc_text(const struct jdoc *object, const char *key);
int64_t jdoc_number(const struct jdoc *object, const char *key, int64_t fallback);
double jdoc_real(const struct jdoc *object, const char *key, double fallback);
bool jdoc_bool(const struct jdoc *object, const char *key, bool fallback);
const struct jdoc *jdoc_get(const struct jdoc *object, const char *key);
bool jdoc_is_list(const struct jdoc *j);
size_t jdoc_count(const struct jdoc *list);
struct slice jdoc_item_as_text(const struct jdoc *list, size_t index); /* empty for what is no text */
const struct jdoc *jdoc_item(const struct jdoc *list, size_t index);

#endif
