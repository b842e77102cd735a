/* Template tags are masked as html_text.h wants it, the HTML becomes text, and the tags come back.
 *
 * What a tag stands in (text, an element's attributes, a comment, a style sheet) is found by walking over the
 * HTML between the tags as a browser's tokenizer would. */
#include "auto_text.h"

#include "hash.h"
#include "html_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { TAGS_MAX = 100000, MASKED_MAX = 8 * 1024 * 1024 };

enum place { IN_TEXT, IN_ELEMENT, IN_DOUBLE, IN_SINGLE, IN_COMMENT, IN_RAW };

struct masker {
    struct slice html;
    struct slice *tags; /* distinct */
    size_t count;
    uint32_t *slots; /* hash table: index into tags + 1 */
    size_t slot_mask;
    enum place place;
    struct slice element; /* the name of the one that is being read, or whose raw text this is */
    struct buf *out;
    struct err *err;
};

/* ---- tags ---- */

/* What closes the text in quotes, or the name in brackets, that begins at i > 0; 0: none does. A quote in the
 * middle of a word ("Mother's name" may be a column) begins nothing. */
static char closer_of(struct slice html, size_t i) {
    char c = html.at[i];
    if (c == '[') return ']';
    return (c == '"' || c == '\'') && strchr(" \t\r\n=({~&>#^", html.at[i - 1]) ? c : 0;
}

/* Where the closing braces of a tag are looked for, texts in quotes and names in brackets are passed over. */
static size_t find_close(struct slice html, size_t from, struct slice close) {
    char quote = 0;
    for (size_t i = from; i + close.len <= html.len; i++) {
        char c = html.at[i];
        if (quote) {
            if (c == '\\' && i + 1 < html.len && html.at[i + 1] == quote) i++;
            if (c == quote) quote = 0;
        } else if (c == close.at[0] && memcmp(html.at + i, close.at, close.len) == 0) {
            return i + close.len;
        } else {
            quote = closer_of(html, i);
        }
    }
    return 0;
}

static size_t find_text(struct slice html, size_t from, struct slice text) {
    const char *hit = memmem(html.at + from, html.len - from, text.at, text.len);
    return hit ? (size_t)(hit - html.at) + text.len : 0;
}

/* A comment that begins with dashes ends with them, before the braces. */
static size_t comment_end(struct slice html, size_t at) {
    while ((at = find_text(html, at, SLICE("--")))) {
        struct slice after = slice_skip(html, at);
        if (slice_starts(after, SLICE("}}"))) return at + 2;
        if (slice_starts(after, SLICE("~}}"))) return at + 3;
        at--; /* of three dashes the last two may be the ones */
    }
    return 0;
}

/* {{{{name}}}} ... {{{{/name}}}}: all of it. */
static size_t raw_block_end(struct slice html, size_t at) {
    size_t inside = find_close(html, at + 4, SLICE("}}}}"));
    if (!inside) return 0;
    size_t close = find_text(html, inside, SLICE("{{{{/"));
    return close ? find_close(html, close, SLICE("}}}}")) : 0;
}

/* The index behind the tag that begins at `at`, or 0 when it does not end. */
static size_t tag_end(struct slice html, size_t at) {
    struct slice rest = slice_skip(html, at);
    if (slice_starts(rest, SLICE("{{{{"))) return raw_block_end(html, at);
    struct slice name = slice_skip(rest, 2);
    if (name.len && name.at[0] == '~') name = slice_skip(name, 1);
    if (name.len && name.at[0] == '{') { /* {{{a}}}, {{~{a}~}} */
        size_t brace = find_close(html, (size_t)(name.at + 1 - html.at), SLICE("}"));
        return brace ? find_close(html, brace, SLICE("}}")) : 0;
    }
    if (slice_starts(name, SLICE("!--"))) return comment_end(html, (size_t)(name.at + 1 - html.at));
    if (slice_starts(name, SLICE("!"))) return find_text(html, at, SLICE("}}"));
    return find_close(html, at + 2, SLICE("}}"));
}

enum tag_kind { TAG_NOTHING, TAG_VALUE, TAG_OPEN, TAG_ELSE, TAG_CLOSE };

static struct slice without_tilde(struct slice in) {
    if (in.len && in.at[0] == '~') in = slice_skip(in, 1);
    if (in.len && in.at[in.len - 1] == '~') in.len--;
    return slice_trim(in);
}

/* What stands between two braces and two, without `~` and blanks. */
static struct slice inside_of(struct slice tag) {
    return without_tilde(slice_make(tag.at + 2, tag.len - 4));
}

static enum tag_kind kind_of(struct slice tag) {
    struct slice in = inside_of(tag), rest = in, word;
    if (in.len == 0 || in.at[0] == '{') return TAG_VALUE;
    if (in.at[0] == '!') return TAG_NOTHING;
    if (in.at[0] == '#') return TAG_OPEN;
    if (in.at[0] == '/') return TAG_CLOSE;
    if (in.at[0] == '^') return in.len > 1 ? TAG_OPEN : TAG_ELSE;
    slice_cut(&rest, ' ', &word);
    return slice_eq(word, SLICE("else")) ? TAG_ELSE : TAG_VALUE;
}

/* Tags that say the same have the same number. */
static bool number_of(struct masker *m, struct slice tag, size_t *number) {
    size_t at = hash_bytes(tag, 0) & m->slot_mask;
    for (; m->slots[at]; at = (at + 1) & m->slot_mask) {
        *number = m->slots[at] - 1;
        if (slice_eq(m->tags[*number], tag)) return true;
    }
    if (m->count == TAGS_MAX) return false;
    *number = m->count;
    m->tags[m->count++] = tag;
    m->slots[at] = (uint32_t)m->count;
    return true;
}

/* A raw block's text is not looked into, so it must be text already. */
static bool is_markup(struct slice tag) {
    return slice_starts(tag, SLICE("{{{{")) && (memchr(tag.at, '<', tag.len) || memchr(tag.at, '&', tag.len));
}

static int put_tag(struct masker *m, struct slice tag) {
    static const char *const suffix[] = {
        [TAG_VALUE] = "", [TAG_OPEN] = ":open", [TAG_ELSE] = ":else", [TAG_CLOSE] = ":close"};
    enum tag_kind kind = kind_of(tag);
    bool comment = m->place == IN_COMMENT;
    size_t number;
    if (kind == TAG_NOTHING || m->place == IN_RAW || (comment && kind == TAG_VALUE)) return 0;
    if (is_markup(tag)) return err_set(m->err, ERR_INPUT, "a raw block holds HTML");
    if (!number_of(m, tag, &number))
        return err_set(m->err, ERR_INPUT, "more than %d different tags", TAGS_MAX);
    /* A block may begin in one comment and end in another, around what can be seen. */
    if (m->place == IN_TEXT || comment)
        buf_printf(m->out, "%s<!--tsubame:%zu%s-->%s", comment ? "-->" : "", number, suffix[kind],
                   comment ? "<!--" : "");
    else
        buf_printf(m->out, "%s%zu%s", HTML_TOKEN_OPEN, number, HTML_TOKEN_CLOSE);
    return 0;
}

/* ---- HTML between the tags ---- */

static bool is_raw(struct slice element) {
    return slice_eq_nocase(element, SLICE("style")) || slice_eq_nocase(element, SLICE("script")) ||
           slice_eq_nocase(element, SLICE("title")) || slice_eq_nocase(element, SLICE("textarea"));
}

static struct slice name_at(struct slice text) {
    size_t n = 0;
    while (n < text.len && (ascii_alpha(text.at[n]) || ascii_digit(text.at[n])))
        n++;
    return slice_make(text.at, n);
}

/* A `<` in text: how much of what follows belongs to it. */
static size_t open_angle(struct masker *m, struct slice rest) {
    if (slice_starts(rest, SLICE("<!--"))) {
        m->place = IN_COMMENT;
        return 4;
    }
    if (rest.len < 2 || !(ascii_alpha(rest.at[1]) || rest.at[1] == '/' || rest.at[1] == '!')) return 1;
    m->place = IN_ELEMENT;
    m->element = name_at(slice_skip(rest, 1)); /* empty for the end of an element */
    return 2;
}

static void in_element(struct masker *m, char c) {
    if (c == '"') m->place = IN_DOUBLE;
    if (c == '\'') m->place = IN_SINGLE;
    if (c == '>') m->place = is_raw(m->element) ? IN_RAW : IN_TEXT;
}

static size_t in_raw(struct masker *m, struct slice rest) {
    if (!slice_starts(rest, SLICE("</")) || !slice_starts_nocase(slice_skip(rest, 2), m->element)) return 1;
    m->place = IN_ELEMENT;
    m->element = (struct slice){NULL, 0};
    return 2;
}

/* Without the characters that mark tags (both begin with the same two bytes). */
static void put_without_marks(struct buf *out, struct slice text) {
    const char *hit;
    while (text.len && (hit = memmem(text.at, text.len, HTML_TOKEN_OPEN, 2))) {
        size_t before = (size_t)(hit - text.at);
        struct slice rest = slice_skip(text, before);
        bool mark = slice_starts(rest, SLICE(HTML_TOKEN_OPEN)) || slice_starts(rest, SLICE(HTML_TOKEN_CLOSE));
        buf_put(out, text.at, mark ? before : before + 2);
        text = slice_skip(rest, mark ? 3 : 2);
    }
    buf_put_slice(out, text);
}

static void walk(struct masker *m, struct slice text) {
    for (size_t i = 0, n; i < text.len; i += n) {
        struct slice rest = slice_skip(text, i);
        char c = text.at[i];
        n = 1;
        if (m->place == IN_TEXT && c == '<') {
            n = open_angle(m, rest);
        } else if (m->place == IN_COMMENT && slice_starts(rest, SLICE("-->"))) {
            m->place = IN_TEXT;
            n = 3;
        } else if (m->place == IN_RAW) {
            n = in_raw(m, rest);
        } else if (m->place == IN_ELEMENT) {
            in_element(m, c);
        } else if ((m->place == IN_DOUBLE && c == '"') || (m->place == IN_SINGLE && c == '\'')) {
            m->place = IN_ELEMENT;
        }
    }
    put_without_marks(m->out, text);
}

/* ---- masking, unmasking ---- */

static bool is_space(char c) {
    return ascii_space(c) || c == '\r' || c == '\n';
}

/* What stands before the braces of a tag, as the reader of templates takes it: without the one of two
 * backslashes that keeps the other from escaping the tag, and without blanks where there is a `~`. */
static struct slice text_before(struct slice text, struct slice tag) {
    if (text.len > 1 && memcmp(text.at + text.len - 2, "\\\\", 2) == 0) text.len--;
    if (slice_starts(tag, SLICE("{{~")))
        while (text.len && is_space(text.at[text.len - 1]))
            text.len--;
    return text;
}

static size_t skip_behind(struct slice html, size_t end) {
    if (html.at[end - 3] != '~') return end;
    while (end < html.len && is_space(html.at[end]))
        end++;
    return end;
}

static int mask(struct masker *m) {
    size_t at = 0;
    while (at < m->html.len) {
        const char *hit = memmem(m->html.at + at, m->html.len - at, "{{", 2);
        size_t braces = hit ? (size_t)(hit - m->html.at) : m->html.len;
        bool escaped = hit && braces > at && hit[-1] == '\\' && !(braces > at + 1 && hit[-2] == '\\');
        struct slice text = slice_make(m->html.at + at, braces - at);
        if (!hit || escaped) {
            text.len -= escaped;
            walk(m, text);
            if (escaped) walk(m, SLICE("{{"));
            at = escaped ? braces + 2 : braces;
            continue;
        }
        size_t end = tag_end(m->html, braces);
        if (!end) return err_set(m->err, ERR_INPUT, "a tag is not closed");
        struct slice tag = slice_make(hit, end - braces);
        walk(m, text_before(text, tag));
        if (put_tag(m, tag)) return -1;
        at = skip_behind(m->html, end);
    }
    return 0;
}

/* The tag without `~`, which is not empty then: it was compiled before. */
static void put_plain(struct buf *out, struct slice tag) {
    if (slice_starts(tag, SLICE("{{{{"))) {
        buf_put_slice(out, tag);
        return;
    }
    buf_put_text(out, "{{");
    buf_put_slice(out, inside_of(tag));
    buf_put_text(out, "}}");
    /* A partial alone on its line would take the line's end with it: now it is not alone. */
    if (inside_of(tag).at[0] == '>') buf_put_text(out, "{{!}}");
}

/* Text between tags. Braces that the HTML wrote as entities are no tags, and what stands right before or
 * behind a tag is not read as a part of it. */
static void put_literal(struct buf *out, struct slice text, bool behind_tag, bool before_tag) {
    if (text.len == 0) return;
    if (behind_tag && text.at[0] == '}') buf_put_text(out, "{{! }}");
    for (size_t i = 0; i < text.len; i++) {
        bool braces = i + 1 < text.len && text.at[i] == '{' && text.at[i + 1] == '{';
        if (braces && i && text.at[i - 1] == '\\') buf_put_text(out, "\\{{!}}"); /* two backslashes are one */
        if (braces) buf_put_text(out, "\\{"), i++;
        buf_put_c(out, text.at[i]);
    }
    char last = text.at[text.len - 1];
    if (before_tag && last == '{') buf_put_text(out, " ");
    if (before_tag && last == '\\') buf_put_c(out, '\\');
}

static void unmask(const struct masker *m, struct slice text) {
    bool behind_tag = false;
    while (text.len) {
        const char *open = memmem(text.at, text.len, HTML_TOKEN_OPEN, 3);
        size_t before = open ? (size_t)(open - text.at) : text.len;
        put_literal(m->out, slice_make(text.at, before), behind_tag, open != NULL);
        if (!open) return;
        struct slice token = slice_skip(text, before + 3);
        const char *close = memmem(token.at, token.len, HTML_TOKEN_CLOSE, 3);
        uint64_t number;
        size_t digits = close ? (size_t)(close - token.at) : 0;
        if (close && slice_to_u64(slice_make(token.at, digits), &number) && number < m->count)
            put_plain(m->out, m->tags[number]);
        behind_tag = true;
        text = close ? slice_skip(token, digits + 3) : token;
    }
}

static int convert(struct masker *m, struct buf *text, struct buf *out) {
    struct slice start = slice_trim(m->html);
    /* A parser takes comments at the beginning of what is only a part of a page for the page's own. */
    if (!slice_starts_nocase(start, SLICE("<!")) && !slice_starts_nocase(start, SLICE("<html")))
        buf_put_text(m->out, "<body>");
    if (mask(m)) return -1;
    if (m->out->failed) return err_set(m->err, ERR_INPUT, "the html is too large to make a text from it");
    struct slice masked = buf_slice(m->out);
    if (html_to_text(masked, text, m->err)) return -1;
    m->out = out;
    unmask(m, buf_slice(text));
    return text->failed || out->failed
               ? err_set(m->err, ERR_INPUT, "the text made from the html is too large")
               : 0;
}

int auto_text(struct slice html, struct buf *out, struct err *err) {
    enum { SLOTS = 1 << 18 };
    struct buf masked, text;
    struct masker m = {.html = html, .slot_mask = SLOTS - 1, .out = &masked, .err = err};
    m.tags = malloc(TAGS_MAX * sizeof *m.tags);
    m.slots = calloc(SLOTS, sizeof *m.slots);
    buf_init(&masked, MASKED_MAX);
    buf_init(&text, MASKED_MAX);
    int rc = m.tags && m.slots ? convert(&m, &text, out) : err_set(err, ERR_SYSTEM, "no memory");
    buf_done(&masked);
    buf_done(&text);
    free(m.tags);
    free(m.slots);
    return rc;
}
