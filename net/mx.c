/* The encoding of a domain's mail exchangers, kept in the domain table: version, status, time to live, text,
 * then the hosts. Decoding takes nothing on trust: the bytes come from a disk. Pure. */
#include "mx.h"

#include <stdio.h>

enum { VERSION = 1 };

/* Returns how many stay. */
static uint8_t keep_public_addresses(struct mx_host *host) {
    uint8_t kept = 0;
    for (uint8_t a = 0; a < host->address_count; a++)
        if (net_addr_is_public(&host->addresses[a])) host->addresses[kept++] = host->addresses[a];
    return kept;
}

bool mx_answer_keep_public(struct mx_answer *answer) {
    uint8_t kept = 0;
    bool dropped = false;
    if (answer->host_count == 0) return false;
    struct mx_host *first = &answer->hosts[0];
    char name[MX_NAME_MAX + 1], address[NET_ADDR_TEXT_MAX];
    memcpy(name, first->name, sizeof name);
    net_addr_format(&first->addresses[0], address);
    for (uint8_t h = 0; h < answer->host_count; h++) {
        struct mx_host *host = &answer->hosts[h];
        uint8_t stay = keep_public_addresses(host);
        dropped |= stay < host->address_count;
        host->address_count = stay;
        if (!stay) continue;
        if (kept != h) answer->hosts[kept] = *host;
        kept++;
    }
    answer->host_count = kept;
    if (kept) return dropped;
    answer->status = MX_NO_MAIL;
    snprintf(answer->text, sizeof answer->text, "%.100s is on no public address: %s", name, address);
    return true;
}

static void put_address(const struct net_addr *addr, struct buf *out) {
    buf_put_u8(out, addr->family);
    buf_put(out, addr->bytes, addr->family == NET_V4 ? 4 : 16);
}

void mx_answer_encode(const struct mx_answer *answer, struct buf *out) {
    buf_put_u8(out, VERSION);
    buf_put_u8(out, (uint8_t)answer->status);
    buf_put_varint(out, answer->ttl_s);
    buf_put_bytes(out, slice_of(answer->text));
    buf_put_u8(out, answer->host_count);
    for (size_t h = 0; h < answer->host_count; h++) {
        const struct mx_host *host = &answer->hosts[h];
        buf_put_bytes(out, slice_of(host->name));
        buf_put_u16(out, host->preference);
        buf_put_u8(out, host->address_count);
        for (size_t a = 0; a < host->address_count; a++)
            put_address(&host->addresses[a], out);
    }
}

static bool take_text(struct slice *in, char *out, size_t room) {
    struct slice text;
    if (!take_bytes(in, &text) || text.len >= room || slice_find(text, '\0') >= 0) return false;
    if (text.len > 0) memcpy(out, text.at, text.len);
    out[text.len] = '\0';
    return true;
}

static bool take_address(struct slice *in, struct net_addr *addr) {
    *addr = (struct net_addr){.family = NET_NONE};
    if (!take_u8(in, &addr->family) || (addr->family != NET_V4 && addr->family != NET_V6)) return false;
    size_t n = addr->family == NET_V4 ? 4 : 16;
    if (in->len < n) return false;
    memcpy(addr->bytes, in->at, n);
    *in = slice_skip(*in, n);
    return true;
}

static bool take_host(struct slice *in, struct mx_host *host) {
    if (!take_text(in, host->name, sizeof host->name) || host->name[0] == '\0') return false;
    if (!take_u16(in, &host->preference) || !take_u8(in, &host->address_count)) return false;
    if (host->address_count == 0 || host->address_count > MX_MAX_ADDRESSES) return false;
    for (size_t a = 0; a < host->address_count; a++)
        if (!take_address(in, &host->addresses[a])) return false;
    return true;
}

bool mx_answer_decode(struct slice in, struct mx_answer *answer) {
    uint8_t version, status;
    uint64_t ttl;
    if (!take_u8(&in, &version) || version != VERSION) return false;
    if (!take_u8(&in, &status) || status > MX_BOGUS) return false;
    if (!take_varint(&in, &ttl) || ttl > UINT32_MAX) return false;
    answer->status = (enum mx_status)status;
    answer->ttl_s = (uint32_t)ttl;
    if (!take_text(&in, answer->text, sizeof answer->text)) return false;
    if (!take_u8(&in, &answer->host_count) || answer->host_count > MX_MAX_HOSTS) return false;
    bool with_hosts = status == MX_OK || status == MX_IMPLICIT;
    if ((answer->host_count > 0) != with_hosts) return false;
    for (size_t h = 0; h < answer->host_count; h++)
        if (!take_host(&in, &answer->hosts[h])) return false;
    return in.len == 0;
}
