/* PROXY protocol or SOCKS5, as the options say. */
#include "proxy.h"

bool proxy_talk_init(struct proxy_talk *t, const struct proxy_options *options,
                     const struct net_addr *target) {
    *t = (struct proxy_talk){.is_socks = options->protocol == PROXY_SOCKS5};
    if (t->is_socks)
        socks5_init(&t->socks, target, options->user, options->password);
    else
        t->header_len = proxy_header_put(&options->source, target, t->header);
    return t->is_socks || t->header_len > 0;
}

void proxy_talk_done(struct proxy_talk *t) {
    if (t->is_socks) socks5_done(&t->socks);
}

struct slice proxy_output(const struct proxy_talk *t) {
    if (t->is_socks) return socks5_output(&t->socks);
    return slice_make(t->header + t->header_at, t->header_len - t->header_at);
}

void proxy_wrote(struct proxy_talk *t, size_t n) {
    if (t->is_socks)
        socks5_wrote(&t->socks, n);
    else
        t->header_at += n;
}

size_t proxy_wants(const struct proxy_talk *t) {
    return t->is_socks ? socks5_wants(&t->socks) : 0;
}

enum socks5_result proxy_input(struct proxy_talk *t, struct slice bytes) {
    return socks5_input(&t->socks, bytes);
}
