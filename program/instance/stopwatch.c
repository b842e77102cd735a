/* A thread that looks at the store's health while all others wait for it. */
#include "stopwatch.h"

#include "log.h"

#include <string.h>
#include <time.h>

enum { LOOK_S = 1 };

static void look(struct store *store, struct store_health *told) {
    struct store_health now;
    store_health(store, &now);
    bool news = now.state >= STORE_STUCK && strcmp(now.text, told->text) != 0;
    *told = now;
    if (news)
        log_say(
            LOG_LEVEL_ERROR, "stop-waits", "for", now.text, "note",
            "it ends when commits come through; a second signal ends at once, and what was on the wire is "
            "uncertain then",
            NULL);
}

static void *run(void *arg) {
    struct stopwatch *w = arg;
    struct store_health told = {0};
    struct timespec at;
    pthread_mutex_lock(&w->lock);
    clock_gettime(CLOCK_MONOTONIC, &at);
    while (!w->ended) {
        at.tv_sec += LOOK_S;
        while (!w->ended && pthread_cond_clockwait(&w->over, &w->lock, CLOCK_MONOTONIC, &at) == 0)
            continue;
        if (!w->ended) look(w->store, &told);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

void stopwatch_start(struct stopwatch *w, struct store *store) {
    if (w->running || !store) return;
    *w = (struct stopwatch){.store = store};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->over, NULL);
    w->running = pthread_create(&w->thread, NULL, run, w) == 0;
}

void stopwatch_stop(struct stopwatch *w) {
    if (!w->running) return;
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    pthread_cond_signal(&w->over);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->over);
    w->running = false;
}
