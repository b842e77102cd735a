/* Fuzz target: rules and replies (the rules alone, for reading the built-in ones takes longer than all else).
 * The input is a file of rules, a line "====", and replies. Besides memory: rules that are wrong are told
 * with a line; a verdict is whole; what is temporary is never hard, and hard is for good. */
#include "ruleset.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct classify_rules *rules, struct slice reply) {
    for (int stage = 0; stage < CLASSIFY_STAGES; stage++) {
        struct classify_input in = {.stage = (enum classify_stage)stage, .provider = (unsigned)stage};
        classify_read(reply, &in);
        assert(in.code == 0 || (in.code >= 200 && in.code <= 599));
        assert(in.text.len <= reply.len);
        struct classify_verdict v = classify(rules, &in), again = classify(rules, &in);
        assert(v.class > CLASSIFY_NONE && v.class < CLASSIFY_CLASSES && v.rule && v.rule[0]);
        assert(v.action < CLASSIFY_ACTIONS && v.scope < CLASSIFY_SCOPES && v.hint < CLASSIFY_HINTS);
        assert(v.rule == again.rule && v.wait_s == again.wait_s && v.permanent == again.permanent);
        assert(v.wait_s <= 7 * 24 * 3600);
        if (v.hardness == CLASSIFY_HARD) assert(v.permanent && (in.code == 0 || in.code >= 500));
        if (v.hardness == CLASSIFY_HARD) assert(stage != CLASSIFY_AT_SESSION || v.permanent);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct classify_rules *builtin;
    struct slice text = slice_make(data, size), replies = text, line;
    struct err err = {0};
    if (!builtin) builtin = classify_rules_load(NULL, &err);
    assert(builtin);
    ptrdiff_t cut = slice_find_nocase(text, SLICE("\n====\n"));
    if (cut >= 0) {
        replies = slice_skip(text, (size_t)cut + 6);
        text.len = (size_t)cut;
    }
    struct classify_rules *own = cut >= 0 ? ruleset_open(false, text, "own", &err) : NULL;
    if (cut >= 0 && !own) assert(err.kind != ERR_NONE && strncmp(err.text, "own:", 4) == 0);
    for (unsigned i = 0; i < 50 && slice_cut(&replies, '\n', &line); i++) {
        judge(builtin, line);
        if (own) judge(own, line);
    }
    classify_rules_free(own);
    return 0;
}
