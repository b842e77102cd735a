/* The engine and the suppression list: what answers put on it, who is not sent to, and from when on. */
#include "classify.h"
#include "test_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR (3600 * US_PER_SEC)

static struct world *open_world(void) {
    struct world *w = calloc(1, sizeof *w);
    world_init(w);
    host_open(world_host(w, 7));
    return w;
}

static void close_world(struct world *w) {
    if (w->engine) world_engine_stop(w, US_PER_SEC);
    world_done(w);
    free(w);
}

static unsigned asked(struct world *w) {
    pthread_mutex_lock(&w->lock);
    unsigned n = w->asked_count;
    pthread_mutex_unlock(&w->lock);
    return n;
}

static unsigned taken(struct world *w) {
    pthread_mutex_lock(&w->lock);
    unsigned n = w->taken_count;
    pthread_mutex_unlock(&w->lock);
    return n;
}

static void fill_mailboxes(struct world *w, bool full) {
    pthread_mutex_lock(&w->lock);
    w->mailboxes_full = full;
    pthread_mutex_unlock(&w->lock);
}

static struct suppress_entry entry_of(const char *address) {
    return (struct suppress_entry){.address = slice_of(address)};
}

static enum suppress_change add(struct world *w, const char *address) {
    struct suppress_entry entry = entry_of(address);
    struct err err;
    if (engine_suppress(w->engine, 0, SUPPRESS_BY_COMMAND, &entry, 1, &err)) fail_msg("%s", err.text);
    return entry.change;
}

static enum suppress_change take_off(struct world *w, const char *address) {
    struct suppress_entry entry = entry_of(address);
    struct err err;
    if (engine_unsuppress(w->engine, 0, &entry, 1, &err)) fail_msg("%s", err.text);
    return entry.change;
}

/* What is durable of the address: 1, 0. */
static int stored(struct world *w, const char *address, struct suppress_row *row, char words[64]) {
    struct store_reader *r = store_reader_open(w->store, NULL);
    struct suppress_key key;
    struct slice value;
    struct err err = {0};
    suppress_key_make(&key, SUPPRESS_LISTED, 0, slice_of(address));
    assert_int_equal(store_read_begin(r, &err), 0);
    int is = store_get(r, TABLE_SUPPRESSION, suppress_key_slice(&key), &value, &err);
    if (is == 1) {
        assert_int_equal(suppress_row_decode(value, row, &err), 0);
        snprintf(words, 64, "%.*s", SLICE_ARG(row->proof.text));
    }
    store_read_end(r);
    store_reader_free(r);
    return is;
}

/* Batches are durable in their order: what is answered behind all else has all else before it. */
static void let_it_be_durable(struct world *w) {
    add(w, "last@flush.test");
    take_off(w, "last@flush.test");
}

static struct tally send_all(struct world *w, const char *rows) {
    struct campaign_status end = world_wait(w, world_campaign(w, rows, false, HOUR), NULL);
    const struct tally *t = &end.tally;
    assert_int_equal(t->planned, t->delivered + t->failed + t->suppressed + t->expired);
    let_it_be_durable(w);
    return *t;
}

/* ---- what answers do ---- */

static void test_unknown_users(void **state) {
    (void)state;
    static const char rows[] = "a@7.test,x@y.test\nunknown1@7.test,x@y.test\nunknown2@7.test,x@y.test\n"
                               "b@7.test,x@y.test\n";
    struct world *w = open_world();
    struct suppress_row row = {0};
    struct engine_counters counters;
    char words[64];
    world_engine(w);
    struct tally t = send_all(w, rows);
    assert_int_equal(t.failed, 2);
    assert_int_equal(stored(w, "UNKNOWN1@7.test", &row, words), 1);
    assert_true(row.reason == SUPPRESS_BOUNCE && row.source == SUPPRESS_BY_REPLY && row.proof.code == 550);
    assert_int_equal(row.proof.class, CLASSIFY_INVALID_RECIPIENT);
    assert_int_equal(chunk_campaign(rid_chunk(row.proof.rid)), 1);
    assert_string_equal(words, "no such user");
    assert_int_equal(stored(w, "a@7.test", &row, words), 0);
    for (int i = 0; i < 2; i++) { /* the second time behind a restart */
        unsigned before = asked(w);
        t = send_all(w, rows);
        assert_int_equal(t.suppressed, 2);
        assert_int_equal(t.delivered, 2);
        assert_int_equal(asked(w) - before, 2); /* nobody was asked of them */
        engine_counters(w->engine, &counters);
        assert_int_equal(counters.suppressed, 2);
        assert_int_equal(counters.suppress_listed, 2);
        if (i == 0) {
            assert_int_equal(counters.suppress_added[SUPPRESS_BOUNCE], 2);
            world_engine_stop(w, US_PER_SEC);
            world_engine(w);
        }
    }
    assert_int_equal(take_off(w, "unknown1@7.TEST"), SUPPRESS_REMOVED);
    t = send_all(w, rows);
    assert_true(t.suppressed == 1 && t.failed == 1);
    close_world(w);
}

static void test_three_in_a_row(void **state) {
    (void)state;
    static const char rows[] = "full1@7.test,x@y.test\nb@7.test,x@y.test\n";
    struct world *w = open_world();
    struct suppress_row row = {0};
    struct engine_counters counters;
    char words[64];
    world_engine(w);
    /* Two, then one that arrives: it begins anew. */
    const bool full[] = {true, true, false, true, true, true};
    for (size_t i = 0; i < sizeof full / sizeof *full; i++) {
        fill_mailboxes(w, full[i]);
        struct tally t = send_all(w, rows);
        assert_int_equal(t.failed, full[i]);
        assert_int_equal(t.suppressed, 0);
        engine_counters(w->engine, &counters);
        assert_int_equal(counters.suppress_counted, full[i] && i != 5);
        assert_int_equal(stored(w, "full1@7.test", &row, words), i == 5);
    }
    assert_int_equal(row.failures, 3);
    assert_string_equal(words, "mailbox full");
    struct tally t = send_all(w, rows);
    assert_true(t.suppressed == 1 && t.delivered == 1);
    close_world(w);
}

static void test_not_by_itself(void **state) {
    (void)state;
    struct world *w = open_world();
    struct engine_counters counters;
    w->options.suppress_auto = false;
    fill_mailboxes(w, true);
    world_engine(w);
    for (int i = 0; i < 4; i++) {
        struct tally t = send_all(w, "unknown@7.test,x@y.test\nfull@7.test,x@y.test\n");
        assert_int_equal(t.failed, 2);
    }
    engine_counters(w->engine, &counters);
    assert_int_equal(counters.suppress_listed + counters.suppress_counted, 0);
    assert_int_equal(add(w, "unknown@7.test"), SUPPRESS_ADDED);
    struct tally t = send_all(w, "unknown@7.test,x@y.test\nfull@7.test,x@y.test\n");
    assert_true(t.suppressed == 1 && t.failed == 1);
    close_world(w);
}

/* What is wrong with a domain, or is over soon, is no verdict on its addresses. */
static void test_others_stay(void **state) {
    (void)state;
    struct world *w = open_world();
    struct engine_counters counters;
    world_engine(w);
    for (int i = 0; i < 4; i++)
        send_all(w,
                 "a@nx.test,x@y.test\na@null.test,x@y.test\nlater@7.test,x@y.test\ngrey@7.test,x@y.test\n");
    engine_counters(w->engine, &counters);
    assert_int_equal(counters.suppress_listed, 0);
    assert_int_equal(counters.suppress_counted, 0);
    close_world(w);
}

/* ---- who is not sent to ---- */

static void test_wherever_they_are(void **state) {
    (void)state;
    struct world *w = open_world();
    world_engine(w);
    assert_int_equal(add(w, "on@nx.test"), SUPPRESS_ADDED);
    assert_int_equal(add(w, "On@nx.test"), SUPPRESS_UNCHANGED);
    assert_int_equal(add(w, "on@8.test"), SUPPRESS_ADDED); /* nobody listens there */
    struct tally t = send_all(w, "ON@nx.test,x@y.test\noff@nx.test,x@y.test\non@8.test,x@y.test\n");
    assert_int_equal(t.suppressed, 2);
    assert_int_equal(t.failed, 1);
    close_world(w);
}

static bool one_deferred(const struct campaign_status *s) {
    return s->deferred == 1;
}

static void test_before_a_retry(void **state) {
    (void)state;
    struct world *w = open_world();
    world_engine(w);
    uint32_t id = world_campaign(w, "grey@7.test,x@y.test\n", false, HOUR);
    world_wait(w, id, one_deferred);
    assert_int_equal(add(w, "grey@7.test"), SUPPRESS_ADDED);
    struct campaign_status end = world_wait(w, id, NULL);
    assert_int_equal(end.tally.suppressed, 1);
    assert_int_equal(end.tally.deferred, 0);
    assert_int_equal(taken(w), 0);
    close_world(w);
}

/* All of a large domain, as one chunk after the other: no recipient is looked at twice, no session hangs. */
static void test_a_whole_domain(void **state) {
    (void)state;
    struct world *w = open_world();
    enum { MANY = 3000, GROUP = 500 };
    struct suppress_entry entries[GROUP];
    char names[GROUP][32];
    struct err err;
    world_engine(w);
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i % GROUP], sizeof names[0], "r%d@7.test", i);
        entries[i % GROUP] = entry_of(names[i % GROUP]);
        if (i % GROUP == GROUP - 1)
            assert_int_equal(engine_suppress(w->engine, 0, SUPPRESS_BY_IMPORT, entries, GROUP, &err), 0);
    }
    struct campaign_status end = world_wait(w, world_many(w, "r", "7.test", MANY + 10), NULL);
    assert_int_equal(end.tally.suppressed, MANY);
    assert_int_equal(end.tally.delivered, 10);
    world_check(w, &end);
    assert_int_equal(asked(w), 10);
    close_world(w);
}

static bool fifty_are_there(const struct campaign_status *s) {
    return s->tally.delivered >= 50;
}

/* Added while a campaign runs: nobody is begun any more once that is durable. Windows hold more than what is
 * in the conversation; those go back. */
static void test_while_it_runs(void **state) {
    (void)state;
    struct world *w = open_world();
    enum { MANY = 400, SESSIONS = 4, BEGUN = 3 };
    struct suppress_entry entries[MANY];
    static char names[MANY][32];
    struct err err;
    w->hosts[0].slow_ms = 40;
    world_engine(w);
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[0], "r%d@7.test", i);
        entries[i] = entry_of(names[i]);
    }
    uint32_t id = world_many(w, "r", "7.test", MANY);
    world_wait(w, id, fifty_are_there);
    assert_int_equal(engine_suppress(w->engine, 0, SUPPRESS_BY_COMMAND, entries, MANY, &err), 0);
    unsigned before = taken(w);
    struct campaign_status end = world_wait(w, id, NULL);
    unsigned after = taken(w);
    print_message("# %u more after it was durable\n", after - before);
    assert_true(after - before <= SESSIONS * BEGUN);
    assert_int_equal(end.tally.delivered + end.tally.suppressed, MANY);
    assert_int_equal(end.tally.doubted, 0);
    world_check(w, &end);
    close_world(w);
}

/* What is answered is in the store. */
static void test_durable_when_answered(void **state) {
    (void)state;
    struct world *w = open_world();
    struct suppress_row row = {0};
    char words[64];
    world_engine(w);
    assert_int_equal(add(w, "one@7.test"), SUPPRESS_ADDED);
    assert_int_equal(stored(w, "one@7.test", &row, words), 1); /* at once */
    assert_int_equal(take_off(w, "one@7.test"), SUPPRESS_REMOVED);
    assert_int_equal(stored(w, "one@7.test", &row, words), 0);
    assert_int_equal(take_off(w, "one@7.test"), SUPPRESS_UNCHANGED);
    struct suppress_entry bad = entry_of("");
    struct err err;
    assert_int_equal(engine_suppress(w->engine, 0, SUPPRESS_BY_COMMAND, &bad, 1, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    close_world(w);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_users),         cmocka_unit_test(test_three_in_a_row),
        cmocka_unit_test(test_not_by_itself),         cmocka_unit_test(test_others_stay),
        cmocka_unit_test(test_wherever_they_are),     cmocka_unit_test(test_before_a_retry),
        cmocka_unit_test(test_a_whole_domain),        cmocka_unit_test(test_while_it_runs),
        cmocka_unit_test(test_durable_when_answered),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
