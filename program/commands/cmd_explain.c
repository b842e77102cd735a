/* tsubame explain: why a lane is as fast as it is. */
#include "asking.h"
#include "cells.h"
#include "command.h"
#include "lane_view.h"
#include "screen.h"
#include "show.h"
#include "show_note.h"
#include "units.h"

#include <unistd.h>

enum { CHANGES = 6 };

static const struct arg args[] = {
    {"source", 0, "NAME", "only from this source"},
};

static void put_count(struct buf *out, int64_t n) {
    units_put_grouped(out, (uint64_t)n);
}

/* When it is through, at the pace that it has. */
static void put_forecast(struct buf *out, const struct lane_view *v) {
    if (v->rate > 0 && !v->down) {
        buf_put_text(out, "; at the present pace they are through in ");
        units_put_left(out, (int64_t)((double)v->waiting / v->rate) + 1);
    } else if (v->down) {
        buf_put_text(out, "; they are not sent before it is open again");
    } else {
        buf_put_text(out, "; nothing was taken in the last seconds, so there is no forecast");
    }
}

static void put_traffic(struct buf *out, const struct lane_view *v) {
    if (v->suspended) { /* and those that were set aside, who are not counted by lane */
        buf_put_text(out, "At least ");
        put_count(out, v->suspended);
        buf_put_text(out, v->suspended == 1 ? " recipient is suspended. " : " recipients are suspended. ");
    }
    if (v->waiting) {
        put_count(out, v->waiting);
        buf_put_text(out, v->waiting == 1 ? " recipient waits" : " recipients wait");
        put_forecast(out, v);
        buf_put_text(out, ". ");
    } else {
        buf_printf(out, "Nothing %swaits for it now. ", v->suspended ? "else " : "");
    }
    if (v->sessions)
        buf_printf(out, "%lld session%s open, ", (long long)v->sessions, v->sessions == 1 ? " is" : "s are");
    else
        buf_put_text(out, "No session is open, ");
    lane_view_number(out, v->rate);
    buf_put_text(out, " messages a second now. Since the server's start: ");
    put_count(out, v->delivered);
    buf_put_text(out, " delivered, ");
    put_count(out, v->deferred);
    buf_put_text(out, " refused for now, ");
    put_count(out, v->failed);
    buf_put_text(out, " for good.");
}

/* Without a sentence of the lane's own. */
static void put_plain(struct buf *out, const struct lane_view *v) {
    buf_put_slice(out, v->provider);
    if (v->down)
        buf_put_text(out, " takes nothing now from ");
    else
        buf_put_text(out, " has not held anything back that came from ");
    buf_put_slice(out, v->source);
    buf_put_c(out, '.');
}

static void put_wrapped(struct buf *out, struct slice text, size_t width, const char *indent) {
    struct slice line;
    while (cells_line(&text, width, &line)) {
        buf_put_text(out, indent);
        show_text(out, line);
        buf_put_c(out, '\n');
    }
}

/* The newest of them; `changes` has all. */
static void put_changes(struct buf *out, const struct jdoc *lane, size_t width) {
    const struct jdoc *list = jdoc_get(lane, "changes");
    size_t count = jdoc_count(list), first = count > CHANGES ? count - CHANGES : 0;
    struct buf text;
    if (!count) return;
    buf_init(&text, 64 << 10);
    buf_put_text(out, "  Lately (all of it: tsubame changes):\n");
    for (size_t i = first; i < count; i++) {
        struct note n;
        if (!show_note_read(&n, jdoc_item(list, i))) continue;
        n.provider = n.source = (struct slice){0};
        buf_reset(&text);
        show_note(&text, &n, false);
        struct slice rest = buf_slice(&text), line;
        while (slice_cut(&rest, '\n', &line)) {
            bool words = line.len && line.at[0] == ' '; /* the reply's own, below its change */
            put_wrapped(out, line, width - (words ? 6 : 4), words ? "      " : "    ");
        }
    }
    buf_done(&text);
}

static void put_lane(struct buf *out, const struct lane_view *v, size_t width, bool colour) {
    struct buf text;
    buf_init(&text, 64 << 10);
    buf_put_text(out, show_bold(colour));
    show_text(out, v->provider);
    buf_put_text(out, " from ");
    show_text(out, v->source);
    buf_printf(out, "%s\n", show_plain(colour));
    if (v->why.len)
        buf_put_slice(&text, v->why);
    else
        put_plain(&text, v);
    put_wrapped(out, buf_slice(&text), width - 2, "  ");
    buf_reset(&text);
    put_traffic(&text, v);
    put_wrapped(out, buf_slice(&text), width - 2, "  ");
    if (v->last_reply.len) {
        buf_reset(&text);
        buf_put_text(&text, "The last refusal or failure: ");
        buf_put_slice(&text, v->last_reply);
        put_wrapped(out, buf_slice(&text), width - 2, "  ");
    }
    buf_done(&text);
}

/* Which lane a domain belongs to, and how that is known. */
static void put_domain(struct buf *out, const struct jdoc *d, size_t width) {
    struct slice state = jdoc_text(d, "state"), host = jdoc_text(d, "host");
    struct buf text;
    if (!d) return;
    buf_init(&text, 64 << 10);
    bool exchanger = slice_eq(state, SLICE("exchanger"));
    buf_put_text(&text, exchanger ? "" : "Mail for ");
    buf_put_slice(&text, jdoc_text(d, "name"));
    if (exchanger) {
        buf_put_text(&text, " is a mail exchanger of the lane ");
        buf_put_slice(&text, jdoc_text(d, "provider"));
        buf_put_c(&text, '.');
    } else if (slice_eq(state, SLICE("looked-up-now"))) {
        buf_put_text(&text, " waits for the look-up of its mail exchangers, which is under way or next: its "
                            "lane is not known yet.");
    } else if (slice_eq(state, SLICE("look-up-failed"))) {
        buf_put_text(&text, " waits: its mail exchangers could not be looked up, and are asked for again "
                            "within ten minutes.");
    } else if (slice_eq(state, SLICE("takes-no-mail"))) {
        buf_put_text(&text, " goes nowhere, as the DNS said when it was asked last: ");
        buf_put_slice(&text, jdoc_text(d, "text"));
    } else {
        buf_put_text(&text, " goes to the lane ");
        buf_put_slice(&text, jdoc_text(d, "provider"));
        buf_put_text(&text, " from ");
        buf_put_slice(&text, jdoc_text(d, "source"));
        buf_put_text(&text, ": its first mail exchanger is ");
        buf_put_slice(&text, host);
        buf_put_text(&text, jdoc_bool(d, "tail", false)
                                ? ", of no provider in the configuration, so that it has a lane of its own"
                                : ", of that provider by the configuration");
        buf_put_text(&text, "; the source follows from the domain's name, always the same.");
    }
    int64_t waiting = jdoc_number(d, "waiting", 0);
    if (waiting) {
        buf_put_c(&text, ' ');
        put_count(&text, waiting);
        buf_put_text(&text, waiting == 1 ? " recipient of it waits." : " recipients of it wait.");
    }
    put_wrapped(out, buf_slice(&text), width, "");
    buf_put_c(out, '\n');
    buf_done(&text);
}

/* What people have ordered of it, and what stands. */
static void put_orders(struct buf *out, const struct jdoc *reply, size_t width) {
    const struct jdoc *list = jdoc_get(reply, "orders");
    struct buf text;
    buf_init(&text, 16384);
    for (size_t i = 0; i < jdoc_count(list); i++) {
        const struct jdoc *o = jdoc_item(list, i);
        struct slice to = jdoc_text(o, "to"), by = jdoc_text(o, "by"), reason = jdoc_text(o, "reason");
        buf_reset(&text);
        buf_printf(&text, "Order %lld stands: %.*s ", (long long)jdoc_number(o, "order", 0),
                   SLICE_ARG(jdoc_text(o, "act")));
        buf_put_slice(&text, jdoc_text(o, "of"));
        if (to.len) buf_put_text(&text, " to source "), buf_put_slice(&text, to);
        buf_put_text(&text, jdoc_number(o, "maybe", 0) ? " (at least " : " (");
        put_count(&text, jdoc_number(o, "recipients", 0));
        buf_put_text(&text, " recipients)");
        buf_put_text(&text, ", since ");
        units_put_time(&text, jdoc_number(o, "at", 0) / US_PER_SEC * US_PER_SEC);
        if (by.len) buf_put_text(&text, " by "), buf_put_slice(&text, by);
        if (jdoc_get(o, "until")) {
            buf_put_text(&text, ", until ");
            units_put_time(&text, jdoc_number(o, "until", 0) / US_PER_SEC * US_PER_SEC);
        }
        if (reason.len) buf_put_text(&text, ": "), buf_put_slice(&text, reason);
        put_wrapped(out, buf_slice(&text), width, "");
    }
    if (jdoc_count(list)) buf_put_c(out, '\n');
    buf_done(&text);
}

static void put_all(struct buf *out, const struct jdoc *reply, size_t width, bool colour) {
    const struct jdoc *list = jdoc_get(reply, "lanes"), *domain = jdoc_get(reply, "domain");
    struct lane_view v;
    put_domain(out, domain, width);
    put_orders(out, reply, width);
    for (size_t i = 0; i < jdoc_count(list); i++) {
        lane_view_read(&v, jdoc_item(list, i), jdoc_text(reply, "time"));
        if (i) buf_put_c(out, '\n');
        put_lane(out, &v, width, colour);
        put_changes(out, jdoc_item(list, i), width);
    }
    if (jdoc_count(list) || (domain && !jdoc_text(domain, "provider").len)) return;
    show_text(out, jdoc_text(reply, "provider"));
    buf_put_text(
        out, domain
                 ? " has no lane now: nothing waits for it, and what was known of it is in the history.\n"
                 : " was not used since the server's start (from that source): it has no lane, and nothing "
                   "waits for it.\n");
}

static int run(struct invocation *in) {
    struct talk server;
    struct err err;
    struct buf out;
    if (asking_connect(&server, in->options, &err)) return command_fail(&err);
    struct jdoc *request = jdoc_object();
    jdoc_put_text(request, "do", SLICE("explain"));
    jdoc_put_text(request, "what", slice_of(in->operands[0]));
    jdoc_put_text(request, "source", slice_of(invocation_value(in, "source")));
    struct jdoc *reply = asking_for(&server, request, &err);
    talk_done(&server);
    if (!reply) return command_fail(&err);
    size_t width = screen_width(STDOUT_FILENO, 100);
    buf_init(&out, 64 << 20);
    if (in->json)
        jdoc_write(reply, true, &out);
    else
        put_all(&out, reply, width < 40 ? 40 : width > 120 ? 120 : width, show_is_terminal(STDOUT_FILENO));
    int code = command_print(&out);
    buf_done(&out);
    jdoc_free(reply);
    return code;
}

const struct command command_explain = {
    .name = "explain",
    .operands = "PROVIDER|HOST|DOMAIN",
    .summary = "why a lane is as fast as it is, and since when",
    .text = "For each lane of the provider: what bounds it and the words that said so, when more is tried, "
            "what waits for it, how long that takes, and what changed last and why (--json has the last 20 "
            "changes). A provider is one of the configuration, or a mail exchanger that is none of "
            "theirs; of a domain it says which lane its mail goes to, and why to that one.\n",
    .examples = "  tsubame explain google\n"
                "  tsubame explain example.org\n"
                "  tsubame explain mx1.example.net --source s2 --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .least = 1,
    .most = 1,
    .json = true,
    .run = run,
};
