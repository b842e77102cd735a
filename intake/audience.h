/* The list of those who are written to, whatever its form: CSV or JSON lines, told apart by the first
 * character.
 *
 * Of CSV the columns are its own. JSON lines have two: the address, called as its key, and DATA_COLUMN, whose
 * value is the whole object packed (value.h). */
#ifndef TSUBAME_AUDIENCE_H
#define TSUBAME_AUDIENCE_H

#include "listtext.h"

struct audience_options {
    int fd;                      /* stays the caller's; read from where it stands */
    enum list_charset charset;   /* LIST_UNKNOWN: found out */
    struct slice address_column; /* or key, or path of keys; empty: found by its name */
    const int *stop;             /* read atomically while bytes are waited for; not 0: ERR_BUSY. NULL: none */
};

enum audience_format { AUDIENCE_CSV, AUDIENCE_JSONL };

struct audience_columns {
    const struct slice *names;
    size_t count;
    size_t address;
};

struct audience_row {
    uint64_t line;              /* where it begins, from 1 */
    const struct slice *values; /* as many as there are columns; NULL in a bad row */
    struct slice address;       /* as it was written, without blanks around it (address_trim) */
    const char *bad;            /* why it can't be used, or NULL */
    struct slice raw;           /* as it stands in the file: see audience_show_raw */
    bool ascii;                 /* all of raw (JSON lines: not known, false) */
};

struct audience;

/* Reads as far as the columns need. NULL with err: ERR_INPUT what a person has to mend (no such column, the
 * first row is no header...), ERR_SYSTEM, ERR_BUSY. */
struct audience *audience_open(const struct audience_options *o, struct err *err);
void audience_free(struct audience *a); /* NULL is fine */

/* Valid until audience_free. */
const struct audience_columns *audience_columns(const struct audience *a);

/* The next row: 1; at the end 0; -1 with err. What *row points to is valid until the next call. */
int audience_next(struct audience *a, struct audience_row *row, struct err *err);

uint64_t audience_bytes_read(const struct audience *a);

enum audience_format audience_format(const struct audience *a);
char audience_separator(const struct audience *a);            /* of CSV */
enum list_charset audience_charset(const struct audience *a); /* as far as it is known by now */

/* "CSV in CP932 (Shift_JIS), separated by semicolons". */
void audience_describe(const struct audience *a, struct buf *out);

/* Appends a raw row for people: in UTF-8, with \xHH where it is none. */
void audience_show_raw(const struct audience *a, struct slice raw, struct buf *out);

#endif
