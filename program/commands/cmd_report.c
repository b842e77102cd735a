/* tsubame report: what became of a campaign, in sums or recipient by recipient. */
#include "classify.h"
#include "command.h"
#include "reading.h"
#include "show.h"
#include "units.h"

#include <unistd.h>

enum { SHOWN_PROVIDERS = 20, SHOWN_REASONS = 20, FLUSH_AT = 256 * 1024 };

static const struct arg args[] = {
    {"recipients", 0, NULL, "one line for each recipient instead of sums"},
    {"tsv", 0, NULL, "with --recipients: tab-separated, the first line names the columns (the default)"},
    {"json-lines", 0, NULL, "with --recipients: one JSON object a line"},
    {"all", 0, NULL, "all providers and reasons, not only the most frequent"},
    {"verify", 0, NULL, "check that the recipients, counted one by one, equal the ledger's own count"},
};

static void put_enhanced(struct buf *out, const uint16_t e[3]) {
    if (e[0]) buf_printf(out, "%u.%u.%u", e[0], e[1], e[2]);
}

static void put_providers(struct buf *out, const struct report *r, bool all, bool colour) {
    if (r->provider_count == 0) return;
    buf_printf(out, "\n%s%-32s %12s %12s %10s %10s %10s%s\n", show_bold(colour), "provider", "recipients",
               "delivered", "failed", "pending", "other", show_plain(colour));
    for (size_t i = 0; i < r->provider_count && (all || i < SHOWN_PROVIDERS); i++) {
        const struct report_provider *p = &r->providers[i];
        uint64_t rest = p->total - p->fates[FATE_DELIVERED] - p->fates[FATE_FAILED] - p->fates[FATE_PENDING];
        struct buf name;
        buf_init(&name, 256);
        show_text(&name, p->name[0] ? slice_of(p->name) : SLICE("(not tried yet)"));
        buf_printf(out, "%-32.*s %12llu %12llu %10llu %10llu %10llu\n", SLICE_ARG(buf_slice(&name)),
                   (unsigned long long)p->total, (unsigned long long)p->fates[FATE_DELIVERED],
                   (unsigned long long)p->fates[FATE_FAILED], (unsigned long long)p->fates[FATE_PENDING],
                   (unsigned long long)rest);
        buf_done(&name);
    }
    if (!all && r->provider_count > SHOWN_PROVIDERS)
        buf_printf(out, "... and %zu more (--all)\n", r->provider_count - SHOWN_PROVIDERS);
}

/* Of the fates, only what failed may have failed before there was a mail. */
static enum event_kind kind_of(enum fate fate) {
    return fate == FATE_FAILED ? EVENT_FAILED : EVENT_DEFERRED;
}

static void put_reasons(struct buf *out, const struct report *r, bool all, bool colour) {
    size_t shown = 0, kinds = 0;
    for (size_t i = 0; i < r->reason_count; i++) {
        const struct report_reason *why = &r->reasons[i];
        if (why->fate == FATE_DELIVERED) continue;
        if (kinds++ == 0)
            buf_printf(out, "\n%s%10s  %-10s %-20s %-4s %-7s said for example%s\n", show_bold(colour),
                       "recipients", "state", "reason", "code", "", show_plain(colour));
        if (!all && shown == SHOWN_REASONS) continue;
        shown++;
        struct buf code;
        buf_init(&code, 64);
        put_enhanced(&code, why->enhanced);
        buf_printf(out, "%10llu  %-10s %-20s ", (unsigned long long)why->count, fate_name(why->fate),
                   show_reason(kind_of(why->fate), why->class, why->code));
        if (why->code)
            buf_printf(out, "%-4u", why->code);
        else
            buf_printf(out, "%-4s", "");
        buf_printf(out, " %-7.*s ", SLICE_ARG(buf_slice(&code)));
        show_text(out, slice_of(why->words));
        if (why->host[0]) {
            buf_printf(out, " %s(", show_dim(colour));
            show_text(out, slice_of(why->host));
            buf_printf(out, ")%s", show_plain(colour));
        }
        buf_put_c(out, '\n');
        buf_done(&code);
    }
    if (kinds > shown) buf_printf(out, "... and %zu more (--all)\n", kinds - shown);
}

static void put_head(struct buf *out, const struct campaign_row *row, const struct report *r, bool colour) {
    char text[CLOCK_TEXT_MAX];
    const struct tally *t = &r->tally;
    buf_printf(out, "%sCampaign %u  ", show_bold(colour), row->id);
    show_text(out, row->name);
    buf_printf(out, "%s  %s", show_plain(colour), campaign_state_name(row->state));
    clock_rfc3339(row->ready ? row->ready : row->created, text);
    buf_printf(out, ", begun %s", text);
    if (row->ended) {
        clock_rfc3339(row->ended, text);
        buf_printf(out, ", ended %s", text);
    }
    buf_put_text(out, "\n\n");
    show_equation(out, t);
    buf_put_c(out, '\n');
    const struct {
        const char *behind;
        uint64_t count;
    } notes[] = {{" of the failed were rejected when loaded (never tried)", t->rejected},
                 {" duplicates were dropped when loaded", t->duplicates},
                 {" temporary refusals on the way", t->deferrals},
                 {" of the pending are refused for now and tried again", r->deferred},
                 {" of the pending are on the wire", r->leased},
                 {" had an attempt whose end was not answered: they may have two copies", r->doubted}};
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        if (!notes[i].count) continue;
        buf_put_text(out, "  ");
        units_put_grouped(out, notes[i].count);
        buf_printf(out, "%s\n", notes[i].behind);
    }
}

static void put_json_lists(struct jdoc *o, const struct report *r) {
    struct jdoc *providers = jdoc_child_list(o, "providers"), *reasons = jdoc_child_list(o, "reasons");
    for (size_t i = 0; i < r->provider_count; i++) {
        struct jdoc *p = jdoc_item_object(providers);
        jdoc_put_text(p, "provider", slice_of(r->providers[i].name));
        jdoc_put_number(p, "recipients", (int64_t)r->providers[i].total);
        for (int f = 0; f < FATES; f++)
            jdoc_put_number(p, fate_name((enum fate)f), (int64_t)r->providers[i].fates[f]);
    }
    for (size_t i = 0; i < r->reason_count; i++) {
        const struct report_reason *why = &r->reasons[i];
        struct jdoc *w = jdoc_item_object(reasons);
        struct buf code;
        buf_init(&code, 64);
        put_enhanced(&code, why->enhanced);
        jdoc_put_text(w, "state", slice_of(fate_name(why->fate)));
        jdoc_put_text(w, "reason", slice_of(show_reason(kind_of(why->fate), why->class, why->code)));
        jdoc_put_number(w, "code", why->code);
        jdoc_put_text(w, "enhanced", buf_slice(&code));
        jdoc_put_number(w, "recipients", (int64_t)why->count);
        jdoc_put_text(w, "example", slice_of(why->words));
        jdoc_put_text(w, "host", slice_of(why->host));
        buf_done(&code);
    }
}

static void put_json(struct buf *out, const struct campaign_row *row, const struct report *r,
                     const struct history_gap *gap) {
    struct campaign_status c = {.id = row->id,
                                .state = row->state,
                                .tally = r->tally,
                                .leased = r->leased,
                                .deferred = r->deferred,
                                .created = row->created,
                                .ready = row->ready,
                                .ended = row->ended};
    size_t n = row->name.len < sizeof c.name ? row->name.len : sizeof c.name - 1;
    if (n) memcpy(c.name, row->name.at, n);
    struct jdoc *o = jdoc_object();
    show_campaign_json(o, &c);
    jdoc_put_number(o, "uncertain_recipients", (int64_t)r->doubted);
    put_json_lists(o, r);
    struct jdoc *notes = jdoc_child_list(o, "notes");
    show_gap_json(notes, gap);
    show_removed_json(notes, &r->removed);
    if (r->removed.campaign) {
        char time[CLOCK_TEXT_MAX];
        jdoc_put_text(o, "removed", slice_make(time, (size_t)clock_rfc3339(r->removed.at, time)));
        jdoc_put_text(o, "removed_by", slice_of(removed_why_name(r->removed.why)));
    }
    jdoc_write(o, true, out);
    jdoc_free(o);
}

struct listing {
    struct buf out;
    struct identity identity;
    bool json;
    bool enough; /* nobody reads on */
    int code;
};

static void put_flags(struct buf *out, const struct fold_slot *s) {
    const struct {
        const char *name;
        bool set;
    } flags[] = {{"was-uncertain", s->doubted},
                 {"deferred", s->fate == FATE_PENDING && s->deferred},
                 {"leased", s->fate == FATE_PENDING && s->leased}};
    bool first = true;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (!flags[i].set) continue;
        buf_printf(out, "%s%s", first ? "" : ",", flags[i].name);
        first = false;
    }
}

/* Tabs and line ends in the receiver's words would break the table. */
static void put_cell(struct buf *out, struct slice text) {
    show_text(out, text);
    buf_put_c(out, '\t');
}

static const char heading[] =
    "address\tstate\tmessage_id\tcode\tenhanced\treason\tattempts\tuncertain\tprovider\thost"
    "\ttime\tflags\ttext\n";

/* Empty where an answer has no class. */
static const char *reason_cell(const struct event *e) {
    const char *reason = show_reason(e->kind, e->class, e->code);
    return strcmp(reason, "-") == 0 ? "" : reason;
}

static void put_row(struct listing *l, const struct report_recipient *r) {
    const struct event *e = &r->slot->answer;
    struct buf *out = &l->out;
    char time[CLOCK_TEXT_MAX];
    bool told = r->slot->told;
    put_cell(out, r->address);
    buf_printf(out, "%s\t", fate_name(r->slot->fate));
    identity_put(&l->identity, r->rid, out);
    buf_put_c(out, '\t');
    if (told && e->code) buf_put_u64(out, e->code);
    buf_put_c(out, '\t');
    if (told) put_enhanced(out, e->enhanced);
    buf_printf(out, "\t%s\t%u\t%u\t", told ? reason_cell(e) : "", told ? e->attempt : 0, r->slot->lost);
    put_cell(out, told ? e->provider : (struct slice){0});
    put_cell(out, told ? e->host : (struct slice){0});
    if (told) buf_put(out, time, (size_t)clock_rfc3339(e->at, time));
    buf_put_c(out, '\t');
    put_flags(out, r->slot);
    buf_put_c(out, '\t');
    if (told) show_text(out, e->text);
    buf_put_c(out, '\n');
}

static void put_object(struct listing *l, const struct report_recipient *r) {
    const struct event *e = &r->slot->answer;
    struct jdoc *o = jdoc_object();
    struct buf text;
    char time[CLOCK_TEXT_MAX];
    buf_init(&text, 1024);
    jdoc_put_text(o, "address", r->address);
    jdoc_put_text(o, "state", slice_of(fate_name(r->slot->fate)));
    identity_put(&l->identity, r->rid, &text);
    jdoc_put_text(o, "message_id", buf_slice(&text));
    buf_reset(&text);
    put_flags(&text, r->slot);
    jdoc_put_text(o, "flags", buf_slice(&text));
    jdoc_put_number(o, "uncertain", r->slot->lost);
    if (r->slot->told) {
        buf_reset(&text);
        put_enhanced(&text, e->enhanced);
        jdoc_put_number(o, "code", e->code);
        jdoc_put_text(o, "enhanced", buf_slice(&text));
        jdoc_put_text(o, "reason", slice_of(show_reason(e->kind, e->class, e->code)));
        jdoc_put_number(o, "attempts", e->attempt);
        jdoc_put_text(o, "provider", e->provider);
        jdoc_put_text(o, "host", e->host);
        jdoc_put_text(o, "time", slice_make(time, (size_t)clock_rfc3339(e->at, time)));
        jdoc_put_text(o, "text", e->text);
    }
    jdoc_write(o, false, &l->out);
    jdoc_free(o);
    buf_done(&text);
}

static int flush(struct listing *l) {
    l->code = command_print_on(&l->out, &l->enough);
    buf_reset(&l->out);
    return l->code || l->enough ? -1 : 0;
}

static int list_one(void *ctx, const struct report_recipient *r) {
    struct listing *l = ctx;
    if (l->json)
        put_object(l, r);
    else
        put_row(l, r);
    return l->out.len >= FLUSH_AT ? flush(l) : 0;
}

static int list(struct reading *r, const struct invocation *in, const struct campaign_row *row) {
    struct err err = {0};
    struct listing l = {.json = in->json || invocation_has(in, "json-lines")};
    buf_init(&l.out, 16 << 20);
    reading_identity(r, in->options, row, &l.identity);
    reading_say_gap(r);
    if (!l.json) buf_put_text(&l.out, heading);
    int failed = report_recipients(r->view, row, list_one, &l, &err);
    if (!failed) failed = flush(&l);
    buf_done(&l.out);
    return failed && !l.code && !l.enough ? command_fail(&err) : l.code;
}

/* A server at work moves on between the two counts; then they are taken anew. */
static int verify(struct reading *r, const char *name, const struct report *first,
                  const struct campaign_row *row) {
    struct err err;
    if (first->removed.campaign) return history_removed_fail(&first->removed, &err), command_fail(&err);
    int differ = report_compare(first, &row->tally, &err);
    for (int turn = 0; differ && !row->ended && turn < 5; turn++) {
        struct report again;
        usleep(300000);
        if (view_begin(r->view, 0, &err) || !(row = view_campaign(r->view, slice_of(name))) ||
            report_make(r->view, row, &again, &err))
            return command_fail(&err);
        differ = report_compare(&again, &row->tally, &err);
        report_done(&again);
    }
    if (differ) return command_complain(EXIT_FAILED, "campaign %u does not add up: %s", row->id, err.text);
    return EXIT_DONE;
}

static int sums(struct reading *r, const struct invocation *in, const struct campaign_row *row) {
    struct report report;
    struct err err;
    struct buf out;
    if (report_make(r->view, row, &report, &err)) return command_fail(&err);
    buf_init(&out, 64 << 20);
    bool colour = show_is_terminal(STDOUT_FILENO);
    struct history_gap gap = view_gap(r->view);
    if (in->json) {
        put_json(&out, row, &report, &gap);
    } else {
        put_head(&out, row, &report, colour);
        show_gap(&out, &gap, colour);
        show_removed(&out, &report.removed, colour);
        put_providers(&out, &report, invocation_has(in, "all"), colour);
        put_reasons(&out, &report, invocation_has(in, "all"), colour);
    }
    int code = command_print(&out);
    if (code == EXIT_DONE && invocation_has(in, "verify")) code = verify(r, in->operands[0], &report, row);
    buf_done(&out);
    report_done(&report);
    return code;
}

static int run(struct invocation *in) {
    struct reading r;
    int code = reading_open(&r, in->options, 0);
    if (code) return code;
    const struct campaign_row *row = reading_campaign(&r, in->operands[0]);
    if (!row)
        code = EXIT_ABSENT;
    else
        code = invocation_has(in, "recipients") ? list(&r, in, row) : sums(&r, in, row);
    reading_close(&r);
    return code;
}

const struct command command_report = {
    .name = "report",
    .operands = "CAMPAIGN",
    .summary = "what became of a campaign, in sums or recipient by recipient",
    .text =
        "CAMPAIGN is a name (of several the newest) or a number. The numbers always add up:\n"
        "planned = delivered + failed + suppressed + cancelled + expired + pending + uncertain.\n\n"
        "The table of --recipients has the columns address, state, message_id, code, enhanced, reason,\n"
        "attempts, uncertain (attempts whose end the receiver did not answer), provider, host, time, flags\n"
        "(was-uncertain, deferred, leased) and text: the receiver's own words of the last attempt. Columns "
        "are\n"
        "found by their names: more may come.\n",
    .examples = "  tsubame report spring-news\n"
                "  tsubame report 12 --json\n"
                "  tsubame report 12 --recipients > ledger.tsv\n"
                "  tsubame report 12 --verify\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .least = 1,
    .most = 1,
    .json = true,
    .run = run,
};
