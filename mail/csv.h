/* Rows from a CSV file (RFC 4180, in UTF-8 or CP932: listtext.h), streamed: ten million rows are never held.
 *
 * Fields are separated by commas, or by semicolons or tabs (as Excel does in much of Europe) when the first
 * row has those and no comma. Rows are cut at bytes and decoded then, so all fields are UTF-8.
 *
 * Lines end in LF or CRLF; a quoted field may hold either, separators, and "" for a quote. A quote inside a
 * field that does not start with one is an ordinary character. Lines with nothing on them are passed over. A
 * row that is not right (see csv_row.bad) is handed out as bad with its line, and reading goes on with the
 * line after the one where it began: a stray quote costs its own row, not those that it swallowed.
 *
 * The first row names the columns, and every row must have as many fields. Bounds: 64 KB a field, 256 KB a
 * row, as they stand in the file and in UTF-8; 256 columns. */
#ifndef TSUBAME_CSV_H
#define TSUBAME_CSV_H

#include "listtext.h"

enum { CSV_FIELD_MAX = 64 * 1024, CSV_ROW_MAX = LISTTEXT_LINE_MAX, CSV_COLUMNS_MAX = 256 };

struct csv;

struct csv_row {
    uint64_t line;              /* where it begins, from 1 */
    const struct slice *fields; /* NULL in a bad row */
    size_t count;               /* 0 in a bad row */
    const char *bad;            /* why it is not a row ("text after the closing quote of field 3"), or NULL */
    struct slice raw;           /* as it stands in the file, without its line end: for the file of rejects.
                                   Of a bad row only its first line, and at most CSV_ROW_MAX bytes. */
    bool ascii;                 /* all of raw */
};

/* Reads a text, which stays the caller's. NULL with err without memory. */
struct csv *csv_open_text(struct listtext *text, struct err *err);
/* The same with a text of its own: of fd (not owned; any kind of file), or of bytes that the caller keeps. */
struct csv *csv_open(int fd, struct err *err);
struct csv *csv_open_bytes(struct slice bytes, struct err *err);
void csv_free(struct csv *c);

/* Looks at *stop (atomically) whenever bytes are waited for, so that a pipe on which nothing comes can be
 * given up: once it is not 0, csv_header and csv_next end with ERR_BUSY. */
void csv_stop(struct csv *c, const int *stop);

/* The names of the columns, blanks around them removed; valid until csv_free. To be called before csv_next.
 * 0, or -1 with err: an empty file, a bad first row, a name that occurs twice, the file can't be read. */
int csv_header(struct csv *c, const struct slice **names, size_t *count, struct err *err);

/* The next row: 1; at the end 0; -1 with err (the file can't be read: ERR_SYSTEM). What *row points to
 * is valid until the next call. */
int csv_next(struct csv *c, struct csv_row *row, struct err *err);

/* Bytes of the file consumed so far, for a progress line. */
uint64_t csv_bytes_read(const struct csv *c);

/* ',', ';' or a tab; once csv_header has been called. */
char csv_separator(const struct csv *c);

/* Index of the column that is called so (ASCII case ignored), or -1. */
ptrdiff_t csv_find_column(const struct slice *names, size_t count, struct slice wanted);

/* Index of the first column that is called email, e-mail, mail, address, メールアドレス or the like, the
 * surest name first; or -1. */
ptrdiff_t csv_usual_column(const struct slice *names, size_t count);

/* Index of the column that holds the address: `wanted` if it is not empty, else csv_usual_column. -1 with
 * err, which lists the columns there are. */
ptrdiff_t csv_address_column(const struct slice *names, size_t count, struct slice wanted, struct err *err);

#endif
