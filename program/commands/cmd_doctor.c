/* tsubame doctor: what is wrong, why that matters, how to mend it. */
#include "command.h"
#include "doctor.h"
#include "jdoc.h"
#include "show.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct check {
    const char *group, *title;
    void (*run)(struct doctor *d);
} checks[] = {
    {"config", "Configuration", doctor_configuration},
    {"permissions", "Files and who may read them", doctor_permissions},
    {"store", "Store", doctor_store},
    {"server", "Server", doctor_server},
    {"limits", "Limits of this machine", doctor_limits},
    {"clock", "Clock", doctor_clock},
    {"metrics", "Metrics", doctor_listen},
    {"dns", "DNS", doctor_resolver},
    {"source", "Source addresses", doctor_sources},
    {"dkim", "DKIM", doctor_dkim},
    {"policy", "SPF and DMARC", doctor_policies},
    {"port", "The way out", doctor_port},
    {"work", "Work and log", doctor_work},
};
enum { CHECKS = sizeof checks / sizeof checks[0] };

void doctor_find_as(struct doctor *d, const char *name, const char *about, const struct verdict *v) {
    if (d->count == FINDINGS_MOST) return;
    struct finding *f = &d->findings[d->count++];
    *f = (struct finding){.group = d->group, .name = name, .verdict = *v};
    snprintf(f->about, sizeof f->about, "%s", about);
}

void doctor_find(struct doctor *d, const char *about, const struct verdict *v) {
    doctor_find_as(d, d->name, about, v);
}

/* ---- what is shown ---- */

static const char *title_of(const char *group) {
    for (size_t i = 0; i < CHECKS; i++)
        if (strcmp(checks[i].group, group) == 0) return checks[i].title;
    return group;
}

static const char *colour_of(enum verdict_result result, bool on) {
    static const char *const codes[] = {"\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m"};
    return on ? codes[result] : "";
}

static void put_label(struct buf *out, const char *label, const char *text) {
    if (!*text) return;
    buf_printf(out, "               %s", label);
    show_text(out, slice_of(text));
    buf_put_c(out, '\n');
}

static void put_finding(struct buf *out, const struct finding *f, bool colour) {
    const struct verdict *v = &f->verdict;
    buf_printf(out, "  %s%-11s%s  %s", colour_of(v->result, colour), verdict_name(v->result),
               show_plain(colour), f->name);
    if (f->about[0]) {
        buf_put_text(out, " [");
        show_text(out, slice_of(f->about));
        buf_put_c(out, ']');
    }
    buf_put_text(out, ": ");
    show_text(out, slice_of(v->seen));
    buf_put_c(out, '\n');
    put_label(out, "why:  ", v->why);
    put_label(out, "mend: ", v->mend);
}

static void put_text(const struct doctor *d, const size_t counts[4], struct buf *out) {
    bool colour = show_is_terminal(STDOUT_FILENO);
    const char *group = "";
    for (size_t i = 0; i < d->count; i++) {
        if (strcmp(group, d->findings[i].group) != 0)
            buf_printf(out, "%s%s%s%s\n", i ? "\n" : "", show_bold(colour), title_of(d->findings[i].group),
                       show_plain(colour));
        group = d->findings[i].group;
        put_finding(out, &d->findings[i], colour);
    }
    buf_printf(out, "\n%zu good, %zu advice, %zu wrong, %zu not checked\n", counts[VERDICT_GOOD],
               counts[VERDICT_ADVICE], counts[VERDICT_WRONG], counts[VERDICT_UNCHECKED]);
}

static void put_json(const struct doctor *d, const size_t counts[4], struct buf *out) {
    static const char *const keys[] = {"good", "advice", "wrong", "not_checked"};
    struct jdoc *o = jdoc_object(), *list = jdoc_child_list(o, "checks");
    for (size_t i = 0; i < d->count; i++) {
        const struct finding *f = &d->findings[i];
        struct jdoc *one = jdoc_item_object(list);
        jdoc_put_text(one, "group", slice_of(f->group));
        jdoc_put_text(one, "name", slice_of(f->name));
        jdoc_put_text(one, "about", slice_of(f->about));
        jdoc_put_text(one, "result", slice_of(verdict_name(f->verdict.result)));
        jdoc_put_text(one, "seen", slice_of(f->verdict.seen));
        jdoc_put_text(one, "why", slice_of(f->verdict.why));
        jdoc_put_text(one, "mend", slice_of(f->verdict.mend));
    }
    for (int r = 0; r < 4; r++)
        jdoc_put_number(o, keys[r], (int64_t)counts[r]);
    jdoc_write(o, true, out);
    jdoc_free(o);
}

static int tell(const struct doctor *d, bool json) {
    size_t counts[4] = {0};
    struct buf out;
    buf_init(&out, 64 << 20);
    for (size_t i = 0; i < d->count; i++)
        counts[d->findings[i].verdict.result]++;
    if (json)
        put_json(d, counts, &out);
    else
        put_text(d, counts, &out);
    int code = command_print(&out);
    buf_done(&out);
    return code ? code : counts[VERDICT_WRONG] ? EXIT_FAILED : EXIT_DONE;
}

/* ---- running ---- */

static void find_user(struct doctor *d, bool say) {
    struct err err;
    d->user = (struct service_user){.uid = geteuid(), .gid = getegid()};
    if (service_find_user(d->options, &d->user, &err) && say) {
        struct verdict v;
        d->group = "config";
        verdict_set(&v, VERDICT_WRONG, "%.390s", err.text);
        verdict_why(&v, "The server does not start so when root starts it.");
        verdict_mend(&v, "adduser --system --group tsubame; in the configuration: run.user: tsubame");
        doctor_find_as(d, "user", "", &v);
    }
    const struct passwd *pw = getpwuid(d->user.uid);
    snprintf(d->user_name, sizeof d->user_name, "%s", pw ? pw->pw_name : "its user");
}

static bool is_wanted(const struct check *c, const char *only) {
    return !only || strcmp(c->group, only) == 0;
}

static bool is_known(const char *only) {
    for (size_t i = 0; i < CHECKS; i++)
        if (is_wanted(&checks[i], only)) return true;
    return false;
}

static int examine(struct doctor *d, const struct invocation *in) {
    const char *only = invocation_value(in, "only");
    doctor_store_open(d);
    d->names = names_ask_open(d->options, &d->names_error);
    find_user(d, !only || strcmp(only, "config") == 0);
    for (size_t i = 0; i < CHECKS; i++) {
        if (!is_wanted(&checks[i], only)) continue;
        d->group = d->name = checks[i].group;
        checks[i].run(d);
    }
    names_ask_close(d->names);
    jdoc_free(d->server);
    store_free(d->store);
    return tell(d, in->json);
}

/* A configuration with faults is itself what is wrong. */
static int tell_faults(struct doctor *d, const struct buf *problems, bool json) {
    struct slice line, rest = buf_slice(problems);
    d->group = "config";
    while (slice_cut(&rest, '\n', &line)) {
        struct verdict v;
        if (!line.len) continue;
        verdict_set(&v, VERDICT_WRONG, "%.*s", line.len > 390 ? 390 : (int)line.len, line.at);
        verdict_why(&v, "The server does not start so, and no other check can be made.");
        verdict_mend(&v, "Correct that place; docs/configuration.md has every key");
        doctor_find_as(d, "config", "", &v);
    }
    return tell(d, json);
}

static int run(struct invocation *in) {
    const char *only = invocation_value(in, "only");
    struct doctor d = {
        .file = in->config, .connect = invocation_value(in, "connect"), .try = invocation_value(in, "try")};
    if (only && !is_known(only))
        return command_complain(
            EXIT_USAGE,
            "--only: expected config, permissions, store, server, limits, clock, metrics, "
            "dns, source, dkim, policy, port or work, got '%s'",
            only);
    struct buf problems;
    buf_init(&problems, 1 << 20);
    d.findings = calloc(FINDINGS_MOST, sizeof *d.findings);
    struct options *o = options_load(in->config, in->sets, in->set_count, &problems);
    d.options = o;
    int code = !d.findings ? command_complain(EXIT_FAILED, "out of memory")
               : o         ? examine(&d, in)
                           : tell_faults(&d, &problems, in->json);
    buf_done(&problems);
    free(d.findings);
    options_free(o);
    return code;
}

static const struct arg args[] = {
    {"only", 0, "NAME",
     "one group of checks: config, permissions, store, server, limits, clock, metrics, dns, source, "
     "dkim, policy, port, work"},
    {"try", 0, "DOMAIN", "look up this domain's mail exchangers and connect to the first"},
    {"connect", 0, "HOST", "connect to this host's port 25 (deliver.port), read its greeting, hang up"},
};

const struct command command_doctor = {
    .name = "doctor",
    .summary = "find what is wrong, and how to mend it",
    .text = "Looks at the configuration and the files that it names, the store, the server, this machine's "
            "limits and\n"
            "clock, DNS, and at what is published for the source addresses, DKIM keys and domains. Changes "
            "nothing. Asks\n"
            "the configured resolvers about your own names; connects to nobody unless --try or --connect "
            "names them.\n\n"
            "  good         as it should be\n"
            "  advice       it works, and should not stay so\n"
            "  wrong        mail will not go out, or not arrive: the exit status is 1\n"
            "  not checked  with the reason\n",
    .examples = "  tsubame doctor\n"
                "  tsubame doctor --try example.com\n"
                "  tsubame doctor --only store --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .json = true,
    .bare = true,
    .run = run,
};
