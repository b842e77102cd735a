/* Walks the tree that gumbo makes of a mail's HTML. Blanks, line breaks and prefixes are html_lines.c's.
 *
 * gumbo takes more than linear time and memory for elements that lie deep in one another, so those are
 * counted before. It has no way to say that memory ran out: its allocator here is an arena with a limit,
 * which leaves by longjmp; nothing but the arena has to be freed then. */
#include "html_text.h"

#include "arena.h"
#include "codec.h"
#include "html_lines.h"

#include <gumbo.h>
#include <setjmp.h>
#include <stdio.h>

enum {
    TREE_MAX = 256 * 1024 * 1024,
    FRAMES = 1024,
    URL_MAX = 8192,
    SCAN_TABLE = 4000,
    NEAR = 64,
    ATTRIBUTES = 1000
};

/* An element under way. */
struct frame {
    size_t prefix;    /* what lines_pop takes */
    size_t link_from; /* <a>: length of the text before it */
    uint32_t number;  /* <ol>: of the next item; 0: its items are not numbered */
    bool tiny;        /* text of size 0 */
    bool pre;
    bool item; /* in a list's item */
    bool rows; /* a table of data, and what is in it */
    bool cell; /* a cell of it: line breaks are blanks */
};

struct walk {
    struct lines lines;
    struct buf *out;
    struct frame frames[FRAMES];
    size_t depth;
};

struct heap {
    struct arena arena;
    jmp_buf full;
};

static void *heap_alloc(void *heap, size_t n) {
    struct heap *h = heap;
    void *p = arena_alloc(&h->arena, n ? n : 1);
    if (!p) longjmp(h->full, 1);
    return p;
}

static void heap_free(void *heap, void *p) {
    (void)heap, (void)p; /* with the arena */
}

/* ---- before parsing ---- */

/* Elements that end without an end tag: never open in one another but through others. */
static bool ends_itself(GumboTag tag) {
    switch (tag) {
    case GUMBO_TAG_AREA:
    case GUMBO_TAG_BASE:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_BR:
    case GUMBO_TAG_COL:
    case GUMBO_TAG_COLGROUP:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_EMBED:
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_HTML:
    case GUMBO_TAG_IMG:
    case GUMBO_TAG_INPUT:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_LINK:
    case GUMBO_TAG_META:
    case GUMBO_TAG_OPTION:
    case GUMBO_TAG_P:
    case GUMBO_TAG_PARAM:
    case GUMBO_TAG_SOURCE:
    case GUMBO_TAG_TBODY:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TFOOT:
    case GUMBO_TAG_TH:
    case GUMBO_TAG_THEAD:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_WBR: return true;
    default: return false;
    }
}

/* The length of the name at the front of a tag. */
static size_t name_length(struct slice s) {
    size_t n = 0;
    while (n < s.len && !strchr(" \t\r\n\f/>", s.at[n]) && s.at[n])
        n++;
    return n;
}

/* The length of the comment in front. */
static size_t comment_length(struct slice s) {
    for (size_t i = 2; i + 2 < s.len; i++) {
        struct slice rest = slice_skip(s, i);
        if (slice_starts(rest, SLICE("-->"))) return i + 3;
        if (i > 3 && slice_starts(rest, SLICE("--!>"))) return i + 4;
    }
    return s.len;
}

/* The length of the tag in front, to its ">"; *attributes: how many it may have. */
static size_t tag_length(struct slice s, size_t *attributes) {
    enum { NAME, BEFORE_VALUE, PLAIN_VALUE, QUOTED_VALUE } state = NAME;
    char quote = 0;
    *attributes = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool space = c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
        if (state == QUOTED_VALUE) {
            if (c == quote) state = NAME, ++*attributes;
        } else if (c == '>') {
            return i + 1;
        } else if (state == BEFORE_VALUE) {
            if ((c == '"' || c == '\''))
                state = QUOTED_VALUE, quote = c;
            else if (!space)
                state = PLAIN_VALUE;
        } else if (space || c == '/') {
            ++*attributes;
            if (space) state = NAME;
        } else if (c == '=' && state == NAME) {
            state = BEFORE_VALUE;
        }
    }
    return s.len;
}

/* How deep do elements lie at most, how many tags are there and how many attributes in one? What is ordinary
 * is counted right or too high. Somebody who wants to can be counted too low (by way of <style>, whose
 * content is not told apart): that costs time, up to minutes, but neither memory nor stack. */
static int check_depth(struct slice html, struct err *err) {
    uint32_t open[GUMBO_TAG_LAST + 1] = {0};
    size_t depth = 0, tags = 0;
    for (size_t i = 0; i + 1 < html.len; i++) {
        if (html.at[i] != '<') continue;
        struct slice rest = slice_skip(html, i);
        if (slice_starts(rest, SLICE("<!--"))) {
            i += comment_length(rest) - 1;
            continue;
        }
        bool end = rest.at[1] == '/';
        size_t attributes;
        rest = slice_skip(rest, end ? 2 : 1);
        if (rest.len == 0 || !ascii_alpha(rest.at[0])) continue;
        i += tag_length(rest, &attributes);
        if (attributes > ATTRIBUTES)
            return err_set(err, ERR_INPUT, "the HTML has a tag with more than %d attributes", ATTRIBUTES);
        if (++tags > HTML_TAGS) return err_set(err, ERR_INPUT, "the HTML has more than %d tags", HTML_TAGS);
        GumboTag tag = gumbo_tagn_enum(rest.at, (unsigned)name_length(rest));
        if (ends_itself(tag)) continue;
        if (!end)
            open[tag]++, depth++;
        else if (open[tag])
            open[tag]--, depth--;
        if (depth > HTML_DEPTH)
            return err_set(err, ERR_INPUT, "the HTML has more than %d elements within one another",
                           HTML_DEPTH);
    }
    return 0;
}

/* ---- what an element is ---- */

static struct slice attribute(const GumboNode *node, const char *name) {
    const GumboAttribute *a = gumbo_get_attribute(&node->v.element.attributes, name);
    return a ? slice_of(a->value) : (struct slice){NULL, 0};
}

/* The value of a property in a style attribute, without "!important". */
static struct slice style(const GumboNode *node, struct slice property) {
    struct slice rest = attribute(node, "style"), one, found = {NULL, 0};
    while (rest.at && slice_cut(&rest, ';', &one)) {
        struct slice name;
        if (!slice_cut(&one, ':', &name) || !slice_eq_nocase(slice_trim(name), property)) continue;
        ptrdiff_t bang = one.at ? slice_find(one, '!') : -1;
        if (bang >= 0) one.len = (size_t)bang;
        if (one.at) found = slice_trim(one);
    }
    return found;
}

static bool style_is(const GumboNode *node, struct slice property, struct slice value) {
    return slice_eq_nocase(style(node, property), value);
}

/* 0, 0px, 0.0em, ... */
static bool is_zero(struct slice size) {
    size_t n = 0;
    while (n < size.len && (size.at[n] == '0' || size.at[n] == '.'))
        n++;
    return n && (n == size.len || !ascii_digit(size.at[n]));
}

static bool never_shown(GumboTag tag) {
    switch (tag) {
    case GUMBO_TAG_APPLET:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_DATALIST:
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_MAP:
    case GUMBO_TAG_MATH:
    case GUMBO_TAG_NOEMBED:
    case GUMBO_TAG_NOFRAMES:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_TITLE:
    case GUMBO_TAG_VIDEO: return true;
    default: return false;
    }
}

static bool hidden(const GumboNode *node) {
    const GumboElement *e = &node->v.element;
    if (e->tag_namespace != GUMBO_NAMESPACE_HTML || never_shown(e->tag)) return true;
    if (e->attributes.length == 0) return false;
    return attribute(node, "hidden").at || style_is(node, SLICE("display"), SLICE("none")) ||
           style_is(node, SLICE("visibility"), SLICE("hidden")) ||
           is_zero(style(node, SLICE("max-height"))) || is_zero(style(node, SLICE("opacity")));
}

/* How many line breaks stand before and behind it; 0: it is part of a line. */
static unsigned block_breaks(const GumboNode *node) {
    switch (node->v.element.tag) {
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_P:
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_UL: return 2;
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_DIR:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_LEGEND:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_MENU:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_TBODY:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TFOOT:
    case GUMBO_TAG_TH:
    case GUMBO_TAG_THEAD:
    case GUMBO_TAG_TR: return 1;
    default: return style_is(node, SLICE("display"), SLICE("block")) ? 1 : 0;
    }
}

/* ---- tokens ---- */

struct token {
    uint32_t number;
    enum lines_token kind;
};

static bool read_token(const GumboNode *node, struct token *t) {
    struct slice rest, number;
    uint64_t value;
    if (node->type != GUMBO_NODE_COMMENT) return false;
    rest = slice_of(node->v.text.text);
    if (!slice_starts(rest, SLICE("tsubame:"))) return false;
    rest = slice_skip(rest, strlen("tsubame:"));
    if (!slice_cut(&rest, ':', &number) || number.len > 9 || !slice_to_u64(number, &value)) return false;
    t->number = (uint32_t)value;
    if (!rest.at)
        t->kind = LINES_VALUE;
    else if (slice_eq(rest, SLICE("open")))
        t->kind = LINES_OPEN;
    else if (slice_eq(rest, SLICE("else")))
        t->kind = LINES_ELSE;
    else if (slice_eq(rest, SLICE("close")))
        t->kind = LINES_CLOSE;
    else
        return false;
    return true;
}

static const GumboNode *child(const GumboNode *node, size_t i) {
    const GumboVector *v =
        node->type == GUMBO_NODE_DOCUMENT ? &node->v.document.children : &node->v.element.children;
    bool has = node->type == GUMBO_NODE_DOCUMENT || node->type == GUMBO_NODE_ELEMENT ||
               node->type == GUMBO_NODE_TEMPLATE;
    return has && i < v->length ? v->data[i] : NULL;
}

/* Does what follows a mark begin a line of its own? Looks past marks and blanks; nothing more: yes. */
static bool block_follows(const GumboNode *node) {
    struct token t;
    const GumboNode *next = node;
    for (size_t i = 0; i < NEAR && (next = child(next->parent, next->index_within_parent + 1)); i++) {
        switch (next->type) {
        case GUMBO_NODE_ELEMENT: return hidden(next) || block_breaks(next) > 0;
        case GUMBO_NODE_TEXT:
        case GUMBO_NODE_CDATA: return false;
        case GUMBO_NODE_COMMENT:
            if (read_token(next, &t) && t.kind == LINES_VALUE) return false;
            break;
        default: break;
        }
    }
    return true;
}

/* Is there a block's mark among its children? Then they may be there any number of times. */
static bool has_marks(const GumboNode *node) {
    struct token t;
    const GumboNode *c;
    for (size_t i = 0; (c = child(node, i)); i++)
        if (read_token(c, &t) && t.kind != LINES_VALUE) return true;
    return false;
}

/* ---- tables ---- */

/* The node after this one inside root, in the order of the source. */
static const GumboNode *next_inside(const GumboNode *root, const GumboNode *node) {
    const GumboNode *next = child(node, 0);
    while (!next && node != root) {
        next = child(node->parent, node->index_within_parent + 1);
        node = node->parent;
    }
    return next;
}

/* A table of data has rows of several cells without blocks in them, or a heading; a table of layout says so
 * or looks different. */
static bool is_data(const GumboNode *table) {
    struct slice role = attribute(table, "role");
    size_t cells = 0, most = 0, rows = 0, left = SCAN_TABLE;
    bool heading = false, blocks = false;
    if (slice_eq_nocase(role, SLICE("presentation")) || slice_eq_nocase(role, SLICE("none"))) return false;
    for (const GumboNode *n = table; (n = next_inside(table, n)) && left; left--) {
        if (n->type != GUMBO_NODE_ELEMENT) continue;
        GumboTag tag = n->v.element.tag;
        if (tag == GUMBO_TAG_TABLE) return false;
        if (tag == GUMBO_TAG_TR)
            cells = 0, rows++;
        else if (tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH)
            most = ++cells > most ? cells : most;
        else if (tag != GUMBO_TAG_CAPTION && tag != GUMBO_TAG_TBODY && tag != GUMBO_TAG_THEAD &&
                 tag != GUMBO_TAG_TFOOT)
            blocks |= block_breaks(n) > 0;
        heading |= tag == GUMBO_TAG_TH;
    }
    return most > 1 && (heading || !blocks);
}

/* Is there a cell before this one in its row, or, because of a block's mark, may there be? */
static bool cell_before(const GumboNode *cell) {
    struct token t;
    for (size_t i = 1; i <= cell->index_within_parent && i <= NEAR; i++) {
        const GumboNode *before = child(cell->parent, cell->index_within_parent - i);
        if (before->type == GUMBO_NODE_ELEMENT || (read_token(before, &t) && t.kind != LINES_VALUE))
            return true;
    }
    return false;
}

/* ---- links ---- */

/* The address as it may stand between < and >; empty if it leads nowhere. */
static void link_address(struct slice href, struct buf *url) {
    href = slice_trim(href);
    if (href.len == 0 || href.at[0] == '#' || slice_starts_nocase(href, SLICE("javascript:")) ||
        slice_starts_nocase(href, SLICE("vbscript:")) || slice_starts_nocase(href, SLICE("data:")))
        return;
    for (size_t i = 0; i < href.len; i++) {
        char c = href.at[i];
        if (c == ' ' || c == '<' || c == '>')
            buf_printf(url, "%%%02X", c);
        else if ((unsigned char)c > ' ' && c != 0x7F)
            buf_put_c(url, c);
    }
    if (url->failed) buf_reset(url); /* longer than any reader follows */
}

/* What people call the address: without scheme, and without the slash or query at its end. */
static struct slice spoken(struct slice url) {
    static const char *const schemes[] = {"https://", "http://", "mailto:", "tel:", "sms:"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!slice_starts_nocase(url, slice_of(schemes[i]))) continue;
        ptrdiff_t query = i > 1 ? slice_find(url, '?') : -1;
        if (query >= 0) url.len = (size_t)query;
        url = slice_skip(url, strlen(schemes[i]));
        break;
    }
    if (url.len && url.at[url.len - 1] == '/') url.len--;
    return url;
}

/* Does a link's text already say where it leads? */
static bool says(struct slice text, struct slice url) {
    if (slice_starts_nocase(url, SLICE("tel:")) || slice_starts_nocase(url, SLICE("sms:")))
        return text.len > 0;
    if (!slice_eq_nocase(spoken(text), spoken(url))) return false;
    return !slice_starts_nocase(url, SLICE("http")) || slice_starts_nocase(text, SLICE("http"));
}

/* Behind a link's text: its address, if the text is not that. */
static void end_link(struct walk *w, const GumboNode *a, const struct frame *f) {
    struct buf url, marked;
    buf_init(&url, URL_MAX);
    buf_init(&marked, URL_MAX + 2);
    link_address(attribute(a, "href"), &url);
    struct slice text = slice_trim(slice_make(w->out->at + f->link_from, w->out->len - f->link_from));
    if (url.len && !f->tiny && !says(text, buf_slice(&url))) {
        bool mail = slice_starts_nocase(buf_slice(&url), SLICE("mailto:"));
        buf_put_c(&marked, '<');
        buf_put_slice(&marked, mail ? spoken(buf_slice(&url)) : buf_slice(&url));
        buf_put_c(&marked, '>');
        if (text.len)
            lines_append(&w->lines, buf_slice(&marked));
        else
            lines_text(&w->lines, buf_slice(&marked), false);
    }
    buf_done(&url);
    buf_done(&marked);
}

/* ---- the walk ---- */

static void enter_item(struct walk *w, const GumboNode *li, struct frame *f, struct frame *list) {
    struct slice value = attribute(li, "value");
    uint64_t number;
    char text[16];
    f->item = true;
    if (list->number && slice_to_u64(value, &number) && number && number < 1000000)
        list->number = (uint32_t)number;
    int n = list->number ? snprintf(text, sizeof text, "%u. ", list->number++)
                         : snprintf(text, sizeof text, "- ");
    lines_push(&w->lines, slice_make(text, (size_t)n), true);
}

static void enter_list(const GumboNode *node, struct frame *f) {
    uint64_t start = 1;
    f->number = 0;
    if (node->v.element.tag != GUMBO_TAG_OL || has_marks(node)) return;
    if (!slice_to_u64(attribute(node, "start"), &start) || start == 0 || start > 1000000) start = 1;
    f->number = (uint32_t)start;
}

static void enter_cell(struct walk *w, const GumboNode *cell, struct frame *f) {
    if (!f->rows) return;
    f->cell = true;
    if (cell_before(cell)) {
        lines_blank(&w->lines);
        lines_text(&w->lines, SLICE("|"), false);
        lines_blank(&w->lines);
    }
    w->lines.flat++;
}

static void put_image(struct walk *w, const GumboNode *img) {
    struct slice alt = slice_trim(attribute(img, "alt"));
    lines_text(&w->lines, alt, false);
}

/* Which line breaks there are around it. */
static unsigned breaks_here(const GumboNode *node, const struct frame *f) {
    GumboTag tag = node->v.element.tag;
    unsigned breaks = block_breaks(node);
    bool cell = tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH;
    if (f->rows && cell) return 0;
    if (!f->rows && tag == GUMBO_TAG_TR) return 2;
    if (f->item && (tag == GUMBO_TAG_UL || tag == GUMBO_TAG_OL)) return 1;
    return breaks;
}

static void set_size(const GumboNode *node, struct frame *f) {
    struct slice size = style(node, SLICE("font-size"));
    if (size.len == 0) size = style(node, SLICE("font"));
    if (size.len == 0) return;
    f->tiny = is_zero(size);
}

/* frames[depth] is its own, made from its parent's. */
static void enter_element(struct walk *w, const GumboNode *node) {
    struct lines *l = &w->lines;
    struct frame *parent = &w->frames[w->depth - 1], *f = &w->frames[w->depth];
    *f = *parent;
    if (node->v.element.attributes.length) set_size(node, f);
    if (node->v.element.tag == GUMBO_TAG_TABLE) f->rows = is_data(node), f->item = false;
    unsigned breaks = breaks_here(node, f);
    if (breaks) lines_break(l, breaks);
    f->prefix = l->prefix_len;
    switch (node->v.element.tag) {
    case GUMBO_TAG_A: f->link_from = w->out->len; break;
    case GUMBO_TAG_BLOCKQUOTE: lines_push(l, SLICE("> "), false); break;
    case GUMBO_TAG_BR: lines_newline(l); break;
    case GUMBO_TAG_DD: lines_push(l, SLICE("  "), false); break;
    case GUMBO_TAG_HR: lines_text(l, SLICE("--------------------"), false); break;
    case GUMBO_TAG_IMG: put_image(w, node); break;
    case GUMBO_TAG_LI: enter_item(w, node, f, parent); break;
    case GUMBO_TAG_OL:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_MENU: enter_list(node, f); break;
    case GUMBO_TAG_PRE: f->pre = true; break;
    case GUMBO_TAG_Q: lines_text(l, SLICE("\""), false); break;
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH: enter_cell(w, node, f); break;
    default: break;
    }
}

static void leave_element(struct walk *w, const GumboNode *node) {
    struct lines *l = &w->lines;
    struct frame *f = &w->frames[w->depth];
    GumboTag tag = node->v.element.tag;
    if (tag == GUMBO_TAG_A) end_link(w, node, f);
    if (tag == GUMBO_TAG_Q) lines_text(l, SLICE("\""), false);
    if (f->cell && !w->frames[w->depth - 1].cell) l->flat--;
    lines_pop(l, f->prefix);
    unsigned breaks = breaks_here(node, f);
    if (breaks) lines_break(l, breaks);
}

/* Text, a comment or an element without content of interest. */
static void put_leaf(struct walk *w, const GumboNode *node) {
    const struct frame *f = &w->frames[w->depth];
    struct token t;
    if (node->type == GUMBO_NODE_COMMENT) {
        if (read_token(node, &t) && (!f->tiny || t.kind != LINES_VALUE))
            lines_token(&w->lines, t.number, t.kind, t.kind == LINES_OPEN && block_follows(node));
    } else if (!f->tiny) {
        lines_text(&w->lines, slice_of(node->v.text.text), f->pre);
    }
}

/* Every node once, without recursion. */
static int walk_tree(struct walk *w, const GumboNode *root, struct err *err) {
    const GumboNode *node = root;
    while (node && !w->out->failed) {
        bool element = node->type == GUMBO_NODE_ELEMENT && !hidden(node);
        const GumboNode *next = NULL;
        if (element) {
            if (++w->depth == FRAMES)
                return err_set(err, ERR_INPUT, "the HTML has more than %d elements within one another",
                               HTML_DEPTH);
            enter_element(w, node);
            next = child(node, 0);
            if (!next) leave_element(w, node), w->depth--;
        } else if (node->type == GUMBO_NODE_DOCUMENT) {
            next = child(node, 0);
        } else if (node->type != GUMBO_NODE_ELEMENT && node->type != GUMBO_NODE_TEMPLATE) {
            put_leaf(w, node);
        }
        while (!next && node != root) {
            next = child(node->parent, node->index_within_parent + 1);
            node = node->parent;
            if (!next && node->type == GUMBO_NODE_ELEMENT) leave_element(w, node), w->depth--;
        }
        node = next;
    }
    return 0;
}

static int convert(struct heap *heap, struct walk *w, struct slice html, struct err *err) {
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = heap_alloc;
    options.deallocator = heap_free;
    options.userdata = heap;
    options.max_errors = 0;
    if (setjmp(heap->full)) return err_set(err, ERR_INPUT, "the HTML takes too much memory to read");
    const GumboOutput *tree = gumbo_parse_with_options(&options, html.at ? html.at : "", html.len);
    if (walk_tree(w, tree->document, err)) return -1;
    lines_end(&w->lines);
    return 0;
}

int html_to_text(struct slice html, struct buf *out, struct err *err) {
    struct heap heap;
    struct walk w = {.out = out};
    if (html.len > HTML_MAX) return err_set(err, ERR_INPUT, "the HTML is larger than %d bytes", HTML_MAX);
    if (!codec_utf8_valid(html)) return err_set(err, ERR_INPUT, "the HTML is not UTF-8");
    if (check_depth(html, err)) return -1;
    arena_init(&heap.arena, TREE_MAX);
    lines_begin(&w.lines, out);
    int rc = convert(&heap, &w, html, err);
    arena_done(&heap.arena);
    return rc;
}
