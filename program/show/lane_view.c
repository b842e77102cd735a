/* One table of columns, each with the width from which on it is shown. */
#include "lane_view.h"

#include "cells.h"
#include "units.h"

void lane_view_read(struct lane_view *v, const struct jdoc *o, struct slice now) {
    const struct jdoc *limits = jdoc_get(o, "limits");
    *v = (struct lane_view){.provider = jdoc_text(o, "provider"),
                            .source = jdoc_text(o, "source"),
                            .bound_by = jdoc_text(o, "bound_by"),
                            .next_try = jdoc_text(o, "next_try"),
                            .last_reply = jdoc_text(o, "last_error"),
                            .why = jdoc_text(o, "why"),
                            .waiting = jdoc_number(o, "waiting", 0),
                            .suspended = jdoc_number(o, "suspended", 0),
                            .sessions = jdoc_number(o, "sessions", 0),
                            .in_flight = jdoc_number(o, "in_flight", 0),
                            .delivered = jdoc_number(o, "delivered", 0),
                            .deferred = jdoc_number(o, "deferred", 0),
                            .failed = jdoc_number(o, "failed", 0),
                            .rate = jdoc_real(o, "messages_per_second", 0),
                            .rate_limit = jdoc_real(limits, "rate", 0),
                            .sessions_limit = jdoc_real(limits, "connections", 0),
                            .next_value = jdoc_real(o, "next_value", 0),
                            .down = jdoc_bool(o, "down", false),
                            .tail = jdoc_bool(o, "tail", false),
                            .now = now};
}

double lane_view_deferred(const struct lane_view *v) {
    int64_t all = v->delivered + v->deferred + v->failed;
    return all > 0 ? (double)v->deferred / (double)all : 0;
}

void lane_view_number(struct buf *out, double n) {
    if (n >= 99.95)
        units_put_grouped(out, (uint64_t)(n + 0.5));
    else if (n == 0)
        buf_put_c(out, '0');
    else
        buf_printf(out, n < 1 ? "%.2f" : "%.1f", n);
}

/* ---- columns ---- */

static void put_provider(struct buf *out, const struct lane_view *v) {
    buf_put_slice(out, v->provider);
}
static void put_source(struct buf *out, const struct lane_view *v) {
    buf_put_slice(out, v->source);
}
static void put_waiting(struct buf *out, const struct lane_view *v) {
    units_put_grouped(out, (uint64_t)v->waiting);
}
static void put_sessions(struct buf *out, const struct lane_view *v) {
    buf_printf(out, "%lld", (long long)v->sessions);
    if (v->sessions_limit > 0) buf_printf(out, "/%.0f", v->sessions_limit);
}
static void put_rate(struct buf *out, const struct lane_view *v) {
    lane_view_number(out, v->rate);
    if (v->rate_limit <= 0) return;
    buf_put_c(out, '/');
    lane_view_number(out, v->rate_limit);
}
static void put_deferred(struct buf *out, const struct lane_view *v) {
    double share = lane_view_deferred(v) * 100;
    buf_printf(out, share > 0 && share < 9.95 ? "%.1f%%" : "%.0f%%", share);
}
static void put_bound(struct buf *out, const struct lane_view *v) {
    if (v->down) buf_put_text(out, "shut: ");
    if (v->bound_by.len)
        buf_put_slice(out, v->bound_by);
    else if (v->down)
        buf_put_text(out, "pausing");
    else
        buf_put_text(out, v->waiting || v->sessions ? "-" : "idle");
}
/* The time of day, to the second. What is due waits for its occasion. */
static void put_next(struct buf *out, const struct lane_view *v) {
    if (v->next_try.len > 19 && v->now.len && slice_cmp(v->next_try, v->now) <= 0)
        buf_put_text(out, "now");
    else if (v->next_try.len > 19)
        buf_put(out, v->next_try.at + 11, 8);
    else
        buf_put_c(out, '-');
}
static void put_delivered(struct buf *out, const struct lane_view *v) {
    units_put_grouped(out, (uint64_t)v->delivered);
}
static void put_reply(struct buf *out, const struct lane_view *v) {
    buf_put_slice(out, v->last_reply);
}

static const struct {
    const char *title;
    void (*put)(struct buf *out, const struct lane_view *v);
    enum cells_side side;
    uint16_t width; /* 0: what is left */
    uint16_t from;  /* shown where the table is that wide */
} columns[] = {
    {"LANE", put_provider, CELLS_LEFT, 0, 0},           {"SOURCE", put_source, CELLS_LEFT, 12, 100},
    {"WAITING", put_waiting, CELLS_RIGHT, 11, 40},      {"SESSIONS", put_sessions, CELLS_RIGHT, 8, 60},
    {"MSG/S", put_rate, CELLS_RIGHT, 11, 28},           {"DEFER", put_deferred, CELLS_RIGHT, 5, 72},
    {"BOUND BY", put_bound, CELLS_LEFT, 15, 76},        {"NEXT TRY", put_next, CELLS_LEFT, 8, 110},
    {"DELIVERED", put_delivered, CELLS_RIGHT, 12, 124}, {"LAST REPLY", put_reply, CELLS_LEFT, 0, 150},
};
enum { COLUMNS = sizeof columns / sizeof columns[0], REPLY_FROM = 150, NAME_MOST = 36 };

/* Of the lane's name, and of the last reply. */
static void share(size_t width, size_t *name, size_t *reply) {
    size_t fixed = 0;
    for (size_t i = 1; i < COLUMNS; i++)
        if (width >= columns[i].from) fixed += columns[i].width + 1U; /* and the blank before it */
    size_t left = width > fixed ? width - fixed : 0;
    *name = left;
    if (width >= REPLY_FROM && (*name = left * 2 / 5) > NAME_MOST) *name = NAME_MOST;
    *reply = left - *name;
}

/* v NULL: the titles. */
static void put_columns(struct buf *out, const struct lane_view *v, size_t width) {
    size_t name, reply;
    struct buf cell;
    buf_init(&cell, 4096);
    share(width, &name, &reply);
    for (size_t i = 0; i < COLUMNS; i++) {
        if (width < columns[i].from) continue;
        size_t cells = columns[i].width ? columns[i].width : i == 0 ? name : reply;
        buf_reset(&cell);
        if (v)
            columns[i].put(&cell, v);
        else
            buf_put_text(&cell, columns[i].title);
        if (i) buf_put_c(out, ' ');
        cells_put(out, buf_slice(&cell), cells, columns[i].side);
    }
    buf_done(&cell);
}

void lane_view_head(struct buf *out, size_t width) {
    put_columns(out, NULL, width);
}

void lane_view_row(struct buf *out, const struct lane_view *v, size_t width) {
    put_columns(out, v, width);
}
