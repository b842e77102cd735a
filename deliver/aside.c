/* Recipients of chunks whose table is in memory, kept by an order: set aside, so that the table can go and
 * others come into the backlog. A chunk has one place here for all of them. What was taken from the retry
 * table goes back there instead. When the orders change, all that was set aside is looked at again, a few
 * chunks a turn. */
#include "owner.h"

enum { CHUNKS_A_TURN = 32 };

static void list_in(struct aside_list *list, struct chunk *chunk) {
    ((struct opened *)chunk->user)->next_aside = NULL;
    if (list->last)
        ((struct opened *)list->last->user)->next_aside = chunk;
    else
        list->first = chunk;
    list->last = chunk;
}

static struct chunk *list_out(struct aside_list *list) {
    struct chunk *chunk = list->first;
    if (!chunk) return NULL;
    list->first = ((struct opened *)chunk->user)->next_aside;
    if (!list->first) list->last = NULL;
    return chunk;
}

void aside_put(struct engine *e, struct chunk *chunk, const struct slots *slots) {
    struct opened *opened = chunk->user;
    bool any = false;
    ledger_pass_over(e->ledger, chunk, slots, clock_wall());
    for (int i = slots_next(slots, 0); i >= 0; i = slots_next(slots, (unsigned)i + 1)) {
        if (chunk->states[i] != SLOT_PENDING) continue;
        slots_add(&opened->aside, (unsigned)i);
        any = true;
    }
    if (!any || opened->listed) return;
    opened->listed = true;
    ledger_hold(chunk);
    list_in(&e->hands.aside, chunk);
}

void aside_anew(struct engine *e) {
    struct chunk *chunk;
    while ((chunk = list_out(&e->hands.aside)))
        list_in(&e->hands.anew, chunk);
}

/* Its recipients that still wait, and the place is given up. The hold is the caller's. */
static struct slots take(struct chunk *chunk) {
    struct opened *opened = chunk->user;
    struct slots slots = {{0}};
    for (int i = slots_next(&opened->aside, 0); i >= 0; i = slots_next(&opened->aside, (unsigned)i + 1))
        if (chunk->states[i] == SLOT_PENDING) slots_add(&slots, (unsigned)i);
    opened->aside = (struct slots){{0}};
    opened->listed = false;
    return slots;
}

void aside_feed(struct engine *e) {
    struct chunk *chunk;
    for (unsigned n = 0; e->hands.anew.first && e->mixed_bytes < MIXED_BYTES_MAX && !commit_late(e); n++) {
        if (n == CHUNKS_A_TURN) {
            loop_wake_send(e->wake);
            return;
        }
        chunk = list_out(&e->hands.anew);
        struct slots slots = take(chunk);
        if (backlog_may_go(chunk->campaign) && slots_count(&slots) && feed_load(e, chunk)) {
            feed_count_mixed(e, chunk);
            feed_return(e, chunk, &slots);
        }
        feed_let_go(e, chunk);
    }
}

static void purge(struct engine *e, struct aside_list *list) {
    struct aside_list all = *list;
    struct chunk *chunk;
    *list = (struct aside_list){NULL, NULL};
    while ((chunk = list_out(&all))) {
        if (backlog_may_go(chunk->campaign)) {
            list_in(list, chunk);
            continue;
        }
        take(chunk);
        feed_let_go(e, chunk);
    }
}

void aside_purge(struct engine *e) {
    purge(e, &e->hands.aside);
    purge(e, &e->hands.anew);
}

void aside_done(struct engine *e) {
    struct chunk *chunk;
    aside_anew(e);
    while ((chunk = list_out(&e->hands.anew))) {
        take(chunk);
        ledger_release(e->ledger, chunk);
    }
}
