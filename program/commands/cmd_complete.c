/* tsubame complete: asked by the shells' scripts (cmd_completion.c). Prints nothing rather than an error, and
 * nothing late: whoever presses a key waits for it. */
#include "asking.h"
#include "command.h"
#include "completing.h"
#include "reading.h"

#include <fcntl.h>
#include <unistd.h>

enum { PATIENCE_S = 2 };

static void offer_name(struct buf *out, struct slice typed, struct slice name) {
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.at[i] < ' ') return;
    if (!slice_starts(name, typed)) return;
    buf_put_slice(out, name);
    buf_put_c(out, '\n');
}

static bool from_server(const struct options *o, struct slice typed, struct buf *out) {
    struct talk server;
    if (talk_connect(&server, o->control.socket, NULL)) return false;
    struct jdoc *reply = asking(&server, "status", NULL, (struct slice){0}, NULL);
    const struct jdoc *list = jdoc_get(reply, "campaigns");
    for (size_t i = 0; i < jdoc_count(list); i++)
        offer_name(out, typed, jdoc_text(jdoc_item(list, i), "name"));
    jdoc_free(reply);
    talk_done(&server);
    return true;
}

static void from_store(const struct options *o, struct slice typed, struct buf *out) {
    struct reading r;
    size_t count;
    if (reading_open(&r, o, 0)) return;
    const struct campaign_row *rows = view_campaigns(r.view, &count);
    for (size_t i = 0; i < count; i++)
        offer_name(out, typed, rows[i].name);
    reading_close(&r);
}

static void offer_campaigns(const struct invocation *in, struct slice typed, struct buf *out) {
    struct buf problems;
    buf_init(&problems, 65536);
    struct options *o = options_load(in->config, in->sets, in->set_count, &problems);
    if (o && !from_server(o, typed, out)) from_store(o, typed, out);
    options_free(o);
    buf_done(&problems);
}

static int run(struct invocation *in) {
    struct buf out, found;
    struct slice typed;
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nothing >= 0) dup2(nothing, STDERR_FILENO);
    alarm(PATIENCE_S); /* a server that does not answer */
    buf_init(&found, 4 << 20);
    buf_init(&out, 4 << 20);
    enum completing_kind kind = completing(in->operands, in->operand_count, &found, &typed);
    if (kind == COMPLETING_CAMPAIGNS) offer_campaigns(in, typed, &found);
    buf_printf(&out, "%s\n", completing_name(kind));
    buf_put_slice(&out, buf_slice(&found));
    int code = command_print(&out);
    buf_done(&found);
    buf_done(&out);
    return code;
}

const struct command command_complete = {
    .name = "complete",
    .operands = "-- [WORD...]",
    .summary = "what may come next on a command line",
    .text = "For the scripts of `tsubame completion`. WORDs are those behind the program's name, the last "
            "one being\n"
            "typed. Prints what kind of thing is expected (words, nospace, files, folders), then a candidate "
            "a line,\n"
            "its explanation behind a tab.\n",
    .examples = "  tsubame complete -- send --te\n",
    .most = OPERAND_MOST,
    .bare = true,
    .hidden = true,
    .run = run,
};
