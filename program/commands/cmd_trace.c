/* tsubame trace: what is said in a conversation, while it is said. */
#include "asking.h"
#include "command.h"
#include "show.h"
#include "units.h"

#include <stdio.h>
#include <unistd.h>

static const struct arg args[] = {
    {"source", 0, "NAME", "only from this source"},
    {"host", 0, "HOST", "only with this mail exchanger: its name or address"},
    {"to", 0, "ADDRESS", "the mail to this recipient, or to a domain"},
    {"campaign", 0, "CAMPAIGN", "only where a mail of it comes"},
    {"sessions", 0, "N", "so many sessions (1)"},
    {"all", 0, NULL, "all sessions"},
    {"content", 0, NULL, "shows the mails too, not only their size"},
    {"for", 0, "TIME", "no longer than this (30s, 5m)"},
    {"count", 0, "N", "no more lines than this"},
};

struct printing {
    bool json, colour;
    bool failed, enough; /* standard output is gone */
};

/* "  1.204 tls > MAIL FROM:<a@example.com>" */
static void put_said(struct buf *out, const struct jdoc *line, struct slice what, bool colour) {
    bool sent = slice_eq(what, SLICE("sent")), received = slice_eq(what, SLICE("received"));
    int64_t more = jdoc_number(line, "bytes_left_out", 0);
    bool note = !sent && !received;
    buf_printf(out, "%3lld %9.3f %s %c %s", (long long)jdoc_number(line, "session", 0),
               jdoc_real(line, "seconds", 0), jdoc_bool(line, "tls", false) ? "tls" : "   ",
               sent       ? '>'
               : received ? '<'
                          : '*',
               note   ? show_dim(colour)
               : sent ? show_bold(colour)
                      : "");
    show_text(out, jdoc_text(line, "text"));
    if (more) buf_printf(out, " [... %lld bytes more]", (long long)more);
    buf_printf(out, "%s\n", show_plain(colour));
}

static void put_line(struct buf *out, const struct jdoc *line, bool colour) {
    struct slice what = jdoc_text(line, "what");
    if (slice_eq(what, SLICE("left-out"))) {
        buf_printf(out, "... %lld lines left out: they came faster than they were read\n",
                   (long long)jdoc_number(line, "lines", 0));
    } else if (slice_eq(what, SLICE("begin"))) {
        buf_printf(out, "%3lld %9.3f     * session %lld: ", (long long)jdoc_number(line, "session", 0),
                   jdoc_real(line, "seconds", 0), (long long)jdoc_number(line, "session", 0));
        show_text(out, jdoc_text(line, "provider"));
        buf_put_text(out, " from ");
        show_text(out, jdoc_text(line, "source"));
        buf_put_text(out, ", with ");
        show_text(out, jdoc_text(line, "host"));
        buf_put_c(out, '\n');
    } else {
        put_said(out, line, what, colour);
    }
}

static void print(struct printing *p, const struct jdoc *line) {
    struct buf out;
    buf_init(&out, 64 << 10);
    if (p->json)
        jdoc_write(line, false, &out);
    else
        put_line(&out, line, p->colour);
    p->failed = command_print_on(&out, &p->enough) != EXIT_DONE;
    buf_done(&out);
}

static int put_number(struct jdoc *request, const char *key, const char *text, int64_t least) {
    int64_t n;
    if (!text) return 0;
    if (!units_int(slice_of(text), &n) || n < least)
        return command_complain(EXIT_USAGE, "trace: '%s' is no number that --%s takes", text, key);
    jdoc_put_number(request, key, n);
    return 0;
}

static void put_text(struct jdoc *request, const char *key, const char *text) {
    if (text) jdoc_put_text(request, key, slice_of(text));
}

static int fill(const struct invocation *in, struct jdoc *request) {
    const char *lasts = invocation_value(in, "for"), *count = invocation_value(in, "count"),
               *what = in->operand_count ? in->operands[0] : NULL;
    int64_t us = 0;
    jdoc_put_text(request, "do", SLICE("trace"));
    put_text(request, "provider", what);
    put_text(request, "source", invocation_value(in, "source"));
    put_text(request, "host", invocation_value(in, "host"));
    put_text(request, "to", invocation_value(in, "to"));
    put_text(request, "campaign", invocation_value(in, "campaign"));
    jdoc_put_bool(request, "content", invocation_has(in, "content"));
    if (lasts && (!units_duration(slice_of(lasts), &us) || us < US_PER_SEC))
        return command_complain(EXIT_USAGE, "trace: '%s' is no time that --for takes: 30s, 5m, 1h", lasts);
    jdoc_put_number(request, "seconds", us / US_PER_SEC);
    int64_t lines = 0;
    if (count && (!units_int(slice_of(count), &lines) || lines < 1))
        return command_complain(EXIT_USAGE, "trace: '%s' is no number that --count takes", count);
    jdoc_put_number(request, "lines", lines);
    if (invocation_has(in, "all")) {
        jdoc_put_number(request, "sessions", 0);
        return 0;
    }
    return put_number(request, "sessions", invocation_value(in, "sessions"), 1);
}

/* Until the last reply: EXIT_DONE, or why not. */
static int follow(struct talk *server, const struct jdoc *request, struct printing *p) {
    struct err err;
    if (talk_send(server, request, NULL, 0, &err)) return command_fail(&err);
    for (;;) {
        struct jdoc *line = talk_receive(server, &err);
        if (!line && err.kind == ERR_ABSENT)
            return command_complain(EXIT_FAILED, "the server has ended, and the trace with it");
        if (!line) return command_fail(&err);
        bool more = jdoc_bool(line, "more", false), ok = jdoc_bool(line, "ok", false);
        if (more) print(p, line);
        if (!more && !ok) talk_take_refusal(line, &err);
        jdoc_free(line);
        if (p->failed || p->enough) return p->enough ? EXIT_DONE : EXIT_FAILED;
        if (!more) return ok ? EXIT_DONE : command_fail(&err);
    }
}

static int run(struct invocation *in) {
    struct talk server;
    struct err err;
    struct jdoc *request = jdoc_object();
    struct printing p = {.json = in->json, .colour = show_is_terminal(STDOUT_FILENO)};
    int code = fill(in, request);
    if (code == EXIT_DONE)
        code = asking_connect(&server, in->options, &err) ? command_fail(&err) : EXIT_DONE;
    else {
        jdoc_free(request);
        return code;
    }
    if (code == EXIT_DONE) {
        code = follow(&server, request, &p);
        talk_done(&server);
    }
    jdoc_free(request);
    return code;
}

const struct command command_trace = {
    .name = "trace",
    .operands = "[PROVIDER]",
    .summary = "watches an SMTP conversation while it happens",
    .text = "Shows what is said in the next session that fits, or in one that is open, from then on: '>' is "
            "ours, '<' "
            "the server's, '*' what happened; the time is since the session was opened. Of mails only their "
            "size is "
            "shown. Without --to and --campaign a session is watched from its beginning where it has not "
            "begun yet; with "
            "them from the moment that such a mail comes to it.\n"
            "Ends with the session (--sessions and --all: with more of them), after --for or --count, or by "
            "Ctrl-C. It holds "
            "nobody up: lines that are not read fast enough are left out, and counted.\n",
    .examples = "  tsubame trace google\n"
                "  tsubame trace --to anna@example.com --for 10m\n"
                "  tsubame trace --host mx1.example.com --all --for 60s --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .most = 1,
    .json = true,
    .run = run,
};
