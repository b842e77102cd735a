/* IP addresses as plain data: read, written, compared. Pure. */
#include "addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool read_ip(struct slice text, int af, struct net_addr *addr) {
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy || slice_find(text, '\0') >= 0) return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    addr->family = af == AF_INET ? NET_V4 : NET_V6;
    return inet_pton(af, copy, addr->bytes) == 1;
}

static bool read_port(struct slice text, uint16_t *port) {
    uint64_t value;
    if (text.len == 0 || text.len > 5 || text.at[0] == '0') return false;
    if (!slice_to_u64(text, &value) || value > UINT16_MAX) return false;
    *port = (uint16_t)value;
    return true;
}

/* "[::1]" or "[::1]:25" */
static bool read_bracketed(struct slice text, struct net_addr *addr) {
    ptrdiff_t end = slice_find(text, ']');
    if (end < 0 || !read_ip(slice_make(text.at + 1, (size_t)end - 1), AF_INET6, addr)) return false;
    struct slice rest = slice_skip(text, (size_t)end + 1);
    return rest.len == 0 || (rest.at[0] == ':' && read_port(slice_skip(rest, 1), &addr->port));
}

bool net_addr_parse(struct slice text, uint16_t default_port, struct net_addr *addr) {
    *addr = (struct net_addr){.port = default_port};
    if (text.len > 0 && text.at[0] == '[') return read_bracketed(text, addr);
    ptrdiff_t colon = slice_find(text, ':');
    if (colon < 0) return read_ip(text, AF_INET, addr);
    struct slice rest = slice_skip(text, (size_t)colon + 1);
    if (slice_find(rest, ':') >= 0) return read_ip(text, AF_INET6, addr);
    return read_ip(slice_make(text.at, (size_t)colon), AF_INET, addr) && read_port(rest, &addr->port);
}

int net_addr_format(const struct net_addr *addr, char out[NET_ADDR_TEXT_MAX]) {
    out[0] = '\0';
    if (addr->family == NET_NONE) return 0;
    const char *text =
        inet_ntop(addr->family == NET_V4 ? AF_INET : AF_INET6, addr->bytes, out, NET_ADDR_TEXT_MAX);
    assert(text);
    return (int)strlen(out);
}

int net_addr_format_port(const struct net_addr *addr, char out[NET_ADDR_TEXT_MAX]) {
    char ip[NET_ADDR_TEXT_MAX];
    out[0] = '\0';
    if (net_addr_format(addr, ip) == 0) return 0;
    return snprintf(out, NET_ADDR_TEXT_MAX, addr->family == NET_V4 ? "%.48s:%u" : "[%.48s]:%u", ip,
                    addr->port);
}

socklen_t net_addr_to_sockaddr(const struct net_addr *addr, struct sockaddr_storage *to) {
    memset(to, 0, sizeof *to);
    if (addr->family == NET_V4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->bytes, 4);
        memcpy(to, &in, sizeof in);
        return sizeof in;
    }
    if (addr->family == NET_V6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
        memcpy(&in6.sin6_addr, addr->bytes, 16);
        memcpy(to, &in6, sizeof in6);
        return sizeof in6;
    }
    return 0;
}

bool net_addr_from_sockaddr(const struct sockaddr *from, struct net_addr *addr) {
    *addr = (struct net_addr){.family = NET_NONE};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        addr->family = NET_V4;
        addr->port = ntohs(in.sin_port);
        memcpy(addr->bytes, &in.sin_addr, 4);
        return true;
    }
    if (from->sa_family != AF_INET6) return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, from, sizeof in6);
    addr->port = ntohs(in6.sin6_port);
    if (memcmp(&in6.sin6_addr, mapped_prefix, sizeof mapped_prefix) == 0) {
        addr->family = NET_V4;
        memcpy(addr->bytes, in6.sin6_addr.s6_addr + 12, 4);
    } else {
        addr->family = NET_V6;
        memcpy(addr->bytes, &in6.sin6_addr, 16);
    }
    return true;
}

int net_addr_cmp(const struct net_addr *a, const struct net_addr *b) {
    if (a->family != b->family) return a->family < b->family ? -1 : 1;
    int order = memcmp(a->bytes, b->bytes, sizeof a->bytes);
    if (order != 0) return order;
    return (a->port > b->port) - (a->port < b->port);
}

bool net_addr_is_loopback(const struct net_addr *addr) {
    if (addr->family == NET_V4) return addr->bytes[0] == 127;
    if (addr->family != NET_V6) return false;
    if (memcmp(addr->bytes, mapped_prefix, sizeof mapped_prefix) == 0) return addr->bytes[12] == 127;
    static const unsigned char one[16] = {[15] = 1};
    return memcmp(addr->bytes, one, sizeof one) == 0;
}

bool net_addr_is_usable(const struct net_addr *addr) {
    static const unsigned char zero[16];
    if (addr->family == NET_V4) return addr->bytes[0] != 0 && addr->bytes[0] < 224;
    if (addr->family != NET_V6 || addr->bytes[0] == 0xff) return false;
    return memcmp(addr->bytes, zero, sizeof zero) != 0 &&
           memcmp(addr->bytes, mapped_prefix, sizeof mapped_prefix) != 0;
}

/* The registries of special-purpose addresses (RFC 6890), those of them that mail has no business with. */
static const struct block {
    uint8_t bytes[4], bits;
} special[] = {{{0}, 8},         {{10}, 8},       {{100, 64}, 10},      {{127}, 8},
               {{169, 254}, 16}, {{172, 16}, 12}, {{192, 0, 0}, 24},    {{192, 0, 2}, 24},
               {{192, 168}, 16}, {{198, 18}, 15}, {{198, 51, 100}, 24}, {{203, 0, 113}, 24},
               {{224}, 3}},                       /* multicast, reserved, broadcast */
    special6[] = {{{0x20, 0x01, 0, 0}, 23},       /* protocols, Teredo, ORCHID */
                  {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
                  {{0x3f, 0xff, 0, 0}, 20}};      /* the same */

static bool is_in(const uint8_t *bytes, const struct block *blocks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t differs = 0;
        for (size_t b = 0; b < 4; b++)
            differs = differs << 8 | (bytes[b] ^ blocks[i].bytes[b]);
        if (differs >> (32 - blocks[i].bits) == 0) return true;
    }
    return false;
}

static bool is_public4(const uint8_t *bytes) {
    return !is_in(bytes, special, sizeof special / sizeof *special);
}

bool net_addr_is_public(const struct net_addr *addr) {
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    const uint8_t *bytes = addr->bytes;
    if (addr->family == NET_V4) return is_public4(bytes);
    if (addr->family != NET_V6) return false;
    if (memcmp(bytes, nat64, sizeof nat64) == 0) return is_public4(bytes + 12);
    if (bytes[0] >> 5 != 1) return false; /* 2000::/3 is all that is given out */
    if (bytes[0] == 0x20 && bytes[1] == 0x02) return is_public4(bytes + 2); /* 6to4 */
    return !is_in(bytes, special6, sizeof special6 / sizeof *special6);
}
