/* Transactional mail that finds all places taken by bulk: one of these sessions ends when it has brought what
 * it holds to its end, a window or two. No connection is kept free for what may come. */
#include "owner.h"

/* The less it holds the sooner it is gone. */
static bool sooner(const struct session *a, const struct session *b) {
    return !b || a->windows < b->windows;
}

void overtake(struct engine *e, const struct lane *lane) {
    struct session *least = NULL;
    for (struct session *s = e->sessions; s; s = s->next) {
        if (lane && s->site->lane != lane) continue;
        if (s->finishing || s->ended) return; /* its place is as good as free */
        if (s->ready_seen && !backlog_urgent(s->site) && sooner(s, least)) least = s;
    }
    if (least) schedule_finish(e, least);
}
