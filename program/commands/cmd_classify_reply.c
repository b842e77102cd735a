/* tsubame classify-reply: what a server's answer means, by the rules in force. Lines in, lines out. */
#include "classify.h"
#include "command.h"
#include "jdoc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MOST = 65536, OUTPUT_AT_ONCE = 65536 };

static const struct arg args[] = {
    {"rules", 0, "FILE",
     "try these rules before the built-in ones (else replies.rules of the configuration)"},
};

struct classifying {
    const struct classify_rules *rules;
    bool json;
    struct buf out;
    bool bad; /* at least one line was no good */
    bool stop;
};

/* "\n" and "\t" as two characters, as they stand in logs, are blanks. */
static void unescape(char *text, size_t len) {
    for (size_t i = 0; i + 1 < len; i++)
        if (text[i] == '\\' && (text[i + 1] == 'n' || text[i + 1] == 'r' || text[i + 1] == 't'))
            text[i] = text[i + 1] = ' ';
}

static void put_text_verdict(struct buf *out, const struct classify_verdict *v) {
    buf_printf(out, "%s\t%s\t%s\t%s\n", classify_name(v->class), classify_hardness_name(v->hardness),
               classify_action_name(v->action), v->rule);
}

static void put_json_verdict(struct buf *out, const struct classify_verdict *v,
                             const struct classify_input *in) {
    struct jdoc *o = jdoc_object();
    char enhanced[24];
    jdoc_put_text(o, "class", slice_of(classify_name(v->class)));
    jdoc_put_text(o, "hardness", slice_of(classify_hardness_name(v->hardness)));
    jdoc_put_text(o, "action", slice_of(classify_action_name(v->action)));
    jdoc_put_text(o, "scope", slice_of(classify_scope_name(v->scope)));
    jdoc_put_text(o, "hint", slice_of(classify_hint_name(v->hint)));
    jdoc_put_bool(o, "permanent", v->permanent);
    jdoc_put_number(o, "wait_s", v->wait_s);
    jdoc_put_number(o, "code", in->code);
    int n =
        snprintf(enhanced, sizeof enhanced, "%u.%u.%u", in->enhanced[0], in->enhanced[1], in->enhanced[2]);
    if (in->enhanced[0])
        jdoc_put_text(o, "enhanced", slice_make(enhanced, (size_t)n));
    else
        jdoc_put_null(o, "enhanced");
    jdoc_put_text(o, "rule", slice_of(v->rule));
    jdoc_write(o, false, out);
    jdoc_free(o);
}

static void flush(struct classifying *c) {
    if (command_print(&c->out)) c->stop = c->bad = true;
    buf_reset(&c->out);
}

static void complain(struct classifying *c, const char *file, unsigned line, const char *what) {
    flush(c); /* so that what went before stands before it */
    command_complain(EXIT_FAILED, "%s:%u: %s", file, line, what);
    c->bad = true;
}

static void take_line(struct classifying *c, char *text, size_t len, const char *file, unsigned number) {
    struct slice rest = slice_make(text, len), stage, reply, provider = {NULL, 0};
    struct classify_input in = {0};
    while (rest.len && (rest.at[rest.len - 1] == '\n' || rest.at[rest.len - 1] == '\r'))
        rest.len--;
    if (!slice_cut(&rest, '\t', &stage) || !slice_cut(&rest, '\t', &reply)) {
        complain(c, file, number, "expected STAGE, a tabulator and the reply");
        return;
    }
    slice_cut(&rest, '\t', &provider);
    if (!classify_stage_by_name(slice_trim(stage), &in.stage)) {
        complain(c, file, number,
                 "the stage: expected connect, ehlo, mail, rcpt, data, or - if it is not known");
        return;
    }
    if (!slice_trim(reply).len) {
        complain(c, file, number, "expected a reply behind the tabulator");
        return;
    }
    unescape(text + (reply.at - text), reply.len);
    provider = slice_trim(provider);
    if (provider.len && !slice_eq(provider, SLICE("-"))) in.provider = classify_provider(c->rules, provider);
    classify_read(reply, &in);
    struct classify_verdict v = classify(c->rules, &in);
    if (c->json)
        put_json_verdict(&c->out, &v, &in);
    else
        put_text_verdict(&c->out, &v);
    if (c->out.len > OUTPUT_AT_ONCE) flush(c);
}

static void take_file(struct classifying *c, FILE *f, const char *name) {
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    for (unsigned number = 1; !c->stop && (len = getline(&line, &room, f)) > 0; number++) {
        if (len > LINE_MOST)
            complain(c, name, number, "expected a line of at most 64 KB");
        else
            take_line(c, line, (size_t)len, name, number);
    }
    if (ferror(f)) {
        struct err err;
        err_errno(&err, errno, "%s", name);
        command_fail(&err);
        c->bad = true;
    }
    free(line);
}

static void take_named(struct classifying *c, const char *name) {
    if (strcmp(name, "-") == 0) {
        take_file(c, stdin, "standard input");
        return;
    }
    FILE *f = fopen(name, "rb");
    struct err err;
    if (!f) {
        err_errno(&err, errno, "%s", name);
        command_fail(&err);
        c->bad = true;
        return;
    }
    take_file(c, f, name);
    fclose(f);
}

static int run(struct invocation *in) {
    const char *own = invocation_value(in, "rules");
    struct err err;
    struct classify_rules *rules = classify_rules_load(own ? own : in->options->replies.rules, &err);
    if (!rules) return command_fail(&err);
    struct classifying c = {.rules = rules, .json = in->json};
    buf_init(&c.out, 4 << 20);
    for (unsigned i = 0; i < in->operand_count && !c.stop; i++)
        take_named(&c, in->operands[i]);
    if (!in->operand_count) take_named(&c, "-");
    if (!c.stop) flush(&c);
    buf_done(&c.out);
    classify_rules_free(rules);
    return c.bad ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_classify_reply = {
    .name = "classify-reply",
    .operands = "[FILE...]",
    .summary = "what a server answer means, and what is done about it",
    .text =
        "Reads lines `STAGE <tab> REPLY` from files or standard input and prints for each\n"
        "`CLASS <tab> hard|soft|none <tab> ACTION <tab> RULE`. STAGE is what the reply answered: connect,\n"
        "ehlo, mail, rcpt, data, or - if it is not known. A third column may name the provider or its mail\n"
        "exchanger. The lines of a reply stand one behind the other, with blanks or \\n between them; a\n"
        "text without a code is one out of a bounce. A line that is no such line is told with its\n"
        "number, the others are classified all the same, and the exit status is 1.\n",
    .examples = "  printf 'rcpt\\t550 5.1.1 User unknown\\n' | tsubame classify-reply\n"
                "  printf 'data\\t550 Ip frequency limited\\tqq\\n' | tsubame classify-reply --json\n"
                "  tsubame classify-reply --rules my.rules replies.tsv | cut -f1 | sort | uniq -c\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .most = OPERAND_MOST,
    .json = true,
    .run = run,
};
