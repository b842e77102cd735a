/* All lanes are taken from the engine as they are at one moment; what is asked for is picked here. */
#include "ctl_lanes.h"

#include "ctl_answer.h"
#include "ctl_hands.h"
#include "inspect.h"
#include "notes.h"
#include "show.h"
#include "show_note.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CAMPAIGNS_MOST = 1000,
    KNOWN_SHOWN = 12,
    CHANGES_SHOWN = 20,
    HISTORIES_MOST = 32 /* lanes of one provider */,
    SHOWN_MOST = 4000 /* fit a line of the control socket */
};

struct lanes {
    struct lane_status *all;
    size_t count;
};

/* May be more by the time that they are asked for: those beyond are the tail's. */
static int take_lanes(struct lanes *l, struct instance *in, struct err *err) {
    size_t room = engine_lanes(in->engine, NULL, NULL, 0) + 64;
    l->all = calloc(room, sizeof *l->all);
    if (!l->all) return err_set(err, ERR_SYSTEM, "out of memory");
    size_t n = engine_lanes(in->engine, NULL, l->all, room);
    l->count = n < room ? n : room;
    return 0;
}

static double share_deferred(const struct lane_status *l) {
    uint64_t all = l->delivered + l->deferred + l->failed;
    return all ? (double)l->deferred / (double)all : 0;
}

static int by_name(const void *a, const void *b) {
    const struct lane_status *x = a, *y = b;
    int order = strcmp(x->provider, y->provider);
    return order ? order : strcmp(x->source, y->source);
}
#define BY_NUMBER(name, value)                                                                               \
    static int name(const void *a, const void *b) {                                                          \
        const struct lane_status *x = a, *y = b;                                                             \
        double p = (double)(value(x)), q = (double)(value(y));                                               \
        return p != q ? (p < q) - (p > q) : by_name(a, b);                                                   \
    }
#define WAITING(l)  (l)->waiting
#define RATE(l)     (l)->rate
#define SESSIONS(l) (l)->sessions
BY_NUMBER(by_waiting, WAITING)
BY_NUMBER(by_rate, RATE)
BY_NUMBER(by_deferred, share_deferred)
BY_NUMBER(by_sessions, SESSIONS)

static const struct {
    const char *name;
    int (*order)(const void *a, const void *b);
} sorts[] = {{"waiting", by_waiting},
             {"rate", by_rate},
             {"deferred", by_deferred},
             {"sessions", by_sessions},
             {"provider", by_name}};

static int sort(struct lanes *l, struct slice by, struct err *err) {
    if (!by.len) by = SLICE("waiting");
    for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++) {
        if (!slice_eq(by, slice_of(sorts[i].name))) continue;
        if (l->count) qsort(l->all, l->count, sizeof *l->all, sorts[i].order);
        return 0;
    }
    return err_set(err, ERR_INPUT, "lanes: they are sorted by waiting, rate, deferred, sessions or provider");
}

static bool fits(const struct lane_status *l, struct slice provider, struct slice source) {
    return (!provider.len || slice_eq_nocase(provider, slice_of(l->provider))) &&
           (!source.len || slice_eq_nocase(source, slice_of(l->source)));
}

static void pick(struct lanes *l, struct slice provider, struct slice source) {
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++)
        if (fits(&l->all[i], provider, source)) l->all[n++] = l->all[i];
    l->count = n;
}

static void put_sums(struct jdoc *o, const struct lane_status *all, size_t n) {
    uint64_t waiting = 0, sessions = 0, delivered = 0, deferred = 0, failed = 0;
    double rate = 0;
    for (size_t i = 0; i < n; i++) {
        waiting += all[i].waiting;
        rate += all[i].rate;
        sessions += all[i].sessions;
        delivered += all[i].delivered;
        deferred += all[i].deferred;
        failed += all[i].failed;
    }
    jdoc_put_number(o, "lanes", (int64_t)n);
    jdoc_put_number(o, "waiting", (int64_t)waiting);
    jdoc_put_number(o, "sessions", (int64_t)sessions);
    jdoc_put_real(o, "messages_per_second", rate);
    jdoc_put_number(o, "delivered", (int64_t)delivered);
    jdoc_put_number(o, "deferred", (int64_t)deferred);
    jdoc_put_number(o, "failed", (int64_t)failed);
}

/* What campaigns have before them, and what a person must know. */
static void put_server(struct jdoc *o, struct instance *in) {
    struct campaign_status *all = calloc(CAMPAIGNS_MOST, sizeof *all);
    size_t n = all ? engine_campaigns(in->engine, all, CAMPAIGNS_MOST) : 0;
    uint64_t pending = 0, under_way = 0, deferred = 0, running = 0;
    if (n > CAMPAIGNS_MOST) n = CAMPAIGNS_MOST;
    for (size_t i = 0; i < n; i++) {
        pending += tally_pending(&all[i].tally);
        under_way += all[i].leased;
        deferred += all[i].deferred;
        running += all[i].state == CAMPAIGN_READY;
    }
    struct jdoc *queue = jdoc_child_object(o, "queue");
    jdoc_put_number(queue, "campaigns", (int64_t)running);
    jdoc_put_number(queue, "pending", (int64_t)pending);
    jdoc_put_number(queue, "under_way", (int64_t)under_way);
    jdoc_put_number(queue, "deferred", (int64_t)deferred);
    ctl_put_counters(jdoc_child_object(o, "counters"), in);
    ctl_put_notes(jdoc_child_list(o, "notes"), in, all, n);
    free(all);
}

static struct jdoc *good(void) {
    char time[CLOCK_TEXT_MAX];
    struct jdoc *o = jdoc_object();
    jdoc_put_bool(o, "ok", true);
    jdoc_put_text(o, "time", slice_make(time, (size_t)clock_rfc3339(clock_wall(), time)));
    return o;
}

struct jdoc *ctl_lanes(struct instance *in, const struct jdoc *request) {
    struct lanes l = {0};
    struct err err;
    int64_t most = jdoc_number(request, "most", 0);
    if (take_lanes(&l, in, &err) || sort(&l, jdoc_text(request, "sort"), &err)) {
        free(l.all);
        return talk_refusal(&err);
    }
    pick(&l, jdoc_text(request, "provider"), jdoc_text(request, "source"));
    size_t shown = l.count < SHOWN_MOST ? l.count : SHOWN_MOST;
    if (most > 0 && (uint64_t)most < shown) shown = (size_t)most;
    struct jdoc *o = good(), *list = jdoc_child_list(o, "lanes");
    for (size_t i = 0; i < shown; i++)
        show_lane_json(jdoc_item_object(list), &l.all[i]);
    put_sums(jdoc_child_object(o, "in_all"), l.all, l.count);
    put_sums(jdoc_child_object(o, "rest"), l.all + shown, l.count - shown);
    put_server(o, in);
    free(l.all);
    return o;
}

/* ---- explain ---- */

static const char *place_name(enum domain_place_kind kind) {
    static const char *const names[] = {
        [DOMAIN_IS_STRANGE] = "strange",        [DOMAIN_IS_ASKED] = "looked-up-now",
        [DOMAIN_IS_PUT_OFF] = "look-up-failed", [DOMAIN_IS_HERE] = "waiting",
        [DOMAIN_IS_REMEMBERED] = "remembered",  [DOMAIN_IS_NOWHERE] = "takes-no-mail",
        [DOMAIN_IS_EXCHANGER] = "exchanger"};
    return names[kind];
}

static void put_domain(struct jdoc *o, struct instance *in, struct slice name, const struct domain_place *p) {
    jdoc_put_text(o, "name", name);
    jdoc_put_text(o, "state", slice_of(place_name(p->kind)));
    jdoc_put_text(o, "provider", slice_of(p->lane));
    jdoc_put_text(o, "source", slice_of(p->lane[0] ? in->sources[p->source].name : ""));
    jdoc_put_bool(o, "tail", p->tail);
    jdoc_put_text(o, "host", slice_of(p->host));
    jdoc_put_number(o, "waiting", p->waiting);
    jdoc_put_text(o, "text", slice_of(p->text));
}

static bool is_configured(const struct instance *in, struct slice name) {
    const struct option_provider *all = in->options->providers.at;
    for (size_t i = 0; i < in->options->providers.count; i++)
        if (slice_eq_nocase(name, slice_of(all[i].name))) return true;
    return false;
}

/* The names that there are: the configured ones first, then lanes with most to do. */
static void unknown(struct lanes *l, const struct instance *in, struct slice name, struct err *err) {
    const struct option_provider *all = in->options->providers.at;
    struct buf known;
    size_t shown = 0;
    struct err unused;
    buf_init(&known, 256);
    sort(l, SLICE("waiting"), &unused);
    for (size_t i = 0; i < in->options->providers.count && shown < KNOWN_SHOWN; i++)
        buf_printf(&known, "%s%s", shown++ ? ", " : "", all[i].name);
    for (size_t i = 0; l->all && i < l->count && shown < KNOWN_SHOWN; i++)
        if (!is_configured(in, slice_of(l->all[i].provider)) &&
            (i == 0 || strcmp(l->all[i].provider, l->all[i - 1].provider) != 0))
            buf_printf(&known, "%s%s", shown++ ? ", " : "", l->all[i].provider);
    if (!known.len) buf_put_text(&known, "none yet");
    err_set(err, ERR_ABSENT,
            "there is no lane '%.*s', and no domain of that name that mail waits for; known: %.*s%s",
            name.len > 80 ? 80 : (int)name.len, name.at, known.len > 140 ? 140 : (int)known.len,
            known.at ? known.at : "", known.len > 140 || known.failed ? " ..." : "");
    buf_done(&known);
}

/* Orders that name the provider, or of a domain that one. */
static void put_orders(struct jdoc *list, struct instance *in, struct slice provider, struct slice domain) {
    struct order_status *all = calloc(ORDERS_MOST, sizeof *all);
    size_t count = all ? engine_orders(in->engine, all, ORDERS_MOST) : 0;
    mono_us until = clock_mono() + US_PER_SEC;
    for (size_t i = 0; i < count && i < ORDERS_MOST; i++) {
        const struct selector *of = &all[i].order.of;
        bool about = of->provider.len && slice_eq_nocase(of->provider, provider) &&
                     (!of->domain.len || !domain.len || slice_eq_nocase(of->domain, domain));
        about = about || (domain.len && !of->provider.len && slice_eq_nocase(of->domain, domain));
        if (!about) continue;
        struct jdoc *one = jdoc_item_object(list);
        ctl_put_order(one, &all[i]);
        ctl_put_touch(one, in->engine, &all[i].order.of, until);
    }
    free(all);
}

/* What changed at the lane lately, the oldest first, and what people did to it. It is read beside all work.
 */
static void put_changes(struct jdoc *o, struct instance *in, const struct lane_status *lane) {
    struct jdoc *list = jdoc_child_list(o, "changes");
    struct notes_wanted wanted = {.provider = slice_of(lane->provider), .most = CHANGES_SHOWN};
    struct arena arena;
    struct note *notes;
    size_t count;
    struct err err;
    arena_init(&arena, 1 << 20);
    if (notes_read(in->store, &wanted, &arena, &notes, &count, &err)) {
        jdoc_put_text(o, "changes_error", slice_of(err.text));
        count = 0;
    }
    for (size_t i = 0; i < count; i++)
        if (!notes[i].source.len || slice_eq_nocase(notes[i].source, slice_of(lane->source)))
            show_note_json(jdoc_item_object(list), &notes[i]);
    arena_done(&arena);
}

struct jdoc *ctl_explain(struct instance *in, const struct jdoc *request) {
    struct slice what = jdoc_text(request, "what"), source = jdoc_text(request, "source"), provider = what;
    struct domain_place place = {.kind = DOMAIN_IS_STRANGE};
    struct lanes l = {0}, found;
    struct err err;
    if (take_lanes(&l, in, &err)) return talk_refusal(&err);
    bool named = is_configured(in, what);
    for (size_t i = 0; i < l.count; i++)
        named = named || fits(&l.all[i], what, (struct slice){0});
    if (!named && what.len <= 253 && engine_domain(in->engine, what, &place, &err) == 0 && place.lane[0]) {
        provider = slice_of(place.lane);
        source = slice_of(in->sources[place.source].name);
    }
    if (!named && place.kind == DOMAIN_IS_STRANGE) {
        unknown(&l, in, what, &err);
        free(l.all);
        return talk_refusal(&err);
    }
    found = l;
    pick(&found, provider, source);
    struct jdoc *o = good(), *list = jdoc_child_list(o, "lanes");
    if (place.kind != DOMAIN_IS_STRANGE) put_domain(jdoc_child_object(o, "domain"), in, what, &place);
    jdoc_put_text(o, "provider", provider);
    jdoc_put_bool(o, "configured", is_configured(in, provider));
    put_orders(jdoc_child_list(o, "orders"), in, provider, named ? SLICE("") : what);
    for (size_t i = 0; i < found.count && (named || place.lane[0]); i++) {
        struct jdoc *lane = jdoc_item_object(list);
        show_lane_json(lane, &found.all[i]);
        if (i < HISTORIES_MOST) put_changes(lane, in, &found.all[i]);
    }
    free(l.all);
    return o;
}
