/* Says why an end takes long. While the disk is full nothing can be committed, so a stop waits until there is
 * room; a person who waits for it should know for what, and what they can do. */
#ifndef TSUBAME_STOPWATCH_H
#define TSUBAME_STOPWATCH_H

#include "store.h"

#include <pthread.h>

struct stopwatch {
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool running, ended;
};

/* Logs "stop-waits" when commits fail from here on, once for each reason. The store must stay open until
 * stopwatch_stop. Started already: nothing happens. Without a thread to be had nothing is said. */
void stopwatch_start(struct stopwatch *w, struct store *store);
void stopwatch_stop(struct stopwatch *w); /* also when it was never started */

#endif
