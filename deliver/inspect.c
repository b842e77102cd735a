/* Runs on the owner thread, a slice at a time; whoever asks waits in between. */
#include "inspect.h"

#include "owner.h"

#include <stdio.h>

enum { SLICE_DOMAINS = 1024, SLICE_BUCKETS = 16384 };

/* ---- sums ---- */

static int run_sums(struct engine *e, void *ctx, struct err *err) {
    struct waiting_sums *out = ctx;
    uint64_t known = e->backlog.recipients, ready = 0;
    (void)err;
    *out = (struct waiting_sums){.domains = e->backlog.domain_count};
    for (const struct lane *lane = e->backlog.lanes; lane; lane = lane->next)
        out->placed += lane->waiting;
    for (const struct domain *d = e->backlog.waiting; d; d = d->next)
        out->put_off += d->waiting;
    if (known > out->placed + out->put_off) out->asking = known - out->placed - out->put_off;
    for (const struct campaign *c = ledger_campaigns(e->ledger); c; c = c->next)
        if (c->row.state == CAMPAIGN_READY && !c->sweeping && c->row.course.not_before <= time_now(e)) {
            uint64_t pending = tally_pending(&c->row.tally), elsewhere = c->leased + c->row.tally.deferred;
            ready += pending > elsewhere ? pending - elsewhere : 0;
        }
    bool mixed = false;
    for (int p = 0; p < PRIORITIES; p++)
        mixed = mixed || e->mixed[p].first;
    if (mixed && ready > known) out->unsorted = ready - known;
    return 0;
}

int engine_waiting(struct engine *e, struct waiting_sums *out, struct err *err) {
    return control_ask(e, run_sums, out, false, err);
}

/* ---- domains ---- */

/* Goes through the buckets as they were when it began. The table only ever grows, by doubling: what stood in
 * one bucket stands in those with the same low bits. */
struct walk {
    uint32_t campaign;
    waiting_fn *fn;
    void *ctx;
    size_t buckets, next;
};

static void sum_queues(const struct domain *d, uint32_t campaign, struct waiting_domain *sum) {
    for (const struct queue *q = d->queues; q; q = q->sibling) {
        if (campaign && ((const struct campaign *)q->pair.whose)->row.id != campaign) continue;
        sum->recipients += q->waiting;
        if (q->stopped) sum->suspended += q->waiting;
    }
}

static void show_domain(const struct walk *w, const struct domain *d) {
    struct waiting_domain shown = {.name = slice_make(d->name, d->name_len)};
    sum_queues(d, w->campaign, &shown);
    if (!shown.recipients) return;
    if (d->site) {
        shown.lane = d->site->lane->name;
        shown.source = d->site->lane->source;
    } else {
        shown.place = d->state == DOMAIN_WAITING ? WAITING_PUT_OFF : WAITING_ASKING;
    }
    w->fn(w->ctx, &shown);
}

static int run_slice(struct engine *e, void *ctx, struct err *err) {
    struct walk *w = ctx;
    const struct backlog *b = &e->backlog;
    unsigned domains = 0;
    (void)err;
    if (!w->buckets) w->buckets = b->domain_slots;
    for (unsigned n = 0; n < SLICE_BUCKETS && domains < SLICE_DOMAINS && w->next < w->buckets; n++, w->next++)
        for (size_t i = w->next; i < b->domain_slots; i += w->buckets)
            for (const struct domain *d = b->domains[i]; d; d = d->same_hash, domains++)
                show_domain(w, d);
    return 0;
}

static void show_under_way(void *ctx, struct campaign *c, struct session *s, struct slice domain,
                           uint32_t recipients) {
    const struct walk *w = ctx;
    if (w->campaign && w->campaign != c->row.id) return;
    struct waiting_domain shown = {.name = domain,
                                   .place = WAITING_UNDER_WAY,
                                   .lane = s->site->lane->name,
                                   .source = s->site->lane->source,
                                   .recipients = recipients};
    w->fn(w->ctx, &shown);
}

static int run_under_way(struct engine *e, void *ctx, struct err *err) {
    (void)err;
    hands_each_under_way(e, show_under_way, ctx);
    return 0;
}

int engine_each_waiting(struct engine *e, uint32_t campaign, waiting_fn *fn, void *ctx, struct err *err) {
    struct walk walk = {.campaign = campaign, .fn = fn, .ctx = ctx};
    do {
        if (control_ask(e, run_slice, &walk, false, err)) return -1;
    } while (walk.next < walk.buckets);
    return control_ask(e, run_under_way, &walk, false, err);
}

/* ---- one domain ---- */

struct where {
    struct slice domain;
    struct domain_place *out;
};

static void show_site(const struct site *site, struct domain_place *out) {
    struct mx_answer mx;
    snprintf(out->lane, sizeof out->lane, "%s", site->lane->name);
    out->source = site->lane->source;
    out->tail = site->lane->tail;
    if (mx_answer_decode(site->mx, &mx) && mx.host_count)
        snprintf(out->host, sizeof out->host, "%s", mx.hosts[0].name);
}

static void show_known(const struct domain *d, struct domain_place *out) {
    out->waiting = d->waiting;
    out->kind = d->site ? DOMAIN_IS_HERE : d->state == DOMAIN_WAITING ? DOMAIN_IS_PUT_OFF : DOMAIN_IS_ASKED;
    if (d->site) show_site(d->site, out);
}

static int run_domain(struct engine *e, void *ctx, struct err *err) {
    struct where *w = ctx;
    struct domain_place *out = w->out;
    struct mx_answer mx;
    const struct domain *d = backlog_domain_known(&e->backlog, w->domain, resolve_source(e, w->domain));
    (void)err;
    *out = (struct domain_place){.kind = DOMAIN_IS_STRANGE};
    if (d && (d->waiting || d->asked || d->site)) {
        show_known(d, out);
        return 0;
    }
    buf_reset(&e->scratch);
    if (!ledger_domain_get(e->ledger, w->domain, time_now(e), &e->scratch) ||
        !mx_answer_decode(buf_slice(&e->scratch), &mx))
        return 0;
    out->kind = mx.host_count ? DOMAIN_IS_REMEMBERED : DOMAIN_IS_NOWHERE;
    snprintf(out->text, sizeof out->text, "%s", mx.text);
    if (!mx.host_count) return 0;
    const char *provider = resolve_provider(e, &mx);
    snprintf(out->host, sizeof out->host, "%s", mx.hosts[0].name);
    snprintf(out->lane, sizeof out->lane, "%.127s", provider ? provider : mx.hosts[0].name);
    out->tail = !provider;
    out->source = resolve_source(e, w->domain);
    return 0;
}

/* ---- mail exchangers ---- */

/* Through the sites, as through the domains above. */
struct search {
    struct slice host; /* lower case */
    struct domain_place *out;
    size_t buckets, next;
    bool found;
};

/* Names stand in the encoded answer as they are; few have to be decoded. */
static bool has_host(const struct site *site, struct slice host) {
    struct mx_answer mx;
    if (!memmem(site->mx.at, site->mx.len, host.at, host.len) || !mx_answer_decode(site->mx, &mx))
        return false;
    for (unsigned i = 0; i < mx.host_count; i++)
        if (slice_eq(slice_of(mx.hosts[i].name), host)) return true;
    return false;
}

static int run_search(struct engine *e, void *ctx, struct err *err) {
    struct search *s = ctx;
    const struct backlog *b = &e->backlog;
    unsigned sites = 0;
    (void)err;
    if (!s->buckets) s->buckets = b->site_slots;
    for (unsigned n = 0; n < SLICE_BUCKETS && sites < SLICE_DOMAINS && s->next < s->buckets; n++, s->next++)
        for (size_t i = s->next; i < b->site_slots; i += s->buckets)
            for (const struct site *site = b->sites[i]; site && !s->found; site = site->same_key, sites++)
                if (has_host(site, s->host)) {
                    show_site(site, s->out);
                    s->out->kind = DOMAIN_IS_EXCHANGER;
                    s->found = true;
                }
    return 0;
}

static int find_exchanger(struct engine *e, struct slice host, struct domain_place *out, struct err *err) {
    struct search search = {.host = host, .out = out};
    do {
        if (control_ask(e, run_search, &search, false, err)) return -1;
    } while (!search.found && search.next < search.buckets);
    return 0;
}

int engine_domain(struct engine *e, struct slice domain, struct domain_place *out, struct err *err) {
    char name[MX_NAME_MAX];
    struct where where = {{name, domain.len}, out};
    *out = (struct domain_place){.kind = DOMAIN_IS_STRANGE};
    if (domain.len == 0 || domain.len > sizeof name) return 0;
    for (size_t i = 0; i < domain.len; i++)
        name[i] = ascii_lower(domain.at[i]);
    if (control_ask(e, run_domain, &where, false, err)) return -1;
    return out->kind == DOMAIN_IS_STRANGE ? find_exchanger(e, where.domain, out, err) : 0;
}
