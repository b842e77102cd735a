/* From drafts to what is run: vocabulary, trie, the families that rules hang on, the order. */
#include "ruleset.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RULES_MEMORY = 32 << 20, FILE_MOST = 1 << 20, NODES_MOST = 1 << 18 };

static size_t power_of_two(size_t least) {
    size_t n = 64;
    while (n < least)
        n *= 2;
    return n;
}

struct building {
    struct classify_rules *rules;
    uint32_t node_count, output_count;
    uint16_t word_count;
};

static struct vocabulary_slot *word_slot(struct building *b, uint64_t word) {
    struct classify_rules *r = b->rules;
    size_t i = vocabulary_place(r, word);
    while (r->vocabulary[i].word && r->vocabulary[i].word != word)
        i = (i + 1) & r->vocabulary_mask;
    if (!r->vocabulary[i].word) {
        assert(b->word_count < UINT16_MAX);
        r->vocabulary[i] = (struct vocabulary_slot){.word = word, .id = ++b->word_count};
    }
    return &r->vocabulary[i];
}

static uint32_t new_node(struct building *b) {
    b->rules->nodes[b->node_count].leaf = true;
    return b->node_count++;
}

static uint32_t step(struct building *b, uint32_t node, uint16_t word) {
    struct classify_rules *r = b->rules;
    uint64_t key = (uint64_t)node << 16 | word;
    size_t i = edge_place(r, key);
    while (r->edges[i].key && r->edges[i].key != key)
        i = (i + 1) & r->edge_mask;
    if (!r->edges[i].key) {
        r->edges[i] = (struct trie_edge){key, new_node(b)};
        r->nodes[node].leaf = false;
    }
    return r->edges[i].node;
}

static void add_phrase(struct building *b, const struct phrase *p, uint16_t family) {
    struct classify_rules *r = b->rules;
    struct vocabulary_slot *first = word_slot(b, p->words[0]);
    if (!first->node) first->node = new_node(b);
    uint32_t node = first->node;
    for (unsigned i = 1; i < p->count; i++)
        node = step(b, node, word_slot(b, p->words[i])->id);
    for (uint32_t o = r->nodes[node].output; o; o = r->outputs[o].next)
        if (r->outputs[o].family == family) return;
    r->outputs[b->output_count] = (struct trie_output){family, r->nodes[node].output};
    r->nodes[node].output = b->output_count++;
}

/* How often a family is likely to be met: many phrases of one word are the most common. */
static unsigned commonness(const struct family *f) {
    unsigned sum = 0;
    for (const struct phrase *p = f->phrases; p; p = p->next)
        sum += p->count == 1 ? 8 : p->count == 2 ? 2 : 1;
    return sum;
}

/* The family that a rule hangs on; FAMILIES_MOST when it has none. */
static unsigned key_of(const struct rule_draft *d, const struct rule *rule) {
    unsigned best = FAMILIES_MOST, least = 0;
    for (unsigned i = 0; i < rule->element_count; i++) {
        const struct rule_element *e = &rule->elements[i];
        if (e->absent) continue;
        unsigned c = commonness(&d->families[e->family]);
        if (best == FAMILIES_MOST || c < least) best = e->family, least = c;
    }
    return best;
}

static int hang_rules(struct classify_rules *r, const struct rule_draft *d) {
    uint16_t *key = arena_alloc(&r->arena, (r->rule_count + 1) * sizeof *key);
    r->keyed_from = arena_zalloc(&r->arena, (r->family_count + 2) * sizeof *r->keyed_from);
    r->keyed = arena_alloc(&r->arena, (r->rule_count + 1) * sizeof *r->keyed);
    if (!key || !r->keyed_from || !r->keyed) return -1;
    for (unsigned i = 0; i < r->rule_count; i++) {
        key[i] = (uint16_t)key_of(d, &r->rules[i]);
        if (key[i] == FAMILIES_MOST)
            r->always[i / 64] |= UINT64_C(1) << (i % 64);
        else
            r->keyed_from[key[i] + 1]++;
    }
    for (unsigned f = 0; f < r->family_count; f++)
        r->keyed_from[f + 1] += r->keyed_from[f];
    uint32_t *next = arena_alloc(&r->arena, (r->family_count + 1) * sizeof *next);
    if (!next) return -1;
    memcpy(next, r->keyed_from, (r->family_count + 1) * sizeof *next);
    for (unsigned i = 0; i < r->rule_count; i++)
        if (key[i] != FAMILIES_MOST) r->keyed[next[key[i]]++] = (uint16_t)i;
    return 0;
}

/* Those that name a stage come first, for all others may ask for it; then those that were read last. */
static void order_rules(struct classify_rules *r, const struct rule_draft *d, unsigned first) {
    for (int naming = 1; naming >= 0; naming--)
        for (unsigned i = 0; i < d->rule_count; i++) {
            const struct rule *rule = &d->rules[(i + first) % d->rule_count];
            if ((rule->how & RULE_NAMES_STAGE ? 1 : 0) == naming) r->rules[r->rule_count++] = *rule;
        }
}

int ruleset_compile(struct classify_rules *r, struct rule_draft *d, unsigned first) {
    size_t words = 1;
    for (unsigned f = 0; f < d->family_count; f++)
        for (const struct phrase *p = d->families[f].phrases; p; p = p->next)
            words += p->count;
    size_t slots = power_of_two(words * 2);
    r->vocabulary_mask = r->edge_mask = slots - 1;
    r->vocabulary = arena_zalloc(&r->arena, slots * sizeof *r->vocabulary);
    r->edges = arena_zalloc(&r->arena, slots * sizeof *r->edges);
    r->nodes = arena_zalloc(&r->arena, (words + 1) * sizeof *r->nodes);
    r->outputs = arena_zalloc(&r->arena, (d->phrase_count + 1) * sizeof *r->outputs);
    r->rules = arena_alloc(&r->arena, (d->rule_count + 1) * sizeof *r->rules);
    if (!r->vocabulary || !r->edges || !r->nodes || !r->outputs || !r->rules) return -1;
    struct building b = {.rules = r, .node_count = 1, .output_count = 1};
    for (unsigned f = 0; f < d->family_count; f++)
        for (const struct phrase *p = d->families[f].phrases; p; p = p->next)
            add_phrase(&b, p, (uint16_t)f);
    r->family_count = d->family_count;
    if (d->rule_count) order_rules(r, d, first);
    r->provider_count = d->provider_count;
    r->provider_suffix_count = d->suffix_count;
    r->provider_names = arena_alloc(&r->arena, (d->provider_count + 1) * sizeof *r->provider_names);
    r->provider_suffixes = arena_alloc(&r->arena, (d->suffix_count + 1) * sizeof *r->provider_suffixes);
    if (!r->provider_names || !r->provider_suffixes) return -1;
    memcpy(r->provider_names, d->providers, d->provider_count * sizeof *r->provider_names);
    memcpy(r->provider_suffixes, d->suffixes, d->suffix_count * sizeof *r->provider_suffixes);
    return hang_rules(r, d);
}

unsigned classify_provider(const struct classify_rules *rules, struct slice name) {
    for (unsigned i = 0; i < rules->provider_count; i++)
        if (slice_eq_nocase(rules->provider_names[i], name)) return i + 1;
    for (unsigned i = 0; i < rules->provider_suffix_count; i++) {
        const struct provider_suffix *p = &rules->provider_suffixes[i];
        if (slice_ends_nocase(name, p->suffix) || slice_eq_nocase(name, slice_skip(p->suffix, 1)))
            return p->provider;
    }
    return 0;
}

/* ---- opening ---- */

static int read_all(struct rule_draft *d, bool with_builtin, struct slice extra, const char *name,
                    unsigned *builtin, struct err *err) {
    for (size_t i = 0; with_builtin && i < rules_builtin_count; i++) {
        const struct rules_builtin *file = &rules_builtin[i];
        if (rulefile_read(d, slice_make(file->text, file->len), file->name, err)) return -1;
    }
    *builtin = d->rule_count;
    return extra.len ? rulefile_read(d, extra, name, err) : 0;
}

struct classify_rules *ruleset_open(bool with_builtin, struct slice extra, const char *name,
                                    struct err *err) {
    struct classify_rules *r = calloc(1, sizeof *r);
    struct rule_draft *d = calloc(1, sizeof *d);
    struct arena makings; /* families and phrases are not needed later; names and rules' texts are */
    unsigned builtin = 0;
    int failed = -1;
    arena_init(&makings, RULES_MEMORY);
    if (r) arena_init(&r->arena, RULES_MEMORY);
    if (r && d) {
        d->arena = &r->arena;
        d->makings = &makings;
        d->families = arena_alloc(&makings, FAMILIES_MOST * sizeof *d->families);
        d->rules = arena_alloc(&makings, RULES_MOST * sizeof *d->rules);
    }
    if (!r || !d || !d->families || !d->rules)
        err_set(err, ERR_SYSTEM, "out of memory");
    else if (read_all(d, with_builtin, extra, name, &builtin, err) == 0 &&
             (failed = ruleset_compile(r, d, builtin)))
        err_set(err, ERR_SYSTEM, "out of memory");
    arena_done(&makings);
    free(d);
    if (!failed) return r;
    classify_rules_free(r);
    return NULL;
}

struct classify_rules *classify_rules_open(struct slice extra, const char *name, struct err *err) {
    return ruleset_open(true, extra, name, err);
}

static int read_file(const char *path, char *text, size_t *len, struct err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO without a writer would hold us up */
    struct stat st;
    if (fd < 0) return err_errno(err, errno, "%s", path);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_INPUT, "%s: expected a file with rules, this is none", path);
    }
    ssize_t n = 0;
    for (*len = 0; *len <= FILE_MOST; *len += (size_t)n) {
        n = read(fd, text + *len, FILE_MOST + 1 - *len);
        if (n < 0 && errno == EINTR) {
            n = 0;
            continue;
        }
        if (n <= 0) break;
    }
    int errnum = errno;
    close(fd);
    if (n < 0) return err_errno(err, errnum, "%s", path);
    if (*len > FILE_MOST) return err_set(err, ERR_INPUT, "%s: expected at most 1 MB of rules", path);
    return 0;
}

/* Some editors put a byte order mark before UTF-8. */
static struct slice without_mark(struct slice text) {
    static const char mark[] = "\xef\xbb\xbf";
    return text.len >= 3 && memcmp(text.at, mark, 3) == 0 ? slice_skip(text, 3) : text;
}

struct classify_rules *classify_rules_load(const char *path, struct err *err) {
    if (!path) return classify_rules_open((struct slice){NULL, 0}, "", err);
    char *text = malloc(FILE_MOST + 1);
    size_t len = 0;
    struct classify_rules *r = NULL;
    if (!text)
        err_set(err, ERR_SYSTEM, "out of memory");
    else if (read_file(path, text, &len, err) == 0)
        r = classify_rules_open(without_mark(slice_make(text, len)), path, err);
    free(text);
    return r;
}

void classify_rules_free(struct classify_rules *rules) {
    if (!rules) return;
    arena_done(&rules->arena);
    free(rules);
}
