/* Envelope addresses (RFC 5321 section 4.1.2): read, checked, brought into one canonical form, hashed.
 *
 * Canonical is what goes into RCPT TO:<...>: the domain in lower case and as A-labels (RFC 5890), the local
 * part as it was given, quoted only where it must be ("john"@x becomes john@x, a..b@docomo.ne.jp becomes
 * "a..b"@docomo.ne.jp). Refused, besides what the RFC refuses: address literals, domains without a dot,
 * blanks and angle brackets even in quotes, and (until SMTPUTF8) local parts outside ASCII. So a canonical
 * address is printable ASCII without blanks, CR, LF, NUL, '<' and '>' and can stand in a command or a header.
 *
 * Blanks around the address are an error too: trim before. */
#ifndef TSUBAME_ADDRESS_H
#define TSUBAME_ADDRESS_H

#include "arena.h"
#include "err.h"

enum { ADDRESS_LOCAL_MAX = 64, ADDRESS_MAX = 254 }; /* bytes; of the canonical form */

struct address {
    struct slice text;   /* local@domain */
    struct slice local;  /* with its quotes, if it has them; part of text */
    struct slice domain; /* part of text */
};

/* The slices of *out lie in the arena (at most 2 * ADDRESS_MAX + 16 bytes of it are used). 0, or -1 with err:
 * ERR_INPUT and a place ("byte 7: a blank in the local part"; the first byte is 1), or ERR_SYSTEM when the
 * arena is full. Plain ASCII takes a fast path without libidn2. */
int address_parse(struct slice text, struct arena *arena, struct address *out, struct err *err);

/* The domain alone by the same rules; *out lies in the arena. */
int address_parse_domain(struct slice text, struct arena *arena, struct slice *out, struct err *err);

/* By what an audience is sorted and deduplicated: the high 24 bits are a hash of the domain, so that equal
 * domains are neighbours, the low 40 bits one of the whole address. Local parts count without regard to the
 * case of ASCII letters: RFC 5321 lets a host tell them apart, none of note does, and a person who is
 * listed as Anna@ and anna@ wants one mail. */
uint64_t address_hash(uint64_t seed, const struct address *a);

#endif
