/* What the client session writes and reads beside replies. Content is scanned once and moved only when a dot
 * must be doubled, each byte once. */
#include "smtp_wire.h"

#include "hash.h"

#include <assert.h>
#include <stdio.h>

static void take_size(struct smtp_caps *caps, struct slice value) {
    caps->size = true;
    /* No number, or one that makes no sense: no fixed limit. */
    if (!slice_to_u64(slice_trim(value), &caps->size_max)) caps->size_max = 0;
}

/* RFC 9422: "MAILMAX=20 RCPTMAX=1", with values from 1 to 999999. What makes no sense limits nothing. */
static void take_limits(struct smtp_caps *caps, struct slice list) {
    static const struct {
        struct slice name;
        size_t offset;
    } limits[] = {
        {{"MAILMAX", 7}, offsetof(struct smtp_caps, mail_max)},
        {{"RCPTMAX", 7}, offsetof(struct smtp_caps, rcpt_max)},
        {{"RCPTDOMAINMAX", 13}, offsetof(struct smtp_caps, rcpt_domain_max)},
    };
    struct slice one, name;
    uint64_t value;
    while (slice_cut(&list, ' ', &one)) {
        if (!slice_cut(&one, '=', &name) || !one.at || !slice_to_u64(one, &value) || value > 999999) continue;
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
            if (slice_eq_nocase(name, limits[i].name))
                *(uint32_t *)(void *)((char *)caps + limits[i].offset) = (uint32_t)value;
    }
}

static void take_keyword(struct smtp_caps *caps, struct slice line) {
    static const struct {
        struct slice name;
        size_t offset;
    } flags[] = {
        {{"PIPELINING", 10}, offsetof(struct smtp_caps, pipelining)},
        {{"8BITMIME", 8}, offsetof(struct smtp_caps, eightbitmime)},
        {{"ENHANCEDSTATUSCODES", 19}, offsetof(struct smtp_caps, enhanced)},
        {{"STARTTLS", 8}, offsetof(struct smtp_caps, starttls)},
        {{"CHUNKING", 8}, offsetof(struct smtp_caps, chunking)},
        {{"SMTPUTF8", 8}, offsetof(struct smtp_caps, smtputf8)},
    };
    struct slice rest = slice_trim(line), word;
    if (!slice_cut(&rest, ' ', &word)) return;
    if (slice_eq_nocase(word, SLICE("SIZE"))) take_size(caps, rest);
    if (slice_eq_nocase(word, SLICE("LIMITS"))) take_limits(caps, rest);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (slice_eq_nocase(word, flags[i].name)) *(bool *)((char *)caps + flags[i].offset) = true;
}

void smtp_caps_parse(struct smtp_caps *caps, struct slice text) {
    struct slice line;
    if (!slice_cut(&text, '\n', &line)) return; /* the first names the server */
    while (slice_cut(&text, '\n', &line))
        take_keyword(caps, line);
}

enum { PATH_MAX_BYTES = 320 }; /* RFC 5321 section 4.5.3.1: 64 + 1 + 255 */

static bool path_safe(struct slice path, bool *ascii) {
    if (path.len > PATH_MAX_BYTES) return false;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char byte = (unsigned char)path.at[i];
        if (byte < 0x20 || byte == 0x7f || byte == '<' || byte == '>') return false;
        if (byte >= 0x80) *ascii = false;
    }
    return true;
}

static const struct smtp_reply needs_utf8 = {
    553, {5, 6, 7}, false, {"the address needs SMTPUTF8, which the server does not offer", 59}};

const struct smtp_reply *smtp_rcpt_refusal(const struct smtp_caps *caps, struct slice to) {
    static const struct smtp_reply address = {553, {5, 1, 3}, false, {"malformed address, never sent", 29}};
    bool ascii = true;
    if (to.len == 0 || !path_safe(to, &ascii)) return &address;
    return ascii || caps->smtputf8 ? NULL : &needs_utf8;
}

const struct smtp_reply *smtp_mail_refusal(const struct smtp_caps *caps, const struct smtp_mail *mail) {
    static const struct smtp_reply sender = {553, {5, 1, 7}, false, {"malformed sender, never sent", 28}};
    static const struct smtp_reply size = {
        552, {5, 3, 4}, false, {"the message is above the size that the server offers to take", 60}};
    static const struct smtp_reply eightbit = {
        554, {5, 6, 3}, false, {"the message is 8-bit, and the server does not offer 8BITMIME", 60}};
    bool ascii = true;
    if (!path_safe(mail->from, &ascii)) return &sender;
    if (!ascii && !caps->smtputf8) return &needs_utf8;
    if (caps->size_max && mail->size > caps->size_max) return &size;
    if (mail->eightbit && !caps->eightbitmime) return &eightbit;
    return NULL;
}

static bool beyond_ascii(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] >= 0x80) return true;
    return false;
}

void smtp_put_mail(struct buf *out, const struct smtp_caps *caps, const struct smtp_mail *mail,
                   uint64_t rcpts) {
    bool utf8 = beyond_ascii(mail->from);
    for (; rcpts && !utf8; rcpts &= rcpts - 1)
        utf8 = beyond_ascii(mail->to[__builtin_ctzll(rcpts)]);
    buf_put_slice(out, SLICE("MAIL FROM:<"));
    buf_put_slice(out, mail->from);
    buf_put_c(out, '>');
    if (caps->size && mail->size) {
        buf_put_slice(out, SLICE(" SIZE="));
        buf_put_u64(out, mail->size);
    }
    if (mail->eightbit) buf_put_slice(out, SLICE(" BODY=8BITMIME"));
    if (utf8) buf_put_slice(out, SLICE(" SMTPUTF8"));
    buf_put_slice(out, SLICE("\r\n"));
}

uint64_t smtp_domain_hash(struct slice address) {
    size_t at = address.len;
    while (at > 0 && address.at[at - 1] != '@')
        at--;
    return hash_nocase(slice_skip(address, at), 0);
}

static bool ends_line(struct slice content) {
    return content.len >= 2 && content.at[content.len - 2] == '\r' && content.at[content.len - 1] == '\n';
}

void smtp_put_chunk(struct buf *out, size_t start) {
    char line[40];
    assert(start <= out->len);
    if (out->len > start && !ends_line(slice_skip(buf_slice(out), start))) buf_put_slice(out, SLICE("\r\n"));
    size_t size = out->len - start;
    int n = snprintf(line, sizeof line, "BDAT %zu LAST\r\n", size);
    if (n < 0 || !buf_room(out, (size_t)n)) return;
    memmove(out->at + start + n, out->at + start, size);
    memcpy(out->at + start, line, (size_t)n);
    buf_grew(out, (size_t)n);
}

/* The next dot that opens a line, at or after `at`; NULL when there is none. */
static char *line_dot(char *at, char *end) {
    while (at < end) {
        char *lf = memchr(at, '\n', (size_t)(end - at));
        if (!lf || lf + 1 >= end) return NULL;
        if (lf[1] == '.') return lf + 1;
        at = lf + 1;
    }
    return NULL;
}

static char *first_dot(char *start, char *end) {
    return start < end && *start == '.' ? start : line_dot(start, end);
}

/* Works from the end, so that each byte moves once; the dots found in the way up are `count`. */
static void spread(struct buf *out, size_t start, size_t count) {
    char *from = out->at + out->len, *to = from + count;
    out->len += count;
    while (to > from) {
        char *dot = memrchr(out->at + start, '.', (size_t)(from - (out->at + start)));
        assert(dot);
        size_t tail = (size_t)(from - dot);
        to -= tail;
        memmove(to, dot, tail);
        from = dot;
        if (dot == out->at + start || dot[-1] == '\n') *--to = '.';
    }
}

static void stuff_dots(struct buf *out, size_t start) {
    size_t count = 0;
    char *end = out->at + out->len;
    for (char *dot = first_dot(out->at + start, end); dot; dot = line_dot(dot, end))
        count++;
    if (count && buf_room(out, count)) spread(out, start, count);
}

void smtp_put_end(struct buf *out, size_t start) {
    assert(start <= out->len);
    if (out->len > start) stuff_dots(out, start);
    if (out->len == start || ends_line(slice_skip(buf_slice(out), start)))
        buf_put_slice(out, SLICE(".\r\n"));
    else
        buf_put_slice(out, SLICE("\r\n.\r\n"));
}
