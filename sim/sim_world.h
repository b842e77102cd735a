/* What the providers of a running scenario decide and remember. No sockets, no clocks: the driver sets the
 * times.
 *
 * Wherever it can be, a decision is a hash of the seed, the provider, what it is about and the number of the
 * attempt, so that it does not depend on the order in which things arrive, and so that `audience` knows it
 * too. */
#ifndef TSUBAME_SIM_WORLD_H
#define TSUBAME_SIM_WORLD_H

#include "sim_names.h"
#include "sim_table.h"
#include "sim_truth.h"

enum sim_user { SIM_USER_FINE, SIM_USER_UNKNOWN, SIM_USER_FULL };

struct sim_site; /* what one provider (or one domain with hosts of its own) holds against one client address
                  */

struct sim_world {
    const struct sim_scenario *scenario;
    uint64_t seed;
    wall_us wall;
    mono_us mono;
    struct sim_truth truth;
    struct sim_table memory;  /* greylisting, attempts, full mailboxes */
    struct sim_table site_of; /* to an index in site */
    struct sim_site *site;
    size_t sites, sites_room;
    uint64_t *fault_seen; /* occasions for each fault of the scenario */
    uint64_t connections, commands, faults, next_id;
    bool sha256; /* hash contents with SHA-256 instead of XXH64 */
};

/* The truth log stays closed (sim_truth_open it). 0, or -1 without memory. */
int sim_world_init(struct sim_world *w, const struct sim_scenario *s, uint64_t seed, struct err *err);
void sim_world_done(struct sim_world *w);

/* A hash of an address (case ignored): the key of what is decided about it. */
uint64_t sim_address_key(uint64_t seed, const struct sim_provider *p, struct slice address);

/* What kind of user the address is, by its key. */
enum sim_user sim_user_kind(const struct sim_provider *p, uint64_t key);

/* The same, but a full mailbox is emptied after the provider's full_for. */
enum sim_user sim_world_user(struct sim_world *w, const struct sim_provider *p, uint64_t key);

/* Is the mail from this client and sender still greylisted? Remembers the first try. */
bool sim_world_greylisted(struct sim_world *w, const struct sim_provider *p, uint64_t key, uint32_t client,
                          struct slice from);

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

/* The site's index for a client, counting the connection: its verdict in *refusal (0 fine, or the enum
 * sim_reply to refuse with). SIM_NO_SITE when the provider has no limits that need one. Every connection
 * counted is given back with sim_site_leave. */
#define SIM_NO_SITE SIZE_MAX
size_t sim_site_enter(struct sim_world *w, const struct sim_name *host, uint32_t client, int *refusal);
void sim_site_leave(struct sim_world *w, size_t site);

/* May one more message begin? Counts it when so. */
bool sim_site_message(struct sim_world *w, const struct sim_provider *p, size_t site);

#endif
