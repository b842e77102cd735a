/* Which bytes are content is told by the conversation itself: what follows a 354 up to the lone dot, and as
 * many as BDAT named. A server that says 354 to something else hides lines that are none; it shows none that
 * are. */
#include "transcript.h"

#include "buf.h"

void transcript_init(struct transcript *t, bool content, uint64_t skip, transcript_fn *line, void *ctx) {
    *t = (struct transcript){.line = line, .ctx = ctx, .content = content};
    if (skip) t->mode = TRANSCRIPT_SKIP, t->left = skip;
}

static struct slice half_line(const struct transcript_half *h) {
    struct slice s = slice_make(h->line, h->len);
    if (!h->left_out && s.len && s.at[s.len - 1] == '\r') s.len--;
    return s;
}

static void half_put(struct transcript_half *h, struct slice bytes) {
    size_t room = sizeof h->line - h->len, n = bytes.len < room ? bytes.len : room;
    if (n) memcpy(h->line + h->len, bytes.at, n);
    h->len += n;
    h->left_out += bytes.len - n;
}

static void half_reset(struct transcript_half *h) {
    h->len = 0;
    h->left_out = 0;
}

/* What stands in the line goes out as it is. */
static void half_tell(struct transcript *t, struct transcript_half *h, enum transcript_kind kind) {
    t->line(t->ctx, kind, half_line(h), h->left_out);
    half_reset(h);
}

/* ---- sent ---- */

static void tell_size(struct transcript *t, const char *more) {
    struct buf text;
    char digits[32];
    size_t n = 0;
    buf_init(&text, 128);
    for (uint64_t rest = t->bytes; rest || n == 0; rest /= 10) {
        if (n % 4 == 3) digits[n++] = ',';
        digits[n++] = (char)('0' + rest % 10);
    }
    buf_put_c(&text, '[');
    while (n)
        buf_put_c(&text, digits[--n]);
    buf_printf(&text, " bytes%s]", more);
    t->line(t->ctx, TRANSCRIPT_SENT, buf_slice(&text), 0);
    buf_done(&text);
}

static void end_content(struct transcript *t, const char *more) {
    if (t->sent.len) half_tell(t, &t->sent, TRANSCRIPT_SENT);
    if (!t->content || *more) tell_size(t, more);
    t->mode = TRANSCRIPT_COMMANDS;
    t->bytes = 0;
}

static void put_content(struct transcript *t, struct slice bytes) {
    struct slice line;
    if (!t->content) return;
    while (bytes.len) {
        ptrdiff_t end = slice_find(bytes, '\n');
        line = slice_make(bytes.at, end < 0 ? bytes.len : (size_t)end);
        half_put(&t->sent, line);
        if (end >= 0) half_tell(t, &t->sent, TRANSCRIPT_SENT);
        bytes = slice_skip(bytes, line.len + (end >= 0));
    }
}

/* Up to the lone dot. Returns the bytes that were taken. */
static size_t take_dotted(struct transcript *t, struct slice bytes) {
    size_t n = 0;
    bool over = false;
    while (n < bytes.len && !over) {
        char c = bytes.at[n++];
        t->bytes++;
        switch (t->dot) {
        case 2: /* at the beginning of a line */ t->dot = c == '.' ? 3 : c == '\r'; break;
        case 3: /* behind a dot there */
            if (c == '\r') {
                t->dot = 4;
            } else {
                if (c == '.') t->bytes--; /* it was doubled */
                t->dot = 0;
            }
            break;
        case 4:
            over = c == '\n';
            t->dot = c == '\r';
            break;
        default: t->dot = c == '\r' ? 1 : t->dot == 1 && c == '\n' ? 2 : 0;
        }
    }
    put_content(t, slice_make(bytes.at, n));
    if (over) {
        t->bytes -= 3;
        end_content(t, "");
    }
    return n;
}

static size_t take_chunk(struct transcript *t, struct slice bytes) {
    size_t n = bytes.len < t->left ? bytes.len : (size_t)t->left;
    t->left -= n;
    t->bytes += n;
    put_content(t, slice_make(bytes.at, n));
    if (t->left == 0) end_content(t, "");
    return n;
}

static size_t skip(struct transcript *t, struct slice bytes) {
    size_t n = bytes.len < t->left ? bytes.len : (size_t)t->left;
    t->left -= n;
    if (t->left == 0) t->mode = TRANSCRIPT_COMMANDS;
    return n;
}

/* "BDAT 4312 LAST" */
static void begin_chunk(struct transcript *t, struct slice line) {
    struct slice rest = slice_skip(line, 5), number;
    if (!slice_cut(&rest, ' ', &number) || !slice_to_u64(number, &t->left) || t->left == 0) return;
    t->mode = TRANSCRIPT_CHUNK;
    t->bytes = 0;
}

static void end_command(struct transcript *t) {
    struct slice line = half_line(&t->sent), word, rest = line;
    bool was_auth = t->auth;
    slice_cut(&rest, ' ', &word);
    if (was_auth) {
        t->line(t->ctx, TRANSCRIPT_SENT, SLICE("[left out]"), 0);
    } else if (slice_eq_nocase(word, SLICE("AUTH"))) {
        t->auth = true;
        t->line(t->ctx, TRANSCRIPT_SENT, SLICE("AUTH [left out]"), 0);
    } else {
        t->line(t->ctx, TRANSCRIPT_SENT, line, t->sent.left_out);
        if (slice_starts_nocase(line, SLICE("BDAT "))) begin_chunk(t, line);
    }
    half_reset(&t->sent);
}

static size_t take_command(struct transcript *t, struct slice bytes) {
    ptrdiff_t end = slice_find(bytes, '\n');
    size_t n = end < 0 ? bytes.len : (size_t)end;
    half_put(&t->sent, slice_make(bytes.at, n));
    if (end < 0) return n;
    end_command(t);
    return n + 1;
}

void transcript_sent(struct transcript *t, struct slice bytes) {
    while (bytes.len) {
        size_t n = t->mode == TRANSCRIPT_DOT     ? take_dotted(t, bytes)
                   : t->mode == TRANSCRIPT_CHUNK ? take_chunk(t, bytes)
                   : t->mode == TRANSCRIPT_SKIP  ? skip(t, bytes)
                                                 : take_command(t, bytes);
        bytes = slice_skip(bytes, n);
    }
}

/* ---- received ---- */

/* Commands are whole before they are answered: what comes after this is content. */
static void obey(struct transcript *t, struct slice line) {
    if (!slice_starts(line, SLICE("334"))) t->auth = false;
    if (!slice_starts(line, SLICE("354")) || t->mode != TRANSCRIPT_COMMANDS) return;
    t->mode = TRANSCRIPT_DOT;
    t->dot = 2;
    t->bytes = 0;
}

void transcript_received(struct transcript *t, struct slice bytes) {
    while (bytes.len) {
        ptrdiff_t end = slice_find(bytes, '\n');
        size_t n = end < 0 ? bytes.len : (size_t)end;
        half_put(&t->received, slice_make(bytes.at, n));
        bytes = slice_skip(bytes, n + (end >= 0));
        if (end < 0) return;
        obey(t, half_line(&t->received));
        half_tell(t, &t->received, TRANSCRIPT_RECEIVED);
    }
}

void transcript_end(struct transcript *t) {
    if (t->mode == TRANSCRIPT_DOT || t->mode == TRANSCRIPT_CHUNK)
        end_content(t, ", not to its end");
    else if (t->sent.len)
        end_command(t);
    if (t->received.len) half_tell(t, &t->received, TRANSCRIPT_RECEIVED);
    t->mode = TRANSCRIPT_COMMANDS;
    t->auth = false;
    half_reset(&t->sent);
}
