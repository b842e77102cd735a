/* Tests of the event loop: timers, wake-ups, descriptors. */
#include "loop.h"

#include "hash.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *open_loop(void) {
    struct err err;
    struct loop *loop = loop_open(&err);
    assert_non_null(loop);
    return loop;
}

/* --- timers --- */

enum { TIMERS = 500 };

struct shot {
    struct loop_timer timer;
    struct loop *loop;
    mono_us want;
    unsigned number;
    bool fired, never;
};

static struct shot shots[TIMERS];
static unsigned fired_count;
static unsigned fired_order[TIMERS];

static void on_shot(void *ctx) {
    struct shot *s = ctx;
    assert_false(s->fired);
    assert_false(s->never);
    assert_true(clock_mono() >= s->want);
    assert_false(loop_timer_on(&s->timer));
    s->fired = true;
    fired_order[fired_count++] = s->number;
}

static void stop_loop(void *ctx) {
    loop_stop(ctx);
}

static void timers_fire_in_order_however_they_were_moved(void **state) {
    struct loop *loop = open_loop();
    struct loop_timer end;
    (void)state;
    mono_us base = clock_mono() + 5 * US_PER_MS;
    fired_count = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        struct shot *s = &shots[i];
        *s = (struct shot){.loop = loop, .number = i};
        loop_timer_init(&s->timer, loop, on_shot, s);
        for (unsigned move = 0; move <= i % 4; move++) { /* earlier and later, the last one counts */
            s->want = base + (mono_us)(hash_mix(i * 8 + move) % (20 * US_PER_MS));
            loop_timer_start(&s->timer, s->want);
        }
    }
    unsigned stopped = 0;
    for (unsigned i = 0; i < TIMERS; i += 7, stopped++) {
        loop_timer_stop(&shots[i].timer);
        loop_timer_stop(&shots[i].timer);
        shots[i].never = true;
    }
    loop_timer_init(&end, loop, stop_loop, loop);
    loop_timer_start(&end, base + 25 * US_PER_MS);
    loop_run(loop);
    assert_int_equal(fired_count, TIMERS - stopped);
    for (unsigned i = 1; i < fired_count; i++)
        assert_true(shots[fired_order[i - 1]].want <= shots[fired_order[i]].want);
    loop_close(loop);
}

static void equal_times_fire_in_the_order_of_their_starts(void **state) {
    struct loop *loop = open_loop();
    struct loop_timer end;
    (void)state;
    mono_us at = clock_mono() + 3 * US_PER_MS;
    fired_count = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        shots[i] = (struct shot){.loop = loop, .want = at, .number = i};
        loop_timer_init(&shots[i].timer, loop, on_shot, &shots[i]);
        loop_timer_start(&shots[i].timer, i % 3 ? at : at - US_PER_MS);
    }
    for (unsigned i = 0; i < TIMERS; i++)
        if (i % 3 == 0) loop_timer_start(&shots[i].timer, at); /* these now come behind the others */
    loop_timer_init(&end, loop, stop_loop, loop);
    loop_timer_start(&end, at + US_PER_MS);
    loop_run(loop);
    assert_int_equal(fired_count, TIMERS);
    for (unsigned i = 1; i < fired_count; i++) {
        unsigned a = fired_order[i - 1], b = fired_order[i];
        assert_true(a % 3 == 0 ? b % 3 == 0 && a < b : b % 3 == 0 || a < b);
    }
    loop_close(loop);
}

struct greedy {
    struct loop_timer again, other;
    struct loop *loop;
    unsigned rounds;
    bool stop_other;
    bool other_fired;
};

static void on_again(void *ctx) {
    struct greedy *g = ctx;
    if (g->stop_other) loop_timer_stop(&g->other);
    if (++g->rounds == 50)
        loop_stop(g->loop);
    else
        loop_timer_start(&g->again, 0);
}

static void on_other(void *ctx) {
    ((struct greedy *)ctx)->other_fired = true;
}

static void a_timer_that_starts_itself_starves_nobody(void **state) {
    (void)state;
    for (int stop = 0; stop < 2; stop++) {
        struct greedy g = {.loop = open_loop(), .stop_other = stop};
        loop_timer_init(&g.again, g.loop, on_again, &g);
        loop_timer_init(&g.other, g.loop, on_other, &g);
        loop_timer_start(&g.again, 0);
        loop_timer_start(&g.other, clock_mono());
        loop_run(g.loop);
        assert_int_equal(g.rounds, 50);
        assert_int_equal(g.other_fired, !stop);
        loop_close(g.loop);
    }
}

/* --- the hook --- */

struct hooked {
    struct loop *loop;
    struct loop_timer timer;
    unsigned turns, fired;
};

static void on_hook(void *ctx) {
    struct hooked *h = ctx;
    if (++h->turns < 4) loop_timer_start(&h->timer, 0);
}

static void on_hook_timer(void *ctx) {
    struct hooked *h = ctx;
    if (++h->fired == 3) loop_stop(h->loop);
}

static void the_hook_runs_before_each_wait(void **state) {
    struct hooked h = {.loop = open_loop()};
    (void)state;
    loop_timer_init(&h.timer, h.loop, on_hook_timer, &h);
    loop_each_turn(h.loop, on_hook, &h);
    loop_run(h.loop); /* would hang if what the hook starts were not served */
    assert_int_equal(h.fired, 3);
    assert_in_range(h.turns, 3, 5);
    loop_timer_stop(&h.timer);
    loop_close(h.loop);
}

/* --- wake-ups --- */

enum { SENDERS = 3, SENDS = 2000 };

struct woken {
    struct loop *loop;
    struct loop_wake *wake;
    atomic_uint sent;
    unsigned calls, seen;
};

static void on_woken(void *ctx) {
    struct woken *w = ctx;
    w->calls++;
    w->seen = atomic_load(&w->sent);
    if (w->seen == SENDERS * SENDS) loop_stop(w->loop);
}

static void *sender(void *ctx) {
    struct woken *w = ctx;
    for (int i = 0; i < SENDS; i++) {
        atomic_fetch_add(&w->sent, 1);
        loop_wake_send(w->wake);
    }
    return NULL;
}

static void threads_wake_the_loop(void **state) {
    struct woken w = {.loop = open_loop()};
    pthread_t threads[SENDERS];
    (void)state;
    w.wake = loop_wake_open(w.loop, on_woken, &w, NULL);
    assert_non_null(w.wake);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sender, &w), 0);
    loop_run(w.loop); /* hangs if the last send were lost */
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(w.seen, SENDERS * SENDS);
    assert_true(w.calls >= 1);
    loop_wake_close(w.wake);
    loop_close(w.loop);
}

/* --- descriptors --- */

struct piped {
    struct loop *loop;
    struct loop_poll *poll;
    int fds[2];
    unsigned reads, freed;
};

static void on_freed(void *ctx) {
    ((struct piped *)ctx)->freed++;
}

static void on_pipe(void *ctx, unsigned events) {
    struct piped *p = ctx;
    char bytes[2];
    assert_int_equal(events, LOOP_READ);
    ssize_t n = read(p->fds[0], bytes, sizeof bytes);
    assert_true(n >= 0);
    p->reads++;
    if (n > 0) return;
    loop_poll_close(p->poll, on_freed); /* the end of the pipe */
    loop_poll_close(p->poll, on_freed);
    loop_stop(p->loop);
}

static void descriptors_are_level_triggered(void **state) {
    struct piped p = {.loop = open_loop()};
    (void)state;
    assert_int_equal(pipe(p.fds), 0);
    p.poll = loop_poll_open(p.loop, p.fds[0], on_pipe, &p, NULL);
    assert_non_null(p.poll);
    loop_poll_set(p.poll, LOOP_READ);
    assert_int_equal(write(p.fds[1], "abcde", 5), 5);
    close(p.fds[1]);
    loop_run(p.loop);
    assert_int_equal(p.reads, 4);
    close(p.fds[0]);
    loop_close(p.loop);
    assert_int_equal(p.freed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_however_they_were_moved),
        cmocka_unit_test(equal_times_fire_in_the_order_of_their_starts),
        cmocka_unit_test(a_timer_that_starts_itself_starves_nobody),
        cmocka_unit_test(the_hook_runs_before_each_wait),
        cmocka_unit_test(threads_wake_the_loop),
        cmocka_unit_test(descriptors_are_level_triggered),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
