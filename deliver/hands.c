/* Orders that stand (lanes/orders.h) at work. They are asked where mail comes into the backlog and where its
 * place there is decided; what they stop is not in anybody's turn (lanes/stops.c) or, where its chunk's table
 * would have to stay in memory for it, not in the backlog at all (aside.c). So the hot path knows nothing of
 * them.
 *
 * An order that is given looks once through the queues of the backlog, which are as many as there are domains
 * with mail, and not recipients. Windows that are granted are told to bring back what is not begun. */
#include "owner.h"

#include "log.h"

#include <stdlib.h>

struct subject hands_subject(struct engine *e, struct campaign *c, struct slice domain, unsigned source,
                             struct slice provider) {
    struct subject s = {.campaign = c->row.id,
                        .tenant = c->row.tenant,
                        .domain = domain,
                        .provider = provider,
                        .source = slice_of(e->options.sources[source].name)};
    const struct address *from = e->hands.orders.identities + e->hands.identities ? feed_from(e, c) : NULL;
    if (from) s.identity = from->text;
    return s;
}

static struct slice name_of(const struct domain *d) {
    return slice_make(d->name, d->name_len);
}

static struct slice lane_of(const struct domain *d) {
    return d && d->site ? slice_of(d->site->lane->name) : (struct slice){0};
}

static enum fate fate_of(struct engine *e, struct campaign *c, const struct domain *d) {
    if (!e->hands.orders.count) return FATE_GO;
    struct subject s = hands_subject(e, c, name_of(d), d->source, lane_of(d));
    const struct order *o = orders_stop(&e->hands.orders, &s);
    return !o ? FATE_GO : o->kind == ORDER_CANCEL ? FATE_CANCEL : FATE_STOP;
}

/* A source that is not configured any more is no way. */
static bool find_source(const struct engine *e, struct slice name, unsigned *source) {
    for (unsigned i = 0; i < e->options.source_count; i++)
        if (slice_eq(slice_of(e->options.sources[i].name), name)) return *source = i, true;
    return false;
}

static unsigned source_for(struct engine *e, struct campaign *c, struct slice name, struct slice provider) {
    unsigned source = resolve_source(e, name);
    if (!e->hands.orders.routes) return source;
    struct subject s = hands_subject(e, c, name, source, provider);
    const struct order *o = orders_route(&e->hands.orders, &s);
    if (o) find_source(e, o->to, &source);
    return source;
}

struct domain *hands_domain(struct engine *e, struct slice name, struct campaign *c) {
    struct slice provider = {0};
    if (e->hands.orders.routes)
        provider = lane_of(backlog_domain_known(&e->backlog, name, resolve_source(e, name)));
    return backlog_domain(&e->backlog, name, source_for(e, c, name, provider));
}

/* Those from the retry table go back there; the others wait in their chunk for whoever cancels them. */
static void leave_to_sweep(void *ctx, struct chunk *chunk, const struct slots *slots) {
    struct engine *e = ctx;
    ledger_pass_over(e->ledger, chunk, slots, clock_wall());
    feed_let_go(e, chunk);
}

static void set_aside(void *ctx, struct chunk *chunk, const struct slots *slots) {
    struct engine *e = ctx;
    aside_put(e, chunk, slots);
    feed_let_go(e, chunk);
}

bool hands_keep(struct engine *e, struct domain *d, struct chunk *chunk, const struct slots *slots) {
    enum fate fate = fate_of(e, chunk->campaign, d);
    if (fate == FATE_GO || (fate == FATE_STOP && !feed_is_loaded(chunk))) return false;
    if (fate == FATE_STOP)
        set_aside(e, chunk, slots);
    else
        leave_to_sweep(e, chunk, slots);
    backlog_domain_check(&e->backlog, d);
    return true;
}

void hands_stop(struct engine *e, struct queue *q) {
    struct domain *d = q ? backlog_queue_domain(q) : NULL;
    if (d && d->site && fate_of(e, q->first->chunk->campaign, d) == FATE_STOP) backlog_stop(&e->backlog, q);
}

static bool is_loaded(void *ctx, const struct batch *batch) {
    (void)ctx;
    return feed_is_loaded(batch->chunk);
}

/* What the orders say of the queue is done. */
static void look_at(struct engine *e, struct queue *q) {
    struct domain *d = backlog_queue_domain(q), *moved = NULL;
    struct campaign *c = q->first->chunk->campaign;
    unsigned source = source_for(e, c, name_of(d), lane_of(d));
    if (source != d->source) {
        struct domain *to = backlog_domain(&e->backlog, name_of(d), source);
        if (!to || !backlog_move(&e->backlog, q, to)) abort();
        q = backlog_queue(&e->backlog, to, c);
        d = moved = to;
    }
    switch (fate_of(e, c, d)) {
    case FATE_GO: backlog_go(&e->backlog, q); break;
    case FATE_STOP:
        if (d->site) backlog_stop(&e->backlog, q);
        backlog_take_out(&e->backlog, q, is_loaded, set_aside, e);
        break;
    case FATE_CANCEL: backlog_take_out(&e->backlog, q, NULL, leave_to_sweep, e); break;
    }
    if (moved && !moved->queues && moved->state == DOMAIN_PLACED) {
        struct site *site = moved->site;
        backlog_unplace(&e->backlog, moved); /* looked up with nothing in it, it is forgotten */
        backlog_site_check(&e->backlog, site);
    }
}

static void look_at_each(void *ctx, struct queue *q) {
    look_at(ctx, q);
}

void hands_placed(struct engine *e, struct domain *d) {
    if (e->hands.orders.count) backlog_each_of(&e->backlog, d, look_at_each, e);
}

/* ---- when the orders change ---- */

struct review {
    struct engine *engine;
    const struct order *added;
};

/* Does the order that was added concern it at all? */
static bool concerns(struct engine *e, const struct order *added, struct campaign *c,
                     const struct domain *d) {
    unsigned source = added->kind == ORDER_ROUTE ? resolve_source(e, name_of(d)) : d->source;
    struct subject s = hands_subject(e, c, name_of(d), source, lane_of(d));
    return order_fits(added, &s) == FIT_YES;
}

static void review_each(void *ctx, struct queue *q) {
    const struct review *r = ctx;
    struct domain *d = backlog_queue_domain(q);
    /* Its provider is not known: hands_placed looks at it when it is. */
    if (!r->added && !d->site && r->engine->hands.orders.count) return;
    if (r->added && !concerns(r->engine, r->added, q->first->chunk->campaign, d)) return;
    if (!r->added && !q->stopped && !r->engine->hands.orders.routes &&
        d->source == resolve_source(r->engine, name_of(d)))
        return;
    look_at(r->engine, q);
}

struct slice hands_domain_of(struct slice address) {
    for (size_t i = address.len; i > 0; i--)
        if (address.at[i - 1] == '@') return slice_skip(address, i);
    return slice_make("", 0);
}

/* A window's recipients are of one domain, mostly: each is looked at when it comes back. */
static const struct order *window_order(struct engine *e, const struct window *w, struct slice to) {
    const struct lane *lane = w->session->site->lane;
    struct subject s =
        hands_subject(e, w->chunk->campaign, hands_domain_of(to), lane->source, slice_of(lane->name));
    return orders_stop(&e->hands.orders, &s);
}

void hands_each_under_way(struct engine *e, under_way_fn *fn, void *ctx) {
    for (struct session *s = e->sessions; s; s = s->next)
        for (struct window *w = s->held; w; w = w->next_held) {
            struct slice domain = {0};
            uint32_t n = 0;
            for (unsigned i = 0; i < w->count; i++) {
                if (w->chunk->states[w->items[i].slot] != SLOT_LEASED) continue; /* settled */
                struct slice of = hands_domain_of(chunk_table_address(w->table, w->items[i].slot));
                if (n && !slice_eq(of, domain)) fn(ctx, w->chunk->campaign, s, domain, n), n = 0;
                domain = of;
                n++;
            }
            if (n) fn(ctx, w->chunk->campaign, s, domain, n);
        }
}

static void halt_windows(struct engine *e) {
    for (struct session *s = e->sessions; s; s = s->next)
        for (struct window *w = s->held; w; w = w->next_held)
            if (window_order(e, w, chunk_table_address(w->table, w->items[0].slot)))
                atomic_store_explicit(&w->halted, true, memory_order_relaxed);
}

void hands_review(struct engine *e, const struct order *added) {
    struct review r = {e, added};
    size_t bucket = 0;
    e->hands.next_end = orders_next_end(&e->hands.orders);
    backlog_each(&e->backlog, &bucket, SIZE_MAX, review_each, &r);
    if (added && added->kind != ORDER_ROUTE) halt_windows(e);
    if (added && added->kind == ORDER_SUSPEND) return;
    aside_anew(e);
    ledger_due_anew(e->ledger);
    e->next_due = 0;
}

static void forget_order(struct engine *e, uint64_t number) {
    ledger_order_delete(e->ledger, number);
    orders_drop(&e->hands.orders, number);
}

void hands_drop(struct engine *e, uint64_t number) {
    forget_order(e, number);
    hands_review(e, NULL);
}

void hands_settling(struct engine *e, const struct window *w, struct slice to, struct event *ev) {
    bool cancelled = ev->kind == EVENT_RETURNED || ev->kind == EVENT_DEFERRED;
    const struct order *o = e->hands.orders.count ? window_order(e, w, to) : NULL;
    if (!o || o->kind != ORDER_CANCEL) return;
    jobs_settled(e, o->number, cancelled);
    if (cancelled) ev->kind = EVENT_CANCELLED;
    if (cancelled || ev->kind == EVENT_UNCERTAIN) ev->due = 0;
}

/* ---- their end ---- */

static void say_over(const struct order *o) {
    struct buf of;
    buf_init(&of, 4096);
    selector_say(&o->of, &of);
    log_begin(LOG_LEVEL_INFO, "order-over");
    log_number("order", (int64_t)o->number);
    log_text("kind", order_kind_name(o->kind));
    log_slice("of", buf_slice(&of));
    log_end();
    buf_done(&of);
}

/* Its time has come, or there is nothing any more that it is about. */
static bool is_over(struct engine *e, const struct order *o, wall_us now) {
    if (o->until && o->until <= now) return true;
    if (o->kind == ORDER_CANCEL) return false; /* its job ends it, and says so */
    const struct campaign *c = o->of.campaign ? ledger_campaign(e->ledger, o->of.campaign) : NULL;
    return o->of.campaign && (!c || c->row.ended);
}

static void end_some(struct engine *e) {
    wall_us now = time_now(e);
    struct err err = {0};
    bool any = false;
    e->hands.over_due = false;
    for (size_t i = e->hands.orders.count; i > 0; i--) {
        struct order *o = e->hands.orders.at[i - 1];
        if (!is_over(e, o, now)) continue;
        struct campaign *c = selector_is_campaign(&o->of) && o->kind == ORDER_SUSPEND
                                 ? ledger_campaign(e->ledger, o->of.campaign)
                                 : NULL;
        say_over(o);
        forget_order(e, o->number);
        any = true;
        if (c && control_resume(e, c, &err)) log_say(LOG_LEVEL_ERROR, "resume", "error", err.text, NULL);
    }
    if (any) hands_review(e, NULL); /* once for all of them: it looks at the whole backlog */
}

void hands_turn(struct engine *e) {
    if (e->hands.over_due || e->hands.next_end <= time_now(e)) end_some(e);
    if (e->hands.jobs) jobs_turn(e);
    if (e->hands.anew.first) aside_feed(e);
}

/* ---- start and end ---- */

static int read_order(void *ctx, uint64_t number, struct slice bytes, struct err *err) {
    struct engine *e = ctx;
    struct order o;
    if (order_decode(bytes, number, &o, err)) return -1;
    return orders_add(&e->hands.orders, &o) ? 0 : err_set(err, ERR_SYSTEM, "too many orders, or no memory");
}

int hands_init(struct engine *e, struct err *err) {
    if (ledger_each_order(e->ledger, read_order, e, err)) return -1;
    e->hands.next_end = orders_next_end(&e->hands.orders);
    e->hands.over_due = e->hands.orders.count > 0;
    for (size_t i = 0; i < e->hands.orders.count; i++)
        if (e->hands.orders.at[i]->kind == ORDER_CANCEL) jobs_cancel(e, e->hands.orders.at[i]);
    return 0;
}

void hands_done(struct engine *e) {
    aside_done(e);
    jobs_done(e);
    orders_done(&e->hands.orders);
}
