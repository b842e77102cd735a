/* Sessions that ask get windows; those for which there is none wait at their site for work, or at their lane
 * for its rate. */
#include "owner.h"

#include <stdlib.h>

enum { FIRST_WINDOW = 2 /* while nothing is known of a session's speed */ };
#define WINDOW_US   (250 * US_PER_MS) /* what a window may take */
#define PARKED_US   (15 * US_PER_SEC) /* a session that waits longer for its lane's pace ends */
#define PARKED_MOST (60 * US_PER_SEC) /* the same of the only one */
#define HANGING_US  (10 * US_PER_SEC)

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
void serve_refresh(struct engine *e, struct site *site, mono_us now) {
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
    serve_refresh(e, site, now);
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

bool serve_idle(struct engine *e, struct site *site, mono_us now) {
    while (site->idle && site->turn) {
        struct session *s = site->idle;
        schedule_unlist(e, s);
        if (!grant(e, s, now)) idle_or_end(e, s);
        if (s->idle || s->parked) break;
    }
    return site->turn && !site->idle;
}

/* Those with transactional mail to send first. */
void serve_parked(struct engine *e, struct lane *lane, mono_us now) {
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

/* The server is back: those that it left without a greeting will get none any more. */
static void finish_hanging(struct engine *e, const struct session *back) {
    for (struct session *s = e->sessions; s; s = s->next)
        if (s->site == back->site && !s->ready_seen && s->opened_at + HANGING_US < back->opened_at)
            schedule_finish(e, s);
}

void schedule_ready(struct engine *e, struct session *s) {
    if (!s->ready_seen) {
        s->ready_seen = true;
        session_targets(s->site, s, loop_now(e->loop));
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
