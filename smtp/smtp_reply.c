/* The incremental reader of SMTP replies: the first thing that a hostile server reaches.
 *
 * Holds: memory is bounded by the limits in the header whatever comes; feeding bytes one by one gives the
 * same replies as feeding them at once. Does not know what was asked: smtp_client.c does. */
#include "smtp_reply.h"

void smtp_reader_init(struct smtp_reader *r) {
    *r = (struct smtp_reader){.code = 0};
    buf_init(&r->line, SMTP_REPLY_LINE_MAX);
    buf_init(&r->text, SMTP_REPLY_TEXT_MAX);
}

void smtp_reader_done(struct smtp_reader *r) {
    buf_done(&r->line);
    buf_done(&r->text);
}

void smtp_reader_reset(struct smtp_reader *r) {
    struct buf line = r->line, text = r->text;
    *r = (struct smtp_reader){.line = line, .text = text};
    buf_reset(&r->line);
    buf_reset(&r->text);
}

bool smtp_reader_partial(const struct smtp_reader *r) {
    return !r->done && r->total > 0;
}

/* Takes "5.1.1" and the blank behind it off *line. */
static bool take_enhanced(struct slice *line, int code, uint16_t out[3]) {
    uint16_t parts[3];
    struct slice rest = *line;
    for (int i = 0; i < 3; i++) {
        size_t digits = 0;
        unsigned value = 0;
        while (digits < rest.len && ascii_digit(rest.at[digits])) {
            if (digits == 3) return false;
            value = value * 10 + (unsigned)(rest.at[digits++] - '0');
        }
        if (digits == 0) return false;
        parts[i] = (uint16_t)value;
        rest = slice_skip(rest, digits);
        if (i == 2) break;
        if (rest.len == 0 || rest.at[0] != '.') return false;
        rest = slice_skip(rest, 1);
    }
    if (rest.len && rest.at[0] != ' ') return false;
    if (parts[0] != code / 100 || parts[0] == 3) return false;
    memcpy(out, parts, sizeof parts);
    *line = slice_skip(rest, 1);
    return true;
}

/* Appends what fits, with control characters made harmless for logs and reports. */
static void keep_text(struct smtp_reader *r, struct slice line) {
    bool first = r->lines == 1;
    size_t left = r->text.max - r->text.len, separator = first ? 0 : 1;
    if (left < line.len + separator) {
        r->oversized = true;
        if (left < separator) return;
        line.len = left - separator;
    }
    if (!first) buf_put_c(&r->text, '\n');
    char *to = line.len ? buf_room(&r->text, line.len) : NULL;
    if (!to) return;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char byte = (unsigned char)line.at[i];
        to[i] = byte == '\t' ? ' ' : byte < 0x20 || byte == 0x7f ? '?' : line.at[i];
    }
    buf_grew(&r->text, line.len);
}

/* Some servers indent their lines. */
static struct slice past_blanks(struct slice line) {
    while (line.len && line.at[0] == ' ')
        line = slice_skip(line, 1);
    return line;
}

/* One whole line without its LF. False: garbage. */
static bool take_line(struct smtp_reader *r, struct slice line) {
    if (line.len && line.at[line.len - 1] == '\r') line.len--;
    if (line.len < 3 || memchr(line.at, 0, line.len)) return false;
    int code = 0;
    for (int i = 0; i < 3; i++) {
        if (!ascii_digit(line.at[i])) return false;
        code = code * 10 + (line.at[i] - '0');
    }
    char mark = line.len > 3 ? line.at[3] : ' ';
    if (code < 200 || code > 599 || (mark != ' ' && mark != '-')) return false;
    if (r->lines && code != r->code) return false;
    r->code = code;
    r->done = mark == ' ';
    if (++r->lines > SMTP_REPLY_LINES_MAX) {
        r->oversized = true;
        return true;
    }
    line = past_blanks(slice_skip(line, 4));
    take_enhanced(&line, code, r->enhanced);
    keep_text(r, past_blanks(line));
    return true;
}

/* Adds a piece to the unfinished line, as far as there is room. */
static void keep_piece(struct smtp_reader *r, struct slice piece) {
    size_t left = r->line.max - r->line.len;
    if (piece.len > left) {
        piece.len = left;
        r->line_cut = true;
    }
    if (!buf_put_slice(&r->line, piece)) r->bad = true; /* no memory: what follows can't be trusted */
}

/* A line ends in this piece; what came of it before lies in r->line. */
static void end_line(struct smtp_reader *r, struct slice piece) {
    if (r->line.len) {
        keep_piece(r, piece);
        piece = buf_slice(&r->line);
    } else if (piece.len > SMTP_REPLY_LINE_MAX) {
        piece.len = SMTP_REPLY_LINE_MAX;
        r->line_cut = true;
    }
    if (r->line_cut) r->oversized = true;
    if (!take_line(r, piece)) r->bad = true;
    buf_reset(&r->line);
    r->line_cut = false;
}

enum smtp_read smtp_reader_take(struct smtp_reader *r, struct slice *bytes, struct smtp_reply *reply) {
    if (r->done) smtp_reader_reset(r);
    while (bytes->len && !r->bad) {
        ptrdiff_t lf = slice_find(*bytes, '\n');
        size_t n = lf < 0 ? bytes->len : (size_t)lf + 1;
        r->total += n;
        if (r->total > SMTP_REPLY_TOTAL_MAX) {
            r->bad = true;
        } else if (lf < 0) {
            keep_piece(r, *bytes);
        } else {
            end_line(r, slice_make(bytes->at, (size_t)lf));
        }
        *bytes = slice_skip(*bytes, n);
        if (r->bad || !r->done) continue;
        *reply = (struct smtp_reply){.code = r->code, .oversized = r->oversized, .text = buf_slice(&r->text)};
        memcpy(reply->enhanced, r->enhanced, sizeof r->enhanced);
        return SMTP_READ_REPLY;
    }
    return r->bad ? SMTP_READ_BAD : SMTP_READ_MORE;
}
