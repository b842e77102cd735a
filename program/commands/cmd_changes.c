/* tsubame changes: the audit trail. What lanes learned and why, and what people did. */
#include "command.h"
#include "instance.h"
#include "jdoc.h"
#include "lane_audit.h"
#include "notes.h"
#include "show.h"
#include "units.h"

#include <unistd.h>

static const struct arg args[] = {
    {"since", 0, "TIME", "not before: an age such as 2h, or a time such as 2026-07-01T00:00:00Z"},
    {"source", 0, "SOURCE", "only of lanes of this source"},
    {"only", 0, "KIND", "limits (what lanes learned) or hands (what people did)"},
    {"last", 'n', "N", "the newest so many; 50 unless told otherwise, 0 for the newest 100000"},
};
enum { SHOWN = 50 };

static int take(struct invocation *in, struct notes_wanted *w) {
    const char *since = invocation_value(in, "since"), *only = invocation_value(in, "only"),
               *last = invocation_value(in, "last"), *source = invocation_value(in, "source");
    int64_t age;
    uint64_t most = SHOWN;
    *w = (struct notes_wanted){.provider = slice_of(in->operand_count ? in->operands[0] : ""),
                               .source = slice_of(source ? source : "")};
    if (since && units_duration(slice_of(since), &age))
        w->since = clock_wall() - age;
    else if (since && !units_time(slice_of(since), &w->since))
        return command_complain(EXIT_USAGE,
                                "--since: expected an age such as 2h or a time such as "
                                "2026-07-01T00:00:00Z, got '%s'",
                                since);
    if (only && strcmp(only, "limits") == 0)
        w->what = NOTE_LIMIT;
    else if (only && strcmp(only, "hands") == 0)
        w->what = NOTE_HAND;
    else if (only)
        return command_complain(EXIT_USAGE, "--only: expected limits or hands, got '%s'", only);
    if (last && (!slice_to_u64(slice_of(last), &most) || most > NOTES_READ_MOST))
        return command_complain(EXIT_USAGE, "--last: expected a number up to %d, got '%s'", NOTES_READ_MOST,
                                last);
    w->most = (size_t)most;
    return EXIT_DONE;
}

/* "20 to 9.5 messages/s"; gates have seconds, and are shut from a time on or open again. */
static void put_change(const struct note *n, struct buf *out) {
    static const char *const units[LEARN_DIMENSIONS] = {
        [LEARN_CONNECTIONS] = "connections",
        [LEARN_RATE] = "messages/s",
        [LEARN_PER_CONNECTION] = "messages in a connection",
        [LEARN_NEW_CONNECTIONS] = "new connections/min",
        [LEARN_QUOTA] = "messages a day",
    };
    static const char *const gates[LEARN_DIMENSIONS] = {
        [LEARN_PAUSE] = "a pause was asked for",
        [LEARN_REFUSED] = "refused altogether",
        [LEARN_OUTAGE] = "no host answers",
    };
    unsigned d = n->dimension < LEARN_DIMENSIONS ? n->dimension : LEARN_NOTHING;
    if (gates[d] && n->to > 0)
        buf_printf(out, "shut: %s", gates[d]);
    else if (gates[d])
        buf_printf(out, "open again after %.3g s (%s)", n->from, gates[d]);
    else if (n->to > 0 && n->from > 0)
        buf_printf(out, "%.4g to %.4g %s", n->from, n->to, units[d] ? units[d] : "?");
    else if (n->to > 0)
        buf_printf(out, "%.4g %s", n->to, units[d] ? units[d] : "?");
    else
        buf_printf(out, "%.4g to none, %s", n->from, units[d] ? units[d] : "?");
}

static void put_hand(const struct note *n, struct buf *out) {
    buf_put_text(out, note_act_name(n->act));
    if (n->scope.len) buf_put_c(out, ' ');
    show_text(out, n->scope);
    if (n->campaign) buf_printf(out, " (campaign %u)", n->campaign);
    buf_put_text(out, ": ");
    units_put_grouped(out, n->touched);
    buf_put_text(out, " recipients, by ");
    show_text(out, n->by.len ? n->by : SLICE("nobody known"));
}

static void put_note(const struct note *n, bool colour, struct buf *out) {
    char time[CLOCK_TEXT_MAX];
    clock_rfc3339(n->at, time);
    buf_printf(out, "%.10s %.8s  ", time, time + 11);
    if (n->provider.len) show_text(out, n->provider);
    if (n->source.len) {
        buf_put_text(out, " from ");
        show_text(out, n->source);
    }
    if (n->provider.len || n->source.len) buf_put_text(out, ": ");
    if (n->what == NOTE_LIMIT)
        put_change(n, out);
    else
        put_hand(n, out);
    if (n->what == NOTE_LIMIT) buf_printf(out, ", by %s", learn_cause_name(n->cause));
    if (n->what == NOTE_LIMIT && n->changes > 1) buf_printf(out, " (%u changes)", n->changes);
    buf_put_c(out, '\n');
    if (!n->words.len) return;
    buf_printf(out, "    %s", show_dim(colour));
    if (n->code) buf_printf(out, "%u ", n->code);
    show_text(out, n->words);
    buf_printf(out, "%s\n", show_plain(colour));
}

static void put_text(struct jdoc *to, const char *key, struct slice text) {
    if (text.len)
        jdoc_put_text(to, key, text);
    else
        jdoc_put_null(to, key);
}

static void put_json(const struct note *n, struct jdoc *to) {
    char time[CLOCK_TEXT_MAX];
    jdoc_put_text(to, "at", slice_make(time, (size_t)clock_rfc3339(n->at, time)));
    jdoc_put_text(to, "kind", n->what == NOTE_LIMIT ? SLICE("limit") : SLICE("hand"));
    put_text(to, "provider", n->provider);
    put_text(to, "source", n->source);
    if (n->what == NOTE_LIMIT) {
        jdoc_put_text(to, "dimension", slice_of(learn_dimension_name((enum learn_dimension)n->dimension)));
        jdoc_put_real(to, "from", n->from);
        jdoc_put_real(to, "to", n->to);
        jdoc_put_text(to, "cause", slice_of(learn_cause_name(n->cause)));
        jdoc_put_number(to, "code", n->code);
        jdoc_put_number(to, "changes", n->changes);
    } else {
        jdoc_put_text(to, "act", slice_of(note_act_name(n->act)));
        put_text(to, "scope", n->scope);
        jdoc_put_number(to, "campaign", n->campaign);
        jdoc_put_number(to, "recipients", (int64_t)n->touched);
        put_text(to, "by", n->by);
    }
    put_text(to, "words", n->words);
}

static int print(struct invocation *in, const struct note *list, size_t count) {
    bool colour = show_is_terminal(STDOUT_FILENO);
    struct jdoc *all = in->json ? jdoc_object() : NULL;
    struct jdoc *items = in->json ? jdoc_child_list(all, "changes") : NULL;
    struct buf out;
    buf_init(&out, 256 << 20);
    for (size_t i = 0; i < count; i++)
        if (in->json)
            put_json(&list[i], jdoc_item_object(items));
        else
            put_note(&list[i], colour, &out);
    if (in->json) jdoc_write(all, true, &out);
    if (!in->json && count == 0) buf_put_text(&out, "Nothing has changed.\n");
    jdoc_free(all);
    int code = command_print(&out);
    buf_done(&out);
    return code;
}

static int run(struct invocation *in) {
    struct notes_wanted wanted;
    struct err err;
    int code = take(in, &wanted);
    if (code) return code;
    struct store *store = instance_store(in->options, true, &err);
    if (!store && err.kind == ERR_ABSENT)
        return command_complain(EXIT_ABSENT, "there is no store at %s (store.path)", in->options->store.path);
    if (!store) return command_fail(&err);
    struct arena arena;
    struct note *list;
    size_t count;
    arena_init(&arena, 256 << 20);
    code =
        notes_read(store, &wanted, &arena, &list, &count, &err) ? command_fail(&err) : print(in, list, count);
    arena_done(&arena);
    store_free(store);
    return code;
}

const struct command command_changes = {
    .name = "changes",
    .operands = "[PROVIDER]",
    .summary = "show how limits changed and why, and what people did",
    .text =
        "Every change of a limit that a lane learned, with its cause and the reply's own words, and what\n"
        "people ordered of a running server (hold, suspend, route, flush, resume, cancel; not priorities,\n"
        "weights and times, and nothing that was done without a server); the oldest first. Changes of one "
        "limit that follow each other within ten seconds are\n"
        "one line. They are kept as long as history.keep says, with or without a server running.\n",
    .examples = "  tsubame changes\n"
                "  tsubame changes google --since 2h\n"
                "  tsubame changes --only hands --last 0 --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .most = 1,
    .json = true,
    .run = run,
};
