/* The subcommands of tsubame-sim. Each takes its own arguments (argv[0] is its name) and returns the exit
 * code: 0 fine, 1 failed, 2 called wrongly. */
#ifndef TSUBAME_SIM_COMMANDS_H
#define TSUBAME_SIM_COMMANDS_H

#include "err.h"

int sim_run(int argc, char **argv);
int sim_show(int argc, char **argv);
int sim_audience(int argc, char **argv);
int sim_check(int argc, char **argv);
int sim_replies(int argc, char **argv);

/* What --help of each prints; also on the manual page. */
extern const char sim_run_help[], sim_show_help[], sim_audience_help[], sim_check_help[], sim_replies_help[];

/* A number given to an option, at most `most`; prints what is wrong and returns -1 otherwise. */
int sim_option_number(const char *option, const char *text, uint64_t most, uint64_t *value);

#endif
