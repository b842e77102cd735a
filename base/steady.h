/* A clock of days that does not jump: for retries and for the end of campaigns, which lie in the store as
 * wall times.
 *
 * It runs with the machine (CLOCK_BOOTTIME: a suspended machine's time passes too) and follows the wall clock
 * at most twice as fast when that is ahead, and half as fast when it is behind. So a wall clock that is put
 * forward makes nothing due or expired at once, one that is put back makes nothing wait for the difference,
 * and both are made up for within twice the jump. It is never more than two days from the wall clock. Pure.
 */
#ifndef TSUBAME_STEADY_H
#define TSUBAME_STEADY_H

#include "clock.h"

#define STEADY_MOST (2 * 24 * 3600 * US_PER_SEC)

struct steady {
    mono_us boot; /* of the last reading */
    wall_us at;
};

/* known: the clock's last reading before a restart (0: none): it does not go back behind that. */
void steady_init(struct steady *s, mono_us boot, wall_us wall, wall_us known);

wall_us steady_read(struct steady *s, mono_us boot, wall_us wall);

#endif
