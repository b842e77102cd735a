/* One pass over the bytes of a reply: each word's hash is made while it is read. This is most of what
 * classifying costs, so ASCII goes by one table. */
#include "words.h"

#define BASIS UINT64_C(0xcbf29ce484222325)
#define PRIME UINT64_C(0x9E3779B97F4A7C15)

/* What a byte is; letters and digits are more than these: themselves, in small letters. */
enum { PART = 0, BREAK = 1, DOT = 2, QUOTE = 3, AT = 4, ESCAPE = 5, HIGH = 6, LETTERS = 0x30 };

/* BREAK ends what may be a mail address, PART only a word. */
static const unsigned char kinds[128] = {
    ['\t'] = BREAK, ['\n'] = BREAK, ['\r'] = BREAK, [' '] = BREAK, ['"'] = BREAK,   ['('] = BREAK,
    [')'] = BREAK,  [','] = BREAK,  [':'] = BREAK,  [';'] = BREAK, ['<'] = BREAK,   ['='] = BREAK,
    ['>'] = BREAK,  ['['] = BREAK,  [']'] = BREAK,  ['|'] = BREAK, [0] = BREAK,     ['\\'] = BREAK,
    ['.'] = DOT,    ['\''] = QUOTE, ['`'] = QUOTE,  ['@'] = AT,    [0x1B] = ESCAPE,
#define SMALL(c) [c] = c, [(c)-0x20] = c
    SMALL('a'),     SMALL('b'),     SMALL('c'),     SMALL('d'),    SMALL('e'),      SMALL('f'),
    SMALL('g'),     SMALL('h'),     SMALL('i'),     SMALL('j'),    SMALL('k'),      SMALL('l'),
    SMALL('m'),     SMALL('n'),     SMALL('o'),     SMALL('p'),    SMALL('q'),      SMALL('r'),
    SMALL('s'),     SMALL('t'),     SMALL('u'),     SMALL('v'),    SMALL('w'),      SMALL('x'),
    SMALL('y'),     SMALL('z'),
#undef SMALL
    ['0'] = '0',    ['1'] = '1',    ['2'] = '2',    ['3'] = '3',   ['4'] = '4',     ['5'] = '5',
    ['6'] = '6',    ['7'] = '7',    ['8'] = '8',    ['9'] = '9',
};

static unsigned kind(unsigned char byte) {
    return byte < 0x80 ? kinds[byte] : HIGH;
}

/* U+00C0 to U+017F without their accents; '*' is no letter. Where one letter stands for two (ß, æ, œ) the
 * first is taken. */
static const char latin[] = "aaaaaaaceeeeiiiidnooooo*ouuuuytsaaaaaaaceeeeiiiidnooooo*ouuuuyty"
                            "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
                            "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
_Static_assert(sizeof latin == 0x180 - 0xC0 + 1, "one for each");

struct reader {
    const unsigned char *at, *end;
    struct words *out;
    unsigned address; /* where the words begin that would be an address's, were an '@' to follow */
    bool joined;      /* a dot between letters stood before the present word */
};

static uint64_t mix(uint64_t hash, uint32_t c) {
    return (hash ^ c) * PRIME;
}

static void emit(struct reader *r, uint64_t hash, bool label) {
    if (r->out->count == WORDS_MOST) return;
    hash ^= hash >> 32;
    r->out->at[r->out->count++] = label ? hash | 1 : hash & ~UINT64_C(1);
}

static bool follows(const struct reader *r, ptrdiff_t n, unsigned char low, unsigned char high) {
    return r->end - r->at > n && r->at[n] >= low && r->at[n] <= high;
}

/* Bytes of the character at r->at, and which one; a byte that is no UTF-8 is Latin-1. */
static int decode(const struct reader *r, uint32_t *c) {
    unsigned char first = r->at[0];
    *c = first;
    if (first >= 0xC2 && first <= 0xDF && follows(r, 1, 0x80, 0xBF)) {
        *c = (uint32_t)(first & 0x1F) << 6 | (r->at[1] & 0x3F);
        return 2;
    }
    if (first >= 0xE0 && first <= 0xEF && follows(r, 2, 0x80, 0xBF) && follows(r, 1, 0x80, 0xBF)) {
        *c = (uint32_t)(first & 0x0F) << 12 | (uint32_t)(r->at[1] & 0x3F) << 6 | (r->at[2] & 0x3F);
        return *c >= 0x800 ? 3 : 1;
    }
    if (first >= 0xF0 && first <= 0xF4 && follows(r, 3, 0x80, 0xBF) && follows(r, 2, 0x80, 0xBF) &&
        follows(r, 1, 0x80, 0xBF)) {
        *c = 0x10000; /* emoji and rare ideographs: one and the same unknown word */
        return 4;
    }
    return 1;
}

/* The character as it counts: 0 for none (it parts words). */
static uint32_t fold(uint32_t c) {
    if (c < 0xC0) return c == 0xAA ? 'a' : c == 0xBA ? 'o' : 0;
    if (c < 0x180) return latin[c - 0xC0] == '*' ? 0 : (uint32_t)latin[c - 0xC0];
    if (c >= 0x300 && c < 0x370) return 0; /* combining accents: see letter() */
    if (c >= 0x410 && c <= 0x42F) return c + 0x20;
    if (c == 0x401 || c == 0x451) return 0x435;
    if (c >= 0x400 && c <= 0x40F) return c + 0x50;
    if (c >= 0x1E00 && c < 0x2000) return c;
    if (c >= 0x2000 && c < 0x2E80) return 0; /* punctuation, arrows, signs */
    if (c >= 0x3000 && c < 0x3040) return 0; /* punctuation of CJK */
    if (c >= 0xFF01 && c <= 0xFF5E) {        /* wide ASCII */
        unsigned k = kind((unsigned char)(c - 0xFEE0));
        return k >= LETTERS ? k : 0;
    }
    if (c >= 0xFF5F && c < 0xFF66) return 0;
    return c;
}

static bool parts_no_words(uint32_t c) {
    return c >= 0x2E80;
}

/* One letter of a word, if there is one at r->at: taken into *hash. */
static bool letter(struct reader *r, uint64_t *hash) {
    while (r->at < r->end) {
        unsigned k = kind(*r->at);
        if (k >= LETTERS) {
            *hash = mix(*hash, k);
            r->at++;
            return true;
        }
        if (k == QUOTE && r->end - r->at > 1 && kind(r->at[1]) >= LETTERS) {
            r->at++;
            continue;
        }
        if (k != HIGH) return false;
        uint32_t c;
        int n = decode(r, &c);
        if (c == 0x2019 || (c >= 0x300 && c < 0x370)) { /* an apostrophe or a combining accent: left out */
            r->at += n;
            continue;
        }
        c = fold(c);
        if (!c || parts_no_words(c)) return false;
        r->at += n;
        *hash = mix(*hash, c);
        return true;
    }
    return false;
}

/* A dot that joins two labels: a letter behind it, and not the end of a sentence ("blocked.See"). */
static bool dot_joins(const struct reader *r) {
    if (r->end - r->at < 2 || r->at[0] != '.' || kind(r->at[1]) < LETTERS) return false;
    bool small = r->at[-1] >= 'a' && r->at[-1] <= 'z', large = r->at[1] >= 'A' && r->at[1] <= 'Z';
    return !(small && large);
}

static void word(struct reader *r) {
    uint64_t hash = BASIS;
    const unsigned char *at = r->at, *end = r->end;
    for (;;) {
        unsigned k = PART;
        while (at < end && (k = kind(*at)) >= LETTERS) {
            hash = mix(hash, k);
            at++;
        }
        if (at == end || (k != HIGH && k != QUOTE)) break;
        r->at = at;
        if (!letter(r, &hash)) break;
        at = r->at;
    }
    r->at = at;
    bool joins = dot_joins(r);
    emit(r, hash, joins || r->joined);
    r->joined = joins;
    if (joins) r->at++;
}

/* The words since the last break were an address's; the rest of it goes too. */
static void drop_address(struct reader *r) {
    r->out->count = r->address;
    while (r->at < r->end && kind(*r->at) != BREAK && kind(*r->at) != HIGH)
        r->at++;
    r->joined = false;
}

/* ISO-2022-JP: from ESC $ to ESC ( nothing can be read. */
static void skip_escape(struct reader *r) {
    const unsigned char *start = r->at++;
    if (r->end - start < 3 || start[1] != '$') return;
    r->at++;
    while (r->at < r->end && *r->at != 0x1B)
        r->at++;
    emit(r, BASIS, false);
    r->address = r->out->count;
    if (r->end - r->at >= 3 && r->at[1] == '(') r->at += 3;
}

static void high(struct reader *r) {
    uint32_t c;
    int n = decode(r, &c);
    uint32_t folded = fold(c);
    r->address = r->out->count;
    if (folded && !parts_no_words(folded)) {
        word(r);
        return;
    }
    r->at += n;
    if (folded) emit(r, mix(BASIS, folded), false);
    r->address = r->out->count;
}

void words_split(struct slice text, struct words *words) {
    size_t len = text.len < WORDS_TEXT_MAX ? text.len : WORDS_TEXT_MAX;
    const unsigned char *start = (const unsigned char *)text.at;
    struct reader r = {.at = start, .end = start + len, .out = words};
    words->count = 0;
    while (r.at < r.end) {
        unsigned k = kind(*r.at);
        if (k >= LETTERS) {
            word(&r);
            continue;
        }
        switch (k) {
        case HIGH: high(&r); break;
        case AT: drop_address(&r); break;
        case ESCAPE: skip_escape(&r); break;
        default:
            r.at++;
            if (k == BREAK) r.address = words->count;
        }
        r.joined = false;
    }
}
