#include "html_lines.h"

#include "codec.h"
#include "html_text.h"

enum {
    NO_BREAK = 0xA0,
    ZWNJ = 0x200C,
    ZWJ = 0x200D,
    WIDE_SPACE = 0x3000,
    OPEN = 0xE000,
    CLOSE = 0xE001,
    WIDE_MAX = 4,
    TOKEN_DIGITS = 9
};

void lines_begin(struct lines *l, struct buf *out) {
    *l = (struct lines){.out = out};
}

/* Characters that are written without blanks between words. */
static bool is_wide(uint32_t c) {
    return (c >= 0x2E80 && c <= 0x312F) || (c >= 0x31A0 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0xFE30 && c <= 0xFE4F) || (c >= 0xFF00 && c <= 0xFFE6) || (c >= 0x20000 && c <= 0x3FFFF);
}

static bool is_space(uint32_t c) {
    return c == NO_BREAK || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F ||
           c == 0x2028 || c == 0x2029 || c == 0x85;
}

/* Without ink and without width; also controls. */
static bool is_nothing(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0xAD || c == 0x34F || c == 0x180E || c == 0x200B ||
           (c >= 0x2060 && c <= 0x2064) || c == 0xFEFF || c == OPEN || c == CLOSE;
}

/* One line break; a line left free has what quotations have before it. */
static void put_newline(struct lines *l) {
    size_t n = 0;
    if (!l->now.open)
        for (size_t i = 0; i < l->low; i++)
            if (l->prefix[i].quote) n = i + 1;
    for (size_t i = 0; i < n; i++)
        buf_put_c(l->out, l->prefix[i].quote ? l->prefix[i].c : ' ');
    buf_put_c(l->out, '\n');
    l->now.open = false;
    l->now.newlines++;
}

/* What was held back comes out. */
static void put_breaks(struct lines *l) {
    if (l->begun && l->now.breaks) {
        if (l->now.newlines == 0 && !l->now.open)
            l->now.open = true; /* behind a mark: the line has something */
        while (l->now.newlines < l->now.breaks)
            put_newline(l);
        l->now.gap = GAP_NONE;
    }
    l->now.breaks = 0;
}

static void open_line(struct lines *l) {
    for (size_t i = 0; i < l->prefix_len; i++) {
        buf_put_c(l->out, l->prefix[i].c);
        if (l->prefix[i].once) l->prefix[i].c = ' ', l->prefix[i].once = false;
    }
    l->now.open = true;
    l->now.gap = GAP_NONE;
}

/* All that comes before a word which begins with `next`. */
static void before_word(struct lines *l, uint32_t next) {
    put_breaks(l);
    if (!l->now.open) open_line(l);
    bool joined = l->now.gap == GAP_BREAK && is_wide(l->now.last) && is_wide(next);
    if (l->now.wide)
        for (unsigned i = 0; i < l->now.wide; i++)
            buf_put_text(l->out, "\xE3\x80\x80");
    else if (l->now.gap && !joined && l->now.last != ' ')
        buf_put_c(l->out, ' ');
    else if (l->joiner && !l->now.gap && l->now.last)
        buf_put_text(l->out, l->joiner == ZWJ ? "\xE2\x80\x8D" : "\xE2\x80\x8C");
    l->joiner = 0;
    l->now.gap = GAP_NONE;
    l->now.wide = 0;
    l->now.newlines = 0;
    l->now.last = next;
    l->low = l->prefix_len;
    l->begun = true;
}

static void want_gap(struct lines *l, enum lines_gap gap) {
    l->joiner = 0;
    if (l->now.gap < gap) l->now.gap = gap;
}

void lines_blank(struct lines *l) {
    want_gap(l, GAP_SPACE);
}

void lines_break(struct lines *l, unsigned count) {
    l->joiner = 0;
    if (l->flat) {
        want_gap(l, GAP_SPACE);
        return;
    }
    if (l->now.breaks < count) l->now.breaks = count;
    l->now.wide = 0;
}

void lines_newline(struct lines *l) {
    l->joiner = 0;
    l->now.wide = 0;
    if (l->flat) {
        want_gap(l, GAP_SPACE);
    } else if (l->now.open && l->now.breaks == 0) {
        put_newline(l);
        l->now.newlines = 1;
        l->now.gap = GAP_NONE;
    } else {
        unsigned more = (l->now.breaks > l->now.newlines ? l->now.breaks : l->now.newlines) + 1;
        l->now.breaks = more > 2 ? 2 : more;
    }
}

/* In preformatted text: as many as there are. */
static void pre_newline(struct lines *l) {
    put_breaks(l);
    if (l->begun) put_newline(l);
}

/* The digits between the two characters, or 0 bytes when it is no token. */
static size_t token_bytes(struct slice text) {
    size_t n = 3;
    while (n < text.len && ascii_digit(text.at[n]))
        n++;
    bool closed = slice_starts(slice_skip(text, n), SLICE(HTML_TOKEN_CLOSE));
    return n > 3 && n <= 3 + TOKEN_DIGITS && closed ? n + 3 : 0;
}

static uint32_t decode(struct slice text, size_t *bytes) {
    const unsigned char *s = (const unsigned char *)text.at;
    *bytes = codec_utf8_next(text);
    if (*bytes <= 1) {
        *bytes = 1;
        return s[0] < 0x80 ? s[0] : 0;
    }
    uint32_t code = s[0] & (0x7Fu >> *bytes);
    for (size_t i = 1; i < *bytes; i++)
        code = code << 6 | (s[i] & 0x3Fu);
    return code;
}

static void put_character(struct lines *l, struct slice text, uint32_t c, bool pre) {
    if (pre && (c == ' ' || c == '\t')) {
        before_word(l, c);
        buf_put_c(l->out, (char)c);
    } else if (c == ' ' || c == '\t' || c == '\f' || (c == '\r' && !pre)) {
        want_gap(l, GAP_SPACE);
    } else if (c == '\n') {
        if (pre && !l->flat)
            pre_newline(l);
        else
            want_gap(l, GAP_BREAK);
    } else if (is_space(c)) {
        want_gap(l, GAP_HARD);
    } else if (c == WIDE_SPACE) {
        l->joiner = 0;
        if (l->now.wide < WIDE_MAX) l->now.wide++;
    } else if (c == ZWNJ || c == ZWJ) {
        bool inside = l->now.open && l->now.breaks == 0 && l->now.gap == GAP_NONE && l->now.wide == 0;
        l->joiner = inside && l->joiner == 0 ? c : 0;
    } else if (!is_nothing(c)) {
        before_word(l, c);
        buf_put_slice(l->out, text);
    }
}

void lines_text(struct lines *l, struct slice text, bool pre) {
    while (text.len && !l->out->failed) {
        size_t bytes;
        uint32_t c = decode(text, &bytes);
        size_t token = c == OPEN ? token_bytes(text) : 0;
        if (token) {
            bytes = token;
            before_word(l, OPEN);
            buf_put(l->out, text.at, bytes);
        } else {
            put_character(l, slice_make(text.at, bytes), c, pre);
        }
        text = slice_skip(text, bytes);
    }
}

static void put_number(struct lines *l, uint32_t number) {
    buf_put_text(l->out, HTML_TOKEN_OPEN);
    buf_put_u64(l->out, number);
    buf_put_text(l->out, HTML_TOKEN_CLOSE);
    l->begun = true;
}

/* A wanted blank stands before a mark: that it is there too often does no harm. */
static void put_gap(struct lines *l) {
    if (l->now.breaks || !l->now.open) return;
    if (!l->now.gap) return;
    buf_put_c(l->out, ' ');
    l->now.gap = GAP_NONE;
    l->now.last = ' ';
}

/* Two ways to come to one place: what is needed after either. */
static struct lines_place merge(struct lines_place a, struct lines_place b) {
    if (b.breaks > a.breaks) a.breaks = b.breaks;
    if (b.newlines < a.newlines) a.newlines = b.newlines;
    if (b.gap > a.gap) a.gap = b.gap;
    if (b.last != ' ') a.last = b.last;
    a.open |= b.open;
    return a;
}

static void open_block(struct lines *l, bool block_next) {
    bool blank = !l->now.open || l->now.breaks || l->now.gap;
    if (!block_next)
        before_word(l, blank ? ' ' : l->now.last); /* the line begins whether or not the block is there */
    else
        put_gap(l);
    if (l->depth++ >= LINES_BLOCKS) return;
    l->blocks[l->depth - 1].start = l->blocks[l->depth - 1].merged = l->now;
    l->blocks[l->depth - 1].inside = block_next;
}

/* A branch ends. What it began on the line of others it also ends there. */
static void end_branch(struct lines *l) {
    put_gap(l);
    if (l->depth == 0 || l->depth > LINES_BLOCKS) return;
    if (!l->blocks[l->depth - 1].inside) put_breaks(l);
    l->blocks[l->depth - 1].merged = merge(l->blocks[l->depth - 1].merged, l->now);
}

void lines_token(struct lines *l, uint32_t number, enum lines_token kind, bool block_next) {
    bool known = l->depth && l->depth <= LINES_BLOCKS;
    l->joiner = 0;
    switch (kind) {
    case LINES_VALUE: before_word(l, OPEN); break;
    case LINES_OPEN: open_block(l, block_next); break;
    case LINES_ELSE:
        end_branch(l);
        if (known) l->now = l->blocks[l->depth - 1].start;
        break;
    case LINES_CLOSE:
        end_branch(l);
        if (known) l->now = l->blocks[l->depth - 1].merged;
        if (l->depth) l->depth--;
        break;
    }
    put_number(l, number);
}

void lines_append(struct lines *l, struct slice s) {
    struct lines_place wanted = l->now;
    if (l->now.open) l->now.breaks = 0;
    l->now.gap = GAP_SPACE;
    l->now.wide = 0;
    lines_text(l, s, false);
    if (!wanted.open) return;
    l->now.breaks = wanted.breaks;
    l->now.gap = wanted.gap;
    l->now.wide = wanted.wide;
}

size_t lines_push(struct lines *l, struct slice text, bool once) {
    size_t mark = l->prefix_len;
    if (text.len > LINES_PREFIX - mark) return mark;
    for (size_t i = 0; i < text.len; i++) {
        l->prefix[l->prefix_len].c = text.at[i];
        l->prefix[l->prefix_len].once = once;
        l->prefix[l->prefix_len++].quote = text.at[i] == '>';
    }
    return mark;
}

void lines_pop(struct lines *l, size_t mark) {
    l->prefix_len = mark;
    if (l->low > mark) l->low = mark;
}

void lines_end(struct lines *l) {
    if (l->now.open) buf_put_c(l->out, '\n');
    l->now.open = false;
}
