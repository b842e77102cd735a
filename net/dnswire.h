/* Reads a DNS answer packet (RFC 1035 section 4): what the question's name leads to, CNAMEs followed. Pure.
 */
#ifndef TSUBAME_DNSWIRE_H
#define TSUBAME_DNSWIRE_H

#include "slice.h"

enum { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28 };

enum dnswire_kind {
    DNSWIRE_DATA,     /* at least one record */
    DNSWIRE_NO_DATA,  /* the name exists, records of the type don't */
    DNSWIRE_NO_NAME,  /* NXDOMAIN */
    DNSWIRE_FAILED,   /* SERVFAIL, REFUSED and the like */
    DNSWIRE_MALFORMED /* not an answer, cut short, loops */
};

struct dnswire_record {
    uint16_t preference; /* MX */
    char
        name[254]; /* MX, PTR: the host in lower case without a final dot; "" for the root or when name_bad */
    bool name_bad; /* MX, PTR: the name has other bytes than letters, digits, '-', '_' */
    const uint8_t *address; /* A: 4 bytes, AAAA: 16 */
    struct slice strings;   /* TXT: one or more, each behind a byte with its length; they fill the slice */
};

/* type: DNS_A, DNS_AAAA, DNS_MX, DNS_PTR or DNS_TXT; must be the question's. each is called for every record,
 * in their order. *ttl_s: the least of all that led there, or for the negative kinds what the SOA says (RFC
 * 2308); 0 when nothing says. */
enum dnswire_kind dnswire_read(struct slice packet, uint16_t type, uint32_t *ttl_s,
                               void (*each)(void *ctx, const struct dnswire_record *record), void *ctx);

#endif
