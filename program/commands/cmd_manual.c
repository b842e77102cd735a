/* tsubame manual: the manual pages, made of the same tables as --help and the parser. */
#include "clock.h"
#include "command.h"
#include "roff.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct arg args[] = {
    {"dir", 0, "FOLDER", "write all pages there, in man1 and man5"},
};

static const char overview[] =
    "`tsubame` sends one template to a list of people from your own servers, and can say of every single one "
    "what "
    "became of it: delivered, refused and in whose words, still pending, or honestly uncertain.\n\n"
    "A server, `tsubame serve`, takes campaigns and delivers them; the other commands speak to it, or do "
    "without: "
    "`tsubame send` delivers by itself where no server runs. What is sent, to whom, and what came of it "
    "stands in "
    "a store (store.path), which a crash does not harm.\n\n"
    "Each command has a page of its own. The configuration is described in tsubame.yaml(5).\n";

static const char rights[] = "A running server answers root, its own user and members of its group; the "
                             "files of `tsubame send` are handed "
                             "over, the server needs no rights on them. Commands that open the store become "
                             "its owner first when root calls "
                             "them, so that nothing is left there that the server can't open; others than "
                             "its owner and root can't open it.\n";

static const char file_text[] =
    "One YAML file: the one named with --config, else by $TSUBAME_CONFIG, else tsubame.yaml in the present "
    "folder, "
    "else /etc/tsubame/tsubame.yaml; without any the defaults hold. `--set KEY=VALUE` goes over the file. "
    "Relative "
    "paths lie beside the file. Keys nest at their dots or are written with them. A list of one may be "
    "written as "
    "its item. An unknown or wrong key is an error, with its place and what was expected.\n\n"
    "`tsubame config check FILE` says all that is wrong with a file, `tsubame config show` what is in force "
    "and "
    "where it comes from, `tsubame config defaults` prints a file to start from.\n";

static const char file_example[] = "  deliver:\n"
                                   "    helo: out.example.com\n"
                                   "    port: 25\n"
                                   "  deliver.retry.first: 10m      # the same as nested\n"
                                   "  providers:\n"
                                   "    - name: google\n"
                                   "      mx: [.google.com, .googlemail.com]\n"
                                   "      limits: {connections: 10}\n";

/* SOURCE_DATE_EPOCH makes the same page again, as build systems want it. */
static const char *today(char text[CLOCK_TEXT_MAX]) {
    const char *given = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds;
    bool good = given && slice_to_u64(slice_of(given), &seconds) && seconds < UINT32_MAX;
    clock_rfc3339(good ? (wall_us)seconds * US_PER_SEC : clock_wall(), text);
    text[10] = 0;
    return text;
}

static void title(const char *name, unsigned section, const char *summary, struct buf *out) {
    char date[CLOCK_TEXT_MAX];
    roff_title(out, name, section, today(date), tsubame_version);
    roff_name(out, name, summary);
}

static void put_args(const struct arg *list, size_t count, struct buf *out) {
    for (size_t i = 0; i < count; i++) {
        char term[80];
        if (list[i].letter)
            snprintf(term, sizeof term, "-%c, --%s", list[i].letter, list[i].name);
        else
            snprintf(term, sizeof term, "--%s", list[i].name);
        roff_entry(out, term, list[i].value, slice_of(list[i].help));
    }
}

static void command_page(const struct command *c, struct buf *out) {
    char name[64];
    struct buf usage;
    size_t count;
    const struct arg *common = command_common(c, &count);
    snprintf(name, sizeof name, "tsubame-%s", c->name);
    title(name, 1, c->summary, out);
    roff_section(out, "SYNOPSIS");
    buf_init(&usage, 1024);
    buf_printf(&usage, "`tsubame %s` [options] %s", c->name, c->most ? c->operands : "");
    roff_text(out, buf_slice(&usage));
    buf_done(&usage);
    if (c->text) {
        roff_section(out, "DESCRIPTION");
        roff_text(out, slice_of(c->text));
    }
    roff_section(out, "OPTIONS");
    put_args(c->args, c->arg_count, out);
    put_args(common, count, out);
    roff_section(out, "EXIT STATUS");
    roff_text(out, slice_of(command_exit_text));
    if (c->examples) {
        roff_section(out, "EXAMPLES");
        roff_lines(out, slice_of(c->examples));
    }
    roff_section(out, "SEE ALSO");
    roff_reference(out, "tsubame", 1, true);
    roff_reference(out, "tsubame.yaml", 5, false);
}

static void overview_page(struct buf *out) {
    size_t count;
    const struct command *const *all = command_all(&count);
    title("tsubame", 1, "personal mail to many, with an account of every single one", out);
    roff_section(out, "SYNOPSIS");
    roff_text(out,
              slice_of("`tsubame` COMMAND [options]\n\n`tsubame` COMMAND --help\n\n`tsubame` --version"));
    roff_section(out, "DESCRIPTION");
    roff_text(out, slice_of(overview));
    roff_section(out, "COMMANDS");
    for (size_t i = 0; i < count; i++)
        if (!all[i]->hidden) roff_entry(out, all[i]->name, NULL, slice_of(all[i]->summary));
    roff_section(out, "USERS AND RIGHTS");
    roff_text(out, slice_of(rights));
    roff_section(out, "EXIT STATUS");
    roff_text(out, slice_of(command_exit_text));
    roff_section(out, "ENVIRONMENT");
    roff_entry(out, "TSUBAME_CONFIG", NULL,
               slice_of("The configuration to read when --config does not name one."));
    roff_section(out, "FILES");
    roff_entry(out, "tsubame.yaml", NULL, slice_of("in the present folder: the configuration, else"));
    roff_entry(out, "/etc/tsubame/tsubame.yaml", NULL,
               slice_of("the configuration of the system's service."));
    roff_section(out, "SEE ALSO");
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "tsubame-%s", all[i]->name);
        if (!all[i]->hidden) roff_reference(out, name, 1, true);
    }
    roff_reference(out, "tsubame.yaml", 5, false);
}

static void file_page(struct buf *out) {
    title("tsubame.yaml", 5, "configuration of tsubame", out);
    roff_section(out, "DESCRIPTION");
    roff_text(out, slice_of(file_text));
    roff_section(out, "KEYS");
    options_roff(out);
    roff_section(out, "EXAMPLES");
    roff_lines(out, slice_of(file_example));
    roff_section(out, "SEE ALSO");
    roff_reference(out, "tsubame", 1, true);
    roff_reference(out, "tsubame-config", 1, false);
}

/* What is called "send", "tsubame-send" or "tsubame.yaml": false when it is none of them. */
static bool page(struct slice name, struct buf *out, unsigned *section) {
    struct slice prefix = slice_of("tsubame-");
    *section = 1;
    if (slice_eq(name, slice_of("tsubame"))) return overview_page(out), true;
    if (slice_eq(name, slice_of("tsubame.yaml"))) return *section = 5, file_page(out), true;
    if (slice_starts(name, prefix)) name = slice_skip(name, prefix.len);
    const struct command *c = command_find(name);
    if (c && !c->hidden) command_page(c, out);
    return c && !c->hidden;
}

static int make_folder(const char *path, struct err *err) {
    return mkdir(path, 0777) && errno != EEXIST ? err_errno(err, errno, "%s", path) : 0;
}

static int save(const char *path, const struct buf *text, struct err *err) {
    FILE *f = fopen(path, "we");
    if (!f) return err_errno(err, errno, "%s", path);
    size_t done = fwrite(text->at, 1, text->len, f);
    return fclose(f) || done != text->len ? err_errno(err, errno, "%s", path) : 0;
}

static int write_page(const char *dir, const char *name, struct err *err) {
    char path[4096];
    unsigned section;
    struct buf text;
    buf_init(&text, 4 << 20);
    page(slice_of(name), &text, &section);
    int n = snprintf(path, sizeof path, "%s/man%u", dir, section);
    int failed = text.failed ? err_set(err, ERR_SYSTEM, "out of memory") : 0;
    if (!failed && n >= (int)sizeof path) failed = err_set(err, ERR_INPUT, "%s: the path is too long", dir);
    if (!failed) failed = make_folder(path, err);
    if (!failed &&
        snprintf(path, sizeof path, "%s/man%u/%s.%u", dir, section, name, section) >= (int)sizeof path)
        failed = err_set(err, ERR_INPUT, "%s: the path is too long", dir);
    if (!failed) failed = save(path, &text, err);
    buf_done(&text);
    return failed;
}

static int write_all(const char *dir) {
    struct err err;
    size_t count;
    const struct command *const *all = command_all(&count);
    int failed = make_folder(dir, &err);
    if (!failed) failed = write_page(dir, "tsubame", &err);
    if (!failed) failed = write_page(dir, "tsubame.yaml", &err);
    for (size_t i = 0; i < count && !failed; i++) {
        char name[64];
        snprintf(name, sizeof name, "tsubame-%s", all[i]->name);
        if (!all[i]->hidden) failed = write_page(dir, name, &err);
    }
    return failed ? command_fail(&err) : EXIT_DONE;
}

static int run(struct invocation *in) {
    const char *dir = invocation_value(in, "dir");
    const char *name = in->operand_count ? in->operands[0] : "tsubame";
    if (dir && in->operand_count) return command_complain(EXIT_USAGE, "manual: --dir writes all pages");
    if (dir) return write_all(dir);
    struct buf out;
    unsigned section;
    buf_init(&out, 4 << 20);
    int code = page(slice_of(name), &out, &section)
                   ? command_print(&out)
                   : command_complain(EXIT_ABSENT,
                                      "there is no page '%s': give a command, tsubame or tsubame.yaml", name);
    buf_done(&out);
    return code;
}

const struct command command_manual = {
    .name = "manual",
    .operands = "[PAGE]",
    .summary = "the manual pages, as roff",
    .text = "PAGE is a command, tsubame (the default) or tsubame.yaml. Where they are installed man(1) shows "
            "them;\n"
            "this prints one, or writes all. With $SOURCE_DATE_EPOCH their date is that one.\n",
    .examples = "  tsubame manual send | man -l -\n"
                "  tsubame manual --dir /usr/local/share/man\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .most = 1,
    .bare = true,
    .run = run,
};
