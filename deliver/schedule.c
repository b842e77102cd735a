/* Lanes get sessions as their limits allow and their work deserves; sessions that ask get windows.
 *
 * A lane in the run queue is looked at once: its sites with work, each in turn, get idle sessions fed and new
 * ones opened, until its gate, the session limit or the work is at an end. What can only be settled by time
 * puts it among the sleepers. */
#include "owner.h"

#include "log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WAITING_A_SESSION = 16, /* recipients that wait are worth one more session */
    SITES_A_LOOK = 64,
    FIRST_WINDOW = 2 /* while nothing is known of a session's speed */
};
#define WINDOW_US   (250 * US_PER_MS) /* what a window may take */
#define PARKED_US   (15 * US_PER_SEC) /* a session that waits longer for its lane's pace ends */
#define PARKED_MOST (60 * US_PER_SEC) /* the same of the only one */
#define HANGING_US  (10 * US_PER_SEC)
#define PACED_US    (500 * US_PER_MS)
#define DOWN_FIRST  US_PER_SEC
#define DOWN_MOST   (20 * US_PER_SEC)
#define PATIENCE_US (120 * US_PER_SEC) /* so long those of a site where many wait stay where they are */

/* ---- sessions ---- */

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

/* What a session has learned of its addresses on its way in, or before it gave up. */
static void note_targets(struct site *site, const struct session *s, mono_us now) {
    if (s->missed && !site->marks) site->marks = calloc(1, sizeof(struct target_marks));
    if (!site->marks) return;
    for (unsigned i = 0; i < s->target_count; i++)
        if (s->missed & 1u << i) target_mark(site->marks, &s->targets[i].address, now);
    if (s->ready) target_unmark(site->marks, &s->targets[s->target].address);
}

/* Lanes for which few wait come and go by the thousand; they and the big ones leave each other room. */
static bool is_big(const struct lane *lane) {
    return lane->waiting >= BIG_WAITING;
}

static bool is_full(const struct engine *e, bool big) {
    uint32_t most = e->options.max_sessions,
             open = big ? e->big_sessions : e->session_count - e->big_sessions;
    return e->session_count >= most || open >= most - most / (big ? 8 : 4);
}

/* As the rules of replies know it: by its name in the configuration, else by its mail exchanger's. */
static unsigned provider_of(const struct engine *e, const struct site *site, const char *host) {
    unsigned named = classify_provider(e->options.rules, slice_of(site->lane->name));
    return named ? named : classify_provider(e->options.rules, slice_of(host));
}

static bool open_session(struct engine *e, struct site *site, const struct learn_session *learn,
                         const struct session_target *targets, unsigned n) {
    mono_us now = loop_now(e->loop);
    struct session *s = calloc(1, sizeof *s);
    struct session_target *own = s ? malloc(n * sizeof *own) : NULL;
    if (!own) {
        free(s);
        return false;
    }
    memcpy(own, targets, n * sizeof *own);
    *s = (struct session){.worker = &e->workers[e->turn++ % e->options.workers],
                          .site = site,
                          .lane = site->lane->name,
                          .source = site->lane->source,
                          .provider = provider_of(e, site, targets[0].name),
                          .tls = site->lane->tls,
                          .bdat = site->lane->bdat,
                          .max_messages = learn->span,
                          .learn = *learn,
                          .each_us = site->lane->each_us,
                          .opened_at = now,
                          .target_count = n,
                          .targets = own,
                          .big = is_big(site->lane),
                          .next = e->sessions};
    if (e->sessions) e->sessions->prev = s;
    e->sessions = s;
    e->session_count++;
    e->big_sessions += s->big;
    e->counters.sessions_opened++;
    site->sessions++;
    site->connecting++;
    source_opens(e, s->source, now);
    engine_tell(s->worker, MSG_OPEN, s);
    return true;
}

void schedule_finish(struct engine *e, struct session *s) {
    if (s->finishing || s->ended) return;
    s->finishing = true;
    e->ending++;
    engine_tell(s->worker, MSG_FINISH, s);
}

/* ---- lists of sessions that wait: at their site for work, at their lane for its rate ---- */

static void list_in(void **list, struct session *s) {
    s->next_idle = *list;
    *list = s;
}

static void list_out(void **list, struct session *s) {
    struct session *at = *list;
    if (at == s) {
        *list = s->next_idle;
        return;
    }
    while (at->next_idle != s)
        at = at->next_idle;
    at->next_idle = s->next_idle;
}

void schedule_unlist(struct engine *e, struct session *s) {
    resting_out(e, s);
    if (s->idle) list_out(&s->site->idle, s);
    if (s->parked) list_out(&s->site->lane->parked, s);
    s->idle = s->parked = false;
}

/* ---- windows ---- */

static struct window *make_window(struct engine *e, struct session *s, struct chunk *chunk,
                                  const struct slots *slots) {
    unsigned n = slots_count(slots);
    struct window *w = calloc(1, sizeof *w + n * sizeof w->items[0]);
    if (!w) abort();
    *w = (struct window){.session = s,
                         .chunk = chunk,
                         .chunk_id = chunk->id,
                         .tenant = chunk->campaign->row.tenant,
                         .date = campaign_row_begins(&chunk->campaign->row),
                         .table = feed_table(chunk),
                         .content = chunk->campaign->user,
                         .count = n,
                         .granted_at = loop_now(e->loop),
                         .batch = ledger_building(e->ledger)};
    suppress_note_grant(e, w);
    unsigned at = 0;
    for (int slot = slots_next(slots, 0); slot >= 0; slot = slots_next(slots, (unsigned)slot + 1)) {
        struct retry_row row = ledger_attempts(e->ledger, chunk_rid(chunk->id, (unsigned)slot));
        w->items[at].slot = (uint8_t)slot;
        w->items[at].attempt = (uint16_t)(row.attempts + 1);
        w->items[at].doubt = row.doubt;
        at++;
    }
    return w;
}

static void queue_window(struct engine *e, struct window *w) {
    if (e->waiting_last)
        e->waiting_last->next = w;
    else
        e->waiting = w;
    e->waiting_last = w;
    w->next_held = w->session->held;
    w->session->held = w;
    w->session->windows++;
    w->session->granted += w->content->shared ? 1 : w->count;
    w->session->wants = false;
}

/* A domain whose mail exchangers are old news is looked up again before more goes there. */
static void refresh_turn(struct engine *e, struct site *site, mono_us now) {
    while (site->turn && site->turn->placed_until <= now)
        backlog_unplace(&e->backlog, site->turn);
}

/* Up to `most` recipients of one chunk that may be written to: those on the suppression list are settled on
 * the way. 0: there are none now. */
static unsigned take(struct engine *e, struct site *site, unsigned most, struct chunk **chunk,
                     struct slots *slots) {
    while (!commit_late(e) && backlog_take(&e->backlog, site, most, chunk, slots, feed_drop, e)) {
        if (!feed_load(e, *chunk) || !suppress_screen(e, *chunk, slots)) {
            feed_drop(e, *chunk, slots); /* its campaign is held now: the next take drops the rest of it */
            continue;
        }
        unsigned n = slots_count(slots);
        if (n) return n;
        feed_let_go(e, *chunk);
    }
    return 0;
}

static bool is_shared(const struct chunk *chunk) {
    const struct campaign_content *content = chunk->campaign->user; /* NULL: not known yet */
    return content && content->shared;
}

/* Will the next window be of a shared mail? As far as can be told without taking it. */
static bool shared_next(const struct site *site) {
    return is_shared(backlog_next_chunk(site));
}

/* What was taken in the belief that it was shared goes back, but for the first `most`. */
static unsigned keep_most(struct engine *e, struct chunk *chunk, struct slots *slots, unsigned most) {
    struct slots rest = {{0}};
    unsigned n = 0;
    for (int i = slots_next(slots, 0); i >= 0; i = slots_next(slots, (unsigned)i + 1))
        if (++n > most) slots_add(&rest, (unsigned)i);
    if (n <= most) return n;
    for (int i = slots_next(&rest, 0); i >= 0; i = slots_next(&rest, (unsigned)i + 1))
        slots_drop(slots, (unsigned)i);
    feed_return(e, chunk, &rest);
    return most;
}

/* No more mails than take about WINDOW_US, so that one that is urgent is not behind many that are slow. */
static unsigned window_size(const struct session *s) {
    if (s->each_us <= 0) return FIRST_WINDOW;
    double n = (double)WINDOW_US / (double)s->each_us;
    return n >= WINDOW_MAX ? WINDOW_MAX : (unsigned)n + 1;
}

/* The lane gives it nothing now. One that has waited for long, or would, gives its place back. */
static void park(struct engine *e, struct session *s, mono_us when, mono_us now) {
    struct lane *lane = s->site->lane;
    if (s->parked_at == 0) s->parked_at = now;
    bool alone = s->site->sessions == 1;
    if (when == NEVER || when - now > PARKED_MOST ||
        (!alone && s->windows == 0 && now - s->parked_at > PARKED_US)) {
        schedule_finish(e, s);
        return;
    }
    if (!s->parked) list_in(&lane->parked, s);
    s->parked = true;
    lane->paced_at = now;
    backlog_sleep(&e->backlog, lane, when);
}

/* A window for a session that wants one. False: there is nothing for it now. A shared one counts as one
 * message; what the server made of it more is charged when it is settled. */
static bool grant(struct engine *e, struct session *s, mono_us now) {
    struct site *site = s->site;
    struct lane *lane = site->lane;
    mono_us when;
    if (e->draining || s->finishing || s->ended || commit_late(e)) return false;
    refresh_turn(e, site, now);
    if (!site->turn) return false;
    bool shared = shared_next(site);
    unsigned most = shared ? 1 : window_size(s);
    unsigned allowed = learn_take(&lane->learn, &s->learn, most, now, &when);
    if (allowed == 0) {
        park(e, s, when, now);
        return true; /* it waits, but not for work */
    }
    s->parked_at = 0;
    struct chunk *chunk;
    struct slots slots;
    unsigned n = take(e, site, shared ? SHARED_WINDOW_MAX : allowed, &chunk, &slots);
    if (n && !is_shared(chunk)) n = keep_most(e, chunk, &slots, allowed);
    learn_give_back(&lane->learn, &s->learn, n && is_shared(chunk) ? allowed - 1 : allowed - n);
    if (n == 0) return false;
    struct window *w = make_window(e, s, chunk, &slots);
    ledger_lease(e->ledger, chunk, &slots, clock_wall());
    queue_window(e, w);
    return true;
}

void schedule_send(struct engine *e, struct window *w) {
    if (w->session->ended) {
        settle_unsent(e, w);
        return;
    }
    e->windows_out++;
    w->sent_at = loop_now(e->loop);
    engine_tell(w->session->worker, MSG_WINDOW, w);
}

/* Then nobody is kept for work that may come. */
static bool is_crowded(const struct engine *e) {
    return e->backlog.starving_count[0] + e->backlog.starving_count[1] > 0;
}

/* Not while commits are late: then there may be work that can't be leased. */
static void idle_or_end(struct engine *e, struct session *s) {
    bool kept = e->held_back || (e->options.idle_us > 0 && e->options.idle_sessions > 0 && !is_crowded(e));
    if (e->draining || !kept) schedule_finish(e, s);
    if (s->finishing || s->idle) return;
    s->idle = true;
    list_in(&s->site->idle, s);
    if (s->windows == 0) resting_in(e, s);
}

static void serve(struct engine *e, struct session *s, mono_us now) {
    schedule_unlist(e, s);
    if (!grant(e, s, now)) idle_or_end(e, s);
}

static void make_place_for_starving(struct engine *e, bool big) {
    if (e->ending > e->backlog.starving_count[0] + e->backlog.starving_count[1] +
                        (e->backlog.starving_urgent.first != NULL))
        return;
    resting_make_place(e, NULL, e->session_count >= e->options.max_sessions, big);
}

/* The server is back: those that it left without a greeting will get none any more. */
static void finish_hanging(struct engine *e, const struct session *back) {
    for (struct session *s = e->sessions; s; s = s->next)
        if (s->site == back->site && !s->ready_seen && s->opened_at + HANGING_US < back->opened_at)
            schedule_finish(e, s);
}

void schedule_ready(struct engine *e, struct session *s) {
    if (!s->ready_seen) {
        s->ready_seen = true;
        note_targets(s->site, s, loop_now(e->loop));
        s->site->connecting--;
        learning_in(e, s);
        if (s->learn.afresh) finish_hanging(e, s);
        source_works(e, s);
        e->counters.sessions_let_in++;
        e->counters.sessions_tls += s->encrypted;
    }
    s->wants = true;
    serve(e, s, loop_now(e->loop));
}

void schedule_take_back(struct engine *e, struct window *w) {
    struct session *s = w->session;
    bool over = s->ended;
    settle_unsent(e, w);
    if (over) return; /* it may be gone */
    s->wants = true;  /* it still waits for the window that it asked for */
    serve(e, s, loop_now(e->loop));
}

/* ---- lanes ---- */

/* Those with transactional mail to send first. */
static void serve_parked(struct engine *e, struct lane *lane, mono_us now) {
    struct session *all = lane->parked, *others = NULL;
    lane->parked = NULL;
    for (int urgent = 1; urgent >= 0; urgent--) {
        for (struct session *s = all, *next; s; s = next) {
            next = s->next_idle;
            if (urgent && !backlog_urgent(s->site)) {
                s->next_idle = others;
                others = s;
                continue;
            }
            s->parked = false;
            serve(e, s, now);
        }
        all = others;
    }
}

static mono_us down_pause(const struct site *site) {
    mono_us pause = site->failures > 5 ? DOWN_MOST : DOWN_FIRST << (site->failures - 1);
    return pause < DOWN_MOST ? pause : DOWN_MOST;
}

/* Nothing works there: few recipients are deferred, with the reason in the ledger; many wait where they are.
 * So do many of one site in small domains, for a while: it may be an outage that is over soon. */
static void site_failed(struct engine *e, struct site *site, const struct outcome *why) {
    mono_us now = loop_now(e->loop);
    if (site->failures == 0) site->failing_since = now;
    if (site->failures < UINT8_MAX) site->failures++;
    site->down_until = now + down_pause(site);
    bool patient = site->waiting > DEFER_INSTEAD && now - site->failing_since < PATIENCE_US;
    while (!patient && site->turn && site->turn->waiting <= DEFER_INSTEAD) {
        struct domain *d = site->turn;
        settle_domain(e, d, why);
        backlog_domain_check(&e->backlog, d);
    }
    if (site->turn) backlog_sleep(&e->backlog, site->lane, site->down_until);
}

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
    bool big = is_big(lane);
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
        if (open_session(e, site, &learn, targets, count)) return true;
        learn_dropped(&lane->learn, &learn, now);
        when = now + US_PER_SEC;
    } else if (count == 0) {
        when = now + US_PER_SEC;
        if (family_of(e, site) != NET_NONE) {
            other_family(e, site);
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

static bool look_at_site(struct engine *e, struct lane *lane, struct site *site, mono_us now) {
    refresh_turn(e, site, now);
    while (site->idle && site->turn) {
        struct session *s = site->idle;
        schedule_unlist(e, s);
        if (!grant(e, s, now)) idle_or_end(e, s);
        if (s->idle || s->parked) break;
    }
    if (!site->turn || site->idle)
        return true; /* commits are late: one more session would have nothing either */
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
        if (!open_for(e, lane, site, now)) return false;
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

/* ---- the end of a session ---- */

/* Said of the source, and not of the site: its recipients wait where they are. */
static void proxy_fault(struct engine *e, struct session *s) {
    if (s->fault == FAULT_PROXY) {
        source_failed(e, s);
    } else {
        source_refused(e, s);
        mono_us pause = retry_pause(&e->options.retry, 1, s->site->key, 0);
        s->site->down_until = loop_now(e->loop) + (pause < DOWN_MOST ? pause : DOWN_MOST);
    }
}

static void note_failure(struct engine *e, struct session *s) {
    struct lane *lane = s->site->lane;
    snprintf(lane->last_error, sizeof lane->last_error, "%.200s: %.*s", s->host, s->end.text_len,
             s->end.text);
    e->counters.sessions_failed++;
    if (!log_on(LOG_LEVEL_INFO)) return;
    log_begin(LOG_LEVEL_INFO, "session-failed");
    log_text("provider", lane->name);
    log_text("host", s->host);
    log_number("code", s->end.code);
    log_slice("text", slice_make(s->end.text, s->end.text_len));
    log_end();
}

/* The worker has forgotten the session; windows that were on their way to it are still coming back. */
void schedule_ended(struct engine *e, struct session *s) {
    s->ended = true;
    s->blamed = learning_out(e, s);
    schedule_unlist(e, s);
    if (s->windows == 0) schedule_gone(e, s);
}

void schedule_settled(struct engine *e, struct session *s) {
    if (s->ended)
        schedule_gone(e, s);
    else if (s->idle)
        resting_in(e, s);
}

void schedule_gone(struct engine *e, struct session *s) {
    struct site *site = s->site;
    struct lane *lane = site->lane;
    assert(s->ended && s->windows == 0);
    if (s->prev)
        s->prev->next = s->next;
    else
        e->sessions = s->next;
    if (s->next) s->next->prev = s->prev;
    e->session_count--;
    e->big_sessions -= s->big;
    e->ending -= s->finishing;
    site->sessions--;
    if (!s->ready_seen) {
        site->connecting--;
        note_targets(site, s, loop_now(e->loop));
    }
    /* A server that ends a session which had nothing to do has done nothing wrong; but one that lets us in
     * and closes before it has had anything of what was granted has. */
    bool rightly = s->granted == 0 || (s->quiet && (s->worked || s->rested));
    bool failed = s->end.kind == EVENT_DEFERRED && !(s->ready_seen && rightly);
    if (failed) note_failure(e, s);
    if (s->proxy_works && s->fault != FAULT_PROXY) source_works(e, s);
    if (failed && s->fault) {
        proxy_fault(e, s);
    } else if (s->worked || s->rested || (s->ready_seen && !failed)) {
        site->failures = 0;
    } else if (failed && !e->draining) {
        /* Else it was one too many of the lane's, which is no fault of the site. */
        if (site->sessions == 0 && s->blamed != LEARN_CONNECTIONS && s->blamed != LEARN_NEW_CONNECTIONS)
            site_failed(e, site, &s->end);
    }
    if (lane->waiting) backlog_run(&e->backlog, lane); /* another site of it may want the place */
    if (!site->waiting) backlog_site_check(&e->backlog, site);
    engine_tell(s->worker, MSG_FORGET, s);
}
