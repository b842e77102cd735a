/* Uniform about the middle, or lognormal with a given tail. */
#include "sim_latency.h"

#include "hash.h"

#include <math.h>

/* The 99th percentile of the normal distribution. */
static const double p99 = 2.3263478740408408;

static double unit(uint64_t hash) {
    return ((double)(hash >> 11) + 0.5) * 0x1p-53;
}

/* A standard normal number, by Box and Muller. */
static double normal(uint64_t roll) {
    return sqrt(-2 * log(unit(roll))) * cos(2 * M_PI * unit(hash_mix(roll)));
}

double sim_latency_us(const struct sim_latency *l, double ms, uint64_t roll, uint64_t host) {
    double us = ms * 1000;
    if (l->slow > 0 && unit(hash_mix(host + 0x510e527f)) < l->slow) us *= l->slow_factor;
    if (l->tail > 1) return us * exp(log(l->tail) / p99 * normal(roll));
    return us * (1 + l->jitter * (unit(roll) - 0.5));
}
