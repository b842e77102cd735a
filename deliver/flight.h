/* A mail on its way through a conversation, and the windows that it is taken from.
 *
 * It is for one item of a window; of a shared mail for several, as many as a transaction takes. Its content
 * is rendered when it begins and gone when the conversation has it. A wire (wire.c) has a few of them. */
#ifndef TSUBAME_FLIGHT_H
#define TSUBAME_FLIGHT_H

#include "worker.h"

/* The recipients of a transaction, where there may be several. */
struct rcpts {
    uint8_t item[SHARED_WINDOW_MAX]; /* of the window */
    struct slice to[SHARED_WINDOW_MAX];
};

/* {0} is a free one. */
struct flight {
    struct window *window; /* NULL: free */
    unsigned index;        /* its only item, or the first of `many` */
    unsigned count;        /* of recipients; those without an outcome once it flies */
    struct rcpts *many;    /* of a shared mail; NULL: it has one recipient, `to` */
    struct buf mail;       /* rendered, unsigned */
    struct slice to;
    char from[RETURN_PATH_MAX];
};

/* Windows with items not begun. {0} is an empty one. */
struct window_queue {
    struct window *first, *last;
};

void windows_add(struct window_queue *q, struct window *window);
/* Items not begun that no window of the queue will begin go back to the owner, with their windows. */
void windows_give_back(struct worker *w, struct window_queue *q);
/* The same of a window that is in no queue. */
void window_give_back(struct worker *w, struct window *window);

/* The next items of the queue into a free flight, for at most so many recipients; those that can't be
 * rendered, or have to be looked at again, are settled on the way. False: there are none, and it is still
 * free. */
bool flight_begin(struct worker *w, struct flight *f, struct window_queue *q, unsigned rcpts_max);

/* As the conversation wants it; borrowed until the flight lands. */
struct smtp_mail flight_mail(struct worker *w, struct flight *f, uint64_t tag);

/* The item of the window that this recipient of the mail is. */
unsigned flight_item(const struct flight *f, unsigned rcpt);

/* Its content is not needed any more. */
void flight_unload(struct worker *w, struct flight *f);
/* It is free again. Does not touch its window, which may be the owner's already. */
void flight_land(struct worker *w, struct flight *f);

#endif
