/* The projector's thread: wakes when blocks were committed, lets them gather for the pace, reads, writes,
 * tells how far it has come. After a failure it goes on trying every second. */
#include "projector_inner.h"

#include <time.h>

enum { RETRY_US = 1000000 };

static void wait_until(struct projector *p, mono_us due) {
    struct timespec at = {due / US_PER_SEC, due % US_PER_SEC * 1000};
    pthread_cond_clockwait(&p->woken, &p->lock, CLOCK_MONOTONIC, &at);
}

/* Sleeps until there is something to do; holds the lock. False when it is to end. */
static bool sleep_until_due(struct projector *p, mono_us last, bool failed) {
    while (!p->stopping) {
        mono_us now = clock_mono(), due = last + (failed ? RETRY_US : p->options.pace_us);
        bool work = failed || p->committed != p->seen || p->gathers || p->cursor.sequence < p->read;
        if (work && now >= due) {
            p->seen = p->committed;
            return true;
        }
        p->idle = !work;
        if (work)
            wait_until(p, due);
        else
            pthread_cond_wait(&p->woken, &p->lock);
    }
    return false;
}

static void publish(struct projector *p, const struct err *err) {
    bool moved = p->stats.cursor != p->cursor.sequence;
    p->stats.cursor = p->cursor.sequence;
    p->stats.gathered_bytes = p->bytes + p->rows.len;
    p->stats.gathered_chunks = p->gathers;
    if (err) p->stats.failures++;
    pthread_mutex_lock(&p->lock);
    p->shown = p->stats;
    p->error = err ? *err : (struct err){0};
    if (moved && p->moved) p->moved(p->ctx, p->cursor.sequence);
    pthread_mutex_unlock(&p->lock);
}

static int turn(struct projector *p, bool all, struct err *err) {
    mono_us now = clock_mono();
    struct err first;
    int read, written;
    do {
        read = projector_read(p, now, &first);
        written = projector_write(p, now, all, err);
    } while (read == 1 && written == 0);
    if (read < 0 && written == 0) *err = first;
    return read < 0 || written ? -1 : 0;
}

static void *run(void *arg) {
    struct projector *p = arg;
    mono_us last = 0;
    bool failed = false;
    pthread_mutex_lock(&p->lock);
    while (sleep_until_due(p, last, failed)) {
        pthread_mutex_unlock(&p->lock);
        struct err err;
        failed = turn(p, false, &err) != 0;
        publish(p, failed ? &err : NULL);
        last = clock_mono();
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int projector_start(struct projector *p, void (*moved)(void *ctx, uint64_t sequence), void *ctx,
                    struct err *err) {
    pthread_mutex_lock(&p->lock); /* wake-ups may come already */
    p->moved = moved;
    p->ctx = ctx;
    p->committed++; /* look once */
    pthread_mutex_unlock(&p->lock);
    if (moved) moved(ctx, p->cursor.sequence);
    int failed = pthread_create(&p->thread, NULL, run, p);
    if (failed) return err_errno(err, failed, "projector");
    p->started = true;
    return 0;
}

void projector_wake(void *arg, uint64_t sequence) {
    struct projector *p = arg;
    pthread_mutex_lock(&p->lock);
    p->committed = sequence;
    if (p->idle) pthread_cond_signal(&p->woken);
    p->idle = false;
    pthread_mutex_unlock(&p->lock);
}

void projector_detach(struct projector *p) {
    pthread_mutex_lock(&p->lock);
    p->moved = NULL;
    pthread_mutex_unlock(&p->lock);
}

int projector_stop(struct projector *p, struct err *err) {
    if (p->started) {
        pthread_mutex_lock(&p->lock);
        p->stopping = true;
        pthread_cond_signal(&p->woken);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
        p->started = false;
    }
    for (;;) {
        uint64_t before = p->read;
        if (turn(p, true, err)) return -1;
        if (p->read == before) return 0;
    }
}

uint64_t projector_cursor(struct projector *p) {
    return p->cursor.sequence;
}

void projector_stats(struct projector *p, struct projector_stats *stats, struct err *error) {
    pthread_mutex_lock(&p->lock);
    *stats = p->shown;
    *error = p->error;
    pthread_mutex_unlock(&p->lock);
}
