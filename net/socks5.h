/* The client's side of SOCKS version 5 (RFC 1928) with user name and password (RFC 1929), without sockets:
 * asks a proxy to connect to an address.
 *
 * The caller writes what socks5_output shows and says how much was taken; reads at most socks5_wants bytes,
 * for what comes behind the last reply is the server's; and hands them to socks5_input. It ends by itself
 * with any result but SOCKS5_MORE. */
#ifndef TSUBAME_SOCKS5_H
#define TSUBAME_SOCKS5_H

#include "addr.h"

enum { SOCKS5_NAME_MAX = 255, SOCKS5_OUT_MAX = 3 + 2 * SOCKS5_NAME_MAX, SOCKS5_TEXT_MAX = 100 };

enum socks5_result {
    SOCKS5_MORE,
    SOCKS5_CONNECTED, /* from now on it is the target that speaks */
    SOCKS5_TARGET,    /* the target could not be reached, says the proxy */
    SOCKS5_REFUSED,   /* the proxy would not, or could not, for this target */
    SOCKS5_BROKEN     /* the proxy is of no use: no SOCKS5, or it does not let us in */
};

struct socks5 {
    struct net_addr target;
    const char *user, *password;
    uint8_t step;
    bool asked;    /* the request is on its way: what is waited for now is the target */
    uint16_t want; /* bytes that the reply under way has, as far as is known */
    uint16_t have;
    uint16_t out_len, out_at;
    uint8_t in[7 + SOCKS5_NAME_MAX];
    uint8_t out[SOCKS5_OUT_MAX];
    char text[SOCKS5_TEXT_MAX]; /* for people, with a result that is no success */
};

/* target with its port. user and password: 1 to SOCKS5_NAME_MAX bytes each, borrowed; both NULL: none. */
void socks5_init(struct socks5 *s, const struct net_addr *target, const char *user, const char *password);
/* Wipes what it holds of the password. */
void socks5_done(struct socks5 *s);

struct slice socks5_output(const struct socks5 *s);
void socks5_wrote(struct socks5 *s, size_t n);

size_t socks5_wants(const struct socks5 *s);
enum socks5_result socks5_input(struct socks5 *s, struct slice bytes); /* at most as many as it wants */

#endif
