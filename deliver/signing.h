/* How a worker signs: its own signing contexts for the keys in force, and which of them sign whose mail now.
 */
#ifndef TSUBAME_SIGNING_H
#define TSUBAME_SIGNING_H

#include "dkim.h"
#include "keyring.h"

enum { SIGNING_DOMAINS = 4, SIGNING_DOMAIN_MAX = 255 };

/* What was chosen for a From domain; good until its time is over or the ring is another. */
struct signing_choice {
    char domain[SIGNING_DOMAIN_MAX];
    size_t domain_len; /* 0: nothing is remembered here */
    struct dkim_choice choice;
};

struct signing {
    struct keyring_hook *hook;
    struct keyring *ring; /* held */
    unsigned version;
    struct dkim_signer **signers; /* by index in the ring; NULL until first used */
    struct dkim_mail *mail;
    struct signing_choice known[SIGNING_DOMAINS];
    unsigned next;          /* of `known`, to be forgotten */
    mono_us complain_after; /* that mail goes out unsigned */
};

/* One thread's. -1 with err; signing_done may be called all the same. */
int signing_init(struct signing *s, struct keyring_hook *hook, struct err *err);
void signing_done(struct signing *s);

/* Appends the signatures that a mail from this domain (canonical) carries at `now`: none, one or two. A body
 * begun before: see dkim_mail_read. -1 with err and out as it was. */
int signing_put(struct signing *s, struct slice from_domain, struct slice mail,
                const struct dkim_body *prefix, size_t prefix_len, wall_us now, struct buf *out,
                struct err *err);

/* About how much signing_put appends, for SIZE=. */
size_t signing_room(const struct signing *s);

#endif
