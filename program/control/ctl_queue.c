/* Who waits is counted by the engine (inspect.h), who was refused for now by the retry table, which is read
 * here: neither holds up the owner thread. What can't be told is said. */
#include "ctl_queue.h"

#include "counting.h"
#include "inspect.h"
#include "row.h"
#include "show.h"

#include <stdio.h>
#include <stdlib.h>

enum { CAMPAIGNS_MOST = 4096, RETRIES_MOST = 2 * 1000 * 1000, ROWS_MOST = 10000 };

enum by { BY_CAMPAIGN, BY_PROVIDER, BY_DOMAIN, BY_AGE };
static const char *const by_names[] = {"campaign", "provider", "domain", "age"};

struct queue {
    struct instance *in;
    enum by by;
    uint32_t campaign; /* 0: all */
    struct slice provider, domain;
    size_t most;
    struct campaign_status *campaigns;
    size_t campaign_count;
    struct counting rows;
    struct counting places; /* domains, to the lanes that they go to: see provider_of */
    struct waiting_sums sums;
    uint64_t held, scheduled, waiting, under_way, deferred; /* of the campaigns that are looked at */
    uint64_t mixed;                                         /* refused for now, in chunks of many domains */
    uint64_t suspended;                                     /* part of those that wait, where it is known */
    uint64_t asking, put_off;                               /* as in sums, of what is looked at */
    bool cut;                                               /* the retry table is longer than was read */
    wall_us now, next_due;
};

/* ---- campaigns ---- */

static bool looked_at(const struct queue *q, uint32_t campaign) {
    return !q->campaign || q->campaign == campaign;
}

static uint64_t waits(const struct campaign_status *c) {
    uint64_t pending = tally_pending(&c->tally), elsewhere = c->leased + c->deferred;
    return pending > elsewhere ? pending - elsewhere : 0;
}

static void sum_campaigns(struct queue *q) {
    for (size_t i = 0; i < q->campaign_count; i++) {
        const struct campaign_status *c = &q->campaigns[i];
        if (!looked_at(q, c->id) || c->state == CAMPAIGN_DONE) continue;
        *(c->state != CAMPAIGN_READY ? &q->held : c->waits ? &q->scheduled : &q->waiting) += waits(c);
        q->under_way += c->leased;
        q->deferred += c->deferred;
        if (q->by != BY_CAMPAIGN || !tally_pending(&c->tally)) continue;
        struct counted *row = counting_of(&q->rows, slice_of(c->name));
        row->waiting += waits(c);
        row->under_way += c->leased;
        row->deferred += c->deferred;
    }
}

static const struct campaign_status *campaign_of(const struct queue *q, uint32_t id) {
    for (size_t i = 0; i < q->campaign_count; i++)
        if (q->campaigns[i].id == id) return &q->campaigns[i];
    return NULL;
}

/* ---- ages ---- */

static const struct {
    int64_t below_s;
    const char *waits, *due;
} ages[] = {
    {60, "waits for less than 1 minute", "next try within 1 minute"},
    {600, "waits for 1 to 10 minutes", "next try in 1 to 10 minutes"},
    {3600, "waits for 10 minutes to 1 hour", "next try in 10 minutes to 1 hour"},
    {6 * 3600, "waits for 1 to 6 hours", "next try in 1 to 6 hours"},
    {24 * 3600, "waits for 6 to 24 hours", "next try in 6 to 24 hours"},
    {INT64_MAX / US_PER_SEC, "waits for more than a day", "next try in more than a day"},
};

static unsigned age_of(int64_t us) {
    unsigned i = 0;
    while (us / US_PER_SEC >= ages[i].below_s)
        i++;
    return i;
}

/* Rows in the order of the table. */
static void sum_ages(struct queue *q) {
    for (size_t i = 0; i < sizeof ages / sizeof ages[0]; i++)
        counting_of(&q->rows, slice_of(ages[i].waits));
    for (size_t i = 0; i < sizeof ages / sizeof ages[0]; i++)
        counting_of(&q->rows, slice_of(ages[i].due));
    for (size_t i = 0; i < q->campaign_count; i++) {
        const struct campaign_status *c = &q->campaigns[i];
        if (!looked_at(q, c->id) || c->state != CAMPAIGN_READY || c->waits || !waits(c)) continue;
        wall_us since = c->course.not_before > c->ready ? c->course.not_before : c->ready;
        int64_t age = q->now > since ? q->now - since : 0;
        counting_of(&q->rows, slice_of(ages[age_of(age)].waits))->waiting += waits(c);
    }
}

/* ---- who waits ---- */

static bool named(struct slice wanted, struct slice is) {
    return !wanted.len || slice_eq_nocase(wanted, is);
}

static void count_domain(void *ctx, const struct waiting_domain *d) {
    struct queue *q = ctx;
    if (!named(q->domain, d->name)) return;
    if (q->provider.len && !(d->lane && named(q->provider, slice_of(d->lane)))) return;
    q->suspended += d->suspended;
    if (d->place == WAITING_ASKING) q->asking += d->recipients;
    if (d->place == WAITING_PUT_OFF) q->put_off += d->recipients;
    if (q->by != BY_DOMAIN && !d->lane) return;
    struct counted *row = counting_of(&q->rows, q->by == BY_DOMAIN ? d->name : slice_of(d->lane));
    *(d->place == WAITING_UNDER_WAY ? &row->under_way : &row->waiting) += d->recipients;
}

/* ---- who was refused for now ---- */

/* The lane of a domain, asked once: `places` has for each domain the number of its lane's row, from 1. */
static struct slice provider_of(struct queue *q, struct slice domain, char room[512]) {
    struct domain_place place;
    struct err err;
    struct counted *known = counting_of(&q->places, domain);
    if (known == &q->places.other || known->waiting == UINT64_MAX) return SLICE(""); /* not known */
    if (known->waiting) return slice_of(q->rows.all[known->waiting - 1].name);
    if (engine_domain(q->in->engine, domain, &place, &err) || !place.lane[0]) {
        known->waiting = UINT64_MAX;
        return SLICE("");
    }
    snprintf(room, 512, "%s", place.lane);
    struct counted *row = counting_of(&q->rows, slice_of(room));
    if (row != &q->rows.other) known->waiting = (uint64_t)(row - q->rows.all) + 1;
    return slice_of(room);
}

struct retries {
    struct queue *q;
    struct store_reader *reader;
    uint64_t chunk; /* of the row before */
    char domain[256];
    bool mixed;
};

static int find_domain(struct retries *r, uint64_t chunk, struct err *err) {
    struct store_key key = store_key_u64(chunk);
    struct slice value;
    struct chunk_row row;
    if (r->chunk == chunk) return 0;
    int found = store_get(r->reader, TABLE_CHUNK, store_key_slice(&key), &value, err);
    if (found < 0) return -1;
    r->chunk = chunk;
    r->mixed = !(found == 1 && chunk_row_decode(value, &row, err) == 0 && row.domain.len);
    if (!r->mixed) snprintf(r->domain, sizeof r->domain, "%.*s", SLICE_ARG(row.domain));
    return 0;
}

static void add_due(struct counted *row, wall_us due) {
    row->deferred++;
    if (due < row->next_due) row->next_due = due;
}

/* By provider or domain: where the chunk tells. */
static void count_by_place(struct retries *r, wall_us due) {
    struct queue *q = r->q;
    char room[512];
    struct slice domain = slice_of(r->domain);
    if (r->mixed) {
        q->mixed++;
        return;
    }
    if (!named(q->domain, domain)) return;
    struct slice provider =
        q->by == BY_PROVIDER || q->provider.len ? provider_of(q, domain, room) : SLICE("");
    if (q->provider.len && !named(q->provider, provider)) return;
    if (q->by == BY_DOMAIN)
        add_due(counting_of(&q->rows, domain), due);
    else if (provider.len)
        add_due(counting_of(&q->rows, provider), due);
    else
        q->mixed++;
}

static int count_retry(struct retries *r, const struct store_cursor *c, struct err *err) {
    struct queue *q = r->q;
    uint64_t due, rid;
    if (!store_key_number(c->key, 0, &due) || !store_key_number(c->key, 1, &rid)) return 0;
    uint32_t campaign = chunk_campaign(rid >> 8);
    const struct campaign_status *of = campaign_of(q, campaign);
    if (!looked_at(q, campaign) || !of) return 0;
    if ((wall_us)due < q->next_due) q->next_due = (wall_us)due;
    if (q->by == BY_CAMPAIGN) {
        struct counted *row = counting_of(&q->rows, slice_of(of->name));
        if ((wall_us)due < row->next_due) row->next_due = (wall_us)due;
    } else if (q->by == BY_AGE) {
        int64_t in = (wall_us)due > q->now ? (wall_us)due - q->now : 0;
        add_due(counting_of(&q->rows, slice_of(ages[age_of(in)].due)), (wall_us)due);
    } else if (find_domain(r, rid >> 8, err)) {
        return -1;
    } else {
        count_by_place(r, (wall_us)due);
    }
    return 0;
}

static int read_retries(struct retries *r, struct err *err) {
    struct store_cursor c;
    if (store_cursor_init(&c, r->reader, TABLE_RETRY, err)) return -1;
    uint64_t rows = 0;
    int more = store_cursor_first(&c, err);
    while (more == 1 && rows++ < RETRIES_MOST)
        more = count_retry(r, &c, err) ? -1 : store_cursor_next(&c, err);
    r->q->cut = more == 1;
    store_cursor_done(&c);
    return more < 0 ? -1 : 0;
}

static int sum_retries(struct queue *q, struct err *err) {
    struct retries r = {.q = q, .reader = store_reader_open(q->in->store, err), .chunk = UINT64_MAX};
    if (!r.reader) return -1;
    int failed = store_read_begin(r.reader, err);
    if (!failed) {
        failed = read_retries(&r, err);
        store_read_end(r.reader);
    }
    store_reader_free(r.reader);
    return failed;
}

/* ---- the answer ---- */

static void put_time(struct jdoc *o, const char *key, wall_us at) {
    char text[CLOCK_TEXT_MAX];
    if (at == NEVER)
        jdoc_put_null(o, key);
    else
        jdoc_put_text(o, key, slice_make(text, (size_t)clock_rfc3339(at, text)));
}

static void put_row(struct jdoc *o, const struct queue *q, const struct counted *row) {
    jdoc_put_number(o, "waiting", (int64_t)row->waiting);
    if (q->by != BY_AGE) jdoc_put_number(o, "under_way", (int64_t)row->under_way);
    jdoc_put_number(o, "deferred", (int64_t)row->deferred);
    put_time(o, "next_due", row->next_due);
}

static bool is_empty(const struct counted *row) {
    return !row->waiting && !row->under_way && !row->deferred;
}

static void put_rows(struct jdoc *o, struct queue *q) {
    struct jdoc *list = jdoc_child_list(o, "rows");
    struct counted rest = q->rows.other;
    size_t left = 0;
    if (q->by != BY_AGE) counting_sort(&q->rows);
    for (size_t i = 0; i < q->rows.count; i++) {
        const struct counted *row = &q->rows.all[i];
        if (is_empty(row)) continue;
        if (i < q->most) {
            struct jdoc *one = jdoc_item_object(list);
            jdoc_put_text(one, "name", slice_of(row->name));
            put_row(one, q, row);
            continue;
        }
        left++;
        rest.waiting += row->waiting;
        rest.under_way += row->under_way;
        rest.deferred += row->deferred;
        if (row->next_due < rest.next_due) rest.next_due = row->next_due;
    }
    struct jdoc *one = jdoc_child_object(o, "rest");
    jdoc_put_number(one, "rows", (int64_t)left);
    put_row(one, q, &rest);
}

/* Of a provider or a domain: what its rows have. */
static void sum_rows(struct queue *q) {
    q->waiting = q->rows.other.waiting;
    q->deferred = q->rows.other.deferred;
    q->under_way = q->rows.other.under_way;
    q->held = q->scheduled = 0;
    q->next_due = q->rows.other.next_due;
    for (size_t i = 0; i < q->rows.count; i++) {
        q->waiting += q->rows.all[i].waiting;
        q->deferred += q->rows.all[i].deferred;
        q->under_way += q->rows.all[i].under_way;
        if (q->rows.all[i].next_due < q->next_due) q->next_due = q->rows.all[i].next_due;
    }
}

static void put_sums(struct jdoc *o, struct queue *q) {
    if (q->provider.len || q->domain.len) sum_rows(q);
    struct jdoc *in_all = jdoc_child_object(o, "in_all"), *not_known = jdoc_child_object(o, "not_known");
    jdoc_put_number(in_all, "waiting", (int64_t)q->waiting);
    jdoc_put_number(in_all, "under_way", (int64_t)q->under_way);
    jdoc_put_number(in_all, "deferred", (int64_t)q->deferred);
    jdoc_put_number(in_all, "held", (int64_t)q->held);
    jdoc_put_number(in_all, "scheduled", (int64_t)q->scheduled);
    jdoc_put_number(in_all, "suspended", (int64_t)q->suspended);
    put_time(in_all, "next_due", q->next_due);
    bool places = q->by == BY_PROVIDER || q->by == BY_DOMAIN;
    jdoc_put_number(not_known, "looked_up_now", (int64_t)(places ? q->asking : 0));
    jdoc_put_number(not_known, "look_up_failed", (int64_t)(places ? q->put_off : 0));
    jdoc_put_number(not_known, "not_sorted", (int64_t)(places && !q->campaign ? q->sums.unsorted : 0));
    jdoc_put_number(not_known, "deferred", (int64_t)q->mixed);
    jdoc_put_bool(not_known, "retries_cut", q->cut);
}

static int count_all(struct queue *q, struct err *err) {
    size_t n = engine_campaigns(q->in->engine, q->campaigns, CAMPAIGNS_MOST);
    q->campaign_count = n < CAMPAIGNS_MOST ? n : CAMPAIGNS_MOST;
    sum_campaigns(q);
    if (engine_waiting(q->in->engine, &q->sums, err)) return -1;
    if (q->by == BY_AGE) sum_ages(q);
    bool places = q->by == BY_PROVIDER || q->by == BY_DOMAIN;
    if (places && engine_each_waiting(q->in->engine, q->campaign, count_domain, q, err)) return -1;
    return sum_retries(q, err);
}

static int read_request(struct queue *q, const struct jdoc *request, struct err *err) {
    struct slice by = jdoc_text(request, "by"), campaign = jdoc_text(request, "campaign");
    struct campaign_status c;
    int64_t most = jdoc_number(request, "most", 20);
    q->provider = jdoc_text(request, "provider");
    q->domain = jdoc_text(request, "domain");
    q->most = most > 0 && most < ROWS_MOST ? (size_t)most : ROWS_MOST;
    q->by = (q->provider.len || q->domain.len) ? BY_DOMAIN : BY_CAMPAIGN;
    for (unsigned i = 0; by.len && i <= sizeof by_names / sizeof by_names[0]; i++) {
        if (i == sizeof by_names / sizeof by_names[0])
            return err_set(err, ERR_INPUT, "queue: by is campaign, provider, domain or age");
        q->by = (enum by)i;
        if (slice_eq(by, slice_of(by_names[i]))) break;
    }
    if ((q->by == BY_CAMPAIGN || q->by == BY_AGE) && (q->provider.len || q->domain.len))
        return err_set(err, ERR_INPUT, "queue: of a provider or a domain only its domains can be told apart");
    if (campaign.len && engine_campaign_find(q->in->engine, campaign, &c, err)) return -1;
    if (campaign.len) q->campaign = c.id;
    return 0;
}

struct jdoc *ctl_queue(struct instance *in, const struct jdoc *request) {
    struct queue q = {.in = in, .now = clock_wall(), .next_due = NEVER};
    struct err err;
    if (read_request(&q, request, &err)) return talk_refusal(&err);
    counting_init(&q.rows);
    counting_init(&q.places);
    q.campaigns = calloc(CAMPAIGNS_MOST, sizeof *q.campaigns);
    int failed = q.campaigns ? count_all(&q, &err) : err_set(&err, ERR_SYSTEM, "out of memory");
    struct jdoc *o = failed ? talk_refusal(&err) : jdoc_object();
    if (!failed) {
        jdoc_put_bool(o, "ok", true);
        put_time(o, "time", q.now);
        jdoc_put_text(o, "by", slice_of(by_names[q.by]));
        put_rows(o, &q);
        put_sums(o, &q);
    }
    counting_done(&q.rows);
    counting_done(&q.places);
    free(q.campaigns);
    return o;
}
