/* The event loop of a thread: libuv for readiness and wake-ups, an own heap for timers.
 *
 * A turn of libuv is: prepare (our hook, then the one uv_timer is set to the earliest of our timers), block,
 * callbacks of descriptors, check (timers that are due), closing. Timers lie in an intrusive pairing heap, so
 * that starting one allocates nothing. A timer moved later stays where it is filed and is filed anew only
 * when its old time comes: a deadline that every byte moves on costs one store. */
#include "loop.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t bound;
    struct loop_timer *first;
    uint64_t order;
    mono_us now; /* 0: to be read */
    void (*hook)(void *ctx);
    void *hook_ctx;
    char scratch[LOOP_SCRATCH];
};

struct loop_wake {
    uv_async_t uv;
    struct loop *loop;
    void (*woken)(void *ctx);
    void *ctx;
};

struct loop_poll {
    uv_poll_t uv;
    struct loop *loop;
    void (*ready)(void *ctx, unsigned events);
    void (*after)(void *ctx);
    void *ctx;
    unsigned interest;
    bool closed;
};

/* --- timers --- */

static bool earlier(const struct loop_timer *a, const struct loop_timer *b) {
    return a->key != b->key ? a->key < b->key : a->key_order < b->key_order;
}

/* Both are roots; prev of a child is its left sibling, or its parent for the leftmost. */
static struct loop_timer *meld(struct loop_timer *a, struct loop_timer *b) {
    if (!a || !b) return a ? a : b;
    if (earlier(b, a)) {
        struct loop_timer *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next) b->next->prev = b;
    b->prev = a;
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

static struct loop_timer *meld_siblings(struct loop_timer *list) {
    struct loop_timer *pairs = NULL;
    while (list) {
        struct loop_timer *a = list, *b = a->next;
        list = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b) b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct loop_timer *root = NULL;
    while (pairs) {
        struct loop_timer *a = pairs;
        pairs = a->next;
        a->next = NULL;
        root = meld(root, a);
    }
    return root;
}

static void unfile(struct loop_timer *t) {
    struct loop *loop = t->loop;
    if (t != loop->first) {
        assert(t->prev);
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next) t->next->prev = t->prev;
    }
    struct loop_timer *below = meld_siblings(t->child);
    loop->first = t == loop->first ? below : meld(loop->first, below);
    t->child = t->next = t->prev = NULL;
    t->filed = false;
}

static void file(struct loop_timer *t) {
    t->key = t->due;
    t->key_order = t->order;
    t->filed = true;
    t->loop->first = meld(t->loop->first, t);
}

void loop_timer_init(struct loop_timer *t, struct loop *loop, void (*fire)(void *ctx), void *ctx) {
    *t = (struct loop_timer){.loop = loop, .fire = fire, .ctx = ctx, .due = NEVER};
}

void loop_timer_start(struct loop_timer *t, mono_us due) {
    if (due == NEVER) {
        loop_timer_stop(t);
        return;
    }
    mono_us now = loop_now(t->loop);
    t->due = due > now ? due : now; /* one that is always late must not come before all others for ever */
    t->order = t->loop->order++;
    if (t->filed && due > t->key) return;
    if (t->filed) unfile(t);
    file(t);
}

void loop_timer_stop(struct loop_timer *t) {
    if (t->filed) unfile(t);
    t->due = NEVER;
}

/* The earliest timer, filed under its true time; NULL when none runs. */
static struct loop_timer *first_timer(struct loop *loop) {
    for (;;) {
        struct loop_timer *t = loop->first;
        if (!t || (t->key == t->due && t->key_order == t->order)) return t;
        unfile(t);
        file(t);
    }
}

static void fire_timers(struct loop *loop) {
    loop->now = 0;
    uint64_t until = loop->order; /* one started now for now waits for the next turn: others must live too */
    mono_us now = loop_now(loop);
    struct loop_timer *t;
    while ((t = first_timer(loop)) && t->due <= now && t->order < until) {
        unfile(t);
        t->due = NEVER;
        loop->now = 0;
        t->fire(t->ctx);
    }
}

/* --- the loop --- */

static void on_bound(uv_timer_t *timer) {
    (void)timer; /* it only ends the wait; on_check does the work */
}

static void on_prepare(uv_prepare_t *prepare) {
    struct loop *loop = prepare->data;
    loop->now = 0;
    if (loop->hook) loop->hook(loop->hook_ctx);
    struct loop_timer *t = first_timer(loop);
    if (t) {
        uv_update_time(&loop->uv);
        mono_us wait = t->due - clock_mono();
        uint64_t ms = wait <= 0 ? 0 : (uint64_t)((wait + US_PER_MS - 1) / US_PER_MS);
        uv_timer_start(&loop->bound, on_bound, ms, 0);
    } else {
        uv_timer_stop(&loop->bound);
    }
    loop->now = 0;
}

static void on_check(uv_check_t *check) {
    fire_timers(check->data);
}

struct loop *loop_open(struct err *err) {
    struct loop *loop = calloc(1, sizeof *loop);
    int rc = loop ? uv_loop_init(&loop->uv) : UV_ENOMEM;
    if (rc != 0) {
        free(loop);
        err_set(err, ERR_SYSTEM, "cannot open an event loop: %s", uv_strerror(rc));
        return NULL;
    }
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_timer_init(&loop->uv, &loop->bound);
    loop->prepare.data = loop->check.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    return loop;
}

void loop_close(struct loop *loop) {
    if (!loop) return;
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->bound, NULL);
    int rc = UV_EBUSY;
    for (int turn = 0; rc != 0 && turn < 8; turn++) { /* what is freed may close more */
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        rc = uv_loop_close(&loop->uv);
    }
    assert(rc == 0); /* else something opened on it was not closed */
    free(loop);
}

void loop_run(struct loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop) {
    uv_stop(&loop->uv);
}

mono_us loop_now(struct loop *loop) {
    if (loop->now == 0) loop->now = clock_mono();
    return loop->now;
}

void loop_each_turn(struct loop *loop, void (*hook)(void *ctx), void *ctx) {
    loop->hook = hook;
    loop->hook_ctx = ctx;
}

char *loop_scratch(struct loop *loop) {
    return loop->scratch;
}

/* --- wake-ups --- */

static void on_async(uv_async_t *async) {
    struct loop_wake *wake = async->data;
    wake->loop->now = 0;
    wake->woken(wake->ctx);
}

struct loop_wake *loop_wake_open(struct loop *loop, void (*woken)(void *ctx), void *ctx, struct err *err) {
    struct loop_wake *wake = calloc(1, sizeof *wake);
    int rc = wake ? uv_async_init(&loop->uv, &wake->uv, on_async) : UV_ENOMEM;
    if (rc != 0) {
        free(wake);
        err_set(err, ERR_SYSTEM, "cannot open a wake-up: %s", uv_strerror(rc));
        return NULL;
    }
    wake->uv.data = wake;
    wake->loop = loop;
    wake->woken = woken;
    wake->ctx = ctx;
    return wake;
}

static void free_handle(uv_handle_t *handle) {
    free(handle->data);
}

void loop_wake_close(struct loop_wake *wake) {
    if (wake) uv_close((uv_handle_t *)&wake->uv, free_handle);
}

void loop_wake_send(void *wake) {
    uv_async_send(&((struct loop_wake *)wake)->uv);
}

/* --- descriptors --- */

static void on_poll(uv_poll_t *uv, int status, int events) {
    struct loop_poll *poll = uv->data;
    unsigned ready = (events & UV_READABLE ? LOOP_READ : 0) | (events & UV_WRITABLE ? LOOP_WRITE : 0);
    unsigned asked = poll->interest;
    if (status < 0) { /* libuv has stopped the handle: it is started again at the next loop_poll_set */
        ready = asked;
        poll->interest = 0;
    }
    poll->loop->now = 0;
    poll->ready(poll->ctx, ready & asked);
    if (status < 0 && !poll->closed && poll->interest == 0) loop_poll_set(poll, asked);
}

struct loop_poll *loop_poll_open(struct loop *loop, int fd, void (*ready)(void *ctx, unsigned events),
                                 void *ctx, struct err *err) {
    struct loop_poll *poll = calloc(1, sizeof *poll);
    int rc = poll ? uv_poll_init(&loop->uv, &poll->uv, fd) : UV_ENOMEM;
    if (rc != 0) {
        free(poll);
        err_set(err, ERR_SYSTEM, "cannot watch a descriptor: %s", uv_strerror(rc));
        return NULL;
    }
    poll->uv.data = poll;
    poll->loop = loop;
    poll->ready = ready;
    poll->ctx = ctx;
    return poll;
}

void loop_poll_set(struct loop_poll *poll, unsigned interest) {
    if (poll->closed || poll->interest == interest) return;
    poll->interest = interest;
    int events = (interest & LOOP_READ ? UV_READABLE : 0) | (interest & LOOP_WRITE ? UV_WRITABLE : 0);
    if (events)
        uv_poll_start(&poll->uv, events, on_poll);
    else
        uv_poll_stop(&poll->uv);
}

static void poll_closed(uv_handle_t *handle) {
    struct loop_poll *poll = handle->data;
    void (*after)(void *) = poll->after;
    void *ctx = poll->ctx;
    free(poll);
    if (after) after(ctx);
}

void loop_poll_close(struct loop_poll *poll, void (*after)(void *ctx)) {
    if (!poll || poll->closed) return;
    poll->closed = true;
    poll->after = after;
    uv_close((uv_handle_t *)&poll->uv, poll_closed);
}
