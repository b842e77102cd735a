/* The only place that knows iconv: it fills a table once, for a row is decoded in less time than iconv takes
 * to be called for each of its fields. */
#include "cp932.h"

#include <iconv.h>
#include <pthread.h>
#include <stdlib.h>

enum { NOTHING = 0, PRIVATE = 0xFFFF }; /* U+FFFF is no character */

struct cp932 {
    uint16_t singles[256];
    uint16_t pairs[65536];
};

static struct cp932 *table;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool leads(unsigned char c) {
    return (c >= 0x81 && c <= 0x9f) || (c >= 0xe0 && c <= 0xfc);
}
static bool trails(unsigned char c) {
    return c >= 0x40 && c <= 0xfc && c != 0x7f;
}

/* The one character that the bytes stand for, or NOTHING. */
static uint16_t convert(iconv_t cd, const char *bytes, size_t n) {
    unsigned char out[8];
    char *from = (char *)(uintptr_t)bytes, *to = (char *)out;
    size_t room = sizeof out;
    iconv(cd, NULL, NULL, NULL, NULL);
    if (iconv(cd, &from, &n, &to, &room) == (size_t)-1 || n || room != sizeof out - 2) return NOTHING;
    return (uint16_t)(out[0] << 8 | out[1]);
}

static void fill(void) {
    iconv_t cd = iconv_open("UTF-16BE", "CP932");
    if (cd == (iconv_t)-1) return;
    struct cp932 *t = calloc(1, sizeof *t);
    for (unsigned c = 0; t && c < 256; c++) {
        char one = (char)c;
        if (c < 0x80 || (c >= 0xa1 && c <= 0xdf)) t->singles[c] = c ? convert(cd, &one, 1) : NOTHING;
        for (unsigned d = 0; leads((unsigned char)c) && d < 256; d++) {
            char two[2] = {(char)c, (char)d};
            if (trails((unsigned char)d))
                t->pairs[c << 8 | d] = c >= 0xf0 && c <= 0xf9 ? PRIVATE : convert(cd, two, 2);
        }
    }
    iconv_close(cd);
    table = t;
}

const struct cp932 *cp932_table(struct err *err) {
    pthread_once(&once, fill);
    if (!table)
        err_set(err, ERR_SYSTEM, "this system can't convert CP932 (Shift_JIS): save the list as UTF-8");
    return table;
}

enum cp932_kind cp932_next(const struct cp932 *t, struct slice text, size_t *bytes, uint32_t *rune) {
    unsigned char c = (unsigned char)text.at[0];
    *bytes = 1;
    *rune = t->singles[c];
    if (!leads(c)) return *rune || c == 0 ? CP932_CHAR : CP932_INVALID;
    if (text.len < 2) return CP932_INVALID;
    *rune = t->pairs[c << 8 | (unsigned char)text.at[1]];
    if (*rune == NOTHING) return CP932_INVALID;
    *bytes = 2;
    return *rune == PRIVATE ? CP932_PRIVATE : CP932_CHAR;
}

static size_t put_utf8(char *to, uint32_t rune) {
    if (rune < 0x80) {
        to[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        to[0] = (char)(0xc0 | rune >> 6);
        to[1] = (char)(0x80 | (rune & 0x3f));
        return 2;
    }
    to[0] = (char)(0xe0 | rune >> 12);
    to[1] = (char)(0x80 | (rune >> 6 & 0x3f));
    to[2] = (char)(0x80 | (rune & 0x3f));
    return 3;
}

enum cp932_kind cp932_decode(const struct cp932 *t, struct slice text, struct buf *out, size_t *bad) {
    for (size_t i = 0; i < text.len;) {
        char utf8[3];
        uint32_t rune;
        size_t n = 0;
        while (i + n < text.len && (unsigned char)text.at[i + n] < 0x80)
            n++;
        if (n && !buf_put(out, text.at + i, n)) return CP932_CHAR;
        i += n;
        if (i == text.len) break;
        enum cp932_kind kind = cp932_next(t, slice_skip(text, i), &n, &rune);
        if (kind != CP932_CHAR) {
            *bad = i;
            return kind;
        }
        if (!buf_put(out, utf8, put_utf8(utf8, rune))) return CP932_CHAR;
        i += n;
    }
    return CP932_CHAR;
}
