/* Lists of a provider: faults, replies, changes of limits, groups of hosts, maintenance. */
#include "sim_manner.h"
#include "sim_read.h"

static int read_fault_key(struct reader *r, const struct yaml *c, struct sim_fault *f) {
    static const char *const at_name = "a fault (known: step, do, chance, every, first, attempts, keeps)";
    uint32_t word = 0;
    int rc;
    if (slice_eq(c->key, SLICE("step"))) {
        rc = read_word(r, c, sim_step_names, &word);
        f->step = (enum sim_step)word;
    } else if (slice_eq(c->key, SLICE("do"))) {
        rc = read_word(r, c, sim_fault_names, &word);
        f->kind = (enum sim_fault_kind)word;
    } else if (slice_eq(c->key, SLICE("keeps"))) {
        rc = read_word(r, c, sim_keeps_names, &word);
        f->keeps = (enum sim_keeps)word;
    } else if (slice_eq(c->key, SLICE("chance"))) {
        rc = read_real(r, c, 1, &f->chance);
    } else if (slice_eq(c->key, SLICE("every"))) {
        rc = read_number(r, c, 1e9, &f->every);
    } else if (slice_eq(c->key, SLICE("first"))) {
        rc = read_number(r, c, 1e9, &f->first);
    } else if (slice_eq(c->key, SLICE("attempts"))) {
        rc = read_number(r, c, 1000, &f->attempts);
    } else {
        rc = read_unknown_key(r, c, at_name);
    }
    return rc;
}

static int read_fault(struct reader *r, const struct yaml *node, struct sim_fault *f) {
    if (read_want(r, node, YAML_MAP)) return -1;
    f->chance = 1;
    if (!yaml_get(node, "step") || !yaml_get(node, "do"))
        return read_fail(r, node, "a fault needs 'step' and 'do'");
    for (const struct yaml *c = node->first; c; c = c->next)
        if (read_fault_key(r, c, f)) return -1;
    bool early = f->step >= SIM_STEP_EHLO;
    if (f->kind == SIM_FAULT_EARLY && !early)
        return read_fail(r, node, "'early' needs a step after the greeting");
    bool bare = f->step == SIM_STEP_CONNECT || f->step == SIM_STEP_TLS;
    if (bare && f->kind != SIM_FAULT_DROP && f->kind != SIM_FAULT_RESET && f->kind != SIM_FAULT_STALL &&
        !(f->step == SIM_STEP_TLS && (f->kind == SIM_FAULT_GARBAGE || f->kind == SIM_FAULT_EARLY)))
        return read_fail(r, node, "'%s' cannot happen at '%s'", sim_fault_names[f->kind],
                         sim_step_names[f->step]);
    f->id = r->s->faults++;
    return 0;
}

int read_faults(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (read_want(r, node, YAML_LIST)) return -1;
    if (node->count > SIM_FAULTS_MAX) return read_fail(r, node, "at most %d faults", SIM_FAULTS_MAX);
    p->fault = arena_zalloc(&r->s->arena, (node->count + 1) * sizeof *p->fault);
    if (!p->fault) return read_fail(r, node, "too many faults");
    p->faults = 0;
    p->faulty_steps = 0;
    for (const struct yaml *c = node->first; c; c = c->next) {
        if (read_fault(r, c, &p->fault[p->faults])) return -1;
        p->faulty_steps |= 1u << p->fault[p->faults++].step;
    }
    return 0;
}

/* "250 text", lines divided by \n, all with the same code. */
static bool is_reply(struct slice text) {
    struct slice line, code = {text.at, 3};
    if (text.len < 4 || text.len > 2000 || !read_is_plain(text, true)) return false;
    while (slice_cut(&text, '\n', &line)) {
        char divider = text.at ? '-' : ' ';
        if (line.len < 4 || memcmp(line.at, code.at, 3) != 0 || line.at[3] != divider) return false;
        if (line.at[0] < '2' || line.at[0] > '5' || !ascii_digit(line.at[1]) || !ascii_digit(line.at[2]))
            return false;
    }
    return true;
}

int read_replies(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    uint32_t which = 0;
    if (read_want(r, node, YAML_MAP)) return -1;
    for (const struct yaml *c = node->first; c; c = c->next) {
        for (which = 0; sim_reply_names[which]; which++)
            if (slice_eq(c->key, slice_of(sim_reply_names[which]))) break;
        if (!sim_reply_names[which]) return read_unknown_key(r, c, "'replies'");
        if (read_want(r, c, YAML_SCALAR)) return -1;
        if (!is_reply(c->text))
            return read_fail(r, c, "'%.*s' must be a reply such as \"550 5.1.1 no such user\"",
                             SLICE_ARG(c->key));
        p->reply[which] = c->text;
    }
    return 0;
}

/* The limits of `node` on top of others. `counts` and `client` say who is counted: they stay as they are. */
static int read_limits(struct reader *r, const struct yaml *node, const struct sim_provider *p, bool change,
                       struct sim_limits *limits) {
    struct sim_provider on_top = *p;
    on_top.rules.limits = *limits;
    if (read_section(r, node, "limits", &on_top)) return -1;
    if (change &&
        (on_top.rules.limits.counts != limits->counts || on_top.rules.limits.client != limits->client))
        return read_fail(r, node, "'counts' and 'client' cannot change while it runs");
    *limits = on_top.rules.limits;
    return 0;
}

static int read_change(struct reader *r, const struct yaml *node, const struct sim_provider *p,
                       struct sim_change *change) {
    const struct yaml *at = NULL, *limits = NULL;
    if (read_want(r, node, YAML_MAP)) return -1;
    for (const struct yaml *c = node->first; c; c = c->next) {
        if (slice_eq(c->key, SLICE("at")))
            at = c;
        else if (slice_eq(c->key, SLICE("limits")))
            limits = c;
        else
            return read_unknown_key(r, c, "a change (known: at, limits)");
    }
    if (!at || !limits) return read_fail(r, node, "a change needs 'at' and 'limits'");
    return read_time(r, at, 1e9, &change->at_s) || read_limits(r, limits, p, true, &change->limits) ? -1 : 0;
}

/* Each change keeps what the ones before it made. */
static int read_changes(struct reader *r, const struct yaml *node, const struct sim_provider *p,
                        struct sim_rules *rules) {
    if (read_want(r, node, YAML_LIST)) return -1;
    if (node->count > SIM_CHANGES_MAX) return read_fail(r, node, "at most %d changes", SIM_CHANGES_MAX);
    struct sim_change *change = arena_zalloc(&r->s->arena, (node->count + 1) * sizeof *change);
    struct sim_limits limits = rules->limits;
    if (!change) return read_fail(r, node, "too many changes");
    rules->change = change;
    rules->changes = 0;
    for (const struct yaml *c = node->first; c; c = c->next) {
        struct sim_change *one = &change[rules->changes];
        one->limits = limits;
        if (read_change(r, c, p, one)) return -1;
        if (rules->changes && one->at_s <= one[-1].at_s)
            return read_fail(r, c, "changes must stand in order of their times");
        limits = one->limits;
        rules->changes++;
    }
    return 0;
}

static int read_group(struct reader *r, const struct yaml *node, const struct sim_provider *p,
                      struct sim_group *group) {
    const struct yaml *changes = p->changes_node;
    if (read_want(r, node, YAML_MAP)) return -1;
    group->rules = (struct sim_rules){.limits = p->rules.limits};
    for (const struct yaml *c = node->first; c; c = c->next) {
        if (slice_eq(c->key, SLICE("name"))) {
            if (read_want(r, c, YAML_SCALAR)) return -1;
            group->name = c->text;
        } else if (slice_eq(c->key, SLICE("limits"))) {
            if (read_limits(r, c, p, true, &group->rules.limits)) return -1;
        } else if (slice_eq(c->key, SLICE("changes"))) {
            changes = c;
        } else {
            return read_unknown_key(r, c, "a group (known: name, limits, changes)");
        }
    }
    if (!group->name.len || group->name.len > 64)
        return read_fail(r, node, "a group needs a 'name' of 1 to 64 characters");
    if (!read_is_plain(group->name, false))
        return read_fail(r, node, "a group's name must be printable, without quotes and backslashes");
    return changes ? read_changes(r, changes, p, &group->rules) : 0;
}

static int find_groups(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    for (uint32_t i = 0; i < p->hosts; i++) {
        struct sim_host *h = &p->host[i];
        for (uint32_t g = 0; h->group_name.len && g < p->groups; g++)
            if (slice_eq(h->group_name, p->group[g].name)) h->group = g + 1;
        if (h->group_name.len && !h->group)
            return read_fail(r, node, "host '%.*s' is of group '%.*s', which is not among the 'groups'",
                             SLICE_ARG(h->name), SLICE_ARG(h->group_name));
    }
    return 0;
}

static int read_groups(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (read_want(r, node, YAML_LIST)) return -1;
    if (node->count > SIM_GROUPS_MAX) return read_fail(r, node, "at most %d groups", SIM_GROUPS_MAX);
    p->group = arena_zalloc(&r->s->arena, (node->count + 1) * sizeof *p->group);
    if (!p->group) return read_fail(r, node, "too many groups");
    for (const struct yaml *c = node->first; c; c = c->next)
        if (read_group(r, c, p, &p->group[p->groups++])) return -1;
    return 0;
}

/* "10m" since the start, or "03:00" of each day. */
static int read_window_at(struct reader *r, const struct yaml *c, struct sim_window *w) {
    w->daily = c->kind == YAML_SCALAR && slice_find(c->text, ':') >= 0;
    return w->daily ? read_clock(r, c, &w->at_s) : read_time(r, c, 1e9, &w->at_s);
}

static int read_window_hosts(struct reader *r, const struct yaml *node, const struct sim_provider *p,
                             struct sim_window *w) {
    if (read_want(r, node, YAML_LIST)) return -1;
    for (const struct yaml *c = node->first; c; c = c->next) {
        uint32_t i = 0;
        while (i < p->hosts && !slice_eq(c->text, p->host[i].name))
            i++;
        if (i == p->hosts)
            return read_fail(r, c, "'%.*s' is not among the hosts of the provider", SLICE_ARG(c->text));
        w->hosts |= UINT64_C(1) << i;
    }
    return 0;
}

static int read_window(struct reader *r, const struct yaml *node, const struct sim_provider *p,
                       struct sim_window *w) {
    uint32_t how = 0;
    if (read_want(r, node, YAML_MAP)) return -1;
    if (!yaml_get(node, "at") || !yaml_get(node, "for"))
        return read_fail(r, node, "maintenance needs 'at' and 'for'");
    for (const struct yaml *c = node->first; c; c = c->next) {
        int rc;
        if (slice_eq(c->key, SLICE("at")))
            rc = read_window_at(r, c, w);
        else if (slice_eq(c->key, SLICE("for")))
            rc = read_time(r, c, 1e9, &w->for_s);
        else if (slice_eq(c->key, SLICE("every")))
            rc = read_time(r, c, 1e9, &w->every_s);
        else if (slice_eq(c->key, SLICE("how")))
            rc = read_word(r, c, sim_window_names, &how);
        else if (slice_eq(c->key, SLICE("hosts")))
            rc = read_window_hosts(r, c, p, w);
        else
            rc = read_unknown_key(r, c, "maintenance (known: at, for, every, how, hosts)");
        if (rc) return -1;
    }
    w->how = (enum sim_window_how)how;
    if (w->daily && w->every_s > 0) return read_fail(r, node, "a time of day comes each day: no 'every'");
    if (w->every_s > 0 && w->every_s <= w->for_s)
        return read_fail(r, node, "'every' must be longer than 'for'");
    return 0;
}

static int read_windows(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (read_want(r, node, YAML_LIST)) return -1;
    if (node->count > SIM_WINDOWS_MAX)
        return read_fail(r, node, "at most %d times of maintenance", SIM_WINDOWS_MAX);
    p->window = arena_zalloc(&r->s->arena, (node->count + 1) * sizeof *p->window);
    if (!p->window) return read_fail(r, node, "too many times of maintenance");
    p->windows = 0;
    for (const struct yaml *c = node->first; c; c = c->next)
        if (read_window(r, c, p, &p->window[p->windows++])) return -1;
    return 0;
}

int read_last(struct reader *r, const struct yaml *node, struct sim_provider *p) {
    if (p->changes_node && read_changes(r, p->changes_node, p, &p->rules)) return -1;
    if (p->groups_node && read_groups(r, p->groups_node, p)) return -1;
    if (p->windows_node && read_windows(r, p->windows_node, p)) return -1;
    return find_groups(r, node, p);
}
