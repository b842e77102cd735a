/* What a worker remembers of hosts. Without memory nothing is remembered; the session itself still knows. */
#include "hosts.h"

#include "lru.h"

#include <stdlib.h>

enum { HOSTS_MOST = 4096, DAY_S = 86400 };

void hosts_done(struct hosts *h) {
    lru_close(h->without_bdat);
}

bool hosts_takes_bdat(const struct hosts *h, struct slice host, mono_us now) {
    const mono_us *until = h->without_bdat ? lru_get(h->without_bdat, host) : NULL;
    return !until || now >= *until;
}

void hosts_mishandled_bdat(struct hosts *h, struct slice host, mono_us now) {
    if (!h->without_bdat) h->without_bdat = lru_open(HOSTS_MOST, free);
    mono_us *until = h->without_bdat ? malloc(sizeof *until) : NULL;
    if (!until) return;
    *until = now + (mono_us)DAY_S * US_PER_SEC;
    lru_put(h->without_bdat, host, until);
}
