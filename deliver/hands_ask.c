/* What people ask of orders, on the thread that asks and on the owner's: previews, orders given and taken
 * back, each with its place in the audit trail. */
#include "owner.h"

#include "note.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BUCKETS_AT_ONCE = 8192,
    LOOKED_THROUGH = 200000, /* recipients that wait of the campaigns in question, */
    RETRIES_THROUGH = 50000  /* and of all that were put off: with more it is not looked through all */
};
#define LET_OTHERS_US 1000
#define THROUGH_WORK  (60 * US_PER_MS)  /* the owner's time for that, at most, */
#define THROUGH_WALL  (500 * US_PER_MS) /* and ours, with the wait for a commit */

/* ---- what an order would touch ---- */

struct count {
    const struct selector *of;
    struct buf *texts;
    struct engine *engine;
    struct engine_touch *out;
    struct selector checked;
    size_t bucket, buckets; /* of the backlog when the count began */
    uint32_t number;
    uint64_t decided;  /* recipients of campaigns it may be about, in queues that were looked at */
    uint64_t all;      /* that wait, of those campaigns */
    uint64_t deferred; /* of whatever campaign */
    mono_us until;
    struct job *through;
    mono_us through_until, worked;
    bool more;
};

static int check(struct engine *e, const struct selector *of, struct err *err) {
    if (of->campaign && !ledger_campaign(e->ledger, of->campaign))
        return err_set(err, ERR_ABSENT, "there is no campaign number %u", of->campaign);
    bool found = of->source.len == 0;
    for (unsigned i = 0; i < e->options.source_count && !found; i++)
        found = slice_eq(of->source, slice_of(e->options.sources[i].name));
    return found ? 0
                 : err_set(err, ERR_ABSENT, "no source '%.*s' is configured",
                           of->source.len > 80 ? 80 : (int)of->source.len, of->source.at);
}

static bool about(struct engine *e, const struct selector *of, struct campaign *c) {
    struct subject s = hands_subject(e, c, (struct slice){0}, 0, (struct slice){0});
    return !c->row.ended && c->row.state != CAMPAIGN_LOADING && c->row.state != CAMPAIGN_CANCELLED &&
           selector_has_campaign(of, s.campaign, s.tenant, s.identity);
}

static uint64_t waits(const struct campaign *c) {
    uint64_t pending = tally_pending(&c->row.tally);
    return pending > c->leased ? pending - c->leased : 0;
}

static void count_queue(void *ctx, struct queue *q) {
    struct count *count = ctx;
    struct engine *e = count->engine;
    struct domain *d = backlog_queue_domain(q);
    struct campaign *c = q->first->chunk->campaign;
    struct slice lane = d->site ? slice_of(d->site->lane->name) : (struct slice){0};
    struct subject s = hands_subject(e, c, slice_make(d->name, d->name_len), d->source, lane);
    if (!selector_has_campaign(count->of, s.campaign, s.tenant, s.identity)) return;
    enum selector_fit fit = selector_fits(count->of, &s);
    if (fit != FIT_MAYBE) count->decided += q->waiting;
    if (fit != FIT_YES) return;
    count->out->recipients += q->waiting;
    if (!d->site || d->site->lane->counted == count->number) return;
    d->site->lane->counted = count->number;
    count->out->lanes++;
}

static void begin_count(struct engine *e, struct count *count) {
    *count->out = (struct engine_touch){0};
    count->number = ++e->hands.counting;
    count->decided = count->bucket = 0;
    count->buckets = e->backlog.domain_slots;
}

static bool is_strange(const struct engine *e, struct slice provider) {
    bool strange = provider.len > 0;
    for (const struct lane *lane = e->backlog.lanes; lane && strange; lane = lane->next)
        strange = !slice_eq_nocase(provider, slice_of(lane->name));
    for (size_t i = 0; i < e->options.provider_count && strange; i++)
        strange = !slice_eq_nocase(provider, slice_of(e->options.providers[i].name));
    return strange;
}

static void count_under_way(void *ctx, struct campaign *c, struct session *s, struct slice domain,
                            uint32_t recipients) {
    struct count *count = ctx;
    const struct lane *lane = s->site->lane;
    struct subject subject = hands_subject(count->engine, c, domain, lane->source, slice_of(lane->name));
    if (selector_fits(count->of, &subject) == FIT_YES) count->out->leased += recipients;
}

static void end_count(struct engine *e, struct count *count) {
    const struct selector *of = count->of;
    count->all = count->deferred = 0;
    for (struct campaign *c = ledger_campaigns(e->ledger); c; c = c->next) {
        count->deferred += c->row.tally.deferred;
        if (!about(e, of, c)) continue;
        count->out->campaigns++;
        count->all += waits(c);
    }
    hands_each_under_way(e, count_under_way, count);
    if (selector_is_whole(of))
        count->out->recipients = count->all;
    else
        count->out->maybe = count->all > count->decided ? count->all - count->decided : 0;
    count->out->strange = is_strange(e, of->provider);
    if (count->out->maybe && count->all <= LOOKED_THROUGH && count->deferred <= RETRIES_THROUGH &&
        clock_mono() < count->until)
        count->through = jobs_count(e, of);
    count->through_until = clock_mono() + THROUGH_WALL;
}

/* Through all that waits, as a cancellation does. Of mail that moves meanwhile some is missed or met twice.
 */
static bool look_through(struct count *count) {
    uint64_t found, untold;
    mono_us began = clock_mono();
    bool more = jobs_count_some(count->through, &found, &untold);
    mono_us now = clock_mono();
    count->worked += now - began;
    if (more && count->worked < THROUGH_WORK && now < count->through_until) return true;
    jobs_count_end(count->through);
    count->through = NULL;
    if (more) return false; /* too much: what is known stands */
    count->out->recipients = found;
    count->out->maybe = untold;
    return false;
}

/* One slice. The table of domains may have grown between two: then all of it is counted again. */
static int run_count(struct engine *e, void *ctx, struct err *err) {
    struct count *count = ctx;
    if (count->through) {
        count->more = look_through(count);
        return 0;
    }
    if (!count->buckets && check(e, count->of, err)) return -1;
    if (count->buckets != e->backlog.domain_slots) begin_count(e, count);
    e->hands.identities += count->of->identity.len > 0;
    count->more = clock_mono() < count->until &&
                  backlog_each(&e->backlog, &count->bucket, BUCKETS_AT_ONCE, count_queue, count);
    if (!count->more) end_count(e, count);
    e->hands.identities -= count->of->identity.len > 0;
    count->more = count->more || count->through;
    return 0;
}

int engine_touch(struct engine *e, struct selector *of, struct buf *texts, mono_us until,
                 struct engine_touch *out, struct err *err) {
    struct count count = {.of = of, .engine = e, .out = out, .until = until};
    if (selector_check(of, texts, err)) return -1;
    int failed;
    do {
        if (count.through) usleep(LET_OTHERS_US);
        failed = control_ask(e, run_count, &count, false, err);
    } while (!failed && count.more);
    if (failed) jobs_count_end(count.through);
    return failed ? -1 : 0;
}

/* ---- orders ---- */

struct giving {
    const struct engine_hand *hand;
    uint64_t number;
    uint32_t campaign;
};

static void remark(struct engine *e, enum note_act act, const struct selector *of,
                   const struct engine_hand *hand) {
    struct buf scope;
    buf_init(&scope, 4096);
    selector_say(of, &scope);
    struct note n = {.what = NOTE_HAND,
                     .at = clock_wall(),
                     .provider = of->provider,
                     .source = of->source,
                     .words = hand->reason,
                     .act = (uint8_t)act,
                     .campaign = of->campaign,
                     .scope = buf_slice(&scope),
                     .by = hand->by,
                     .touched = hand->touched};
    ledger_remark(e->ledger, &n);
    buf_done(&scope);
}

static void put_order(struct engine *e, const struct order *o) {
    struct buf row;
    buf_init(&row, LEDGER_ORDER_BYTES);
    if (!order_encode(&row, o)) abort();
    ledger_order_put(e->ledger, o->number, buf_slice(&row));
    buf_done(&row);
}

/* Campaigns that load now were not there when the order was given, either. */
static bool spare_loading(struct engine *e, struct order *o, struct err *err) {
    const struct campaign *newest = ledger_campaigns(e->ledger);
    o->newest = newest ? newest->row.id : 0;
    for (const struct campaign *c = newest; c; c = c->next) {
        if (c->row.state != CAMPAIGN_LOADING) continue;
        if (o->spared_count == ORDER_SPARED) {
            err_set(err, ERR_BUSY, "too many campaigns are loading: try again when they are");
            return false;
        }
        o->spared[o->spared_count++] = c->row.id;
    }
    return true;
}

static int order_of(struct engine *e, const struct engine_hand *hand, struct order *o, struct err *err) {
    struct slice reason = hand->reason;
    bool found = hand->kind != ORDER_ROUTE;
    if (reason.len > ORDER_TEXT_MAX) reason.len = ORDER_TEXT_MAX;
    *o = (struct order){.kind = hand->kind,
                        .of = hand->of,
                        .to = hand->to,
                        .by = hand->by,
                        .reason = reason,
                        .at = clock_wall(),
                        .until = hand->until ? hand->until + (time_now(e) - clock_wall()) : 0};
    for (unsigned i = 0; i < e->options.source_count && !found; i++)
        found = slice_eq(hand->to, slice_of(e->options.sources[i].name));
    if (!found)
        return err_set(err, ERR_ABSENT, "no source '%.*s' is configured",
                       hand->to.len > 80 ? 80 : (int)hand->to.len, hand->to.at);
    if (hand->until && hand->until <= clock_wall()) return err_set(err, ERR_INPUT, "that time is over");
    if (check(e, &hand->of, err)) return -1;
    if (hand->of.campaign && !ledger_under_way(e->ledger, hand->of.campaign, err)) return -1;
    return o->kind == ORDER_CANCEL && !spare_loading(e, o, err) ? -1 : 0;
}

static struct order *same_order(struct engine *e, const struct order *o) {
    for (size_t i = 0; i < e->hands.orders.count; i++) {
        struct order *other = e->hands.orders.at[i];
        if (other->kind == o->kind && selector_same(&other->of, &o->of)) return other;
    }
    return NULL;
}

static int run_order(struct engine *e, void *ctx, struct err *err) {
    static const enum note_act acts[] = {
        [ORDER_SUSPEND] = NOTE_SUSPENDED, [ORDER_ROUTE] = NOTE_REROUTED, [ORDER_CANCEL] = NOTE_CANCELLED};
    struct giving *g = ctx;
    struct order o;
    if (order_of(e, g->hand, &o, err)) return -1;
    struct campaign *c = selector_is_campaign(&o.of) ? ledger_campaign(e->ledger, o.of.campaign) : NULL;
    if (c && o.kind == ORDER_CANCEL) {
        remark(e, NOTE_CANCELLED, &o.of, g->hand);
        ledger_set_state(e->ledger, c, CAMPAIGN_CANCELLED, clock_wall());
        e->purge_due = e->sweep_due = true;
        return 0;
    }
    const struct order *before = o.kind == ORDER_CANCEL ? NULL : same_order(e, &o);
    uint64_t old = before ? before->number : 0;
    o.number = g->number = ledger_order_number(e->ledger);
    if (!o.number) return err_set(err, ERR_SYSTEM, "the orders cannot be read now: try again");
    struct order *own = orders_add(&e->hands.orders, &o);
    if (!own) return err_set(err, ERR_BUSY, "there are %d orders already: take some back", ORDERS_MOST);
    put_order(e, own);
    remark(e, acts[o.kind], &own->of, g->hand);
    if (old) {
        ledger_order_delete(e->ledger, old);
        orders_drop(&e->hands.orders, old);
    }
    if (c && o.kind == ORDER_SUSPEND) control_hold(e, c);
    hands_review(e, own);
    if (o.kind == ORDER_CANCEL) jobs_cancel(e, own);
    return 0;
}

int engine_order(struct engine *e, const struct engine_hand *hand, uint64_t *number, struct err *err) {
    struct giving g = {.hand = hand};
    int failed = control_ask(e, run_order, &g, true, err);
    *number = g.number;
    return failed;
}

/* A campaign that was suspended by an order of its own goes on with its end. */
static int end_order(struct engine *e, const struct order *o, struct err *err) {
    struct campaign *c = o->kind == ORDER_SUSPEND && selector_is_campaign(&o->of)
                             ? ledger_campaign(e->ledger, o->of.campaign)
                             : NULL;
    hands_drop(e, o->number);
    return c ? control_resume(e, c, err) : 0;
}

static int run_end(struct engine *e, void *ctx, struct err *err) {
    struct giving *g = ctx;
    const struct order *o = orders_find(&e->hands.orders, g->number);
    if (!o) return err_set(err, ERR_ABSENT, "there is no order %llu", (unsigned long long)g->number);
    if (o->kind == ORDER_CANCEL)
        return err_set(err, ERR_INPUT, "order %llu is a cancellation, which cannot be taken back",
                       (unsigned long long)g->number);
    remark(e, NOTE_RESUMED, &o->of, g->hand);
    return end_order(e, o, err);
}

int engine_order_end(struct engine *e, uint64_t number, const struct engine_hand *hand, struct err *err) {
    struct giving g = {.hand = hand, .number = number};
    return control_ask(e, run_end, &g, true, err);
}

static int run_campaign_goes_on(struct engine *e, void *ctx, struct err *err) {
    struct giving *g = ctx;
    struct selector of = {.campaign = g->campaign};
    struct campaign *c = ledger_under_way(e->ledger, g->campaign, err);
    if (!c) return -1;
    if (c->row.state == CAMPAIGN_HELD) remark(e, NOTE_RESUMED, &of, g->hand);
    for (size_t i = e->hands.orders.count; i > 0; i--) {
        const struct order *o = e->hands.orders.at[i - 1];
        if (o->kind == ORDER_SUSPEND && selector_same(&o->of, &of)) hands_drop(e, o->number);
    }
    return control_resume(e, c, err);
}

int engine_resume(struct engine *e, uint32_t campaign, const struct engine_hand *hand, struct err *err) {
    struct giving g = {.hand = hand, .campaign = campaign};
    return control_ask(e, run_campaign_goes_on, &g, true, err);
}

static int run_flush(struct engine *e, void *ctx, struct err *err) {
    const struct engine_hand *hand = ((struct giving *)ctx)->hand;
    if (check(e, &hand->of, err) || jobs_flush(e, &hand->of, err)) return -1;
    remark(e, NOTE_FLUSHED, &hand->of, hand);
    return 0;
}

int engine_flush(struct engine *e, const struct engine_hand *hand, struct err *err) {
    struct giving g = {.hand = hand};
    return control_ask(e, run_flush, &g, true, err);
}

/* ---- what is shown ---- */

struct listing {
    struct order_status *out;
    size_t most, count;
};

static void show(struct engine *e, const struct order *o, struct order_status *out) {
    const struct slice from[] = {o->of.provider, o->of.domain, o->of.source, o->of.identity,
                                 o->to,          o->by,        o->reason};
    out->order = *o;
    struct slice *to[] = {&out->order.of.provider, &out->order.of.domain, &out->order.of.source,
                          &out->order.of.identity, &out->order.to,        &out->order.by,
                          &out->order.reason};
    char *at = out->texts;
    for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
        if (from[i].len) memcpy(at, from[i].at, from[i].len);
        *to[i] = slice_make(at, from[i].len);
        at += from[i].len;
    }
    jobs_progress(e, o->number, &out->cancelled, &out->finished);
}

static int run_list(struct engine *e, void *ctx, struct err *err) {
    struct listing *l = ctx;
    (void)err;
    l->count = e->hands.orders.count;
    for (size_t i = 0; i < l->count && i < l->most; i++)
        show(e, e->hands.orders.at[i], &l->out[i]);
    return 0;
}

size_t engine_orders(struct engine *e, struct order_status *out, size_t most) {
    struct listing l = {out, most, 0};
    return control_ask(e, run_list, &l, false, NULL) ? 0 : l.count;
}
