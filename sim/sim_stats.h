/* Counts for each provider (and each group of its hosts): what was accepted and refused, how many
 * connections, and how much of each limit was used. Pure, but for the writing.
 *
 * Counts only ever grow; what an interval brought is the difference of two. *passed* and *permitted* are
 * in the unit of a limit: messages for rate, daily and messages, connections for connections_per_minute,
 * connection seconds for connections. passed / permitted is the use of the limit. */
#ifndef TSUBAME_SIM_STATS_H
#define TSUBAME_SIM_STATS_H

#include "sim_limits.h"
#include "sim_truth.h"

#include <stdio.h>

struct sim_counts {
    uint64_t messages;              /* accepted, of one or more recipients */
    uint64_t event[SIM_EVENTS];     /* lines of the truth log */
    uint64_t cause[SIM_CAUSES];     /* the refused among them */
    uint64_t attempts, turned_away; /* connections, and those refused before any command */
    double open_s;                  /* open connections times seconds */
    double passed[SIM_LIMITS], permitted[SIM_LIMITS];
};

struct sim_pool {
    const struct sim_provider *provider;
    struct slice group;            /* empty: the provider's hosts without a group */
    struct sim_counts total, told; /* told: at the last line */
    uint32_t open, peak, peak_now; /* connections let in; the most of the run, of the interval */
    sim_us open_at;
};

struct sim_stats {
    struct sim_pool *pool;
    size_t pools;
    sim_us told;    /* simulated time of the last line */
    sim_us counted; /* up to here `permitted` is */
};

/* 0, or -1 without memory. */
int sim_stats_init(struct sim_stats *t, const struct sim_scenario *s);
void sim_stats_done(struct sim_stats *t);

/* A connection was let in, or has ended after so many messages under these limits. */
void sim_pool_open(struct sim_pool *p, sim_us now);
void sim_pool_close(struct sim_pool *p, sim_us now);

/* Brings `permitted` and the open connections up to date. site: all accounts. */
void sim_stats_count(struct sim_stats *t, struct sim_site *site, size_t sites, sim_us now);

/* One JSON line for each pool that anything happened in: the interval since the last call, or (whole) the
 * run. */
void sim_stats_json(struct sim_stats *t, bool whole, sim_us now, wall_us real, FILE *to);

/* The run as a table for a person: at most `most` lines, the busiest first. */
void sim_stats_table(const struct sim_stats *t, sim_us now, size_t most, FILE *to);

#endif
