/* Bounded mailboxes: a ring under a mutex, drained in batches. */
#include "mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int mailbox_init(struct mailbox *m, size_t slots, size_t item_size, void (*wake)(void *), void *ctx) {
    *m = (struct mailbox){.item_size = item_size, .slots = slots, .wake = wake, .ctx = ctx};
    m->items = calloc(slots, item_size);
    if (!m->items) return -1;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->filled, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&m->lock, NULL);
    return 0;
}

void mailbox_done(struct mailbox *m) {
    if (!m->items) return;
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->filled);
    free(m->items);
    m->items = NULL;
}

bool mailbox_put(struct mailbox *m, const void *item) {
    pthread_mutex_lock(&m->lock);
    bool fits = m->count < m->slots;
    bool was_empty = m->count == 0;
    if (fits) {
        size_t at = (m->first + m->count) % m->slots;
        memcpy(m->items + at * m->item_size, item, m->item_size);
        m->count++;
        if (!m->wake) pthread_cond_signal(&m->filled);
    }
    pthread_mutex_unlock(&m->lock);
    if (fits && was_empty && m->wake) m->wake(m->ctx);
    return fits;
}

static size_t take_locked(struct mailbox *m, void *items, size_t most) {
    size_t n = m->count < most ? m->count : most;
    for (size_t done = 0; done < n;) {
        size_t run = m->slots - m->first;
        if (run > n - done) run = n - done;
        memcpy((char *)items + done * m->item_size, m->items + m->first * m->item_size, run * m->item_size);
        m->first = (m->first + run) % m->slots;
        m->count -= run;
        done += run;
    }
    return n;
}

size_t mailbox_take(struct mailbox *m, void *items, size_t most) {
    pthread_mutex_lock(&m->lock);
    size_t n = take_locked(m, items, most);
    pthread_mutex_unlock(&m->lock);
    return n;
}

size_t mailbox_wait(struct mailbox *m, void *items, size_t most, int timeout_ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
    pthread_mutex_lock(&m->lock);
    int over = 0;
    while (m->count == 0 && over != ETIMEDOUT)
        over = timeout_ms < 0 ? pthread_cond_wait(&m->filled, &m->lock)
                              : pthread_cond_timedwait(&m->filled, &m->lock, &until);
    size_t n = take_locked(m, items, most);
    pthread_mutex_unlock(&m->lock);
    return n;
}
