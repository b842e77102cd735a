/* Replies into verdicts: the text is walked once for phrases, the rules that hang on them are tried in their
 * order, and the first whose conditions hold decides.
 *
 * Holds: `hard` needs a rule marked certain and a refusal for good; nothing that a server says before RCPT is
 * the recipient's fault, so it is never hard, and before MAIL never permanent. Bounded by construction: at
 * most WORDS_MOST words, HITS_MOST phrases, each candidate rule looked at once. */
#include "classify.h"

#include "replytext.h"
#include "ruleset.h"
#include "taxonomy.h"

enum { HITS_MOST = 256, RULE_WORDS = RULES_MOST / 64, FAMILY_WORDS = FAMILIES_MOST / 64 };

/* A set of places between words, 0 to WORDS_MOST. */
__extension__ typedef unsigned __int128 places;
_Static_assert(WORDS_MOST < 128, "a bit for each place");

struct hit {
    uint16_t family;
    uint8_t start, end; /* words */
};

struct walk {
    const struct classify_rules *rules;
    const struct classify_input *in;
    enum classify_stage stage;
    uint16_t enhanced[3];
    struct hit hits[HITS_MOST];
    unsigned hit_count;
    uint64_t families[FAMILY_WORDS]; /* those met */
    uint64_t candidates[RULE_WORDS];
};

/* ---- the text ---- */

static const struct vocabulary_slot *look_up(const struct classify_rules *r, uint64_t word) {
    size_t i = vocabulary_place(r, word);
    while (r->vocabulary[i].word != word && r->vocabulary[i].word)
        i = (i + 1) & r->vocabulary_mask;
    return &r->vocabulary[i]; /* a free one is no word: its id and node are 0 */
}

static uint32_t next_node(const struct classify_rules *r, uint32_t node, uint16_t word) {
    uint64_t key = (uint64_t)node << 16 | word;
    size_t i = edge_place(r, key);
    while (r->edges[i].key != key && r->edges[i].key)
        i = (i + 1) & r->edge_mask;
    return r->edges[i].node;
}

static void met(struct walk *w, uint16_t family, unsigned start, unsigned end) {
    const struct classify_rules *r = w->rules;
    if (w->hit_count == HITS_MOST) return;
    w->hits[w->hit_count++] = (struct hit){family, (uint8_t)start, (uint8_t)end};
    uint64_t bit = UINT64_C(1) << (family % 64);
    if (w->families[family / 64] & bit) return;
    w->families[family / 64] |= bit;
    for (uint32_t i = r->keyed_from[family]; i < r->keyed_from[family + 1]; i++)
        w->candidates[r->keyed[i] / 64] |= UINT64_C(1) << (r->keyed[i] % 64);
}

static void find_phrases(struct walk *w, const struct words *words) {
    const struct classify_rules *r = w->rules;
    uint16_t ids[WORDS_MOST];
    uint32_t begin[WORDS_MOST];
    unsigned count = 0;
    bool unknown_label = false;
    for (unsigned i = 0; i < words->count; i++) {
        const struct vocabulary_slot *slot = look_up(r, words->at[i]);
        bool label = !slot->id && words_dotted(words->at[i]);
        if (label && unknown_label) continue; /* a long host name is one unknown word */
        unknown_label = label;
        ids[count] = slot->id;
        begin[count++] = slot->node;
    }
    for (unsigned start = 0; start < count; start++) {
        uint32_t node = begin[start];
        for (unsigned end = start + 1; node; end++) {
            for (uint32_t o = r->nodes[node].output; o; o = r->outputs[o].next)
                met(w, r->outputs[o].family, start, end);
            if (r->nodes[node].leaf || end == count || !ids[end]) break;
            node = next_node(r, node, ids[end]);
        }
    }
}

/* ---- conditions ---- */

static bool code_fits(const struct rule *rule, int code) {
    for (unsigned i = 0; i < rule->code_count; i++)
        if (rule->codes[i] == code || rule->codes[i] == code / 100) return true;
    return rule->code_count == 0;
}

static bool enhanced_fits(const struct rule *rule, const uint16_t code[3]) {
    if (!rule->enhanced_count && !rule->enhanced_none) return true;
    if (!code[0]) return rule->enhanced_none;
    for (unsigned i = 0; i < rule->enhanced_count; i++) {
        const struct rule_enhanced *e = &rule->enhanced[i];
        if ((e->class == ANY_PART || e->class == code[0]) &&
            (e->subject == ANY_PART || e->subject == code[1]) && e->first <= code[2] && code[2] <= e->last)
            return true;
    }
    return false;
}

static bool provider_fits(const struct rule *rule, unsigned provider) {
    for (unsigned i = 0; i < rule->provider_count; i++)
        if (rule->providers[i] == provider) return true;
    return rule->provider_count == 0;
}

static bool has_family(const struct walk *w, uint16_t family) {
    return w->families[family / 64] >> (family % 64) & 1;
}

/* The places where the element may end, given those where the one before it may. */
static places after_element(const struct walk *w, const struct rule_element *e, places before) {
    places after = 0;
    for (unsigned i = 0; i < w->hit_count; i++) {
        const struct hit *hit = &w->hits[i];
        if (hit->family != e->family) continue;
        places reach = ((places)1 << hit->start << 1) - 1; /* 0 to start */
        if (e->gap < hit->start) reach &= ~(((places)1 << (hit->start - e->gap)) - 1);
        if (before & reach) after |= (places)1 << hit->end;
    }
    return after;
}

static bool words_fit(const struct walk *w, const struct rule *rule) {
    for (unsigned i = 0; i < rule->element_count; i++)
        if (has_family(w, rule->elements[i].family) == rule->elements[i].absent) return false;
    if (rule->element_count < 2) return true;
    places at = 1;
    for (unsigned i = 0; i < rule->element_count && at; i++)
        if (!rule->elements[i].absent) at = after_element(w, &rule->elements[i], at);
    return at != 0;
}

static bool fits(const struct walk *w, const struct rule *rule) {
    return (!rule->stages || rule->stages >> w->stage & 1) && code_fits(rule, w->in->code) &&
           enhanced_fits(rule, w->enhanced) && provider_fits(rule, w->in->provider) && words_fit(w, rule);
}

/* ---- verdicts ---- */

/* Does the enhanced code make certain what the words only make likely? */
static bool code_certifies(const struct walk *w, enum classify_class class) {
    for (unsigned i = 0; i < RULE_WORDS && w->enhanced[0]; i++)
        for (uint64_t left = w->rules->always[i]; left; left &= left - 1) {
            const struct rule *rule = &w->rules->rules[i * 64 + (unsigned)__builtin_ctzll(left)];
            if (rule->enhanced_count && !rule->element_count && fits(w, rule))
                return rule->class == class && rule->how & RULE_CERTAIN;
        }
    return false;
}

static bool certain(const struct walk *w, const struct rule *rule) {
    if (rule->how & RULE_CERTAIN) return true;
    if (rule->how & RULE_CERTAIN_BEFORE_DATA && w->stage != CLASSIFY_AT_DATA) return true;
    return code_certifies(w, rule->class);
}

/* A refusal for good: 5xx; or no code at all, in the text of a bounce, unless its enhanced code says 4. */
static bool final(const struct walk *w) {
    return w->in->code ? w->in->code >= 500 : w->enhanced[0] != 4;
}

static struct classify_verdict verdict(const struct walk *w, const struct rule *rule) {
    const struct class_row *row = class_row(rule->class);
    struct classify_verdict v = {.class = rule->class,
                                 .hardness = row->hardness,
                                 .action = row->action,
                                 .scope = row->scope,
                                 .hint = rule->hint,
                                 .wait_s = rule->wait_s,
                                 .rule = rule->shown};
    bool deferred = rule->how & RULE_DEFER;
    v.permanent = final(w) && !deferred && w->stage != CLASSIFY_AT_SESSION;
    bool may_be_hard = v.permanent && w->enhanced[0] != 4 && w->stage != CLASSIFY_AT_MAIL;
    if (v.hardness == CLASSIFY_HARD && !(may_be_hard && certain(w, rule))) {
        v.hardness = CLASSIFY_SOFT;
        v.action = CLASSIFY_SUPPRESS_AFTER_N;
    }
    if (rule->class == CLASSIFY_REPUTATION_BLOCK && final(w) && !deferred) {
        v.action = CLASSIFY_PAUSE_ALERT;
        if (!v.hint) v.hint = CLASSIFY_HINT_STOP_SOURCE;
    }
    if (rule->class == CLASSIFY_AUTH_FAILURE && final(w) && !v.hint) v.hint = CLASSIFY_HINT_STOP_IDENTITY;
    if (rule->class == CLASSIFY_RATE_LIMITED && !v.hint) v.hint = CLASSIFY_HINT_SLOWER;
    if (rule->class == CLASSIFY_REPUTATION_BLOCK && !v.hint) v.hint = CLASSIFY_HINT_SLOWER;
    if (rule->has_action) v.action = rule->action;
    if (rule->has_scope) v.scope = rule->scope;
    if (v.action == CLASSIFY_SUPPRESS_AFTER_N && !v.permanent) v.action = CLASSIFY_RETRY;
    bool may_wait = rule->class == CLASSIFY_GREYLISTED || rule->class == CLASSIFY_RATE_LIMITED ||
                    rule->class == CLASSIFY_REPUTATION_BLOCK || rule->class == CLASSIFY_UNDETERMINED;
    if (may_wait && !v.permanent) {
        uint32_t named = replytext_wait_s(w->in->text);
        if (named) v.wait_s = named;
    }
    return v;
}

static struct classify_verdict undetermined(void) {
    return (struct classify_verdict){.class = CLASSIFY_UNDETERMINED,
                                     .hardness = CLASSIFY_SOFT,
                                     .action = CLASSIFY_RETRY,
                                     .scope = CLASSIFY_SCOPE_RECIPIENT,
                                     .rule = "no rule"};
}

static struct classify_verdict decide(struct walk *w) {
    bool named = false;
    for (unsigned i = 0; i < (w->rules->rule_count + 63) / 64; i++)
        for (uint64_t left = w->candidates[i]; left; left &= left - 1) {
            const struct rule *rule = &w->rules->rules[i * 64 + (unsigned)__builtin_ctzll(left)];
            if ((named && rule->how & RULE_NAMES_STAGE) || !fits(w, rule)) continue;
            if (!(rule->how & RULE_NAMES_STAGE)) return verdict(w, rule);
            w->stage = rule->names_stage;
            named = true;
        }
    return undetermined();
}

struct classify_verdict classify(const struct classify_rules *rules, const struct classify_input *in) {
    if (in->code >= 200 && in->code < 300)
        return (struct classify_verdict){.class = CLASSIFY_DELIVERED, .rule = "code 2xx"};
    struct walk w;
    struct words words;
    w.rules = rules;
    w.in = in;
    w.stage = in->stage;
    w.hit_count = 0;
    memset(w.families, 0, sizeof w.families);
    memcpy(w.candidates, rules->always, sizeof w.candidates);
    memcpy(w.enhanced, in->enhanced, sizeof w.enhanced);
    if (!w.enhanced[0]) {
        int class = in->code / 100;
        replytext_enhanced(in->text, class == 4 || class == 5 ? class : 0, w.enhanced);
    }
    words_split(in->text, &words);
    find_phrases(&w, &words);
    return decide(&w);
}
