/* What a provider thinks of a client, or of a sender's domain. Pure: events and `now` in, a mood out.
 *
 * Counted are recipients, unknown users and spam traps, each halved in the time of the provider's memory. The
 * *share of the bad* is (unknown + trap_weight * traps) / recipients, plus jump_weight in an hour that brings
 * more mail than those before by the factor `jump`. Its thresholds slow, defer and block. */
#ifndef TSUBAME_SIM_REPUTATION_H
#define TSUBAME_SIM_REPUTATION_H

#include "sim_clock.h"
#include "sim_scenario.h"

enum sim_mood { SIM_MOOD_FINE, SIM_MOOD_SLOW, SIM_MOOD_DEFER, SIM_MOOD_BLOCK };
enum sim_seen { SIM_SEEN_USER, SIM_SEEN_UNKNOWN, SIM_SEEN_TRAP };

struct sim_standing {
    double recipients, unknown, traps;
    sim_us at; /* of these counts */
    sim_us blocked_until;
    double tokens; /* messages that a slowed sender may send */
    sim_us tokens_at;
    int64_t hour; /* number of the running hour since the start */
    double this_hour, hours_before /* their mean, the later ones weighing more */;
};

/* Does a provider judge at all? */
bool sim_reputation_on(const struct sim_reputation *r);

void sim_standing_note(struct sim_standing *s, const struct sim_reputation *r, enum sim_seen what,
                       sim_us now);
double sim_standing_bad(struct sim_standing *s, const struct sim_reputation *r, sim_us now);
/* What follows now; begins a block where one is due. */
enum sim_mood sim_standing_mood(struct sim_standing *s, const struct sim_reputation *r, sim_us now);
/* May a slowed sender begin one more message? */
bool sim_standing_take(struct sim_standing *s, const struct sim_reputation *r, sim_us now);

#endif
