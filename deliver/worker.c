/* The worker's thread: takes messages of the owner and hands them to the wires; starts and ends. */
#include "worker.h"

#include "log.h"

#include <assert.h>
#include <stdlib.h>

enum { TAKE_AT_ONCE = 64 };

void worker_tell(struct worker *w, enum msg_kind kind, void *at, uint32_t index) {
    struct msg msg = {.kind = kind, .at = at, .index = index};
    bool fits = mailbox_put(w->owner, &msg);
    assert(fits);
}

/* A shared window comes back as a whole: one slot is reserved for it, however many it holds. */
void worker_done(struct worker *w, struct window *window, unsigned index) {
    if (!window->content->shared)
        worker_tell(w, MSG_DONE, window, index);
    else if (++window->said == window->count)
        worker_tell(w, MSG_DONE, window, WINDOW_ALL);
}

static void forget(struct session *s) {
    for (struct session_miss *miss = s->misses, *next; miss; miss = next) {
        next = miss->next;
        free(miss);
    }
    free(s->targets);
    free(s);
}

static void handle(struct worker *w, const struct msg *msg) {
    switch (msg->kind) {
    case MSG_OPEN: wire_open(w, msg->at); break;
    case MSG_WINDOW: wire_window(w, msg->at); break;
    case MSG_FINISH: wire_finish(w, msg->at); break;
    case MSG_FORGET: forget(msg->at); break;
    case MSG_DRAIN:
        w->draining = w->quiet_due = true;
        wire_drain_all(w);
        break;
    case MSG_CUT:
        w->draining = w->quiet_due = true;
        wire_cut_all(w);
        break;
    case MSG_TRACE: wire_trace(w, msg->at); break;
    case MSG_UNTRACE: wire_untrace(w, msg->at); break;
    case MSG_STOP: w->stop = true; break;
    default: assert(false && "a message for the owner");
    }
}

static void woken(void *ctx) {
    struct worker *w = ctx;
    struct msg msgs[TAKE_AT_ONCE];
    size_t n;
    while ((n = mailbox_take(&w->in, msgs, TAKE_AT_ONCE)) > 0)
        for (size_t i = 0; i < n; i++)
            handle(w, &msgs[i]);
}

static void each_turn(void *ctx) {
    struct worker *w = ctx;
    if (w->quiet_due && !w->wires) {
        w->quiet_due = false;
        worker_tell(w, MSG_QUIET, w, 0);
    }
    if (w->stop) loop_stop(w->loop);
    log_flush();
}

static void *run(void *ctx) {
    struct worker *w = ctx;
    loop_run(w->loop);
    return NULL;
}

static void release(struct worker *w) {
    for (unsigned i = 0; i < w->spares; i++)
        buf_done(&w->spare[i]);
    signing_done(&w->signing);
    hosts_done(&w->hosts);
    tls_client_close(w->tls);
    renderer_done(&w->renderer);
    loop_wake_close(w->wake);
    mailbox_done(&w->in);
    loop_close(w->loop);
}

int worker_start(struct worker *w, const struct engine_options *options, const struct rid_key *rid_key,
                 struct keyring_hook *keys, struct mailbox *owner, struct err *err) {
    struct tls_client_options tls = {.ca_file = options->tls_ca_file};
    *w = (struct worker){.owner = owner, .options = options, .rid_key = rid_key};
    renderer_init(&w->renderer);
    bool ready = (w->loop = loop_open(err)) && (w->wake = loop_wake_open(w->loop, woken, w, err)) &&
                 (w->tls = tls_client_open(&tls, err)) && signing_init(&w->signing, keys, err) == 0;
    if (ready &&
        mailbox_init(&w->in, options->max_sessions * 4 + 64, sizeof(struct msg), loop_wake_send, w->wake)) {
        err_set(err, ERR_SYSTEM, "out of memory");
        ready = false;
    }
    if (ready) {
        loop_each_turn(w->loop, each_turn, w);
        int failed = pthread_create(&w->thread, NULL, run, w);
        if (!failed) return 0;
        err_errno(err, failed, "start a worker");
    }
    release(w);
    return -1;
}

void worker_stop(struct worker *w) {
    struct msg msg = {.kind = MSG_STOP};
    mailbox_put(&w->in, &msg);
    pthread_join(w->thread, NULL);
    release(w);
}
