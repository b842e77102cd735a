/* The pages of --help, made of the commands' tables, for terminals of 80 columns. */
#include "command.h"

enum { WIDTH = 80, HELP_COLUMN = 30 };

static bool next_word(struct slice *rest, struct slice *word) {
    while (rest->len && rest->at[0] == ' ')
        *rest = slice_skip(*rest, 1);
    return slice_cut(rest, ' ', word) && word->len;
}

/* Puts a line's words behind what stands at `column`; where they do not fit a new line begins with `indent`
 * blanks. Returns where it has come to. */
static size_t put_words(struct slice rest, size_t column, size_t indent, struct buf *out) {
    struct slice word;
    bool first = column <= indent;
    while (next_word(&rest, &word)) {
        if (!first && column + 1 + word.len > WIDTH) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        if (!first) buf_put_c(out, ' ');
        buf_put_slice(out, word);
        column += word.len + !first;
        first = false;
    }
    return column;
}

/* Paragraphs, their lines filled anew. What begins with a blank is a table or an example and stays as it is.
 */
static void put_text(struct slice rest, struct buf *out) {
    struct slice line;
    size_t column = 0;
    while (rest.len && slice_cut(&rest, '\n', &line)) {
        if (line.len && line.at[0] != ' ') {
            column = put_words(line, column, 0, out);
            continue;
        }
        if (column) buf_put_c(out, '\n');
        column = 0;
        buf_put_slice(out, line);
        buf_put_c(out, '\n');
    }
    if (column) buf_put_c(out, '\n');
}

static void put_args(const struct arg *args, size_t count, struct buf *out) {
    for (size_t i = 0; i < count; i++) {
        size_t start = out->len;
        if (args[i].letter)
            buf_printf(out, "  -%c, --%s", args[i].letter, args[i].name);
        else
            buf_printf(out, "      --%s", args[i].name);
        if (args[i].value) buf_printf(out, " %s", args[i].value);
        size_t width = out->len - start;
        if (width > HELP_COLUMN - 2) {
            buf_put_c(out, '\n');
            width = 0;
        }
        buf_printf(out, "%*s", (int)(HELP_COLUMN - width), "");
        put_words(slice_of(args[i].help), HELP_COLUMN, HELP_COLUMN, out);
        buf_put_c(out, '\n');
    }
}

void command_help(const struct command *c, struct buf *out) {
    struct buf usage;
    buf_printf(out, "tsubame %s - %s\n\n", c->name, c->summary);
    buf_init(&usage, 4096);
    buf_printf(&usage, "Usage: tsubame %s [options] %s", c->name, c->most ? c->operands : "");
    put_words(buf_slice(&usage), 0, 7, out);
    buf_done(&usage);
    buf_put_c(out, '\n');
    if (c->text) {
        buf_put_c(out, '\n');
        put_text(slice_of(c->text), out);
    }
    buf_put_text(out, "\nOptions:\n");
    size_t count;
    const struct arg *shared = command_common(c, &count);
    put_args(c->args, c->arg_count, out);
    put_args(shared, count, out);
    if (c->examples) buf_printf(out, "\nExamples:\n%s", c->examples);
    buf_put_text(out, "\nExit status:\n");
    put_text(slice_of(command_exit_text), out);
}

void command_overview(const struct command_group *groups, size_t count, struct buf *out) {
    buf_put_text(out, "tsubame - personal mail to many, with an account of every single one\n\n"
                      "Usage: tsubame COMMAND [options]\n");
    for (size_t g = 0; g < count; g++) {
        buf_printf(out, "\n%s:\n", groups[g].title);
        for (size_t i = 0; i < COMMAND_GROUP_MOST && groups[g].commands[i]; i++)
            buf_printf(out, "  %-14s %s\n", groups[g].commands[i]->name, groups[g].commands[i]->summary);
    }
    buf_put_text(out, "\n`tsubame COMMAND --help` explains each, with examples. Without a server:\n\n"
                      "  tsubame send --template news.yaml --to list.csv --dry-run\n");
}
