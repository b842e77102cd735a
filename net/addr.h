/* An IP address with a port, as plain data: comparable, copyable, never a pointer.
 *
 * All unused bytes are zero (net_addr_parse and net_addr_from_sockaddr see to that), so that equal addresses
 * are equal bytes. */
#ifndef TSUBAME_ADDR_H
#define TSUBAME_ADDR_H

#include "slice.h"

#include <sys/socket.h>

enum net_family { NET_NONE = 0, NET_V4 = 4, NET_V6 = 6 };

struct net_addr {
    uint8_t family;    /* enum net_family */
    uint8_t zero;      /* always 0 */
    uint16_t port;     /* host order; 0 when none is given */
    uint8_t bytes[16]; /* network order; IPv4 in the first four */
};

enum { NET_ADDR_TEXT_MAX = 64 };

/* "127.0.0.1", "127.0.0.1:5353", "::1", "[::1]", "[::1]:25". Without a port `port` becomes default_port. No
 * names, no scopes ("%eth0"), no leading zeros, no blanks. False on anything else. */
bool net_addr_parse(struct slice text, uint16_t default_port, struct net_addr *addr);

/* The address alone ("::1"), and with its port ("[::1]:25"); NUL-terminated, returns the length. NET_NONE
 * gives "". */
int net_addr_format(const struct net_addr *addr, char out[NET_ADDR_TEXT_MAX]);
int net_addr_format_port(const struct net_addr *addr, char out[NET_ADDR_TEXT_MAX]);

/* Returns the length to hand to connect() or bind(), 0 for NET_NONE. */
socklen_t net_addr_to_sockaddr(const struct net_addr *addr, struct sockaddr_storage *to);

/* False (and NET_NONE) for another family. IPv4-mapped IPv6 addresses become IPv4. */
bool net_addr_from_sockaddr(const struct sockaddr *from, struct net_addr *addr);

/* Order by family, bytes, port: <0, 0, >0. */
int net_addr_cmp(const struct net_addr *a, const struct net_addr *b);

/* 127.0.0.0/8, ::1 (mapped IPv4 included). */
bool net_addr_is_loopback(const struct net_addr *addr);

/* Can mail go there? Not to "this host" (0.0.0.0/8, ::), which reaches ourselves, multicast, reserved ranges,
 * or IPv4 in the disguise of IPv6. Private and loopback addresses are fine. */
bool net_addr_is_usable(const struct net_addr *addr);

/* Is it a host of the public internet, as far as its address tells? Not loopback, private (RFC 1918, ULA),
 * shared by carriers (RFC 6598), link-local, multicast, broadcast, for documentation or tests, or IPv4 of
 * such a kind in the disguise of IPv6 (6to4, NAT64; mapped and Teredo never are). */
bool net_addr_is_public(const struct net_addr *addr);

/* The same with another port. */
static inline struct net_addr net_addr_with_port(struct net_addr addr, uint16_t port) {
    addr.port = port;
    return addr;
}

#endif
