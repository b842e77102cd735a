/* The reader of JSON lines. */
#include "jsonl.h"

#include "csv.h"
#include "value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { PACKED_MAX = 2 * LISTTEXT_LINE_MAX, KEYS_MAX = 256, LIST_MAX = 200 };

struct jsonl {
    struct listtext *text;
    char *key; /* of the address */
    size_t key_len;
    struct buf packed;
    bool skipping; /* inside an overlong line */
    struct err why;
};

struct jsonl *jsonl_open(struct listtext *text, struct err *err) {
    struct jsonl *j = calloc(1, sizeof *j);
    if (!j) {
        err_set(err, ERR_SYSTEM, "no memory to read JSON");
        return NULL;
    }
    j->text = text;
    buf_init(&j->packed, PACKED_MAX);
    return j;
}

void jsonl_free(struct jsonl *j) {
    if (!j) return;
    buf_done(&j->packed);
    free(j->key);
    free(j);
}

/* ---- one line ---- */

/* The line as a packed map in j->packed; false with j->why. */
static bool parse(struct jsonl *j, struct slice line, struct value *map) {
    buf_reset(&j->packed);
    struct slice trimmed = slice_trim(line);
    if (trimmed.len && trimmed.at[0] != '{') {
        err_set(&j->why, ERR_INPUT, "not a JSON object");
        return false;
    }
    if (value_put_json(line, &j->packed, &j->why)) {
        if (j->packed.failed) err_set(&j->why, ERR_INPUT, "the object is too large");
        struct slice text = slice_of(j->why.text), one = SLICE("JSON, line 1, "); /* it is the only one */
        if (slice_starts(text, one)) memmove(j->why.text, text.at + one.len, text.len - one.len + 1);
        return false;
    }
    struct slice rest = buf_slice(&j->packed);
    return value_take(&rest, map);
}

/* What is under the key, or under the path that its dots make of it. */
static struct value find(struct value map, struct slice path) {
    struct value found = value_member(&map, path);
    struct slice key;
    if (found.kind != VALUE_NONE || slice_find(path, '.') < 0) return found;
    while (slice_cut(&path, '.', &key))
        map = value_member(&map, key);
    return map;
}

static bool take_address(struct jsonl *j, const struct value *map, struct slice *address) {
    struct slice key = slice_make(j->key, j->key_len);
    struct value found = find(*map, key);
    if (found.kind == VALUE_TEXT) {
        *address = found.bytes;
        return true;
    }
    err_set(&j->why, ERR_INPUT, found.kind <= VALUE_NULL ? "there is no '%.*s'" : "'%.*s' is not a text",
            SLICE_ARG(key));
    return false;
}

/* ---- lines ---- */

/* The line in front without its end; *used with it. False when more must be read first. */
static bool look(const struct listtext *t, size_t start, struct slice *line, size_t *used) {
    size_t have = t->end - start;
    const char *from = t->buffer + start, *lf = have ? memchr(from, '\n', have) : NULL;
    *line = slice_make(from, lf ? (size_t)(lf - from) : have);
    *used = line->len + (lf != NULL);
    if (line->len && line->at[line->len - 1] == '\r') line->len--;
    return have && (lf || t->eof || have > LISTTEXT_LINE_MAX + 2);
}

int jsonl_next(struct jsonl *j, struct jsonl_row *row, struct err *err) {
    struct listtext *t = j->text;
    assert(j->key);
    for (;;) {
        struct slice line;
        size_t used;
        struct value map;
        bool ready = look(t, t->start, &line, &used), ended = used && t->buffer[t->start + used - 1] == '\n';
        if (!ready && !(j->skipping && used)) {
            if (t->eof) return 0;
            if (listtext_fill(t, err)) return -1;
            continue;
        }
        bool passed = j->skipping || slice_trim(line).len == 0;
        if (!passed) *row = (struct jsonl_row){.line = t->line, .raw = line};
        j->skipping = !ended && (j->skipping || line.len > LISTTEXT_LINE_MAX);
        t->start += used;
        t->line += ended;
        if (passed) continue;
        if (line.len > LISTTEXT_LINE_MAX) {
            row->raw.len = LISTTEXT_LINE_MAX;
            row->bad = "the line is longer than 256 KB";
        } else if (!parse(j, line, &map) || !take_address(j, &map, &row->address)) {
            row->bad = j->why.text;
        } else {
            row->value = buf_slice(&j->packed);
        }
        return 1;
    }
}

/* ---- where the address is ---- */

static int keep_key(struct jsonl *j, struct slice key, struct err *err) {
    j->key = malloc(key.len + 1);
    if (!j->key) return err_set(err, ERR_SYSTEM, "no memory");
    memcpy(j->key, key.at, key.len);
    j->key_len = key.len;
    return 0;
}

/* The usual name among the keys whose value is a text; `list` has all keys. */
static bool usual_key(const struct value *map, struct slice *key, char list[LIST_MAX], int *list_len) {
    struct slice keys[KEYS_MAX], rest = map->bytes, name;
    struct value member;
    size_t count = 0, n = 0;
    while (count < KEYS_MAX && value_take_member(&rest, &name, &member)) {
        if (n + name.len + 2 < LIST_MAX)
            n += (size_t)snprintf(list + n, LIST_MAX - n, "%s%.*s", n ? ", " : "", SLICE_ARG(name));
        if (member.kind == VALUE_TEXT) keys[count++] = name;
    }
    *list_len = (int)n;
    ptrdiff_t at = csv_usual_column(keys, count);
    if (at >= 0) *key = keys[at];
    return at >= 0;
}

int jsonl_begin(struct jsonl *j, struct slice wanted, struct slice *key, struct err *err) {
    struct listtext *t = j->text;
    char list[LIST_MAX] = "";
    int listed = 0;
    struct slice line;
    size_t used;
    while (!t->eof && t->end - t->start <= LISTTEXT_LINE_MAX + 2)
        if (listtext_fill(t, err)) return -1;
    for (size_t at = t->start; !j->key && at - t->start <= LISTTEXT_LINE_MAX && look(t, at, &line, &used);
         at += used) {
        struct value map;
        if (slice_trim(line).len == 0 || line.len > LISTTEXT_LINE_MAX || !parse(j, line, &map)) continue;
        bool found = wanted.len ? find(map, wanted).kind == VALUE_TEXT : usual_key(&map, key, list, &listed);
        if (wanted.len) *key = wanted;
        if (found && keep_key(j, *key, err)) return -1;
    }
    *key = slice_make(j->key, j->key_len);
    if (j->key) return 0;
    if (wanted.len)
        return err_set(err, ERR_INPUT, "no object in the first lines has a text under '%.*s'",
                       SLICE_ARG(wanted));
    if (listed)
        return err_set(
            err, ERR_INPUT,
            "no key of the objects looks like the address (email, mail, address...); there are: %.*s", listed,
            list);
    return err_set(err, ERR_INPUT, "no line is a JSON object that can be used: %s",
                   j->why.kind ? j->why.text : "the file is empty");
}
