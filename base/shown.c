/* One pass over UTF-8; the table of what steers is short, so that a reader can check it against Unicode's
 * Bidi_Control and the two separators. */
#include "shown.h"

#include "codec.h"

static const struct {
    uint32_t first, last;
} steering[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f},   /* C0, DEL, C1 */
    {0x061c, 0x061c},                     /* Arabic letter mark */
    {0x200b, 0x200b}, {0x200e, 0x200f},   /* zero width space; left-to-right and right-to-left marks */
    {0x2028, 0x202e},                     /* separators; embeddings and overrides */
    {0x2060, 0x2069}, {0xfeff, 0xfeff},   /* invisible operators, isolates; zero width no-break space */
    {0xfff9, 0xfffb}, {0xe0000, 0xe007f}, /* annotations; tags */
};

static uint32_t code_point(const unsigned char *s, size_t n) {
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = s[0] & first[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3f);
    return c;
}

size_t shown_next(struct slice s, bool *good) {
    unsigned char c = (unsigned char)s.at[0];
    *good = c >= ' ' && c < 0x7f;
    if (c < 0x80) return 1;
    size_t n = codec_utf8_next(s);
    if (n == 0) return 1;
    uint32_t point = code_point((const unsigned char *)s.at, n);
    *good = true;
    for (size_t i = 0; i < sizeof steering / sizeof steering[0]; i++)
        if (point >= steering[i].first && point <= steering[i].last) *good = false;
    return n;
}

bool shown_put(struct buf *out, struct slice text) {
    while (text.len) {
        bool good;
        size_t n = shown_next(text, &good);
        if (good)
            buf_put(out, text.at, n);
        else
            buf_put_c(out, '?');
        text = slice_skip(text, n);
    }
    return !out->failed;
}

void shown_clean(char *text) {
    char *to = text;
    for (struct slice rest = slice_of(text); rest.len;) {
        bool good;
        size_t n = shown_next(rest, &good);
        if (good)
            memmove(to, rest.at, n);
        else
            *to = '?';
        to += good ? n : 1;
        rest = slice_skip(rest, n);
    }
    *to = 0;
}
