/* The suppression list on a ledger: made-up histories with crashes against a model, the filter being filled
 * and outgrown, and what stands in the same batch as an outcome. */
#include "suppress.h"

#include "ledger_priv.h"
#include "test_ledger_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { PEOPLE = 48, AFTER = 3, TENANTS = 2 };

struct person {
    uint8_t reason, failures; /* 0: not on the list; in a row */
};
struct list {
    struct person of[TENANTS][PEOPLE];
};

static struct world world; /* too large for a stack */
static struct list now_is, durable, sealed[WORLD_IN_FLIGHT + 1];
static unsigned sealed_count;

static struct slice address_of(unsigned person, bool shout) {
    static char text[64];
    int n = snprintf(text, sizeof text, shout ? "P%u@example.com" : "p%u@example.com", person);
    return slice_make(text, (size_t)n);
}

static void committed(struct world *w, unsigned before) {
    for (; before > w->in_flight; before--) {
        durable = sealed[0];
        memmove(sealed, sealed + 1, --sealed_count * sizeof *sealed);
    }
}

static void seal(struct world *w, bool checkpoint) {
    if (w->in_flight == WORLD_IN_FLIGHT) {
        unsigned before = w->in_flight;
        world_commit_oldest(w);
        committed(w, before);
    }
    unsigned before = w->in_flight;
    world_seal(w, checkpoint);
    if (w->in_flight > before) sealed[sealed_count++] = now_is;
}

static void crash(struct world *w) {
    world_crash(w); /* its own start commits what it recovered */
    now_is = durable;
    sealed_count = 0;
    for (unsigned i = 0; i < w->in_flight; i++)
        sealed[sealed_count++] = now_is;
}

static void verify(struct world *w) {
    struct suppress_stats stats;
    struct suppress_row row;
    struct err err;
    uint64_t listed = 0, counted = 0;
    for (uint32_t t = 0; t < TENANTS; t++)
        for (unsigned i = 0; i < PEOPLE; i++) {
            const struct person *p = &now_is.of[t][i];
            listed += p->reason != 0;
            counted += !p->reason && p->failures;
            int is = ledger_suppressed(w->ledger, t, address_of(i, i % 2), &row, &err);
            if (is != (p->reason != 0) || (is && row.reason != p->reason))
                fail_msg("seed %llu: person %u of %u: %d", (unsigned long long)w->seed, i, t, is);
        }
    ledger_suppress_stats(w->ledger, &stats);
    assert_int_equal(stats.listed, listed);
    assert_int_equal(stats.counted, counted);
}

static void step(struct world *w) {
    uint32_t tenant = world_draw(w, TENANTS);
    unsigned i = world_draw(w, PEOPLE);
    struct person *p = &now_is.of[tenant][i];
    struct slice address = address_of(i, world_draw(w, 2));
    struct suppress_row wanted = {.reason = (enum suppress_reason)(1 + world_draw(w, 4))};
    struct suppress_proof proof = {.code = 452, .text = SLICE("mailbox full")};
    enum suppress_change change = SUPPRESS_UNCHANGED;
    struct err err;
    int failed = 0;
    switch (world_draw(w, 8)) {
    case 0:
        failed = ledger_suppress_put(w->ledger, tenant, address, &wanted, SUPPRESS_BY_COMMAND, w->now,
                                     &change, &err);
        assert_int_equal(change, !p->reason                   ? SUPPRESS_ADDED
                                 : p->reason == wanted.reason ? SUPPRESS_UNCHANGED
                                                              : SUPPRESS_CHANGED);
        *p = (struct person){.reason = (uint8_t)wanted.reason};
        break;
    case 1:
        failed = ledger_suppress_remove(w->ledger, tenant, address, &change, &err);
        assert_int_equal(change, p->reason ? SUPPRESS_REMOVED : SUPPRESS_UNCHANGED);
        *p = (struct person){0};
        break;
    case 2:
        failed = ledger_suppress_delivered(w->ledger, tenant, address, &err);
        p->failures = 0;
        break;
    default:
        failed = ledger_suppress_failed(w->ledger, tenant, address, &proof, AFTER, w->now, &change, &err);
        if (p->reason) break;
        p->failures++;
        assert_int_equal(change, p->failures == AFTER ? SUPPRESS_ADDED : SUPPRESS_UNCHANGED);
        if (p->failures == AFTER) *p = (struct person){.reason = SUPPRESS_BOUNCE};
    }
    if (failed) fail_msg("seed %llu: %s", (unsigned long long)w->seed, err.text);
    w->now += 1000;
}

static void history(uint64_t seed) {
    struct world *w = &world;
    now_is = durable = (struct list){0};
    sealed_count = 0;
    world_open(w, seed);
    for (unsigned turn = 0; turn < 600; turn++) {
        step(w);
        unsigned before = w->in_flight, what = world_draw(w, 40);
        if (what < 8) seal(w, what == 0);
        if (what >= 8 && what < 16 && before) {
            world_commit_oldest(w);
            committed(w, before);
        }
        if (what == 16) world_tell(w);
        if (what == 17 && world_draw(w, 3) == 0) crash(w);
        if (what >= 20 && what < 24) ledger_suppress_fill(w->ledger, world_draw(w, 8));
        if (turn % 20 == 0) verify(w);
    }
    while (ledger_suppress_fill(w->ledger, 5))
        continue;
    verify(w);
    seal(w, true);
    world_commit_all(w);
    durable = now_is;
    crash(w);
    verify(w);
    world_close(w);
}

static void histories(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        history(seed);
}

/* The outcome and the address that it puts on the list are durable together or not at all. */
static void with_its_outcome(void **state) {
    (void)state;
    for (int survives = 0; survives < 2; survives++) {
        struct world *w = &world;
        struct suppress_row row;
        enum suppress_change change;
        struct err err;
        world_open(w, 5);
        struct load load = {.chunks = 1, .count = 4, .lasts = 3600 * US_PER_SEC};
        uint32_t id = world_load(w, &load)->row.id;
        struct chunk *chunk = world_chunk(w, id, 0);
        struct slots one = slots_one(2);
        world_lease(w, chunk, &one);
        world_seal(w, false);
        world_commit_all(w);
        const struct suppress_row wanted = {.reason = SUPPRESS_BOUNCE,
                                            .proof = {.rid = chunk_rid(chunk->id, 2)}};
        world_settle(w, chunk, &one, EVENT_FAILED, 0);
        ledger_suppress_put(w->ledger, 0, SLICE("x@example.com"), &wanted, SUPPRESS_BY_REPLY, w->now, &change,
                            &err);
        world_seal(w, false);
        if (survives) world_commit_all(w);
        world_crash(w);
        struct campaign *c = ledger_campaign(w->ledger, id);
        assert_int_equal(c->row.tally.failed, survives);
        assert_int_equal(c->row.tally.doubted, !survives); /* leased without an outcome */
        assert_int_equal(ledger_suppressed(w->ledger, 0, SLICE("X@example.com"), &row, &err), survives);
        if (survives) assert_true(row.proof.rid == wanted.proof.rid && row.source == SUPPRESS_BY_REPLY);
        world_close(w);
    }
}

/* Ten thousand addresses outgrow the first filter; afterwards, and after a restart, the store is not asked
 * for those that are not on the list. */
static void the_filter_grows(void **state) {
    (void)state;
    struct world *w = &world;
    struct suppress_stats stats, after;
    struct suppress_row row, wanted = {0};
    enum suppress_change change;
    struct err err;
    char text[64];
    enum { MANY = 10000 };
    world_open(w, 9);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY && round == 0; i++) {
            int n = snprintf(text, sizeof text, "many%d@example.com", i);
            assert_int_equal(ledger_suppress_put(w->ledger, 0, slice_make(text, (size_t)n), &wanted,
                                                 SUPPRESS_BY_IMPORT, w->now, &change, &err),
                             0);
            if (i % 500 == 0) world_seal(w, false), world_commit_all(w);
            if (i % 7 == 0) ledger_suppress_fill(w->ledger, 16);
        }
        world_seal(w, false);
        world_commit_all(w);
        while (ledger_suppress_fill(w->ledger, 1000))
            continue;
        ledger_suppress_stats(w->ledger, &stats);
        assert_true(stats.listed == MANY && !stats.filling);
        assert_true(stats.filter_bytes >= MANY * 64 / 40 && stats.filter_bytes <= MANY * 64 / 40 * 4);
        for (int i = 0; i < MANY; i++) {
            int n = snprintf(text, sizeof text, "other%d@example.com", i);
            assert_int_equal(ledger_suppressed(w->ledger, 0, slice_make(text, (size_t)n), &row, &err), 0);
        }
        ledger_suppress_stats(w->ledger, &after);
        assert_true(after.asked - stats.asked < MANY / 50);
        for (int i = 0; i < MANY; i++) {
            int n = snprintf(text, sizeof text, "many%d@example.com", i);
            assert_int_equal(ledger_suppressed(w->ledger, 0, slice_make(text, (size_t)n), &row, &err), 1);
        }
        if (round == 0) world_crash(w);
    }
    world_close(w);
}

static void refuses(void **state) {
    (void)state;
    struct world *w = &world;
    struct suppress_row wanted = {0};
    enum suppress_change change;
    struct err err;
    char longest[300];
    memset(longest, 'a', sizeof longest);
    world_open(w, 3);
    const struct slice bad[] = {SLICE(""), slice_make(longest, 255)};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            ledger_suppress_put(w->ledger, 0, bad[i], &wanted, SUPPRESS_BY_COMMAND, w->now, &change, &err),
            -1);
        assert_int_equal(err.kind, ERR_INPUT);
        assert_int_equal(ledger_suppress_remove(w->ledger, 0, bad[i], &change, &err), -1);
    }
    assert_false(ledger_has_changes(w->ledger));
    world_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories),
        cmocka_unit_test(with_its_outcome),
        cmocka_unit_test(the_filter_grows),
        cmocka_unit_test(refuses),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
