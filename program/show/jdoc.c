/* The only file that knows jansson. struct jdoc is never defined: it is jansson's value under our name. */
#include "jdoc.h"

#include "codec.h"

#include <jansson.h>
#include <stdlib.h>

enum { TEXT_MAX = 1 << 20 };

static json_t *in(const struct jdoc *j) {
    return (json_t *)(uintptr_t)j;
}
static struct jdoc *made(json_t *j) {
    return (struct jdoc *)j;
}

/* The length of the well-formed character that text opens with, or 0. */
static size_t character(struct slice text) {
    for (size_t n = 1; n <= 4 && n <= text.len; n++)
        if (codec_utf8_valid(slice_make(text.at, n))) return n;
    return 0;
}

static json_t *text_value(struct slice text) {
    if (codec_utf8_valid(text)) return json_stringn_nocheck(text.len ? text.at : "", text.len);
    struct buf clean;
    buf_init(&clean, TEXT_MAX);
    while (text.len) {
        size_t n = character(text);
        if (n)
            buf_put(&clean, text.at, n);
        else
            buf_put_text(&clean, "\xef\xbf\xbd");
        text = slice_skip(text, n ? n : 1);
    }
    json_t *value = json_stringn_nocheck(clean.len ? clean.at : "", clean.len);
    buf_done(&clean);
    return value;
}

struct jdoc *jdoc_object(void) {
    return made(json_object());
}

struct jdoc *jdoc_list(void) {
    return made(json_array());
}

void jdoc_free(struct jdoc *j) {
    json_decref(in(j));
}

static void put(struct jdoc *object, const char *key, json_t *value) {
    if (object)
        json_object_set_new_nocheck(in(object), key, value);
    else
        json_decref(value);
}

void jdoc_put_text(struct jdoc *object, const char *key, struct slice text) {
    put(object, key, text_value(text));
}

void jdoc_put_number(struct jdoc *object, const char *key, int64_t value) {
    put(object, key, json_integer(value));
}

void jdoc_put_real(struct jdoc *object, const char *key, double value) {
    put(object, key, json_real(value));
}

void jdoc_put_bool(struct jdoc *object, const char *key, bool value) {
    put(object, key, json_boolean(value));
}

void jdoc_put_null(struct jdoc *object, const char *key) {
    put(object, key, json_null());
}

static struct jdoc *child(struct jdoc *object, const char *key, json_t *value) {
    if (!object || json_object_set_nocheck(in(object), key, value)) {
        json_decref(value);
        return NULL;
    }
    json_decref(value);
    return made(value);
}

struct jdoc *jdoc_child_object(struct jdoc *object, const char *key) {
    return child(object, key, json_object());
}

struct jdoc *jdoc_child_list(struct jdoc *object, const char *key) {
    return child(object, key, json_array());
}

struct jdoc *jdoc_item_object(struct jdoc *list) {
    json_t *value = json_object();
    if (!list || json_array_append(in(list), value)) {
        json_decref(value);
        return NULL;
    }
    json_decref(value);
    return made(value);
}

void jdoc_item_take(struct jdoc *list, struct jdoc *item) {
    if (list)
        json_array_append_new(in(list), in(item));
    else
        jdoc_free(item);
}

void jdoc_item_text(struct jdoc *list, struct slice text) {
    json_t *value = text_value(text);
    if (list)
        json_array_append_new(in(list), value);
    else
        json_decref(value);
}

static int append(const char *bytes, size_t n, void *to) {
    return buf_put(to, bytes, n) ? 0 : -1;
}

bool jdoc_write(const struct jdoc *j, bool indented, struct buf *out) {
    size_t flags = JSON_ENCODE_ANY | (indented ? JSON_INDENT(2) : JSON_COMPACT);
    if (!j || json_dump_callback(in(j), append, out, flags)) {
        out->failed = true;
        return false;
    }
    return buf_put_c(out, '\n');
}

static bool too_deep(const json_t *value, unsigned left) {
    const char *key;
    json_t *inner;
    size_t i;
    if (left == 0) return true;
    if (json_is_array(value)) {
        json_array_foreach(value, i, inner) if (too_deep(inner, left - 1)) return true;
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key,
                            inner) if (too_deep(inner, left - 1)) return true;
    }
    return false;
}

struct jdoc *jdoc_parse(struct slice text, struct err *err) {
    json_error_t why;
    json_t *value = json_loadb(text.len ? text.at : "", text.len, JSON_REJECT_DUPLICATES, &why);
    if (value && json_is_object(value) && !too_deep(value, 64)) return made(value);
    if (value)
        err_set(err, ERR_INPUT, "expected a JSON object");
    else
        err_set(err, ERR_INPUT, "not JSON: column %d: %s", why.column, why.text);
    json_decref(value);
    return NULL;
}

const struct jdoc *jdoc_get(const struct jdoc *object, const char *key) {
    return object ? made(json_object_get(in(object), key)) : NULL;
}

static struct slice as_text(const json_t *value) {
    if (!json_is_string(value)) return (struct slice){0};
    return slice_make(json_string_value(value), json_string_length(value));
}

struct slice jdoc_text(const struct jdoc *object, const char *key) {
    return as_text(in(jdoc_get(object, key)));
}

int64_t jdoc_number(const struct jdoc *object, const char *key, int64_t fallback) {
    json_t *value = in(jdoc_get(object, key));
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

double jdoc_real(const struct jdoc *object, const char *key, double fallback) {
    json_t *value = in(jdoc_get(object, key));
    return json_is_number(value) ? json_number_value(value) : fallback;
}

bool jdoc_bool(const struct jdoc *object, const char *key, bool fallback) {
    json_t *value = in(jdoc_get(object, key));
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

bool jdoc_is_list(const struct jdoc *j) {
    return j && json_is_array(in(j));
}

size_t jdoc_count(const struct jdoc *list) {
    return list ? json_array_size(in(list)) : 0;
}

const struct jdoc *jdoc_item(const struct jdoc *list, size_t index) {
    return list ? made(json_array_get(in(list), index)) : NULL;
}

struct slice jdoc_item_as_text(const struct jdoc *list, size_t index) {
    return as_text(in(jdoc_item(list, index)));
}
