/* Walks the words as the parser would, and asks the tables what may come next. */
#include "completing.h"

struct line {
    const struct command *command;
    const struct arg *open; /* an option whose value is the word under the cursor */
    unsigned operands;      /* given before it */
    const char *first;      /* the first of them */
    bool plain;             /* "--" was met */
};

static void offer(struct buf *out, struct slice typed, const char *word, const char *more, const char *help) {
    struct buf whole;
    buf_init(&whole, 256);
    buf_printf(&whole, "%s%s", word, more);
    if (slice_starts(buf_slice(&whole), typed)) {
        buf_put_slice(out, buf_slice(&whole));
        if (help && *help) buf_printf(out, "\t%s", help);
        buf_put_c(out, '\n');
    }
    buf_done(&whole);
}

static const struct arg *find_arg(const struct command *c, struct slice name, bool letter) {
    size_t count;
    const struct arg *common = command_common(c, &count);
    for (size_t i = 0; i < c->arg_count + count; i++) {
        const struct arg *a = i < c->arg_count ? &c->args[i] : &common[i - c->arg_count];
        if (letter ? a->letter && name.len == 1 && name.at[0] == a->letter
                   : slice_eq(slice_of(a->name), name))
            return a;
    }
    return NULL;
}

/* The option that `word` names; *value is what stands behind its '=', or its `at` is NULL. */
static const struct arg *option_of(const struct command *c, const char *word, struct slice *value) {
    struct slice rest = slice_of(word), name;
    *value = (struct slice){0};
    if (word[0] != '-' || !word[1]) return NULL;
    if (word[1] != '-') return find_arg(c, slice_skip(rest, 1), true);
    rest = slice_skip(rest, 2);
    slice_cut(&rest, '=', &name);
    *value = rest;
    return find_arg(c, name, false);
}

/* All words but the last. bash gives "--to=x" as "--to", "=", "x". */
static void walk(struct line *l, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct slice value;
        if (l->open && strcmp(words[i], "=") == 0) continue;
        if (l->open) {
            l->open = NULL;
        } else if (!l->plain && strcmp(words[i], "--") == 0) {
            l->plain = true;
        } else if (!l->plain && words[i][0] == '-' && words[i][1]) {
            const struct arg *a = option_of(l->command, words[i], &value);
            if (a && a->value && !value.at) l->open = a;
        } else if (l->operands++ == 0) {
            l->first = words[i];
        }
    }
}

static void offer_options(const struct command *c, struct slice typed, struct buf *out) {
    size_t count;
    const struct arg *common = command_common(c, &count);
    for (size_t i = 0; i < c->arg_count + count; i++) {
        const struct arg *a = i < c->arg_count ? &c->args[i] : &common[i - c->arg_count];
        char name[64] = "--";
        size_t n = strlen(a->name);
        if (n + 3 > sizeof name) continue;
        memcpy(name + 2, a->name, n + 1);
        offer(out, typed, name, "", a->help);
    }
}

static void offer_commands(struct slice typed, struct buf *out) {
    size_t count;
    const struct command *const *all = command_all(&count);
    for (size_t i = 0; i < count; i++)
        if (!all[i]->hidden) offer(out, typed, all[i]->name, "", all[i]->summary);
    offer(out, typed, "help", "", "the page for one command, or for all");
    offer(out, typed, "--help", "", "");
    offer(out, typed, "--version", "", "");
}

/* KEY=VALUE of --set: keys, and behind the '=' the words that there are for it. */
static enum completing_kind offer_set(struct slice typed, bool parted, const char *key, struct buf *out) {
    size_t count;
    static const char *const truth[] = {"true", "false", NULL};
    const struct option *table = options_table(&count);
    ptrdiff_t equals = slice_find(typed, '=');
    struct slice name =
        parted ? slice_of(key) : slice_make(typed.at, equals < 0 ? typed.len : (size_t)equals);
    for (size_t i = 0; i < count; i++) {
        const struct option *opt = &table[i];
        if (opt->type == OPTION_RECORDS) continue;
        if (equals < 0 && !parted) {
            offer(out, typed, opt->key, "=", opt->help);
            continue;
        }
        if (!slice_eq(slice_of(opt->key), name)) continue;
        const char *const *words = opt->type == OPTION_BOOL ? truth : opt->words;
        for (size_t w = 0; words && words[w]; w++)
            if (parted)
                offer(out, typed, words[w], "", NULL);
            else {
                struct buf whole;
                buf_init(&whole, 256);
                buf_printf(&whole, "%s=%s", opt->key, words[w]);
                buf_put_c(&whole, 0);
                if (!whole.failed) offer(out, typed, whole.at, "", NULL);
                buf_done(&whole);
            }
    }
    return equals < 0 && !parted ? COMPLETING_NOSPACE : COMPLETING_WORDS;
}

/* What a placeholder stands for: a file, a campaign, or words of its own ("a, b or c" in the help). */
static enum completing_kind by_placeholder(struct slice name) {
    if (slice_eq(name, slice_of("CAMPAIGN"))) return COMPLETING_CAMPAIGNS;
    if (slice_eq(name, slice_of("FOLDER"))) return COMPLETING_FOLDERS;
    if (slice_eq(name, slice_of("FILE"))) return COMPLETING_FILES;
    return COMPLETING_WORDS;
}

static bool is_word_char(char c) {
    return ascii_alpha(c) || ascii_digit(c) || c == '-';
}

/* The next run of letters of `operands`, and whether it is words in lower case: those are typed. */
static bool next_name(struct slice *operands, struct slice *name, bool *typed) {
    while (operands->len && !is_word_char(operands->at[0]))
        *operands = slice_skip(*operands, 1);
    size_t n = 0;
    while (n < operands->len && is_word_char(operands->at[n]))
        n++;
    *name = slice_make(operands->at, n);
    *operands = slice_skip(*operands, n);
    *typed = n && name->at[0] >= 'a' && name->at[0] <= 'z';
    return n > 0;
}

/* "CAMPAIGN", "[FILE...]", "show | check [FILE] | defaults": the words come first, what is behind one belongs
 * to it, or, where it stands after all of them, to any. */
static enum completing_kind offer_operand(const struct line *l, struct slice typed, struct buf *out) {
    struct slice rest = slice_of(l->command->operands), name;
    enum completing_kind kind = COMPLETING_WORDS;
    bool is_typed, words = false;
    if (l->operands >= l->command->most) return COMPLETING_WORDS;
    while (next_name(&rest, &name, &is_typed)) {
        if (is_typed) {
            words = true;
            char text[64] = "";
            memcpy(text, name.at, name.len < sizeof text ? name.len : sizeof text - 1);
            if (l->operands == 0) offer(out, typed, text, "", NULL);
        } else if (kind == COMPLETING_WORDS && (words ? l->operands > 0 : true)) {
            kind = by_placeholder(name);
        }
    }
    return kind;
}

static enum completing_kind offer_value(const struct arg *a, struct slice typed, const char *key, bool parted,
                                        struct buf *out) {
    if (strcmp(a->name, "set") == 0) return offer_set(typed, parted, key, out);
    return by_placeholder(slice_of(a->value));
}

enum completing_kind completing(const char *const *words, size_t count, struct buf *out,
                                struct slice *typed) {
    struct line l = {0};
    const char *last = count ? words[count - 1] : "";
    struct slice value;
    *typed = slice_of(last);
    if (count <= 1) return offer_commands(*typed, out), COMPLETING_WORDS;
    l.command = command_find(slice_of(words[0]));
    if (!l.command && strcmp(words[0], "help") == 0 && count == 2) {
        offer_commands(*typed, out);
        return COMPLETING_WORDS;
    }
    if (!l.command || l.command->hidden) return COMPLETING_WORDS;
    walk(&l, words + 1, count - 2);
    bool equals = strcmp(last, "=") == 0;
    if (l.open && equals) *typed = (struct slice){"", 0};
    /* bash has parted "--set key=value": what stands before the '=' was taken for the option's value. */
    if (count >= 4 && !l.open) {
        size_t at = equals ? count - 1 : count - 2; /* of the '=' */
        const char *const *w = words + at;
        if (at >= 3 && strcmp(w[0], "=") == 0 && strcmp(w[-2], "--set") == 0)
            return offer_set(equals ? (struct slice){"", 0} : *typed, true, w[-1], out);
    }
    if (l.open) return offer_value(l.open, *typed, NULL, false, out);
    if (!l.plain && last[0] == '-') {
        const struct arg *a = option_of(l.command, last, &value);
        if (a && a->value && value.at) {
            *typed = value;
            return offer_value(a, value, NULL, false, out);
        }
        return offer_options(l.command, *typed, out), COMPLETING_WORDS;
    }
    return l.command->operands ? offer_operand(&l, *typed, out) : COMPLETING_WORDS;
}

const char *completing_name(enum completing_kind kind) {
    static const char *const names[] = {"words", "nospace", "files", "folders", "words"};
    return names[kind];
}
