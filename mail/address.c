/* Envelope addresses. Nearly all that come (ten million rows of a list) are plain: one pass checks and copies
 * them. Whatever that pass does not take goes the long way, which also knows what to say about it. */
#include "address.h"

#include "codec.h"
#include "hash.h"
#include "idn.h"
#include "unicode.h"

enum { LABEL_MAX = 63 };

/* What a byte may be part of. */
enum { ATEXT = 1, LDH = 2, DIGIT = 4 };

enum { LETTER = ATEXT | LDH, NUMBER = ATEXT | LDH | DIGIT };

/* clang-format off */
static const uint8_t classes[256] = {
    ['!'] = ATEXT, ['#'] = ATEXT, ['$'] = ATEXT, ['%'] = ATEXT, ['&'] = ATEXT, ['\''] = ATEXT, ['*'] = ATEXT,
    ['+'] = ATEXT, ['/'] = ATEXT, ['='] = ATEXT, ['?'] = ATEXT, ['^'] = ATEXT, ['_'] = ATEXT, ['`'] = ATEXT,
    ['{'] = ATEXT, ['|'] = ATEXT, ['}'] = ATEXT, ['~'] = ATEXT, ['-'] = LETTER,
    ['0'] = NUMBER, ['1'] = NUMBER, ['2'] = NUMBER, ['3'] = NUMBER, ['4'] = NUMBER,
    ['5'] = NUMBER, ['6'] = NUMBER, ['7'] = NUMBER, ['8'] = NUMBER, ['9'] = NUMBER,
    ['a'] = LETTER, ['b'] = LETTER, ['c'] = LETTER, ['d'] = LETTER, ['e'] = LETTER, ['f'] = LETTER, ['g'] = LETTER,
    ['h'] = LETTER, ['i'] = LETTER, ['j'] = LETTER, ['k'] = LETTER, ['l'] = LETTER, ['m'] = LETTER, ['n'] = LETTER,
    ['o'] = LETTER, ['p'] = LETTER, ['q'] = LETTER, ['r'] = LETTER, ['s'] = LETTER, ['t'] = LETTER, ['u'] = LETTER,
    ['v'] = LETTER, ['w'] = LETTER, ['x'] = LETTER, ['y'] = LETTER, ['z'] = LETTER,
    ['A'] = LETTER, ['B'] = LETTER, ['C'] = LETTER, ['D'] = LETTER, ['E'] = LETTER, ['F'] = LETTER, ['G'] = LETTER,
    ['H'] = LETTER, ['I'] = LETTER, ['J'] = LETTER, ['K'] = LETTER, ['L'] = LETTER, ['M'] = LETTER, ['N'] = LETTER,
    ['O'] = LETTER, ['P'] = LETTER, ['Q'] = LETTER, ['R'] = LETTER, ['S'] = LETTER, ['T'] = LETTER, ['U'] = LETTER,
    ['V'] = LETTER, ['W'] = LETTER, ['X'] = LETTER, ['Y'] = LETTER, ['Z'] = LETTER,
};
/* clang-format on */

static bool is(char c, uint8_t class) {
    return (classes[(unsigned char)c] & class) != 0;
}

static bool beyond_ascii(char c) {
    return (unsigned char)c >= 0x80;
}

/* Japanese carriers that gave out local parts that are no dot-atom ("a..b", "ab."), and still deliver to
 * them. */
static const struct slice dotty_carriers[] = {
    {"docomo.ne.jp", 12},
    {"ezweb.ne.jp", 11},
};

/* The domain lowered into out (its length is in.len), or why not and at which byte (from 0) in *place. */
static const char *lower_domain(struct slice in, char *out, size_t *place) {
    size_t label = 0, dots = 0;
    bool digits = true;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        *place = i;
        if (c == '.') {
            if (i == label) return "an empty label in the domain";
            if (in.at[i - 1] == '-') return "a domain label ends with a hyphen";
            label = i + 1;
            digits = true;
            dots++;
        } else {
            if (!is(c, LDH)) return "a character that a domain can't have";
            if (c == '-' && i == label) return "a domain label starts with a hyphen";
            if (i - label == LABEL_MAX) return "a domain label longer than 63 bytes";
            digits &= is(c, DIGIT);
        }
        out[i] = ascii_lower(c);
    }
    *place = in.len ? in.len - 1 : 0;
    if (in.len == 0) return "the domain is missing";
    if (label == in.len) return "a dot at the end of the domain";
    if (in.at[in.len - 1] == '-') return "a domain label ends with a hyphen";
    if (dots == 0) return "the domain has no dot";
    if (digits) return "an IP address is no domain";
    return NULL;
}

/* Is it dots and atext, not beginning or ending with a dot, without two in a row? */
static bool dot_atom(struct slice s) {
    bool dot = true;
    for (size_t i = 0; i < s.len; i++) {
        bool was = dot;
        dot = s.at[i] == '.';
        if (dot ? was : !is(s.at[i], ATEXT)) return false;
    }
    return !dot;
}

/* The same where bytes beyond ASCII are as good as letters (RFC 6531 section 3.3). */
static bool utf8_dot_atom(struct slice s) {
    bool dot = true;
    for (size_t i = 0; i < s.len; i++) {
        bool was = dot;
        dot = s.at[i] == '.';
        if (dot ? was : !is(s.at[i], ATEXT) && !beyond_ascii(s.at[i])) return false;
    }
    return !dot;
}

/* The domain lowered into out, when there is nothing to say about it; false leaves that to lower_domain. */
static bool lower_plain_domain(struct slice in, char *out) {
    size_t label = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        out[i] = ascii_lower(c);
        if (is(c, LDH)) continue;
        if (c != '.' || i - label - 1 >= LABEL_MAX || in.at[label] == '-' || in.at[i - 1] == '-')
            return false;
        label = i + 1;
    }
    return label && in.len - label - 1 < LABEL_MAX && ascii_alpha(in.at[label]) && in.at[in.len - 1] != '-';
}

static void settle(struct address *out, const char *text, size_t local, size_t domain) {
    out->utf8 = false;
    out->text = slice_make(text, local + 1 + domain);
    out->local = slice_make(text, local);
    out->domain = slice_make(text + local + 1, domain);
}

/* Plain ASCII that is right already, but for the case of the domain. */
static bool parse_plain(struct slice text, struct arena *arena, struct address *out) {
    if (text.len > ADDRESS_MAX) return false;
    ptrdiff_t at = slice_find(text, '@');
    if (at <= 0 || at > ADDRESS_LOCAL_MAX) return false;
    struct slice local = slice_make(text.at, (size_t)at);
    if (!dot_atom(local)) return false;
    char *to = arena_alloc(arena, text.len);
    if (!to || !lower_plain_domain(slice_skip(text, local.len + 1), to + local.len + 1)) return false;
    memcpy(to, text.at, local.len + 1);
    settle(out, to, local.len, text.len - local.len - 1);
    return true;
}

/* Bytes that never stand in an address, quoted or not: what is wrong with c, or NULL. */
static const char *never(char c) {
    if (c == '\r' || c == '\n') return "a line break";
    if (c == 0) return "a NUL";
    if (c == ' ' || c == '\t') return "a blank";
    if (c == '<' || c == '>') return "an angle bracket";
    if ((unsigned char)c < ' ' || c == 0x7f) return "a control character";
    return NULL;
}

static int complain(struct err *err, size_t index, const char *what) {
    return err_set(err, ERR_INPUT, "byte %zu: %s", index + 1, what);
}

/* The quoted string at the front of text without quotes and backslashes into raw; returns the bytes it takes,
 * or 0 with err. */
static size_t unquote(struct slice text, char raw[ADDRESS_LOCAL_MAX], size_t *raw_len, struct err *err) {
    size_t n = 0;
    for (size_t i = 1; i < text.len; i++) {
        char c = text.at[i];
        if (c == '"') {
            *raw_len = n;
            return i + 1;
        }
        if (c == '\\' && ++i < text.len) c = text.at[i];
        if (n == ADDRESS_LOCAL_MAX) {
            complain(err, i, "the local part is longer than 64 bytes");
            return 0;
        }
        raw[n++] = c;
    }
    complain(err, 0, "the quote is not closed");
    return 0;
}

static bool carrier_allows(struct slice domain, struct slice local) {
    bool carrier = false;
    for (size_t i = 0; i < sizeof dotty_carriers / sizeof *dotty_carriers; i++)
        carrier |= slice_eq(domain, dotty_carriers[i]);
    if (!carrier || local.len == 0 || local.at[0] == '.') return false;
    for (size_t i = 0; i < local.len; i++)
        if (local.at[i] != '.' && !is(local.at[i], ATEXT)) return false;
    return true;
}

/* What is wrong with an unquoted local part that is no dot-atom. */
static int complain_local(struct slice local, struct err *err) {
    if (local.len == 0) return complain(err, 0, "the local part is missing");
    for (size_t i = 0; i < local.len; i++) {
        bool dot = local.at[i] == '.';
        if (!dot && !is(local.at[i], ATEXT) && !beyond_ascii(local.at[i]))
            return complain(err, i, "a character that needs quotes in the local part");
        if (dot && (i == 0 || i + 1 == local.len || local.at[i - 1] == '.'))
            return complain(err, i, "a dot at the beginning or end of the local part, or two in a row");
    }
    return complain(err, 0, "the local part is not valid");
}

/* Where the long way has got to. */
struct long_way {
    char raw[ADDRESS_LOCAL_MAX]; /* the local part's meaning */
    size_t raw_len;
    bool quoted, utf8;
    char domain[IDN_DOMAIN_MAX + 1];
    size_t domain_len;
};

/* A local part outside ASCII: checked as it was given, and made one with its other spellings. */
static int take_utf8(struct slice given, struct long_way *w, struct err *err) {
    char normal[ADDRESS_LOCAL_MAX];
    size_t at;
    const char *unfit = unicode_unfit(given, &at);
    if (unfit) return err_set(err, ERR_INPUT, "byte %zu: %s in the local part", at + 1, unfit);
    int n = unicode_nfc(slice_make(w->raw, w->raw_len), normal, sizeof normal);
    if (n < 0) return complain(err, 0, "the local part is longer than 64 bytes");
    memcpy(w->raw, normal, (size_t)n);
    w->raw_len = (size_t)n;
    return 0;
}

/* First half: splits off the local part; *after is the index behind its '@'. */
static int take_local(struct slice text, struct long_way *w, size_t *after, struct err *err) {
    w->quoted = text.at[0] == '"';
    if (w->quoted) {
        size_t end = unquote(text, w->raw, &w->raw_len, err);
        if (end == 0) return -1;
        if (end == text.len || text.at[end] != '@')
            return complain(err, end < text.len ? end : end - 1, "@ is missing behind the closing quote");
        *after = end + 1;
    } else {
        ptrdiff_t at = slice_find(text, '@');
        if (at < 0) {
            ptrdiff_t wide = slice_find_nocase(text, SLICE("\xEF\xBC\xA0"));
            return wide >= 0 ? complain(err, (size_t)wide, "a full-width @ where a plain one belongs")
                             : complain(err, text.len - 1, "@ is missing");
        }
        if (at > ADDRESS_LOCAL_MAX)
            return complain(err, ADDRESS_LOCAL_MAX, "the local part is longer than 64 bytes");
        memcpy(w->raw, text.at, (size_t)at);
        w->raw_len = (size_t)at;
        *after = (size_t)at + 1;
    }
    for (size_t i = 0; i < w->raw_len; i++)
        w->utf8 |= beyond_ascii(w->raw[i]);
    return w->utf8 ? take_utf8(slice_make(text.at, *after - 1), w, err) : 0;
}

/* Second half: text from `from` on is the domain. */
static int take_domain(struct slice text, size_t from, struct long_way *w, struct err *err) {
    struct slice domain = slice_skip(text, from);
    if (domain.len && domain.at[0] == '[') return complain(err, from, "address literals are not accepted");
    ptrdiff_t second = slice_find(domain, '@');
    if (second >= 0) return complain(err, from + (size_t)second, "a second @");
    if (domain.len > IDN_DOMAIN_MAX) return complain(err, from, "the domain is too long");
    bool ascii = true;
    for (size_t i = 0; i < domain.len; i++)
        ascii &= (unsigned char)domain.at[i] < 0x80;
    char name[IDN_DOMAIN_MAX + 1];
    size_t place;
    const char *why;
    if (ascii) {
        w->domain_len = domain.len;
        why = lower_domain(domain, w->domain, &place);
        return why ? complain(err, from + place, why) : 0;
    }
    int n = codec_utf8_valid(domain) ? idn_to_ascii(domain, name, &why) : (why = "it is not UTF-8", -1);
    if (n >= 0) why = lower_domain(slice_make(name, (size_t)n), w->domain, &place);
    if (n >= 0 && why == NULL) {
        w->domain_len = (size_t)n;
        return 0;
    }
    return err_set(err, ERR_INPUT, "byte %zu: not an international domain name: %s", from + 1, why);
}

/* The canonical text of both halves. */
static int put_together(const struct long_way *w, bool quotes, struct arena *arena, struct address *out,
                        struct err *err) {
    char local[2 * ADDRESS_LOCAL_MAX + 2];
    size_t n = 0;
    if (quotes) local[n++] = '"';
    for (size_t i = 0; i < w->raw_len; i++) {
        if (quotes && (w->raw[i] == '"' || w->raw[i] == '\\')) local[n++] = '\\';
        local[n++] = w->raw[i];
    }
    if (quotes) local[n++] = '"';
    if (n > ADDRESS_LOCAL_MAX) return complain(err, 0, "the local part is longer than 64 bytes");
    if (n + 1 + w->domain_len > ADDRESS_MAX) return complain(err, 0, "longer than 254 bytes");
    char *to = arena_alloc(arena, n + 1 + w->domain_len);
    if (!to) return err_set(err, ERR_SYSTEM, "no memory for an address");
    memcpy(to, local, n);
    to[n] = '@';
    memcpy(to + n + 1, w->domain, w->domain_len);
    settle(out, to, n, w->domain_len);
    out->utf8 = w->utf8;
    return 0;
}

static int parse_long(struct slice text, struct arena *arena, struct address *out, struct err *err) {
    struct long_way w = {.utf8 = false};
    size_t after = 0;
    if (text.len == 0) return err_set(err, ERR_INPUT, "byte 1: the address is empty");
    for (size_t i = 0; i < text.len; i++) {
        const char *what = never(text.at[i]);
        if (what) return complain(err, i, what);
    }
    if (take_local(text, &w, &after, err) || take_domain(text, after, &w, err)) return -1;
    struct slice raw = slice_make(w.raw, w.raw_len);
    if (raw.len == 0) return complain(err, 0, "the local part is missing");
    bool quotes = !utf8_dot_atom(raw);
    if (quotes && !w.quoted && !carrier_allows(slice_make(w.domain, w.domain_len), raw))
        return complain_local(raw, err);
    return put_together(&w, quotes, arena, out, err);
}

/* What people put into a column of addresses that is more than one address alone: its name, or NULL. */
static const char *more_than_one(struct slice text) {
    size_t ats = 0, separators = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\r' || text.at[i] == '\n') return NULL;
        ats += text.at[i] == '@';
        separators += text.at[i] == ';' || text.at[i] == ',' || ascii_space(text.at[i]);
    }
    if (ats >= 2 && separators) return "several addresses where one belongs";
    if (slice_starts_nocase(text, SLICE("mailto:")))
        return "mailto: before the address; the address alone belongs here";
    if (text.len && text.at[text.len - 1] == '>' && slice_find(text, '<') >= 0)
        return "a name with <address>; the address alone belongs here";
    return NULL;
}

int address_parse(struct slice text, struct arena *arena, struct address *out, struct err *err) {
    if (parse_plain(text, arena, out)) return 0;
    struct err why;
    if (parse_long(text, arena, out, &why) == 0) return 0;
    const char *more = why.kind == ERR_INPUT ? more_than_one(text) : NULL;
    return more ? complain(err, 0, more) : err_set(err, why.kind, "%s", why.text);
}

int address_parse_ascii(struct slice text, struct arena *arena, struct address *out, struct err *err) {
    if (address_parse(text, arena, out, err)) return -1;
    return out->utf8 ? complain(err, 0, "a local part outside ASCII: not every receiver takes it") : 0;
}

/* Bytes of the character in front that may be taken off, or 0. */
static size_t blank(struct slice s, bool front) {
    static const char *const wide[] = {
        "\xc2\xa0",     /* U+00A0 no-break space */
        "\xe3\x80\x80", /* U+3000 ideographic space */
        "\xe2\x80\x8b", /* U+200B to U+200F: zero width, marks of direction */
        "\xe2\x80\x8c", "\xe2\x80\x8d", "\xe2\x80\x8e", "\xe2\x80\x8f",
        "\xe2\x80\xaa", /* U+202A to U+202E: embedding */
        "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae",
        "\xe2\x80\xaf",                                                 /* U+202F narrow no-break space */
        "\xe2\x81\xa0",                                                 /* U+2060 word joiner */
        "\xe2\x81\xa6",                                                 /* U+2066 to U+2069: isolates */
        "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9", "\xef\xbb\xbf", /* U+FEFF byte order mark */
    };
    char c = s.len ? s.at[front ? 0 : s.len - 1] : 'x';
    if (ascii_space(c) || c == '\r' || c == '\n') return 1;
    if (!beyond_ascii(c)) return 0;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        size_t n = strlen(wide[i]);
        if (s.len >= n && memcmp(front ? s.at : s.at + s.len - n, wide[i], n) == 0) return n;
    }
    return 0;
}

struct slice address_trim(struct slice text) {
    size_t n;
    while ((n = blank(text, true)))
        text = slice_skip(text, n);
    while ((n = blank(text, false)))
        text.len -= n;
    return text;
}

int address_parse_domain(struct slice text, struct arena *arena, struct slice *out, struct err *err) {
    struct long_way w = {.domain_len = 0};
    for (size_t i = 0; i < text.len; i++) {
        const char *what = never(text.at[i]);
        if (what) return complain(err, i, what);
    }
    if (take_domain(text, 0, &w, err)) return -1;
    if (w.domain_len > ADDRESS_MAX - 2) return complain(err, 0, "the domain is too long");
    if (!arena_copy(arena, slice_make(w.domain, w.domain_len), out))
        return err_set(err, ERR_SYSTEM, "no memory for a domain");
    return 0;
}

uint64_t address_hash(uint64_t seed, const struct address *a) {
    uint64_t low = (UINT64_C(1) << 40) - 1;
    return (hash_bytes(a->domain, seed) & ~low) | (hash_nocase(a->text, seed) & low);
}
