/* A small event loop on epoll for the simulator: edge-triggered sockets, timers in a heap, and one call at
 * the end of each turn (where the truth log is written before the answers). One thread. */
#ifndef TSUBAME_SIM_LOOP_H
#define TSUBAME_SIM_LOOP_H

#include "clock.h"
#include "err.h"

#include <stdint.h>

struct sim_watch {
    int fd;
    void (*ready)(struct sim_watch *w, uint32_t events);
};

struct sim_timer {
    mono_us at;
    size_t place; /* in the heap, from 1; 0: not set */
    void (*due)(struct sim_timer *t);
};

struct sim_loop {
    int epoll;
    mono_us now; /* of this turn */
    bool stop;
    struct sim_timer **heap;
    size_t timers, room;
    void (*turn)(void *ctx); /* after the events of a turn */
    bool (*more)(void *ctx); /* is there work left, so that the next turn must not wait? */
    void *ctx;
    struct sim_watch
        *urgent; /* is asked for input amid a long turn too, every few milliseconds; NULL: none */
    mono_us asked;
};

int sim_loop_init(struct sim_loop *l, struct err *err);
void sim_loop_done(struct sim_loop *l);

/* Watches for input, output and hang-up, edge-triggered (edge false: input only, level-triggered). w must
 * live until its fd is closed, and through the turn in which that happens. */
int sim_loop_watch(struct sim_loop *l, struct sim_watch *w, bool edge, struct err *err);

void sim_loop_set(struct sim_loop *l, struct sim_timer *t, mono_us at); /* moves it when it is set */
void sim_loop_unset(struct sim_loop *l, struct sim_timer *t);

/* Until l->stop. */
int sim_loop_run(struct sim_loop *l, struct err *err);

#endif
