/* Relaxed canonicalisation. Most of a body passes in long runs that nothing changes; only blanks that may
 * have to go and what stands at the ends of a run are looked at one by one. */
#include "dkim_relax.h"

/* Sixteen bytes at a time: gcc and clang make of it what the machine has. */
typedef unsigned char vector __attribute__((vector_size(16)));

/* Index of the first byte from `at` on that may change: a tab, or a blank followed by a blank or a line end.
 * In doubt it is named too; s.len when there is none. */
static size_t next_change(struct slice s, size_t at) {
    vector here, next;
    while (at + sizeof here + 1 <= s.len) {
        memcpy(&here, s.at + at, sizeof here);
        memcpy(&next, s.at + at + 1, sizeof next);
        vector hit = (vector)((here == ' ') & (next <= ' ')) | (vector)(here == '\t');
        uint64_t halves[2];
        memcpy(halves, &hit, sizeof halves);
        if (halves[0] | halves[1]) break;
        at += sizeof here;
    }
    for (; at < s.len; at++) {
        bool end = at + 1 == s.len || (unsigned char)s.at[at + 1] <= ' ';
        if (s.at[at] == '\t' || (s.at[at] == ' ' && end)) return at;
    }
    return s.len;
}

static void put_content(struct dkim_relax *r, struct slice s, struct buf *out) {
    for (; r->line_ends; r->line_ends--)
        buf_put(out, "\r\n", 2);
    if (r->blank) buf_put_c(out, ' ');
    r->blank = false;
    r->begun = true;
    buf_put_slice(out, s);
}

static void end_line(struct dkim_relax *r) {
    r->line_ends++;
    r->blank = false;
}

static bool ends_in_line_end(struct slice s) {
    return s.len >= 2 && s.at[s.len - 2] == '\r' && s.at[s.len - 1] == '\n';
}

/* A run that starts with no blank and holds none that changes. `last`: it is the last of its piece. */
static void put_run(struct dkim_relax *r, struct slice s, bool last, struct buf *out) {
    uint64_t behind = 0;
    for (; slice_starts(s, SLICE("\r\n")); s = slice_skip(s, 2))
        end_line(r);
    bool cr = last && s.len && s.at[s.len - 1] == '\r';
    if (cr) s.len--;
    for (; ends_in_line_end(s); s.len -= 2)
        behind++;
    if (s.len) put_content(r, s, out);
    r->line_ends += behind;
    r->cr = cr;
}

void dkim_relax_body(struct dkim_relax *r, struct slice in, struct buf *out) {
    if (r->cr && in.len) {
        r->cr = false;
        if (in.at[0] == '\n') {
            end_line(r);
            in = slice_skip(in, 1);
        } else {
            put_content(r, SLICE("\r"), out);
        }
    }
    for (size_t at = 0; at < in.len;) {
        while (at < in.len && ascii_space(in.at[at])) {
            r->blank = true;
            at++;
        }
        size_t change = next_change(in, at);
        if (change > at) put_run(r, slice_make(in.at + at, change - at), change == in.len, out);
        at = change;
    }
}

void dkim_relax_end(struct dkim_relax *r, struct buf *out) {
    if (r->cr) put_content(r, SLICE("\r"), out);
    if (r->begun) buf_put(out, "\r\n", 2);
}

void dkim_relax_field(struct slice name, struct slice value, struct buf *out) {
    char *to = buf_room(out, name.len + 1 + value.len);
    if (!to) return;
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++)
        to[n++] = ascii_lower(name.at[i]);
    to[n++] = ':';
    bool blank = false, begun = false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            blank = begun;
            continue;
        }
        if (blank) to[n++] = ' ';
        to[n++] = c;
        blank = false;
        begun = true;
    }
    buf_grew(out, n);
}
