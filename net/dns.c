/* Mail exchangers of domains, by libunbound (recursor.h).
 *
 * A look-up asks for MX; then, for every exchanger at once, A and AAAA. recursor.h may call back from within,
 * and must not be called from its callbacks: so a callback only stores what it got, and when all answers of a
 * stage are there the look-up is put on a list that the `soon` timer works off. What comes after a look-up's
 * time is over finds it finished (done == NULL) and is only counted down. */
#include "dns.h"

#include "dnsname.h"
#include "dnswire.h"
#include "hash.h"
#include "recursor.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEFAULT_LOOKUPS = 1000,
    DEFAULT_WAITING = 10000,
    DEFAULT_TIMEOUT_MS = 20000,
    MOST_RECORDS = 256, /* MX records held; of more the best are kept */
    TTL_MIN = 60,
    TTL_MAX = 86400,
    TTL_NEGATIVE_MAX = 3600,
    TTL_NEGATIVE = 300, /* when no SOA says */
    TTL_TEMPORARY = 60,
    TTL_INCOMPLETE = 300 /* when an exchanger's address could not be found out now */
};

struct candidate {
    char name[MX_NAME_MAX + 1];
    uint16_t preference;
    uint64_t order; /* among equals */
    uint8_t v4_count, v6_count;
    struct net_addr v4[MX_MAX_ADDRESSES], v6[MX_MAX_ADDRESSES];
};

struct question {
    struct lookup *lookup;
    struct candidate *to; /* NULL: the question for MX */
    uint16_t type;
};

struct lookup {
    struct lookup *next;          /* waiting or ready */
    struct lookup *newer, *older; /* all that are begun */
    struct resolver *owner;
    resolver_done *done; /* NULL: called already, answers are still under way */
    void *ctx;
    struct loop_timer timer;
    struct candidate *candidates;
    size_t count;
    struct question *questions;
    unsigned open; /* questions without an answer */
    uint32_t ttl_s;
    bool asked_addresses;
    bool implicit;
    bool null_mx;
    bool no_name;
    bool malformed;
    bool temporary;
    bool bogus;
    struct question mx;
    char why[80];
    char domain[];
};

struct list {
    struct lookup *first, **last;
};

struct resolver {
    struct loop *loop;
    struct recursor *recursor;
    struct loop_timer soon;
    struct list waiting, ready;
    struct lookup *begun;
    unsigned most_lookups, most_waiting;
    unsigned live, late, queued; /* under way; finished but not all answered; waiting */
    mono_us timeout;
    uint64_t seed;
    bool no_ipv6;
    bool working, closing;
    struct mx_answer answer; /* large, so not on the stack */
};

static void list_add(struct list *list, struct lookup *l) {
    l->next = NULL;
    *list->last = l;
    list->last = &l->next;
}

static struct lookup *list_take(struct list *list) {
    struct lookup *l = list->first;
    if (!l) return NULL;
    list->first = l->next;
    if (!list->first) list->last = &list->first;
    l->next = NULL;
    return l;
}

/* --- what answers say --- */

static int by_preference(const void *left, const void *right) {
    const struct candidate *a = left, *b = right;
    if (a->preference != b->preference) return a->preference < b->preference ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static void keep_best(struct lookup *l) {
    if (l->count > 0) qsort(l->candidates, l->count, sizeof *l->candidates, by_preference);
    if (l->count > MX_MAX_HOSTS) l->count = MX_MAX_HOSTS;
}

static void take_mx(void *ctx, const struct dnswire_record *record) {
    struct lookup *l = ctx;
    if (!record->name_bad && record->name[0] == '\0') {
        l->null_mx = true;
        return;
    }
    if (record->name_bad || dns_name_is_number(record->name)) {
        snprintf(l->why, sizeof l->why, "%s",
                 record->name_bad ? "an exchanger's name is malformed"
                                  : "an exchanger is an address, not a name");
        return;
    }
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->candidates[i].name, record->name) == 0) return;
    if (l->count == MOST_RECORDS) keep_best(l);
    if (l->count % MX_MAX_HOSTS == 0) {
        void *more = realloc(l->candidates, (l->count + MX_MAX_HOSTS) * sizeof *l->candidates);
        if (!more) {
            l->temporary = true;
            return;
        }
        l->candidates = more;
    }
    struct candidate *c = &l->candidates[l->count++];
    *c = (struct candidate){.preference = record->preference};
    snprintf(c->name, sizeof c->name, "%s", record->name);
    uint64_t seed = hash_nocase(slice_of(l->domain), l->owner->seed);
    c->order = hash_bytes(slice_of(c->name), seed);
}

/* The order of a host's addresses, whatever the order in which the server gave them. */
static uint64_t address_order(const struct question *q, const struct net_addr *a) {
    return hash_bytes(slice_make(a->bytes, sizeof a->bytes), q->to->order);
}

static void take_address(void *ctx, const struct dnswire_record *record) {
    struct question *q = ctx;
    struct net_addr a = {.family = q->type == DNS_A ? NET_V4 : NET_V6};
    memcpy(a.bytes, record->address, q->type == DNS_A ? 4 : 16);
    if (!net_addr_is_usable(&a)) return;
    struct net_addr *list = q->type == DNS_A ? q->to->v4 : q->to->v6;
    uint8_t *count = q->type == DNS_A ? &q->to->v4_count : &q->to->v6_count;
    size_t at = 0;
    while (at < *count && address_order(q, &list[at]) < address_order(q, &a))
        at++;
    if (at == MX_MAX_ADDRESSES || (at < *count && net_addr_cmp(&list[at], &a) == 0)) return;
    if (*count < MX_MAX_ADDRESSES) ++*count;
    memmove(&list[at + 1], &list[at], (*count - at - 1) * sizeof a);
    list[at] = a;
}

static void note_ttl(struct lookup *l, uint32_t ttl_s) {
    if (ttl_s < l->ttl_s) l->ttl_s = ttl_s;
}

/* Stores what one packet says. */
static void read_packet(struct lookup *l, struct question *q, struct slice packet) {
    uint32_t ttl;
    enum dnswire_kind kind =
        dnswire_read(packet, q->type, &ttl, q->to ? take_address : take_mx, q->to ? (void *)q : l);
    if (kind == DNSWIRE_FAILED || kind == DNSWIRE_MALFORMED) {
        l->temporary = true;
        snprintf(l->why, sizeof l->why, "%s",
                 kind == DNSWIRE_FAILED ? "the server failed" : "malformed answer, or one that is cut short");
        return;
    }
    if (kind != DNSWIRE_DATA && ttl == 0) ttl = TTL_NEGATIVE;
    if (kind == DNSWIRE_DATA || !q->to) note_ttl(l, ttl);
    if (!q->to) {
        l->no_name = kind == DNSWIRE_NO_NAME;
        l->implicit = kind == DNSWIRE_NO_DATA;
    }
}

static void answer_came(struct lookup *l) {
    assert(l->open > 0);
    if (--l->open > 0) return;
    list_add(&l->owner->ready, l);
    if (!l->owner->closing) loop_timer_start(&l->owner->soon, loop_now(l->owner->loop));
}

static void on_answer(void *ctx, enum recursor_verdict verdict, struct slice packet, const char *text) {
    struct question *q = ctx;
    struct lookup *l = q->lookup;
    if (verdict == RECURSOR_ANSWER) {
        read_packet(l, q, packet);
    } else {
        bool bogus = verdict == RECURSOR_BOGUS;
        l->bogus |= bogus;
        l->temporary |= !bogus;
        snprintf(l->why, sizeof l->why, "%s", text[0] ? text : "DNSSEC validation failed");
    }
    answer_came(l);
}

/* --- a look-up's life --- */

static void ask(struct lookup *l, struct question *q, const char *name) {
    l->open++;
    if (recursor_ask(l->owner->recursor, name, q->type, on_answer, q)) return;
    l->open--;
    l->temporary = true;
    snprintf(l->why, sizeof l->why, "the question could not be asked");
}

static void release(struct lookup *l) {
    loop_timer_stop(&l->timer);
    free(l->candidates);
    free(l->questions);
    free(l);
}

/* One that was begun. */
static void end(struct resolver *r, struct lookup *l) {
    *(l->newer ? &l->newer->older : &r->begun) = l->older;
    if (l->older) l->older->newer = l->newer;
    release(l);
}

static void give(struct lookup *l) {
    struct resolver *r = l->owner;
    resolver_done *done = l->done;
    l->done = NULL;
    loop_timer_stop(&l->timer);
    r->live--;
    done(l->ctx, &r->answer);
}

static void say(struct resolver *r, enum mx_status status, uint32_t ttl, const char *what, const char *domain,
                const char *why) {
    struct mx_answer *a = &r->answer;
    uint32_t most = status == MX_OK || status == MX_IMPLICIT ? TTL_MAX : TTL_NEGATIVE_MAX;
    a->status = status;
    a->ttl_s = ttl < TTL_MIN ? TTL_MIN : ttl > most ? most : ttl;
    a->host_count = 0;
    a->text[0] = '\0';
    if (what) snprintf(a->text, sizeof a->text, "%s%.100s%s%.50s", what, domain, why[0] ? ": " : "", why);
}

static void say_failure(struct resolver *r, const struct lookup *l) {
    if (l->bogus)
        say(r, MX_BOGUS, TTL_TEMPORARY, "DNSSEC says that the answer is forged for ", l->domain, l->why);
    else
        say(r, MX_TEMPORARY, TTL_TEMPORARY, "no DNS answer now for ", l->domain, l->why);
}

/* IPv6 first; each family leaves room for the other. */
static void copy_host(const struct candidate *c, struct mx_host *host) {
    size_t half = MX_MAX_ADDRESSES / 2;
    size_t v6 = c->v6_count, v4 = c->v4_count;
    if (v4 + v6 > MX_MAX_ADDRESSES) {
        if (v4 <= half)
            v6 = MX_MAX_ADDRESSES - v4;
        else if (v6 <= half)
            v4 = MX_MAX_ADDRESSES - v6;
        else
            v4 = v6 = half;
    }
    *host = (struct mx_host){.preference = c->preference, .address_count = (uint8_t)(v4 + v6)};
    memcpy(host->name, c->name, sizeof host->name);
    memcpy(host->addresses, c->v6, v6 * sizeof *c->v6);
    memcpy(host->addresses + v6, c->v4, v4 * sizeof *c->v4);
}

static void say_hosts(struct resolver *r, struct lookup *l) {
    bool incomplete = l->temporary || l->bogus;
    if (incomplete) note_ttl(l, TTL_INCOMPLETE);
    say(r, l->implicit ? MX_IMPLICIT : MX_OK, l->ttl_s, NULL, NULL, NULL);
    if (l->implicit)
        snprintf(r->answer.text, sizeof r->answer.text, "%.100s has no MX: its own address serves",
                 l->domain);
    for (size_t i = 0; i < l->count; i++)
        if (l->candidates[i].v4_count + l->candidates[i].v6_count > 0)
            copy_host(&l->candidates[i], &r->answer.hosts[r->answer.host_count++]);
    if (r->answer.host_count > 0) return;
    if (incomplete)
        say_failure(r, l);
    else
        say(r, MX_NO_MAIL, TTL_NEGATIVE,
            l->implicit ? "neither MX nor address for " : "no mail exchanger has an address for ", l->domain,
            l->why);
}

/* Keeps the best exchangers and asks for their addresses. */
static void ask_addresses(struct lookup *l) {
    bool v6 = !l->owner->no_ipv6;
    keep_best(l);
    l->asked_addresses = true;
    l->questions = calloc(2 * l->count + 1, sizeof *l->questions);
    l->open = 1; /* so that answers from within don't end the stage too early */
    struct question *q = l->questions;
    if (!q) l->temporary = true;
    for (size_t i = 0; q && i < l->count; i++) {
        *q = (struct question){l, &l->candidates[i], DNS_A};
        ask(l, q++, l->candidates[i].name);
        if (!v6) continue;
        *q = (struct question){l, &l->candidates[i], DNS_AAAA};
        ask(l, q++, l->candidates[i].name);
    }
    answer_came(l);
}

static bool add_implicit(struct lookup *l) {
    l->candidates = calloc(1, sizeof *l->candidates);
    if (!l->candidates) return false;
    l->count = 1;
    snprintf(l->candidates->name, sizeof l->candidates->name, "%s", l->domain);
    return true;
}

/* The MX answer is there: true when it decides all. */
static bool decided_by_mx(struct resolver *r, struct lookup *l) {
    if (l->malformed)
        say(r, MX_NO_DOMAIN, TTL_NEGATIVE_MAX, "not a domain name", "", "");
    else if (l->temporary || l->bogus)
        say_failure(r, l);
    else if (l->no_name)
        say(r, MX_NO_DOMAIN, l->ttl_s, "NXDOMAIN for ", l->domain, "");
    else if (l->null_mx && l->count == 0)
        say(r, MX_NULL, l->ttl_s, "null MX: no mail is taken for ", l->domain, "");
    else if (l->implicit && !add_implicit(l))
        say(r, MX_TEMPORARY, TTL_TEMPORARY, "out of memory for ", l->domain, "");
    else
        return false;
    return true;
}

static void advance(struct resolver *r, struct lookup *l) {
    if (!l->done) { /* its time was over before */
        r->late--;
        end(r, l);
        return;
    }
    if (!l->asked_addresses && !decided_by_mx(r, l)) {
        ask_addresses(l);
        return;
    }
    if (l->asked_addresses) say_hosts(r, l);
    give(l);
    end(r, l);
}

static void destroy(struct resolver *r) {
    struct lookup *l;
    r->closing = true;
    loop_timer_stop(&r->soon);
    recursor_close(r->recursor); /* what is under way comes to on_answer */
    while ((l = r->begun)) {
        r->begun = l->older;
        release(l);
    }
    while ((l = list_take(&r->waiting)))
        release(l);
    free(r);
}

static void on_timeout(void *ctx) {
    struct lookup *l = ctx;
    struct resolver *r = l->owner;
    bool addresses = l->asked_addresses;
    l->temporary = true;
    snprintf(l->why, sizeof l->why, "time-out");
    if (addresses)
        say_hosts(r, l);
    else
        say_failure(r, l);
    r->late++;
    r->working = true;
    give(l);
    r->working = false;
    if (r->closing)
        destroy(r);
    else
        loop_timer_start(&r->soon, loop_now(r->loop)); /* others may begin */
}

static void begin(struct resolver *r, struct lookup *l) {
    r->live++;
    l->older = r->begun;
    if (r->begun) r->begun->newer = l;
    r->begun = l;
    l->open = 1;
    loop_timer_start(&l->timer, loop_now(r->loop) + r->timeout);
    l->mx = (struct question){l, NULL, DNS_MX};
    if (!l->malformed) ask(l, &l->mx, l->domain);
    answer_came(l);
}

/* Those whose time is over still hold what libunbound needs, so they count a little. */
static bool may_begin(const struct resolver *r) {
    return r->live < r->most_lookups && r->late < 4 * r->most_lookups;
}

static void on_soon(void *ctx) {
    struct resolver *r = ctx;
    struct lookup *l;
    r->working = true;
    while (!r->closing && (l = list_take(&r->ready)))
        advance(r, l);
    while (!r->closing && may_begin(r) && (l = list_take(&r->waiting))) {
        r->queued--;
        begin(r, l);
    }
    r->working = false;
    if (r->closing) destroy(r);
}

/* --- the interface --- */

struct resolver *resolver_open(struct loop *loop, const struct resolver_options *options, struct err *err) {
    struct resolver *r = calloc(1, sizeof *r);
    if (!r) {
        err_set(err, ERR_SYSTEM, "out of memory");
        return NULL;
    }
    r->recursor = recursor_open(loop, options, err);
    if (!r->recursor) {
        free(r);
        return NULL;
    }
    r->loop = loop;
    r->most_lookups = options->most_lookups ? options->most_lookups : DEFAULT_LOOKUPS;
    r->most_waiting = options->most_waiting ? options->most_waiting : DEFAULT_WAITING;
    r->timeout = (options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS) * US_PER_MS;
    r->seed = options->seed;
    r->no_ipv6 = options->no_ipv6;
    r->waiting.last = &r->waiting.first;
    r->ready.last = &r->ready.first;
    loop_timer_init(&r->soon, loop, on_soon, r);
    return r;
}

void resolver_close(struct resolver *r) {
    if (!r || r->closing) return;
    if (r->working)
        r->closing = true; /* inside one of our callbacks: who called it destroys */
    else
        destroy(r);
}

int resolver_mx(struct resolver *r, struct slice domain, resolver_done *done, void *ctx) {
    char name[MX_NAME_MAX + 1];
    bool well_formed = dns_name_clean(domain, name) && !dns_name_is_number(name);
    if (!well_formed) name[0] = '\0';
    bool now = may_begin(r) && !r->waiting.first;
    if (r->closing || (!now && r->queued >= r->most_waiting)) return -1;
    size_t n = strlen(name) + 1;
    struct lookup *l = calloc(1, sizeof *l + n);
    if (!l) return -1;
    memcpy(l->domain, name, n);
    l->owner = r;
    l->done = done;
    l->ctx = ctx;
    l->ttl_s = TTL_MAX;
    l->malformed = !well_formed;
    loop_timer_init(&l->timer, r->loop, on_timeout, l);
    if (now) {
        begin(r, l);
    } else {
        r->queued++;
        list_add(&r->waiting, l);
    }
    return 0;
}

unsigned resolver_pending(const struct resolver *r) {
    return r->live + r->queued;
}
