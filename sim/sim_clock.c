/* Arithmetic of the simulated time. */
#include "sim_clock.h"

#include <math.h>

void sim_clock_begin(struct sim_clock *c, double speed, double start_s, mono_us now, wall_us wall) {
    *c = (struct sim_clock){.speed = speed > 0 ? speed : 1, .began = now, .start = wall};
    if (start_s >= 0) c->start = wall - sim_clock_of_day(wall) + (wall_us)(start_s * 1e6);
}

sim_us sim_clock_at(const struct sim_clock *c, mono_us now) {
    mono_us real = now - c->began;
    return c->speed == 1 ? real : (sim_us)((double)real * c->speed);
}

wall_us sim_clock_wall(const struct sim_clock *c, sim_us at) {
    return c->start + at;
}

int64_t sim_clock_real(const struct sim_clock *c, int64_t simulated_us) {
    int64_t real = c->speed == 1 ? simulated_us : (int64_t)ceil((double)simulated_us / c->speed);
    return real < 1 ? 1 : real;
}

int64_t sim_clock_of_day(wall_us wall) {
    int64_t of_day = wall % US_PER_DAY;
    return of_day < 0 ? of_day + US_PER_DAY : of_day;
}

int64_t sim_clock_day(wall_us wall, double resets_s) {
    wall -= (wall_us)(resets_s * 1e6);
    return (wall - sim_clock_of_day(wall)) / US_PER_DAY;
}
