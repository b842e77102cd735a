/* tsubame config: what is in force and why, what is wrong with a file, every key with its default. */
#include "classify.h"
#include "command.h"
#include "dkim_check.h"
#include "jdoc.h"

static size_t say_lines(const struct buf *lines, const char *before) {
    struct slice line, rest = buf_slice(lines);
    size_t n = 0;
    while (slice_cut(&rest, '\n', &line)) {
        if (!line.len) continue;
        command_complain(EXIT_CONFIG, "%s%.*s", before, SLICE_ARG(line));
        n++;
    }
    return n;
}

static int load(struct invocation *in, const char *file, struct options **o) {
    struct buf problems;
    buf_init(&problems, 65536);
    *o = options_load(file, in->sets, in->set_count, &problems);
    say_lines(&problems, "");
    buf_done(&problems);
    return *o ? EXIT_DONE : EXIT_CONFIG;
}

/* The text of a value as an own string, without the quotes that YAML may need. */
static void put_plain(struct jdoc *to, const struct option *opt, const char *key, const void *base) {
    struct buf text;
    buf_init(&text, 65536);
    option_put_value(opt, base, &text);
    jdoc_put_text(to, key, buf_slice(&text));
    buf_done(&text);
}

static void put_lists(struct jdoc *to, const struct option *opt, const char *key, const void *from) {
    const struct option_strings *strings = from;
    const struct option_addresses *addresses = from;
    struct jdoc *list = jdoc_child_list(to, key);
    for (size_t i = 0; opt->type == OPTION_STRINGS && i < strings->count; i++)
        jdoc_item_text(list, slice_of(strings->at[i]));
    for (size_t i = 0; opt->type == OPTION_ADDRESSES && i < addresses->count; i++) {
        char text[NET_ADDR_TEXT_MAX];
        int n = opt->port ? net_addr_format_port(&addresses->at[i], text)
                          : net_addr_format(&addresses->at[i], text);
        jdoc_item_text(list, slice_make(text, (size_t)n));
    }
}

static void put_typed(struct jdoc *to, const struct option *opt, const char *key, const void *base) {
    const void *from = (const char *)base + opt->offset;
    const char *text;
    switch (opt->type) {
    case OPTION_BOOL: jdoc_put_bool(to, key, *(const bool *)from); break;
    case OPTION_INT: jdoc_put_number(to, key, *(const int64_t *)from); break;
    case OPTION_NUMBER: jdoc_put_real(to, key, *(const double *)from); break;
    case OPTION_STRING:
    case OPTION_DOMAIN:
    case OPTION_PATH:
        text = *(const char *const *)from;
        if (text)
            jdoc_put_text(to, key, slice_of(text));
        else
            jdoc_put_null(to, key);
        break;
    case OPTION_STRINGS:
    case OPTION_ADDRESSES: put_lists(to, opt, key, from); break;
    case OPTION_ADDRESS:
    case OPTION_ENDPOINT:
        if (((const struct net_addr *)from)->family == NET_NONE)
            jdoc_put_null(to, key);
        else
            put_plain(to, opt, key, base);
        break;
    case OPTION_TIME:
        if (*(const wall_us *)from == 0)
            jdoc_put_null(to, key);
        else
            put_plain(to, opt, key, base);
        break;
    default: put_plain(to, opt, key, base);
    }
}

static void put_records(struct jdoc *to, const struct option *opt, const char *key, const void *base) {
    const struct option_records *records = (const void *)((const char *)base + opt->offset);
    struct jdoc *list = jdoc_child_list(to, key);
    for (size_t i = 0; i < records->count; i++) {
        struct jdoc *one = jdoc_item_object(list);
        for (size_t f = 0; f < opt->field_count; f++)
            put_typed(one, &opt->fields[f], opt->fields[f].key,
                      (const char *)records->at + i * opt->record_size);
    }
}

static struct jdoc *shown(const struct options *o) {
    size_t count;
    const struct option *table = options_table(&count);
    struct jdoc *all = jdoc_object();
    for (size_t i = 0; i < count; i++) {
        struct jdoc *one = jdoc_child_object(all, table[i].key);
        struct buf origin;
        buf_init(&origin, 65536);
        if (table[i].type == OPTION_RECORDS)
            put_records(one, &table[i], "value", o);
        else
            put_typed(one, &table[i], "value", o);
        option_put_origin(&o->origin[i], &origin);
        jdoc_put_text(one, "origin", buf_slice(&origin));
        buf_done(&origin);
    }
    return all;
}

static int show(struct invocation *in, struct buf *out) {
    struct options *o;
    int code = load(in, in->config, &o);
    if (code) return code;
    if (in->json) {
        struct jdoc *all = shown(o);
        jdoc_write(all, true, out);
        jdoc_free(all);
    } else {
        options_show(o, out);
    }
    options_free(o);
    return command_print(out);
}

/* What the file of rules says is only known when it is read. */
static void check_rules(const struct options *o, struct buf *problems) {
    struct err err;
    struct classify_rules *rules = classify_rules_load(o->replies.rules, &err);
    if (!rules) buf_printf(problems, "replies.rules: %s\n", err.text);
    classify_rules_free(rules);
}

static int check(struct invocation *in, const char *file, struct buf *out) {
    struct options *o;
    if (!file) file = in->config;
    if (!file) return command_complain(EXIT_USAGE, "config check: there is no file to check; name one");
    int code = load(in, file, &o);
    if (code) return code;
    struct buf problems, warnings;
    buf_init(&problems, 1 << 20);
    buf_init(&warnings, 1 << 20);
    dkim_check(o, clock_wall(), &problems, &warnings);
    check_rules(o, &problems);
    options_free(o);
    size_t warned = say_lines(&warnings, "warning: ");
    if (say_lines(&problems, "")) code = EXIT_CONFIG;
    buf_done(&problems);
    buf_done(&warnings);
    if (code) return code;
    buf_printf(out, warned ? "%s: good, but for the warnings\n" : "%s: good\n", file);
    return command_print(out);
}

static int run(struct invocation *in) {
    struct buf out;
    buf_init(&out, 4 << 20);
    const char *what = in->operand_count ? in->operands[0] : "show";
    int code;
    if (strcmp(what, "check") == 0) {
        code = check(in, in->operand_count > 1 ? in->operands[1] : NULL, &out);
    } else if (in->operand_count > 1) {
        code = command_complain(EXIT_USAGE, "config %s: does not expect '%s'", what, in->operands[1]);
    } else if (strcmp(what, "show") == 0) {
        code = show(in, &out);
    } else if (strcmp(what, "defaults") == 0) {
        options_defaults(&out);
        code = command_print(&out);
    } else if (strcmp(what, "manual") == 0) {
        options_manual(&out);
        code = command_print(&out);
    } else {
        code =
            command_complain(EXIT_USAGE, "config: expected show, check, defaults or manual, got '%s'", what);
    }
    buf_done(&out);
    return code;
}

const struct command command_config = {
    .name = "config",
    .operands = "show | check [FILE] | defaults | manual",
    .summary = "show or check the configuration",
    .text = "  show      what is in force, as YAML, with the origin of each value\n"
            "  check     everything that is wrong with a file: place, key, what was expected\n"
            "  defaults  every key with its meaning and default: a file to start from\n"
            "  manual    the same as a page of Markdown\n",
    .examples = "  tsubame config defaults > tsubame.yaml\n"
                "  tsubame config check tsubame.yaml\n"
                "  tsubame config show --set deliver.port=2525\n",
    .least = 0,
    .most = 2,
    .json = true,
    .bare = true,
    .run = run,
};
