/* The thread of retention: a turn now and then, slowly enough that nobody feels it. */
#include "history.h"
#include "retention.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { PAUSE_LEAST_US = 5000, PAUSE_MOST_US = 500000 };

struct retention_thread {
    struct store *store;
    struct retention_rules rules;
    struct retention_told told;
    int64_t pace_us;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below, and of rules */
    pthread_cond_t woken;
    bool stopping, changed;
};

wall_us retention_now(struct retention_clock *c, wall_us wall, mono_us mono) {
    wall_us expected = c->wall + (mono - c->mono);
    if (wall - expected <= RETENTION_JUMP_S * US_PER_SEC) {
        *c = (struct retention_clock){wall, mono, NEVER};
        return wall;
    }
    if (c->doubts == NEVER) c->doubts = mono;
    if (mono - c->doubts < RETENTION_DOUBT_S * US_PER_SEC) return expected;
    *c = (struct retention_clock){wall, mono, NEVER};
    return wall;
}

static bool is_stopping(void *ctx) {
    struct retention_thread *t = ctx;
    pthread_mutex_lock(&t->lock);
    bool stopping = t->stopping;
    pthread_mutex_unlock(&t->lock);
    return stopping;
}

/* With the lock. */
static void wait_for(struct retention_thread *t, int64_t us, bool also_change) {
    mono_us due = clock_mono() + us;
    struct timespec at = {due / US_PER_SEC, due % US_PER_SEC * 1000};
    while (!t->stopping && !(also_change && t->changed) && clock_mono() < due)
        pthread_cond_clockwait(&t->woken, &t->lock, CLOCK_MONOTONIC, &at);
}

/* As long as the step took, so that at least half of the time belongs to others. */
static void pause_a_while(void *ctx, int64_t us) {
    struct retention_thread *t = ctx;
    if (us < PAUSE_LEAST_US) us = PAUSE_LEAST_US;
    if (us > PAUSE_MOST_US) us = PAUSE_MOST_US;
    pthread_mutex_lock(&t->lock);
    wait_for(t, us, false);
    pthread_mutex_unlock(&t->lock);
}

static void turn(struct retention_thread *t, const struct retention_rules *rules, wall_us now) {
    struct retention_result result = {0};
    struct err err;
    struct retention_manners manners = {is_stopping, pause_a_while, t};
    struct retention *r = retention_open(t->store, &err);
    int left = -1;
    if (r) {
        retention_behave(r, &manners);
        left = retention_turn(r, rules, now, t->told.removed, t->told.ctx, &result, &err);
    }
    retention_free(r);
    if (left <= 0) t->told.turned(t->told.ctx, &result, left < 0 ? &err : NULL);
}

static void *run(void *arg) {
    struct retention_thread *t = arg;
    struct retention_clock clock = {clock_wall(), clock_mono(), NEVER};
    pthread_mutex_lock(&t->lock);
    while (!t->stopping) {
        struct retention_rules rules = t->rules;
        t->changed = false;
        pthread_mutex_unlock(&t->lock);
        turn(t, &rules, retention_now(&clock, clock_wall(), clock_mono()));
        pthread_mutex_lock(&t->lock);
        wait_for(t, t->pace_us, true);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

struct retention_thread *retention_start(struct store *store, const struct retention_rules *rules,
                                         int64_t pace_us, const struct retention_told *told,
                                         struct err *err) {
    struct retention_thread *t = calloc(1, sizeof *t);
    if (!t) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    *t = (struct retention_thread){.store = store, .rules = *rules, .told = *told, .pace_us = pace_us};
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->woken, NULL);
    int failed = pthread_create(&t->thread, NULL, run, t);
    if (!failed) return t;
    err_errno(err, failed, "retention");
    free(t);
    return NULL;
}

void retention_set(struct retention_thread *t, const struct retention_rules *rules) {
    pthread_mutex_lock(&t->lock);
    t->rules = *rules;
    t->changed = true;
    pthread_cond_signal(&t->woken);
    pthread_mutex_unlock(&t->lock);
}

void retention_stop(struct retention_thread *t) {
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->woken);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->woken);
    free(t);
}
