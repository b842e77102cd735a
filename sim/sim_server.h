/* The hosts of the fake internet on one listening socket: whoever connects to 127.x.y.z:PORT speaks with the
 * host that has this address. Owns the connections; the conversation is sim_smtp's. */
#ifndef TSUBAME_SIM_SERVER_H
#define TSUBAME_SIM_SERVER_H

#include "sim_crypto.h"
#include "sim_loop.h"
#include "sim_world.h"

struct sim_server;

/* port 0: any free one. All that is handed in must outlive it. NULL with err. */
struct sim_server *sim_server_open(struct sim_loop *l, struct sim_world *w, struct sim_tls_maker *tls,
                                   uint16_t port, struct err *err);
uint16_t sim_server_port(const struct sim_server *s);

/* At the end of a turn: writes the truth log, then the answers. -1 when the log can't be written. */
int sim_server_turn(struct sim_server *s, struct err *err);
bool sim_server_more(const struct sim_server *s);

void sim_server_free(struct sim_server *s); /* closes all connections */

#endif
