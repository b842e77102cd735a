/* tsubame lanes: what each lane does, one row each. */
#include "asking.h"
#include "cells.h"
#include "command.h"
#include "lane_view.h"
#include "screen.h"
#include "show.h"
#include "units.h"

#include <unistd.h>

enum { SHOWN = 50 };

static const struct arg args[] = {
    {"sort", 0, "KEY", "by waiting (the default), rate, deferred, sessions or provider"},
    {"source", 0, "NAME", "only of this source"},
    {"all", 0, NULL, "all of them, not only the first 50"},
};

static void put_line(struct buf *out, struct slice text) {
    size_t n = text.len;
    while (n && text.at[n - 1] == ' ')
        n--;
    buf_put(out, text.at, n);
    buf_put_c(out, '\n');
}

static void put_lanes(struct buf *out, const struct jdoc *reply, size_t width, bool colour) {
    const struct jdoc *list = jdoc_get(reply, "lanes"), *rest = jdoc_get(reply, "rest");
    int64_t more = jdoc_number(rest, "lanes", 0);
    struct lane_view v;
    struct buf line;
    if (!jdoc_count(list)) {
        buf_put_text(out, "No lanes: nothing waits, and nothing was sent since the start of the server.\n");
        return;
    }
    buf_init(&line, 64 << 10);
    lane_view_head(&line, width);
    buf_put_text(out, show_bold(colour));
    put_line(out, buf_slice(&line));
    buf_put_text(out, show_plain(colour));
    for (size_t i = 0; i < jdoc_count(list); i++) {
        lane_view_read(&v, jdoc_item(list, i), jdoc_text(reply, "time"));
        buf_reset(&line);
        lane_view_row(&line, &v, width);
        put_line(out, buf_slice(&line));
    }
    buf_done(&line);
    if (!more) return;
    buf_printf(out, "... and %lld more, for which ", (long long)more);
    units_put_grouped(out, (uint64_t)jdoc_number(rest, "waiting", 0));
    buf_put_text(out, " wait (--all)\n");
}

static struct jdoc *request_of(const struct invocation *in) {
    struct jdoc *request = jdoc_object();
    const char *sort = invocation_value(in, "sort"), *source = invocation_value(in, "source");
    bool all = in->json || invocation_has(in, "all");
    jdoc_put_text(request, "do", SLICE("lanes"));
    jdoc_put_text(request, "sort", slice_of(sort));
    jdoc_put_text(request, "source", slice_of(source));
    jdoc_put_text(request, "provider", slice_of(in->operand_count ? in->operands[0] : NULL));
    jdoc_put_number(request, "most", all ? 0 : SHOWN);
    return request;
}

static int run(struct invocation *in) {
    struct talk server;
    struct err err;
    struct buf out;
    if (asking_connect(&server, in->options, &err)) return command_fail(&err);
    struct jdoc *reply = asking_for(&server, request_of(in), &err);
    talk_done(&server);
    if (!reply) return command_fail(&err);
    buf_init(&out, 64 << 20);
    if (in->json)
        jdoc_write(reply, true, &out);
    else
        put_lanes(&out, reply, screen_width(STDOUT_FILENO, 200), show_is_terminal(STDOUT_FILENO));
    int code = command_print(&out);
    buf_done(&out);
    jdoc_free(reply);
    return code;
}

const struct command command_lanes = {
    .name = "lanes",
    .operands = "[PROVIDER]",
    .summary = "every lane: what waits, how fast it is, what bounds it",
    .text = "A lane is a provider and a source. Shown are the recipients that wait for it, sessions and "
            "messages a second, each "
            "of the limit that is known (\"3/10\"), the share of attempts refused for now since the server's "
            "start, what bounds it "
            "(\"-\": nothing but the work), when more is tried (UTC), and the last refusal. The wider the "
            "terminal the more columns; into a "
            "pipe goes a table of 200.\n"
            "`tsubame explain PROVIDER` says it in a sentence, `tsubame top` shows it live.\n",
    .examples = "  tsubame lanes\n  tsubame lanes --sort deferred --all\n  tsubame lanes google --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .most = 1,
    .json = true,
    .run = run,
};
