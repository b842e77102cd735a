/* What `tsubame top` shows: a frame of data becomes lines for a terminal of a given size. Pure. */
#ifndef TSUBAME_TOP_VIEW_H
#define TSUBAME_TOP_VIEW_H

#include "lane_view.h"

enum { TOP_HISTORY = 120 };

struct top_frame {
    struct slice time;                               /* RFC 3339, of the server */
    int64_t campaigns, pending, under_way, deferred; /* now, of all campaigns */
    int64_t sessions, delivered, refused, failed;    /* refused: for now; since the server's start */
    double rate;                                     /* messages a second now */
    const double *history;                           /* the rates so far, this one last */
    size_t history_count;
    struct slice trouble; /* what holds the server up; "" */
    struct slice note;    /* the first of what a person must know; "" */
    size_t notes;
    const struct lane_view *lanes;
    size_t lane_count, selected;
    int64_t more_lanes, more_waiting; /* that are not in `lanes` */
    const char *sort;
    const char *lost; /* why there is nothing new; NULL: all is well */
    bool keys;        /* the last line tells them */
};

/* At most `height` lines of exactly `width` cells, each behind one byte for its style (' ' plain, 'b' bold,
 * 'd' dim, 'r' reversed, '!' red) and with a line end. Nothing in them steers a terminal. */
void top_layout(const struct top_frame *f, size_t width, size_t height, struct buf *out);

#endif
