/* Hex, base32, base64 and the check for UTF-8. */
#include "codec.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base32_digits[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Position of c in an alphabet, or -1. */
static int digit_of(const char *alphabet, char c) {
    const char *hit = c ? strchr(alphabet, c) : NULL;
    return hit ? (int)(hit - alphabet) : -1;
}

void codec_hex(struct buf *out, struct slice bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        buf_put_c(out, hex_digits[c >> 4]);
        buf_put_c(out, hex_digits[c & 15]);
    }
}

void codec_escape(struct buf *out, char mark, char c) {
    static const char digits[] = "0123456789ABCDEF";
    const char text[3] = {mark, digits[(unsigned char)c >> 4], digits[c & 15]};
    buf_put(out, text, sizeof text);
}

bool codec_unhex(struct buf *out, struct slice text) {
    if (text.len % 2) return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = digit_of(hex_digits, ascii_lower(text.at[i]));
        int low = digit_of(hex_digits, ascii_lower(text.at[i + 1]));
        if (high < 0 || low < 0) return false;
        buf_put_u8(out, (uint8_t)(high << 4 | low));
    }
    return !out->failed;
}

void codec_base32(struct buf *out, struct slice bytes) {
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.at[i];
        for (held += 8; held >= 5; held -= 5)
            buf_put_c(out, base32_digits[bits >> (held - 5) & 31]);
    }
    if (held) buf_put_c(out, base32_digits[bits << (5 - held) & 31]);
}

bool codec_unbase32(struct buf *out, struct slice text) {
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(base32_digits, ascii_lower(text.at[i]));
        if (digit < 0) return false;
        bits = bits << 5 | (uint32_t)digit;
        held += 5;
        if (held >= 8) {
            held -= 8;
            buf_put_u8(out, (uint8_t)(bits >> held));
        }
    }
    return held < 5 && (bits & ((1u << held) - 1)) == 0 && !out->failed;
}

void codec_base64(struct buf *out, struct slice bytes, size_t line) {
    size_t column = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t bits = (uint32_t)(unsigned char)bytes.at[i] << 16;
        if (left > 1) bits |= (uint32_t)(unsigned char)bytes.at[i + 1] << 8;
        if (left > 2) bits |= (unsigned char)bytes.at[i + 2];
        char *to = buf_room(out, 6);
        if (!to) return;
        size_t n = 0;
        if (line && column == line) to[n++] = '\r', to[n++] = '\n', column = 0;
        to[n++] = base64_digits[bits >> 18];
        to[n++] = base64_digits[bits >> 12 & 63];
        to[n++] = left > 1 ? base64_digits[bits >> 6 & 63] : '=';
        to[n++] = left > 2 ? base64_digits[bits & 63] : '=';
        buf_grew(out, n);
        column += 4;
    }
}

bool codec_unbase64(struct buf *out, struct slice text) {
    if (text.len % 4) return false;
    for (size_t i = 0; i < text.len; i += 4) {
        size_t pad = 0;
        if (i + 4 == text.len)
            pad = (text.at[i + 3] == '=') + (text.at[i + 3] == '=' && text.at[i + 2] == '=');
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            int digit = j >= 4 - pad ? 0 : digit_of(base64_digits, text.at[i + j]);
            if (digit < 0) return false;
            bits = bits << 6 | (uint32_t)digit;
        }
        if (bits & ((1u << (8 * pad)) - 1)) return false;
        for (size_t j = 0; j < 3 - pad; j++)
            buf_put_u8(out, (uint8_t)(bits >> (16 - 8 * j)));
    }
    return !out->failed;
}

/* The length of the well-formed sequence at s, or 0 (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *s, size_t left) {
    unsigned char low = 0x80, high = 0xBF;
    size_t n;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        n = 2;
    else if ((s[0] & 0xF0) == 0xE0)
        n = 3;
    else if (s[0] >= 0xF0 && s[0] <= 0xF4)
        n = 4;
    else
        return 0;
    if (s[0] == 0xE0) low = 0xA0;
    if (s[0] == 0xED) high = 0x9F;
    if (s[0] == 0xF0) low = 0x90;
    if (s[0] == 0xF4) high = 0x8F;
    if (left < n || s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    return n;
}

size_t codec_utf8_next(struct slice text) {
    const unsigned char *s = (const unsigned char *)text.at;
    return text.len == 0 ? 0 : s[0] < 0x80 ? 1 : utf8_sequence(s, text.len);
}

bool codec_utf8_valid(struct slice text) {
    for (size_t i = 0; i < text.len;) {
        size_t n = codec_utf8_next(slice_skip(text, i));
        if (n == 0) return false;
        i += n;
    }
    return true;
}
