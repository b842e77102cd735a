/* tsubame status: what a running server does, or what stands in the store. */
#include "asking.h"
#include "command.h"
#include "finding.h"
#include "reading.h"
#include "show.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SHOWN_LANES = 30 };

static const struct arg args[] = {
    {"all", 0, NULL, "all lanes, not only the busiest"},
};

static int by_work(const void *a, const void *b) {
    const struct jdoc *x = *(const struct jdoc *const *)a, *y = *(const struct jdoc *const *)b;
    int64_t p = jdoc_number(x, "sessions", 0) * 1000000 + jdoc_number(x, "waiting", 0);
    int64_t q = jdoc_number(y, "sessions", 0) * 1000000 + jdoc_number(y, "waiting", 0);
    return p > q ? -1 : p < q;
}

static void put_lane(struct buf *out, const struct jdoc *lane, bool colour) {
    struct slice provider = jdoc_text(lane, "provider"), error = jdoc_text(lane, "last_error");
    bool down = jdoc_bool(lane, "down", false);
    buf_printf(out, "%-32.*s %8lld %10lld %12lld %10lld %10lld%s\n", SLICE_ARG(provider),
               (long long)jdoc_number(lane, "sessions", 0), (long long)jdoc_number(lane, "waiting", 0),
               (long long)jdoc_number(lane, "delivered", 0), (long long)jdoc_number(lane, "deferred", 0),
               (long long)jdoc_number(lane, "failed", 0), down ? "  paused" : "");
    if (!error.len) return;
    buf_printf(out, "    %slast: ", show_dim(colour));
    show_text(out, error);
    buf_printf(out, "%s\n", show_plain(colour));
}

static void put_lanes(struct buf *out, const struct jdoc *list, bool all, bool colour) {
    size_t n = jdoc_count(list);
    const struct jdoc **order = calloc(n + 1, sizeof *order);
    if (n && order)
        buf_printf(out, "\n%s%-32s %8s %10s %12s %10s %10s%s\n", show_bold(colour), "lane", "sessions",
                   "waiting", "delivered", "deferred", "failed", show_plain(colour));
    for (size_t i = 0; order && i < n; i++)
        order[i] = jdoc_item(list, i);
    if (order && n) qsort(order, n, sizeof *order, by_work);
    for (size_t i = 0; order && i < n && (all || i < SHOWN_LANES); i++)
        put_lane(out, order[i], colour);
    if (!all && n > SHOWN_LANES) buf_printf(out, "... and %zu more (--all)\n", n - SHOWN_LANES);
    free(order);
}

static void put_server(struct buf *out, const struct jdoc *reply, bool all, bool colour) {
    const struct jdoc *list = jdoc_get(reply, "campaigns"), *counters = jdoc_get(reply, "counters");
    size_t n = jdoc_count(list);
    struct campaign_status *campaigns = calloc(n + 1, sizeof *campaigns);
    size_t good = 0;
    for (size_t i = 0; campaigns && i < n; i++)
        if (show_campaign_from_json(jdoc_item(list, i), &campaigns[good])) good++;
    buf_printf(out,
               "A server is running (process %lld): %lld sessions open, %lld deliveries since its start.\n",
               (long long)jdoc_number(reply, "pid", 0), (long long)jdoc_number(counters, "sessions_open", 0),
               (long long)jdoc_number(counters, "delivered", 0));
    struct slice trouble = jdoc_text(counters, "trouble");
    if (trouble.len) {
        buf_printf(out, "%sTrouble: ", show_red(colour));
        show_text(out, trouble);
        buf_printf(out, "%s\n", show_plain(colour));
    }
    const struct jdoc *notes = jdoc_get(reply, "notes");
    for (size_t i = 0; i < jdoc_count(notes); i++) {
        buf_printf(out, "%sNote:%s ", show_red(colour), show_plain(colour));
        show_text(out, jdoc_item_as_text(notes, i));
        buf_put_text(out, ".\n");
    }
    buf_put_c(out, '\n');
    if (campaigns) show_campaigns(out, campaigns, good, colour);
    put_lanes(out, jdoc_get(reply, "lanes"), all, colour);
    free(campaigns);
}

static int from_server(struct invocation *in, struct talk *server) {
    struct err err;
    struct buf out;
    struct jdoc *reply = asking(server, "status", NULL, (struct slice){0}, &err);
    if (!reply) return command_fail(&err);
    buf_init(&out, 64 << 20);
    jdoc_put_bool(reply, "running", true);
    if (in->json)
        jdoc_write(reply, true, &out);
    else
        put_server(&out, reply, invocation_has(in, "all"), show_is_terminal(STDOUT_FILENO));
    int code = command_print(&out);
    jdoc_free(reply);
    buf_done(&out);
    return code;
}

static void put_store(struct invocation *in, const struct campaign_status *all, size_t count,
                      const struct history_gap *gap, struct store *store, struct buf *out) {
    if (!in->json) {
        buf_printf(out, "No server is running; this is what stands in %s.\n", in->options->store.path);
        show_gap(out, gap, show_is_terminal(STDOUT_FILENO));
        show_restored(out, store, all, count, show_is_terminal(STDOUT_FILENO));
        buf_put_c(out, '\n');
        show_campaigns(out, all, count, show_is_terminal(STDOUT_FILENO));
        return;
    }
    struct jdoc *o = jdoc_object(), *list = jdoc_child_list(o, "campaigns");
    jdoc_put_bool(o, "running", false);
    for (size_t i = 0; i < count; i++)
        show_campaign_json(jdoc_item_object(list), &all[i]);
    struct jdoc *notes = jdoc_child_list(o, "notes");
    show_gap_json(notes, gap);
    show_restored_json(notes, store, all, count);
    jdoc_write(o, true, out);
    jdoc_free(o);
}

static int from_store(struct invocation *in) {
    struct reading r;
    struct buf out;
    int code = reading_open(&r, in->options, 0);
    if (code) return code;
    size_t count;
    const struct campaign_row *rows = view_campaigns(r.view, &count);
    struct campaign_status *all = calloc(count + 1, sizeof *all);
    buf_init(&out, 64 << 20);
    for (size_t i = 0; all && i < count; i++)
        finding_copy(&all[i], &rows[i], clock_wall());
    struct history_gap gap = view_gap(r.view);
    if (all) put_store(in, all, count, &gap, r.store, &out);
    code = all ? command_print(&out) : command_complain(EXIT_FAILED, "out of memory");
    buf_done(&out);
    free(all);
    reading_close(&r);
    return code;
}

static int run(struct invocation *in) {
    struct talk server;
    struct err err;
    if (talk_connect(&server, in->options->control.socket, &err) == 0) {
        int code = from_server(in, &server);
        talk_done(&server);
        return code;
    }
    return err.kind == ERR_ABSENT ? from_store(in) : command_fail(&err);
}

const struct command command_status = {
    .name = "status",
    .summary = "campaigns, lanes and troubles at a glance",
    .text = "Asks a running server; without one, shows the campaigns that stand in the store. Exact in both "
            "cases.\n",
    .examples = "  tsubame status\n  tsubame status --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .json = true,
    .run = run,
};
