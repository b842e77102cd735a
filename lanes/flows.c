/* Fair shares at a site: a heap of flows by their start tags. */
#include "backlog_priv.h"

enum { DUE_FOR_FRESH = 3 /* recipients that are due for each that is not */, OWED_MOST = 192 };

/* ---- the heap ---- */

static bool before(const struct flow *a, const struct flow *b) {
    return a->start < b->start || (a->start == b->start && a->order < b->order);
}

static void set(struct flow_heap *h, uint32_t place, struct flow *f) {
    h->at[place] = f;
    f->place = place;
}

static void sift_up(struct flow_heap *h, struct flow *f) {
    uint32_t at = f->place;
    for (; at > 0 && before(f, h->at[(at - 1) / 2]); at = (at - 1) / 2)
        set(h, at, h->at[(at - 1) / 2]);
    set(h, at, f);
}

static void sift_down(struct flow_heap *h, struct flow *f) {
    uint32_t at = f->place;
    for (uint32_t child; (child = 2 * at + 1) < h->count; at = child) {
        if (child + 1 < h->count && before(h->at[child + 1], h->at[child])) child++;
        if (!before(h->at[child], f)) break;
        set(h, at, h->at[child]);
    }
    set(h, at, f);
}

static void heap_in(struct flow_heap *h, struct flow *f) {
    if (h->count == h->room) {
        uint32_t room = h->room ? h->room * 2 : 1; /* at most sites there is one campaign */
        struct flow **at = realloc(h->at, room * sizeof(struct flow *));
        if (!at) abort();
        h->at = at;
        h->room = room;
    }
    f->place = h->count++;
    sift_up(h, f);
}

static void heap_out(struct flow_heap *h, struct flow *f) {
    struct flow *last = h->at[--h->count];
    if (last == f) return;
    set(h, f->place, last);
    sift_up(h, last);
    sift_down(h, last);
}

/* ---- rings of queues ---- */

static void ring_in(struct flow *f, struct queue *q, enum work work) {
    struct queue **turn = &f->turn[work];
    struct round *in = &q->in[work];
    if (!*turn) {
        *turn = in->next = in->prev = q;
        return;
    }
    in->next = *turn; /* last of the round */
    in->prev = (*turn)->in[work].prev;
    in->prev->in[work].next = in->next->in[work].prev = q;
}

static void ring_out(struct flow *f, struct queue *q, enum work work) {
    struct queue **turn = &f->turn[work];
    struct round *in = &q->in[work];
    if (in->next == q) {
        *turn = NULL;
    } else {
        in->prev->in[work].next = in->next;
        in->next->in[work].prev = in->prev;
        if (*turn == q) *turn = in->next;
    }
    in->next = in->prev = NULL;
}

static bool has(const struct queue *q, enum work work) {
    return work == WORK_DUE ? q->last_due != NULL : q->last != q->last_due;
}

static bool has_work(const struct flow *f) {
    return f->turn[WORK_FRESH] || f->turn[WORK_DUE];
}

/* ---- shares of lanes and tenants ---- */

static struct share *share_for(struct backlog *b, struct lane *lane, const struct campaign *c) {
    struct share *s = (struct share *)pairs_find(&b->pairs, lane, c);
    if (s) return s;
    if (!(s = calloc(1, sizeof *s))) abort();
    *s = (struct share){.pair = {.of = lane, .whose = c}, .next = lane->shares};
    if (s->next) s->next->prev = s;
    lane->shares = s;
    pairs_add(&b->pairs, &s->pair);
    return s;
}

static void share_leave(struct backlog *b, struct lane *lane, struct share *s) {
    if (--s->flows) return;
    assert(s->waiting == 0);
    if (s->prev)
        s->prev->next = s->next;
    else
        lane->shares = s->next;
    if (s->next) s->next->prev = s->prev;
    pairs_drop(&b->pairs, &s->pair);
    free(s);
}

static struct tenant_share *tenant_for(struct site *site, uint32_t number) {
    struct tenant_share *t = site->tenants;
    while (t && t->number != number)
        t = t->next;
    if (t) return t;
    if (!(t = calloc(1, sizeof *t))) abort();
    *t = (struct tenant_share){.number = number, .next = site->tenants};
    site->tenants = t;
    return t;
}

static void tenant_leave(struct site *site, struct tenant_share *t) {
    if (--t->flows) return;
    struct tenant_share **at = &site->tenants;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    free(t);
}

/* ---- flows ---- */

static struct flow *flow_new(struct backlog *b, struct site *site, const struct campaign *c) {
    struct flow *f = calloc(1, sizeof *f);
    if (!f) abort();
    *f = (struct flow){.pair = {.of = site, .whose = c},
                       .share = share_for(b, site->lane, c),
                       .tenant = tenant_for(site, c->row.tenant),
                       .priority = c->row.course.priority};
    f->share->flows++;
    f->tenant->flows++;
    pairs_add(&b->pairs, &f->pair);
    return f;
}

static void flow_free(struct backlog *b, struct site *site, struct flow *f) {
    pairs_drop(&b->pairs, &f->pair);
    share_leave(b, site->lane, f->share);
    tenant_leave(site, f->tenant);
    free(f);
}

/* Out of those remembered. Few are: each take lets go of two that are paid for. */
static void recall(struct flow_heap *h, struct flow *f) {
    struct flow **at = &h->past, *before_it = NULL;
    while (*at != f)
        before_it = *at, at = &(*at)->next;
    *at = f->next;
    if (h->past_last == f) h->past_last = before_it;
    f->next = NULL;
}

static void remember(struct flow_heap *h, struct flow *f) {
    f->next = NULL;
    if (h->past_last)
        h->past_last->next = f;
    else
        h->past = f;
    h->past_last = f;
}

/* Up to `most` of those remembered are looked at; with nobody left to wait for them all debts end. */
static void forget_past(struct backlog *b, struct site *site, struct flow_heap *h, unsigned most) {
    for (struct flow *f; (f = h->past) && (most-- || h->count == 0);) {
        recall(h, f);
        if (h->count == 0 || f->start <= h->now)
            flow_free(b, site, f);
        else
            remember(h, f);
    }
}

/* It has work now. */
static void flow_begin(struct backlog *b, struct site *site, struct flow *f, const struct campaign *c) {
    struct flow_heap *h = &site->flows[f->priority];
    f->weight = c->row.course.weight ? c->row.course.weight : WEIGHT_DEFAULT;
    if (f->start < h->now) f->start = h->now;
    f->order = b->flow_order++;
    f->tenant->weights[f->priority] += f->weight;
    heap_in(h, f);
}

static void flow_end(struct backlog *b, struct site *site, struct flow *f) {
    struct flow_heap *h = &site->flows[f->priority];
    heap_out(h, f);
    f->tenant->weights[f->priority] -= f->weight;
    remember(h, f);
    forget_past(b, site, h, 2);
}

static struct flow *flow_for(struct backlog *b, struct site *site, const struct campaign *c) {
    struct flow *f = (struct flow *)pairs_find(&b->pairs, site, c);
    if (f && has_work(f)) return f;
    if (f) recall(&site->flows[f->priority], f);
    if (f &&
        f->priority != c->row.course.priority) { /* it was changed: what it had there is not counted here */
        flow_free(b, site, f);
        f = NULL;
    }
    if (!f) f = flow_new(b, site, c);
    flow_begin(b, site, f, c);
    return f;
}

void flows_in(struct backlog *b, struct queue *q, struct site *site) {
    struct flow *f = flow_for(b, site, q->pair.whose);
    q->flow = f;
    for (enum work work = 0; work < WORKS; work++)
        if (has(q, work)) ring_in(f, q, work);
    f->share->waiting += q->waiting;
    site->waiting += q->waiting;
    site->lane->waiting += q->waiting;
    backlog_site_turn(site);
}

void flows_out(struct backlog *b, struct queue *q) {
    struct flow *f = q->flow;
    struct site *site = queue_domain(q)->site;
    f->share->waiting -= q->waiting;
    site->waiting -= q->waiting;
    site->lane->waiting -= q->waiting;
    q->flow = NULL;
    for (enum work work = 0; work < WORKS; work++)
        if (q->in[work].next) ring_out(f, q, work);
    if (!has_work(f)) flow_end(b, site, f);
    backlog_site_turn(site);
}

void flows_turn(struct queue *q) {
    bool moved = false;
    for (enum work work = 0; work < WORKS; work++) {
        if (has(q, work) == (q->in[work].next != NULL)) continue;
        moved = true;
        if (has(q, work))
            ring_in(q->flow, q, work);
        else
            ring_out(q->flow, q, work);
    }
    if (moved) backlog_site_turn(queue_domain(q)->site);
}

struct flow *flows_first(const struct site *site) {
    for (int p = PRIORITIES - 1; p >= 0; p--)
        if (site->flows[p].count) return site->flows[p].at[0];
    return NULL;
}

enum work flows_work(const struct flow *f) {
    if (!f->turn[WORK_FRESH]) return WORK_DUE;
    return f->turn[WORK_DUE] && f->owed >= 0 ? WORK_DUE : WORK_FRESH;
}

/* Neither collects for long what it did not want. */
static void owe(struct flow *f, enum work work, int32_t n) {
    f->owed += work == WORK_FRESH ? DUE_FOR_FRESH * n : -n;
    if (f->owed > OWED_MOST) f->owed = OWED_MOST;
    if (f->owed < -OWED_MOST) f->owed = -OWED_MOST;
}

void flows_charge(struct site *site, struct flow *f, struct queue *q, enum work work, unsigned n) {
    struct flow_heap *h = &site->flows[f->priority];
    h->now = f->start;
    f->start += n * (double)f->tenant->weights[f->priority] / f->weight;
    owe(f, work, (int32_t)n);
    if (f->turn[work] == q) f->turn[work] = q->in[work].next;
    sift_down(h, f);
    backlog_site_turn(site);
}

void flows_done(struct backlog *b, struct site *site) {
    for (int p = 0; p < PRIORITIES; p++) {
        struct flow_heap *h = &site->flows[p];
        assert(h->count == 0);
        forget_past(b, site, h, 0);
        free(h->at);
    }
}
