/* Sessions at rest: idle, with no window outstanding. They are kept for what may come, in the order in which
 * they began to rest; when they are too many, have rested for long, or others want their place, the first of
 * them go. */
#include "owner.h"

static void end(struct engine *e, struct session *s) {
    schedule_unlist(e, s);
    schedule_finish(e, s);
}

/* There is work for it, which only could not be leased yet, for commits were late. */
static bool has_work(const struct session *s) {
    return s->site->turn != NULL;
}

static bool too_many(const struct engine *e) {
    return e->resting_count > e->options.idle_sessions && !e->held_back;
}

void resting_in(struct engine *e, struct session *s) {
    s->resting = true;
    s->resting_since = loop_now(e->loop);
    s->prev_resting = e->resting_last;
    s->next_resting = NULL;
    if (e->resting_last)
        e->resting_last->next_resting = s;
    else
        e->resting = s;
    e->resting_last = s;
    e->resting_count++;
    s->site->lane->resting++;
    if (too_many(e) && !has_work(e->resting)) end(e, e->resting);
}

void resting_out(struct engine *e, struct session *s) {
    if (!s->resting) return;
    if (s->prev_resting)
        s->prev_resting->next_resting = s->next_resting;
    else
        e->resting = s->next_resting;
    if (s->next_resting)
        s->next_resting->prev_resting = s->prev_resting;
    else
        e->resting_last = s->prev_resting;
    s->resting = false;
    e->resting_count--;
    s->site->lane->resting--;
}

void resting_make_place(struct engine *e, const struct lane *lane, bool any_kind, bool big) {
    if (lane && !lane->resting) return;
    for (struct session *s = e->resting; s; s = s->next_resting) {
        if ((lane && s->site->lane != lane) || (!any_kind && s->big != big) || has_work(s)) continue;
        end(e, s);
        return;
    }
}

void resting_tick(struct engine *e) {
    mono_us now = loop_now(e->loop);
    for (struct session *s; (s = e->resting);) {
        bool over = now - s->resting_since >= e->options.idle_us || too_many(e);
        if (!e->draining && (!over || has_work(s))) return;
        end(e, s);
    }
}
