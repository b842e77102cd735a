/* tsubame changes: the audit trail. What lanes learned and why, and what people did. */
#include "command.h"
#include "instance.h"
#include "jdoc.h"
#include "notes.h"
#include "show.h"
#include "show_note.h"
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

static int print(struct invocation *in, const struct note *list, size_t count) {
    bool colour = show_is_terminal(STDOUT_FILENO);
    struct jdoc *all = in->json ? jdoc_object() : NULL;
    struct jdoc *items = in->json ? jdoc_child_list(all, "changes") : NULL;
    struct buf out;
    buf_init(&out, 256 << 20);
    for (size_t i = 0; i < count; i++)
        if (in->json)
            show_note_json(jdoc_item_object(items), &list[i]);
        else
            show_note(&out, &list[i], colour);
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
        "people ordered, with or without a server: hold, suspend, route, flush, resume, cancel, priorities,\n"
        "weights and times of campaigns, and who watched conversations (trace); the oldest first. Changes "
        "of\n"
        "one limit that follow each other within ten seconds are one line. They are kept as long as "
        "history.keep says, with or without a server running.\n",
    .examples = "  tsubame changes\n"
                "  tsubame changes google --since 2h\n"
                "  tsubame changes --only hands --last 0 --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .most = 1,
    .json = true,
    .run = run,
};
