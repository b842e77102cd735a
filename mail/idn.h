/* Internationalised domain names: Unicode to A-labels (IDNA 2008 with the mapping of UTS 46, as browsers do).
 */
#ifndef TSUBAME_IDN_H
#define TSUBAME_IDN_H

#include "slice.h"

enum { IDN_DOMAIN_MAX = 255 };

/* domain: UTF-8, without NUL, at most IDN_DOMAIN_MAX bytes. Writes the name in lower case and returns its
 * length, or -1 and the reason in *why (a constant text). */
int idn_to_ascii(struct slice domain, char out[IDN_DOMAIN_MAX + 1], const char **why);

#endif
