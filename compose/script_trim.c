/* White space control, as Handlebars 4 has it: {{~ and ~}} take away all white space at their side; a block's
 * tag, a comment or a partial that stands alone on its line takes its line with it. */
#include "codec.h"
#include "script_node.h"

/* The longest white space character has three bytes. */
static bool space_character(struct slice c) {
    static const char *const wide[] = {"\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                       "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "\xEF\xBB\xBF"};
    if (c.len == 1) return c.at[0] == ' ' || (c.at[0] >= '\t' && c.at[0] <= '\r');
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (slice_eq(c, slice_of(wide[i]))) return true;
    return c.len == 3 && memcmp(c.at, "\xE2\x80", 2) == 0 && (unsigned char)c.at[2] <= 0x8A;
}

size_t script_space_front(struct slice text) {
    if (text.len == 0 || ((unsigned char)text.at[0] > ' ' && (unsigned char)text.at[0] < 0x80)) return 0;
    size_t n = codec_utf8_next(text);
    return n && space_character(slice_make(text.at, n)) ? n : 0;
}

size_t script_space_back(struct slice text) {
    size_t n = 1;
    if (text.len == 0) return 0;
    while (n < 3 && n < text.len && (text.at[text.len - n] & 0xC0) == 0x80)
        n++;
    return space_character(slice_make(text.at + text.len - n, n)) ? n : 0;
}

/* Where the white space at the end begins. */
static size_t trailing_space(struct slice text) {
    size_t n;
    while ((n = script_space_back(text)) > 0)
        text.len -= n;
    return text.len;
}

static size_t leading_space(struct slice text) {
    size_t n, all = 0;
    while ((n = script_space_front(slice_skip(text, all))) > 0)
        all += n;
    return all;
}

/* Does the line that ends in front of `prev`'s successor hold nothing? */
static bool blank_before(const struct node *prev, bool root) {
    if (!prev) return root;
    if (prev->kind != NODE_TEXT) return false;
    size_t from = trailing_space(prev->original);
    struct slice space = slice_skip(prev->original, from);
    return slice_find(space, '\n') >= 0 || (from == 0 && root && !prev->prev);
}

static bool blank_after(const struct node *next, bool root) {
    if (!next) return root;
    if (next->kind != NODE_TEXT) return false;
    size_t to = leading_space(next->original);
    return slice_find(slice_make(next->original.at, to), '\n') >= 0 ||
           (to == next->original.len && root && !next->next);
}

/* Takes white space off the node's front: all of it, or blanks and one line end. */
static void trim_front(struct node *n, bool all) {
    if (!n || n->kind != NODE_TEXT || (!all && n->right_stripped)) return;
    size_t cut = 0, len = n->value.len;
    if (all) {
        cut = leading_space(n->value);
    } else {
        while (cut < len && ascii_space(n->value.at[cut]))
            cut++;
        cut += cut < len && n->value.at[cut] == '\r';
        cut += cut < len && n->value.at[cut] == '\n';
    }
    n->value = slice_skip(n->value, cut);
    n->right_stripped = cut > 0;
}

/* Takes white space off the node's end: all of it, or blanks. Was there any? */
static bool trim_back(struct node *n, bool all) {
    if (!n || n->kind != NODE_TEXT || (!all && n->left_stripped)) return false;
    size_t before = n->value.len;
    if (all)
        n->value.len = trailing_space(n->value);
    else
        while (n->value.len && ascii_space(n->value.at[n->value.len - 1]))
            n->value.len--;
    n->left_stripped = n->value.len < before;
    return n->left_stripped;
}

static struct node *first_of(const struct body *b) {
    return b ? b->first : NULL;
}

static struct node *last_of(const struct body *b) {
    return b ? b->last : NULL;
}

static void trim_body(struct body *body, bool root);

/* What is inside of the block; *opens, *closes: may its tags stand alone on their lines? */
static void trim_block(struct node *n, bool *opens, bool *closes) {
    if (n->program) trim_body(n->program, false);
    if (n->inverse) trim_body(n->inverse, false);
    struct body *program = n->program ? n->program : n->inverse;
    struct body *inverse = n->program ? n->inverse : NULL, *first = inverse, *last = inverse;
    if (inverse && inverse->chained) {
        first = inverse->first->program;
        while (last->chained && last->last->kind == NODE_BLOCK && last->last->program)
            last = last->last->program;
    }
    *opens = blank_after(first_of(program), false);
    *closes = blank_before(last_of(first ? first : program), false);
    if (n->open.close) trim_front(first_of(program), true);
    if (!inverse) {
        if (n->close.open) trim_back(last_of(program), true);
        return;
    }
    if (n->inverse_strip.open) trim_back(last_of(program), true);
    if (n->inverse_strip.close) trim_front(first_of(first), true);
    if (n->close.open) trim_back(last_of(last), true);
    if (blank_before(last_of(program), false) && blank_after(first_of(first), false)) {
        trim_back(last_of(program), false);
        trim_front(first_of(first), false);
    }
}

/* The blanks at the end of a text: how far a partial that stands alone is indented. */
static struct slice indent_of(struct slice text) {
    size_t n = text.len;
    while (n && ascii_space(text.at[n - 1]))
        n--;
    return slice_skip(text, n);
}

static void trim_node(struct node *n, bool root) {
    bool alone = n->kind == NODE_PARTIAL || n->kind == NODE_COMMENT, opens = false, closes = false;
    struct strip strip = n->open;
    if (n->kind == NODE_TEXT) return;
    if (n->kind == NODE_BLOCK || n->kind == NODE_INLINE || n->kind == NODE_PARTIAL_BLOCK) {
        trim_block(n, &opens, &closes);
        strip = (struct strip){n->open.open, n->close.close};
    }
    bool before = blank_before(n->prev, root), after = blank_after(n->next, root);
    if (strip.close) trim_front(n->next, true);
    if (strip.open) trim_back(n->prev, true);
    if (alone && before && after) {
        trim_front(n->next, false);
        if (trim_back(n->prev, false) && n->kind == NODE_PARTIAL) n->indent = indent_of(n->prev->original);
    }
    if (opens && before) {
        trim_front(first_of(n->program ? n->program : n->inverse), false);
        trim_back(n->prev, false);
    }
    if (closes && after) {
        trim_front(n->next, false);
        trim_back(last_of(n->inverse ? n->inverse : n->program), false);
    }
}

static void trim_body(struct body *body, bool root) {
    for (struct node *n = body->first; n; n = n->next)
        trim_node(n, root);
}

void script_trim(struct body *root) {
    trim_body(root, true);
}
