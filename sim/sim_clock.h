/* The one clock of the fake internet. It may run faster than that of the machine: then everything does that
 * the scenario counts in time, limits, latencies, delays and windows alike. */
#ifndef TSUBAME_SIM_CLOCK_H
#define TSUBAME_SIM_CLOCK_H

#include "clock.h"

/* Simulated microseconds since the start of the run. */
typedef int64_t sim_us;

#define US_PER_DAY (86400 * US_PER_SEC)

struct sim_clock {
    double speed;  /* simulated time over real time */
    mono_us began; /* real */
    wall_us start; /* simulated wall clock at the beginning */
};

/* start_s: time of day (UTC) at which the simulated clock begins, on the day of `wall`; below 0: as `wall`.
 */
void sim_clock_begin(struct sim_clock *c, double speed, double start_s, mono_us now, wall_us wall);

sim_us sim_clock_at(const struct sim_clock *c, mono_us now);
wall_us sim_clock_wall(const struct sim_clock *c, sim_us at);

/* How long a simulated time really takes: at least 1 us. */
int64_t sim_clock_real(const struct sim_clock *c, int64_t simulated_us);

/* The time of day (us since midnight UTC) of a simulated wall clock, and the number of the day, when days
 * begin at `resets_s` seconds after midnight. */
int64_t sim_clock_of_day(wall_us wall);
int64_t sim_clock_day(wall_us wall, double resets_s);

#endif
