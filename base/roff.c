/* Text to roff. A line of output never begins with what a line of input did, so nothing can become a request.
 */
#include "roff.h"

enum { WIDTH = 72 };

/* What a terminal shows must be what can be typed: groff turns plain ones into typographic signs. */
static void put_char(struct buf *out, char c) {
    switch (c) {
    case '\\': buf_put_text(out, "\\e"); break;
    case '\'': buf_put_text(out, "\\(aq"); break;
    case '`': buf_put_text(out, "\\(ga"); break;
    case '^': buf_put_text(out, "\\(ha"); break;
    case '~': buf_put_text(out, "\\(ti"); break;
    case '"': buf_put_text(out, "\\(dq"); break; /* else it would part a macro's arguments */
    default: buf_put_c(out, c);
    }
}

/* minus: hyphens are ones that are typed. */
static void put_escaped(struct buf *out, struct slice text, bool minus) {
    if (text.len && (text.at[0] == '.' || text.at[0] == '\'')) buf_put_text(out, "\\&");
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == '-' && minus)
            buf_put_text(out, "\\-");
        else
            put_char(out, text.at[i]);
}

static void put_typed(struct buf *out, const char *text) {
    put_escaped(out, slice_of(text), true);
}

void roff_title(struct buf *out, const char *name, unsigned section, const char *date, const char *version) {
    buf_put_text(out, ".TH ");
    for (const char *c = name; *c; c++)
        if (*c == '-')
            buf_put_text(out, "\\-");
        else
            buf_put_c(out, (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
    buf_printf(out, " %u %s \"tsubame %s\"\n", section, date, version);
    buf_put_text(out, ".nr HY 0\n.ad l\n"); /* a command that is parted can't be copied */
}

void roff_section(struct buf *out, const char *heading) {
    buf_put_text(out, ".SH ");
    put_typed(out, heading);
    buf_put_c(out, '\n');
}

void roff_subsection(struct buf *out, const char *heading) {
    buf_put_text(out, ".SS ");
    put_typed(out, heading);
    buf_put_c(out, '\n');
}

void roff_name(struct buf *out, const char *name, const char *summary) {
    roff_section(out, "NAME");
    put_typed(out, name);
    buf_put_text(out, " \\- ");
    put_escaped(out, slice_of(summary), false);
    buf_put_c(out, '\n');
}

/* Is it an option or a key, whose hyphens are typed: "--dry-run", "(-t". Dashes between words are not. */
static bool is_typed(struct slice word) {
    while (word.len && strchr("([", word.at[0]))
        word = slice_skip(word, 1);
    return word.len > 1 && word.at[0] == '-';
}

struct flow {
    struct buf *out;
    size_t column;
    bool bold; /* between backquotes */
};

static void put_word(struct flow *f, struct slice word) {
    bool minus = is_typed(word);
    if (f->column && f->column + 1 + word.len > WIDTH) {
        buf_put_c(f->out, '\n');
        f->column = 0;
    } else if (f->column) {
        buf_put_c(f->out, ' ');
        f->column++;
    }
    f->column += word.len;
    if (word.at[0] == '.' || word.at[0] == '\'') buf_put_text(f->out, "\\&");
    for (size_t i = 0; i < word.len; i++) {
        char c = word.at[i];
        if (c == '`') {
            f->bold = !f->bold;
            buf_put_text(f->out, f->bold ? "\\fB" : "\\fR");
        } else if (c == '-' && (minus || f->bold)) {
            buf_put_text(f->out, "\\-");
        } else {
            put_char(f->out, c);
        }
    }
}

/* The words of one paragraph in lines of their own. A backquote without its second one ends with it. */
static void put_paragraph(struct buf *out, struct slice text) {
    struct flow f = {.out = out};
    struct slice line, word;
    while (slice_cut(&text, '\n', &line))
        while (slice_cut(&line, ' ', &word))
            if (word.len) put_word(&f, word);
    if (f.bold) buf_put_text(out, "\\fR");
    if (f.column) buf_put_c(out, '\n');
}

static bool begins_blank(struct slice line) {
    return line.len >= 2 && line.at[0] == ' ' && line.at[1] == ' ';
}

/* A heading brings the space that a paragraph would. */
static void begin_paragraph(struct buf *out) {
    size_t at = out->len;
    while (at > 1 && out->at[at - 2] != '\n')
        at--;
    struct slice line = slice_skip(buf_slice(out), at ? at - 1 : 0);
    if (!slice_starts(line, slice_of(".SH ")) && !slice_starts(line, slice_of(".SS ")))
        buf_put_text(out, ".PP\n");
}

static size_t blanks(struct slice line) {
    size_t n = 0;
    while (n < line.len && line.at[n] == ' ')
        n++;
    return n;
}

/* Where the explanation begins in a line "  term  explanation"; 0 when it is none. */
static size_t explanation(struct slice line) {
    ptrdiff_t gap = -1;
    if (blanks(line) != 2) return 0;
    for (size_t i = 3; i + 2 < line.len && gap < 0; i++)
        if (line.at[i] == ' ' && line.at[i + 1] == ' ') gap = (ptrdiff_t)i;
    return gap < 0 ? 0 : (size_t)gap + blanks(slice_skip(line, (size_t)gap));
}

static bool stands_at(struct slice line, size_t column) {
    return line.len > column && line.at[column - 1] == ' ' && line.at[column] != ' ';
}

/* The column of explanations of a table: each line has its own there, or goes on with the one above. 0 when
 * it is no table. */
static size_t table_column(struct slice lines) {
    struct slice line;
    size_t column = 0;
    for (unsigned i = 0; slice_cut(&lines, '\n', &line); i++) {
        if (i == 0) column = explanation(line);
        if (column == 0 || !stands_at(line, column)) return 0;
        if (blanks(line) != 2 && blanks(line) != column) return 0;
    }
    return column;
}

static void put_table(struct buf *out, struct slice lines, size_t column) {
    struct slice line;
    while (slice_cut(&lines, '\n', &line)) {
        struct slice text = slice_skip(line, column), more = lines;
        struct slice term = slice_trim(slice_make(line.at, column));
        while (slice_cut(&more, '\n', &line) && blanks(line) == column)
            lines = more, text.len = (size_t)(line.at + line.len - text.at);
        buf_put_text(out, ".TP\n\\fB");
        put_escaped(out, term, true);
        buf_put_text(out, "\\fR\n");
        put_paragraph(out, text);
    }
}

void roff_lines(struct buf *out, struct slice lines) {
    struct slice line, rest = lines;
    bool all = true;
    while (slice_cut(&rest, '\n', &line))
        all = all && (line.len == 0 || begins_blank(line));
    begin_paragraph(out);
    buf_put_text(out, ".in +4n\n.EX\n");
    while (slice_cut(&lines, '\n', &line)) {
        if (all) line = slice_skip(line, line.len < 2 ? line.len : 2);
        if (line.len == 0 && lines.len == 0) break;
        if (line.len == 0 || line.at[0] == ' ') buf_put_text(out, "\\&");
        put_escaped(out, line, true);
        buf_put_c(out, '\n');
    }
    buf_put_text(out, ".EE\n.in\n");
}

void roff_text(struct buf *out, struct slice text) {
    while (text.len) {
        struct slice line, rest = text, part = {text.at, 0};
        bool block = begins_blank(text);
        /* Up to an empty line, or where running text and block meet. */
        while (rest.len && begins_blank(rest) == block && slice_cut(&rest, '\n', &line) && line.len)
            part.len = (size_t)(line.at + line.len - text.at);
        size_t column = block ? table_column(part) : 0;
        if (column)
            put_table(out, part, column);
        else if (part.len && block)
            roff_lines(out, part);
        if (part.len && !block) {
            begin_paragraph(out);
            put_paragraph(out, part);
        }
        text = slice_skip(text, part.len < text.len ? part.len + 1 : text.len);
    }
}

void roff_entry(struct buf *out, const char *term, const char *value, struct slice text) {
    buf_put_text(out, ".TP\n\\fB");
    put_typed(out, term);
    buf_put_text(out, "\\fR");
    if (value) {
        buf_put_text(out, " \\fI");
        put_typed(out, value);
        buf_put_text(out, "\\fR");
    }
    buf_put_c(out, '\n');
    put_paragraph(out, text);
}

void roff_more(struct buf *out, struct slice text) {
    buf_put_text(out, ".IP\n");
    put_paragraph(out, text);
}

void roff_reference(struct buf *out, const char *name, unsigned section, bool more) {
    buf_put_text(out, ".BR ");
    put_typed(out, name);
    buf_printf(out, " (%u)%s\n", section, more ? "," : "");
}
