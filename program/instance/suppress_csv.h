/* The suppression list as CSV: a row written, and read back to the same.
 *
 * Columns: address, reason, since, source, note, failures, class, code, enhanced, host, text, rid. A
 * cell that a spreadsheet would take for a formula (it begins with = + - @ or a tab, perhaps behind
 * apostrophes) has an apostrophe in front of it; reading takes it away. Pure. */
#ifndef TSUBAME_SUPPRESS_CSV_H
#define TSUBAME_SUPPRESS_CSV_H

#include "address.h"
#include "suppression.h"

void suppress_csv_head(struct buf *out);
void suppress_csv_put(struct buf *out, struct slice address, const struct suppress_row *row);

/* Where the columns are that a file has; -1: it has it not. */
enum suppress_column {
    COLUMN_ADDRESS,
    COLUMN_REASON,
    COLUMN_SINCE,
    COLUMN_SOURCE,
    COLUMN_NOTE,
    COLUMN_FAILURES,
    COLUMN_CLASS,
    COLUMN_CODE,
    COLUMN_ENHANCED,
    COLUMN_HOST,
    COLUMN_TEXT,
    COLUMN_RID,
    SUPPRESS_COLUMNS
};
struct suppress_columns {
    ptrdiff_t at[SUPPRESS_COLUMNS];
    enum suppress_reason reason; /* for rows that name none; then an unknown word is kept as the note */
};
/* Finds them by name; `address` is found by the caller (csv_address_column). */
void suppress_csv_columns(const struct slice *names, size_t count, ptrdiff_t address,
                          struct suppress_columns *columns);

/* The fields of one row. Slices point into the fields, and those of *address into the arena. Empty cells
 * leave parts of the row open (suppress_merge). -1 with err (ERR_INPUT): why it can't be used. */
int suppress_csv_take(const struct suppress_columns *columns, const struct slice *fields, struct arena *arena,
                      struct address *address, struct suppress_row *row, struct err *err);

/* "2026-11-25", "2026-11-25T15:42:02.123Z", with +09:00 for Z too, a blank for T, or seconds since 1970. */
bool suppress_csv_time(struct slice text, wall_us *at);

/* A note is text on one line. */
int suppress_csv_note(struct slice note, struct err *err);

#endif
