/* tsubame message: did this person get it? */
#include "classify.h"
#include "command.h"
#include "reading.h"
#include "show.h"
#include "show_suppress.h"
#include "smtp_client.h"

#include <stdio.h>
#include <unistd.h>

static const struct arg args[] = {
    {"to", 0, "ADDRESS", "whom to look for (required)"},
    {"campaign", 0, "CAMPAIGN", "in this campaign only (else in all)"},
};

struct telling {
    struct buf *out;       /* text */
    struct jdoc *attempts; /* or JSON */
};

static void put_time(struct buf *out, wall_us at) {
    char text[CLOCK_TEXT_MAX];
    buf_put(out, text, (size_t)clock_rfc3339(at, text));
}

/* "550 5.1.1 no such user". The reply's text has the enhanced code in it already or not; it is not said
 * twice. */
static void put_words(struct buf *out, const struct event *e) {
    if (e->code) buf_printf(out, "%u ", e->code);
    if (e->enhanced[0]) {
        char code[24];
        int n = snprintf(code, sizeof code, "%u.%u.%u", e->enhanced[0], e->enhanced[1], e->enhanced[2]);
        if (!slice_starts(e->text, slice_make(code, (size_t)n))) buf_printf(out, "%s ", code);
    }
    show_text(out, e->text);
}

static void tell_text(struct telling *t, const struct event *e) {
    buf_put_text(t->out, "    ");
    put_time(t->out, e->at);
    bool unmade = event_is_unmade(e->kind, e->class, e->code);
    buf_printf(t->out, "  %s%s", event_name(e->kind), unmade ? ": this mail could not be made" : "");
    if (e->code || e->text.len) {
        buf_put_text(t->out, ": ");
        put_words(t->out, e);
    }
    if (e->host.len && !unmade) {
        buf_put_text(t->out, e->kind == EVENT_UNCERTAIN ? "\n        with " : "\n        said by ");
        show_text(t->out, e->host);
        if (e->stage) buf_printf(t->out, " to %s", smtp_stage_name(e->stage));
    }
    if (e->due && !event_is_final(e->kind) && e->kind != EVENT_LEASED) {
        buf_put_text(t->out, "\n        tried again from ");
        put_time(t->out, e->due);
    }
    buf_put_c(t->out, '\n');
}

static void tell_json(struct telling *t, const struct event *e) {
    struct jdoc *a = jdoc_item_object(t->attempts);
    char text[CLOCK_TEXT_MAX];
    jdoc_put_text(a, "event", slice_of(event_name(e->kind)));
    jdoc_put_text(a, "time", slice_make(text, (size_t)clock_rfc3339(e->at, text)));
    jdoc_put_number(a, "attempt", e->attempt);
    jdoc_put_number(a, "code", e->code);
    if (e->enhanced[0]) {
        int n = snprintf(text, sizeof text, "%u.%u.%u", e->enhanced[0], e->enhanced[1], e->enhanced[2]);
        jdoc_put_text(a, "enhanced", slice_make(text, (size_t)n));
    }
    jdoc_put_text(a, "reason", slice_of(show_reason(e->kind, e->class, e->code)));
    jdoc_put_text(a, "provider", e->provider);
    jdoc_put_text(a, "host", e->host);
    jdoc_put_text(a, "stage", slice_of(e->stage ? smtp_stage_name(e->stage) : ""));
    jdoc_put_text(a, "text", e->text);
    if (e->due) jdoc_put_text(a, "again", slice_make(text, (size_t)clock_rfc3339(e->due, text)));
}

static void tell(void *ctx, const struct event *e) {
    struct telling *t = ctx;
    if (t->attempts)
        tell_json(t, e);
    else
        tell_text(t, e);
}

static const char *verdict(const struct fold_slot *s) {
    switch (s->fate) {
    case FATE_DELIVERED:
        return s->lost ? "delivered; an earlier attempt was not answered, so perhaps twice" : "delivered";
    case FATE_FAILED: return "not delivered: it failed";
    case FATE_SUPPRESSED: return "not sent: the address is suppressed";
    case FATE_CANCELLED: return "not sent: cancelled";
    case FATE_EXPIRED: return "not delivered: it expired";
    case FATE_UNCERTAIN: return "uncertain: the receiver did not answer at the end; it may have the mail";
    case FATE_PENDING: break;
    }
    return s->leased     ? "pending: on the wire"
           : s->deferred ? "pending: refused for now, tried again"
                         : "pending: waits";
}

static int look_text(struct reading *r, const struct options *o, const struct campaign_row *row,
                     const struct address *a, struct buf *out, struct err *err) {
    struct buf attempts;
    struct report_recipient found;
    struct identity id;
    bool colour = show_is_terminal(STDOUT_FILENO);
    buf_init(&attempts, 1 << 20);
    struct telling t = {&attempts, NULL};
    int is = report_find(r->view, row, a, &found, tell, &t, err);
    if (is == 1) {
        buf_printf(out, "%sCampaign %u  ", show_bold(colour), row->id);
        show_text(out, row->name);
        buf_printf(out, "%s: %s%s%s\n", show_plain(colour), show_bold(colour), verdict(found.slot),
                   show_plain(colour));
        uint64_t rid = found.rid;
        reading_identity(r, o, row, &id);
        if (id.known) {
            buf_put_text(out, "    Message-ID <");
            identity_put(&id, rid, out);
            buf_put_text(out, ">\n");
        }
        buf_put_slice(out, buf_slice(&attempts));
    }
    buf_done(&attempts);
    return is;
}

static int look_json(struct reading *r, const struct options *o, const struct campaign_row *row,
                     const struct address *a, bool listed, struct jdoc *list, struct err *err) {
    struct jdoc *one = jdoc_object();
    struct telling t = {NULL, jdoc_child_list(one, "events")};
    struct report_recipient found;
    struct identity id;
    struct buf text;
    buf_init(&text, 1024);
    int is = report_find(r->view, row, a, &found, tell, &t, err);
    if (is == 1) {
        jdoc_put_number(one, "campaign", row->id);
        jdoc_put_text(one, "name", row->name);
        jdoc_put_text(one, "address", found.address);
        jdoc_put_text(one, "state", slice_of(fate_name(found.slot->fate)));
        jdoc_put_bool(one, "was_uncertain", found.slot->doubted);
        jdoc_put_bool(one, "on_suppression_list", listed);
        jdoc_put_text(one, "says", slice_of(verdict(found.slot)));
        uint64_t rid = found.rid;
        reading_identity(r, o, row, &id);
        identity_put(&id, rid, &text);
        jdoc_put_text(one, "message_id", buf_slice(&text));
        jdoc_item_take(list, one);
    } else {
        jdoc_free(one);
    }
    buf_done(&text);
    return is;
}

/* Whether it is on the suppression list, and what speaks for that. */
static int look_listed(struct reading *r, const struct address *a, struct buf *out, bool *listed,
                       struct err *err) {
    struct suppressed found;
    if (suppressed_find(r->store, 0, a->text, &found, err)) return -1;
    *listed = found.listed;
    if (found.listed || found.counted) show_suppress(out, a->text, &found);
    return 0;
}

/* What can't be looked into any more must be said: it is no "no". Returns how many these are. */
static size_t say_removed(struct reading *r, const struct campaign_row *one) {
    size_t count;
    const struct history_removed *all = view_all_removed(r->view, &count), *last = NULL;
    if (one) {
        last = view_removed(r->view, one->id);
        count = last != NULL;
    }
    for (size_t i = 0; i < count && !one; i++)
        if (!last || all[i].at > last->at) last = &all[i];
    if (!last) return 0;
    char time[CLOCK_TEXT_MAX];
    clock_rfc3339(last->at, time);
    command_complain(0,
                     "note: the recipients of %zu campaign%s were removed from the history, the last time on "
                     "%.10s (%s): who was in %s is not known any more",
                     count, count == 1 ? "" : "s", time, removed_why_name(last->why),
                     count == 1 ? "it" : "them");
    return count;
}

static int look(struct invocation *in, struct reading *r, const struct address *a, const char *only) {
    struct buf out;
    struct err err;
    size_t count, hits = 0;
    const struct campaign_row *all = view_campaigns(r->view, &count), *one = NULL;
    if (only && !(one = reading_campaign(r, only))) return EXIT_ABSENT;
    buf_init(&out, 64 << 20);
    struct jdoc *list = jdoc_list();
    bool listed = false;
    int is = look_listed(r, a, &out, &listed, &err);
    if (in->json) buf_reset(&out);
    for (size_t i = 0; i < count && is >= 0; i++) {
        if (one && &all[i] != one) continue;
        is = in->json ? look_json(r, in->options, &all[i], a, listed, list, &err)
                      : look_text(r, in->options, &all[i], a, &out, &err);
        if (is == 1) hits++;
    }
    if (in->json && is >= 0) jdoc_write(list, true, &out);
    int code = is < 0 ? command_fail(&err) : command_print(&out);
    size_t removed = is < 0 ? 0 : say_removed(r, one);
    if (code == EXIT_DONE && hits == 0 && !listed)
        code = command_complain(EXIT_ABSENT, "%.*s was in no campaign%s", SLICE_ARG(a->text),
                                removed ? " whose recipients are still known"
                                : only  ? " of that name"
                                        : "");
    jdoc_free(list);
    buf_done(&out);
    return code;
}

static int run(struct invocation *in) {
    const char *to = invocation_value(in, "to");
    struct reading r;
    struct arena arena;
    struct address a;
    struct err err;
    if (!to) return command_complain(EXIT_USAGE, "message: whom? Give --to ADDRESS");
    arena_init(&arena, 4096);
    int code = EXIT_DONE;
    if (address_parse(slice_of(to), &arena, &a, &err))
        code = command_complain(EXIT_USAGE, "'%s' is not an address: %s", to, err.text);
    if (code == EXIT_DONE) code = reading_open(&r, in->options, 0);
    if (code == EXIT_DONE) {
        reading_say_gap(&r);
        code = look(in, &r, &a, invocation_value(in, "campaign"));
        reading_close(&r);
    }
    arena_done(&arena);
    return code;
}

const struct command command_message = {
    .name = "message",
    .summary = "did this person get it: what happened, when, in whose words",
    .text = "Looks in all campaigns, the newest first. Upper and lower case make no difference.\n"
            "Says first whether the address is on the suppression list (`tsubame suppress show`).\n",
    .examples = "  tsubame message --to anna@example.com\n"
                "  tsubame message --to anna@example.com --campaign spring-news --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .json = true,
    .run = run,
};
