/* Sizes, durations and other numbers as people write them, both ways. */
#ifndef TSUBAME_UNITS_H
#define TSUBAME_UNITS_H

#include "buf.h"
#include "clock.h"

/* "64k", "16m", "2g", "1t" (powers of 1024), or bytes without a letter. Whole numbers only. */
bool units_size(struct slice text, int64_t *bytes);

/* "500ms", "30s", "5m", "2h", "5d", and sums of them ("1h30m"), each unit once and from the largest down. */
bool units_duration(struct slice text, int64_t *us);

/* RFC 3339: "2026-07-01T00:00:00Z", "2026-07-01T02:00:00+02:00", a fraction of a second allowed; also a date
 * alone, which is its midnight in UTC. After 1970-01-01T00:00:00Z. */
bool units_time(struct slice text, wall_us *t);

/* "2", "1.5": digits with at most one point. */
bool units_number(struct slice text, double *value);

/* Octal, "0660" or "660", at most 07777. */
bool units_mode(struct slice text, int64_t *mode);

/* A whole number, a minus sign allowed. */
bool units_int(struct slice text, int64_t *value);

/* The shortest exact form that the readers above take ("64k", "1h30m", "0s", "1.5"). */
void units_put_size(struct buf *out, int64_t bytes);
void units_put_duration(struct buf *out, int64_t us);
void units_put_number(struct buf *out, double value);
void units_put_time(struct buf *out, wall_us t); /* in UTC, fractions only where there are some */

/* For people: 1234567 as "1,234,567"; 83 s as "1m23s", 7,503 s as "2h5m" (two units at most). */
void units_put_grouped(struct buf *out, uint64_t value);
void units_put_left(struct buf *out, int64_t seconds);

#endif
