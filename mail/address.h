/* Envelope addresses (RFC 5321 section 4.1.2): read, checked, brought into one canonical form, hashed.
 *
 * Canonical is what goes into RCPT TO:<...>: the domain in lower case and as A-labels (RFC 5890), the local
 * part as it was given, quoted only where it must be ("john"@x becomes john@x, a..b@docomo.ne.jp becomes
 * "a..b"@docomo.ne.jp). A local part outside ASCII (RFC 6531) is UTF-8 in normal form C, and `utf8` tells so:
 * such an address needs SMTPUTF8 on the wire and a header in UTF-8.
 *
 * Refused, besides what the RFCs refuse: address literals, domains without a dot, blanks and angle brackets
 * even in quotes; in UTF-8 also controls, blanks, invisible and bidi characters, full-width forms of ASCII,
 * and what Unicode does not define. So a canonical address has no blanks, CR, LF, NUL, '<' and '>', can stand
 * in a command or a header, and is printable ASCII when `utf8` is false.
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
    struct slice domain; /* part of text; always ASCII */
    bool utf8;           /* the local part is not ASCII */
};

/* Without what copying leaves around an address: blanks, also U+00A0 and U+3000 and the like, zero-width
 * characters and byte order marks. */
struct slice address_trim(struct slice text);

/* The slices of *out lie in the arena (at most 2 * ADDRESS_MAX + 16 bytes of it are used). 0, or -1 with err:
 * ERR_INPUT and a place ("byte 7: a blank in the local part"; the first byte is 1), or ERR_SYSTEM when the
 * arena is full. Plain ASCII takes a fast path without libidn2. */
int address_parse(struct slice text, struct arena *arena, struct address *out, struct err *err);

/* The same for an address that must go through everywhere (From, Reply-To): ASCII only. */
int address_parse_ascii(struct slice text, struct arena *arena, struct address *out, struct err *err);

/* The domain alone by the same rules; *out lies in the arena. */
int address_parse_domain(struct slice text, struct arena *arena, struct slice *out, struct err *err);

/* By what an audience is sorted and deduplicated: the high 24 bits are a hash of the domain, so that equal
 * domains are neighbours, the low 40 bits one of the whole address. Local parts count without regard to the
 * case of ASCII letters: RFC 5321 lets a host tell them apart, none of note does, and a person who is
 * listed as Anna@ and anna@ wants one mail. */
uint64_t address_hash(uint64_t seed, const struct address *a);

#endif
