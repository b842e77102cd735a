/* What waits, and where it is bound: for people who look, without holding up the owner thread. Long lists are
 * walked in slices, between which all goes on: what is counted is of a second or so, not of one moment. */
#ifndef TSUBAME_INSPECT_H
#define TSUBAME_INSPECT_H

#include "engine.h"

/* In all, now. */
struct waiting_sums {
    uint64_t placed;   /* recipients under a lane */
    uint64_t asking;   /* of domains whose exchangers are being looked up, or are next */
    uint64_t put_off;  /* of domains whose look-up failed and is tried again */
    uint64_t unsorted; /* in chunks of many domains that were not taken apart yet: an upper bound */
    uint64_t domains;  /* with recipients that wait, as far as they are known */
};
int engine_waiting(struct engine *e, struct waiting_sums *out, struct err *err);

enum waiting_place {
    WAITING_PLACED,
    WAITING_ASKING,
    WAITING_PUT_OFF,
    WAITING_UNDER_WAY /* with a session */
};

struct waiting_domain {
    struct slice name;
    enum waiting_place place;
    const char *lane; /* WAITING_PLACED, WAITING_UNDER_WAY; else NULL */
    unsigned source;
    uint32_t recipients;
    uint32_t suspended; /* of these: an order keeps them */
};
/* Each domain with recipients that wait, of that campaign (0: of all), and of those with sessions; a domain
 * may come more than once. fn is called on the owner thread and
 * must be quick, what it is given is valid during the call. A domain that comes or goes meanwhile may be left
 * out. */
typedef void waiting_fn(void *ctx, const struct waiting_domain *domain);
int engine_each_waiting(struct engine *e, uint32_t campaign, waiting_fn *fn, void *ctx, struct err *err);

/* Where the mail of a domain goes. */
enum domain_place_kind {
    DOMAIN_IS_STRANGE,    /* nothing waits for it, and nothing is remembered of it */
    DOMAIN_IS_ASKED,      /* its exchangers are being looked up, or are next */
    DOMAIN_IS_PUT_OFF,    /* the look-up failed and is tried again */
    DOMAIN_IS_HERE,       /* something waits for it under `lane` */
    DOMAIN_IS_REMEMBERED, /* nothing waits for it; its mail would go to `lane` */
    DOMAIN_IS_NOWHERE,    /* it takes no mail: `text` */
    DOMAIN_IS_EXCHANGER   /* it is a mail exchanger of `lane` */
};
struct domain_place {
    enum domain_place_kind kind;
    char lane[128];
    unsigned source;
    bool tail;      /* the lane is of these exchangers alone */
    char host[256]; /* its first exchanger; "" where it is not known */
    uint32_t waiting;
    char text[256];
};
int engine_domain(struct engine *e, struct slice domain, struct domain_place *out, struct err *err);

#endif
