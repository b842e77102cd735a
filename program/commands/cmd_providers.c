/* tsubame providers: whom it knows, by which exchangers, with which limits a lane begins, and who says so. */
#include "command.h"
#include "jdoc.h"
#include "show.h"

#include <unistd.h>

static const struct arg args[] = {
    {"mx", 0, "HOST", "only the one that this mail exchanger is of"},
};

static const char *const tls_names[] = {"off", "opportunistic", "required"};

static const char *origin(const struct profile_limit *l) {
    return profile_origin_name(l->from);
}

static void put_bounds(const struct learn_bounds *b, struct buf *out) {
    bool any = false;
    if (b->floor > 0) any = buf_printf(out, "never below %g", b->floor);
    if (b->start > 0) any = buf_printf(out, "%sbegins with %g", any ? ", " : "", b->start);
    if (b->ceiling > 0) buf_printf(out, "%snever above %g", any ? ", " : "", b->ceiling);
}

static void put_profile(const struct profile *p, const struct option_way *way, bool colour, struct buf *out) {
    buf_printf(out, "%s%s%s%s", show_bold(colour), p->name, show_plain(colour),
               p->own ? " (configured)" : "");
    for (size_t i = 0; i < p->suffix_count; i++)
        buf_printf(out, "%s%s", i ? ", " : "  ", p->suffixes[i]);
    if (way) buf_printf(out, "  TLS %s", tls_names[way->tls]);
    if (p->by_site) buf_put_text(out, "  each site by itself");
    buf_put_c(out, '\n');
    for (int n = 0; n < PROFILE_NUMBERS; n++) {
        const struct profile_limit *l = &p->limits[n];
        if (l->bounds.floor == 0 && l->bounds.start == 0 && l->bounds.ceiling == 0) continue;
        buf_printf(out, "    %-24s ", profile_number_key((enum profile_number)n));
        put_bounds(&l->bounds, out);
        buf_printf(out, "  %s[%s%s%s]%s\n", show_dim(colour), origin(l), l->note ? ": " : "",
                   l->note ? l->note : "", show_plain(colour));
    }
}

static void put_number(struct jdoc *to, const char *key, double value) {
    if (value > 0)
        jdoc_put_real(to, key, value);
    else
        jdoc_put_null(to, key);
}

static void put_json(const struct profile *p, const struct option_way *way, struct jdoc *to) {
    jdoc_put_text(to, "name", slice_of(p->name));
    jdoc_put_bool(to, "configured", p->own);
    struct jdoc *mx = jdoc_child_list(to, "mx");
    for (size_t i = 0; i < p->suffix_count; i++)
        jdoc_item_text(mx, slice_of(p->suffixes[i]));
    jdoc_put_text(to, "by", p->by_site ? SLICE("site") : SLICE("provider"));
    jdoc_put_bool(to, "wants_tls", p->wants_tls);
    if (way) jdoc_put_text(to, "tls", slice_of(tls_names[way->tls]));
    if (way) jdoc_put_bool(to, "bdat", way->bdat);
    struct jdoc *limits = jdoc_child_object(to, "limits");
    for (int n = 0; n < PROFILE_NUMBERS; n++) {
        const struct profile_limit *l = &p->limits[n];
        if (l->bounds.floor == 0 && l->bounds.start == 0 && l->bounds.ceiling == 0) continue;
        struct jdoc *one = jdoc_child_object(limits, profile_number_key((enum profile_number)n));
        put_number(one, "floor", l->bounds.floor);
        put_number(one, "start", l->bounds.start);
        put_number(one, "ceiling", l->bounds.ceiling);
        jdoc_put_text(one, "from", slice_of(origin(l)));
        if (l->note) jdoc_put_text(one, "note", slice_of(l->note));
    }
}

/* Who is shown: all, or one by name or by the name of an exchanger. */
static bool is_shown(const struct options *o, const struct profile *p, const char *name, const char *host) {
    if (name && strcmp(p->name, name) != 0) return false;
    if (!host) return true;
    const struct profile *of = profile_of_host(o->known, o->known_count, slice_of(host));
    return p == (of ? of : &o->other);
}

static size_t show_all(const struct options *o, const char *name, const char *host, struct jdoc *list,
                       struct buf *out) {
    bool colour = !list && show_is_terminal(STDOUT_FILENO);
    size_t shown = 0;
    for (size_t i = 0; i <= o->known_count; i++) {
        const struct profile *p = i < o->known_count ? &o->known[i] : &o->other;
        const struct option_way *way = i < o->known_count ? &o->ways[i] : NULL;
        if (!is_shown(o, p, name, host)) continue;
        shown++;
        if (list)
            put_json(p, way, jdoc_item_object(list));
        else
            put_profile(p, way, colour, out);
    }
    return shown;
}

static int run(struct invocation *in) {
    const char *name = in->operand_count ? in->operands[0] : NULL, *host = invocation_value(in, "mx");
    struct jdoc *all = in->json ? jdoc_object() : NULL;
    struct jdoc *list = in->json ? jdoc_child_list(all, "providers") : NULL;
    struct buf out;
    buf_init(&out, 16 << 20);
    size_t shown = show_all(in->options, name, host, list, &out);
    if (in->json) jdoc_write(all, true, &out);
    jdoc_free(all);
    int code =
        shown == 0 && name
            ? command_complain(EXIT_ABSENT, "there is no provider '%s'%s (`tsubame providers` lists all)",
                               name, host ? " with that mail exchanger" : "")
            : command_print(&out);
    buf_done(&out);
    return code;
}

const struct command command_providers = {
    .name = "providers",
    .operands = "[PROVIDER]",
    .summary = "show which receivers are known, and with which limits",
    .text =
        "Those of the configuration and the built-in ones: by which mail exchangers they are known, and for\n"
        "each limit where learning begins and what is never passed, with who says so: shaping and community\n"
        "(KumoMTA's files), provider (its own postmaster page), field (reports of senders), own (this\n"
        "program or its configuration). `other` is whoever nobody knows.\n",
    .examples = "  tsubame providers\n"
                "  tsubame providers google --json\n"
                "  tsubame providers --mx aspmx.l.google.com\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .most = 1,
    .json = true,
    .run = run,
};
