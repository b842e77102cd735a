/* A bounded mailbox from any number of threads to one: how threads here speak to each other.
 *
 * Items are copied in and out; whoever puts a pointer inside gives up what it points to. A full mailbox
 * refuses, it does not grow: the sender pushes back to whoever feeds it. `wake` is called (by the sending
 * thread, outside the lock) when the mailbox turns from empty to not empty, and is meant for uv_async_send.
 */
#ifndef TSUBAME_MAILBOX_H
#define TSUBAME_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    char *items; /* a ring */
    size_t item_size;
    size_t slots;
    size_t first;
    size_t count;
    void (*wake)(void *ctx);
    void *ctx;
};

/* slots: how many items it holds. wake may be NULL (then use mailbox_wait). 0, or -1 without memory. */
int mailbox_init(struct mailbox *m, size_t slots, size_t item_size, void (*wake)(void *), void *ctx);
void mailbox_done(struct mailbox *m); /* items still inside are dropped */

/* False when full. */
bool mailbox_put(struct mailbox *m, const void *item);

/* Takes up to `most` of the oldest items; returns how many. Never waits. */
size_t mailbox_take(struct mailbox *m, void *items, size_t most);

/* As mailbox_take, but waits until there is one. For threads without an event loop. timeout_ms < 0 waits for
 * ever; returns 0 only when it ran out. */
size_t mailbox_wait(struct mailbox *m, void *items, size_t most, int timeout_ms);

#endif
