/* Rows from JSON lines: each line one object (RFC 8259, UTF-8), streamed. Lines with nothing on them are
 * passed over. A line that is not right is handed out as bad, and reading goes on with the next. Bound: 256
 * KB a line. */
#ifndef TSUBAME_JSONL_H
#define TSUBAME_JSONL_H

#include "listtext.h"

struct jsonl;

struct jsonl_row {
    uint64_t line;        /* from 1 */
    struct slice address; /* as it stands in the object */
    struct slice value;   /* the object, packed (value.h) */
    const char *bad;      /* why it can't be used, with the place; or NULL */
    struct slice raw;     /* the line, without its end; at most LISTTEXT_LINE_MAX bytes */
};

/* Reads a text, which stays the caller's (charset LIST_UTF8). NULL with err without memory. */
struct jsonl *jsonl_open(struct listtext *text, struct err *err);
void jsonl_free(struct jsonl *j);

/* Finds the key under which the addresses are: `wanted` if it is not empty (a key, or a path of keys with
 * dots between them), else that of the first good object which has a text under a usual name
 * (csv_usual_column). To be called before jsonl_next, and takes nothing. *key is valid until jsonl_free. -1
 * with err: none of the objects in the first 256 KB has such a key. */
int jsonl_begin(struct jsonl *j, struct slice wanted, struct slice *key, struct err *err);

/* The next row: 1; at the end 0; -1 with err. What *row points to is valid until the next call. */
int jsonl_next(struct jsonl *j, struct jsonl_row *row, struct err *err);

#endif
