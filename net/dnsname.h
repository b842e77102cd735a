/* Domain names as text. Pure. */
#ifndef TSUBAME_DNSNAME_H
#define TSUBAME_DNSNAME_H

#include "slice.h"

enum { DNS_NAME_MAX = 253 };

/* A domain name in A-labels, in lower case, without a final dot. False when it is none: an empty or too long
 * label, other bytes than letters, digits, '-' and '_'. */
bool dns_name_clean(struct slice domain, char out[DNS_NAME_MAX + 1]);

/* "192.0.2.1": no top-level domain is a number, but some people write an address where a name belongs. */
bool dns_name_is_number(const char *name);

#endif
