/* Items of windows become mails with their recipients and contents. */
#include "flight.h"

#include "classify.h"

#include <stdlib.h>

enum { MAIL_MAX = 64 << 20, BUFFER_KEPT = 256 << 10 };

/* ---- windows ---- */

void windows_add(struct window_queue *q, struct window *window) {
    window->next = NULL;
    if (q->last)
        q->last->next = window;
    else
        q->first = window;
    q->last = window;
}

static void drop_first(struct window_queue *q) {
    q->first = q->first->next;
    if (!q->first) q->last = NULL;
}

static void settle(struct worker *w, struct window *window, unsigned index, enum event_kind kind,
                   struct slice text) {
    outcome_local(&window->items[index].outcome, kind, SMTP_STAGE_NONE, CLASSIFY_NONE, text);
    worker_done(w, window, index);
}

void window_give_back(struct worker *w, struct window *window) {
    for (unsigned i = window->begun, n = window->count; i < n; i++) /* with the last the owner frees it */
        settle(w, window, i, EVENT_RETURNED, SLICE("not begun"));
}

void windows_give_back(struct worker *w, struct window_queue *q) {
    while (q->first) {
        struct window *window = q->first;
        drop_first(q);
        window_give_back(w, window);
    }
}

/* ---- contents ---- */

static void buffer_get(struct worker *w, struct buf *b) {
    if (w->spares)
        *b = w->spare[--w->spares];
    else
        buf_init(b, MAIL_MAX);
}

static void buffer_put(struct worker *w, struct buf *b) {
    if (w->spares < sizeof w->spare / sizeof *w->spare && b->cap <= BUFFER_KEPT) {
        buf_reset(b);
        w->spare[w->spares++] = *b;
    } else {
        buf_done(b);
    }
}

void flight_unload(struct worker *w, struct flight *f) {
    if (f->mail.max) buffer_put(w, &f->mail);
    f->mail = (struct buf){0};
}

void flight_land(struct worker *w, struct flight *f) {
    flight_unload(w, f);
    free(f->many);
    f->many = NULL;
    f->window = NULL;
}

/* False: its recipients have failed. */
static bool render(struct worker *w, struct flight *f) {
    struct err err;
    buffer_get(w, &f->mail);
    if (mail_render(w, f->window, f->index, &f->mail, &err) == 0) return true;
    for (unsigned i = 0, n = f->count; i < n; i++)
        settle(w, f->window, flight_item(f, i), EVENT_FAILED, slice_of(err.text));
    return false;
}

/* ---- recipients ---- */

static bool beyond_ascii(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] >= 0x80) return true;
    return false;
}

unsigned flight_item(const struct flight *f, unsigned rcpt) {
    return f->many ? f->many->item[rcpt] : f->index;
}

static void add_rcpt(struct flight *f, unsigned index, struct slice to) {
    if (f->count == 0) f->index = index, f->to = to;
    if (f->many) f->many->item[f->count] = (uint8_t)index, f->many->to[f->count] = to;
    f->count++;
}

/* As many items of the first window as one transaction takes: one, or of a shared mail several. An address
 * beyond ASCII goes alone, for it asks more of the server than the others. */
static void collect(struct worker *w, struct flight *f, struct window_queue *q, unsigned most) {
    struct window *window = q->first;
    f->window = window;
    f->count = 0;
    f->many = window->content->shared ? calloc(1, sizeof *f->many) : NULL;
    if (!f->many) most = 1; /* also without memory */
    if (most > SHARED_WINDOW_MAX) most = SHARED_WINDOW_MAX;
    while (q->first == window && f->count < most) {
        unsigned index = window->begun;
        struct slice to = mail_address(window, index);
        bool recent =
            atomic_load_explicit(&window->halted, memory_order_relaxed) || suppress_is_recent(window, to);
        if (!recent && beyond_ascii(to)) {
            if (f->count) return;
            most = 1;
        }
        if (++window->begun == window->count) drop_first(q);
        if (recent)
            settle(w, window, index, EVENT_RETURNED, SLICE("not begun")); /* with the last it is gone */
        else
            add_rcpt(f, index, to);
    }
}

bool flight_begin(struct worker *w, struct flight *f, struct window_queue *q, unsigned rcpts_max) {
    while (q->first) {
        collect(w, f, q, rcpts_max);
        if (f->count && render(w, f)) return true;
        flight_land(w, f);
    }
    return false;
}

struct smtp_mail flight_mail(struct worker *w, struct flight *f, uint64_t tag) {
    return (struct smtp_mail){.tag = tag,
                              .from = mail_return_path(w, f->window, f->index, f->from),
                              .to = f->many ? f->many->to : &f->to,
                              .to_count = f->count,
                              .size = f->mail.len + signing_room(&w->signing),
                              .eightbit = beyond_ascii(f->to)}; /* it stands in To */
}
