/* From domains to sites: the domain table first, then DNS; then which provider the mail exchangers are of,
 * and its lane. */
#include "owner.h"

#include "classify.h"
#include "hash.h"
#include "lane_memory.h"
#include "log.h"
#include "profile.h"

#include <assert.h>
#include <stdlib.h>

enum { LOOKUPS_MAX = 500, LOOKUPS_URGENT = 100 /* beyond, for transactional mail */, LOOKUPS_A_TURN = 256 };
#define FIRST_PAUSE (10 * US_PER_SEC)
#define MOST_PAUSE  (600 * US_PER_SEC)

/* The provider whose mail exchangers these are: the best one decides, and of several the longest suffix. */
static const struct provider_options *provider_of(const struct engine *e, const struct mx_answer *mx) {
    struct slice host = slice_of(mx->hosts[0].name);
    const struct provider_options *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < e->options.provider_count; i++) {
        const struct provider_options *p = &e->options.providers[i];
        size_t len =
            best && best->own && !p->own ? 0 : profile_match(p->mx_suffixes, p->mx_suffix_count, host);
        if (len == 0 || (best && best->own == p->own && len <= best_len)) continue;
        best = p;
        best_len = len;
    }
    return best;
}

/* The same for the same set of names, in whatever order. */
static uint64_t site_key(const struct engine *e, const struct mx_answer *mx, unsigned source) {
    uint64_t key = hash_mix(source + 1);
    for (unsigned i = 0; i < mx->host_count; i++)
        key += hash_bytes(slice_of(mx->hosts[i].name), e->backlog.seed);
    return key;
}

/* Whose limits are those of one site goes by its exchangers, whatever name it has. */
static uint64_t set_of(const struct mx_answer *mx) {
    uint64_t set = 0;
    for (unsigned i = 0; i < mx->host_count; i++)
        set = lane_set_add(set, slice_of(mx->hosts[i].name));
    return set;
}

static struct lane *lane_for(struct engine *e, const struct mx_answer *mx, unsigned source) {
    const struct provider_options *p = provider_of(e, mx);
    struct slice name = slice_of(p ? p->name : mx->hosts[0].name);
    bool passing = !p || p->by_site;
    struct lane *lane = passing ? NULL : backlog_lane(&e->backlog, name, source);
    if (lane) return lane;
    lane = backlog_lane_new(&e->backlog, name, source, passing);
    if (!lane) return NULL;
    if (passing) lane->set = set_of(mx);
    learning_begin(e, lane, p ? &p->profile : &e->options.default_profile);
    remembering_load(e, lane);
    lane->tls = (int)(p ? p->tls : e->options.default_tls);
    lane->bdat = p ? p->bdat : e->options.default_bdat;
    return lane;
}

const char *resolve_provider(const struct engine *e, const struct mx_answer *mx) {
    const struct provider_options *p = provider_of(e, mx);
    return p ? p->name : NULL;
}

unsigned resolve_source(const struct engine *e, struct slice domain) {
    return (unsigned)(hash_bytes(domain, 0) % e->options.source_count);
}

struct slice resolve_lane(struct engine *e, struct slice domain, unsigned source, struct buf *scratch) {
    const struct domain *d = backlog_domain_known(&e->backlog, domain, source);
    struct mx_answer mx;
    if (d && d->site) return slice_of(d->site->lane->name);
    buf_reset(scratch);
    if (!ledger_domain_get(e->ledger, domain, time_now(e), scratch) ||
        !mx_answer_decode(buf_slice(scratch), &mx) || (mx.status != MX_OK && mx.status != MX_IMPLICIT))
        return (struct slice){0};
    const struct provider_options *p = provider_of(e, &mx);
    if (p) return slice_of(p->name);
    buf_reset(scratch);
    buf_put_slice(scratch, slice_of(mx.hosts[0].name));
    return buf_slice(scratch);
}

static void place(struct engine *e, struct domain *d, const struct mx_answer *mx, struct slice encoded) {
    unsigned source = d->source;
    uint64_t key = site_key(e, mx, source);
    struct site *site = backlog_site(&e->backlog, key);
    if (site) {
        backlog_site_refresh(site, encoded);
    } else {
        struct lane *lane = lane_for(e, mx, source);
        site = lane ? backlog_site_new(&e->backlog, key, lane, encoded) : NULL;
        /* Sites of few mails come and go: their first sessions are to be spread too. */
        if (site) site->rotation = (uint32_t)hash_mix(key ^ e->counters.sessions_opened);
    }
    if (!site) abort();
    backlog_place(&e->backlog, d, site, loop_now(e->loop) + (mono_us)mx->ttl_s * US_PER_SEC);
    hands_placed(e, d);
}

/* No mail can go there, or nobody could say. */
static void unplaceable(struct engine *e, struct domain *d, const struct mx_answer *mx) {
    enum classify_local local;
    switch (mx->status) {
    case MX_NULL: local = CLASSIFY_DNS_NULL_MX; break;
    case MX_NO_DOMAIN: local = CLASSIFY_DNS_NO_DOMAIN; break;
    case MX_NO_MAIL: local = CLASSIFY_DNS_NO_HOST; break;
    default: local = CLASSIFY_DNS_TEMPORARY;
    }
    struct classify_verdict verdict = classify_local(local);
    struct outcome o;
    outcome_local(&o, verdict.permanent ? EVENT_FAILED : EVENT_DEFERRED, SMTP_STAGE_NONE,
                  (uint8_t)verdict.class, slice_of(mx->text));
    if (!verdict.permanent && d->waiting > DEFER_INSTEAD) {
        unsigned doublings = d->failures < 6 ? d->failures++ : 6;
        mono_us pause = FIRST_PAUSE << doublings;
        backlog_postpone(&e->backlog, d, loop_now(e->loop) + (pause < MOST_PAUSE ? pause : MOST_PAUSE));
        return;
    }
    settle_domain(e, d, &o);
    d->asked = false;
    d->state = DOMAIN_PLACED; /* nowhere: and so forgotten */
    backlog_domain_check(&e->backlog, d);
}

/* A list may name domains whose exchangers lie in our own network: what stands there is not for strangers to
 * reach through us. The answer is remembered as it came, so that the key can be changed. */
static void place_public(struct engine *e, struct domain *d, const struct mx_answer *mx,
                         struct slice encoded) {
    struct mx_answer kept = *mx;
    struct buf bytes;
    if (e->options.private_hosts || !mx_answer_keep_public(&kept)) {
        place(e, d, mx, encoded);
    } else if (kept.host_count == 0) {
        unplaceable(e, d, &kept);
    } else {
        buf_init(&bytes, 64 * 1024);
        mx_answer_encode(&kept, &bytes);
        place(e, d, &kept, buf_slice(&bytes));
        buf_done(&bytes);
    }
}

static void place_or_not(struct engine *e, struct domain *d, const struct mx_answer *mx,
                         struct slice encoded) {
    if (!d->queues || e->draining) { /* cancelled meanwhile; or the next start sees to it */
        d->asked = false;
        d->state = DOMAIN_PLACED;
        backlog_domain_check(&e->backlog, d);
    } else if (mx->status == MX_OK || mx->status == MX_IMPLICIT) {
        place_public(e, d, mx, encoded);
    } else {
        unplaceable(e, d, mx);
    }
}

static void question_free(struct question *q) {
    if (q->prev)
        q->prev->next = q->next;
    else
        q->engine->questions = q->next;
    if (q->next) q->next->prev = q->prev;
    free(q);
}

/* After the resolver is closed: those that are never answered. */
void resolve_done(struct engine *e) {
    for (struct question *q = e->questions, *next; q; q = next) {
        next = q->next;
        free(q);
    }
    e->questions = NULL;
}

static void answered(void *ctx, const struct mx_answer *said) {
    struct question *q = ctx;
    struct engine *e = q->engine;
    struct domain *d = q->domain;
    struct buf encoded;
    struct mx_answer copy = *said, *mx = &copy;
    question_free(q);
    doubt_answer(e, slice_make(d->name, d->name_len), mx);
    buf_init(&encoded, 64 * 1024);
    mx_answer_encode(mx, &encoded);
    bool failed = mx->status == MX_TEMPORARY || mx->status == MX_BOGUS;
    e->counters.dns_failures += failed;
    if (!failed && !encoded.failed)
        ledger_domain_put(e->ledger, slice_make(d->name, d->name_len),
                          time_now(e) + (wall_us)mx->ttl_s * US_PER_SEC, buf_slice(&encoded));
    place_or_not(e, d, mx, buf_slice(&encoded));
    buf_done(&encoded);
}

/* Remembered in the domain table? */
static bool known(struct engine *e, struct domain *d) {
    struct mx_answer mx;
    buf_reset(&e->scratch);
    if (!ledger_domain_get(e->ledger, slice_make(d->name, d->name_len), time_now(e), &e->scratch))
        return false;
    if (!mx_answer_decode(buf_slice(&e->scratch), &mx)) return false;
    struct buf encoded; /* the scratch is used again below */
    buf_init(&encoded, 64 * 1024);
    buf_put_slice(&encoded, buf_slice(&e->scratch));
    place_or_not(e, d, &mx, buf_slice(&encoded));
    buf_done(&encoded);
    return true;
}

static void ask(struct engine *e, struct domain *d) {
    struct question *q = malloc(sizeof *q);
    if (!q) abort();
    *q = (struct question){.engine = e, .domain = d, .next = e->questions};
    if (q->next) q->next->prev = q;
    e->questions = q;
    e->counters.dns_queries++;
    if (resolver_mx(e->resolver, slice_make(d->name, d->name_len), answered, q) == 0) return;
    question_free(q);
    backlog_postpone(&e->backlog, d, loop_now(e->loop) + US_PER_SEC);
}

void resolve_some(struct engine *e) {
    mono_us now = loop_now(e->loop);
    for (unsigned n = 0; n < LOOKUPS_A_TURN; n++) {
        struct domain *d = backlog_to_ask(&e->backlog);
        if (!d || commit_late(e) || source_all_down(e, now)) return;
        if (resolver_pending(e->resolver) >= LOOKUPS_MAX + (d->urgent ? LOOKUPS_URGENT : 0)) return;
        if (e->backlog.starving_count[0] >= LANES_AHEAD && d->waiting < BIG_WAITING && !d->urgent) return;
        backlog_next_to_ask(&e->backlog);
        unsigned source = d->source;
        if (source_is_down(e, source, now)) /* nothing could go there now */
            backlog_postpone(&e->backlog, d, e->sources[source].down_until);
        else if (!known(e, d))
            ask(e, d);
    }
}
