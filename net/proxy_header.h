/* The header that HAProxy's PROXY protocol, version 2, puts before a connection's bytes: who speaks to whom.
 * Pure. https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt, section 2.2 */
#ifndef TSUBAME_PROXY_HEADER_H
#define TSUBAME_PROXY_HEADER_H

#include "addr.h"

enum { PROXY_HEADER_MAX = 16 + 36 };

/* A TCP connection from source to target, with their ports. Returns the length, or 0 when the two are not of
 * one family. */
size_t proxy_header_put(const struct net_addr *source, const struct net_addr *target,
                        uint8_t out[PROXY_HEADER_MAX]);

#endif
