/* Maintenance: when do which hosts not serve? Pure. */
#ifndef TSUBAME_SIM_WINDOW_H
#define TSUBAME_SIM_WINDOW_H

#include "sim_clock.h"
#include "sim_scenario.h"

/* The window that a host is in, or NULL. host: its number among the listed ones; 0 of any others. at: since
 * the start; wall: the simulated wall clock then. */
const struct sim_window *sim_window_now(const struct sim_provider *p, uint32_t host, sim_us at, wall_us wall);

#endif
