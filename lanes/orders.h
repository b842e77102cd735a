/* What people have ordered of mail that waits, and what of it an order is about. Pure.
 *
 * A selector names mail by any of its parts together; an order says what is to become of what it names, until
 * it is taken back, its time is over, or (of a cancellation) it is carried out. Orders are found by walking
 * all of them, at most ORDERS_MOST: some microseconds with a thousand, nothing to speak of with ten. */
#ifndef TSUBAME_ORDERS_H
#define TSUBAME_ORDERS_H

#include "buf.h"
#include "clock.h"
#include "err.h"

enum { ORDERS_MOST = 1000, ORDER_SPARED = 32, ORDER_TEXT_MAX = 480, ORDER_NAME_MAX = 255 };

/* Parts that are empty or 0 name everything. */
struct selector {
    uint32_t campaign;
    bool by_tenant;
    uint32_t tenant;
    struct slice provider; /* a lane's name */
    struct slice domain;   /* of recipients: "example.org", or "*.example.org": those below it */
    struct slice source;   /* the name of the source that it goes from */
    struct slice identity; /* the From address, or its domain */
};

/* Stored: numbers don't change. */
enum order_kind {
    ORDER_SUSPEND = 1, /* nothing of it is begun */
    ORDER_ROUTE = 2,   /* it goes from the source `to` */
    ORDER_CANCEL = 3   /* nothing of it is begun, and all of it is settled as cancelled */
};
const char *order_kind_name(enum order_kind kind); /* "suspend"; "?" for none of them */

struct order {
    uint64_t number; /* 1.. */
    enum order_kind kind;
    struct selector of;
    struct slice to; /* ORDER_ROUTE: the source's name */
    struct slice by; /* who */
    struct slice reason;
    wall_us at;
    wall_us until;   /* 0: until it is taken back */
    uint32_t newest; /* ORDER_CANCEL: campaigns with higher numbers came after it */
    /* Campaigns that were loading when it was given, of which it says nothing either. */
    uint32_t spared[ORDER_SPARED];
    unsigned spared_count;
};

/* Mail, as far as is known: what a domain has of a campaign. All texts in lower case. */
struct subject {
    uint32_t campaign, tenant;
    struct slice domain;
    struct slice provider; /* empty: not known yet */
    struct slice source;   /* where it goes from now; of routes: without any route */
    struct slice identity; /* the From address */
};

/* Has it a part, and can each be? The domain may have upper case: *of is changed to slices of `texts`. -1
 * with err (ERR_INPUT). */
int selector_check(struct selector *of, struct buf *texts, struct err *err);
bool selector_same(const struct selector *a, const struct selector *b);
/* Does it name nothing but a campaign? */
bool selector_is_campaign(const struct selector *of);
/* Can it be told of a campaign as a whole whether it is named: no part asks for more? */
bool selector_is_whole(const struct selector *of);
/* Do the parts that speak of campaigns fit? Those that speak of domains, providers and sources don't count.
 */
bool selector_has_campaign(const struct selector *of, uint32_t campaign, uint32_t tenant,
                           struct slice identity);
/* "provider google, domain example.org" */
void selector_say(const struct selector *of, struct buf *out);

enum selector_fit { FIT_NOT, FIT_MAYBE /* when its provider is known */, FIT_YES };
enum selector_fit selector_fits(const struct selector *of, const struct subject *s);
/* The same of an order: a cancellation is about what was there before it. */
enum selector_fit order_fits(const struct order *o, const struct subject *s);

/* One row, versioned; all texts together stay below 2 KB. */
bool order_encode(struct buf *out, const struct order *o);
/* Slices point into the bytes. -1 with err (ERR_CORRUPT). */
int order_decode(struct slice bytes, uint64_t number, struct order *o, struct err *err);

/* Those that stand, by number. */
struct orders {
    struct order **at;
    size_t count;
    size_t identities; /* so many ask for the identity */
    size_t routes;
};
void orders_done(struct orders *all);
/* A copy of it, the set's. Its number is above all others. NULL when there are ORDERS_MOST or no memory. */
struct order *orders_add(struct orders *all, const struct order *o);
void orders_drop(struct orders *all, uint64_t number);
struct order *orders_find(const struct orders *all, uint64_t number);
/* The order that says what is to become of it: a cancellation before a suspension; or NULL. */
const struct order *orders_stop(const struct orders *all, const struct subject *s);
/* The last route that is about it, or NULL. */
const struct order *orders_route(const struct orders *all, const struct subject *s);
/* The earliest end of one; NEVER. */
wall_us orders_next_end(const struct orders *all);

#endif
