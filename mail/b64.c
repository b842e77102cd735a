/* Base64 in pieces. Between calls: what is held is less than a group, and a full line has not been ended yet.
 */
#include "b64.h"

#include "escape.h"

#include <assert.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_group(char *to, const unsigned char *from) {
    uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
    to[0] = digits[bits >> 18];
    to[1] = digits[bits >> 12 & 63];
    to[2] = digits[bits >> 6 & 63];
    to[3] = digits[bits & 63];
}

void b64_begin(struct b64 *b, struct buf *out) {
    *b = (struct b64){.out = out};
}

/* A line's end is written when something follows it. */
static void next_line(struct b64 *b) {
    if (b->column < B64_LINE) return;
    buf_put(b->out, "\r\n", 2);
    b->column = 0;
}

/* Whole groups, a line at a time. */
static void put_groups(struct b64 *b, const unsigned char *from, size_t groups) {
    while (groups && !b->out->failed) {
        next_line(b);
        size_t n = (B64_LINE - b->column) / 4;
        if (n > groups) n = groups;
        char *to = buf_room(b->out, n * 4);
        if (!to) return;
        for (size_t i = 0; i < n; i++)
            put_group(to + i * 4, from + i * 3);
        buf_grew(b->out, n * 4);
        b->column += (unsigned)n * 4;
        from += n * 3;
        groups -= n;
    }
}

/* Fills up the group under way from the front of bytes. */
static struct slice fill(struct b64 *b, struct slice bytes) {
    while (b->held && bytes.len) {
        b->bytes[b->held++] = (unsigned char)bytes.at[0];
        bytes = slice_skip(bytes, 1);
        if (b->held < 3) continue;
        put_groups(b, b->bytes, 1);
        b->held = 0;
    }
    return bytes;
}

static void hold(struct b64 *b, struct slice rest) {
    assert(rest.len == 0 || (b->held == 0 && rest.len < 3));
    for (size_t i = 0; i < rest.len; i++)
        b->bytes[b->held++] = (unsigned char)rest.at[i];
}

void b64_put(struct b64 *b, struct slice bytes) {
    bytes = fill(b, bytes);
    put_groups(b, (const unsigned char *)bytes.at, bytes.len / 3);
    hold(b, slice_skip(bytes, bytes.len / 3 * 3));
}

void b64_put_text(struct b64 *b, struct slice text) {
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != '\r' && text.at[i] != '\n') continue;
        b64_put(b, slice_make(text.at + from, i - from));
        b64_put(b, SLICE("\r\n"));
        if (text.at[i] == '\r' && i + 1 < text.len && text.at[i + 1] == '\n') i++;
        from = i + 1;
    }
    if (from < text.len) b64_put(b, slice_skip(text, from));
}

void b64_put_html(struct b64 *b, struct slice text) {
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        struct slice name = escape_entity(text.at[i]);
        if (name.len == 0) continue;
        b64_put_text(b, slice_make(text.at + from, i - from));
        b64_put(b, name);
        from = i + 1;
    }
    if (from < text.len) b64_put_text(b, slice_skip(text, from));
}

void b64_end(struct b64 *b) {
    if (b->held) {
        unsigned held = b->held;
        memset(b->bytes + held, 0, 3 - held);
        put_groups(b, b->bytes, 1);
        if (!b->out->failed) memset(b->out->at + b->out->len - (3 - held), '=', 3 - held);
        b->held = 0;
    }
    if (b->column) buf_put(b->out, "\r\n", 2);
    b->column = 0;
}

/* How much of the text three[n] covers, in characters of base64. */
static size_t covered(size_t length, size_t n) {
    return length < n ? 0 : (length - n) / 3 * 4;
}

void b64_run_move(struct b64_run *run, struct slice bytes) {
    size_t length = run->text.len;
    run->text = slice_make(bytes.at, length);
    bytes = slice_skip(bytes, length);
    for (size_t n = 0; n < 3; n++) {
        run->three[n] = slice_make(bytes.at, covered(length, n));
        bytes = slice_skip(bytes, run->three[n].len);
    }
}

static void put_crlf_text(struct buf *out, struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c != '\r' && c != '\n') {
            buf_put_c(out, c);
            continue;
        }
        buf_put(out, "\r\n", 2);
        if (c == '\r' && i + 1 < text.len && text.at[i + 1] == '\n') i++;
    }
}

void b64_encode_run(struct buf *scratch, struct slice text, struct b64_run *run) {
    size_t start = scratch->len;
    *run = (struct b64_run){.text = {NULL, 0}};
    put_crlf_text(scratch, text);
    size_t length = scratch->len - start;
    for (size_t n = 0; n < 3; n++) {
        size_t groups = covered(length, n) / 4;
        char *to = groups ? buf_room(scratch, groups * 4) : NULL;
        if (!to) continue;
        const unsigned char *from = (const unsigned char *)scratch->at + start + n;
        for (size_t i = 0; i < groups; i++)
            put_group(to + i * 4, from + i * 3);
        buf_grew(scratch, groups * 4);
    }
    if (scratch->failed || length == 0) return;
    run->text.len = length;
    b64_run_move(run, slice_make(scratch->at + start, scratch->len - start));
}

/* Digits encoded before, cut into lines. */
static void put_digits(struct b64 *b, struct slice ready) {
    while (ready.len && !b->out->failed) {
        next_line(b);
        size_t n = B64_LINE - b->column;
        if (n > ready.len) n = ready.len;
        buf_put(b->out, ready.at, n);
        b->column += (unsigned)n;
        ready = slice_skip(ready, n);
    }
}

void b64_put_run(struct b64 *b, const struct b64_run *run) {
    struct slice rest = fill(b, run->text);
    if (b->held) return;
    put_digits(b, run->three[run->text.len - rest.len]);
    hold(b, slice_skip(rest, rest.len / 3 * 3));
}

bool b64_suits(struct slice text) {
    size_t quoted = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool literal = (c >= ' ' && c <= '~' && c != '=') || c == '\t' || c == '\n' || c == '\r';
        quoted += literal ? 1 : 3;
    }
    return quoted * 2 > text.len * 3; /* base64 takes 4/3; what is about as long stays quoted-printable */
}
