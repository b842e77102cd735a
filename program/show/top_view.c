/* From above: what goes on in all, what is wrong, the lanes, why the selected one is as fast as it is, the
 * keys. A small terminal loses them in the reverse order, the lanes last but for the head. */
#include "top_view.h"

#include "cells.h"
#include "units.h"

#include <string.h>

struct page {
    struct buf *out;
    size_t width, left; /* lines */
};

static void line(struct page *p, char style, struct slice text) {
    if (!p->left) return;
    p->left--;
    buf_put_c(p->out, style);
    cells_put(p->out, text, p->width, CELLS_LEFT);
    buf_put_c(p->out, '\n');
}

static void put_count(struct buf *out, int64_t n, const char *what) {
    buf_put_text(out, "  ");
    units_put_grouped(out, (uint64_t)n);
    buf_printf(out, " %s", what);
}

static void put_sum_line(struct page *p, const struct top_frame *f) {
    struct buf text;
    buf_init(&text, 4096);
    buf_put_text(&text, "tsubame");
    if (f->time.len > 19) buf_printf(&text, "  %.8s UTC", f->time.at + 11);
    put_count(&text, f->campaigns, f->campaigns == 1 ? "campaign" : "campaigns");
    put_count(&text, f->pending, "pending");
    put_count(&text, f->under_way, "under way");
    put_count(&text, f->deferred, "deferred");
    line(p, 'b', buf_slice(&text));
    buf_done(&text);
}

/* The newest at the right end, as high as they are of the highest. */
static void put_spark(struct buf *out, const struct top_frame *f, size_t cells) {
    static const char *const bars[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
    size_t n = f->history_count < cells ? f->history_count : cells;
    const double *from = f->history + f->history_count - n;
    double most = 0;
    for (size_t i = 0; i < n; i++)
        if (from[i] > most) most = from[i];
    for (size_t i = 0; i < n; i++) {
        double part = most > 0 ? from[i] / most * 7 : 0;
        buf_put_text(out, bars[part < 0 ? 0 : (int)(part + 0.5)]);
    }
}

/* The curve takes what the figures leave. */
static void put_rate_line(struct page *p, const struct top_frame *f) {
    struct buf text, figures;
    buf_init(&text, 4096);
    buf_init(&figures, 4096);
    put_count(&figures, f->sessions, f->sessions == 1 ? "session" : "sessions");
    put_count(&figures, f->delivered, "delivered");
    put_count(&figures, f->refused, f->refused == 1 ? "deferral" : "deferrals");
    put_count(&figures, f->failed, "failed");
    lane_view_number(&text, f->rate);
    buf_put_text(&text, " messages/s ");
    size_t taken = cells_of(buf_slice(&text)) + cells_of(buf_slice(&figures));
    size_t left = p->width > taken ? p->width - taken : 0;
    put_spark(&text, f, left < p->width / 8 ? left : p->width / 8);
    buf_put_slice(&text, buf_slice(&figures));
    line(p, ' ', buf_slice(&text));
    buf_done(&text);
    buf_done(&figures);
}

static void put_warnings(struct page *p, const struct top_frame *f) {
    struct buf text;
    buf_init(&text, 16384);
    if (f->lost)
        buf_printf(&text, "%s", f->lost);
    else if (f->trouble.len)
        buf_printf(&text, "Trouble: %.*s", SLICE_ARG(f->trouble));
    else if (f->note.len)
        buf_printf(&text, "Note: %.*s", SLICE_ARG(f->note));
    if (f->notes > 1 && !f->lost) buf_printf(&text, " (and %zu more: tsubame status)", f->notes - 1);
    if (text.len) line(p, '!', buf_slice(&text));
    buf_done(&text);
}

static void put_lanes(struct page *p, const struct top_frame *f, size_t room) {
    struct buf text;
    bool all = f->lane_count <= room && !f->more_lanes;
    size_t rows = room && !all ? room - 1 : room; /* the last line sums up the others */
    size_t first = f->selected >= rows && rows ? f->selected - rows + 1 : 0;
    buf_init(&text, 64 << 10);
    for (size_t i = first; i < f->lane_count && i < first + rows; i++) {
        buf_reset(&text);
        lane_view_row(&text, &f->lanes[i], p->width);
        line(p, f->lost ? 'd' : i == f->selected ? 'r' : f->lanes[i].down ? '!' : ' ', buf_slice(&text));
    }
    buf_reset(&text);
    if (!all && room) {
        int64_t lanes = f->more_lanes, waiting = f->more_waiting;
        for (size_t i = 0; i < f->lane_count; i++)
            if (i < first || i >= first + rows) lanes++, waiting += f->lanes[i].waiting;
        buf_printf(&text, "... and %lld lanes more, for which ", (long long)lanes);
        units_put_grouped(&text, (uint64_t)waiting);
        buf_put_text(&text, " wait");
        line(p, 'd', buf_slice(&text));
    }
    if (!f->lane_count) line(p, 'd', SLICE("No lanes: nothing waits."));
    buf_done(&text);
}

/* Lines that the text takes, at most so many. */
static size_t lines_of(struct slice text, size_t width, size_t most) {
    struct slice part;
    size_t n = 0;
    while (n < most && cells_line(&text, width, &part))
        n++;
    return n;
}

static void explain(const struct lane_view *v, struct buf *text) {
    if (v->why.len) {
        buf_put_slice(text, v->why);
    } else {
        buf_put_slice(text, v->provider);
        buf_put_text(text, " from ");
        buf_put_slice(text, v->source);
        buf_put_text(text, v->down ? ": takes nothing now." : ": nothing holds it back but the work.");
    }
    if (!v->last_reply.len) return;
    buf_put_text(text, " Last refusal: ");
    buf_put_slice(text, v->last_reply);
}

/* What has no room is cut off at the end of the last line, with an ellipsis. */
static void put_wrapped(struct page *p, struct slice text, size_t most) {
    struct slice part, rest = text;
    while (most && cells_line(&rest, p->width, &part)) {
        line(p, ' ', --most ? part : text);
        text = slice_trim(rest);
    }
}

/* 80 cells hold it. */
static void put_keys(struct buf *out, const char *sort) {
    static const char *const sorts[] = {"waiting", "rate", "deferred", "sessions", "provider"};
    buf_put_text(out, "q quit  \u2191\u2193 choose  sort:");
    for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++) {
        bool now = sort && strcmp(sort, sorts[i]) == 0;
        buf_printf(out, " %c %s%s%s", sorts[i][0], now ? "[" : "", sorts[i], now ? "]" : "");
    }
}

void top_layout(const struct top_frame *f, size_t width, size_t height, struct buf *out) {
    struct page p = {out, width ? width : 1, height};
    struct buf why, head;
    buf_init(&why, 16384);
    buf_init(&head, 64 << 10);
    if (f->lane_count && height >= 12) explain(&f->lanes[f->selected], &why);
    size_t why_lines = lines_of(buf_slice(&why), p.width, height / 4 < 6 ? height / 4 : 6);
    size_t below = why_lines ? why_lines + 1 : 0, keys = f->keys && height >= 8;
    put_sum_line(&p, f);
    if (height >= 4) put_rate_line(&p, f);
    put_warnings(&p, f);
    if (height >= 10) line(&p, ' ', SLICE(""));
    if (height >= 6) {
        lane_view_head(&head, p.width);
        line(&p, 'b', buf_slice(&head));
    }
    size_t room = p.left > below + keys ? p.left - below - keys : 0;
    size_t end = p.left - room;
    put_lanes(&p, f, room);
    while (f->keys && p.left > end) /* what is below keeps its place */
        line(&p, ' ', SLICE(""));
    if (why_lines) line(&p, ' ', SLICE(""));
    put_wrapped(&p, buf_slice(&why), why_lines);
    buf_reset(&head);
    put_keys(&head, f->sort);
    if (keys) line(&p, 'd', buf_slice(&head));
    buf_done(&why);
    buf_done(&head);
}
