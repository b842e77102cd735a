/* The name server of the fake internet: one packet in, one packet out (RFC 1035, EDNS of RFC 6891). No
 * sockets.
 *
 * It holds all names: what is not in the scenario does not exist. Answers are computed, also for tails of
 * hundreds of thousands of domains. */
#ifndef TSUBAME_SIM_DNS_H
#define TSUBAME_SIM_DNS_H

#include "sim_names.h"

enum { SIM_DNS_UDP_MAX = 1232, SIM_DNS_TCP_MAX = 65535 };

/* Writes the answer to `query` into out (room: at least SIM_DNS_UDP_MAX). Returns its length; 0 when there is
 * to be none: a packet that is no query, or a name that keeps silent. udp: cut to what the asker takes. */
size_t sim_dns_answer(const struct sim_scenario *s, uint64_t seed, struct slice query, bool udp, char *out,
                      size_t room);

#endif
