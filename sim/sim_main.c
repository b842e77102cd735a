/* tsubame-sim: the fake internet as a program. Subcommands and their options; the work is done elsewhere. */
#include "sim_commands.h"

#include <stdio.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"run", sim_run, "plays the internet of a scenario: DNS and SMTP"},
    {"scenario", sim_show, "checks a scenario and prints it with all defaults"},
    {"audience", sim_audience, "writes a list of people of a scenario as CSV"},
    {"check", sim_check, "compares what was accepted with what was to be sent, or with what a ledger says"},
    {"replies", sim_replies, "prints what the providers say"},
};

static void usage(FILE *to) {
    fputs("usage: tsubame-sim COMMAND [OPTIONS]\n\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].what);
    fputs("\ntsubame-sim COMMAND --help says more. The page docs/sim.md teaches scenarios.\n", to);
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (*name) fprintf(stderr, "tsubame-sim: no command '%s'\n", name);
    usage(stderr);
    return 2;
}
