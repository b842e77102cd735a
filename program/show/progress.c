/* The progress line: written over on a terminal, a plain line every few seconds elsewhere. */
#include "show.h"
#include "units.h"

#include <sys/ioctl.h>
#include <unistd.h>

enum { LIVE_US = 200000, PLAIN_US = 5000000, LINE_MAX_BYTES = 4096 };
#define SMOOTHING_S 5.0

void progress_init(struct progress *p, int fd) {
    *p = (struct progress){.live = show_is_terminal(fd), .fd = fd, .rate = -1};
}

static void write_all(int fd, struct slice s) {
    while (s.len) {
        ssize_t n = write(fd, s.at, s.len);
        if (n <= 0) return; /* progress is not worth failing for */
        s = slice_skip(s, (size_t)n);
    }
}

static bool is_time(struct progress *p, mono_us now, bool end) {
    if (!end && p->last && now - p->last < (p->live ? LIVE_US : PLAIN_US)) return false;
    p->last = now;
    return true;
}

/* What fits on one line of the terminal: one that wraps cannot be written over. */
static struct slice fit(const struct progress *p, struct slice line) {
    struct winsize size;
    if (ioctl(p->fd, TIOCGWINSZ, &size) || size.ws_col < 2 || line.len < size.ws_col) return line;
    line.len = size.ws_col - 1u;
    while (line.len && ((unsigned char)line.at[line.len] & 0xc0) == 0x80)
        line.len--; /* no half characters */
    return line;
}

static void put_line(struct progress *p, struct buf *line, bool end) {
    struct buf out;
    buf_init(&out, LINE_MAX_BYTES + 16);
    if (p->live) buf_put_text(&out, "\r\033[K");
    buf_put_slice(&out, p->live && !end ? fit(p, buf_slice(line)) : buf_slice(line));
    if (!p->live || end) buf_put_c(&out, '\n');
    write_all(p->fd, buf_slice(&out));
    p->open = p->live && !end;
    buf_done(&out);
}

void progress_clear(struct progress *p) {
    if (p->open) write_all(p->fd, SLICE("\n"));
    p->open = false;
}

void progress_loading(struct progress *p, mono_us now, const struct load_counts *c, bool end) {
    struct buf line;
    if (!is_time(p, now, end)) return;
    buf_init(&line, LINE_MAX_BYTES);
    buf_put_text(&line, end ? "loaded: " : c->phase == LOAD_CUTTING ? "loading (filing): " : "loading: ");
    units_put_grouped(&line, c->rows);
    buf_put_text(&line, " rows");
    if (c->duplicates) {
        buf_put_text(&line, ", ");
        units_put_grouped(&line, c->duplicates);
        buf_put_text(&line, " duplicates");
    }
    if (c->rejected) {
        buf_put_text(&line, ", ");
        units_put_grouped(&line, c->rejected);
        buf_put_text(&line, " rejected");
    }
    if (end && c->read_as[0]) buf_printf(&line, " (read as %s)", c->read_as);
    put_line(p, &line, end);
    buf_done(&line);
}

/* The rate over the time since the last look, smoothed. */
static void measure(struct progress *p, mono_us now, uint64_t sent) {
    if (p->seen) {
        double seconds = (double)(now - p->seen) / US_PER_SEC;
        if (seconds < 0.05) return;
        double rate = (double)(sent - p->sent) / seconds;
        double weight = seconds / (seconds + SMOOTHING_S);
        p->rate = p->rate < 0 ? rate : p->rate + (rate - p->rate) * weight;
    }
    p->seen = now;
    p->sent = sent;
}

void progress_sending(struct progress *p, mono_us now, const struct campaign_status *c, unsigned busy,
                      const char *note, bool end) {
    const struct tally *t = &c->tally;
    uint64_t pending = tally_pending(t), sent = t->planned - pending;
    struct buf line;
    measure(p, now, sent);
    if (!is_time(p, now, end)) return;
    buf_init(&line, LINE_MAX_BYTES);
    units_put_grouped(&line, t->delivered);
    buf_put_text(&line, " of ");
    units_put_grouped(&line, t->planned);
    buf_put_text(&line, " delivered");
    if (t->planned) buf_printf(&line, " (%u%%)", (unsigned)(t->delivered * 100 / t->planned));
    if (t->planned - pending != t->delivered) {
        buf_put_text(&line, ", ");
        units_put_grouped(&line, t->planned - pending - t->delivered);
        buf_put_text(&line, " not");
    }
    if (!end && p->rate >= 0) {
        buf_put_text(&line, ", ");
        units_put_grouped(&line, (uint64_t)(p->rate + 0.5));
        buf_put_text(&line, "/s");
    }
    if (!end) buf_printf(&line, ", %u provider%s busy", busy, busy == 1 ? "" : "s");
    buf_put_text(&line, ", ");
    units_put_grouped(&line, pending);
    buf_put_text(&line, " pending");
    if (c->deferred) {
        buf_put_text(&line, " (");
        units_put_grouped(&line, c->deferred);
        buf_put_text(&line, " refused for now)");
    }
    if (!end && p->rate > 0.5 && pending > c->deferred) {
        buf_put_text(&line, ", ");
        units_put_left(&line, (int64_t)((double)pending / p->rate) + 1);
        buf_put_text(&line, " left");
    }
    if (note) buf_printf(&line, "; %s", note);
    put_line(p, &line, end);
    buf_done(&line);
}
