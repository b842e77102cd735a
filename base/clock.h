/* The two clocks, kept apart by type: `wall_us` for what people and other machines see (headers, events,
 * expiry that must outlive a restart), `mono_us` for time-outs and rates, which must not jump.
 * Pure cores never call these; they are handed `now`. */
#ifndef TSUBAME_CLOCK_H
#define TSUBAME_CLOCK_H

#include <stdint.h>

typedef int64_t wall_us; /* microseconds since 1970-01-01 UTC */
typedef int64_t mono_us; /* microseconds of CLOCK_MONOTONIC */

#define US_PER_MS  INT64_C(1000)
#define US_PER_SEC INT64_C(1000000)
#define NEVER      INT64_MAX /* a deadline that does not come */

wall_us clock_wall(void);
mono_us clock_mono(void);
mono_us clock_boot(void); /* the same, going on while the machine is suspended */

enum { CLOCK_TEXT_MAX = 48 };

/* "2026-11-21T21:33:58.123Z" (RFC 3339). Returns its length. */
int clock_rfc3339(wall_us t, char out[CLOCK_TEXT_MAX]);

/* "Sat, 21 Nov 2026 21:33:58 +0000" (RFC 5322 section 3.3). Returns its length. */
int clock_rfc5322(wall_us t, char out[CLOCK_TEXT_MAX]);

#endif
