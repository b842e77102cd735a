/* Look-ups of single records, asynchronously on libunbound: what is published under a name, for whoever shows
 * or compares it. Mail exchangers with their addresses are dns.h's.
 *
 * Belongs to one loop. An answer is plain text. */
#ifndef TSUBAME_RECORDS_H
#define TSUBAME_RECORDS_H

#include "dns.h"
#include "dnsname.h"
#include "dnswire.h"

enum records_status {
    RECORDS_FOUND,
    RECORDS_NONE,      /* the name is there, records of the type are not */
    RECORDS_NO_NAME,   /* NXDOMAIN, or no domain name */
    RECORDS_TEMPORARY, /* no answer, SERVFAIL, time-out */
    RECORDS_BOGUS      /* DNSSEC says that the answer is forged */
};

enum { RECORDS_MOST = 64, RECORDS_TEXT_MAX = 65536 };

struct records_answer {
    enum records_status status;
    size_t count; /* at most RECORDS_MOST; 0 unless RECORDS_FOUND */
    /* "192.0.2.1", "2001:db8::1"; MX "10 mx.example.com"; PTR "mx.example.com"; TXT: its strings joined, any
     * bytes. A name that is none of a host (RFC 952) is "". */
    struct slice values[RECORDS_MOST];
    char why[80]; /* of the last two: in words */
};

struct records;

/* As resolver_open; timeout_ms holds for each question. */
struct records *records_open(struct loop *loop, const struct resolver_options *options, struct err *err);
void records_close(
    struct records *r); /* what is under way never calls back; NULL is fine; not in a callback */

/* The answer is valid during the call. */
typedef void records_done(void *ctx, const struct records_answer *answer);

/* type: DNS_A, DNS_AAAA, DNS_MX, DNS_PTR or DNS_TXT. name is copied. Calls back from the loop, never from
 * within, exactly once. -1 without memory. */
int records_ask(struct records *r, struct slice name, uint16_t type, records_done *done, void *ctx);

/* Where the PTR records of an address are: "1.2.0.192.in-addr.arpa". */
void records_reverse_name(const struct net_addr *addr, char out[DNS_NAME_MAX + 1]);

#endif
