/* Counting, differences of counts, and their lines. */
#include "sim_stats.h"

#include <stdlib.h>

int sim_stats_init(struct sim_stats *t, const struct sim_scenario *s) {
    *t = (struct sim_stats){.pools = s->pools};
    t->pool = calloc(s->pools ? s->pools : 1, sizeof *t->pool);
    if (!t->pool) return -1;
    for (size_t i = 0; i < s->providers; i++) {
        const struct sim_provider *p = &s->provider[i];
        for (uint32_t g = 0; g <= p->groups; g++) {
            t->pool[p->first_pool + g].provider = p;
            if (g) t->pool[p->first_pool + g].group = p->group[g - 1].name;
        }
    }
    return 0;
}

void sim_stats_done(struct sim_stats *t) {
    free(t->pool);
    *t = (struct sim_stats){0};
}

static void tally_open(struct sim_pool *p, sim_us now) {
    p->total.open_s += p->open * (double)(now - p->open_at) * 1e-6;
    p->open_at = now;
}

void sim_pool_open(struct sim_pool *p, sim_us now) {
    tally_open(p, now);
    p->open++;
    if (p->open > p->peak) p->peak = p->open;
    if (p->open > p->peak_now) p->peak_now = p->open;
}

void sim_pool_close(struct sim_pool *p, sim_us now) {
    tally_open(p, now);
    p->open--;
}

static void count_site(struct sim_pool *p, struct sim_site *s, sim_us from, sim_us now) {
    double *permitted = p->total.permitted;
    if (s->since > from) from = s->since;
    permitted[SIM_LIMIT_RATE] += sim_limits_over(s->rules, SIM_LIMIT_RATE, from, now);
    permitted[SIM_LIMIT_CONNECTIONS] += sim_limits_over(s->rules, SIM_LIMIT_CONNECTIONS, from, now);
    permitted[SIM_LIMIT_CONNECTIONS_PER_MINUTE] +=
        sim_limits_over(s->rules, SIM_LIMIT_CONNECTIONS_PER_MINUTE, from, now) / 60;
    if (s->new_day) permitted[SIM_LIMIT_DAILY] += sim_limits_now(s->rules, now)->most[SIM_LIMIT_DAILY];
    s->new_day = false;
}

void sim_stats_count(struct sim_stats *t, struct sim_site *site, size_t sites, sim_us now) {
    for (size_t i = 0; i < sites; i++)
        count_site(&t->pool[site[i].pool], &site[i], t->counted, now);
    for (size_t i = 0; i < t->pools; i++) {
        struct sim_pool *p = &t->pool[i];
        tally_open(p, now);
        p->total.passed[SIM_LIMIT_CONNECTIONS] = p->total.open_s;
    }
    t->counted = now;
}

static struct sim_counts minus(const struct sim_counts *a, const struct sim_counts *b) {
    struct sim_counts d = {.messages = a->messages - b->messages,
                           .attempts = a->attempts - b->attempts,
                           .turned_away = a->turned_away - b->turned_away,
                           .open_s = a->open_s - b->open_s};
    for (int i = 0; i < SIM_EVENTS; i++)
        d.event[i] = a->event[i] - b->event[i];
    for (int i = 0; i < SIM_CAUSES; i++)
        d.cause[i] = a->cause[i] - b->cause[i];
    for (int i = 0; i < SIM_LIMITS; i++) {
        d.passed[i] = a->passed[i] - b->passed[i];
        d.permitted[i] = a->permitted[i] - b->permitted[i];
    }
    return d;
}

static void put_text(struct slice text, FILE *to) {
    putc('"', to);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\') putc('\\', to);
        putc((unsigned char)text.at[i] < ' ' ? '?' : text.at[i], to);
    }
    putc('"', to);
}

static void put_counts(const char *name, const char *const *names, const uint64_t *count, int from, int n,
                       FILE *to) {
    const char *comma = "";
    fprintf(to, ", \"%s\": {", name);
    for (int i = from; i < n; i++) {
        if (!count[i]) continue;
        fprintf(to, "%s\"%s\": %llu", comma, names[i], (unsigned long long)count[i]);
        comma = ", ";
    }
    putc('}', to);
}

static void put_use(const struct sim_counts *c, FILE *to) {
    const char *comma = "";
    fputs(", \"limits\": {", to);
    for (int i = 0; i < SIM_LIMITS; i++) {
        if (c->permitted[i] <= 0) continue;
        fprintf(to, "%s\"%s\": {\"passed\": %.3f, \"permitted\": %.3f, \"use\": %.4f}", comma,
                sim_limit_names[i], c->passed[i], c->permitted[i], c->passed[i] / c->permitted[i]);
        comma = ", ";
    }
    fputs("}}\n", to);
}

static void put_line(const struct sim_pool *p, const struct sim_counts *c, bool whole, double seconds,
                     sim_us now, wall_us real, FILE *to) {
    fprintf(to, "{\"kind\": \"%s\", \"time_us\": %lld, \"sim_s\": %.3f, \"seconds\": %.3f, \"provider\": ",
            whole ? "run" : "interval", (long long)real, (double)now * 1e-6, seconds);
    put_text(p->provider->name, to);
    if (p->group.len) {
        fputs(", \"group\": ", to);
        put_text(p->group, to);
    }
    fprintf(to, ", \"messages\": %llu", (unsigned long long)c->messages);
    put_counts("recipients", sim_event_names, c->event, 0, SIM_EVENTS, to);
    put_counts("causes", sim_cause_names, c->cause, 1, SIM_CAUSES, to);
    fprintf(
        to,
        ", \"connections\": {\"attempts\": %llu, \"refused\": %llu, \"open\": %u, \"peak\": %u, \"mean\": "
        "%.3f}",
        (unsigned long long)c->attempts, (unsigned long long)c->turned_away, p->open,
        whole ? p->peak : p->peak_now, seconds > 0 ? c->open_s / seconds : 0);
    put_use(c, to);
}

void sim_stats_json(struct sim_stats *t, bool whole, sim_us now, wall_us real, FILE *to) {
    double seconds = (double)(whole ? now : now - t->told) * 1e-6;
    for (size_t i = 0; i < t->pools; i++) {
        struct sim_pool *p = &t->pool[i];
        struct sim_counts c = whole ? p->total : minus(&p->total, &p->told);
        if (c.attempts || p->open || c.open_s > 0) put_line(p, &c, whole, seconds, now, real, to);
        if (whole) continue;
        p->told = p->total;
        p->peak_now = p->open;
    }
    if (!whole) t->told = now;
    fflush(to);
}

static int busier(const void *a, const void *b) {
    const struct sim_pool *x = *(const struct sim_pool *const *)a, *y = *(const struct sim_pool *const *)b;
    if (x->total.event[0] != y->total.event[0]) return x->total.event[0] < y->total.event[0] ? 1 : -1;
    return x < y ? -1 : 1;
}

/* The cause that refused the most, and its share of the refusals. */
static void put_worst(const struct sim_counts *c, FILE *to) {
    int worst = 0;
    uint64_t sum = 0;
    for (int i = 1; i < SIM_CAUSES; i++) {
        sum += c->cause[i];
        if (c->cause[i] > c->cause[worst]) worst = i;
    }
    if (c->cause[worst] && worst)
        fprintf(to, "  %s %llu", sim_cause_names[worst], (unsigned long long)c->cause[worst]);
    if (worst && sum > c->cause[worst])
        fprintf(to, ", others %llu", (unsigned long long)(sum - c->cause[worst]));
    putc('\n', to);
}

static void put_row(const struct sim_pool *p, double seconds, FILE *to) {
    const struct sim_counts *c = &p->total;
    char name[40];
    snprintf(name, sizeof name, "%.*s%s%.*s", SLICE_ARG(p->provider->name), p->group.len ? "/" : "",
             SLICE_ARG(p->group));
    fprintf(to, "%-24.24s %10llu %10llu %10llu %8llu %8llu %6u %7.2f", name,
            (unsigned long long)(c->event[SIM_EVENT_ACCEPTED] + c->event[SIM_EVENT_UNANSWERED]),
            (unsigned long long)c->event[SIM_EVENT_DEFERRED],
            (unsigned long long)(c->event[SIM_EVENT_UNKNOWN] + c->event[SIM_EVENT_REFUSED]),
            (unsigned long long)c->attempts, (unsigned long long)c->turned_away, p->peak,
            seconds > 0 ? c->open_s / seconds : 0);
    put_worst(c, to);
}

void sim_stats_table(const struct sim_stats *t, sim_us now, size_t most, FILE *to) {
    const struct sim_pool **row = calloc(t->pools ? t->pools : 1, sizeof *row);
    size_t rows = 0;
    if (!row) return;
    for (size_t i = 0; i < t->pools; i++)
        if (t->pool[i].total.attempts) row[rows++] = &t->pool[i];
    if (rows) qsort(row, rows, sizeof *row, busier);
    fprintf(to, "%-24s %10s %10s %10s %8s %8s %6s %7s  %s\n", "provider", "accepted", "deferred", "refused",
            "connects", "turned", "peak", "mean", "why refused or deferred");
    for (size_t i = 0; i < rows && i < most; i++)
        put_row(row[i], (double)now * 1e-6, to);
    if (rows > most) fprintf(to, "... and %zu more\n", rows - most);
    free(row);
}
