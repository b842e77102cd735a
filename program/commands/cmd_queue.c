/* tsubame queue: who waits, for what, and until when. */
#include "asking.h"
#include "cells.h"
#include "command.h"
#include "screen.h"
#include "show.h"
#include "units.h"

#include <unistd.h>

static const struct arg args[] = {
    {"by", 0, "KEY", "campaign (the default), provider, domain or age"},
    {"campaign", 0, "CAMPAIGN", "only of this campaign"},
    {"provider", 0, "NAME", "only for this provider's lanes: shows their domains"},
    {"domain", 0, "DOMAIN", "only for this domain"},
    {"top", 0, "N", "so many rows (20), the rest in one"},
};

enum { NAME_LEAST = 20, NAME_MOST = 40, NUMBER_CELLS = 10, TIME_CELLS = 21 };

static void put_number(struct buf *out, int64_t n) {
    struct buf text;
    buf_init(&text, 64);
    if (n)
        units_put_grouped(&text, (uint64_t)n);
    else
        buf_put_c(&text, '-');
    buf_put_c(out, ' ');
    cells_put(out, buf_slice(&text), NUMBER_CELLS, CELLS_RIGHT);
    buf_done(&text);
}

/* RFC 3339 in UTC: earlier ones are smaller. */
static void put_due(struct buf *out, struct slice due, struct slice now) {
    if (due.len <= 19) return;
    if (slice_cmp(due, now) <= 0)
        buf_put_text(out, "  now");
    else
        buf_printf(out, "  %.10s %.8s", due.at, due.at + 11);
}

/* As wide as a terminal has room for. */
static size_t name_cells(void) {
    size_t others = 3 * (NUMBER_CELLS + 1) + TIME_CELLS, width = screen_width(STDOUT_FILENO, 100);
    size_t left = width > others ? width - others : 0;
    return left < NAME_LEAST ? NAME_LEAST : left > NAME_MOST ? NAME_MOST : left;
}

static void put_row(struct buf *out, struct slice name, const struct jdoc *row, struct slice now,
                    bool under_way) {
    cells_put(out, name, name_cells(), CELLS_LEFT);
    put_number(out, jdoc_number(row, "waiting", 0));
    if (under_way) put_number(out, jdoc_number(row, "under_way", 0));
    put_number(out, jdoc_number(row, "deferred", 0));
    put_due(out, jdoc_text(row, "next_due"), now);
    buf_put_c(out, '\n');
}

static void put_table(struct buf *out, const struct jdoc *reply, bool colour) {
    const struct jdoc *list = jdoc_get(reply, "rows"), *rest = jdoc_get(reply, "rest");
    struct slice by = jdoc_text(reply, "by"), now = jdoc_text(reply, "time");
    bool under_way = !slice_eq(by, SLICE("age"));
    int64_t more = jdoc_number(rest, "rows", 0);
    if (!jdoc_count(list)) return;
    buf_put_text(out, show_bold(colour));
    cells_put(out, by, name_cells(), CELLS_LEFT);
    buf_printf(out, " %*s", NUMBER_CELLS, "waiting");
    if (under_way) buf_printf(out, " %*s", NUMBER_CELLS, "under way");
    buf_printf(out, " %*s  next try (UTC)%s\n", NUMBER_CELLS, "deferred", show_plain(colour));
    for (size_t i = 0; i < jdoc_count(list); i++)
        put_row(out, jdoc_text(jdoc_item(list, i), "name"), jdoc_item(list, i), now, under_way);
    if (more) {
        struct buf name;
        buf_init(&name, 64);
        buf_printf(&name, "%lld more", (long long)more);
        put_row(out, buf_slice(&name), rest, now, under_way);
        buf_done(&name);
    }
    buf_put_c(out, '\n');
}

static void put_sum(struct buf *out, const struct jdoc *o, const char *key, const char *text, bool *first) {
    int64_t n = jdoc_number(o, key, 0);
    if (!n) return;
    buf_put_text(out, *first ? "" : ", ");
    units_put_grouped(out, (uint64_t)n);
    buf_printf(out, " %s", text);
    *first = false;
}

static void put_sums(struct buf *out, const struct jdoc *reply) {
    const struct jdoc *all = jdoc_get(reply, "in_all"), *not_known = jdoc_get(reply, "not_known");
    struct slice due = jdoc_text(all, "next_due");
    bool first = true, none = true;
    put_sum(out, all, "waiting", "wait", &first);
    put_sum(out, all, "under_way", "are under way", &first);
    put_sum(out, all, "deferred", "were refused for now", &first);
    put_sum(out, all, "held", "are held with their campaign", &first);
    put_sum(out, all, "scheduled", "are of campaigns whose time has not come", &first);
    buf_put_text(out, first ? "Nothing waits.\n" : ".\n");
    if (jdoc_number(all, "suspended", 0)) {
        buf_put_text(out, "Of those that wait at least ");
        units_put_grouped(out, (uint64_t)jdoc_number(all, "suspended", 0));
        buf_put_text(out, " are suspended: `tsubame orders`.\n");
    }
    if (due.len > 19 && slice_cmp(due, jdoc_text(reply, "time")) > 0)
        buf_printf(out, "The next of those refused is tried at %.8s UTC on %.10s.\n", due.at + 11, due.at);
    else if (due.len > 19)
        buf_put_text(out, "Some of those refused are due now, and go as soon as there is room.\n");
    struct buf text;
    buf_init(&text, 4096);
    put_sum(&text, not_known, "looked_up_now", "whose mail exchangers are being looked up", &none);
    put_sum(&text, not_known, "look_up_failed", "whose mail exchangers could not be looked up yet", &none);
    put_sum(&text, not_known, "not_sorted", "in chunks of many domains that were not sorted yet", &none);
    put_sum(&text, not_known, "deferred", "refused for now, in chunks of many domains", &none);
    if (!none) {
        buf_put_text(out, "Not known where they belong: ");
        buf_put_slice(out, buf_slice(&text));
        buf_put_text(out, ".\n");
    }
    buf_done(&text);
    if (jdoc_bool(not_known, "retries_cut", false))
        buf_put_text(out, "Of those refused for now only the first two million were looked at.\n");
}

static void put_text(struct jdoc *request, const struct invocation *in, const char *key) {
    const char *value = invocation_value(in, key);
    if (value) jdoc_put_text(request, key, slice_of(value));
}

static int run(struct invocation *in) {
    struct talk server;
    struct err err;
    struct buf out;
    int64_t most = 20;
    const char *top = invocation_value(in, "top");
    if (top && (!units_int(slice_of(top), &most) || most < 1))
        return command_complain(EXIT_USAGE, "queue: '%s' is no number that --top takes", top);
    if (asking_connect(&server, in->options, &err)) return command_fail(&err);
    struct jdoc *request = jdoc_object();
    jdoc_put_text(request, "do", SLICE("queue"));
    put_text(request, in, "by");
    put_text(request, in, "campaign");
    put_text(request, in, "provider");
    put_text(request, in, "domain");
    jdoc_put_number(request, "most", most);
    struct jdoc *reply = asking_for(&server, request, &err);
    talk_done(&server);
    if (!reply) return command_fail(&err);
    buf_init(&out, 64 << 20);
    if (in->json) {
        jdoc_write(reply, true, &out);
    } else {
        put_table(&out, reply, show_is_terminal(STDOUT_FILENO));
        put_sums(&out, reply);
    }
    int code = command_print(&out);
    buf_done(&out);
    jdoc_free(reply);
    return code;
}

const struct command command_queue = {
    .name = "queue",
    .summary = "who waits: by campaign, provider, domain or age",
    .text = "Waiting: may go out as soon as there is room (by campaign also what is held or scheduled). "
            "Under way: handed to a session. Deferred: refused "
            "for now; the "
            "time is that of the next try.\n"
            "Campaigns and ages are exact. Providers and domains are known once a domain's mail exchangers "
            "were looked up; chunks of "
            "many domains are sorted a few at a time. What is not known yet is said below the table.\n",
    .examples = "  tsubame queue\n"
                "  tsubame queue --by provider\n"
                "  tsubame queue --by domain --campaign spring-news --top 50\n"
                "  tsubame queue --provider google --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .json = true,
    .run = run,
};
