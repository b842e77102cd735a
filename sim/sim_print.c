/* A checked scenario as YAML that reads back as the same scenario. */
#include "buf.h"
#include "sim_keys.h"
#include "sim_manner.h"

#include <stdio.h>

struct real_text {
    char at[64];
};

/* As a reader takes it: no exponent. */
static struct real_text real(double value) {
    struct real_text text;
    int len = snprintf(text.at, sizeof text.at, "%.9f", value);
    while (len > 1 && text.at[len - 1] == '0')
        len--;
    text.at[text.at[len - 1] == '.' ? len - 1 : len] = 0;
    return text;
}

static void print_clock(double seconds, struct buf *out) {
    unsigned minutes = (unsigned)seconds / 60;
    buf_printf(out, "\"%02u:%02u\"", minutes / 60, minutes % 60);
}

static void print_key(const struct sim_provider *p, const struct sim_key *k, struct buf *out) {
    const void *at = (const char *)p + k->offset;
    buf_printf(out, "%s: ", k->name);
    switch (k->kind) {
    case SIM_KEY_NUMBER: buf_printf(out, "%u", *(const uint32_t *)at); break;
    case SIM_KEY_WHOLE: buf_printf(out, "%.0f", *(const double *)at); break;
    case SIM_KEY_REAL:
    case SIM_KEY_SHARE:
    case SIM_KEY_TIME: buf_put_text(out, real(*(const double *)at).at); break;
    case SIM_KEY_CLOCK: print_clock(*(const double *)at, out); break;
    case SIM_KEY_BOOL: buf_put_text(out, sim_bool_names[*(const bool *)at]); break;
    case SIM_KEY_TEXT: buf_printf(out, "\"%.*s\"", SLICE_ARG(*(const struct slice *)at)); break;
    case SIM_KEY_WORD: buf_put_text(out, k->words[*(const uint32_t *)at]); break;
    }
}

static bool of_section(const struct sim_key *k, const char *section) {
    return k->section && strcmp(k->section, section) == 0;
}

/* "section: {...}" */
static void print_section(const struct sim_provider *p, const char *section, struct buf *out) {
    bool any = false;
    buf_printf(out, "%s: {", section);
    for (size_t i = 0; i < sim_key_count; i++) {
        if (!of_section(&sim_keys[i], section)) continue;
        if (any) buf_put_text(out, ", ");
        print_key(p, &sim_keys[i], out);
        any = true;
    }
    buf_put_c(out, '}');
}

static void print_limits(const struct sim_provider *p, const struct sim_limits *limits, struct buf *out) {
    struct sim_provider with = *p;
    with.rules.limits = *limits;
    print_section(&with, "limits", out);
}

static void print_changes(const struct sim_provider *p, const struct sim_rules *rules, const char *indent,
                          struct buf *out) {
    if (rules->changes) buf_printf(out, "%schanges:\n", indent);
    for (size_t i = 0; i < rules->changes; i++) {
        buf_printf(out, "%s  - {at: %s, ", indent, real(rules->change[i].at_s).at);
        print_limits(p, &rules->change[i].limits, out);
        buf_put_text(out, "}\n");
    }
}

static void print_quoted(struct slice text, struct buf *out) {
    buf_put_c(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\') buf_put_c(out, '\\');
        if (text.at[i] == '\n')
            buf_put_text(out, "\\n");
        else
            buf_put_c(out, text.at[i]);
    }
    buf_put_text(out, "\"\n");
}

static void print_replies(const struct sim_provider *p, struct buf *out) {
    bool any = false;
    for (size_t i = 0; sim_reply_names[i]; i++) {
        if (!p->reply[i].len) continue;
        buf_printf(out, "%s      %s: ", any ? "" : "    replies:\n", sim_reply_names[i]);
        print_quoted(p->reply[i], out);
        any = true;
    }
}

static void print_hosts(const struct sim_provider *p, struct buf *out) {
    if (!p->host && p->hosters)
        buf_printf(out, "    hosts: {shared: %llu, pattern: \"%.*s{}%.*s\", each: %u, sizes: %s, dead: %s}\n",
                   (unsigned long long)p->hosters, SLICE_ARG(p->hoster_prefix), SLICE_ARG(p->hoster_suffix),
                   p->own_hosts, sim_sizes_names[p->hoster_sizes], real(p->dead).at);
    else if (!p->host)
        buf_printf(out, "    hosts: {own: %u, dead: %s}\n", p->own_hosts, real(p->dead).at);
    for (uint32_t i = 0; p->host && i < p->hosts; i++) {
        buf_printf(out, "%s      - {name: %.*s, preference: %u", i ? "" : "    hosts:\n",
                   SLICE_ARG(p->host[i].name), p->host[i].preference);
        if (p->host[i].group) buf_printf(out, ", group: \"%.*s\"", SLICE_ARG(p->host[i].group_name));
        buf_put_text(out, "}\n");
    }
}

static void print_groups(const struct sim_provider *p, struct buf *out) {
    for (uint32_t g = 0; g < p->groups; g++) {
        buf_printf(out, "%s      - name: ", g ? "" : "    groups:\n");
        print_quoted(p->group[g].name, out);
        buf_put_text(out, "        ");
        print_limits(p, &p->group[g].rules.limits, out);
        buf_put_c(out, '\n');
        print_changes(p, &p->group[g].rules, "        ", out);
    }
}

static void print_window(const struct sim_provider *p, const struct sim_window *w, struct buf *out) {
    buf_put_text(out, "      - {at: ");
    if (w->daily)
        print_clock(w->at_s, out);
    else
        buf_printf(out, "%s, every: %s", real(w->at_s).at, real(w->every_s).at);
    buf_printf(out, ", for: %s, how: \"%s\"", real(w->for_s).at, sim_window_names[w->how]);
    const char *before = ", hosts: [";
    for (uint32_t i = 0; i < p->hosts; i++) {
        if (!(w->hosts >> i & 1)) continue;
        buf_printf(out, "%s%.*s", before, SLICE_ARG(p->host[i].name));
        before = ", ";
    }
    buf_put_text(out, w->hosts ? "]}\n" : "}\n");
}

static void print_manners(const struct sim_provider *p, struct buf *out) {
    for (size_t i = 0; i < p->manner_count; i++)
        buf_printf(out, "%s%s: %s%s", i ? ", " : "    manners: {", sim_manner_names[p->manners[i].what],
                   real(p->manners[i].upto - (i ? p->manners[i - 1].upto : 0)).at,
                   i + 1 < p->manner_count ? "" : "}\n");
}

static void print_keys(const struct sim_provider *p, struct buf *out) {
    for (size_t i = 0; i < sim_key_count; i++) {
        const struct sim_key *k = &sim_keys[i];
        if (k->section && i && of_section(&sim_keys[i - 1], k->section)) continue;
        buf_put_text(out, "    ");
        if (k->section)
            print_section(p, k->section, out);
        else
            print_key(p, k, out);
        buf_put_c(out, '\n');
    }
}

static void print_provider(const struct sim_provider *p, struct buf *out) {
    buf_put_text(out, "  - name: ");
    print_quoted(p->name, out);
    if (!p->domain)
        buf_printf(out, "    domains: {pattern: \"%.*s{}%.*s\", count: %llu}\n", SLICE_ARG(p->prefix),
                   SLICE_ARG(p->suffix), (unsigned long long)p->domains);
    for (uint64_t i = 0; p->domain && i < p->domains; i++)
        buf_printf(out, "%s%.*s%s", i ? ", " : "    domains: [", SLICE_ARG(p->domain[i]),
                   i + 1 == p->domains ? "]\n" : "");
    print_hosts(p, out);
    print_manners(p, out);
    print_keys(p, out);
    print_changes(p, &p->rules, "    ", out);
    print_groups(p, out);
    for (size_t i = 0; i < p->windows; i++) {
        if (i == 0) buf_put_text(out, "    maintenance:\n");
        print_window(p, &p->window[i], out);
    }
    for (size_t i = 0; i < p->faults; i++) {
        const struct sim_fault *f = &p->fault[i];
        buf_printf(
            out,
            "%s      - {step: %s, do: \"%s\", chance: %s, every: %u, first: %u, attempts: %u, keeps: %s}\n",
            i ? "" : "    faults:\n", sim_step_names[f->step], sim_fault_names[f->kind], real(f->chance).at,
            f->every, f->first, f->attempts, sim_keeps_names[f->keeps]);
    }
    print_replies(p, out);
}

void sim_scenario_print(const struct sim_scenario *s, struct buf *out) {
    buf_printf(out, "seed: %llu\ntime: {speed: %s", (unsigned long long)s->seed, real(s->speed).at);
    if (s->start_s >= 0) {
        buf_put_text(out, ", start: ");
        print_clock(s->start_s, out);
    }
    buf_put_text(out, "}\nproviders:\n");
    for (size_t i = 0; i < s->providers; i++)
        print_provider(&s->provider[i], out);
}
