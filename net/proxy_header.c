/* PROXY protocol, version 2. */
#include "proxy_header.h"

enum { PROXY_V2 = 0x21, TCP_V4 = 0x11, TCP_V6 = 0x21 };

static uint8_t *put_port(uint8_t *at, uint16_t port) {
    *at++ = (uint8_t)(port >> 8);
    *at++ = (uint8_t)port;
    return at;
}

size_t proxy_header_put(const struct net_addr *source, const struct net_addr *target,
                        uint8_t out[PROXY_HEADER_MAX]) {
    static const uint8_t signature[] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
    if (source->family != target->family || source->family == NET_NONE) return 0;
    size_t n = source->family == NET_V4 ? 4 : 16;
    uint8_t *at = out + sizeof signature;
    memcpy(out, signature, sizeof signature);
    *at++ = PROXY_V2;
    *at++ = source->family == NET_V4 ? TCP_V4 : TCP_V6;
    at = put_port(at, (uint16_t)(2 * n + 4)); /* the length of what follows */
    memcpy(at, source->bytes, n);
    memcpy(at + n, target->bytes, n);
    at = put_port(put_port(at + 2 * n, source->port), target->port);
    return (size_t)(at - out);
}
