/* Header fields: written safely and folded, read one by one. */
#include "header.h"

#include "codec.h"
#include "visible.h"

enum {
    LINE = 78,       /* RFC 5322 section 2.1.1: should not be longer */
    TOKEN_MAX = 900, /* and must not be longer than 998 */
    WORD_LINE = 76,  /* RFC 2047 section 2: of a line that holds an encoded word */
    WORD_MAX = 75,   /* of an encoded word itself */
    WORD_FRAME = 7,  /* of it, without the name of the character set: =??Q??= */
    WORD_WORTH = 16, /* do not begin an encoded word with less room for its text */
    JIS_WORTH = 32,  /* the same: a substitute may be of eight characters, between two escapes */
    QUOTED_MAX = 64, /* longer display names are encoded, which can be folded */
    FIELD_NAME_MAX = 64,
    DISPLAY_MAX = 1 << 20 /* as much as a renderer's header may have */
};

/* Where we are in the field under way. */
struct writer {
    struct buf *out;
    size_t column;
};

static void put(struct writer *w, struct slice s) {
    buf_put_slice(w->out, s);
    w->column += s.len;
}

static void fold(struct writer *w) {
    buf_put(w->out, "\r\n ", 3);
    w->column = 1;
}

bool header_name_valid(struct slice name) {
    if (name.len == 0 || name.len > FIELD_NAME_MAX) return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] <= ' ' || name.at[i] > '~' || name.at[i] == ':') return false;
    return true;
}

bool header_value_safe(struct slice value) {
    bool ascii = true;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (c == '\r' || c == '\n' || c == 0) return false;
        ascii &= (unsigned char)c < 0x80;
    }
    return ascii || codec_utf8_valid(value);
}

static bool printable(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < ' ' || s.at[i] > '~') return false;
    return true;
}

/* Would a reader take part of it for an encoded word? */
static bool looks_encoded(struct slice s) {
    const char *at = s.at, *end = s.at + s.len;
    while (s.len && (at = memchr(at, '=', (size_t)(end - at)))) {
        at++;
        if (at < end && *at == '?') return true;
    }
    return false;
}

/* The next word with the blanks before it; empty at the end. */
static struct slice next_word(struct slice rest) {
    size_t n = 0;
    while (n < rest.len && rest.at[n] == ' ')
        n++;
    while (n < rest.len && rest.at[n] != ' ')
        n++;
    return slice_make(rest.at, n);
}

/* Would the value arrive as it is, without encoding? */
static bool plain(struct slice value, size_t column, enum header_words words) {
    if (value.len == 0) return true;
    if (!printable(value) || value.at[0] == ' ' || value.at[value.len - 1] == ' ') return false;
    if (looks_encoded(value)) return false;
    if (column + value.len <= LINE) return true;
    size_t most = words == HEADER_TEXT ? LINE : TOKEN_MAX;
    struct slice rest = value;
    while (rest.len) {
        struct slice word = next_word(rest);
        if (column + word.len > most) return false;
        column = 0;
        rest = slice_skip(rest, word.len);
    }
    return true;
}

static void put_plain(struct writer *w, struct slice value) {
    if (w->column + value.len <= LINE) {
        put(w, value);
        return;
    }
    bool first = true;
    while (value.len) {
        struct slice word = next_word(value);
        if (!first && w->column + word.len > LINE) {
            buf_put(w->out, "\r\n", 2);
            w->column = 0;
        }
        put(w, word);
        value = slice_skip(value, word.len);
        first = false;
    }
}

/* What Q leaves as it is even inside a display name (RFC 2047 section 5 (3)). */
static bool q_literal(char c) {
    return ascii_alpha(c) || ascii_digit(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t q_length(struct slice s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += q_literal(s.at[i]) || s.at[i] == ' ' ? 1 : 3;
    return n;
}

static size_t b_length(struct slice s) {
    return (s.len + 2) / 3 * 4;
}

static void put_q(struct buf *out, struct slice s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == ' ')
            buf_put_c(out, '_');
        else if (q_literal(c))
            buf_put_c(out, c);
        else
            codec_escape(out, '=', c);
    }
}

/* As many whole characters from the front as fit into `room` once in Q; at least one. */
static struct slice fitting_q(struct slice s, size_t room) {
    size_t n = 0, used = 0;
    while (n < s.len) {
        size_t next = n + 1;
        while (next < s.len && (s.at[next] & 0xC0) == 0x80)
            next++;
        used += q_length(slice_make(s.at + n, next - n));
        if (n && used > room) break;
        n = next;
    }
    return slice_make(s.at, n);
}

/* The text in its character set, into a small buffer of its own: a word has less than 76 bytes. */
static void put_b(struct buf *out, struct slice piece, enum charset c) {
    struct buf bytes;
    buf_init(&bytes, 256);
    if (charset_put(&bytes, piece, c, NULL) || bytes.failed)
        out->failed = true;
    else
        codec_base64(out, buf_slice(&bytes), 0);
    buf_done(&bytes);
}

static size_t charset_length(struct slice piece, enum charset c) {
    if (c == CHARSET_UTF8) return piece.len;
    struct buf bytes;
    buf_init(&bytes, 256);
    size_t n = charset_put(&bytes, piece, c, NULL) ? 0 : bytes.len;
    buf_done(&bytes);
    return n;
}

/* A half-width kana and its sound mark are one character. */
static bool is_sound_mark(struct slice rest) {
    return slice_starts(rest, SLICE("\xEF\xBE\x9E")) || slice_starts(rest, SLICE("\xEF\xBE\x9F"));
}

/* The first n bytes of value, or a little less where that spares their base64 the padding: GMime 3.2 (its
 * issue 133) takes such a word for the last one and drops what follows. */
static struct slice without_padding(struct slice value, size_t n, enum charset c) {
    size_t shorter = n;
    for (int tries = 0; tries < 6 && shorter; tries++) {
        if (charset_length(slice_make(value.at, shorter), c) % 3 == 0) return slice_make(value.at, shorter);
        do
            shorter--;
        while (shorter && ((value.at[shorter] & 0xC0) == 0x80 || is_sound_mark(slice_skip(value, shorter))));
    }
    return slice_make(value.at, n);
}

/* One word from the front of *value; no longer than `room`. */
static void put_word(struct writer *w, struct slice *value, size_t room, bool q, enum charset c) {
    size_t before = w->out->len;
    struct slice piece = q ? fitting_q(*value, room) : charset_fitting(*value, c, room / 4 * 3);
    if (!q && piece.len < value->len) piece = without_padding(*value, piece.len, c);
    buf_put_text(w->out, "=?");
    buf_put_text(w->out, charset_name(c));
    buf_put_text(w->out, q ? "?Q?" : "?B?");
    if (q)
        put_q(w->out, piece);
    else
        put_b(w->out, piece, c);
    buf_put(w->out, "?=", 2);
    w->column += w->out->len - before;
    *value = slice_skip(*value, piece.len);
}

static void put_encoded(struct writer *w, struct slice value, enum charset c) {
    bool q = c == CHARSET_UTF8 && q_length(value) <= b_length(value);
    size_t frame = WORD_FRAME + strlen(charset_name(c));
    size_t worth = c == CHARSET_UTF8 ? WORD_WORTH : JIS_WORTH;
    bool first = true;
    while (value.len && !w->out->failed) {
        if (!first || w->column + frame + worth > WORD_LINE) fold(w);
        size_t room = WORD_LINE - w->column < WORD_MAX ? WORD_LINE - w->column : WORD_MAX;
        put_word(w, &value, room - frame, q, c);
        first = false;
    }
}

static struct writer begin(struct buf *out, struct slice name) {
    struct writer w = {.out = out};
    put(&w, name);
    buf_put_c(out, ':');
    w.column++;
    return w;
}

void header_put_text_in(struct buf *out, struct slice name, struct slice value, enum header_words words,
                        enum charset c) {
    if (!header_name_valid(name) || !header_value_safe(value)) {
        out->failed = true;
        return;
    }
    struct writer w = begin(out, name);
    if (value.len) put(&w, SLICE(" "));
    if (plain(value, w.column, words))
        put_plain(&w, value);
    else
        put_encoded(&w, value, c);
    buf_put(out, "\r\n", 2);
}

void header_put_text(struct buf *out, struct slice name, struct slice value, enum header_words words) {
    header_put_text_in(out, name, value, words, CHARSET_UTF8);
}

/* RFC 5322 atext, or a blank between two of them. */
static bool is_phrase(struct slice s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool blank = c == ' ' && i && s.at[i - 1] != ' ';
        if (!blank && !ascii_alpha(c) && !ascii_digit(c) && (c == 0 || !strchr("!#$%&'*+-/=?^_`{|}~", c)))
            return false;
    }
    return true;
}

static void put_quoted(struct writer *w, struct slice s) {
    buf_put_c(w->out, '"');
    for (size_t i = 0; i < s.len; i++) {
        bool escape = s.at[i] == '"' || s.at[i] == '\\';
        if (escape) buf_put_c(w->out, '\\');
        buf_put_c(w->out, s.at[i]);
        w->column += 1 + escape;
    }
    buf_put_c(w->out, '"');
    w->column += 2;
}

/* With its quotes and backslashes. */
static size_t quoted_length(struct slice s) {
    size_t n = s.len + 2;
    for (size_t i = 0; i < s.len; i++)
        n += s.at[i] == '"' || s.at[i] == '\\';
    return n;
}

/* Returns how long the line may become that it stands on. */
static size_t put_display(struct writer *w, struct slice display, enum charset c) {
    bool as_is = quoted_length(display) <= QUOTED_MAX && printable(display) &&
                 slice_find_nocase(display, SLICE("=?")) < 0;
    put(w, SLICE(" "));
    if (!as_is)
        put_encoded(w, display, c);
    else if (is_phrase(display))
        put(w, display);
    else
        put_quoted(w, display);
    return as_is ? LINE : WORD_LINE;
}

/* display has nothing that can't be seen. */
static void put_mailbox(struct buf *out, struct slice name, struct slice display, struct slice address,
                        enum charset c) {
    display = slice_trim(display);
    struct writer w = begin(out, name);
    size_t brackets = display.len ? 2 : 0;
    size_t line = display.len ? put_display(&w, display, c) : LINE;
    if (w.column + 1 + address.len + brackets > line)
        fold(&w);
    else
        put(&w, SLICE(" "));
    if (brackets) buf_put_c(out, '<');
    put(&w, address);
    if (brackets) buf_put_c(out, '>');
    buf_put(out, "\r\n", 2);
}

void header_put_mailbox_in(struct buf *out, struct slice name, struct slice display, struct slice address,
                           enum charset c) {
    if (!header_name_valid(name) || !header_value_safe(display) || !header_value_safe(address)) {
        out->failed = true;
        return;
    }
    if (visible_all(display)) {
        put_mailbox(out, name, display, address, c);
        return;
    }
    struct buf seen;
    buf_init(&seen, DISPLAY_MAX);
    visible_put(&seen, display);
    if (seen.failed)
        out->failed = true;
    else
        put_mailbox(out, name, buf_slice(&seen), address, c);
    buf_done(&seen);
}

void header_put_mailbox(struct buf *out, struct slice name, struct slice display, struct slice address) {
    header_put_mailbox_in(out, name, display, address, CHARSET_UTF8);
}

/* Index behind the CRLF that ends the field which starts at s.at, folded lines included; 0 without one. */
static size_t field_end(struct slice s) {
    size_t i = 0;
    while (i < s.len) {
        const char *lf = memchr(s.at + i, '\n', s.len - i);
        if (!lf) return 0;
        i = (size_t)(lf - s.at) + 1;
        if (i < 2 || s.at[i - 2] != '\r') continue;
        if (i == s.len || !ascii_space(s.at[i])) return i;
    }
    return 0;
}

bool header_next(struct slice *rest, struct header_field *field) {
    if (slice_starts(*rest, SLICE("\r\n"))) {
        *rest = slice_skip(*rest, 2);
        return false;
    }
    size_t end = field_end(*rest);
    ptrdiff_t colon = end ? slice_find(slice_make(rest->at, end), ':') : -1;
    if (colon <= 0) return false;
    struct slice name = slice_make(rest->at, (size_t)colon);
    while (name.len && ascii_space(name.at[name.len - 1]))
        name.len--;
    if (!header_name_valid(name)) return false;
    field->name = name;
    field->value = slice_make(rest->at + colon + 1, end - 2 - ((size_t)colon + 1));
    field->whole = slice_make(rest->at, end);
    *rest = slice_skip(*rest, end);
    return true;
}
