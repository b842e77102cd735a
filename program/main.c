/* The program: finds the command, reads the configuration for it, runs it. */
#include "command.h"
#include "version.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const struct command_group groups[] = {
    {"Sending", {&command_send, &command_render, &command_serve}},
    {"What becomes of it", {&command_status, &command_plan, &command_report, &command_message}},
    {"Watching",
     {&command_top, &command_lanes, &command_explain, &command_queue, &command_trace, &command_changes}},
    {"Changing its course",
     {&command_campaign, &command_hold, &command_suspend, &command_resume, &command_route, &command_flush,
      &command_cancel, &command_orders, &command_suppress}},
    {"Looking after the server", {&command_doctor, &command_prune, &command_backup, &command_restore}},
    {"Setting up",
     {&command_config, &command_providers, &command_dkim_key, &command_classify_reply, &command_completion,
      &command_manual}},
};
enum { GROUPS = sizeof groups / sizeof groups[0], COMMANDS_MOST = GROUPS * COMMAND_GROUP_MOST + 1 };

const struct command *const *command_all(size_t *count) {
    static const struct command *all[COMMANDS_MOST];
    size_t n = 0;
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t i = 0; i < COMMAND_GROUP_MOST && groups[g].commands[i]; i++)
            all[n++] = groups[g].commands[i];
    all[n++] = &command_complete;
    *count = n;
    return all;
}

const struct command *command_find(struct slice name) {
    size_t count;
    const struct command *const *all = command_all(&count);
    for (size_t i = 0; i < count; i++)
        if (slice_eq(slice_of(all[i]->name), name)) return all[i];
    return NULL;
}

static int print_help(const struct command *c) {
    struct buf out;
    buf_init(&out, 65536);
    if (c)
        command_help(c, &out);
    else
        command_overview(groups, GROUPS, &out);
    int code = command_print(&out);
    buf_done(&out);
    return code;
}

/* The file to read: the one named, else the first of the usual ones that is there, else none. What was
 * installed below a prefix such as /usr/local has its own before /etc. */
static const char *find_config(const struct invocation *in) {
    static const char *const usual[] = {"tsubame.yaml", TSUBAME_CONFIG_FILE, "/etc/tsubame/tsubame.yaml"};
    const char *named = in->config ? in->config : getenv("TSUBAME_CONFIG");
    if (named && *named) return named;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (access(usual[i], F_OK) == 0) return usual[i];
    return NULL;
}

static int run(struct invocation *in) {
    struct buf problems;
    buf_init(&problems, 65536);
    in->config = find_config(in);
    if (!in->command->bare) {
        in->options = options_load(in->config, in->sets, in->set_count, &problems);
        if (!in->options) {
            struct slice line, rest = buf_slice(&problems);
            while (slice_cut(&rest, '\n', &line))
                if (line.len) command_complain(EXIT_CONFIG, "%.*s", SLICE_ARG(line));
            buf_done(&problems);
            return EXIT_CONFIG;
        }
    }
    buf_done(&problems);
    int code = in->command->run(in);
    options_free(in->options);
    return code;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    const char *word = argc > 1 ? argv[1] : "--help";
    const struct command *command = command_find(slice_of(word));
    if (strcmp(word, "--version") == 0) {
        struct buf out;
        buf_init(&out, 256);
        buf_printf(&out, "tsubame %s\n", tsubame_version);
        int code = command_print(&out);
        buf_done(&out);
        return code;
    }
    if (strcmp(word, "help") == 0 && argc > 2) {
        word = argv[2];
        command = command_find(slice_of(word));
        if (command) return print_help(command);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || (strcmp(word, "help") == 0 && argc == 2)) {
        int code = print_help(NULL);
        return argc > 1 ? code : EXIT_USAGE;
    }
    if (!command) return command_complain(EXIT_USAGE, "no command '%s' (see `tsubame --help`)", word);
    struct invocation in = {.program = argv[0]};
    int failed = invocation_parse(&in, command, argc - 2, argv + 2);
    if (failed) return failed;
    return in.help ? print_help(command) : run(&in);
}
