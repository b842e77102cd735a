/* Which hosts take mail for a domain (RFC 5321 section 5.1, RFC 7505), asked asynchronously on libunbound.
 *
 * A resolver belongs to one loop. Answers are plain data that can be copied and kept. */
#ifndef TSUBAME_DNS_H
#define TSUBAME_DNS_H

#include "addr.h"
#include "loop.h"
#include "mx.h"

struct resolver_options {
    const struct net_addr *servers; /* to forward to; port 0 is 53 */
    size_t server_count;            /* 0: those of /etc/resolv.conf */
    const char *trust_anchor;       /* a file of DS or DNSKEY records: DNSSEC is checked; NULL: it is not */
    size_t cache_mb;                /* for messages and records together; 0: 24 */
    unsigned most_lookups;          /* under way at once; 0: 1,000 */
    unsigned most_waiting;          /* queued beyond these; 0: 10,000 */
    uint16_t port_low, port_high;   /* outgoing ports, both 0: any */
    unsigned timeout_ms;            /* for a whole look-up; 0: 20,000 */
    bool no_ipv6;                   /* AAAA is not asked */
    bool no_stub;                   /* always libunbound, though all servers are on loopback: see stub.h */
    uint64_t seed;                  /* orders hosts of equal preference */
};

struct resolver;
struct resolver *resolver_open(struct loop *loop, const struct resolver_options *options, struct err *err);
void resolver_close(struct resolver *r); /* look-ups under way never call back; NULL is fine */

/* The answer is valid during the call. */
typedef void resolver_done(void *ctx, const struct mx_answer *answer);

/* domain: in A-labels, a final dot is allowed; it is copied. The callback comes from the loop, never from
 * within, exactly once (what is no domain name gets MX_NO_DOMAIN). -1: too many are waiting, ask later. */
int resolver_mx(struct resolver *r, struct slice domain, resolver_done *done, void *ctx);

/* Under way and waiting. */
unsigned resolver_pending(const struct resolver *r);

#endif
