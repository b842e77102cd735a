/* The command line's grammar: words to an invocation; and how commands end. */
#include "command.h"

#include "shown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct arg common[] = {
    {"config", 'c', "FILE",
     "the configuration (else $TSUBAME_CONFIG, ./tsubame.yaml, /etc/tsubame/tsubame.yaml)"},
    {"set", 0, "KEY=VALUE", "one key of the configuration, over the file; may be given again"},
    {"help", 'h', NULL, "this page"},
    {"json", 0, NULL, "print data as JSON"}, /* the last: not all commands have it */
};
enum { CONFIG, SET, HELP, JSON, COMMON_COUNT };

const char command_exit_text[] =
    "0 done, 1 failed, 2 wrong usage, 3 wrong configuration, 4 no such campaign,\n"
    "address or store, 5 try again later (in use, disk full), 130 interrupted with work left.\n";

const struct arg *command_common(const struct command *c, size_t *count) {
    *count = c->json ? COMMON_COUNT : COMMON_COUNT - 1;
    return common;
}

int command_complain(int code, const char *format, ...) {
    struct buf line;
    buf_init(&line, 65536);
    buf_put_text(&line, "tsubame: ");
    va_list args;
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    struct buf shown; /* names of files and words of strangers are quoted in it */
    buf_init(&shown, 65536 + 1);
    shown_put(&shown, buf_slice(&line));
    buf_put_c(&shown, '\n');
    if (write(STDERR_FILENO, shown.at, shown.len) < 0) code = code ? code : EXIT_FAILED;
    buf_done(&shown);
    buf_done(&line);
    return code;
}

int command_fail(const struct err *err) {
    static const int codes[] = {
        [ERR_NONE] = EXIT_FAILED,  [ERR_INPUT] = EXIT_FAILED,  [ERR_BUSY] = EXIT_LATER,
        [ERR_SPACE] = EXIT_LATER,  [ERR_SYSTEM] = EXIT_FAILED, [ERR_CORRUPT] = EXIT_FAILED,
        [ERR_ABSENT] = EXIT_ABSENT};
    return command_complain(codes[err->kind], "%s", err->text);
}

int command_print(const struct buf *text) {
    return command_print_on(text, NULL);
}

int command_print_on(const struct buf *text, bool *enough) {
    if (enough) *enough = false;
    if (text->failed) return command_complain(EXIT_FAILED, "out of memory");
    for (size_t done = 0; done < text->len;) {
        ssize_t n = write(STDOUT_FILENO, text->at + done, text->len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EPIPE) {
            if (enough) *enough = true;
            return EXIT_DONE;
        }
        if (n < 0) {
            struct err err;
            err_errno(&err, errno, "standard output");
            return command_fail(&err);
        }
        done += (size_t)n;
    }
    return EXIT_DONE;
}

const char *invocation_value(const struct invocation *in, const char *name) {
    for (size_t i = 0; i < in->command->arg_count; i++)
        if (strcmp(in->command->args[i].name, name) == 0) return in->values[i];
    abort(); /* a command asks for what it does not take */
}

static int usage(const struct invocation *in, const char *what, const char *word) {
    return command_complain(EXIT_USAGE, "%s: %s '%s' (see `tsubame %s --help`)", in->command->name, what,
                            word, in->command->name);
}

/* Does `word` name `arg`? Then *value is what stands behind the '=' of "--name=value", else NULL. */
static bool names(const struct arg *arg, const char *word, const char **value) {
    size_t n = strlen(arg->name);
    *value = NULL;
    if (word[1] != '-') return arg->letter && word[1] == arg->letter && word[2] == 0;
    if (strncmp(word + 2, arg->name, n) != 0) return false;
    if (word[2 + n] == '=') *value = word + 3 + n;
    return word[2 + n] == 0 || word[2 + n] == '=';
}

static int take_common(struct invocation *in, size_t which, const char *value) {
    if (which == CONFIG) in->config = value;
    if (which == JSON) in->json = true;
    if (which == HELP) in->help = true;
    if (which != SET) return 0;
    if (in->set_count == SET_MOST) return usage(in, "too many times", "--set");
    in->sets[in->set_count++] = value;
    return 0;
}

/* Takes the option at words[*i], and its value. */
static int take_option(struct invocation *in, int count, char **words, int *i) {
    const struct command *c = in->command;
    const char *word = words[*i], *value = NULL;
    for (size_t k = 0; k < COMMON_COUNT + c->arg_count; k++) {
        const struct arg *arg = k < COMMON_COUNT ? &common[k] : &c->args[k - COMMON_COUNT];
        if (k == JSON && !c->json) continue;
        if (!names(arg, word, &value)) continue;
        if (!arg->value && value) return usage(in, "takes no value:", word);
        if (arg->value && !value) {
            if (*i + 1 >= count) return usage(in, "lacks its value:", word);
            value = words[++*i];
        }
        if (k < COMMON_COUNT) return take_common(in, k, value);
        in->values[k - COMMON_COUNT] = value ? value : "";
        return 0;
    }
    return usage(in, "does not know", word);
}

int invocation_parse(struct invocation *in, const struct command *command, int count, char **words) {
    bool plain = false; /* "--" was met */
    in->command = command;
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (!plain && strcmp(word, "--") == 0) {
            plain = true;
        } else if (!plain && word[0] == '-' && word[1]) {
            int failed = take_option(in, count, words, &i);
            if (failed) return failed;
        } else if (in->operand_count == command->most) {
            return usage(in, "does not expect", word);
        } else {
            in->operands[in->operand_count++] = word;
        }
    }
    if (in->operand_count < command->least && !in->help) return usage(in, "expects", command->operands);
    return 0;
}
