/* The file of rejected rows: CSV in UTF-8 with a byte order mark (by which spreadsheets know it), with the
 * columns line, reason, row. */
#ifndef TSUBAME_REJECT_H
#define TSUBAME_REJECT_H

#include "buf.h"
#include "err.h"

struct reject {
    const char *path; /* NULL: rows are only counted, by the caller */
    int fd;           /* -1 until there is a row */
    struct buf pending;
};

void reject_init(struct reject *r, const char *path);
void reject_done(struct reject *r); /* what was not flushed is lost */

/* line from 1; row as it stood in the file, but in UTF-8, with a ' before it where a spreadsheet would take
 * it for a formula. Replaces an older file at the first row. */
int reject_put(struct reject *r, uint64_t line, const char *reason, struct slice row, struct err *err);
int reject_flush(struct reject *r, struct err *err);

#endif
