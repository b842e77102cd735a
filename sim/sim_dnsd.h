/* The sockets of the name server: UDP in batches, TCP for what was cut. */
#ifndef TSUBAME_SIM_DNSD_H
#define TSUBAME_SIM_DNSD_H

#include "sim_loop.h"
#include "sim_world.h"

struct sim_dnsd;

/* address: IPv4, of loopback; port 0: any free one. NULL with err. */
struct sim_dnsd *sim_dnsd_open(struct sim_loop *l, struct sim_world *w, uint32_t address, uint16_t port,
                               struct err *err);
uint16_t sim_dnsd_port(const struct sim_dnsd *d);
uint64_t sim_dnsd_queries(const struct sim_dnsd *d);
void sim_dnsd_free(struct sim_dnsd *d);

#endif
