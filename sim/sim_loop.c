/* epoll and a binary heap of timers. */
#include "sim_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 512 };
#define URGENT_US (2 * US_PER_MS)

int sim_loop_init(struct sim_loop *l, struct err *err) {
    *l = (struct sim_loop){.epoll = epoll_create1(EPOLL_CLOEXEC), .now = clock_mono()};
    return l->epoll < 0 ? err_errno(err, errno, "epoll") : 0;
}

void sim_loop_done(struct sim_loop *l) {
    if (l->epoll >= 0) close(l->epoll);
    free(l->heap);
}

int sim_loop_watch(struct sim_loop *l, struct sim_watch *w, bool edge, struct err *err) {
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};
    if (edge) ev.events |= (uint32_t)EPOLLET | EPOLLOUT | EPOLLRDHUP;
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, w->fd, &ev) < 0 ? err_errno(err, errno, "epoll_ctl") : 0;
}

static void put(struct sim_loop *l, struct sim_timer *t, size_t place) {
    l->heap[place] = t;
    t->place = place;
}

static void sift_up(struct sim_loop *l, struct sim_timer *t, size_t place) {
    while (place > 1 && l->heap[place / 2]->at > t->at) {
        put(l, l->heap[place / 2], place);
        place /= 2;
    }
    put(l, t, place);
}

static void sift_down(struct sim_loop *l, struct sim_timer *t, size_t place) {
    for (size_t child; (child = place * 2) <= l->timers; place = child) {
        if (child < l->timers && l->heap[child + 1]->at < l->heap[child]->at) child++;
        if (l->heap[child]->at >= t->at) break;
        put(l, l->heap[child], place);
    }
    put(l, t, place);
}

void sim_loop_set(struct sim_loop *l, struct sim_timer *t, mono_us at) {
    sim_loop_unset(l, t);
    if (l->timers + 1 >= l->room) {
        size_t room = l->room ? l->room * 2 : 256;
        struct sim_timer **grown = realloc(l->heap, room * sizeof *grown);
        if (!grown) abort();
        l->heap = grown;
        l->room = room;
    }
    t->at = at;
    sift_up(l, t, ++l->timers);
}

void sim_loop_unset(struct sim_loop *l, struct sim_timer *t) {
    size_t place = t->place;
    if (place == 0) return;
    t->place = 0;
    struct sim_timer *last = l->heap[l->timers--];
    if (last == t) return;
    if (place > 1 && l->heap[place / 2]->at > last->at)
        sift_up(l, last, place);
    else
        sift_down(l, last, place);
}

static int patience(const struct sim_loop *l) {
    if (l->more && l->more(l->ctx)) return 0;
    if (l->timers == 0) return 1000;
    mono_us wait = l->heap[1]->at - clock_mono();
    if (wait <= 0) return 0;
    return wait > 1000 * US_PER_MS ? 1000 : (int)((wait + US_PER_MS - 1) / US_PER_MS);
}

/* A turn in which hundreds shake hands takes a good part of a second. */
static void see_to_urgent(struct sim_loop *l) {
    if (!l->urgent) return;
    mono_us now = clock_mono();
    if (now < l->asked + URGENT_US) return;
    l->asked = now;
    l->urgent->ready(l->urgent, EPOLLIN);
}

int sim_loop_run(struct sim_loop *l, struct err *err) {
    struct epoll_event events[EVENTS];
    while (!l->stop) {
        int n = epoll_wait(l->epoll, events, EVENTS, patience(l));
        if (n < 0 && errno != EINTR) return err_errno(err, errno, "epoll_wait");
        l->now = clock_mono();
        for (int i = 0; i < n; i++) {
            struct sim_watch *w = events[i].data.ptr;
            w->ready(w, events[i].events);
            see_to_urgent(l);
        }
        while (l->timers && l->heap[1]->at <= l->now) {
            struct sim_timer *t = l->heap[1];
            sim_loop_unset(l, t);
            t->due(t);
            see_to_urgent(l);
        }
        if (l->turn) l->turn(l->ctx);
    }
    return 0;
}
