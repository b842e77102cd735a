/* What sessions and mails meet with, told to their lane's controller (lanes/learn.h), and nothing else. */
#include "owner.h"

#include "hash.h"

/* A session without an answer for that long was closed because it was idle. */
#define IDLE_US (3 * US_PER_SEC)

/* ---- lanes ---- */

static void changed(void *ctx, const struct learn_change *change) {
    struct lane *lane = ctx;
    lane_changed(lane->user, lane, change);
}

void learning_begin(struct engine *e, struct lane *lane, const struct learn_profile *profile) {
    lane->user = e;
    learn_init(&lane->learn, profile, changed, lane, loop_now(e->loop));
}

/* The first names have numbers of their own, further ones share them. */
unsigned learning_host(struct lane *lane, const char *name) {
    uint32_t hash = (uint32_t)hash_bytes(slice_of(name), 0) | 1;
    for (unsigned i = 0; i < LEARN_HOSTS; i++) {
        if (lane->hosts[i] == 0) lane->hosts[i] = hash;
        if (lane->hosts[i] == hash) return i;
    }
    return hash / 2 % LEARN_HOSTS;
}

/* What its sessions were granted and have not begun comes back: it would only be refused. host: LEARN_HOSTS:
 * of all. */
static void recall(struct engine *e, const struct lane *lane, unsigned host) {
    for (struct session *s = e->sessions; s; s = s->next) {
        if (s->site->lane != lane || (host != LEARN_HOSTS && s->learn.host != host)) continue;
        for (struct window *w = s->held; w; w = w->next_held)
            atomic_store_explicit(&w->halted, true, memory_order_relaxed);
    }
}

static bool stands_still(const struct session *s) {
    return learn_stands_still(&s->site->lane->learn, s->learn.host);
}

/* A message was answered. `still`: as it was before. What was denied may be allowed now: sessions that wait
 * ask again. Or nothing is to be sent any more. */
static void look_again(struct engine *e, const struct session *s, bool still) {
    struct lane *lane = s->site->lane;
    bool now = stands_still(s);
    if (still && !now) backlog_run(&e->backlog, lane);
    if (now && !still) recall(e, lane, lane->learn.gate.kind ? LEARN_HOSTS : s->learn.host);
}

/* ---- replies ---- */

static struct learn_reply reply_of(const struct outcome *o) {
    return (struct learn_reply){.verdict = {.class = (enum classify_class)o->class,
                                            .action = (enum classify_action)o->action,
                                            .scope = (enum classify_scope)o->scope,
                                            .hint = (enum classify_hint)o->hint,
                                            .permanent = o->kind == EVENT_FAILED,
                                            .wait_s = o->wait_s},
                                .stage = outcome_where((enum smtp_stage)o->stage),
                                .code = o->code,
                                .words = slice_make(o->text, o->text_len)};
}

/* ---- sessions ---- */

enum arrival { REFUSED, NOBODY_THERE, OURS };

/* What became of an attempt that did not get in. */
static enum arrival arrival_of(enum smtp_why why, const struct outcome *end) {
    switch (why) {
    case SMTP_WHY_REFUSED:
    case SMTP_WHY_CLOSING: return REFUSED;
    case SMTP_WHY_LOST: return end->stage == SMTP_STAGE_CONNECT ? NOBODY_THERE : REFUSED;
    case SMTP_WHY_TIMEOUT: return NOBODY_THERE;
    default: return OURS;
    }
}

/* The hosts that it came to before the one where it is. */
static void tell_moves(struct session *s, mono_us now) {
    struct lane *lane = s->site->lane;
    for (const struct session_miss *miss = s->misses; miss; miss = miss->next) {
        unsigned next = learning_host(lane, s->targets[miss->target + 1].name);
        struct learn_reply reply = reply_of(&miss->end);
        bool refused = arrival_of(miss->why, &miss->end) == REFUSED;
        learn_moved(&lane->learn, &s->learn, next, refused ? &reply : NULL, now);
    }
}

void learning_in(struct engine *e, struct session *s) {
    struct lane *lane = s->site->lane;
    mono_us now = loop_now(e->loop);
    tell_moves(s, now);
    bool still = stands_still(s);
    learn_let_in(&lane->learn, &s->learn, now);
    s->answered_at = now;
    look_again(e, s, still);
    if (lane->waiting) backlog_run(&e->backlog, lane);
}

/* It was let in, and is over. A server that ends what is idle says nothing with it. */
static void left(struct learn *l, struct session *s, mono_us now) {
    bool by_server = (s->why == SMTP_WHY_LOST || s->why == SMTP_WHY_CLOSING) &&
                     (s->cut_short || now - s->answered_at < IDLE_US);
    struct learn_reply reply = reply_of(&s->end);
    learn_left(l, &s->learn, by_server, s->why == SMTP_WHY_CLOSING ? &reply : NULL, now);
}

enum learn_dimension learning_out(struct engine *e, struct session *s) {
    struct learn *l = &s->site->lane->learn;
    mono_us now = loop_now(e->loop);
    if (s->ready && !s->ready_seen) learning_in(e, s);
    if (s->ready) {
        left(l, s, now);
        return LEARN_NOTHING;
    }
    tell_moves(s, now);
    struct learn_reply reply = reply_of(&s->end);
    switch (s->fault ? OURS : arrival_of(s->why, &s->end)) {
    case REFUSED: return learn_turned_away(l, &s->learn, &reply, now);
    case NOBODY_THERE: return learn_unreachable(l, &s->learn, now);
    case OURS: learn_dropped(l, &s->learn, now); break;
    }
    return LEARN_NOTHING;
}

/* ---- mails ---- */

/* How fast the session is: the time for each mail of a window, smoothed. */
static void note_speed(struct session *s, const struct window *w, unsigned mails, mono_us now) {
    mono_us since = w->sent_at > s->window_done ? w->sent_at : s->window_done;
    float each = (float)(now - since) / (float)mails;
    s->each_us = s->each_us > 0 ? s->each_us + (each - s->each_us) / 4 : each;
    s->site->lane->each_us = s->each_us;
}

static void answered(struct engine *e, struct window *w, const struct outcome *o, mono_us now) {
    struct session *s = w->session;
    struct learn_reply reply = reply_of(o);
    s->answered_at = now;
    w->heard++;
    learn_answer(&s->site->lane->learn, &s->learn, &reply, now - w->granted_at, now);
    if (s->site->failures == 0 || o->kind != EVENT_DELIVERED) return;
    s->site->failures = 0; /* it works again: others may join this session */
    backlog_run(&e->backlog, s->site->lane);
}

static void unheard(struct session *s, const struct outcome *o) {
    struct learn *l = &s->site->lane->learn;
    if (!o->begun) {
        learn_give_back(l, &s->learn, 1);
        return;
    }
    s->cut_short = true;
    learn_unanswered(l, &s->learn, 1);
}

void learning_item(struct engine *e, struct window *w, const struct window_item *item) {
    bool still = stands_still(w->session);
    if (item->outcome.heard)
        answered(e, w, &item->outcome, loop_now(e->loop));
    else
        unheard(w->session, &item->outcome);
    look_again(e, w->session, still);
}

/* Is it the lane that the answer speaks of, and not a recipient or the content? */
static bool is_of_lane(const struct outcome *o) {
    return o->kind != EVENT_DELIVERED && o->kind != EVENT_FAILED &&
           (o->scope == CLASSIFY_SCOPE_LANE || o->class == CLASSIFY_RATE_LIMITED);
}

/* Of a shared mail each transaction counts, and not each recipient: one of them stands for what was refused
 * to the lane, the others for what was taken. */
void learning_shared(struct engine *e, struct window *w) {
    struct session *s = w->session;
    struct lane *lane = s->site->lane;
    bool still = stands_still(s);
    mono_us now = loop_now(e->loop);
    const struct outcome *of_lane = NULL, *best = NULL, *lost = NULL;
    for (unsigned i = 0; i < w->count; i++) {
        const struct outcome *o = &w->items[i].outcome;
        if (!o->heard && o->begun) lost = o;
        if (!o->heard) continue;
        if (is_of_lane(o)) of_lane = o;
        if (!best || o->kind == EVENT_DELIVERED) best = o;
    }
    if (w->mails > 1) learn_charge(&lane->learn, &s->learn, w->mails - 1, now);
    unsigned rest = w->mails ? w->mails : 1;
    if (of_lane && best->kind == EVENT_DELIVERED && rest > 1) answered(e, w, of_lane, now), rest--;
    if (lost && best && rest > 1) unheard(s, lost), rest--;
    for (; rest > 0; rest--) {
        if (best && w->mails)
            answered(e, w, of_lane && best->kind != EVENT_DELIVERED ? of_lane : best, now);
        else
            unheard(s, lost ? lost : &w->items[0].outcome);
    }
    look_again(e, s, still);
}

void learning_done(struct engine *e, struct window *w) {
    mono_us now = loop_now(e->loop);
    if (w->heard && w->sent_at) note_speed(w->session, w, w->heard, now);
    if (w->heard) w->session->window_done = now;
}
