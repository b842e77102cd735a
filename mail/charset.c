/* UTF-8 to ISO-2022-JP. The tables are made at build time by charset_table.py. */
#include "charset.h"

#include "codec.h"

/* A substitute: where it lies in near_text. */
struct near {
    uint32_t code;
    uint16_t at;
    uint8_t len;
};

/* A kana, and the ones that it becomes with the voiced and the half-voiced sound mark, or 0; also in UTF-8.
 */
struct voiced {
    uint16_t code, with, half;
    char with_text[4], half_text[4];
};

#include "charset_table.inc"

enum {
    UNIT_MAX = 8, /* characters of a substitute */
    ESC = 0x1B,
    SHIFT_OUT = 0x0E,
    SHIFT_IN = 0x0F,
    REPLACEMENT = 0xFFFD
};

/* One character as ISO-2022-JP has it. */
struct unit {
    size_t bytes; /* of the UTF-8 that it was */
    uint32_t code;
    bool fits; /* else jis has its substitute, if `replaced` */
    bool replaced;
    struct slice near;
    uint16_t jis[UNIT_MAX]; /* ASCII, or two bytes in one number */
    unsigned count;
};

const char *charset_name(enum charset c) {
    return c == CHARSET_UTF8 ? "utf-8" : "iso-2022-jp";
}

/* The well-formed character in front; bytes is set to 0 where there is none. */
static uint32_t decode(struct slice text, size_t *bytes) {
    const unsigned char *s = (const unsigned char *)text.at;
    *bytes = codec_utf8_next(text);
    switch (*bytes) {
    case 1: return s[0];
    case 2: return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    case 3: return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    case 4: return (s[0] & 7u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
    default: return REPLACEMENT;
    }
}

/* ASCII as it is, JIS X 0208 as two bytes in one number, else 0. ESC, SO and SI switch sets: they are none.
 */
static uint16_t jis_of(uint32_t code) {
    if (code < 0x80) return code == ESC || code == SHIFT_OUT || code == SHIFT_IN ? 0 : (uint16_t)code;
    return code > 0xFFFF ? 0 : jis_codes[jis_page[code >> 8] << 8 | (code & 255)];
}

static const struct near *near_of(uint32_t code) {
    size_t low = 0, high = sizeof near_list / sizeof *near_list;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (near_list[middle].code == code) return &near_list[middle];
        if (near_list[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const struct voiced *voiced_of(uint32_t code) {
    for (size_t i = 0; i < sizeof voiced_list / sizeof *voiced_list; i++)
        if (voiced_list[i].code == code) return &voiced_list[i];
    return NULL;
}

/* A kana and the sound mark behind it as one character: of full width (U+3099, U+309A) or half width. */
static void compose(struct slice rest, struct unit *u) {
    size_t bytes;
    uint32_t mark = decode(rest, &bytes);
    bool voice = mark == 0x3099 || mark == 0xFF9E, half = mark == 0x309A || mark == 0xFF9F;
    if (!voice && !half) return;
    uint32_t base = u->code;
    if (!u->fits && u->replaced) {
        size_t whole;
        base = decode(u->near, &whole);
        if (whole != u->near.len) return;
    }
    const struct voiced *v = voiced_of(base);
    uint32_t code = !v ? 0 : voice ? v->with : v->half;
    if (code == 0) return;
    *u = (struct unit){.bytes = u->bytes + bytes,
                       .code = u->code,
                       .fits = u->fits && mark < 0xFF00,
                       .replaced = true,
                       .count = 1};
    u->jis[0] = jis_of(code);
    if (u->fits)
        u->code = code;
    else
        u->near = slice_of(voice ? v->with_text : v->half_text);
}

/* The character in front of a text that is not empty. bytes is at least 1. */
static struct unit unit_of(struct slice text) {
    struct unit u = {.bytes = 0};
    u.code = decode(text, &u.bytes);
    if (u.bytes == 0) {
        u.bytes = 1;
        return u;
    }
    u.jis[0] = jis_of(u.code);
    u.fits = u.jis[0] || u.code == 0;
    u.count = u.fits;
    if (u.code < 0x80 && u.fits) return u;
    const struct near *n = u.fits ? NULL : near_of(u.code);
    if (n) {
        u.replaced = true;
        u.near = slice_make(near_text + n->at, n->len);
        for (size_t at = 0, bytes; at < n->len; at += bytes)
            u.jis[u.count++] = jis_of(decode(slice_skip(u.near, at), &bytes));
    }
    if (text.len > u.bytes) compose(slice_skip(text, u.bytes), &u);
    return u;
}

static bool taken(const struct unit *u, enum charset c) {
    return u->fits || (u->replaced && c == CHARSET_JIS_NEAR);
}

static void note(struct charset_misfits *out, const struct unit *u, struct charset_misfit place) {
    for (size_t i = 0; i < out->count; i++) {
        bool same = out->at[i].code == u->code && slice_eq(out->at[i].near, u->near);
        if (same) {
            out->at[i].count++;
            return;
        }
    }
    if (out->count == CHARSET_MISFITS) {
        out->more = true;
        return;
    }
    place.code = u->code, place.count = 1;
    place.replaced = u->replaced, place.near = u->near;
    out->at[out->count++] = place;
}

/* Goes on behind a character: what counts lines and columns. CR LF is one line break. */
static void step(struct charset_misfit *place, struct slice text, const struct unit *u) {
    bool pair = u->code == '\r' && text.len > 1 && text.at[1] == '\n';
    place->offset += u->bytes;
    if ((u->code == '\r' && !pair) || u->code == '\n')
        place->line++, place->column = 1;
    else
        place->column++;
}

void charset_check(struct slice text, struct charset_misfits *out) {
    struct charset_misfit place = {.line = 1, .column = 1};
    out->count = 0, out->more = false;
    while (place.offset < text.len) {
        struct slice rest = slice_skip(text, place.offset);
        struct unit u = unit_of(rest);
        if (!u.fits) note(out, &u, place);
        step(&place, rest, &u);
    }
}

/* The error of the character at offset. */
static int complain(struct slice text, size_t offset, enum charset c, struct err *err) {
    struct charset_misfit place = {.line = 1, .column = 1};
    struct unit u = unit_of(text);
    while (place.offset < offset) {
        step(&place, slice_skip(text, place.offset), &u);
        u = unit_of(slice_skip(text, place.offset));
    }
    if (codec_utf8_next(slice_skip(text, offset)) == 0)
        return err_set(err, ERR_INPUT, "line %u, character %u: this is not UTF-8", place.line, place.column);
    return err_set(err, ERR_INPUT, "line %u, character %u: %s can't carry U+%04X (%.*s)%s", place.line,
                   place.column, charset_name(c), u.code, (int)u.bytes, text.at + offset,
                   u.replaced ? ", but it has a substitute" : "");
}

/* Bytes that the unit adds, with the escape before it; *wide is the state. */
static size_t unit_length(const struct unit *u, bool *wide) {
    size_t n = 0;
    for (unsigned i = 0; i < u->count; i++) {
        bool two = u->jis[i] > 0xFF;
        n += (two != *wide ? 3u : 0u) + (two ? 2u : 1u);
        *wide = two;
    }
    return n;
}

static void put_unit(struct buf *out, const struct unit *u, bool *wide) {
    for (unsigned i = 0; i < u->count; i++) {
        bool two = u->jis[i] > 0xFF;
        char bytes[2] = {(char)(u->jis[i] >> 8), (char)u->jis[i]};
        if (two != *wide) buf_put(out, two ? "\x1b$B" : "\x1b(B", 3);
        buf_put(out, two ? bytes : bytes + 1, two ? 2 : 1);
        *wide = two;
    }
}

static int put_utf8(struct buf *out, struct slice text, struct err *err) {
    size_t at = 0, n;
    while (at < text.len && (n = codec_utf8_next(slice_skip(text, at))))
        at += n;
    buf_put(out, text.at, at);
    return at == text.len ? 0 : complain(text, at, CHARSET_UTF8, err);
}

int charset_put(struct buf *out, struct slice text, enum charset c, struct err *err) {
    bool wide = false;
    size_t at = 0;
    if (c == CHARSET_UTF8) return put_utf8(out, text, err);
    while (at < text.len) {
        struct unit u = unit_of(slice_skip(text, at));
        if (!taken(&u, c)) break;
        put_unit(out, &u, &wide);
        at += u.bytes;
    }
    if (wide) buf_put(out, "\x1b(B", 3);
    return at == text.len ? 0 : complain(text, at, c, err);
}

bool charset_fits(struct slice text, enum charset c) {
    if (c == CHARSET_UTF8) return codec_utf8_valid(text);
    for (size_t at = 0; at < text.len;) {
        struct unit u = unit_of(slice_skip(text, at));
        if (!taken(&u, c)) return false;
        at += u.bytes;
    }
    return true;
}

struct slice charset_fitting(struct slice text, enum charset c, size_t room) {
    size_t at = 0, used = 0;
    bool wide = false;
    while (at < text.len) {
        struct unit u = {.bytes = codec_utf8_next(slice_skip(text, at))};
        if (u.bytes == 0) u.bytes = 1;
        if (c == CHARSET_UTF8) {
            used += u.bytes;
        } else {
            u = unit_of(slice_skip(text, at));
            used += taken(&u, c) ? unit_length(&u, &wide) : 1;
        }
        if (at && used + (wide ? 3 : 0) > room) break;
        at += u.bytes;
    }
    return slice_make(text.at, at);
}
