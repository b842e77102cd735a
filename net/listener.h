/* Listening sockets. */
#ifndef TSUBAME_LISTENER_H
#define TSUBAME_LISTENER_H

#include "addr.h"
#include "loop.h"

/* Accepts connections. The callback gets a connected socket, its own from then on: conn_adopt or close it. */
struct listener;
typedef void listener_accept(void *ctx, int fd);

/* *addr with port 0 takes any; listener_addr tells which. */
struct listener *listener_open_tcp(struct loop *loop, const struct net_addr *addr, listener_accept *accept,
                                   void *ctx, struct err *err);

const struct net_addr *listener_addr(const struct listener *l);
void listener_close(struct listener *l); /* NULL is fine */

#endif
