/* How long a host takes: a distribution, slow hosts, tarpits. Pure. */
#ifndef TSUBAME_SIM_LATENCY_H
#define TSUBAME_SIM_LATENCY_H

#include "sim_scenario.h"

/* The latency in microseconds whose middle is ms. roll: a hash that decides; host: one that stands for the
 * host, by which some are slow. */
double sim_latency_us(const struct sim_latency *l, double ms, uint64_t roll, uint64_t host);

#endif
