/* Tests of the ledger: hundreds of made-up histories from seeds, with crashes, against the reference model;
 * and the races that were thought of, each by itself. */
#include "test_ledger_world.h"

#include "ledger_priv.h"
#include "note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static struct world world; /* too large for a stack */

/* ---- histories from seeds ---- */

static struct campaign *any_campaign(struct world *w) {
    if (!w->model.count) return NULL;
    struct campaign *c = ledger_campaign(w->ledger, w->model.campaigns[world_draw(w, w->model.count)].id);
    return c && c->row.state != CAMPAIGN_LOADING ? c : NULL;
}

static struct chunk *any_chunk(struct world *w, struct campaign *c) {
    return c && c->row.chunks ? c->chunks[world_draw(w, c->row.chunks)] : NULL;
}

static void step_load(struct world *w) {
    unsigned open = 0;
    for (struct campaign *c = ledger_campaigns(w->ledger); c; c = c->next)
        open += !c->row.ended;
    if (open >= 3 || w->model.count >= MODEL_CAMPAIGNS - 2) return;
    struct load load = {.chunks = world_draw(w, MODEL_CHUNKS + 1),
                        .rejected = world_draw(w, 3),
                        .duplicates = world_draw(w, 3),
                        .held = world_draw(w, 4) == 0,
                        .hold_uncertain = world_draw(w, 3) == 0,
                        .lasts = world_draw(w, 3) ? 3600 * US_PER_SEC : (1 + world_draw(w, 20)) * US_PER_SEC,
                        .crash_before_ready = world_draw(w, 8) == 0};
    world_load(w, &load);
}

static void step_lease(struct world *w) {
    struct campaign *c = any_campaign(w);
    struct chunk *chunk = any_chunk(w, c);
    struct slots window = {{0}};
    if (!chunk || c->row.state != CAMPAIGN_READY) return;
    unsigned most = 1 + world_draw(w, 8), from = world_draw(w, chunk->count);
    for (unsigned s = from; s < chunk->count && slots_count(&window) < most; s++)
        if (chunk->states[s] == SLOT_PENDING) slots_add(&window, s);
    if (slots_count(&window)) world_lease(w, chunk, &window);
}

/* Some of a chunk's slots that are in this state, of equal attempts; all of them durably leased when `sent`.
 */
static struct slots some_slots(struct world *w, struct chunk *chunk, enum slot_state state, bool sent) {
    struct slots some = {{0}};
    unsigned most = world_draw(w, 3) ? 1 : 1 + world_draw(w, 5);
    unsigned attempts = 0, i = 0;
    while (w->model.campaigns[i].id != chunk_campaign(chunk->id))
        i++;
    unsigned k = (unsigned)(chunk->id & RID_CHUNK_MAX);
    for (unsigned s = world_draw(w, chunk->count); s < chunk->count && slots_count(&some) < most; s++) {
        if (chunk->states[s] != state) continue;
        if (sent && w->durable.campaigns[i].chunk[k].slots[s].state != MODEL_LEASED) continue;
        unsigned made = w->model.campaigns[i].chunk[k].slots[s].attempts;
        if (slots_count(&some) && made != attempts) continue;
        attempts = made;
        slots_add(&some, s);
    }
    return some;
}

static void step_settle(struct world *w) {
    static const enum event_kind kinds[] = {EVENT_RETURNED,  EVENT_DELIVERED, EVENT_DELIVERED,
                                            EVENT_DEFERRED,  EVENT_DEFERRED,  EVENT_DEFERRED,
                                            EVENT_UNCERTAIN, EVENT_FAILED,    EVENT_SUPPRESSED};
    struct chunk *chunk = any_chunk(w, any_campaign(w));
    if (!chunk) return;
    enum event_kind kind = kinds[world_draw(w, sizeof kinds / sizeof *kinds)];
    bool sent = kind == EVENT_DELIVERED || kind == EVENT_UNCERTAIN;
    struct slots some = some_slots(w, chunk, SLOT_LEASED, sent);
    wall_us delay = world_draw(w, 4) ? 1 + world_draw(w, 15 * US_PER_SEC) : 0;
    if (slots_count(&some)) world_settle(w, chunk, &some, kind, delay + 1000);
}

static void step_settle_waiting(struct world *w) {
    static const enum event_kind kinds[] = {EVENT_FAILED, EVENT_SUPPRESSED, EVENT_DEFERRED};
    struct chunk *chunk = any_chunk(w, any_campaign(w));
    if (!chunk) return;
    struct slots some = some_slots(w, chunk, SLOT_PENDING, false);
    if (slots_count(&some)) world_settle(w, chunk, &some, kinds[world_draw(w, 3)], 3 * US_PER_SEC);
}

static void step_state(struct world *w) {
    struct campaign *c = any_campaign(w);
    if (!c || c->row.ended) return;
    if (c->row.state == CAMPAIGN_READY)
        world_set_state(w, c, world_draw(w, 3) ? CAMPAIGN_HELD : CAMPAIGN_CANCELLED);
    else if (c->row.state == CAMPAIGN_HELD)
        world_set_state(w, c, world_draw(w, 4) ? CAMPAIGN_READY : CAMPAIGN_CANCELLED);
}

static void step_sweep(struct world *w) {
    struct campaign *c = any_campaign(w);
    if (!c || c->row.ended) return;
    if (w->now >= c->row.expires && !c->sweeping && c->row.state != CAMPAIGN_CANCELLED)
        ledger_sweep_start(w->ledger, c);
    world_sweep(w, c, 1 + world_draw(w, 3));
}

/* The engine has no use for them now. */
static void step_unwake(struct world *w) {
    struct chunk *chunk = any_chunk(w, any_campaign(w));
    if (chunk) world_unwake(w, chunk);
}

static void step_hold(struct world *w) {
    unsigned i = world_draw(w, 4);
    if (w->held[i]) {
        ledger_release(w->ledger, w->held[i]);
        w->held[i] = NULL;
        return;
    }
    struct chunk *chunk = any_chunk(w, any_campaign(w));
    if (chunk) ledger_hold(w->held[i] = chunk);
}

static void step_note(struct world *w) {
    struct note n = {.what = NOTE_HAND, .at = w->now, .act = NOTE_RESUMED, .touched = world_draw(w, 1000)};
    ledger_remark(w->ledger, &n);
    world_tap(w);
}

static void step(struct world *w) {
    unsigned d = world_draw(w, 100);
    if (d < 5)
        step_load(w);
    else if (d < 28)
        step_lease(w);
    else if (d < 52)
        step_settle(w);
    else if (d < 56)
        step_settle_waiting(w);
    else if (d < 59)
        step_state(w);
    else if (d < 63)
        step_sweep(w);
    else if (d < 65)
        step_hold(w);
    else if (d < 67)
        step_note(w);
    else if (d < 68)
        step_unwake(w);
    else if (d < 74)
        w->now += world_draw(w, 8 * US_PER_SEC);
    else if (d < 80)
        world_due(w, 1 + world_draw(w, 6));
    else if (d < 88)
        world_seal(w, world_draw(w, 4) == 0);
    else if (d < 95)
        world_commit_oldest(w);
    else if (d < 96)
        world_tell(w);
    else if (d < 97)
        world_read(w);
    else if (d < 99)
        world_crash(w);
    else
        world_crash(w), world_crash(w); /* before what recovery found is durable */
}

static void histories_hold(void **state) {
    (void)state;
    const char *only = getenv("LEDGER_SEED"), *many = getenv("LEDGER_SEEDS");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1, count = only   ? 1
                                                                  : many ? strtoull(many, NULL, 10)
                                                                         : 300;
    unsigned crashes = 0, second_copies = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        world_open(&world, seed);
        unsigned steps = 50 + world_draw(&world, 400);
        for (unsigned i = 0; i < steps; i++) {
            step(&world);
            if (i % 4 == 0) world_verify(&world);
        }
        world_finish(&world);
        crashes += world.crashes;
        second_copies += world.second_copies;
        world_close(&world);
    }
    if (!only) assert_true(crashes > count && second_copies > 0); /* else it tried nothing */
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
