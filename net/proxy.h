/* The way through a proxy: what a connection says to it before the bytes of the server begin. One face for
 * PROXY protocol and SOCKS5, without sockets; conn.c does the rest. */
#ifndef TSUBAME_PROXY_H
#define TSUBAME_PROXY_H

#include "proxy_header.h"
#include "socks5.h"

enum proxy_protocol { PROXY_NONE, PROXY_HAPROXY, PROXY_SOCKS5 };

/* Strings are borrowed as long as a connection is being made. */
struct proxy_options {
    enum proxy_protocol protocol;
    struct net_addr address;     /* of the proxy, with port */
    struct net_addr source;      /* PROXY_HAPROXY: what the proxy is to send from; of the target's family */
    const char *user, *password; /* PROXY_SOCKS5: as in socks5.h */
};

struct proxy_talk {
    struct socks5 socks;
    uint8_t header[PROXY_HEADER_MAX];
    size_t header_len, header_at;
    bool is_socks;
};

/* False: an HAProxy can't be told of a target that is not of the source's family. */
bool proxy_talk_init(struct proxy_talk *t, const struct proxy_options *options,
                     const struct net_addr *target);
void proxy_talk_done(struct proxy_talk *t);

/* As in socks5.h. An HAProxy wants nothing and says nothing: it is connected when the header is written. */
struct slice proxy_output(const struct proxy_talk *t);
void proxy_wrote(struct proxy_talk *t, size_t n);
size_t proxy_wants(const struct proxy_talk *t);
enum socks5_result proxy_input(struct proxy_talk *t, struct slice bytes);

#endif
