/* Which addresses a session tries, and in which order (RFC 5321 section 5.1): hosts by preference, those of
 * equal preference and a host's addresses each in their turn, and behind their equals those that failed a
 * moment ago. Pure. */
#ifndef TSUBAME_TARGETS_H
#define TSUBAME_TARGETS_H

#include "clock.h"
#include "mx.h"

enum { TARGETS_MAX = 8, TARGET_MARKS = 8 };
#define TARGET_MARK_US (5 * 60 * US_PER_SEC)

struct session_target {
    char name[MX_NAME_MAX + 1];
    struct net_addr address; /* port 0 */
};

/* Addresses where no session came to stand lately: the last TARGET_MARKS of them. Zeroes are an empty one. */
struct target_marks {
    struct {
        struct net_addr address;
        mono_us until;
    } at[TARGET_MARKS];
};
void target_mark(struct target_marks *m, const struct net_addr *address, mono_us now);
void target_unmark(struct target_marks *m, const struct net_addr *address); /* NULL is fine */

/* family: only such addresses, NET_NONE: any. marks may be NULL. `turn` counts the sessions of these hosts.
 * At most TARGETS_MAX, IPv6 and IPv4 of a host by turns, no host more than its share. 0: there are none of
 * that family. */
unsigned targets_choose(const struct mx_answer *mx, enum net_family family, const struct target_marks *marks,
                        uint64_t turn, mono_us now, struct session_target out[TARGETS_MAX]);

#endif
