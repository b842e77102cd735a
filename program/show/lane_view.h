/* A lane as a server tells of it, and as a row of a table: `lanes` and `top`. Pure. */
#ifndef TSUBAME_LANE_VIEW_H
#define TSUBAME_LANE_VIEW_H

#include "buf.h"
#include "jdoc.h"

/* Texts live as long as the object that they were read from. */
struct lane_view {
    struct slice provider, source, bound_by, next_try, last_reply, why;
    int64_t waiting, suspended, sessions, in_flight, delivered, deferred, failed;
    double rate;                       /* messages a second */
    double rate_limit, sessions_limit; /* 0: none known */
    double next_value;                 /* 0: not said */
    bool down, tail;
    struct slice now; /* the server's time as text; empty: not said */
};
void lane_view_read(struct lane_view *v, const struct jdoc *lane, struct slice now);

/* Of all that was answered since the start: 0 to 1. */
double lane_view_deferred(const struct lane_view *v);

/* In exactly `width` cells, without a line end: the wider the more columns. */
void lane_view_head(struct buf *out, size_t width);
void lane_view_row(struct buf *out, const struct lane_view *v, size_t width);

/* "1.5", "12.3", "1,234". */
void lane_view_number(struct buf *out, double n);

#endif
