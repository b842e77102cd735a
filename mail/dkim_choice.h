/* Which keys sign a mail: by the domain of its From and by the time. Pure.
 *
 * 1. A key is valid from `from` (inclusive) to `until` (exclusive).
 * 2. Of the domains of valid keys, the one nearest to the From domain signs: equal to it, else the closest
 *    parent. So d= aligns with From as DMARC asks (RFC 7489 section 3.1.1).
 * 3. Is there none, the domain of the first valid key that takes any From.
 * 4. Of the valid keys of that domain, for each algorithm the one with the latest `from`; of two with the
 *    same, the first. RSA comes before Ed25519. */
#ifndef TSUBAME_DKIM_CHOICE_H
#define TSUBAME_DKIM_CHOICE_H

#include "clock.h"
#include "dkim_key.h"

struct dkim_rule {
    struct slice domain; /* A-labels; the case of letters does not matter */
    enum dkim_algorithm algorithm;
    wall_us from;  /* 0: always has been */
    wall_us until; /* NEVER: for good */
    bool any_from;
};

struct dkim_choice {
    size_t count; /* 0: none may sign */
    size_t rules[DKIM_ALGORITHMS];
    bool aligned;
    wall_us since, until; /* the same is chosen from `since` (inclusive) to `until` (exclusive) */
};

struct dkim_choice dkim_choose(const struct dkim_rule *rules, size_t count, struct slice from_domain,
                               wall_us now);

/* Is `domain` the same as `of`, or a parent of it? */
bool dkim_domain_covers(struct slice domain, struct slice of);

#endif
