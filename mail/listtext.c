/* Reading a list's bytes and telling UTF-8 from CP932. */
#include "listtext.h"

#include "codec.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_AT_LEAST = 64 * 1024, WINDOW = LISTTEXT_LINE_MAX + 2, LOOK_MS = 200 };

const char *list_charset_name(enum list_charset c) {
    return c == LIST_CP932 ? "CP932 (Shift_JIS)" : c == LIST_UTF8 ? "UTF-8" : "ASCII";
}

bool list_charset_parse(struct slice name, enum list_charset *out) {
    static const struct {
        const char *name;
        enum list_charset charset;
    } known[] = {
        {"utf-8", LIST_UTF8},      {"utf8", LIST_UTF8},         {"cp932", LIST_CP932},
        {"shift_jis", LIST_CP932}, {"shift-jis", LIST_CP932},   {"shiftjis", LIST_CP932},
        {"sjis", LIST_CP932},      {"windows-31j", LIST_CP932}, {"windows-932", LIST_CP932},
        {"ms932", LIST_CP932},     {"ms_kanji", LIST_CP932},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!slice_eq_nocase(name, slice_of(known[i].name))) continue;
        *out = known[i].charset;
        return true;
    }
    return false;
}

static int settle(struct listtext *t, enum list_charset charset, struct err *err) {
    if (charset == LIST_CP932 && !(t->cp932 = cp932_table(err))) return -1;
    t->charset = charset;
    return 0;
}

int listtext_init(struct listtext *t, int fd, struct slice bytes, enum list_charset charset,
                  struct err *err) {
    *t = (struct listtext){.fd = fd, .bytes = bytes, .line = 1};
    if (settle(t, charset, err)) return -1;
    t->room = fd < 0 && bytes.len < LISTTEXT_BUFFER ? bytes.len + 1 : LISTTEXT_BUFFER; /* 1: to see the end */
    t->buffer = malloc(t->room);
    return t->buffer ? 0 : err_set(err, ERR_SYSTEM, "no memory to read a list");
}

void listtext_done(struct listtext *t) {
    free(t->buffer);
    t->buffer = NULL;
}

/* ---- reading ---- */

/* Until there is something to read or somebody wants to stop: then -1 with ECANCELED. */
static int wait_for_bytes(struct listtext *t) {
    struct pollfd look = {.fd = t->fd, .events = POLLIN};
    while (poll(&look, 1, LOOK_MS) <= 0) {
        if (!__atomic_load_n(t->stop, __ATOMIC_RELAXED)) continue;
        errno = ECANCELED;
        return -1;
    }
    return 0;
}

/* Up to `most` bytes to `to`; 0 at the end, -1 with errno. */
static ssize_t read_some(struct listtext *t, char *to, size_t most) {
    if (t->fd < 0) {
        size_t n = t->bytes.len < most ? t->bytes.len : most;
        if (n) memcpy(to, t->bytes.at, n);
        t->bytes = slice_skip(t->bytes, n);
        return (ssize_t)n;
    }
    for (;;) {
        if (t->stop && wait_for_bytes(t)) return -1;
        ssize_t n = read(t->fd, to, most);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN)) return n;
        if (errno == EAGAIN) poll(&(struct pollfd){.fd = t->fd, .events = POLLIN}, 1, LOOK_MS);
    }
}

/* What people give instead of text, and what helps. */
static const char *no_text(struct slice front) {
    static const struct {
        struct slice front;
        const char *what;
    } known[] = {
        {{"\xff\xfe", 2}, "the file is UTF-16 (Excel calls it Unicode text): save it as \"CSV UTF-8\""},
        {{"\xfe\xff", 2}, "the file is UTF-16 (Excel calls it Unicode text): save it as \"CSV UTF-8\""},
        {{"PK\x03\x04", 4}, "the file is a workbook (xlsx) or a zip archive: save it as \"CSV UTF-8\""},
        {{"\xd0\xcf\x11\xe0", 4}, "the file is a workbook (xls): save it as \"CSV UTF-8\""},
        {{"\x1f\x8b", 2}, "the file is compressed: zcat FILE | tsubame ... --to -"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_starts(front, known[i].front)) return known[i].what;
    return NULL;
}

static int begin(struct listtext *t, struct err *err) {
    struct slice front = slice_make(t->buffer, t->end);
    const char *what = no_text(front);
    t->begun = true;
    if (what) return err_set(err, ERR_INPUT, "%s", what);
    if (!slice_starts(front, SLICE("\xEF\xBB\xBF"))) return 0;
    if (t->charset == LIST_CP932)
        return err_set(err, ERR_INPUT, "the file begins with the mark of UTF-8, so it is not CP932");
    t->start = 3;
    return settle(t, LIST_UTF8, err);
}

int listtext_fill(struct listtext *t, struct err *err) {
    memmove(t->buffer, t->buffer + t->start, t->end - t->start);
    t->gone += t->start;
    t->end -= t->start;
    t->start = t->high = 0;
    size_t had = t->end;
    while (!t->eof && t->end < t->room && t->end - had < READ_AT_LEAST) {
        ssize_t n = read_some(t, t->buffer + t->end, t->room - t->end);
        if (n < 0 && errno == ECANCELED) return err_set(err, ERR_BUSY, "reading was stopped");
        if (n < 0)
            return err_errno(err, errno, "reading the list near line %llu", (unsigned long long)t->line);
        if (n == 0) t->eof = true;
        t->end += (size_t)n;
    }
    return t->begun ? 0 : begin(t, err);
}

/* ---- the charset ---- */

/* Index of the first byte beyond ASCII, or s.len. */
static size_t find_high(struct slice s) {
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t eight;
        memcpy(&eight, s.at + i, 8);
        if (eight & UINT64_C(0x8080808080808080)) break;
    }
    while (i < s.len && (unsigned char)s.at[i] < 0x80)
        i++;
    return i;
}

bool listtext_is_ascii(struct listtext *t, size_t n) {
    if (t->high < t->start + n && t->high <= t->start)
        t->high = t->start + find_high(slice_make(t->buffer + t->start, t->end - t->start));
    return t->high >= t->start + n;
}

/* Can the line be CP932, and does it look like it? A list in Latin-1 often can: its é and the letter behind
 * it make some kanji. But hardly ever is a Japanese character all that stands between Latin letters. */
static bool looks_cp932(const struct cp932 *table, struct slice line) {
    bool alone = true, seen = false, letter = false;
    while (line.len) {
        size_t n;
        uint32_t rune;
        if (cp932_next(table, line, &n, &rune) == CP932_INVALID) return false;
        bool high = (unsigned char)line.at[0] >= 0x80, was = letter;
        line = slice_skip(line, n);
        letter = !high && ascii_alpha((char)rune);
        if (!high) continue;
        seen = true;
        alone &= was || (line.len && ascii_alpha(line.at[0]));
    }
    return seen && !alone;
}

static enum list_charset judge(struct slice window, const struct cp932 *table, bool whole) {
    size_t utf8 = 0, cp932 = 0;
    struct slice line;
    while (slice_cut(&window, '\n', &line)) {
        if (!window.at && !whole && utf8 + cp932) break; /* it is cut */
        if (find_high(line) == line.len) continue;
        if (codec_utf8_valid(line))
            utf8++;
        else
            cp932 += looks_cp932(table, line);
    }
    return cp932 > utf8 ? LIST_CP932 : LIST_UTF8;
}

int listtext_decide(struct listtext *t, struct err *err) {
    bool moved = false;
    while (!t->eof && t->end - t->start <= WINDOW) {
        if (listtext_fill(t, err)) return -1;
        moved = true;
    }
    if (moved) return 0;
    const struct cp932 *table = cp932_table(NULL);
    size_t n = t->end - t->start;
    if (!table) return settle(t, LIST_UTF8, err) ? -1 : 1;
    bool whole = n <= WINDOW;
    struct slice window = slice_make(t->buffer + t->start, whole ? n : WINDOW);
    return settle(t, judge(window, table, whole), err) ? -1 : 1;
}

void listtext_show(const struct listtext *t, struct slice raw, struct buf *out) {
    while (raw.len) {
        size_t n = 1;
        uint32_t rune;
        bool good = raw.at[0] != 0;
        if ((unsigned char)raw.at[0] < 0x80) {
            if (good) buf_put_c(out, raw.at[0]);
        } else if (t->charset == LIST_CP932) {
            size_t bad;
            good = cp932_next(t->cp932, raw, &n, &rune) == CP932_CHAR;
            if (good) cp932_decode(t->cp932, slice_make(raw.at, n), out, &bad);
        } else {
            good = (n = codec_utf8_next(raw)) > 0;
            if (good) buf_put(out, raw.at, n);
            if (!good) n = 1;
        }
        for (size_t i = 0; !good && i < n; i++)
            buf_printf(out, "\\x%02X", (unsigned char)raw.at[i]);
        raw = slice_skip(raw, n);
    }
}
