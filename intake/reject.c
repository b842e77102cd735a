/* Writing rejected rows, gathered to some 64 KB. The file appears with the first row, so that a clean
 * audience leaves none. */
#include "reject.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { FLUSH_BYTES = 64 * 1024, PENDING_MAX = 2 * 1024 * 1024 };

void reject_init(struct reject *r, const char *path) {
    *r = (struct reject){.path = path, .fd = -1};
    buf_init(&r->pending, PENDING_MAX);
}

void reject_done(struct reject *r) {
    if (r->fd >= 0) close(r->fd);
    r->fd = -1;
    buf_done(&r->pending);
}

/* RFC 4180: quotes doubled; and the one behind the field. */
static void put_doubled(struct buf *b, struct slice text) {
    struct slice piece;
    for (bool first = true; slice_cut(&text, '"', &piece); first = false) {
        if (!first) buf_put_text(b, "\"\"");
        buf_put_slice(b, piece);
    }
    buf_put_c(b, '"');
}

static int open_file(struct reject *r, struct err *err) {
    r->fd = open(r->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (r->fd < 0) return err_errno(err, errno, "creating %s for rejected rows", r->path);
    buf_put_text(&r->pending, "\xEF\xBB\xBFline,reason,row\r\n");
    return 0;
}

int reject_put(struct reject *r, uint64_t line, const char *reason, struct slice row, struct err *err) {
    if (!r->path) return 0;
    if (r->fd < 0 && open_file(r, err) < 0) return -1;
    buf_put_u64(&r->pending, line);
    buf_put_c(&r->pending, ',');
    buf_put_c(&r->pending, '"');
    put_doubled(&r->pending, slice_of(reason));
    buf_put_text(&r->pending, row.len && strchr("=+-@\t", row.at[0]) ? ",\"'" : ",\"");
    put_doubled(&r->pending, row);
    if (!buf_put_text(&r->pending, "\r\n")) return err_set(err, ERR_SYSTEM, "no memory for a rejected row");
    return r->pending.len < FLUSH_BYTES ? 0 : reject_flush(r, err);
}

int reject_flush(struct reject *r, struct err *err) {
    struct slice rest = buf_slice(&r->pending);
    while (rest.len) {
        ssize_t n = write(r->fd, rest.at, rest.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(err, errno, "writing rejected rows to %s", r->path);
        rest = slice_skip(rest, (size_t)n);
    }
    buf_reset(&r->pending);
    return 0;
}
