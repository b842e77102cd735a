/* The fold of events to fates. */
#include "fold.h"

const char *fate_name(enum fate fate) {
    static const char *const names[FATES] = {"pending",   "delivered", "failed",   "suppressed",
                                             "cancelled", "expired",   "uncertain"};
    return names[fate];
}

void fold_init(struct fold *f, unsigned count) {
    f->count = count < CHUNK_SLOTS ? count : CHUNK_SLOTS;
    memset(f->slots, 0, f->count * sizeof f->slots[0]);
}

static enum fate fate_of(const struct event *e) {
    switch (e->kind) {
    case EVENT_DELIVERED: return FATE_DELIVERED;
    case EVENT_FAILED: return FATE_FAILED;
    case EVENT_SUPPRESSED: return FATE_SUPPRESSED;
    case EVENT_CANCELLED: return FATE_CANCELLED;
    case EVENT_EXPIRED: return FATE_EXPIRED;
    case EVENT_UNCERTAIN: return e->due ? FATE_PENDING : FATE_UNCERTAIN; /* with a time it is sent again */
    default: return FATE_PENDING;
    }
}

/* An end that nobody answered (expired, cancelled) leaves the receiver's last words standing: they say why.
 */
static bool has_words(const struct event *e) {
    return e->text.len || e->code || e->class;
}

static void fold_one(struct fold_slot *s, const struct event *e) {
    bool lost = e->kind == EVENT_UNCERTAIN;
    s->leased = e->kind == EVENT_LEASED;
    if (e->kind == EVENT_LEASED || e->kind == EVENT_RETURNED) {
        s->fate = FATE_PENDING;
        return;
    }
    s->fate = fate_of(e);
    s->deferred = s->fate == FATE_PENDING;
    s->doubted = s->doubted || lost || e->doubt;
    s->lost = (uint16_t)(s->lost + lost);
    if (!s->told || has_words(e)) s->answer = *e;
    s->answer.kind = e->kind;
    s->answer.at = e->at;
    s->answer.due = e->due;
    s->told = true;
}

void fold_event(struct fold *f, const struct event *e) {
    if (e->kind == EVENT_ACCEPTED || e->kind == EVENT_CLOSED || e->kind == EVENT_CAMPAIGN ||
        e->kind == EVENT_NOTE)
        return;
    for (int slot = slots_next(&e->slots, 0); slot >= 0 && (unsigned)slot < f->count;
         slot = slots_next(&e->slots, (unsigned)slot + 1))
        fold_one(&f->slots[slot], e);
}
