/* The reference model of the ledger's tests: a strict state machine for each recipient, fed with events. */
#include "test_model.h"

#include "note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define REQUIRE(what)                                                                                        \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            fail_msg("seed %llu: %s chunk %llx due %lld: not " #what, (unsigned long long)seed,              \
                     event_name(e->kind), (unsigned long long)e->chunk, (long long)e->due);                  \
    } while (0)

struct model_campaign *model_campaign(struct model *m, uint32_t id) {
    for (unsigned i = 0; i < m->count; i++)
        if (m->campaigns[i].id == id) return &m->campaigns[i];
    assert_true(m->count < MODEL_CAMPAIGNS);
    struct model_campaign *c = &m->campaigns[m->count++];
    *c = (struct model_campaign){.id = id, .state = CAMPAIGN_LOADING};
    return c;
}

unsigned model_count(const struct model *m, enum model_state state) {
    unsigned n = 0;
    for (unsigned i = 0; i < m->count; i++)
        for (unsigned k = 0; k < m->campaigns[i].chunks && !m->campaigns[i].gone; k++)
            for (unsigned s = 0; s < m->campaigns[i].chunk[k].count; s++)
                n += m->campaigns[i].chunk[k].slots[s].state == state;
    return n;
}

struct tally model_tally(const struct model_campaign *c) {
    struct tally t = {.planned = c->planned,
                      .rejected = c->rejected,
                      .failed = c->rejected,
                      .duplicates = c->duplicates,
                      .deferrals = c->deferrals,
                      .doubted = c->doubted};
    for (unsigned k = 0; k < c->chunks; k++)
        for (unsigned s = 0; s < c->chunk[k].count; s++) {
            const struct model_recipient *r = &c->chunk[k].slots[s];
            t.deferred += r->state == MODEL_DEFERRED;
            if (r->state != MODEL_FINAL) continue;
            t.delivered += r->fate == EVENT_DELIVERED;
            t.failed += r->fate == EVENT_FAILED;
            t.suppressed += r->fate == EVENT_SUPPRESSED;
            t.cancelled += r->fate == EVENT_CANCELLED;
            t.expired += r->fate == EVENT_EXPIRED;
            t.uncertain += r->fate == EVENT_UNCERTAIN;
        }
    return t;
}

bool tally_same(const struct tally *a, const struct tally *b) {
    return a->planned == b->planned && a->delivered == b->delivered && a->failed == b->failed &&
           a->suppressed == b->suppressed && a->cancelled == b->cancelled && a->expired == b->expired &&
           a->uncertain == b->uncertain && a->rejected == b->rejected && a->duplicates == b->duplicates &&
           a->deferrals == b->deferrals && a->doubted == b->doubted && a->deferred == b->deferred;
}

/* A recipient reaches its fate: out of the retry table (then the event names its row), from a lease, or while
 * it waits for the first time. */
static void take_final(struct model_recipient *r, const struct event *e, uint64_t seed) {
    if (e->due)
        REQUIRE(r->state == MODEL_DEFERRED && r->due == e->due);
    else
        REQUIRE(r->state == MODEL_LEASED || (r->state == MODEL_PENDING && !r->due));
    REQUIRE(e->doubt == r->doubt);
    r->state = MODEL_FINAL;
    r->fate = e->kind;
    r->due = 0;
}

static void take_again(struct model_recipient *r, const struct event *e, uint64_t seed) {
    bool uncertain = e->kind == EVENT_UNCERTAIN;
    REQUIRE(r->state == MODEL_LEASED || (!uncertain && r->state == MODEL_PENDING && !r->due));
    REQUIRE(uncertain || e->due > 0);
    REQUIRE(e->doubt == r->doubt);
    if (uncertain) r->doubt = true;
    if (e->attempt) r->attempts = e->attempt;
    r->due = e->due;
    r->state = e->due ? MODEL_DEFERRED : MODEL_FINAL;
    r->fate = e->kind;
}

static void take_slot(struct model_recipient *r, const struct event *e, uint64_t seed) {
    REQUIRE((e->kind == EVENT_ACCEPTED) == (r->state == MODEL_NONE));
    switch (e->kind) {
    case EVENT_ACCEPTED: r->state = MODEL_PENDING; break;
    case EVENT_LEASED:
        REQUIRE(r->state == (e->due ? MODEL_DEFERRED : MODEL_PENDING) && r->due == e->due);
        r->state = MODEL_LEASED;
        break;
    case EVENT_RETURNED:
        REQUIRE(r->state == MODEL_LEASED && r->due == e->due);
        r->state = e->due ? MODEL_DEFERRED : MODEL_PENDING;
        break;
    case EVENT_DEFERRED:
    case EVENT_UNCERTAIN: take_again(r, e, seed); break;
    default: take_final(r, e, seed);
    }
}

static void take_campaign(struct model_campaign *c, const struct event *e, uint64_t seed) {
    struct campaign_row row;
    REQUIRE(campaign_row_decode(e->detail, &row, NULL) == 0);
    REQUIRE(row.id == c->id && !c->gone && !c->ended);
    if (row.state == CAMPAIGN_LOADING) {
        REQUIRE(row.ended && c->state == CAMPAIGN_LOADING);
        c->gone = true;
        return;
    }
    if (c->state == CAMPAIGN_LOADING) {
        c->planned = row.tally.planned;
        c->rejected = row.tally.rejected;
        c->duplicates = row.tally.duplicates;
        REQUIRE(row.chunks == c->chunks);
    }
    struct tally want = model_tally(c);
    REQUIRE(tally_same(&row.tally, &want));
    REQUIRE(!row.ended || tally_pending(&want) == 0);
    c->state = row.state;
    c->ended = row.ended != 0;
    c->hold_uncertain = row.hold_uncertain;
    c->expires = row.expires;
}

static void take_note(struct model *m, const struct event *e, uint64_t seed) {
    struct note n;
    REQUIRE(note_from_event(e, &n) && n.what == NOTE_HAND);
    m->notes++;
    m->noted = m->noted * 31 + n.touched;
}

void model_take(struct model *m, const struct event *e, uint64_t seed) {
    if (e->kind == EVENT_NOTE) {
        take_note(m, e, seed);
        return;
    }
    struct model_campaign *c = model_campaign(m, chunk_campaign(e->chunk));
    unsigned index = (unsigned)(e->chunk & RID_CHUNK_MAX);
    if (e->kind == EVENT_CAMPAIGN) {
        take_campaign(c, e, seed);
        return;
    }
    REQUIRE(!c->ended && !c->gone && index < MODEL_CHUNKS);
    struct model_chunk *chunk = &c->chunk[index];
    if (e->kind == EVENT_ACCEPTED) {
        struct chunk_row row;
        REQUIRE(chunk_row_decode(e->detail, &row, NULL) == 0 && row.id == e->chunk);
        REQUIRE(index == c->chunks && row.count <= MODEL_SLOTS && row.count == slots_count(&e->slots));
        c->chunks++;
        chunk->count = row.count;
    }
    REQUIRE(index < c->chunks);
    REQUIRE((e->kind == EVENT_CLOSED) == (slots_count(&e->slots) == 0));
    unsigned n = slots_count(&e->slots);
    if (e->kind == EVENT_DEFERRED) c->deferrals += n;
    if (e->kind == EVENT_UNCERTAIN) c->doubted += n;
    for (int s = slots_next(&e->slots, 0); s >= 0; s = slots_next(&e->slots, (unsigned)s + 1)) {
        REQUIRE((unsigned)s < chunk->count);
        take_slot(&chunk->slots[s], e, seed);
    }
    if (e->kind != EVENT_CLOSED) return;
    REQUIRE(!chunk->closed);
    chunk->closed = true;
    for (unsigned s = 0; s < chunk->count; s++)
        REQUIRE(chunk->slots[s].state == MODEL_DEFERRED || chunk->slots[s].state == MODEL_FINAL);
}

static bool recipient_same(const struct model_recipient *a, const struct model_recipient *b) {
    return a->state == b->state && a->due == b->due && a->doubt == b->doubt && a->attempts == b->attempts &&
           (a->state != MODEL_FINAL || a->fate == b->fate);
}

void model_same(const struct model *a, const struct model *b, uint64_t seed) {
    if (a->notes != b->notes || a->noted != b->noted)
        fail_msg("seed %llu: notes differ", (unsigned long long)seed);
    for (unsigned i = 0; i < a->count; i++) {
        const struct model_campaign *c = &a->campaigns[i];
        if (c->gone || c->state == CAMPAIGN_LOADING) continue;
        const struct model_campaign *d = NULL;
        for (unsigned k = 0; k < b->count; k++)
            if (b->campaigns[k].id == c->id) d = &b->campaigns[k];
        if (!d) {
            fail_msg("seed %llu: campaign %u is gone", (unsigned long long)seed, c->id);
            return;
        }
        if (d->gone || d->state != c->state || d->ended != c->ended || d->chunks != c->chunks)
            fail_msg("seed %llu: campaign %u is another", (unsigned long long)seed, c->id);
        for (unsigned k = 0; k < c->chunks; k++) {
            assert_int_equal(c->chunk[k].closed, d->chunk[k].closed);
            assert_int_equal(c->chunk[k].count, d->chunk[k].count);
            for (unsigned s = 0; s < c->chunk[k].count; s++)
                if (!recipient_same(&c->chunk[k].slots[s], &d->chunk[k].slots[s]))
                    fail_msg("seed %llu: recipient %u/%u/%u is another", (unsigned long long)seed, c->id, k,
                             s);
        }
    }
}
