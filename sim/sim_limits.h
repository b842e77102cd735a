/* What a provider holds against one client: connections, tokens, quotas, knocking. Pure: times are arguments.
 *
 * A *site* is one account: a provider's group of hosts (or one host, or one domain with hosts of its own)
 * against one client. Sites are made when a client first calls. */
#ifndef TSUBAME_SIM_LIMITS_H
#define TSUBAME_SIM_LIMITS_H

#include "sim_clock.h"
#include "sim_scenario.h"

struct sim_bucket {
    double tokens;
    sim_us at;
};

struct sim_site {
    const struct sim_rules *rules;
    const struct sim_knocking *knocking;
    size_t pool; /* in the statistics */
    sim_us since;
    uint32_t connections; /* let in, and open */
    struct sim_bucket new_connections, messages;
    int64_t window; /* of the rate, where that is counted in windows */
    double in_window;
    int64_t day;       /* of the quota */
    uint32_t today;    /* messages of it */
    bool new_day;      /* begun, and not yet in the statistics */
    uint32_t refusals; /* refused connections in the minute since... */
    sim_us refused_at;
    sim_us blocked_until, block; /* for knocking */
};

/* The limits that hold at a time. */
const struct sim_limits *sim_limits_now(const struct sim_rules *rules, sim_us now);

/* The integral of a limit over a time, in limit times seconds; where there is none, 0. */
double sim_limits_over(const struct sim_rules *rules, enum sim_limit which, sim_us from, sim_us to);

void sim_site_begin(struct sim_site *s, const struct sim_rules *rules, const struct sim_knocking *knocking,
                    size_t pool, sim_us now, int64_t day);

/* The limit that a new connection is over, or SIM_LIMITS. Takes a token of those a minute; who lets it in
 * counts it. */
enum sim_limit sim_site_connect(struct sim_site *s, sim_us now);

/* May one more message begin? Takes its token. */
bool sim_site_take_rate(struct sim_site *s, sim_us now);
bool sim_site_has_rate(const struct sim_site *s, sim_us now);

/* May one more message be taken today? Books it; sim_site_unbook gives it back when the message comes to
 * nothing. */
bool sim_site_book(struct sim_site *s, sim_us now, int64_t day);
bool sim_site_quota_left(struct sim_site *s, sim_us now, int64_t day);
void sim_site_unbook(struct sim_site *s);

/* Is the client blocked for knocking? Whoever asks by connecting lengthens the block. */
bool sim_site_knock(struct sim_site *s, sim_us now);
/* A connection was refused. */
void sim_site_refused(struct sim_site *s, sim_us now);

#endif
