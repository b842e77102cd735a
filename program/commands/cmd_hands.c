/* tsubame suspend, route, flush, orders, and resume and cancel of what a selector names: asked of the server,
 * after it has told how many that touches. */
#include "asking.h"
#include "hands_here.h"
#include "show.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const parts[] = {"campaign", "provider", "domain", "source", "identity"};
enum { PARTS = sizeof parts / sizeof parts[0] };

static bool takes(const struct invocation *in, const char *name) {
    for (size_t i = 0; i < in->command->arg_count; i++)
        if (strcmp(in->command->args[i].name, name) == 0) return true;
    return false;
}

static const char *value(const struct invocation *in, const char *name) {
    return takes(in, name) ? invocation_value(in, name) : NULL;
}

bool hands_asked(const struct invocation *in) {
    for (size_t i = 0; i < PARTS; i++)
        if (value(in, parts[i])) return true;
    return value(in, "tenant") || value(in, "order") || value(in, "reason") || !in->operand_count ||
           value(in, "dry-run");
}

/* ---- the request ---- */

static int put_number(struct jdoc *o, const struct invocation *in, const char *name) {
    const char *text = value(in, name);
    int64_t n;
    if (!text) return EXIT_DONE;
    if (!units_int(slice_of(text), &n) || n < 0 || n > UINT32_MAX)
        return command_complain(EXIT_USAGE, "--%s '%s': expected a number", name, text);
    jdoc_put_number(o, name, n);
    return EXIT_DONE;
}

static int put_until(struct jdoc *o, const struct invocation *in) {
    const char *lasts = value(in, "for"), *until = value(in, "until");
    int64_t us;
    wall_us at = 0;
    if (lasts && until) return command_complain(EXIT_USAGE, "--for and --until: one of the two, please");
    if (lasts && (!units_duration(slice_of(lasts), &us) || us <= 0 || us > NEVER - clock_wall()))
        return command_complain(EXIT_USAGE, "--for '%s': expected a duration such as 2h or 1d", lasts);
    if (until && !units_time(slice_of(until), &at))
        return command_complain(EXIT_USAGE, "--until '%s': expected a time such as 2026-07-01T08:00:00Z",
                                until);
    if (lasts) at = clock_wall() + us;
    if (at) jdoc_put_number(o, "until", at);
    return EXIT_DONE;
}

static int fill(struct jdoc *o, const struct invocation *in, const char *act) {
    static const char *const texts[] = {"reason", "to"};
    jdoc_put_text(o, "do", SLICE("hands"));
    jdoc_put_text(o, "act", slice_of(act));
    if (in->operand_count && value(in, "campaign"))
        return command_complain(EXIT_USAGE, "the campaign was named twice");
    if (in->operand_count) jdoc_put_text(o, "campaign", slice_of(in->operands[0]));
    for (size_t i = 0; i < PARTS; i++)
        if (value(in, parts[i])) jdoc_put_text(o, parts[i], slice_of(value(in, parts[i])));
    for (size_t i = 0; i < 2; i++)
        if (value(in, texts[i])) jdoc_put_text(o, texts[i], slice_of(value(in, texts[i])));
    int code = put_number(o, in, "tenant");
    if (!code) code = put_number(o, in, "order");
    return code ? code : put_until(o, in);
}

/* By a connection of its own each, for a person may think for long in between. NULL: *code. */
static struct jdoc *ask(const struct invocation *in, const char *act, int *code) {
    struct talk server;
    struct err err;
    struct jdoc *request = jdoc_object(), *reply = NULL;
    if ((*code = fill(request, in, act)) == EXIT_DONE) {
        if (talk_connect(&server, in->options->control.socket, &err) == 0) {
            reply = talk_ask(&server, request, NULL, 0, NULL, NULL, &err);
            talk_done(&server);
        } else if (err.kind == ERR_ABSENT) {
            err_wrap(&err, "this needs a running server");
        }
        if (!reply) *code = command_fail(&err);
    }
    jdoc_free(request);
    return reply;
}

/* ---- how many ---- */

static void put_count(struct buf *out, const struct jdoc *o, const char *key, const char *one,
                      const char *many) {
    uint64_t n = (uint64_t)jdoc_number(o, key, 0);
    units_put_grouped(out, n);
    buf_printf(out, " %s", n == 1 ? one : many);
}

static void say_touch(struct buf *out, const struct jdoc *o) {
    int64_t maybe = jdoc_number(o, "maybe", 0);
    if (maybe) buf_put_text(out, "at least ");
    put_count(out, o, "recipients", "recipient", "recipients");
    if (maybe) {
        buf_put_text(out, ", and some of ");
        units_put_grouped(out, (uint64_t)maybe);
        buf_put_text(out, " more of which it is not known yet");
    }
    buf_put_text(out, "; ");
    put_count(out, o, "campaigns", "campaign", "campaigns");
    if (jdoc_number(o, "lanes", 0)) {
        buf_put_text(out, ", ");
        put_count(out, o, "lanes", "lane", "lanes");
    }
    if (jdoc_number(o, "on_the_wire", 0)) {
        buf_put_text(out, "; ");
        put_count(out, o, "on_the_wire", "more is on the wire", "more are on the wire");
    }
    if (jdoc_bool(o, "unknown_provider", false))
        buf_put_text(out, "; no provider of that name is known here");
}

static void tell_touch(const struct invocation *in, const struct jdoc *preview, const char *act) {
    struct buf text;
    buf_init(&text, 4096);
    say_touch(&text, preview);
    command_complain(0, "%s: %.*s", act, SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
    (void)in;
}

static int confirm(const struct invocation *in, const char *act) {
    char answer[16] = "";
    bool terminal = isatty(STDIN_FILENO);
    if (value(in, "yes")) return EXIT_DONE;
    if (!terminal && strcmp(act, "cancel") == 0)
        return command_complain(EXIT_USAGE, "what is cancelled is cancelled for good: give --yes");
    if (!terminal) return EXIT_DONE;
    fprintf(stderr, "Go on? [y/N] ");
    if (!fgets(answer, sizeof answer, stdin) || ascii_lower(answer[0]) != 'y')
        return command_complain(EXIT_FAILED, "nothing was changed");
    return EXIT_DONE;
}

static int print_json(const struct jdoc *o) {
    struct buf out;
    buf_init(&out, 8 << 20);
    jdoc_write(o, true, &out);
    int code = command_print(&out);
    buf_done(&out);
    return code;
}

static int tell_done(const struct invocation *in, const struct jdoc *reply, const char *act) {
    struct buf out;
    if (in->json) return print_json(reply);
    buf_init(&out, 4096);
    int64_t order = jdoc_number(reply, "order", 0);
    if (order && strcmp(act, "cancel") == 0)
        buf_printf(&out,
                   "cancel: nothing of it is begun any more; the ledger is written on (order %lld), see "
                   "`tsubame orders`\n",
                   (long long)order);
    else if (order)
        buf_printf(&out, "%s: done, order %lld\n", act, (long long)order);
    else
        buf_printf(&out, "%s: done\n", act);
    int code = command_print(&out);
    buf_done(&out);
    return code;
}

static bool is_numbered(const struct invocation *in) {
    return value(in, "order") != NULL;
}

int hands_run(struct invocation *in, const char *act) {
    int code = EXIT_DONE;
    struct jdoc *reply = NULL;
    bool dry = value(in, "dry-run") != NULL;
    if (is_numbered(in) && strcmp(act, "resume") != 0)
        return command_complain(EXIT_USAGE, "--order is for `tsubame resume`");
    if (is_numbered(in)) {
        int64_t n;
        bool more = in->operand_count || value(in, "tenant") || dry;
        for (size_t i = 0; i < PARTS; i++)
            more = more || value(in, parts[i]);
        if (more) return command_complain(EXIT_USAGE, "--order names one order: nothing else goes with it");
        if (!units_int(slice_of(value(in, "order")), &n) || n < 1)
            return command_complain(EXIT_USAGE, "--order '%s': expected its number", value(in, "order"));
    }
    if (!is_numbered(in)) {
        reply = ask(in, "preview", &code);
        if (!reply) return code;
        if (dry && in->json)
            code = print_json(reply);
        else
            tell_touch(in, reply, act);
        jdoc_free(reply);
    }
    if (dry || code) return code;
    if ((code = confirm(in, act))) return code;
    if (!(reply = ask(in, act, &code))) return code;
    code = tell_done(in, reply, act);
    jdoc_free(reply);
    return code;
}

static int run_suspend(struct invocation *in) {
    return hands_run(in, "suspend");
}
static int run_flush(struct invocation *in) {
    return hands_run(in, "flush");
}
static int run_route(struct invocation *in) {
    if (!value(in, "to")) return command_complain(EXIT_USAGE, "route: where to? Give --to SOURCE");
    return hands_run(in, "route");
}

/* ---- orders ---- */

static void show_order(struct buf *out, const struct jdoc *o) {
    struct slice to = jdoc_text(o, "to"), by = jdoc_text(o, "by"), reason = jdoc_text(o, "reason");
    buf_printf(out, "%lld  %.*s ", (long long)jdoc_number(o, "order", 0), SLICE_ARG(jdoc_text(o, "act")));
    show_text(out, jdoc_text(o, "of"));
    if (to.len) buf_put_text(out, " to source "), show_text(out, to);
    buf_put_text(out, "\n   ");
    if (jdoc_get(o, "cancelled")) {
        put_count(out, o, "cancelled", "recipient", "recipients");
        buf_put_text(out, " cancelled so far");
        if (jdoc_number(o, "finished", 0)) {
            buf_put_text(out, ", ");
            put_count(out, o, "finished", "was on the wire and went on", "were on the wire and went on");
        }
        buf_put_text(out, "; to do: ");
    }
    if (jdoc_get(o, "recipients")) say_touch(out, o);
    buf_put_text(out, "\n   since ");
    units_put_time(out, jdoc_number(o, "at", 0) / US_PER_SEC * US_PER_SEC);
    if (by.len) buf_put_text(out, " by "), show_text(out, by);
    if (jdoc_get(o, "until")) {
        buf_put_text(out, ", until ");
        units_put_time(out, jdoc_number(o, "until", 0) / US_PER_SEC * US_PER_SEC);
    }
    if (reason.len) buf_put_text(out, ": "), show_text(out, reason);
    buf_put_c(out, '\n');
}

static int run_orders(struct invocation *in) {
    struct talk server;
    struct err err;
    struct buf out;
    if (talk_connect(&server, in->options->control.socket, &err)) return command_fail(&err);
    struct jdoc *reply = asking(&server, "orders", NULL, (struct slice){0}, &err);
    talk_done(&server);
    if (!reply) return command_fail(&err);
    const struct jdoc *list = jdoc_get(reply, "orders");
    buf_init(&out, 8 << 20);
    for (size_t i = 0; i < jdoc_count(list); i++)
        show_order(&out, jdoc_item(list, i));
    if (!jdoc_count(list)) buf_put_text(&out, "no order stands\n");
    int code = in->json ? print_json(reply) : command_print(&out);
    buf_done(&out);
    jdoc_free(reply);
    return code;
}

static const struct arg suspend_args[] = {
    HANDS_SELECTOR,
    {"for", 0, "DURATION", "so long: 2h"},
    {"until", 0, "TIME", "till then: 2026-07-01T08:00:00Z"},
    HANDS_COMMON,
};
static const struct arg route_args[] = {
    HANDS_SELECTOR,
    {"to", 0, "SOURCE", "the source that it goes from"},
    {"for", 0, "DURATION", "so long: 2h"},
    {"until", 0, "TIME", "till then: 2026-07-01T08:00:00Z"},
    HANDS_COMMON,
};
static const struct arg flush_args[] = {HANDS_SELECTOR, HANDS_COMMON};

#define ARGS(a) .args = a, .arg_count = sizeof a / sizeof a[0]

const struct command command_suspend = {
    .name = "suspend",
    .summary = "begin nothing of some mail for now",
    .text = "What all the options together name is not begun until `tsubame resume`, or the time that is "
            "given; what is "
            "on the wire is brought to its end, and all other mail goes on. The order outlives a restart.\n\n"
            "Shows how many it touches; asks first when a person is there.\n",
    .examples = "  tsubame suspend --provider google --reason \"too many complaints\"\n"
                "  tsubame suspend --campaign spring-news --domain example.org --for 2h\n",
    ARGS(suspend_args),
    .json = true,
    .run = run_suspend,
};
const struct command command_route = {
    .name = "route",
    .summary = "send some mail from another source",
    .text =
        "What all the options together name goes from that source, until `tsubame resume --order N`. Of "
        "several such "
        "orders the last one counts. --source names mail by the source that it has without any such order.\n",
    .examples = "  tsubame route --source out1 --provider google --to out2\n",
    ARGS(route_args),
    .json = true,
    .run = run_route,
};
const struct command command_flush = {
    .name = "flush",
    .summary = "try what waits for a later time now",
    .text = "Recipients that were refused for now are tried at once, domains without an answer are looked up "
            "anew, and "
            "servers that let nobody in are asked once more. What is suspended stays so.\n",
    .examples = "  tsubame flush --domain example.org\n",
    ARGS(flush_args),
    .json = true,
    .run = run_flush,
};
const struct command command_orders = {
    .name = "orders",
    .summary = "what is suspended, routed or being cancelled, by whom and why",
    .text = "With how many wait because of it.\n",
    .examples = "  tsubame orders --json\n",
    .json = true,
    .run = run_orders,
};
