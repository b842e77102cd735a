/* A terminal as a whole: its size, and drawing on it from corner to corner until one goes. However the
 * program ends, the terminal is given back as it was. */
#ifndef TSUBAME_SCREEN_H
#define TSUBAME_SCREEN_H

#include "buf.h"
#include "clock.h"
#include "err.h"

/* Cells of the terminal that fd is; `otherwise` when it is none, or does not say. */
size_t screen_width(int fd, size_t otherwise);
size_t screen_height(int fd, size_t otherwise);

/* Takes the terminal of standard input and output: no echo, keys one by one, the other screen. One at a time.
 */
int screen_open(struct err *err);
void screen_close(void);

enum screen_event {
    SCREEN_TIME,    /* `until` has come */
    SCREEN_KEY,     /* *key: a byte, or SCREEN_UP and the like */
    SCREEN_RESIZED, /* or to be drawn anew for another reason */
    SCREEN_OVER     /* a signal asks to end, or the terminal is gone */
};
enum { SCREEN_UP = 256, SCREEN_DOWN, SCREEN_PAGE_UP, SCREEN_PAGE_DOWN };

enum screen_event screen_wait(mono_us until, int *key);

/* Draws lines as top_view.h makes them: the first byte of each is its style. */
void screen_draw(struct slice lines);

#endif
