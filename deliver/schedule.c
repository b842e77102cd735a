/* Lanes get sessions as their limits allow and their work deserves.
 *
 * A lane in the run queue is looked at once: its sites with work, each in turn, get idle sessions fed and new
 * ones opened, until its gate, the session limit or the work is at an end. What can only be settled by time
 * puts it among the sleepers. */
#include "owner.h"

#include <stdio.h>

enum {
    WAITING_A_SESSION = 16, /* recipients that wait are worth one more session */
    SITES_A_LOOK = 64
};
#define PACED_US (500 * US_PER_MS)

/* ---- room ---- */

/* A proxy told of its own address can connect to others of that family alone. */
static enum net_family family_of(const struct engine *e, const struct site *site) {
    const struct source_options *source = &e->options.sources[site->lane->source];
    return source->proxy.protocol == PROXY_NONE ? NET_NONE : (enum net_family)source->address.family;
}

/* Where a session may go that the lane lets be opened: it counts as begun then. Where hosts differ and one is
 * full another may come first. False: none may; *count is 0 when there is no address at all. */
static bool choose(const struct engine *e, struct site *site, struct learn_session *learn, mono_us now,
                   mono_us *when, struct session_target targets[TARGETS_MAX], unsigned *count) {
    struct lane *lane = site->lane;
    struct mx_answer mx;
    unsigned asked = 0;
    *when = NEVER;
    *count = 0;
    if (!mx_answer_decode(site->mx, &mx)) return false;
    for (unsigned i = 0; i < LEARN_HOSTS && (i == 0 || learn_hosts_differ(&lane->learn)); i++) {
        mono_us then;
        *count = targets_choose(&mx, family_of(e, site), site->marks, site->rotation + i, now, targets);
        if (*count == 0) return false;
        unsigned host = learning_host(lane, targets[0].name);
        if (asked & 1u << host) continue;
        asked |= 1u << host;
        if (learn_open(&lane->learn, learn, host, true, now, &then)) {
            site->rotation += i + 1;
            return true;
        }
        if (then < *when) *when = then;
    }
    return false;
}

/* Lanes for which few wait come and go by the thousand; they and the big ones leave each other room. */
bool lane_is_big(const struct lane *lane) {
    return lane->waiting >= BIG_WAITING;
}

static bool is_full(const struct engine *e, bool big) {
    uint32_t most = e->options.max_sessions,
             open = big ? e->big_sessions : e->session_count - e->big_sessions;
    return e->session_count >= most || open >= most - most / (big ? 8 : 4);
}

static void make_place_for_starving(struct engine *e, bool big) {
    if (e->ending > e->backlog.starving_count[0] + e->backlog.starving_count[1] +
                        (e->backlog.starving_urgent.first != NULL))
        return;
    resting_make_place(e, NULL, e->session_count >= e->options.max_sessions, big);
}

/* ---- lanes ---- */

static void other_family(struct engine *e, struct site *site) {
    struct outcome o;
    char text[EVENT_TEXT_MAX];
    const struct source_options *source = &e->options.sources[site->lane->source];
    int n = snprintf(text, sizeof text, "%.100s has no IPv%d address, and source %.60s no other",
                     site->lane->name, (int)source->address.family, source->name);
    outcome_local(&o, EVENT_DEFERRED, SMTP_STAGE_CONNECT, CLASSIFY_NETWORK_FAILURE,
                  slice_make(text, (size_t)n));
    snprintf(site->lane->last_error, sizeof site->lane->last_error, "%.*s", n, text);
    site_failed(e, site, &o);
}

/* False: the lane can't have another session now (and sleeps, or waits for the end of one). */
static bool open_for(struct engine *e, struct lane *lane, struct site *site, mono_us now) {
    struct session_target targets[TARGETS_MAX];
    struct learn_session learn;
    unsigned count;
    mono_us when;
    bool big = lane_is_big(lane);
    bool urgent = backlog_urgent(site);
    if (urgent ? e->session_count >= e->options.max_sessions : is_full(e, big)) {
        make_place_for_starving(e, big);
        if (urgent && site->sessions == 0) overtake(e, NULL);
        backlog_starve(&e->backlog, lane, big);
        return false;
    }
    if (source_is_down(e, lane->source, now)) {
        backlog_sleep(&e->backlog, lane, e->sources[lane->source].down_until);
        return false;
    }
    if (choose(e, site, &learn, now, &when, targets, &count)) {
        if (session_open(e, site, &learn, targets, count)) return true;
        learn_dropped(&lane->learn, &learn, now);
        when = now + US_PER_SEC;
    } else if (count == 0) {
        when = now + US_PER_SEC;
        if (family_of(e, site) != NET_NONE) {
            other_family(e, site);
            backlog_run(&e->backlog, lane); /* its other sites */
            return false;
        }
    } else if (when == NEVER) {
        resting_make_place(e, lane, true, big);
        if (urgent && site->sessions == 0) overtake(e, lane);
    }
    mono_us turn = learn_tick(&lane->learn, now);
    backlog_sleep(&e->backlog, lane, when < turn ? when : turn);
    return false;
}

/* Is what this site is denied perhaps its host's, so that other sites get sessions all the same? */
static bool is_host_alone(struct engine *e, const struct lane *lane) {
    return learn_hosts_differ(&lane->learn) && lane->learn.gate.kind == LEARN_NOTHING &&
           !is_full(e, lane_is_big(lane));
}

static bool look_at_site(struct engine *e, struct lane *lane, struct site *site, mono_us now) {
    serve_refresh(e, site, now);
    if (!serve_idle(e, site, now)) return true; /* or commits are late: one more would have nothing either */
    if (site->down_until > now) {
        backlog_sleep(&e->backlog, lane, site->down_until);
        return true;
    }
    uint32_t deserved = 1 + (site->waiting - 1) / WAITING_A_SESSION;
    if (site->failures) deserved = 1; /* one to see whether it is back */
    /* While it is the lane's pace that sessions wait for, one more would only wait, too. */
    if (site->sessions && (lane->parked || now - lane->paced_at < PACED_US)) {
        if (site->sessions < deserved) backlog_sleep(&e->backlog, lane, now + PACED_US);
        return true;
    }
    while (site->sessions < deserved)
        if (!open_for(e, lane, site, now)) return is_host_alone(e, lane);
    return true;
}

/* Those with transactional work come before all others, each once. */
static bool look_at_urgent(struct engine *e, struct lane *lane, mono_us now) {
    struct site *site = lane->urgent, *next;
    for (unsigned i = 0; site && i < SITES_A_LOOK; i++, site = next) {
        next = site->next_urgent;
        bool more = look_at_site(e, lane, site, now);
        if (!more || !site->turn) backlog_site_check(&e->backlog, site);
        if (!more) return false;
    }
    return true;
}

static void look_at_lane(struct engine *e, struct lane *lane, mono_us now) {
    if (lane->parked) serve_parked(e, lane, now);
    if (lane->urgent && !lane->tail && !look_at_urgent(e, lane, now)) return;
    unsigned sites = lane->sites < SITES_A_LOOK ? lane->sites : SITES_A_LOOK;
    bool single = lane->tail;
    for (unsigned i = 0; i < sites && lane->turn; i++) {
        struct site *site = lane->turn;
        lane->turn = site->next;
        if (!look_at_site(e, lane, site, now)) {
            backlog_site_check(&e->backlog, site);
            return;
        }
        if (site->turn) continue;
        backlog_site_check(&e->backlog, site); /* all its domains are looked up anew */
        if (single) return;                    /* the lane may be gone with it */
    }
    if (lane->turn && lane->sites > SITES_A_LOOK) backlog_sleep(&e->backlog, lane, now);
}

/* As many of those that wait for a session as there is room for. */
static void feed_starving(struct engine *e) {
    struct lane *urgent;
    while (e->session_count < e->options.max_sessions && (urgent = backlog_next_urgent(&e->backlog)))
        backlog_run(&e->backlog, urgent);
    for (int big = 1; big >= 0; big--) {
        uint32_t room = e->options.max_sessions - e->session_count;
        struct lane *lane;
        while (room-- && !is_full(e, big) && (lane = backlog_next_starving(&e->backlog, big)))
            backlog_run(&e->backlog, lane);
    }
}

void schedule_lanes(struct engine *e) {
    mono_us now = loop_now(e->loop);
    struct lane *lane;
    if (commit_late(e)) return;
    feed_starving(e);
    for (unsigned i = 0; i < LANES_A_TURN && (lane = backlog_next_to_run(&e->backlog)); i++)
        look_at_lane(e, lane, now);
    if (e->backlog.run.first) loop_wake_send(e->wake); /* the rest in the next turn */
}
