/* Base64 in pieces. Between calls: what is held is less than a group, and a full line has not been ended yet.
 */
#include "b64.h"

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

bool b64_suits(struct slice text) {
    size_t quoted = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool literal = (c >= ' ' && c <= '~' && c != '=') || c == '\t' || c == '\n' || c == '\r';
        quoted += literal ? 1 : 3;
    }
    return quoted * 2 > text.len * 3; /* base64 takes 4/3; what is about as long stays quoted-printable */
}
