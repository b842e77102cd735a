/* tsubame-sim: the fake internet as a program. Subcommands and their options; the work is done elsewhere. */
#include "clock.h"
#include "roff.h"
#include "sim_commands.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>

static int manual(int argc, char **argv);
static const char manual_help[] =
    "usage: tsubame-sim manual\n\nPrints the manual page tsubame-sim(1) as roff.\n";

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what, *help;
} commands[] = {
    {"run", sim_run, "plays the internet of a scenario: DNS and SMTP", sim_run_help},
    {"scenario", sim_show, "checks a scenario and prints it with all defaults", sim_show_help},
    {"audience", sim_audience, "writes a list of people of a scenario as CSV", sim_audience_help},
    {"check", sim_check, "compares what was accepted with what was to be sent, or with what a ledger says",
     sim_check_help},
    {"replies", sim_replies, "prints what the providers say", sim_replies_help},
    {"manual", manual, "prints the manual page", manual_help},
};

static void usage(FILE *to) {
    fputs("usage: tsubame-sim COMMAND [OPTIONS]\n\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].what);
    fputs("\ntsubame-sim COMMAND --help says more. The page docs/sim.md teaches scenarios.\n", to);
}

/* SOURCE_DATE_EPOCH makes the same page again, as build systems want it. */
static void put_title(struct buf *out) {
    char date[CLOCK_TEXT_MAX];
    const char *given = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds;
    bool good = given && slice_to_u64(slice_of(given), &seconds) && seconds < UINT32_MAX;
    clock_rfc3339(good ? (wall_us)seconds * US_PER_SEC : clock_wall(), date);
    date[10] = 0;
    roff_title(out, "tsubame-sim", 1, date, tsubame_version);
    roff_name(out, "tsubame-sim", "a made-up internet of mailbox providers on loopback addresses");
}

static int manual(int argc, char **argv) {
    struct buf out;
    (void)argv;
    if (argc > 1) return fputs(manual_help, stdout), 0;
    buf_init(&out, 1 << 20);
    put_title(&out);
    roff_section(&out, "SYNOPSIS");
    roff_text(&out, slice_of("`tsubame-sim` COMMAND [options]"));
    roff_section(&out, "DESCRIPTION");
    roff_text(
        &out,
        slice_of("`tsubame-sim` plays DNS and mailbox providers on loopback addresses, as a scenario "
                 "describes them, and writes down what it really accepted. It sends nothing anywhere."));
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        roff_subsection(&out, commands[i].name);
        roff_text(&out, slice_of(commands[i].help));
    }
    roff_section(&out, "SEE ALSO");
    roff_reference(&out, "tsubame", 1, false);
    fwrite(out.at, 1, out.len, stdout);
    int code = out.failed || fflush(stdout) ? 1 : 0;
    buf_done(&out);
    return code;
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
