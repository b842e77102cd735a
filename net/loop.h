/* An event loop, one for each thread: timers, wake-ups from other threads, readiness of descriptors.
 *
 * All functions belong to the thread that runs the loop, save loop_wake_send. Callbacks come one at a time,
 * never from within a call of this interface. What is closed inside a callback calls back no more; its memory
 * goes at the end of the turn. */
#ifndef TSUBAME_LOOP_H
#define TSUBAME_LOOP_H

#include "clock.h"
#include "err.h"

struct loop;

struct loop *loop_open(struct err *err);

/* Everything opened on it must have been closed before (not stopped timers: those may lie about). Finishes
 * what is closing. NULL is fine. */
void loop_close(struct loop *loop);

/* Runs until loop_stop, which takes effect at the end of the turn. May be run again. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* The time at which the present callback began, at most; cheap. */
mono_us loop_now(struct loop *loop);

/* Called once a turn, after all callbacks and before the loop blocks: flush logs, send what was batched. One
 * a loop; NULL takes it away. What it starts (a timer due now, a wake) is served without blocking. */
void loop_each_turn(struct loop *loop, void (*hook)(void *ctx), void *ctx);

/* A buffer shared by all that reads on this loop, LOOP_SCRATCH bytes: its content is valid only until the
 * callback that got it returns. */
enum { LOOP_SCRATCH = 65536 };
char *loop_scratch(struct loop *loop);

/* Timers are embedded by their owner, start and stop allocate nothing, and moving a deadline later costs next
 * to nothing: thousands may be moved with each byte that comes. Precision: up to 1 ms late, never early.
 * Equal times fire in the order of their starts. */
struct loop_timer {
    struct loop *loop;
    void (*fire)(void *ctx);
    void *ctx;
    mono_us due; /* NEVER when stopped */

    mono_us key; /* the rest belongs to loop.c: the time and order it is filed under, and its neighbours */
    uint64_t order;
    uint64_t key_order;
    struct loop_timer *child, *next, *prev;
    bool filed;
};

void loop_timer_init(struct loop_timer *t, struct loop *loop, void (*fire)(void *ctx), void *ctx);

/* Fires once at `due` (in the past: this turn or the next); moves it when it runs already; NEVER stops it. */
void loop_timer_start(struct loop_timer *t, mono_us due);
void loop_timer_stop(struct loop_timer *t); /* before its memory goes; idempotent */
static inline bool loop_timer_on(const struct loop_timer *t) {
    return t->due != NEVER;
}

/* A wake-up: `woken` runs on the loop some time after loop_wake_send, once for several sends in a row. */
struct loop_wake;
struct loop_wake *loop_wake_open(struct loop *loop, void (*woken)(void *ctx), void *ctx, struct err *err);
void loop_wake_close(struct loop_wake *wake); /* no thread may send any more; NULL is fine */

/* From any thread. Takes a void pointer (of a struct loop_wake) to be handed to mailbox_init as it is. */
void loop_wake_send(void *wake);

/* Readiness of a descriptor, level-triggered. The descriptor stays the caller's: it closes it after
 * loop_poll_close. Errors and hang-ups are reported as all that was asked for: the next call on the
 * descriptor tells. Starts with no interest. */
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_poll;
struct loop_poll *loop_poll_open(struct loop *loop, int fd, void (*ready)(void *ctx, unsigned events),
                                 void *ctx, struct err *err);
void loop_poll_set(struct loop_poll *poll, unsigned interest); /* cheap when nothing changes */

/* after (may be NULL) is called with ctx at the end of the turn, when nothing refers to it any more: the
 * place to free what embeds or owns the poll. NULL poll: nothing happens, after is not called. */
void loop_poll_close(struct loop_poll *poll, void (*after)(void *ctx));

#endif
