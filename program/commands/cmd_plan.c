/* tsubame plan: when a campaign will be through, asked of a running server. */
#include "asking.h"
#include "command.h"
#include "show.h"
#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static void put_seconds(struct buf *out, double seconds) {
    struct buf text;
    buf_init(&text, 64);
    if (seconds < 0)
        buf_put_text(&text, "not known");
    else
        units_put_left(&text, (int64_t)ceil(seconds));
    buf_printf(out, "%12.*s", SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
}

static const char *help_text(struct slice help) {
    static const struct {
        const char *name, *text;
    } texts[] = {
        {"weight", "a larger weight would bring it to its deadline (`tsubame campaign --weight`)"},
        {"priority", "only as transactional mail it would come to its deadline"},
        {"more", "too late even with the whole lane: fewer recipients, more sources, or a later deadline"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (slice_eq(help, slice_of(texts[i].name))) return texts[i].text;
    return NULL;
}

static void put_lane(struct buf *out, const struct jdoc *lane, bool colour) {
    struct slice provider = jdoc_text(lane, "provider");
    double rate = jdoc_real(lane, "rate", 0);
    buf_printf(out, "%-32.*s %10lld %12lld", SLICE_ARG(provider), (long long)jdoc_number(lane, "waiting", 0),
               (long long)jdoc_number(lane, "others", 0));
    if (rate > 0)
        buf_printf(out, " %9.1f%c", rate, jdoc_bool(lane, "measured", false) ? ' ' : '*');
    else
        buf_put_text(out, "          ?");
    put_seconds(out, jdoc_real(lane, "seconds", -1));
    buf_put_c(out, '\n');
    const char *help = help_text(jdoc_text(lane, "help"));
    if (help) buf_printf(out, "    %s%s%s\n", show_red(colour), help, show_plain(colour));
}

static void put_verdict(struct buf *out, const struct jdoc *plan) {
    struct slice through = jdoc_text(plan, "through"), deadline = jdoc_text(plan, "deadline"),
                 verdict = jdoc_text(plan, "verdict");
    if (through.len)
        buf_printf(out, "\nIf all goes on like this it is through at %.*s", SLICE_ARG(through));
    else
        buf_put_text(out, "\nWhen it will be through is not known yet");
    if (deadline.len)
        buf_printf(out, "; wanted by %.*s: %s.\n", SLICE_ARG(deadline),
                   slice_eq(verdict, SLICE("yes"))  ? "in time"
                   : slice_eq(verdict, SLICE("no")) ? "too late"
                                                    : "not known yet");
    else
        buf_put_text(out, ".\n");
    const struct {
        const char *key, *text;
    } notes[] = {{"unplaced", "their lanes are not known yet (not looked up, or it has not begun)"},
                 {"unknown", "in lanes of which it is not known yet how fast they are"},
                 {"deferred", "refused for now, tried again later: not counted"}};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        int64_t n = jdoc_number(plan, notes[i].key, 0);
        if (!n) continue;
        units_put_grouped(out, (uint64_t)n);
        buf_printf(out, ": %s.\n", notes[i].text);
    }
}

static void put_plan(struct buf *out, const struct jdoc *reply, bool colour) {
    const struct jdoc *plan = jdoc_get(reply, "plan"), *list = jdoc_get(plan, "lanes");
    struct campaign_status c;
    size_t n = jdoc_count(list);
    if (show_campaign_from_json(jdoc_get(reply, "campaign"), &c)) show_campaigns(out, &c, 1, colour);
    if (n)
        buf_printf(out, "\n%s%-32s %10s %12s %10s%12s%s\n", show_bold(colour), "lane", "of it", "of others",
                   "a second", "through in", show_plain(colour));
    for (size_t i = 0; i < n; i++)
        put_lane(out, jdoc_item(list, i), colour);
    int64_t lanes = jdoc_number(plan, "lane_count", 0);
    if (lanes > (int64_t)n)
        buf_printf(out, "... and %lld more, which are through earlier\n", (long long)lanes - (long long)n);
    put_verdict(out, plan);
}

static int run(struct invocation *in) {
    struct talk server;
    struct err err;
    struct buf out;
    if (talk_connect(&server, in->options->control.socket, &err)) {
        if (err.kind != ERR_ABSENT) return command_fail(&err);
        return command_complain(EXIT_LATER,
                                "plan: no server is running: nothing is under way, so nothing is known of "
                                "its lanes (`tsubame serve`)");
    }
    struct jdoc *reply = asking(&server, "plan", "name", slice_of(in->operands[0]), &err);
    talk_done(&server);
    if (!reply) return command_fail(&err);
    buf_init(&out, 16 << 20);
    if (in->json)
        jdoc_write(jdoc_get(reply, "plan"), true, &out);
    else
        put_plan(&out, reply, show_is_terminal(STDOUT_FILENO));
    int code = command_print(&out);
    buf_done(&out);
    jdoc_free(reply);
    return code;
}

const struct command command_plan = {
    .name = "plan",
    .operands = "CAMPAIGN",
    .summary = "when a campaign will be through, and whether in time",
    .text =
        "Asks a running server. What waits in each lane, of it and of others, is divided by what the lane\n"
        "delivered of late (* where that is not known yet: the limit of the configuration), as priorities "
        "and\n"
        "weights share it. It is the earliest time: what is refused for now comes later. The lane that is\n"
        "through last stands first; where the deadline is not kept it says what would help.\n",
    .examples = "  tsubame plan spring-news\n  tsubame plan spring-news --json\n",
    .least = 1,
    .most = 1,
    .json = true,
    .run = run,
};
