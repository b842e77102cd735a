/* The data of one recipient as a tree, as JSON has it, packed into bytes that are walked without parsing:
 * what a row of an audience holds and a template reads.
 *
 * A packed value is its kind (one byte) and
 *     a number or text      its length (varint) and its bytes; a number as JavaScript prints it
 *     a list                how many members (varint), the length of all of them (varint), they
 *     a map                 the same, each member with its key (length and bytes) before it
 * so that what is not wanted is skipped without a look inside. Keys are unique and stand in the order in
 * which they were written. Reading survives any bytes: what is damaged reads as the end or as absent. */
#ifndef TSUBAME_VALUE_H
#define TSUBAME_VALUE_H

#include "buf.h"
#include "err.h"

enum { VALUE_DEPTH_MAX = 64 };

/* The column of an audience that holds such a tree instead of a text. */
#define DATA_COLUMN "{}"

enum value_kind {
    VALUE_NONE, /* there is nothing of that name; never packed */
    VALUE_NULL,
    VALUE_FALSE,
    VALUE_TRUE,
    VALUE_NUMBER,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_MAP
};

/* bytes: of a number or text what to print, of a list or map the packed members; borrowed. */
struct value {
    enum value_kind kind;
    uint32_t count; /* members of a list or map */
    struct slice bytes;
};

/* Takes the packed value off the front of *rest. False when there is none. */
bool value_take(struct slice *rest, struct value *out);

/* The same of a member of a map (rest: what is left of its bytes). */
bool value_take_member(struct slice *rest, struct slice *key, struct value *out);

/* What the map has under that key; VALUE_NONE for absent and for a value that is no map. */
struct value value_member(const struct value *map, struct slice key);

/* The list's member of that index, from 0; VALUE_NONE as above. */
struct value value_item(const struct value *list, uint64_t index);

static inline struct value value_of_text(struct slice text) {
    return (struct value){VALUE_TEXT, 0, text};
}

/* False, null, absent, 0, an empty text and an empty list: what Handlebars takes for no. (An empty map is
 * yes.) */
bool value_is_empty(const struct value *v);

/* Parses one JSON text (RFC 8259, UTF-8, at most VALUE_DEPTH_MAX levels, no \u0000; of a key that comes twice
 * the last one counts) and appends it packed. Integers within 64 bits stay exact, other numbers are what a
 * double holds. 0, or -1 with err (ERR_INPUT, with the place in the text). */
int value_put_json(struct slice json, struct buf *out, struct err *err);

/* Appends the packed form of a text. */
bool value_put_text(struct buf *out, struct slice text);

#endif
