/* What a worker remembers of hosts. Without memory nothing is remembered; the session itself still knows. */
#include "hosts.h"

#include "lru.h"

#include <stdlib.h>

enum { HOSTS_MOST = 4096, HOUR_S = 3600, DAY_S = 86400 };

struct host {
    mono_us data_until;  /* DATA instead of BDAT */
    unsigned mails;      /* in a session */
    mono_us mails_until; /* that holds so long */
    unsigned lost_after; /* so many mails a session was lost at MAIL the last time */
};

static struct host *find(const struct hosts *h, struct slice name) {
    return h->known ? lru_get(h->known, name) : NULL;
}

/* NULL without memory. */
static struct host *get(struct hosts *h, struct slice name) {
    struct host *host = find(h, name);
    if (host) return host;
    if (!h->known) h->known = lru_open(HOSTS_MOST, free);
    if (h->known && (host = calloc(1, sizeof *host))) lru_put(h->known, name, host);
    return find(h, name);
}

void hosts_done(struct hosts *h) {
    lru_close(h->known);
}

bool hosts_takes_bdat(const struct hosts *h, struct slice name, mono_us now) {
    const struct host *host = find(h, name);
    return !host || now >= host->data_until;
}

void hosts_mishandled_bdat(struct hosts *h, struct slice name, mono_us now) {
    struct host *host = get(h, name);
    if (host) host->data_until = now + (mono_us)DAY_S * US_PER_SEC;
}

unsigned hosts_mails_max(const struct hosts *h, struct slice name, mono_us now) {
    const struct host *host = find(h, name);
    return host && now < host->mails_until ? host->mails : 0;
}

void hosts_ended_at_mail(struct hosts *h, struct slice name, unsigned mails, bool said, mono_us now) {
    struct host *host = mails ? get(h, name) : NULL;
    if (!host) return;
    if (!said && host->lost_after != mails) {
        host->lost_after = mails;
        return;
    }
    /* Several sessions that were open when the first of them showed it show it too: that is no second time.
     */
    bool holds = now < host->mails_until, again = host->mails == mails && !holds;
    if (holds && host->mails <= mails) return;
    host->mails = mails;
    host->mails_until = now + (mono_us)(again ? DAY_S : HOUR_S) * US_PER_SEC;
}
