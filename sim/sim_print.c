/* A checked scenario as YAML that reads back as the same scenario. */
#include "buf.h"
#include "sim_keys.h"
#include "sim_manner.h"

static void print_key(const struct sim_provider *p, const struct sim_key *k, struct buf *out) {
    const void *at = (const char *)p + k->offset;
    if (k->kind == SIM_KEY_NUMBER) buf_printf(out, "%s: %u", k->name, *(const uint32_t *)at);
    if (k->kind == SIM_KEY_REAL || k->kind == SIM_KEY_SHARE)
        buf_printf(out, "%s: %g", k->name, *(const double *)at);
    if (k->kind == SIM_KEY_BOOL) buf_printf(out, "%s: %s", k->name, sim_bool_names[*(const bool *)at]);
    if (k->kind == SIM_KEY_TEXT)
        buf_printf(out, "%s: \"%.*s\"", k->name, SLICE_ARG(*(const struct slice *)at));
    if (k->kind == SIM_KEY_WORD) buf_printf(out, "%s: %s", k->name, k->words[*(const uint32_t *)at]);
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

static void print_provider(const struct sim_provider *p, struct buf *out) {
    const char *section = "";
    buf_printf(out, "  - name: %.*s\n", SLICE_ARG(p->name));
    if (!p->domain)
        buf_printf(out, "    domains: {pattern: \"%.*s{}%.*s\", count: %llu}\n", SLICE_ARG(p->prefix),
                   SLICE_ARG(p->suffix), (unsigned long long)p->domains);
    for (uint64_t i = 0; p->domain && i < p->domains; i++)
        buf_printf(out, "%s%.*s%s", i ? ", " : "    domains: [", SLICE_ARG(p->domain[i]),
                   i + 1 == p->domains ? "]\n" : "");
    if (!p->host) buf_printf(out, "    hosts: {own: %u}\n", p->own_hosts);
    for (uint32_t i = 0; p->host && i < p->hosts; i++)
        buf_printf(out, "%s      - {name: %.*s, preference: %u}\n", i ? "" : "    hosts:\n",
                   SLICE_ARG(p->host[i].name), p->host[i].preference);
    for (size_t i = 0; i < sim_key_count; i++) {
        bool same = sim_keys[i].section && strcmp(section, sim_keys[i].section) == 0;
        bool last = i + 1 == sim_key_count || !sim_keys[i + 1].section || !sim_keys[i].section ||
                    strcmp(sim_keys[i].section, sim_keys[i + 1].section) != 0;
        if (!sim_keys[i].section) buf_put_text(out, "    ");
        if (sim_keys[i].section && same) buf_put_text(out, ", ");
        if (sim_keys[i].section && !same) buf_printf(out, "    %s: {", section = sim_keys[i].section);
        print_key(p, &sim_keys[i], out);
        if (last) buf_put_text(out, sim_keys[i].section ? "}\n" : "\n");
    }
    for (size_t i = 0; i < p->faults; i++) {
        const struct sim_fault *f = &p->fault[i];
        buf_printf(
            out,
            "%s      - {step: %s, do: \"%s\", chance: %g, every: %u, first: %u, attempts: %u, keeps: %s}\n",
            i ? "" : "    faults:\n", sim_step_names[f->step], sim_fault_names[f->kind], f->chance, f->every,
            f->first, f->attempts, sim_keeps_names[f->keeps]);
    }
    print_replies(p, out);
}

void sim_scenario_print(const struct sim_scenario *s, struct buf *out) {
    buf_printf(out, "seed: %llu\nproviders:\n", (unsigned long long)s->seed);
    for (size_t i = 0; i < s->providers; i++)
        print_provider(&s->provider[i], out);
}
