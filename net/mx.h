/* The answer to "who takes mail for this domain", as plain data, and its encoding for the domain table. */
#ifndef TSUBAME_MX_H
#define TSUBAME_MX_H

#include "addr.h"
#include "buf.h"

enum mx_status {
    MX_OK,        /* mail exchangers, at least one with an address */
    MX_IMPLICIT,  /* no MX: the domain's own address serves (RFC 5321 section 5.1) */
    MX_NULL,      /* the domain takes no mail (RFC 7505) */
    MX_NO_DOMAIN, /* the name does not exist, or is none */
    MX_NO_MAIL,   /* neither MX nor address, or only exchangers that have no address */
    MX_TEMPORARY, /* no answer, SERVFAIL, timeout: ask again later */
    MX_BOGUS      /* DNSSEC says the answer is forged: ask again later, but tell */
};

enum { MX_MAX_HOSTS = 16, MX_MAX_ADDRESSES = 8, MX_NAME_MAX = 253, MX_TEXT_MAX = 200 };

struct mx_host {
    char name[MX_NAME_MAX + 1]; /* lower case, no final dot; NUL-terminated, no NUL or control inside */
    uint16_t preference;
    uint8_t address_count;                       /* 1 to MX_MAX_ADDRESSES */
    struct net_addr addresses[MX_MAX_ADDRESSES]; /* port 0; IPv6 first, then by the seed */
};

struct mx_answer {
    enum mx_status status;
    uint32_t ttl_s;                     /* 60 to 86,400; for anything but MX_OK and MX_IMPLICIT 60 to 3,600 */
    uint8_t host_count;                 /* 0 unless MX_OK or MX_IMPLICIT */
    struct mx_host hosts[MX_MAX_HOSTS]; /* by preference; equal ones in an order made by the seed */
    char text[MX_TEXT_MAX];             /* for people: "NXDOMAIN for example.test"; "" when MX_OK */
};

/* Drops all addresses that are not of the public internet (net_addr_is_public), and hosts that have no other.
 * True when there were any. When none is left: MX_NO_MAIL, and the text tells the first. */
bool mx_answer_keep_public(struct mx_answer *answer);

/* The hosts beyond host_count and addresses beyond address_count need not be set. Sticky failure of out. */
void mx_answer_encode(const struct mx_answer *answer, struct buf *out);

/* Takes all of `in`. False when it is malformed; *answer is then unspecified. */
bool mx_answer_decode(struct slice in, struct mx_answer *answer);

#endif
