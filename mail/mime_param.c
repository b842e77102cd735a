#include "mime_param.h"

#include "codec.h"
#include "header.h"
#include "visible.h"

#include <assert.h>

enum { LINE = 76, PARAMETER_MAX = 16, VALUE_MAX = 255 };

/* RFC 2045's token; RFC 2231's attribute-char is this without * ' % */
static bool token_char(char c) {
    return c > ' ' && c <= '~' && !strchr("()<>@,;:\\\"/[]?=", c);
}

static bool is_token(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (!token_char(s.at[i])) return false;
    return s.len > 0;
}

bool mime_value_valid(struct slice value) {
    ptrdiff_t slash = slice_find(value, '/');
    if (value.len > VALUE_MAX) return false;
    if (slash < 0) return is_token(value);
    return is_token(slice_make(value.at, (size_t)slash)) && is_token(slice_skip(value, (size_t)slash + 1));
}

bool mime_param_valid(struct slice text) {
    return text.len <= MIME_PARAM_MAX && header_value_safe(text);
}

/* Can it stand between quotes without anything that readers are known to get wrong: escapes, what looks like
 * an encoded word or RFC 2231's percent signs, blanks at the ends? */
static bool plain(struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%') return false;
    }
    return text.at[0] != ' ' && text.at[text.len - 1] != ' ' && slice_find_nocase(text, SLICE("=?")) < 0;
}

static size_t encoded_length(char c) {
    return token_char(c) && !strchr("*'%", c) ? 1 : 3;
}

static void put_encoded(struct buf *out, char c) {
    if (encoded_length(c) == 1)
        buf_put_c(out, c);
    else
        codec_escape(out, '%', c);
}

/* How much of text goes onto a line, cut between characters. */
static size_t fitting(struct slice text, size_t room) {
    size_t n = 0, used = 0;
    while (n < text.len) {
        size_t next = n, length = used;
        do
            length += encoded_length(text.at[next++]);
        while (next < text.len && (text.at[next] & 0xC0) == 0x80);
        if (n && length > room) break;
        n = next, used = length;
    }
    return n;
}

/* filename*=utf-8''..., or filename*0*=utf-8''... and so on, each on a line of its own. */
static void put_extended(struct buf *out, struct slice parameter, struct slice text) {
    static const char charset[] = "utf-8''";
    size_t frame = 1 + parameter.len + strlen("*000*=;");
    bool whole = fitting(text, LINE - frame - strlen(charset)) == text.len;
    for (unsigned part = 0; text.len && !out->failed; part++) {
        buf_put_text(out, "\r\n ");
        buf_put_slice(out, parameter);
        if (!whole) buf_printf(out, "*%u", part);
        buf_put_text(out, "*=");
        if (part == 0) buf_put_text(out, charset);
        size_t n = fitting(text, LINE - frame - (part ? 0 : strlen(charset)));
        for (size_t i = 0; i < n; i++)
            put_encoded(out, text.at[i]);
        buf_put_c(out, ';');
        text = slice_skip(text, n);
    }
}

/* The name as old readers shall have it: a run of what they can't read becomes one "_". */
static void put_fallback(struct buf *out, struct slice parameter, struct slice text) {
    bool hole = false;
    buf_put_text(out, "\r\n ");
    buf_put_slice(out, parameter);
    buf_put_text(out, "=\"");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool good = c >= ' ' && c <= '~' && !strchr("\"\\/%?", c);
        if (good)
            buf_put_c(out, c);
        else if (!hole)
            buf_put_c(out, '_');
        hole = !good;
    }
    buf_put_c(out, '"');
}

static void put_plain(struct buf *out, size_t column, struct slice parameter, struct slice text) {
    bool token = is_token(text) && !memchr(text.at, '\'', text.len) && !memchr(text.at, '*', text.len);
    size_t length = parameter.len + 1 + text.len + (token ? 0 : 2);
    buf_put_text(out, column + 1 + length > LINE ? "\r\n " : " ");
    buf_put_slice(out, parameter);
    buf_put_text(out, token ? "=" : "=\"");
    buf_put_slice(out, text);
    if (!token) buf_put_c(out, '"');
}

static void put_parameter(struct buf *out, size_t column, struct slice parameter, struct slice text) {
    buf_put_c(out, ';');
    if (plain(text) && 1 + parameter.len + 3 + text.len <= LINE) {
        put_plain(out, column + 1, parameter, text);
        return;
    }
    put_extended(out, parameter, text);
    put_fallback(out, parameter, text);
}

void mime_put_field(struct buf *out, struct slice name, struct slice value, struct slice parameter,
                    struct slice text) {
    struct buf seen;
    assert(header_name_valid(name) && is_token(parameter) && parameter.len <= PARAMETER_MAX);
    if (!mime_value_valid(value) || !mime_param_valid(text)) {
        out->failed = true;
        return;
    }
    buf_init(&seen, MIME_PARAM_MAX);
    visible_put(&seen, text);
    out->failed |= seen.failed;
    size_t column = name.len + 1;
    buf_put_slice(out, name);
    buf_put_text(out, column + 1 + value.len + 1 > LINE ? ":\r\n " : ": ");
    buf_put_slice(out, value);
    if (seen.len) put_parameter(out, column + 1 + value.len, parameter, buf_slice(&seen));
    buf_put(out, "\r\n", 2);
    buf_done(&seen);
}
