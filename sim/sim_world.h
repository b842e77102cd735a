/* What the providers of a running scenario decide and remember. No sockets, no clocks: the driver sets the
 * times.
 *
 * Wherever it can be, a decision is a hash of the seed, the provider, what it is about and the number of the
 * attempt, so that it does not depend on the order in which things arrive, and so that `audience` knows it
 * too. */
#ifndef TSUBAME_SIM_WORLD_H
#define TSUBAME_SIM_WORLD_H

#include "sim_greylist.h"
#include "sim_limits.h"
#include "sim_names.h"
#include "sim_observer.h"
#include "sim_reputation.h"
#include "sim_stats.h"
#include "sim_table.h"
#include "sim_truth.h"

enum sim_user { SIM_USER_FINE, SIM_USER_UNKNOWN, SIM_USER_FULL };

struct sim_world {
    const struct sim_scenario *scenario;
    uint64_t seed;
    struct sim_clock clock;
    sim_us now;             /* simulated, since the start */
    wall_us wall, sim_wall; /* real and simulated wall clock */
    struct sim_truth truth;
    struct sim_stats stats;
    struct sim_table memory;               /* greylisting, attempts, full mailboxes, mails of a mailbox */
    struct sim_table site_of, standing_of; /* to an index */
    struct sim_site *site;
    struct sim_standing *standing;
    size_t sites, sites_room, standings, standings_room;
    struct sim_observer *observers;
    bool wants_content;   /* an observer does */
    uint64_t *fault_seen; /* occasions for each fault of the scenario */
    uint64_t connections, commands, faults, next_id;
    bool sha256;    /* hash contents with SHA-256 instead of XXH64 */
    struct err err; /* of an observer, when failed */
    bool failed;
};

/* The truth log stays closed (sim_truth_open it); the clock begins with `now` and `wall`. 0, or -1 without
 * memory. */
int sim_world_init(struct sim_world *w, const struct sim_scenario *s, uint64_t seed, struct err *err);
void sim_world_done(struct sim_world *w);

/* The times of a turn of the loop, real ones. */
void sim_world_tick(struct sim_world *w, mono_us now, wall_us wall);

void sim_world_observe(struct sim_world *w, struct sim_observer *o);

/* A hash of an address (case ignored): the key of what is decided about it. */
uint64_t sim_address_key(uint64_t seed, const struct sim_provider *p, struct slice address);

/* What kind of user the address is, by its key. */
enum sim_user sim_user_kind(const struct sim_provider *p, uint64_t key);

/* The same, but a full mailbox is emptied after the provider's full_for. */
enum sim_user sim_world_user(struct sim_world *w, const struct sim_provider *p, uint64_t key);

/* How long a mail from this client and sender must still wait: 0 for not at all. Remembers the first try. */
sim_us sim_world_greylisted(struct sim_world *w, const struct sim_provider *p, uint64_t key, uint32_t client,
                            struct slice from);

/* May this mailbox get one more message in this hour? Counts it when so. */
bool sim_world_mailbox(struct sim_world *w, uint64_t key, double most);

/* How often this address was put off or hit by a fault; sim_world_hit counts one more. */
uint32_t sim_world_attempts(const struct sim_world *w, uint64_t key);
void sim_world_hit(struct sim_world *w, uint64_t key);

/* Is this address put off at this stage, in this attempt? */
bool sim_world_defers(struct sim_world *w, double share, uint64_t key, enum sim_stage stage);

/* The fault that strikes at a step, or NULL. early: asks for the kind EARLY only, else for all others. key
 * and attempt as above, for what is known of an address; before that the number of the connection and
 * message. */
const struct sim_fault *sim_world_fault(struct sim_world *w, const struct sim_provider *p, enum sim_step step,
                                        bool early, uint64_t key, uint32_t attempt);

/* A share of 1 for sure, of 0 never; in between by the hash. */
bool sim_chance(double share, uint64_t key, uint64_t salt);

/* A hash that stands for a provider in this run. */
uint64_t sim_provider_key(const struct sim_world *w, const struct sim_provider *p);

/* A hash that stands for a host, for what is decided of it. */
uint64_t sim_host_key(const struct sim_world *w, const struct sim_name *host);

/* The account of a client at a host, made when there is none yet: an index in w->site. */
#define SIM_NO_SITE SIZE_MAX
size_t sim_world_site(struct sim_world *w, const struct sim_name *host, uint32_t client);

/* What the provider thinks of a client, or of a sender's domain: an index in w->standing. */
size_t sim_world_standing(struct sim_world *w, const struct sim_provider *p, uint64_t whom);

/* The number of the host's pool in the statistics. */
size_t sim_world_pool(const struct sim_name *host);

#endif
