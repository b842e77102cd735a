/* Reads rules from text: the format of rules/README.md. Every fault is told with its line and with what was
 * expected there. */
#include "ruleset.h"

#include "buf.h"

enum { LINE_MOST = 65536, EXPANSIONS_MOST = 256, NAME_MOST = 64, SHOWN_MOST = 80 };

struct reading {
    struct rule_draft *draft;
    const char *name;
    unsigned line;
    struct err *err;
};

#define FAULT(r, ...) fault((r), __VA_ARGS__)

static int fault(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fault(struct reading *r, const char *format, ...) {
    struct buf text;
    buf_init(&text, 400);
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    if (text.failed)
        err_set(r->err, ERR_INPUT, "%s:%u: the line is wrong", r->name, r->line);
    else
        err_set(r->err, ERR_INPUT, "%s:%u: %.*s", r->name, r->line, (int)text.len, text.at);
    buf_done(&text);
    return -1;
}

static int no_memory(struct reading *r) {
    return err_set(r->err, ERR_SYSTEM, "%s:%u: out of memory for rules", r->name, r->line);
}

/* What is quoted in a message: not too much of it. */
static struct slice part(struct slice s) {
    if (s.len > NAME_MOST) s.len = NAME_MOST;
    return s;
}

/* The next word of *rest, at blanks; false when there is none. */
static bool next_word(struct slice *rest, struct slice *word) {
    *rest = slice_trim(*rest);
    size_t n = 0;
    while (n < rest->len && !ascii_space(rest->at[n]))
        n++;
    *word = slice_make(rest->at, n);
    *rest = slice_skip(*rest, n);
    return n > 0;
}

static bool good_name(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_alpha(s.at[i]) && !ascii_digit(s.at[i]) && s.at[i] != '-' && s.at[i] != '_' &&
            s.at[i] != '.')
            return false;
    return s.len > 0 && s.len <= NAME_MOST;
}

/* Families are named in capitals. */
static bool family_name(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (!(s.at[i] >= 'A' && s.at[i] <= 'Z') && s.at[i] != '-' && s.at[i] != '_') return false;
    return s.len > 0 && s.len <= NAME_MOST;
}

/* ---- families ---- */

static int add_phrase(struct reading *r, struct family *f, struct slice text) {
    struct rule_draft *d = r->draft;
    struct phrase *p = arena_zalloc(d->makings, sizeof *p);
    struct slice rest = text, piece;
    if (!p) return no_memory(r);
    while (next_word(&rest, &piece)) {
        struct words words;
        bool label = piece.at[0] == '.';
        words_split(label ? slice_skip(piece, 1) : piece, &words);
        for (unsigned i = 0; i < words.count; i++) {
            if (p->count == PHRASE_WORDS_MOST)
                return FAULT(r, "expected at most %d words in a phrase: '%.*s'", PHRASE_WORDS_MOST,
                             SLICE_ARG(part(text)));
            p->words[p->count++] = label ? words_as_label(words.at[i]) : words.at[i];
        }
    }
    if (!p->count) return FAULT(r, "expected words, got '%.*s'", SLICE_ARG(part(text)));
    if (f->phrase_count == PHRASES_MOST || d->phrase_count == 4 * PHRASES_MOST)
        return FAULT(r, "expected fewer phrases: there are too many now");
    p->next = f->phrases;
    f->phrases = p;
    f->phrase_count++;
    d->phrase_count++;
    return 0;
}

/* "word(a|b|)": one phrase for each way to read it. */
static int expand(struct reading *r, struct family *f, struct slice text, unsigned *budget) {
    ptrdiff_t open = slice_find(text, '(');
    if (open < 0) {
        if (slice_find(text, ')') >= 0)
            return FAULT(r, "expected a '(' before the ')' in '%.*s'", SLICE_ARG(part(text)));
        if ((*budget)-- == 0) return FAULT(r, "expected at most %d ways to read a phrase", EXPANSIONS_MOST);
        return add_phrase(r, f, text);
    }
    struct slice head = slice_make(text.at, (size_t)open), tail = slice_skip(text, (size_t)open + 1), one;
    ptrdiff_t close = slice_find(tail, ')');
    if (close < 0) return FAULT(r, "expected a ')' behind '%.*s'", SLICE_ARG(part(text)));
    struct slice choices = slice_make(tail.at, (size_t)close);
    if (slice_find(choices, '(') >= 0) return FAULT(r, "expected no '(' inside of '(...)'");
    tail = slice_skip(tail, (size_t)close + 1);
    bool last = false;
    while (!last) {
        ptrdiff_t bar = slice_find(choices, '|');
        last = bar < 0;
        one = last ? choices : slice_make(choices.at, (size_t)bar);
        if (!last) choices = slice_skip(choices, (size_t)bar + 1);
        struct buf whole;
        buf_init(&whole, LINE_MOST * 2);
        buf_put_slice(&whole, head);
        buf_put_slice(&whole, one);
        buf_put_slice(&whole, tail);
        int failed = whole.failed ? no_memory(r) : expand(r, f, buf_slice(&whole), budget);
        buf_done(&whole);
        if (failed) return -1;
    }
    return 0;
}

static struct family *find_family(const struct rule_draft *d, struct slice name, bool defined) {
    for (unsigned i = 0; i < d->family_count; i++)
        if (d->families[i].defined == defined && slice_eq(d->families[i].name, name)) return &d->families[i];
    return NULL;
}

static struct family *new_family(struct reading *r, struct slice name, bool defined) {
    struct rule_draft *d = r->draft;
    if (d->family_count == FAMILIES_MOST) {
        FAULT(r, "expected fewer families of phrases: there are %d now", FAMILIES_MOST);
        return NULL;
    }
    struct family *f = &d->families[d->family_count];
    *f = (struct family){.defined = defined};
    if (!arena_copy(d->makings, name, &f->name)) {
        no_memory(r);
        return NULL;
    }
    d->family_count++;
    return f;
}

static int include_family(struct reading *r, struct family *f, struct slice name) {
    const struct family *other = find_family(r->draft, name, true);
    if (!other || other == f)
        return FAULT(r, "expected the name of a family, got '%.*s'", SLICE_ARG(part(name)));
    for (const struct phrase *p = other->phrases; p; p = p->next) {
        struct phrase *copy = arena_alloc(r->draft->makings, sizeof *copy);
        if (!copy) return no_memory(r);
        if (f->phrase_count == PHRASES_MOST || r->draft->phrase_count == 4 * PHRASES_MOST)
            return FAULT(r, "expected fewer phrases: there are too many now");
        *copy = *p;
        copy->next = f->phrases;
        f->phrases = copy;
        f->phrase_count++;
        r->draft->phrase_count++;
    }
    return 0;
}

/* "a | b c | {other}" */
static int fill_family(struct reading *r, struct family *f, struct slice text) {
    while (text.len) {
        size_t n = 0;
        unsigned depth = 0;
        while (n < text.len && (depth || text.at[n] != '|')) {
            if (text.at[n] == '(') depth++;
            if (text.at[n] == ')' && depth) depth--;
            n++;
        }
        struct slice one = slice_trim(slice_make(text.at, n));
        text = slice_skip(text, n + 1);
        unsigned budget = EXPANSIONS_MOST;
        int failed = one.len > 2 && one.at[0] == '{' && one.at[one.len - 1] == '}'
                         ? include_family(r, f, slice_make(one.at + 1, one.len - 2))
                         : expand(r, f, one, &budget);
        if (failed) return -1;
    }
    return f->phrases ? 0 : FAULT(r, "expected words");
}

/* What stands between braces, or a run of words: the family of it. */
static struct family *family_of(struct reading *r, struct slice text, bool braces) {
    text = slice_trim(text);
    if (braces && family_name(text)) {
        struct family *named = find_family(r->draft, text, true);
        if (named) return named;
        FAULT(r, "expected the name of a family that is defined before, got '{%.*s}'", SLICE_ARG(part(text)));
        return NULL;
    }
    struct family *f = find_family(r->draft, text, false);
    if (f) return f;
    f = new_family(r, text, false);
    return f && fill_family(r, f, text) == 0 ? f : NULL;
}

/* ---- patterns ---- */

static int add_element(struct reading *r, struct rule *rule, struct slice text, bool braces, bool absent,
                       uint8_t gap) {
    const struct family *f = family_of(r, text, braces);
    if (!f) return -1;
    if (rule->element_count == ELEMENTS_MOST)
        return FAULT(r, "expected at most %d parts in a pattern", ELEMENTS_MOST);
    rule->elements[rule->element_count++] =
        (struct rule_element){.family = (uint16_t)(f - r->draft->families), .gap = gap, .absent = absent};
    return 0;
}

/* Bytes up to the next brace, "!{" or dots standing alone. */
static size_t literal_length(struct slice s) {
    for (size_t n = 0; n < s.len; n++) {
        if (s.at[n] == '{' || s.at[n] == '}') return n;
        if (s.at[n] == '!' && n + 1 < s.len && s.at[n + 1] == '{') return n;
        if (s.at[n] == '.' && n && ascii_space(s.at[n - 1]) && n + 1 < s.len && s.at[n + 1] == '.') return n;
    }
    return s.len;
}

static int read_pattern(struct reading *r, struct rule *rule, struct slice text) {
    uint8_t gap = GAP_ANY;
    unsigned present = 0;
    for (text = slice_trim(text); text.len; text = slice_trim(text)) {
        bool absent = text.at[0] == '!';
        if (absent) text = slice_skip(text, 1);
        if (slice_starts(text, SLICE(".."))) {
            bool any = slice_starts(text, SLICE("..."));
            text = slice_skip(text, any ? 3 : 2);
            if (absent || !present) return FAULT(r, "expected words before '..'");
            gap = any ? GAP_ANY : GAP_NEAR;
            continue;
        }
        bool braces = text.len && text.at[0] == '{';
        if (absent && !braces) return FAULT(r, "expected '{' behind '!'");
        size_t n = literal_length(text);
        if (braces) {
            text = slice_skip(text, 1);
            ptrdiff_t close = slice_find(text, '}');
            /* a family inside: "{a | {b}}" */
            ptrdiff_t inner = slice_find(text, '{');
            if (close >= 0 && inner >= 0 && inner < close)
                return FAULT(r, "expected no '{' inside of '{...}': define a family");
            if (close < 0) return FAULT(r, "expected a '}'");
            n = (size_t)close;
        } else if (!n) {
            return FAULT(r, "expected a '{' before '}'");
        }
        if (add_element(r, rule, slice_make(text.at, n), braces, absent, gap)) return -1;
        text = slice_skip(text, n + (braces ? 1 : 0));
        if (!absent) {
            gap = 0;
            present++;
        }
    }
    return present ? 0 : FAULT(r, "expected a pattern with words behind ':'");
}

/* ---- conditions and outcomes ---- */

static int read_code(struct reading *r, struct rule *rule, struct slice word) {
    uint64_t code;
    if (rule->code_count == CODES_MOST) return FAULT(r, "expected at most %d codes", CODES_MOST);
    if (slice_eq(word, SLICE("4xx")) || slice_eq(word, SLICE("5xx"))) {
        rule->codes[rule->code_count++] = (uint16_t)(word.at[0] - '0');
        return 0;
    }
    if (word.len != 3 || !slice_to_u64(word, &code) || code < 200 || code > 599)
        return FAULT(r, "code: expected 4xx, 5xx or a reply code such as 550, got '%.*s'",
                     SLICE_ARG(part(word)));
    rule->codes[rule->code_count++] = (uint16_t)code;
    return 0;
}

static bool read_part(struct slice s, uint16_t *value) {
    uint64_t n;
    *value = ANY_PART;
    if (slice_eq(s, SLICE("*"))) return true;
    if (!slice_to_u64(s, &n) || n > 999) return false;
    *value = (uint16_t)n;
    return true;
}

/* "5.1.1", "*.7.*", "4.7.650-659" */
static int read_enhanced(struct reading *r, struct rule *rule, struct slice word) {
    if (slice_eq(word, SLICE("none"))) {
        rule->enhanced_none = true;
        return 0;
    }
    if (rule->enhanced_count == CODES_MOST) return FAULT(r, "expected at most %d codes", CODES_MOST);
    struct rule_enhanced *e = &rule->enhanced[rule->enhanced_count++];
    struct slice rest = word, class, subject, first;
    bool good = slice_cut(&rest, '.', &class) && slice_cut(&rest, '.', &subject) && rest.len &&
                read_part(class, &e->class) && read_part(subject, &e->subject);
    if (good) {
        slice_cut(&rest, '-', &first);
        good = read_part(first, &e->first);
        e->last = e->first;
        if (rest.at) good = good && read_part(rest, &e->last) && e->first != ANY_PART && e->first <= e->last;
        if (e->first == ANY_PART) e->first = 0;
    }
    return good ? 0
                : FAULT(r,
                        "enhanced: expected a code such as 5.1.1, *.7.* or 4.7.650-659, or none, got '%.*s'",
                        SLICE_ARG(part(word)));
}

static int read_stage(struct reading *r, struct rule *rule, struct slice word) {
    enum classify_stage stage;
    if (!classify_stage_by_name(word, &stage))
        return FAULT(r, "at: expected session, mail, rcpt, data or -, got '%.*s'", SLICE_ARG(part(word)));
    rule->stages |= 1U << stage;
    return 0;
}

static int read_provider(struct reading *r, struct rule *rule, struct slice word) {
    for (unsigned i = 0; i < r->draft->provider_count; i++) {
        if (!slice_eq(r->draft->providers[i], word)) continue;
        if (rule->provider_count == CODES_MOST) return FAULT(r, "expected at most %d providers", CODES_MOST);
        rule->providers[rule->provider_count++] = (uint16_t)(i + 1);
        return 0;
    }
    return FAULT(r, "provider: expected one that a line `provider` names before this one, got '%.*s'",
                 SLICE_ARG(part(word)));
}

static int read_wait(struct reading *r, struct rule *rule, struct slice word) {
    uint64_t n, unit = 0;
    char last = word.len ? word.at[word.len - 1] : 0;
    if (last == 's') unit = 1;
    if (last == 'm') unit = 60;
    if (last == 'h') unit = 3600;
    if (!unit || !slice_to_u64(slice_make(word.at, word.len - 1), &n) || n > WAIT_MOST ||
        n * unit > WAIT_MOST)
        return FAULT(r, "wait: expected a time such as 300s, 15m or 2h, at most %dh, got '%.*s'",
                     WAIT_MOST / 3600, SLICE_ARG(part(word)));
    rule->wait_s = (uint32_t)(n * unit);
    return 0;
}

/* One of a list of names; its number, or -1. */
static int named(struct slice word, int count, const char *(*name)(int)) {
    for (int i = 0; i < count; i++)
        if (slice_eq(word, slice_of(name(i)))) return i;
    return -1;
}
static const char *action_of(int i) {
    return classify_action_name((enum classify_action)i);
}
static const char *scope_of(int i) {
    return classify_scope_name((enum classify_scope)i);
}
static const char *hint_of(int i) {
    return classify_hint_name((enum classify_hint)i);
}

static int read_action(struct reading *r, struct rule *rule, struct slice word) {
    int n = named(word, CLASSIFY_ACTIONS, action_of);
    if (n < 0)
        return FAULT(r, "action: expected none, retry, slow-isp, pause-alert or suppress-after-n, got '%.*s'",
                     SLICE_ARG(part(word)));
    if (n == CLASSIFY_SUPPRESS_NOW)
        return FAULT(r, "action: suppress-now is what a certain refusal gets; say certain instead");
    rule->action = (enum classify_action)n;
    rule->has_action = true;
    return 0;
}

static int read_scope(struct reading *r, struct rule *rule, struct slice word) {
    int n = named(word, CLASSIFY_SCOPES, scope_of);
    if (n < 0)
        return FAULT(r, "scope: expected recipient, message, sender, lane or host, got '%.*s'",
                     SLICE_ARG(part(word)));
    rule->scope = (enum classify_scope)n;
    rule->has_scope = true;
    return 0;
}

static int read_hint(struct reading *r, struct rule *rule, struct slice word) {
    int n = named(word, CLASSIFY_HINTS, hint_of);
    if (n <= 0)
        return FAULT(r, "hint: expected one such as slower or pause, got '%.*s'", SLICE_ARG(part(word)));
    rule->hint = (enum classify_hint)n;
    return 0;
}

static const struct condition {
    const char *key;
    int (*read)(struct reading *r, struct rule *rule, struct slice word);
    bool list;
} conditions[] = {
    {"code", read_code, true},         {"enhanced", read_enhanced, true}, {"at", read_stage, true},
    {"provider", read_provider, true}, {"wait", read_wait, false},        {"action", read_action, false},
    {"scope", read_scope, false},      {"hint", read_hint, false},
};

static int read_condition(struct reading *r, struct rule *rule, struct slice word) {
    static const struct {
        const char *word;
        unsigned how;
    } flags[] = {
        {"certain", RULE_CERTAIN}, {"certain-before-data", RULE_CERTAIN_BEFORE_DATA}, {"defer", RULE_DEFER}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (slice_eq(word, slice_of(flags[i].word))) {
            rule->how |= flags[i].how;
            return 0;
        }
    struct slice rest = word, key, one;
    slice_cut(&rest, '=', &key);
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions && rest.at; i++) {
        const struct condition *c = &conditions[i];
        if (!slice_eq(key, slice_of(c->key))) continue;
        if (!c->list) return c->read(r, rule, rest);
        while (slice_cut(&rest, ',', &one))
            if (c->read(r, rule, one)) return -1;
        return 0;
    }
    return FAULT(
        r,
        "expected ':' or one of certain, certain-before-data, defer, code=, enhanced=, at=, provider=, "
        "wait=, action=, scope=, hint=, got '%.*s'",
        SLICE_ARG(part(word)));
}

/* ---- lines ---- */

static int keep_shown(struct reading *r, struct rule *rule, struct slice text) {
    struct buf shown;
    buf_init(&shown, LINE_MOST * 2);
    text = slice_trim(text);
    bool cut = text.len > SHOWN_MOST;
    if (cut) text.len = SHOWN_MOST;
    while (cut && text.len && ((unsigned char)text.at[text.len] & 0xC0) == 0x80)
        text.len--;
    buf_printf(&shown, "%s:%u %.*s%s", r->name, r->line, SLICE_ARG(text), cut ? "..." : "");
    for (size_t i = 0; i < shown.len; i++)
        if ((unsigned char)shown.at[i] < 0x20) shown.at[i] = ' ';
    rule->shown = shown.failed ? NULL : arena_string(r->draft->arena, slice_trim(buf_slice(&shown)));
    buf_done(&shown);
    return rule->shown ? 0 : no_memory(r);
}

/* "CONDITIONS : PATTERN"; the colon stands alone. */
static int read_rule(struct reading *r, struct rule rule, struct slice rest) {
    struct slice all = rest, word;
    bool pattern = false;
    while (!pattern && next_word(&rest, &word)) {
        pattern = slice_eq(word, SLICE(":"));
        if (!pattern && read_condition(r, &rule, word)) return -1;
    }
    if (pattern && read_pattern(r, &rule, rest)) return -1;
    if (!pattern && rule.how & RULE_NAMES_STAGE) return FAULT(r, "expected ':' and a pattern");
    if (keep_shown(r, &rule, pattern ? rest : all)) return -1;
    if (r->draft->rule_count == RULES_MOST) return FAULT(r, "expected at most %d rules", RULES_MOST);
    r->draft->rules[r->draft->rule_count++] = rule;
    return 0;
}

static int read_define(struct reading *r, struct slice rest) {
    struct slice name;
    ptrdiff_t equals = slice_find(rest, '=');
    name = equals < 0 ? rest : slice_trim(slice_make(rest.at, (size_t)equals));
    if (equals < 0 || !family_name(name))
        return FAULT(r, "expected `define NAME = words | words`, the name in capitals, got '%.*s'",
                     SLICE_ARG(part(name)));
    if (find_family(r->draft, name, true))
        return FAULT(r, "expected a new name: '%.*s' is defined already", SLICE_ARG(part(name)));
    struct family *f = new_family(r, name, true);
    return f ? fill_family(r, f, slice_skip(rest, (size_t)equals + 1)) : -1;
}

static int read_provider_line(struct reading *r, struct slice rest) {
    struct rule_draft *d = r->draft;
    struct slice name, suffix;
    unsigned number = 0;
    if (!next_word(&rest, &name) || !good_name(name))
        return FAULT(r, "expected `provider NAME .suffix.of.its.exchangers ...`");
    while (number < d->provider_count && !slice_eq(d->providers[number], name))
        number++;
    if (number == PROVIDERS_MOST) return FAULT(r, "expected at most %d providers", PROVIDERS_MOST);
    if (number == d->provider_count && !arena_copy(d->arena, name, &d->providers[d->provider_count++]))
        return no_memory(r);
    while (next_word(&rest, &suffix)) {
        if (suffix.at[0] != '.' || suffix.len < 2)
            return FAULT(r, "expected a suffix such as .example.com, got '%.*s'", SLICE_ARG(part(suffix)));
        if (d->suffix_count == sizeof d->suffixes / sizeof *d->suffixes)
            return FAULT(r, "expected fewer suffixes of providers");
        struct provider_suffix *s = &d->suffixes[d->suffix_count++];
        s->provider = (uint16_t)(number + 1);
        if (!arena_copy(d->arena, suffix, &s->suffix)) return no_memory(r);
    }
    return 0;
}

static int read_line(struct reading *r, struct slice line) {
    struct slice word;
    struct rule rule = {0};
    if (!next_word(&line, &word)) return 0;
    if (slice_eq(word, SLICE("define"))) return read_define(r, line);
    if (slice_eq(word, SLICE("provider"))) return read_provider_line(r, line);
    if (slice_eq(word, SLICE("stage"))) {
        if (!next_word(&line, &word) || !classify_stage_by_name(word, &rule.names_stage) || !rule.names_stage)
            return FAULT(r, "expected `stage session|mail|rcpt|data ... : words`");
        rule.how = RULE_NAMES_STAGE;
        return read_rule(r, rule, line);
    }
    rule.class = classify_by_name(word);
    if (!rule.class)
        return FAULT(r, "expected a class, define, provider or stage, got '%.*s'", SLICE_ARG(part(word)));
    return read_rule(r, rule, line);
}

int rulefile_read(struct rule_draft *draft, struct slice text, const char *name, struct err *err) {
    struct reading r = {.draft = draft, .name = name, .err = err};
    struct slice line;
    struct buf whole; /* a line and those that go on with it */
    unsigned next = 0;
    int failed = 0;
    buf_init(&whole, LINE_MOST);
    while (!failed && slice_cut(&text, '\n', &line)) {
        next++;
        if (line.len && line.at[0] == '#') continue;
        bool goes_on = line.len && ascii_space(line.at[0]);
        if (!goes_on) {
            failed = whole.len ? read_line(&r, buf_slice(&whole)) : 0;
            buf_reset(&whole);
            r.line = next;
        } else if (!whole.len && slice_trim(line).len) {
            r.line = next;
            failed = FAULT(&r, "expected a line that begins at its edge before one that goes on with it");
        }
        buf_put_slice(&whole, line);
        buf_put_c(&whole, ' ');
        if (!failed && whole.failed) failed = FAULT(&r, "expected a line of at most %d bytes", LINE_MOST);
    }
    if (!failed && whole.len) failed = read_line(&r, buf_slice(&whole));
    buf_done(&whole);
    return failed;
}
