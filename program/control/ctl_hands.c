/* Orders over the control socket. Who asks is the user at the other end of it. */
#include "ctl_hands.h"

#include <stdlib.h>
#include <sys/socket.h>

#define COUNT_ONE US_PER_SEC       /* no longer is counted for one that is given, */
#define COUNT_ALL (2 * US_PER_SEC) /* nor for all that are shown */

static struct jdoc *done(void) {
    struct jdoc *o = jdoc_object();
    jdoc_put_bool(o, "ok", true);
    return o;
}

void ctl_who(const struct ctl_asker *asker, char name[OFFLINE_NAME_MAX + 1]) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    name[0] = 0;
    if (getsockopt(asker->talk->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) offline_user(peer.uid, name);
}

static int take_selector(struct instance *in, const struct jdoc *request, struct selector *of,
                         struct err *err) {
    struct slice campaign = jdoc_text(request, "campaign");
    int64_t tenant = jdoc_number(request, "tenant", -1);
    static const char *const parts[] = {"campaign", "provider", "domain", "source", "identity"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (jdoc_get(request, parts[i]) && !jdoc_text(request, parts[i]).len)
            return err_set(err, ERR_INPUT, "%s: it is empty, which would name all mail", parts[i]);
    if (jdoc_get(request, "tenant") && tenant < 0)
        return err_set(err, ERR_INPUT, "tenant: expected its number");
    *of = (struct selector){.provider = jdoc_text(request, "provider"),
                            .domain = jdoc_text(request, "domain"),
                            .source = jdoc_text(request, "source"),
                            .identity = jdoc_text(request, "identity")};
    if (tenant > UINT32_MAX) return err_set(err, ERR_INPUT, "tenant: expected its number");
    if (tenant >= 0) of->by_tenant = true, of->tenant = (uint32_t)tenant;
    if (!campaign.len) return 0;
    struct campaign_status found;
    if (engine_campaign_find(in->engine, campaign, &found, err)) return -1;
    of->campaign = found.id;
    return 0;
}

static void put_touch(struct jdoc *o, const struct engine_touch *t) {
    jdoc_put_number(o, "recipients", (int64_t)t->recipients);
    jdoc_put_number(o, "maybe", (int64_t)t->maybe);
    jdoc_put_bool(o, "exact", t->maybe == 0);
    jdoc_put_number(o, "campaigns", t->campaigns);
    jdoc_put_number(o, "lanes", t->lanes);
    jdoc_put_number(o, "on_the_wire", (int64_t)t->leased);
    jdoc_put_bool(o, "unknown_provider", t->strange);
}

/* By its number, or all suspensions of just that mail. */
static int resume(struct instance *in, int64_t number, const struct engine_hand *hand, int64_t *ended,
                  struct err *err) {
    *ended = 0;
    if (number > 0) {
        if (engine_order_end(in->engine, (uint64_t)number, hand, err)) return -1;
        *ended = 1;
        return 0;
    }
    if (selector_is_campaign(&hand->of)) {
        *ended = 1;
        return engine_resume(in->engine, hand->of.campaign, hand, err);
    }
    struct order_status *all = calloc(ORDERS_MOST, sizeof *all);
    if (!all) return err_set(err, ERR_SYSTEM, "out of memory");
    size_t count = engine_orders(in->engine, all, ORDERS_MOST);
    int failed = 0;
    for (size_t i = 0; i < count && i < ORDERS_MOST && !failed; i++) {
        if (all[i].order.kind != ORDER_SUSPEND || !selector_same(&all[i].order.of, &hand->of)) continue;
        failed = engine_order_end(in->engine, all[i].order.number, hand, err);
        *ended += !failed;
    }
    free(all);
    if (failed || *ended) return failed;
    return err_set(err, ERR_ABSENT, "no order suspends just that: `tsubame orders` lists those that stand");
}

static int act(struct instance *in, const struct jdoc *request, struct engine_hand *hand, struct jdoc *o,
               struct err *err) {
    struct slice what = jdoc_text(request, "act");
    uint64_t number = 0;
    int64_t ended = 0;
    int failed;
    if (slice_eq(what, SLICE("flush"))) return engine_flush(in->engine, hand, err);
    if (slice_eq(what, SLICE("resume"))) {
        failed = resume(in, jdoc_number(request, "order", 0), hand, &ended, err);
        if (!failed) jdoc_put_number(o, "ended", ended);
        return failed;
    }
    hand->kind = slice_eq(what, SLICE("suspend"))  ? ORDER_SUSPEND
                 : slice_eq(what, SLICE("route"))  ? ORDER_ROUTE
                 : slice_eq(what, SLICE("cancel")) ? ORDER_CANCEL
                                                   : 0;
    if (!hand->kind) return err_set(err, ERR_INPUT, "hands: there is no such act");
    failed = engine_order(in->engine, hand, &number, err);
    if (!failed && number) jdoc_put_number(o, "order", (int64_t)number);
    return failed;
}

struct jdoc *ctl_hands(struct ctl_asker *asker, const struct jdoc *request) {
    struct instance *in = asker->instance;
    char by[OFFLINE_NAME_MAX + 1];
    struct engine_hand hand = {.to = jdoc_text(request, "to"),
                               .reason = jdoc_text(request, "reason"),
                               .until = jdoc_number(request, "until", 0)};
    struct engine_touch touch = {0};
    struct buf texts;
    struct err err;
    struct jdoc *o = done();
    buf_init(&texts, 4096);
    ctl_who(asker, by);
    hand.by = slice_of(by);
    bool numbered = jdoc_number(request, "order", 0) > 0;
    int failed = numbered
                     ? 0
                     : take_selector(in, request, &hand.of, &err) ||
                           engine_touch(in->engine, &hand.of, &texts, clock_mono() + COUNT_ONE, &touch, &err);
    hand.touched = touch.recipients;
    if (!failed && !slice_eq(jdoc_text(request, "act"), SLICE("preview")))
        failed = act(in, request, &hand, o, &err);
    if (!failed && !numbered) put_touch(o, &touch);
    buf_done(&texts);
    if (!failed) return o;
    jdoc_free(o);
    return talk_refusal(&err);
}

int ctl_hands_campaign(struct ctl_asker *asker, struct slice what, uint32_t id, struct err *err) {
    char by[OFFLINE_NAME_MAX + 1];
    struct campaign_status c;
    uint64_t number;
    struct engine *e = asker->instance->engine;
    if (engine_campaign(e, id, &c, err)) return -1;
    ctl_who(asker, by);
    struct engine_hand hand = {.kind = slice_eq(what, SLICE("hold")) ? ORDER_SUSPEND : ORDER_CANCEL,
                               .of = {.campaign = id},
                               .by = slice_of(by),
                               .touched = tally_pending(&c.tally)};
    return slice_eq(what, SLICE("resume")) ? engine_resume(e, id, &hand, err)
                                           : engine_order(e, &hand, &number, err);
}

static void put_text(struct jdoc *o, const char *key, struct slice text) {
    if (text.len) jdoc_put_text(o, key, text);
}

void ctl_put_order(struct jdoc *o, const struct order_status *s) {
    const struct order *order = &s->order;
    struct buf of;
    buf_init(&of, 4096);
    selector_say(&order->of, &of);
    jdoc_put_number(o, "order", (int64_t)order->number);
    jdoc_put_text(o, "act", slice_of(order_kind_name(order->kind)));
    jdoc_put_text(o, "of", buf_slice(&of));
    if (order->of.campaign) jdoc_put_number(o, "campaign", order->of.campaign);
    if (order->of.by_tenant) jdoc_put_number(o, "tenant", order->of.tenant);
    put_text(o, "provider", order->of.provider);
    put_text(o, "domain", order->of.domain);
    put_text(o, "source", order->of.source);
    put_text(o, "identity", order->of.identity);
    put_text(o, "to", order->to);
    put_text(o, "by", order->by);
    put_text(o, "reason", order->reason);
    jdoc_put_number(o, "at", order->at);
    if (order->until) jdoc_put_number(o, "until", order->until);
    if (order->kind == ORDER_CANCEL) jdoc_put_number(o, "cancelled", (int64_t)s->cancelled);
    if (order->kind == ORDER_CANCEL) jdoc_put_number(o, "finished", (int64_t)s->finished);
    buf_done(&of);
}

void ctl_put_touch(struct jdoc *o, struct engine *e, const struct selector *of, mono_us until) {
    struct selector copy = *of;
    struct engine_touch touch;
    struct buf texts;
    buf_init(&texts, 4096);
    if (engine_touch(e, &copy, &texts, until, &touch, NULL) == 0) put_touch(o, &touch);
    buf_done(&texts);
}

struct jdoc *ctl_orders(struct ctl_asker *asker) {
    struct engine *e = asker->instance->engine;
    struct order_status *all = calloc(ORDERS_MOST, sizeof *all);
    struct jdoc *o = done(), *list = jdoc_child_list(o, "orders");
    size_t count = all ? engine_orders(e, all, ORDERS_MOST) : 0;
    mono_us until = clock_mono() + COUNT_ALL;
    for (size_t i = 0; i < count && i < ORDERS_MOST; i++) {
        struct jdoc *one = jdoc_item_object(list);
        ctl_put_order(one, &all[i]);
        ctl_put_touch(one, e, &all[i].order.of, until);
    }
    free(all);
    return o;
}
