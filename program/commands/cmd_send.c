/* tsubame send: a template and a list become mail. Reads what it was given, then lets a running server do the
 * work, or does it here. */
#include "address.h"
#include "content.h"
#include "course_args.h"
#include "dkim_check.h"
#include "sendjob.h"
#include "taking.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct arg args[] = {
    {"template", 't', "FILE", "what to send: YAML with from, subject, text, html (required)"},
    {"to", 0, "FILE", "whom: CSV with a header line, or JSON lines; - is standard input (required)"},
    {"name", 'n', "NAME", "what to call the campaign (else after the template's file)"},
    {"address-column", 0, "COLUMN",
     "the column of addresses (else the one called email, address, mail or to)"},
    {"charset", 0, "CHARSET", "of the list: utf-8 or cp932 (else it is found out)"},
    {"rejects", 0, "FILE", "where rows that cannot be used are written, with line and reason"},
    {"hold", 0, NULL, "load and hold; `tsubame resume` lets it go"},
    COURSE_ARGS,
    {"dry-run", 0, NULL, "send nothing: count, check, show the first mail"},
    {"resume", 0, "CAMPAIGN", "load nothing: bring this campaign to its end"},
    {"detach", 0, NULL, "with a server: return when loaded, not when sent"},
    {"wait", 0, NULL, "with a server: return when sent (the default)"},
    {"no-server", 0, NULL, "do it here even if a server answers"},
};

volatile int sendjob_interrupted;

static void interrupt(int signum) {
    (void)signum;
    if (sendjob_interrupted++) {
        static const char text[] =
            "\ntsubame: ended at once; what was on the wire is uncertain, nothing is lost\n";
        if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(EXIT_INTERRUPTED);
        _exit(EXIT_INTERRUPTED);
    }
}

void sendjob_catch_signals(void) {
    struct sigaction act = {.sa_handler = interrupt};
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    struct sigaction before; /* a terminal that is closed ends it in good order; nohup's wish stands */
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(SIGHUP, &act, NULL);
}

void sendjob_say_rejects(const struct sendjob *job) {
    struct stat st;
    if (job->rejects && stat(job->rejects, &st) == 0 && !S_ISDIR(st.st_mode))
        command_complain(0, "rejected rows, with line and reason, are in %s", job->rejects);
}

void sendjob_say_loaded(struct sendjob *job, const struct load_counts *counts) {
    progress_loading(&job->progress, clock_mono(), counts, true);
    if (counts->rejected && job->rejects)
        sendjob_say_rejects(job);
    else if (counts->rejected)
        command_complain(0, "%llu rows were rejected; --rejects FILE writes them down with line and reason",
                         (unsigned long long)counts->rejected);
}

int sendjob_conclude(struct sendjob *job, const struct campaign_status *c) {
    struct buf out;
    buf_init(&out, 65536);
    if (job->in->json) {
        struct jdoc *o = jdoc_object();
        show_campaign_json(o, c);
        jdoc_write(o, true, &out);
        jdoc_free(o);
    } else {
        buf_printf(&out, "Campaign %u (", c->id);
        show_text(&out, slice_of(c->name));
        buf_printf(&out, ") %s: ", c->ended ? "is done" : c->state == CAMPAIGN_HELD ? "is held" : "goes on");
        show_equation(&out, &c->tally);
        buf_printf(&out, "\n`tsubame report %u` shows more.\n", c->id);
    }
    int code = command_print(&out);
    buf_done(&out);
    if (code != EXIT_DONE || !c->ended || c->tally.delivered || !c->tally.failed) return code;
    return command_complain(EXIT_FAILED, "nobody got this mail, %llu failed: `tsubame report %u` says why",
                            (unsigned long long)c->tally.failed, c->id);
}

/* The template's file name without folder and ending. */
static void default_name(const char *path, char *name, size_t room) {
    const char *slash = strrchr(path, '/'), *start = slash ? slash + 1 : path;
    const char *dot = strrchr(start, '.');
    size_t n = dot && dot > start ? (size_t)(dot - start) : strlen(start);
    snprintf(name, room < TAKING_NAME_MAX ? room : TAKING_NAME_MAX, "%.*s", (int)n, start);
    if (taking_check_name(slice_of(name), NULL)) snprintf(name, room, "campaign");
}

/* Better here than in a receiver's report. */
static void warn_unsigned(const struct options *o, struct slice from) {
    struct address address;
    struct arena arena;
    struct buf text;
    arena_init(&arena, 8192);
    buf_init(&text, 1024);
    if (address_parse(from, &arena, &address, NULL) == 0)
        dkim_check_from(o, address.domain, clock_wall(), &text);
    if (text.len) command_complain(0, "warning: %.*s", SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
    arena_done(&arena);
}

static int read_template(struct sendjob *job, const char *path) {
    struct arena arena;
    struct content content;
    struct err err;
    arena_init(&arena, CONTENT_ROOM);
    int failed = content_read(path, &arena, &content, &err);
    if (!failed) content_encode(&content, &job->payload);
    if (!failed) warn_unsigned(job->in->options, content.from);
    arena_done(&arena);
    if (failed) return command_fail(&err);
    if (job->payload.failed)
        return command_complain(EXIT_FAILED, "%s: larger than %d bytes", path, CONTENT_MAX);
    return EXIT_DONE;
}

static int open_list(struct sendjob *job, const char *path) {
    struct err err;
    if (strcmp(path, "-") == 0) {
        job->csv = STDIN_FILENO;
        return EXIT_DONE;
    }
    job->csv = open(path, O_RDONLY | O_CLOEXEC);
    if (job->csv >= 0) return EXIT_DONE;
    err_errno(&err, errno, "%s", path);
    return command_fail(&err);
}

/* The file of rejects must not be written over what is being read. */
static int keep_inputs(struct sendjob *job) {
    struct stat list, content, rejects;
    if (!job->rejects || stat(job->rejects, &rejects) || !S_ISREG(rejects.st_mode)) return EXIT_DONE;
    bool same = fstat(job->csv, &list) == 0 && list.st_dev == rejects.st_dev && list.st_ino == rejects.st_ino;
    same |= stat(job->template, &content) == 0 && content.st_dev == rejects.st_dev &&
            content.st_ino == rejects.st_ino;
    return same ? command_complain(EXIT_USAGE, "--rejects: %s is what is to be sent: give another file",
                                   job->rejects)
                : EXIT_DONE;
}

static int prepare(struct sendjob *job) {
    struct invocation *in = job->in;
    const char *template = invocation_value(in, "template"), *to = invocation_value(in, "to");
    const char *name = invocation_value(in, "name"), *column = invocation_value(in, "address-column");
    const char *charset = invocation_value(in, "charset");
    struct err err;
    if (!template)
        return command_complain(EXIT_USAGE, "send: what? Give --template FILE (see `tsubame send --help`)");
    if (!to) return command_complain(EXIT_USAGE, "send: to whom? Give --to FILE (see `tsubame send --help`)");
    if (name && taking_check_name(slice_of(name), &err))
        return command_complain(EXIT_USAGE, "--name: %s", err.text);
    if (name)
        snprintf(job->name, sizeof job->name, "%s", name);
    else
        default_name(template, job->name, sizeof job->name);
    struct campaign_change change;
    int wrong = course_from_args(in, &change);
    if (!wrong && campaign_course_check(&change.to, clock_wall(), &err)) wrong = command_fail(&err);
    if (wrong) return wrong;
    job->course = change.to;
    job->address_column = slice_of(column);
    if (charset && !list_charset_parse(slice_of(charset), &job->charset))
        return command_complain(EXIT_USAGE, "--charset: '%s' is not known here: give utf-8 or cp932",
                                charset);
    job->list = strcmp(to, "-") == 0 ? "standard input" : to;
    job->template = template;
    int code = read_template(job, template);
    if (code == EXIT_DONE) code = open_list(job, to);
    return code ? code : keep_inputs(job);
}

static int dispatch(struct sendjob *job, bool resume) {
    struct talk server;
    struct err err;
    if (!resume && invocation_has(job->in, "dry-run")) return sendjob_try(job);
    if (!invocation_has(job->in, "no-server")) {
        if (talk_connect(&server, job->in->options->control.socket, &err) == 0) {
            int code = sendjob_there(job, &server, resume);
            talk_done(&server);
            return code;
        }
        if (err.kind != ERR_ABSENT) return command_fail(&err);
    }
    if (job->detach)
        return command_complain(EXIT_LATER,
                                "--detach needs a running server, and none answers at %s: start `tsubame "
                                "serve`, or send without --detach",
                                job->in->options->control.socket);
    return sendjob_here(job, resume);
}

static int run(struct invocation *in) {
    const char *resume = invocation_value(in, "resume");
    struct sendjob job = {.in = in,
                          .csv = -1,
                          .rejects = invocation_value(in, "rejects"),
                          .hold = invocation_has(in, "hold"),
                          .detach = invocation_has(in, "detach")};
    buf_init(&job.payload, CONTENT_MAX + 65536);
    progress_init(&job.progress, STDERR_FILENO);
    int code = EXIT_DONE;
    if (resume && (invocation_has(in, "to") || invocation_has(in, "template")))
        code = command_complain(EXIT_USAGE, "send: --resume goes without --template and --to");
    else if (resume)
        snprintf(job.name, sizeof job.name, "%s", resume);
    else
        code = prepare(&job);
    if (code == EXIT_DONE) code = dispatch(&job, resume != NULL);
    if (job.csv > STDERR_FILENO) close(job.csv);
    buf_done(&job.payload);
    return code;
}

const struct command command_send = {
    .name = "send",
    .summary = "send a template to a list, with an account of every recipient",
    .text =
        "With a running server the server does it (the files are handed over, it needs no rights on them).\n"
        "Without one this command runs the engine itself until the campaign is done; it goes on with\n"
        "campaigns that were left unfinished too. Ctrl-C ends it in good order: nothing is lost, and\n"
        "`tsubame send --resume NAME` or `tsubame serve` goes on.\n\n"
        "A template is YAML:\n\n"
        "  from: \"Swallow News <news@example.com>\"\n"
        "  subject: \"{{name}}, spring is here\"\n"
        "  text: |\n"
        "    Dear {{name}}, ...\n\n"
        "{{name}} is the column `name` of the list, which is CSV in UTF-8 or CP932 (Shift_JIS), or JSON "
        "lines;\n"
        "docs/templates.md has the whole language, and `tsubame render` shows any recipient's mail.\n"
        "Rows with a bad address are rejected and counted as failed; an address that comes twice gets one\n"
        "mail. --dry-run shows how the list was read. When nobody got the mail it ends with 1.\n",
    .examples = "  tsubame send --template news.yaml --to list.csv --dry-run\n"
                "  tsubame send --template news.yaml --to list.csv --name spring-news --rejects bad.csv\n"
                "  zcat list.csv.gz | tsubame send -t news.yaml --to -\n"
                "  tsubame send -t reset.yaml --to one.csv --priority transactional\n"
                "  tsubame send -t news.yaml --to list.csv --not-before 2026-07-01T07:00:00Z --deadline +8h\n"
                "  tsubame send --resume spring-news\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .json = true,
    .run = run,
};
