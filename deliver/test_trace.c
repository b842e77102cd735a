/* Conversations watched while they happen: whose, in what order, without content, and without holding anybody
 * up. */
#include "test_world.h"

#include "trace.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT = 8192 };

struct watch {
    struct trace *trace;
    struct trace_line *lines;
    size_t count;
    uint64_t left_out;
};

static struct watch begin(struct world *w, const struct trace_filter *filter) {
    struct err err;
    struct watch watch = {.trace = trace_open(w->engine, filter, &err)};
    watch.lines = calloc(KEPT, sizeof *watch.lines);
    assert_true(watch.trace && watch.lines);
    return watch;
}

/* What has come, and what comes within the pause behind it. */
static void take(struct watch *watch, int pause_ms) {
    uint64_t left_out;
    size_t n;
    do {
        assert_true(watch->count < KEPT);
        n = trace_wait(watch->trace, watch->lines + watch->count, KEPT - watch->count, pause_ms, &left_out);
        watch->count += n;
        watch->left_out += left_out;
    } while (n);
}

static void end(struct world *w, struct watch *watch) {
    trace_close(w->engine, watch->trace);
    free(watch->lines);
}

static bool is(const struct trace_line *line, enum trace_kind kind, const char *begins) {
    return line->kind == kind && slice_starts(slice_make(line->text, line->len), slice_of(begins));
}

static unsigned count(const struct watch *watch, enum trace_kind kind, const char *begins) {
    unsigned n = 0;
    for (size_t i = 0; i < watch->count; i++)
        n += is(&watch->lines[i], kind, begins);
    return n;
}

/* The first such line at or behind `from`; fails the test when there is none. */
static size_t find(const struct watch *watch, size_t from, enum trace_kind kind, const char *begins) {
    while (from < watch->count && !is(&watch->lines[from], kind, begins))
        from++;
    if (from == watch->count) print_message("no line '%s'\n", begins);
    assert_true(from < watch->count);
    return from;
}

static struct world *open_world(struct host **host) {
    struct world *w = calloc(1, sizeof *w);
    world_init(w);
    w->options.idle_us = 30 * US_PER_SEC;
    *host = world_host(w, 7);
    host_open(*host);
    world_engine(w);
    return w;
}

static void close_world(struct world *w) {
    world_engine_stop(w, US_PER_SEC);
    world_done(w);
    free(w);
}

static void test_a_session_from_its_beginning(void **state) {
    (void)state;
    struct host *host;
    struct world *w = open_world(&host);
    struct trace_filter filter = {.sessions = 1, .to = "7.test"}, other = {.lane = "elsewhere"},
                        lane = {.host = "127.0.7.7", .sessions = 1};
    struct watch any = begin(w, &lane), none = begin(w, &other), domain = begin(w, &filter);
    assert_int_equal(world_wait(w, world_many(w, "a", "7.test", 5), NULL).tally.delivered, 5);
    take(&any, 100);
    take(&none, 0);
    take(&domain, 0);
    assert_int_equal(none.count, 0);
    struct slice name, source, address;
    assert_int_equal(any.lines[0].kind, TRACE_BEGIN);
    trace_who(&any.lines[0], &name, &source, &address);
    assert_true(name.len && source.len && slice_find_nocase(address, SLICE("[127.0.7.7]")) > 0);
    size_t at = find(&any, 1, TRACE_NOTE, "connecting to");
    at = find(&any, at, TRACE_NOTE, "connected");
    at = find(&any, at, TRACE_RECEIVED, "220 ");
    at = find(&any, at, TRACE_SENT, "EHLO ");
    at = find(&any, at, TRACE_RECEIVED, "250");
    at = find(&any, at, TRACE_SENT, "MAIL FROM:<");
    at = find(&any, at, TRACE_SENT, "RCPT TO:<");
    find(&any, at, TRACE_SENT, "[");
    find(&any, at, TRACE_NOTE, "a0@7.test: delivered");
    assert_int_equal(count(&any, TRACE_SENT, "Subject:"), 0);
    assert_int_equal(count(&any, TRACE_SENT, "RCPT TO:<"), count(&any, TRACE_SENT, "["));
    for (size_t i = 1; i < any.count; i++)
        assert_true(any.lines[i].since >= any.lines[i - 1].since && any.lines[i].session == 1);
    find(&domain, 0, TRACE_SENT, "MAIL FROM:<"); /* it joins when the mail comes */
    assert_int_equal(count(&domain, TRACE_RECEIVED, "220 "), 0);
    end(w, &any);
    end(w, &none);
    end(w, &domain);
    close_world(w);
}

/* It rests; a trace that begins then sees what comes next, and of one address no more than its mail. */
static void test_joined_later(void **state) {
    (void)state;
    struct host *host;
    struct world *w = open_world(&host);
    world_wait(w, world_many(w, "a", "7.test", 3), NULL);
    struct trace_filter filter = {.sessions = 1, .content = true}, one = {.sessions = 1, .to = "B0@7.test"},
                        campaign = {.campaign = 9999};
    struct watch all = begin(w, &filter), mail = begin(w, &one), none = begin(w, &campaign);
    world_wait(w, world_many(w, "b", "7.test", 2), NULL);
    take(&all, 100);
    take(&mail, 0);
    take(&none, 0);
    assert_int_equal(none.count, 0);
    assert_int_equal(all.lines[0].kind, TRACE_BEGIN);
    find(&all, 0, TRACE_SENT, "Message-ID:");
    size_t at = find(&mail, 0, TRACE_NOTE, "b0@7.test: delivered");
    assert_int_equal(mail.lines[at + 1].kind, TRACE_END);
    assert_int_equal(at + 2, mail.count);
    assert_true(trace_is_over(mail.trace));
    assert_false(trace_is_over(all.trace));
    end(w, &all);
    end(w, &mail);
    end(w, &none);
    close_world(w);
}

/* Nobody reads: the mails go out all the same, and what was lost is counted. */
static void test_a_reader_that_sleeps(void **state) {
    (void)state;
    struct host *host;
    struct world *w = open_world(&host);
    struct trace_filter filter = {.content = true};
    struct watch watch = begin(w, &filter);
    assert_int_equal(world_wait(w, world_many(w, "a", "7.test", 300), NULL).tally.delivered, 300);
    take(&watch, 100);
    assert_int_equal(watch.count, TRACE_LINES);
    assert_true(watch.left_out > 300);
    end(w, &watch);
    close_world(w);
}

/* Begun and ended while mails flow, more than there is room for; nothing is lost by it, and the room comes
 * back. */
static void test_many_come_and_go(void **state) {
    (void)state;
    struct host *host;
    struct world *w = open_world(&host);
    struct err err;
    struct trace_filter filter = {0};
    uint32_t id = world_many(w, "a", "7.test", 400);
    for (unsigned round = 0; round < 30; round++) {
        struct watch watches[TRACE_MOST];
        for (unsigned i = 0; i < TRACE_MOST; i++) {
            watches[i].trace = NULL;
            for (unsigned wait = 0; wait < 200 && !watches[i].trace; wait++) {
                watches[i].trace = trace_open(w->engine, &filter, &err);
                if (!watches[i].trace) usleep(5000); /* a worker holds one of those before */
            }
            assert_non_null(watches[i].trace);
        }
        assert_null(trace_open(w->engine, &filter, &err));
        assert_int_equal(err.kind, ERR_BUSY);
        for (unsigned i = 0; i < TRACE_MOST; i++)
            trace_close(w->engine, watches[i].trace);
    }
    struct campaign_status s = world_wait(w, id, NULL);
    assert_int_equal(s.tally.delivered, 400);
    world_check(w, &s);
    close_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_from_its_beginning),
        cmocka_unit_test(test_joined_later),
        cmocka_unit_test(test_a_reader_that_sleeps),
        cmocka_unit_test(test_many_come_and_go),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
