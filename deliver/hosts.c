/* What a worker remembers of hosts. Without memory nothing is remembered; the session itself still knows. */
#include "hosts.h"

#include "lru.h"

#include <stdlib.h>

enum { HOSTS_MOST = 4096, DAY_S = 86400 };

struct host {
    mono_us data_until; /* DATA instead of BDAT */
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
