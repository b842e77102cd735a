/* Compiled rules, as the files of classify/ share them: ruleset.c makes them, rulefile.c reads the text that
 * they are made from, classify.c runs them.
 *
 * A *phrase* is a run of words; a *family* is a set of phrases, any of which will do; a *rule* is conditions
 * and a sequence of families. All phrases lie in one trie over words, so a text is walked once whatever the
 * number of rules. Each rule hangs on one of its families, the rarest: only rules whose family was met are
 * looked at, in their order. */
#ifndef TSUBAME_RULESET_H
#define TSUBAME_RULESET_H

#include "arena.h"
#include "classify.h"
#include "words.h"

enum {
    RULES_MOST = 2048,
    FAMILIES_MOST = 2048,
    PHRASES_MOST = 16384, /* of one family, and 4 times that in all */
    PHRASE_WORDS_MOST = 24,
    ELEMENTS_MOST = 8,
    CODES_MOST = 8,
    PROVIDERS_MOST = 256,
    GAP_NEAR = 6,             /* words between two elements joined by ".." */
    GAP_ANY = WORDS_MOST,     /* by "..." */
    WAIT_MOST = 7 * 24 * 3600 /* seconds */
};

enum rule_how {
    RULE_CERTAIN = 1,             /* hard, when the refusal is permanent */
    RULE_CERTAIN_BEFORE_DATA = 2, /* the same, unless it is known to answer the content */
    RULE_DEFER = 4,               /* tried again although the code may be 5xx */
    RULE_NAMES_STAGE = 8          /* says at which stage the reply came; no verdict */
};

struct rule_element {
    uint16_t family;
    uint8_t gap; /* most words between the element before and this */
    bool absent; /* must not be there at all */
};

struct rule_enhanced {
    uint16_t class, subject, first, last; /* class, subject: ANY_PART for any */
};
enum { ANY_PART = 0xFFFF };

struct rule {
    const char *shown;
    enum classify_class class;
    enum classify_stage names_stage;
    unsigned how; /* bits of rule_how */
    enum classify_action action;
    enum classify_scope scope;
    enum classify_hint hint;
    bool has_action, has_scope;
    uint32_t wait_s;
    unsigned stages; /* bits; 0: any */
    uint16_t codes[CODES_MOST];
    unsigned code_count; /* 0: any */
    struct rule_enhanced enhanced[CODES_MOST];
    unsigned enhanced_count;
    bool enhanced_none; /* only where there is no enhanced code */
    uint16_t providers[CODES_MOST];
    unsigned provider_count; /* 0: any */
    struct rule_element elements[ELEMENTS_MOST];
    unsigned element_count;
};

/* Words of the rules: an open table by hash; a word's number is also where its phrases begin. */
struct vocabulary_slot {
    uint64_t word; /* 0: free */
    uint32_t node; /* the trie's node after this word, from the root; 0: no phrase begins with it */
    uint16_t id;
};
struct trie_edge {
    uint64_t key; /* node << 16 | word; 0: free */
    uint32_t node;
};
struct trie_output {
    uint16_t family;
    uint32_t next; /* 0: none */
};
struct trie_node {
    uint32_t output; /* 0: none */
    bool leaf;       /* no phrase goes on from here */
};

struct classify_rules {
    struct arena arena;
    struct vocabulary_slot *vocabulary;
    size_t vocabulary_mask;
    struct trie_edge *edges;
    size_t edge_mask;
    struct trie_node *nodes;
    struct trie_output *outputs;
    struct rule *rules; /* those that name a stage first */
    unsigned rule_count, family_count;
    uint32_t *keyed_from; /* by family: where its rules begin in `keyed`; family_count + 1 of them */
    uint16_t *keyed;
    uint64_t always[RULES_MOST / 64]; /* rules without a family to hang on */
    struct slice *provider_names;     /* by number - 1 */
    struct provider_suffix {
        struct slice suffix;
        uint16_t provider;
    } * provider_suffixes;
    unsigned provider_count, provider_suffix_count;
};

static inline size_t vocabulary_place(const struct classify_rules *r, uint64_t word) {
    return (size_t)(word >> 1) & r->vocabulary_mask;
}
static inline size_t edge_place(const struct classify_rules *r, uint64_t key) {
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & r->edge_mask;
}

/* ---- ruleset.c: the makings ---- */

struct phrase {
    uint64_t words[PHRASE_WORDS_MOST];
    unsigned count;
    struct phrase *next; /* of its family */
};
struct family {
    struct slice name; /* of the define, or what stood between the braces */
    bool defined;
    struct phrase *phrases;
    unsigned phrase_count;
};

/* What rulefile.c fills. */
struct rule_draft {
    struct arena *arena;   /* of the rules to be: names and texts that are shown */
    struct arena *makings; /* of what is not needed after compiling */
    struct family *families;
    unsigned family_count;
    unsigned phrase_count;
    struct rule *rules;
    unsigned rule_count;
    struct slice providers[PROVIDERS_MOST];
    unsigned provider_count;
    struct provider_suffix suffixes[PROVIDERS_MOST * 4];
    unsigned suffix_count;
};

/* Appends the rules of a text. -1 with err: "name:line: what was expected". */
int rulefile_read(struct rule_draft *draft, struct slice text, const char *name, struct err *err);

/* Compiles. `first` rules of the draft (the built-in ones) come after the rest. -1: out of memory. */
int ruleset_compile(struct classify_rules *rules, struct rule_draft *draft, unsigned first);

/* As classify_rules_open, with the built-in rules or without. */
struct classify_rules *ruleset_open(bool with_builtin, struct slice extra, const char *name, struct err *err);

/* The built-in rules: made of rules/ by the build. */
struct rules_builtin {
    const char *name; /* "recipient" */
    const unsigned char *text;
    size_t len;
};
extern const struct rules_builtin rules_builtin[];
extern const size_t rules_builtin_count;

#endif
