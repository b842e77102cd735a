/* A command of the command line: what it takes, what --help says, and how it is called.
 *
 * Results go to standard output, everything else to standard error. */
#ifndef TSUBAME_COMMAND_H
#define TSUBAME_COMMAND_H

#include "buf.h"
#include "err.h"
#include "options.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,       /* it could not be done, or a check came out wrong */
    EXIT_USAGE = 2,        /* the command line is wrong */
    EXIT_CONFIG = 3,       /* the configuration is wrong */
    EXIT_ABSENT = 4,       /* no such campaign, address or store */
    EXIT_LATER = 5,        /* the same call may work later: in use, busy, disk full */
    EXIT_INTERRUPTED = 130 /* by a signal, with work left */
};

enum { ARG_MOST = 24, SET_MOST = 32, OPERAND_MOST = 400 };

struct arg {
    const char *name;  /* without dashes */
    char letter;       /* 0: none */
    const char *value; /* what stands behind it ("FILE"); NULL: nothing */
    const char *help;
};

struct invocation;

struct command {
    const char *name;
    const char *operands; /* "CAMPAIGN", "[FILE]" */
    const char *summary;  /* one line, no full stop */
    const char *text;     /* paragraphs for --help */
    const char *examples; /* lines */
    const struct arg *args;
    size_t arg_count;
    unsigned least, most;              /* operands */
    bool json;                         /* takes --json */
    bool bare;                         /* reads the configuration itself */
    bool hidden;                       /* for scripts of our own: on no page */
    int (*run)(struct invocation *in); /* an exit_code */
};

/* What stands together on the page of all commands. */
enum { COMMAND_GROUP_MOST = 10 };
struct command_group {
    const char *title;
    const struct command *commands[COMMAND_GROUP_MOST]; /* ends with NULL, or full */
};

struct invocation {
    const struct command *command;
    const char *values[ARG_MOST]; /* by index in args; "" for one without a value; NULL when not given */
    const char *operands[OPERAND_MOST];
    unsigned operand_count;
    const char *config;
    const char *sets[SET_MOST];
    size_t set_count;
    bool json;
    bool help;
    struct options *options; /* unless bare */
    const char *program;     /* how the program was called */
};

extern const struct command command_serve, command_send, command_render, command_status, command_report,
    command_message, command_campaign, command_plan, command_explain, command_top, command_lanes,
    command_queue, command_trace, command_hold, command_suspend, command_route, command_flush, command_orders,
    command_resume, command_cancel, command_suppress, command_prune, command_backup, command_restore,
    command_doctor, command_classify_reply, command_config, command_providers, command_changes,
    command_dkim_key, command_manual, command_completion, command_complete;
/* All of them, in the order of --help; the hidden ones last. */
const struct command *const *command_all(size_t *count);
/* NULL when there is none of that name. */
const struct command *command_find(struct slice name);

/* The options that all commands have (--json only those that say so), and what is said of the exit status. */
const struct arg *command_common(const struct command *c, size_t *count);
extern const char command_exit_text[];

/* NULL when not given. The name must be one of the command's. */
const char *invocation_value(const struct invocation *in, const char *name);
static inline bool invocation_has(const struct invocation *in, const char *name) {
    return invocation_value(in, name) != NULL;
}

/* Reads what stands behind the command's name. 0, or EXIT_USAGE with a line on standard error. */
int invocation_parse(struct invocation *in, const struct command *command, int count, char **words);

/* The page for one command, and the page for all. */
void command_help(const struct command *c, struct buf *out);
void command_overview(const struct command_group *groups, size_t count, struct buf *out);

/* "tsubame: text" on standard error; the exit code that the kind of error asks for. */
int command_fail(const struct err *err);
int command_complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes all of it to standard output; EXIT_DONE, or EXIT_FAILED with a line on standard error. A reader that
 * has seen enough (`| head`) is no failure; *enough, if not NULL, says so. */
int command_print_on(const struct buf *text, bool *enough);
int command_print(const struct buf *text);

#endif
